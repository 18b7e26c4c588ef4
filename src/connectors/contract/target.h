/* The contract: writing into a database. */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_TARGET_H
#define TRANSHUME_CONNECTORS_CONTRACT_TARGET_H

#include "connectors/contract/rights_left.h"
#include "connectors/contract/source.h"
#include "connectors/contract/store.h"

struct field_hasher; /* model/field_hash.h */

struct target_reference {
    struct column_list columns;
    const char *table;
    struct column_list referenced_columns;
    const char *on_delete;
    const char *on_update;
};

/* A foreign key of a table that is there, whose partners may come after the records that refer to
 * them. */
struct target_later {
    struct column_list columns; /* of the foreign key */
    struct column_list emptied; /* those of them that can be NULL until the partner is there */
    const char *table;          /* that they refer to, as the target names it */
    struct column_list referenced_columns;
};

/* A secondary index of the plan. */
struct target_index {
    const char *name;
    struct column_list columns; /* key-value stores: partition, sort */
    bool unique;
    bool promised; /* unique: as target_table.key_promised */
    bool local;    /* key-value stores: kept with the records of a partition (DynamoDB's LSI) */
    const struct column_list *projection; /* key-value stores: fields in it beside the keys of table
                                             and index; NULL: all */
};

/* A label that the plan wants on a table. */
struct target_tag {
    const char *name;
    const char *value;
};

/* One target table as the plan wants it. */
struct target_table {
    const char *name;
    /* Declared; CAPABILITY_FREE_FIELDS may bring others. Where default_text is NULL, default_kind
     * says the default, whose value is of the column's type. */
    const struct schema_column *columns;
    uint32_t column_count;
    struct column_list key; /* primary key; key-value stores: partition, then sort or clustering */
    /* The columns of `key` that take texts for equal in the target which the source's key keeps
     * apart, as by a collation. A change finds its record by their bytes as well, and is refused
     * where another record is under its key. */
    struct column_list apart;
    struct key_shape key_shape;
    /* The source itself keeps the key unique, in columns that are carried one to one, and of kinds
     * whose equality is the same everywhere. So it may be made after the load; records that break
     * the promise all the same are then for settle_duplicates. */
    bool key_promised;
    const struct target_index *indexes;
    uint32_t index_count;
    const struct target_reference *references;
    uint32_t reference_count;
    /* Only where sql_target_functions has later_fill, and of tables that the run did not make:
     * where a record's partner is not there yet, the writer leaves `emptied` NULL, and keeps the
     * values beside the table, in the transaction of the chunk. */
    const struct target_later *later;
    uint32_t later_count;
    enum existing_policy existing;
    /* A second record under a key is skipped if all of its fields are those of the record that is
     * there, and rejected only if they are not. Without CAPABILITY_KEY_ENFORCED settle_duplicates
     * tells the one from the other. */
    bool distinct;
    /* not NULL: make it whole as the source has it, under the same name */
    const struct schema_table *same_engine;
    const char *settings; /* with same_engine: what catalog->settings told of it; may be NULL */
    const char *billing;  /* NULL or the connector's own words from the plan; wins over settings */
    const char *ttl; /* the field that says when a record expires (epoch seconds); NULL: none */
    const struct target_tag *tags;
    uint32_t tag_count;
    const char *comment; /* NULL: none; those of columns are with them */
    /* The properties that the table is made with, of databases that take such. */
    const struct schema_property *properties;
    uint32_t property_count;
    /* Types that those of its columns may name, and that are made with it where they do. */
    const struct schema_record_type *record_types;
    uint32_t record_type_count;
    /* a chunk of the run may be written twice: what is under a record's key is replaced, also in a
     * table that the run made */
    bool may_repeat;
    /* no two records of the run have one key, so none of them is kept to be found again; never with
     * `distinct`, which has to tell the run's records from those that were there */
    bool keys_differ;
    bool settles; /* settle_duplicates will be asked about this table */
    /* … and also for records that contradict each other in a static column */
    bool settles_claims;
    bool created; /* set by prepare: this run made it */
    /* what it takes to undo the run's writes to this table key by key is kept: by the writer in the
     * chunk's transaction where there are transactions, else by the engine before it submits */
    bool keeps_undo;
    /* with it: the run took records out. What undo can't take back yet it keeps, and tells as
     * `left` (struct undo_counts): it may need one of those that undo_deleted puts back */
    bool takes_out;
    /* existing: truncate: the run deletes the records that are there before it writes any */
    bool empties;
    /* an upsert also empties those of `columns` that its record does not fill: they are of other
     * entities, and a record is of one */
    bool clears_others;
};

