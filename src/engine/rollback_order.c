/* In which order tables are taken back. The plan's says nothing of it: a source may list what
 * refers to others first. */
#include "engine/rollback_parts.h"
#include <string.h>

static bool refers(const struct schema *schema, const char *from, const char *to)
{
    const struct schema_table *table = schema_find_table(schema, from);
    for (uint32_t i = 0; table != NULL && i < table->foreign_key_count; i++) {
        if (strcmp(table->foreign_keys[i].references, to) == 0) {
            return true;
        }
    }
    return false;
}

/* Is there one, of those that are not placed, that refers to it? */
static bool is_referred(const struct ledger_table *tables, uint32_t count, const bool *placed,
                        const struct schema *schema, uint32_t number)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i != number && !placed[i] && refers(schema, tables[i].name, tables[number].name)) {
            return true;
        }
    }
    return false;
}

/* Backwards, but what refers to others before them; of a circle the last one. */
static void sort(const struct ledger_table *tables, uint32_t count, const struct schema *schema,
                 bool *placed, uint32_t *order)
{
    for (uint32_t at = 0; at < count; at++) {
        uint32_t last = count;
        uint32_t chosen = count;
        for (uint32_t i = count; i > 0 && chosen == count; i--) {
            if (!placed[i - 1]) {
                last = last == count ? i - 1 : last;
                bool free = !is_referred(tables, count, placed, schema, i - 1);
                chosen = free ? i - 1 : count;
            }
        }
        chosen = chosen == count ? last : chosen;
        placed[chosen] = true;
        order[at] = chosen;
    }
}

enum status rollback_order(struct rollback *rollback, uint32_t **order, struct error *error)
{
    struct arena *arena = rollback->run.arena;
    const struct ledger_table *tables = rollback->run.header.tables;
    uint32_t count = rollback->run.header.table_count;
    const struct connector *connector = rollback->session.target->connector;
    const char **names = arena_allocate_zeroed(arena, count + 1u, sizeof(*names));
    bool *placed = arena_allocate_zeroed(arena, count + 1u, sizeof(*placed));
    struct schema empty = {0};
    struct schema *schema = NULL;
    struct database *source = NULL;
    enum status status = STATUS_OK;

    *order = arena_allocate_zeroed(arena, count + 1u, sizeof(**order));
    if (names == NULL || placed == NULL || *order == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory to roll back");
    }
    for (uint32_t i = 0; i < count; i++) {
        names[i] = tables[i].name;
    }
    /* folders of files declare columns, too, but no references, and others' files may be in them */
    const uint32_t referring = CAPABILITY_SQL_SCHEMA | CAPABILITY_TRANSACTIONS;
    if (count > 1 && (rollback->session.target->capabilities & referring) == referring &&
        connector->catalog != NULL && connector->source != NULL) {
        status = session_describe_target(&rollback->session, names, &source, &schema, error);
    }
    if (status == STATUS_OK) {
        sort(tables, count, schema != NULL ? schema : &empty, placed, *order);
    }
    if (schema != NULL) {
        arena_destroy(schema->arena);
    }
    if (source != NULL) {
        connector->close(source);
    }
    return status;
}
