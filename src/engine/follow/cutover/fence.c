/* The fence of a cut-over: taking it, watching it, giving it back. */
#include "engine/follow/cutover/fence.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/retry.h"
#include "base/signals.h"
#include "connectors/common/registry.h"
#include "engine/ledger/json_text.h"
#include "engine/session/opening.h"
#include "engine/session/options.h"
#include "engine/session/session.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    WATCH_MS = 50,
    HOOK_TIMEOUT_MS = 10 * 60 * 1000,
    RELEASE_PATIENCE_MS = 1000, /* of a source that is away for a moment */
    FILE_BYTES_MAX = 4096
};
static const char file_name[] = "fence.json";

struct fence {
    struct fence_settings settings;
    struct arena *arena;
    const struct connector *connector;
    struct database *source; /* a connection of its own; NULL: not opened */
    const char *feed;
    const char *file; /* fence.json */
    bool noted;       /* in the ledger; the control thread's */
    int64_t taken_ms; /* monotonic; 0: never */
    int64_t ended_ms;
    int64_t taken_us; /* UTC */
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* the state, or `releasing` */
    enum fence_state state;
    enum fence_end end;
    bool tried;     /* to release it, with all patience */
    bool releasing; /* by one of the threads, which lets go of the mutex meanwhile */
    bool watched;   /* the thread is to be joined */
    pthread_t watcher;
    struct error failure; /* of the release; FENCE_STUCK */
};

struct fence *fence_create(const struct fence_settings *settings)
{
    struct fence *fence = memory_allocate_zeroed(1, sizeof *fence);
    fence->settings = *settings;
    fence->arena = arena_create(0);
    pthread_mutex_init(&fence->mutex, NULL);
    condition_init(&fence->changed);
    return fence;
}

static void stop_watching(struct fence *fence)
{
    pthread_mutex_lock(&fence->mutex);
    bool watched = fence->watched;
    fence->watched = false;
    pthread_cond_broadcast(&fence->changed);
    pthread_mutex_unlock(&fence->mutex);
    if (watched) {
        pthread_join(fence->watcher, NULL);
    }
}

void fence_destroy(struct fence *fence)
{
    if (fence == NULL) {
        return;
    }
    stop_watching(fence);
    signals_stop_at(0);
    if (fence->source != NULL) {
        fence->connector->close(fence->source);
    }
    pthread_cond_destroy(&fence->changed);
    pthread_mutex_destroy(&fence->mutex);
    arena_destroy(fence->arena);
    free(fence);
}

/* ---- fence.json */

static enum status note_file(const struct fence *fence, bool sealed, struct error *error)
{
    json_t *object = json_pack("{s:i,s:o,s:o,s:I,s:s,s:s}", "format", CONTROL_FORMAT, "feed",
                               json_text(fence->feed), "since", json_stamp(fence->taken_us),
                               "since_us", (json_int_t)fence->taken_us, "by",
                               fence->settings.close_command != NULL ? "command" : "feed", "state",
                               sealed ? "sealed" : "held");
    const char *text;
    return json_to_arena(object, fence->arena, &text, error) == STATUS_OK
               ? file_write_atomic(fence->file, text, strlen(text), NULL, error)
               : STATUS_FAILED;
}

int64_t fence_look(const char *state_folder, bool *sealed)
{
    json_t *object = json_from_file(state_folder, file_name, FILE_BYTES_MAX);
    int64_t since_us = json_member_integer(object, "since_us", 0);
    *sealed = object != NULL && strcmp(json_member_text(object, "state", ""), "sealed") == 0;
    json_decref(object);
    return since_us;
}

/* ---- closing and opening */

static enum status run_command(const char *option, const char *command, struct error *error)
{
    const char *const arguments[] = {"/bin/sh", "-c", command, NULL};
    log_write(LOG_INFO, "cut-over: running the command of %s", option);
    if (process_run(arguments, "", 0, HOOK_TIMEOUT_MS, error) == STATUS_OK) {
        return STATUS_OK;
    }
    error_recode(error, ERROR_CUT_OVER);
    error_context(error, "the command of %s: ", option);
    return STATUS_FAILED;
}

static enum status close_source(struct fence *fence, const char *const *tables,
                                uint32_t table_count, struct error *error)
{
    if (fence->settings.close_command != NULL) {
        return run_command("--fence", fence->settings.close_command, error);
    }
    return fence->connector->feed->fence(fence->source, fence->feed, tables, table_count, true,
                                         error);
}

