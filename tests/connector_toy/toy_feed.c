/* The feed: the log itself, as one of two partitions. A key is in one of them, and a position says
 * how far each of them is (byte offsets of eight bytes each), so that two readings from one
 * position may bring the sets of the two in another order. A set is a few entries of one partition;
 * nothing in it says which of them were written together. */
#include "base/bytes.h"
#include "base/clock.h"
#include "base/memory.h"
#include "toy_internal.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { PARTITIONS = 2, OFFSET_BYTES = 8, SET_CHANGES_MAX = 3 };

struct feed {
    struct toy_database *self;
    uint64_t offsets[PARTITIONS];
    uint32_t turn;         /* the partition that is read next */
    struct toy_live *live; /* as of `offsets`: what a change finds */
};

static struct position position_of(const uint64_t *offsets, struct arena *arena)
{
    uint8_t *bytes = arena_allocate(arena, (size_t)PARTITIONS * OFFSET_BYTES);
    for (int i = 0; i < PARTITIONS; i++) {
        bytes_put_be(bytes + i * OFFSET_BYTES, offsets[i], OFFSET_BYTES);
    }
    return (struct position){.bytes = bytes, .length = PARTITIONS * OFFSET_BYTES};
}

static void offsets_of(struct position position, uint64_t *offsets)
{
    bool valid = position.length == PARTITIONS * OFFSET_BYTES;
    for (int i = 0; i < PARTITIONS; i++) {
        offsets[i] = valid ? bytes_get_be(position.bytes + i * OFFSET_BYTES, OFFSET_BYTES) : 0;
    }
}

static uint32_t partition_of(const struct toy_entry *entry)
{
    return (uint32_t)(XXH3_64bits(entry->key, entry->key_length) % PARTITIONS);
}

static enum status visit_nothing(void *context, const struct toy_entry *entry, struct error *error)
{
    (void)context;
    (void)entry;
    (void)error;
    return STATUS_OK;
}

/* The log is kept for ever, so that a name is all that there is to a feed. */
static enum status toy_feed_create(struct database *database, const char *name,
                                   const struct followed_table *tables, uint32_t table_count,
                                   struct arena *arena, struct feed_start *start,
                                   struct error *error)
{
    uint64_t end = 0;
    (void)name;
    (void)tables;
    (void)table_count;
    enum status status = toy_log_walk(toy_of(database), 0, visit_nothing, NULL, &end, error);
    *start = (struct feed_start){.position = position_of((uint64_t[]){end, end}, arena)};
    return status;
}

static enum status toy_feed_drop(struct database *database, const char *name, struct error *error)
{
    (void)database;
    (void)name;
    (void)error;
    return STATUS_OK;
}

static void toy_feed_close(struct feed *feed)
{
    if (feed) {
        toy_live_free(&feed->live);
        free(feed);
    }
}

static enum status take_live(void *context, const struct toy_entry *entry, struct error *error)
{
    struct feed *feed = context;
    (void)error;
    if (entry->end <= feed->offsets[partition_of(entry)]) {
        toy_live_take(&feed->live, entry);
    }
    return STATUS_OK;
}

static enum status toy_feed_open(struct database *database, const char *name,
                                 struct position position, struct feed **feed, struct error *error)
{
    (void)name;
    *feed = memory_allocate_zeroed(1, sizeof **feed);
    (*feed)->self = toy_of(database);
    offsets_of(position, (*feed)->offsets);
    enum status status = toy_log_walk((*feed)->self, 0, take_live, *feed, NULL, error);
    if (status != STATUS_OK) {
        toy_feed_close(*feed);
        *feed = NULL;
    }
    return status;
}

/* ---- the next set */

struct making {
    struct feed *feed;
    struct change_set *set;
    struct record_change *changes;
    uint32_t capacity;
    struct change_table *tables;
};

static uint32_t table_number(struct making *making, const struct toy_entry *entry)
{
    struct change_set *set = making->set;
    uint32_t at = 0;
    while (at < set->table_count &&
           (strlen(making->tables[at].name) != entry->table_length ||
            memcmp(making->tables[at].name, entry->table, entry->table_length) != 0)) {
        at++;
    }
    if (at == set->table_count) {
        struct change_table *grown = arena_allocate_zeroed(set->arena, at + 1, sizeof *grown);
        if (at > 0) {
            memcpy(grown, making->tables, at * sizeof *grown);
        }
        grown[at].name = arena_copy(set->arena, entry->table, entry->table_length);
        set->tables = making->tables = grown;
        set->table_count++;
    }
    return at;
}

static enum status decode_value(struct arena *arena, const uint8_t *value, uint32_t length,
                                const struct cell **cell, struct error *error)
{
    size_t used;
    struct cell *made = arena_allocate(arena, sizeof *made);
    const char *copy = arena_copy(arena, value, length);
    *cell = made;
    return toy_decode((const uint8_t *)copy, length, arena, made, &used, error);
}

static enum status decode_key(struct arena *arena, const struct toy_entry *entry,
                              struct record_change *change, struct error *error)
{
    enum { PARTS_MAX = 16 };
    struct cell *key = arena_allocate_zeroed(arena, PARTS_MAX, sizeof *key);
    const char *copy = arena_copy(arena, entry->key, entry->key_length);
    enum status status = STATUS_OK;
    change->key = key;
    for (uint32_t at = 0; at < entry->key_length && status == STATUS_OK;) {
        size_t used = 0;
        status = toy_decode((const uint8_t *)copy + at, entry->key_length - at, arena,
                            &key[change->key_count++], &used, error);
        at += (uint32_t)used;
    }
    return status;
}

