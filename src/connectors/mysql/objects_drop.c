/* Taking back the views, triggers and the like that a run made, and who stands on them. */
#include "base/failpoint.h"
#include "base/log.h"
#include "connectors/mysql/locks.h"
#include "connectors/mysql/objects.h"
#include "connectors/mysql/rollback.h"
#include <string.h>

enum { SHOWN_BYTES = 160 };

struct dropping {
    struct maria_database *self;
    MYSQL *connection;
    struct arena *arena;
    bool is_read; /* the list */
    struct maria_noted *noted;
    uint32_t count;
    struct error *error;
};

static enum status begin(struct dropping *dropping, struct maria_database *self, MYSQL *connection,
                         struct error *error)
{
    *dropping = (struct dropping){
        .self = self, .connection = connection, .arena = arena_create(0), .error = error};
    if (dropping->arena == NULL) {
        return error_set(error, ERROR_MEMORY, self->shown, "no memory for its objects");
    }
    return STATUS_OK;
}

static enum status read_list(struct dropping *dropping)
{
    if (dropping->is_read) {
        return STATUS_OK;
    }
    dropping->is_read = true;
    return maria_objects_noted(dropping->self, dropping->connection, dropping->arena,
                               &dropping->noted, &dropping->count, dropping->error);
}

/* Tables may stand on these: they are made before them, and go after them. */
static bool is_early(const struct maria_noted *noted)
{
    return strcmp(noted->what, "view") != 0 && strcmp(noted->what, "trigger") != 0 &&
           strcmp(noted->what, "event") != 0;
}

/* ---------------------------------------------------------------- who stands on what */

/* Is it there, and as the run made it? */
static enum status is_own(struct dropping *dropping, const struct maria_noted *noted, bool *there,
                          bool *changed)
{
    *changed = false;
    enum status status = maria_object_is_there(dropping->self, dropping->connection, noted->what,
                                               noted->name, there, dropping->error);
    return status == STATUS_OK && *there
               ? maria_object_is_changed(dropping->self, dropping->connection, noted, changed,
                                         dropping->error)
               : status;
}

/* A view of the run's that goes before what it reads. */
static enum status is_going(struct dropping *dropping, const char *schema, const char *view,
                            bool *going)
{
    enum status status = read_list(dropping);
    *going = false;
    for (uint32_t i = 0; status == STATUS_OK && !*going && i < dropping->count; i++) {
        const struct maria_noted *noted = &dropping->noted[i];
        bool there = false;
        bool changed = false;
        if (strcmp(noted->what, "view") == 0 && strcmp(noted->name, view) == 0 &&
            strcmp(schema, dropping->self->schema) == 0) {
            status = is_own(dropping, noted, &there, &changed);
            *going = there && !changed;
        }
    }
    return status;
}

/* The server knows views by their text alone, in which it writes names out, but for those of
 * functions of the same database. */
static void append_found(struct buffer *sql, const struct buffer *text, const char *column)
{
    buffer_append_string(sql, "LOCATE(CAST(");
    maria_append_text(sql, text->failed ? "" : text->data, text->length);
    buffer_format(sql, " AS BINARY), CAST(%s AS BINARY)) > 0", column);
    sql->failed |= text->failed;
}

static void append_readers(struct buffer *sql, const struct maria_database *self, const char *what,
                           const char *name)
{
    struct buffer place = {0};
    struct buffer call = {0};
    maria_append_table(&place, self, name);
    maria_append_name(&call, name);
    buffer_append_byte(&call, '(');
    buffer_append_string(sql,
                         "SELECT table_schema, table_name FROM information_schema.views WHERE ");
    append_found(sql, &place, "view_definition");
    if (strcmp(what, "function") == 0) {
        buffer_append_string(sql, " OR (table_schema = ");
        maria_append_string(sql, self->schema);
        buffer_append_string(sql, " AND ");
        append_found(sql, &call, "view_definition");
        buffer_append_byte(sql, ')');
    }
    buffer_free(&place);
    buffer_free(&call);
}

