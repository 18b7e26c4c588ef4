/* Which entities a changed table reaches, and how. */
#include "engine/follow/routes.h"

#include "base/memory.h"
#include "plan/mapping.h"
#include <stdlib.h>
#include <string.h>

/* ---- what can't be followed */

static const struct schema_table *table_of(const struct run_session *session, const char *name)
{
    for (uint32_t i = 0; name != NULL && i < session->schema->table_count; i++) {
        if (strcmp(session->schema->tables[i].name, name) == 0) {
            return &session->schema->tables[i];
        }
    }
    return NULL;
}

static bool has_primary_key(const struct run_session *session, const struct plan_stream *stream)
{
    const struct schema_table *table = table_of(session, stream->request.table);
    return table != NULL && table->primary_key.count > 0;
}

static bool joins_too_much(const struct plan_stream *stream)
{
    bool too_much = false;
    for (uint32_t i = 0; i < stream->request.join_count; i++) {
        too_much = too_much || stream->request.joins[i].columns.count > FOLLOW_VALUES_MAX;
    }
    for (uint32_t c = 0; c < stream->child_count; c++) {
        const struct read_request *request = &stream->children[c].request;
        for (uint32_t i = 0; i < request->join_count; i++) {
            too_much = too_much || request->joins[i].columns.count > FOLLOW_VALUES_MAX;
        }
    }
    return too_much;
}

static bool holds_column(const struct plan_stream *stream, const struct plan_entity *entity,
                         struct column_list key, const char *column)
{
    bool holds = entity->mapping->identity && column_list_holds(key, column);
    for (uint32_t i = 0; i < key.count && !entity->mapping->identity; i++) {
        const struct mapping_field *field = mapping_find_field(entity->mapping, key.names[i]);
        const struct read_column *from =
            field != NULL && field->direct ? &stream->request.columns[field->value.index] : NULL;
        holds = holds || (from != NULL && from->join < 0 && strcmp(from->name, column) == 0);
    }
    return holds;
}

/* A primary key that may hold NULL, as SQLite's may, proves nothing; a record with NULL in its key
 * is a reject here. */
static bool keeps_primary_key(const struct run_session *session, const struct plan_stream *stream,
                              const struct plan_entity *entity, const struct plan_table *table)
{
    const struct schema_table *from = table_of(session, stream->request.table);
    bool keeps = table->entity_count == 1 && from != NULL;
    for (uint32_t i = 0; keeps && i < from->primary_key.count; i++) {
        keeps = holds_column(stream, entity, table->target.key, from->primary_key.names[i]);
    }
    return keeps;
}

/* ---- pages */

static bool is_page(struct value_reference value)
{
    return value.origin == ORIGIN_PAGE;
}

/* How many of the template's values are the number; `*part`: the first. */
static uint32_t count_pages(const struct plan_template *template, uint32_t *part)
{
    uint32_t count = 0;
    for (uint32_t i = template->count; i > 0; i--) {
        if (template->parts[i - 1].has_value && is_page(template->parts[i - 1].value)) {
            *part = i - 1;
            count++;
        }
    }
    return count;
}

static bool holds_page(const struct mapping_field *field)
{
    uint32_t part;
    return field != NULL &&
           ((field->kind == FIELD_VALUE && is_page(field->value)) ||
            (field->kind == FIELD_TEMPLATE && count_pages(&field->template, &part)));
}

/* Can records be looked for by a value of this kind? */
static bool is_plain(const struct mapping_field *field)
{
    switch (field->kind == FIELD_TEMPLATE ? VALUE_TEXT : field->type.kind) {
    case VALUE_BOOL:
    case VALUE_INT64:
    case VALUE_UINT64:
    case VALUE_DECIMAL:
    case VALUE_TEXT:
    case VALUE_UUID:
        return true;
    default:
        return false;
    }
}

