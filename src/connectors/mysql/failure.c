/* Failures, from the server's number to an error code and its class. */
#include "base/memory.h"
#include "base/signals.h"
#include "connectors/mysql/mysql_internal.h"
#include <errmsg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOGIN_REFUSED = 1045,
    LOCK_TIMEOUT = 1205,
    LOCK_DEADLOCK = 1213,
    STATEMENT_KILLED = 1317,
    VALUE_REFUSED = 1366,
    TLS_FAILED = 2026,
    PLUGIN_MISSING = 2059,
    PLUGIN_NOT_ALLOWED = 5010
};

#define GRANTS "grant what docs/security.md lists; of a run `check --rights-for ACCOUNT` prints it"
#define LOCAL_OFF "local_infile was turned off: SET GLOBAL local_infile = ON, or say ?load=insert"

struct meaning {
    unsigned number;
    enum error_code source;
    enum error_code target;
    const char *hint;
};

/* mysqld_error.h and errmsg.h; those below 3000 and above 1000 are both servers' alike. */
static const struct meaning meanings[] = {
    {LOCK_TIMEOUT, ERROR_SOURCE_LOCKED, ERROR_TARGET_LOCKED,
     "another session holds a lock: SHOW ENGINE INNODB STATUS shows it"},
    {LOCK_DEADLOCK, ERROR_SOURCE_LOCKED, ERROR_TARGET_LOCKED, NULL},
    {1206, ERROR_SOURCE_LOCKED, ERROR_TARGET_LOCKED, NULL},
    {1020, ERROR_SOURCE_LOCKED, ERROR_TARGET_LOCKED, NULL}, /* innodb_snapshot_isolation */
    {1099, ERROR_SOURCE_LOCKED, ERROR_TARGET_LOCKED, NULL},
    {1040, ERROR_NETWORK, ERROR_NETWORK,
     "the server has no connection left: lower --jobs, or raise max_connections"},
    {1203, ERROR_NETWORK, ERROR_NETWORK,
     "the user has no connection left: lower --jobs, or raise max_user_connections"},
    {1226, ERROR_NETWORK, ERROR_NETWORK, "the user's own limit is reached: raise it"},
    {1053, ERROR_NETWORK, ERROR_NETWORK, NULL}, /* the server stops */
    {1927, ERROR_NETWORK, ERROR_NETWORK, NULL}, /* the connection was killed */
    {STATEMENT_KILLED, ERROR_NETWORK, ERROR_NETWORK, NULL},
    {1969, ERROR_NETWORK, ERROR_NETWORK, NULL}, /* max_statement_time */
    {3024, ERROR_NETWORK, ERROR_NETWORK, NULL}, /* max_execution_time */
    {3169, ERROR_NETWORK, ERROR_NETWORK, NULL}, /* the session was killed */
    {4031, ERROR_NETWORK, ERROR_NETWORK, NULL}, /* the server found it idle for too long */
    {1158, ERROR_NETWORK, ERROR_NETWORK, NULL},
    {1159, ERROR_NETWORK, ERROR_NETWORK, NULL},
    {1160, ERROR_NETWORK, ERROR_NETWORK, NULL},
    {1161, ERROR_NETWORK, ERROR_NETWORK, NULL},
    {1021, ERROR_DISK_FULL, ERROR_DISK_FULL, "make room on the server's disk, then resume"},
    {1114, ERROR_DISK_FULL, ERROR_DISK_FULL,
     "the table's space or the temporary space is full: make room, then resume"},
    {1037, ERROR_MEMORY, ERROR_MEMORY, NULL},
    {1041, ERROR_MEMORY, ERROR_MEMORY, NULL},
    {1290, ERROR_PERMISSION, ERROR_PERMISSION,
     "the server runs with an option that forbids it (read_only?): give the primary's address"},
    {1792, ERROR_PERMISSION, ERROR_PERMISSION,
     "sessions there are read-only: SHOW VARIABLES LIKE '%read_only'; set it back, or give the "
     "primary's address"},
    {1836, ERROR_PERMISSION, ERROR_PERMISSION,
     "the server is read-only: give the primary's address"},
    {1044, ERROR_PERMISSION, ERROR_PERMISSION, GRANTS},
    {1142, ERROR_PERMISSION, ERROR_PERMISSION, GRANTS},
    {1143, ERROR_PERMISSION, ERROR_PERMISSION, GRANTS},
    {1227, ERROR_PERMISSION, ERROR_PERMISSION, GRANTS},
    {1370, ERROR_PERMISSION, ERROR_PERMISSION, GRANTS},
    {LOGIN_REFUSED, ERROR_CREDENTIALS, ERROR_CREDENTIALS,
     "set MYSQL_PWD, ~/.my.cnf or a client certificate; docs/mysql.md shows how"},
    {1698, ERROR_CREDENTIALS, ERROR_CREDENTIALS,
     "this account is for the operating system's user of that name, by the socket; docs/mysql.md"},
    {1251, ERROR_CREDENTIALS, ERROR_CREDENTIALS, NULL},
    {1862, ERROR_CREDENTIALS, ERROR_CREDENTIALS, "the password has expired: set a new one"},
    {1820, ERROR_CREDENTIALS, ERROR_CREDENTIALS, "the password has expired: set a new one"},
    {PLUGIN_MISSING, ERROR_CREDENTIALS, ERROR_CREDENTIALS,
     "the client library lacks this plugin: install it (Debian: libmariadb3 brings "
     "caching_sha2_password.so and others), or name its folder in MARIADB_PLUGIN_DIR"},
    {PLUGIN_NOT_ALLOWED, ERROR_CREDENTIALS, ERROR_CREDENTIALS,
     "docs/mysql.md lists the plugins that may be used; those that send the password in clear "
     "(mysql_clear_password, dialog) only with sslmode=verify-full"},
    {2061, ERROR_CREDENTIALS, ERROR_CREDENTIALS,
     "over TLS no public key is needed: sslmode=require, or better verify-full"},
    {2058, ERROR_CREDENTIALS, ERROR_CREDENTIALS, NULL},
    {1148, ERROR_PERMISSION, ERROR_PERMISSION, LOCAL_OFF},
    {3948, ERROR_PERMISSION, ERROR_PERMISSION, LOCAL_OFF},
    {4166, ERROR_PERMISSION, ERROR_PERMISSION, LOCAL_OFF},
    {MYSQL_FILE_REFUSED, ERROR_SOURCE_INVALID, ERROR_TARGET_INVALID,
     "no file is ever sent: what answers at this address may not be the server that you mean"},
    {TLS_FAILED, ERROR_TLS, ERROR_TLS,
     "name the authority's certificate with sslrootcert=FILE, or say sslmode=; docs/mysql.md "
     "explains"},
    {1049, ERROR_SOURCE_MISSING, ERROR_TARGET_MISSING,
     "create the database first, or name another one"},
    {1129, ERROR_NETWORK, ERROR_NETWORK, "FLUSH HOSTS lets it in again"},
    {1130, ERROR_CREDENTIALS, ERROR_CREDENTIALS, NULL},
};

