/*
 * Types, functions, views, triggers and all else of a plain copy between two PostgreSQL: made as
 * the source tells them, each behind a savepoint, so that what can't be made is told and left out.
 * What depends on what is found by trying: in rounds, until none helps any more.
 */
#include "connectors/postgres/schema/objects.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/postgres/rights.h"
#include "connectors/postgres/statement.h"
#include "connectors/postgres/store.h"
#include "connectors/sql/builders.h"
#include "postgres_sql.h"
#include <string.h>

/*
 * _transhume_object  what a run made besides tables: `number` in the order of making, `late` after
 *                    the tables; `undo` drops it; `definition` is a digest of it as it then stood,
 *                    by which it is known when it was changed since
 */
static const char table_columns[] =
    "(run text NOT NULL, number bigint GENERATED ALWAYS AS IDENTITY, late boolean NOT NULL, "
    "what text NOT NULL, name text NOT NULL, owner text, make text NOT NULL, undo text NOT NULL, "
    "definition text, PRIMARY KEY (run, number))";

struct maker {
    struct postgres_database *self;
    PGconn *connection;
    const struct target_table *tables;
    uint32_t table_count;
    const struct schema *objects;
    bool late;
    bool stages[SCHEMA_STAGES];
    PGresult *made;    /* the statements that were run already */
    PGresult *present; /* before the tables are made: those that are there */
    struct postgres_making making;
    struct rights_left *left; /* gets what guards and is not made; may be NULL */
    struct error *error;
};

/* ---------------------------------------------------------------- what is there */

