/* Columns and statements of the tables that a run makes. */
#include "engine/check/ddl.h"
#include "connectors/contract/defaults.h"
#include "engine/session/session_tables.h"
#include "plan/mapping.h"
#include <string.h>
#include <strings.h>

static bool is_missing(const struct ddl_request *request, const char *table)
{
    bool found = request->fresh;
    for (uint32_t i = 0; !found && i < request->absent_count; i++) {
        found = strcmp(request->absent[i], table) == 0;
    }
    return found;
}

/* ---------------------------------------------------------------- statements */

enum status ddl_script(struct run_session *session, const struct ddl_request *request,
                       struct script *script, struct error *error)
{
    static const struct schema nothing_told = {0};
    const struct forecast_functions *forecast = connector_forecast(session->target->connector);
    uint32_t count = session->plan->table_count;
    const struct schema *there = session->there != NULL ? session->there : &nothing_told;
    if (forecast->script == NULL || session->options.selection.parts == PARTS_DATA) {
        return STATUS_OK;
    }
    bool *missing = arena_allocate_zeroed(script->arena, (size_t)count + 1, sizeof *missing);
    for (uint32_t i = 0; i < count; i++) {
        missing[i] = is_missing(request, request->tables[i].name);
    }
    const struct script_request wanted = {.tables = request->tables,
                                          .table_count = count,
                                          .missing = missing,
                                          .objects = session_objects(session),
                                          .there = request->fresh ? NULL : there,
                                          .unfit = request->fresh ? NULL : request->unfit,
                                          .place = request->place};
    return forecast->script(session->target, &wanted, script, error);
}

enum status run_script(struct run_session *session, const char *place, struct script *script,
                       struct error *error)
{
    struct target_table *tables = NULL;
    const struct column_list others = session->target->scope.others;
    if (place != NULL && others.count > 0) {
        error_set(error, ERROR_NOT_IMPLEMENTED, session->target_uri->shown,
                  "tables of several databases can't be compared at once");
        return error_hint(error, "name one of them with --schema");
    }
    session_list_tables(session, session->arena, &tables);
    const struct ddl_request request = {.tables = tables, .fresh = true, .place = place};
    return ddl_script(session, &request, script, error);
}

const char *run_target_uri(const struct run_session *session)
{
    return session->target_uri->text;
}

/* ---------------------------------------------------------------- columns */

struct listing {
    struct run_session *session;
    struct arena *arena;
    struct check_column *columns;
    uint32_t count;
    uint32_t capacity;
    struct error *error;
};

/* The first entity's field that fills the column; NULL: none names it. */
static const struct mapping_field *find_field(const struct plan *plan,
                                              const struct plan_table *table, const char *name,
                                              const struct plan_entity **entity)
{
    const struct mapping_field *found = NULL;
    for (uint32_t i = 0; found == NULL && i < table->entity_count; i++) {
        *entity = &plan->entities[table->entities[i]];
        found = mapping_find_field((*entity)->mapping, name);
    }
    return found;
}

static const char *origin_of(const struct mapping_field *field)
{
    static const char *const made[] = {[FIELD_CONST] = "a constant",
                                       [FIELD_TEMPLATE] = "a template",
                                       [FIELD_SQL] = "an expression",
                                       [FIELD_EMBED] = "embedded records"};
    switch (field->kind) {
    case FIELD_VALUE:
        return field->value.origin == ORIGIN_AGGREGATE ? "an aggregate"
               : field->value.origin == ORIGIN_COLUMN  ? "a look-up"
                                                       : "a part of another value";
    default:
        return made[field->kind];
    }
}

/* The note of the target's type table on values of the kind. */
static const char *written_as(const struct run_session *session, enum value_kind kind,
                              struct arena *arena)
{
    const struct connector *target = session->target->connector;
    for (uint32_t i = 0; i < target->type_count; i++) {
        const struct type_mapping *mapping = &target->types[i];
        if (mapping->kind == kind && mapping->writing != NULL) {
            return arena_format(arena, "%s keeps %s as %s (%s)", target->title,
                                value_kind_name(kind), mapping->writing, mapping->loss);
        }
    }
    return arena_format(arena, "%s has no such type", target->title);
}

static bool is_same_type(const char *from, const char *to)
{
    return from != NULL && to != NULL && strcasecmp(from, to) == 0;
}

static enum status add_column(struct listing *listing, const struct plan_table *table,
                              const struct schema_column *column)
{
    struct run_session *session = listing->session;
    const struct column_functions *columns = connector_columns(session->target->connector);
    const struct plan_entity *entity = NULL;
    const struct mapping_field *field = find_field(session->plan, table, column->name, &entity);
    const struct schema_column *origin = field != NULL ? field->origin : NULL;
    struct buffer type = {0};
    enum status status = columns->type != NULL ? columns->type(session->target, &table->target,
                                                               column, &type, listing->error)
                                               : STATUS_END;
    if (status == STATUS_FAILED) {
        buffer_free(&type);
        return STATUS_FAILED;
    }
    listing->columns = arena_make_room(listing->arena, listing->columns, listing->count,
                                       &listing->capacity, sizeof *listing->columns);
    struct check_column *made = &listing->columns[listing->count++];
    *made = (struct check_column){.table = table->target.name, .name = column->name};
    made->type = type.length > 0 ? arena_copy_string(listing->arena, buffer_string(&type)) : NULL;
    buffer_free(&type);
    if (origin != NULL) {
        made->from = arena_format(listing->arena, "%s.%s", entity->from_text, origin->name);
        made->from_type =
            origin->type.native != NULL ? origin->type.native : value_kind_name(origin->type.kind);
    } else {
        made->from = field != NULL ? origin_of(field) : "the source's key";
    }
    if (field != NULL && field->reason != NULL) {
        made->why = field->reason;
    } else if (!is_same_type(made->from_type, made->type)) {
        made->why = written_as(session, column->type.kind, listing->arena);
    }
    return STATUS_OK;
}

/* A table that is copied whole is declared as the source declares it. */
static enum status add_table(struct listing *listing, const struct plan_table *table)
{
    const struct schema_table *same = table->target.same_engine;
    const struct schema_column *columns = same != NULL ? same->columns : table->target.columns;
    uint32_t count = same != NULL ? same->column_count : table->target.column_count;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        status = add_column(listing, table, &columns[i]);
    }
    return status;
}

enum status ddl_columns(struct run_session *session, const struct ddl_request *request,
                        struct arena *arena, const struct check_column **columns, uint32_t *count,
                        struct error *error)
{
    struct listing listing = {.session = session, .arena = arena, .error = error};
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < session->plan->table_count; i++) {
        if (is_missing(request, request->tables[i].name)) {
            status = add_table(&listing, &session->plan->tables[i]);
        }
    }
    *columns = listing.columns;
    *count = listing.count;
    return status;
}
