/* A run from beginning to end: open, check, copy, resume, end. What the commands call. */
#ifndef TRANSHUME_ENGINE_RUN_H
#define TRANSHUME_ENGINE_RUN_H

#include "base/buffer.h"
#include "base/error.h"
#include "engine/follow/follow_end.h"
#include "observe/progress.h"
#include "plan/plan.h"
#include <stdbool.h>
#include <stdint.h>

struct observer;
struct fence;

/* Indexes of tables that are in the target already. */
enum indexes_choice { INDEXES_UNSET, INDEXES_KEEP, INDEXES_REBUILD };
/* Rows that foreign keys of the source changed without a word of the feed: */
enum cascades_choice {
    CASCADES_UNSET, /* as the run began; apply */
    CASCADES_APPLY, /* is found in the target, and changed by us */
    CASCADES_TARGET /* the target's foreign keys change likewise */
};
enum triggers_choice { TRIGGERS_UNSET, TRIGGERS_KEEP, TRIGGERS_DISABLE };
/* Triggers of the target, on changes that following applies: as enum apply_answers, one up.
 */
enum follow_triggers_choice {
    FOLLOW_TRIGGERS_UNSET, /* as the run began; off */
    FOLLOW_TRIGGERS_OFF,
    FOLLOW_TRIGGERS_REFUSE,
    FOLLOW_TRIGGERS_FIRE
};
/* The way that lists of maps go in a plain copy of documents. */
enum nested_choice { NESTED_UNSET, NESTED_JSON, NESTED_TABLES };
/* Objects that run as their definer: enum definer_choice of connectors/contract/database.h, one up,
 * and `refuse`.
 */
enum definers_choice { DEFINERS_UNSET, DEFINERS_KEEP, DEFINERS_SELF, DEFINERS_REFUSE };
/* Records without a partner, in tables that the run makes. */
enum broken_references_choice { BROKEN_UNSET, BROKEN_KEEP, BROKEN_REJECT };

/* The parts of a database that a run moves. */
enum parts_choice {
    PARTS_ALL,
    PARTS_SCHEMA, /* tables and all that goes with them, no records */
    PARTS_DATA    /* records into tables that are there; nothing is made */
};

/* Hooks that had begun and are not known to be done. */
enum begun_hooks_choice { BEGUN_HOOKS_UNSET, BEGUN_HOOKS_SKIP, BEGUN_HOOKS_REPEAT };

/* Whether a run is followed on whose source has another schema than the run keeps of it. */
enum schema_change_choice { SCHEMA_CHANGE_UNSET, SCHEMA_CHANGE_REREAD, SCHEMA_CHANGE_STOP };
/*
 * The commands of the engine. All but the first are for a run that is there, whose endpoints and
 * filters hold where none are given; those behind RUN_RESUME are for a run that follows.
 */
enum run_command {
    RUN_BEGIN,            /* a new run */
    RUN_RESUME,           /* goes on copying, or following */
    RUN_RESYNC,           /* makes the feed again; both sides are compared next, by `validate` */
    RUN_RESYNC_END,       /* then repairs what the comparison found, and follows */
    RUN_CUT_OVER,         /* asks, fences, drains and primes */
    RUN_CUT_OVER_REVERSE, /* then begins the way back */
    RUN_CUT_OVER_END,     /* then ends following */
    RUN_CUT_OVER_BACK,    /* forgets the steps of a cut-over that is not done */
    RUN_ABANDON           /* ends following without a cut-over */
};
static inline bool run_command_resyncs(enum run_command command)
{
    return command == RUN_RESYNC || command == RUN_RESYNC_END;
}
/* A step of a cut-over, or of giving one up. */
static inline bool run_command_cuts_over(enum run_command command)
{
    return command >= RUN_CUT_OVER;
}
/* Only the cut-over is taken back, or following given up: nothing is applied. */
static inline bool run_command_gives_up(enum run_command command)
{
    return command == RUN_CUT_OVER_BACK || command == RUN_ABANDON;
}

/* A URI option of whichever connector knows it. The value needs no escapes. */
struct run_parameter {
    const char *name;
    const char *value;
    const char *said; /* "MAX_RETRIES (settings.yaml:3:1)"; NULL: nobody did, it is a default */
    bool for_source;
    bool for_target;
};

