/* Level sample: some records of each entity, drawn by a seed, and what the target has under their
 * keys. */
#include "base/random.h"
#include "verify/look_up.h"
#include "verify/steps.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { SPAN_ROWS = 1000, SPANS_A_RECORD = 2 };

/* The lowest ranks that an entity's records have: of all records that are read, those are drawn. */
struct draw {
    uint64_t *ranks; /* a heap, the largest first */
    uint32_t count;
    uint32_t taken; /* records of such a rank: equal ones without a key share it */
};
struct sampling {
    struct verify *verify;
    uint32_t wanted; /* of each entity */
    uint64_t seed;
    struct draw *draws;
    bool drawing; /* else the drawn ones are looked for */
    pthread_mutex_t mutex;
    struct canonical_hash *keys; /* of the drawn ones; sorted once all are there */
    uint32_t key_count;
    struct looked_up *looked; /* a table each, of those whose records are looked up */
    bool failed;              /* what is in `error` */
    struct error error;
};

static uint64_t rank_of(const struct sampling *sampling, const struct former *former)
{
    return XXH3_64bits_withSeed(&former->key, sizeof(former->key), sampling->seed);
}

static void sink(struct draw *draw)
{
    for (uint32_t at = 0;;) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < draw->count && draw->ranks[child + 1] > draw->ranks[child]) {
            child++;
        }
        if (child >= draw->count || draw->ranks[child] <= draw->ranks[at]) {
            return;
        }
        uint64_t rank = draw->ranks[at];
        draw->ranks[at] = draw->ranks[child];
        draw->ranks[child] = rank;
        at = child;
    }
}

static void add_rank(struct draw *draw, uint32_t wanted, uint64_t rank)
{
    if (draw->count == wanted) {
        if (rank < draw->ranks[0]) {
            draw->ranks[0] = rank;
            sink(draw);
        }
        return;
    }
    uint32_t at = draw->count++;
    draw->ranks[at] = rank;
    while (at > 0 && draw->ranks[(at - 1) / 2] < draw->ranks[at]) {
        uint64_t above = draw->ranks[(at - 1) / 2];
        draw->ranks[(at - 1) / 2] = draw->ranks[at];
        draw->ranks[at] = above;
        at = (at - 1) / 2;
    }
}

static int compare_keys(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(struct canonical_hash));
}

/* Tables with ranges are read where the source was, others whole unless they can be asked by key.
 */
static bool is_looked_up(const struct sampling *sampling, const struct verify_table *table)
{
    return table->range_stream == UINT32_MAX && !sampling->looked[table->number].keyless &&
           look_up_is_possible(sampling->verify, table);
}

/* A drawn record of the source; its key is noted for the target's turn. */
static bool take_drawn(struct sampling *sampling, const struct verify_table *table, uint32_t entity,
                       const struct former *former)
{
    struct draw *draw = &sampling->draws[entity];
    if (draw->count == 0 || rank_of(sampling, former) > draw->ranks[0]) {
        return false;
    }
    pthread_mutex_lock(&sampling->mutex);
    bool room = draw->taken < sampling->wanted;
    if (room) {
        draw->taken++;
        sampling->keys[sampling->key_count++] = former->key;
        if (is_looked_up(sampling, table) && !sampling->failed) {
            sampling->failed = look_up_note(&sampling->looked[table->number], sampling->verify,
                                            table, former, &sampling->error) != STATUS_OK;
        }
    }
    pthread_mutex_unlock(&sampling->mutex);
    return room;
}

static bool wants(void *context, const struct verify_table *table, enum verify_side side,
                  uint32_t entity, const struct former *former)
{
    struct sampling *sampling = context;
    if (sampling->drawing) {
        pthread_mutex_lock(&sampling->mutex);
        add_rank(&sampling->draws[entity], sampling->wanted, rank_of(sampling, former));
        pthread_mutex_unlock(&sampling->mutex);
        return false;
    }
    if (side == SIDE_SOURCE) {
        return take_drawn(sampling, table, entity, former);
    }
    return bsearch(&former->key, sampling->keys, sampling->key_count, sizeof(former->key),
                   compare_keys) != NULL;
}

/* ---------------------------------------------------------------- spans */

/* Some of each stream's spans, drawn; all of a small one's. */
static void thin_out(const struct sampling *sampling, struct task_list *list)
{
    uint32_t kept = 0;
    for (uint32_t begin = 0; begin < list->count;) {
        uint32_t end = begin;
        while (end < list->count && list->tasks[end].side == list->tasks[begin].side &&
               list->tasks[end].index == list->tasks[begin].index) {
            end++;
        }
        uint32_t spans = end - begin;
        uint32_t wanted = sampling->wanted * SPANS_A_RECORD;
        for (uint32_t i = begin; i < end; i++) {
            uint64_t at[2] = {list->tasks[i].index, i - begin};
            bool drawn = spans <= wanted ||
                         XXH3_64bits_withSeed(at, sizeof(at), sampling->seed) % spans < wanted;
            if (drawn) {
                list->tasks[kept++] = list->tasks[i];
            }
        }
        begin = end;
    }
    list->count = kept;
}

