/*
 * Changing the schema of a keyspace: one statement at a time in a session whose names without a
 * keyspace are of this one. The history and the lease are a store of their own, the table
 * _transhume_schema. Nothing is a transaction; a change of the schema that was carried out shows in
 * system_schema once all nodes agree.
 */
#include "connectors/cassandra/target.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include "connectors/common/alter_settle.h"
#include "connectors/common/history_store.h"
#include "connectors/common/lease.h"
#include "model/convert.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct cassandra_alter {
    struct alter_session base;
    struct cassandra *cassandra;
    struct cql_session *session; /* NULL until it is needed: then the keyspace is there */
};

static struct cassandra_alter *alter_of(struct alter_session *session)
{
    return (struct cassandra_alter *)session;
}

/* ---------------------------------------------------------------- sessions */

static void alter_close(struct alter_session *base)
{
    if (base != NULL) {
        cql_session_close(alter_of(base)->session);
        history_store_close(base);
        free(alter_of(base));
    }
}

static enum status alter_open(struct database *database, const struct alter_open *options,
                              struct alter_session **opened, struct error *error)
{
    struct cassandra_alter *session = memory_allocate_zeroed(1, sizeof(*session));
    struct store *store = NULL;
    *opened = NULL;
    if (options->history_schema != NULL) {
        free(session);
        error_set(error, ERROR_USAGE, options->history_schema,
                  "the history of a keyspace is kept in that keyspace");
        return error_hint(error, "leave --history-schema out");
    }
    if (cassandra_store_open_in(database, HISTORY_TABLE, &store) != STATUS_OK) {
        free(session);
        return STATUS_FAILED;
    }
    session->cassandra = cassandra_of(database);
    history_store_open(&session->base, database, store, &cassandra_store);
    session->base.before_failpoint = "cassandra.before_history";
    session->base.after_failpoint = "cassandra.after_history";
    *opened = &session->base;
    return STATUS_OK;
}

static enum status alter_connect(struct cassandra_alter *session, struct error *error)
{
    struct cql_session_options options = session->cassandra->options;
    options.keyspace = session->cassandra->keyspace;
    return session->session != NULL ? STATUS_OK
                                    : cql_session_open(&options, &session->session, error);
}

static enum status alter_agree(struct alter_session *base, struct error *error)
{
    return cassandra_agree(alter_of(base)->cassandra, error);
}

/* ---------------------------------------------------------------- statements */

/* "line 3:12 no viable alternative …" */
static size_t place_of(const struct alter_request *request, const char *words)
{
    const char *found = strstr(words, "line ");
    unsigned line = 0;
    unsigned column = 0;
    size_t at = 0;
    if (found == NULL || sscanf(found, "line %u:%u", &line, &column) != 2) {
        return SIZE_MAX;
    }
    for (; line > 1 && at < request->length; at++) {
        line -= request->text[at] == '\n';
    }
    return at + column <= request->length ? at + column : SIZE_MAX;
}

static enum status query(struct cassandra_alter *session, const char *text, int64_t time_ms,
                         struct arena *arena, struct cql_reply *reply, struct error *error)
{
    int64_t limit_ms = time_ms > 0 ? time_ms : session->cassandra->keyed.room.timeout_ms;
    struct cql_statement statement = {.text = text};
    const struct cql_call call = {.statements = &statement,
                                  .statement_count = 1,
                                  .consistency = session->cassandra->settings.write_consistency,
                                  .serial_consistency = session->cassandra->settings.serial,
                                  .timestamp_us = CQL_NO_TIMESTAMP,
                                  .deadline_ms = clock_boottime_ms() + limit_ms};
    *reply = (struct cql_reply){.failure = CQL_FAILURE_NONE};
    enum status status = alter_connect(session, error);
    /* a process that was stopped must not send it when another one works already */
    status = status == STATUS_OK ? history_store_keep(&session->base, error) : status;
    if (status == STATUS_OK && session->base.held) {
        status = lease_check(session->base.database, limit_ms, error);
    }
    return status == STATUS_OK ? cql_session_query(session->session, &call, arena, reply, error)
                               : status;
}

static enum status alter_fail(const struct cql_reply *reply, const struct alter_request *request,
                              struct alter_answer *answer, struct error *error)
{
    char words[sizeof(error->message)];
    if (reply->failure == CQL_FAILURE_NONE) {
        return STATUS_FAILED; /* it was not sent */
    }
    snprintf(answer->state, sizeof(answer->state), "%04x", (unsigned)reply->cause.code & 0xffff);
    answer->fault = place_of(request, error->message);
    if (reply->may_have_happened) {
        snprintf(words, sizeof(words), "%s", error->message);
        error_set(error, ERROR_TARGET_UNKNOWN_OUTCOME, NULL,
                  "it is not known whether the statement was carried out: %.600s", words);
    } else if (error->class != ERROR_CLASS_RETRY) {
        error_recode(error, ERROR_TARGET_WRITE);
    }
    return STATUS_FAILED;
}

