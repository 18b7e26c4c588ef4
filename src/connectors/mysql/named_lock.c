/* Locks by name (GET_LOCK), which go with the session that holds them. */
#include "connectors/mysql/store.h"

enum { CREATE_WAIT_S = 10 };

/* A name for GET_LOCK, which is the server's own and at most 64 characters. */
void mysql_named_lock_append(struct buffer *sql, const struct mysql_database *self,
                             const char *what, const char *run_id)
{
    struct buffer name = {0};
    buffer_format(&name, "%s %s", run_id, self->sql.schema);
    buffer_format(sql, "'transhume %s %016llx'", what,
                  (unsigned long long)sql_name_hash(buffer_string(&name)));
    buffer_free(&name);
}

/* STATUS_AGAIN: somebody has it. */
enum status mysql_named_lock_get(struct mysql_database *self, MYSQL *connection, const char *what,
                                 const char *run_id, int wait_s, struct error *error)
{
    struct buffer sql = {0};
    int64_t locked = 0;
    buffer_append_string(&sql, "SELECT GET_LOCK(");
    mysql_named_lock_append(&sql, self, what, run_id);
    buffer_format(&sql, ", %d)", wait_s);
    enum status status =
        mysql_ask_number(self, connection, &sql, SQL_SHORT, ERROR_TARGET_LOCKED, 0, &locked, error);
    return status == STATUS_OK && locked != 1 ? STATUS_AGAIN : status;
}

enum status mysql_lock_creating(struct mysql_database *self, MYSQL *connection, struct error *error)
{
    enum status status = mysql_named_lock_get(self, connection, "create", "", CREATE_WAIT_S, error);
    return status == STATUS_AGAIN ? error_set(error, ERROR_TARGET_LOCKED, self->sql.shown,
                                              "another process makes or removes the ledger here "
                                              "at this moment")
                                  : status;
}

void mysql_unlock_creating(struct mysql_database *self, MYSQL *connection)
{
    struct buffer sql = {0};
    struct error ignored = {0};
    if (!mysql_is_alive(connection)) {
        return;
    }
    buffer_append_string(&sql, "DO RELEASE_LOCK(");
    mysql_named_lock_append(&sql, self, "create", "");
    buffer_append_byte(&sql, ')');
    (void)!mysql_run_buffer(self, connection, &sql, SQL_SHORT, ERROR_TARGET_WRITE, NULL, &ignored);
}
