/* The PostgreSQL connector's descriptor: options, opening, closing and the identity of a database.
 */
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/common/registry.h"
#include "connectors/postgres/schema/definitions.h"
#include "connectors/postgres/target.h"
#include "connectors/sql/check.h"
#include "connectors/sql/link.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    READERS_MAX = 32,
    WRITERS_MAX = 16,
    RESULT_COLUMNS_MAX = 1664,
    VERSION_MIN = 120000,
    RECORD_BYTES_MAX = 1000 * 1000 * 1000
};

static const char *const schemes[] = {"postgresql", NULL};

static const struct connector_option options[] = {
    {.name = "schema",
     .type = OPTION_TEXT,
     .help = "schemas, comma-separated; default: of a source all, of a target the first of "
             "search_path, mostly public"},
    {.name = "host",
     .type = OPTION_TEXT,
     .help = "host, or folder of the Unix socket, instead of the URI's"},
    {.name = "sslmode",
     .type = OPTION_CHOICE,
     .range = "disable|allow|prefer|require|verify-ca|verify-full",
     .help = "default: verify-full; prefer for loopback and Unix sockets"},
    {.name = "sslrootcert",
     .type = OPTION_TEXT,
     .help = "certificates of trusted authorities; default: "
             "~/.postgresql/root.crt, else the system's"},
    {.name = "sslcert", .type = OPTION_TEXT, .help = "the client's certificate"},
    {.name = "sslkey", .type = OPTION_KEY, .help = "the client's private key"},
    {.name = "sslpassword", .type = OPTION_TEXT, .secret = true, .help = "of the private key"},
    {.name = "channel_binding",
     .type = OPTION_CHOICE,
     .range = "disable|prefer|require",
     .help = "SCRAM bound to the TLS connection"},
    {.name = "passfile", .type = OPTION_TEXT, .help = "instead of ~/.pgpass"},
    {.name = "service", .type = OPTION_TEXT, .help = "a section of the service file"},
    {.name = "target_session_attrs",
     .type = OPTION_CHOICE,
     .range = "any|read-write|read-only|primary|standby|prefer-standby",
     .help = "which of several hosts is wanted"},
    {.name = "pooler",
     .type = OPTION_CHOICE,
     .range = "refuse|session",
     .help = "session: a pooler (PgBouncer) with pool_mode = session; default: refuse poolers"},
    {.name = "origin",
     .type = OPTION_CHOICE,
     .range = "any|none",
     .help = "changes that a feed brings; none: only those that were made here, not those that "
             "replication brought here; default: any"},
    {.name = "streaming",
     .type = OPTION_CHOICE,
     .range = "on|off",
     .help = "a feed takes large transactions in while they are in progress (server 14 and later); "
             "off: once they are committed; default: on"},
    {.name = "failover",
     .type = OPTION_BOOLEAN,
     .help = "the slot of a feed is kept on standbys as well (server 17 and later); default: true"},
    {.name = "application_name",
     .type = OPTION_TEXT,
     .help = "as pg_stat_activity shows it; default: transhume"},
};

static const char *const failpoints[] = {
    "postgres.before_empty",         "postgres.snapshot_taken",
    "postgres.before_schema",        "postgres.after_schema",
    "postgres.before_note",          "postgres.after_note",
    "postgres.before_drop",          "postgres.after_drop",
    "postgres.before_put_back",      "postgres.after_put_back",
    "postgres.before_notes_end",     "postgres.after_notes_end",
    "postgres.chunk_begin",          "postgres.before_mark",
    "postgres.before_commit",        "postgres.after_commit",
    "postgres.before_index",         "postgres.after_index",
    "postgres.before_key",           "postgres.after_key",
    "postgres.before_reference",     "postgres.before_validation",
    "postgres.before_lost",          "postgres.after_lost",
    "postgres.before_taking",        "postgres.before_orphans",
    "postgres.after_orphans",        "postgres.before_undo",
    "postgres.after_undo",           "postgres.before_remove_table",
    "postgres.after_remove_table",   "postgres.before_remove_objects",
    "postgres.after_remove_objects", "postgres.before_objects",
    "postgres.after_objects",        "postgres.before_forget",
    "postgres.after_forget",         "postgres.before_delete",
    "postgres.after_delete",         "postgres.within_catalog",
    "postgres.before_hold",          "postgres.before_slice",
    "postgres.before_fill",          "postgres.after_fill",
    "postgres.before_apply",         "postgres.after_apply",
    "postgres.before_slot",          "postgres.after_slot",
    "postgres.before_publish",       "postgres.after_publish",
    "postgres.before_history",       "postgres.after_scratch",
    "postgres.after_history",        "postgres.before_alter",
    "postgres.after_alter",          NULL,
};

