/*
 * One moment for all readers. InnoDB gives no snapshot to another session; so all connections that
 * will ever read begin theirs together, under a short lock that keeps commits out:
 *   FLUSH TABLES WITH READ LOCK       where the account may (RELOAD; on Amazon RDS nobody may)
 *   LOCK TABLES … READ                else, of this database's tables (LOCK TABLES)
 *   one connection                    else, and so one reader
 * With ?lock=none they begin one after the other, which is said.
 *
 * The token: InnoDB counts transactions that write; where the count is the same, none took place.
 */
#include "base/failpoint.h"
#include "base/log.h"
#include "connectors/mysql/follow/feed.h"
#include "connectors/mysql/source.h"
#include "connectors/sql/locks.h"
#include <stdlib.h>
#include <string.h>

static const char begin_sql[] = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
static const char begin_old_sql[] = "START TRANSACTION WITH CONSISTENT SNAPSHOT";
enum {
    NO_SUCH_RIGHT = 1227,
    ACCESS_DENIED = 1044,
    TABLE_DENIED = 1142,
    LOGIN_DENIED = 1045,
    SYNTAX = 1064
};
enum { SPARE_EACH = 2 }; /* connections beyond a reader's cursors, in place of some that break */

/* ---------------------------------------------------------------- the pool */

enum status mysql_pool_take(struct mysql_database *self, MYSQL **connection, struct error *error)
{
    pthread_mutex_lock(&self->pool_lock);
    *connection = self->pool_count > 0 ? self->pool[--self->pool_count] : NULL;
    pthread_mutex_unlock(&self->pool_lock);
    if (*connection != NULL) {
        return STATUS_OK;
    }
    if (!self->sql.snapshot_taken) {
        return mysql_connect(self, connection, error);
    }
    error_set(error, ERROR_SOURCE_READ, self->sql.shown,
              "no connection within the snapshot is left for another table");
    error_hint(error, "connections of one snapshot can't be made later, and too many of them "
                      "broke: start the command again");
    return STATUS_FAILED;
}

void mysql_pool_give(struct mysql_database *self, MYSQL *connection)
{
    bool alive = connection != NULL && mysql_is_alive(connection);
    pthread_mutex_lock(&self->pool_lock);
    bool kept = alive && self->pool_count < MYSQL_POOL_MAX;
    if (kept) {
        self->pool[self->pool_count++] = connection;
    }
    pthread_mutex_unlock(&self->pool_lock);
    if (!kept) {
        mysql_disconnect(connection);
    }
}

bool mysql_pool_take_spare(struct mysql_database *self, MYSQL **connection)
{
    pthread_mutex_lock(&self->pool_lock);
    bool taken = self->pool_spare > 0 && self->pool_count > 0;
    if (taken) {
        self->pool_spare--;
        *connection = self->pool[--self->pool_count];
    }
    pthread_mutex_unlock(&self->pool_lock);
    return taken;
}

void mysql_pool_give_spare(struct mysql_database *self, MYSQL *connection)
{
    bool alive = mysql_is_alive(connection);
    mysql_pool_give(self, connection);
    pthread_mutex_lock(&self->pool_lock);
    self->pool_spare += alive;
    pthread_mutex_unlock(&self->pool_lock);
}

/* ---------------------------------------------------------------- the lock */

static enum status snapshot_begin(struct mysql_database *self, MYSQL *connection,
                                  struct error *error)
{
    enum status status =
        mysql_run(self, connection, begin_sql, SQL_SHORT, ERROR_SOURCE_READ, NULL, error);
    if (status != STATUS_OK && mysql_errno(connection) == SYNTAX) { /* MySQL 5.5 */
        status =
            mysql_run(self, connection, begin_old_sql, SQL_SHORT, ERROR_SOURCE_READ, NULL, error);
    }
    return status;
}

static bool is_denied(MYSQL *connection)
{
    unsigned number = mysql_errno(connection);
    return number == NO_SUCH_RIGHT || number == ACCESS_DENIED || number == TABLE_DENIED;
}

/* STATUS_END: the account may not. A client that stands still keeps the server's writers waiting
 * for some seconds only. */
