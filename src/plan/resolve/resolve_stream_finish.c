/* The last step for streams: aggregates find their children, builders become arrays. */
#include "plan/resolve/resolve.h"
#include <string.h>

/* The engine makes its joins with SQLite, which takes 64 tables in a FROM. */
enum { ENGINE_JOINS_MAX = 63 };

static void mark_early_in(struct stream_builder *stream, uint32_t expression_index)
{
    if (expression_index == MAPPING_NONE) {
        return;
    }
    const struct plan_expression *expression = stream->expressions.items[expression_index];
    for (uint32_t i = 0; i < expression->count; i++) {
        if (expression->values[i].origin == ORIGIN_AGGREGATE) {
            struct aggregate_builder *aggregate =
                stream->aggregates.items[expression->values[i].index];
            aggregate->early = true;
        }
    }
}

/* Early are those that decide whether lists are built, and all where pages leave before the end. */
static void mark_early(struct stream_builder *stream)
{
    for (uint32_t i = 0; i < stream->lists.count; i++) {
        mark_early_in(stream, ((const struct list_builder *)stream->lists.items[i])->when);
    }
    for (uint32_t i = 0; i < stream->entities.count; i++) {
        const struct entity_builder *entity = *(struct entity_builder **)stream->entities.items[i];
        mark_early_in(stream, entity->where);
        mark_early_in(stream, entity->when);
    }
    for (uint32_t i = 0; stream->has_pages && i < stream->aggregates.count; i++) {
        ((struct aggregate_builder *)stream->aggregates.items[i])->early = true;
    }
}

static struct child_builder *child_of_aggregate(struct resolver *resolver,
                                                struct stream_builder *stream,
                                                const struct aggregate_builder *aggregate)
{
    for (uint32_t i = 0; !aggregate->early && i < stream->children.count; i++) {
        struct child_builder *child = stream->children.items[i];
        if (!child->aggregate_only && path_equal_down(&child->path, &aggregate->path)) {
            return child;
        }
    }
    return stream_child(resolver, stream, &aggregate->path, NULL, true, NULL);
}

static void place_aggregates(struct resolver *resolver, struct stream_builder *stream,
                             struct child_builder **children)
{
    for (uint32_t i = 0; i < stream->aggregates.count; i++) {
        struct aggregate_builder *aggregate = stream->aggregates.items[i];
        struct child_builder *child = child_of_aggregate(resolver, stream, aggregate);
        children[i] = child;
        int32_t join = request_path(resolver, &child->request, -1, &aggregate->path);
        aggregate->mapping.presence = MAPPING_NONE;
        if (aggregate->path.down_count < aggregate->path.count) {
            aggregate->mapping.presence =
                request_column(resolver, &child->request, join, NULL, true);
        }
        aggregate->mapping.column =
            aggregate->column != NULL
                ? request_column(resolver, &child->request, join, aggregate->column, false)
                : MAPPING_NONE;
    }
}

/* Children that only serve aggregates come first. */
static void number_children(struct stream_builder *stream)
{
    uint32_t number = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < stream->children.count; i++) {
            struct child_builder *child = stream->children.items[i];
            if (child->aggregate_only == (pass == 0)) {
                child->number = number++;
            }
        }
    }
}

/* Columns of the request: those of the root's key in `before`, then the builder's. */
static void make_request(struct resolver *resolver, const struct request_builder *builder,
                         struct column_list before, bool ordered, struct column_list root_key,
                         struct read_request *request)
{
    uint32_t count = before.count + builder->columns.count;
    struct read_column *columns = resolve_allocate(resolver, count + (size_t)1, sizeof *columns);
    uint32_t next = 0;
    for (uint32_t i = 0; i < before.count; i++) {
        columns[next++] = (struct read_column){.join = -1, .name = before.names[i]};
    }
    for (uint32_t i = 0; i < builder->columns.count; i++) {
        columns[next++] = *(const struct read_column *)builder->columns.items[i];
    }
    request->name = builder->name;
    request->table = builder->table;
    request->query = builder->query;
    request->joins =
        resolve_array(resolver, &builder->joins, sizeof(struct read_join), &request->join_count);
    request->columns = columns;
    request->column_count = count;
    request->root_key = root_key;
    request->orders =
        resolve_array(resolver, &builder->orders, sizeof(struct read_order), &request->order_count);
    request->ordered = ordered;
}

