/* Records of the target by key: reading them back, and taking them out. */
#include "connectors/mysql/source.h"
#include "connectors/mysql/target.h"
#include "connectors/sql/finding.h"
#include "connectors/sql/normal.h"
#include "model/decimal.h"
#include "model/time_text.h"
#include <float.h>
#include <math.h>
#include <string.h>

static struct mysql_database *server_of(const struct sql_finding *finding)
{
    return mysql_database_of(&finding->database->base);
}

/* ---------------------------------------------------------------- by value */

enum { NORMALIZES = 100700 }; /* MariaDB 10.7 */

/* The literal is the normal form's JSON, whatever blanks and order of keys the column keeps; a
 * server that can't tell goes by the bytes. */
static void append_equal_json(struct buffer *sql, const struct mysql_database *self,
                              const struct mysql_column *column, const struct buffer *literal)
{
    bool normalizes = self->mariadb && self->version >= NORMALIZES;
    const char *before = normalizes ? "CAST(JSON_NORMALIZE(" : self->mariadb ? "CAST(" : "";
    const char *behind = normalizes ? ") AS BINARY)" : self->mariadb ? " AS BINARY)" : "";
    mysql_append(sql, "%s%n%s = %s%b%s", before, column->name, behind,
                 self->mariadb ? before : "CAST(", literal, self->mariadb ? behind : " AS JSON)");
}

/* A text is compared by its bytes, unless it is `loose`, and beside that by its collation, which an
 * index serves. */
static void append_equal(struct buffer *sql, const struct mysql_database *self,
                         const struct mysql_column *column, const struct buffer *literal,
                         bool loose)
{
    if (column->type.format == MYSQL_AS_JSON) {
        append_equal_json(sql, self, column, literal);
        return;
    }
    bool text = column->type.type.kind == VALUE_TEXT;
    bool plain = column->type.format == MYSQL_AS_TEXT || !text;
    bool narrow = column->type.format == MYSQL_AS_FLOAT;
    if (plain) {
        mysql_append(sql, "%n%s%b", column->name, narrow ? "*1e0 = " : " = ", literal);
        /* as a double: a decimal of many digits is compared otherwise */
        bool number = column->type.type.kind == VALUE_FLOAT64 || narrow;
        bool exponent = memchr(literal->data, 'e', literal->length) != NULL;
        buffer_append_string(sql, number && !exponent ? "e0" : "");
    }
    if (text && !(plain && loose)) {
        mysql_append(sql,
                     "%s%n USING utf8mb4) AS BINARY) = CAST(CONVERT(%b USING utf8mb4) AS "
                     "BINARY)",
                     plain ? " AND CAST(CONVERT(" : "CAST(CONVERT(", column->name, literal);
    }
}

/* A value in a column of doubles comes back as its shortest digits, and those may be a whole number
 * that is none of them: 72292304410944750 stands for a double that is 2 above it. */
static enum status as_double(const struct cell *cell, struct arena *scratch, struct cell *kept,
                             struct error *error)
{
    struct cell normal;
    const struct cell near = cell_float64((double)cell->i64);
    if (cell->kind != VALUE_INT64) {
        return STATUS_OK;
    }
    enum status status = sql_normal_form(&mysql_rules, &near, scratch, &normal, error);
    if (status == STATUS_OK && normal.kind == VALUE_INT64 && normal.i64 == cell->i64) {
        *kept = near;
    }
    return status;
}

/* The digits are those of the double that a float is. */
static void as_float(const struct cell *cell, struct cell *kept)
{
    bool number = cell->kind == VALUE_INT64 || cell->kind == VALUE_DECIMAL;
    double value = cell->kind == VALUE_INT64 ? (double)cell->i64
                   : number                  ? decimal_to_double(cell)
                                             : 0;
    if (number && fabs(value) <= (double)FLT_MAX && (double)(float)value == value) {
        *kept = (struct cell){.kind = VALUE_FLOAT32, .f64 = value};
    }
}

/* An instant without its zone, a time of more than a day: texts. */
static void as_time(const struct mysql_column *column, const struct cell *cell,
                    struct arena *scratch, struct cell *kept)
{
    struct cell read;
    if (cell->kind != VALUE_TEXT) {
        return;
    }
    if (column->type.format == MYSQL_AS_TIMESTAMP &&
        time_parse_timestamp(cell->text, cell->length, &read) == STATUS_OK) {
        *kept = read;
        kept->flags |= CELL_ZONED;
    } else if (column->type.format == MYSQL_AS_TIME &&
               time_parse_interval(cell->text, cell->length, scratch, &read) == STATUS_OK) {
        *kept = read;
    }
}

