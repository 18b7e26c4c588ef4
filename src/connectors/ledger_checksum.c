/* The checksum of a ledger: over header and chunks, which never change. */
#include "connectors/ledger_checksum.h"
#include "base/text.h"
#include <string.h>
#include <xxhash.h>

static void hash_bytes(XXH3_state_t *state, const void *bytes, size_t length)
{
    uint64_t size = bytes == NULL ? UINT64_MAX : length;
    XXH3_128bits_update(state, &size, sizeof size);
    if (bytes != NULL) {
        XXH3_128bits_update(state, bytes, length);
    }
}

static void hash_text(XXH3_state_t *state, const char *text)
{
    hash_bytes(state, text, text == NULL ? 0 : strlen(text));
}

enum status ledger_checksum(const char *header, const struct ledger_chunk *chunks, uint64_t count,
                            char hex[33], struct error *error)
{
    XXH3_state_t *state = XXH3_createState();

    if (state == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for the ledger's checksum");
    }
    XXH3_128bits_reset(state);
    hash_text(state, header);
    for (uint64_t i = 0; i < count; i++) {
        const struct ledger_chunk *chunk = &chunks[i];
        const int64_t numbers[3] = {(int64_t)chunk->number, chunk->stream,
                                    chunk->span.row_estimate};
        XXH3_128bits_update(state, numbers, sizeof numbers);
        hash_text(state, chunk->span.printable);
        hash_bytes(state, chunk->span.bounds, chunk->span.bounds_length);
        hash_text(state, chunk->span.last_id);
    }
    XXH128_hash_t hash = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    text_from_hash(hash.high64, hash.low64, hex);
    return STATUS_OK;
}
