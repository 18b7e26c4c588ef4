/* Spans as SQL: ranges of a key or of blocks. */
#include "connectors/postgres/source.h"

static void append_tuple(struct buffer *sql, const struct postgres_table *table, uint32_t parts,
                         const char *operation, const struct text *values)
{
    buffer_append_byte(sql, '(');
    for (uint32_t i = 0; i < parts; i++) {
        int32_t column = postgres_find_column(table, table->key.names[i]);
        buffer_append_string(sql, i > 0 ? ", _t0." : "_t0.");
        postgres_append_name(sql, table->key.names[i]);
        buffer_append_string(sql, column >= 0 ? postgres_labels(&table->columns[column]) : "");
    }
    buffer_format(sql, ") %s (", operation);
    for (uint32_t i = 0; i < parts; i++) {
        int32_t column = postgres_find_column(table, table->key.names[i]);
        buffer_append_string(sql, i > 0 ? ", " : "");
        postgres_append_text(sql, values[i].data, values[i].length);
        if (column >= 0) {
            buffer_format(sql, "::%s%s", table->columns[column].type.type.native,
                          postgres_labels(&table->columns[column]));
        }
    }
    buffer_append_byte(sql, ')');
}

enum status postgres_span_append(struct buffer *sql, const struct span *span,
                                 const struct postgres_table *table, struct error *error)
{
    struct sql_bounds bounds;
    if (sql_span_decode(span, &bounds, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!bounds.has_low && !bounds.has_high) {
        return STATUS_OK;
    }
    if (table == NULL || (bounds.by_key ? bounds.parts != table->key.count : table->kind != 'r')) {
        return sql_span_of_another_key(span, table != NULL ? table->schema->name : NULL, error);
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
