/* PostgreSQL as a target: what the engine calls, looking at tables, counting. */
#include "base/memory.h"
#include "base/text.h"
#include "connectors/postgres/copy/later.h"
#include "connectors/postgres/rights.h"
#include "connectors/postgres/schema/keys.h"
#include "connectors/postgres/schema/orphans.h"
#include "connectors/postgres/schema/rebuild.h"
#include "connectors/sql/check.h"
#include "connectors/sql/finding.h"
#include "connectors/sql/normal.h"
#include <stdlib.h>
#include <string.h>

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

static enum status hash_normal(struct database *database, const uint64_t *seeds,
                               const struct cell *cells, uint32_t count,
                               struct field_hasher *hasher, uint32_t *hashed, struct error *error)
{
    (void)database;
    return sql_hash_normal(&postgres_rules, seeds, cells, count, hasher, hashed, error);
}

const struct target_functions postgres_target_functions = {
    .claimed = sql_claimed,
    .released = sql_released,
    .forget_run = postgres_forget_run,
    .empty = sql_empty,
    .names = sql_names,
    .inspect = target_inspect,
    .check_table = postgres_check_table,
    .prepare = postgres_prepare,
    .writer_open = postgres_writer_open,
    .writer_close = postgres_writer_close,
    .chunk_begin = postgres_writer_chunk_begin,
    .submit = postgres_writer_submit,
    .poll = postgres_writer_poll,
    .commit = postgres_writer_commit,
    .chunk_abandon = postgres_writer_chunk_abandon,
    .after_load = postgres_after_load,
    .fetch = sql_fetch,
    .delete_records = sql_delete_records,
    .count = target_count,
    .settle_duplicates = postgres_set_aside_tell,
    .normal_form = postgres_normal_form,
    .hash_normal = hash_normal,
};

const struct sql_target_functions postgres_sql_target_functions = {
    .rules = {.defaults = true,
              .counting = COUNTING_ANY,
              .names_shared = true,
              .references_alike = true},
    .check_objects = postgres_check_objects,
    .account = postgres_tell_account,
    .unfit_objects = postgres_tell_unfit_objects,
    .rights_left = postgres_tell_rights,
    .unfit_references = postgres_tell_unfit_references,
    .rebuilds = postgres_foretell,
    .chunk_run = postgres_writer_run,
    .later_prepare = sql_later_prepare,
    .later_fill = sql_later_fill,
    .partnerless = postgres_tell_partnerless,
    .highest_key = sql_highest_key,
    .orphans = sql_orphans_tell,
};

const struct column_functions postgres_column_functions = {
    .type = postgres_column_type,
    .add = postgres_add_columns,
    .alter = postgres_alter_columns,
    .value_class = postgres_column_class,
    .normal_form = postgres_normal_form_in_column,
};

const struct forecast_functions postgres_forecast_functions = {
    .caveats = postgres_tell_scope,
    .script = postgres_script,
};

const struct express_functions postgres_express_functions = {
    .accepts = postgres_express_accepts,
    .chunk = postgres_express_chunk,
};