/* Where a run reads and writes, and what it is kept in. */
struct run_sides {
    const char *plan_path;  /* NULL: no plan, a plain copy */
    const char *source_uri; /* replaces the plan's; needed without a plan */
    const char *target_uri;
    const char
        *source_name; /* "@NAME" of the connection that source_uri is of; NULL: it is none's */
    const char *target_name;
    const struct run_parameter
        *parameters; /* for source_uri and target_uri, as parameters.h says */
    uint32_t parameter_count;
    const char *ledger_uri; /* the database that holds the ledger; NULL: the target */
    /* of the target, for the ledger; NULL: that of the tables */
    const char *ledger_schema;
    const char *state_folder; /* ".transhume" beside the plan (or here) */
    const char *time_zone;
};
/* How much a run uses at once, how fast it may be, and how long it waits. */
struct run_limits {
    uint32_t jobs;         /* 0: as many as pays, from cores and both sides' limits */
    uint64_t memory_bytes; /* bound on batches, rings and caches together */
    uint64_t chunk_rows;   /* 0: chosen */
    uint64_t batch_rows;
    uint64_t batch_bytes;
    uint64_t rows_per_second_max; /* 0: no cap */
    uint64_t bytes_per_second_max;
    uint64_t read_units_per_second_max; /* capacity units of the source; 0: no cap */
    uint64_t write_units_per_second_max;
    uint64_t pause_running;     /* the run waits while others run more statements; 0: whatever */
    int64_t pause_statement_ms; /* … one of them has been running for longer */
    int64_t pause_lag_ms;       /* … a replica is further behind */
    int64_t timeout_ms;         /* of any single wait */
    int64_t stall_ms;           /* nothing moved for so long: report; ten times so long: fail */
};
/* How many records a run may reject. */
struct reject_bound {
    int64_t max;     /* -1: no bound */
    bool fail_fast;  /* the first reject ends the run */
    bool is_said;    /* by one of these two, before options_resolve */
    int64_t planned; /* the bound that the plan names, fail_fast as 0; -1: none */
};
/* Which part of the source is moved, and under which names. */
struct run_selection {
    struct column_list schemas; /* of the source; none: what the URI or its connector says */
    const char *const *include;
    uint32_t include_count;
    const char *const *exclude;
    uint32_t exclude_count;
    const char *const *renumber; /* target tables whose records get new keys */
    uint32_t renumber_count;
    const char *names;    /* "keep", "lower" or "snake" in place of the plan's; or NULL */
    const char *since;    /* a column, in place of the plan's; or NULL */
    bool full;            /* what has `since` is read whole, whatever earlier runs read */
    uint64_t sample_rows; /* a part of the source: engine/subset/subset.h; 0: all of it */
    uint64_t sample_seed;
    enum parts_choice parts; /* of a new run and its check; a resume asks the ledger */
};
/* Things that are made in the target, and what becomes of those that are there. */
struct run_making {
    int existing;                  /* enum existing_policy, -1: the plan's */
    enum indexes_choice indexes;   /* rebuild: dropped for the load, and made again after it */
    enum triggers_choice triggers; /* disable: none fires while it lasts */
    /* reject: records without a partner become rejects */
    enum broken_references_choice broken_references;
    enum nested_choice nested;
    bool carries_rights;          /* owners and grants of a plain copy */
    enum definers_choice definer; /* of views, triggers, routines, events of a plain copy */
    bool no_code;          /* nothing of the source that calls functions is made in the target */
    bool strict;           /* refuse if anything of the source is left out */
    bool no_before_images; /* nothing is kept of records that are overwritten */
    bool rollback_keys;    /* keys of what is written are kept for every table, so that rollback can
                              go by key; costs the express lane */
    bool no_express;       /* general path even where the express lane would do (tests, benches) */
    bool no_hashes;        /* no hash sums in the done marks */
};
/* Loading records again: migrate --rejects, validate --repair. */
struct repair_options {
    const char *file;        /* migrate --rejects: load mended records */
    bool is_repair;          /* `file` is what a validation found: validate --repair */
    const char *of_run;      /* … and of which run; NULL: of none that is known */
    struct column_list made; /* … and the tables which that one made */
    const char *delete_hash; /* of what it takes out: delete.jsonl in the state folder */
    const char *write_hash;  /* of `file`, when it was made */
    bool may_repair;         /* validating: with --repair */
};
/* The parts that a check and a diff show. */
struct check_options {
    int64_t estimate_ms; /* check: how long is read for it; 0: two seconds */
    bool shows_ddl;      /* check: fills check_report.ddl */
    bool ignores_there;  /* diff: the plan is resolved as if the target held no tables */
    /* check: the account of check_report.rights; NULL: not wanted */
    const char *rights_for;
};
/* Following the source. */
struct follow_options {
    bool wanted;              /* after the copy, the source's changes are applied */
    uint32_t source_failures; /* in a row, without a change in between (source_now.h) */
    bool recovers;            /* open_options.recovers for the source */
    bool spool;               /* while the copy is made, the source's log is kept here */
    bool catch_up;            /* only those that the source has by then */
    uint32_t lanes;           /* that apply them at once; 0: one */
    enum cascades_choice cascades;
    enum follow_triggers_choice triggers;
    uint64_t retained_bytes_max; /* what the source may keep of its log for the feed; 0: any */
    bool drop_when_full;         /* … and beyond that the feed goes */
    const char *const *refresh;  /* tables of the source that are read again */
    uint32_t refresh_count;
    enum schema_change_choice on_schema_change;
    bool mirrors; /* migrate --mirror: tables that hold records are left alone, since
                     a comparison puts them right */
};
/* A cut-over and the way back. */
struct cut_over_options {
    bool leaves_rejects;    /* a cut-over does without the records that were rejected */
    bool reverse;           /* a cut-over keeps the way back open */
    const char *reverse_of; /* a run that begins is such a way back: of the run with this feed */
    int64_t max_lag_ms;     /* before a cut-over's fence */
    const char *before_command;  /* for /bin/sh; NULL: none */
    const char *fence_command;   /* in place of the connector's own fence */
    const char *unfence_command; /* undoes it */
    struct fence *fence; /* of a cut-over, engine/follow/cutover/fence.h; NULL: of other commands */
    const char *after_command;
};
/* The hooks of a plan. */
struct hook_options {
    bool none;           /* none of the plan's hooks runs */
    bool allow_commands; /* those that are commands may */
    enum begun_hooks_choice begun;
};

