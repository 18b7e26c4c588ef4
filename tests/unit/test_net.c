/* The parts of src/net that need no server: URLs, header look-ups, dates, clocks, times. */
#include "base/clock.h"
#include "net/address.h"
#include "net/aws_provider.h"
#include "net/aws_sign.h"
#include "net/http.h"
#include "support.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static uint64_t seed(void)
{
    const char *text = getenv("TRANSHUME_SEED");
    uint64_t value = text == NULL ? 1 : strtoull(text, NULL, 10);
    printf("seed %llu\n", (unsigned long long)value);
    return value;
}

/* ---------------------------------------------------------------- addresses */

static void addresses_are_split(void **state)
{
    static const struct {
        const char *text;
        const char *host; /* NULL: it is no address */
        unsigned port;
    } cases[] = {{"localhost:8125", "localhost", 8125},
                 {"127.0.0.1:1", "127.0.0.1", 1},
                 {"[::1]:9000", "::1", 9000},
                 {"[fe80::1%eth0]:65535", "fe80::1%eth0", 65535},
                 {"9400", "10.0.0.1", 9400},
                 {"0", "10.0.0.1", 0},
                 {"host:0", "host", 0},
                 {"", NULL, 0},
                 {"host", NULL, 0},
                 {"host:", NULL, 0},
                 {":80", NULL, 0},
                 {"[]:80", NULL, 0},
                 {"[::1]", NULL, 0},
                 {"[::1]80", NULL, 0},
                 {"[::1:80", NULL, 0},
                 {"::1:80", NULL, 0},
                 {"host:65536", NULL, 0},
                 {"host:99999", NULL, 0},
                 {"host:100000", NULL, 0},
                 {"host:-1", NULL, 0},
                 {"host:+1", NULL, 0},
                 {"host: 1", NULL, 0},
                 {"host:1x", NULL, 0},
                 {"65536", NULL, 0}};
    char text[600] = "";
    struct address address;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool is_one = address_split(cases[i].text, "10.0.0.1", &address);
        assert_int_equal(is_one, cases[i].host != NULL);
        if (is_one) {
            assert_string_equal(address.host, cases[i].host);
            assert_int_equal(address.number, cases[i].port);
        }
    }
    assert_true(address_split("host:0080", NULL, &address));
    assert_int_equal(address.number, 80);
    assert_false(address_split("9400", NULL, &address));
    memset(text, 'h', ADDRESS_HOST_BYTES + 1);
    memcpy(text + ADDRESS_HOST_BYTES - 1, ":1", 3);
    assert_true(address_split(text, NULL, &address));
    memcpy(text + ADDRESS_HOST_BYTES - 1, "h:1", 4);
    assert_false(address_split(text, NULL, &address));
}

/* ---------------------------------------------------------------- URLs */

static void urls_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host;
        uint16_t port;
        const char *host_header;
        const char *path;
        const char *query;
        bool tls;
    } cases[] = {
        {"http://h", "h", 80, "h", "/", NULL, false},
        {"HTTPS://Db.Example.COM/", "db.example.com", 443, "db.example.com", "/", NULL, true},
        {"https://h:443/a/b", "h", 443, "h", "/a/b", NULL, true},
        {"https://h:80?x=y", "h", 80, "h:80", "/", "x=y", true},
        {"http://[::1]:8000/p?", "::1", 8000, "[::1]:8000", "/p", "", false},
        {"http://[FD00:EC2::254]/", "fd00:ec2::254", 80, "[fd00:ec2::254]", "/", NULL, false},
        {"http://127.0.0.1:65535/../%2F?a?b", "127.0.0.1", 65535, "127.0.0.1:65535", "/../%2F",
         "a?b", false},
        {"https://a_b-c.d./x@y", "a_b-c.d.", 443, "a_b-c.d.", "/x@y", NULL, true},
    };
    struct arena *arena = arena_create(0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_url url;
        struct error error = {0};
        assert_int_equal(http_url_parse(cases[i].text, NULL, arena, &url, &error), STATUS_OK);
        assert_string_equal(url.host, cases[i].host);
        assert_string_equal(url.host_header, cases[i].host_header);
        assert_string_equal(url.path, cases[i].path);
        assert_int_equal(url.port, cases[i].port);
        assert_int_equal(url.tls, cases[i].tls);
        assert_int_equal(url.query == NULL, cases[i].query == NULL);
        if (url.query != NULL) {
            assert_string_equal(url.query, cases[i].query);
        }
    }
    arena_destroy(arena);
}

