/* A ledger's connection to its store: keys, values, and writes that know their own outcome. */
#include "engine/ledger/ledger_internal.h"

#include "base/memory.h"
#include "base/text.h"
#include "connectors/common/store_key.h"
#include "engine/ledger/ledger_memory.h"
#include "model/json_tree.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* ---- opening */

/* A ledger elsewhere tells the runs of several targets apart by this hash. */
static enum status hash_identity(struct ledger *ledger, struct error *error)
{
    struct arena *arena = arena_create(1024);
    const char *identity;
    enum status status =
        ledger->target->connector->identity(ledger->target, arena, &identity, error);
    if (status == STATUS_OK) {
        XXH128_hash_t hash = XXH3_128bits(identity, strlen(identity));
        text_from_hash(hash.high64, hash.low64, ledger->target_hash);
    }
    arena_destroy(arena);
    return status;
}

enum status ledger_open(struct database *target, struct database *home, struct ledger **made,
                        struct error *error)
{
    struct ledger *ledger = memory_allocate_zeroed(1, sizeof(*ledger));
    ledger->target = target;
    ledger->home = home;
    ledger->functions = home->connector->store;
    ledger->lock = home == target ? target->connector->lock : NULL;
    pthread_mutex_init(&ledger->mutex, NULL);
    if ((home->capabilities & CAPABILITY_NO_RESUME) != 0) {
        ledger->functions = &memory_store_functions;
        ledger->memory = ledger->store = memory_store_create();
        *made = ledger;
        return STATUS_OK;
    }
    if ((home != target && hash_identity(ledger, error) != STATUS_OK) ||
        ledger->functions->open(home, &ledger->store, error) != STATUS_OK) {
        ledger->store = NULL;
        ledger_close(ledger);
        return STATUS_FAILED;
    }
    *made = ledger;
    return STATUS_OK;
}

void ledger_close(struct ledger *ledger)
{
    if (ledger == NULL) {
        return;
    }
    ledger->functions->close(ledger->store);
    ledger->functions->close(ledger->renewing);
    memory_store_destroy(ledger->memory);
    pthread_mutex_destroy(&ledger->mutex);
    free(ledger->run_id);
    free(ledger->leader_text);
    free(ledger);
}

uint32_t ledger_value_bytes_max(const struct ledger *ledger)
{
    return ledger->functions->value_bytes_max;
}

enum status ledger_open_store(struct ledger *ledger, struct store **store, struct error *error)
{
    if (ledger->memory != NULL) {
        *store = ledger->memory;
        return STATUS_OK;
    }
    return ledger->functions->open(ledger->home, store, error);
}

void ledger_close_store(struct ledger *ledger, struct store *store)
{
    ledger->functions->close(store);
}

bool ledger_has_lease(const struct ledger *ledger)
{
    return ledger->lock == NULL && ledger->target->lease_ms > 0;
}

bool ledger_marks_apart(const struct ledger *ledger)
{
    return (ledger->home != ledger->target ||
            (ledger->target->capabilities & CAPABILITY_TRANSACTIONS) == 0);
}

/* ---- keys */

void ledger_key(char key[STORE_KEY_BYTES], const char *run_id, const char *format, ...)
{
    va_list arguments;
    store_name_key(key, "run/", run_id);
    size_t used = strlen(key);
    va_start(arguments, format);
    vsnprintf(key + used, STORE_KEY_BYTES - used, format, arguments);
    va_end(arguments);
}

/* ---- values */

json_t *ledger_object(void)
{
    return json_pack("{s:i}", "format", LEDGER_FORMAT);
}

const char *ledger_text(json_t *object, struct arena *arena)
{
    struct buffer dump = {0};
    (void)json_tree_append(object, JSON_COMPACT, &dump);
    char *text = arena_copy(arena, dump.data, dump.length);
    buffer_free(&dump);
    json_decref(object);
    return text;
}

enum status ledger_damaged(const struct ledger *ledger, const char *what, struct error *error)
{
    struct arena *arena = arena_create(1024);
    struct error ignored;
    const char *identity = "";
    (void)ledger->home->connector->identity(ledger->home, arena, &identity, &ignored);
    error_set(error, ERROR_LEDGER_INVALID, identity, "the ledger is damaged: %s", what);
    error_hint(error, "it was edited or cut; restore it from a backup, or empty the target and "
                      "migrate again");
    arena_destroy(arena);
    return STATUS_FAILED;
}

