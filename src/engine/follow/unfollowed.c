/* Streams that are not followed any more. */
#include "engine/follow/unfollowed.h"

#include "base/log.h"
#include "engine/follow/adopt.h"
#include "engine/ledger/json_text.h"
#include "engine/ledger/ledger_positions.h"
#include <jansson.h>
#include <string.h>

static const char intent_name[] = "left";

static const char *stream_name(const struct run *run, uint32_t stream)
{
    return run->session->plan->streams[stream].name;
}

/* ---- the ledger's list */

static enum status put_list(struct run *run, const struct follow_translator *translator,
                            struct error *error)
{
    json_t *streams = json_object();
    const char *text;
    for (uint32_t i = 0; i < run->session->plan->stream_count; i++) {
        const char *reason = follow_translator_left(translator, i);
        if (reason != NULL) {
            json_object_set_new(streams, stream_name(run, i), json_text(reason));
        }
    }
    json_t *object = json_pack("{s:i,s:o}", "format", CONTROL_FORMAT, "streams", streams);
    return json_to_arena(object, run->arena, &text, error) == STATUS_OK
               ? ledger_put_intent(run->session->ledger, run->id, intent_name, text, error)
               : STATUS_FAILED;
}

/* The list as it stands; NULL: there is none. */
static enum status read_list(struct run *run, json_t **object, struct error *error)
{
    const char *text;
    *object = NULL;
    enum status status =
        ledger_get_intent(run->session->ledger, run->id, intent_name, run->arena, &text, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    return json_from_text(text, "what is not followed", ERROR_LEDGER_INVALID, object, error);
}

static enum status take_list(struct run *run, struct follow_translator *translator,
                             struct error *error)
{
    json_t *object;
    if (read_list(run, &object, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < run->session->plan->stream_count; i++) {
        const char *reason =
            json_member_text(json_object_get(object, "streams"), stream_name(run, i), NULL);
        if (reason != NULL) {
            follow_translator_leave(translator, i, reason);
        }
    }
    json_decref(object);
    return STATUS_OK;
}

enum status unfollowed_look(struct run *run, struct error *error)
{
    json_t *object;
    const struct plan *plan = run->session->plan;
    struct run_left *list =
        arena_allocate_zeroed(run->arena, plan->stream_count + 1u, sizeof *list);
    uint32_t count = 0;
    if (read_list(run, &object, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        const char *reason =
            json_member_text(json_object_get(object, "streams"), stream_name(run, i), NULL);
        if (reason != NULL) {
            list[count++] =
                (struct run_left){stream_name(run, i), arena_copy_string(run->arena, reason)};
        }
    }
    json_decref(object);
    run->following.left = list;
    run->following.left_count = count;
    return STATUS_OK;
}

/* ---- telling */

static void unfollowed_show(struct run *run, const struct follow_translator *translator)
{
    const struct plan *plan = run->session->plan;
    struct run_left *list =
        arena_allocate_zeroed(run->arena, plan->stream_count + 1u, sizeof *list);
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        const char *reason = follow_translator_left(translator, i);
        if (reason != NULL) {
            /* status tells it once the translator is gone, too */
            list[count++] =
                (struct run_left){stream_name(run, i), arena_copy_string(run->arena, reason)};
        }
    }
    pthread_mutex_lock(&run->state_mutex);
    run->following.left = list;
    run->following.left_count = count;
    pthread_mutex_unlock(&run->state_mutex);
}

enum status unfollowed_note(struct run *run, struct follow_translator *translator,
                            struct error *error)
{
    uint32_t before = run->following.left_count;
    if (!follow_translator_has_left(translator)) {
        return STATUS_OK;
    }
    unfollowed_show(run, translator);
    if (run->following.left_count == before) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < run->following.left_count; i++) {
        log_event(
            LOG_ERROR,
            EVENT_OF(EVENT_ERROR, .table = run->following.left[i].name, .code = "not-followed"),
            "%s is not followed any more, the rest goes on: %s; then `transhume follow "
            "--resync`",
            run->following.left[i].name, run->following.left[i].reason);
    }
    return put_list(run, translator, error);
}

/* ---- leaving */

enum status unfollowed_by_table(struct run *run, const struct follow_routes *routes,
                                struct follow_translator *translator, struct touched_roots *touched,
                                const char *table, const char *column, struct error *error)
{
    return unfollowed_for(
        run, routes, translator, touched, table,
        arena_format(run->arena,
                     "the column %s of %s is gone or another one; put it back, or "
                     "leave it so",
                     column, table),
        error);
}

enum status unfollowed_for(struct run *run, const struct follow_routes *routes,
                           struct follow_translator *translator, struct touched_roots *touched,
                           const char *table, const char *reason, struct error *error)
{
    for (uint32_t i = 0; i < routes->stream_count; i++) {
        if (!follow_routes_read(routes, i, table) ||
            follow_translator_left(translator, i) != NULL) {
            continue;
        }
        follow_translator_leave(translator, i, reason);
        if (touched != NULL) {
            touched_roots_drop(touched, i);
        }
    }
    return unfollowed_note(run, translator, error);
}

enum status unfollowed_refused(struct run *run, const struct follow_routes *routes,
                               struct follow_translator *translator, struct error *error)
{
    for (uint32_t i = 0; i < routes->stream_count; i++) {
        if (routes->refused[i] != NULL && follow_translator_left(translator, i) == NULL) {
            follow_translator_leave(translator, i, routes->refused[i]);
        }
    }
    return unfollowed_note(run, translator, error);
}

enum status unfollowed_take(struct run *run, struct follow_translator *translator,
                            struct error *error)
{
    enum status status = take_list(run, translator, error);
    return status == STATUS_OK ? unfollowed_note(run, translator, error) : status;
}

enum status unfollowed_forget(struct run *run, struct follow_translator *translator,
                              struct error *error)
{
    if (adopt_accept_gone(run, error) != STATUS_OK ||
        ledger_delete_intent(run->session->ledger, run->id, intent_name, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < run->session->plan->stream_count; i++) {
        follow_translator_leave(translator, i, NULL);
    }
    unfollowed_show(run, translator);
    return STATUS_OK;
}
