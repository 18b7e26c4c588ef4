/* How hard the server is at work: the statements of others, and how far it is behind as a replica.
 */
#include "connectors/contract/load.h"
#include "base/clock.h"
#include "base/memory.h"
#include "connectors/mysql/mysql_internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKS_MAX = 10, LOOK_AGAIN_MS = 10 };

struct load_watch {
    struct mysql_database *self;
    MYSQL *connection; /* NULL: broke */
};

static void load_close(struct load_watch *watch)
{
    if (watch != NULL) {
        mysql_disconnect(watch->connection);
        free(watch);
    }
}

static enum status load_open(struct database *database, struct load_watch **watch,
                             struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    *watch = memory_allocate_zeroed(1, sizeof **watch);
    (*watch)->self = self;
    if (mysql_connect(self, &(*watch)->connection, error) != STATUS_OK) {
        load_close(*watch);
        *watch = NULL;
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

static const char *cell(MYSQL_ROW row, int column)
{
    return column >= 0 && row[column] != NULL ? row[column] : "";
}

/* A replica whose threads stand still says NULL. Without the right to ask nothing is known. */
static enum status ask_lag(struct load_watch *watch, struct database_load *load,
                           struct error *error)
{
    struct mysql_database *self = watch->self;
    const char *sql = self->mariadb            ? "SHOW ALL SLAVES STATUS"
                      : self->version >= 80022 ? "SHOW REPLICA STATUS"
                                               : "SHOW SLAVE STATUS";
    MYSQL_RES *result = NULL;
    if (mysql_run(self, watch->connection, sql, SQL_SHORT, ERROR_PERMISSION, &result, error) !=
        STATUS_OK) {
        if (error->code != ERROR_PERMISSION) {
            return STATUS_FAILED;
        }
        load->grant = self->mariadb ? "GRANT REPLICA MONITOR ON *.* TO the user"
                                    : "GRANT REPLICATION CLIENT ON *.* TO the user";
        return STATUS_OK;
    }
    int column = mysql_column_named(result, "Seconds_Behind_Master");
    if (column < 0) {
        column = mysql_column_named(result, "Seconds_Behind_Source");
    }
    for (MYSQL_ROW row; column >= 0 && (row = mysql_fetch_row(result)) != NULL;) {
        double lag_s = row[column] == NULL ? INFINITY : strtod(row[column], NULL);
        load->lag_s = lag_s > load->lag_s ? lag_s : load->lag_s;
    }
    mysql_free_result(result);
    return STATUS_OK;
}

static bool is_statement(const char *command)
{
    static const char *const others[] = {"Sleep",     "Daemon",      "Connect",
                                         "Slave_IO",  "Binlog Dump", "Binlog Dump GTID",
                                         "Slave_SQL", "Slave_worker"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(command, others[i]) == 0) {
            return false;
        }
    }
    return true;
}

static enum status ask_connected(struct load_watch *watch, int64_t *connected, struct error *error)
{
    MYSQL_RES *result = NULL;
    if (mysql_run(watch->self, watch->connection, "SHOW GLOBAL STATUS LIKE 'Threads_connected'",
                  SQL_SHORT, ERROR_NETWORK, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    MYSQL_ROW row = mysql_fetch_row(result);
    *connected = row != NULL ? strtol(cell(row, 1), NULL, 10) : 0;
    mysql_free_result(result);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- who waits for us */

struct lock_wait {
    unsigned long waiting;
    unsigned long holding;
    bool for_us; /* by way of others, too */
};

struct lock_waits {
    struct lock_wait *list;
    uint64_t count;
};

static bool waits_for_us(const struct lock_waits *waits, unsigned long session)
{
    for (uint64_t i = 0; i < waits->count; i++) {
        if (waits->list[i].for_us && waits->list[i].waiting == session) {
            return true;
        }
    }
    return false;
}

static void mark_waits_for_us(const MYSQL *asked, struct lock_waits *waits)
{
    bool more = true;
    while (more) {
        more = false;
        for (uint64_t i = 0; i < waits->count; i++) {
            struct lock_wait *wait = &waits->list[i];
            bool found = !wait->for_us &&
                         (mysql_is_own(asked, wait->holding) || waits_for_us(waits, wait->holding));
            wait->for_us = wait->for_us || found;
            more = more || found;
        }
    }
}

/* The waits for InnoDB's locks. Where they can't be asked for, nobody is known to wait for us. */
static void ask_lock_waits(const struct load_watch *watch, struct lock_waits *waits)
{
    struct mysql_database *self = watch->self;
    bool older = self->mariadb || self->version < 80000;
    struct buffer sql = {0};
    struct error ignored;
    MYSQL_RES *result = NULL;
    buffer_format(&sql,
                  "SELECT r.trx_mysql_thread_id, b.trx_mysql_thread_id FROM %s AS w "
                  "JOIN information_schema.innodb_trx AS r ON r.trx_id = w.%s "
                  "JOIN information_schema.innodb_trx AS b ON b.trx_id = w.%s",
                  older ? "information_schema.innodb_lock_waits"
                        : "performance_schema.data_lock_waits",
                  older ? "requesting_trx_id" : "requesting_engine_transaction_id",
                  older ? "blocking_trx_id" : "blocking_engine_transaction_id");
    *waits = (struct lock_waits){0};
    if (mysql_run_buffer(self, watch->connection, &sql, SQL_SHORT, ERROR_NETWORK, &result,
                         &ignored) != STATUS_OK) {
        return;
    }
    waits->list = memory_allocate_zeroed(mysql_num_rows(result) + 1, sizeof *waits->list);
    for (MYSQL_ROW row; (row = mysql_fetch_row(result)) != NULL;) {
        waits->list[waits->count++] = (struct lock_wait){
            .waiting = strtoul(cell(row, 0), NULL, 10), .holding = strtoul(cell(row, 1), NULL, 10)};
    }
    mysql_free_result(result);
    mark_waits_for_us(watch->connection, waits);
}

/* ---------------------------------------------------------------- statements */

/* A statement that waits for a table's definition waits for transactions that have read or written
 * it, ours among them: a pause would only make that longer. */
static bool is_statement_of_others(const MYSQL *asked, MYSQL_RES *list, MYSQL_ROW row)
{
    static const char metadata[] = "Waiting for table metadata lock";
    unsigned long number = strtoul(cell(row, mysql_column_named(list, "Id")), NULL, 10);
    return is_statement(cell(row, mysql_column_named(list, "Command"))) &&
           strcmp(cell(row, mysql_column_named(list, "State")), metadata) != 0 &&
           !mysql_is_own(asked, number);
}

static void count_statements(const struct load_watch *watch, MYSQL_RES *list,
                             struct database_load *load)
{
    int id = mysql_column_named(list, "Id");
    int time = mysql_column_named(list, "Time");
    struct lock_waits waits = {0};
    bool asked = false;
    load->running = 0;
    load->statement_s = 0;
    for (MYSQL_ROW row; (row = mysql_fetch_row(list)) != NULL;) {
        if (!is_statement_of_others(watch->connection, list, row)) {
            continue;
        }
        if (!asked) {
            ask_lock_waits(watch, &waits);
            asked = true;
        }
        if (!waits_for_us(&waits, strtoul(cell(row, id), NULL, 10))) {
            double seconds = strtod(cell(row, time), NULL);
            load->running++;
            load->statement_s = seconds > load->statement_s ? seconds : load->statement_s;
        }
    }
    free(waits.list);
}

/* Sessions that the user may not see have no lines: there are fewer than there are connections,
 * before and after, since some come and go. */
static enum status ask_statements(struct load_watch *watch, struct database_load *load,
                                  struct error *error)
{
    int64_t before = 0;
    int64_t after = 0;
    MYSQL_RES *list = NULL;
    if (ask_connected(watch, &before, error) != STATUS_OK ||
        mysql_run(watch->self, watch->connection, "SHOW PROCESSLIST", SQL_SHORT, ERROR_NETWORK,
                  &list, error) != STATUS_OK ||
        ask_connected(watch, &after, error) != STATUS_OK) {
        mysql_free_result(list);
        return STATUS_FAILED;
    }
    int64_t seen = (int64_t)mysql_num_rows(list);
    if (seen < before && seen < after) {
        load->running = -1;
        load->statement_s = -1;
        load->grant = "GRANT PROCESS ON *.* TO the user";
    } else {
        count_statements(watch, list, load);
    }
    mysql_free_result(list);
    return STATUS_OK;
}

static enum status load_ask(struct load_watch *watch, struct database_load *load,
                            struct error *error)
{
    struct mysql_database *self = watch->self;
    *load = (struct database_load){.lag_s = -1, .running = -1, .statement_s = -1};
    enum status status = mysql_is_alive(watch->connection) ? STATUS_OK : STATUS_FAILED;
    if (status == STATUS_FAILED) {
        mysql_disconnect(watch->connection);
        watch->connection = NULL;
        status = mysql_connect(self, &watch->connection, error);
    }
    if (status == STATUS_OK) {
        status = ask_lag(watch, load, error);
    }
    /* one that comes or leaves between the questions looks like one that may not be seen; what is
     * not known would end a pause */
    for (int tries = 0; status == STATUS_OK && load->running < 0 && tries < LOOKS_MAX; tries++) {
        clock_sleep_ms(tries > 0 ? LOOK_AGAIN_MS : 0);
        status = ask_statements(watch, load, error);
    }
    return status;
}

enum status mysql_caveats(struct database *database, struct buffer *out, struct error *error)
{
    (void)database;
    (void)error;
    buffer_append_string(out, MYSQL_STAYS_OPEN "\n");
    return STATUS_OK;
}

const struct load_functions mysql_load_functions = {
    .open = load_open,
    .ask = load_ask,
    .close = load_close,
};
