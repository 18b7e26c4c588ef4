/* Windows over a file: what was left of the last one, then more bytes. */
#include "connectors/csv/reader.h"

#include "base/memory.h"
#include "base/text.h"
#include "connectors/folder/compression.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ROOM_MIN: what a window may lack, since a character of another encoding goes in whole */
enum { RAW_BYTES = 64 * 1024, SAMPLE_BYTES = 1024, BOM_BYTES_MAX = 4, ROOM_MIN = 16 };

struct csv_reader {
    struct csv_reading reading;
    char *path;
    struct folder_input *input;
    struct csv_decoder *decoder; /* NULL: the file is UTF-8 */
    char *raw;                   /* bytes before conversion */
    size_t raw_begin;
    size_t raw_end;
    uint64_t taken;   /* bytes of the file that are in windows, or will be */
    bool input_ended; /* or the bound is reached */
    struct csv_scanner scanner;
    struct buffer kept; /* what is left of a window whose arena is gone */
    char *window;       /* the reader's own */
    size_t window_capacity;
    bool window_is_own;   /* else it lives in the arena that fill was given */
    bool stale;           /* the window is kept, and must be filled before it is read */
    bool exhausted;       /* the window has no whole record any more */
    uint64_t window_byte; /* of the window's first byte in the file */
    bool is_utf8;
    uint64_t lines; /* passed before the next record */
    uint64_t byte;  /* of the record given last */
    uint64_t byte_end;
    uint64_t line;
    const char *record_raw;
    size_t record_raw_length;
    bool has_long_line; /* to be given next */
    bool may_be_sep;    /* the next record is the file's first, and may be "sep=;" */
    struct csv_field long_field;
    char sample[SAMPLE_BYTES];
};

static enum status no_memory(const char *path, struct error *error)
{
    return error_set(error, ERROR_MEMORY, path, "no memory to read a file");
}

void csv_reader_close(struct csv_reader *reader)
{
    if (reader != NULL) {
        folder_input_close(reader->input);
        csv_decoder_close(reader->decoder);
        csv_scanner_free(&reader->scanner);
        buffer_free(&reader->kept);
        free(reader->raw);
        free(reader->window);
        free(reader->path);
        free(reader);
    }
}

/* Bytes of the file before conversion, up to the bound. */
static enum status read_raw(struct csv_reader *reader, char *to, size_t capacity, size_t *length,
                            struct error *error)
{
    uint64_t left = reader->reading.end - reader->taken;
    size_t wanted = left < capacity ? (size_t)left : capacity;
    *length = 0;
    if (wanted == 0) {
        return STATUS_END;
    }
    enum status status = folder_input_read(reader->input, to, wanted, length, error);
    reader->taken += *length;
    if (status == STATUS_END && reader->reading.end != UINT64_MAX) {
        return error_set(error, ERROR_SOURCE_CHANGED, reader->path,
                         "the file has become shorter since it was looked at");
    }
    return status;
}

