/* The log that folders keep their ledger in: torn, edited, of another format, mostly garbage, and
 * written by several at once. What every store does is in tests/contract/test_store.c. */
#include "support_dynamodb.h"

#include "base/failpoint.h"
#include "base/file.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STORE (connector_dynamodb_json.store)

static const char *log_of(const char *path)
{
    return path_of("%s/_transhume/ledger.log", path);
}

static struct store *store_of(struct database *database)
{
    struct store *store = NULL;
    struct error error;
    if (STORE->open(database, &store, &error) != STATUS_OK ||
        STORE->create(store, &error) != STATUS_OK) {
        fail_msg("%s: %s", error.object, error.message);
    }
    return store;
}

static enum status put(struct store *store, const char *key, const char *text, uint64_t expected,
                       struct error *error)
{
    uint64_t version = 0;
    enum status status = STORE->put_if(store, key, text, strlen(text), expected, &version, error);
    if (status == STATUS_OK) {
        assert_int_equal(version, expected + 1);
    }
    return status;
}

static void must_put(struct store *store, const char *key, const char *text, uint64_t expected)
{
    struct error error = {0};
    if (put(store, key, text, expected, &error) != STATUS_OK) {
        fail_msg("%s: %s", error.object, error.message);
    }
}

static enum status add_shown(void *context, const char *key, const struct store_value *value,
                             struct error *error)
{
    (void)error;
    buffer_format(context, "%s=%s ", key, value->text);
    return STATUS_OK;
}

/* "KEY=TEXT " of all keys, or "damaged" or "newer". */
static void show(const char *path, struct buffer *out)
{
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    struct store *store = NULL;
    struct error error = {0};
    buffer_clear(out);
    enum status status = STORE->open(database, &store, &error);
    if (status == STATUS_OK) {
        status = STORE->scan(store, "k", add_shown, out, &error);
    }
    if (status == STATUS_FAILED) {
        buffer_clear(out);
        buffer_append_string(out, error.code == ERROR_LEDGER_INVALID ? "damaged"
                                  : error.code == ERROR_FORMAT_NEWER ? "newer"
                                                                     : error.message);
        assert_true(error.hint[0] != '\0');
    }
    STORE->close(store);
    close_folder(database);
}

static void assert_shown(const char *path, const char *expected)
{
    struct buffer out = {0};
    show(path, &out);
    assert_string_equal(buffer_string(&out), expected);
    buffer_free(&out);
}

static void assert_taken(const char *path, const char *key)
{
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    struct store *store = store_of(database);
    must_put(store, key, "new", STORE_ABSENT);
    STORE->close(store);
    close_folder(database);
}

/* Three records: k1, k1 with k2 deleted …: a log whose every byte can be damaged. */
static const char *make_log(struct buffer *whole, size_t ends[4])
{
    const char *path = folder_new();
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    struct store *store = store_of(database);
    struct error error;
    struct stat facts;
    const struct store_pair pairs[] = {{"k2", "two\nlines", 9}, {"k3", "{\"x\":\"\xC3\xA9\"}", 10}};
    for (int at = 0; at < 4; at++) {
        if (at == 1) {
            must_put(store, "k1", "1", STORE_ABSENT);
        } else if (at == 2) {
            assert_int_equal(STORE->put_many(store, pairs, 2, &error), STATUS_OK);
        } else if (at == 3) {
            assert_int_equal(STORE->delete_if(store, "k1", 1, &error), STATUS_OK);
        }
        assert_int_equal(stat(log_of(path), &facts), 0);
        ends[at] = (size_t)facts.st_size;
    }
    STORE->close(store);
    close_folder(database);
    read_file(log_of(path), whole);
    assert_int_equal(whole->length, ends[3]);
    return path;
}

static const char *const shown_after[] = {"", "k1=1 ",
                                          "k1=1 k2=two\nlines k3={\"x\":\"\xC3\xA9\"} ",
                                          "k2=two\nlines k3={\"x\":\"\xC3\xA9\"} "};

