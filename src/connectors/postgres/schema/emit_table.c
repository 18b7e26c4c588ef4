/* Statements for tables. */
#include "connectors/postgres/schema/definitions.h"
#include <string.h>

static void alter(struct sql_emission *emission, const struct definition *table, const char *how,
                  const char *what)
{
    sql_emit(
        emission,
        postgres_sql("%s%p %s%s",
                     strcmp(table->kind, "table") == 0 ? "ALTER TABLE " : "ALTER FOREIGN TABLE ",
                     table->schema, table->name, how, what),
        ALTER_LOCK_ALL);
}

/* ---------------------------------------------------------------- making */

static void append_columns(struct buffer *sql, const struct definitions *in,
                           const struct definition *table)
{
    uint32_t owner = sql_definition_number(in, table);
    const struct definition *column;
    uint32_t at = 0;
    bool first = true;
    buffer_append_string(sql, " (");
    while ((column = sql_definitions_of(in, owner, "column", &at)) != NULL) {
        if (definition_fact(column, "_inherited") != NULL &&
            definition_fact(column, "_local") == NULL) {
            continue;
        }
        buffer_append_string(sql, first ? "\n    " : ",\n    ");
        postgres_append_column(sql, column);
        first = false;
    }
    buffer_append_string(sql, first ? ")" : "\n)");
}

static void append_clause(struct buffer *sql, const struct definition *table, const char *fact,
                          const char *before, const char *after)
{
    const char *value = definition_fact(table, fact);
    if (value != NULL) {
        buffer_format(sql, "%s%s%s", before, value, after);
    }
}

static void append_table(struct buffer *sql, const struct definitions *in,
                         const struct definition *table)
{
    const char *parent = definition_fact(table, "partition of");
    const char *of = definition_fact(table, "of");
    bool foreign = strcmp(table->kind, "table") != 0;
    postgres_append(sql, "CREATE %s%sTABLE %p", foreign ? "FOREIGN " : "",
                    definition_fact(table, "unlogged") != NULL ? "UNLOGGED " : "", table->schema,
                    table->name);
    if (parent != NULL) {
        buffer_format(sql, " PARTITION OF %s %s", parent, postgres_fact(table, "bound"));
    } else if (of != NULL) {
        buffer_format(sql, " OF %s", of);
    } else {
        append_columns(sql, in, table);
        append_clause(sql, table, "inherits", " INHERITS (", ")");
    }
    append_clause(sql, table, "partitioned by", " PARTITION BY ", "");
    append_clause(sql, table, "method", " USING ", "");
    append_clause(sql, table, "server", " SERVER ", "");
    append_clause(sql, table, "server options", " OPTIONS (", ")");
    append_clause(sql, table, "options", " WITH (", ")");
    append_clause(sql, table, "tablespace", " TABLESPACE ", "");
}

/* The defaults of a partition that are not its parent's. */
static void set_own_defaults(struct sql_emission *emission, const struct definition *column)
{
    const struct definitions *to = emission->change->to;
    const struct definition *usual;
    uint32_t at = 0;
    if (definition_fact(column, "_inherited") == NULL) {
        return;
    }
    while ((usual = sql_definitions_of(to, sql_definition_number(to, column), "default", &at)) !=
           NULL) {
        postgres_set_default(emission, NULL, usual);
    }
}

