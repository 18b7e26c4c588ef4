/* The statements of a run, gathered. */
#include "connectors/contract/script.h"
#include "connectors/contract/target.h"
#include <string.h>

void script_add(struct script *script, enum script_moment moment, const char *what,
                const char *name, struct buffer *text)
{
    script->statements = arena_make_room(script->arena, script->statements, script->count,
                                         &script->capacity, sizeof *script->statements);
    script->statements[script->count++] =
        (struct script_statement){.moment = moment,
                                  .what = what,
                                  .name = arena_copy_string(script->arena, name),
                                  .text = arena_copy_string(script->arena, buffer_string(text))};
    buffer_free(text);
}

bool script_wants_object(const struct script_request *request, uint32_t number)
{
    const struct schema_object *object = &request->objects->objects[number];
    if (object->native_sql == NULL || (request->unfit != NULL && request->unfit[number])) {
        return false;
    }
    for (uint32_t i = 0; object->table != NULL && i < request->table_count; i++) {
        if (strcmp(request->tables[i].name, object->table) == 0) {
            return request->missing[i];
        }
    }
    return object->table == NULL;
}
