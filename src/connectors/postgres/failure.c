/* Failures, from SQLSTATE to an error code and its class (Appendix A of PostgreSQL's
 * manual). */
#include "base/signals.h"
#include "base/text.h"
#include "connectors/postgres/postgres_internal.h"
#include <stdio.h>
#include <string.h>

struct meaning {
    const char *state; /* whole, or its class of two letters */
    enum error_code source;
    enum error_code target;
    const char *hint;
};

static const struct meaning meanings[] = {
    {"08", ERROR_NETWORK, ERROR_NETWORK, NULL},
    {"57P", ERROR_NETWORK, ERROR_NETWORK, NULL}, /* the server stops, starts or ended the session */
    {"53300", ERROR_NETWORK, ERROR_NETWORK,
     "the server has no connection left: lower --jobs, or raise max_connections"},
    {"53100", ERROR_DISK_FULL, ERROR_DISK_FULL, "make room on the server's disk, then resume"},
    {"53200", ERROR_MEMORY, ERROR_MEMORY, NULL},
    {"53400", ERROR_SOURCE_READ, ERROR_TARGET_WRITE,
     "a limit that the server or the role has, as temp_file_limit: raise it"},
    {"40001", ERROR_SOURCE_LOCKED, ERROR_TARGET_LOCKED, NULL},
    {"40P01", ERROR_SOURCE_LOCKED, ERROR_TARGET_LOCKED, NULL},
    {"55P03", ERROR_SOURCE_LOCKED, ERROR_TARGET_LOCKED,
     "another session holds a lock on the table: pg_locks shows it"},
    {"57014", ERROR_NETWORK, ERROR_NETWORK, NULL},
    {"25006", ERROR_PERMISSION, ERROR_PERMISSION,
     "the server or the session is read-only: give the primary's address"},
    {"42501", ERROR_PERMISSION, ERROR_PERMISSION,
     "grant what docs/security.md lists; of a run `check --rights-for ACCOUNT` prints it"},
    {"28", ERROR_CREDENTIALS, ERROR_CREDENTIALS,
     "set PGPASSWORD, ~/.pgpass or a client certificate; docs/postgres.md shows how"},
    {"3D000", ERROR_SOURCE_MISSING, ERROR_TARGET_MISSING,
     "create the database first, or name another one"},
};

static const struct meaning *meaning_of(const char *state)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (strncmp(state, meanings[i].state, strlen(meanings[i].state)) == 0) {
            return &meanings[i];
        }
    }
    return NULL;
}

bool postgres_is_lost(const PGconn *connection, const char *sqlstate)
{
    return PQstatus(connection) != CONNECTION_OK || strncmp(sqlstate, "08", 2) == 0 ||
           strncmp(sqlstate, "57P", 3) == 0;
}

static const char *field(const PGresult *result, int code)
{
    const char *text = result != NULL ? PQresultErrorField(result, code) : NULL;
    return text != NULL ? text : "";
}

/*
 * A value that names an object (regclass, regproc …) which is not there. What is wrong with the
 * statement has a place in it; what a trigger's function ran into has the function's line in its
 * context, of which COPY alone gives one line.
 */
static bool is_of_name(const PGresult *failure, const char *state)
{
    static const char *const states[] = {"42P01", "42704", "42883", "42725",
                                         "42601", "42602", "3F000"};
    const char *context = field(failure, PG_DIAG_CONTEXT);
    bool found = false;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        found |= strcmp(state, states[i]) == 0;
    }
    return found && strchr(context, '\n') == NULL &&
           field(failure, PG_DIAG_STATEMENT_POSITION)[0] == '\0' &&
           (context[0] == '\0' || strstr(context, "COPY") != NULL);
}

bool postgres_is_state_of_record(const char *state, enum error_code *code)
{
    static const struct {
        const char *state;
        enum error_code code;
    } codes[] = {
        {"23505", ERROR_REJECT_KEY_DUPLICATE},
        {"23", ERROR_REJECT_CONSTRAINT},
        {"22021", ERROR_REJECT_TEXT},
        {"22P05", ERROR_REJECT_TEXT},
        {"22003", ERROR_REJECT_NUMBER},
        {"54000", ERROR_REJECT_TOO_LARGE},
        {"22", ERROR_REJECT_TYPE},
        {"42622", ERROR_REJECT_TOO_LARGE}, /* a name of more than 63 bytes */
        {"44", ERROR_REJECT_CONSTRAINT},
        {"P0001", ERROR_REJECT_CONSTRAINT},
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (strncmp(state, codes[i].state, strlen(codes[i].state)) == 0) {
            *code = codes[i].code;
            return true;
        }
    }
    return false;
}

bool postgres_is_of_record(const PGresult *failure, enum error_code *code)
{
    const char *state = field(failure, PG_DIAG_SQLSTATE);
    if (postgres_is_state_of_record(state, code)) {
        return true;
    }
    if (is_of_name(failure, state)) {
        *code = ERROR_REJECT_TYPE;
        return true;
    }
    return false;
}

enum status postgres_failure(const struct postgres_database *self, const PGconn *connection,
                             const PGresult *result, enum error_code otherwise, struct error *error)
{
    const char *state = field(result, PG_DIAG_SQLSTATE);
    const char *words = field(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = field(result, PG_DIAG_MESSAGE_DETAIL);
    const struct meaning *meaning = state[0] != '\0' ? meaning_of(state) : NULL;
    enum error_code code = otherwise;

    if (meaning != NULL) {
        code = self->mode == OPEN_SOURCE ? meaning->source : meaning->target;
    } else if (PQstatus(connection) != CONNECTION_OK) {
        code = ERROR_NETWORK;
    }
    if (strcmp(state, "57014") == 0 && signals_stop_level() > 0) {
        code = ERROR_INTERRUPTED; /* cancelled by us */
    }
    if (words[0] == '\0') {
        words = PQerrorMessage(connection);
    }
    size_t length = strlen(words);
    while (length > 0 && (words[length - 1] == '\n' || words[length - 1] == ' ')) {
        length--;
    }
    error_set(error, code, self->sql.shown, "PostgreSQL says: %.*s%s%s%s", (int)length, words,
              detail[0] != '\0' ? " (" : "", detail, detail[0] != '\0' ? ")" : "");
    if (error != NULL) {
        snprintf(error->native_state, sizeof error->native_state, "%s", state);
    }
    const char *hint = field(result, PG_DIAG_MESSAGE_HINT);
    if (meaning != NULL && meaning->hint != NULL) {
        error_hint(error, "%s", meaning->hint);
    } else if (hint[0] != '\0') {
        error_hint(error, "PostgreSQL hints: %s", hint);
    }
    return STATUS_FAILED;
}
