/*
 * Values as digests take them: which kind of digest a column has, and its expression. A text that
 * is as long as some setting says (a date, a time) is one of this connection's settings; a type
 * that is not here has none that is known to tell any two values apart.
 */
#include "connectors/postgres/source.h"
#include <string.h>

enum { OID_BPCHAR = 1042 };

static struct digest_type type_of(const struct postgres_column *column)
{
    const struct value_type *type = &column->type.type;
    switch (column->type.format) {
    case POSTGRES_AS_INT2:
    case POSTGRES_AS_INT4:
    case POSTGRES_AS_INT8:
        return (struct digest_type){.form = DIGEST_NUMBER, .integer = true};
    case POSTGRES_AS_OID:
        return (struct digest_type){.form = DIGEST_NUMBER};
    case POSTGRES_AS_NUMERIC:
        return (struct digest_type){.form = DIGEST_NUMBER,
                                    .scale = type->precision > 0 ? type->scale : -1};
    case POSTGRES_AS_BOOL:
        return (struct digest_type){.form = DIGEST_TRUTH};
    case POSTGRES_AS_TEXT:
        return (struct digest_type){.form = column->type_oid == OID_BPCHAR ? DIGEST_PADDED
                                                                           : DIGEST_TEXT};
    case POSTGRES_AS_BYTEA:
        return (struct digest_type){.form = DIGEST_BYTES};
    case POSTGRES_AS_DATE:
        return (struct digest_type){.form = DIGEST_DATE};
    case POSTGRES_AS_TIME:
        return (struct digest_type){.form = DIGEST_TIME};
    case POSTGRES_AS_TIMESTAMP:
        return (struct digest_type){.form = DIGEST_MOMENT};
    case POSTGRES_AS_TIMESTAMPTZ:
        return (struct digest_type){.form = DIGEST_INSTANT};
    case POSTGRES_AS_UUID:
        return (struct digest_type){.form = DIGEST_UUID};
    default:
        return (struct digest_type){.form = DIGEST_NONE};
    }
}

struct digest_type postgres_digest_type(const struct sql_database *database,
                                        const struct sql_table *table, uint32_t column)
{
    const struct postgres_database *self = (const struct postgres_database *)database;
    const char *encoding =
        self->control != NULL ? PQparameterStatus(self->control, "server_encoding") : NULL;
    /* md5() is over the bytes of the database's own encoding */
    return encoding != NULL && strcmp(encoding, "UTF8") == 0
               ? type_of(&postgres_facts_of(table)->columns[column])
               : (struct digest_type){.form = DIGEST_NONE};
}

/* A cast would take the blanks off that a character(n) is padded with. */
static void append_text(struct buffer *sql, const char *text, bool key)
{
    buffer_format(sql,
                  "CASE WHEN %s IS NOT NULL THEN pg_catalog.octet_length(%s) || ':' || CASE WHEN "
                  "pg_catalog.octet_length(%s) > %d THEN pg_catalog.md5(%s) ELSE %s END%s END",
                  text, text, text, DIGEST_TEXT_BYTES_MAX, text, text, key ? "" : " ELSE 'N'");
}

void postgres_digest_append_part(struct buffer *sql, const struct postgres_column *column,
                                 const char *selected, bool key)
{
    struct buffer text = {0};
    enum digest_form form = type_of(column).form;
    bool padded = form == DIGEST_PADDED;
    if (padded) {
        buffer_format(&text, "CASE WHEN %s IS NOT NULL THEN pg_catalog.format('%%s', %s) END",
                      selected, selected);
    } else if (form == DIGEST_TEXT) {
        const struct postgres_words words = postgres_cast_to_text(column);
        buffer_format(&text, "%s%s%s", words.before, selected, words.behind);
    }
    if (form == DIGEST_TEXT || padded) {
        append_text(sql, buffer_string(&text), key);
        buffer_free(&text);
        return;
    }
    buffer_append_string(sql, key ? "" : "COALESCE(");
    buffer_format(sql,
                  form == DIGEST_BYTES     ? "pg_catalog.md5(%s)"
                  : form == DIGEST_TRUTH   ? "%s::integer::pg_catalog.text"
                  : form == DIGEST_UUID    ? "'36:' || %s::pg_catalog.text"
                  : form == DIGEST_INSTANT ? "(%s AT TIME ZONE 'UTC')::pg_catalog.text"
                                           : "%s::pg_catalog.text",
                  selected);
    buffer_append_string(sql, key ? "" : ", 'N')");
}
