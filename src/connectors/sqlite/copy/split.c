/* Facts about a stream, and its spans: rowid ranges, or ranges of a WITHOUT ROWID table's whole
 * key. */
#include "base/text.h"
#include "connectors/sqlite/source.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct splitter {
    struct sqlite_database *self;
    const struct catalog_table *table;
    uint64_t rows_wanted;
    int64_t total;
    struct arena *arena;
    struct buffer spans; /* struct span */
    struct error *error;
};

static enum status split_fail(struct splitter *splitter, int result)
{
    return sqlite_error(splitter->self->control, result, OPEN_SOURCE, ERROR_SOURCE_READ,
                        splitter->table->schema->name, "its rows can't be counted",
                        splitter->error);
}

/* ---------------------------------------------------------------- facts */

static void name_key(const struct catalog_table *table, struct arena *arena,
                     struct stream_facts *facts)
{
    const struct schema_table *schema = table->schema;
    const char **row_key = NULL;

    if (schema->primary_key.count > 0 && schema->primary_key_not_null) {
        facts->key = schema->primary_key;
    } else if (schema->row_key != NULL) {
        row_key = arena_allocate(arena, sizeof *row_key);
        *row_key = schema->row_key;
        facts->key = (struct column_list){.names = row_key, .count = 1};
    }
    facts->key_unique = facts->key.count > 0;
    facts->keyed = schema->row_key_stable || table->key_count > 0;
}