/* The rest of a page's key has to say whose it is. */
static const char *why_no_pages(const struct run_session *session, const struct mapping *mapping,
                                const struct target_table *target)
{
    const struct database *database = session->target;
    uint32_t pages = 0;
    uint32_t at = 0;
    uint32_t part = 0;
    bool plain = true;
    for (uint32_t i = 0; i < target->key.count; i++) {
        const struct mapping_field *field = mapping_find_field(mapping, target->key.names[i]);
        bool page = holds_page(field);
        pages += !page                           ? 0
                 : field->kind == FIELD_TEMPLATE ? count_pages(&field->template, &part)
                                                 : 1u + field->cast;
        at = page ? i : at;
        plain = plain && (page || field == NULL || is_plain(field));
    }
    bool by_partition = (database->capabilities & CAPABILITY_TRANSACTIONS) == 0;
    return database->connector->apply == NULL || database->connector->apply->list == NULL
               ? "it cuts lists into pages, and the target can't be asked which of them it has"
           : pages != 1
               ? "it cuts lists into pages, whose key does not hold their number once, as it is"
           : target->key.count < 2 || (by_partition && (at == 0 || at + 1 < target->key.count))
               ? "it cuts lists into pages, and their number is in the field of the key by which "
                 "the target would find all of one list"
           : !plain ? "it cuts lists into pages, in whose keys are days, times or floats"
                    : NULL;
}

static const char *why_not(const struct run_session *session, const struct plan_stream *stream,
                           const struct plan_entity *entity, const struct plan_table *table)
{
    const struct mapping *mapping = entity->mapping;
    return stream->request.query != NULL ? "it reads a query, whose rows no change names"
           : stream->key_count == 0 || !has_primary_key(session, stream)
               ? "its table has no primary key, by which a change could name its row"
           : joins_too_much(stream)     ? "it joins by more than 32 columns"
           : stream->joined != NULL     ? "the source can't join, and it looks something up"
           : mapping->stream->documents ? "it reads documents"
           : mapping->distinct          ? "of equal records it keeps one, so that none has an owner"
           : entity->is_pages && why_no_pages(session, mapping, &table->target) != NULL
               ? why_no_pages(session, mapping, &table->target)
           : mapping->unnest != NULL && !table->rows_apart
               ? "records of two rows might share a key, which does not hold that of their row"
           : !table->keys_proven && mapping->unnest == NULL &&
                   !keeps_primary_key(session, stream, entity, table)
               ? "two of its records might share a key"
               : NULL;
}

static enum status check_entities(const struct run_session *session, struct error *error)
{
    const struct plan *plan = session->plan;
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        const struct plan_entity *entity = &plan->entities[i];
        const struct plan_table *table = &plan->tables[entity->table];
        const char *reason = why_not(session, &plan->streams[entity->stream], entity, table);
        if (reason == NULL) {
            continue;
        }
        error_set(error, ERROR_FOLLOW, entity->name, "can't be followed: %s%s%s", reason,
                  table->keys_proven ? "" : ": ", table->keys_proven ? "" : table->keys_reason);
        return error_hint(error, "leave it out (--exclude, or of the plan), and copy it on its own "
                                 "without --follow");
    }
    return STATUS_OK;
}

/* ---- what keys are made of */

struct needs {
    const struct stream_mapping *stream;
    const struct mapping_unnest *unnest; /* NULL: names mean the row's columns */
    bool *cells;
    uint32_t count;
};

static void need_template(struct needs *needs, const struct plan_template *template);

/* Of an unnested element all is in the list, which also says how many records there are. */
static bool is_of_element(const struct needs *needs, const struct value_reference *value)
{
    return needs->unnest != NULL &&
           (value->origin == ORIGIN_COLUMN || value->origin == ORIGIN_LEVEL ||
            value->origin == ORIGIN_ORDINAL || value->origin == ORIGIN_ELEMENT);
}

