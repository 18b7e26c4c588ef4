/*
 * The claims of a record about values that it shares with others, as a static column is one of all
 * rows of a partition. Where nothing proves that records agree, they are kept with the keys, and
 * compared when duplicates are settled: the first record of a place decides, those that contradict
 * it lose.
 *
 *   place    the partition's key as bytes: equal for equal ones, of which none begins another
 *   claims   uint8 length | the place as text, then claim …
 *   claim    uint8 length of name | uint8 length of text | uint8 adds up | name | 16 bytes hash of
 *            the value | text
 */
#ifndef TRANSHUME_CONNECTORS_KEYED_CLAIMS_H
#define TRANSHUME_CONNECTORS_KEYED_CLAIMS_H

#include "base/buffer.h"
#include "base/text.h"
#include "model/canonical.h"
#include <stdbool.h>
#include <stdint.h>

enum { KEYED_CLAIM_TEXT_MAX = 60, KEYED_PLACE_TEXT_MAX = 200 };

struct keyed_claim {
    const char *name;
    uint8_t name_length;
    uint8_t text_length;
    bool adds_up;        /* the value may not be what it is where several records wrote it */
    const uint8_t *hash; /* 16 bytes */
    const char *text;    /* of the value, for messages, perhaps cut */
};

/* At the head of the claims. */
void keyed_claims_begin(struct buffer *claims, const struct buffer *place_text);
void keyed_claims_add(struct buffer *claims, const char *name, bool adds_up,
                      const struct canonical_hash *hash, const struct buffer *text);

struct keyed_claims {
    const uint8_t *at;
    size_t left;
};
/* Its head is read: the place as text. False: they are damaged, or there are none. */
bool keyed_claims_read(const uint8_t *bytes, size_t length, struct keyed_claims *claims,
                       const char **place_text, uint8_t *place_length);
/* False: there is no further one. */
bool keyed_claims_next(struct keyed_claims *claims, struct keyed_claim *claim);
/* Why a record loses whose claim is not what its place holds. */
void keyed_claims_refuse(struct buffer *reason, const struct keyed_claim *claim,
                         const struct text place, const struct text held, const char *by);

#endif
