/* Cells as bytes and back, exactly: for what this program writes aside and reads again itself. */
#ifndef TRANSHUME_MODEL_CELL_BYTES_H
#define TRANSHUME_MODEL_CELL_BYTES_H

#include "base/arena.h"
#include "base/buffer.h"
#include "model/value.h"
#include <stdint.h>

/*
 * One cell after the other, each: kind (1 byte), flags (1), aux (2), length (4), then
 *   numbers, bools, dates, times      8 bytes
 *   TEXT, JSON, BYTES, ESCAPE, large DECIMAL    `length` bytes
 *   UUID 16 bytes; INTERVAL 16 bytes
 *   LIST, SET the cells; MAP twice as many
 * in the machine's own order: such bytes do not outlive the process that wrote them. A cell comes
 * back with its very kind, flags and scale.
 */

/* A LARGE value is read whole and becomes the TEXT or BYTES it stands for. STATUS_FAILED: it can't
 * be read, or there is no memory for it. */
enum status cell_bytes_append(const struct cell *cell, struct buffer *out,
                              struct error *error) MUST_USE;
/*
 * Reads `count` cells; texts and bytes are borrowed from `bytes`, lists and intervals live in
 * `arena`. STATUS_FAILED: ERROR_STATE_INVALID, the bytes are not what cell_bytes_append wrote.
 */
enum status cell_bytes_read(const void *bytes, size_t length, uint32_t count, struct arena *arena,
                            struct cell *cells, struct error *error) MUST_USE;

#endif
