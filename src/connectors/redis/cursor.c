/* Reading a span: its keys are walked, and their values asked for some hundred at a time. */
#include "connectors/keyed/reading.h"
#include "connectors/redis/source.h"

#include "base/memory.h"
#include "base/text.h"
#include <stdlib.h>

enum { WINDOW = 256 };

struct cursor {
    struct reader *reader;
    const struct read_request *request;
    struct redis_table *table;
    struct redis_key_walk *walk; /* NULL: the request names its keys */
    struct redis_lookup *lookup;
    struct keyed_wanted wanted; /* … which these are */
    bool walked;                /* to the end */
};

/* ---------------------------------------------------------------- keys of a request */

static enum status append_key(const void *context, const struct cell *key,
                              struct keyed_wanted *wanted, struct error *error)
{
    const struct redis_table *table = context;
    const struct target_table as_target = {.name = table->name, .key = table->key};
    return table->noted ? redis_key_append(&as_target, key, &wanted->bytes, error)
                        : redis_value_append(&key[0], &wanted->bytes, error);
}

static enum status list_wanted(struct cursor *cursor, struct error *error)
{
    const struct keyed_wanting wanting = {
        .key = cursor->table->key,
        .name = cursor->table->name,
        .refusal = "Redis finds records by the whole key of their table only",
        .encode = append_key,
        .context = cursor->table};
    return keyed_wanted_read(cursor->request, &wanting, &cursor->wanted, error);
}

/* ---------------------------------------------------------------- open and close */

