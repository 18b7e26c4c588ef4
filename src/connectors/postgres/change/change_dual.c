/* A second column for a column: what it carries, and what hangs on the old one. */
#include "connectors/postgres/change/change.h"
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

enum status change_read_type(struct compiler *compiler, struct altered_column *column,
                             const char *type, const char **collation, struct error *error)
{
    PGresult *result = NULL;
    const char *const values[] = {type};
    if (change_query(compiler,
                     "SELECT t.typcollation <> 0, t.typtype = 'e' OR EXISTS (SELECT 1 FROM "
                     "pg_catalog.pg_opclass o JOIN pg_catalog.pg_am m ON m.oid = o.opcmethod WHERE "
                     "m.amname = 'btree' AND o.opcdefault AND o.opcintype = t.oid), "
                     "pg_catalog.format_type(t.oid, -1), (SELECT "
                     "pg_catalog.quote_ident(w.nspname) FROM pg_catalog.pg_opclass f JOIN "
                     "pg_catalog.pg_amop p ON p.amopfamily = f.opcfamily AND p.amoplefttype = "
                     "f.opcintype AND p.amoprighttype = f.opcintype JOIN pg_catalog.pg_operator o "
                     "ON o.oid = p.amopopr JOIN pg_catalog.pg_namespace w ON w.oid = "
                     "o.oprnamespace WHERE f.opcmethod = 403 AND f.opcdefault AND f.opcintype = "
                     "coalesce(nullif(t.typbasetype, 0), t.oid) AND p.amoppurpose = 's' AND "
                     "p.amopstrategy = 3 AND f.opcintype >= 16384) FROM "
                     "pg_catalog.pg_type t WHERE t.oid = pg_catalog.to_regtype($1)",
                     values, 1, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool found = PQntuples(result) > 0;
    *collation = found && PQgetvalue(result, 0, 0)[0] == 't' ? *collation : NULL;
    column->equality = found && PQgetvalue(result, 0, 1)[0] == 't';
    column->assigned = found ? change_cell(compiler, result, 0, 2) : type;
    column->new_space = found ? change_cell(compiler, result, 0, 3) : NULL;
    PQclear(result);
    return STATUS_OK;
}

enum status change_make_dual(struct compiler *compiler, struct altered_table *table,
                             struct altered_column *column, const char *type, struct error *error)
{
    const char *place = change_sql(compiler, "%n.%n", compiler->schema, table->old);
    if (check_dual(compiler, table, column, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool casts = strcmp(type, column->type) != 0;
    const char *collation = column->collation;
    if (change_check_domain(compiler, table, NULL, type, error) != STATUS_OK ||
        (casts && change_read_type(compiler, column, type, &collation, error) != STATUS_OK) ||
        (casts && column->default_sql != NULL &&
         change_default_as(compiler, column, type, &column->default_sql, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    column->dual = true;
    column->made = true;
    column->new_space = casts ? column->new_space : column->space;
    column->type = type;
    column->carrier = change_short_name(compiler, POSTGRES_CHANGE_PREFIX, column->old);
    struct buffer sql = {0};
    postgres_append(&sql, "ALTER TABLE %s ADD COLUMN %n %s%s%s", place, column->carrier, type,
                    collation != NULL ? " COLLATE " : "", collation != NULL ? collation : "");
    if (column->default_sql != NULL) {
        postgres_append(&sql, "; ALTER TABLE %s ALTER COLUMN %n SET DEFAULT %s", place,
                        column->carrier, column->default_sql);
    }
    if (column->comment != NULL) {
        postgres_append(&sql, "; COMMENT ON COLUMN %s.%n IS %q", place, column->carrier,
                        column->comment);
    }
    buffer_append_string(&sql, "; ");
    change_append_column_grants(place, column->old, column->carrier, &sql);
    const char *detached = change_clean_detached(compiler, table, column);
    change_statement(
        compiler, CHANGE_EXPAND, ALTER_LOCK_ALL,
        arena_format(compiler->arena, "second column for %s.%s", table->name, column->name),
        change_text_of(compiler, &sql),
        change_sql(compiler, "ALTER TABLE %s DROP COLUMN IF EXISTS %n%s%s", place, column->carrier,
                   detached != NULL ? "; " : "", detached != NULL ? detached : ""));
    if (column->sequences != NULL) {
        postgres_append(&table->contract, "ALTER SEQUENCE %s OWNED BY %s.%n;\n", column->sequences,
                        place, column->carrier);
    }
    if (column->not_null) {
        change_add_not_null(compiler, table, column);
    }
    return STATUS_OK;
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

/* A definition with all second columns in place of the first ones. */
static const char *with_second(struct compiler *compiler, const struct altered_table *table,
                               const char *text)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *column = &table->columns[i];
        if (column->dual) {
            text = change_replace_name(compiler, text, column->old, column->carrier);
        }
    }
    return text;
}

/* "CREATE UNIQUE INDEX name ON t USING btree (c)" as the statement that makes the copy. */
static const char *copy_index(struct compiler *compiler, const struct altered_table *table,
                              const char *definition, const char *second)
{
    const char *using = strstr(definition, " USING ");
    bool unique = strncmp(definition, "CREATE UNIQUE ", strlen("CREATE UNIQUE ")) == 0;
    const char *rest = with_second(compiler, table, using != NULL ? using : "");
    return change_sql(compiler, "CREATE %sINDEX CONCURRENTLY %n ON %n.%n%s",
                      unique ? "UNIQUE " : "", second, compiler->schema, table->old, rest);
}

static void add_index(struct compiler *compiler, struct altered_table *table,
                      const struct attached *attached)
{
    bool bound = attached->index != NULL;
    const char *text = copy_index(compiler, table, bound ? attached->index : attached->definition,
                                  attached->second);
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
                           const struct attached *attached)
{
    const char *place = change_sql(compiler, "%n.%n", compiler->schema, table->old);
    const char *title = arena_format(compiler->arena, "constraint %s again", attached->name);
    /* Only the part of a reference in front of the other table's columns is ours. */
    const char *references = strstr(attached->definition, " REFERENCES ");
    size_t own = references != NULL ? (size_t)(references - attached->definition)
                                    : strlen(attached->definition);
    const char *left =
        with_second(compiler, table, arena_copy(compiler->arena, attached->definition, own));
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

/* Does the server take it with the column's new type? */
static enum status try_copy(struct compiler *compiler, const struct altered_table *table,
                            const struct altered_column *column, const struct attached *attached,
                            struct error *error)
{
    const char *problem = NULL;
    const char *statement;
    if (strcmp(attached->kind, "foreign") == 0) {
        return STATUS_OK;
    }
    if (strcmp(attached->kind, "check") == 0) {
        statement = change_sql(compiler, "ALTER TABLE pg_temp._transhume_scratch ADD %s",
                               with_second(compiler, table, attached->definition));
    } else {
        const char *definition = attached->index != NULL ? attached->index : attached->definition;
        const char *using = strstr(definition, " USING ");
        statement = change_sql(compiler, "CREATE INDEX ON pg_temp._transhume_scratch%s",
                               with_second(compiler, table, using != NULL ? using : ""));
    }
    if (change_try(compiler, table, statement, &problem, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (problem == NULL) {
        return STATUS_OK;
    }
    change_refused(compiler, error, "%s %s does not go with %s as %s: %s", attached->kind,
                   attached->name, column->name, column->type, problem);
    return error_hint(error, "Drop it by an operation in front of this one.");
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
    if (try_copy(compiler, table, column, attached, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (strcmp(kind, "foreign") == 0 && table->partitioned) {
        return change_refused(compiler, error,
                              "the foreign key %s of the partitioned table %s can't be proved "
                              "beside running writers: drop it first",
                              attached->name, table->name);
    }
    if (strcmp(kind, "check") == 0 || strcmp(kind, "foreign") == 0) {
        add_constraint(compiler, table, attached);
    } else {
        if (table->partitioned) {
            return change_refused(compiler, error,
                                  "the index %s of a partitioned table can't be made beside "
                                  "running writers",
                                  attached->name);
        }
        if (strcmp(kind, "unique") == 0 || strcmp(kind, "primary") == 0) {
            change_way_add(
                compiler,
                arena_format(compiler->arena, "%s is there twice until the end", attached->name),
                "an upsert (ON CONFLICT) that meets another one may fail on the copy: "
                "have it tried again");
        }
        add_index(compiler, table, attached);
    }
    return STATUS_OK;
}

static enum status copy_attached(struct compiler *compiler, struct altered_table *table,
                                 const struct altered_column *column, struct error *error)
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
        if (change_is_gone(compiler, attached.name)) {
            continue;
        }
        status = copy_one(compiler, table, column, &attached, error);
        if (status == STATUS_OK) {
            status = change_keep_marks(compiler, table, attached.name, error);
        }
        if (strcmp(attached.kind, "referred") != 0 && strcmp(attached.kind, "other") != 0) {
            change_note_gone(compiler, attached.name); /* of several columns it is copied once */
        }
    }
    PQclear(result);
    return status;
}

enum status change_copy_attached(struct compiler *compiler, struct error *error)
{
    for (uint32_t i = 0; i < compiler->table_count; i++) {
        struct altered_table *table = compiler->tables[i];
        for (uint32_t j = 0; j < table->count && !table->dropped; j++) {
            const struct altered_column *column = &table->columns[j];
            if (!column->dual) {
                continue;
            }
            compiler->number = column->operation;
            compiler->operation = &compiler->change->operations[column->operation];
            if (change_keep_settings(compiler, table, column, error) != STATUS_OK ||
                copy_attached(compiler, table, column, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
        }
    }
    return STATUS_OK;
}
