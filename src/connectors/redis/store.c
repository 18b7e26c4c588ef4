/*
 * The store: two keys in one slot, changed together by scripts.
 *
 *   {_transhume_ledger}:values   a hash: key → "VERSION text"; "" → "2", the format
 *   {_transhume_ledger}:keys     a sorted set of the keys, by score 0: so they are in their order
 *
 * What replaces a version is as safe as that condition. What puts an absent key or deletes any
 * version is sent only while the lease lasts, once this process has claimed a run.
 */
#include "connectors/redis/redis.h"

#include "base/failpoint.h"
#include "base/memory.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdlib.h>

#define LEDGER "{_transhume_ledger}"
#define VALUES LEDGER ":values"
#define KEYS LEDGER ":keys"
#define FORMAT "2"

#define PAGE_TEXT "200"

enum { VALUE_BYTES_MAX = 4 << 20, PAGE_KEYS = 200 /* PAGE_TEXT */ };

/* KEYS: values, keys. ARGV: key, the version that it has, text. 0: it has another; -1: no ledger.
 */
static const char put_script[] =
    "if redis.call('HEXISTS', KEYS[1], '') == 0 then return -1 end\n"
    "local now = redis.call('HGET', KEYS[1], ARGV[1])\n"
    "local version = now and string.match(now, '^%d+') or '0'\n"
    "if version ~= ARGV[2] then return 0 end\n"
    "redis.call('HSET', KEYS[1], ARGV[1], string.format('%d ', tonumber(version) + 1) .. ARGV[3])\n"
    "redis.call('ZADD', KEYS[2], 0, ARGV[1])\n"
    "return 1";

/* ARGV: key, the version that it has; '' is any. */
static const char delete_script[] =
    "local now = redis.call('HGET', KEYS[1], ARGV[1])\n"
    "if not now then return 1 end\n"
    "if ARGV[2] ~= '' and string.match(now, '^%d+') ~= ARGV[2] then return 0 end\n"
    "redis.call('HDEL', KEYS[1], ARGV[1])\n"
    "redis.call('ZREM', KEYS[2], ARGV[1])\n"
    "return 1";

struct store {
    struct redis_database *database;
    struct redis_client *client;
};

static enum status store_open(struct database *self, struct store **store, struct error *error)
{
    struct store *made = memory_allocate_zeroed(1, sizeof(*made));
    (void)error;
    made->database = redis_of(self);
    made->client = redis_client_create(made->database->server);
    *store = made;
    return STATUS_OK;
}

static void store_close(struct store *store)
{
    if (store != NULL) {
        redis_client_destroy(store->client);
        free(store);
    }
}

/* ---------------------------------------------------------------- calls */

/* Frees the command. */
static enum status redis_store_call(struct store *store, struct buffer *command, bool writes,
                                    const struct database *lease, struct arena *arena,
                                    struct resp_value *reply, struct error *error)
{
    const struct redis_call what = {.command = command,
                                    .slot = redis_slot_of(LEDGER, strlen(LEDGER)),
                                    .writes = writes,
                                    .lease = lease,
                                    .object = VALUES};
    enum status status = redis_client_call(store->client, &what, arena, reply, error);
    buffer_free(command);
    return status;
}

static void begin_script(struct buffer *command, const char *script, uint32_t arguments)
{
    resp_begin(command, 5 + (uint64_t)arguments);
    resp_string(command, "EVAL");
    resp_string(command, script);
    resp_string(command, "2");
    resp_string(command, VALUES);
    resp_string(command, KEYS);
}

/* Runs a script. STATUS_AGAIN: 0; STATUS_END: -1. */
static enum status run_script(struct store *store, struct buffer *command,
                              const struct database *lease, struct error *error)
{
    struct resp_value reply;
    struct arena *arena = arena_create(0);
    enum status status = redis_store_call(store, command, true, lease, arena, &reply, error);
    if (status == STATUS_OK && reply.type == RESP_INTEGER) {
        status = reply.integer == 0 ? STATUS_AGAIN : reply.integer < 0 ? STATUS_END : STATUS_OK;
    }
    arena_destroy(arena);
    return status;
}

static enum status no_place(struct error *error)
{
    return error_set(error, ERROR_TARGET_MISSING, VALUES, "the ledger is not there any more");
}

/* ---------------------------------------------------------------- the place */

static enum status store_create(struct store *store, struct error *error)
{
    struct buffer command = {0};
    struct resp_value reply;
    struct arena *arena = arena_create(0);
    enum status status = failpoint_hit("redis.before_ledger", error);
    if (status == STATUS_OK) {
        resp_command(&command, "HSETNX", VALUES, "", FORMAT, NULL);
        status = redis_store_call(store, &command, true, NULL, arena, &reply, error);
    }
    if (status == STATUS_OK) {
        resp_command(&command, "HGET", VALUES, "", NULL);
        status = redis_store_call(store, &command, false, NULL, arena, &reply, error);
    }
    if (status == STATUS_OK && !resp_is(&reply, FORMAT)) {
        status = error_set(error, ERROR_FORMAT_NEWER, VALUES,
                           "the ledger is of another format than %s", FORMAT);
    }
    arena_destroy(arena);
    return status == STATUS_OK ? failpoint_hit("redis.after_ledger", error) : status;
}

