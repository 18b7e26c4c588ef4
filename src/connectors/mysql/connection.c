/* Connections: made, set up, asked, and never waited for without an end. */
#include "base/file.h"
#include "base/memory.h"
#include "base/signals.h"
#include "connectors/mysql/mysql_internal.h"
#include "connectors/sql/locks.h"
#include <errmsg.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SLICE_MS = 250, NET_BUFFER_BYTES = 64 << 10 /* of 8 KiB each send is a call */ };

/*
 * The settings of every session. The character set again, since init_connect or the server's option
 * skip-character-set-client-handshake may have put another in the place of ours. The sql_mode is
 * ours alone: strict, with every value that the server can hold allowed (zero dates, the
 * 31st of each month, an auto_increment of 0) and backslashes that escape. No timeout of the
 * server's ends a session that waits for the other side. DEFAULT would be what the server's
 * administrator chose for all: a limit of rows, or a moment of the past for tables with system
 * versioning, would leave records out. A setting that MariaDB alone knows, since a version, stands
 * in comments that no other server looks into.
 */
static const char session_settings[] =
    "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci, SESSION sql_mode = "
    "'STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO', "
    "time_zone = '+00:00', sql_quote_show_create = 1, wait_timeout = 604800, "
    "net_read_timeout = 86400, net_write_timeout = 86400, max_sort_length = 65536, "
    "sql_select_limit = 18446744073709551615, sql_big_selects = 1, sql_auto_is_null = 0, "
    "sql_buffer_result = 0, autocommit = 1, completion_type = 0, group_concat_max_len = 1048576, "
    "sql_notes = 1, sql_safe_updates = 0, unique_checks = 1, "
    "foreign_key_checks = 1 /*M!100201 , check_constraint_checks = 1 */ "
    "/*M!100304 , system_versioning_asof = DEFAULT */ /*M!100307 , alter_algorithm = 'DEFAULT' */ "
    "/*M!100502 , sql_if_exists = 0 */";

/* ---------------------------------------------------------------- waiting */

void mysql_break_off(MYSQL *connection)
{
    shutdown(mysql_get_socket(connection), SHUT_RDWR);
}

static bool wait_until_readable(MYSQL *connection, int64_t timeout_ms)
{
    struct pollfd waiting = {.fd = mysql_get_socket(connection), .events = POLLIN};
    int ready = poll(&waiting, 1, (int)timeout_ms);
    return ready > 0 || (ready < 0 && errno != EINTR);
}

static void end_by_kill(struct mysql_database *self, const char *what, MYSQL *connection)
{
    struct buffer sql = {0};
    MYSQL *other = NULL;
    buffer_format(&sql, "KILL %s %lu", what, mysql_thread_id(connection));
    if (mysql_reach(self, &other, NULL) == STATUS_OK && mysql_sees(self, other, connection)) {
        (void)!mysql_run_buffer(self, other, &sql, SQL_PROBE, ERROR_NETWORK, NULL, NULL);
    }
    mysql_disconnect(other);
    buffer_free(&sql);
}

/* The server goes on with a statement whose client is gone, and keeps its transaction's locks. */
static enum status give_up(struct mysql_database *self, MYSQL *connection,
                           enum sql_patience patience, struct error *error)
{
    if (patience != SQL_PROBE && !atomic_load(&self->sql.base.hurried)) {
        end_by_kill(self, "CONNECTION", connection);
    }
    error_set(error, ERROR_NETWORK, self->sql.shown, "the server did not answer within %lld s",
              (long long)(self->timeout_ms / 1000));
    error_hint(error, "it may be overloaded, or wait for a lock: SHOW PROCESSLIST shows it");
    mysql_break_off(connection); /* what it may still say nobody would understand */
    return STATUS_FAILED;
}

void mysql_kill_statement(struct mysql_database *self, MYSQL *connection)
{
    end_by_kill(self, "QUERY", connection);
}

