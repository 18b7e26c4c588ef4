/* Pages of items taken apart, also where they are cut anywhere; and the cap in capacity units. */
#include "support.h"

#include "connectors/dynamodb/network/page.h"
#include "connectors/keyed/capacity.h"
#include <stdlib.h>
#include <string.h>

static struct dynamodb_page page_of(const char *text)
{
    struct dynamodb_page page;
    struct error error;
    error_clear(&error);
    if (dynamodb_page_read(text, strlen(text), &page, &error) != STATUS_OK) {
        fail_msg("%s: %s", text, error.message);
    }
    return page;
}

static void assert_text(struct text text, const char *expected)
{
    assert_int_equal(text.length, strlen(expected));
    assert_memory_equal(text.data, expected, text.length);
}

static void assert_items(struct dynamodb_page *page, const char *const *expected)
{
    struct text item;
    struct error error;
    enum status status;
    error_clear(&error);
    while ((status = dynamodb_page_next(page, &item, &error)) == STATUS_OK) {
        if (*expected == NULL) {
            fail_msg("more items than expected");
            return;
        }
        assert_text(item, *expected++);
    }
    assert_int_equal(status, STATUS_END);
    assert_null(*expected);
}

static void a_page_is_taken_apart(void **state)
{
    (void)state;
    struct dynamodb_page page =
        page_of(" {\"ConsumedCapacity\":{\"TableName\":\"t\",\"CapacityUnits\":128.5},\"Count\":3,"
                "\"Items\" : [ {\"a\":{\"S\":\"}]\\\"{\"}} ,\n{\"b\":{\"L\":[{\"N\":\"1\"}]}},{}],"
                "\"LastEvaluatedKey\":{\"a\":{\"S\":\"\\\\\"}},\"ScannedCount\":3} ");
    assert_int_equal(page.count, 3);
    assert_int_equal(page.milliunits, 128500);
    assert_text(page.rest, "{\"a\":{\"S\":\"\\\\\"}}");
    const char *const items[] = {"{\"a\":{\"S\":\"}]\\\"{\"}}", "{\"b\":{\"L\":[{\"N\":\"1\"}]}}",
                                 "{}", NULL};
    assert_items(&page, items);
}

static void an_empty_page_may_have_a_next_one(void **state)
{
    (void)state;
    const char *const none[] = {NULL};
    struct dynamodb_page page =
        page_of("{\"Items\":[],\"LastEvaluatedKey\":{\"a\":{\"N\":\"1\"}},\"Count\":0}");
    assert_text(page.rest, "{\"a\":{\"N\":\"1\"}}");
    assert_items(&page, none);
    page = page_of("{\"Count\":0,\"Items\":[ ]}");
    assert_int_equal(page.rest.length, 0);
    assert_items(&page, none);
}

static void items_missing_or_too_many_are_told(void **state)
{
    (void)state;
    static const char *const pages[] = {
        "{\"Count\":3,\"Items\":[{},{}]}", "{\"Count\":1,\"Items\":[{},{}]}",
        "{\"Count\":1,\"Items\":[7]}", "{\"Count\":1,\"Items\":[,{}]}"};
    for (size_t at = 0; at < sizeof(pages) / sizeof(*pages); at++) {
        struct dynamodb_page page = page_of(pages[at]);
        struct text item;
        struct error error;
        enum status status;
        error_clear(&error);
        do {
            status = dynamodb_page_next(&page, &item, &error);
        } while (status == STATUS_OK);
        assert_int_equal(status, STATUS_FAILED);
        assert_int_equal(error.code, ERROR_REJECT_UNREADABLE);
    }
}

