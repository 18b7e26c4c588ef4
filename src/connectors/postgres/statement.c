/*
 * Statements as a PostgreSQL source tells them. Each is sent alone, by the protocol that takes one
 * statement only; here it is seen that it makes, or drops, a thing of the kind and name that was
 * asked for: the forms are those of sql/objects.sql.
 */
#include "connectors/postgres/statement.h"
#include "connectors/common/scope.h"
#include "sql/lexer.h"
#include <ctype.h>
#include <string.h>

/*
 * `$`: the thing's own name; `?`: any name, perhaps with a schema of the scope; `!`: one without;
 * `*`: whatever follows. NULL: nothing drops it alone.
 */
struct form {
    const char *what;
    const char *make;
    const char *drop;
};

static const struct form forms[] = {
    {"table", "CREATE TABLE $ (*", NULL},
    {"table", "CREATE UNLOGGED TABLE $ (*", NULL},
    {"partition", "CREATE TABLE $ (*", NULL},
    {"partition", "CREATE UNLOGGED TABLE $ (*", NULL},
    {"partition", "ALTER TABLE ONLY ? ATTACH PARTITION $ *", NULL},
    {"type", "CREATE TYPE $ AS *", "DROP TYPE $"},
    {"type", "CREATE DOMAIN $ AS *", "DROP DOMAIN $"},
    {"collation", "CREATE COLLATION $ (*", "DROP COLLATION $"},
    {"sequence", "CREATE SEQUENCE $ AS *", "DROP SEQUENCE $"},
    {"value", "SELECT", NULL},
    {"value", "SELECT pg_catalog.setval(*", NULL},
    {"function", "CREATE FUNCTION $*", "DROP FUNCTION $"},
    {"window function", "CREATE FUNCTION $*", "DROP FUNCTION $"},
    {"procedure", "CREATE PROCEDURE $*", "DROP PROCEDURE $"},
    {"index", "CREATE INDEX $ ON *", NULL},
    {"index", "CREATE UNIQUE INDEX $ ON *", NULL},
    {"constraint", "ALTER TABLE ? ADD CONSTRAINT $ *", NULL},
    {"view", "CREATE VIEW $ *", "DROP VIEW $"},
    {"materialized view", "CREATE MATERIALIZED VIEW $ *", "DROP MATERIALIZED VIEW $"},
    {"trigger", "CREATE TRIGGER $ *", "DROP TRIGGER $ ON ?"},
    {"trigger", "CREATE CONSTRAINT TRIGGER $ *", "DROP TRIGGER $ ON ?"},
    {"rule", "CREATE RULE $ AS*", "DROP RULE $ ON ?"},
    {"policy", "CREATE POLICY $ ON ? AS *", "DROP POLICY $ ON ?"},
    {"statistics", "CREATE STATISTICS $ *", "DROP STATISTICS $"},
    {"comment", "COMMENT ON *", NULL},
    {"foreign key of a partition", "ALTER TABLE ? ADD CONSTRAINT ? FOREIGN KEY *", NULL},
    {"property", "ALTER SEQUENCE ? OWNED BY !.!", NULL},
    {"property", "ALTER SEQUENCE ? OWNED BY ?.!", NULL},
    {"property", "ALTER TABLE ONLY ? ALTER ? SET STORAGE ?", NULL},
    {"property", "ALTER TABLE ONLY ? ALTER ? SET STATISTICS ?", NULL},
    {"property", "ALTER TABLE ONLY ? ALTER ? SET COMPRESSION ?", NULL},
    {"property", "ALTER TABLE ONLY ? ALTER ? SET (*", NULL},
    {"property", "ALTER TABLE ONLY ? REPLICA IDENTITY ?", NULL},
    {"property", "ALTER TABLE ONLY ? REPLICA IDENTITY USING INDEX ?", NULL},
    {"property", "ALTER TABLE ONLY ? CLUSTER ON ?", NULL},
    {"property", "ALTER TABLE ? OF *", NULL},
    {"property", "ALTER INDEX ? ALTER COLUMN ? SET STATISTICS ?", NULL},
    {"property", "ALTER STATISTICS ? SET STATISTICS ?", NULL},
    {"property", "ALTER SEQUENCE ? SET UNLOGGED", NULL},
    {"property", "ALTER VIEW ? ALTER COLUMN ? SET DEFAULT *", NULL},
    {"property", "ALTER TABLE ? ADD CONSTRAINT ? CHECK *", NULL},
    {"property", "ALTER DOMAIN ? ADD CONSTRAINT ? CHECK *", NULL},
    {"property", "ALTER TABLE ? VALIDATE CONSTRAINT ?", NULL},
    {"property", "ALTER TABLE ? ENABLE ROW LEVEL SECURITY", NULL},
    {"property", "ALTER TABLE ? FORCE ROW LEVEL SECURITY", NULL},
    {"property", "ALTER TABLE ONLY ? DISABLE TRIGGER ?", NULL},
    {"property", "ALTER TABLE ONLY ? ENABLE REPLICA TRIGGER ?", NULL},
    {"property", "ALTER TABLE ONLY ? ENABLE ALWAYS TRIGGER ?", NULL},
    {"property", "ALTER TABLE ? DISABLE RULE ?", NULL},
    {"property", "ALTER TABLE ? ENABLE REPLICA RULE ?", NULL},
    {"property", "ALTER TABLE ? ENABLE ALWAYS RULE ?", NULL},
};

