/* Connections: made, set up, asked, and never waited for without an end. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/signals.h"
#include "base/text.h"
#include "connectors/postgres/locks.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { SLICE_MS = 250, DATA_SLICE_MS = 1000 };

#define BUSY "wait, lower --jobs, or raise max_connections"
#define CERTIFICATE \
    "name the client's certificate and its key: sslcert=FILE&sslkey=FILE; docs/postgres.md"
#define CONNECT \
    "`check --rights-for ACCOUNT`, asked by an administrator, prints all that a run needs"
#define LOGIN "set PGPASSWORD, ~/.pgpass or a client certificate; docs/postgres.md shows how"
#define ON_THE_WAY                                                                                 \
    "check host and port, that it is the server itself that answers there, and what lies between " \
    "(a proxy, a firewall); a server under load: a longer --timeout"
#define TLS                                                                                      \
    "name the authority's certificate with sslrootcert=FILE, or say sslmode=; docs/postgres.md " \
    "explains"

/*
 * The settings of every session. `row_security` off: rows that a policy hides are an error, never
 * left out. Sequential scans begin at the table's beginning, so that a repeat reads alike. No
 * timeout of the server's ends a session that waits for the other side.
 */
static const char session_settings[] =
    "SET client_encoding = 'UTF8'; SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; "
    "SET intervalstyle = 'iso_8601'; SET extra_float_digits = 3; SET bytea_output = 'hex'; "
    "SET standard_conforming_strings = on; SET row_security = off; "
    "SET synchronize_seqscans = off; SET statement_timeout = 0; "
    "SET idle_in_transaction_session_timeout = 0; SET default_transaction_isolation = "
    "'read committed'; SET client_min_messages = 'error'; SET xmloption = 'content'; "
    "SET check_function_bodies = off; SET jit = off; SET array_nulls = on; "
    "SET transform_null_equals = off; SET quote_all_identifiers = off; "
    "SET default_transaction_deferrable = off; SET gin_fuzzy_search_limit = 0; "
    "SET exit_on_error = off";

bool postgres_wait(const struct postgres_database *self, PGconn *connection, bool writing,
                   int64_t timeout_ms)
{
    (void)self;
    struct pollfd waiting = {.fd = PQsocket(connection),
                             .events = (short)(POLLIN | (writing ? POLLOUT : 0))};
    int64_t end = clock_monotonic_ms() + timeout_ms;
    for (;;) {
        int64_t left = end - clock_monotonic_ms();
        int ready = poll(&waiting, 1, left < 0 ? 0 : left > SLICE_MS ? SLICE_MS : (int)left);
        if (ready > 0 || (ready < 0 && errno != EINTR)) {
            return true;
        }
        if (clock_monotonic_ms() >= end) {
            return false;
        }
    }
}

void postgres_disconnect(PGconn *connection)
{
    if (connection != NULL) {
        postgres_identity_remove(connection);
        PQfinish(connection);
    }
}

/* ---------------------------------------------------------------- connecting */

/* Why there is no connection: the first whose words fit, else, since a server may speak another
 * language, by what its SQLSTATE begins with. */
