/*
 * Records under one key, found after the last chunk by sorting the keys that the chunks kept in the
 * store (network_spill.c). Sorted strings: the key, which says its own length, then the place and
 * what was kept with it, big-endian:
 *
 *   key | uint32 entity | uint64 chunk | uint64 ordinal | uint8 state | 16 bytes hash
 *
 * so that among equal keys the lowest comes first, and of one place what says that it was refused.
 */
#include "connectors/dynamodb/network_target.h"

#include "base/bytes.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "connectors/dynamodb/network_json.h"
#include "connectors/dynamodb/network_spill.h"
#include "connectors/spill_sort.h"
#include "model/json_reader.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SORT_BYTES = 16 * 1024 * 1024, PLACE_BYTES = 37 };

typedef enum status found_function(void *context, uint64_t chunk, uint32_t entity, uint64_t ordinal,
                                   const struct cell *key, uint32_t key_count,
                                   const struct cell *record, enum duplicate_kind kind,
                                   struct error *error);

struct settling {
    struct dynamodb_network *network;
    const struct target_table *table;
    struct spill_sorter *sorter;
    struct buffer scratch;
};

/* ---------------------------------------------------------------- reading the kept keys */

static enum status sort_key(void *context, uint64_t chunk, const struct dynamodb_spilled *key,
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
    struct dynamodb_network *network = settling->network;
    enum status status = dynamodb_spill_read(&dynamodb_network_store, network->notes,
                                             network->run->id, sort_key, settling, error);
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
    struct cell key[2];
    struct arena *arena = arena_create(1024);
    enum status status = STATUS_OK;
    if (!dynamodb_key_read(settling->table, (const uint8_t *)group->key.data, group->key.length,
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
    if (!repeats && !group->told &&
        tell(settling, group, group->lowest, DUPLICATE_STAYS, found, context, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    group->told = group->told || !repeats;
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

enum status dynamodb_network_settle(struct database *self, const struct target_table *table,
                                    found_function *found, void *context, struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    struct settling settling = {.network = network, .table = table};
    if (network->run == NULL) {
        return error_set(error, ERROR_INTERNAL, NULL, "no run is claimed");
    }
    const char *folder = network->spill_folder != NULL ? network->spill_folder : ".";
    char *prefix = memory_format("%s/equal-keys", folder);
    enum status status = spill_sorter_create(prefix, SORT_BYTES, &settling.sorter, error);
    if (status == STATUS_OK) {
        status = collect(&settling, error);
    }
    if (status == STATUS_OK) {
        status = walk_groups(&settling, found, context, error);
    }
    spill_sorter_destroy(settling.sorter);
    free(prefix);
    buffer_free(&settling.scratch);
    return status;
}

/* ---------------------------------------------------------------- the lowest again */

static enum status append_put(struct dynamodb_network *network, const struct target_table *table,
                              const struct shape *shape, const struct cell *cells,
                              struct buffer *body, struct error *error)
{
    const struct dynamodb_known *known =
        dynamodb_network_keys(network, table, &shape, shape != NULL ? 1 : 0, NULL);
    struct dynamodb_encoder *encoder =
        dynamodb_encoder_create(shape, known->keys, known->key_count);
    dynamodb_body_raw(body, "{");
    dynamodb_body_text(body, "TableName", table->name);
    dynamodb_body_name(body, "Item");
    enum status status = dynamodb_encoder_append(encoder, cells, body, error);
    dynamodb_body_raw(body, "}");
    dynamodb_encoder_destroy(encoder);
    return status;
}

static bool find_key(const struct target_table *table, const struct shape *shape,
                     const struct cell *cells, struct cell key[2])
{
    uint32_t found = 0;
    if (shape == NULL) {
        return dynamodb_key_of_item(table, cells, key);
    }
    for (uint32_t part = 0; part < table->key.count; part++) {
        for (uint32_t at = 0; at < shape->field_count; at++) {
            if (strcmp(shape->fields[at].name, table->key.names[part]) == 0) {
                key[part] = cells[at];
                found++;
            }
        }
    }
    return found == table->key.count;
}

enum status dynamodb_network_restore(struct database *self, const struct target_table *table,
                                     const struct batch *batch, uint32_t row, struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    const struct shape *shape =
        batch->shape == NULL || batch->shape->field_count == 0 ? NULL : batch->shape;
    const struct cell *cells = batch_row(batch, row);
    bool update = table->existing == EXISTING_UPSERT && !table->created;
    struct service_reply *response = NULL;
    struct buffer body = {0};
    struct cell key[2];
    enum status status = STATUS_OK;
    if (!update) {
        status = append_put(network, table, shape, cells, &body, error);
    } else if (find_key(table, shape, cells, key)) {
        status = dynamodb_update_body(table, shape, cells, key, &body, error);
    } else {
        status = error_set(error, ERROR_INTERNAL, table->name, "a record without its key");
    }
    if (status == STATUS_OK) {
        status = failpoint_hit("dynamodb.before_restore", error);
    }
    if (status == STATUS_OK) {
        status = dynamodb_network_write(network, update ? "UpdateItem" : "PutItem", table->name,
                                        &body, &response, error);
    }
    if (status == STATUS_OK && response->fault != DYNAMODB_FAULT_NONE) {
        error_copy(error, &response->error);
        status = STATUS_FAILED;
    }
    service_reply_destroy(response);
    buffer_free(&body);
    return status == STATUS_OK ? failpoint_hit("dynamodb.after_restore", error) : status;
}