/* What is accepted, of whatever bytes, says the same when it is put together again. */
static void random_urls_stay_themselves(void **state)
{
    (void)state;
    static const char *const pieces[] = {"http", "https", "://", ":", "/",  "//", "?",    "@",
                                         "[",    "]",     "::1", "h", ".",  "-",  "80",   "99999",
                                         "#",    " ",     "\n",  "%", "\\", "\"", "\x7f", "\xC3"};
    uint64_t random = seed();
    uint32_t accepted = 0;
    struct arena *arena = arena_create(0);
    for (int round = 0; round < 200000; round++) {
        char text[128] = "http://";
        size_t used = next_random(&random) % 4 == 0 ? 0 : strlen(text);
        for (uint64_t i = next_random(&random) % 8; i > 0; i--) {
            const char *piece = pieces[next_random(&random) % (sizeof(pieces) / sizeof(pieces[0]))];
            memcpy(text + used, piece, strlen(piece));
            used += strlen(piece);
        }
        text[used] = '\0';
        struct http_url url;
        struct http_url again;
        if (http_url_parse(text, NULL, arena, &url, NULL) == STATUS_OK) {
            const char *whole = arena_format(
                arena, "%s://%s%s%s%s", url.tls ? "https" : "http", url.host_header, url.path,
                url.query == NULL ? "" : "?", url.query == NULL ? "" : url.query);
            assert_int_equal(http_url_parse(whole, NULL, arena, &again, NULL), STATUS_OK);
            assert_string_equal(url.host_header, again.host_header);
            assert_string_equal(url.path, again.path);
            assert_int_equal(url.port, again.port);
            accepted++;
        }
        arena_reset(arena);
    }
    arena_destroy(arena);
    assert_true(accepted > 1000);
}

static void which_hosts_are_this_machine(void **state)
{
    (void)state;
    static const char *const here[] = {"127.0.0.1", "127.255.0.9",        "::1",
                                       "localhost", "::ffff:127.0.0.1",   "0:0:0:0:0:0:0:1",
                                       "LocalHost", "dynamodb.localhost", "a.LOCALHOST"};
    static const char *const elsewhere[] = {
        "",           "0.0.0.0",    "128.0.0.1",          "127.0.0.1.example.com",
        "127.1",      "2130706433", "0x7f.0.0.1",         "127.0.0.01",
        "::",         "::2",        "::ffff:126.0.0.1",   "localhost.example.com",
        "localhos",   "xlocalhost", ".localhost",         "169.254.169.254",
        "127.0.0.1 ", "localhost.", "example.localhost.x"};
    for (size_t i = 0; i < sizeof(here) / sizeof(here[0]); i++) {
        assert_true(http_host_is_loopback(here[i]));
    }
    for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
        assert_false(http_host_is_loopback(elsewhere[i]));
    }
}

/* ---------------------------------------------------------------- headers */

/* Another way to look a header up: line by line, copied. */
static bool look_up_slowly(const char *block, size_t length, const char *name, char *value)
{
    size_t start = 0;
    while (start < length) {
        size_t end = start;
        while (end < length && block[end] != '\n') {
            end++;
        }
        char line[600];
        size_t size = end - start;
        memcpy(line, block + start, size);
        line[size] = '\0';
        char *colon = memchr(line, ':', size);
        if (colon != NULL && (size_t)(colon - line) == strlen(name) &&
            strncasecmp(line, name, strlen(name)) == 0) {
            size_t from = (size_t)(colon - line) + 1;
            while (from < size && isspace((unsigned char)line[from])) {
                from++;
            }
            while (size > from && isspace((unsigned char)line[size - 1])) {
                size--;
            }
            memcpy(value, line + from, size - from);
            value[size - from] = '\0';
            return true;
        }
        start = end + 1;
    }
    return false;
}

static void random_headers_are_found(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "Date", "date", "X-Date", "DATE", "Dat",  "e",        ":",  ": ",  "\r\n", "\n",
        " ",    "\t",   "x",      "::",   "a: b", "\r\n\r\n", "Da", "te:", "",     "\r"};
    uint64_t random = seed();
    uint32_t found_count = 0;
    for (int round = 0; round < 200000; round++) {
        char block[512];
        size_t used = 0;
        for (uint64_t i = next_random(&random) % 16; i > 0; i--) {
            const char *piece = pieces[next_random(&random) % (sizeof(pieces) / sizeof(pieces[0]))];
            memcpy(block + used, piece, strlen(piece));
            used += strlen(piece);
        }
        char *exact = malloc(used + 1); /* so that a byte read too much is seen */
        assert_non_null(exact);
        memcpy(exact, block, used);
        struct http_response response = {
            .header_block = {.data = used == 0 ? NULL : exact, .length = used}};
        const char *value = NULL;
        size_t length = 0;
        char expected[600];
        bool is_there = look_up_slowly(block, used, "Date", expected);
        assert_int_equal(http_response_header(&response, "dAtE", &value, &length), is_there);
        if (is_there) {
            found_count++;
            assert_int_equal(length, strlen(expected));
            assert_memory_equal(value, expected, length);
        }
        int64_t ignored = 0;
        (void)!http_response_date(&response, &ignored);
        free(exact);
    }
    assert_true(found_count > 1000);
}

