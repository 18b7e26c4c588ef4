/*
 * The list of feeds: the table _transhume_feeds, with a row for each
 *
 *   feed   number 0, ordinal 0      value: the sequence of the log's first row
 *          number 0, ordinal 1      value: the last sequence that the first copy holds, or NULL
 *   table  number 1 …, ordinal 0    name; type: "strict" or ""; value: 1 while its triggers are
 * made so ordinal -1   name: the hash of the triggers; type: those of unique keys column ordinal 1
 * …  name; type: as declared; value: its part of the key, from 1
 */
#include "connectors/sqlite/feed_internal.h"
#include <inttypes.h>
#include <string.h>

enum { MOMENT_TRIES = 100 };

static const char make_list[] =
    "CREATE TABLE IF NOT EXISTS main." FEED_LIST
    " (feed TEXT NOT NULL, number INTEGER NOT NULL, ordinal INTEGER NOT NULL, name TEXT, type TEXT,"
    " value INTEGER, PRIMARY KEY (feed, number, ordinal)) WITHOUT ROWID";

void feed_append_list(struct buffer *sql)
{
    buffer_append_string(sql, make_list);
}

enum status feed_failed(struct sqlite_database *self, sqlite3 *connection, int result,
                        const char *doing, struct error *error)
{
    return sqlite_error(connection, result, OPEN_SOURCE, ERROR_SOURCE_READ, self->sql.shown, doing,
                        error);
}

enum status feed_run(struct sqlite_database *self, sqlite3 *connection, struct buffer *sql,
                     struct error *error)
{
    int result = sqlite3_exec(connection, buffer_string(sql), NULL, NULL, NULL);
    buffer_free(sql);
    return result == SQLITE_OK
               ? STATUS_OK
               : feed_failed(self, connection, result, "the feed can't be worked on", error);
}

enum status feed_ask(struct sqlite_database *self, sqlite3 *connection, const char *sql,
                     int64_t *number, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(connection, sql, -1, &statement, NULL);
    enum status status = STATUS_END;
    *number = 0;
    result = result == SQLITE_OK ? sqlite3_step(statement) : result;
    if (result == SQLITE_ROW) {
        status = sqlite3_column_type(statement, 0) == SQLITE_NULL ? STATUS_END : STATUS_OK;
        *number = sqlite3_column_int64(statement, 0);
    } else if (result != SQLITE_DONE) {
        status = feed_failed(self, connection, result, "the feed can't be read", error);
    }
    sqlite3_finalize(statement);
    return status;
}

/* ---------------------------------------------------------------- reading */

struct reading {
    struct arena *arena;
    struct feed_list *list;
    uint32_t table_capacity;
    uint32_t column_capacity;
    bool found;
};

static void take_column(struct reading *reading, sqlite3_stmt *row, struct feed_table *table)
{
    uint32_t at = table->column_count;
    uint32_t part = (uint32_t)sqlite3_column_int(row, 4);
    if (at == reading->column_capacity) {
        uint32_t capacity = at;
        table->columns =
            arena_grow_list(reading->arena, table->columns, at, &capacity, sizeof *table->columns);
        capacity = at;
        table->types =
            arena_grow_list(reading->arena, table->types, at, &capacity, sizeof *table->types);
        reading->column_capacity = capacity;
        uint32_t *key = arena_allocate_zeroed(reading->arena, capacity + 1u, sizeof *key);
        if (table->key_count > 0) {
            memcpy(key, table->key, table->key_count * sizeof *key);
        }
        table->key = key;
    }
    sqlite_copy_text(row, 2, reading->arena, &table->columns[at]);
    sqlite_copy_text(row, 3, reading->arena, &table->types[at]);
    if (part > 0 && part <= reading->column_capacity) {
        table->key[part - 1] = at;
        table->key_count = part > table->key_count ? part : table->key_count;
    }
    table->column_count++;
}