static void fault_columns(struct resolver *resolver, const struct stream_builder *stream,
                          const char *what, uint32_t wanted)
{
    const struct entity_builder *entity = *(struct entity_builder **)stream->entities.items[0];
    plan_fault(&resolver->faults, ERROR_PLAN_INVALID, entity->name_node,
               "name the fields that are wanted instead of \"*\"",
               "%s has %u columns to read at once, with keys and look-ups; the source can give %u",
               what, (unsigned)wanted, (unsigned)resolver->source->limits.request_columns_max);
}

/* Faults of the joins that only the source knows of. */
static void check_accepted(struct resolver *resolver, const struct entity_builder *entity,
                           const char *what, const struct read_request *request)
{
    const struct source_functions *source = resolver->source->connector->source;
    struct error reason;
    bool gone = resolve_is_gone(resolver, request->table);
    for (uint32_t i = 0; i < request->join_count; i++) {
        gone = gone || resolve_is_gone(resolver, request->joins[i].table);
    }
    error_clear(&reason);
    if (!gone && resolver->source_joins && source->accepts != NULL && request->join_count > 0 &&
        source->accepts(resolver->source, request, &reason) != STATUS_OK &&
        reason.code == ERROR_PLAN_INVALID) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, entity->name_node,
                   reason.hint[0] != '\0' ? reason.hint : NULL, "%s: %s",
                   what != NULL ? what : entity->name, reason.message);
    }
}

/* `what`: NULL for the records themselves. */
static void check_joins(struct resolver *resolver, const struct stream_builder *stream,
                        const char *what, const struct read_request *request)
{
    uint32_t most =
        resolver->source_joins ? resolver->source->limits.request_joins_max : ENGINE_JOINS_MAX;
    const struct entity_builder *entity = *(struct entity_builder **)stream->entities.items[0];
    if (most == 0 || request->join_count <= most) {
        check_accepted(resolver, entity, what, request);
        return;
    }
    plan_fault(&resolver->faults, ERROR_PLAN_INVALID, entity->name_node, "take some of them out",
               "%s has %u look-ups to make at once; at most %u can be made",
               what != NULL ? what : entity->name, (unsigned)request->join_count, (unsigned)most);
}

static void make_children(struct resolver *resolver, const struct stream_builder *stream,
                          struct plan_stream *made)
{
    uint32_t count = stream->children.count;
    struct column_list none = {0};
    struct column_list before = resolver->source_joins ? stream->facts.key : none;
    struct plan_child *children = resolve_allocate(resolver, count + (size_t)1, sizeof *children);
    for (uint32_t i = 0; i < count; i++) {
        const struct child_builder *child = stream->children.items[i];
        struct plan_child *out = &children[child->number];
        make_request(resolver, &child->request, before, true, made->request.root_key,
                     &out->request);
        out->root_key_count = before.count;
        out->aggregate_only = child->aggregate_only;
        out->path = child->path.text;
        check_joins(resolver, stream, out->path, &out->request);
        uint32_t most = resolver->source_joins ? resolver->source->limits.request_columns_max : 0;
        if (most > 0 && out->request.column_count > most) {
            fault_columns(resolver, stream, out->path, out->request.column_count);
        }
    }
    made->children = children;
    made->child_count = count;
}

static void check_key(struct resolver *resolver, const struct stream_builder *stream)
{
    if (!resolver->source_joins || stream->children.count == 0 || stream->facts.key.count > 0) {
        return;
    }
    const struct entity_builder *entity = *(struct entity_builder **)stream->entities.items[0];
    plan_fault(&resolver->faults, ERROR_PLAN_INVALID, entity->name_node,
               "for a query say key: [columns that identify a row]",
               "'%s' has no key by which child rows could be joined to it", stream->name);
}

