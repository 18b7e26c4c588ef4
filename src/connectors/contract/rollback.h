/* The contract: taking a run back. */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_ROLLBACK_H
#define TRANSHUME_CONNECTORS_CONTRACT_ROLLBACK_H

#include "connectors/contract/target.h"

/* The fate of the records that a run wrote to one table. */
struct undo_counts {
    uint64_t removed;  /* they are gone */
    uint64_t restored; /* they are again what the run overwrote */
    uint64_t changed;  /* somebody changed them since: they stay as they are */
    uint64_t missing;  /* somebody deleted them since: they stay away */
    uint64_t kept;     /* undo records of what it wrote, which the engine counts */
    uint64_t left;     /* something keeps them from it now; another call may do it (`takes_out`) */
    /* a trigger or a rule of the table did something else: they are neither what the run overwrote
     * nor gone. All of the table's, those of earlier calls too: they are known until the run is
     * forgotten */
    uint64_t differing;
};

/*
 * How a claimed run is taken back; NULL: it can't be. All of it on the control thread, while no
 * writer is open. Each call is repeatable, also after a crash in it, and is no more than the
 * claimed run's own: what another run or somebody else made is left alone.
 */
struct rollback_functions {
    /*
     * Optional (NULL: always): could the run's writes to this table, which is there or would be
     * made, be undone key by key? STATUS_END: no, and `why` says so. Changes nothing.
     */
    enum status (*can_undo)(struct database *self, const struct target_table *table,
                            struct buffer *why, struct error *error);
    /*
     * Takes the run's records out of a table key by key, and puts back what they overwrote.
     * `dry_run`: only counts. `ended_us`: when the run ended, 0: it did not. Targets that know
     * their own records by other means than kept images do it for every table (`undoes_all`), also
     * for one that is not there any more, and finds `changed` before it touches anything. NULL:
     * with `keeps_undo` the engine does it, by fetch, delete_records and restore.
     */
    enum status (*undo)(struct database *self, const struct target_table *table, int64_t ended_us,
                        bool dry_run, struct undo_counts *counts, struct error *error);
    bool undoes_all;
    /* Records that delete_records takes out are kept, and come back with undo: of targets that undo
     * all. */
    bool keeps_deleted;
    /* Optional: of a table with `later`, those columns become NULL in records that the run added
     * and nobody changed since, so that none of a circle holds another one. Repeatable. */
    enum status (*loosen)(struct database *self, const struct target_table *table,
                          struct error *error);
    /*
     * Optional: delete_records keeps what it takes out of a table with `keeps_undo`, and this puts
     * it back, where nothing stands under its key: what does is somebody else's, stays, and is
     * counted as changed. Called of each table after `undo` was of all of them, first of those that
     * others refer to; both are called again for as long as one of them does something and others
     * are left. `dry_run`: only counts.
     */
    enum status (*undo_deleted)(struct database *self, const struct target_table *table,
                                bool dry_run, struct undo_counts *counts, struct error *error);
    /*
     * Both or none, of SQL databases: columns that the run does not fill, as the catalogue names
     * them. Any process that has claimed the run; changes nothing. `sum_columns`: what the table's
     * records hold in them, as a text in `arena` that is another one if others change any of it.
     * `find_foreign`: the first one in which a record holds neither NULL nor the column's default,
     * in `arena`; NULL: there is none. Of a default that does not always give the same nobody can
     * tell what it gave: with `trusts` all is taken for that, else nothing.
     */
    enum status (*sum_columns)(struct database *self, const struct target_table *table,
                               struct column_list columns, struct arena *arena, const char **sum,
                               struct error *error);
    enum status (*find_foreign)(struct database *self, const struct target_table *table,
                                struct column_list columns, bool trusts, struct arena *arena,
                                const char **column, struct error *error);
    /* Optional: does the ledger know that the claimed run made (or began to make) the table? Others
     * remove_table leaves alone. Changes nothing. */
    enum status (*was_made)(struct database *self, const struct target_table *table, bool *made,
                            struct error *error);
    /* Optional: has somebody made something of a table that the run made (`created`) that
     * remove_table would take along or break? Then ERROR_ROLLBACK_REFUSED. Changes nothing. */
    enum status (*can_remove)(struct database *self, const struct target_table *table,
                              struct error *error);
    /*
     * Optional, where remove_table goes through although records of other tables refer to those of
     * the table by a foreign key: the name of such a table, in `arena`; NULL: there is none.
     * Those of `going` don't count, nor the table itself. Any process that has claimed the run;
     * changes nothing.
     */
    enum status (*find_referrer)(struct database *self, const struct target_table *table,
                                 struct column_list going, struct arena *arena,
                                 const char **referrer, struct error *error);
    /* Drops the table if it was made by the run (`created`), else takes all records out. One that
     * is gone already is fine. */
    enum status (*remove_table)(struct database *self, const struct target_table *table,
                                struct error *error);
    /* Optional: drops views, triggers and the like that the run made, before any table is touched;
     * `what` gets a line each. One that was changed since stays, with a line that says so.
     * `dry_run`: only says. */
    enum status (*remove_objects)(struct database *self, bool dry_run, struct buffer *what,
                                  struct error *error);
};

#endif