static enum status lock_all(struct mysql_database *self, MYSQL *connection, struct error *error)
{
    enum { LOCK_MS = 5000 };
    int64_t wait_ms = sql_long_lock_ms(self->timeout_ms);
    enum status status = mysql_run_buffer(
        self, connection,
        mysql_sql("SET SESSION lock_wait_timeout = %D, wait_timeout = 10",
                  (int64_t)mysql_lock_seconds(wait_ms < LOCK_MS ? wait_ms : LOCK_MS)),
        SQL_SHORT, ERROR_SOURCE_READ, NULL, error);
    status = status == STATUS_OK ? mysql_run(self, connection, "FLUSH TABLES WITH READ LOCK",
                                             SQL_SHORT, ERROR_SOURCE_LOCKED, NULL, error)
                                 : status;
    /* Amazon RDS says of this one that the login is denied, whatever was granted */
    if (status != STATUS_OK && (is_denied(connection) || mysql_errno(connection) == LOGIN_DENIED)) {
        return STATUS_END;
    }
    if (status != STATUS_OK) {
        error_hint(error, "a long statement holds up the short lock that a common snapshot needs: "
                          "try later, or say ?lock=none");
    }
    return status;
}

static enum status lock_tables(struct mysql_database *self, MYSQL *connection, struct error *error)
{
    const struct mysql_catalog *catalog = NULL;
    struct buffer sql = {0};
    uint32_t count = 0;
    if (mysql_catalog_get(self, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&sql, "LOCK TABLES ");
    for (uint32_t i = 0; i < catalog->table_count; i++) {
        if (catalog->tables[i].schema->kind == SCHEMA_TABLE) {
            buffer_append_string(&sql, count++ > 0 ? ", " : "");
            mysql_append(&sql, "%t READ", &self->sql, catalog->tables[i].schema->name);
        }
    }
    if (count == 0) {
        buffer_free(&sql);
        return STATUS_END;
    }
    enum status status =
        mysql_run_buffer(self, connection, &sql, SQL_SHORT, ERROR_SOURCE_LOCKED, NULL, error);
    return status != STATUS_OK && is_denied(connection) ? STATUS_END : status;
}

/* STATUS_END: neither lock may be had. */
static enum status snapshot_lock(struct mysql_database *self, MYSQL *connection,
                                 struct error *error)
{
    enum status status = lock_all(self, connection, error);
    return status == STATUS_END ? lock_tables(self, connection, error) : status;
}

static bool has_large(const struct mysql_catalog *catalog)
{
    for (uint32_t i = 0; i < catalog->table_count; i++) {
        if (mysql_has_sliced(&catalog->tables[i])) {
            return true;
        }
    }
    return false;
}

static void give_slicer(struct mysql_database *self)
{
    if (self->slicer != NULL) {
        mysql_pool_give(self, self->slicer);
        self->slicer = NULL;
    }
}

/* The purposes of the snapshot's connections. */
struct demand {
    uint32_t readers;
    uint32_t each;   /* cursors of a reader: a connection each */
    uint32_t needed; /* by all readers, for large values, and in place of those that break */
    uint32_t pulled; /* by a target that pulls */
};

/* There are fewer readers where connections could not be had. */
static void have_fewer_readers(struct mysql_database *self, const struct demand *demand)
{
    uint32_t readers = self->pool_count / demand->each;
    if (readers < demand->readers) {
        self->sql.base.limits.readers_max = readers;
    }
}

/* Stops where the server has no more of them, unless even one reader lacks some. */
static enum status fill_pool(struct mysql_database *self, const struct demand *demand,
                             struct error *error)
{
    uint32_t count = demand->needed + demand->pulled;
    enum status status = STATUS_OK;
    count = count < MYSQL_POOL_MAX ? count : MYSQL_POOL_MAX;
    while (status == STATUS_OK && self->pool_count < count) {
        status = mysql_connect(self, &self->pool[self->pool_count], error);
        self->pool_count += status == STATUS_OK;
    }
    if (self->pool_count < demand->each) {
        if (status == STATUS_OK) {
            error_set(error, ERROR_PLAN_INVALID, self->sql.shown, "%u connections are the most",
                      (unsigned)MYSQL_POOL_MAX);
        }
        if (demand->each > 1) {
            error_context(error,
                          "%u tables are read side by side, by a connection each: ", demand->each);
        }
        return STATUS_FAILED;
    }
    if (status != STATUS_OK && self->pool_count > demand->each) {
        mysql_disconnect(self->pool[--self->pool_count]); /* one is left for who locks */
    }
    self->pool_spare = self->pool_count > demand->needed ? self->pool_count - demand->needed : 0;
    have_fewer_readers(self, demand);
    return STATUS_OK;
}

/* One table's rows fill a connection until the last one was read. */
static enum status refuse_one(struct mysql_database *self, const struct demand *demand,
                              struct error *error)
{
    struct buffer schema = {0};
    struct arena *arena = arena_create(0);
    mysql_append_all_of(&schema, self, self->control, NULL, self->sql.schema);
    error_set(error, ERROR_PERMISSION, self->sql.shown,
              "%u tables are read side by side (one, and those that are embedded or aggregated), "
              "for which connections have to share a snapshot, and the account may lock neither "
              "the server (RELOAD) nor its tables (LOCK TABLES)",
              demand->each);
    error_hint(error, "GRANT LOCK TABLES ON %s TO %s, or say ?lock=none", buffer_string(&schema),
               mysql_account(self, self->control, arena));
    arena_destroy(arena);
    buffer_free(&schema);
    return STATUS_FAILED;
}

static enum status keep_one(struct mysql_database *self, const struct demand *demand,
                            struct error *error)
{
    if (demand->each > 1) {
        return refuse_one(self, demand, error);
    }
    log_write(LOG_WARNING,
              "%s: the account may lock neither the server (RELOAD) nor its tables (LOCK TABLES), "
              "so one connection reads all: a snapshot that several share needs one of the two, "
              "or ?lock=none",
              self->sql.shown);
    self->pool_spare = 0;
    while (self->pool_count > 1) {
        mysql_disconnect(self->pool[--self->pool_count]);
    }
    self->sql.base.limits.readers_max = 1;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the token */

/* MySQL 5.5 and MariaDB 5.5 write the number with the digits 0 to F. */
static int64_t count_in(const struct mysql_database *self, const char *words, const char *after)
{
    bool letters = self->version < 50600;
    const char *found = strstr(words, after);
    char *end = NULL;
    if (found == NULL) {
        return -1;
    }
    found += strlen(after);
    long long count = strtoll(found, &end, letters ? 16 : 10);
    return end > found && (*end == '\n' || *end == ' ') && count >= 0 ? count : -1;
}

/* -1: it can't be known: without the right to ask, or with transactions under way. */
static int64_t transactions_so_far(struct mysql_database *self, MYSQL *connection)
{
    MYSQL_RES *result = NULL;
    struct buffer sql = {0};
    int64_t active = -1;
    int64_t others = -1;
    int64_t count = -1;

    buffer_append_string(&sql, "SELECT count(*) FROM information_schema.innodb_trx WHERE "
                               "trx_rows_modified > 0 OR trx_rows_locked > 0");
    if (mysql_ask_number(self, connection, &sql, SQL_SHORT, ERROR_SOURCE_READ, -1, &active, NULL) !=
            STATUS_OK ||
        active != 0) {
        return -1;
    }
    mysql_append(&sql,
                 "SELECT count(*) FROM information_schema.tables WHERE engine <> 'InnoDB' AND "
                 "table_type = 'BASE TABLE' AND table_schema IN (%q",
                 self->sql.schema);
    for (uint32_t i = 0; i < self->sql.base.scope.others.count; i++) {
        mysql_append(&sql, ", %q", self->sql.base.scope.others.names[i]);
    }
    buffer_append_byte(&sql, ')');
    if (mysql_ask_number(self, connection, &sql, SQL_SHORT, ERROR_SOURCE_READ, -1, &others, NULL) !=
            STATUS_OK ||
        others != 0) {
        return -1;
    }
    if (mysql_run(self, connection, "SHOW ENGINE INNODB STATUS", SQL_SHORT, ERROR_SOURCE_READ,
                  &result, NULL) == STATUS_OK) {
        MYSQL_ROW row = result != NULL ? mysql_fetch_row(result) : NULL;
        count = row != NULL && row[2] != NULL ? count_in(self, row[2], "Trx id counter ") : -1;
    }
    mysql_free_result(result);
    return count;
}

static enum status make_token(struct mysql_database *self, int64_t transactions,
                              struct arena *arena, const char **token, struct error *error)
{
    const char *identity = NULL;
    if (transactions < 0) {
        *token = "";
        return STATUS_OK;
    }
    if (self->sql.base.connector->identity(&self->sql.base, arena, &identity, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *token = arena_format(arena, "%s transactions %lld", identity, (long long)transactions);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the snapshot */

/* The session that locks is not to look idle while many begin over a slow link. */
static enum status begin_all(struct mysql_database *self, MYSQL *locker, int64_t *transactions,
                             struct error *error)
{
    enum { AT_ONCE = 8 };
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < self->pool_count; i++) {
        status = snapshot_begin(self, self->pool[i], error);
        if (status == STATUS_OK && locker != NULL && i % AT_ONCE == AT_ONCE - 1) {
            status = mysql_run(self, locker, "DO 0", SQL_SHORT, ERROR_SOURCE_LOCKED, NULL, error);
        }
    }
    *transactions =
        status == STATUS_OK && !self->lockless ? transactions_so_far(self, self->control) : -1;
    return status;
}

/* The lock is held by a connection of its own, which would end its own snapshot with UNLOCK. */
static enum status begin_together(struct mysql_database *self, const struct demand *demand,
                                  struct arena *arena, int64_t *transactions, struct error *error)
{
    MYSQL *locker = NULL;
    enum status status = STATUS_OK;
    if (!self->lockless) {
        status = mysql_connect(self, &locker, error);
        status = status == STATUS_OK ? snapshot_lock(self, locker, error) : status;
        status = status == STATUS_OK ? mysql_feed_note_moment(self, arena, error) : status;
        if (status == STATUS_END) { /* nobody can say where in the log the rows are read */
            self->sql.base.moment = NULL;
            status = keep_one(self, demand, error);
        }
    } else {
        self->sql.base.moment = NULL;
        log_write(LOG_WARNING,
                  "%s: ?lock=none: its %u connections see moments that differ by milliseconds",
                  self->sql.shown, self->pool_count);
    }
    status = status == STATUS_OK ? failpoint_hit("mysql.snapshot_locked", error) : status;
    status = status == STATUS_OK ? begin_all(self, locker, transactions, error) : status;
    if (status == STATUS_OK) {
        status = snapshot_begin(self, self->control, error);
    }
    if (status == STATUS_OK && locker != NULL) { /* did it hold to the end? */
        status =
            mysql_run(self, locker, "UNLOCK TABLES", SQL_SHORT, ERROR_SOURCE_LOCKED, NULL, error);
    }
    mysql_disconnect(locker); /* and with it its locks */
    return status;
}

enum status mysql_snapshot(struct database *database, uint32_t reader_count, struct arena *arena,
                           const char **token, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    const struct mysql_catalog *catalog = NULL;
    int64_t transactions = -1;

    /* read before the lock, so that this is short */
    if (failpoint_hit("mysql.before_snapshot", error) != STATUS_OK ||
        mysql_catalog_get(self, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool large = has_large(catalog);
    uint32_t each = self->sql.base.cursors_each > 1 ? self->sql.base.cursors_each : 1;
    struct demand demand = {.readers = reader_count,
                            .each = each,
                            .needed = reader_count * (each + SPARE_EACH) + large,
                            .pulled = self->sql.base.pulled ? reader_count : 0};
    give_slicer(self);
    if (fill_pool(self, &demand, error) != STATUS_OK ||
        begin_together(self, &demand, arena, &transactions, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* with fewer of them, rows are rather read whole */
    if (large && self->pool_count >= demand.needed) {
        self->slicer = self->pool[--self->pool_count];
    }
    self->sql.snapshot_taken = true;
    log_write(LOG_INFO, "%s", MYSQL_STAYS_OPEN);
    if (failpoint_hit("mysql.snapshot_begun", error) != STATUS_OK ||
        mysql_hold_touch(self, error) != STATUS_OK ||
        failpoint_hit("mysql.snapshot_held", error) != STATUS_OK ||
        mysql_hold_join(self, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (make_token(self, transactions, arena, token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return failpoint_hit("mysql.snapshot_taken", error);
}

/* The metadata locks of what was read go with the transactions. A session that broke off has left
 * them too. */
enum status mysql_leave_snapshot(struct database *database, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    struct error problem = {0};
    (void)error;
    give_slicer(self);
    while (self->pool_count > 0) {
        mysql_disconnect(self->pool[--self->pool_count]);
    }
    self->pool_spare = 0;
    if (self->sql.snapshot_taken && mysql_run(self, self->control, "COMMIT", SQL_SHORT,
                                              ERROR_SOURCE_READ, NULL, &problem) != STATUS_OK) {
        log_write(LOG_DEBUG, "the snapshot ends with its connection: %s", problem.message);
        mysql_disconnect(self->control);
        self->control = NULL;
    }
    self->sql.snapshot_taken = false;
    return STATUS_OK;
}
