/* Lines of JSON to records. */
#include "connectors/jsonl/jsonl.h"
#include "connectors/jsonl/records.h"

#include "base/memory.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A column of the table, by name. */
struct known {
    const char *name;
    size_t length;
    const struct value_type *type;
    int32_t cell;  /* of the row; -1: not asked for */
    uint64_t seen; /* the last line that had it */
};

struct folder_decoder {
    struct jsonl_database *database;
    const struct folder_table *table; /* NULL: a target's file, read raw */
    const struct read_request *request;
    struct arena *arena;
    struct jsonl_records *records;
    bool array; /* of elements, else of lines */
    const char *file_name;
    uint32_t file;
    bool tags;
    uint64_t line_base;  /* the number of the first line given; 0: not known */
    uint64_t serial;     /* of the line in hand */
    struct known *known; /* in the schema's order */
    uint32_t known_count;
    uint32_t *sorted; /* numbers of `known`, by name */
    int32_t *positions;
    const struct schema_column *columns;
    uint32_t column_count;
};

/* ---------------------------------------------------------------- open */

/* Insertion would do for tens of columns; thousands want better. */
static void sort_known(struct folder_decoder *decoder)
{
    uint32_t count = decoder->known_count;
    for (uint32_t gap = count / 2; gap > 0; gap /= 2) {
        for (uint32_t at = gap; at < count; at++) {
            uint32_t moved = decoder->sorted[at];
            const struct known *one = &decoder->known[moved];
            uint32_t place = at;
            while (place >= gap) {
                const struct known *other = &decoder->known[decoder->sorted[place - gap]];
                if (text_compare(other->name, other->length, one->name, one->length) <= 0) {
                    break;
                }
                decoder->sorted[place] = decoder->sorted[place - gap];
                place -= gap;
            }
            decoder->sorted[place] = moved;
        }
    }
}

static void prepare_columns(struct folder_decoder *decoder)
{
    uint32_t count = decoder->column_count;
    decoder->known_count = count;
    decoder->known =
        arena_allocate_zeroed(decoder->arena, (size_t)count + 1, sizeof(*decoder->known));
    decoder->sorted =
        arena_allocate_zeroed(decoder->arena, (size_t)count + 1, sizeof(*decoder->sorted));
    decoder->positions = folder_positions(&decoder->database->folder, decoder->table,
                                          decoder->request, decoder->arena);
    for (uint32_t at = 0; at < count; at++) {
        const struct schema_column *column = &decoder->columns[at];
        decoder->known[at] = (struct known){.name = column->name,
                                            .length = strlen(column->name),
                                            .type = &column->type,
                                            .cell = -1};
        decoder->sorted[at] = at;
    }
    for (uint32_t at = decoder->request->column_count; at > 0; at--) {
        int32_t column = decoder->positions[at - 1];
        if (column >= 0) {
            decoder->known[column].cell = (int32_t)(at - 1);
        }
    }
    sort_known(decoder);
}