static bool is_made(const struct maker *maker, const struct schema_object *object)
{
    for (int i = 0; maker->made != NULL && i < PQntuples(maker->made); i++) {
        if (strcmp(PQgetvalue(maker->made, i, 0), object->native_sql) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_present(const struct maker *maker, const char *table)
{
    for (int i = 0; maker->present != NULL && i < PQntuples(maker->present); i++) {
        if (strcmp(PQgetvalue(maker->present, i, 0), table) == 0) {
            return true;
        }
    }
    return false;
}

/* An object that belongs to a table goes with it only if this run made that. */
static bool is_wanted(const struct maker *maker, const struct schema_object *object)
{
    if (object->native_sql == NULL) {
        return false;
    }
    if (object->table == NULL) {
        return true;
    }
    for (uint32_t i = 0; i < maker->table_count; i++) {
        if (strcmp(maker->tables[i].name, object->table) == 0) {
            return maker->late ? maker->tables[i].created : !is_present(maker, object->table);
        }
    }
    return false;
}

static enum status note_made(struct maker *maker, const struct schema_object *object)
{
    const struct postgres_parameter parameters[] = {{.text = maker->self->sql.run_id},
                                                    {.text = maker->late ? "t" : "f"},
                                                    {.text = object->what},
                                                    {.text = object->name},
                                                    {.text = object->table},
                                                    {.text = object->native_sql},
                                                    {.text = object->native_drop}};
    if (object->native_drop == NULL || maker->self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    return postgres_query_buffer(
        maker->self, maker->connection,
        postgres_sql("INSERT INTO %t (run, late, what, name, owner, make, undo) VALUES ($1, "
                     "$2::boolean, $3, $4, $5, $6, $7)",
                     &maker->self->sql, "_transhume_object"),
        parameters, 7, SQL_SHORT, ERROR_TARGET_WRITE, NULL, maker->error);
}

/* ---------------------------------------------------------------- making */

/* Makes it, and takes from everybody what the source denies them: both or none. */
static enum status make_closed(struct maker *maker, const struct schema_object *object,
                               struct error *problem)
{
    struct postgres_database *self = maker->self;
    struct buffer sql = {0};
    struct buffer closing = {0};
    if (postgres_object_words(&maker->making, object, &sql) != STATUS_OK) {
        buffer_free(&sql);
        return error_set(problem, ERROR_TARGET_SCHEMA, object->name,
                         "the target has none of the roles that it names");
    }
    enum status status = postgres_query_buffer(self, maker->connection, &sql, NULL, 0,
                                               maker->late ? SQL_BUILD : SQL_LONG,
                                               ERROR_TARGET_SCHEMA, NULL, problem);
    postgres_closing_words(&maker->making, object, &closing);
    if (status == STATUS_OK && closing.length > 0) {
        status = postgres_query(self, maker->connection, buffer_string(&closing), NULL, 0,
                                SQL_SHORT, ERROR_TARGET_SCHEMA, NULL, problem);
    }
    buffer_free(&closing);
    return status;
}

/* Behind a savepoint; STATUS_AGAIN: the server refused it, and `problem` says why. */
static enum status attempt(struct maker *maker, const struct schema_object *object,
                           struct error *problem)
{
    struct postgres_database *self = maker->self;
    *problem = (struct error){0};
    if (!postgres_makes(&self->sql.base.scope, object)) {
        error_set(problem, ERROR_TARGET_SCHEMA, object->name,
                  "what the source tells is no statement that makes it");
        return STATUS_AGAIN;
    }
    if (postgres_execute(self, maker->connection, "SAVEPOINT transhume_object", SQL_SHORT,
                         ERROR_TARGET_SCHEMA, maker->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = make_closed(maker, object, problem);
    if (status == STATUS_OK) {
        status = note_made(maker, object);
        return status == STATUS_OK
                   ? postgres_execute(self, maker->connection, "RELEASE SAVEPOINT transhume_object",
                                      SQL_SHORT, ERROR_TARGET_SCHEMA, maker->error)
                   : status;
    }
    if (problem->class == ERROR_CLASS_RETRY || problem->code == ERROR_INTERRUPTED ||
        PQstatus(maker->connection) != CONNECTION_OK) {
        error_copy(maker->error, problem);
        return STATUS_FAILED;
    }
    return postgres_execute(self, maker->connection,
                            "ROLLBACK TO SAVEPOINT transhume_object; RELEASE SAVEPOINT "
                            "transhume_object",
                            SQL_SHORT, ERROR_TARGET_SCHEMA, maker->error) == STATUS_OK
               ? STATUS_AGAIN
               : STATUS_FAILED;
}

/* duplicate_object, _table, _function, _schema; of an enum or table also a row type's name. */
static bool is_there(const struct error *problem)
{
    return strcmp(problem->native_state, "42710") == 0 ||
           strcmp(problem->native_state, "42P07") == 0 ||
           strcmp(problem->native_state, "42723") == 0;
}

/* Rows that it hides in the source are seen in the target without it. */
static bool is_guard(const struct maker *maker, const struct schema_object *object)
{
    static const char enable[] = " ROW LEVEL SECURITY";
    size_t length = strlen(object->native_sql);
    size_t end = sizeof enable - 1;
    return object->table != NULL &&
           ((strcmp(schema_object_word(object), "property") == 0 && length > end &&
             strcmp(object->native_sql + length - end, enable) == 0) ||
            postgres_policy_roles(&maker->self->sql.base.scope, object->native_sql, true).length >
                0);
}

static void tell_guard(const struct maker *maker, const struct schema_object *object,
                       const struct error *problem)
{
    bool policy = strcmp(schema_object_word(object), "policy") == 0;
    bool told = postgres_makes(&maker->self->sql.base.scope, object);
    struct buffer words = {0};
    /* one without a role is listed with the roles that are missing */
    if (maker->left != NULL && is_guard(maker, object) &&
        postgres_object_words(&maker->making, object, &words) == STATUS_OK) {
        const struct right_left item = {
            .opens = true,
            .kind = policy ? "policy" : "row security",
            .object = policy ? object->name : object->table,
            .text = arena_format(maker->left->arena,
                                 "it is not made, and rows that it hides in "
                                 "the source may be seen: %s",
                                 problem->message),
            /* for the hands of somebody who may everything */
            .statement =
                told && postgres_is_one(buffer_string(&words)) ? buffer_string(&words) : NULL};
        rights_left_add(maker->left, &item);
    }
    buffer_free(&words);
}

/* undefined_object, _table, _function, _column */
static bool is_of_nothing(const struct error *problem)
{
    return strcmp(problem->native_state, "42704") == 0 ||
           strcmp(problem->native_state, "42P01") == 0 ||
           strcmp(problem->native_state, "42883") == 0 ||
           strcmp(problem->native_state, "42703") == 0;
}

static void postgres_objects_tell(const struct maker *maker, const struct schema_object *object,
                                  const struct error *problem)
{
    char name[160];
    bool detail = object->kind == SCHEMA_OBJECT_DETAIL;
    bool left_out = maker->objects->no_code && is_of_nothing(problem);
    if (!is_there(problem) && !left_out) {
        tell_guard(maker, object, problem);
    }
    if (detail && (is_there(problem) || left_out)) {
        return; /* made by an earlier attempt, or of what is left out as code */
    }
    text_printable(object->name, strlen(object->name), name, sizeof name);
    bool there = is_there(problem);
    if (there && !maker->late) {
        log_write(LOG_INFO, "the %s %s is in the target already and stays as it is", object->what,
                  name);
    } else {
        log_write(LOG_WARNING, "the %s %s is not made: %s", object->what, name,
                  there ? "the target has one of this name, which stays as it is"
                        : problem->message);
    }
}

/* An object that can't be made before the tables may be after them. */
static enum status try_object(void *context, uint32_t number, bool last)
{
    struct maker *maker = context;
    const struct schema_object *object = &maker->objects->objects[number];
    struct error problem;
    if (!maker->stages[object->stage] || !is_wanted(maker, object) || is_made(maker, object) ||
        postgres_is_held_back(&maker->making.roles, object)) {
        return STATUS_END;
    }
    enum status status = attempt(maker, object, &problem);
    bool there = status == STATUS_AGAIN && is_there(&problem);
    if (status == STATUS_AGAIN && maker->late && (there || last)) {
        postgres_objects_tell(maker, object, &problem);
    }
    return there ? STATUS_OK : status;
}

static enum status load_made(struct maker *maker)
{
    const struct postgres_parameter parameter = {.text = maker->self->sql.run_id};
    if (maker->self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    if (postgres_make_shared(maker->self, maker->connection, "_transhume_object", table_columns,
                             maker->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return postgres_catalog_query_buffer(
        maker->self, maker->connection,
        postgres_sql("SELECT make FROM %t WHERE run = $1", &maker->self->sql, "_transhume_object"),
        &parameter, 1, SQL_SHORT, ERROR_LEDGER_INVALID, &maker->made, maker->error);
}

static enum status load_present(struct maker *maker)
{
    const struct postgres_parameter spaces = {.text = maker->self->spaces};
    return postgres_catalog_query(
        maker->self, maker->connection,
        POSTGRES_WITH_SPACE
        "SELECT n.lead || c.relname FROM pg_catalog.pg_class c JOIN space n ON "
        "n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND " POSTGRES_IS_CALLED,
        &spaces, 1, SQL_SHORT, ERROR_TARGET_INVALID, &maker->present, maker->error);
}

enum status postgres_objects_make(struct postgres_database *self, PGconn *connection,
                                  const struct target_table *tables, uint32_t table_count,
                                  const struct schema *objects, enum postgres_moment moment,
                                  struct rights_left *left, struct error *error)
{
    struct maker maker = {.self = self,
                          .making = {.self = self, .objects = objects},
                          .left = left,
                          .connection = connection,
                          .tables = tables,
                          .table_count = table_count,
                          .objects = objects,
                          .late = moment != POSTGRES_BEFORE_TABLES,
                          .error = error};
    bool last = moment == POSTGRES_AFTER_LOAD;

    if (objects == NULL || objects->object_count == 0) {
        return STATUS_OK;
    }
    maker.stages[SCHEMA_BEFORE_TABLES] = moment == POSTGRES_BEFORE_TABLES || last;
    maker.stages[SCHEMA_WITH_TABLES] = moment == POSTGRES_WITH_TABLES;
    maker.stages[SCHEMA_BEFORE_INDEXES] = moment == POSTGRES_BEFORE_INDEXES;
    maker.stages[SCHEMA_AFTER_LOAD] = last;
    /* the others go with a table, and are not listed */
    bool listed = moment == POSTGRES_BEFORE_TABLES || last;
    enum status status = postgres_rights_check(&self->sql.base.scope, objects, error);
    status = status == STATUS_OK && listed ? load_made(&maker) : status;
    status = status == STATUS_OK && listed
                 ? postgres_roles_read(self, connection, &maker.making.roles, error)
                 : status;
    status = status == STATUS_OK && !maker.late ? load_present(&maker) : status;
    status = status == STATUS_OK
                 ? sql_make_in_rounds(objects->object_count, maker.late, try_object, &maker, error)
                 : status;
    PQclear(maker.made);
    PQclear(maker.present);
    postgres_roles_free(&maker.making.roles);
    return status;
}

/* ---------------------------------------------------------------- schemas */

static enum status is_schema_there(struct maker *maker, const char *schema, bool *there)
{
    const struct postgres_parameter parameter = {.text = schema};
    PGresult *result = NULL;
    enum status status = postgres_catalog_query(
        maker->self, maker->connection, "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1",
        &parameter, 1, SQL_SHORT, ERROR_TARGET_INVALID, &result, maker->error);
    *there = status == STATUS_OK && PQntuples(result) > 0;
    PQclear(result);
    return status;
}

static bool has_table_in(const struct postgres_database *self, const struct target_table *tables,
                         uint32_t table_count, const char *schema)
{
    bool found = false;
    for (uint32_t i = 0; !found && i < table_count; i++) {
        found = strcmp(sql_place_of(&self->sql, tables[i].name).schema, schema) == 0;
    }
    return found;
}

static enum status make_schema(struct maker *maker, const char *schema)
{
    struct buffer name = {0};
    struct buffer make = {0};
    struct buffer drop = {0};
    postgres_append_name(&name, schema);
    postgres_append(&make, "CREATE SCHEMA %n", schema);
    buffer_format(&drop, "DROP SCHEMA %s", buffer_string(&name));
    /* as objects.sql has its name */
    const struct schema_object object = {.what = "schema",
                                         .name = schema,
                                         .native_sql = buffer_string(&make),
                                         .native_drop = buffer_string(&drop)};
    enum status status = postgres_query(maker->self, maker->connection, object.native_sql, NULL, 0,
                                        SQL_SHORT, ERROR_TARGET_SCHEMA, NULL, maker->error);
    status = status == STATUS_OK ? load_made(maker) : status; /* the list is there */
    status = status == STATUS_OK ? note_made(maker, &object) : status;
    PQclear(maker->made);
    maker->made = NULL;
    buffer_free(&name);
    buffer_free(&make);
    buffer_free(&drop);
    return status;
}

enum status postgres_schemas_make(struct postgres_database *self, PGconn *connection,
                                  const struct prepare_request *request, struct error *error)
{
    struct maker maker = {.self = self,
                          .connection = connection,
                          .tables = request->tables,
                          .table_count = request->table_count,
                          .error = error};
    const struct column_list others = self->sql.base.scope.others;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < others.count; i++) {
        bool there = false;
        if (request->objects == NULL &&
            !has_table_in(self, request->tables, request->table_count, others.names[i])) {
            continue;
        }
        status = is_schema_there(&maker, others.names[i], &there);
        status = status == STATUS_OK && !there ? make_schema(&maker, others.names[i]) : status;
    }
    return status;
}

enum status postgres_schemas_show(struct postgres_database *self, PGconn *connection,
                                  const struct script_request *request, struct script *script,
                                  struct error *error)
{
    struct maker maker = {.self = self, .connection = connection, .error = error};
    const struct column_list others = self->sql.base.scope.others;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < others.count; i++) {
        bool there = false;
        if (request->objects == NULL &&
            !has_table_in(self, request->tables, request->table_count, others.names[i])) {
            continue;
        }
        status =
            request->there != NULL ? is_schema_there(&maker, others.names[i], &there) : STATUS_OK;
        if (status == STATUS_OK && !there) {
            script_add(script, SCRIPT_BEFORE_LOAD, "schema", others.names[i],
                       postgres_sql("CREATE SCHEMA %n", others.names[i]));
        }
    }
    return status;
}

/* Digests of what was made, as this server words it. */
enum status postgres_objects_remember(struct postgres_database *self, PGconn *connection,
                                      struct error *error)
{
    const struct postgres_parameter parameters[] = {{.text = self->spaces},
                                                    {.text = self->sql.run_id}};
    struct buffer sql = {0};
    bool listed = false;
    enum status status = self->sql.run_id != NULL
                             ? postgres_objects_listed(self, connection, &listed, error)
                             : STATUS_OK;
    if (status != STATUS_OK || !listed) {
        return status;
    }
    postgres_append(&sql,
                    "UPDATE %t AS o SET definition = pg_catalog.md5(q.make) FROM (%s) AS q "
                    "WHERE o.run = $2 AND q.what = o.what AND q.name = o.name AND q.of IS "
                    "NOT DISTINCT FROM o.owner AND q.undo IS NOT NULL AND " POSTGRES_PATH_OPENS,
                    &self->sql, "_transhume_object", sql_objects);
    return postgres_catalog_change(self, connection, &sql, parameters, 2, SQL_LONG,
                                   ERROR_TARGET_WRITE, NULL, error);
}

/* ---------------------------------------------------------------- dropping */

enum status postgres_objects_listed(struct postgres_database *self, PGconn *connection, bool *found,
                                    struct error *error)
{
    return postgres_has_own(self, connection, "_transhume_object", found, error);
}

/* The last first: number, what, name, undo, was it changed since. Those that are gone are not in
 * it. */
static enum status list_made(struct postgres_database *self, PGconn *connection, bool late,
                             PGresult **list, struct error *error)
{
    const struct postgres_parameter parameters[] = {{.text = self->spaces},
                                                    {.text = self->sql.run_id}};
    struct buffer sql = {0};
    bool found = false;
    *list = NULL;
    enum status status = postgres_objects_listed(self, connection, &found, error);
    if (status != STATUS_OK || !found) {
        return status;
    }
    postgres_append(&sql,
                    "SELECT o.number, o.what, o.name, o.undo, o.definition IS NOT NULL AND "
                    "o.definition <> pg_catalog.md5(q.make) FROM %t AS o JOIN (%s) AS q ON "
                    "q.what = o.what AND q.name = o.name AND q.of IS NOT DISTINCT FROM "
                    "o.owner AND q.undo IS NOT NULL WHERE o.run = $2 AND %so.late ORDER BY "
                    "o.number DESC",
                    &self->sql, "_transhume_object", sql_objects, late ? "" : "NOT ");
    return postgres_catalog_query_buffer(self, connection, &sql, parameters, 2, SQL_LONG,
                                         ERROR_TARGET_INVALID, list, error);
}

/* A type or function that somebody has begun to use stays; what was made late is in the way of the
 * tables, and must go. */
static enum status drop_one(struct postgres_database *self, PGconn *connection, const char *sql,
                            const char *name, bool late, struct error *error)
{
    struct error problem = {0};
    if (late) {
        return postgres_query(self, connection, sql, NULL, 0, SQL_LONG, ERROR_TARGET_WRITE, NULL,
                              error);
    }
    if (postgres_execute(self, connection, "SAVEPOINT transhume_object", SQL_SHORT,
                         ERROR_TARGET_WRITE, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (postgres_query(self, connection, sql, NULL, 0, SQL_LONG, ERROR_TARGET_WRITE, NULL,
                       &problem) == STATUS_OK) {
        return postgres_execute(self, connection, "RELEASE SAVEPOINT transhume_object", SQL_SHORT,
                                ERROR_TARGET_WRITE, error);
    }
    if (strcmp(problem.native_state, "2BP01") != 0) {
        error_copy(error, &problem);
        return STATUS_FAILED;
    }
    log_write(LOG_INFO, "%s stays: %s", name, problem.message);
    return postgres_execute(self, connection,
                            "ROLLBACK TO SAVEPOINT transhume_object; RELEASE SAVEPOINT "
                            "transhume_object",
                            SQL_SHORT, ERROR_TARGET_WRITE, error);
}

enum status postgres_objects_drop(struct postgres_database *self, PGconn *connection, bool late,
                                  struct buffer *what, struct error *error)
{
    PGresult *list = NULL;
    enum status status = list_made(self, connection, late, &list, error);
    for (int i = 0; status == STATUS_OK && list != NULL && i < PQntuples(list); i++) {
        char name[128];
        bool changed = PQgetvalue(list, i, 4)[0] == 't';
        text_printable(PQgetvalue(list, i, 2), strlen(PQgetvalue(list, i, 2)), name, sizeof name);
        if (what != NULL) {
            buffer_format(what, "%s %s%s\n", PQgetvalue(list, i, 1), name,
                          changed ? ": changed since the run made it, so it stays" : "");
        }
        if (!changed) {
            status = drop_one(self, connection, PQgetvalue(list, i, 3), name, late, error);
        }
    }
    PQclear(list);
    return status;
}
