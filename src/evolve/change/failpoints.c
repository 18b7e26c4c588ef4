/* Where tests break a declared change off. */
#include "evolve/change/run.h"

static const char *const names[] = {"change.before_compile",
                                    "change.after_compile",
                                    "change.after_begin_row",
                                    "change.before_statement",
                                    "change.after_statement",
                                    "change.before_commit",
                                    "change.after_commit",
                                    "change.after_intent",
                                    "change.after_step",
                                    "change.after_settle",
                                    "change.before_batch",
                                    "change.in_batch",
                                    "change.after_batch",
                                    "change.before_end_row",
                                    "change.after_abort_row",
                                    "change.after_undo",
                                    "change.before_abort_end",
                                    "change.after_give_up",
                                    "change.before_skip",
                                    NULL};

const char *const *change_failpoints(void)
{
    return names;
}
