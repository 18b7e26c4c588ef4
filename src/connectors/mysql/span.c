/* Spans: ranges of a key, as bytes and as SQL. */
#include "connectors/mysql/source.h"
#include <string.h>

enum { SPAN_VERSION = 1, HAS_LOW = 1, HAS_HIGH = 2, HEADER_BYTES = 4 };

static void append_values(struct buffer *out, const struct text *values, uint32_t parts)
{
    for (uint32_t i = 0; i < parts; i++) {
        uint32_t length = (uint32_t)values[i].length;
        const uint8_t bytes[4] = {(uint8_t)length, (uint8_t)(length >> 8), (uint8_t)(length >> 16),
                                  (uint8_t)(length >> 24)};
        buffer_append(out, bytes, sizeof bytes);
        buffer_append(out, values[i].data, values[i].length);
    }
}

void maria_span_encode(const struct maria_bounds *bounds, struct buffer *out)
{
    buffer_append_byte(out, SPAN_VERSION);
    buffer_append_byte(out, 'k');
    buffer_append_byte(out,
                       (char)((bounds->has_low ? HAS_LOW : 0) | (bounds->has_high ? HAS_HIGH : 0)));
    buffer_append_byte(out, (char)bounds->parts);
    append_values(out, bounds->low, bounds->has_low ? bounds->parts : 0);
    append_values(out, bounds->high, bounds->has_high ? bounds->parts : 0);
}

/* ---------------------------------------------------------------- reading them back */

struct bytes {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
};

static void take_values(struct bytes *bytes, struct text *values, uint32_t parts)
{
    for (uint32_t i = 0; i < parts && !bytes->bad; i++) {
        if (bytes->end - bytes->at < 4) {
            bytes->bad = true;
            return;
        }
        const uint8_t *at = bytes->at;
        uint32_t length =
            at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        bytes->at += 4;
        if (length > (size_t)(bytes->end - bytes->at)) {
            bytes->bad = true;
            return;
        }
        values[i] = (struct text){(const char *)bytes->at, length};
        bytes->at += length;
    }
}

