/* What is said of a plan's table against one that is in a SQL target. */
#include "connectors/sql/check.h"
#include "support.h"
#include <string.h>
#include <strings.h>

static const struct schema_column columns[] = {
    {.name = "Id", .not_null = true, .identity = true},
    {.name = "name", .not_null = true},
    {.name = "at", .not_null = true, .default_text = "now()"},
    {.name = "sum", .not_null = true, .generated = GENERATED_STORED},
    {.name = "note"},
};
static const char *const id[] = {"Id"};
static const char *const name_at[] = {"name", "at"};
static const char *const at_name[] = {"at", "name"};
static const struct schema_index indexes[] = {
    {.name = "part", .columns = {id, 1}, .unique = true, .partial = true},
    {.name = "many", .columns = {id, 1}},
    {.name = "both", .columns = {name_at, 2}, .unique = true},
};
static const struct schema_table present = {
    .name = "t", .columns = columns, .column_count = 5, .indexes = indexes, .index_count = 3};

static void names_are_compared_as_the_database_does(void **state)
{
    (void)state;
    const struct schema_column made[] = {{.name = "Id"}};
    const struct target_table table = {.name = "t", .columns = made, .column_count = 1};
    const struct shape_field fields[] = {{.name = "Id"}};
    const struct shape shape = {.fields = fields, .field_count = 1};
    assert_true(sql_has_column(&table, "Id", strcmp));
    assert_false(sql_has_column(&table, "id", strcmp));
    assert_true(sql_has_column(&table, "id", strcasecmp));
    assert_false(sql_shape_has(&shape, "id", strcmp));
    assert_true(sql_shape_has(&shape, "id", strcasecmp));
}

static void key_columns_are_columns(void **state)
{
    (void)state;
    const struct schema_column made[] = {{.name = "at"}};
    struct target_table table = {
        .name = "t", .columns = made, .column_count = 1, .key = {name_at, 2}};
    struct buffer out = {0};
    sql_check_key_columns(&table, strcmp, &out);
    assert_buffer(&out, "the key column name is not among the columns\n");
    table.column_count = 0; /* they are the source's, all of them */
    sql_check_key_columns(&table, strcmp, &out);
    assert_buffer(&out, "");
    buffer_free(&out);
}

static void a_shape_fits_the_table(void **state)
{
    (void)state;
    const struct shape_field fields[] = {{.name = "note"}, {.name = "new\n"}, {.name = "NAME"}};
    struct shape shape = {.fields = fields, .field_count = 3};
    const struct target_table table = {.name = "t"};
    const struct shape *const shapes[] = {&shape};
    struct check_request request = {.table = &table, .shapes = shapes, .shape_count = 1};
    struct buffer out = {0};
    sql_check_shape(&request, 0, &present, strcasecmp, &out);
    assert_buffer(&out, "the table in the target has no column new\\n\n");
    const char *const lines[] = {"`a`", "`b`", NULL};
    const char *const *const leaving_out[] = {lines};
    request.leaving_out = leaving_out;
    sql_check_shape(&request, 0, &present, strcasecmp, &out);
    assert_buffer(&out,
                  "the table in the target has no column new\\n; a plan can leave it out: `b`\n");
    request.leaving_out = NULL;
    sql_check_shape(&request, 0, &present, strcmp, &out);
    assert_buffer(&out, "the table in the target has no column new\\n\n"
                        "the table in the target has no column NAME\n"
                        "the column name in the target is NOT NULL, has no default, and the plan "
                        "does not fill it\n");
    buffer_free(&out);
}

static void a_generated_column_takes_no_values(void **state)
{
    (void)state;
    const struct shape_field fields[] = {{.name = "name"}, {.name = "sum"}};
    const struct shape shape = {.fields = fields, .field_count = 2};
    struct schema_column made[] = {{.name = "name"}, {.name = "sum"}};
    const struct target_table table = {.name = "t", .columns = made, .column_count = 2};
    const struct shape *const shapes[] = {&shape};
    const struct check_request request = {.table = &table, .shapes = shapes, .shape_count = 1};
    struct buffer out = {0};
    sql_check_shape(&request, 0, &present, strcmp, &out);
    assert_buffer(&out, "the column sum in the target is generated there, and takes no values: "
                        "leave it out in the plan (sum: { drop: true }), or make it a plain "
                        "column\n");
    made[1].derived = true; /* the source generates it, too */
    sql_check_shape(&request, 0, &present, strcmp, &out);
    assert_buffer(&out, "");
    buffer_free(&out);
}

static void a_key_is_a_unique_index_over_just_its_columns(void **state)
{
    (void)state;
    struct schema_table table = present;
    assert_false(sql_has_key(&table, (struct column_list){id, 1}, strcmp));
    assert_false(sql_has_key(&table, (struct column_list){name_at, 1}, strcmp));
    assert_false(sql_has_key(&table, (struct column_list){0}, strcmp));
    assert_true(sql_has_key(&table, (struct column_list){at_name, 2}, strcmp));
    table.primary_key = (struct column_list){id, 1};
    assert_true(sql_has_key(&table, (struct column_list){id, 1}, strcmp));
}

static void only_some_policies_need_a_key(void **state)
{
    (void)state;
    static const char missing[] =
        "the table in the target has no unique index over the plan's key, "
        "which upsert, replace and skip need\n";
    struct target_table table = {.name = "t", .existing = EXISTING_UPSERT};
    struct buffer out = {0};
    sql_check_key(&table, &present, strcmp, "unique index", &out);
    assert_buffer(&out, "upsert, replace and skip need a key in the plan\n");
    table.key = (struct column_list){id, 1};
    sql_check_key(&table, &present, strcmp, "unique index", &out);
    assert_buffer(&out, missing);
    sql_check_key(&table, NULL, strcmp, "unique index", &out);
    assert_buffer(&out, "");
    table.existing = EXISTING_APPEND;
    sql_check_key(&table, &present, strcmp, "unique index", &out);
    assert_buffer(&out, "");
    table.existing = EXISTING_SKIP;
    table.key = (struct column_list){at_name, 2};
    sql_check_key(&table, &present, strcmp, "unique index", &out);
    assert_buffer(&out, "");
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_compared_as_the_database_does),
        cmocka_unit_test(key_columns_are_columns),
        cmocka_unit_test(a_shape_fits_the_table),
        cmocka_unit_test(a_generated_column_takes_no_values),
        cmocka_unit_test(a_key_is_a_unique_index_over_just_its_columns),
        cmocka_unit_test(only_some_policies_need_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
