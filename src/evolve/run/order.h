/* Versions that stand in a database by its history, and those that are to be run: reads, decides,
 * changes nothing. */
#ifndef TRANSHUME_EVOLVE_RUN_ORDER_H
#define TRANSHUME_EVOLVE_RUN_ORDER_H

#include "base/name_index.h"
#include "evolve/folder/folder.h"

/* One version or repeatable file, as the last acts of the history leave it. */
struct schema_entry {
    const char *version; /* as the act has it; NULL: repeatable */
    const char *key;     /* migration_version_key; of a repeatable file its name */
    const char *name;
    bool stands;                  /* it is applied */
    struct history_row act;       /* the last one that did not fail: its texts are the history's */
    uint64_t applied;             /* the number of the last act that ran its file; 0: none did */
    bool unfinished;              /* that one is still running, or rather was broken off */
    const char *error;            /* of the last one, where it failed */
    uint64_t failed;              /* its number then */
    const struct migration *file; /* NULL: there is none (any more) */
};

/* Zeroed but for `arena`, it is empty. */
struct schema_history {
    struct arena *arena;
    struct schema_entry *entries; /* in the order of their first acts */
    uint32_t count;
    uint32_t capacity;
    struct name_index by_version;
    struct name_index by_name; /* of what is repeatable */
    uint64_t last_number;      /* of all acts; 0: there is none */
    const char *baseline;      /* the version of the highest baseline that stands; NULL */
    const char *baseline_key;
};

/* A history_visit: `context` is the history. */
enum status schema_history_add(void *context, const struct history_row *row, struct error *error);
/* Which files the entries are of. */
void schema_history_match(struct schema_history *history, const struct migration_set *set);
/* NULL: there is none. */
const struct schema_entry *schema_entry_of(const struct schema_history *history,
                                           const struct migration *file);

/* Is it of a declared change, which has no file in the folder's sense and no way back? */
bool schema_entry_is_change(const struct schema_entry *entry);

/* Is the change of that file neither under way nor completed? */
bool schema_change_is_pending(const struct schema_history *history, const struct migration_set *set,
                              const struct migration_change *change);

enum schema_finding_kind {
    SCHEMA_PENDING,      /* a file that is not applied */
    SCHEMA_CHANGED,      /* applied, and its file is another one by now */
    SCHEMA_DOWN_CHANGED, /* likewise, the way back */
    SCHEMA_MISSING,      /* applied, and there is no file */
    SCHEMA_LATE,         /* not applied, though higher versions are */
    SCHEMA_UNFINISHED,   /* broken off */
    SCHEMA_REQUIRES      /* what it requires does not stand */
};

struct schema_finding {
    enum schema_finding_kind kind;
    const struct migration *file;     /* NULL: SCHEMA_MISSING */
    const struct schema_entry *entry; /* NULL: nothing is known of it */
    const char *what;                 /* SCHEMA_REQUIRES: the version */
};

/* One thing to be done. */
struct schema_act {
    enum history_action action;   /* UP, DOWN, REPEAT, BASELINE */
    const struct migration *file; /* NULL: of a way back that only the history has */
    const struct schema_entry *entry;
    const char *version; /* NULL: repeatable */
    const char *name;
    const struct migration_text *text; /* NULL: a way back that is in the history alone */
    bool resumes;                      /* the entry's act goes on */
};

/* The language of the act's file; for a way back that only the history has, the database's own. */
enum alter_language schema_act_language(const struct schema_act *act,
                                        const struct alter_functions *alter);

struct schema_order {
    bool down;
    bool finishes;     /* nothing but what is unfinished */
    bool out_of_order; /* late files are run, too */
    const char *to;    /* version; NULL: all of them, and of the way back one */
    uint32_t most;     /* versions; 0: as many as there are */
};

struct schema_plan {
    struct schema_act *acts;
    uint32_t count;
    struct schema_finding *findings;
    uint32_t finding_count;
};

/* Reads a way back that is in the history alone, of the act of that number; NULL: there is none. */
typedef enum status schema_way_back(void *context, uint64_t number, const char **text,
                                    struct error *error);
/* Fills the texts of acts that have none. ERROR_MIGRATION_REFUSED: there is no way back. */
enum status schema_plan_fill(struct schema_plan *plan, struct arena *arena,
                             schema_way_back *way_back, void *context,
                             struct error *error) MUST_USE;

/*
 * Reads the statements of all that is to be run, and of the ways back and the checks that belong to
 * it, before the first one runs. What can't be run goes to `lines` (may be NULL), all of it; the
 * error is the first fault, ERROR_MIGRATION_INVALID.
 */
enum status schema_plan_check(const struct schema_plan *plan, const struct alter_functions *alter,
                              struct buffer *lines, struct error *error) MUST_USE;

/* Findings about the folder and the history, SCHEMA_PENDING included. */
void schema_find(const struct schema_history *history, const struct migration_set *set,
                 struct arena *arena, struct schema_plan *plan);
/*
 * The acts that are to be run, in their order, beside the findings, up to a declared change that is
 * pending. STATUS_FAILED: ERROR_MIGRATION_REFUSED, the history and the files do not fit, or such a
 * change is the next; ERROR_USAGE: `to` is no version. The plan is there in either case, as far as
 * it goes.
 */
enum status schema_plan_make(const struct schema_history *history, const struct migration_set *set,
                             const struct schema_order *order, struct arena *arena,
                             struct schema_plan *plan, struct error *error) MUST_USE;

#endif