enum status maria_span_decode(const struct span *span, struct maria_bounds *bounds,
                              struct error *error)
{
    *bounds = (struct maria_bounds){0};
    if (span == NULL || span->bounds_length == 0) {
        return STATUS_OK;
    }
    struct bytes bytes = {span->bounds, span->bounds + span->bounds_length, false};
    bytes.bad = span->bounds_length < HEADER_BYTES || bytes.at[0] != SPAN_VERSION ||
                bytes.at[1] != 'k' || bytes.at[3] > MARIA_KEY_PARTS_MAX;
    if (!bytes.bad) {
        bounds->has_low = (bytes.at[2] & HAS_LOW) != 0;
        bounds->has_high = (bytes.at[2] & HAS_HIGH) != 0;
        bounds->parts = bytes.at[3];
        bytes.at += HEADER_BYTES;
        take_values(&bytes, bounds->low, bounds->has_low ? bounds->parts : 0);
        take_values(&bytes, bounds->high, bounds->has_high ? bounds->parts : 0);
    }
    if (bytes.bad || bytes.at != bytes.end) {
        return error_set(error, ERROR_LEDGER_INVALID, span->printable,
                         "the span's bounds are not as they were written");
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- as SQL */

static bool is_ordered_by_number(const struct maria_column *column)
{
    return column->type.format == MARIA_AS_LABEL || column->type.format == MARIA_AS_BIT;
}

void maria_append_key(struct buffer *sql, const struct maria_column *column, const char *alias)
{
    if (alias != NULL) {
        buffer_format(sql, "%s.", alias);
    }
    maria_append_name(sql, column->name);
    /* labels are ordered by their numbers; a float's own text would be rounded */
    buffer_append_string(sql, is_ordered_by_number(column)            ? "+0"
                              : column->type.format == MARIA_AS_FLOAT ? "*1e0"
                                                                      : "");
}

static bool is_number_text(const struct text *value)
{
    for (size_t i = 0; i < value->length; i++) {
        if (strchr("0123456789+-.e", value->data[i]) == NULL || value->data[i] == '\0') {
            return false;
        }
    }
    return value->length > 0;
}

/* Numbers as numbers: quoted, a decimal would be compared as a double. */
static void append_literal(struct buffer *sql, const struct maria_column *column,
                           const struct text *value)
{
    bool number = value_kind_is_number(column->type.type.kind) || is_ordered_by_number(column);
    if (number && is_number_text(value)) {
        buffer_append(sql, value->data, value->length);
        bool plain = memchr(value->data, 'e', value->length) == NULL;
        bool binary =
            column->type.format == MARIA_AS_FLOAT || column->type.format == MARIA_AS_DOUBLE;
        buffer_append_string(sql, plain && binary ? "e0" : "");
    } else if (column->type.format == MARIA_AS_BYTES || column->type.format == MARIA_AS_GEOMETRY) {
        maria_append_bytes(sql, value->data, value->length);
    } else {
        maria_append_text(sql, value->data, value->length);
    }
}

static void append_part(struct buffer *sql, const struct maria_column *column, const char *alias,
                        const char *operation, const struct text *value)
{
    bool by_number = is_ordered_by_number(column);
    if (by_number) {
        maria_append_key(sql, column, alias);
    } else {
        if (alias != NULL) {
            buffer_format(sql, "%s.", alias);
        }
        maria_append_name(sql, column->name);
    }
    buffer_append_string(sql, operation);
    append_literal(sql, column, value);
}

/* a > x OR (a = x AND (b > y OR (b = y AND c > z))), and a >= x, which an index understands. */
void maria_append_bound(struct buffer *sql, const struct maria_table *table, const char *alias,
                        const struct text *values, bool at_most)
{
    uint32_t parts = table->key.count;
    const struct maria_column *columns[MARIA_KEY_PARTS_MAX];
    for (uint32_t i = 0; i < parts; i++) {
        columns[i] = &table->columns[maria_find_column(table, table->key.names[i])];
    }
    if (parts > 1) {
        append_part(sql, columns[0], alias, at_most ? " <= " : " >= ", &values[0]);
        buffer_append_string(sql, " AND (");
    }
    for (uint32_t i = 0; i < parts; i++) {
        bool last = i + 1 == parts;
        append_part(sql, columns[i], alias, !at_most ? " > " : last ? " <= " : " < ", &values[i]);
        if (!last) {
            buffer_append_string(sql, " OR (");
            append_part(sql, columns[i], alias, " = ", &values[i]);
            buffer_append_string(sql, " AND (");
        }
    }
    for (uint32_t i = 1; i < parts; i++) {
        buffer_append_string(sql, "))");
    }
    buffer_append_string(sql, parts > 1 ? ")" : "");
}

enum status maria_span_append(struct buffer *sql, const struct span *span,
                              const struct maria_table *table, struct error *error)
{
    struct maria_bounds bounds;
    if (maria_span_decode(span, &bounds, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!bounds.has_low && !bounds.has_high) {
        return STATUS_OK;
    }
    if (table == NULL || bounds.parts != table->key.count) {
        error_set(error, ERROR_LEDGER_INVALID, table != NULL ? table->schema->name : NULL,
                  "the span %s is of a table with another key", span->printable);
        error_hint(error, "the table was changed since the run began; start a new run");
        return STATUS_FAILED;
    }
    buffer_append_string(sql, " WHERE ");
    if (bounds.has_low) {
        maria_append_bound(sql, table, "_t0", bounds.low, false);
    }
    buffer_append_string(sql, bounds.has_low && bounds.has_high ? " AND " : "");
    if (bounds.has_high) {
        maria_append_bound(sql, table, "_t0", bounds.high, true);
    }
    return STATUS_OK;
}
