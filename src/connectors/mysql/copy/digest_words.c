/*
 * Values as digests take them: which kind of digest a column has, and its expression. A type that
 * is not here has no text that is known to tell any two values apart; a server without MD5 makes no
 * sums at all. What the server's limits make NULL of is doubtful, as are dates that there are not.
 */
#include "connectors/mysql/source.h"

struct digest_type mysql_digest_type(const struct sql_database *self, const struct sql_table *table,
                                     uint32_t number)
{
    const struct mysql_column *column = &mysql_facts_of(table)->columns[number];
    if (!mysql_has_md5((const struct mysql_database *)self)) {
        return (struct digest_type){.form = DIGEST_NONE};
    }
    switch (column->type.format) {
    case MYSQL_AS_INT:
    case MYSQL_AS_UINT:
        return (struct digest_type){.form = DIGEST_NUMBER, .integer = true};
    case MYSQL_AS_BIT:
    case MYSQL_AS_YEAR:
        return (struct digest_type){.form = DIGEST_NUMBER};
    case MYSQL_AS_DECIMAL:
        return (struct digest_type){.form = DIGEST_NUMBER, .scale = column->type.type.scale};
    case MYSQL_AS_TEXT:
        return (struct digest_type){.form = DIGEST_TEXT};
    case MYSQL_AS_LABEL:
        return (struct digest_type){
            .form = mysql_has_labels(column->type.type.native) ? DIGEST_TEXT : DIGEST_NONE};
    case MYSQL_AS_BYTES:
        return (struct digest_type){.form = DIGEST_BYTES};
    case MYSQL_AS_DATE:
        return (struct digest_type){.form = DIGEST_DATE};
    case MYSQL_AS_TIME:
        return (struct digest_type){.form = DIGEST_TIME};
    case MYSQL_AS_DATETIME:
        return (struct digest_type){.form = DIGEST_MOMENT};
    case MYSQL_AS_TIMESTAMP:
        return (struct digest_type){.form = DIGEST_INSTANT};
    case MYSQL_AS_UUID:
        return (struct digest_type){.form = DIGEST_UUID};
    default:
        return (struct digest_type){.form = DIGEST_NONE};
    }
}

/* As bytes: columns of several collations don't go together. */
static void append_text(struct buffer *sql, const char *column, bool label, bool key)
{
    const char *begin = label ? "CAST(" : "CONVERT(";
    const char *end = label ? " AS CHAR)" : " USING utf8mb4)";
    buffer_format(sql,
                  "CASE WHEN %s IS NOT NULL THEN CONCAT(LENGTH(%s%s%s), ':', CASE WHEN "
                  "LENGTH(%s%s%s) > %d THEN MD5(%s%s%s) ELSE CAST(%s%s%s AS BINARY) END)%s END",
                  column, begin, column, end, begin, column, end, DIGEST_TEXT_BYTES_MAX, begin,
                  column, end, begin, column, end, key ? "" : " ELSE 'N'");
}

/* One that no calendar has is read as what no column can hold. */
static void append_date(struct buffer *sql, const char *column, const char *text, const char *zero,
                        bool key)
{
    buffer_format(sql, "CASE WHEN FROM_DAYS(TO_DAYS(%s)) = DATE(%s) THEN %s WHEN %s = '%s' THEN %s",
                  column, column, text, text, zero, text);
    if (!key) {
        buffer_format(sql, " WHEN %s IS NULL THEN 'N'", column);
    }
    buffer_append_string(sql, " END");
}

static void append_plain(struct buffer *sql, const char *text, bool key)
{
    buffer_format(sql, key ? "%s" : "IFNULL(%s, 'N')", text);
}

/* The server gives all digits of a column with a fraction. */
static void append_moment(struct buffer *text, const struct mysql_column *column,
                          const char *selected)
{
    buffer_format(text,
                  column->type.digits > 0
                      ? "TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(%s AS CHAR)))"
                      : "CAST(%s AS CHAR)",
                  selected);
}

void mysql_digest_append_part(struct buffer *sql, const struct mysql_column *column,
                              const char *selected, bool key)
{
    struct buffer text = {0};
    switch (column->type.format) {
    case MYSQL_AS_TEXT:
    case MYSQL_AS_LABEL:
        append_text(sql, selected, column->type.format == MYSQL_AS_LABEL, key);
        break;
    case MYSQL_AS_BYTES:
        buffer_format(&text, "MD5(%s)", selected);
        append_plain(sql, buffer_string(&text), key);
        break;
    case MYSQL_AS_DATE:
        buffer_format(&text, "CAST(%s AS CHAR)", selected);
        append_date(sql, selected, buffer_string(&text), "0000-00-00", key);
        break;
    case MYSQL_AS_DATETIME:
    case MYSQL_AS_TIMESTAMP:
        append_moment(&text, column, selected);
        append_date(sql, selected, buffer_string(&text), "0000-00-00 00:00:00", key);
        break;
    case MYSQL_AS_TIME:
        append_moment(&text, column, selected);
        append_plain(sql, buffer_string(&text), key);
        break;
    case MYSQL_AS_UUID: /* as a text of its length */
        buffer_format(&text, "CONCAT('36:', CAST(%s AS CHAR))", selected);
        append_plain(sql, buffer_string(&text), key);
        break;
    case MYSQL_AS_DECIMAL:
        buffer_format(&text, "CAST(%s AS CHAR)", selected);
        append_plain(sql, buffer_string(&text), key);
        break;
    default: /* without the zeros of ZEROFILL and of years; bits as their number */
        buffer_format(&text, "CAST(%s + 0 AS CHAR)", selected);
        append_plain(sql, buffer_string(&text), key);
    }
    buffer_free(&text);
}