/* Behind "…"; NULL: it does not end. */
static const char *pass_quoted(const char *at)
{
    for (at++; *at != '\0'; at++) {
        if (*at == '"' && at[1] != '"') {
            return at + 1;
        }
        at += *at == '"';
    }
    return NULL;
}

static bool is_of_name(char letter)
{
    return isalnum((unsigned char)letter) || letter == '_' || letter == '$' || (letter & 0x80) != 0;
}

/* Behind one name, in quotes or bare; NULL: none stands there. */
static const char *pass_name(const char *at)
{
    const char *begin = at;
    if (*at == '"') {
        return pass_quoted(at);
    }
    while (is_of_name(*at)) {
        at++;
    }
    return at > begin ? at : NULL;
}

/* Behind "(…)", in which quotes and further parentheses are closed; NULL: it does not end. */
static const char *pass_arguments(const char *at)
{
    int depth = 0;
    do {
        depth += (*at == '(') - (*at == ')');
        at = *at == '"' ? pass_quoted(at) : at + 1;
    } while (at != NULL && depth > 0 && *at != '\0');
    return depth == 0 ? at : NULL;
}

/* Is it that name, as it is or in quotes? Catalogues tell some names bare and some quoted. */
static bool is_called(const char *begin, const char *end, const char *name)
{
    if ((size_t)(end - begin) == strlen(name) && memcmp(begin, name, strlen(name)) == 0) {
        return true;
    }
    if (*begin != '"') {
        return false;
    }
    for (begin++, end--; begin < end; begin++, name++) {
        begin += *begin == '"';
        if (*begin != *name) {
            return false;
        }
    }
    return *name == '\0';
}

/* Behind the schema and the dot, if that stands there. */
static const char *pass_schema(const char *at, const char *schema)
{
    const char *behind = pass_name(at);
    return behind != NULL && *behind == '.' && is_called(at, behind, schema) ? behind + 1 : NULL;
}

/* A name of the thing's own schema, or of another one of the scope. */
static const char *pass_placed(const char *at, const struct schema_scope *scope)
{
    for (uint32_t i = 0; i < scope->others.count; i++) {
        const char *behind = pass_schema(at, scope->others.names[i]);
        if (behind != NULL) {
            return pass_name(behind);
        }
    }
    return pass_name(at);
}

/* A routine's has its arguments, and is made with more words in them. */
static const char *pass_bare(const char *at, const char *name, bool makes)
{
    const char *behind = pass_name(at);
    if (behind == NULL || *behind != '(') {
        return behind != NULL && is_called(at, behind, name) ? behind : NULL;
    }
    if (makes) {
        size_t length = (size_t)(behind - at) + 1;
        return strncmp(at, name, length) == 0 ? behind : NULL;
    }
    const char *end = pass_arguments(behind);
    return end != NULL && is_called(at, end, name) ? end : NULL;
}

