/*
 * Events: what happens in a run, typed. The log is their front: whoever has something to tell calls
 * it once (log_event), and text for people, JSON lines and the run's event stream
 * (observe/event/event_stream.h) are made of the same call.
 */
#ifndef TRANSHUME_BASE_EVENT_H
#define TRANSHUME_BASE_EVENT_H

#include <stdint.h>

enum event_kind {
    EVENT_MESSAGE,  /* a sentence, and nothing that a program would need to know of it */
    EVENT_RUN,      /* `state`: began, resumed, completed, interrupted, failed */
    EVENT_PHASE,    /* `code`: the phase that begins */
    EVENT_CHUNK,    /* a chunk is durable: `count` records in `milliseconds` */
    EVENT_RETRY,    /* `code`: the error after which something is done again; `count`: its tries */
    EVENT_THROTTLE, /* `code`: source or target; `state`: began, ended */
    EVENT_PAUSE,    /* the run gives way: `code`: why; `state`: began, ended */
    EVENT_REJECT,   /* `count` records of a chunk are rejects for one reason, `code` */
    EVENT_ERROR,    /* `code`: an error's name */
    EVENT_STALL,    /* nothing moved for `milliseconds` */
    EVENT_ANOMALY,  /* `code`: series and detector, "throughput.slow"; `state`: began, ended */
    EVENT_POSITION, /* `code`: where a feed is */
    EVENT_CUT_OVER, /* `code`: a step; `state`: began, done, failed */
    /* what the source keeps of its log for a feed: `code`: whose bound on it is near (limit,
     * source) or reached (full); `state`: began, ended; `count`: bytes */
    EVENT_RETENTION,
    EVENT_KINDS
};

/* A member that is NULL is not known, one that is 0 is none or not known. Texts are borrowed for
 * the call. */
struct event {
    enum event_kind kind;
    const char *table;  /* the target's, as in metrics; NULL also: its records are of several */
    const char *entity; /* likewise: of the plan */
    uint64_t chunk;     /* its number, from 1 */
    const char *key;    /* of a record, as JSON */
    const char *code;
    const char *state;
    const char *hint; /* what to do; a line of its own after the message */
    int64_t count;
    int64_t milliseconds;
};

/* An event of that kind; the members that are known follow: EVENT_OF(EVENT_CHUNK, .chunk = 7). */
#define EVENT_OF(event_kind, ...) (&(const struct event){.kind = (event_kind), __VA_ARGS__})

/* "chunk", "cut_over" … */
const char *event_kind_name(enum event_kind kind);

#endif
