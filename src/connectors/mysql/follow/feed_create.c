/* Beginning a feed: what the server and the tables have to be like, and where the log ends then. */
#include "base/log.h"
#include "connectors/mysql/follow/feed.h"
#include "connectors/mysql/source.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- the server */

static const struct {
    const char *variable;
    const char *wanted;
    const char *hint;
} settings[] = {
    {"log_bin", "ON", "begin the server with --log-bin; the changes are read from its binary log"},
    {"binlog_format", "ROW", "SET GLOBAL binlog_format = ROW, and begin sessions anew"},
    {"binlog_row_image", "FULL", "SET GLOBAL binlog_row_image = FULL, and begin sessions anew"},
    {"binlog_row_value_options", "",
     "SET GLOBAL binlog_row_value_options = '', and begin sessions anew"},
};

static enum status refuse_setting(struct mysql_database *self, size_t number, const char *value,
                                  struct error *error)
{
    error_set(error, ERROR_SOURCE_INVALID, self->sql.shown, "%s is '%s': changes can't be followed",
              settings[number].variable, value);
    return error_hint(error, "%s", settings[number].hint);
}

static enum status check_settings(struct mysql_database *self, MYSQL *connection,
                                  struct lack_list *lacks, struct error *error)
{
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    bool names = false;
    char wrong[sizeof settings / sizeof settings[0]][32] = {{0}}; /* values, a setting each */
    buffer_append_string(&sql,
                         "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('binlog_row_metadata'");
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        buffer_format(&sql, ", '%s'", settings[i].variable);
    }
    buffer_append_byte(&sql, ')');
    enum status status =
        mysql_run_buffer(self, connection, &sql, SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    for (MYSQL_ROW row; status == STATUS_OK && (row = mysql_fetch_row(result)) != NULL;) {
        names = names || (strcmp(row[0], "binlog_row_metadata") == 0 && row[1] != NULL &&
                          strcasecmp(row[1], "FULL") == 0);
        for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
            if (strcmp(row[0], settings[i].variable) == 0 && row[1] != NULL &&
                strcasecmp(row[1], settings[i].wanted) != 0) {
                snprintf(wrong[i], sizeof wrong[i], "%s", row[1]);
            }
        }
    }
    mysql_free_result(result);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0] && status == STATUS_OK; i++) {
        if (wrong[i][0] != '\0') {
            status = lacks_take(lacks, refuse_setting(self, i, wrong[i], error), error);
        }
    }
    if (status == STATUS_OK && !names) {
        log_write(LOG_WARNING,
                  "%s: the binary log does not name columns: no followed table may be altered. "
                  "SET GLOBAL binlog_row_metadata = FULL",
                  self->sql.shown);
    }
    return status;
}

static bool holds_name(const char *list, const char *name)
{
    size_t length = strlen(name);
    const char *at = list;
    while (at != NULL && *at != '\0') {
        size_t part = strcspn(at, ",");
        if (part == length && strncmp(at, name, length) == 0) {
            return true;
        }
        at += part + (at[part] == ',');
    }
    return false;
}

/* A server may leave databases out of its log. */
static enum status check_logged(struct mysql_database *self, MYSQL *connection, struct error *error)
{
    enum { ONLY = 2, NOT = 3, COLUMNS = 4, RENAMED = 80200 };
    MYSQL_RES *result = NULL;
    bool renamed = !self->mariadb && self->version >= RENAMED;
    enum status status =
        mysql_run(self, connection, renamed ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS",
                  SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    MYSQL_ROW row = status == STATUS_OK && result != NULL && mysql_num_fields(result) >= COLUMNS
                        ? mysql_fetch_row(result)
                        : NULL;
    if (row != NULL &&
        ((row[ONLY] != NULL && row[ONLY][0] != '\0' && !holds_name(row[ONLY], self->sql.schema)) ||
         (row[NOT] != NULL && holds_name(row[NOT], self->sql.schema)))) {
        error_set(error, ERROR_SOURCE_INVALID, self->sql.shown,
                  "the server leaves database %s out of its binary log", self->sql.schema);
        status = error_hint(error, "take it out of binlog-ignore-db, or into binlog-do-db");
    }
    mysql_free_result(result);
    return status;
}

/* By what the account was granted itself; of one that has rights by a role the trial says more. */
static enum status check_rights(struct mysql_database *self, MYSQL *connection, bool *missing,
                                struct error *error)
{
    static const struct {
        const char *right;
        const char *names; /* under any of them a server lists it */
    } wanted[] = {{"REPLICATION SLAVE", "'REPLICATION SLAVE', 'SUPER'"},
                  {"REPLICATION CLIENT", "'REPLICATION CLIENT', 'BINLOG MONITOR', 'SUPER'"}};
    struct buffer grant = {0};
    enum status status = STATUS_OK;
    *missing = false;
    if (mysql_has_other_rights(self, connection)) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0] && status == STATUS_OK; i++) {
        int64_t count = 1;
        status = mysql_ask_number(
            self, connection,
            mysql_sql("SELECT COUNT(*) FROM information_schema.user_privileges g WHERE "
                      "g.privilege_type IN (%s) AND g.grantee = " MYSQL_GRANTEE,
                      wanted[i].names),
            SQL_SHORT, ERROR_SOURCE_READ, 0, &count, error);
        if (status == STATUS_OK && count == 0) {
            buffer_format(&grant, "%s%s", grant.length > 0 ? ", " : "GRANT ", wanted[i].right);
        }
    }
    if (status == STATUS_OK && grant.length > 0) {
        *missing = true;
        error_set(error, ERROR_PERMISSION, self->sql.shown,
                  "the account may not read the binary log");
        buffer_append_string(&grant, " ON *.*");
        mysql_hint_grant(self, connection, buffer_string(&grant), error);
        status = STATUS_FAILED;
    }
    buffer_free(&grant);
    return status;
}