static const struct refusal {
    const char *state; /* NULL: told by its words alone */
    const char *words;
    const char *more; /* words that have to be there too */
    enum error_code source;
    enum error_code target;
    const char *hint;
} refusals[] = {
    {"3D000", "database \"", "does not exist", ERROR_SOURCE_MISSING, ERROR_TARGET_MISSING,
     "create the database first, or name another one"},
    {"42501", "permission denied for database", NULL, ERROR_PERMISSION, ERROR_PERMISSION, CONNECT},
    {"53", "too many", NULL, ERROR_NETWORK, ERROR_NETWORK, BUSY},
    {"57P03", "starting up", NULL, ERROR_NETWORK, ERROR_NETWORK, BUSY},
    {NULL, "remaining connection slots", NULL, ERROR_NETWORK, ERROR_NETWORK, BUSY},
    {"57P01", "shutting down", NULL, ERROR_NETWORK, ERROR_NETWORK, BUSY},
    {NULL, "service", "not found", ERROR_USAGE, ERROR_USAGE,
     "services are the sections of PGSERVICEFILE, else of ~/.pg_service.conf"},
    {NULL, "channel binding", NULL, ERROR_CREDENTIALS, ERROR_CREDENTIALS,
     "with channel_binding=require the server has to ask for a SCRAM password, over TLS "
     "(sslmode=require, or better verify-full)"},
    {NULL, "private key file", "access", ERROR_CREDENTIALS, ERROR_CREDENTIALS,
     "nobody else may read a private key: chmod 600 the file"},
    {NULL, "private key", NULL, ERROR_CREDENTIALS, ERROR_CREDENTIALS, CERTIFICATE},
    {NULL, "client certificate", NULL, ERROR_CREDENTIALS, ERROR_CREDENTIALS, CERTIFICATE},
    {NULL, "expected authentication request", NULL, ERROR_NETWORK, ERROR_NETWORK, ON_THE_WAY},
    {"28P01", "password", NULL, ERROR_CREDENTIALS, ERROR_CREDENTIALS, LOGIN},
    {NULL, "authentication", NULL, ERROR_CREDENTIALS, ERROR_CREDENTIALS, LOGIN},
    {"28000", "pg_hba.conf", NULL, ERROR_CREDENTIALS, ERROR_CREDENTIALS, LOGIN},
    {NULL, "role \"", NULL, ERROR_CREDENTIALS, ERROR_CREDENTIALS, LOGIN},
    {NULL, "SSL SYSCALL error", NULL, ERROR_NETWORK, ERROR_NETWORK, ON_THE_WAY},
    {NULL, "SSL", NULL, ERROR_TLS, ERROR_TLS, TLS},
    {NULL, "certificate", NULL, ERROR_TLS, ERROR_TLS, TLS},
    {NULL, "", NULL, ERROR_NETWORK, ERROR_NETWORK, "check host and port, and that the server runs"},
};

static const struct refusal *refusal_of(const char *state, const char *said)
{
    const struct refusal *last = &refusals[sizeof refusals / sizeof refusals[0] - 1];
    const struct refusal *found = refusals;
    while (strstr(said, found->words) == NULL ||
           (found->more != NULL && strstr(said, found->more) == NULL)) {
        found++;
    }
    for (const struct refusal *at = refusals; found == last && state[0] != '\0' && at < last;
         at++) {
        if (at->state != NULL && strncmp(state, at->state, strlen(at->state)) == 0) {
            return at;
        }
    }
    return found;
}

/* Takes out of libpq's verbose words what nobody reads: the last ":  STATE: ", which it keeps, and
 * lines that tell a place in the server's sources. */
static void take_state(char *said, char state[6])
{
    static const char place[] = "\nLOCATION:";
    state[0] = '\0';
    for (char *at = said; (at = strstr(at, ":  ")) != NULL;) {
        char *code = at + 3;
        if (strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 &&
            strncmp(code + 5, ": ", 2) == 0) {
            snprintf(state, 6, "%.5s", code);
            memmove(code, code + 7, strlen(code + 7) + 1);
        }
        at = code;
    }
    for (char *at = said; (at = strstr(at, place)) != NULL;) {
        char *end = at + 1 + strcspn(at + 1, "\n");
        memmove(at, end, strlen(end) + 1);
    }
}

/* The password file that libpq passes over because others may read it; it says so on stderr alone.
 */
static bool ignores_password_file(PGconn *connection, char *path, size_t size)
{
    PQconninfoOption *options = PQconninfo(connection);
    bool given = false;
    struct stat file;

    path[0] = '\0';
    for (const PQconninfoOption *option = options; option != NULL && option->keyword != NULL;
         option++) {
        if (option->val != NULL && strcmp(option->keyword, "passfile") == 0) {
            snprintf(path, size, "%s", option->val);
        }
        given = given || (option->val != NULL && strcmp(option->keyword, "password") == 0);
    }
    PQconninfoFree(options);
    return !given && path[0] != '\0' && stat(path, &file) == 0 && S_ISREG(file.st_mode) &&
           (file.st_mode & (S_IRWXG | S_IRWXO)) != 0;
}

/* Does the URI say which database, and not leave it to libpq, which takes the user's name? */
static bool names_database(const char *uri)
{
    const char *authority = strstr(uri, "://");
    const char *path = authority != NULL ? strchr(authority + 3, '/') : NULL;
    return (path != NULL && path[1] != '\0' && path[1] != '?') || strstr(uri, "dbname=") != NULL;
}

