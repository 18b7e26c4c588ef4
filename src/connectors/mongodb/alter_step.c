/*
 * A step as text, as alter.h has it, and sending it. The command goes over the patient connection
 * on a thread of its own, so that the session renews its lease however long the server works.
 */
#include "connectors/mongodb/alter.h"

#include "base/text.h"
#include "connectors/common/lease.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TICK_MS = 200, NAME_BYTES = 512 };

/* ---------------------------------------------------------------- reading */

static enum status alter_step_refuse(const char *why, struct error *error)
{
    error_set(error, ERROR_TARGET_WRITE, NULL, "%s", why);
    return error_hint(error, "A step is a command, {\"createIndexes\": \"users\", \"indexes\": "
                             "[…]}, as the server takes it.");
}

/* "Got parse error at \"x\", position 5: …" */
static size_t place_of(const char *words, size_t length)
{
    const char *found = strstr(words, "position ");
    unsigned long at = 0;
    return found != NULL && sscanf(found, "position %lu", &at) == 1 && at < length ? at : SIZE_MAX;
}

static enum status read_json(const char *text, size_t length, bson_t *document, size_t *fault,
                             struct error *error)
{
    bson_error_t why = {0};
    bson_t *read = mongodb_json_read(text, length, &why);
    if (read == NULL) {
        *fault = place_of(why.message, length);
        error_set(error, ERROR_TARGET_WRITE, NULL, "it is no JSON: %s", why.message);
        return STATUS_FAILED;
    }
    bson_copy_to(read, document);
    bson_destroy(read);
    return STATUS_OK;
}

/* The settings that {"command": …} has beside it. */
static bool read_settings(const bson_t *document, struct mongodb_step *step)
{
    bson_iter_t at;
    bson_iter_t item;
    const char *asks = mongodb_text(document, "asks");
    if (asks != NULL) {
        step->question = strcmp(asks, "any") == 0    ? MONGODB_ASKS_ANY
                         : strcmp(asks, "none") == 0 ? MONGODB_ASKS_NONE
                                                     : MONGODB_ASKS_VALUE;
    }
    bool known = asks == NULL || step->question != MONGODB_ASKS_VALUE;
    if (bson_iter_init_find(&at, document, "ignore")) {
        known = known && BSON_ITER_HOLDS_ARRAY(&at) && bson_iter_recurse(&at, &item);
        while (known && bson_iter_next(&item)) {
            known = step->ignored_count < sizeof(step->ignored) / sizeof(*step->ignored) &&
                    BSON_ITER_HOLDS_INT(&item);
            if (known) {
                step->ignored[step->ignored_count++] = bson_iter_as_int64(&item);
            }
        }
    }
    return known && bson_iter_init(&at, document) && bson_iter_next(&at) &&
           strcmp(bson_iter_key(&at), "command") == 0 && BSON_ITER_HOLDS_DOCUMENT(&at);
}

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        found = found || strcmp(names[i], name) == 0;
    }
    return found;
}

/* Is the command one of those that take a write concern? */
static bool writes(const char *name)
{
    static const char *const names[] = {
        "insert", "update", "delete",  "findAndModify", "createIndexes",
        "create", "drop",   "collMod", "dropIndexes",   "renameCollection"};
    return is_one_of(name, names, sizeof(names) / sizeof(*names));
}

static bool is_harmless(const char *name)
{
    static const char *const names[] = {"find",      "count",     "listCollections", "listIndexes",
                                        "collStats", "aggregate", "distinct",        "dbStats"};
    return is_one_of(name, names, sizeof(names) / sizeof(*names));
}

/* Has its pipeline a stage that writes what it finds? */
static bool has_writing_stage(const bson_t *command)
{
    bson_iter_t list;
    bson_iter_t at;
    bson_iter_t stage;
    bool found = false;
    bool listed = bson_iter_init_find(&list, command, "pipeline") && bson_iter_recurse(&list, &at);
    while (listed && !found && bson_iter_next(&at)) {
        found = bson_iter_recurse(&at, &stage) && bson_iter_next(&stage) &&
                (strcmp(bson_iter_key(&stage), "$out") == 0 ||
                 strcmp(bson_iter_key(&stage), "$merge") == 0);
    }
    return found;
}

bool mongodb_step_writes(const struct mongodb_step *step)
{
    static const char *const others[] = {"findandmodify", "dropDatabase", "mapReduce", "bulkWrite"};
    return writes(step->name) || is_one_of(step->name, others, sizeof(others) / sizeof(*others)) ||
           has_writing_stage(&step->command);
}

