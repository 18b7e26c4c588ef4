/* include and exclude: which tables they let through, and names among them that no table has. */
#include "base/text.h"
#include "plan/resolve/resolve.h"
#include <string.h>

static bool any_matches(const struct plan_node *node, const char *name)
{
    if (node == NULL) {
        return false;
    }
    if (node->kind == PLAN_NODE_SCALAR) {
        return text_matches(node->text, name);
    }
    for (uint32_t i = 0; i < node->count; i++) {
        if (text_matches(node->items[i]->text, name)) {
            return true;
        }
    }
    return false;
}

static bool list_matches(const char *const *patterns, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (text_matches(patterns[i], name)) {
            return true;
        }
    }
    return false;
}

bool resolve_table_wanted(const struct resolver *resolver, const char *name)
{
    const struct plan_settings *settings = resolver->settings;
    if (strncmp(name, "_transhume_", 11) == 0) {
        return false;
    }
    if (settings != NULL) {
        if (settings->include_count > 0 &&
            !list_matches(settings->include, settings->include_count, name)) {
            return false;
        }
        if (list_matches(settings->exclude, settings->exclude_count, name)) {
            return false;
        }
    }
    if (resolver->document == NULL) {
        return true;
    }
    const struct plan_node *include = plan_node_get(resolver->document->root, "include");
    return (include == NULL || any_matches(include, name)) &&
           !any_matches(plan_node_get(resolver->document->root, "exclude"), name);
}

/* ---------------------------------------------------------------- slips */

/* A pattern may fit nothing; a name that nobody has is a slip, by which a table would be left out,
 * or copied that was not to be. */
static void check_name(struct resolver *resolver, const char *name, const char *before,
                       const struct plan_node *node)
{
    const struct schema *schema = resolver->schema;
    bool is_ledger = strncmp(name, "_transhume_", 11) == 0; /* never copied */
    if (is_ledger || strpbrk(name, "*?") != NULL || resolve_stopped(resolver)) {
        return;
    }
    for (uint32_t i = 0; i < schema->table_count; i++) {
        const char *whole = schema->tables[i].belongs_to;
        if (strcmp(schema->tables[i].name, name) == 0 ||
            (whole != NULL && strcmp(whole, name) == 0)) {
            return;
        }
    }
    for (uint32_t i = 0; i < schema->object_count; i++) {
        const char *object = schema->objects[i].name;
        if (object != NULL && strcmp(object, name) == 0) {
            return; /* a virtual table, a view */
        }
    }
    resolve_fault_no_table(resolver, node, before, name);
}

static void check_nodes(struct resolver *resolver, const char *option, const char *before)
{
    const struct plan_node *node =
        resolver->document != NULL ? plan_node_get(resolver->document->root, option) : NULL;
    if (node != NULL && node->kind == PLAN_NODE_SCALAR) {
        check_name(resolver, node->text, before, node);
        return;
    }
    for (uint32_t i = 0; node != NULL && i < node->count; i++) {
        check_name(resolver, node->items[i]->text, before, node->items[i]);
    }
}

void patterns_check(struct resolver *resolver)
{
    const struct plan_settings *settings = resolver->settings;
    /* what is left out may not be looked at there, and so not be known */
    bool knows_all = !resolver->source_documents;
    for (uint32_t i = 0; settings != NULL && i < settings->include_count; i++) {
        check_name(resolver, settings->include[i], "--include: ", NULL);
    }
    check_nodes(resolver, "include", "include: ");
    for (uint32_t i = 0; knows_all && settings != NULL && i < settings->exclude_count; i++) {
        check_name(resolver, settings->exclude[i], "--exclude: ", NULL);
    }
    if (knows_all) {
        check_nodes(resolver, "exclude", "exclude: ");
    }
}
