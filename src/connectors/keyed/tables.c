#include "connectors/keyed/tables.h"

#include "base/log.h"
#include "base/memory.h"
#include "connectors/keyed/keyed_internal.h"
#include <stdlib.h>
#include <string.h>

static const struct keyed_tables *tables_of(struct database *self)
{
    return keyed_room_of(self)->service->tables;
}

/* A table as it is found, and what the ledger notes of it. */
struct known {
    struct keyed_there there;
    enum keyed_made made;
    const char *made_id;
};

static enum status find_out(struct database *self, const struct target_table *table,
                            struct arena *arena, struct known *known, struct error *error)
{
    *known = (struct known){.made = KEYED_MADE_NOT};
    return tables_of(self)->look(self, table, arena, &known->there, error) == STATUS_OK
               ? keyed_made_read(keyed_room_of(self), table->name, arena, &known->made,
                                 &known->made_id, error)
               : STATUS_FAILED;
}

/* Is it the one that the ledger notes? */
static bool is_the_same(const struct known *known)
{
    return known->there.exists &&
           (known->there.id == NULL || strcmp(known->there.id, known->made_id) == 0);
}

/* A table that was asked for and never noted is told by its connector, or by holding no record. */
static enum status is_ours(struct database *self, const struct target_table *table,
                           const struct known *known, bool going, bool *ours, struct error *error)
{
    bool exists = false;
    bool filled = true;
    if (tables_of(self)->is_ours != NULL) {
        return tables_of(self)->is_ours(self, table, &known->there, going, ours, error);
    }
    enum status status = self->connector->target->inspect(self, table, 1, &exists, &filled, error);
    *ours = exists && !filled;
    return status;
}

enum status keyed_table_lost(const char *table, bool replaced, struct error *error)
{
    error_set(error, ERROR_TARGET_SCHEMA, table, "the run made this table, and it is gone%s",
              replaced ? ": another one has its name" : "");
    return error_hint(error, "start again: `transhume reset --confirm`, then `transhume migrate`");
}

static enum status refuse_foreign(const char *table, struct error *error)
{
    error_set(error, ERROR_TARGET_NOT_EMPTY, table,
              "somebody else made this table just now, and the plan wants it made by this run");
    return error_hint(error,
                      "move it out of the way, and give the same command again; or begin anew "
                      "(`transhume reset --confirm`), where `existing:` says what to do with "
                      "tables that are there");
}

/* ---------------------------------------------------------------- making */

