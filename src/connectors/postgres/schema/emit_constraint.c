/* Statements for constraints and indexes, in forms that shut nobody out where there are such. */
#include "connectors/postgres/schema/definitions.h"
#include <string.h>

static struct definition_statement *alter(struct sql_emission *emission,
                                          const struct definition *item, const char *how,
                                          const char *what, enum alter_lock lock)
{
    return sql_emit(
        emission,
        postgres_sql("ALTER TABLE %p %s %n%s", item->schema, item->table, how, item->name, what),
        lock);
}

static void cluster_on(struct sql_emission *emission, const struct definition *item)
{
    if (definition_fact(item, "clustered") != NULL) {
        alter(emission, item, "CLUSTER ON", "", ALTER_LOCK_ALL);
    }
}

/* "CREATE INDEX i ON ONLY t …" of a partitioned table, which is of its partitions, too. */
static void append_index(struct buffer *sql, const char *definition, bool concurrently,
                         bool partitioned, const char *tablespace)
{
    static const char word[] = "INDEX ";
    const char *at = strstr(definition, word);
    const char *only = partitioned ? strstr(definition, " ON ONLY ") : NULL;
    const char *where = tablespace != NULL ? strstr(definition, " WHERE ") : NULL;
    at = at != NULL ? at + sizeof word - 1 : definition;
    postgres_append(sql, "%S%s", definition, (size_t)(at - definition),
                    concurrently ? "CONCURRENTLY " : "");
    if (only != NULL) {
        postgres_append(sql, "%S ON ", at, (size_t)(only - at));
        at = only + strlen(" ON ONLY ");
    }
    if (tablespace != NULL) {
        const char *end = where != NULL ? where : at + strlen(at);
        postgres_append(sql, "%S TABLESPACE %n", at, (size_t)(end - at), tablespace);
        at = end;
    }
    buffer_append_string(sql, at);
}

/* ---------------------------------------------------------------- constraints */

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    size_t tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* PRIMARY KEY, UNIQUE: an index that is built beside writers becomes the constraint's. */
static void add_by_index(struct sql_emission *emission, const struct definition *item)
{
    const char *definition = postgres_fact(item, "definition");
    const char *deferrable = strstr(definition, " DEFERRABLE");
    struct buffer sql = {0};
    append_index(&sql, postgres_fact(item, "_index"), true, false,
                 definition_fact(item, "tablespace"));
    struct definition_statement *statement = sql_emit(emission, &sql, ALTER_LOCK_NONE);
    statement->alone = true;
    statement->rewrites = true;
    postgres_append(&sql, "ALTER TABLE %p ADD CONSTRAINT %n %s USING INDEX %n%s", item->schema,
                    item->table, item->name,
                    strncmp(definition, "PRIMARY", 7) == 0 ? "PRIMARY KEY" : "UNIQUE", item->name,
                    deferrable != NULL ? deferrable : "");
    sql_emit(emission, &sql, ALTER_LOCK_ALL);
}

static void append_with_index(struct buffer *definition, const struct definition *item)
{
    const char *text = postgres_fact(item, "definition");
    const char *options = definition_fact(item, "options");
    const char *tablespace = definition_fact(item, "tablespace");
    const char *deferrable = strstr(text, " DEFERRABLE");
    const char *where = strncmp(text, "EXCLUDE", 7) == 0 ? strstr(text, " WHERE ") : NULL;
    const char *end = where != NULL ? where : deferrable != NULL ? deferrable : text + strlen(text);
    buffer_append(definition, text, (size_t)(end - text));
    if (options != NULL && strstr(text, " WITH (") == NULL) {
        buffer_format(definition, " WITH (%s)", options);
    }
    if (tablespace != NULL) {
        postgres_append(definition, " USING INDEX TABLESPACE %n", tablespace);
    }
    buffer_append_string(definition, end);
}

enum status postgres_create_constraint(struct sql_emission *emission,
                                       const struct definition *before,
                                       const struct definition *after)
{
    const char *text = postgres_fact(after, "definition");
    const char *type = postgres_fact(after, "_type");
    bool online = emission->change->online && !emission->change->fresh &&
                  definition_fact(after, "_partitioned") == NULL;
    bool checked_later = online && (*type == 'f' || *type == 'c') && !ends_with(text, "NOT VALID");
    struct buffer definition = {0};
    (void)before;

    if (online && definition_fact(after, "_index") != NULL) {
        add_by_index(emission, after);
    } else {
        buffer_append_byte(&definition, ' ');
        append_with_index(&definition, after);
        buffer_append_string(&definition, checked_later ? " NOT VALID" : "");
        alter(emission, after, "ADD CONSTRAINT", buffer_string(&definition),
              *type == 'f' ? ALTER_LOCK_WRITES : ALTER_LOCK_ALL)
            ->rewrites = !checked_later && !emission->change->fresh;
        buffer_free(&definition);
    }
    if (checked_later) {
        alter(emission, after, "VALIDATE CONSTRAINT", "", ALTER_LOCK_NONE)->rewrites = true;
    }
    cluster_on(emission, after);
    return STATUS_OK;
}

