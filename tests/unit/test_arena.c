/* Memory, arenas and buffers. */
#include "base/memory.h"
#include "support.h"
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void allocations_are_aligned_and_apart(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct random random = random_start();
    enum { COUNT = 3000 };
    static unsigned char *blocks[COUNT];
    static size_t sizes[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        sizes[i] = random_below(&random, 20) == 0 ? random_below(&random, 100000)
                                                  : random_below(&random, 100);
        blocks[i] = arena_allocate(arena, sizes[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 8, 0);
        memset(blocks[i], (int)(i & 255), sizes[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < sizes[i]; j++) {
            assert_int_equal(blocks[i][j], i & 255);
        }
    }
    arena_destroy(arena);
    arena_destroy(NULL);
}

static void no_bytes_give_a_pointer(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    assert_non_null(arena_allocate(arena, 0));
    assert_non_null(arena_allocate_zeroed(arena, 0, 16));
    assert_string_equal(arena_copy(arena, NULL, 0), "");
    arena_destroy(arena);
}

static void impossible_sizes_give_null(void **state)
{
    (void)state;
    struct arena *arena = arena_create(100);
    volatile size_t most = SIZE_MAX; /* gcc would warn of it as a constant */
    assert_null(arena_try_allocate(arena, most));
    assert_null(arena_try_allocate(arena, most - 63));
    assert_null(arena_try_allocate(arena, most / 2));
    assert_null(arena_try_copy(arena, "", most));
    assert_non_null(arena_try_allocate(arena, 8));
    arena_destroy(arena);
    struct buffer buffer = {0};
    buffer_append_string(&buffer, "abc");
    assert_false(buffer_try_reserve(&buffer, most));
    assert_false(buffer_try_reserve(&buffer, most / 8));
    assert_true(buffer_try_reserve(&buffer, 1000));
    assert_buffer(&buffer, "abc");
    buffer_free(&buffer);
}

static void bytes_are_counted_and_reset(void **state)
{
    (void)state;
    struct arena *arena = arena_create(8192);
    size_t empty = arena_bytes(arena);
    for (int i = 0; i < 1000; i++) {
        assert_non_null(arena_allocate(arena, 100));
    }
    assert_non_null(arena_allocate(arena, 1000000));
    assert_in_range(arena_bytes(arena), 1104000, 1130000);
    arena_reset(arena);
    assert_in_range(arena_bytes(arena), empty, empty + 8192);
    char *again = arena_allocate_zeroed(arena, 10, 100);
    assert_non_null(again);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(again[i], 0);
    }
    arena_destroy(arena);
}

static void the_last_allocation_can_grow(void **state)
{
    (void)state;
    struct arena *arena = arena_create(4096);
    char *first = arena_allocate(arena, 10);
    char *last = arena_allocate(arena, 10);
    assert_false(arena_try_extend(arena, first, 10, 20));
    assert_true(arena_try_extend(arena, last, 10, 1000));
    memset(last, 'x', 1000);
    assert_false(arena_try_extend(arena, last, 1000, 100000));
    assert_true(arena_try_extend(arena, last, 1000, 8));
    assert_ptr_equal(arena_allocate(arena, 1), last + 8);
    arena_destroy(arena);
}

static void texts_are_copied_and_formatted(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    assert_string_equal(arena_copy(arena, "abcdef", 3), "abc");
    assert_string_equal(arena_copy_string(arena, "abc"), "abc");
    assert_string_equal(arena_format(arena, "%s-%d", "x", 7), "x-7");
    char *large = arena_format(arena, "%10000d", 7);
    assert_int_equal(strlen(large), 10000);
    arena_destroy(arena);
}

static void buffers_grow(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer);
    assert_string_equal(buffer_string(&buffer), "");
    for (int i = 0; i < 10000; i++) {
        buffer_append_byte(&buffer, (char)('a' + i % 26));
    }
    assert_int_equal(buffer.length, 10000);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(buffer.data[i], 'a' + i % 26);
    }
    buffer_clear(&buffer);
    buffer_append(&buffer, "abc", 2);
    buffer_append(&buffer, NULL, 0);
    buffer_append_string(&buffer, "def");
    buffer_append_int64(&buffer, INT64_MIN);
    buffer_append_byte(&buffer, ' ');
    buffer_append_uint64(&buffer, UINT64_MAX);
    buffer_format(&buffer, " %d", 12);
    assert_buffer(&buffer, "abdef-9223372036854775808 18446744073709551615 12");
    buffer_append_hex(&buffer, "\x00\x9f\xa0\xff", 4);
    buffer_append_hex(&buffer, NULL, 0);
    assert_buffer(&buffer, "009fa0ff");
    buffer_format(&buffer, "%5000d", 1);
    assert_int_equal(buffer.length, 5000);
    buffer_free(&buffer);
    assert_null(buffer.data);
}