/* A target's file: the definition that this run or an earlier one wrote tells its types. */
static enum status read_definition(struct folder_decoder *decoder, const char *name,
                                   struct error *error)
{
    struct folder_sidecar sidecar;
    char *path = folder_definition_path(decoder->arena, &decoder->database->folder, name, ".json");
    enum status status = folder_sidecar_read(path, decoder->arena, &sidecar, error);
    decoder->tags = sidecar.tags;
    decoder->columns = sidecar.columns;
    decoder->column_count = sidecar.column_count;
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static enum status decoder_prepare(struct folder_decoder *decoder, const char *name,
                                   struct error *error)
{
    if (decoder->table == NULL) {
        return read_definition(decoder, name, error);
    }
    decoder->tags = decoder->table->format_data->tags;
    decoder->columns = decoder->table->format_data->columns;
    decoder->column_count = decoder->table->format_data->column_count;
    if (decoder->request->column_count > 0) {
        prepare_columns(decoder);
    }
    return STATUS_OK;
}

enum status jsonl_decoder_open(struct folder *folder, const char *name,
                               const struct folder_table *table, const struct folder_range *range,
                               const struct read_request *request, struct folder_decoder **decoder,
                               struct error *error)
{
    struct folder_decoder *made = memory_allocate_zeroed(1, sizeof(*made));
    *decoder = NULL;
    made->arena = arena_create(0);
    made->file_name = arena_copy_string(made->arena, range->file_name);
    made->database = (struct jsonl_database *)folder;
    made->table = table;
    made->request = request;
    made->file = range->file;
    made->array = table != NULL && table->format_data->arrays[range->file];
    enum status status = decoder_prepare(made, name, error);
    if (status == STATUS_OK) {
        const struct jsonl_records_request records = {
            .path = range->path,
            .array = made->array,
            .begin = range->begin,
            .end = range->end == UINT64_MAX ? 0 : range->end,
            .record_bytes_max =
                table != NULL ? made->database->record_bytes_max : JSONL_RECORD_BYTES_MOST,
            .code = table != NULL ? ERROR_SOURCE_READ : ERROR_TARGET_INVALID,
            .wide_code = ERROR_SOURCE_READ};
        status = jsonl_records_open(&records, &made->records, error);
    }
    if (status != STATUS_OK) {
        jsonl_decoder_close(made);
        return status;
    }
    *decoder = made;
    return STATUS_OK;
}

void jsonl_decoder_close(struct folder_decoder *decoder)
{
    if (decoder != NULL) {
        jsonl_records_close(decoder->records);
        arena_destroy(decoder->arena);
        free(decoder);
    }
}

/* ---------------------------------------------------------------- lines */

/* The number of the line, or of the element of an array, whose lines mean nothing. */
static enum status line_number(struct folder_decoder *decoder, uint64_t *number,
                               struct error *error)
{
    if (decoder->array) {
        *number = jsonl_array_number(jsonl_records_array(decoder->records));
        return STATUS_OK;
    }
    return folder_line_number(&decoder->database->folder, decoder->table, decoder->file,
                              jsonl_records_lines(decoder->records), &decoder->line_base, number,
                              error);
}

/* ---------------------------------------------------------------- records */

/* Reading goes on behind it. */
static enum status jsonl_decoder_refuse(struct folder_decoder *decoder, struct batch *batch,
                                        const char *line, size_t length, const struct error *why,
                                        struct error *error)
{
    uint64_t number = 0;
    if (line_number(decoder, &number, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!decoder->array) {
        folder_refuse_line(batch, decoder->file_name, number, line, length, why);
        return STATUS_OK;
    }
    char place[80];
    const struct jsonl_array *array = jsonl_records_array(decoder->records);
    snprintf(place, sizeof(place), "element %" PRIu64 " (line %" PRIu64 ", byte %" PRIu64 ")",
             number, jsonl_array_line(array), jsonl_array_byte(array));
    folder_refuse_record(batch, decoder->file_name, number, place, line, length, why);
    return STATUS_OK;
}

static struct known *find_known(struct folder_decoder *decoder, uint32_t guess, const char *name,
                                size_t length)
{
    if (guess < decoder->known_count && decoder->known[guess].length == length &&
        memcmp(decoder->known[guess].name, name, length) == 0) {
        return &decoder->known[guess];
    }
    uint32_t below = 0;
    uint32_t above = decoder->known_count;
    while (below < above) {
        uint32_t middle = below + (above - below) / 2;
        struct known *known = &decoder->known[decoder->sorted[middle]];
        int order = text_compare(known->name, known->length, name, length);
        if (order == 0) {
            return known;
        }
        below = order < 0 ? middle + 1 : below;
        above = order < 0 ? above : middle;
    }
    return NULL;
}

/* The member whose key was just read. */
static enum status read_member(struct folder_decoder *decoder, struct jsonl_reading *reading,
                               struct known *known, struct cell *row, struct error *error)
{
    enum json_token token = JSON_TOKEN_END;
    const char *begin = NULL;
    struct cell unwanted;
    if (known->seen == decoder->serial) {
        return error_set(error, ERROR_REJECT_UNREADABLE, known->name, "the key is there twice");
    }
    known->seen = decoder->serial;
    enum status status = jsonl_next(reading, &token, &begin, error);
    if (status == STATUS_OK) {
        status = jsonl_read_value(reading, token, begin, known->type,
                                  known->cell >= 0 ? &row[known->cell] : &unwanted, error);
    }
    if (status != STATUS_OK && error->object[0] == '\0') {
        text_printable(known->name, known->length, error->object, sizeof(error->object));
    }
    return status;
}

static enum status refuse_unknown(const struct jsonl_reading *reading, struct error *error)
{
    char shown[64];
    text_printable(reading->json->text, reading->json->length, shown, sizeof(shown));
    if (memchr(reading->json->text, '\0', reading->json->length) != NULL) {
        return error_set(error, ERROR_REJECT_TYPE, shown,
                         "the field's name holds a NUL, which no column's name can");
    }
    return error_set(error, ERROR_REJECT_TYPE, shown, "the table's definition has no such column");
}

static enum status read_members(struct folder_decoder *decoder, struct jsonl_reading *reading,
                                struct cell *row, struct error *error)
{
    enum json_token token = JSON_TOKEN_END;
    const char *begin = NULL;
    uint32_t guess = 0;
    enum status status = jsonl_next(reading, &token, &begin, error);
    if (status == STATUS_OK && token != JSON_TOKEN_OBJECT_BEGIN) {
        return error_set(error, ERROR_REJECT_UNREADABLE, NULL, "it is no JSON object");
    }
    while (status == STATUS_OK) {
        status = jsonl_next(reading, &token, &begin, error);
        if (status != STATUS_OK || token != JSON_TOKEN_KEY) {
            break;
        }
        struct known *known =
            find_known(decoder, guess, reading->json->text, reading->json->length);
        status = known != NULL ? read_member(decoder, reading, known, row, error)
                               : refuse_unknown(reading, error);
        guess = known != NULL ? (uint32_t)(known - decoder->known) + 1 : guess;
    }
    return status == STATUS_OK ? json_reader_next(reading->json, &token, error) : status;
}

/* Cells that are no column of the table, and columns that are asked for twice. */
static enum status finish_row(struct folder_decoder *decoder, struct arena *arena, struct cell *row,
                              struct error *error)
{
    for (uint32_t at = 0; at < decoder->request->column_count; at++) {
        int32_t column = decoder->positions[at];
        uint64_t number = 0;
        if (column >= 0 && decoder->known[column].cell != (int32_t)at) {
            row[at] = row[decoder->known[column].cell];
        } else if (column == FOLDER_COLUMN_FILE) {
            const char *name = arena_copy_string(arena, decoder->file_name);
            row[at] = cell_text(name, strlen(name));
        } else if (column == FOLDER_COLUMN_POSITION) {
            if (line_number(decoder, &number, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
            row[at] = cell_int64((int64_t)number);
        }
    }
    return STATUS_OK;
}

static enum status read_row(struct folder_decoder *decoder, struct batch *batch, const char *line,
                            size_t length, struct error *why)
{
    struct json_reader json;
    struct jsonl_reading reading = {.json = &json, .arena = batch->arena, .tags = decoder->tags};
    struct cell *row = batch_append(batch);
    for (uint32_t at = 0; at < decoder->request->column_count; at++) {
        row[at] = cell_missing();
    }
    decoder->serial++;
    json_reader_init(&json, line, length, JSON_DEPTH_MAX, batch->arena);
    enum status status = read_members(decoder, &reading, row, why);
    status = status == STATUS_OK ? finish_row(decoder, batch->arena, row, why) : status;
    if (status != STATUS_OK) {
        batch_drop_last(batch);
    }
    return status;
}

/* Rejects are named by the record's key where the table has one, else by file and line. */
static enum status name_document(struct folder_decoder *decoder, struct batch *batch,
                                 const struct cell *map, struct record_envelope *envelope,
                                 struct error *error)
{
    const struct column_list *names = &decoder->table->schema.primary_key;
    uint64_t number = 0;
    struct cell *key = arena_allocate_zeroed(batch->arena, (size_t)names->count + 2, sizeof(*key));
    const char *file = arena_copy_string(batch->arena, decoder->file_name);
    envelope->source_key = key;
    envelope->source_key_count = names->count > 0 ? names->count : 2;
    if (names->count == 0) {
        if (line_number(decoder, &number, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        key[0] = cell_text(file, strlen(file));
        key[1] = cell_int64((int64_t)number);
        return STATUS_OK;
    }
    for (uint32_t part = 0; part < names->count; part++) {
        const struct cell *field = value_field(map, names->names[part]);
        if (field != NULL) {
            key[part] = *field;
        }
    }
    return STATUS_OK;
}

static enum status read_document(struct folder_decoder *decoder, struct batch *batch,
                                 const char *line, size_t length, struct error *why)
{
    struct cell map;
    if (jsonl_read_document(line, length, decoder->tags, decoder->columns, decoder->column_count,
                            batch->arena, &map, why) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct cell *row = batch_append(batch);
    *row = map;
    return name_document(decoder, batch, &map, &batch->envelopes[batch->row_count - 1], why);
}

/* Types that were learnt hold whatever can be read: what does not fit them, or has no column,
 * stands in a line that breaks further on. */
static void find_break(const struct folder_decoder *decoder, struct batch *batch, const char *line,
                       size_t length, struct error *why)
{
    struct cell ignored;
    struct error other;
    error_clear(&other);
    if (why->code == ERROR_REJECT_TYPE && decoder->table->format_data->inferred &&
        jsonl_read_document(line, length, decoder->tags, NULL, 0, batch->arena, &ignored, &other) !=
            STATUS_OK &&
        other.class == ERROR_CLASS_REJECT) {
        error_copy(why, &other);
    }
}

static enum status add_record(struct folder_decoder *decoder, struct batch *batch,
                              struct error *error)
{
    char *line = NULL;
    size_t length = 0;
    bool too_long = false;
    struct error why;
    enum status status = jsonl_records_next(decoder->records, &line, &length, &too_long, error);
    if (status != STATUS_OK) {
        return status;
    }
    error_clear(&why);
    if (too_long) {
        error_set(&why, ERROR_REJECT_TOO_LARGE, NULL,
                  "the %s is longer than record_bytes allows (%llu)",
                  decoder->array ? "element" : "line",
                  (unsigned long long)decoder->database->record_bytes_max);
        return jsonl_decoder_refuse(decoder, batch, line, length, &why, error);
    }
    const char *copy = arena_try_copy(batch->arena, line, length);
    if (copy == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory to read records");
    }
    status = decoder->request->column_count > 0 ? read_row(decoder, batch, copy, length, &why)
                                                : read_document(decoder, batch, copy, length, &why);
    if (status == STATUS_OK) {
        return STATUS_OK;
    }
    if (why.class != ERROR_CLASS_REJECT) {
        return error_copy(error, &why);
    }
    find_break(decoder, batch, copy, length, &why);
    return jsonl_decoder_refuse(decoder, batch, copy, length, &why, error);
}

enum status jsonl_decoder_fill(struct folder_decoder *decoder, struct batch *batch,
                               uint32_t rows_max, size_t bytes_max, struct error *error)
{
    enum status status = STATUS_OK;
    uint32_t count = batch->row_count + batch->refused_count;
    while (status == STATUS_OK && count < rows_max &&
           (count == 0 || batch_bytes(batch) < bytes_max)) {
        status = add_record(decoder, batch, error);
        count = batch->row_count + batch->refused_count;
    }
    return status;
}

/* ---------------------------------------------------------------- raw */

enum status jsonl_decoder_raw_next(struct folder_decoder *decoder, const char **bytes,
                                   size_t *length, struct error *error)
{
    return folder_lines_raw(jsonl_records_lines(decoder->records), decoder->file_name, bytes,
                            length, error);
}

enum status jsonl_decoder_raw_read(struct folder_decoder *decoder, const char *bytes, size_t length,
                                   struct arena *arena, struct cell *record, struct error *error)
{
    return jsonl_read_document(bytes, length, decoder->tags, decoder->columns,
                               decoder->column_count, arena, record, error);
}
