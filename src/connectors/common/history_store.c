/* The history of a schema as JSON texts in a store, and the lock as a lease. */
#include "connectors/common/history_store.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "connectors/common/lease.h"
#include "model/json_tree.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FORMAT = 1 };

#define ACT_PREFIX "schema/act/"
#define CLAIM_KEY "schema/claim"
#define LEASE_KEY "schema/lease"

void history_store_open(struct alter_session *session, struct database *database,
                        struct store *store, const struct store_functions *functions)
{
    session->database = database;
    session->store = store;
    session->functions = functions;
    snprintf(session->name, sizeof session->name, "pid %" PRId64, (int64_t)getpid());
}

enum status history_store_settle_session(struct alter_session *session, struct error *error)
{
    (void)session;
    (void)error;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- JSON */

/* A member of a struct that is a text, by its name in JSON. */
struct text_member {
    const char *name;
    size_t offset;
    bool kept; /* of a row that is replaced, where the new one says nothing of it */
};

#define ACT(member) offsetof(struct history_row, member)
static const struct text_member act_texts[] = {{"version", ACT(version), false},
                                               {"name", ACT(name), false},
                                               {"origin", ACT(origin), false},
                                               {"checksum", ACT(checksum), false},
                                               {"down_checksum", ACT(down_checksum), false},
                                               {"origin_checksum", ACT(origin_checksum), false},
                                               {"down_text", ACT(down_text), true},
                                               {"run", ACT(run), false},
                                               {"who", ACT(who), false},
                                               {"program", ACT(program), false},
                                               {"error", ACT(error), false},
                                               {"restore_point", ACT(restore_point), true},
                                               {"schema_hash", ACT(schema_hash), false},
                                               {NULL, 0, false}};
#undef ACT
#define STEP(member) offsetof(struct history_step, member)
static const struct text_member step_texts[] = {{"checksum", STEP(checksum), false},
                                                {"witness", STEP(witness), true},
                                                {"session", STEP(session), true},
                                                {NULL, 0, false}};
#undef STEP

static void put_texts(json_t *object, const struct text_member *members, const void *row)
{
    for (; members->name != NULL; members++) {
        const char *text =
            *(const char *const *)(const void *)((const char *)row + members->offset);
        if (text != NULL) {
            json_object_set_new(object, members->name, json_string_nocheck(text));
        }
    }
}

/* Borrowed from the tree. */
static void take_texts(const json_t *object, const struct text_member *members, void *row)
{
    for (; members->name != NULL; members++) {
        *(const char **)(void *)((char *)row + members->offset) =
            json_string_value(json_object_get(object, members->name));
    }
}

static void keep_texts(json_t *object, const struct text_member *members, const json_t *old)
{
    for (; members->name != NULL; members++) {
        if (members->kept && json_object_get(object, members->name) == NULL) {
            json_t *text = json_object_get(old, members->name);
            if (text != NULL) {
                json_object_set(object, members->name, text);
            }
        }
    }
}

static void put_number(json_t *object, const char *name, uint64_t number)
{
    json_object_set_new(object, name, json_integer((json_int_t)number));
}

static int64_t number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static enum status history_store_parse(const char *key, const struct store_value *value,
                                       json_t **object, struct error *error)
{
    if (json_tree_parse(value->text, value->length, JSON_REJECT_DUPLICATES, key,
                        ERROR_LEDGER_INVALID, object, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int64_t format = number_of(*object, "format");
    if (format <= FORMAT) {
        return STATUS_OK;
    }
    json_decref(*object);
    *object = NULL;
    error_set(error, ERROR_FORMAT_NEWER, key,
              "the history of the schema has format %" PRId64 ", and this program knows %d", format,
              (int)FORMAT);
    error_hint(error, "use the version of transhume that wrote it, or a newer one");
    return STATUS_FAILED;
}

/* ---------------------------------------------------------------- keys */

static void act_key(char key[STORE_KEY_BYTES], uint64_t number)
{
    snprintf(key, STORE_KEY_BYTES, ACT_PREFIX "%010" PRIu64, number);
}

static void step_prefix(char key[STORE_KEY_BYTES], uint64_t number)
{
    snprintf(key, STORE_KEY_BYTES, "schema/step/%010" PRIu64 "/", number);
}

/* An absent key: `*object` NULL, version STORE_ABSENT. */
static enum status history_store_get(struct alter_session *session, const char *key,
                                     json_t **object, uint64_t *version, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct store_value value = {0};
    *object = NULL;
    *version = STORE_ABSENT;
    enum status status = session->functions->get(session->store, key, arena, &value, error);
    if (status == STATUS_OK) {
        *version = value.version;
        status = history_store_parse(key, &value, object, error);
    }
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

/* Is the act a declared change? Nothing could be resumed, or taken back, without its steps. */
static bool is_plan(const json_t *object)
{
    const char *action = json_string_value(json_object_get(object, "action"));
    return action != NULL && strcmp(action, history_action_name(HISTORY_CHANGE)) == 0;
}

static enum status refuse_long(const char *key, size_t length, size_t length_max,
                               struct error *error)
{
    error_set(error, ERROR_CHANGE_REFUSED, key,
              "the steps of the change are %zu bytes long, and the history keeps %zu in one value",
              length, length_max);
    return error_hint(error, "Make several changes of it, one behind the other.");
}

/* Takes the object. STATUS_AGAIN: the key has another version. */
static enum status connectors_history_store_put(struct alter_session *session, const char *key,
                                                json_t *object, uint64_t expected,
                                                uint64_t *version, struct error *error)
{
    struct buffer text = {0};
    uint64_t put_version = 0;
    put_number(object, "format", FORMAT);
    bool whole = json_tree_append(object, JSON_COMPACT | JSON_SORT_KEYS, &text) != 0;
    enum status status = STATUS_FAILED;
    if (whole && text.length > session->functions->value_bytes_max && is_plan(object)) {
        size_t length = text.length;
        json_decref(object);
        buffer_free(&text);
        return refuse_long(key, length, session->functions->value_bytes_max, error);
    }
    if (whole && text.length > session->functions->value_bytes_max &&
        json_object_del(object, "down_text") == 0) { /* then the file is needed to take it back */
        buffer_clear(&text);
        whole = json_tree_append(object, JSON_COMPACT | JSON_SORT_KEYS, &text) != 0;
    }
    json_decref(object);
    if (whole) {
        status = session->functions->put_if(session->store, key, buffer_string(&text), text.length,
                                            expected, &put_version, error);
    } else {
        error_set(error, ERROR_INTERNAL, key, "it can't be written as JSON");
    }
    if (status == STATUS_OK && version != NULL) {
        *version = put_version;
    }
    buffer_free(&text);
    return status;
}

/* ---------------------------------------------------------------- the lease */

static json_t *lease_of(const struct alter_session *session, const struct ledger_holder *self,
                        struct error *error)
{
    struct ledger_holder holder = *self;
    struct arena *arena = arena_create(0);
    const char *text = NULL;
    json_t *object = NULL;
    holder.lease_ms = session->database->lease_ms;
    if (ledger_holder_write(&holder, arena, &text, error) == STATUS_OK) {
        object = json_object();
        json_object_set_new(object, "holder", json_string_nocheck(text));
    }
    arena_destroy(arena);
    return object;
}

static enum status take_lease(struct alter_session *session, const struct ledger_holder *self,
                              uint64_t expected, struct error *error)
{
    json_t *object = lease_of(session, self, error);
    int64_t sent_ms = lease_clock_ms();
    if (object == NULL) {
        return STATUS_FAILED;
    }
    enum status status = connectors_history_store_put(session, LEASE_KEY, object, expected,
                                                      &session->lease_version, error);
    if (status == STATUS_OK) {
        session->held = true;
        session->seen_ms = sent_ms;
        lease_extend(session->database, sent_ms);
    }
    return status;
}

static enum status renew(struct alter_session *session, const struct ledger_holder *self,
                         struct error *error)
{
    enum status status = take_lease(session, self, session->lease_version, error);
    if (status != STATUS_AGAIN) {
        return status;
    }
    session->held = false;
    lease_end(session->database);
    error_set(error, ERROR_RUN_FENCED, LEASE_KEY,
              "another process took the lock of the schema, and this one stops");
    error_hint(error, "see what it did with `transhume schema status`");
    return STATUS_FAILED;
}

/* Not a lease after all: a passing state of somebody else's. */
static bool is_over(struct alter_session *session, const struct ledger_holder *found,
                    uint64_t version)
{
    int64_t now_ms = lease_clock_ms();
    if (session->seen_version != version) {
        session->seen_version = version;
        session->seen_ms = now_ms;
    }
    return ledger_holder_is_gone(found) || now_ms - session->seen_ms >= found->lease_ms;
}

enum status history_store_lock(struct alter_session *session, const struct ledger_holder *self,
                               struct ledger_holder *found, struct error *error)
{
    json_t *object = NULL;
    uint64_t version = 0;
    if (session->held) {
        return renew(session, self, error);
    }
    if (session->functions->create(session->store, error) != STATUS_OK ||
        history_store_get(session, LEASE_KEY, &object, &version, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *text = json_string_value(json_object_get(object, "holder"));
    enum status status = text != NULL ? ledger_holder_read(text, found, error) : STATUS_OK;
    bool free_now = text == NULL || (status == STATUS_OK && is_over(session, found, version));
    json_decref(object);
    if (status != STATUS_OK || !free_now) {
        return status == STATUS_OK ? STATUS_AGAIN : status;
    }
    status = take_lease(session, self, version, error);
    if (status == STATUS_AGAIN && found->name[0] == '\0') {
        snprintf(found->name, sizeof found->name, "a process that was faster just now");
    }
    return status;
}

enum status history_store_keep(struct alter_session *session, struct error *error)
{
    struct ledger_holder self;
    if (!session->held || lease_clock_ms() - session->seen_ms < session->database->lease_ms / 3) {
        return STATUS_OK;
    }
    ledger_holder_self(session->database->lease_ms, &self);
    return renew(session, &self, error);
}

void history_store_close(struct alter_session *session)
{
    struct error ignored = {0};
    if (session->held) {
        (void)!session->functions->delete_if(session->store, LEASE_KEY, session->lease_version,
                                             &ignored);
        lease_end(session->database);
    }
    session->functions->close(session->store);
}

/* ---------------------------------------------------------------- the claim */

enum status history_store_make(struct alter_session *session, struct error *error)
{
    if (failpoint_hit(session->before_failpoint, error) != STATUS_OK ||
        session->functions->create(session->store, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return failpoint_hit(session->after_failpoint, error);
}

static enum status read_claim(struct alter_session *session, struct arena *arena,
                              struct history_claim *claim, uint64_t *version, struct error *error)
{
    json_t *object = NULL;
    *claim = (struct history_claim){0};
    if (history_store_get(session, CLAIM_KEY, &object, version, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *holder = json_string_value(json_object_get(object, "holder"));
    const char *name = json_string_value(json_object_get(object, "session"));
    claim->epoch = (uint64_t)number_of(object, "epoch");
    claim->session = name != NULL ? arena_copy_string(arena, name) : NULL;
    enum status status =
        holder != NULL ? ledger_holder_read(holder, &claim->holder, error) : STATUS_OK;
    json_decref(object);
    return status;
}

enum status history_store_claim_read(struct alter_session *session, struct arena *arena,
                                     struct history_claim *claim, struct error *error)
{
    uint64_t version;
    return read_claim(session, arena, claim, &version, error);
}

enum status history_store_claim(struct alter_session *session, uint64_t seen,
                                const struct ledger_holder *self, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct history_claim claim;
    uint64_t version;
    enum status status = read_claim(session, arena, &claim, &version, error);
    arena_destroy(arena);
    if (status != STATUS_OK || claim.epoch != seen) {
        return status == STATUS_OK ? STATUS_AGAIN : status;
    }
    json_t *object = lease_of(session, self, error);
    if (object == NULL || failpoint_hit(session->before_failpoint, error) != STATUS_OK) {
        json_decref(object);
        return STATUS_FAILED;
    }
    put_number(object, "epoch", seen + 1);
    json_object_set_new(object, "session", json_string_nocheck(session->name));
    status = connectors_history_store_put(session, CLAIM_KEY, object, version, NULL, error);
    if (status != STATUS_OK) {
        return status;
    }
    session->epoch = seen + 1;
    return failpoint_hit(session->after_failpoint, error);
}

/* Nothing of this process is written late: a request is sent only while the lease outlasts it. */
static enum status check_claim(struct alter_session *session, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct history_claim claim;
    uint64_t version;
    enum status status = history_store_keep(session, error);
    status = status == STATUS_OK ? read_claim(session, arena, &claim, &version, error) : status;
    arena_destroy(arena);
    if (status == STATUS_OK && claim.epoch != session->epoch) {
        error_set(error, ERROR_RUN_FENCED, CLAIM_KEY,
                  "another process claimed the history of the schema, and this one stops");
        error_hint(error, "see what it did with `transhume schema status`");
        return STATUS_FAILED;
    }
    return status;
}

/* ---------------------------------------------------------------- reading */

struct reading {
    history_visit *visit_act;
    history_step_visit *visit_step;
    void *context;
    struct arena *arena;
    const char *down_text;
};

static enum status damaged(const char *key, struct error *error)
{
    error_set(error, ERROR_LEDGER_INVALID, key, "the history of the schema is damaged there");
    error_hint(error, "another program or a person wrote there: put it right by hand");
    return STATUS_FAILED;
}

static bool take_act(const json_t *object, struct history_row *row)
{
    const char *action = json_string_value(json_object_get(object, "action"));
    const char *state = json_string_value(json_object_get(object, "state"));
    row->number = (uint64_t)number_of(object, "number");
    row->steps = (uint32_t)number_of(object, "steps");
    row->begun_us = number_of(object, "begun_us");
    row->ended_us = number_of(object, "ended_us");
    row->epoch = (uint64_t)number_of(object, "epoch");
    take_texts(object, act_texts, row);
    return action != NULL && state != NULL && row->number > 0 &&
           history_action_parse(action, &row->action) && history_state_parse(state, &row->state);
}

static bool take_step(const json_t *object, struct history_step *step)
{
    int64_t number = number_of(object, "step");
    step->number = (uint64_t)number_of(object, "number");
    step->step = (uint32_t)number;
    step->state =
        json_is_true(json_object_get(object, "done")) ? HISTORY_STEP_DONE : HISTORY_STEP_INTENT;
    step->line = (uint32_t)number_of(object, "line");
    step->rows = (uint64_t)number_of(object, "rows");
    step->begun_us = number_of(object, "begun_us");
    step->ended_us = number_of(object, "ended_us");
    take_texts(object, step_texts, step);
    return number > 0 && number <= UINT32_MAX;
}

static enum status visit_value(void *context, const char *key, const struct store_value *value,
                               struct error *error)
{
    struct reading *reading = context;
    struct history_row row = {0};
    struct history_step step = {0};
    json_t *object = NULL;
    enum status status = history_store_parse(key, value, &object, error);
    if (status == STATUS_OK && reading->visit_act != NULL) {
        bool whole = take_act(object, &row);
        row.down_text = NULL;
        status = whole ? reading->visit_act(reading->context, &row, error) : damaged(key, error);
    } else if (status == STATUS_OK) {
        bool whole = take_step(object, &step);
        status = whole ? reading->visit_step(reading->context, &step, error) : damaged(key, error);
    }
    json_decref(object);
    return status;
}

enum status history_store_read(struct alter_session *session, history_visit *visit, void *context,
                               struct error *error)
{
    struct reading reading = {.visit_act = visit, .context = context};
    return session->functions->scan(session->store, ACT_PREFIX, visit_value, &reading, error);
}

enum status history_store_read_steps(struct alter_session *session, uint64_t number,
                                     history_step_visit *visit, void *context, struct error *error)
{
    struct reading reading = {.visit_step = visit, .context = context};
    char prefix[STORE_KEY_BYTES];
    step_prefix(prefix, number);
    return session->functions->scan(session->store, prefix, visit_value, &reading, error);
}

enum status history_store_down_text(struct alter_session *session, uint64_t number,
                                    struct arena *arena, const char **text, struct error *error)
{
    char key[STORE_KEY_BYTES];
    json_t *object = NULL;
    uint64_t version;
    act_key(key, number);
    *text = NULL;
    if (history_store_get(session, key, &object, &version, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *found = json_string_value(json_object_get(object, "down_text"));
    *text = found != NULL ? arena_copy_string(arena, found) : NULL;
    json_decref(object);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- writing */

/* Members and times of the object that is replaced stay where the new one does not say them. */
static void keep_old(json_t *object, const struct text_member *members, int64_t begun_us,
                     int64_t ended_us, bool over, const json_t *old)
{
    int64_t now_us = clock_utc_us();
    int64_t first_us = old != NULL ? number_of(old, "begun_us") : 0;
    keep_texts(object, members, old);
    put_number(object, "begun_us",
               (uint64_t)(begun_us != 0   ? begun_us
                          : first_us != 0 ? first_us
                                          : now_us));
    put_number(object, "ended_us", (uint64_t)(ended_us != 0 ? ended_us : over ? now_us : 0));
}

static json_t *act_object(const struct alter_session *session, const struct history_row *row)
{
    json_t *object = json_object();
    put_number(object, "number", row->number);
    put_number(object, "steps", row->steps);
    put_number(object, "epoch", session->epoch);
    json_object_set_new(object, "action", json_string(history_action_name(row->action)));
    json_object_set_new(object, "state", json_string(history_state_name(row->state)));
    put_texts(object, act_texts, row);
    return object;
}

static json_t *step_object(const struct alter_session *session, const struct history_step *step)
{
    json_t *object = json_object();
    put_number(object, "number", step->number);
    put_number(object, "step", step->step);
    put_number(object, "line", step->line);
    put_number(object, "rows", step->rows);
    put_number(object, "epoch", session->epoch);
    json_object_set_new(object, "done", json_boolean(step->state == HISTORY_STEP_DONE));
    put_texts(object, step_texts, step);
    if (step->session == NULL && step->state == HISTORY_STEP_INTENT) {
        json_object_set_new(object, "session", json_string_nocheck(session->name));
    }
    return object;
}

/* Takes the object. */
static enum status history_store_replace(struct alter_session *session, const char *key,
                                         json_t *object, const struct text_member *members,
                                         int64_t begun_us, int64_t ended_us, bool over,
                                         struct error *error)
{
    json_t *old = NULL;
    uint64_t version;
    if (failpoint_hit(session->before_failpoint, error) != STATUS_OK ||
        check_claim(session, error) != STATUS_OK ||
        history_store_get(session, key, &old, &version, error) != STATUS_OK) {
        json_decref(object);
        return STATUS_FAILED;
    }
    keep_old(object, members, begun_us, ended_us, over, old);
    json_decref(old);
    enum status status = connectors_history_store_put(session, key, object, version, NULL, error);
    if (status == STATUS_AGAIN) {
        return error_set(error, ERROR_RUN_FENCED, key,
                         "another process wrote the history of the schema meanwhile");
    }
    return status == STATUS_OK ? failpoint_hit(session->after_failpoint, error) : status;
}

enum status history_store_put(struct alter_session *session, const struct history_row *row,
                              struct error *error)
{
    char key[STORE_KEY_BYTES];
    act_key(key, row->number);
    return history_store_replace(session, key, act_object(session, row), act_texts, row->begun_us,
                                 row->ended_us, row->state != HISTORY_RUNNING, error);
}

enum status history_store_put_step(struct alter_session *session, const struct history_step *step,
                                   struct error *error)
{
    char key[STORE_KEY_BYTES];
    step_prefix(key, step->number);
    size_t length = strlen(key);
    snprintf(key + length, sizeof key - length, "%06" PRIu32, step->step);
    return history_store_replace(session, key, step_object(session, step), step_texts,
                                 step->begun_us, step->ended_us, step->state == HISTORY_STEP_DONE,
                                 error);
}
