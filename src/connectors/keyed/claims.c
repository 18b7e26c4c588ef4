/* Claims as bytes. */
#include "connectors/keyed/claims.h"

#include <string.h>

enum { HASH_BYTES = 16, CLAIM_HEAD_BYTES = 3 };

static uint8_t claims_cut(size_t length, size_t most)
{
    return (uint8_t)(length < most ? length : most);
}

void keyed_claims_begin(struct buffer *claims, const struct buffer *place_text)
{
    uint8_t length = claims_cut(place_text->length, KEYED_PLACE_TEXT_MAX);
    buffer_append_byte(claims, (char)length);
    buffer_append(claims, place_text->data, length);
}

void keyed_claims_add(struct buffer *claims, const char *name, bool adds_up,
                      const struct canonical_hash *hash, const struct buffer *text)
{
    uint8_t name_length = claims_cut(strlen(name), UINT8_MAX);
    uint8_t text_length = claims_cut(text->length, UINT8_MAX);
    buffer_append_byte(claims, (char)name_length);
    buffer_append_byte(claims, (char)text_length);
    buffer_append_byte(claims, adds_up ? 1 : 0);
    buffer_append(claims, name, name_length);
    buffer_append(claims, hash, HASH_BYTES);
    buffer_append(claims, text->data, text_length);
}

bool keyed_claims_read(const uint8_t *bytes, size_t length, struct keyed_claims *claims,
                       const char **place_text, uint8_t *place_length)
{
    if (length == 0 || bytes[0] > length - 1) {
        return false;
    }
    *place_text = (const char *)bytes + 1;
    *place_length = bytes[0];
    *claims = (struct keyed_claims){bytes + 1 + bytes[0], length - 1 - bytes[0]};
    return true;
}

bool keyed_claims_next(struct keyed_claims *claims, struct keyed_claim *claim)
{
    if (claims->left < CLAIM_HEAD_BYTES) {
        return false;
    }
    const uint8_t *at = claims->at;
    size_t length = CLAIM_HEAD_BYTES + (size_t)at[0] + HASH_BYTES + at[1];
    if (claims->left < length) {
        return false;
    }
    *claim = (struct keyed_claim){.name = (const char *)at + CLAIM_HEAD_BYTES,
                                  .name_length = at[0],
                                  .text_length = at[1],
                                  .adds_up = at[2] != 0,
                                  .hash = at + CLAIM_HEAD_BYTES + at[0],
                                  .text = (const char *)at + CLAIM_HEAD_BYTES + at[0] + HASH_BYTES};
    claims->at += length;
    claims->left -= length;
    return true;
}

void keyed_claims_refuse(struct buffer *reason, const struct keyed_claim *claim,
                         const struct text place, const struct text held, const char *by)
{
    buffer_clear(reason);
    buffer_format(
        reason,
        "static column %.*s: it is %.*s here, and %.*s in %s of the partition %.*s, which "
        "has one value of it",
        (int)claim->name_length, claim->name, (int)claim->text_length, claim->text,
        (int)held.length, held.data, by, (int)place.length, place.data);
}