static void make_mapping(struct resolver *resolver, struct stream_builder *stream,
                         struct child_builder *const *aggregate_children)
{
    struct stream_mapping *mapping = stream->mapping;
    for (uint32_t i = 0; i < stream->aggregates.count; i++) {
        struct aggregate_builder *aggregate = stream->aggregates.items[i];
        aggregate->mapping.child = aggregate_children[i]->number;
    }
    for (uint32_t i = 0; i < stream->lists.count; i++) {
        struct list_builder *list = stream->lists.items[i];
        list->mapping.child = list->child->number;
        list->mapping.fields = resolve_array(resolver, &list->fields, sizeof(struct mapping_field),
                                             &list->mapping.field_count);
        const char *const *const *except = resolve_array(
            resolver, &list->star_except, sizeof(char *), &list->mapping.star_except_count);
        list->mapping.star_except = (const char *const *)except;
    }
    mapping->expressions = resolve_array(
        resolver, &stream->expressions, sizeof(struct plan_expression), &mapping->expression_count);
    mapping->templates = resolve_array(resolver, &stream->templates, sizeof(struct plan_template),
                                       &mapping->template_count);
    /* the mapping is the first member of both builders */
    mapping->aggregates = resolve_array(
        resolver, &stream->aggregates, sizeof(struct mapping_aggregate), &mapping->aggregate_count);
    mapping->lists =
        resolve_array(resolver, &stream->lists, sizeof(struct mapping_list), &mapping->list_count);
    mapping->child_count = stream->children.count;
    mapping->target_nested = resolver->target_nested;
    mapping->documents = resolver->source_documents;
    mapping->slots =
        resolve_array(resolver, &stream->slots, sizeof(struct mapping_slot), &mapping->slot_count);
    mapping->parts =
        resolve_array(resolver, &stream->parts, sizeof(struct mapping_part), &mapping->part_count);
    mapping->skip_unmatched = stream->skip_unmatched;
}

