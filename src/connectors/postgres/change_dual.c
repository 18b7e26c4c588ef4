/* A second column for a column: what it carries, and what hangs on the old one. */
#include "connectors/postgres/change.h"
#include "postgres_sql.h"
#include <string.h>

static enum status check_dual(struct compiler *compiler, const struct altered_table *table,
                              const struct altered_column *column, struct error *error)
{
    if (column->generated) {
        return change_refused(compiler, error,
                              "%s.%s is generated: drop it and add it with another expression",
                              table->name, column->name);
    }
    if (column->identity) {
        return change_refused(compiler, error,
                              "%s.%s is an identity: its type can't be changed beside running "
                              "writers",
                              table->name, column->name);
    }
    if (table->oid == NULL) {
        return change_invalid(compiler, NULL, error, "%s is made by the same change", table->name);
    }
    return STATUS_OK;
}

enum status change_make_dual(struct compiler *compiler, struct altered_table *table,
                             struct altered_column *column, const char *type, const char *except,
                             struct error *error)
{
    const char *place = change_sql(compiler, "%n.%n", compiler->schema, table->old);
    if (check_dual(compiler, table, column, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool casts = strcmp(type, column->type) != 0;
    column->dual = true;
    column->made = true;
    column->type = type;
    column->carrier = change_short_name(compiler, POSTGRES_CHANGE_PREFIX, column->old);
    struct buffer sql = {0};
    postgres_append(&sql, "ALTER TABLE %s ADD COLUMN %n %s", place, column->carrier, type);
    if (column->default_sql != NULL) {
        column->default_sql =
            casts ? arena_format(compiler->arena, "CAST(%s AS %s)", column->default_sql, type)
                  : column->default_sql;
        postgres_append(&sql, "; ALTER TABLE %s ALTER COLUMN %n SET DEFAULT %s", place,
                        column->carrier, column->default_sql);
    }
    if (column->comment != NULL) {
        postgres_append(&sql, "; COMMENT ON COLUMN %s.%n IS %q", place, column->carrier,
                        column->comment);
    }
    change_statement(
        compiler, CHANGE_EXPAND, ALTER_LOCK_ALL,
        arena_format(compiler->arena, "second column for %s.%s", table->name, column->name),
        change_text_of(compiler, &sql),
        change_sql(compiler, "ALTER TABLE %s DROP COLUMN IF EXISTS %n", place, column->carrier));
    if (column->sequences != NULL) {
        postgres_append(&table->contract, "ALTER SEQUENCE %s OWNED BY %s.%n;\n", column->sequences,
                        place, column->carrier);
    }
    if (column->not_null) {
        change_add_not_null(compiler, table, column);
    }
    return change_copy_attached(compiler, table, column, except, error);
}

/* ---------------------------------------------------------------- what hangs on it */

struct attached {
    const char *kind;
    const char *name;
    const char *definition;
    const char *index;  /* of a unique constraint, as it was made */
    const char *second; /* what its copy is called until the end */
    const char *tail;
};

/* "CREATE UNIQUE INDEX name ON t USING btree (c)" as the statement that makes the copy. */
static const char *copy_index(struct compiler *compiler, const struct altered_table *table,
                              const struct altered_column *column, const char *definition,
                              const char *second)
{
    const char *using = strstr(definition, " USING ");
    bool unique = strncmp(definition, "CREATE UNIQUE ", strlen("CREATE UNIQUE ")) == 0;
    const char *rest =
        change_replace_name(compiler, using != NULL ? using : "", column->old, column->carrier);
    return change_sql(compiler, "CREATE %sINDEX CONCURRENTLY %n ON %n.%n%s",
                      unique ? "UNIQUE " : "", second, compiler->schema, table->old, rest);
}

static void add_index(struct compiler *compiler, struct altered_table *table,
                      const struct altered_column *column, const struct attached *attached)
{
    bool bound = attached->index != NULL;
    const char *text = copy_index(compiler, table, column,
                                  bound ? attached->index : attached->definition, attached->second);
    change_index_step(compiler, arena_format(compiler->arena, "index %s again", attached->name),
                      attached->second, text, false);
    if (bound) {
        bool primary = strcmp(attached->kind, "primary") == 0;
        postgres_append(&table->late, "ALTER TABLE %n.%n ADD CONSTRAINT %n %s USING INDEX %n%s;\n",
                        compiler->schema, table->old, attached->name,
                        primary ? "PRIMARY KEY" : "UNIQUE", attached->second, attached->tail);
    } else {
        postgres_append(&table->late, "ALTER INDEX %n.%n RENAME TO %n;\n", compiler->schema,
                        attached->second, attached->name);
    }
}

static void add_constraint(struct compiler *compiler, struct altered_table *table,
                           const struct altered_column *column, const struct attached *attached)
{
    const char *place = change_sql(compiler, "%n.%n", compiler->schema, table->old);
    const char *title = arena_format(compiler->arena, "constraint %s again", attached->name);
    /* Of a reference only what stands in front of the other table's columns is ours. */
    const char *references = strstr(attached->definition, " REFERENCES ");
    size_t own = references != NULL ? (size_t)(references - attached->definition)
                                    : strlen(attached->definition);
    const char *left =
        change_replace_name(compiler, arena_copy(compiler->arena, attached->definition, own),
                            column->old, column->carrier);
    const char *valid = strstr(attached->definition, " NOT VALID");
    change_statement(compiler, CHANGE_PROVE, ALTER_LOCK_ALL, title,
                     change_sql(compiler, "ALTER TABLE %s ADD CONSTRAINT %n %s%s%s", place,
                                attached->second, left, references != NULL ? references : "",
                                valid != NULL ? "" : " NOT VALID"),
                     change_sql(compiler, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %n", place,
                                attached->second));
    if (valid == NULL) {
        struct change_step *step = change_statement(
            compiler, CHANGE_PROVE, ALTER_LOCK_NONE,
            arena_format(compiler->arena, "constraint %s holds", attached->name),
            change_sql(compiler, "ALTER TABLE %s VALIDATE CONSTRAINT %n", place, attached->second),
            NULL);
        step->rewrites = true;
    }
    postgres_append(&table->late, "ALTER TABLE %s RENAME CONSTRAINT %n TO %n;\n", place,
                    attached->second, attached->name);
}

static enum status copy_one(struct compiler *compiler, struct altered_table *table,
                            const struct altered_column *column, const struct attached *attached,
                            struct error *error)
{
    const char *kind = attached->kind;
    if (strcmp(kind, "other") == 0) {
        return change_refused(compiler, error, "%s stands on %s.%s, which becomes another column",
                              attached->name, table->name, column->name);
    }
    if (strcmp(kind, "referred") == 0) {
        return change_refused(compiler, error,
                              "the foreign key %s of %s refers to %s.%s, which becomes another "
                              "column: drop it first",
                              attached->name, attached->definition, table->name, column->name);
    }
    if (strcmp(kind, "exclude") == 0) {
        return change_refused(compiler, error,
                              "the exclusion constraint %s can't be made beside running writers",
                              attached->name);
    }
    if (strcmp(kind, "check") == 0 || strcmp(kind, "foreign") == 0) {
        add_constraint(compiler, table, column, attached);
    } else {
        if (table->partitioned) {
            return change_refused(compiler, error,
                                  "the index %s of a partitioned table can't be made beside "
                                  "running writers",
                                  attached->name);
        }
        add_index(compiler, table, column, attached);
    }
    return STATUS_OK;
}

enum status change_copy_attached(struct compiler *compiler, struct altered_table *table,
                                 struct altered_column *column, const char *except,
                                 struct error *error)
{
    PGresult *result = NULL;
    enum status status = STATUS_OK;
    const char *number = arena_format(compiler->arena, "%d", column->number);
    const char *const values[] = {table->oid, number, compiler->old_views};
    if (change_query(compiler, sql_change_attached, values, 3, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (int row = 0; row < PQntuples(result) && status == STATUS_OK; row++) {
        struct attached attached = {.kind = change_cell(compiler, result, row, 0),
                                    .name = change_cell(compiler, result, row, 1),
                                    .definition = change_cell(compiler, result, row, 2),
                                    .index = change_cell(compiler, result, row, 3)};
        bool deferrable = PQgetvalue(result, row, 4)[0] == 't';
        bool deferred = PQgetvalue(result, row, 5)[0] == 't';
        attached.tail = deferred     ? " DEFERRABLE INITIALLY DEFERRED"
                        : deferrable ? " DEFERRABLE"
                                     : "";
        attached.second = change_short_name(compiler, POSTGRES_CHANGE_PREFIX, attached.name);
        if (except == NULL || strcmp(attached.name, except) != 0) {
            status = copy_one(compiler, table, column, &attached, error);
        }
    }
    PQclear(result);
    return status;
}
