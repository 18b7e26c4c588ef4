/* Statements by kinds of definitions: the table of kinds, and those that take one text. */
#include "connectors/postgres/schema/definitions.h"
#include <string.h>

/* ---------------------------------------------------------------- words */

void postgres_append_place(struct buffer *sql, const struct definition *item)
{
    if (item->schema != NULL) {
        postgres_append(sql, "%n.", item->schema);
    }
    postgres_append(sql, "%n", item->name);
}

void postgres_append_owner(struct buffer *sql, const struct definition *item)
{
    postgres_append(sql, "%n.%n", item->schema, item->table);
}

const char *postgres_fact(const struct definition *item, const char *name)
{
    const char *fact = definition_fact(item, name);
    return fact != NULL ? fact : "";
}

void postgres_append_trimmed(struct buffer *sql, const char *text)
{
    size_t length = strlen(text);
    while (length > 0 && strchr("; \t\r\n", text[length - 1]) != NULL) {
        length--;
    }
    buffer_append(sql, text, length);
}

void postgres_append_option_names(struct buffer *sql, const char *options)
{
    for (const char *at = options; *at != '\0';) {
        size_t name = strcspn(at, "=,");
        buffer_append(sql, at, name);
        at = strstr(at + name, ", ");
        if (at == NULL) {
            return;
        }
        buffer_append_string(sql, ", ");
        at += 2;
    }
}

static enum status postgres_emit(struct sql_emission *emission, struct buffer *sql)
{
    sql_emit(emission, sql, ALTER_LOCK_NONE);
    return STATUS_OK;
}

