#include "design/input/live.h"
#include "model/batch.h"
#include <string.h>

enum { BATCH_ROWS = 256, BATCH_BYTES = 1 << 20, COLUMNS = 2 };

/* Each gives a statement and how often it ran. The extension may be in another schema than those
 * that are looked in by themselves. */
static const struct {
    enum sql_language language;
    const char *query;
} questions[] = {
    {SQL_POSTGRES,
     "SELECT s.query, s.calls FROM pg_stat_statements s JOIN pg_catalog.pg_database d "
     "ON d.oid = s.dbid WHERE d.datname = pg_catalog.current_database() ORDER BY 2 "
     "DESC LIMIT 20000"},
    {SQL_POSTGRES, "SELECT s.query, s.calls FROM public.pg_stat_statements s JOIN "
                   "pg_catalog.pg_database d ON d.oid = s.dbid WHERE d.datname = "
                   "pg_catalog.current_database() ORDER BY 2 DESC LIMIT 20000"},
    {SQL_MYSQL, "SELECT DIGEST_TEXT, COUNT_STAR FROM "
                "performance_schema.events_statements_summary_by_digest WHERE SCHEMA_NAME = "
                "DATABASE() AND DIGEST_TEXT IS NOT NULL ORDER BY 2 DESC LIMIT 20000"},
};

struct live {
    const struct source_functions *functions;
    struct database *source;
    struct input_sql *input;
    struct arena *arena;
    struct read_request request;
    uint64_t rows;
};

static void add_batch(struct live *live, const struct batch *batch)
{
    for (uint32_t row = 0; row < batch->row_count; row++) {
        const struct cell *cells = batch_row(batch, row);
        double weight = cells[1].kind == VALUE_INT64    ? (double)cells[1].i64
                        : cells[1].kind == VALUE_UINT64 ? (double)cells[1].u64
                                                        : 0;
        live->rows++;
        if (cells[0].kind == VALUE_TEXT && weight > 0) {
            const struct input_text text = {.sql = cells[0].text,
                                            .length = cells[0].length,
                                            .weight = weight,
                                            .line = (uint32_t)live->rows,
                                            .column = 1};
            input_sql_add(live->input, &text);
        }
    }
}

static enum status read_rows(struct live *live, struct reader *reader, struct error *error)
{
    struct span *spans = NULL;
    uint32_t count = 0;
    enum status status = live->functions->split(live->source, &live->request, INPUT_STATEMENTS_MAX,
                                                live->arena, &spans, &count, error);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        struct cursor *cursor = NULL;
        status = live->functions->cursor_open(reader, &live->request, &spans[i], &cursor, error);
        while (status == STATUS_OK) {
            struct batch *batch = NULL;
            status = live->functions->cursor_next(cursor, BATCH_ROWS, BATCH_BYTES, &batch, error);
            if (status == STATUS_OK) {
                add_batch(live, batch);
            }
            batch_destroy(batch);
        }
        if (cursor != NULL) {
            live->functions->cursor_close(cursor);
        }
        status = status == STATUS_END ? STATUS_OK : status;
    }
    return status;
}

static enum status read_query(struct live *live, struct error *error)
{
    struct reader *reader = NULL;
    const char *token = NULL;
    struct stream_facts facts = {0};
    if (live->functions->snapshot(live->source, 1, live->arena, &token, error) != STATUS_OK ||
        live->functions->reader_open(live->source, &reader, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        live->functions->describe_stream(live->source, &live->request, live->arena, &facts, error);
    if (status == STATUS_OK) {
        status = read_rows(live, reader, error);
    }
    live->functions->reader_close(reader);
    return status;
}

/* The first question that the database understands. */
static bool live_ask(struct live *live, enum sql_language language, struct error *error)
{
    const struct catalog_functions *catalog = live->source->connector->catalog;
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        struct schema_table table = {0};
        if (questions[i].language != language || catalog->describe_query == NULL ||
            catalog->describe_query(live->source, questions[i].query, live->arena, &table, error) !=
                STATUS_OK ||
            table.column_count != COLUMNS) {
            continue;
        }
        struct read_column *columns = arena_allocate_zeroed(live->arena, COLUMNS, sizeof *columns);
        for (uint32_t c = 0; c < COLUMNS; c++) {
            columns[c] = (struct read_column){.join = -1, .name = table.columns[c].name};
        }
        live->request = (struct read_request){.name = "statements",
                                              .query = questions[i].query,
                                              .columns = columns,
                                              .column_count = COLUMNS};
        return true;
    }
    return false;
}

enum status input_live_read(struct database *source, enum sql_language language,
                            struct input_sql *input, struct error *error)
{
    struct live live = {.functions = source->connector->source,
                        .source = source,
                        .input = input,
                        .arena = arena_create(0)};
    enum status status = STATUS_END;
    if (error != NULL) {
        error_clear(error);
    }
    if (live_ask(&live, language, error)) {
        input_sql_set_language(input, language);
        status = read_query(&live, error);
        status = status == STATUS_OK && live.rows == 0 ? STATUS_END : status;
    }
    arena_destroy(live.arena);
    return status;
}
