/* Record batches to records, and to rows as they stand. */
#include "connectors/arrow/arrow.h"

#include "base/memory.h"
#include "connectors/columnar/rows.h"
#include "model/cell_bytes.h"
#include <stdlib.h>
#include <string.h>

struct folder_decoder {
    struct columnar_reading reading;
    struct arena *arena;
    struct arena *scratch; /* of one row that is read raw */
    struct arrow_file *file;
    const struct ArrowArrayView *view; /* the record batch that is read */
    uint32_t batch;                    /* the next one */
    int64_t at;                        /* the row of the view */
    int64_t left;                      /* rows that are left of it */
    struct buffer raw;
};

const struct arrow_layout *arrow_decoder_layout(const struct folder_decoder *decoder)
{
    return &decoder->file->layout;
}

void arrow_decoder_close(struct folder_decoder *decoder)
{
    if (decoder == NULL) {
        return;
    }
    arrow_file_close(decoder->file);
    buffer_free(&decoder->raw);
    arena_destroy(decoder->scratch);
    arena_destroy(decoder->arena);
    free(decoder);
}

enum status arrow_decoder_open(struct folder *folder, const char *name,
                               const struct folder_table *table, const struct folder_range *range,
                               const struct read_request *request, struct folder_decoder **decoder,
                               struct error *error)
{
    struct columnar_file facts;
    struct folder_decoder *made = memory_allocate_zeroed(1, sizeof(*made));
    *decoder = NULL;
    made->arena = arena_create(0);
    made->scratch = arena_create(0);
    if (arrow_file_open(range->path, table != NULL ? ERROR_SOURCE_READ : ERROR_TARGET_INVALID,
                        &made->file, error) != STATUS_OK) {
        arrow_decoder_close(made);
        return STATUS_FAILED;
    }
    arrow_file_facts(made->file, made->arena, &facts);
    if (columnar_reading_begin(&made->reading, folder, name, table, range, request, &facts,
                               made->arena, error) != STATUS_OK) {
        arrow_decoder_close(made);
        return STATUS_FAILED;
    }
    *decoder = made;
    return STATUS_OK;
}

