/* Taking back the views, triggers and the like that a run made, and who stands on them. */
#include "base/failpoint.h"
#include "base/log.h"
#include "connectors/mysql/locks.h"
#include "connectors/mysql/rollback.h"
#include "connectors/mysql/schema/objects.h"
#include <string.h>

enum { SHOWN_BYTES = 160 };

struct dropping {
    struct mysql_database *self;
    MYSQL *connection;
    struct arena *arena;
    bool is_read; /* the list */
    struct mysql_noted *noted;
    uint32_t count;
    struct error *error;
};

static struct dropping objects_drop_begin(struct mysql_database *self, MYSQL *connection,
                                          struct error *error)
{
    return (struct dropping){
        .self = self, .connection = connection, .arena = arena_create(0), .error = error};
}

static enum status read_list(struct dropping *dropping)
{
    if (dropping->is_read) {
        return STATUS_OK;
    }
    dropping->is_read = true;
    return mysql_objects_noted(dropping->self, dropping->connection, dropping->arena,
                               &dropping->noted, &dropping->count, dropping->error);
}

/* Tables may stand on these: they are made before them, and go after them. */
static bool is_early(const struct mysql_noted *noted)
{
    return strcmp(noted->what, "view") != 0 && strcmp(noted->what, "trigger") != 0 &&
           strcmp(noted->what, "event") != 0;
}

/* And its body. */
static bool is_package(const char *what)
{
    return strncmp(what, "package", strlen("package")) == 0;
}

/* ---------------------------------------------------------------- who stands on what */

/* Is it there, and as the run made it? Else `*stays` says why it is not touched. */
static enum status is_own(struct dropping *dropping, const struct mysql_noted *noted, bool *there,
                          const char **stays)
{
    *stays = NULL;
    enum status status = mysql_object_is_there(dropping->self, dropping->connection, noted->what,
                                               noted->name, there, dropping->error);
    return status == STATUS_OK && *there
               ? mysql_object_compare(dropping->self, dropping->connection, noted, dropping->arena,
                                      stays, dropping->error)
               : status;
}

/* A view that the run made and that goes before what it reads; or `*unknown`: it may be that. */
static enum status is_going(struct dropping *dropping, const char *schema, const char *view,
                            bool *going, bool *unknown)
{
    enum status status = read_list(dropping);
    *going = false;
    *unknown = false;
    for (uint32_t i = 0; status == STATUS_OK && !*going && i < dropping->count; i++) {
        const struct mysql_noted *noted = &dropping->noted[i];
        bool there = false;
        const char *stays = NULL;
        if (strcmp(noted->what, "view") == 0 && strcmp(noted->name, view) == 0 &&
            strcmp(schema, dropping->self->sql.schema) == 0) {
            status = is_own(dropping, noted, &there, &stays);
            *going = there && stays == NULL;
            *unknown = there && mysql_object_is_unknown(noted);
        }
    }
    return status;
}

/* The server knows views by their text alone, in which it writes names out, but for those of
 * functions of the same database. */
static void append_found(struct buffer *sql, const struct buffer *text, const char *column)
{
    mysql_append(sql, "LOCATE(CAST(%Q AS BINARY), CAST(%s AS BINARY)) > 0", text->data,
                 text->length, column);
}

/* A view calls a function of a package so: "`database`.`package`.`function`(". */
static void append_package(struct buffer *sql, struct buffer *place)
{
    struct buffer pattern = {0};
    buffer_format(&pattern, "\\Q%s\\E\\.`[^`]*`\\(", buffer_string(place));
    mysql_append(sql, "view_definition REGEXP %q", buffer_string(&pattern));
    buffer_free(&pattern);
}

static void append_call(struct buffer *sql, const struct mysql_database *self, struct buffer *place,
                        const char *name)
{
    struct buffer call = {0};
    buffer_format(&call, "%s(", buffer_string(place));
    append_found(sql, &call, "view_definition");
    buffer_clear(&call);
    mysql_append(&call, "%n(", name);
    mysql_append(sql, " OR (table_schema = %q AND ", self->sql.schema);
    append_found(sql, &call, "view_definition");
    buffer_append_byte(sql, ')');
    buffer_free(&call);
}

/* Rows: database, view, and whether the account may not see its text, which is empty then; those
 * of the server's own read nothing of others. */
