/* The role's rights for a cut-over: to stop the source's writers, to write the target. */
#include "connectors/postgres/follow/feed.h"
#include "postgres_sql.h"

/* Rows of two columns: what is missing, and the statement that helps. */
static enum status take_rows(struct postgres_database *self, const PGresult *result,
                             struct lack_list *lacks, struct error *error)
{
    enum status status = STATUS_OK;
    for (int row = 0; row < PQntuples(result) && status == STATUS_OK; row++) {
        error_set(error, ERROR_PERMISSION, self->sql.shown, "%s", PQgetvalue(result, row, 0));
        error_hint(error, "%s", PQgetvalue(result, row, 1));
        status = lacks_take(lacks, STATUS_FAILED, error);
    }
    return status;
}

enum status postgres_may_fence(struct database *database, const char *name,
                               const char *const *tables, uint32_t table_count,
                               struct lack_list *lacks, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    const struct postgres_parameter parameters[] = {{.text = self->sql.schema}};
    PGconn *connection = NULL;
    PGresult *result = NULL;
    (void)name;
    if (postgres_connect(self, &connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = postgres_feed_ask_names(self, connection, tables, table_count,
                                                 sql_rights_fence, parameters, 1, &result, error);
    status = status == STATUS_OK ? take_rows(self, result, lacks, error) : status;
    PQclear(result);
    postgres_disconnect(connection);
    return status;
}

enum status postgres_may_write(struct database *database, const struct target_table *tables,
                               uint32_t table_count, struct lack_list *lacks, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct arena *arena = arena_create(0);
    const char **names = arena_allocate_zeroed(arena, table_count + (size_t)1, sizeof *names);
    PGconn *connection = NULL;
    PGresult *result = NULL;
    for (uint32_t i = 0; i < table_count; i++) {
        names[i] = tables[i].name;
    }
    enum status status = postgres_connect(self, &connection, error);
    if (status == STATUS_OK) {
        status = postgres_feed_ask_names(self, connection, names, table_count, sql_rights_write,
                                         NULL, 0, &result, error);
    }
    status = status == STATUS_OK ? take_rows(self, result, lacks, error) : status;
    PQclear(result);
    postgres_disconnect(connection);
    arena_destroy(arena);
    return status;
}
