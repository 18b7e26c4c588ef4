/*
 * Rows of a dump as a source.
 *
 * A span's bounds are 16 bytes, little endian: the numbers of its first segment and of the one
 * behind its last. The inventory of the same bytes is always the same.
 */
#include "base/bytes.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/contract/defaults.h"
#include "connectors/dump/dump.h"
#include "connectors/dump/dump_row.h"
#include "model/batch.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BOUNDS_BYTES = 16, READ_BYTES = DUMP_SEGMENT_BYTES, SPAN_BYTES_MAX = 64 << 20 };
enum { COLUMN_LINE = -1, COLUMN_BYTE = -2, COLUMN_ABSENT = -3 };

struct reader {
    struct dump_database *self;
};

/* Where a column of the request is in a row. */
struct wanted {
    int32_t literal; /* or one of COLUMN_… */
    const struct schema_column *column;
};

struct cursor {
    struct dump_database *self;
    const struct schema_table *table;
    const struct dump_stream *stream;
    const struct read_request *request;
    uint32_t segment; /* the next one to be opened */
    uint32_t segment_end;
    struct dump_text *text;
    struct buffer window;
    size_t at;             /* in the window */
    uint64_t offset;       /* of `at` in the script */
    uint64_t end;          /* of the rows that are read now */
    uint32_t line;         /* of `at` */
    uint32_t header;       /* of these rows; UINT32_MAX: none yet */
    uint32_t fields;       /* that a row of it has; 0: the first one tells */
    struct wanted *wanted; /* the request's columns, and behind them those of the key */
    struct dump_literal *literals;
    struct dump_encoding *encoding;
};

static struct dump_database *dump_of(struct database *database)
{
    return (struct dump_database *)database;
}

/* ---------------------------------------------------------------- facts */

static const struct schema_table *find_table(const struct dump_database *self,
                                             const struct read_request *request,
                                             const struct dump_stream **stream, struct error *error)
{
    *stream = NULL;
    if (request->table == NULL || request->join_count > 0 || request->ordered) {
        error_set(error, ERROR_NOT_IMPLEMENTED, request->name,
                  "a dump has no queries, no joins and no order");
        return NULL;
    }
    return dump_tables_find(self, request->table, stream, error);
}

static enum status source_snapshot(struct database *database, uint32_t reader_count,
                                   struct arena *arena, const char **token, struct error *error)
{
    const struct dump_database *self = dump_of(database);
    (void)reader_count;
    *token = dump_input_token(self->input, arena);
    return dump_input_check(self->input, error);
}

static enum status source_describe_stream(struct database *database,
                                          const struct read_request *request, struct arena *arena,
                                          struct stream_facts *facts, struct error *error)
{
    const struct dump_stream *stream = NULL;
    const struct schema_table *table = find_table(dump_of(database), request, &stream, error);
    if (table == NULL) {
        return STATUS_FAILED;
    }
    const char **place = arena_allocate_zeroed(arena, 2, sizeof *place);
    place[0] = "$line";
    place[1] = "$byte";
    *facts = (struct stream_facts){
        .row_count = (int64_t)stream->rows,
        .key_unique = true,
        .key = table->primary_key.count > 0 ? table->primary_key : (struct column_list){place, 2}};
    return STATUS_OK;
}

static enum status source_count(struct database *database, const struct read_request *request,
                                int64_t *rows, struct error *error)
{
    const struct dump_stream *stream = NULL;
    const struct schema_table *table = find_table(dump_of(database), request, &stream, error);
    *rows = stream != NULL ? (int64_t)stream->rows : -1;
    return table != NULL ? STATUS_OK : STATUS_FAILED;
}

/* ---------------------------------------------------------------- spans */

static struct span make_span(const struct dump_stream *stream, uint32_t first, uint32_t end,
                             struct arena *arena)
{
    uint8_t *bounds = arena_allocate(arena, BOUNDS_BYTES);
    int64_t rows = 0;
    bytes_put_le(bounds, first, 8);
    bytes_put_le(bounds + 8, end, 8);
    for (uint32_t i = first; i < end; i++) {
        rows += stream->segments[i].rows;
    }
    const char *printable =
        first < end ? arena_format(arena, "line %u, bytes %" PRIu64 " to %" PRIu64,
                                   stream->segments[first].line, stream->segments[first].begin,
                                   stream->segments[end - 1].end)
                    : "no rows";
    return (struct span){.printable = printable,
                         .bounds = bounds,
                         .bounds_length = BOUNDS_BYTES,
                         .row_estimate = rows};
}

