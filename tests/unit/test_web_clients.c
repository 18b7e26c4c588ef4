/* Who makes room when all places of a web server are taken, and whose time is over. */
#include "base/clock.h"
#include "observe/web/web_clients.h"
#include "support.h"
#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PLACES = 6, MANY = 20, SOON = 3600 };

struct peer {
    int near;
    int far; /* sees its end once the other was shut */
    struct web_client *client;
};

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage address = {0};
    if (strchr(text, ':') != NULL) {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)&address;
        six->sin6_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
    } else {
        struct sockaddr_in *four = (struct sockaddr_in *)(void *)&address;
        four->sin_family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, text, &four->sin_addr), 1);
    }
    return address;
}

static void come(struct web_clients *clients, struct peer *peer, const char *from)
{
    int ends[2];
    struct sockaddr_storage address = address_of(from);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    peer->near = ends[0];
    peer->far = ends[1];
    peer->client = web_clients_add(clients, ends[0], (struct sockaddr *)&address, SOON);
    clock_sleep_ms(2); /* so that none is as old as another */
}

static bool is_dropped(const struct peer *peer)
{
    struct pollfd end = {.fd = peer->far, .events = POLLIN};
    return poll(&end, 1, 0) == 1;
}

static void leave(struct web_clients *clients, struct peer *peer)
{
    web_clients_remove(clients, peer->client);
    close(peer->near);
    close(peer->far);
}

static void the_oldest_makes_room(void **state)
{
    (void)state;
    struct peer peers[MANY];
    struct web_clients *clients = web_clients_create(PLACES);
    for (int i = 0; i < MANY; i++) {
        come(clients, &peers[i], "192.0.2.1");
        for (int other = 0; other <= i; other++) {
            assert_int_equal(is_dropped(&peers[other]), other <= i - PLACES);
        }
    }
    for (int i = 0; i < MANY; i++) {
        leave(clients, &peers[i]);
    }
    web_clients_destroy(clients);
    web_clients_destroy(NULL);
}

/* Those that have left, dropped or not, hold no place. */
static void places_come_back(void **state)
{
    (void)state;
    struct peer peers[2 * PLACES];
    struct web_clients *clients = web_clients_create(PLACES);
    for (int i = 0; i < PLACES + 2; i++) {
        come(clients, &peers[i], "192.0.2.1");
    }
    for (int i = 0; i < 4; i++) { /* two of them are dropped */
        leave(clients, &peers[i]);
    }
    for (int i = PLACES + 2; i < PLACES + 4; i++) {
        come(clients, &peers[i], "192.0.2.1");
    }
    for (int i = 4; i < PLACES + 4; i++) {
        assert_false(is_dropped(&peers[i]));
        leave(clients, &peers[i]);
    }
    web_clients_destroy(clients);
}

/* `other` is older than all of the many, and stays. */
static void check_many_of(const char *first, const char *second, const char *other)
{
    struct peer peers[MANY];
    struct peer kept;
    struct web_clients *clients = web_clients_create(PLACES);
    come(clients, &kept, other);
    for (int i = 0; i < MANY; i++) {
        come(clients, &peers[i], i % 2 == 0 ? first : second);
        assert_false(is_dropped(&kept));
    }
    leave(clients, &kept);
    for (int i = 0; i < MANY; i++) {
        leave(clients, &peers[i]);
    }
    web_clients_destroy(clients);
}

static void the_address_with_the_most_makes_room(void **state)
{
    (void)state;
    check_many_of("192.0.2.1", "192.0.2.1", "198.51.100.1");
    check_many_of("2001:db8::1", "2001:db8::1:2:3", "2001:db8:1::1");
    check_many_of("::ffff:192.0.2.1", "::ffff:192.0.2.1", "::ffff:198.51.100.1");
}

static void a_request_that_is_answered_is_new_again(void **state)
{
    (void)state;
    struct peer peers[PLACES + 1];
    struct web_clients *clients = web_clients_create(PLACES);
    for (int i = 0; i < PLACES; i++) {
        come(clients, &peers[i], "192.0.2.1");
    }
    web_clients_give_time(clients, peers[0].client, SOON);
    web_clients_give_time(clients, NULL, SOON);
    come(clients, &peers[PLACES], "192.0.2.1");
    for (int i = 0; i <= PLACES; i++) {
        assert_int_equal(is_dropped(&peers[i]), i == 1);
        leave(clients, &peers[i]);
    }
    web_clients_destroy(clients);
}

static void what_has_no_limit_stays(void **state)
{
    (void)state;
    struct peer stream;
    struct peer peers[MANY];
    struct web_clients *clients = web_clients_create(PLACES);
    come(clients, &stream, "192.0.2.1");
    web_clients_give_time(clients, stream.client, 0);
    for (int i = 0; i < MANY; i++) {
        come(clients, &peers[i], "192.0.2.1");
    }
    web_clients_drop_slow(clients);
    assert_false(is_dropped(&stream));
    leave(clients, &stream);
    for (int i = 0; i < MANY; i++) {
        leave(clients, &peers[i]);
    }
    web_clients_destroy(clients);
}

static void time_runs_out(void **state)
{
    (void)state;
    struct peer slow;
    struct peer quick;
    struct web_clients *clients = web_clients_create(PLACES);
    come(clients, &slow, "192.0.2.1");
    come(clients, &quick, "192.0.2.1");
    web_clients_give_time(clients, slow.client, 1);
    web_clients_drop_slow(clients);
    assert_false(is_dropped(&slow));
    clock_sleep_ms(1100);
    web_clients_drop_slow(clients);
    web_clients_drop_slow(clients);
    assert_true(is_dropped(&slow));
    assert_false(is_dropped(&quick));
    leave(clients, &slow);
    leave(clients, &quick);
    web_clients_destroy(clients);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_makes_room),
        cmocka_unit_test(places_come_back),
        cmocka_unit_test(the_address_with_the_most_makes_room),
        cmocka_unit_test(a_request_that_is_answered_is_new_again),
        cmocka_unit_test(what_has_no_limit_stays),
        cmocka_unit_test(time_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
