/*
 * The contract: what only targets have whose tables, keys, triggers and accounts are those of an
 * SQL server. Each function is optional; connector_sql_target gives a group without any for a
 * connector that has none.
 */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_SQL_TARGET_H
#define TRANSHUME_CONNECTORS_CONTRACT_SQL_TARGET_H

#include "connectors/contract/target.h"

/* The work of later_fill on a table. */
struct target_filled {
    uint64_t filled; /* by this call: references whose partners were there */
    uint64_t left;   /* that have none: NULL stands in their place */
    char first[160]; /* of those, as text; empty: none */
    /* that the table does not take, by a constraint or a trigger: NULL likewise */
    uint64_t refused;
    char first_refused[320]; /* of those, with the reason */
};

typedef enum status target_orphan_found(void *context, const struct cell *key, uint32_t key_count,
                                        const struct cell *record, const char *reason,
                                        struct error *error);

/* The columns of a table, beside its whole key, whose values the server counts up by itself. */
enum column_counting {
    COUNTING_KEY_ALONE,
    COUNTING_INDEXED /* begin a key or index */,
    COUNTING_ANY
};

/* The rules of tables by which one SQL database is not like another. */
struct table_rules {
    bool defaults; /* columns have defaults, and the key counts up */
    enum column_counting counting;
    bool names_shared;       /* no index is named like another one or like a table */
    bool no_set_default;     /* foreign keys have no such action */
    bool references_alike;   /* foreign keys refer to columns of their kind, or are refused */
    bool references_indexed; /* they may refer to what any index begins with */
    bool text_times;         /* days and times are texts, infinite ones, too */
    /* numbers that are no whole ones of 64 bits are floats, and beyond their digits texts */
    bool float_decimals;
};

struct sql_target_functions {
    struct table_rules rules;

    /* ---- before a run: each changes nothing, and writes one line each in `out` */

    /* As target_functions.check_table, of the views, triggers … of a same-engine plain copy; each
     * line begins with the object's name and ": ". */
    enum status (*check_objects)(struct database *self, const struct schema *objects,
                                 struct buffer *out, struct error *error);
    /* The foreign keys of a table that is to be made which the target can't have, since what they
     * refer to is not there; after_load leaves them out. */
    enum status (*unfit_references)(struct database *self, const struct target_table *table,
                                    struct buffer *out, struct error *error);
    /* The objects of a same-engine plain copy that the target can't have, since who or what they
     * name is not there: `unfit[i]` of objects[i], and a line for each that begins with its table's
     * name and ": "; after_load leaves them out. */
    enum status (*unfit_objects)(struct database *self, const struct schema *objects, bool *unfit,
                                 struct buffer *out, struct error *error);
    /* As whom the target runs functions that a copy has called: the account's name (arena), and may
     * it do everything? A line for each thing of the target's own that runs besides while things
     * are made and filled (event triggers, casts). */
    enum status (*account)(struct database *self, struct arena *arena, const char **name,
                           bool *superuser, struct buffer *out, struct error *error);
    /* Things that will be left to do about the rights of a same-engine plain copy, as after_load
     * will say it. */
    enum status (*rights_left)(struct database *self, const struct schema *objects,
                               struct rights_left *left, struct error *error);
    /* The work that `rebuilds_indexes` and `disables_triggers` come to for the tables that are
     * there. NULL: the target has no use for them. */
    enum status (*rebuilds)(struct database *self, const struct prepare_request *request,
                            struct buffer *out, struct error *error);
    /* The largest number that the column of a table that is there holds; `*any`: it holds one.
     * Control thread. */
    enum status (*highest_key)(struct database *self, const char *table, const char *column,
                               int64_t *highest, bool *any, struct error *error);

    /* ---- while the run writes */

    /* Needs CAPABILITY_TRANSACTIONS: runs one statement of the user's as a part of the open chunk:
     * right behind chunk_begin, or once all of its results were polled. Rows that it returns go
     * nowhere. A failure of class RETRY lets the chunk begin again. */
    enum status (*chunk_run)(struct writer *writer, uint64_t chunk, const char *sql,
                             struct error *error);
    /*
     * Both or none, for tables with `later`. later_prepare makes what the writers keep values in,
     * before the first of them is opened. later_fill puts these in where the partner is there by
     * now, after the last chunk and before after_load; `filled`, a table each. Repeatable; what is
     * left or refused is kept for the next call, until forget_run. Control thread.
     */
    enum status (*later_prepare)(struct database *self, const struct target_table *tables,
                                 uint32_t table_count, struct error *error);
    enum status (*later_fill)(struct database *self, const struct target_table *tables,
                              uint32_t table_count, struct target_filled *filled,
                              struct error *error);

    /* ---- after the last chunk */

    /*
     * Tells of each record that after_load took out of the table with `rejects_orphans`: its key
     * (as table->key), `record`, a MAP of its fields as they were stored, and why. Of tables that
     * this run created, after the last after_load. Repeatable until the run is complete: each call
     * tells all of them again. NULL: the target can't take any out, and `rejects_orphans` is never
     * set. Control thread.
     */
    enum status (*orphans)(struct database *self, const struct target_table *table,
                           target_orphan_found *found, void *context, struct error *error);
    /*
     * For targets whose delete_records may take out what records of others refer to: for each
     * foreign key that refers to the table (one of the table itself, too), that is enforced and was
     * checked, a line in `out` if records have no partner by it now: "child: the foreign key K
     * refers to P; 2 rows have no partner, the first of them: …", and one in `unasked` if that
     * can't be asked, as where a right is missing. It reads what refers whole, where no index
     * serves. Changes nothing. Control thread.
     */
    enum status (*partnerless)(struct database *self, const struct target_table *table,
                               struct buffer *out, struct buffer *unasked, struct error *error);
};

#endif
