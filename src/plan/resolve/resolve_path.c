/* Paths of foreign keys: from table to table, up or down, one step after the other. */
#include "plan/resolve/resolve.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PATH_STEPS_MAX = 16, CANDIDATES_MAX = 16 };

/* The path that is asked for, while it is walked. */
struct path_walk {
    struct resolver *resolver;
    const struct plan_node *node;
    const struct plan_node *match;
    bool start_down;
    bool match_used;
    bool only_step;
    const struct schema_table *table; /* where the walk stands */
    bool first;
};

struct step_candidate {
    const struct schema_foreign_key *key;
    bool down;
};

static bool same_table(const struct schema *schema, const char *reference,
                       const struct schema_table *table)
{
    return strcmp(reference, table->name) == 0 || (strcasecmp(reference, table->name) == 0 &&
                                                   schema_find_table(schema, reference) == NULL);
}

static struct column_list referenced_columns(const struct schema_foreign_key *key,
                                             const struct schema_table *table)
{
    return key->referenced_columns.count > 0 ? key->referenced_columns : table->primary_key;
}

/* A relation that the plan says once more is no second way. */
static bool is_known(const struct schema_foreign_key *key, const struct schema_table *referenced,
                     const struct step_candidate *candidates, uint32_t count, bool down)
{
    for (uint32_t i = 0; i < count; i++) {
        if (candidates[i].down == down &&
            column_list_is_equal(candidates[i].key->columns, key->columns) &&
            column_list_is_equal(referenced_columns(candidates[i].key, referenced),
                                 key->referenced_columns)) {
            return true;
        }
    }
    return false;
}

static void add_candidates(const struct resolver *resolver, const struct schema_table *from,
                           const struct schema_table *to, bool down,
                           struct step_candidate *candidates, uint32_t *count)
{
    const struct schema *schema = resolver->schema;
    const struct schema_table *holder = down ? to : from;
    const struct schema_table *referenced = down ? from : to;
    for (uint32_t i = 0; i < holder->foreign_key_count && *count < CANDIDATES_MAX; i++) {
        const struct schema_foreign_key *key = &holder->foreign_keys[i];
        if (same_table(schema, key->references, referenced) &&
            referenced_columns(key, referenced).count == key->columns.count) {
            candidates[*count].key = key;
            candidates[(*count)++].down = down;
        }
    }
    for (uint32_t i = 0; i < resolver->relations.count && *count < CANDIDATES_MAX; i++) {
        const struct plan_relation *relation = resolver->relations.items[i];
        if (relation->from == holder && relation->to == referenced &&
            !is_known(&relation->key, referenced, candidates, *count, down)) {
            candidates[*count].key = &relation->key;
            candidates[(*count)++].down = down;
        }
    }
}

static void use_candidate(const struct path_walk *walk, const struct step_candidate *candidate,
                          const struct schema_table *next, struct path_step *step)
{
    const struct schema_foreign_key *key = candidate->key;
    step->table = next;
    step->many = candidate->down;
    if (candidate->down) {
        step->columns = key->columns;
        step->from_columns = referenced_columns(key, walk->table);
    } else {
        step->columns = referenced_columns(key, next);
        step->from_columns = key->columns;
    }
}

static void describe_candidates(const struct path_walk *walk,
                                const struct step_candidate *candidates, uint32_t count,
                                const struct schema_table *next, char *hint, size_t capacity)
{
    size_t used = (size_t)snprintf(hint, capacity, "say which:");
    for (uint32_t i = 0; i < count && used < capacity; i++) {
        struct path_step step;
        use_candidate(walk, &candidates[i], next, &step);
        used += (size_t)snprintf(hint + used, capacity - used, "%s match: { ", i > 0 ? " or" : "");
        for (uint32_t j = 0; j < step.columns.count && used < capacity; j++) {
            used += (size_t)snprintf(hint + used, capacity - used, "%s%s: %s", j > 0 ? ", " : "",
                                     step.columns.names[j], step.from_columns.names[j]);
        }
        if (used < capacity) {
            used += (size_t)snprintf(hint + used, capacity - used, " }");
        }
    }
}

static bool fault_candidates(struct path_walk *walk, const struct step_candidate *candidates,
                             uint32_t count, const struct schema_table *next)
{
    struct plan_faults *faults = &walk->resolver->faults;
    char hint[320];
    if (count > 1) {
        describe_candidates(walk, candidates, count, next, hint, sizeof hint);
        plan_fault(faults, ERROR_PLAN_INVALID, walk->node, hint, "there are %u ways from %s to %s",
                   (unsigned)count, walk->table->name, next->name);
        return false;
    }
    struct step_candidate others[CANDIDATES_MAX];
    uint32_t other_count = 0;
    add_candidates(walk->resolver, walk->table, next, !walk->start_down, others, &other_count);
    if (other_count > 0 && walk->start_down) {
        snprintf(hint, sizeof hint, "%s refers to %s: follow it with lookup:", walk->table->name,
                 next->name);
    } else if (other_count > 0) {
        snprintf(hint, sizeof hint,
                 "%s refers to %s: it has many rows, use embed: or aggregate:", next->name,
                 walk->table->name);
    } else {
        snprintf(hint, sizeof hint,
                 "say which columns are equal: match: { column of %s: column of %s }", next->name,
                 walk->table->name);
    }
    plan_fault(faults, ERROR_PLAN_INVALID, walk->node, hint,
               "no foreign key leads from %s %s to %s", walk->table->name,
               walk->start_down ? "down" : "up", next->name);
    return false;
}

