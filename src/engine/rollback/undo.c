/* Data that are kept so that a run can be taken back, table by table. */
#include "engine/rollback/undo.h"

#include "base/file.h"
#include "base/log.h"
#include <stdlib.h>
#include <string.h>

/* Why nothing can be kept for a table that holds records, in a target that knows rollback; NULL: it
 * can. */
static const char *why_not(const struct run_session *session, const struct target_table *table)
{
    const struct connector *connector = session->target->connector;
    if (table->key.count == 0) {
        return "it was there before, and its records have no key";
    }
    if (session->options.making.no_before_images) {
        return "--no-before-images";
    }
    if (connector->rollback->undo == NULL &&
        (connector->target->fetch == NULL || connector->target->delete_records == NULL ||
         connector->target->restore == NULL)) {
        return "this target can't find records by key";
    }
    return NULL;
}

static enum status undo_judge(struct run_session *session, const struct target_table *table,
                              struct ledger_table *out, struct buffer *notes, struct error *error)
{
    const struct rollback_functions *rollback = session->target->connector->rollback;
    /* sums say nothing of records whose references are still to be filled in */
    bool wanted = out->was == LEDGER_WAS_FILLED || session->options.making.rollback_keys ||
                  target_table_later_count(table) > 0;
    if (!wanted || (rollback != NULL && rollback->undoes_all)) {
        return STATUS_OK;
    }
    struct buffer why = {0};
    const char *reason = rollback == NULL ? "this target has no rollback" : why_not(session, table);
    enum status status = STATUS_OK;
    if (reason == NULL && rollback->can_undo != NULL) {
        status = rollback->can_undo(session->target, table, &why, error);
        reason = status == STATUS_END ? buffer_string(&why) : NULL;
    }
    out->keeps_undo = status == STATUS_OK && reason == NULL;
    if (reason != NULL && out->was == LEDGER_WAS_FILLED) {
        if (notes != NULL) {
            buffer_format(notes, "%s: what is written to it can't be rolled back: %s\n",
                          table->name, reason);
        }
    }
    buffer_free(&why);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* The fields of each entity that feeds the table, as its records are hashed. */
static void list_entities(const struct plan *plan, uint32_t number, struct arena *arena,
                          struct ledger_table *out)
{
    const struct plan_table *planned = &plan->tables[number];
    out->entity_count = planned->entity_count;
    out->entities = arena_allocate_zeroed(arena, out->entity_count + 1u, sizeof(*out->entities));
    for (uint32_t i = 0; i < out->entity_count; i++) {
        const struct shape *shape = plan->entities[planned->entities[i]].shape;
        const char **names = arena_allocate_zeroed(arena, shape->field_count + 1u, sizeof(*names));
        for (uint32_t field = 0; field < shape->field_count; field++) {
            names[field] = shape->fields[field].name;
        }
        out->entities[i] =
            (struct ledger_table_entity){.entity = planned->entities[i],
                                         .fields = {.names = names, .count = shape->field_count}};
    }
}

enum status undo_decide(struct run_session *session, const struct target_table *tables,
                        struct arena *arena, struct undo_decision *decision, struct buffer *notes,
                        struct error *error)
{
    const struct plan *plan = session->plan;
    const struct connector *connector = session->target->connector;
    uint32_t count = plan->table_count;
    bool *exists = arena_allocate_zeroed(arena, count + 1u, sizeof(bool));
    bool *filled = arena_allocate_zeroed(arena, count + 1u, sizeof(bool));
    decision->tables = arena_allocate_zeroed(arena, count + 1u, sizeof(*decision->tables));
    decision->table_count = count;
    decision->by_engine = false;
    if (connector->target->inspect(session->target, tables, count, exists, filled, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct ledger_table *out = &decision->tables[i];
        *out = (struct ledger_table){.name = tables[i].name,
                                     .key = tables[i].key,
                                     .existing = tables[i].existing,
                                     .was = filled[i]   ? LEDGER_WAS_FILLED
                                            : exists[i] ? LEDGER_WAS_EMPTY
                                                        : LEDGER_WAS_ABSENT,
                                     .settles = tables[i].settles};
        list_entities(plan, i, arena, out);
        if (undo_judge(session, &tables[i], out, notes, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        decision->by_engine = decision->by_engine || out->keeps_undo;
        session->plan->tables[i].target.keeps_undo = out->keeps_undo;
    }
    decision->by_engine = decision->by_engine && connector->rollback->undo == NULL;
    return STATUS_OK;
}

bool undo_keeps_deleted(const struct database *target, const struct target_table *table)
{
    const struct rollback_functions *rollback = target->connector->rollback;
    if (rollback == NULL || rollback->undoes_all) {
        return rollback != NULL && rollback->keeps_deleted;
    }
    return table->keeps_undo && (rollback->undo == NULL || rollback->undo_deleted != NULL);
}

void undo_resume(struct run *run)
{
    struct plan *plan = run->session->plan;
    for (uint32_t i = 0; i < run->table_count; i++) {
        for (uint32_t j = 0; j < run->header.table_count; j++) {
            if (strcmp(run->header.tables[j].name, run->tables[i].name) == 0) {
                run->tables[i].keeps_undo = run->header.tables[j].keeps_undo;
            }
        }
        plan->tables[i].target.keeps_undo = run->tables[i].keeps_undo;
    }
}

enum status undo_begin(struct run *run, struct error *error)
{
    struct undo_decision decision;
    struct buffer notes = {0};
    if (run->session->target->connector->rollback == NULL) {
        return STATUS_OK;
    }
    enum status status =
        undo_decide(run->session, run->tables, run->arena, &decision, &notes, error);
    if (status == STATUS_OK) {
        run->header.tables = decision.tables;
        run->header.table_count = decision.table_count;
        run->header.before_id = decision.by_engine ? run->id : NULL;
        undo_resume(run);
        char *next = notes.length == 0 ? NULL : notes.data;
        buffer_string(&notes);
        for (char *line; next != NULL && (line = strsep(&next, "\n")) != NULL;) {
            if (*line != '\0') {
                log_write(LOG_INFO, "%s", line);
            }
        }
    }
    buffer_free(&notes);
    return status;
}
