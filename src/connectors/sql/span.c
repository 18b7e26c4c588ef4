/* Spans: bounds as bytes and as words, and lists of spans. */
#include "connectors/sql/span.h"
#include "connectors/sql/request.h"
#include "connectors/sql/stream.h"
#include <string.h>

enum { SPAN_VERSION = 1, HAS_LOW = 1, HAS_HIGH = 2, HEADER_BYTES = 4 };

const char *const sql_number_spans = "whole numbers of SQL";

static void append_uint32(struct buffer *out, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                              (uint8_t)(value >> 24)};
    buffer_append(out, bytes, sizeof bytes);
}

static void append_values(struct buffer *out, const struct text *values, uint32_t parts)
{
    for (uint32_t i = 0; i < parts; i++) {
        append_uint32(out, (uint32_t)values[i].length);
        buffer_append(out, values[i].data, values[i].length);
    }
}

void sql_span_encode(const struct sql_bounds *bounds, struct buffer *out)
{
    buffer_append_byte(out, SPAN_VERSION);
    buffer_append_byte(out, bounds->by_key ? 'k' : 'c');
    buffer_append_byte(out,
                       (char)((bounds->has_low ? HAS_LOW : 0) | (bounds->has_high ? HAS_HIGH : 0)));
    buffer_append_byte(out, (char)bounds->parts);
    if (!bounds->by_key) {
        append_uint32(out, bounds->low_block);
        append_uint32(out, bounds->high_block);
        return;
    }
    append_values(out, bounds->low, bounds->has_low ? bounds->parts : 0);
    append_values(out, bounds->high, bounds->has_high ? bounds->parts : 0);
}

/* ---------------------------------------------------------------- reading them back */

struct bytes {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
};

