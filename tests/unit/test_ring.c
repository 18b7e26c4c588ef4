/* Rings: bounds, order, closing, and many threads at once. */
#include "base/clock.h"
#include "base/ring.h"
#include "support.h"
#include <pthread.h>
#include <stdatomic.h>

static void items_come_out_in_order(void **state)
{
    (void)state;
    struct ring *ring = ring_create(100);
    int items[4];
    void *item;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(ring_push(ring, &items[i], 25, 0), STATUS_OK);
    }
    assert_int_equal(ring_push(ring, &items[0], 1, 0), STATUS_AGAIN);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(ring_pop(ring, &item, 0), STATUS_OK);
        assert_ptr_equal(item, &items[i]);
    }
    assert_int_equal(ring_pop(ring, &item, 0), STATUS_AGAIN);
    ring_destroy(ring);
    ring_destroy(NULL);
}

static void assert_sum(const struct ring_sum *sum, uint64_t items, uint64_t bytes)
{
    assert_int_equal(atomic_load(&sum->items), items);
    assert_int_equal(atomic_load(&sum->bytes), bytes);
}

static void several_rings_are_counted_together(void **state)
{
    (void)state;
    struct ring_sum sum = {0};
    struct ring *rings[] = {ring_create(100), ring_create(100)};
    int item;
    void *popped;
    ring_count_in(rings[0], &sum);
    ring_count_in(rings[1], &sum);
    assert_int_equal(ring_push(rings[0], &item, 60, 0), STATUS_OK);
    assert_int_equal(ring_push(rings[1], &item, 70, 0), STATUS_OK);
    assert_int_equal(ring_push(rings[0], &item, 60, 0), STATUS_AGAIN);
    assert_sum(&sum, 2, 130);
    assert_int_equal(ring_pop(rings[0], &popped, 0), STATUS_OK);
    assert_sum(&sum, 1, 70);
    ring_close(rings[1]);
    assert_int_equal(ring_push(rings[1], &item, 1, 0), STATUS_END);
    assert_int_equal(ring_pop(rings[1], &popped, 0), STATUS_OK);
    assert_int_equal(ring_pop(rings[1], &popped, 0), STATUS_END);
    assert_sum(&sum, 0, 0);
    ring_destroy(rings[0]);
    ring_destroy(rings[1]);
}

static void a_larger_item_passes_alone(void **state)
{
    (void)state;
    struct ring *ring = ring_create(100);
    int item;
    void *popped;
    assert_int_equal(ring_push(ring, &item, SIZE_MAX, 0), STATUS_OK);
    assert_int_equal(ring_push(ring, &item, 0, 0), STATUS_AGAIN);
    assert_int_equal(ring_pop(ring, &popped, 0), STATUS_OK);
    assert_int_equal(ring_push(ring, &item, 1, 0), STATUS_OK);
    assert_int_equal(ring_push(ring, &item, SIZE_MAX, 0), STATUS_AGAIN);
    assert_int_equal(ring_pop(ring, &popped, 0), STATUS_OK);
    ring_destroy(ring);
}

static void the_number_of_items_is_bounded(void **state)
{
    (void)state;
    struct ring *ring = ring_create(SIZE_MAX);
    int item;
    void *popped;
    int count = 0;
    while (ring_push(ring, &item, 0, 0) == STATUS_OK) {
        count++;
    }
    assert_int_equal(count, 1024);
    while (ring_pop(ring, &popped, 0) == STATUS_OK) {
        count--;
    }
    assert_int_equal(count, 0);
    ring_destroy(ring);
}

static void a_closed_ring_is_drained(void **state)
{
    (void)state;
    struct ring *ring = ring_create(100);
    int item;
    void *popped;
    assert_int_equal(ring_push(ring, &item, 1, 0), STATUS_OK);
    ring_close(ring);
    ring_close(ring);
    assert_int_equal(ring_push(ring, &item, 1, -1), STATUS_END);
    assert_int_equal(ring_pop(ring, &popped, -1), STATUS_OK);
    assert_int_equal(ring_pop(ring, &popped, -1), STATUS_END);
    ring_destroy(ring);
}

