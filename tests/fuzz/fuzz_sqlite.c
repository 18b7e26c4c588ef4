/* A SQLite file as a source, and as a target that has a ledger: the input is SQL that made it, so
 * names, types and texts of its schema are anybody's. */
#include "support.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES_MAX = 6000, OPERATIONS_MAX = 200 };

static int operations;

static int stop_after_some(void *context)
{
    (void)context;
    return ++operations > OPERATIONS_MAX;
}

/* No other file than this one. */
static int authorize(void *context, int action, const char *first, const char *second,
                     const char *database, const char *trigger)
{
    (void)context;
    (void)database;
    (void)trigger;
    bool pragma_fits = first != NULL && (sqlite3_stricmp(first, "writable_schema") == 0 ||
                                         sqlite3_stricmp(first, "encoding") == 0 ||
                                         sqlite3_stricmp(first, "page_size") == 0);
    if (action == SQLITE_ATTACH || (action == SQLITE_PRAGMA && !pragma_fits) ||
        (action == SQLITE_FUNCTION && second != NULL &&
         (sqlite3_stricmp(second, "randomblob") == 0 || sqlite3_stricmp(second, "zeroblob") == 0 ||
          sqlite3_stricmp(second, "random") == 0))) {
        return SQLITE_DENY;
    }
    return SQLITE_OK;
}

static void make_file(const char *path, const char *sql)
{
    sqlite3 *connection = NULL;
    operations = 0;
    FUZZ_REQUIRE(sqlite3_open(path, &connection) == SQLITE_OK);
    sqlite3_exec(connection, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL, NULL,
                 NULL);
    sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, 100000);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    sqlite3_progress_handler(connection, 1000, stop_after_some, NULL);
    sqlite3_set_authorizer(connection, authorize, NULL);
    /* Statement by statement: one that is wrong does not hinder the others. */
    while (*sql != '\0') {
        sqlite3_stmt *statement = NULL;
        const char *rest = sql;
        sqlite3_prepare_v2(connection, sql, -1, &statement, &rest);
        while (statement != NULL && sqlite3_step(statement) == SQLITE_ROW) {
        }
        sqlite3_finalize(statement);
        sql = rest > sql ? rest : sql + strlen(sql);
    }
    sqlite3_close(connection);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > TEXT_BYTES_MAX) {
        return 0;
    }
    struct arena *arena = arena_create(0);
    char *sql = arena_copy(arena, data, size);
    char *path = arena_format(arena, "%s/file.db", fuzz_folder());
    char *uri = arena_format(arena, "sqlite:%s", path);
    unlink(path);
    make_file(path, sql);
    struct database *source = fuzz_open(uri, OPEN_SOURCE, arena);
    if (source != NULL) {
        fuzz_read_source(source, true, arena);
        source->connector->close(source);
    }
    struct database *target = fuzz_open(uri, OPEN_TARGET, arena);
    if (target != NULL) {
        fuzz_read_ledger(target, arena);
        target->connector->close(target);
    }
    arena_destroy(arena);
    return 0;
}
