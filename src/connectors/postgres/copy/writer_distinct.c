/* `distinct`: of equal records under one key one is written, the others are skipped, and one that
 * differs is refused. How is said in sql/outcomes.h. */
#include "connectors/postgres/copy/writer_internal.h"
#include "connectors/sql/undo.h"
#include <string.h>

/* pg_advisory_xact_lock's first number; the second is the run's. */
enum { LOCK_CLASS = 0x74726864 /* "trhd" */ };

static enum status writer_distinct_ask(struct stage_pass *pass, struct buffer *sql,
                                       uint64_t *changed)
{
    PGresult *result = NULL;
    enum status status = writer_ask(pass->writer, sql, &result, pass->failure, pass->error);
    if (status == STATUS_OK && changed != NULL) {
        status = postgres_rows_changed(result, changed);
    }
    PQclear(result);
    return status;
}

enum status writer_distinct_lay_aside(struct stage_pass *pass, const struct buffer *with,
                                      const struct buffer *condition)
{
    struct buffer sql = {0};
    uint64_t moved = 0;
    if (with != NULL) {
        buffer_append_buffer(&sql, with);
    }
    postgres_append(&sql,
                    "%sm AS (DELETE FROM %s AS s WHERE %b RETURNING s.*) INSERT INTO %s SELECT * "
                    "FROM m",
                    with != NULL ? ", " : "WITH ", pass->plan->stage_name, condition,
                    pass->plan->repeats_name);
    enum status status = writer_distinct_ask(pass, &sql, &moved);
    pass->repeats |= moved > 0;
    return status;
}

enum status writer_distinct_lock(struct stage_pass *pass)
{
    return writer_distinct_ask(pass,
                               postgres_sql("SELECT pg_catalog.pg_advisory_xact_lock(%d, %d)",
                                            LOCK_CLASS,
                                            (int32_t)sql_name_hash(pass->writer->sql.run_id)),
                               NULL);
}

static enum status lay_aside_present(struct stage_pass *pass)
{
    struct buffer condition = {0};
    writer_stage_append_present(&condition, pass);
    buffer_append_byte(&condition, ')');
    enum status status = writer_distinct_lay_aside(pass, NULL, &condition);
    buffer_free(&condition);
    return status;
}

static enum status lay_aside_later(struct stage_pass *pass)
{
    struct buffer condition = {0};
    writer_stage_append_later(&condition, pass->plan, pass->key);
    enum status status = writer_distinct_lay_aside(pass, NULL, &condition);
    buffer_free(&condition);
    return status;
}

enum status writer_distinct_part(struct stage_pass *pass)
{
    enum status status = lay_aside_present(pass);
    return status == STATUS_OK ? lay_aside_later(pass) : status;
}

/* Values that a type's own equality tells apart as the program does; others are compared by their
 * texts: it may know no equality (json), ignore case, zeros at a number's end (numeric) or the sign
 * of zero, or compare areas. */
static bool is_plain(enum postgres_format format)
{
    switch (format) {
    case POSTGRES_AS_BOOL:
    case POSTGRES_AS_INT2:
    case POSTGRES_AS_INT4:
    case POSTGRES_AS_INT8:
    case POSTGRES_AS_OID:
    case POSTGRES_AS_BYTEA:
    case POSTGRES_AS_DATE:
    case POSTGRES_AS_TIME:
    case POSTGRES_AS_TIMESTAMP:
    case POSTGRES_AS_TIMESTAMPTZ:
    case POSTGRES_AS_UUID:
        return true;
    case POSTGRES_AS_TEXT:
    case POSTGRES_AS_NUMERIC:
    case POSTGRES_AS_FLOAT4:
    case POSTGRES_AS_FLOAT8:
    case POSTGRES_AS_TIMETZ:
    case POSTGRES_AS_INTERVAL:
    case POSTGRES_AS_JSON:
    case POSTGRES_AS_JSONB:
    case POSTGRES_AS_CAST:
        break;
    }
    return false;
}

/* IS NOT DISTINCT FROM would take whatever = is found for the type, as for a domain. */
static void append_plain(struct buffer *sql, const struct writer_plan *plan,
                         const struct postgres_column *column)
{
    postgres_append(sql, " AND (t.%n", column->name);
    postgres_append_operator(sql, column, "=");
    writer_stage_append_value(sql, plan, column->name, "s.");
    postgres_append(sql, " OR t.%n IS NULL AND ", column->name);
    writer_stage_append_value(sql, plan, column->name, "s.");
    buffer_append_string(sql, " IS NULL)");
}

static void append_same(struct buffer *sql, const struct writer_plan *plan)
{
    for (uint32_t i = 0; i < plan->column_count; i++) {
        const struct postgres_column *column = plan->columns[i].column;
        if (is_plain(column->type.format)) {
            append_plain(sql, plan, column);
            continue;
        }
        const struct postgres_words text = postgres_cast_to_text(column);
        postgres_append(sql, " AND %st.%n%s COLLATE pg_catalog.\"C\" IS NOT DISTINCT FROM %s",
                        text.before, column->name, text.behind, text.before);
        writer_stage_append_value(sql, plan, column->name, "s.");
        buffer_format(sql, "%s COLLATE pg_catalog.\"C\"", text.behind);
    }
}

enum status writer_distinct_settle(struct stage_pass *pass)
{
    const struct writer_plan *plan = pass->plan;
    const struct target_table *target = pass->writer->tables[plan->table].plan;
    struct buffer condition = {0};
    if (!pass->repeats) {
        return STATUS_OK;
    }
    writer_stage_append_present(&condition, pass);
    append_same(&condition, plan);
    buffer_append_byte(&condition, ')');
    enum status status =
        writer_stage_take_out(pass, plan->repeats_name, NULL, &condition, sql_taken_equal);
    buffer_clear(&condition);
    buffer_append_string(&condition, "true");
    status = status == STATUS_OK
                 ? writer_stage_take_out(pass, plan->repeats_name, NULL, &condition,
                                         target->created ? sql_taken_of_run : sql_taken_refused)
                 : status;
    buffer_free(&condition);
    return status;
}
