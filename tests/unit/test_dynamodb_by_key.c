/* Items by their keys: which are asked for, what is left unprocessed, and who throttles. */
#include "connectors/common/registry.h"
#include "connectors/dynamodb/network/source.h"
#include "support_script.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const key_names[] = {"pk", "sk"};
static struct dynamodb_attribute attributes[] = {{"sk", 'N'}, {"pk", 'S'}};
static const struct dynamodb_description things = {
    .name = "things", .key = {key_names, 2}, .attributes = attributes, .attribute_count = 2};
static const struct dynamodb_description plain = {
    .name = "plain", .key = {key_names, 1}, .attributes = attributes, .attribute_count = 2};

/* ---------------------------------------------------------------- keys */

static struct dynamodb_wanted *wanted_of(const struct dynamodb_description *table,
                                         const struct cell *keys, uint32_t count)
{
    struct error error = {0};
    struct dynamodb_wanted *wanted = NULL;
    const struct read_request request = {
        .name = "r", .root_key = table->key, .keys = keys, .key_count = count};
    if (dynamodb_wanted_create(&request, table, &wanted, &error) != STATUS_OK) {
        fail_msg("%s", error.message);
    }
    return wanted;
}

static void assert_next(struct dynamodb_wanted *wanted, uint32_t most, const char *expected)
{
    struct buffer list = {0};
    buffer_append_string(&list, "what was there");
    dynamodb_wanted_next(wanted, most, &list);
    assert_buffer(&list, expected);
    buffer_free(&list);
}

static struct cell text_of(const char *text)
{
    return cell_text(text, strlen(text));
}

static void each_key_is_asked_for_once(void **state)
{
    (void)state;
    static const char digits[] = "1.50";
    const struct cell decimal = {.kind = VALUE_DECIMAL, .length = 4, .text = digits};
    const struct cell keys[] = {text_of("b"), cell_int64(1),     text_of("a\""), decimal,
                                text_of("b"), cell_float64(1.0), text_of("a\""), cell_float64(1.5),
                                text_of("b"), cell_int64(-2)};
    struct dynamodb_wanted *wanted = wanted_of(&things, keys, 5);
    assert_next(wanted, 2,
                "[{\"pk\":{\"S\":\"a\\\"\"},\"sk\":{\"N\":\"1.5\"}},"
                "{\"pk\":{\"S\":\"b\"},\"sk\":{\"N\":\"-2\"}}]");
    assert_next(wanted, 2, "[{\"pk\":{\"S\":\"b\"},\"sk\":{\"N\":\"1\"}}]");
    assert_next(wanted, 2, "");
    const struct cell other[] = {text_of("b"), cell_int64(3)};
    assert_true(dynamodb_wanted_has(wanted, &keys[4]));
    assert_true(dynamodb_wanted_has(wanted, &keys[2]));
    assert_false(dynamodb_wanted_has(wanted, other));
    dynamodb_wanted_destroy(wanted);
}

/* No item can have them: they are absent like any other. */
static void keys_that_no_item_has_are_left_out(void **state)
{
    (void)state;
    static char long_text[2050];
    memset(long_text, 'x', sizeof long_text);
    const struct cell keys[] = {cell_null(),
                                cell_missing(),
                                text_of(""),
                                cell_int64(5),
                                {.kind = VALUE_BYTES, .length = 1, .bytes = (const uint8_t *)"a"},
                                {.kind = VALUE_BOOL, .i64 = 1},
                                {.kind = VALUE_LIST},
                                cell_text(long_text, 2049)};
    const struct cell pairs[] = {text_of("a"), cell_float64((double)NAN),
                                 text_of("a"), text_of("1"),
                                 cell_null(),  cell_int64(1)};
    struct dynamodb_wanted *wanted = wanted_of(&plain, keys, sizeof keys / sizeof *keys);
    assert_next(wanted, 100, "");
    dynamodb_wanted_destroy(wanted);
    wanted = wanted_of(&things, pairs, 3);
    assert_next(wanted, 100, "");
    assert_false(dynamodb_wanted_has(wanted, pairs));
    dynamodb_wanted_destroy(wanted);
    const struct cell longest = cell_text(long_text, 2048);
    const struct cell moment = {
        .kind = VALUE_TIMESTAMP, .flags = CELL_ZONED, .length = (uint32_t)-19800, .i64 = 0};
    wanted = wanted_of(&plain, &longest, 1);
    assert_true(dynamodb_wanted_has(wanted, &longest));
    dynamodb_wanted_destroy(wanted);
    wanted = wanted_of(&plain, &moment, 1);
    assert_true(dynamodb_wanted_has(wanted, &moment));
    dynamodb_wanted_destroy(wanted);
}