static enum status add_change(struct making *making, const struct toy_entry *entry,
                              struct error *error)
{
    struct arena *arena = making->set->arena;
    uint32_t length;
    const uint8_t *before = toy_live_find(making->feed->live, entry, &length);
    struct record_change change = {.table = table_number(making, entry),
                                   .operation = entry->kind == TOY_DELETE ? RECORD_DELETE
                                                : before                  ? RECORD_UPDATE
                                                                          : RECORD_INSERT};
    enum status status = decode_key(arena, entry, &change, error);
    if (status == STATUS_OK && before) {
        status = decode_value(arena, before, length, &change.before, error);
    }
    if (status == STATUS_OK && entry->kind == TOY_PUT) {
        status = decode_value(arena, entry->value, entry->value_length, &change.after, error);
    }
    if (making->set->change_count == making->capacity) {
        making->capacity = making->capacity ? making->capacity * 2 : 16;
        struct record_change *grown = arena_allocate_zeroed(arena, making->capacity, sizeof *grown);
        if (making->set->change_count > 0) {
            memcpy(grown, making->changes, making->set->change_count * sizeof *grown);
        }
        making->set->changes = making->changes = grown;
    }
    making->changes[making->set->change_count++] = change;
    toy_live_take(&making->feed->live, entry);
    return status;
}

/* Ends behind the set's last change. */
static enum status make_set(void *context, const struct toy_entry *entry, struct error *error)
{
    struct making *making = context;
    struct feed *feed = making->feed;
    enum status status = STATUS_OK;
    if (partition_of(entry) == feed->turn) {
        if (entry->kind == TOY_PUT || entry->kind == TOY_DELETE) {
            status = add_change(making, entry, error);
        } else {
            toy_live_take(&feed->live, entry);
        }
    }
    feed->offsets[feed->turn] = entry->end;
    return status == STATUS_OK && making->set->change_count == SET_CHANGES_MAX ? STATUS_END
                                                                               : status;
}

/* The set that comes next in the partition whose turn it is; without changes where all of it is of
 * the other one. */
static enum status feed_once(struct feed *feed, struct change_set **set, struct error *error)
{
    uint64_t begin = feed->offsets[feed->turn];
    struct arena *arena = arena_create(0);
    struct making making = {.feed = feed, .set = arena_allocate_zeroed(arena, 1, sizeof **set)};
    *making.set = (struct change_set){.arena = arena,
                                      .begin = position_of(feed->offsets, arena),
                                      .first_piece = true,
                                      .last_piece = true};
    enum status status = toy_log_walk(feed->self, begin, make_set, &making, NULL, error);
    if (status == STATUS_OK && feed->offsets[feed->turn] == begin) {
        status = STATUS_AGAIN;
    }
    feed->turn = (feed->turn + 1) % PARTITIONS;
    if (status != STATUS_OK) {
        arena_destroy(arena);
        return status;
    }
    making.set->end = position_of(feed->offsets, arena);
    *set = making.set;
    return STATUS_OK;
}

static enum status toy_feed_next(struct feed *feed, int64_t timeout_ms, struct change_set **set,
                                 struct error *error)
{
    int64_t deadline = clock_monotonic_ms() + timeout_ms;
    enum status status;
    for (uint32_t empty = 1; (status = feed_once(feed, set, error)) == STATUS_AGAIN; empty++) {
        if (empty >= PARTITIONS && clock_monotonic_ms() >= deadline) {
            return status;
        }
        if (empty % PARTITIONS == 0) {
            clock_sleep_ms(5);
        }
    }
    return status;
}

static enum status toy_feed_confirm(struct feed *feed, struct position position,
                                    struct error *error)
{
    (void)feed;
    (void)position;
    (void)error;
    return STATUS_OK;
}

static enum status toy_feed_health(struct feed *feed, struct feed_health *health,
                                   struct error *error)
{
    uint64_t end = 0;
    uint64_t least = feed->offsets[0] < feed->offsets[1] ? feed->offsets[0] : feed->offsets[1];
    enum status status = toy_log_walk(feed->self, least, visit_nothing, NULL, &end, error);
    *health = (struct feed_health){.bytes_kept = (int64_t)(end - least),
                                   .bytes_left = -1,
                                   .lag_us = -1,
                                   .lag_bytes = -1,
                                   .keeps_us = -1};
    return status;
}

static enum status toy_feed_head(struct database *database, struct arena *arena,
                                 struct position *position, struct error *error)
{
    uint64_t end = 0;
    enum status status = toy_log_walk(toy_of(database), 0, visit_nothing, NULL, &end, error);
    *position = position_of((uint64_t[]){end, end}, arena);
    return status;
}

static bool toy_feed_covers(struct position at, struct position goal)
{
    uint64_t reached[PARTITIONS];
    uint64_t wanted[PARTITIONS];
    offsets_of(at, reached);
    offsets_of(goal, wanted);
    return reached[0] >= wanted[0] && reached[1] >= wanted[1];
}

static struct position toy_feed_lower(struct position left, struct position right,
                                      struct arena *arena)
{
    uint64_t first[PARTITIONS];
    uint64_t second[PARTITIONS];
    offsets_of(left, first);
    offsets_of(right, second);
    for (int i = 0; i < PARTITIONS; i++) {
        first[i] = first[i] < second[i] ? first[i] : second[i];
    }
    return position_of(first, arena);
}

const struct feed_functions toy_feed = {
    .order = FEED_ORDER_KEYS,
    .create = toy_feed_create,
    .drop = toy_feed_drop,
    .open = toy_feed_open,
    .close = toy_feed_close,
    .next = toy_feed_next,
    .confirm = toy_feed_confirm,
    .health = toy_feed_health,
    .head = toy_feed_head,
    .covers = toy_feed_covers,
    .lower = toy_feed_lower,
};
