/* Statements for columns and their defaults. */
#include "connectors/postgres/schema/definitions.h"
#include <string.h>

/* ---------------------------------------------------------------- words */

static void append_generated(struct buffer *sql, const char *generated)
{
    const char *kind = strrchr(generated, ' ');
    postgres_append(sql, " GENERATED ALWAYS AS (%S)%s", generated, (size_t)(kind - generated),
                    kind);
}

void postgres_append_column(struct buffer *sql, const struct definition *column)
{
    const char *collation = definition_fact(column, "collation");
    const char *usual = definition_fact(column, "_default");
    const char *generated = definition_fact(column, "generated");
    const char *identity = definition_fact(column, "identity");
    postgres_append(sql, "%n %s", column->name, postgres_fact(column, "type"));
    if (collation != NULL) {
        buffer_format(sql, " COLLATE %s", collation);
    }
    if (definition_fact(column, "server options") != NULL) {
        buffer_format(sql, " OPTIONS (%s)", postgres_fact(column, "server options"));
    }
    if (generated != NULL) {
        append_generated(sql, generated);
    } else if (identity != NULL) {
        buffer_format(sql, " GENERATED %s AS IDENTITY (%s)", identity,
                      postgres_fact(column, "counts"));
    } else if (usual != NULL) {
        buffer_format(sql, " DEFAULT %s", usual);
    }
    buffer_append_string(sql, definition_fact(column, "not null") != NULL ? " NOT NULL" : "");
}

static void append_extra(struct buffer *sql, bool *any, const struct definition *column,
                         const char *how, const char *value)
{
    postgres_append(sql, "%s ALTER COLUMN %n %s%s", *any ? "," : "", column->name, how, value);
    *any = true;
}

bool postgres_append_column_extras(struct buffer *sql, const struct definition *before,
                                   const struct definition *after)
{
    const char *storage = definition_fact(after, "storage");
    const char *compression = definition_fact(after, "compression");
    const char *statistics = definition_fact(after, "statistics");
    const char *old_options = definition_fact(before, "options");
    const char *options = definition_fact(after, "options");
    bool any = false;
    if (before == NULL ? storage != NULL : !sql_definition_same_fact(before, after, "storage")) {
        append_extra(sql, &any, after, "SET STORAGE ", storage != NULL ? storage : "DEFAULT");
    }
    if (before == NULL ? compression != NULL
                       : !sql_definition_same_fact(before, after, "compression")) {
        append_extra(sql, &any, after, "SET COMPRESSION ",
                     compression != NULL ? compression : "default");
    }
    if (before == NULL ? statistics != NULL
                       : !sql_definition_same_fact(before, after, "statistics")) {
        append_extra(sql, &any, after, "SET STATISTICS ", statistics != NULL ? statistics : "-1");
    }
    if (old_options != NULL && !sql_definition_same_fact(before, after, "options")) {
        append_extra(sql, &any, after, "RESET (", "");
        postgres_append_option_names(sql, old_options);
        buffer_append_byte(sql, ')');
    }
    if (options != NULL &&
        (before == NULL || !sql_definition_same_fact(before, after, "options"))) {
        append_extra(sql, &any, after, "SET (", options);
        buffer_append_byte(sql, ')');
    }
    return any;
}

/* ---------------------------------------------------------------- making, dropping */

/* Has each row to be written again, since the value is not the same for all? */
static bool fills_rows(const struct definition *column)
{
    const char *usual = definition_fact(column, "_default");
    return definition_fact(column, "generated") != NULL ||
           definition_fact(column, "identity") != NULL ||
           (usual != NULL && strchr(usual, '(') != NULL && strncmp(usual, "now()", 5) != 0);
}

/* Has a parent of the column's table a column that is the same? */
static bool is_as_parents(const struct definitions *in, const struct definition *column)
{
    const struct definition *table = &in->items[column->owner];
    for (uint32_t i = 0; i < table->need_count; i++) {
        const struct definition *parent = &in->items[table->needs[i]];
        const struct definition *other =
            strcmp(parent->kind, "table") == 0
                ? sql_definitions_find(in, "column", parent->schema, parent->name, column->name)
                : NULL;
        if (other != NULL && definition_is_equal(other, column)) {
            return true;
        }
    }
    return false;
}

static bool is_inherited(const struct definition *column)
{
    return definition_fact(column, "_inherited") != NULL;
}

