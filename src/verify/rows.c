/* Rows of both sides compared as they are read, range by range; what differs, by key. */
#include "verify/rows.h"

#include "base/memory.h"
#include "plan/mapping.h"
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
    BATCH_ROWS = 2048,
    BATCH_BYTES = 256 << 10,
    ROWS_MAX = 1 << 20, /* of a range: 24 MiB a side, should it have many more than was guessed */
    KEYS_MAX = 1 << 20, /* of a table: 8 MiB */
    WHOLE_SHARE = 8     /* where one row in so many differs, reading all of them is no dearer */
};

/* ---------------------------------------------------------------- which tables */

/* Does the plan take the columns of one table as they are? */
static bool is_plain(const struct verify *verify, const struct verify_table *table)
{
    const struct run_session *session = verify->session;
    const struct plan_entity *entity = verify->entities[table->plan->entities[0]].plan;
    const struct plan_stream *stream = &session->plan->streams[entity->stream];
    const struct mapping *mapping = entity->mapping;
    return !stream->masks_rows && stream->request.join_count == 0 &&
           stream->request.column_count > 0 && stream->joined == NULL && stream->child_count == 0 &&
           entity->shape->field_count > 0 && mapping->all_direct && mapping->match_count == 0 &&
           mapping->same_count == 0 && mapping->field_count == entity->shape->field_count;
}

static bool reads_by_key(const struct database *database)
{
    return (database->capabilities & CAPABILITY_READS_BY_KEY) != 0;
}

static bool is_possible(const struct verify *verify, const struct verify_table *table)
{
    const struct run_session *session = verify->session;
    return table->range_stream != UINT32_MAX && table->owned && !table->keys_only &&
           !verify->documents && session->subset == NULL && session->time_zone == NULL &&
           reads_by_key(session->source) && reads_by_key(session->mirror) &&
           table->form.fields != NULL && is_plain(verify, table);
}

/* NULL: the two have other fields. */
static struct verify_rows *pair_fields(const struct verify *verify,
                                       const struct verify_table *table)
{
    const struct verify_entity *entity = &verify->entities[table->plan->entities[0]];
    const struct plan_stream *stream = &verify->session->plan->streams[entity->plan->stream];
    struct verify_rows *rows = arena_allocate_zeroed(verify->arena, 1, sizeof *rows);
    uint32_t count = table->form.field_count;
    uint32_t *cells[2];
    uint32_t keys = 0;
    for (int side = 0; side < 2; side++) {
        cells[side] = arena_allocate_zeroed(verify->arena, (size_t)count + 1, sizeof(uint32_t));
        rows->cells[side] = cells[side];
    }
    if (entity->form.fields == NULL || entity->form.field_count != count) {
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct form_field *made = &entity->form.fields[i];
        const struct form_field *there = &table->form.fields[i];
        if (strcmp(made->name, there->name) != 0) {
            return NULL;
        }
        cells[SIDE_SOURCE][i] = entity->plan->mapping->fields[made->cell].value.index;
        cells[SIDE_TARGET][i] = there->cell;
        if (strcmp(there->name, table->plan->target.key.names[0]) == 0) {
            rows->key_cell[SIDE_SOURCE] = cells[SIDE_SOURCE][i];
            rows->key_cell[SIDE_TARGET] = cells[SIDE_TARGET][i];
            keys++;
        }
    }
    rows->field_count = count;
    rows->request[SIDE_SOURCE] = stream->request;
    rows->request[SIDE_TARGET] = table->request;
    rows->key[SIDE_SOURCE] = (struct column_list){.names = stream->key_names, .count = 1};
    rows->key[SIDE_TARGET] = table->plan->target.key;
    return keys == 1 ? rows : NULL;
}

/* ---------------------------------------------------------------- hashes made by the databases */

static struct column_list names_of(const struct verify *verify, const struct verify_rows *rows,
                                   int side)
{
    const struct read_request *request = &rows->request[side];
    const char **names =
        arena_allocate_zeroed(verify->arena, (size_t)rows->field_count + 1, sizeof *names);
    for (uint32_t i = 0; i < rows->field_count; i++) {
        names[i] = request->columns[rows->cells[side][i]].name;
    }
    return (struct column_list){.names = names, .count = rows->field_count};
}

