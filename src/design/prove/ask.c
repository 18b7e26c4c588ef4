/* Asking a database in its own language. */
#include "design/prove/prove_parts.h"

#include <string.h>

enum { BATCH_ROWS = 500, BATCH_BYTES = 1 << 20 };

enum status prove_side_open(struct database *database, struct arena *arena, struct prove_side *side,
                            struct error *error)
{
    const char *token = NULL;
    *side = (struct prove_side){.database = database};
    if (database->connector->source->snapshot(database, 1, arena, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return database->connector->source->reader_open(database, &side->reader, error);
}

void prove_side_close(struct prove_side *side)
{
    if (side->reader != NULL) {
        side->database->connector->source->reader_close(side->reader);
        side->reader = NULL;
    }
}

struct cell *prove_rows_add(struct prove_rows *rows, struct arena *arena)
{
    if (rows->count == rows->capacity) {
        uint32_t capacity = rows->capacity * 2 + 16;
        struct cell *grown =
            arena_allocate_zeroed(arena, (size_t)capacity * rows->width + 1, sizeof(*grown));
        if (rows->count > 0) {
            memcpy(grown, rows->cells, (size_t)rows->count * rows->width * sizeof(*grown));
        }
        rows->cells = grown;
        rows->capacity = capacity;
    }
    return rows->cells + (size_t)rows->count++ * rows->width;
}

/* Rows that are kept. */
struct keeping {
    struct prove_rows *rows;
    struct arena *arena;
};

static enum status ask_keep(void *self, const struct cell *from, uint32_t width,
                            struct error *error)
{
    struct keeping *keeping = self;
    struct cell *to = prove_rows_add(keeping->rows, keeping->arena);
    for (uint32_t i = 0; i < width; i++) {
        if (value_copy(&from[i], keeping->arena, &to[i]) != STATUS_OK) {
            return error_set(error, ERROR_MEMORY, NULL, "no memory for a row");
        }
    }
    return STATUS_OK;
}

struct reading {
    const struct read_request *request;
    uint32_t width;
    uint64_t rows_max;
    const struct prove_taker *taker;
};

static enum status take_batch(const struct reading *reading, const struct batch *batch,
                              uint64_t *count, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t row = 0;
         row < batch->row_count && *count < reading->rows_max && status == STATUS_OK; row++) {
        status = reading->taker->take(reading->taker->self, batch_row(batch, row), reading->width,
                                      error);
        ++*count;
    }
    return status;
}

static enum status read_rows(struct prove_side *side, const struct reading *reading,
                             struct error *error)
{
    const struct source_functions *source = side->database->connector->source;
    struct cursor *cursor = NULL;
    uint64_t count = 0;
    if (source->cursor_open(side->reader, reading->request, NULL, &cursor, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = STATUS_OK;
    while (status == STATUS_OK && count < reading->rows_max) {
        struct batch *batch = NULL;
        status = source->cursor_next(cursor, BATCH_ROWS, BATCH_BYTES, &batch, error);
        if (status == STATUS_OK) {
            status = take_batch(reading, batch, &count, error);
            batch_destroy(batch);
        }
    }
    source->cursor_close(cursor);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status ask_columns(struct prove_side *side, const char *query, struct reading *reading,
                               struct error *error)
{
    struct arena *scratch = arena_create(0);
    struct schema_table table = {0};
    const struct catalog_functions *catalog = side->database->connector->catalog;
    struct read_column *columns =
        arena_allocate_zeroed(scratch, reading->width + 1u, sizeof(*columns));
    enum status status = STATUS_OK;
    if (catalog->describe_query == NULL) {
        status = error_set(error, ERROR_USAGE, side->database->connector->title,
                           "can't be asked queries");
    } else if (catalog->describe_query(side->database, query, scratch, &table, error) !=
               STATUS_OK) {
        status = error_context(error, "%s: ", query);
    } else if (table.column_count != reading->width) {
        status = error_set(error, ERROR_INTERNAL, NULL, "%u columns instead of %u: %s",
                           table.column_count, reading->width, query);
    }
    for (uint32_t i = 0; i < reading->width && status == STATUS_OK; i++) {
        columns[i] = (struct read_column){.join = -1, .name = table.columns[i].name};
    }
    const struct read_request request = {
        .name = "proof", .query = query, .columns = columns, .column_count = reading->width};
    reading->request = &request;
    if (status == STATUS_OK && read_rows(side, reading, error) != STATUS_OK) {
        status = error_context(error, "%s: ", query);
    }
    arena_destroy(scratch);
    return status;
}

enum status prove_ask_each(struct prove_side *side, const char *query, uint32_t width,
                           const struct prove_taker *taker, struct error *error)
{
    struct reading reading = {.width = width, .rows_max = UINT64_MAX, .taker = taker};
    return ask_columns(side, query, &reading, error);
}

enum status prove_ask(struct prove_side *side, const char *query, uint32_t width, uint32_t rows_max,
                      struct arena *arena, struct prove_rows *rows, struct error *error)
{
    struct keeping keeping = {.rows = rows, .arena = arena};
    const struct prove_taker taker = {ask_keep, &keeping};
    struct reading reading = {.width = width, .rows_max = rows_max, .taker = &taker};
    *rows = (struct prove_rows){.width = width};
    side->requests++;
    return ask_columns(side, query, &reading, error);
}

enum status prove_ask_documents(struct prove_side *side, const char *query, uint32_t rows_max,
                                struct arena *arena, struct prove_rows *rows, struct error *error)
{
    struct keeping keeping = {.rows = rows, .arena = arena};
    const struct read_request request = {.name = "proof", .query = query};
    const struct prove_taker taker = {ask_keep, &keeping};
    const struct reading reading = {
        .request = &request, .width = 1, .rows_max = rows_max, .taker = &taker};
    *rows = (struct prove_rows){.width = 1};
    side->requests++;
    if (read_rows(side, &reading, error) != STATUS_OK) {
        return error_context(error, "%s: ", query);
    }
    return STATUS_OK;
}