enum status postgres_create_column(struct sql_emission *emission, const struct definition *before,
                                   const struct definition *after)
{
    struct buffer sql = {0};
    (void)before;
    if (is_inherited(after)) {
        return STATUS_OK;
    }
    postgres_append(&sql, "ALTER TABLE %p ADD COLUMN ", after->schema, after->table);
    postgres_append_column(&sql, after);
    sql_emit(emission, &sql, ALTER_LOCK_ALL)->rewrites = fills_rows(after);
    postgres_append(&sql, "ALTER TABLE %p", after->schema, after->table);
    if (postgres_append_column_extras(&sql, NULL, after)) {
        sql_emit(emission, &sql, ALTER_LOCK_ALL);
    }
    buffer_free(&sql);
    return STATUS_OK;
}

/* Does a table that inherits it keep it as its own? */
static bool is_kept_by_heirs(const struct definition_change *change,
                             const struct definition *column)
{
    for (uint32_t i = 0; i < change->from->count; i++) {
        const struct definition *heir = &change->from->items[i];
        bool is_heir = false;
        for (uint32_t n = 0; n < heir->need_count; n++) {
            is_heir = is_heir || heir->needs[n] == column->owner;
        }
        if (is_heir && strcmp(heir->kind, "table") == 0) {
            const struct definition *kept =
                sql_definitions_find(change->to, "column", heir->schema, heir->name, column->name);
            if (kept != NULL && !is_inherited(kept)) {
                return true;
            }
        }
    }
    return false;
}

enum status postgres_drop_column(struct sql_emission *emission, const struct definition *before,
                                 const struct definition *after)
{
    (void)after;
    if (is_inherited(before)) {
        return STATUS_OK;
    }
    sql_emit(emission,
             postgres_sql("ALTER TABLE %s%p DROP COLUMN %n",
                          is_kept_by_heirs(emission->change, before) ? "ONLY " : "", before->schema,
                          before->table, before->name),
             ALTER_LOCK_ALL);
    return STATUS_OK;
}

enum status postgres_rename_column(struct sql_emission *emission, const struct definition *before,
                                   const struct definition *after)
{
    sql_emit(emission,
             postgres_sql("ALTER TABLE %p RENAME COLUMN %n TO %n", before->schema, before->table,
                          before->name, after->name),
             ALTER_LOCK_ALL);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- changing */

static struct definition_statement *alter(struct sql_emission *emission,
                                          const struct definition *column, const char *how,
                                          const char *what)
{
    return sql_emit(emission,
                    postgres_sql("ALTER TABLE %p ALTER COLUMN %n %s%s", column->schema,
                                 column->table, column->name, how, what),
                    ALTER_LOCK_ALL);
}

void postgres_set_own_null(struct sql_emission *emission, const struct definition *column)
{
    if (is_inherited(column) && !is_as_parents(emission->change->to, column) &&
        definition_fact(column, "not null") != NULL) {
        alter(emission, column, "SET NOT NULL", "");
    }
}

/* A value of the column as one of the wanted type. */
static void alter_type(struct sql_emission *emission, const struct definition *before,
                       const struct definition *after)
{
    const char *collation = definition_fact(after, "collation");
    const char *usual = definition_fact(after, "_default");
    struct buffer type = {0};
    if (definition_fact(before, "_default") != NULL) {
        alter(emission, after, "DROP DEFAULT", "");
    }
    buffer_append_string(&type, postgres_fact(after, "type"));
    if (collation != NULL) {
        buffer_format(&type, " COLLATE %s", collation);
    } else if (definition_fact(before, "collation") != NULL) {
        buffer_append_string(&type, " COLLATE \"default\"");
    }
    if (!sql_definition_same_fact(before, after, "type")) {
        /* types that users made have no casts, as a rule */
        bool made = strchr(postgres_fact(before, "type"), '.') != NULL ||
                    strchr(postgres_fact(after, "type"), '.') != NULL;
        bool array = strchr(postgres_fact(before, "type"), '[') != NULL;
        postgres_append(&type, " USING %n%s::%s", after->name,
                        !made   ? ""
                        : array ? "::text[]"
                                : "::text",
                        postgres_fact(after, "type"));
    }
    alter(emission, after, "TYPE ", buffer_string(&type))->rewrites = true;
    if (usual != NULL) {
        alter(emission, after, "SET DEFAULT ", usual);
    }
    buffer_free(&type);
}

/* A constraint that is checked beside writers says that no row has a NULL. */
static void set_not_null(struct sql_emission *emission, const struct definition *column)
{
    struct buffer sql = {0};
    const char *name = "_transhume_not_null";
    if (!emission->change->online) {
        alter(emission, column, "SET NOT NULL", "")->rewrites = true;
        return;
    }
    static const char *const steps[] = {" ADD CONSTRAINT %n CHECK (%n IS NOT NULL) NOT VALID",
                                        " VALIDATE CONSTRAINT %n"};
    for (int i = 0; i < 2; i++) {
        postgres_append(&sql, "ALTER TABLE %p", column->schema, column->table);
        postgres_append(&sql, steps[i], name, column->name);
        sql_emit(emission, &sql, i == 0 ? ALTER_LOCK_ALL : ALTER_LOCK_NONE)->rewrites = i == 1;
    }
    alter(emission, column, "SET NOT NULL", "");
    postgres_append(&sql, "ALTER TABLE %p DROP CONSTRAINT %n", column->schema, column->table, name);
    sql_emit(emission, &sql, ALTER_LOCK_ALL);
}

static void append_counts(struct buffer *words, const char *counts)
{
    /* START WITH 1 INCREMENT BY 1 …: each is a SET of its own here */
    static const char *const names[] = {"START WITH", "INCREMENT BY", "MINVALUE", "MAXVALUE",
                                        "CACHE",      "NO CYCLE",     "CYCLE"};
    const char *at = counts;
    while (*at != '\0') {
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            size_t length = strlen(names[i]);
            if (strncmp(at, names[i], length) == 0) {
                buffer_append_string(words, words->length > 0 ? " SET " : "SET ");
                buffer_append(words, at, length);
                at += length;
                break;
            }
        }
        size_t value = strcspn(at, "SIMCN");
        size_t text = value;
        while (text > 0 && at[text - 1] == ' ') {
            text--;
        }
        buffer_append(words, at, text);
        at += value;
    }
}