static enum status open_walk(struct cursor *cursor, const struct span *span, struct error *error)
{
    struct text low;
    struct text high;
    bool has_low = false;
    bool has_high = false;
    struct redis_key_list *list = NULL;
    if (span != NULL && !redis_span_read(span, &low, &has_low, &high, &has_high)) {
        return error_set(error, ERROR_LEDGER_INVALID, cursor->table->name,
                         "a span's bounds are damaged");
    }
    if (redis_key_list_get(cursor->reader->database, cursor->table, &list, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    cursor->walk = redis_key_walk_create(list, has_low ? &low : NULL, has_high ? &high : NULL);
    return STATUS_OK;
}

enum status redis_cursor_open(struct reader *reader, const struct read_request *request,
                              const struct span *span, struct cursor **cursor, struct error *error)
{
    struct cursor *made = memory_allocate_zeroed(1, sizeof(*made));
    made->reader = reader;
    made->request = request;
    made->lookup = redis_lookup_create(reader->database);
    enum status status = redis_source_find(reader->database, request->table, &made->table, error);
    if (status == STATUS_OK) {
        status = request->keys != NULL ? list_wanted(made, error) : open_walk(made, span, error);
    }
    if (status != STATUS_OK) {
        redis_cursor_close(made);
        return status;
    }
    *cursor = made;
    return STATUS_OK;
}

void redis_cursor_close(struct cursor *cursor)
{
    if (cursor != NULL) {
        redis_lookup_destroy(cursor->lookup);
        redis_key_walk_destroy(cursor->walk);
        keyed_wanted_free(&cursor->wanted);
        free(cursor);
    }
}

/* ---------------------------------------------------------------- asking */

/* The next key to ask for. STATUS_END: there are no more. */
static enum status next_key(struct cursor *cursor, struct text *key, struct error *error)
{
    if (cursor->walk != NULL) {
        return redis_key_walk_next(cursor->walk, key, error);
    }
    if (cursor->wanted.next == cursor->wanted.count) {
        return STATUS_END;
    }
    *key = cursor->wanted.keys[cursor->wanted.next++].bytes;
    return STATUS_OK;
}

/* Value and time to live of as many keys as may be under way. */
static enum status redis_cursor_ask(struct cursor *cursor, struct error *error)
{
    enum status status = STATUS_OK;
    if (cursor->walked || redis_lookup_count(cursor->lookup) > WINDOW) {
        return STATUS_OK;
    }
    while (status == STATUS_OK && redis_lookup_count(cursor->lookup) < 2 * WINDOW) {
        struct text key;
        struct buffer command = {0};
        status = next_key(cursor, &key, error);
        if (status != STATUS_OK) {
            break;
        }
        redis_foreign_command(cursor->table->type, key, &command);
        redis_lookup_add(cursor->lookup, key, &command);
        resp_begin(&command, 2);
        resp_string(&command, "PTTL");
        resp_word(&command, key.data, key.length);
        redis_lookup_add(cursor->lookup, key, &command);
    }
    cursor->walked = status == STATUS_END;
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- records */

/* A record of a key that nothing is noted of: the key, and its value or its hash's fields. */
static enum status with_key(const struct cell *key, const struct cell *value, bool hash,
                            struct arena *arena, struct cell *record, struct error *error)
{
    uint32_t fields = hash ? value->length : 1;
    struct cell *pairs = arena_allocate_zeroed(arena, 2 * (size_t)fields + 2, sizeof(*pairs));
    if (hash && value_field(value, REDIS_KEY_COLUMN) != NULL) {
        return error_set(error, ERROR_REJECT_UNREADABLE, NULL,
                         "the hash has a field " REDIS_KEY_COLUMN
                         ", which is what its key would be called");
    }
    pairs[0] = cell_text(REDIS_KEY_COLUMN, strlen(REDIS_KEY_COLUMN));
    pairs[1] = *key;
    if (hash) {
        memcpy(pairs + 2, value->items, 2 * (size_t)fields * sizeof(*pairs));
    } else {
        pairs[2] = cell_text("value", 5);
        pairs[3] = *value;
    }
    *record = cell_items(VALUE_MAP, pairs, fields + 1);
    return STATUS_OK;
}

static enum status read_record(const struct cursor *cursor, const struct resp_value *reply,
                               const struct cell *key, struct arena *arena, struct cell *record,
                               struct error *error)
{
    enum redis_type type = cursor->table->type;
    struct cell value;
    if (cursor->table->noted) {
        return redis_record_read(reply, type == REDIS_TYPE_JSON ? REDIS_JSON : REDIS_HASH,
                                 cursor->table->columns, arena, record, error);
    }
    bool hash = type == REDIS_TYPE_HASH;
    enum status status = hash ? redis_record_read(reply, REDIS_HASH, NULL, arena, &value, error)
                              : redis_foreign_read(reply, type, arena, &value, error);
    return status == STATUS_OK ? with_key(key, &value, hash, arena, record, error) : status;
}

static void add_row(const struct cursor *cursor, struct batch *batch, const struct cell *record,
                    const struct resp_value *expiry)
{
    struct record_envelope *envelope =
        keyed_add_record(cursor->request, cursor->table->key, record, batch);
    if (expiry->type == RESP_INTEGER && expiry->integer > 0) {
        envelope->ttl_seconds = (expiry->integer + 999) / 1000;
    }
}

static void redis_cursor_refuse(const struct cursor *cursor, struct batch *batch,
                                const struct cell *key, const struct error *why)
{
    struct cell *copy =
        arena_allocate_zeroed(batch->arena, (size_t)cursor->table->key.count + 1, sizeof(*copy));
    copy[0] = *key;
    batch_refuse(batch, why->code, why->message, copy, 1, key);
}

/* One record of the oldest key that was asked for. STATUS_END: none was. */
static enum status add_next(struct cursor *cursor, struct batch *batch, struct error *error)
{
    struct resp_value reply;
    struct resp_value expiry;
    struct cell record;
    struct cell key;
    struct error why;
    struct text name;
    struct arena *arena = batch->arena;
    enum status status = redis_cursor_ask(cursor, error);
    status = status == STATUS_OK ? redis_lookup_next(cursor->lookup, arena, &reply, &name, error)
                                 : status;
    if (status != STATUS_OK) {
        return status;
    }
    key = text_is_utf8(name.data, name.length) ? cell_text(name.data, name.length)
                                               : cell_bytes(name.data, name.length);
    status = redis_lookup_next(cursor->lookup, arena, &expiry, NULL, error);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    error_clear(&why);
    status = read_record(cursor, &reply, &key, arena, &record, &why);
    if (status == STATUS_OK) {
        add_row(cursor, batch, &record, &expiry);
    } else if (status == STATUS_FAILED && why.class != ERROR_CLASS_REJECT) {
        return error_copy(error, &why);
    } else if (status == STATUS_FAILED) {
        redis_cursor_refuse(cursor, batch, &key, &why);
    }
    return STATUS_OK; /* what is gone by now is no record */
}

enum status redis_cursor_next(struct cursor *cursor, uint32_t rows_max, size_t bytes_max,
                              struct batch **batch, struct error *error)
{
    const struct keyed_filling filling = {
        .add_next = add_next, .request = cursor->request, .envelopes = true};
    return keyed_cursor_next(cursor, &filling, rows_max, bytes_max, batch, error);
}
