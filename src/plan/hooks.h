/*
 * Hooks of a plan: what runs before and after a run, a table and a chunk, and where a run fails.
 *
 *   before: / after: / on_failure:            of the run
 *   tables: NAME: before: / after:            of a table
 *   tables: NAME: before_chunk: / after_chunk:   SQL in the transaction of each of its chunks
 *
 * Each is a text (SQL for the target), a map { sql, in, command, env, timeout, once }, or a list of
 * these.
 */
#ifndef TRANSHUME_PLAN_HOOKS_H
#define TRANSHUME_PLAN_HOOKS_H

#include "sql/language.h"
#include <stdbool.h>
#include <stdint.h>

enum hook_moment { HOOK_BEFORE, HOOK_AFTER, HOOK_FAILURE, HOOK_BEFORE_CHUNK, HOOK_AFTER_CHUNK };
enum { HOOK_MOMENT_COUNT = HOOK_AFTER_CHUNK + 1 };

enum { HOOK_OF_RUN = UINT32_MAX };

struct plan_hook {
    enum hook_moment moment;
    uint32_t table;    /* of the plan; HOOK_OF_RUN */
    const char *title; /* "before", "after of orders", "before 2": for people */
    const char *id;    /* of what it does: 32 digits; two hooks of a plan have two */
    const char *place; /* "transhume.yaml:12:5" */
    const char *text;  /* SQL or command as the plan has it, without values of ${NAME} */
    bool substituted;  /* what is run is another text: ${NAME} was replaced */
    const char *const *statements; /* of SQL, each as the server gets it; NULL: it is a command */
    uint32_t statement_count;
    const char *const *arguments; /* of a command, NULL-terminated */
    const char *const *passed;    /* … the variables that it gets besides; NULL: none */
    bool in_source;               /* SQL */
    bool once;                    /* never begun a second time unless somebody says so */
    int64_t timeout_ms;
};

/* "before_chunk" */
const char *hook_moment_name(enum hook_moment moment);

#endif