enum status ledger_fenced(const char *run_id, struct error *error)
{
    error_set(error, ERROR_RUN_FENCED, run_id, "another attempt has taken this run over");
    error_hint(error, "let that one finish; `transhume status` shows it");
    return STATUS_FAILED;
}

enum status ledger_refuse_format(const char *key, int64_t format, struct error *error)
{
    if (format > LEDGER_FORMAT) {
        error_set(error, ERROR_FORMAT_NEWER, key,
                  "the ledger has format %" PRId64 ", this version knows %d", format,
                  LEDGER_FORMAT);
        return error_hint(error, "continue with the version of transhume that began the run, or a "
                                 "later one");
    }
    error_set(error, ERROR_FORMAT_OLDER, key,
              "the ledger has format %" PRId64
              ": an earlier version of transhume made it, and this "
              "one reads format %d alone",
              format, LEDGER_FORMAT);
    return error_hint(error,
                      "end its runs with that version (`transhume resume` or `rollback`, then "
                      "`transhume finish`), or remove _transhume_ledger and migrate again "
                      "into an empty target");
}

enum status ledger_parse(const struct ledger *ledger, const char *key, const char *text,
                         size_t length, json_t **object, struct error *error)
{
    if (json_tree_parse(text, length, JSON_REJECT_DUPLICATES, key, ERROR_LEDGER_INVALID, object,
                        error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const json_t *format = json_object_get(*object, "format");
    json_int_t number = json_integer_value(format);
    if (json_is_integer(format) && number == LEDGER_FORMAT) {
        return STATUS_OK;
    }
    bool known = json_is_integer(format) && number > 0;
    json_decref(*object);
    *object = NULL;
    return known ? ledger_refuse_format(key, number, error) : ledger_damaged(ledger, key, error);
}

/* ---- reads and writes */

enum status ledger_get(struct ledger *ledger, const char *key, struct arena *arena,
                       struct store_value *value, struct error *error)
{
    enum status status = ledger->functions->get(ledger->store, key, arena, value, error);
    return status == STATUS_OK && value->version == STORE_ABSENT
               ? ledger_damaged(ledger, "a value has no version", error)
               : status;
}

/* STATUS_OK: the text that stands there is ours. */
static enum status find_own(struct ledger *ledger, struct store *store, const char *key,
                            const char *text, uint64_t expected, uint64_t *version,
                            struct error *error)
{
    struct store_value value;
    struct arena *arena = arena_create(1024);
    enum status status = ledger->functions->get(store, key, arena, &value, error);
    if (status == STATUS_OK) {
        bool own = value.version == expected + 1 && value.length == strlen(text) &&
                   memcmp(value.text, text, value.length) == 0;
        *version = value.version;
        status = own ? STATUS_OK : STATUS_AGAIN;
    } else if (status == STATUS_END) {
        status = STATUS_AGAIN;
    }
    arena_destroy(arena);
    return status;
}

enum status ledger_put(struct ledger *ledger, struct store *store, const char *key,
                       const char *text, uint64_t expected, uint64_t *version, struct error *error)
{
    uint64_t now = 0;
    enum status status =
        ledger->functions->put_if(store, key, text, strlen(text), expected, &now, error);
    if (status == STATUS_AGAIN) {
        status = find_own(ledger, store, key, text, expected, &now, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (now != expected + 1) {
        return ledger_damaged(ledger, "its store counts versions wrongly", error);
    }
    if (version != NULL) {
        *version = now;
    }
    return STATUS_OK;
}

struct key_list {
    struct arena *arena;
    struct key_item {
        struct key_item *next;
        const char *key;
    } * first;
};

static enum status note_key(void *context, const char *key, const struct store_value *value,
                            struct error *error)
{
    struct key_list *list = context;
    struct key_item *item = arena_allocate(list->arena, sizeof(*item));
    (void)value;
    (void)error;
    *item = (struct key_item){.next = list->first, .key = arena_copy_string(list->arena, key)};
    list->first = item;
    return STATUS_OK;
}

enum status ledger_delete_prefix(struct ledger *ledger, const char *prefix, struct error *error)
{
    struct key_list list = {.arena = arena_create(0)};
    enum status status = ledger->functions->scan(ledger->store, prefix, note_key, &list, error);
    for (struct key_item *item = list.first; item != NULL && status == STATUS_OK;
         item = item->next) {
        status = ledger->functions->delete_if(ledger->store, item->key, STORE_ANY_VERSION, error);
    }
    arena_destroy(list.arena);
    return status;
}
