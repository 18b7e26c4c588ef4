/* cassandra://HOST/KEYSPACE: the descriptor, opening, control work. */
#include "connectors/cassandra/cassandra.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/cassandra/fetch.h"
#include "connectors/cassandra/options.h"
#include "connectors/cassandra/patience.h"
#include "connectors/cassandra/protocol/cql_bundle.h"
#include "connectors/cassandra/protocol/cql_model.h"
#include "connectors/cassandra/schema.h"
#include "connectors/cassandra/target.h"
#include "connectors/lease.h"
#include "connectors/report.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WRITERS_MAX = 4,
    READERS_MAX = 16,
    CHUNKS_OPEN_MAX = 4,
    RECORD_BYTES_MAX = 16 << 20, /* half of the commit log's segments by default */
    NESTING_MAX = 32,
    PARTITION_BYTES = 100 << 20, /* what servers warn from on, too */
    PARTITION_ROWS = 100000,
    UNDER_WAY_MIN = 256 /* of a session */
};

static const char *const failpoints[] = {
    KEYED_FAILPOINTS("cassandra"),
    "cassandra.before_keyspace",
    "cassandra.before_ledger_table",
    "cassandra.after_ledger_table",
    "cassandra.before_intent",
    "cassandra.after_intent",
    "cassandra.before_history",
    "cassandra.after_history",
    "cassandra.before_alter",
    "cassandra.after_alter",
    "cassandra.before_table",
    "cassandra.before_drop",
    "cassandra.after_drop",
    "cassandra.after_table",
    "cassandra.before_made",
    "cassandra.after_made",
    "cassandra.before_empty",
    "cassandra.before_delete",
    "cassandra.before_remove_table",
    "cassandra.table_deleted",
    "cassandra.after_remove_table",
    KEYED_APPLY_FAILPOINTS("cassandra"),
    NULL,
};

/* ---------------------------------------------------------------- control work */

/* What to look at where no session comes about, and nothing better was said. */
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
    options.keyspace = self->mode == OPEN_SOURCE && self->keyspace_there ? self->keyspace : NULL;
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
    call->deadline_ms = clock_boottime_ms() + self->timeout_ms;
    return cql_session_query(self->control, call, arena, reply, error);
}

