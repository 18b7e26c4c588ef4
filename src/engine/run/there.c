/* The tables that are in the target before the plan is resolved. */
#include "engine/run/there.h"

#include <strings.h>

/* By a plan's word or a source's name; case is for resolving to look at. */
static bool may_be_written(const struct run_session *session, const char *name)
{
    for (uint32_t i = 0; i < session->schema->table_count; i++) {
        if (strcasecmp(session->schema->tables[i].name, name) == 0) {
            return true;
        }
    }
    return session->document != NULL && plan_document_names_table(session->document, name);
}

enum status there_describe(const struct run_session *session, struct schema **there,
                           struct error *error)
{
    struct database *target = session->target;
    const struct connector *connector = target->connector;
    struct column_list names = {0};
    bool any = false;
    *there = NULL;
    if ((target->capabilities & CAPABILITY_SQL_SCHEMA) == 0 || connector->target->names == NULL) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    enum status status = connector->target->names(target, arena, &names, error);
    for (uint32_t i = 0; status == STATUS_OK && !any && i < names.count; i++) {
        any = may_be_written(session, names.names[i]);
    }
    arena_destroy(arena);
    return status == STATUS_OK && any ? connector->catalog->describe(target, there, error) : status;
}
