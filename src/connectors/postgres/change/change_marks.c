/* Marks that a column, an index or a constraint has beside its definition, for the one that takes
 * its place. */
#include "connectors/postgres/change/change.h"
#include "postgres_sql.h"

enum status change_keep_settings(struct compiler *compiler, const struct altered_table *table,
                                 const struct altered_column *column, struct error *error)
{
    PGresult *result = NULL;
    const char *const values[] = {table->oid, arena_format(compiler->arena, "%d", column->number),
                                  column->carrier, column->type};
    if (change_query(compiler, sql_change_settings, values, 4, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *clauses = PQntuples(result) > 0 ? change_cell(compiler, result, 0, 0) : NULL;
    PQclear(result);
    if (clauses != NULL) {
        change_statement(
            compiler, CHANGE_EXPAND, ALTER_LOCK_ALL,
            arena_format(compiler->arena, "settings of %s.%s for its second column", table->name,
                         column->name),
            change_sql(compiler, "ALTER TABLE %n.%n %s", compiler->schema, table->old, clauses),
            NULL);
    }
    return STATUS_OK;
}

/* The row of sql_change_marks. */
enum mark {
    CONSTRAINT_COMMENT,
    INDEX_COMMENT,
    REPLICA_IDENTITY,
    CLUSTERED,
    TABLESPACE,
    STATISTICS
};

static void append_marks(struct compiler *compiler, struct altered_table *table, const char *name,
                         PGresult *result)
{
    struct buffer *late = &table->late;
    const char *place = change_sql(compiler, "%n.%n", compiler->schema, table->old);
    const char *index = change_sql(compiler, "%n.%n", compiler->schema, name);
    if (!PQgetisnull(result, 0, CONSTRAINT_COMMENT)) {
        postgres_append(late, "COMMENT ON CONSTRAINT %n ON %s IS %s;\n", name, place,
                        PQgetvalue(result, 0, CONSTRAINT_COMMENT));
    }
    if (!PQgetisnull(result, 0, INDEX_COMMENT)) {
        postgres_append(late, "COMMENT ON INDEX %s IS %s;\n", index,
                        PQgetvalue(result, 0, INDEX_COMMENT));
    }
    if (PQgetvalue(result, 0, REPLICA_IDENTITY)[0] == 't') {
        postgres_append(late, "ALTER TABLE %s REPLICA IDENTITY USING INDEX %n;\n", place, name);
    }
    if (PQgetvalue(result, 0, CLUSTERED)[0] == 't') {
        postgres_append(late, "ALTER TABLE %s CLUSTER ON %n;\n", place, name);
    }
    if (!PQgetisnull(result, 0, STATISTICS)) {
        postgres_append(late, "ALTER INDEX %s %s;\n", index, PQgetvalue(result, 0, STATISTICS));
    }
}

enum status change_keep_marks(struct compiler *compiler, struct altered_table *table,
                              const char *name, struct error *error)
{
    PGresult *result = NULL;
    enum status status = STATUS_OK;
    const char *const values[] = {table->oid, name};
    if (change_query(compiler, sql_change_marks, values, 2, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!PQgetisnull(result, 0, TABLESPACE)) {
        change_refused(compiler, error,
                       "the index %s lies in the tablespace %s, and its copy would not", name,
                       PQgetvalue(result, 0, TABLESPACE));
        status = error_hint(error, "Drop it by an operation in front of this one, and make it "
                                   "again behind `complete`.");
    } else {
        append_marks(compiler, table, name, result);
    }
    PQclear(result);
    return status;
}

/* ---------------------------------------------------------------- defaults */

enum status change_default_as(struct compiler *compiler, const struct altered_column *column,
                              const char *type, const char **text, struct error *error)
{
    struct error ignored = {0};
    PGresult *result = NULL;
    *text = arena_format(compiler->arena, "CAST(%s AS %s)", column->default_sql, type);
    if (!column->constant) {
        return STATUS_OK;
    }
    if (change_execute(compiler, "SAVEPOINT transhume_default", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *sql = arena_format(
        compiler->arena, "SELECT pg_catalog.quote_literal(CAST(%s AS pg_catalog.text))", *text);
    if (change_query(compiler, sql, NULL, 0, &result, &ignored) == STATUS_OK) {
        const char *value = change_cell(compiler, result, 0, 0);
        *text =
            value == NULL ? *text : arena_format(compiler->arena, "CAST(%s AS %s)", value, type);
        PQclear(result);
    }
    return change_execute(compiler, "ROLLBACK TO SAVEPOINT transhume_default", error);
}

/* ---------------------------------------------------------------- what was detached */

const char *change_clean_detached(struct compiler *compiler, const struct altered_table *table,
                                  const struct altered_column *column)
{
    if (!table->partitioned) {
        return NULL;
    }
    /* The name is nobody else's: where it is, and the table is no partition any more, it was one.
     */
    return change_sql(
        compiler,
        "DO $transhume$ DECLARE t record; k record; BEGIN FOR t IN SELECT c.oid, "
        "c.oid::pg_catalog.regclass AS place FROM pg_catalog.pg_attribute a JOIN "
        "pg_catalog.pg_class c ON c.oid = a.attrelid WHERE a.attname = %q AND NOT a.attisdropped "
        "AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.oid <> %s::pg_catalog.oid AND "
        "EXISTS (SELECT 1 FROM pg_catalog.pg_attribute o WHERE o.attrelid = c.oid AND o.attname = "
        "%q AND NOT o.attisdropped) LOOP FOR k IN SELECT n.conname FROM pg_catalog.pg_constraint n "
        "WHERE n.conrelid = t.oid AND n.conname LIKE '\\_transhume\\_check\\_%%' LOOP EXECUTE "
        "pg_catalog.format('ALTER TABLE %%s DROP CONSTRAINT %%I', t.place, k.conname); END LOOP; "
        "EXECUTE pg_catalog.format('ALTER TABLE %%s DROP COLUMN %%I', t.place, %q); END LOOP; END "
        "$transhume$",
        column->carrier, table->oid, column->old, column->carrier);
}

void change_emit_detached(struct compiler *compiler)
{
    for (uint32_t i = 0; i < compiler->table_count; i++) {
        const struct altered_table *table = compiler->tables[i];
        for (uint32_t j = 0; j < table->count && !table->dropped; j++) {
            const struct altered_column *column = &table->columns[j];
            if (table->partitioned && column->dual) {
                change_statement(compiler, CHANGE_CONTRACT, ALTER_LOCK_NONE,
                                 arena_format(compiler->arena,
                                              "partitions of %s that were detached", table->name),
                                 change_clean_detached(compiler, table, column), NULL);
            }
        }
    }
}
