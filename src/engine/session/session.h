/* The inside of a session and of a run: what the engine's files share. */
#ifndef TRANSHUME_ENGINE_SESSION_SESSION_H
#define TRANSHUME_ENGINE_SESSION_SESSION_H

#include "base/name_index.h"
#include "base/retry.h"
#include "connectors/common/registry.h"
#include "connectors/contract/connector.h"
#include "engine/copy/tally.h"
#include "engine/folder/run_id.h"
#include "engine/folder/state_folder.h"
#include "engine/formats/stored_form.h"
#include "engine/ledger/ledger.h"
#include "engine/ledger/ledger_texts.h"
#include "engine/run/run.h"
#include "plan/plan.h"
#include <pthread.h>

struct chunk_log;
struct claim_keeper;
struct joining;
struct learnt;
struct run_numbering;
struct schema_changes;
struct plan_answers;
struct copy;
struct metrics;
struct reject_book;
struct reject_book_sum;
struct run;
struct spool;
struct shuffle;
struct subset;

/* The run that a session goes on with, as it was kept, and the changes of its source since. */
struct kept_source {
    struct ledger_header *continued; /* of the run that is gone on with; NULL: none is */
    struct learnt *learnt;           /* by it, recall.h; NULL: nothing is kept of this source */
    uint32_t mapping_version;        /* of what the run keeps: learnt.h */
    bool follows;                    /* it goes on with a run that follows its source by now */
    bool copies_on;   /* with one that will, when its copy is done: what came in the source since is
                         left to following */
    bool has_new;     /* it follows, and the source has tables that came since */
    bool refuses_new; /* tables that came since are no part of it: the plan can't be resolved */
    struct column_list unfollowed;  /* those tables */
    const char *unfollowed_because; /* what can't be resolved; NULL: all of them are followed */
    struct column_list gone; /* tables of a followed run that the source has no more: in the schema
                                as they were */
    struct plan_answers *answers; /* that its plan was, and this one is, resolved with */
};

struct run_session {
    struct arena *arena;
    struct run_options options; /* resolved */
    bool existing_is_of_run;    /* options.existing was not said, but taken from run.json */
    struct plan_document *document;
    struct plan_document
        *written_document; /* the user's, where `document` was learned; else NULL */
    bool learned;          /* `document` names columns that learning.h found */
    struct uri *source_uri;
    struct uri *target_uri;
    struct database *source;
    struct database *target;
    struct ledger *ledger; /* of the target's runs */
    struct database *home; /* where the ledger lives; NULL: in the target */
    struct uri *home_uri;
    struct database *mirror; /* validating: the target once more, opened as a source; else NULL */
    const struct time_zone *time_zone; /* of times that name none; NULL: they have none */
    struct schema *schema;
    struct kept_source kept;
    bool names_run; /* neither endpoints nor a plan were given: what is meant is the folder's run */
    const struct schema *there; /* tables that are in the target; NULL: none that the plan means */
    struct plan *plan;
    const char *source_identity;
    const char *target_identity;
    char fingerprint[33];
    const char *schema_text; /* what the fingerprint stands for, as lines */
    const char *state_path;
    bool made_state_folder;
    struct progress progress;
    struct database_counts *counts; /* an entity each: what no chunk has counted yet */
    struct stream_facts *facts;     /* a stream each; NULL: not asked yet */
    const bool *unreadable;  /* a stream each: check found that it can't be read; may be NULL */
    const char *snapshot;    /* the token; NULL: not taken yet */
    bool values_asked;       /* session_ask_values */
    struct shuffle *shuffle; /* NULL: no column is shuffled */
    struct subset *subset;   /* NULL: all of the source is read */
    struct joining *joining; /* NULL: the source joins itself, or nothing is joined */
    struct reader *sample_reader;
    struct reader **spare_readers; /* of a copy that ended, for one that may follow */
    uint32_t spare_reader_count;
    struct run *run;                         /* kept for its progress until run_close */
    _Atomic int64_t throttling_logged_ms[2]; /* monotonic; source, target */
    bool stuck;                              /* a worker never came back: nothing may be freed */
};

/* A table that is not followed any more, and why. */
struct run_left {
    const char *name;
    const char *reason;
};

