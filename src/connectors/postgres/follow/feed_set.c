/* Change sets: one of each transaction, or pieces of a large one, in the order of the commits. */
#include "base/clock.h"
#include "connectors/postgres/follow/feed.h"
#include <stdio.h>
#include <string.h>

/* The bounds of a piece. */
enum { PIECE_CHANGES_MAX = 8192, PIECE_BYTES_MAX = 4 << 20 };
enum { ARENA_BYTES_FIRST = 2048, LIST_FIRST = 4 };

enum status postgres_feed_malformed(const struct feed *feed, struct error *error)
{
    return error_set(error, ERROR_SOURCE_READ, feed->name,
                     "what the server sends is not the protocol of pgoutput");
}

/* arena_grow_list begins with more than most transactions have changes. */
static void *feed_set_grow(struct arena *arena, const void *list, uint32_t count,
                           uint32_t *capacity, size_t size)
{
    *capacity = *capacity == 0 ? LIST_FIRST : *capacity * 2;
    void *grown = arena_allocate_zeroed(arena, *capacity, size);
    if (count > 0) {
        memcpy(grown, list, count * size);
    }
    return grown;
}

static struct change_set *make_set(const struct feed *feed)
{
    struct arena *arena = arena_create(0);
    arena->next_block_bytes = ARENA_BYTES_FIRST;
    struct change_set *set = arena_allocate_zeroed(arena, 1, sizeof *set);
    set->arena = arena;
    postgres_feed_put_place(&feed->place, arena, &set->begin);
    return set;
}

/* ---------------------------------------------------------------- tables */