/*
 * Everything a command can set. run_options_default leaves all unset (0, NULL, false; -1 where 0
 * has a meaning): what nobody sets stands as the plan's `options:` say, else as the default. Texts
 * are borrowed.
 */
struct run_options {
    enum run_command command;
    struct run_sides sides;
    struct run_limits limits;
    struct reject_bound rejects;
    struct run_selection selection;
    struct run_making making;
    struct repair_options repair;
    struct check_options check;
    struct follow_options follow;
    struct cut_over_options cut_over;
    struct hook_options hooks;
    bool take_over;
    bool validating;           /* validate: the target is only read, through its source side, too */
    bool confirmed;            /* what deletes records may, or nothing is written: check */
    struct observer *observer; /* NULL: nobody watches */
    enum progress_mode progress;
    bool color;
    const char *command_line; /* for the log, redacted */
};
void run_options_default(struct run_options *options);

/* Source and target open, schema read, plan resolved. Nothing has been changed anywhere. */
struct run_session;
/* `faults` gets one line each for a plan with faults (also in error). */
enum status run_open(const struct run_options *options, struct run_session **session,
                     struct buffer *faults, struct error *error) MUST_USE;
void run_close(struct run_session *session);
const struct plan *run_plan(const struct run_session *session);

/* ---- check */
struct check_entity {
    const char *name;
    const char *table;
    const char *from;
    int64_t records;  /* -1: not known before the run */
    int64_t bytes;    /* estimate */
    const char *keys; /* proven, or checked at the end, and why */
    int64_t chosen;   /* of these, by --sample-rows; -1: all */
    int64_t partners; /* of the chosen ones, because others refer to them */
    bool express;     /* the target pulls it from the source itself */
};
struct check_list {
    const char *const *lines;
    uint32_t count;
};
/* check --follow */
struct check_follow {
    bool asked;
    struct check_list refusals;   /* why it can't be followed, with what helps; none: it can */
    struct check_list cut_over;   /* for what a cut-over would be refused, likewise */
    struct check_list statements; /* that are run in the source */
    struct check_list costs;
    struct check_list keyless;      /* how tables without a primary key are followed */
    struct check_list silenced;     /* what is taken out of the target while changes are applied */
    struct check_list native;       /* the server's own replication, where it would do as well */
    struct check_list native_lacks; /* and what it would not do */
};
/* check --ddl: a column of a table that the run makes. */
struct check_column {
    const char *table;
    const char *name;
    const char *from;      /* the source's column, or what makes the values: "a template" */
    const char *from_type; /* as the source declares it; NULL: it is computed */
    const char *type;      /* as the target declares it; NULL: it declares none */
    const char *why;       /* its values change their type; NULL: they do not */
};
struct script_statement; /* connectors/contract/script.h */
struct check_ddl {
    bool asked;
    bool scripted; /* the target's tables need statements */
    const struct check_column *columns;
    uint32_t column_count;
    const struct script_statement *statements; /* in the order in which they run */
    uint32_t statement_count;
};
/* Rejects of the sample: of one entity, for one field and of one kind. */
struct check_reject {
    const char *entity;
    const char *field; /* NULL: of the whole record */
    const char *code;  /* as rejects have it */
    const char *reason;
    const char *key;    /* of the first such record; NULL: it is not known */
    const char *remedy; /* what a plan can say about it; NULL: nothing that is known */
    uint64_t count;
    uint64_t seen; /* records of the entity that were looked at */
    bool various;  /* others say something else than `reason` */
};
/* check --rights-for ACCOUNT: what an account of least rights is given. */
struct rights_statement; /* connectors/contract/rights.h */
struct check_rights {
    bool asked;
    bool source_told; /* its connector knows such statements */
    bool target_told;
    const struct rights_statement *source;
    uint32_t source_count;
    const struct rights_statement *target;
    uint32_t target_count;
};

