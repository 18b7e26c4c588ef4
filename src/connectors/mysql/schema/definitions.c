/* Definitions of a database, and scratch databases beside it. */
#include "connectors/mysql/schema/definitions.h"
#include "base/failpoint.h"
#include "base/random.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME_BYTES = 64 };

/*
 * Two connections: what SHOW CREATE says, and how much of a list comes, depends on the session's
 * settings (sql_mode, sql_select_limit, …), so that reading has those that all of this program's
 * connections have. Files are run as the server would run them for others.
 */
struct definition_session {
    struct mysql_database *self;
    MYSQL *connection; /* reads */
    MYSQL *runs;       /* scratch: what files say */
    struct arena *arena;
    const char *place; /* the database that is read */
    bool scratch;
    const char *account; /* as definers are told, `user`@`host` */
    /* scratch: the events that a file makes enabled; here none ever runs */
    const char **enabled;
    uint32_t enabled_count;
    uint32_t enabled_capacity;
};

/* ---------------------------------------------------------------- sessions */

static enum status definitions_say(struct definition_session *session, struct buffer *sql,
                                   struct error *error)
{
    return mysql_run_buffer(session->self, session->connection, sql, SQL_LONG, ERROR_TARGET_SCHEMA,
                            NULL, error);
}

/* Scratch databases whose owner was killed: it holds a user lock of that name, and is in it. */
static void drop_abandoned(struct definition_session *session)
{
    static const char abandoned[] =
        "SELECT s.schema_name FROM information_schema.schemata AS s WHERE s.schema_name LIKE "
        "'\\_transhume\\_scratch\\_%' AND IS_USED_LOCK(s.schema_name) IS NULL AND NOT EXISTS "
        "(SELECT 1 FROM information_schema.processlist AS p WHERE p.db = s.schema_name)";
    MYSQL_RES *result = NULL;
    struct error ignored;
    if (mysql_run(session->self, session->connection, abandoned, SQL_SHORT, ERROR_SOURCE_READ,
                  &result, &ignored) != STATUS_OK) {
        return;
    }
    for (MYSQL_ROW row; (row = mysql_fetch_row(result)) != NULL;) {
        (void)!definitions_say(session, mysql_sql("DROP DATABASE IF EXISTS %n", row[0]), &ignored);
    }
    mysql_free_result(result);
}

/* For others to see that its owner is there. */
static enum status hold_name(struct definition_session *session, const char *name,
                             struct error *error)
{
    int64_t got = 0;
    return mysql_ask_number(session->self, session->connection,
                            mysql_sql("SELECT GET_LOCK(%q, 0)", name), SQL_SHORT,
                            ERROR_TARGET_SCHEMA, 0, &got, error);
}

