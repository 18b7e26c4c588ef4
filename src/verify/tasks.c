/* The tasks to be read: spans of streams and tables, and of those with ranges the same on both
 * sides. */
#include "verify/rows.h"
#include "verify/steps.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum {
    SPAN_ROWS = 65536,
    RANGE_ROWS = 32768,
    RANGES_MAX = 4096, /* of a table: of so many each takes 1 KiB */
    SPANS_A_READER = 4,
    SPAN_ROWS_MIN = 2048
};

void steps_add_task(struct task_list *list, struct verify_task task)
{
    list->tasks = memory_make_room(list->tasks, list->count, &list->capacity, sizeof(*list->tasks));
    list->tasks[list->count++] = task;
}

static uint64_t rows_a_span(const struct verify *verify, int64_t row_count, bool ranged)
{
    uint64_t rows = ranged ? RANGE_ROWS : SPAN_ROWS;
    uint32_t jobs = verify->session->options.limits.jobs;
    if (row_count > 0 && (uint64_t)row_count / (SPANS_A_READER * jobs) < rows) {
        rows = (uint64_t)row_count / (SPANS_A_READER * jobs);
    }
    rows = rows < SPAN_ROWS_MIN ? SPAN_ROWS_MIN : rows;
    bool too_many = ranged && row_count > 0 && (uint64_t)row_count / rows > RANGES_MAX;
    return too_many ? (uint64_t)row_count / RANGES_MAX : rows;
}

/* The table whose ranges are the stream's spans; NULL: none. */
static struct verify_table *ranged_table(struct verify *verify, uint32_t stream)
{
    for (uint32_t i = 0; i < verify->table_count; i++) {
        if (verify->tables[i].range_stream == stream) {
            return &verify->tables[i];
        }
    }
    return NULL;
}

static void make_ranges(struct verify *verify, struct verify_table *table, const struct span *spans,
                        uint32_t count)
{
    table->ranges = arena_allocate_zeroed(verify->arena, (size_t)count + 1, sizeof(*table->ranges));
    table->range_count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t parts = verify_range_parts(count, verify->table_count);
        table->ranges[i] = (struct verify_range){
            .span = spans[i],
            .parts = arena_allocate_zeroed(verify->arena, parts, sizeof(*table->ranges[i].parts)),
            .part_count = parts};
    }
}

/* Both sides of a range one after the other, so that they are read at about the same time. */
static void add_ranges(struct verify_table *table, bool bad_only, struct task_list *list)
{
    for (uint32_t i = 0; i < table->range_count; i++) {
        struct verify_range *range = &table->ranges[i];
        if (bad_only && verify_range_bad_parts(range) == 0) {
            continue;
        }
        struct verify_task task = {.side = SIDE_SOURCE,
                                   .index = table->range_stream,
                                   .span = &range->span,
                                   .range = range};
        struct verify_task other = task;
        other.side = SIDE_TARGET;
        other.index = table->number;
        steps_add_task(list, task);
        steps_add_task(list, other);
    }
}

static enum status split_stream(struct verify *verify, uint32_t number, bool ranged, uint64_t rows,
                                struct span **spans, uint32_t *count, struct error *error)
{
    struct database *source = verify->session->source;
    struct read_request request = verify->session->plan->streams[number].request;
    request.by_key = ranged;
    return source->connector->source->split(source, &request, rows, verify->arena, spans, count,
                                            error);
}

enum status steps_split_ranges(struct verify *verify, uint32_t stream, struct span **spans,
                               uint32_t *count, struct error *error)
{
    uint64_t rows = rows_a_span(verify, verify->session->facts[stream].row_count, true);
    return split_stream(verify, stream, true, rows, spans, count, error);
}

