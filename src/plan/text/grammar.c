/* Checks a plan's tree against the tables of its grammar. */
#include "plan/text/grammar.h"

#include "base/text.h"
#include "plan/text/tree.h"
#include <stdio.h>
#include <string.h>

enum { NAMES_MAX = 64, CHOICES_MAX = 16, CHOICES_BYTES_MAX = 256, PLAN_VERSION = 1 };

bool grammar_choice_has(const char *choices, const char *name)
{
    size_t length = strlen(name);
    while (*choices != '\0') {
        const char *bar = strchr(choices, '|');
        size_t size = bar != NULL ? (size_t)(bar - choices) : strlen(choices);
        if (size == length && memcmp(choices, name, length) == 0) {
            return true;
        }
        choices += size + (bar != NULL ? 1 : 0);
    }
    return false;
}

static bool is_boolean(const struct plan_node *node)
{
    return node->kind == PLAN_NODE_SCALAR && !node->quoted &&
           grammar_choice_has("true|True|TRUE|false|False|FALSE", node->text);
}

static bool is_whole(const struct plan_node *node)
{
    int64_t value;
    return node->kind == PLAN_NODE_SCALAR && !node->quoted &&
           text_to_int64(node->text, node->length, &value) == STATUS_OK && value >= 1;
}

static bool is_text(const struct plan_node *node)
{
    return node->kind == PLAN_NODE_SCALAR && !plan_node_is_null(node);
}

static const char *form_names[] = {"a text",
                                   "a whole number from 1",
                                   "a known word",
                                   "a single value",
                                   "a list of texts",
                                   "a map",
                                   "names, each with a map",
                                   "names, each with a text",
                                   "names, each with a field",
                                   "true or false",
                                   "names, each with a single value",
                                   "tables, each with COLUMN: TABLE.COLUMN",
                                   NULL, /* FORM_LIST says it */
                                   "types, each with FIELD: TYPE",
                                   "names, each with a single value or a map of such",
                                   "a text, a map, or a list of these"};

static void describe_forms(const struct grammar_key *key, char *out, size_t capacity)
{
    size_t used = 0;
    out[0] = '\0';
    for (uint32_t bit = 0; bit < sizeof form_names / sizeof form_names[0]; bit++) {
        bool told = form_names[bit] != NULL || (1u << bit) == FORM_CHOICE;
        if ((key->forms & (1u << bit)) != 0 && told && used < capacity) {
            const char *name = (1u << bit) == FORM_CHOICE ? key->choices : form_names[bit];
            used +=
                (size_t)snprintf(out + used, capacity - used, "%s%s", used > 0 ? " or " : "", name);
        }
    }
}

static bool scalar_fits(const struct grammar_key *key, const struct plan_node *node)
{
    return (key->forms & FORM_ANY) != 0 || ((key->forms & FORM_TEXT) != 0 && is_text(node)) ||
           ((key->forms & FORM_WHOLE) != 0 && is_whole(node)) ||
           ((key->forms & FORM_BOOLEAN) != 0 && is_boolean(node)) ||
           ((key->forms & FORM_CHOICE) != 0 && grammar_choice_has(key->choices, node->text));
}

static void check_map(const struct grammar_map *map, const struct plan_node *node,
                      struct plan_faults *faults);
static void check_fields(const struct plan_node *node, struct plan_faults *faults);

/* `{ C: desc }` */
static bool is_ordered(const struct grammar_key *key, const struct plan_node *item)
{
    return (key->forms & FORM_ORDERED) != 0 && item->kind == PLAN_NODE_MAP && item->count == 1 &&
           item->keys[0]->length > 0 && is_text(item->items[0]) &&
           grammar_choice_has(key->choices, item->items[0]->text);
}

static void check_list(const struct grammar_key *key, const struct plan_node *node,
                       struct plan_faults *faults)
{
    if (node->count == 0) {
        plan_fault(faults, ERROR_PLAN_INVALID, node, NULL, "an empty list");
    }
    for (uint32_t i = 0; i < node->count; i++) {
        if (!is_text(node->items[i]) && !is_ordered(key, node->items[i])) {
            plan_fault(faults, ERROR_PLAN_INVALID, node->items[i], NULL, "%s was expected here",
                       (key->forms & FORM_ORDERED) != 0 ? "a name, or { NAME: desc }," : "a text");
        }
    }
}

