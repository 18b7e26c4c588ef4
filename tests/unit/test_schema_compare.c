/* What has become of a source's tables: each difference by itself, and what is none. */
#include "model/schema_compare.h"
#include "support.h"
#include <string.h>

/* ---------------------------------------------------------------- made-up schemas */

static const char *const id_key[] = {"id"};

static struct schema_column column(const char *name, const char *native, uint32_t number)
{
    struct schema_column made = {.name = name, .number = number, .stamp = "7"};
    made.type = (struct value_type){.kind = VALUE_TEXT, .native = native};
    if (strcmp(native, "int") == 0) {
        made.type.kind = VALUE_INT64;
        made.type.bits = 32;
    } else if (strcmp(native, "bigint") == 0) {
        made.type.kind = VALUE_INT64;
    } else if (strcmp(native, "numeric(10,2)") == 0) {
        made.type.kind = VALUE_DECIMAL;
        made.type.precision = 10;
        made.type.scale = 2;
    }
    return made;
}

static struct schema_table table(const char *name, const struct schema_column *columns,
                                 uint32_t count)
{
    return (struct schema_table){.kind = SCHEMA_TABLE,
                                 .name = name,
                                 .columns = columns,
                                 .column_count = count,
                                 .primary_key = {id_key, 1},
                                 .mark = "100",
                                 .stamp = "5"};
}

struct both {
    struct arena *arena;
    struct schema kept;
    struct schema now;
    struct schema_changes changes;
};

static void compare(struct both *both, const struct schema_table *kept, uint32_t kept_count,
                    const struct schema_table *now, uint32_t now_count, bool same_server)
{
    both->arena = arena_create(0);
    both->kept = (struct schema){.tables = kept, .table_count = kept_count};
    both->now = (struct schema){.tables = now, .table_count = now_count};
    schema_compare(&both->kept, &both->now, same_server, both->arena, &both->changes);
}

/* Of the table t, its one column that is not the same; COLUMN_SAME: there is none. */
static enum column_difference difference(const struct schema_table *kept,
                                         const struct schema_table *now, bool same_server)
{
    struct both both;
    compare(&both, kept, 1, now, 1, same_server);
    enum column_difference found = COLUMN_SAME;
    if (both.changes.table_count > 0 && !both.changes.tables[0].constrained) {
        assert_int_equal(both.changes.table_count, 1);
        assert_int_equal(both.changes.tables[0].column_count, 1);
        found = both.changes.tables[0].columns[0].difference;
    }
    arena_destroy(both.arena);
    return found;
}

/* ---------------------------------------------------------------- columns */

static void test_order_is_nothing(void **state)
{
    (void)state;
    struct schema_column kept[] = {column("id", "int", 1), column("a", "text", 2)};
    struct schema_column now[] = {kept[1], kept[0]};
    struct schema_table before = table("t", kept, 2);
    struct schema_table after = table("t", now, 2);
    assert_int_equal(difference(&before, &after, true), COLUMN_SAME);
}

/* Two columns of one type that changed names look like two that changed places. */
static void test_without_numbers_order_may_be_names(void **state)
{
    (void)state;
    struct schema_column kept[] = {column("id", "int", 0), column("a", "int", 0),
                                   column("b", "int", 0)};
    struct schema_column swapped[] = {kept[0], kept[2], kept[1]};
    struct schema_column key_last[] = {kept[1], kept[2], kept[0]};
    struct schema_table before = table("t", kept, 3);
    struct schema_table after = table("t", swapped, 3);
    assert_int_equal(difference(&before, &after, true), COLUMN_REPLACED);
    assert_int_equal(difference(&before, &after, false), COLUMN_SAME);
    after = table("t", key_last, 3);
    assert_int_equal(difference(&before, &after, true), COLUMN_SAME);
}

static void test_a_column_is_dropped_and_added(void **state)
{
    (void)state;
    struct schema_column kept[] = {column("id", "int", 1), column("b", "int", 2)};
    struct schema_column now[] = {kept[0], column("b", "int", 3)};
    struct schema_table before = table("t", kept, 2);
    struct schema_table after = table("t", now, 2);
    assert_int_equal(difference(&before, &after, true), COLUMN_REPLACED);
    assert_int_equal(difference(&before, &after, false),
                     COLUMN_SAME); /* another server's numbers */
    now[1].number = 0;
    assert_int_equal(difference(&before, &after, true), COLUMN_SAME); /* not known */
}

static void test_rewritten_is_defined_and_stored_anew(void **state)
{
    (void)state;
    struct schema_column kept[] = {column("id", "int", 1), column("a", "int", 2)};
    struct schema_column now[] = {kept[0], kept[1]};
    struct schema_table before = table("t", kept, 2);
    struct schema_table after = table("t", now, 2);
    now[1].stamp = "8";
    assert_int_equal(difference(&before, &after, true), COLUMN_SAME); /* SET NOT NULL */
    after.stamp = "6";
    assert_int_equal(difference(&before, &after, true), COLUMN_REWRITTEN);
    assert_int_equal(difference(&before, &after, false), COLUMN_SAME);
    now[1].stamp = "7";
    assert_int_equal(difference(&before, &after, true), COLUMN_SAME); /* VACUUM FULL */
}

