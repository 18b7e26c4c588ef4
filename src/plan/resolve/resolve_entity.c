/* Entities: what they are made from, their names, conditions and pages. */
#include "base/text.h"
#include "plan/resolve/resolve.h"
#include "plan/text/grammar.h"
#include <string.h>

enum { PAGE_SIZE_DEFAULT = 100 };

struct table_builder *table_add(struct resolver *resolver, const char *name)
{
    struct table_builder *table = resolve_add(resolver, &resolver->tables, sizeof *table);
    table->number = resolver->tables.count - 1;
    table->name = name;
    return table;
}

struct entity_builder *entity_add(struct resolver *resolver, struct table_builder *table,
                                  const char *name)
{
    struct entity_builder *entity = resolve_add(resolver, &table->entities, sizeof *entity);
    entity->number = resolver->entity_count++;
    entity->name = name;
    entity->table = table;
    entity->where = MAPPING_NONE;
    entity->when = MAPPING_NONE;
    /* a target with columns that may be missing (JSON lines) keeps what the source has */
    entity->nulls = !resolver->target_free ? NULLS_FILL
                    : resolver->target_sql ? NULLS_KEEP
                                           : NULLS_OMIT;
    entity->scope.join = -1;
    entity->scope.documents = resolver->source_documents;
    return entity;
}

static void use_stream(struct entity_builder *entity, struct stream_builder *stream,
                       const struct schema_table *from)
{
    entity->from = from;
    entity->scope.stream = stream;
    entity->scope.request = &stream->request;
    entity->scope.table = from;
}

void entity_use_table(struct resolver *resolver, struct entity_builder *entity,
                      const struct schema_table *from)
{
    struct stream_builder *stream = stream_find_table(resolver, from);
    entity->from_text = from->name;
    use_stream(entity, stream, from);
    stream_add_entity(resolver, stream, entity);
}

static void use_query(struct resolver *resolver, struct entity_builder *entity,
                      const struct plan_node *query)
{
    struct schema_table *described = NULL;
    struct column_list key = {0};
    const struct plan_node *key_node = plan_node_get(entity->node, "key");
    if (key_node != NULL && key_node->kind != PLAN_NODE_MAP) {
        key = resolve_names(resolver, key_node);
    }
    struct stream_builder *stream =
        stream_add_query(resolver, query, entity->name, key, &described);
    if (stream == NULL) {
        entity->failed = true;
        return;
    }
    entity->from_text = "query";
    use_stream(entity, stream, described);
    stream_add_entity(resolver, stream, entity);
    for (uint32_t i = 0; i < key.count && entity->node != entity->table->node; i++) {
        struct scope_value value;
        (void)scope_find(resolver, &entity->scope, key.names[i], key_node, &value);
    }
}

/* False: the entity is left out by include and exclude. */
static bool start_entity(struct resolver *resolver, struct entity_builder *entity)
{
    const struct plan_node *node = entity->node;
    const struct plan_node *from = plan_node_get(node, "from");
    const struct plan_node *query = plan_node_get(node, "query");
    const struct plan_node *pages = plan_node_get(node, "pages");
    const struct plan_node *nulls = plan_node_get(node, "nulls");
    if ((from != NULL) + (query != NULL) + (pages != NULL) != 1) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, entity->name_node, NULL,
                   "'%s' needs one of from, query and pages", entity->name);
        entity->failed = true;
        return true;
    }
    if (nulls != NULL && resolver->target_free) {
        entity->nulls = strcmp(nulls->text, "keep") == 0 ? NULLS_KEEP : NULLS_OMIT;
    }
    entity->is_pages = pages != NULL;
    if (from != NULL) {
        const struct schema_table *table = resolve_source_table(resolver, from, from->text);
        if (table != NULL && !resolve_table_wanted(resolver, table->name)) {
            return false;
        }
        entity->failed = table == NULL;
        if (table != NULL) {
            entity_use_table(resolver, entity, table);
        }
        entity->unnests = plan_node_get(node, "unnest") != NULL;
        if (!entity->failed) {
            match_resolve(resolver, entity);
            unnest_resolve(resolver, entity);
        }
    } else if (query != NULL) {
        use_query(resolver, entity, query);
    }
    if (from == NULL &&
        (plan_node_get(node, "match") != NULL || plan_node_get(node, "unnest") != NULL)) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, entity->name_node, NULL,
                   "'match' and 'unnest' go with 'from'");
        entity->failed = true;
    }
    return true;
}

