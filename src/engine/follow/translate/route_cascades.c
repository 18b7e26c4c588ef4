/* Foreign keys of the source whose actions no feed tells. */
#include "engine/follow/translate/route_cascades.h"

#include "engine/follow/apply/quiet.h"
#include "model/convert.h"
#include "plan/mapping.h"
#include <string.h>
#include <strings.h>

static enum follow_action action_of(const char *words)
{
    return words == NULL                            ? FOLLOW_ACTION_NONE
           : strncasecmp(words, "CASCADE", 7) == 0  ? FOLLOW_ACTION_DELETE
           : strncasecmp(words, "SET NULL", 8) == 0 ? FOLLOW_ACTION_NULL
                                                    : FOLLOW_ACTION_NONE;
}

static enum follow_action update_action_of(const char *words)
{
    enum follow_action action = action_of(words);
    return action == FOLLOW_ACTION_DELETE ? FOLLOW_ACTION_PASS : action;
}

bool route_cascades_acts(const struct schema_foreign_key *key)
{
    return action_of(key->on_delete) != FOLLOW_ACTION_NONE ||
           action_of(key->on_update) != FOLLOW_ACTION_NONE;
}

/* Does a stream read the table, as its root or by a join? */
static bool is_read(const struct follow_routes *routes, const char *table)
{
    bool read = false;
    for (uint32_t i = 0; i < routes->stream_count && !read; i++) {
        read = follow_routes_read(routes, i, table);
    }
    return read;
}

static uint32_t count_roots(const struct follow_routes *routes, const char *table)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < routes->stream_count; i++) {
        const char *root = routes->streams[i].stream->request.table;
        count += root != NULL && strcmp(root, table) == 0;
    }
    return count;
}

/* ---- where its rows are in the target */

const char *route_cascades_field(const struct plan_stream *stream, const struct plan_entity *entity,
                                 const char *column, struct value_type *type)
{
    const struct mapping *mapping = entity->mapping;
    int32_t at = mapping->identity ? shape_field_find(entity->shape, column) : -1;
    if (at >= 0) {
        *type = entity->shape->fields[at].type;
        return entity->shape->fields[at].name;
    }
    for (uint32_t i = 0; !mapping->identity && i < mapping->field_count; i++) {
        const struct mapping_field *field = &mapping->fields[i];
        const struct read_column *from =
            field->kind == FIELD_VALUE && field->value.origin == ORIGIN_COLUMN
                ? &stream->request.columns[field->value.index]
                : NULL;
        if (from != NULL && from->join < 0 && strcmp(from->name, column) == 0 &&
            field->when == MAPPING_NONE && !field->allow_loss && !field->merges &&
            field->renumber == NULL) {
            *type = field->type;
            return field->name;
        }
    }
    return NULL;
}

/* Can its values be written into a condition, and read back from a text? */
static bool is_plain(enum value_kind source, enum value_kind target)
{
    switch (target) {
    case VALUE_BOOL:
    case VALUE_INT64:
    case VALUE_UINT64:
    case VALUE_DECIMAL:
    case VALUE_TEXT:
    case VALUE_UUID:
    case VALUE_DATE:
        return source != VALUE_BYTES;
    case VALUE_BYTES:
        return source == VALUE_BYTES;
    default:
        return false;
    }
}

/* Its records are the rows of the stream's root, one each; where others read the table, too, all of
 * them. */
static bool holds_rows(const struct run_session *session, const struct follow_routes *routes,
                       const struct plan_stream *stream, const struct plan_entity *entity)
{
    const struct mapping *mapping = entity->mapping;
    bool all = mapping->where == MAPPING_NONE && mapping->when == MAPPING_NONE &&
               mapping->match_count == 0;
    return mapping->unnest == NULL && mapping->pages == MAPPING_NONE && stream->mask_count == 0 &&
           session->plan->tables[entity->table].entity_count == 1 &&
           (all || (count_roots(routes, stream->request.table) == 1 && stream->entity_count == 1));
}

