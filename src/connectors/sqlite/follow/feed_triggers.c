/*
 * The triggers of a followed table, as texts.
 *
 * Before a row is written, each row that has one of its unique keys is logged with it. What an
 * index over expressions, or of some rows alone, makes of the new row, its own words say, over a
 * subquery that has the new values under the columns' names. Its first half, which brings nothing,
 * gives them the columns' affinities and collations.
 */
#include "connectors/sqlite/feed_internal.h"
#include "sql/lexer.h"
#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

/* ---------------------------------------------------------------- keys */

static bool is_key(const struct catalog_table *table, const struct catalog_index *index)
{
    bool fits = index->unique && !index->partial && index->count > 0;
    for (uint32_t i = 0; fits && i < index->count; i++) {
        int32_t column =
            index->columns[i] != NULL ? catalog_find_column(table, index->columns[i]) : -1;
        fits = column >= 0 && table->schema->columns[column].not_null;
    }
    return fits;
}

uint32_t feed_find_key(const struct catalog_table *table, struct arena *arena, uint32_t **key)
{
    const struct column_list *primary = &table->schema->primary_key;
    const struct catalog_index *index = NULL;
    for (uint32_t i = 0; primary->count == 0 && index == NULL && i < table->index_count; i++) {
        index = is_key(table, &table->indexes[i]) ? &table->indexes[i] : NULL;
    }
    uint32_t count = index != NULL ? index->count : primary->count;
    *key = arena_allocate_zeroed(arena, count + 1u, sizeof **key);
    for (uint32_t i = 0; i < count; i++) {
        const char *name = index != NULL ? index->columns[i] : primary->names[i];
        int32_t column = catalog_find_column(table, name);
        (*key)[i] = column >= 0 ? (uint32_t)column : 0;
    }
    return count;
}

/* ---------------------------------------------------------------- what an index is over */

/* The parts of "CREATE UNIQUE INDEX n ON t (PART, PART …) WHERE PREDICATE". */
struct index_text {
    const char *parts[64];
    size_t lengths[64];
    uint32_t count;
    const char *predicate; /* NULL: none */
};

/* An order is none of the expression. */
static bool is_order(const struct sql_token *token)
{
    return sql_token_is_word(token, "ASC") || sql_token_is_word(token, "DESC");
}

static void read_index(const char *sql, struct index_text *text)
{
    struct sql_lexer lexer;
    const char *start = NULL;
    const char *end = NULL;
    int depth = 0;
    *text = (struct index_text){0};
    sql_lexer_init(&lexer, SQL_SQLITE, sql, strlen(sql), NULL);
    for (struct sql_token token = sql_lexer_next_code(&lexer); token.kind != SQL_TOKEN_END;
         token = sql_lexer_next_code(&lexer)) {
        bool opens = sql_token_is_mark(&token, '(');
        bool closes = sql_token_is_mark(&token, ')');
        depth -= closes;
        bool between = depth == 1 && sql_token_is_mark(&token, ',');
        if (start != NULL && ((depth == 0 && closes) || between)) {
            text->parts[text->count] = start;
            text->lengths[text->count] = (size_t)(end - start);
            text->count += text->count + 1 < sizeof text->parts / sizeof text->parts[0];
            start = NULL;
        } else if (depth >= 1 && start == NULL && !between) {
            start = token.text;
        }
        if (!(depth == 1 && is_order(&token))) {
            end = token.text + token.length;
        }
        depth += opens;
        if (depth == 0 && sql_token_is_word(&token, "WHERE")) {
            text->predicate = token.text + token.length;
            return;
        }
    }
}

/* ---------------------------------------------------------------- pieces of SQL */

static void append_values(const struct catalog_table *table, const char *alias, struct buffer *sql)
{
    for (uint32_t i = 0; i < table->schema->column_count; i++) {
        sqlite_append(sql, ", %s.%n", alias, table->schema->columns[i].name);
    }
}

/* "INSERT INTO log (…, v0, …) " for so many values. */
static void append_insert(const char *name, uint32_t values, struct buffer *sql)
{
    sqlite_append(sql, "INSERT INTO %s%s (moment, table_number, operation", FEED_LOG, name);
    for (uint32_t i = 0; i < values; i++) {
        buffer_format(sql, ", v%u", i);
    }
    buffer_append_string(sql, ") ");
}

static void append_head(const char *name, uint32_t number, const char *kind, const char *when,
                        const struct catalog_table *table, struct buffer *sql)
{
    sqlite_append(sql, "CREATE TRIGGER \"%s%s.%u.%s\" %s ON %n BEGIN ", FEED_LOG, name, number,
                  kind, when, table->schema->name);
}

static const char tail[] = "END;\n";

static void append_fixed(uint32_t number, enum feed_operation operation, struct buffer *sql)
{
    buffer_format(sql, "julianday('now'), %u, %d", number, operation);
}

/* ---------------------------------------------------------------- rows in the way */

