/* Things outside of a schema that a copy of it stands on: other schemas and extensions. */
#include "connectors/postgres/rights.h"
#include "connectors/postgres/statement.h"
#include "connectors/sql/check.h"
#include <string.h>

static const char a_role[] = "role"; /* what schema_need.what says of one that a policy names */

/* ---------------------------------------------------------------- types, functions … */

static bool is_same_thing(const struct schema_need *left, const struct schema_need *right)
{
    return strcmp(left->what, right->what) == 0 && strcmp(left->schema, right->schema) == 0 &&
           strcmp(left->name, right->name) == 0;
}

/* A thing on the search_path may be told without its schema. */
static enum status find_thing(struct postgres_database *self, PGconn *connection,
                              const struct schema_need *need, bool *found, struct error *error)
{
    const struct postgres_parameter parameters[] = {
        {.text = need->what}, {.text = need->schema}, {.text = need->name}};
    PGresult *result = NULL;
    enum status status = postgres_catalog_query(
        self, connection,
        "SELECT 1 FROM (SELECT 'type' AS what, typnamespace AS space, typname AS name, "
        "pg_catalog.pg_type_is_visible(oid) AS visible FROM pg_catalog.pg_type WHERE typname = $3 "
        "UNION ALL SELECT 'function', pronamespace, proname, "
        "pg_catalog.pg_function_is_visible(oid) FROM pg_catalog.pg_proc WHERE proname = $3 "
        "UNION ALL SELECT 'collation', collnamespace, collname, "
        "pg_catalog.pg_collation_is_visible(oid) FROM pg_catalog.pg_collation WHERE collname = $3 "
        "UNION ALL SELECT 'operator', oprnamespace, oprname, "
        "pg_catalog.pg_operator_is_visible(oid) FROM pg_catalog.pg_operator WHERE oprname = $3 "
        "UNION ALL SELECT 'sequence', relnamespace, relname, "
        "pg_catalog.pg_table_is_visible(oid) FROM pg_catalog.pg_class WHERE relname = $3 AND "
        "relkind = 'S') t JOIN pg_catalog.pg_namespace n ON n.oid = t.space WHERE t.what = $1 AND "
        "(n.nspname = $2 OR t.visible) LIMIT 1",
        parameters, 3, SQL_SHORT, ERROR_TARGET_INVALID, &result, error);
    *found = status == STATUS_OK && PQntuples(result) > 0;
    PQclear(result);
    return status;
}

/* Is the table copied, or the type, and not there already? */
static enum status is_to_be_made(struct postgres_database *self, PGconn *connection,
                                 const struct schema *objects, const struct schema_need *need,
                                 bool *wanted, struct error *error)
{
    const struct sql_table_place place = sql_place_of(&self->sql, need->user);
    const struct postgres_parameter parameters[] = {{.text = place.schema}, {.text = place.name}};
    PGresult *result = NULL;
    if (!need->user_is_type) {
        *wanted = schema_find_table(objects, need->user) != NULL &&
                  postgres_catalog_find(self->tables, need->user) == NULL;
        return STATUS_OK;
    }
    enum status status = postgres_catalog_query(
        self, connection,
        "SELECT 1 FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid "
        "= t.typnamespace WHERE n.nspname = $1 AND t.typname = $2",
        parameters, 2, SQL_SHORT, ERROR_TARGET_INVALID, &result, error);
    *wanted = status == STATUS_OK && PQntuples(result) == 0;
    PQclear(result);
    return status;
}

static void tell_need(const struct schema_need *need, struct buffer *out)
{
    char user[SQL_SHOWN_BYTES];
    char schema[SQL_SHOWN_BYTES];
    char name[SQL_SHOWN_BYTES];
    buffer_format(out, "%s: the target has not the %s %s.%s, on which this %s stands: ",
                  sql_show_name(need->user, user), need->what, sql_show_name(need->schema, schema),
                  sql_show_name(need->name, name), need->user_is_type ? "type" : "table");
    if (need->extension != NULL) {
        buffer_format(out, "CREATE EXTENSION %s there first\n",
                      sql_show_name(need->extension, name));
    } else {
        buffer_append_string(out, "make it there first\n");
    }
}

enum status postgres_check_objects(struct database *database, const struct schema *objects,
                                   struct buffer *out, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    PGconn *connection = NULL;
    bool found = false;
    enum status status = postgres_control(self, &connection, error);
    if (status == STATUS_OK && self->tables == NULL) {
        status = postgres_target_read(self, connection, error);
    }
    if (status == STATUS_OK) {
        postgres_check_newer(self, objects, out);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < objects->need_count; i++) {
        const struct schema_need *need = &objects->needs[i];
        bool wanted = false;
        if (strcmp(need->what, a_role) == 0) {
            continue; /* postgres_tell_unfit_objects */
        }
        if (i == 0 || !is_same_thing(need, need - 1)) {
            status = find_thing(self, connection, need, &found, error);
        }
        if (status == STATUS_OK && !found) {
            status = is_to_be_made(self, connection, objects, need, &wanted, error);
        }
        if (wanted) {
            tell_need(need, out);
        }
    }
    return status;
}

/* ---------------------------------------------------------------- policies' roles */