static enum status refuse_own_command(struct error *error)
{
    error_set(error, ERROR_CUT_OVER, "--fence",
              "a command has stopped the writers, and there is "
              "none that lets them write again");
    return error_hint(error, "undo what it did; or name the command that does: `transhume cutover "
                             "--back --confirm --unfence COMMAND`");
}

static enum status open_source(struct fence *fence, struct error *error)
{
    enum status status;
    struct retry retry;
    retry_init(&retry, RELEASE_PATIENCE_MS);
    do {
        status = failpoint_hit("fence.before_release", error);
        if (status == STATUS_OK && fence->settings.close_command == NULL) {
            status =
                fence->connector->feed->fence(fence->source, fence->feed, NULL, 0, false, error);
        } else if (status == STATUS_OK) {
            status = fence->settings.open_command != NULL
                         ? run_command("--unfence", fence->settings.open_command, error)
                         : refuse_own_command(error);
        }
    } while (status == STATUS_FAILED && !fence->tried && retry_wait(&retry, error));
    fence->tried = true;
    return status;
}

enum status fence_open(const struct run_session *session, const char *feed, bool by_command,
                       const char *open_command, struct error *error)
{
    struct database *source = session->source;
    struct retry retry;
    bool before = signals_shield(true);
    enum status status = STATUS_OK;
    if (by_command && open_command == NULL) {
        status = STATUS_END;
    } else if (by_command) {
        status = run_command("--unfence", open_command, error);
    } else if (source->connector->feed->fence != NULL) {
        retry_init(&retry, session->options.limits.timeout_ms);
        do { /* whoever holds a lock of the source lets go of it */
            status = source->connector->feed->fence(source, feed, NULL, 0, false, error);
        } while (status == STATUS_FAILED && retry_wait(&retry, error));
    }
    if (status == STATUS_OK) {
        (void)remove(arena_format(session->arena, "%s/%s", session->state_path, file_name));
    }
    (void)signals_shield(before);
    return status;
}

/* ---- giving it back */

/* With the mutex, which is let go of meanwhile; one thread at a time. */
static void release_locked(struct fence *fence, enum fence_end end)
{
    struct error error = {0};
    while (fence->releasing) {
        (void)condition_wait(&fence->changed, &fence->mutex, WATCH_MS);
    }
    if (fence->state != FENCE_HELD && fence->state != FENCE_STUCK) {
        return;
    }
    fence->releasing = true;
    pthread_mutex_unlock(&fence->mutex);
    bool before = signals_shield(true);
    enum status status = open_source(fence, &error);
    if (status == STATUS_OK) {
        (void)remove(fence->file);
    }
    (void)signals_shield(before);
    pthread_mutex_lock(&fence->mutex);
    fence->releasing = false;
    fence->end = fence->end == FENCE_NEVER_TAKEN ? end : fence->end;
    fence->state = status == STATUS_OK ? FENCE_OPEN : FENCE_STUCK;
    fence->ended_ms = clock_monotonic_ms();
    fence->failure = error;
    pthread_cond_broadcast(&fence->changed);
}

enum status fence_release(struct fence *fence, struct error *error)
{
    pthread_mutex_lock(&fence->mutex);
    if (!(fence->settings.keeps && fence->state == FENCE_HELD)) {
        release_locked(fence, FENCE_RELEASED);
    }
    enum status status =
        fence->state == FENCE_STUCK ? error_copy(error, &fence->failure) : STATUS_OK;
    pthread_mutex_unlock(&fence->mutex);
    signals_stop_at(0);
    return status;
}

static bool is_overdue(const struct fence *fence)
{
    return clock_monotonic_ms() >= fence->taken_ms + fence->settings.max_pause_ms;
}

static void *fence_watch(void *context)
{
    struct fence *fence = context;
    pthread_mutex_lock(&fence->mutex);
    while (fence->watched && fence->state == FENCE_HELD) {
        bool overdue = is_overdue(fence);
        if (fence->releasing || (!overdue && signals_stop_level() == 0)) {
            (void)condition_wait(&fence->changed, &fence->mutex, WATCH_MS);
            continue;
        }
        if (fence->settings.keeps) {
            fence->end = overdue ? FENCE_OVERDUE : FENCE_STOPPED;
            break;
        }
        release_locked(fence, overdue ? FENCE_OVERDUE : FENCE_STOPPED);
    }
    pthread_mutex_unlock(&fence->mutex);
    return NULL;
}

