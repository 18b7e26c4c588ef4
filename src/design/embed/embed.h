/*
 * Turns texts into vectors; texts of similar meaning get vectors that are near. The sentence model
 * is all-MiniLM-L6-v2, computed here from its weights on disk, without a machine learning library.
 *
 *   text --tokenizer--> token ids --BERT, 6 layers--> a vector per token --mean, length 1--> 384
 * floats
 *
 * A vector depends on its text alone: not on the texts beside it, not on their order.
 */
#ifndef TRANSHUME_DESIGN_EMBED_H
#define TRANSHUME_DESIGN_EMBED_H

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>

enum {
    EMBED_WIDTH = 384,
    EMBED_TOKENS_MAX = 256, /* what follows these in a text does not count */
};

/*
 * The folder with the weights: `given` (may be NULL), else the first of these that is set or there:
 *
 *   TRANSHUME_WEIGHTS
 *   $XDG_DATA_HOME/transhume/minilm, by default ~/.local/share/transhume/minilm
 *   share/transhume/minilm beside the program's bin, where an installation may put them
 *   share/minilm beside the program, as tests do
 *
 * It holds model.safetensors (or model.fp16.safetensors) and tokenizer.json. None: STATUS_FAILED,
 * ERROR_WEIGHTS_MISSING with the command that gets them. The path is the arena's.
 */
enum status embed_find(const char *given, struct arena *arena, const char **folder,
                       struct error *error) MUST_USE;

/*
 * Reads the weights. They must be those that the program knows by checksum; with `any`, others of
 * the same architecture are accepted too: a BERT of up to 24 layers with MiniLM's widths, and a
 * WordPiece tokenizer without case. Takes some 150 ms and 100 MiB.
 */
struct embed_model;
enum status embed_model_open(const char *folder, bool any, struct embed_model **out,
                             struct error *error) MUST_USE;
void embed_model_close(struct embed_model *model); /* NULL is fine */

/* Says for the user that the weights are not the known ones; NULL: they are. */
const char *embed_model_note(const struct embed_model *model);

/* `vectors` has room for count × EMBED_WIDTH floats. Bytes that are no UTF-8 are left out. Fails
 * only of weights that make no numbers. One thread at a time. */
enum status embed_texts(struct embed_model *model, const struct text *texts, size_t count,
                        float *vectors, struct error *error) MUST_USE;

/* Writes the token ids of a text as the model sees them, at most EMBED_TOKENS_MAX; returns how
 * many. */
size_t embed_tokens(struct embed_model *model, struct text text, uint32_t *tokens);

#endif
