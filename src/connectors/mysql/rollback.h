/* What the files of rollback share. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_ROLLBACK_H
#define TRANSHUME_CONNECTORS_MYSQL_ROLLBACK_H

#include "connectors/mysql/target.h"

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
/* " JOIN `referrer` AS r ON r.`a` = t.`b` …" */
void mysql_referrer_append_join(struct buffer *sql, const struct mysql_referrer *referrer);
enum status mysql_can_remove(struct database *self, const struct target_table *table,
                             struct error *error);
enum status mysql_remove_table(struct database *self, const struct target_table *table,
                               struct error *error);

/* ---------------------------------------------------------------- rollback_keys.c */

/* A table with undo records, within a transaction. */
struct mysql_undoing {
    struct mysql_database *self;
    MYSQL *connection;
    struct arena *arena;
    const char *undo_name;
    struct mysql_table facts;
    struct mysql_column *columns; /* those that the undo table knows */
    uint32_t column_count;
    struct column_list key;
    const char *retyped;   /* a column that has another type than it had; NULL: none */
    struct buffer foreign; /* `t` holds something of others in columns added since; empty: no */
    bool drops;            /* the undo table is of no more use */
    bool takes_out;        /* of the target_table */
    bool unchecked;        /* what is put in need not find what it refers to */
    bool refused;          /* a constraint did, what was tried last */
    struct error *error;
};

/* `told`: by the fates that were set; else as they would be. */
enum status mysql_count_fates(const struct mysql_undoing *undoing, bool told,
                              struct undo_counts *counts) MUST_USE;
/* What triggers kept from being what it was, of the table's so far. */
enum status mysql_count_differing(const struct mysql_undoing *undoing, uint64_t *count) MUST_USE;
enum status mysql_undo_keys(struct mysql_undoing *undoing, struct undo_counts *counts) MUST_USE;
/* Records that the run took out. */
enum status mysql_count_deleted(const struct mysql_undoing *undoing,
                                struct undo_counts *counts) MUST_USE;
enum status mysql_undo_deleted(struct mysql_undoing *undoing, struct undo_counts *counts) MUST_USE;

/* ---------------------------------------------------------------- rollback.c */

/* struct sql_dialect */
enum status mysql_undo_table(struct sql_database *self, const struct target_table *table,
                             bool deleted, bool dry_run, struct undo_counts *counts,
                             struct error *error);

#endif
