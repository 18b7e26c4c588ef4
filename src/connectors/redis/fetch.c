/* Records by their keys: reading them, deleting them. */
#include "connectors/redis/redis.h"

#include "base/text.h"
#include "model/convert.h"

/* ---------------------------------------------------------------- a record of a reply */

static enum status refuse_reply(const struct resp_value *reply, struct error *error)
{
    char shown[200];
    text_printable(reply->text.data, reply->text.length, shown, sizeof(shown));
    return error_set(error, ERROR_REJECT_UNREADABLE, NULL, "Redis answers: %s", shown);
}

static enum status read_hash(const struct resp_value *reply, const struct redis_columns *columns,
                             struct arena *arena, struct cell *record, struct error *error)
{
    if (reply->type != RESP_LIST) {
        return error_set(error, ERROR_REJECT_UNREADABLE, NULL, "the key is no hash");
    }
    if (reply->count == 0) {
        return STATUS_END;
    }
    uint32_t count = reply->count / 2;
    struct cell *pairs = arena_allocate_zeroed(arena, 2 * (size_t)count, sizeof(*pairs));
    for (uint32_t at = 0; at < count; at++) {
        const struct text name = reply->items[2 * (size_t)at].text;
        const struct text value = reply->items[2 * (size_t)at + 1].text;
        if (!text_is_utf8(name.data, name.length)) {
            return error_set(error, ERROR_REJECT_TEXT, NULL,
                             "the name of a hash's field is not UTF-8");
        }
        pairs[2 * (size_t)at] = cell_text(name.data, name.length);
        redis_field_read(columns, name, value.data, value.length, arena,
                         &pairs[2 * (size_t)at + 1]);
    }
    *record = cell_items(VALUE_MAP, pairs, count);
    return STATUS_OK;
}

static enum status read_json(const struct resp_value *reply, struct arena *arena,
                             struct cell *record, struct error *error)
{
    if (reply->type == RESP_NULL) {
        return STATUS_END;
    }
    enum status status =
        convert_read_json(reply->text.data, reply->text.length, arena, record, error);
    if (status == STATUS_OK && record->kind != VALUE_MAP) {
        return error_set(error, ERROR_REJECT_UNREADABLE, NULL, "the string is no JSON object");
    }
    for (uint32_t at = 0; status == STATUS_OK && at < record->length; at++) {
        struct cell *value = (struct cell *)(uintptr_t)&record->items[2 * (size_t)at + 1];
        status = redis_json_bytes(value, arena, error);
    }
    return status;
}

enum status redis_record_read(const struct resp_value *reply, enum redis_form form,
                              const struct redis_columns *columns, struct arena *arena,
                              struct cell *record, struct error *error)
{
    if (reply->type == RESP_ERROR) {
        return refuse_reply(reply, error);
    }
    return form == REDIS_JSON ? read_json(reply, arena, record, error)
                              : read_hash(reply, columns, arena, record, error);
}

/* ---------------------------------------------------------------- fetch */

static enum status add_record(struct redis_lookup *lookup, enum redis_form form,
                              struct batch *batch, struct error *error)
{
    struct resp_value reply;
    struct resp_value expiry;
    struct cell record;
    struct arena *arena = batch->arena;
    if (redis_lookup_next(lookup, arena, &reply, NULL, error) != STATUS_OK ||
        redis_lookup_next(lookup, arena, &expiry, NULL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = redis_record_read(&reply, form, NULL, arena, &record, error);
    if (status == STATUS_OK) {
        *batch_append(batch) = record;
        batch->envelopes[batch->row_count - 1].ttl_seconds =
            expiry.type == RESP_INTEGER && expiry.integer > 0 ? (expiry.integer + 999) / 1000 : 0;
    }
    /* a key of another type is no record of the table, and no write of ours replaces it */
    bool other = status == STATUS_FAILED && error->class == ERROR_CLASS_REJECT;
    return status == STATUS_END || other ? STATUS_OK : status;
}

static enum status ask_for(struct redis_lookup *lookup, enum redis_form form,
                           const struct target_table *table, const struct cell *key,
                           struct error *error)
{
    struct buffer name = {0};
    struct buffer command = {0};
    enum status status = redis_key_append(table, key, &name, error);
    if (status == STATUS_OK) {
        const struct text as_text = {name.data, name.length};
        resp_begin(&command, 2);
        resp_string(&command, form == REDIS_JSON ? "GET" : "HGETALL");
        resp_word(&command, name.data, name.length);
        redis_lookup_add(lookup, as_text, &command);
        resp_begin(&command, 2);
        resp_string(&command, "PTTL");
        resp_word(&command, name.data, name.length);
        redis_lookup_add(lookup, as_text, &command);
    }
    buffer_free(&name);
    return status;
}

enum status redis_fetch(struct database *database, const struct target_table *table,
                        const struct cell *keys, uint32_t key_count, struct batch **batch,
                        struct error *error)
{
    enum { WINDOW = 128 };
    struct redis_database *self = redis_of(database);
    struct redis_lookup *lookup = redis_lookup_create(self);
    struct batch *made = batch_create(NULL, 1, key_count + 1);
    enum status status = STATUS_OK;
    batch_add_envelopes(made);
    for (uint32_t asked = 0, read = 0; read < key_count && status == STATUS_OK; read++) {
        for (; asked < key_count && asked < read + WINDOW && status == STATUS_OK; asked++) {
            status =
                ask_for(lookup, self->form, table, keys + (size_t)asked * table->key.count, error);
        }
        status = status == STATUS_OK ? add_record(lookup, self->form, made, error) : status;
    }
    redis_lookup_destroy(lookup);
    if (status != STATUS_OK) {
        batch_destroy(made);
        made = NULL;
    }
    *batch = made;
    return status;
}
