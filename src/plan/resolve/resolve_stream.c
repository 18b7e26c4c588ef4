/* Streams and what is read for them: requests with joins, columns and children. */
#include "plan/resolve/answers.h"
#include "plan/resolve/resolve.h"
#include <string.h>

uint32_t request_column(struct resolver *resolver, struct request_builder *request, int32_t join,
                        const char *name, bool presence)
{
    const char *asked = presence ? "" : name;
    request->names.arena = resolver->arena;
    uint32_t first = name_index_add(&request->names, asked, strlen(asked), request->columns.count);
    /* of the same name: those of other joins */
    for (uint32_t i = first; i < request->columns.count; i++) {
        const struct read_column *column = request->columns.items[i];
        if (column->join == join && column->presence == presence &&
            strcmp(column->name, asked) == 0) {
            return i;
        }
    }
    struct read_column *column = resolve_add(resolver, &request->columns, sizeof *column);
    column->join = join;
    column->name = asked;
    column->presence = presence;
    return request->columns.count - 1;
}

int32_t request_join(struct resolver *resolver, struct request_builder *request, int32_t from,
                     const struct path_step *step)
{
    for (uint32_t i = 0; i < request->joins.count; i++) {
        const struct read_join *join = request->joins.items[i];
        if (join->from == from && join->many == step->many &&
            strcmp(join->table, step->table->name) == 0 &&
            column_list_is_equal(join->columns, step->columns) &&
            column_list_is_equal(join->from_columns, step->from_columns)) {
            return (int32_t)i;
        }
    }
    struct read_join *join = resolve_add(resolver, &request->joins, sizeof *join);
    join->from = from;
    join->table = step->table->name;
    join->columns = step->columns;
    join->from_columns = step->from_columns;
    join->many = step->many;
    return (int32_t)request->joins.count - 1;
}

int32_t request_path(struct resolver *resolver, struct request_builder *request, int32_t from,
                     const struct path *path)
{
    for (uint32_t i = 0; i < path->count; i++) {
        from = request_join(resolver, request, from, &path->steps[i]);
    }
    return from;
}

bool resolve_is_gone(const struct resolver *resolver, const char *table)
{
    return table != NULL && resolver->settings != NULL &&
           column_list_holds(resolver->settings->gone, table);
}

/* Asks the source how a record of the request's root is named. */
static void resolve_stream_describe(struct resolver *resolver, const struct read_request *request,
                                    struct stream_facts *facts)
{
    const struct source_functions *source = resolver->source->connector->source;
    struct error error;
    error_clear(&error);
    facts->row_count = -1;
    if (resolve_is_gone(resolver, request->table)) {
        facts->key = schema_find_table(resolver->schema, request->table)->primary_key;
        facts->keyed = facts->key_unique = facts->key.count > 0;
        return;
    }
    if (source == NULL || source->describe_stream == NULL) {
        return;
    }
    if (source->describe_stream(resolver->source, request, resolver->arena, facts, &error) !=
        STATUS_OK) {
        resolve_fatal(resolver, &error);
    }
}

static void describe_stream(struct resolver *resolver, struct stream_builder *stream)
{
    struct read_request request = {.name = stream->name,
                                   .table = stream->request.table,
                                   .query = stream->request.query,
                                   .root_key = stream->query_key};
    resolve_stream_describe(resolver, &request, &stream->facts);
}

static struct column_list all_columns(struct resolver *resolver, const struct schema_table *table)
{
    const char **names = resolve_allocate(resolver, table->column_count + (size_t)1, sizeof *names);
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!table->columns[i].hidden) {
            names[count++] = table->columns[i].name;
        }
    }
    return (struct column_list){names, count};
}

struct column_list stream_table_key(struct resolver *resolver, const struct schema_table *table)
{
    for (uint32_t i = 0; i < resolver->table_keys.count; i++) {
        const struct table_key *known = resolver->table_keys.items[i];
        if (known->table == table) {
            return known->columns;
        }
    }
    struct read_request request = {.name = table->name, .table = table->name};
    struct stream_facts facts = {0};
    resolve_stream_describe(resolver, &request, &facts);
    struct table_key *made = resolve_add(resolver, &resolver->table_keys, sizeof *made);
    made->table = table;
    made->columns = facts.key.count > 0 ? facts.key : all_columns(resolver, table);
    return made->columns;
}

static struct stream_builder *stream_add(struct resolver *resolver, const char *name)
{
    struct stream_builder *stream = resolve_add(resolver, &resolver->streams, sizeof *stream);
    stream->number = resolver->streams.count - 1;
    stream->name = name;
    stream->request.name = name;
    stream->mapping = resolve_allocate(resolver, 1, sizeof *stream->mapping);
    return stream;
}

struct stream_builder *stream_find_table(struct resolver *resolver,
                                         const struct schema_table *table)
{
    for (uint32_t i = 0; i < resolver->streams.count; i++) {
        struct stream_builder *stream = resolver->streams.items[i];
        if (stream->request.root == table) {
            return stream;
        }
    }
    struct stream_builder *stream = stream_add(resolver, table->name);
    if (stream != NULL) {
        stream->request.table = table->name;
        stream->request.root = table;
        describe_stream(resolver, stream);
    }
    return stream;
}

