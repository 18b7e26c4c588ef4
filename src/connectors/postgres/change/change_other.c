/* Enums, partitions, replica identity, statements of people. */
#include "connectors/postgres/change/change.h"
#include <string.h>
#include <strings.h>

enum status change_add_enum_value(struct compiler *compiler, const struct change_value *value,
                                  struct error *error)
{
    const char *type = change_text(value, "type");
    const char *before = change_text(value, "before");
    const char *after = change_text(value, "after");
    const char *const values[] = {compiler->schema, type, change_text(value, "value")};
    PGresult *result = NULL;
    struct buffer sql = {0};
    if (type == NULL) {
        return change_invalid(compiler, value, error, "it needs 'type'");
    }
    if (change_query(compiler,
                     "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid "
                     "AND e.enumlabel = $3) FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace "
                     "n ON n.oid = t.typnamespace WHERE n.nspname = $1 AND t.typname = $2 AND "
                     "t.typtype = 'e'",
                     values, 3, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool there = PQntuples(result) > 0;
    bool has = there && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    if (!there || has) {
        return change_invalid(compiler, value, error,
                              there ? "%s has this value already" : "there is no enum %s", type);
    }
    postgres_append(&sql, "ALTER TYPE %n.%n ADD VALUE IF NOT EXISTS %q", compiler->schema, type,
                    change_text(value, "value"));
    if (before != NULL || after != NULL) {
        postgres_append(&sql, " %s %q", before != NULL ? "BEFORE" : "AFTER",
                        before != NULL ? before : after);
    }
    struct change_step *step =
        change_statement(compiler, CHANGE_EXPAND, ALTER_LOCK_NONE,
                         arena_format(compiler->arena, "value of the enum %s", type),
                         change_text_of(compiler, &sql), NULL);
    step->alone = true;
    change_way_add(compiler, "at once",
                   "PostgreSQL can't take a value back: it stays after an abort");
    return STATUS_OK;
}

/* Rows of a partition may be the old version's as well: an abort does not drop them. */
static const char *drop_empty(struct compiler *compiler, const char *part)
{
    return change_sql(
        compiler,
        "DO $transhume$ DECLARE filled boolean; BEGIN IF pg_catalog.to_regclass(%q) IS NOT NULL THEN "
        "LOCK TABLE %s IN ACCESS EXCLUSIVE MODE; SELECT EXISTS (SELECT 1 FROM %s) INTO filled; IF "
        "filled THEN RAISE EXCEPTION 'the partition %% has rows: take them to another table, delete "
        "them, and abort again', %q USING ERRCODE = 'object_not_in_prerequisite_state'; END IF; DROP "
        "TABLE %s; END IF; END $transhume$",
        part, part, part, part, part);
}

enum status change_add_partition(struct compiler *compiler, const struct change_value *value,
                                 struct error *error)
{
    struct altered_table *table;
    const char *name = change_text(value, "name");
    if (change_find_table(compiler, value, change_text(value, "table"), &table, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!table->partitioned) {
        return change_invalid(compiler, change_get(value, "table"), error, "%s is not partitioned",
                              table->name);
    }
    /* CREATE TABLE … PARTITION OF would shut everybody out of the table. */
    const char *place = change_sql(compiler, "%n.%n", compiler->schema, table->old);
    const char *part = change_sql(compiler, "%n.%n", compiler->schema, name);
    change_statement(compiler, CHANGE_EXPAND, ALTER_LOCK_NONE,
                     arena_format(compiler->arena, "partition %s", name),
                     change_sql(compiler,
                                "CREATE TABLE %s (LIKE %s INCLUDING ALL); ALTER TABLE %s ATTACH "
                                "PARTITION %s FOR VALUES %s",
                                part, place, place, part, change_text(value, "values")),
                     drop_empty(compiler, part));
    change_way_add(compiler, "made as a table and attached",
                   "an abort is stopped by rows that are in it");
    return STATUS_OK;
}

/* Is it a partition of the table? Is there a default one, beside which none is detached? */
static enum status read_partition(struct compiler *compiler, const struct altered_table *table,
                                  const char *name, bool *has_default, struct error *error)
{
    PGresult *result = NULL;
    const char *const values[] = {table->oid, name, compiler->schema};
    if (change_query(
            compiler,
            "SELECT p.partdefid <> 0 FROM pg_catalog.pg_partitioned_table p JOIN "
            "pg_catalog.pg_inherits i ON i.inhparent = p.partrelid JOIN "
            "pg_catalog.pg_class c ON c.oid = i.inhrelid WHERE p.partrelid = "
            "$1::pg_catalog.oid AND c.relname = $2 AND c.relnamespace = (SELECT n.oid FROM "
            "pg_catalog.pg_namespace n WHERE n.nspname = $3)",
            values, 3, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool found = PQntuples(result) > 0;
    *has_default = found && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return found ? STATUS_OK
                 : change_invalid(compiler, NULL, error, "%s is not a partition of %s", name,
                                  table->name);
}

/* A detaching that was broken off is pending: it is brought to its end. */
static void detach_beside(struct compiler *compiler, const char *place, const char *name,
                          const char *part)
{
    struct change_step *step = change_statement(
        compiler, CHANGE_CONTRACT, ALTER_LOCK_NONE,
        arena_format(compiler->arena, "detach partition %s", name),
        change_sql(compiler, "ALTER TABLE %s DETACH PARTITION %s CONCURRENTLY", place, part), NULL);
    step->alone = true;
    step->stands =
        change_sql(compiler,
                   "SELECT NOT EXISTS (SELECT 1 FROM pg_catalog.pg_inherits i WHERE "
                   "i.inhrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(%q) AND NOT "
                   "i.inhdetachpending)",
                   part);
    const char *finalize =
        change_sql(compiler, "ALTER TABLE %s DETACH PARTITION %s FINALIZE", place, part);
    change_statement(compiler, CHANGE_CONTRACT, ALTER_LOCK_NONE,
                     arena_format(compiler->arena, "partition %s is detached", name),
                     change_sql(compiler,
                                "DO $transhume$ BEGIN IF EXISTS (SELECT 1 FROM "
                                "pg_catalog.pg_inherits i WHERE i.inhrelid OPERATOR(pg_catalog.=) "
                                "pg_catalog.to_regclass(%q)) THEN EXECUTE %q; END IF; END "
                                "$transhume$",
                                part, finalize),
                     NULL);
}

enum status change_drop_partition(struct compiler *compiler, const struct change_value *value,
                                  struct error *error)
{
    enum { VERSION_CONCURRENTLY = 140000 };
    struct altered_table *table;
    bool has_default;
    const char *name = change_text(value, "name");
    if (change_find_table(compiler, value, change_text(value, "table"), &table, error) !=
            STATUS_OK ||
        read_partition(compiler, table, name, &has_default, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool beside =
        !has_default && compiler->session->database->server_version >= VERSION_CONCURRENTLY;
    const char *place = change_place(compiler, table);
    const char *part = change_sql(compiler, "%n.%n", compiler->schema, name);
    if (beside) {
        detach_beside(compiler, place, name, part);
    } else {
        change_statement(compiler, CHANGE_CONTRACT, ALTER_LOCK_ALL,
                         arena_format(compiler->arena, "detach partition %s", name),
                         change_sql(compiler, "ALTER TABLE %s DETACH PARTITION %s", place, part),
                         NULL);
    }
    if (!change_is_true(value, "keep")) {
        change_statement(compiler, CHANGE_CONTRACT, ALTER_LOCK_NONE,
                         arena_format(compiler->arena, "drop partition %s", name),
                         change_sql(compiler, "DROP TABLE %s", part), NULL);
    }
    change_way_add(compiler,
                   beside ? "detached at the end, beside running writers"
                          : "detached at the end, under a short lock that shuts everybody out",
                   change_is_true(value, "keep") ? NULL : "its rows are gone with `complete`");
    return STATUS_OK;
}

static enum status check_identity(struct compiler *compiler, const struct altered_table *table,
                                  const char *index, struct error *error)
{
    PGresult *result = NULL;
    const char *const values[] = {table->oid, index};
    if (change_query(
            compiler,
            "SELECT 1 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = "
            "i.indexrelid WHERE i.indrelid = $1::pg_catalog.oid AND c.relname = $2 AND "
            "i.indisunique AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL "
            "AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = "
            "i.indrelid AND a.attnum = ANY (i.indkey::int2[]) AND NOT a.attnotnull)",
            values, 2, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool fits = PQntuples(result) > 0;
    PQclear(result);
    return fits ? STATUS_OK
                : change_invalid(compiler, NULL, error,
                                 "%s has no unique index %s over columns that are NOT NULL",
                                 table->name, index);
}

enum status change_replica_identity(struct compiler *compiler, const struct change_value *value,
                                    struct error *error)
{
    struct altered_table *table;
    const struct change_value *identity = change_get(value, "identity");
    const char *type = change_text(identity, "type");
    const char *index = change_text(identity, "index");
    if (change_find_table(compiler, value, change_text(value, "table"), &table, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (strcasecmp(type, "index") == 0 && index == NULL) {
        return change_invalid(compiler, identity, error, "it needs 'index'");
    }
    if (index != NULL && check_identity(compiler, table, index, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    table->operation = compiler->number;
    postgres_append(&table->contract, "ALTER TABLE %n.%n REPLICA IDENTITY ", compiler->schema,
                    table->old);
    if (strcasecmp(type, "index") == 0) {
        postgres_append(&table->contract, "USING INDEX %n;\n", index);
    } else {
        postgres_append(&table->contract, "%s;\n", type);
    }
    change_way_add(compiler, "at the end", NULL);
    return STATUS_OK;
}

enum status change_sql_op(struct compiler *compiler, const struct change_value *value,
                          struct error *error)
{
    const char *down = change_text(value, "down");
    const char *lock = change_text(value, "lock");
    bool last = change_is_true(value, "on_complete");
    if (!last && down == NULL) {
        change_refused(compiler, error,
                       "without `down` it could not be taken back before `complete`");
        return error_hint(error, "Say its way back, `down: ''` if nothing is to be undone, or "
                                 "`on_complete: true`.");
    }
    change_statement(compiler, last ? CHANGE_CONTRACT : CHANGE_EXPAND,
                     lock == NULL || strcasecmp(lock, "all") == 0 ? ALTER_LOCK_ALL
                     : strcasecmp(lock, "writes") == 0            ? ALTER_LOCK_WRITES
                                                                  : ALTER_LOCK_NONE,
                     "statement of the file", change_text(value, "up"),
                     last || down == NULL || down[0] == '\0' ? NULL : down);
    change_way_add(compiler, last ? "as it is written, at the end" : "as it is written", NULL);
    return STATUS_OK;
}