static bool is_requested(const struct stream_builder *stream, const char *name)
{
    for (uint32_t i = 0; i < stream->request.columns.count; i++) {
        const struct read_column *column = stream->request.columns.items[i];
        if (column->join < 0 && !column->presence && strcmp(column->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* A table of as many columns as a request may have, and a row key that is none of them: its records
 * stay without a name in rejects. */
static void drop_key_without_room(struct resolver *resolver, struct stream_builder *stream)
{
    uint32_t most = resolver->source->limits.request_columns_max;
    uint32_t wanted = stream->request.columns.count;
    for (uint32_t i = 0; i < stream->facts.key.count; i++) {
        wanted += !is_requested(stream, stream->facts.key.names[i]);
    }
    if (most == 0 || wanted <= most) {
        return;
    }
    if (stream->request.columns.count > most || stream->children.count > 0) {
        fault_columns(resolver, stream, stream->name, wanted);
    }
    stream->facts.key = (struct column_list){0};
}

/*
 * Where the cells of the source key are: with the columns that are read anyway, else behind them. A
 * document's key fields are slots of the row made of it, like others.
 */
static void place_key(struct resolver *resolver, struct stream_builder *stream,
                      struct plan_stream *made)
{
    drop_key_without_room(resolver, stream);
    const struct column_list *key = &stream->facts.key;
    uint32_t *columns = resolve_allocate(resolver, key->count + (size_t)1, sizeof *columns);
    stream->field_column_count = stream->request.columns.count;
    for (uint32_t i = 0; i < key->count; i++) {
        columns[i] = resolver->source_documents
                         ? stream_document_slot(resolver, stream, key->names[i])
                         : request_column(resolver, &stream->request, -1, key->names[i], false);
    }
    stream->mapping->key_columns = columns;
    stream->mapping->key_count = key->count;
    made->key_columns = resolver->source_documents ? NULL : columns;
    made->key_names = key->names;
    made->key_count = key->count;
}

/* The root's columns that the engine needs to find what is joined to it. */
static void ask_for_join_columns(struct resolver *resolver, struct stream_builder *stream,
                                 const struct request_builder *joining)
{
    for (uint32_t i = 0; i < joining->joins.count; i++) {
        const struct read_join *join = joining->joins.items[i];
        for (uint32_t c = 0; join->from < 0 && c < join->from_columns.count; c++) {
            (void)request_column(resolver, &stream->request, -1, join->from_columns.names[c],
                                 false);
        }
    }
}

static void prepare_joins(struct resolver *resolver, struct stream_builder *stream)
{
    if (resolver->source_joins || resolver->source_documents) {
        return;
    }
    ask_for_join_columns(resolver, stream, &stream->request);
    for (uint32_t i = 0; i < stream->children.count; i++) {
        const struct child_builder *child = stream->children.items[i];
        ask_for_join_columns(resolver, stream, &child->request);
    }
}

/* The root alone, as the source is asked for it where it can't join. */
static void make_root_request(struct resolver *resolver, const struct stream_builder *stream,
                              struct column_list root_key, struct read_request *request)
{
    struct request_builder root = stream->request;
    root.joins = (struct plan_list){0};
    root.columns = (struct plan_list){0};
    for (uint32_t i = 0; i < stream->request.columns.count; i++) {
        const struct read_column *column = stream->request.columns.items[i];
        if (column->join < 0 && !resolver->source_documents) {
            struct read_column *kept = resolve_add(resolver, &root.columns, sizeof *kept);
            *kept = *column;
        }
    }
    struct column_list none = {0};
    make_request(resolver, &root, none, false, root_key, request);
}

static void make_joined(struct resolver *resolver, const struct stream_builder *stream,
                        struct plan_stream *made)
{
    static const char *const document[] = {""};
    struct column_list before = {document, resolver->source_documents ? 1 : 0};
    struct read_request *joined = resolve_allocate(resolver, 1, sizeof *joined);
    make_request(resolver, &stream->request, before, false, made->request.root_key, joined);
    made->joined = joined;
}

static void make_root(struct resolver *resolver, struct stream_builder *stream,
                      struct column_list root_key, struct plan_stream *made)
{
    struct column_list none = {0};
    if (resolver->source_joins && !resolver->source_documents) {
        make_request(resolver, &stream->request, none, stream->children.count > 0, root_key,
                     &made->request);
        return;
    }
    make_root_request(resolver, stream, root_key, &made->request);
    if (stream->request.joins.count > 0) {
        make_joined(resolver, stream, made);
    }
}

static void finish_stream(struct resolver *resolver, struct stream_builder *stream,
                          struct plan_stream *made)
{
    struct child_builder **aggregate_children =
        resolve_allocate(resolver, stream->aggregates.count + (size_t)1, sizeof(void *));
    mark_early(stream);
    place_aggregates(resolver, stream, aggregate_children);
    if (resolve_stopped(resolver)) {
        return;
    }
    number_children(stream);
    check_key(resolver, stream);
    place_key(resolver, stream, made);
    prepare_joins(resolver, stream);
    make_mapping(resolver, stream, aggregate_children);
    made->number = stream->number;
    made->name = stream->name;
    struct column_list none = {0};
    make_root(resolver, stream, stream->request.query != NULL ? stream->facts.key : none, made);
    check_joins(resolver, stream, NULL, made->joined != NULL ? made->joined : &made->request);
    make_children(resolver, stream, made);
    masks_take(resolver, made);
    since_take(resolver, stream, made);
    uint32_t *entities =
        resolve_allocate(resolver, stream->entities.count + (size_t)1, sizeof *entities);
    for (uint32_t i = 0; i < stream->entities.count; i++) {
        entities[i] = (*(struct entity_builder **)stream->entities.items[i])->number;
    }
    made->entities = entities;
    made->entity_count = stream->entities.count;
}

void streams_finish(struct resolver *resolver)
{
    struct plan_stream *streams =
        resolve_allocate(resolver, resolver->streams.count + (size_t)1, sizeof *streams);
    for (uint32_t i = 0; i < resolver->streams.count; i++) {
        struct stream_builder *stream = resolver->streams.items[i];
        if (resolve_stopped(resolver)) {
            return;
        }
        finish_stream(resolver, stream, &streams[i]);
    }
    resolver->plan->streams = streams;
    resolver->plan->stream_count = resolver->streams.count;
}
