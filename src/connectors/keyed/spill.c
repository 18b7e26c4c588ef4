/*
 * The keys that a chunk wrote, for tables whose keys are not proven to differ. They are kept in the
 * store, not on disk, so that they are there wherever the run continues. What the last attempt at a
 * chunk kept counts; it puts its first block last, which tells how many there are:
 *
 *   spill/ID/0000000001/000000   "2 KLUv/S…"   the number of blocks, and base64 of the first
 *   spill/ID/0000000001/000001   "KLUv/S…"     of the second
 *
 * A block is zstd of
 *
 *   uint32 entity | uint64 ordinal | uint8 state | 16 bytes hash of the record
 *   | uint32 lengths of table, key, place, claims | table | key | place | claims
 *
 * (state 0 refused, 1 sent, 2 unsent, 3 skipped; integers little-endian; the key as
 * keyed_service.append_key has it; the hash 0 unless records of the table may repeat; place and
 * claims as claims.h has them).
 */
#include "connectors/keyed/spill.h"

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/common/store_key.h"
#include "model/json_reader.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { BLOCK_BYTES = 256 * 1024, LEVEL = 1, HEAD_BYTES = 45 };

/* Their numbers in the ledger. */
static const enum keyed_spill_state states[] = {SPILL_REFUSED, SPILL_SENT, SPILL_UNSENT,
                                                SPILL_SKIPPED};
enum { STATES = sizeof(states) / sizeof(*states) };

static uint8_t number_of(enum keyed_spill_state state)
{
    uint8_t number = 0;
    while (number + 1 < STATES && states[number] != state) {
        number++;
    }
    return number;
}

struct block {
    struct block *next;
    size_t length;
    uint8_t bytes[];
};

struct keyed_spill {
    struct buffer raw;    /* of the block that is being filled */
    struct block *blocks; /* compressed ones */
    struct block **last;
};

void keyed_spill_free(struct keyed_spill *spill)
{
    if (spill == NULL) {
        return;
    }
    while (spill->blocks != NULL) {
        struct block *next = spill->blocks->next;
        free(spill->blocks);
        spill->blocks = next;
    }
    buffer_free(&spill->raw);
    free(spill);
}

static void end_block(struct keyed_spill *spill)
{
    size_t bound = ZSTD_compressBound(spill->raw.length);
    struct block *block = memory_allocate(sizeof(*block) + bound);
    size_t made = ZSTD_compress(block->bytes, bound, spill->raw.data, spill->raw.length, LEVEL);
    if (ZSTD_isError(made)) { /* there is room, so it is memory */
        memory_exhausted(0);
    }
    block = memory_resize(block, 1, sizeof(*block) + made);
    *spill->last = block;
    block->next = NULL;
    block->length = made;
    spill->last = &block->next;
    buffer_clear(&spill->raw);
}

void keyed_spill_add(struct keyed_spill **spill, const struct keyed_key *key)
{
    uint8_t head[HEAD_BYTES];
    if (*spill == NULL) {
        *spill = memory_allocate_zeroed(1, sizeof(**spill));
        (*spill)->last = &(*spill)->blocks;
    }
    struct buffer *raw = &(*spill)->raw;
    bytes_put_le(head, key->entity, 4);
    bytes_put_le(head + 4, key->ordinal, 8);
    head[12] = number_of(key->state);
    memcpy(head + 13, key->hash, 16);
    bytes_put_le(head + 29, key->table_length, 4);
    bytes_put_le(head + 33, key->length, 4);
    bytes_put_le(head + 37, key->place_length, 4);
    bytes_put_le(head + 41, key->claims_length, 4);
    buffer_append(raw, head, sizeof(head));
    buffer_append(raw, key->table, key->table_length);
    buffer_append(raw, key->bytes, key->length);
    buffer_append(raw, key->place, key->place_length);
    buffer_append(raw, key->claims, key->claims_length);
    if (raw->length >= BLOCK_BYTES) {
        end_block(*spill);
    }
}

static void spill_prefix(char key[STORE_KEY_BYTES], const char *run_id)
{
    store_name_key(key, "spill/", run_id);
    strncat(key, "/", STORE_KEY_BYTES - strlen(key) - 1);
}

/* A value that is there is of an attempt before this one, or ours, and its answer was lost. */
static enum status put_block(const struct store_functions *functions, struct store *store,
                             const char *key, const struct buffer *text, struct error *error)
{
    enum { TRIES_MAX = 5 };
    uint64_t version = STORE_ABSENT;
    struct arena *arena = arena_create(0);
    enum status status = STATUS_AGAIN;
    for (int tries = 0; status == STATUS_AGAIN && tries < TRIES_MAX; tries++) {
        struct store_value there;
        uint64_t ignored;
        status = functions->put_if(store, key, text->data, text->length, version, &ignored, error);
        if (status != STATUS_AGAIN) {
            break;
        }
        arena_reset(arena);
        enum status found = functions->get(store, key, arena, &there, error);
        version = found == STATUS_OK ? there.version : STORE_ABSENT;
        status = found == STATUS_FAILED ? STATUS_FAILED : STATUS_AGAIN;
        if (found == STATUS_OK && there.length == text->length &&
            memcmp(there.text, text->data, there.length) == 0) {
            status = STATUS_OK;
        }
    }
    arena_destroy(arena);
    return status == STATUS_AGAIN
               ? error_set(error, ERROR_RUN_FENCED, key, "another process writes this chunk's keys")
               : status;
}

