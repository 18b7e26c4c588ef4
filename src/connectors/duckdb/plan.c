/* Plans of a writer: which column takes which field, and the appender that takes whole columns. */
#include "base/memory.h"
#include "connectors/duckdb/writer.h"
#include "connectors/sql/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- which way */

static bool has_promise(const struct target_table *table, const struct schema_index *index)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].unique && index->name != NULL &&
            strcasecmp(table->indexes[i].name, index->name) == 0) {
            return table->indexes[i].promised;
        }
    }
    return table->same_engine != NULL || table->key_promised;
}

/* May a record be refused that this program would not refuse itself? Then records go by way of a
 * staging table, where the one that is in the way can be told. */
static bool needs_stage(const struct target_table *table, const struct schema_table *there,
                        bool careful)
{
    enum existing_policy policy = target_table_policy(table);
    bool plain = policy == EXISTING_REFUSE || policy == EXISTING_APPEND;
    bool stage = careful || !plain || table->distinct || target_table_tracks(table) ||
                 (!table->created && (there->check_count > 0 || there->foreign_key_count > 0));
    for (uint32_t i = 0; !stage && i < there->index_count; i++) {
        stage = there->indexes[i].unique &&
                (!table->created || !has_promise(table, &there->indexes[i]));
    }
    return stage;
}

/* ---------------------------------------------------------------- making one */

static enum status refuse_column(const struct duckdb_plan *plan, const char *name, const char *why,
                                 struct error *error)
{
    char shown[SQL_SHOWN_BYTES];
    error_set(error, ERROR_TARGET_SCHEMA, plan->table->name, "the table in the target %s %s", why,
              sql_show_name(name, shown));
    return error_hint(error, "it was altered meanwhile: put it back, then resume");
}

static enum status choose_columns(struct duckdb_plan *plan, struct arena *arena,
                                  struct error *error)
{
    const struct shape *shape = plan->shape;
    plan->columns =
        arena_allocate_zeroed(arena, (size_t)shape->field_count + 1, sizeof *plan->columns);
    plan->fields =
        arena_allocate_zeroed(arena, (size_t)shape->field_count + 1, sizeof *plan->fields);
    for (uint32_t i = 0; i < shape->field_count; i++) {
        int32_t at = duckdb_find_column(&plan->facts, shape->fields[i].name);
        if (at < 0) {
            return refuse_column(plan, shape->fields[i].name, "has no column", error);
        }
        if (plan->facts.schema->columns[at].generated != GENERATED_NO) {
            continue;
        }
        if (!duckdb_takes_values(&plan->facts.forms[at])) {
            return refuse_column(plan, shape->fields[i].name,
                                 "has a type that is not written, in its column", error);
        }
        plan->columns[plan->count] = (uint32_t)at;
        plan->fields[plan->count++] = i;
    }
    return STATUS_OK;
}