/* The first bytes, all four of them if there are so many. */
static enum status read_first(struct csv_reader *reader, size_t *length, struct error *error)
{
    enum status status = STATUS_OK;
    *length = 0;
    while (status == STATUS_OK && *length < BOM_BYTES_MAX) {
        size_t part = 0;
        status = read_raw(reader, reader->raw + *length, BOM_BYTES_MAX - *length, &part, error);
        *length += part;
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static enum status open_encoding(struct csv_reader *reader, struct error *error)
{
    const char *name = reader->reading.dialect->encoding;
    size_t length = 0;
    if (reader->reading.begin == 0) {
        if (read_first(reader, &length, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        size_t bom = length;
        const char *told = csv_encoding_of_bom(reader->raw, &bom);
        bool is_unicode = name == NULL || strncasecmp(name, "utf", 3) == 0;
        name = told != NULL && is_unicode ? told : name;
        bom = is_unicode ? bom : 0;
        reader->raw_begin = bom;
        reader->raw_end = length;
        reader->window_byte = bom;
    }
    return name != NULL ? csv_decoder_open(name, reader->path, &reader->decoder, error) : STATUS_OK;
}

enum status csv_reader_open(const struct csv_reading *reading, struct csv_reader **reader,
                            struct error *error)
{
    struct csv_reader *made = memory_allocate_zeroed(1, sizeof(*made));
    *reader = NULL;
    made->reading = *reading;
    made->path = memory_copy_string(reading->path);
    made->raw = memory_allocate(RAW_BYTES);
    made->taken = made->window_byte = reading->begin;
    made->exhausted = true;
    made->may_be_sep = reading->begin == 0 && reading->dialect->sep_line;
    csv_scanner_init(&made->scanner, reading->dialect, reading->field_capacity,
                     reading->record_bytes_max);
    enum status status =
        folder_input_open(reading->path, reading->begin, ERROR_SOURCE_READ, &made->input, error);
    status = status == STATUS_OK ? open_encoding(made, error) : status;
    if (status != STATUS_OK) {
        csv_reader_close(made);
        return STATUS_FAILED;
    }
    *reader = made;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- filling */

/* UTF-8 bytes, whatever the file's encoding. */
static enum status read_text(struct csv_reader *reader, char *to, size_t capacity, size_t *length,
                             struct error *error)
{
    size_t part = reader->raw_end - reader->raw_begin;
    if (reader->decoder == NULL) {
        if (part == 0) {
            return read_raw(reader, to, capacity, length, error);
        }
        *length = part < capacity ? part : capacity;
        memcpy(to, reader->raw + reader->raw_begin, *length);
        reader->raw_begin += *length;
        return STATUS_OK;
    }
    char *at = to;
    size_t room = capacity;
    enum status status = STATUS_OK;
    for (bool last = false; at == to && status == STATUS_OK;) {
        const char *from = reader->raw + reader->raw_begin;
        part = reader->raw_end - reader->raw_begin;
        status = csv_decoder_convert(reader->decoder, &from, &part, &at, &room, last, error);
        reader->raw_begin = reader->raw_end - part;
        if (status != STATUS_OK || at > to || (last && part == 0)) {
            break;
        }
        memmove(reader->raw, reader->raw + reader->raw_begin, part);
        reader->raw_begin = 0;
        reader->raw_end = part;
        status = read_raw(reader, reader->raw + part, RAW_BYTES - part, &part, error);
        reader->raw_end += part;
        if (status == STATUS_END) {
            last = true;
            status = STATUS_OK;
        }
    }
    *length = (size_t)(at - to);
    return status == STATUS_OK && *length == 0 ? STATUS_END : status;
}

/* The window that begins with what is kept. NULL: memory is out. */
static char *move_kept(struct csv_reader *reader, struct arena *arena, size_t bytes)
{
    const char *kept = reader->scanner.bytes;
    size_t length = reader->scanner.length;
    bool from_own = reader->window_is_own && kept != NULL;
    reader->window_is_own = arena == NULL;
    if (arena != NULL) {
        char *window = arena_try_allocate(arena, bytes);
        if (window != NULL && length > 0) {
            memcpy(window, kept, length);
        }
        return window;
    }
    if (from_own && length > 0) {
        memmove(reader->window, kept, length);
    }
    if (reader->window_capacity < bytes) {
        char *grown = realloc(reader->window, bytes);
        if (grown == NULL) {
            return NULL;
        }
        reader->window = grown;
        reader->window_capacity = bytes;
    }
    if (!from_own && length > 0) {
        memcpy(reader->window, kept, length);
    }
    return reader->window;
}

enum status csv_reader_keep(struct csv_reader *reader, struct error *error)
{
    struct csv_scanner *scanner = &reader->scanner;
    size_t left = scanner->length - scanner->position;
    if (scanner->bytes == NULL || reader->stale) {
        return STATUS_OK;
    }
    reader->window_byte += scanner->position;
    if (reader->window_is_own) {
        scanner->bytes += scanner->position;
    } else {
        buffer_clear(&reader->kept);
        if (!buffer_try_reserve(&reader->kept, left)) {
            return no_memory(reader->path, error);
        }
        buffer_append(&reader->kept, scanner->bytes + scanner->position, left);
        scanner->bytes = reader->kept.data;
    }
    scanner->length = left;
    scanner->position = 0;
    reader->stale = true;
    return STATUS_OK;
}

/* Is the whole window UTF-8, but perhaps for a character that it cuts off? */
static bool window_is_utf8(const char *bytes, size_t length, bool at_end)
{
    size_t cut = length;
    for (int back = 0; !at_end && back < 3 && cut > 0; back++) {
        unsigned char byte = (unsigned char)bytes[cut - 1];
        cut -= byte >= 0x80;
        if (byte < 0x80 || byte >= 0xc0) {
            break;
        }
    }
    return text_is_utf8(bytes, cut);
}

/* The window that follows what is kept. */
static enum status fill_window(struct csv_reader *reader, struct arena *arena, struct error *error)
{
    struct csv_scanner *scanner = &reader->scanner;
    size_t left = scanner->length;
    /* a record that did not fit: more, and not in the arena, which would keep each try */
    bool exhausted = reader->exhausted || left == 0;
    bool large = exhausted && left > reader->reading.window_bytes;
    size_t most = reader->reading.record_bytes_max + SAMPLE_BYTES + reader->reading.window_bytes;
    size_t wanted =
        large ? (2 * left < most ? 2 * left : most) : left + reader->reading.window_bytes;
    wanted = exhausted ? (wanted > left ? wanted : left) : left;
    char *window = move_kept(reader, large ? NULL : arena, wanted + CSV_SCAN_PADDING);
    if (window == NULL) {
        return no_memory(reader->path, error);
    }
    size_t filled = left;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && wanted - filled > ROOM_MIN && !reader->input_ended) {
        size_t part = 0;
        status = read_text(reader, window + filled, wanted - filled, &part, error);
        filled += part;
    }
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    reader->input_ended = reader->input_ended || status == STATUS_END;
    memset(window + filled, 0, CSV_SCAN_PADDING);
    if (csv_scanner_window(scanner, window, filled, reader->input_ended) != STATUS_OK) {
        return no_memory(reader->path, error);
    }
    reader->stale = false;
    reader->exhausted = false;
    reader->is_utf8 = window_is_utf8(window, filled, reader->input_ended);
    return filled > 0 ? STATUS_OK : STATUS_END;
}

/* A line of which more than the largest record is kept and no end: its begin is noted, and the
 * rest is passed window by window. */
static enum status skip_line(struct csv_reader *reader, struct error *error)
{
    struct csv_scanner *scanner = &reader->scanner;
    char mark = csv_line_mark(reader->reading.dialect);
    memcpy(reader->sample, scanner->bytes, SAMPLE_BYTES);
    reader->has_long_line = true;
    reader->byte = reader->window_byte;
    for (bool found = false; !found;) {
        reader->window_byte += scanner->length;
        scanner->length = 0;
        reader->exhausted = true;
        enum status status = fill_window(reader, NULL, error);
        if (status == STATUS_FAILED) {
            return STATUS_FAILED;
        }
        const char *end = scanner->length > 0
                              ? (const char *)memchr(scanner->bytes, mark, scanner->length)
                              : NULL;
        found = end != NULL || reader->input_ended;
        scanner->position = end != NULL ? (size_t)(end + 1 - scanner->bytes) : scanner->length;
        reader->byte_end = reader->window_byte + scanner->position;
    }
    return csv_reader_keep(reader, error);
}

enum status csv_reader_fill(struct csv_reader *reader, struct arena *arena, struct error *error)
{
    struct csv_scanner *scanner = &reader->scanner;
    if (csv_reader_keep(reader, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (reader->exhausted && scanner->length > reader->reading.record_bytes_max + SAMPLE_BYTES &&
        skip_line(reader, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (reader->input_ended && scanner->length == 0) {
        return reader->has_long_line ? STATUS_OK : STATUS_END;
    }
    enum status status = fill_window(reader, arena, error);
    return status == STATUS_END && reader->has_long_line ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- records */

static void give_long_line(struct csv_reader *reader, struct csv_record *record)
{
    uint64_t skipped = reader->scanner.lines_skipped;
    reader->has_long_line = false;
    reader->scanner.lines_skipped = 0;
    reader->long_field = (struct csv_field){reader->sample, SAMPLE_BYTES, 0};
    *record = (struct csv_record){.fields = &reader->long_field,
                                  .field_count = 1,
                                  .fault = CSV_TOO_LONG,
                                  .lines = 1 + skipped,
                                  .skipped_lines = skipped};
    reader->record_raw = reader->sample;
    reader->record_raw_length = SAMPLE_BYTES;
    reader->line = reader->lines + skipped;
    reader->lines += record->lines;
}

/* Once, of the file's first record: whether it is Excel's line and no record. */
static bool is_sep_line(struct csv_reader *reader)
{
    char delimiter = 0;
    bool may_be = reader->may_be_sep;
    reader->may_be_sep = false;
    return may_be && csv_is_sep_line(reader->record_raw, reader->record_raw_length, &delimiter);
}

static enum status next_record(struct csv_reader *reader, struct csv_record *record)
{
    struct csv_scanner *scanner = &reader->scanner;
    if (reader->has_long_line) {
        give_long_line(reader, record);
        return STATUS_OK;
    }
    if (scanner->bytes == NULL || reader->stale) {
        return STATUS_END;
    }
    if (csv_scanner_next(scanner, record) != STATUS_OK) {
        reader->exhausted = true;
        return STATUS_END;
    }
    reader->byte = reader->window_byte + record->begin;
    reader->byte_end = reader->window_byte + record->end;
    reader->record_raw = scanner->bytes + record->begin;
    reader->record_raw_length = record->end - record->begin;
    reader->line = reader->lines + record->skipped_lines;
    reader->lines += record->lines;
    return STATUS_OK;
}

enum status csv_reader_next(struct csv_reader *reader, struct csv_record *record)
{
    enum status status = next_record(reader, record);
    return status == STATUS_OK && is_sep_line(reader) ? next_record(reader, record) : status;
}

uint64_t csv_reader_byte(const struct csv_reader *reader)
{
    return reader->byte;
}

uint64_t csv_reader_byte_end(const struct csv_reader *reader)
{
    return reader->byte_end;
}

uint64_t csv_reader_line(const struct csv_reader *reader)
{
    return reader->line;
}

const char *csv_reader_raw(const struct csv_reader *reader, size_t *length)
{
    *length = reader->record_raw_length;
    return reader->record_raw;
}

bool csv_reader_is_utf8(const struct csv_reader *reader)
{
    return reader->is_utf8;
}

bool csv_reader_lends(const struct csv_reader *reader)
{
    return reader->window_is_own;
}

enum status csv_reader_can_seek(const struct csv_dialect *dialect, const char *path, bool *can,
                                struct error *error)
{
    struct folder_input *input = NULL;
    char bytes[BOM_BYTES_MAX];
    size_t length = 0;
    *can = false;
    if (dialect->encoding != NULL || folder_compression_of(path) != FOLDER_PLAIN) {
        return STATUS_OK;
    }
    enum status status = folder_input_open(path, 0, ERROR_SOURCE_READ, &input, error);
    while (status == STATUS_OK && length < BOM_BYTES_MAX) {
        size_t part = 0;
        status = folder_input_read(input, bytes + length, BOM_BYTES_MAX - length, &part, error);
        length += part;
    }
    folder_input_close(input);
    *can = status != STATUS_FAILED && csv_encoding_of_bom(bytes, &length) == NULL;
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}
