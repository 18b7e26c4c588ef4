/* Definitions of a PostgreSQL database, and scratch databases beside it. */
#include "connectors/postgres/schema/definitions.h"
#include "base/failpoint.h"
#include "base/random.h"
#include "postgres_sql.h"
#include <stdio.h>
#include <string.h>

enum { COLUMNS_MAX = 64, NAME_BYTES = 64 };

struct definition_session {
    struct postgres_database *self;
    PGconn *connection;
    struct arena *arena;
    const char *spaces;       /* the schemas that are meant, as an array; NULL: all */
    char scratch[NAME_BYTES]; /* the database that is dropped at the end; "": none */
};

static const char *const queries[] = {
    sql_define_schemas,       sql_define_extensions, sql_define_types,       sql_define_attributes,
    sql_define_domain_checks, sql_define_sequences,  sql_define_routines,    sql_define_tables,
    sql_define_columns,       sql_define_defaults,   sql_define_constraints, sql_define_indexes,
    sql_define_views,         sql_define_triggers,   sql_define_comments,    sql_define_privileges,
};

/* ---------------------------------------------------------------- sessions */

static void append_element(struct buffer *out, const char *name)
{
    buffer_append_string(out, out->length > 1 ? ",\"" : "\"");
    for (; *name != '\0'; name++) {
        buffer_append_string(out, *name == '"' || *name == '\\' ? "\\" : "");
        buffer_append_byte(out, *name);
    }
    buffer_append_byte(out, '"');
}

/* The schemas that the URI names; NULL: it names none. */
static const char *named_spaces(const struct postgres_database *self, struct arena *arena)
{
    const struct schema_scope *scope = &self->sql.base.scope;
    struct buffer list = {0};
    if (!self->names_schemas) {
        return NULL;
    }
    buffer_append_byte(&list, '{');
    append_element(&list, self->sql.schema);
    for (uint32_t i = 0; i < scope->others.count; i++) {
        append_element(&list, scope->others.names[i]);
    }
    buffer_append_byte(&list, '}');
    return sql_text(arena, &list);
}

