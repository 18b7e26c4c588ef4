/* After the load, in its order: keys, foreign keys, sequences, statistics, other objects. All of it
 * can be repeated. */
#include "connectors/postgres/schema/finish.h"
#include "base/failpoint.h"
#include "connectors/postgres/locks.h"
#include "connectors/postgres/rights.h"
#include "connectors/postgres/schema/keys.h"
#include "connectors/postgres/schema/objects.h"
#include "connectors/postgres/schema/rebuild.h"
#include "connectors/sql/reference.h"

static bool refer_to_others(const struct after_load_request *request)
{
    bool any = false;
    for (uint32_t i = 0; i < request->table_count; i++) {
        any = any || sql_foreign_key_count(&request->tables[i]) > 0;
    }
    return any;
}

static enum status make_objects(struct postgres_finisher *finisher, enum postgres_moment moment)
{
    const struct after_load_request *request = finisher->request;
    PGconn *connection = NULL;
    if (request->objects == NULL) {
        return STATUS_OK;
    }
    if (postgres_begin_brief(finisher->self, &connection, finisher->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        postgres_objects_make(finisher->self, connection, request->tables, request->table_count,
                              request->objects, moment, request->left, finisher->error);
    if (status == STATUS_OK && moment == POSTGRES_AFTER_LOAD) {
        status = postgres_rights_finish(finisher->self, connection, request, finisher->error);
    }
    if (status == STATUS_OK && moment == POSTGRES_AFTER_LOAD) {
        status = postgres_objects_remember(finisher->self, connection, finisher->error);
    }
    status =
        status == STATUS_OK ? failpoint_hit("postgres.before_objects", finisher->error) : status;
    status = postgres_end(finisher->self, connection, status, finisher->error);
    return status == STATUS_OK ? failpoint_hit("postgres.after_objects", finisher->error) : status;
}

static enum status finish_tables(struct postgres_finisher *finisher, struct arena *arena)
{
    const struct after_load_request *request = finisher->request;
    struct postgres_catalog catalog;
    enum status status = postgres_catalog_read(finisher->self, finisher->connection, NULL, arena,
                                               &catalog, finisher->error);
    finisher->catalog = &catalog;
    if (status == STATUS_OK) {
        status = postgres_make_keys(finisher->self, request->tables, request->table_count, &catalog,
                                    arena, request->progress, finisher->error);
    }
    if (status == STATUS_OK) { /* moving records may have made the connection anew */
        status = postgres_control(finisher->self, &finisher->connection, finisher->error);
    }
    if (status == STATUS_OK && refer_to_others(request)) { /* they may take hours */
        postgres_builders_end(finisher->self);
        postgres_builders_keep(finisher->self);
    }
    if (status == STATUS_OK) {
        finisher->arena = arena;
        status = postgres_make_references(finisher);
    }
    if (status == STATUS_OK) {
        status = postgres_validate_left(finisher);
    }
    if (status == STATUS_OK) {
        status = postgres_analyze_tables(finisher, &catalog, arena);
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

/* Foreign keys that are there and were not obeyed are validated; they say so again if they still
 * are not.
 */
static enum status look_at_references(struct postgres_finisher *finisher, struct arena *arena)
{
    struct postgres_catalog catalog;
    enum status status = postgres_control(finisher->self, &finisher->connection, finisher->error);
    status = status == STATUS_OK ? postgres_catalog_read(finisher->self, finisher->connection, NULL,
                                                         arena, &catalog, finisher->error)
                                 : status;
    finisher->arena = arena;
    finisher->catalog = &catalog;
    status = status == STATUS_OK ? postgres_make_references(finisher) : status;
    finisher->catalog = NULL;
    return status;
}

enum status postgres_after_load(struct database *database, struct after_load_request *request,
                                struct error *error)
{
    struct postgres_finisher finisher = {
        .self = postgres_database_of(database), .request = request, .error = error};
    struct arena *arena = arena_create(0);
    if (request->references_only) {
        enum status looked = look_at_references(&finisher, arena);
        arena_destroy(arena);
        return looked;
    }
    postgres_builders_keep(finisher.self);
    enum status status = postgres_control(finisher.self, &finisher.connection, error);

    if (status == STATUS_OK) {
        status = postgres_await_builders(finisher.self, finisher.connection, request, error);
    }
    if (status == STATUS_OK) {
        status = make_objects(&finisher, POSTGRES_BEFORE_INDEXES);
    }
    if (status == STATUS_OK) {
        status = postgres_put_back(finisher.self, finisher.self->sql.run_id, request->tables,
                                   request->table_count, request->progress, error);
    }
    status =
        status == STATUS_OK ? postgres_control(finisher.self, &finisher.connection, error) : status;
    status = status == STATUS_OK ? finish_tables(&finisher, arena) : status;
    if (status == STATUS_OK) {
        status = make_objects(&finisher, POSTGRES_AFTER_LOAD);
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
