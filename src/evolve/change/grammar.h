/* Everything that may stand in a file of declared changes, as tables: they check its form, give the
 * hints, and feed the reference. */
#ifndef TRANSHUME_EVOLVE_CHANGE_GRAMMAR_H
#define TRANSHUME_EVOLVE_CHANGE_GRAMMAR_H

#include "connectors/contract/change.h"
#include "plan/text/tree.h"

/* Forms that a value may have; several may be allowed. */
enum change_form {
    CHANGE_FORM_TEXT = 1 << 0, /* a single value, numbers included */
    CHANGE_FORM_TRUTH = 1 << 1,
    CHANGE_FORM_NULL = 1 << 2,  /* null says something of its own */
    CHANGE_FORM_NAMES = 1 << 3, /* a list of texts */
    CHANGE_FORM_MAP = 1 << 4,   /* with the fields of `shape` */
    CHANGE_FORM_MAPS = 1 << 5,  /* a list of those */
    CHANGE_FORM_TEXTS = 1 << 6  /* names of the user's choice, each value a text */
};

struct change_shape;
struct change_field {
    const char *name;
    uint32_t forms;
    const struct change_shape *shape; /* of CHANGE_FORM_MAP and CHANGE_FORM_MAPS */
    const char *choices;              /* "unique|check|…"; NULL: any */
    bool required;
    const char *help;
};

/* A map: of an operation, or within one. */
struct change_shape {
    const char *name; /* "add_column" */
    const char *help;
    const struct change_field *fields;
    uint32_t count;
};

extern const struct change_shape change_shapes[];
extern const uint32_t change_shape_count;

/* NULL: there is no such operation. */
const struct change_shape *change_shape_of(const char *kind);

/* Reads an operation, `{ KIND: { … } }`; what is wrong goes to `faults`, and then it is not whole.
 */
void change_read_operation(const struct plan_node *node, struct arena *arena,
                           struct change_operation *operation, struct plan_faults *faults);

#endif
