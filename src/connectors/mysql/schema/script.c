/* The statements that a run would send besides records: forecast_functions.script. */
#include "connectors/mysql/schema/finish.h"
#include "connectors/mysql/schema/objects.h"
#include "connectors/mysql/translate.h"
#include <string.h>

static void show_tables(const struct mysql_database *self, const struct script_request *request,
                        struct script *script)
{
    const char *from = request->objects != NULL ? request->objects->settings : NULL;
    for (uint32_t i = 0; i < request->table_count; i++) {
        struct buffer sql = {0};
        if (request->missing[i]) {
            mysql_append_new_table(&sql, self, &request->tables[i], from, script->arena);
            script_add(script, SCRIPT_BEFORE_LOAD, "table", request->tables[i].name, &sql);
        }
    }
}

/* Step by step, as the run does it: indexes of all tables, the rest, references. */
static void finish_tables(const struct mysql_database *self, const struct script_request *request,
                          struct script *script)
{
    for (uint32_t i = 0; i < request->table_count; i++) {
        if (request->missing[i]) {
            mysql_show_indexes(self, &request->tables[i], script);
        }
    }
    for (uint32_t i = 0; i < request->table_count; i++) {
        if (request->missing[i]) {
            mysql_show_comment(self, &request->tables[i], script);
        }
    }
    for (uint32_t i = 0; i < request->table_count; i++) {
        if (request->missing[i]) {
            mysql_show_references(self, request, &request->tables[i], script);
        }
    }
}

enum status mysql_script(struct database *database, const struct script_request *request,
                         struct script *script, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    MYSQL *connection = NULL;
    if (mysql_control(self, &connection, error) != STATUS_OK ||
        mysql_read_collations(self, connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *schema = self->sql.schema;
    /* every name that is appended goes by it */
    self->sql.schema = request->place != NULL ? request->place : schema;
    enum status status =
        mysql_show_objects(self, connection, request, MYSQL_BEFORE_TABLES, script, error);
    if (status == STATUS_OK) {
        show_tables(self, request, script);
        finish_tables(self, request, script);
        status = mysql_show_objects(self, connection, request, MYSQL_AFTER_LOAD, script, error);
    }
    self->sql.schema = schema;
    return status;
}

enum status mysql_column_type(struct database *database, const struct target_table *table,
                              const struct schema_column *column, struct buffer *out,
                              struct error *error)
{
    const struct mysql_database *self = mysql_database_of(database);
    struct arena *arena = arena_create(0);
    const struct mysql_layout layout = mysql_layout_make(self, table, arena);
    const char *words = table->same_engine != NULL ? column->type.native : NULL;
    (void)error;
    for (uint32_t i = 0; words == NULL && i < table->column_count; i++) {
        words = strcmp(table->columns[i].name, column->name) == 0 ? layout.types[i] : NULL;
    }
    buffer_append_string(out, words != NULL ? words : "");
    arena_destroy(arena);
    return STATUS_OK;
}