static void append_readers(struct buffer *sql, const struct mysql_database *self, const char *what,
                           const char *name)
{
    struct buffer place = {0};
    mysql_append_table(&place, self, name);
    buffer_append_string(sql, "SELECT table_schema, table_name, view_definition = '' FROM "
                              "information_schema.views WHERE (");
    if (strcmp(what, "function") == 0) {
        append_call(sql, self, &place, name);
    } else if (is_package(what)) {
        append_package(sql, &place);
    } else {
        append_found(sql, &place, "view_definition");
    }
    buffer_append_string(sql, " OR view_definition = '') AND table_schema NOT IN ('mysql', 'sys') "
                              "ORDER BY 3");
    buffer_free(&place);
}

/* A view of others that stands on something; without name: there is none. */
struct reader {
    const char *name;
    bool hidden;  /* it may: the account can't see its text */
    bool unknown; /* the run made one of its name, and nobody knows whether it is still that one */
};

static enum status find_reader(struct dropping *dropping, const char *what, const char *name,
                               struct reader *reader)
{
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    MYSQL_ROW row = NULL;
    *reader = (struct reader){0};
    append_readers(&sql, dropping->self, what, name);
    enum status status = mysql_run_buffer(dropping->self, dropping->connection, &sql, SQL_LONG,
                                          ERROR_TARGET_INVALID, &result, dropping->error);
    while (status == STATUS_OK && reader->name == NULL && (row = mysql_fetch_row(result)) != NULL) {
        bool going = false;
        bool unknown = false;
        status = is_going(dropping, row[0], row[1], &going, &unknown);
        if (status == STATUS_OK && !going) {
            *reader = (struct reader){arena_format(dropping->arena, "%s.%s", row[0], row[1]),
                                      row[2] != NULL && row[2][0] == '1', unknown};
        }
    }
    mysql_free_result(result);
    return status;
}

static enum status refuse_reader(struct dropping *dropping, const char *what, const char *name)
{
    struct reader reader;
    enum status status = find_reader(dropping, what, name, &reader);
    if (status != STATUS_OK || reader.name == NULL) {
        return status;
    }
    error_set(dropping->error, ERROR_ROLLBACK_REFUSED, name,
              reader.hidden ? "the view %s may read it: its text can't be seen"
                            : "the view %s reads it",
              reader.name);
    error_hint(dropping->error,
               reader.unknown  ? "the run made it, but could not read its text then, by which a "
                                 "change would be known: drop it if nobody has changed it, then "
                                 "roll back again"
               : reader.hidden ? "GRANT SHOW VIEW on that view to the account, then roll back again"
                               : "others made this since: drop it, then roll back again");
    return STATUS_FAILED;
}

enum status mysql_refuse_readers(struct mysql_database *self, MYSQL *connection, const char *name,
                                 struct error *error)
{
    struct dropping dropping = objects_drop_begin(self, connection, error);
    enum status status = refuse_reader(&dropping, "table", name);
    arena_destroy(dropping.arena);
    return status;
}

static enum status is_default(struct dropping *dropping, const char *sequence, bool *found)
{
    struct buffer sql = {0};
    struct buffer place = {0};
    int64_t count = 0;
    mysql_append_table(&place, dropping->self, sequence);
    buffer_append_string(&sql, "SELECT count(*) FROM information_schema.columns WHERE ");
    append_found(&sql, &place, "column_default");
    buffer_free(&place);
    enum status status = mysql_ask_number(dropping->self, dropping->connection, &sql, SQL_LONG,
                                          ERROR_TARGET_INVALID, 0, &count, dropping->error);
    *found = count > 0;
    return status;
}

/* Does a view, or the default of a column, name it? Nobody knows of others; neither can name a
 * procedure. */
static enum status is_used(struct dropping *dropping, const struct mysql_noted *noted, bool *used)
{
    char shown[SHOWN_BYTES];
    struct reader reader;
    bool counted = false;
    *used = false;
    if (strcmp(noted->what, "procedure") == 0) {
        return STATUS_OK;
    }
    enum status status = find_reader(dropping, noted->what, noted->name, &reader);
    if (status == STATUS_OK && reader.name == NULL && strcmp(noted->what, "sequence") == 0) {
        status = is_default(dropping, noted->name, &counted);
    }
    *used = status == STATUS_OK && (reader.name != NULL || counted);
    if (*used) {
        text_printable(noted->name, strlen(noted->name), shown, sizeof shown);
        log_write(LOG_WARNING, "the %s %s stays: %s%s %s", noted->what, shown,
                  counted ? "the default of a column" : "the view ", counted ? "" : reader.name,
                  !counted && reader.hidden ? "may use it, whose text can't be seen (SHOW VIEW)"
                                            : "uses it");
    }
    return status;
}

/* ---------------------------------------------------------------- dropping */

