/* Steps of a plan in CQL. */
#include "design/prove/prove_parts.h"

#include <string.h>

/* ---------------------------------------------------------------- one request */

struct request {
    const struct layout_table *table;
    const struct access_step *step;
    const struct cell *row; /* what is known; NULL: nothing */
    const struct cell *bucket;
};

static enum status append_test(const char *name, const char *test, const struct prove_list *values,
                               bool *any, struct buffer *out, struct error *error)
{
    enum status status = STATUS_OK;
    bool several = values->count > 1;
    buffer_append_string(out, *any ? " AND " : " WHERE ");
    layout_append_name(name, out);
    buffer_format(out, " %s ", several ? "IN (" : test);
    *any = true;
    for (uint32_t i = 0; i < values->count && status == STATUS_OK; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        status = prove_append_literal(&values->cells[i], PROVE_CQL, out, error);
    }
    buffer_append_string(out, several ? ")" : "");
    return status;
}

static enum status append_range(const struct prove_running *running, const char *name, bool *any,
                                struct buffer *out, struct error *error)
{
    const struct prove_list low = {running->given->low, 1};
    const struct prove_list high = {running->given->high, 1};
    const char *low_test = query_low_test(running->query);
    const char *high_test = query_high_test(running->query);
    if (low_test != NULL && append_test(name, low_test, &low, any, out, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return high_test != NULL ? append_test(name, high_test, &high, any, out, error) : STATUS_OK;
}

static uint32_t place_of(const struct prove_running *running, const struct request *request,
                         const struct layout_column *column)
{
    return column->place == GRAPH_NONE
               ? GRAPH_NONE
               : places_under(running->target->places, request->step->path, column->place);
}

/* The key as far as it is known; `*complete`: all that the step needs is. Partitions are asked one
 * by one, within one of them an IN is one request. */
static enum status append_where(const struct prove_running *running, const struct request *request,
                                struct buffer *out, bool *complete, struct error *error)
{
    const struct layout_table *table = request->table;
    bool any = false;
    *complete = true;
    for (uint32_t i = 0; i < table->partition_count + table->clustering_count; i++) {
        const struct layout_column *column = &table->columns[i];
        uint32_t place = place_of(running, request, column);
        const struct cell *value =
            place == GRAPH_NONE ? request->bucket : prove_known(running, request->row, place);
        const struct prove_list *list = place == GRAPH_NONE || i < table->partition_count
                                            ? NULL
                                            : prove_known_list(running, request->row, place);
        if (value == NULL || value->kind == VALUE_NULL) {
            *complete =
                i >= table->partition_count && request->step->query != NULL && value == NULL;
            return *complete && place == running->query->range && running->given->low != NULL
                       ? append_range(running, column->name, &any, out, error)
                       : STATUS_OK;
        }
        const struct prove_list one = {value, 1};
        if (append_test(column->name, "=", list != NULL ? list : &one, &any, out, error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* Against the table's own order, if that is the other way round than the query's; and its limit. */
static void append_order(const struct prove_running *running, const struct request *request,
                         struct buffer *out)
{
    const struct layout_table *table = request->table;
    const struct access_step *step = request->step;
    bool reversed = false;
    for (uint32_t i = 0; i < table->clustering_count && step->ordered; i++) {
        const struct layout_column *column = &table->columns[table->partition_count + i];
        reversed = reversed || (column->place == step->query->order[0].place &&
                                column->descending != step->query->order[0].descending);
    }
    for (uint32_t i = 0; i < table->clustering_count && reversed; i++) {
        const struct layout_column *column = &table->columns[table->partition_count + i];
        buffer_append_string(out, i == 0 ? " ORDER BY " : ", ");
        layout_append_name(column->name, out);
        buffer_append_string(out, column->descending ? " ASC" : " DESC");
    }
    if (step->limited) {
        buffer_format(out, " LIMIT %u", prove_request_rows(running, step));
    }
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
static void target_cassandra_merge(const struct prove_running *running,
                                   const struct request *request, const struct cell *found,
                                   struct cell *merged)
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

static enum status target_cassandra_ask(const struct prove_running *running,
                                        const struct request *request, struct prove_rows *out,
                                        struct error *error)
{
    struct buffer text = {0};
    struct prove_rows found = {0};
    bool complete = true;
    enum status status = STATUS_OK;
    append_select(request->table, &text);
    if (!request->step->scans) {
        status = append_where(running, request, &text, &complete, error);
        append_order(running, request, &text);
    }
    if (status == STATUS_OK && complete) {
        status =
            prove_ask(&running->target->side, buffer_string(&text), request->table->column_count,
                      prove_request_rows(running, request->step), running->arena, &found, error);
    }
    for (uint32_t i = 0; i < found.count && status == STATUS_OK; i++) {
        struct cell *row = prove_rows_add(out, running->arena);
        target_cassandra_merge(running, request, prove_row(&found, i), row);
    }
    buffer_free(&text);
    return status;
}

/* ---------------------------------------------------------------- buckets */

struct listing {
    struct prove_rows *buckets;
    struct arena *arena;
};

/* Keeps the row's last value among the others, in order, each once. */
static enum status keep_bucket(void *self, const struct cell *row, uint32_t width,
                               struct error *error)
{
    struct listing *listing = self;
    struct prove_rows *buckets = listing->buckets;
    const struct cell *bucket = &row[width - 1];
    uint32_t at = 0;
    uint32_t end = buckets->count;
    while (at < end) {
        uint32_t middle = at + (end - at) / 2;
        int order = prove_compare_values(prove_row(buckets, middle), bucket, VALUE_TEXT);
        if (order == 0) {
            return STATUS_OK;
        }
        at = order < 0 ? middle + 1 : at;
        end = order < 0 ? end : middle;
    }
    struct cell kept;
    if (value_copy(bucket, listing->arena, &kept) != STATUS_OK) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a bucket");
    }
    (void)prove_rows_add(buckets, listing->arena);
    memmove(buckets->cells + at + 1, buckets->cells + at,
            (buckets->count - 1 - at) * sizeof(*buckets->cells));
    buckets->cells[at] = kept;
    return STATUS_OK;
}

/* The buckets that the table has, listed once: an application computes them, or keeps a list. */
static enum status list_buckets(const struct prove_running *running, uint32_t family,
                                const struct layout_table *table, const struct prove_rows **rows,
                                struct error *error)
{
    struct prove_target *target = running->target;
    struct prove_buckets *buckets = &target->buckets[family];
    struct listing listing = {.buckets = &buckets->rows, .arena = target->arena};
    const struct prove_taker taker = {keep_bucket, &listing};
    *rows = &buckets->rows;
    if (buckets->is_listed) {
        return STATUS_OK;
    }
    struct buffer text = {0};
    buckets->rows = (struct prove_rows){.width = 1};
    buffer_append_string(&text, "SELECT DISTINCT ");
    for (uint32_t i = 0; i < table->partition_count; i++) {
        buffer_append_string(&text, i > 0 ? ", " : "");
        layout_append_name(table->columns[i].name, &text);
    }
    buffer_append_string(&text, " FROM ");
    layout_append_name(table->name, &text);
    enum status status =
        prove_ask_each(&target->side, buffer_string(&text), table->partition_count, &taker, error);
    buffer_free(&text);
    buckets->is_listed = status == STATUS_OK;
    return status;
}

/* ---------------------------------------------------------------- a step */

/* The buckets of times are asked newest first if the query wants that; once the limit is reached,
 * no more. */
static enum status ask_buckets(const struct prove_running *running, struct request *request,
                               const struct prove_rows *buckets, struct prove_rows *out,
                               struct error *error)
{
    const struct access_step *step = request->step;
    bool backwards = step->ordered && step->query->order[0].descending;
    uint32_t before = out->count;
    for (uint32_t i = 0; i < buckets->count; i++) {
        request->bucket = prove_row(buckets, backwards ? buckets->count - 1 - i : i);
        if (target_cassandra_ask(running, request, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (step->limited && out->count - before >= prove_request_rows(running, step)) {
            break;
        }
    }
    return STATUS_OK;
}

/* The places of the partition, whose values are chosen one by one. */
static uint32_t list_partition(const struct prove_running *running, const struct request *request,
                               uint32_t *places)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < request->table->partition_count; i++) {
        uint32_t place = place_of(running, request, &request->table->columns[i]);
        if (place != GRAPH_NONE) {
            places[count++] = place;
        }
    }
    return count;
}

enum status prove_ask_cassandra(const struct prove_running *running, const struct access_step *step,
                                const struct cell *row, struct prove_rows *out, struct error *error)
{
    struct request request = {
        .table = layout_table_of(running->target->layout, step->family), .step = step, .row = row};
    const struct prove_rows *buckets = NULL;
    if (step->scans) {
        return target_cassandra_ask(running, &request, out, error);
    }
    if (request.table->bucket_sql != NULL &&
        list_buckets(running, step->family, request.table, &buckets, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t *places =
        arena_allocate_zeroed(running->arena, request.table->partition_count + 1u, sizeof(*places));
    uint32_t count = list_partition(running, &request, places);
    enum status status;
    do {
        status = buckets != NULL ? ask_buckets(running, &request, buckets, out, error)
                                 : target_cassandra_ask(running, &request, out, error);
    } while (status == STATUS_OK && prove_choose_next(running, row, places, count));
    return status;
}
