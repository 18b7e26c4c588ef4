/* The store: a place for named values with conditional writes (connectors/contract/store.h). */
#include "connectors/common/store_key.h"
#include "contract.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LARGEST_TRIED = 4 << 20,
    LONGEST_KEY = 230,
    MANY_KEYS = 1100,
    MANY_AT_ONCE = 50,
    COUNTS_EACH = 25
};

/* A fixture's target with two handles of its store. */
struct stores {
    struct fixture fixture;
    const struct store_functions *functions;
    struct store *first;
    struct store *second;
};

static void open_stores(struct stores *stores)
{
    struct error error = {0};
    stores->functions = stores->fixture.target->connector->store;
    check_ok(stores->functions->open(stores->fixture.target, &stores->first, &error), &error,
             "open a store");
    check_ok(stores->functions->open(stores->fixture.target, &stores->second, &error), &error,
             "open a store again");
}

static void close_stores(struct stores *stores)
{
    stores->functions->close(stores->first);
    stores->functions->close(stores->second);
    stores->functions->close(NULL);
}

/* ---- steps that say what they expect */

static void expect_put(struct stores *stores, struct store *store, const char *key,
                       const char *text, size_t length, uint64_t expected, enum status wanted)
{
    struct error error = {0};
    uint64_t version = 0;
    enum status status =
        stores->functions->put_if(store, key, text, length, expected, &version, &error);
    if (status != wanted) {
        fail_msg("put_if %s after version %" PRIu64 ": status %d: %s", key, expected, status,
                 error.message);
    }
    if (status == STATUS_OK) {
        assert_int_equal(version, expected + 1);
    }
}

static void expect_get(struct stores *stores, struct store *store, const char *key,
                       const char *text, size_t length, uint64_t version)
{
    struct error error = {0};
    struct store_value value;
    struct arena *arena = arena_create(0);
    check_ok(stores->functions->get(store, key, arena, &value, &error), &error, key);
    assert_int_equal(value.version, version);
    assert_int_equal(value.length, length);
    assert_memory_equal(value.text, text, length);
    assert_int_equal(value.text[length], '\0');
    if (stores->functions->get_settled != NULL) {
        check_ok(stores->functions->get_settled(store, key, arena, &value, &error), &error, key);
        assert_int_equal(value.version, version);
        assert_memory_equal(value.text, text, length);
    }
    arena_destroy(arena);
}

static void expect_absent(struct stores *stores, struct store *store, const char *key)
{
    struct error error = {0};
    struct store_value value;
    struct arena *arena = arena_create(0);
    assert_int_equal(stores->functions->get(store, key, arena, &value, &error), STATUS_END);
    if (stores->functions->get_settled != NULL) {
        assert_int_equal(stores->functions->get_settled(store, key, arena, &value, &error),
                         STATUS_END);
    }
    arena_destroy(arena);
}

static void expect_delete(struct stores *stores, struct store *store, const char *key,
                          uint64_t expected, enum status wanted)
{
    struct error error = {0};
    enum status status = stores->functions->delete_if(store, key, expected, &error);
    if (status != wanted) {
        fail_msg("delete_if %s of version %" PRIu64 ": status %d: %s", key, expected, status,
                 error.message);
    }
}

struct visits {
    char last[STORE_KEY_BYTES];
    uint32_t count;
    uint32_t stop_after; /* 0: never */
    const char *prefix;
};

static enum status note_visit(void *context, const char *key, const struct store_value *value,
                              struct error *error)
{
    struct visits *visits = context;
    (void)error;
    assert_true(visits->count == 0 || strcmp(visits->last, key) < 0);
    assert_int_equal(strncmp(key, visits->prefix, strlen(visits->prefix)), 0);
    assert_int_equal(value->version, 1);
    assert_int_equal(value->length, strlen(key));
    assert_memory_equal(value->text, key, value->length);
    snprintf(visits->last, sizeof visits->last, "%s", key);
    return ++visits->count == visits->stop_after ? STATUS_AGAIN : STATUS_OK;
}

