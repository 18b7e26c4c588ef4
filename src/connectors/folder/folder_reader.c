/*
 * Reading records: the files of a table in the order of their names, cut into spans.
 *
 * A span's bounds are 24 bytes, little endian: uint32 first file, uint64 first byte, uint32 last
 * file, uint64 end in it (0: all of it). Records belong to the span in which they begin; bytes
 * count before compression, and compressed files are never cut.
 */
#include "connectors/folder/folder.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { BOUNDS_BYTES = 24, SPAN_BYTES_MIN = 1024 * 1024, SPAN_BYTES_MAX = 64 * 1024 * 1024 };
enum { SAMPLE_LINES = 200, SAMPLE_LINE_BYTES = 64 * 1024, UNPACK_FACTOR = 6 };

struct reader {
    struct folder *folder;
};

struct place {
    uint32_t file;
    uint64_t byte;
};

struct cursor {
    struct folder *folder;
    const struct folder_table *table;
    const struct read_request *request;
    struct place next;
    struct place end; /* byte 0: to the end of the file */
    struct folder_decoder *decoder;
};

/* ---------------------------------------------------------------- facts */

static enum status find_table(struct database *self, const struct read_request *request,
                              struct folder_table **table, struct error *error)
{
    if (request->table == NULL || request->join_count > 0 || request->ordered) {
        return error_set(error, ERROR_NOT_IMPLEMENTED, request->name,
                         "a folder of files has no queries, no joins and no order");
    }
    return folder_find_table((struct folder *)self, request->table, table, error);
}

/* Equal tokens mean the same files of the same sizes, not written since. */
static enum status source_snapshot(struct database *self, uint32_t reader_count,
                                   struct arena *arena, const char **token, struct error *error)
{
    struct folder_snapshot *snapshot = NULL;
    struct buffer text = {0};
    enum status status = folder_snapshot((struct folder *)self, &snapshot, error);
    (void)reader_count;
    if (status != STATUS_OK) {
        return status;
    }
    for (uint32_t at = 0; at < snapshot->table_count; at++) {
        const struct folder_table *table = &snapshot->tables[at];
        buffer_append(&text, table->name, strlen(table->name) + 1);
        for (uint32_t file = 0; file < table->file_count; file++) {
            buffer_append(&text, table->files[file].name, strlen(table->files[file].name) + 1);
            buffer_format(&text, "%" PRIu64 " %" PRId64 "\n", table->files[file].bytes,
                          table->files[file].modified_ns);
        }
    }
    XXH128_hash_t hash = XXH3_128bits(text.data, text.length);
    char hex[33];
    text_from_hash(hash.high64, hash.low64, hex);
    *token = arena_format(arena, "files-1:%s", hex);
    buffer_free(&text);
    return STATUS_OK;
}