static enum status find_reader(struct dropping *dropping, const char *what, const char *name,
                               struct arena *arena, const char **reader)
{
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    MYSQL_ROW row = NULL;
    *reader = NULL;
    append_readers(&sql, dropping->self, what, name);
    enum status status = maria_query_buffer(dropping->self, dropping->connection, &sql, MARIA_LONG,
                                            ERROR_TARGET_INVALID, &result, dropping->error);
    while (status == STATUS_OK && *reader == NULL && (row = mysql_fetch_row(result)) != NULL) {
        bool going = false;
        status = is_going(dropping, row[0], row[1], &going);
        if (status == STATUS_OK && !going) {
            *reader = arena_format(arena, "%s.%s", row[0], row[1]);
            status = *reader != NULL ? STATUS_OK
                                     : error_set(dropping->error, ERROR_MEMORY, name, "no memory");
        }
    }
    mysql_free_result(result);
    return status;
}

enum status maria_find_reader(struct maria_database *self, MYSQL *connection, const char *name,
                              struct arena *arena, const char **reader, struct error *error)
{
    struct dropping dropping;
    enum status status = begin(&dropping, self, connection, error);
    status = status == STATUS_OK ? find_reader(&dropping, "table", name, arena, reader) : status;
    arena_destroy(dropping.arena);
    return status;
}

static enum status refuse_reader(struct dropping *dropping, const struct maria_noted *noted)
{
    const char *reader = NULL;
    if (strcmp(noted->what, "view") != 0) {
        return STATUS_OK;
    }
    enum status status = find_reader(dropping, noted->what, noted->name, dropping->arena, &reader);
    if (status == STATUS_OK && reader != NULL) {
        error_set(dropping->error, ERROR_ROLLBACK_REFUSED, noted->name, "the view %s reads it",
                  reader);
        error_hint(dropping->error, "others made this since: drop it, then roll back again");
        status = STATUS_FAILED;
    }
    return status;
}

/* Does a view, or the default of a column, name a function or sequence? Nobody knows of others. */
static enum status is_used(struct dropping *dropping, const struct maria_noted *noted, bool *used)
{
    struct buffer sql = {0};
    struct buffer place = {0};
    const char *reader = NULL;
    int64_t count = 0;
    enum status status = find_reader(dropping, noted->what, noted->name, dropping->arena, &reader);
    *used = reader != NULL;
    if (status != STATUS_OK || *used || strcmp(noted->what, "sequence") != 0) {
        return status;
    }
    maria_append_table(&place, dropping->self, noted->name);
    buffer_append_string(&sql, "SELECT count(*) FROM information_schema.columns WHERE ");
    append_found(&sql, &place, "column_default");
    buffer_free(&place);
    status = maria_ask_number(dropping->self, dropping->connection, &sql, MARIA_LONG,
                              ERROR_TARGET_INVALID, 0, &count, dropping->error);
    *used = count > 0;
    return status;
}

/* ---------------------------------------------------------------- dropping */

static void say(const struct maria_noted *noted, bool changed, struct buffer *what)
{
    char name[SHOWN_BYTES];
    text_printable(noted->name, strlen(noted->name), name, sizeof name);
    buffer_format(what, "%s %s%s\n", noted->what, name,
                  changed ? ": changed since the run made it, so it stays" : "");
}

/* What it waited for is its table. */
static void tell_of_trigger(struct dropping *dropping, const char *name)
{
    struct buffer sql = {0};
    struct error ignored;
    MYSQL_RES *result = NULL;
    MYSQL_ROW row = NULL;
    buffer_append_string(&sql, "SELECT event_object_table FROM information_schema.triggers WHERE "
                               "trigger_schema = ");
    maria_append_string(&sql, dropping->self->schema);
    buffer_append_string(&sql, " AND trigger_name = ");
    maria_append_string(&sql, name);
    if (maria_query_buffer(dropping->self, dropping->connection, &sql, MARIA_SHORT, ERROR_NETWORK,
                           &result, &ignored) == STATUS_OK) {
        row = mysql_fetch_row(result);
    }
    maria_tell_holder(dropping->self, dropping->connection, row != NULL ? row[0] : "",
                      dropping->error);
    mysql_free_result(result);
}

