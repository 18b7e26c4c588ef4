/* Which schemas a run means: those that the URI, the caller or the other side names, or all that
 * users made. */
#include "connectors/common/scope.h"
#include "base/text.h"
#include "connectors/postgres/postgres_internal.h"
#include "connectors/sql/check.h"
#include <string.h>

/* The columns of what list_schemas asks. */
enum { LISTED_NAME, LISTED_MAY_USE, LISTED_DEFAULT, LISTED_HOLDS, LISTED_QUOTED, LISTED_ROLE };

/* ---------------------------------------------------------------- as the server gets it */

static void append_element(struct buffer *out, const char *text, size_t length)
{
    buffer_append_byte(out, '"');
    for (size_t i = 0; i < length; i++) {
        buffer_append_string(out, text[i] == '"' || text[i] == '\\' ? "\\" : "");
        buffer_append_byte(out, text[i]);
    }
    buffer_append_byte(out, '"');
}

/* {"sales","sales."} */
static void append_pair(struct buffer *out, const char *schema, bool own)
{
    struct buffer lead = {0};
    if (!own) {
        scope_append_lead(&lead, schema);
    }
    buffer_append_string(out, out->length > 1 ? ",{" : "{");
    append_element(out, schema, strlen(schema));
    buffer_append_byte(out, ',');
    append_element(out, buffer_string(&lead), lead.length);
    buffer_append_byte(out, '}');
    buffer_free(&lead);
}

const char *postgres_spaces_of(const struct postgres_database *self, const char *table,
                               struct arena *arena, const char **name)
{
    struct buffer out = {0};
    const char *other = scope_schema_of(&self->sql.base.scope, table, name);
    buffer_append_byte(&out, '{');
    append_pair(&out, sql_place_of(&self->sql, table).schema, other == NULL);
    buffer_append_byte(&out, '}');
    return sql_text(arena, &out);
}

void postgres_fill_spaces(struct buffer *out, const struct postgres_database *self, const char *sql)
{
    for (const char *next = strchr(sql, '$'); next != NULL; next = strchr(next + 1, '$')) {
        if (next[1] == '1' || next[1] == '2') {
            buffer_append(out, sql, (size_t)(next - sql));
            if (next[1] == '1') {
                postgres_append_text(out, self->spaces, strlen(self->spaces));
            } else {
                buffer_append_string(out, "NULL");
            }
            sql = next + 2;
        }
    }
    buffer_append_string(out, sql);
}

static void word_spaces(struct postgres_database *self)
{
    const struct schema_scope *scope = &self->sql.base.scope;
    struct buffer out = {0};
    buffer_append_byte(&out, '{');
    if (!scope->leaves_own) {
        append_pair(&out, self->sql.schema, true);
    }
    for (uint32_t i = 0; i < scope->others.count; i++) {
        append_pair(&out, scope->others.names[i], false);
    }
    buffer_append_byte(&out, '}');
    self->spaces = sql_text(self->arena, &out);
}

static enum status scope_take(struct postgres_database *self, const struct schema_scope *scope,
                              struct error *error)
{
    bool own = column_list_holds(scope->others, self->sql.schema);
    self->sql.base.scope = scope_copy(scope, NULL, self->arena);
    self->sql.base.scope.own = self->sql.schema;
    self->sql.base.scope.leaves_own |= own;
    word_spaces(self);
    return self->control != NULL ? postgres_prefer_schema(self, self->control, error) : STATUS_OK;
}

