/* The statements that a run would send besides records: forecast_functions.script. */
#include "connectors/postgres/rights.h"
#include "connectors/postgres/schema/create.h"
#include "connectors/postgres/schema/finish.h"
#include "connectors/postgres/schema/keys.h"
#include "connectors/postgres/schema/objects.h"
#include "postgres_sql.h"
#include <string.h>

struct showing {
    struct script *script;
    enum script_moment moment;
    PGresult *present; /* objects of the target: what, name, owner */
    struct postgres_making making;
};

static enum status load_present(struct postgres_database *self, PGconn *connection,
                                PGresult **present, struct error *error)
{
    const struct postgres_parameter spaces = {.text = self->spaces};
    return postgres_query_buffer(
        self, connection, postgres_sql("SELECT q.what, q.name, q.of FROM (%s) AS q", sql_objects),
        &spaces, 1, SQL_LONG, ERROR_TARGET_INVALID, present, error);
}

/* Such a one stays as it is. */
static bool is_present(const struct showing *showing, const struct schema_object *object)
{
    for (int i = 0; showing->present != NULL && i < PQntuples(showing->present); i++) {
        bool alone = PQgetisnull(showing->present, i, 2) != 0;
        if (strcmp(PQgetvalue(showing->present, i, 0), schema_object_word(object)) == 0 &&
            strcmp(PQgetvalue(showing->present, i, 1), object->name) == 0 &&
            alone == (object->table == NULL) &&
            (alone || strcmp(PQgetvalue(showing->present, i, 2), object->table) == 0)) {
            return true;
        }
    }
    return false;
}

static enum status script_take(void *context, const char *what, const char *name,
                               struct buffer *sql, struct error *error)
{
    const struct showing *showing = context;
    (void)error;
    script_add(showing->script, showing->moment, what, name, sql);
    return STATUS_OK;
}

static void show_object(const struct showing *showing, const struct schema_object *object)
{
    struct buffer sql = {0};
    if (postgres_object_words(&showing->making, object, &sql) != STATUS_OK) {
        buffer_free(&sql);
        return;
    }
    script_add(showing->script, showing->moment, schema_object_word(object), object->name, &sql);
    postgres_closing_words(&showing->making, object, &sql);
    if (sql.length > 0) {
        script_add(showing->script, showing->moment, "grant", object->name, &sql);
    }
}

/* The objects of one stage; `table` NULL: of all tables and of none. */
static void show_objects(const struct showing *showing, const struct script_request *request,
                         enum schema_object_stage stage, const char *table)
{
    uint32_t count = request->objects != NULL ? request->objects->object_count : 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct schema_object *object = &request->objects->objects[i];
        bool meant = table == NULL || (object->table != NULL && strcmp(object->table, table) == 0);
        if (object->stage == stage && meant && script_wants_object(request, i) &&
            !is_present(showing, object)) {
            show_object(showing, object);
        }
    }
}

static enum status show_tables(struct showing *showing, const struct postgres_creation *creation,
                               const struct script_request *request, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < request->table_count; i++) {
        const struct target_table *table = &request->tables[i];
        if (request->missing[i]) {
            status = postgres_create_statements(creation, table, script_take, showing, error);
            show_objects(showing, request, SCHEMA_WITH_TABLES, table->name);
        }
    }
    return status;
}

enum status postgres_script(struct database *database, const struct script_request *request,
                            struct script *script, struct error *error)
{
    static const struct postgres_catalog nothing = {0};
    struct postgres_database *self = postgres_database_of(database);
    struct showing showing = {.script = script,
                              .moment = SCRIPT_BEFORE_LOAD,
                              .making = {.self = self, .objects = request->objects}};
    PGconn *connection = NULL;
    if (postgres_control(self, &connection, error) != STATUS_OK ||
        postgres_target_read(self, connection, error) != STATUS_OK ||
        postgres_schemas_show(self, connection, request, script, error) != STATUS_OK ||
        postgres_roles_read(self, connection, &showing.making.roles, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (request->there != NULL && request->objects != NULL &&
        load_present(self, connection, &showing.present, error) != STATUS_OK) {
        postgres_roles_free(&showing.making.roles);
        return STATUS_FAILED;
    }
    const struct postgres_creation creation = {.self = self,
                                               .tables = request->tables,
                                               .table_count = request->table_count,
                                               .catalog =
                                                   request->there != NULL ? self->tables : &nothing,
                                               .whole = request->objects != NULL};
    show_objects(&showing, request, SCHEMA_BEFORE_TABLES, NULL);
    enum status status = show_tables(&showing, &creation, request, error);
    if (status == STATUS_OK) {
        showing.moment = SCRIPT_AFTER_LOAD;
        show_objects(&showing, request, SCHEMA_BEFORE_INDEXES, NULL);
        postgres_show_keys(self, request, creation.catalog, script);
        postgres_show_references(self, request, script);
        show_objects(&showing, request, SCHEMA_AFTER_LOAD, NULL);
    }
    PQclear(showing.present);
    postgres_roles_free(&showing.making.roles);
    return status;
}

enum status postgres_column_type(struct database *database, const struct target_table *table,
                                 const struct schema_column *column, struct buffer *out,
                                 struct error *error)
{
    (void)database;
    (void)table;
    (void)error;
    postgres_append_column_type(out, column);
    return STATUS_OK;
}
