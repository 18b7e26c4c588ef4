/*
 * Cutting a table into spans: ranges of its key where that is one whole number, or where they have
 * to be; else ranges of the places of its rows, which DuckDB finds without looking at others. Whole
 * numbers without wide gaps are cut evenly; else the bounds are every n-th key.
 */
#include "connectors/duckdb/duckdb_internal.h"
#include "connectors/sql/span.h"
#include "connectors/sql/stream.h"
#include <inttypes.h>
#include <string.h>

/* Places are counted in vectors, so that their numbers fit into bounds. */
enum { PLACES_EACH = 2048 };

enum status duckdb_count_source(struct sql_database *database, const struct sql_table *table,
                                bool stops, int64_t *rows, struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(&database->base);
    (void)stops;
    return duckdb_ask_number(self, self->control,
                             duckdb_sql("SELECT count(*) FROM %t", &self->sql, table->schema->name),
                             ERROR_SOURCE_READ, rows, error);
}

/* ---------------------------------------------------------------- which way */

static bool is_whole(const struct duckdb_form *form)
{
    return form->type.kind == VALUE_INT64 && form->id != DUCKDB_BOOLEAN;
}

static bool has_bounds(const struct duckdb_form *form)
{
    return !form->as_text && form->id != DUCKDB_BIGNUM && form->child_count == 0 &&
           form->id != DUCKDB_STRUCT;
}

/* The columns of a key are the table's. */
static const struct duckdb_form *key_form(const struct duckdb_table *table, uint32_t part)
{
    int32_t at = duckdb_find_column(table, table->key.names[part]);
    return &table->forms[at >= 0 ? at : 0];
}

static bool can_cut_by_key(const struct duckdb_table *table)
{
    if (table == NULL || table->schema->kind != SCHEMA_TABLE || table->key.count == 0 ||
        table->key.count > SQL_KEY_PARTS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < table->key.count; i++) {
        if (!has_bounds(key_form(table, i))) {
            return false;
        }
    }
    return true;
}

/* Is a table's stream cut by its key? Else by the places of its rows. */
static bool duckdb_cuts_by_key(const struct read_request *request, const struct duckdb_table *table)
{
    return can_cut_by_key(table) && (request->by_key || request->ordered ||
                                     (table->key.count == 1 && is_whole(key_form(table, 0))));
}

enum status duckdb_look_at_stream(struct sql_database *self, const struct read_request *request,
                                  const struct sql_table *table, struct stream_facts *facts,
                                  bool *numbers, struct error *error)
{
    static const char *const places[] = {DUCKDB_ROWID};
    const struct duckdb_table *known = duckdb_facts_of(table);
    (void)self;
    (void)error;
    facts->keyed = duckdb_cuts_by_key(request, known);
    facts->key = known->key;
    if (known->key.count == 0 && known->schema->row_key != NULL) {
        facts->key = (struct column_list){places, 1};
    }
    *numbers = facts->keyed && known->key.count == 1 && is_whole(key_form(known, 0));
    return STATUS_OK;
}

/* ---------------------------------------------------------------- spans as SQL */

static void append_literal(struct buffer *sql, const struct duckdb_table *table, uint32_t part,
                           const struct text *value)
{
    int32_t at = duckdb_find_column(table, table->key.names[part]);
    const struct duckdb_form *form = &table->forms[at];
    if (form->id == DUCKDB_BLOB) {
        duckdb_append(sql, "unhex(%Q)", value->data, value->length);
        return;
    }
    duckdb_append(sql, "CAST(%Q AS %s)", value->data, value->length,
                  table->schema->columns[at].type.native);
}

/* key > low, or key <= high; of several columns as rows, and the first alone, which blocks of the
 * file are left out by. */
static void append_bound(struct buffer *sql, const struct duckdb_table *table,
                         const struct text *values, bool at_most)
{
    uint32_t parts = table->key.count;
    if (parts > 1) {
        duckdb_append(sql, "_t0.%n %s ", table->key.names[0], at_most ? "<=" : ">=");
        append_literal(sql, table, 0, &values[0]);
        buffer_append_string(sql, " AND ");
    }
    duckdb_append(sql, "%s%L%s%s%s", parts > 1 ? "row(" : "", "_t0", table->key,
                  parts > 1 ? ")" : "", at_most ? " <= " : " > ", parts > 1 ? "row(" : "");
    for (uint32_t i = 0; i < parts; i++) {
        buffer_append_string(sql, i > 0 ? ", " : "");
        append_literal(sql, table, i, &values[i]);
    }
    buffer_append_string(sql, parts > 1 ? ")" : "");
}

static void append_places(struct buffer *sql, const struct sql_bounds *bounds)
{
    if (bounds->has_low) {
        buffer_format(sql, "_t0." DUCKDB_ROWID " >= %" PRIu64,
                      (uint64_t)bounds->low_block * PLACES_EACH);
    }
    buffer_append_string(sql, bounds->has_low && bounds->has_high ? " AND " : "");
    if (bounds->has_high) {
        buffer_format(sql, "_t0." DUCKDB_ROWID " < %" PRIu64,
                      (uint64_t)bounds->high_block * PLACES_EACH);
    }
}