/* Objects of the source that call functions once a copy made them. */
struct check_code {
    const char *account;       /* of the target, which runs it; NULL: it is not known */
    bool superuser;            /* who may do everything */
    bool left_out;             /* --no-code: what is listed is the target's own */
    struct check_list at_once; /* while tables are made and filled */
    struct check_list later;   /* when somebody uses them */
};

struct check_report {
    struct check_rights account; /* what it is given */
    struct check_follow follow;
    struct check_code code;
    struct check_list hooks;    /* what the plan runs besides, a line each */
    struct check_list opened;   /* where somebody may more than in the source: "object: why" */
    struct check_list openings; /* the statements that close these, behind those of roles */
    struct check_list rights;   /* the other statements that are left to do about rights */
    struct check_list unopened; /* why, a line for each of these */
    struct check_ddl ddl;
    struct check_entity *entities;
    uint32_t entity_count;
    enum guarantee guarantee;
    const char *guarantee_text;
    int64_t seconds_estimate; /* from a timed sample; -1: too small to say */
    int64_t bytes_estimate;
    const char *const *notes; /* what is widened, not carried, waits … */
    uint32_t note_count;
    const char *const *problems; /* what would make migrate refuse; exit 2 or 5 */
    uint32_t problem_count;
    int refused;               /* exit status migrate would have, 0 if none */
    uint64_t foreseen_rejects; /* at least, of the records that were looked at */
    const struct check_reject *rejects;
    uint32_t reject_count;
    bool foreseen_emptied; /* references that stay NULL */
    struct arena *arena;   /* frees it all */
};
/* Says what a run of the session is about to do, in three lines at most. */
void run_decided(const struct run_session *session, struct buffer *out);
/* The promise of source and target after any crash. */
enum guarantee run_guarantee(const struct run_session *session);
/* "exactly once", "idempotent", "at least once" */
const char *run_guarantee_name(enum guarantee guarantee);
/* True if the target is `-`: records go to standard output, and all else to standard error. */
bool run_writes_to_stdout(const struct run_session *session);
/* Can `transhume resume` go on with a run into this target? */
bool run_can_resume(const struct run_session *session);
/* Connects, reads, changes nothing. */
enum status run_check(struct run_session *session, struct check_report *report,
                      struct error *error) MUST_USE;
/* The first `count` records of each entity as they will arrive, as JSON lines
 * {"entity":…,"table":…,"record":{…}} or as readable text. */
enum status run_sample(struct run_session *session, uint32_t count, bool json, struct buffer *out,
                       struct error *error) MUST_USE;

/* ---- diff */
struct script; /* connectors/contract/script.h */
/* The statements that would make the plan's tables and objects in a target that holds nothing; none
 * of a target whose tables need none. `place` as script_request has it. */
enum status run_script(struct run_session *session, const char *place, struct script *script,
                       struct error *error) MUST_USE;