static enum status source_describe_stream(struct database *self, const struct read_request *request,
                                          struct arena *arena, struct stream_facts *facts,
                                          struct error *error)
{
    struct folder_table *table = NULL;
    if (find_table(self, request, &table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char **place = arena_allocate_zeroed(arena, 2, sizeof(*place));
    place[0] = "$file";
    place[1] = ((struct folder *)self)->format->position_column;
    *facts = (struct stream_facts){.row_count = -1, .key_unique = true};
    facts->key = table->schema.primary_key.count > 0 ? table->schema.primary_key
                                                     : (struct column_list){place, 2};
    return STATUS_OK;
}

/* ---------------------------------------------------------------- split */

/* The mean length of the first lines; 0 when there is none. */
static enum status sample_line_bytes(const struct folder_table *table, uint64_t *mean,
                                     struct arena *arena, struct error *error)
{
    struct folder_lines *lines = NULL;
    uint64_t bytes = 0;
    uint64_t count = 0;
    *mean = 0;
    for (uint32_t at = 0; at < table->file_count && count == 0; at++) {
        char *line = NULL;
        size_t length = 0;
        bool too_long = false;
        char *path = folder_file_path(arena, table, at);
        enum status status =
            folder_lines_open(path, 0, 0, SAMPLE_LINE_BYTES, ERROR_SOURCE_READ, &lines, error);
        while (status == STATUS_OK && count < SAMPLE_LINES) {
            status = folder_lines_next(lines, &line, &length, &too_long, error);
            if (status == STATUS_OK) {
                bytes += length + 1;
                count++;
            }
        }
        folder_lines_close(lines);
        lines = NULL;
        if (status == STATUS_FAILED) {
            return STATUS_FAILED;
        }
    }
    *mean = count > 0 ? bytes / count : 0;
    return STATUS_OK;
}

/* A growing list of spans. */
struct splitting {
    struct folder *folder;
    struct folder_table *table;
    struct arena *arena;
    struct span *spans;
    uint32_t count;
    uint32_t capacity;
    uint64_t mean;
};

static void add_span(struct splitting *splitting, struct place first, struct place end,
                     uint64_t bytes)
{
    splitting->spans = arena_make_room(splitting->arena, splitting->spans, splitting->count,
                                       &splitting->capacity, sizeof *splitting->spans);
    uint8_t *bounds = arena_allocate(splitting->arena, BOUNDS_BYTES);
    const struct folder_file *files = splitting->table->files;
    const char *printable = "no files";
    if (splitting->table->file_count > 0) {
        printable =
            end.byte > 0
                ? arena_format(splitting->arena, "%s:%" PRIu64 " to %s:%" PRIu64,
                               files[first.file].name, first.byte, files[end.file].name, end.byte)
                : arena_format(splitting->arena, "%s:%" PRIu64 " to %s", files[first.file].name,
                               first.byte, files[end.file].name);
    }
    bytes_put_le(bounds, first.file, 4);
    bytes_put_le(bounds + 4, first.byte, 8);
    bytes_put_le(bounds + 12, end.file, 4);
    bytes_put_le(bounds + 16, end.byte, 8);
    splitting->spans[splitting->count++] =
        (struct span){.printable = printable,
                      .bounds = bounds,
                      .bounds_length = BOUNDS_BYTES,
                      .row_estimate = splitting->mean > 0 ? (int64_t)(bytes / splitting->mean) : 0};
}

/* Where the file may be cut at or after a byte; its size: nowhere. */
static enum status find_border(struct splitting *splitting, uint32_t file, uint64_t *byte,
                               struct error *error)
{
    const struct folder_format *format = splitting->folder->format;
    return format->align != NULL
               ? format->align(splitting->folder, splitting->table, file, byte, error)
               : STATUS_OK;
}

static enum status split_files(struct splitting *splitting, uint64_t span_bytes,
                               struct error *error)
{
    const struct folder_table *table = splitting->table;
    struct place first = {0};
    uint64_t gathered = 0;
    for (uint32_t at = 0; at < table->file_count; at++) {
        bool plain = folder_compression_of(table->files[at].name) == FOLDER_PLAIN;
        uint64_t bytes = table->files[at].bytes;
        uint64_t done = 0;
        while (plain && bytes - done > span_bytes - gathered) {
            struct place end = {at, done + span_bytes - gathered};
            if (find_border(splitting, at, &end.byte, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
            if (end.byte >= bytes) {
                break;
            }
            add_span(splitting, first, end, end.byte - done + gathered);
            done = end.byte;
            first = end;
            gathered = 0;
        }
        gathered += plain ? bytes - done : bytes * UNPACK_FACTOR;
        bool last = at + 1 == table->file_count;
        if (gathered >= span_bytes || last) {
            add_span(splitting, first, (struct place){at, 0}, gathered);
            first = (struct place){at + 1, 0};
            gathered = 0;
        }
    }
    if (splitting->count == 0) {
        add_span(splitting, first, (struct place){0}, 0);
    }
    return STATUS_OK;
}

static enum status mean_bytes(struct splitting *splitting, struct error *error)
{
    const struct folder_packing *packing = splitting->folder->format->packing;
    return packing != NULL
               ? packing->row_bytes(splitting->folder, splitting->table, &splitting->mean, error)
               : sample_line_bytes(splitting->table, &splitting->mean, splitting->arena, error);
}

static enum status source_split(struct database *self, const struct read_request *request,
                                uint64_t rows_wanted, struct arena *arena, struct span **spans,
                                uint32_t *span_count, struct error *error)
{
    struct splitting splitting = {.arena = arena, .folder = (struct folder *)self};
    if (find_table(self, request, &splitting.table, error) != STATUS_OK ||
        mean_bytes(&splitting, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint64_t rows = rows_wanted > SPAN_BYTES_MAX ? SPAN_BYTES_MAX : rows_wanted;
    uint64_t span_bytes = rows * (splitting.mean > 0 ? splitting.mean : 1);
    span_bytes = span_bytes > SPAN_BYTES_MAX ? SPAN_BYTES_MAX : span_bytes;
    span_bytes = span_bytes < 1 ? SPAN_BYTES_MIN : span_bytes;
    enum status status = split_files(&splitting, span_bytes, error);
    *spans = splitting.spans;
    *span_count = splitting.count;
    return status;
}

static enum status source_prepare(struct database *self, const struct read_request *const *requests,
                                  uint32_t request_count, void (*progress)(const char *what),
                                  struct error *error)
{
    struct folder_table *table = NULL;
    (void)progress;
    for (uint32_t at = 0; at < request_count; at++) {
        if (find_table(self, requests[at], &table, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- cursor */

static enum status source_reader_open(struct database *self, struct reader **reader,
                                      struct error *error)
{
    (void)error;
    struct reader *made = memory_allocate_zeroed(1, sizeof(*made));
    made->folder = (struct folder *)self;
    *reader = made;
    return STATUS_OK;
}

static void source_reader_close(struct reader *reader)
{
    free(reader);
}

static void source_cursor_close(struct cursor *cursor)
{
    if (cursor != NULL) {
        cursor->folder->format->decoder_close(cursor->decoder);
        free(cursor);
    }
}

static enum status place_cursor(struct cursor *cursor, const struct span *span, struct error *error)
{
    uint32_t file_count = cursor->table->file_count;
    if (span == NULL) {
        cursor->end.file = file_count > 0 ? file_count - 1 : 0;
        return STATUS_OK;
    }
    if (span->bounds_length != BOUNDS_BYTES) {
        return error_set(error, ERROR_LEDGER_INVALID, span->printable, "the span has no bounds");
    }
    cursor->next =
        (struct place){(uint32_t)bytes_get_le(span->bounds, 4), bytes_get_le(span->bounds + 4, 8)};
    cursor->end = (struct place){(uint32_t)bytes_get_le(span->bounds + 12, 4),
                                 bytes_get_le(span->bounds + 16, 8)};
    if (file_count > 0 && (cursor->next.file > file_count || cursor->end.file >= file_count)) {
        return error_set(error, ERROR_SOURCE_CHANGED, cursor->table->folder,
                         "files that the run began with are not there any more");
    }
    return STATUS_OK;
}

static enum status source_cursor_open(struct reader *reader, const struct read_request *request,
                                      const struct span *span, struct cursor **cursor,
                                      struct error *error)
{
    struct cursor *made = memory_allocate_zeroed(1, sizeof(*made));
    *cursor = NULL;
    struct folder_table *table = NULL;
    made->folder = reader->folder;
    made->request = request;
    enum status status = find_table(&reader->folder->base, request, &table, error);
    made->table = table;
    if (status != STATUS_OK || place_cursor(made, span, error) != STATUS_OK) {
        source_cursor_close(made);
        return STATUS_FAILED;
    }
    *cursor = made;
    return STATUS_OK;
}

/* Opens the next file of the span. A file that grew since the snapshot is read up to its old
 * end. */
static enum status open_file(struct cursor *cursor, struct error *error)
{
    const struct folder_table *table = cursor->table;
    if (cursor->next.file >= table->file_count || cursor->next.file > cursor->end.file) {
        return STATUS_END;
    }
    const struct folder_file *file = &table->files[cursor->next.file];
    bool plain = folder_compression_of(file->name) == FOLDER_PLAIN;
    uint64_t end = cursor->next.file == cursor->end.file ? cursor->end.byte : 0;
    struct arena *arena = arena_create(4096);
    char *path = folder_file_path(arena, table, cursor->next.file);
    if (end == 0) {
        end = plain ? file->bytes : UINT64_MAX;
    }
    enum status status = STATUS_OK;
    if (file->bytes > 0) {
        const struct folder_range range = {.path = path,
                                           .file_name = file->name,
                                           .file = cursor->next.file,
                                           .begin = cursor->next.byte,
                                           .end = end};
        status = cursor->folder->format->decoder_open(cursor->folder, table->name, table, &range,
                                                      cursor->request, &cursor->decoder, error);
    }
    cursor->next = (struct place){cursor->next.file + 1, 0};
    arena_destroy(arena);
    return status;
}

/* The file of the decoder that came to its end. What a pipe brought is a copy of our own. */
static enum status check_file(const struct cursor *cursor, struct error *error)
{
    uint32_t at = cursor->next.file - 1;
    if (cursor->folder->pipe != NULL) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(4096);
    char *path = folder_file_path(arena, cursor->table, at);
    enum status status = folder_check_unchanged(path, &cursor->table->files[at], error);
    arena_destroy(arena);
    return status;
}

static enum status folder_reader_fill(struct cursor *cursor, struct batch *batch, uint32_t rows_max,
                                      size_t bytes_max, struct error *error)
{
    const struct folder_format *format = cursor->folder->format;
    for (;;) {
        enum status status = STATUS_END;
        if (cursor->decoder != NULL) {
            status = format->decoder_fill(cursor->decoder, batch, rows_max, bytes_max, error);
        }
        if (status != STATUS_END) {
            return status;
        }
        if (cursor->decoder != NULL && check_file(cursor, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        format->decoder_close(cursor->decoder);
        cursor->decoder = NULL;
        if (batch->row_count > 0 || batch->refused_count > 0) {
            return STATUS_OK;
        }
        status = open_file(cursor, error);
        if (status != STATUS_OK) {
            return status;
        }
    }
}

/* Rows whose cells and envelopes take half of the bytes: what they point to takes the other. */
static uint32_t fitting_rows(uint32_t columns, uint32_t rows_max, size_t bytes_max)
{
    size_t row = columns > 0 ? columns * sizeof(struct cell)
                             : sizeof(struct cell) + sizeof(struct record_envelope);
    size_t fitting = bytes_max / 2 / row + 1;
    return fitting < rows_max ? (uint32_t)fitting : rows_max > 0 ? rows_max : 1;
}

static enum status source_cursor_next(struct cursor *cursor, uint32_t rows_max, size_t bytes_max,
                                      struct batch **batch, struct error *error)
{
    uint32_t columns = cursor->request->column_count;
    uint32_t rows = fitting_rows(columns, rows_max, bytes_max);
    struct batch *made = batch_create(NULL, columns > 0 ? columns : 1, rows);
    *batch = NULL;
    if (columns == 0) {
        batch_add_envelopes(made);
    }
    enum status status = folder_reader_fill(cursor, made, rows, bytes_max, error);
    if (status != STATUS_OK) {
        batch_destroy(made);
        return status;
    }
    *batch = made;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- caveats */

static enum status source_caveats(struct database *self, struct buffer *out, struct error *error)
{
    struct folder *folder = (struct folder *)self;
    struct folder_snapshot *snapshot = NULL;
    if (folder_snapshot(folder, &snapshot, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t at = 0; at < snapshot->table_count; at++) {
        struct folder_table *table = NULL;
        if (folder_find_table(folder, snapshot->tables[at].name, &table, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        folder->format->caveats(table, out);
    }
    return STATUS_OK;
}

const struct source_functions folder_source = {
    .holds = folder_holds,
    .snapshot = source_snapshot,
    .describe_stream = source_describe_stream,
    .split = source_split,
    .prepare = source_prepare,
    .reader_open = source_reader_open,
    .reader_close = source_reader_close,
    .cursor_open = source_cursor_open,
    .cursor_next = source_cursor_next,
    .cursor_close = source_cursor_close,
    .caveats = source_caveats,
};
