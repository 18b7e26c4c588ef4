/* Compiling a declared change: what stands is read in one transaction, which is rolled back. */
#include "connectors/postgres/change/change.h"
#include <stdlib.h>
#include <string.h>

struct operation {
    const char *kind;
    change_operate *run;
};

static const struct operation operations[] = {
    {"create_table", change_create_table},
    {"drop_table", change_drop_table},
    {"rename_table", change_rename_table},
    {"set_table", change_set_table},
    {"copy_table", change_copy_table},
    {"split_table", change_split_table},
    {"merge_table", change_merge_table},
    {"move_column", change_move_column},
    {"create_junction", change_create_junction},
    {"add_column", change_add_column_op},
    {"drop_column", change_drop_column},
    {"rename_column", change_rename_column},
    {"alter_column", change_alter_column},
    {"create_index", change_create_index},
    {"drop_index", change_drop_index},
    {"create_constraint", change_create_constraint},
    {"drop_constraint", change_drop_constraint},
    {"rename_constraint", change_rename_constraint},
    {"add_enum_value", change_add_enum_value},
    {"add_partition", change_add_partition},
    {"drop_partition", change_drop_partition},
    {"set_replica_identity", change_replica_identity},
    {"sql", change_sql_op},
};

static enum status run_operation(struct compiler *compiler, struct error *error)
{
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (strcmp(operations[i].kind, compiler->operation->kind) == 0) {
            return operations[i].run(compiler, &compiler->operation->value, error);
        }
    }
    return change_refused(compiler, error, "PostgreSQL has no way for it yet");
}

/* ---------------------------------------------------------------- places */

/* Views of changes before this one, which is where applications of the old version may look. */
static enum status read_places(struct compiler *compiler, struct error *error)
{
    PGresult *result = NULL;
    const char *const values[] = {
        change_sql(compiler, POSTGRES_CHANGE_COMMENT "%s, version ", compiler->schema)};
    if (change_query(compiler,
                     "SELECT pg_catalog.array_agg(n.nspname ORDER BY n.oid)::text, "
                     "(pg_catalog.array_agg(n.nspname ORDER BY n.oid DESC))[1], "
                     "pg_catalog.current_setting('search_path') FROM pg_catalog.pg_namespace n "
                     "WHERE pg_catalog.starts_with((SELECT w.description FROM "
                     "pg_catalog.pg_description w WHERE w.objoid = n.oid AND w.classoid = "
                     "'pg_catalog.pg_namespace'::pg_catalog.regclass AND w.objsubid = 0), $1)",
                     values, 1, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *views = change_cell(compiler, result, 0, 0);
    compiler->old_views = views != NULL ? views : "{}";
    compiler->old_schema = change_cell(compiler, result, 0, 1);
    compiler->path = change_cell(compiler, result, 0, 2);
    PQclear(result);
    const char *place =
        compiler->change->place != NULL ? compiler->change->place : compiler->change->version;
    compiler->new_schema =
        change_short_name(compiler, arena_format(compiler->arena, "%s_", compiler->schema), place);
    return STATUS_OK;
}

static enum status check_place(struct compiler *compiler, struct error *error)
{
    PGresult *result = NULL;
    const char *const values[] = {compiler->new_schema};
    if (change_query(compiler,
                     "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1), "
                     "pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')",
                     values, 1, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool taken = PQgetvalue(result, 0, 0)[0] == 't';
    bool allowed = PQgetvalue(result, 0, 1)[0] == 't';
    PQclear(result);
    if (!taken && allowed) {
        return STATUS_OK;
    }
    if (!allowed) {
        error_set(error, ERROR_CHANGE_REFUSED, compiler->new_schema,
                  "the role may not make the schema of the new version's views");
        return error_hint(error, "GRANT CREATE ON DATABASE to it.");
    }
    error_set(error, ERROR_CHANGE_REFUSED, compiler->new_schema,
              "there is a schema of this name, and the new version's views are to be in one");
    return error_hint(error, "Say another one in the file: `version_schema: NAME`.");
}

/* ---------------------------------------------------------------- all of it */

static void add_all(const struct change_steps *from, struct change_step *steps, uint32_t *count)
{
    for (uint32_t i = 0; i < from->count; i++) {
        steps[(*count)++] = from->items[i];
    }
}

static void assemble(struct compiler *compiler, struct change_plan *plan)
{
    uint32_t count = compiler->proofs.count;
    for (int phase = 0; phase < CHANGE_PHASE_COUNT; phase++) {
        count += compiler->steps[phase].count;
    }
    struct change_step *steps = arena_allocate_zeroed(compiler->arena, count + 1, sizeof(*steps));
    count = 0;
    for (int phase = 0; phase < CHANGE_PHASE_COUNT; phase++) {
        if (phase == CHANGE_PROVE) {
            add_all(&compiler->proofs, steps, &count);
        }
        add_all(&compiler->steps[phase], steps, &count);
    }
    *plan = (struct change_plan){.steps = steps,
                                 .count = count,
                                 .ways = compiler->ways,
                                 .way_count = compiler->way_count,
                                 .old_place = compiler->old_schema != NULL ? compiler->old_schema
                                                                           : compiler->schema,
                                 .new_place = compiler->new_schema};
}

static enum status compile_all(struct compiler *compiler, struct change_plan *plan,
                               struct error *error)
{
    if (read_places(compiler, error) != STATUS_OK || check_place(compiler, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < compiler->change->count; i++) {
        compiler->operation = &compiler->change->operations[i];
        compiler->number = i;
        if (run_operation(compiler, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (change_copy_attached(compiler, error) != STATUS_OK ||
        change_check_others(compiler, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    change_emit_triggers(compiler);
    if (change_emit_fills(compiler, error) != STATUS_OK ||
        change_emit_views(compiler, error) != STATUS_OK ||
        change_emit_contract(compiler, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    assemble(compiler, plan);
    return STATUS_OK;
}

static enum status compile(struct alter_session *base, const struct change *change,
                           struct arena *arena, struct change_plan *plan, struct error *error)
{
    struct postgres_alter *session = postgres_alter_of(base);
    struct error ignored;
    struct compiler compiler = {.session = session,
                                .arena = arena,
                                .change = change,
                                .schema = session->database->sql.schema};
    enum status status = postgres_execute(session->database, session->connection,
                                          "BEGIN ISOLATION LEVEL REPEATABLE READ", SQL_SHORT,
                                          ERROR_TARGET_SCHEMA, error);
    if (status == STATUS_OK) {
        status = compile_all(&compiler, plan, error);
        (void)!postgres_execute(session->database, session->connection, "ROLLBACK", SQL_SHORT,
                                ERROR_TARGET_SCHEMA, &ignored);
    }
    for (uint32_t i = 0; i < compiler.table_count; i++) {
        buffer_free(&compiler.tables[i]->unlinks);
        buffer_free(&compiler.tables[i]->contract);
        buffer_free(&compiler.tables[i]->late);
        buffer_free(&compiler.tables[i]->holds);
    }
    return postgres_alter_lost(session, status, error);
}

const struct change_functions postgres_change_functions = {
    .compile = compile,
    .batch = postgres_change_batch,
    .estimate = postgres_change_estimate,
};