static enum status table_number(struct feed *feed, const struct feed_relation *relation,
                                uint32_t *number)
{
    struct feed_making *making = &feed->making;
    struct change_set *set = making->set;
    for (uint32_t i = set->table_count; i > 0; i--) {
        if (making->tables[i - 1].shape == relation->shape) {
            *number = i - 1;
            return STATUS_OK;
        }
    }
    if (set->table_count == making->table_capacity) {
        making->tables = feed_set_grow(set->arena, making->tables, set->table_count,
                                       &making->table_capacity, sizeof *making->tables);
    }
    making->tables[set->table_count] = (struct change_table){relation->name, relation->shape};
    *number = set->table_count++;
    set->tables = making->tables;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- records */

static enum status decode(struct feed *feed, const struct feed_relation *relation,
                          const struct pgoutput_tuple *tuple, struct cell **cells,
                          struct error *error)
{
    struct arena *arena = feed->making.set->arena;
    struct pgoutput_value value;
    size_t at = 0;
    if (tuple->count != relation->shape->field_count) {
        return postgres_feed_malformed(feed, error);
    }
    *cells = arena_allocate(arena, ((size_t)tuple->count + 1) * sizeof **cells);
    for (uint16_t i = 0; i < tuple->count; i++) {
        struct cell *cell = &(*cells)[i];
        pgoutput_next_value(tuple, &at, &value);
        if (value.kind != 't') {
            *cell = value.kind == 'u' ? cell_missing() : cell_null();
            continue;
        }
        enum status status =
            postgres_decode_text(&relation->types[i], feed->self->utf8, (const char *)value.bytes,
                                 value.length, arena, cell);
        if (status == STATUS_END) {
            return error_set(error, ERROR_SOURCE_READ, relation->name,
                             "the server sends a value of column %s that is not of its type",
                             relation->shape->fields[i].name);
        }
        if (status != STATUS_OK) {
            return error_set(error, ERROR_MEMORY, relation->name, "no memory for a row");
        }
    }
    return STATUS_OK;
}

/* The key's cells of a record in the key's order; NULL: there is no key. */
static const struct cell *key_of(const struct feed *feed, const struct feed_relation *relation,
                                 const struct cell *cells)
{
    const struct shape *shape = relation->shape;
    if (shape->key_field_count == 0 || cells == NULL) {
        return NULL;
    }
    if (shape->key_field_count == 1) {
        return &cells[shape->key_fields[0]];
    }
    struct cell *key =
        arena_allocate(feed->making.set->arena, (size_t)shape->key_field_count * sizeof *key);
    for (uint32_t i = 0; i < shape->key_field_count; i++) {
        key[i] = cells[shape->key_fields[i]];
    }
    return key;
}

/* A value that was not sent is the one that the old record has, as far as that was sent. */
static void fill_unchanged(const struct feed_relation *relation, bool whole, const struct cell *old,
                           struct cell *cells)
{
    for (uint32_t i = 0; i < relation->shape->field_count; i++) {
        if (cells[i].kind == VALUE_MISSING && (whole || relation->key[i])) {
            cells[i] = old[i];
        }
    }
}

static struct record_change *add_change(struct feed *feed)
{
    struct feed_making *making = &feed->making;
    struct change_set *set = making->set;
    if (set->change_count == making->change_capacity) {
        making->changes = feed_set_grow(set->arena, making->changes, set->change_count,
                                        &making->change_capacity, sizeof *making->changes);
        set->changes = making->changes;
    }
    struct record_change *change = &making->changes[set->change_count++];
    *change = (struct record_change){0};
    return change;
}

static enum status take_record(struct feed *feed, const struct feed_relation *relation,
                               const struct pgoutput_message *message, struct error *error)
{
    struct cell *old = NULL;
    struct cell *cells = NULL;
    uint32_t table = 0;
    enum status status = table_number(feed, relation, &table);
    if (status == STATUS_OK && message->old.columns != NULL) {
        status = decode(feed, relation, &message->old, &old, error);
    }
    if (status == STATUS_OK && message->new.columns != NULL) {
        status = decode(feed, relation, &message->new, &cells, error);
    }
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (old != NULL && cells != NULL) {
        fill_unchanged(relation, message->old_kind == 'O', old, cells);
    }
    struct record_change *change = add_change(feed);
    change->table = table;
    change->operation = message->kind == PGOUTPUT_INSERT   ? RECORD_INSERT
                        : message->kind == PGOUTPUT_UPDATE ? RECORD_UPDATE
                                                           : RECORD_DELETE;
    change->key = key_of(feed, relation, old != NULL ? old : cells);
    change->key_count = change->key != NULL ? relation->shape->key_field_count : 0;
    change->before = message->old_kind == 'O' ? old : NULL;
    change->after = cells;
    return STATUS_OK;
}

/* Once for rows behind one another. */
static enum status take_lost(struct feed *feed, const struct feed_relation *relation)
{
    const struct feed_making *making = &feed->making;
    uint32_t table = 0;
    if (table_number(feed, relation, &table) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t count = making->set->change_count;
    const struct record_change *last = count > 0 ? &making->changes[count - 1] : NULL;
    if (last == NULL || last->table != table || last->operation != RECORD_REPLACED) {
        struct record_change *change = add_change(feed);
        change->table = table;
        change->operation = RECORD_REPLACED;
    }
    return STATUS_OK;
}

static enum status take_truncate(struct feed *feed, const struct pgoutput_message *message,
                                 struct error *error)
{
    for (uint32_t i = 0; i < message->relation_count; i++) {
        const struct feed_relation *relation =
            postgres_feed_find(feed, pgoutput_truncated(message, i));
        uint32_t table = 0;
        if (relation == NULL) {
            return postgres_feed_malformed(feed, error);
        }
        if (relation->lost && take_lost(feed, relation) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (!relation->lost && !relation->ours && !relation->ignored &&
            table_number(feed, relation, &table) == STATUS_OK) {
            struct record_change *change = add_change(feed);
            change->table = table;
            change->operation = RECORD_TRUNCATE;
        }
    }
    return STATUS_OK;
}

static enum status take_change(struct feed *feed, const struct pgoutput_message *message,
                               struct error *error)
{
    if (message->kind == PGOUTPUT_TRUNCATE) {
        return take_truncate(feed, message, error);
    }
    const struct feed_relation *relation = postgres_feed_find(feed, message->relation);
    if (relation == NULL) {
        return postgres_feed_malformed(feed, error);
    }
    if (relation->lost) {
        return take_lost(feed, relation);
    }
    return relation->ours || relation->ignored ? STATUS_OK
                                               : take_record(feed, relation, message, error);
}

/* ---------------------------------------------------------------- transactions */

static void begin_piece(struct feed *feed)
{
    struct feed_making *making = &feed->making;
    making->set = make_set(feed);
    making->changes = NULL;
    making->change_capacity = 0;
    making->tables = NULL;
    making->table_capacity = 0;
    making->bytes = 0;
    making->set->first_piece = making->piece++ == 0;
    making->set->commit_time_us = making->commit_time_us;
    making->set->transaction = arena_format(making->set->arena, "%u", making->xid);
}

void postgres_feed_begin(struct feed *feed, const struct pgoutput_message *message)
{
    struct feed_making *making = &feed->making;
    *making = (struct feed_making){.in_transaction = true,
                                   .xid = message->xid,
                                   .commit_lsn = message->lsn,
                                   .commit_time_us = message->time_us};
    begin_piece(feed);
}

static struct change_set *hand_out(struct feed *feed)
{
    struct change_set *set = feed->making.set;
    feed->making.set = NULL;
    feed->set_ms = clock_monotonic_ms();
    return set;
}

/* A feed that is opened where a piece ends begins with the whole transaction again. */
static struct change_set *hand_out_piece(struct feed *feed)
{
    struct feed_place place = feed->place;
    place.lsn = feed->making.commit_lsn;
    postgres_feed_put_place(&place, feed->making.set->arena, &feed->making.set->end);
    return hand_out(feed);
}

enum status postgres_feed_finish(struct feed *feed, const struct pgoutput_message *message,
                                 struct change_set **set, struct error *error)
{
    struct feed_making *making = &feed->making;
    if (!making->in_transaction || message->end_lsn <= feed->place.lsn) {
        return postgres_feed_malformed(feed, error);
    }
    if (making->set == NULL) {
        begin_piece(feed);
    }
    feed->place.lsn = message->end_lsn;
    making->set->commit_time_us = message->time_us;
    making->set->last_piece = true;
    postgres_feed_put_place(&feed->place, making->set->arena, &making->set->end);
    if (making->set->change_count > 0) {
        feed->brought_time_us = message->time_us;
    }
    *set = hand_out(feed);
    making->in_transaction = false;
    return STATUS_OK;
}

struct change_set *postgres_feed_move(struct feed *feed, uint64_t lsn)
{
    struct change_set *set = make_set(feed);
    feed->place.lsn = lsn;
    postgres_feed_put_place(&feed->place, set->arena, &set->end);
    set->first_piece = true;
    set->last_piece = true;
    feed->set_ms = clock_monotonic_ms();
    return set;
}

static enum status take_within(struct feed *feed, const struct pgoutput_message *message,
                               const uint8_t *bytes, size_t length, struct change_set **set,
                               struct error *error)
{
    struct feed_making *making = &feed->making;
    switch (message->kind) {
    case PGOUTPUT_RELATION:
        return postgres_feed_relation(feed, message, bytes, length, error);
    case PGOUTPUT_TYPE:
    case PGOUTPUT_MESSAGE:
        return STATUS_OK;
    default:
        break;
    }
    if (!making->in_transaction) {
        return postgres_feed_malformed(feed, error);
    }
    if (making->left_out) {
        return STATUS_OK;
    }
    if (making->set == NULL) {
        begin_piece(feed);
    }
    making->bytes += length;
    enum status status = take_change(feed, message, error);
    if (status == STATUS_OK &&
        (making->set->change_count >= PIECE_CHANGES_MAX || making->bytes >= PIECE_BYTES_MAX)) {
        *set = hand_out_piece(feed);
    }
    return status;
}

enum status postgres_feed_take(struct feed *feed, const uint8_t *bytes, size_t length,
                               bool streamed, struct change_set **set, struct error *error)
{
    struct pgoutput_message message;
    if (!pgoutput_read(bytes, length, streamed, &message)) {
        return postgres_feed_malformed(feed, error);
    }
    switch (message.kind) {
    case PGOUTPUT_BEGIN:
        if (feed->making.in_transaction) {
            return postgres_feed_malformed(feed, error);
        }
        postgres_feed_begin(feed, &message);
        return STATUS_OK;
    case PGOUTPUT_COMMIT:
        return postgres_feed_finish(feed, &message, set, error);
    case PGOUTPUT_ORIGIN:
        feed->making.left_out = feed->only_local;
        return STATUS_OK;
    default:
        return take_within(feed, &message, bytes, length, set, error);
    }
}
