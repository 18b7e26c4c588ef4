/* Making a feed and removing it: each in one transaction of the source. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "connectors/sqlite/feed_internal.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---------------------------------------------------------------- connections */

static enum status is_writable(struct sqlite_database *self, struct error *error)
{
    const char *slash = strrchr(self->path, '/');
    char folder[4096];
    int length = slash == self->path ? 1 : (int)(slash - self->path);
    snprintf(folder, sizeof folder, "%.*s", length, self->path);
    bool file = euidaccess(self->path, W_OK) == 0;
    if (file && euidaccess(folder, W_OK) == 0) {
        return STATUS_OK;
    }
    error_set_errno(error, ERROR_PERMISSION, errno, self->sql.shown,
                    file ? "the folder of the source can't be written, where SQLite makes its "
                           "journal: the triggers of a feed can't be made"
                         : "the source can't be written: the triggers of a feed can't be made");
    error_hint(error, "give write permission on the file and its folder, or migrate without "
                      "--follow");
    return STATUS_FAILED;
}

enum status feed_can_be_followed(struct sqlite_database *self, struct error *error)
{
    if (self->source != NULL && self->source->immutable) {
        error_set(error, ERROR_SOURCE_INVALID, self->sql.shown,
                  "a source that is opened with immutable=true can't be followed");
        error_hint(error, "leave the option out: something writes to the file, or there is nothing "
                          "to follow");
        return STATUS_FAILED;
    }
    return is_writable(self, error);
}

enum status feed_connect(struct sqlite_database *self, bool writes, sqlite3 **connection,
                         struct error *error)
{
    struct sqlite_file_identity found;
    *connection = NULL;
    enum status status =
        sqlite_connection_open(self->path, writes ? CONNECTION_WRITE : CONNECTION_READ,
                               self->timeout_ms, connection, error);
    if (status == STATUS_OK && self->source != NULL) {
        status =
            writes ? trust_write(self, *connection, error) : trust_follow(self, *connection, error);
        if (status == STATUS_OK && sqlite_identify(*connection, "main", &found) &&
            !sqlite_same_file(&found, &self->source->file)) {
            status = sqlite_source_check_place(self, error);
        }
    }
    if (status != STATUS_OK) {
        sqlite_connection_close(*connection);
        *connection = NULL;
    }
    return status;
}

