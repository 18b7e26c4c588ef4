/* The inside of the sandbox: the connection, its authorizer and limits. */
#ifndef TRANSHUME_PLAN_WORDS_EXPRESSION_SANDBOX_H
#define TRANSHUME_PLAN_WORDS_EXPRESSION_SANDBOX_H

#include "plan/words/expression.h"
#include <sqlite3.h>

enum { EXPRESSION_NAMES_MAX = 2000 };

struct expression_sandbox {
    sqlite3 *database;
    sqlite3 *plain;      /* where date functions are really called, without an authorizer */
    bool open;           /* the sandbox itself works: everything is allowed */
    uint64_t operations; /* thousands of them, since the last evaluation began */
    char refused[160];   /* what the authorizer refused */
    char **used;         /* columns that the statement being checked reads */
    uint32_t used_count;
};

/* Runs a statement of the sandbox's own. */
enum status expression_sandbox_execute(struct expression_sandbox *sandbox, const char *sql,
                                       struct error *error) MUST_USE;
/* After a failure of what needs little of it, whatever the data is: ends the program if SQLite had
 * no memory. */
void expression_sandbox_check_memory(const struct expression_sandbox *sandbox);
/* Forgets what was refused and used. */
void expression_sandbox_begin_check(struct expression_sandbox *sandbox);
/* The fault of an expression that asks for the time of day or the place, as far as its text shows
 * it; NULL: it has none. */
const char *expression_dates_fault(const char *text);
/* Puts functions in place of the date functions that refuse what depends on now and here. */
enum status expression_dates_register(struct expression_sandbox *sandbox,
                                      struct error *error) MUST_USE;

#endif