static void need_value(struct needs *needs, const struct value_reference *value)
{
    if (is_of_element(needs, value)) {
        needs->cells[needs->unnest->column] = true;
    } else if ((value->origin == ORIGIN_COLUMN || value->origin == ORIGIN_PARENT) &&
               value->index < needs->count) {
        needs->cells[value->index] = true;
    } else if (value->origin == ORIGIN_TEMPLATE) {
        need_template(needs, &needs->stream->templates[value->index]);
    } else if (value->origin == ORIGIN_PART) {
        need_value(needs, &needs->stream->parts[value->index].from);
    } else {
        memset(needs->cells, true, needs->count);
    }
}

static void need_template(struct needs *needs, const struct plan_template *template)
{
    for (uint32_t i = 0; i < template->count; i++) {
        if (template->parts[i].has_value) {
            need_value(needs, &template->parts[i].value);
        }
    }
}

static void need_expression(struct needs *needs, uint32_t number)
{
    const struct plan_expression *expression = &needs->stream->expressions[number];
    for (uint32_t i = 0; i < expression->count; i++) {
        need_value(needs, &expression->values[i]);
    }
}

static void need_field(struct needs *needs, const struct mapping_field *field)
{
    if (field->kind == FIELD_VALUE) {
        need_value(needs, &field->value);
    } else if (field->kind == FIELD_TEMPLATE) {
        need_template(needs, &field->template);
    } else if (field->kind == FIELD_SQL) {
        need_expression(needs, field->expression);
    } else if (field->kind == FIELD_EMBED) {
        memset(needs->cells, true, needs->count);
    }
    if (field->when != MAPPING_NONE) {
        need_expression(needs, field->when);
    }
}

/* ---- the plan that makes keys */

/* The mapping of an identity stream has no fields of its own: its record is the row. */
static void direct_field(const struct plan_entity *entity, const char *name,
                         struct mapping_field *field)
{
    int32_t at = shape_field_find(entity->shape, name);
    *field = (struct mapping_field){.name = name,
                                    .name_length = (uint32_t)strlen(name),
                                    .kind = FIELD_VALUE,
                                    .direct = true,
                                    .value = {ORIGIN_COLUMN, (uint32_t)(at < 0 ? 0 : at)},
                                    .when = MAPPING_NONE,
                                    .is_key = true,
                                    .nulls = NULLS_KEEP};
    if (at >= 0) {
        field->type = entity->shape->fields[at].type;
    }
}

static const struct shape *key_shape_of(struct arena *arena, const struct plan_entity *entity,
                                        const struct mapping_field *fields, uint32_t count)
{
    struct shape *shape = arena_allocate_zeroed(arena, 1, sizeof *shape);
    struct shape_field *made = arena_allocate_zeroed(arena, count + 1u, sizeof *made);
    uint32_t *keys = arena_allocate_zeroed(arena, count + 1u, sizeof *keys);
    for (uint32_t i = 0; i < count; i++) {
        made[i] = (struct shape_field){
            .name = fields[i].name, .name_length = fields[i].name_length, .type = fields[i].type};
        keys[i] = i;
    }
    *shape = (struct shape){.name = entity->name,
                            .fields = made,
                            .field_count = count,
                            .key_fields = keys,
                            .key_field_count = count};
    return shape;
}

/* Some parts of a template as a field of their own. */
static struct mapping_field part_field(const char *name, struct plan_template template)
{
    struct mapping_field field = {.name = name,
                                  .name_length = (uint32_t)strlen(name),
                                  .kind = FIELD_TEMPLATE,
                                  .template = template,
                                  .when = MAPPING_NONE,
                                  .nulls = NULLS_KEEP,
                                  .type = {.kind = VALUE_TEXT}};
    if (template.count == 0 || (template.count == 1 && !template.parts[0].has_value)) {
        field.kind = FIELD_CONST;
        field.constant = template.count == 0 ? cell_text("", 0)
                                             : cell_text(template.parts[0].literal,
                                                         template.parts[0].literal_length);
    }
    return field;
}