static void what_is_no_page_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "null",
        "{\"Items\":[]}",
        "{\"Count\":0}",
        "{\"Items\":{},\"Count\":0}",
        "{\"Items\":[],\"Count\":\"0\"}",
        "{\"Items\":[],\"Count\":-1}",
        "{\"Items\":[],\"Items\":[],\"Count\":0}",
        "{\"Items\":[],\"Count\":0",
        "{\"Items\"",
        "{\"Items\":",
        "{\"Items\":[{\"a\":{\"S\":\"b",
        "<html><body>no</body></html>",
    };
    for (size_t at = 0; at < sizeof(texts) / sizeof(*texts); at++) {
        struct dynamodb_page page;
        struct error error;
        error_clear(&error);
        if (dynamodb_page_read(texts[at], strlen(texts[at]), &page, &error) != STATUS_FAILED) {
            fail_msg("taken for a page: %s", texts[at]);
        }
        assert_int_equal(error.code, ERROR_REJECT_UNREADABLE);
    }
}

static const char batch[] =
    " {\"UnprocessedKeys\":{\"t\": {\"ConsistentRead\":true,\"Keys\":[{\"a\":{\"S\":\"]\"}}] } },"
    "\"ConsumedCapacity\":[{\"CapacityUnits\":2.5,\"TableName\":\"t\"}],"
    "\"Responses\":{ \"t\":[ {\"a\":{\"S\":\"}]\\\"{\"}} ,{}] }} ";

static void a_batch_is_taken_apart(void **state)
{
    (void)state;
    const char *const items[] = {"{\"a\":{\"S\":\"}]\\\"{\"}}", "{}", NULL};
    const char *const none[] = {NULL};
    static const char *const empty[] = {
        "{\"Responses\":{}}", "{\"Responses\":{\"t\":[]},\"UnprocessedKeys\":{}}",
        "{\"UnprocessedKeys\":{\"t\":{\"Keys\":[ ]}},\"Responses\":{\"t\":[ ]}}"};
    struct dynamodb_page page;
    struct error error = {0};
    assert_int_equal(dynamodb_page_read_batch(batch, strlen(batch), "t", &page, &error), STATUS_OK);
    assert_text(page.rest, "[{\"a\":{\"S\":\"]\"}}]");
    assert_int_equal(page.milliunits, 2500);
    assert_items(&page, items);
    for (size_t at = 0; at < sizeof(empty) / sizeof(*empty); at++) {
        assert_int_equal(dynamodb_page_read_batch(empty[at], strlen(empty[at]), "t", &page, &error),
                         STATUS_OK);
        assert_int_equal(page.rest.length, 0);
        assert_items(&page, none);
    }
    assert_int_equal(dynamodb_page_read_batch(batch, strlen(batch), "T", &page, &error),
                     STATUS_FAILED);
}

/* In memory of just that size, so that a byte read beyond it is found by the sanitizer. */
static void cut_or_changed_anywhere_nothing_is_read_beyond(void **state)
{
    (void)state;
    static const char scanned[] =
        "{\"Count\":2,\"Items\":[{\"a\":{\"S\":\"x\\\"y\\\\\"}},{\"b\":{\"NS\":[\"1\",\"2\"]}}],"
        "\"LastEvaluatedKey\":{\"a\":{\"S\":\"z\"}},\"ConsumedCapacity\":{\"CapacityUnits\":1.0}}";
    static const char odd[] = "{}[]\",:\\ 0";
    struct random random = random_start();
    for (long round = 0; round < test_rounds(20000); round++) {
        bool by_key = round % 2 == 1;
        const char *whole = by_key ? batch : scanned;
        size_t length = random_below(&random, strlen(whole) + 1);
        char *copy = (char *)malloc(length + 1);
        assert_non_null(copy);
        char *text = (char *)realloc(copy, length > 0 ? length : 1);
        assert_non_null(text);
        memcpy(text, whole, length);
        for (uint64_t change = random_below(&random, 4); change > 0 && length > 0; change--) {
            text[random_below(&random, length)] = odd[random_below(&random, sizeof(odd) - 1)];
        }
        struct dynamodb_page page;
        struct text item;
        struct error error;
        error_clear(&error);
        enum status status = by_key ? dynamodb_page_read_batch(text, length, "t", &page, &error)
                                    : dynamodb_page_read(text, length, &page, &error);
        for (int items = 0; status == STATUS_OK; items++) {
            assert_true(items < 1000);
            status = dynamodb_page_next(&page, &item, &error);
            assert_true(status != STATUS_OK ||
                        (item.data >= text && item.data + item.length <= text + length));
        }
        free(text);
    }
}