static void take_row(struct reading *reading, sqlite3_stmt *row)
{
    struct feed_list *list = reading->list;
    uint32_t number = (uint32_t)sqlite3_column_int64(row, 0);
    int64_t ordinal = sqlite3_column_int64(row, 1);
    reading->found = true;
    if (number == 0) {
        *(ordinal == 0 ? &list->first : &list->snapshot) = sqlite3_column_int64(row, 4);
        return;
    }
    if (list->table_count == 0 || list->tables[list->table_count - 1].number != number) {
        if (list->table_count == reading->table_capacity) {
            list->tables = arena_grow_list(reading->arena, list->tables, list->table_count,
                                           &reading->table_capacity, sizeof *list->tables);
        }
        list->tables[list->table_count++] = (struct feed_table){.number = number};
        reading->column_capacity = 0;
    }
    struct feed_table *table = &list->tables[list->table_count - 1];
    if (ordinal > 0) {
        take_column(reading, row, table);
    } else if (ordinal == 0) {
        sqlite_copy_text(row, 2, reading->arena, &table->name);
        const char *type = sqlite_text_of(row, 3);
        table->strict = type != NULL && strcmp(type, "strict") == 0;
        table->current = sqlite3_column_int(row, 4) != 0;
    } else {
        sqlite_copy_text(row, 2, reading->arena, &table->triggers);
        sqlite_copy_text(row, 3, reading->arena, &table->uniques);
    }
}

/* The file is somebody else's: what it says of a feed may be anything. */
static bool is_sound(const struct feed_table *table)
{
    bool sound = table->name != NULL && table->triggers != NULL && table->uniques != NULL &&
                 table->column_count > 0 && table->column_count <= FEED_COLUMNS_MAX &&
                 table->key_count > 0 && table->key_count <= table->column_count;
    for (uint32_t i = 0; sound && i < table->column_count; i++) {
        sound = table->columns[i] != NULL && table->types[i] != NULL;
    }
    for (uint32_t part = 0; sound && part < table->key_count; part++) {
        sound = table->key[part] < table->column_count &&
                (part == 0 || table->key[part] != table->key[part - 1]);
    }
    return sound;
}

static enum status check_list(const struct feed_list *list, const char *name, struct error *error)
{
    bool sound = list->first > 0;
    for (uint32_t i = 0; sound && i < list->table_count; i++) {
        sound = is_sound(&list->tables[i]);
    }
    if (sound) {
        return STATUS_OK;
    }
    error_set(error, ERROR_FEED_LOST, FEED_LIST, "what it says of the feed %s is damaged", name);
    error_hint(error, "it was edited: copy the source anew, with a feed of another name");
    return STATUS_FAILED;
}

enum status feed_list_read(struct sqlite_database *self, sqlite3 *connection, const char *name,
                           struct arena *arena, struct feed_list *list, struct error *error)
{
    struct reading reading = {.arena = arena, .list = list};
    sqlite3_stmt *statement = NULL;
    int64_t there = 0;
    *list = (struct feed_list){0};
    enum status status = sqlite_check_feeds(self, connection, error);
    if (status == STATUS_OK) {
        status = feed_ask(self, connection,
                          "SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND "
                          "name = '" FEED_LIST "'",
                          &there, error);
    }
    if (status != STATUS_OK || there == 0) {
        return status == STATUS_OK ? STATUS_END : status;
    }
    int result = sqlite3_prepare_v2(connection,
                                    "SELECT number, ordinal, name, type, value FROM main." FEED_LIST
                                    " WHERE feed = ?1 ORDER BY number, ordinal",
                                    -1, &statement, NULL);
    if (result == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
        while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
            take_row(&reading, statement);
        }
    }
    sqlite3_finalize(statement);
    return result != SQLITE_DONE
               ? feed_failed(self, connection, result, "the list of feeds can't be read", error)
           : reading.found ? check_list(list, name, error)
                           : STATUS_END;
}

/* ---------------------------------------------------------------- writing */

struct list_row {
    int64_t number;
    int64_t ordinal;
    const char *name;
    const char *type;
    int64_t value;
};

static enum status put_row(struct sqlite_database *self, sqlite3 *connection, const char *feed,
                           struct list_row row, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(
        connection, "INSERT OR REPLACE INTO main." FEED_LIST " VALUES (?1, ?2, ?3, ?4, ?5, ?6)", -1,
        &statement, NULL);
    if (result == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, feed, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, row.number);
        sqlite3_bind_int64(statement, 3, row.ordinal);
        sqlite3_bind_text(statement, 4, row.name, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 5, row.type, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 6, row.value);
        result = sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    return result == SQLITE_DONE
               ? STATUS_OK
               : feed_failed(self, connection, result, "the list of feeds can't be written", error);
}

enum status feed_list_add(struct sqlite_database *self, sqlite3 *connection, const char *name,
                          int64_t first, struct error *error)
{
    enum status status = feed_run(self, connection, sqlite_sql("%s", make_list), error);
    return status == STATUS_OK
               ? put_row(self, connection, name, (struct list_row){.value = first}, error)
               : status;
}

