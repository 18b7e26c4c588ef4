/*
 * Code of a source: what calls functions that its users made. A copy of the schema makes it, and
 * the target runs it as the account of the copy: what is called while tables are made and filled at
 * once, triggers and views as soon as somebody uses them.
 */
#include "base/text.h"
#include "connectors/postgres/catalog.h"
#include "connectors/postgres/target.h"
#include "postgres_sql.h"
#include <string.h>

enum { CODE_WHAT, CODE_NAME, CODE_TABLE, CODE_COLUMN, CODE_CALLS, CODE_MOMENT, CODE_NUMBER };

static const char *cell_copy(struct arena *arena, const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) != 0
               ? NULL
               : arena_copy_string(arena, PQgetvalue(result, row, column));
}

static bool is_same(const char *left, const char *right)
{
    return left == right || (left != NULL && right != NULL && strcmp(left, right) == 0);
}

/* A domain, or a policy of a table: the first one, should a domain have several. */
static struct schema_code *item_find(const struct postgres_code *code, const char *name,
                                     const char *table)
{
    const char *what = table != NULL ? "policy" : "domain";
    for (uint32_t i = 0; i < code->count; i++) {
        if (strcmp(code->items[i].what, what) == 0 && strcmp(code->items[i].name, name) == 0 &&
            is_same(code->items[i].table, table)) {
            return &code->items[i];
        }
    }
    return NULL;
}

static void row_add(struct postgres_code *code, const PGresult *found, int row, struct arena *arena,
                    struct buffer *numbers)
{
    if (strcmp(PQgetvalue(found, row, CODE_WHAT), "make") == 0) {
        /* behind all others: the moment is NULL */
        struct schema_code *made = item_find(code, PQgetvalue(found, row, CODE_NAME),
                                             cell_copy(arena, found, row, CODE_TABLE));
        if (made != NULL) {
            code->makes[made - code->items] = cell_copy(arena, found, row, CODE_CALLS);
        }
        return;
    }
    const struct schema_code item = {.what = cell_copy(arena, found, row, CODE_WHAT),
                                     .name = cell_copy(arena, found, row, CODE_NAME),
                                     .table = cell_copy(arena, found, row, CODE_TABLE),
                                     .calls = cell_copy(arena, found, row, CODE_CALLS),
                                     .at_once = PQgetvalue(found, row, CODE_MOMENT)[0] == 'c'};
    const struct schema_code *last = code->count > 0 ? &code->items[code->count - 1] : NULL;
    /* a partition has the check of its table once more */
    if (last == NULL || strcmp(last->what, item.what) != 0 || strcmp(last->name, item.name) != 0 ||
        !is_same(last->table, item.table) || last->at_once != item.at_once) {
        code->items[code->count++] = item;
    }
    if (PQgetisnull(found, row, CODE_NUMBER) == 0) {
        buffer_format(numbers, "%s%s", numbers->length > 1 ? "," : "",
                      PQgetvalue(found, row, CODE_NUMBER));
    }
}

enum status postgres_code_read(struct postgres_database *self, PGconn *connection,
                               struct arena *arena, struct postgres_code *code, struct error *error)
{
    const struct postgres_parameter parameter = {.text = self->spaces};
    struct buffer numbers = {0};
    PGresult *found = NULL;
    enum status status = postgres_catalog_query(self, connection, sql_code, &parameter, 1, SQL_LONG,
                                                ERROR_SOURCE_READ, &found, error);
    size_t most = status == STATUS_OK ? (size_t)PQntuples(found) + 1 : 1;
    code->items = arena_allocate_zeroed(arena, most, sizeof *code->items);
    code->makes = arena_allocate_zeroed(arena, most, sizeof *code->makes);
    code->count = 0;
    buffer_append_byte(&numbers, '{');
    for (int row = 0; status == STATUS_OK && row < PQntuples(found); row++) {
        row_add(code, found, row, arena, &numbers);
    }
    buffer_append_byte(&numbers, '}');
    code->left_out = sql_text(arena, &numbers);
    PQclear(found);
    return status;
}

/* ---------------------------------------------------------------- leaving it out */

static struct schema_table *table_of(struct schema *schema, const char *name)
{
    return (struct schema_table *)(uintptr_t)schema_find_table(schema, name);
}

static void leave_index(struct schema_table *table, const char *name)
{
    struct schema_index *indexes = (struct schema_index *)(uintptr_t)table->indexes;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (strcmp(indexes[i].name, name) != 0) {
            indexes[kept++] = indexes[i];
        }
    }
    table->index_count = kept;
}

/* Its values are copied as those of any other column. */
static void leave_default(struct schema_table *table, const char *name)
{
    struct schema_column *columns = (struct schema_column *)(uintptr_t)table->columns;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (strcmp(columns[i].name, name) == 0) {
            columns[i].generated = GENERATED_NO;
            columns[i].default_text = columns[i].default_value = NULL;
            columns[i].default_kind = SCHEMA_DEFAULT_NONE;
        }
    }
}

/* The object that stands for a check which was added NOT VALID, or for a partition's index. */
static bool is_of(const struct schema_object *object, const struct schema_code *code)
{
    const char *what = schema_object_word(object);
    bool same = strcmp(what, code->what) == 0 ||
                (strcmp(what, "property") == 0 && strcmp(code->what, "check") == 0);
    return same && is_same(object->table, code->table) && strcmp(object->name, code->name) == 0;
}

/* "NAME check …" of a domain: added after the values. */
static bool is_of_domain(const struct schema_object *object, const char *name)
{
    size_t length = strlen(name);
    return strcmp(schema_object_word(object), "property") == 0 &&
           strncmp(object->name, name, length) == 0 &&
           strncmp(object->name + length, " check ", strlen(" check ")) == 0;
}

