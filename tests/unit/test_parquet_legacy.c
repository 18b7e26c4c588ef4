/* Layouts of older writers, which pyarrow does not write: fields that repeat outside of lists,
 * lists of two levels, and schemas that nothing can be read by. */
/* cmocka.h needs the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "connectors/parquet/parquet.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static carquet_schema_t *new_schema(void)
{
    carquet_schema_t *schema = carquet_schema_create(NULL);
    assert_non_null(schema);
    return schema;
}

static void add(carquet_schema_t *schema, const char *name, carquet_field_repetition_t repetition,
                int32_t parent)
{
    assert_int_equal(carquet_schema_add_column(schema, name, CARQUET_PHYSICAL_INT32, NULL,
                                               repetition, 0, parent),
                     CARQUET_OK);
}

/* repeated int32 n; optional group pairs (LIST) { repeated group list { required a; optional b } }
 */
static void write_file(const char *path)
{
    static const int32_t n[] = {1, 2, 3};
    static const int16_t n_definitions[] = {1, 1, 0, 1};
    static const int16_t n_repetitions[] = {0, 1, 0, 0};
    static const int32_t a[] = {10, 11, 12};
    static const int16_t a_definitions[] = {2, 2, 1, 2};
    static const int16_t a_repetitions[] = {0, 1, 0, 0};
    static const int32_t b[] = {20, 22};
    static const int16_t b_definitions[] = {3, 2, 1, 3};
    carquet_schema_t *schema = new_schema();
    add(schema, "n", CARQUET_REPETITION_REPEATED, 0);
    int32_t list = carquet_schema_add_list_group(schema, "pairs", CARQUET_REPETITION_OPTIONAL, 0);
    add(schema, "a", CARQUET_REPETITION_REQUIRED, list);
    add(schema, "b", CARQUET_REPETITION_OPTIONAL, list);
    carquet_writer_t *writer = carquet_writer_create(path, schema, NULL, NULL);
    assert_non_null(writer);
    assert_int_equal(carquet_writer_write_batch(writer, 0, n, 4, n_definitions, n_repetitions),
                     CARQUET_OK);
    assert_int_equal(carquet_writer_write_batch(writer, 1, a, 4, a_definitions, a_repetitions),
                     CARQUET_OK);
    assert_int_equal(carquet_writer_write_batch(writer, 2, b, 4, b_definitions, a_repetitions),
                     CARQUET_OK);
    assert_int_equal(carquet_writer_close(writer), CARQUET_OK);
    carquet_schema_free(schema);
}

static void expect(const struct cell *cell, const char *text)
{
    struct buffer shown = {0};
    value_print(cell, 1000, &shown);
    assert_string_equal(buffer_string(&shown), text);
    buffer_free(&shown);
}

static void test_lists_of_two_levels(void **state)
{
    static const char *const expected[][2] = {
        {"[1, 2]", "[{\"a\": 10, \"b\": 20}, {\"a\": 11, \"b\": null}]"},
        {"[]", "[]"},
        {"[3]", "[{\"a\": 12, \"b\": 22}]"}};
    char path[] = "/tmp/test-parquet-XXXXXX";
    struct error error = {0};
    struct parquet_file *file = NULL;
    (void)state;
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    write_file(path);
    assert_int_equal(parquet_file_open(path, ERROR_SOURCE_READ, &file, &error), STATUS_OK);
    assert_int_equal(file->layout.column_count, 2);
    assert_int_equal(file->layout.columns[0].form, PARQUET_LIST);
    assert_int_equal(file->layout.columns[1].children[0].form, PARQUET_RECORD);
    struct parquet_assembly assembly = {.file = file, .arena = arena_create(0)};
    assembly.cursors = parquet_cursors_create(file, &file->layout, 3, file->arena);
    for (uint32_t row = 0; row < 3; row++) {
        for (uint32_t column = 0; column < 2; column++) {
            struct cell cell;
            assert_int_equal(
                parquet_assemble(&assembly, &file->layout.columns[column], &cell, &error),
                STATUS_OK);
            expect(&cell, expected[row][column]);
        }
    }
    for (uint32_t leaf = 0; leaf < 3; leaf++) {
        assert_int_equal(parquet_cursor_look(&assembly.cursors[leaf], &error), STATUS_END);
        parquet_cursor_close(&assembly.cursors[leaf]);
    }
    arena_destroy(assembly.arena);
    parquet_file_close(file);
    unlink(path);
}

static const char *refusal(const carquet_schema_t *schema, struct arena *arena)
{
    struct parquet_layout layout;
    const char *refused = NULL;
    parquet_layout_of_file(schema, arena, &layout, &refused);
    return refused;
}

static void test_schemas_without_sense(void **state)
{
    struct arena *arena = arena_create(0);
    (void)state;
    carquet_schema_t *empty = new_schema();
    assert_non_null(refusal(empty, arena));
    carquet_schema_t *hollow = new_schema();
    add(hollow, "n", CARQUET_REPETITION_REQUIRED, 0);
    assert_true(carquet_schema_add_group(hollow, "g", CARQUET_REPETITION_OPTIONAL, 0) > 0);
    assert_non_null(refusal(hollow, arena));
    carquet_schema_t *deep = new_schema();
    int32_t parent = 0;
    for (uint32_t level = 0; level <= PARQUET_DEPTH_MAX; level++) {
        parent = carquet_schema_add_group(deep, "g", CARQUET_REPETITION_OPTIONAL, parent);
        assert_true(parent > 0);
    }
    add(deep, "n", CARQUET_REPETITION_REQUIRED, parent);
    assert_non_null(refusal(deep, arena));
    carquet_schema_free(empty);
    carquet_schema_free(hollow);
    carquet_schema_free(deep);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_of_two_levels),
        cmocka_unit_test(test_schemas_without_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