static void check_texts(const struct grammar_key *key, const struct plan_node *node,
                        struct plan_faults *faults)
{
    if (node->count == 0) {
        plan_fault(faults, ERROR_PLAN_INVALID, node, NULL, "'%s' has an empty entry", key->name);
    }
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->keys[i]->length == 0 || !is_text(node->items[i])) {
            plan_fault(faults, ERROR_PLAN_INVALID, node->items[i], NULL,
                       "a text was expected for '%s'", node->keys[i]->text);
        }
    }
}

static void check_property(const struct plan_node *name, const struct plan_node *value,
                           struct plan_faults *faults)
{
    bool single = value->kind == PLAN_NODE_SCALAR && !plan_node_is_null(value);
    for (uint32_t i = 0; value->kind == PLAN_NODE_MAP && i < value->count; i++) {
        single = value->items[i]->kind == PLAN_NODE_SCALAR && !plan_node_is_null(value->items[i]);
        if (!single) {
            break;
        }
    }
    if (!single) {
        plan_fault(faults, ERROR_PLAN_INVALID, value, NULL,
                   "a single value, or a map of such, was expected for '%s'", name->text);
    }
}

static void check_named(const struct grammar_key *key, const struct plan_node *node,
                        struct plan_faults *faults)
{
    if (node->count == 0) {
        plan_fault(faults, ERROR_PLAN_INVALID, node, NULL, "'%s' is empty", key->name);
    }
    for (uint32_t i = 0; i < node->count; i++) {
        const struct plan_node *item = node->items[i];
        if (node->keys[i]->length == 0) {
            plan_fault(faults, ERROR_PLAN_INVALID, node->keys[i], NULL, "an empty name");
        }
        if ((key->forms & FORM_VALUES) != 0) {
            if (item->kind != PLAN_NODE_SCALAR) {
                plan_fault(faults, ERROR_PLAN_INVALID, item, NULL,
                           "a single value was expected for '%s'", node->keys[i]->text);
            }
        } else if ((key->forms & FORM_PROPERTIES) != 0) {
            check_property(node->keys[i], item, faults);
        } else if ((key->forms & (FORM_RELATIONS | FORM_RECORDS)) != 0 &&
                   item->kind == PLAN_NODE_MAP) {
            check_texts(key, item, faults);
        } else if ((key->forms & (FORM_RELATIONS | FORM_RECORDS)) != 0) {
            plan_fault(faults, ERROR_PLAN_INVALID, item,
                       (key->forms & FORM_RECORDS) != 0 ? "write { FIELD: TYPE }"
                                                        : "write { COLUMN: TABLE.COLUMN }",
                       "a map was expected for '%s'", node->keys[i]->text);
        } else if ((key->forms & FORM_TEXTS) != 0) {
            if (!is_text(item)) {
                plan_fault(faults, ERROR_PLAN_INVALID, item, NULL, "a text was expected for '%s'",
                           node->keys[i]->text);
            }
        } else if (item->kind != PLAN_NODE_MAP) {
            plan_fault(faults, ERROR_PLAN_INVALID, item, NULL, "%s was expected for '%s'",
                       key->map->what, node->keys[i]->text);
        } else {
            check_map(key->map, item, faults);
        }
    }
}

/* False: it is none. */
static bool check_item(const struct grammar_key *key, const struct plan_node *node,
                       struct plan_faults *faults)
{
    if (node->kind == PLAN_NODE_MAP) {
        check_map(key->map, node, faults);
        return true;
    }
    return is_text(node);
}

static void check_items(const struct grammar_key *key, const struct plan_node *node,
                        struct plan_faults *faults)
{
    if (node->count == 0) {
        plan_fault(faults, ERROR_PLAN_INVALID, node, NULL, "an empty list");
    }
    for (uint32_t i = 0; i < node->count; i++) {
        if (!check_item(key, node->items[i], faults)) {
            plan_fault(faults, ERROR_PLAN_INVALID, node->items[i], NULL,
                       "%s was expected here: a text or a map", key->map->what);
        }
    }
}

/* "did you mean 'X'?" where one of the words that may stand here is near; else NULL. */
static const char *nearest_choice(const struct grammar_key *key, const struct plan_node *node,
                                  char *hint, size_t capacity)
{
    const char *names[CHOICES_MAX];
    char words[CHOICES_BYTES_MAX];
    char *rest = words;
    size_t count = 0;
    if (node->kind != PLAN_NODE_SCALAR || (key->forms & (FORM_CHOICE | FORM_BOOLEAN)) == 0) {
        return NULL;
    }
    (void)snprintf(words, sizeof words, "%s%s",
                   (key->forms & FORM_BOOLEAN) != 0 ? "true|false|" : "",
                   key->choices != NULL ? key->choices : "");
    while (count < CHOICES_MAX && *rest != '\0') {
        names[count++] = rest;
        rest += strcspn(rest, "|");
        if (*rest == '|') {
            *rest++ = '\0';
        }
    }
    const char *near = text_nearest(node->text, names, count);
    if (near == NULL) {
        return NULL;
    }
    (void)snprintf(hint, capacity, "did you mean '%s'?", near);
    return hint;
}

