/* Sums of one task: made by its thread, then given to the validation. */
#include "verify/task_sums.h"
#include "base/memory.h"
#include "verify/unreadable.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64 }; /* buckets that one bit of `touched` stands for */

static uint32_t column_total(const struct verify *verify)
{
    return verify->first_column == NULL ? 0 : verify->first_column[verify->table_count];
}

static uint32_t widest_buckets(const struct verify *verify)
{
    uint32_t widest = 0;
    for (uint32_t i = 0; i < verify->table_count; i++) {
        const struct verify_table *table = &verify->tables[i];
        if (table->buckets != NULL && table->bucket_mask >= widest) {
            widest = table->bucket_mask + 1;
        }
    }
    return widest;
}

void task_sums_init(struct task_sums *sums, struct verify *verify, bool columns)
{
    *sums = (struct task_sums){.verify = verify, .capacity = widest_buckets(verify)};
    sums->arena = arena_create(0);
    sums->buckets = memory_allocate_zeroed((size_t)verify->table_count + 1, sizeof(*sums->buckets));
    sums->spare = memory_allocate_zeroed((size_t)verify->table_count + 1, sizeof(*sums->spare));
    sums->entities =
        memory_allocate_zeroed((size_t)verify->entity_count + 1, sizeof(*sums->entities));
    for (uint32_t side = 0; side < 2; side++) {
        if (columns && verify->columns[side] != NULL) {
            sums->columns[side] = memory_allocate_zeroed((size_t)column_total(verify) + 1,
                                                         sizeof(struct verify_column_sum));
        }
    }
}

static void free_buckets(struct own_buckets *own)
{
    free(own->touched);
    free(own->sums);
    *own = (struct own_buckets){0};
}

void task_sums_free(struct task_sums *sums)
{
    const struct verify *verify = sums->verify;
    for (uint32_t i = 0; sums->buckets != NULL && i < verify->table_count; i++) {
        free_buckets(&sums->buckets[i]);
    }
    while (sums->spare_count > 0) {
        free_buckets(&sums->spare[--sums->spare_count]);
    }
    for (uint32_t side = 0; side < 2; side++) {
        for (uint32_t i = 0; sums->columns[side] != NULL && i < column_total(verify); i++) {
            decimal_sum_free(&sums->columns[side][i].decimal);
        }
        free(sums->columns[side]);
    }
    buffer_free(&sums->named);
    free(sums->buckets);
    free(sums->spare);
    free(sums->entities);
    arena_destroy(sums->arena);
    *sums = (struct task_sums){0};
}

struct canonical_hash *task_sums_open(struct task_sums *sums, const struct verify_table *table)
{
    struct own_buckets *own = &sums->buckets[table->number];
    if (sums->spare_count > 0) {
        *own = sums->spare[--sums->spare_count];
        return own->sums;
    }
    struct own_buckets made = {
        .touched = memory_allocate_zeroed(sums->capacity / BLOCK / 64 + 1, sizeof(*made.touched)),
        .sums = memory_allocate_zeroed((size_t)sums->capacity, sizeof(*made.sums))};
    *own = made;
    return own->sums;
}

/* ---------------------------------------------------------------- giving */

static void give_block(struct canonical_hash *from, struct verify_sum *to, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if ((from[i].low | from[i].high) != 0) {
            verify_sum_add(&to[i], from[i].low, from[i].high);
        }
    }
    memset(from, 0, count * sizeof(*from));
}

static void give_buckets(struct task_sums *sums, const struct verify_table *table)
{
    struct own_buckets *own = &sums->buckets[table->number];
    if (own->sums == NULL) {
        return;
    }
    uint32_t count = table->bucket_mask + 1;
    for (uint32_t first = 0; first < count; first += BLOCK) {
        uint64_t bit = UINT64_C(1) << (first / BLOCK & 63);
        if ((own->touched[first / BLOCK / 64] & bit) != 0) {
            give_block(own->sums + first, table->buckets + first,
                       count - first < BLOCK ? count - first : BLOCK);
        }
    }
    memset(own->touched, 0, (sums->capacity / BLOCK / 64 + 1) * sizeof(*own->touched));
    sums->spare[sums->spare_count++] = *own;
    *own = (struct own_buckets){0};
}

/* True for a sum of numbers that are no INT64; it may be 0 and still have a scale. */
static bool has_decimals(const struct decimal_sum *sum)
{
    return sum->small != 0 || sum->scale != 0 || sum->is_special || sum->large.length > 0;
}

static enum status give_column(struct task_sums *sums, struct verify_column_sum *from,
                               struct verify_column_sum *to)
{
    struct cell cell;
    enum status status = STATUS_OK;
    to->checksum += from->checksum;
    to->numbers += from->numbers;
    to->whole += from->whole;
    if (has_decimals(&from->decimal)) {
        status = decimal_sum_result(&from->decimal, sums->arena, &cell);
        status = status == STATUS_OK ? decimal_sum_add(&to->decimal, &cell) : status;
        arena_reset(sums->arena);
    }
    decimal_sum_free(&from->decimal);
    *from = (struct verify_column_sum){0};
    return status;
}

static enum status give_columns(struct task_sums *sums, const struct verify_table *table,
                                enum verify_side side, struct error *error)
{
    const struct verify *verify = sums->verify;
    enum status status = STATUS_OK;
    for (uint32_t i = verify->first_column[table->number];
         i < verify->first_column[table->number + 1]; i++) {
        if (give_column(sums, &sums->columns[side][i], &verify->columns[side][i]) != STATUS_OK) {
            status = error_set(error, ERROR_MEMORY, NULL, "no memory for sums of columns");
        }
    }
    return status;
}

static enum status give_table(struct task_sums *sums, const struct verify_table *table,
                              enum verify_side side, struct error *error)
{
    give_buckets(sums, table);
    return sums->columns[side] == NULL ? STATUS_OK : give_columns(sums, table, side, error);
}

static enum status give_source(struct task_sums *sums, const struct plan_stream *stream,
                               struct error *error)
{
    struct verify *verify = sums->verify;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < stream->entity_count && status == STATUS_OK; i++) {
        struct own_counts *own = &sums->entities[stream->entities[i]];
        struct verify_entity *entity = &verify->entities[stream->entities[i]];
        atomic_fetch_add(&entity->made, own->made);
        atomic_fetch_add(&entity->rejected, own->rejected);
        *own = (struct own_counts){0};
        status = give_table(sums, &verify->tables[entity->plan->table], SIDE_SOURCE, error);
    }
    return status;
}

enum status task_sums_give(struct task_sums *sums, const struct verify_task *task,
                           struct error *error)
{
    struct verify *verify = sums->verify;
    for (uint32_t i = 0; task->range != NULL && i < VERIFY_RANGE_PARTS_MAX; i++) {
        if ((sums->parts[i].low | sums->parts[i].high) != 0) {
            verify_sum_add(verify_range_sum(task->range, i), sums->parts[i].low,
                           sums->parts[i].high);
        }
    }
    memset(sums->parts, 0, sizeof(sums->parts));
    atomic_fetch_add(&verify->rows, sums->rows);
    sums->rows = 0;
    if (task->side == SIDE_SOURCE) {
        return give_source(sums, &verify->session->plan->streams[task->index], error);
    }
    struct verify_table *table = &verify->tables[task->index];
    atomic_fetch_add(&table->target_rows, sums->target_rows);
    sums->target_rows = 0;
    unreadable_give(sums, table);
    return give_table(sums, table, SIDE_TARGET, error);
}
