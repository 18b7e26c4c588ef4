/* Who builds on a run's tables. */
#include "connectors/sql/builders.h"
#include "base/text.h"
#include "connectors/postgres/keys.h"
#include "postgres_sql.h"
#include <string.h>

struct looking {
    struct postgres_database *self;
    PGconn *connection;
    const struct target_table *tables;
    uint32_t table_count;
};

static enum status find(void *context, struct sql_built *built, struct error *error)
{
    const struct looking *looking = context;
    const struct postgres_parameter schema = {.text = looking->self->sql.schema};
    PGresult *rows = NULL;
    enum status status = postgres_query(looking->self, looking->connection, sql_builders, &schema,
                                        1, POSTGRES_SHORT, ERROR_TARGET_INVALID, &rows, error);
    *built = (struct sql_built){0};
    for (int row = 0; status == STATUS_OK && built->table == NULL && row < PQntuples(rows); row++) {
        const char *name = PQgetvalue(rows, row, 0);
        const char *session = PQgetvalue(rows, row, 1);
        for (uint32_t i = 0; built->table == NULL && i < looking->table_count; i++) {
            const struct target_table *table = &looking->tables[i];
            built->table =
                sql_run_builds_on(table) && strcmp(name, table->name) == 0 ? table : NULL;
        }
        status = text_to_uint64(session, strlen(session), &built->session);
    }
    PQclear(rows);
    return status;
}

enum status postgres_await_builders(struct postgres_database *self, PGconn *connection,
                                    const struct target_table *tables, uint32_t table_count,
                                    void (*progress)(const char *what), struct error *error)
{
    struct looking looking = {self, connection, tables, table_count};
    return sql_await_builders(find, &looking, self->sql.shown, progress, error);
}
