/*
 * The first pass over a table's files, on as many threads as there are processors: plain files of
 * lines are cut into pieces, packed ones and arrays are a piece each, and what the pieces showed is
 * joined in their order, so that it is what one thread would have learnt.
 */
#include "connectors/jsonl/infer.h"

#include "base/clock.h"
#include "base/memory.h"
#include <stdlib.h>
#include <unistd.h>

enum {
    PIECE_BYTES_MIN = 4 * 1024 * 1024,
    PIECES_A_FILE_MAX = 32,
    THREADS_MAX = 16,
    /* pieces read but not joined yet, as one before them is slow, and what they hold together */
    AHEAD_MAX = 64,
    AHEAD_BYTES_MAX = 8 * 1024 * 1024,
    LOOK_AGAIN_MS = 1000
};

struct work {
    const struct jsonl_database *database;
    const struct folder_table *table;
    bool tags;
    struct folder_notice notice;
    struct jsonl_piece *pieces;
    struct learning **learnings; /* one a piece, once it is read */
    uint32_t count;
    pthread_mutex_t mutex; /* guards what follows */
    struct learning *joined;
    uint32_t taken;
    size_t ahead_bytes;   /* of what is read and not joined */
    uint32_t next;        /* the piece that is joined next */
    pthread_cond_t joins; /* `next` or `failed_piece` has changed */
    uint32_t failed_piece;
    struct error error;
};

static bool may_cut(const struct folder_table *table, uint32_t file)
{
    return folder_compression_of(table->files[file].name) == FOLDER_PLAIN &&
           !table->format_data->arrays[file];
}

static uint32_t pieces_of(const struct folder_table *table, uint32_t number)
{
    const struct folder_file *file = &table->files[number];
    if (file->bytes == 0) {
        return 0;
    }
    uint64_t pieces =
        may_cut(table, number) ? (file->bytes + PIECE_BYTES_MIN - 1) / PIECE_BYTES_MIN : 1;
    return pieces < PIECES_A_FILE_MAX ? (uint32_t)pieces : PIECES_A_FILE_MAX;
}

static void infer_pass_cut(struct work *work)
{
    const struct folder_table *table = work->table;
    uint32_t count = 0;
    for (uint32_t file = 0; file < table->file_count; file++) {
        count += pieces_of(table, file);
    }
    work->pieces = memory_allocate_zeroed((size_t)count + 1, sizeof(*work->pieces));
    work->learnings = memory_allocate_zeroed((size_t)count + 1, sizeof(struct learning *));
    for (uint32_t file = 0; file < table->file_count; file++) {
        uint64_t bytes = table->files[file].bytes;
        uint32_t pieces = pieces_of(table, file);
        bool plain = folder_compression_of(table->files[file].name) == FOLDER_PLAIN;
        for (uint32_t piece = 0; piece < pieces; piece++) {
            work->pieces[work->count++] =
                (struct jsonl_piece){.file = file,
                                     .begin = bytes / pieces * piece,
                                     .end = !plain               ? 0
                                            : piece + 1 < pieces ? bytes / pieces * (piece + 1)
                                                                 : bytes};
        }
    }
}

/* With the mutex held: the first piece that failed is told. */
static void infer_pass_fail(struct work *work, uint32_t piece, const struct error *error)
{
    if (piece < work->failed_piece) {
        work->failed_piece = piece;
        error_copy(&work->error, error);
    }
    pthread_cond_broadcast(&work->joins);
}

/* With the mutex held. */
static void infer_pass_join(struct work *work)
{
    struct error error;
    error_clear(&error);
    for (; work->next < work->count && work->learnings[work->next] != NULL; work->next++) {
        if (jsonl_learning_merge(work->joined, work->learnings[work->next], &error) != STATUS_OK) {
            infer_pass_fail(work, work->next, &error);
        }
        work->ahead_bytes -= jsonl_learning_bytes(work->learnings[work->next]);
        jsonl_learning_destroy(work->learnings[work->next]);
        work->learnings[work->next] = NULL;
    }
    pthread_cond_broadcast(&work->joins);
}

static bool is_far_ahead(const struct work *work)
{
    return work->taken >= work->next + AHEAD_MAX ||
           (work->taken > work->next && work->ahead_bytes > AHEAD_BYTES_MAX);
}

/* With the mutex held: waits while too many pieces are kept. Who reads piece `next` never waits. */
static bool may_take(struct work *work)
{
    while (work->taken < work->count && work->failed_piece == UINT32_MAX && is_far_ahead(work)) {
        condition_wait(&work->joins, &work->mutex, LOOK_AGAIN_MS);
    }
    return work->taken < work->count && work->failed_piece == UINT32_MAX;
}

static void *work_on(void *argument)
{
    struct work *work = (struct work *)argument;
    pthread_mutex_lock(&work->mutex);
    while (may_take(work)) {
        uint32_t number = work->taken++;
        struct error error;
        pthread_mutex_unlock(&work->mutex);
        error_clear(&error);
        struct learning *learning =
            jsonl_learning_create(work->database, work->table, work->tags, &work->notice);
        enum status status = jsonl_learning_read(learning, &work->pieces[number], &error);
        pthread_mutex_lock(&work->mutex);
        work->learnings[number] = learning;
        if (status != STATUS_OK) {
            infer_pass_fail(work, number, &error);
        } else {
            work->ahead_bytes += jsonl_learning_bytes(learning);
            infer_pass_join(work);
        }
    }
    pthread_mutex_unlock(&work->mutex);
    return NULL;
}

static void run_workers(struct work *work)
{
    pthread_t threads[THREADS_MAX];
    uint32_t started = 0;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t wanted = processors > 1 ? (uint32_t)processors : 1;
    wanted = wanted < THREADS_MAX ? wanted : THREADS_MAX;
    wanted = wanted < work->count ? wanted : work->count;
    /* without threads this one does the work alone */
    while (started + 1 < wanted && pthread_create(&threads[started], NULL, work_on, work) == 0) {
        started++;
    }
    work_on(work);
    while (started > 0) {
        pthread_join(threads[--started], NULL);
    }
}

enum status jsonl_infer(const struct jsonl_database *database, const struct folder_table *table,
                        struct arena *arena, struct folder_table_data *data, struct error *error)
{
    struct work work = {
        .database = database, .table = table, .tags = data->tags, .failed_piece = UINT32_MAX};
    condition_init(&work.joins);
    pthread_mutex_init(&work.mutex, NULL);
    folder_notice_begin(&work.notice, table, 0, table->file_count, arena);
    infer_pass_cut(&work);
    work.joined = jsonl_learning_create(database, table, data->tags, &work.notice);
    run_workers(&work);
    enum status status = STATUS_FAILED;
    if (work.failed_piece != UINT32_MAX) {
        error_copy(error, &work.error);
    } else {
        status = jsonl_learning_finish(work.joined, arena, data, error);
    }
    for (uint32_t at = 0; at < work.count; at++) {
        jsonl_learning_destroy(work.learnings[at]);
    }
    jsonl_learning_destroy(work.joined);
    free(work.learnings);
    free(work.pieces);
    pthread_cond_destroy(&work.joins);
    pthread_mutex_destroy(&work.mutex);
    return status;
}
