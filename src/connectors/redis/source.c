/* Redis as a source: spans are ranges of a table's keys. It knows no snapshot. */
#include "connectors/redis/source.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/contract/defaults.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 4, SHOWN_BYTES = 80 };

static enum status find_table(struct database *database, const struct read_request *request,
                              struct redis_table **table, struct error *error)
{
    if (request->query != NULL || request->join_count > 0 || request->ordered) {
        return error_set(error, ERROR_NOT_IMPLEMENTED, request->name,
                         "Redis has no queries, joins or order over tables");
    }
    return redis_source_find(redis_of(database), request->table, table, error);
}

/* ---------------------------------------------------------------- facts */

static enum status describe_stream(struct database *database, const struct read_request *request,
                                   struct arena *arena, struct stream_facts *facts,
                                   struct error *error)
{
    struct redis_table *table = NULL;
    (void)arena;
    enum status status = find_table(database, request, &table, error);
    if (status == STATUS_OK) {
        *facts = (struct stream_facts){
            .keyed = true,
            .key_unique = true,
            .row_count = table->keys != NULL ? (int64_t)redis_key_list_count(table->keys) : -1,
            .key = table->key};
    }
    return status;
}

/* ---------------------------------------------------------------- spans */

static void write_bound(const struct text *bound, struct buffer *out)
{
    uint8_t digits[LENGTH_BYTES];
    bytes_put_le(digits, bound != NULL ? bound->length + 1 : 0, LENGTH_BYTES);
    buffer_append(out, digits, LENGTH_BYTES);
    if (bound != NULL) {
        buffer_append(out, bound->data, bound->length);
    }
}

void redis_span_write(const struct text *low, const struct text *high, struct buffer *out)
{
    write_bound(low, out);
    write_bound(high, out);
}

static bool read_bound(const uint8_t **at, const uint8_t *end, struct text *bound, bool *has)
{
    if (end - *at < LENGTH_BYTES) {
        return false;
    }
    uint64_t length = bytes_get_le(*at, LENGTH_BYTES);
    *at += LENGTH_BYTES;
    *has = length > 0;
    length -= *has;
    if ((uint64_t)(end - *at) < length) {
        return false;
    }
    *bound = (struct text){(const char *)*at, (size_t)length};
    *at += length;
    return true;
}

bool redis_span_read(const struct span *span, struct text *low, bool *has_low, struct text *high,
                     bool *has_high)
{
    const uint8_t *at = span->bounds;
    const uint8_t *end = at + span->bounds_length;
    return read_bound(&at, end, low, has_low) && read_bound(&at, end, high, has_high) && at == end;
}

static const char *shown(struct arena *arena, const struct text *key)
{
    char text[SHOWN_BYTES];
    if (key == NULL) {
        return "";
    }
    text_printable(key->data, key->length, text, sizeof(text));
    return arena_copy_string(arena, text);
}

static void make_span(struct arena *arena, const struct text *low, const struct text *high,
                      uint64_t rows, struct span *span)
{
    struct buffer bounds = {0};
    redis_span_write(low, high, &bounds);
    *span = (struct span){
        .printable = low == NULL && high == NULL
                         ? "all keys"
                         : arena_format(arena, "%s..%s", shown(arena, low), shown(arena, high)),
        .bounds = (const uint8_t *)arena_copy(arena, bounds.data, bounds.length),
        .bounds_length = (uint32_t)bounds.length,
        .row_estimate = (int64_t)rows};
    buffer_free(&bounds);
}

