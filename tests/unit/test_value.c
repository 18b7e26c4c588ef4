/* Values, batches and schemas. */
#include "model/batch.h"
#include "model/decimal.h"
#include "model/schema.h"
#include "model/value.h"
#include "support_arena.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void kinds_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < VALUE_KIND_COUNT; i++) {
        const char *name = value_kind_name((enum value_kind)i);
        assert_int_equal(value_kind_by_name(name), i);
    }
    assert_string_equal(value_kind_name(VALUE_INT64), "int64");
    assert_string_equal(value_kind_name(VALUE_TIMESTAMP), "timestamp");
    assert_string_equal(value_kind_name((enum value_kind)99), "unknown");
    assert_int_equal(value_kind_by_name("integer"), VALUE_KIND_COUNT);
    assert_int_equal(value_kind_by_name(""), VALUE_KIND_COUNT);
}

static struct cell decimal(const char *text)
{
    struct cell cell;
    assert_int_equal(decimal_parse(text, strlen(text), arena, &cell), STATUS_OK);
    return cell;
}

static void assert_differs(struct cell left, struct cell right)
{
    assert_false(value_equal(&left, &right));
    assert_false(value_equal(&right, &left));
    assert_true(value_equal(&left, &left));
    assert_true(value_equal(&right, &right));
}

static void assert_same(struct cell left, struct cell right)
{
    assert_true(value_equal(&left, &right));
    assert_true(value_equal(&right, &left));
}

static void values_differ_where_they_must(void **state)
{
    (void)state;
    static const struct value_interval month = {1, 0, 0};
    static const struct value_interval days = {0, 30, 0};
    struct cell date = {.kind = VALUE_DATE, .i64 = 0};
    struct cell zero_date = {.kind = VALUE_DATE, .flags = CELL_SPECIAL, .i64 = CELL_ZERO_DATE};
    struct cell stamp = {.kind = VALUE_TIMESTAMP, .i64 = 5};
    struct cell zoned = {.kind = VALUE_TIMESTAMP, .i64 = 5, .flags = CELL_ZONED};
    struct cell finer = {.kind = VALUE_TIMESTAMP, .i64 = 5, .aux = 1};
    struct cell time = {.kind = VALUE_TIME, .i64 = 5, .flags = CELL_ZONED, .length = 3600};
    struct cell other_time = {.kind = VALUE_TIME, .i64 = 5, .flags = CELL_ZONED, .length = 7200};
    struct cell one_month = {.kind = VALUE_INTERVAL, .interval = &month};
    struct cell thirty_days = {.kind = VALUE_INTERVAL, .interval = &days};
    struct cell escape = {.kind = VALUE_ESCAPE, .aux = ESCAPE_SQLITE, .length = 1, .text = "x"};
    struct cell other_escape = {.kind = VALUE_ESCAPE, .aux = ESCAPE_TEST, .length = 1, .text = "x"};
    struct cell escaped_text = escape;
    escaped_text.flags = CELL_ESCAPED_TEXT;
    assert_differs(cell_null(), cell_missing());
    assert_differs(cell_int64(1), cell_uint64(1));
    assert_differs(cell_int64(1), cell_bool(1));
    assert_differs(cell_int64(INT64_MAX), cell_int64(INT64_MIN));
    assert_differs(cell_uint64(UINT64_MAX), cell_uint64(0));
    assert_differs(cell_float64(0.0), cell_float64(-0.0));
    assert_differs(decimal("1.0"), decimal("1.00"));
    assert_differs(decimal("1.0"), cell_float64(1));
    assert_differs(cell_text("", 0), cell_null());
    assert_differs(cell_text("a", 1), cell_bytes("a", 1));
    assert_differs(cell_text("a", 1), cell_text("a\0", 2));
    assert_differs(cell_text("a\0b", 3), cell_text("a\0c", 3));
    assert_differs(date, zero_date);
    assert_differs(stamp, zoned);
    assert_differs(stamp, finer);
    assert_differs(time, other_time);
    assert_differs(one_month, thirty_days);
    stamp.flags = CELL_SPECIAL;
    zoned.flags = CELL_SPECIAL | CELL_ZONED;
    assert_same(stamp, zoned); /* infinite in every zone */
    assert_differs(escape, other_escape);
    assert_differs(escape, escaped_text);
    assert_same(cell_float64(NAN), cell_float64(-NAN));
    assert_same(cell_text(NULL, 0), cell_text("x", 0));
    struct cell plain = {
        .kind = VALUE_DECIMAL, .length = 4, .text = "1.98"}; /* not the small form */
    assert_same(decimal("1.98"), plain);
    assert_differs(decimal("1.980"), plain);
    struct cell hinted = cell_text("abc", 3);
    hinted.flags = CELL_ASCII;
    assert_same(hinted, cell_text("abc", 3));
}