/* The account is told here what it may not do, rather than when the copy is done. */
static enum status try_reading(struct mysql_database *self, const char *name,
                               const struct feed_place *place, struct error *error)
{
    MYSQL *stream = NULL;
    const uint8_t *bytes = NULL;
    size_t length = 0;
    enum status status = mysql_connect(self, &stream, error);
    if (status == STATUS_OK) {
        status = place->number > 0 ? mysql_feed_start(self, stream, name, place, false, error)
                                   : mysql_feed_start_behind(self, stream, name, place, error);
    }
    status = status == STATUS_OK ? mysql_feed_receive(self, stream, name, &bytes, &length, error)
                                 : status;
    if (stream != NULL) {
        mysql_break_off(stream);
    }
    mysql_disconnect(stream);
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- the tables */

static enum status check_engine(const struct mysql_table *table, const char *name,
                                const char *quoted, struct error *error)
{
    if (table->engine == NULL || strcasecmp(table->engine, "InnoDB") == 0) {
        return STATUS_OK;
    }
    error_set(error, ERROR_SOURCE_INVALID, name,
              "its engine is %s, whose changes are in no transaction", table->engine);
    return error_hint(error, "ALTER TABLE %s ENGINE = InnoDB", quoted);
}

static enum status check_versioning(const struct mysql_table *table, const char *name,
                                    const char *quoted, struct error *error)
{
    if (table->schema->details == NULL ||
        strstr(table->schema->details, "WITH SYSTEM VERSIONING") == NULL) {
        return STATUS_OK;
    }
    error_set(error, ERROR_SOURCE_INVALID, name,
              "it has system versioning, of which the binary log tells former rows, too");
    return error_hint(error,
                      "leave it out (--exclude), or ALTER TABLE %s DROP SYSTEM "
                      "VERSIONING",
                      quoted);
}

static enum status check_table(struct mysql_database *self, const struct mysql_catalog *catalog,
                               const char *name, struct lack_list *lacks, struct error *error)
{
    const struct mysql_table *table = mysql_catalog_find(catalog, name);
    struct buffer quoted = {0};
    if (table == NULL || table->schema->kind != SCHEMA_TABLE ||
        mysql_database_elsewhere(self, name) != NULL) {
        return error_set(error, ERROR_SOURCE_INVALID, name,
                         "it is no table of database %s, and can't be followed", self->sql.schema);
    }
    mysql_append_name(&quoted, name);
    const char *shown = buffer_string(&quoted);
    enum status status = lacks_take(lacks, check_engine(table, name, shown, error), error);
    status = status == STATUS_OK
                 ? lacks_take(lacks, check_versioning(table, name, shown, error), error)
                 : status;
    buffer_free(&quoted);
    return status;
}

static enum status check_tables(struct mysql_database *self, const struct followed_table *tables,
                                uint32_t table_count, struct lack_list *lacks, struct error *error)
{
    const struct mysql_catalog *catalog = NULL;
    enum status status = mysql_catalog_get(self, &catalog, error);
    for (uint32_t i = 0; i < table_count && status == STATUS_OK; i++) {
        status = lacks_take(lacks, check_table(self, catalog, tables[i].name, lacks, error), error);
    }
    return status;
}

static bool has_whole(const struct mysql_catalog *catalog, const struct followed_table *tables,
                      uint32_t table_count)
{
    bool has = false;
    for (uint32_t i = 0; i < table_count && !has; i++) {
        const struct mysql_table *table = mysql_catalog_find(catalog, tables[i].name);
        has = table != NULL && schema_row_key(table->schema).count == 0;
    }
    return has;
}

/* A table without a key has to be read at a known place of the log, for which its writers are
 * locked out for a moment (snapshot.c). By what the account was granted itself. */
static enum status check_lock(struct mysql_database *self, MYSQL *connection,
                              const struct followed_table *tables, uint32_t table_count,
                              struct error *error)
{
    const struct mysql_catalog *catalog = NULL;
    struct buffer sql = {0};
    struct buffer grant = {0};
    int64_t count = 1;
    if (mysql_catalog_get(self, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!has_whole(catalog, tables, table_count)) {
        return STATUS_OK;
    }
    if (self->lockless) {
        error_set(
            error, ERROR_SOURCE_INVALID, self->sql.shown,
            "tables without a key are read at a known place of the log, which ?lock=none does "
            "not allow");
        return error_hint(error, "leave out ?lock=none");
    }
    if (mysql_has_other_rights(self, connection)) {
        return STATUS_OK;
    }
    mysql_append(&sql,
                 "SELECT (SELECT COUNT(*) FROM information_schema.user_privileges g WHERE "
                 "g.privilege_type IN ('RELOAD', 'LOCK TABLES') AND g.grantee = " MYSQL_GRANTEE
                 ") + (SELECT COUNT(*) FROM information_schema.schema_privileges g WHERE "
                 "g.privilege_type = 'LOCK TABLES' AND g.grantee = " MYSQL_GRANTEE
                 " AND %q LIKE g.table_schema)",
                 self->sql.schema);
    if (mysql_ask_number(self, connection, &sql, SQL_SHORT, ERROR_SOURCE_READ, 0, &count, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (count > 0) {
        return STATUS_OK;
    }
    error_set(error, ERROR_PERMISSION, self->sql.shown,
              "tables without a key are read at a known place of the log, and the account may lock "
              "neither the server (RELOAD) nor its tables");
    buffer_append_string(&grant, "GRANT LOCK TABLES ON ");
    mysql_append_all_of(&grant, self, connection, NULL, self->sql.schema);
    mysql_hint_grant(self, connection, buffer_string(&grant), error);
    buffer_free(&grant);
    return STATUS_FAILED;
}

/* ---------------------------------------------------------------- making and dropping */

enum status mysql_feed_check(struct mysql_database *self, const char *name,
                             const struct followed_table *tables, uint32_t table_count,
                             struct arena *arena, struct feed_place *place, struct lack_list *lacks,
                             struct error *error)
{
    MYSQL *asking = NULL;
    bool lacks_rights = false;
    enum status status = mysql_connect(self, &asking, error);
    uint32_t before = lacks != NULL ? lacks->count : 0;
    status = status == STATUS_OK ? check_settings(self, asking, lacks, error) : status;
    bool is_set = lacks == NULL || lacks->count == before;
    if (status == STATUS_OK && lacks != NULL) {
        status = lacks_take(lacks, check_rights(self, asking, &lacks_rights, error), error);
    }
    status = status == STATUS_OK ? check_tables(self, tables, table_count, lacks, error) : status;
    status = status == STATUS_OK
                 ? lacks_take(lacks, check_lock(self, asking, tables, table_count, error), error)
                 : status;
    bool readable =
        is_set && !lacks_rights; /* else the trial would fail for what is told already */
    if (status == STATUS_OK && readable) {
        status = lacks_take(lacks, mysql_feed_seen(self, asking, arena, place, error), error);
    }
    if (status == STATUS_OK && !lacks_rights) {
        status = lacks_take(lacks, check_logged(self, asking, error), error);
    }
    readable = readable && (lacks == NULL || place->number > 0 || place->has_gtids);
    if (status == STATUS_OK && readable) {
        status = lacks_take(lacks, try_reading(self, name, place, error), error);
    }
    mysql_disconnect(asking);
    return status;
}

enum status mysql_feed_create(struct database *database, const char *name,
                              const struct followed_table *tables, uint32_t table_count,
                              struct arena *arena, struct feed_start *start, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    struct feed_place place = {0};
    *start = (struct feed_start){0};
    if (mysql_feed_check(self, name, tables, table_count, arena, &place, NULL, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    mysql_feed_put_place(&place, arena, &start->position);
    start->snapshot = "at its own moment";
    return STATUS_OK;
}

enum status mysql_feed_drop(struct database *database, const char *name, struct error *error)
{
    (void)database;
    (void)name;
    (void)error;
    return STATUS_OK;
}

enum status mysql_feed_note_moment(struct mysql_database *self, struct arena *arena,
                                   struct error *error)
{
    struct feed_place place;
    if (self->sql.base.moment == NULL) {
        return STATUS_OK;
    }
    enum status status = mysql_feed_now(self, self->control, arena, &place, error);
    if (status == STATUS_OK) {
        struct position *position = arena_allocate_zeroed(arena, 1, sizeof *position);
        mysql_feed_put_place(&place, arena, position);
        self->sql.base.moment_position = position;
    }
    return status;
}
