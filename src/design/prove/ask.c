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

static enum status keep(const struct batch *batch, uint32_t rows_max, struct arena *arena,
                        struct prove_rows *rows, struct error *error)
{
    for (uint32_t row = 0; row < batch->row_count && rows->count < rows_max; row++) {
        const struct cell *from = batch_row(batch, row);
        struct cell *to = prove_rows_add(rows, arena);
        for (uint32_t i = 0; i < rows->width; i++) {
            if (value_copy(&from[i], arena, &to[i]) != STATUS_OK) {
                return error_set(error, ERROR_MEMORY, NULL, "no memory for a row");
            }
        }
    }
    return STATUS_OK;
}

static enum status read_all(struct prove_side *side, const struct read_request *request,
                            uint32_t rows_max, struct arena *arena, struct prove_rows *rows,
                            struct error *error)
{
    const struct source_functions *source = side->database->connector->source;
    struct cursor *cursor = NULL;
    if (source->cursor_open(side->reader, request, NULL, &cursor, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = STATUS_OK;
    while (status == STATUS_OK && rows->count < rows_max) {
        struct batch *batch = NULL;
        status = source->cursor_next(cursor, BATCH_ROWS, BATCH_BYTES, &batch, error);
        if (status == STATUS_OK) {
            status = keep(batch, rows_max, arena, rows, error);
            batch_destroy(batch);
        }
    }
    source->cursor_close(cursor);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status prove_ask(struct prove_side *side, const char *query, uint32_t width, uint32_t rows_max,
                      struct arena *arena, struct prove_rows *rows, struct error *error)
{
    struct schema_table table = {0};
    const struct catalog_functions *catalog = side->database->connector->catalog;
    *rows = (struct prove_rows){.width = width};
    side->requests++;
    if (catalog->describe_query == NULL) {
        return error_set(error, ERROR_USAGE, side->database->connector->title,
                         "can't be asked queries");
    }
    if (catalog->describe_query(side->database, query, arena, &table, error) != STATUS_OK) {
        return error_context(error, "%s: ", query);
    }
    if (table.column_count != width) {
        return error_set(error, ERROR_INTERNAL, NULL, "%u columns instead of %u: %s",
                         table.column_count, width, query);
    }
    struct read_column *columns = arena_allocate_zeroed(arena, width + 1u, sizeof(*columns));
    for (uint32_t i = 0; i < width; i++) {
        columns[i] = (struct read_column){.join = -1, .name = table.columns[i].name};
    }
    const struct read_request request = {
        .name = "proof", .query = query, .columns = columns, .column_count = width};
    if (read_all(side, &request, rows_max, arena, rows, error) != STATUS_OK) {
        return error_context(error, "%s: ", query);
    }
    return STATUS_OK;
}

enum status prove_ask_documents(struct prove_side *side, const char *query, uint32_t rows_max,
                                struct arena *arena, struct prove_rows *rows, struct error *error)
{
    const struct read_request request = {.name = "proof", .query = query};
    *rows = (struct prove_rows){.width = 1};
    side->requests++;
    if (read_all(side, &request, rows_max, arena, rows, error) != STATUS_OK) {
        return error_context(error, "%s: ", query);
    }
    return STATUS_OK;
}
