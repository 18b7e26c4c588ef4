/*
 * The express lane: the texts that one server selects go into the other's LOAD DATA as they are,
 * escaped. Only between columns of the very same types. A record that the target refuses, or would
 * bend, sends the chunk the general way, where it alone is rejected.
 */
#include "base/failpoint.h"
#include "base/memory.h"
#include "base/signals.h"
#include "connectors/mysql/copy/writer_internal.h"
#include "connectors/mysql/source.h"
#include "connectors/sql/link.h"
#include <string.h>

enum { REFUSALS_MAX = 2, ROWS_A_NOTE = 64 };

bool mysql_express_accepts(struct database *database, struct database *source)
{
    return source->connector == database->connector && mysql_database_of(database)->loads &&
           mysql_database_of(source)->mode == OPEN_SOURCE;
}

struct pull {
    struct writer *writer;
    struct mysql_database *source;
    const struct mysql_table *from;
    const struct writer_plan *plan;
    MYSQL *connection; /* within the source's snapshot */
    MYSQL_RES *result;
    bool ended;     /* all of the result was read */
    uint64_t noted; /* rows that the report says are pulled */
    struct error *error;
};

/* ---------------------------------------------------------------- columns */

/* The source's columns that hold values, in their order: what the statement is made for. */
static const struct shape *shape_of(struct writer *writer, uint32_t table,
                                    const struct mysql_table *from)
{
    struct writer_table *entry = &writer->tables[table];
    uint32_t count = from->schema->column_count;
    if (entry->pulled != NULL) {
        return entry->pulled;
    }
    struct shape *shape = arena_allocate_zeroed(writer->sql.arena, 1, sizeof *shape);
    struct shape_field *fields =
        arena_allocate_zeroed(writer->sql.arena, (size_t)count + 1, sizeof *fields);
    for (uint32_t i = 0; i < count; i++) {
        const char *name = from->columns[i].name;
        if (!from->columns[i].generated) {
            fields[shape->field_count++] =
                (struct shape_field){.name = name, .name_length = (uint32_t)strlen(name)};
        }
    }
    shape->name = from->schema->name;
    shape->fields = fields;
    entry->pulled = shape;
    return shape;
}

/* The shape's columns are the source's. */
static const struct mysql_column *source_column(const struct mysql_table *from,
                                                const struct shape *shape, uint32_t field)
{
    return &from->columns[mysql_find_column(from, shape->fields[field].name)];
}

static bool is_same(const struct mysql_column *from, const struct mysql_column *to)
{
    const char *native = from->type.type.native;
    /* of a NULL the server would make a number or a time of its own, without a warning */
    return (from->not_null || !to->not_null) && from->type.format == to->type.format &&
           native != NULL && to->type.type.native != NULL &&
           strcmp(native, to->type.type.native) == 0;
}

static bool are_same(const struct shape *shape, const struct mysql_table *from,
                     const struct mysql_table *to)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < shape->field_count; i++) {
        int32_t position = mysql_find_column(to, shape->fields[i].name);
        if (position < 0) {
            return false;
        }
        if (to->columns[position].generated) {
            continue;
        }
        if (!is_same(source_column(from, shape, i), &to->columns[position])) {
            return false;
        }
        count++;
    }
    return count > 0;
}