/* The column's value whose normal form the cell is. */
static enum status as_kept(const struct mysql_column *column, const struct cell *cell,
                           struct arena *scratch, struct cell *kept, struct error *error)
{
    *kept = *cell;
    switch (column->type.format) {
    case MYSQL_AS_DOUBLE:
        return as_double(cell, scratch, kept, error);
    case MYSQL_AS_FLOAT:
        as_float(cell, kept);
        return STATUS_OK;
    case MYSQL_AS_TIMESTAMP:
    case MYSQL_AS_TIME:
        as_time(column, cell, scratch, kept);
        return STATUS_OK;
    case MYSQL_AS_JSON:
        return sql_json_of_normal(cell, scratch, kept, error);
    default:
        return STATUS_OK;
    }
}

/* " WHERE" these columns are the cells, texts by their bytes; `loose`: as the table's key has them.
 */
static enum status append_condition(const struct sql_finding *finding, struct buffer *sql,
                                    const struct cell *cells, bool loose)
{
    const struct mysql_table *facts = mysql_facts_of(&finding->facts);
    struct column_list columns = finding->columns;
    struct arena *scratch = finding->scratch;
    struct error *error = finding->error;
    for (uint32_t i = 0; i < columns.count; i++) {
        int32_t position = mysql_find_column(facts, columns.names[i]);
        struct buffer literal = {0};
        if (position < 0) {
            return error_set(error, ERROR_TARGET_SCHEMA, facts->schema->name,
                             "the table has no column %s", columns.names[i]);
        }
        const struct mysql_column *column = &facts->columns[position];
        buffer_append_string(sql, i == 0 ? " WHERE " : " AND ");
        if (cells[i].kind == VALUE_NULL || cells[i].kind == VALUE_MISSING) {
            mysql_append(sql, "%n IS NULL", column->name);
            continue;
        }
        struct cell kept;
        if (as_kept(column, &cells[i], scratch, &kept, error) != STATUS_OK ||
            mysql_encode(column, &kept, MYSQL_IN_STATEMENT, scratch, &literal, error) !=
                STATUS_OK) {
            buffer_free(&literal);
            return STATUS_FAILED;
        }
        append_equal(sql, server_of(finding), column, &literal,
                     loose && mysql_is_in(facts->key, column->name));
        buffer_free(&literal);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- delete */

/* " FROM table AS t WHERE" it is the record. */
static enum status append_record(struct sql_finding *finding, const struct cell *cells,
                                 struct buffer *sql)
{
    mysql_append(sql, " FROM %t AS t", &server_of(finding)->sql, finding->table->name);
    return append_condition(finding, sql, cells, false);
}

static enum status records_run(struct sql_finding *finding, struct buffer *sql, uint64_t *changed)
{
    MYSQL_RES *result = NULL;
    enum status status = mysql_run_buffer(server_of(finding), server_of(finding)->control, sql,
                                          SQL_LONG, ERROR_TARGET_WRITE, &result, finding->error);
    *changed = status != STATUS_OK ? 0
               : result != NULL    ? mysql_num_rows(result)
                                   : mysql_affected_rows(server_of(finding)->control);
    mysql_free_result(result);
    return status;
}

/* An image of a record that is about to go, if the run has none of its key: else nothing is kept,
 * and it stays. Locked first, so that what is kept is what goes. */
static enum status keep_one(struct sql_finding *finding, const struct cell *cells, uint64_t *kept)
{
    const struct mysql_table *facts = mysql_facts_of(&finding->facts);
    struct buffer sql = {0};
    buffer_append_string(&sql, "SELECT 1");
    enum status status = append_record(finding, cells, &sql);
    buffer_append_string(&sql, " FOR UPDATE");
    if (status == STATUS_OK) {
        status = records_run(finding, &sql, kept);
    }
    if (status != STATUS_OK || *kept == 0) {
        buffer_free(&sql);
        return status;
    }
    mysql_append(&sql, "INSERT INTO %t (_transhume_found", &server_of(finding)->sql,
                 finding->undo_name);
    mysql_undo_append_columns(&sql, facts, "");
    buffer_append_string(&sql, ") SELECT 2");
    mysql_undo_append_columns(&sql, facts, "t.");
    status = append_record(finding, cells, &sql);
    mysql_append(&sql, " AND NOT EXISTS (SELECT 1 FROM %t AS v WHERE ", &server_of(finding)->sql,
                 finding->undo_name);
    mysql_append_match(&sql, finding->columns, "v", "t");
    buffer_append_byte(&sql, ')');
    if (status != STATUS_OK) {
        buffer_free(&sql);
        return status;
    }
    return records_run(finding, &sql, kept);
}

/* Without a key one of the records that are equal goes. */
static enum status delete_one(struct sql_finding *finding, const struct cell *cells)
{
    struct buffer sql = {0};
    uint64_t count = 1;
    if (finding->undo_name != NULL && keep_one(finding, cells, &count) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (count == 0) {
        return STATUS_OK;
    }
    mysql_append(&sql, "DELETE FROM %t", &server_of(finding)->sql, finding->table->name);
    if (append_condition(finding, &sql, cells, false) != STATUS_OK) {
        buffer_free(&sql);
        return STATUS_FAILED;
    }
    buffer_append_string(&sql, finding->table->key.count == 0 ? " LIMIT 1" : "");
    enum status status = records_run(finding, &sql, &count);
    finding->deleted += count;
    return status;
}

enum status mysql_delete_all(struct sql_finding *finding, const struct cell *keys,
                             uint32_t key_count)
{
    return sql_finding_each(finding, keys, key_count, delete_one);
}

/* ---------------------------------------------------------------- fetch */

static enum status add_record(const struct mysql_table *facts, MYSQL_ROW row,
                              const unsigned long *lengths, struct batch *batch,
                              struct error *error)
{
    uint32_t count = facts->schema->column_count;
    struct cell *cell = batch_append(batch);
    struct cell *items = arena_allocate_zeroed(batch->arena, 2 * (size_t)count + 1, sizeof *items);
    for (uint32_t i = 0; i < count; i++) {
        const struct mysql_column *column = &facts->columns[i];
        const char *name = arena_copy_string(batch->arena, column->name);
        items[2 * (size_t)i] = cell_text(name, strlen(name));
        struct cell *value = &items[2 * (size_t)i + 1];
        *value = cell_null();
        if (row[i] == NULL) {
            continue;
        }
        const char *bytes = arena_try_copy(batch->arena, row[i], lengths[i]);
        if (bytes == NULL) {
            return error_set(error, ERROR_MEMORY, facts->schema->name, "no memory for a record");
        }
        mysql_decode(&column->type, bytes, lengths[i], batch->arena, value);
    }
    *cell = cell_items(VALUE_MAP, items, count);
    return STATUS_OK;
}

static enum status read_all(struct mysql_database *self, const struct mysql_table *facts,
                            const char *from, struct batch *batch, struct error *error)
{
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    MYSQL_ROW row = NULL;

    buffer_append_string(&sql, "SELECT ");
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        buffer_append_string(&sql, i > 0 ? ", " : "");
        mysql_append_selected(&sql, &facts->columns[i].type, NULL, facts->columns[i].name);
    }
    buffer_format(&sql, " FROM %s", from);
    enum status status =
        mysql_run_buffer(self, self->control, &sql, SQL_LONG, ERROR_TARGET_INVALID, &result, error);
    while (status == STATUS_OK && (row = mysql_fetch_row(result)) != NULL) {
        status = add_record(facts, row, mysql_fetch_lengths(result), batch, error);
    }
    mysql_free_result(result);
    return status;
}

enum status mysql_read_records(struct sql_database *self, const struct sql_table *table,
                               const char *from, struct batch *batch, struct error *error)
{
    return read_all(mysql_database_of(&self->base), mysql_facts_of(table), from, batch, error);
}

static enum status fetch_one(struct sql_finding *finding, const struct cell *cells)
{
    struct buffer from = {0};
    mysql_append_table(&from, server_of(finding), finding->table->name);
    enum status status = append_condition(finding, &from, cells, true);
    status = status == STATUS_OK ? read_all(server_of(finding), mysql_facts_of(&finding->facts),
                                            buffer_string(&from), finding->batch, finding->error)
                                 : status;
    buffer_free(&from);
    return status;
}

enum status mysql_fetch_all(struct sql_finding *finding, const struct cell *keys,
                            uint32_t key_count)
{
    return sql_finding_each(finding, keys, key_count, fetch_one);
}
