/* Putting back what was dropped or disabled for a load: at its end, or when its run is taken
 * back. */
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/postgres/locks.h"
#include "connectors/postgres/schema/keys.h"
#include "connectors/postgres/schema/rebuild.h"
#include <string.h>

enum { AT_ONCE_MAX = 4 };

struct putting {
    struct postgres_database *self;
    PGconn *connection;
    const char *run_id;
    const struct target_table *tables;
    uint32_t table_count;
    PGresult *list;
    bool in_use;
    struct postgres_build *builds;
    uint32_t count;
    struct arena *arena;
    struct error *error;
};

static bool is(const struct putting *putting, int row, int column, const char *value)
{
    return strcmp(PQgetvalue(putting->list, row, column), value) == 0;
}

/* The columns in which records may stand in its way, and whose they are: only a run that put them
 * there moves them, and only where nobody else may have. */
static enum status add_columns(struct putting *putting, int row, struct postgres_build *build)
{
    const struct postgres_parameter parameters[] = {
        {.text = putting->run_id}, {.text = PQgetvalue(putting->list, row, REBUILD_UNDO)}};
    PGresult *result = NULL;
    for (uint32_t i = 0; i < putting->table_count; i++) {
        if (strcmp(putting->tables[i].name, PQgetvalue(putting->list, row, REBUILD_OWNER)) == 0) {
            build->table = &putting->tables[i];
        }
    }
    if (build->table == NULL || putting->in_use) {
        return STATUS_OK;
    }
    enum status status = postgres_catalog_query_buffer(
        putting->self, putting->connection,
        postgres_sql("SELECT pg_catalog.unnest(columns) FROM %t WHERE run = $1 AND undo = $2",
                     &putting->self->sql, "_transhume_rebuild"),
        parameters, 2, SQL_SHORT, ERROR_LEDGER_INVALID, &result, putting->error);
    int count = status == STATUS_OK ? PQntuples(result) : 0;
    const char **names = arena_allocate_zeroed(putting->arena, (size_t)count + 1, sizeof *names);
    for (int i = 0; i < count; i++) {
        names[i] = arena_copy_string(putting->arena, PQgetvalue(result, i, 0));
    }
    PQclear(result);
    build->columns = (struct column_list){.names = names, .count = (uint32_t)count};
    build->order = build->table->key;
    build->weight += count > 0;
    return status;
}

static enum status add_build(struct putting *putting, int row)
{
    static const char create[] = "CREATE INDEX ";
    const char *make = PQgetvalue(putting->list, row, REBUILD_MAKE);
    const char *bytes = PQgetvalue(putting->list, row, REBUILD_BYTES);
    struct postgres_build *build = &putting->builds[putting->count++];
    *build = (struct postgres_build){
        .sql = make,
        .name = PQgetvalue(putting->list, row, REBUILD_NAME),
        .what = PQgetvalue(putting->list, row, REBUILD_WHAT),
        .owner = PQgetvalue(putting->list, row, REBUILD_OWNER),
        .shuts_out = is(putting, row, REBUILD_WHAT, "constraint") ? POSTGRES_SHUTS_ALL
                                                                  : POSTGRES_SHUTS_WRITERS,
        .failpoints = {"postgres.before_put_back", "postgres.after_put_back"},
        .sorts = !putting->in_use, /* others need the server's memory, too */
        .skips_made = true};
    if (text_to_int64(bytes, strlen(bytes), &build->weight) != STATUS_OK) {
        build->weight = 0;
    }
    if (putting->in_use && strncmp(make, create, sizeof create - 1) == 0) {
        build->sql =
            arena_format(putting->arena, "%sCONCURRENTLY %s", create, make + sizeof create - 1);
        build->shuts_out = POSTGRES_SHUTS_NOBODY;
        build->leaves_some = true;
    }
    /* what a build that was given up left of it */
    enum status status =
        is(putting, row, REBUILD_STATE, "invalid")
            ? postgres_rebuild_undo(putting->self, putting->connection, putting->list, row,
                                    putting->in_use, putting->error)
            : STATUS_OK;
    return status == STATUS_OK ? add_columns(putting, row, build) : status;
}

static enum status find_builds(struct putting *putting)
{
    int rows = PQntuples(putting->list);
    enum status status = STATUS_OK;
    putting->builds =
        arena_allocate_zeroed(putting->arena, (size_t)rows + 1, sizeof *putting->builds);
    for (int row = 0; status == STATUS_OK && row < rows; row++) {
        bool there = is(putting, row, REBUILD_THERE, "t");
        if (!there) {
            log_write(LOG_WARNING, "the %s %s is not put back: the table is gone",
                      PQgetvalue(putting->list, row, REBUILD_WHAT),
                      PQgetvalue(putting->list, row, REBUILD_NAME));
        } else if (!postgres_rebuild_is_switch(putting->list, row) &&
                   !is(putting, row, REBUILD_STATE, "valid")) {
            status = add_build(putting, row);
        }
    }
    return status;
}

