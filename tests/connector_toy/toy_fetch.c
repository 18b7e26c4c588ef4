/* Records by key, as they stand in the log now. */
#include "toy_internal.h"

static enum status add_record(struct toy_database *self, const struct toy_record *record,
                              struct batch *batch, struct error *error)
{
    struct toy_entry entry;
    size_t used;
    struct cell *cells = batch_append(batch);
    if (!cells) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a record");
    }
    enum status status = toy_log_read(self, record->offset, batch->arena, &entry, error);
    return status == STATUS_OK
               ? toy_decode(entry.value, entry.value_length, batch->arena, cells, &used, error)
               : status;
}

enum status toy_fetch_records(struct database *database, const struct target_table *table,
                              const struct cell *keys, uint32_t key_count, struct batch **made,
                              struct error *error)
{
    struct toy_database *self = toy_of(database);
    struct toy_index index;
    struct buffer key = {0};
    struct batch *batch = batch_create(NULL, 1, key_count);
    if (!batch) {
        return error_set(error, ERROR_MEMORY, table->name, "no memory for its records");
    }
    enum status status = toy_index_load(self, table->name, &index, error);
    for (uint32_t i = 0; i < key_count && status == STATUS_OK; i++) {
        buffer_clear(&key);
        for (uint32_t part = 0; part < table->key.count && status == STATUS_OK; part++) {
            status = toy_encode(&keys[(size_t)i * table->key.count + part], &key, error);
        }
        const struct toy_record *record =
            toy_index_find(&index, (const uint8_t *)key.data, key.length);
        if (status == STATUS_OK && record) {
            status = add_record(self, record, batch, error);
        }
    }
    toy_index_free(&index);
    buffer_free(&key);
    if (status != STATUS_OK) {
        batch_destroy(batch);
        return status;
    }
    *made = batch;
    return STATUS_OK;
}
