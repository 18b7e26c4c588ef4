/* The file of the state folder that says what the mapping makes of each column. */
#include "engine/folder/types_file.h"

#include "base/file.h"
#include "base/log.h"
#include "engine/ledger/json_text.h"
#include "model/json_tree.h"
#include "plan/mapping.h"
#include <string.h>

enum { TYPES_BYTES_MAX = 256 << 20 };

static json_t *type_make(const struct value_type *type)
{
    struct buffer text = {0};
    buffer_append_string(&text, value_kind_name(type->kind));
    if (type->kind == VALUE_DECIMAL && type->precision > 0) {
        buffer_format(&text, "(%d,%d)", (int)type->precision, (int)type->scale);
    }
    buffer_append_string(&text, type->zoned ? " with time zone" : type->utc ? " in UTC" : "");
    json_t *made = json_string(buffer_string(&text));
    buffer_free(&text);
    return made;
}

static json_t *column_make(const struct plan_entity *entity, const struct shape_field *field)
{
    const struct mapping_field *made = entity->mapping == NULL || entity->mapping->identity
                                           ? NULL
                                           : mapping_find_field(entity->mapping, field->name);
    const struct schema_column *origin = made != NULL ? made->origin : NULL;
    const char *native = origin != NULL ? origin->type.native : field->type.native;
    json_t *column = json_pack("{s:o,s:o,s:o}", "name", json_text(field->name), "from",
                               json_text(native), "type", type_make(&field->type));
    if (made != NULL && made->reason != NULL) {
        json_object_set_new(column, "why", json_text(made->reason));
    }
    return column;
}

static json_t *entity_make(const struct plan *plan, const struct plan_entity *entity)
{
    json_t *columns = json_array();
    for (uint32_t i = 0; i < entity->shape->field_count; i++) {
        json_array_append_new(columns, column_make(entity, &entity->shape->fields[i]));
    }
    return json_pack("{s:o,s:o,s:o}", "entity", json_text(entity->name), "table",
                     json_text(plan->tables[entity->table].target.name), "columns", columns);
}

void types_file_write(const struct run *run)
{
    const struct run_session *session = run->session;
    struct arena *arena = arena_create(0);
    struct buffer text = {0};
    struct error error = {0};
    json_t *entities = json_array();
    for (uint32_t i = 0; i < session->plan->entity_count; i++) {
        json_array_append_new(entities, entity_make(session->plan, &session->plan->entities[i]));
    }
    json_t *object = json_pack("{s:i,s:I,s:s,s:o}", "format", CONTROL_FORMAT, "version",
                               (json_int_t)session->kept.mapping_version, "hash",
                               session->plan->mapping_hash, "entities", entities);
    if (json_tree_append(object, JSON_COMPACT, &text) &&
        file_write_atomic(file_join(arena, run->folder.path, STATE_TYPES), text.data, text.length,
                          NULL, &error) != STATUS_OK) {
        log_write(LOG_WARNING, "%s: %s", error.object, error.message);
    }
    json_decref(object);
    buffer_free(&text);
    arena_destroy(arena);
}

void types_file_add(const char *state_folder, struct buffer *state)
{
    json_t *types = json_from_file(state_folder, STATE_TYPES, TYPES_BYTES_MAX);
    json_t *object = types != NULL ? json_tree_load(state->data, state->length, 0, NULL) : NULL;
    if (json_is_object(object)) {
        json_object_del(types, "format");
        json_object_set(object, "mapping", types);
        buffer_clear(state);
        (void)json_tree_append(object, JSON_INDENT(2), state);
        buffer_append_byte(state, '\n');
    }
    json_decref(object);
    json_decref(types);
}