static void containers_are_compared_in_order_but_for_sets(void **state)
{
    (void)state;
    struct cell ab[] = {cell_int64(1), cell_text("b", 1)};
    struct cell ba[] = {cell_text("b", 1), cell_int64(1)};
    struct cell aa[] = {cell_int64(1), cell_int64(1)};
    struct cell aab[] = {cell_int64(1), cell_int64(1), cell_text("b", 1)};
    struct cell abb[] = {cell_text("b", 1), cell_int64(1), cell_text("b", 1)};
    assert_differs(cell_items(VALUE_LIST, ab, 2), cell_items(VALUE_LIST, ba, 2));
    assert_same(cell_items(VALUE_SET, ab, 2), cell_items(VALUE_SET, ba, 2));
    assert_differs(cell_items(VALUE_SET, ab, 2), cell_items(VALUE_SET, aa, 2));
    assert_differs(cell_items(VALUE_SET, aab, 3), cell_items(VALUE_SET, abb, 3));
    assert_differs(cell_items(VALUE_LIST, ab, 2), cell_items(VALUE_SET, ab, 2));
    assert_differs(cell_items(VALUE_MAP, ab, 1), cell_items(VALUE_MAP, ba, 1));
    assert_differs(cell_items(VALUE_LIST, ab, 2), cell_items(VALUE_LIST, ab, 1));
    assert_same(cell_items(VALUE_LIST, NULL, 0), cell_items(VALUE_LIST, ab, 0));
    struct cell nested_left[] = {cell_items(VALUE_SET, ab, 2), cell_null()};
    struct cell nested_right[] = {cell_null(), cell_items(VALUE_SET, ba, 2)};
    assert_same(cell_items(VALUE_SET, nested_left, 2), cell_items(VALUE_SET, nested_right, 2));
}

static void equality_is_an_equivalence(void **state)
{
    (void)state;
    struct random random = random_start();
    for (long i = 0; i < test_rounds(30000); i++) {
        struct cell a = random_value(&random, arena, 2);
        struct cell b = random_value_of(&random, (enum value_kind)a.kind, arena, 2);
        struct cell c = random_value_of(&random, (enum value_kind)a.kind, arena, 1);
        assert_true(value_equal(&a, &a));
        assert_int_equal(value_equal(&a, &b), value_equal(&b, &a));
        if (value_equal(&a, &b)) {
            assert_int_equal(value_equal(&a, &c), value_equal(&b, &c));
        }
        if (i % 500 == 0) {
            arena_reset(arena);
        }
    }
}

static void copies_are_deep(void **state)
{
    (void)state;
    struct random random = random_start();
    for (long i = 0; i < test_rounds(20000); i++) {
        struct arena *from = arena_create(0);
        struct arena *twin = arena_create(0);
        struct cell value = random_value(&random, from, 3);
        struct cell copy;
        struct cell second;
        assert_int_equal(value_copy(&value, arena, &copy), STATUS_OK);
        assert_int_equal(value_copy(&value, twin, &second), STATUS_OK);
        assert_int_equal(value_bytes(&value), value_bytes(&copy));
        assert_int_equal(copy.flags, value.flags);
        arena_destroy(from);
        assert_true(value_equal(&copy, &second)); /* reads all that the copies point to */
        arena_destroy(twin);
        if (i % 100 == 0) {
            arena_reset(arena);
        }
    }
}

static void bytes_are_counted(void **state)
{
    (void)state;
    struct cell items[] = {cell_int64(1), cell_text("abc", 3)};
    struct cell list = cell_items(VALUE_LIST, items, 2);
    struct cell map = cell_items(VALUE_MAP, items, 1);
    struct cell nested = cell_items(VALUE_LIST, &list, 1);
    struct cell number = cell_int64(1);
    struct cell small = decimal("1.98");
    struct cell large = decimal("12345678901234567890");
    assert_int_equal(value_bytes(&number), 0);
    assert_int_equal(value_bytes(&small), 0);
    assert_int_equal(value_bytes(&large), 20);
    assert_int_equal(value_bytes(&items[1]), 3);
    assert_int_equal(value_bytes(&list), 35);
    assert_int_equal(value_bytes(&map), 35);
    assert_int_equal(value_bytes(&nested), 51);
}

