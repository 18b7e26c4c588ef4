/* A run's notes, in the ledger's table, of the tables that it makes, and our own tables beside the
 * data, by their names. */
#include "base/text.h"
#include "connectors/common/store_key.h"
#include "connectors/postgres/store.h"
#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------- tables that the run made */

/* The value of a note is the table's name, so that statements can join with it. */
static const char made[] = "made";

void postgres_append_made(struct buffer *sql, const struct postgres_database *self)
{
    char prefix[STORE_KEY_BYTES];
    store_note_key(prefix, self->sql.run_id, made, "");
    postgres_append(sql, "(SELECT value AS name FROM %t", &self->sql, SQL_STORE_TABLE);
    /* '0' comes after the '/' at the prefix's end */
    buffer_format(sql, " WHERE name >= '%s' AND name < '%.*s0')", prefix, (int)strlen(prefix) - 1,
                  prefix);
}

void postgres_append_made_by_any(struct buffer *sql, const struct postgres_database *self)
{
    postgres_append(sql,
                    "(SELECT value AS name FROM %t WHERE name >= 'run/' AND name < 'run0' AND "
                    "name LIKE 'run/%%/note/made/%%')",
                    &self->sql, SQL_STORE_TABLE);
}

enum status postgres_note_made(struct postgres_database *self, PGconn *connection,
                               const char *table, struct error *error)
{
    char key[STORE_KEY_BYTES];
    if (self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    store_note_key(key, self->sql.run_id, made, table);
    return postgres_put_note(self, connection, key, table, error);
}

/* `verb` the note of a table. */
static enum status ask_note(struct postgres_database *self, PGconn *connection, const char *verb,
                            const char *table, PGresult **result, struct error *error)
{
    char key[STORE_KEY_BYTES];
    store_note_key(key, self->sql.run_id, made, table);
    return postgres_query_buffer(
        self, connection,
        postgres_sql("%s%t WHERE name = '%s'", verb, &self->sql, SQL_STORE_TABLE, key), NULL, 0,
        SQL_SHORT, ERROR_LEDGER_INVALID, result, error);
}

enum status postgres_is_noted_made(struct postgres_database *self, PGconn *connection,
                                   const char *table, bool *found, struct error *error)
{
    PGresult *result = NULL;
    *found = false;
    if (self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    enum status status = ask_note(self, connection, "SELECT 1 FROM ", table, &result, error);
    *found = status == STATUS_OK && PQntuples(result) > 0;
    PQclear(result);
    return status;
}

enum status postgres_forget_made(struct postgres_database *self, PGconn *connection,
                                 const char *table, struct error *error)
{
    return ask_note(self, connection, "DELETE FROM ", table, NULL, error);
}

enum status postgres_forget_notes(struct postgres_database *self, PGconn *connection,
                                  const char *run_id, bool *last, struct error *error)
{
    char key[STORE_KEY_BYTES];
    char guest[STORE_KEY_BYTES];
    struct buffer sql = {0};
    PGresult *result = NULL;
    store_name_key(key, "run/", run_id);
    store_name_key(guest, STORE_GUEST_PREFIX, run_id);
    postgres_append(
        &sql, "DELETE FROM %t WHERE (name >= '%s/note/' AND name < '%s/note0') OR name = '%s'",
        &self->sql, SQL_STORE_TABLE, key, key, guest);
    enum status status = postgres_query_buffer(self, connection, &sql, NULL, 0, SQL_LONG,
                                               ERROR_TARGET_WRITE, NULL, error);
    if (status == STATUS_OK) {
        postgres_append(&sql, "SELECT 1 FROM %t LIMIT 1", &self->sql, SQL_STORE_TABLE);
        status = postgres_query_buffer(self, connection, &sql, NULL, 0, SQL_LONG,
                                       ERROR_LEDGER_INVALID, &result, error);
    }
    *last = status == STATUS_OK && PQntuples(result) == 0;
    PQclear(result);
    return status;
}

/* ---------------------------------------------------------------- our own tables */

static void append_prefix(const char *kind, const char *run_id, char prefix[SQL_OWN_NAME_BYTES])
{
    snprintf(prefix, SQL_OWN_NAME_BYTES, "_transhume_%s_%.26s_", kind, run_id);
}

void postgres_own_name(const struct sql_database *self, const char *kind, const char *table,
                       char name[SQL_OWN_NAME_BYTES])
{
    char prefix[SQL_OWN_NAME_BYTES];
    append_prefix(kind, self->run_id != NULL ? self->run_id : "", prefix);
    sql_own_name(prefix, table, name);
}

void postgres_append_own_table(struct buffer *sql, const struct postgres_database *self,
                               const char *kind, const char *table)
{
    char name[SQL_OWN_NAME_BYTES];
    postgres_own_name(&self->sql, kind, table, name);
    postgres_append_table(sql, self, name);
}

enum status postgres_list_own(struct postgres_database *self, PGconn *connection,
                              const char *prefix, PGresult **names, struct error *error)
{
    const struct postgres_parameter parameters[] = {{.text = sql_ledger_schema(&self->sql)},
                                                    {.text = prefix}};
    return postgres_catalog_query(
        self, connection,
        "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
        "c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r' AND "
        "pg_catalog.starts_with(c.relname::text, $2) AND NOT "
        "pg_catalog.starts_with(c.relname::text, '" HISTORY_TABLE "')",
        parameters, 2, SQL_SHORT, ERROR_TARGET_WRITE, names, error);
}

enum status postgres_list_own_of(struct postgres_database *self, PGconn *connection,
                                 const char *kind, const char *run_id, PGresult **names,
                                 struct error *error)
{
    char prefix[SQL_OWN_NAME_BYTES];
    append_prefix(kind, run_id, prefix);
    return postgres_list_own(self, connection, prefix, names, error);
}

enum status postgres_drop_listed(struct postgres_database *self, PGconn *connection,
                                 PGresult *names, enum status status, struct error *error)
{
    struct buffer sql = {0};
    for (int i = 0; status == STATUS_OK && i < PQntuples(names); i++) {
        postgres_append(&sql, "%s%t", i == 0 ? "DROP TABLE " : ", ", &self->sql,
                        PQgetvalue(names, i, 0));
    }
    PQclear(names);
    if (status != STATUS_OK || buffer_is_empty(&sql)) {
        buffer_free(&sql);
        return status;
    }
    return postgres_execute_buffer(self, connection, &sql, SQL_LONG, ERROR_TARGET_WRITE, error);
}

enum status postgres_drop_own(struct postgres_database *self, PGconn *connection, const char *kind,
                              const char *run_id, struct error *error)
{
    PGresult *names = NULL;
    enum status status = postgres_list_own_of(self, connection, kind, run_id, &names, error);
    return postgres_drop_listed(self, connection, names, status, error);
}
