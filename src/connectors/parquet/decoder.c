/* Row groups to records, and to rows as they stand. */
#include "connectors/parquet/parquet.h"

#include "base/memory.h"
#include "connectors/folder/folder_sidecar.h"
#include "model/convert.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A column of the file. */
struct wanted {
    const struct parquet_node *node;
    const struct value_type *type; /* of the table, where it is another one; else NULL */
    struct cell cell;              /* of the row in hand */
};

struct folder_decoder {
    const struct folder_table *table; /* NULL: a target's file, raw */
    const struct read_request *request;
    struct arena *arena;
    struct parquet_file *file;
    char *file_name;
    struct parquet_assembly assembly;
    struct wanted *wanted; /* of a request those that it names; else all of the file */
    uint32_t wanted_count;
    int32_t *cells; /* of each of the request's columns: its number in `wanted`, or one of these: */
    uint64_t begin; /* places of the row groups of the range */
    uint64_t end;
    uint64_t bytes;      /* of the file as the snapshot has it, for places */
    bool begun;          /* a row group is read */
    uint32_t group;      /* the next one */
    uint64_t group_left; /* rows that are left of the one that is read */
    uint64_t row;        /* rows of the file before the next one */
    struct buffer raw;
};

enum { CELL_NULL = -1, CELL_FILE = -2, CELL_ROW = -3 };

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

static const struct value_type *declared_type(const struct schema_column *columns, uint32_t count,
                                              const struct parquet_node *node)
{
    for (uint32_t at = 0; at < count; at++) {
        if (strcmp(columns[at].name, node->name) == 0) {
            const struct value_type *type = &columns[at].type;
            return type->kind != node->type.kind ? type : NULL;
        }
    }
    return NULL;
}

static int32_t want(struct folder_decoder *decoder, int32_t column)
{
    const struct parquet_layout *layout = &decoder->file->layout;
    const struct schema_column *declared = &decoder->table->schema.columns[column];
    int32_t found = parquet_layout_find(layout, declared->name);
    if (found < 0) {
        return CELL_NULL;
    }
    const struct parquet_node *node = &layout->columns[found];
    for (uint32_t at = 0; at < decoder->wanted_count; at++) {
        if (decoder->wanted[at].node == node) {
            return (int32_t)at;
        }
    }
    decoder->wanted[decoder->wanted_count] =
        (struct wanted){.node = node, .type = declared_type(declared, 1, node)};
    return (int32_t)decoder->wanted_count++;
}

/* Without a column of the file there would be nothing that tells where its rows end. */
static void want_columns(struct folder_decoder *decoder, struct folder *folder)
{
    const struct read_request *request = decoder->request;
    int32_t *positions = folder_positions(folder, decoder->table, request, decoder->arena);
    decoder->cells = arena_allocate_zeroed(decoder->arena, (size_t)request->column_count + 1,
                                           sizeof(*decoder->cells));
    for (uint32_t at = 0; at < request->column_count; at++) {
        decoder->cells[at] = positions[at] >= 0                    ? want(decoder, positions[at])
                             : positions[at] == FOLDER_COLUMN_FILE ? CELL_FILE
                             : positions[at] == FOLDER_COLUMN_POSITION ? CELL_ROW
                                                                       : CELL_NULL;
    }
    if (decoder->wanted_count == 0) {
        decoder->wanted[decoder->wanted_count++] =
            (struct wanted){.node = &decoder->file->layout.columns[0]};
    }
}

