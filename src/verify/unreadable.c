/*
 * Lines `,"key":{…},"code":"…","reason":"…"`: members of the objects that tell them, kept as text
 * since the batches go.
 */
#include "verify/unreadable.h"

#include "base/text.h"
#include "engine/formats/typed_json.h"
#include "model/json_writer.h"
#include <string.h>

enum { REASON_BYTES_MAX = 500, LINE_BYTES_MAX = 2048 };

/* A place in a file is a map; else it is the key, as far as it could be made out. */
static enum status append_key(const struct verify_table *table, const struct cell *key,
                              uint32_t count, struct buffer *out, struct error *error)
{
    const struct column_list *names = &table->plan->target.key;
    if (count == 1 && key->kind == VALUE_MAP) {
        return typed_json_append_fields(key, NULL, out, error);
    }
    buffer_append_byte(out, '{');
    for (uint32_t i = 0; i < count && i < names->count; i++) {
        buffer_append_string(out, i > 0 ? "," : "");
        json_append_string(out, names->names[i], strlen(names->names[i]));
        buffer_append_byte(out, ':');
        if (typed_json_append(&key[i], out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    buffer_append_byte(out, '}');
    return STATUS_OK;
}

static enum status name_one(struct task_sums *sums, const struct verify_table *table,
                            const struct cell *key, uint32_t key_count, enum error_code code,
                            const char *reason, struct error *error)
{
    struct buffer *out = &sums->named;
    size_t before = out->length;
    if (sums->named_full) {
        return STATUS_OK;
    }
    buffer_append_string(out, ",\"key\":");
    if (append_key(table, key, key_count, out, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (out->length - before > LINE_BYTES_MAX) {
        out->length = before;
        buffer_append_string(out, ",\"key\":{}"); /* too long to be of use */
    }
    buffer_append_string(out, ",\"code\":");
    json_append_printable(out, error_describe(code)->name);
    buffer_append_string(out, ",\"reason\":");
    char shown[REASON_BYTES_MAX + 1];
    size_t length = text_clip(reason, strlen(reason), REASON_BYTES_MAX);
    memcpy(shown, reason, length);
    shown[length] = '\0';
    json_append_printable(out, shown);
    buffer_append_byte(out, '\n');
    if (out->length > UNREADABLE_BYTES_MAX) {
        out->length = before;
        sums->named_full = true;
        return STATUS_OK;
    }
    sums->named_count++;
    return STATUS_OK;
}

enum status unreadable_take(struct task_sums *sums, const struct verify_table *table,
                            const struct batch *batch, struct error *error)
{
    enum status status = STATUS_OK;
    sums->unreadable += batch->refused_count;
    for (const struct batch_refused *one = batch->refused; one != NULL && status == STATUS_OK;
         one = one->next) {
        status = name_one(sums, table, one->source_key, one->source_key_count, one->code,
                          one->reason, error);
    }
    return status;
}

enum status unreadable_take_record(struct task_sums *sums, const struct verify_table *table,
                                   const struct batch *batch, uint32_t row, struct error *error)
{
    const struct record_envelope *envelope =
        batch->envelopes == NULL ? NULL : &batch->envelopes[row];
    sums->unreadable++;
    return name_one(sums, table, envelope == NULL ? NULL : envelope->source_key,
                    envelope == NULL ? 0 : envelope->source_key_count, ERROR_REJECT_UNREADABLE,
                    "it is no document", error);
}

void unreadable_give(struct task_sums *sums, struct verify_table *table)
{
    atomic_fetch_add(&table->unreadable, sums->unreadable);
    if (table->named.length + sums->named.length <= UNREADABLE_BYTES_MAX) {
        buffer_append(&table->named, buffer_string(&sums->named), sums->named.length);
        table->named_count += sums->named_count;
    }
    sums->unreadable = sums->named_count = 0;
    sums->named_full = false;
    buffer_clear(&sums->named);
}