static enum status emit_locked(struct sql_emission *emission, struct buffer *sql)
{
    sql_emit(emission, sql, ALTER_LOCK_ALL);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- schemas, extensions */

static enum status create_schema(struct sql_emission *emission, const struct definition *before,
                                 const struct definition *after)
{
    (void)before;
    return postgres_emit(emission, postgres_sql("CREATE SCHEMA %n", after->name));
}

static enum status drop_schema(struct sql_emission *emission, const struct definition *before,
                               const struct definition *after)
{
    (void)after;
    return postgres_emit(emission, postgres_sql("DROP SCHEMA %n", before->name));
}

static enum status rename_schema(struct sql_emission *emission, const struct definition *before,
                                 const struct definition *after)
{
    return postgres_emit(emission,
                         postgres_sql("ALTER SCHEMA %n RENAME TO %n", before->name, after->name));
}

static enum status create_extension(struct sql_emission *emission, const struct definition *before,
                                    const struct definition *after)
{
    (void)before;
    return postgres_emit(emission,
                         postgres_sql("CREATE EXTENSION %n WITH SCHEMA %n VERSION %q", after->name,
                                      postgres_fact(after, "in"), postgres_fact(after, "version")));
}

static enum status alter_extension(struct sql_emission *emission, const struct definition *before,
                                   const struct definition *after)
{
    struct buffer sql = {0};
    if (!sql_definition_same_fact(before, after, "version")) {
        postgres_append(&sql, "ALTER EXTENSION %n UPDATE TO %q", after->name,
                        postgres_fact(after, "version"));
        postgres_emit(emission, &sql);
    }
    if (!sql_definition_same_fact(before, after, "in")) {
        postgres_append(&sql, "ALTER EXTENSION %n SET SCHEMA %n", after->name,
                        postgres_fact(after, "in"));
        postgres_emit(emission, &sql);
    }
    return STATUS_OK;
}

static enum status drop_extension(struct sql_emission *emission, const struct definition *before,
                                  const struct definition *after)
{
    (void)after;
    return postgres_emit(emission, postgres_sql("DROP EXTENSION %n", before->name));
}

/* ---------------------------------------------------------------- sequences */

static void append_sequence(struct buffer *sql, const struct definition *item)
{
    buffer_format(sql, " AS %s INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s%s",
                  postgres_fact(item, "type"), postgres_fact(item, "increment"),
                  postgres_fact(item, "minimum"), postgres_fact(item, "maximum"),
                  postgres_fact(item, "start"), postgres_fact(item, "cache"),
                  definition_fact(item, "cycle") != NULL ? " CYCLE" : " NO CYCLE");
}

static enum status create_sequence(struct sql_emission *emission, const struct definition *before,
                                   const struct definition *after)
{
    struct buffer sql = {0};
    (void)before;
    postgres_append(&sql, "CREATE %sSEQUENCE %p",
                    definition_fact(after, "unlogged") != NULL ? "UNLOGGED " : "", after->schema,
                    after->name);
    append_sequence(&sql, after);
    return postgres_emit(emission, &sql);
}

static enum status alter_sequence(struct sql_emission *emission, const struct definition *before,
                                  const struct definition *after)
{
    struct buffer sql = {0};
    if (!sql_definition_same_fact(before, after, "unlogged")) {
        postgres_append(&sql, "ALTER SEQUENCE %p%s", after->schema, after->name,
                        definition_fact(after, "unlogged") != NULL ? " SET UNLOGGED"
                                                                   : " SET LOGGED");
        emit_locked(emission, &sql);
    }
    if (!sql_definition_differs_only(before, after, "unlogged")) {
        postgres_append(&sql, "ALTER SEQUENCE %p", after->schema, after->name);
        append_sequence(&sql, after);
        emit_locked(emission, &sql);
    }
    return STATUS_OK;
}

static enum status drop_sequence(struct sql_emission *emission, const struct definition *before,
                                 const struct definition *after)
{
    (void)after;
    /* one that a column owned went with it */
    return postgres_emit(emission,
                         postgres_sql("DROP SEQUENCE IF EXISTS %p", before->schema, before->name));
}

static enum status rename_sequence(struct sql_emission *emission, const struct definition *before,
                                   const struct definition *after)
{
    return postgres_emit(emission, postgres_sql("ALTER SEQUENCE %p RENAME TO %n", before->schema,
                                                before->name, after->name));
}

static enum status set_ownership(struct sql_emission *emission, const struct definition *before,
                                 const struct definition *after)
{
    const struct definition *item = after != NULL ? after : before;
    return postgres_emit(emission,
                         postgres_sql("ALTER SEQUENCE %p OWNED BY %s", item->schema, item->name,
                                      after != NULL ? postgres_fact(after, "column") : "NONE"));
}

/* ---------------------------------------------------------------- routines */

static enum status create_routine(struct sql_emission *emission, const struct definition *before,
                                  const struct definition *after)
{
    struct buffer sql = {0};
    const char *language = postgres_fact(after, "_language");
    (void)before;
    if (strcmp(language, "sql") == 0 || strcmp(language, "plpgsql") == 0) {
        /* a body may speak of what comes later */
        buffer_append_string(&sql, "SET check_function_bodies = off");
        postgres_emit(emission, &sql);
    }
    postgres_append_trimmed(&sql, postgres_fact(after, "definition"));
    return postgres_emit(emission, &sql);
}

static enum status alter_routine(struct sql_emission *emission, const struct definition *before,
                                 const struct definition *after)
{
    bool fewer = strcmp(postgres_fact(after, "_defaults"), postgres_fact(before, "_defaults")) < 0;
    if (strcmp(after->kind, "aggregate") == 0 || fewer ||
        !sql_definition_same_fact(before, after, "_result") ||
        !sql_definition_same_fact(before, after, "_names")) {
        return STATUS_AGAIN;
    }
    return create_routine(emission, before, after);
}

static enum status drop_routine(struct sql_emission *emission, const struct definition *before,
                                const struct definition *after)
{
    (void)after;
    return postgres_emit(emission,
                         postgres_sql("DROP %s %n.%s",
                                      strcmp(before->kind, "aggregate") == 0   ? "AGGREGATE"
                                      : strcmp(before->kind, "procedure") == 0 ? "PROCEDURE"
                                                                               : "FUNCTION",
                                      before->schema, before->name));
}

/* ---------------------------------------------------------------- views */

static enum status word_view(struct sql_emission *emission, const struct definition *view,
                             const char *begin)
{
    struct buffer sql = {0};
    const char *options = definition_fact(view, "options");
    const char *tablespace = definition_fact(view, "tablespace");
    postgres_append(&sql, "%s%p", begin, view->schema, view->name);
    if (options != NULL) {
        buffer_format(&sql, " WITH (%s)", options);
    }
    if (tablespace != NULL) {
        postgres_append(&sql, " TABLESPACE %n", tablespace);
    }
    buffer_append_string(&sql, " AS\n");
    postgres_append_trimmed(&sql, postgres_fact(view, "definition"));
    if (definition_fact(view, "_empty") != NULL) {
        buffer_append_string(&sql, "\n WITH NO DATA");
    }
    return emit_locked(emission, &sql);
}

static enum status create_view(struct sql_emission *emission, const struct definition *before,
                               const struct definition *after)
{
    (void)before;
    return word_view(emission, after,
                     strcmp(after->kind, "view") == 0 ? "CREATE VIEW "
                                                      : "CREATE MATERIALIZED VIEW ");
}

/* Columns may only come behind those that are there. */
static enum status alter_view(struct sql_emission *emission, const struct definition *before,
                              const struct definition *after)
{
    const char *old_columns = postgres_fact(before, "_columns");
    const char *new_columns = postgres_fact(after, "_columns");
    size_t length = strlen(old_columns);
    if (strncmp(new_columns, old_columns, length) != 0 ||
        (new_columns[length] != '\0' && new_columns[length] != ',')) {
        return STATUS_AGAIN;
    }
    return word_view(emission, after, "CREATE OR REPLACE VIEW ");
}

static enum status drop_view(struct sql_emission *emission, const struct definition *before,
                             const struct definition *after)
{
    (void)after;
    return emit_locked(
        emission,
        postgres_sql("%s%p",
                     strcmp(before->kind, "view") == 0 ? "DROP VIEW " : "DROP MATERIALIZED VIEW ",
                     before->schema, before->name));
}

static enum status rename_view(struct sql_emission *emission, const struct definition *before,
                               const struct definition *after)
{
    return emit_locked(
        emission,
        postgres_sql("%s%p RENAME TO %n",
                     strcmp(before->kind, "view") == 0 ? "ALTER VIEW " : "ALTER MATERIALIZED VIEW ",
                     before->schema, before->name, after->name));
}

/* ---------------------------------------------------------------- triggers, rules, policies */

static void set_state(struct sql_emission *emission, const struct definition *item)
{
    struct buffer sql = {0};
    const char *state = definition_fact(item, "state");
    state = state != NULL ? state : "ENABLE";
    if (strcmp(item->kind, "event trigger") == 0) {
        postgres_append(&sql, "ALTER EVENT TRIGGER %n %s", item->name, state);
    } else {
        postgres_append(&sql, "ALTER TABLE %p %s %s %n", item->schema, item->table, state,
                        strcmp(item->kind, "rule") == 0 ? "RULE" : "TRIGGER", item->name);
    }
    emit_locked(emission, &sql);
}

static enum status create_trigger(struct sql_emission *emission, const struct definition *before,
                                  const struct definition *after)
{
    struct buffer sql = {0};
    (void)before;
    if (strcmp(after->kind, "policy") == 0) {
        postgres_append(&sql, "CREATE POLICY %n ON %p ", after->name, after->schema, after->table);
    }
    postgres_append_trimmed(&sql, postgres_fact(after, "definition"));
    emit_locked(emission, &sql);
    if (definition_fact(after, "state") != NULL) {
        set_state(emission, after);
    }
    return STATUS_OK;
}

static enum status alter_trigger(struct sql_emission *emission, const struct definition *before,
                                 const struct definition *after)
{
    if (!sql_definition_differs_only(before, after, "state")) {
        return STATUS_AGAIN;
    }
    set_state(emission, after);
    return STATUS_OK;
}

static enum status drop_trigger(struct sql_emission *emission, const struct definition *before,
                                const struct definition *after)
{
    struct buffer sql = {0};
    (void)after;
    const char *word = strcmp(before->kind, "policy") == 0          ? "POLICY"
                       : strcmp(before->kind, "rule") == 0          ? "RULE"
                       : strcmp(before->kind, "event trigger") == 0 ? "EVENT TRIGGER"
                                                                    : "TRIGGER";
    postgres_append(&sql, "DROP %s %n", word, before->name);
    if (before->table != NULL) {
        postgres_append(&sql, " ON %p", before->schema, before->table);
    }
    return emit_locked(emission, &sql);
}

static enum status drop_statistics(struct sql_emission *emission, const struct definition *before,
                                   const struct definition *after)
{
    (void)after;
    return postgres_emit(emission,
                         postgres_sql("%s%p",
                                      strcmp(before->kind, "collation") == 0 ? "DROP COLLATION "
                                                                             : "DROP STATISTICS ",
                                      before->schema, before->name));
}

/* ---------------------------------------------------------------- comments, privileges */

static enum status comment(struct sql_emission *emission, const struct definition *before,
                           const struct definition *after)
{
    struct buffer sql = {0};
    if (after != NULL) {
        postgres_append(&sql, "COMMENT ON %s IS %q", after->name, postgres_fact(after, "text"));
    } else {
        postgres_append(&sql, "COMMENT ON %s IS NULL", before->name);
    }
    return postgres_emit(emission, &sql);
}

/* "SELECT ON TABLE public.t TO reader" */
static enum status privilege(struct sql_emission *emission, const struct definition *item,
                             bool give)
{
    const char *grantee = strstr(item->name, " TO ");
    for (const char *next = grantee; next != NULL; next = strstr(next + 1, " TO ")) {
        grantee = next;
    }
    if (grantee == NULL) {
        return STATUS_AGAIN;
    }
    return postgres_emit(emission, postgres_sql("%s%S %s %s%s", give ? "GRANT " : "REVOKE ",
                                                item->name, (size_t)(grantee - item->name),
                                                give ? "TO" : "FROM", grantee + 4,
                                                give && definition_fact(item, "grantable") != NULL
                                                    ? " WITH GRANT OPTION"
                                                    : ""));
}

static enum status create_grant(struct sql_emission *emission, const struct definition *before,
                                const struct definition *after)
{
    (void)before;
    return privilege(emission, after, strcmp(after->kind, "grant") == 0);
}

static enum status drop_grant(struct sql_emission *emission, const struct definition *before,
                              const struct definition *after)
{
    (void)after;
    return privilege(emission, before, strcmp(before->kind, "grant") != 0);
}

/* ---------------------------------------------------------------- replica identity */

static enum status set_identity(struct sql_emission *emission, const struct definition *before,
                                const struct definition *after)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "ALTER TABLE ");
    postgres_append_owner(&sql, after != NULL ? after : before);
    buffer_format(&sql, " REPLICA IDENTITY %s",
                  after != NULL ? postgres_fact(after, "definition") : "DEFAULT");
    return emit_locked(emission, &sql);
}