/* STATUS_AGAIN: the table is none for the express lane. */
static enum status express_choose(struct pull *pull, uint32_t table)
{
    struct writer *writer = pull->writer;
    const struct target_table *target = writer->tables[table].plan;
    bool direct = target->created || target->existing == EXISTING_REFUSE ||
                  target->existing == EXISTING_APPEND;
    if (!direct || target->distinct || target->same_engine == NULL ||
        writer->tables[table].refusals >= REFUSALS_MAX) {
        return STATUS_AGAIN;
    }
    const struct shape *shape = shape_of(writer, table, pull->from);
    if (writer_plan_describe(writer, table, pull->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!are_same(shape, pull->from, &writer->tables[table].facts)) {
        return STATUS_AGAIN;
    }
    if (writer_plan_get(writer, table, shape, &pull->plan, pull->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return pull->plan->staged ? STATUS_AGAIN : STATUS_OK;
}

/* ---------------------------------------------------------------- the source */

static enum status start_source(struct pull *pull, const struct span *span)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "SELECT ");
    for (uint32_t i = 0; i < pull->plan->column_count; i++) {
        const struct mysql_column *column =
            source_column(pull->from, pull->plan->shape, pull->plan->columns[i].field);
        buffer_append_string(&sql, i > 0 ? ", " : "");
        mysql_append_selected(&sql, &column->type, "_t0", column->name);
    }
    mysql_append(&sql, " FROM %t AS _t0", &pull->source->sql, pull->from->schema->name);
    enum status status = mysql_span_append(&sql, span, pull->from, pull->error);
    if (status == STATUS_OK) {
        status = mysql_send(pull->source, pull->connection, sql.data, sql.length, SQL_LONG,
                            ERROR_SOURCE_READ, pull->error);
    }
    buffer_free(&sql);
    if (status != STATUS_OK) {
        return status;
    }
    pull->result = mysql_use_result(pull->connection);
    return pull->result != NULL
               ? STATUS_OK
               : mysql_failure(pull->source, pull->connection, ERROR_SOURCE_READ, pull->error);
}

/* Rows that were not read are still to come: the statement is ended, the session has the snapshot.
 */
static void end_source(struct pull *pull)
{
    if (pull->result != NULL && !pull->ended && mysql_is_alive(pull->connection)) {
        mysql_kill_statement(pull->source, pull->connection);
    }
    mysql_free_result(pull->result);
    mysql_pool_give_spare(pull->source, pull->connection);
}

/* ---------------------------------------------------------------- rows */

static enum status append_line(struct pull *pull, MYSQL_ROW row)
{
    struct segment *filling = pull->writer->filling;
    const unsigned long *lengths = mysql_fetch_lengths(pull->result);
    for (uint32_t i = 0; i < pull->plan->column_count; i++) {
        if (i > 0) {
            buffer_append_byte(&filling->out, '\t');
        }
        if (row[i] == NULL) {
            buffer_append(&filling->out, "\\N", 2);
            continue;
        }
        if (lengths[i] > MEMORY_DATA_BYTES && !buffer_try_reserve(&filling->out, 2 * lengths[i])) {
            return error_set(pull->error, ERROR_MEMORY, pull->from->schema->name,
                             "no memory for a record");
        }
        mysql_append_field(&filling->out, row[i], lengths[i]);
    }
    buffer_append_byte(&filling->out, '\n');
    filling->lines++;
    return STATUS_OK;
}

/* They have moved, be they few or slow. */
static void express_note(struct pull *pull, uint64_t rows)
{
    atomic_fetch_add(&pull->writer->database->sql.base.report.pulled_rows, rows - pull->noted);
    pull->noted = rows;
}

static enum status hand_over(struct pull *pull, uint64_t rows)
{
    express_note(pull, rows);
    return signals_stop_level() >= 2 ? error_set(pull->error, ERROR_INTERRUPTED,
                                                 pull->from->schema->name, "stopped on request")
                                     : writer_hand_over(pull->writer, pull->error);
}

/* The rows that were read, whether they were sent or not. */
static enum status pump(struct pull *pull, uint64_t *rows)
{
    struct writer *writer = pull->writer;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !writer->refused) {
        MYSQL_ROW row = NULL;
        status = mysql_next_row(pull->source, pull->result, pull->connection, &row, pull->error);
        pull->ended = status == STATUS_OK && row == NULL;
        if (status != STATUS_OK) {
            return sql_leave_to_readers(pull->from->schema->name, status, pull->error);
        }
        if (row == NULL) {
            break;
        }
        writer->filling->plan = pull->plan;
        writer->filling->form = MYSQL_IN_LINE;
        status = append_line(pull, row);
        ++*rows;
        if (status != STATUS_OK) {
            return status;
        }
        if (writer_is_ready(writer)) {
            status = hand_over(pull, *rows);
        } else if (*rows - pull->noted >= ROWS_A_NOTE) {
            express_note(pull, *rows);
        }
    }
    return status == STATUS_OK ? hand_over(pull, *rows) : status;
}

static enum status carry(struct pull *pull, const struct span *span, uint64_t *rows)
{
    struct writer *writer = pull->writer;
    writer->refused = false;
    enum status status = failpoint_hit("mysql.before_pull", pull->error);
    if (status == STATUS_OK) {
        status =
            sql_leave_to_readers(pull->from->schema->name, start_source(pull, span), pull->error);
    }
    status = status == STATUS_OK ? pump(pull, rows) : status;
    if (status == STATUS_OK && writer_await_load(writer, -1, pull->error) == STATUS_FAILED) {
        status = STATUS_FAILED;
    }
    if (status == STATUS_OK) {
        status = failpoint_hit("mysql.after_pull", pull->error);
    }
    struct writer_table *entry = &writer->tables[pull->plan->table];
    entry->refusals = status == STATUS_OK && writer->refused ? entry->refusals + 1 : 0;
    return entry->refusals > 0 ? STATUS_AGAIN : status;
}

enum status mysql_express_chunk(struct writer *writer, struct database *source, uint64_t chunk,
                                const struct read_request *request, const struct span *span,
                                uint32_t table, uint64_t *rows, struct error *error)
{
    struct pull pull = {.writer = writer, .source = mysql_database_of(source), .error = error};

    (void)chunk;
    *rows = 0;
    if (request->table == NULL || request->join_count > 0 || pull.source->catalog == NULL) {
        return STATUS_AGAIN;
    }
    pull.from = mysql_catalog_find(pull.source->catalog, request->table);
    enum status status = pull.from != NULL ? express_choose(&pull, table) : STATUS_AGAIN;
    if (status != STATUS_OK || !mysql_pool_take_spare(pull.source, &pull.connection)) {
        return status == STATUS_OK ? STATUS_AGAIN : status;
    }
    status = carry(&pull, span, rows);
    atomic_fetch_sub(&writer->database->sql.base.report.pulled_rows, pull.noted);
    end_source(&pull);
    return status;
}
