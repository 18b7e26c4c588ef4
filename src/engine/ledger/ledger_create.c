/* Making a run: its parts first, then the key by which it exists, then its scopes. */
#include "engine/ledger/ledger_internal.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/ledger/json_text.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAGE_BYTES = 32 * 1024,
    PAIRS_MAX = 64,
    CLOSING_LOOK_MS = 200,
    CLOSING_WAIT_MS = 15000,
    TRIES_MAX = 5,
    PUBLISH_TRIES_MAX = 1000
};

/* Parts of a run on their way into the store, several at once where it can. */
struct parts {
    struct ledger *ledger;
    const char *run_id;
    struct arena *arena;
    struct store_pair pairs[PAIRS_MAX];
    uint32_t count;
    struct ledger_sum *sum;
    uint32_t piece_count;
    uint32_t page_count;
};

static enum status put_parts_singly(struct parts *parts, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < parts->count && status == STATUS_OK; i++) {
        status = ledger_put(parts->ledger, parts->ledger->store, parts->pairs[i].key,
                            parts->pairs[i].text, STORE_ABSENT, NULL, error);
    }
    return status == STATUS_AGAIN ? error_set(error, ERROR_LEDGER_INVALID, parts->run_id,
                                              "another run has this run's id")
                                  : status;
}

static enum status flush_parts(struct parts *parts, struct error *error)
{
    const struct store_functions *functions = parts->ledger->functions;
    enum status status = STATUS_AGAIN;
    if (functions->put_many != NULL && parts->count > 0) {
        status = functions->put_many(parts->ledger->store, parts->pairs, parts->count, error);
    }
    if (status == STATUS_AGAIN) {
        status = put_parts_singly(parts, error);
    }
    parts->count = 0;
    arena_reset(parts->arena);
    return status;
}

