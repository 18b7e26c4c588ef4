/* Statements for types. */
#include "connectors/postgres/schema/definitions.h"
#include <string.h>

static enum status type_emit(struct sql_emission *emission, struct buffer *sql)
{
    sql_emit(emission, sql, ALTER_LOCK_NONE);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- type made again */

/* Columns of the type, or of arrays of it, take the values of the old one by their texts. */
static void convert_columns(struct sql_emission *emission, const struct definition *before)
{
    const struct definition_change *change = emission->change;
    uint32_t number = sql_definition_number(change->from, before);
    for (uint32_t i = 0; i < change->from->count; i++) {
        const struct definition *column = &change->from->items[i];
        bool uses = false;
        for (uint32_t n = 0; n < column->need_count; n++) {
            uses = uses || column->needs[n] == number;
        }
        if (!uses || strcmp(column->kind, "column") != 0 ||
            definition_fact(column, "generated") != NULL ||
            definition_fact(column, "_inherited") != NULL) {
            continue;
        }
        const struct definition *wanted =
            sql_definitions_find(change->to, "column", column->schema, column->table, column->name);
        const char *type = wanted != NULL ? postgres_fact(wanted, "type") : "text";
        bool array = strchr(postgres_fact(column, "type"), '[') != NULL;
        sql_emit(emission,
                 postgres_sql("ALTER TABLE %p ALTER COLUMN %n TYPE %s USING %n::text%s::%s",
                              column->schema, column->table, column->name, type, column->name,
                              array ? "[]" : "", type),
                 ALTER_LOCK_ALL)
            ->rewrites = true;
    }
}

static enum status replace_type(struct sql_emission *emission, const struct definition *before,
                                const struct definition *after,
                                enum status (*create)(struct sql_emission *,
                                                      const struct definition *,
                                                      const struct definition *))
{
    struct buffer sql = {0};
    const char *old_name = arena_format(emission->arena, "_transhume_old_%s", before->name);
    postgres_append(&sql, "ALTER TYPE %p RENAME TO %n", before->schema, before->name, old_name);
    type_emit(emission, &sql);
    if (create(emission, NULL, after) != STATUS_OK) {
        return STATUS_AGAIN;
    }
    convert_columns(emission, before);
    postgres_append(&sql, "DROP TYPE %n.%n", before->schema, old_name);
    return type_emit(emission, &sql);
}

/* ---------------------------------------------------------------- enums */

enum status postgres_create_enum(struct sql_emission *emission, const struct definition *before,
                                 const struct definition *after)
{
    (void)before;
    return type_emit(emission, postgres_sql("CREATE TYPE %p AS ENUM (%s)", after->schema,
                                            after->name, postgres_fact(after, "labels")));
}

/* The label that begins at `at` in 'a', 'b'; its length with quotes. */
static size_t label_length(const char *at)
{
    const char *end = at;
    if (*end == 'E') {
        end++;
    }
    for (end++; *end != '\0'; end++) {
        if (*end == '\'' && end[1] == '\'') {
            end++;
        } else if (*end == '\'') {
            return (size_t)(end + 1 - at);
        }
    }
    return (size_t)(end - at);
}

/* The next label behind this one; NULL: there is none. */
static const char *next_label(const char *at)
{
    at += label_length(at);
    return strncmp(at, ", ", 2) == 0 ? at + 2 : NULL;
}

static bool is_same_label(const char *left, const char *right)
{
    size_t length = label_length(left);
    return length == label_length(right) && memcmp(left, right, length) == 0;
}

/* Are the old labels all there, in their order? */
static bool keeps_labels(const struct definition *before, const struct definition *after)
{
    const char *old_label = definition_fact(before, "labels");
    const char *new_label = definition_fact(after, "labels");
    while (old_label != NULL) {
        while (new_label != NULL && !is_same_label(old_label, new_label)) {
            new_label = next_label(new_label);
        }
        if (new_label == NULL) {
            return false;
        }
        new_label = next_label(new_label);
        old_label = next_label(old_label);
    }
    return true;
}

static enum status add_labels(struct sql_emission *emission, const struct definition *before,
                              const struct definition *after)
{
    const char *old_label = definition_fact(before, "labels");
    struct buffer sql = {0};
    for (const char *label = definition_fact(after, "labels"); label != NULL;
         label = next_label(label)) {
        if (old_label != NULL && is_same_label(old_label, label)) {
            old_label = next_label(old_label);
            continue;
        }
        postgres_append(&sql, "ALTER TYPE %p ADD VALUE ", after->schema, after->name);
        buffer_append(&sql, label, label_length(label));
        if (old_label != NULL) {
            buffer_append_string(&sql, " BEFORE ");
            buffer_append(&sql, old_label, label_length(old_label));
        }
        sql_emit(emission, &sql, ALTER_LOCK_NONE)->alone = true;
    }
    return STATUS_OK;
}

bool postgres_replaces_type(const struct definition *before, const struct definition *after)
{
    if (strcmp(before->kind, "enum") == 0) {
        return !keeps_labels(before, after);
    }
    return !sql_definition_same_fact(before, after, "base") ||
           !sql_definition_same_fact(before, after, "collation");
}

enum status postgres_alter_enum(struct sql_emission *emission, const struct definition *before,
                                const struct definition *after)
{
    return postgres_replaces_type(before, after)
               ? replace_type(emission, before, after, postgres_create_enum)
               : add_labels(emission, before, after);
}

/* ---------------------------------------------------------------- domains */

enum status postgres_create_domain(struct sql_emission *emission, const struct definition *before,
                                   const struct definition *after)
{
    struct buffer sql = {0};
    const char *collation = definition_fact(after, "collation");
    const char *usual = definition_fact(after, "default");
    (void)before;
    postgres_append(&sql, "CREATE DOMAIN %p AS %s", after->schema, after->name,
                    postgres_fact(after, "base"));
    if (collation != NULL) {
        buffer_format(&sql, " COLLATE %s", collation);
    }
    if (usual != NULL) {
        buffer_format(&sql, " DEFAULT %s", usual);
    }
    buffer_append_string(&sql, definition_fact(after, "not null") != NULL ? " NOT NULL" : "");
    return type_emit(emission, &sql);
}

static void alter_domain(struct sql_emission *emission, const struct definition *domain,
                         const char *how, const char *what)
{
    sql_emit(emission,
             postgres_sql("ALTER DOMAIN %p %s%s", domain->schema, domain->name, how, what),
             ALTER_LOCK_ALL);
}

enum status postgres_alter_domain(struct sql_emission *emission, const struct definition *before,
                                  const struct definition *after)
{
    const char *usual = definition_fact(after, "default");
    if (postgres_replaces_type(before, after)) {
        return replace_type(emission, before, after, postgres_create_domain);
    }
    if (!sql_definition_same_fact(before, after, "default")) {
        alter_domain(emission, after, usual != NULL ? "SET DEFAULT " : "DROP DEFAULT",
                     usual != NULL ? usual : "");
    }
    if (!sql_definition_same_fact(before, after, "not null")) {
        alter_domain(emission, after, definition_fact(after, "not null") != NULL ? "SET" : "DROP",
                     " NOT NULL");
    }
    return STATUS_OK;
}

enum status postgres_create_domain_check(struct sql_emission *emission,
                                         const struct definition *before,
                                         const struct definition *after)
{
    (void)before;
    return type_emit(emission,
                     postgres_sql("ALTER DOMAIN %p ADD CONSTRAINT %n %s", after->schema,
                                  after->table, after->name, postgres_fact(after, "definition")));
}

enum status postgres_drop_domain_check(struct sql_emission *emission,
                                       const struct definition *before,
                                       const struct definition *after)
{
    (void)after;
    return type_emit(emission, postgres_sql("ALTER DOMAIN %p DROP CONSTRAINT %n", before->schema,
                                            before->table, before->name));
}

/* ---------------------------------------------------------------- ranges, composite types */

static void append_attribute(struct buffer *sql, const struct definition *attribute)
{
    const char *collation = definition_fact(attribute, "collation");
    postgres_append(sql, "%n %s", attribute->name, postgres_fact(attribute, "type"));
    if (collation != NULL) {
        buffer_format(sql, " COLLATE %s", collation);
    }
}

enum status postgres_create_other_type(struct sql_emission *emission,
                                       const struct definition *before,
                                       const struct definition *after)
{
    const struct definitions *to = emission->change->to;
    struct buffer sql = {0};
    const struct definition *attribute;
    uint32_t at = 0;
    bool first = true;
    (void)before;
    postgres_append(&sql, "CREATE TYPE %p", after->schema, after->name);
    if (strcmp(after->kind, "range") == 0) {
        buffer_format(&sql, " AS RANGE (%s)", postgres_fact(after, "options"));
        return type_emit(emission, &sql);
    }
    buffer_append_string(&sql, " AS (");
    while ((attribute = sql_definitions_of(to, sql_definition_number(to, after), "attribute",
                                           &at)) != NULL) {
        buffer_append_string(&sql, first ? "" : ", ");
        append_attribute(&sql, attribute);
        first = false;
    }
    buffer_append_byte(&sql, ')');
    return type_emit(emission, &sql);
}

enum status postgres_create_attribute(struct sql_emission *emission,
                                      const struct definition *before,
                                      const struct definition *after)
{
    struct buffer sql = {0};
    (void)before;
    postgres_append(&sql, "ALTER TYPE %p ADD ATTRIBUTE ", after->schema, after->table);
    append_attribute(&sql, after);
    buffer_append_string(&sql, " CASCADE");
    return type_emit(emission, &sql);
}

enum status postgres_alter_attribute(struct sql_emission *emission, const struct definition *before,
                                     const struct definition *after)
{
    struct buffer sql = {0};
    const char *collation = definition_fact(after, "collation");
    (void)before;
    postgres_append(&sql, "ALTER TYPE %p ALTER ATTRIBUTE %n TYPE %s", after->schema, after->table,
                    after->name, postgres_fact(after, "type"));
    if (collation != NULL) {
        buffer_format(&sql, " COLLATE %s", collation);
    }
    buffer_append_string(&sql, " CASCADE");
    return type_emit(emission, &sql);
}

enum status postgres_drop_attribute(struct sql_emission *emission, const struct definition *before,
                                    const struct definition *after)
{
    (void)after;
    return type_emit(emission, postgres_sql("ALTER TYPE %p DROP ATTRIBUTE %n CASCADE",
                                            before->schema, before->table, before->name));
}

/* ---------------------------------------------------------------- all types */

enum status postgres_drop_type(struct sql_emission *emission, const struct definition *before,
                               const struct definition *after)
{
    (void)after;
    return type_emit(
        emission,
        postgres_sql("%s%p", strcmp(before->kind, "domain") == 0 ? "DROP DOMAIN " : "DROP TYPE ",
                     before->schema, before->name));
}

enum status postgres_rename_type(struct sql_emission *emission, const struct definition *before,
                                 const struct definition *after)
{
    return type_emit(emission, postgres_sql("ALTER TYPE %p RENAME TO %n", before->schema,
                                            before->name, after->name));
}