static void check_value(const struct grammar_key *key, const struct plan_node *node,
                        struct plan_faults *faults)
{
    if (node->kind == PLAN_NODE_SCALAR && scalar_fits(key, node)) {
        return;
    }
    if (node->kind == PLAN_NODE_LIST && (key->forms & FORM_LIST) != 0) {
        check_list(key, node, faults);
        return;
    }
    if (node->kind == PLAN_NODE_MAP) {
        if ((key->forms & FORM_MAP) != 0) {
            check_map(key->map, node, faults);
            return;
        }
        if ((key->forms & (FORM_NAMED | FORM_TEXTS | FORM_VALUES | FORM_RELATIONS | FORM_RECORDS |
                           FORM_PROPERTIES)) != 0) {
            check_named(key, node, faults);
            return;
        }
        if ((key->forms & FORM_FIELDS) != 0) {
            check_fields(node, faults);
            return;
        }
    }
    if ((key->forms & FORM_ITEMS) != 0 && node->kind == PLAN_NODE_LIST) {
        check_items(key, node, faults);
        return;
    }
    if ((key->forms & FORM_ITEMS) != 0 && check_item(key, node, faults)) {
        return;
    }
    char expected[256];
    describe_forms(key, expected, sizeof expected);
    const char *found = node->kind == PLAN_NODE_MAP    ? "a map"
                        : node->kind == PLAN_NODE_LIST ? "a list"
                        : plan_node_is_null(node)      ? "nothing"
                                                       : node->text;
    char hint[384];
    const char *advice = nearest_choice(key, node, hint, sizeof hint);
    if (advice == NULL && strcmp(found, "nothing") == 0) {
        advice = "indent what belongs to it further than itself";
    }
    plan_fault(faults, ERROR_PLAN_INVALID, node, advice,
               "'%s' is %s, not '%s'", key->name, expected, found);
}

const struct grammar_key *grammar_find(const struct grammar_map *map, const char *name)
{
    for (uint32_t i = 0; i < map->count; i++) {
        if (strcmp(map->keys[i].name, name) == 0) {
            return &map->keys[i];
        }
    }
    return NULL;
}

static void fault_unknown_key(const struct grammar_map *map, const struct plan_node *key,
                              struct plan_faults *faults)
{
    const char *names[NAMES_MAX];
    char hint[384];
    uint32_t count = 0;
    for (uint32_t i = 0; i < map->count && count < NAMES_MAX; i++) {
        names[count++] = map->keys[i].name;
    }
    const char *advice = plan_nearest_hint(key->text, names, count, hint, sizeof hint);
    if (map == &grammar_field && strcmp(key->text, "on") == 0) {
        advice = "write match: { THEIRS: ours }";
    }
    if (strcmp(key->text, "rename") == 0) {
        advice = "write among the fields NEW: { column: OLD }, and OLD: { drop: true } beside "
                 "\"*\": copy";
    }
    faults->unknown_keys++;
    plan_fault(faults, ERROR_PLAN_INVALID, key, advice, "'%s' is no key of %s", key->text,
               map->what);
}

static void check_map(const struct grammar_map *map, const struct plan_node *node,
                      struct plan_faults *faults)
{
    for (uint32_t i = 0; i < node->count; i++) {
        const struct grammar_key *key = grammar_find(map, node->keys[i]->text);
        if (key == NULL) {
            fault_unknown_key(map, node->keys[i], faults);
        } else if (key->later) {
            plan_fault(faults, ERROR_NOT_IMPLEMENTED, node->keys[i], NULL,
                       "'%s' comes with a later version", key->name);
        } else {
            check_value(key, node->items[i], faults);
        }
    }
    for (uint32_t i = 0; i < map->count; i++) {
        if (map->keys[i].required && plan_node_get(node, map->keys[i].name) == NULL) {
            plan_fault(faults, ERROR_PLAN_INVALID, node, map->keys[i].help, "%s needs '%s'",
                       map->what, map->keys[i].name);
        }
    }
}

