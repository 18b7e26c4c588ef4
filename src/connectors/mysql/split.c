/*
 * Cutting a table into spans: ranges of its key. Whole numbers without wide gaps are cut evenly;
 * else the bounds are every n-th key, found by walking the index. Whatever the bounds are, the
 * spans tile: the first and the last are open, and each begins where the one before ends.
 */
#include "connectors/mysql/source.h"
#include <string.h>

enum { SPANS_MAX = 1000000, LITTLE_ROWS = 1000 };

enum status mysql_count_source(struct sql_database *database, const struct sql_table *table,
                               bool stops, int64_t *rows, struct error *error)
{
    struct mysql_database *self = mysql_database_of(&database->base);
    return mysql_ask_number(self, self->control,
                            mysql_sql("SELECT count(*) FROM %t", &self->sql, table->schema->name),
                            stops ? SQL_BUILD : SQL_LONG, ERROR_SOURCE_READ, -1, rows, error);
}

/* MariaDB's index fills a CHAR up with blanks under a collation without padding, and its WHERE does
 * not: of a range it gives what is in both. */
static bool is_in_two_orders(const struct mysql_column *column)
{
    return strncmp(column->type.type.native, "char", 4) == 0 && column->collation != NULL &&
           strstr(column->collation, "_nopad_") != NULL;
}

static bool is_keyed(const struct mysql_table *table)
{
    if (table == NULL || table->schema->kind != SCHEMA_TABLE ||
        table->key.count > SQL_KEY_PARTS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < table->key.count; i++) {
        if (is_in_two_orders(&table->columns[mysql_find_column(table, table->key.names[i])])) {
            return false;
        }
    }
    return table->key.count > 0;
}

