/* The thread that keeps a source's log in files while the copy is made. */
#include "engine/follow/feed/spool.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/retry.h"
#include "base/text.h"
#include "engine/follow/feed/spool_file.h"
#include "engine/follow/translate/routes.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { WAIT_MS = 200, SYNC_MS = 1000, PATIENCE_MS = 15 * 60 * 1000 };

struct spool {
    struct run *run;
    const struct feed_functions *functions;
    struct feed *feed; /* NULL: not open */
    struct spool_writer *writer;
    struct arena *arena;
    char *folder;
    struct buffer end;   /* the feed's position behind what is whole in the files */
    struct buffer ahead; /* behind what came whole, and is not durable yet */
    bool moved;          /* … and of which the files say nothing: no change came with it */
    pthread_t thread;
    _Atomic bool stopping;
};

const char *spool_folder(const struct run *run)
{
    return file_join(run->arena, run->folder.spill, arena_format(run->arena, "spool-%s", run->id));
}

/* Else the files would end before what the source has forgotten. */
static enum status note_move(struct spool *spool, struct error *error)
{
    const struct position at = position_kept(&spool->ahead);
    const struct change_set set = {.begin = at, .end = at, .first_piece = true, .last_piece = true};
    spool->moved = false;
    return spool_writer_add(spool->writer, &set, error);
}

static enum status sync_and_confirm(struct spool *spool, struct error *error)
{
    if (spool->ahead.length == 0) {
        return STATUS_OK;
    }
    enum status status = spool->moved ? note_move(spool, error) : STATUS_OK;
    status = status == STATUS_OK ? spool_writer_sync(spool->writer, error) : status;
    if (status == STATUS_OK) {
        position_keep(&spool->end, position_kept(&spool->ahead));
        buffer_clear(&spool->ahead);
        atomic_store(&spool->run->session->progress.follow.spool_bytes,
                     spool_writer_bytes(spool->writer));
        status = spool->functions->confirm(spool->feed, position_kept(&spool->end), error);
    }
    return status;
}

static enum status spool_take(struct spool *spool, struct change_set *set, struct error *error)
{
    bool moves_only = set->first_piece && set->last_piece && set->change_count == 0;
    enum status status = moves_only ? STATUS_OK : spool_writer_add(spool->writer, set, error);
    if (status == STATUS_OK && set->last_piece) {
        position_keep(&spool->ahead, set->end);
        spool->moved = moves_only;
    }
    arena_destroy(set->arena);
    return status;
}

/* Until a failure, or the end. */
static enum status read_on(struct spool *spool, struct error *error)
{
    struct database *source = spool->run->session->source;
    int64_t sync_ms = clock_monotonic_ms() + SYNC_MS;
    enum status status = spool->functions->open(source, spool->run->header.feed,
                                                position_kept(&spool->end), &spool->feed, error);
    while (status == STATUS_OK && !atomic_load(&spool->stopping)) {
        struct change_set *set;
        status = spool->functions->next(spool->feed, WAIT_MS, &set, error);
        status = status == STATUS_OK      ? spool_take(spool, set, error)
                 : status == STATUS_AGAIN ? STATUS_OK
                                          : status;
        if (status == STATUS_OK && clock_monotonic_ms() >= sync_ms) {
            status = sync_and_confirm(spool, error);
            sync_ms = clock_monotonic_ms() + SYNC_MS;
        }
    }
    struct error ignored = {0};
    if (spool->feed != NULL) {
        (void)!sync_and_confirm(spool, &ignored);
        spool->functions->close(spool->feed);
        spool->feed = NULL;
    }
    return status;
}

/* Changes behind the last whole transaction come again: they must not be in the files twice. */
static enum status begin_again(struct spool *spool, struct error *error)
{
    struct position end;
    spool_writer_close(spool->writer);
    spool->writer = NULL;
    spool->moved = false;
    buffer_clear(&spool->ahead);
    if (spool_writer_open(spool->folder, spool->arena, &end, &spool->writer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (end.length > 0) {
        position_keep(&spool->end, end);
    }
    return STATUS_OK;
}

static void *keep_log(void *argument)
{
    struct spool *spool = argument;
    struct error error = {0};
    struct retry retry;
    retry_init(&retry, PATIENCE_MS);
    retry.cancelled = &spool->stopping;
    enum status status = read_on(spool, &error);
    while (status == STATUS_FAILED && retry_wait(&retry, &error)) {
        status = begin_again(spool, &error);
        status = status == STATUS_OK ? read_on(spool, &error) : status;
    }
    if (status == STATUS_FAILED && !atomic_load(&spool->stopping)) {
        log_write(LOG_WARNING,
                  "the source keeps its log from now on, which can't be kept here: %s%s%s",
                  error.object, error.object[0] != '\0' ? ": " : "", error.message);
    }
    return NULL;
}

static void spool_destroy(struct spool *spool)
{
    spool_writer_close(spool->writer);
    buffer_free(&spool->end);
    buffer_free(&spool->ahead);
    free(spool->folder);
    arena_destroy(spool->arena);
    free(spool);
}

enum status spool_begin(struct run *run, struct error *error)
{
    struct run_session *session = run->session;
    const char *folder = spool_folder(run);
    struct position end;
    if (run->header.feed == NULL || (!session->options.follow.spool && !file_exists(folder))) {
        return STATUS_OK;
    }
    struct follow_routes *routes;
    if (follow_routes_make(session, &routes, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    follow_routes_tell(routes, NULL, session);
    follow_routes_free(routes);
    struct spool *spool = memory_allocate_zeroed(1, sizeof *spool);
    spool->run = run;
    spool->functions = session->source->connector->feed;
    spool->arena = arena_create(0);
    spool->folder = memory_copy_string(folder);
    if (spool_writer_open(folder, spool->arena, &end, &spool->writer, error) != STATUS_OK) {
        spool_destroy(spool);
        return STATUS_FAILED;
    }
    position_keep(&spool->end, end.length > 0 ? end : run->header.feed_start);
    int failure = pthread_create(&spool->thread, NULL, keep_log, spool);
    if (failure != 0) {
        spool_destroy(spool);
        return error_set_errno(error, ERROR_INTERNAL, failure, NULL, "can't start a thread");
    }
    run->following.spool = spool;
    return STATUS_OK;
}

void spool_end(struct run *run)
{
    struct spool *spool = run->following.spool;
    if (spool != NULL) {
        atomic_store(&spool->stopping, true);
        pthread_join(spool->thread, NULL);
        spool_destroy(spool);
        run->following.spool = NULL;
    }
}
