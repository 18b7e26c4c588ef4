/* Records under one key in DynamoDB-JSON folders: which stays, which are told, and crashes in
 * between. */
#include "support_dynamodb.h"

#include "base/failpoint.h"
#include "connectors/common/spill_sort.h"
#include "connectors/folder/folder.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TARGET (connector_dynamodb_json.target)

/* ---------------------------------------------------------------- sorting */

struct text_piece {
    uint8_t bytes[40];
    size_t length;
};

static int compare_pieces(const void *left, const void *right)
{
    const struct text_piece *one = (const struct text_piece *)left;
    const struct text_piece *two = (const struct text_piece *)right;
    int order =
        memcmp(one->bytes, two->bytes, one->length < two->length ? one->length : two->length);
    return order != 0 ? order : one->length < two->length ? -1 : one->length > two->length;
}

/* With memory for all, for some, and for so few that runs are merged twice. */
static void sorting_agrees_with_qsort(void **state)
{
    (void)state;
    struct random random = random_start();
    static const size_t memories[] = {1 << 20, 8192, 512};
    const char *folder = folder_new();
    const size_t count = 5000;
    struct text_piece *pieces = (struct text_piece *)calloc(count, sizeof(*pieces));
    assert_non_null(pieces);
    for (int turn = 0; turn < 3; turn++) {
        struct error error;
        struct spill_sorter *sorter =
            spill_sorter_create(path_of("%s/runs", folder), memories[turn]);
        for (size_t at = 0; at < count; at++) {
            pieces[at].length = random_below(&random, sizeof(pieces->bytes) + 1);
            for (size_t byte = 0; byte < pieces[at].length; byte++) {
                pieces[at].bytes[byte] = (uint8_t)random_below(&random, 3);
            }
            assert_int_equal(spill_sorter_add(sorter, pieces[at].bytes, pieces[at].length, &error),
                             STATUS_OK);
        }
        qsort(pieces, count, sizeof(*pieces), compare_pieces);
        assert_int_equal(spill_sorter_finish(sorter, &error), STATUS_OK);
        for (size_t at = 0; at < count; at++) {
            const uint8_t *bytes = NULL;
            size_t length = 0;
            assert_int_equal(spill_sorter_next(sorter, &bytes, &length, &error), STATUS_OK);
            assert_int_equal(length, pieces[at].length);
            assert_memory_equal(bytes, pieces[at].bytes, length);
        }
        const uint8_t *bytes = NULL;
        size_t length = 0;
        assert_int_equal(spill_sorter_next(sorter, &bytes, &length, &error), STATUS_END);
        spill_sorter_destroy(sorter);
        struct buffer names = {0};
        folder_names(folder, &names);
        assert_buffer(&names, "");
        buffer_free(&names);
    }
    free(pieces);
}

/* ---------------------------------------------------------------- settling */

static enum status print_found(void *context, uint64_t chunk, uint32_t entity, uint64_t ordinal,
                               const struct cell *key, uint32_t key_count,
                               const struct cell *record, enum duplicate_kind kind,
                               struct error *error)
{
    struct buffer *out = (struct buffer *)context;
    (void)error;
    buffer_format(out, "%llu/%u/%llu ", (unsigned long long)chunk, entity,
                  (unsigned long long)ordinal);
    for (uint32_t at = 0; at < key_count; at++) {
        value_print(&key[at], 100, out);
        buffer_append_byte(out, ' ');
    }
    assert_int_equal(record->kind, VALUE_MAP);
    buffer_format(out, "%u%s\n", record->length, kind == DUPLICATE_REPEATS ? " again" : "");
    return STATUS_OK;
}

/*
 * Chunk 1, entity 2: p/1 p/2 p/1(again) ; chunk 1, entity 1: p/2 ; chunk 2, entity 2: p/3 p/1 q/1
 * stay: entity 1's p/2 (the lowest entity), chunk 1's first p/1, p/3, q/1
 */
static void write_equal_keys(struct database *database)
{
    struct writer *writer = NULL;
    struct batch_result result;
    struct error error;
    struct batch *first = things_batch(2);
    thing_add(first, "p", 1, "stays");
    thing_add(first, "", 7, "refused, and counted as a place");
    thing_add(first, "p", 2, "goes");
    thing_add(first, "p", 1, "goes too");
    struct batch *second = things_batch(1);
    thing_add(second, "p", 2, "stays");
    struct done_mark mark = {.chunk = 1, .epoch = 1, .text = "{}"};
    assert_int_equal(TARGET->writer_open(database, &things_table, 1, 1, &writer, &error),
                     STATUS_OK);
    assert_int_equal(TARGET->chunk_begin(writer, 1, 1, &error), STATUS_OK);
    assert_int_equal(TARGET->submit(writer, 1, 0, first, &error), STATUS_OK);
    assert_int_equal(TARGET->submit(writer, 1, 0, second, &error), STATUS_OK);
    while (TARGET->poll(writer, 0, &result, &error) == STATUS_OK) {
        batch_destroy(result.batch);
        arena_destroy(result.arena);
    }
    assert_int_equal(commit_and_mark(database, writer, &mark, &error), STATUS_OK);
    TARGET->writer_close(writer);
    struct batch *third = things_batch(2);
    thing_add(third, "p", 3, "stays");
    thing_add(third, "p", 1, NULL);
    thing_add(third, "q", 1, "stays");
    chunk_write(database, 1, 2, third);
}

static const char *const expected_found = "1/2/2 \"p\" 2 3\n1/2/3 \"p\" 1 3\n2/2/1 \"p\" 1 2\n";

