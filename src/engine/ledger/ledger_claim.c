/* Leading a run: the claim, its renewal, the status, and giving it back. */
#include "engine/ledger/ledger_internal.h"

#include "base/failpoint.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/common/lease.h"
#include "engine/ledger/json_text.h"
#include "model/json_tree.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the leader's record */

struct leader {
    uint64_t epoch;
    const char *holder; /* its text; NULL: nobody has the claim */
    uint64_t version;
};

/* STATUS_END: there is no such run. */
static enum status read_leader(struct ledger *ledger, const char *run_id, struct arena *arena,
                               struct leader *leader, struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct store_value value;
    json_t *object;
    ledger_key(key, run_id, "/leader");
    enum status status = ledger_get(ledger, key, arena, &value, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (ledger_parse(ledger, key, value.text, value.length, &object, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *holder = json_member_text(object, "holder", NULL);
    *leader = (struct leader){.epoch = (uint64_t)json_member_integer(object, "epoch", 0),
                              .holder = holder == NULL ? NULL : arena_copy_string(arena, holder),
                              .version = value.version};
    json_decref(object);
    return STATUS_OK;
}

const char *ledger_holder_text(uint64_t epoch, const char *holder, struct arena *arena)
{
    json_t *object = ledger_object();
    json_object_set_new(object, "epoch", json_integer((json_int_t)epoch));
    if (holder != NULL) {
        json_object_set_new(object, "holder", json_text(holder));
    }
    return ledger_text(object, arena);
}

static bool is_same(const struct ledger_holder *left, const struct ledger_holder *right)
{
    return left->pid == right->pid && left->started == right->started &&
           left->since_us == right->since_us && left->renewals == right->renewals &&
           strcmp(left->host, right->host) == 0;
}

/* STATUS_OK: the claim may be taken as of leader->version. */
static enum status ledger_claim_judge(const struct ledger *ledger, uint64_t old_epoch,
                                      const struct ledger_holder *replaces,
                                      const struct leader *leader, struct ledger_holder *found,
                                      struct error *error)
{
    if (leader->holder != NULL && ledger->lock == NULL) {
        if (ledger_holder_read(leader->holder, found, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        found->renewals = leader->version;
        if (replaces == NULL || !is_same(replaces, found)) {
            return STATUS_AGAIN;
        }
    }
    if (leader->epoch != old_epoch) {
        *found = (struct ledger_holder){0};
        snprintf(found->name, sizeof(found->name), "attempt %" PRIu64, leader->epoch);
        return STATUS_AGAIN;
    }
    return STATUS_OK;
}

/* ---- taking it */

static void forget_claim(struct ledger *ledger)
{
    free(ledger->run_id);
    free(ledger->leader_text);
    ledger->run_id = NULL;
    ledger->leader_text = NULL;
    lease_end(ledger->target);
}

static void remember(struct ledger *ledger, const char *run_id, uint64_t epoch, const char *text,
                     uint64_t version)
{
    char *id = memory_copy_string(run_id);
    forget_claim(ledger);
    ledger->run_id = id;
    ledger->epoch = epoch;
    ledger->leader_text = memory_copy_string(text);
    ledger->leader_version = version;
}

static enum status ledger_claim_take(struct ledger *ledger, const char *run_id,
                                     const struct leader *leader, struct arena *arena,
                                     struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct ledger_holder own;
    const char *holder;
    uint64_t version = 0;
    ledger_holder_self(ledger->lock == NULL ? ledger->target->lease_ms : 0, &own);
    if (ledger_holder_write(&own, arena, &holder, error) != STATUS_OK ||
        failpoint_hit("ledger.before_claim", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    ledger_key(key, run_id, "/leader");
    const char *text = ledger_holder_text(leader->epoch + 1, holder, arena);
    int64_t sent_ms = lease_clock_ms();
    enum status status =
        ledger_put(ledger, ledger->store, key, text, leader->version, &version, error);
    if (status == STATUS_OK) {
        remember(ledger, run_id, leader->epoch + 1, text, version);
        lease_extend(ledger->target, sent_ms);
    }
    return status;
}

/* Written again as it is, which makes a late write of the former leader fail. */
static enum status renew_status(struct ledger *ledger, const char *run_id, struct error *error)
{
    enum { TRIES_MAX = 5 };
    char key[STORE_KEY_BYTES];
    struct store_value value;
    struct arena *arena = arena_create(0);
    enum status status = STATUS_AGAIN;
    ledger_key(key, run_id, "/status");
    for (int i = 0; i < TRIES_MAX && status == STATUS_AGAIN; i++) {
        status = ledger_get(ledger, key, arena, &value, error);
        if (status == STATUS_OK) {
            status = ledger_put(ledger, ledger->store, key, value.text, value.version,
                                &ledger->status_version, error);
        }
    }
    arena_destroy(arena);
    return status == STATUS_END     ? ledger_damaged(ledger, "a run's status is missing", error)
           : status == STATUS_AGAIN ? ledger_fenced(run_id, error)
                                    : status;
}

static enum status take_scopes(struct ledger *ledger, const char *run_id, struct arena *arena,
                               struct error *error)
{
    const char **tables;
    uint32_t count;
    const char *other = NULL;
    const char *table = NULL;
    enum status status = ledger_read_tables(ledger, run_id, arena, &tables, &count, error);
    if (status == STATUS_OK) {
        status = ledger_take_scopes(ledger, run_id, tables, count, arena, &other, &table, error);
    }
    if (status == STATUS_AGAIN) {
        error_set(error, ERROR_RUN_HELD, run_id, "run %s, which is not finished, writes table %s",
                  other, table);
        error_hint(error, "resume that run or roll it back first");
        return STATUS_FAILED;
    }
    return status == STATUS_END ? ledger_damaged(ledger, "a run's head is missing", error) : status;
}

/* ---- telling the target */

struct mark_visit {
    size_t prefix_length;
    run_mark_visit *visit;
    void *context;
};

static enum status visit_mark(void *context, const char *key, const struct store_value *value,
                              struct error *error)
{
    const struct mark_visit *marks = context;
    const char *digits = key + marks->prefix_length;
    struct buffer extra = {0};
    uint64_t chunk = 0;
    json_t *mark;
    if (text_to_uint64(digits, strlen(digits), &chunk) != STATUS_OK) {
        return error_set(error, ERROR_LEDGER_INVALID, key, "a done mark has no number");
    }
    if (json_tree_parse(value->text, value->length, 0, key, ERROR_LEDGER_INVALID, &mark, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    const json_t *object = json_object_get(mark, "target");
    if (object != NULL) {
        (void)json_tree_append(object, JSON_COMPACT, &extra);
    }
    enum status status = marks->visit(
        marks->context, chunk, object == NULL ? NULL : buffer_string(&extra), extra.length, error);
    buffer_free(&extra);
    json_decref(mark);
    return status;
}

static enum status visit_marks(const struct run_claim *claim, run_mark_visit *visit, void *context,
                               struct error *error)
{
    char prefix[STORE_KEY_BYTES];
    const struct ledger *ledger = claim->marks;
    struct mark_visit marks = {.visit = visit, .context = context};
    ledger_key(prefix, claim->run_id, "/done/");
    marks.prefix_length = strlen(prefix);
    return ledger->functions->scan(ledger->store, prefix, visit_mark, &marks, error);
}

static enum status tell_target(struct ledger *ledger, bool took_over, struct error *error)
{
    char key[STORE_KEY_BYTES];
    const struct target_functions *target = ledger->target->connector->target;
    bool here = ledger->home == ledger->target && ledger->memory == NULL;
    ledger_key(key, ledger->run_id, "/leader");
    const struct run_claim claim = {.run_id = ledger->run_id,
                                    .epoch = ledger->epoch,
                                    .guard_key = here ? key : NULL,
                                    .guard_version = ledger->leader_version,
                                    .home = ledger->home,
                                    .took_over = took_over,
                                    .visit_marks = visit_marks,
                                    .marks = ledger};
    return target->claimed == NULL ? STATUS_OK : target->claimed(ledger->target, &claim, error);
}

static void give_lock_back(struct ledger *ledger, const char *run_id)
{
    bool held = ledger->run_id != NULL && strcmp(ledger->run_id, run_id) == 0;
    if (ledger->lock != NULL && !held) {
        ledger->lock->give_back(ledger->target, run_id);
    }
}

static enum status look_and_take(struct ledger *ledger, const char *run_id, uint64_t old_epoch,
                                 const struct ledger_holder *replaces, struct ledger_holder *found,
                                 struct error *error)
{
    struct leader leader;
    struct arena *arena = arena_create(0);
    enum status status = read_leader(ledger, run_id, arena, &leader, error);
    if (status == STATUS_END) {
        status =
            error_set(error, ERROR_LEDGER_INVALID, run_id, "the ledger does not know this run");
    }
    if (status == STATUS_OK) {
        status = ledger_claim_judge(ledger, old_epoch, replaces, &leader, found, error);
    }
    if (status == STATUS_OK) {
        status = ledger_claim_take(ledger, run_id, &leader, arena, error);
        if (status == STATUS_AGAIN) { /* somebody was quicker */
            status = read_leader(ledger, run_id, arena, &leader, error);
            status = status == STATUS_OK
                         ? ledger_claim_judge(ledger, old_epoch, NULL, &leader, found, error)
                         : status;
            status = status == STATUS_FAILED ? status : STATUS_AGAIN;
        } else if (status == STATUS_OK &&
                   (take_scopes(ledger, run_id, arena, error) != STATUS_OK ||
                    renew_status(ledger, run_id, error) != STATUS_OK ||
                    tell_target(ledger, replaces != NULL, error) != STATUS_OK)) {
            struct error ignored;
            (void)!ledger_release(ledger, run_id, ledger->epoch, &ignored);
            status = STATUS_FAILED;
        }
    }
    arena_destroy(arena);
    return status;
}

/* A lock may not say who has it. */
static void name_holder(struct ledger *ledger, const char *run_id, struct ledger_holder *found)
{
    struct error ignored;
    struct leader leader;
    struct arena *arena = arena_create(0);
    if (read_leader(ledger, run_id, arena, &leader, &ignored) == STATUS_OK &&
        leader.holder != NULL) {
        (void)!ledger_holder_read(leader.holder, found, &ignored);
    }
    arena_destroy(arena);
}

enum status ledger_lead(struct ledger *ledger, const char *run_id, uint64_t old_epoch,
                        const struct ledger_holder *replaces, struct ledger_holder *found,
                        struct error *error)
{
    struct ledger_holder before = replaces != NULL ? *replaces : (struct ledger_holder){0};
    *found = (struct ledger_holder){0};
    if (ledger->lock != NULL) {
        enum status status =
            ledger->lock->take(ledger->target, run_id, old_epoch, replaces != NULL, found, error);
        if (status == STATUS_AGAIN && found->name[0] == '\0') {
            name_holder(ledger, run_id, found);
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    enum status status =
        look_and_take(ledger, run_id, old_epoch, replaces != NULL ? &before : NULL, found, error);
    if (status != STATUS_OK) {
        give_lock_back(ledger, run_id);
        return status;
    }
    return failpoint_hit("ledger.after_claim", error);
}

/* ---- keeping it */

enum status ledger_renew(struct ledger *ledger, struct error *error)
{
    char key[STORE_KEY_BYTES];
    uint64_t version = 0;
    if (ledger->renewing == NULL &&
        ledger->functions->open(ledger->home, &ledger->renewing, error) != STATUS_OK) {
        ledger->renewing = NULL;
        return STATUS_FAILED;
    }
    if (failpoint_hit("ledger.before_renew", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    ledger_key(key, ledger->run_id, "/leader");
    pthread_mutex_lock(&ledger->mutex);
    uint64_t expected = ledger->leader_version;
    pthread_mutex_unlock(&ledger->mutex);
    int64_t sent_ms = lease_clock_ms();
    enum status status =
        ledger_put(ledger, ledger->renewing, key, ledger->leader_text, expected, &version, error);
    if (status == STATUS_AGAIN) {
        lease_end(ledger->target);
        return ledger_fenced(ledger->run_id, error);
    }
    if (status == STATUS_OK) {
        pthread_mutex_lock(&ledger->mutex);
        ledger->leader_version = version;
        pthread_mutex_unlock(&ledger->mutex);
        lease_extend(ledger->target, sent_ms);
    }
    return status;
}

static bool is_ours(const struct ledger *ledger, const char *run_id, uint64_t epoch)
{
    return ledger->run_id != NULL && strcmp(ledger->run_id, run_id) == 0 && ledger->epoch == epoch;
}

enum status ledger_set_status(struct ledger *ledger, const char *run_id, uint64_t epoch,
                              const char *text, struct error *error)
{
    char key[STORE_KEY_BYTES];
    if (!is_ours(ledger, run_id, epoch)) {
        return ledger_fenced(run_id, error);
    }
    if (failpoint_hit("ledger.before_status", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    ledger_key(key, run_id, "/status");
    enum status status = ledger_put(ledger, ledger->store, key, text, ledger->status_version,
                                    &ledger->status_version, error);
    return status == STATUS_AGAIN ? ledger_fenced(run_id, error)
           : status == STATUS_OK  ? failpoint_hit("ledger.after_status", error)
                                  : status;
}

void ledger_end_claim(struct ledger *ledger, const char *run_id)
{
    const struct target_functions *target = ledger->target->connector->target;
    if (target->released != NULL) {
        target->released(ledger->target);
    }
    forget_claim(ledger);
    give_lock_back(ledger, run_id);
}

enum status ledger_release(struct ledger *ledger, const char *run_id, uint64_t epoch,
                           struct error *error)
{
    char key[STORE_KEY_BYTES];
    if (!is_ours(ledger, run_id, epoch)) {
        return STATUS_OK;
    }
    enum status status = failpoint_hit("ledger.before_release", error);
    if (status == STATUS_OK && ledger->lock == NULL) { /* a lock is given back without a word */
        struct arena *arena = arena_create(1024);
        ledger_key(key, run_id, "/leader");
        status = ledger_put(ledger, ledger->store, key, ledger_holder_text(epoch, NULL, arena),
                            ledger->leader_version, NULL, error);
        arena_destroy(arena);
    }
    if (status == STATUS_FAILED && ledger->lock == NULL) {
        return status;
    }
    ledger_end_claim(ledger, run_id);
    return status == STATUS_FAILED ? status : STATUS_OK; /* AGAIN: it is another's already */
}

/* ---- done marks */

void ledger_mark_key(char *key, const char *run_id, uint64_t chunk)
{
    ledger_key(key, run_id, "/done/%010" PRIu64, chunk);
}

/* The engine's text with the target's own object as its last member. */
static const char *mark_text(const struct done_mark *mark, struct arena *arena)
{
    size_t length = strlen(mark->text);
    if (mark->extra == NULL || buffer_is_empty(mark->extra)) {
        return mark->text;
    }
    return arena_format(arena, "%.*s%s\"target\":%s}", (int)length - 1, mark->text,
                        length > strlen("{}") ? "," : "", buffer_string(mark->extra));
}

/* A mark that an earlier attempt made late is as true as ours, but counted by nobody: ours replaces
 * it. STATUS_AGAIN: it is not an earlier one's. */
static enum status replace_mark(struct ledger *ledger, struct store *store, const char *key,
                                const char *text, uint64_t own_epoch, struct error *error)
{
    struct store_value value;
    struct arena *arena = arena_create(1024);
    json_t *object = NULL;
    enum status status = ledger->functions->get(store, key, arena, &value, error);
    if (status == STATUS_OK) {
        status =
            json_tree_parse(value.text, value.length, 0, key, ERROR_LEDGER_INVALID, &object, error);
    }
    if (status == STATUS_OK) {
        int64_t epoch = json_member_integer(object, "epoch", INT64_MAX);
        status = epoch < (int64_t)own_epoch
                     ? ledger_put(ledger, store, key, text, value.version, NULL, error)
                     : STATUS_AGAIN;
    }
    json_decref(object);
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_AGAIN : status;
}

enum status ledger_mark(struct ledger *ledger, struct store *store, const char *run_id,
                        const struct done_mark *mark, struct error *error)
{
    char key[STORE_KEY_BYTES];
    ledger_mark_key(key, run_id, mark->chunk);
    if (failpoint_hit("ledger.before_mark", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct arena *arena = arena_create(1024);
    const char *text = mark_text(mark, arena);
    enum status status = ledger_put(ledger, store, key, text, STORE_ABSENT, NULL, error);
    if (status == STATUS_AGAIN) {
        status = replace_mark(ledger, store, key, text, mark->epoch, error);
    }
    arena_destroy(arena);
    if (status == STATUS_AGAIN) {
        return error_set(error, ERROR_RUN_FENCED, run_id,
                         "another process marked chunk %" PRIu64 " as done", mark->chunk);
    }
    return status == STATUS_OK ? failpoint_hit("ledger.after_mark", error) : status;
}

enum status ledger_done(struct ledger *ledger, const char *run_id, uint64_t chunk,
                        struct arena *arena, struct done_mark *mark, struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct store_value value;
    ledger_mark_key(key, run_id, chunk);
    enum status status =
        ledger->functions->get_settled != NULL
            ? ledger->functions->get_settled(ledger->store, key, arena, &value, error)
            : ledger_get(ledger, key, arena, &value, error);
    if (status == STATUS_OK) {
        *mark = (struct done_mark){.chunk = chunk, .text = value.text};
    }
    return status;
}

/* Nobody took the claim over: the status is as this process wrote it. */
static enum status check_claim(struct ledger *ledger, const char *run_id, struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct store_value value;
    struct arena *arena = arena_create(0);
    ledger_key(key, run_id, "/status");
    enum status status = ledger_get(ledger, key, arena, &value, error);
    if (status == STATUS_END || (status == STATUS_OK && value.version != ledger->status_version)) {
        status = ledger_fenced(run_id, error);
    }
    arena_destroy(arena);
    return status;
}

enum status ledger_reopen(struct ledger *ledger, const char *run_id, uint64_t epoch,
                          const uint64_t *chunks, uint64_t chunk_count,
                          const struct target_table *const *tables_to_empty, uint32_t table_count,
                          struct error *error)
{
    if (!is_ours(ledger, run_id, epoch)) {
        return ledger_fenced(run_id, error);
    }
    enum status status = check_claim(ledger, run_id, error);
    if (status == STATUS_OK && table_count > 0) {
        status = ledger->target->connector->target->empty(ledger->target, tables_to_empty,
                                                          table_count, error);
    }
    if (status == STATUS_OK && table_count > 0) {
        status = failpoint_hit("ledger.after_empty", error);
    }
    for (uint64_t i = 0; i < chunk_count && status == STATUS_OK; i++) {
        char key[STORE_KEY_BYTES];
        ledger_mark_key(key, run_id, chunks[i]);
        status = failpoint_hit("ledger.before_reopen", error);
        if (status == STATUS_OK) {
            status = lease_check(ledger->target, 0, error);
        }
        if (status == STATUS_OK) {
            status = ledger->functions->delete_if(ledger->store, key, STORE_ANY_VERSION, error);
        }
    }
    return status == STATUS_OK ? failpoint_hit("ledger.after_reopen", error) : status;
}
