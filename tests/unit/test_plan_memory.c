/* Plans that are resolved while memory runs out: each allocation in turn fails, alone or with all
 * that follow. Tables are so wide that what is made for one takes memory of its own. */
#include "support_exhaust.h"
#include "support_plan.h"
#include <stdio.h>
#include <string.h>

static struct plan_test test;
static const char *yaml;

static int resolve(struct error *error)
{
    enum status status = plan_test_resolve(&test, yaml);
    allocations_left = -1;
    error_copy(error, &test.error);
    if (status != STATUS_OK && test.error.code != ERROR_MEMORY) {
        fail_msg("%s: %s", buffer_string(&test.faults), test.error.message);
    }
    return status == STATUS_OK;
}

static void add_table(struct buffer *sql, int columns, const char *name, const char *more)
{
    buffer_format(sql, "CREATE TABLE %s(id INTEGER PRIMARY KEY", name);
    for (int i = 0; i < columns; i++) {
        buffer_format(sql, ", column_%d TEXT NOT NULL DEFAULT 'x%d' COLLATE NOCASE", i, i);
    }
    buffer_format(sql, "%s);", more);
}

/* Of other widths, and so with other things at the ends of what was had at once. */
static void exhaust_resolving(const char *target, const char *plan, long count, int64_t most)
{
    skip_unless_armed();
    struct random random = random_start();
    for (long rounds = test_rounds(count); rounds > 0; rounds--) {
        struct buffer sql = {0};
        int columns = (int)random_between(&random, most / 4, most);
        add_table(&sql, columns, "parent", "");
        add_table(&sql, columns, "child", ", parent INT REFERENCES parent, CHECK (id > 0)");
        buffer_append_string(&sql, "CREATE INDEX by_parent ON child(parent);");
        plan_test_open(&test, buffer_string(&sql), target);
        yaml = plan;
        plan_test_expect(&test,
                         yaml); /* what databases know once they were asked is not asked again */
        exhaust(resolve, 1);
        exhaust_each(resolve);
        buffer_free(&sql);
        plan_test_close(&test);
    }
}

static void copies(void **state)
{
    (void)state;
    exhaust_resolving("sqlite", NULL, 4, 700);
    exhaust_resolving("jsonl", NULL, 4, 700);
    exhaust_resolving("dynamodb-json", NULL, 4, 700);
}

static void plans(void **state)
{
    (void)state;
    exhaust_resolving("sqlite",
                      "transhume: 1\ntables:\n  p: { key: [id], from: parent, fields: { "
                      "\"*\": copy } }\n  c: { key: [id], from: child, fields: { "
                      "\"*\": copy, more: \"{column_3}-{id}\", up: { lookup: parent, "
                      "column: column_1 }, n: { sql: \"id + 1\", cast: int64 }, d: { column: "
                      "column_2, cast: \"decimal(30,2)\", default: "
                      "\"1234567890123456789012345.5\" } } }\n",
                      1, 80);
}

static void documents(void **state)
{
    (void)state;
    exhaust_resolving(
        "dynamodb-json",
        "transhume: 1\ntables:\n  shop:\n    key: { partition: PK, sort: SK }\n    entities:\n"
        "      one:\n        from: parent\n        where: id > 2\n        fields:\n"
        "          PK: \"P#{id}\"\n          SK: META\n          \"*\": copy\n"
        "          Count: { aggregate: child, value: count(*) }\n"
        "          Kids: { embed: child, order: id, when: Count <= 2, fields: { id: copy, T: "
        "\"{column_1}/{column_2}\" } }\n"
        "      page:\n        pages: one.Kids\n        size: 3\n        fields:\n"
        "          PK: \"P#{id}\"\n          SK: \"PAGE#{$page}\"\n          Kids: { column: $list }\n"
        "      other:\n        from: child\n        fields:\n          PK: \"C#{id}\"\n"
        "          SK: META\n          Up: { lookup: parent, column: column_2 }\n",
        1, 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(copies), cmocka_unit_test(plans),
                                       cmocka_unit_test(documents)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
