/*
 * Records under one key, found after the last chunk by sorting the keys that the chunks kept in the
 * store (spill.c). Sorted strings: the key, which says its own length, then the record
 * (settling.h). Where records share values as well (claims.h), those that contradict each other
 * are found first (settle_claims.c), and do not count here.
 */
#include "connectors/keyed/settling.h"

#include "base/bytes.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- reading the kept keys */

void settling_put_record(uint8_t record[SETTLING_PLACE_BYTES], uint64_t chunk,
                         const struct keyed_key *key)
{
    bytes_put_be(record, key->entity, 4);
    bytes_put_be(record + 4, chunk, 8);
    bytes_put_be(record + 12, key->ordinal, 8);
    record[20] = (uint8_t)key->state;
    memcpy(record + 21, key->hash, 16);
}

enum status settling_add_key(struct settling *settling, const uint8_t *key, size_t length,
                             const uint8_t record[SETTLING_PLACE_BYTES], struct error *error)
{
    buffer_clear(&settling->scratch);
    buffer_append(&settling->scratch, key, length);
    buffer_append(&settling->scratch, record, SETTLING_PLACE_BYTES);
    return spill_sorter_add(settling->sorter, settling->scratch.data, settling->scratch.length,
                            error);
}

static enum status sort_key(void *context, uint64_t chunk, const struct keyed_key *key,
                            struct error *error)
{
    struct settling *settling = (struct settling *)context;
    uint8_t record[SETTLING_PLACE_BYTES];
    if (key->table_length != strlen(settling->table->name) ||
        memcmp(key->table, settling->table->name, key->table_length) != 0) {
        return STATUS_OK;
    }
    if (settling->claims != NULL && key->claims_length > 0) {
        return settling_add_claims(settling, chunk, key, error);
    }
    settling_put_record(record, chunk, key);
    return settling_add_key(settling, key->bytes, key->length, record, error);
}

static enum status collect(struct settling *settling, struct error *error)
{
    const struct keyed_room *room = settling->room;
    enum status status = keyed_spill_read(room->home->connector->store, room->store, room->run_id,
                                          sort_key, settling, error);
    if (status == STATUS_OK && settling->claims != NULL) {
        status = spill_sorter_finish(settling->claims, error);
        status = status == STATUS_OK ? settling_walk_claims(settling, error) : status;
    }
    return status == STATUS_OK ? spill_sorter_finish(settling->sorter, error) : status;
}

/* ---------------------------------------------------------------- groups of one key */

struct group {
    struct buffer key;
    uint8_t lowest[SETTLING_PLACE_BYTES];
    uint8_t last[SETTLING_PLACE_BYTES];
    bool any;          /* a record that counts was seen */
    bool void_record;  /* the last one was refused after all */
    bool told;         /* that the lowest stays */
    bool contradicted; /* one of them was taken out for what it claims */
    bool any_skipped;
    uint8_t skipped[SETTLING_PLACE_BYTES]; /* the first one */
};

enum status settling_tell(const struct settling *settling, const uint8_t *bytes, size_t length,
                          const uint8_t *record, enum duplicate_kind kind, const struct buffer *why,
                          struct error *error)
{
    struct cell key[KEYED_KEY_COLUMNS_MAX];
    const struct cell reason = why != NULL ? cell_text(why->data, why->length) : cell_missing();
    struct arena *arena = arena_create(1024);
    enum status status = STATUS_OK;
    if (!settling->room->service->read_key(settling->database, settling->table, bytes, length,
                                           arena, key)) {
        status =
            error_set(error, ERROR_LEDGER_INVALID, settling->table->name, "kept keys are damaged");
    } else {
        status =
            settling->found(settling->context, bytes_get_be(record + 4, 8),
                            (uint32_t)bytes_get_be(record, 4), bytes_get_be(record + 12, 8), key,
                            settling->table->key.count, why != NULL ? &reason : NULL, kind, error);
    }
    arena_destroy(arena);
    return status;
}

static enum status settle_tell(const struct settling *settling, const struct group *group,
                               const uint8_t *record, enum duplicate_kind kind, struct error *error)
{
    return settling_tell(settling, (const uint8_t *)group->key.data, group->key.length, record,
                         kind, NULL, error);
}

static bool repeats(const struct settling *settling, const uint8_t *first, const uint8_t *record)
{
    return settling->table->distinct && memcmp(record + 21, first + 21, 16) == 0;
}

/* The record that was there is another one of the run, before it in the source or not, or was there
 * before: then the first one that was skipped is the one that counts. */
