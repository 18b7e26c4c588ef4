/* The sandbox in which expressions are evaluated. */
#include "plan/words/expression_sandbox.h"

#include "base/memory.h"
#include "model/convert.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    OPERATIONS_A_CALL = 1000, /* of the progress handler */
    CALLS_MAX = 2000,
    SQL_BYTES_MAX = 1 << 20,
    EXPRESSION_DEPTH_MAX = 200
};

/* Functions whose result depends on their arguments alone. */
static const char *const allowed_functions[] = {
    "abs",          "ceil",        "ceiling",    "char",      "coalesce",   "crc32",
    "date",         "datetime",    "floor",      "format",    "glob",       "hex",
    "ifnull",       "iif",         "instr",      "json",      "json_array", "json_array_length",
    "json_extract", "json_object", "json_quote", "json_type", "json_valid", "julianday",
    "length",       "like",        "likelihood", "likely",    "lower",      "ltrim",
    "max",          "min",         "mod",        "nullif",    "printf",     "quote",
    "replace",      "round",       "rtrim",      "sign",      "strftime",   "substr",
    "substring",    "time",        "trim",       "trunc",     "typeof",     "unicode",
    "unixepoch",    "unlikely",    "upper",      "->",        "->>",
};

static bool function_is_allowed(const char *name)
{
    for (size_t i = 0; i < sizeof allowed_functions / sizeof allowed_functions[0]; i++) {
        if (sqlite3_stricmp(name, allowed_functions[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int note_used(struct expression_sandbox *sandbox, const char *name)
{
    for (uint32_t i = 0; i < sandbox->used_count; i++) {
        if (strcmp(sandbox->used[i], name) == 0) {
            return SQLITE_OK;
        }
    }
    if (sandbox->used_count == EXPRESSION_NAMES_MAX) {
        return SQLITE_DENY;
    }
    sandbox->used[sandbox->used_count++] = memory_copy_string(name);
    return SQLITE_OK;
}

static int expression_sandbox_refuse(struct expression_sandbox *sandbox, const char *what,
                                     const char *name)
{
    if (sandbox->refused[0] == '\0') {
        snprintf(sandbox->refused, sizeof sandbox->refused, "%s%.80s is not allowed in a plan",
                 what, name != NULL ? name : "");
    }
    return SQLITE_DENY;
}

static int authorize(void *context, int action, const char *first, const char *second,
                     const char *database, const char *trigger)
{
    struct expression_sandbox *sandbox = context;
    (void)database;
    (void)trigger;
    if (sandbox->open) {
        return SQLITE_OK;
    }
    switch (action) {
    case SQLITE_SELECT:
        return SQLITE_OK;
    case SQLITE_READ:
        if (first == NULL || strcmp(first, "record") != 0) {
            return expression_sandbox_refuse(sandbox, "reading ", first);
        }
        return second == NULL || second[0] == '\0' ? SQLITE_OK : note_used(sandbox, second);
    case SQLITE_FUNCTION:
        return second != NULL && function_is_allowed(second)
                   ? SQLITE_OK
                   : expression_sandbox_refuse(sandbox, "the function ", second);
    default:
        return expression_sandbox_refuse(sandbox, "anything but an expression", NULL);
    }
}

static int count_operations(void *context)
{
    struct expression_sandbox *sandbox = context;
    return !sandbox->open && ++sandbox->operations > CALLS_MAX;
}

/* The texts of the arguments, joined by '#'; null is an empty text. */
static void crc32_of(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    uLong crc = crc32_z(0, NULL, 0);
    for (int i = 0; i < count; i++) {
        if (i > 0) {
            crc = crc32_z(crc, (const Bytef *)"#", 1);
        }
        const void *bytes = sqlite3_value_type(arguments[i]) == SQLITE_BLOB
                                ? sqlite3_value_blob(arguments[i])
                                : sqlite3_value_text(arguments[i]);
        if (bytes != NULL) {
            crc = crc32_z(crc, bytes, (size_t)sqlite3_value_bytes(arguments[i]));
        }
    }
    sqlite3_result_int64(context, (sqlite3_int64)crc);
}

static void open_database(sqlite3 **database)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY |
                SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    if (sqlite3_open_v2(":memory:", database, flags, NULL) != SQLITE_OK) {
        memory_exhausted(0);
    }
    sqlite3_db_config(*database, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(*database, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(*database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(*database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_limit(*database, SQLITE_LIMIT_LENGTH, CONVERT_LARGE_BYTES_MAX);
    sqlite3_limit(*database, SQLITE_LIMIT_SQL_LENGTH, SQL_BYTES_MAX);
    sqlite3_limit(*database, SQLITE_LIMIT_EXPR_DEPTH, EXPRESSION_DEPTH_MAX);
    sqlite3_limit(*database, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(*database, SQLITE_LIMIT_WORKER_THREADS, 0);
}

void expression_sandbox_check_memory(const struct expression_sandbox *sandbox)
{
    if (sqlite3_errcode(sandbox->database) == SQLITE_NOMEM) {
        memory_exhausted(0);
    }
}

enum status expression_sandbox_create(struct expression_sandbox **sandbox, struct error *error)
{
    struct expression_sandbox *made = memory_allocate_zeroed(1, sizeof *made);
    *sandbox = NULL;
    made->used = memory_allocate_zeroed(EXPRESSION_NAMES_MAX, sizeof *made->used);
    open_database(&made->database);
    open_database(&made->plain);
    if (sqlite3_create_function_v2(made->database, "crc32", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                   NULL, crc32_of, NULL, NULL, NULL) != SQLITE_OK) {
        memory_exhausted(0);
    }
    if (expression_dates_register(made, error) != STATUS_OK) {
        expression_sandbox_destroy(made);
        return STATUS_FAILED;
    }
    sqlite3_set_authorizer(made->database, authorize, made);
    sqlite3_progress_handler(made->database, OPERATIONS_A_CALL, count_operations, made);
    *sandbox = made;
    return STATUS_OK;
}

void expression_sandbox_begin_check(struct expression_sandbox *sandbox)
{
    for (uint32_t i = 0; i < sandbox->used_count; i++) {
        free(sandbox->used[i]);
    }
    sandbox->used_count = 0;
    sandbox->refused[0] = '\0';
    sandbox->operations = 0;
}

void expression_sandbox_destroy(struct expression_sandbox *sandbox)
{
    if (sandbox == NULL) {
        return;
    }
    expression_sandbox_begin_check(sandbox);
    free(sandbox->used);
    sqlite3_close(sandbox->database);
    sqlite3_close(sandbox->plain);
    free(sandbox);
}

enum status expression_sandbox_execute(struct expression_sandbox *sandbox, const char *sql,
                                       struct error *error)
{
    sandbox->open = true;
    int result = sqlite3_exec(sandbox->database, sql, NULL, NULL, NULL);
    sandbox->open = false;
    if (result != SQLITE_OK) {
        expression_sandbox_check_memory(sandbox);
        return error_set(error, ERROR_PLAN_INVALID, NULL, "%s", sqlite3_errmsg(sandbox->database));
    }
    return STATUS_OK;
}
