/* A plan of changes as it grows: statements, what is told of it, its texts; and what it asks. */
#include "connectors/sqlite/change/change.h"

void sqlite_change_add(struct sqlite_change_plan *plan, const struct change_step *step)
{
    plan->steps = arena_make_room(plan->arena, plan->steps, plan->count, &plan->capacity,
                                  sizeof *plan->steps);
    plan->steps[plan->count++] = *step;
}

void sqlite_change_tell(struct sqlite_change_plan *plan, uint32_t operation, const char *text,
                        const char *warning)
{
    plan->ways = arena_make_room(plan->arena, plan->ways, plan->way_count, &plan->way_capacity,
                                 sizeof *plan->ways);
    plan->ways[plan->way_count++] =
        (struct change_way){.operation = operation, .text = text, .warning = warning};
}

const char *sqlite_change_text(struct sqlite_change_plan *plan, struct buffer *sql)
{
    return sql_text(plan->arena, sql);
}

const char *sqlite_change_format(struct sqlite_change_plan *plan, const char *format,
                                 const char *first, const char *second)
{
    return sqlite_change_text(plan, sqlite_sql(format, first, second));
}

enum status sqlite_change_invalid(const struct change_value *value, const char *object,
                                  const char *words, struct error *error)
{
    error_set(error, ERROR_CHANGE_INVALID, object, "line %u: %s", value->line, words);
    return STATUS_FAILED;
}

enum status sqlite_change_query(struct alter_session *base, struct buffer *sql, struct arena *arena,
                                struct sql_shadow_rows *rows, struct error *error)
{
    struct sqlite_alter *session = sqlite_alter_of(base);
    sqlite3_stmt *statement = NULL;
    uint32_t capacity = 0;
    *rows = (struct sql_shadow_rows){0};
    enum status status = sqlite_target_prepare(session->database, session->connection,
                                               buffer_string(sql), &statement, error);
    while (status == STATUS_OK &&
           (status = sqlite_step(session->database, statement, error)) == STATUS_OK) {
        rows->columns = (uint32_t)sqlite3_column_count(statement);
        const char **cells = arena_allocate_zeroed(arena, rows->columns, sizeof *cells);
        for (uint32_t i = 0; i < rows->columns; i++) {
            sqlite_copy_text(statement, (int)i, arena, &cells[i]);
        }
        rows->cells =
            arena_make_room(arena, rows->cells, rows->count, &capacity, sizeof *rows->cells);
        rows->cells[rows->count++] = cells;
    }
    sqlite3_finalize(statement);
    buffer_free(sql);
    *sql = (struct buffer){0};
    return status == STATUS_END ? STATUS_OK : status;
}

enum status sqlite_change_run(struct alter_session *base, struct buffer *sql, uint64_t *changed,
                              struct error *error)
{
    struct sqlite_alter *session = sqlite_alter_of(base);
    enum status status = sqlite_target_execute(session->database, session->connection,
                                               buffer_string(sql), ERROR_TARGET_WRITE, error);
    *changed = (uint64_t)sqlite3_changes64(session->connection);
    buffer_free(sql);
    *sql = (struct buffer){0};
    return status;
}