/* The key or a unique index begins with the column, whose case does not count. */
bool target_table_is_keyed(const struct target_table *table, const char *name);

/* The policy for another record under a key: in a table that the run made that record is the run's
 * own. */
enum existing_policy target_table_policy(const struct target_table *table);

/* The foreign keys whose partners may come later. */
static inline uint32_t target_table_later_count(const struct target_table *table)
{
    return table->created ? 0 : table->later_count;
}

/* Are the keys that the run writes kept beside the table, so that a second record of the run under
 * one of them is found? */
bool target_table_tracks(const struct target_table *table);

/* Does an upsert whose record does not fill the column empty it? `compare`
 * is 0 for two names of one column. */
bool target_table_clears(const struct target_table *table, const char *column,
                         int (*compare)(const char *, const char *));

/* The column of that name as the table is to have it; without a type: it has none of that name. */
struct schema_column target_table_column(const struct target_table *table, const char *name);
/* The same as add_columns makes it. */
struct schema_column target_table_added_column(const struct target_table *table, const char *name);

/* The table that check_table looks at, and how the run will use it. */
struct check_request {
    const struct target_table *table;
    const struct shape *const *shapes; /* of the records that it is to hold */
    uint32_t shape_count;
    /* by shape and field: the line of a plan that leaves the field out, for messages, or NULL; may
     * be NULL as a whole */
    const char *const *const *leaving_out;
    bool rebuilds_indexes; /* as prepare will be asked */
    bool disables_triggers;
    bool triggers_off;  /* as database.triggers_off will be */
    bool loses_records; /* records are to be taken out of it */
    bool repairs;       /* what is there is to be made what the source has */
};

struct prepare_request {
    struct target_table *tables; /* `created` is set */
    uint32_t table_count;
    const struct schema *objects; /* of a same-engine plain copy; else NULL */
    /* secondary indexes of tables that are there may be dropped, once they are noted in the ledger;
     * set only until the first record is written */
    bool rebuilds_indexes;
    bool disables_triggers; /* likewise, so that none of them fires while the run lasts */
};

struct target_count {
    uint64_t records;
    bool known;
};

struct after_load_request {
    const struct target_table *tables;
    uint32_t table_count;
    const struct schema *objects;       /* as prepare got them */
    void (*progress)(const char *what); /* may be NULL */
    bool rebuilds_indexes;              /* prepare was asked so, before the first record */
    /* the records of what the run made that a foreign key finds no partner for, and those that then
     * have none, are taken out and kept for sql_target_functions.orphans */
    bool rejects_orphans;
    /* A table each: how many the run wrote; NULL: not known. With rejects_orphans: where more are
     * in the table some are others', and none is taken out (ERROR_RECONCILE) */
    const uint64_t *records_written;
    /* A table each: how many records are in one that the run made may be put here, where they can
     * be counted while other things are done; else the engine asks for it later. NULL: it is not
     * wanted */
    struct target_count *counted;
    /* Nothing else is done than foreign keys made, where some are missing, and looked at again:
     * while changes are applied, between two of them. No connector has to know it */
    bool references_only;
    /* The work that is left to do about the rights of a same-engine copy; NULL: nobody asks */
    struct rights_left *left;
    /* Set, from 0: how many foreign keys of tables that the run made could not be made, for reasons
     * that `check` does not tell, or are not obeyed by every record; the log names them */
    uint32_t broken;
};

/* Records that the run wrote to one of the request's tables; UINT64_MAX: not known. */
uint64_t after_load_records_written(const struct after_load_request *request,
                                    const struct target_table *table);

