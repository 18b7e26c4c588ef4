/* A store in memory: an array in the order of keys. */
#include "engine/ledger/ledger_memory.h"

#include "base/memory.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct memory_item {
    char *key;
    char *text;
    size_t length;
    uint64_t version;
};

struct store {
    pthread_mutex_t mutex;
    struct memory_item *items;
    size_t count;
    size_t capacity;
};

struct store *memory_store_create(void)
{
    struct store *store = memory_allocate_zeroed(1, sizeof(*store));
    pthread_mutex_init(&store->mutex, NULL);
    return store;
}

static void ledger_memory_clear(struct store *store)
{
    for (size_t i = 0; i < store->count; i++) {
        free(store->items[i].key);
        free(store->items[i].text);
    }
    store->count = 0;
}

void memory_store_destroy(struct store *store)
{
    if (store != NULL) {
        ledger_memory_clear(store);
        free(store->items);
        pthread_mutex_destroy(&store->mutex);
        free(store);
    }
}

static enum status memory_open(struct database *self, struct store **store, struct error *error)
{
    (void)self;
    (void)error;
    *store = NULL;
    return STATUS_OK;
}

static void memory_close(struct store *store)
{
    (void)store;
}

static enum status memory_create(struct store *store, struct error *error)
{
    (void)store;
    (void)error;
    return STATUS_OK;
}

static enum status memory_drop(struct store *store, struct error *error)
{
    (void)error;
    pthread_mutex_lock(&store->mutex);
    ledger_memory_clear(store);
    pthread_mutex_unlock(&store->mutex);
    return STATUS_OK;
}

/* The first item whose key is not below. */
static size_t lower_bound(const struct store *store, const char *key)
{
    size_t low = 0;
    size_t high = store->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(store->items[middle].key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct memory_item *ledger_memory_find(struct store *store, const char *key)
{
    size_t at = lower_bound(store, key);
    return at < store->count && strcmp(store->items[at].key, key) == 0 ? &store->items[at] : NULL;
}

static enum status memory_get(struct store *store, const char *key, struct arena *arena,
                              struct store_value *value, struct error *error)
{
    (void)error;
    pthread_mutex_lock(&store->mutex);
    const struct memory_item *item = ledger_memory_find(store, key);
    if (item != NULL) {
        *value = (struct store_value){.text = arena_copy(arena, item->text, item->length),
                                      .length = item->length,
                                      .version = item->version};
    }
    pthread_mutex_unlock(&store->mutex);
    return item != NULL ? STATUS_OK : STATUS_END;
}

static struct memory_item *ledger_memory_insert(struct store *store, const char *key)
{
    size_t at = lower_bound(store, key);
    if (store->count == store->capacity) {
        store->capacity = store->capacity == 0 ? 64 : store->capacity * 2;
        store->items = memory_resize(store->items, store->capacity, sizeof(*store->items));
    }
    memmove(store->items + at + 1, store->items + at, (store->count - at) * sizeof(*store->items));
    store->count++;
    store->items[at] = (struct memory_item){.key = memory_copy_string(key)};
    return &store->items[at];
}

static enum status memory_put_if(struct store *store, const char *key, const char *text,
                                 size_t length, uint64_t expected, uint64_t *version,
                                 struct error *error)
{
    (void)error;
    pthread_mutex_lock(&store->mutex);
    struct memory_item *item = ledger_memory_find(store, key);
    bool stands = (item != NULL ? item->version : STORE_ABSENT) == expected;
    if (stands) {
        item = item != NULL ? item : ledger_memory_insert(store, key);
        free(item->text);
        item->text = memory_copy_bytes(text, length);
        item->length = length;
        *version = ++item->version;
    }
    pthread_mutex_unlock(&store->mutex);
    return stands ? STATUS_OK : STATUS_AGAIN;
}

static enum status memory_delete_if(struct store *store, const char *key, uint64_t expected,
                                    struct error *error)
{
    (void)error;
    pthread_mutex_lock(&store->mutex);
    struct memory_item *item = ledger_memory_find(store, key);
    bool stands = item == NULL || expected == STORE_ANY_VERSION || item->version == expected;
    if (item != NULL && stands) {
        size_t at = (size_t)(item - store->items);
        free(item->key);
        free(item->text);
        store->count--;
        memmove(item, item + 1, (store->count - at) * sizeof(*item));
    }
    pthread_mutex_unlock(&store->mutex);
    return stands ? STATUS_OK : STATUS_AGAIN;
}

/* Item by item, so that the visitor may use the store. */
static enum status memory_scan(struct store *store, const char *prefix, store_visit *visit,
                               void *context, struct error *error)
{
    char key[STORE_KEY_BYTES];
    size_t length = strlen(prefix);
    enum status status = STATUS_OK;
    bool found = true;
    memcpy(key, prefix, length + 1);
    for (bool after = false; found && status == STATUS_OK; after = true) {
        struct arena *arena = arena_create(1024);
        struct store_value value;
        pthread_mutex_lock(&store->mutex);
        size_t at = lower_bound(store, key);
        at += after && at < store->count && strcmp(store->items[at].key, key) == 0;
        found = at < store->count && strncmp(store->items[at].key, prefix, length) == 0;
        if (found) {
            const struct memory_item *item = &store->items[at];
            memcpy(key, item->key, strlen(item->key) + 1);
            value = (struct store_value){.text = arena_copy(arena, item->text, item->length),
                                         .length = item->length,
                                         .version = item->version};
        }
        pthread_mutex_unlock(&store->mutex);
        if (found) {
            status = visit(context, key, &value, error);
        }
        arena_destroy(arena);
    }
    return status;
}

const struct store_functions memory_store_functions = {
    .value_bytes_max = UINT32_MAX,
    .open = memory_open,
    .close = memory_close,
    .create = memory_create,
    .drop = memory_drop,
    .get = memory_get,
    .put_if = memory_put_if,
    .delete_if = memory_delete_if,
    .scan = memory_scan,
};