/* A handshake that the other side let lie or broke off, not one that failed. */
static bool is_cut_off(unsigned number, const char *words)
{
    static const char *const reasons[] = {"unexpected eof", "Connection timed out",
                                          "Connection reset", "Broken pipe"};
    bool found = false;
    for (size_t i = 0; number == TLS_FAILED && i < sizeof reasons / sizeof reasons[0]; i++) {
        found = found || strstr(words, reasons[i]) != NULL;
    }
    return found;
}

static const struct meaning *meaning_of(unsigned number)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (meanings[i].number == number) {
            return &meanings[i];
        }
    }
    return NULL;
}

bool mysql_is_lost(unsigned number)
{
    return (number >= 2000 && number < 3000) || number == 1053 || number == 1927 ||
           number == 3169 || number == 4031 || (number >= 1158 && number <= 1161);
}

bool mysql_is_of_record(unsigned number, const char *words, enum error_code *code)
{
    /* the number alone tells it not from a text that is no number */
    static const char not_of_its_set[] = "Incorrect string value";
    static const struct {
        unsigned number;
        enum error_code code;
    } codes[] = {
        {1062, ERROR_REJECT_KEY_DUPLICATE}, {1586, ERROR_REJECT_KEY_DUPLICATE},
        {1022, ERROR_REJECT_KEY_DUPLICATE}, {1048, ERROR_REJECT_CONSTRAINT},
        {1263, ERROR_REJECT_CONSTRAINT},    {1364, ERROR_REJECT_CONSTRAINT},
        {1216, ERROR_REJECT_CONSTRAINT},    {1452, ERROR_REJECT_CONSTRAINT},
        {4025, ERROR_REJECT_CONSTRAINT},    {3819, ERROR_REJECT_CONSTRAINT},
        {1644, ERROR_REJECT_CONSTRAINT},    {1526, ERROR_REJECT_CONSTRAINT},
        {1264, ERROR_REJECT_NUMBER},        {1690, ERROR_REJECT_NUMBER},
        {VALUE_REFUSED, ERROR_REJECT_TYPE}, {1265, ERROR_REJECT_TYPE},
        {1292, ERROR_REJECT_TYPE},          {1411, ERROR_REJECT_TYPE},
        {1300, ERROR_REJECT_TEXT},          {3854, ERROR_REJECT_TEXT},
        {1406, ERROR_REJECT_TOO_LARGE},     {1118, ERROR_REJECT_TOO_LARGE},
        {1153, ERROR_REJECT_TOO_LARGE},     {1301, ERROR_REJECT_TOO_LARGE},
        {139, ERROR_REJECT_TOO_LARGE},      {3140, ERROR_REJECT_TYPE},
        {3141, ERROR_REJECT_TYPE},          {4038, ERROR_REJECT_TYPE},
        {1416, ERROR_REJECT_TYPE},          {3037, ERROR_REJECT_TYPE},
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].number == number) {
            *code = number == VALUE_REFUSED &&
                            strncmp(words, not_of_its_set, strlen(not_of_its_set)) == 0
                        ? ERROR_REJECT_TEXT
                        : codes[i].code;
            return true;
        }
    }
    return false;
}