/* Goes to the next record batch with rows. */
static enum status next_batch(struct folder_decoder *decoder, struct error *error)
{
    struct arrow_file *file = decoder->file;
    while (decoder->batch < file->batch_count &&
           (file->batches[decoder->batch].rows == 0 ||
            !columnar_reading_holds(&decoder->reading, file->rows))) {
        decoder->reading.row += file->batches[decoder->batch++].rows;
    }
    if (decoder->batch == file->batch_count) {
        return STATUS_END;
    }
    if (arrow_file_batch(file, decoder->batch++, &decoder->view, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    decoder->at = 0;
    decoder->left = decoder->view->length;
    return STATUS_OK;
}

/* The wanted cells of the row in hand; what can't be read is in reading->why. */
static void read_row(struct folder_decoder *decoder, struct arena *arena)
{
    struct columnar_reading *reading = &decoder->reading;
    struct error why;
    error_clear(&reading->why);
    for (uint32_t at = 0; at < reading->wanted_count; at++) {
        struct columnar_wanted *wanted = &reading->wanted[at];
        const struct arrow_node *node = &decoder->file->layout.columns[wanted->column];
        if (arrow_value_read(node, decoder->view->children[wanted->column], decoder->at, arena,
                             &wanted->cell, &why) != STATUS_OK) {
            wanted->cell = cell_null();
            if (reading->why.code == ERROR_NONE) {
                error_set(&reading->why, why.code, NULL, "field %s: %s", wanted->name, why.message);
            }
        }
        columnar_reading_convert(reading, wanted, arena);
    }
}

static enum status add_next(struct folder_decoder *decoder, struct batch *batch,
                            struct error *error)
{
    enum status status = decoder->left == 0 ? next_batch(decoder, error) : STATUS_OK;
    if (status != STATUS_OK) {
        return status;
    }
    read_row(decoder, batch->arena);
    decoder->at++;
    decoder->left--;
    return columnar_reading_take(&decoder->reading, batch, error);
}

enum status arrow_decoder_fill(struct folder_decoder *decoder, struct batch *batch,
                               uint32_t rows_max, size_t bytes_max, struct error *error)
{
    return columnar_decoder_fill(decoder, add_next, batch, rows_max, bytes_max, error);
}

/* ---------------------------------------------------------------- raw */

/* Nested values are fitted as the encoder does: records have their fields in order. */
static enum status append_column(struct folder_decoder *decoder, uint32_t number,
                                 struct error *error)
{
    struct cell cell;
    struct cell fitted;
    const struct arrow_node *node = &decoder->file->layout.columns[number];
    return arrow_value_read(node, decoder->view->children[number], decoder->at, decoder->scratch,
                            &cell, error) == STATUS_OK &&
                   arrow_value_fit(node, &cell, decoder->scratch, &fitted, error) == STATUS_OK
               ? cell_bytes_append(&fitted, &decoder->raw, error)
               : STATUS_FAILED;
}

enum status arrow_raw_next(struct folder_decoder *decoder, const char **bytes, size_t *length,
                           struct error *error)
{
    enum status status = decoder->left == 0 ? next_batch(decoder, error) : STATUS_OK;
    if (status != STATUS_OK) {
        return status;
    }
    arena_reset(decoder->scratch);
    columnar_row_begin(&decoder->raw);
    for (uint32_t at = 0; at < decoder->file->layout.column_count; at++) {
        if (append_column(decoder, at, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    columnar_row_end(&decoder->raw, bytes, length);
    decoder->reading.row++;
    decoder->at++;
    decoder->left--;
    return STATUS_OK;
}

/* A record's cells, which are in the order of its type, as the MAP that they were. */
static void decoder_restore(const struct arrow_node *node, struct arena *arena, struct cell *cell)
{
    if (cell->kind == VALUE_NULL || node->form == ARROW_VALUE) {
        return;
    }
    bool record = node->form == ARROW_RECORD;
    size_t count = (size_t)cell->length * (record ? 1 : node->child_count);
    struct cell *items = arena_allocate(arena, (2 * count + 1) * sizeof(*items));
    for (size_t at = 0; at < count; at++) {
        const struct arrow_node *child = &node->children[record                    ? at
                                                         : node->form == ARROW_MAP ? at % 2
                                                                                   : 0];
        struct cell *item = &items[record ? 2 * at + 1 : at];
        *item = cell->items[at];
        decoder_restore(child, arena, item);
        if (record) {
            items[2 * at] = cell_text(child->name, strlen(child->name));
        }
    }
    *cell = cell_items(node->form == ARROW_LIST ? VALUE_LIST : VALUE_MAP, items, cell->length);
}

enum status arrow_raw_read(struct folder_decoder *decoder, const char *bytes, size_t length,
                           struct arena *arena, struct cell *record, struct error *error)
{
    const struct arrow_layout *layout = &decoder->file->layout;
    struct columnar_reading *reading = &decoder->reading;
    struct cell *cells = arena_allocate(arena, ((size_t)layout->column_count + 1) * sizeof(*cells));
    const char *kept = arena_copy(arena, bytes, length);
    if (length < sizeof(uint32_t) ||
        cell_bytes_read(kept + sizeof(uint32_t), length - sizeof(uint32_t), layout->column_count,
                        arena, cells, error) != STATUS_OK) {
        return error_set(error, ERROR_TARGET_INVALID, NULL, "a row is damaged");
    }
    error_clear(&reading->why);
    for (uint32_t at = 0; at < reading->wanted_count; at++) {
        struct columnar_wanted *wanted = &reading->wanted[at];
        wanted->cell = cells[wanted->column];
        decoder_restore(&layout->columns[wanted->column], arena, &wanted->cell);
        columnar_reading_convert(reading, wanted, arena);
    }
    *record = columnar_reading_document(reading, arena);
    return reading->why.code == ERROR_NONE ? STATUS_OK : error_copy(error, &reading->why);
}
