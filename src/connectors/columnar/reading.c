/* Rows of a file as records of its table. */
#include "connectors/columnar/columnar.h"

#include "connectors/folder/folder_sidecar.h"
#include "model/convert.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CELL_NULL = -1, CELL_FILE = -2, CELL_ROW = -3 };

static const struct value_type *declared_type(const struct schema_column *columns, uint32_t count,
                                              const struct columnar_column *column)
{
    for (uint32_t at = 0; at < count; at++) {
        if (strcmp(columns[at].name, column->name) == 0) {
            const struct value_type *type = &columns[at].type;
            return type->kind != column->type.kind ? type : NULL;
        }
    }
    return NULL;
}

static int32_t reading_want(struct columnar_reading *reading, const struct columnar_file *file,
                            int32_t number)
{
    const struct schema_column *declared = &reading->table->schema.columns[number];
    uint32_t found = 0;
    while (found < file->column_count && strcmp(file->columns[found].name, declared->name) != 0) {
        found++;
    }
    if (found == file->column_count) {
        return CELL_NULL;
    }
    for (uint32_t at = 0; at < reading->wanted_count; at++) {
        if (reading->wanted[at].column == found) {
            return (int32_t)at;
        }
    }
    reading->wanted[reading->wanted_count] =
        (struct columnar_wanted){.column = found,
                                 .name = file->columns[found].name,
                                 .type = declared_type(declared, 1, &file->columns[found])};
    return (int32_t)reading->wanted_count++;
}

/* Without a column of the file there would be nothing that tells where its rows end. */
static void want_columns(struct columnar_reading *reading, const struct folder *folder,
                         const struct columnar_file *file, struct arena *arena)
{
    const struct read_request *request = reading->request;
    int32_t *positions = folder_positions(folder, reading->table, request, arena);
    reading->cells =
        arena_allocate_zeroed(arena, (size_t)request->column_count + 1, sizeof(*reading->cells));
    for (uint32_t at = 0; at < request->column_count; at++) {
        reading->cells[at] = positions[at] >= 0 ? reading_want(reading, file, positions[at])
                             : positions[at] == FOLDER_COLUMN_FILE     ? CELL_FILE
                             : positions[at] == FOLDER_COLUMN_POSITION ? CELL_ROW
                                                                       : CELL_NULL;
    }
    if (reading->wanted_count == 0) {
        reading->wanted[reading->wanted_count++] =
            (struct columnar_wanted){.column = 0, .name = file->columns[0].name};
    }
}

static enum status want_all(struct columnar_reading *reading, struct folder *folder,
                            const char *name, const struct columnar_file *file, struct arena *arena,
                            struct error *error)
{
    struct folder_sidecar sidecar;
    char *path = folder_definition_path(arena, folder, name, ".json");
    if (folder_sidecar_read(path, arena, &sidecar, error) == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    for (uint32_t at = 0; at < file->column_count; at++) {
        reading->wanted[reading->wanted_count++] = (struct columnar_wanted){
            .column = at,
            .name = file->columns[at].name,
            .type = declared_type(sidecar.columns, sidecar.column_count, &file->columns[at])};
    }
    return STATUS_OK;
}

enum status columnar_reading_begin(struct columnar_reading *reading, struct folder *folder,
                                   const char *name, const struct folder_table *table,
                                   const struct folder_range *range,
                                   const struct read_request *request,
                                   const struct columnar_file *file, struct arena *arena,
                                   struct error *error)
{
    *reading = (struct columnar_reading){
        .table = table,
        .request = request,
        .file_name = arena_copy_string(arena, range->file_name),
        .begin = range->begin,
        .end = range->end,
        .bytes = table != NULL ? table->files[range->file].bytes : 0,
    };
    reading->wanted =
        arena_allocate_zeroed(arena, (size_t)file->column_count + 1, sizeof(*reading->wanted));
    if (table == NULL) {
        return want_all(reading, folder, name, file, arena, error);
    }
    want_columns(reading, folder, file, arena);
    return STATUS_OK;
}

bool columnar_reading_holds(const struct columnar_reading *reading, uint64_t file_rows)
{
    if (reading->table == NULL) {
        return true;
    }
    uint64_t place = columnar_place_of_row(reading->bytes, file_rows, reading->row);
    return place >= reading->begin && place < reading->end;
}

/* As the table has it: texts that stand for what the format lacks, numbers of another file's type.
 */
void columnar_reading_convert(struct columnar_reading *reading, struct columnar_wanted *wanted,
                              struct arena *arena)
{
    struct cell converted;
    struct error why;
    if (wanted->type == NULL || wanted->cell.kind <= VALUE_NULL ||
        reading->why.code != ERROR_NONE) {
        return;
    }
    struct value_type type = *wanted->type;
    error_clear(&why);
    type.dynamic = true;
    if (convert_value(&wanted->cell, &type, false, arena, &converted, &why) != STATUS_OK) {
        error_set(&reading->why, why.code, NULL, "column %s: %s", wanted->name, why.message);
        return;
    }
    wanted->cell = converted;
}

struct cell columnar_reading_document(const struct columnar_reading *reading, struct arena *arena)
{
    struct cell *pairs =
        arena_allocate(arena, 2 * ((size_t)reading->wanted_count + 1) * sizeof(*pairs));
    for (uint32_t at = 0; at < reading->wanted_count; at++) {
        const char *name = reading->wanted[at].name;
        size_t length = strlen(name);
        pairs[2 * (size_t)at] = cell_text(arena_copy(arena, name, length), length);
        pairs[2 * (size_t)at + 1] = reading->wanted[at].cell;
    }
    return cell_items(VALUE_MAP, pairs, reading->wanted_count);
}

/* The row's values that could be read go with the reason. */
static void reading_refuse(const struct columnar_reading *reading, struct batch *batch)
{
    char place[40];
    struct buffer text = {0};
    struct error ignored;
    struct cell document = columnar_reading_document(reading, batch->arena);
    snprintf(place, sizeof(place), "row %" PRIu64, reading->row + 1);
    if (convert_append_json(&document, &text, &ignored) != STATUS_OK) {
        buffer_clear(&text);
    }
    folder_refuse_record(batch, reading->file_name, reading->row + 1, place, buffer_string(&text),
                         text.length, &reading->why);
    buffer_free(&text);
}

static void add_row(const struct columnar_reading *reading, struct batch *batch)
{
    struct cell *row = batch_append(batch);
    for (uint32_t at = 0; at < reading->request->column_count; at++) {
        int32_t from = reading->cells[at];
        if (from >= 0) {
            row[at] = reading->wanted[from].cell;
        } else if (from == CELL_FILE) {
            const char *name = arena_copy_string(batch->arena, reading->file_name);
            row[at] = cell_text(name, strlen(name));
        } else if (from == CELL_ROW) {
            row[at] = cell_int64((int64_t)reading->row + 1);
        } else {
            row[at] = cell_null();
        }
    }
}

enum status columnar_reading_take(struct columnar_reading *reading, struct batch *batch,
                                  struct error *error)
{
    if (reading->why.code == ERROR_NONE) {
        add_row(reading, batch);
    } else if (reading->why.class == ERROR_CLASS_REJECT) {
        reading_refuse(reading, batch);
    } else {
        return error_copy(error, &reading->why);
    }
    error_clear(&reading->why);
    reading->row++;
    return STATUS_OK;
}