static void test_types(void **state)
{
    (void)state;
    static const struct {
        const char *kept;
        const char *now;
        enum column_difference difference;
    } cases[] = {
        {"int", "bigint", COLUMN_WIDER},          {"bigint", "int", COLUMN_RETYPED},
        {"int", "text", COLUMN_RETYPED},          {"int", "numeric(10,2)", COLUMN_RETYPED},
        {"numeric(10,2)", "int", COLUMN_RETYPED}, {"text", "citext", COLUMN_WIDER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct schema_column kept[] = {column("n", cases[i].kept, 1)};
        struct schema_column now[] = {column("n", cases[i].now, 1)};
        struct schema_table before = table("t", kept, 1);
        struct schema_table after = table("t", now, 1);
        assert_int_equal(difference(&before, &after, true), cases[i].difference);
    }
}

static void test_null_is_let_in(void **state)
{
    (void)state;
    struct schema_column kept[] = {column("a", "int", 1)};
    struct schema_column now[] = {kept[0]};
    struct schema_table before = table("t", kept, 1);
    struct schema_table after = table("t", now, 1);
    kept[0].not_null = true;
    assert_int_equal(difference(&before, &after, true), COLUMN_WIDER);
    kept[0].not_null = false;
    now[0].not_null = true;
    assert_int_equal(difference(&before, &after, true), COLUMN_SAME);
}

/* What a run learnt of a column's values is no change of the column. */
static void test_a_learnt_type_is_the_same(void **state)
{
    (void)state;
    struct schema_column kept[] = {column("a", "int", 1)};
    struct schema_column now[] = {column("a", "int", 1)};
    struct schema_table before = table("t", kept, 1);
    struct schema_table after = table("t", now, 1);
    kept[0].type.kind = VALUE_DECIMAL;
    kept[0].type.precision = 10;
    assert_int_equal(difference(&before, &after, true), COLUMN_SAME);
}

static void test_a_renamed_column_is_gone_and_new(void **state)
{
    (void)state;
    struct both both;
    struct schema_column kept[] = {column("id", "int", 1), column("a", "text", 2)};
    struct schema_column now[] = {kept[0], column("b", "text", 2)};
    struct schema_table before = table("t", kept, 2);
    struct schema_table after = table("t", now, 2);
    compare(&both, &before, 1, &after, 1, true);
    assert_int_equal(both.changes.table_count, 1);
    assert_int_equal(both.changes.tables[0].difference, TABLE_SAME);
    assert_int_equal(both.changes.tables[0].column_count, 2);
    assert_int_equal(both.changes.tables[0].columns[0].difference, COLUMN_GONE);
    assert_string_equal(both.changes.tables[0].columns[0].name, "a");
    assert_int_equal(both.changes.tables[0].columns[1].difference, COLUMN_NEW);
    assert_string_equal(both.changes.tables[0].columns[1].name, "b");
    arena_destroy(both.arena);
}

/* ---------------------------------------------------------------- tables */

static void test_tables_come_go_and_are_replaced(void **state)
{
    (void)state;
    struct both both;
    struct schema_column columns[] = {column("id", "int", 1)};
    struct schema_table kept[] = {table("a", columns, 1), table("b", columns, 1),
                                  table("d", columns, 1), table("v", columns, 1)};
    struct schema_table now[] = {table("b", columns, 1), table("c", columns, 1),
                                 table("d", columns, 1)};
    now[0].mark = "101";
    now[2].primary_key = (struct column_list){0};
    kept[3].kind = SCHEMA_VIEW;
    compare(&both, kept, 4, now, 3, true);
    assert_int_equal(both.changes.table_count, 4);
    assert_string_equal(both.changes.tables[0].name, "a");
    assert_int_equal(both.changes.tables[0].difference, TABLE_GONE);
    assert_int_equal(both.changes.tables[1].difference, TABLE_REPLACED);
    assert_string_equal(both.changes.tables[2].name, "c");
    assert_int_equal(both.changes.tables[2].difference, TABLE_NEW);
    assert_int_equal(both.changes.tables[3].difference, TABLE_REKEYED);
    arena_destroy(both.arena);
}

/* ---------------------------------------------------------------- which type holds which */

static void test_what_holds_what(void **state)
{
    (void)state;
    const struct value_type text = {.kind = VALUE_TEXT};
    const struct value_type text20 = {.kind = VALUE_TEXT, .precision = 20};
    const struct value_type text40 = {.kind = VALUE_TEXT, .precision = 40};
    const struct value_type int16 = {.kind = VALUE_INT64, .bits = 16};
    const struct value_type int64 = {.kind = VALUE_INT64};
    const struct value_type uint64 = {.kind = VALUE_UINT64};
    const struct value_type decimal = {.kind = VALUE_DECIMAL};
    const struct value_type decimal_20 = {.kind = VALUE_DECIMAL, .precision = 20};
    const struct value_type decimal_10_2 = {.kind = VALUE_DECIMAL, .precision = 10, .scale = 2};
    const struct value_type decimal_12_4 = {.kind = VALUE_DECIMAL, .precision = 12, .scale = 4};
    const struct value_type decimal_12_2 = {.kind = VALUE_DECIMAL, .precision = 12, .scale = 2};
    const struct value_type seconds = {.kind = VALUE_TIMESTAMP, .fraction = 1};
    const struct value_type microseconds = {.kind = VALUE_TIMESTAMP, .fraction = 7};
    const struct value_type zoned = {.kind = VALUE_TIMESTAMP, .fraction = 7, .zoned = true};
    const struct value_type *const holding[][2] = {
        {&text, &text20},
        {&text40, &text20},
        {&int64, &int16},
        {&decimal, &decimal_10_2},
        {&decimal, &uint64},
        {&decimal_20, &uint64},
        {&decimal_12_4, &decimal_10_2},
        {&decimal_12_2, &decimal_10_2},
        {&microseconds, &seconds},
    };
    const struct value_type *const not_holding[][2] = {
        {&text20, &text},          {&text20, &text40},      {&int16, &int64},
        {&decimal_10_2, &decimal}, {&decimal_10_2, &int64}, {&decimal_12_2, &decimal_12_4},
        {&seconds, &microseconds}, {&zoned, &microseconds}, {&int64, &uint64},
        {&text, &int64},
    };
    for (size_t i = 0; i < sizeof holding / sizeof holding[0]; i++) {
        assert_true(value_type_holds(holding[i][0], holding[i][1]));
    }
    for (size_t i = 0; i < sizeof not_holding / sizeof not_holding[0]; i++) {
        assert_false(value_type_holds(not_holding[i][0], not_holding[i][1]));
    }
}

/* Neither an index nor a foreign key nor NOT NULL changes a value. */
static void test_constraints_come_and_go(void **state)
{
    (void)state;
    const char *names[] = {"a"};
    struct schema_column kept[] = {column("a", "int", 1)};
    struct schema_column now[] = {kept[0]};
    struct schema_index index = {.name = "i", .columns = {names, 1}, .unique = true};
    struct schema_index plain = {.name = "i", .columns = {names, 1}};
    struct schema_foreign_key key = {.columns = {names, 1}, .references = "u"};
    const struct {
        const struct schema_index *kept, *now;
        const struct schema_foreign_key *kept_key, *now_key;
        bool not_null, constrained;
    } cases[] = {
        {NULL, NULL, NULL, NULL, false, false},    {&index, &index, NULL, NULL, false, false},
        {NULL, &index, NULL, NULL, false, true},   {&index, NULL, NULL, NULL, false, true},
        {&index, &plain, NULL, NULL, false, true}, {NULL, NULL, &key, &key, false, false},
        {NULL, NULL, &key, NULL, false, true},     {NULL, NULL, NULL, &key, false, true},
        {NULL, NULL, NULL, NULL, true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct both both;
        struct schema_table before = table("t", kept, 1);
        struct schema_table after = table("t", now, 1);
        now[0].not_null = cases[i].not_null;
        before.indexes = cases[i].kept;
        before.index_count = cases[i].kept != NULL;
        after.indexes = cases[i].now;
        after.index_count = cases[i].now != NULL;
        before.foreign_keys = cases[i].kept_key;
        before.foreign_key_count = cases[i].kept_key != NULL;
        after.foreign_keys = cases[i].now_key;
        after.foreign_key_count = cases[i].now_key != NULL;
        compare(&both, &before, 1, &after, 1, true);
        assert_int_equal(both.changes.table_count, cases[i].constrained);
        if (cases[i].constrained) {
            struct buffer out = {0};
            assert_true(both.changes.tables[0].constrained);
            assert_int_equal(both.changes.tables[0].column_count, 0);
            table_change_append(&both.changes.tables[0], &out);
            assert_string_equal(buffer_string(&out), "t has other constraints or indexes");
            buffer_free(&out);
        }
        arena_destroy(both.arena);
    }
}

static void test_in_words(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct schema_column before = column("n", "int", 1);
    struct schema_column after = column("n", "bigint", 1);
    struct column_change change = {COLUMN_WIDER, "n", &before, &after};
    column_change_append(&change, &out);
    assert_string_equal(buffer_string(&out), "has the column n as bigint, which was int");
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_is_nothing),
        cmocka_unit_test(test_without_numbers_order_may_be_names),
        cmocka_unit_test(test_a_column_is_dropped_and_added),
        cmocka_unit_test(test_rewritten_is_defined_and_stored_anew),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_null_is_let_in),
        cmocka_unit_test(test_a_learnt_type_is_the_same),
        cmocka_unit_test(test_a_renamed_column_is_gone_and_new),
        cmocka_unit_test(test_tables_come_go_and_are_replaced),
        cmocka_unit_test(test_what_holds_what),
        cmocka_unit_test(test_constraints_come_and_go),
        cmocka_unit_test(test_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