static enum status take_skipped(const struct settling *settling, struct group *group,
                                const uint8_t *record, struct error *error)
{
    if (!group->any && !group->any_skipped) {
        group->any_skipped = true;
        memcpy(group->skipped, record, SETTLING_PLACE_BYTES);
        return STATUS_OK;
    }
    return repeats(settling, group->any ? group->lowest : group->skipped, record)
               ? STATUS_OK
               : settle_tell(settling, group, record, DUPLICATE_SKIPPED, error);
}

static enum status take_record(const struct settling *settling, struct group *group,
                               const uint8_t *record, struct error *error)
{
    bool same = memcmp(group->last, record, SETTLING_RECORD_BYTES) == 0;
    bool contradicts = record[20] == SPILL_CONTRADICTS;
    bool void_record = record[20] < SPILL_SENT || contradicts || (same && group->void_record);
    memcpy(group->last, record, SETTLING_PLACE_BYTES);
    group->void_record = void_record;
    group->contradicted = group->contradicted || contradicts;
    if (record[20] == SPILL_SKIPPED && !same) {
        return take_skipped(settling, group, record, error);
    }
    if (void_record || (same && group->any)) {
        return STATUS_OK;
    }
    if (!group->any) {
        group->any = true;
        memcpy(group->lowest, record, SETTLING_PLACE_BYTES);
        return group->any_skipped ? take_skipped(settling, group, group->skipped, error)
                                  : STATUS_OK;
    }
    bool repeated = repeats(settling, group->lowest, record);
    bool altered = !repeated || settling->room->service->repeats_add_up;
    if (altered && !group->told &&
        settle_tell(settling, group, group->lowest, DUPLICATE_STAYS, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    group->told = group->told || altered;
    return settle_tell(settling, group, record, repeated ? DUPLICATE_REPEATS : DUPLICATE_DIFFERS,
                       error);
}

/* A record that has no other beside it that counts, but was never sent, since one of its key was
 * under way, or went with another one that was taken out. */
static enum status end_group(const struct settling *settling, struct group *group,
                             struct error *error)
{
    bool lost = group->lowest[20] == SPILL_UNSENT || group->contradicted;
    return group->any && !group->told && lost
               ? settle_tell(settling, group, group->lowest, DUPLICATE_STAYS, error)
               : STATUS_OK;
}

static void begin_group(struct group *group, const uint8_t *key, size_t length)
{
    group->any = false;
    group->told = false;
    group->void_record = false;
    group->contradicted = false;
    memset(group->last, 0xff, sizeof(group->last));
    group->any_skipped = false;
    buffer_clear(&group->key);
    buffer_append(&group->key, key, length);
}

static enum status walk_groups(struct settling *settling, struct error *error)
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
        size_t key = length - SETTLING_PLACE_BYTES;
        if (group.key.length != key || memcmp(buffer_string(&group.key), bytes, key) != 0) {
            status = end_group(settling, &group, error);
            begin_group(&group, bytes, key);
        }
        status = status == STATUS_OK ? take_record(settling, &group, bytes + key, error) : status;
        if (status != STATUS_OK) {
            break;
        }
    }
    if (status == STATUS_END) {
        status = end_group(settling, &group, error);
    }
    buffer_free(&group.key);
    return status;
}

static struct spill_sorter *sorter_of(const struct keyed_room *room, const char *name, size_t bytes)
{
    const char *folder = room->spill_folder != NULL ? room->spill_folder : ".";
    char *prefix = memory_format("%s/%s", folder, name);
    struct spill_sorter *sorter = spill_sorter_create(prefix, bytes);
    free(prefix);
    return sorter;
}

enum status keyed_settle(struct database *self, const struct target_table *table,
                         keyed_found *found, void *context, struct error *error)
{
    struct keyed_room *room = keyed_room_of(self);
    struct settling settling = {
        .database = self, .room = room, .table = table, .found = found, .context = context};
    if (room->run_id == NULL) {
        return error_set(error, ERROR_INTERNAL, NULL, "no run is claimed");
    }
    bool claims = table->settles_claims && room->service->append_claims != NULL;
    size_t bytes = claims ? SETTLING_SORT_BYTES / 2 : SETTLING_SORT_BYTES;
    settling.sorter = sorter_of(room, "equal-keys", bytes);
    settling.claims = claims ? sorter_of(room, "equal-places", bytes) : NULL;
    enum status status = collect(&settling, error);
    status = status == STATUS_OK ? walk_groups(&settling, error) : status;
    spill_sorter_destroy(settling.claims);
    spill_sorter_destroy(settling.sorter);
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
