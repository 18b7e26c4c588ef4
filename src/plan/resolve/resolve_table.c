/* Target tables: indexes, billing, existing records. Keys: resolve_key.c. Columns and references:
 * resolve_columns.c. */
#include "base/text.h"
#include "plan/resolve/resolve.h"
#include <string.h>
#include <strings.h>
#include <xxhash.h>

enum { HASH_DIGITS = 16 };

/* Names of the fields of all entities of the table: for the nearest one. */
static const char **field_names(struct resolver *resolver, const struct table_builder *table,
                                uint32_t *count)
{
    uint32_t most = 0;
    *count = 0;
    for (uint32_t i = 0; i < table->entities.count; i++) {
        most += ((const struct entity_builder *)table->entities.items[i])->fields.count;
    }
    const char **names = resolve_allocate(resolver, most + (size_t)1, sizeof *names);
    for (uint32_t i = 0; i < table->entities.count; i++) {
        const struct entity_builder *entity = table->entities.items[i];
        for (uint32_t j = 0; j < entity->fields.count; j++) {
            names[(*count)++] = ((const struct mapping_field *)entity->fields.items[j])->name;
        }
    }
    return names;
}

void table_fault_field(struct resolver *resolver, const struct table_builder *table,
                       const struct plan_node *node, const char *name, const char *what)
{
    uint32_t count = 0;
    char hint[320];
    const char **names = field_names(resolver, table, &count);
    plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node,
               plan_nearest_hint(name, names, count, hint, sizeof hint), "%s '%s' is no field",
               what, name);
}

bool table_has_field(const struct table_builder *table, const char *name)
{
    for (uint32_t i = 0; i < table->entities.count; i++) {
        const struct entity_builder *entity = table->entities.items[i];
        if (entity->document_star || entity_field(entity, name) != NULL) {
            return true;
        }
    }
    return false;
}

/* The field that takes a source column as it is. */
static const struct mapping_field *field_of_column(const struct entity_builder *entity,
                                                   const char *column)
{
    for (uint32_t i = 0; i < entity->fields.count; i++) {
        const struct mapping_field *field = entity->fields.items[i];
        if (field->origin != NULL && strcmp(field->origin->name, column) == 0) {
            return field;
        }
        if (field->origin_name != NULL && strcmp(field->origin_name, column) == 0) {
            return field;
        }
    }
    return NULL;
}

struct column_list table_fields_of(struct resolver *resolver, const struct table_builder *table,
                                   struct column_list columns)
{
    struct column_list none = {0};
    if (table->entities.count != 1 || columns.count == 0) {
        return none;
    }
    const struct entity_builder *entity = table->entities.items[0];
    const char **names = resolve_allocate(resolver, columns.count, sizeof *names);
    for (uint32_t i = 0; i < columns.count; i++) {
        const struct mapping_field *field = field_of_column(entity, columns.names[i]);
        names[i] = field != NULL ? field->name : NULL;
        if (names[i] == NULL && entity->document_star) {
            names[i] = columns.names[i];
        }
        if (names[i] == NULL) {
            return none;
        }
    }
    return (struct column_list){names, columns.count};
}

bool table_fields_merge(const struct table_builder *table, struct column_list columns)
{
    for (uint32_t i = 0; table->entities.count == 1 && i < columns.count; i++) {
        const struct mapping_field *field =
            field_of_column(table->entities.items[0], columns.names[i]);
        if (field != NULL && field->merges) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- indexes */

static void resolve_projection(struct resolver *resolver, struct table_builder *table,
                               const struct plan_node *index_node, struct target_index *index)
{
    const struct plan_node *node = plan_node_get(index_node, "projection");
    if (node == NULL || plan_node_is_word(node, "all")) {
        return;
    }
    if (resolver->target_sql) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, NULL,
                   "an SQL index has no projection");
        return;
    }
    struct column_list *projection = arena_allocate_zeroed(resolver->arena, 1, sizeof(*projection));
    if (node->kind == PLAN_NODE_LIST) {
        *projection = resolve_names(resolver, node);
    }
    for (uint32_t i = 0; i < projection->count; i++) {
        if (!table_has_field(table, projection->names[i])) {
            table_fault_field(resolver, table, node->items[i], projection->names[i],
                              "the projected field");
        }
    }
    index->projection = projection;
}

