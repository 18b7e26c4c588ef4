/* The feed: the log itself, from a position (a byte offset) on. */
#include "base/clock.h"
#include "base/text.h"
#include "toy_internal.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct feed {
    struct toy_database *self;
    uint64_t offset;
};

struct feeding {
    struct batch *batch;
    char *table;
    uint32_t rows_max;
};

static enum status visit_nothing(void *context, const struct toy_entry *entry, struct error *error)
{
    (void)context;
    (void)entry;
    (void)error;
    return STATUS_OK;
}

static enum status toy_position(struct database *database, struct arena *arena,
                                const char **position, struct error *error)
{
    uint64_t end = 0;
    enum status status = toy_log_walk(toy_of(database), 0, visit_nothing, NULL, &end, error);
    if (status == STATUS_OK) {
        *position = arena_format(arena, "%" PRIu64, end);
        status = *position ? STATUS_OK
                           : error_set(error, ERROR_MEMORY, NULL, "no memory for a position");
    }
    return status;
}

static enum status toy_feed_open(struct database *database, const char *position,
                                 struct feed **feed, struct error *error)
{
    uint64_t offset;
    if (text_to_uint64(position, strlen(position), &offset) != STATUS_OK) {
        return error_set(error, ERROR_BAD_VALUE, position, "this is no position of a toy feed");
    }
    *feed = malloc(sizeof **feed);
    if (!*feed) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a feed");
    }
    **feed = (struct feed){toy_of(database), offset};
    return STATUS_OK;
}

static enum status add_change(struct feeding *feeding, const struct toy_entry *entry,
                              struct error *error)
{
    struct batch *batch = feeding->batch;
    size_t used;
    struct cell map;
    char *bytes = arena_copy(batch->arena, entry->value, entry->value_length);
    struct cell *row = bytes ? batch_append(batch) : NULL;
    if (!row) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a change");
    }
    enum status status =
        toy_decode((const uint8_t *)bytes, entry->value_length, batch->arena, &map, &used, error);
    if (status == STATUS_OK) {
        row[0] = map;
        batch->envelopes[batch->row_count - 1] = (struct record_envelope){
            .operation = entry->kind == TOY_DELETE ? RECORD_DELETE : RECORD_INSERT,
            .source_position = entry->offset,
        };
    }
    return status;
}

/* Takes entries of one table, up to rows_max; stops before the first of another one. */
static enum status feed_visit(void *context, const struct toy_entry *entry, struct error *error)
{
    struct feeding *feeding = context;
    if (entry->kind != TOY_PUT && entry->kind != TOY_DELETE) {
        return STATUS_OK;
    }
    if (!feeding->table) {
        feeding->table = arena_copy(feeding->batch->arena, entry->table, entry->table_length);
        if (!feeding->table) {
            return error_set(error, ERROR_MEMORY, NULL, "no memory for a change");
        }
    }
    bool same = strlen(feeding->table) == entry->table_length &&
                memcmp(feeding->table, entry->table, entry->table_length) == 0;
    if (!same || feeding->batch->row_count == feeding->rows_max) {
        return STATUS_END;
    }
    return add_change(feeding, entry, error);
}

static enum status feed_once(struct feed *feed, struct batch **batch, const char **table,
                             const char **position, struct error *error)
{
    struct feeding feeding = {.batch = batch_create(NULL, 1, 256), .rows_max = 256};
    if (!feeding.batch || batch_add_envelopes(feeding.batch) != STATUS_OK) {
        batch_destroy(feeding.batch);
        return error_set(error, ERROR_MEMORY, NULL, "no memory for changes");
    }
    /* The walk's end counts the entry that stopped it, so the last one taken is found by its
     * place. */
    uint64_t begin = feed->offset;
    enum status status = toy_log_walk(feed->self, begin, feed_visit, &feeding, NULL, error);
    struct batch *made = feeding.batch;
    if (status != STATUS_OK || made->row_count == 0) {
        batch_destroy(made);
        return status == STATUS_OK ? STATUS_AGAIN : status;
    }
    struct toy_entry last;
    status = toy_log_read(feed->self, made->envelopes[made->row_count - 1].source_position,
                          made->arena, &last, error);
    if (status != STATUS_OK) {
        batch_destroy(made);
        return status;
    }
    feed->offset = last.end;
    *batch = made;
    *table = feeding.table;
    *position = arena_format(made->arena, "%" PRIu64, last.end);
    return STATUS_OK;
}

static enum status toy_next(struct feed *feed, int64_t timeout_ms, struct batch **batch,
                            const char **table, const char **position, struct error *error)
{
    int64_t deadline = clock_monotonic_ms() + timeout_ms;
    enum status status;
    while ((status = feed_once(feed, batch, table, position, error)) == STATUS_AGAIN &&
           clock_monotonic_ms() < deadline) {
        clock_sleep_ms(5);
    }
    return status;
}

static enum status toy_confirm(struct feed *feed, const char *position, struct error *error)
{
    (void)feed;
    (void)position;
    (void)error;
    return STATUS_OK; /* the log is kept for ever */
}

static void toy_feed_close(struct feed *feed)
{
    free(feed);
}

const struct feed_functions toy_feed = {
    .position = toy_position,
    .feed_open = toy_feed_open,
    .next = toy_next,
    .confirm = toy_confirm,
    .feed_close = toy_feed_close,
};