static enum status unreachable(const struct postgres_database *self, PGconn *connection,
                               const char *why, struct error *error)
{
    char said[640];
    char path[256];
    char state[6];
    snprintf(said, sizeof said, "%s", PQerrorMessage(connection));
    take_state(said, state);
    size_t length = strlen(said);
    while (length > 0 && said[length - 1] == '\n') {
        said[--length] = '\0';
    }
    for (char *at = said; *at != '\0'; at++) {
        *at = *at == '\n' || *at == '\t' ? ' ' : *at;
    }
    const struct refusal *refusal = refusal_of(state, said);
    error_set(error, self->mode == OPEN_SOURCE ? refusal->source : refusal->target, self->sql.shown,
              "%s%.*s", why, (int)length, said);
    if (strcmp(refusal->hint, LOGIN) == 0 && ignores_password_file(connection, path, sizeof path)) {
        error_hint(error, "%s is ignored, since others may read it: chmod 600", path);
    } else if (strcmp(refusal->hint, CONNECT) == 0) {
        struct buffer grant = {0};
        postgres_append(&grant, "GRANT CONNECT ON DATABASE %n TO %n", PQdb(connection),
                        PQuser(connection));
        error_hint(error, "%s; " CONNECT, buffer_string(&grant));
        buffer_free(&grant);
    } else if (refusal == refusals && !names_database(self->sql.shown) &&
               PQdb(connection) != NULL && PQuser(connection) != NULL &&
               strcmp(PQdb(connection), PQuser(connection)) == 0) {
        error_hint(error, "a URI without a database means the one named as the user: write "
                          "postgresql://USER@HOST/DATABASE");
    } else {
        error_hint(error, "%s", refusal->hint);
    }
    return STATUS_FAILED;
}

static enum status wait_for_connection(struct postgres_database *self, PGconn *connection,
                                       struct error *error)
{
    int64_t end = clock_monotonic_ms() + self->timeout_ms;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;

    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED) {
            return unreachable(self, connection, "", error);
        }
        int64_t left = end - clock_monotonic_ms();
        struct pollfd waiting = {.fd = PQsocket(connection),
                                 .events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        int ready = left <= 0 ? 0 : poll(&waiting, 1, left > SLICE_MS ? SLICE_MS : (int)left);
        if (left <= 0 || signals_stop_level() >= 2) {
            error_set(error, ERROR_NETWORK, self->sql.shown,
                      "the server did not take the connection within %lld s",
                      (long long)(self->timeout_ms / 1000));
            error_hint(error, "%s", ON_THE_WAY);
            return STATUS_FAILED;
        }
        if (ready > 0) {
            state = PQconnectPoll(connection);
        }
    }
    return STATUS_OK;
}

static void ignore_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

enum status postgres_prefer_schema(struct postgres_database *self, PGconn *connection,
                                   struct error *error)
{
    const struct postgres_parameter parameters[] = {{.text = self->sql.schema},
                                                    {.text = self->spaces}};
    if (self->sql.base.scope.others.count == 0) {
        return postgres_query(self, connection, POSTGRES_PATH_OF("$1"), parameters, 1, SQL_SHORT,
                              ERROR_NETWORK, NULL, error);
    }
    return postgres_query(
        self, connection,
        "SELECT pg_catalog.set_config('search_path', (SELECT pg_catalog.string_agg("
        "pg_catalog.quote_ident(p.name), ', ' ORDER BY p.place) FROM pg_catalog.unnest($1::text "
        "OPERATOR(pg_catalog.||) pg_catalog.current_schemas(false)::text[]) WITH ORDINALITY "
        "p(name, place) WHERE p.place OPERATOR(pg_catalog.=) 1 OR (p.name "
        "OPERATOR(pg_catalog.<>) 'pg_catalog' AND NOT EXISTS (SELECT 1 FROM "
        "pg_catalog.generate_subscripts($2::text[], 1) i WHERE ($2::text[])[i][1] "
        "OPERATOR(pg_catalog.=) p.name))), false)",
        parameters, 2, SQL_SHORT, ERROR_NETWORK, NULL, error);
}

/* The settings that all have, those that only newer servers know, and the mode's. */
static enum status set_session(struct postgres_database *self, PGconn *connection,
                               struct error *error)
{
    int version = PQserverVersion(connection);
    struct buffer sql = {0};
    buffer_append_string(&sql, session_settings);
    buffer_append_string(&sql, version >= 140000 ? "; SET idle_session_timeout = 0" : "");
    buffer_append_string(&sql, version >= 170000 ? "; SET transaction_timeout = 0" : "");
    if (self->mode == OPEN_SOURCE) {
        /* nobody who wants the table queues behind a reader that waits for a lock for ever */
        buffer_format(&sql, "; SET lock_timeout = %lld",
                      (long long)sql_long_lock_ms(self->timeout_ms));
    } else {
        /* what is marked as done has to survive the server's death */
        buffer_append_string(&sql, "; SET synchronous_commit = on");
        buffer_append_string(&sql, self->replica ? "; SET session_replication_role = origin" : "");
    }
    return postgres_execute_buffer(self, connection, &sql, SQL_SHORT, ERROR_NETWORK, error);
}

