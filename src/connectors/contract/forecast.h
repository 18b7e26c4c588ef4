/*
 * The contract: what a run would do to a target, told before it runs. Nothing here changes
 * anything. Each function is optional but those of a trial; connector_forecast gives a group
 * without any for a connector that has none.
 */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_FORECAST_H
#define TRANSHUME_CONNECTORS_CONTRACT_FORECAST_H

#include "connectors/contract/script.h"
#include "connectors/contract/target.h"

/* A table's records as a check foresees them, in the target's own measures. */
struct target_load {
    double records;
    double bytes; /* as the target stores them */
    double units; /* of writing them: capacity units or the like; 0: it knows none */
};

struct forecast_functions {
    /* Things worth saying before a run ("written more slowly, since …"), one line each in `out`.
     */
    enum status (*caveats)(struct database *self, struct buffer *out, struct error *error);
    /* Differences of tables that are to be made from those of their source, or what they will lack,
     * since this server has no such thing (a collation, a type, an index), one line each in `out`:
     * "KIND\tTABLES: text", where the kind ("index") is of what is left out, or empty where nothing
     * is. prepare warns of the same. `objects` as prepare gets them. */
    enum status (*differences)(struct database *self, const struct target_table *tables,
                               uint32_t table_count, const struct schema *objects,
                               struct buffer *out, struct error *error);
    /*
     * The statements by which prepare and after_load would make the tables and objects, built by
     * the functions that build theirs, in their order. Not in it: what depends on records
     * (counters, statistics), notes of this program's own, and another try of what the server
     * refused. NULL: the target's tables need no statements. Control thread.
     */
    enum status (*script)(struct database *self, const struct script_request *request,
                          struct script *script, struct error *error);
    /*
     * Both or none: load_add adds what one record takes to `load`; load_describe says in `out`, one
     * line a table, what a whole run will take and cost (`loads` are the tables', scaled up from a
     * sample; `records` below 0: not known).
     */
    void (*load_add)(struct database *self, const struct target_table *table,
                     const struct shape *shape, const struct cell *cells, struct target_load *load);
    enum status (*load_describe)(struct database *self, const struct target_table *tables,
                                 const struct target_load *loads, uint32_t table_count,
                                 struct buffer *out, struct error *error);
};

struct target_trial;

/* Would a run write these records? All of them or no group. Control thread. */
struct trial_functions {
    /* Looks at the table as it is there, or, where `created` is set, as prepare would make it; what
     * it borrows of `table` stays until `close`. STATUS_END: nothing is known of it before the run.
     */
    enum status (*open)(struct database *self, const struct target_table *table,
                        struct target_trial **trial, struct error *error);
    /*
     * Calls the function by which the writer encodes records, then looks at, or asks the server
     * for, what the writer leaves to the server. It fails of class REJECT: error_reason is then the
     * reason that the writer's outcome would have, and `object` the name of the field whose value
     * it is about (another text, or none: it is about the whole record). Fields with a flag in
     * `passed` (NULL: none) are taken for good. STATUS_END: the writer would skip the record.
     * `shape` NULL: `cells` is one MAP.
     */
    enum status (*record)(struct target_trial *trial, const struct shape *shape,
                          const struct cell *cells, const bool *passed, struct error *error);
    void (*close)(struct target_trial *trial);
};

#endif
