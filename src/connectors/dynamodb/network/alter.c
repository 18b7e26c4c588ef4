/*
 * Changing the schema of an account's tables: each step is one call of the API as JSON,
 * {"operation": "UpdateTable", "input": {…}}, and ends when the table and its indexes are ACTIVE,
 * or gone. The history and the lease are a store of their own, the table _transhume_schema.
 */
#include "connectors/dynamodb/network/target.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "connectors/common/history_store.h"
#include "connectors/common/lease.h"
#include "connectors/dynamodb/network/body.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An index that is not to be seen for so long will not come: some emulators make none. */
enum { WAIT_FIRST_MS = 50, WAIT_MAX_MS = 2000, IDLE_MAX_MS = 30000, OPERATION_BYTES = 48 };

/* ---------------------------------------------------------------- sessions */

static enum status alter_open(struct database *database, const struct alter_open *options,
                              struct alter_session **opened, struct error *error)
{
    struct alter_session *session = memory_allocate_zeroed(1, sizeof(*session));
    struct store *store = NULL;
    *opened = NULL;
    if (options->history_schema != NULL) {
        free(session);
        error_set(error, ERROR_USAGE, options->history_schema,
                  "DynamoDB has no schemas that the history could be kept in");
        return error_hint(error, "leave --history-schema out");
    }
    if (dynamodb_store_open_in(database, HISTORY_TABLE, &store, error) != STATUS_OK) {
        free(session);
        return STATUS_FAILED;
    }
    history_store_open(session, database, store, &dynamodb_network_store);
    session->before_failpoint = "dynamodb.before_history";
    session->after_failpoint = "dynamodb.after_history";
    *opened = session;
    return STATUS_OK;
}

static void alter_close(struct alter_session *session)
{
    if (session != NULL) {
        history_store_close(session);
        free(session);
    }
}

/* ---------------------------------------------------------------- steps */

struct step {
    json_t *root;
    char operation[OPERATION_BYTES];
    const json_t *input;
    const char *table; /* NULL: it names none */
};

static enum status alter_refuse(const char *why, struct error *error)
{
    error_set(error, ERROR_TARGET_WRITE, NULL, "%s", why);
    return error_hint(error, "A step is {\"operation\": \"UpdateTable\", \"input\": {…}}, as the "
                             "API has them.");
}

/* The name alone decides which operation is called. */
static bool is_name(const char *text)
{
    size_t length = 0;
    while (isalpha((unsigned char)text[length]) != 0) {
        length++;
    }
    return length > 0 && text[length] == '\0' && length < OPERATION_BYTES;
}

static enum status read_step(const char *text, size_t length, struct step *step,
                             struct error *error)
{
    json_error_t fault = {0};
    *step = (struct step){.root = json_tree_load(text, length, JSON_REJECT_DUPLICATES, &fault)};
    const char *operation = json_string_value(json_object_get(step->root, "operation"));
    step->input = json_object_get(step->root, "input");
    if (step->root == NULL) {
        error_set(error, ERROR_TARGET_WRITE, NULL, "it is no JSON: %s", fault.text);
        return STATUS_FAILED;
    }
    if (operation == NULL || !is_name(operation) || !json_is_object(step->input)) {
        json_decref(step->root);
        step->root = NULL;
        return alter_refuse("the step names no operation, or has no input", error);
    }
    snprintf(step->operation, sizeof(step->operation), "%s", operation);
    step->table = json_string_value(json_object_get(step->input, "TableName"));
    return STATUS_OK;
}

static bool is(const struct step *step, const char *operation)
{
    return strcmp(step->operation, operation) == 0;
}

static enum status alter_call(struct alter_session *session, const struct step *step,
                              struct service_reply **reply, struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(session->database);
    struct buffer body = {0};
    *reply = NULL;
    if (!json_tree_append(step->input, JSON_COMPACT, &body)) {
        buffer_free(&body);
        return alter_refuse("the step's input can't be written as JSON", error);
    }
    enum status status = history_store_keep(session, error);
    if (status == STATUS_OK && session->held) {
        status = lease_check(session->database, network->keyed.room.timeout_ms, error);
    }
    if (status == STATUS_OK) {
        status = dynamodb_network_call(network, step->operation, step->table, &body, reply, error);
    }
    buffer_free(&body);
    return status;
}