static int64_t part_of(const struct feed_table *table, uint32_t column)
{
    for (uint32_t part = 0; part < table->key_count; part++) {
        if (table->key[part] == column) {
            return part + 1;
        }
    }
    return 0;
}

enum status feed_list_put(struct sqlite_database *self, sqlite3 *connection, const char *name,
                          const struct feed_table *table, struct error *error)
{
    enum status status =
        put_row(self, connection, name,
                (struct list_row){table->number, -1, table->triggers, table->uniques, 0}, error);
    if (status == STATUS_OK) {
        status = put_row(self, connection, name,
                         (struct list_row){table->number, 0, table->name,
                                           table->strict ? "strict" : "", table->current},
                         error);
    }
    for (uint32_t i = 0; i < table->column_count && status == STATUS_OK; i++) {
        status = put_row(self, connection, name,
                         (struct list_row){table->number, (int64_t)i + 1, table->columns[i],
                                           table->types[i], part_of(table, i)},
                         error);
    }
    return status;
}

enum status feed_list_drop(struct sqlite_database *self, sqlite3 *connection, const char *name,
                           struct error *error)
{
    struct buffer sql = {0};
    int64_t left = 0;
    sqlite_append(&sql, "DELETE FROM main." FEED_LIST " WHERE feed = '%s'", name);
    enum status status = feed_run(self, connection, &sql, error);
    if (status == STATUS_OK) {
        status = feed_ask(self, connection, "SELECT count(*) FROM main." FEED_LIST, &left, error);
    }
    if (status != STATUS_OK || left > 0) {
        return status;
    }
    buffer_append_string(&sql, "DROP TABLE main." FEED_LIST);
    return feed_run(self, connection, &sql, error);
}

/* ---------------------------------------------------------------- the moment of a copy */

static enum status feed_list_execute(struct sqlite_database *self, sqlite3 *helper,
                                     const struct buffer *text, struct error *error)
{
    struct buffer sql = {0};
    buffer_append_buffer(&sql, text);
    return feed_run(self, helper, &sql, error);
}

struct moment {
    struct buffer note;   /* writes the log's last sequence down, and lets the writers go on */
    struct buffer forget; /* the note */
    struct buffer is_noted;
    struct buffer is_right; /* 1: nobody has written since */
};

/*
 * Readers that have begun may keep a commit from being made (without WAL), so the sequence is noted
 * before: then the lock is taken again, and if nobody was quicker, the note is right.
 */
static enum status fix(struct sqlite_database *self, sqlite3 *helper, const struct moment *moment,
                       struct error *error)
{
    enum status status = STATUS_OK;
    int64_t right = 0;
    for (int i = 0; i < MOMENT_TRIES && status == STATUS_OK && right == 0; i++) {
        status = feed_list_execute(self, helper, &moment->note, error);
        if (status == STATUS_OK) {
            status = feed_ask(self, helper, moment->is_right.data, &right, error);
        }
    }
    return status == STATUS_OK && right == 0
               ? feed_list_execute(self, helper, &moment->forget, error)
               : status;
}

enum status feed_fix_moment(struct sqlite_database *self, sqlite3 *helper, const char *name,
                            struct error *error)
{
    struct moment moment = {0};
    int64_t noted = 0;
    sqlite_append(&moment.note,
                  "INSERT OR REPLACE INTO main." FEED_LIST " (feed, number, ordinal, value)"
                  " SELECT '%s', 0, 1, max(sequence) FROM main." FEED_LOG "%s;"
                  " COMMIT; BEGIN IMMEDIATE",
                  name, name);
    sqlite_append(&moment.forget,
                  "DELETE FROM main." FEED_LIST " WHERE feed = '%s' AND number = 0 AND ordinal = 1;"
                  " COMMIT; BEGIN IMMEDIATE",
                  name);
    sqlite_append(&moment.is_noted,
                  "SELECT value FROM main." FEED_LIST
                  " WHERE feed = '%s' AND number = 0 AND ordinal = 1",
                  name);
    sqlite_append(&moment.is_right, "SELECT (%b) = max(sequence) FROM main." FEED_LOG "%s",
                  &moment.is_noted, name);
    (void)buffer_string(&moment.is_right);
    enum status status = trust_write(self, helper, error);
    if (status == STATUS_OK) {
        status = feed_ask(self, helper, buffer_string(&moment.is_noted), &noted, error);
    }
    status = status == STATUS_END ? fix(self, helper, &moment, error) : status;
    buffer_free(&moment.note);
    buffer_free(&moment.forget);
    buffer_free(&moment.is_noted);
    buffer_free(&moment.is_right);
    return status;
}
