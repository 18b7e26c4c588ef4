/*
 * Records under one key, found after the last chunk by sorting the keys that the chunks kept in the
 * store (spill.c). Sorted strings: the key, which says its own length, then the place and
 * what was kept with it, big-endian:
 *
 *   key | uint32 entity | uint64 chunk | uint64 ordinal | uint8 state | 16 bytes hash
 *
 * so that among equal keys the lowest comes first, and of one place what says that it was refused.
 */
#include "connectors/keyed/keyed_internal.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "connectors/spill_sort.h"
#include <stdlib.h>
#include <string.h>

enum { SORT_BYTES = 16 * 1024 * 1024, PLACE_BYTES = 37 };

typedef enum status found_function(void *context, uint64_t chunk, uint32_t entity, uint64_t ordinal,
                                   const struct cell *key, uint32_t key_count,
                                   const struct cell *record, enum duplicate_kind kind,
                                   struct error *error);

struct settling {
    struct database *database;
    struct keyed_room *room;
    const struct target_table *table;
    struct spill_sorter *sorter;
    struct buffer scratch;
};

/* ---------------------------------------------------------------- reading the kept keys */

static enum status sort_key(void *context, uint64_t chunk, const struct keyed_key *key,
                            struct error *error)
{
    struct settling *settling = (struct settling *)context;
    uint8_t place[PLACE_BYTES];
    if (key->table_length != strlen(settling->table->name) ||
        memcmp(key->table, settling->table->name, key->table_length) != 0) {
        return STATUS_OK;
    }
    bytes_put_be(place, key->entity, 4);
    bytes_put_be(place + 4, chunk, 8);
    bytes_put_be(place + 12, key->ordinal, 8);
    place[20] = (uint8_t)key->state;
    memcpy(place + 21, key->hash, 16);
    buffer_clear(&settling->scratch);
    buffer_append(&settling->scratch, key->bytes, key->length);
    buffer_append(&settling->scratch, place, sizeof(place));
    return spill_sorter_add(settling->sorter, settling->scratch.data, settling->scratch.length,
                            error);
}

static enum status collect(struct settling *settling, struct error *error)
{
    const struct keyed_room *room = settling->room;
    enum status status = keyed_spill_read(room->home->connector->store, room->store, room->run_id,
                                          sort_key, settling, error);
    return status == STATUS_OK ? spill_sorter_finish(settling->sorter, error) : status;
}

/* ---------------------------------------------------------------- groups of one key */

struct group {
    struct buffer key;
    uint8_t lowest[PLACE_BYTES];
    uint8_t last[PLACE_BYTES];
    bool any;        /* a record that counts was seen */
    bool place_void; /* the last place was refused after all */
    bool told;       /* that the lowest stays */
};

static enum status tell(const struct settling *settling, const struct group *group,
                        const uint8_t *place, enum duplicate_kind kind, found_function *found,
                        void *context, struct error *error)
{
    struct cell key[KEYED_KEY_COLUMNS_MAX];
    struct arena *arena = arena_create(1024);
    enum status status = STATUS_OK;
    if (!settling->room->service->read_key(settling->database, settling->table,
                                           (const uint8_t *)group->key.data, group->key.length,
                                           arena, key)) {
        status =
            error_set(error, ERROR_LEDGER_INVALID, settling->table->name, "kept keys are damaged");
    } else {
        status =
            found(context, bytes_get_be(place + 4, 8), (uint32_t)bytes_get_be(place, 4),
                  bytes_get_be(place + 12, 8), key, settling->table->key.count, NULL, kind, error);
    }
    arena_destroy(arena);
    return status;
}

