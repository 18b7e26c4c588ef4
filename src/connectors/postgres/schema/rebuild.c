/* Indexes and triggers of tables that are there: which go for the load, noted before they do. */
#include "connectors/postgres/schema/rebuild.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/postgres/locks.h"
#include "connectors/postgres/store.h"
#include "connectors/sql/check.h"
#include "postgres_sql.h"
#include <string.h>

/* The rows of rebuild.sql. */
enum { ROW_WHAT, ROW_NAME, ROW_MAKE, ROW_UNDO, ROW_REMARK, ROW_UNIQUE, ROW_COLUMNS, ROW_KEPT };

static const char notes_table[] = "_transhume_rebuild";
static const char notes_columns[] =
    "(run text NOT NULL, number bigint GENERATED ALWAYS AS IDENTITY, owner text NOT NULL, "
    "what text NOT NULL, name text NOT NULL, make text NOT NULL, undo text NOT NULL, "
    "remark text NOT NULL, columns text[], PRIMARY KEY (run, undo))";

struct rebuilding {
    struct postgres_database *self;
    PGconn *connection;
    const struct prepare_request *request;
    bool in_use;
    struct error *error;
};

static enum status postgres_rebuild_ask(const struct rebuilding *rebuilding, struct buffer *sql,
                                        const struct postgres_parameter *parameters, int count,
                                        PGresult **result)
{
    return postgres_query_buffer(rebuilding->self, rebuilding->connection, sql, parameters, count,
                                 SQL_SHORT, ERROR_TARGET_SCHEMA, result, rebuilding->error);
}

/* ---------------------------------------------------------------- what there is */

enum status postgres_in_use(struct postgres_database *self, PGconn *connection, bool *in_use,
                            struct error *error)
{
    PGresult *result = NULL;
    enum status status = postgres_catalog_query(
        self, connection,
        "SELECT 1 FROM pg_catalog.pg_stat_activity WHERE datname = current_database() AND "
        "backend_type = 'client backend' AND application_name <> "
        "pg_catalog.current_setting('application_name') LIMIT 1",
        NULL, 0, SQL_SHORT, ERROR_TARGET_INVALID, &result, error);
    *in_use = status == STATUS_OK && PQntuples(result) > 0;
    PQclear(result);
    return status;
}

static enum status is_filled(const struct rebuilding *rebuilding, const char *table, bool *filled)
{
    PGresult *result = NULL;
    enum status status = postgres_rebuild_ask(
        rebuilding, postgres_sql("SELECT 1 FROM %t LIMIT 1", &rebuilding->self->sql, table), NULL,
        0, &result);
    *filled = status == STATUS_OK && PQntuples(result) > 0;
    PQclear(result);
    return status;
}

static enum status read_table(const struct rebuilding *rebuilding,
                              const struct postgres_table *facts, PGresult **rows)
{
    char oid[24] = {0};
    text_from_uint64(facts->oid, oid);
    const struct postgres_parameter parameter = {.text = oid};
    return postgres_catalog_query(rebuilding->self, rebuilding->connection, sql_rebuild, &parameter,
                                  1, SQL_SHORT, ERROR_TARGET_INVALID, rows, rebuilding->error);
}

static bool is_of_key(const struct target_table *table, const struct postgres_table *facts,
                      const char *name)
{
    for (uint32_t i = 0; i < facts->schema->index_count; i++) {
        const struct schema_index *index = &facts->schema->indexes[i];
        if (strcmp(index->name, name) == 0) {
            return postgres_is_key_index(index, table->key);
        }
    }
    return false;
}

/* Why something stays; "": nobody asked for it; NULL: it goes. What is unique goes only where the
 * records that come to stand in its way can be no one else's. */
static const char *why_kept(const struct rebuilding *rebuilding, const struct target_table *table,
                            const struct postgres_table *facts, bool filled, const PGresult *rows,
                            int row)
{
    bool trigger = strcmp(PQgetvalue(rows, row, ROW_WHAT), "trigger") == 0;
    if (trigger || !rebuilding->request->rebuilds_indexes) {
        return trigger && rebuilding->request->disables_triggers ? NULL : "";
    }
    if (PQgetisnull(rows, row, ROW_KEPT) == 0) {
        return PQgetvalue(rows, row, ROW_KEPT);
    }
    if (PQgetvalue(rows, row, ROW_UNIQUE)[0] != 't') {
        return NULL;
    }
    return filled               ? "it is unique, and the table holds records already"
           : rebuilding->in_use ? "it is unique, and others are connected to the database"
           : table->distinct || table->keeps_undo ||
                   is_of_key(table, facts, PQgetvalue(rows, row, ROW_NAME))
               ? "records are written by it"
               : NULL;
}

/* ---------------------------------------------------------------- foretelling */