/* Each asks for more than there can be. */
static void allocate_too_much(int way)
{
    volatile size_t most = SIZE_MAX / 4 + 1;
    struct arena *arena = arena_create(0);
    struct buffer buffer = {0};
    switch (way) {
    case 0:
        arena_allocate(arena, most);
        break;
    case 1:
        arena_allocate_zeroed(arena, most, 4);
        break;
    case 2:
        buffer_reserve(&buffer, most);
        break;
    case 3:
        free(memory_allocate(most));
        break;
    case 4:
        free(memory_allocate_zeroed(most, 4));
        break;
    default:
        free(memory_resize(NULL, most, 4));
        break;
    }
}

static void running_out_ends_the_program(void **state)
{
    (void)state;
    for (int way = 0; way < 6; way++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            dup2(ends[1], STDERR_FILENO);
            allocate_too_much(way);
            _exit(0);
        }
        close(ends[1]);
        char said[8192] = "";
        for (size_t length = 0; length < sizeof said - 1;) {
            ssize_t got = read(ends[0], said + length, sizeof said - 1 - length);
            if (got <= 0) {
                break;
            }
            length += (size_t)got;
        }
        close(ends[0]);
        int result;
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_true(WIFEXITED(result));
        assert_int_equal(WEXITSTATUS(result), 3);
        assert_non_null(strstr(said, "transhume: error: memory: no memory is left"));
    }
}

static int releases;

static void count_release(void *memory)
{
    releases++;
    free(memory);
}

static void large_bytes_are_shared(void **state)
{
    enum { SIZE = 2 * ARENA_SHARED_BYTES };
    struct arena *one = arena_create(0);
    struct arena *other = arena_create(0);
    char *memory = calloc(1, SIZE);
    char elsewhere[1] = {0};
    (void)state;
    arena_take_over(one, memory, SIZE, count_release);
    assert_false(arena_try_share(other, memory, 1)); /* small values are copied */
    assert_false(arena_try_share(other, elsewhere, ARENA_SHARED_BYTES));
    assert_false(arena_try_share(other, memory + 1, SIZE));
    assert_true(arena_try_share(other, memory + 5, ARENA_SHARED_BYTES));
    assert_true(arena_bytes(other) >= SIZE);
    arena_reset(one);
    assert_int_equal(releases, 0);
    memory[5] = 'x';
    arena_destroy(other);
    assert_int_equal(releases, 1);
    assert_false(arena_try_share(one, memory + 5, ARENA_SHARED_BYTES));

    char *source = calloc(1, SIZE);
    char *copy = arena_try_copy(one, source, SIZE);
    struct arena *third = arena_create(0);
    assert_ptr_not_equal(copy, source);
    assert_true(arena_try_share(third, copy, SIZE));
    arena_destroy(one);
    assert_int_equal(copy[SIZE], '\0');
    arena_destroy(third);
    free(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_apart),
        cmocka_unit_test(no_bytes_give_a_pointer),
        cmocka_unit_test(impossible_sizes_give_null),
        cmocka_unit_test(bytes_are_counted_and_reset),
        cmocka_unit_test(the_last_allocation_can_grow),
        cmocka_unit_test(texts_are_copied_and_formatted),
        cmocka_unit_test(buffers_grow),
        cmocka_unit_test(large_bytes_are_shared),
        cmocka_unit_test(running_out_ends_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