/* At most one row has given values in these columns. */
static bool columns_are_unique(const struct schema_table *table, struct column_list columns)
{
    struct column_list keys[64];
    uint32_t key_count = 0;
    keys[key_count++] = table->primary_key;
    for (uint32_t i = 0; i < table->index_count && key_count < 64; i++) {
        if (table->indexes[i].unique && !table->indexes[i].partial) {
            keys[key_count++] = table->indexes[i].columns;
        }
    }
    for (uint32_t i = 0; i < key_count; i++) {
        uint32_t found = 0;
        for (uint32_t j = 0; j < keys[i].count; j++) {
            for (uint32_t k = 0; k < columns.count; k++) {
                if (strcmp(keys[i].names[j], columns.names[k]) == 0) {
                    found++;
                    break;
                }
            }
        }
        if (keys[i].count > 0 && found == keys[i].count) {
            return true;
        }
    }
    return false;
}

/* Files mostly declare no key: which of several rows is looked up is the engine's to settle. */
static bool tells_keys(const struct schema_table *table)
{
    return table->primary_key.count > 0 || table->index_count > 0;
}

static bool use_match(struct path_walk *walk, const struct schema_table *next,
                      struct path_step *step)
{
    const struct plan_node *match = walk->match;
    const char **theirs = resolve_allocate(walk->resolver, match->count, sizeof *theirs);
    const char **ours = resolve_allocate(walk->resolver, match->count, sizeof *ours);
    walk->match_used = true;
    for (uint32_t i = 0; i < match->count; i++) {
        theirs[i] =
            resolve_match_column(walk->resolver, next, match->keys[i], match->keys[i]->text);
        ours[i] = resolve_match_column(walk->resolver, walk->table, match->items[i],
                                       match->items[i]->text);
        if (theirs[i] == NULL || ours[i] == NULL) {
            return false;
        }
    }
    step->table = next;
    step->columns = (struct column_list){theirs, match->count};
    step->from_columns = (struct column_list){ours, match->count};
    bool unique = columns_are_unique(next, step->columns);
    step->many = walk->start_down && (walk->first || !unique);
    if (!walk->start_down && !unique && next->kind == SCHEMA_TABLE && tells_keys(next)) {
        plan_fault(&walk->resolver->faults, ERROR_PLAN_INVALID, match,
                   "name a primary key or unique columns, or use embed: or aggregate:",
                   "several rows of %s may have the same values in these columns", next->name);
        return false;
    }
    return true;
}

static bool find_step(struct path_walk *walk, const struct schema_table *next,
                      struct path_step *step)
{
    struct step_candidate candidates[CANDIDATES_MAX];
    uint32_t count = 0;
    if (!walk->start_down || !walk->first) {
        add_candidates(walk->resolver, walk->table, next, false, candidates, &count);
    }
    if (walk->start_down) {
        add_candidates(walk->resolver, walk->table, next, true, candidates, &count);
    }
    if (walk->match != NULL && !walk->match_used && (count != 1 || walk->only_step)) {
        return use_match(walk, next, step);
    }
    if (count != 1) {
        return fault_candidates(walk, candidates, count, next);
    }
    use_candidate(walk, &candidates[0], next, step);
    return true;
}

/* The table that the text begins with: all of it, or up to one of its dots, the longest first. */
static const struct schema_table *take_table(struct path_walk *walk, const char **text)
{
    size_t length = strlen(*text);
    const struct schema *schema = walk->resolver->schema;
    char *copy = resolve_allocate(walk->resolver, length + 1, 1);
    memcpy(copy, *text, length);
    for (;;) {
        const struct schema_table *table = schema_find_table(schema, copy);
        if (table != NULL) {
            *text += strlen(copy);
            *text += **text == '.';
            return table;
        }
        char *dot = strrchr(copy, '.');
        if (dot == NULL) {
            return resolve_source_table(walk->resolver, walk->node, copy);
        }
        *dot = '\0';
    }
}

