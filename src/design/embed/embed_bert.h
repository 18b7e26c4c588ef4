/*
 * BERT with MiniLM's widths: 384 values a piece, 12 heads of 32, 1,536 values between the halves of
 * a layer, at most 24 layers, GELU by the error function, norms after each half.
 *
 *   piece + position + kind 0 -> norm
 *   each layer:  x = norm(x + output(attention(x)));  x = norm(x + narrow(gelu(widen(x))))
 */
#ifndef TRANSHUME_DESIGN_EMBED_BERT_H
#define TRANSHUME_DESIGN_EMBED_BERT_H

#include "design/embed/embed_safetensors.h"

enum {
    /* A batch: texts one after the other, without padding. So many pieces amortise the reading of
     * the weights, and their intermediate values stay in the second level of caches. */
    EMBED_BATCH_PIECES = 384,
};

/* The file must outlive it: words are read from there when they are needed. */
struct embed_bert;
enum status embed_bert_read(const struct embed_safetensors *file, const char *name,
                            uint32_t pieces_min, struct embed_bert **out,
                            struct error *error) MUST_USE;
void embed_bert_close(struct embed_bert *bert); /* NULL is fine */

/* One text: its pieces stand at `begin` in the batch. */
struct embed_sequence {
    size_t begin;
    size_t length;
    float *vector; /* where its EMBED_WIDTH values go */
};

struct embed_batch {
    uint32_t pieces[EMBED_BATCH_PIECES];
    size_t piece_count;
    struct embed_sequence sequences[EMBED_BATCH_PIECES];
    size_t sequence_count;
};

/* Means over the pieces of each text, of length 1. STATUS_FAILED: they are not numbers. */
enum status embed_bert_run(struct embed_bert *bert, const struct embed_batch *batch,
                           struct error *error) MUST_USE;

#endif
