/* A cap in capacity units a second, kept by all readers (or writers) of a database together. */
#ifndef TRANSHUME_CONNECTORS_KEYED_CAPACITY_H
#define TRANSHUME_CONNECTORS_KEYED_CAPACITY_H

#include <pthread.h>
#include <stdint.h>

/*
 * Holds at most a second's worth. What a request takes is known when it is answered, so a request
 * is sent while there is anything left, may leave a debt, and who comes next waits until it is
 * paid. Thousandths of units. Any thread.
 */
struct keyed_capacity {
    pthread_mutex_t mutex;
    uint64_t units_per_second; /* 0: no cap */
    int64_t milliunits;        /* left; below 0: debt */
    int64_t filled_ms;         /* monotonic */
};

void keyed_capacity_init(struct keyed_capacity *capacity, uint64_t units_per_second);
void keyed_capacity_destroy(struct keyed_capacity *capacity);
/* How long to wait before the next request, 0: not at all. */
int64_t keyed_capacity_wait_ms(struct keyed_capacity *capacity, int64_t now_ms);
/* The same, and where it answers 0 the units are taken at once, before anybody else may send: what
 * a request is guessed to use. */
int64_t keyed_capacity_reserve(struct keyed_capacity *capacity, int64_t now_ms, int64_t milliunits);
/* Takes what a request used, or gives it back when it is negative. */
void keyed_capacity_take(struct keyed_capacity *capacity, int64_t milliunits);
/* Waits until a request may be sent, or the program is to stop at once. */
void keyed_capacity_wait(struct keyed_capacity *capacity);

#endif
