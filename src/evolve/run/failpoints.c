/* Where tests break a change of the schema off. */
#include "evolve/run/run.h"

static const char *const names[] = {"evolve.after_lock",
                                    "evolve.after_claim",
                                    "evolve.before_file",
                                    "evolve.before_statement",
                                    "evolve.after_statement",
                                    "evolve.before_commit",
                                    "evolve.after_commit",
                                    "evolve.after_begin_row",
                                    "evolve.after_intent",
                                    "evolve.after_step",
                                    "evolve.before_end_row",
                                    "evolve.before_note",
                                    "evolve.after_settle",
                                    "evolve.before_repair",
                                    "evolve.after_image",
                                    "evolve.before_clear",
                                    NULL};

const char *const *schema_failpoints(void)
{
    return names;
}
