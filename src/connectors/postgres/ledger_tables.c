/* The ledger's tables in the target: their layout, and what the run made. */
#include "base/text.h"
#include "connectors/postgres/target.h"
#include "postgres_sql.h"
#include <string.h>

enum { LEDGER_TABLES = 4 };

enum status postgres_ledger_invalid(const struct postgres_database *self, const char *what,
                                    struct error *error)
{
    error_set(error, ERROR_LEDGER_INVALID, self->shown, "the ledger in the target is damaged: %s",
              what);
    error_hint(error, "it was edited or cut; restore the target from a backup, or start anew with "
                      "an empty schema");
    return STATUS_FAILED;
}

enum status postgres_ledger_check(struct postgres_database *self, PGconn *connection,
                                  struct error *error)
{
    const struct postgres_parameter schema = {.text = self->schema};
    struct buffer sql = {0};
    PGresult *result = NULL;
    int64_t count = 0;
    int64_t format = 0;
    enum status status = postgres_query(
        self, connection,
        "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
        "c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r' AND c.relname IN "
        "('_transhume_run', '_transhume_chunk', '_transhume_done', '_transhume_made')",
        &schema, 1, POSTGRES_SHORT, ERROR_TARGET_INVALID, &result, error);
    if (status == STATUS_OK) {
        status = text_to_int64(PQgetvalue(result, 0, 0), strlen(PQgetvalue(result, 0, 0)), &count);
    }
    PQclear(result);
    if (status != STATUS_OK || count == 0) {
        return status == STATUS_OK ? STATUS_END : status;
    }
    if (count != LEDGER_TABLES) {
        return postgres_ledger_invalid(self, "one of its tables is missing", error);
    }
    buffer_append_string(&sql, "SELECT coalesce(max(format), 1) FROM ");
    postgres_append_table(&sql, self, "_transhume_run");
    status = postgres_query_buffer(self, connection, &sql, NULL, 0, POSTGRES_SHORT,
                                   ERROR_LEDGER_INVALID, &result, error);
    if (status == STATUS_OK) {
        status = text_to_int64(PQgetvalue(result, 0, 0), strlen(PQgetvalue(result, 0, 0)), &format);
    }
    PQclear(result);
    if (status == STATUS_OK && format > POSTGRES_LEDGER_FORMAT) {
        error_set(error, ERROR_FORMAT_NEWER, self->shown,
                  "the ledger in the target has format %lld, this version knows %d",
                  (long long)format, POSTGRES_LEDGER_FORMAT);
        error_hint(error, "go on with the version of transhume that began the run, or a later one");
        return STATUS_FAILED;
    }
    return status;
}

/* ---------------------------------------------------------------- tables that the run made */

enum status postgres_ledger_note_made(struct postgres_database *self, PGconn *connection,
                                      const char *table, struct error *error)
{
    const struct postgres_parameter parameters[] = {{.text = self->run_id}, {.text = table}};
    struct buffer sql = {0};
    if (self->run_id == NULL) {
        return STATUS_OK;
    }
    buffer_append_string(&sql, "INSERT INTO ");
    postgres_append_table(&sql, self, "_transhume_made");
    buffer_append_string(&sql, " (run, name) VALUES ($1, $2) ON CONFLICT DO NOTHING");
    return postgres_query_buffer(self, connection, &sql, parameters, 2, POSTGRES_SHORT,
                                 ERROR_TARGET_WRITE, NULL, error);
}

enum status postgres_ledger_was_made(struct postgres_database *self, PGconn *connection,
                                     const char *table, bool *made, struct error *error)
{
    const struct postgres_parameter parameters[] = {{.text = self->run_id}, {.text = table}};
    struct buffer sql = {0};
    PGresult *result = NULL;

    *made = false;
    if (self->run_id == NULL) {
        return STATUS_OK;
    }
    buffer_append_string(&sql, "SELECT 1 FROM ");
    postgres_append_table(&sql, self, "_transhume_made");
    buffer_append_string(&sql, " WHERE run = $1 AND name = $2");
    enum status status =
        postgres_query_buffer(self, connection, &sql, parameters, 2, POSTGRES_SHORT,
                              ERROR_LEDGER_INVALID, &result, error);
    *made = status == STATUS_OK && PQntuples(result) > 0;
    PQclear(result);
    return status;
}

/* ---------------------------------------------------------------- keys that the run wrote */

void postgres_append_key_table(struct buffer *sql, const struct postgres_database *self,
                               const char *table)
{
    postgres_append_hashed_table(sql, self, "_transhume_key_", table);
}

void postgres_append_hashed_table(struct buffer *sql, const struct postgres_database *self,
                                  const char *prefix, const char *table)
{
    char name[SQL_OWN_NAME_BYTES];
    sql_own_name(prefix, table, name);
    postgres_append_table(sql, self, name);
}

enum status postgres_drop_key_tables(struct postgres_database *self, PGconn *connection,
                                     struct error *error)
{
    return postgres_drop_own(self, connection, "_transhume_key_", error);
}

/* ---------------------------------------------------------------- dropping */

enum status postgres_drop_listed(struct postgres_database *self, PGconn *connection,
                                 PGresult *names, enum status status, struct error *error)
{
    struct buffer sql = {0};
    for (int i = 0; status == STATUS_OK && i < PQntuples(names); i++) {
        buffer_append_string(&sql, i == 0 ? "DROP TABLE " : ", ");
        postgres_append_table(&sql, self, PQgetvalue(names, i, 0));
    }
    PQclear(names);
    if (status != STATUS_OK || buffer_is_empty(&sql)) {
        buffer_free(&sql);
        return status;
    }
    return postgres_execute_buffer(self, connection, &sql, POSTGRES_LONG, ERROR_TARGET_WRITE,
                                   error);
}

enum status postgres_list_own(struct postgres_database *self, PGconn *connection,
                              const char *prefix, PGresult **names, struct error *error)
{
    const struct postgres_parameter parameters[] = {{.text = self->schema}, {.text = prefix}};
    return postgres_query(
        self, connection,
        "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
        "c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r' AND "
        "pg_catalog.starts_with(c.relname::text, $2)",
        parameters, 2, POSTGRES_SHORT, ERROR_TARGET_WRITE, names, error);
}

enum status postgres_drop_own(struct postgres_database *self, PGconn *connection,
                              const char *prefix, struct error *error)
{
    PGresult *names = NULL;
    enum status status = postgres_list_own(self, connection, prefix, &names, error);
    return postgres_drop_listed(self, connection, names, status, error);
}
