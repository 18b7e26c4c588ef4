/* cassandra://HOST/KEYSPACE: the descriptor, opening, control work. */
#include "connectors/cassandra/cassandra.h"

#include "connectors/cassandra/fetch.h"
#include "connectors/cassandra/options.h"
#include "connectors/cassandra/protocol/cql_bundle.h"
#include "connectors/cassandra/protocol/cql_model.h"
#include "connectors/cassandra/target.h"
#include "connectors/contract/report.h"
#include "connectors/keyed/opening.h"
#include "connectors/keyed/tables.h"
#include <stdio.h>
#include <string.h>

enum {
    WRITERS_MAX = 4,
    READERS_MAX = 16,
    CHUNKS_OPEN_MAX = 4,
    RECORD_BYTES_MAX = 16 << 20, /* half of the commit log's segments by default */
    NESTING_MAX = 32,
    PARTITION_BYTES = 100 << 20, /* what servers warn from on, too */
    PARTITION_ROWS = 100000
};

static const char *const failpoints[] = {
    KEYED_FAILPOINTS("cassandra"),
    "cassandra.before_keyspace",
    "cassandra.before_ledger_table",
    "cassandra.after_ledger_table",
    "cassandra.before_history",
    "cassandra.after_history",
    "cassandra.before_alter",
    "cassandra.after_alter",
    "cassandra.before_table",
    "cassandra.before_drop",
    "cassandra.after_drop",
    "cassandra.after_table",
    KEYED_TABLE_FAILPOINTS("cassandra"),
    KEYED_APPLY_FAILPOINTS("cassandra"),
    NULL,
};

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
    if (self->keyed.mode == OPEN_TARGET && self->settings.creates_keyspace) {
        return STATUS_OK;
    }
    error_set(error, self->keyed.mode == OPEN_SOURCE ? ERROR_SOURCE_MISSING : ERROR_TARGET_MISSING,
              self->keyed.uri->shown, "there is no keyspace %s", self->keyspace);
    return error_hint(error, self->keyed.mode == OPEN_SOURCE
                                 ? "names of keyspaces count their case; `DESCRIBE KEYSPACES` in "
                                   "cqlsh lists them"
                                 : "?create=true makes it, with ?replication=3 or "
                                   "?replication=dc1:3,dc2:2");
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
    keyed_close(&self->keyed);
}

/* Before version 4 a value that is not set is null, which deletes. */
static enum status check_version(const struct cassandra *self, struct error *error)
{
    uint8_t version = cql_session_cluster(self->control).version;
    if (version >= 4 || self->keyed.mode == OPEN_SOURCE) {
        return STATUS_OK;
    }
    error_set(error, ERROR_TARGET_INVALID, self->keyed.uri->shown,
              "version %u of the protocol can't leave a value unset, and its nulls delete",
              version);
    return error_hint(error, "Cassandra 2.2 and later speak version 4: leave ?protocol= out");
}

static enum status open_all(struct database *database, const struct open_options *open,
                            struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    self->service = cassandra_keyed_service; /* with the options' bounds */
    self->keyed.room.service = &self->service;
    if (cassandra_options_read(self, open, error) != STATUS_OK ||
        cassandra_connect(self, &self->control, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    snprintf(self->keyed.base.server, sizeof(self->keyed.base.server), "Cassandra %s",
             cql_session_cluster(self->control).release);
    if (look_for_keyspace(self, error) != STATUS_OK || check_version(self, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (self->keyed.mode == OPEN_TARGET) {
        return STATUS_OK;
    }
    cql_session_close(self->control); /* one that knows the keyspace, which is there */
    self->control = NULL;
    return cassandra_connect(self, &self->control, error);
}

static enum status cassandra_open(const struct open_options *open, struct database **database,
                                  struct error *error)
{
    const struct keyed_opening opening = {.connector = &connector_cassandra,
                                          .service = &cassandra_keyed_service,
                                          .limits = {.timestamp_digits = {3, 3},
                                                     .keeps_times = true,
                                                     .readers_max = READERS_MAX,
                                                     .writers_max = WRITERS_MAX,
                                                     .chunks_open_max = CHUNKS_OPEN_MAX,
                                                     .record_bytes_max = RECORD_BYTES_MAX,
                                                     .name_bytes_max = CASSANDRA_NAME_BYTES_MAX,
                                                     .nesting_max = NESTING_MAX,
                                                     .partition_bytes = PARTITION_BYTES,
                                                     .partition_rows = PARTITION_ROWS},
                                          .bytes = sizeof(struct cassandra),
                                          .connect = open_all};
    return keyed_open(&opening, open, database, error);
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
    KEYED_TARGET_FUNCTIONS,
    .claimed = cassandra_claimed,
    .empty = keyed_empty,
    .names = cassandra_names,
    .inspect = cassandra_inspect,
    .check_table = cassandra_check_table,
    .prepare = cassandra_prepare,
    .after_load = cassandra_after_load,
    .fetch = cassandra_target_fetch,
    .delete_records = cassandra_delete,
    .count = cassandra_target_count,
    .normal_form = cassandra_normal_form,
};

static const struct column_functions columns = {
    .type = cassandra_column_type,
    .add = cassandra_add_columns,
    .make_again = cassandra_make_again,
    .static_conflict = cassandra_ask_place,
    .value_class = cassandra_column_class,
    .normal_form = cassandra_normal_form_in_column,
    .decides = true,
};

static const struct forecast_functions forecast = {
    .script = cassandra_script,
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
    .columns = &columns,
    .forecast = &forecast,
    .trial = &keyed_trial,
    .store = &cassandra_store,
    .rollback = &cassandra_rollback,
    .apply = &cassandra_apply,
    .alter = &cassandra_alter,
    .change = &cassandra_change,
    .rights = &cassandra_rights,
};
