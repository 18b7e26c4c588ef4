/* Removing runs from the ledger, and the ledger with the last one. */
#include "engine/ledger/ledger_internal.h"

#include "base/failpoint.h"
#include "connectors/common/store_key.h"
#include "engine/ledger/json_text.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- parts */

enum status ledger_forget_keys(struct ledger *ledger, const char *run_id, struct error *error)
{
    char prefix[STORE_KEY_BYTES];
    store_name_key(prefix, "spill/", run_id);
    strncat(prefix, "/", sizeof(prefix) - strlen(prefix) - 1);
    return ledger_delete_prefix(ledger, prefix, error);
}

enum status ledger_remove_parts(struct ledger *ledger, const char *run_id, struct error *error)
{
    char prefix[STORE_KEY_BYTES];
    struct ledger_runs runs;
    struct arena *arena = arena_create(0);
    enum status status = ledger_read_runs(ledger, arena, &runs, error);
    for (uint32_t i = 0; i < runs.count && status == STATUS_OK; i++) {
        if (strcmp(runs.items[i].id, run_id) == 0) {
            char key[STORE_KEY_BYTES];
            snprintf(key, sizeof(key), "runs/%016" PRIu64, runs.items[i].number);
            status = ledger->functions->delete_if(ledger->store, key, STORE_ANY_VERSION, error);
        }
    }
    arena_destroy(arena);
    if (status == STATUS_OK) {
        status = failpoint_hit("ledger.after_forget", error);
    }
    if (status == STATUS_OK) {
        status = ledger_leave_scopes(ledger, run_id, error);
    }
    if (status == STATUS_OK) {
        status = ledger_forget_keys(ledger, run_id, error);
    }
    if (status == STATUS_OK) {
        status = ledger_learnt_forget(ledger, run_id, error);
    }
    ledger_key(prefix, run_id, "/");
    return status == STATUS_OK ? ledger_delete_prefix(ledger, prefix, error) : status;
}

struct gone_list {
    struct arena *arena;
    struct gone {
        struct gone *next;
        const char *key;
        const char *run_id;
    } * first;
    const struct ledger *ledger;
};

