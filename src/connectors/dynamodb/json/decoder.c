/* Reading the lines of DynamoDB-JSON files: {"Item":{…}} each. */
#include "connectors/dynamodb/json/json.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES_MAX = 8 * 1024 * 1024 + 64 };

struct folder_decoder {
    const struct folder_table *table;
    const struct read_request *request;
    struct folder *folder;
    struct folder_lines *lines;
    char *file_name;
    uint32_t file;
    uint64_t line_base; /* the number of the first line given; 0: not known */
};

/* {"Item":{…}} and nothing else that matters. */
static enum status read_line(const char *line, size_t length, struct arena *arena,
                             struct cell *item, struct error *error)
{
    struct json_reader reader;
    enum json_token token = JSON_TOKEN_END;
    bool found = false;
    json_reader_init(&reader, line, length, DYNAMODB_JSON_DEPTH_MAX, arena);
    if (json_reader_next(&reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (token != JSON_TOKEN_OBJECT_BEGIN) {
        return error_set(error, ERROR_REJECT_UNREADABLE, NULL, "a line must be an object");
    }
    for (;;) {
        if (json_reader_next(&reader, &token, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (token != JSON_TOKEN_KEY) {
            break;
        }
        bool wanted = reader.length == 4 && memcmp(reader.text, "Item", 4) == 0 && !found;
        enum status status = STATUS_OK;
        if (wanted) {
            status = dynamodb_item_read(&reader, false, arena, item, error);
            found = true;
        } else {
            status = json_reader_next(&reader, &token, error);
            status = status == STATUS_OK ? json_reader_skip(&reader, token, error) : status;
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    if (json_reader_next(&reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return found ? STATUS_OK
                 : error_set(error, ERROR_REJECT_UNREADABLE, NULL, "the line has no \"Item\"");
}

enum status dynamodb_decoder_open(struct folder *folder, const char *name,
                                  const struct folder_table *table,
                                  const struct folder_range *range,
                                  const struct read_request *request,
                                  struct folder_decoder **decoder, struct error *error)
{
    struct folder_decoder *made = memory_allocate_zeroed(1, sizeof(*made));
    (void)name;
    *decoder = NULL;
    made->file_name = memory_copy_string(range->file_name);
    made->folder = folder;
    made->file = range->file;
    made->table = table;
    made->request = request;
    enum status status = folder_lines_open(
        range->path, range->begin, range->end == UINT64_MAX ? 0 : range->end, LINE_BYTES_MAX,
        request != NULL ? ERROR_SOURCE_READ : ERROR_TARGET_INVALID, &made->lines, error);
    if (status != STATUS_OK) {
        dynamodb_decoder_close(made);
        return status;
    }
    *decoder = made;
    return STATUS_OK;
}

void dynamodb_decoder_close(struct folder_decoder *decoder)
{
    if (decoder != NULL) {
        folder_lines_close(decoder->lines);
        free(decoder->file_name);
        free(decoder);
    }
}

/* Empty lines are no items. */
static enum status next_line(struct folder_decoder *decoder, char **line, size_t *length,
                             bool *too_long, struct error *error)
{
    enum status status = STATUS_OK;
    do {
        status = folder_lines_next(decoder->lines, line, length, too_long, error);
        if (status == STATUS_OK && folder_lines_offset(decoder->lines) == 0) {
            status = folder_lines_first(line, length, decoder->file_name, ERROR_SOURCE_READ, error);
        }
    } while (status == STATUS_OK && *length == 0);
    return status;
}

static enum status json_decoder_refuse(struct folder_decoder *decoder, struct batch *batch,
                                       const char *line, size_t length, const struct error *why,
                                       struct error *error)
{
    uint64_t number = 0;
    if (folder_line_number(decoder->folder, decoder->table, decoder->file, decoder->lines,
                           &decoder->line_base, &number, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    folder_refuse_line(batch, decoder->file_name, number, line, length, why);
    return STATUS_OK;
}

/* STATUS_AGAIN: the line is no item, and the batch has it as refused. */
static enum status read_item(struct folder_decoder *decoder, struct batch *batch, struct cell *item,
                             struct error *error)
{
    char *line = NULL;
    size_t length = 0;
    bool too_long = false;
    struct error why;
    enum status status = next_line(decoder, &line, &length, &too_long, error);
    if (status != STATUS_OK) {
        return status;
    }
    error_clear(&why);
    const char *copy = too_long ? line : arena_try_copy(batch->arena, line, length);
    if (copy == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory to read items");
    }
    status = too_long
                 ? error_set(&why, ERROR_REJECT_TOO_LARGE, NULL, "the line is longer than 8 MiB")
                 : read_line(copy, length, batch->arena, item, &why);
    if (status == STATUS_OK) {
        return STATUS_OK;
    }
    if (why.class != ERROR_CLASS_REJECT) {
        return error_copy(error, &why);
    }
    status = json_decoder_refuse(decoder, batch, copy, length, &why, error);
    return status == STATUS_OK ? STATUS_AGAIN : status;
}

static void place_cells(const struct folder_decoder *decoder, struct arena *arena,
                        struct cell *file, struct cell *byte)
{
    size_t length = strlen(decoder->file_name);
    const char *name = arena_copy(arena, decoder->file_name, length);
    *file = cell_text(name, length);
    *byte = cell_int64((int64_t)folder_lines_offset(decoder->lines));
}

static struct cell find_attribute(const struct cell *item, const char *name)
{
    const struct cell *found = value_field(item, name);
    return found != NULL ? *found : cell_missing();
}

/* The columns that the request names. */
static void fill_columns(const struct folder_decoder *decoder, struct arena *arena,
                         const struct cell *item, struct cell *row)
{
    const struct read_request *request = decoder->request;
    struct cell file;
    struct cell byte;
    place_cells(decoder, arena, &file, &byte);
    for (uint32_t at = 0; at < request->column_count; at++) {
        const char *name = request->columns[at].name;
        if (strcmp(name, "$file") == 0) {
            row[at] = file;
        } else if (strcmp(name, "$byte") == 0) {
            row[at] = byte;
        } else {
            row[at] = find_attribute(item, name);
        }
    }
}

/* Rejects are named by the item's key where the table's is known, else by file and byte. */
static void source_key(const struct folder_decoder *decoder, struct arena *arena,
                       const struct cell *item, struct record_envelope *envelope)
{
    uint32_t count = decoder->table->schema.primary_key.count;
    struct cell *key = arena_allocate(arena, 2 * sizeof(*key));
    *envelope = (struct record_envelope){.source_key = key, .source_key_count = count};
    for (uint32_t at = 0; at < count; at++) {
        key[at] = find_attribute(item, decoder->table->schema.primary_key.names[at]);
    }
    if (count == 0) {
        envelope->source_key_count = 2;
        place_cells(decoder, arena, &key[0], &key[1]);
    }
}

static void fill_document(const struct folder_decoder *decoder, struct batch *batch,
                          const struct cell *item)
{
    uint32_t row = batch->row_count - 1;
    *batch_row(batch, row) = *item;
    source_key(decoder, batch->arena, item, &batch->envelopes[row]);
}

static enum status add_record(struct folder_decoder *decoder, struct batch *batch,
                              struct error *error)
{
    struct cell item;
    enum status status = read_item(decoder, batch, &item, error);
    if (status != STATUS_OK) {
        return status == STATUS_AGAIN ? STATUS_OK : status;
    }
    struct cell *row = batch_append(batch);
    if (decoder->request->column_count > 0) {
        fill_columns(decoder, batch->arena, &item, row);
    } else {
        fill_document(decoder, batch, &item);
    }
    return STATUS_OK;
}

enum status dynamodb_decoder_fill(struct folder_decoder *decoder, struct batch *batch,
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

enum status dynamodb_decoder_raw_next(struct folder_decoder *decoder, const char **bytes,
                                      size_t *length, struct error *error)
{
    return folder_lines_raw(decoder->lines, decoder->file_name, bytes, length, error);
}

enum status dynamodb_decoder_raw_read(struct folder_decoder *decoder, const char *bytes,
                                      size_t length, struct arena *arena, struct cell *record,
                                      struct error *error)
{
    (void)decoder;
    return read_line(bytes, length, arena, record, error);
}
