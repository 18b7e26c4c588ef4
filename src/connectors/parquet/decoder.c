/* Row groups to records, and to rows as they stand. */
#include "connectors/parquet/parquet.h"

#include "base/memory.h"
#include "connectors/columnar/rows.h"
#include <stdlib.h>
#include <string.h>

struct folder_decoder {
    struct columnar_reading reading;
    struct arena *arena;
    struct parquet_file *file;
    struct parquet_assembly assembly;
    bool begun;          /* a row group is read */
    uint32_t group;      /* the next one */
    uint64_t group_left; /* rows that are left of the one that is read */
    struct buffer raw;
};

const struct parquet_layout *parquet_decoder_layout(const struct folder_decoder *decoder)
{
    return &decoder->file->layout;
}

void parquet_decoder_close(struct folder_decoder *decoder)
{
    if (decoder == NULL) {
        return;
    }
    for (uint32_t at = 0; decoder->file != NULL && decoder->assembly.cursors != NULL &&
                          at < decoder->file->layout.leaf_count;
         at++) {
        parquet_cursor_close(&decoder->assembly.cursors[at]);
    }
    parquet_file_close(decoder->file);
    buffer_free(&decoder->raw);
    arena_destroy(decoder->arena);
    free(decoder);
}

/* ---------------------------------------------------------------- opening */

static const struct parquet_node *node_of(const struct folder_decoder *decoder,
                                          const struct columnar_wanted *wanted)
{
    return &decoder->file->layout.columns[wanted->column];
}

static void decoder_prepare(struct folder_decoder *decoder)
{
    uint32_t leaves = 0;
    for (uint32_t at = 0; at < decoder->reading.wanted_count; at++) {
        leaves += node_of(decoder, &decoder->reading.wanted[at])->leaf_count;
    }
    decoder->assembly = (struct parquet_assembly){
        .file = decoder->file,
        .cursors =
            parquet_cursors_create(decoder->file, &decoder->file->layout, leaves, decoder->arena),
    };
}