enum status duckdb_span_append(struct buffer *sql, const struct span *span,
                               const struct duckdb_table *table, struct error *error)
{
    struct sql_bounds bounds;
    if (sql_span_decode(span, &bounds, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!bounds.has_low && !bounds.has_high) {
        return STATUS_OK;
    }
    if (table == NULL || (bounds.by_key && bounds.parts != table->key.count)) {
        return sql_span_of_another_key(span, table != NULL ? table->schema->name : NULL, error);
    }
    buffer_append_string(sql, " WHERE ");
    if (!bounds.by_key) {
        append_places(sql, &bounds);
        return STATUS_OK;
    }
    if (bounds.has_low) {
        append_bound(sql, table, bounds.low, false);
    }
    buffer_append_string(sql, bounds.has_low && bounds.has_high ? " AND " : "");
    if (bounds.has_high) {
        append_bound(sql, table, bounds.high, true);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- making them */

static enum status split_ask(struct sql_splitter *splitter, const char *format, int64_t *number)
{
    struct duckdb_database *self = duckdb_database_of(&splitter->self->base);
    const char *key = splitter->root.key.count > 0 ? splitter->root.key.names[0] : "";
    return duckdb_ask_number(self, self->control,
                             duckdb_sql(format, key, splitter->self, splitter->root.schema->name),
                             ERROR_SOURCE_READ, number, splitter->spans.error);
}

/* STATUS_END: the key is no whole number, or has gaps. */
static enum status split_evenly(struct sql_splitter *splitter)
{
    int64_t low = 0;
    int64_t high = 0;
    if (splitter->root.key.count != 1 || !is_whole(key_form(duckdb_facts_of(&splitter->root), 0)) ||
        splitter->rows < 1) {
        return STATUS_END;
    }
    if (split_ask(splitter, "SELECT min(%n) FROM %t", &low) != STATUS_OK ||
        split_ask(splitter, "SELECT max(%n) FROM %t", &high) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return sql_split_evenly(splitter, low, high);
}

/* Every n-th key, as texts that can be read back. */
static void append_nth_keys(struct buffer *sql, const struct sql_splitter *splitter)
{
    const struct duckdb_table *table = duckdb_facts_of(&splitter->root);
    buffer_append_string(sql, "SELECT ");
    for (uint32_t i = 0; i < table->key.count; i++) {
        bool bytes = key_form(table, i)->id == DUCKDB_BLOB;
        buffer_append_string(sql, i > 0 ? ", " : "");
        duckdb_append(sql, bytes ? "hex(%n)" : "CAST(%n AS VARCHAR)", table->key.names[i]);
    }
    duckdb_append(sql,
                  " FROM (SELECT %l, row_number() OVER (ORDER BY %l) AS _n FROM %t) WHERE _n %% "
                  "%D = 0 ORDER BY _n",
                  table->key, table->key, splitter->self, table->schema->name, splitter->wanted);
}

static enum status split_by_nth(struct sql_splitter *splitter)
{
    struct duckdb_database *self = duckdb_database_of(&splitter->self->base);
    struct duckdb_table_of_cells keys;
    struct buffer sql = {0};
    append_nth_keys(&sql, splitter);
    enum status status = duckdb_read_all(self, self->control, &sql, ERROR_SOURCE_READ,
                                         splitter->spans.arena, &keys, splitter->spans.error);
    for (uint32_t i = 0; status == STATUS_OK && i < keys.count; i++) {
        struct text values[SQL_KEY_PARTS_MAX];
        const struct cell *row = keys.cells + (size_t)i * keys.width;
        if ((int64_t)(i + 1) * splitter->wanted >= splitter->rows) {
            break; /* the last span is open */
        }
        for (uint32_t part = 0; part < keys.width; part++) {
            values[part] = (struct text){row[part].text, row[part].length};
        }
        status = sql_split_at(splitter, values);
    }
    return status;
}

static enum status split_by_key(struct sql_splitter *splitter)
{
    enum status status = split_evenly(splitter);
    return status == STATUS_END ? split_by_nth(splitter) : status;
}

static enum status split_by_place(struct sql_splitter *splitter)
{
    struct duckdb_database *self = duckdb_database_of(&splitter->self->base);
    int64_t highest = 0;
    enum status status = duckdb_ask_number(self, self->control,
                                           duckdb_sql("SELECT max(" DUCKDB_ROWID ") FROM %t",
                                                      splitter->self, splitter->root.schema->name),
                                           ERROR_SOURCE_READ, &highest, splitter->spans.error);
    int64_t step = (splitter->wanted + PLACES_EACH - 1) / PLACES_EACH;
    for (int64_t block = step;
         status == STATUS_OK && block <= highest / PLACES_EACH && block < UINT32_MAX;
         block += step) {
        splitter->bounds.high_block = (uint32_t)block;
        splitter->bounds.has_high = true;
        status = sql_split_add(splitter);
        splitter->bounds.low_block = (uint32_t)block;
        splitter->bounds.has_low = true;
        splitter->bounds.has_high = false;
    }
    return status;
}

enum status duckdb_split(struct database *database, const struct read_request *request,
                         uint64_t rows_wanted, struct arena *arena, struct span **spans,
                         uint32_t *span_count, struct error *error)
{
    struct sql_splitter splitter;
    if (sql_split_begin(&splitter, database, request, rows_wanted, arena, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct duckdb_table *table = duckdb_facts_of(&splitter.root);
    bool is_table = table != NULL && splitter.root.schema->kind == SCHEMA_TABLE;
    if (is_table && sql_split_count(&splitter) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool by_key = is_table && duckdb_cuts_by_key(request, table);
    splitter.bounds = (struct sql_bounds){.by_key = by_key, .parts = by_key ? table->key.count : 0};
    enum status status = STATUS_OK;
    if (is_table && splitter.rows > splitter.wanted) {
        splitter.rows_each = splitter.wanted;
        status = by_key ? split_by_key(&splitter) : split_by_place(&splitter);
        splitter.rows_each = -1;
    }
    status = status == STATUS_OK ? sql_split_add(&splitter) : status;
    return sql_spans_end(&splitter.spans, status, spans, span_count);
}
