/* Statements beside those of readers and writers, and the agreement of nodes on a schema. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "connectors/cassandra/calls.h"
#include "connectors/cassandra/cassandra.h"
#include "connectors/cassandra/protocol/cql_type.h"
#include "connectors/contract/report.h"
#include <string.h>

enum { UNDER_WAY_MIN = 256 }; /* of a session */

/* A hint at what to look at where no session comes about, and nothing better was said. */
static enum status hint_at(struct error *error)
{
    if (error->hint[0] != '\0') {
        return STATUS_FAILED;
    }
    if (error->code == ERROR_NETWORK || error->code == ERROR_NETWORK_ANSWER) {
        return error_hint(error,
                          "is a node up there, and is that its native_transport_port (9042 if "
                          "nothing else is set)? `cqlsh HOST PORT` shows the same; "
                          "?contacts= names further nodes");
    }
    if (error->code == ERROR_TARGET_INVALID && strstr(error->message, "of the CQL protocol")) {
        return error_hint(error, "versions 3 to 5 are spoken here (?protocol= is the newest to "
                                 "try): Cassandra 2.1 and later, every ScyllaDB");
    }
    return error->code == ERROR_CREDENTIALS
               ? error_hint(error,
                            "cassandra://USER:PASSWORD@HOST/KEYSPACE, or CASSANDRA_PASSWORD; "
                            "`cqlsh -u USER HOST PORT` shows whether they are right")
               : STATUS_FAILED;
}

/* A user's query may leave the keyspace out. */
enum status cassandra_connect(struct cassandra *self, struct cql_session **session,
                              struct error *error)
{
    struct cql_session_options options = self->options;
    if (options.under_way_max < UNDER_WAY_MIN) {
        options.under_way_max = UNDER_WAY_MIN;
    }
    options.keyspace =
        self->keyed.mode == OPEN_SOURCE && self->keyspace_there ? self->keyspace : NULL;
    if (cql_session_open(&options, session, error) != STATUS_OK) {
        return hint_at(error);
    }
    static const enum link_security levels[] = {
        [STREAM_PLAINTEXT] = LINK_PLAINTEXT,
        [STREAM_PLAINTEXT_LOOPBACK] = LINK_PLAINTEXT_LOOPBACK,
        [STREAM_UNVERIFIED] = LINK_UNVERIFIED,
        [STREAM_AUTHORITY_VERIFIED] = LINK_AUTHORITY_VERIFIED,
        [STREAM_PEER_VERIFIED] = LINK_PEER_VERIFIED};
    const struct stream_report report = cql_session_cluster(*session).report;
    report_link(&self->keyed.base, levels[report.security], report.protocol, report.cipher);
    return STATUS_OK;
}

/* The call with its statement filled in; prepared first where it has values. */
static enum status run_once(struct cassandra *self, struct cql_call *call,
                            struct cql_statement *statement, struct arena *arena,
                            struct cql_reply *reply, struct error *error)
{
    enum cql_failure failure = CQL_FAILURE_NONE;
    if (statement->value_count > 0) {
        if (cql_session_prepare(self->control, statement->text, &statement->prepared, &failure,
                                error) != STATUS_OK) {
            *reply = (struct cql_reply){.failure = failure};
            return STATUS_FAILED;
        }
    }
    call->statements = statement;
    call->statement_count = 1;
    call->deadline_ms = clock_boottime_ms() + self->keyed.room.timeout_ms;
    return cql_session_query(self->control, call, arena, reply, error);
}

/* A call that may be repeated reads, or changes the schema, which is of no consistency. */
static enum status control_run(struct cassandra *self, struct cql_call *call,
                               struct cql_statement *statement, bool repeats, struct arena *arena,
                               struct cql_reply *reply, struct error *error)
{
    struct cassandra_patience patience;
    enum status status;
    cassandra_patience_begin(&patience, self);
    patience.once = !repeats;
    do {
        pthread_mutex_lock(&self->keyed.control_mutex);
        status = run_once(self, call, statement, arena, reply, error);
        pthread_mutex_unlock(&self->keyed.control_mutex);
    } while (status == STATUS_FAILED &&
             ((repeats && cassandra_patience_falls_back(&patience, reply->failure, error,
                                                        &call->consistency)) ||
              cassandra_patience_wait(&patience, reply->may_have_happened, error)));
    return status;
}

enum status cassandra_run(struct cassandra *self, const char *text,
                          enum cql_consistency consistency, bool repeats, struct arena *arena,
                          struct cql_reply *reply, struct error *error)
{
    struct cql_statement statement = {.text = text};
    struct cql_call call = {.consistency = consistency, .timestamp_us = CQL_NO_TIMESTAMP};
    return control_run(self, &call, &statement, repeats, arena, reply, error);
}

enum status cassandra_run_prepared(struct cassandra *self, const char *text,
                                   const struct buffer *values, uint16_t value_count,
                                   enum cql_consistency consistency, bool repeats,
                                   struct arena *arena, struct cql_reply *reply,
                                   struct error *error)
{
    struct cql_statement statement = {.text = text,
                                      .values = values->data,
                                      .values_length = values->length,
                                      .value_count = value_count};
    struct cql_call call = {.consistency = consistency,
                            .serial_consistency = self->settings.serial,
                            .timestamp_us = CQL_NO_TIMESTAMP};
    return control_run(self, &call, &statement, repeats, arena, reply, error);
}

void cassandra_append_table(const struct cassandra *self, const char *table, struct buffer *out)
{
    cql_name_append((struct text){self->keyspace, strlen(self->keyspace)}, out);
    buffer_append_byte(out, '.');
    cql_name_append((struct text){table, strlen(table)}, out);
}

/* Also where another process, or an earlier try, made the change. */
enum status cassandra_agree(struct cassandra *self, struct error *error)
{
    pthread_mutex_lock(&self->keyed.control_mutex);
    enum status status = cql_session_agree(self->control, error);
    pthread_mutex_unlock(&self->keyed.control_mutex);
    return status;
}

enum status cassandra_define(struct cassandra *self, const char *text, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct cql_reply reply;
    enum status status = cassandra_run(self, text, CQL_QUORUM, true, arena, &reply, error);
    status = status == STATUS_OK ? cassandra_agree(self, error) : status;
    arena_destroy(arena);
    return status;
}

void cassandra_append_keyspace(const struct cassandra *self, struct buffer *text)
{
    buffer_append_string(text, "CREATE KEYSPACE IF NOT EXISTS ");
    cql_name_append((struct text){self->keyspace, strlen(self->keyspace)}, text);
    buffer_format(text, " WITH replication = %s", self->settings.replication);
}

enum status cassandra_make_keyspace(struct cassandra *self, struct error *error)
{
    if (self->keyspace_there) {
        return STATUS_OK;
    }
    struct buffer text = {0};
    cassandra_append_keyspace(self, &text);
    enum status status = failpoint_hit("cassandra.before_keyspace", error);
    if (status == STATUS_OK) {
        status = cassandra_define(self, buffer_string(&text), error);
    }
    self->keyspace_there = status == STATUS_OK;
    buffer_free(&text);
    return status;
}