static void resolve_index(struct resolver *resolver, struct table_builder *table, const char *name,
                          const struct plan_node *node, struct target_index *index)
{
    const struct plan_node *columns = plan_node_get(node, "columns");
    index->name = name;
    index->unique = plan_node_is_word(plan_node_get(node, "unique"), "true");
    index->local = plan_node_is_word(plan_node_get(node, "local"), "true");
    resolve_projection(resolver, table, node, index);
    if ((columns == NULL) == (plan_node_get(node, "partition") == NULL)) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node,
                   "{ partition: A, sort: B } for key-value stores, { columns: [A, B] } for SQL",
                   "the index '%s' does not say its columns", name);
        return;
    }
    const struct plan_node *parts = columns != NULL ? columns : node;
    index->columns = table_key_parts(resolver, parts, NULL);
    for (uint32_t i = 0; i < index->columns.count; i++) {
        if (!table_has_field(table, index->columns.names[i])) {
            table_fault_field(resolver, table, table_key_node(parts, i), index->columns.names[i],
                              "the index column");
        }
    }
}

/* Does another table of the plan, or an index of one, have the name already? */
static bool index_name_is_taken(const struct resolver *resolver, const struct table_builder *table,
                                const char *name)
{
    for (uint32_t i = 0; i < resolver->tables.count; i++) {
        const struct table_builder *other = resolver->tables.items[i];
        if (strcasecmp(other->name, name) == 0) {
            return true;
        }
        const struct plan_node *said =
            other != table ? plan_node_get(other->node, "indexes") : NULL;
        for (uint32_t k = 0; said != NULL && k < said->count; k++) {
            if (strcasecmp(said->keys[k]->text, name) == 0) {
                return true;
            }
        }
        const struct schema_table *whole = other != table ? other->whole : NULL;
        for (uint32_t k = 0; whole != NULL && k < whole->index_count; k++) {
            if (whole->indexes[k].name != NULL && strcasecmp(whole->indexes[k].name, name) == 0) {
                return true;
            }
        }
        for (uint32_t k = 0; other != table && k < other->target.index_count; k++) {
            if (strcasecmp(other->target.indexes[k].name, name) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* A name that nobody said is no matter to rename: what the target would cut ends with its hash. */
static const char *fit_made_name(struct resolver *resolver, const char *name)
{
    size_t length = strlen(name);
    size_t most = resolver->target->limits.name_bytes_max;
    if (most == 0 || length <= most) {
        return name;
    }
    return resolve_format(resolver, "%.*s_%0*llx",
                          (int)text_clip(name, length, most - HASH_DIGITS - 1), name, HASH_DIGITS,
                          (unsigned long long)XXH3_64bits(name, length));
}

/* An index keeps its name, unless several tables of the plan are made of its table. */
static const char *default_index_name(struct resolver *resolver, const struct table_builder *table,
                                      const struct schema_index *known, uint32_t number)
{
    if (known->implied || known->name == NULL) {
        return fit_made_name(
            resolver, resolve_format(resolver, "%s_unique_%u", table->name, (unsigned)number));
    }
    return index_name_is_taken(resolver, table, known->name)
               ? fit_made_name(resolver,
                               resolve_format(resolver, "%s_%s", table->name, known->name))
               : known->name;
}

/* An index of the beginnings of values may be one of the values, where these are short. */
static bool is_of_short_values(const struct schema_table *table, const struct schema_index *index)
{
    enum { CHARACTERS_MAX = 500 }; /* of four bytes: PostgreSQL's index rows end at 2,704 bytes */
    int64_t characters = 0;
    for (uint32_t i = 0; i < index->beginnings.count; i++) {
        int at = schema_find_column(table, index->beginnings.names[i]);
        const struct value_type *type = at >= 0 ? &table->columns[at].type : NULL;
        bool limited = type != NULL && (value_kind_is_number(type->kind) || type->precision > 0);
        characters += limited ? type->precision : CHARACTERS_MAX + 1;
    }
    return index->beginnings.count > 0 && !index->unique && characters <= CHARACTERS_MAX;
}

/* Why an index has no like in the target; NULL: it has. */
static const char *index_left_behind(struct resolver *resolver, const struct table_builder *table,
                                     const struct schema_index *known, struct column_list columns)
{
    if (known->method != NULL) {
        return resolve_format(resolver, "it is one of %s, which finds other things than values",
                              known->method);
    }
    return known->partial       ? "it is of some rows or of parts of values"
           : columns.count == 0 ? "it is of an expression or of columns that are not copied"
           : known->unique && table_fields_merge(table, known->columns) ? table_values_merge
                                                                        : NULL;
}

static void note_details(struct resolver *resolver, const struct table_builder *table,
                         const char *what, const struct schema_index *known)
{
    if (known->details != NULL) {
        resolve_note_left(resolver, "index option", 1, table->name,
                          "the %s %s is carried without what only its own engine has: %s", what,
                          known->name != NULL ? known->name : "without a name", known->details);
    }
}

/* Where a key places records, an index asks every node: a plan says which are worth it. */
static void leave_indexes(struct resolver *resolver, const struct table_builder *table,
                          const struct schema_table *from)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < from->index_count; i++) {
        count += !schema_is_primary_index(from, &from->indexes[i]);
    }
    if (count > 0) {
        resolve_note_left(resolver, "index", count, table->name,
                          "%u indexes of %s are not carried; name those that queries need under "
                          "`indexes:`, or write a second table with another key",
                          (unsigned)count, from->name);
    }
}

/* Indexes that a SQL target takes over from the one source table. */
static void default_indexes(struct resolver *resolver, struct table_builder *table,
                            struct plan_list *indexes)
{
    const struct entity_builder *entity =
        table->entities.count == 1 ? table->entities.items[0] : NULL;
    if (!resolver->target_sql || entity == NULL || entity->from == NULL || entity->is_pages) {
        return;
    }
    if ((resolver->target->capabilities & CAPABILITY_CLUSTERS) != 0) {
        leave_indexes(resolver, table, entity->from);
        return;
    }
    for (uint32_t i = 0; i < entity->from->index_count; i++) {
        struct schema_index whole = entity->from->indexes[i];
        if (is_of_short_values(entity->from, &whole)) {
            whole.columns = whole.beginnings;
            whole.partial = false;
        }
        const struct schema_index *known = &whole;
        bool primary = known->implied && known->columns.count == entity->from->primary_key.count &&
                       schema_is_unique_key(entity->from, known->columns) &&
                       strcmp(known->columns.names[0], entity->from->primary_key.names[0]) == 0;
        struct column_list columns = table_fields_of(resolver, table, known->columns);
        bool stands_for_key = known->implied || (known->unique && !known->partial &&
                                                 entity->from->primary_key.count == 0);
        primary = primary || (stands_for_key && columns.count > 0 &&
                              column_list_is_equal(columns, table->target.key));
        if (primary) {
            note_details(resolver, table, "key", known);
            continue;
        }
        const char *why = index_left_behind(resolver, table, known, columns);
        if (why != NULL) {
            resolve_note_left(
                resolver, "index", 1, table->name, "the index %s of %s is not carried: %s",
                known->name != NULL ? known->name : "without a name", entity->from->name, why);
            continue;
        }
        note_details(resolver, table, "index", known);
        struct target_index *index = resolve_add(resolver, indexes, sizeof *index);
        index->name = default_index_name(resolver, table, known, i);
        index->columns = columns;
        index->unique = known->unique && !resolver->target->limits.unique_keys_only;
        if (known->unique && !index->unique) {
            resolve_note_left(resolver, "unique index", 1, table->name,
                              "the index %s is unique in the source; in the target only keys are",
                              index->name);
        }
    }
}

/* Key-value stores say a table's indexes with it: those of the source's go along with the whole
 * table. */
static void whole_indexes(struct resolver *resolver, const struct table_builder *table,
                          struct plan_list *indexes)
{
    for (uint32_t i = 0; i < table->whole->index_count; i++) {
        const struct schema_index *known = &table->whole->indexes[i];
        struct target_index *index = resolve_add(resolver, indexes, sizeof *index);
        index->name = known->name;
        index->columns = known->columns;
        index->unique = known->unique;
        index->local = known->local;
    }
}

static void resolve_indexes(struct resolver *resolver, struct table_builder *table)
{
    const struct plan_node *node = plan_node_get(table->node, "indexes");
    struct plan_list indexes = {0};
    for (uint32_t i = 0; node != NULL && i < node->count; i++) {
        struct target_index *index = resolve_add(resolver, &indexes, sizeof *index);
        resolve_index(resolver, table, node->keys[i]->text, node->items[i], index);
    }
    if (node == NULL && table->whole == NULL) {
        default_indexes(resolver, table, &indexes);
    }
    if (node == NULL && table->whole != NULL && !resolver->target_sql) {
        whole_indexes(resolver, table, &indexes);
    }
    if (node == NULL && table->whole != NULL &&
        (resolver->target->capabilities & CAPABILITY_CLUSTERS) != 0) {
        leave_indexes(resolver, table, table->whole);
    }
    table->target.indexes =
        resolve_array(resolver, &indexes, sizeof(struct target_index), &table->target.index_count);
}

/* ---------------------------------------------------------------- the rest */

static const char *const policy_names[] = {"refuse",  "append", "upsert",
                                           "replace", "skip",   "truncate"};

static enum existing_policy resolve_existing(const struct resolver *resolver,
                                             const struct table_builder *table)
{
    if (resolver->settings != NULL && resolver->settings->existing >= 0) {
        return (enum existing_policy)resolver->settings->existing;
    }
    const struct plan_node *node = plan_node_get(table->node, "existing");
    if (node == NULL && resolver->document != NULL) {
        node = plan_node_get(resolver->document->root, "existing");
    }
    for (uint32_t i = 0; node != NULL && i < sizeof policy_names / sizeof policy_names[0]; i++) {
        if (strcmp(node->text, policy_names[i]) == 0) {
            return (enum existing_policy)i;
        }
    }
    return EXISTING_REFUSE;
}

static const char *resolve_billing(struct resolver *resolver, const struct plan_node *node)
{
    if (node == NULL || node->kind == PLAN_NODE_SCALAR) {
        return plan_node_text(node);
    }
    return resolve_format(resolver, "read=%s,write=%s", plan_node_text(plan_node_get(node, "read")),
                          plan_node_text(plan_node_get(node, "write")));
}

static void resolve_ttl(struct resolver *resolver, struct table_builder *table)
{
    const struct plan_node *node = plan_node_get(table->node, "ttl");
    table->target.ttl = plan_node_text(node);
    if (node != NULL && !table_has_field(table, node->text)) {
        table_fault_field(resolver, table, node, node->text, "the ttl");
    }
}

static void resolve_tags(struct resolver *resolver, struct table_builder *table)
{
    const struct plan_node *node = plan_node_get(table->node, "tags");
    struct plan_list tags = {0};
    for (uint32_t i = 0; node != NULL && i < node->count; i++) {
        struct target_tag *tag = resolve_add(resolver, &tags, sizeof *tag);
        *tag = (struct target_tag){node->keys[i]->text, plan_node_text(node->items[i])};
    }
    table->target.tags =
        resolve_array(resolver, &tags, sizeof(struct target_tag), &table->target.tag_count);
}

/* ---------------------------------------------------------------- properties */

static bool is_property_name(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return length > 0 && name[length] == '\0';
}

/* A scalar, or a map of such. */
static bool property_value(struct resolver *resolver, const struct plan_node *node,
                           struct cell *value)
{
    if (node->kind == PLAN_NODE_SCALAR) {
        return resolve_scalar(resolver, node, value);
    }
    struct cell *pairs = resolve_allocate(resolver, 2 * (size_t)node->count + 1, sizeof *pairs);
    bool good = true;
    for (uint32_t i = 0; i < node->count && good; i++) {
        pairs[2 * (size_t)i] = cell_text(node->keys[i]->text, node->keys[i]->length);
        good = resolve_scalar(resolver, node->items[i], &pairs[2 * (size_t)i + 1]);
    }
    *value = cell_items(VALUE_MAP, pairs, node->count);
    return good;
}

static void add_given_properties(struct resolver *resolver, const struct table_builder *table,
                                 const struct plan_node *node, struct plan_list *properties)
{
    for (uint32_t i = 0; node != NULL && i < node->count; i++) {
        const char *name = node->keys[i]->text;
        struct schema_property property = {.name = name, .given = true};
        if (!is_property_name(name)) {
            plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node->keys[i], NULL,
                       "names under 'with' have small letters, digits and _ only: '%s'", name);
        } else if (property_value(resolver, node->items[i], &property.value)) {
            struct schema_property *made = resolve_add(resolver, properties, sizeof *made);
            *made = property;
        }
    }
    if (node != NULL && table->there != NULL) {
        resolve_note(resolver, true, table->name,
                     "'with' is not applied: the table is there, and stays as it is");
    }
}

/* The plan's own, and of a whole copy what the source's table has besides. */
static void resolve_properties(struct resolver *resolver, struct table_builder *table)
{
    const struct plan_node *node = plan_node_get(table->node, "with");
    const struct schema_table *whole = table->whole;
    struct plan_list properties = {0};
    if (node != NULL && (resolver->target->capabilities & CAPABILITY_CLUSTERS) == 0) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, "leave 'with' out",
                   "the tables of this target have no properties");
        return;
    }
    add_given_properties(resolver, table, node, &properties);
    for (uint32_t i = 0; whole != NULL && i < whole->property_count; i++) {
        if (plan_node_get(node, whole->properties[i].name) == NULL) {
            struct schema_property *made = resolve_add(resolver, &properties, sizeof *made);
            *made = whole->properties[i];
        }
    }
    table->target.properties = resolve_array(resolver, &properties, sizeof(struct schema_property),
                                             &table->target.property_count);
}