static enum status put_number(const struct store_functions *functions, struct store *store,
                              const char *run_id, uint64_t chunk, uint64_t number, uint64_t count,
                              const struct block *block, struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct buffer text = {0};
    spill_prefix(key, run_id);
    size_t used = strlen(key);
    snprintf(key + used, sizeof(key) - used, "%010" PRIu64 "/%06" PRIu64, chunk, number);
    if (number == 0) {
        buffer_format(&text, "%" PRIu64 " ", count);
    }
    if (block != NULL) {
        json_append_base64_part(&text, block->bytes, block->length);
    }
    enum status status = put_block(functions, store, key, &text, error);
    buffer_free(&text);
    return status;
}

/* The first block, which says how many count, is put last. */
enum status keyed_spill_store(struct keyed_spill *spill, const struct store_functions *functions,
                              struct store *store, const char *run_id, uint64_t chunk,
                              struct error *error)
{
    uint64_t count = 0;
    enum status status = STATUS_OK;
    if (spill != NULL && spill->raw.length > 0) {
        end_block(spill);
    }
    const struct block *first = spill != NULL ? spill->blocks : NULL;
    for (const struct block *block = first; block != NULL && status == STATUS_OK;
         block = block->next) {
        if (count++ > 0) {
            status = put_number(functions, store, run_id, chunk, count - 1, 0, block, error);
        }
    }
    return status == STATUS_OK ? put_number(functions, store, run_id, chunk, 0, count, first, error)
                               : status;
}

/* ---------------------------------------------------------------- reading back */

static enum status damaged(struct error *error)
{
    return error_set(error, ERROR_LEDGER_INVALID, NULL, "kept keys are damaged");
}

/* The key whose head begins the `left` bytes of text; false: it says more than there is. */
static bool read_key(const uint8_t *text, size_t left, struct keyed_key *key, size_t *length)
{
    if (left < HEAD_BYTES) {
        return false;
    }
    key->entity = (uint32_t)bytes_get_le(text, 4);
    key->ordinal = bytes_get_le(text + 4, 8);
    key->state = text[12] < STATES ? states[text[12]] : SPILL_CONTRADICTS;
    memcpy(key->hash, text + 13, 16);
    key->table_length = (size_t)bytes_get_le(text + 29, 4);
    key->length = (size_t)bytes_get_le(text + 33, 4);
    key->place_length = (size_t)bytes_get_le(text + 37, 4);
    key->claims_length = (size_t)bytes_get_le(text + 41, 4);
    key->table = (const char *)text + HEAD_BYTES;
    *length = HEAD_BYTES + key->table_length + key->length + key->place_length + key->claims_length;
    if (key->state == SPILL_CONTRADICTS || *length > left) {
        return false;
    }
    key->bytes = text + HEAD_BYTES + key->table_length;
    key->place = key->bytes + key->length;
    key->claims = key->place + key->place_length;
    return true;
}

enum status keyed_spill_unpack(const void *bytes, size_t length, uint64_t chunk,
                               keyed_spill_visit *visit, void *context, struct error *error)
{
    unsigned long long raw = ZSTD_getFrameContentSize(bytes, length);
    if (raw > 4 * BLOCK_BYTES) {
        return damaged(error);
    }
    uint8_t *text = memory_allocate((size_t)raw + 1);
    size_t made = ZSTD_decompress(text, (size_t)raw, bytes, length);
    if (ZSTD_getErrorCode(made) == ZSTD_error_memory_allocation) {
        memory_exhausted(0);
    }
    enum status status = ZSTD_isError(made) || made != raw ? damaged(error) : STATUS_OK;
    for (size_t at = 0, used = 0; status == STATUS_OK && at < raw; at += used) {
        struct keyed_key key = {0};
        status = read_key(text + at, (size_t)raw - at, &key, &used)
                     ? visit(context, chunk, &key, error)
                     : damaged(error);
    }
    free(text);
    return status;
}

struct reading {
    size_t prefix_length;
    struct arena *arena;
    uint64_t chunk;
    uint64_t blocks; /* of it */
    keyed_spill_visit *visit;
    void *context;
};

static enum status visit_value(void *context, const char *key, const struct store_value *value,
                               struct error *error)
{
    struct reading *reading = context;
    const char *text = value->text;
    uint8_t *bytes = NULL;
    size_t length = 0;
    char *end = NULL;
    uint64_t chunk = strtoull(key + reading->prefix_length, &end, 10);
    uint64_t number = *end == '/' ? strtoull(end + 1, NULL, 10) : UINT64_MAX;
    if (number == 0) {
        const char *blank = strchr(text, ' ');
        if (blank == NULL ||
            text_to_uint64(text, (size_t)(blank - text), &reading->blocks) != STATUS_OK) {
            return damaged(error);
        }
        reading->chunk = chunk;
        text = blank + 1;
    }
    if (chunk != reading->chunk || number >= reading->blocks) {
        return STATUS_OK; /* of an attempt before the last one */
    }
    arena_reset(reading->arena);
    if (json_decode_base64(text, strlen(text), reading->arena, &bytes, &length, error) !=
        STATUS_OK) {
        return damaged(error);
    }
    return keyed_spill_unpack(bytes, length, chunk, reading->visit, reading->context, error);
}

enum status keyed_spill_read(const struct store_functions *functions, struct store *store,
                             const char *run_id, keyed_spill_visit *visit, void *context,
                             struct error *error)
{
    char prefix[STORE_KEY_BYTES];
    spill_prefix(prefix, run_id);
    struct reading reading = {.prefix_length = strlen(prefix),
                              .arena = arena_create(0),
                              .visit = visit,
                              .context = context};
    enum status status = functions->scan(store, prefix, visit_value, &reading, error);
    arena_destroy(reading.arena);
    return status;
}
