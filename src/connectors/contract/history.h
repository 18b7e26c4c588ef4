/*
 * The contract: the history of a database's schema, which lives in that database beside its tables.
 *
 * It is a list of acts that is only appended to: a version was applied, taken back, marked,
 * imported. What stands now is the last act of each version. Where a change and its act are one
 * transaction, that is all; elsewhere the steps of an act are kept as well, each with an intent
 * before it runs and its end behind it, so that who comes next knows which step was under way.
 */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_HISTORY_H
#define TRANSHUME_CONNECTORS_CONTRACT_HISTORY_H

#include "connectors/contract/ledger.h"

/* The beginning of the names of its tables. They alone, of all that is named _transhume_*, are no
 * run's: they stay when the last run is finished or rolled back, and the database with them. */
#define HISTORY_TABLE "_transhume_schema"
/* Is it one of them? Case does not count. */
bool history_owns(const char *table);

enum history_action {
    HISTORY_UP,       /* a version's file was run */
    HISTORY_DOWN,     /* it was taken back */
    HISTORY_REPEAT,   /* a repeatable file was run; its name is its identity */
    HISTORY_BASELINE, /* the database is as this version leaves it; nothing was run */
    HISTORY_MARK,     /* a person said that a version is applied */
    HISTORY_UNMARK,   /* a person said that it is not */
    HISTORY_IMPORT,   /* another tool's history says that it is applied */
    HISTORY_CHANGE,   /* a declared change: running from its start until it is completed */
    HISTORY_ABORT,    /* one was taken back before that */
    HISTORY_ACTION_COUNT
};

enum history_state {
    HISTORY_RUNNING, /* begun, and its steps say how far */
    HISTORY_DONE,
    HISTORY_FAILED, /* a note for people: nothing of it stands, or its steps say what does */
    HISTORY_STATE_COUNT
};

/* One act. Texts are UTF-8; NULL: there is none. */
struct history_row {
    uint64_t number; /* the order of acts, from 1 */
    enum history_action action;
    enum history_state state;
    const char *version; /* as the file has it; NULL: a repeatable file */
    const char *name;
    const char *origin;          /* "transhume", or whose history it was imported from */
    const char *checksum;        /* evolve/folder/checksum.h */
    const char *down_checksum;   /* likewise, of the way back */
    const char *origin_checksum; /* as the other tool kept it */
    const char *down_text;       /* the way back, for a program that does not have the file; of a
                                    HISTORY_CHANGE: what it was compiled to */
    uint32_t steps;              /* statements of the file */
    int64_t begun_us;            /* UTC, by the database's clock; 0: `put` sets it */
    int64_t ended_us;            /* likewise; 0: not yet */
    const char *run;             /* who asked: one id a command */
    uint64_t epoch;              /* of the claim under which it was written */
    const char *who;             /* "user@host pid 12" */
    const char *program;         /* "transhume 0.9" */
    const char *error;           /* of what failed */
    const char *restore_point;   /* the server's own position before it */
    const char *schema_hash;     /* of the schema that it left; of the last act of a command */
};

enum history_step_state { HISTORY_STEP_INTENT, HISTORY_STEP_DONE };

/* One statement of an act that has no transaction around it. */
struct history_step {
    uint64_t number; /* of the act */
    uint32_t step;   /* from 1 */
    enum history_step_state state;
    const char *checksum; /* of the statement's text */
    const char *witness;  /* what alter_functions.witness told before it ran; NULL: it can't. Of
                             batches that are not done: the position behind the last one */
    const char *session;  /* which the statement ran in: "12345 1790000000" */
    uint32_t line;        /* in the file */
    uint64_t rows;
    int64_t begun_us; /* set by `put_step` */
    int64_t ended_us;
};

/* The one row that says who may write. */
struct history_claim {
    uint64_t epoch;              /* one more with each claim; 0: nobody ever claimed */
    struct ledger_holder holder; /* who claimed last */
    const char *session;         /* likewise; NULL: not known */
};

/* Both borrowed for the call; anything but STATUS_OK ends the visit with that status. */
typedef enum status history_visit(void *context, const struct history_row *row,
                                  struct error *error);
typedef enum status history_step_visit(void *context, const struct history_step *step,
                                       struct error *error);

/* "up", "done" …, as they stand in the tables and in JSON; `*_parse`: false where there is none. */
const char *history_action_name(enum history_action action);
bool history_action_parse(const char *name, enum history_action *action);
const char *history_state_name(enum history_state state);
bool history_state_parse(const char *name, enum history_state *state);

#endif