/* ---------------------------------------------------------------- waiting */

/* Is the index there that an UpdateTable makes, or gone that it deletes? Of other updates nothing
 * is known. */
static enum alter_settled settle_indexes(const struct step *step,
                                         const struct dynamodb_description *there)
{
    const json_t *updates = json_object_get(step->input, "GlobalSecondaryIndexUpdates");
    enum alter_settled settled = ALTER_UNKNOWN;
    for (size_t i = 0; i < json_array_size(updates); i++) {
        const json_t *update = json_array_get(updates, i);
        const json_t *create = json_object_get(update, "Create");
        const json_t *delete = json_object_get(update, "Delete");
        const char *name =
            json_string_value(json_object_get(create != NULL ? create : delete, "IndexName"));
        if (name == NULL) {
            return ALTER_UNKNOWN;
        }
        bool found = dynamodb_description_index(there, name) != NULL;
        settled = found == (create != NULL) ? ALTER_APPLIED : ALTER_ABSENT;
    }
    return settled;
}

static void alter_tell(const struct alter_request *request,
                       const struct dynamodb_description *there)
{
    char words[96];
    if (request->progress == NULL) {
        return;
    }
    snprintf(words, sizeof(words), "table is %s", there->status);
    for (uint32_t i = 0; i < there->index_count; i++) {
        if (strcmp(there->indexes[i].status, "ACTIVE") != 0) {
            snprintf(words, sizeof(words), "index %.60s is %s", there->indexes[i].name,
                     there->indexes[i].status);
        }
    }
    request->progress(request->context, -1, words);
}

/* A table that is described may be as it was before the step. */
static bool is_ready(const struct step *step, const struct dynamodb_description *there)
{
    return dynamodb_description_is_active(there) &&
           (!is(step, "UpdateTable") || settle_indexes(step, there) != ALTER_ABSENT);
}

/* Until the table is ACTIVE with all its indexes, or gone. The lease is renewed meanwhile. */
static enum status await_table(struct alter_session *session, const struct step *step, bool goes,
                               const struct alter_request *request, struct error *error)
{
    const char *table = step->table;
    struct dynamodb_network *network = dynamodb_network_of(session->database);
    struct arena *arena = arena_create(0);
    int64_t begun_ms = clock_monotonic_ms();
    int64_t delay_ms = WAIT_FIRST_MS;
    int64_t idle_ms = 0;
    enum status status = STATUS_OK;
    for (bool over = false; status == STATUS_OK && !over;) {
        struct dynamodb_description there = {0};
        arena_reset(arena);
        status = dynamodb_describe(network, table, arena, &there, error);
        bool absent = status == STATUS_END;
        over = goes ? absent : status == STATUS_OK && is_ready(step, &there);
        status = absent ? STATUS_OK : status;
        if (status == STATUS_OK && !over) {
            if (!absent) {
                alter_tell(request, &there);
            }
            status = history_store_keep(session, error);
            bool idle = !absent && !goes && dynamodb_description_is_active(&there);
            idle_ms = idle ? idle_ms + delay_ms : 0;
            if (status == STATUS_OK && idle_ms > IDLE_MAX_MS) {
                status = error_set(error, ERROR_TARGET_WRITE, table,
                                   "the table is ACTIVE, and %s did nothing to its indexes",
                                   step->operation);
            }
            if (status == STATUS_OK && request->time_ms > 0 &&
                clock_monotonic_ms() - begun_ms >= request->time_ms) {
                status = error_set(error, ERROR_TARGET_UNKNOWN_OUTCOME, table,
                                   "it is not ready yet; the command, run again, waits for it");
            }
            clock_sleep_ms(delay_ms);
            delay_ms = delay_ms * 2 < WAIT_MAX_MS ? delay_ms * 2 : WAIT_MAX_MS;
        }
    }
    arena_destroy(arena);
    return status;
}