static enum status drop_it(struct dropping *dropping, const struct maria_noted *noted)
{
    struct buffer sql = {0};
    buffer_format(&sql, "DROP %s IF EXISTS ", noted->what);
    maria_append_table(&sql, dropping->self, noted->name);
    bool trigger = strcmp(noted->what, "trigger") == 0;
    enum status status =
        maria_alter(dropping->self, dropping->connection, &sql, trigger ? NULL : noted->name,
                    MARIA_LONG, ERROR_TARGET_WRITE, dropping->error);
    if (status != STATUS_OK && trigger) {
        tell_of_trigger(dropping, noted->name);
    }
    return status;
}

/* Packages are a word of one mode only. */
static enum status drop_package(struct dropping *dropping, const struct maria_noted *noted)
{
    struct maria_database *self = dropping->self;
    enum status status = maria_query(self, dropping->connection, "SET sql_mode = 'ORACLE'",
                                     MARIA_SHORT, ERROR_TARGET_WRITE, NULL, dropping->error);
    status = status == STATUS_OK ? drop_it(dropping, noted) : status;
    return status == STATUS_OK ? maria_session_reset(self, dropping->connection, dropping->error)
                               : status;
}

static enum status drop(struct dropping *dropping, const struct maria_noted *noted)
{
    bool package = strncmp(noted->what, "package", strlen("package")) == 0;
    if (maria_ledger_check_claim(dropping->self, dropping->connection, dropping->error) !=
            STATUS_OK ||
        (package ? drop_package(dropping, noted) : drop_it(dropping, noted)) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return failpoint_hit("mysql.after_remove_object", dropping->error);
}

static enum status drop_unused(struct dropping *dropping, const struct maria_noted *noted)
{
    char name[SHOWN_BYTES];
    bool used = false;
    enum status status = is_used(dropping, noted, &used);
    if (status != STATUS_OK || !used) {
        return status == STATUS_OK ? drop(dropping, noted) : status;
    }
    text_printable(noted->name, strlen(noted->name), name, sizeof name);
    log_write(LOG_INFO, "the %s %s stays: others use it", noted->what, name);
    return STATUS_OK;
}

enum status maria_objects_drop_early(struct maria_database *self, MYSQL *connection,
                                     struct error *error)
{
    struct dropping dropping;
    enum status status = begin(&dropping, self, connection, error);
    status = status == STATUS_OK ? read_list(&dropping) : status;
    for (uint32_t i = 0; status == STATUS_OK && i < dropping.count; i++) {
        bool there = false;
        bool changed = false;
        if (is_early(&dropping.noted[i])) {
            status = is_own(&dropping, &dropping.noted[i], &there, &changed);
            status = status == STATUS_OK && there && !changed
                         ? drop_unused(&dropping, &dropping.noted[i])
                         : status;
        }
    }
    arena_destroy(dropping.arena);
    return status;
}

/* All are told; those that were made after the tables go now. */
static enum status remove_one(struct dropping *dropping, const struct maria_noted *noted,
                              bool dry_run, struct buffer *what)
{
    bool there = false;
    bool changed = false;
    enum status status = is_own(dropping, noted, &there, &changed);
    if (status != STATUS_OK || !there) {
        return status;
    }
    say(noted, changed, what);
    if (changed || is_early(noted)) {
        return STATUS_OK;
    }
    status = refuse_reader(dropping, noted);
    return status == STATUS_OK && !dry_run ? drop(dropping, noted) : status;
}

enum status maria_remove_objects(struct database *database, bool dry_run, struct buffer *what,
                                 struct error *error)
{
    struct maria_database *self = maria_database_of(database);
    struct dropping dropping = {0};
    MYSQL *connection = NULL;
    enum status status = maria_control(self, &connection, error);
    status = status == STATUS_OK ? begin(&dropping, self, connection, error) : status;
    status = status == STATUS_OK ? read_list(&dropping) : status;
    if (status == STATUS_OK && !dry_run && dropping.count > 0) {
        status = failpoint_hit("mysql.before_remove_objects", error);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < dropping.count; i++) {
        status = remove_one(&dropping, &dropping.noted[i], dry_run, what);
    }
    arena_destroy(dropping.arena);
    return status;
}
