/*
 * The keys that a chunk wrote, for tables whose keys are not proven to differ. They are kept in the
 * ledger, not on disk, so that they are there wherever the run goes on; written before the done
 * mark, which tells their number, they count with it. Items keys/<chunk>/<block>, attribute
 * `bytes`: zstd of
 *
 *   uint32 entity | uint64 ordinal | uint8 state | 16 bytes hash of the record
 *   | uint32 length of table | uint32 length of key | table | key
 *
 * (integers little-endian; the key as dynamodb_key_append has it; the hash 0 unless records of the
 * table may repeat).
 */
#include "connectors/dynamodb/network_spill.h"
#include "base/bytes.h"
#include "base/memory.h"

#include "connectors/dynamodb/network_json.h"
#include "connectors/dynamodb/network_writer.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { BLOCK_BYTES = 256 * 1024, LEVEL = 1, HEAD_BYTES = 37 };

struct block {
    struct block *next;
    size_t length;
    uint8_t bytes[];
};

struct dynamodb_spill {
    struct buffer raw;    /* of the block that is being filled */
    struct block *blocks; /* compressed ones */
    struct block **last;
};

void dynamodb_spill_free(struct dynamodb_spill *spill)
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

static void end_block(struct dynamodb_spill *spill)
{
    size_t bound = ZSTD_compressBound(spill->raw.length);
    struct block *block = (struct block *)memory_allocate(sizeof(*block) + bound);
    size_t made = ZSTD_compress(block->bytes, bound, spill->raw.data, spill->raw.length, LEVEL);
    if (ZSTD_isError(made)) { /* there is room, so it is memory */
        memory_exhausted(0);
    }
    block = (struct block *)memory_resize(block, 1, sizeof(*block) + made);
    *spill->last = block;
    block->next = NULL;
    block->length = made;
    spill->last = &block->next;
    buffer_clear(&spill->raw);
}

void dynamodb_spill_add(struct dynamodb_spill **spill, const struct dynamodb_spilled *key)
{
    uint8_t head[HEAD_BYTES];
    if (*spill == NULL) {
        *spill = (struct dynamodb_spill *)memory_allocate_zeroed(1, sizeof(**spill));
        (*spill)->last = &(*spill)->blocks;
    }
    struct buffer *raw = &(*spill)->raw;
    bytes_put_le(head, key->entity, 4);
    bytes_put_le(head + 4, key->ordinal, 8);
    head[12] = (uint8_t)key->state;
    memcpy(head + 13, key->hash, 16);
    bytes_put_le(head + 29, key->table_length, 4);
    bytes_put_le(head + 33, key->length, 4);
    buffer_append(raw, head, sizeof(head));
    buffer_append(raw, key->table, key->table_length);
    buffer_append(raw, key->bytes, key->length);
    if (raw->length >= BLOCK_BYTES) {
        end_block(*spill);
    }
}

enum status dynamodb_spill_store(struct dynamodb_spill *spill, struct writer *writer,
                                 uint64_t chunk, uint64_t *blocks, struct error *error)
{
    char part[DYNAMODB_PART_BYTES];
    struct buffer attributes = {0};
    bool refused = false;
    bool unknown = false;
    enum status status = STATUS_OK;
    if (spill->raw.length > 0) {
        end_block(spill);
    }
    *blocks = 0;
    dynamodb_ledger_part(part, "keys", chunk);
    size_t used = strlen(part);
    for (struct block *block = spill->blocks; block != NULL && status == STATUS_OK;
         block = block->next) {
        snprintf(part + used, sizeof(part) - used, "/%06" PRIu64, (*blocks)++);
        buffer_clear(&attributes);
        dynamodb_body_n(&attributes, "epoch", writer->epoch);
        dynamodb_body_n(&attributes, "chunk", chunk);
        dynamodb_body_b(&attributes, "bytes", block->bytes, block->length);
        const struct dynamodb_ledger_item item = {writer->network->run->id, part, &attributes,
                                                  NULL};
        status =
            dynamodb_ledger_put(writer->network, writer->control, &item, &refused, &unknown, error);
    }
    buffer_free(&attributes);
    return status;
}

/* ---------------------------------------------------------------- reading back */

enum status dynamodb_spill_read(const void *bytes, size_t length, dynamodb_spill_visit *visit,
                                void *context, struct error *error)
{
    unsigned long long raw = ZSTD_getFrameContentSize(bytes, length);
    if (raw > 4 * BLOCK_BYTES) {
        return error_set(error, ERROR_LEDGER_INVALID, NULL, "kept keys are damaged");
    }
    uint8_t *text = (uint8_t *)memory_allocate((size_t)raw + 1);
    size_t made = ZSTD_decompress(text, (size_t)raw, bytes, length);
    if (ZSTD_getErrorCode(made) == ZSTD_error_memory_allocation) {
        memory_exhausted(0);
    }
    enum status status = ZSTD_isError(made) || made != raw
                             ? error_set(error, ERROR_LEDGER_INVALID, NULL, "kept keys are damaged")
                             : STATUS_OK;
    for (size_t at = 0; status == STATUS_OK && at < raw;) {
        struct dynamodb_spilled key = {0};
        size_t left = (size_t)raw - at;
        const uint8_t *head = text + at;
        if (left >= HEAD_BYTES) {
            key.entity = (uint32_t)bytes_get_le(head, 4);
            key.ordinal = bytes_get_le(head + 4, 8);
            key.state = (enum dynamodb_spill_state)head[12];
            memcpy(key.hash, head + 13, 16);
            key.table_length = (size_t)bytes_get_le(head + 29, 4);
            key.length = (size_t)bytes_get_le(head + 33, 4);
            key.table = (const char *)head + HEAD_BYTES;
            key.bytes = head + HEAD_BYTES + key.table_length;
        }
        if (left < HEAD_BYTES || key.state > SPILL_UNSENT || key.table_length > left - HEAD_BYTES ||
            key.length > left - HEAD_BYTES - key.table_length) {
            status = error_set(error, ERROR_LEDGER_INVALID, NULL, "kept keys are damaged");
            break;
        }
        at += HEAD_BYTES + key.table_length + key.length;
        status = visit(context, &key, error);
    }
    free(text);
    return status;
}