/* What may be repeated reads, or changes the schema, which is of no consistency. */
static enum status run(struct cassandra *self, struct cql_call *call,
                       struct cql_statement *statement, bool repeats, struct arena *arena,
                       struct cql_reply *reply, struct error *error)
{
    struct cassandra_patience patience;
    enum status status;
    cassandra_patience_begin(&patience, self);
    patience.once = !repeats;
    do {
        pthread_mutex_lock(&self->control_mutex);
        status = run_once(self, call, statement, arena, reply, error);
        pthread_mutex_unlock(&self->control_mutex);
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
    return run(self, &call, &statement, repeats, arena, reply, error);
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
    return run(self, &call, &statement, repeats, arena, reply, error);
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
    pthread_mutex_lock(&self->control_mutex);
    enum status status = cql_session_agree(self->control, error);
    pthread_mutex_unlock(&self->control_mutex);
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

/* ---------------------------------------------------------------- the keyspace */

static enum status look_for_keyspace(struct cassandra *self, struct error *error)
{
    static const char text[] =
        "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?";
    struct arena *arena = arena_create(0);
    struct buffer values = {0};
    struct cql_reply reply;
    cql_write_value(&values, self->keyspace, (int32_t)strlen(self->keyspace));
    enum status status =
        cassandra_run_prepared(self, text, &values, 1, CQL_ONE, true, arena, &reply, error);
    self->keyspace_there = status == STATUS_OK && reply.response.rows.count > 0;
    buffer_free(&values);
    arena_destroy(arena);
    if (status != STATUS_OK || self->keyspace_there) {
        return status;
    }
    if (self->mode == OPEN_TARGET && self->settings.creates_keyspace) {
        return STATUS_OK;
    }
    error_set(error, self->mode == OPEN_SOURCE ? ERROR_SOURCE_MISSING : ERROR_TARGET_MISSING,
              self->uri->shown, "there is no keyspace %s", self->keyspace);
    return error_hint(error, self->mode == OPEN_SOURCE
                                 ? "names of keyspaces count their case; `DESCRIBE KEYSPACES` in "
                                   "cqlsh lists them"
                                 : "?create=true makes it, with ?replication=3 or "
                                   "?replication=dc1:3,dc2:2");
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

/* ---------------------------------------------------------------- opening */

static void cassandra_close(struct database *database)
{
    struct cassandra *self = cassandra_of(database);
    if (self == NULL) {
        return;
    }
    keyed_room_destroy(&self->keyed);
    cql_session_close(self->control);
    cql_bundle_close(self->bundle);
    stream_tls_destroy(self->tls);
    cassandra_fetcher_close(self->fetcher);
    if (self->schema != NULL) {
        arena_destroy(self->schema->arena);
    }
    pthread_mutex_destroy(&self->control_mutex);
    pthread_mutex_destroy(&self->mutex);
    arena_destroy(self->arena);
    free(self);
}

/* Before version 4 a value that is not set is null, which deletes. */
static enum status check_version(const struct cassandra *self, struct error *error)
{
    uint8_t version = cql_session_cluster(self->control).version;
    if (version >= 4 || self->mode == OPEN_SOURCE) {
        return STATUS_OK;
    }
    error_set(error, ERROR_TARGET_INVALID, self->uri->shown,
              "version %u of the protocol can't leave a value unset, and its nulls delete",
              version);
    return error_hint(error, "Cassandra 2.2 and later speak version 4: leave ?protocol= out");
}

static enum status open_all(struct cassandra *self, const struct open_options *open,
                            struct error *error)
{
    if (cassandra_options_read(self, open, error) != STATUS_OK ||
        cassandra_connect(self, &self->control, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    snprintf(self->keyed.base.server, sizeof(self->keyed.base.server), "Cassandra %s",
             cql_session_cluster(self->control).release);
    if (look_for_keyspace(self, error) != STATUS_OK || check_version(self, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (self->mode == OPEN_TARGET) {
        return STATUS_OK;
    }
    cql_session_close(self->control); /* one that knows the keyspace, which is there */
    self->control = NULL;
    return cassandra_connect(self, &self->control, error);
}

static enum status cassandra_open(const struct open_options *open, struct database **database,
                                  struct error *error)
{
    struct cassandra *self = memory_allocate_zeroed(1, sizeof(*self));
    *database = NULL;
    pthread_mutex_init(&self->control_mutex, NULL);
    pthread_mutex_init(&self->mutex, NULL);
    self->keyed.base.connector = &connector_cassandra;
    self->keyed.base.capabilities = connector_cassandra.capabilities;
    self->keyed.base.limits = (struct connector_limits){.timestamp_digits = {3, 3},
                                                        .keeps_times = true,
                                                        .readers_max = READERS_MAX,
                                                        .writers_max = WRITERS_MAX,
                                                        .chunks_open_max = CHUNKS_OPEN_MAX,
                                                        .record_bytes_max = RECORD_BYTES_MAX,
                                                        .name_bytes_max = CASSANDRA_NAME_BYTES_MAX,
                                                        .nesting_max = NESTING_MAX,
                                                        .partition_bytes = PARTITION_BYTES,
                                                        .partition_rows = PARTITION_ROWS};
    self->service = cassandra_keyed_service;
    keyed_room_init(&self->keyed, &self->service, open);
    self->mode = open->mode;
    self->uri = open->uri;
    self->timeout_ms = open->timeout_ms;
    self->catalog_tables = open->catalog_tables;
    self->arena = arena_create(0);
    enum status status = open_all(self, open, error);
    if (status != STATUS_OK) {
        cassandra_close(&self->keyed.base);
        return status;
    }
    *database = &self->keyed.base;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- identity */

/* The lowest of the nodes' ids, in `lowest`. */
static enum status add_host_ids(struct cassandra *self, const char *text, struct arena *arena,
                                uint8_t lowest[16], struct error *error)
{
    struct cql_reply reply;
    struct cql_value value;
    if (cassandra_run(self, text, CQL_ONE, true, arena, &reply, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    while (reply.response.rows.columns.count == 1 &&
           cql_rows_next(&reply.response.rows, &value) == STATUS_OK) {
        if (value.length == 16 && memcmp(value.data, lowest, 16) < 0) {
            memcpy(lowest, value.data, 16);
        }
    }
    return STATUS_OK;
}

/* A cluster is told by its name; of those that were never given one, also by its nodes. */
static enum status cassandra_identity(struct database *database, struct arena *arena,
                                      const char **identity, struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    const char *name = arena_copy_string(arena, cql_session_cluster(self->control).cluster_name);
    struct buffer id = {0};
    uint8_t lowest[16];
    memset(lowest, 0xff, sizeof(lowest));
    if (strcmp(name, "Test Cluster") == 0) {
        if (add_host_ids(self, "SELECT host_id FROM system.local", arena, lowest, error) !=
                STATUS_OK ||
            add_host_ids(self, "SELECT host_id FROM system.peers", arena, lowest, error) !=
                STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_append_byte(&id, ' ');
        value_append_uuid(&id, lowest);
    }
    *identity = arena_format(arena, "cassandra cluster %s%s keyspace %s", name, buffer_string(&id),
                             self->keyspace);
    buffer_free(&id);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the descriptor */

static const struct target_functions target = {
    .claimed = cassandra_claimed,
    .released = keyed_released,
    .empty = cassandra_empty,
    .names = cassandra_names,
    .inspect = cassandra_inspect,
    .check_table = cassandra_check_table,
    .try_open = keyed_try_open,
    .try_record = keyed_try_record,
    .try_close = keyed_try_close,
    .script = cassandra_script,
    .column_type = cassandra_column_type,
    .prepare = cassandra_prepare,
    .add_columns = cassandra_add_columns,
    .make_again = cassandra_make_again,
    .writer_open = keyed_writer_open,
    .writer_close = keyed_writer_close,
    .chunk_begin = keyed_chunk_begin,
    .submit = keyed_submit,
    .poll = keyed_poll,
    .commit = keyed_commit,
    .chunk_abandon = keyed_chunk_abandon,
    .after_load = cassandra_after_load,
    .fetch = cassandra_target_fetch,
    .delete_records = cassandra_delete,
    .count = cassandra_target_count,
    .settle_duplicates = keyed_settle,
    .ask_place = cassandra_ask_place,
    .keys_are_equal = keyed_keys_are_equal,
    .restore = keyed_restore,
    .normal_form = cassandra_normal_form,
    .column_class = cassandra_column_class,
    .normal_form_in_column = cassandra_normal_form_in_column,
    .column_decides = true,
};

const struct connector connector_cassandra = {
    .contract_version = CONNECTOR_CONTRACT_VERSION,
    .name = "cassandra",
    .title = "Apache Cassandra",
    .uri_help = "cassandra://HOST/KEYSPACE",
    .capabilities = CAPABILITY_NESTED | CAPABILITY_SQL_SCHEMA | CAPABILITY_KEY_REQUIRED |
                    CAPABILITY_ASYNCHRONOUS | CAPABILITY_READS_BY_KEY | CAPABILITY_CLUSTERS,
    .guarantee = GUARANTEE_IDEMPOTENT,
    .options = cassandra_options,
    .option_count = CASSANDRA_OPTION_COUNT,
    .types = cql_mappings,
    .type_count = CQL_MAPPING_COUNT,
    .failpoints = failpoints,
    .open = cassandra_open,
    .close = cassandra_close,
    .identity = cassandra_identity,
    .catalog = &cassandra_catalog,
    .source = &cassandra_source,
    .target = &target,
    .store = &cassandra_store,
    .rollback = &cassandra_rollback,
    .apply = &cassandra_apply,
    .alter = &cassandra_alter,
    .change = &cassandra_change,
    .rights = &cassandra_rights,
};
