/* How hard the server is at work: the statements of others, and how far it is behind as a replica.
 */
#include "connectors/load.h"
#include "connectors/mysql/mysql_internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct load_watch {
    struct maria_database *self;
    MYSQL *connection; /* NULL: broke */
};

static void load_close(struct load_watch *watch)
{
    if (watch != NULL) {
        maria_disconnect(watch->connection);
        free(watch);
    }
}

static enum status load_open(struct database *database, struct load_watch **watch,
                             struct error *error)
{
    struct maria_database *self = maria_database_of(database);
    *watch = (struct load_watch *)calloc(1, sizeof(**watch));
    if (*watch == NULL) {
        return error_set(error, ERROR_MEMORY, self->shown, "no memory for a connection");
    }
    (*watch)->self = self;
    if (maria_connect(self, &(*watch)->connection, error) != STATUS_OK) {
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
    struct maria_database *self = watch->self;
    const char *sql = self->mariadb            ? "SHOW ALL SLAVES STATUS"
                      : self->version >= 80022 ? "SHOW REPLICA STATUS"
                                               : "SHOW SLAVE STATUS";
    MYSQL_RES *result = NULL;
    if (maria_query(self, watch->connection, sql, MARIA_SHORT, ERROR_PERMISSION, &result, error) !=
        STATUS_OK) {
        if (error->code != ERROR_PERMISSION) {
            return STATUS_FAILED;
        }
        load->grant = self->mariadb ? "GRANT REPLICA MONITOR ON *.* TO the user"
                                    : "GRANT REPLICATION CLIENT ON *.* TO the user";
        return STATUS_OK;
    }
    int column = maria_column_named(result, "Seconds_Behind_Master");
    if (column < 0) {
        column = maria_column_named(result, "Seconds_Behind_Source");
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
    if (maria_query(watch->self, watch->connection, "SHOW GLOBAL STATUS LIKE 'Threads_connected'",
                    MARIA_SHORT, ERROR_NETWORK, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    MYSQL_ROW row = mysql_fetch_row(result);
    *connected = row != NULL ? strtol(cell(row, 1), NULL, 10) : 0;
    mysql_free_result(result);
    return STATUS_OK;
}

/* Of sessions that the user may not see there are no lines: fewer than there are connections. */
static enum status ask_statements(struct load_watch *watch, struct database_load *load,
                                  struct error *error)
{
    struct maria_database *self = watch->self;
    int64_t connected = 0;
    int64_t seen = 0;
    MYSQL_RES *result = NULL;
    if (ask_connected(watch, &connected, error) != STATUS_OK ||
        maria_query(self, watch->connection, "SHOW PROCESSLIST", MARIA_SHORT, ERROR_NETWORK,
                    &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int id = maria_column_named(result, "Id");
    int command = maria_column_named(result, "Command");
    int time = maria_column_named(result, "Time");
    load->running = 0;
    load->statement_s = 0;
    for (MYSQL_ROW row; (row = mysql_fetch_row(result)) != NULL; seen++) {
        unsigned long number = strtoul(cell(row, id), NULL, 10);
        if (is_statement(cell(row, command)) && !maria_is_own(self, number)) {
            double seconds = strtod(cell(row, time), NULL);
            load->running++;
            load->statement_s = seconds > load->statement_s ? seconds : load->statement_s;
        }
    }
    mysql_free_result(result);
    if (seen < connected) {
        load->running = -1;
        load->statement_s = -1;
        load->grant = "GRANT PROCESS ON *.* TO the user";
    }
    return STATUS_OK;
}

static enum status load_ask(struct load_watch *watch, struct database_load *load,
                            struct error *error)
{
    struct maria_database *self = watch->self;
    *load = (struct database_load){.lag_s = -1, .running = -1, .statement_s = -1};
    enum status status = maria_is_alive(watch->connection) ? STATUS_OK : STATUS_FAILED;
    if (status == STATUS_FAILED) {
        maria_disconnect(watch->connection);
        watch->connection = NULL;
        status = maria_connect(self, &watch->connection, error);
    }
    if (status == STATUS_OK) {
        status = ask_lag(watch, load, error);
    }
    /* one that leaves between the two questions looks like one that may not be seen */
    for (int tries = 0; status == STATUS_OK && load->running < 0 && tries < 3; tries++) {
        status = ask_statements(watch, load, error);
    }
    return status;
}

enum status maria_caveats(struct database *database, struct buffer *out, struct error *error)
{
    (void)database;
    (void)error;
    buffer_append_string(out,
                         "a transaction stays open on the source while the copy reads: its undo "
                         "log keeps what has changed since\n");
    return STATUS_OK;
}

const struct load_functions maria_load_functions = {
    .open = load_open,
    .ask = load_ask,
    .close = load_close,
};
