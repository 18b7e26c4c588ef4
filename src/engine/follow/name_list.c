/* Lists of names in the ledger. */
#include "engine/follow/name_list.h"

#include "engine/ledger/json_text.h"
#include "engine/ledger/ledger_positions.h"
#include <jansson.h>

enum status name_list_get(const struct run *run, const char *intent, struct column_list *names,
                          struct error *error)
{
    const char *text;
    json_t *object;
    *names = (struct column_list){0};
    enum status status =
        ledger_get_intent(run->session->ledger, run->id, intent, run->arena, &text, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    if (json_from_text(text, intent, ERROR_LEDGER_INVALID, &object, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const json_t *list = json_object_get(object, "tables");
    const char **made = arena_allocate_zeroed(run->arena, json_array_size(list) + 1, sizeof *made);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (name != NULL) {
            made[names->count++] = arena_copy_string(run->arena, name);
        }
    }
    names->names = made;
    json_decref(object);
    return STATUS_OK;
}

enum status name_list_put(const struct run *run, const char *intent, struct column_list names,
                          struct error *error)
{
    const char *text;
    if (names.count == 0) {
        return ledger_delete_intent(run->session->ledger, run->id, intent, error);
    }
    json_t *list = json_array();
    for (uint32_t i = 0; i < names.count; i++) {
        json_array_append_new(list, json_text(names.names[i]));
    }
    json_t *object = json_pack("{s:i,s:o}", "format", CONTROL_FORMAT, "tables", list);
    return json_to_arena(object, run->arena, &text, error) == STATUS_OK
               ? ledger_put_intent(run->session->ledger, run->id, intent, text, error)
               : STATUS_FAILED;
}

enum status name_list_add(const struct run *run, const char *intent, const char *name,
                          struct error *error)
{
    struct column_list kept;
    if (name_list_get(run, intent, &kept, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (column_list_holds(kept, name)) {
        return STATUS_OK;
    }
    const char **names = arena_allocate_zeroed(run->arena, kept.count + 1u, sizeof *names);
    for (uint32_t i = 0; i < kept.count; i++) {
        names[i] = kept.names[i];
    }
    names[kept.count] = name;
    return name_list_put(run, intent, (struct column_list){names, kept.count + 1}, error);
}
