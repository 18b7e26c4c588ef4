/* Spans as SQL: ranges of a key. */
#include "connectors/mysql/source.h"
#include <string.h>

static bool is_ordered_by_number(const struct mysql_column *column)
{
    return column->type.format == MYSQL_AS_BIT || mysql_has_labels(column->type.type.native);
}

void mysql_append_key(struct buffer *sql, const struct mysql_column *column, const char *alias)
{
    if (alias != NULL) {
        buffer_format(sql, "%s.", alias);
    }
    mysql_append_name(sql, column->name);
    /* labels are ordered by their numbers; a float's own text would be rounded */
    buffer_append_string(sql, is_ordered_by_number(column)            ? "+0"
                              : column->type.format == MYSQL_AS_FLOAT ? "*1e0"
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
static void append_literal(struct buffer *sql, const struct mysql_column *column,
                           const struct text *value)
{
    bool number = value_kind_is_number(column->type.type.kind) || is_ordered_by_number(column);
    if (number && is_number_text(value)) {
        buffer_append(sql, value->data, value->length);
        bool plain = memchr(value->data, 'e', value->length) == NULL;
        bool binary =
            column->type.format == MYSQL_AS_FLOAT || column->type.format == MYSQL_AS_DOUBLE;
        buffer_append_string(sql, plain && binary ? "e0" : "");
    } else if (column->type.format == MYSQL_AS_BYTES || column->type.format == MYSQL_AS_GEOMETRY) {
        mysql_append_bytes(sql, value->data, value->length);
    } else {
        mysql_append_text(sql, value->data, value->length);
    }
}

static void append_part(struct buffer *sql, const struct mysql_column *column, const char *alias,
                        const char *operation, const struct text *value)
{
    bool by_number = is_ordered_by_number(column);
    if (by_number) {
        mysql_append_key(sql, column, alias);
    } else {
        if (alias != NULL) {
            buffer_format(sql, "%s.", alias);
        }
        mysql_append_name(sql, column->name);
    }
    buffer_append_string(sql, operation);
    append_literal(sql, column, value);
}

/* a > x OR (a = x AND (b > y OR (b = y AND c > z))), and a >= x, which an index understands. */
void mysql_append_bound(struct buffer *sql, const struct mysql_table *table, const char *alias,
                        const struct text *values, bool at_most)
{
    uint32_t parts = table->key.count;
    const struct mysql_column *columns[SQL_KEY_PARTS_MAX];
    for (uint32_t i = 0; i < parts; i++) {
        columns[i] = &table->columns[mysql_find_column(table, table->key.names[i])];
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

void mysql_append_record(struct buffer *sql, const struct mysql_table *table, const char *alias,
                         const struct text *values)
{
    for (uint32_t i = 0; i < table->key.count; i++) {
        int32_t at = mysql_find_column(table, table->key.names[i]);
        buffer_append_string(sql, i > 0 ? " AND " : "");
        append_part(sql, &table->columns[at], alias, " = ", &values[i]);
    }
}

enum status mysql_span_append(struct buffer *sql, const struct span *span,
                              const struct mysql_table *table, struct error *error)
{
    struct sql_bounds bounds;
    if (sql_span_decode(span, &bounds, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (span != NULL && span->bounds_length > 0 && !bounds.by_key) {
        return sql_span_malformed(span, error);
    }
    if (!bounds.has_low && !bounds.has_high) {
        return STATUS_OK;
    }
    if (table == NULL || bounds.parts != table->key.count) {
        return sql_span_of_another_key(span, table != NULL ? table->schema->name : NULL, error);
    }
    buffer_append_string(sql, " WHERE ");
    if (bounds.has_low) {
        mysql_append_bound(sql, table, "_t0", bounds.low, false);
    }
    buffer_append_string(sql, bounds.has_low && bounds.has_high ? " AND " : "");
    if (bounds.has_high) {
        mysql_append_bound(sql, table, "_t0", bounds.high, true);
    }
    return STATUS_OK;
}
