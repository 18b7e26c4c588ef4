/* PostgreSQL as a target: transactions of the control thread, looking at tables, counting. */
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/postgres/keys.h"
#include "connectors/postgres/later.h"
#include "connectors/postgres/orphans.h"
#include "connectors/postgres/rebuild.h"
#include "connectors/postgres/rights.h"
#include "connectors/sql/check.h"
#include "connectors/sql/finding.h"
#include "connectors/sql/normal.h"
#include <stdlib.h>
#include <string.h>

/* The answer's end comes behind that word. */
void postgres_hear_of_end(PGconn *connection)
{
    for (int i = 0; i < 2 && connection != NULL && PQstatus(connection) == CONNECTION_OK; i++) {
        (void)!PQconsumeInput(connection);
    }
}

enum status postgres_begin(struct postgres_database *self, PGconn **connection, struct error *error)
{
    postgres_hear_of_end(self->control);
    if (postgres_control(self, connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return postgres_execute(self, *connection, "BEGIN", SQL_SHORT, ERROR_TARGET_WRITE, error);
}

/* Where a statement failed and nobody minded, the server answers a COMMIT by rolling back. */
static enum status target_commit(struct postgres_database *self, PGconn *connection,
                                 struct error *error)
{
    PGresult *result = NULL;
    enum status status = postgres_query(self, connection, "COMMIT", NULL, 0, SQL_SHORT,
                                        ERROR_TARGET_WRITE, &result, error);
    if (status == STATUS_OK && strcmp(PQcmdStatus(result), "COMMIT") != 0) {
        status = error_set(error, ERROR_TARGET_WRITE, self->sql.shown,
                           "the server rolled a transaction back instead of committing it");
    }
    PQclear(result);
    return status;
}

enum status postgres_end(struct postgres_database *self, PGconn *connection, enum status status,
                         struct error *error)
{
    struct error ignored = {0};
    if (status == STATUS_OK) {
        return target_commit(self, connection, error);
    }
    /* what can't be rolled back goes with its connection */
    if (postgres_execute(self, connection, "ROLLBACK", SQL_SHORT, ERROR_TARGET_WRITE, &ignored) !=
            STATUS_OK &&
        connection == self->control) {
        postgres_disconnect(self->control);
        self->control = NULL;
    }
    return status;
}

enum status postgres_may_silence(struct postgres_database *self, PGconn *connection, bool *may,
                                 struct error *error)
{
    PGresult *result = NULL;
    enum status status = postgres_catalog_query(
        self, connection,
        self->server_version >= 150000
            ? "SELECT pg_catalog.has_parameter_privilege('session_replication_role', 'SET')"
            : "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user",
        NULL, 0, SQL_SHORT, ERROR_TARGET_INVALID, &result, error);
    *may = status == STATUS_OK && PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return status;
}

enum status postgres_silence_triggers(struct postgres_database *self, PGconn *connection, bool off,
                                      struct error *error)
{
    bool may = false;
    enum status status = postgres_may_silence(self, connection, &may, error);
    if (status == STATUS_OK && !may && off) {
        log_write(LOG_WARNING,
                  "%s: triggers fire while records are repaired: the role may not set "
                  "session_replication_role",
                  self->sql.shown);
    }
    if (status == STATUS_OK && may) {
        status = postgres_execute(self, connection,
                                  off ? "SET session_replication_role = replica"
                                      : "SET session_replication_role = origin",
                                  SQL_SHORT, ERROR_TARGET_WRITE, error);
    }
    return status;
}

enum status postgres_target_describe(struct postgres_database *self, PGconn *connection,
                                     const char *name, struct arena *arena,
                                     struct postgres_table *table, struct error *error)
{
    struct postgres_catalog catalog;
    if (strlen(sql_place_of(&self->sql, name).name) > POSTGRES_NAME_BYTES_MAX) {
        return STATUS_END;
    }
    if (postgres_catalog_read(self, connection, name, arena, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (catalog.table_count == 0) {
        return STATUS_END;
    }
    *table = catalog.tables[0];
    return STATUS_OK;
}

void postgres_target_forget(struct postgres_database *self)
{
    arena_destroy(self->tables_arena);
    self->tables_arena = NULL;
    self->tables = NULL;
}

enum status postgres_target_read(struct postgres_database *self, PGconn *connection,
                                 struct error *error)
{
    postgres_target_forget(self);
    self->tables_arena = arena_create(0);
    struct postgres_catalog *read = arena_allocate_zeroed(self->tables_arena, 1, sizeof *read);
    if (postgres_catalog_read(self, connection, NULL, self->tables_arena, read, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    self->tables = read;
    return STATUS_OK;
}

/* `before` table `after`: one value. */
static enum status target_ask(struct postgres_database *self, PGconn *connection,
                              const char *before, const char *table, const char *after,
                              PGresult **result, struct error *error)
{
    struct buffer sql = {0};
    postgres_append(&sql, "%s%t%s", before, &self->sql, table, after);
    return postgres_query_buffer(self, connection, &sql, NULL, 0, SQL_LONG, ERROR_TARGET_INVALID,
                                 result, error);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* In the order of strcmp. The caller's to free, the names are the result's. */
static const char **sorted_names(const PGresult *result)
{
    size_t count = (size_t)PQntuples(result);
    const char **names = memory_allocate_zeroed(count + 1, sizeof *names);
    for (size_t i = 0; i < count; i++) {
        names[i] = PQgetvalue(result, (int)i, 0);
    }
    qsort(names, count, sizeof *names, compare_names);
    return names;
}

static enum status target_inspect(struct database *database, const struct target_table *tables,
                                  uint32_t table_count, bool *table_exists, bool *record_exists,
                                  struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    const struct postgres_parameter spaces = {.text = self->spaces};
    PGconn *connection = NULL;
    PGresult *listed = NULL;
    enum status status = postgres_control(self, &connection, error);
    status =
        status == STATUS_OK
            ? postgres_catalog_query(self, connection,
                                     POSTGRES_WITH_SPACE
                                     "SELECT n.lead || c.relname FROM pg_catalog.pg_class c JOIN "
                                     "space n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', "
                                     "'p', 'v', 'm', 'f') AND " POSTGRES_IS_CALLED,
                                     &spaces, 1, SQL_SHORT, ERROR_TARGET_INVALID, &listed, error)
            : status;
    const char **names = status == STATUS_OK ? sorted_names(listed) : NULL;
    for (uint32_t i = 0; status == STATUS_OK && i < table_count; i++) {
        PGresult *result = NULL;
        record_exists[i] = false;
        table_exists[i] = bsearch(&tables[i].name, names, (size_t)PQntuples(listed), sizeof *names,
                                  compare_names) != NULL;
        if (table_exists[i]) {
            status = target_ask(self, connection, "SELECT EXISTS (SELECT 1 FROM ", tables[i].name,
                                ")", &result, error);
            record_exists[i] = status == STATUS_OK && PQgetvalue(result, 0, 0)[0] == 't';
        }
        PQclear(result);
    }
    free(names);
    PQclear(listed);
    return status;
}

static enum status target_count(struct database *database, const struct target_table *table,
                                uint64_t *count, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    PGconn *connection = NULL;
    PGresult *result = NULL;
    if (postgres_control(self, &connection, error) != STATUS_OK ||
        target_ask(self, connection, "SELECT count(*) FROM ", table->name, "", &result, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        text_to_uint64(PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0), count);
    PQclear(result);
    return status;
}

static const struct sql_rules rules = {0};

enum status postgres_normal_form(struct database *database, const struct cell *cell,
                                 struct arena *arena, struct cell *normal, struct error *error)
{
    (void)database;
    return sql_normal_form(&rules, cell, arena, normal, error);
}

static enum status hash_normal(struct database *database, const uint64_t *seeds,
                               const struct cell *cells, uint32_t count,
                               struct field_hasher *hasher, uint32_t *hashed, struct error *error)
{
    (void)database;
    return sql_hash_normal(&rules, seeds, cells, count, hasher, hashed, error);
}

const struct target_functions postgres_target_functions = {
    .claimed = sql_claimed,
    .released = sql_released,
    .forget_run = postgres_forget_run,
    .empty = sql_empty,
    .names = sql_names,
    .try_open = sql_try_open,
    .try_record = sql_try_record,
    .try_close = sql_try_close,
    .inspect = target_inspect,
    .check_table = postgres_check_table,
    .check_objects = postgres_check_objects,
    .tell_account = postgres_tell_account,
    .tell_unfit_objects = postgres_tell_unfit_objects,
    .tell_rights = postgres_tell_rights,
    .tell_unfit_references = postgres_tell_unfit_references,
    .caveats = postgres_tell_scope,
    .foretell = postgres_foretell,
    .script = postgres_script,
    .column_type = postgres_column_type,
    .prepare = postgres_prepare,
    .add_columns = postgres_add_columns,
    .alter_columns = postgres_alter_columns,
    .writer_open = postgres_writer_open,
    .writer_close = postgres_writer_close,
    .chunk_begin = postgres_writer_chunk_begin,
    .submit = postgres_writer_submit,
    .poll = postgres_writer_poll,
    .chunk_run = postgres_writer_run,
    .commit = postgres_writer_commit,
    .chunk_abandon = postgres_writer_chunk_abandon,
    .later_prepare = sql_later_prepare,
    .later_fill = sql_later_fill,
    .after_load = postgres_after_load,
    .fetch = sql_fetch,
    .delete_records = sql_delete_records,
    .tell_partnerless = postgres_tell_partnerless,
    .highest_key = sql_highest_key,
    .count = target_count,
    .settle_duplicates = postgres_set_aside_tell,
    .tell_orphans = sql_orphans_tell,
    .normal_form = postgres_normal_form,
    .hash_normal = hash_normal,
    .column_class = postgres_column_class,
    .normal_form_in_column = postgres_normal_form_in_column,
    .express_accepts = postgres_express_accepts,
    .express_chunk = postgres_express_chunk,
};