/* The columns of its result, as they were when this was first asked; NULL: a fault was noted. */
static struct schema_table *describe_query(struct resolver *resolver, const struct plan_node *query)
{
    const struct catalog_functions *catalog = resolver->source->connector->catalog;
    struct plan_answers *answers = resolver->settings != NULL ? resolver->settings->answers : NULL;
    const struct plan_query_answer *known =
        answers != NULL ? plan_answers_find_query(answers, query->text) : NULL;
    struct schema_table *made = resolve_allocate(resolver, 1, sizeof *made);
    struct error error;
    error_clear(&error);
    if (known != NULL) {
        *made = *known->table;
        return made;
    }
    if (catalog == NULL || catalog->describe_query == NULL) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, query, "use from: and a table's name",
                   "this source takes no queries");
        return NULL;
    }
    struct arena *arena = answers != NULL ? answers->arena : resolver->arena;
    if (catalog->describe_query(resolver->source, query->text, arena, made, &error) == STATUS_OK) {
        made->kind = SCHEMA_QUERY;
        if (answers != NULL) {
            struct schema_table *kept = arena_allocate(arena, sizeof *kept);
            *kept = *made;
            plan_answers_add_query(answers, query->text, kept);
        }
        return made;
    }
    if (error.class == ERROR_CLASS_RETRY) {
        resolve_fatal(resolver, &error);
    } else {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, query, NULL, "the query is refused: %s",
                   error.message);
    }
    return NULL;
}

struct stream_builder *stream_add_query(struct resolver *resolver, const struct plan_node *query,
                                        const char *name, struct column_list key,
                                        struct schema_table **table)
{
    struct schema_table *made = describe_query(resolver, query);
    *table = NULL;
    if (made == NULL) {
        return NULL;
    }
    struct stream_builder *stream = stream_add(resolver, name);
    stream->request.query = query->text;
    stream->request.root = made;
    stream->query_key = key;
    describe_stream(resolver, stream);
    stream->facts.key = key;
    *table = made;
    return stream;
}

void stream_add_entity(struct resolver *resolver, struct stream_builder *stream,
                       struct entity_builder *entity)
{
    struct entity_builder **item = resolve_add(resolver, &stream->entities, sizeof(void *));
    *item = entity;
    entity->stream = stream;
    /* ascending by number */
    for (uint32_t i = stream->entities.count - 1; i > 0; i--) {
        struct entity_builder **left = stream->entities.items[i - 1];
        struct entity_builder **right = stream->entities.items[i];
        if ((*left)->number < (*right)->number) {
            break;
        }
        stream->entities.items[i - 1] = right;
        stream->entities.items[i] = left;
    }
}

static bool orders_equal(const struct plan_list *left, const struct plan_list *right)
{
    uint32_t left_count = left != NULL ? left->count : 0;
    uint32_t right_count = right != NULL ? right->count : 0;
    if (left_count != right_count) {
        return false;
    }
    for (uint32_t i = 0; i < left_count; i++) {
        const struct read_order *a = left->items[i];
        const struct read_order *b = right->items[i];
        if (strcmp(a->name, b->name) != 0 || a->descending != b->descending) {
            return false;
        }
    }
    return true;
}

static bool child_serves(const struct child_builder *child, const struct path *path,
                         const struct plan_list *orders, bool aggregate_only)
{
    if (child->aggregate_only != aggregate_only || !path_equal_down(&child->path, path)) {
        return false;
    }
    bool unordered = (orders == NULL || orders->count == 0) &&
                     (child->orders == NULL || child->orders->count == 0);
    return unordered || (path_equal(&child->path, path) && orders_equal(child->orders, orders));
}

struct child_builder *stream_child(struct resolver *resolver, struct stream_builder *stream,
                                   const struct path *path, const struct plan_list *orders,
                                   bool aggregate_only, const struct child_builder *after)
{
    bool late_enough = after == NULL;
    for (uint32_t i = 0; i < stream->children.count; i++) {
        struct child_builder *child = stream->children.items[i];
        if (late_enough && child_serves(child, path, orders, aggregate_only)) {
            return child;
        }
        late_enough = late_enough || child == after;
    }
    struct child_builder *child = resolve_add(resolver, &stream->children, sizeof *child);
    child->path = *path;
    child->orders = orders;
    child->aggregate_only = aggregate_only;
    child->request.name = path->text;
    child->request.table = stream->request.table;
    child->request.query = stream->request.query;
    child->request.root = stream->request.root;
    child->last_join = request_path(resolver, &child->request, -1, path);
    for (uint32_t i = 0; orders != NULL && i < orders->count; i++) {
        struct read_order *order = resolve_add(resolver, &child->request.orders, sizeof *order);
        *order = *(const struct read_order *)orders->items[i];
        order->join = child->last_join;
    }
    return child;
}