void table_take_whole(struct resolver *resolver, struct table_builder *table,
                      const struct schema_table *from)
{
    if (resolver->same_engine && !type_rules_touch(resolver, from) &&
        !names_touch(resolver, from)) {
        table->whole = from;
    }
}

void table_resolve(struct resolver *resolver, struct table_builder *table)
{
    table->target.name = table->name;
    table->there = there_find(resolver, table->name);
    bool folded = (resolver->target->capabilities & CAPABILITY_FOLDED_NAMES) != 0;
    if (table->there != NULL && !folded && strcmp(table->there->name, table->name) != 0) {
        table->there = NULL;
    }
    table->target.same_engine = table->whole;
    table->target.existing = since_policy(resolver, table, resolve_existing(resolver, table));
    table->target.empties = table->target.existing == EXISTING_TRUNCATE;
    if (table->target.empties) {
        table->target.existing = EXISTING_REFUSE;
    }
    table->target.billing = resolve_billing(resolver, plan_node_get(table->node, "billing"));
    table->target.record_types = resolver->record_types;
    table->target.record_type_count = resolver->record_type_count;
    /* each stands on what those before it have made */
    static void (*const steps[])(struct resolver *, struct table_builder *) = {
        there_take_names, table_resolve_key,  distinct_resolve, resolve_indexes, resolve_ttl,
        resolve_tags,     resolve_properties, there_fit,        columns_resolve, carry_resolve};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (resolve_stopped(resolver)) {
            return;
        }
        steps[i](resolver, table);
    }
    if (!resolver->target_sql && (plan_node_get(table->node, "columns") != NULL ||
                                  plan_node_get(table->node, "references") != NULL)) {
        resolve_note(resolver, true, table->name,
                     "'columns' and 'references' mean nothing to this target");
    }
    if (resolver->target_sql && table->target.billing != NULL) {
        resolve_note(resolver, true, table->name, "'billing' means nothing to this target");
    }
    bool clusters = (resolver->target->capabilities & CAPABILITY_CLUSTERS) != 0;
    if (resolver->target_sql && !clusters &&
        (table->target.ttl != NULL || table->target.tag_count > 0)) {
        resolve_note(resolver, true, table->name, "'ttl' and 'tags' mean nothing to this target");
    }
}