static enum status feed_make_begin(struct sqlite_database *self, sqlite3 *connection,
                                   struct error *error)
{
    int result = sqlite3_exec(connection, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    return result == SQLITE_OK ? STATUS_OK
                               : feed_failed(self, connection, result,
                                             "a transaction of the feed can't be begun", error);
}

static enum status feed_make_end(struct sqlite_database *self, sqlite3 *connection,
                                 enum status status, struct error *error)
{
    int result =
        status == STATUS_OK ? sqlite3_exec(connection, "COMMIT", NULL, NULL, NULL) : SQLITE_OK;
    if (result != SQLITE_OK) {
        status = feed_failed(self, connection, result, "the feed can't be committed", error);
    }
    if (!sqlite3_get_autocommit(connection)) {
        sqlite3_exec(connection, "ROLLBACK", NULL, NULL, NULL);
    }
    return status;
}

/* ---------------------------------------------------------------- tables */

static enum status feed_make_refuse(const char *table, struct error *error, const char *why,
                                    const char *hint)
{
    error_set(error, ERROR_SOURCE_INVALID, table, "%s", why);
    error_hint(error, "%s", hint);
    return STATUS_FAILED;
}

enum status feed_find_table(const struct catalog *catalog, const char *name,
                            const struct catalog_table **table, struct error *error)
{
    *table = catalog_find(catalog, name);
    for (uint32_t i = 0; *table == NULL && i < catalog->schema->object_count; i++) {
        if (sqlite3_stricmp(catalog->schema->objects[i].name, name) == 0) {
            return feed_make_refuse(name, error, "it is a virtual table, which fires no triggers",
                                    "leave it out of the plan, or copy its rows without --follow");
        }
    }
    if (*table == NULL) {
        return error_set(error, ERROR_SOURCE_CHANGED, name, "there is no table of this name");
    }
    if ((*table)->schema->kind != SCHEMA_TABLE) {
        return feed_make_refuse(name, error, "it is a view, which has no changes to tell",
                                "follow the tables that it reads, or copy it without --follow");
    }
    if ((*table)->schema->belongs_to != NULL) {
        return feed_make_refuse(name, error,
                                "it belongs to a virtual table, which fires no triggers",
                                "leave it out of the plan, or copy its rows without --follow");
    }
    if ((*table)->schema->column_count > FEED_COLUMNS_MAX) {
        return feed_make_refuse(name, error,
                                "it has more than 990 columns: the log has no room for two rows "
                                "of it",
                                "leave the table out, or copy it without --follow");
    }
    return STATUS_OK;
}

/* A key can't be added to a table that is there. */
enum status feed_refuse_keyless(const char *table, struct error *error)
{
    error_set(error, ERROR_SOURCE_INVALID, table,
              "it has no primary key, and no unique index over columns that are NOT NULL: its "
              "changes can't be told from each other");
    error_hint(error,
               "where columns that are NOT NULL tell its rows apart: CREATE UNIQUE INDEX … ON %s "
               "(…); else make the table again with a PRIMARY KEY, or leave it out",
               table);
    return STATUS_FAILED;
}

enum status feed_make_table(struct sqlite_database *self, sqlite3 *connection, const char *name,
                            const struct catalog_table *table, struct arena *arena,
                            struct feed_table *made, struct error *error)
{
    const struct schema_table *schema = table->schema;
    struct buffer sql = {0};
    struct buffer uniques = {0};
    uint32_t count = 0;
    made->current = true;
    made->name = schema->name;
    made->column_count = schema->column_count;
    made->columns = arena_allocate_zeroed(arena, schema->column_count, sizeof *made->columns);
    made->types = arena_allocate_zeroed(arena, schema->column_count, sizeof *made->types);
    for (uint32_t i = 0; i < schema->column_count; i++) {
        made->columns[i] = schema->columns[i].name;
        made->types[i] =
            schema->columns[i].type.native != NULL ? schema->columns[i].type.native : "";
        made->strict |= !schema->columns[i].type.dynamic && (int32_t)i != table->rowid_column;
    }
    made->key_count = feed_find_key(table, arena, &made->key);
    if (made->key_count == 0) {
        return feed_refuse_keyless(schema->name, error);
    }
    feed_append_triggers(name, made->number, table, &sql);
    enum status status = feed_run(self, connection, &sql, error);
    feed_append_uniques(table, &uniques);
    made->uniques = sql_text(arena, &uniques);
    if (status == STATUS_OK) {
        status = feed_hash_triggers(self, connection, name, made->number, arena, &made->triggers,
                                    &count, error);
    }
    return status == STATUS_OK ? feed_list_put(self, connection, name, made, error) : status;
}

/* ---------------------------------------------------------------- making */

struct making {
    struct sqlite_database *self;
    sqlite3 *connection;
    const char *name;
    const struct followed_table *tables;
    uint32_t table_count;
    struct arena *arena;
    struct feed_list list; /* of the feed that is there */
    struct error *error;
};

void feed_append_log(const char *name, uint32_t columns, int64_t first, struct buffer *sql)
{
    sqlite_append(sql,
                  "CREATE TABLE main.%s%s (sequence INTEGER PRIMARY KEY, moment, table_number, "
                  "operation",
                  FEED_LOG, name);
    for (uint32_t i = 0; i < 2 * columns; i++) {
        buffer_format(sql, ", v%u", i);
    }
    sqlite_append(sql,
                  ");\n"
                  "INSERT INTO main.%s%s (sequence, moment, table_number, operation) VALUES (%D, "
                  "julianday('now'), 0, %d);\n",
                  FEED_LOG, name, first, FEED_MARK);
}

static enum status make_log(struct making *making, uint32_t columns, int64_t first)
{
    struct buffer sql = {0};
    feed_append_log(making->name, columns, first, &sql);
    return feed_run(making->self, making->connection, &sql, making->error);
}

static enum status make_tables(struct making *making, const struct catalog *catalog)
{
    uint32_t columns = 0;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < making->table_count && status == STATUS_OK; i++) {
        const struct catalog_table *table = NULL;
        status = feed_find_table(catalog, making->tables[i].name, &table, making->error);
        if (status == STATUS_OK && table->schema->column_count > columns) {
            columns = table->schema->column_count;
        }
    }
    status = status == STATUS_OK ? make_log(making, columns, making->list.first) : status;
    for (uint32_t i = 0; i < making->table_count && status == STATUS_OK; i++) {
        struct feed_table made = {.number = i + 1};
        status = feed_make_table(making->self, making->connection, making->name,
                                 catalog_find(catalog, making->tables[i].name), making->arena,
                                 &made, making->error);
    }
    return status;
}