static enum status await_step(struct alter_session *session, const struct step *step,
                              const struct alter_request *request, struct error *error)
{
    bool goes = is(step, "DeleteTable");
    return step->table != NULL && (goes || is(step, "CreateTable") || is(step, "UpdateTable"))
               ? await_table(session, step, goes, request, error)
               : STATUS_OK;
}

/* ---------------------------------------------------------------- running */

static enum status alter_judge(const struct step *step, struct service_reply *reply,
                               struct alter_answer *answer, struct error *error)
{
    if (reply->fault == DYNAMODB_FAULT_NONE) {
        return STATUS_OK;
    }
    snprintf(answer->state, sizeof(answer->state), "%u", (unsigned)reply->status % 1000000);
    error_copy(error, &reply->error);
    if (reply->unknown_outcome) {
        return error_set(error, ERROR_TARGET_UNKNOWN_OUTCOME, step->table,
                         "it is not known whether %s was carried out: %.500s", step->operation,
                         reply->error.message);
    }
    if (reply->fault == DYNAMODB_FAULT_IN_USE || reply->fault == DYNAMODB_FAULT_LIMIT) {
        return error_recode(error, ERROR_TARGET_LOCKED);
    }
    return reply->fault >= DYNAMODB_FAULT_CONDITION ? error_recode(error, ERROR_TARGET_WRITE)
                                                    : STATUS_FAILED;
}

static enum status run_step(struct alter_session *session, const struct step *step,
                            const struct alter_request *request, struct alter_answer *answer,
                            struct error *error)
{
    struct service_reply *reply = NULL;
    enum status status = alter_call(session, step, &reply, error);
    status = status == STATUS_OK ? alter_judge(step, reply, answer, error) : status;
    service_reply_destroy(reply);
    return status == STATUS_OK ? await_step(session, step, request, error) : status;
}