static bool add_entity(struct resolver *resolver, struct table_builder *table,
                       const struct plan_node *key, const struct plan_node *node)
{
    struct entity_builder *entity = entity_add(resolver, table, key->text);
    entity->node = node;
    entity->name_node = key;
    if (!start_entity(resolver, entity)) {
        table->entities.count--;
        resolver->entity_count--;
        return false;
    }
    return true;
}

/* A key for an entity would be of none if it stood in a table that names its entities. */
static void refuse_stray_keys(struct resolver *resolver, const struct plan_node *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const char *name = table->keys[i]->text;
        if (strcmp(name, "key") != 0 && grammar_find(&grammar_entity, name) != NULL) {
            plan_fault(&resolver->faults, ERROR_PLAN_INVALID, table->keys[i],
                       "say it in each entity that it is meant for",
                       "'%s' stands beside 'entities', where it is of none of them", name);
        }
    }
}

static void add_table(struct resolver *resolver, const struct plan_node *key,
                      const struct plan_node *node)
{
    const struct plan_node *entities = plan_node_get(node, "entities");
    bool own = plan_node_get(node, "from") != NULL || plan_node_get(node, "query") != NULL ||
               plan_node_get(node, "pages") != NULL;
    struct table_builder *table = table_add(resolver, key->text);
    table->node = node;
    table->name_node = key;
    if (strncmp(key->text, "_transhume_", 11) == 0) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, key, NULL,
                   "names that begin with _transhume_ are this program's own");
    }
    if (own == (entities != NULL)) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, key,
                   "entities: { NAME: { from: TABLE, fields: … } }",
                   own ? "table '%s' has entities and a 'from' of its own"
                       : "table '%s' has no entities",
                   key->text);
        return;
    }
    if (own) {
        (void)add_entity(resolver, table, key, node);
    } else {
        refuse_stray_keys(resolver, node);
    }
    for (uint32_t i = 0; entities != NULL && i < entities->count; i++) {
        (void)add_entity(resolver, table, entities->keys[i], entities->items[i]);
    }
}

/* ---------------------------------------------------------------- pages */

static struct entity_builder *find_entity(const struct resolver *resolver,
                                          const struct table_builder *here, const char *name,
                                          size_t length)
{
    struct entity_builder *found = NULL;
    for (uint32_t i = 0; i < resolver->tables.count; i++) {
        const struct table_builder *table = resolver->tables.items[i];
        for (uint32_t j = 0; j < table->entities.count; j++) {
            struct entity_builder *entity = table->entities.items[j];
            if (strlen(entity->name) == length && memcmp(entity->name, name, length) == 0 &&
                (found == NULL || table == here)) {
                found = entity;
            }
        }
    }
    return found;
}

static struct list_builder *find_list(const struct entity_builder *parent, const char *field)
{
    for (uint32_t i = 0; parent->stream != NULL && i < parent->stream->lists.count; i++) {
        struct list_builder *list = parent->stream->lists.items[i];
        if (list->entity == parent && list->outer == NULL && strcmp(list->field_name, field) == 0) {
            return list;
        }
    }
    return NULL;
}

