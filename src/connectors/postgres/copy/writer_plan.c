/* How the batches of one shape go into a table: columns, the COPY, the temporary table. */
#include "connectors/postgres/copy/writer_internal.h"
#include <string.h>

enum status postgres_writer_describe(struct writer *writer, uint32_t table, struct error *error)
{
    struct writer_table *entry = &writer->tables[table];
    if (entry->described) {
        return STATUS_OK;
    }
    const struct postgres_table *known =
        writer->database->tables != NULL
            ? postgres_catalog_find(writer->database->tables, entry->plan->name)
            : NULL;
    if (known != NULL) {
        entry->facts = *known;
        entry->described = true;
        return STATUS_OK;
    }
    enum status status =
        postgres_target_describe(writer->database, writer->connection, entry->plan->name,
                                 writer->sql.arena, &entry->facts, error);
    if (status == STATUS_END) {
        return error_set(error, ERROR_TARGET_WRITE, entry->plan->name,
                         "the table is gone from the target");
    }
    entry->described = status == STATUS_OK;
    return status;
}

static enum status choose_columns(struct writer *writer, struct writer_plan *plan,
                                  struct error *error)
{
    const struct shape *shape = plan->shape;
    plan->columns = arena_allocate_zeroed(writer->sql.arena, (size_t)shape->field_count + 1,
                                          sizeof *plan->columns);
    for (uint32_t i = 0; i < shape->field_count; i++) {
        int32_t column = postgres_find_column(plan->facts, shape->fields[i].name);
        if (column < 0) {
            return error_set(error, ERROR_TARGET_WRITE, plan->relation,
                             "the table in the target has no column %s", shape->fields[i].name);
        }
        /* a generated column makes its value itself */
        if (!plan->facts->columns[column].generated) {
            plan->columns[plan->column_count++] =
                (struct writer_column){i, &plan->facts->columns[column]};
        }
        plan->staged |= plan->facts->columns[column].type.format == POSTGRES_AS_CAST;
    }
    return STATUS_OK;
}

static void append_columns(const struct writer_plan *plan, struct buffer *sql)
{
    for (uint32_t i = 0; i < plan->column_count; i++) {
        postgres_append(sql, "%s%n", i > 0 ? ", " : "", plan->columns[i].column->name);
    }
}

static const char *postgres_writer_plan_keep(struct writer *writer, struct buffer *sql)
{
    return sql_text(writer->sql.arena, sql);
}

static const char *make_copy(struct writer *writer, const struct writer_plan *plan)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "COPY ");
    if (plan->staged) {
        buffer_append_string(&sql, plan->stage_name);
    } else {
        postgres_append_table(&sql, writer->database, plan->facts->schema->name);
    }
    buffer_append_string(&sql, " (");
    append_columns(plan, &sql);
    buffer_append_string(&sql, ") FROM STDIN (FORMAT binary)");
    return postgres_writer_plan_keep(writer, &sql);
}

/* Its columns are the table's, without their constraints; those that have no encoder are texts.
 * _transhume_row numbers the rows as they come. */
static const char *make_stage(struct writer *writer, const struct writer_plan *plan)
{
    struct buffer sql = {0};
    buffer_format(&sql, "CREATE TEMP TABLE IF NOT EXISTS %s ON COMMIT DELETE ROWS AS SELECT ",
                  plan->stage_name);
    for (uint32_t i = 0; i < plan->column_count; i++) {
        const struct postgres_column *column = plan->columns[i].column;
        postgres_append_name(&sql, column->name);
        if (column->type.format == POSTGRES_AS_CAST) {
            postgres_append(&sql, "::pg_catalog.text AS %n", column->name);
        }
        buffer_append_string(&sql, ", ");
    }
    postgres_append(&sql,
                    "0::bigint AS _transhume_row FROM %t WITH NO DATA; ALTER TABLE %s ALTER "
                    "_transhume_row SET NOT NULL; ALTER TABLE %s ALTER _transhume_row ADD "
                    "GENERATED ALWAYS AS IDENTITY",
                    &writer->database->sql, plan->facts->schema->name, plan->stage_name,
                    plan->stage_name);
    if (plan->distinct) {
        buffer_format(&sql,
                      "; CREATE TEMP TABLE IF NOT EXISTS %s ON COMMIT DELETE ROWS AS SELECT * FROM "
                      "%s WITH NO DATA",
                      plan->repeats_name, plan->stage_name);
    }
    return postgres_writer_plan_keep(writer, &sql);
}

static bool is_same_shape(const struct shape *left, const struct shape *right)
{
    return left == right;
}

enum status writer_plan_get(struct writer *writer, uint32_t table, const struct shape *shape,
                            const struct writer_plan **plan, struct error *error)
{
    for (struct writer_plan *known = writer->plans; known != NULL; known = known->next) {
        if (known->table == table && is_same_shape(known->shape, shape)) {
            *plan = known;
            return STATUS_OK;
        }
    }
    if (table >= writer->table_count || shape == NULL) {
        return error_set(error, ERROR_INTERNAL, writer->database->sql.shown,
                         "records without a shape, or of a table that there is not");
    }
    if (postgres_writer_describe(writer, table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct writer_plan *made = arena_allocate_zeroed(writer->sql.arena, 1, sizeof *made);
    const struct target_table *target = writer->tables[table].plan;
    made->table = table;
    made->shape = shape;
    made->facts = &writer->tables[table].facts;
    made->relation = made->facts->schema->name;
    /* in a table that this run made, another record under a key is the run's own */
    made->existing = target_table_policy(target);
    made->distinct = target->distinct && target->key.count > 0;
    made->staged = made->existing == EXISTING_UPSERT || made->existing == EXISTING_REPLACE ||
                   made->existing == EXISTING_SKIP || made->distinct ||
                   target_table_later_count(target) > 0 ||
                   writer_keeps_undo(&writer->tables[table]);
    made->stage_name = arena_format(writer->sql.arena, "_transhume_stage_%u", ++writer->plan_count);
    made->repeats_name =
        arena_format(writer->sql.arena, "_transhume_repeats_%u", writer->plan_count);
    if (choose_columns(writer, made, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    made->copy = make_copy(writer, made);
    made->stage = make_stage(writer, made);
    made->next = writer->plans;
    writer->plans = made;
    *plan = made;
    return STATUS_OK;
}