static enum status make_scratch(struct definition_session *session, struct error *error)
{
    struct mysql_database *self = session->self;
    MYSQL_RES *result = NULL;
    struct buffer sql = {0};
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "_transhume_scratch_%ld_%08llx", (long)getpid(),
             (unsigned long long)(random_uint64() & 0xffffffffu));
    drop_abandoned(session);
    if (hold_name(session, name, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    mysql_append(&sql,
                 "SELECT default_character_set_name, default_collation_name FROM "
                 "information_schema.schemata WHERE schema_name = %q",
                 self->sql.schema);
    if (mysql_run_buffer(self, session->connection, &sql, SQL_SHORT, ERROR_SOURCE_READ, &result,
                         error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    MYSQL_ROW row = mysql_fetch_row(result);
    mysql_append(&sql, "CREATE DATABASE %n", name);
    if (row != NULL) {
        buffer_format(&sql, " CHARACTER SET %s COLLATE %s", row[0], row[1]);
    }
    mysql_free_result(result);
    if (definitions_say(session, &sql, error) != STATUS_OK) {
        return error_hint(error, "files are loaded into a database of their own to be compared: "
                                 "the account needs CREATE and DROP on `\\_transhume\\_%%`.*, or "
                                 "name another server with --server");
    }
    session->place = arena_copy_string(session->arena, name);
    session->scratch = true;
    return failpoint_hit("mysql.after_scratch", error);
}

static enum status ask_account(struct definition_session *session, struct error *error)
{
    MYSQL_RES *result = NULL;
    enum status status = mysql_run(session->self, session->connection,
                                   "SELECT CONCAT('`', REPLACE(CURRENT_USER(), '@', '`@`'), '`')",
                                   SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    session->account =
        row != NULL && row[0] != NULL ? arena_copy_string(session->arena, row[0]) : NULL;
    mysql_free_result(result);
    return status;
}

static enum status use_place(struct definition_session *session, struct error *error)
{
    return definitions_say(session, mysql_sql("USE %n", session->place), error) == STATUS_OK
               ? ask_account(session, error)
               : STATUS_FAILED;
}

/* Beside the one that reads, which meanwhile holds the scratch place's name. */
static enum status reach_place(struct definition_session *session, struct error *error)
{
    static const char settings[] =
        "SET NAMES utf8mb4, SESSION foreign_key_checks = 0, wait_timeout = 604800";
    struct buffer sql = {0};
    if (mysql_reach(session->self, &session->runs, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&sql, settings);
    enum status status = mysql_run_buffer(session->self, session->runs, &sql, SQL_SHORT,
                                          ERROR_TARGET_SCHEMA, NULL, error);
    mysql_append(&sql, "USE %n", session->place);
    return status == STATUS_OK ? mysql_run_buffer(session->self, session->runs, &sql, SQL_SHORT,
                                                  ERROR_TARGET_SCHEMA, NULL, error)
                               : STATUS_FAILED;
}

static const char *definitions_place(const struct definition_session *session)
{
    return session->place;
}

static void close_session(struct definition_session *session)
{
    struct error ignored;
    if (session == NULL) {
        return;
    }
    if (session->scratch) {
        (void)!definitions_say(session, mysql_sql("DROP DATABASE IF EXISTS %n", session->place),
                               &ignored);
    }
    mysql_disconnect(session->runs);
    mysql_disconnect(session->connection);
    arena_destroy(session->arena);
}

static enum status open_session(struct database *database, bool scratch,
                                struct definition_session **session, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    struct arena *arena = arena_create(0);
    struct definition_session *made = arena_allocate_zeroed(arena, 1, sizeof *made);
    *made = (struct definition_session){.self = self, .arena = arena, .place = self->sql.schema};
    enum status status = mysql_connect(self, &made->connection, error);
    if (status == STATUS_OK && scratch) {
        status = make_scratch(made, error);
        status = status == STATUS_OK ? reach_place(made, error) : status;
    }
    status = status == STATUS_OK ? use_place(made, error) : status;
    *session = made;
    if (status != STATUS_OK) {
        close_session(made);
        *session = NULL;
    }
    return status;
}

static enum status definitions_run(struct definition_session *session, const char *text,
                                   size_t length, struct error *error)
{
    struct buffer sql = {0};
    const char *event = NULL;
    if (!sql_append_disabled_event(&sql, text, length, session->arena, &event)) {
        buffer_append(&sql, text, length);
    }
    if (event != NULL) {
        session->enabled = arena_make_room(session->arena, session->enabled, session->enabled_count,
                                           &session->enabled_capacity, sizeof *session->enabled);
        session->enabled[session->enabled_count++] = event;
    }
    return mysql_run_buffer(session->self, session->runs, &sql, SQL_BUILD, ERROR_TARGET_SCHEMA,
                            NULL, error);
}

/* ---------------------------------------------------------------- reading */

struct object {
    const char *kind;
    const char *name;
    const char *table;
};

struct objects {
    struct object *items;
    uint32_t count;
    uint32_t capacity;
};

static enum status list_objects(struct definition_session *session, struct arena *arena,
                                struct objects *objects, struct error *error)
{
    static const char query[] =
        "SELECT CASE table_type WHEN 'VIEW' THEN 'view' WHEN 'SEQUENCE' THEN 'sequence' ELSE "
        "'table' END, table_name, NULL FROM information_schema.tables WHERE table_schema = $1 AND "
        "table_type IN ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW', 'SEQUENCE') UNION ALL SELECT "
        "LOWER(routine_type), routine_name, NULL FROM information_schema.routines WHERE "
        "routine_schema = $1 AND routine_type IN ('FUNCTION', 'PROCEDURE') UNION ALL SELECT "
        "'trigger', trigger_name, event_object_table FROM information_schema.triggers WHERE "
        "trigger_schema = $1 UNION ALL SELECT 'event', event_name, NULL FROM "
        "information_schema.events WHERE event_schema = $1 ORDER BY 1, 2";
    MYSQL_RES *result = NULL;
    if (mysql_run_buffer(session->self, session->connection,
                         mysql_filled(query, session->place, NULL), SQL_LONG, ERROR_SOURCE_READ,
                         &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (MYSQL_ROW row; (row = mysql_fetch_row(result)) != NULL;) {
        if (strncmp(row[1], "_transhume_", 11) == 0) {
            continue;
        }
        objects->items = arena_make_room(arena, objects->items, objects->count, &objects->capacity,
                                         sizeof *objects->items);
        objects->items[objects->count++] =
            (struct object){arena_copy_string(arena, row[0]), arena_copy_string(arena, row[1]),
                            row[2] != NULL ? arena_copy_string(arena, row[2]) : NULL};
    }
    mysql_free_result(result);
    return STATUS_OK;
}

/* The statement that makes it; NULL: the account may not see it, or it is gone. */
static enum status definitions_show(struct definition_session *session, const struct object *object,
                                    struct arena *arena, const char **statement,
                                    struct error *error)
{
    static const char *const columns[][2] = {
        {"view", "Create View"},           {"sequence", "Create Table"},
        {"table", "Create Table"},         {"function", "Create Function"},
        {"procedure", "Create Procedure"}, {"trigger", "SQL Original Statement"},
        {"event", "Create Event"},
    };
    MYSQL_RES *result = NULL;
    *statement = NULL;
    if (mysql_run_buffer(session->self, session->connection,
                         mysql_sql("SHOW CREATE %s %n", object->kind, object->name), SQL_SHORT,
                         ERROR_SOURCE_READ, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    MYSQL_ROW row = mysql_fetch_row(result);
    for (size_t i = 0; row != NULL && i < sizeof columns / sizeof columns[0]; i++) {
        int at = strcmp(columns[i][0], object->kind) == 0
                     ? mysql_column_named(result, columns[i][1])
                     : -1;
        if (at >= 0 && row[at] != NULL) {
            *statement = arena_copy_string(arena, row[at]);
        }
    }
    mysql_free_result(result);
    if (*statement == NULL) {
        error_set(error, ERROR_PERMISSION, object->name, "the account may not see what the %s is",
                  object->kind);
        return error_hint(error, "GRANT it SELECT, SHOW VIEW, TRIGGER and EVENT on the database, "
                                 "and SHOW_ROUTINE or SELECT on mysql.proc");
    }
    return STATUS_OK;
}

/* " ENABLE" of an event, which in a scratch place is always disabled. */
static const char *state_of(const struct definition_session *session, const char *name,
                            const char *statement)
{
    if (!session->scratch) {
        return strstr(statement, " DISABLE") == NULL ? "enabled" : NULL;
    }
    for (uint32_t i = 0; i < session->enabled_count; i++) {
        if (strcasecmp(session->enabled[i], name) == 0) {
            return "enabled";
        }
    }
    return NULL;
}

static void add_object(struct definition_session *session, struct sql_definitions *list,
                       const struct object *object, const char *statement)
{
    const char *definer = NULL;
    struct definition *item =
        sql_definitions_add(list, object->kind, NULL, object->table, object->name);
    if (item == NULL) {
        return;
    }
    uint32_t number = list->count - 1;
    bool relation = strcmp(object->kind, "table") == 0 || strcmp(object->kind, "view") == 0;
    list->ids[number] =
        mysql_definition_id(list->arena, relation ? "relation" : object->kind, object->name);
    if (object->table != NULL) {
        list->owner_ids[number] = mysql_definition_id(list->arena, "relation", object->table);
    }
    if (strcmp(object->kind, "table") == 0) {
        mysql_take_table_apart(list, number, statement);
        return;
    }
    if (strcmp(object->kind, "event") == 0) {
        sql_definitions_add_fact(list, item, "state", state_of(session, object->name, statement));
        statement = sql_without_event_state(statement, list->arena);
    }
    const char *bare = mysql_without_definer(statement, list->arena, &definer);
    if (strcmp(object->kind, "event") == 0) {
        bare = sql_without_event_start(bare, list->arena);
    }
    sql_definitions_add_fact(list, item, "definition", bare);
    sql_definitions_add_fact(list, item, "_told", statement);
    /* what a file does not say is not taken over */
    if (!session->scratch || definer == NULL || session->account == NULL ||
        strstr(definer, session->account) == NULL) {
        sql_definitions_add_fact(list, item, "_definer", definer);
    }
}

/* A column's text does not say what its table does. */
static enum status add_collations(struct definition_session *session, struct sql_definitions *list,
                                  struct error *error)
{
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    uint32_t at = 0;
    mysql_append(&sql,
                 "SELECT table_name, column_name, collation_name FROM information_schema.columns "
                 "WHERE table_schema = %q AND collation_name IS NOT NULL ORDER BY table_name, "
                 "ordinal_position",
                 session->place);
    if (mysql_run_buffer(session->self, session->connection, &sql, SQL_LONG, ERROR_SOURCE_READ,
                         &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (MYSQL_ROW row; (row = mysql_fetch_row(result)) != NULL;) {
        for (uint32_t tried = 0; tried < list->count; tried++, at++) {
            at = at < list->count ? at : 0;
            struct definition *item = &list->items[at];
            if (strcmp(item->kind, "column") == 0 && strcmp(item->table, row[0]) == 0 &&
                strcmp(item->name, row[1]) == 0) {
                sql_definitions_add_fact(list, item, "collation", row[2]);
                break;
            }
        }
    }
    mysql_free_result(result);
    return STATUS_OK;
}

static enum status read_definitions(struct definition_session *session, struct arena *arena,
                                    struct definitions *definitions, struct error *error)
{
    static const char *const named[] = {"table", "view", "function", "sequence", NULL};
    struct sql_definitions list = {.arena = arena, .kinds = mysql_definition_kinds};
    struct sql_definition_needs needs = {0};
    struct objects objects = {0};
    if (list_objects(session, arena, &objects, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < objects.count; i++) {
        const char *statement = NULL;
        if (definitions_show(session, &objects.items[i], arena, &statement, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        add_object(session, &list, &objects.items[i], statement);
    }
    if (add_collations(session, &list, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    sql_definitions_find_needs(&list, SQL_MYSQL, "definition", named, &needs);
    sql_definitions_finish(&list, &needs, definitions);
    return STATUS_OK;
}

static enum status definitions_emit(struct definition_session *session,
                                    const struct definition_change *change, struct arena *arena,
                                    const struct definition_statement **statements, uint32_t *count,
                                    struct error *error)
{
    struct sql_emission emission = {.change = change,
                                    .arena = arena,
                                    .version = (int)session->self->version,
                                    .other = session->self->mariadb};
    return sql_definitions_emit(mysql_definition_kinds, &emission, statements, count, error);
}

const struct definition_functions mysql_definition_functions = {
    .language = SQL_MYSQL,
    .folds_names = false,
    .open = open_session,
    .close = close_session,
    .place = definitions_place,
    .run = definitions_run,
    .read = read_definitions,
    .emit = definitions_emit,
    .disturbs = mysql_definition_disturbs,
    .differs = mysql_definition_differs,
};