static void time_runs_out_and_is_counted(void **state)
{
    (void)state;
    struct ring *ring = ring_create(10);
    int item;
    void *popped;
    uint64_t push_ns;
    uint64_t pop_ns;
    int64_t start = clock_monotonic_ms();
    assert_int_equal(ring_pop(ring, &popped, 30), STATUS_AGAIN);
    assert_int_equal(ring_push(ring, &item, 10, 30), STATUS_OK);
    assert_int_equal(ring_push(ring, &item, 10, 40), STATUS_AGAIN);
    assert_true(clock_monotonic_ms() - start >= 69);
    ring_waits(ring, &push_ns, &pop_ns);
    assert_true(push_ns >= 39000000 && pop_ns >= 29000000);
    assert_int_equal(ring_pop(ring, &popped, INT64_MAX), STATUS_OK);
    ring_destroy(ring);
}

static void *close_soon(void *argument)
{
    clock_sleep_ms(20);
    ring_close(argument);
    return NULL;
}

static void closing_wakes_those_who_wait(void **state)
{
    (void)state;
    struct ring *ring = ring_create(10);
    pthread_t thread;
    void *popped;
    int item;
    assert_int_equal(pthread_create(&thread, NULL, close_soon, ring), 0);
    assert_int_equal(ring_pop(ring, &popped, -1), STATUS_END);
    pthread_join(thread, NULL);
    ring_destroy(ring);

    ring = ring_create(10);
    assert_int_equal(ring_push(ring, &item, 10, -1), STATUS_OK);
    assert_int_equal(pthread_create(&thread, NULL, close_soon, ring), 0);
    assert_int_equal(ring_push(ring, &item, 10, -1), STATUS_END);
    pthread_join(thread, NULL);
    assert_int_equal(ring_pop(ring, &popped, -1), STATUS_OK);
    ring_destroy(ring);
}

enum { PUSHERS = 3, POPPERS = 3, ITEMS = 20000 };

struct shared {
    struct ring *ring;
    atomic_int next; /* pusher's number */
    atomic_int popped[PUSHERS * ITEMS];
    int values[PUSHERS * ITEMS];
};

static void *push_many(void *argument)
{
    struct shared *shared = argument;
    int pusher = atomic_fetch_add(&shared->next, 1);
    for (int i = pusher * ITEMS; i < (pusher + 1) * ITEMS; i++) {
        shared->values[i] = i;
        size_t bytes = (size_t)(i * 7 % 50);
        while (ring_push(shared->ring, &shared->values[i], bytes, i % 3 == 0 ? -1 : 1) !=
               STATUS_OK) {
        }
    }
    return NULL;
}

static void *pop_many(void *argument)
{
    struct shared *shared = argument;
    for (int turn = 0;; turn++) {
        void *item;
        enum status status = ring_pop(shared->ring, &item, turn % 3 == 0 ? -1 : 1);
        if (status == STATUS_END) {
            return NULL;
        }
        if (status == STATUS_OK) {
            int value = *(int *)item; /* handed over: no race */
            atomic_fetch_add(&shared->popped[value], 1);
        }
    }
}

static void each_item_passes_once_between_threads(void **state)
{
    (void)state;
    static struct shared shared;
    pthread_t pushers[PUSHERS];
    pthread_t poppers[POPPERS];
    shared.ring = ring_create(120);
    for (int i = 0; i < PUSHERS; i++) {
        assert_int_equal(pthread_create(&pushers[i], NULL, push_many, &shared), 0);
    }
    for (int i = 0; i < POPPERS; i++) {
        assert_int_equal(pthread_create(&poppers[i], NULL, pop_many, &shared), 0);
    }
    for (int i = 0; i < PUSHERS; i++) {
        pthread_join(pushers[i], NULL);
    }
    ring_close(shared.ring);
    for (int i = 0; i < POPPERS; i++) {
        pthread_join(poppers[i], NULL);
    }
    for (int i = 0; i < PUSHERS * ITEMS; i++) {
        assert_int_equal(atomic_load(&shared.popped[i]), 1);
    }
    ring_destroy(shared.ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_order),
        cmocka_unit_test(several_rings_are_counted_together),
        cmocka_unit_test(a_larger_item_passes_alone),
        cmocka_unit_test(the_number_of_items_is_bounded),
        cmocka_unit_test(a_closed_ring_is_drained),
        cmocka_unit_test(time_runs_out_and_is_counted),
        cmocka_unit_test(closing_wakes_those_who_wait),
        cmocka_unit_test(each_item_passes_once_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