/* STATUS_END: one of them can't, or they do it in two ways. */
static enum status agree(const struct verify *verify, const struct verify_rows *rows,
                         const struct column_list names[2], struct error *error)
{
    const struct run_session *session = verify->session;
    struct database *sides[2] = {session->source, session->mirror};
    struct buffer texts[2] = {{0}, {0}};
    enum status status = STATUS_OK;
    for (int side = 0; side < 2 && status == STATUS_OK; side++) {
        const struct source_functions *functions = sides[side]->connector->source;
        status = functions->hashes == NULL ? STATUS_END
                                           : functions->hashes(sides[side], &rows->request[side],
                                                               &names[side], &texts[side], error);
    }
    if (status == STATUS_OK && strcmp(buffer_string(&texts[0]), buffer_string(&texts[1])) != 0) {
        status = STATUS_END;
    }
    buffer_free(&texts[0]);
    buffer_free(&texts[1]);
    return status;
}

/* Then no more than the key and the hash of a row comes over the wire. */
static enum status let_hash(const struct verify *verify, struct verify_rows *rows,
                            struct error *error)
{
    static const uint32_t cells[] = {0, 1};
    const struct column_list names[2] = {names_of(verify, rows, SIDE_SOURCE),
                                         names_of(verify, rows, SIDE_TARGET)};
    enum status status = agree(verify, rows, names, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    for (int side = 0; side < 2; side++) {
        rows->request[side].columns += rows->key_cell[side];
        rows->request[side].column_count = 1;
        rows->request[side].hashed = names[side];
        rows->cells[side] = cells;
        rows->key_cell[side] = 0;
    }
    rows->field_count = 2;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- one side of a range */

struct row {
    int64_t key;
    XXH128_hash_t hash;
};
struct row_list {
    struct row *rows;
    size_t count;
    size_t capacity;
    bool sorted; /* ascending */
};

static size_t data_length(const struct cell *cell)
{
    switch ((enum value_kind)cell->kind) {
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_JSON:
        return cell->length;
    case VALUE_DECIMAL:
        return (cell->flags & CELL_SMALL) != 0 ? 0 : cell->length;
    case VALUE_UUID:
        return 16;
    default:
        return 0;
    }
}

/* False: what the cell is does not stand in itself and the bytes that it points to. */
static bool append_cell(const struct cell *cell, struct buffer *out)
{
    enum value_kind kind = (enum value_kind)cell->kind;
    uint8_t head[16] = {0};
    size_t length = data_length(cell);
    if (kind == VALUE_MISSING || kind == VALUE_INTERVAL || kind >= VALUE_LIST) {
        return false;
    }
    head[0] = cell->kind;
    head[1] = (uint8_t)(cell->flags & ~CELL_ASCII);
    memcpy(head + 2, &cell->aux, sizeof cell->aux);
    memcpy(head + 4, &cell->length, sizeof cell->length);
    bool points = length > 0 || kind == VALUE_TEXT || kind == VALUE_BYTES || kind == VALUE_JSON;
    if (!points && kind != VALUE_NULL) {
        memcpy(head + 8, &cell->i64, sizeof cell->i64);
    }
    buffer_append(out, head, sizeof head);
    if (length > 0) {
        buffer_append(out, cell->text, length);
    }
    return true;
}

/* A row that can't be hashed equals nothing: its sides have hashes of their own. False: the table
 * can't be compared so. */
static bool add_row(const struct verify_rows *rows, enum verify_side side, const struct cell *cells,
                    struct buffer *bytes, struct row_list *list)
{
    const struct cell *key = &cells[rows->key_cell[side]];
    bool hashed = true;
    if (key->kind != VALUE_INT64 || list->count == ROWS_MAX) {
        return false;
    }
    buffer_clear(bytes);
    for (uint32_t i = 0; i < rows->field_count && hashed; i++) {
        hashed = append_cell(&cells[rows->cells[side][i]], bytes);
    }
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? BATCH_ROWS : list->capacity * 2;
        list->rows = memory_resize(list->rows, list->capacity, sizeof *list->rows);
    }
    struct row *row = &list->rows[list->count];
    row->key = key->i64;
    row->hash = hashed ? XXH3_128bits(bytes->data, bytes->length)
                       : (XXH128_hash_t){.low64 = 1 + (uint64_t)side, .high64 = 0};
    list->sorted = list->sorted && (list->count == 0 || row[-1].key <= row->key);
    list->count++;
    return true;
}

static enum status take_batch(struct rows_reading *reading, const struct batch *batch,
                              struct buffer *bytes, struct row_list *list, struct error *error)
{
    struct verify_rows *rows = reading->table->rows;
    enum verify_side side = reading->side;
    bool taken = batch->refused_count == 0;
    for (uint32_t row = 0; row < batch->row_count && taken; row++) {
        taken = add_row(rows, side, batch_row(batch, row), bytes, list);
    }
    if (!taken) {
        atomic_store(&rows->given_up, true);
    }
    reading->row_count[side] += batch->row_count;
    return pass_account(reading->verify, side, reading->stopping, batch->row_count,
                        batch_bytes(batch), error);
}

static enum status read_side(struct rows_reading *reading, enum verify_side side,
                             struct row_list *list, struct error *error)
{
    const struct run_session *session = reading->verify->session;
    const struct verify_rows *rows = reading->table->rows;
    const struct database *database = side == SIDE_SOURCE ? session->source : session->mirror;
    const struct source_functions *source = database->connector->source;
    struct buffer bytes = {0};
    struct cursor *cursor;
    struct batch *batch;
    reading->side = side;
    list->sorted = true;
    enum status status = source->cursor_open(reading->readers[side], &rows->request[side],
                                             &reading->range->span, &cursor, error);
    if (status != STATUS_OK) {
        return status;
    }
    while (!atomic_load(&rows->given_up) &&
           (status = source->cursor_next(cursor, BATCH_ROWS, BATCH_BYTES, &batch, error)) ==
               STATUS_OK) {
        status = take_batch(reading, batch, &bytes, list, error);
        batch_destroy(batch);
        if (status != STATUS_OK) {
            break;
        }
    }
    source->cursor_close(cursor);
    buffer_free(&bytes);
    return status;
}

/* ---------------------------------------------------------------- both of them */

static int compare_rows(const void *left, const void *right)
{
    const struct row *a = left;
    const struct row *b = right;
    return a->key < b->key ? -1 : a->key > b->key;
}

static void rows_sort(struct row_list *list)
{
    if (!list->sorted) {
        qsort(list->rows, list->count, sizeof *list->rows, compare_rows);
    }
}

static void rows_note(struct rows_range *range, uint32_t *capacity, int64_t key)
{
    if (range->key_count > 0 && range->keys[range->key_count - 1] == key) {
        return; /* several rows have it */
    }
    if (range->key_count == *capacity) {
        *capacity = *capacity == 0 ? 64 : *capacity * 2;
        range->keys = memory_resize(range->keys, *capacity, sizeof *range->keys);
    }
    range->keys[range->key_count++] = key;
}

static void rows_merge(const struct row_list lists[2], struct rows_range *range)
{
    const struct row_list *source = &lists[SIDE_SOURCE];
    const struct row_list *target = &lists[SIDE_TARGET];
    uint32_t capacity = 0;
    size_t i = 0;
    size_t j = 0;
    while (i < source->count || j < target->count) {
        int order = i == source->count   ? 1
                    : j == target->count ? -1
                                         : compare_rows(&source->rows[i], &target->rows[j]);
        if (order != 0 || !XXH128_isEqual(source->rows[i].hash, target->rows[j].hash)) {
            rows_note(range, &capacity, order <= 0 ? source->rows[i].key : target->rows[j].key);
        }
        i += order <= 0;
        j += order >= 0;
    }
}

/* Few are asked for by their keys, many are read as they stand. */
static void rows_settle(struct verify_rows *rows, struct rows_range *range, uint64_t row_count)
{
    range->whole = (uint64_t)range->key_count * WHOLE_SHARE > row_count;
    atomic_fetch_add(&rows->suspected, range->whole ? row_count : 2 * (uint64_t)range->key_count);
    if (range->whole) {
        free(range->keys);
        range->keys = NULL;
        range->key_count = 0;
    } else if (atomic_fetch_add(&rows->key_count, range->key_count) + range->key_count > KEYS_MAX) {
        atomic_store(&rows->given_up, true);
    }
}

enum status rows_compare(struct rows_reading *reading, struct error *error)
{
    struct verify_rows *rows = reading->table->rows;
    struct row_list lists[2] = {{0}};
    enum status status = STATUS_OK;
    if (atomic_load(&rows->given_up)) {
        return STATUS_OK;
    }
    for (uint32_t side = 0; side < 2 && status != STATUS_FAILED; side++) {
        status = read_side(reading, (enum verify_side)side, &lists[side], error);
    }
    if (status == STATUS_END && !pass_must_stop(reading->stopping)) {
        status = STATUS_OK;
        rows_sort(&lists[SIDE_SOURCE]);
        rows_sort(&lists[SIDE_TARGET]);
        rows_merge(lists, reading->range);
        rows_settle(rows, reading->range, lists[SIDE_SOURCE].count + lists[SIDE_TARGET].count);
    }
    free(lists[SIDE_SOURCE].rows);
    free(lists[SIDE_TARGET].rows);
    return status;
}

/* ---------------------------------------------------------------- all tables */

static enum status make_ranges(struct verify *verify, struct verify_table *table,
                               struct error *error)
{
    struct verify_rows *rows = table->rows;
    struct span *spans;
    if (steps_split_ranges(verify, table->range_stream, &spans, &rows->range_count, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    rows->ranges =
        arena_allocate_zeroed(verify->arena, (size_t)rows->range_count + 1, sizeof *rows->ranges);
    for (uint32_t i = 0; i < rows->range_count; i++) {
        rows->ranges[i].span = spans[i];
    }
    return STATUS_OK;
}

static void free_keys(struct verify_rows *rows)
{
    for (uint32_t i = 0; i < rows->range_count; i++) {
        free(rows->ranges[i].keys);
        rows->ranges[i].keys = NULL;
        rows->ranges[i].key_count = 0;
    }
}

static enum status rows_prepare(struct verify *verify, struct task_list *list, struct error *error)
{
    for (uint32_t i = 0; i < verify->table_count; i++) {
        struct verify_table *table = &verify->tables[i];
        table->rows = is_possible(verify, table) ? pair_fields(verify, table) : NULL;
        if (table->rows == NULL) {
            continue;
        }
        if (let_hash(verify, table->rows, error) != STATUS_OK ||
            make_ranges(verify, table, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        for (uint32_t j = 0; j < table->rows->range_count; j++) {
            steps_add_task(list, (struct verify_task){.side = SIDE_SOURCE,
                                                      .index = table->range_stream,
                                                      .table = i,
                                                      .rows = &table->rows->ranges[j]});
        }
    }
    return STATUS_OK;
}

/* The table's counted rows are counted again later. */
static void give_up(struct verify *verify, struct verify_table *table)
{
    const struct plan_entity *entity = verify->entities[table->plan->entities[0]].plan;
    atomic_store(&verify->entities[entity->number].made, 0);
    atomic_store(&table->target_rows, 0);
    atomic_store(&verify->session->progress.entities[entity->number].written, 0);
    free_keys(table->rows);
    table->rows = NULL;
}

enum status rows_compare_all(struct verify *verify, struct error *error)
{
    struct task_list list = {0};
    struct pass pass = {.verify = verify, .act = ACT_ROWS, .counts = true};
    enum status status = rows_prepare(verify, &list, error);
    pass.tasks = list.tasks;
    pass.task_count = list.count;
    if (status == STATUS_OK && list.count > 0) {
        status = pass_run(&pass, error);
    }
    for (uint32_t i = 0; i < verify->table_count; i++) {
        struct verify_table *table = &verify->tables[i];
        if (table->rows != NULL && atomic_load(&table->rows->given_up)) {
            give_up(verify, table);
        }
    }
    free(list.tasks);
    return status;
}

void rows_free(struct verify_table *table)
{
    if (table->rows != NULL) {
        free_keys(table->rows);
    }
}

/* ---------------------------------------------------------------- the second reading */

static void add_both(const struct verify_table *table, struct verify_task task,
                     struct task_list *list)
{
    struct verify_task other = task;
    other.side = SIDE_TARGET;
    other.index = table->number;
    steps_add_task(list, task);
    steps_add_task(list, other);
}

void rows_list_bad(const struct verify_table *table, struct task_list *list)
{
    const struct verify_rows *rows = table->rows;
    for (uint32_t i = 0; i < rows->range_count; i++) {
        const struct rows_range *range = &rows->ranges[i];
        struct verify_task task = {
            .side = SIDE_SOURCE, .index = table->range_stream, .table = table->number};
        if (range->whole) {
            task.span = &range->span;
            add_both(table, task, list);
        }
        for (uint32_t at = 0; at < range->key_count; at += task.key_count) {
            uint32_t left = range->key_count - at;
            task.keys = range->keys + at;
            task.key_count = left < ROWS_KEYS_A_TASK ? left : ROWS_KEYS_A_TASK;
            add_both(table, task, list);
        }
    }
}

void rows_ask(const struct verify_task *task, const struct verify_rows *rows, struct cell *cells,
              struct read_request *asked)
{
    for (uint32_t i = 0; i < task->key_count; i++) {
        cells[i] = cell_int64(task->keys[i]);
    }
    asked->root_key = rows->key[task->side];
    asked->keys = cells;
    asked->key_count = task->key_count;
}
