/* What the files of rollback share. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_ROLLBACK_H
#define TRANSHUME_CONNECTORS_MYSQL_ROLLBACK_H

#include "connectors/mysql/target.h"

/* A foreign key that refers to a table. */
struct maria_referrer {
    const char *schema;
    const char *table;
    const char *name;
    struct column_list columns;
    struct column_list referenced;
    bool own; /* the table refers to itself */
};

/* ---------------------------------------------------------------- rollback_tables.c */

/* All that refer to a table; texts in `arena`. */
enum status maria_referrers_read(struct maria_database *self, MYSQL *connection, const char *table,
                                 struct arena *arena, struct maria_referrer **referrers,
                                 uint32_t *count, struct error *error) MUST_USE;
/* " JOIN `referrer` AS r ON r.`a` = t.`b` …" */
void maria_referrer_append_join(struct buffer *sql, const struct maria_referrer *referrer);
enum status maria_can_remove(struct database *self, const struct target_table *table,
                             struct error *error);
enum status maria_remove_table(struct database *self, const struct target_table *table,
                               struct error *error);

#endif