enum status source_describe_stream(struct database *database, const struct read_request *request,
                                   struct arena *arena, struct stream_facts *facts,
                                   struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    const struct catalog_table *table = NULL;

    *facts = (struct stream_facts){.row_count = -1};
    if (request_root(self, request, &table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (table == NULL || table->schema->kind != SCHEMA_TABLE) {
        return STATUS_OK;
    }
    name_key(table, arena, facts);
    if (source_file_bytes(self, &facts->bytes_max, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return source_guess_rows(self, table, &facts->row_count, error);
}

/* ---------------------------------------------------------------- spans */

static void add_span(struct splitter *splitter, struct buffer *bounds, const char *printable,
                     const char *last_id, int64_t rows)
{
    struct span span = {
        .printable = printable,
        .bounds_length = (uint32_t)bounds->length,
        .row_estimate = rows,
        .last_id = last_id,
    };
    span.bounds = (const uint8_t *)arena_copy(splitter->arena, bounds->data, bounds->length);
    buffer_append(&splitter->spans, &span, sizeof span);
    buffer_free(bounds);
}

/* All rows, open at both ends. */
static void one_span(struct splitter *splitter, const char *printable)
{
    struct buffer bounds = {0};
    span_encode_rowid(&bounds, NULL, NULL);
    add_span(splitter, &bounds, arena_copy_string(splitter->arena, printable), NULL,
             splitter->total);
}

static void add_rowid_span(struct splitter *splitter, const int64_t *low, const int64_t *high,
                           int64_t first, int64_t last, int64_t rows)
{
    struct buffer bounds = {0};
    span_encode_rowid(&bounds, low, high);
    add_span(splitter, &bounds,
             arena_format(splitter->arena, "rowid %" PRId64 "..%" PRId64, first, last),
             arena_format(splitter->arena, "%" PRId64, last), rows);
}

/* The rowid of the row `count` rows behind `low`; SQLITE_DONE if there are fewer. */
static int step_rowid(sqlite3_stmt *statement, const int64_t *low, int64_t count, int64_t *rowid)
{
    sqlite3_reset(statement);
    /* ">=", so that INT64_MIN is found too: `low` itself is one row more to skip */
    sqlite3_bind_int64(statement, 1, low != NULL ? *low : INT64_MIN);
    sqlite3_bind_int64(statement, 2, low != NULL ? count : count - 1);
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        *rowid = sqlite3_column_int64(statement, 0);
    }
    sqlite3_reset(statement);
    return result;
}

/* Where there are no gaps, rowids are counted; else one pass over them finds each n-th. */
static enum status split_rowids(struct splitter *splitter, sqlite3_stmt *stepping, int64_t first,
                                int64_t last)
{
    bool dense = (uint64_t)last - (uint64_t)first == (uint64_t)splitter->total - 1;
    int64_t wanted = splitter->rows_wanted > (uint64_t)splitter->total
                         ? splitter->total
                         : (int64_t)splitter->rows_wanted;
    int64_t left = splitter->total;
    int64_t low = 0;
    bool has_low = false;

    while (left > wanted) {
        int64_t high = has_low ? low + wanted : first + wanted - 1;
        int result =
            dense ? SQLITE_ROW : step_rowid(stepping, has_low ? &low : NULL, wanted, &high);
        if (result != SQLITE_ROW) { /* fewer are met than were counted */
            return split_fail(splitter, result == SQLITE_DONE ? SQLITE_CORRUPT : result);
        }
        add_rowid_span(splitter, has_low ? &low : NULL, &high, has_low ? low + 1 : first, high,
                       wanted);
        low = high;
        has_low = true;
        left -= wanted;
    }
    add_rowid_span(splitter, has_low ? &low : NULL, NULL, has_low ? low + 1 : first, last, left);
    return STATUS_OK;
}

static enum status split_by_rowid(struct splitter *splitter)
{
    const struct schema_table *table = splitter->table->schema;
    struct buffer sql = {0};
    sqlite3_stmt *ends = NULL;
    sqlite3_stmt *stepping = NULL;
    enum status status = STATUS_FAILED;

    sqlite_append(&sql, "SELECT (SELECT min(%s) FROM main.%n), (SELECT max(%s) FROM main.%n)",
                  table->row_key, table->name, table->row_key, table->name);
    if (sqlite_prepare(splitter->self, splitter->self->control, buffer_string(&sql), &ends,
                       splitter->error) != STATUS_OK) {
        goto out;
    }
    buffer_clear(&sql);
    sqlite_append(&sql, "SELECT %s FROM main.%n WHERE %s >= ?1 ORDER BY 1 LIMIT 1 OFFSET ?2",
                  table->row_key, table->name, table->row_key);
    if (sqlite_prepare(splitter->self, splitter->self->control, buffer_string(&sql), &stepping,
                       splitter->error) != STATUS_OK) {
        goto out;
    }
    int result = sqlite3_step(ends);
    status = result != SQLITE_ROW ? split_fail(splitter, result)
                                  : split_rowids(splitter, stepping, sqlite3_column_int64(ends, 0),
                                                 sqlite3_column_int64(ends, 1));
out:
    sqlite3_finalize(ends);
    sqlite3_finalize(stepping);
    buffer_free(&sql);
    return status;
}

/* ---------------------------------------------------------------- by key */

/* SELECT of the key's prefix, or of the number of rows, within bounds. */
static sqlite3_stmt *prepare_key(struct splitter *splitter, const struct span_bounds *bounds,
                                 bool counting, bool backwards)
{
    const struct catalog_table *table = splitter->table;
    struct buffer sql = {0};
    sqlite3_stmt *statement = NULL;

    buffer_append_string(&sql, counting ? "SELECT count(*" : "SELECT ");
    for (uint32_t i = 0; i < bounds->parts && !counting; i++) {
        sqlite_append(&sql, "%s%n", i > 0 ? ", k." : "k.",
                      table->schema->columns[table->key[i].column].name);
    }
    sqlite_append(&sql, "%s%n AS k NOT INDEXED WHERE 1", counting ? ") FROM main." : " FROM main.",
                  table->schema->name);
    span_append_condition(&sql, bounds, table, "k");
    for (uint32_t i = 0; i < bounds->parts && !counting; i++) {
        buffer_append_string(&sql, i > 0 ? ", " : " ORDER BY ");
        catalog_append_key_part(&sql, table, i, "k");
        buffer_append_string(&sql, table->key[i].descending == backwards ? " ASC" : " DESC");
    }
    buffer_append_string(&sql, counting ? "" : " LIMIT 1 OFFSET :skip");
    enum status status = sqlite_prepare(splitter->self, splitter->self->control,
                                        buffer_string(&sql), &statement, splitter->error);
    if (status == STATUS_OK && span_bind(bounds, statement, splitter->error) != STATUS_OK) {
        sqlite3_finalize(statement);
        statement = NULL;
    }
    buffer_free(&sql);
    return statement;
}

/* The tuple `skip` rows from the bounds' beginning (or end). STATUS_END: there are no more. */
static enum status find_tuple(struct splitter *splitter, const struct span_bounds *bounds,
                              int64_t skip, bool backwards, struct buffer *tuple)
{
    sqlite3_stmt *statement = prepare_key(splitter, bounds, false, backwards);
    enum status status = STATUS_END;

    if (statement == NULL) {
        return STATUS_FAILED;
    }
    sqlite3_bind_int64(statement, sqlite3_bind_parameter_index(statement, ":skip"), skip);
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        span_append_values(tuple, statement, bounds->parts);
        status = STATUS_OK;
    } else if (result != SQLITE_DONE) {
        status = split_fail(splitter, result);
    }
    sqlite3_finalize(statement);
    return status;
}

static enum status count_span(struct splitter *splitter, const struct span_bounds *bounds,
                              int64_t *rows)
{
    sqlite3_stmt *statement = prepare_key(splitter, bounds, true, false);
    if (statement == NULL) {
        return STATUS_FAILED;
    }
    int result = sqlite3_step(statement);
    *rows = result == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    enum status status = result == SQLITE_ROW ? STATUS_OK : split_fail(splitter, result);
    sqlite3_finalize(statement);
    return status;
}

static void set_end(struct span_bounds *bounds, const struct buffer *tuple, bool low)
{
    const uint8_t *values = (const uint8_t *)tuple->data;
    *(low ? &bounds->has_low : &bounds->has_high) = tuple->length > 0;
    *(low ? &bounds->low_values : &bounds->high_values) = values;
}

/* `bounds->end` is only a limit for walking a tuple: each is walked within its own buffer. */
static const char *print_tuple(struct splitter *splitter, const struct buffer *tuple,
                               uint32_t parts)
{
    struct buffer text = {0};
    span_print_values((const uint8_t *)tuple->data, (const uint8_t *)tuple->data + tuple->length,
                      parts, &text);
    return sql_text(splitter->arena, &text);
}

static void add_key_span(struct splitter *splitter, uint32_t parts, const struct buffer *low,
                         const struct buffer *high, const struct buffer *last, int64_t rows)
{
    struct buffer bounds = {0};
    const char *from = low->length > 0 ? print_tuple(splitter, low, parts) : "start";
    const char *to = print_tuple(splitter, last, parts);

    span_encode_key(&bounds, parts, low->length > 0 ? low : NULL, high->length > 0 ? high : NULL);
    add_span(splitter, &bounds, arena_format(splitter->arena, "key (%s)..(%s)", from, to), to,
             rows);
}

/* One span after `low`; fills `high`, left empty in the last one. */
static enum status next_key_span(struct splitter *splitter, uint32_t parts,
                                 const struct buffer *low, struct buffer *high, int64_t *left)
{
    struct span_bounds bounds = {.by_key = true, .parts = parts};
    struct buffer last = {0};
    int64_t rows = (int64_t)splitter->rows_wanted;
    enum status status = STATUS_END;

    set_end(&bounds, low, true);
    bounds.end = (const uint8_t *)low->data + low->length;
    if (*left > rows) {
        status = find_tuple(splitter, &bounds, rows - 1, false, high);
        if (status == STATUS_OK && parts < splitter->table->key_count) {
            struct span_bounds high_only = {.by_key = true, .parts = parts};
            int64_t up_to_high = 0;
            set_end(&high_only, high, false);
            high_only.end = (const uint8_t *)high->data + high->length;
            status = count_span(splitter, &high_only, &up_to_high);
            rows = up_to_high - (splitter->total - *left);
        }
    }
    if (status == STATUS_END || (status == STATUS_OK && rows >= *left)) {
        buffer_clear(high);
        rows = *left;
        struct span_bounds all = {.by_key = true, .parts = parts};
        status = find_tuple(splitter, &all, 0, true, &last);
    }
    if (status == STATUS_OK) {
        add_key_span(splitter, parts, low, high, last.length > 0 ? &last : high, rows);
    }
    *left -= rows;
    buffer_free(&last);
    return status == STATUS_END ? split_fail(splitter, SQLITE_CORRUPT) : status;
}

static enum status split_by_key(struct splitter *splitter)
{
    uint32_t parts = catalog_key_prefix(splitter->table);
    int64_t left = splitter->total;
    struct buffer low = {0};
    struct buffer high = {0};
    enum status status = STATUS_OK;

    while (status == STATUS_OK && left > 0) {
        buffer_clear(&high);
        status = next_key_span(splitter, parts, &low, &high, &left);
        struct buffer swap = low;
        low = high;
        high = swap;
    }
    buffer_free(&low);
    buffer_free(&high);
    return status;
}

const char *source_number_spans(struct database *database, const struct read_request *request,
                                const char **column)
{
    const struct catalog_table *table = NULL;
    struct error ignored;

    /* other keys have collations and orders of their own */
    if (request_root(sqlite_database_of(database), request, &table, &ignored) != STATUS_OK ||
        table == NULL || table->schema->kind != SCHEMA_TABLE || table->rowid_column < 0) {
        return NULL;
    }
    *column = table->schema->columns[table->rowid_column].name;
    return "rowids of SQLite";
}

enum status source_split(struct database *database, const struct read_request *request,
                         uint64_t rows_wanted, struct arena *arena, struct span **spans,
                         uint32_t *span_count, struct error *error)
{
    struct splitter splitter = {
        .self = sqlite_database_of(database),
        .rows_wanted = rows_wanted > 0 ? rows_wanted : 1,
        .total = -1,
        .arena = arena,
        .error = error,
    };
    enum status status = STATUS_OK;

    if (splitter.rows_wanted > INT64_MAX) {
        splitter.rows_wanted = INT64_MAX;
    }
    if (request_root(splitter.self, request, &splitter.table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool is_table = splitter.table != NULL && splitter.table->schema->kind == SCHEMA_TABLE;
    if (is_table &&
        source_guess_rows(splitter.self, splitter.table, &splitter.total, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!is_table || splitter.total == 0) {
        one_span(&splitter, "all");
    } else if (splitter.table->schema->row_key != NULL) {
        status = split_by_rowid(&splitter);
    } else if (splitter.table->key_count > 0) {
        status = split_by_key(&splitter);
    } else {
        one_span(&splitter, "all");
    }
    if (status == STATUS_OK) {
        *span_count = (uint32_t)(splitter.spans.length / sizeof(struct span));
        *spans =
            (struct span *)(void *)arena_copy(arena, splitter.spans.data, splitter.spans.length);
    }
    splitter.self->source->split_here =
        splitter.self->source->split_here ||
        (status == STATUS_OK && splitter.self->source->snapshot_taken);
    buffer_free(&splitter.spans);
    return status;
}
