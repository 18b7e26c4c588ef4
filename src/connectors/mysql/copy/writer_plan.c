/* How the batches of one shape go into a table: columns, the statement, the temporary table. */
#include "connectors/mysql/copy/writer_internal.h"

enum status writer_plan_describe(struct writer *writer, uint32_t table, struct error *error)
{
    struct writer_table *entry = &writer->tables[table];
    if (entry->described) {
        return STATUS_OK;
    }
    if (!writer->looked && mysql_look(writer->database, writer->connection, writer->table_count,
                                      writer->sql.arena, &writer->look, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    writer->looked = true;
    enum status status = mysql_look_at(&writer->look, writer->database, writer->connection,
                                       entry->plan->name, writer->sql.arena, &entry->facts, error);
    if (status == STATUS_END) {
        return error_set(error, ERROR_TARGET_WRITE, entry->plan->name,
                         "the table is gone from the target");
    }
    entry->described = status == STATUS_OK;
    if (entry->described) {
        mysql_note_error_values(entry->plan, &entry->facts);
    }
    return status;
}

static enum status choose_columns(struct writer *writer, struct writer_plan *plan,
                                  struct error *error)
{
    const struct shape *shape = plan->shape;
    plan->columns = arena_allocate_zeroed(writer->sql.arena, (size_t)shape->field_count + 1,
                                          sizeof *plan->columns);
    for (uint32_t i = 0; i < shape->field_count; i++) {
        int32_t column = mysql_find_column(plan->facts, shape->fields[i].name);
        if (column < 0) {
            return error_set(error, ERROR_TARGET_WRITE, plan->facts->schema->name,
                             "the table in the target has no column %s", shape->fields[i].name);
        }
        const struct mysql_column *facts = &plan->facts->columns[column];
        /* a generated column makes its value itself */
        if (!facts->generated) {
            plan->columns[plan->column_count++] =
                (struct writer_column){i, facts, mysql_is_in(plan->facts->key, facts->name)};
        }
    }
    return STATUS_OK;
}

/* A column that the table computes may round what comes out: a note for each record, and all of
 * them have to be seen to know that they say nothing else. Without the right to see more, fewer
 * records go at once. */
static enum status see_all_notes(struct writer *writer, const struct writer_plan *plan,
                                 struct error *error)
{
    enum { NO_SUCH_RIGHT = 1227 };
    bool computes = false;
    for (uint32_t i = 0; i < plan->facts->schema->column_count; i++) {
        computes = computes || plan->facts->columns[i].generated;
    }
    if (!computes || writer->sees_notes) {
        return STATUS_OK;
    }
    writer->sees_notes = true;
    enum status status =
        mysql_run(writer->database, writer->connection, "SET SESSION max_error_count = 65535",
                  SQL_SHORT, ERROR_TARGET_WRITE, NULL, error);
    if (status != STATUS_OK && mysql_errno(writer->connection) == NO_SUCH_RIGHT) {
        error_clear(error);
        return STATUS_OK;
    }
    return status;
}

static const char *writer_plan_keep(struct writer *writer, struct buffer *sql)
{
    return sql_text(writer->sql.arena, sql);
}

/* Without a character set, bytes are bytes; texts that are to be converted say what they are. */
static const char *make_load(struct writer *writer, const struct writer_plan *plan)
{
    struct buffer sql = {0};
    struct buffer set = {0};
    const char *expression = NULL;
    const char *end = NULL;

    buffer_append_string(&sql, "LOAD DATA LOCAL INFILE 'transhume' INTO TABLE ");
    writer_append_destination(writer, plan, &sql);
    buffer_format(&sql,
                  " CHARACTER SET binary FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES "
                  "TERMINATED BY '\\n' (%s",
                  plan->staged ? "_transhume_row" : "");
    for (uint32_t i = 0; i < plan->column_count; i++) {
        const struct mysql_column *column = plan->columns[i].column;
        buffer_append_string(&sql, i > 0 || plan->staged ? ", " : "");
        if (!mysql_needs_variable(writer->database, column, &expression, &end)) {
            mysql_append_name(&sql, column->name);
            continue;
        }
        buffer_format(&sql, "@_transhume_%u", i);
        mysql_append(&set, "%s%n = %s@_transhume_%u%s", set.length > 0 ? ", " : " SET ",
                     column->name, expression, i, end);
    }
    mysql_append(&sql, ")%b", &set);
    buffer_free(&set);
    return writer_plan_keep(writer, &sql);
}

static const char *make_insert(struct writer *writer, const struct writer_plan *plan)
{
    struct buffer sql = {0};
    writer_plan_append_insert(writer, plan, &sql);
    return writer_plan_keep(writer, &sql);
}

/* Its columns are the table's, without their keys. _transhume_row is the record's number. */
static const char *make_stage(struct writer *writer, const struct writer_plan *plan)
{
    struct buffer sql = {0};
    mysql_append(&sql,
                 "CREATE TEMPORARY TABLE IF NOT EXISTS %t (_transhume_row BIGINT UNSIGNED NOT "
                 "NULL PRIMARY KEY) ENGINE=InnoDB AS SELECT CAST(0 AS UNSIGNED) AS _transhume_row",
                 &writer->database->sql, plan->stage_name);
    for (uint32_t i = 0; i < plan->column_count; i++) {
        mysql_append(&sql, ", %n", plan->columns[i].column->name);
    }
    mysql_append(&sql, " FROM %t LIMIT 0", &writer->database->sql, plan->facts->schema->name);
    return writer_plan_keep(writer, &sql);
}

static const char *make_repeats(struct writer *writer, const struct writer_plan *plan)
{
    return writer_plan_keep(writer, mysql_sql("CREATE TEMPORARY TABLE IF NOT EXISTS %t LIKE %t",
                                              &writer->database->sql, plan->repeats_name,
                                              &writer->database->sql, plan->stage_name));
}

enum status writer_plan_get(struct writer *writer, uint32_t table, const struct shape *shape,
                            const struct writer_plan **plan, struct error *error)
{
    for (struct writer_plan *known = writer->plans; known != NULL; known = known->next) {
        if (known->table == table && known->shape == shape) {
            *plan = known;
            return STATUS_OK;
        }
    }
    if (table >= writer->table_count || shape == NULL) {
        return error_set(error, ERROR_INTERNAL, writer->database->sql.shown,
                         "records without a shape, or of a table that there is not");
    }
    if (writer_await_load(writer, -1, error) == STATUS_FAILED ||
        writer_plan_describe(writer, table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct writer_plan *made = arena_allocate_zeroed(writer->sql.arena, 1, sizeof *made);
    const struct target_table *target = writer->tables[table].plan;
    made->table = table;
    made->shape = shape;
    made->facts = &writer->tables[table].facts;
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
    if (choose_columns(writer, made, error) != STATUS_OK ||
        see_all_notes(writer, made, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    made->statement = writer->database->loads ? make_load(writer, made) : make_insert(writer, made);
    made->stage = make_stage(writer, made);
    made->repeats = make_repeats(writer, made);
    bool bulk = !made->staged && made->column_count > 0 && writer->database->takes_bulk;
    made->bulk = bulk ? arena_allocate_zeroed(writer->sql.arena, 1, sizeof *made->bulk) : NULL;
    made->next = writer->plans;
    writer->plans = made;
    *plan = made;
    return STATUS_OK;
}