static void settle(struct database *database, struct buffer *out)
{
    struct error error;
    if (TARGET->settle_duplicates(database, &things_table, print_found, out, &error) != STATUS_OK) {
        fail_msg("%s: %s", error.object, error.message);
    }
}

static void assert_settled(struct database *database, const char *path)
{
    struct buffer out = {0};
    uint64_t count = 0;
    struct error error;
    folder_contents(path, "things", &out);
    const char *text = buffer_string(&out);
    assert_null(strstr(text, "goes"));
    const char *stays = text;
    for (int at = 0; at < 4; at++) {
        stays = strstr(stays, "stays");
        assert_non_null(stays);
        stays++;
    }
    assert_null(strstr(stays, "Item"));
    assert_int_equal(TARGET->count(database, &things_table, &count, &error), STATUS_OK);
    assert_int_equal(count, 4);
    buffer_free(&out);
}

static void the_lowest_record_stays(void **state)
{
    (void)state;
    static const char *const options[] = {NULL, "compression=gzip", "compression=zstd"};
    for (int at = 0; at < 3; at++) {
        const char *path = folder_new();
        struct database *database = folder_database(path, OPEN_TARGET, options[at]);
        struct buffer out = {0};
        run_begin(database, "r1", 2);
        write_equal_keys(database);
        settle(database, &out);
        assert_buffer(&out, expected_found);
        assert_settled(database, path);
        settle(database, &out);
        assert_buffer(&out, expected_found);
        close_folder(database);
        database = folder_database(path, OPEN_TARGET, options[at]);
        claim_again(database, 1);
        settle(database, &out);
        assert_buffer(&out, expected_found);
        assert_settled(database, path);
        close_folder(database);
        buffer_free(&out);
    }
}

static void keys_that_only_look_equal_stay(void **state)
{
    (void)state;
    const char *path = folder_new();
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    struct buffer out = {0};
    uint64_t count = 0;
    struct error error;
    run_begin(database, "r1", 1);
    struct batch *batch = things_batch(0);
    thing_add(batch, "a1", 1, NULL);
    thing_add(batch, "a", 11, NULL);
    thing_add(batch, "a\\", 1, NULL);
    thing_add(batch, "a", 1, NULL);
    chunk_write(database, 1, 1, batch);
    settle(database, &out);
    assert_buffer(&out, "");
    assert_int_equal(TARGET->count(database, &things_table, &count, &error), STATUS_OK);
    assert_int_equal(count, 4);
    close_folder(database);
    buffer_free(&out);
}

/* Many records under few keys, against counting by hand. */
static void many_duplicates_are_found(void **state)
{
    (void)state;
    struct random random = random_start();
    const char *path = folder_new();
    struct database *database = folder_database(path, OPEN_TARGET, "file_bytes=16KiB");
    struct buffer out = {0};
    static uint8_t seen[1000];
    uint64_t distinct = 0;
    uint64_t count = 0;
    struct error error;
    run_begin(database, "r1", 20);
    for (uint64_t chunk = 1; chunk <= 20; chunk++) {
        struct batch *batch = things_batch(0);
        for (int at = 0; at < 500; at++) {
            int64_t id = (int64_t)random_below(&random, 1000);
            distinct += seen[id] == 0;
            seen[id] = 1;
            thing_add(batch, "p", id, "n");
        }
        chunk_write(database, 1, chunk, batch);
    }
    settle(database, &out);
    uint64_t told = 0;
    for (size_t at = 0; at < out.length; at++) {
        told += out.data[at] == '\n';
    }
    assert_int_equal(told, 10000 - distinct);
    assert_int_equal(TARGET->count(database, &things_table, &count, &error), STATUS_OK);
    assert_int_equal(count, distinct);
    close_folder(database);
    buffer_free(&out);
}

/* Killed at each of settling's failpoints, the next attempt tells the same and leaves the same. */
static void crashes_change_nothing(void **state)
{
    (void)state;
    static const char *const points[] = {
        "files.before_duplicates:kill", "files.after_duplicates:kill",
        "files.before_rewrite:kill:1",  "files.after_rewrite:kill:1",
        "files.before_rewrite:kill:2",  "files.after_rewrite:kill:2"};
    for (int at = 0; at < 6; at++) {
        const char *path = folder_new();
        struct database *database = folder_database(path, OPEN_TARGET, NULL);
        struct buffer out = {0};
        struct error error;
        int ended = 0;
        run_begin(database, "r1", 2);
        write_equal_keys(database);
        close_folder(database);
        pid_t child = fork();
        if (child == 0) {
            setenv("TRANSHUME_FAILPOINT", points[at], 1);
            if (failpoint_setup(&error) != STATUS_OK) {
                _exit(2);
            }
            database = folder_database(path, OPEN_TARGET, NULL);
            claim_again(database, 1);
            settle(database, &out);
            _exit(3);
        }
        assert_int_equal(waitpid(child, &ended, 0), child);
        if (!WIFSIGNALED(ended) || WTERMSIG(ended) != SIGKILL) {
            fail_msg("%s was not reached: %d", points[at], ended);
        }
        database = folder_database(path, OPEN_TARGET, NULL);
        claim_again(database, 2);
        settle(database, &out);
        assert_buffer(&out, expected_found);
        assert_settled(database, path);
        close_folder(database);
        buffer_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorting_agrees_with_qsort),
        cmocka_unit_test(the_lowest_record_stays),
        cmocka_unit_test(keys_that_only_look_equal_stay),
        cmocka_unit_test(many_duplicates_are_found),
        cmocka_unit_test(crashes_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
