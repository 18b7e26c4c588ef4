/*
 * How a column's value gets from one form of a table to the other, in triggers and in copies alike.
 *
 * Between timestamp and the types without a time zone a server converts by the session's zone,
 * which is the writer's own in a trigger: the zone that the change was compiled in is spelled out.
 */
#include "connectors/mysql/change/change.h"
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- kinds of types */

static bool is_one_of(const char *type, const char *list)
{
    size_t length = strlen(type);
    for (const char *at = strstr(list, type); at != NULL; at = strstr(at + 1, type)) {
        bool begins = at == list || at[-1] == '|';
        if (begins && (at[length] == '|' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

static bool is_text(const struct mysql_change_column *column)
{
    return column->charset != NULL &&
           is_one_of(column->data_type, "char|varchar|tinytext|text|mediumtext|longtext");
}

static bool is_bytes(const struct mysql_change_column *column)
{
    return is_one_of(column->data_type, "binary|varbinary|tinyblob|blob|mediumblob|longblob");
}

static bool is_whole(const struct mysql_change_column *column)
{
    return is_one_of(column->data_type, "tinyint|smallint|mediumint|int|bigint");
}

static bool is_geometry(const struct mysql_change_column *column)
{
    return is_one_of(column->data_type,
                     "geometry|point|linestring|polygon|multipoint|multilinestring|multipolygon|"
                     "geometrycollection|geomcollection");
}

static bool has_zone(const struct mysql_change_column *column)
{
    return strcmp(column->data_type, "timestamp") == 0;
}

static bool is_same_type(const struct mysql_change_column *left,
                         const struct mysql_change_column *right)
{
    return strcmp(left->type, right->type) == 0 &&
           (left->charset == NULL) == (right->charset == NULL) &&
           (left->charset == NULL || strcmp(left->charset, right->charset) == 0);
}

/* ---------------------------------------------------------------- values */

void mysql_change_append_prefixed(struct buffer *sql, const struct mysql_change_table *table,
                                  const char *expression, const char *prefix)
{
    struct sql_lexer lexer;
    struct arena *arena = arena_create(0);
    bool qualified = false;
    const char *behind = expression;
    sql_lexer_init(&lexer, SQL_MYSQL, expression, strlen(expression), NULL);
    struct sql_token token = sql_lexer_next(&lexer);
    while (token.kind != SQL_TOKEN_END) {
        struct sql_token next = sql_lexer_next(&lexer);
        bool name = token.kind == SQL_TOKEN_WORD || token.kind == SQL_TOKEN_NAME;
        const struct mysql_change_column *column =
            name && !qualified && !sql_token_is_mark(&next, '(') && !sql_token_is_mark(&next, '.')
                ? mysql_change_column_of(table, sql_token_name(&token, SQL_MYSQL, arena))
                : NULL;
        buffer_append(sql, behind, (size_t)(token.text - behind));
        if (column != NULL) {
            mysql_append(sql, "%s%n", prefix, column->name);
        } else {
            buffer_append(sql, token.text, token.length);
        }
        behind = token.text + token.length;
        qualified = sql_token_is_mark(&token, '.');
        token = next;
    }
    buffer_append_string(sql, behind);
    arena_destroy(arena);
}

void mysql_change_append_value(struct buffer *sql, const struct mysql_change_table *table,
                               const struct mysql_change_pair *pair, const char *prefix, bool down,
                               const char *time_zone)
{
    const struct mysql_change_column *from = down ? pair->to : pair->from;
    const struct mysql_change_column *to = down ? pair->from : pair->to;
    const char *expression = down ? pair->down : pair->up;
    bool moves = from != NULL && to != NULL && expression == NULL && has_zone(from) != has_zone(to);
    if (expression != NULL) {
        buffer_append_byte(sql, '(');
        mysql_change_append_prefixed(sql, table, expression, prefix);
        buffer_append_byte(sql, ')');
    } else if (moves && has_zone(from)) {
        mysql_append(sql, "COALESCE(CONVERT_TZ(%s%n, @@session.time_zone, %q), %s%n)", prefix,
                     from->name, time_zone, prefix, from->name);
    } else if (moves) {
        mysql_append(sql, "COALESCE(CONVERT_TZ(%s%n, %q, @@session.time_zone), %s%n)", prefix,
                     from->name, time_zone, prefix, from->name);
    } else {
        mysql_append(sql, "%s%n", prefix, from->name);
    }
}

/* ---------------------------------------------------------------- the proof */

/* "(6)" of "datetime(6)", "(10,2)" of "decimal(10,2) unsigned"; "" where there is none. */
static int numbers_of(const char *type, const char **begin)
{
    const char *open = strchr(type, '(');
    const char *close = open != NULL ? strchr(open, ')') : NULL;
    *begin = open != NULL && close != NULL ? open : "";
    return open != NULL && close != NULL ? (int)(close - open) + 1 : 0;
}

/* `value` as the column `to` would hold it, of another type; "%s" of `cast` is the value. */
static void append_cast(struct buffer *sql, const struct mysql_change_column *to, const char *value)
{
    const char *numbers;
    int length = numbers_of(to->type, &numbers);
    if (is_text(to)) {
        buffer_format(sql, "CAST(%sCONVERT(%s USING %s)%s AS BINARY)",
                      strcmp(to->data_type, "char") == 0 ? "TRIM(TRAILING ' ' FROM " : "", value,
                      to->charset, strcmp(to->data_type, "char") == 0 ? ")" : "");
    } else if (is_bytes(to)) {
        buffer_format(sql, "CAST(%s AS BINARY%.*s)", value,
                      strcmp(to->data_type, "binary") == 0 ? length : 0, numbers);
    } else if (is_whole(to)) {
        buffer_format(sql, "CAST(%s AS %s)", value,
                      strstr(to->type, "unsigned") != NULL ? "UNSIGNED" : "SIGNED");
    } else if (strcmp(to->data_type, "decimal") == 0) {
        buffer_format(sql, "CAST(%s AS DECIMAL%.*s)", value, length, numbers);
    } else if (strcmp(to->data_type, "datetime") == 0 || has_zone(to)) {
        buffer_format(sql, "CAST(%s AS DATETIME%.*s)", value, length, numbers);
    } else if (strcmp(to->data_type, "time") == 0) {
        buffer_format(sql, "CAST(%s AS TIME%.*s)", value, length, numbers);
    } else if (strcmp(to->data_type, "date") == 0) {
        buffer_format(sql, "CAST(%s AS DATE)", value);
    } else if (is_one_of(to->data_type, "enum|set")) {
        buffer_format(sql, "CAST(CONVERT(%s USING utf8mb4) AS BINARY)", value);
    } else if (is_geometry(to)) {
        buffer_format(sql, "ST_AsBinary(%s)", value);
    } else {
        buffer_append_string(sql, value);
    }
}

/* The same of a column's own value, by its bytes where a collation would hide a difference. */
static void append_held(struct buffer *sql, const struct mysql_change_column *column,
                        const char *value)
{
    if (is_text(column) || is_bytes(column)) {
        buffer_format(sql, "CAST(%s AS BINARY)", value);
    } else if (is_one_of(column->data_type, "enum|set")) {
        buffer_format(sql, "CAST(CONVERT(%s USING utf8mb4) AS BINARY)", value);
    } else if (is_geometry(column)) {
        buffer_format(sql, "ST_AsBinary(%s)", value);
    } else {
        buffer_append_string(sql, value);
    }
}

void mysql_change_append_differs(struct buffer *sql, const struct mysql_change_table *table,
                                 const struct mysql_change_pair *pair, const char *prefix,
                                 const char *time_zone)
{
    struct buffer value = {0};
    struct buffer held = {0};
    bool same = pair->from != NULL && pair->up == NULL && is_same_type(pair->from, pair->to);
    mysql_change_append_value(&value, table, pair, prefix, false, time_zone);
    mysql_append(&held, "s.%n", pair->to->name);
    if (!same && is_one_of(pair->to->data_type, "float|double")) {
        /* a number of fewer digits is the nearest one */
        buffer_format(sql, "(((%s) IS NULL) <> (%s IS NULL) OR abs((%s) - %s) > 1e-5 * abs(%s))",
                      buffer_string(&value), buffer_string(&held), buffer_string(&value),
                      buffer_string(&held), buffer_string(&held));
    } else {
        buffer_append_string(sql, "NOT (");
        if (same) {
            append_held(sql, pair->to, buffer_string(&value));
        } else {
            append_cast(sql, pair->to, buffer_string(&value));
        }
        buffer_append_string(sql, " <=> ");
        append_held(sql, pair->to, buffer_string(&held));
        buffer_append_byte(sql, ')');
    }
    buffer_free(&value);
    buffer_free(&held);
}

/* ---------------------------------------------------------------- literals */

void mysql_change_append_literal(struct buffer *sql, const struct mysql_change_column *column)
{
    if (is_one_of(column->data_type, "bit|enum|set")) {
        mysql_append(sql, "t.%n + 0", column->name);
    } else if (is_text(column)) {
        mysql_append(sql, "CONCAT('_%s x''', HEX(t.%n), '''')", column->charset, column->name);
    } else if (is_bytes(column)) {
        mysql_append(sql, "CONCAT('x''', HEX(t.%n), '''')", column->name);
    } else if (is_whole(column) || is_one_of(column->data_type, "decimal|year")) {
        mysql_append(sql, "t.%n", column->name);
    } else {
        mysql_append(sql, "CONCAT('''', t.%n, '''')", column->name);
    }
}