static void members_are_found_by_name(void **state)
{
    (void)state;
    static const char object[] = "{\"ab\":{\"S\":\"1\"}, \"a\" : 7 ,\"c\":[{\"a\":1}]}";
    struct text text = {object, sizeof(object) - 1};
    struct text value;
    assert_true(dynamodb_page_member(text, "a", &value));
    assert_text(value, "7");
    assert_true(dynamodb_page_member(text, "c", &value));
    assert_text(value, "[{\"a\":1}]");
    assert_false(dynamodb_page_member(text, "S", &value));
    assert_false(dynamodb_page_member(text, "", &value));
}

static void a_cap_lets_debts_be_paid(void **state)
{
    (void)state;
    struct keyed_capacity capacity;
    keyed_capacity_init(&capacity, 10);
    int64_t now = capacity.filled_ms;
    assert_int_equal(keyed_capacity_wait_ms(&capacity, now), 0);
    keyed_capacity_take(&capacity, 128 * 1000); /* a page of 1 MB at once: 11.8 seconds */
    int64_t wait = keyed_capacity_wait_ms(&capacity, now);
    assert_in_range(wait, 11800, 11810);
    assert_in_range(keyed_capacity_wait_ms(&capacity, now + 5000), 6800, 6810);
    assert_int_equal(keyed_capacity_wait_ms(&capacity, now + wait), 0);
    /* Never more than a second's worth is saved up. */
    assert_int_equal(keyed_capacity_wait_ms(&capacity, now + 3600000), 0);
    assert_int_equal(capacity.milliunits, 10000);
    keyed_capacity_destroy(&capacity);
}

static void who_reserves_takes_at_once(void **state)
{
    (void)state;
    struct keyed_capacity capacity;
    keyed_capacity_init(&capacity, 10);
    int64_t now = capacity.filled_ms;
    assert_int_equal(keyed_capacity_reserve(&capacity, now, 15000), 0);
    assert_in_range(keyed_capacity_reserve(&capacity, now, 15000), 500, 510);
    assert_int_equal(capacity.milliunits, -5000); /* the second one took nothing */
    keyed_capacity_take(&capacity, -12000);       /* the first one used 3 units only */
    assert_int_equal(keyed_capacity_reserve(&capacity, now, 7000), 0);
    assert_in_range(keyed_capacity_reserve(&capacity, now, 1000), 1, 10);
    keyed_capacity_destroy(&capacity);
}

static void no_cap_never_waits(void **state)
{
    (void)state;
    struct keyed_capacity capacity;
    keyed_capacity_init(&capacity, 0);
    keyed_capacity_take(&capacity, INT64_MAX);
    assert_int_equal(keyed_capacity_wait_ms(&capacity, 0), 0);
    keyed_capacity_destroy(&capacity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_is_taken_apart),
        cmocka_unit_test(an_empty_page_may_have_a_next_one),
        cmocka_unit_test(items_missing_or_too_many_are_told),
        cmocka_unit_test(what_is_no_page_is_refused),
        cmocka_unit_test(a_batch_is_taken_apart),
        cmocka_unit_test(cut_or_changed_anywhere_nothing_is_read_beyond),
        cmocka_unit_test(members_are_found_by_name),
        cmocka_unit_test(a_cap_lets_debts_be_paid),
        cmocka_unit_test(who_reserves_takes_at_once),
        cmocka_unit_test(no_cap_never_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
