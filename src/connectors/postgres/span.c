/* Spans as SQL: ranges of a key or of blocks. */
#include "connectors/postgres/source.h"
#include <string.h>

enum { NAME_OID = 19 };

const char *postgres_span_type(const struct postgres_table *table, int32_t column)
{
    const struct postgres_column *facts = &table->columns[column];
    const char *base = table->schema->columns[column].base;
    bool name = facts->type_oid == NAME_OID && facts->collation != NULL;
    return name ? "pg_catalog.text" : base != NULL ? base : facts->type.type.native;
}

void postgres_compared(const struct postgres_table *table, const char *name,
                       struct sql_compared *compared)
{
    enum { OID_NOT_BUILT_IN = 16384 };
    int32_t position = postgres_find_column(table, name);
    const struct postgres_column *column = position >= 0 ? &table->columns[position] : NULL;
    /* a place of rows has exact operators in pg_catalog; of a query's types it is not known where
     * an extension has theirs */
    if (column == NULL || (table->schema->kind == SCHEMA_QUERY &&
                           column->type_oid >= OID_NOT_BUILT_IN && column->labels == NULL)) {
        return;
    }
    const char *type =
        column->unlimited != NULL ? column->unlimited : postgres_span_type(table, position);
    compared->space = column->order_schema != NULL ? column->order_schema : "pg_catalog";
    compared->behind = postgres_labels(column);
    /* no list of arrays is a list: it is an array of more dimensions */
    compared->list = strchr(type, '[') == NULL ? type : NULL;
}

static void append_value(struct buffer *sql, const struct postgres_table *table, int32_t column,
                         const struct text *value)
{
    postgres_append(sql, "%Q::%s%s", value->data, value->length, postgres_span_type(table, column),
                    postgres_labels(&table->columns[column]));
}

static void append_column(struct buffer *sql, const struct postgres_column *column)
{
    postgres_append(sql, "_t0.%n%s", column->name, postgres_labels(column));
}

static void append_tuple(struct buffer *sql, const struct postgres_table *table,
                         const int32_t *columns, const char *operation, const struct text *values)
{
    buffer_append_byte(sql, '(');
    for (uint32_t i = 0; i < table->key.count; i++) {
        buffer_append_string(sql, i > 0 ? ", " : "");
        append_column(sql, &table->columns[columns[i]]);
    }
    buffer_format(sql, ") OPERATOR(pg_catalog.%s) (", operation);
    for (uint32_t i = 0; i < table->key.count; i++) {
        buffer_append_string(sql, i > 0 ? ", " : "");
        append_value(sql, table, columns[i], &values[i]);
    }
    buffer_append_byte(sql, ')');
}

static void append_part(struct buffer *sql, const struct postgres_table *table, int32_t column,
                        const char *operation, const struct text *value)
{
    append_column(sql, &table->columns[column]);
    postgres_append_operator(sql, &table->columns[column], operation);
    append_value(sql, table, column, value);
}

/* a >= x AND (a > x OR (a = x AND (b > y))): each with the operator of its own schema. */
static void append_parts(struct buffer *sql, const struct postgres_table *table,
                         const int32_t *columns, bool at_most, const struct text *values)
{
    uint32_t last = table->key.count - 1;
    append_part(sql, table, columns[0], at_most ? "<=" : ">=", &values[0]);
    for (uint32_t i = 0; i <= last; i++) {
        buffer_append_string(sql, " AND (");
        append_part(sql, table, columns[i], !at_most ? ">" : i == last ? "<=" : "<", &values[i]);
        if (i < last) {
            buffer_append_string(sql, " OR (");
            append_part(sql, table, columns[i], "=", &values[i]);
        }
    }
    for (uint32_t i = 0; i <= last; i++) {
        buffer_append_string(sql, i < last ? "))" : ")");
    }
}

/* Where the key's columns are in the table. */
struct key_columns {
    int32_t at[SQL_KEY_PARTS_MAX];
    bool named; /* an operator of one of them is in a schema of its own */
};

/* False: one of them is not in the table. */
static bool find_key(const struct postgres_table *table, struct key_columns *key)
{
    for (uint32_t i = 0; i < table->key.count; i++) {
        key->at[i] = postgres_find_column(table, table->key.names[i]);
        if (key->at[i] < 0) {
            return false;
        }
        key->named |= table->columns[key->at[i]].order_schema != NULL;
    }
    return true;
}

static void append_bound(struct buffer *sql, const struct postgres_table *table,
                         const struct key_columns *key, bool at_most, const struct text *values)
{
    if (key->named) {
        append_parts(sql, table, key->at, at_most, values);
    } else {
        append_tuple(sql, table, key->at, at_most ? "<=" : ">", values);
    }
}

enum status postgres_span_append(struct buffer *sql, const struct span *span,
                                 const struct postgres_table *table, struct error *error)
{
    struct sql_bounds bounds;
    struct key_columns key = {0};
    if (sql_span_decode(span, &bounds, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!bounds.has_low && !bounds.has_high) {
        return STATUS_OK;
    }
    if (table == NULL || (bounds.by_key ? bounds.parts != table->key.count || !find_key(table, &key)
                                        : table->kind != 'r')) {
        return sql_span_of_another_key(span, table != NULL ? table->schema->name : NULL, error);
    }
    buffer_append_string(sql, " WHERE ");
    if (bounds.has_low && bounds.by_key) {
        append_bound(sql, table, &key, false, bounds.low);
    } else if (bounds.has_low) {
        buffer_format(sql, "_t0.ctid >= '(%u,0)'::pg_catalog.tid", bounds.low_block);
    }
    if (bounds.has_high) {
        buffer_append_string(sql, bounds.has_low ? " AND " : "");
        if (bounds.by_key) {
            append_bound(sql, table, &key, true, bounds.high);
        } else {
            buffer_format(sql, "_t0.ctid < '(%u,0)'::pg_catalog.tid", bounds.high_block);
        }
    }
    return STATUS_OK;
}
