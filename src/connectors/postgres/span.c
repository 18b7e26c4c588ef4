/* Spans: ranges of a key or of blocks, as bytes and as SQL. */
#include "connectors/postgres/source.h"
#include <string.h>

enum { SPAN_VERSION = 1, HAS_LOW = 1, HAS_HIGH = 2 };

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

void postgres_span_encode(const struct postgres_bounds *bounds, struct buffer *out)
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

enum status postgres_span_decode(const struct span *span, struct postgres_bounds *bounds,
                                 struct error *error)
{
    *bounds = (struct postgres_bounds){0};
    if (span == NULL || span->bounds_length == 0) {
        return STATUS_OK;
    }
    struct bytes bytes = {span->bounds, span->bounds + span->bounds_length, false};
    bytes.bad = span->bounds_length < 4 || bytes.at[0] != SPAN_VERSION ||
                (bytes.at[1] != 'k' && bytes.at[1] != 'c') || bytes.at[3] > POSTGRES_KEY_PARTS_MAX;
    if (!bytes.bad) {
        bounds->by_key = bytes.at[1] == 'k';
        bounds->has_low = (bytes.at[2] & HAS_LOW) != 0;
        bounds->has_high = (bytes.at[2] & HAS_HIGH) != 0;
        bounds->parts = bytes.at[3];
        bytes.at += 4;
        if (bounds->by_key) {
            take_values(&bytes, bounds->low, bounds->has_low ? bounds->parts : 0);
            take_values(&bytes, bounds->high, bounds->has_high ? bounds->parts : 0);
        } else {
            bounds->low_block = take_uint32(&bytes);
            bounds->high_block = take_uint32(&bytes);
        }
    }
    if (bytes.bad || bytes.at != bytes.end) {
        return error_set(error, ERROR_LEDGER_INVALID, span->printable,
                         "the span's bounds are not as they were written");
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- as SQL */

static void append_tuple(struct buffer *sql, const struct postgres_table *table, uint32_t parts,
                         const char *operation, const struct text *values)
{
    buffer_append_byte(sql, '(');
    for (uint32_t i = 0; i < parts; i++) {
        buffer_append_string(sql, i > 0 ? ", _t0." : "_t0.");
        postgres_append_name(sql, table->key.names[i]);
    }
    buffer_format(sql, ") %s (", operation);
    for (uint32_t i = 0; i < parts; i++) {
        int32_t column = postgres_find_column(table, table->key.names[i]);
        buffer_append_string(sql, i > 0 ? ", " : "");
        postgres_append_text(sql, values[i].data, values[i].length);
        if (column >= 0) {
            buffer_format(sql, "::%s", table->columns[column].type.type.native);
        }
    }
    buffer_append_byte(sql, ')');
}

enum status postgres_span_append(struct buffer *sql, const struct span *span,
                                 const struct postgres_table *table, struct error *error)
{
    struct postgres_bounds bounds;
    if (postgres_span_decode(span, &bounds, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!bounds.has_low && !bounds.has_high) {
        return STATUS_OK;
    }
    if (table == NULL || (bounds.by_key ? bounds.parts != table->key.count : table->kind != 'r')) {
        error_set(error, ERROR_LEDGER_INVALID, table != NULL ? table->schema->name : NULL,
                  "the span %s is of a table with another key", span->printable);
        error_hint(error, "the table was changed since the run began; start a new run");
        return STATUS_FAILED;
    }
    buffer_append_string(sql, " WHERE ");
    if (bounds.has_low && bounds.by_key) {
        append_tuple(sql, table, bounds.parts, ">", bounds.low);
    } else if (bounds.has_low) {
        buffer_format(sql, "_t0.ctid >= '(%u,0)'::pg_catalog.tid", bounds.low_block);
    }
    if (bounds.has_high) {
        buffer_append_string(sql, bounds.has_low ? " AND " : "");
        if (bounds.by_key) {
            append_tuple(sql, table, bounds.parts, "<=", bounds.high);
        } else {
            buffer_format(sql, "_t0.ctid < '(%u,0)'::pg_catalog.tid", bounds.high_block);
        }
    }
    return STATUS_OK;
}