static void expect_scan(struct stores *stores, const char *prefix, uint32_t wanted)
{
    struct error error = {0};
    struct visits visits = {.prefix = prefix};
    check_ok(stores->functions->scan(stores->second, prefix, note_visit, &visits, &error), &error,
             prefix);
    assert_int_equal(visits.count, wanted);
}

/* ---- the place */

static void check_no_place(struct stores *stores)
{
    struct error error = {0};
    expect_absent(stores, stores->first, "a");
    expect_scan(stores, "a", 0);
    expect_delete(stores, stores->first, "a", STORE_ANY_VERSION, STATUS_OK);
    expect_delete(stores, stores->first, "a", 1, STATUS_OK);
    check_ok(stores->functions->drop(stores->first, &error), &error, "drop what is not there");
}

static void check_drop(struct stores *stores)
{
    struct error error = {0};
    uint64_t version;
    expect_put(stores, stores->second, "left", "x", 1, STORE_ABSENT, STATUS_OK);
    check_ok(stores->functions->drop(stores->first, &error), &error, "drop");
    expect_absent(stores, stores->first, "left");
    expect_absent(stores, stores->second, "left"); /* which has seen the place */
    expect_scan(stores, "l", 0);
    expect_delete(stores, stores->second, "left", 1, STATUS_OK);
    assert_int_not_equal(
        stores->functions->put_if(stores->second, "left", "y", 1, 1, &version, &error), STATUS_OK);
    check_ok(stores->functions->create(stores->second, &error), &error, "create again");
    expect_absent(stores, stores->first, "left");
    expect_put(stores, stores->first, "left", "x", 1, STORE_ABSENT, STATUS_OK);
    check_ok(stores->functions->drop(stores->first, &error), &error, "drop again");
}

/* ---- values */

static void check_conditions(struct stores *stores)
{
    struct store *first = stores->first;
    struct store *second = stores->second;
    expect_put(stores, first, "run/a/status", "one", 3, STORE_ABSENT, STATUS_OK);
    expect_get(stores, second, "run/a/status", "one", 3, 1);
    expect_put(stores, second, "run/a/status", "two", 3, STORE_ABSENT, STATUS_AGAIN);
    expect_put(stores, second, "run/a/status", "two", 3, 2, STATUS_AGAIN);
    expect_put(stores, second, "run/a/status", "two", 3, 1, STATUS_OK);
    expect_put(stores, first, "run/a/status", "late", 4, 1, STATUS_AGAIN);
    expect_get(stores, first, "run/a/status", "two", 3, 2);
    expect_put(stores, first, "run/a/status", "two", 3, 2, STATUS_OK); /* the same text again */
    expect_get(stores, second, "run/a/status", "two", 3, 3);
    expect_put(stores, first, "run/a/other", "x", 1, 1, STATUS_AGAIN);
    expect_absent(stores, first, "run/a/other");
    expect_delete(stores, first, "run/a/status", 2, STATUS_AGAIN);
    expect_get(stores, first, "run/a/status", "two", 3, 3);
    expect_delete(stores, second, "run/a/status", 3, STATUS_OK);
    expect_absent(stores, first, "run/a/status");
    expect_delete(stores, first, "run/a/status", 3, STATUS_OK);
    expect_put(stores, first, "run/a/status", "new", 3, 3, STATUS_AGAIN);
    expect_put(stores, first, "run/a/status", "new", 3, STORE_ABSENT, STATUS_OK);
    expect_get(stores, second, "run/a/status", "new", 3, 1);
    expect_delete(stores, first, "run/a/status", STORE_ANY_VERSION, STATUS_OK);
    expect_absent(stores, second, "run/a/status");
}

static void check_texts(struct stores *stores)
{
    static const char *const texts[] = {
        "",
        " ",
        "'",
        "''); DROP TABLE _transhume_ledger; --",
        "\"quoted\" \\ \\\\ \\n \\' \\0 \\x27",
        "$1 ? ?1 :name @p %s %n {} [] NULL \\N",
        "line\nline\r\n\ttab \x01\x1f\x7f",
        "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x8f \xf4\x8f\xbf\xbf \xef\xbf\xbd \xef\xbb\xbf",
        "{\"format\":2,\"text\":\"\\u0000 \\ud83d\\udc0f\"}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char key[32];
        snprintf(key, sizeof key, "text/%zu", i);
        expect_put(stores, stores->first, key, texts[i], strlen(texts[i]), STORE_ABSENT, STATUS_OK);
        expect_get(stores, stores->second, key, texts[i], strlen(texts[i]), 1);
        expect_put(stores, stores->second, key, texts[i], strlen(texts[i]), 1, STATUS_OK);
        expect_get(stores, stores->first, key, texts[i], strlen(texts[i]), 2);
    }
}