enum status postgres_use_scope(struct database *database, const struct schema_scope *scope,
                               struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    const struct schema_scope *named = &self->sql.base.scope; /* by the URI */
    struct arena *arena = arena_create(0);
    uint32_t count = scope->others.count + named->others.count;
    const char **names = arena_allocate_zeroed(arena, count + 1u, sizeof *names);
    for (uint32_t i = 0; i < count; i++) {
        names[i] = i < scope->others.count ? scope->others.names[i]
                                           : named->others.names[i - scope->others.count];
    }
    const struct schema_scope whole = {.others = {names, count}};
    enum status status = STATUS_OK;
    if (!scope->leaves_own && column_list_holds(scope->others, self->sql.schema)) {
        error_set(error, ERROR_USAGE, self->sql.shown,
                  "its schema %s is also the name of another schema of the source, and one table "
                  "would be written for two",
                  self->sql.schema);
        status = error_hint(error, "name another schema with ?schema=NAME, or choose the source's "
                                   "with --schema");
    }
    status = status == STATUS_OK ? scope_take(self, &whole, error) : status;
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- what is there */

/* The default is the first of the search_path that the role may use (current_schema), else the
 * first that is there. `$1`: tell which hold something that users made: not those of the system, of
 * sessions, or of an extension. */
static enum status list_schemas(struct postgres_database *self, bool looks, PGresult **listed,
                                struct error *error)
{
    const struct postgres_parameter parameter = {.text = looks ? "t" : "f"};
    return postgres_catalog_query(
        self, self->control,
        "WITH own AS (SELECT coalesce(pg_catalog.current_schema(), (SELECT e.nspname FROM "
        "pg_catalog.pg_namespace e, pg_catalog.strpos(',' || pg_catalog.regexp_replace("
        "pg_catalog.replace(pg_catalog.current_setting('search_path'), '\"$user\"', "
        "pg_catalog.quote_ident(current_user)), '(\"[^\"]*\")|\\s', '\\1', 'g') || ',', ',' || "
        "pg_catalog.quote_ident(e.nspname) || ',') AS at WHERE at > 0 ORDER BY at LIMIT 1)) AS "
        "name), extended AS (SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e') "
        "SELECT n.nspname, pg_catalog.has_schema_privilege(n.oid, 'USAGE'), coalesce(n.nspname = "
        "(SELECT name FROM own), false), CASE WHEN NOT $1::pg_catalog.bool OR n.nspname LIKE "
        "'pg\\_%' OR n.nspname = 'information_schema' OR EXISTS (SELECT 1 FROM extended e WHERE "
        "e.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND e.objid = n.oid) THEN false "
        "ELSE EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND "
        "c.relname NOT LIKE '\\_transhume\\_%' AND NOT EXISTS (SELECT 1 FROM extended e WHERE "
        "e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid)) OR EXISTS "
        "(SELECT 1 FROM pg_catalog.pg_type t WHERE t.typnamespace = n.oid AND t.typtype IN ('e', "
        "'d', 'r') AND NOT EXISTS (SELECT 1 FROM extended e WHERE e.classid = "
        "'pg_catalog.pg_type'::pg_catalog.regclass AND e.objid = t.oid)) OR EXISTS (SELECT 1 FROM "
        "pg_catalog.pg_proc p WHERE p.pronamespace = n.oid AND NOT EXISTS (SELECT 1 FROM extended "
        "e WHERE e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND e.objid = p.oid)) END, "
        "pg_catalog.quote_ident(n.nspname), pg_catalog.quote_ident(current_user) FROM "
        "pg_catalog.pg_namespace n ORDER BY n.nspname COLLATE \"C\"",
        &parameter, 1, SQL_SHORT, ERROR_NETWORK, listed, error);
}

static bool is_set(const PGresult *listed, int row, int column)
{
    return PQgetvalue(listed, row, column)[0] == 't';
}

/* -1: there is none. */
static int postgres_scope_find(const PGresult *listed, const char *schema)
{
    for (int row = 0; row < PQntuples(listed); row++) {
        if (strcmp(PQgetvalue(listed, row, LISTED_NAME), schema) == 0) {
            return row;
        }
    }
    return -1;
}

static int find_default(const PGresult *listed)
{
    int row = 0;
    while (row < PQntuples(listed) && !is_set(listed, row, LISTED_DEFAULT)) {
        row++;
    }
    return row < PQntuples(listed) ? row : -1;
}

/* ---------------------------------------------------------------- what can't be */

static enum status refuse_missing(const struct postgres_database *self, const PGresult *listed,
                                  const char *wanted, struct error *error)
{
    struct buffer names = {0};
    bool is_source = self->mode == OPEN_SOURCE;
    for (int row = 0; row < PQntuples(listed); row++) {
        if (is_set(listed, row, LISTED_HOLDS) || is_set(listed, row, LISTED_DEFAULT)) {
            buffer_format(&names, "%s%s", names.length > 0 ? ", " : "",
                          PQgetvalue(listed, row, LISTED_NAME));
        }
    }
    error_set(error, is_source ? ERROR_SOURCE_MISSING : ERROR_TARGET_MISSING, self->sql.shown,
              "there is no schema %s", wanted != NULL ? wanted : "on the search_path");
    if (is_source && wanted != NULL && !buffer_is_empty(&names)) {
        error_hint(error, "it has %s: choose of these with --schema, or ?schema=NAME",
                   buffer_string(&names));
    } else {
        error_hint(error, "create it, or name another one with ?schema=NAME");
    }
    buffer_free(&names);
    return STATUS_FAILED;
}

static enum status refuse_closed(const struct postgres_database *self, const PGresult *listed,
                                 int row, struct error *error)
{
    error_set(error, ERROR_PERMISSION, self->sql.shown, "the role may not use the schema %s",
              PQgetvalue(listed, row, LISTED_NAME));
    error_hint(error, "GRANT USAGE ON SCHEMA %s TO %s; docs/postgres.md lists all that is needed",
               PQgetvalue(listed, row, LISTED_QUOTED), PQgetvalue(listed, row, LISTED_ROLE));
    return STATUS_FAILED;
}

/* ---------------------------------------------------------------- choosing */

/* Whose tables go by their plain names where the search_path leads nowhere, and several schemas
 * are read. */
static const char no_schema[] = "public";

/* The scope of a source without a word about schemas: each schema that has something of the users',
 * and lets us in. */
static void choose_all(struct postgres_database *self, const PGresult *listed)
{
    int own = find_default(listed);
    int count = PQntuples(listed);
    const char **others = arena_allocate_zeroed(self->arena, (size_t)count + 1, sizeof *others);
    struct schema_unseen *closed =
        arena_allocate_zeroed(self->arena, (size_t)count + 1, sizeof *closed);
    struct schema_scope scope = {.others.names = others,
                                 .leaves_own = own < 0 || !is_set(listed, own, LISTED_MAY_USE)};
    for (int row = 0; row < count; row++) {
        const char *name = arena_copy_string(self->arena, PQgetvalue(listed, row, LISTED_NAME));
        if (!is_set(listed, row, LISTED_HOLDS)) {
            continue;
        }
        if (!is_set(listed, row, LISTED_MAY_USE)) {
            closed[self->closed_count++] = (struct schema_unseen){
                .what = "table",
                .owner = name,
                .why = arena_format(self->arena,
                                    "the role may not use the schema: GRANT USAGE ON SCHEMA %s TO "
                                    "%s, or choose others with --schema",
                                    PQgetvalue(listed, row, LISTED_QUOTED),
                                    PQgetvalue(listed, row, LISTED_ROLE))};
        } else if (row != own) {
            others[scope.others.count++] = name;
        }
    }
    self->closed = closed;
    self->sql.base.scope = scope;
    self->sql.schema =
        own >= 0 ? arena_copy_string(self->arena, PQgetvalue(listed, own, LISTED_NAME)) : no_schema;
    if (scope.leaves_own && scope.others.count == 1) {
        self->sql.schema = others[0];
        self->sql.base.scope = (struct schema_scope){0};
    }
}

/* One is the database's own, as it always was; of several that is the default one, and of a
 * target's the first. */
static enum status choose_named(struct postgres_database *self, const PGresult *listed,
                                struct column_list wanted, bool is_target, struct error *error)
{
    int first = find_default(listed);
    const char *own = first >= 0 ? PQgetvalue(listed, first, LISTED_NAME) : NULL;
    struct schema_scope scope = {.others = wanted};
    for (uint32_t i = 0; i < wanted.count; i++) {
        int row = postgres_scope_find(listed, wanted.names[i]);
        if (row < 0 && (!is_target || i == 0)) {
            return refuse_missing(self, listed, wanted.names[i], error);
        }
        if (row >= 0 && !is_set(listed, row, LISTED_MAY_USE)) {
            return refuse_closed(self, listed, row, error);
        }
    }
    if (wanted.count == 1 || is_target) {
        own = wanted.names[0];
    }
    own = own != NULL ? own : no_schema;
    self->sql.schema = arena_copy_string(self->arena, own);
    scope.leaves_own = !column_list_holds(wanted, own);
    self->sql.base.scope = scope_copy(&scope, own, self->arena);
    return STATUS_OK;
}

static enum status scope_choose(struct postgres_database *self, const PGresult *listed,
                                struct column_list wanted, bool is_target, struct error *error)
{
    int own = find_default(listed);
    bool open = own >= 0 && is_set(listed, own, LISTED_MAY_USE);
    if (wanted.count > 0) {
        return choose_named(self, listed, wanted, is_target, error);
    }
    if (!is_target) {
        choose_all(self, listed);
    } else if (own >= 0) {
        self->sql.schema = arena_copy_string(self->arena, PQgetvalue(listed, own, LISTED_NAME));
    }
    bool others =
        !is_target && (self->sql.base.scope.others.count > 0 || !self->sql.base.scope.leaves_own);
    return open || others ? STATUS_OK
           : own < 0      ? refuse_missing(self, listed, NULL, error)
                          : refuse_closed(self, listed, own, error);
}

static enum status take_ledger_schema(struct postgres_database *self, const char *name,
                                      struct error *error)
{
    bool fits = name[0] != '\0' && strlen(name) <= POSTGRES_NAME_BYTES_MAX &&
                strncmp(name, "pg_", 3) != 0 && strcmp(name, "information_schema") != 0;
    if (!fits) {
        error_set(error, ERROR_USAGE, name, "no schema for a ledger can have that name");
        return error_hint(error, "--ledger-schema takes up to %d bytes, not the server's own names",
                          POSTGRES_NAME_BYTES_MAX);
    }
    self->sql.ledger_schema =
        strcmp(name, self->sql.schema) != 0 ? arena_copy_string(self->arena, name) : NULL;
    return STATUS_OK;
}

enum status postgres_choose_schemas(struct postgres_database *self, const struct open_options *open,
                                    const char *text, struct error *error)
{
    struct column_list wanted = open->schemas;
    PGresult *listed = NULL;
    bool is_target = self->mode == OPEN_TARGET || open->mirrors;
    self->names_schemas = text != NULL || open->schemas.count > 0;
    enum status status = list_schemas(self, !is_target, &listed, error);
    if (status == STATUS_OK && wanted.count == 0 && text != NULL) {
        if (postgres_scope_find(listed, text) >= 0) { /* commas and quotes are its own */
            wanted = (struct column_list){&text, 1};
        } else {
            scope_read_list(text, self->arena, &wanted);
        }
    }
    if (status == STATUS_OK) {
        status = scope_choose(self, listed, wanted, is_target, error);
    }
    PQclear(listed);
    if (status == STATUS_OK && open->ledger_schema != NULL) {
        status = take_ledger_schema(self, open->ledger_schema, error);
    }
    if (status == STATUS_OK) {
        self->sql.base.scope.own = self->sql.schema;
        word_spaces(self);
        status = postgres_prefer_schema(self, self->control, error);
    }
    return status;
}

/* Anybody who may make tables where the ledger goes may make one of its name first, and then the
 * run is refused (ours.c). */
static enum status tell_open_schema(struct postgres_database *self, struct buffer *out,
                                    struct error *error)
{
    const struct postgres_parameter parameter = {.text = sql_ledger_schema(&self->sql)};
    PGconn *connection = NULL;
    PGresult *open = NULL;
    enum status status = postgres_control(self, &connection, error);
    if (status == STATUS_OK) {
        status = postgres_catalog_query(
            self, connection,
            "SELECT quote_ident(n.nspname), quote_ident(current_user) FROM "
            "pg_catalog.pg_namespace n WHERE n.nspname = $1 AND EXISTS (SELECT 1 FROM "
            "pg_catalog.aclexplode(n.nspacl) a WHERE a.grantee = 0 AND a.privilege_type = "
            "'CREATE')",
            &parameter, 1, SQL_SHORT, ERROR_TARGET_INVALID, &open, error);
    }
    if (status == STATUS_OK && PQntuples(open) > 0) {
        buffer_format(out,
                      "everybody may make tables in the schema %s, where the ledger goes: CREATE "
                      "SCHEMA transhume AUTHORIZATION %s, and --ledger-schema transhume; or REVOKE "
                      "CREATE ON SCHEMA %s FROM PUBLIC\n",
                      PQgetvalue(open, 0, 0), PQgetvalue(open, 0, 1), PQgetvalue(open, 0, 0));
    }
    PQclear(open);
    return status;
}

static enum status tell_schemas(struct postgres_database *self, struct buffer *out,
                                struct error *error)
{
    const struct postgres_parameter parameter = {.text = self->spaces};
    char shown[SQL_SHOWN_BYTES];
    PGconn *connection = NULL;
    PGresult *missing = NULL;
    if (self->sql.base.scope.others.count == 0) {
        return STATUS_OK;
    }
    enum status status = postgres_control(self, &connection, error);
    if (status == STATUS_OK) {
        status = postgres_catalog_query(
            self, connection,
            "SELECT s.list[i][1] FROM (SELECT $1::text[] AS list) s CROSS JOIN LATERAL "
            "pg_catalog.generate_subscripts(s.list, 1) i WHERE s.list[i][2] <> '' AND s.list[i][1] "
            "NOT IN (SELECT nspname FROM pg_catalog.pg_namespace) ORDER BY i",
            &parameter, 1, SQL_SHORT, ERROR_TARGET_INVALID, &missing, error);
    }
    if (status == STATUS_OK) {
        buffer_format(out,
                      "tables without a schema in their names go into the schema %s, others "
                      "into that of their names",
                      sql_show_name(self->sql.schema, shown));
        for (int row = 0; row < PQntuples(missing); row++) {
            buffer_format(out, "%s%s", row > 0 ? ", " : "; the run creates the missing ones: ",
                          sql_show_name(PQgetvalue(missing, row, 0), shown));
        }
        buffer_append_byte(out, '\n');
    }
    PQclear(missing);
    return status;
}

enum status postgres_tell_scope(struct database *database, struct buffer *out, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    return tell_schemas(self, out, error) == STATUS_OK ? tell_open_schema(self, out, error)
                                                       : STATUS_FAILED;
}

/* ---------------------------------------------------------------- which database it is */

/* The cluster's own number, not its address: a server may be reached by several. */
enum status postgres_identity_in(struct database *database, const char *schema, struct arena *arena,
                                 const char **identity, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    PGconn *connection = NULL;
    PGresult *result = NULL;

    if (postgres_control(self, &connection, error) != STATUS_OK ||
        postgres_catalog_query(
            self, connection,
            "SELECT s.system_identifier, d.oid FROM pg_catalog.pg_control_system() s, "
            "pg_catalog.pg_database d WHERE d.datname = current_database()",
            NULL, 0, SQL_SHORT, ERROR_NETWORK, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *identity = arena_format(arena, "postgres cluster %s database %s schema %s",
                             PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1), schema);
    PQclear(result);
    return STATUS_OK;
}
