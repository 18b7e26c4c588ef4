/*
 * BERT with MiniLM's widths: 384 values per token, 12 attention heads of 32, a feed-forward layer
 * of 1,536, at most 24 layers, GELU by the error function, layer norms after attention and
 * feed-forward.
 *
 *   token + position + token type 0 -> norm
 *   each layer:  x = norm(x + output(attention(x)));  x = norm(x + narrow(gelu(widen(x))))
 */
#ifndef TRANSHUME_DESIGN_EMBED_BERT_H
#define TRANSHUME_DESIGN_EMBED_BERT_H

#include "design/embed/embed_safetensors.h"

enum {
    /* A batch: texts one after the other, without padding. So many tokens amortise the reading of
     * the weights, and their intermediate values stay in the second level of caches. */
    EMBED_BATCH_TOKENS = 384,
};

/* The file must outlive it: words are read from there when they are needed. */
struct embed_bert;
enum status embed_bert_read(const struct embed_safetensors *file, const char *name,
                            uint32_t tokens_min, struct embed_bert **out,
                            struct error *error) MUST_USE;
void embed_bert_close(struct embed_bert *bert); /* NULL is fine */

/* One text: its tokens stand at `begin` in the batch. */
struct embed_sequence {
    size_t begin;
    size_t length;
    float *vector; /* where its EMBED_WIDTH values go */
};

struct embed_batch {
    uint32_t tokens[EMBED_BATCH_TOKENS];
    size_t token_count;
    struct embed_sequence sequences[EMBED_BATCH_TOKENS];
    size_t sequence_count;
};

/* Means over the tokens of each text, of length 1. STATUS_FAILED: they are not numbers. */
enum status embed_bert_run(struct embed_bert *bert, const struct embed_batch *batch,
                           struct error *error) MUST_USE;

#endif
