/* Plans that are resolved while memory runs out: each allocation in turn fails, alone or with all
 * that follow. Tables are so wide that what is made for one takes memory of its own. */
#include "support_exhaust.h"
#include "support_plan.h"
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 700 };

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

static const char *wide_table(struct buffer *sql, const char *name, const char *more)
{
    buffer_format(sql, "CREATE TABLE %s(id INTEGER PRIMARY KEY", name);
    for (int i = 0; i < COLUMNS; i++) {
        buffer_format(sql, ", column_%d TEXT NOT NULL DEFAULT 'x%d' COLLATE NOCASE", i, i);
    }
    buffer_format(sql, "%s);", more);
    return buffer_string(sql);
}

static void exhaust_resolving(const char *target, const char *plan)
{
    struct buffer sql = {0};
    wide_table(&sql, "parent", "");
    wide_table(&sql, "child", ", parent INT REFERENCES parent, CHECK (id > 0)");
    buffer_append_string(&sql, "CREATE INDEX by_parent ON child(parent);");
    plan_test_open(&test, buffer_string(&sql), target);
    yaml = plan;
    plan_test_expect(&test, yaml); /* what databases know once they were asked is not asked again */
    exhaust(resolve, 1);
    buffer_free(&sql);
    plan_test_close(&test);
}

static void copies(void **state)
{
    (void)state;
    exhaust_resolving("sqlite", NULL);
    exhaust_resolving("jsonl", NULL);
}

static void plans(void **state)
{
    (void)state;
    exhaust_resolving("sqlite", "transhume: 1\ntables:\n  p: { key: [id], from: parent, fields: { "
                                "\"*\": copy } }\n  c: { key: [id], from: child, fields: { "
                                "\"*\": copy, more: \"{column_3}-{id}\" } }\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(copies), cmocka_unit_test(plans)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
