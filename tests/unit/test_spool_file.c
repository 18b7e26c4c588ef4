/* Change sets in files: what was added comes back, whole transactions only, and goes once applied.
 */
#include "base/file.h"
#include "base/memory.h"
#include "engine/follow/feed/spool_file.h"
#include "support.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIELDS = 3 };

static const struct shape_field fields[FIELDS] = {{.name = "id", .name_length = 2},
                                                  {.name = "text", .name_length = 4},
                                                  {.name = "n", .name_length = 1}};
static const uint32_t keys[] = {0};
static const struct shape shape = {
    .name = "t", .fields = fields, .field_count = FIELDS, .key_fields = keys, .key_field_count = 1};
static const struct change_table tables[] = {{.name = "t", .shape = &shape}, {.name = "documents"}};

static char folder[512];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s/spool", test_folder());
    return 0;
}

static bool covers(struct position left, struct position right)
{
    return memcmp(left.bytes, right.bytes, 4) >= 0;
}

static struct position at(char bytes[8], unsigned number)
{
    snprintf(bytes, 8, "%04u", number % 10000);
    return (struct position){(const uint8_t *)bytes, 4};
}

/* A transaction that ends at `number`: its piece is the first, or the last, or both. */
static void add(struct spool_writer *writer, unsigned number, bool first, bool last)
{
    struct error error = {0};
    char begin[8];
    char end[8];
    struct cell key = cell_int64(number);
    struct cell row[FIELDS] = {cell_int64(number), cell_text("text", 4), cell_null()};
    struct cell part[FIELDS] = {cell_int64(number), cell_missing(), cell_null()};
    struct cell pairs[2] = {cell_text("a", 1), cell_int64(7)};
    struct cell document = cell_items(VALUE_MAP, pairs, 1);
    const struct record_change changes[] = {
        {.table = 0,
         .operation = RECORD_UPDATE,
         .key = &key,
         .key_count = 1,
         .before = row,
         .after = part},
        {.table = 0, .operation = RECORD_DELETE, .key = &key, .key_count = 1},
        {.table = 1, .operation = RECORD_INSERT, .key = &key, .key_count = 1, .after = &document},
        {.table = 0, .operation = RECORD_TRUNCATE}};
    const struct change_set set = {.begin = at(begin, number - 1),
                                   .end = at(end, last ? number : number - 1),
                                   .commit_time_us = 12345,
                                   .transaction = number % 2 == 0 ? "name" : NULL,
                                   .first_piece = first,
                                   .last_piece = last,
                                   .tables = tables,
                                   .table_count = 2,
                                   .changes = changes,
                                   .change_count = 4};
    assert_int_equal(spool_writer_add(writer, &set, &error), STATUS_OK);
}

static struct spool_writer *open_writer(struct arena *arena, const char *expected)
{
    struct error error = {0};
    struct spool_writer *writer;
    struct position end;
    assert_int_equal(spool_writer_open(folder, arena, &end, &writer, &error), STATUS_OK);
    assert_int_equal(end.length, expected != NULL ? 4 : 0);
    assert_true(expected == NULL || memcmp(end.bytes, expected, 4) == 0);
    return writer;
}

static void assert_set(const struct change_set *set, unsigned number)
{
    const struct record_change *change = set->changes;
    char bytes[8];
    assert_int_equal(set->change_count, 4);
    assert_int_equal(set->commit_time_us, 12345);
    assert_true((set->transaction != NULL) == (number % 2 == 0));
    assert_memory_equal(set->begin.bytes, at(bytes, number - 1).bytes, 4);
    assert_string_equal(set->tables[change->table].name, "t");
    assert_string_equal(set->tables[change->table].shape->fields[1].name, "text");
    assert_int_equal(set->tables[change->table].shape->key_fields[0], 0);
    assert_int_equal(change[0].after[1].kind, VALUE_MISSING);
    assert_int_equal(change[0].before[2].kind, VALUE_NULL);
    assert_memory_equal(change[0].before[1].text, "text", 4);
    assert_null(change[1].after);
    assert_null(set->tables[change[2].table].shape);
    assert_int_equal(change[2].after[0].kind, VALUE_MAP);
    assert_int_equal(change[3].operation, RECORD_TRUNCATE);
    assert_null(change[3].key);
}

/* Reads all that comes behind `from`; how many sets. */
static unsigned read_all(unsigned from, unsigned first, const char *end)
{
    struct error error = {0};
    struct spool_reader *reader;
    struct change_set *set;
    char bytes[8];
    unsigned count = 0;
    enum status status;
    assert_int_equal(spool_reader_open(folder, at(bytes, from), covers, &reader, &error),
                     STATUS_OK);
    if (reader == NULL) {
        return 0;
    }
    while ((status = spool_reader_next(reader, &set, &error)) == STATUS_OK) {
        assert_set(set, first + count++);
        arena_destroy(set->arena);
    }
    assert_int_equal(status, STATUS_END);
    assert_memory_equal(spool_reader_end(reader).bytes, end, 4);
    spool_reader_close(reader);
    return count;
}

