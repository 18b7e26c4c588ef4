/* One reading of both sides: tasks, the threads that take them, and what becomes of each record. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "base/signals.h"
#include "engine/copy/sampling.h"
#include "verify/checkpoint.h"
#include "verify/repair.h"
#include "verify/rows.h"
#include "verify/spill.h"
#include "verify/steps.h"
#include "verify/unreadable.h"
#include <stdlib.h>
#define XXH_INLINE_ALL /* most of what is hashed is short: the calls would cost as much as the \
                          work */
#include <xxhash.h>

enum {
    BATCH_ROWS = 2048,
    BATCH_BYTES = 256 << 10,
    WAIT_SLICE_MS = 100,
    LOOK_AGAIN_MS = 1000, /* whether a signal came, where no thread tells */
    SUM_DIGITS_MAX = 1 << 20
};

/* The state that the threads share. */
struct pool {
    struct pass *pass;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint32_t next[2]; /* of each side: no task before it is left */
    uint32_t busy[2];
    uint32_t readers_max[2];
    _Atomic bool stopping;
    bool failed;
    struct error error; /* the first */
};

struct worker_thread {
    struct pool *pool;
    pthread_t thread;
    struct reader *readers[2];
    struct former former;
    struct spiller spiller;
    struct task_sums sums;
    const struct verify_task *task;
    struct error *error;
    bool failed;
};

/* ---------------------------------------------------------------- one record */

static enum status add_number(struct verify_column_sum *sum, const struct former_field *field,
                              struct error *error)
{
    enum value_kind kind = (enum value_kind)field->value.kind;
    if (!value_kind_is_number(kind)) {
        return STATUS_OK;
    }
    sum->numbers++;
    if (kind == VALUE_INT64) {
        sum->whole += field->value.i64;
        return STATUS_OK;
    }
    /* digits that are known need not be found again */
    bool digits = field->raw->kind == VALUE_DECIMAL;
    return decimal_sum_add(&sum->decimal, digits ? field->raw : &field->value) == STATUS_OK
               ? STATUS_OK
               : error_set(error, ERROR_MEMORY, NULL, "no memory for a number");
}