enum status postgres_create_table(struct sql_emission *emission, const struct definition *before,
                                  const struct definition *after)
{
    const struct definitions *to = emission->change->to;
    const struct definition *column;
    struct buffer sql = {0};
    uint32_t at = 0;
    (void)before;
    append_table(&sql, to, after);
    sql_emit(emission, &sql,
             definition_fact(after, "partition of") != NULL ? ALTER_LOCK_ALL : ALTER_LOCK_NONE);
    while ((column = sql_definitions_of(to, sql_definition_number(to, after), "column", &at)) !=
           NULL) {
        postgres_append(&sql, "ALTER TABLE %p", after->schema, after->name);
        if (postgres_append_column_extras(&sql, NULL, column)) {
            sql_emit(emission, &sql, ALTER_LOCK_ALL);
        }
        buffer_free(&sql);
        sql = (struct buffer){0};
        set_own_defaults(emission, column);
        postgres_set_own_null(emission, column);
    }
    if (definition_fact(after, "row security") != NULL) {
        alter(emission, after, "ENABLE ROW LEVEL SECURITY", "");
    }
    if (definition_fact(after, "force row security") != NULL) {
        alter(emission, after, "FORCE ROW LEVEL SECURITY", "");
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- changing */

static void alter_options(struct sql_emission *emission, const struct definition *before,
                          const struct definition *after)
{
    const char *old_options = definition_fact(before, "options");
    const char *new_options = definition_fact(after, "options");
    struct buffer words = {0};
    if (sql_definition_same_fact(before, after, "options")) {
        return;
    }
    if (old_options != NULL) {
        buffer_append_string(&words, "RESET (");
        postgres_append_option_names(&words, old_options);
        alter(emission, after, buffer_string(&words), ")");
    }
    if (new_options != NULL) {
        buffer_clear(&words);
        buffer_format(&words, "SET (%s", new_options);
        alter(emission, after, buffer_string(&words), ")");
    }
    buffer_free(&words);
}

static void attach(struct sql_emission *emission, const struct definition *table, bool attaches)
{
    struct buffer sql = {0};
    const char *parent = definition_fact(table, "partition of");
    if (parent == NULL) {
        return;
    }
    postgres_append(&sql, "ALTER TABLE %s %s PARTITION %p", parent, attaches ? "ATTACH" : "DETACH",
                    table->schema, table->name);
    if (attaches) {
        buffer_format(&sql, " %s", postgres_fact(table, "bound"));
    }
    sql_emit(emission, &sql, ALTER_LOCK_ALL)->rewrites = attaches;
}

static void inherit_all(struct sql_emission *emission, const struct definition *table,
                        const char *how)
{
    const char *parents = definition_fact(table, "inherits");
    while (parents != NULL && *parents != '\0') {
        const char *end = strstr(parents, ", ");
        size_t length = end != NULL ? (size_t)(end - parents) : strlen(parents);
        alter(emission, table, how, arena_copy(emission->arena, parents, length));
        parents = end != NULL ? end + 2 : NULL;
    }
}

static void switch_on(struct sql_emission *emission, const struct definition *before,
                      const struct definition *after, const char *fact, const char *on,
                      const char *off)
{
    if (!sql_definition_same_fact(before, after, fact)) {
        alter(emission, after, definition_fact(after, fact) != NULL ? on : off, "");
    }
}

static void emit_table_move(struct sql_emission *emission, const struct definition *before,
                            const struct definition *after)
{
    if (!sql_definition_same_fact(before, after, "tablespace")) {
        const char *place = definition_fact(after, "tablespace");
        alter(emission, after, "SET TABLESPACE ", place != NULL ? place : "pg_default");
    }
    if (!sql_definition_same_fact(before, after, "method")) {
        const char *method = definition_fact(after, "method");
        alter(emission, after, "SET ACCESS METHOD ", method != NULL ? method : "heap");
    }
}

enum status postgres_alter_table(struct sql_emission *emission, const struct definition *before,
                                 const struct definition *after)
{
    if (!sql_definition_same_fact(before, after, "partitioned by") ||
        !sql_definition_same_fact(before, after, "server") ||
        !sql_definition_same_fact(before, after, "server options")) {
        return STATUS_AGAIN;
    }
    if (!sql_definition_same_fact(before, after, "partition of") ||
        !sql_definition_same_fact(before, after, "bound")) {
        attach(emission, before, false);
    }
    if (!sql_definition_same_fact(before, after, "inherits")) {
        inherit_all(emission, before, "NO INHERIT ");
        inherit_all(emission, after, "INHERIT ");
    }
    if (!sql_definition_same_fact(before, after, "partition of") ||
        !sql_definition_same_fact(before, after, "bound")) {
        attach(emission, after, true);
    }
    if (!sql_definition_same_fact(before, after, "of")) {
        const char *of = definition_fact(after, "of");
        alter(emission, after, of != NULL ? "OF " : "NOT OF", of != NULL ? of : "");
    }
    switch_on(emission, before, after, "unlogged", "SET UNLOGGED", "SET LOGGED");
    switch_on(emission, before, after, "row security", "ENABLE ROW LEVEL SECURITY",
              "DISABLE ROW LEVEL SECURITY");
    switch_on(emission, before, after, "force row security", "FORCE ROW LEVEL SECURITY",
              "NO FORCE ROW LEVEL SECURITY");
    alter_options(emission, before, after);
    emit_table_move(emission, before, after);
    return STATUS_OK;
}

enum status postgres_drop_table(struct sql_emission *emission, const struct definition *before,
                                const struct definition *after)
{
    (void)after;
    sql_emit(emission,
             postgres_sql(
                 "%s%p", strcmp(before->kind, "table") == 0 ? "DROP TABLE " : "DROP FOREIGN TABLE ",
                 before->schema, before->name),
             ALTER_LOCK_ALL);
    return STATUS_OK;
}

enum status postgres_rename_table(struct sql_emission *emission, const struct definition *before,
                                  const struct definition *after)
{
    struct buffer name = {0};
    postgres_append(&name, "%n", after->name);
    alter(emission, before, "RENAME TO ", buffer_string(&name));
    buffer_free(&name);
    return STATUS_OK;
}
