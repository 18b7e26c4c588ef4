/* Entries of the book: their keys in the store, and their texts. */
#include "base/text.h"
#include "connectors/common/store_key.h"
#include "engine/ledger/json_text.h"
#include "engine/rejects/reject_book_internal.h"
#include "model/order_bytes.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

enum { HASH_DIGITS = 32 };
static const char copy_name[] = "copy/";
static const char *const state_names[] = {[REJECT_ARRIVED] = "arrived", [REJECT_GONE] = "gone"};

/* ---- which record is meant */

static struct reject_id id_of_bytes(char kind, const struct buffer *bytes)
{
    XXH128_hash_t hash = XXH3_128bits(bytes->data, bytes->length);
    return (struct reject_id){.kind = (uint8_t)kind, .low = hash.low64, .high = hash.high64};
}

static struct reject_id id_of_key(char kind, uint32_t entity, const struct cell *key,
                                  const uint32_t *positions, uint32_t count)
{
    struct buffer bytes = {0};
    struct error ignored = {0};
    struct reject_id id = {0};
    bool known = count > 0 && key != NULL;
    buffer_append(&bytes, (const char *)&entity, sizeof entity);
    for (uint32_t i = 0; i < count && known; i++) {
        const struct cell *part = &key[positions != NULL ? positions[i] : i];
        known = part->kind > VALUE_NULL && order_bytes_append(part, &bytes, &ignored) == STATUS_OK;
    }
    if (known) {
        id = id_of_bytes(kind, &bytes);
    }
    buffer_free(&bytes);
    return id;
}

struct reject_id reject_id_of_source(uint32_t entity, const struct cell *key,
                                     const uint32_t *positions, uint32_t count)
{
    return id_of_key('s', entity, key, positions, count);
}

struct reject_id reject_id_of_target(uint32_t entity, const struct cell *key, uint32_t count)
{
    return id_of_key('t', entity, key, NULL, count);
}

struct reject_id reject_id_of_text(uint32_t entity, const char *text, size_t length)
{
    struct buffer bytes = {0};
    buffer_append(&bytes, (const char *)&entity, sizeof entity);
    buffer_append(&bytes, text, length);
    struct reject_id id = id_of_bytes('p', &bytes);
    buffer_free(&bytes);
    return id;
}

/* ---- keys of the store */

void book_prefix(char key[STORE_KEY_BYTES], const char *run_id)
{
    store_name_key(key, "run/", run_id);
    size_t used = strlen(key);
    snprintf(key + used, STORE_KEY_BYTES - used, "/reject/");
}

void book_copy_key(char key[STORE_KEY_BYTES], const char *run_id, uint32_t entity)
{
    book_prefix(key, run_id);
    size_t used = strlen(key);
    snprintf(key + used, STORE_KEY_BYTES - used, "%s%08" PRIu32, copy_name, entity);
}

bool book_copy_entity(const char *key, const char *prefix, uint32_t *entity)
{
    size_t length = strlen(prefix);
    const char *digits = key + length + sizeof copy_name - 1;
    uint64_t number;
    if (strncmp(key, prefix, length) != 0 ||
        strncmp(key + length, copy_name, sizeof copy_name - 1) != 0 ||
        text_to_uint64(digits, strlen(digits), &number) != STATUS_OK || number > UINT32_MAX) {
        return false;
    }
    *entity = (uint32_t)number;
    return true;
}

void book_entry_key(char key[STORE_KEY_BYTES], const char *run_id, const struct reject_id *id)
{
    char hex[HASH_DIGITS + 1];
    book_prefix(key, run_id);
    size_t used = strlen(key);
    text_from_hash(id->high, id->low, hex);
    snprintf(key + used, STORE_KEY_BYTES - used, "%c%s", (char)id->kind, hex);
}

bool book_entry_id(const char *key, const char *prefix, struct reject_id *id)
{
    struct canonical_hash hash;
    size_t length = strlen(prefix);
    if (strncmp(key, prefix, length) != 0 || strlen(key) != length + 1 + HASH_DIGITS ||
        canonical_hash_parse(key + length + 1, &hash) != STATUS_OK) {
        return false;
    }
    *id = (struct reject_id){.kind = (uint8_t)key[length], .low = hash.low, .high = hash.high};
    return true;
}

/* ---- texts */

const char *book_entry_text(const struct book_entry *entry, struct arena *arena)
{
    const char *text = NULL;
    struct error ignored = {0};
    json_t *object = json_pack(
        "{s:i,s:I,s:b,s:I,s:s,s:o,s:o,s:o,s:b}", "format", CONTROL_FORMAT, "entity",
        (json_int_t)entry->entity, "copied", (int)entry->copied, "round", (json_int_t)entry->round,
        "code", error_describe(entry->code)->name, "reason", json_text(entry->reason), "key",
        json_text(entry->key), "at", json_text(entry->at), "again", (int)entry->again);
    if (object != NULL && entry->state != REJECT_OPEN) {
        json_object_set_new(object, "settled", json_string(state_names[entry->state]));
    }
    enum status status = json_to_arena(object, arena, &text, &ignored);
    return status == STATUS_OK ? text : "{}"; /* jansson refuses none of these texts */
}

static const char *member_keep(const json_t *object, const char *name, struct arena *arena)
{
    const char *text = json_member_text(object, name, NULL);
    return text != NULL ? arena_copy_string(arena, text) : NULL;
}

enum status book_entry_read(const char *key, const char *text, struct arena *arena,
                            struct book_entry *entry, struct error *error)
{
    json_t *object;
    if (json_from_text(text, key, ERROR_LEDGER_INVALID, &object, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *settled = json_member_text(object, "settled", NULL);
    *entry = (struct book_entry){.entity = (uint32_t)json_member_integer(object, "entity", 0),
                                 .copied = json_member_true(object, "copied"),
                                 .state = settled == NULL ? REJECT_OPEN
                                          : strcmp(settled, state_names[REJECT_GONE]) == 0
                                              ? REJECT_GONE
                                              : REJECT_ARRIVED,
                                 .code = error_code_find(json_member_text(object, "code", "")),
                                 .reason = member_keep(object, "reason", arena),
                                 .key = member_keep(object, "key", arena),
                                 .at = member_keep(object, "at", arena),
                                 .round = (uint64_t)json_member_integer(object, "round", 0),
                                 .again = json_member_true(object, "again")};
    json_decref(object);
    return STATUS_OK;
}
