/* A cap in capacity units a second, kept by all readers (or writers) of a database together. */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_CAPACITY_H
#define TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_CAPACITY_H

#include <pthread.h>
#include <stdint.h>

/*
 * Holds at most a second's worth. What a request takes is known when it is answered, so a request
 * is sent while there is anything left, may leave a debt, and who comes next waits until it is
 * paid. Thousandths of units. Any thread.
 */
struct dynamodb_capacity {
    pthread_mutex_t mutex;
    uint64_t units_per_second; /* 0: no cap */
    int64_t milliunits;        /* left; below 0: debt */
    int64_t filled_ms;         /* monotonic */
};

void dynamodb_capacity_init(struct dynamodb_capacity *capacity, uint64_t units_per_second);
void dynamodb_capacity_destroy(struct dynamodb_capacity *capacity);
/* How long to wait before the next request, 0: not at all. */
int64_t dynamodb_capacity_wait_ms(struct dynamodb_capacity *capacity, int64_t now_ms);
/* The same, and where it answers 0 the units are taken at once, before anybody else may send: what
 * a request is guessed to use. */
int64_t dynamodb_capacity_reserve(struct dynamodb_capacity *capacity, int64_t now_ms,
                                  int64_t milliunits);
/* Takes what a request used, or gives it back when it is negative. */
void dynamodb_capacity_take(struct dynamodb_capacity *capacity, int64_t milliunits);
/* Waits until a request may be sent, or the program is to stop at once. */
void dynamodb_capacity_wait(struct dynamodb_capacity *capacity);
/* All CapacityUnits of an answer, or a part of one, that holds no record's data. */
double dynamodb_capacity_told(const char *text);

#endif