/* Once more, after all were made: what has the name of one of them may be another's. */
static enum status check_all(struct putting *putting)
{
    PQclear(putting->list);
    putting->list = NULL;
    enum status status = postgres_rebuild_list(putting->self, putting->connection, putting->run_id,
                                               &putting->list, putting->error);
    for (int row = 0; status == STATUS_OK && row < PQntuples(putting->list); row++) {
        if (is(putting, row, REBUILD_THERE, "t") &&
            !postgres_rebuild_is_switch(putting->list, row) &&
            !is(putting, row, REBUILD_STATE, "valid")) {
            status = error_set(putting->error, ERROR_TARGET_SCHEMA,
                               PQgetvalue(putting->list, row, REBUILD_OWNER),
                               "its %s %s is not put back: something else has this name",
                               PQgetvalue(putting->list, row, REBUILD_WHAT),
                               PQgetvalue(putting->list, row, REBUILD_NAME));
            error_hint(putting->error, "rename that, then `transhume resume`");
        }
    }
    return status;
}

/* Triggers, what was said of indexes, and then the notes: all in one transaction. */
static enum status end_within(struct putting *putting)
{
    struct postgres_database *self = putting->self;
    const struct postgres_parameter run = {.text = putting->run_id};
    enum status status = postgres_check_claim(self, putting->connection, putting->error);
    for (int row = 0; status == STATUS_OK && row < PQntuples(putting->list); row++) {
        const char *said = PQgetvalue(
            putting->list, row,
            postgres_rebuild_is_switch(putting->list, row) ? REBUILD_MAKE : REBUILD_REMARK);
        if (said[0] != '\0' && is(putting, row, REBUILD_THERE, "t")) {
            status = postgres_execute(self, putting->connection, said, SQL_SHORT,
                                      ERROR_TARGET_SCHEMA, putting->error);
        }
    }
    if (status == STATUS_OK) {
        status = postgres_query_buffer(
            self, putting->connection,
            postgres_sql("DELETE FROM %t WHERE run = $1", &self->sql, "_transhume_rebuild"), &run,
            1, SQL_SHORT, ERROR_TARGET_WRITE, NULL, putting->error);
    }
    return status == STATUS_OK ? failpoint_hit("postgres.before_notes_end", putting->error)
                               : status;
}

static enum status put_back_end(struct putting *putting)
{
    enum status status = postgres_begin_brief(putting->self, &putting->connection, putting->error);
    if (status == STATUS_OK) {
        status =
            postgres_end(putting->self, putting->connection, end_within(putting), putting->error);
    }
    return status == STATUS_OK ? failpoint_hit("postgres.after_notes_end", putting->error) : status;
}

static enum status put_back(struct putting *putting, void (*progress)(const char *what))
{
    enum status status = find_builds(putting);
    if (status == STATUS_OK) {
        /* of two that are made concurrently each may wait for the other */
        status =
            postgres_builds_run(putting->self, putting->builds, putting->count,
                                putting->in_use ? 1 : AT_ONCE_MAX, NULL, progress, putting->error);
        if (status != STATUS_OK && strcmp(putting->error->native_state, "23505") == 0) {
            error_hint(putting->error,
                       "records share values that the index forbids, and it is not known whose "
                       "they are: change or delete them, then `transhume resume`");
        }
    }
    if (status == STATUS_OK) { /* moving records may have made the connection anew */
        status = postgres_control(putting->self, &putting->connection, putting->error);
    }
    status = status == STATUS_OK ? check_all(putting) : status;
    return status == STATUS_OK ? put_back_end(putting) : status;
}

enum status postgres_put_back(struct postgres_database *self, const char *run_id,
                              const struct target_table *tables, uint32_t table_count,
                              void (*progress)(const char *what), struct error *error)
{
    struct putting putting = {.self = self,
                              .run_id = run_id,
                              .tables = tables,
                              .table_count = table_count,
                              .error = error};
    bool noted = false;
    enum status status =
        run_id != NULL ? postgres_control(self, &putting.connection, error) : STATUS_OK;
    if (status == STATUS_OK && run_id != NULL) {
        status = postgres_rebuild_noted(self, putting.connection, &noted, error);
    }
    if (status != STATUS_OK || !noted) {
        return status;
    }
    putting.arena = arena_create(0);
    status = postgres_rebuild_list(self, putting.connection, run_id, &putting.list, error);
    if (status == STATUS_OK && PQntuples(putting.list) > 0) {
        status = postgres_in_use(self, putting.connection, &putting.in_use, error);
        status = status == STATUS_OK ? put_back(&putting, progress) : status;
    }
    PQclear(putting.list);
    arena_destroy(putting.arena);
    return status;
}