static void assert_prints(struct cell cell, size_t limit, const char *expected)
{
    struct buffer out = {0};
    value_print(&cell, limit, &out);
    assert_buffer(&out, expected);
    buffer_free(&out);
}

static void values_are_printed_for_people(void **state)
{
    (void)state;
    struct cell pair[] = {cell_text("a\n", 2), cell_float64(0.5)};
    struct cell map = cell_items(VALUE_MAP, pair, 1);
    struct cell list = cell_items(VALUE_LIST, &map, 1);
    struct cell escape = {.kind = VALUE_ESCAPE, .length = 2, .text = "\xFFz"};
    struct large_value handle = {.kind = VALUE_TEXT, .length = 5000000000};
    struct cell large = {.kind = VALUE_LARGE, .large = &handle};
    struct cell json = cell_text("{}", 2);
    json.kind = VALUE_JSON;
    assert_prints(cell_null(), 50, "null");
    assert_prints(cell_missing(), 50, "missing");
    assert_prints(cell_bool(1), 50, "true");
    assert_prints(cell_int64(-5), 50, "-5");
    assert_prints(cell_uint64(UINT64_MAX), 50, "18446744073709551615");
    assert_prints(cell_text("it's \x1b", 6), 50, "\"it's \\x1b\"");
    assert_prints(cell_text("0123456789", 10), 8, "\"01234...\"");
    assert_prints(cell_bytes("\x01\xFF", 2), 50, "0x01ff");
    assert_prints(cell_bytes("\x01\xFF\x02", 3), 4, "0x01ff...");
    assert_prints(list, 50, "[{\"a\\n\": 0.5}]");
    assert_prints(json, 50, "json \"{}\"");
    assert_prints(escape, 50, "0xff7a");
    escape.flags = CELL_ESCAPED_TEXT;
    assert_prints(escape, 50, "\"\\xffz\"");
    assert_prints(large, 50, "text of 5000000000 bytes");
    assert_prints(decimal("-1.50"), 50, "-1.50");
    assert_prints(decimal("123456789012345678901234567890"), 10, "1234567890...");
    struct cell many[100];
    for (int i = 0; i < 100; i++) {
        many[i] = cell_int64(i);
    }
    assert_prints(cell_items(VALUE_SET, many, 100), 10, "<0, 1, 2, ...>");
}

static void any_value_prints_in_about_its_limit(void **state)
{
    (void)state;
    struct random random = random_start();
    struct buffer out = {0};
    for (int i = 0; i < 20000; i++) {
        struct cell value = random_value(&random, arena, 4);
        value_print(&value, 40, &out);
        assert_in_range(out.length, 1, 300);
        assert_null(memchr(out.data, '\n', out.length));
        buffer_clear(&out);
        if (i % 500 == 0) {
            arena_reset(arena);
        }
    }
    buffer_free(&out);
}

/* --- batches --- */

static const struct shape_field fields[] = {{.name = "id", .name_length = 2},
                                            {.name = "name", .name_length = 4}};
static const struct shape two_fields = {.name = "t", .fields = fields, .field_count = 2};

static void batches_grow_by_doubling(void **state)
{
    (void)state;
    struct batch *batch = batch_create(&two_fields, 2, 3);
    assert_non_null(batch);
    assert_ptr_equal(batch->shape, &two_fields);
    batch_add_envelopes(batch);
    batch_add_envelopes(batch);
    size_t before = batch_bytes(batch);
    for (int i = 0; i < 1000; i++) {
        struct cell *row = batch_append(batch);
        assert_non_null(row);
        row[0] = cell_int64(i);
        row[1] = cell_text(arena_format(batch->arena, "row %d", i), 5);
        batch->envelopes[i].ttl_seconds = (int64_t)i;
    }
    assert_int_equal(batch->row_count, 1000);
    assert_int_equal(batch->row_capacity, 1536);
    assert_true(batch_bytes(batch) > before + 1000 * 2 * sizeof(struct cell));
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(batch_row(batch, i)[0].i64, i);
        assert_int_equal(batch->envelopes[i].ttl_seconds, i);
    }
    assert_int_equal(batch->envelopes[1200].operation, RECORD_INSERT);
    batch_drop_last(batch);
    assert_int_equal(batch->row_count, 999);
    assert_ptr_equal(batch_append(batch), batch_row(batch, 999));
    batch_destroy(batch);
    batch_destroy(NULL);
}

