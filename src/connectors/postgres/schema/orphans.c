/* Orphaned rows (their foreign key points nowhere): deleted from the tables that a run made, and
 * told to the engine until the run has settled. */
#include "connectors/postgres/schema/orphans.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "connectors/postgres/locks.h"
#include "connectors/postgres/source.h"
#include <string.h>

static void append_kept(struct buffer *sql, const struct postgres_database *self, const char *table)
{
    char name[SQL_OWN_NAME_BYTES];
    sql_orphans_name(self->sql.run_id, table, name);
    postgres_append_table(sql, self, name);
}

/* ---------------------------------------------------------------- how they are asked for */

static void append_table(struct buffer *out, const void *self, const char *name)
{
    postgres_append_table(out, self, name);
}

static void append_literal(struct buffer *out, const void *self, const char *text)
{
    (void)self;
    postgres_append_text(out, text, strlen(text));
}

static void append_shown(struct buffer *out, const char *name)
{
    postgres_append(out, "coalesce(pg_catalog.left(t.%n::pg_catalog.text, 80), 'NULL')", name);
}

struct sql_orphans postgres_orphans(const struct postgres_database *self)
{
    return (struct sql_orphans){.self = self,
                                .append_table = append_table,
                                .append_name = postgres_append_name,
                                .append_literal = append_literal,
                                .append_shown = append_shown,
                                .joined_by = " || "};
}

const char *postgres_orphans_cell(void *rows, uint32_t row, uint32_t column)
{
    return PQgetvalue(rows, (int)row, (int)column);
}

/* ---------------------------------------------------------------- taking them out */

struct taking {
    struct postgres_database *self;
    PGconn *connection;
};

static enum status postgres_orphans_execute(const struct taking *taking, struct buffer *sql,
                                            PGresult **result, struct error *error)
{
    return postgres_query_buffer(taking->self, taking->connection, sql, NULL, 0, SQL_BUILD,
                                 ERROR_TARGET_WRITE, result, error);
}

/* Keys of others' tables that would do something to their records. */
static enum status refuse_others(const struct taking *taking, const char *table,
                                 struct error *error)
{
    const struct sql_table_place place = sql_place_of(&taking->self->sql, table);
    const struct postgres_parameter parameters[] = {{.text = place.schema}, {.text = place.name}};
    PGresult *result = NULL;
    enum status status = postgres_catalog_query(
        taking->self, taking->connection,
        "SELECT k.conname, k.conrelid::pg_catalog.regclass FROM pg_catalog.pg_constraint k JOIN "
        "pg_catalog.pg_class c ON c.oid = k.confrelid JOIN pg_catalog.pg_namespace n ON n.oid = "
        "c.relnamespace WHERE k.contype = 'f' AND n.nspname = $1 AND c.relname = $2 AND "
        "k.confdeltype IN ('c', 'n', 'd') ORDER BY 1 LIMIT 1",
        parameters, 2, SQL_SHORT, ERROR_TARGET_INVALID, &result, error);
    if (status == STATUS_OK && PQntuples(result) > 0) {
        status = error_set(error, ERROR_TARGET_SCHEMA, table,
                           "orphaned rows can't be deleted from it: the foreign key %s "
                           "of %s would change what refers to them",
                           PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1));
        error_hint(error, "drop that key, which the run did not make, then `transhume resume`");
    }
    PQclear(result);
    return status;
}

/* Locked so that no key comes to it meanwhile. */
static enum status make_room(const struct taking *taking, const char *table, struct error *error)
{
    struct buffer sql = {0};
    postgres_append(&sql, "LOCK TABLE %t IN SHARE ROW EXCLUSIVE MODE", &taking->self->sql, table);
    if (postgres_orphans_execute(taking, &sql, NULL, error) != STATUS_OK ||
        refuse_others(taking, table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&sql, "CREATE TABLE IF NOT EXISTS ");
    append_kept(&sql, taking->self, table);
    buffer_append_string(&sql, " (" SQL_ORPHANS_REASON " pg_catalog.text NOT NULL, LIKE ");
    postgres_append_table(&sql, taking->self, table);
    buffer_append_string(&sql, ", " SQL_ORPHANS_NUMBER
                               " pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY)");
    return postgres_orphans_execute(taking, &sql, NULL, error);
}

static enum status orphan_take(void *context, const struct sql_orphans *orphans, uint64_t *taken,
                               struct error *error)
{
    const struct taking *taking = context;
    struct buffer sql = {0};
    PGresult *result = NULL;
    buffer_append_string(&sql, "WITH gone AS (DELETE");
    sql_orphans_append_from(&sql, orphans);
    buffer_append_string(&sql, " RETURNING ");
    sql_orphans_append_reason(&sql, orphans);
    buffer_append_string(&sql, ", t.*) INSERT INTO ");
    append_kept(&sql, taking->self, orphans->table);
    buffer_append_string(&sql, " SELECT * FROM gone");
    enum status status = postgres_orphans_execute(taking, &sql, &result, error);
    if (status == STATUS_OK) {
        status = postgres_rows_changed(result, taken);
    } else if (strcmp(error->native_state, "23503") == 0 ||
               strcmp(error->native_state, "23001") == 0) { /* of RESTRICT, since PostgreSQL 18 */
        error_hint(error, "a foreign key that the run did not make refers to orphaned rows; "
                          "drop it, then `transhume resume`");
    }
    PQclear(result);
    return status;
}

static enum status ask_number(void *context, struct buffer *sql, uint64_t *number,
                              struct error *error)
{
    PGresult *result = NULL;
    enum status status = postgres_orphans_execute(context, sql, &result, error);
    if (status == STATUS_OK) {
        const char *text = PQgetvalue(result, 0, 0);
        status = text_to_uint64(text, strlen(text), number);
    }
    PQclear(result);
    return status;
}

static enum status take_all(struct taking *taking, struct sql_reference *references, uint32_t count,
                            struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        if (references[i].touched && sql_reference_is_first(references, count, &references[i])) {
            status = make_room(taking, references[i].orphans.table, error);
        }
    }
    if (status == STATUS_OK) {
        status = sql_references_mend(references, count, taking->self->sql.run_id, orphan_take,
                                     ask_number, taking, error);
    }
    if (status == STATUS_OK) {
        status = postgres_check_claim(taking->self, taking->connection, error);
    }
    return status == STATUS_OK ? failpoint_hit("postgres.before_orphans", error) : status;
}

enum status postgres_orphans_take(struct postgres_database *self, struct sql_reference *references,
                                  uint32_t count, struct error *error)
{
    struct taking taking = {.self = self};
    if (postgres_begin_brief(self, &taking.connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        postgres_end(self, taking.connection, take_all(&taking, references, count, error), error);
    return status == STATUS_OK ? failpoint_hit("postgres.after_orphans", error) : status;
}