enum status mysql_keep_vigil(struct mysql_database *self, MYSQL *connection,
                             struct sql_vigil *vigil, struct error *error)
{
    enum sql_life life = mysql_life_of(self, connection);
    enum status status = sql_vigil_found(vigil, life, self->timeout_ms, self->sql.shown, error);
    if (status != STATUS_OK) {
        if (life != SQL_SILENT) { /* its transaction would hold its locks, perhaps for hours */
            end_by_kill(self, "CONNECTION", connection);
        }
        mysql_break_off(connection);
    }
    return status;
}

/*
 * The answer's first byte; what follows is the client library's to wait for, a read at a time (of
 * rows that are read as they come see mysql_next_row). A server goes on with a statement whose
 * client is gone: so one that is to stop is killed first.
 */
enum status mysql_await(struct mysql_database *self, MYSQL *connection, enum sql_patience patience,
                        struct error *error)
{
    bool stopped = false;
    struct sql_vigil vigil;
    sql_vigil_begin(&vigil, self->timeout_ms);
    while (!wait_until_readable(connection, SLICE_MS)) {
        if (sql_vigil_is_due(&vigil)) {
            if (sql_is_short(patience) || stopped) {
                return give_up(self, connection, patience, error);
            }
            if (mysql_keep_vigil(self, connection, &vigil, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
        }
        if (!sql_is_short(patience) && !stopped &&
            signals_stop_level() >= (patience == SQL_BUILD ? 1 : 2)) {
            mysql_kill_statement(self, connection);
            stopped = true;
            sql_vigil_begin(&vigil, self->timeout_ms);
        }
    }
    return STATUS_OK;
}

enum status mysql_next_row(struct mysql_database *self, MYSQL_RES *result, MYSQL *connection,
                           MYSQL_ROW *row, struct error *error)
{
    enum status status = STATUS_OK;
    int waits_for = mysql_fetch_row_start(row, result);
    while (waits_for != 0) {
        /* where that failed the connection is broken off, and the call ends at once */
        if (status == STATUS_OK) {
            status = mysql_await(self, connection, SQL_LONG, error);
        }
        waits_for = mysql_fetch_row_cont(row, result, waits_for & ~MYSQL_WAIT_TIMEOUT);
    }
    if (status != STATUS_OK || *row != NULL || mysql_errno(connection) == 0) {
        return status;
    }
    return mysql_failure(self, connection, ERROR_SOURCE_READ, error);
}

bool mysql_is_alive(MYSQL *connection)
{
    return connection != NULL && !mysql_is_lost(mysql_errno(connection)) &&
           mysql_get_socket(connection) != MARIADB_INVALID_SOCKET;
}

bool mysql_has_spoken(MYSQL *connection)
{
    return wait_until_readable(connection, 0);
}

void mysql_disconnect(MYSQL *connection)
{
    if (connection != NULL) {
        mysql_own_remove(connection);
        mysql_close(connection);
    }
}

/* ---------------------------------------------------------------- connecting */

const char mysql_asks_for_a_file[] =
    "the server asked for a file of this machine, which it will not get";

/* Files are sent by the writer alone, out of its memory; it sets a handler of its own. */
static int refuse_file(void **handle, const char *name, void *data)
{
    (void)handle;
    (void)name;
    (void)data;
    return 1;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the signature is libmariadb's */
static int read_nothing(void *handle, char *bytes, unsigned int size)
{
    (void)handle;
    (void)bytes;
    (void)size;
    return -1;
}

static void end_nothing(void *handle)
{
    (void)handle;
}

static int say_refused(void *handle, char *words, unsigned int size)
{
    (void)handle;
    snprintf(words, size, "%s", mysql_asks_for_a_file);
    return MYSQL_FILE_REFUSED;
}

static void choose_tls(const struct mysql_settings *settings, enum mysql_tls tls, MYSQL *connection)
{
    my_bool yes = 1;
    my_bool no = 0;
    if (tls == MYSQL_TLS_DISABLE) {
        mysql_optionsv(connection, MYSQL_OPT_SSL_ENFORCE, &no);
        mysql_optionsv(connection, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &no);
        return;
    }
    mysql_ssl_set(connection, settings->key, settings->certificate, settings->ca, NULL, NULL);
    if (tls >= MYSQL_TLS_REQUIRE) {
        mysql_optionsv(connection, MYSQL_OPT_SSL_ENFORCE, &yes);
    }
    mysql_optionsv(connection, MYSQL_OPT_SSL_VERIFY_SERVER_CERT,
                   tls == MYSQL_TLS_VERIFY_FULL ? &yes : &no);
}

/* A release has the library's plugins beside the modules; the library looks where it was built for.
 */
static void choose_plugins(MYSQL *connection)
{
    char program[PATH_MAX];
    char plugins[PATH_MAX + 32];
    if (getenv("MARIADB_PLUGIN_DIR") == NULL && file_program_folder(program, sizeof program)) {
        snprintf(plugins, sizeof plugins, "%s/../lib/transhume/plugin", program);
        if (access(plugins, X_OK) == 0) {
            mysql_optionsv(connection, MYSQL_PLUGIN_DIR, plugins);
        }
    }
}

static void choose_options(const struct mysql_database *self, enum mysql_tls tls, MYSQL *connection)
{
    const struct mysql_settings *settings = &self->settings;
    unsigned seconds = (unsigned)((self->timeout_ms + 999) / 1000);
    unsigned local = self->loads ? 1 : 0;
    bool reads_files = settings->option_file == NULL || settings->option_file[0] != '\0';
    unsigned long net_buffer_bytes = NET_BUFFER_BYTES;

    mysql_optionsv(connection, MYSQL_OPT_NONBLOCK, 0); /* for mysql_next_row and log_in */
    if (settings->option_file != NULL && reads_files) {
        mysql_optionsv(connection, MYSQL_READ_DEFAULT_FILE, settings->option_file);
    }
    if (reads_files) {
        mysql_optionsv(connection, MYSQL_READ_DEFAULT_GROUP, "transhume");
    }
    mysql_optionsv(connection, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_optionsv(connection, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    mysql_optionsv(connection, MYSQL_OPT_READ_TIMEOUT, &seconds);
    mysql_optionsv(connection, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
    mysql_optionsv(connection, MYSQL_OPT_LOCAL_INFILE, &local);
    mysql_optionsv(connection, MYSQL_OPT_NET_BUFFER_LENGTH, &net_buffer_bytes);
    mysql_optionsv(connection, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "transhume");
    /* a password in clear goes only where nobody else can read it, to a peer that is known */
    mysql_optionsv(connection, MARIADB_OPT_RESTRICTED_AUTH,
                   settings->tls == MYSQL_TLS_VERIFY_FULL
                       ? "mysql_native_password,caching_sha2_password,sha256_password,"
                         "client_ed25519,dialog,mysql_clear_password"
                       : "mysql_native_password,caching_sha2_password,sha256_password,"
                         "client_ed25519");
    choose_plugins(connection);
    choose_tls(settings, tls, connection);
    mysql_set_local_infile_handler(connection, refuse_file, read_nothing, end_nothing, say_refused,
                                   NULL);
}

/* A peer that is gone without a word is seen even while a statement works for hours. */
static void watch_peer(const struct mysql_database *self, MYSQL *connection)
{
    int on = 1;
    int idle_s = 30;
    unsigned timeout_ms = (unsigned)(self->timeout_ms > 0 ? self->timeout_ms : 30000);
    int socket = mysql_get_socket(connection);
    /* of a Unix socket these fail, and are not needed */
    (void)setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    (void)setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

/* The server gives up before the client does. */
static enum status bound_lock_waits(struct mysql_database *self, MYSQL *connection,
                                    struct error *error)
{
    long long seconds = mysql_lock_seconds(sql_long_lock_ms(self->timeout_ms));
    struct buffer sql = {0};
    buffer_format(&sql, "SET SESSION innodb_lock_wait_timeout = %lld, lock_wait_timeout = %lld",
                  seconds, seconds);
    return mysql_run_buffer(self, connection, &sql, SQL_SHORT, ERROR_NETWORK, NULL, error);
}

enum status mysql_session_reset(struct mysql_database *self, MYSQL *connection, struct error *error)
{
    enum status status =
        mysql_run(self, connection, session_settings, SQL_SHORT, ERROR_NETWORK, NULL, error);
    return status == STATUS_OK ? bound_lock_waits(self, connection, error) : status;
}

static enum status set_up_session(struct mysql_database *self, MYSQL *connection,
                                  struct error *error)
{
    bool repeatable = self->mode == OPEN_SOURCE || self->statement_log;
    enum status status = mysql_session_reset(self, connection, error);
    if (status == STATUS_OK) {
        status = mysql_run(self, connection,
                           repeatable ? "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"
                                      : "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
                           SQL_SHORT, ERROR_NETWORK, NULL, error);
    }
    /* settings that one server has and another one has not */
    static const char *const optional[] = {
        "SET SESSION max_statement_time = 0",
        "SET SESSION idle_transaction_timeout = 0",
        "SET SESSION idle_readonly_transaction_timeout = 0",
        "SET SESSION idle_write_transaction_timeout = 0",
        "SET SESSION max_execution_time = 0",
        "SET SESSION information_schema_stats_expiry = 0",
        "SET SESSION explicit_defaults_for_timestamp = 1",
        "SET SESSION sql_generate_invisible_primary_key = 0",
        "SET SESSION max_error_count = 64", /* MySQL 9 asks for a right for it */
        "SET SESSION lc_messages = 'en_US'" /* writer_load.c reads them */};
    for (size_t i = 0; status == STATUS_OK && i < sizeof optional / sizeof optional[0]; i++) {
        if (mysql_query(connection, optional[i]) != 0 && mysql_is_lost(mysql_errno(connection))) {
            status = mysql_failure(self, connection, ERROR_NETWORK, error);
        }
    }
    return status;
}

/* Not every proxy that speaks for a server has a list of its sessions. */
static enum status note_session(struct mysql_database *self, MYSQL *connection, struct error *error)
{
    static const char server[] = "SELECT " MYSQL_SERVER_NAME;
    static const char both[] =
        "SELECT " MYSQL_SERVER_NAME ", (SELECT p.host FROM information_schema.processlist AS p "
        "WHERE p.id = connection_id())";
    MYSQL_RES *result = NULL;
    enum status status =
        mysql_run(self, connection, both, SQL_SHORT, ERROR_NETWORK, &result, error);
    if (status != STATUS_OK && mysql_errno(connection) != 0 && mysql_is_alive(connection)) {
        status = mysql_run(self, connection, server, SQL_SHORT, ERROR_NETWORK, &result, error);
    }
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    MYSQL_ROW row = mysql_fetch_row(result);
    bool named = row != NULL && row[0] != NULL;
    if (named) {
        mysql_own_add(connection, row[0], mysql_num_fields(result) > 1 ? row[1] : NULL);
    }
    mysql_free_result(result);
    return named ? STATUS_OK
                 : error_set(error, ERROR_NETWORK, self->sql.shown,
                             "the server does not name itself");
}

static int wait_for(MYSQL *connection, int events)
{
    struct pollfd waiting = {.fd = mysql_get_socket(connection)};
    waiting.events = (short)(((events & MYSQL_WAIT_READ) != 0 ? POLLIN : 0) |
                             ((events & MYSQL_WAIT_WRITE) != 0 ? POLLOUT : 0) |
                             ((events & MYSQL_WAIT_EXCEPT) != 0 ? POLLPRI : 0));
    bool timed = (events & MYSQL_WAIT_TIMEOUT) != 0;
    int ready = 0;
    do {
        ready = poll(&waiting, 1, timed ? (int)mysql_get_timeout_value_ms(connection) : -1);
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0) {
        return MYSQL_WAIT_TIMEOUT;
    }
    return ((waiting.revents & (POLLIN | POLLERR | POLLHUP)) != 0 ? MYSQL_WAIT_READ : 0) |
           ((waiting.revents & (POLLOUT | POLLERR | POLLHUP)) != 0 ? MYSQL_WAIT_WRITE : 0) |
           ((waiting.revents & POLLPRI) != 0 ? MYSQL_WAIT_EXCEPT : 0);
}

/*
 * A server without TLS is nobody to log in to if TLS was asked for: the library would go on, and
 * some of its plugins send the password in clear then. Looked at once a connection is there, so
 * before the library reads. `without_tls`: given up, since the server has none.
 */
static bool log_in(const struct mysql_database *self, enum mysql_tls tls, MYSQL *connection,
                   bool *without_tls)
{
    const struct mysql_settings *settings = &self->settings;
    const char *password = settings->password != NULL ? settings->password : getenv("MYSQL_PWD");
    bool wants_tls = tls != MYSQL_TLS_DISABLE && settings->socket == NULL;
    MYSQL *made = NULL;
    int events = mysql_real_connect_start(
        &made, connection, settings->host, settings->user, password, self->sql.schema,
        settings->port, settings->socket, CLIENT_FOUND_ROWS | CLIENT_MULTI_RESULTS);
    *without_tls = false;
    for (bool judged = !wants_tls; events != 0;) {
        int happened = *without_tls ? MYSQL_WAIT_TIMEOUT : wait_for(connection, events);
        if (!judged && happened == MYSQL_WAIT_WRITE) {
            enum mysql_greeting greeting =
                mysql_greeting_judge(mysql_get_socket(connection), self->timeout_ms);
            judged = greeting != MYSQL_GREETING_LATE;
            *without_tls = greeting == MYSQL_GREETING_WITHOUT_TLS;
            happened = greeting == MYSQL_GREETING_FINE ? happened : MYSQL_WAIT_TIMEOUT;
        }
        events = mysql_real_connect_cont(&made, connection, happened);
    }
    return made != NULL && !*without_tls;
}

static enum status not_reached(const struct mysql_database *self, MYSQL *connection,
                               struct error *error)
{
    mysql_failure(self, connection, ERROR_NETWORK, error);
    if (error != NULL && error->native_code == CR_UNKNOWN_ERROR) {
        error_set(error, ERROR_CREDENTIALS, self->sql.shown,
                  "the log-in broke off, and the client library does not say why");
        error_hint(error, "over TLS (sslmode=require, or better verify-full) no public key of the "
                          "server's is needed, which may be the cause");
    } else if (error != NULL && error->hint[0] == '\0') {
        error_hint(error, "check host and port, and that the server runs");
    }
    return STATUS_FAILED;
}

static enum status refuse_without_tls(const struct mysql_database *self, struct error *error)
{
    error_set(error, ERROR_TLS, self->sql.shown, "the server offers no TLS");
    error_hint(error, "turn it on there; where nobody can listen, sslmode=disable does without");
    return STATUS_FAILED;
}

static enum status reach(struct mysql_database *self, enum mysql_tls tls, MYSQL **connection,
                         bool *without_tls, struct error *error)
{
    MYSQL *made = mysql_init(NULL);
    *connection = NULL;
    if (made == NULL) {
        memory_exhausted(0);
    }
    choose_options(self, tls, made);
    if (!log_in(self, tls, made, without_tls)) {
        if (*without_tls) {
            (void)!refuse_without_tls(self, error);
        } else {
            (void)!not_reached(self, made, error);
        }
        mysql_disconnect(made);
        return STATUS_FAILED;
    }
    watch_peer(self, made);
    mysql_tell_link(self, made);
    *connection = made;
    return STATUS_OK;
}

enum status mysql_reach(struct mysql_database *self, MYSQL **connection, struct error *error)
{
    enum mysql_tls tls = self->settings.tls;
    bool without_tls = false;
    enum status status = reach(self, tls, connection, &without_tls, error);
    if (without_tls && tls == MYSQL_TLS_PREFER) {
        if (error != NULL) {
            error_clear(error);
        }
        status = reach(self, MYSQL_TLS_DISABLE, connection, &without_tls, error);
    }
    return status;
}

enum status mysql_reach_known(struct mysql_database *self, MYSQL **connection, struct error *error)
{
    if (mysql_reach(self, connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (note_session(self, *connection, error) != STATUS_OK) {
        mysql_disconnect(*connection);
        *connection = NULL;
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

enum status mysql_connect(struct mysql_database *self, MYSQL **connection, struct error *error)
{
    if (mysql_reach_known(self, connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (set_up_session(self, *connection, error) != STATUS_OK) {
        mysql_disconnect(*connection);
        *connection = NULL;
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- asking */

int mysql_column_named(MYSQL_RES *result, const char *name)
{
    const MYSQL_FIELD *fields = mysql_fetch_fields(result);
    for (unsigned i = 0; i < mysql_num_fields(result); i++) {
        if (strcasecmp(fields[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

enum status mysql_read_answer(struct mysql_database *self, MYSQL *connection,
                              enum sql_patience patience, enum error_code otherwise,
                              struct error *error)
{
    if (mysql_await(self, connection, patience, error) != STATUS_OK) {
        (void)!mysql_read_query_result(connection); /* notes that the connection is over */
        return STATUS_FAILED;
    }
    return mysql_read_query_result(connection) != 0
               ? mysql_failure(self, connection, otherwise, error)
               : STATUS_OK;
}

enum status mysql_send(struct mysql_database *self, MYSQL *connection, const char *sql,
                       size_t length, enum sql_patience patience, enum error_code otherwise,
                       struct error *error)
{
    return mysql_send_query(connection, sql, (unsigned long)length) != 0
               ? mysql_failure(self, connection, ERROR_NETWORK, error)
               : mysql_read_answer(self, connection, patience, otherwise, error);
}

enum status mysql_run(struct mysql_database *self, MYSQL *connection, const char *sql,
                      enum sql_patience patience, enum error_code otherwise, MYSQL_RES **result,
                      struct error *error)
{
    if (result != NULL) {
        *result = NULL;
    }
    if (mysql_send(self, connection, sql, strlen(sql), patience, otherwise, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    MYSQL_RES *stored = mysql_store_result(connection);
    if (stored == NULL && mysql_errno(connection) != 0) {
        return mysql_failure(self, connection, otherwise, error);
    }
    if (result != NULL) {
        *result = stored;
    } else {
        mysql_free_result(stored);
    }
    return STATUS_OK;
}

enum status mysql_run_buffer(struct mysql_database *self, MYSQL *connection, struct buffer *sql,
                             enum sql_patience patience, enum error_code otherwise,
                             MYSQL_RES **result, struct error *error)
{
    enum status status =
        mysql_run(self, connection, buffer_string(sql), patience, otherwise, result, error);
    buffer_free(sql);
    return status;
}

enum status mysql_ask_number(struct mysql_database *self, MYSQL *connection, struct buffer *sql,
                             enum sql_patience patience, enum error_code otherwise,
                             int64_t otherwise_value, int64_t *number, struct error *error)
{
    MYSQL_RES *result = NULL;
    *number = otherwise_value;
    if (mysql_run_buffer(self, connection, sql, patience, otherwise, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    MYSQL_ROW row = result != NULL ? mysql_fetch_row(result) : NULL;
    if (row != NULL && row[0] != NULL &&
        text_to_int64(row[0], strlen(row[0]), number) != STATUS_OK) {
        *number = otherwise_value;
    }
    mysql_free_result(result);
    return STATUS_OK;
}

enum status mysql_ask_edge(struct mysql_database *self, MYSQL *connection, const char *edge,
                           const char *table, const char *column, enum error_code otherwise,
                           int64_t *number, struct error *error)
{
    struct buffer sql = {0};
    mysql_append(&sql, "SELECT %s(%n) FROM %t", edge, column, &self->sql, table);
    return mysql_ask_number(self, connection, &sql, SQL_LONG, otherwise, INT64_MIN, number, error);
}

long long mysql_lock_seconds(int64_t wait_ms)
{
    return wait_ms < 1000 ? 1 : wait_ms / 1000;
}