static void the_key_is_the_tables_own(void **state)
{
    (void)state;
    static const char *const swapped[] = {"sk", "pk"};
    static const char *const others[] = {"pk", "other", "sk"};
    const struct cell keys[] = {cell_int64(7), text_of("a"), cell_int64(1)};
    struct error error = {0};
    struct dynamodb_wanted *wanted = NULL;
    struct read_request request = {
        .name = "r", .root_key = {swapped, 2}, .keys = keys, .key_count = 1};
    assert_int_equal(dynamodb_wanted_create(&request, &things, &wanted, &error), STATUS_OK);
    assert_next(wanted, 1, "[{\"pk\":{\"S\":\"a\"},\"sk\":{\"N\":\"7\"}}]");
    dynamodb_wanted_destroy(wanted);
    for (uint32_t count = 1; count <= 3; count++) {
        request.root_key = (struct column_list){others, count};
        assert_int_equal(dynamodb_wanted_create(&request, &things, &wanted, &error), STATUS_FAILED);
        assert_int_equal(error.code, ERROR_NOT_IMPLEMENTED);
    }
}

static void escapes_are_refused(void **state)
{
    (void)state;
    const struct cell key = {.kind = VALUE_ESCAPE, .length = 1, .bytes = (const uint8_t *)"a"};
    struct error error = {0};
    struct dynamodb_wanted *wanted = NULL;
    const struct read_request request = {
        .name = "r", .root_key = plain.key, .keys = &key, .key_count = 1};
    assert_int_equal(dynamodb_wanted_create(&request, &plain, &wanted, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_REJECT_TYPE);
}

/* ---------------------------------------------------------------- answers */

struct side {
    struct script_server server;
    struct arena *arena;
    struct database *database;
    struct dynamodb_scanner *scanner;
    struct dynamodb_wanted *wanted;
    struct dynamodb_scan *scan;
};

/* A body as an answer of HTTP, of a failure where it begins with "!"; "" stays what it is. */
static const char *answer_of(struct arena *arena, const char *body)
{
    bool bad = body[0] == '!';
    return body[0] == '\0'
               ? body
               : arena_format(arena, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s",
                              bad ? "400 Bad" : "200 OK", strlen(body) - bad, body + bad);
}

/* Asks for the items "0" to "count - 1" of `plain`. */
static void open_side(struct side *side, const char *const *answers, size_t answer_count,
                      uint32_t count, const char *more)
{
    struct error error = {0};
    struct uri *uri;
    const struct connector *connector;
    setenv("AWS_ACCESS_KEY_ID", "AKIDTEST", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "secret of nobody", 1);
    setenv("AWS_CONFIG_FILE", "/nonexistent", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent", 1);
    *side = (struct side){.arena = arena_create(0)};
    const char **texts = arena_allocate(side->arena, answer_count * sizeof *texts);
    for (size_t i = 0; i < answer_count; i++) {
        texts[i] = answer_of(side->arena, answers[i]);
    }
    script_server_start(&side->server, texts, answer_count);
    const char *text =
        arena_format(side->arena, "dynamodb://eu-west-1?endpoint=%s%s", side->server.url, more);
    assert_int_equal(registry_resolve(text, side->arena, &uri, &connector, &error), STATUS_OK);
    const struct open_options options = {
        .mode = OPEN_SOURCE, .uri = uri, .memory_bytes = 8 << 20, .timeout_ms = 5000};
    assert_int_equal(connector->open(&options, &side->database, &error), STATUS_OK);
    struct cell *keys = arena_allocate(side->arena, ((size_t)count + 1) * sizeof *keys);
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = text_of(arena_format(side->arena, "%u", i));
    }
    side->wanted = wanted_of(&plain, keys, count);
    assert_int_equal(
        dynamodb_scanner_create(dynamodb_network_of(side->database), &side->scanner, &error),
        STATUS_OK);
    side->scan = dynamodb_scan_create_by_key(side->scanner, "plain", side->wanted);
}

static void close_side(struct side *side)
{
    dynamodb_scan_destroy(side->scan);
    dynamodb_scanner_destroy(side->scanner);
    dynamodb_wanted_destroy(side->wanted);
    side->database->connector->close(side->database);
    script_server_stop(&side->server);
    arena_destroy(side->arena);
}

/* All items that come, one after the other; the status that ends them. */
static enum status read_all(struct side *side, struct buffer *items, struct error *error)
{
    for (;;) {
        struct dynamodb_scan_page page;
        struct text item;
        enum status status = dynamodb_scan_next(side->scan, 20000, &page, error);
        if (status != STATUS_OK) {
            return status;
        }
        while ((status = dynamodb_page_next(&page.page, &item, error)) == STATUS_OK) {
            buffer_append(items, item.data, item.length);
        }
        assert_int_equal(status, STATUS_END);
        buffer_free(&page.body);
    }
}

static uint32_t occurrences(const char *text, const char *part)
{
    uint32_t count = 0;
    while ((text = strstr(text, part)) != NULL) {
        text += strlen(part);
        count++;
    }
    return count;
}

/* What the request asked for. */
static const char *keys_of(const struct side *side, uint32_t request)
{
    const char *body = strstr(side->server.seen[request], "\r\n\r\n");
    assert_non_null(strstr(side->server.seen[request], "DynamoDB_20120810.BatchGetItem"));
    assert_non_null(
        strstr(body, "\"RequestItems\":{\"plain\":{\"ConsistentRead\":true,\"Keys\":["));
    return strstr(body, "\"Keys\":") + strlen("\"Keys\":");
}

#define ITEM(number) "{\"pk\":{\"S\":\"" number "\"}}"
static const char none[] = "{\"Responses\":{}}";

static void what_was_left_is_asked_for_again(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "{\"UnprocessedKeys\":{\"plain\":{\"ConsistentRead\":true,\"Keys\":[" ITEM("2") "," ITEM(
            "0") "]}},\"Responses\":{\"plain\":[{\"v\":{\"S\":\"one\"}}]}}",
        "!{\"__type\":\"x#ProvisionedThroughputExceededException\"}",
        "",
        "{\"Responses\":{\"plain\":[]},\"UnprocessedKeys\":{\"plain\":{\"Keys\":[" ITEM(
            "2") "," ITEM("0") "],\"ConsistentRead\":true}}}",
        "{\"Responses\":{\"plain\":[{\"v\":{\"S\":\"two\"}}]},\"UnprocessedKeys\":{}}",
    };
    struct side side;
    struct error error = {0};
    struct buffer items = {0};
    open_side(&side, answers, 5, 3, "");
    assert_int_equal(read_all(&side, &items, &error), STATUS_END);
    assert_buffer(&items, "{\"v\":{\"S\":\"one\"}}{\"v\":{\"S\":\"two\"}}");
    assert_int_equal(side.server.request_count, 5);
    assert_string_equal(keys_of(&side, 0), "[" ITEM("0") "," ITEM("1") "," ITEM("2") "]}}}");
    for (uint32_t request = 1; request < 5; request++) {
        assert_string_equal(keys_of(&side, request), "[" ITEM("2") "," ITEM("0") "]}}}");
    }
    buffer_free(&items);
    close_side(&side);
}