static enum status redis_source_split(struct database *database, const struct read_request *request,
                                      uint64_t rows_wanted, struct arena *arena,
                                      struct span **spans, uint32_t *span_count,
                                      struct error *error)
{
    struct redis_table *table = NULL;
    struct redis_key_list *keys = NULL;
    if (find_table(database, request, &table, error) != STATUS_OK ||
        redis_key_list_get(redis_of(database), table, &keys, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint64_t count = redis_key_list_count(keys);
    uint64_t step = rows_wanted > 0 ? rows_wanted : 1;
    uint64_t capacity = count / step + 2;
    struct text low = {NULL, 0};
    uint64_t begin = 0;
    *spans = arena_allocate_zeroed(arena, capacity, sizeof(**spans));
    *span_count = 0;
    for (uint64_t at = step; at < count; at = begin + step) {
        struct text high;
        if (!redis_key_list_near(keys, &at, &high)) {
            break;
        }
        make_span(arena, begin > 0 ? &low : NULL, &high, at - begin, &(*spans)[(*span_count)++]);
        low = high;
        begin = at;
    }
    make_span(arena, begin > 0 ? &low : NULL, NULL, count - begin, &(*spans)[(*span_count)++]);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- readers */

static enum status reader_open(struct database *database, struct reader **reader,
                               struct error *error)
{
    struct reader *made = memory_allocate_zeroed(1, sizeof(*made));
    (void)error;
    made->database = redis_of(database);
    *reader = made;
    return STATUS_OK;
}

static void reader_close(struct reader *reader)
{
    free(reader);
}

static enum status caveats(struct database *database, struct buffer *out, struct error *error)
{
    struct redis_source *source = NULL;
    if (redis_source_get(redis_of(database), &source, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t at = 0; at < source->table_count; at++) {
        if (source->tables[at].type == REDIS_TYPE_STREAM) {
            buffer_format(out, "%s: the consumer groups of its streams are not carried\n",
                          source->tables[at].name);
        }
    }
    return STATUS_OK;
}

/* "db0:keys=12,expires=3,avg_ttl=86399000" of INFO: how many keys expire; 0: none, or it is not
 * told. */
static uint64_t count_expiring(const struct redis_database *self, struct text info)
{
    static const char word[] = "expires=";
    struct buffer line = {0};
    uint64_t count = 0;
    buffer_format(&line, "db%u:", self->number);
    const char *found =
        info.length > 0 ? memmem(info.data, info.length, line.data, line.length) : NULL;
    size_t left = found != NULL ? info.length - (size_t)(found - info.data) : 0;
    const char *end = left > 0 ? memchr(found, '\n', left) : NULL;
    left = end != NULL ? (size_t)(end - found) : left;
    const char *digits = left > 0 ? memmem(found, left, word, sizeof(word) - 1) : NULL;
    buffer_free(&line);
    if (digits == NULL) {
        return 0;
    }
    digits += sizeof(word) - 1;
    size_t length = 0;
    while (digits + length < found + left && digits[length] >= '0' && digits[length] <= '9') {
        length++;
    }
    return text_to_uint64(digits, length, &count) == STATUS_OK ? count : 0;
}

static enum status tell_losses(struct database *database,
                               const struct read_request *const *requests, uint32_t request_count,
                               bool keeps_times, struct buffer *out, struct error *error)
{
    struct redis_database *self = redis_of(database);
    struct redis_call call = {0};
    struct buffer command = {0};
    struct resp_value reply;
    (void)requests;
    (void)request_count;
    if (keeps_times) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    resp_command(&command, "INFO", "keyspace", NULL);
    enum status status = redis_control(self, &call, &command, arena, &reply, error);
    uint64_t count =
        status == STATUS_OK && reply.type == RESP_TEXT ? count_expiring(self, reply.text) : 0;
    if (count > 0) {
        buffer_format(out,
                      "%" PRIu64 " keys of the source expire (TTL), which the target does not "
                      "keep: what is copied stays\n",
                      count);
    }
    arena_destroy(arena);
    if (status == STATUS_FAILED && error->class != ERROR_CLASS_RETRY) {
        error_clear(error); /* an account that may not ask */
        status = STATUS_OK;
    }
    return status;
}

const struct source_functions redis_source_functions = {
    .snapshot = source_has_no_snapshot,
    .describe_stream = describe_stream,
    .split = redis_source_split,
    .prepare = source_prepares_nothing,
    .reader_open = reader_open,
    .reader_close = reader_close,
    .cursor_open = redis_cursor_open,
    .cursor_next = redis_cursor_next,
    .cursor_close = redis_cursor_close,
    .caveats = caveats,
    .tell_losses = tell_losses,
};