static enum status plan_make(struct writer *writer, struct duckdb_plan *plan, bool careful,
                             struct error *error)
{
    enum status status =
        duckdb_target_describe(writer->database, writer->connection, plan->table->name,
                               writer->base.arena, &plan->facts, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? sql_refuse_dropped(plan->table->name, error) : status;
    }
    if (choose_columns(plan, writer->base.arena, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    plan->staged = needs_stage(plan->table, plan->facts.schema, careful);
    if (plan->staged && target_table_tracks(plan->table)) {
        char prefix[SQL_OWN_NAME_BYTES];
        snprintf(prefix, sizeof prefix, "_transhume_key_%.24s_", writer->base.run_id);
        sql_own_name(prefix, plan->table->name, plan->keys);
    }
    plan->forms =
        arena_allocate_zeroed(writer->base.arena, (size_t)plan->count + 2, sizeof *plan->forms);
    plan->vectors =
        arena_allocate_zeroed(writer->base.arena, (size_t)plan->count + 2, sizeof *plan->vectors);
    return STATUS_OK;
}

enum status duckdb_plan_find(struct writer *writer, uint32_t table, const struct shape *shape,
                             struct duckdb_plan **plan, struct error *error)
{
    const struct target_table *wanted = &writer->tables[table];
    for (struct duckdb_plan *at = writer->plans; at != NULL; at = at->next) {
        if (at->table == wanted && at->shape == shape && (at->staged || !writer->careful[table])) {
            *plan = at;
            return STATUS_OK;
        }
    }
    struct duckdb_plan *made = arena_allocate_zeroed(writer->base.arena, 1, sizeof *made);
    made->table = wanted;
    made->shape = shape;
    if (plan_make(writer, made, writer->careful[table], error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    made->next = writer->plans;
    writer->plans = made;
    *plan = made;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the appender */

static enum status appender_failure(struct writer *writer, struct duckdb_plan *plan,
                                    struct error *error)
{
    const char *why = writer->database->library->appender_error(plan->appender);
    bool refused = why != NULL &&
                   (strstr(why, "Constraint Error") != NULL || strstr(why, "onstraint") != NULL);
    duckdb_failure(writer->database, why, refused ? ERROR_TARGET_REFUSED : ERROR_TARGET_WRITE,
                   error);
    if (refused) {
        writer->careful[plan->table - writer->tables] = true;
    }
    return error_context(error, "%s: ", plan->table->name);
}

/* Vectors are other ones after a reset. */
static void begin_chunk(const struct duckdb_library *library, struct duckdb_plan *plan,
                        uint32_t count)
{
    library->data_chunk_reset(plan->chunk);
    plan->chunk_rows = 0;
    for (uint32_t i = 0; i < count; i++) {
        plan->vectors[i] = duckdb_column_of(library, &plan->forms[i],
                                            library->data_chunk_get_vector(plan->chunk, i));
    }
}

static enum status make_chunk(struct writer *writer, struct duckdb_plan *plan, uint32_t count)
{
    const struct duckdb_library *library = writer->database->library;
    struct duckdb_handle **types = memory_allocate_zeroed((size_t)count + 1, sizeof(void *));
    for (uint32_t i = 0; i < count; i++) {
        types[i] = library->appender_column_type(plan->appender, i);
        duckdb_form_make(library, types[i], writer->base.arena, &plan->forms[i]);
    }
    plan->chunk = library->create_data_chunk(types, count);
    for (uint32_t i = 0; i < count; i++) {
        library->destroy_logical_type(&types[i]);
    }
    free(types);
    return plan->chunk != NULL ? STATUS_OK : STATUS_FAILED;
}

static enum status open_appender(struct writer *writer, struct duckdb_plan *plan,
                                 struct error *error)
{
    const struct duckdb_library *library = writer->database->library;
    uint32_t count = plan->count + (plan->staged ? 1 : 0);
    const char *schema = plan->staged ? NULL : writer->database->sql.schema;
    const char *name = plan->staged ? plan->stage : plan->facts.schema->name;
    if (plan->appender != NULL) {
        return STATUS_OK;
    }
    if (library->appender_create(writer->connection, schema, name, &plan->appender) !=
        DUCKDB_SUCCESS) {
        return appender_failure(writer, plan, error);
    }
    for (uint32_t i = 0; !plan->staged && i < plan->count; i++) {
        if (library->appender_add_column(plan->appender,
                                         plan->facts.schema->columns[plan->columns[i]].name) !=
            DUCKDB_SUCCESS) {
            return appender_failure(writer, plan, error);
        }
    }
    if (plan->chunk == NULL && make_chunk(writer, plan, count) != STATUS_OK) {
        return error_set(error, ERROR_TARGET_WRITE, plan->table->name,
                         "DuckDB makes no chunk of its columns");
    }
    begin_chunk(library, plan, count);
    return STATUS_OK;
}

static enum status send_chunk(struct writer *writer, struct duckdb_plan *plan, struct error *error)
{
    const struct duckdb_library *library = writer->database->library;
    if (plan->chunk_rows == 0) {
        return STATUS_OK;
    }
    library->data_chunk_set_size(plan->chunk, plan->chunk_rows);
    if (library->append_data_chunk(plan->appender, plan->chunk) != DUCKDB_SUCCESS) {
        return appender_failure(writer, plan, error);
    }
    begin_chunk(library, plan, plan->count + (plan->staged ? 1 : 0));
    return STATUS_OK;
}

/* Rows that the appender holds go to its table. */
static enum status duckdb_plan_flush(struct writer *writer, struct duckdb_plan *plan,
                                     struct error *error)
{
    const struct duckdb_library *library = writer->database->library;
    if (plan->appender == NULL) {
        return STATUS_OK;
    }
    if (send_chunk(writer, plan, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return library->appender_flush(plan->appender) == DUCKDB_SUCCESS
               ? STATUS_OK
               : appender_failure(writer, plan, error);
}

enum status duckdb_plan_end(struct writer *writer, struct duckdb_plan *plan, bool keeps,
                            struct error *error)
{
    enum status status = keeps ? duckdb_plan_flush(writer, plan, error) : STATUS_OK;
    if (plan->appender != NULL) {
        (void)writer->database->library->appender_destroy(&plan->appender);
        plan->appender = NULL;
    }
    plan->chunk_rows = 0;
    return status;
}

void duckdb_plans_free(struct writer *writer)
{
    for (struct duckdb_plan *plan = writer->plans; plan != NULL; plan = plan->next) {
        if (plan->appender != NULL) {
            (void)writer->database->library->appender_destroy(&plan->appender);
        }
        writer->database->library->destroy_data_chunk(&plan->chunk);
    }
    writer->plans = NULL;
}

/* ---------------------------------------------------------------- records */

/* Fails of class REJECT, with the column's name. */
static enum status put_record(struct writer *writer, struct duckdb_plan *plan,
                              const struct cell *cells, struct error *error)
{
    uint32_t first = plan->staged ? 1 : 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        if (duckdb_put_value(writer->database->library,
                             &plan->facts.schema->columns[plan->columns[i]],
                             &plan->vectors[first + i], plan->chunk_rows, &cells[plan->fields[i]],
                             writer->base.scratch, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status plan_refuse(struct sql_held *held, uint32_t row, const struct error *why,
                               struct error *error)
{
    char reason[ERROR_REASON_BYTES];
    return sql_held_refuse(held, row, OUTCOME_REJECTED, why->code, error_reason(why, reason),
                           error);
}

enum status duckdb_plan_append(struct writer *writer, struct duckdb_plan *plan,
                               struct sql_held *held, uint64_t number, struct error *error)
{
    const struct batch *batch = held->batch;
    uint64_t vector_size = writer->database->library->vector_size();
    enum status status = open_appender(writer, plan, error);
    for (uint32_t row = 0; status == STATUS_OK && row < batch->row_count; row++) {
        struct error why = {0};
        if (put_record(writer, plan, batch_row(batch, row), &why) != STATUS_OK) {
            status = why.class == ERROR_CLASS_REJECT ? plan_refuse(held, row, &why, error)
                                                     : error_copy(error, &why);
            continue;
        }
        if (plan->staged) {
            const struct cell place = cell_int64((int64_t)(number + row));
            status = duckdb_write(writer->database->library, &plan->vectors[0], plan->chunk_rows,
                                  &place, writer->base.scratch, error);
        }
        plan->chunk_rows++;
        if (status == STATUS_OK && plan->chunk_rows == vector_size) {
            status = send_chunk(writer, plan, error);
        }
    }
    arena_reset(writer->base.scratch);
    return status;
}