static void tell_row(const struct rebuilding *rebuilding, const struct target_table *table,
                     const PGresult *rows, int row, const char *kept, struct buffer *out)
{
    char name[SQL_SHOWN_BYTES];
    char owner[SQL_SHOWN_BYTES];
    const char *what = PQgetvalue(rows, row, ROW_WHAT);
    if (kept != NULL && kept[0] == '\0') {
        return;
    }
    buffer_format(out, "%s: the %s %s ", sql_show_name(table->name, owner), what,
                  sql_show_name(PQgetvalue(rows, row, ROW_NAME), name));
    if (kept != NULL) {
        buffer_format(out, "stays: %s\n", kept);
    } else if (strcmp(what, "trigger") == 0) {
        buffer_format(out, "is disabled for the load, and enabled again after it%s\n",
                      rebuilding->in_use ? "; others are connected to the database, and for what "
                                           "they write it does not fire either"
                                         : "");
    } else {
        buffer_format(out, "is dropped for the load, and made again after it%s\n",
                      rebuilding->in_use ? ", concurrently, since others are connected to the "
                                           "database"
                                         : "");
    }
}

static enum status foretell(const struct rebuilding *rebuilding, const struct target_table *table,
                            struct buffer *out)
{
    const struct postgres_table *facts =
        postgres_catalog_find(rebuilding->self->tables, table->name);
    PGresult *rows = NULL;
    bool filled = false;
    if (facts == NULL || facts->schema->kind != SCHEMA_TABLE) {
        return STATUS_OK;
    }
    enum status status = is_filled(rebuilding, table->name, &filled);
    status = status == STATUS_OK ? read_table(rebuilding, facts, &rows) : status;
    for (int row = 0; status == STATUS_OK && row < PQntuples(rows); row++) {
        tell_row(rebuilding, table, rows, row,
                 why_kept(rebuilding, table, facts, filled, rows, row), out);
    }
    PQclear(rows);
    return status;
}

enum status postgres_foretell(struct database *database, const struct prepare_request *request,
                              struct buffer *out, struct error *error)
{
    struct rebuilding rebuilding = {
        .self = postgres_database_of(database), .request = request, .error = error};
    struct postgres_database *self = rebuilding.self;
    enum status status = postgres_control(self, &rebuilding.connection, error);
    if (status == STATUS_OK && self->tables == NULL) {
        status = postgres_target_read(self, rebuilding.connection, error);
    }
    if (status == STATUS_OK) {
        status = postgres_in_use(self, rebuilding.connection, &rebuilding.in_use, error);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < request->table_count; i++) {
        status = foretell(&rebuilding, &request->tables[i], out);
    }
    return status;
}

/* ---------------------------------------------------------------- noting */

enum status postgres_rebuild_noted(struct postgres_database *self, PGconn *connection, bool *found,
                                   struct error *error)
{
    return postgres_has_own(self, connection, notes_table, found, error);
}

bool postgres_rebuild_is_switch(const PGresult *list, int row)
{
    const char *what = PQgetvalue(list, row, REBUILD_WHAT);
    return strcmp(what, "trigger") == 0 || strcmp(what, "rule") == 0;
}

enum status postgres_rebuild_make(struct postgres_database *self, PGconn *connection,
                                  struct error *error)
{
    return postgres_make_shared(self, connection, notes_table, notes_columns, error);
}

enum status postgres_rebuild_note(struct postgres_database *self, PGconn *connection,
                                  const struct postgres_rebuild_note *note, struct error *error)
{
    const struct postgres_parameter parameters[] = {
        {.text = self->sql.run_id}, {.text = note->owner}, {.text = note->what},
        {.text = note->name},       {.text = note->make},  {.text = note->undo}};
    return postgres_query_buffer(
        self, connection,
        postgres_sql("INSERT INTO %t (run, owner, what, name, make, undo, remark) VALUES ($1, "
                     "$2, $3, $4, $5, $6, '') ON CONFLICT DO NOTHING",
                     &self->sql, notes_table),
        parameters, 6, SQL_SHORT, ERROR_TARGET_SCHEMA, NULL, error);
}

static enum status note_row(const struct rebuilding *rebuilding, const char *table,
                            const PGresult *rows, int row)
{
    const struct postgres_parameter parameters[] = {
        {.text = rebuilding->self->sql.run_id},
        {.text = table},
        {.text = PQgetvalue(rows, row, ROW_WHAT)},
        {.text = PQgetvalue(rows, row, ROW_NAME)},
        {.text = PQgetvalue(rows, row, ROW_MAKE)},
        {.text = PQgetvalue(rows, row, ROW_UNDO)},
        {.text = PQgetvalue(rows, row, ROW_REMARK)},
        {.text = PQgetisnull(rows, row, ROW_COLUMNS) ? NULL : PQgetvalue(rows, row, ROW_COLUMNS)}};
    return postgres_rebuild_ask(
        rebuilding,
        postgres_sql("INSERT INTO %t (run, owner, what, name, make, undo, remark, columns) "
                     "VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text[]) ON CONFLICT DO NOTHING",
                     &rebuilding->self->sql, notes_table),
        parameters, 8, NULL);
}

