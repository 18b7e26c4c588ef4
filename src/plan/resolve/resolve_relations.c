/* `relations:` of a plan: foreign keys of a source that declares none. */
#include "plan/resolve/resolve.h"
#include <string.h>

/* "Album.AlbumId": the table's name may have dots, a column's too. NULL: a fault was said. */
static const struct schema_table *split_target(struct resolver *resolver,
                                               const struct plan_node *node, const char **column)
{
    char *name = arena_copy(resolver->arena, node->text, node->length);
    char *dot = strrchr(name, '.');
    if (dot == NULL || dot == name || dot[1] == '\0') {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, "write TABLE.COLUMN",
                   "'%s' names no column of a table", node->text);
        return NULL;
    }
    for (char *at = dot; at != NULL && at > name; at = memrchr(name, '.', (size_t)(at - name))) {
        *at = '\0';
        const struct schema_table *table = schema_find_table(resolver->schema, name);
        *at = '.';
        if (table != NULL) {
            *column = at + 1;
            return table;
        }
    }
    *dot = '\0';
    return resolve_source_table(resolver, node, name);
}

const char *resolve_match_column(struct resolver *resolver, const struct schema_table *table,
                                 const struct plan_node *node, const char *name)
{
    int index = resolve_find_column(resolver, table, name);
    if (index >= 0) {
        return table->columns[index].name;
    }
    if (resolver->source_documents && name[0] != '\0') {
        return name;
    }
    const char **names = resolve_allocate(resolver, table->column_count + (size_t)1, sizeof *names);
    char hint[320];
    for (uint32_t i = 0; i < table->column_count; i++) {
        names[i] = table->columns[i].name;
    }
    plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node,
               plan_nearest_hint(name, names, table->column_count, hint, sizeof hint),
               "%s has no column '%s'", table->name, name);
    return NULL;
}

/* Does it name another column of the same table than those that are there? Then it is a part of
 * that key; else it begins a relation of its own. */
static bool is_part_of(const struct plan_relation *relation, const struct schema_table *to,
                       const char *column)
{
    if (relation->to != to) {
        return false;
    }
    for (uint32_t i = 0; i < relation->key.columns.count; i++) {
        if (strcmp(relation->key.referenced_columns.names[i], column) == 0) {
            return false;
        }
    }
    return true;
}

static void add_part(struct resolver *resolver, struct plan_relation *relation, const char *ours,
                     const char *theirs)
{
    struct schema_foreign_key *key = &relation->key;
    uint32_t count = key->columns.count;
    const char **names = resolve_allocate(resolver, 2 * ((size_t)count + 1), sizeof *names);
    for (uint32_t i = 0; i < count; i++) {
        names[i] = key->columns.names[i];
        names[count + 1 + i] = key->referenced_columns.names[i];
    }
    names[count] = ours;
    names[2 * count + 1] = theirs;
    key->columns = (struct column_list){names, count + 1};
    key->referenced_columns = (struct column_list){names + count + 1, count + 1};
}

static void add_relation(struct resolver *resolver, const struct schema_table *from,
                         const struct plan_node *ours, const struct plan_node *theirs,
                         uint32_t first)
{
    const char *column = NULL;
    const char *own = resolve_match_column(resolver, from, ours, ours->text);
    const struct schema_table *to = split_target(resolver, theirs, &column);
    if (own == NULL || to == NULL || column == NULL) {
        return;
    }
    column = resolve_match_column(resolver, to, theirs, column);
    struct plan_relation *relation = NULL;
    for (uint32_t i = first; column != NULL && relation == NULL && i < resolver->relations.count;
         i++) {
        struct plan_relation *known = resolver->relations.items[i];
        relation = is_part_of(known, to, column) ? known : NULL;
    }
    if (column != NULL && relation == NULL) {
        relation = resolve_add(resolver, &resolver->relations, sizeof *relation);
    }
    if (relation != NULL) {
        relation->from = from;
        relation->to = to;
        relation->key.references = to->name;
        add_part(resolver, relation, own, column);
    }
}

void relations_resolve(struct resolver *resolver)
{
    const struct plan_node *relations = plan_node_get(resolver->document->root, "relations");
    for (uint32_t i = 0; relations != NULL && i < relations->count; i++) {
        const struct plan_node *columns = relations->items[i];
        const struct schema_table *from =
            resolve_source_table(resolver, relations->keys[i], relations->keys[i]->text);
        uint32_t first = resolver->relations.count;
        for (uint32_t j = 0; from != NULL && j < columns->count; j++) {
            add_relation(resolver, from, columns->keys[j], columns->items[j], first);
        }
    }
}
