/* The steps of a run, in the order in which a new one takes them; a resume skips what is done. */
#ifndef TRANSHUME_ENGINE_RUN_PARTS_H
#define TRANSHUME_ENGINE_RUN_PARTS_H

#include "engine/run/session.h"
#include "engine/run/state.h"

/* ---- run.c */
enum status run_create(struct run_session *session, struct run **run, struct error *error) MUST_USE;
void run_destroy(struct run *run);
/* The log and the events of the run, in its folder. */
enum status run_open_files(struct run *run, struct error *error) MUST_USE;
void run_close_files(struct run *run);
/* Lock, log file. */
enum status run_enter_folder(struct run *run, struct error *error) MUST_USE;
/* Totals, done flags and first chunks, once `chunks` are known. */
enum status run_index_chunks(struct run *run, struct error *error) MUST_USE;
/* Writes the status into the ledger. */
enum status run_put_status(struct run *run, struct error *error) MUST_USE;
enum status run_put_phase(struct run *run, enum ledger_phase phase, struct error *error) MUST_USE;
/* What is done, into the progress counters. */
void run_show_totals(struct run *run);
/* Sets what the status says. */
void run_note(struct run *run, bool *condition);
/* Whoever reads the source comes by here: it is told of all requests, once, so that it sorts what
 * it has no index for, and it is found out whether it is as the chunks were read. */
enum status run_prepare_source(struct run *run, struct error *error) MUST_USE;
/* At a cut-over: what the target counts up stands behind what was applied. */
enum status run_prime_target(struct run *run, struct error *error) MUST_USE;
/* While changes are applied, at one moment of the source: are foreign keys obeyed by now that the
 * copy left broken? Into the status. */
enum status run_look_at_references(struct run *run, struct error *error) MUST_USE;
/* From the claimed ledger to the end, by phases. STATUS_END: interrupted. */
enum status run_execute(struct run *run, struct error *error) MUST_USE;
/* What happened, into ledger, state and result; gives claim and lock back. */
enum status run_conclude(struct run *run, enum status status, struct run_result *result,
                         struct error *error) MUST_USE;
/* Runs the steps with progress shown and state.json kept. */
enum status run_with_display(struct run *run, enum status (*steps)(struct run *run, struct error *),
                             struct error *error) MUST_USE;
/* run.json for this run. */
/* The state folder's own copy of the plan, without secrets. */
enum status run_keep_plan(const struct run *run, struct error *error) MUST_USE;
enum status run_write_local(const struct run *run, bool begun, bool finished,
                            struct error *error) MUST_USE;
/* Goes on with a run whose ledger does not exist yet, or begins one: run_begin.c */
enum status run_begin(struct run *run, struct error *error) MUST_USE;
/* Says by what a rollback that has begun is gone on with. */
enum status run_refuse_rolling_back(const char *where, const char *id, struct error *error);
/* Refuses what is left unfinished here or in the target; notes a finished run. */
enum status run_clear_way(struct run *run, struct error *error) MUST_USE;
/* Moves the finished run away, once nothing stands in the way of the one that begins: a migrate
 * that is refused leaves what `status` shows. */
enum status run_retire_finished(struct run *run, struct error *error) MUST_USE;
/* The header's parts that come from the session. */
void run_fill_header(struct run *run);
/* ledger.create, and what is around it. */
enum status run_create_ledger(struct run *run, struct error *error) MUST_USE;
/*
 * Between the look at the target and the ledger, another run may have come and gone; once the
 * ledger is there none can. What it left is not to be written over: this run then ends before it
 * began, and leaves nothing to go on with, since that would only double what is there.
 */
enum status run_check_overtaken(struct run *run, struct error *error) MUST_USE;

/* ---- parts.c */
/* As the header has it: "schema", "data"; NULL: both. */
const char *run_parts_name(enum parts_choice parts);
enum parts_choice run_parts_read(const char *name);
/* Does it move these parts alone, as its header says? */
bool run_moves(const struct run *run, enum parts_choice parts);
/* Views, triggers and so on that it makes; NULL: none. */
const struct schema *run_objects(const struct run *run);
/* With --data-only prepare must find nothing to make, also of a run that is continued. */
enum status run_require_tables(struct run *run, struct error *error) MUST_USE;

