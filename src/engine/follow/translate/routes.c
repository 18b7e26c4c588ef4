/* Which entities a changed table reaches, and how. */
#include "engine/follow/translate/routes.h"

#include "base/memory.h"
#include "engine/follow/translate/route_cascades.h"
#include "engine/follow/translate/route_keys.h"
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

static bool has_row_key(const struct run_session *session, const struct plan_stream *stream)
{
    const struct schema_table *table = table_of(session, stream->request.table);
    return table != NULL && schema_row_key(table).count > 0;
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
static bool keeps_row_key(const struct run_session *session, const struct plan_stream *stream,
                          const struct plan_entity *entity, const struct plan_table *table)
{
    const struct schema_table *from = table_of(session, stream->request.table);
    bool keeps = table->entity_count == 1 && from != NULL;
    struct column_list key = keeps ? schema_row_key(from) : (struct column_list){0};
    for (uint32_t i = 0; keeps && i < key.count; i++) {
        keeps = holds_column(stream, entity, table->target.key, key.names[i]);
    }
    return keeps && key.count > 0;
}

/* ---- pages */

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
    bool plain = true;
    for (uint32_t i = 0; i < target->key.count; i++) {
        const struct mapping_field *field = mapping_find_field(mapping, target->key.names[i]);
        uint32_t held = route_keys_pages(field);
        pages += held;
        at = held > 0 ? i : at;
        plain = plain && (held > 0 || field == NULL || is_plain(field));
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

static bool shuffles(const struct plan_stream *stream)
{
    bool shuffles = false;
    for (uint32_t i = 0; i < stream->mask_count; i++) {
        shuffles = shuffles || stream->masks[i].shuffle != NULL;
    }
    return shuffles;
}

/* ---- rows without a key */

static bool has_generated(const struct run_session *session, const struct plan_stream *stream)
{
    const struct schema_table *table = table_of(session, stream->request.table);
    bool has = false;
    for (uint32_t i = 0; table != NULL && i < table->column_count; i++) {
        has = has || table->columns[i].generated != GENERATED_NO;
    }
    return has;
}

/* No key of the source's, and none of the run's. */
static bool is_keyless(const struct run_session *session, const struct plan_stream *stream)
{
    const struct schema_table *table = table_of(session, stream->request.table);
    return stream->request.query == NULL && table != NULL && table->kind == SCHEMA_TABLE &&
           !has_row_key(session, stream);
}

static const char *why_not_whole(const struct run_session *session,
                                 const struct plan_stream *stream, const struct plan_entity *entity,
                                 const struct plan_table *table)
{
    const struct mapping *mapping = entity->mapping;
    const struct apply_functions *apply = session->target->connector->apply;
    /* before a run the feed says so itself */
    bool by_key = session->kept.follows && !session->source->connector->feed->whole_rows;
    return by_key ? "its table has no key, and the source's changes name rows by keys alone"
           : table->target.key.count > 0
               ? "its table has no key, neither primary nor unique over columns that are NOT NULL, "
                 "by which a change could name its row, and the target's table has one"
           : apply == NULL || !apply->takes_whole_records
               ? "its table has no key, neither primary nor unique over columns that are NOT NULL, "
                 "and the target finds records by keys alone"
           : stream->request.join_count > 0 || stream->child_count > 0 || stream->joined != NULL
               ? "its table has no key, and it looks up or embeds rows of others"
           : stream->entity_count > 1 || table->entity_count > 1 || mapping->unnest != NULL ||
                   entity->is_pages
               ? "its table has no key, and one of its rows is not one record of a table of its own"
           : mapping->distinct ? "of equal records it keeps one, so that none has an owner"
           : shuffles(stream)  ? "its values are shuffled, and those of a new row would have "
                                 "no place"
           : has_generated(session, stream)
               ? "its table has no key, and generated columns, which not every change tells"
           : session->kept.follows && session->options.follow.lanes > 1
               ? "its table has no key, so that changes of it may not be applied twice, as several "
                 "lanes would after a stop"
               : NULL;
}

bool follow_is_whole(const struct run_session *session, const struct plan_stream *stream)
{
    const struct plan *plan = session->plan;
    const struct plan_entity *entity =
        stream->entity_count > 0 ? &plan->entities[stream->entities[0]] : NULL;
    bool refused = session->kept.follows && entity != NULL && is_keyless(session, stream) &&
                   why_not_whole(session, stream, entity, &plan->tables[entity->table]) != NULL;
    return !refused && is_keyless(session, stream);
}

static const char *why_not(const struct run_session *session, const struct plan_stream *stream,
                           const struct plan_entity *entity, const struct plan_table *table)
{
    const struct mapping *mapping = entity->mapping;
    return stream->request.query != NULL ? "it reads a query, whose rows no change names"
           : is_keyless(session, stream) ? why_not_whole(session, stream, entity, table)
           : stream->key_count == 0 || !has_row_key(session, stream)
               ? "its table has no primary key, by which a change could name its row"
           : joins_too_much(stream)     ? "it joins by more than 32 columns"
           : stream->joined != NULL     ? "the source can't join, and it looks something up"
           : mapping->stream->documents ? "it reads documents"
           : shuffles(stream)
               ? "its values are shuffled, and those of a new row would have no place"
           : mapping->distinct ? "of equal records it keeps one, so that none has an owner"
           : entity->is_pages && why_no_pages(session, mapping, &table->target) != NULL
               ? why_no_pages(session, mapping, &table->target)
           : mapping->unnest != NULL && !table->rows_apart
               ? "records of two rows might share a key, which does not hold that of their row"
           : !table->keys_proven && !table->keys_spelled && mapping->unnest == NULL &&
                   !keeps_row_key(session, stream, entity, table)
               ? "two of its records might share a key"
               : NULL;
}

static enum status check_entity(const struct run_session *session, const struct plan_entity *entity,
                                struct error *error)
{
    const struct plan *plan = session->plan;
    const struct plan_stream *stream = &plan->streams[entity->stream];
    const struct plan_table *table = &plan->tables[entity->table];
    const char *reason = why_not(session, stream, entity, table);
    if (reason == NULL) {
        return STATUS_OK;
    }
    bool whole = is_keyless(session, stream);
    bool told = table->keys_proven || whole;
    error_set(error, ERROR_FOLLOW, entity->name, "can't be followed: %s%s%s", reason,
              told ? "" : ": ", told ? "" : table->keys_reason);
    return error_hint(error,
                      "%sleave it out (--exclude, or of the plan), and copy it on its own without "
                      "--follow",
                      whole
                          ? "ALTER TABLE it to have a PRIMARY KEY or a UNIQUE key of columns that "
                            "are NOT NULL; or "
                          : "");
}

enum status follow_routes_refuse(struct follow_routes *routes, const struct run_session *session,
                                 uint32_t stream, enum status status, struct error *error)
{
    if (status == STATUS_OK || !session->kept.follows || error->code != ERROR_FOLLOW) {
        return status;
    }
    if (routes->refused[stream] == NULL) {
        routes->refused[stream] =
            arena_format(routes->arena, "%s: %s", error->object, error->message);
    }
    error_clear(error);
    return STATUS_OK;
}

static enum status check_entities(struct follow_routes *routes, const struct run_session *session,
                                  struct lack_list *lacks, struct error *error)
{
    const struct plan *plan = session->plan;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < plan->entity_count && status == STATUS_OK; i++) {
        const struct plan_entity *entity = &plan->entities[i];
        status = lacks_take(lacks, check_entity(session, entity, error), error);
        status = follow_routes_refuse(routes, session, entity->stream, status, error);
    }
    return status;
}

/* ---- streams */

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
        stream->root_key = schema_row_key(table);
        stream->row_key = table->row_key;
        stream->whole = follow_is_whole(session, stream->stream);
    }
    stream->by_row = stream->stream->request.join_count == 0 && stream->stream->child_count == 0;
    stream->key_cells = arena_allocate_zeroed(
        routes->arena, stream->stream->request.column_count + (size_t)1, sizeof(bool));
    for (uint32_t i = 0; i < stream->stream->entity_count; i++) {
        route_keys_make(routes, plan, &key_entities[stream->stream->entities[i]], stream);
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

struct followed_table *follow_routes_add_table(struct follow_routes *routes, const char *name)
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

void follow_routes_add_before(struct follow_routes *routes, struct followed_table *table,
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

/* Columns of which the records' keys were made, and that tell which roots a row was part of. */
static void list_before(struct follow_routes *routes, const struct run_session *session)
{
    for (uint32_t i = 0; i < session->plan->stream_count; i++) {
        const struct follow_stream *stream = &routes->streams[i];
        const struct read_request *request = &stream->stream->request;
        if (request->table == NULL) { /* a query, which check_entities has told of */
            continue;
        }
        struct followed_table *table = follow_routes_add_table(routes, request->table);
        for (uint32_t k = 0; k < stream->root_key.count; k++) {
            follow_routes_add_before(routes, table, table_of(session, request->table),
                                     stream->root_key.names[k]);
        }
        for (uint32_t c = 0; c < request->column_count; c++) {
            if ((stream->key_cells[c] || stream->whole) && request->columns[c].join < 0) {
                follow_routes_add_before(routes, table, table_of(session, request->table),
                                         request->columns[c].name);
            }
        }
    }
    for (uint32_t i = 0; i < routes->path_count; i++) {
        const struct follow_path *path = &routes->paths[i];
        struct followed_table *table = follow_routes_add_table(routes, path->table);
        for (uint32_t c = 0; c < path->columns.count; c++) {
            follow_routes_add_before(routes, table, table_of(session, path->table),
                                     path->columns.names[c]);
        }
    }
}

static void list_tables(struct follow_routes *routes, const struct run_session *session)
{
    uint32_t most = session->plan->stream_count + routes->path_count + session->schema->table_count;
    routes->tables = arena_allocate_zeroed(routes->arena, most + 1u, sizeof(char *));
    routes->followed = arena_allocate_zeroed(routes->arena, most + 1u, sizeof *routes->followed);
    list_before(routes, session);
}

static struct follow_routes *routes_create(const struct plan *plan)
{
    struct arena *arena = arena_create(0);
    struct follow_routes *routes = arena_allocate_zeroed(arena, 1, sizeof *routes);
    routes->arena = arena;
    routes->stream_count = plan->stream_count;
    routes->streams =
        arena_allocate_zeroed(arena, plan->stream_count + 1u, sizeof *routes->streams);
    routes->refused =
        arena_allocate_zeroed(arena, plan->stream_count + 1u, sizeof *routes->refused);
    routes->entity_count = plan->entity_count;
    routes->keys = arena_allocate_zeroed(arena, plan->entity_count + 1u, sizeof *routes->keys);
    return routes;
}

/* `lacks` NULL: the first refusal ends it. */
static enum status make_streams(struct follow_routes *routes, const struct run_session *session,
                                struct lack_list *lacks, struct error *error)
{
    const struct plan *plan = session->plan;
    struct arena *arena = routes->arena;
    struct plan *key_plan = arena_allocate_zeroed(arena, 1, sizeof *key_plan);
    struct plan_entity *entities =
        arena_allocate_zeroed(arena, plan->entity_count + 1u, sizeof *entities);
    enum status status = STATUS_OK;
    memcpy(entities, plan->entities, plan->entity_count * sizeof *entities);
    *key_plan = *plan;
    key_plan->entities = entities;
    for (uint32_t i = 0; i < plan->stream_count && status == STATUS_OK; i++) {
        routes->streams[i].stream = &plan->streams[i];
        if (plan->streams[i].request.table == NULL) {
            continue; /* a query, which check_entities has told of */
        }
        make_stream(routes, session, key_plan, entities, i);
        make_paths(routes, i);
        status = lacks_take(lacks, check_keys(&routes->streams[i], error), error);
        status = follow_routes_refuse(routes, session, i, status, error);
    }
    return status;
}

static enum status routes_make(const struct run_session *session, struct lack_list *lacks,
                               struct follow_routes **made, struct error *error)
{
    *made = NULL;
    struct follow_routes *routes = routes_create(session->plan);
    enum status status = check_entities(routes, session, lacks, error);
    status = status == STATUS_OK ? make_streams(routes, session, lacks, error) : status;
    if (status == STATUS_OK) {
        list_tables(routes, session);
        status = route_cascades_make(routes, session, lacks, error);
    }
    if (status != STATUS_OK) {
        arena_destroy(routes->arena);
        return STATUS_FAILED;
    }
    *made = routes;
    return STATUS_OK;
}

enum status follow_routes_make(const struct run_session *session, struct follow_routes **made,
                               struct error *error)
{
    return routes_make(session, NULL, made, error);
}

enum status follow_routes_foresee(const struct run_session *session, struct lack_list *lacks,
                                  struct follow_routes **made, struct error *error)
{
    struct lack_list ignored = {.arena = session->arena};
    return routes_make(session, lacks != NULL ? lacks : &ignored, made, error);
}

bool follow_routes_read(const struct follow_routes *routes, uint32_t stream, const char *table)
{
    const char *root = routes->streams[stream].stream->request.table;
    bool reads = root != NULL && strcmp(root, table) == 0;
    for (uint32_t i = 0; i < routes->path_count && !reads; i++) {
        reads = routes->paths[i].stream == stream && strcmp(routes->paths[i].table, table) == 0;
    }
    return reads;
}

/* A table that nothing is made of any more. `left` (may be NULL): streams that are left. */
static bool is_refused(const struct follow_routes *routes, const bool *left, const char *table)
{
    bool refused = false;
    bool read = false;
    for (uint32_t i = 0; i < routes->stream_count; i++) {
        bool reads = follow_routes_read(routes, i, table);
        bool none = routes->refused[i] != NULL || (left != NULL && left[i]);
        refused = refused || (reads && none);
        read = read || (reads && !none);
    }
    return refused && !read;
}

struct followed_table *follow_routes_there(const struct follow_routes *routes,
                                           const struct run_session *session, struct arena *arena,
                                           uint32_t *count)
{
    struct followed_table *there =
        arena_allocate_zeroed(arena, routes->table_count + 1u, sizeof *there);
    *count = 0;
    for (uint32_t i = 0; i < routes->table_count; i++) {
        if (!column_list_holds(session->kept.gone, routes->tables[i]) &&
            !is_refused(routes, NULL, routes->tables[i])) {
            there[(*count)++] = routes->followed[i];
        }
    }
    return there;
}

void follow_routes_tell(const struct follow_routes *routes, const bool *left,
                        struct run_session *session)
{
    const char **names =
        arena_allocate_zeroed(session->arena, routes->table_count + 1u, sizeof *names);
    const char **marks =
        arena_allocate_zeroed(session->arena, routes->table_count + 1u, sizeof *marks);
    uint32_t count = 0;
    for (uint32_t i = 0; i < routes->table_count; i++) {
        const struct schema_table *table = table_of(session, routes->tables[i]);
        if (!is_refused(routes, left, routes->tables[i])) {
            names[count] = arena_copy_string(session->arena, routes->tables[i]);
            marks[count++] = table != NULL ? table->mark : NULL;
        }
    }
    session->source->followed = (struct column_list){names, count};
    session->source->followed_marks = marks;
}

void follow_routes_free(struct follow_routes *routes)
{
    if (routes != NULL) {
        arena_destroy(routes->arena);
    }
}
