/* After the load, in its order: keys, foreign keys, sequences, statistics, other objects. All of it
 * can be repeated. */
#include "connectors/postgres/finish.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "connectors/postgres/keys.h"
#include "connectors/postgres/locks.h"
#include "connectors/postgres/objects.h"
#include "connectors/postgres/rebuild.h"
#include "connectors/sql/reference.h"
#include <stdio.h>
#include <string.h>

void postgres_finisher_say(const struct postgres_finisher *finisher, const char *what,
                           const char *name)
{
    char printable[160];
    char line[200];
    if (finisher->progress != NULL) {
        text_printable(name, strlen(name), printable, sizeof printable);
        snprintf(line, sizeof line, "%s %s", what, printable);
        finisher->progress(line);
    }
}

enum status postgres_finisher_run(struct postgres_finisher *finisher, struct buffer *sql,
                                  const char *table, const char *name, bool beside)
{
    struct postgres_database *self = finisher->self;
    const char *text = buffer_string(sql);
    enum status status = beside ? postgres_alter_beside(self, finisher->connection, text, 0,
                                                        ERROR_TARGET_SCHEMA, finisher->error)
                                : postgres_alter(self, finisher->connection, text, POSTGRES_BUILD,
                                                 ERROR_TARGET_SCHEMA, finisher->error);
    buffer_free(sql);
    if (status != STATUS_OK) {
        error_context(finisher->error, "%s: %s: ", table, name);
    }
    return status;
}

static bool refer_to_others(const struct target_table *tables, uint32_t table_count)
{
    bool any = false;
    for (uint32_t i = 0; i < table_count; i++) {
        any = any || sql_foreign_key_count(&tables[i]) > 0;
    }
    return any;
}

static enum status make_objects(struct postgres_finisher *finisher,
                                const struct target_table *tables, uint32_t table_count,
                                const struct schema *objects, enum postgres_moment moment)
{
    PGconn *connection = NULL;
    if (objects == NULL) {
        return STATUS_OK;
    }
    if (postgres_begin_brief(finisher->self, &connection, finisher->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = postgres_objects_make(finisher->self, connection, tables, table_count,
                                               objects, moment, finisher->error);
    if (status == STATUS_OK && moment == POSTGRES_AFTER_LOAD) {
        status = postgres_objects_remember(finisher->self, connection, finisher->error);
    }
    status =
        status == STATUS_OK ? failpoint_hit("postgres.before_objects", finisher->error) : status;
    status = postgres_end(finisher->self, connection, status, finisher->error);
    return status == STATUS_OK ? failpoint_hit("postgres.after_objects", finisher->error) : status;
}

static enum status finish_tables(struct postgres_finisher *finisher,
                                 const struct target_table *tables, uint32_t table_count,
                                 struct arena *arena)
{
    struct postgres_catalog catalog;
    enum status status = postgres_catalog_read(finisher->self, finisher->connection, NULL, arena,
                                               &catalog, finisher->error);
    finisher->catalog = &catalog;
    if (status == STATUS_OK) {
        status = postgres_make_keys(finisher->self, tables, table_count, &catalog, arena,
                                    finisher->progress, finisher->error);
    }
    if (status == STATUS_OK) { /* moving records may have made the connection anew */
        status = postgres_control(finisher->self, &finisher->connection, finisher->error);
    }
    if (status == STATUS_OK && refer_to_others(tables, table_count)) { /* they may take hours */
        postgres_builders_end(finisher->self);
        postgres_builders_keep(finisher->self);
    }
    if (status == STATUS_OK) {
        finisher->arena = arena;
        status = postgres_make_references(finisher, tables, table_count);
    }
    if (status == STATUS_OK) {
        status = postgres_validate_left(finisher, tables, table_count);
    }
    if (status == STATUS_OK) {
        status = postgres_analyze_tables(finisher, tables, table_count, &catalog, arena);
    }
    finisher->catalog = NULL;
    return status;
}

static enum status drop_key_tables(const struct postgres_finisher *finisher)
{
    const char *run_id = finisher->self->sql.run_id;
    return run_id == NULL ? STATUS_OK
                          : postgres_drop_own(finisher->self, finisher->connection,
                                              POSTGRES_OWN_KEYS, run_id, finisher->error);
}

enum status postgres_after_load(struct database *database, const struct target_table *tables,
                                uint32_t table_count, const struct schema *objects,
                                void (*progress)(const char *what), uint32_t *broken,
                                struct error *error)
{
    struct postgres_finisher finisher = {.self = postgres_database_of(database),
                                         .progress = progress,
                                         .broken = broken,
                                         .error = error};
    struct arena *arena = arena_create(0);
    *broken = 0;
    postgres_builders_keep(finisher.self);
    enum status status = postgres_control(finisher.self, &finisher.connection, error);

    if (status == STATUS_OK) {
        status = postgres_await_builders(finisher.self, finisher.connection, tables, table_count,
                                         progress, error);
    }
    if (status == STATUS_OK) {
        status = make_objects(&finisher, tables, table_count, objects, POSTGRES_BEFORE_INDEXES);
    }
    if (status == STATUS_OK) {
        status = postgres_put_back(finisher.self, finisher.self->sql.run_id, tables, table_count,
                                   progress, error);
    }
    status =
        status == STATUS_OK ? postgres_control(finisher.self, &finisher.connection, error) : status;
    status = status == STATUS_OK ? finish_tables(&finisher, tables, table_count, arena) : status;
    if (status == STATUS_OK) {
        status = make_objects(&finisher, tables, table_count, objects, POSTGRES_AFTER_LOAD);
    }
    if (status == STATUS_OK) { /* which may have made the connection anew */
        status = postgres_control(finisher.self, &finisher.connection, error);
    }
    if (status == STATUS_OK) {
        status = drop_key_tables(&finisher);
    }
    postgres_builders_end(finisher.self);
    arena_destroy(arena);
    return status;
}
