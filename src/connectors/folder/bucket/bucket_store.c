/*
 * The store of a bucket: PREFIX/_transhume/ledger/<key>.entry, an object for each key:
 *
 *   {"format":1,"version":3}
 *   <text>
 *
 * With its ending no key is the beginning of another one's path, nor ends with a slash: stores that
 * keep objects as files take neither.
 *
 * A read sees every write that was answered before it, and lists do, too (S3 since December 2020,
 * and every store that is compatible with it). What replaces a version names the ETag under which
 * it was read (If-Match), what puts an absent key says so (If-None-Match), and is sent only while
 * the lease lasts, once this process has claimed a run. Stores that ignore these conditions are
 * refused when the ledger is made.
 */
#include "connectors/folder/bucket/bucket.h"

#include "base/memory.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT = 1, VALUE_BYTES_MAX = 1 << 20 };
#define STORE_TEXT "{\"format\":1,\"kind\":\"ledger\"}\n"
#define PLACE BUCKET_OWN "ledger/"
#define ENTRY_END ".entry"
#define HEAD_BEGIN "{\"format\":1,\"version\":"

struct store {
    struct folder *folder;
    struct s3_bucket *connection;
    struct arena *arena; /* of one call */
};

static char *object_key(const struct store *store, struct arena *arena, const char *key)
{
    return bucket_key(store->folder->bucket, arena, arena_format(arena, PLACE "%s" ENTRY_END, key));
}

static char *place_key(const struct store *store, struct arena *arena)
{
    return bucket_key(store->folder->bucket, arena, BUCKET_OWN "store");
}

/* ---------------------------------------------------------------- open and close */

static void store_close(struct store *store)
{
    if (store != NULL) {
        s3_bucket_close(store->connection);
        arena_destroy(store->arena);
        free(store);
    }
}

static enum status check_format(struct store *store, struct error *error)
{
    struct s3_content content = {0};
    const char *key = place_key(store, store->arena);
    enum status status = s3_get(store->connection, key, store->arena, &content, error);
    if (status != STATUS_OK || strcmp(content.text, STORE_TEXT) == 0) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    error_set(error, ERROR_FORMAT_NEWER, key, "the ledger is of another format than %d", FORMAT);
    return error_hint(error, "continue with the version of transhume that began the run, or a "
                             "later one");
}

