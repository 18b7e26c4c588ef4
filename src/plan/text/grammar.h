/* Everything that may stand in a plan, as tables: they check the form, give the hints and feed the
 * reference. */
#ifndef TRANSHUME_PLAN_TEXT_GRAMMAR_H
#define TRANSHUME_PLAN_TEXT_GRAMMAR_H

#include "plan/text/document.h"
#include "plan/text/faults.h"
#include <stdbool.h>
#include <stdint.h>

/* Forms that a value may have; several may be allowed. */
enum grammar_form {
    FORM_TEXT = 1 << 0,
    FORM_WHOLE = 1 << 1,  /* a whole number >= 1 */
    FORM_CHOICE = 1 << 2, /* one of `choices` */
    FORM_ANY = 1 << 3,    /* any scalar, null included */
    FORM_LIST = 1 << 4,   /* of texts */
    FORM_MAP = 1 << 5,    /* with the keys of `map` */
    FORM_NAMED = 1 << 6,  /* names of the user's choice, each value a map with the keys of `map` */
    FORM_TEXTS = 1 << 7,  /* names of the user's choice, each value a text */
    FORM_FIELDS = 1 << 8, /* names of the user's choice, each value a field */
    FORM_BOOLEAN = 1 << 9,
    FORM_VALUES = 1 << 10, /* names of the user's choice, each value a single one, null included */
    FORM_RELATIONS = 1 << 11, /* names of the user's choice, each value FORM_TEXTS */
    FORM_ORDERED = 1 << 12,   /* of FORM_LIST: an item may be a map of a name to one of `choices` */
    FORM_RECORDS = 1 << 13,   /* as FORM_RELATIONS */
    FORM_PROPERTIES =
        1 << 14,         /* names of the user's choice, each value a single one or FORM_VALUES */
    FORM_ITEMS = 1 << 15 /* a text, a map with the keys of `map`, or a list of these */
};

struct grammar_map;
struct grammar_key {
    const char *name;
    uint32_t forms;
    const struct grammar_map *map;
    const char *choices; /* "refuse|append|…" */
    bool required;
    bool later; /* part of the language, not of this version */
    const char *help;
};
struct grammar_map {
    const char *what; /* "an entity" */
    const struct grammar_key *keys;
    uint32_t count;
};

extern const struct grammar_map grammar_plan;
extern const struct grammar_map grammar_table;
extern const struct grammar_map grammar_entity;
extern const struct grammar_map grammar_field;
extern const struct grammar_map grammar_alerts; /* a file of --alerts */

/* The form of a field: its leading key, and which keys may stand beside it. */
struct grammar_field_form {
    const char *name;
    const char *beside;   /* "cast|default|when" */
    const char *required; /* "value|column": one of them; NULL: none */
};
extern const struct grammar_field_form grammar_field_forms[];
extern const uint32_t grammar_field_form_count;

/* Checks a whole plan: every fault of form goes to `faults`. */
void grammar_check(const struct plan_node *root, struct plan_faults *faults);

/* The same of a file of alerts, and of what stands under `alerts:` in a plan. */
void grammar_check_alerts_file(const struct plan_node *root, struct plan_faults *faults);
void grammar_check_alerts(const struct plan_node *alerts, struct plan_faults *faults);

/* The key of the map that is called so; NULL: it has none. */
const struct grammar_key *grammar_find(const struct grammar_map *map, const char *name);

/* True if `name` is one of "a|b|c". */
bool grammar_choice_has(const char *choices, const char *name);

#endif