static enum status source_split(struct database *database, const struct read_request *request,
                                uint64_t rows_wanted, struct arena *arena, struct span **spans,
                                uint32_t *span_count, struct error *error)
{
    const struct dump_stream *stream = NULL;
    if (find_table(dump_of(database), request, &stream, error) == NULL) {
        return STATUS_FAILED;
    }
    struct span *made =
        arena_allocate_zeroed(arena, (size_t)stream->segment_count + 1, sizeof *made);
    uint64_t rows = 0;
    uint64_t bytes = 0;
    uint32_t first = 0;
    *span_count = 0;
    for (uint32_t i = 0; i < stream->segment_count; i++) {
        rows += stream->segments[i].rows;
        bytes += stream->segments[i].end - stream->segments[i].begin;
        if (rows >= rows_wanted || bytes >= SPAN_BYTES_MAX || i + 1 == stream->segment_count) {
            made[(*span_count)++] = make_span(stream, first, i + 1, arena);
            first = i + 1;
            rows = 0;
            bytes = 0;
        }
    }
    if (*span_count == 0) {
        made[(*span_count)++] = make_span(stream, 0, 0, arena);
    }
    *spans = made;
    return STATUS_OK;
}

static enum status source_prepare(struct database *database,
                                  const struct read_request *const *requests,
                                  uint32_t request_count, void (*progress)(const char *what),
                                  struct error *error)
{
    const struct dump_stream *stream = NULL;
    (void)progress;
    for (uint32_t i = 0; i < request_count; i++) {
        if (find_table(dump_of(database), requests[i], &stream, error) == NULL) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- opening a cursor */

static enum status source_reader_open(struct database *database, struct reader **reader,
                                      struct error *error)
{
    (void)error;
    *reader = memory_allocate_zeroed(1, sizeof **reader);
    (*reader)->self = dump_of(database);
    return STATUS_OK;
}

static void source_reader_close(struct reader *reader)
{
    free(reader);
}

static void source_cursor_close(struct cursor *cursor)
{
    if (cursor != NULL) {
        dump_text_close(cursor->text);
        dump_encoding_close(cursor->encoding);
        buffer_free(&cursor->window);
        free(cursor->wanted);
        free(cursor->literals);
        free(cursor);
    }
}

static enum status place_cursor(struct cursor *cursor, const struct span *span, struct error *error)
{
    cursor->segment_end = cursor->stream->segment_count;
    if (span == NULL) {
        return STATUS_OK;
    }
    if (span->bounds_length != BOUNDS_BYTES) {
        return error_set(error, ERROR_LEDGER_INVALID, span->printable, "the span has no bounds");
    }
    uint64_t first = bytes_get_le(span->bounds, 8);
    uint64_t end = bytes_get_le(span->bounds + 8, 8);
    if (first > end || end > cursor->stream->segment_count) {
        return error_set(error, ERROR_SOURCE_CHANGED, cursor->table->name,
                         "the dump has not the rows that the run began with");
    }
    cursor->segment = (uint32_t)first;
    cursor->segment_end = (uint32_t)end;
    return STATUS_OK;
}

static enum status source_cursor_open(struct reader *reader, const struct read_request *request,
                                      const struct span *span, struct cursor **cursor,
                                      struct error *error)
{
    struct cursor *made = memory_allocate_zeroed(1, sizeof *made);
    *cursor = NULL;
    made->self = reader->self;
    made->request = request;
    made->header = UINT32_MAX;
    made->table = find_table(reader->self, request, &made->stream, error);
    if (made->table == NULL || place_cursor(made, span, error) != STATUS_OK) {
        source_cursor_close(made);
        return STATUS_FAILED;
    }
    made->wanted = memory_allocate_zeroed(
        (size_t)request->column_count + made->table->primary_key.count + 1, sizeof *made->wanted);
    made->literals =
        memory_allocate_zeroed((size_t)made->stream->columns.count + 1, sizeof *made->literals);
    buffer_reserve(&made->window, READ_BYTES);
    *cursor = made;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- columns of a header */

/* Rows that do not say a column have its default, which only the database can make. */
static enum status check_absent(const struct cursor *cursor, const struct dump_header *header,
                                const struct schema_column *column, struct error *error)
{
    if (column->default_text == NULL && !column->identity && !column->not_null) {
        return STATUS_OK;
    }
    error_set(error, ERROR_SOURCE_INVALID, dump_place(cursor->self, header->line).text,
              "the rows of %s have no column %s, and its default is not in the dump",
              cursor->table->name, column->name);
    return error_hint(error, "leave the column out of the plan, or dump again with all columns");
}

static enum status find_column(const struct cursor *cursor, const struct dump_header *header,
                               struct column_list said, const char *name, struct wanted *wanted,
                               struct error *error)
{
    *wanted = (struct wanted){.literal = COLUMN_ABSENT};
    if (strcmp(name, "$line") == 0 || strcmp(name, "$byte") == 0) {
        wanted->literal = name[1] == 'l' ? COLUMN_LINE : COLUMN_BYTE;
        return STATUS_OK;
    }
    int at = schema_find_column(cursor->table, name);
    if (at < 0) {
        return error_set(error, ERROR_PLAN_INVALID, cursor->table->name, "there is no column %s",
                         name);
    }
    wanted->column = &cursor->table->columns[at];
    int32_t literal = dump_find_name(said, name);
    if (literal < 0) {
        return check_absent(cursor, header, wanted->column, error);
    }
    wanted->literal = literal;
    return STATUS_OK;
}

static enum status find_columns(struct cursor *cursor, const struct dump_header *header,
                                struct column_list said, struct error *error)
{
    const struct read_request *request = cursor->request;
    const struct column_list *key = &cursor->table->primary_key;
    for (uint32_t i = 0; i < request->column_count + key->count; i++) {
        const char *name = i < request->column_count ? request->columns[i].name
                                                     : key->names[i - request->column_count];
        if (find_column(cursor, header, said, name, &cursor->wanted[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    cursor->fields = said.count;
    return STATUS_OK;
}

static enum status use_header(struct cursor *cursor, uint32_t number, struct error *error)
{
    const struct dump_header *header = dump_header_at(&cursor->self->inventory, number);
    struct column_list said = header->columns.count > 0 ? header->columns : cursor->stream->columns;
    if (cursor->header == number) {
        return STATUS_OK;
    }
    dump_encoding_close(cursor->encoding);
    cursor->encoding = NULL;
    cursor->header = number;
    return dump_encoding_open(header->session.encoding, &cursor->encoding, error) == STATUS_OK
               ? find_columns(cursor, header, said, error)
               : STATUS_FAILED;
}

/* A row that says no columns has all, or all but the generated ones. */
static enum status use_field_count(struct cursor *cursor, const struct dump_header *header,
                                   uint32_t fields, struct error *error)
{
    if (fields == cursor->fields) {
        return STATUS_OK;
    }
    if (header->columns.count == 0 && fields == cursor->stream->stored.count) {
        return find_columns(cursor, header, cursor->stream->stored, error);
    }
    if (header->columns.count == 0 && fields == cursor->stream->columns.count) {
        return find_columns(cursor, header, cursor->stream->columns, error);
    }
    error_set(error, ERROR_SOURCE_READ, dump_place(cursor->self, cursor->line).text,
              "a row of %s has %u values, and should have %u", cursor->table->name, fields,
              cursor->fields);
    return error_hint(error, "the dump is damaged there, or its schema is not that of its rows");
}

/* ---------------------------------------------------------------- the window */

static enum status more(struct cursor *cursor, struct error *error)
{
    size_t left = cursor->window.length - cursor->at;
    size_t wanted = left > READ_BYTES ? left : READ_BYTES;
    size_t length = 0;
    memmove(cursor->window.data, cursor->window.data + cursor->at, left);
    cursor->window.length = left;
    cursor->at = 0;
    uint64_t rest = cursor->end - cursor->offset - left;
    wanted = rest < wanted ? (size_t)rest : wanted;
    if (!buffer_try_reserve(&cursor->window, wanted)) {
        return error_set(error, ERROR_MEMORY, cursor->self->shown,
                         "no memory for a row of %zu bytes", left);
    }
    enum status status = wanted > 0 ? dump_text_read(cursor->text, cursor->window.data + left,
                                                     wanted, &length, error)
                                    : STATUS_END;
    cursor->window.length += length;
    if (status == STATUS_END) {
        error_set(error, ERROR_SOURCE_CHANGED, cursor->self->shown,
                  "the dump ends within a row that was whole");
        return STATUS_FAILED;
    }
    return status;
}

static void advance(struct cursor *cursor, size_t length)
{
    const char *text = cursor->window.data + cursor->at;
    for (size_t i = 0; i < length; i++) {
        cursor->line += text[i] == '\n' ? 1 : 0;
    }
    cursor->at += length;
    cursor->offset += length;
}

/* The next segments that follow one another under one header. STATUS_END: none is left. */
static enum status open_segments(struct cursor *cursor, struct error *error)
{
    const struct dump_segment *segments = cursor->stream->segments;
    if (cursor->segment == cursor->segment_end) {
        return STATUS_END;
    }
    const struct dump_segment *first = &segments[cursor->segment++];
    cursor->offset = first->begin;
    cursor->end = first->end;
    cursor->line = first->line;
    cursor->at = 0;
    buffer_clear(&cursor->window);
    if (use_header(cursor, first->header, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct dump_header *header = dump_header_at(&cursor->self->inventory, first->header);
    while (header->copy && cursor->segment < cursor->segment_end &&
           segments[cursor->segment].header == first->header) {
        cursor->end = segments[cursor->segment++].end;
    }
    return cursor->text != NULL
               ? dump_text_seek(cursor->text, cursor->offset, error)
               : dump_text_open(cursor->self->input, cursor->offset, &cursor->text, error);
}

/* ---------------------------------------------------------------- rows */

static bool read_cell(struct cursor *cursor, const struct dump_header *header,
                      const struct wanted *wanted, struct arena *arena, struct cell *cell,
                      const char **why)
{
    switch (wanted->literal) {
    case COLUMN_LINE:
        *cell = cell_int64(cursor->line);
        return true;
    case COLUMN_BYTE:
        *cell = cell_int64((int64_t)cursor->offset);
        return true;
    case COLUMN_ABSENT:
        *cell = cell_null();
        return true;
    default:
        return dump_value_read(cursor->self->inventory.language, header, &wanted->column->type,
                               &cursor->literals[wanted->literal], cursor->encoding, arena, cell,
                               why) == STATUS_OK;
    }
}

/* The cells that name the row that is read: its key, as far as it can be read, or its place. */
static const struct cell *row_key(struct cursor *cursor, const struct dump_header *header,
                                  struct arena *arena, uint32_t *count)
{
    const struct wanted *wanted = cursor->wanted + cursor->request->column_count;
    uint32_t parts = cursor->table->primary_key.count;
    struct cell *key = arena_allocate_zeroed(arena, (size_t)parts + 2, sizeof *key);
    *count = parts > 0 ? parts : 2;
    if (parts == 0) {
        key[0] = cell_int64(cursor->line);
        key[1] = cell_int64((int64_t)cursor->offset);
    }
    for (uint32_t i = 0; i < parts; i++) {
        const char *why = "";
        if (!read_cell(cursor, header, &wanted[i], arena, &key[i], &why)) {
            const struct dump_literal *literal = &cursor->literals[wanted[i].literal];
            key[i] = text_is_utf8(literal->text, literal->length)
                         ? cell_text(literal->text, literal->length)
                         : cell_bytes(literal->text, literal->length);
        }
    }
    return key;
}

static void refuse_row(struct cursor *cursor, const struct dump_header *header, struct batch *batch,
                       const char *name, const char *why, size_t length)
{
    enum { SHOWN_BYTES = 1024 };
    const char *row = cursor->window.data + cursor->at;
    uint32_t parts = 0;
    const struct cell *key = row_key(cursor, header, batch->arena, &parts);
    size_t shown = text_clip(row, length, SHOWN_BYTES);
    const char *copy = arena_copy(batch->arena, row, shown);
    struct cell raw = text_is_utf8(copy, shown) ? cell_text(copy, shown) : cell_bytes(copy, shown);
    const char *reason = arena_format(batch->arena, "%s:%u: the value of %s %s",
                                      cursor->self->shown, cursor->line, name, why);
    batch_refuse(batch, ERROR_REJECT_UNREADABLE, reason, key, parts, &raw);
}

/* The length of a line of COPY without its break. One of Windows is a break, too: a carriage return
 * that belongs to a value is written as \\r. */
static size_t line_length(const char *row, size_t length)
{
    size_t kept = length > 0 && row[length - 1] == '\n' ? length - 1 : length;
    return kept > 0 && row[kept - 1] == '\r' ? kept - 1 : kept;
}

/* The row is the `length` bytes at the window's place. */
static enum status read_row(struct cursor *cursor, const struct dump_header *header, size_t length,
                            struct batch *batch, struct error *error)
{
    const char *row = cursor->window.data + cursor->at;
    size_t kept = header->copy ? line_length(row, length) : length;
    char *text = arena_try_copy(batch->arena, row, kept);
    if (text == NULL) {
        return error_set(error, ERROR_MEMORY, cursor->self->shown,
                         "no memory for a row of %zu bytes", length);
    }
    uint32_t fields = dump_row_read(cursor->self->inventory.language, header, text, kept,
                                    batch->arena, cursor->literals, cursor->stream->columns.count);
    if (use_field_count(cursor, header, fields, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct cell *cells = batch_append(batch);
    for (uint32_t i = 0; i < cursor->request->column_count; i++) {
        const char *why = "";
        if (!read_cell(cursor, header, &cursor->wanted[i], batch->arena, &cells[i], &why)) {
            batch_drop_last(batch);
            refuse_row(cursor, header, batch, cursor->request->columns[i].name, why, kept);
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}

/* The next row, whole in the window, and its length. STATUS_END: none is left here. */
static enum status find_row(struct cursor *cursor, const struct dump_header *header, size_t *length,
                            struct error *error)
{
    for (;;) {
        if (cursor->offset == cursor->end) {
            return STATUS_END;
        }
        const char *text = cursor->window.data + cursor->at;
        size_t left = cursor->window.length - cursor->at;
        struct dump_gap gap = dump_gap_read(header, text, left, false);
        if (gap.kind == DUMP_GAP_END || gap.kind == DUMP_GAP_FAULT) {
            return error_set(error, ERROR_SOURCE_CHANGED,
                             dump_place(cursor->self, cursor->line).text,
                             "there was a row when the dump was read first");
        }
        if (gap.kind == DUMP_GAP_ROW) {
            advance(cursor, gap.length);
            *length = dump_row_length(
                header, cursor->window.data + cursor->at, cursor->window.length - cursor->at,
                cursor->offset + (cursor->window.length - cursor->at) == cursor->end);
            if (*length > 0) {
                return STATUS_OK;
            }
        }
        if (more(cursor, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
}

static enum status dump_source_fill(struct cursor *cursor, struct batch *batch, uint32_t rows_max,
                                    size_t bytes_max, struct error *error)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && batch->row_count + batch->refused_count < rows_max &&
           batch_bytes(batch) < bytes_max) {
        size_t length = 0;
        if (cursor->header == UINT32_MAX || cursor->offset == cursor->end) {
            status = open_segments(cursor, error);
            continue;
        }
        const struct dump_header *header = dump_header_at(&cursor->self->inventory, cursor->header);
        status = find_row(cursor, header, &length, error);
        if (status == STATUS_OK) {
            status = read_row(cursor, header, length, batch, error);
            advance(cursor, length);
        }
    }
    if (status == STATUS_END && dump_input_check(cursor->self->input, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool some = batch->row_count + batch->refused_count > 0;
    return status == STATUS_END && some ? STATUS_OK : status;
}

/* Rows whose cells take half of the bytes: what they point to takes the other. */
static uint32_t fitting_rows(uint32_t columns, uint32_t rows_max, size_t bytes_max)
{
    size_t fitting = bytes_max / 2 / (columns * sizeof(struct cell) + 1) + 1;
    return fitting < rows_max ? (uint32_t)fitting : rows_max > 0 ? rows_max : 1;
}

static enum status source_cursor_next(struct cursor *cursor, uint32_t rows_max, size_t bytes_max,
                                      struct batch **batch, struct error *error)
{
    uint32_t columns = cursor->request->column_count;
    uint32_t rows = fitting_rows(columns, rows_max, bytes_max);
    struct batch *made = batch_create(NULL, columns, rows);
    *batch = NULL;
    enum status status = dump_source_fill(cursor, made, rows, bytes_max, error);
    if (status != STATUS_OK) {
        batch_destroy(made);
        return status;
    }
    *batch = made;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- caveats */

/* The server shows six digits of a float, and that is what mysqldump writes. */
static enum status source_caveats(struct database *database, struct buffer *out,
                                  struct error *error)
{
    const struct dump_inventory *inventory = &dump_of(database)->inventory;
    const struct schema *schema = &inventory->schema;
    (void)error;
    for (uint32_t i = 0; inventory->language == SQL_MYSQL && i < schema->table_count; i++) {
        for (uint32_t j = 0; j < schema->tables[i].column_count; j++) {
            if (schema->tables[i].columns[j].type.kind == VALUE_FLOAT32) {
                buffer_format(out,
                              "%s.%s: of a float mysqldump writes six digits; the others are not "
                              "in the dump\n",
                              schema->tables[i].name, schema->tables[i].columns[j].name);
            }
        }
    }
    return STATUS_OK;
}

const struct source_functions dump_source = {
    .holds = dump_holds,
    .snapshot = source_snapshot,
    .describe_stream = source_describe_stream,
    .count = source_count,
    .split = source_split,
    .prepare = source_prepare,
    .reader_open = source_reader_open,
    .reader_close = source_reader_close,
    .cursor_open = source_cursor_open,
    .cursor_next = source_cursor_next,
    .cursor_close = source_cursor_close,
    .caveats = source_caveats,
};