static enum status begin_table(struct database *self, const struct target_table *table,
                               const struct known *known, struct arena *arena, const char **id,
                               struct error *error)
{
    const struct keyed_room *room = keyed_room_of(self);
    if (room->run_id == NULL) {
        return error_set(error, ERROR_INTERNAL, NULL, "no run is claimed");
    }
    if (known->made == KEYED_MADE_NOT &&
        (keyed_hit(room, KEYED_POINT_BEFORE_INTENT, error) != STATUS_OK ||
         keyed_made_intend(room, table->name, error) != STATUS_OK ||
         keyed_hit(room, KEYED_POINT_AFTER_INTENT, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    return tables_of(self)->make(self, table, &known->there, known->made == KEYED_MADE_INTENDED,
                                 arena, id, error);
}

static enum status end_table(struct database *self, struct target_table *table, const char *id,
                             struct error *error)
{
    const struct keyed_room *room = keyed_room_of(self);
    if (keyed_hit(room, KEYED_POINT_BEFORE_MADE, error) != STATUS_OK ||
        keyed_made_done(room, table->name, id, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    table->created = true;
    return keyed_hit(room, KEYED_POINT_AFTER_MADE, error);
}

static enum status finish_table(struct database *self, struct target_table *table,
                                struct arena *arena, struct error *error)
{
    const char *id = NULL;
    return tables_of(self)->finish(self, table, arena, &id, error) == STATUS_OK
               ? end_table(self, table, id, error)
               : STATUS_FAILED;
}

enum status keyed_make_table(struct database *self, struct target_table *table, struct arena *arena,
                             struct error *error)
{
    const struct known known = {.made = KEYED_MADE_INTENDED};
    const char *id = NULL;
    return begin_table(self, table, &known, arena, &id, error) == STATUS_OK
               ? end_table(self, table, id, error)
               : STATUS_FAILED;
}

/* `*begun`: it is being made, and is to be finished. */
static enum status prepare_table(struct database *self, struct target_table *table,
                                 struct arena *arena, bool *begun, struct error *error)
{
    const struct keyed_tables *own = tables_of(self);
    struct known known;
    bool ours = true;
    const char *id = NULL;
    table->created = false;
    enum status status = find_out(self, table, arena, &known, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (known.made == KEYED_MADE_DONE && !is_the_same(&known)) {
        return keyed_table_lost(table->name, known.there.exists, error);
    }
    if (known.made == KEYED_MADE_DONE || (known.made == KEYED_MADE_NOT && known.there.exists)) {
        table->created = known.made == KEYED_MADE_DONE;
        return own->use != NULL ? own->use(self, table, &known.there, arena, error) : STATUS_OK;
    }
    if (known.there.exists) {
        status = is_ours(self, table, &known, false, &ours, error);
    }
    if (status == STATUS_OK && !ours) {
        return refuse_foreign(table->name, error);
    }
    status = status == STATUS_OK ? begin_table(self, table, &known, arena, &id, error) : status;
    *begun = status == STATUS_OK && own->finish != NULL;
    return status == STATUS_OK && !*begun ? end_table(self, table, id, error) : status;
}

enum status keyed_prepare(struct database *self, const struct prepare_request *request,
                          struct error *error)
{
    struct arena *arena = arena_create(0);
    bool *begun = memory_allocate_zeroed((size_t)request->table_count + 1, sizeof(*begun));
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < request->table_count && status == STATUS_OK; at++) {
        arena_reset(arena);
        status = prepare_table(self, &request->tables[at], arena, &begun[at], error);
    }
    for (uint32_t at = 0; at < request->table_count && status == STATUS_OK; at++) {
        arena_reset(arena);
        status = begun[at] ? finish_table(self, &request->tables[at], arena, error) : STATUS_OK;
    }
    free(begun);
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- emptying, removing */

enum status keyed_empty(struct database *self, const struct target_table *const *tables,
                        uint32_t table_count, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        status = keyed_hit(keyed_room_of(self), KEYED_POINT_BEFORE_EMPTY, error);
        status = status == STATUS_OK ? tables_of(self)->clear(self, tables[at], error) : status;
    }
    return status;
}

static enum status remove_made(struct database *self, const struct target_table *table,
                               struct arena *arena, struct error *error)
{
    const struct keyed_room *room = keyed_room_of(self);
    struct known known = {.made = KEYED_MADE_NOT};
    bool ours = false;
    enum status status =
        keyed_made_read(room, table->name, arena, &known.made, &known.made_id, error);
    if (status != STATUS_OK || known.made == KEYED_MADE_NOT) {
        return status; /* removed already, or never asked for: nobody looks at what is there */
    }
    status = tables_of(self)->look(self, table, arena, &known.there, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (known.made == KEYED_MADE_DONE) {
        ours = is_the_same(&known);
    } else if (known.there.exists) {
        status = is_ours(self, table, &known, true, &ours, error);
    }
    if (status == STATUS_OK && ours) {
        status = tables_of(self)->drop(self, table, &known.there, known.made, error);
    } else if (status == STATUS_OK && known.there.exists) {
        log_write(LOG_WARNING, "table %s is another one by now, and stays", table->name);
    }
    status = status == STATUS_OK ? keyed_hit(room, KEYED_POINT_TABLE_REMOVED, error) : status;
    return status == STATUS_OK ? keyed_made_forget(room, table->name, error) : status;
}

enum status keyed_remove_table(struct database *self, const struct target_table *table,
                               struct error *error)
{
    const struct keyed_room *room = keyed_room_of(self);
    struct arena *arena = arena_create(0);
    enum status status = keyed_hit(room, KEYED_POINT_BEFORE_REMOVE_TABLE, error);
    if (status == STATUS_OK) {
        status = table->created ? remove_made(self, table, arena, error)
                                : tables_of(self)->clear(self, table, error);
    }
    arena_destroy(arena);
    return status == STATUS_OK ? keyed_hit(room, KEYED_POINT_AFTER_REMOVE_TABLE, error) : status;
}