static enum status store_open(struct database *self, struct store **store, struct error *error)
{
    struct store *made = memory_allocate_zeroed(1, sizeof *made);
    made->folder = (struct folder *)self;
    made->arena = arena_create(1024);
    *store = NULL;
    if (bucket_connect(made->folder->bucket, &made->connection, error) != STATUS_OK ||
        check_format(made, error) != STATUS_OK) {
        store_close(made);
        return STATUS_FAILED;
    }
    *store = made;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the place */

static enum status remove_key(struct store *store, const char *key, bool leased,
                              struct error *error)
{
    const struct s3_write write = {.key = key, .leased = leased};
    return s3_remove(store->connection, &write, error);
}

static enum status refuse_unconditional(struct store *store, struct error *error)
{
    if (remove_key(store, place_key(store, store->arena), false, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    error_set(error, ERROR_TARGET_INVALID, store->folder->bucket->identity,
              "this store ignores conditions on writes (If-Match, If-None-Match): two processes "
              "could write one run");
    return error_hint(error, "keep the ledger elsewhere: --ledger sqlite:FILE");
}

/* Both conditions are tried where they do not hold. */
static enum status try_conditions(struct store *store, struct s3_write *write, struct error *error)
{
    write->condition = S3_IF_ABSENT;
    enum status absent = s3_put(store->connection, write, error);
    if (absent == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    write->condition = S3_IF_SAME;
    write->etag = "\"00000000000000000000000000000000\"";
    enum status same = s3_put(store->connection, write, error);
    if (same == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    return absent == STATUS_AGAIN && same == STATUS_AGAIN ? STATUS_OK
                                                          : refuse_unconditional(store, error);
}

static enum status store_create(struct store *store, struct error *error)
{
    arena_reset(store->arena);
    struct s3_write write = {.key = place_key(store, store->arena),
                             .bytes = STORE_TEXT,
                             .length = strlen(STORE_TEXT),
                             .condition = S3_IF_ABSENT};
    enum status status = s3_put(store->connection, &write, error);
    return status == STATUS_FAILED ? STATUS_FAILED : try_conditions(store, &write, error);
}

/* "closing" goes last: as long as it is there, nobody begins a run here. */
static enum status store_drop(struct store *store, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct s3_object *objects = NULL;
    uint32_t count = 0;
    const char *closing = object_key(store, arena, "closing");
    const char *prefix = bucket_key(store->folder->bucket, arena, PLACE);
    enum status status = s3_list(store->connection, prefix, arena, &objects, &count, error);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        if (strcmp(objects[at].key, closing) != 0) {
            status = remove_key(store, objects[at].key, false, error);
        }
    }
    status =
        status == STATUS_OK ? remove_key(store, place_key(store, arena), false, error) : status;
    status = status == STATUS_OK ? remove_key(store, closing, false, error) : status;
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- reading */

static enum status read_content(const struct s3_content *content, const char *key,
                                struct store_value *value, struct error *error)
{
    const char *end = memchr(content->text, '\n', content->length);
    size_t begin = strlen(HEAD_BEGIN);
    if (end == NULL || strncmp(content->text, HEAD_BEGIN, begin) != 0 || end[-1] != '}' ||
        text_to_uint64(content->text + begin, (size_t)(end - 1 - content->text) - begin,
                       &value->version) != STATUS_OK ||
        value->version == STORE_ABSENT) {
        return error_set(error, ERROR_LEDGER_INVALID, key, "the ledger's object is damaged");
    }
    value->text = end + 1;
    value->length = content->length - (size_t)(end + 1 - content->text);
    return STATUS_OK;
}

static enum status get_object(struct store *store, const char *key, struct arena *arena,
                              struct store_value *value, const char **etag, struct error *error)
{
    struct s3_content content = {0};
    enum status status =
        s3_get(store->connection, object_key(store, arena, key), arena, &content, error);
    *etag = content.etag;
    return status == STATUS_OK ? read_content(&content, key, value, error) : status;
}

static enum status store_get(struct store *store, const char *key, struct arena *arena,
                             struct store_value *value, struct error *error)
{
    const char *etag = NULL;
    return get_object(store, key, arena, value, &etag, error);
}

/* ---------------------------------------------------------------- scanning */

/* Keys that were deleted since they were listed are left out. */
static enum status visit_some(struct store *store, const char *const *keys, uint32_t count,
                              store_visit *visit, void *context, struct error *error)
{
    const char *names[S3_GET_MANY_MAX];
    struct s3_content contents[S3_GET_MANY_MAX];
    struct arena *arena = arena_create(0);
    for (uint32_t at = 0; at < count; at++) {
        names[at] = object_key(store, arena, keys[at]);
    }
    enum status status = s3_get_many(store->connection, names, count, arena, contents, error);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        struct store_value value;
        if (contents[at].text == NULL) {
            continue;
        }
        status = read_content(&contents[at], keys[at], &value, error);
        status = status == STATUS_OK ? visit(context, keys[at], &value, error) : status;
    }
    arena_destroy(arena);
    return status;
}

/* The store's keys that begin so, in their own order: with their endings they have another one. */
static enum status list_keys(struct store *store, const char *prefix, struct arena *arena,
                             const char ***keys, uint32_t *count, struct error *error)
{
    struct s3_object *objects = NULL;
    uint32_t found = 0;
    const char *place = bucket_key(store->folder->bucket, arena, PLACE);
    size_t skipped = strlen(place);
    size_t end = strlen(ENTRY_END);
    enum status status = s3_list(store->connection, arena_format(arena, "%s%s", place, prefix),
                                 arena, &objects, &found, error);
    *keys = arena_allocate_zeroed(arena, (size_t)found + 1, sizeof **keys);
    *count = 0;
    for (uint32_t at = 0; at < found; at++) {
        const char *key = objects[at].key + skipped;
        if (text_ends_with(key, ENTRY_END)) {
            (*keys)[(*count)++] = arena_copy(arena, key, strlen(key) - end);
        }
    }
    if (*count > 1) {
        qsort(*keys, *count, sizeof **keys, text_compare_strings);
    }
    return status;
}

static enum status store_scan(struct store *store, const char *prefix, store_visit *visit,
                              void *context, struct error *error)
{
    struct arena *arena = arena_create(0);
    const char **keys = NULL;
    uint32_t count = 0;
    enum status status = list_keys(store, prefix, arena, &keys, &count, error);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at += S3_GET_MANY_MAX) {
        uint32_t left = count - at;
        status = visit_some(store, keys + at, left < S3_GET_MANY_MAX ? left : S3_GET_MANY_MAX,
                            visit, context, error);
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- writing */

/* The ETag of that version. STATUS_AGAIN: the key has another one; STATUS_END: it is not there. */
static enum status find_version(struct store *store, const char *key, uint64_t expected,
                                const char **etag, struct error *error)
{
    struct store_value value;
    enum status status = get_object(store, key, store->arena, &value, etag, error);
    return status == STATUS_OK && value.version != expected ? STATUS_AGAIN : status;
}

static enum status store_put_if(struct store *store, const char *key, const char *text,
                                size_t length, uint64_t expected, uint64_t *version,
                                struct error *error)
{
    struct buffer body = {0};
    arena_reset(store->arena);
    struct s3_write write = {
        .key = object_key(store, store->arena, key), .condition = S3_IF_ABSENT, .leased = true};
    *version = expected + 1;
    if (expected != STORE_ABSENT) {
        enum status found = find_version(store, key, expected, &write.etag, error);
        if (found != STATUS_OK) {
            return found == STATUS_END ? STATUS_AGAIN : found;
        }
        write.condition = S3_IF_SAME;
        write.leased = false;
    }
    buffer_format(&body, HEAD_BEGIN "%" PRIu64 "}\n", expected + 1);
    buffer_append(&body, text, length);
    write.bytes = body.data;
    write.length = body.length;
    enum status status = s3_put(store->connection, &write, error);
    buffer_free(&body);
    return status;
}

static enum status store_delete_if(struct store *store, const char *key, uint64_t expected,
                                   struct error *error)
{
    arena_reset(store->arena);
    struct s3_write write = {.key = object_key(store, store->arena, key), .leased = true};
    if (expected != STORE_ANY_VERSION) {
        enum status found = find_version(store, key, expected, &write.etag, error);
        if (found != STATUS_OK) {
            return found == STATUS_END ? STATUS_OK : found;
        }
        write.condition = S3_IF_SAME;
        write.leased = false;
    }
    return s3_remove(store->connection, &write, error);
}

const struct store_functions bucket_store = {
    .value_bytes_max = VALUE_BYTES_MAX,
    .open = store_open,
    .close = store_close,
    .create = store_create,
    .drop = store_drop,
    .get = store_get,
    .put_if = store_put_if,
    .delete_if = store_delete_if,
    .scan = store_scan,
};