static void find_cut_list(struct resolver *resolver, struct entity_builder *entity)
{
    const struct plan_node *node = plan_node_get(entity->node, "pages");
    const char *last = NULL;
    for (const char *dot = strchr(node->text, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
        struct entity_builder *parent =
            find_entity(resolver, entity->table, node->text, (size_t)(dot - node->text));
        if (parent != NULL && parent->is_pages == false) {
            last = dot + 1;
            entity->parent = parent;
            entity->pages = find_list(parent, last);
            if (entity->pages != NULL) {
                return;
            }
        }
    }
    entity->failed = true;
    if (entity->parent != NULL && entity->parent->failed) {
        return;
    }
    if (last != NULL) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node,
                   "name a field that has embed:", "entity '%s' has no list '%s'",
                   entity->parent->name, last);
    } else {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, "write ENTITY.FIELD",
                   "there is no entity whose list '%s' could be", node->text);
    }
}

/* Pages leave as their items come, before the rows of lists within these. */
static void refuse_nested_pages(struct resolver *resolver, struct entity_builder *entity)
{
    if (entity->pages->mapping.key != NULL) {
        plan_fault(&resolver->faults, ERROR_NOT_IMPLEMENTED, plan_node_get(entity->node, "pages"),
                   "make an entity of the list's table, and embed the inner lists there",
                   "pages of '%s', whose items hold lists, come with a later version",
                   entity->pages->field_name);
        entity->failed = true;
    }
}

static void add_page_value(struct resolver *resolver, struct entity_builder *entity,
                           const char *name, enum value_origin origin, enum value_kind kind)
{
    struct scope_value *value = resolve_add(resolver, &entity->scope.values, sizeof *value);
    value->name = name;
    value->reference.origin = origin;
    value->type.kind = kind;
    value->not_null = true;
}

static void start_pages(struct resolver *resolver, struct entity_builder *entity)
{
    find_cut_list(resolver, entity);
    if (!entity->failed) {
        refuse_nested_pages(resolver, entity);
    }
    if (entity->failed) {
        return;
    }
    const struct plan_node *size = plan_node_get(entity->node, "size");
    int64_t rows = PAGE_SIZE_DEFAULT;
    if (size != NULL &&
        (text_to_int64(size->text, size->length, &rows) != STATUS_OK || rows > 1000000)) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, size, NULL,
                   "pages of more than 1,000,000 items");
    }
    entity->page_size = (uint32_t)rows;
    entity->from_text =
        resolve_format(resolver, "pages of %s.%s", entity->parent->name, entity->pages->field_name);
    use_stream(entity, entity->parent->stream, entity->parent->from);
    entity->scope.outer = &entity->parent->scope;
    stream_add_entity(resolver, entity->stream != NULL ? entity->stream : entity->parent->stream,
                      entity);
    entity->stream->has_pages = true;
    add_page_value(resolver, entity, "$page", ORIGIN_PAGE, VALUE_INT64);
    add_page_value(resolver, entity, "$list", ORIGIN_LIST, VALUE_LIST);
    if (plan_node_get(entity->node, "fields") == NULL) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, entity->name_node,
                   "fields: { Page: { column: $page }, Items: { column: $list } }",
                   "pages need fields");
    }
}

/* ---------------------------------------------------------------- all together */

static void resolve_conditions(struct resolver *resolver, struct entity_builder *entity)
{
    const struct plan_node *where = plan_node_get(entity->node, "where");
    const struct plan_node *when = plan_node_get(entity->node, "when");
    const struct plan_node *size = plan_node_get(entity->node, "size");
    if (where != NULL) {
        entity->where = scope_expression(resolver, &entity->scope, where);
    }
    if (when != NULL) {
        entity->when = scope_expression(resolver, &entity->scope, when);
    }
    since_resolve(resolver, entity);
    if (size != NULL && !entity->is_pages) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, size, NULL, "'size' is for pages");
    }
}

static bool only_star(const struct plan_node *fields)
{
    return fields == NULL || (fields->count == 1 && strcmp(fields->keys[0]->text, "*") == 0);
}

static bool is_understood(struct resolver *resolver, const struct schema_table *table)
{
    bool whole = true;
    for (uint32_t i = 0; i < table->column_count && whole; i++) {
        struct column_words words = carry_understood(resolver, &table->columns[i]);
        whole = words.type && words.default_text && words.collation;
    }
    return whole;
}