static enum status alter_run(struct alter_session *base, const struct alter_request *request,
                             struct alter_answer *answer, struct error *error)
{
    struct cassandra_alter *session = alter_of(base);
    struct cql_reply reply;
    *answer = (struct alter_answer){.fault = SIZE_MAX};
    if (request->language != ALTER_CQL || request->data != NULL) {
        return error_set(error, ERROR_NOT_IMPLEMENTED, NULL, "Cassandra takes CQL alone");
    }
    if (failpoint_hit("cassandra.before_alter", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct arena *arena = arena_create(0);
    const char *text = arena_copy(arena, request->text, request->length);
    enum status status = query(session, text, request->time_ms, arena, &reply, error);
    if (status != STATUS_OK) {
        status = alter_fail(&reply, request, answer, error);
    } else if (reply.response.kind == CQL_RESULT_ROWS) {
        answer->counts = true;
        answer->rows = reply.response.rows.count;
    }
    arena_destroy(arena);
    return status == STATUS_OK ? failpoint_hit("cassandra.after_alter", error) : status;
}

static enum status alter_ask(struct alter_session *base, const char *sql, struct arena *arena,
                             const char **text, struct error *error)
{
    struct cql_reply reply;
    struct arena *scratch = arena_create(0);
    *text = NULL;
    enum status status = query(alter_of(base), sql, 0, scratch, &reply, error);
    if (status == STATUS_OK && reply.response.kind == CQL_RESULT_ROWS &&
        reply.response.rows.columns.count > 0) {
        struct cql_rows *rows = &reply.response.rows;
        struct cql_value *values =
            arena_allocate_zeroed(scratch, rows->columns.count, sizeof(*values));
        struct buffer out = {0};
        struct cell cell;
        if (cql_rows_next(rows, values) == STATUS_OK && values[0].length >= 0) {
            status = cql_value_decode(rows->columns.list[0].type, values[0], scratch, &cell, error);
            status = status == STATUS_OK ? convert_append_text(&cell, false, &out, error) : status;
            *text = status == STATUS_OK ? arena_copy_string(arena, buffer_string(&out)) : NULL;
        }
        buffer_free(&out);
    }
    arena_destroy(scratch);
    return status;
}

/* ---------------------------------------------------------------- what became of a statement */

static void add_table(XXH3_state_t *hash, const struct cassandra_table *table)
{
    alter_witness_add(hash, table->id);
    alter_witness_add(hash, table->comment);
    XXH3_128bits_update(hash, &table->ttl_seconds, sizeof(table->ttl_seconds));
    for (uint32_t i = 0; i < table->column_count; i++) {
        alter_witness_add(hash, table->columns[i].name);
        alter_witness_add(hash, table->columns[i].type_text);
        XXH3_128bits_update(hash, &table->columns[i].part, sizeof(table->columns[i].part));
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        alter_witness_add(hash, table->indexes[i].name);
        alter_witness_add(hash, table->indexes[i].target);
        alter_witness_add(hash, table->indexes[i].class);
    }
}

/* STATUS_END: what it is can't be told. */
static enum status add_object(struct cassandra *self, const struct alter_object *object,
                              XXH3_state_t *hash, struct error *error)
{
    bool index = strcmp(object->kind, "index") == 0;
    bool table = strcmp(object->kind, "table") == 0 || strstr(object->kind, "view") != NULL;
    const char *name = index ? object->table : object->name;
    const struct cassandra_table *found = NULL;
    bool elsewhere = object->schema != NULL && strcasecmp(object->schema, self->keyspace) != 0;
    if ((!index && !table) || name == NULL || elsewhere) {
        return STATUS_END;
    }
    struct arena *arena = arena_create(0);
    enum status status = cassandra_table_read(self, name, arena, &found, error);
    if (status == STATUS_OK) {
        add_table(hash, found);
    }
    alter_witness_add(hash, status == STATUS_OK ? "there" : "");
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static enum status alter_witness(struct alter_session *base, const struct alter_object *objects,
                                 uint32_t count, struct arena *arena, const char **text,
                                 struct error *error)
{
    XXH3_state_t *hash = XXH3_createState();
    enum status status = STATUS_OK;
    XXH3_128bits_reset(hash);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        status = add_object(alter_of(base)->cassandra, &objects[i], hash, error);
    }
    const char *digest = alter_witness_end(hash, arena);
    *text = status == STATUS_OK ? digest : NULL;
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static bool begins(const struct alter_request *request, const char *word)
{
    size_t length = strlen(word);
    return request->length > length && strncasecmp(request->text, word, length) == 0;
}

/* A row that is written again is the same one; but a counter counts twice, and a list gets its
 * elements twice. */
static bool repeats(const struct alter_request *request)
{
    bool adds = begins(request, "UPDATE") && memchr(request->text, '+', request->length) != NULL;
    return !adds &&
           (begins(request, "INSERT") || begins(request, "UPDATE") || begins(request, "DELETE") ||
            begins(request, "TRUNCATE") || begins(request, "SELECT"));
}

static enum status alter_settle(struct alter_session *base, const struct alter_request *request,
                                const struct alter_object *objects, uint32_t count,
                                const char *before, enum alter_settled *settled,
                                struct error *error)
{
    if (repeats(request)) {
        *settled = ALTER_ABSENT;
        return STATUS_OK;
    }
    enum status status = alter_agree(base, error);
    return status == STATUS_OK ? alter_settle_by_witness(base, alter_witness, objects, count,
                                                         before, settled, error)
                               : status;
}

const struct alter_functions cassandra_alter = {
    HISTORY_STORE_FUNCTIONS,  .languages = 1u << ALTER_CQL,
    .open = alter_open,       .close = alter_close,
    .run = alter_run,         .ask = alter_ask,
    .witness = alter_witness, .settle = alter_settle,
    .agree = alter_agree,
};
