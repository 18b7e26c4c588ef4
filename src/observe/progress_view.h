/* A moment of a run's progress, with what can be worked out from it: rate, time left. */
#ifndef TRANSHUME_OBSERVE_PROGRESS_VIEW_H
#define TRANSHUME_OBSERVE_PROGRESS_VIEW_H

#include "observe/progress.h"

enum { PROGRESS_METER_SAMPLES = 16 };

/* Measures rates over the last ten to fifteen seconds of the copy. */
struct progress_meter {
    int64_t times_ms[PROGRESS_METER_SAMPLES];
    uint64_t records[PROGRESS_METER_SAMPLES];
    uint64_t bytes[PROGRESS_METER_SAMPLES];
    uint64_t work[PROGRESS_METER_SAMPLES];
    uint32_t next;
    uint32_t count;
};

struct progress_view {
    int phase;
    uint64_t read;
    uint64_t written;
    uint64_t rejected;
    uint64_t skipped;
    uint64_t entity_retries; /* what entities had, of requests and chunks */
    uint64_t fallbacks;
    uint64_t bytes;
    uint64_t done; /* written, rejected or skipped, or pulled in a chunk under way */
    int64_t total; /* -1: not known */
    /* what part and time left go by: records, or the source's where it is not known how many will
     * be made of them; 0 of 0: not known */
    uint64_t work;
    uint64_t work_total;
    double part; /* done of all, 0..1: of the work, else by chunks; -1: not known */
    double records_per_second;
    double bytes_per_second;
    double seconds_left; /* -1: not known */
    double seconds;      /* since the start */
    int64_t waiting_ms;  /* for a target that asked to slow down; 0: not waiting */
    uint64_t retries;
    int64_t source_throttled_ms; /* 0: it does not ask to slow down */
    int64_t target_throttled_ms;
    double read_units; /* capacity used */
    double write_units;
    uint64_t chunks_done;
    uint64_t chunks_total;
    uint64_t follow_transactions; /* of the source, applied; as the next ones, while following */
    uint64_t follow_changes;
    uint64_t follow_rejects;
    double follow_lag_seconds; /* below 0: not known */
    const char *doing;         /* NULL: nothing particular */
};

/* Reads the counters. `meter` takes the new sample (at most one a second is kept). */
void progress_view_take(const struct progress *progress, struct progress_meter *meter,
                        int64_t now_ms, struct progress_view *view);
/* Makes the rates those of the whole attempt. */
void progress_view_average(const struct progress *progress, struct progress_view *view);
/* True from PROGRESS_COPY on: entities and totals may be read. */
bool progress_view_has_entities(const struct progress_view *view);
uint64_t progress_entity_done(const struct progress_entity *entity);
/* The work of one entity; false: not known. */
bool progress_entity_work(const struct progress_entity *entity, uint64_t *work, uint64_t *total);
/* Notes which entities moved since the last call; `seen` has one number an entity, kept by the
 * caller; `first` true: only fills it. */
void progress_note_movement(struct progress *progress, uint64_t *seen, bool first, int64_t now_ms);

/* "throttled by the target for 2m 10s", after `before`; nothing where nobody is. */
void progress_append_throttling(const struct progress_view *view, const char *before,
                                struct buffer *out);
/* One plain line without a newline: "copy: 45.2% …". */
void progress_append_line(const struct progress_view *view, struct buffer *out);
/* One JSON object and a newline. */
void progress_append_json(const struct progress *progress, const struct progress_view *view,
                          struct buffer *out);
/* "412,345/s", "12.4/s" */
void progress_append_rate(double per_second, struct buffer *out);

/* The lines of a bar display, each cut to `columns` and ended with a newline; at most `rows` of
 * them. */
struct progress_frame {
    uint32_t columns;
    uint32_t rows;
    bool color;
    bool unicode;
    bool last; /* the run has ended: one line */
};
void progress_append_bars(const struct progress *progress, const struct progress_view *view,
                          const struct progress_frame *frame, struct buffer *out);

#endif