static enum status note_table(const struct rebuilding *rebuilding, const struct target_table *table)
{
    const struct postgres_table *facts =
        postgres_catalog_find(rebuilding->self->tables, table->name);
    PGresult *rows = NULL;
    bool filled = false;
    if (table->created || facts == NULL) {
        return STATUS_OK;
    }
    enum status status = is_filled(rebuilding, table->name, &filled);
    status = status == STATUS_OK ? read_table(rebuilding, facts, &rows) : status;
    for (int row = 0; status == STATUS_OK && row < PQntuples(rows); row++) {
        if (why_kept(rebuilding, table, facts, filled, rows, row) == NULL) {
            status = note_row(rebuilding, table->name, rows, row);
        }
    }
    PQclear(rows);
    return status;
}

static enum status note_within(const struct rebuilding *rebuilding, uint32_t first, uint32_t end)
{
    enum status status =
        postgres_check_claim(rebuilding->self, rebuilding->connection, rebuilding->error);
    for (uint32_t i = first; status == STATUS_OK && i < end; i++) {
        status = note_table(rebuilding, &rebuilding->request->tables[i]);
    }
    return status == STATUS_OK ? failpoint_hit("postgres.before_note", rebuilding->error) : status;
}

/* Some tables a transaction: each that is looked at is locked until its end. */
static enum status note_all(struct rebuilding *rebuilding)
{
    enum { TABLES_AT_ONCE = 100 };
    struct postgres_database *self = rebuilding->self;
    uint32_t count = rebuilding->request->table_count;
    enum status status = postgres_rebuild_make(self, rebuilding->connection, rebuilding->error);
    for (uint32_t i = 0; status == STATUS_OK && i < count; i += TABLES_AT_ONCE) {
        uint32_t end = count - i < TABLES_AT_ONCE ? count : i + TABLES_AT_ONCE;
        status = postgres_begin(self, &rebuilding->connection, rebuilding->error);
        status = status == STATUS_OK
                     ? postgres_end(self, rebuilding->connection, note_within(rebuilding, i, end),
                                    rebuilding->error)
                     : status;
    }
    return status == STATUS_OK ? failpoint_hit("postgres.after_note", rebuilding->error) : status;
}

/* ---------------------------------------------------------------- dropping */

enum status postgres_rebuild_list(struct postgres_database *self, PGconn *connection,
                                  const char *run_id, PGresult **list, struct error *error)
{
    const struct postgres_parameter parameters[] = {{.text = self->spaces}, {.text = run_id}};
    struct buffer sql = {0};
    postgres_append(&sql,
                    POSTGRES_WITH_SPACE
                    "SELECT r.what, r.name, r.make, r.undo, r.remark, r.owner, CASE WHEN "
                    "i.indisvalid THEN 'valid' WHEN i.indisvalid IS NULL THEN 'none' ELSE "
                    "'invalid' END, c.oid IS NOT NULL, coalesce(pg_catalog.pg_table_size(c.oid), "
                    "0), r.columns IS NOT NULL FROM %t AS r LEFT JOIN (pg_catalog.pg_class c JOIN "
                    "space n ON n.oid = c.relnamespace) ON n.lead || c.relname = r.owner AND "
                    "c.relkind IN ('r', 'p') LEFT JOIN pg_catalog.pg_class x ON x.relnamespace = "
                    "n.oid AND x.relname = r.name AND r.what NOT IN ('trigger', 'rule') LEFT JOIN "
                    "pg_catalog.pg_index i ON i.indexrelid = x.oid AND i.indrelid = c.oid WHERE "
                    "r.run = $2 ORDER BY r.number",
                    &self->sql, notes_table);
    return postgres_catalog_query_buffer(self, connection, &sql, parameters, 2, SQL_SHORT,
                                         ERROR_TARGET_SCHEMA, list, error);
}

/* An index whose concurrent drop is given up is left invalid: once begun the drop had better come
 * to its end, which takes as long as the transactions of others that are open. */
