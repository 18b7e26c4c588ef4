/* The MySQL and MariaDB connector's descriptor: options, opening and closing of a database. */
#include "base/memory.h"
#include "connectors/common/registry.h"
#include "connectors/mysql/catalog.h"
#include "connectors/mysql/schema/definitions.h"
#include "connectors/sql/check.h"
#include "connectors/sql/link.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    READERS_MAX = 32,
    WRITERS_MAX = 16,
    RESULT_COLUMNS_MAX = 4096,
    JOINS_MAX = 60, /* 61 tables in a statement */
    VERSION_MIN = 50500,
    RECORD_BYTES_MAX = 1000 * 1000 * 1000
};

static const char *const schemes[] = {"mariadb", NULL};

static const struct connector_option options[] = {
    {.name = "socket", .type = OPTION_TEXT, .help = "Unix socket, instead of host and port"},
    {.name = "sslmode",
     .type = OPTION_CHOICE,
     .range = "disable|prefer|require|verify-full",
     .help = "default: verify-full; prefer for loopback and Unix sockets"},
    {.name = "sslrootcert",
     .type = OPTION_TEXT,
     .help = "certificates of trusted authorities; default: the system's"},
    {.name = "sslcert", .type = OPTION_TEXT, .help = "the client's certificate"},
    {.name = "sslkey", .type = OPTION_TEXT, .help = "the client's private key"},
    {.name = "option_file",
     .type = OPTION_TEXT,
     .help = "instead of ~/.my.cnf and the like; empty: none"},
    {.name = "lock",
     .type = OPTION_CHOICE,
     .default_text = "auto",
     .range = "auto|none",
     .help = "source: take a short lock for one snapshot of all readers, or not"},
    {.name = "load",
     .type = OPTION_CHOICE,
     .default_text = "auto",
     .range = "auto|data|insert",
     .help = "target: bulk INSERTs (MariaDB), else LOAD DATA LOCAL; data, insert: always that"},
    {.name = "pooler",
     .type = OPTION_CHOICE,
     .range = "refuse|session",
     .help = "schema: session: a proxy (ProxySQL, MaxScale) keeps a session's connection to its "
             "end; default: refuse proxies that are seen"},
};

static const char *const failpoints[] = {
    "mysql.after_scratch",       "mysql.before_empty",        "mysql.before_snapshot",
    "mysql.snapshot_locked",     "mysql.snapshot_taken",      "mysql.before_slice",
    "mysql.before_schema",       "mysql.after_intent",        "mysql.after_table",
    "mysql.after_schema",        "mysql.before_note",         "mysql.after_note",
    "mysql.before_keys_drop",    "mysql.after_keys_drop",     "mysql.before_trigger_drop",
    "mysql.after_trigger_drop",  "mysql.before_trigger_made", "mysql.after_trigger_made",
    "mysql.before_put_back",     "mysql.after_put_back",      "mysql.before_notes_end",
    "mysql.after_notes_end",     "mysql.chunk_begin",         "mysql.before_pull",
    "mysql.after_pull",          "mysql.before_mark",         "mysql.before_commit",
    "mysql.before_apply",        "mysql.after_apply",         "mysql.after_commit",
    "mysql.before_index",        "mysql.after_index",         "mysql.before_taking",
    "mysql.before_orphans",      "mysql.after_orphans",       "mysql.before_objects",
    "mysql.after_object",        "mysql.after_objects",       "mysql.before_remove_objects",
    "mysql.after_remove_object", "mysql.before_delete",       "mysql.after_delete",
    "mysql.before_undo",         "mysql.after_undo",          "mysql.before_remove_table",
    "mysql.after_rename",        "mysql.before_drop",         "mysql.after_remove_table",
    "mysql.before_forget",       "mysql.after_forget",        "mysql.after_sweep",
    "mysql.snapshot_begun",      "mysql.snapshot_held",       "mysql.before_fill",
    "mysql.after_fill",          "mysql.before_history",      "mysql.after_history",
    "mysql.before_alter",        "mysql.after_alter",         NULL};

/* ---------------------------------------------------------------- how to connect */

static enum mysql_tls tls_of(const char *mode, bool local)
{
    static const char *const modes[] = {"disable", "prefer", "require", "verify-full"};
    for (int i = 0; mode != NULL && i < 4; i++) {
        if (strcmp(modes[i], mode) == 0) {
            return (enum mysql_tls)i;
        }
    }
    return local ? MYSQL_TLS_PREFER : MYSQL_TLS_VERIFY_FULL;
}

static const char *mysql_keep(const struct mysql_database *self, const char *text)
{
    return text != NULL ? arena_copy_string(self->arena, text) : NULL;
}

