/* A server of HTTP on a thread of its own, for targets that read what servers say. */
#ifndef TRANSHUME_FUZZ_SERVER_H
#define TRANSHUME_FUZZ_SERVER_H

#include "base/buffer.h"
#include "base/text.h"

/*
 * Appends the whole answer (status line and all) to a request whose header block is given. Called
 * on the server's thread, while the caller waits for just that answer, or has given it up. The
 * connection is closed behind it.
 */
typedef void fuzz_answer(struct text header_block, struct buffer *out);

/* Listens on the loopback until the process ends; the port. */
unsigned fuzz_serve(fuzz_answer *answer);

/* Makes `input` a copy of what the next answers come from, while none is being made: one that was
 * given up may still be. It holds until the next call. */
void fuzz_serve_from(struct text *input, const uint8_t *data, size_t size);

#endif
