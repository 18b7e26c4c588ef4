/*
 * Cutting a table into spans: ranges of its key. Whole numbers without wide gaps are cut evenly;
 * else the bounds are every n-th key, found by walking the index. Whatever the bounds are, the
 * spans tile: the first and the last are open, and each begins where the one before ends.
 */
#include "connectors/mysql/source.h"
#include <string.h>

enum { LITTLE_ROWS = 1000 };

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

/* ---------------------------------------------------------------- even ranges */

static enum status ask_edge(struct sql_splitter *splitter, const char *edge, int64_t *number)
{
    struct mysql_database *self = mysql_database_of(&splitter->self->base);
    return mysql_ask_edge(self, self->control, edge, splitter->root.schema->name,
                          splitter->root.key.names[0], ERROR_SOURCE_READ, number,
                          splitter->spans.error);
}

/* STATUS_END: the key is no whole number, or has gaps. */
static enum status split_evenly(struct sql_splitter *splitter)
{
    const struct mysql_table *table = mysql_facts_of(&splitter->root);
    int32_t column = mysql_find_column(table, table->key.names[0]);
    int64_t low = 0;
    int64_t high = 0;
    if (table->key.count != 1 || table->columns[column].type.format != MYSQL_AS_INT ||
        splitter->rows < 1) {
        return STATUS_END;
    }
    if (ask_edge(splitter, "min", &low) != STATUS_OK ||
        ask_edge(splitter, "max", &high) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return sql_split_evenly(splitter, low, high);
}

/* ---------------------------------------------------------------- every n-th key */

static enum status ask_next(struct sql_splitter *splitter, MYSQL_RES **result)
{
    struct mysql_database *self = mysql_database_of(&splitter->self->base);
    const struct mysql_table *table = mysql_facts_of(&splitter->root);
    struct buffer sql = {0};
    buffer_append_string(&sql, "SELECT ");
    for (uint32_t i = 0; i < table->key.count; i++) {
        int32_t column = mysql_find_column(table, table->key.names[i]);
        buffer_append_string(&sql, i > 0 ? ", " : "");
        mysql_append_key(&sql, &table->columns[column], NULL);
    }
    mysql_append(&sql, " FROM %t", splitter->self, table->schema->name);
    if (splitter->bounds.has_low) {
        buffer_append_string(&sql, " WHERE ");
        mysql_append_bound(&sql, table, NULL, splitter->bounds.low, false);
    }
    mysql_append(&sql, " ORDER BY %l LIMIT %D, 1", table->key, splitter->wanted - 1);
    return mysql_run_buffer(self, self->control, &sql, SQL_LONG, ERROR_SOURCE_READ, result,
                            splitter->spans.error);
}

static enum status split_by_walking(struct sql_splitter *splitter)
{
    enum status status = STATUS_OK;
    for (uint32_t spans = 0; status == STATUS_OK && spans < SQL_SPANS_MAX; spans++) {
        struct text values[SQL_KEY_PARTS_MAX];
        MYSQL_RES *result = NULL;
        status = ask_next(splitter, &result);
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
        status = sql_split_at(splitter, values);
    }
    return status;
}

static enum status split_by_key(struct sql_splitter *splitter)
{
    bool exact = splitter->root.schema->size_bytes <= SQL_EXACT_BYTES_MAX;
    splitter->bounds.parts = splitter->root.key.count;
    if (splitter->rows >= 0 && exact && splitter->rows <= splitter->wanted) {
        return sql_split_add(splitter);
    }
    splitter->rows_each = splitter->wanted;
    enum status status =
        exact && splitter->rows < LITTLE_ROWS ? STATUS_END : split_evenly(splitter);
    status = status == STATUS_END ? split_by_walking(splitter) : status;
    splitter->rows_each = -1;
    return status == STATUS_OK ? sql_split_add(splitter) : status;
}

enum status mysql_split(struct database *database, const struct read_request *request,
                        uint64_t rows_wanted, struct arena *arena, struct span **spans,
                        uint32_t *span_count, struct error *error)
{
    struct sql_splitter splitter;
    if (sql_split_begin(&splitter, database, request, rows_wanted, arena, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool keyed = is_keyed(mysql_facts_of(&splitter.root));
    splitter.bounds.by_key = true;
    if (keyed && sql_split_count(&splitter) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = keyed ? split_by_key(&splitter) : sql_split_add(&splitter);
    return sql_spans_end(&splitter.spans, status, spans, span_count);
}
