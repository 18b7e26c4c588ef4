/* Records of a range as cells: windows live in the batch's arena, and texts point into them. */
#include "connectors/csv/csv.h"

#include "base/memory.h"
#include "base/text.h"
#include "connectors/csv/value.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RAW_KEPT_MAX = 64 * 1024, WINDOW_BYTES_MIN = 4096, COLUMN_SHOWN_MAX = 100 };

/* A column of the request. */
struct decoded_column {
    int32_t position; /* of the schema, or FOLDER_COLUMN_… */
    uint32_t field;
    struct value_type type;
    bool is_plain_text;
    bool is_plain_whole;
};

struct folder_decoder {
    struct csv_database *database;
    const struct folder_table *table; /* NULL: raw */
    const struct read_request *request;
    struct csv_dialect dialect;
    struct arena *arena;
    struct csv_reader *reader;
    struct decoded_column *columns;
    uint32_t column_count;
    uint32_t field_count; /* of a record */
    bool skip_head;
    uint32_t *raw_fields; /* where a definition's columns stand; NULL: in its order */
    bool ended;
    uint32_t file;
    const char *file_name;
    bool wants_line;
    uint64_t line_base; /* lines before what is read */
    uint64_t begin;     /* records that begin in between are given */
    uint64_t end;
    bool is_seeking;                  /* what is read begins before the range */
    struct csv_definition definition; /* of raw records */
    struct buffer encoded;            /* a raw record in the file's encoding */
};

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory to read records");
}

void csv_decoder_close_range(struct folder_decoder *decoder)
{
    if (decoder != NULL) {
        csv_reader_close(decoder->reader);
        arena_destroy(decoder->arena);
        buffer_free(&decoder->encoded);
        free(decoder);
    }
}

/* ---------------------------------------------------------------- opening */

static void place_columns(struct folder_decoder *decoder)
{
    const struct folder_table *table = decoder->table;
    const struct read_request *request = decoder->request;
    const struct csv_file_data *file = &table->format_data->files[decoder->file];
    uint32_t schema_count = table->schema.column_count;
    bool documents = request->column_count == 0;
    int32_t *positions =
        documents ? NULL
                  : folder_positions(&decoder->database->folder, table, request, decoder->arena);
    decoder->column_count = documents ? schema_count : request->column_count;
    decoder->columns = arena_allocate_zeroed(decoder->arena, (size_t)decoder->column_count + 1,
                                             sizeof(*decoder->columns));
    for (uint32_t at = 0; at < decoder->column_count; at++) {
        struct decoded_column *column = &decoder->columns[at];
        column->position = documents ? (int32_t)at : positions[at];
        decoder->wants_line = decoder->wants_line || column->position == FOLDER_COLUMN_POSITION;
        if (column->position >= 0) {
            column->type = table->schema.columns[column->position].type;
            column->field =
                file->field_of_column != NULL ? file->field_of_column[column->position] : 0;
            column->is_plain_text = column->type.kind == VALUE_TEXT && !column->type.dynamic;
            column->is_plain_whole = column->type.kind == VALUE_INT64;
        }
    }
    decoder->field_count = schema_count;
}

/*
 * Where reading begins and ends. The range was cut where records begin, unless the file is another
 * one since: then its bounds may be anywhere, and reading begins where a record is known to.
 */
