/* Views, triggers, routines, events and sequences as a server tells them. */
#include "base/log.h"
#include "connectors/mysql/schema/objects.h"
#include <string.h>

enum { SHOWN_BYTES = 160 };

struct kind {
    const char *what;
    const char *words;  /* behind SHOW CREATE */
    const char *column; /* that has the statement */
    const char *right;  /* that lets an account read it */
    const char *finds;  /* FROM where, and by which columns */
};

static const struct kind kinds[] = {
    {"view", "VIEW", "Create View", "SHOW VIEW and SELECT",
     "tables WHERE table_type = 'VIEW' AND table_schema = $1 AND table_name = $2"},
    {"sequence", "SEQUENCE", "Create Table", "SELECT",
     "tables WHERE table_type = 'SEQUENCE' AND table_schema = $1 AND table_name = $2"},
    {"trigger", "TRIGGER", "SQL Original Statement", "TRIGGER",
     "triggers WHERE trigger_schema = $1 AND trigger_name = $2"},
    {"event", "EVENT", "Create Event", "EVENT",
     "events WHERE event_schema = $1 AND event_name = $2"},
    {"procedure", "PROCEDURE", "Create Procedure", NULL,
     "routines WHERE routine_schema = $1 AND routine_name = $2 AND routine_type = 'PROCEDURE'"},
    {"function", "FUNCTION", "Create Function", NULL,
     "routines WHERE routine_schema = $1 AND routine_name = $2 AND routine_type = 'FUNCTION'"},
    {"package", "PACKAGE", "Create Package", NULL,
     "routines WHERE routine_schema = $1 AND routine_name = $2 AND routine_type = 'PACKAGE'"},
    {"package body", "PACKAGE BODY", "Create Package Body", NULL,
     "routines WHERE routine_schema = $1 AND routine_name = $2 AND routine_type = 'PACKAGE BODY'"},
};

static const struct kind *kind_named(const char *what)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].what, what) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

static const char *right_for(const struct mysql_database *self, const struct kind *kind)
{
    if (kind == NULL || kind->right != NULL) {
        return kind != NULL ? kind->right : "";
    }
    return self->mariadb             ? "SELECT on mysql.proc"
           : self->version >= 80020u ? "SHOW_ROUTINE"
                                     : "SELECT on all of the server";
}

/* ---------------------------------------------------------------- the text */

static const char *value_of(MYSQL_RES *result, MYSQL_ROW row, const char *column)
{
    int at = mysql_column_named(result, column);
    return at >= 0 ? row[at] : NULL;
}

static void append_setting(struct buffer *text, const char *name, const char *value)
{
    if (value != NULL) {
        buffer_format(text, "%s%s = ", text->length > 0 ? ", " : "SET ", name);
        mysql_append_string(text, value);
    }
}

/* The settings that its words are understood by, and that the server keeps with it. */
static void append_text(struct buffer *text, MYSQL_RES *result, MYSQL_ROW row,
                        const char *statement)
{
    append_setting(text, "sql_mode", value_of(result, row, "sql_mode"));
    append_setting(text, "time_zone", value_of(result, row, "time_zone"));
    append_setting(text, "collation_connection", value_of(result, row, "collation_connection"));
    buffer_format(text, "\n%s", statement);
}

/* The account may not, as servers of all kinds say it. */
static bool is_forbidden(const struct error *problem)
{
    static const int64_t numbers[] = {1044, 1142, 1143, 1227, 1305, 1370};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (problem->native_code == numbers[i]) {
            return true;
        }
    }
    return false;
}

/* Then what it is stays unknown; of a lock, or a session that ended, another try may know it. */
static bool is_refused(const struct error *problem)
{
    return problem->native_code > 0 && !mysql_is_lost((unsigned)problem->native_code) &&
           problem->class != ERROR_CLASS_RETRY && problem->code != ERROR_INTERRUPTED &&
           problem->code != ERROR_MEMORY;
}

/* `*found` NULL: the server refused it, with `refusal`. */
static enum status objects_show_ask(struct mysql_database *self, MYSQL *connection,
                                    struct buffer *sql, MYSQL_RES **found, struct error *refusal,
                                    struct error *error)
{
    *found = NULL;
    enum status status =
        mysql_run_buffer(self, connection, sql, SQL_SHORT, ERROR_SOURCE_READ, found, refusal);
    if (status != STATUS_OK && !is_refused(refusal)) {
        error_copy(error, refusal);
        return status;
    }
    return STATUS_OK;
}

static const char *objects_show_keep(struct buffer *text, struct arena *arena)
{
    return sql_text(arena, text);
}

/* Why something is not there to read; without a refusal the server gave nothing. */
static const char *objects_show_explain(const char *what, const char *right,
                                        const struct error *refusal, struct arena *arena)
{
    struct buffer words = {0};
    if (refusal->native_code == 0 || is_forbidden(refusal)) {
        buffer_format(&words, "the account may not read %s: GRANT it %s", what, right);
    } else {
        buffer_format(&words, "%s can't be read: %s", what, refusal->message);
    }
    return objects_show_keep(&words, arena);
}