/* The target's tasks for the tables that are not looked up: for a table with ranges its stream's
 * spans. */
static enum status list_target(struct sampling *sampling, const struct task_list *source,
                               struct task_list *list, struct error *error)
{
    struct verify *verify = sampling->verify;
    for (uint32_t i = 0; i < verify->table_count; i++) {
        struct verify_table *table = &verify->tables[i];
        if (is_looked_up(sampling, table)) {
            continue;
        }
        if (table->range_stream == UINT32_MAX) {
            if (steps_list_table(verify, table, list, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
            continue;
        }
        for (uint32_t j = 0; j < source->count; j++) {
            struct verify_task task = source->tasks[j];
            if (task.index != table->range_stream) {
                continue;
            }
            task.side = SIDE_TARGET;
            task.index = table->number;
            steps_add_task(list, task);
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the level */

static void allocate(struct sampling *sampling)
{
    struct verify *verify = sampling->verify;
    uint32_t entities = verify->entity_count;
    sampling->draws = arena_allocate_zeroed(verify->arena, entities + 1u, sizeof(*sampling->draws));
    sampling->keys = arena_allocate_zeroed(verify->arena, (size_t)sampling->wanted * entities + 1,
                                           sizeof(*sampling->keys));
    sampling->looked =
        arena_allocate_zeroed(verify->arena, verify->table_count + 1u, sizeof(*sampling->looked));
    for (uint32_t i = 0; i < entities; i++) {
        sampling->draws[i].ranks =
            arena_allocate_zeroed(verify->arena, sampling->wanted + 1u, sizeof(uint64_t));
    }
}

static enum status look_up(struct sampling *sampling, struct error *error)
{
    struct verify *verify = sampling->verify;
    enum status status = STATUS_OK;
    if (sampling->failed) {
        return error_copy(error, &sampling->error);
    }
    for (uint32_t i = 0; i < verify->table_count && status == STATUS_OK; i++) {
        if (is_looked_up(sampling, &verify->tables[i])) {
            status = look_up_all(&sampling->looked[i], verify, &verify->tables[i], error);
        }
    }
    return status;
}

static enum status read_both(struct sampling *sampling, struct task_list *source,
                             struct task_list *target, struct error *error)
{
    struct verify *verify = sampling->verify;
    struct pass pass = {
        .verify = verify, .act = ACT_SPILL, .wants = wants, .context = sampling, .counts = true};
    const struct spill_options options = {.tables = verify->tables};
    enum status status = spill_create(verify->folder, 0, options, &verify->spill, error);
    pass.tasks = source->tasks;
    pass.task_count = source->count;
    sampling->drawing = true;
    status = status == STATUS_OK ? pass_run(&pass, error) : status;
    sampling->drawing = false;
    pass.counts = false;
    status = status == STATUS_OK ? pass_run(&pass, error) : status;
    qsort(sampling->keys, sampling->key_count, sizeof(*sampling->keys), compare_keys);
    if (status == STATUS_OK) {
        status = list_target(sampling, source, target, error); /* now that the keys are known */
    }
    pass.tasks = target->tasks;
    pass.task_count = target->count;
    status = status == STATUS_OK ? pass_run(&pass, error) : status;
    status = status == STATUS_OK ? look_up(sampling, error) : status;
    return status == STATUS_OK ? known_rejects_feed(&pass, error) : status;
}

enum status steps_sample(struct verify *verify, struct match *match, struct error *error)
{
    struct sampling sampling = {.verify = verify,
                                .wanted = verify->options.sample,
                                .mutex = PTHREAD_MUTEX_INITIALIZER,
                                .seed = verify->options.seed};
    struct task_list source = {0};
    struct task_list target = {0};
    if (sampling.seed == 0) {
        sampling.seed = random_uint64() >> 33 | 1;
    }
    verify->result->seed = sampling.seed;
    match->ignore_extra = true;
    for (uint32_t i = 0; i < verify->table_count; i++) {
        verify->tables[i].bad = true;
    }
    enum status status = STATUS_OK;
    allocate(&sampling);
    for (uint32_t i = 0; i < verify->session->plan->stream_count && status == STATUS_OK; i++) {
        status = steps_list_stream(verify, i, SPAN_ROWS, &source, error);
    }
    thin_out(&sampling, &source);
    status = status == STATUS_OK ? read_both(&sampling, &source, &target, error) : status;
    status = status == STATUS_OK ? match_all(match, error) : status;
    free(source.tasks);
    free(target.tasks);
    for (uint32_t i = 0; sampling.looked != NULL && i < verify->table_count; i++) {
        look_up_free(&sampling.looked[i]);
    }
    /* what was compared, not what was read for it */
    for (uint32_t i = 0; i < verify->entity_count && status == STATUS_OK; i++) {
        atomic_store(&verify->entities[i].made, sampling.draws[i].count);
        verify->entities[i].rejected_clean = 0;
    }
    return status;
}