enum status mysql_look_at_stream(struct sql_database *self, const struct read_request *request,
                                 const struct sql_table *table, struct stream_facts *facts,
                                 bool *numbers, struct error *error)
{
    const struct mysql_table *known = mysql_facts_of(table);
    (void)self;
    (void)request;
    (void)error;
    facts->keyed = is_keyed(known);
    facts->key = known->key;
    *numbers =
        facts->keyed && known->key.count == 1 &&
        known->columns[mysql_find_column(known, known->key.names[0])].type.format == MYSQL_AS_INT;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- spans */

struct splitter {
    struct mysql_database *self;
    const struct mysql_table *table;
    struct sql_spans spans;
    int64_t rows_each;
    struct sql_bounds bounds; /* of the span that is next */
};

static enum status add_span(struct splitter *splitter)
{
    return sql_span_add(&splitter->spans, &splitter->bounds, splitter->rows_each);
}

/* Ends a span at the key; the next one begins there. `values` live in the arena. */
static enum status cut_at(struct splitter *splitter, const struct text *values)
{
    struct sql_bounds *bounds = &splitter->bounds;
    memcpy(bounds->high, values, bounds->parts * sizeof *values);
    bounds->has_high = true;
    enum status status = add_span(splitter);
    memcpy(bounds->low, bounds->high, sizeof bounds->low);
    bounds->has_low = true;
    bounds->has_high = false;
    return status;
}

/* ---------------------------------------------------------------- even ranges */

static enum status ask_edge(struct splitter *splitter, const char *edge, int64_t *number)
{
    return mysql_ask_edge(splitter->self, splitter->self->control, edge,
                          splitter->table->schema->name, splitter->table->key.names[0],
                          ERROR_SOURCE_READ, number, splitter->spans.error);
}

/* STATUS_END: the key is no whole number, or has gaps. */
static enum status split_evenly(struct splitter *splitter, int64_t rows, int64_t rows_wanted)
{
    const struct mysql_table *table = splitter->table;
    int32_t column = mysql_find_column(table, table->key.names[0]);
    int64_t low = 0;
    int64_t high = 0;
    uint64_t wide = 0;

    if (table->key.count != 1 || table->columns[column].type.format != MYSQL_AS_INT || rows < 1) {
        return STATUS_END;
    }
    if (ask_edge(splitter, "min", &low) != STATUS_OK ||
        ask_edge(splitter, "max", &high) != STATUS_OK) {
        return STATUS_FAILED;
    }
    wide = (uint64_t)high - (uint64_t)low;
    if (low == INT64_MIN || wide / 3 * 2 > (uint64_t)rows) {
        return STATUS_END;
    }
    enum status status = STATUS_OK;
    for (uint64_t step = (uint64_t)rows_wanted; status == STATUS_OK && step < wide;
         step += (uint64_t)rows_wanted) {
        char digits[24];
        size_t length = text_from_int64((int64_t)((uint64_t)low + step - 1), digits);
        const struct text value = {arena_copy(splitter->spans.arena, digits, length), length};
        status = cut_at(splitter, &value);
    }
    return status;
}

/* ---------------------------------------------------------------- every n-th key */

static enum status ask_next(struct splitter *splitter, int64_t rows_wanted, MYSQL_RES **result)
{
    const struct mysql_table *table = splitter->table;
    struct buffer sql = {0};
    buffer_append_string(&sql, "SELECT ");
    for (uint32_t i = 0; i < table->key.count; i++) {
        int32_t column = mysql_find_column(table, table->key.names[i]);
        buffer_append_string(&sql, i > 0 ? ", " : "");
        mysql_append_key(&sql, &table->columns[column], NULL);
    }
    mysql_append(&sql, " FROM %t", &splitter->self->sql, table->schema->name);
    if (splitter->bounds.has_low) {
        buffer_append_string(&sql, " WHERE ");
        mysql_append_bound(&sql, table, NULL, splitter->bounds.low, false);
    }
    mysql_append(&sql, " ORDER BY %l LIMIT %D, 1", table->key, (int64_t)rows_wanted - 1);
    return mysql_run_buffer(splitter->self, splitter->self->control, &sql, SQL_LONG,
                            ERROR_SOURCE_READ, result, splitter->spans.error);
}

static enum status split_by_walking(struct splitter *splitter, int64_t rows_wanted)
{
    enum status status = STATUS_OK;
    for (uint32_t spans = 0; status == STATUS_OK && spans < SPANS_MAX; spans++) {
        struct text values[SQL_KEY_PARTS_MAX];
        MYSQL_RES *result = NULL;
        status = ask_next(splitter, rows_wanted, &result);
        MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
        if (row == NULL) {
            mysql_free_result(result);
            break;
        }
        const unsigned long *lengths = mysql_fetch_lengths(result);
        for (uint32_t i = 0; i < splitter->bounds.parts; i++) {
            const char *value = row[i] != NULL ? row[i] : "";
            values[i] =
                (struct text){arena_copy(splitter->spans.arena, value, lengths[i]), lengths[i]};
        }
        mysql_free_result(result);
        status = cut_at(splitter, values);
    }
    return status;
}

static enum status split_by_key(struct splitter *splitter, int64_t rows, int64_t rows_wanted)
{
    bool exact = splitter->table->schema->size_bytes <= SQL_EXACT_BYTES_MAX;
    splitter->bounds.parts = splitter->table->key.count;
    if (rows >= 0 && exact && rows <= rows_wanted) {
        return add_span(splitter);
    }
    splitter->rows_each = rows_wanted;
    enum status status =
        exact && rows < LITTLE_ROWS ? STATUS_END : split_evenly(splitter, rows, rows_wanted);
    status = status == STATUS_END ? split_by_walking(splitter, rows_wanted) : status;
    splitter->rows_each = -1;
    return status == STATUS_OK ? add_span(splitter) : status;
}

enum status mysql_split(struct database *database, const struct read_request *request,
                        uint64_t rows_wanted, struct arena *arena, struct span **spans,
                        uint32_t *span_count, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    struct splitter splitter = {.self = self,
                                .spans = {.arena = arena, .shown = self->sql.shown, .error = error},
                                .rows_each = -1,
                                .bounds = {.by_key = true}};
    int64_t rows = -1;
    int64_t wanted = rows_wanted > INT64_MAX / 4 ? INT64_MAX / 4 : (int64_t)rows_wanted;

    wanted = wanted < 1 ? 1 : wanted;
    struct sql_table root;
    if (sql_request_root(&self->sql, request, &root, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    splitter.table = mysql_facts_of(&root);
    bool keyed = is_keyed(splitter.table);
    if (keyed && sql_row_count_of(&self->sql, &root, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    wanted = rows / wanted > SPANS_MAX ? rows / SPANS_MAX : wanted;
    splitter.rows_each = rows;
    enum status status = keyed ? split_by_key(&splitter, rows, wanted) : add_span(&splitter);
    return sql_spans_end(&splitter.spans, status, spans, span_count);
}
