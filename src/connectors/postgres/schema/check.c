/* Whether a plan's table fits PostgreSQL and what is in the target already: a line for each
 * fault. */
#include "connectors/sql/check.h"
#include "base/text.h"
#include "connectors/postgres/target.h"
#include "postgres_sql.h"
#include <string.h>

static void check_name(const char *what, const char *name, struct buffer *out)
{
    char printable[SQL_SHOWN_BYTES];
    if (name[0] == '\0') {
        buffer_format(out, "%s has no name\n", what);
    } else if (strlen(name) > POSTGRES_NAME_BYTES_MAX) {
        buffer_format(out,
                      "%s %s: the name has %zu bytes; PostgreSQL would cut it at %d: rename it\n",
                      what, sql_show_name(name, printable), strlen(name), POSTGRES_NAME_BYTES_MAX);
    } else if (!text_is_utf8(name, strlen(name))) {
        buffer_format(out, "%s %s: the name is not UTF-8\n", what, sql_show_name(name, printable));
    }
}

static void check_columns(const struct target_table *table, struct buffer *out)
{
    static const char *const reserved[] = {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"};

    if (table->column_count == 0) {
        buffer_append_string(out, "a table needs at least one column that records fill\n");
    }
    if (table->column_count > POSTGRES_COLUMNS_MAX) {
        buffer_format(out, "it has %u columns; PostgreSQL takes %d\n", table->column_count,
                      POSTGRES_COLUMNS_MAX);
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        const char *name = table->columns[i].name;
        check_name("column", name, out);
        for (size_t j = 0; j < sizeof reserved / sizeof reserved[0]; j++) {
            if (strcmp(name, reserved[j]) == 0) {
                buffer_format(out, "column %s: the name is PostgreSQL's own: rename it\n", name);
            }
        }
    }
    sql_check_key_columns(table, strcmp, out);
    for (uint32_t i = 0; i < table->index_count; i++) {
        check_name("index", table->indexes[i].name, out);
    }
}

/* ---------------------------------------------------------------- rights */

/* The columns of what read_rights asks. */
enum {
    MAY_CREATE,
    MAY_ENTER,
    MAY_TEMP,
    MAY_INSERT,
    MAY_SELECT,
    MAY_UPDATE,
    MAY_DELETE,
    MAY_ALTER,
    OWNER,
    ROLE, /* this one and those below: as statements have them */
    SCHEMA,
    DATABASE,
    IS_THERE /* the schema */
};

static bool may(const PGresult *result, int column)
{
    return PQgetvalue(result, 0, column)[0] == 't';
}

static enum status read_rights(struct postgres_database *self, PGconn *connection,
                               const char *schema, uint32_t table, PGresult **result,
                               struct error *error)
{
    char oid[16] = {0};
    text_from_uint64(table, oid);
    const struct postgres_parameter parameters[] = {{.text = schema}, {.text = oid}};
    return postgres_catalog_query(
        self, connection,
        "SELECT coalesce(has_schema_privilege(n.oid, 'CREATE'), "
        "has_database_privilege(current_database(), 'CREATE')), "
        "coalesce(has_schema_privilege(n.oid, 'USAGE'), true), "
        "has_database_privilege(current_database(), 'TEMP'), has_table_privilege(c.oid, 'INSERT'), "
        "has_table_privilege(c.oid, 'SELECT'), has_table_privilege(c.oid, 'UPDATE'), "
        "has_table_privilege(c.oid, 'DELETE'), pg_has_role(c.relowner, 'USAGE'), "
        "pg_get_userbyid(c.relowner), quote_ident(current_user), quote_ident($1), "
        "quote_ident(current_database()), n.oid IS NOT NULL FROM (SELECT 1) one LEFT JOIN "
        "pg_catalog.pg_namespace n ON n.nspname = $1 LEFT JOIN pg_catalog.pg_class c ON c.oid = "
        "$2::pg_catalog.oid",
        parameters, 2, SQL_SHORT, ERROR_TARGET_INVALID, result, error);
}

enum status postgres_may_temp(struct postgres_database *self, PGconn *connection, bool *granted,
                              struct error *error)
{
    PGresult *result = NULL;
    enum status status = read_rights(self, connection, self->sql.schema, 0, &result, error);
    *granted = status == STATUS_OK && PQntuples(result) == 1 && may(result, MAY_TEMP);
    PQclear(result);
    return status;
}

static bool overwrites(const struct target_table *table)
{
    return table->existing == EXISTING_UPSERT || table->existing == EXISTING_REPLACE;
}

/* ON CONFLICT takes no index of a constraint that may be checked late. */
static void check_deferrable(const struct target_table *table, const struct postgres_table *facts,
                             struct buffer *out)
{
    bool deferrable = false;
    for (uint32_t i = 0; facts != NULL && i < facts->schema->index_count; i++) {
        const struct schema_index *index = &facts->schema->indexes[i];
        if (postgres_is_key_index(index, table->key)) {
            if (!index->deferrable) {
                return;
            }
            deferrable = true;
        }
    }
    if (deferrable && overwrites(table)) {
        buffer_append_string(out, "the key of the table in the target is DEFERRABLE, by which "
                                  "upsert and replace can't find records: CREATE UNIQUE INDEX over "
                                  "its columns\n");
    }
}

/* Do records go by way of a temporary table? What a table that is made needs is the plan's types.
 */
static bool is_staged(const struct target_table *table, const struct postgres_table *facts,
                      const struct shape *const *shapes, uint32_t shape_count)
{
    bool staged = table->distinct ||
                  (facts != NULL && (overwrites(table) || table->existing == EXISTING_SKIP));
    for (uint32_t i = 0; facts != NULL && !staged && i < facts->schema->column_count; i++) {
        const struct postgres_column *column = &facts->columns[i];
        for (uint32_t k = 0; !staged && k < shape_count; k++) {
            staged = column->type.format == POSTGRES_AS_CAST && !column->generated &&
                     sql_shape_has(shapes[k], column->name, strcmp);
        }
    }
    return staged;
}

/* The statement that would give it, at the end of a line. */
static void append_grant(const struct postgres_database *self, const PGresult *rights,
                         const char *granted, const char *table, struct buffer *out)
{
    postgres_append(out, "GRANT %s ON %t TO %s\n", granted, &self->sql, table,
                    PQgetvalue(rights, 0, ROLE));
}

static void tell_of_table(const struct postgres_database *self, const struct check_request *request,
                          const PGresult *rights, struct buffer *out)
{
    const struct target_table *table = request->table;
    char printable[SQL_SHOWN_BYTES];
    if (!may(rights, MAY_INSERT) || !may(rights, MAY_SELECT)) {
        buffer_append_string(out, "the role may not read and write it: ");
        append_grant(self, rights, "SELECT, INSERT", table->name, out);
    }
    if (overwrites(table) && !may(rights, MAY_UPDATE)) {
        buffer_append_string(out,
                             "the role may not change its records, as upsert and replace do: ");
        append_grant(self, rights, "UPDATE", table->name, out);
    }
    if (request->loses_records && !may(rights, MAY_DELETE)) {
        buffer_append_string(out, "the role may not take records out of it: ");
        append_grant(self, rights, "DELETE", table->name, out);
    }
    if ((request->rebuilds_indexes || request->disables_triggers) && !may(rights, MAY_ALTER)) {
        buffer_format(out,
                      "the role does not own it, as --indexes rebuild and --triggers disable need: "
                      "GRANT the role %s to it\n",
                      sql_show_name(PQgetvalue(rights, 0, OWNER), printable));
    }
}

static void tell_of_schema(const struct postgres_database *self, const char *name,
                           const PGresult *rights, bool creates, bool staged, struct buffer *out)
{
    char shown[SQL_SHOWN_BYTES];
    const char *schema = PQgetvalue(rights, 0, SCHEMA);
    const char *role = PQgetvalue(rights, 0, ROLE);
    if (!may(rights, MAY_ENTER)) {
        buffer_format(out, "the role may not use the schema %s: GRANT USAGE ON SCHEMA %s TO %s\n",
                      sql_show_name(name, shown), schema, role);
    }
    if (!may(rights, IS_THERE) && !may(rights, MAY_CREATE)) {
        buffer_format(out,
                      "the schema %s is not there, and the role may not create it: GRANT CREATE ON "
                      "DATABASE %s TO %s\n",
                      sql_show_name(name, shown), PQgetvalue(rights, 0, DATABASE), role);
    } else if (creates && !may(rights, MAY_CREATE)) {
        buffer_format(out,
                      "the role may not create tables in the schema %s: GRANT CREATE ON SCHEMA %s "
                      "TO %s\n",
                      sql_show_name(name, shown), schema, role);
    }
    if (staged && !self->may_temp) {
        buffer_format(out,
                      "the role may not make temporary tables, by way of which its records go: "
                      "GRANT TEMP ON DATABASE %s TO %s\n",
                      PQgetvalue(rights, 0, DATABASE), role);
    }
}

/* Once: of the schema that is the ledger's alone. */
static enum status check_ledger_schema(struct postgres_database *self, PGconn *connection,
                                       struct buffer *out, struct error *error)
{
    const char *schema = self->sql.ledger_schema;
    PGresult *rights = NULL;
    if (schema == NULL || self->ledger_schema_checked) {
        return STATUS_OK;
    }
    enum status status = read_rights(self, connection, schema, 0, &rights, error);
    if (status == STATUS_OK) {
        self->ledger_schema_checked = true;
        tell_of_schema(self, schema, rights, true, false, out);
    }
    PQclear(rights);
    return status;
}

/* The rights that the role lacks, before anything is written. */
static enum status check_rights(struct postgres_database *self, PGconn *connection,
                                const struct check_request *request,
                                const struct postgres_table *facts, bool staged, struct buffer *out,
                                struct error *error)
{
    const char *schema = sql_place_of(&self->sql, request->table->name).schema;
    PGresult *rights = NULL;
    if (check_ledger_schema(self, connection, out, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (facts == NULL && self->may_create_in == schema && (self->may_temp || !staged)) {
        return STATUS_OK; /* asked already */
    }
    enum status status =
        read_rights(self, connection, schema, facts != NULL ? facts->oid : 0, &rights, error);
    if (status == STATUS_OK) {
        self->may_create_in = may(rights, MAY_CREATE) ? schema : NULL;
        self->may_temp = may(rights, MAY_TEMP);
        /* with its ledger elsewhere a run makes nothing beside a table that is there, but objects
         */
        bool creates =
            facts == NULL || self->sql.ledger_schema == NULL || request->table->same_engine != NULL;
        tell_of_schema(self, schema, rights, creates, staged, out);
        if (facts != NULL) {
            tell_of_table(self, request, rights, out);
        }
    }
    PQclear(rights);
    return status;
}

/* ---------------------------------------------------------------- what is there */

static void tell_of_rule(const char *name, char event, struct buffer *out)
{
    char printable[SQL_SHOWN_BYTES];
    buffer_format(out, "the rule %s of the table, ON %s, can't be written past: %s: DROP RULE%s\n",
                  sql_show_name(name, printable),
                  event == '2'   ? "UPDATE"
                  : event == '3' ? "INSERT"
                                 : "DELETE",
                  event == '4' ? "records can't be taken out of it and kept"
                               : "upsert and replace need ON CONFLICT",
                  event == '2' ? "" : ", or DISABLE RULE");
}

/* Statements that the server refuses for a table with such rules. */
static enum status check_rules(struct postgres_database *self, PGconn *connection,
                               const struct check_request *request,
                               const struct postgres_table *facts, struct buffer *out,
                               struct error *error)
{
    bool overwriting = overwrites(request->table);
    bool silent = false;
    char oid[16] = {0};
    PGresult *result = NULL;
    if (facts == NULL || (!overwriting && !request->loses_records)) {
        return STATUS_OK;
    }
    if (request->triggers_off &&
        postgres_may_silence(self, connection, &silent, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    text_from_uint64(facts->oid, oid);
    const struct postgres_parameter parameters[] = {{.text = oid},
                                                    {.text = overwriting ? "t" : "f"},
                                                    {.text = request->loses_records ? "t" : "f"},
                                                    {.text = silent ? "AR" : "AO"}};
    enum status status = postgres_catalog_query(self, connection, sql_rules, parameters, 4,
                                                SQL_SHORT, ERROR_TARGET_INVALID, &result, error);
    if (status == STATUS_OK && PQntuples(result) > 0) {
        tell_of_rule(PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1)[0], out);
    }
    PQclear(result);
    return status;
}

/* A foreign key of a table that is to be made, to one that is there. */
static enum status check_reference(struct postgres_database *self, PGconn *connection,
                                   const char *name, struct buffer *out, struct error *error)
{
    const struct postgres_table *facts = postgres_catalog_find(self->tables, name);
    char printable[SQL_SHOWN_BYTES];
    char oid[16] = {0};
    PGresult *result = NULL;
    if (facts == NULL) {
        return STATUS_OK;
    }
    text_from_uint64(facts->oid, oid);
    const struct postgres_parameter parameter = {.text = oid};
    enum status status =
        postgres_catalog_query(self, connection,
                               "SELECT has_any_column_privilege($1::pg_catalog.oid, 'REFERENCES'), "
                               "quote_ident(current_user)",
                               &parameter, 1, SQL_SHORT, ERROR_TARGET_INVALID, &result, error);
    if (status == STATUS_OK && !may(result, 0)) {
        postgres_append(out, "the role may not refer to %s: GRANT REFERENCES ON %t TO %s\n",
                        sql_show_name(name, printable), &self->sql, name, PQgetvalue(result, 0, 1));
    }
    PQclear(result);
    return status;
}

static enum status check_elsewhere(struct postgres_database *self, PGconn *connection,
                                   const struct schema_foreign_key *key, struct buffer *out,
                                   struct error *error)
{
    char printable[SQL_SHOWN_BYTES];
    bool found = false;
    bool granted = false;
    enum status status = postgres_look_elsewhere(self, connection, key, &found, &granted, error);
    if (found && !granted) {
        buffer_format(out,
                      "the role may not refer to %s: GRANT USAGE of its schema, and REFERENCES\n",
                      sql_show_name(key->references, printable));
    }
    return status;
}

static enum status check_references(struct postgres_database *self, PGconn *connection,
                                    const struct target_table *table, struct buffer *out,
                                    struct error *error)
{
    const struct schema_table *same = table->same_engine;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; same != NULL && status == STATUS_OK && i < same->foreign_key_count; i++) {
        const struct schema_foreign_key *key = &same->foreign_keys[i];
        status = key->references_schema != NULL
                     ? check_elsewhere(self, connection, key, out, error)
                     : check_reference(self, connection, key->references, out, error);
    }
    for (uint32_t i = 0; same == NULL && status == STATUS_OK && i < table->reference_count; i++) {
        status = check_reference(self, connection, table->references[i].table, out, error);
    }
    return status;
}

/* ---------------------------------------------------------------- the table */

enum status postgres_check_table(struct database *database, const struct check_request *request,
                                 struct buffer *out, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    const struct target_table *table = request->table;
    const struct postgres_table *facts = NULL;
    PGconn *connection = NULL;

    const struct sql_table_place place = sql_place_of(&self->sql, table->name);
    check_name("table", place.name, out);
    check_name("schema", place.schema, out);
    if (strncmp(place.name, "_transhume_", 11) == 0) {
        buffer_append_string(out, "names that begin with _transhume_ are the ledger's\n");
    }
    check_columns(table, out);
    enum status status = postgres_control(self, &connection, error);
    if (status == STATUS_OK && self->tables == NULL) {
        status = postgres_target_read(self, connection, error);
    }
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    facts = postgres_catalog_find(self->tables, table->name);
    if (facts != NULL && facts->schema->kind != SCHEMA_TABLE) {
        buffer_append_string(out,
                             "the target has a view or foreign table of this name, which is not "
                             "written to\n");
        return STATUS_OK;
    }
    for (uint32_t i = 0; facts != NULL && i < request->shape_count; i++) {
        sql_check_shape(request, i, facts->schema, strcmp, out);
    }
    /* ON CONFLICT needs a unique index over exactly the key's columns */
    sql_check_key(table, facts != NULL ? facts->schema : NULL, strcmp,
                  "primary key or unique index", out);
    check_deferrable(table, facts, out);
    status =
        check_rights(self, connection, request, facts,
                     is_staged(table, facts, request->shapes, request->shape_count), out, error);
    status =
        status == STATUS_OK ? check_rules(self, connection, request, facts, out, error) : status;
    return status == STATUS_OK && facts == NULL
               ? check_references(self, connection, table, out, error)
               : status;
}
