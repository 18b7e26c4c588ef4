/* Foreign keys that an earlier run left unvalidated, because some of its records had no partner:
 * what this run brought may be what they lacked (parents that were rejected, and fixed since). */
#include "base/log.h"
#include "connectors/postgres/schema/finish.h"
#include <string.h>

enum { REFERRING, REFERRED, NAME };

/* Keys of tables that runs made: others may have left theirs unvalidated on purpose. */
static enum status find_left(const struct postgres_finisher *finisher, PGresult **keys)
{
    const struct postgres_parameter spaces = {.text = finisher->self->spaces};
    struct buffer sql = {0};
    buffer_append_string(
        &sql, POSTGRES_WITH_SPACE
        "SELECT n.lead || r.relname, m.lead || p.relname, k.conname FROM "
        "pg_catalog.pg_constraint k JOIN pg_catalog.pg_class r ON r.oid = k.conrelid JOIN "
        "space n ON n.oid = r.relnamespace JOIN pg_catalog.pg_class p ON p.oid = k.confrelid "
        "JOIN space m ON m.oid = p.relnamespace WHERE k.contype = 'f' AND NOT k.convalidated "
        "AND EXISTS (SELECT 1 FROM ");
    postgres_append_made_by_any(&sql, finisher->self);
    buffer_append_string(&sql, " t WHERE t.name = n.lead || r.relname) ORDER BY 1, 3");
    return postgres_catalog_query_buffer(finisher->self, finisher->connection, &sql, &spaces, 1,
                                         SQL_SHORT, ERROR_TARGET_INVALID, keys, finisher->error);
}

static bool was_filled(const struct after_load_request *request, const char *name)
{
    for (uint32_t i = 0; i < request->table_count; i++) {
        const struct target_table *table = &request->tables[i];
        if (strcmp(table->name, name) == 0) {
            return !table->created && after_load_records_written(request, table) > 0;
        }
    }
    return false;
}

/* That it is still not obeyed the earlier run told, and nobody lost a right by it. */
static enum status try_key(const struct postgres_finisher *finisher, const char *table,
                           const char *name)
{
    struct error problem = {0};
    struct postgres_finisher trying = *finisher;
    struct buffer sql = {0};
    trying.error = &problem;
    postgres_append(&sql, "ALTER TABLE %t VALIDATE CONSTRAINT %n", &finisher->self->sql, table,
                    name);
    postgres_finisher_say(finisher, "foreign key", name);
    if (postgres_finisher_run(&trying, &sql, table, name, true) == STATUS_OK) {
        log_write(LOG_INFO, "%s: the foreign key %s is obeyed by every row now", table, name);
        return STATUS_OK;
    }
    if (problem.class == ERROR_CLASS_RETRY || problem.native_state[0] == '\0') {
        error_copy(finisher->error, &problem);
        return STATUS_FAILED;
    }
    log_write(LOG_DEBUG, "%s: the foreign key %s stays as it is: %s", table, name, problem.message);
    return STATUS_OK;
}

enum status postgres_validate_left(const struct postgres_finisher *finisher)
{
    const struct after_load_request *request = finisher->request;
    bool any = false;
    PGresult *keys = NULL;
    for (uint32_t i = 0; i < request->table_count; i++) {
        any = any || was_filled(request, request->tables[i].name);
    }
    enum status status = any ? find_left(finisher, &keys) : STATUS_OK;
    for (int row = 0; status == STATUS_OK && row < PQntuples(keys); row++) {
        const char *table = PQgetvalue(keys, row, REFERRING);
        if (was_filled(request, table) || was_filled(request, PQgetvalue(keys, row, REFERRED))) {
            status = try_key(finisher, table, PQgetvalue(keys, row, NAME));
        }
    }
    PQclear(keys);
    return status;
}