static void objects_drop_say(const struct mysql_noted *noted, const char *stays,
                             struct buffer *what)
{
    char name[SHOWN_BYTES];
    text_printable(noted->name, strlen(noted->name), name, sizeof name);
    buffer_format(what, "%s %s%s%s%s\n", noted->what, name, stays != NULL ? ": " : "",
                  stays != NULL ? stays : "", stays != NULL ? ", so it stays" : "");
}

/* The statement waited for the trigger's table. */
static void tell_of_trigger(struct dropping *dropping, const char *name)
{
    struct error ignored;
    MYSQL_RES *result = NULL;
    MYSQL_ROW row = NULL;
    if (mysql_run_buffer(
            dropping->self, dropping->connection,
            mysql_sql("SELECT event_object_table FROM information_schema.triggers WHERE "
                      "trigger_schema = %q AND trigger_name = %q",
                      dropping->self->sql.schema, name),
            SQL_SHORT, ERROR_NETWORK, &result, &ignored) == STATUS_OK) {
        row = mysql_fetch_row(result);
    }
    mysql_tell_holder(dropping->self, dropping->connection, row != NULL ? row[0] : "",
                      dropping->error);
    mysql_free_result(result);
}

static enum status drop_it(struct dropping *dropping, const struct mysql_noted *noted)
{
    struct buffer sql = {0};
    mysql_append(&sql, "DROP %s IF EXISTS %t", noted->what, &dropping->self->sql, noted->name);
    bool trigger = strcmp(noted->what, "trigger") == 0;
    enum status status =
        mysql_alter(dropping->self, dropping->connection, &sql, trigger ? NULL : noted->name,
                    SQL_LONG, ERROR_TARGET_WRITE, dropping->error);
    if (status != STATUS_OK && trigger) {
        tell_of_trigger(dropping, noted->name);
    }
    return status;
}

/* Packages are a word of one mode only. */
static enum status drop_package(struct dropping *dropping, const struct mysql_noted *noted)
{
    struct mysql_database *self = dropping->self;
    enum status status = mysql_run(self, dropping->connection, "SET sql_mode = 'ORACLE'", SQL_SHORT,
                                   ERROR_TARGET_WRITE, NULL, dropping->error);
    status = status == STATUS_OK ? drop_it(dropping, noted) : status;
    struct error ignored = {0};
    bool good = status == STATUS_OK;
    enum status back =
        mysql_session_reset(self, dropping->connection, good ? dropping->error : &ignored);
    return good ? back : status;
}

static enum status object_drop(struct dropping *dropping, const struct mysql_noted *noted)
{
    bool package = is_package(noted->what);
    if (mysql_check_claim(dropping->self, dropping->connection, dropping->error) != STATUS_OK ||
        (package ? drop_package(dropping, noted) : drop_it(dropping, noted)) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return failpoint_hit("mysql.after_remove_object", dropping->error);
}

static enum status drop_unused(struct dropping *dropping, const struct mysql_noted *noted)
{
    bool used = false;
    enum status status = is_used(dropping, noted, &used);
    return status == STATUS_OK && !used ? object_drop(dropping, noted) : status;
}

enum status mysql_objects_drop_early(struct mysql_database *self, MYSQL *connection,
                                     struct error *error)
{
    struct dropping dropping = objects_drop_begin(self, connection, error);
    enum status status = read_list(&dropping);
    for (uint32_t i = 0; status == STATUS_OK && i < dropping.count; i++) {
        bool there = false;
        const char *stays = NULL;
        if (is_early(&dropping.noted[i])) {
            status = is_own(&dropping, &dropping.noted[i], &there, &stays);
            status = status == STATUS_OK && there && stays == NULL
                         ? drop_unused(&dropping, &dropping.noted[i])
                         : status;
        }
    }
    arena_destroy(dropping.arena);
    return status;
}

/* All are told; those that were made after the tables go now. */
static enum status remove_one(struct dropping *dropping, const struct mysql_noted *noted,
                              bool dry_run, struct buffer *what)
{
    bool there = false;
    const char *stays = NULL;
    enum status status = is_own(dropping, noted, &there, &stays);
    if (status != STATUS_OK || !there) {
        return status;
    }
    objects_drop_say(noted, stays, what);
    if (stays != NULL || is_early(noted)) {
        return STATUS_OK;
    }
    status =
        strcmp(noted->what, "view") == 0 ? refuse_reader(dropping, "view", noted->name) : status;
    return status == STATUS_OK && !dry_run ? object_drop(dropping, noted) : status;
}

enum status mysql_remove_objects(struct database *database, bool dry_run, struct buffer *what,
                                 struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    MYSQL *connection = NULL;
    enum status status = mysql_control(self, &connection, error);
    struct dropping dropping = objects_drop_begin(self, connection, error);
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