static const char *pass_own(const char *at, const char *name, bool makes,
                            const struct schema_scope *scope)
{
    const char *behind = NULL;
    const char *schema = scope_schema_of(scope, name, &behind);
    const char *placed = schema != NULL ? pass_schema(at, schema) : NULL;
    return placed != NULL ? pass_bare(placed, behind, makes) : pass_bare(at, name, makes);
}

static bool fits(const char *form, const char *statement, const char *name, bool makes,
                 const struct schema_scope *scope)
{
    const char *at = statement;
    for (; at != NULL && *form != '\0'; form++) {
        if (*form == '*') {
            return true;
        }
        at = *form == '$'   ? pass_own(at, name, makes, scope)
             : *form == '?' ? pass_placed(at, scope)
             : *form == '!' ? pass_name(at)
             : *form == *at ? at + 1
                            : NULL;
    }
    return at != NULL && *at == '\0';
}

/* `drop` may be NULL. */
static bool is_told(const struct schema_scope *scope, const char *what, const char *name,
                    const char *make, const char *drop)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const struct form *form = &forms[i];
        if (strcmp(form->what, what) == 0 && fits(form->make, make, name, true, scope) &&
            (drop == NULL || (form->drop != NULL && fits(form->drop, drop, name, false, scope)))) {
            return true;
        }
    }
    return false;
}

bool postgres_makes(const struct schema_scope *scope, const struct schema_object *object)
{
    return is_told(scope, object->what, object->name, object->native_sql, object->native_drop);
}

