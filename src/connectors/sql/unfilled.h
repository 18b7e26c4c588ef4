/* Columns that a run does not fill, when it is taken back: may what they hold be lost? */
#ifndef TRANSHUME_CONNECTORS_SQL_UNFILLED_H
#define TRANSHUME_CONNECTORS_SQL_UNFILLED_H

#include "base/error.h"
#include "model/schema.h"

/* What the table itself puts into a column of a record that does not fill it. */
enum sql_given {
    SQL_GIVES_NULL,
    SQL_GIVES_DEFAULT, /* always the same: the column's default_text */
    SQL_GIVES_ANY      /* a number, a time: nobody can tell it from what others wrote */
};
enum sql_given sql_column_gives(const struct schema_column *column);

/* What is known of nobody's stands in a column that was added since. */
enum status sql_refuse_untold(const char *table, const char *column, struct error *error);
/* What a run wrote can't be told from what others changed, since a column has another type now. */
enum status sql_refuse_retyped(const char *table, const char *column, struct error *error);

#endif
