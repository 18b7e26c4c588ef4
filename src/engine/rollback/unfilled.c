/* Columns of SQL tables that a run does not fill. */
#include "engine/rollback/unfilled.h"
#include <jansson.h>
#include <string.h>

static void mark_filled(const struct ledger_table *table, const struct schema_table *there,
                        bool *filled)
{
    for (uint32_t i = 0; i < table->entity_count; i++) {
        const struct column_list fields = table->entities[i].fields;
        for (uint32_t field = 0; field < fields.count; field++) {
            int at = schema_find_column(there, fields.names[field]);
            if (at >= 0) {
                filled[at] = true;
            }
        }
    }
}

void unfilled_list(const struct ledger_table *table, const struct schema_table *there,
                   struct arena *arena, struct column_list *columns)
{
    bool *filled = arena_allocate_zeroed(arena, there->column_count + 1u, sizeof *filled);
    const char **names = arena_allocate_zeroed(arena, there->column_count + 1u, sizeof *names);
    uint32_t count = 0;
    mark_filled(table, there, filled);
    for (uint32_t i = 0; i < there->column_count; i++) {
        if (!filled[i] && there->columns[i].generated == GENERATED_NO) {
            names[count++] = there->columns[i].name;
        }
    }
    *columns = (struct column_list){.names = names, .count = count};
}

/* ---- at the end of a run */

/* A table that the run made has the columns that it was to have: mostly all are filled. */
static bool may_have_some(const struct run *run, uint32_t number, struct arena *arena)
{
    const struct ledger_table *table = &run->header.tables[number];
    const struct target_table *made = &run->tables[number];
    const struct schema_table planned = {.columns = made->columns,
                                         .column_count = made->column_count};
    struct column_list columns = {0};
    if (table->was != LEDGER_WAS_ABSENT) {
        return table->was == LEDGER_WAS_EMPTY;
    }
    const struct schema_table *there = made->same_engine != NULL ? made->same_engine : &planned;
    unfilled_list(table, there, arena, &columns);
    return columns.count > 0;
}

/* The tables that are taken back as a whole; NULL ends the list. */
static void list_tables(const struct run *run, struct arena *arena, const char ***names,
                        uint32_t *count)
{
    *names = arena_allocate_zeroed(arena, run->table_count + 1u, sizeof **names);
    *count = 0;
    uint32_t both =
        run->header.table_count < run->table_count ? run->header.table_count : run->table_count;
    for (uint32_t i = 0; i < both; i++) {
        const struct ledger_table *table = &run->header.tables[i];
        if (table->entity_count > 0 && !table->keeps_undo &&
            strcmp(table->name, run->tables[i].name) == 0 && may_have_some(run, i, arena)) {
            (*names)[(*count)++] = table->name;
        }
    }
}

static enum status note_table(struct run *run, uint32_t number, const struct schema_table *there,
                              struct arena *arena, struct error *error)
{
    struct database *target = run->session->target;
    struct column_list columns = {0};
    const char *sum = NULL;
    unfilled_list(&run->header.tables[number], there, arena, &columns);
    if (columns.count == 0) {
        return STATUS_OK;
    }
    enum status status = STATUS_OK;
    if (!run->session->options.making.no_hashes) {
        status = target->connector->rollback->sum_columns(target, &run->tables[number], columns,
                                                          arena, &sum, error);
    }
    if (status == STATUS_OK) {
        pthread_mutex_lock(&run->state_mutex);
        ledger_status_add_unfilled(&run->status, run->tables[number].name, columns, sum);
        pthread_mutex_unlock(&run->state_mutex);
    }
    return status;
}

static enum status note_tables(struct run *run, const struct schema *schema, const char **names,
                               struct arena *arena, struct error *error)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&run->state_mutex);
    json_decref(run->status.unfilled); /* of a try before */
    run->status.unfilled = NULL;
    pthread_mutex_unlock(&run->state_mutex);
    for (uint32_t i = 0, next = 0; status == STATUS_OK && names[next] != NULL; i++) {
        if (names[next] != run->header.tables[i].name) {
            continue;
        }
        const struct schema_table *there =
            session_target_table(run->session, schema, names[next++]);
        status = there != NULL ? note_table(run, i, there, arena, error) : STATUS_OK;
    }
    return status;
}

enum status unfilled_note(struct run *run, struct error *error)
{
    const struct rollback_functions *rollback = run->session->target->connector->rollback;
    struct database *source = NULL;
    struct schema *schema = NULL;
    const char **names = NULL;
    uint32_t count = 0;
    if (rollback == NULL || rollback->sum_columns == NULL || run->header.table_count == 0) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    list_tables(run, arena, &names, &count);
    enum status status = STATUS_OK;
    if (count > 0) {
        status = session_describe_target(run->session, names, &source, &schema, error);
        status = status == STATUS_OK ? note_tables(run, schema, names, arena, error) : status;
    }
    if (schema != NULL) {
        arena_destroy(schema->arena);
    }
    if (source != NULL) {
        source->connector->close(source);
    }
    arena_destroy(arena);
    return status;
}
