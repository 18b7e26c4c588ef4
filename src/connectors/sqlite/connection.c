/* Connections to SQLite files that are not trusted, SQLite's results as errors, names and texts in
 * SQL. */
#include "base/clock.h"
#include "base/signals.h"
#include "base/text.h"
#include "connectors/sqlite/sqlite_internal.h"
#include <string.h>
#include <unistd.h>

enum { OPERATIONS_BETWEEN_CHECKS = 100000 };

static enum status set_safe(sqlite3 *connection, enum open_mode mode, const char *path,
                            struct error *error)
{
    /* A target's schema is trusted: tables with a CHECK (json_valid(…)) are to be made in it, and
     * nothing that it could misuse is registered. A source's only if need be: trust.c. */
    const int settings[][2] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, mode == OPEN_TARGET},
        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
        {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, mode == OPEN_SOURCE},
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        int result = sqlite3_db_config(connection, settings[i][0], settings[i][1], NULL);
        if (result != SQLITE_OK) {
            return error_set(error, ERROR_INTERNAL, path, "SQLite refuses the setting %d (%s)",
                             settings[i][0], sqlite3_errstr(result));
        }
    }
    /* A page that was made to mislead is found before its cells are read. */
    int result = mode == OPEN_SOURCE
                     ? sqlite3_exec(connection, "PRAGMA cell_size_check=ON", NULL, NULL, NULL)
                     : SQLITE_OK;
    if (result != SQLITE_OK) {
        return error_set(error, ERROR_INTERNAL, path, "SQLite refuses cell_size_check (%s)",
                         sqlite3_errstr(result));
    }
    return STATUS_OK;
}

void sqlite_append_file_uri(struct buffer *out, const char *path)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./";
    buffer_append_string(out, "file:");
    for (const char *byte = path; *byte != '\0'; byte++) {
        if (strchr(plain, *byte) != NULL) {
            buffer_append_byte(out, *byte);
        } else {
            buffer_format(out, "%%%02X", (unsigned char)*byte);
        }
    }
}

static int stop_now(void *context)
{
    return signals_stop_level() >= *(const int *)context;
}

/* A view of a source may compute for ever: a second stop request ends it. */
void sqlite_connection_heed_stop(sqlite3 *connection, bool first)
{
    static int levels[] = {2, 1};
    sqlite3_progress_handler(connection, OPERATIONS_BETWEEN_CHECKS, stop_now, &levels[first]);
}

/* As SQLite's own busy handler sleeps: short at first. What was slept is known by the count. */
static int wait_for_lock(void *context, int count)
{
    static const int naps_ms[] = {1, 2, 5, 10, 15, 20, 25, 25, 25};
    enum { NAPS = sizeof naps_ms / sizeof naps_ms[0], LAST_NAP_MS = 50, MOMENT_MS = 250 };
    bool hurries = signals_stop_level() >= 2 || signals_is_shielded();
    int64_t limit_ms = (int64_t)(intptr_t)context;
    int64_t slept_ms = count > NAPS ? (int64_t)(count - NAPS) * LAST_NAP_MS : 0;
    for (int i = 0; i < NAPS && i < count; i++) {
        slept_ms += naps_ms[i];
    }
    limit_ms = hurries && limit_ms > MOMENT_MS ? MOMENT_MS : limit_ms;
    int64_t nap_ms = count < NAPS ? naps_ms[count] : LAST_NAP_MS;
    if (slept_ms >= limit_ms) {
        return 0;
    }
    clock_sleep_ms(nap_ms < limit_ms - slept_ms ? nap_ms : limit_ms - slept_ms);
    return 1;
}

void sqlite_connection_wait(sqlite3 *connection, int64_t timeout_ms)
{
    int64_t most_ms = timeout_ms < INT32_MAX ? timeout_ms : INT32_MAX;
    sqlite3_busy_handler(connection, wait_for_lock, (void *)(intptr_t)most_ms);
}