/* "(SELECT (WORDS) FROM (the new row))" */
static void append_of_new(const struct catalog_table *table, const char *words, size_t length,
                          struct buffer *sql)
{
    const struct schema_table *schema = table->schema;
    buffer_append_string(sql, "(SELECT (");
    buffer_append(sql, words, length);
    buffer_append_string(sql, "\n) FROM (SELECT ");
    for (uint32_t i = 0; i < schema->column_count; i++) {
        sqlite_append(sql, "%s%n", i == 0 ? "" : ", ", schema->columns[i].name);
    }
    sqlite_append(sql, " FROM %n WHERE 0 UNION ALL SELECT ", schema->name);
    for (uint32_t i = 0; i < schema->column_count; i++) {
        sqlite_append(sql, "%snew.%n", i == 0 ? "" : ", ", schema->columns[i].name);
    }
    buffer_append_string(sql, "))");
}

/* Has the row of this index the new row's key? */
static void append_index_match(const struct catalog_table *table, const struct catalog_index *index,
                               const char *native_sql, struct buffer *sql)
{
    struct index_text text = {0};
    if (native_sql != NULL) {
        read_index(native_sql, &text);
    }
    for (uint32_t i = 0; i < index->count; i++) {
        buffer_append_string(sql, i == 0 ? "" : " AND ");
        if (index->columns[i] != NULL) {
            sqlite_append(sql, "_t.%n COLLATE %n = new.%n", index->columns[i],
                          index->collations[i] != NULL ? index->collations[i] : "BINARY",
                          index->columns[i]);
            continue;
        }
        buffer_append_string(sql, "(");
        buffer_append(sql, text.parts[i], text.lengths[i]);
        buffer_append_string(sql, "\n) = ");
        append_of_new(table, text.parts[i], text.lengths[i], sql);
    }
    if (text.predicate != NULL && index->partial) {
        sqlite_append(sql, " AND (%s\n) AND ", text.predicate);
        append_of_new(table, text.predicate, strlen(text.predicate), sql);
    }
}

/* Is the row that is updated another one than _t? */
static void append_other(const struct catalog_table *table, struct buffer *sql)
{
    const struct schema_table *schema = table->schema;
    if (table->rowid_column >= 0) {
        const char *key = schema->columns[table->rowid_column].name;
        sqlite_append(sql, " AND _t.%n <> old.%n", key, key);
    } else if (schema->row_key != NULL) {
        sqlite_append(sql, " AND _t.%n <> old.%n", schema->row_key, schema->row_key);
    } else {
        buffer_append_string(sql, " AND NOT (");
        for (uint32_t i = 0; i < schema->primary_key.count; i++) {
            const char *key = schema->primary_key.names[i];
            sqlite_append(sql, "%s_t.%n IS old.%n", i == 0 ? "" : " AND ", key, key);
        }
        buffer_append_string(sql, schema->primary_key.count > 0 ? ")" : "0)");
    }
}

/* Appends the condition of unique key `at` of the table: of its indexes, and behind them of its
 * rowid. False: there is none of this number. */
static bool append_match(const struct catalog_table *table, uint32_t at, struct buffer *sql)
{
    const struct schema_table *schema = table->schema;
    const char *rowid =
        table->rowid_column >= 0 ? schema->columns[table->rowid_column].name : schema->row_key;
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].unique && at-- == 0) {
            append_index_match(table, &table->indexes[i], schema->indexes[i].native_sql, sql);
            return true;
        }
    }
    if (at != 0 || rowid == NULL) {
        return false;
    }
    sqlite_append(sql, "_t.%n = new.%n", rowid, rowid);
    return true;
}

static void append_looks(const char *name, uint32_t number, const struct catalog_table *table,
                         bool updates, struct buffer *sql)
{
    struct buffer match = {0};
    for (uint32_t at = 0; append_match(table, at, &match); at++) {
        append_insert(name, 2 * table->schema->column_count, sql);
        buffer_append_string(sql, "SELECT ");
        append_fixed(number, updates ? FEED_BEFORE_UPDATE : FEED_BEFORE_INSERT, sql);
        append_values(table, "_t", sql);
        append_values(table, "new", sql);
        sqlite_append(sql, " FROM %n AS _t WHERE %b", table->schema->name, &match);
        if (updates) {
            append_other(table, sql);
        }
        buffer_append_string(sql, "; ");
        buffer_clear(&match);
    }
    buffer_free(&match);
}

void feed_append_uniques(const struct catalog_table *table, struct buffer *out)
{
    struct buffer match = {0};
    for (uint32_t at = 0; append_match(table, at, &match); at++) {
        buffer_format(out, "%016" PRIx64 " ", (uint64_t)XXH3_64bits(match.data, match.length));
        buffer_clear(&match);
    }
    buffer_free(&match);
}

/* Which columns an update has to set to get into another row's way; only where all unique keys are
 * of plain columns. */
