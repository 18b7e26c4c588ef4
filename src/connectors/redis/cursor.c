/* Reading a span: its keys are walked, and their values asked for some hundred at a time. */
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
    uint32_t next_key; /* of the request's */
    struct arena *names;
    struct text **wanted; /* the request's keys, sorted, in `names` */
    uint32_t wanted_count;
    bool walked; /* to the end */
};

/* ---------------------------------------------------------------- keys of a request */

static int compare_keys(const void *left, const void *right)
{
    const struct text *one = *(const struct text *const *)left;
    const struct text *other = *(const struct text *const *)right;
    size_t least = one->length < other->length ? one->length : other->length;
    int order = memcmp(one->data, other->data, least);
    return order != 0 ? order : (one->length > other->length) - (one->length < other->length);
}

/* STATUS_END: no key of the table is made of it. */
static enum status key_of(const struct cursor *cursor, const struct cell *cells, struct buffer *out,
                          struct error *error)
{
    const struct redis_table *table = cursor->table;
    const struct read_request *request = cursor->request;
    const struct target_table as_target = {.name = table->name, .key = table->key};
    struct cell key[KEYED_KEY_COLUMNS_MAX] = {0};
    struct error why;
    for (uint32_t part = 0; part < table->key.count; part++) {
        for (uint32_t at = 0; at < request->root_key.count; at++) {
            if (strcmp(request->root_key.names[at], table->key.names[part]) == 0) {
                key[part] = cells[at];
            }
        }
        if (key[part].kind == VALUE_ESCAPE) {
            return error_set(error, ERROR_REJECT_TYPE, table->name, "a key is of another engine");
        }
    }
    enum status status = table->noted ? redis_key_append(&as_target, key, out, &why)
                                      : redis_value_append(&key[0], out, &why);
    return status == STATUS_FAILED && why.class == ERROR_CLASS_REJECT ? STATUS_END
           : status == STATUS_FAILED                                  ? error_copy(error, &why)
                                                                      : status;
}

static enum status check_columns(const struct cursor *cursor, struct error *error)
{
    const struct read_request *request = cursor->request;
    uint32_t found = 0;
    for (uint32_t part = 0; part < cursor->table->key.count; part++) {
        found += column_list_holds(request->root_key, cursor->table->key.names[part]);
    }
    return found == cursor->table->key.count && found == request->root_key.count
               ? STATUS_OK
               : error_set(error, ERROR_NOT_IMPLEMENTED, request->name,
                           "Redis finds records by the whole key of their table only");
}

static enum status list_wanted(struct cursor *cursor, struct error *error)
{
    const struct read_request *request = cursor->request;
    enum status status = check_columns(cursor, error);
    struct arena *arena = cursor->names;
    struct buffer key = {0};
    cursor->wanted =
        arena_allocate_zeroed(arena, (size_t)request->key_count + 1, sizeof(*cursor->wanted));
    for (uint32_t at = 0; at < request->key_count && status == STATUS_OK; at++) {
        buffer_clear(&key);
        status = key_of(cursor, request->keys + (size_t)at * request->root_key.count, &key, error);
        if (status == STATUS_OK) {
            struct text *made = arena_allocate(arena, sizeof(*made));
            *made = (struct text){arena_copy(arena, key.data, key.length), key.length};
            cursor->wanted[cursor->wanted_count++] = made;
        }
        status = status == STATUS_END ? STATUS_OK : status;
    }
    buffer_free(&key);
    if (cursor->wanted_count > 1) {
        qsort(cursor->wanted, cursor->wanted_count, sizeof(*cursor->wanted), compare_keys);
    }
    return status;
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
    made->names = arena_create(0);
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
        arena_destroy(cursor->names);
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
    while (cursor->next_key < cursor->wanted_count) {
        uint32_t at = cursor->next_key++;
        if (at == 0 || compare_keys(&cursor->wanted[at - 1], &cursor->wanted[at]) != 0) {
            *key = *cursor->wanted[at];
            return STATUS_OK;
        }
    }
    return STATUS_END;
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

static struct cell find_field(const struct cell *record, const char *name)
{
    const struct cell *found = value_field(record, name);
    return found != NULL ? *found : cell_missing();
}

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
    const struct redis_table *table = cursor->table;
    struct cell *row = batch_append(batch);
    struct record_envelope *envelope = &batch->envelopes[batch->row_count - 1];
    *envelope = (struct record_envelope){0};
    for (uint32_t at = 0; at < cursor->request->column_count; at++) {
        row[at] = find_field(record, cursor->request->columns[at].name);
    }
    if (cursor->request->column_count == 0) {
        struct cell *key =
            arena_allocate_zeroed(batch->arena, (size_t)table->key.count + 1, sizeof(*key));
        for (uint32_t at = 0; at < table->key.count; at++) {
            key[at] = find_field(record, table->key.names[at]);
        }
        *row = *record;
        envelope->source_key = key;
        envelope->source_key_count = table->key.count;
    }
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
    uint32_t columns = cursor->request->column_count;
    struct batch *made = batch_create(NULL, columns > 0 ? columns : 1, rows_max);
    enum status status = STATUS_OK;
    *batch = NULL;
    batch_add_envelopes(made);
    while (status == STATUS_OK && made->row_count + made->refused_count < rows_max &&
           (made->row_count == 0 || batch_bytes(made) < bytes_max)) {
        status = add_next(cursor, made, error);
    }
    bool empty = made->row_count + made->refused_count == 0;
    if (status == STATUS_FAILED || (status == STATUS_END && empty)) {
        batch_destroy(made);
        return status;
    }
    *batch = made;
    return STATUS_OK;
}