static enum status store_drop(struct store *store, struct error *error)
{
    struct buffer command = {0};
    struct resp_value reply;
    struct arena *arena = arena_create(0);
    resp_command(&command, "UNLINK", VALUES, KEYS, NULL);
    enum status status = redis_store_call(store, &command, true, NULL, arena, &reply, error);
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- reading */

static enum status read_value(const char *key, struct text text, struct store_value *value,
                              struct error *error)
{
    const char *blank = memchr(text.data, ' ', text.length);
    if (blank == NULL ||
        text_to_uint64(text.data, (size_t)(blank - text.data), &value->version) != STATUS_OK) {
        return error_set(error, ERROR_LEDGER_INVALID, VALUES, "the ledger's value of %s is damaged",
                         key);
    }
    value->text = blank + 1;
    value->length = text.length - (size_t)(blank + 1 - text.data);
    return STATUS_OK;
}

static enum status store_get(struct store *store, const char *key, struct arena *arena,
                             struct store_value *value, struct error *error)
{
    struct buffer command = {0};
    struct resp_value reply;
    resp_command(&command, "HGET", VALUES, key, NULL);
    enum status status = redis_store_call(store, &command, false, NULL, arena, &reply, error);
    if (status != STATUS_OK || reply.type != RESP_TEXT) {
        return status == STATUS_OK ? STATUS_END : status;
    }
    status = read_value(key, reply.text, value, error);
    if (status == STATUS_OK) {
        value->text = arena_copy(arena, value->text, value->length);
    }
    return status;
}

/* A value that was deleted since its key was read is left out. */
static enum status visit_keys(struct store *store, const struct resp_value *keys,
                              store_visit *visit, void *context, struct arena *arena,
                              struct error *error)
{
    struct buffer command = {0};
    struct resp_value values;
    resp_begin(&command, 2 + (uint64_t)keys->count);
    resp_string(&command, "HMGET");
    resp_string(&command, VALUES);
    for (uint32_t at = 0; at < keys->count; at++) {
        resp_word(&command, keys->items[at].text.data, keys->items[at].text.length);
    }
    enum status status = redis_store_call(store, &command, false, NULL, arena, &values, error);
    for (uint32_t at = 0; status == STATUS_OK && at < values.count && at < keys->count; at++) {
        struct store_value value;
        const struct text name = keys->items[at].text;
        if (values.items[at].type != RESP_TEXT) {
            continue;
        }
        const char *key = arena_copy(arena, name.data, name.length);
        const struct text text = {
            arena_copy(arena, values.items[at].text.data, values.items[at].text.length),
            values.items[at].text.length};
        status = read_value(key, text, &value, error);
        status = status == STATUS_OK ? visit(context, key, &value, error) : status;
    }
    return status;
}

static enum status store_scan(struct store *store, const char *prefix, store_visit *visit,
                              void *context, struct error *error)
{
    struct buffer from = {0};
    struct arena *arena = arena_create(0);
    struct resp_value keys = {.count = PAGE_KEYS};
    enum status status = STATUS_OK;
    buffer_format(&from, "[%s", prefix);
    char *end = memory_format("(%s\xff", prefix);
    while (status == STATUS_OK && keys.count == PAGE_KEYS) {
        struct buffer command = {0};
        arena_reset(arena);
        resp_command(&command, "ZRANGEBYLEX", KEYS, buffer_string(&from), end, "LIMIT", "0",
                     PAGE_TEXT, NULL);
        status = redis_store_call(store, &command, false, NULL, arena, &keys, error);
        if (status == STATUS_OK && keys.count > 0) {
            const struct text last = keys.items[keys.count - 1].text;
            buffer_clear(&from);
            buffer_append_byte(&from, '(');
            buffer_append(&from, last.data, last.length);
            status = visit_keys(store, &keys, visit, context, arena, error);
        }
    }
    buffer_free(&from);
    free(end);
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- writing */

static enum status store_put_if(struct store *store, const char *key, const char *text,
                                size_t length, uint64_t expected, uint64_t *version,
                                struct error *error)
{
    struct buffer command = {0};
    begin_script(&command, put_script, 3);
    resp_string(&command, key);
    resp_number(&command, (int64_t)expected);
    resp_word(&command, text, length);
    *version = expected + 1;
    enum status status =
        run_script(store, &command,
                   expected == STORE_ABSENT ? keyed_lease(&store->database->keyed) : NULL, error);
    return status == STATUS_END ? no_place(error) : status;
}

static enum status store_delete_if(struct store *store, const char *key, uint64_t expected,
                                   struct error *error)
{
    struct buffer command = {0};
    begin_script(&command, delete_script, 2);
    resp_string(&command, key);
    if (expected == STORE_ANY_VERSION) {
        resp_string(&command, "");
    } else {
        resp_number(&command, (int64_t)expected);
    }
    return run_script(store, &command,
                      expected == STORE_ANY_VERSION ? keyed_lease(&store->database->keyed) : NULL,
                      error);
}

const struct store_functions redis_store = {
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