/* Fills the fields of the target. STATUS_END: a column has none that is of use. */
static enum status take_fields(struct follow_routes *routes, const struct plan_stream *stream,
                               const struct plan_entity *entity, struct follow_dependent *dependent)
{
    uint32_t count = dependent->columns.count;
    const char **fields = arena_allocate_zeroed(routes->arena, count + (size_t)1, sizeof *fields);
    struct value_type *types =
        arena_allocate_zeroed(routes->arena, count + (size_t)1, sizeof *types);
    bool *hex = arena_allocate_zeroed(routes->arena, count + (size_t)1, sizeof *hex);
    for (uint32_t i = 0; i < count; i++) {
        int at = schema_find_column(dependent->table, dependent->columns.names[i]);
        fields[i] = route_cascades_field(stream, entity, dependent->columns.names[i], &types[i]);
        if (at < 0 || fields[i] == NULL ||
            !is_plain(dependent->table->columns[at].type.kind, types[i].kind)) {
            return STATUS_END;
        }
        hex[i] = types[i].kind == VALUE_BYTES;
    }
    dependent->fields = (struct column_list){fields, count};
    dependent->types = types;
    dependent->hex = hex;
    dependent->entity = entity->number;
    return STATUS_OK;
}

static bool find_entity(struct follow_routes *routes, const struct run_session *session,
                        struct follow_dependent *dependent)
{
    const struct plan *plan = session->plan;
    const struct apply_functions *apply = session->target->connector->apply;
    bool found = false;
    for (uint32_t i = 0; i < plan->entity_count && !found && apply->find != NULL; i++) {
        const struct plan_entity *entity = &plan->entities[i];
        const struct plan_stream *stream = &plan->streams[entity->stream];
        found = stream->request.table != NULL &&
                strcmp(stream->request.table, dependent->table->name) == 0 &&
                holds_rows(session, routes, stream, entity) &&
                take_fields(routes, stream, entity, dependent) == STATUS_OK;
    }
    return found;
}

/* ---- what its changes have to tell */

static void add_column(struct arena *arena, struct column_list *list, const char *name)
{
    if (column_list_holds(*list, name)) {
        return;
    }
    const char **names = arena_allocate_zeroed(arena, list->count + (size_t)1, sizeof *names);
    for (uint32_t i = 0; i < list->count; i++) {
        names[i] = list->names[i];
    }
    names[list->count] = name;
    *list = (struct column_list){names, list->count + 1};
}

static void add_columns(struct arena *arena, struct column_list *list, struct column_list added)
{
    for (uint32_t i = 0; i < added.count; i++) {
        add_column(arena, list, added.names[i]);
    }
}

static void list_columns(struct follow_routes *routes, struct follow_dependent *dependent,
                         uint32_t number)
{
    add_columns(routes->arena, &dependent->columns, schema_row_key(dependent->table));
    for (uint32_t i = 0; i < routes->cascade_count; i++) {
        const struct follow_cascade *cascade = &routes->cascades[i];
        if (cascade->dependent == number) {
            add_columns(routes->arena, &dependent->columns, cascade->columns);
        }
        if (cascade->parent == dependent->table) {
            add_columns(routes->arena, &dependent->columns, cascade->referenced);
        }
    }
    for (uint32_t i = 0; i < routes->table_count; i++) {
        if (strcmp(routes->tables[i], dependent->table->name) == 0) {
            add_columns(routes->arena, &dependent->columns, routes->followed[i].before);
        }
    }
}

static void make_shape(struct arena *arena, struct follow_dependent *dependent)
{
    const struct schema_table *table = dependent->table;
    const struct column_list key = schema_row_key(table);
    struct shape *shape = arena_allocate_zeroed(arena, 1, sizeof *shape);
    struct shape_field *fields =
        arena_allocate_zeroed(arena, table->column_count + (size_t)1, sizeof *fields);
    uint32_t *keys = arena_allocate_zeroed(arena, key.count + (size_t)1, sizeof *keys);
    uint32_t *at = arena_allocate_zeroed(arena, dependent->columns.count + (size_t)1, sizeof *at);
    for (uint32_t i = 0; i < table->column_count; i++) {
        fields[i] = (struct shape_field){.name = table->columns[i].name,
                                         .name_length = (uint32_t)strlen(table->columns[i].name),
                                         .type = table->columns[i].type};
    }
    *shape = (struct shape){.name = table->name,
                            .fields = fields,
                            .field_count = table->column_count,
                            .key_fields = keys,
                            .key_field_count = key.count};
    for (uint32_t i = 0; i < key.count; i++) {
        int column = schema_find_column(table, key.names[i]);
        keys[i] = column < 0 ? 0 : (uint32_t)column;
    }
    for (uint32_t i = 0; i < dependent->columns.count; i++) {
        int column = schema_find_column(table, dependent->columns.names[i]);
        at[i] = column < 0 ? 0 : (uint32_t)column;
    }
    dependent->shape = shape;
    dependent->at = at;
}