enum status postgres_rebuild_undo(struct postgres_database *self, PGconn *connection,
                                  const PGresult *list, int row, bool in_use, struct error *error)
{
    static const char drop[] = "DROP INDEX ";
    const char *undo = PQgetvalue(list, row, REBUILD_UNDO);
    bool index = strcmp(PQgetvalue(list, row, REBUILD_WHAT), "index") == 0;
    struct buffer sql = {0};
    if (!index || !in_use) {
        return postgres_alter(self, connection, undo, SQL_SHORT, ERROR_TARGET_SCHEMA, error);
    }
    buffer_format(&sql, "%sCONCURRENTLY %s", drop, undo + sizeof drop - 1);
    enum status status =
        postgres_alter_beside(self, connection, buffer_string(&sql),
                              sql_long_lock_ms(self->timeout_ms), ERROR_TARGET_SCHEMA, error);
    buffer_free(&sql);
    return status;
}

static enum status forget_within(const struct rebuilding *rebuilding, const PGresult *list, int row)
{
    const struct postgres_parameter parameters[] = {{.text = rebuilding->self->sql.run_id},
                                                    {.text = PQgetvalue(list, row, REBUILD_UNDO)}};
    if (postgres_check_claim(rebuilding->self, rebuilding->connection, rebuilding->error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    return postgres_rebuild_ask(rebuilding,
                                postgres_sql("DELETE FROM %t WHERE run = $1 AND undo = $2",
                                             &rebuilding->self->sql, notes_table),
                                parameters, 2, NULL);
}

/* Others came after it was decided that it goes: what they write is theirs to have unique. */
static enum status keep_unique(struct rebuilding *rebuilding, const PGresult *list, int row)
{
    char name[SQL_SHOWN_BYTES];
    char owner[SQL_SHOWN_BYTES];
    struct postgres_database *self = rebuilding->self;
    log_write(LOG_INFO, "%s: the %s %s stays after all: it is unique, and others use the database",
              sql_show_name(PQgetvalue(list, row, REBUILD_OWNER), owner),
              PQgetvalue(list, row, REBUILD_WHAT),
              sql_show_name(PQgetvalue(list, row, REBUILD_NAME), name));
    enum status status = postgres_begin(self, &rebuilding->connection, rebuilding->error);
    return status == STATUS_OK
               ? postgres_end(self, rebuilding->connection, forget_within(rebuilding, list, row),
                              rebuilding->error)
               : status;
}

static enum status drop_one(struct rebuilding *rebuilding, const PGresult *list, int row)
{
    bool trigger = strcmp(PQgetvalue(list, row, REBUILD_WHAT), "trigger") == 0;
    bool unique = PQgetvalue(list, row, REBUILD_UNIQUE)[0] == 't' &&
                  strcmp(PQgetvalue(list, row, REBUILD_STATE), "valid") == 0;
    if (!trigger && strcmp(PQgetvalue(list, row, REBUILD_STATE), "none") == 0) {
        return STATUS_OK; /* by an attempt that was killed */
    }
    if (unique && rebuilding->in_use) {
        return keep_unique(rebuilding, list, row);
    }
    if (failpoint_hit("postgres.before_drop", rebuilding->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = postgres_rebuild_undo(rebuilding->self, rebuilding->connection, list, row,
                                               rebuilding->in_use, rebuilding->error);
    if (status != STATUS_OK && unique && postgres_lock_is_missed(rebuilding->error)) {
        rebuilding->in_use = true; /* whoever holds it, and under what name */
        return keep_unique(rebuilding, list, row);
    }
    if (status != STATUS_OK) {
        error_context(rebuilding->error, "%s: %s: ", PQgetvalue(list, row, REBUILD_OWNER),
                      PQgetvalue(list, row, REBUILD_NAME));
        if (rebuilding->in_use) {
            error_hint(rebuilding->error,
                       "others may hold the table: wait for them, then `transhume resume`; or "
                       "`transhume rollback`, and migrate without --indexes and --triggers");
        }
        return STATUS_FAILED;
    }
    return failpoint_hit("postgres.after_drop", rebuilding->error);
}

enum status postgres_rebuild_drop(struct postgres_database *self,
                                  const struct prepare_request *request, struct error *error)
{
    struct rebuilding rebuilding = {.self = self, .request = request, .error = error};
    PGresult *list = NULL;
    bool asked = request->rebuilds_indexes || request->disables_triggers;
    bool wanted = false;
    for (uint32_t i = 0; asked && i < request->table_count; i++) {
        wanted = wanted || !request->tables[i].created;
    }
    if (!wanted || self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    enum status status = postgres_control(self, &rebuilding.connection, error);
    if (status == STATUS_OK) {
        status = postgres_in_use(self, rebuilding.connection, &rebuilding.in_use, error);
    }
    status = status == STATUS_OK ? note_all(&rebuilding) : status;
    if (status == STATUS_OK) {
        status = postgres_rebuild_list(self, rebuilding.connection, self->sql.run_id, &list, error);
    }
    for (int row = 0; status == STATUS_OK && row < PQntuples(list); row++) {
        status = drop_one(&rebuilding, list, row);
    }
    PQclear(list);
    return status;
}