/* The target's URI, secrets included: for opening it once more. */
const char *run_target_uri(const struct run_session *session);

/* ---- migrate and resume */
/* How many of the plan's tables hold records, and how many are missing or empty. */
enum status run_count_filled(struct run_session *session, uint32_t *filled, uint32_t *unfilled,
                             struct error *error) MUST_USE;
struct run_result {
    char run_id[40];
    struct progress *progress; /* counters per entity; owned by the session */
    double seconds;
    uint64_t rejected;
    uint64_t unmatched; /* records of the source that fitted no entity and were left out */
    uint64_t differences;
    uint32_t broken_references; /* foreign keys that are missing, or not obeyed by all records */
    enum follow_end follow_end; /* FOLLOW_NONE: it did not come to following */
    bool source_failed;   /* FOLLOW_OVERTAKEN, of a table that was not there as it was read, or that
                             somebody waited for */
    uint64_t changes;     /* of the source's rows that this attempt followed */
    uint64_t chunks_done; /* in all attempts */
    bool mixed_snapshot;
    bool no_snapshot; /* the source knows none */
    bool schema_only; /* it made tables and moved no records */
    bool has_ledger;  /* the run was this process's to write: the target is not untouched */
    const char *rejects_folder;   /* NULL if nothing was rejected */
    const char *report_file;      /* NULL: there is none */
    const char *not_carried;      /* "2 views, 1 trigger"; NULL: nothing is left behind */
    const char *not_carried_list; /* the same as JSON text, observe/not_carried.h; NULL: [] */
    const char *rights_list;      /* what is left to do about rights, as JSON text,
                                     observe/rights_list.h; NULL: [] */
    uint32_t opened;              /* of these: where somebody may more than in the source */
    uint32_t unopened;            /* the others */
    uint32_t kept_definers;       /* objects that run as another account than the one that copied */
    uint32_t warning_count;
    int exit_status; /* 0, 1 or 4 when status is OK */
};
/*
 * A new run. Refused (5) over an unfinished one, a target that is not empty, a held state folder.
 * Interrupted by a signal: STATUS_OK with exit_status 4.
 */
enum status run_migrate(struct run_session *session, struct run_result *result,
                        struct error *error) MUST_USE;
/* Goes on with the unfinished run of this plan. One that finished and told how it ended: STATUS_OK,
 * ERROR_RUN_FINISHED in `error`, and the exit_status that it had; one that died before it could
 * tell does so now. */
enum status run_resume(struct run_session *session, struct run_result *result,
                       struct error *error) MUST_USE;

struct lack_list; /* connectors/contract/lacks.h */
/* Notes all that stands in the way of a cut-over of the unfinished run, which another process may
 * be at work on. Changes nothing, and claims nothing. */
enum status run_ask_cut_over(struct run_session *session, struct lack_list *lacks,
                             struct error *error) MUST_USE;

/* ---- report */
/*
 * Where the files of a run lie: the state folder's own (`run_id` NULL or its id), or one of its
 * runs/; observe/report.h makes the report of them. `at_work`: a process is at work on it. The path
 * lives in the arena. ERROR_RUN_NOTHING: there is none.
 */
enum status run_report_folder(const char *state_folder, const char *run_id, struct arena *arena,
                              const char **path, bool *at_work, struct error *error) MUST_USE;

/* ---- state */
/* state.json as it stands. STATUS_END: there is none. */
enum status run_state_read(const char *state_folder, struct buffer *json,
                           struct error *error) MUST_USE;
/* Is there a run that the state folder is about? A damaged one will say so itself. */
enum status run_is_known(const char *state_folder, bool *known, struct error *error) MUST_USE;
/* Is a part of migrate --mirror unfinished there? */
bool run_is_unfinished_mirror(const char *state_folder);
/* The ids of the runs that the state folder knows, the newest first, in the arena. */
enum status run_ids(const char *state_folder, struct arena *arena, const char ***ids,
                    uint32_t *count, struct error *error) MUST_USE;
/* Has the run ended that the state folder is about? */
bool run_is_finished(const char *state_folder);
/* Forgets the local state; `kept` says what stays in the target. A live run is refused. */
enum status run_state_reset(const char *state_folder, struct buffer *kept,
                            struct error *error) MUST_USE;

/* The engine's own failpoints, NULL-terminated. */
const char *const *run_failpoints(void);

#endif