/* A text of which half the characters take four bytes, as long as it may be. */
static void check_largest(struct stores *stores)
{
    size_t length = stores->functions->value_bytes_max;
    length = length < LARGEST_TRIED ? length : LARGEST_TRIED;
    assert_true(length >= (64 << 10));
    char *text = malloc(length + 1);
    assert_non_null(text);
    memset(text, '\'', length);
    text[length] = '\0';
    for (size_t at = 0; at + 5 <= length; at += 5) {
        memcpy(text + at, "\xf0\x9f\x90\x8f\\", 5);
    }
    expect_put(stores, stores->first, "large", text, length, STORE_ABSENT, STATUS_OK);
    expect_get(stores, stores->second, "large", text, length, 1);
    text[length - 1] = '"';
    expect_put(stores, stores->second, "large", text, length, 1, STATUS_OK);
    expect_get(stores, stores->first, "large", text, length, 2);
    free(text);
}

static void check_names(struct stores *stores)
{
    char key[STORE_KEY_BYTES];
    char long_name[400];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    const char *const names[] = {"Item", "item", "a'b\"c\\d", "\xc3\xa9t\xc3\xa9",
                                 "",     "%41",  "A",         long_name};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        store_note_key(key, "20260101T000000Z-abcdef", "made", names[i]);
        expect_put(stores, stores->first, key, names[i], strlen(names[i]), STORE_ABSENT, STATUS_OK);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        store_note_key(key, "20260101T000000Z-abcdef", "made", names[i]);
        expect_get(stores, stores->second, key, names[i], strlen(names[i]), 1);
    }
    /* longer than any that the ledger makes */
    memset(key, 'k', LONGEST_KEY);
    key[LONGEST_KEY] = '\0';
    expect_put(stores, stores->first, key, "x", 1, STORE_ABSENT, STATUS_OK);
    expect_get(stores, stores->second, key, "x", 1, 1);
    key[LONGEST_KEY - 1] = '\0';
    expect_absent(stores, stores->second, key);
}

/* ---- many keys */

static void put_own_names(struct stores *stores, char (*keys)[32], uint32_t count)
{
    struct error error = {0};
    struct store_pair pairs[MANY_AT_ONCE];
    for (uint32_t i = 0; i < count; i++) {
        pairs[i] = (struct store_pair){keys[i], keys[i], strlen(keys[i])};
        if (stores->functions->put_many == NULL) {
            expect_put(stores, stores->first, keys[i], keys[i], strlen(keys[i]), STORE_ABSENT,
                       STATUS_OK);
        }
    }
    if (stores->functions->put_many != NULL) {
        check_ok(stores->functions->put_many(stores->first, pairs, count, &error), &error,
                 "put_many");
    }
}

static void check_scan(struct stores *stores)
{
    static char keys[MANY_AT_ONCE][32];
    static char odd[][32] = {"scan",     "scan.",   "scan0",  "scan/1", "scan/1/",
                             "scan/1/a", "scan/a",  "scan/B", "scan/-", "scan/%41",
                             "scan/_",   "scan/aa", "scan/b", "scan/10"};
    struct error error = {0};
    /* from the last to the first, so that no order of insertion helps */
    for (uint32_t at = MANY_KEYS; at > 0;) {
        uint32_t count = 0;
        while (count < MANY_AT_ONCE && at > 0) {
            snprintf(keys[count++], sizeof keys[0], "many/%08" PRIu32, --at);
        }
        put_own_names(stores, keys, count);
    }
    put_own_names(stores, odd, sizeof odd / sizeof *odd);
    expect_scan(stores, "many/", MANY_KEYS);
    expect_scan(stores, "many/000010", 100);
    expect_scan(stores, "many/x", 0);
    expect_scan(stores, "scan/", 11);
    expect_scan(stores, "scan/1", 4);
    expect_scan(stores, "scan/1/", 2);
    expect_scan(stores, "scan/a", 2);
    struct visits visits = {.prefix = "many/", .stop_after = 7};
    assert_int_equal(stores->functions->scan(stores->second, "many/", note_visit, &visits, &error),
                     STATUS_AGAIN);
    assert_int_equal(visits.count, 7);
}

