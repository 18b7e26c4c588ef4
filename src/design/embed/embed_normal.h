/*
 * The normal form of a text for BERT's tokenizer without case ("BertNormalizer"), in this order:
 *
 *   1. U+0000, U+FFFD and characters of the categories Cc, Cf and Co are dropped, but TAB, LF, CR;
 *      all white space becomes a blank
 *   2. blanks around ideographs of Chinese
 *   3. canonical decomposition (NFD); characters of the category Mn are dropped
 *   4. lower case, character by character
 *
 * Bytes that are no UTF-8 stand for U+FFFD, and are dropped too.
 */
#ifndef TRANSHUME_DESIGN_EMBED_NORMAL_H
#define TRANSHUME_DESIGN_EMBED_NORMAL_H

#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters; the room is kept for the next text. */
struct embed_points {
    uint32_t *points;
    size_t count;
    size_t capacity;
};

void embed_normalize(struct text text, struct embed_points *out);
void embed_points_free(struct embed_points *points);

/* Whether the character stands alone in BERT's words: ASCII punctuation and the categories P*. */
bool embed_is_punctuation(uint32_t point);

#endif
