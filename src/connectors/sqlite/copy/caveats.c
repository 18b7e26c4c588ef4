/* Facts that a source tells of itself before it is read: what it makes others wait for, and what it
 * can't do as fast or as well as it should. */
#include "base/text.h"
#include "connectors/sqlite/source.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Its module is an extension that this SQLite does not have. */
static enum status add_unreadable(struct sqlite_database *self, struct buffer *out,
                                  struct error *error)
{
    const struct catalog *catalog = NULL;
    char name[128];

    if (catalog_get(self, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < catalog->schema->object_count; i++) {
        const struct schema_object *object = &catalog->schema->objects[i];
        sqlite3_stmt *statement = NULL;
        struct buffer sql = {0};
        if (object->kind != SCHEMA_OBJECT_OTHER || object->native_sql == NULL) {
            continue;
        }
        sqlite_append(&sql, "SELECT 1 FROM main.%n", object->name);
        if (sqlite3_prepare_v2(self->control, buffer_string(&sql), -1, &statement, NULL) !=
            SQLITE_OK) {
            text_printable(object->name, strlen(object->name), name, sizeof name);
            buffer_format(out,
                          "the virtual table %s can't be used here (%s): the tables that hold its "
                          "records are copied as they are\n",
                          name, sqlite3_errmsg(self->control));
        }
        sqlite3_finalize(statement);
        buffer_free(&sql);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- statistics */

/* With statistics of up to FEW_ROWS SQLite takes all of a table for the shortest way to a part of
 * it; one of MANY_ROWS has parts, its chunks. */
enum { FEW_ROWS = 2, MANY_ROWS = 100000 };

static bool has_many_rows(struct sqlite_database *self, const char *table)
{
    sqlite3_stmt *statement = NULL;
    struct buffer sql = {0};
    bool many = false;

    sqlite_append(&sql, "SELECT 1 FROM main.%n LIMIT 1 OFFSET %d", table, MANY_ROWS - 1);
    if (sqlite3_prepare_v2(self->control, buffer_string(&sql), -1, &statement, NULL) == SQLITE_OK) {
        many = sqlite3_step(statement) == SQLITE_ROW;
    }
    sqlite3_finalize(statement);
    buffer_free(&sql);
    return many;
}

/* Most files have no statistics, and a failure is told by what reads next. */
static void add_outgrown_statistics(struct sqlite_database *self, struct buffer *out)
{
    sqlite3_stmt *few = NULL;
    char sql[128];
    char name[128];

    snprintf(sql, sizeof sql,
             "SELECT DISTINCT tbl FROM main.sqlite_stat1 WHERE CAST(stat AS INTEGER) <= %d",
             FEW_ROWS);
    if (sqlite3_prepare_v2(self->control, sql, -1, &few, NULL) == SQLITE_OK) {
        while (sqlite3_step(few) == SQLITE_ROW) {
            const char *table = (const char *)sqlite3_column_text(few, 0);
            if (table != NULL && has_many_rows(self, table)) {
                text_printable(table, strlen(table), name, sizeof name);
                buffer_format(out,
                              "the statistics of table %s are of a time when it had a row or two: "
                              "SQLite reads it from its beginning for each chunk (ANALYZE in the "
                              "source renews them)\n",
                              name);
            }
        }
    }
    sqlite3_finalize(few);
}

/* ---------------------------------------------------------------- all */

enum status source_caveats(struct database *database, struct buffer *out, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    const struct sqlite_source *source = self->source;
    struct stat facts;

    if (stat(self->path, &facts) == 0 && facts.st_size == 0) {
        buffer_format(out, "%s is an empty file: a database without tables\n", self->sql.shown);
    }
    if (source->immutable) {
        buffer_append_string(out,
                             "immutable=true: if something writes to the file meanwhile, what is "
                             "read is undefined\n");
    } else if (!source->wal) {
        buffer_append_string(out,
                             "the source is not in WAL mode: its writers wait while the copy reads "
                             "(PRAGMA journal_mode=WAL avoids it)\n");
    } else {
        buffer_append_string(out,
                             "the source's WAL can't be reset while the copy reads: it grows by "
                             "what is written meanwhile\n");
    }
    if (source->single) {
        buffer_append_string(out,
                             "the source's file can't be written to, so no lock can be had: one "
                             "reader\n");
    }
    if (source->trusted) {
        buffer_append_string(out,
                             "the source's schema uses JSON functions, which SQLite 3.40 allows "
                             "only in a trusted schema: it is read as one\n");
    }
    add_outgrown_statistics(self, out);
    return add_unreadable(self, out, error);
}