static bool same_order(const bool *left, const bool *right, uint32_t count)
{
    bool same = true;
    for (uint32_t i = 0; i < count && same; i++) {
        same = (left != NULL && left[i]) == (right != NULL && right[i]);
    }
    return same;
}

/* Does the plan say of the key just what the source's is? */
static bool is_own_key(struct resolver *resolver, const struct plan_node *node,
                       const struct schema_table *from)
{
    const struct key_shape *own = &from->key_shape;
    struct key_shape said = {0};
    if (own->partition_count == 0 || node->kind != PLAN_NODE_MAP) {
        return false;
    }
    struct column_list key = table_key_parts(resolver, node, &said);
    return column_list_is_equal(key, from->primary_key) &&
           said.partition_count == own->partition_count &&
           same_order(said.descending, own->descending, key.count) &&
           column_list_is_equal(said.static_columns, own->static_columns);
}

/* A table that takes one source table of the same engine as it is keeps its whole definition. */
static void find_whole(struct resolver *resolver, struct table_builder *table)
{
    const struct entity_builder *entity =
        table->entities.count == 1 ? table->entities.items[0] : NULL;
    if (entity == NULL || !resolver->same_engine || entity->failed || entity->is_pages ||
        entity->from == NULL || entity->from->kind != SCHEMA_TABLE ||
        strcmp(entity->from->name, table->name) != 0) {
        return;
    }
    static const char *const overrides[] = {"key", "indexes", "columns", "references"};
    for (size_t i = 0; i < sizeof overrides / sizeof overrides[0]; i++) {
        const struct plan_node *override = plan_node_get(table->node, overrides[i]);
        if (override != NULL &&
            (strcmp(overrides[i], "key") != 0 || !is_own_key(resolver, override, entity->from))) {
            return;
        }
    }
    if (plan_node_get(entity->node, "where") == NULL &&
        plan_node_get(entity->node, "when") == NULL &&
        plan_node_get(entity->node, "nulls") == NULL &&
        plan_node_get(entity->node, "distinct") == NULL &&
        plan_node_get(entity->node, "unnest") == NULL &&
        only_star(plan_node_get(entity->node, "fields")) && is_understood(resolver, entity->from)) {
        table_take_whole(resolver, table, entity->from);
    }
}

static void each_entity(struct resolver *resolver, bool pages,
                        void (*act)(struct resolver *, struct entity_builder *))
{
    for (uint32_t i = 0; i < resolver->tables.count; i++) {
        const struct table_builder *table = resolver->tables.items[i];
        for (uint32_t j = 0; j < table->entities.count && !resolve_stopped(resolver); j++) {
            struct entity_builder *entity = table->entities.items[j];
            if (entity->is_pages == pages && !entity->failed) {
                act(resolver, entity);
            }
        }
    }
}

/* Tables whose entities were all left out by include and exclude go. */
static void drop_empty_tables(struct resolver *resolver)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < resolver->tables.count; i++) {
        struct table_builder *table = resolver->tables.items[i];
        if (table->entities.count > 0) {
            table->number = kept;
            resolver->tables.items[kept++] = table;
        }
    }
    resolver->tables.count = kept;
}

void document_resolve(struct resolver *resolver)
{
    const struct plan_node *tables = plan_node_get(resolver->document->root, "tables");
    relations_resolve(resolver);
    for (uint32_t i = 0; i < tables->count && !resolve_stopped(resolver); i++) {
        add_table(resolver, tables->keys[i], tables->items[i]);
    }
    if (resolver->faults.count == 0) {
        drop_empty_tables(resolver);
    }
    for (uint32_t i = 0; i < resolver->tables.count; i++) {
        find_whole(resolver, resolver->tables.items[i]);
    }
    each_entity(resolver, false, fields_resolve);
    each_entity(resolver, false, resolve_conditions);
    each_entity(resolver, true, start_pages);
    each_entity(resolver, true, fields_resolve);
    each_entity(resolver, true, resolve_conditions);
    matches_check(resolver);
    unmatched_resolve(resolver);
}
