/*
 * From texts to the numbers of their pieces, by a tokenizer.json: BERT's normal form
 * (embed_normal.h), words split at blanks and around punctuation, and each word cut into the
 * longest pieces that the vocabulary has ("WordPiece").
 *
 * What the file says of padding and truncation does not count: there is no padding, and the caller
 * says how many pieces there may be.
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

/* `name` stands in messages; the bytes are not needed afterwards. A file that asks for other steps
 * than the above is refused. */
struct embed_wordpiece;
enum status embed_wordpiece_read(const char *bytes, size_t length, const char *name,
                                 struct embed_wordpiece **out, struct error *error) MUST_USE;
void embed_wordpiece_close(struct embed_wordpiece *wordpiece); /* NULL is fine */

/* One above the greatest number of a piece. */
uint32_t embed_wordpiece_size(const struct embed_wordpiece *wordpiece);

/* The pieces of the text between [CLS] and [SEP], at most `limit` (>= 2) with these; how many comes
 * back. One thread at a time. */
size_t embed_wordpiece_split(struct embed_wordpiece *wordpiece, struct text text, uint32_t *pieces,
                             size_t limit);

#endif