/* What stands before the page's number, and what behind it. */
static void split_field(struct follow_routes *routes, const struct mapping_field *field,
                        struct follow_key *key, struct mapping_field *fields)
{
    const struct plan_template *whole = &field->template;
    uint32_t at = 0;
    (void)count_pages(whole, &at);
    struct template_part *before =
        arena_allocate_zeroed(routes->arena, at + (size_t)1, sizeof *before);
    memcpy(before, whole->parts, (at + (size_t)1) * sizeof *before);
    before[at].has_value = false;
    key->page_in_text = true;
    key->pad = whole->parts[at].pad;
    fields[key->count++] = part_field("before", (struct plan_template){before, at + 1});
    fields[key->count++] =
        part_field("behind", (struct plan_template){whole->parts + at + 1, whole->count - at - 1});
}

static void make_key_fields(struct follow_routes *routes, const struct plan_entity *entity,
                            const struct column_list names, struct follow_key *key,
                            struct mapping_field *fields)
{
    const struct mapping *whole = entity->mapping;
    const struct mapping_field *paged = NULL;
    for (uint32_t i = 0; i < names.count; i++) {
        const struct mapping_field *field =
            whole->identity ? NULL : mapping_find_field(whole, names.names[i]);
        if (entity->is_pages && holds_page(field)) {
            key->page = i;
            paged = field;
        } else if (field != NULL) {
            fields[key->count++] = *field;
        } else {
            direct_field(entity, names.names[i], &fields[key->count++]);
        }
    }
    key->pages = paged != NULL;
    if (paged != NULL && paged->kind == FIELD_TEMPLATE) {
        split_field(routes, paged, key, fields);
    }
}

static void make_key_entity(struct follow_routes *routes, const struct plan *plan,
                            struct plan_entity *entity, struct follow_stream *stream)
{
    const struct column_list names = plan->tables[entity->table].target.key;
    const struct mapping *whole = entity->mapping;
    struct follow_key *key = &routes->keys[entity->number];
    struct mapping *mapping = arena_allocate_zeroed(routes->arena, 1, sizeof *mapping);
    struct mapping_field *fields =
        arena_allocate_zeroed(routes->arena, names.count + (size_t)2, sizeof *fields);
    struct needs needs = {whole->stream, whole->unnest, (bool *)stream->key_cells,
                          stream->stream->request.column_count};
    make_key_fields(routes, entity, names, key, fields);
    for (uint32_t i = 0; i < key->count; i++) {
        fields[i].is_key = true;
        need_field(&needs, &fields[i]);
    }
    stream->has_pages = stream->has_pages || key->pages;
    *mapping = (struct mapping){.stream = whole->stream,
                                .fields = fields,
                                .field_count = key->count,
                                .unnest = whole->unnest,
                                .where = MAPPING_NONE,
                                .when = MAPPING_NONE,
                                .parent_where = MAPPING_NONE,
                                .parent_when = MAPPING_NONE,
                                .pages = MAPPING_NONE};
    entity->shape = key_shape_of(routes->arena, entity, fields, key->count);
    entity->mapping = mapping;
}

static void make_stream(struct follow_routes *routes, const struct run_session *session,
                        const struct plan *key_plan, struct plan_entity *key_entities,
                        uint32_t number)
{
    const struct plan *plan = session->plan;
    struct follow_stream *stream = &routes->streams[number];
    stream->stream = &plan->streams[number];
    stream->key_plan = key_plan;
    const struct schema_table *table = table_of(session, stream->stream->request.table);
    if (table != NULL) { /* check_entities has seen it */
        stream->root_key = table->primary_key;
        stream->row_key = table->row_key;
    }
    stream->by_row = stream->stream->request.join_count == 0 && stream->stream->child_count == 0;
    stream->key_cells = arena_allocate_zeroed(
        routes->arena, stream->stream->request.column_count + (size_t)1, sizeof(bool));
    for (uint32_t i = 0; i < stream->stream->entity_count; i++) {
        make_key_entity(routes, plan, &key_entities[stream->stream->entities[i]], stream);
    }
    stream->keys_of_key = true;
    for (uint32_t i = 0; i < stream->stream->request.column_count; i++) {
        const struct read_column *column = &stream->stream->request.columns[i];
        bool is_key = column->join < 0 && column_list_holds(stream->root_key, column->name);
        stream->keys_of_key = stream->keys_of_key && (is_key || !stream->key_cells[i]);
    }
}