static void leave_objects(const struct postgres_code *code, uint32_t number,
                          struct schema_object *objects, uint32_t count)
{
    const struct schema_code *item = &code->items[number];
    bool domain = strcmp(item->what, "domain") == 0;
    for (uint32_t i = 0; i < count; i++) {
        struct schema_object *object = &objects[i];
        bool type = object->what != NULL && strcmp(object->what, "type") == 0;
        if ((domain && type && strcmp(object->name, item->name) == 0) ||
            (!domain && code->makes[number] != NULL && is_of(object, item))) {
            object->native_sql =
                code->makes[number] != NULL ? code->makes[number] : object->native_sql;
        } else if (is_of(object, item) || (domain && is_of_domain(object, item->name)) ||
                   (type && strcmp(item->what, "range") == 0 &&
                    strcmp(object->name, item->name) == 0)) {
            object->native_sql = object->not_carried = NULL;
        }
    }
}

void postgres_code_leave_out(const struct postgres_code *code, struct schema *schema,
                             struct schema_object *objects)
{
    for (uint32_t i = 0; i < code->count; i++) {
        const struct schema_code *item = &code->items[i];
        struct schema_table *table = item->table != NULL ? table_of(schema, item->table) : NULL;
        if (table != NULL && strcmp(item->what, "index") == 0) {
            leave_index(table, item->name);
        } else if (table != NULL && (strcmp(item->what, "default") == 0 ||
                                     strcmp(item->what, "generated column") == 0)) {
            leave_default(table, item->name);
        }
        leave_objects(code, i, objects, schema->object_count);
    }
    schema->code = code->items;
    schema->code_count = code->count;
}

/* ---------------------------------------------------------------- telling of it */

enum status postgres_tell_code(struct database *database, struct arena *arena,
                               struct schema_code **code, uint32_t *count, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct postgres_code found = {0};
    PGconn *connection = NULL;
    enum status status = postgres_control(self, &connection, error);
    status = status == STATUS_OK ? postgres_code_read(self, connection, arena, &found, error)
                                 : STATUS_FAILED;
    *code = found.items;
    *count = found.count;
    return status;
}

/* Casts of a target's own types, of which those from text are called where their columns are
 * written and compared. */
static enum status list_casts(struct postgres_database *self, PGconn *connection,
                              struct buffer *out, struct error *error)
{
    static const char sql[] =
        "SELECT pg_catalog.format_type(k.castsource, -1), pg_catalog.format_type(k.casttarget, -1), "
        "pg_catalog.format('%I.%I(%s)', n.nspname, p.proname, "
        "pg_catalog.pg_get_function_identity_arguments(p.oid)) FROM pg_catalog.pg_cast k JOIN "
        "pg_catalog.pg_proc p ON p.oid = k.castfunc JOIN pg_catalog.pg_namespace n ON n.oid = "
        "p.pronamespace WHERE p.oid >= 16384 AND 25 IN (k.castsource, k.casttarget) AND NOT EXISTS "
        "(SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = "
        "'pg_catalog.pg_cast'::pg_catalog.regclass AND d.objid = k.oid AND d.deptype = 'e') "
        "ORDER BY 1, 2";
    PGresult *found = NULL;
    enum status status = postgres_catalog_query(self, connection, sql, NULL, 0, SQL_SHORT,
                                                ERROR_TARGET_INVALID, &found, error);
    for (int row = 0; status == STATUS_OK && row < PQntuples(found); row++) {
        buffer_format(out, "cast from %s to %s of the target: %s\n", PQgetvalue(found, row, 0),
                      PQgetvalue(found, row, 1), PQgetvalue(found, row, 2));
    }
    PQclear(found);
    return status;
}

enum status postgres_tell_account(struct database *database, struct arena *arena, const char **name,
                                  bool *superuser, struct buffer *out, struct error *error)
{
    static const char sql[] =
        "SELECT current_user, r.rolsuper, e.evtname, CASE WHEN e.evtname IS NOT NULL THEN "
        "pg_catalog.format('%I.%I()', n.nspname, p.proname) END FROM pg_catalog.pg_roles r LEFT JOIN (pg_catalog.pg_event_trigger e JOIN "
        "pg_catalog.pg_proc p ON p.oid = e.evtfoid JOIN pg_catalog.pg_namespace n ON n.oid = "
        "p.pronamespace) ON e.evtenabled IN ('O', 'A') WHERE r.rolname = current_user ORDER BY 3";
    struct postgres_database *self = postgres_database_of(database);
    PGconn *connection = NULL;
    PGresult *found = NULL;
    enum status status = postgres_control(self, &connection, error);
    status = status == STATUS_OK ? postgres_catalog_query(self, connection, sql, NULL, 0, SQL_SHORT,
                                                          ERROR_TARGET_INVALID, &found, error)
                                 : STATUS_FAILED;
    if (status == STATUS_OK && PQntuples(found) > 0) {
        *name = cell_copy(arena, found, 0, 0);
        *superuser = PQgetvalue(found, 0, 1)[0] == 't';
    }
    for (int row = 0; status == STATUS_OK && row < PQntuples(found); row++) {
        if (PQgetisnull(found, row, 2) == 0) {
            buffer_format(out, "event trigger %s of the target: %s\n", PQgetvalue(found, row, 2),
                          PQgetvalue(found, row, 3));
        }
    }
    PQclear(found);
    return status == STATUS_OK ? list_casts(self, connection, out, error) : status;
}