/* ---------------------------------------------------------------- how to connect */

static void setting_set(struct postgres_database *self, const char *keyword, const char *value)
{
    if (value != NULL && self->setting_count + 1 < POSTGRES_SETTINGS_MAX) {
        self->keywords[self->setting_count] = keyword;
        self->values[self->setting_count++] = value;
    }
}

/* A variable of the environment may take away what a URI would have: it may be set for another
 * server, or by a script that nobody remembers. Said once. */
static void warn_of_variable(const struct uri *uri, const char *host)
{
    static atomic_flag said = ATOMIC_FLAG_INIT;
    const char *mode = getenv("PGSSLMODE");
    bool weak = mode != NULL && (strcmp(mode, "disable") == 0 || strcmp(mode, "allow") == 0 ||
                                 strcmp(mode, "prefer") == 0);
    if (weak && host != NULL && host[0] != '/' && !sql_is_local(host) &&
        !atomic_flag_test_and_set(&said)) {
        log_write(LOG_WARNING,
                  "%s: PGSSLMODE=%s of the environment lets %s; unset it (verify-full is the "
                  "default), or say ?sslmode=%s in the URI if it is meant",
                  uri->shown, mode,
                  strcmp(mode, "disable") == 0
                      ? "password and records go over the network unencrypted"
                      : "whoever is between switch off encryption",
                  mode);
    }
}

/* A peer is verified unless it is said otherwise; libpq's own default would take any. */
static void choose_tls(struct postgres_database *self, const struct uri *uri, const char *host)
{
    const char *mode = uri_parameter(uri, &transhume_connector, "sslmode");
    const char *roots = uri_parameter(uri, &transhume_connector, "sslrootcert");
    const char *service = uri_parameter(uri, &transhume_connector, "service");
    const char *home = getenv("HOME");
    bool is_socket = host != NULL && host[0] == '/';
    char own_roots[4096];

    if (mode == NULL && getenv("PGSSLMODE") == NULL && service == NULL &&
        getenv("PGSERVICE") == NULL && !is_socket && !sql_is_local(host)) {
        mode = "verify-full";
    }
    if (mode == NULL && service == NULL) {
        warn_of_variable(uri, host);
    }
    snprintf(own_roots, sizeof own_roots, "%s/.postgresql/root.crt", home != NULL ? home : "");
    if (roots == NULL && getenv("PGSSLROOTCERT") == NULL && mode != NULL &&
        strncmp(mode, "verify", 6) == 0 && access(own_roots, R_OK) != 0) {
        roots = sql_system_roots();
    }
    setting_set(self, "sslmode", mode);
    setting_set(self, "sslrootcert", roots);
}

static enum status choose_settings(struct postgres_database *self, const struct uri *uri,
                                   struct error *error)
{
    static const char *const passed[] = {
        "sslcert",  "sslkey",  "sslpassword",         "channel_binding",
        "passfile", "service", "target_session_attrs"};
    const char *host = uri_parameter(uri, &transhume_connector, "host");
    const char *application = uri_parameter(uri, &transhume_connector, "application_name");
    host = host != NULL ? host : uri->host;
    const char *known_host = host != NULL && host[0] != '\0' ? host : getenv("PGHOST");