static enum status reach(struct postgres_database *self, const char *const *keywords,
                         const char *const *values, PGconn **connection, struct error *error)
{
    PGconn *made = PQconnectStartParams(keywords, values, 0);
    enum status status = STATUS_FAILED;

    *connection = NULL;
    if (made == NULL) {
        memory_exhausted(0);
    }
    PQsetNoticeReceiver(made, ignore_notice, NULL);
    PQsetErrorVerbosity(made, PQERRORS_VERBOSE);
    if (PQstatus(made) == CONNECTION_BAD) {
        status = unreachable(self, made, "", error);
    } else {
        status = wait_for_connection(self, made, error);
    }
    PQsetErrorVerbosity(made, PQERRORS_DEFAULT);
    if (status == STATUS_OK && PQsetnonblocking(made, 1) != 0) {
        status = postgres_failure(self, made, NULL, ERROR_NETWORK, error);
    }
    if (status != STATUS_OK) {
        postgres_disconnect(made);
        return STATUS_FAILED;
    }
    postgres_tell_link(self, made);
    *connection = made;
    return STATUS_OK;
}

enum status postgres_reach(struct postgres_database *self, PGconn **connection, struct error *error)
{
    return reach(self, self->keywords, self->values, connection, error);
}

enum status postgres_reach_database(struct postgres_database *self, const char *name,
                                    PGconn **connection, struct error *error)
{
    const char *keywords[POSTGRES_SETTINGS_MAX + 1];
    const char *values[POSTGRES_SETTINGS_MAX + 1];
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->setting_count; i++) {
        if (strcmp(self->keywords[i], "dbname") != 0) {
            keywords[count] = self->keywords[i];
            values[count++] = self->values[i];
        }
    }
    keywords[count] = "dbname";
    values[count++] = name;
    keywords[count] = NULL;
    values[count] = NULL;
    return reach(self, keywords, values, connection, error);
}

enum status postgres_connect_walsender(struct postgres_database *self, PGconn **connection,
                                       struct error *error)
{
    const char *keywords[POSTGRES_SETTINGS_MAX + 1];
    const char *values[POSTGRES_SETTINGS_MAX + 1];
    uint32_t count = self->setting_count;
    memcpy(keywords, self->keywords, count * sizeof *keywords);
    memcpy(values, self->values, count * sizeof *values);
    keywords[count] = "replication";
    values[count] = "database";
    keywords[count + 1] = NULL;
    values[count + 1] = NULL;
    enum status status = reach(self, keywords, values, connection, error);
    if (status == STATUS_OK && set_session(self, *connection, error) != STATUS_OK) {
        postgres_disconnect(*connection);
        *connection = NULL;
        status = STATUS_FAILED;
    }
    return status;
}

enum status postgres_connect(struct postgres_database *self, PGconn **connection,
                             struct error *error)
{
    PGconn *made = NULL;
    enum status status = postgres_reach(self, &made, error);
    *connection = NULL;
    if (status == STATUS_OK) {
        status = set_session(self, made, error);
    }
    status = status == STATUS_OK ? postgres_identity_add(self, made, error) : status;
    if (status == STATUS_OK && self->sql.schema != NULL) {
        status = postgres_prefer_schema(self, made, error);
    }
    if (status != STATUS_OK) {
        postgres_disconnect(made);
        return STATUS_FAILED;
    }
    *connection = made;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- asking */

void postgres_break_off(PGconn *connection)
{
    shutdown(PQsocket(connection), SHUT_RDWR);
    (void)!PQconsumeInput(connection);
}

static enum status give_up(struct postgres_database *self, PGconn *connection,
                           enum sql_patience patience, struct error *error)
{
    if (patience == SQL_SHORT && !atomic_load(&self->sql.base.hurried)) {
        postgres_signal_session(self, connection, POSTGRES_END_SESSION);
    }
    postgres_break_off(connection);
    error_set(error, ERROR_NETWORK, self->sql.shown, "the server did not answer within %lld s",
              (long long)(self->timeout_ms / 1000));
    error_hint(error, "it may be overloaded, or wait for a lock: pg_stat_activity shows it");
    return STATUS_FAILED;
}

enum status postgres_keep_vigil(struct postgres_database *self, PGconn *connection,
                                struct sql_vigil *vigil, struct error *error)
{
    if (!sql_vigil_is_due(vigil)) {
        return STATUS_OK;
    }
    enum sql_life life = postgres_life_of(self, connection);
    enum status status = sql_vigil_found(vigil, life, self->timeout_ms, self->sql.shown, error);
    if (status != STATUS_OK) {
        if (life != SQL_SILENT) {
            postgres_signal_session(self, connection, POSTGRES_END_SESSION);
        }
        postgres_break_off(connection);
    }
    return status;
}

/* A statement under way is cancelled at the request to stop that ends it; once. */
static void heed_stop(struct postgres_database *self, PGconn *connection,
                      enum sql_patience patience, bool *stopped)
{
    if (!sql_is_short(patience) && !*stopped &&
        signals_stop_level() >= (patience == SQL_BUILD ? 1 : 2)) {
        postgres_signal_session(self, connection, POSTGRES_CANCEL_STATEMENT);
        *stopped = true;
    }
}

/* A server that works on the rows that it has takes no more of them, for as long as that takes. */
static enum status connection_flush(struct postgres_database *self, PGconn *connection,
                                    enum sql_patience patience, struct error *error)
{
    int64_t end = clock_monotonic_ms() + self->timeout_ms;
    struct sql_vigil vigil;
    bool stopped = false;
    int left = PQflush(connection);