enum status parquet_decoder_open(struct folder *folder, const char *name,
                                 const struct folder_table *table, const struct folder_range *range,
                                 const struct read_request *request,
                                 struct folder_decoder **decoder, struct error *error)
{
    struct folder_decoder *made = memory_allocate_zeroed(1, sizeof(*made));
    *decoder = NULL;
    made->arena = arena_create(0);
    struct columnar_file facts;
    if (parquet_file_open(range->path, table != NULL ? ERROR_SOURCE_READ : ERROR_TARGET_INVALID,
                          &made->file, error) != STATUS_OK) {
        parquet_decoder_close(made);
        return STATUS_FAILED;
    }
    parquet_file_facts(made->file, made->arena, &facts);
    if (columnar_reading_begin(&made->reading, folder, name, table, range, request, &facts,
                               made->arena, error) != STATUS_OK) {
        parquet_decoder_close(made);
        return STATUS_FAILED;
    }
    decoder_prepare(made);
    *decoder = made;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- row groups */

/* All columns end where the rows of a row group do, else they are not of the same records. */
static enum status check_ends(struct folder_decoder *decoder, struct error *error)
{
    for (uint32_t at = 0; at < decoder->reading.wanted_count; at++) {
        const struct parquet_node *node = node_of(decoder, &decoder->reading.wanted[at]);
        for (uint32_t leaf = node->leaf; leaf < node->leaf + node->leaf_count; leaf++) {
            struct parquet_cursor *cursor = &decoder->assembly.cursors[leaf];
            enum status status = parquet_cursor_look(cursor, error);
            if (status == STATUS_OK) {
                return parquet_file_damaged(decoder->file,
                                            "a column has more rows than its row group", error);
            }
            if (status == STATUS_FAILED) {
                return STATUS_FAILED;
            }
        }
    }
    return STATUS_OK;
}

/* Goes to the next row group with rows. */
static enum status next_group(struct folder_decoder *decoder, struct error *error)
{
    const struct parquet_file *file = decoder->file;
    if (decoder->begun && check_ends(decoder, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    decoder->begun = false;
    while (decoder->group < file->group_count &&
           (file->group_rows[decoder->group] == 0 ||
            !columnar_reading_holds(&decoder->reading, file->rows))) {
        decoder->reading.row += file->group_rows[decoder->group++];
    }
    if (decoder->group == file->group_count) {
        return STATUS_END;
    }
    for (uint32_t leaf = 0; leaf < file->layout.leaf_count; leaf++) {
        parquet_cursor_place(&decoder->assembly.cursors[leaf], decoder->group);
    }
    decoder->group_left = file->group_rows[decoder->group++];
    decoder->begun = true;
    return STATUS_OK;
}

/* A row begins with entries that repeat nothing. */
static enum status check_begins(struct folder_decoder *decoder, const struct parquet_node *node,
                                struct error *error)
{
    for (uint32_t leaf = node->leaf; leaf < node->leaf + node->leaf_count; leaf++) {
        struct parquet_cursor *cursor = &decoder->assembly.cursors[leaf];
        if (cursor->leaf->repetition_max == 0) {
            continue;
        }
        enum status status = parquet_cursor_look(cursor, error);
        if (status == STATUS_OK && parquet_cursor_repetition(cursor) != 0) {
            return parquet_file_damaged(decoder->file, "a list has no begin", error);
        }
        if (status == STATUS_FAILED) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- records */

static enum status assemble_row(struct folder_decoder *decoder, struct parquet_assembly *assembly,
                                struct error *error)
{
    error_clear(&assembly->why);
    error_clear(&decoder->reading.why);
    assembly->cells = 0;
    for (uint32_t at = 0; at < decoder->reading.wanted_count; at++) {
        struct columnar_wanted *wanted = &decoder->reading.wanted[at];
        const struct parquet_node *node = node_of(decoder, wanted);
        if ((assembly->file != NULL && check_begins(decoder, node, error) != STATUS_OK) ||
            parquet_assemble(assembly, node, &wanted->cell, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (decoder->reading.why.code == ERROR_NONE) {
            decoder->reading.why = assembly->why;
        }
        columnar_reading_convert(&decoder->reading, wanted, assembly->arena);
    }
    return STATUS_OK;
}

static enum status add_next(struct folder_decoder *decoder, struct batch *batch,
                            struct error *error)
{
    enum status status = decoder->group_left == 0 ? next_group(decoder, error) : STATUS_OK;
    if (status != STATUS_OK) {
        return status;
    }
    if (assemble_row(decoder, &decoder->assembly, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    decoder->group_left--;
    return columnar_reading_take(&decoder->reading, batch, error);
}

enum status parquet_decoder_fill(struct folder_decoder *decoder, struct batch *batch,
                                 uint32_t rows_max, size_t bytes_max, struct error *error)
{
    decoder->assembly.arena = batch->arena;
    return columnar_decoder_fill(decoder, add_next, batch, rows_max, bytes_max, error);
}

/* ---------------------------------------------------------------- raw */

enum status parquet_raw_next(struct folder_decoder *decoder, const char **bytes, size_t *length,
                             struct error *error)
{
    enum status status = decoder->group_left == 0 ? next_group(decoder, error) : STATUS_OK;
    if (status != STATUS_OK) {
        return status;
    }
    columnar_row_begin(&decoder->raw);
    for (uint32_t leaf = 0; leaf < decoder->file->layout.leaf_count; leaf++) {
        if (parquet_row_append(&decoder->assembly, &decoder->assembly.cursors[leaf], &decoder->raw,
                               error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    columnar_row_end(&decoder->raw, bytes, length);
    decoder->reading.row++;
    decoder->group_left--;
    return STATUS_OK;
}

enum status parquet_raw_read(struct folder_decoder *decoder, const char *bytes, size_t length,
                             struct arena *arena, struct cell *record, struct error *error)
{
    struct parquet_assembly assembly = {.arena = arena};
    if (parquet_row_parse(&decoder->file->layout, bytes, length, arena, &assembly.cursors, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (assemble_row(decoder, &assembly, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *record = columnar_reading_document(&decoder->reading, arena);
    return decoder->reading.why.code == ERROR_NONE ? STATUS_OK
                                                   : error_copy(error, &decoder->reading.why);
}
