/* Which of the server's sessions work on a run: they share an advisory lock. */
#include "connectors/sql/sessions.h"
#include "base/text.h"
#include "connectors/postgres/target.h"
#include "postgres_sql.h"
#include <stdio.h>

/* As pg_locks shows the key of a lock in two halves. */
struct looking {
    struct postgres_database *self;
    PGconn *connection;
    char halves[2][16];
};

enum status postgres_session_mark(struct postgres_database *self, PGconn *connection,
                                  const char *run_id, uint64_t epoch, struct error *error)
{
    char sql[96];
    snprintf(sql, sizeof sql, "SELECT pg_catalog.pg_advisory_lock_shared(%lld)",
             (long long)sql_sessions_key(self->sql.schema, run_id, epoch));
    return postgres_execute(self, connection, sql, SQL_SHORT, ERROR_TARGET_LOCKED, error);
}

/* ---------------------------------------------------------------- those of another process */

static enum status postgres_sessions_find(void *context, uint64_t *numbers, uint32_t *count,
                                          struct error *error)
{
    struct looking *looking = context;
    const struct postgres_parameter halves[] = {{.text = looking->halves[0]},
                                                {.text = looking->halves[1]}};
    PGresult *rows = NULL;
    enum status status =
        postgres_catalog_query(looking->self, looking->connection, sql_sessions, halves, 2,
                               SQL_SHORT, ERROR_TARGET_LOCKED, &rows, error);
    *count = 0;
    for (int row = 0; status == STATUS_OK && row < PQntuples(rows) && row < SQL_SESSIONS_MAX;
         row++) {
        status = text_to_uint64(PQgetvalue(rows, row, 0), (size_t)PQgetlength(rows, row, 0),
                                &numbers[(*count)++]);
    }
    PQclear(rows);
    return status;
}

/* The lock is looked at once more: a number goes to another session once its own is gone. */
static enum status sessions_end(void *context, uint64_t number, struct error *error)
{
    struct looking *looking = context;
    char pid[24];
    const struct postgres_parameter parameters[] = {
        {.text = looking->halves[0]}, {.text = looking->halves[1]}, {.text = pid}};
    snprintf(pid, sizeof pid, "%llu", (unsigned long long)number);
    return postgres_catalog_query_buffer(
        looking->self, looking->connection,
        postgres_sql("SELECT pg_catalog.pg_terminate_backend(s.pid) FROM (%s) s WHERE s.pid = "
                     "$3::int",
                     sql_sessions),
        parameters, 3, SQL_SHORT, ERROR_TARGET_LOCKED, NULL, error);
}

static struct looking look_for(struct postgres_database *self, PGconn *connection, uint64_t key)
{
    struct looking looking = {.self = self, .connection = connection};
    snprintf(looking.halves[0], sizeof looking.halves[0], "%u", (unsigned)(key >> 32));
    snprintf(looking.halves[1], sizeof looking.halves[1], "%u", (unsigned)key);
    return looking;
}

enum status postgres_sessions_end_key(struct postgres_database *self, PGconn *connection,
                                      uint64_t key, struct error *error)
{
    struct looking looking = look_for(self, connection, key);
    const struct sql_ending ending = {.find = postgres_sessions_find,
                                      .end = sessions_end,
                                      .context = &looking,
                                      .words = {"SELECT pg_terminate_backend(", ")"},
                                      .shown = self->sql.shown,
                                      .timeout_ms = self->timeout_ms};
    return sql_end_sessions(&ending, error);
}

enum status postgres_sessions_end(struct postgres_database *self, PGconn *connection,
                                  const char *run_id, uint64_t epoch, struct error *error)
{
    return postgres_sessions_end_key(self, connection,
                                     sql_sessions_key(self->sql.schema, run_id, epoch), error);
}