    sql_vigil_begin(&vigil, self->timeout_ms);
    while (left == 1) {
        if (sql_is_short(patience) && clock_monotonic_ms() >= end) {
            return give_up(self, connection, patience, error);
        }
        if (!sql_is_short(patience) &&
            postgres_keep_vigil(self, connection, &vigil, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        heed_stop(self, connection, patience, &stopped);
        if (postgres_wait(self, connection, true, SLICE_MS)) {
            sql_vigil_begin(&vigil, self->timeout_ms);
            if (PQconsumeInput(connection) == 0) {
                return postgres_failure(self, connection, NULL, ERROR_NETWORK, error);
            }
        }
        left = PQflush(connection);
    }
    return left == 0 ? STATUS_OK : postgres_failure(self, connection, NULL, ERROR_NETWORK, error);
}

enum status postgres_flush(struct postgres_database *self, PGconn *connection, struct error *error)
{
    return connection_flush(self, connection, SQL_LONG, error);
}

enum status postgres_await_data(struct postgres_database *self, PGconn *connection,
                                struct sql_vigil *vigil, struct error *error)
{
    if (vigil->look_ms == 0) {
        sql_vigil_begin(vigil, self->timeout_ms);
    }
    if (!postgres_wait(self, connection, false, DATA_SLICE_MS)) {
        return postgres_keep_vigil(self, connection, vigil, error);
    }
    vigil->look_ms = 0;
    return PQconsumeInput(connection) != 0
               ? STATUS_OK
               : postgres_failure(self, connection, NULL, ERROR_NETWORK, error);
}

enum status postgres_next_watched(struct postgres_database *self, PGconn *connection,
                                  enum sql_patience patience, struct postgres_lock_watch *watch,
                                  PGresult **result, struct error *error)
{
    int64_t end = clock_monotonic_ms() + self->timeout_ms;
    struct sql_vigil vigil;
    bool stopped = false;

    *result = NULL;
    if (connection_flush(self, connection, patience, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    sql_vigil_begin(&vigil, self->timeout_ms);
    while (PQisBusy(connection) != 0) {
        if (sql_is_short(patience) && clock_monotonic_ms() >= end) {
            return give_up(self, connection, patience, error);
        }
        if (postgres_keep_vigil(self, connection, &vigil, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        heed_stop(self, connection, patience, &stopped);
        if (watch != NULL) {
            postgres_lock_watch_look(self, connection, watch);
        }
        if (postgres_wait(self, connection, false, SLICE_MS) && PQconsumeInput(connection) == 0) {
            return postgres_failure(self, connection, NULL, ERROR_NETWORK, error);
        }
    }
    *result = PQgetResult(connection);
    return STATUS_OK;
}

enum status postgres_next_result(struct postgres_database *self, PGconn *connection,
                                 enum sql_patience patience, PGresult **result, struct error *error)
{
    return postgres_next_watched(self, connection, patience, NULL, result, error);
}

static bool is_fine(const PGresult *result)
{
    ExecStatusType state = PQresultStatus(result);
    return state == PGRES_COMMAND_OK || state == PGRES_TUPLES_OK;
}

/* Takes all results; the last good one is kept if wanted, the first bad one is the failure. */
static enum status collect(struct postgres_database *self, PGconn *connection,
                           enum sql_patience patience, enum error_code otherwise, PGresult **wanted,
                           struct error *error)
{
    enum status status = STATUS_OK;
    PGresult *result = NULL;
    struct postgres_lock_watch watch;
    bool watches = self->mode == OPEN_TARGET && patience != SQL_PROBE;

    postgres_lock_watch_begin(self, &watch);
    for (;;) {
        struct error later = {0};
        enum status next =
            postgres_next_watched(self, connection, patience, watches ? &watch : NULL, &result,
                                  status == STATUS_OK ? error : &later);
        if (next != STATUS_OK || result == NULL) {
            status = next == STATUS_OK ? status : STATUS_FAILED;
            break;
        }
        if (!is_fine(result)) {
            if (status == STATUS_OK) {
                status = postgres_failure(self, connection, result, otherwise, error);
                postgres_lock_watch_tell(&watch, error);
            }
            PQclear(result);
            if (PQstatus(connection) != CONNECTION_OK) {
                break;
            }
            continue;
        }
        if (wanted != NULL) {
            PQclear(*wanted);
            *wanted = result;
        } else {
            PQclear(result);
        }
    }
    if (status != STATUS_OK && wanted != NULL) {
        PQclear(*wanted);
        *wanted = NULL;
    }
    return status;
}

enum status postgres_query(struct postgres_database *self, PGconn *connection, const char *sql,
                           const struct postgres_parameter *parameters, int parameter_count,
                           enum sql_patience patience, enum error_code otherwise, PGresult **result,
                           struct error *error)
{
    const char *values[POSTGRES_COLUMNS_MAX]; /* a row may be given by its columns */
    int lengths[POSTGRES_COLUMNS_MAX];
    int formats[POSTGRES_COLUMNS_MAX];

    if (result != NULL) {
        *result = NULL;
    }
    if (parameter_count > POSTGRES_COLUMNS_MAX) {
        return error_set(error, ERROR_INTERNAL, self->sql.shown, "too many parameters");
    }
    for (int i = 0; i < parameter_count; i++) {
        values[i] = parameters[i].text;
        lengths[i] = (int)parameters[i].length;
        formats[i] = parameters[i].binary;
    }
    if (PQsendQueryParams(connection, sql, parameter_count, NULL, values, lengths, formats, 0) ==
        0) {
        return postgres_failure(self, connection, NULL, ERROR_NETWORK, error);
    }
    return collect(self, connection, patience, otherwise, result, error);
}

enum status postgres_query_buffer(struct postgres_database *self, PGconn *connection,
                                  struct buffer *sql, const struct postgres_parameter *parameters,
                                  int parameter_count, enum sql_patience patience,
                                  enum error_code otherwise, PGresult **result, struct error *error)
{
    enum status status = postgres_query(self, connection, buffer_string(sql), parameters,
                                        parameter_count, patience, otherwise, result, error);
    buffer_free(sql);
    return status;
}

enum status postgres_rows_changed(PGresult *result, uint64_t *count)
{
    const char *digits = PQcmdTuples(result);
    return text_to_uint64(digits, strlen(digits), count);
}

static enum status send_text(struct postgres_database *self, PGconn *connection, const char *sql,
                             struct error *error)
{
    return PQsendQuery(connection, sql) != 0
               ? STATUS_OK
               : postgres_failure(self, connection, NULL, ERROR_NETWORK, error);
}

enum status postgres_send_buffer(struct postgres_database *self, PGconn *connection,
                                 struct buffer *sql, struct error *error)
{
    enum status status = send_text(self, connection, buffer_string(sql), error);
    buffer_free(sql);
    return status;
}

enum status postgres_execute(struct postgres_database *self, PGconn *connection, const char *sql,
                             enum sql_patience patience, enum error_code otherwise,
                             struct error *error)
{
    return send_text(self, connection, sql, error) == STATUS_OK
               ? collect(self, connection, patience, otherwise, NULL, error)
               : STATUS_FAILED;
}

enum status postgres_execute_buffer(struct postgres_database *self, PGconn *connection,
                                    struct buffer *sql, enum sql_patience patience,
                                    enum error_code otherwise, struct error *error)
{
    enum status status =
        postgres_execute(self, connection, buffer_string(sql), patience, otherwise, error);
    buffer_free(sql);
    return status;
}
