/* Rate caps, token buckets for rows and bytes, and the hold that stops all; shared by all readers.
 */
#ifndef TRANSHUME_ENGINE_THROTTLE_H
#define TRANSHUME_ENGINE_THROTTLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A bucket holds a second's worth at most. A batch is always let through and may leave the bucket
 * in debt; who comes next waits until it is paid. So no batch is too large to pass.
 */
struct throttle_bucket {
    uint64_t per_second; /* 0: no cap */
    double tokens;
};
struct throttle {
    pthread_mutex_t mutex;
    int64_t filled_ns;
    struct throttle_bucket rows;
    struct throttle_bucket bytes;
    _Atomic bool held;             /* everybody waits until it is false again: load_pause.h */
    _Atomic int64_t held_since_ms; /* monotonic; of the latest hold */
};

void throttle_init(struct throttle *throttle, uint64_t rows_per_second, uint64_t bytes_per_second);
void throttle_destroy(struct throttle *throttle);
/* Takes tokens for what was read; the milliseconds to wait come back (0: go on). Any thread. */
int64_t throttle_take(struct throttle *throttle, uint64_t rows, uint64_t bytes);
/* The time left to wait for whoever may go on at `until_ms` (monotonic), 0: none; in a hold, whose
 * end nobody knows, a moment after which to ask again. Any thread. */
int64_t throttle_left_ms(const struct throttle *throttle, int64_t until_ms);
/* Everybody waits, or no longer. One thread. */
void throttle_hold(struct throttle *throttle, bool held);
/* How long everybody has been waiting; below 0: nobody has to. Any thread. */
int64_t throttle_held_ms(const struct throttle *throttle);
/* throttle_take at a given time, for tests. */
int64_t throttle_take_at(struct throttle *throttle, int64_t now_ns, uint64_t rows, uint64_t bytes);

#endif