/* The ledger's mark of a chunk that is done. The text is the engine's. */
struct done_mark {
    uint64_t chunk;
    uint64_t epoch;
    const char *text;
    /* Where a target whose transactions hold the ledger puts the text, as a key that is absent;
     * NULL: the engine marks the chunk itself once it is durable. */
    const char *key;
    /* With `key` NULL, commit may append a JSON object of the target's own, which the engine keeps
     * in the mark as its member "target", and gives back by run_claim.visit_marks. May be NULL. */
    struct buffer *extra;
};

enum outcome_kind { OUTCOME_REJECTED, OUTCOME_SKIPPED };

/* A record that was not written. */
struct record_outcome {
    uint32_t row; /* in its batch */
    enum outcome_kind kind;
    enum error_code code; /* REJECT_… */
    const char *reason;   /* in the result's arena */
};

/* The result of one submitted batch, once all of its records are acknowledged or refused. */
struct batch_result {
    uint64_t chunk;
    uint32_t table;
    struct batch *batch; /* handed back: the caller destroys it */
    uint32_t written;
    const struct record_outcome *outcomes;
    uint32_t outcome_count; /* written + outcome_count == batch->row_count */
    uint64_t bytes;         /* sent or stored, as far as it is known */
    /* requests that were sent again, whole or in parts, and that were done with less than was asked
     * for: one with records of several batches counts for one of them */
    uint32_t retries;
    uint32_t fallbacks;
    struct arena *arena; /* of outcomes and reasons; the caller destroys it, may be NULL */
};

struct writer; /* a connection of its own; one thread */

enum { TARGET_FEEDING_MS = 20 }; /* see poll */

/* The finding of settle_duplicates about a record that shares its key with another one. */
enum duplicate_kind {
    DUPLICATE_DIFFERS, /* it loses */
    /* it loses and holds what the lowest one holds, field by field; only for tables with
     * `distinct`, where it has to be exact */
    DUPLICATE_REPEATS,
    DUPLICATE_STAYS, /* it is the lowest, and may have been overwritten */
    /* only with `settles_claims`: it loses, since a record before it has another value of what both
     * share; `record` is a TEXT that says so */
    DUPLICATE_CONTRADICTS,
    /* it was skipped as one whose key is there (existing: skip), but it is there since another
     * record of this run has it */
    DUPLICATE_SKIPPED
};