static enum status choose_settings(struct mysql_database *self, const struct open_options *open,
                                   struct error *error)
{
    const struct uri *uri = open->uri;
    struct mysql_settings *settings = &self->settings;
    const char *socket = uri_parameter(uri, &transhume_connector, "socket");
    const char *ca = uri_parameter(uri, &transhume_connector, "sslrootcert");

    if (uri->path == NULL || uri->path[0] == '\0') {
        error_set(error, ERROR_USAGE, uri->shown, "the URI names no database");
        error_hint(error, "write it behind the host: mysql://USER@HOST/DATABASE");
        return STATUS_FAILED;
    }
    settings->local = socket != NULL || sql_is_local(uri->host);
    settings->tls = tls_of(uri_parameter(uri, &transhume_connector, "sslmode"), settings->local);
    ca = ca == NULL && settings->tls == MYSQL_TLS_VERIFY_FULL ? sql_system_roots() : ca;
    bool named = uri->host != NULL && uri->host[0] != '\0' && socket == NULL;
    /* libmariadb takes localhost for the Unix socket; with a port TCP is meant */
    const char *host =
        named && strcmp(uri->host, "localhost") == 0 && uri->port != 0 ? "127.0.0.1" : uri->host;
    settings->host = named ? mysql_keep(self, host) : NULL;
    settings->port = uri->port;
    settings->socket = mysql_keep(self, socket);
    settings->user = mysql_keep(self, uri->user);
    settings->password = mysql_keep(self, uri->password);
    settings->option_file =
        mysql_keep(self, uri_parameter(uri, &transhume_connector, "option_file"));
    settings->ca = mysql_keep(self, ca);
    settings->certificate = mysql_keep(self, uri_parameter(uri, &transhume_connector, "sslcert"));
    settings->key = mysql_keep(self, uri_parameter(uri, &transhume_connector, "sslkey"));
    bool chosen = open->schemas.count == 1 && self->mode == OPEN_SOURCE;
    self->sql.schema = mysql_keep(self, chosen ? open->schemas.names[0] : uri->path);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- what stands there */

static bool is_on(const char *value)
{
    return value != NULL && (strcmp(value, "1") == 0 || strcmp(value, "ON") == 0);
}

/* Galera's automatic splitting would commit a part of a chunk. A server that is in no cluster
 * splits nothing, though old ones have it on. */
static enum status check_cluster(struct mysql_database *self, struct error *error)
{
    MYSQL_RES *result = NULL;
    bool splits = false;
    bool alone = false;
    enum status status =
        mysql_run(self, self->control,
                  "SHOW VARIABLES WHERE Variable_name IN ('wsrep_load_data_splitting', 'wsrep_on')",
                  SQL_SHORT, ERROR_NETWORK, &result, error);
    for (MYSQL_ROW row; status == STATUS_OK && (row = mysql_fetch_row(result)) != NULL;) {
        bool on = is_on(row[1]);
        bool is_membership = row[0] != NULL && strcasecmp(row[0], "wsrep_on") == 0;
        alone = alone || (is_membership && !on);
        splits = splits || (!is_membership && on);
    }
    mysql_free_result(result);
    if (splits && !alone) {
        sql_refuse_server(
            self->mode, self->sql.shown,
            "wsrep_load_data_splitting is on: the server would commit parts of a chunk", error);
        error_hint(error, "SET GLOBAL wsrep_load_data_splitting = OFF, or say ?load=insert");
        return STATUS_FAILED;
    }
    return status;
}

/* A binary log of statements has none for it. */
static bool offers_bulk(const struct mysql_database *self)
{
    enum { PACKET_BYTES_MIN = 64 << 10 };
    unsigned long beyond = 0; /* the capabilities of MariaDB's own */
    return self->mariadb && !self->statement_log && self->packet_bytes_max >= PACKET_BYTES_MIN &&
           mariadb_get_infov(self->control, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES,
                             &beyond) == 0 &&
           (beyond & (unsigned long)(MARIADB_CLIENT_STMT_BULK_OPERATIONS >> 32)) != 0;
}

static enum status look_at_target(struct mysql_database *self, const char *load,
                                  struct error *error)
{
    MYSQL_RES *result = NULL;
    enum status status = mysql_run(
        self, self->control,
        "SELECT @@local_infile, @@log_bin, @@binlog_format, @@max_allowed_packet, @@read_only",
        SQL_SHORT, ERROR_NETWORK, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    bool read_only = false;
    if (row != NULL) {
        bool wanted = load == NULL || strcmp(load, "insert") != 0;
        self->loads = is_on(row[0]) && wanted;
        self->lacks_local = !is_on(row[0]) && wanted;
        self->statement_log = is_on(row[1]) && row[2] != NULL && strcmp(row[2], "STATEMENT") == 0;
        read_only = row[4] != NULL && strcmp(row[4], "0") != 0 && strcmp(row[4], "OFF") != 0;
        if (row[3] == NULL ||
            text_to_uint64(row[3], strlen(row[3]), &self->packet_bytes_max) != STATUS_OK) {
            self->packet_bytes_max = 1 << 20;
        }
        bool data = load != NULL && strcmp(load, "data") == 0;
        self->takes_bulk = wanted && !data && offers_bulk(self);
    }
    mysql_free_result(result);
    if (read_only) {
        sql_refuse_server(self->mode, self->sql.shown, "the server is read-only", error);
        error_hint(error, "give the primary's address");
        return STATUS_FAILED;
    }
    return status == STATUS_OK && self->loads ? check_cluster(self, error) : status;
}

/* One database has one name then, however it is written: locks and the identity are made of it. */
static enum status name_as_server(struct mysql_database *self, struct error *error)
{
    MYSQL_RES *result = NULL;
    enum status status =
        mysql_run_buffer(self, self->control,
                         mysql_sql("SELECT schema_name FROM information_schema.schemata WHERE "
                                   "CAST(LOWER(schema_name) AS BINARY) = CAST(LOWER(%q) AS BINARY)",
                                   self->sql.schema),
                         SQL_SHORT, ERROR_NETWORK, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    if (row != NULL && row[0] != NULL) {
        self->sql.schema = mysql_keep(self, row[0]);
    }
    mysql_free_result(result);
    return status;
}

/* MariaDB has no partial_revokes, nor has an older MySQL, which does not know the variable. */
static enum status see_grants(struct mysql_database *self, struct error *error)
{
    MYSQL_RES *result = NULL;
    if (self->mariadb) {
        return STATUS_OK;
    }
    enum status status = mysql_run(self, self->control, "SHOW VARIABLES LIKE 'partial_revokes'",
                                   SQL_SHORT, ERROR_NETWORK, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    self->grants_literally = row != NULL && row[1] != NULL && strcmp(row[1], "ON") == 0;
    mysql_free_result(result);
    return status;
}

static enum status look_at_server(struct mysql_database *self, const char *load,
                                  struct error *error)
{
    int64_t folds = 0;
    self->version = mysql_get_server_version(self->control);
    self->mariadb = mariadb_connection(self->control) != 0;
    sql_name_server(&self->sql.base, self->mariadb ? "MariaDB" : "MySQL",
                    mysql_get_server_info(self->control));
    if (self->version < VERSION_MIN) {
        return sql_refuse_server(self->mode, self->sql.shown,
                                 "the server is older than MySQL 5.5, the oldest that is supported",
                                 error);
    }
    enum status status =
        mysql_ask_number(self, self->control, mysql_sql("SELECT @@lower_case_table_names"),
                         SQL_SHORT, ERROR_NETWORK, 0, &folds, error);
    self->folds_names = folds != 0;
    status = status == STATUS_OK ? see_grants(self, error) : status;
    if (self->folds_names) {
        self->sql.base.capabilities |= CAPABILITY_FOLDED_NAMES;
        status = status == STATUS_OK ? name_as_server(self, error) : status;
    }
    return status == STATUS_OK && self->mode == OPEN_TARGET ? look_at_target(self, load, error)
                                                            : status;
}

/* ---------------------------------------------------------------- open and close */

static void mysql_close_database(struct database *database)
{
    struct mysql_database *self = mysql_database_of(database);
    if (self == NULL) {
        return;
    }
    while (self->pool_count > 0) {
        mysql_disconnect(self->pool[--self->pool_count]);
    }
    mysql_disconnect(self->slicer);
    mysql_disconnect(self->lock);
    mysql_forget_seen(self);
    mysql_disconnect(self->control);
    pthread_mutex_destroy(&self->slicer_lock);
    pthread_mutex_destroy(&self->pool_lock);
    free(self->locked_run);
    sql_released(database);
    arena_destroy(self->arena);
    free(self);
}

/* The session begins anew where it was begun before it was known what the server can do. */
static enum status open_all(struct mysql_database *self, const struct open_options *open,
                            struct error *error)
{
    const struct uri *uri = open->uri;
    const char *pooler = uri_parameter(uri, &transhume_connector, "pooler");
    self->trusts_pooler = pooler != NULL && strcmp(pooler, "session") == 0;
    const char *load = uri_parameter(uri, &transhume_connector, "load");
    self->sql.shown = arena_copy_string(self->arena, uri->shown);
    if (choose_settings(self, open, error) != STATUS_OK ||
        mysql_connect(self, &self->control, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *host = self->settings.socket != NULL ? self->settings.socket
                       : self->settings.host != NULL ? self->settings.host
                                                     : "localhost";
    self->sql.shown = self->settings.socket != NULL || self->settings.host == NULL
                          ? arena_format(self->arena, "%s/%s", host, self->sql.schema)
                          : arena_format(self->arena, "%s:%u/%s", host,
                                         self->settings.port != 0 ? self->settings.port : 3306u,
                                         self->sql.schema);
    if (look_at_server(self, load, error) != STATUS_OK ||
        mysql_choose_databases(self, open, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!self->statement_log) {
        return STATUS_OK;
    }
    mysql_disconnect(self->control);
    self->control = NULL;
    return mysql_connect(self, &self->control, error);
}

static enum status mysql_open(const struct open_options *open, struct database **database,
                              struct error *error)
{
    struct mysql_database *self = memory_allocate_zeroed(1, sizeof *self);

    *database = NULL;
    self->arena = arena_create(0);
    pthread_mutex_init(&self->pool_lock, NULL);
    pthread_mutex_init(&self->slicer_lock, NULL);
    self->sql.dialect = &mysql_dialect;
    self->sql.base.connector = &transhume_connector;
    self->sql.base.capabilities = transhume_connector.capabilities;
    self->sql.base.limits = (struct connector_limits){
        .timestamp_digits = {6, 6},
        .time_digits = {6, 6},
        .readers_max = READERS_MAX,
        .writers_max = WRITERS_MAX,
        .chunks_open_max = 1,
        .record_bytes_max = RECORD_BYTES_MAX,
        .name_bytes_max = MYSQL_NAME_CHARACTERS_MAX,
        .comment_bytes_max = MYSQL_COMMENT_BYTES_MAX,
        .request_columns_max = RESULT_COLUMNS_MAX,
        .request_joins_max = JOINS_MAX,
        .pulls_in_pieces = true,
    };
    self->mode = open->mode;
    self->tables_only = open->catalog_tables != NULL;
    self->timeout_ms = open->timeout_ms > 0 ? open->timeout_ms : 30000;
    const char *lock = uri_parameter(open->uri, &transhume_connector, "lock");
    self->spill_folder = open->spill_folder;
    self->lockless = lock != NULL && strcmp(lock, "none") == 0;
    if (open_all(self, open, error) != STATUS_OK) {
        mysql_close_database(&self->sql.base);
        return STATUS_FAILED;
    }
    *database = &self->sql.base;
    return STATUS_OK;
}

static enum status mysql_identity(struct database *database, struct arena *arena,
                                  const char **identity, struct error *error)
{
    return mysql_identity_in(database, mysql_database_of(database)->sql.schema, arena, identity,
                             error);
}

const struct connector transhume_connector = {
    .contract_version = CONNECTOR_CONTRACT_VERSION,
    .name = "mysql",
    .title = "MySQL and MariaDB",
    .schemes = schemes,
    .uri_help = "mysql://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE",
    .capabilities = CAPABILITY_TRANSACTIONS | CAPABILITY_READS_BY_KEY | CAPABILITY_JOINS |
                    CAPABILITY_SNAPSHOT | CAPABILITY_PROVES_UNCHANGED | CAPABILITY_KEY_ENFORCED |
                    CAPABILITY_SQL_SCHEMA | CAPABILITY_REFERENCES | CAPABILITY_COUNTS_EXACT |
                    CAPABILITY_SCHEMAS,
    .guarantee = GUARANTEE_EXACTLY_ONCE,
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .types = mysql_types,
    .type_count = MYSQL_TYPE_COUNT,
    .failpoints = failpoints,
    .open = mysql_open,
    .close = mysql_close_database,
    .identity = mysql_identity,
    .catalog = &mysql_catalog_functions,
    .source = &mysql_source_functions,
    .target = &mysql_target_functions,
    .sql_target = &mysql_sql_target_functions,
    .columns = &mysql_column_functions,
    .forecast = &mysql_forecast_functions,
    .trial = &sql_trial,
    .express = &mysql_express_functions,
    .store = &mysql_store_functions,
    .lock = &mysql_lock_functions,
    .rollback = &mysql_rollback_functions,
    .load = &mysql_load_functions,
    .definitions = &mysql_definition_functions,
    .feed = &mysql_feed_functions,
    .apply = &mysql_apply_functions,
    .alter = &mysql_alter_functions,
    .change = &mysql_change_functions,
    .rights = &mysql_rights_functions,
};