/* The name with its database in front. */
static void complete_name(const struct mongodb_database *self, const char *name, char *whole)
{
    size_t length = strlen(self->name);
    bool is_whole = strncmp(name, self->name, length) == 0 && name[length] == '.';
    snprintf(whole, NAME_BYTES, "%s%s%.300s", is_whole ? "" : self->name, is_whole ? "" : ".",
             name);
}

static void append_rename(const struct mongodb_database *self, bson_iter_t *at, bson_t *command)
{
    char whole[NAME_BYTES];
    const char *key = bson_iter_key(at);
    bool names = strcmp(key, "renameCollection") == 0 || strcmp(key, "to") == 0;
    if (names && BSON_ITER_HOLDS_UTF8(at)) {
        complete_name(self, bson_iter_utf8(at, NULL), whole);
        (void)bson_append_utf8(command, key, -1, whole, -1);
    } else {
        (void)bson_append_iter(command, NULL, 0, at);
    }
}

static void append_concern(bson_t *command)
{
    bson_t concern;
    (void)bson_append_document_begin(command, "writeConcern", -1, &concern);
    (void)bson_append_utf8(&concern, "w", -1, "majority", -1);
    (void)bson_append_document_end(command, &concern);
}

/* The command as it is sent. */
static void complete(const struct mongodb_database *self, const bson_t *said,
                     struct mongodb_step *step)
{
    bson_iter_t at;
    bson_init(&step->command);
    (void)bson_iter_init(&at, said);
    while (bson_iter_next(&at)) {
        if (step->admin) {
            append_rename(self, &at, &step->command);
        } else {
            (void)bson_append_iter(&step->command, NULL, 0, &at);
        }
    }
    (void)bson_iter_init(&at, &step->command);
    (void)bson_iter_next(&at);
    step->name = bson_iter_key(&at);
    step->object = BSON_ITER_HOLDS_UTF8(&at) ? bson_iter_utf8(&at, NULL) : NULL;
    if (writes(step->name) && !bson_has_field(said, "writeConcern")) {
        append_concern(&step->command);
        (void)bson_iter_init(&at, &step->command); /* the bytes may have moved */
        (void)bson_iter_next(&at);
        step->name = bson_iter_key(&at);
        step->object = step->object != NULL ? bson_iter_utf8(&at, NULL) : NULL;
    }
}

static enum status read_command(const struct mongodb_database *self, const bson_t *said,
                                struct mongodb_step *step, struct error *error)
{
    bson_iter_t at;
    if (!bson_iter_init(&at, said) || !bson_iter_next(&at)) {
        return alter_step_refuse("the step names no command", error);
    }
    step->admin = strcmp(bson_iter_key(&at), "renameCollection") == 0;
    complete(self, said, step);
    return STATUS_OK;
}

enum status mongodb_step_read(const struct mongodb_database *self, const char *text, size_t length,
                              struct mongodb_step *step, size_t *fault, struct error *error)
{
    bson_t document;
    bson_t inner;
    bson_iter_t at;
    size_t place = SIZE_MAX;
    *step = (struct mongodb_step){.question = MONGODB_ASKS_VALUE};
    enum status status = read_json(text, length, &document, &place, error);
    if (fault != NULL) {
        *fault = place;
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (!bson_has_field(&document, "command")) {
        status = read_command(self, &document, step, error);
    } else if (!read_settings(&document, step)) {
        status = alter_step_refuse(
            "beside \"command\" stand \"ignore\", a list of codes, and \"asks\", any "
            "or none",
            error);
    } else {
        uint32_t bytes = 0;
        const uint8_t *data = NULL;
        (void)bson_iter_init_find(&at, &document, "command");
        bson_iter_document(&at, &bytes, &data);
        status = bson_init_static(&inner, data, bytes)
                     ? read_command(self, &inner, step, error)
                     : alter_step_refuse("the command is damaged", error);
    }
    bson_destroy(&document);
    return status;
}

void mongodb_step_free(struct mongodb_step *step)
{
    bson_destroy(&step->command);
}

/* ---------------------------------------------------------------- waiting for the server */

/* One command on its thread. The caller's until the thread was joined. */
struct sending {
    struct mongodb_database *mongodb;
    const char *database;
    const bson_t *command;
    bson_t *reply;
    bson_error_t why;
    bool answered; /* with the server's own words, be they an error's */
    bool over;     /* with the mutex */
    pthread_mutex_t mutex;
    pthread_cond_t ended;
};

static void *send_thread(void *context)
{
    struct sending *sending = context;
    struct mongodb_database *mongodb = sending->mongodb;
    pthread_mutex_lock(&mongodb->keyed.control_mutex);
    sending->answered =
        mongoc_client_command_with_opts(mongodb->patient, sending->database, sending->command, NULL,
                                        NULL, sending->reply, &sending->why);
    pthread_mutex_unlock(&mongodb->keyed.control_mutex);
    pthread_mutex_lock(&sending->mutex);
    sending->over = true;
    pthread_cond_signal(&sending->ended);
    pthread_mutex_unlock(&sending->mutex);
    return NULL;
}

/* Waits for a moment; true: it is over. */
static bool await_tick(struct sending *sending)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&sending->mutex);
    int code = 0;
    while (!sending->over && code != ETIMEDOUT) {
        code = pthread_cond_timedwait(&sending->ended, &sending->mutex, &until);
    }
    bool over = sending->over;
    pthread_mutex_unlock(&sending->mutex);
    return over;
}