static void requests_are_of_a_hundred_keys(void **state)
{
    (void)state;
    static const char *const answers[] = {"{\"Responses\":{}}"};
    struct side side;
    struct error error = {0};
    struct buffer items = {0};
    open_side(&side, answers, 1, 250, "");
    assert_int_equal(read_all(&side, &items, &error), STATUS_END);
    assert_int_equal(side.server.request_count, 3);
    assert_int_equal(occurrences(keys_of(&side, 0), "\"pk\""), 100);
    assert_int_equal(occurrences(keys_of(&side, 1), "\"pk\""), 100);
    assert_int_equal(occurrences(keys_of(&side, 2), "\"pk\""), 50);
    assert_int_equal(items.length, 0);
    close_side(&side);
    open_side(&side, answers, 1, 50, "&read_units=30");
    assert_int_equal(read_all(&side, &items, &error), STATUS_END);
    assert_int_equal(side.server.request_count, 2);
    assert_int_equal(occurrences(keys_of(&side, 0), "\"pk\""), 30);
    close_side(&side);
}

static void nothing_is_asked_for_no_keys(void **state)
{
    (void)state;
    static const char *const answers[] = {none};
    struct side side;
    struct error error = {0};
    struct buffer items = {0};
    open_side(&side, answers, 1, 0, "");
    assert_int_equal(read_all(&side, &items, &error), STATUS_END);
    assert_int_equal(side.server.request_count, 0);
    close_side(&side);
}

static void wrong_answers_end_it(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{}",
        "{\"Responses\":{\"other\":[{}]}}",
        "{\"Responses\":{\"plain\":{}}}",
        "{\"Responses\":[]}",
        "{\"Responses\":{},\"UnprocessedKeys\":{\"plain\":{\"Kays\":[{}]}}}",
        "!{\"__type\":\"x#ValidationException\"}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct side side;
        struct error error = {0};
        struct buffer items = {0};
        open_side(&side, &wrong[i], 1, 2, "");
        if (read_all(&side, &items, &error) != STATUS_FAILED) {
            fail_msg("taken for an answer: %s", wrong[i]);
        }
        assert_int_equal(side.server.request_count, 1);
        close_side(&side);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_is_asked_for_once),
        cmocka_unit_test(keys_that_no_item_has_are_left_out),
        cmocka_unit_test(the_key_is_the_tables_own),
        cmocka_unit_test(escapes_are_refused),
        cmocka_unit_test(what_was_left_is_asked_for_again),
        cmocka_unit_test(requests_are_of_a_hundred_keys),
        cmocka_unit_test(nothing_is_asked_for_no_keys),
        cmocka_unit_test(wrong_answers_end_it),
    };
    return cmocka_run_group_tests_name("dynamodb_by_key", tests, NULL, NULL);
}
