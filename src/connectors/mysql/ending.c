/*
 * Which of the server's sessions work on a run: each holds a user lock (GET_LOCK) of its own, the
 * run's key and a number in its name. Nobody can list such locks, but ask who has one.
 */
#include "connectors/mysql/target.h"
#include "connectors/sql/sessions.h"
#include <stdlib.h>

enum { MULTIPLE_LOCKS_MARIADB = 100002, MULTIPLE_LOCKS_MYSQL = 50705 };

struct looking {
    struct mysql_database *self;
    MYSQL *connection;
    uint64_t key;
    const char *lock; /* the only one that is looked for, as SQL; NULL: those of the key */
    bool own_too;     /* also of this process's other sessions */
};

static void append_mark(struct buffer *sql, uint64_t key, uint32_t number)
{
    buffer_format(sql, "'transhume session %016llx %u'", (unsigned long long)key, number);
}

/* In older servers a second lock would let go of the session's first. */
static bool takes_locks(const struct mysql_database *self)
{
    return self->version >= (self->mariadb ? MULTIPLE_LOCKS_MARIADB : MULTIPLE_LOCKS_MYSQL);
}

/* A number is taken as long as the server knows its last session, also one that is lost to us. */
enum status mysql_session_mark(struct mysql_database *self, MYSQL *connection, struct error *error)
{
    uint64_t key = sql_sessions_key(self->sql.schema, self->sql.run_id, self->sql.epoch);
    for (uint32_t i = 0; takes_locks(self) && i < SQL_SESSIONS_MAX; i++) {
        struct buffer sql = {0};
        int64_t locked = 0;
        buffer_append_string(&sql, "SELECT GET_LOCK(");
        append_mark(&sql, key, atomic_fetch_add(&self->marks, 1) % SQL_SESSIONS_MAX);
        buffer_append_string(&sql, ", 0)");
        if (mysql_ask_number(self, connection, &sql, SQL_SHORT, ERROR_TARGET_LOCKED, 0, &locked,
                             error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (locked == 1) {
            return STATUS_OK;
        }
    }
    return takes_locks(self) ? error_set(error, ERROR_TARGET_LOCKED, self->sql.shown,
                                         "%d sessions are at work on this run", SQL_SESSIONS_MAX)
                             : STATUS_OK;
}

/* ---------------------------------------------------------------- those of another process */

static enum status ending_find(void *context, uint64_t *numbers, uint32_t *count,
                               struct error *error)
{
    struct looking *looking = context;
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    uint32_t lock_count = looking->lock != NULL ? 1 : SQL_SESSIONS_MAX;
    for (uint32_t i = 0; i < lock_count; i++) {
        buffer_append_string(&sql, i == 0 ? "SELECT IS_USED_LOCK(" : ", IS_USED_LOCK(");
        if (looking->lock != NULL) {
            buffer_append_string(&sql, looking->lock);
        } else {
            append_mark(&sql, looking->key, i);
        }
        buffer_append_byte(&sql, ')');
    }
    enum status status = mysql_run_buffer(looking->self, looking->connection, &sql, SQL_SHORT,
                                          ERROR_TARGET_LOCKED, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    *count = 0;
    for (unsigned i = 0; row != NULL && i < lock_count; i++) {
        uint64_t number = row[i] != NULL ? strtoull(row[i], NULL, 10) : 0;
        bool own = looking->own_too ? number == mysql_thread_id(looking->connection)
                                    : mysql_is_own(looking->connection, number);
        if (number != 0 && !own) {
            numbers[(*count)++] = number;
        }
    }
    mysql_free_result(result);
    return status;
}

/* A server does not use a number again while it runs. */
static enum status ending_end(void *context, uint64_t number, struct error *error)
{
    struct looking *looking = context;
    return mysql_run_buffer(looking->self, looking->connection,
                            mysql_sql("KILL CONNECTION %U", (uint64_t)number), SQL_SHORT,
                            ERROR_TARGET_LOCKED, NULL, error);
}

static enum status end_found(struct looking *looking, struct error *error)
{
    const struct sql_ending ending = {.find = ending_find,
                                      .end = ending_end,
                                      .context = looking,
                                      .words = {"KILL ", ""},
                                      .shown = looking->self->sql.shown,
                                      .timeout_ms = looking->self->timeout_ms};
    return sql_end_sessions(&ending, error);
}

enum status mysql_sessions_end(struct mysql_database *self, MYSQL *connection, const char *run_id,
                               uint64_t epoch, struct error *error)
{
    struct looking looking = {.self = self,
                              .connection = connection,
                              .key = sql_sessions_key(self->sql.schema, run_id, epoch)};
    return end_found(&looking, error);
}

enum status mysql_holder_end(struct mysql_database *self, MYSQL *connection, const char *lock,
                             bool own_too, struct error *error)
{
    struct looking looking = {
        .self = self, .connection = connection, .lock = lock, .own_too = own_too};
    return end_found(&looking, error);
}