enum status mysql_object_show(struct mysql_database *self, MYSQL *connection, const char *what,
                              const char *name, struct arena *arena, const char **text,
                              const char **why, struct error *error)
{
    const struct kind *kind = kind_named(what);
    struct buffer words = {0};
    MYSQL_RES *result = NULL;
    struct error refusal = {0};
    enum status status = STATUS_OK;

    *text = NULL;
    if (kind != NULL) {
        status = objects_show_ask(self, connection,
                                  mysql_sql("SHOW CREATE %s %t", kind->words, &self->sql, name),
                                  &result, &refusal, error);
    }
    MYSQL_ROW row = result != NULL ? mysql_fetch_row(result) : NULL;
    const char *statement = row != NULL ? value_of(result, row, kind->column) : NULL;
    if (statement != NULL) {
        append_text(&words, result, row, statement);
        *text = objects_show_keep(&words, arena);
    } else if (status == STATUS_OK && why != NULL) {
        *why = objects_show_explain("its text", right_for(self, kind), &refusal, arena);
    }
    mysql_free_result(result);
    return status;
}

enum status mysql_object_is_there(struct mysql_database *self, MYSQL *connection, const char *what,
                                  const char *name, bool *found, struct error *error)
{
    const struct kind *kind = kind_named(what);
    struct buffer sql = {0};
    int64_t count = 0;
    *found = false;
    if (kind == NULL) {
        return STATUS_OK;
    }
    buffer_append_string(&sql, "SELECT count(*) FROM information_schema.");
    mysql_append_filled(&sql, kind->finds, self->sql.schema, name);
    enum status status =
        mysql_ask_number(self, connection, &sql, SQL_LONG, ERROR_TARGET_INVALID, 0, &count, error);
    *found = count > 0;
    return status;
}

enum status mysql_routine_made(struct mysql_database *self, MYSQL *connection, const char *what,
                               const char *name, struct arena *arena, const char **when,
                               struct error *error)
{
    const struct kind *kind = kind_named(what);
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    *when = NULL;
    if (kind == NULL || kind->right != NULL) {
        return STATUS_OK;
    }
    buffer_append_string(&sql, "SELECT CONCAT_WS(' ', created, last_altered, definer, sql_mode, "
                               "security_type, routine_comment) FROM information_schema.");
    mysql_append_filled(&sql, kind->finds, self->sql.schema, name);
    enum status status =
        mysql_run_buffer(self, connection, &sql, SQL_LONG, ERROR_TARGET_INVALID, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    if (row != NULL && row[0] != NULL) {
        *when = arena_copy_string(arena, row[0]);
    }
    mysql_free_result(result);
    return status;
}

/* ---------------------------------------------------------------- sequences */

/* SETVAL never goes back: what others took from the sequence meanwhile stays taken. */
const char *mysql_sequence_query(const struct mysql_database *self, const char *name,
                                 struct arena *arena)
{
    struct buffer sql = {0};
    struct buffer words = {0};
    mysql_append(&words, "\nDO SETVAL(%n, ", name);
    mysql_append(&sql,
                 "SELECT CONCAT(%q, next_not_cached_value, ', 0, ', cycle_count, ')') FROM %t",
                 buffer_string(&words), &self->sql, name);
    buffer_free(&words);
    return objects_show_keep(&sql, arena);
}

static enum status ask_value(struct mysql_database *self, MYSQL *connection,
                             struct schema_object *object, struct arena *arena, struct error *error)
{
    MYSQL_RES *result = NULL;
    struct error refusal = {0};
    enum status status = objects_show_ask(self, connection, mysql_sql("%s", object->native_query),
                                          &result, &refusal, error);
    MYSQL_ROW row = result != NULL ? mysql_fetch_row(result) : NULL;
    if (row != NULL && row[0] != NULL) {
        object->native_sql = arena_copy_string(arena, row[0]);
    } else if (status == STATUS_OK) {
        char name[SHOWN_BYTES];
        text_printable(object->name, strlen(object->name), name, sizeof name);
        log_write(LOG_WARNING, "the sequence %s starts over: %s", name,
                  objects_show_explain("where it is", "SELECT", &refusal, arena));
    }
    mysql_free_result(result);
    return status;
}

/* Not within the snapshot, whose transaction would lock them. */
enum status mysql_ask_values(struct database *database, struct schema_object *objects,
                             uint32_t count, struct arena *arena, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    MYSQL *connection = NULL;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        if (objects[i].native_query == NULL) {
            continue;
        }
        status = connection == NULL ? mysql_connect(self, &connection, error) : STATUS_OK;
        status =
            status == STATUS_OK ? ask_value(self, connection, &objects[i], arena, error) : status;
    }
    mysql_disconnect(connection);
    return status;
}
