/* Values of foreign keys whose partners come later: kept beside the table, and filled in. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_LATER_H
#define TRANSHUME_CONNECTORS_MYSQL_LATER_H

#include "connectors/mysql/target.h"

/*
 * _transhume_later_RUN_NUMBER, of each table with target_table.later: a row for each reference of a
 * record that was written without it
 *   the table's key; the `emptied` columns of all its foreign keys, those of this one filled
 *   _transhume_reference   a hash of the foreign key's columns
 *   _transhume_number      its own
 *   _transhume_refused     why the table does not take it, by the last filling; NULL: it may
 */
#define MYSQL_REFERENCE "_transhume_reference"
#define MYSQL_NUMBER "_transhume_number"
#define MYSQL_REFUSED "_transhume_refused"

void mysql_append_later_table(struct buffer *sql, const struct mysql_database *self,
                              const char *table);
/* The number in MYSQL_REFERENCE. */
void mysql_append_reference(struct buffer *sql, const struct target_later *later);

/* May the server set it with each update? Then it has to be said that it stays. */
static inline bool mysql_is_time(const struct mysql_column *column)
{
    return !column->generated &&
           (column->type.format == MYSQL_AS_TIMESTAMP || column->type.format == MYSQL_AS_DATETIME);
}

/* target_functions */
enum status mysql_later_prepare(struct database *self, const struct target_table *tables,
                                uint32_t table_count, struct error *error);
enum status mysql_later_fill(struct database *self, const struct target_table *tables,
                             uint32_t table_count, struct target_filled *filled,
                             struct error *error);
/* rollback_functions */
enum status mysql_later_loosen(struct database *self, const struct target_table *table,
                               struct error *error);

#endif
