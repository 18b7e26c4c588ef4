/* Plans over documents: fields found by name, all but those named, SQL targets. */
#include "support_plan.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct plan_test folder;

static const char items[] =
    "{\"Item\":{\"PK\":{\"S\":\"C#1\"},\"Name\":{\"S\":\"Ann\"},\"Age\":{\"N\":\"41\"},\"Tags\":{\"L\":[{\"S\":\"a\"}"
    ",{\"N\":\"1.50\"}]}}}\n"
    "{\"Item\":{\"PK\":{\"S\":\"C#2\"},\"Name\":{\"NULL\":true},\"Extra\":{\"M\":{\"x\":{\"BOOL\":true}}}}}\n";

static void open_folder(const char *target)
{
    char path[400];
    char uri[420];
    const char *place = test_folder();
    snprintf(path, sizeof path, "%s/people", place);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/people/data-1.json", place);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fputs(items, file) >= 0, 1);
    fclose(file);
    snprintf(uri, sizeof uri, "dynamodb-json:%s", place);
    plan_test_open_uri(&folder, uri, target);
}

static void fields_are_found_by_name(void **state)
{
    (void)state;
    open_folder("dynamodb-json");
    plan_test_records(&folder,
                      "  t:\n"
                      "    key: { partition: Key }\n"
                      "    from: people\n"
                      "    fields:\n"
                      "      Key: { column: PK }\n"
                      "      Adult: { const: true, when: \"Age >= 18\" }\n"
                      "      Label: \"{Name} ({Age})\"\n"
                      "      Tags: copy\n",
                      "t {Key:\"C#1\",Adult:true,Label:\"Ann (41)\",Tags:[\"a\",1.5]}\n"
                      "t {Key:\"C#2\"}\n");
    plan_test_close(&folder);
}

static void all_fields_but_those_named(void **state)
{
    (void)state;
    open_folder("dynamodb-json");
    plan_test_records(&folder,
                      "  t:\n"
                      "    key: { partition: PK }\n"
                      "    from: people\n"
                      "    where: Age IS NULL\n"
                      "    fields:\n"
                      "      \"*\": copy\n"
                      "      Name: { drop: true }\n"
                      "      Kind: { const: person }\n",
                      "t {\"PK\":\"C#2\",\"Extra\":{\"x\":true},\"Kind\":\"person\"}\n");
    plan_test_close(&folder);
}

static void sql_targets_want_types(void **state)
{
    (void)state;
    open_folder("sqlite");
    plan_test_expect_code(&folder, plan_test_tables(&folder, "  t: { key: [PK], from: people }\n"),
                          ERROR_PLAN_INVALID, "the records of people have no fixed columns");
    plan_test_expect_code(
        &folder,
        plan_test_tables(&folder, "  t: { key: [Name], from: people, fields: { Name: copy } }\n"),
        ERROR_PLAN_INVALID, "the type of 'Name' is not known");
    plan_test_expect_code(
        &folder,
        plan_test_tables(&folder, "  t: { key: [K], from: people, fields: { K: { column: PK, cast: "
                                  "text }, L: { lookup: people, column: PK } } }\n"),
        ERROR_PLAN_INVALID, "no foreign key leads from people up to people");
    plan_test_records(&folder,
                      "  t:\n"
                      "    key: [K]\n"
                      "    columns: { Age: { type: INTEGER } }\n"
                      "    from: people\n"
                      "    fields:\n"
                      "      K: { column: PK, cast: text }\n"
                      "      Name: { column: Name, cast: text }\n"
                      "      Age: copy\n"
                      "      Tags: { column: Tags, cast: json }\n",
                      "t {K:\"C#1\",Name:\"Ann\",Age:41,Tags:[\"a\",1.5]}\n"
                      "t {K:\"C#2\",Name:null,Age:null,Tags:null}\n");
    plan_test_close(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_by_name),
        cmocka_unit_test(all_fields_but_those_named),
        cmocka_unit_test(sql_targets_want_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