/* ---------------------------------------------------------------- the table of kinds */

#define ALONE DEFINITION_ALONE
#define ATTACHED DEFINITION_ATTACHED
#define PART DEFINITION_PART

const struct sql_definition_kind postgres_definition_kinds[] = {
    {"schema", 10, ALONE, false, create_schema, NULL, drop_schema, rename_schema},
    {"extension", 20, ALONE, false, create_extension, alter_extension, drop_extension, NULL},
    {"collation", 25, ALONE, false, create_trigger, NULL, drop_statistics, NULL},
    {"enum", 30, ALONE, false, postgres_create_enum, postgres_alter_enum, postgres_drop_type,
     postgres_rename_type},
    {"domain", 30, ALONE, false, postgres_create_domain, postgres_alter_domain, postgres_drop_type,
     postgres_rename_type},
    {"range", 30, ALONE, false, postgres_create_other_type, NULL, postgres_drop_type,
     postgres_rename_type},
    {"composite", 30, ALONE, false, postgres_create_other_type, NULL, postgres_drop_type,
     postgres_rename_type},
    {"attribute", 31, PART, false, postgres_create_attribute, postgres_alter_attribute,
     postgres_drop_attribute, NULL},
    {"domain check", 32, ATTACHED, false, postgres_create_domain_check, NULL,
     postgres_drop_domain_check, NULL},
    {"sequence", 50, ALONE, false, create_sequence, alter_sequence, drop_sequence, rename_sequence},
    {"function", 60, ALONE, false, create_routine, alter_routine, drop_routine, NULL},
    {"procedure", 60, ALONE, false, create_routine, alter_routine, drop_routine, NULL},
    {"aggregate", 65, ALONE, false, create_routine, alter_routine, drop_routine, NULL},
    {"table", 100, ALONE, true, postgres_create_table, postgres_alter_table, postgres_drop_table,
     postgres_rename_table},
    {"foreign table", 100, ALONE, false, postgres_create_table, postgres_alter_table,
     postgres_drop_table, postgres_rename_table},
    {"column", 110, PART, true, postgres_create_column, postgres_alter_column, postgres_drop_column,
     postgres_rename_column},
    {"default", 115, PART, false, postgres_set_default, postgres_set_default, postgres_drop_default,
     NULL},
    {"ownership", 118, ALONE, false, set_ownership, set_ownership, set_ownership, NULL},
    {"constraint", 130, ATTACHED, false, postgres_create_constraint, postgres_alter_constraint,
     postgres_drop_constraint, postgres_rename_constraint},
    {"index", 140, ATTACHED, false, postgres_create_index, postgres_alter_index,
     postgres_drop_index, postgres_rename_index},
    {"replica identity", 145, ATTACHED, false, set_identity, set_identity, set_identity, NULL},
    {"foreign key", 150, ALONE, false, postgres_create_constraint, postgres_alter_constraint,
     postgres_drop_constraint, postgres_rename_constraint},
    {"statistics", 160, ALONE, false, create_trigger, NULL, drop_statistics, NULL},
    {"view", 200, ALONE, false, create_view, alter_view, drop_view, rename_view},
    {"materialized view", 200, ALONE, false, create_view, NULL, drop_view, rename_view},
    {"rule", 210, ATTACHED, false, create_trigger, alter_trigger, drop_trigger, NULL},
    {"trigger", 220, ATTACHED, false, create_trigger, alter_trigger, drop_trigger, NULL},
    {"policy", 220, ATTACHED, false, create_trigger, alter_trigger, drop_trigger, NULL},
    {"event trigger", 230, ALONE, false, create_trigger, alter_trigger, drop_trigger, NULL},
    {"comment", 240, ATTACHED, false, comment, comment, comment, NULL},
    {"grant", 250, ATTACHED, false, create_grant, NULL, drop_grant, NULL},
    {"revocation", 250, ATTACHED, false, create_grant, NULL, drop_grant, NULL},
    {0},
};

/* ---------------------------------------------------------------- who is disturbed */

static bool is_of(const struct definition *item, const char *const *kinds)
{
    for (; *kinds != NULL; kinds++) {
        if (strcmp(item->kind, *kinds) == 0) {
            return true;
        }
    }
    return false;
}

bool postgres_definition_disturbs(const struct definition_change *change,
                                  const struct definition *user)
{
    static const char *const of_columns[] = {"view",    "materialized view", "rule",     "policy",
                                             "trigger", "statistics",        "function", NULL};
    static const char *const not_of_types[] = {"column", "table", "attribute", NULL};
    const struct definition *before = change->before;
    if (strcmp(before->kind, "column") == 0) {
        bool type = !sql_definition_same_fact(before, change->after, "type") ||
                    !sql_definition_same_fact(before, change->after, "collation");
        return type && (is_of(user, of_columns) || definition_fact(user, "generated") != NULL);
    }
    if (strcmp(before->kind, "enum") == 0 || strcmp(before->kind, "domain") == 0) {
        return postgres_replaces_type(before, change->after) &&
               (!is_of(user, not_of_types) || definition_fact(user, "generated") != NULL);
    }
    return false;
}