/* Cut anywhere: what was whole is there, and the next write stands behind it. */
static void a_torn_record_is_none(void **state)
{
    (void)state;
    struct buffer whole = {0};
    size_t ends[4];
    const char *path = make_log(&whole, ends);
    for (size_t length = 0; length <= whole.length; length++) {
        int last = 3;
        while (last > 0 && ends[last] > length) {
            last--;
        }
        char expected[200];
        write_file(log_of(path), whole.data, length);
        assert_shown(path, shown_after[last]);
        assert_taken(path, "k9");
        snprintf(expected, sizeof(expected), "%sk9=new ", shown_after[last]);
        assert_shown(path, expected);
    }
    buffer_free(&whole);
}

/* Blocks of the last record that were never written. */
static void zeros_at_the_end_are_none(void **state)
{
    (void)state;
    struct buffer whole = {0};
    size_t ends[4];
    const char *path = make_log(&whole, ends);
    for (size_t from = ends[2]; from < whole.length; from++) {
        for (size_t to = from + 1; to <= whole.length; to += 5) {
            char *damaged = malloc(whole.length);
            assert_non_null(damaged);
            memcpy(damaged, whole.data, whole.length);
            memset(damaged + from, 0, to - from);
            write_file(log_of(path), damaged, whole.length);
            assert_shown(path, shown_after[2]);
            free(damaged);
        }
    }
    buffer_free(&whole);
}

static void every_edit_is_seen(void **state)
{
    (void)state;
    struct buffer whole = {0};
    struct buffer out = {0};
    size_t ends[4];
    const char *path = make_log(&whole, ends);
    for (size_t at = 0; at < whole.length; at++) {
        for (int bit = 0; bit < 7; bit += 3) {
            whole.data[at] ^= (char)(1 << bit);
            write_file(log_of(path), whole.data, whole.length);
            show(path, &out);
            const char *shown = buffer_string(&out);
            /* the head's own number may become a later format's */
            if (strcmp(shown, "damaged") != 0 && (at >= ends[0] || strcmp(shown, "newer") != 0)) {
                fail_msg("bit %d of byte %zu: %s", bit, at, shown);
            }
            whole.data[at] ^= (char)(1 << bit);
        }
    }
    /* a record that is left out, or stands twice */
    char *bytes = calloc(2, whole.length);
    assert_non_null(bytes);
    memcpy(bytes, whole.data, ends[1]);
    memcpy(bytes + ends[1], whole.data + ends[2], ends[3] - ends[2]);
    write_file(log_of(path), bytes, ends[1] + ends[3] - ends[2]);
    assert_shown(path, "damaged");
    memcpy(bytes, whole.data, whole.length);
    memcpy(bytes + whole.length, whole.data + ends[2], ends[3] - ends[2]);
    write_file(log_of(path), bytes, whole.length + ends[3] - ends[2]);
    assert_shown(path, "damaged");
    free(bytes);
    buffer_free(&whole);
    buffer_free(&out);
}

static void other_formats_are_refused(void **state)
{
    (void)state;
    static const char newer[] = "{\"format\":3,\"kind\":\"ledger\"}\nand what it may hold\n";
    struct buffer whole = {0};
    size_t ends[4];
    struct error error;
    const char *path = make_log(&whole, ends);
    write_file(log_of(path), newer, sizeof(newer) - 1);
    assert_shown(path, "newer");
    assert_int_equal(unlink(log_of(path)), 0);
    assert_int_equal(file_make_folder(path_of("%s/_transhume/run-r0", path), &error), STATUS_OK);
    assert_shown(path, "");
    write_file(path_of("%s/_transhume/run-r0/number", path), "1 r0\n", 5);
    assert_shown(path, "damaged");
    buffer_free(&whole);
}

