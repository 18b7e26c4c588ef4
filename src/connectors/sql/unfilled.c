/* Columns that a run does not fill, when it is taken back. */
#include "connectors/sql/unfilled.h"
#include "base/text.h"
#include <string.h>

enum sql_given sql_column_gives(const struct schema_column *column)
{
    if (column->identity) {
        return SQL_GIVES_ANY;
    }
    switch (column->default_kind) {
    case SCHEMA_DEFAULT_NONE: /* where NULL can't stand, MySQL puts '' or 0 */
        return column->not_null ? SQL_GIVES_ANY : SQL_GIVES_NULL;
    case SCHEMA_DEFAULT_VALUE:
        return SQL_GIVES_DEFAULT;
    default:
        return SQL_GIVES_ANY;
    }
}

enum status sql_refuse_untold(const char *table, const char *column, struct error *error)
{
    char printable[128];
    text_printable(column, strlen(column), printable, sizeof printable);
    error_set(error, ERROR_ROLLBACK_REFUSED, table,
              "its column %s was added since, and what others put there can't be told from what it "
              "gives by itself",
              printable);
    error_hint(error, "drop the column, or let it be NULL and have no default: records of the run "
                      "that hold something in it then stay");
    return STATUS_FAILED;
}

enum status sql_refuse_retyped(const char *table, const char *column, struct error *error)
{
    char printable[128];
    text_printable(column, strlen(column), printable, sizeof printable);
    error_set(error, ERROR_ROLLBACK_REFUSED, table,
              "its column %s has another type since, so the run's records can't be told from "
              "those that others changed",
              printable);
    error_hint(error, "give the column its type back, or take the run's records out by hand");
    return STATUS_FAILED;
}
