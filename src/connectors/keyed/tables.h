/*
 * Making, emptying and removing tables. The steps, their order and whose a table is are the room's;
 * the connector brings the requests. What the run is about to make is noted in its ledger first,
 * and then which table it made:
 *
 *   look ─> intent ─> make (─> finish) ─> note of its id        prepare
 *   note ─> look ─> is it the one that is noted? ─> drop ─> forget   remove_table
 */
#ifndef TRANSHUME_CONNECTORS_KEYED_TABLES_H
#define TRANSHUME_CONNECTORS_KEYED_TABLES_H

#include "connectors/keyed/keyed.h"

struct keyed_there {
    bool exists;
    /* Which table it is, as none after it will be, in the arena; NULL: nobody can tell. */
    const char *id;
    const void *facts; /* the connector's own, in the arena; NULL: none */
};

struct keyed_tables {
    /* Looks at the table; STATUS_OK also where there is none. */
    enum status (*look)(struct database *self, const struct target_table *table,
                        struct arena *arena, struct keyed_there *there, struct error *error);
    /* Makes it for the claimed run. `again`: an earlier attempt may have made it, wholly or in
     * part. `*id`: which one it is, unless there is `finish`. */
    enum status (*make)(struct database *self, const struct target_table *table,
                        const struct keyed_there *there, bool again, struct arena *arena,
                        const char **id, struct error *error);
    /* Optional: waits for what `make` began, once all tables have been begun. */
    enum status (*finish)(struct database *self, const struct target_table *table,
                          struct arena *arena, const char **id, struct error *error);
    /* Optional: the run will write into a table that is there; it made it before if `created`. */
    enum status (*use)(struct database *self, const struct target_table *table,
                       const struct keyed_there *there, struct arena *arena, struct error *error);
    /* Optional: is a table that is there the one that the run was about to make? NULL: if it is
     * empty. `going`: it is to be removed then, else made. */
    enum status (*is_ours)(struct database *self, const struct target_table *table,
                           const struct keyed_there *there, bool going, bool *ours,
                           struct error *error);
    /* Removes the table; `made`: as the ledger has it. */
    enum status (*drop)(struct database *self, const struct target_table *table,
                        const struct keyed_there *there, enum keyed_made made, struct error *error);
    /* Takes all records out of a table that is there; a connector may fail where it is not. */
    enum status (*clear)(struct database *self, const struct target_table *table,
                         struct error *error);
};

/* ERROR_TARGET_SCHEMA: the run made the table, and it is gone; `replaced`: another one is there. */
enum status keyed_table_lost(const char *table, bool replaced, struct error *error);

/* As struct target_functions and struct rollback_functions have them. */
enum status keyed_prepare(struct database *self, const struct prepare_request *request,
                          struct error *error);
enum status keyed_empty(struct database *self, const struct target_table *const *tables,
                        uint32_t table_count, struct error *error);
enum status keyed_remove_table(struct database *self, const struct target_table *table,
                               struct error *error);
/* For steps of a connector's own: the table that was intended is made, and noted. */
enum status keyed_make_table(struct database *self, struct target_table *table, struct arena *arena,
                             struct error *error) MUST_USE;

#endif
