/* The parser of HTTP answers: every cut of whole answers, and answers with bytes changed. */
#include "net/http_parser.h"
#include "support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_BYTES_MAX = 100 };

static const struct {
    const char *bytes;
    const char *body;
    bool keeps;
} whole[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", true},
    {"HTTP/1.1 200\nContent-Length: 2\n\nok", "ok", true},
    {"HTTP/1.1 204 No\r\nContent-Length: 7\r\n\r\n", "", true},
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, close\r\n\r\n", "", false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "x", false},
    {"HTTP/1.0 200 OK\r\nconnection:keep-alive\r\ncontent-length:1\r\n\r\nx", "x", true},
    {"HTTP/1.1 100 Go\r\nContent-Length: 9\r\n\r\nHTTP/1.1 103 E\r\nA: b\r\n\r\n"
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
     "x", true},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
     "3;a=b\r\nabc\r\n0a \r\n0123456789\r\n0\r\nT: r\r\n\r\n",
     "abc0123456789", true},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "",
     false},
};

static void empty(struct http_response *response)
{
    buffer_clear(&response->body);
    buffer_clear(&response->header_block);
}

static void release(struct http_response *response)
{
    buffer_free(&response->body);
    buffer_free(&response->header_block);
}

/* From memory of exactly that size, so that a read behind it shows. */
static enum status take(struct http_parser *parser, struct http_response *response,
                        const char *bytes, size_t length, size_t *used)
{
    char *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    enum status status = http_parser_take(parser, response, copy, length, used);
    free(copy);
    return status;
}

static void every_cut_gives_the_same(void **state)
{
    (void)state;
    struct http_response response = {0};
    for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++) {
        size_t length = strlen(whole[i].bytes);
        for (size_t cut = 0; cut <= length; cut++) {
            struct http_parser parser;
            size_t used = 0;
            size_t rest = 0;
            empty(&response);
            http_parser_begin(&parser, false, BODY_BYTES_MAX);
            enum status status = take(&parser, &response, whole[i].bytes, cut, &used);
            assert_int_equal(status, cut == length ? STATUS_OK : STATUS_AGAIN);
            assert_int_equal(used, cut);
            if (cut < length) {
                status = take(&parser, &response, whole[i].bytes + cut, length - cut, &rest);
                assert_int_equal(status, STATUS_OK);
                assert_int_equal(rest, length - cut);
            }
            assert_int_equal(parser.keeps, whole[i].keeps);
            assert_int_equal(response.body.length, strlen(whole[i].body));
            assert_memory_equal(buffer_string(&response.body), whole[i].body, response.body.length);
        }
    }
    release(&response);
}

static void what_follows_an_answer_is_left(void **state)
{
    (void)state;
    struct http_response response = {0};
    for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++) {
        struct http_parser parser;
        char bytes[512];
        size_t used = 0;
        int length = snprintf(bytes, sizeof(bytes), "%sHTTP/1.1 200", whole[i].bytes);
        empty(&response);
        http_parser_begin(&parser, false, BODY_BYTES_MAX);
        assert_int_equal(take(&parser, &response, bytes, (size_t)length, &used), STATUS_OK);
        assert_int_equal(used, strlen(whole[i].bytes));
    }
    release(&response);
}

static void an_end_is_whole_only_where_it_may_be(void **state)
{
    (void)state;
    struct http_response response = {0};
    for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++) {
        size_t length = strlen(whole[i].bytes);
        for (size_t cut = 0; cut < length; cut++) {
            struct http_parser parser;
            size_t used = 0;
            empty(&response);
            http_parser_begin(&parser, false, BODY_BYTES_MAX);
            assert_int_equal(take(&parser, &response, whole[i].bytes, cut, &used), STATUS_AGAIN);
            assert_false(http_parser_end(&parser));
        }
    }
    struct http_parser parser;
    size_t used = 0;
    static const char open[] = "HTTP/1.1 200 OK\r\n\r\nuntil the end";
    empty(&response);
    http_parser_begin(&parser, false, BODY_BYTES_MAX);
    assert_int_equal(take(&parser, &response, open, strlen(open), &used), STATUS_AGAIN);
    assert_true(http_parser_end(&parser));
    assert_false(parser.keeps);
    release(&response);
}

/* Whatever comes, memory stays bounded and every byte is taken or the answer has ended. */
static void changed_bytes_do_no_harm(void **state)
{
    (void)state;
    struct random random = random_start();
    struct http_response response = {0};
    for (long round = test_rounds(20000); round > 0; round--) {
        struct http_parser parser;
        char bytes[512];
        size_t chosen = random_below(&random, sizeof(whole) / sizeof(*whole));
        size_t length = strlen(whole[chosen].bytes);
        memcpy(bytes, whole[chosen].bytes, length);
        for (uint64_t changes = random_below(&random, 4); changes > 0; changes--) {
            static const char likely[] = "\r\n :;0179aF,-\0\xff";
            bytes[random_below(&random, length)] =
                likely[random_below(&random, sizeof(likely) - 1)];
        }
        empty(&response);
        http_parser_begin(&parser, random_below(&random, 8) == 0, BODY_BYTES_MAX);
        enum status status = STATUS_AGAIN;
        for (size_t at = 0; at < length && status == STATUS_AGAIN;) {
            size_t part = 1 + random_below(&random, length - at);
            size_t used = 0;
            status = take(&parser, &response, bytes + at, part, &used);
            assert_true(used <= part && (used == part || status != STATUS_AGAIN));
            at += part;
        }
        assert_true(response.body.length <= BODY_BYTES_MAX);
        assert_true(response.header_block.length <= HTTP_HEADER_BLOCK_BYTES_MAX);
        assert_true((status == STATUS_FAILED) == (parser.fault != HTTP_PARSER_FINE));
        assert_true((status == STATUS_OK) == (parser.state == HTTP_PARSER_DONE));
    }
    release(&response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_gives_the_same),
        cmocka_unit_test(what_follows_an_answer_is_left),
        cmocka_unit_test(an_end_is_whole_only_where_it_may_be),
        cmocka_unit_test(changed_bytes_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