/* A lease that was lost meanwhile is told behind the command's end. */
static enum status send_and_wait(struct alter_session *session, struct sending *sending,
                                 const struct alter_request *request, struct error *error)
{
    pthread_t thread;
    enum status status = STATUS_OK;
    pthread_mutex_init(&sending->mutex, NULL);
    pthread_cond_init(&sending->ended, NULL);
    int code = pthread_create(&thread, NULL, send_thread, sending);
    if (code != 0) {
        status = error_set_errno(error, ERROR_INTERNAL, code, NULL, "no thread can be made");
    } else {
        while (!await_tick(sending)) {
            status = status == STATUS_OK ? history_store_keep(session, error) : status;
            if (request != NULL && request->progress != NULL) {
                request->progress(request->context, -1, NULL);
            }
        }
        (void)pthread_join(thread, NULL);
    }
    pthread_cond_destroy(&sending->ended);
    pthread_mutex_destroy(&sending->mutex);
    return status;
}

/* ---------------------------------------------------------------- what the server says */

static bool is_ignored(const struct mongodb_step *step, int64_t code)
{
    bool found = false;
    for (uint32_t i = 0; i < step->ignored_count; i++) {
        found = found || step->ignored[i] == code;
    }
    return found;
}

static bool tells_of_writes(const bson_t *reply)
{
    return bson_has_field(reply, "writeErrors") || bson_has_field(reply, "writeConcernError");
}

/* The first error of a single write, in place of which mongodb_write_outcome only says that a key
 * was there. */
static enum status fail_duplicate(const struct mongodb_database *self, const bson_t *reply,
                                  const char *object, struct error *error)
{
    bson_iter_t list;
    bson_iter_t at;
    const char *words = "a document with this key is there already";
    if (bson_iter_init(&list, reply) &&
        bson_iter_find_descendant(&list, "writeErrors.0.errmsg", &at) &&
        BSON_ITER_HOLDS_UTF8(&at)) {
        words = bson_iter_utf8(&at, NULL);
    }
    return mongodb_failure_of_code(self, MONGODB_DUPLICATE_KEY, words, object, error);
}

static enum status alter_step_judge(const struct mongodb_database *self,
                                    const struct mongodb_step *step, const struct sending *sending,
                                    struct error *error)
{
    enum status status = STATUS_OK;
    if (!sending->answered && !tells_of_writes(sending->reply)) {
        status = mongodb_failure(self, &sending->why, sending->reply, step->object, error);
    } else {
        status = mongodb_write_outcome(self, sending->reply, step->object, error);
        status = status == STATUS_AGAIN ? fail_duplicate(self, sending->reply, step->object, error)
                                        : status;
    }
    if (status == STATUS_OK || is_ignored(step, error->native_code)) {
        error_clear(error);
        return STATUS_OK;
    }
    if (error->native_code == MONGODB_TIME_IS_UP) {
        return error_recode(error, ERROR_TARGET_WRITE);
    }
    if (error->code == ERROR_NETWORK && !is_harmless(step->name)) {
        char words[sizeof(error->message)];
        memcpy(words, error->message, sizeof(words));
        return error_set(error, ERROR_TARGET_UNKNOWN_OUTCOME, step->object,
                         "it is not known whether %s was carried out: %.500s", step->name, words);
    }
    return STATUS_FAILED;
}

static enum status check_lease(struct alter_session *session, struct error *error)
{
    enum status status = history_store_keep(session, error);
    return status == STATUS_OK && session->held
               ? lease_check(session->database,
                             mongodb_of(session->database)->keyed.room.timeout_ms, error)
               : status;
}