struct stream_turn;
/* Who holds the run. */
struct run_claimed {
    uint64_t epoch;
    bool held;
    bool makes_ledger; /* the ledger may have this run */
    bool took_over;    /* from a holder with a lease: what it had in hand is compared */
    struct claim_keeper *keeper;
};
/* Its chunks, and which of them are done. */
struct run_chunks {
    struct ledger_chunk *list;
    uint64_t count;
    uint64_t *stream_first; /* a stream's chunks are [first[s], first[s + 1]), from 0 */
    uint8_t *done;          /* a flag a chunk */
    uint64_t done_count;
    uint32_t tries_before; /* numbers of attempts at a chunk that are used up */
    uint32_t recheck_rounds;
};
/* Notes for the report and for people; under the state's mutex. */
struct run_record {
    bool ready;                  /* totals and done flags hold something */
    struct chunk_log *chunk_log; /* for the report, as the next; both under the mutex */
    struct metrics *metrics;     /* NULL: not claimed yet */
    int64_t written_ms;
    char feed_position[160]; /* for people; under the mutex; "": not known */
};
/* The state of a run that follows. */
struct run_following {
    enum follow_end end;         /* of this attempt */
    struct spool *spool;         /* NULL: none is written */
    const struct run_left *left; /* under the mutex, as the next */
    uint32_t left_count;
    const struct schema_changes *changes; /* of a source that is followed, since what is kept of
                                             it; NULL: none */
    bool mapping_changed;                 /* by them */
    const struct run_numbering
        *numbering; /* numbering.h; NULL: the plan's numbers are the ledger's */
};
/* The moment of the source that this attempt reads. */
struct run_moment {
    const char *snapshot; /* that this attempt reads */
    bool prepared;
    bool unjudged; /* a resume to which no chunk is left: run_prepare_source compares */
    bool moved;    /* it found another moment than that of the chunks: who takes records
                             from there notes mixed_snapshot */
};
/* The target's answers about its tables. */
struct run_target {
    bool known;                      /* run_look_at_target: the next two are known */
    const struct stream_turn *turns; /* parents.h; NULL: no stream waits for another */
    struct stored_form *forms;       /* an entity each; NULL: no table was there */
    struct strangers *strangers;     /* strangers.h; NULL: nobody looks out for them */
    struct target_count *counted;    /* a table each: what after_load found there */
};
/* The rejects of a run, and the file of records that it loads. */
struct run_rejects {
    struct reject_book *book; /* reject_book.h; NULL: not read */
    const struct reject_book_sum
        *of_copy; /* of a run that loads or repairs what a copy
                          rejected: what is missing still; NULL: not known */
    int input;    /* --rejects FILE, -1: not open */
    struct plan_stream stream;
};

/* One run under way. */
struct run {
    struct run_session *session;
    struct arena *arena;
    struct state_folder folder;
    char id[RUN_ID_BYTES];
    /* A whole run within this one, the way back: reverse.c calls it, run_execute sets it. */
    enum status (*run_within)(const struct run_options *options, struct error *error);
    const char *finished_id; /* of the run in the state folder that makes way for this one */
    struct run_claimed claim;
    bool refused; /* source, target or plan are not what it began with, or may not have changed */
    bool begins_again;  /* a resume of one that had not come to its ledger */
    bool left_extra;    /* of a repair: fewer went than it was to take out */
    bool repairs;       /* validate --repair: loads_rejects is true as well */
    bool loads_rejects; /* migrate --rejects: the source is a file of mended records */
    struct ledger_header header;
    struct ledger_status status;
    uint64_t *whole_rows;        /* a stream each: of those with a bound, what the root has */
    struct target_table *tables; /* the plan's, in its order */
    uint32_t table_count;
    struct run_chunks chunks;
    struct tally *totals;        /* an entity each: of the chunks that are done */
    struct copy *copy;           /* while workers run */
    pthread_mutex_t state_mutex; /* totals, done, epoch, times, the ledger status, state.json */
    struct run_record record;
    struct run_following following;
    int64_t attempt_us; /* UTC, when this attempt began */
    struct run_rejects rejects;
    uint64_t *written_before; /* an entity each: records that earlier attempts wrote */
    struct run_target seen;
    uint32_t warning_count;
    struct run_moment moment;
    _Atomic uint64_t before_sequence; /* of frames of before-images in this attempt */
    bool was_finished;                /* resume found nothing left to do or to tell */
};

/* Nothing is read of the source any more: its snapshot goes, where the target needs no second look
 * at it. */
enum status session_leave_source(struct run_session *session, struct error *error) MUST_USE;
/* The copy is done, settled and counted: all readers are closed and the snapshot ends, whatever the
 * target is. What only follows holds no lock, no log and no old row version in the source. Nothing
 * where no snapshot was taken; repeatable. Control thread. */