static enum status find_bounds(struct folder_decoder *decoder, struct csv_reading *reading,
                               struct error *error)
{
    struct folder *folder = &decoder->database->folder;
    uint64_t bytes = decoder->table->files[decoder->file].bytes;
    bool can_seek = decoder->table->format_data->files[decoder->file].can_seek;
    struct csv_mark begin = {0};
    struct csv_mark end = {.byte = decoder->end};
    if (!can_seek) {
        /* the reader's bound counts bytes of the file; records are counted in those of UTF-8 */
        decoder->end = UINT64_MAX;
        return STATUS_OK;
    }
    if ((decoder->begin > 0 && csv_mark_before(folder, decoder->table, decoder->file,
                                               decoder->begin, &begin, error) != STATUS_OK) ||
        (decoder->end < bytes && csv_mark_before(folder, decoder->table, decoder->file,
                                                 decoder->end, &end, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    reading->begin = begin.byte;
    reading->end = end.byte == decoder->end && end.byte < bytes ? end.byte : bytes;
    decoder->line_base = begin.line;
    decoder->is_seeking = begin.byte < decoder->begin;
    decoder->skip_head = begin.byte == 0 && decoder->dialect.header;
    return STATUS_OK;
}

static enum status open_reader(struct folder_decoder *decoder, const struct folder_range *range,
                               size_t window_bytes, struct error *error)
{
    struct csv_reading reading = {.dialect = &decoder->dialect,
                                  .path = range->path,
                                  .begin = range->begin,
                                  .end = range->end,
                                  .field_capacity = decoder->field_count,
                                  .record_bytes_max = decoder->table != NULL
                                                          ? decoder->database->record_bytes_max
                                                          : CSV_RECORD_BYTES_MOST,
                                  .window_bytes = window_bytes};
    if (decoder->table != NULL && find_bounds(decoder, &reading, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return csv_reader_open(&reading, &decoder->reader, error);
}

/* A segment that this program wrote: its columns are those of the definition. */
static enum status open_raw(struct folder_decoder *decoder, const char *name, struct error *error)
{
    char *path = folder_definition_path(decoder->arena, &decoder->database->folder, name, ".json");
    enum status status = csv_definition_read(path, decoder->arena, &decoder->definition, error);
    decoder->dialect =
        status == STATUS_OK ? decoder->definition.dialect : decoder->database->dialect;
    decoder->field_count = decoder->definition.sidecar.column_count > 0
                               ? decoder->definition.sidecar.column_count
                               : CSV_FIELDS_MAX;
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status csv_decoder_open_range(struct folder *folder, const char *name,
                                   const struct folder_table *table,
                                   const struct folder_range *range,
                                   const struct read_request *request,
                                   struct folder_decoder **decoder, struct error *error)
{
    struct folder_decoder *made = memory_allocate_zeroed(1, sizeof(*made));
    *decoder = NULL;
    made->arena = arena_create(4096);
    made->database = (struct csv_database *)folder;
    made->table = table;
    made->request = request;
    made->file = range->file;
    made->begin = range->begin;
    made->end = range->end;
    made->file_name = arena_copy_string(made->arena, range->file_name);
    enum status status = STATUS_OK;
    if (table != NULL) {
        made->dialect = made->table->format_data->dialect;
        place_columns(made);
    } else {
        status = open_raw(made, name, error);
    }
    made->skip_head = range->begin == 0 && made->dialect.header;
    status = status == STATUS_OK ? open_reader(made, range, CSV_WINDOW_BYTES / 2, error) : status;
    if (status != STATUS_OK) {
        csv_decoder_close_range(made);
        return STATUS_FAILED;
    }
    *decoder = made;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- lines */

/* The line of the record given last, from 1. */
static uint64_t line_of(const struct folder_decoder *decoder)
{
    return decoder->line_base + csv_reader_line(decoder->reader) + 1;
}

/* ---------------------------------------------------------------- refusing */

static struct cell raw_cell(const struct folder_decoder *decoder, struct arena *arena)
{
    size_t length = 0;
    const char *raw = csv_reader_raw(decoder->reader, &length);
    size_t kept = text_clip(raw, length, RAW_KEPT_MAX);
    const char *copy = arena_copy(arena, raw, kept);
    return text_is_utf8(copy, kept) ? cell_text(copy, kept) : cell_bytes(copy, kept);
}

/* The record of the reader's last call, named by file and line. */
static void decoder_refuse(struct folder_decoder *decoder, struct batch *batch,
                           enum error_code code, const char *why)
{
    uint64_t line = line_of(decoder);
    char reason[640];
    char name[256];
    const struct cell *key = folder_place(batch->arena, decoder->file_name, "$line", line);
    const struct cell raw = raw_cell(decoder, batch->arena);
    text_printable(decoder->file_name, strlen(decoder->file_name), name, sizeof name);
    snprintf(reason, sizeof reason, "%s:%llu: %s", name, (unsigned long long)line, why);
    batch_refuse(batch, code, reason, key, 1, &raw);
}

static enum status refuse_field(struct folder_decoder *decoder, struct batch *batch,
                                const struct decoded_column *column, const struct error *reason,
                                struct error *error)
{
    char why[512];
    char name[COLUMN_SHOWN_MAX];
    const char *full = decoder->table->schema.columns[column->position].name;
    if (reason->class != ERROR_CLASS_REJECT) {
        return error_copy(error, reason);
    }
    text_printable(full, strlen(full), name, sizeof name);
    snprintf(why, sizeof why, "column %s: %.380s", name, reason->message);
    decoder_refuse(decoder, batch, reason->code, why);
    return STATUS_OK;
}

static void refuse_record(struct folder_decoder *decoder, struct batch *batch,
                          const struct csv_record *record)
{
    char why[200];
    enum error_code code = ERROR_REJECT_UNREADABLE;
    if (record->fault == CSV_TOO_LONG) {
        snprintf(why, sizeof why, "%s (record_bytes=%zu)", csv_fault_text(record->fault),
                 decoder->database->record_bytes_max);
        code = ERROR_REJECT_TOO_LARGE;
    } else if (record->fault != CSV_FINE) {
        snprintf(why, sizeof why, "%s", csv_fault_text(record->fault));
    } else {
        snprintf(why, sizeof why, "the record has %u fields and not %u", record->field_count,
                 decoder->field_count);
    }
    decoder_refuse(decoder, batch, code, why);
}

/* ---------------------------------------------------------------- fields */

/* -?digits of at most 18 digits. */
static inline bool read_whole(const char *text, uint32_t length, struct cell *cell)
{
    const char *end = text + length;
    bool negative = length > 0 && *text == '-';
    int64_t value = 0;
    text += negative;
    if (text == end || end - text > 18) {
        return false;
    }
    for (; text < end; text++) {
        unsigned digit = (unsigned char)*text - (unsigned)'0';
        if (digit > 9) {
            return false;
        }
        value = value * 10 + digit;
    }
    *cell = cell_int64(negative ? -value : value);
    return true;
}

/* A field whose bytes must outlive the window, or that has escapes. */
static enum status settle_field(const struct folder_decoder *decoder, struct batch *batch,
                                struct csv_field *field, struct error *error)
{
    bool escaped = (field->flags & CSV_FIELD_ESCAPED) != 0;
    char *text = (char *)(uintptr_t)field->text; /* the window is ours to change */
    if (csv_reader_lends(decoder->reader)) {
        text = arena_try_copy(batch->arena, field->text, field->length);
        if (text == NULL) {
            return no_memory(error);
        }
        field->text = text;
    }
    if (escaped) {
        char *out = text;
        if (!csv_reader_lends(decoder->reader)) {
            /* a refused record is shown as it stands: so not in place */
            out = arena_try_allocate(batch->arena, field->length);
            if (out == NULL) {
                return no_memory(error);
            }
        }
        field->length = (uint32_t)csv_unescape(&decoder->dialect, field, out);
        field->text = out;
    }
    return STATUS_OK;
}

static inline enum status read_field(const struct folder_decoder *decoder, struct batch *batch,
                                     const struct decoded_column *column, struct csv_field *field,
                                     bool is_utf8, struct cell *cell, struct error *reason)
{
    bool quoted = (field->flags & CSV_FIELD_QUOTED) != 0;
    if (!quoted && csv_field_is_null(&decoder->dialect, field)) {
        *cell = cell_null();
        return STATUS_OK;
    }
    if ((field->flags & CSV_FIELD_ESCAPED) != 0 || csv_reader_lends(decoder->reader)) {
        if (settle_field(decoder, batch, field, reason) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (column->is_plain_text && is_utf8) {
        *cell = cell_text(field->text, field->length);
        return STATUS_OK;
    }
    if (column->is_plain_whole && !(quoted && column->type.dynamic) &&
        read_whole(field->text, field->length, cell)) {
        return STATUS_OK;
    }
    return csv_value_read(&decoder->dialect, &column->type, field->text, field->length, quoted,
                          is_utf8, batch->arena, cell, reason);
}

static struct cell read_place(struct folder_decoder *decoder, struct batch *batch, int32_t position)
{
    if (position == FOLDER_COLUMN_FILE) {
        const char *file = arena_copy_string(batch->arena, decoder->file_name);
        return cell_text(file, strlen(file));
    }
    return position == FOLDER_COLUMN_POSITION ? cell_int64((int64_t)line_of(decoder))
                                              : cell_missing();
}

/* ---------------------------------------------------------------- records */

/* Fills the cells; STATUS_END: the record was refused instead. */
static enum status read_cells(struct folder_decoder *decoder, struct batch *batch,
                              struct csv_record *record, struct cell *cells, uint32_t step,
                              struct error *error)
{
    bool is_utf8 = csv_reader_is_utf8(decoder->reader);
    struct error reason;
    for (uint32_t at = 0; at < decoder->column_count; at++) {
        const struct decoded_column *column = &decoder->columns[at];
        struct cell *cell = &cells[(size_t)at * step];
        if (column->position < 0) {
            *cell = read_place(decoder, batch, column->position);
        } else if (read_field(decoder, batch, column, &record->fields[column->field], is_utf8, cell,
                              &reason) != STATUS_OK) {
            enum status status = refuse_field(decoder, batch, column, &reason, error);
            return status == STATUS_OK ? STATUS_END : status;
        }
    }
    return STATUS_OK;
}

/* One MAP a row, with an envelope. */
static enum status add_document(struct folder_decoder *decoder, struct batch *batch,
                                struct csv_record *record, struct error *error)
{
    struct cell *pairs =
        arena_allocate_zeroed(batch->arena, 2 * (size_t)decoder->column_count + 1, sizeof(*pairs));
    struct cell *key = arena_allocate(batch->arena, 2 * sizeof(*key));
    for (uint32_t at = 0; at < decoder->column_count; at++) {
        const char *name = decoder->table->schema.columns[at].name;
        pairs[2 * (size_t)at] = cell_text(name, strlen(name));
    }
    enum status status = read_cells(decoder, batch, record, pairs + 1, 2, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    struct cell *row = batch_append(batch);
    row[0] = cell_items(VALUE_MAP, pairs, decoder->column_count);
    batch->envelopes[batch->row_count - 1] =
        (struct record_envelope){.source_key = key, .source_key_count = 2};
    key[0] = read_place(decoder, batch, FOLDER_COLUMN_FILE);
    key[1] = read_place(decoder, batch, FOLDER_COLUMN_POSITION);
    return STATUS_OK;
}

static enum status add_record(struct folder_decoder *decoder, struct batch *batch,
                              struct csv_record *record, struct error *error)
{
    if (record->fault != CSV_FINE || record->field_count != decoder->field_count) {
        refuse_record(decoder, batch, record);
        return STATUS_OK;
    }
    if (decoder->request->column_count == 0) {
        return add_document(decoder, batch, record, error);
    }
    struct cell *row = batch_append(batch);
    enum status status = read_cells(decoder, batch, record, row, 1, error);
    if (status != STATUS_OK) {
        batch_drop_last(batch);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static bool is_full(const struct batch *batch, uint32_t rows_max)
{
    return batch->row_count + batch->refused_count >= rows_max;
}

/* The records of the window, as far as the batch takes them. */
static enum status take_window(struct folder_decoder *decoder, struct batch *batch,
                               uint32_t rows_max, struct error *error)
{
    struct csv_record record;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !is_full(batch, rows_max) &&
           csv_reader_next(decoder->reader, &record) == STATUS_OK) {
        uint64_t byte = csv_reader_byte(decoder->reader);
        if (byte >= decoder->end) {
            return STATUS_END;
        }
        if (decoder->skip_head) {
            decoder->skip_head = false;
        } else if ((!decoder->is_seeking || byte >= decoder->begin) &&
                   (!record.empty || decoder->field_count == 1)) {
            status = add_record(decoder, batch, &record, error);
        }
    }
    return status;
}

enum status csv_decoder_fill(struct folder_decoder *decoder, struct batch *batch, uint32_t rows_max,
                             size_t bytes_max, struct error *error)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !is_full(batch, rows_max)) {
        status = csv_reader_fill(decoder->reader, batch->arena, error);
        status = status == STATUS_OK ? take_window(decoder, batch, rows_max, error) : status;
        bool some = batch->row_count + batch->refused_count > 0;
        if (status == STATUS_OK && some && batch_bytes(batch) >= bytes_max) {
            break;
        }
    }
    /* the window goes with the batch */
    if (status != STATUS_FAILED && csv_reader_keep(decoder->reader, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return status;
}

/* ---------------------------------------------------------------- raw records */

static enum status has_name(const struct folder_decoder *decoder, const struct csv_field *field,
                            const char *name, bool *has, struct error *error)
{
    size_t length = field->length;
    const char *text = field->text;
    char *copy = NULL;
    if ((field->flags & CSV_FIELD_ESCAPED) != 0) {
        text = copy = malloc((size_t)field->length + 1);
        if (copy == NULL) {
            return no_memory(error);
        }
        memcpy(copy, field->text, field->length);
        length = csv_unescape(&decoder->dialect, field, copy);
    }
    *has = length == strlen(name) && memcmp(text, name, length) == 0;
    free(copy);
    return STATUS_OK;
}

/* Files of others may have the columns in another order. What has other columns is no file of this
 * table: it keeps the definition's order, and its records are of another width. */
static enum status place_raw_columns(struct folder_decoder *decoder,
                                     const struct csv_record *record, struct error *error)
{
    const struct folder_sidecar *sidecar = &decoder->definition.sidecar;
    uint32_t count = sidecar->column_count;
    if (record->fault != CSV_FINE || record->field_count != count) {
        return STATUS_OK;
    }
    decoder->raw_fields =
        arena_allocate_zeroed(decoder->arena, (size_t)count + 1, sizeof(uint32_t));
    for (uint32_t at = 0; at < count; at++) {
        bool has = false;
        for (uint32_t tried = 0; tried < count && !has; tried++) {
            decoder->raw_fields[at] = (at + tried) % count;
            if (has_name(decoder, &record->fields[decoder->raw_fields[at]],
                         sidecar->columns[at].name, &has, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
        }
        if (!has) {
            decoder->raw_fields[at] = at;
        }
    }
    return STATUS_OK;
}

static enum status next_raw_record(struct folder_decoder *decoder, struct csv_record *record,
                                   struct error *error)
{
    for (;;) {
        enum status status = csv_reader_next(decoder->reader, record);
        while (status == STATUS_END) {
            status = csv_reader_fill(decoder->reader, NULL, error);
            if (status != STATUS_OK) {
                return status;
            }
            status = csv_reader_next(decoder->reader, record);
        }
        if (!decoder->skip_head) {
            if (!record->empty || decoder->field_count == 1) {
                return STATUS_OK;
            }
            continue;
        }
        decoder->skip_head = false;
        if (place_raw_columns(decoder, record, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
}

/* As the encoder writes it: the names, from the file itself. */
enum status csv_raw_head(struct folder_decoder *decoder, struct buffer *out, struct error *error)
{
    size_t start = out->length;
    struct csv_record record;
    struct buffer text = {0};
    size_t length = 0;
    enum status status = STATUS_OK;
    if (csv_encoding_wants_bom(&decoder->dialect)) {
        buffer_append(&text, "\xef\xbb\xbf", 3);
    }
    if (decoder->skip_head) {
        decoder->skip_head = false;
        status = next_raw_record(decoder, &record, error);
        if (status == STATUS_OK) {
            const char *bytes = csv_reader_raw(decoder->reader, &length);
            buffer_append(&text, bytes, length);
            status = place_raw_columns(decoder, &record, error);
        }
    }
    if (status == STATUS_OK && decoder->dialect.encoding != NULL) {
        status = csv_encode(csv_encoding_written(decoder->dialect.encoding), text.data, text.length,
                            out, error);
    } else if (status == STATUS_OK) {
        buffer_append(out, text.data, text.length);
    }
    buffer_free(&text);
    if (status == STATUS_FAILED) {
        out->length = start;
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status csv_raw_next(struct folder_decoder *decoder, const char **bytes, size_t *length,
                         struct error *error)
{
    struct csv_record record;
    enum status status = next_raw_record(decoder, &record, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (record.fault != CSV_FINE) {
        return error_set(error, ERROR_TARGET_INVALID, decoder->file_name,
                         "a record in a segment is not as it was written");
    }
    *bytes = csv_reader_raw(decoder->reader, length);
    if (decoder->dialect.encoding == NULL) {
        return STATUS_OK;
    }
    buffer_clear(&decoder->encoded);
    status = csv_encode(csv_encoding_written(decoder->dialect.encoding), *bytes, *length,
                        &decoder->encoded, error);
    *bytes = decoder->encoded.data;
    *length = decoder->encoded.length;
    return status;
}

/* The record's text in UTF-8, with bytes to spare behind it. */
static enum status raw_text(struct folder_decoder *decoder, const char *bytes, size_t length,
                            struct buffer *text, struct error *error)
{
    if (!buffer_try_reserve(text, 4 * length + CSV_SCAN_PADDING)) {
        return no_memory(error);
    }
    if (decoder->dialect.encoding == NULL) {
        buffer_append(text, bytes, length);
        return STATUS_OK;
    }
    struct csv_decoder *conversion = NULL;
    enum status status = csv_decoder_open(csv_encoding_written(decoder->dialect.encoding),
                                          decoder->file_name, &conversion, error);
    char *to = text->data;
    size_t room = 4 * length + CSV_SCAN_PADDING / 2;
    if (status == STATUS_OK) {
        status = csv_decoder_convert(conversion, &bytes, &length, &to, &room, true, error);
    }
    csv_decoder_close(conversion);
    text->length = (size_t)(to - text->data);
    return status;
}

static enum status raw_field(const struct folder_decoder *decoder, const struct csv_field *field,
                             uint32_t at, struct arena *arena, struct cell *pair,
                             struct error *error)
{
    const struct schema_column *column = &decoder->definition.sidecar.columns[at];
    char *copy = arena_try_copy(arena, field->text, field->length);
    size_t length = field->length;
    const char *name = arena_copy_string(arena, column->name);
    if (copy == NULL) {
        return no_memory(error);
    }
    pair[0] = cell_text(name, strlen(name));
    if (csv_field_is_null(&decoder->dialect, field)) {
        pair[1] = cell_null();
        return STATUS_OK;
    }
    if ((field->flags & CSV_FIELD_ESCAPED) != 0) {
        length = csv_unescape(&decoder->dialect, field, copy);
    }
    return csv_value_read(&decoder->dialect, &column->type, copy, length,
                          (field->flags & CSV_FIELD_QUOTED) != 0, false, arena, &pair[1], error);
}

enum status csv_raw_read(struct folder_decoder *decoder, const char *bytes, size_t length,
                         struct arena *arena, struct cell *record, struct error *error)
{
    struct buffer text = {0};
    struct csv_scanner scanner = {0};
    struct csv_record found = {0};
    uint32_t count = decoder->definition.sidecar.column_count;
    struct cell *pairs = arena_allocate_zeroed(arena, 2 * (size_t)count + 1, sizeof(*pairs));
    enum status status = raw_text(decoder, bytes, length, &text, error);
    if (status == STATUS_OK) {
        csv_scanner_init(&scanner, &decoder->dialect, count, text.length + 1);
        if (csv_scanner_window(&scanner, text.data, text.length, true) != STATUS_OK) {
            status = no_memory(error);
        }
    }
    if (status == STATUS_OK && (csv_scanner_next(&scanner, &found) != STATUS_OK ||
                                found.fault != CSV_FINE || found.field_count != count)) {
        status = error_set(error, ERROR_TARGET_INVALID, decoder->file_name,
                           "a record in a segment is not as it was written");
    }
    for (uint32_t at = 0; status == STATUS_OK && at < count; at++) {
        uint32_t field = decoder->raw_fields == NULL ? at : decoder->raw_fields[at];
        status = raw_field(decoder, &found.fields[field], at, arena, &pairs[2 * (size_t)at], error);
    }
    if (status == STATUS_OK) {
        *record = cell_items(VALUE_MAP, pairs, count);
    }
    csv_scanner_free(&scanner);
    buffer_free(&text);
    return status;
}
