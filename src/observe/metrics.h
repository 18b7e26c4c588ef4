/* A run's throughput over time, as lines in the state folder: what the report draws. */
#ifndef TRANSHUME_OBSERVE_METRICS_H
#define TRANSHUME_OBSERVE_METRICS_H

#include "base/arena.h"
#include "observe/progress.h"

/*
 * metrics.jsonl: a line a sample,
 *   {"at":UTC
 * MS,"attempt":n,"phase":"copy","read":n,"written":n,"rejected":n,"skipped":n,"bytes":n,
 *    "chunks":n,"retries":n,"throttled":n}
 * The first six counts are of the whole run, retries and throttled of the attempt. The file is
 * bounded: when it is full every other sample goes, and from then on they are taken half as often.
 * Nothing in it is needed to go on with a run; a torn last line is ignored.
 */
enum { METRICS_SAMPLES_MAX = 1024, METRICS_FILE_BYTES_MAX = 1 << 20 };

struct metrics_sample {
    int64_t at_ms; /* UTC */
    uint32_t attempt;
    int phase; /* enum progress_phase; -1: another version's */
    uint64_t read;
    uint64_t written;
    uint64_t rejected;
    uint64_t skipped;
    uint64_t bytes;
    uint64_t chunks;
    uint64_t retries;
    uint64_t throttled; /* how often source and target asked to slow down */
};

/* One file being written; one thread at a time. Failures to write are said in the log once. */
struct metrics;
/* Goes on with the file at `path` (borrowed) if there is one. */
struct metrics *metrics_open(const char *path, uint32_t attempt) __attribute__((returns_nonnull));
/* Notes the counters as they are, from PROGRESS_COPY on; `last` true: whatever the interval says.
 * Takes NULL. */
void metrics_take(struct metrics *metrics, const struct progress *progress, bool last);
void metrics_close(struct metrics *metrics);

/* All samples of a file, in its order, in the arena; lines that are none are left out.
 * STATUS_END: no such file. */
enum status metrics_read(const char *path, struct arena *arena, struct metrics_sample **samples,
                         uint32_t *count, struct error *error) MUST_USE;

#endif
