/* Steps of a plan in CQL. */
#include "design/prove/prove_parts.h"

#include <string.h>

enum { BUCKETS_MAX = 5000 };

/* ---------------------------------------------------------------- one request */

struct request {
    const struct layout_table *table;
    const struct access_step *step;
    const struct cell *row; /* what is known; NULL: nothing */
    const struct cell *bucket;
};

static enum status append_test(const char *name, const char *test, const struct cell *value,
                               bool *any, struct buffer *out, struct error *error)
{
    buffer_append_string(out, *any ? " AND " : " WHERE ");
    layout_append_name(name, out);
    buffer_append_string(out, test);
    *any = true;
    return prove_append_literal(value, PROVE_CQL, out, error);
}

/* The key as far as it is known; `*complete`: all that the step needs is. */
static enum status append_where(const struct prove_running *running, const struct request *request,
                                struct buffer *out, bool *complete, struct error *error)
{
    const struct layout_table *table = request->table;
    bool any = false;
    *complete = true;
    for (uint32_t i = 0; i < table->partition_count + table->clustering_count; i++) {
        const struct layout_column *column = &table->columns[i];
        bool is_bucket = column->place == GRAPH_NONE;
        uint32_t place =
            is_bucket ? GRAPH_NONE
                      : places_under(running->target->places, request->step->path, column->place);
        const struct cell *value =
            is_bucket ? request->bucket : prove_known(running, request->row, place);
        if (value == NULL || value->kind == VALUE_NULL) {
            *complete =
                i >= table->partition_count && request->step->query != NULL && value == NULL;
            if (*complete && place == running->query->range && running->given->low != NULL) {
                return append_test(column->name, " >= ", running->given->low, &any, out, error) ==
                               STATUS_OK
                           ? append_test(column->name, " <= ", running->given->high, &any, out,
                                         error)
                           : STATUS_FAILED;
            }
            return STATUS_OK;
        }
        if (append_test(column->name, " = ", value, &any, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static void append_select(const struct layout_table *table, struct buffer *out)
{
    buffer_append_string(out, "SELECT ");
    for (uint32_t i = 0; i < table->column_count; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        layout_append_name(table->columns[i].name, out);
    }
    buffer_append_string(out, " FROM ");
    layout_append_name(table->name, out);
}

/* Earlier row and new row in one. */
static void merge(const struct prove_running *running, const struct request *request,
                  const struct cell *found, struct cell *merged)
{
    for (uint32_t i = 0; i < running->column_count; i++) {
        merged[i] = request->row != NULL ? request->row[i] : cell_missing();
    }
    for (uint32_t i = 0; i < request->table->column_count; i++) {
        uint32_t place = request->table->columns[i].place;
        if (place == GRAPH_NONE) {
            continue;
        }
        uint32_t column = prove_column_at(
            running, places_under(running->target->places, request->step->path, place));
        if (column != GRAPH_NONE) {
            merged[column] = found[i];
        }
    }
}

static enum status ask(const struct prove_running *running, const struct request *request,
                       struct prove_rows *out, struct error *error)
{
    struct buffer text = {0};
    struct prove_rows found = {0};
    bool complete = true;
    enum status status = STATUS_OK;
    append_select(request->table, &text);
    if (!request->step->scans) {
        status = append_where(running, request, &text, &complete, error);
    }
    if (status == STATUS_OK && complete) {
        status =
            prove_ask(&running->target->side, buffer_string(&text), request->table->column_count,
                      running->rows_max, running->arena, &found, error);
    }
    for (uint32_t i = 0; i < found.count && status == STATUS_OK; i++) {
        struct cell *row = prove_rows_add(out, running->arena);
        merge(running, request, prove_row(&found, i), row);
    }
    buffer_free(&text);
    return status;
}

/* ---------------------------------------------------------------- buckets */

/* Those that the family has: an application computes or lists them. */
static enum status list_buckets(const struct prove_running *running,
                                const struct layout_table *table, struct prove_rows *buckets,
                                struct error *error)
{
    struct buffer text = {0};
    struct prove_rows all = {0};
    *buckets = (struct prove_rows){.width = 1};
    buffer_append_string(&text, "SELECT DISTINCT ");
    for (uint32_t i = 0; i < table->partition_count; i++) {
        buffer_append_string(&text, i > 0 ? ", " : "");
        layout_append_name(table->columns[i].name, &text);
    }
    buffer_append_string(&text, " FROM ");
    layout_append_name(table->name, &text);
    enum status status =
        prove_ask(&running->target->side, buffer_string(&text), table->partition_count, BUCKETS_MAX,
                  running->arena, &all, error);
    buffer_free(&text);
    for (uint32_t i = 0; i < all.count && status == STATUS_OK; i++) {
        struct buffer one = {0};
        struct buffer other = {0};
        const struct cell *bucket = &prove_row(&all, i)[table->partition_count - 1];
        bool known = false;
        status = prove_append_text(bucket, &one, error);
        for (uint32_t j = 0; j < buckets->count && status == STATUS_OK && !known; j++) {
            buffer_clear(&other);
            status = prove_append_text(prove_row(buckets, j), &other, error);
            known = strcmp(buffer_string(&one), buffer_string(&other)) == 0;
        }
        if (!known) {
            *prove_rows_add(buckets, running->arena) = *bucket;
        }
        buffer_free(&one);
        buffer_free(&other);
    }
    return status;
}

/* ---------------------------------------------------------------- a step */

enum status prove_ask_cassandra(const struct prove_running *running, const struct access_step *step,
                                const struct cell *row, struct prove_rows *out, struct error *error)
{
    struct request request = {
        .table = layout_table_of(running->target->layout, step->family), .step = step, .row = row};
    struct prove_rows buckets = {0};
    if (request.table->bucket_sql == NULL || step->scans) {
        return ask(running, &request, out, error);
    }
    if (list_buckets(running, request.table, &buckets, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < buckets.count; i++) {
        request.bucket = prove_row(&buckets, i);
        if (ask(running, &request, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}