/* ---- taking it */

static enum status begin_watching(struct fence *fence, struct error *error)
{
    fence->watched = true;
    int fault = pthread_create(&fence->watcher, NULL, fence_watch, fence);
    if (fault == 0) {
        return STATUS_OK;
    }
    fence->watched = false;
    return error_set_errno(error, ERROR_INTERNAL, fault, "fence", "no thread can be started");
}

static enum status open_connection(struct fence *fence, const struct run_session *session,
                                   struct error *error)
{
    struct uri *uri;
    fence->file = arena_format(fence->arena, "%s/%s", session->state_path, file_name);
    fence->connector = session->source->connector;
    if (fence->settings.close_command != NULL || fence->source != NULL) {
        return STATUS_OK;
    }
    if (fence->connector->feed->fence == NULL) {
        error_set(error, ERROR_CUT_OVER, session->source_uri->shown,
                  "%s can't be kept from being written by this program", fence->connector->title);
        return error_hint(error, "name commands that do it: --fence COMMAND --unfence COMMAND");
    }
    if (registry_resolve(session->source_uri->text, fence->arena, &uri, &fence->connector, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    uri->password = session->source_uri->password;
    const struct open_options open = {.mode = OPEN_SOURCE,
                                      .uri = uri,
                                      .memory_bytes = options_cache_bytes(&session->options),
                                      .timeout_ms = session->options.limits.timeout_ms,
                                      .schemas = session->options.selection.schemas,
                                      .recovers = true};
    return opening_open(fence->connector, uri, &open, fence->arena, &fence->source, error);
}

static void fence_hold(struct fence *fence, enum fence_state state)
{
    pthread_mutex_lock(&fence->mutex);
    fence->state = state;
    fence->end = FENCE_NEVER_TAKEN;
    pthread_mutex_unlock(&fence->mutex);
}

static void start_pause(struct fence *fence, const char *feed)
{
    fence->feed = arena_copy_string(fence->arena, feed);
    fence->taken_us = clock_utc_us();
    fence->taken_ms = clock_monotonic_ms();
}

enum status fence_take(struct fence *fence, const struct run_session *session, const char *feed,
                       const char *const *tables, uint32_t table_count, struct error *error)
{
    if (open_connection(fence, session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    start_pause(fence, feed);
    if (note_file(fence, false, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    signals_stop_at(fence->taken_ms + fence->settings.max_pause_ms);
    enum status status = close_source(fence, tables, table_count, error);
    fence_hold(fence, FENCE_HELD);
    if (status != STATUS_OK) { /* perhaps closed in part, which nobody wants to keep */
        bool overdue = is_overdue(fence);
        signals_stop_at(0);
        pthread_mutex_lock(&fence->mutex);
        release_locked(fence, overdue ? FENCE_OVERDUE : FENCE_RELEASED);
        pthread_mutex_unlock(&fence->mutex);
        return STATUS_FAILED;
    }
    status = begin_watching(fence, error);
    status = status == STATUS_OK ? failpoint_hit("cutover.after_fence", error) : status;
    return status;
}

enum status fence_adopt(struct fence *fence, const struct run_session *session, const char *feed,
                        bool sealed, struct error *error)
{
    if (open_connection(fence, session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    start_pause(fence, feed);
    fence_hold(fence, sealed ? FENCE_SEALED : FENCE_HELD);
    if (sealed) {
        return STATUS_OK;
    }
    signals_stop_at(fence->taken_ms + fence->settings.max_pause_ms);
    return begin_watching(fence, error);
}

/* ---- does it stand */

static enum status refuse_ended(const struct fence *fence, struct error *error)
{
    int64_t ended_ms = fence->ended_ms != 0 ? fence->ended_ms : clock_monotonic_ms();
    if (fence->end == FENCE_STOPPED) {
        return error_set(error, ERROR_INTERRUPTED, "cutover",
                         "the cut-over was stopped on request");
    }
    error_set(error, ERROR_CUT_OVER, "cutover",
              "writers were kept waiting for %" PRId64 " ms, longer than --max-pause allows",
              ended_ms - fence->taken_ms);
    return error_hint(error,
                      "wait for a quieter time, or allow more with --max-pause; a comparison "
                      "beforehand (`transhume validate`) and --no-validate make it shorter");
}

enum status fence_check(struct fence *fence, struct error *error)
{
    pthread_mutex_lock(&fence->mutex);
    /* who heeds the deadline may notice it before the watcher does */
    bool late = fence->state == FENCE_HELD && is_overdue(fence);
    bool stands = !late && (fence->end == FENCE_NEVER_TAKEN || fence->end == FENCE_RELEASED);
    enum status status = stands ? STATUS_OK : refuse_ended(fence, error);
    pthread_mutex_unlock(&fence->mutex);
    return status;
}

enum status fence_seal(struct fence *fence, struct error *error)
{
    struct error ignored = {0};
    pthread_mutex_lock(&fence->mutex);
    while (fence->releasing) {
        (void)condition_wait(&fence->changed, &fence->mutex, WATCH_MS);
    }
    bool stands = fence->state == FENCE_HELD || fence->state == FENCE_SEALED;
    fence->state = stands ? FENCE_SEALED : fence->state;
    enum status status = stands ? STATUS_OK : refuse_ended(fence, error);
    pthread_mutex_unlock(&fence->mutex);
    if (status == STATUS_OK) {
        signals_stop_at(0);
        status = note_file(fence, true, &ignored);
        if (status != STATUS_OK) {
            log_write(LOG_WARNING, "%s: %s", ignored.object, ignored.message);
        }
        return STATUS_OK;
    }
    return status;
}

void fence_finish(struct fence *fence)
{
    fence->noted = false;
    (void)remove(fence->file);
}

void fence_unseal(struct fence *fence)
{
    pthread_mutex_lock(&fence->mutex);
    fence->state = fence->state == FENCE_SEALED ? FENCE_HELD : fence->state;
    pthread_mutex_unlock(&fence->mutex);
}

enum fence_state fence_state(struct fence *fence)
{
    pthread_mutex_lock(&fence->mutex);
    enum fence_state state = fence->state;
    pthread_mutex_unlock(&fence->mutex);
    return state;
}

enum fence_end fence_end(struct fence *fence)
{
    pthread_mutex_lock(&fence->mutex);
    enum fence_end end = fence->end;
    pthread_mutex_unlock(&fence->mutex);
    return end;
}

void fence_set_noted(struct fence *fence, bool noted)
{
    fence->noted = noted;
}

bool fence_is_noted(const struct fence *fence)
{
    return fence->noted;
}

bool fence_is_kept(const struct fence *fence)
{
    return fence->settings.keeps;
}

int64_t fence_paused_ms(struct fence *fence)
{
    pthread_mutex_lock(&fence->mutex);
    int64_t ended_ms = fence->state == FENCE_OPEN ? fence->ended_ms : clock_monotonic_ms();
    int64_t paused_ms = fence->taken_ms != 0 ? ended_ms - fence->taken_ms : 0;
    pthread_mutex_unlock(&fence->mutex);
    return paused_ms;
}

void fence_append_end(struct fence *fence, struct buffer *out)
{
    static const char back[] = "`transhume cutover --back --confirm` lets them write again";
    int64_t paused_ms = fence_paused_ms(fence);
    const char *closed = fence->settings.returns ? "target" : "source";
    switch (fence_state(fence)) {
    case FENCE_OPEN:
        if (fence->taken_ms != 0) {
            buffer_format(out,
                          "the %s's writers write again, after %" PRId64
                          " ms; `transhume follow` continues",
                          closed, paused_ms);
        }
        break;
    case FENCE_HELD:
        buffer_format(out,
                      "the %s's writers are still stopped, as --keep-fence says; this command "
                      "again continues, %s",
                      closed, back);
        break;
    case FENCE_SEALED:
        buffer_format(out,
                      "the %s's writers are still stopped, since the application may be at the "
                      "%s already; this command again continues, %s",
                      closed, fence->settings.returns ? "source" : "target", back);
        break;
    case FENCE_STUCK:
        buffer_format(out,
                      "the %s's writers are STILL STOPPED, since they could not be let in: %s: "
                      "%s; %s, as the next `transhume follow` does",
                      closed, fence->failure.object, fence->failure.message,
                      fence->settings.close_command != NULL
                          ? "undo what the command of --fence did, or give --unfence COMMAND: "
                            "`transhume cutover --back --confirm` runs it"
                          : back);
        break;
    }
}
