/*
 * `names:` of a plan, `--names`: what tables and columns are called that the plan does not name.
 * The first pattern that fits a name says what it becomes; letters and prefix are for the others.
 */
#include "base/name_index.h"
#include "base/text.h"
#include "plan/resolve/resolve.h"
#include <string.h>

static const struct plan_node *names_node(const struct resolver *resolver, const char *key)
{
    const struct plan_node *node =
        resolver->document != NULL ? plan_node_get(resolver->document->root, "names") : NULL;
    if (node == NULL || key == NULL || node->kind != PLAN_NODE_MAP) {
        return key == NULL ? node : NULL;
    }
    return plan_node_get(node, key);
}

/* ---------------------------------------------------------------- patterns */

static uint32_t count_stars(const char *text)
{
    uint32_t count = 0;
    for (; *text != '\0'; text++) {
        count += *text == '*';
    }
    return count;
}

/* The renaming of a star must be plain: one on the left, and one on the right. */
static void check_pattern(struct resolver *resolver, const struct plan_node *key,
                          const struct plan_node *becomes)
{
    uint32_t left = count_stars(key->text);
    uint32_t right = count_stars(becomes->text);
    if (becomes->length == 0) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, becomes, NULL, "a name can't be empty");
    } else if (right > 1 || (right == 1 && (left != 1 || strchr(key->text, '?') != NULL))) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, becomes,
                   "the * of the new name is what the one * of the pattern stands for",
                   "it can't be told what * is in '%s'", becomes->text);
    }
}

static void check_patterns(struct resolver *resolver, const char *key)
{
    const struct plan_node *rules = names_node(resolver, key);
    for (uint32_t i = 0; rules != NULL && i < rules->count; i++) {
        check_pattern(resolver, rules->keys[i], rules->items[i]);
    }
}

/* The name with the part that the pattern's star stands for, by the rule of letters. */
static void append_by_pattern(const struct resolver *resolver, const char *pattern,
                              const char *becomes, const char *name, struct buffer *out)
{
    const char *right = strchr(becomes, '*');
    const char *left = strchr(pattern, '*');
    if (right == NULL || left == NULL) {
        buffer_append_string(out, becomes);
        return;
    }
    size_t before = (size_t)(left - pattern);
    size_t behind = strlen(left + 1);
    buffer_append(out, becomes, (size_t)(right - becomes));
    struct buffer part = {0};
    name_case_append(resolver->names.letters, name + before, strlen(name) - before - behind, &part);
    buffer_append_buffer(out, &part);
    buffer_free(&part);
    buffer_append_string(out, right + 1);
}

static bool apply_patterns(const struct resolver *resolver, const struct plan_node *rules,
                           const char *name, struct buffer *out)
{
    for (uint32_t i = 0; rules != NULL && i < rules->count; i++) {
        if (text_matches(rules->keys[i]->text, name)) {
            append_by_pattern(resolver, rules->keys[i]->text, rules->items[i]->text, name, out);
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- names */

/* The prefix stands before the table's own name, not before its schema's. */
static void append_prefixed(const struct resolver *resolver, const char *name, struct buffer *out)
{
    struct buffer small = {0};
    name_case_append(resolver->names.letters, name, strlen(name), &small);
    bool empty = small.length == 0 || small.data[small.length - 1] == '.';
    const char *whole = empty ? name : buffer_string(&small);
    const char *dot = strrchr(whole, '.');
    size_t schema = dot != NULL ? (size_t)(dot + 1 - whole) : 0;
    buffer_append(out, whole, schema);
    buffer_append_string(out, resolver->names.prefix);
    buffer_append_string(out, whole + schema);
    buffer_free(&small);
}

const char *names_of_table(struct resolver *resolver, const char *name)
{
    if (!resolver->names.said) {
        return name;
    }
    struct buffer text = {0};
    if (!apply_patterns(resolver, names_node(resolver, "tables"), name, &text)) {
        append_prefixed(resolver, name, &text);
    }
    const char *made = arena_copy_string(resolver->arena, buffer_string(&text));
    buffer_free(&text);
    return made;
}

const char *names_of_column(struct resolver *resolver, const char *name)
{
    if (!resolver->names.said) {
        return name;
    }
    struct buffer text = {0};
    if (!apply_patterns(resolver, names_node(resolver, "columns"), name, &text)) {
        name_case_append(resolver->names.letters, name, strlen(name), &text);
    }
    const char *made =
        text.length > 0 ? arena_copy_string(resolver->arena, buffer_string(&text)) : name;
    buffer_free(&text);
    return made;
}

/* ---------------------------------------------------------------- what they do to a schema */

void names_fault_collision(struct resolver *resolver, const char *table, const char *first,
                           const char *second, const char *both)
{
    plan_fault(&resolver->faults, ERROR_PLAN_INVALID, names_node(resolver, NULL),
               "give one of them another name under names: tables or columns, or leave it out",
               "%s%s'%s' and '%s' would both be named '%s'", table, table[0] != '\0' ? ": " : "",
               first, second, both);
}

static bool touch_columns(struct resolver *resolver, const struct schema_table *table)
{
    bool touched = false;
    for (uint32_t i = 0; i < table->column_count && !touched; i++) {
        const char *old = table->columns[i].name;
        touched = strcmp(names_of_column(resolver, old), old) != 0;
    }
    return touched;
}

bool names_touch(struct resolver *resolver, const struct schema_table *table)
{
    return resolver->names.said &&
           (strcmp(names_of_table(resolver, table->name), table->name) != 0 ||
            touch_columns(resolver, table));
}

/* Does any name of what is copied become another one? */
static void look_at_tables(struct resolver *resolver)
{
    const struct schema *schema = resolver->schema;
    struct name_index taken = {.arena = resolver->arena};
    for (uint32_t i = 0; i < schema->table_count && !resolve_stopped(resolver); i++) {
        const struct schema_table *table = &schema->tables[i];
        if (table->kind != SCHEMA_TABLE || table->belongs_to != NULL ||
            !resolve_table_wanted(resolver, table->name)) {
            continue;
        }
        const char *name = names_of_table(resolver, table->name);
        uint32_t other = name_index_find(&taken, name, strlen(name));
        resolver->names.change = resolver->names.change || names_touch(resolver, table);
        if (other != NAME_INDEX_NONE) {
            names_fault_collision(resolver, "", schema->tables[other].name, table->name, name);
        } else {
            (void)name_index_add(&taken, name, strlen(name), i);
        }
    }
}

void names_resolve(struct resolver *resolver, bool copy)
{
    const struct plan_node *node = names_node(resolver, NULL);
    const char *given = resolver->settings != NULL ? resolver->settings->names : NULL;
    const struct plan_node *letters =
        node != NULL && node->kind == PLAN_NODE_MAP ? names_node(resolver, "letters") : node;
    const struct plan_node *prefix = names_node(resolver, "prefix");
    resolver->names.said = node != NULL || given != NULL;
    resolver->names.letters = given != NULL     ? name_case_of(given)
                              : letters != NULL ? name_case_of(letters->text)
                                                : NAME_KEEP;
    resolver->names.prefix = prefix != NULL ? prefix->text : "";
    if (!resolver->names.said) {
        return;
    }
    check_patterns(resolver, "tables");
    check_patterns(resolver, "columns");
    if (copy && resolver->faults.count == 0) {
        look_at_tables(resolver);
    }
    if (resolver->source_documents) {
        resolve_note(resolver, false, NULL, "names: fields of documents keep theirs");
    }
}
