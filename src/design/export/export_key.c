/* Parts of keys, as expressions and as texts. */
#include "design/export/export_key.h"

#include "plan/words/expression_names.h"

uint32_t export_key_pad(const struct value_type *type)
{
    if (type->kind == VALUE_UINT64) {
        return 20;
    }
    return type->kind != VALUE_INT64 ? 0 : type->bits > 0 && type->bits <= 32 ? 10 : 19;
}

bool export_key_needs_escapes(const struct graph_field *field)
{
    switch (field->type.kind) {
    case VALUE_BOOL:
    case VALUE_INT64:
    case VALUE_UINT64:
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
    case VALUE_DECIMAL:
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_INTERVAL:
    case VALUE_UUID:
        return false;
    default:
        return true;
    }
}

bool export_key_is_plain(const struct graph_field *field)
{
    const struct value_type *type = &field->type;
    bool whole = type->scale == 0 && type->precision > 0 && type->precision <= 18;
    return type->kind != VALUE_FLOAT32 && type->kind != VALUE_FLOAT64 &&
           type->kind != VALUE_BYTES && (type->kind != VALUE_DECIMAL || whole);
}

void export_key_append_sql(const char *name, const struct graph_field *field, uint32_t pad,
                           bool escaped, struct buffer *sql)
{
    struct buffer quoted = {0};
    expression_append_quoted(&quoted, name);
    const char *column = buffer_string(&quoted);
    if (pad > 0) { /* null stays null, which printf makes 0 of */
        buffer_format(sql, "iif(%s < 0, '-', '') || substr('%0*d' || ltrim(%s, '-'), -%u)", column,
                      (int)pad, 0, column, pad);
    } else if (escaped) {
        buffer_format(sql, "replace(replace(%s, '%%', '%%25'), '#', '%%23')", column);
    } else if (field->type.kind == VALUE_BOOL) {
        buffer_format(sql, "CASE %s WHEN 0 THEN 'false' WHEN 1 THEN 'true' END", column);
    } else if (field->type.kind == VALUE_TIMESTAMP && field->column->type.kind == VALUE_TEXT) {
        /* with a blank where ISO 8601 has a T */
        buffer_format(sql, "replace(%s, ' ', 'T')", column);
    } else {
        buffer_append_string(sql, column);
    }
    buffer_free(&quoted);
}

void export_key_append_text(const char *text, size_t length, uint32_t pad, bool escaped,
                            struct buffer *out)
{
    bool negative = pad > 0 && length > 0 && text[0] == '-';
    if (negative) {
        buffer_append_byte(out, '-');
    }
    if (length - negative < pad) {
        buffer_format(out, "%0*d", (int)(pad - (length - negative)), 0);
    }
    for (size_t i = negative; i < length; i++) {
        if (escaped && (text[i] == '#' || text[i] == '%')) {
            buffer_append_string(out, text[i] == '#' ? "%23" : "%25");
        } else {
            buffer_append_byte(out, text[i]);
        }
    }
}
