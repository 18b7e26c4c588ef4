/*
 * The contract: declared changes of a schema that nobody has to stop for.
 *
 * A change is a list of operations, as a file declares them. A connector compiles it once, against
 * the catalogue as it stands before anything is made, into steps: each a statement, or batches of
 * them, with its way back. The steps are written into the history before the first one runs, and
 * from then on they alone are followed: a runner that resumes after a crash never compiles again
 * against a catalogue that is half changed.
 *
 * A step that was begun may be run again from its beginning, and its way back may be run whether
 * the step was run wholly, in part or not at all. `stands` makes it so where the statements alone
 * are not.
 */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_CHANGE_H
#define TRANSHUME_CONNECTORS_CONTRACT_CHANGE_H

#include "connectors/contract/alter.h"

/* ---------------------------------------------------------------- what is declared */

enum change_value_kind { CHANGE_NULL, CHANGE_TEXT, CHANGE_LIST, CHANGE_MAP };

/* A value of the file. Texts are UTF-8; a number or a truth value is a text as it was written. */
struct change_value {
    enum change_value_kind kind;
    const char *text;                 /* CHANGE_TEXT */
    const struct change_value *items; /* of a list or a map */
    const char *const *keys;          /* of a map */
    uint32_t count;
    uint32_t line, column; /* in the file, from 1 */
};

struct change_operation {
    const char *kind; /* "add_column"; one of evolve/change/grammar.h */
    struct change_value value;
};

struct change {
    const char *version; /* as the file has it */
    const char *name;
    const char *place; /* where applications of the new version look, as the file has it; NULL: the
                          connector's choice */
    const struct change_operation *operations;
    uint32_t count;
};

/* The value under `key` of a map; NULL: it is not there, or `map` is none. */
const struct change_value *change_get(const struct change_value *map, const char *key);
/* Its text; NULL: it is not there, or null, or no text. */
const char *change_text(const struct change_value *map, const char *key);
/* Is it there, and true? */
bool change_is_true(const struct change_value *map, const char *key);

/* ---------------------------------------------------------------- what it becomes */

enum change_phase {
    CHANGE_EXPAND, /* what the new schema needs is made beside the old one */
    CHANGE_FILL,   /* rows that are there already get what it needs */
    CHANGE_PROVE,  /* it is shown to be right; batches of it only read, and are run again before
                      CHANGE_CONTRACT */
    CHANGE_OPEN,   /* applications of the new version may come; `start` ends here */
    CHANGE_SWITCH_READS,  /* they are led to it: `switch reads`; can still be taken back */
    CHANGE_SWITCH_WRITES, /* likewise: `switch writes` */
    CHANGE_CONTRACT,      /* what only the old schema needs is removed: there is no way back */
    CHANGE_PHASE_COUNT
};

enum change_step_kind {
    CHANGE_STATEMENT, /* `text` is run */
    CHANGE_BATCHES,   /* `batch` is called until it is done */
    CHANGE_STEP_KIND_COUNT
};

struct change_step {
    enum change_phase phase; /* never lower than the step's before it */
    enum change_step_kind kind;
    uint32_t operation;           /* its number in the change, from 0; UINT32_MAX: of all of them */
    const char *title;            /* for people: "add column orders.total_new" */
    enum alter_language language; /* of `text`, `undo` and `stands` */
    const char *text;             /* of batches: the connector's own words */
    const char *undo;             /* the way back, one statement; NULL: nothing is to be undone */
    /*
     * Asked of a step that was begun, and whose end was not seen. A query whose first value is
     * true ("t", "true" or "1") once the step stands: then `text` is not run again. "half": a part
     * stands: `undo` is run before `text`. Anything else, or no row: nothing stands, and `undo` is
     * not run. NULL: both may be repeated. Not needed of a step that is in a transaction where the
     * engine takes schema changes back.
     */
    const char *stands;
    /* One statement that sets what the session needs, ahead of `text`, of `undo`, and of batches
     * ahead of the transaction; settle_session, behind the step, takes it back. NULL: nothing. */
    const char *settings;
    enum alter_lock lock;
    bool rewrites;  /* takes as long as the table is large */
    bool alone;     /* it may not stand in a transaction */
    bool joined;    /* it is in one transaction with the step before it */
    bool again;     /* CHANGE_PROVE: holds for both versions' writes; it is run again before
                       CHANGE_CONTRACT */
    bool held;      /* holds only for the steps right behind it, up to the first one that is not
                       held: where one of these fails it is undone, and run again with it */
    bool with_note; /* in one transaction with its note, though the engine does not take schema
                       changes back: a statement that only writes rows */
    bool repeats;   /* batches that only read what those of CHANGE_PROVE of the same operation did:
                       passed over by a run that has just seen those to their end */
    bool said;      /* `text` is the file's own, and `stands` NULL: where its end was not seen
                       alter_functions.settle says whether it may be run again */
    bool prepares;  /* only its way back does something, which readies what is undone behind it: an
                       abort that got no further may be given up */
};

/* How an operation is carried out, for people: "in place, INSTANT", "dual column, triggers". */
struct change_way {
    uint32_t operation;
    const char *text;
    const char *warning; /* NULL: none */
};

/* All in the arena that `compile` was given. */
struct change_plan {
    const struct change_step *steps;
    uint32_t count;
    const struct change_way *ways;
    uint32_t way_count;
    const char *old_place; /* where applications of the old version look ("public"); NULL: nothing
                              changes for them */
    const char *new_place; /* likewise of the new version, from CHANGE_OPEN on */
};

/* ---------------------------------------------------------------- what it is run with */

/* The result of one batch. */
struct change_batch {
    const char *position;    /* behind it, to be given to the next one; NULL: all is done */
    uint64_t rows;           /* looked at */
    uint64_t changed;        /* of these */
    uint64_t wrong;          /* of a proof: that differ */
    const char *first_wrong; /* the key of the first one, for people */
    bool one_failed;         /* beside a failure: a record's value made it, and with fewer records
                                it would be found out which; not set once there is only one */
};

struct change_functions {
    /*
     * Compiles; nothing is made but scratch objects that are gone at its return. Refused with
     * ERROR_CHANGE_REFUSED: what can't be done online, or at all, with the reason and what can be
     * done instead; ERROR_CHANGE_INVALID: what is not there, or does not fit, with line and column.
     */
    enum status (*compile)(struct alter_session *session, const struct change *change,
                           struct arena *arena, struct change_plan *plan, struct error *error);
    /*
     * The next batch of a step, about `rows` records behind `position` (NULL: from the beginning),
     * in the open transaction where the engine has them. A record that was written meanwhile is
     * never given an older value. ERROR_TARGET_LOCKED, class RETRY, as of alter_functions.run. A
     * record whose value makes it fail is named; to find it the batch may ask for fewer records.
     */
    enum status (*batch)(struct alter_session *session, const struct change_step *step,
                         const char *position, uint64_t rows, struct arena *arena,
                         struct change_batch *batch, struct error *error);
    /* Optional. About how many records the batches of a step have to look at; 0: not known. */
    enum status (*estimate)(struct alter_session *session, const struct change_step *step,
                            uint64_t *rows, struct error *error);
};

#endif
