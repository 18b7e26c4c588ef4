/* Values of foreign keys whose partners come later: kept beside the table, and filled in. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_COPY_LATER_H
#define TRANSHUME_CONNECTORS_MYSQL_COPY_LATER_H

#include "connectors/mysql/target.h"
#include "connectors/sql/later.h"

/* Its name is _transhume_later_RUN_NUMBER, the foreign key is told there by a hash of its columns,
 * and each row has a number of its own. */
#define MYSQL_NUMBER "_transhume_number"

void mysql_append_later_table(struct buffer *sql, const struct mysql_database *self,
                              const char *table);
/* The text that tells a foreign key there. */
void mysql_append_reference(struct buffer *sql, const struct target_later *later);

/* May the server set it with each update? Then it has to be said that it stays. */
static inline bool mysql_is_time(const struct mysql_column *column)
{
    return !column->generated &&
           (column->type.format == MYSQL_AS_TIMESTAMP || column->type.format == MYSQL_AS_DATETIME);
}

/* struct sql_dialect */
extern const struct sql_later_dialect mysql_later;

#endif