/* ---- the keys */

static struct column_list referenced_by(const struct schema_table *parent,
                                        const struct schema_foreign_key *key)
{
    return key->referenced_columns.count > 0 ? key->referenced_columns : parent->primary_key;
}

static uint32_t find_dependent(const struct follow_routes *routes, const struct schema_table *table)
{
    uint32_t at = 0;
    while (at < routes->dependent_count && routes->dependents[at].table != table) {
        at++;
    }
    return at;
}

static enum status foreign_key_refuse(const struct schema_table *table,
                                      const struct schema_foreign_key *key, const char *why,
                                      struct error *error)
{
    error_set(error, ERROR_FOLLOW, table->name,
              "can't be followed: its foreign key %s changes its rows by itself, which the "
              "source's log does not tell, and %s",
              key->name != NULL ? key->name : "", why);
    return error_hint(error,
                      "make the key without the action and change the rows in the application, or "
                      "leave %s out (--exclude)",
                      table->name);
}

static enum status add_cascade(struct follow_routes *routes, const struct run_session *session,
                               const struct schema_table *table,
                               const struct schema_foreign_key *key, struct error *error)
{
    const struct schema_table *parent =
        key->references_schema == NULL ? schema_find_table(session->schema, key->references) : NULL;
    if (parent == NULL) {
        return foreign_key_refuse(table, key, "the table that it refers to is of another database",
                                  error);
    }
    uint32_t dependent = find_dependent(routes, table);
    if (dependent == routes->dependent_count) {
        routes->dependents[routes->dependent_count++] =
            (struct follow_dependent){.table = table, .entity = FOLLOW_NOWHERE};
    }
    routes->cascades[routes->cascade_count++] =
        (struct follow_cascade){.parent = parent,
                                .referenced = referenced_by(parent, key),
                                .dependent = dependent,
                                .columns = key->columns,
                                .on_delete = action_of(key->on_delete),
                                .on_update = update_action_of(key->on_update)};
    struct followed_table *followed = follow_routes_add_table(routes, parent->name);
    struct column_list referenced = referenced_by(parent, key);
    for (uint32_t i = 0; i < referenced.count; i++) {
        follow_routes_add_before(routes, followed, parent, referenced.names[i]);
    }
    return STATUS_OK;
}

/* A parent that nothing is made of, and whose rows go by themselves, too. */
static enum status check_parent(const struct follow_routes *routes,
                                const struct follow_cascade *cascade, struct error *error)
{
    const struct schema_table *parent = cascade->parent;
    for (uint32_t i = 0; i < parent->foreign_key_count; i++) {
        if (route_cascades_acts(&parent->foreign_keys[i]) && !is_read(routes, parent->name)) {
            return foreign_key_refuse(
                parent, &parent->foreign_keys[i],
                "the run leaves it out though others refer to it: take it into the run", error);
        }
    }
    return STATUS_OK;
}

/* ---- rows that are parts of other records alone */

/* Do all ways from its rows to records go by the row that the key refers to? Then its change, which
 * the feed tells, touches the same records. */
static bool is_covered(const struct follow_routes *routes, const struct follow_cascade *cascade)
{
    const char *table = routes->dependents[cascade->dependent].table->name;
    bool covered = count_roots(routes, table) == 0;
    for (uint32_t i = 0; i < routes->path_count && covered; i++) {
        const struct follow_path *path = &routes->paths[i];
        covered = strcmp(path->table, table) != 0 ||
                  (path->hop_count > 0 && strcmp(path->hops[0].table, cascade->parent->name) == 0 &&
                   column_list_is_equal(path->columns, cascade->columns) &&
                   column_list_is_equal(path->hops[0].columns, cascade->referenced));
    }
    return covered;
}