static enum status log_make(struct making *making)
{
    struct catalog catalog;
    making->list.first = clock_utc_us();
    enum status status = feed_list_add(making->self, making->connection, making->name,
                                       making->list.first, making->error);
    if (status == STATUS_OK) {
        status = catalog_read(making->self, making->connection, &catalog, making->error);
    }
    if (status == STATUS_OK) {
        status = make_tables(making, &catalog);
        arena_destroy(catalog.schema->arena);
    }
    return status == STATUS_OK ? failpoint_hit("sqlite.before_feed", making->error) : status;
}

/* One that is there has to be of these tables. */
static enum status check_tables(const struct making *making)
{
    uint32_t found = 0;
    uint32_t current = 0;
    for (uint32_t i = 0; i < making->list.table_count; i++) {
        const struct feed_table *table = &making->list.tables[i];
        current += table->current;
        for (uint32_t t = 0; table->current && t < making->table_count; t++) {
            found += sqlite3_stricmp(table->name, making->tables[t].name) == 0;
        }
    }
    if (found == making->table_count && current == found) {
        return STATUS_OK;
    }
    error_set(making->error, ERROR_SOURCE_CHANGED, making->name,
              "the source has a feed of this name that follows other tables");
    error_hint(making->error, "roll the run back that it was made for, which removes it, or give "
                              "this one another name");
    return STATUS_FAILED;
}

/* Outside of it nothing is known of our own changes: the source's catalogue is as it was read. */
static enum status within(struct making *making)
{
    static const char version_sql[] = "PRAGMA main.schema_version";
    struct sqlite_source *source = making->self->source;
    int64_t before = 0;
    int64_t after = 0;
    enum status status = feed_list_read(making->self, making->connection, making->name,
                                        making->arena, &making->list, making->error);
    if (status != STATUS_END) {
        return status == STATUS_OK ? check_tables(making) : status;
    }
    status = feed_ask(making->self, making->connection, version_sql, &before, making->error);
    status = status == STATUS_OK ? log_make(making) : status;
    if (status == STATUS_OK) {
        status = feed_ask(making->self, making->connection, version_sql, &after, making->error);
    }
    if (status == STATUS_OK && source != NULL && source->catalog_read &&
        source->catalog.schema_version == before) {
        source->catalog.schema_version = after;
    }
    return status;
}

enum status sqlite_feed_create(struct database *database, const char *name,
                               const struct followed_table *tables, uint32_t table_count,
                               struct arena *arena, struct feed_start *start, struct error *error)
{
    struct making making = {.self = sqlite_database_of(database),
                            .name = name,
                            .tables = tables,
                            .table_count = table_count,
                            .arena = arena_create(0),
                            .error = error};
    enum status status = feed_can_be_followed(making.self, error);
    status =
        status == STATUS_OK ? feed_connect(making.self, true, &making.connection, error) : status;
    if (status == STATUS_OK &&
        feed_make_begin(making.self, making.connection, error) != STATUS_OK) {
        status = STATUS_FAILED;
    } else if (status == STATUS_OK) {
        status = feed_make_end(making.self, making.connection, within(&making), error);
    }
    struct feed_place first = {making.list.first, 0};
    if (status == STATUS_OK) {
        status = feed_find_place(making.self, making.connection, name, &first, error);
        status = status == STATUS_END ? STATUS_OK : status; /* `open` says what that means */
    }
    sqlite_connection_close(making.connection);
    if (status == STATUS_OK) {
        *start = (struct feed_start){.position = feed_position_of(first, arena),
                                     .snapshot = arena_copy_string(arena, name)};
        snprintf(making.self->feed_name, sizeof making.self->feed_name, "%s", name);
        status = failpoint_hit("sqlite.after_feed", error);
    }
    arena_destroy(making.arena);
    return status;
}

/* ---------------------------------------------------------------- adding tables */

static bool is_in_list(const struct feed_list *list, const char *name)
{
    bool found = false;
    for (uint32_t i = 0; i < list->table_count && !found; i++) {
        found = list->tables[i].current && sqlite3_stricmp(list->tables[i].name, name) == 0;
    }
    return found;
}

/* The log has room for rows of so many columns. */
static enum status widen_log(struct making *making, uint32_t from, uint32_t to)
{
    struct buffer sql = {0};
    for (uint32_t i = 2 * from; i < 2 * to; i++) {
        sqlite_append(&sql, "ALTER TABLE main.%s%s ADD COLUMN v%u;", FEED_LOG, making->name, i);
    }
    return feed_run(making->self, making->connection, &sql, making->error);
}