/* A store of which most was replaced is written again, under the eyes of another process. */
static void garbage_goes(void **state)
{
    (void)state;
    enum { ROUNDS = 60, TEXT_BYTES = 2000 };
    const char *path = folder_new();
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    struct database *other = folder_database(path, OPEN_TARGET, NULL);
    struct store *stores[] = {store_of(database), store_of(other)};
    char text[TEXT_BYTES + 1];
    off_t largest = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct stat facts;
        struct store_value value;
        struct error error;
        char key[16];
        struct arena *arena = arena_create(0);
        memset(text, 'a' + round % 26, TEXT_BYTES);
        text[TEXT_BYTES] = '\0';
        snprintf(key, sizeof(key), "k/%02d", round);
        must_put(stores[round % 2], "k", text, (uint64_t)round);
        must_put(stores[1 - round % 2], key, key, STORE_ABSENT);
        assert_int_equal(STORE->get(stores[round % 2], key, arena, &value, &error), STATUS_OK);
        assert_int_equal(STORE->get(stores[1 - round % 2], "k", arena, &value, &error), STATUS_OK);
        assert_int_equal(value.version, round + 1);
        assert_string_equal(value.text, text);
        assert_int_equal(stat(log_of(path), &facts), 0);
        largest = facts.st_size > largest ? facts.st_size : largest;
        arena_destroy(arena);
    }
    assert_true(largest < (off_t)ROUNDS * TEXT_BYTES / 2);
    for (int at = 0; at < 2; at++) {
        STORE->close(stores[at]);
    }
    close_folder(database);
    close_folder(other);
    struct buffer out = {0};
    show(path, &out);
    assert_non_null(strstr(buffer_string(&out), " k/00=k/00 k/01=k/01 "));
    assert_non_null(strstr(buffer_string(&out), " k/59=k/59 "));
    buffer_free(&out);
}

/* In a child: puts until it dies of the failpoint; says after each put how many there are. */
static void put_until_death(const char *path, const char *failpoint, int report)
{
    struct error error;
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    struct store *store = store_of(database);
    static char text[4001];
    memset(text, 'x', sizeof(text) - 1);
    setenv("TRANSHUME_FAILPOINT", failpoint, 1);
    if (failpoint_setup(&error) != STATUS_OK) {
        _exit(2);
    }
    for (uint8_t count = 0; count < 100; count++) {
        snprintf(text, 20, "%04d", count);
        text[4] = 'x';
        if (put(store, "k", text, count, &error) != STATUS_OK || write(report, &count, 1) != 1) {
            _exit(3);
        }
    }
    _exit(4);
}

static void a_killed_writer_loses_nothing(void **state)
{
    (void)state;
    static const char *const points[] = {
        "files.within_record:kill:1", "files.within_record:kill:7", "files.before_compact:kill:1",
        "files.after_compact:kill:1", "files.after_compact:kill:3"};
    for (size_t at = 0; at < sizeof(points) / sizeof(*points); at++) {
        const char *path = folder_new();
        int report[2];
        uint8_t last = 255;
        uint8_t count;
        int ended;
        struct error error;
        struct store_value value = {0};
        assert_int_equal(pipe(report), 0);
        pid_t child = fork();
        if (child == 0) {
            put_until_death(path, points[at], report[1]);
        }
        close(report[1]);
        while (read(report[0], &count, 1) == 1) {
            last = count;
        }
        close(report[0]);
        assert_int_equal(waitpid(child, &ended, 0), child);
        if (!WIFSIGNALED(ended) || WTERMSIG(ended) != SIGKILL) {
            fail_msg("%s was not reached: %x", points[at], (unsigned)ended);
        }
        struct database *database = folder_database(path, OPEN_TARGET, NULL);
        struct store *store = store_of(database);
        struct arena *arena = arena_create(0);
        enum status status = STORE->get(store, "k", arena, &value, &error);
        assert_int_equal(status, last == 255 ? STATUS_END : STATUS_OK);
        assert_int_equal(value.version, (uint8_t)(last + 1));
        must_put(store, "k", "after", value.version);
        assert_false(file_exists(path_of("%s/_transhume/ledger.log.old", path)));
        arena_destroy(arena);
        STORE->close(store);
        close_folder(database);
        assert_shown(path, "k=after ");
    }
}