static void the_last_of_the_sharers_frees_the_arena(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct batch *source = batch_create(NULL, 1, 0);
        struct batch *target = batch_create_sharing(source, &two_fields, 2, 10);
        struct batch *third = batch_create_sharing(target, &two_fields, 2, 10);
        assert_ptr_equal(source->arena, target->arena);
        char *text = arena_copy_string(source->arena, "still here");
        batch_destroy(third);
        batch_destroy(order == 0 ? source : target);
        assert_string_equal(text, "still here");
        batch_destroy(order == 0 ? target : source);
    }
}

static int released;

static void release(struct large_value *self)
{
    released++;
    free(self);
}

static void large_values_are_released_once(void **state)
{
    (void)state;
    struct batch *batch = batch_create(NULL, 1, 10);
    released = 0;
    for (int i = 0; i < 5; i++) {
        struct large_value *large = calloc(1, sizeof(*large));
        assert_non_null(large);
        large->release = release;
        batch_keep_large(batch, large);
    }
    struct batch *sharing = batch_create_sharing(batch, NULL, 1, 10);
    batch_destroy(batch);
    assert_int_equal(released, 5);
    batch_destroy(sharing);
    assert_int_equal(released, 5);
}

static void batches_without_columns_grow(void **state)
{
    (void)state;
    struct batch *batch = batch_create(NULL, 0, 1);
    assert_non_null(batch_append(batch));
    assert_non_null(batch_append(batch));
    batch_destroy(batch);
}

static void a_cursor_gets_no_more_room_than_its_bytes(void **state)
{
    (void)state;
    static const struct {
        uint32_t width;
        uint32_t rows_max;
        size_t bytes_max;
        uint32_t capacity;
    } cases[] = {{4, 100, SIZE_MAX, 100}, {4, 100, 650, 11}, {4, 100, 0, 1},
                 {4, 0, 650, 1},          {0, 3, 0, 1},      {1, UINT32_MAX, 170, 11}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct batch *batch =
            batch_create_for_cursor(cases[i].width, cases[i].rows_max, cases[i].bytes_max);
        assert_non_null(batch);
        assert_int_equal(batch->row_capacity, cases[i].capacity);
        assert_int_equal(batch->width, cases[i].width);
        batch_destroy(batch);
    }
}

static void only_what_holds_something_is_delivered(void **state)
{
    (void)state;
    static const struct {
        enum status filled;
        bool row;
        bool refused;
        enum status delivered;
    } cases[] = {{STATUS_OK, true, false, STATUS_OK},
                 {STATUS_OK, false, true, STATUS_OK},
                 {STATUS_OK, false, false, STATUS_END},
                 {STATUS_FAILED, true, true, STATUS_FAILED},
                 {STATUS_END, true, false, STATUS_END}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct batch *filled = batch_create(NULL, 1, 1);
        struct batch *batch = filled;
        const struct cell raw = cell_null();
        assert_non_null(filled);
        if (cases[i].row) {
            *batch_append(filled) = cell_null();
        }
        if (cases[i].refused) {
            batch_refuse(filled, ERROR_REJECT_TYPE, "why", NULL, 0, &raw);
        }
        assert_int_equal(batch_deliver(filled, cases[i].filled, &batch), cases[i].delivered);
        assert_ptr_equal(batch, cases[i].delivered == STATUS_OK ? filled : NULL);
        batch_destroy(batch);
    }
}

