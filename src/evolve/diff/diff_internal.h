/* Declarations that the files of the diff share. */
#ifndef TRANSHUME_EVOLVE_DIFF_INTERNAL_H
#define TRANSHUME_EVOLVE_DIFF_INTERNAL_H

#include "evolve/diff/diff.h"

/* One step of the way from one schema to the other: a statement or several. */
struct diff_step {
    enum definition_change_kind kind;
    uint32_t before; /* DEFINITION_NONE: CREATE */
    uint32_t after;  /* DEFINITION_NONE: DROP */
    uint32_t within; /* the step that does it along with its own; DEFINITION_NONE: it is one */
    bool rebuilds;   /* the CREATE or DROP of something that is dropped and made again */
};

/* The comparison of two lists. */
struct diff_compare {
    struct arena *arena;
    struct definition_session *session; /* of the one that tells statements */
    const struct definition_functions *functions;
    const struct diff_options *options;
    struct definitions from;
    struct definitions to;
    uint32_t *to_of_from; /* by number; DEFINITION_NONE: it is in the one only */
    uint32_t *from_of_to;
    struct diff_step *steps;
    uint32_t step_count;
    uint32_t step_capacity;
    uint32_t *create_of; /* by number in `to`: the step that makes or changes it; or NONE */
    uint32_t *drop_of;   /* by number in `from`: the step that drops it */
    uint32_t *alter_of;  /* by number in `from` */
    const uint32_t *order;
    uint32_t order_count;
};

/* compare.c: the steps, without an order. */
enum status diff_compare_lists(struct diff_compare *compare, struct error *error) MUST_USE;
/* order.c */
void diff_order(struct diff_compare *compare);
/* The step that really does it. */
static inline uint32_t diff_doer(const struct diff_compare *compare, uint32_t step)
{
    while (step != DEFINITION_NONE && compare->steps[step].within != DEFINITION_NONE) {
        step = compare->steps[step].within;
    }
    return step;
}
struct definition_change diff_change_of(const struct diff_compare *compare,
                                        const struct diff_step *step);

/* rename.c: what was said to be renamed, on the command line and in files. */
struct diff_rename {
    const char *kind; /* "table", "column", "index", … */
    const char *schema;
    const char *table; /* of a column, as it is called afterwards; NULL */
    const char *old_name;
    const char *new_name;
};
struct diff_renames {
    struct diff_rename *items;
    uint32_t count;
    uint32_t capacity;
};
/* `-- @rename from=x` in a text. */
void diff_renames_read(enum sql_language language, const char *text, size_t length,
                       struct arena *arena, struct diff_renames *renames);
enum status diff_renames_parse(const char *given, struct arena *arena, struct diff_renames *renames,
                               struct error *error) MUST_USE;

#endif