static enum status check_keys(const struct follow_stream *stream, struct error *error)
{
    for (uint32_t i = 0; i < stream->stream->request.column_count; i++) {
        const struct read_column *column = &stream->stream->request.columns[i];
        if (stream->key_cells[i] && column->join >= 0) {
            error_set(error, ERROR_FOLLOW, stream->stream->name,
                      "can't be followed: its keys are made of %s of %s, which a changed row does "
                      "not tell",
                      column->name, stream->stream->request.joins[column->join].table);
            return error_hint(error, "make the key of columns of %s itself",
                              stream->stream->request.table);
        }
    }
    return STATUS_OK;
}

/* ---- from joined tables to roots */

static void add_path(struct follow_routes *routes, struct follow_path path)
{
    struct follow_path *grown =
        arena_allocate_zeroed(routes->arena, routes->path_count + 1u, sizeof *grown);
    if (routes->path_count > 0) {
        memcpy(grown, routes->paths, routes->path_count * sizeof *grown);
    }
    grown[routes->path_count++] = path;
    routes->paths = grown;
}

static void add_join(struct follow_routes *routes, uint32_t number,
                     const struct read_request *request, uint32_t join)
{
    const struct read_join *at = &request->joins[join];
    uint32_t count = 1;
    for (int32_t up = at->from; up >= 0; up = request->joins[up].from) {
        count++;
    }
    struct follow_hop *hops = arena_allocate_zeroed(routes->arena, count, sizeof *hops);
    for (uint32_t i = 0; i < count; i++) {
        const struct read_join *above = at->from < 0 ? NULL : &request->joins[at->from];
        hops[i] = (struct follow_hop){.table = above != NULL ? above->table : request->table,
                                      .columns = at->from_columns,
                                      .next = above != NULL ? above->columns
                                                            : routes->streams[number].root_key};
        at = above;
    }
    add_path(routes, (struct follow_path){.stream = number,
                                          .table = request->joins[join].table,
                                          .columns = request->joins[join].columns,
                                          .hops = hops,
                                          .hop_count = count});
}

static void make_paths(struct follow_routes *routes, uint32_t number)
{
    const struct plan_stream *stream = routes->streams[number].stream;
    for (uint32_t i = 0; i < stream->request.join_count; i++) {
        add_join(routes, number, &stream->request, i);
    }
    for (uint32_t c = 0; c < stream->child_count; c++) {
        const struct read_request *request = &stream->children[c].request;
        for (uint32_t i = 0; i < request->join_count; i++) {
            add_join(routes, number, request, i);
        }
    }
}

/* ---- the tables */

static struct followed_table *add_table(struct follow_routes *routes, const char *name)
{
    uint32_t at = 0;
    while (at < routes->table_count && strcmp(routes->tables[at], name) != 0) {
        at++;
    }
    if (at == routes->table_count) {
        routes->followed[at].name = name;
        routes->tables[routes->table_count++] = name;
    }
    return &routes->followed[at];
}

static void add_before(struct follow_routes *routes, struct followed_table *table,
                       const struct schema_table *described, const char *column)
{
    if (column_list_holds(table->before, column) ||
        (described != NULL && column_list_holds(described->primary_key, column))) {
        return;
    }
    const char **names =
        arena_allocate_zeroed(routes->arena, table->before.count + 1u, sizeof *names);
    for (uint32_t i = 0; i < table->before.count; i++) {
        names[i] = table->before.names[i];
    }
    names[table->before.count] = column;
    table->before = (struct column_list){names, table->before.count + 1};
}