static void a_document_has_names_of_its_own(void **state)
{
    (void)state;
    char changing[] = "name";
    const char *const names[] = {"id", changing};
    const struct cell values[] = {cell_int64(7), cell_text("x", 1)};
    struct batch *batch = batch_create(NULL, 1, 2);
    assert_non_null(batch);
    struct cell *document = batch_append(batch);
    batch_make_document(batch, names, values, 2, document);
    changing[0] = 'X';
    assert_int_equal(document->kind, VALUE_MAP);
    assert_int_equal(document->length, 2);
    assert_ptr_equal(value_field(document, "id"), &document->items[1]);
    assert_int_equal(value_field(document, "id")->i64, 7);
    assert_ptr_equal(value_field(document, "name"), &document->items[3]);
    batch_make_document(batch, NULL, NULL, 0, document);
    assert_int_equal(document->length, 0);
    batch_destroy(batch);
}

/* --- schemas --- */

static const char *const id_column[] = {"Id"};
static const char *const both_columns[] = {"Id", "Name"};
static const char *const turned_columns[] = {"Name", "Id"};
static const char *const email_column[] = {"Email"};
static const char *const expression[] = {"Id", ""};

static struct schema example(struct schema_table tables[3], struct schema_column columns[3],
                             struct schema_index indexes[3], struct schema_foreign_key keys[3])
{
    memset(columns, 0, 3 * sizeof(*columns));
    columns[0].name = "Id";
    columns[0].not_null = true;
    columns[0].type.kind = VALUE_INT64;
    columns[1].name = "Name";
    columns[1].not_null = true;
    columns[1].type.native = "NVARCHAR(160)";
    columns[2].name = "Email";
    memset(indexes, 0, 3 * sizeof(*indexes));
    indexes[0] = (struct schema_index){.name = "i0", .columns = {both_columns, 2}, .unique = true};
    indexes[1] = (struct schema_index){.name = "i1", .columns = {email_column, 1}, .unique = true};
    indexes[2] = (struct schema_index){.name = "i2", .columns = {expression, 2}, .unique = true};
    memset(keys, 0, 3 * sizeof(*keys));
    keys[0] = (struct schema_foreign_key){.columns = {id_column, 1}, .references = "A"};
    keys[1] = (struct schema_foreign_key){.columns = {id_column, 1}, .references = "C"};
    keys[2] = (struct schema_foreign_key){.columns = {email_column, 1}, .references = "C"};
    memset(tables, 0, 3 * sizeof(*tables));
    static const char *const names[] = {"A", "B", "C"};
    for (int i = 0; i < 3; i++) {
        tables[i].name = names[i];
        tables[i].columns = columns;
        tables[i].column_count = 3;
        tables[i].primary_key = (struct column_list){id_column, 1};
        tables[i].primary_key_not_null = true;
    }
    tables[1].indexes = indexes;
    tables[1].index_count = 3;
    tables[1].foreign_keys = keys;
    tables[1].foreign_key_count = 3;
    return (struct schema){.tables = tables, .table_count = 3};
}

static void tables_and_columns_are_found(void **state)
{
    (void)state;
    struct schema_table tables[3];
    struct schema_column columns[3];
    struct schema_index indexes[3];
    struct schema_foreign_key keys[3];
    struct schema schema = example(tables, columns, indexes, keys);
    bool ambiguous;
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(schema_find_table(&schema, tables[i].name), &tables[i]);
    }
    assert_null(schema_find_table(&schema, "a"));
    assert_null(schema_find_table(&schema, "D"));
    assert_int_equal(schema_find_column(&tables[0], "Name"), 1);
    assert_int_equal(schema_find_column(&tables[0], "nAME"), 1);
    assert_int_equal(schema_find_column(&tables[0], "nope"), -1);
    columns[2].name = "NAME";
    assert_int_equal(schema_find_column(&tables[0], "name"), -1);
    assert_int_equal(schema_find_column(&tables[0], "NAME"), 2);
    assert_ptr_equal(schema_find_foreign_key(&tables[1], "A", &ambiguous), &keys[0]);
    assert_false(ambiguous);
    assert_null(schema_find_foreign_key(&tables[1], "C", &ambiguous));
    assert_true(ambiguous);
    assert_null(schema_find_foreign_key(&tables[1], "B", &ambiguous));
    assert_false(ambiguous);
}

