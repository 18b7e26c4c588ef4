/*
 * attachcopy: the peer that a plain SQLite copy is measured against. It does what a user with the
 * sqlite3 shell would: opens the target with SQLite's own durability (rollback journal, synchronous
 * FULL), attaches the source, creates the table and copies it by one INSERT ... SELECT, in one
 * transaction.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define EXIT_USAGE 2
#define EXIT_FAILED 3

static void execute(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return;
    fprintf(stderr, "attachcopy: %s: %s\n", sql, sqlite3_errmsg(db));
    exit(EXIT_FAILED);
}

/* Runs SQL made of `format`, in which %Q or %w, once or twice, stands for the name. */
static void execute_on(sqlite3 *db, const char *format, const char *name)
{
    char *sql = sqlite3_mprintf(format, name, name);

    if (sql == NULL) {
        fputs("attachcopy: out of memory\n", stderr);
        exit(EXIT_FAILED);
    }
    execute(db, sql);
    sqlite3_free(sql);
}

/* Creates the table by the very statement that the source keeps. */
static void create_table(sqlite3 *db, const char *table)
{
    sqlite3_stmt *select = NULL;

    if (sqlite3_prepare_v2(db,
                           "SELECT sql FROM source.sqlite_schema WHERE type = 'table' AND name = ?",
                           -1, &select, NULL) != SQLITE_OK ||
        sqlite3_bind_text(select, 1, table, -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_step(select) != SQLITE_ROW) {
        fprintf(stderr, "attachcopy: no table '%s' in the source: %s\n", table, sqlite3_errmsg(db));
        exit(EXIT_FAILED);
    }
    execute(db, (const char *)sqlite3_column_text(select, 0));
    sqlite3_finalize(select);
}

int main(int argc, char **argv)
{
    sqlite3 *db = NULL;

    if (argc != 4) {
        fputs("usage: attachcopy SOURCE TARGET TABLE\n", stderr);
        return EXIT_USAGE;
    }
    if (sqlite3_open(argv[2], &db) != SQLITE_OK) {
        fprintf(stderr, "attachcopy: %s: %s\n", argv[2], sqlite3_errmsg(db));
        return EXIT_FAILED;
    }
    execute_on(db, "ATTACH %Q AS source", argv[1]);
    execute(db, "BEGIN");
    create_table(db, argv[3]);
    execute_on(db, "INSERT INTO main.\"%w\" SELECT * FROM source.\"%w\"", argv[3]);
    execute(db, "COMMIT");
    if (sqlite3_close(db) != SQLITE_OK)
        return EXIT_FAILED;
    return 0;
}
