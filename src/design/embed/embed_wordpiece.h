/*
 * Tokenizes texts by a tokenizer.json: BERT's normal form (embed_normal.h), words split at blanks
 * and around punctuation, and each word cut into the longest tokens of the vocabulary
 * ("WordPiece").
 *
 * The file's padding and truncation do not apply: there is no padding, and the caller says how many
 * tokens there may be.
 */
#ifndef TRANSHUME_DESIGN_EMBED_WORDPIECE_H
#define TRANSHUME_DESIGN_EMBED_WORDPIECE_H

#include "base/error.h"
#include "base/text.h"
#include <stddef.h>
#include <stdint.h>

enum {
    EMBED_TEXT_BYTES_MAX = 64 << 10 /* what follows these in a text is not read */
};

/* Reads the vocabulary; the bytes are not needed afterwards. `name` appears in messages. A file
 * that asks for other steps than the above is refused. */
struct embed_wordpiece;
enum status embed_wordpiece_read(const char *bytes, size_t length, const char *name,
                                 struct embed_wordpiece **out, struct error *error) MUST_USE;
void embed_wordpiece_close(struct embed_wordpiece *wordpiece); /* NULL is fine */

/* One above the greatest token id. */
uint32_t embed_wordpiece_size(const struct embed_wordpiece *wordpiece);

/* Writes the token ids of the text, between those of [CLS] and [SEP] and at most `limit` (>= 2)
 * with these; returns how many. One thread at a time. */
size_t embed_wordpiece_split(struct embed_wordpiece *wordpiece, struct text text, uint32_t *tokens,
                             size_t limit);

#endif