/* The number of the policy among the objects, or that of all of them. */
static uint32_t policy_of(const struct schema *objects, const struct schema_need *need)
{
    uint32_t i = 0;
    for (; i < objects->object_count; i++) {
        const struct schema_object *object = &objects->objects[i];
        if (object->table != NULL && strcmp(schema_object_word(object), "policy") == 0 &&
            strcmp(object->table, need->user) == 0 && strcmp(object->name, need->schema) == 0) {
            break;
        }
    }
    return i;
}

/* A RESTRICTIVE policy holds back those of its roles that are there. */
static bool is_made_for_others(const struct postgres_making *making,
                               const struct schema_object *policy)
{
    struct buffer words = {0};
    bool made =
        policy->native_sql != NULL &&
        postgres_policy_roles(&making->self->sql.base.scope, policy->native_sql, true).length > 0 &&
        postgres_object_words(making, policy, &words) == STATUS_OK;
    buffer_free(&words);
    return made;
}

enum status postgres_tell_unfit_objects(struct database *database, const struct schema *objects,
                                        bool *unfit, struct buffer *out, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    PGconn *connection = NULL;
    struct postgres_making making = {.self = self, .objects = objects};
    char table[SQL_SHOWN_BYTES];
    char policy[SQL_SHOWN_BYTES];
    char role[SQL_SHOWN_BYTES];
    enum status status = postgres_control(self, &connection, error);
    status =
        status == STATUS_OK ? postgres_roles_read(self, connection, &making.roles, error) : status;
    for (uint32_t i = 0; status == STATUS_OK && i < objects->need_count; i++) {
        const struct schema_need *need = &objects->needs[i];
        uint32_t number =
            strcmp(need->what, a_role) == 0 ? policy_of(objects, need) : objects->object_count;
        bool found = true;
        if (number < objects->object_count && !unfit[number]) {
            found = postgres_has_role(&making.roles, need->name);
        }
        if (!found && !is_made_for_others(&making, &objects->objects[number])) {
            unfit[number] = true;
            buffer_format(out,
                          "%s: the policy %s is not carried: the target has not the role %s, which "
                          "it names: CREATE ROLE there first\n",
                          sql_show_name(need->user, table), sql_show_name(need->schema, policy),
                          sql_show_name(need->name, role));
        }
    }
    postgres_roles_free(&making.roles);
    return status;
}

/* ---------------------------------------------------------------- foreign keys */

enum status postgres_look_elsewhere(struct postgres_database *self, PGconn *connection,
                                    const struct schema_foreign_key *key, bool *found,
                                    bool *granted, struct error *error)
{
    const struct postgres_parameter parameters[] = {
        {.text = key->references_schema},
        {.text = key->references + strlen(key->references_schema) + 1}};
    PGresult *result = NULL;
    enum status status = postgres_catalog_query(
        self, connection,
        "SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND "
        "pg_catalog.has_any_column_privilege(c.oid, 'REFERENCES') FROM pg_catalog.pg_class c JOIN "
        "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = "
        "$2 AND c.relkind IN ('r', 'p')",
        parameters, 2, SQL_SHORT, ERROR_TARGET_INVALID, &result, error);
    *found = status == STATUS_OK && PQntuples(result) == 1;
    *granted = *found && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return status;
}

static enum status tell_unfit(struct postgres_database *self, const struct target_table *table,
                              const struct schema_foreign_key *key, struct buffer *out,
                              struct error *error)
{
    PGconn *connection = NULL;
    char owner[SQL_SHOWN_BYTES];
    char name[SQL_SHOWN_BYTES];
    char partner[SQL_SHOWN_BYTES];
    const char *unknown = postgres_unknown_reference(self, key->native_sql);
    bool found = true;
    bool granted = true;
    enum status status = STATUS_OK;
    if (unknown != NULL) {
        buffer_format(out,
                      "%s: the foreign key %s is left out: it is %s, which this server (%d) does "
                      "not know\n",
                      sql_show_name(table->name, owner),
                      sql_show_name(key->name != NULL ? key->name : "", name), unknown,
                      self->server_version / 10000);
        return STATUS_OK;
    }
    if (key->references_schema != NULL) {
        status = postgres_control(self, &connection, error);
        status = status == STATUS_OK
                     ? postgres_look_elsewhere(self, connection, key, &found, &granted, error)
                     : status;
    }
    if (status == STATUS_OK && !found) {
        buffer_format(out,
                      "%s: the foreign key %s is left out: the target has no table %s; copy its "
                      "schema first\n",
                      sql_show_name(table->name, owner),
                      sql_show_name(key->name != NULL ? key->name : "", name),
                      sql_show_name(key->references, partner));
    }
    return status;
}

enum status postgres_tell_unfit_references(struct database *database,
                                           const struct target_table *table, struct buffer *out,
                                           struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    const struct schema_table *same = table->same_engine;
    enum status status = STATUS_OK;
    if (self->tables != NULL && postgres_catalog_find(self->tables, table->name) != NULL) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; same != NULL && status == STATUS_OK && i < same->foreign_key_count; i++) {
        status = tell_unfit(self, table, &same->foreign_keys[i], out, error);
    }
    return status;
}
