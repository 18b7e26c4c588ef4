/* Facts that the target's tables that were there before the run tell a copy: how their columns keep
 * values, and which records have to come first. */
#include "engine/copy/target_look.h"
#include "connectors/contract/defaults.h"
#include "engine/copy/parents.h"
#include <string.h>

/* True of tables that were there, as the ledger says, so that a resume and a rollback find the
 * same; or of all. */
static bool columns_say(const struct run *run, uint32_t number)
{
    const struct ledger_header *header = &run->header;
    if (connector_columns(run->session->target->connector)->decides) {
        return true;
    }
    return number < header->table_count && header->tables[number].was != LEDGER_WAS_ABSENT &&
           strcmp(header->tables[number].name, run->tables[number].name) == 0;
}

static bool forms_matter(const struct run *run)
{
    bool any = false;
    for (uint32_t i = 0; i < run->table_count; i++) {
        any = any || columns_say(run, i);
    }
    bool hashed = !run->session->options.making.no_hashes || run->header.before_id != NULL;
    return any && hashed && connector_columns(run->session->target->connector)->value_class != NULL;
}

static void find_forms(struct run *run, const struct schema *schema)
{
    const struct plan *plan = run->session->plan;
    struct stored_form *forms =
        arena_allocate_zeroed(run->arena, plan->entity_count + 1u, sizeof *forms);
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        uint32_t table = plan->entities[i].table;
        if (columns_say(run, table)) {
            stored_form_make(run->session->target,
                             session_target_table(run->session, schema, run->tables[table].name),
                             plan_entity_batch_shape(&plan->entities[i]), run->arena, &forms[i]);
        }
    }
    run->seen.forms = forms;
}

enum status run_look_at_target(struct run *run, struct error *error)
{
    struct database *source = NULL;
    struct schema *schema = NULL;
    enum status status = STATUS_OK;
    if (run->seen.known) {
        return STATUS_OK;
    }
    bool forms = forms_matter(run);
    bool parents = parents_matter(run);
    run->seen.turns = NULL;
    if (forms || parents) {
        const char **names =
            arena_allocate_zeroed(run->arena, run->table_count + 1u, sizeof *names);
        for (uint32_t i = 0; i < run->table_count; i++) {
            names[i] = run->tables[i].name;
        }
        status = session_describe_target(run->session, names, &source, &schema, error);
    }
    if (status == STATUS_OK && forms) {
        find_forms(run, schema);
    }
    if (status == STATUS_OK && parents) {
        parents_find(run, schema);
    }
    if (schema != NULL) {
        arena_destroy(schema->arena);
    }
    if (source != NULL) {
        run->session->target->connector->close(source);
    }
    run->seen.known = status == STATUS_OK;
    return status;
}
