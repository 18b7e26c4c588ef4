/*
 * The ledger's notes on views, triggers and the like that a run makes. None of these statements
 * can be part of a transaction; so it is noted first of each that it is about to be made, and a
 * resume takes the one that is there for its own.
 */
#include "connectors/mysql/schema/objects.h"
#include "connectors/mysql/store.h"
#include <stdio.h>
#include <string.h>

/*
 * _transhume_object  made with the first run that needs it; `number` is the order of making: a
 *                    view's text changes once what it reads is gone; `digest` is that of the text
 *                    as it was made, by which a later change is known; "at " and that of when it
 *                    was made, if nobody may read it; empty if not even that is known; NULL: it is
 *                    about to be made
 */
static const char table[] = "_transhume_object";
static const char columns[] =
    " (number bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, run varchar(64) NOT NULL, what "
    "varchar(32) NOT NULL, name varchar(64) NOT NULL, digest varchar(32), UNIQUE (run, what, name)) "
    "ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT=DYNAMIC";

static enum status objects_ledger_run(struct mysql_database *self, MYSQL *connection,
                                      struct buffer *sql, struct error *error)
{
    return mysql_run_buffer(self, connection, sql, SQL_SHORT, ERROR_TARGET_WRITE, NULL, error);
}

enum status mysql_objects_make_table(struct mysql_database *self, MYSQL *connection,
                                     struct error *error)
{
    if (self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    enum status status = objects_ledger_run(
        self, connection, mysql_sql("CREATE TABLE IF NOT EXISTS %t%s", &self->sql, table, columns),
        error);
    return status == STATUS_OK ? mysql_check_ours(self, connection, self->sql.schema, error)
                               : status;
}

/* ---------------------------------------------------------------- what is noted */

/* Is there such a list, and a run to ask about? */
static enum status is_listed(struct mysql_database *self, MYSQL *connection, bool *found,
                             struct error *error)
{
    MYSQL_RES *names = NULL;
    enum status status = mysql_list_own(self, connection, table, &names, error);
    *found = status == STATUS_OK && mysql_num_rows(names) > 0;
    mysql_free_result(names);
    return status;
}

static const char *objects_ledger_keep(struct arena *arena, const char *text, bool *failed)
{
    const char *copy = text != NULL ? arena_copy_string(arena, text) : NULL;
    *failed = *failed || (text != NULL && copy == NULL);
    return copy;
}

enum status mysql_objects_noted(struct mysql_database *self, MYSQL *connection, struct arena *arena,
                                struct mysql_noted **noted, uint32_t *count, struct error *error)
{
    MYSQL_RES *result = NULL;
    bool found = false;
    bool failed = false;
    *noted = NULL;
    *count = 0;
    enum status status = is_listed(self, connection, &found, error);
    if (status != STATUS_OK || !found || self->sql.run_id == NULL) {
        return status;
    }
    status = mysql_run_buffer(self, connection,
                              mysql_sql("SELECT what, name, digest FROM %t WHERE run = %q ORDER "
                                        "BY number DESC",
                                        &self->sql, table, self->sql.run_id),
                              SQL_SHORT, ERROR_LEDGER_INVALID, &result, error);
    uint64_t rows = status == STATUS_OK ? mysql_num_rows(result) : 0;
    *noted = arena_allocate_zeroed(arena, (size_t)rows + 1, sizeof **noted);
    failed = *noted == NULL;
    for (; status == STATUS_OK && !failed && *count < rows; (*count)++) {
        MYSQL_ROW row = mysql_fetch_row(result);
        (*noted)[*count] =
            (struct mysql_noted){.what = objects_ledger_keep(arena, row[0], &failed),
                                 .name = objects_ledger_keep(arena, row[1], &failed),
                                 .digest = objects_ledger_keep(arena, row[2], &failed)};
    }
    mysql_free_result(result);
    return status == STATUS_OK && failed
               ? error_set(error, ERROR_MEMORY, self->sql.shown, "no memory for the ledger")
               : status;
}

/* ---------------------------------------------------------------- noting */

/* A row of it, the newest; `digest` may be NULL. */
static enum status objects_ledger_put(struct mysql_database *self, MYSQL *connection,
                                      const char *what, const char *name, const char *digest,
                                      struct error *error)
{
    return objects_ledger_run(self, connection,
                              mysql_sql("REPLACE INTO %t (run, what, name, digest) VALUES (%q, "
                                        "%q, %q, %q)",
                                        &self->sql, table, self->sql.run_id, what, name, digest),
                              error);
}

enum status mysql_object_intend(struct mysql_database *self, MYSQL *connection, const char *what,
                                const char *name, struct error *error)
{
    return self->sql.run_id != NULL ? objects_ledger_put(self, connection, what, name, NULL, error)
                                    : STATUS_OK;
}

enum { NOTED_BYTES = 24 };
static const char by_time[] = "at ";

static void write_digest(char digest[NOTED_BYTES], const char *before, const char *text)
{
    if (text != NULL) {
        snprintf(digest, NOTED_BYTES, "%s%016llx", before, (unsigned long long)sql_name_hash(text));
    } else {
        digest[0] = '\0';
    }
}

/* The digest of its text; empty for one that can't be read, and `*why` (may be NULL) says so. */
static enum status digest_text(struct mysql_database *self, MYSQL *connection, const char *what,
                               const char *name, struct arena *arena, char digest[NOTED_BYTES],
                               const char **why, struct error *error)
{
    const char *text = NULL;
    enum status status = mysql_object_show(self, connection, what, name, arena, &text, why, error);
    write_digest(digest, "", text);
    return status;
}

/* The digest of when a routine was made and changed; empty for all else. */
static enum status digest_time(struct mysql_database *self, MYSQL *connection, const char *what,
                               const char *name, struct arena *arena, char digest[NOTED_BYTES],
                               struct error *error)
{
    const char *when = NULL;
    enum status status = mysql_routine_made(self, connection, what, name, arena, &when, error);
    write_digest(digest, by_time, when);
    return status;
}

static enum status digest_of(struct mysql_database *self, MYSQL *connection, const char *what,
                             const char *name, char digest[NOTED_BYTES], struct error *error)
{
    struct arena *arena = arena_create(0);
    if (arena == NULL) {
        return error_set(error, ERROR_MEMORY, self->sql.shown, "no memory to look at %s", name);
    }
    enum status status = digest_text(self, connection, what, name, arena, digest, NULL, error);
    if (status == STATUS_OK && digest[0] == '\0') {
        status = digest_time(self, connection, what, name, arena, digest, error);
    }
    arena_destroy(arena);
    return status;
}

enum status mysql_object_note(struct mysql_database *self, MYSQL *connection, const char *what,
                              const char *name, struct error *error)
{
    char digest[NOTED_BYTES];
    bool there = true;
    if (self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    enum status status = digest_of(self, connection, what, name, digest, error);
    if (status == STATUS_OK && digest[0] == '\0') {
        status = mysql_object_is_there(self, connection, what, name, &there, error);
    }
    if (status == STATUS_OK && !there) {
        status = mysql_object_forget(self, connection, what, name, error);
        return status == STATUS_OK ? STATUS_END : status;
    }
    return status == STATUS_OK ? objects_ledger_put(self, connection, what, name, digest, error)
                               : status;
}

bool mysql_object_is_unknown(const struct mysql_noted *noted)
{
    return noted->digest != NULL && noted->digest[0] == '\0';
}

enum status mysql_object_compare(struct mysql_database *self, MYSQL *connection,
                                 const struct mysql_noted *noted, struct arena *arena,
                                 const char **why, struct error *error)
{
    char digest[NOTED_BYTES];
    *why = NULL;
    if (noted->digest == NULL) { /* the one that the run was about to make when it ended */
        return STATUS_OK;
    }
    enum status status =
        strncmp(noted->digest, by_time, strlen(by_time)) == 0
            ? digest_time(self, connection, noted->what, noted->name, arena, digest, error)
            : digest_text(self, connection, noted->what, noted->name, arena, digest, why, error);
    if (status != STATUS_OK || *why != NULL) {
        return status;
    }
    if (mysql_object_is_unknown(noted)) {
        *why = "its text could not be read when the run made it";
    } else if (strcmp(digest, noted->digest) != 0) {
        *why = "changed since the run made it";
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- forgetting */

enum status mysql_object_forget(struct mysql_database *self, MYSQL *connection, const char *what,
                                const char *name, struct error *error)
{
    if (self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    return objects_ledger_run(self, connection,
                              mysql_sql("DELETE FROM %t WHERE run = %q AND what = %q AND name = %q",
                                        &self->sql, table, self->sql.run_id, what, name),
                              error);
}

enum status mysql_objects_forget(struct mysql_database *self, MYSQL *connection, const char *run_id,
                                 struct error *error)
{
    bool found = false;
    enum status status = is_listed(self, connection, &found, error);
    if (status != STATUS_OK || !found) {
        return status;
    }
    return objects_ledger_run(self, connection,
                              mysql_sql("DELETE FROM %t WHERE run = %q", &self->sql, table, run_id),
                              error);
}