/* Is it the same but for rows that were not checked before? */
static bool is_checked_now(const struct definition *before, const struct definition *after)
{
    static const char unchecked[] = " NOT VALID";
    const char *old_text = postgres_fact(before, "definition");
    const char *new_text = postgres_fact(after, "definition");
    size_t length = strlen(new_text);
    return ends_with(old_text, unchecked) && strlen(old_text) == length + sizeof unchecked - 1 &&
           strncmp(old_text, new_text, length) == 0;
}

enum status postgres_alter_constraint(struct sql_emission *emission,
                                      const struct definition *before,
                                      const struct definition *after)
{
    if (is_checked_now(before, after)) {
        alter(emission, after, "VALIDATE CONSTRAINT", "", ALTER_LOCK_NONE)->rewrites = true;
        return STATUS_OK;
    }
    if (sql_definition_differs_only(before, after, "clustered") &&
        definition_fact(after, "clustered") != NULL) {
        cluster_on(emission, after);
        return STATUS_OK;
    }
    return STATUS_AGAIN;
}

enum status postgres_drop_constraint(struct sql_emission *emission, const struct definition *before,
                                     const struct definition *after)
{
    (void)after;
    alter(emission, before, "DROP CONSTRAINT", "", ALTER_LOCK_ALL);
    return STATUS_OK;
}

enum status postgres_rename_constraint(struct sql_emission *emission,
                                       const struct definition *before,
                                       const struct definition *after)
{
    struct buffer to = {0};
    postgres_append(&to, " TO %n", after->name);
    alter(emission, before, "RENAME CONSTRAINT", buffer_string(&to), ALTER_LOCK_ALL);
    buffer_free(&to);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- indexes */

static bool is_online(const struct sql_emission *emission, const struct definition *index)
{
    return emission->change->online && !emission->change->fresh &&
           definition_fact(index, "_partitioned") == NULL;
}

static void emit_constraint_build(struct sql_emission *emission, const struct definition *index)
{
    struct buffer sql = {0};
    bool online = is_online(emission, index);
    append_index(&sql, postgres_fact(index, "definition"), online,
                 definition_fact(index, "_partitioned") != NULL,
                 definition_fact(index, "tablespace"));
    struct definition_statement *statement =
        sql_emit(emission, &sql, online ? ALTER_LOCK_NONE : ALTER_LOCK_WRITES);
    statement->alone = online;
    statement->rewrites = !emission->change->fresh;
}

/* "1 = 500, 2 = 100" */
static void set_statistics(struct sql_emission *emission, const struct definition *index)
{
    const char *at = definition_fact(index, "statistics");
    while (at != NULL && *at != '\0') {
        struct buffer sql = {0};
        size_t column = strcspn(at, " ");
        size_t value = strcspn(at + column + 3, ",");
        postgres_append(&sql, "ALTER INDEX %n.%n ALTER COLUMN ", index->schema, index->name);
        buffer_append(&sql, at, column);
        buffer_append_string(&sql, " SET STATISTICS ");
        buffer_append(&sql, at + column + 3, value);
        sql_emit(emission, &sql, ALTER_LOCK_NONE);
        at += column + 3 + value;
        at += *at == ',' ? 2 : 0;
    }
}

enum status postgres_create_index(struct sql_emission *emission, const struct definition *before,
                                  const struct definition *after)
{
    (void)before;
    emit_constraint_build(emission, after);
    set_statistics(emission, after);
    cluster_on(emission, after);
    return STATUS_OK;
}

static void emit_constraint_drop(struct sql_emission *emission, const struct definition *index,
                                 const char *name)
{
    bool online = is_online(emission, index);
    sql_emit(emission,
             postgres_sql("DROP INDEX %s%n.%n", online ? "CONCURRENTLY " : "", index->schema, name),
             online ? ALTER_LOCK_NONE : ALTER_LOCK_ALL)
        ->alone = online;
}

/* The old one serves until the new one is there. */
enum status postgres_alter_index(struct sql_emission *emission, const struct definition *before,
                                 const struct definition *after)
{
    if (definition_fact(before, "invalid") != NULL) {
        return STATUS_AGAIN;
    }
    if (sql_definition_differs_only(before, after, "clustered") &&
        definition_fact(after, "clustered") != NULL) {
        cluster_on(emission, after);
        return STATUS_OK;
    }
    const char *old_name = arena_format(emission->arena, "_transhume_old_%.48s", before->name);
    sql_emit(emission,
             postgres_sql("ALTER INDEX %n.%n RENAME TO %n", before->schema, before->name, old_name),
             ALTER_LOCK_NONE);
    postgres_create_index(emission, NULL, after);
    emit_constraint_drop(emission, before, old_name);
    return STATUS_OK;
}

enum status postgres_drop_index(struct sql_emission *emission, const struct definition *before,
                                const struct definition *after)
{
    (void)after;
    emit_constraint_drop(emission, before, before->name);
    return STATUS_OK;
}

enum status postgres_rename_index(struct sql_emission *emission, const struct definition *before,
                                  const struct definition *after)
{
    sql_emit(
        emission,
        postgres_sql("ALTER INDEX %n.%n RENAME TO %n", before->schema, before->name, after->name),
        ALTER_LOCK_NONE);
    return STATUS_OK;
}
