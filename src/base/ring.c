/* The ring: a fixed circle of slots under one mutex, with a condition for each side. */
#include "base/ring.h"

#include "base/clock.h"
#include "base/memory.h"
#include <stdlib.h>

enum { SLOT_COUNT = 1024 };

struct slot {
    void *item;
    size_t bytes;
};

struct ring {
    pthread_mutex_t mutex;
    pthread_cond_t room;  /* for pushers */
    pthread_cond_t items; /* for poppers */
    size_t limit_bytes;
    size_t bytes;
    uint32_t first;
    uint32_t count;
    int closed;
    uint64_t push_wait_ns;
    uint64_t pop_wait_ns;
    struct ring_sum *sum; /* NULL: nobody asks */
    struct slot slots[SLOT_COUNT];
};

struct ring *ring_create(size_t limit_bytes)
{
    struct ring *ring = memory_allocate_zeroed(1, sizeof(*ring));
    ring->limit_bytes = limit_bytes;
    pthread_mutex_init(&ring->mutex, NULL);
    condition_init(&ring->room);
    condition_init(&ring->items);
    return ring;
}

void ring_destroy(struct ring *ring)
{
    if (ring != NULL) {
        pthread_cond_destroy(&ring->items);
        pthread_cond_destroy(&ring->room);
        pthread_mutex_destroy(&ring->mutex);
        free(ring);
    }
}

void ring_count_in(struct ring *ring, struct ring_sum *sum)
{
    ring->sum = sum;
}

/* Under the mutex. */
static void note_pushed(struct ring *ring, size_t bytes)
{
    ring->count++;
    ring->bytes += bytes;
    if (ring->sum != NULL) {
        atomic_fetch_add_explicit(&ring->sum->items, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&ring->sum->bytes, bytes, memory_order_relaxed);
    }
}

static void note_popped(struct ring *ring, size_t bytes)
{
    ring->count--;
    ring->bytes -= bytes;
    if (ring->sum != NULL) {
        atomic_fetch_sub_explicit(&ring->sum->items, 1, memory_order_relaxed);
        atomic_fetch_sub_explicit(&ring->sum->bytes, bytes, memory_order_relaxed);
    }
}

static int has_room(const struct ring *ring, size_t bytes)
{
    if (ring->count == 0) {
        return 1;
    }
    return ring->count < SLOT_COUNT && bytes <= ring->limit_bytes &&
           ring->bytes <= ring->limit_bytes - bytes;
}

/* Waits once on `condition`; false when the deadline (monotonic ns, negative: none) has passed. */
static bool wait_until(struct ring *ring, pthread_cond_t *condition, int64_t deadline_ns)
{
    if (deadline_ns < 0) {
        pthread_cond_wait(condition, &ring->mutex);
        return true;
    }
    return condition_wait_until(condition, &ring->mutex, deadline_ns);
}

static int64_t deadline_after(int64_t now_ns, int64_t timeout_ms)
{
    if (timeout_ms < 0 || timeout_ms > (INT64_MAX - now_ns) / 1000000) {
        return -1;
    }
    return now_ns + timeout_ms * 1000000;
}

enum status ring_push(struct ring *ring, void *item, size_t bytes, int64_t timeout_ms)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&ring->mutex);
    if (!ring->closed && !has_room(ring, bytes)) {
        int64_t start_ns = clock_monotonic_ns();
        int64_t deadline_ns = deadline_after(start_ns, timeout_ms);
        while (!ring->closed && !has_room(ring, bytes)) {
            if (!wait_until(ring, &ring->room, deadline_ns)) {
                break;
            }
        }
        ring->push_wait_ns += (uint64_t)(clock_monotonic_ns() - start_ns);
    }
    if (ring->closed) {
        status = STATUS_END;
    } else if (!has_room(ring, bytes)) {
        status = STATUS_AGAIN;
    } else {
        ring->slots[(ring->first + ring->count) % SLOT_COUNT] =
            (struct slot){.item = item, .bytes = bytes};
        note_pushed(ring, bytes);
        pthread_cond_signal(&ring->items);
    }
    pthread_mutex_unlock(&ring->mutex);
    return status;
}

enum status ring_pop(struct ring *ring, void **item, int64_t timeout_ms)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&ring->mutex);
    if (ring->count == 0 && !ring->closed) {
        int64_t start_ns = clock_monotonic_ns();
        int64_t deadline_ns = deadline_after(start_ns, timeout_ms);
        while (ring->count == 0 && !ring->closed) {
            if (!wait_until(ring, &ring->items, deadline_ns)) {
                break;
            }
        }
        ring->pop_wait_ns += (uint64_t)(clock_monotonic_ns() - start_ns);
    }
    if (ring->count > 0) {
        struct slot slot = ring->slots[ring->first];
        ring->first = (ring->first + 1) % SLOT_COUNT;
        note_popped(ring, slot.bytes);
        *item = slot.item;
        /* All of them: with several pushers the first to wake may be one whose item is too
         * large. */
        pthread_cond_broadcast(&ring->room);
    } else {
        status = ring->closed ? STATUS_END : STATUS_AGAIN;
    }
    pthread_mutex_unlock(&ring->mutex);
    return status;
}

void ring_close(struct ring *ring)
{
    pthread_mutex_lock(&ring->mutex);
    ring->closed = 1;
    pthread_cond_broadcast(&ring->room);
    pthread_cond_broadcast(&ring->items);
    pthread_mutex_unlock(&ring->mutex);
}

void ring_waits(const struct ring *ring, uint64_t *push_ns, uint64_t *pop_ns)
{
    struct ring *locked = (struct ring *)(uintptr_t)ring; /* only its mutex changes */
    pthread_mutex_lock(&locked->mutex);
    *push_ns = ring->push_wait_ns;
    *pop_ns = ring->pop_wait_ns;
    pthread_mutex_unlock(&locked->mutex);
}
