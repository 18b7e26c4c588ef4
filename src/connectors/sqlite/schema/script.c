/* The statements that a run would execute besides records: forecast_functions.script. Not in it:
 * the settings of a new file. */
#include "connectors/sqlite/target_internal.h"

static enum status take_early(void *context, const char *what, const char *name, struct buffer *sql,
                              struct error *error)
{
    (void)error;
    script_add(context, SCRIPT_BEFORE_LOAD, what, name, sql);
    return STATUS_OK;
}

static void add_late(struct script *script, const char *what, const char *name, const char *sql)
{
    script_add(script, SCRIPT_AFTER_LOAD, what, name, sqlite_sql("%s", sql));
}

/* Unique ones of a plan were made with the table. */
static void show_indexes(const struct target_table *table, struct script *script)
{
    const struct schema_table *same = table->same_engine;
    for (uint32_t i = 0; same != NULL && i < same->index_count; i++) {
        if (!same->indexes[i].implied && same->indexes[i].native_sql != NULL) {
            add_late(script, "index", same->indexes[i].name, same->indexes[i].native_sql);
        }
    }
    for (uint32_t i = 0; same == NULL && i < table->index_count; i++) {
        struct buffer sql = {0};
        if (!table->indexes[i].unique) {
            sqlite_schema_append_index(table, &table->indexes[i], &sql);
            script_add(script, SCRIPT_AFTER_LOAD, "index", table->indexes[i].name, &sql);
        }
    }
}

/* One that is there with the same words stays; with others the run is refused. */
static enum status show_objects(struct sqlite_database *self, const struct script_request *request,
                                enum schema_object_kind kind, struct script *script,
                                struct error *error)
{
    static const char *const types[] = {[SCHEMA_OBJECT_VIEW] = "view",
                                        [SCHEMA_OBJECT_TRIGGER] = "trigger",
                                        [SCHEMA_OBJECT_OTHER] = "table"};
    for (uint32_t i = 0; request->objects != NULL && i < request->objects->object_count; i++) {
        const struct schema_object *object = &request->objects->objects[i];
        const char *known = NULL;
        enum status status = STATUS_END;
        if (object->kind != kind || !script_wants_object(request, i)) {
            continue;
        }
        if (request->there != NULL) {
            status =
                sqlite_schema_find(self, types[kind], object->name, script->arena, &known, error);
        }
        if (status == STATUS_FAILED) {
            return status;
        }
        if (status == STATUS_END) {
            add_late(script, schema_object_word(object), object->name, object->native_sql);
        }
    }
    return STATUS_OK;
}

enum status sqlite_script(struct database *database, const struct script_request *request,
                          struct script *script, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    for (uint32_t i = 0; i < request->table_count; i++) {
        if (request->missing[i] && sqlite_create_table(&request->tables[i], request->objects,
                                                       take_early, script, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    for (uint32_t i = 0; i < request->table_count; i++) {
        if (request->missing[i]) {
            show_indexes(&request->tables[i], script);
        }
    }
    /* virtual tables come first */
    return show_objects(self, request, SCHEMA_OBJECT_OTHER, script, error) == STATUS_OK &&
                   show_objects(self, request, SCHEMA_OBJECT_VIEW, script, error) == STATUS_OK &&
                   show_objects(self, request, SCHEMA_OBJECT_TRIGGER, script, error) == STATUS_OK
               ? STATUS_OK
               : STATUS_FAILED;
}