/* An error in the middle of a record: it is cut off, and the next one stands in its place. */
static void a_failed_write_is_undone(void **state)
{
    (void)state;
    const char *path = folder_new();
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    struct store *store = store_of(database);
    struct error error;
    must_put(store, "k1", "1", STORE_ABSENT);
    setenv("TRANSHUME_FAILPOINT", "files.within_record:enospc:1", 1);
    assert_int_equal(failpoint_setup(&error), STATUS_OK);
    assert_int_equal(put(store, "k2", "2", STORE_ABSENT, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_DISK_FULL);
    unsetenv("TRANSHUME_FAILPOINT");
    assert_int_equal(failpoint_setup(&error), STATUS_OK);
    assert_shown(path, "k1=1 ");
    must_put(store, "k2", "again", STORE_ABSENT);
    assert_shown(path, "k1=1 k2=again ");
    assert_int_equal(STORE->put_if(store, "k3", "a\0b", 3, STORE_ABSENT, &(uint64_t){0}, &error),
                     STATUS_FAILED);
    STORE->close(store);
    close_folder(database);
}

/* What root may beyond the modes of files: this thread gives it up, or takes it back. */
static void heed_modes(bool heed)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
    const uint32_t override = CAP_TO_MASK(CAP_DAC_OVERRIDE);
    assert_int_equal(syscall(SYS_capget, &header, sets), 0);
    sets[0].effective &= ~override;
    if (!heed) {
        sets[0].effective |= sets[0].permitted & override;
    }
    assert_int_equal(syscall(SYS_capset, &header, sets), 0);
}

/* Who may only read sees what others write. */
static void it_is_read_without_the_right_to_write(void **state)
{
    (void)state;
    struct error error;
    const char *path = folder_new();
    assert_taken(path, "k1");
    assert_int_equal(chmod(log_of(path), 0400), 0);
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    struct store *store = NULL;
    struct store_value value;
    struct arena *arena = arena_create(0);
    heed_modes(true);
    assert_int_equal(STORE->open(database, &store, &error), STATUS_OK);
    assert_int_equal(STORE->get(store, "k1", arena, &value, &error), STATUS_OK);
    assert_int_equal(put(store, "k2", "x", STORE_ABSENT, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_PERMISSION);
    heed_modes(false);
    assert_int_equal(chmod(log_of(path), 0600), 0);
    must_put(store, "k2", "x", STORE_ABSENT);
    arena_destroy(arena);
    STORE->close(store);
    close_folder(database);
}

/* Places come and go beside a process that makes runs in them. */
static void places_are_removed_beside_others(void **state)
{
    (void)state;
    enum { ROUNDS = 40 };
    const char *parent = folder_new();
    char path[300];
    snprintf(path, sizeof(path), "%s/db", parent);
    pid_t child = fork();
    struct error error;
    int ended;
    for (int round = 0; round < ROUNDS; round++) {
        struct database *database = folder_database(path, OPEN_TARGET, NULL);
        struct store *store = NULL;
        assert_int_equal(STORE->open(database, &store, &error), STATUS_OK);
        enum status status = STORE->create(store, &error);
        if (status == STATUS_OK) {
            status = put(store, child == 0 ? "k/child" : "k/parent", "x", 0, &error);
        }
        if (status == STATUS_FAILED && error.code != ERROR_LEDGER_MISSING &&
            error.code != ERROR_RUN_HELD) {
            fail_msg("%s: %s", error.object, error.message);
        }
        if (STORE->drop(store, &error) != STATUS_OK ||
            connector_dynamodb_json.target->tidy(database, true, &error) != STATUS_OK) {
            fail_msg("%s: %s", error.object, error.message);
        }
        STORE->close(store);
        close_folder(database);
    }
    if (child == 0) {
        _exit(0);
    }
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    assert_int_equal(connector_dynamodb_json.target->tidy(database, true, &error), STATUS_OK);
    close_folder(database);
    /* the folder itself may stay: one of them found it there, since the other was not done */
    struct buffer out = {0};
    folder_names(path, &out);
    assert_buffer(&out, "");
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_torn_record_is_none),
        cmocka_unit_test(zeros_at_the_end_are_none),
        cmocka_unit_test(every_edit_is_seen),
        cmocka_unit_test(other_formats_are_refused),
        cmocka_unit_test(garbage_goes),
        cmocka_unit_test(a_killed_writer_loses_nothing),
        cmocka_unit_test(a_failed_write_is_undone),
        cmocka_unit_test(it_is_read_without_the_right_to_write),
        cmocka_unit_test(places_are_removed_beside_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