/* ---------------------------------------------------------------- times and clocks */

static void times_of_expiry(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t utc_ms;
    } good[] = {{"1970-01-01T00:00:00Z", 0},
                {"2026-11-20T13:00:00Z", INT64_C(1795179600000)},
                {"2026-11-20T13:00:00.123456789Z", INT64_C(1795179600000)},
                {"2026-11-20T13:00:00+00:00", INT64_C(1795179600000)},
                {"2026-11-20T15:30:00+0230", INT64_C(1795179600000)},
                {"2026-11-20T05:00:00-08:00", INT64_C(1795179600000)},
                {"2026-11-20 13:00:00", INT64_C(1795179600000)}};
    static const char *const bad[] = {"",
                                      "2026",
                                      "2026-11-20",
                                      "2026-11-20T13:00Z",
                                      "2026-13-20T13:00:00Z",
                                      "2026-11-32T13:00:00Z",
                                      "2026-11-20T24:00:00Z",
                                      "2026-11-20T13:60:00Z",
                                      "2026-11-20T13:00:00X",
                                      "2026-11-20T13:00:00+1",
                                      "2026-11-20T13:00:00+01:00x",
                                      "1795179600",
                                      "soon"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t utc_ms = -1;
        assert_true(aws_parse_time(good[i].text, &utc_ms));
        assert_int_equal(utc_ms, good[i].utc_ms);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t utc_ms = 0;
        assert_false(aws_parse_time(bad[i], &utc_ms));
    }
}

/* A response whose Date is that much ahead of now; its header block is `text`. */
static struct http_response dated(int64_t ahead_ms, char text[64])
{
    static const char *const days[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t seconds = clock_utc_us() / 1000000 + ahead_ms / 1000;
    int64_t year = 0;
    int month = 0;
    int day = 0;
    clock_civil_from_days(seconds / 86400, &year, &month, &day);
    int rest = (int)(seconds % 86400);
    int length = snprintf(text, 64, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                          days[seconds / 86400 % 7], day, months[month - 1], (int)year, rest / 3600,
                          rest / 60 % 60, rest % 60);
    return (struct http_response){
        .header_block = {.data = text, .length = (size_t)length, .capacity = 64}};
}

static void a_clock_follows_the_servers(void **state)
{
    (void)state;
    char text[64];
    struct aws_clock clock = {0};
    int64_t hour_ms = 3600 * 1000;
    struct http_response response = dated(4 * 60 * 1000, text);
    assert_false(aws_clock_learn(&clock, &response)); /* not far enough to matter */
    response = dated(2 * hour_ms, text);
    assert_true(aws_clock_learn(&clock, &response));
    int64_t ahead_ms = aws_clock_now_ms(&clock) - clock_utc_us() / 1000;
    assert_in_range(ahead_ms, 2 * hour_ms - 2000, 2 * hour_ms + 2000);
    assert_false(aws_clock_learn(&clock, &response)); /* it signs with the server's time by now */
    response = dated(-hour_ms, text);
    assert_true(aws_clock_learn(&clock, &response));
    assert_true(aws_clock_now_ms(&clock) < clock_utc_us() / 1000);
    struct http_response undated = {0};
    assert_false(aws_clock_learn(&clock, &undated));
}

static void a_clock_that_is_off_is_said_by_how_much(void **state)
{
    (void)state;
    char text[64];
    struct error error = {0};
    struct http_response response = dated(7 * 3600 * 1000, text);
    assert_int_equal(aws_clock_check(&response, "DynamoDB", &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_CLOCK_SKEW);
    assert_non_null(strstr(error.message, "this machine's clock is"));
    assert_non_null(strstr(error.message, "behind the server's"));
    response = dated(-86400 * 1000, text);
    assert_int_equal(aws_clock_check(&response, "DynamoDB", &error), STATUS_FAILED);
    assert_non_null(strstr(error.message, "ahead of the server's"));
    response = dated(0, text);
    assert_int_equal(aws_clock_check(&response, "DynamoDB", &error), STATUS_OK);
    struct http_response undated = {0};
    assert_int_equal(aws_clock_check(&undated, "DynamoDB", &error), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_split),
        cmocka_unit_test(urls_taken_apart),
        cmocka_unit_test(random_urls_stay_themselves),
        cmocka_unit_test(which_hosts_are_this_machine),
        cmocka_unit_test(random_headers_are_found),
        cmocka_unit_test(times_of_expiry),
        cmocka_unit_test(a_clock_follows_the_servers),
        cmocka_unit_test(a_clock_that_is_off_is_said_by_how_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
