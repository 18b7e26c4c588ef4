/* `since`: tables of which only what changed is read. */
#include "base/text.h"
#include "plan/resolve/resolve.h"
#include <string.h>

enum { MILLISECONDS = 1000 };

#define UNASKED_HINT "leave it out, or let the run follow the source: --follow"
#define UNASKED                                                                                  \
    "this source can't be asked for what changed; `since` works with SQLite, PostgreSQL, MySQL " \
    "and MariaDB"

static void resolve_since_refuse(struct resolver *resolver, const struct plan_node *node,
                                 const char *hint, const char *why)
{
    plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, hint, "%s", why);
}

/* ---------------------------------------------------------------- of all tables */

static bool is_asked(const struct resolver *resolver)
{
    const struct source_functions *source = resolver->source->connector->source;
    return source != NULL && source->since_query != NULL;
}

void since_take_common(struct resolver *resolver)
{
    const struct plan_node *node =
        resolver->document != NULL ? plan_node_get(resolver->document->root, "since") : NULL;
    const struct plan_node *column =
        node != NULL && node->kind == PLAN_NODE_MAP ? plan_node_get(node, "column") : node;
    const char *given = resolver->settings != NULL ? resolver->settings->since : NULL;
    resolver->since.column = given != NULL ? given : plan_node_text(column);
    resolver->since.node = node;
    if (node != NULL && node->kind == PLAN_NODE_MAP) {
        resolver->since.overlap = plan_node_get(node, "overlap");
        resolver->since.deletes = plan_node_get(node, "deletes");
    }
    if (resolver->since.column != NULL && !is_asked(resolver)) {
        resolve_since_refuse(resolver, node, UNASKED_HINT, UNASKED);
        resolver->since.column = NULL;
    }
}

void since_check_common(struct resolver *resolver)
{
    if (resolver->since.column != NULL && !resolver->since.found && resolver->faults.count == 0) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, resolver->since.node,
                   "name a column that changes with each record, as `updated_at`",
                   "no table that is read has a column '%s'", resolver->since.column);
    }
}

/* Is what all tables are told meant for the entity as well? */
static bool is_meant(const struct resolver *resolver, const struct entity_builder *entity)
{
    return resolver->since.column != NULL && plan_node_get(entity->node, "since") == NULL &&
           plan_node_get(entity->node, "unnest") == NULL && entity->from != NULL &&
           !entity->is_pages && entity->from->kind == SCHEMA_TABLE;
}

static bool says_compare(const struct plan_node *deletes)
{
    return deletes != NULL && strcmp(deletes->text, "compare") == 0;
}

/* ---------------------------------------------------------------- of a table */

static bool is_incremental(const struct resolver *resolver, const struct table_builder *table)
{
    bool any = false;
    for (uint32_t i = 0; i < table->entities.count; i++) {
        const struct entity_builder *entity = table->entities.items[i];
        any = any || plan_node_get(entity->node, "since") != NULL || is_meant(resolver, entity);
    }
    return any;
}

/* Does what all tables are told only leave it whole, since it has not the column? */
static bool is_whole(const struct table_builder *table)
{
    bool whole = true;
    for (uint32_t i = 0; i < table->entities.count; i++) {
        const struct entity_builder *entity = table->entities.items[i];
        whole = whole && entity->since == NULL && plan_node_get(entity->node, "since") == NULL;
    }
    return whole;
}

enum existing_policy since_policy(struct resolver *resolver, struct table_builder *table,
                                  enum existing_policy policy)
{
    const struct plan_node *said = plan_node_get(table->node, "existing");
    if (!is_incremental(resolver, table)) {
        return policy;
    }
    if (policy == EXISTING_REFUSE && said == NULL) {
        table->incremental = true;
        return EXISTING_UPSERT;
    }
    if (policy != EXISTING_UPSERT && policy != EXISTING_REPLACE && !is_whole(table)) {
        plan_fault(
            &resolver->faults, ERROR_PLAN_INVALID, said != NULL ? said : table->name_node,
            "leave it out, or say upsert or replace",
            "`since` brings records again that are there, which only upsert and replace take");
    }
    return policy;
}