enum status session_end_snapshot(struct run_session *session, struct error *error) MUST_USE;
/* The folder for sorted runs, made now since a database is opened with it; NULL where none can
 * be. */
const char *session_make_spill_folder(const struct state_folder *folder, const char *path);
/* ---- session_sample.c: --sample-rows, engine/subset/subset.h */
/* Once the plan is resolved. */
enum status session_sample_prepare(struct run_session *session, struct error *error) MUST_USE;
/* A run that is gone on with says which part of the source it copies. */
enum status session_sample(struct run_session *session, uint64_t rows, uint64_t seed,
                           struct error *error) MUST_USE;
/* Within the snapshot: chooses the rows, and shuffles, unless that was done. Control thread. */
enum status session_choose_rows(struct run_session *session, void (*progress)(const char *what),
                                struct error *error) MUST_USE;
/* Validating: closes the mirror, all readers, the target and the ledger, so that another session
 * can write the target: some databases let a process that reads a file open it no second time to
 * write it. The session is of no use then but to be told of and closed. */
void session_leave_target(struct run_session *session);
/* A reader within the snapshot: a spare one if there is any. */
enum status session_reader_open(struct run_session *session, struct reader **reader,
                                struct error *error) MUST_USE;
/* Keeps it for a later session_reader_open; closes it where it can't be kept. */
void session_reader_keep(struct run_session *session, struct reader *reader);
/* Takes the reports of both databases into the progress; says so in the log when one throttles for
 * long. Any thread. */
void session_note_reports(struct run_session *session);
/* How both databases were reached so far, into the attempt that is under way; under the state's
 * mutex. */
void run_note_connections(struct run *run);
/* Is a record made of each source record? */
bool session_makes_one_each(const struct plan_entity *entity);
/* Facts of every stream, asked once. */
enum status session_describe_streams(struct run_session *session, struct error *error) MUST_USE;
/* Asks for a plain copy where the source's sequences stand, once, and not before the snapshot. */
enum status session_ask_values(struct run_session *session, struct error *error) MUST_USE;
/* The snapshot, taken once; `reader_count` is what a later call finds. */
enum status session_snapshot(struct run_session *session, uint32_t reader_count,
                             struct error *error) MUST_USE;
/* Does what the source says of the snapshot prove that nothing has changed since that one? */
bool session_is_at(const struct run_session *session, const char *snapshot);
/* Readers and writers that this run uses at once. */
uint32_t session_reader_count(const struct run_session *session);
uint32_t session_writer_count(const struct run_session *session);
/* Chunks that may be begun and not finished at once. */
uint32_t session_hands(const struct run_session *session);
/* Can the target pull this stream itself? */
bool session_is_express(const struct run_session *session, const struct plan_stream *stream);
/* The requests that the source gets, of streams and, if it joins itself, of their children. */
uint32_t session_request_count(const struct run_session *session);
void session_list_requests(const struct run_session *session, const struct read_request **requests);
/* An index for names of the target's tables, which takes for one what the target does. */
struct name_index session_target_names(const struct run_session *session, struct arena *arena);
/* Opens the target for reading, and describes these tables (the last one NULL). `*source` is the
 * caller's to close also after a failure, where it is not NULL. */
enum status session_describe_target(const struct run_session *session, const char *const *names,
                                    struct database **source, struct schema **schema,
                                    struct error *error) MUST_USE;
/* The table of that name among those that the target described; NULL: none, or no table. */
const struct schema_table *session_target_table(const struct run_session *session,
                                                const struct schema *schema, const char *name);
/* How many rows a chunk of the stream is to have. */
uint64_t session_chunk_rows(const struct run_session *session, const struct plan_stream *stream);

/* How long a failing call is tried again, from its first failure. */
int64_t session_patience_ms(const struct run_session *session);
/* Trying again on the control thread: shown in the progress, and counted there. */
void session_retry_begin(struct run_session *session, struct retry *retry);
/* After a step of such a retry: true: do it again. Else `*status` is what became of it: STATUS_END,
 * if it would have been tried again had nobody asked to stop. */
bool session_tries_again(struct retry *retry, enum status *status, struct error *error);
/* The session's reader for such reading, within the snapshot: opened once, closed by run_close. */
enum status session_sample_reader(struct run_session *session, struct reader **reader,
                                  struct error *error) MUST_USE;

#endif
