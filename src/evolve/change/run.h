/* Declared changes: their start, switch, completion and taking back; goes on where it was broken
 * off. */
#ifndef TRANSHUME_EVOLVE_CHANGE_RUN_H
#define TRANSHUME_EVOLVE_CHANGE_RUN_H

#include "evolve/change/file.h"
#include "evolve/run/run.h"

enum change_command {
    CHANGE_DO_START,    /* to the end of CHANGE_OPEN */
    CHANGE_DO_SWITCH,   /* the next switch, or the one that is named */
    CHANGE_DO_COMPLETE, /* needs all before it */
    CHANGE_DO_ABORT,
    CHANGE_DO_SKIP, /* passes a step over that cannot succeed */
    CHANGE_DO_RUN   /* from the beginning to the end */
};

enum change_event_kind {
    CHANGE_STEP_BEGINS,
    CHANGE_STEP_PROGRESS, /* `rows` of `rows_total`, or `part` */
    CHANGE_STEP_ENDS,
    CHANGE_STEP_UNDONE,
    CHANGE_PAUSES /* `text` says why */
};

struct change_event {
    enum change_event_kind kind;
    const struct change_step *step;
    uint32_t number; /* of the step, from 1 */
    uint32_t steps;
    uint64_t rows;
    uint64_t rows_total; /* 0: not known */
    double rows_s;       /* of late */
    double part;         /* of a statement: 0 to 1; below 0: not known */
    int64_t ms;          /* since it began */
    const char *text;
};

/* How hard batches may work. */
struct change_pace {
    int64_t batch_ms;       /* what one should take */
    double nice;            /* sleeps so many times as long as a batch took */
    double lag_max_s;       /* of the replica that is furthest behind; 0: never mind */
    int64_t running_max;    /* sessions of others at work; 0: never mind */
    const char *pause_file; /* while it is there nothing is filled; NULL */
};

struct change_options {
    struct schema_options schema; /* session and waits; `set`, `order` are not looked at */
    enum change_command command;
    const struct change_file *file; /* of start and run */
    int switches;  /* of switch: 'r' to the reads, 'w' to the writes, 0: the next */
    uint32_t step; /* of skip */
    struct change_pace pace;
    void (*observe)(void *context, const struct change_event *event); /* may be NULL */
    void *context;
};

enum change_state {
    CHANGE_NONE,     /* there never was one */
    CHANGE_STARTING, /* not all to the end of CHANGE_OPEN is done */
    CHANGE_STARTED,
    CHANGE_COMPLETING, /* there is no way back */
    CHANGE_COMPLETED,
    CHANGE_ABORTING,
    CHANGE_ABORTED
};
const char *change_state_name(enum change_state state);

/* One step as the history has it. */
struct change_step_state {
    bool begun;
    bool done;
    uint64_t rows;
    const char *position; /* of batches that go on; NULL */
    bool undone;          /* by an abort that is under way */
    bool seen;            /* its batches, wholly, by this process */
};

/* One change as the history has it. Lives in the arena that it was read into. */
struct change_view {
    enum change_state state;
    const char *version; /* NULL: CHANGE_NONE */
    const char *name;
    const char *checksum;
    const char *who;
    const char *error;
    uint64_t number; /* of its act */
    uint64_t abort;  /* of the act that takes it back; 0: none */
    int64_t begun_us;
    int64_t ended_us;
    struct change_plan plan;
    struct change_step_state *steps;
};

struct change_views {
    struct change_view *items; /* in the order of their acts */
    uint32_t count;
};

/* All that is in the history, without a lock; nothing is made or written. Plan and steps are read
 * of those that are under way. */
enum status change_look(const struct change_options *options, struct arena *arena,
                        struct change_views *views, struct error *error) MUST_USE;

/* Compiles the file without a lock, and looks how many rows each step of batches has to look at,
 * by its number - 1. */
enum status change_look_ahead(const struct change_options *options, struct arena *arena,
                              struct change_plan *plan, uint64_t **rows,
                              struct error *error) MUST_USE;

/* Does what the command says; `view` is the change behind it. Of a change that stands where it was
 * to be brought it does nothing. */
enum status change_run(const struct change_options *options, struct arena *arena,
                       struct change_view *view, struct error *error) MUST_USE;

/* NULL-terminated. */
const char *const *change_failpoints(void);

#endif
