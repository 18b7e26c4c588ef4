/* Records of others that would lose their partner with a table of the run. */
#include "base/text.h"
#include "engine/rollback/rollback_parts.h"
#include <string.h>

/* Tables of the run that are not taken back yet: what refers from them goes, too. */
static void find_going(const struct rollback *rollback, struct arena *arena,
                       struct column_list *going)
{
    const char **names =
        arena_allocate_zeroed(arena, rollback->report.table_count + 1u, sizeof *names);
    *going = (struct column_list){.names = names};
    for (uint32_t i = 0; i < rollback->report.table_count; i++) {
        const char *name = rollback->report.tables[i].name;
        if (!rollback_is_undone(rollback, name)) {
            names[going->count++] = name;
        }
    }
}

static enum status rollback_referrers_refuse(const char *table, const char *referrer,
                                             struct error *error)
{
    char printable[128];
    text_printable(referrer, strlen(referrer), printable, sizeof printable);
    error_set(error, ERROR_ROLLBACK_REFUSED, table,
              "rows of the table %s refer to its rows by a foreign key and would be orphaned",
              printable);
    error_hint(error, "delete them or let them refer to others, then roll back again");
    return STATUS_FAILED;
}

/* The tables of the run are only gathered where somebody refers at all: there may be thousands. */
static enum status find_referrer(const struct rollback *rollback, const struct target_table *table,
                                 struct arena *arena, const char **referrer, struct error *error)
{
    struct database *target = rollback->session.target;
    const struct rollback_functions *functions = target->connector->rollback;
    struct column_list going = {0};
    enum status status = functions->find_referrer(target, table, going, arena, referrer, error);
    if (status != STATUS_OK || *referrer == NULL) {
        return status;
    }
    find_going(rollback, arena, &going);
    return functions->find_referrer(target, table, going, arena, referrer, error);
}

enum status rollback_check_referrers(const struct rollback *rollback, uint32_t number,
                                     struct error *error)
{
    const struct target_table *table = &rollback->tables[number];
    const char *referrer = NULL;
    if (rollback->session.target->connector->rollback->find_referrer == NULL) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    enum status status = find_referrer(rollback, table, arena, &referrer, error);
    if (status == STATUS_OK && referrer != NULL) {
        status = rollback_referrers_refuse(table->name, referrer, error);
    }
    arena_destroy(arena);
    return status;
}
