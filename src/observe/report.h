/* A run's report, made of what lies in its state folder, and of nothing else. */
#ifndef TRANSHUME_OBSERVE_REPORT_H
#define TRANSHUME_OBSERVE_REPORT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "observe/metrics.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * state.json is needed; metrics.jsonl, chunks.jsonl, rejects/, plan.yaml, validation.json and the
 * warnings of events.jsonl are shown if they are there. The same files make the same report, byte
 * for byte. Everything in them is taken for text by whoever wrote it: records, names and messages
 * can become neither markup nor script. The page has no script at all, and refuses any by its
 * policy.
 */

struct report_entity {
    const char *name;
    const char *table;
    const char *stream;
    int64_t total; /* -1: not known */
    uint64_t read;
    uint64_t made;
    uint64_t written;
    uint64_t rejected;
    uint64_t skipped;
    uint64_t filtered;
    uint64_t bytes;
    uint64_t retries;   /* requests and chunks that were done again */
    uint64_t fallbacks; /* requests done with less than was asked for */
    double seconds; /* that its stream's chunks took, together; shared with its other entities */
};

enum { REPORT_NOT_DONE, REPORT_DONE, REPORT_REJECTED };

struct report_chunk {
    uint32_t attempt; /* 0: not done */
    uint32_t rejected;
    uint64_t written;
    uint64_t bytes;
    double seconds;
};

struct report_stream {
    const char *name;
    uint64_t first_chunk; /* from 0 */
    uint64_t chunk_count;
    uint64_t done_count;
    double seconds;
};

/* Rejects of one kind. */
struct report_reason {
    const char *entity;
    const char *table;
    const char *code;
    uint64_t count;
};

struct report_sample {
    const char *entity;
    const char *table;
    const char *file;
    uint64_t line;
    const char *code;
    const char *reason;
    const char *key;    /* JSON text, clipped */
    const char *record; /* JSON text, clipped */
    bool clipped;
};

/* A warning, once for all events that say the same. */
struct report_warning {
    const char *at; /* the first time */
    const char *message;
    uint64_t count;
};

enum {
    REPORT_WARNINGS_MAX = 100,
    REPORT_REASONS_MAX = 64,
    REPORT_SAMPLES_MAX = 24,
    REPORT_SAMPLES_A_REASON = 3,
    REPORT_RECORD_BYTES_MAX = 600,
    REPORT_PLAN_BYTES_MAX = 64 << 10
};

struct report {
    struct arena *arena;
    json_t *state;      /* state.json */
    json_t *validation; /* validation.json; NULL: nobody validated */
    const char *run;
    const char *kind;         /* "copy", "rejects" … */
    const char *repairs;      /* the id of the run that this one repairs; NULL: none */
    const char *repairs_page; /* its report, from the folder of this one; NULL: it is not there */
    const json_t *deleted;    /* {TABLE:n}: what it deleted; NULL: nothing */
    const char *status;
    const char *phase;
    bool interrupted;
    bool at_work; /* a process works on it now */
    bool resumable;
    const char *source;
    const char *target;
    const char *guarantee;       /* NULL: not told */
    const char *snapshot;        /* "one", "mixed", "none" */
    uint32_t mapping_version;    /* above 1: columns came or types were widened since it began */
    const json_t *not_carried;   /* not_carried.h; NULL: nothing is left behind */
    const char *not_carried_sum; /* "2 views, 1 trigger"; NULL likewise */
    const json_t *rights;        /* rights_list.h; NULL: nothing is left to do about rights */
    uint32_t broken_references;  /* missing, or not obeyed by every record */
    const char *version;
    const char *started_at;
    const char *updated_at;
    const char *ended_at; /* NULL: it has not */
    const char *plan;     /* NULL: a plain copy */
    bool plan_clipped;
    double seconds; /* at work, all attempts together */
    uint32_t attempt_count;
    const json_t *source_connection; /* of the last attempt; NULL: there was no server */
    const json_t *target_connection;

    struct report_entity *entities;
    uint32_t entity_count;
    struct report_entity sum; /* total -1 if one is not known */

    struct metrics_sample *samples;
    uint32_t sample_count;
    uint64_t retries; /* all attempts together */
    uint64_t throttled;

    struct report_stream *streams;
    uint32_t stream_count;
    struct report_chunk *chunks; /* NULL: chunks.jsonl is not there */
    uint64_t chunk_count;
    uint64_t chunk_done_count;
    uint64_t chunk_again_count; /* that needed more than one attempt */

    struct report_reason *reasons;
    uint32_t reason_count;
    uint64_t reasons_left_out; /* rejects whose kind found no room */
    struct report_sample *reject_samples;
    uint32_t reject_sample_count;
    uint64_t rejects_read;
    bool rejects_cut; /* there are more than were read */

    struct report_warning *warnings;
    uint32_t warning_count;
    uint64_t warnings_left_out; /* lines that found no room */
};

/* Reads the folder; `at_work`: somebody holds its lock. STATUS_END: there is no run in it. What is
 * damaged but for state.json is left out, with a warning in the log. */
enum status report_read(const char *folder, bool at_work, struct report *report,
                        struct error *error) MUST_USE;
/* The same of some parts beside state.json; of these REPORT_QUIETLY: a damaged one is left out
 * without a word. For those who look again and again. */
enum {
    REPORT_PLAN = 1 << 0,
    REPORT_VALIDATION = 1 << 1,
    REPORT_METRICS = 1 << 2,
    REPORT_CHUNKS = 1 << 3,
    REPORT_REJECTS = 1 << 4,
    REPORT_WARNINGS = 1 << 5,
    REPORT_WHOLE = (1 << 6) - 1,
    REPORT_QUIETLY = 1 << 6
};
enum status report_read_parts(const char *folder, bool at_work, unsigned parts,
                              struct report *report, struct error *error) MUST_USE;
void report_free(struct report *report);

void report_append_html(const struct report *report, struct buffer *out);
void report_append_markdown(const struct report *report, struct buffer *out);
void report_append_json(const struct report *report, struct buffer *out);

/* report.html, report.json and report.md into the folder that they are about, whole or not. */
enum status report_write(const char *folder, bool at_work, struct error *error) MUST_USE;

/* ---- for the forms of it */

/* "done", "done, with rejects", "done, but differs" (validate says so), "failed", "interrupted",
 * "in progress", "stopped", "being rolled back", "rollback interrupted", "rolled back": what a
 * reader wants to know first. */
const char *report_verdict(const struct report *report);
/* The next steps, a sentence each; the count comes back. Texts in `sentences` are the
 * report's. */
enum { REPORT_STEPS_MAX = 8 };
uint32_t report_next_steps(const struct report *report, const char *sentences[REPORT_STEPS_MAX]);
/* The meaning of the guarantee and of the snapshot, as sentences. */
const char *report_guarantee_text(const struct report *report);
const char *report_snapshot_text(const struct report *report);
/* Streams that took longest first, at most `limit` numbers into `order`. */
uint32_t report_slowest_streams(const struct report *report, uint32_t *order, uint32_t limit);
uint32_t report_slowest_chunks(const struct report *report, uint64_t *order, uint32_t limit);
/* Tries that the chunk took in its last epoch. */
uint32_t report_chunk_tries(const struct report_chunk *chunk);
/* Where the chunk is. */
const struct report_stream *report_stream_of(const struct report *report, uint64_t chunk);

#endif