static enum status add_columns(struct worker_thread *worker, const struct verify_table *table,
                               enum verify_side side, struct error *error)
{
    const struct former *former = &worker->former;
    struct verify_column_sum *sums =
        worker->sums.columns[side] + worker->pool->pass->verify->first_column[table->number];
    for (uint32_t i = 0; i < former->count; i++) {
        const struct former_field *field = &former->fields[i];
        if (field->column != UINT32_MAX) {
            struct verify_column_sum *sum = &sums[field->column];
            sum->checksum +=
                XXH3_64bits(former->bytes.data + field->begin, field->end - field->begin);
            if (add_number(sum, field, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
        }
    }
    return STATUS_OK;
}

static void add_sum(struct worker_thread *worker, const struct verify_table *table, bool subtract)
{
    const struct former *former = &worker->former;
    const struct canonical_hash hash = {.low = subtract ? 0 - former->hash.low : former->hash.low,
                                        .high =
                                            subtract ? 0 - former->hash.high : former->hash.high};
    struct canonical_hash *part = &worker->sums.parts[verify_range_part(&former->key)];
    part->low += hash.low;
    part->high += hash.high;
    if (table->buckets != NULL) {
        task_sums_add(&worker->sums, table, verify_bucket(table, &former->key), &hash);
    }
}

/* `range` NULL: the record's is not known. */
static bool is_wanted(const struct pass *pass, const struct verify_table *table,
                      const struct verify_range *range, enum verify_side side, uint32_t entity,
                      const struct former *former)
{
    if (!table->bad) {
        return false;
    }
    if (table->pushed != NULL || table->rows != NULL) {
        return true; /* no others are read */
    }
    if (pass->wants != NULL) {
        return pass->wants(pass->context, table, side, entity, former);
    }
    if (range != NULL && pass->summed) {
        return !verify_sum_is_zero(verify_range_sum(range, verify_range_part(&former->key)));
    }
    return table->buckets == NULL ||
           !verify_bucket_is_even(table, verify_bucket(table, &former->key));
}

/* Is it known by its key alone that it is in a part without differences? Most are, where it is read
 * again, and no more of them needs to be made. */
static bool is_even(struct worker_thread *worker, const struct verify_table *table,
                    const struct record_form *form, const struct cell *cells)
{
    const struct pass *pass = worker->pool->pass;
    const struct verify_range *range = worker->task->range;
    struct former *former = &worker->former;
    struct error ignored = {0};
    if (pass->act != ACT_SPILL || !pass->summed || pass->wants != NULL || range == NULL ||
        table->pushed != NULL || form->fields == NULL || form->key.count == 0) {
        return false;
    }
    return former_take_key(former, form, cells, &ignored) == STATUS_OK && former->has_key &&
           verify_sum_is_zero(verify_range_sum(range, verify_range_part(&former->key)));
}

/* A document that its source could not make out: what the plan made of it was rejected. */
static enum status take_unreadable(struct worker_thread *worker, const struct verify_table *table,
                                   enum verify_side side, const struct batch *batch, uint32_t row,
                                   struct error *error)
{
    struct task_sums *sums = &worker->sums;
    bool counts = worker->pool->pass->counts;
    if (counts && side == SIDE_TARGET) {
        return unreadable_take_record(sums, table, batch, row, error);
    }
    if (counts) {
        sums->entities[batch->entity].made--;
        sums->entities[batch->entity].rejected++;
    }
    return STATUS_OK;
}

static enum status take_record(struct worker_thread *worker, struct verify_table *table,
                               enum verify_side side, const struct batch *batch, uint32_t row,
                               const struct record_form *form, struct error *error)
{
    const struct pass *pass = worker->pool->pass;
    const struct cell *cells = batch_row(batch, row);
    uint32_t entity = side == SIDE_SOURCE ? batch->entity : UINT32_MAX;
    if (form->fields == NULL && cells->kind != VALUE_MAP) {
        return take_unreadable(worker, table, side, batch, row, error);
    }
    if (is_even(worker, table, form, cells)) {
        return STATUS_OK;
    }
    if (former_take(&worker->former, form, cells, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (pass->act == ACT_SUM) {
        if (worker->sums.columns[side] != NULL &&
            add_columns(worker, table, side, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        add_sum(worker, table, side == SIDE_TARGET);
        return STATUS_OK;
    }
    if (!is_wanted(pass, table, worker->task->range, side, entity, &worker->former)) {
        return STATUS_OK;
    }
    struct spill_head head = {.side = (uint32_t)side,
                              .table = table->number,
                              .entity = entity,
                              .task = (uint32_t)(worker->task - pass->tasks),
                              .attempt = worker->task->attempt};
    return spiller_add(&worker->spiller, head, &worker->former, form, error);
}

static enum status take_number_off(struct verify_column_sum *sum, const struct former_field *field,
                                   struct error *error)
{
    struct buffer digits = {0};
    value_print(field->raw->kind == VALUE_DECIMAL ? field->raw : &field->value, SUM_DIGITS_MAX,
                &digits);
    enum status status = verify_take_number_off(sum, digits.data, digits.length, error);
    buffer_free(&digits);
    return status;
}

/* Its bucket is even: the source has it, the target has it not. */
static enum status take_off_columns(struct verify *verify, const struct verify_table *table,
                                    const struct former *former, struct error *error)
{
    enum status status = STATUS_OK;
    if (verify->columns[SIDE_SOURCE] == NULL || table->buckets == NULL) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < former->count && status == STATUS_OK; i++) {
        const struct former_field *field = &former->fields[i];
        if (field->column == UINT32_MAX) {
            continue;
        }
        struct verify_column_sum *sum =
            verify->columns[SIDE_SOURCE] + verify->first_column[table->number] + field->column;
        sum->checksum -= XXH3_64bits(former->bytes.data + field->begin, field->end - field->begin);
        if (value_kind_is_number((enum value_kind)field->value.kind)) {
            status = take_number_off(sum, field, error);
        }
    }
    return status;
}

/* The head of a reject says why it is one where others say their attempt. */
static enum status spill_reject(struct verify *verify, const struct verify_table *table,
                                struct former *former, uint32_t entity, enum error_code code,
                                const struct record_form *form, struct error *error)
{
    struct spiller spiller = {.spill = verify->spill};
    struct spill_head head = {
        .side = SIDE_REJECT, .table = table->number, .entity = entity, .task = SPILL_NO_TASK};
    head.attempt = (uint32_t)code;
    enum status status = spiller_add(&spiller, head, former, form, error);
    spiller_free(&spiller);
    return status;
}

enum status pass_take_reject(struct pass *pass, struct former *former, uint32_t entity,
                             enum error_code code, const struct record_form *form,
                             const struct cell *cells, struct error *error)
{
    struct verify *verify = pass->verify;
    struct verify_table *table = &verify->tables[verify->entities[entity].plan->table];
    bool repairs = verify->options.repair; /* then it is missing as all others are */
    if (pass->counts) {
        verify->entities[entity].rejected_known += !repairs;
    }
    if (pass->act == ACT_COUNT || (pass->act == ACT_SUM && repairs)) {
        return STATUS_OK;
    }
    if (former_take(former, form, cells, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (pass->act == ACT_SUM) {
        if (table->buckets != NULL) {
            verify_sum_add(&table->buckets[verify_bucket(table, &former->key)],
                           0 - former->hash.low, 0 - former->hash.high);
        }
        return STATUS_OK;
    }
    if (!is_wanted(pass, table, NULL, SIDE_REJECT, entity, former)) {
        if (repairs) {
            return STATUS_OK;
        }
        verify->entities[entity].rejected_clean += table->bad;
        return take_off_columns(verify, table, former, error);
    }
    return spill_reject(verify, table, former, entity, code, form, error);
}

static bool has_key(const struct shape *shape, const struct cell *cells)
{
    bool has = shape != NULL && shape->key_field_count > 0;
    for (uint32_t i = 0; has && i < shape->key_field_count; i++) {
        has = cells[shape->key_fields[i]].kind > VALUE_NULL;
    }
    return has;
}

enum status pass_take_refused(struct pass *pass, struct former *former, uint32_t entity,
                              const struct record_form *form, const struct cell *cells,
                              struct error *error)
{
    struct verify *verify = pass->verify;
    const struct verify_table *table = &verify->tables[verify->entities[entity].plan->table];
    if (pass->act == ACT_COUNT || pass->act == ACT_SUM || !verify->mended ||
        !has_key(plan_entity_batch_shape(verify->entities[entity].plan), cells)) {
        return STATUS_OK;
    }
    if (former_take(former, form, cells, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return is_wanted(pass, table, NULL, SIDE_REJECT, entity, former)
               ? spill_reject(verify, table, former, entity, ERROR_NONE, form, error)
               : STATUS_OK;
}

/* ---------------------------------------------------------------- batches */

bool pass_must_stop(const _Atomic bool *stopping)
{
    return (stopping != NULL && atomic_load(stopping)) || signals_stop_level() > 0;
}

static bool must_stop(const struct pool *pool)
{
    return pass_must_stop(&pool->stopping);
}

enum status pass_account(struct verify *verify, enum verify_side side, const _Atomic bool *stopping,
                         uint64_t rows, uint64_t bytes, struct error *error)
{
    struct progress *progress = &verify->session->progress;
    progress_moved(progress, clock_monotonic_ms());
    int64_t wait_ms = throttle_take(&verify->throttle, rows, bytes);
    int64_t until_ms = wait_ms > 0 ? clock_monotonic_ms() + wait_ms : 0;
    if (wait_ms > 0 &&
        failpoint_hit(side == SIDE_SOURCE ? "verify.source_waits" : "verify.target_waits", error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    while ((wait_ms = throttle_left_ms(&verify->throttle, until_ms)) > 0 &&
           !pass_must_stop(stopping)) {
        clock_sleep_ms(wait_ms < WAIT_SLICE_MS ? wait_ms : WAIT_SLICE_MS);
    }
    return pass_must_stop(stopping) ? STATUS_END : STATUS_OK;
}

static enum status account(struct worker_thread *worker, enum verify_side side, uint64_t rows,
                           uint64_t bytes, struct error *error)
{
    struct pool *pool = worker->pool;
    return pass_account(pool->pass->verify, side, &pool->stopping, rows, bytes, error);
}

static enum status take_source_batch(struct worker_thread *worker, const struct batch *batch,
                                     struct error *error)
{
    struct verify *verify = worker->pool->pass->verify;
    struct verify_entity *entity = &verify->entities[batch->entity];
    struct verify_table *table = &verify->tables[entity->plan->table];
    enum status status = STATUS_OK;
    if (worker->pool->pass->counts) {
        worker->sums.entities[batch->entity].made += batch->row_count;
        atomic_fetch_add(&verify->session->progress.entities[batch->entity].written,
                         batch->row_count);
    }
    for (uint32_t row = 0;
         worker->pool->pass->act != ACT_COUNT && row < batch->row_count && status == STATUS_OK;
         row++) {
        status = take_record(worker, table, SIDE_SOURCE, batch, row, &entity->form, error);
    }
    return status;
}

/* Where the source summed its rows itself, what the mapping refuses shows when they are read: their
 * buckets are never even. */
static bool counts_rejects(const struct pass *pass, uint32_t entity)
{
    const struct verify_entity *of = &pass->verify->entities[entity];
    const struct verify_table *table = &pass->verify->tables[of->plan->table];
    return pass->counts || table->pushed != NULL || table->rows != NULL;
}

static enum status count_reject(struct worker_thread *worker, const struct mapper_reject *reject)
{
    struct verify *verify = worker->pool->pass->verify;
    struct own_counts *own = &worker->sums.entities[reject->entity];
    enum status status = STATUS_OK;
    own->rejected++;
    own->made -= !worker->pool->pass->counts;
    if (verify->repair != NULL) {
        const struct plan *plan = verify->session->plan;
        const struct plan_stream *stream = &plan->streams[plan->entities[reject->entity].stream];
        pthread_mutex_lock(&verify->sums_mutex);
        status = repair_unmade(verify->repair, stream, reject, worker->error);
        pthread_mutex_unlock(&verify->sums_mutex);
    }
    return status;
}

/* The engine's reading hands over what the plan makes. */
static enum status take_parcel(void *context, struct parcel *parcel)
{
    struct worker_thread *worker = context;
    const struct pass *pass = worker->pool->pass;
    enum status status = must_stop(worker->pool) ? STATUS_END : STATUS_OK;
    worker->sums.rows += parcel->root_rows;
    for (uint32_t i = 0; i < parcel->batch_count && status == STATUS_OK; i++) {
        status = take_source_batch(worker, parcel->batches[i], worker->error);
    }
    for (uint32_t i = 0; i < parcel->reject_count && status == STATUS_OK; i++) {
        if (counts_rejects(pass, parcel->rejects[i].entity)) {
            status = count_reject(worker, &parcel->rejects[i]);
        }
    }
    parcel_destroy(parcel);
    worker->failed = worker->failed || status == STATUS_FAILED;
    return status == STATUS_OK ? STATUS_OK : STATUS_END;
}

/* The source's rows, those of lists too, are accounted for. */
static enum status account_source(void *context, uint64_t rows, uint64_t bytes)
{
    struct worker_thread *worker = context;
    enum status status = account(worker, SIDE_SOURCE, rows, bytes, worker->error);
    worker->failed = worker->failed || status == STATUS_FAILED;
    return status == STATUS_OK ? STATUS_OK : STATUS_END;
}

static enum status read_source(struct worker_thread *worker, struct error *error)
{
    const struct verify *verify = worker->pool->pass->verify;
    const struct verify_table *table = verify_pushed_table(verify, worker->task);
    struct run_session *session = verify->session;
    const struct verify_task *task = worker->task;
    struct plan_stream asked =
        table != NULL ? table->pushed->stream : session->plan->streams[task->index];
    struct cell cells[ROWS_KEYS_A_TASK];
    if (task->keys != NULL) {
        rows_ask(task, verify->tables[task->table].rows, cells, &asked.request);
    }
    worker->error = error;
    worker->failed = false;
    enum status status =
        sampling_read_through(session, worker->readers[SIDE_SOURCE], &asked, task->span,
                              take_parcel, account_source, worker, error);
    return worker->failed ? STATUS_FAILED : status;
}

static enum status take_target_batch(struct worker_thread *worker, struct verify_table *table,
                                     const struct batch *batch, struct error *error)
{
    const struct pass *pass = worker->pool->pass;
    enum status status = account(worker, SIDE_TARGET, batch->row_count, batch_bytes(batch), error);
    worker->sums.rows += batch->row_count;
    if (pass->counts) {
        worker->sums.target_rows += batch->row_count;
        status = status == STATUS_OK ? unreadable_take(&worker->sums, table, batch, error) : status;
    }
    for (uint32_t row = 0; pass->act != ACT_COUNT && row < batch->row_count && status == STATUS_OK;
         row++) {
        status = take_record(worker, table, SIDE_TARGET, batch, row, &table->form, error);
    }
    return status;
}

static enum status read_target(struct worker_thread *worker, struct error *error)
{
    struct verify *verify = worker->pool->pass->verify;
    const struct source_functions *source = verify->session->mirror->connector->source;
    struct verify_table *table = &verify->tables[worker->task->index];
    struct read_request asked =
        table->pushed != NULL ? table->pushed->request[SIDE_TARGET] : table->request;
    struct cell cells[ROWS_KEYS_A_TASK];
    struct cursor *cursor;
    struct batch *batch;
    if (worker->task->keys != NULL) {
        rows_ask(worker->task, table->rows, cells, &asked);
    }
    enum status status = source->cursor_open(worker->readers[SIDE_TARGET], &asked,
                                             worker->task->span, &cursor, error);
    if (status != STATUS_OK) {
        return status;
    }
    while ((status = source->cursor_next(cursor, BATCH_ROWS, BATCH_BYTES, &batch, error)) ==
           STATUS_OK) {
        status = take_target_batch(worker, table, batch, error);
        batch_destroy(batch);
        if (status != STATUS_OK) {
            break;
        }
    }
    source->cursor_close(cursor);
    return status == STATUS_END && !must_stop(worker->pool) ? STATUS_OK : status;
}

/* The database sums its rows itself. */
static enum status sum_pushed(struct worker_thread *worker, struct verify_table *table,
                              struct error *error)
{
    const struct verify_task *task = worker->task;
    struct verify *verify = worker->pool->pass->verify;
    uint32_t entity = table->plan->entities[0];
    struct task_sums *sums = &worker->sums;
    uint64_t bytes;
    enum status status = steps_sum_pushed(sums, table, task->side, worker->readers[task->side],
                                          task->span, &bytes, error);
    if (status != STATUS_OK) {
        return must_stop(worker->pool) ? STATUS_END : status;
    }
    if (task->side == SIDE_SOURCE) {
        sums->entities[entity].made += sums->rows;
        atomic_fetch_add(&verify->session->progress.entities[entity].written, sums->rows);
    } else {
        sums->target_rows += sums->rows;
    }
    return account(worker, task->side, sums->rows, bytes, error);
}

/* ---------------------------------------------------------------- threads */

static enum status open_reader(struct worker_thread *worker, enum verify_side side,
                               struct error *error)
{
    struct verify *verify = worker->pool->pass->verify;
    struct database *mirror = verify->session->mirror;
    struct reader **reader = &worker->readers[side];
    enum status status = STATUS_OK;
    if (*reader != NULL) {
        return STATUS_OK;
    }
    pthread_mutex_lock(&worker->pool->mutex);
    if (side == SIDE_SOURCE) {
        status = session_reader_open(verify->session, reader, error);
    } else if (verify->spare_reader_count > 0) {
        *reader = verify->spare_readers[--verify->spare_reader_count];
    } else {
        status = mirror->connector->source->reader_open(mirror, reader, error);
    }
    pthread_mutex_unlock(&worker->pool->mutex);
    return status;
}

void pass_tell_of_side(enum verify_side side, struct error *error)
{
    if (error->code == ERROR_SOURCE_MISSING) {
        error_recode(error, ERROR_SOURCE_READ); /* it was there: exit status 2 touches nothing */
    }
    if ((error->code == ERROR_SOURCE_READ || error->code == ERROR_SOURCE_CHANGED) &&
        (side == SIDE_TARGET || error->hint[0] == '\0')) {
        error_hint(error,
                   "nothing was changed; once nobody writes to the %s, run `transhume "
                   "validate` again",
                   side == SIDE_SOURCE ? "source" : "target");
    }
    if (side == SIDE_TARGET) {
        error_context(error, "the target: ");
    }
}

/* Nobody sees a part of what the task added up. */
static enum status give_sums(struct worker_thread *worker, struct verify_task *task,
                             struct error *error)
{
    const struct pass *pass = worker->pool->pass;
    struct verify *verify = pass->verify;
    bool kept = pass->counts && verify->checkpoint != NULL;
    pthread_mutex_lock(&verify->sums_mutex);
    enum status status = task_sums_give(&worker->sums, task, error);
    if (status == STATUS_OK) {
        task->done = kept; /* another reading may be of the same tasks */
    } else if (kept) {
        checkpoint_spoil(verify->checkpoint); /* they may hold a part of it */
    }
    pthread_mutex_unlock(&verify->sums_mutex);
    if (status == STATUS_OK && kept) {
        checkpoint_tick(verify->checkpoint);
    }
    return status;
}

/* Both sides of a range, each row with its partner. */
static enum status compare_rows(struct worker_thread *worker, struct verify_task *task,
                                struct error *error)
{
    struct verify *verify = worker->pool->pass->verify;
    struct verify_table *table = &verify->tables[task->table];
    struct task_sums *sums = &worker->sums;
    uint32_t entity = table->plan->entities[0];
    struct rows_reading reading = {.verify = verify,
                                   .table = table,
                                   .range = task->rows,
                                   .readers = worker->readers,
                                   .stopping = &worker->pool->stopping};
    if (open_reader(worker, SIDE_SOURCE, error) != STATUS_OK ||
        open_reader(worker, SIDE_TARGET, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = rows_compare(&reading, error);
    if (status != STATUS_OK) {
        if (status == STATUS_FAILED) {
            pass_tell_of_side(reading.side, error);
        }
        return status;
    }
    sums->rows += reading.row_count[SIDE_SOURCE] + reading.row_count[SIDE_TARGET];
    sums->entities[entity].made += reading.row_count[SIDE_SOURCE];
    atomic_fetch_add(&verify->session->progress.entities[entity].written,
                     reading.row_count[SIDE_SOURCE]);
    atomic_fetch_add(&table->target_rows, reading.row_count[SIDE_TARGET]);
    return give_sums(worker, task, error);
}

static enum status run_task(struct worker_thread *worker, struct verify_task *task,
                            struct error *error)
{
    worker->task = task;
    if (task->rows != NULL) {
        return compare_rows(worker, task, error);
    }
    if (open_reader(worker, task->side, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct verify_table *pushed = worker->pool->pass->act == ACT_SUM
                                      ? verify_pushed_table(worker->pool->pass->verify, task)
                                      : NULL;
    enum status status = pushed != NULL              ? sum_pushed(worker, pushed, error)
                         : task->side == SIDE_SOURCE ? read_source(worker, error)
                                                     : read_target(worker, error);
    if (status == STATUS_FAILED) {
        pass_tell_of_side(task->side, error);
    }
    return status == STATUS_OK ? give_sums(worker, task, error) : status;
}

/* False: there is none left. The side with fewer readers at work goes first, so that both sides are
 * read at the same time. */
static bool take_task(struct pool *pool, struct verify_task **task)
{
    const struct pass *pass = pool->pass;
    bool found = false;
    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        bool left = false;
        uint32_t first = pool->busy[SIDE_TARGET] < pool->busy[SIDE_SOURCE];
        for (uint32_t i = 0; i < 2 && !found; i++) {
            uint32_t side = i == 0 ? first : !first;
            while (pool->next[side] < pass->task_count &&
                   (pass->tasks[pool->next[side]].side != side ||
                    pass->tasks[pool->next[side]].done)) {
                pool->next[side]++;
            }
            if (pool->next[side] == pass->task_count) {
                continue;
            }
            left = true;
            if (pool->busy[side] < pool->readers_max[side]) {
                pool->busy[side]++;
                *task = &pass->tasks[pool->next[side]++];
                found = true;
            }
        }
        if (found || !left || must_stop(pool)) {
            break;
        }
        condition_wait(&pool->changed, &pool->mutex, LOOK_AGAIN_MS);
    }
    pthread_mutex_unlock(&pool->mutex);
    return found;
}

static void end_task(struct pool *pool, const struct verify_task *task, enum status status,
                     const struct error *error)
{
    pthread_mutex_lock(&pool->mutex);
    pool->busy[task->side]--;
    if (status == STATUS_FAILED && !pool->failed) {
        pool->failed = true;
        pool->error = *error;
        atomic_store(&pool->stopping, true);
    }
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
}

static void *thread_main(void *argument)
{
    struct worker_thread *worker = argument;
    struct verify_task *task;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && take_task(worker->pool, &task)) {
        struct error error = {0};
        status = run_task(worker, task, &error);
        end_task(worker->pool, task, status, &error);
    }
    return NULL;
}

/* ---------------------------------------------------------------- the pool */

static void worker_init(struct worker_thread *worker, struct pool *pool)
{
    struct verify *verify = pool->pass->verify;
    worker->pool = pool;
    worker->spiller.spill = verify->spill;
    task_sums_init(&worker->sums, verify, pool->pass->act == ACT_SUM);
    former_init(&worker->former, verify->session->target);
}

/* Its readers go to the next pass: a snapshot is taken for so many and no more. */
static void worker_end(struct worker_thread *worker)
{
    struct verify *verify = worker->pool->pass->verify;
    if (worker->readers[SIDE_SOURCE] != NULL) {
        session_reader_keep(verify->session, worker->readers[SIDE_SOURCE]);
    }
    if (worker->readers[SIDE_TARGET] != NULL) {
        verify->spare_readers[verify->spare_reader_count++] = worker->readers[SIDE_TARGET];
    }
    task_sums_free(&worker->sums);
    former_free(&worker->former);
    spiller_free(&worker->spiller);
}

void pass_close_readers(struct verify *verify)
{
    const struct database *mirror = verify->session->mirror;
    while (verify->spare_reader_count > 0) {
        mirror->connector->source->reader_close(
            verify->spare_readers[--verify->spare_reader_count]);
    }
}

static uint32_t readers_of(const struct run_session *session, const struct database *database)
{
    uint32_t limit = database->limits.readers_max;
    uint32_t jobs = session->options.limits.jobs;
    return limit != 0 && limit < jobs ? limit : jobs;
}

enum status pass_run(struct pass *pass, struct error *error)
{
    struct run_session *session = pass->verify->session;
    struct pool pool = {.pass = pass, .mutex = PTHREAD_MUTEX_INITIALIZER};
    pool.readers_max[SIDE_SOURCE] = readers_of(session, session->source);
    pool.readers_max[SIDE_TARGET] = readers_of(session, session->mirror);
    uint32_t count = pool.readers_max[SIDE_SOURCE] + pool.readers_max[SIDE_TARGET];
    if (pass->act == ACT_ROWS) { /* a thread reads both */
        count = pool.readers_max[SIDE_SOURCE] < pool.readers_max[SIDE_TARGET]
                    ? pool.readers_max[SIDE_SOURCE]
                    : pool.readers_max[SIDE_TARGET];
    }
    count = count > session->options.limits.jobs ? session->options.limits.jobs : count;
    count = count > VERIFY_THREADS_MAX ? VERIFY_THREADS_MAX : count < 1 ? 1 : count;
    struct worker_thread *workers = memory_allocate_zeroed(count, sizeof(*workers));
    uint32_t running = 0;
    enum status status = STATUS_OK;
    condition_init(&pool.changed);
    while (running < count && status == STATUS_OK) {
        struct worker_thread *worker = &workers[running];
        worker_init(worker, &pool);
        if (pthread_create(&worker->thread, NULL, thread_main, worker) != 0) {
            status = error_set(error, ERROR_MEMORY, NULL, "no thread to be had");
            atomic_store(&pool.stopping, true);
            worker_end(worker);
            break;
        }
        running++;
    }
    for (uint32_t i = 0; i < running; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    for (uint32_t i = 0; i < running; i++) {
        worker_end(&workers[i]);
    }
    free(workers);
    pthread_cond_destroy(&pool.changed);
    pthread_mutex_destroy(&pool.mutex);
    if (status == STATUS_OK && pool.failed) {
        *error = pool.error;
        status = STATUS_FAILED;
    }
    return status == STATUS_OK && signals_stop_level() > 0 ? STATUS_END : status;
}

enum status pass_run_bad(struct pass *pass, struct error *error)
{
    struct task_list list = {0};
    enum status status = steps_list_bad(pass->verify, &list, error);
    pass->tasks = list.tasks;
    pass->task_count = list.count;
    status = status == STATUS_OK ? pass_run(pass, error) : status;
    status = status == STATUS_OK ? known_rejects_feed(pass, error) : status;
    free(list.tasks);
    return status;
}
