/* Declarations that the files of rollback and finish share. */
#ifndef TRANSHUME_ENGINE_ROLLBACK_PARTS_H
#define TRANSHUME_ENGINE_ROLLBACK_PARTS_H

#include "engine/rollback/rollback.h"
#include "engine/session/session.h"

/* The records that a table must hold if nobody but the run wrote to it. */
struct rollback_expected {
    uint64_t count_min;
    uint64_t count_max;
    bool hashed;
    struct canonical_hash hash;
};

/* The look's counts of a table, for steps whose last try can't tell what an earlier one did, and
 * what these told last. */
struct rollback_looked {
    struct undo_counts counts;
    bool repeated;
    uint64_t left;   /* of undo, that another call may do; or the table, which waits for others */
    uint64_t away;   /* of undo_deleted, likewise */
    bool goes_early; /* tables that refer to it go later: they are in a circle with it */
    bool loosened;   /* before any goes: what it refers to in a circle is NULL in its records */
};

/* The target opened once more, for reading, while its tables are looked at. */
struct rollback_mirror {
    struct arena *arena;
    struct database *source;
    struct schema *schema;
    struct reader *reader;         /* NULL: not open */
    struct read_request *requests; /* one a table; without a name: not among those described */
};

/* Where the state folder keeps what it knows of the run. */
enum rollback_place {
    ROLLBACK_OWN,     /* it is the folder's own run */
    ROLLBACK_IN_RUNS, /* in runs/ID, also if nothing is there yet */
    ROLLBACK_NOWHERE  /* what the folder knows under this id is of another target: it stays */
};

struct rollback {
    struct run_session session; /* only the target is open: no source, no plan */
    struct run run;
    const char *target_text; /* the URI as it was given or found */
    const char *ledger_text; /* likewise; NULL: in the target */
    struct ledger_run *ledger;
    struct target_table *tables; /* of the header */
    struct rollback_expected *expected;
    struct rollback_looked *looked; /* one a table */
    struct rollback_mirror mirror;
    struct schema *there; /* the target's tables, while they are looked at; NULL: not SQL */
    struct rollback_report report;
    bool was_complete;
    bool finishing; /* the ledger is to be dropped, nothing to be taken back */
    enum rollback_place place;
    bool has_begun;       /* an earlier process began to roll back */
    bool moved;           /* a record was taken back in this round */
    struct error refusal; /* of the first table that waits for others */
};

/* ---- rollback_open.c */
/* Session, state folder and target, for rollback and finish. */
enum status rollback_open_target(struct rollback *rollback, const struct rollback_options *options,
                                 struct error *error) MUST_USE;
void rollback_free(struct rollback *rollback);

/* ---- rollback_look.c */
/* Was the table taken back already? */
bool rollback_is_undone(const struct rollback *rollback, const char *table);
/* May the target have kept records that the run took out of it? */
bool rollback_has_deleted(const struct rollback *rollback, uint32_t number);
/* The records expected in each table, as the done marks say. */
enum status rollback_expect(struct rollback *rollback, struct error *error) MUST_USE;

/* ---- rollback.c */
/* Views, functions … that the run made, and what depends on its tables; STATUS_END: stopped. */
enum status rollback_remove_objects(struct rollback *rollback, bool dry_run, struct buffer *what,
                                    struct error *error) MUST_USE;

/* ---- rollback_mirror.c */
/* Can it be told which entity each record of the table is of? Where columns are declared, a null
 * field and one that an entity does not have are the same. */
bool rollback_can_tell(const struct rollback *rollback, uint32_t number);
/* Is the target a SQL database? Elsewhere no table refers to another one. */
bool rollback_is_of_sql(const struct rollback *rollback);
/* session_describe_target of the header's tables from `first` to before `end`. */
enum status rollback_describe(const struct rollback *rollback, uint32_t first, uint32_t end,
                              struct arena *arena, struct database **source, struct schema **schema,
                              struct error *error) MUST_USE;
/* How to read a table that can be told; opened with all tables of the run behind it where the
 * target is a SQL database, in one snapshot. Both live until the next call, or
 * rollback_mirror_close.
 */
enum status rollback_mirror_find(struct rollback *rollback, uint32_t number,
                                 const struct rollback_mirror **mirror,
                                 const struct read_request **request, struct error *error) MUST_USE;
/* Before anything is changed: its snapshot holds locks. */
void rollback_mirror_close(struct rollback *rollback);

/* ---- rollback_columns.c */
/* Describes the tables of a SQL database for those below; rollback_columns_end forgets it. */
enum status rollback_columns_begin(struct rollback *rollback, struct error *error) MUST_USE;
void rollback_columns_end(struct rollback *rollback);
/* Is what has the name of a table of the run, and is there, a table? */
enum status rollback_check_kind(const struct rollback *rollback, uint32_t number,
                                struct error *error) MUST_USE;
/* Does a table that goes as a whole, with records in it, hold something of others in a column that
 * the run does not fill? */
enum status rollback_check_unfilled(const struct rollback *rollback, uint32_t number,
                                    struct error *error) MUST_USE;

/* ---- rollback_referrers.c */
/* Refused where records of others refer to a table that goes as a whole and the target would let it
 * go: of tables that are neither of the run nor still to be taken back. */
enum status rollback_check_referrers(const struct rollback *rollback, uint32_t number,
                                     struct error *error) MUST_USE;

/* ---- rollback_hash.c */
/* Reads the whole table and sums its records as the done marks do. `*can` false: it can't be told
 * which entity a record is of. */
enum status rollback_hash_table(struct rollback *rollback, uint32_t number, uint64_t *count,
                                struct canonical_hash *sum, bool *can,
                                struct error *error) MUST_USE;
/* Records that the target keeps since it took them out of the table for want of a partner: how many
 * (`rejected`), and their hash (`hashed`: it could be told). */
enum status rollback_hash_orphans(struct rollback *rollback, uint32_t number, struct tally *gone,
                                  struct error *error) MUST_USE;

/* ---- rollback_order.c */
/* The numbers of the header's tables in the order in which they are taken back, in the run's
 * arena. */
enum status rollback_order(struct rollback *rollback, uint32_t **order,
                           struct error *error) MUST_USE;

/* ---- rollback_local.c */
/* The state folder's part at the end: what is left of the run moves to runs/ID, its state says
 * "rolled_back". Repeatable. */
enum status rollback_end_local(struct rollback *rollback, struct error *error) MUST_USE;
/* The run.json of a run that is known here; false: not known, and perhaps why. `run_id` NULL: the
 * folder's own. */
bool rollback_find_local(const struct state_folder *folder, const char *run_id, struct arena *arena,
                         struct local_run *local, struct error *why);
/* Sets `place`, once the target is open and, if it has the run, its header is read. False: the
 * folder does not know the run. `run_id` NULL: the folder's own. */
bool rollback_find_place(struct rollback *rollback, const char *run_id, struct local_run *local);
/* The before-images that the state folder keeps of the run, once its place is found. */
enum status rollback_remove_images(struct rollback *rollback, struct error *error) MUST_USE;
/* Notes in the run's run.json that it is about to vanish from the target. */
enum status rollback_note_begun(struct rollback *rollback, struct error *error) MUST_USE;

#endif
