/* The store of the target in memory, and what its tests do to the ledger in it. */
#include "engine/ledger/ledger.h"

#include "engine/ledger/ledger_memory.h"
#include "support_engine_internal.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status fake_open(struct database *self, struct store **store, struct error *error)
{
    (void)error;
    *store = fake_store_of(self)->ledger;
    return STATUS_OK;
}

void fake_ledger_make(struct fake_store *store)
{
    store->ledger = memory_store_create();
    store->functions = memory_store_functions;
    store->functions.open = fake_open;
}

static void put(struct fake_store *store, const char *key, const char *text)
{
    struct error error;
    struct store_value value = {.version = STORE_ABSENT};
    struct arena *arena = arena_create(0);
    uint64_t version;
    assert_int_not_equal(memory_store_functions.get(store->ledger, key, arena, &value, &error),
                         STATUS_FAILED);
    assert_int_equal(memory_store_functions.put_if(store->ledger, key, text, strlen(text),
                                                   value.version, &version, &error),
                     STATUS_OK);
    arena_destroy(arena);
}

void fake_put_mark(struct fake_store *store, uint64_t chunk, const char *text)
{
    char key[STORE_KEY_BYTES];
    ledger_mark_key(key, store->run_id, chunk);
    put(store, key, text);
}

void fake_hide_mark(struct fake_store *store, uint64_t chunk)
{
    char key[STORE_KEY_BYTES];
    struct error error;
    struct store_value value;
    struct arena *arena = arena_create(0);
    ledger_mark_key(key, store->run_id, chunk);
    assert_int_equal(memory_store_functions.get(store->ledger, key, arena, &value, &error),
                     STATUS_OK);
    store->late_chunk = chunk;
    store->late_mark = strdup(value.text);
    assert_int_equal(
        memory_store_functions.delete_if(store->ledger, key, STORE_ANY_VERSION, &error), STATUS_OK);
    arena_destroy(arena);
}

void fake_lose_ledger(struct fake_store *store)
{
    struct error error;
    assert_int_equal(memory_store_functions.drop(store->ledger, &error), STATUS_OK);
}

static enum status take_lock(struct database *self, const char *run_id, uint64_t epoch,
                             bool take_over, struct ledger_holder *found, struct error *error)
{
    struct fake_store *store = fake_store_of(self);
    (void)run_id;
    (void)epoch;
    (void)take_over;
    (void)found;
    (void)error;
    if (store->late_chunk > 0) {
        fake_put_mark(store, store->late_chunk, store->late_mark);
        free(store->late_mark);
        store->late_mark = NULL;
        store->late_chunk = 0;
    }
    return STATUS_OK;
}

static void give_lock_back(struct database *self, const char *run_id)
{
    (void)self;
    (void)run_id;
}

const struct lock_functions fake_lock_functions = {.take = take_lock, .give_back = give_lock_back};

enum status fake_claimed(struct database *self, const struct run_claim *claim, struct error *error)
{
    struct fake_store *store = fake_store_of(self);
    (void)error;
    snprintf(store->run_id, sizeof(store->run_id), "%s", claim->run_id);
    snprintf(store->guard_key, sizeof(store->guard_key), "%s", claim->guard_key);
    store->guard_version = claim->guard_version;
    return STATUS_OK;
}

void fake_fence(struct fake_store *store)
{
    put(store, store->guard_key, "{\"format\":3,\"epoch\":1000000}");
}

bool fake_is_fenced(struct fake_store *store)
{
    struct error error;
    struct store_value value = {.version = STORE_ABSENT};
    struct arena *arena = arena_create(0);
    enum status status =
        memory_store_functions.get(store->ledger, store->guard_key, arena, &value, &error);
    assert_int_not_equal(status, STATUS_FAILED);
    arena_destroy(arena);
    return value.version != store->guard_version;
}

uint64_t fake_chunk_count(struct fake_store *store)
{
    struct error error;
    struct ledger *ledger;
    struct ledger_run *run;
    struct arena *arena = arena_create(0);
    struct database *target = fake_target_open(store);
    assert_int_equal(ledger_open(target, target, &ledger, &error), STATUS_OK);
    assert_int_equal(ledger_load(ledger, NULL, arena, &run, &error), STATUS_OK);
    uint64_t count = run->chunk_count;
    ledger_close(ledger);
    target->connector->close(target);
    arena_destroy(arena);
    return count;
}