static enum status note_gone(void *context, const char *key, const struct store_value *value,
                             struct error *error)
{
    struct gone_list *list = context;
    json_t *object;
    if (ledger_parse(list->ledger, key, value->text, value->length, &object, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct gone *gone = arena_allocate(list->arena, sizeof(*gone));
    *gone = (struct gone){.next = list->first,
                          .key = arena_copy_string(list->arena, key),
                          .run_id =
                              arena_copy_string(list->arena, json_member_text(object, "run", ""))};
    list->first = gone;
    json_decref(object);
    return STATUS_OK;
}

enum status ledger_sweep_gone(struct ledger *ledger, struct error *error)
{
    struct gone_list list = {.arena = arena_create(0), .ledger = ledger};
    enum status status = ledger->functions->scan(ledger->store, "gone/", note_gone, &list, error);
    for (struct gone *gone = list.first; gone != NULL && status == STATUS_OK; gone = gone->next) {
        status = ledger_remove_parts(ledger, gone->run_id, error);
        if (status == STATUS_OK) {
            status =
                ledger->functions->delete_if(ledger->store, gone->key, STORE_ANY_VERSION, error);
        }
    }
    arena_destroy(list.arena);
    return status;
}

static const char *named(const char *run_id, struct arena *arena)
{
    json_t *object = ledger_object();
    json_object_set_new(object, "run", json_text(run_id));
    return ledger_text(object, arena);
}

/* Noted first, so that the rest is removed by whoever comes next. */
static enum status remove_run(struct ledger *ledger, const char *run_id, struct arena *arena,
                              struct error *error)
{
    char key[STORE_KEY_BYTES];
    store_name_key(key, "gone/", run_id);
    enum status status =
        ledger_put(ledger, ledger->store, key, named(run_id, arena), STORE_ABSENT, NULL, error);
    if (status == STATUS_FAILED || failpoint_hit("ledger.before_forget", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return ledger_sweep_gone(ledger, error);
}

/* ---- the place */

static enum status note_guest(void *context, const char *key, const struct store_value *value,
                              struct error *error)
{
    bool *any = context;
    (void)key;
    (void)value;
    (void)error;
    *any = true;
    return STATUS_OK;
}

/* Is something of runs kept here whose ledger is elsewhere, or a watermark for those to come? */
static enum status has_guests(struct ledger *ledger, bool *any, struct error *error)
{
    *any = false;
    enum status status =
        ledger->functions->scan(ledger->store, STORE_GUEST_PREFIX, note_guest, any, error);
    return status == STATUS_OK && !*any
               ? ledger->functions->scan(ledger->store, LEDGER_WATERMARKS, note_guest, any, error)
               : status;
}

static enum status is_last(struct ledger *ledger, const char *run_id, struct arena *arena,
                           bool *last, struct error *error)
{
    struct ledger_runs runs;
    bool guests = false;
    enum status status = ledger_read_runs(ledger, arena, &runs, error);
    if (status == STATUS_OK) {
        status = has_guests(ledger, &guests, error);
    }
    *last = !guests;
    for (uint32_t i = 0; i < runs.count; i++) {
        *last = *last && strcmp(runs.items[i].id, run_id) == 0;
    }
    return status;
}

/* STATUS_OK: an earlier attempt of this run put it. STATUS_AGAIN: it is another run's, whose
 * process may be alive and will take it away when it is done, and with it what would keep others
 * out. */
static enum status is_own_closing(struct ledger *ledger, const char *run_id, struct arena *arena,
                                  struct error *error)
{
    struct store_value value;
    json_t *object;
    enum status status = ledger_get(ledger, "closing", arena, &value, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_AGAIN : status;
    }
    if (ledger_parse(ledger, "closing", value.text, value.length, &object, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool own = strcmp(json_member_text(object, "run", ""), run_id) == 0;
    json_decref(object);
    return own ? STATUS_OK : STATUS_AGAIN;
}

/* STATUS_AGAIN: a run was made meanwhile, or another one is closing it: the place stays. */
static enum status remove_place(struct ledger *ledger, const char *run_id, struct arena *arena,
                                struct error *error)
{
    bool last = true;
    enum status status = failpoint_hit("ledger.before_closing", error);
    if (status == STATUS_OK) {
        status = ledger_put(ledger, ledger->store, "closing", named(run_id, arena), STORE_ABSENT,
                            NULL, error);
        status = status == STATUS_AGAIN ? is_own_closing(ledger, run_id, arena, error) : status;
    }
    if (status == STATUS_OK) {
        status = failpoint_hit("ledger.after_closing", error);
    }
    if (status == STATUS_OK) {
        status = is_last(ledger, run_id, arena, &last, error);
    }
    if (status == STATUS_OK && !last) {
        status = ledger->functions->delete_if(ledger->store, "closing", STORE_ANY_VERSION, error);
        return status == STATUS_OK ? STATUS_AGAIN : status;
    }
    if (status == STATUS_OK) {
        status = ledger->functions->drop(ledger->store, error);
    }
    return status == STATUS_OK ? failpoint_hit("ledger.after_drop", error) : status;
}

static enum status remove_from_store(struct ledger *ledger, const char *run_id, struct error *error)
{
    bool last = false;
    struct arena *arena = arena_create(0);
    enum status status = ledger_sweep_gone(ledger, error);
    if (status == STATUS_OK) {
        status = is_last(ledger, run_id, arena, &last, error);
    }
    if (status == STATUS_OK && last) {
        status = remove_place(ledger, run_id, arena, error);
    } else if (status == STATUS_OK) {
        status = STATUS_AGAIN;
    }
    if (status == STATUS_AGAIN) {
        status = remove_run(ledger, run_id, arena, error);
    }
    arena_destroy(arena);
    return status;
}

struct guest_keys {
    struct arena *arena;
    const char **keys;
    uint32_t count;
    uint32_t capacity;
};

static enum status note_guest_key(void *context, const char *key, const struct store_value *value,
                                  struct error *error)
{
    struct guest_keys *keys = context;
    (void)value;
    (void)error;
    if (keys->count == keys->capacity) {
        keys->capacity = keys->capacity == 0 ? 16 : 2 * keys->capacity;
        const char **grown = arena_allocate_zeroed(keys->arena, keys->capacity, sizeof *grown);
        if (keys->count > 0) {
            memcpy(grown, keys->keys, keys->count * sizeof *grown);
        }
        keys->keys = grown;
    }
    keys->keys[keys->count++] = arena_copy_string(keys->arena, key);
    return STATUS_OK;
}

/* Removes what following noted in the target's own store, beside its position, where the ledger is
 * elsewhere. */
static enum status remove_from_target(struct ledger *ledger, const char *run_id,
                                      struct error *error)
{
    const struct store_functions *functions = ledger->target->connector->store;
    struct guest_keys keys = {0};
    struct store *store;
    char prefix[STORE_KEY_BYTES];
    if (ledger->home == ledger->target || functions == NULL) {
        return STATUS_OK;
    }
    ledger_key(prefix, run_id, "/reject/");
    enum status status = functions->open(ledger->target, &store, error);
    if (status != STATUS_OK) {
        return status;
    }
    keys.arena = arena_create(0);
    status = functions->scan(store, prefix, note_guest_key, &keys, error);
    for (uint32_t i = 0; i < keys.count && status == STATUS_OK; i++) {
        status = functions->delete_if(store, keys.keys[i], STORE_ANY_VERSION, error);
    }
    functions->close(store);
    arena_destroy(keys.arena);
    return status;
}

/* ---- both */

enum status ledger_forget(struct ledger *ledger, const char *run_id, uint64_t epoch,
                          bool rolled_back, struct error *error)
{
    const struct target_functions *target = ledger->target->connector->target;
    enum status status;
    bool there = false;
    if (ledger->run_id == NULL || strcmp(ledger->run_id, run_id) != 0 || ledger->epoch != epoch) {
        return error_set(error, ERROR_RUN_FENCED, run_id, "this process does not hold the run");
    }
    /* an earlier attempt may have failed after the run was gone */
    status = ledger_exists(ledger, run_id, &there, error);
    if (status == STATUS_OK && there && target->forget_run != NULL) {
        status = target->forget_run(ledger->target, run_id, rolled_back, error);
    }
    if (status == STATUS_OK && there) {
        status = remove_from_target(ledger, run_id, error);
    }
    if (status == STATUS_OK && there) {
        status = remove_from_store(ledger, run_id, error);
    }
    if (status == STATUS_OK && target->tidy != NULL) {
        status = target->tidy(ledger->target, rolled_back, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    ledger_end_claim(ledger, run_id);
    return STATUS_OK;
}

enum status ledger_tidy(struct ledger *ledger, bool rolled_back, struct error *error)
{
    const struct target_functions *target = ledger->target->connector->target;
    struct arena *arena = arena_create(0);
    struct ledger_runs runs;
    enum status status = ledger_sweep_gone(ledger, error);
    if (status == STATUS_OK) {
        status = ledger_read_runs(ledger, arena, &runs, error);
    }
    bool guests = false;
    if (status == STATUS_OK) {
        status = has_guests(ledger, &guests, error);
    }
    if (status == STATUS_OK && runs.count == 0 && !guests) {
        struct store_value value;
        status = ledger_get(ledger, "closing", arena, &value, error);
        if (status == STATUS_OK) {
            status = ledger->functions->drop(ledger->store, error);
        }
        status = status == STATUS_END ? STATUS_OK : status;
    }
    arena_destroy(arena);
    return status == STATUS_OK && target->tidy != NULL
               ? target->tidy(ledger->target, rolled_back, error)
               : status;
}