static void check_many(struct stores *stores)
{
    struct error error = {0};
    if (stores->functions->put_many == NULL) {
        return;
    }
    const struct store_pair pairs[] = {{"all/1", "1", 1}, {"all/2", "2", 1}, {"all/3", "3", 1}};
    expect_put(stores, stores->second, "all/2", "there", 5, STORE_ABSENT, STATUS_OK);
    assert_int_equal(stores->functions->put_many(stores->first, pairs, 3, &error), STATUS_AGAIN);
    expect_absent(stores, stores->first, "all/1");
    expect_absent(stores, stores->second, "all/3");
    expect_get(stores, stores->first, "all/2", "there", 5, 1);
    expect_delete(stores, stores->first, "all/2", 1, STATUS_OK);
    check_ok(stores->functions->put_many(stores->first, pairs, 3, &error), &error, "put_many");
    for (int i = 0; i < 3; i++) {
        expect_get(stores, stores->second, pairs[i].key, pairs[i].text, 1, 1);
    }
}

/* ---- two processes */

/* Adds one, COUNTS_EACH times, as soon as it is nobody else who does. */
static void count_up(struct stores *stores)
{
    struct error error = {0};
    for (int i = 0; i < COUNTS_EACH; i++) {
        enum status status = STATUS_AGAIN;
        while (status == STATUS_AGAIN) {
            struct store_value value;
            struct arena *arena = arena_create(0);
            char text[32];
            uint64_t version;
            check_ok(stores->functions->get(stores->first, "counter", arena, &value, &error),
                     &error, "get the counter");
            snprintf(text, sizeof text, "%" PRIu64, value.version);
            status = stores->functions->put_if(stores->first, "counter", text, strlen(text),
                                               value.version, &version, &error);
            arena_destroy(arena);
        }
        check_ok(status, &error, "count");
    }
}

static void check_two_processes(struct stores *stores)
{
    char text[32];
    expect_put(stores, stores->first, "counter", "0", 1, STORE_ABSENT, STATUS_OK);
    close_stores(stores);
    fixture_leave(&stores->fixture);
    bool alone = stores->fixture.entry->opens_once;
    pid_t child = alone ? 1 : fork();
    fixture_open_again(&stores->fixture);
    open_stores(stores);
    count_up(stores);
    if (child == 0) {
        _exit(0);
    }
    int ended = 1;
    if (alone) {
        count_up(stores);
    } else {
        assert_int_equal(waitpid(child, &ended, 0), child);
        assert_int_equal(ended, 0);
    }
    snprintf(text, sizeof text, "%d", 2 * COUNTS_EACH);
    expect_get(stores, stores->second, "counter", text, strlen(text), 2 * COUNTS_EACH + 1);
}

void contract_test_store(const struct contract_entry *entry)
{
    struct stores stores;
    struct error error = {0};
    fixture_open(&stores.fixture, entry);
    if (stores.fixture.target->connector->store == NULL) {
        fixture_close(&stores.fixture);
        return;
    }
    open_stores(&stores);
    check_no_place(&stores);
    check_ok(stores.functions->create(stores.first, &error), &error, "create");
    check_ok(stores.functions->create(stores.first, &error), &error, "create again");
    check_ok(stores.functions->create(stores.second, &error), &error, "create beside");
    check_conditions(&stores);
    check_texts(&stores);
    check_largest(&stores);
    check_names(&stores);
    check_many(&stores);
    check_scan(&stores);
    check_two_processes(&stores);
    check_drop(&stores);
    close_stores(&stores);
    fixture_close(&stores.fixture);
}