/* SQLite opens a file that it can't write to for reading, whatever the reason was. */
static enum status check_access(sqlite3 *connection, const char *path,
                                enum connection_access access, struct error *error)
{
    bool writes = access == CONNECTION_CREATE || access == CONNECTION_WRITE;
    if (!writes || sqlite3_db_readonly(connection, "main") != 1 || euidaccess(path, W_OK) != 0) {
        return STATUS_OK;
    }
    error_set(error, access == CONNECTION_CREATE ? ERROR_TARGET_WRITE : ERROR_SOURCE_READ, path,
              "SQLite could open the file for reading only, though it may be written");
    error_hint(error, "the system refused it just then (too many open files, a failing disk): fix "
                      "that, and try again");
    return STATUS_FAILED;
}

enum status sqlite_connection_open(const char *path, enum connection_access access,
                                   int64_t timeout_ms, sqlite3 **connection, struct error *error)
{
    static const int access_flags[] = {
        [CONNECTION_READ] = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
        [CONNECTION_READ_SHARED] = SQLITE_OPEN_READONLY | SQLITE_OPEN_FULLMUTEX,
        [CONNECTION_IMMUTABLE] = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI,
        [CONNECTION_WRITE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
        [CONNECTION_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
    };
    enum open_mode mode = access == CONNECTION_CREATE ? OPEN_TARGET : OPEN_SOURCE;
    enum status status = STATUS_FAILED;
    struct buffer uri = {0};
    sqlite3 *opened = NULL;

    *connection = NULL;
    if (access == CONNECTION_IMMUTABLE) {
        sqlite_append_file_uri(&uri, path);
        buffer_append_string(&uri, "?immutable=1");
    }
    int flags = access_flags[access] | SQLITE_OPEN_PRIVATECACHE;
    int result = sqlite3_open_v2(uri.length > 0 ? buffer_string(&uri) : path, &opened, flags,
                                 sqlite_wide_vfs());
    if (result != SQLITE_OK) {
        sqlite_error(opened, result, mode,
                     mode == OPEN_SOURCE ? ERROR_SOURCE_READ : ERROR_TARGET_WRITE, path,
                     "it can't be opened", error);
        goto out;
    }
    if (check_access(opened, path, access, error) != STATUS_OK ||
        set_safe(opened, mode, path, error) != STATUS_OK) {
        goto out;
    }
    sqlite3_extended_result_codes(opened, 1);
    sqlite_connection_wait(opened, timeout_ms);
    sqlite3_limit(opened, SQLITE_LIMIT_ATTACHED, 2);
    if (mode == OPEN_SOURCE) {
        sqlite_connection_heed_stop(opened, false);
    }
    *connection = opened;
    opened = NULL;
    status = STATUS_OK;
out:
    sqlite_connection_close(opened);
    buffer_free(&uri);
    return status;
}

void sqlite_connection_close(sqlite3 *connection)
{
    sqlite3_close_v2(connection);
}

/* A call that failed says nothing of what is in the file. */
static enum error_code code_of_failed_call(enum error_code otherwise)
{
    return otherwise == ERROR_SOURCE_INVALID   ? ERROR_SOURCE_READ
           : otherwise == ERROR_TARGET_INVALID ? ERROR_TARGET_WRITE
                                               : otherwise;
}

static enum error_code code_of(int result, enum open_mode mode, enum error_code otherwise)
{
    if (result == SQLITE_READONLY_DBMOVED) {
        return otherwise;
    }
    switch (result & 0xff) {
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return code_of_failed_call(otherwise);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return mode == OPEN_SOURCE ? ERROR_SOURCE_LOCKED : ERROR_TARGET_LOCKED;
    case SQLITE_FULL:
        return ERROR_DISK_FULL;
    case SQLITE_INTERRUPT:
        return ERROR_INTERRUPTED;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
        return ERROR_PERMISSION;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return mode == OPEN_SOURCE ? ERROR_SOURCE_INVALID : ERROR_TARGET_INVALID;
    default:
        return otherwise;
    }
}

static void add_hint(int result, enum open_mode mode, struct error *error)
{
    switch (result) {
    case SQLITE_READONLY_DBMOVED:
        error_hint(error,
                   "the file was moved, removed or replaced in the meantime, and this "
                   "process writes to no other: put it back and `transhume resume`, or start "
                   "again");
        return;
    case SQLITE_READONLY_ROLLBACK:
        error_hint(error,
                   "a program died while it wrote here and its journal has to be rolled back "
                   "first: open the file once with a program that may write to it, as "
                   "sqlite3 FILE 'PRAGMA schema_version'");
        return;
    case SQLITE_READONLY_RECOVERY:
    case SQLITE_READONLY_CANTINIT:
    case SQLITE_READONLY_CANTLOCK:
    case SQLITE_READONLY_DIRECTORY:
        error_hint(error,
                   "it is in WAL mode and its -shm file can't be made or written here: give "
                   "write permission on the folder, copy the file with its -wal elsewhere, or "
                   "add ?immutable=true if nothing writes to it");
        return;
    default:
        break;
    }
    switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        error_hint(error, "end the program that holds it, or try again when it is done");
        return;
    case SQLITE_NOTADB:
        error_hint(error, "give a SQLite 3 file; an encrypted one has to be decrypted first");
        return;
    case SQLITE_CORRUPT:
        error_hint(
            error,
            mode == OPEN_SOURCE
                ? "put the file back from a backup and continue, or rescue what can be read with "
                  "sqlite3 FILE .recover | sqlite3 NEW, and migrate that"
                : "check it with sqlite3 FILE 'PRAGMA integrity_check', or give another");
        return;
    default:
        return;
    }
}

/* The file that a failure is about, where `object` is only a part of it: several files may have a
 * table of that name. "": none is to be named. */
static const char *file_of(sqlite3 *connection, int result, const char *object)
{
    const char *file = connection != NULL ? sqlite3_db_filename(connection, "main") : NULL;
    const char *name = file != NULL ? strrchr(file, '/') : NULL;
    name = name != NULL ? name + 1 : file;
    switch (result & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_FULL:
    case SQLITE_READONLY:
        return name == NULL || (object != NULL && strstr(object, name) != NULL) ? "" : file;
    default:
        return "";
    }
}

enum status sqlite_error(sqlite3 *connection, int result, enum open_mode mode,
                         enum error_code otherwise, const char *object, const char *doing,
                         struct error *error)
{
    int extended = result;
    const char *message = sqlite3_errstr(result);
    if (connection != NULL && (sqlite3_errcode(connection) & 0xff) == (result & 0xff)) {
        extended = sqlite3_extended_errcode(connection);
        message = sqlite3_errmsg(connection);
    }
    sqlite_check_memory(extended);
    int system =
        connection != NULL && (result & 0xff) != SQLITE_BUSY ? sqlite3_system_errno(connection) : 0;
    enum error_code code = code_of(extended, mode, otherwise);
    const char *file = file_of(connection, extended, object);
    const char *in = file[0] != '\0' ? " in " : "";
    if (system != 0 && ((result & 0xff) == SQLITE_IOERR || (result & 0xff) == SQLITE_CANTOPEN)) {
        error_set_errno(error, code, system, object, "%s%s%s (%s)", doing, in, file, message);
    } else {
        error_set(error, code, object, "%s%s%s: %s", doing, in, file, message);
    }
    if (error != NULL) {
        error->native_code = extended;
        add_hint(extended, mode, error);
    }
    return STATUS_FAILED;
}

enum status sqlite_prepare(struct sqlite_database *database, sqlite3 *connection, const char *sql,
                           sqlite3_stmt **statement, struct error *error)
{
    int result =
        sqlite3_prepare_v3(connection, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
    if (result != SQLITE_OK) {
        return sqlite_error(connection, result, database->mode,
                            database->mode == OPEN_SOURCE ? ERROR_SOURCE_READ : ERROR_TARGET_WRITE,
                            database->sql.shown, "a statement can't be prepared", error);
    }
    return STATUS_OK;
}

enum status sqlite_step(struct sqlite_database *database, sqlite3_stmt *statement,
                        struct error *error)
{
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW || result == SQLITE_DONE) {
        return result == SQLITE_ROW ? STATUS_OK : STATUS_END;
    }
    return sqlite_error(sqlite3_db_handle(statement), result, database->mode,
                        database->mode == OPEN_SOURCE ? ERROR_SOURCE_READ : ERROR_TARGET_WRITE,
                        database->sql.shown, "it can't be read", error);
}

const char *sqlite_text_of(sqlite3_stmt *row, int column)
{
    bool is_null = sqlite3_column_type(row, column) == SQLITE_NULL;
    const char *text = (const char *)sqlite3_column_text(row, column);
    if (text == NULL && !is_null) {
        memory_exhausted(0);
    }
    return text;
}

bool sqlite_copy_text(sqlite3_stmt *row, int column, struct arena *arena, const char **copy)
{
    const char *text = sqlite_text_of(row, column);
    *copy =
        text == NULL ? NULL : arena_copy(arena, text, (size_t)sqlite3_column_bytes(row, column));
    return true;
}

enum status sqlite_execute(struct sqlite_database *database, sqlite3 *connection, const char *sql,
                           struct error *error)
{
    int result = sqlite3_exec(connection, sql, NULL, NULL, NULL);
    if (result != SQLITE_OK) {
        return sqlite_error(connection, result, database->mode,
                            database->mode == OPEN_SOURCE ? ERROR_SOURCE_READ : ERROR_TARGET_WRITE,
                            database->sql.shown, "a statement failed", error);
    }
    return STATUS_OK;
}

enum status sqlite_begin_looks(struct sqlite_database *database, sqlite3 *connection, bool *begun,
                               struct error *error)
{
    *begun = sqlite3_get_autocommit(connection) != 0;
    return *begun ? sqlite_execute(database, connection, "BEGIN", error) : STATUS_OK;
}

void sqlite_end_looks(sqlite3 *connection, bool begun)
{
    if (begun && sqlite3_get_autocommit(connection) == 0) {
        sqlite3_exec(connection, "ROLLBACK", NULL, NULL, NULL);
    }
}

static void append_quoted(struct buffer *out, const char *text, char quote)
{
    buffer_append_byte(out, quote);
    for (const char *byte = text; *byte != '\0'; byte++) {
        if (*byte == quote) {
            buffer_append_byte(out, quote);
        }
        buffer_append_byte(out, *byte);
    }
    buffer_append_byte(out, quote);
}

void sqlite_append_name(struct buffer *out, const char *name)
{
    append_quoted(out, name, '"');
}

void sqlite_append_text(struct buffer *out, const char *text)
{
    append_quoted(out, text, '\'');
}

void sqlite_append_literal(struct buffer *out, const char *text, size_t length)
{
    if (memchr(text, '\0', length) == NULL) {
        sqlite_append_text(out, text);
        return;
    }
    buffer_append_string(out, "CAST(x'");
    for (size_t i = 0; i < length; i++) {
        buffer_format(out, "%02x", (unsigned char)text[i]);
    }
    buffer_append_string(out, "' AS TEXT)");
}

static void append_table(struct buffer *out, const struct sql_database *self, const char *name)
{
    (void)self;
    sqlite_append(out, "main.%n", name);
}

const struct sql_quoting sqlite_quoting = {.append_name = sqlite_append_name,
                                           .append_text = sqlite_append_literal,
                                           .append_table = append_table};

struct buffer *sqlite_append(struct buffer *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sql_append_arguments(out, &sqlite_quoting, format, arguments);
    va_end(arguments);
    return out;
}
