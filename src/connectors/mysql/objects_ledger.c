/*
 * What the ledger knows of views, triggers and the like that a run makes. None of these statements
 * can be part of a transaction; so it is noted first that they are about to be made, and a resume
 * takes those that are there for its own.
 */
#include "connectors/mysql/objects.h"
#include <stdio.h>
#include <string.h>

/*
 * _transhume_object  made with the first run that needs it; `number` is the order of making: a
 *                    view's text changes once what it reads is gone; `digest` that of the text as
 * it was made, by which it is known when it was changed since; NULL: it is about to be made
 */
static const char table[] = "_transhume_object";
static const char columns[] =
    " (number bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, run varchar(64) NOT NULL, what "
    "varchar(32) NOT NULL, name varchar(64) NOT NULL, digest varchar(32), UNIQUE (run, what, name)) "
    "ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT=DYNAMIC";

static enum status run(struct maria_database *self, MYSQL *connection, struct buffer *sql,
                       struct error *error)
{
    return maria_query_buffer(self, connection, sql, MARIA_SHORT, ERROR_TARGET_WRITE, NULL, error);
}

static void begin(struct buffer *sql, const struct maria_database *self, const char *words)
{
    buffer_append_string(sql, words);
    maria_append_table(sql, self, table);
}

static void append_where(struct buffer *sql, const struct maria_database *self, const char *what,
                         const char *name)
{
    buffer_append_string(sql, " WHERE run = ");
    maria_append_string(sql, self->run_id);
    buffer_append_string(sql, " AND what = ");
    maria_append_string(sql, what);
    buffer_append_string(sql, " AND name = ");
    maria_append_string(sql, name);
}

enum status maria_objects_make_table(struct maria_database *self, MYSQL *connection,
                                     struct error *error)
{
    struct buffer sql = {0};
    if (self->run_id == NULL) {
        return STATUS_OK;
    }
    begin(&sql, self, "CREATE TABLE IF NOT EXISTS ");
    buffer_append_string(&sql, columns);
    return run(self, connection, &sql, error);
}

/* ---------------------------------------------------------------- what is noted */

/* Is there such a list, and a run to ask about? */
static enum status is_listed(struct maria_database *self, MYSQL *connection, bool *found,
                             struct error *error)
{
    MYSQL_RES *names = NULL;
    enum status status = maria_list_own(self, connection, table, &names, error);
    *found = status == STATUS_OK && mysql_num_rows(names) > 0;
    mysql_free_result(names);
    return status;
}

static const char *keep(struct arena *arena, const char *text, bool *failed)
{
    const char *copy = text != NULL ? arena_copy_string(arena, text) : NULL;
    *failed = *failed || (text != NULL && copy == NULL);
    return copy;
}

enum status maria_objects_noted(struct maria_database *self, MYSQL *connection, struct arena *arena,
                                struct maria_noted **noted, uint32_t *count, struct error *error)
{
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    bool found = false;
    bool failed = false;
    *noted = NULL;
    *count = 0;
    enum status status = is_listed(self, connection, &found, error);
    if (status != STATUS_OK || !found || self->run_id == NULL) {
        return status;
    }
    begin(&sql, self, "SELECT what, name, digest FROM ");
    buffer_append_string(&sql, " WHERE run = ");
    maria_append_string(&sql, self->run_id);
    buffer_append_string(&sql, " ORDER BY number DESC");
    status = maria_query_buffer(self, connection, &sql, MARIA_SHORT, ERROR_LEDGER_INVALID, &result,
                                error);
    uint64_t rows = status == STATUS_OK ? mysql_num_rows(result) : 0;
    *noted = arena_allocate_zeroed(arena, (size_t)rows + 1, sizeof **noted);
    failed = *noted == NULL;
    for (; status == STATUS_OK && !failed && *count < rows; (*count)++) {
        MYSQL_ROW row = mysql_fetch_row(result);
        (*noted)[*count] = (struct maria_noted){.what = keep(arena, row[0], &failed),
                                                .name = keep(arena, row[1], &failed),
                                                .digest = keep(arena, row[2], &failed)};
    }
    mysql_free_result(result);
    return status == STATUS_OK && failed
               ? error_set(error, ERROR_MEMORY, self->shown, "no memory for the ledger")
               : status;
}