static enum status alter_run(struct alter_session *session, const struct alter_request *request,
                             struct alter_answer *answer, struct error *error)
{
    struct step step;
    *answer = (struct alter_answer){.fault = SIZE_MAX};
    if (request->language != ALTER_DYNAMODB || request->data != NULL) {
        return error_set(error, ERROR_NOT_IMPLEMENTED, NULL,
                         "DynamoDB takes steps of its own API alone");
    }
    if (read_step(request->text, request->length, &step, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = failpoint_hit("dynamodb.before_alter", error);
    status = status == STATUS_OK ? run_step(session, &step, request, answer, error) : status;
    json_decref(step.root);
    return status == STATUS_OK ? failpoint_hit("dynamodb.after_alter", error) : status;
}

static bool is_one_of(const json_t *value, const json_t *values)
{
    bool found = json_equal(value, values) == 1;
    for (size_t i = 0; i < json_array_size(values); i++) {
        found = found || json_equal(value, json_array_get(values, i)) == 1;
    }
    return found;
}

/* Is there, below the names of `path`, the value that it ends with, or one of them? "*" is any
 * element of a list. */
static bool holds(const json_t *value, const json_t *path, size_t at)
{
    const json_t *name = json_array_get(path, at);
    if (at + 1 == json_array_size(path)) {
        return value != NULL && is_one_of(value, name);
    }
    if (strcmp(json_string_value(name) != NULL ? json_string_value(name) : "", "*") != 0) {
        return holds(json_object_get(value, json_string_value(name)), path, at + 1);
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (holds(json_array_get(value, i), path, at + 1)) {
            return true;
        }
    }
    return false;
}

/* The Count of an answer, or all of it as JSON; of a step with "has" or "lacks" whether it is so.
 */
static void append_answer(const struct step *step, const json_t *root, struct buffer *out)
{
    const json_t *has = json_object_get(step->root, "has");
    const json_t *lacks = json_object_get(step->root, "lacks");
    const json_t *count = json_object_get(root, "Count");
    if (has != NULL || lacks != NULL) {
        bool found = holds(root, has != NULL ? has : lacks, 0);
        buffer_append_string(out, found == (has != NULL) ? "true" : "false");
    } else if (json_is_integer(count)) {
        buffer_append_int64(out, json_integer_value(count));
    } else {
        (void)json_tree_append(root, JSON_COMPACT | JSON_SORT_KEYS, out);
    }
}

static enum status answer_of(const struct step *step, struct service_reply *reply,
                             struct buffer *out, struct error *error)
{
    struct alter_answer ignored;
    bool asks =
        json_object_get(step->root, "has") != NULL || json_object_get(step->root, "lacks") != NULL;
    if (asks && reply->fault == DYNAMODB_FAULT_MISSING) {
        append_answer(step, NULL, out);
        return STATUS_OK;
    }
    if (alter_judge(step, reply, &ignored, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    json_t *root = dynamodb_reply_parse(reply, step->operation, error);
    if (root == NULL) {
        return STATUS_FAILED;
    }
    append_answer(step, root, out);
    json_decref(root);
    return STATUS_OK;
}

static enum status alter_ask(struct alter_session *session, const char *sql, struct arena *arena,
                             const char **text, struct error *error)
{
    struct step step;
    struct service_reply *reply = NULL;
    struct buffer out = {0};
    *text = NULL;
    if (read_step(sql, strlen(sql), &step, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = alter_call(session, &step, &reply, error);
    status = status == STATUS_OK ? answer_of(&step, reply, &out, error) : status;
    *text = status == STATUS_OK ? arena_copy_string(arena, buffer_string(&out)) : NULL;
    buffer_free(&out);
    json_decref(step.root);
    service_reply_destroy(reply);
    return status;
}

/* ---------------------------------------------------------------- what became of a step */

/* The same items are put once more. */
static bool repeats(const struct step *step)
{
    static const char *const operations[] = {"PutItem",     "BatchWriteItem", "DeleteItem",
                                             "TagResource", "UntagResource",  "Query"};
    bool found = false;
    for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
        found = found || is(step, operations[i]);
    }
    return found;
}

static enum status settle_step(struct alter_session *session, const struct step *step,
                               const struct alter_request *request, enum alter_settled *settled,
                               struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(session->database);
    struct dynamodb_description there = {0};
    *settled = repeats(step) ? ALTER_ABSENT : ALTER_UNKNOWN;
    bool creates = is(step, "CreateTable");
    bool deletes = is(step, "DeleteTable");
    if (step->table == NULL || (!creates && !deletes && !is(step, "UpdateTable"))) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    enum status status = dynamodb_describe(network, step->table, arena, &there, error);
    bool found = status == STATUS_OK && !dynamodb_description_is_going(&there);
    if (status != STATUS_FAILED) {
        *settled = creates || deletes ? (found == creates ? ALTER_APPLIED : ALTER_ABSENT)
                   : found            ? settle_indexes(step, &there)
                                      : ALTER_UNKNOWN;
        status = STATUS_OK;
    }
    arena_destroy(arena);
    return status == STATUS_OK && *settled == ALTER_APPLIED
               ? await_step(session, step, request, error)
               : status;
}

static enum status alter_settle(struct alter_session *session, const struct alter_request *request,
                                const struct alter_object *objects, uint32_t count,
                                const char *before, enum alter_settled *settled,
                                struct error *error)
{
    struct step step;
    (void)objects;
    (void)count;
    (void)before;
    if (read_step(request->text, request->length, &step, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = settle_step(session, &step, request, settled, error);
    json_decref(step.root);
    return status;
}

const struct alter_functions dynamodb_network_alter = {
    HISTORY_STORE_FUNCTIONS, .languages = 1u << ALTER_DYNAMODB,
    .open = alter_open,      .close = alter_close,
    .run = alter_run,        .ask = alter_ask,
    .settle = alter_settle,
};
