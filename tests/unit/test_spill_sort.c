/* Sorting a file of entries: nothing lost, equal ones counted, in as many merges as it takes. */
#include "base/file.h"
#include "support.h"
#include "verify/spill.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { KINDS = 700, LONG_BYTES = 600 << 10 };

static struct error error;
static const struct spill_options all;
/* Of two tasks the one was done by the second attempt, the other by the first. */
static const uint32_t attempts[] = {2, 1};
static const struct spill_options some = {.attempts = attempts, .task_count = 2};

/* The kind is all of the entry: its key is one of three, and one in a hundred is very long. */
static void append_entry(struct buffer *out, uint32_t kind, uint64_t count)
{
    size_t more = kind % 100 == 7 ? LONG_BYTES : kind % 5 * 8;
    struct spill_head head = {.length = (uint32_t)(sizeof(head) + more),
                              .table = 1,
                              .side = kind % 2,
                              .entity = kind % 4,
                              .count = count,
                              .key = {.low = kind % 3, .high = 9},
                              .hash = {.low = kind, .high = kind % 11},
                              .record_length = (uint32_t)more};
    buffer_append(out, &head, sizeof(head));
    for (size_t i = 0; i < more; i += sizeof(uint64_t)) {
        uint64_t content = kind;
        buffer_append(out, &content, sizeof(content));
    }
}

static void take_entry(const struct spill_head *entry, const struct spill_head *before,
                       uint64_t *counts)
{
    uint32_t kind = (uint32_t)entry->hash.low;
    assert_true(kind < KINDS);
    assert_true(before == NULL || spill_compare(before, entry) < 0);
    for (uint32_t i = 0; i < entry->record_length; i += 4096) {
        assert_memory_equal(spill_record(entry) + i, &(uint64_t){kind}, sizeof(uint64_t));
    }
    counts[kind] += entry->count;
}

static void sort(const struct buffer *entries, const struct spill_options *options,
                 const char *folder, uint64_t run_bytes, uint64_t *counts)
{
    char *path;
    uint64_t length = entries->length;
    assert_true(asprintf(&path, "%s/entries", folder) > 0);
    int file = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(file >= 0);
    assert_int_equal(file_write_all(file, entries->data, entries->length, path, &error), STATUS_OK);
    assert_int_equal(spill_sort_file(folder, run_bytes, options, &file, &length, &error),
                     STATUS_OK);
    char *bytes = mmap(NULL, length, PROT_READ, MAP_PRIVATE, file, 0);
    assert_true(bytes != MAP_FAILED);
    const struct spill_list list = {.bytes = bytes, .end = length};
    struct spill_cursor cursor = {.list = &list, .end = length};
    const struct spill_head *before = NULL;
    for (const struct spill_head *entry; (entry = spill_peek(&cursor)) != NULL; before = entry) {
        take_entry(entry, before, counts);
        spill_skip(&cursor);
    }
    munmap(bytes, length);
    close(file);
    unlink(path);
    free(path);
}

static void entries_are_sorted_and_counted(void **state)
{
    (void)state;
    static const uint64_t runs[] = {1, 900, 40000, 8 << 20, 1 << 30};
    struct random random = random_start();
    uint64_t expected[KINDS] = {0};
    struct buffer entries = {0};
    for (int i = 0; i < 5000; i++) {
        uint32_t kind = (uint32_t)random_below(&random, KINDS);
        uint64_t count = 1 + random_below(&random, 3);
        if (kind % 100 == 7 && expected[kind] > 0) {
            continue; /* a long one of each will do */
        }
        append_entry(&entries, kind, count);
        expected[kind] += count;
    }
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        uint64_t counts[KINDS] = {0};
        sort(&entries, &all, test_folder(), runs[i], counts);
        assert_memory_equal(counts, expected, sizeof(expected));
    }
    buffer_free(&entries);
}

/* Task and attempt of the entry that was appended last. */
static void set_attempt(struct buffer *entries, size_t start, uint32_t task, uint32_t attempt)
{
    struct spill_head head;
    memcpy(&head, entries->data + start, sizeof(head));
    head.task = task;
    head.attempt = attempt;
    memcpy(entries->data + start, &head, sizeof(head));
}

static void check_list(const struct buffer *entries, const uint64_t *expected)
{
    uint64_t counts[KINDS] = {0};
    struct spill_list list;
    const struct spill_head *before = NULL;
    spill_list_sort(entries->data, entries->length, &some, &list);
    for (uint64_t i = 0; i < list.end; i++) {
        counts[list.entries[i]->hash.low] += list.entries[i]->count;
        assert_true(before == NULL || spill_compare(before, list.entries[i]) <= 0);
        before = list.entries[i];
    }
    free(list.entries);
    assert_memory_equal(counts, expected, sizeof(counts));
}

/* What was read by an attempt that did not do its task counts nowhere, whether it is sorted in
 * memory or by a file; what belongs to no task, or to one that there is not, is told apart. */
static void what_was_read_in_vain_is_left_out(void **state)
{
    (void)state;
    struct random random = random_start();
    uint64_t expected[KINDS] = {0};
    struct buffer entries = {0};
    for (int i = 0; i < 3000; i++) {
        uint32_t kind = (uint32_t)random_below(&random, KINDS);
        uint32_t task = (uint32_t)random_below(&random, 4);
        uint32_t attempt = (uint32_t)random_below(&random, 4);
        bool none = task == 3;
        if (kind % 100 == 7) {
            continue;
        }
        size_t start = entries.length;
        append_entry(&entries, kind, 1);
        set_attempt(&entries, start, none ? SPILL_NO_TASK : task, attempt);
        expected[kind] += none || (task < 2 && attempts[task] == attempt);
    }
    check_list(&entries, expected);
    for (uint64_t run_bytes = 1; run_bytes < 1 << 20; run_bytes *= 900) {
        uint64_t counts[KINDS] = {0};
        sort(&entries, &some, test_folder(), run_bytes, counts);
        assert_memory_equal(counts, expected, sizeof(expected));
    }
    buffer_free(&entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(entries_are_sorted_and_counted),
                                       cmocka_unit_test(what_was_read_in_vain_is_left_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
