/* A queue between two threads, bounded in bytes: how a reader waits for its writer. */
#ifndef TRANSHUME_BASE_RING_H
#define TRANSHUME_BASE_RING_H

#include "base/status.h"
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct ring;

/* `limit_bytes` bounds the sum of the items' sizes; one item larger than it may pass alone. At most
 * 1,024 items wait, however small. */
struct ring *ring_create(size_t limit_bytes) __attribute__((returns_nonnull));
void ring_destroy(struct ring *ring); /* items still inside are the caller's to drain first */

/* The items that wait in several rings together; any thread reads the sum. */
struct ring_sum {
    _Atomic uint64_t items;
    _Atomic uint64_t bytes;
};
/* Before the first push: the ring's items are part of `sum`, which outlives it. */
void ring_count_in(struct ring *ring, struct ring_sum *sum);

/*
 * Waits until there is room. STATUS_OK: the ring owns the item. STATUS_END: the ring was closed by
 * the other side and the item is still the caller's. STATUS_AGAIN: `timeout_ms` ran out (a negative
 * one waits for ever).
 */
enum status ring_push(struct ring *ring, void *item, size_t bytes, int64_t timeout_ms) MUST_USE;
/* STATUS_OK: `*item` is the caller's. STATUS_END: closed and empty. STATUS_AGAIN: time ran out. */
enum status ring_pop(struct ring *ring, void **item, int64_t timeout_ms) MUST_USE;
/* No more pushes; what is inside can still be popped. Any thread, any number of times. */
void ring_close(struct ring *ring);
/* Nanoseconds that pushers and poppers have waited so far: which side is the slower one. */
void ring_waits(const struct ring *ring, uint64_t *push_ns, uint64_t *pop_ns);

#endif
