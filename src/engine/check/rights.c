/* Asks both sides for the statements that give an account what a run of this plan needs. */
#include "engine/check/rights.h"

#include "base/name_index.h"
#include "connectors/contract/rights.h"
#include "engine/check/preflight.h"
#include "engine/session/session_tables.h"
#include <string.h>

/* All tables that a stream reads, as its root or by a join, each once. */
static void list_read(const struct run_session *session, struct arena *arena,
                      struct rights_request *request)
{
    uint32_t count = session_request_count(session);
    const struct read_request **requests = arena_allocate_zeroed(arena, count + 1u, sizeof(void *));
    struct column_list read = {0};
    struct name_index found = {.arena = arena};
    uint32_t room = 0;
    session_list_requests(session, requests);
    for (uint32_t i = 0; i < count; i++) {
        room += 1 + requests[i]->join_count;
        request->queries = request->queries || requests[i]->table == NULL;
    }
    const char **names = arena_allocate_zeroed(arena, room + 1u, sizeof *names);
    read.names = names;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k <= requests[i]->join_count; k++) {
            const char *name = k > 0 ? requests[i]->joins[k - 1].table : requests[i]->table;
            if (name != NULL &&
                name_index_add(&found, name, strlen(name), read.count) == NAME_INDEX_NONE) {
                names[read.count++] = name;
            }
        }
    }
    request->read = read.names;
    request->read_count = read.count;
}

/* Within one connector's kind the objects of a plain copy go along. */
static bool carries_objects(const struct run_session *session)
{
    return session->plan->same_engine_objects != NULL ||
           (session->plan->table_count > 0 && session->plan->tables[0].target.same_engine != NULL);
}

enum status rights_foresee(struct run_session *session, const struct target_table *tables,
                           const char *const *absent, uint32_t absent_count, struct arena *arena,
                           struct check_rights *rights, struct error *error)
{
    const struct rights_functions *source = session->source->connector->rights;
    const struct rights_functions *target = session->target->connector->rights;
    uint32_t count = session->plan->table_count;
    struct rights_request request = {.account = session->options.check.rights_for,
                                     .follows = session->options.follow.wanted,
                                     .carries_objects = carries_objects(session),
                                     .objects = session_objects(session),
                                     .tables = tables,
                                     .table_count = count,
                                     .alters = session_rebuilds_indexes(session) ||
                                               session_disables_triggers(session)};
    struct rights_list of_source = {.arena = arena};
    struct rights_list of_target = {.arena = arena};
    *rights = (struct check_rights){.asked = session->options.check.rights_for != NULL};
    if (!rights->asked) {
        return STATUS_OK;
    }
    list_read(session, arena, &request);
    request.missing = preflight_mark_absent(tables, count, absent, absent_count, arena);
    rights->source_told = source != NULL && source->of_source != NULL;
    rights->target_told = target != NULL && target->of_target != NULL;
    enum status status = rights->source_told
                             ? source->of_source(session->source, &request, &of_source, error)
                             : STATUS_OK;
    if (status == STATUS_OK && rights->target_told) {
        status = target->of_target(session->target, &request, &of_target, error);
    }
    rights->source = of_source.statements;
    rights->source_count = of_source.count;
    rights->target = of_target.statements;
    rights->target_count = of_target.count;
    return status;
}