static const struct schema_foreign_key *first_acting(const struct schema_table *table)
{
    uint32_t at = 0;
    while (!route_cascades_acts(&table->foreign_keys[at])) {
        at++;
    }
    return &table->foreign_keys[at];
}

static enum status place_dependent(struct follow_routes *routes, const struct run_session *session,
                                   uint32_t number, struct error *error)
{
    struct follow_dependent *dependent = &routes->dependents[number];
    bool covered = true;
    list_columns(routes, dependent, number);
    make_shape(routes->arena, dependent);
    bool keyed = dependent->shape->key_field_count > 0;
    if (keyed && find_entity(routes, session, dependent)) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < routes->cascade_count; i++) {
        const struct follow_cascade *cascade = &routes->cascades[i];
        covered = covered && (cascade->dependent != number || is_covered(routes, cascade));
    }
    return covered ? STATUS_OK
                   : foreign_key_refuse(
                         dependent->table, first_acting(dependent->table),
                         !keyed ? "its table has no key, by which the rows could be told apart "
                                  "that the log does not tell of"
                         : session->target->connector->apply->find == NULL
                             ? "the target can't be asked for the records of these rows"
                             : "the target has no records in which its keys stand as they are",
                         error);
}

/* Leaves what is made of the table, in a run that was followed already (follow_routes.refused). */
static enum status leave_readers(struct follow_routes *routes, const struct run_session *session,
                                 const char *table, enum status status, struct error *error)
{
    const struct error found = *error;
    bool fails = status == STATUS_FAILED;
    for (uint32_t i = 0; i < routes->stream_count && fails; i++) {
        if (follow_routes_read(routes, i, table)) {
            *error = found;
            status = follow_routes_refuse(routes, session, i, STATUS_FAILED, error);
        }
    }
    return status;
}

bool route_cascades_in_target(const struct run_session *session)
{
    return session->schema->silent_actions && session->options.follow.cascades == CASCADES_TARGET;
}

/* The keys of the target act on applied changes only where triggers fire on them, too. */
static enum status check_target_acts(const struct run_session *session, struct error *error)
{
    if (quiet_answers(session, session->kept.continued) == APPLY_ANSWERS_FIRE) {
        return STATUS_OK;
    }
    error_set(error, ERROR_FOLLOW, session->target_uri->shown,
              "--cascades target: its foreign keys do not act on applied changes");
    return error_hint(error, "give --follow-triggers fire with it, or let transhume apply what the "
                             "source's foreign keys change (--cascades apply)");
}

enum status route_cascades_make(struct follow_routes *routes, const struct run_session *session,
                                struct lack_list *lacks, struct error *error)
{
    const struct schema *schema = session->schema;
    uint32_t most = 0;
    enum status status = STATUS_OK;
    if (!schema->silent_actions || route_cascades_in_target(session)) {
        return schema->silent_actions ? lacks_take(lacks, check_target_acts(session, error), error)
                                      : STATUS_OK;
    }
    for (uint32_t t = 0; t < schema->table_count; t++) {
        most += schema->tables[t].foreign_key_count;
    }
    routes->dependents =
        arena_allocate_zeroed(routes->arena, most + (size_t)1, sizeof *routes->dependents);
    routes->cascades =
        arena_allocate_zeroed(routes->arena, most + (size_t)1, sizeof *routes->cascades);
    for (uint32_t t = 0; t < schema->table_count; t++) {
        const struct schema_table *table = &schema->tables[t];
        for (uint32_t i = 0; i < table->foreign_key_count && status == STATUS_OK; i++) {
            if (route_cascades_acts(&table->foreign_keys[i]) && is_read(routes, table->name)) {
                status = lacks_take(
                    lacks, add_cascade(routes, session, table, &table->foreign_keys[i], error),
                    error);
            }
        }
    }
    for (uint32_t i = 0; i < routes->cascade_count && status == STATUS_OK; i++) {
        status = lacks_take(lacks, check_parent(routes, &routes->cascades[i], error), error);
    }
    for (uint32_t i = 0; i < routes->dependent_count && status == STATUS_OK; i++) {
        status = lacks_take(lacks, place_dependent(routes, session, i, error), error);
        status = leave_readers(routes, session, routes->dependents[i].table->name, status, error);
    }
    return status;
}