static void alter_identity(struct sql_emission *emission, const struct definition *before,
                           const struct definition *after)
{
    const char *identity = definition_fact(after, "identity");
    struct buffer words = {0};
    if (identity == NULL) {
        alter(emission, after, "DROP IDENTITY", "");
        return;
    }
    if (definition_fact(before, "identity") == NULL) {
        buffer_format(&words, "ADD GENERATED %s AS IDENTITY (%s)", identity,
                      postgres_fact(after, "counts"));
    } else {
        append_counts(&words, postgres_fact(after, "counts"));
        buffer_format(&words, "%sSET GENERATED %s", words.length > 0 ? " " : "", identity);
    }
    alter(emission, after, buffer_string(&words), "");
    buffer_free(&words);
}

static bool has(const struct definition *column, const char *fact)
{
    return definition_fact(column, fact) != NULL;
}

enum status postgres_alter_column(struct sql_emission *emission, const struct definition *before,
                                  const struct definition *after)
{
    struct buffer sql = {0};
    /* its parent's change is its own as well */
    if (is_inherited(before) && is_inherited(after) &&
        is_as_parents(emission->change->from, before) &&
        is_as_parents(emission->change->to, after)) {
        return STATUS_OK;
    }
    if (!sql_definition_same_fact(before, after, "generated")) {
        if (has(after, "generated")) {
            return STATUS_AGAIN;
        }
        alter(emission, after, "DROP EXPRESSION", "");
    }
    if (has(before, "identity") && !has(after, "identity")) {
        alter_identity(emission, before, after);
    }
    if (has(before, "not null") && !has(after, "not null")) {
        alter(emission, after, "DROP NOT NULL", "");
    }
    if (!sql_definition_same_fact(before, after, "type") ||
        !sql_definition_same_fact(before, after, "collation")) {
        if (has(after, "generated")) {
            return STATUS_AGAIN;
        }
        alter_type(emission, before, after);
    }
    if (!has(before, "not null") && has(after, "not null")) {
        set_not_null(emission, after);
    }
    if (has(after, "identity") && (!sql_definition_same_fact(before, after, "identity") ||
                                   !sql_definition_same_fact(before, after, "counts"))) {
        if (has(before, "_default")) {
            alter(emission, after, "DROP DEFAULT", "");
        }
        alter_identity(emission, before, after);
    }
    postgres_append(&sql, "ALTER TABLE %p", after->schema, after->table);
    if (postgres_append_column_extras(&sql, before, after)) {
        sql_emit(emission, &sql, ALTER_LOCK_ALL);
    }
    buffer_free(&sql);
    return STATUS_OK;
}

enum status postgres_set_default(struct sql_emission *emission, const struct definition *before,
                                 const struct definition *after)
{
    (void)before;
    alter(emission, after, "SET DEFAULT ", postgres_fact(after, "definition"));
    return STATUS_OK;
}

enum status postgres_drop_default(struct sql_emission *emission, const struct definition *before,
                                  const struct definition *after)
{
    (void)after;
    alter(emission, before, "DROP DEFAULT", "");
    return STATUS_OK;
}