static const struct grammar_field_form *leading_form(const struct plan_node *node)
{
    for (uint32_t i = 0; i < grammar_field_form_count; i++) {
        const struct plan_node *value = plan_node_get(node, grammar_field_forms[i].name);
        if (value != NULL) {
            return &grammar_field_forms[i];
        }
    }
    return NULL;
}

static void check_beside(const struct grammar_field_form *form, const struct plan_node *node,
                         struct plan_faults *faults)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < node->count; i++) {
        const char *name = node->keys[i]->text;
        if (grammar_find(&grammar_field, name) == NULL || strcmp(name, form->name) == 0) {
            continue;
        }
        if (!grammar_choice_has(form->beside, name)) {
            char hint[200];
            (void)snprintf(hint, sizeof hint, "beside it may stand: %s",
                           form->beside[0] != '\0' ? form->beside : "nothing");
            plan_fault(faults, ERROR_PLAN_INVALID, node->keys[i], hint,
                       "'%s' does not go with '%s'", name, form->name);
        } else if (form->required != NULL && grammar_choice_has(form->required, name)) {
            found++;
        }
    }
    if (form->required != NULL && found != 1) {
        plan_fault(faults, ERROR_PLAN_INVALID, node, NULL, "'%s' needs %s%s", form->name,
                   strchr(form->required, '|') != NULL ? "one of " : "", form->required);
    }
}

static void check_field(const struct plan_node *key, const struct plan_node *node,
                        struct plan_faults *faults)
{
    bool star = strcmp(key->text, "*") == 0;
    if (key->length == 0) {
        plan_fault(faults, ERROR_PLAN_INVALID, key, NULL, "an empty field name");
    } else if (star && !plan_node_is_copy(node)) {
        plan_fault(faults, ERROR_PLAN_INVALID, node, "write \"*\": copy", "'*' can only be copied");
    } else if (node->kind == PLAN_NODE_SCALAR && plan_node_is_null(node)) {
        plan_fault(faults, ERROR_PLAN_INVALID, node,
                   "copy, a \"template\", or { drop: true } to leave it out",
                   "the field '%s' says nothing", key->text);
    } else if (node->kind == PLAN_NODE_LIST) {
        plan_fault(faults, ERROR_PLAN_INVALID, node, NULL,
                   "the field '%s' is a list; a template or a map was expected", key->text);
    } else if (node->kind == PLAN_NODE_MAP) {
        check_map(&grammar_field, node, faults);
        const struct grammar_field_form *form = leading_form(node);
        if (form != NULL) {
            check_beside(form, node, faults);
        } else {
            plan_fault(faults, ERROR_PLAN_INVALID, node,
                       "one of: column, const, lookup, aggregate, sql, embed, drop",
                       "the field '%s' does not say where it comes from", key->text);
        }
    }
}

static void check_fields(const struct plan_node *node, struct plan_faults *faults)
{
    if (node->count == 0) {
        plan_fault(faults, ERROR_PLAN_INVALID, node, NULL, "'fields' is empty");
    }
    for (uint32_t i = 0; i < node->count; i++) {
        check_field(node->keys[i], node->items[i], faults);
    }
}

static bool check_version(const struct plan_node *root, struct plan_faults *faults)
{
    const struct plan_node *version = plan_node_get(root, "transhume");
    int64_t number;
    if (version == NULL || !is_whole(version) ||
        text_to_int64(version->text, version->length, &number) != STATUS_OK) {
        return true;
    }
    if (number > PLAN_VERSION) {
        plan_fault(faults, ERROR_FORMAT_NEWER, version, "take a newer transhume",
                   "the plan is of version %lld, this program knows version %d", (long long)number,
                   PLAN_VERSION);
        return false;
    }
    return true;
}

void grammar_check(const struct plan_node *root, struct plan_faults *faults)
{
    if (root->kind != PLAN_NODE_MAP) {
        plan_fault(faults, ERROR_PLAN_INVALID, root, "it begins with 'transhume: 1'",
                   "a plan is a map");
        return;
    }
    if (check_version(root, faults)) {
        check_map(&grammar_plan, root, faults);
    }
}

void grammar_check_alerts_file(const struct plan_node *root, struct plan_faults *faults)
{
    if (root->kind != PLAN_NODE_MAP) {
        plan_fault(faults, ERROR_PLAN_INVALID, root, "it begins with 'alerts:'",
                   "a file of alerts is a map");
        return;
    }
    check_map(&grammar_alerts, root, faults);
}

void grammar_check_alerts(const struct plan_node *alerts, struct plan_faults *faults)
{
    check_value(&grammar_alerts.keys[0], alerts, faults);
}
