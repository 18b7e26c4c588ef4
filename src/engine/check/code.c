#include "engine/check/code.h"
#include "connectors/contract/defaults.h"
#include "engine/session/session.h"

#include <string.h>

struct listing {
    struct arena *arena;
    const char **at_once;
    uint32_t at_once_count;
    uint32_t at_once_capacity;
    const char **later;
    uint32_t later_count;
    uint32_t later_capacity;
};

static void line_add(struct listing *listing, bool at_once, const char *line)
{
    if (at_once) {
        listing->at_once = arena_make_room(listing->arena, listing->at_once, listing->at_once_count,
                                           &listing->at_once_capacity, sizeof(*listing->at_once));
        listing->at_once[listing->at_once_count++] = line;
    } else {
        listing->later = arena_make_room(listing->arena, listing->later, listing->later_count,
                                         &listing->later_capacity, sizeof(*listing->later));
        listing->later[listing->later_count++] = line;
    }
}

/* Does the copy make this table, as its own engine has it? */
static bool is_made(const struct run_session *session, const char *name)
{
    const struct plan *plan = session->plan;
    for (uint32_t i = 0; i < plan->table_count; i++) {
        const struct schema_table *same = plan->tables[i].target.same_engine;
        if (same != NULL && strcmp(same->name, name) == 0) {
            return session->there == NULL ||
                   schema_find_table(session->there, plan->tables[i].target.name) == NULL;
        }
    }
    return false;
}

static void list_code(struct listing *listing, const struct run_session *session,
                      const struct schema_code *code, uint32_t count)
{
    bool objects = session->plan->same_engine_objects != NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (code[i].table != NULL ? is_made(session, code[i].table) : objects) {
            line_add(listing, code[i].at_once,
                     arena_format(listing->arena, "%s %s%s%s: %s", code[i].what, code[i].name,
                                  code[i].table != NULL ? " of " : "",
                                  code[i].table != NULL ? code[i].table : "", code[i].calls));
        }
    }
}

/* Where no expression can call what users made, their objects are all that there is. */
static void list_objects(struct listing *listing, const struct schema *objects)
{
    for (uint32_t i = 0; objects != NULL && i < objects->object_count; i++) {
        const struct schema_object *object = &objects->objects[i];
        if (object->native_sql != NULL && schema_object_is_code(object)) {
            line_add(listing, false,
                     arena_format(listing->arena, "%s %s%s%s", schema_object_word(object),
                                  object->name, object->table != NULL ? " of " : "",
                                  object->table != NULL ? object->table : ""));
        }
    }
}

static enum status tell_account(struct run_session *session, struct listing *listing,
                                struct check_code *code, struct error *error)
{
    const struct sql_target_functions *sql_target =
        connector_sql_target(session->target->connector);
    struct buffer lines = {0};
    if (sql_target->account == NULL) {
        return STATUS_OK;
    }
    enum status status = sql_target->account(session->target, listing->arena, &code->account,
                                             &code->superuser, &lines, error);
    char *next = lines.length > 0 ? arena_copy_string(listing->arena, buffer_string(&lines)) : NULL;
    for (char *line; (line = strsep(&next, "\n")) != NULL && *line != '\0';) {
        line_add(listing, true, line);
    }
    buffer_free(&lines);
    return status;
}

enum status check_code(struct run_session *session, struct arena *arena, struct check_code *code,
                       struct error *error)
{
    const struct catalog_functions *catalog = session->source->connector->catalog;
    struct listing listing = {.arena = arena};
    struct schema_code *found = NULL;
    uint32_t count = 0;
    enum status status = STATUS_OK;
    bool same = session->source->connector == session->target->connector;
    if (!same || session->options.selection.parts == PARTS_DATA) {
        return STATUS_OK;
    }
    code->left_out = session->options.making.no_code;
    if (code->left_out) {
        /* what the target has of its own runs all the same */
    } else if (catalog->tell_code != NULL) {
        status = catalog->tell_code(session->source, arena, &found, &count, error);
        list_code(&listing, session, found, status == STATUS_OK ? count : 0);
    } else {
        list_objects(&listing, session->plan->same_engine_objects);
    }
    status = status == STATUS_OK ? tell_account(session, &listing, code, error) : STATUS_FAILED;
    code->at_once = (struct check_list){listing.at_once, listing.at_once_count};
    code->later = (struct check_list){listing.later, listing.later_count};
    return status;
}