/* ---- preflight.c: what would make a run refuse, one line each; the worst exit status. */
struct preflight {
    struct buffer problems;
    struct error first;
    uint32_t count;
    uint32_t lacking_count; /* the first of them: what may not be read */
    struct buffer unfit;    /* foreign keys and objects that the target can't have, a line each */
    struct buffer changed;  /* the same of what it has in another way */
    struct buffer lost;     /* of these what is left out, as "KIND\tTABLES: text" */
    uint64_t unfit_count;   /* of the foreign keys */
    bool *unfit_objects;    /* of the plan's same_engine_objects; NULL: none of them */
};
/* What is known of a query's declared key. */
struct key_check {
    uint64_t rows; /* compared */
    bool whole;    /* all of them */
    bool repeats;
    struct buffer shown; /* one that repeats; the caller frees it */
};
/* check_keys.c: reads the keys of a stream with `request.query` in their order, until `until_ms`.
 */
enum status check_query_key(struct run_session *session, const struct plan_stream *stream,
                            int64_t until_ms, struct key_check *result,
                            struct error *error) MUST_USE;

/* A line for each catalogue of the source: what a plain copy does with its objects. */
void check_append_inventory(const struct run_session *session, const struct preflight *preflight,
                            struct buffer *out);
/* left_behind.c: what the run does not carry, as observe/not_carried.h has it; the caller owns it.
 */
struct json_t *left_behind_make(const struct run_session *session,
                                const struct preflight *preflight);
/* What is left to do about rights, as observe/rights_list.h has it, for a status of so many bytes
 * at most; the caller owns it. */
struct json_t *left_behind_rights(const struct rights_left *left, uint32_t status_bytes_max);
/* Sets what the result has of it, in the session's arena. */
void left_behind_sum(const struct run *run, struct run_result *result);
enum status preflight_check(struct run_session *session, struct target_table *tables,
                            const char ***absent, uint32_t *absent_count,
                            struct preflight *preflight, struct error *error) MUST_USE;
/* For each of the tables: is it one of those absent, which are in their order? In the arena. */
const bool *preflight_mark_absent(const struct target_table *tables, uint32_t table_count,
                                  const char *const *absent, uint32_t absent_count,
                                  struct arena *arena);
void preflight_free(struct preflight *preflight);
/* Views, triggers and so on that a new run makes; NULL: none. */
const struct schema *preflight_objects(const struct run_session *session);
/* The plan's tables as one list, as the connectors want it. */
void preflight_tables(struct run_session *session, struct arena *arena,
                      struct target_table **tables);
/* As the options say; not for the few records of a repair, nor indexes for those that were mended.
 */
bool preflight_rebuilds_indexes(const struct run_session *session);
bool preflight_disables_triggers(const struct run_session *session);
bool preflight_rejects_orphans(const struct run_session *session);
/* What the target has to say, and what becomes of indexes and triggers of tables that are there,
 * if anything is to; a line each. */
enum status preflight_foretell(struct run_session *session, struct target_table *tables,
                               struct buffer *out, struct error *error) MUST_USE;
/* Must duplicates of this table be looked for after the load? */
bool preflight_settles(const struct run_session *session, const struct plan_table *table);

/* ---- run_look.c */
/* Sets run->turns and run->forms by what the target tells of its tables, which are prepared; once.
 * Control thread. */
enum status run_look_at_target(struct run *run, struct error *error) MUST_USE;

/* ---- run_report.c */
/* The report of a run that ended, however; that it could not be written is only said. */
void run_report_end(const struct run *run, struct run_result *result);
/* The same while and after the run of the folder is taken back. */
void run_report_rollback(const char *folder, bool at_work);

/* ---- recheck.c */
/* After a take-over: what the other one may have had in hand becomes doubtful. */
void recheck_note_open(struct run *run);
/*
 * Once all chunks are done: reads the doubtful ones back and compares them with what the plan makes
 * of the source; one that differs is made not done, and STATUS_AGAIN says that there is something
 * to copy again. STATUS_OK: nothing is in doubt any more; what was not right time and again is
 * said.
 */
enum status recheck_run(struct run *run, struct error *error) MUST_USE;
bool recheck_is_due(const struct run *run);

/* ---- settle.c, reconcile.c */
enum status settle_run(struct run *run, struct error *error) MUST_USE;
/* Applies what an earlier settling found to the totals. */
enum status settle_apply(struct run *run, struct error *error) MUST_USE;
/* The same to totals of another run, an entity each. */
enum status settle_totals(const struct run *run, struct tally *totals, uint32_t count,
                          struct error *error) MUST_USE;
/* Takes what became of an entity there (NULL: nothing) out of the sum of what was written; where
 * its hashes are not known, `*hashed` becomes false. */
void settle_subtract_hash(const struct json_t *entity, struct canonical_hash *sum, bool *hashed);
enum status reconcile_run(struct run *run, struct error *error) MUST_USE;

#endif
