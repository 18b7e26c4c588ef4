/* Who builds on a run's tables. */
#include "connectors/sql/builders.h"
#include "connectors/mysql/target.h"
#include <string.h>

struct looking {
    struct mysql_database *self;
    MYSQL *connection;
    const struct target_table *tables;
    uint32_t table_count;
};

/* As this connector words it: others' ALTER TABLE is waited for as any lock is. */
static bool is_on(const struct looking *looking, const struct target_table *table,
                  const char *statement)
{
    struct buffer begin = {0};
    mysql_append(&begin, "ALTER TABLE %t ", &looking->self->sql, table->name);
    bool same = strncmp(statement, buffer_string(&begin), begin.length) == 0;
    buffer_free(&begin);
    return same;
}

static enum status find(void *context, struct sql_built *built, struct error *error)
{
    const struct looking *looking = context;
    MYSQL_RES *rows = NULL;
    MYSQL_ROW row = NULL;
    enum status status = mysql_run(
        looking->self, looking->connection,
        "SELECT info, id FROM information_schema.processlist WHERE id <> connection_id() AND command = "
        "'Query' AND info LIKE 'ALTER TABLE %'",
        MYSQL_SHORT, ERROR_TARGET_INVALID, &rows, error);
    *built = (struct sql_built){0};
    while (status == STATUS_OK && built->table == NULL && (row = mysql_fetch_row(rows)) != NULL) {
        for (uint32_t i = 0; built->table == NULL && i < looking->table_count; i++) {
            const struct target_table *table = &looking->tables[i];
            built->table = sql_run_builds_on(table) && is_on(looking, table, row[0]) ? table : NULL;
        }
        status = text_to_uint64(row[1], strlen(row[1]), &built->session);
    }
    mysql_free_result(rows);
    return status;
}

enum status mysql_await_builders(struct mysql_database *self, MYSQL *connection,
                                 const struct target_table *tables, uint32_t table_count,
                                 void (*progress)(const char *what), struct error *error)
{
    struct looking looking = {self, connection, tables, table_count};
    return sql_await_builders(find, &looking, self->sql.shown, progress, error);
}