/* Can values of that type be put in order, and be moved back by an overlap? */
static bool is_ordered(enum value_kind kind)
{
    return kind == VALUE_INT64 || kind == VALUE_UINT64 || kind == VALUE_DATE ||
           kind == VALUE_TIMESTAMP || kind == VALUE_TEXT;
}

/* Also days, which no other length of time here has a use for. */
static bool read_length(const struct plan_node *node, uint64_t *milliseconds)
{
    enum { DAY_MS = 86400000 };
    int64_t days;
    if (node->length > 1 && node->text[node->length - 1] == 'd' &&
        text_to_int64(node->text, node->length - 1, &days) == STATUS_OK && days >= 0 &&
        days < INT64_MAX / DAY_MS) {
        *milliseconds = (uint64_t)days * DAY_MS;
        return true;
    }
    return text_to_milliseconds(node->text, milliseconds) == STATUS_OK;
}

static void read_overlap(struct resolver *resolver, const struct plan_node *node,
                         const struct value_type *type, struct plan_since *since)
{
    uint64_t milliseconds;
    bool number = text_to_int64(node->text, node->length, &since->overlap) == STATUS_OK;
    if (number && since->overlap >= 0) {
        if (type->kind == VALUE_DATE || type->kind == VALUE_TIMESTAMP) {
            resolve_since_refuse(resolver, node, "overlap: 5m",
                                 "of times an overlap needs a unit: s, m, h or d");
        }
        return;
    }
    if (number || !read_length(node, &milliseconds) || milliseconds > INT64_MAX / MILLISECONDS) {
        resolve_since_refuse(resolver, node,
                             "overlap: 5m, or a whole number for a column of numbers",
                             "that is no length of time");
        return;
    }
    since->overlap = (int64_t)milliseconds;
    since->overlap_is_time = true;
    if (type->kind == VALUE_INT64 || type->kind == VALUE_UINT64) {
        resolve_since_refuse(resolver, node, "overlap: 100",
                             "of a column of numbers an overlap is a number");
    }
}

static void refuse_alone(struct resolver *resolver, const struct plan_node *node)
{
    static const char *const names[] = {"overlap", "deletes"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct plan_node *alone = plan_node_get(node, names[i]);
        if (alone != NULL) {
            plan_fault(&resolver->faults, ERROR_PLAN_INVALID, alone, NULL, "'%s' goes with 'since'",
                       names[i]);
        }
    }
}

/* NULL: it can't be read so; the fault is told. */
static const struct schema_column *check_order(struct resolver *resolver,
                                               const struct entity_builder *entity,
                                               const struct plan_node *node,
                                               const struct schema_column *column)
{
    if (!is_ordered(column->type.kind)) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node,
                   "name a column of whole numbers, dates, timestamps or texts",
                   "'since' can't go by %s.%s, which is %s", entity->from->name, column->name,
                   column->type.native != NULL ? column->type.native
                                               : value_kind_name(column->type.kind));
        return NULL;
    }
    return column;
}

static const struct schema_column *find_column(struct resolver *resolver,
                                               const struct entity_builder *entity,
                                               const struct plan_node *node)
{
    if (!is_asked(resolver)) {
        resolve_since_refuse(resolver, node, UNASKED_HINT, UNASKED);
        return NULL;
    }
    if (entity->from == NULL || entity->is_pages || entity->from->kind == SCHEMA_QUERY) {
        resolve_since_refuse(resolver, node, "put the condition into the query",
                             "'since' goes with 'from'");
        return NULL;
    }
    int column = schema_find_column(entity->from, node->text);
    if (column < 0) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, NULL, "%s has no column '%s'",
                   entity->from->name, node->text);
        return NULL;
    }
    return check_order(resolver, entity, node, &entity->from->columns[column]);
}

static const struct schema_column *find_common(struct resolver *resolver,
                                               const struct entity_builder *entity)
{
    int column = schema_find_column(entity->from, resolver->since.column);
    if (column < 0) {
        resolve_note(resolver, false, entity->from->name,
                     "it has no column '%s': all of it is read each time", resolver->since.column);
        return NULL;
    }
    resolver->since.found = true;
    return check_order(resolver, entity, resolver->since.node, &entity->from->columns[column]);
}