struct target_functions {
    /*
     * Optional: the run was claimed for this process, or the claim was
     * given back. With `took_over`, what the former holder still has open on the server is ended.
     * Control thread, before anything of the run is written, or after.
     */
    enum status (*claimed)(struct database *self, const struct run_claim *claim,
                           struct error *error);
    void (*released)(struct database *self);
    /*
     * Optional: puts back what prepare dropped or disabled for the
     * load and after_load has not yet put back, and removes what is kept for the claimed run
     * besides the ledger (undo records, keys, notes). `rolled_back`: nothing of the run is left in
     * the database. Repeatable.
     */
    enum status (*forget_run)(struct database *self, const char *run_id, bool rolled_back,
                              struct error *error);
    /*
     * Optional: removes what a crash may have left once the last run
     * is gone from the ledger; with `rolled_back` the database itself where the run made it and
     * nothing else is in it. What somebody works with is left alone. Repeatable.
     */
    enum status (*tidy)(struct database *self, bool rolled_back, struct error *error);
    /* Empties tables that the claimed run made (a physical stream that starts over), and with
     * CAPABILITY_TRANSACTIONS those with `empties`, of which nothing is kept, before it writes.
     * Repeating it is safe. */
    enum status (*empty)(struct database *self, const struct target_table *const *tables,
                         uint32_t table_count, struct error *error);
    /* Optional: the names of the tables and views that are there, the ledger's own left out; they
     * live in `arena`. Of those, catalog->describe tells more. */
    enum status (*names)(struct database *self, struct arena *arena, struct column_list *names,
                         struct error *error);
    /*
     * Looks at the tables: fills `record_exists[i]` (is there any record?) and `table_exists[i]`.
     * Changes nothing.
     */
    enum status (*inspect)(struct database *self, const struct target_table *tables,
                           uint32_t table_count, bool *table_exists, bool *record_exists,
                           struct error *error);
    /* Lists the wishes for a table that the target can't meet, one line each in `out` (empty:
     * fine). Changes nothing. */
    enum status (*check_table)(struct database *self, const struct check_request *request,
                               struct buffer *out, struct error *error);
    /*
     * Makes the missing tables. `objects` are made here or in after_load, as the engine needs.
     * Repeating it after a crash is safe: what carries this run's mark or stands in its ledger is
     * its own.
     */
    enum status (*prepare)(struct database *self, const struct prepare_request *request,
                           struct error *error);
    enum status (*writer_open)(struct database *self, const struct target_table *tables,
                               uint32_t table_count, uint64_t epoch, struct writer **writer,
                               struct error *error);
    void (*writer_close)(struct writer *writer);
    /* `attempt`: from 1, and a higher one each time that the chunk is begun again, under whatever
     * claim. */
    enum status (*chunk_begin)(struct writer *writer, uint64_t chunk, uint32_t attempt,
                               struct error *error);
    /*
     * Takes the batch over (also when it fails: it comes back through poll or is destroyed by
     * chunk_abandon). STATUS_AGAIN: too much is under way; the batch is still the caller's, and
     * polls make room for it (also where all that is under way is of abandoned chunks).
     */
    enum status (*submit)(struct writer *writer, uint64_t chunk, uint32_t table,
                          struct batch *batch, struct error *error);
    /*
     * The next result: STATUS_OK; none within timeout_ms: STATUS_AGAIN; none under way: STATUS_END.
     * A `timeout_ms` below TARGET_FEEDING_MS says that more may be submitted; what waits for that
     * alone is not under way. With a longer one there is a result for each batch.
     */
    enum status (*poll)(struct writer *writer, int64_t timeout_ms, struct batch_result *result,
                        struct error *error);
    /*
     * All results of the chunk were polled: makes it durable and done, in one step where there are
     * transactions (the epoch checked last: ERROR_RUN_FENCED). ERROR_TARGET_UNKNOWN_OUTCOME:
     * ledger.done tells after reconnecting.
     *
     * With a lease every request that writes, this one and those of submit and poll, is sent only
     * while lease_check says that the lease outlasts the request's deadline.
     */
    enum status (*commit)(struct writer *writer, uint64_t chunk, const struct done_mark *mark,
                          struct error *error);
    /* Forgets an open chunk; what it wrote is undone or will be repeated. Batches under way are
     * destroyed. */
    void (*chunk_abandon)(struct writer *writer, uint64_t chunk);
    /*
     * Indexes, triggers, views, sequences: after the last chunk; what prepare dropped or disabled
     * for the load is put back, whatever the tables say now. Repeatable. Asked to stop once it
     * gives up what it builds: ERROR_INTERRUPTED. With `rejects_orphans` records are taken out
     * whatever the keys do about it (ON DELETE), in one transaction.
     */
    enum status (*after_load)(struct database *self, struct after_load_request *request,
                              struct error *error);
    /*
     * Records of the table by key, as they stand now: what was acknowledged before is seen. `keys`
     * holds key_count × table->key.count cells, in the target's normal form, no key twice. Each
     * record found is one of the batch (no shape: a MAP of its fields as stored), in any order;
     * what is not there is not in it. Where the table enforces its key, what the target itself
     * takes for it is found, which may be spelled otherwise (A for a), and once for each of the
     * keys that it is. Class REJECT: one of the keys is none that the table can hold. The batch is
     * the caller's; where it fails, none is handed over. Of a table with `keeps_undo` it may have
     * envelopes: how long the records and their fields live. Targets with
     * a lease have it, for chunks that a process lost while it wrote them; optional for others.
     * Control thread; of targets without transactions writers' threads at the same time, too, for
     * what they are about to overwrite (engine/before/before.h).
     */
    enum status (*fetch)(struct database *self, const struct target_table *table,
                         const struct cell *keys, uint32_t key_count, struct batch **batch,
                         struct error *error);
    /*
     * Optional: takes records out, for repair and rollback. `keys` holds key_count ×
     * table->key.count cells, in the target's normal form, no key twice. Of a table without a key
     * they are whole records, key_count × table->column_count cells in the order of
     * table->columns, and one of the records that are equal to each goes. What is not there is not
     * counted in `deleted`. Durable on return; with CAPABILITY_TRANSACTIONS all of a call or
     * nothing, the claimed run's epoch checked last, and none is counted of one that fails: what is
     * TARGET_LOCKED was rolled back, of other errors of class RETRY nobody knows. Repeatable where
     * there is a key, until the run writes; what the claimed run itself wrote may be left alone.
     * With `keeps_undo` and rollback's undo_deleted, images of the records are kept in the same
     * commit, and keys that the run has undo records of are left alone. NULL: the target can't.
     * Control thread, between chunks.
     */
    enum status (*delete_records)(struct database *self, const struct target_table *table,
                                  const struct cell *keys, uint32_t key_count, uint64_t *deleted,
                                  struct error *error);
    /* Records in the table now. */
    enum status (*count)(struct database *self, const struct target_table *table, uint64_t *count,
                         struct error *error);
    /*
     * Optional: what the run wrote is whole and counted, and readers are shown it from now on, as
     * by an alias that is switched to it; the ledger notes first how it was. Repeatable. Control
     * thread.
     */
    enum status (*publish)(struct database *self, const struct target_table *tables,
                           uint32_t table_count, struct error *error);
    /*
     * Optional, for targets without CAPABILITY_KEY_ENFORCED, and for those that make keys in
     * after_load, which are asked about every table that this run created: after the last chunk
     * and after_load, finds records of this run that share a key (or the columns of another unique
     * index), keeps the lowest (entity = batch->entity, chunk, ordinal = the
     * record's place among the entity's records submitted for the chunk, from 0; UINT64_MAX: not
     * known; a chunk of 0 and an entity of UINT32_MAX, the table's only one, likewise) and reports
     * each other one through `found`, taking it out of the target where it is physically there
     * (`record`: a MAP of its fields as stored; NULL where it was overwritten). The lowest is
     * written again if need be; a target that does not have it any more reports it too, before
     * the others of its key (DUPLICATE_STAYS): the engine makes it again and calls restore.
     * Repeatable: each call reports all of them again.
     */
    enum status (*settle_duplicates)(
        struct database *self, const struct target_table *table,
        enum status (*found)(void *context, uint64_t chunk, uint32_t entity, uint64_t ordinal,
                             const struct cell *key, uint32_t key_count, const struct cell *record,
                             enum duplicate_kind kind, struct error *error),
        void *context, struct error *error);
    /* Optional: are records of these keys one to the table? NULL: those whose keys have one normal
     * form. Control thread. */
    enum status (*keys_are_equal)(struct database *self, const struct target_table *table,
                                  const struct cell *left, const struct cell *right, bool *equal,
                                  struct error *error);
    /* Only of targets that report DUPLICATE_STAYS, and of those whose rollback has no `undo`: puts
     * a record over what stands under its key, durably. Control thread. */
    enum status (*restore)(struct database *self, const struct target_table *table,
                           const struct batch *batch, uint32_t row, struct error *error);
    /* The normal form of a value: what reading it back would give. Idempotent. Any thread. */
    enum status (*normal_form)(struct database *self, const struct cell *cell, struct arena *arena,
                               struct cell *normal, struct error *error);
    /*
     * Optional, for speed, since each record that is copied is hashed: adds `count` fields to
     * the hasher, as normal_form and field_hash_add_cell do; seeds[i] is field_hash_seed of the
     * name of cells[i]. Stops before a LARGE value: *hashed tells at which field. Fails as
     * normal_form does, at the field number *hashed, of which nothing was added then. Any thread.
     */
    enum status (*hash_normal)(struct database *self, const uint64_t *seeds,
                               const struct cell *cells, uint32_t count,
                               struct field_hasher *hasher, uint32_t *hashed, struct error *error);
};

#endif
