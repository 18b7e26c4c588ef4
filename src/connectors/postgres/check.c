/* Whether a plan's table fits PostgreSQL and what is in the target already: a line for each
 * fault. */
#include "connectors/sql/check.h"
#include "base/text.h"
#include "connectors/postgres/target.h"
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

static bool may(const PGresult *result, int column)
{
    return PQgetvalue(result, 0, column)[0] == 't';
}

/* What the role lacks, before anything is written. */
static enum status check_rights(struct postgres_database *self, PGconn *connection,
                                const struct target_table *table,
                                const struct postgres_table *facts, struct buffer *out,
                                struct error *error)
{
    char printable[SQL_SHOWN_BYTES];
    char oid[16] = {0};
    text_from_uint64(facts != NULL ? facts->oid : 0, oid);
    const struct postgres_parameter parameters[] = {{.text = self->schema}, {.text = oid}};
    PGresult *result = NULL;
    enum status status = postgres_query(
        self, connection,
        "SELECT has_schema_privilege(n.oid, 'CREATE'), has_database_privilege(current_database(), "
        "'TEMP'), has_table_privilege(c.oid, 'INSERT'), has_table_privilege(c.oid, 'SELECT'), "
        "has_table_privilege(c.oid, 'UPDATE'), pg_has_role(c.relowner, 'USAGE'), "
        "pg_get_userbyid(c.relowner) FROM pg_catalog.pg_namespace n LEFT JOIN "
        "pg_catalog.pg_class c ON c.oid = $2::pg_catalog.oid WHERE n.nspname = $1",
        parameters, 2, POSTGRES_SHORT, ERROR_TARGET_INVALID, &result, error);
    self->may_create = status == STATUS_OK && may(result, 0);
    if (status == STATUS_OK && !may(result, 0)) {
        buffer_format(out, "the role may not create tables in the schema %s: GRANT CREATE\n",
                      self->schema);
    }
    if (status == STATUS_OK && facts != NULL && (!may(result, 2) || !may(result, 3))) {
        buffer_append_string(out, "the role may not read and write it: GRANT SELECT, INSERT\n");
    }
    bool rebuilds = facts != NULL && (table->rebuilds_indexes || table->disables_triggers);
    if (status == STATUS_OK && rebuilds && !may(result, 5)) {
        buffer_format(out,
                      "the role does not own it, as --indexes rebuild and --triggers disable need: "
                      "GRANT the role %s to it\n",
                      sql_show_name(PQgetvalue(result, 0, 6), printable));
    }
    PQclear(result);
    return status;
}

enum status postgres_check_table(struct database *database, const struct target_table *table,
                                 const struct shape *const *shapes, uint32_t shape_count,
                                 struct buffer *out, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    const struct postgres_table *facts = NULL;
    PGconn *connection = NULL;

    check_name("table", table->name, out);
    if (strncmp(table->name, "_transhume_", 11) == 0) {
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
    for (uint32_t i = 0; facts != NULL && i < shape_count; i++) {
        sql_check_shape(facts->schema, shapes[i], strcmp, out);
    }
    /* ON CONFLICT needs a unique index over exactly the key's columns */
    sql_check_key(table, facts != NULL ? facts->schema : NULL, strcmp,
                  "primary key or unique index", out);
    if (facts == NULL && self->may_create) {
        return STATUS_OK; /* asked already */
    }
    return check_rights(self, connection, table, facts, out, error);
}