enum status postgres_check_told(const struct schema_scope *scope, const struct schema_table *table,
                                struct error *error)
{
    if (table->native_sql != NULL &&
        !is_told(scope, "table", table->name, table->native_sql, NULL)) {
        return error_set(error, ERROR_TARGET_SCHEMA, table->name,
                         "what the source tells is no statement that makes it");
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct schema_index *index = &table->indexes[i];
        if (index->native_sql != NULL && !is_told(scope, index->implied ? "constraint" : "index",
                                                  index->name, index->native_sql, NULL)) {
            return error_set(error, ERROR_TARGET_SCHEMA, table->name,
                             "what the source tells is no statement that makes its %s %s",
                             index->implied ? "key" : "index", index->name);
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- rights */

static const struct {
    const char *what;
    const char *called;
} named[] = {
    {"table", "TABLE $"},
    {"view", "TABLE $"},
    {"view", "VIEW $"},
    {"materialized view", "TABLE $"},
    {"materialized view", "MATERIALIZED VIEW $"},
    {"sequence", "SEQUENCE $"},
    {"function", "FUNCTION $"},
    {"window function", "FUNCTION $"},
    {"procedure", "PROCEDURE $"},
    {"type", "TYPE $"},
    {"type", "DOMAIN $"},
    {"collation", "COLLATION $"},
    {"schema", "SCHEMA $"},
};

/* "SELECT", "UPDATE (note)*": words of privileges, perhaps of a column, a line each. */
static bool are_privileges(const char *at)
{
    while (*at != '\0') {
        size_t length = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ ");
        const char *behind = at + length;
        if (*behind == '(' && length > 1) {
            behind = pass_name(behind + 1);
            if (behind == NULL || *behind != ')') {
                return false;
            }
            behind++;
        }
        behind += *behind == '*';
        if (length == 0 || (*behind != '\n' && *behind != '\0')) {
            return false;
        }
        at = *behind == '\n' ? behind + 1 : behind;
    }
    return true;
}

/* Behind the words, if they stand there. */
static const char *pass_words(const char *at, const char *words)
{
    size_t length = strlen(words);
    return at != NULL && strncmp(at, words, length) == 0 ? at + length : NULL;
}

/* Behind "SELECT, UPDATE" and the like; NULL: it is none. */
static const char *pass_privileges(const char *at)
{
    for (const char *next = at; next != NULL; next = pass_words(at, ", ")) {
        size_t length = strspn(next, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        at = length > 0 ? next + length : NULL;
    }
    return at;
}

/* Behind one name, if one is due there. */
static const char *pass_due_name(const char *at)
{
    return at != NULL ? pass_name(at) : NULL;
}

static bool is_default_told(const struct schema_right *right)
{
    bool closes = right->words != NULL;
    const char *role = pass_words(right->native_sql, "ALTER DEFAULT PRIVILEGES FOR ROLE ");
    const char *at = pass_due_name(role);
    if (at == NULL || !is_called(role, at, right->role)) {
        return false;
    }
    const char *placed = pass_words(at, " IN SCHEMA ");
    at = placed != NULL ? pass_name(placed) : at;
    at = pass_words(at, closes ? " REVOKE " : " GRANT ");
    at = pass_words(at != NULL ? pass_privileges(at) : NULL, " ON ");
    at = pass_words(pass_words(at, right->what), closes ? " FROM PUBLIC" : " TO ");
    at = closes ? at : pass_due_name(at);
    return at != NULL && (*at == '\0' || (!closes && strcmp(at, " WITH GRANT OPTION") == 0));
}

bool postgres_is_one(const char *statement)
{
    struct sql_lexer lexer;
    struct sql_token token = {0};
    bool one = true;
    sql_lexer_init(&lexer, SQL_POSTGRES, statement, strlen(statement), NULL);
    do {
        token = sql_lexer_next(&lexer);
        one = token.kind != SQL_TOKEN_COMMENT && !token.unterminated &&
              !sql_token_is_mark(&token, ';') && !sql_token_is_mark(&token, '\\');
    } while (one && token.kind != SQL_TOKEN_END);
    return one;
}

/* The session's own schema, which the target calls by another name. */
static bool is_own_schema(const struct schema_right *right)
{
    return strcmp(right->what, "schema") == 0 && right->name[0] == '\0';
}

bool postgres_right_is_told(const struct schema_scope *scope, const struct schema_right *right)
{
    if (strcmp(right->kind, "default") == 0) {
        return is_default_told(right);
    }
    bool found = right->called == NULL || is_own_schema(right);
    for (size_t i = 0; !found && i < sizeof named / sizeof named[0]; i++) {
        found = strcmp(named[i].what, right->what) == 0 && postgres_is_one(right->called) &&
                fits(named[i].called, right->called, right->name, false, scope);
    }
    bool of_words = strcmp(right->kind, "grant") == 0 || strcmp(right->kind, "lacks") == 0;
    return found && (!of_words || are_privileges(right->words));
}

struct text postgres_policy_roles(const struct schema_scope *scope, const char *statement,
                                  bool restrictive)
{
    const char *at = pass_words(statement, "CREATE POLICY ");
    at = at != NULL ? pass_words(pass_name(at), " ON ") : NULL;
    const char *kind = at != NULL ? pass_placed(at, scope) : NULL;
    at = pass_words(kind, " AS RESTRICTIVE FOR ");
    at = at == NULL && !restrictive ? pass_words(kind, " AS PERMISSIVE FOR ") : at;
    at = at != NULL ? pass_words(at + strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), " TO ") : NULL;
    const char *end = at;
    for (const char *next = at; next != NULL;) {
        end = pass_name(next);
        next = end != NULL ? pass_words(end, ", ") : NULL;
    }
    return at != NULL && end != NULL ? (struct text){at, (size_t)(end - at)}
                                     : (struct text){statement, 0};
}

const char *postgres_next_role(struct text *roles, struct arena *arena, bool *everybody)
{
    const char *end = roles->length > 0 ? pass_name(roles->data) : NULL;
    if (end == NULL) {
        return NULL;
    }
    char *name = arena_copy(arena, roles->data, (size_t)(end - roles->data));
    *everybody = strcmp(name, "PUBLIC") == 0;
    if (*name == '"') {
        char *to = name;
        for (const char *from = name + 1; from[0] != '\0' && from[1] != '\0'; from++) {
            from += *from == '"';
            *to++ = *from;
        }
        *to = '\0';
    }
    size_t passed = (size_t)(end - roles->data) + 2; /* ", " */
    passed = passed < roles->length ? passed : roles->length;
    *roles = (struct text){roles->data + passed, roles->length - passed};
    return name;
}

const char *postgres_view_options(const struct schema_scope *scope, const char *statement)
{
    const char *at = pass_words(statement, "CREATE VIEW ");
    return at != NULL ? pass_placed(at, scope) : NULL;
}
