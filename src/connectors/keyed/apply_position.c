/*
 * The position of an apply, as the store keeps it. Where records are guarded by the time of their
 * writes, that time stands beside it before the first one is sent:
 *
 *   {"format":3,"epoch":0,"position":"BASE64","time":1790000000000000}
 *
 * so that what follows a crash is newer than what the crash left on its way, whatever the clocks
 * say. Every put has the version of the one before as its condition, by which of two processes all
 * but the last one to open it are told that they are behind.
 */
#include "connectors/keyed/apply_internal.h"

#include "connectors/common/store_position.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* OPENS_MAX: of processes that open it at the same time. */
enum { OPENS_MAX = 5 };

static const char time_member[] = ",\"time\":";

static int64_t time_in(const struct store_value *value)
{
    const char *found = strstr(value->text, time_member);
    return found != NULL ? strtoll(found + sizeof(time_member) - 1, NULL, 10) : 0;
}

enum status keyed_apply_position(struct apply *apply, struct arena *arena,
                                 struct position *position, struct error *error)
{
    struct store_value value = {0};
    *position = (struct position){0};
    enum status status =
        apply->database->connector->store->get(apply->store, apply->key, arena, &value, error);
    if (status == STATUS_OK) {
        status = store_position_read(apply->key, value.text, value.length, arena, position, error);
    }
    if (status == STATUS_FAILED) {
        return status;
    }
    apply->version = status == STATUS_OK ? value.version : STORE_ABSENT;
    apply->time_us = status == STATUS_OK ? time_in(&value) : 0;
    buffer_clear(&apply->position);
    if (position->length > 0) {
        buffer_append(&apply->position, position->bytes, position->length);
    }
    return position->length > 0 ? STATUS_OK : STATUS_END; /* a time may stand there alone */
}

static enum status fenced(const struct apply *apply, struct error *error)
{
    return store_position_fenced(apply->key, apply->database->connector->title, error);
}

enum status keyed_apply_check_position(struct apply *apply, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct store_value value = {0};
    enum status status =
        apply->database->connector->store->get(apply->store, apply->key, arena, &value, error);
    arena_destroy(arena);
    if (status == STATUS_FAILED) {
        return status;
    }
    uint64_t found = status == STATUS_OK ? value.version : STORE_ABSENT;
    return found == apply->version ? STATUS_OK : fenced(apply, error);
}

/* A put whose answer was lost is refused when it is sent again: what stands there tells.
 * STATUS_AGAIN: it is another one. */
static enum status is_ours(struct apply *apply, const struct buffer *text, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct store_value value = {0};
    enum status status =
        apply->database->connector->store->get(apply->store, apply->key, arena, &value, error);
    if (status != STATUS_FAILED &&
        (status == STATUS_END || value.version != apply->version + 1 ||
         value.length != text->length || memcmp(value.text, text->data, text->length) != 0)) {
        status = STATUS_AGAIN;
    }
    arena_destroy(arena);
    return status;
}

/* STATUS_AGAIN: somebody else moved it. */
static enum status apply_position_put(struct apply *apply, const struct position *position,
                                      int64_t time_us, struct error *error)
{
    struct buffer text = {0};
    uint64_t version;
    store_position_append(position, &text);
    if (time_us != 0) {
        text.length--; /* the closing brace */
        buffer_format(&text, "%s%" PRId64 "}", time_member, time_us);
    }
    enum status status = apply->database->connector->store->put_if(
        apply->store, apply->key, text.data, text.length, apply->version, &version, error);
    if (status == STATUS_AGAIN) {
        status = is_ours(apply, &text, error);
    }
    buffer_free(&text);
    if (status == STATUS_OK) {
        apply->version++;
        apply->time_us = time_us;
    }
    return status;
}

static struct position own_position(const struct apply *apply)
{
    return (struct position){.bytes = (const uint8_t *)apply->position.data,
                             .length = (uint32_t)apply->position.length};
}

static enum status put_time(struct apply *apply, struct error *error)
{
    const struct position position = own_position(apply);
    int64_t time_us = apply->room->service->time(apply->database, apply->time_us);
    return apply_position_put(apply, &position, time_us, error);
}

enum status keyed_apply_open_position(struct apply *apply, struct error *error)
{
    struct position position;
    struct arena *arena = arena_create(0);
    enum status status = STATUS_AGAIN;
    for (int tries = 0; status == STATUS_AGAIN && tries < OPENS_MAX; tries++) {
        status = keyed_apply_position(apply, arena, &position, error);
        if (status != STATUS_FAILED && apply->room->service->time != NULL) {
            status = put_time(apply, error);
        }
    }
    arena_destroy(arena);
    return status == STATUS_FAILED  ? STATUS_FAILED
           : status == STATUS_AGAIN ? fenced(apply, error)
                                    : STATUS_OK;
}

enum status keyed_apply_take_time(struct apply *apply, struct error *error)
{
    if (apply->room->service->time == NULL) {
        return STATUS_OK;
    }
    enum status status = put_time(apply, error);
    return status == STATUS_AGAIN ? fenced(apply, error) : status;
}

enum status keyed_apply_put_position(struct apply *apply, const struct position *position,
                                     struct error *error)
{
    enum status status = keyed_hit(apply->room, KEYED_POINT_BEFORE_APPLY, error);
    status =
        status == STATUS_OK ? apply_position_put(apply, position, apply->time_us, error) : status;
    if (status != STATUS_OK) {
        return status == STATUS_AGAIN ? fenced(apply, error) : STATUS_FAILED;
    }
    buffer_clear(&apply->position);
    if (position->length > 0) {
        buffer_append(&apply->position, position->bytes, position->length);
    }
    return keyed_hit(apply->room, KEYED_POINT_AFTER_APPLY, error);
}
