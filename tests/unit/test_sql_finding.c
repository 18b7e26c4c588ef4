/* Records of a SQL target, found by what names them. */
#include "connectors/sql/finding.h"
#include "support.h"

static struct error error;

static const struct schema_column columns[] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};
static const char *const key[] = {"b"};

struct counting {
    struct sql_finding base;
    int64_t seen[4];
    uint32_t count;
};

static void a_key_names_a_record_and_else_all_columns_do(void **state)
{
    (void)state;
    struct target_table table = {
        .name = "t", .columns = columns, .column_count = 3, .key = {key, 1}};
    struct sql_finding finding;
    assert_int_equal(sql_finding_begin(&finding, &table, &error), STATUS_OK);
    assert_int_equal(finding.columns.count, 1);
    assert_string_equal(finding.columns.names[0], "b");
    sql_finding_free(&finding);
    table.key.count = 0;
    assert_int_equal(sql_finding_begin(&finding, &table, &error), STATUS_OK);
    assert_int_equal(finding.columns.count, 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(finding.columns.names[i], columns[i].name);
    }
    sql_finding_free(&finding);
}

/* Refuses 7. */
static enum status count_one(struct sql_finding *base, const struct cell *cells)
{
    struct counting *counting = (struct counting *)base;
    assert_non_null(arena_allocate(base->scratch, 50000));
    assert_true(arena_bytes(base->scratch) < 200000); /* of one record only */
    if (cells[0].i64 == 7) {
        return error_set(base->error, ERROR_TARGET_WRITE, "t", "seven");
    }
    counting->seen[counting->count++] = cells[0].i64 * 10 + cells[2].i64;
    return STATUS_OK;
}

static void each_record_is_found_by_its_own_cells(void **state)
{
    (void)state;
    const struct target_table table = {.name = "t", .columns = columns, .column_count = 3};
    struct cell cells[12];
    struct counting counting = {.count = 0};
    for (int i = 0; i < 12; i++) {
        cells[i] = cell_int64(i % 9);
    }
    assert_int_equal(sql_finding_begin(&counting.base, &table, &error), STATUS_OK);
    assert_int_equal(sql_finding_each(&counting.base, cells, 4, count_one), STATUS_OK);
    const int64_t wanted[] = {2, 35, 68, 2};
    assert_memory_equal(counting.seen, wanted, sizeof wanted);
    counting.count = 0;
    cells[6] = cell_int64(7);
    assert_int_equal(sql_finding_each(&counting.base, cells, 4, count_one), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_TARGET_WRITE);
    assert_int_equal(counting.count, 2);
    sql_finding_free(&counting.base);
}

static void what_is_not_there_is_told(void **state)
{
    (void)state;
    const struct target_table table = {.name = "t"};
    const struct sql_finding finding = {.table = &table, .error = &error};
    assert_int_equal(sql_finding_no_table(&finding), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_TARGET_SCHEMA);
    assert_string_equal(error.object, "t");
    assert_string_equal(error.hint, "it was dropped meanwhile: migrate again");
    assert_int_equal(sql_finding_no_column(&finding, "x"), STATUS_FAILED);
    assert_string_equal(error.message, "the table has no column x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_names_a_record_and_else_all_columns_do),
        cmocka_unit_test(each_record_is_found_by_its_own_cells),
        cmocka_unit_test(what_is_not_there_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