/* ---------------------------------------------------------------- noting */

/* A row of it, the newest; `digest` may be NULL. */
static enum status put(struct maria_database *self, MYSQL *connection, const char *what,
                       const char *name, const char *digest, struct error *error)
{
    struct buffer sql = {0};
    begin(&sql, self, "REPLACE INTO ");
    buffer_append_string(&sql, " (run, what, name, digest) VALUES (");
    maria_append_string(&sql, self->run_id);
    buffer_append_string(&sql, ", ");
    maria_append_string(&sql, what);
    buffer_append_string(&sql, ", ");
    maria_append_string(&sql, name);
    buffer_append_string(&sql, ", ");
    maria_append_string(&sql, digest);
    buffer_append_byte(&sql, ')');
    return run(self, connection, &sql, error);
}

enum status maria_object_intend(struct maria_database *self, MYSQL *connection,
                                const struct schema_object *object, struct error *error)
{
    return put(self, connection, object->what, object->name, NULL, error);
}

/* `*digest` of what can't be read: empty, which no text has. */
static enum status digest_of(struct maria_database *self, MYSQL *connection, const char *what,
                             const char *name, char digest[24], struct error *error)
{
    struct arena *arena = arena_create(0);
    const char *text = NULL;
    enum status status =
        arena != NULL
            ? maria_object_show(self, connection, what, name, arena, &text, NULL, error)
            : error_set(error, ERROR_MEMORY, self->shown, "no memory to look at %s", name);
    snprintf(digest, 24, "%s", "");
    if (status == STATUS_OK && text != NULL) {
        snprintf(digest, 24, "%016llx", (unsigned long long)sql_name_hash(text));
    }
    arena_destroy(arena);
    return status;
}

enum status maria_object_note(struct maria_database *self, MYSQL *connection, const char *what,
                              const char *name, struct error *error)
{
    char digest[24];
    if (self->run_id == NULL) {
        return STATUS_OK;
    }
    return digest_of(self, connection, what, name, digest, error) == STATUS_OK
               ? put(self, connection, what, name, digest, error)
               : STATUS_FAILED;
}

enum status maria_object_is_changed(struct maria_database *self, MYSQL *connection,
                                    const struct maria_noted *noted, bool *changed,
                                    struct error *error)
{
    char digest[24];
    *changed = false;
    if (noted->digest == NULL) {
        return STATUS_OK;
    }
    enum status status = digest_of(self, connection, noted->what, noted->name, digest, error);
    *changed = status == STATUS_OK && strcmp(digest, noted->digest) != 0;
    return status;
}

/* ---------------------------------------------------------------- forgetting */

enum status maria_object_forget(struct maria_database *self, MYSQL *connection, const char *what,
                                const char *name, struct error *error)
{
    struct buffer sql = {0};
    if (self->run_id == NULL) {
        return STATUS_OK;
    }
    begin(&sql, self, "DELETE FROM ");
    append_where(&sql, self, what, name);
    return run(self, connection, &sql, error);
}

enum status maria_objects_forget(struct maria_database *self, MYSQL *connection, const char *run_id,
                                 struct error *error)
{
    struct buffer sql = {0};
    bool found = false;
    enum status status = is_listed(self, connection, &found, error);
    if (status != STATUS_OK || !found) {
        return status;
    }
    begin(&sql, self, "DELETE FROM ");
    buffer_append_string(&sql, " WHERE run = ");
    maria_append_string(&sql, run_id);
    return run(self, connection, &sql, error);
}
