/* Declarations that the files of rollback share. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_ROLLBACK_H
#define TRANSHUME_CONNECTORS_MYSQL_ROLLBACK_H

#include "connectors/mysql/target.h"
#include "connectors/sql/undo_keys.h"

/* A foreign key that refers to a table. */
struct mysql_referrer {
    const char *schema;
    const char *table;
    const char *name;
    struct column_list columns;
    struct column_list referenced;
    bool own;   /* the table refers to itself */
    bool going; /* it was put aside, to be dropped */
};

/* ---------------------------------------------------------------- rollback_tables.c */

/* All that refer to a table; texts in `arena`. */
enum status mysql_referrers_read(struct mysql_database *self, MYSQL *connection, const char *table,
                                 struct arena *arena, struct mysql_referrer **referrers,
                                 uint32_t *count, struct error *error) MUST_USE;
/* `schema`.`table` */
void mysql_append_place(struct buffer *sql, const char *schema, const char *table);
/* "r.`a` = t.`b` AND …" */
void mysql_referrer_append_pairs(struct buffer *sql, const struct mysql_referrer *referrer);
/* " JOIN `referrer` AS r ON r.`a` = t.`b` …" */
void mysql_referrer_append_join(struct buffer *sql, const struct mysql_referrer *referrer);
enum status mysql_can_remove(struct database *self, const struct target_table *table,
                             struct error *error);
enum status mysql_remove_table(struct database *self, const struct target_table *table,
                               struct error *error);

/* ---------------------------------------------------------------- rollback_keys.c */

/* struct sql_dialect */
extern const struct sql_undo_dialect mysql_undo;

#endif
