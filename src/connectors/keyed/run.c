/* The room itself: the claimed run, and control work for it. */
#include "connectors/keyed/keyed_internal.h"

#include "base/failpoint.h"
#include "base/memory.h"
#include "connectors/common/lease.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void keyed_room_init(struct keyed_database *database, const struct keyed_service *service,
                     const struct open_options *options)
{
    database->room = (struct keyed_room){.service = service,
                                         .spill_folder = options->spill_folder,
                                         .timeout_ms = options->timeout_ms,
                                         .in_flight_max = 1};
    keyed_capacity_init(&database->room.capacity, 0);
}

void keyed_room_destroy(struct keyed_database *database)
{
    struct keyed_room *room = &database->room;
    if (room->store != NULL) {
        room->home->connector->store->close(room->store);
    }
    free(room->run_id);
    keyed_capacity_destroy(&room->capacity);
}

enum status keyed_hit(const struct keyed_room *room, enum keyed_failpoint point,
                      struct error *error)
{
    static const char *const names[] = {
        "chunk_begin",   "before_send",       "after_send",    "after_answer",
        "before_keys",   "before_restore",    "after_restore", "before_apply",
        "after_apply",   "before_delete",     "before_intent", "after_intent",
        "before_made",   "after_made",        "before_empty",  "before_remove_table",
        "table_removed", "after_remove_table"};
    char name[64];
    if (!failpoint_active) {
        return STATUS_OK;
    }
    snprintf(name, sizeof(name), "%s.%s", room->service->name, names[point]);
    return failpoint_hit(name, error);
}

/* ---------------------------------------------------------------- the claim */

void keyed_released(struct database *self)
{
    struct keyed_room *room = keyed_room_of(self);
    free(room->run_id);
    room->run_id = NULL;
}

enum status keyed_claimed(struct database *self, const struct run_claim *claim, struct error *error)
{
    struct keyed_room *room = keyed_room_of(self);
    keyed_released(self);
    if (room->store == NULL) {
        room->home = claim->home;
        if (room->home->connector->store->open(room->home, &room->store, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    room->run_id = memory_copy_string(claim->run_id);
    room->epoch = claim->epoch;
    return STATUS_OK;
}

enum status keyed_check_claim(const struct database *database, const struct keyed_room *room,
                              uint64_t epoch, struct error *error)
{
    if (room->run_id != NULL && room->epoch == epoch &&
        atomic_load(&database->report.lease_end_ms) != LEASE_ENDED) {
        return STATUS_OK;
    }
    return error_set(error, ERROR_RUN_FENCED, room->run_id,
                     "another attempt has taken this run over");
}

/* ---------------------------------------------------------------- undo by key */

enum status keyed_restore(struct database *self, const struct target_table *table,
                          const struct batch *batch, uint32_t row, struct error *error)
{
    const struct keyed_room *room = keyed_room_of(self);
    const struct shape *shape =
        batch->shape == NULL || batch->shape->field_count == 0 ? NULL : batch->shape;
    struct cell key[KEYED_KEY_COLUMNS_MAX];
    const struct keyed_record record = {
        .table = table,
        .shape = shape,
        .cells = batch_row(batch, row),
        .key = key,
        .envelope = batch->envelopes != NULL ? &batch->envelopes[row] : NULL};
    bool update = keyed_kind_of(table) == KEYED_UPDATE;
    if (!keyed_find_key(table, shape, record.cells, key)) {
        return error_set(error, ERROR_INTERNAL, table->name, "a record without its key");
    }
    enum status status = keyed_hit(room, KEYED_POINT_BEFORE_RESTORE, error);
    if (status == STATUS_OK) {
        status = room->service->write(self, update ? KEYED_UPDATE : KEYED_PUT, &record, error);
    }
    return status == STATUS_OK ? keyed_hit(room, KEYED_POINT_AFTER_RESTORE, error) : status;
}

/* The keys of the records of a batch without a shape, one after the other; the caller frees them.
 */
static struct cell *keys_of(const struct target_table *table, const struct batch *there)
{
    struct cell key[KEYED_KEY_COLUMNS_MAX];
    uint32_t width = table->key.count;
    struct cell *keys = memory_allocate_zeroed((size_t)there->row_count * width + 1, sizeof(*keys));
    for (uint32_t row = 0; row < there->row_count; row++) {
        if (keyed_find_key(table, NULL, batch_row(there, row), key)) {
            memcpy(keys + (size_t)row * width, key, width * sizeof(*key));
        }
    }
    return keys;
}

enum status keyed_erase(struct database *self, const struct target_table *table,
                        const struct cell *keys, uint32_t count, struct error *error)
{
    const struct keyed_room *room = keyed_room_of(self);
    return keyed_hit(room, KEYED_POINT_BEFORE_DELETE, error) == STATUS_OK
               ? room->service->erase(self, table, keys, count, error)
               : STATUS_FAILED;
}

/* Only what is there is deleted: elsewhere a deletion may leave something that a later write of the
 * run would not get past. */
enum status keyed_delete(struct database *self, const struct target_table *table,
                         const struct cell *keys, uint32_t key_count, uint64_t *deleted,
                         struct error *error)
{
    const struct keyed_service *service = keyed_room_of(self)->service;
    struct batch *there = NULL;
    enum status status =
        self->connector->target->fetch(self, table, keys, key_count, &there, error);
    *deleted = 0;
    if (status != STATUS_OK) {
        return status;
    }
    uint32_t found = there->row_count;
    struct cell *going = keys_of(table, there);
    for (uint32_t at = 0; at < found && status == STATUS_OK; at += service->erase_max) {
        uint32_t left = found - at;
        status = keyed_erase(self, table, going + (size_t)at * table->key.count,
                             left < service->erase_max ? left : service->erase_max, error);
    }
    free(going);
    batch_destroy(there);
    *deleted = status == STATUS_OK ? found : 0;
    return status;
}