    if (host != NULL && host[0] != '\0') {
        setting_set(self, "host", host);
    }
    if (uri->port != 0) {
        setting_set(self, "port", arena_format(self->arena, "%u", uri->port));
    }
    setting_set(self, "user", uri->user);
    setting_set(self, "password", uri->password);
    if (uri->path != NULL && uri->path[0] != '\0') {
        setting_set(self, "dbname", uri->path);
    }
    choose_tls(self, uri, known_host);
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++) {
        setting_set(self, passed[i], uri_parameter(uri, &transhume_connector, passed[i]));
    }
    setting_set(self, "application_name", application);
    setting_set(self, "fallback_application_name", "transhume");
    if (self->mode == OPEN_SOURCE) { /* a target's window may be shut for as long as it works */
        setting_set(self, "tcp_user_timeout",
                    arena_format(self->arena, "%lld", (long long)self->timeout_ms));
    }
    if (uri->path != NULL && strchr(uri->path, '=') != NULL) {
        return error_set(error, ERROR_USAGE, uri->shown,
                         "the database's name holds a '=', which libpq would take for a setting");
    }
    /* what the caller's strings were, ours are */
    for (uint32_t i = 0; i < self->setting_count; i++) {
        self->values[i] = arena_copy_string(self->arena, self->values[i]);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- what stands there */

static enum status server_process(struct postgres_database *self, PGconn *connection, char pid[24],
                                  struct error *error)
{
    PGresult *result = NULL;
    enum status status = postgres_query(self, connection, "SELECT pg_catalog.pg_backend_pid()",
                                        NULL, 0, SQL_SHORT, ERROR_NETWORK, &result, error);
    snprintf(pid, 24, "%s", status == STATUS_OK ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return status;
}

/* A pooler that keeps a session's connection gives a second session another one, though the first
 * is idle; one that does not mostly gives it the same. */
static enum status check_pooler(struct postgres_database *self, const char *mode,
                                struct error *error)
{
    PGconn *second = NULL;
    char first[24];
    char other[24];
    if (mode == NULL || strcmp(mode, "session") != 0) {
        sql_refuse_server(self->mode, self->sql.shown,
                          "a connection pooler (PgBouncer or the like) stands before the server",
                          error);
        error_hint(error, "give the server's own address; or, if the pooler keeps a session's "
                          "connection to its end (pool_mode = session), say so with "
                          "?pooler=session: in other modes snapshots, settings and locks would be "
                          "handed to others");
        return STATUS_FAILED;
    }
    if (server_process(self, self->control, first, error) != STATUS_OK ||
        postgres_connect(self, &second, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = server_process(self, second, other, error);
    postgres_disconnect(second);
    if (status == STATUS_OK && strcmp(first, other) == 0) {
        sql_refuse_server(
            self->mode, self->sql.shown,
            "the pooler before the server gives one connection to several sessions, although "
            "?pooler=session says that it does not",
            error);
        error_hint(error, "set pool_mode = session for this database, or give the server's own "
                          "address");
        return STATUS_FAILED;
    }
    return status;
}

/* Triggers fire and foreign keys answer, whatever the target's sessions have by default. */
static enum status settle_triggers(struct postgres_database *self, struct error *error)
{
    bool may = false;
    if (postgres_may_silence(self, self->control, &may, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!may) {
        sql_refuse_server(self->mode, self->sql.shown,
                          "in its sessions no trigger fires and no foreign key answers "
                          "(session_replication_role = replica), which the role may not change",
                          error);
        error_hint(error, "SHOW session_replication_role there: it is set for the server, the "
                          "database or the role; reset it, or GRANT SET ON PARAMETER "
                          "session_replication_role (PostgreSQL 15 or later)");
        return STATUS_FAILED;
    }
    self->replica = true;
    return postgres_execute(self, self->control, "SET session_replication_role = origin", SQL_SHORT,
                            ERROR_NETWORK, error);
}

static enum status check_target(struct postgres_database *self, bool read_only, bool replica,
                                struct error *error)
{
    if (self->standby) {
        sql_refuse_server(self->mode, self->sql.shown,
                          "the server is a standby, which can't be written to", error);
        error_hint(error, "give the primary's address");
        return STATUS_FAILED;
    }
    if (read_only) {
        sql_refuse_server(self->mode, self->sql.shown,
                          "its sessions are read-only (default_transaction_read_only)", error);
        error_hint(error, "SHOW default_transaction_read_only there: it is set for the server, the "
                          "database or the role; or give the primary's address");
        return STATUS_FAILED;
    }
    return replica ? settle_triggers(self, error) : STATUS_OK;
}

static enum status look_at_server(struct postgres_database *self, const char *pooler,
                                  struct error *error)
{
    PGresult *result = NULL;
    char own[16];

    self->server_version = PQserverVersion(self->control);
    sql_name_server(&self->sql.base, "PostgreSQL",
                    PQparameterStatus(self->control, "server_version"));
    if (self->server_version < VERSION_MIN) {
        return sql_refuse_server(
            self->mode, self->sql.shown,
            "the server is older than PostgreSQL 12, the oldest that is supported", error);
    }
    enum status status = postgres_catalog_query(
        self, self->control,
        "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('server_encoding'), "
        "pg_catalog.pg_backend_pid(), (SELECT setting FROM pg_catalog.pg_settings WHERE name = "
        "'deadlock_timeout'), pg_catalog.current_setting('transaction_read_only'), "
        "pg_catalog.current_setting('session_replication_role')",
        NULL, 0, SQL_SHORT, ERROR_NETWORK, &result, error);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (text_to_int64(PQgetvalue(result, 0, 3), (size_t)PQgetlength(result, 0, 3),
                      &self->deadlock_ms) != STATUS_OK) {
        self->deadlock_ms = 0;
    }
    self->standby = PQgetvalue(result, 0, 0)[0] == 't';
    self->utf8 = strcmp(PQgetvalue(result, 0, 1), "SQL_ASCII") != 0;
    snprintf(own, sizeof own, "%d", PQbackendPID(self->control));
    /* a pooler tells a process number of its own making */
    self->pooled = strcmp(PQgetvalue(result, 0, 2), own) != 0;
    bool read_only = strcmp(PQgetvalue(result, 0, 4), "on") == 0;
    bool replica = strcmp(PQgetvalue(result, 0, 5), "replica") == 0;
    PQclear(result);
    if (self->mode == OPEN_TARGET && check_target(self, read_only, replica, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return self->pooled ? check_pooler(self, pooler, error) : STATUS_OK;
}

/* ---------------------------------------------------------------- open and close */

static void postgres_close(struct database *database)
{
    struct postgres_database *self = postgres_database_of(database);
    if (self == NULL) {
        return;
    }
    postgres_disconnect(self->lock);
    free(self->locked_run);
    postgres_disconnect(self->control);
    postgres_disconnect(self->slicer);
    postgres_disconnect(self->feed_maker);
    pthread_mutex_destroy(&self->slicer_lock);
    postgres_target_forget(self);
    sql_released(database);
    arena_destroy(self->arena);
    free(self);
}

static enum status open_all(struct postgres_database *self, const struct open_options *open,
                            struct error *error)
{
    const struct uri *uri = open->uri;
    self->sql.shown = arena_copy_string(self->arena, uri->shown);
    if (choose_settings(self, uri, error) != STATUS_OK ||
        postgres_connect(self, &self->control, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    self->sql.shown = arena_format(self->arena, "%s:%s/%s", PQhost(self->control),
                                   PQport(self->control), PQdb(self->control));
    const char *pooler = uri_parameter(uri, &transhume_connector, "pooler");
    const char *origin = uri_parameter(uri, &transhume_connector, "origin");
    const char *streaming = uri_parameter(uri, &transhume_connector, "streaming");
    const char *failover = uri_parameter(uri, &transhume_connector, "failover");
    self->feed_local = origin != NULL && strcmp(origin, "none") == 0;
    self->feed_streams = streaming == NULL || strcmp(streaming, "on") == 0;
    self->feed_failover = failover == NULL || strcmp(failover, "true") == 0;
    self->spill_folder =
        open->spill_folder != NULL ? arena_copy_string(self->arena, open->spill_folder) : NULL;
    return look_at_server(self, pooler, error) == STATUS_OK
               ? postgres_choose_schemas(
                     self, open, uri_parameter(open->uri, &transhume_connector, "schema"), error)
               : STATUS_FAILED;
}

static enum status postgres_open(const struct open_options *open, struct database **database,
                                 struct error *error)
{
    struct postgres_database *self = memory_allocate_zeroed(1, sizeof *self);

    *database = NULL;
    self->arena = arena_create(0);
    pthread_mutex_init(&self->slicer_lock, NULL);
    self->sql.dialect = &postgres_dialect;
    self->sql.base.connector = &transhume_connector;
    self->sql.base.capabilities = transhume_connector.capabilities;
    self->sql.base.limits = (struct connector_limits){
        .timestamp_digits = {6, 6},
        .time_digits = {6, 6},
        .readers_max = READERS_MAX,
        .writers_max = WRITERS_MAX,
        .chunks_open_max = 1,
        .record_bytes_max = RECORD_BYTES_MAX,
        .name_bytes_max = POSTGRES_NAME_BYTES_MAX,
        .comment_bytes_max = UINT32_MAX,
        .slice_bytes = open->mode == OPEN_SOURCE ? POSTGRES_SLICE_BYTES : 0,
        .request_columns_max = RESULT_COLUMNS_MAX / 2, /* each may take another one for its size */
        .pulls_in_pieces = true,
    };
    self->mode = open->mode;
    self->tables_only = open->catalog_tables != NULL;
    self->no_code = open->no_code;
    self->timeout_ms = open->timeout_ms > 0 ? open->timeout_ms : 30000;
    if (open_all(self, open, error) != STATUS_OK) {
        postgres_close(&self->sql.base);
        return STATUS_FAILED;
    }
    *database = &self->sql.base;
    return STATUS_OK;
}

static enum status postgres_identity(struct database *database, struct arena *arena,
                                     const char **identity, struct error *error)
{
    return postgres_identity_in(database, postgres_database_of(database)->sql.schema, arena,
                                identity, error);
}

const struct connector transhume_connector = {
    .contract_version = CONNECTOR_CONTRACT_VERSION,
    .name = "postgres",
    .title = "PostgreSQL",
    .schemes = schemes,
    .uri_help = "postgres://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE",
    .capabilities = CAPABILITY_TRANSACTIONS | CAPABILITY_READS_BY_KEY | CAPABILITY_JOINS |
                    CAPABILITY_SNAPSHOT | CAPABILITY_PROVES_UNCHANGED | CAPABILITY_KEY_ENFORCED |
                    CAPABILITY_SQL_SCHEMA | CAPABILITY_REFERENCES | CAPABILITY_COUNTS_EXACT |
                    CAPABILITY_SCHEMAS,
    .guarantee = GUARANTEE_EXACTLY_ONCE,
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .types = postgres_types,
    .type_count = POSTGRES_TYPE_COUNT,
    .failpoints = failpoints,
    .open = postgres_open,
    .close = postgres_close,
    .identity = postgres_identity,
    .catalog = &postgres_catalog_functions,
    .source = &postgres_source_functions,
    .target = &postgres_target_functions,
    .sql_target = &postgres_sql_target_functions,
    .columns = &postgres_column_functions,
    .forecast = &postgres_forecast_functions,
    .trial = &sql_trial,
    .express = &postgres_express_functions,
    .store = &postgres_store_functions,
    .lock = &postgres_lock_functions,
    .rollback = &postgres_rollback_functions,
    .feed = &postgres_feed_functions,
    .apply = &postgres_apply_functions,
    .load = &postgres_load_functions,
    .alter = &postgres_alter_functions,
    .definitions = &postgres_definition_functions,
    .change = &postgres_change_functions,
    .rights = &postgres_rights_functions,
};