static void unique_keys_are_recognised(void **state)
{
    (void)state;
    struct schema_table tables[3];
    struct schema_column columns[3];
    struct schema_index indexes[3];
    struct schema_foreign_key keys[3];
    example(tables, columns, indexes, keys);
    struct column_list id = {id_column, 1};
    struct column_list turned = {turned_columns, 2};
    struct column_list email = {email_column, 1};
    struct column_list none = {NULL, 0};
    assert_true(schema_is_unique_key(&tables[1], id));
    assert_true(schema_is_unique_key(&tables[1], turned));
    assert_false(schema_is_unique_key(&tables[1], email)); /* may be NULL */
    assert_false(schema_is_unique_key(&tables[1], none));
    assert_false(schema_is_unique_key(&tables[0], turned));
    columns[2].not_null = true;
    assert_true(schema_is_unique_key(&tables[1], email));
    indexes[1].partial = true;
    assert_false(schema_is_unique_key(&tables[1], email));
    columns[0].not_null = false;
    tables[0].primary_key_not_null = false;
    assert_false(schema_is_unique_key(&tables[0], id));
    columns[0].not_null = true;
    assert_true(schema_is_unique_key(&tables[0], id));
    tables[0].primary_key = none;
    assert_false(schema_is_unique_key(&tables[0], none));
}

static void the_fingerprint_sees_every_change(void **state)
{
    (void)state;
    struct schema_table tables[3];
    struct schema_column columns[3];
    struct schema_index indexes[3];
    struct schema_foreign_key keys[3];
    struct schema_object object = {.kind = SCHEMA_OBJECT_VIEW, .name = "t", .native_sql = "x"};
    static const char *const checks[] = {"Id > 0"};
    char first[33];
    char prints[16][33];
    struct schema schema = example(tables, columns, indexes, keys);
    schema_fingerprint(&schema, true, first);
    assert_int_equal(strlen(first), 32);
    tables[0].row_count = 12; /* statistics do not count */
    tables[0].size_bytes = 12;
    tables[0].native_sql =
        "CREATE"; /* nor does the text, in which columns may have another order */
    schema.settings = "page_size=8192";
    schema_fingerprint(&schema, true, prints[0]);
    assert_string_equal(first, prints[0]);
    for (int i = 0; i < 16; i++) {
        schema = example(tables, columns, indexes, keys);
        switch (i) {
        case 0:
            columns[0].name = "ID";
            break;
        case 1:
            columns[1].type.native = "NVARCHAR(161)";
            break;
        case 2:
            columns[1].not_null = false;
            break;
        case 3:
            columns[1].default_text = "";
            break;
        case 4:
            tables[0].name = "AA";
            break;
        case 5:
            tables[2].primary_key = (struct column_list){NULL, 0};
            break;
        case 6:
            indexes[0].unique = false;
            break;
        case 7:
            keys[0].on_delete = "CASCADE";
            break;
        case 8:
            tables[1].checks = checks;
            tables[1].check_count = 1;
            break;
        case 9:
            schema.objects = &object;
            schema.object_count = 1;
            break;
        case 10:
            columns[1].collation = "NOCASE";
            break;
        case 11:
            columns[1].type.precision = 5;
            break;
        case 12:
            columns[1].generated = GENERATED_STORED;
            break;
        case 13:
            columns[2].name = "other";
            break;
        case 14:
            schema.table_count = 2;
            break;
        default:
            indexes[0].columns = (struct column_list){turned_columns, 2};
            break;
        }
        schema_fingerprint(&schema, true, prints[i]);
        assert_string_not_equal(first, prints[i]);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(prints[i], prints[j]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_have_names),
        cmocka_unit_test_setup_teardown(values_differ_where_they_must, set_up, tear_down),
        cmocka_unit_test(containers_are_compared_in_order_but_for_sets),
        cmocka_unit_test_setup_teardown(equality_is_an_equivalence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(copies_are_deep, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(values_are_printed_for_people, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_value_prints_in_about_its_limit, set_up, tear_down),
        cmocka_unit_test(batches_grow_by_doubling),
        cmocka_unit_test(the_last_of_the_sharers_frees_the_arena),
        cmocka_unit_test(large_values_are_released_once),
        cmocka_unit_test(batches_without_columns_grow),
        cmocka_unit_test(a_cursor_gets_no_more_room_than_its_bytes),
        cmocka_unit_test(only_what_holds_something_is_delivered),
        cmocka_unit_test(a_document_has_names_of_its_own),
        cmocka_unit_test(tables_and_columns_are_found),
        cmocka_unit_test(unique_keys_are_recognised),
        cmocka_unit_test(the_fingerprint_sees_every_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