void since_resolve(struct resolver *resolver, struct entity_builder *entity)
{
    const struct plan_node *node = plan_node_get(entity->node, "since");
    const struct plan_node *overlap = plan_node_get(entity->node, "overlap");
    const struct plan_node *deletes = plan_node_get(entity->node, "deletes");
    bool common = is_meant(resolver, entity);
    if (node == NULL) {
        refuse_alone(resolver, entity->node);
        overlap = resolver->since.overlap;
        deletes = resolver->since.deletes;
    }
    if (node == NULL && !common) {
        return;
    }
    const struct schema_column *column =
        common ? find_common(resolver, entity) : find_column(resolver, entity, node);
    if (column == NULL || entity->stream == NULL) {
        return;
    }
    struct plan_since *since = resolve_allocate(resolver, 1, sizeof *since);
    *since = (struct plan_since){.column = column->name,
                                 .nullable = !column->not_null,
                                 .deletes = says_compare(deletes),
                                 .entity = entity->name,
                                 .table = entity->table->name};
    if (overlap != NULL) {
        read_overlap(resolver, overlap, &column->type, since);
    }
    entity->since = since;
}

static bool is_same(const struct plan_since *left, const struct plan_since *right)
{
    return left == right ||
           (left != NULL && right != NULL && strcmp(left->column, right->column) == 0 &&
            left->overlap == right->overlap && left->deletes == right->deletes);
}

/* All that a stream feeds is made of the rows that are read; all of a table is compared, or none.
 */
static void check_company(struct resolver *resolver, const struct entity_builder *entity,
                          const struct plan_since *since)
{
    if (!is_same(entity->since, since)) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, entity->name_node,
                   "say the same in each of them",
                   "%s is read once for several entities, which say different things of 'since'",
                   entity->stream->name);
        return;
    }
    for (uint32_t i = 0; i < entity->table->entities.count; i++) {
        const struct entity_builder *other = entity->table->entities.items[i];
        bool compares = other->since != NULL && other->since->deletes;
        if (since != NULL && since->deletes && !compares && !other->is_pages) {
            plan_fault(&resolver->faults, ERROR_PLAN_INVALID, other->name_node,
                       "say it of each of the table's entities",
                       "`deletes: compare` is of whole tables: %s has no such", other->name);
        }
    }
}

/* The target's ledger has the column's highest value, which the target is not to have. */
static void check_masks(struct resolver *resolver, const struct entity_builder *entity)
{
    const struct plan_node *rule =
        entity->since != NULL ? masks_rule_of(resolver, entity->from, entity->since->column) : NULL;
    if (rule != NULL) {
        plan_fault(
            &resolver->faults, ERROR_PLAN_INVALID, rule,
            "name another column under `since`, or leave this one as it is",
            "%s.%s is masked, and as the column of `since` its highest value would be stored "
            "in the target",
            entity->from->name, entity->since->column);
    }
}

void since_take(struct resolver *resolver, const struct stream_builder *stream,
                struct plan_stream *made)
{
    const struct plan_since *since = NULL;
    for (uint32_t i = 0; i < stream->entities.count && since == NULL; i++) {
        since = (*(struct entity_builder **)stream->entities.items[i])->since;
    }
    for (uint32_t i = 0; since != NULL && i < stream->entities.count; i++) {
        const struct entity_builder *entity = *(struct entity_builder **)stream->entities.items[i];
        if (!entity->is_pages) {
            check_company(resolver, entity, since);
            check_masks(resolver, entity);
        }
    }
    if (since != NULL && stream->children.count > 0) {
        resolve_note(resolver, false, since->entity,
                     "`since: %s` sees changes of %s, not those of the rows that are embedded or "
                     "counted",
                     since->column, stream->name);
    }
    bool whole = since == NULL && stream->entities.count > 0 &&
                 is_meant(resolver, *(struct entity_builder **)stream->entities.items[0]);
    made->deletes = since != NULL ? since->deletes : whole && says_compare(resolver->since.deletes);
    made->since = since;
    made->request.since = since != NULL ? since->column : NULL;
    made->request.since_nulls = since != NULL && since->nullable;
    for (uint32_t i = 0; i < made->child_count; i++) {
        made->children[i].request.since = made->request.since;
        made->children[i].request.since_nulls = made->request.since_nulls;
    }
}