static enum status add_stream(struct verify *verify, uint32_t number, struct task_list *list,
                              struct error *error)
{
    struct verify_table *table = ranged_table(verify, number);
    struct span *spans;
    uint32_t count;
    if (table != NULL && table->rows != NULL) {
        return STATUS_OK;
    }
    uint64_t rows = rows_a_span(verify, verify->session->facts[number].row_count, table != NULL);
    if (split_stream(verify, number, table != NULL, rows, &spans, &count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (table != NULL) {
        make_ranges(verify, table, spans, count);
        add_ranges(table, false, list);
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct verify_task task = {.side = SIDE_SOURCE, .index = number, .span = &spans[i]};
        steps_add_task(list, task);
    }
    return STATUS_OK;
}

enum status steps_list_stream(struct verify *verify, uint32_t number, uint64_t rows,
                              struct task_list *list, struct error *error)
{
    struct span *spans;
    uint32_t count;
    bool ranged = ranged_table(verify, number) != NULL;
    if (split_stream(verify, number, ranged, rows, &spans, &count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct verify_task task = {.side = SIDE_SOURCE, .index = number, .span = &spans[i]};
        steps_add_task(list, task);
    }
    return STATUS_OK;
}

enum status steps_list_table(struct verify *verify, struct verify_table *table,
                             struct task_list *list, struct error *error)
{
    struct database *mirror = verify->session->mirror;
    struct span *spans;
    uint32_t count;
    if (table->actual == NULL) {
        return STATUS_OK;
    }
    uint64_t rows = rows_a_span(verify, table->actual->row_count, false);
    if (mirror->connector->source->split(mirror, &table->request, rows, verify->arena, &spans,
                                         &count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct verify_task task = {.side = SIDE_TARGET, .index = table->number, .span = &spans[i]};
        steps_add_task(list, task);
    }
    return STATUS_OK;
}

enum status steps_list_all(struct verify *verify, struct task_list *list, struct error *error)
{
    for (uint32_t i = 0; i < verify->session->plan->stream_count; i++) {
        if (add_stream(verify, i, list, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    for (uint32_t i = 0; i < verify->table_count; i++) {
        if (verify->tables[i].range_stream == UINT32_MAX &&
            steps_list_table(verify, &verify->tables[i], list, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* Does the stream feed a bad table? */
static bool feeds_bad(const struct verify *verify, const struct plan_stream *stream)
{
    for (uint32_t i = 0; i < stream->entity_count; i++) {
        const struct plan_entity *entity = verify->entities[stream->entities[i]].plan;
        if (verify->tables[entity->table].bad) {
            return true;
        }
    }
    return false;
}

enum status steps_list_bad(struct verify *verify, struct task_list *list, struct error *error)
{
    for (uint32_t i = 0; i < verify->session->plan->stream_count; i++) {
        struct verify_table *table = ranged_table(verify, i);
        bool summed = table != NULL && table->ranges != NULL;
        if (!feeds_bad(verify, &verify->session->plan->streams[i])) {
            continue;
        }
        if (table != NULL && table->rows != NULL) {
            rows_list_bad(table, list);
        } else if (summed) {
            add_ranges(table, true, list);
        } else if (add_stream(verify, i, list, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    for (uint32_t i = 0; i < verify->table_count; i++) {
        struct verify_table *table = &verify->tables[i];
        if (table->bad && table->range_stream == UINT32_MAX &&
            steps_list_table(verify, table, list, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- columns */

void steps_make_columns(struct verify *verify)
{
    uint32_t count = 0;
    verify->first_column =
        arena_allocate_zeroed(verify->arena, verify->table_count + 1u, sizeof(uint32_t));
    for (uint32_t i = 0; i < verify->table_count; i++) {
        verify->first_column[i] = count;
        count += verify->tables[i].columns.count;
    }
    verify->first_column[verify->table_count] = count;
    for (uint32_t side = 0; side < 2; side++) {
        /* not of the arena, whose memory is aligned for less than 128 bits */
        verify->columns[side] =
            memory_allocate_zeroed((size_t)count + 1, sizeof(struct verify_column_sum));
    }
}

void steps_free_columns(struct verify *verify)
{
    uint32_t count = verify->first_column == NULL ? 0 : verify->first_column[verify->table_count];
    for (uint32_t side = 0; side < 2; side++) {
        for (uint32_t i = 0; verify->columns[side] != NULL && i < count; i++) {
            decimal_sum_free(&verify->columns[side][i].decimal);
        }
        free(verify->columns[side]);
        verify->columns[side] = NULL;
    }
}

enum status verify_take_number_off(struct verify_column_sum *sum, const char *digits, size_t length,
                                   struct error *error)
{
    struct buffer negative = {0};
    struct cell cell;
    struct arena *arena = arena_create(0);
    bool was_negative = length > 0 && digits[0] == '-';
    buffer_append_string(&negative, was_negative ? "" : "-");
    buffer_append(&negative, digits + was_negative, length - was_negative);
    enum status status = decimal_parse(negative.data, negative.length, arena, &cell);
    /* infinities and NaN stay in a sum */
    if (status == STATUS_OK && decimal_special(&cell) == 0) {
        status = decimal_sum_add(&sum->decimal, &cell);
        sum->numbers -= status == STATUS_OK;
    }
    arena_destroy(arena);
    buffer_free(&negative);
    return status == STATUS_FAILED ? error_set(error, ERROR_MEMORY, NULL, "no memory for a number")
                                   : STATUS_OK;
}

static uint32_t column_of(const struct record_form *form, const struct spill_field *field)
{
    for (uint32_t i = 0; i < form->field_count; i++) {
        const struct form_field *one = &form->fields[i];
        if (one->column != UINT32_MAX && one->name_length == field->name_length &&
            memcmp(one->name, field->name, field->name_length) == 0) {
            return one->column;
        }
    }
    for (uint32_t i = 0; form->columns != NULL && i < form->columns->count; i++) {
        const char *name = form->columns->names[i];
        if (strlen(name) == field->name_length && memcmp(name, field->name, strlen(name)) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

static enum status take_one_off(struct verify *verify, const struct spill_head *source,
                                struct error *error)
{
    const struct record_form *form = &verify->entities[source->entity].form;
    const char *at = spill_fields(source);
    struct spill_field field;
    for (uint32_t i = 0; i < source->field_count; i++) {
        spill_field_read(&at, &field);
        uint32_t column = column_of(form, &field);
        if (column == UINT32_MAX) {
            continue;
        }
        struct verify_column_sum *sum =
            verify->columns[SIDE_SOURCE] + verify->first_column[source->table] + column;
        sum->checksum -= field.hash;
        if (value_kind_is_number((enum value_kind)field.kind) &&
            verify_take_number_off(sum, field.shown, field.shown_length, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

enum status verify_take_off(struct verify *verify, const struct spill_head *source, uint64_t count,
                            struct error *error)
{
    enum status status = STATUS_OK;
    for (; verify->columns[SIDE_SOURCE] != NULL && count > 0 && status == STATUS_OK; count--) {
        status = take_one_off(verify, source, error);
    }
    return status;
}
