/* Records of a target's table, found by what names them. */
#ifndef TRANSHUME_CONNECTORS_SQL_FINDING_H
#define TRANSHUME_CONNECTORS_SQL_FINDING_H

#include "connectors/sql/database.h"

struct sql_finding {
    struct sql_database *database;
    const struct target_table *table;
    struct sql_table facts;
    struct column_list columns; /* that name a record: the key's, without a key all */
    struct arena *arena;        /* of all records */
    struct arena *scratch;      /* of one */
    struct batch *batch;        /* what is fetched; NULL: records are deleted */
    const char *undo_name;      /* where images of what is deleted are kept; NULL: they are not */
    uint64_t deleted;
    struct error *error;
};

/* Returns STATUS_OK. Beside it sql_finding_free. */
enum status sql_finding_begin(struct sql_finding *finding, const struct target_table *table,
                              struct error *error) MUST_USE;
void sql_finding_free(struct sql_finding *finding);
/* The table is not in the target any more. */
enum status sql_refuse_dropped(const char *table, struct error *error);
enum status sql_finding_no_table(const struct sql_finding *finding);
enum status sql_finding_no_column(const struct sql_finding *finding, const char *name);
enum status sql_finding_no_memory(const struct sql_finding *finding);
/* Calls `one` with the cells that name each record, its scratch empty. */
enum status sql_finding_each(struct sql_finding *finding, const struct cell *keys,
                             uint32_t key_count,
                             enum status (*one)(struct sql_finding *finding,
                                                const struct cell *cells)) MUST_USE;

/* ---- target_functions */

enum status sql_delete_records(struct database *self, const struct target_table *table,
                               const struct cell *keys, uint32_t key_count, uint64_t *deleted,
                               struct error *error);
enum status sql_fetch(struct database *self, const struct target_table *table,
                      const struct cell *keys, uint32_t key_count, struct batch **made,
                      struct error *error);

#endif