enum status mongodb_step_send(struct alter_session *session, const struct mongodb_step *step,
                              const struct alter_request *request, bson_t *reply,
                              struct error *error)
{
    struct mongodb_database *self = mongodb_of(session->database);
    bson_t limited;
    if (check_lease(session, error) != STATUS_OK) { /* a process that slept must not send it */
        bson_init(reply);
        return STATUS_FAILED;
    }
    bson_copy_to(&step->command, &limited);
    if (request != NULL && request->time_ms > 0 && !bson_has_field(&limited, "maxTimeMS")) {
        (void)bson_append_int64(&limited, "maxTimeMS", -1, request->time_ms);
    }
    struct sending sending = {.mongodb = self,
                              .database = step->admin ? "admin" : self->name,
                              .command = &limited,
                              .reply = reply};
    struct error lost = {0};
    bson_init(reply);
    enum status kept = send_and_wait(session, &sending, request, &lost);
    enum status status =
        sending.over ? alter_step_judge(self, step, &sending, error) : error_copy(error, &lost);
    bson_destroy(&limited);
    return status == STATUS_OK && kept != STATUS_OK ? error_copy(error, &lost) : status;
}

enum status mongodb_step_run(struct alter_session *session, const char *text, bson_t *reply,
                             struct error *error)
{
    struct mongodb_step step;
    if (mongodb_step_read(mongodb_of(session->database), text, strlen(text), &step, NULL, error) !=
        STATUS_OK) {
        bson_init(reply);
        return STATUS_FAILED;
    }
    enum status status = mongodb_step_send(session, &step, NULL, reply, error);
    mongodb_step_free(&step);
    return status;
}

/* ---------------------------------------------------------------- answers */

bool mongodb_first_document(const bson_t *reply, bson_iter_t *at)
{
    bson_iter_t list;
    return bson_iter_init(&list, reply) &&
           bson_iter_find_descendant(&list, "cursor.firstBatch.0", at) &&
           BSON_ITER_HOLDS_DOCUMENT(at);
}

const char *mongodb_value_text(const bson_iter_t *at, struct arena *arena)
{
    bson_t one = BSON_INITIALIZER;
    size_t length = 0;
    const char *text = NULL;
    if (BSON_ITER_HOLDS_NULL(at)) {
        return NULL;
    }
    if (BSON_ITER_HOLDS_UTF8(at)) {
        return arena_copy_string(arena, bson_iter_utf8(at, NULL));
    }
    if (BSON_ITER_HOLDS_BOOL(at)) {
        return bson_iter_bool(at) ? "true" : "false";
    }
    if (BSON_ITER_HOLDS_INT(at)) {
        return arena_format(arena, "%lld", (long long)bson_iter_as_int64(at));
    }
    (void)bson_append_iter(&one, "v", 1, at);
    char *json = bson_as_relaxed_extended_json(&one, &length); /* { "v" : … } */
    const char *colon = json != NULL ? strchr(json, ':') : NULL;
    if (colon != NULL && length > 2 && colon[1] == ' ') {
        const char *begin = colon + 2;
        text = arena_copy(arena, begin, (size_t)(json + length - 2 - begin));
    }
    bson_free(json);
    bson_destroy(&one);
    return text;
}

/* The first value of a document; that of _id only where there is no other. */
static const char *first_value(const bson_iter_t *document, struct arena *arena)
{
    bson_iter_t field;
    bson_iter_t id;
    bool has_id = false;
    if (!bson_iter_recurse(document, &field)) {
        return NULL;
    }
    while (bson_iter_next(&field)) {
        if (strcmp(bson_iter_key(&field), MONGODB_ID) != 0) {
            return mongodb_value_text(&field, arena);
        }
        id = field;
        has_id = true;
    }
    return has_id ? mongodb_value_text(&id, arena) : NULL;
}

const char *mongodb_step_answer(const struct mongodb_step *step, const bson_t *reply,
                                struct arena *arena)
{
    bson_iter_t at;
    bool found = mongodb_first_document(reply, &at);
    if (step->question != MONGODB_ASKS_VALUE) {
        return found == (step->question == MONGODB_ASKS_ANY) ? "true" : "false";
    }
    if (found) {
        return first_value(&at, arena);
    }
    if (bson_has_field(reply, "cursor")) {
        return NULL;
    }
    if (bson_iter_init_find(&at, reply, "n")) {
        return mongodb_value_text(&at, arena);
    }
    char *json = bson_as_relaxed_extended_json(reply, NULL);
    const char *text = json != NULL ? arena_copy_string(arena, json) : NULL;
    bson_free(json);
    return text;
}