/* What the records' keys were made of, and which roots a row was part of. */
static void list_before(struct follow_routes *routes, const struct run_session *session)
{
    for (uint32_t i = 0; i < session->plan->stream_count; i++) {
        const struct follow_stream *stream = &routes->streams[i];
        const struct read_request *request = &stream->stream->request;
        struct followed_table *table = add_table(routes, request->table);
        for (uint32_t c = 0; c < request->column_count; c++) {
            if (stream->key_cells[c] && request->columns[c].join < 0) {
                add_before(routes, table, table_of(session, request->table),
                           request->columns[c].name);
            }
        }
    }
    for (uint32_t i = 0; i < routes->path_count; i++) {
        const struct follow_path *path = &routes->paths[i];
        struct followed_table *table = add_table(routes, path->table);
        for (uint32_t c = 0; c < path->columns.count; c++) {
            add_before(routes, table, table_of(session, path->table), path->columns.names[c]);
        }
    }
}

static void list_tables(struct follow_routes *routes, const struct run_session *session)
{
    uint32_t most = session->plan->stream_count + routes->path_count;
    routes->tables = arena_allocate_zeroed(routes->arena, most + 1u, sizeof(char *));
    routes->followed = arena_allocate_zeroed(routes->arena, most + 1u, sizeof *routes->followed);
    list_before(routes, session);
}

enum status follow_routes_make(const struct run_session *session, struct follow_routes **made,
                               struct error *error)
{
    *made = NULL;
    if (check_entities(session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct plan *plan = session->plan;
    struct arena *arena = arena_create(0);
    struct follow_routes *routes = arena_allocate_zeroed(arena, 1, sizeof *routes);
    struct plan *key_plan = arena_allocate_zeroed(arena, 1, sizeof *key_plan);
    struct plan_entity *entities =
        arena_allocate_zeroed(arena, plan->entity_count + 1u, sizeof *entities);
    routes->arena = arena;
    routes->stream_count = plan->stream_count;
    routes->streams =
        arena_allocate_zeroed(arena, plan->stream_count + 1u, sizeof *routes->streams);
    memcpy(entities, plan->entities, plan->entity_count * sizeof *entities);
    *key_plan = *plan;
    key_plan->entities = entities;
    routes->entity_count = plan->entity_count;
    routes->keys = arena_allocate_zeroed(arena, plan->entity_count + 1u, sizeof *routes->keys);
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        make_stream(routes, session, key_plan, entities, i);
        make_paths(routes, i);
        if (check_keys(&routes->streams[i], error) != STATUS_OK) {
            arena_destroy(arena);
            return STATUS_FAILED;
        }
    }
    list_tables(routes, session);
    *made = routes;
    return STATUS_OK;
}

bool follow_routes_read(const struct follow_routes *routes, uint32_t stream, const char *table)
{
    bool reads = strcmp(routes->streams[stream].stream->request.table, table) == 0;
    for (uint32_t i = 0; i < routes->path_count && !reads; i++) {
        reads = routes->paths[i].stream == stream && strcmp(routes->paths[i].table, table) == 0;
    }
    return reads;
}

void follow_routes_tell(const struct follow_routes *routes, struct run_session *session)
{
    const char **names =
        arena_allocate_zeroed(session->arena, routes->table_count + 1u, sizeof *names);
    for (uint32_t i = 0; i < routes->table_count; i++) {
        names[i] = arena_copy_string(session->arena, routes->tables[i]);
    }
    session->source->followed = (struct column_list){names, routes->table_count};
}

void follow_routes_free(struct follow_routes *routes)
{
    if (routes != NULL) {
        arena_destroy(routes->arena);
    }
}