/* A server's refusal before TLS is agreed on comes with its number in the words alone; for a plugin
 * that can't be loaded there is none. */
static unsigned number_of(MYSQL *connection)
{
    static const char before[] = "cannot be verified: ";
    unsigned number = mysql_errno(connection);
    bool own =
        number >= 2000 && number < 3000; /* the library's; a server's words may be anybody's */
    const char *found = own ? strstr(mysql_error(connection), before) : NULL;
    if (number == LOGIN_REFUSED && strncmp(mysql_error(connection), "Plugin ", 7) == 0 &&
        strstr(mysql_error(connection), " could not be loaded: ") != NULL) {
        return PLUGIN_MISSING;
    }
    return found != NULL ? (unsigned)strtoul(found + sizeof before - 1, NULL, 10) : number;
}

/* The snapshot's own session holds the table, so that nobody else has it: whoever is in the way
 * waits for that session, and so does this, for as long as nobody lets go. So nothing is tried
 * again: the run ends, and with it its sessions. */
static void tell_queue(const struct mysql_database *self, MYSQL *connection, struct error *error)
{
    unsigned status = 0;
    bool waited = error != NULL &&
                  (error->native_code == LOCK_TIMEOUT || error->native_code == LOCK_DEADLOCK);
    if (!waited || self->mode != OPEN_SOURCE || !self->sql.snapshot_taken || self->held == NULL ||
        connection == self->control ||
        mariadb_get_infov(connection, MARIADB_CONNECTION_SERVER_STATUS, &status) != 0 ||
        (status & SERVER_STATUS_IN_TRANS) == 0) {
        return;
    }
    error->class = ERROR_CLASS_STOP;
    error_context(error, "somebody waits to alter or lock a table until this run has read it, and "
                         "a session of the run that had not touched it yet would wait behind: ");
    error_hint(error, "the run has let go of its tables: wait until the other one is through");
}

enum status mysql_failure(const struct mysql_database *self, MYSQL *connection,
                          enum error_code otherwise, struct error *error)
{
    unsigned number = number_of(connection);
    if (number == CR_OUT_OF_MEMORY) {
        memory_exhausted(0);
    }
    static const struct meaning cut_off = {
        TLS_FAILED, ERROR_NETWORK, ERROR_NETWORK,
        "check host and port, that it is the server itself that answers there, and what lies "
        "between (a proxy, a firewall); a server under load: a longer --timeout"};
    const struct meaning *meaning =
        is_cut_off(number, mysql_error(connection)) ? &cut_off : meaning_of(number);
    enum error_code code = meaning == NULL ? mysql_is_lost(number) ? ERROR_NETWORK : otherwise
                           : self->mode == OPEN_SOURCE ? meaning->source
                                                       : meaning->target;
    if (number == STATEMENT_KILLED && signals_stop_level() > 0) {
        code = ERROR_INTERRUPTED; /* killed by us */
    }
    /* the library cuts the plugin's name out of the wrong place */
    const char *words = number == PLUGIN_NOT_ALLOWED
                            ? "it wants an authentication plugin that may not be used with it"
                            : mysql_error(connection);

    const char *who = self->version == 0 ? "the server" : self->mariadb ? "MariaDB" : "MySQL";
    error_set(error, code, self->sql.shown, "%s says: %s", who,
              words[0] != '\0' ? words : "nothing more");
    if (error != NULL) {
        error->native_code = number;
        snprintf(error->native_state, sizeof error->native_state, "%s", mysql_sqlstate(connection));
    }
    if (meaning != NULL && meaning->hint != NULL) {
        error_hint(error, "%s", meaning->hint);
    }
    tell_queue(self, connection, error);
    return STATUS_FAILED;
}