static enum status add_part(struct parts *parts, const char *key, const char *text, size_t length,
                            struct error *error)
{
    if (parts->count == PAIRS_MAX && flush_parts(parts, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    parts->pairs[parts->count++] =
        (struct store_pair){.key = arena_copy_string(parts->arena, key),
                            .text = arena_copy(parts->arena, text, length),
                            .length = length};
    return STATUS_OK;
}

/* Each piece ends at a whole character. */
static enum status add_header(struct parts *parts, const char *header, struct error *error)
{
    size_t left = strlen(header);
    enum status status = STATUS_OK;
    while ((left > 0 || parts->piece_count == 0) && status == STATUS_OK) {
        char key[STORE_KEY_BYTES];
        size_t piece = text_clip(header, left, LEDGER_PIECE_BYTES);
        ledger_key(key, parts->run_id, "/header/%06" PRIu32, parts->piece_count++);
        ledger_sum_add(parts->sum, header, piece);
        status = add_part(parts, key, header, piece, error);
        header += piece;
        left -= piece;
    }
    return status;
}

static void append_chunk(struct buffer *page, const struct ledger_chunk *chunk)
{
    const struct span *span = &chunk->span;
    buffer_format(page, "{\"number\":%" PRIu64 ",\"stream\":%" PRIu32 ",\"rows\":%" PRId64,
                  chunk->number, chunk->stream, span->row_estimate);
    if (span->printable != NULL) {
        buffer_append_string(page, ",\"text\":");
        json_append_string(page, span->printable, strlen(span->printable));
    }
    if (span->bounds != NULL) {
        buffer_append_string(page, ",\"bounds\":");
        json_append_base64(page, span->bounds, span->bounds_length);
    }
    if (span->last_id != NULL) {
        buffer_append_string(page, ",\"last\":");
        json_append_string(page, span->last_id, strlen(span->last_id));
    }
    buffer_append_byte(page, '}');
}

static enum status add_page(struct parts *parts, struct buffer *page, struct error *error)
{
    char key[STORE_KEY_BYTES];
    buffer_append_string(page, "]}");
    ledger_key(key, parts->run_id, "/chunks/%08" PRIu32, parts->page_count++);
    ledger_sum_add(parts->sum, page->data, page->length);
    enum status status = add_part(parts, key, page->data, page->length, error);
    buffer_clear(page);
    return status;
}

static enum status add_chunks(struct parts *parts, const struct ledger_chunk *chunks,
                              uint64_t count, struct error *error)
{
    struct buffer page = {0};
    enum status status = STATUS_OK;
    for (uint64_t i = 0; i < count && status == STATUS_OK; i++) {
        if (buffer_is_empty(&page)) {
            buffer_format(&page, "{\"format\":%d,\"chunks\":[", LEDGER_FORMAT);
        } else {
            buffer_append_byte(&page, ',');
        }
        append_chunk(&page, &chunks[i]);
        if (page.length >= PAGE_BYTES || i + 1 == count) {
            status = add_page(parts, &page, error);
        }
    }
    buffer_free(&page);
    return status;
}

/* The pieces, and the key by which they stand; loading a run does not read them. */
static enum status add_learnt(struct parts *parts, const struct ledger_new_run *run,
                              struct error *error)
{
    char key[STORE_KEY_BYTES];
    char hex[33];
    const char *text = run->learnt;
    size_t left = run->learnt_length;
    uint32_t count = 0;
    enum status status = STATUS_OK;
    if (text == NULL) {
        return STATUS_OK;
    }
    struct ledger_sum *sum = ledger_sum_begin();
    while (left > 0 && status == STATUS_OK) {
        size_t piece = text_clip(text, left, LEDGER_PIECE_BYTES);
        ledger_learnt_key(key, run->id, 1, count++);
        ledger_sum_add(sum, text, piece);
        status = add_part(parts, key, text, piece, error);
        text += piece;
        left -= piece;
    }
    ledger_sum_end(sum, hex);
    if (status != STATUS_OK) {
        return status;
    }
    struct arena *arena = arena_create(1024);
    ledger_key(key, run->id, "/mapping");
    const char *head = ledger_text(ledger_learnt_head(1, count, hex), arena);
    status = add_part(parts, key, head, strlen(head), error);
    arena_destroy(arena);
    return status;
}

static enum status add_ends(struct parts *parts, const struct ledger_new_run *run,
                            struct error *error)
{
    char key[STORE_KEY_BYTES];
    char hex[33];
    ledger_sum_end(parts->sum, hex);
    parts->sum = NULL;
    json_t *head = ledger_object();
    json_object_set_new(head, "created_at", json_stamp(clock_utc_us()));
    json_object_set_new(head, "pieces", json_integer(parts->piece_count));
    json_object_set_new(head, "pages", json_integer(parts->page_count));
    json_object_set_new(head, "chunks", json_integer((json_int_t)run->chunk_count));
    json_object_set_new(head, "tables", json_texts(run->tables, run->table_count));
    json_object_set_new(head, "xxh3", json_string(hex));
    struct arena *arena = arena_create(0);
    ledger_key(key, run->id, "/head");
    const char *text = ledger_text(head, arena);
    enum status status = add_part(parts, key, text, strlen(text), error);
    json_t *leader = ledger_object();
    json_object_set_new(leader, "epoch", json_integer(0));
    if (status == STATUS_OK) {
        ledger_key(key, run->id, "/leader");
        text = ledger_text(leader, arena);
        status = add_part(parts, key, text, strlen(text), error);
    } else {
        json_decref(leader);
    }
    if (status == STATUS_OK) {
        ledger_key(key, run->id, "/status");
        status = add_part(parts, key, run->status, strlen(run->status), error);
    }
    arena_destroy(arena);
    return status;
}

static enum status put_parts(struct ledger *ledger, const struct ledger_new_run *run,
                             struct error *error)
{
    struct parts parts = {
        .ledger = ledger, .run_id = run->id, .arena = arena_create(0), .sum = ledger_sum_begin()};
    char ignored[33];
    char prefix[STORE_KEY_BYTES];
    ledger_key(prefix, run->id, "/");
    enum status status = ledger_delete_prefix(ledger, prefix, error); /* of a killed creation */
    status = status == STATUS_OK ? ledger_learnt_forget(ledger, run->id, error) : status;
    if (status == STATUS_OK) {
        /* in the order of their keys, in which ledger_load sums them */
        status = add_chunks(&parts, run->chunks, run->chunk_count, error);
    }
    if (status == STATUS_OK) {
        status = add_header(&parts, run->header, error);
    }
    if (status == STATUS_OK) {
        status = add_learnt(&parts, run, error);
    }
    if (status == STATUS_OK) {
        status = add_ends(&parts, run, error);
    }
    if (status == STATUS_OK) {
        status = flush_parts(&parts, error);
    }
    if (parts.sum != NULL) {
        ledger_sum_end(parts.sum, ignored);
    }
    arena_destroy(parts.arena);
    return status;
}

/* From here on the run exists. Its number is behind those of the others, and never that of a run
 * that was removed: whoever still removes that one would remove this. */
static enum status ledger_create_publish(struct ledger *ledger, const char *run_id,
                                         struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct ledger_runs runs;
    struct arena *arena = arena_create(0);
    enum status status = ledger_read_runs(ledger, arena, &runs, error);
    uint64_t number = status == STATUS_OK && runs.count > 0 ? runs.items[runs.count - 1].number : 0;
    uint64_t now_us = (uint64_t)clock_utc_us();
    number = number > now_us ? number : now_us;
    json_t *object = ledger_object();
    json_object_set_new(object, "run", json_text(run_id));
    if (ledger->target_hash[0] != '\0') {
        json_object_set_new(object, "target", json_string(ledger->target_hash));
    }
    const char *text = ledger_text(object, arena);
    bool done = false;
    for (uint32_t tries = 0; status == STATUS_OK && !done; tries++) {
        snprintf(key, sizeof(key), "runs/%016" PRIu64, ++number);
        status = ledger_put(ledger, ledger->store, key, text, STORE_ABSENT, NULL, error);
        done = status == STATUS_OK;
        if (status == STATUS_AGAIN && tries < PUBLISH_TRIES_MAX) {
            status = STATUS_OK;
        }
    }
    arena_destroy(arena);
    return status == STATUS_AGAIN ? ledger_damaged(ledger, "its list of runs has no end", error)
                                  : status;
}

/* STATUS_END: the place is not about to be removed. STATUS_AGAIN: it was, and is gone now. */
static enum status wait_for_closing(struct ledger *ledger, struct error *error)
{
    struct arena *arena = arena_create(1024);
    struct store_value value;
    int64_t until_ms = clock_monotonic_ms() + CLOSING_WAIT_MS;
    enum status status = ledger_get(ledger, "closing", arena, &value, error);
    bool waited = status == STATUS_OK;
    if (waited) {
        log_write(LOG_INFO, "waiting for the ledger of finished runs to be removed");
    }
    while (status == STATUS_OK && clock_monotonic_ms() < until_ms) {
        clock_sleep_ms(CLOSING_LOOK_MS);
        status = ledger_get(ledger, "closing", arena, &value, error);
    }
    if (status == STATUS_OK) {
        error_set(error, ERROR_RUN_HELD, "ledger",
                  "another process began to remove it, and did not finish");
        error_hint(error, "`transhume finish` again, or the interrupted `transhume rollback`, "
                          "finishes that");
        status = STATUS_FAILED;
    }
    arena_destroy(arena);
    return status == STATUS_END && waited ? STATUS_AGAIN : status;
}

static enum status unpublish(struct ledger *ledger, const char *run_id, struct error *error)
{
    struct error ignored;
    if (ledger_leave_scopes(ledger, run_id, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return ledger_remove_parts(ledger, run_id, &ignored);
}

/* The text that stands in the place as long as it is one and the same: that of the first run that
 * was begun in it. STATUS_AGAIN: it is gone. */
static enum status read_place(struct ledger *ledger, struct arena *arena, const char **place,
                              struct error *error)
{
    struct store_value value;
    enum status status = ledger_get(ledger, "begun", arena, &value, error);
    *place = status == STATUS_OK ? value.text : NULL;
    return status == STATUS_END ? STATUS_AGAIN : status;
}

static enum status mark_place(struct ledger *ledger, const char *run_id, struct arena *arena,
                              const char **place, struct error *error)
{
    json_t *object = ledger_object();
    json_object_set_new(object, "begun_by", json_text(run_id));
    json_object_set_new(object, "begun_ns", json_integer(clock_monotonic_ns()));
    enum status status = ledger_put(ledger, ledger->store, "begun", ledger_text(object, arena),
                                    STORE_ABSENT, NULL, error);
    return status == STATUS_FAILED ? status : read_place(ledger, arena, place, error);
}

/* STATUS_AGAIN: another run is in the way (`*other` set), or the place was removed meanwhile. */
static enum status create_once(struct ledger *ledger, const struct ledger_new_run *run,
                               struct arena *arena, const char **place, const char **other,
                               const char **table, struct error *error)
{
    struct error ignored;
    *place = NULL;
    enum status status = ledger->functions->create(ledger->store, error);
    if (status == STATUS_OK) {
        status = wait_for_closing(ledger, error);
    }
    if (status != STATUS_END) {
        return status;
    }
    status = mark_place(ledger, run->id, arena, place, error);
    status = status == STATUS_OK ? ledger_sweep_gone(ledger, error) : status;
    if (status == STATUS_OK) {
        status =
            ledger_find_conflict(ledger, run->tables, run->table_count, arena, other, table, error);
        *other = status == STATUS_OK ? *other : NULL;
        status = status == STATUS_OK ? STATUS_AGAIN : status == STATUS_END ? STATUS_OK : status;
    }
    if (status != STATUS_OK || failpoint_hit("ledger.before_parts", error) != STATUS_OK) {
        return status == STATUS_OK ? STATUS_FAILED : status;
    }
    if (put_parts(ledger, run, error) != STATUS_OK ||
        failpoint_hit("ledger.before_publish", error) != STATUS_OK ||
        ledger_create_publish(ledger, run->id, error) != STATUS_OK ||
        failpoint_hit("ledger.after_publish", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    status = ledger_take_scopes(ledger, run->id, run->tables, run->table_count, arena, other, table,
                                error);
    if (status == STATUS_AGAIN) {
        (void)!unpublish(ledger, run->id, &ignored);
    }
    return status;
}

/*
 * Who removes the place puts `closing` and then looks for runs; who makes a run puts it and then
 * looks for `closing`, so that one of them sees the other. If the place was removed in between,
 * `closing` and the run are gone with it: STATUS_AGAIN. So are some of the run's parts if it was
 * removed while they were put, and another process has made it anew: it is another place then.
 */
static enum status outlive_closing(struct ledger *ledger, const char *run_id, const char *place,
                                   struct arena *arena, enum status made, struct error *error)
{
    bool there = false;
    const char *now = NULL;
    struct error waiting;
    if (made == STATUS_AGAIN || (made == STATUS_FAILED && error->code != ERROR_TARGET_MISSING)) {
        return made;
    }
    if (wait_for_closing(ledger, &waiting) == STATUS_FAILED ||
        ledger_exists(ledger, run_id, &there, &waiting) != STATUS_OK ||
        read_place(ledger, arena, &now, &waiting) == STATUS_FAILED) {
        error_copy(error, &waiting);
        return STATUS_FAILED;
    }
    if (place != NULL && now != NULL && strcmp(place, now) == 0) {
        return there ? made : STATUS_AGAIN;
    }
    return there && unpublish(ledger, run_id, error) != STATUS_OK ? STATUS_FAILED : STATUS_AGAIN;
}

enum status ledger_create(struct ledger *ledger, const struct ledger_new_run *run,
                          struct arena *arena, const char **other, const char **table,
                          struct error *error)
{
    enum status status = STATUS_AGAIN;
    const char *place = NULL;
    *other = NULL;
    *table = NULL;
    for (uint32_t tries = 0; status == STATUS_AGAIN && *other == NULL && tries < TRIES_MAX;
         tries++) {
        status = create_once(ledger, run, arena, &place, other, table, error);
        *other = status == STATUS_AGAIN ? *other : NULL;
        status = outlive_closing(ledger, run->id, place, arena, status, error);
    }
    if (status == STATUS_AGAIN && *other == NULL) {
        return error_set(error, ERROR_RUN_HELD, "ledger",
                         "other processes keep removing the ledger");
    }
    return status == STATUS_OK ? failpoint_hit("ledger.after_create", error) : status;
}