static uint32_t take_uint32(struct bytes *bytes)
{
    if (bytes->end - bytes->at < 4) {
        bytes->bad = true;
        return 0;
    }
    const uint8_t *at = bytes->at;
    bytes->at += 4;
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void take_values(struct bytes *bytes, struct text *values, uint32_t parts)
{
    for (uint32_t i = 0; i < parts && !bytes->bad; i++) {
        uint32_t length = take_uint32(bytes);
        if (length > (size_t)(bytes->end - bytes->at)) {
            bytes->bad = true;
            return;
        }
        values[i] = (struct text){(const char *)bytes->at, length};
        bytes->at += length;
    }
}

enum status sql_span_malformed(const struct span *span, struct error *error)
{
    return error_set(error, ERROR_LEDGER_INVALID, span->printable,
                     "the span's bounds are not as they were written");
}

enum status sql_span_of_another_key(const struct span *span, const char *table, struct error *error)
{
    error_set(error, ERROR_LEDGER_INVALID, table, "the span %s is of a table with another key",
              span->printable);
    error_hint(error, "the table was changed since the run began; start a new run");
    return STATUS_FAILED;
}

enum status sql_span_decode(const struct span *span, struct sql_bounds *bounds, struct error *error)
{
    *bounds = (struct sql_bounds){0};
    if (span == NULL || span->bounds_length == 0) {
        return STATUS_OK;
    }
    struct bytes bytes = {span->bounds, span->bounds + span->bounds_length, false};
    bytes.bad = span->bounds_length < HEADER_BYTES || bytes.at[0] != SPAN_VERSION ||
                (bytes.at[1] != 'k' && bytes.at[1] != 'c') || bytes.at[3] > SQL_KEY_PARTS_MAX;
    if (!bytes.bad) {
        bounds->by_key = bytes.at[1] == 'k';
        bounds->has_low = (bytes.at[2] & HAS_LOW) != 0;
        bounds->has_high = (bytes.at[2] & HAS_HIGH) != 0;
        bounds->parts = bytes.at[3];
        bytes.at += HEADER_BYTES;
        if (bounds->by_key) {
            take_values(&bytes, bounds->low, bounds->has_low ? bounds->parts : 0);
            take_values(&bytes, bounds->high, bounds->has_high ? bounds->parts : 0);
        } else {
            bounds->low_block = take_uint32(&bytes);
            bounds->high_block = take_uint32(&bytes);
        }
    }
    return bytes.bad || bytes.at != bytes.end ? sql_span_malformed(span, error) : STATUS_OK;
}

/* ---------------------------------------------------------------- as words */

static void print_values(struct buffer *out, const struct text *values, uint32_t parts)
{
    char shown[128];
    for (uint32_t i = 0; i < parts; i++) {
        text_printable(values[i].data, values[i].length, shown, sizeof shown);
        buffer_format(out, "%s%s", i > 0 ? ", " : "", shown);
    }
}

static void print_bounds(const struct sql_bounds *bounds, struct buffer *out)
{
    if (!bounds->has_low && !bounds->has_high) {
        buffer_append_string(out, "all");
        return;
    }
    buffer_append_string(out, bounds->by_key ? "key " : "blocks ");
    if (bounds->has_low && bounds->by_key) {
        print_values(out, bounds->low, bounds->parts);
    } else if (bounds->has_low) {
        buffer_append_uint64(out, bounds->low_block);
    }
    buffer_append_string(out, bounds->has_low ? ".." : "up to ");
    if (bounds->has_high && bounds->by_key) {
        print_values(out, bounds->high, bounds->parts);
    } else if (bounds->has_high) {
        buffer_append_uint64(out, bounds->high_block);
    }
}

/* ---------------------------------------------------------------- lists */

enum status sql_span_add(struct sql_spans *spans, const struct sql_bounds *bounds,
                         int64_t row_estimate)
{
    struct buffer bytes = {0};
    struct buffer words = {0};
    struct buffer last = {0};
    struct span span = {.row_estimate = row_estimate};

    sql_span_encode(bounds, &bytes);
    print_bounds(bounds, &words);
    if (bounds->by_key && bounds->has_high) {
        print_values(&last, bounds->high, bounds->parts);
        span.last_id = arena_copy_string(spans->arena, buffer_string(&last));
    }
    span.bounds = (const uint8_t *)arena_copy(spans->arena, bytes.data, bytes.length);
    span.bounds_length = (uint32_t)bytes.length;
    span.printable = arena_copy_string(spans->arena, buffer_string(&words));
    buffer_free(&bytes);
    buffer_free(&words);
    buffer_free(&last);
    buffer_append(&spans->list, &span, sizeof span);
    return STATUS_OK;
}

enum status sql_spans_end(struct sql_spans *spans, enum status status, struct span **made,
                          uint32_t *count)
{
    struct span *copy = NULL;
    if (status == STATUS_OK) {
        copy =
            (struct span *)(void *)arena_copy(spans->arena, spans->list.data, spans->list.length);
    }
    *made = copy;
    *count = copy != NULL ? (uint32_t)(spans->list.length / sizeof(struct span)) : 0;
    buffer_free(&spans->list);
    return status;
}

/* ---------------------------------------------------------------- cutting a table */

enum status sql_split_begin(struct sql_splitter *splitter, struct database *database,
                            const struct read_request *request, uint64_t rows_wanted,
                            struct arena *arena, struct error *error)
{
    struct sql_database *self = sql_database_of(database);
    int64_t wanted = rows_wanted > INT64_MAX / 4 ? INT64_MAX / 4 : (int64_t)rows_wanted;
    *splitter = (struct sql_splitter){
        .self = self,
        .request = request,
        .spans = {.arena = arena, .shown = self->shown, .error = error},
        .rows = -1,
        .wanted = wanted < 1 ? 1 : wanted,
        .rows_each = -1,
    };
    return sql_request_root(self, request, &splitter->root, error);
}

enum status sql_split_count(struct sql_splitter *splitter)
{
    enum status status =
        sql_row_count_of(splitter->self, &splitter->root, &splitter->rows, splitter->spans.error);
    if (splitter->rows / splitter->wanted > SQL_SPANS_MAX) {
        splitter->wanted = splitter->rows / SQL_SPANS_MAX;
    }
    splitter->rows_each = splitter->rows;
    return status;
}

enum status sql_split_add(struct sql_splitter *splitter)
{
    return sql_span_add(&splitter->spans, &splitter->bounds, splitter->rows_each);
}

enum status sql_split_at(struct sql_splitter *splitter, const struct text *values)
{
    struct sql_bounds *bounds = &splitter->bounds;
    memcpy(bounds->high, values, bounds->parts * sizeof *values);
    bounds->has_high = true;
    enum status status = sql_split_add(splitter);
    memcpy(bounds->low, bounds->high, sizeof bounds->low);
    bounds->has_low = true;
    bounds->has_high = false;
    return status;
}

enum status sql_split_evenly(struct sql_splitter *splitter, int64_t low, int64_t high)
{
    uint64_t wide = (uint64_t)high - (uint64_t)low;
    uint64_t each = (uint64_t)splitter->wanted;
    if (low == INT64_MIN || wide / 3 * 2 > (uint64_t)splitter->rows) {
        return STATUS_END;
    }
    enum status status = STATUS_OK;
    for (uint64_t step = each; status == STATUS_OK && step < wide; step += each) {
        char digits[24];
        size_t length = text_from_int64((int64_t)((uint64_t)low + step - 1), digits);
        const struct text value = {arena_copy(splitter->spans.arena, digits, length), length};
        status = sql_split_at(splitter, &value);
    }
    return status;
}