static void what_was_added_comes_back(void **state)
{
    struct error error = {0};
    struct arena *arena = arena_create(0);
    (void)state;
    assert_int_equal(read_all(0, 1, "0000"), 0);
    struct spool_writer *writer = open_writer(arena, NULL);
    for (unsigned i = 1; i <= 5; i++) {
        add(writer, i, true, true);
    }
    assert_int_equal(spool_writer_forget(writer, &error), STATUS_OK); /* another segment */
    for (unsigned i = 6; i <= 9; i++) {
        add(writer, i, true, true);
    }
    assert_int_equal(spool_writer_sync(writer, &error), STATUS_OK);
    spool_writer_close(writer);
    assert_int_equal(read_all(0, 1, "0009"), 9);
    assert_int_equal(read_all(7, 8, "0009"), 2);
    assert_int_equal(read_all(9, 1, "0009"), 0);
    spool_writer_close(open_writer(arena, "0009"));
    arena_destroy(arena);
}

/* One of several pieces is passed over as a whole, and one that lacks its end is cut off. */
static void transactions_are_whole(void **state)
{
    struct error error = {0};
    struct arena *arena = arena_create(0);
    (void)state;
    struct spool_writer *writer = open_writer(arena, NULL);
    add(writer, 1, true, true);
    add(writer, 2, true, false);
    add(writer, 3, false, false);
    add(writer, 4, false, true);
    add(writer, 5, true, true);
    add(writer, 6, true, false);
    add(writer, 7, false, false);
    spool_writer_close(writer);
    assert_int_equal(read_all(0, 1, "0005"), 5);
    assert_int_equal(read_all(1, 2, "0005"), 4);
    assert_int_equal(read_all(4, 5, "0005"), 1);
    writer = open_writer(arena, "0005");
    add(writer, 6, true, true);
    spool_writer_close(writer);
    assert_int_equal(read_all(4, 5, "0006"), 2);
    assert_int_equal(error.code, ERROR_NONE);
    arena_destroy(arena);
}

/* Wherever the file was cut: what comes before is read, and writing goes on behind it. */
static void a_torn_end_is_left_out(void **state)
{
    struct arena *arena = arena_create(0);
    struct stat facts;
    char path[600];
    (void)state;
    struct spool_writer *writer = open_writer(arena, NULL);
    for (unsigned i = 1; i <= 3; i++) {
        add(writer, i, true, true);
    }
    spool_writer_close(writer);
    snprintf(path, sizeof path, "%s/00000001", folder);
    assert_int_equal(stat(path, &facts), 0);
    unsigned before = 3;
    for (off_t size = facts.st_size - 1; size > 0; size -= 37) {
        assert_int_equal(truncate(path, size), 0);
        char end[8];
        struct error error = {0};
        struct position last;
        assert_int_equal(spool_writer_open(folder, arena, &last, &writer, &error), STATUS_OK);
        spool_writer_close(writer);
        unsigned there = last.length == 0 ? 0 : (unsigned)(last.bytes[3] - '0');
        assert_true(there <= before);
        before = there;
        at(end, there);
        assert_int_equal(read_all(0, 1, end), there);
    }
    assert_int_equal(before, 0);
    arena_destroy(arena);
}

static void what_was_applied_goes(void **state)
{
    struct error error = {0};
    struct arena *arena = arena_create(0);
    struct spool_reader *reader;
    struct change_set *set;
    char bytes[8];
    (void)state;
    struct spool_writer *writer = open_writer(arena, NULL);
    for (unsigned i = 1; i <= 6; i++) {
        add(writer, i, true, true);
        if (i % 2 == 0) {
            assert_int_equal(spool_writer_forget(writer, &error), STATUS_OK);
        }
    }
    spool_writer_close(writer);
    assert_int_equal(spool_reader_open(folder, at(bytes, 0), covers, &reader, &error), STATUS_OK);
    for (unsigned i = 1; i <= 6; i++) {
        assert_int_equal(spool_reader_next(reader, &set, &error), STATUS_OK);
        arena_destroy(set->arena);
        assert_int_equal(spool_reader_confirm(reader, at(bytes, i - 1), &error), STATUS_OK);
        char path[600];
        snprintf(path, sizeof path, "%s/00000001", folder);
        assert_int_equal(file_exists(path) != 0, i <= 2);
    }
    assert_int_equal(spool_reader_next(reader, &set, &error), STATUS_END);
    assert_int_equal(spool_reader_confirm(reader, at(bytes, 5), &error), STATUS_OK);
    assert_true(file_exists(folder));
    assert_int_equal(spool_reader_confirm(reader, at(bytes, 6), &error), STATUS_OK);
    assert_false(file_exists(folder));
    spool_reader_close(reader);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests_of_spools[] = {
        cmocka_unit_test_setup(what_was_added_comes_back, make_folder),
        cmocka_unit_test_setup(transactions_are_whole, make_folder),
        cmocka_unit_test_setup(a_torn_end_is_left_out, make_folder),
        cmocka_unit_test_setup(what_was_applied_goes, make_folder),
    };
    return cmocka_run_group_tests(tests_of_spools, NULL, NULL);
}