static enum status want_all(struct folder_decoder *decoder, struct folder *folder, const char *name,
                            struct error *error)
{
    struct folder_sidecar sidecar;
    const struct parquet_layout *layout = &decoder->file->layout;
    char *path = folder_definition_path(decoder->arena, folder, name, ".json");
    if (folder_sidecar_read(path, decoder->arena, &sidecar, error) == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    for (uint32_t at = 0; at < layout->column_count; at++) {
        const struct parquet_node *node = &layout->columns[at];
        decoder->wanted[decoder->wanted_count++] = (struct wanted){
            .node = node, .type = declared_type(sidecar.columns, sidecar.column_count, node)};
    }
    return STATUS_OK;
}

static enum status prepare(struct folder_decoder *decoder, struct folder *folder, const char *name,
                           struct error *error)
{
    uint32_t leaves = 0;
    enum status status = STATUS_OK;
    decoder->wanted = arena_allocate_zeroed(
        decoder->arena, (size_t)decoder->file->layout.column_count + 1, sizeof(*decoder->wanted));
    if (decoder->table != NULL) {
        want_columns(decoder, folder);
    } else {
        status = want_all(decoder, folder, name, error);
    }
    for (uint32_t at = 0; at < decoder->wanted_count; at++) {
        leaves += decoder->wanted[at].node->leaf_count;
    }
    decoder->assembly = (struct parquet_assembly){
        .file = decoder->file,
        .cursors =
            parquet_cursors_create(decoder->file, &decoder->file->layout, leaves, decoder->arena),
    };
    return status;
}

enum status parquet_decoder_open(struct folder *folder, const char *name,
                                 const struct folder_table *table, const struct folder_range *range,
                                 const struct read_request *request,
                                 struct folder_decoder **decoder, struct error *error)
{
    struct folder_decoder *made = memory_allocate_zeroed(1, sizeof(*made));
    *decoder = NULL;
    made->arena = arena_create(0);
    made->table = table;
    made->request = request;
    made->file_name = arena_copy_string(made->arena, range->file_name);
    made->begin = range->begin;
    made->end = range->end;
    made->bytes = table != NULL ? table->files[range->file].bytes : 0;
    if (parquet_file_open(range->path, table != NULL ? ERROR_SOURCE_READ : ERROR_TARGET_INVALID,
                          &made->file, error) != STATUS_OK ||
        prepare(made, folder, name, error) != STATUS_OK) {
        parquet_decoder_close(made);
        return STATUS_FAILED;
    }
    *decoder = made;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- row groups */

static bool is_in_range(const struct folder_decoder *decoder)
{
    if (decoder->table == NULL) {
        return true;
    }
    uint64_t place = columnar_place_of_row(decoder->bytes, decoder->file->rows, decoder->row);
    return place >= decoder->begin && place < decoder->end;
}

/* All columns end where the rows of a row group do, else they are not of the same records. */
static enum status check_ends(struct folder_decoder *decoder, struct error *error)
{
    for (uint32_t at = 0; at < decoder->wanted_count; at++) {
        const struct parquet_node *node = decoder->wanted[at].node;
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
           (file->group_rows[decoder->group] == 0 || !is_in_range(decoder))) {
        decoder->row += file->group_rows[decoder->group++];
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

/* As the table has it: texts that stand for what Parquet lacks, numbers of another file's type. */
static void convert(struct parquet_assembly *assembly, const struct wanted *wanted,
                    struct cell *cell)
{
    struct cell converted;
    struct error why;
    struct value_type type = *wanted->type;
    if (cell->kind <= VALUE_NULL || assembly->why.code != ERROR_NONE) {
        return;
    }
    error_clear(&why);
    type.dynamic = true;
    if (convert_value(cell, &type, false, assembly->arena, &converted, &why) != STATUS_OK) {
        error_set(&assembly->why, why.code, NULL, "column %s: %s", wanted->node->name, why.message);
        return;
    }
    *cell = converted;
}

static enum status assemble_row(struct folder_decoder *decoder, struct error *error)
{
    error_clear(&decoder->assembly.why);
    for (uint32_t at = 0; at < decoder->wanted_count; at++) {
        struct wanted *wanted = &decoder->wanted[at];
        if (check_begins(decoder, wanted->node, error) != STATUS_OK ||
            parquet_assemble(&decoder->assembly, wanted->node, &wanted->cell, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (wanted->type != NULL) {
            convert(&decoder->assembly, wanted, &wanted->cell);
        }
    }
    return STATUS_OK;
}

static struct cell document_of(const struct folder_decoder *decoder, struct arena *arena)
{
    struct cell *pairs =
        arena_allocate(arena, 2 * ((size_t)decoder->wanted_count + 1) * sizeof(*pairs));
    for (uint32_t at = 0; at < decoder->wanted_count; at++) {
        const char *name = decoder->wanted[at].node->name;
        size_t length = strlen(name);
        pairs[2 * (size_t)at] = cell_text(arena_copy(arena, name, length), length);
        pairs[2 * (size_t)at + 1] = decoder->wanted[at].cell;
    }
    return cell_items(VALUE_MAP, pairs, decoder->wanted_count);
}

/* What could be read of it goes with the reason. */
static void refuse(struct folder_decoder *decoder, struct batch *batch)
{
    char place[40];
    struct buffer text = {0};
    struct error ignored;
    struct cell document = document_of(decoder, batch->arena);
    snprintf(place, sizeof(place), "row %" PRIu64, decoder->row + 1);
    if (convert_append_json(&document, &text, &ignored) != STATUS_OK) {
        buffer_clear(&text);
    }
    folder_refuse_record(batch, decoder->file_name, decoder->row + 1, place, buffer_string(&text),
                         text.length, &decoder->assembly.why);
    buffer_free(&text);
}

static void add_row(struct folder_decoder *decoder, struct batch *batch)
{
    struct cell *row = batch_append(batch);
    for (uint32_t at = 0; at < decoder->request->column_count; at++) {
        int32_t from = decoder->cells[at];
        if (from >= 0) {
            row[at] = decoder->wanted[from].cell;
        } else if (from == CELL_FILE) {
            const char *name = arena_copy_string(batch->arena, decoder->file_name);
            row[at] = cell_text(name, strlen(name));
        } else if (from == CELL_ROW) {
            row[at] = cell_int64((int64_t)decoder->row + 1);
        } else {
            row[at] = cell_null();
        }
    }
}

enum status parquet_decoder_fill(struct folder_decoder *decoder, struct batch *batch,
                                 uint32_t rows_max, size_t bytes_max, struct error *error)
{
    enum status status = STATUS_OK;
    uint32_t count = batch->row_count + batch->refused_count;
    decoder->assembly.arena = batch->arena;
    while (count < rows_max && (count == 0 || batch_bytes(batch) < bytes_max)) {
        status = decoder->group_left == 0 ? next_group(decoder, error) : STATUS_OK;
        if (status != STATUS_OK) {
            return status;
        }
        if (assemble_row(decoder, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (decoder->assembly.why.code == ERROR_NONE) {
            add_row(decoder, batch);
        } else if (decoder->assembly.why.class == ERROR_CLASS_REJECT) {
            refuse(decoder, batch);
        } else {
            return error_copy(error, &decoder->assembly.why);
        }
        decoder->row++;
        decoder->group_left--;
        count = batch->row_count + batch->refused_count;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- raw */

enum status parquet_raw_next(struct folder_decoder *decoder, const char **bytes, size_t *length,
                             struct error *error)
{
    uint32_t whole = 0;
    enum status status = decoder->group_left == 0 ? next_group(decoder, error) : STATUS_OK;
    if (status != STATUS_OK) {
        return status;
    }
    buffer_clear(&decoder->raw);
    buffer_append(&decoder->raw, &whole, sizeof(whole));
    for (uint32_t leaf = 0; leaf < decoder->file->layout.leaf_count; leaf++) {
        if (parquet_row_append(&decoder->assembly, &decoder->assembly.cursors[leaf], &decoder->raw,
                               error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    whole = (uint32_t)decoder->raw.length;
    memcpy(decoder->raw.data, &whole, sizeof(whole));
    decoder->row++;
    decoder->group_left--;
    *bytes = decoder->raw.data;
    *length = decoder->raw.length;
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
    for (uint32_t at = 0; at < decoder->wanted_count; at++) {
        struct wanted *wanted = &decoder->wanted[at];
        if (parquet_assemble(&assembly, wanted->node, &wanted->cell, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (wanted->type != NULL) {
            convert(&assembly, wanted, &wanted->cell);
        }
    }
    *record = document_of(decoder, arena);
    return assembly.why.code == ERROR_NONE ? STATUS_OK : error_copy(error, &assembly.why);
}
