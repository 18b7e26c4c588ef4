/*
 * Files of tensors in the format "safetensors":
 *
 *   8 bytes    length N of the header, little-endian
 *   N bytes    JSON: {"NAME": {"dtype": "F16", "shape": [rows, columns], "data_offsets": [begin,
 * end]},
 *              ..., "__metadata__": {...}}, padded with spaces; offsets count from byte 8 + N
 *   the rest   the values, row after row, little-endian, without gaps
 *
 * All that the header says is checked before a tensor is given out: types, shapes against lengths,
 * and that the tensors cover the file exactly.
 */
#ifndef TRANSHUME_DESIGN_EMBED_SAFETENSORS_H
#define TRANSHUME_DESIGN_EMBED_SAFETENSORS_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

enum embed_type { EMBED_TYPE_F16, EMBED_TYPE_F32 };

/* Values in the file, of which there are rows × columns. */
struct embed_tensor {
    enum embed_type type;
    size_t rows; /* 1: a row of values */
    size_t columns;
    const unsigned char *bytes;
};

/* `name` stands in messages. The file must outlive what is made here. */
struct embed_safetensors;
enum status embed_safetensors_read(const void *bytes, size_t length, const char *name,
                                   struct embed_safetensors **out, struct error *error) MUST_USE;
void embed_safetensors_close(struct embed_safetensors *file); /* NULL is fine */

/* STATUS_END: there is no such tensor. STATUS_FAILED: it has another shape, or a type that is not
 * read. `rows` 0: any number. */
enum status embed_safetensors_find(const struct embed_safetensors *file, const char *tensor_name,
                                   size_t rows, size_t columns, struct embed_tensor *tensor,
                                   struct error *error) MUST_USE;

/* The values of some rows as floats. */
void embed_tensor_rows(const struct embed_tensor *tensor, size_t first, size_t count, float *out);

#endif
