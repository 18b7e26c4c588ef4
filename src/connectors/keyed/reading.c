#include "connectors/keyed/reading.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- batches */

enum status keyed_cursor_next(struct cursor *cursor, const struct keyed_filling *filling,
                              uint32_t rows_max, size_t bytes_max, struct batch **batch,
                              struct error *error)
{
    uint32_t columns = filling->request->column_count;
    struct batch *made = batch_create_for_cursor(columns > 0 ? columns : 1, rows_max, bytes_max);
    enum status status = STATUS_OK;
    *batch = NULL;
    if (filling->envelopes) {
        batch_add_envelopes(made);
    }
    while (status == STATUS_OK && made->row_count + made->refused_count < rows_max &&
           (keyed_batch_is_empty(made) ||
            (filling->bytes != NULL ? *filling->bytes : batch_bytes(made)) < bytes_max)) {
        status = filling->add_next(cursor, made, error);
    }
    if (status == STATUS_FAILED || (status == STATUS_END && keyed_batch_is_empty(made))) {
        batch_destroy(made);
        return status;
    }
    *batch = made;
    return STATUS_OK;
}

static struct cell find_field(const struct cell *record, const char *name)
{
    const struct cell *found = value_field(record, name);
    return found != NULL ? *found : cell_missing();
}

struct cell *keyed_key_of_record(struct column_list key, const struct cell *record,
                                 struct arena *arena)
{
    struct cell *cells = arena_allocate_zeroed(arena, (size_t)key.count + 1, sizeof(*cells));
    for (uint32_t at = 0; at < key.count; at++) {
        cells[at] = find_field(record, key.names[at]);
    }
    return cells;
}

struct record_envelope *keyed_add_record(const struct read_request *request, struct column_list key,
                                         const struct cell *record, struct batch *batch)
{
    struct cell *row = batch_append(batch);
    struct record_envelope *envelope =
        batch->envelopes != NULL ? &batch->envelopes[batch->row_count - 1] : NULL;
    for (uint32_t at = 0; at < request->column_count; at++) {
        row[at] = find_field(record, request->columns[at].name);
    }
    if (request->column_count == 0) {
        *row = *record;
    }
    if (envelope == NULL) {
        return NULL;
    }
    *envelope = (struct record_envelope){0};
    if (request->column_count == 0) {
        envelope->source_key = keyed_key_of_record(key, record, batch->arena);
        envelope->source_key_count = key.count;
    }
    return envelope;
}

/* ---------------------------------------------------------------- keys of a request */

static int compare_keys(const void *left, const void *right)
{
    const struct text *one = &((const struct keyed_wanted_key *)left)->bytes;
    const struct text *other = &((const struct keyed_wanted_key *)right)->bytes;
    size_t length = one->length < other->length ? one->length : other->length;
    int order = length > 0 ? memcmp(one->data, other->data, length) : 0;
    return order != 0 ? order : (one->length > other->length) - (one->length < other->length);
}

/* Once all are written: their bytes stay where they are. */
static void sort_and_drop_repeats(struct keyed_wanted *wanted)
{
    const char *from = wanted->bytes.data;
    uint32_t kept = 0;
    for (uint32_t at = 0; at < wanted->count; at++) {
        wanted->keys[at].bytes.data = from;
        from += wanted->keys[at].bytes.length;
    }
    if (wanted->count > 1) {
        qsort(wanted->keys, wanted->count, sizeof(*wanted->keys), compare_keys);
    }
    for (uint32_t at = 0; at < wanted->count; at++) {
        if (kept == 0 || compare_keys(&wanted->keys[kept - 1], &wanted->keys[at]) != 0) {
            wanted->keys[kept++] = wanted->keys[at];
        }
    }
    wanted->count = kept;
}

void keyed_wanted_close(struct keyed_wanted *wanted)
{
    if (wanted->count == wanted->capacity) {
        wanted->capacity = wanted->capacity * 2 + 16;
        wanted->keys = memory_resize(wanted->keys, wanted->capacity, sizeof(*wanted->keys));
    }
    wanted->keys[wanted->count++] = (struct keyed_wanted_key){
        .bytes = {NULL, wanted->bytes.length - wanted->begun}, .token = wanted->token};
    wanted->begun = wanted->bytes.length;
}

/* Where the parts of the key are in the request's. */
static enum status find_places(const struct read_request *request,
                               const struct keyed_wanting *wanting, uint32_t *places,
                               struct error *error)
{
    uint32_t found = 0;
    for (uint32_t part = 0; part < wanting->key.count; part++) {
        for (uint32_t at = 0; at < request->root_key.count; at++) {
            if (strcmp(request->root_key.names[at], wanting->key.names[part]) == 0) {
                places[part] = at;
                found++;
            }
        }
    }
    return found == wanting->key.count && found == request->root_key.count
               ? STATUS_OK
               : error_set(error, ERROR_NOT_IMPLEMENTED, request->name, "%s", wanting->refusal);
}

static enum status add_key(const struct keyed_wanting *wanting, const struct cell *key,
                           struct keyed_wanted *wanted, struct error *error)
{
    struct error why;
    for (uint32_t part = 0; part < wanting->key.count; part++) {
        if (key[part].kind == VALUE_ESCAPE) {
            return error_set(error, ERROR_REJECT_TYPE, wanting->name, "a key is of another engine");
        }
    }
    error_clear(&why);
    enum status status = wanting->encode(wanting->context, key, wanted, &why);
    if (status == STATUS_OK) {
        keyed_wanted_close(wanted);
    }
    wanted->bytes.length = wanted->begun;
    return status == STATUS_FAILED && why.class != ERROR_CLASS_REJECT ? error_copy(error, &why)
                                                                      : STATUS_OK;
}

enum status keyed_wanted_read(const struct read_request *request,
                              const struct keyed_wanting *wanting, struct keyed_wanted *wanted,
                              struct error *error)
{
    size_t parts = (size_t)wanting->key.count + 1;
    uint32_t *places = memory_allocate_zeroed(parts, sizeof(*places));
    struct cell *key = memory_allocate_zeroed(parts, sizeof(*key));
    enum status status = find_places(request, wanting, places, error);
    for (uint32_t at = 0; at < request->key_count && status == STATUS_OK; at++) {
        const struct cell *cells = request->keys + (size_t)at * request->root_key.count;
        for (uint32_t part = 0; part < wanting->key.count; part++) {
            key[part] = cells[places[part]];
        }
        status = add_key(wanting, key, wanted, error);
    }
    sort_and_drop_repeats(wanted);
    free(places);
    free(key);
    return status;
}

bool keyed_wanted_has(const struct keyed_wanted *wanted, struct text bytes)
{
    const struct keyed_wanted_key key = {.bytes = bytes};
    return wanted->count > 0 &&
           bsearch(&key, wanted->keys, wanted->count, sizeof(key), compare_keys) != NULL;
}

void keyed_wanted_free(struct keyed_wanted *wanted)
{
    buffer_free(&wanted->bytes);
    free(wanted->keys);
    *wanted = (struct keyed_wanted){0};
}
