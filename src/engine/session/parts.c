/* --schema-only and --data-only: what of its two parts a run moves. */
#include "engine/session/parts.h"
#include "connectors/contract/defaults.h"
#include <string.h>

const char *run_parts_name(enum parts_choice parts)
{
    return parts == PARTS_SCHEMA ? "schema" : parts == PARTS_DATA ? "data" : NULL;
}

enum parts_choice run_parts_read(const char *name)
{
    bool known = name != NULL;
    return known && strcmp(name, "schema") == 0 ? PARTS_SCHEMA
           : known && strcmp(name, "data") == 0 ? PARTS_DATA
                                                : PARTS_ALL;
}

bool run_moves(const struct run *run, enum parts_choice parts)
{
    return run_parts_read(run->header.parts) == parts;
}

const struct schema *run_objects(const struct run *run)
{
    return run_moves(run, PARTS_DATA) ? NULL : run->session->plan->same_engine_objects;
}

enum status run_require_tables(struct run *run, struct error *error)
{
    const struct target_functions *target = run->session->target->connector->target;
    const struct forecast_functions *forecast = connector_forecast(run->session->target->connector);
    uint32_t count = run->table_count;
    if (!run_moves(run, PARTS_DATA) || forecast->script == NULL) {
        return STATUS_OK;
    }
    bool *there = arena_allocate_zeroed(run->arena, (size_t)count + 1, sizeof *there);
    bool *filled = arena_allocate_zeroed(run->arena, (size_t)count + 1, sizeof *filled);
    enum status status =
        target->inspect(run->session->target, run->tables, count, there, filled, error);
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        if (!there[i]) {
            status = error_set(error, ERROR_TARGET_SCHEMA, run->tables[i].name,
                               "the table is gone, and --data-only makes none");
        }
    }
    return status;
}
