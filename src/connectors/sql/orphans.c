/* Records that a foreign key finds no partner for. */
#include "connectors/sql/orphans.h"
#include "base/text.h"
#include <string.h>

static struct column_list names_of(const struct sql_orphans *orphans)
{
    return orphans->key.count > 0 ? orphans->key : orphans->columns;
}

void sql_orphans_append_from(struct buffer *sql, const struct sql_orphans *orphans)
{
    buffer_append_string(sql, " FROM ");
    orphans->append_table(sql, orphans->self, orphans->table);
    buffer_append_string(sql, " AS t WHERE ");
    for (uint32_t i = 0; i < orphans->columns.count; i++) {
        buffer_append_string(sql, "t.");
        orphans->append_name(sql, orphans->columns.names[i]);
        buffer_append_string(sql, " IS NOT NULL AND ");
    }
    buffer_append_string(sql, "NOT EXISTS (SELECT 1 FROM ");
    orphans->append_table(sql, orphans->self, orphans->partner);
    buffer_append_string(sql, " AS p WHERE ");
    for (uint32_t i = 0; i < orphans->columns.count; i++) {
        buffer_append_string(sql, i > 0 ? " AND t." : "t.");
        orphans->append_name(sql, orphans->columns.names[i]);
        buffer_append_string(sql, " = p.");
        orphans->append_name(sql, orphans->referenced.names[i]);
    }
    buffer_append_byte(sql, ')');
}

void sql_orphans_append_query(struct buffer *sql, const struct sql_orphans *orphans)
{
    enum { NAMED_MAX = 3 };
    const struct column_list names = names_of(orphans);
    buffer_append_string(sql, "SELECT count(*) OVER ()");
    for (uint32_t i = 0; i < names.count; i++) {
        buffer_append_string(sql, ", t.");
        orphans->append_name(sql, names.names[i]);
    }
    sql_orphans_append_from(sql, orphans);
    for (uint32_t i = 0; i < names.count; i++) {
        buffer_append_string(sql, i > 0 ? ", t." : " ORDER BY t.");
        orphans->append_name(sql, names.names[i]);
    }
    buffer_format(sql, " LIMIT %d", NAMED_MAX);
}

static void append_shown(struct buffer *out, const char *text)
{
    char shown[80];
    text_printable(text, strlen(text), shown, sizeof shown);
    buffer_append_string(out, shown);
}

void sql_orphans_append_words(struct buffer *out, const struct sql_orphans *orphans,
                              uint32_t row_count,
                              const char *(*cell)(void *rows, uint32_t row, uint32_t column),
                              void *rows)
{
    const struct column_list names = names_of(orphans);
    if (row_count == 0) {
        return;
    }
    const char *count = cell(rows, 0, 0);
    bool one = strcmp(count, "1") == 0;
    buffer_format(out, "; %s %s no partner%s: ", count, one ? "row has" : "rows have",
                  one ? "" : ", the first of them");
    for (uint32_t row = 0; row < row_count; row++) {
        buffer_append_string(out, row > 0 ? "; " : "");
        for (uint32_t i = 0; i < names.count; i++) {
            buffer_append_string(out, i > 0 ? ", " : "");
            append_shown(out, names.names[i]);
            buffer_append_byte(out, ' ');
            append_shown(out, cell(rows, row, i + 1));
        }
    }
}