static void append_unique_columns(const struct catalog_table *table, struct buffer *sql)
{
    const struct schema_table *schema = table->schema;
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct catalog_index *index = &table->indexes[i];
        for (uint32_t c = 0; index->unique && c < index->count; c++) {
            int32_t column = index->columns[c] != NULL && !index->partial
                                 ? catalog_find_column(table, index->columns[c])
                                 : -1;
            if (column < 0 || schema->columns[column].generated != GENERATED_NO) {
                return;
            }
        }
    }
    buffer_append_string(sql, " OF rowid, oid, _rowid_");
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct catalog_index *index = &table->indexes[i];
        for (uint32_t c = 0; index->unique && c < index->count; c++) {
            sqlite_append(sql, ", %n", index->columns[c]);
        }
    }
    if (table->rowid_column >= 0) {
        sqlite_append(sql, ", %n", schema->columns[table->rowid_column].name);
    }
}

/* ---------------------------------------------------------------- all of a table */

static void append_after(const char *name, uint32_t number, const struct catalog_table *table,
                         enum feed_operation operation, struct buffer *sql)
{
    uint32_t columns = table->schema->column_count;
    append_insert(name, operation == FEED_UPDATE ? 2 * columns : columns, sql);
    buffer_append_string(sql, "VALUES (");
    append_fixed(number, operation, sql);
    append_values(table, operation == FEED_INSERT ? "new" : "old", sql);
    if (operation == FEED_UPDATE) {
        append_values(table, "new", sql);
    }
    buffer_format(sql, "); %s", tail);
}

void feed_append_triggers(const char *name, uint32_t number, const struct catalog_table *table,
                          struct buffer *sql)
{
    struct buffer update = {0};
    append_head(name, number, "insert", "AFTER INSERT", table, sql);
    append_after(name, number, table, FEED_INSERT, sql);
    append_head(name, number, "update", "AFTER UPDATE", table, sql);
    append_after(name, number, table, FEED_UPDATE, sql);
    append_head(name, number, "delete", "AFTER DELETE", table, sql);
    append_after(name, number, table, FEED_DELETE, sql);
    append_head(name, number, "before_insert", "BEFORE INSERT", table, sql);
    append_looks(name, number, table, false, sql);
    buffer_append_string(sql, tail);
    buffer_append_string(&update, "BEFORE UPDATE");
    append_unique_columns(table, &update);
    append_head(name, number, "before_update", buffer_string(&update), table, sql);
    append_looks(name, number, table, true, sql);
    buffer_append_string(sql, tail);
    buffer_free(&update);
}

/* ---------------------------------------------------------------- those that are there */

enum status feed_hash_triggers(struct sqlite_database *self, sqlite3 *connection, const char *name,
                               uint32_t number, struct arena *arena, const char **hash,
                               uint32_t *count, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    struct buffer texts = {0};
    struct buffer sql = {0};
    *count = 0;
    sqlite_append(
        &sql,
        "SELECT sql FROM main.sqlite_schema WHERE type = 'trigger' AND name GLOB '%s%s.%u.*'"
        " ORDER BY name",
        FEED_LOG, name, number);
    int result = sqlite3_prepare_v2(connection, buffer_string(&sql), -1, &statement, NULL);
    while (result == SQLITE_OK || result == SQLITE_ROW) {
        result = sqlite3_step(statement);
        if (result == SQLITE_ROW) {
            const char *text = sqlite_text_of(statement, 0);
            buffer_append_string(&texts, text != NULL ? text : "");
            *count += 1;
        }
    }
    sqlite3_finalize(statement);
    *hash = arena_format(arena, "%016" PRIx64, (uint64_t)XXH3_64bits(texts.data, texts.length));
    buffer_free(&texts);
    buffer_free(&sql);
    return result == SQLITE_DONE
               ? STATUS_OK
               : feed_failed(self, connection, result, "the triggers can't be read", error);
}

enum status feed_drop_triggers(struct sqlite_database *self, sqlite3 *connection, const char *name,
                               const char *pattern, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    struct buffer drops = {0};
    struct buffer sql = {0};
    sqlite_append(
        &sql, "SELECT name FROM main.sqlite_schema WHERE type = 'trigger' AND name GLOB '%s%s.%s'",
        FEED_LOG, name, pattern);
    int result = sqlite3_prepare_v2(connection, buffer_string(&sql), -1, &statement, NULL);
    while (result == SQLITE_OK || result == SQLITE_ROW) {
        result = sqlite3_step(statement);
        if (result == SQLITE_ROW) {
            sqlite_append(&drops, "DROP TRIGGER main.%n;", sqlite_text_of(statement, 0));
        }
    }
    sqlite3_finalize(statement);
    buffer_free(&sql);
    if (result != SQLITE_DONE) {
        buffer_free(&drops);
        return feed_failed(self, connection, result, "the triggers can't be read", error);
    }
    return feed_run(self, connection, &drops, error);
}
