/*
 * How far a source's schema is trusted. Views, generated columns, CHECKs and indexes of an
 * untrusted one may use only what SQLite knows to be harmless. Until SQLite 3.41 its JSON functions
 * were not counted among that, and one CHECK (json_valid(…)) makes a whole database unreadable. So
 * the setting is off, and on only where JSON functions are what stands in the way. Even then
 * nothing that a schema could misuse is there: connections of a source only read, load no
 * extensions, and have no functions but SQLite's own, of which those with side effects refuse to be
 * called from a schema in any case.
 */
#include "connectors/sqlite/source.h"
#include <string.h>

/* "unsafe use of json_valid()", "… of ->()", "… of virtual table \"json_each\"" */
static bool needs_trust(const char *message)
{
    const char *use = strstr(message, "unsafe use of ");
    if (use == NULL) {
        return false;
    }
    use += strlen("unsafe use of ");
    use += strncmp(use, "virtual table \"", 15) == 0 ? 15 : 0;
    return strncmp(use, "json", 4) == 0 || strncmp(use, "->", 2) == 0;
}

/* SQLITE_OK, or what SQLite says of it. */
static int try_statement(sqlite3 *connection, const char *sql, bool *unsafe)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(connection, sql, -1, &statement, NULL);

    *unsafe = result != SQLITE_OK && needs_trust(sqlite3_errmsg(connection));
    sqlite3_finalize(statement);
    return result;
}

/* Is there a view that can be read only so? */
static bool view_needs_trust(struct sqlite_database *self)
{
    sqlite3_stmt *views = NULL;
    bool unsafe = false;

    if (sqlite3_prepare_v2(self->control, "SELECT name FROM main.sqlite_schema WHERE type = 'view'",
                           -1, &views, NULL) == SQLITE_OK) {
        /* a failure is told by what reads the schema next */
        while (!unsafe && sqlite3_step(views) == SQLITE_ROW) {
            const char *name = (const char *)sqlite3_column_text(views, 0);
            struct buffer sql = {0};
            sqlite_append(&sql, "SELECT 1 FROM main.%n", name != NULL ? name : "");
            try_statement(self->control, buffer_string(&sql), &unsafe);
            buffer_free(&sql);
        }
    }
    sqlite3_finalize(views);
    return unsafe;
}

enum status trust_settle(struct sqlite_database *self, struct error *error)
{
    bool unsafe = false;
    int result = try_statement(self->control, "SELECT 1 FROM main.sqlite_schema", &unsafe);

    if ((result & 0xff) == SQLITE_BUSY || (result & 0xff) == SQLITE_LOCKED) {
        return sqlite_error(self->control, result, OPEN_SOURCE, ERROR_SOURCE_READ, self->sql.shown,
                            "it can't be read", error);
    }
    self->source->trusted = unsafe || (result == SQLITE_OK && view_needs_trust(self));
    return trust_follow(self, self->control, error);
}

static enum status trust(const struct sqlite_database *self, sqlite3 *connection, bool wanted,
                         struct error *error)
{
    if (wanted &&
        sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1, NULL) != SQLITE_OK) {
        return error_set(error, ERROR_INTERNAL, self->sql.shown,
                         "SQLite refuses to trust its schema");
    }
    return STATUS_OK;
}

enum status trust_follow(const struct sqlite_database *self, sqlite3 *connection,
                         struct error *error)
{
    return trust(self, connection, self->source->trusted, error);
}

enum status trust_write(const struct sqlite_database *self, sqlite3 *connection,
                        struct error *error)
{
    bool unsafe = false;
    if (!self->source->trusted) {
        /* another failure is told by what reads the schema next */
        (void)try_statement(connection, "SELECT 1 FROM main.sqlite_schema", &unsafe);
    }
    return trust(self, connection, self->source->trusted || unsafe, error);
}