static enum status extend(struct making *making, const struct catalog *catalog)
{
    const struct feed_list *list = &making->list;
    uint32_t columns = 0;
    uint32_t number = 0;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < list->table_count; i++) {
        columns = list->tables[i].column_count > columns ? list->tables[i].column_count : columns;
        number = list->tables[i].number > number ? list->tables[i].number : number;
    }
    for (uint32_t i = 0; i < making->table_count && status == STATUS_OK; i++) {
        const struct catalog_table *table = NULL;
        struct feed_table made = {.number = number + 1};
        if (is_in_list(list, making->tables[i].name)) {
            continue;
        }
        status = feed_find_table(catalog, making->tables[i].name, &table, making->error);
        if (status == STATUS_OK && table->schema->column_count > columns) {
            status = widen_log(making, columns, table->schema->column_count);
            columns = table->schema->column_count;
        }
        status = status == STATUS_OK
                     ? feed_make_table(making->self, making->connection, making->name, table,
                                       making->arena, &made, making->error)
                     : status;
        number++;
    }
    return status == STATUS_OK ? failpoint_hit("sqlite.before_feed", making->error) : status;
}

static enum status extend_within(struct making *making)
{
    struct catalog catalog;
    enum status status = feed_list_read(making->self, making->connection, making->name,
                                        making->arena, &making->list, making->error);
    if (status == STATUS_END) {
        error_set(making->error, ERROR_FEED_LOST, making->name,
                  "there is no feed of this name any more");
        return error_hint(making->error, FEED_RESYNC);
    }
    status = status == STATUS_OK
                 ? catalog_read(making->self, making->connection, &catalog, making->error)
                 : status;
    if (status == STATUS_OK) {
        status = extend(making, &catalog);
        arena_destroy(catalog.schema->arena);
    }
    return status;
}

enum status sqlite_feed_extend(struct database *database, const char *name,
                               const struct followed_table *tables, uint32_t table_count,
                               struct error *error)
{
    struct making making = {.self = sqlite_database_of(database),
                            .name = name,
                            .tables = tables,
                            .table_count = table_count,
                            .arena = arena_create(0),
                            .error = error};
    enum status status = feed_can_be_followed(making.self, error);
    status =
        status == STATUS_OK ? feed_connect(making.self, true, &making.connection, error) : status;
    status = status == STATUS_OK ? feed_make_begin(making.self, making.connection, error) : status;
    if (status == STATUS_OK) {
        status = feed_make_end(making.self, making.connection, extend_within(&making), error);
    }
    sqlite_connection_close(making.connection);
    arena_destroy(making.arena);
    return status == STATUS_OK ? failpoint_hit("sqlite.after_feed", error) : status;
}

/* ---------------------------------------------------------------- removing */

static enum status remove_feed(struct sqlite_database *self, sqlite3 *connection, const char *name,
                               struct error *error)
{
    struct buffer sql = {0};
    sqlite_append(&sql, "DROP TABLE IF EXISTS main.%s%s", FEED_LOG, name);
    enum status status = feed_drop_triggers(self, connection, name, "*", error);
    status = status == STATUS_OK ? feed_run(self, connection, &sql, error) : status;
    buffer_free(&sql);
    return status == STATUS_OK ? feed_list_drop(self, connection, name, error) : status;
}

enum status sqlite_feed_drop(struct database *database, const char *name, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct arena *arena = arena_create(0);
    struct feed_list list;
    sqlite3 *connection = NULL;
    enum status status = feed_connect(self, false, &connection, error);
    if (status == STATUS_OK) {
        status = feed_list_read(self, connection, name, arena, &list, error);
    }
    arena_destroy(arena);
    if (status != STATUS_OK) {
        sqlite_connection_close(connection);
        return status == STATUS_END ? STATUS_OK : status;
    }
    sqlite_connection_close(connection);
    status = is_writable(self, error);
    status = status == STATUS_OK ? feed_connect(self, true, &connection, error) : status;
    if (status != STATUS_OK) {
        return status;
    }
    status = feed_make_begin(self, connection, error);
    if (status == STATUS_OK) {
        status = feed_make_end(self, connection, remove_feed(self, connection, name, error), error);
    }
    sqlite_connection_close(connection);
    return status;
}