static enum status take_place(const struct settling *settling, struct group *group,
                              const uint8_t *place, found_function *found, void *context,
                              struct error *error)
{
    bool same_place = memcmp(group->last, place, 20) == 0;
    bool void_place = place[20] == SPILL_REFUSED || (same_place && group->place_void);
    memcpy(group->last, place, PLACE_BYTES);
    group->place_void = void_place;
    if (void_place || (same_place && group->any)) {
        return STATUS_OK;
    }
    if (!group->any) {
        group->any = true;
        memcpy(group->lowest, place, PLACE_BYTES);
        return STATUS_OK;
    }
    bool repeats = settling->table->distinct && memcmp(place + 21, group->lowest + 21, 16) == 0;
    bool altered = !repeats || settling->room->service->repeats_add_up;
    if (altered && !group->told &&
        tell(settling, group, group->lowest, DUPLICATE_STAYS, found, context, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    group->told = group->told || altered;
    return tell(settling, group, place, repeats ? DUPLICATE_REPEATS : DUPLICATE_DIFFERS, found,
                context, error);
}

/* A record that was never sent, since one of its key was under way, and that has no other beside it
 * that counts. */
static enum status end_group(const struct settling *settling, struct group *group,
                             found_function *found, void *context, struct error *error)
{
    if (!group->any || group->told || group->lowest[20] != SPILL_UNSENT) {
        return STATUS_OK;
    }
    return tell(settling, group, group->lowest, DUPLICATE_STAYS, found, context, error);
}

static enum status walk_groups(struct settling *settling, found_function *found, void *context,
                               struct error *error)
{
    struct group group = {0};
    enum status status = STATUS_OK;
    for (;;) {
        const uint8_t *bytes = NULL;
        size_t length = 0;
        status = spill_sorter_next(settling->sorter, &bytes, &length, error);
        if (status != STATUS_OK) {
            break;
        }
        size_t key = length - PLACE_BYTES;
        if (group.key.length != key || memcmp(buffer_string(&group.key), bytes, key) != 0) {
            status = end_group(settling, &group, found, context, error);
            group.any = false;
            group.told = false;
            group.place_void = false;
            memset(group.last, 0xff, sizeof(group.last));
            buffer_clear(&group.key);
            buffer_append(&group.key, bytes, key);
        }
        if (status == STATUS_OK) {
            status = take_place(settling, &group, bytes + key, found, context, error);
        }
        if (status != STATUS_OK) {
            break;
        }
    }
    if (status == STATUS_END) {
        status = end_group(settling, &group, found, context, error);
    }
    buffer_free(&group.key);
    return status;
}

enum status keyed_settle(struct database *self, const struct target_table *table,
                         found_function *found, void *context, struct error *error)
{
    struct keyed_room *room = keyed_room_of(self);
    struct settling settling = {.database = self, .room = room, .table = table};
    if (room->run_id == NULL) {
        return error_set(error, ERROR_INTERNAL, NULL, "no run is claimed");
    }
    const char *folder = room->spill_folder != NULL ? room->spill_folder : ".";
    char *prefix = memory_format("%s/equal-keys", folder);
    settling.sorter = spill_sorter_create(prefix, SORT_BYTES);
    enum status status = collect(&settling, error);
    status = status == STATUS_OK ? walk_groups(&settling, found, context, error) : status;
    spill_sorter_destroy(settling.sorter);
    free(prefix);
    buffer_free(&settling.scratch);
    return status;
}

enum status keyed_keys_are_equal(struct database *self, const struct target_table *table,
                                 const struct cell *left, const struct cell *right, bool *equal,
                                 struct error *error)
{
    const struct keyed_service *service = keyed_room_of(self)->service;
    struct buffer one = {0};
    struct buffer other = {0};
    enum status status = service->append_key(self, table, left, &one, error);
    status = status == STATUS_OK ? service->append_key(self, table, right, &other, error) : status;
    *equal = status == STATUS_OK && one.length == other.length &&
             memcmp(buffer_string(&one), buffer_string(&other), one.length) == 0;
    if (status != STATUS_OK && error->class == ERROR_CLASS_REJECT) {
        error_clear(error); /* what the table can't hold is no key of it */
        status = STATUS_OK;
    }
    buffer_free(&one);
    buffer_free(&other);
    return status;
}
