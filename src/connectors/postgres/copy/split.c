/*
 * Cutting a table into spans: ranges of its key, whose bounds are every n-th key of the table or,
 * if that is large, of a sample; or ranges of blocks (ctid) where the key's order is not that of
 * the heap, or there is none; of what changed, every n-th key of the rows that did. Whatever the
 * bounds are, the spans tile: the first and the last are open, and each begins where the one before
 * ends.
 */
#include "base/text.h"
#include "connectors/postgres/source.h"
#include <stdio.h>
#include <string.h>

enum {
    HISTOGRAM_SPANS_MAX = 100,
    PHYSICAL_BYTES_MIN = 32 << 20,
    SAMPLE_A_SPAN = 100,
    BLOCK_BYTES = 8192,
    TID_SCAN_VERSION = 140000 /* ranges of ctid are read without reading the whole table */
};

/* How well the key's order is the heap's; 0: not known. */
static enum status key_correlation(struct postgres_database *self,
                                   const struct postgres_table *table, double *correlation,
                                   struct error *error)
{
    const struct sql_table_place place = sql_place_of(&self->sql, table->schema->name);
    const struct postgres_parameter parameters[] = {
        {.text = place.schema}, {.text = place.name}, {.text = table->key.names[0]}};
    PGresult *result = NULL;
    enum status status = postgres_catalog_query(
        self, self->control,
        "SELECT pg_catalog.abs(correlation) >= 0.9 FROM pg_catalog.pg_stats WHERE schemaname = $1 "
        "AND tablename = $2 AND attname = $3",
        parameters, 3, SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    *correlation = 0;
    if (status == STATUS_OK && PQntuples(result) == 1) {
        *correlation = PQgetvalue(result, 0, 0)[0] == 't' ? 1 : -1;
    }
    PQclear(result);
    return status;
}

enum way { WAY_WHOLE, WAY_KEY, WAY_BLOCKS };

static enum status choose_way(struct postgres_database *self, const struct read_request *request,
                              const struct postgres_table *table, enum way *way,
                              struct error *error)
{
    double correlation = 1;
    *way = WAY_WHOLE;
    if (table == NULL || table->schema->kind != SCHEMA_TABLE) {
        return STATUS_OK;
    }
    bool large = table->schema->size_bytes >= PHYSICAL_BYTES_MIN;
    bool blocks = table->kind == 'r' && !request->ordered && !request->by_key && large &&
                  request->since_bound == NULL && self->server_version >= TID_SCAN_VERSION;
    bool keyed = table->key.count > 0 && table->key.count <= SQL_KEY_PARTS_MAX;
    if (blocks && keyed && key_correlation(self, table, &correlation, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *way = keyed && !(blocks && correlation < 0) ? WAY_KEY : blocks ? WAY_BLOCKS : WAY_WHOLE;
    return STATUS_OK;
}

enum status postgres_count_source(struct sql_database *database, const struct sql_table *table,
                                  bool stops, int64_t *rows, struct error *error)
{
    struct postgres_database *self = postgres_database_of(&database->base);
    PGresult *result = NULL;
    enum status status = postgres_query_buffer(
        self, self->control,
        postgres_sql("SELECT count(*) FROM %t", &self->sql, table->schema->name), NULL, 0,
        stops ? SQL_BUILD : SQL_LONG, ERROR_SOURCE_READ, &result, error);
    if (status == STATUS_OK &&
        text_to_int64(PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0), rows) !=
            STATUS_OK) {
        *rows = -1;
    }
    PQclear(result);
    return status;
}

/* A row's place; of a table that others inherit from with the number of the one that it is in. */
static const char *const place_names[] = {"tableoid", "ctid"};

enum status postgres_look_at_stream(struct sql_database *self, const struct read_request *request,
                                    const struct sql_table *table, struct stream_facts *facts,
                                    bool *numbers, struct error *error)
{
    const struct postgres_table *known = postgres_facts_of(table);
    enum way way = WAY_WHOLE;
    enum status status = choose_way(postgres_database_of(&self->base), request, known, &way, error);
    facts->keyed = way == WAY_KEY;
    facts->splits_changed = true;
    facts->key = known->key;
    if (known->key.count == 0 && known->schema->row_key != NULL) {
        facts->key = known->has_children ? (struct column_list){place_names, 2}
                                         : (struct column_list){place_names + 1, 1};
    }
    int32_t number = postgres_find_column(known, facts->keyed ? known->key.names[0] : "");
    *numbers = known->key.count == 1 && number >= 0 &&
               known->columns[number].type.type.kind == VALUE_INT64;
    if (known->schema->kind == SCHEMA_TABLE && known->schema->size_bytes > 0) {
        facts->bytes_max = known->schema->size_bytes;
    }
    return status;
}

/* ---------------------------------------------------------------- spans */

static struct postgres_database *server_of(const struct sql_splitter *splitter)
{
    return postgres_database_of(&splitter->self->base);
}

static const struct postgres_table *table_of(const struct sql_splitter *splitter)
{
    return postgres_facts_of(&splitter->root);
}

static void append_key(struct sql_splitter *splitter, struct buffer *sql, bool as_text)
{
    const struct postgres_table *table = table_of(splitter);
    for (uint32_t i = 0; i < table->key.count; i++) {
        int32_t at = postgres_find_column(table, table->key.names[i]);
        const struct postgres_words words =
            as_text ? postgres_cast_to_text(at >= 0 ? &table->columns[at] : NULL)
                    : (struct postgres_words){"", ""};
        postgres_append(sql, "%s%s%n%s", i > 0 ? ", " : "", words.before, table->key.names[i],
                        words.behind);
    }
}

/* Every `step`-th key, of all rows that are read or of a sample. */
static enum status ask_bounds(struct sql_splitter *splitter, double percent, int64_t step,
                              PGresult **result)
{
    struct buffer sql = {0};
    struct postgres_database *self = server_of(splitter);

    buffer_append_string(&sql, "SELECT ");
    append_key(splitter, &sql, true);
    buffer_append_string(&sql, " FROM (SELECT ");
    append_key(splitter, &sql, false);
    buffer_append_string(&sql, ", pg_catalog.row_number() OVER (ORDER BY ");
    append_key(splitter, &sql, false);
    postgres_append(&sql, ") AS _place FROM %t", &self->sql, splitter->root.schema->name);
    if (percent < 100) {
        buffer_format(&sql, " TABLESAMPLE SYSTEM (%.6f) REPEATABLE (1)", percent);
    }
    if (splitter->request->since_bound != NULL) {
        buffer_append_string(&sql, " WHERE ");
        if (postgres_append_since(self, splitter->request, &sql, splitter->spans.error) !=
            STATUS_OK) {
            buffer_free(&sql);
            return STATUS_FAILED;
        }
    }
    buffer_format(&sql, ") AS _keys WHERE _place OPERATOR(pg_catalog.%%) %lld = 0 ORDER BY _place",
                  (long long)step);
    return postgres_query_buffer(self, self->control, &sql, NULL, 0, SQL_LONG, ERROR_SOURCE_READ,
                                 result, splitter->spans.error);
}

/* Texts are put in order again: statistics stay as they are when an upgrade brings another version
 * of a collation, and bounds that are out of order would cover records twice. */
static void append_bound_order(struct sql_splitter *splitter, struct buffer *sql)
{
    const struct postgres_table *table = table_of(splitter);
    int32_t column = postgres_find_column(table, table->key.names[0]);
    const char *collation = table->columns[column].collation;
    if (collation != NULL && strcmp(collation, "pg_catalog.\"C\"") != 0) {
        buffer_format(sql, "bound::%s COLLATE %s, ", postgres_span_type(table, column), collation);
    }
    buffer_append_string(sql, "place");
}

/* The statistics' own ranges of equally many keys, joined to `spans`: asking costs nothing. No
 * rows: they do not know the key. */
static enum status ask_histogram(struct sql_splitter *splitter, int64_t spans, PGresult **result)
{
    struct postgres_database *self = server_of(splitter);
    const struct postgres_table *table = table_of(splitter);
    struct buffer sql = {0};
    char digits[24] = {0};
    text_from_int64(spans, digits);
    const struct sql_table_place place = sql_place_of(&self->sql, table->schema->name);
    const struct postgres_parameter parameters[] = {{.text = place.schema},
                                                    {.text = place.name},
                                                    {.text = table->key.names[0]},
                                                    {.text = digits}};
    buffer_append_string(
        &sql,
        "SELECT bound FROM (SELECT u.bound, u.place, count(*) OVER () - 1 AS ranges FROM "
        "pg_catalog.pg_stats s, pg_catalog.unnest(s.histogram_bounds::text::text[]) WITH "
        "ORDINALITY u(bound, place) WHERE s.schemaname = $1 AND s.tablename = $2 AND s.attname = "
        "$3 AND NOT s.inherited AND s.most_common_vals IS NULL) h WHERE place BETWEEN 2 AND ranges "
        "AND (place - 1) * $4::bigint / ranges > (place - 2) * $4::bigint / ranges ORDER BY ");
    append_bound_order(splitter, &sql);
    return postgres_catalog_query_buffer(self, self->control, &sql, parameters, 4, SQL_SHORT,
                                         ERROR_SOURCE_READ, result, splitter->spans.error);
}

static enum status ask_some_bounds(struct sql_splitter *splitter, bool exact, PGresult **result)
{
    int64_t rows = splitter->rows;
    int64_t rows_wanted = splitter->wanted;
    int64_t spans = rows > 0 ? (rows + rows_wanted - 1) / rows_wanted : 0;
    double percent = 100;
    int64_t step = rows_wanted;
    if (!exact && spans > 1 && spans <= HISTOGRAM_SPANS_MAX && table_of(splitter)->kind == 'r' &&
        splitter->root.key.count == 1) {
        enum status status = ask_histogram(splitter, spans, result);
        if (status != STATUS_OK || PQntuples(*result) > 0) {
            return status;
        }
        PQclear(*result);
        *result = NULL;
    }
    if (!exact && rows > 0) {
        double wanted = (double)rows / (double)rows_wanted * SAMPLE_A_SPAN;
        percent = 100.0 * wanted / (double)rows;
        percent = percent < 0.0001 ? 0.0001 : percent;
        step = SAMPLE_A_SPAN;
    }
    if (percent >= 50) {
        percent = 100;
        step = rows_wanted;
    }
    return ask_bounds(splitter, percent, step, result);
}

static enum status split_by_key(struct sql_splitter *splitter)
{
    PGresult *result = NULL;
    int64_t rows = splitter->rows;
    bool changed = splitter->request->since_bound != NULL;
    bool exact = changed || splitter->root.schema->size_bytes <= SQL_EXACT_BYTES_MAX;
    splitter->bounds = (struct sql_bounds){.by_key = true, .parts = splitter->root.key.count};
    if (rows >= 0 && rows <= splitter->wanted) {
        return sql_split_add(splitter);
    }
    enum status status = ask_some_bounds(splitter, exact, &result);
    int count = status == STATUS_OK ? PQntuples(result) : 0;
    splitter->rows_each = splitter->wanted;
    for (int row = 0; status == STATUS_OK && row < count; row++) {
        struct text values[SQL_KEY_PARTS_MAX];
        for (uint32_t i = 0; i < splitter->bounds.parts; i++) {
            values[i] = (struct text){PQgetvalue(result, row, (int)i),
                                      (size_t)PQgetlength(result, row, (int)i)};
        }
        status = sql_split_at(splitter, values);
    }
    splitter->rows_each = exact && !changed && rows >= 0 ? rows % splitter->wanted : -1;
    status = status == STATUS_OK ? sql_split_add(splitter) : status;
    PQclear(result);
    return status;
}

static enum status split_by_blocks(struct sql_splitter *splitter)
{
    int64_t rows = splitter->rows;
    int64_t blocks = splitter->root.schema->size_bytes / BLOCK_BYTES;
    int64_t spans = rows > 0 ? (rows + splitter->wanted - 1) / splitter->wanted : blocks / 4096 + 1;
    struct sql_bounds *bounds = &splitter->bounds;
    enum status status = STATUS_OK;
    spans = spans < 1 ? 1 : spans > SQL_SPANS_MAX ? SQL_SPANS_MAX : spans > blocks ? blocks : spans;
    splitter->rows_each = rows > 0 ? rows / spans : -1;
    for (int64_t i = 0; status == STATUS_OK && i < spans; i++) {
        bounds->low_block = (uint32_t)(blocks * i / spans);
        bounds->high_block = (uint32_t)(blocks * (i + 1) / spans);
        bounds->has_low = i > 0;
        bounds->has_high = i + 1 < spans;
        status = sql_split_add(splitter);
    }
    return status;
}

enum status postgres_split(struct database *database, const struct read_request *request,
                           uint64_t rows_wanted, struct arena *arena, struct span **spans,
                           uint32_t *span_count, struct error *error)
{
    struct sql_splitter splitter;
    enum way way = WAY_WHOLE;
    if (sql_split_begin(&splitter, database, request, rows_wanted, arena, error) != STATUS_OK ||
        choose_way(postgres_database_of(database), request, table_of(&splitter), &way, error) !=
            STATUS_OK ||
        (way != WAY_WHOLE && sql_split_count(&splitter) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    enum status status = way == WAY_KEY      ? split_by_key(&splitter)
                         : way == WAY_BLOCKS ? split_by_blocks(&splitter)
                                             : sql_split_add(&splitter);
    return sql_spans_end(&splitter.spans, status, spans, span_count);
}
