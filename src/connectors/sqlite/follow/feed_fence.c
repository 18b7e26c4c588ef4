/*
 * Keeping a SQLite file's followed tables from being written: triggers that refuse every change.
 * SQLite has one writer at a time, so that nobody is at work on them once the triggers are there.
 */
#include "connectors/sqlite/feed_internal.h"

#define FENCE "_transhume_fence_"

static const char *const operations[] = {"INSERT", "UPDATE", "DELETE"};

static enum status list_fence(struct sqlite_database *self, sqlite3 *connection, const char *name,
                              struct buffer *drops, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    struct buffer sql = {0};
    sqlite_append(
        &sql, "SELECT name FROM main.sqlite_schema WHERE type = 'trigger' AND name GLOB '%s%s.*'",
        FENCE, name);
    int result = sqlite3_prepare_v2(connection, buffer_string(&sql), -1, &statement, NULL);
    while (result == SQLITE_OK || result == SQLITE_ROW) {
        result = sqlite3_step(statement);
        if (result == SQLITE_ROW) {
            sqlite_append(drops, "DROP TRIGGER main.%n;", sqlite_text_of(statement, 0));
        }
    }
    sqlite3_finalize(statement);
    buffer_free(&sql);
    return result == SQLITE_DONE
               ? STATUS_OK
               : feed_failed(self, connection, result, "the triggers can't be read", error);
}

static void append_fence(const char *name, const char *const *tables, uint32_t table_count,
                         struct buffer *sql)
{
    for (uint32_t i = 0; i < table_count; i++) {
        for (uint32_t o = 0; o < sizeof operations / sizeof operations[0]; o++) {
            struct buffer trigger = {0};
            buffer_format(&trigger, FENCE "%s.%u.%s", name, i, operations[o]);
            sqlite_append(sql,
                          "CREATE TRIGGER main.%n BEFORE %s ON %n BEGIN SELECT RAISE(ABORT, "
                          "'transhume: this table has moved to another database'); END;",
                          buffer_string(&trigger), operations[o], tables[i]);
            buffer_free(&trigger);
        }
    }
}

enum status sqlite_may_fence(struct database *database, const char *name, const char *const *tables,
                             uint32_t table_count, struct lack_list *lacks, struct error *error)
{
    (void)name;
    (void)tables;
    (void)table_count;
    return lacks_take(lacks, feed_can_be_followed(sqlite_database_of(database), error), error);
}

enum status sqlite_feed_fence(struct database *database, const char *name,
                              const char *const *tables, uint32_t table_count, bool on,
                              struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    sqlite3 *connection = NULL;
    struct buffer sql = {0};
    struct buffer begin = {0};
    struct buffer end = {0};
    enum status status = feed_connect(self, true, &connection, error);
    if (status == STATUS_OK && !on) {
        status = list_fence(self, connection, name, &sql, error);
        if (status != STATUS_OK || sql.length == 0) { /* nobody is kept out: no lock is needed */
            sqlite_connection_close(connection);
            buffer_free(&sql);
            return status;
        }
        buffer_clear(&sql);
    }
    buffer_append_string(&begin, "BEGIN IMMEDIATE");
    status = status == STATUS_OK ? feed_run(self, connection, &begin, error) : status;
    status = status == STATUS_OK ? list_fence(self, connection, name, &sql, error) : status;
    if (on) {
        append_fence(name, tables, table_count, &sql);
    }
    if (status == STATUS_OK && sql.length > 0) {
        status = feed_run(self, connection, &sql, error);
    }
    buffer_append_string(&end, "COMMIT");
    status = status == STATUS_OK ? feed_run(self, connection, &end, error) : status;
    sqlite_connection_close(connection); /* and with it what was not committed */
    buffer_free(&sql);
    buffer_free(&begin);
    buffer_free(&end);
    return status;
}