/* Numbers compare by value, all else with its own kind only. 0: nothing is known. */
static int class_of(const struct schema_table *table, const char *name)
{
    int index = schema_find_column(table, name);
    const struct value_type *type = index >= 0 ? &table->columns[index].type : NULL;
    if (type == NULL || type->dynamic || type->kind <= VALUE_NULL) {
        return 0;
    }
    return value_kind_is_number(type->kind) ? VALUE_DECIMAL : (int)type->kind;
}

static void warn_of_kinds(const struct path_walk *walk, const struct path_step *step)
{
    for (uint32_t i = 0; !walk->resolver->source_joins && i < step->columns.count; i++) {
        const char *ours = step->from_columns.names[i];
        const char *theirs = step->columns.names[i];
        int left = class_of(walk->table, ours);
        int right = class_of(step->table, theirs);
        if (left != 0 && right != 0 && left != right) {
            resolve_note(
                walk->resolver, true, walk->table->name,
                "%s (%s) never equals %s.%s (%s), so no row will be found", ours,
                left == VALUE_DECIMAL ? "a number" : value_kind_name((enum value_kind)left),
                step->table->name, theirs,
                right == VALUE_DECIMAL ? "a number" : value_kind_name((enum value_kind)right));
        }
    }
}

static bool add_step(struct path_walk *walk, const char **text, struct path *path)
{
    const struct schema_table *next = take_table(walk, text);
    if (next == NULL) {
        return false;
    }
    if (path->count == PATH_STEPS_MAX) {
        plan_fault(&walk->resolver->faults, ERROR_PLAN_INVALID, walk->node, NULL,
                   "a path has more than %d steps", PATH_STEPS_MAX);
        return false;
    }
    if (path->count == 0 && **text == '\0' && walk->node->kind == PLAN_NODE_SCALAR) {
        walk->only_step = true;
    }
    struct path_step *step = &path->steps[path->count];
    if (!find_step(walk, next, step)) {
        return false;
    }
    warn_of_kinds(walk, step);
    path->count++;
    if (step->many) {
        path->down_count = path->count;
    }
    walk->table = next;
    walk->first = false;
    return true;
}

static const char *path_text(struct resolver *resolver, const struct plan_node *node)
{
    if (node->kind == PLAN_NODE_SCALAR) {
        return node->text;
    }
    const char *text = node->items[0]->text;
    for (uint32_t i = 1; i < node->count; i++) {
        text = resolve_format(resolver, "%s.%s", text, node->items[i]->text);
    }
    return text;
}

bool path_resolve(struct resolver *resolver, const struct schema_table *start,
                  const struct plan_node *node, const struct plan_node *match, bool start_down,
                  struct path *path)
{
    struct path_walk walk = {.resolver = resolver,
                             .node = node,
                             .match = match,
                             .start_down = start_down,
                             .only_step = node->kind == PLAN_NODE_LIST && node->count == 1,
                             .table = start,
                             .first = true};
    memset(path, 0, sizeof *path);
    if (start == NULL) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node,
                   "take them from a table, and the list into a table of its own",
                   "there is no table here whose foreign keys could be followed");
        return false;
    }
    path->steps = resolve_allocate(resolver, PATH_STEPS_MAX, sizeof *path->steps);
    path->text = path_text(resolver, node);
    uint32_t part_count = node->kind == PLAN_NODE_LIST ? node->count : 1;
    for (uint32_t i = 0; i < part_count; i++) {
        const char *text = node->kind == PLAN_NODE_LIST ? node->items[i]->text : node->text;
        do {
            if (!add_step(&walk, &text, path)) {
                return false;
            }
        } while (*text != '\0' && node->kind == PLAN_NODE_SCALAR);
    }
    if (match != NULL && !walk.match_used) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, match, "leave it out",
                   "every step of this path follows a foreign key, 'match' has no place");
        return false;
    }
    return true;
}

static bool steps_equal(const struct path_step *left, const struct path_step *right, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (left[i].table != right[i].table || left[i].many != right[i].many ||
            !column_list_is_equal(left[i].columns, right[i].columns) ||
            !column_list_is_equal(left[i].from_columns, right[i].from_columns)) {
            return false;
        }
    }
    return true;
}

struct path path_join(struct resolver *resolver, const struct path *first,
                      const struct path *second)
{
    struct path joined = {.count = first->count + second->count,
                          .down_count = first->count + second->down_count};
    joined.steps = resolve_allocate(resolver, joined.count, sizeof *joined.steps);
    memcpy(joined.steps, first->steps, first->count * sizeof *joined.steps);
    memcpy(joined.steps + first->count, second->steps, second->count * sizeof *joined.steps);
    joined.text = resolve_format(resolver, "%s.%s", first->text, second->text);
    return joined;
}

bool path_equal(const struct path *left, const struct path *right)
{
    return left->count == right->count && steps_equal(left->steps, right->steps, left->count);
}

bool path_equal_down(const struct path *left, const struct path *right)
{
    return left->down_count == right->down_count &&
           steps_equal(left->steps, right->steps, left->down_count);
}