/* A name that says whose it is: the process of this session at the server, and when it began. */
static enum status name_scratch(struct postgres_database *self, char name[NAME_BYTES],
                                struct error *error)
{
    PGresult *result = NULL;
    if (postgres_catalog_query(
            self, self->control,
            "SELECT pid, extract(epoch FROM backend_start)::bigint FROM "
            "pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()",
            NULL, 0, SQL_SHORT, ERROR_TARGET_SCHEMA, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool told = PQntuples(result) == 1;
    snprintf(name, NAME_BYTES, "_transhume_scratch_%s_%s_%04llx",
             told ? PQgetvalue(result, 0, 0) : "0", told ? PQgetvalue(result, 0, 1) : "0",
             (unsigned long long)(random_uint64() & 0xffffu));
    PQclear(result);
    return STATUS_OK;
}

/* Scratch databases whose owner was killed. One that somebody is connected to is not dropped. */
static void drop_abandoned(struct postgres_database *self)
{
    PGresult *result = NULL;
    struct error ignored;
    if (postgres_catalog_query(self, self->control, sql_abandoned_scratch, NULL, 0, SQL_SHORT,
                               ERROR_TARGET_SCHEMA, &result, &ignored) != STATUS_OK) {
        return;
    }
    for (int i = 0; i < PQntuples(result); i++) {
        (void)!postgres_execute_buffer(
            self, self->control,
            postgres_sql("DROP DATABASE IF EXISTS %n", PQgetvalue(result, i, 0)), SQL_LONG,
            ERROR_TARGET_SCHEMA, &ignored);
    }
    PQclear(result);
}

static enum status make_scratch(struct definition_session *session, struct error *error)
{
    struct postgres_database *self = session->self;
    struct buffer sql = {0};
    char name[NAME_BYTES];
    drop_abandoned(self);
    if (name_scratch(self, name, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    postgres_append(&sql, "CREATE DATABASE %n TEMPLATE template0", name);
    if (postgres_execute_buffer(self, self->control, &sql, SQL_LONG, ERROR_TARGET_SCHEMA, error) !=
        STATUS_OK) {
        return error_hint(error, "files are loaded into a database of their own to be compared: "
                                 "the role needs CREATEDB, or name another server with --server");
    }
    memcpy(session->scratch, name, sizeof name);
    if (failpoint_hit("postgres.after_scratch", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (postgres_reach_database(self, name, &session->connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&sql, "SET client_min_messages = error; SET check_function_bodies = off");
    if (session->spaces != NULL && strcmp(self->sql.schema, "public") != 0) {
        postgres_append(&sql, "; CREATE SCHEMA IF NOT EXISTS %n; SET search_path = %n, public",
                        self->sql.schema, self->sql.schema);
    }
    return postgres_execute_buffer(self, session->connection, &sql, SQL_SHORT, ERROR_TARGET_SCHEMA,
                                   error);
}

static void close_session(struct definition_session *session)
{
    if (session == NULL) {
        return;
    }
    postgres_disconnect(session->connection);
    if (session->scratch[0] != '\0') {
        struct error ignored;
        (void)!postgres_execute_buffer(
            session->self, session->self->control,
            postgres_sql("DROP DATABASE IF EXISTS %n%s", session->scratch,
                         PQserverVersion(session->self->control) >= 130000 ? " WITH (FORCE)" : ""),
            SQL_LONG, ERROR_TARGET_SCHEMA, &ignored);
    }
    arena_destroy(session->arena);
}

static enum status open_session(struct database *database, bool scratch,
                                struct definition_session **session, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct arena *arena = arena_create(0);
    struct definition_session *made = arena_allocate_zeroed(arena, 1, sizeof *made);
    *made = (struct definition_session){.self = self, .arena = arena};
    made->spaces = named_spaces(self, arena);
    enum status status =
        scratch ? make_scratch(made, error) : postgres_connect(self, &made->connection, error);
    *session = made;
    if (status != STATUS_OK) {
        close_session(made);
        *session = NULL;
    }
    return status;
}

static enum status postgres_definitions_run(struct definition_session *session, const char *text,
                                            size_t length, struct error *error)
{
    struct buffer sql = {0};
    buffer_append(&sql, text, length);
    return postgres_execute_buffer(session->self, session->connection, &sql, SQL_BUILD,
                                   ERROR_TARGET_SCHEMA, error);
}

/* ---------------------------------------------------------------- reading */

static enum status definitions_ask(struct definition_session *session, const char *query,
                                   PGresult **result, struct error *error)
{
    const struct postgres_parameter parameter = {.text = session->spaces};
    return postgres_catalog_query_buffer(session->self, session->connection,
                                         postgres_sql("%s%s", sql_define_head, query), &parameter,
                                         1, SQL_LONG, ERROR_SOURCE_READ, result, error);
}

static const char *value_at(PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

static void take_rows(struct sql_definitions *list, PGresult *result,
                      struct sql_definition_needs *needs)
{
    const char *names[COLUMNS_MAX];
    const char *values[COLUMNS_MAX];
    int count = PQnfields(result) < COLUMNS_MAX ? PQnfields(result) : COLUMNS_MAX;
    for (int i = 0; i < count; i++) {
        names[i] = PQfname(result, i);
    }
    for (int row = 0; row < PQntuples(result); row++) {
        for (int i = 0; i < count; i++) {
            values[i] = value_at(result, row, i);
        }
        uint32_t number = list->count;
        sql_definitions_add_row(list, names, values, (uint32_t)count);
        if (list->count == number) {
            continue;
        }
        struct definition *item = &list->items[number];
        const char *need = definition_fact(item, "_need");
        if (need != NULL) {
            sql_definition_needs_add(needs, list->arena, list->ids[number], need);
        }
        if (definition_fact(item, "generated") != NULL) {
            item->holds_records = false;
        }
    }
}

static enum status read_needs(struct definition_session *session, struct arena *arena,
                              struct sql_definition_needs *needs, struct error *error)
{
    PGresult *result = NULL;
    if (definitions_ask(session, sql_define_needs, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        sql_definition_needs_add(needs, arena, PQgetvalue(result, row, 0),
                                 PQgetvalue(result, row, 1));
    }
    PQclear(result);
    return STATUS_OK;
}

static enum status read_all(struct definition_session *session, struct arena *arena,
                            struct definitions *definitions, struct error *error)
{
    struct sql_definitions list = {.arena = arena, .kinds = postgres_definition_kinds};
    struct sql_definition_needs needs = {0};
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        PGresult *result = NULL;
        if (definitions_ask(session, queries[i], &result, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        take_rows(&list, result, &needs);
        PQclear(result);
    }
    if (read_needs(session, arena, &needs, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    sql_definitions_finish(&list, &needs, definitions);
    return STATUS_OK;
}

/* All of one moment, and with no schema on the search_path, so that each name is told whole. */
static enum status read_definitions(struct definition_session *session, struct arena *arena,
                                    struct definitions *definitions, struct error *error)
{
    struct error ignored;
    enum status status = postgres_execute(
        session->self, session->connection,
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = ''; SET LOCAL "
        "intervalstyle = 'postgres'; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL timezone = 'UTC'; "
        "SET LOCAL extra_float_digits = 1; SET LOCAL quote_all_identifiers = off",
        SQL_SHORT, ERROR_SOURCE_READ, error);
    if (status == STATUS_OK) {
        status = read_all(session, arena, definitions, error);
        (void)!postgres_execute(session->self, session->connection, "ROLLBACK", SQL_SHORT,
                                ERROR_SOURCE_READ, &ignored);
    }
    return status;
}

static enum status postgres_definitions_emit(struct definition_session *session,
                                             const struct definition_change *change,
                                             struct arena *arena,
                                             const struct definition_statement **statements,
                                             uint32_t *count, struct error *error)
{
    struct sql_emission emission = {
        .change = change, .arena = arena, .version = session->self->server_version};
    return sql_definitions_emit(postgres_definition_kinds, &emission, statements, count, error);
}

const struct definition_functions postgres_definition_functions = {
    .language = SQL_POSTGRES,
    .open = open_session,
    .close = close_session,
    .run = postgres_definitions_run,
    .read = read_definitions,
    .emit = postgres_definitions_emit,
    .disturbs = postgres_definition_disturbs,
};
