/* Files of declared changes: what is read of them, what is wrong with them; and their steps as a
 * text of the history. */
#include "evolve/change/file.h"
#include "evolve/change/grammar.h"
#include "evolve/change/stored.h"
#include "support.h"
#include "support_arena.h"
#include <string.h>

static enum status parse(const char *name, const char *text, struct change_file *file,
                         struct buffer *faults, struct error *error)
{
    struct plan_faults collected;
    plan_faults_init(&collected, name, faults);
    return change_file_parse(text, strlen(text), name, arena, file, &collected, error);
}

static void test_values(void **state)
{
    struct change_file file;
    struct error error = {0};
    (void)state;
    assert_int_equal(
        parse("db/007_split_name.change.yaml",
              "version_schema: v7\noperations:\n- alter_column:\n    table: t\n    column: "
              "c\n    default: null\n    nullable: false\n    up: \"a: 'b'\"\n- drop_table: "
              "{name: \"7\"}\n",
              &file, NULL, &error),
        STATUS_OK);
    assert_string_equal(file.change.version, "007");
    assert_string_equal(file.change.name, "split_name");
    assert_string_equal(file.change.place, "v7");
    assert_int_equal(file.change.count, 2);
    const struct change_value *value = &file.change.operations[0].value;
    assert_string_equal(file.change.operations[0].kind, "alter_column");
    assert_string_equal(change_text(value, "up"), "a: 'b'");
    assert_string_equal(change_text(value, "nullable"), "false");
    assert_int_equal(change_get(value, "default")->kind, CHANGE_NULL);
    assert_null(change_text(value, "default"));
    assert_null(change_get(value, "down"));
    assert_int_equal(change_get(value, "table")->line, 4);
    assert_string_equal(change_text(&file.change.operations[1].value, "name"), "7");
}

/* Each text's only fault, and its place. */
static void test_faults(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *text;
        const char *fault;
    } cases[] = {
        {"x.change.yaml", "operations: [{drop_table: {name: a}}]", ":1:1: its name has no version"},
        {"007_a.yaml", "operations: [{drop_table: {name: a}}]", ":1:1: its name has no version"},
        {"007_a.change.yaml", "[]", ":1:1: it is a map with `operations`"},
        {"007_a.change.yaml", "operations: []", ":1:13: `operations` is a list of 1 to"},
        {"007_a.change.yaml", "operation: 1\noperations: [{drop_table: {name: a}}]",
         ":1:1: there is no 'operation' here"},
        {"007_a.change.yaml", "operations:\n- drop_tabel: {name: a}",
         ":2:3: there is no operation 'drop_tabel'"},
        {"007_a.change.yaml", "operations:\n- drop_table: {nmae: a, name: b}",
         ":2:16: drop_table has no 'nmae'"},
        {"007_a.change.yaml", "operations:\n- drop_table: {}", ":2:15: drop_table needs 'name'"},
        {"007_a.change.yaml", "operations:\n- drop_table: a",
         ":2:15: drop_table is a map of fields"},
        {"007_a.change.yaml", "operations:\n- drop_table: {name: [a]}", ":2:22: name is a text"},
        {"007_a.change.yaml",
         "operations:\n- add_column: {table: t, column: {name: a, type: int, pk: 1}}",
         "pk is true or false"},
        {"007_a.change.yaml", "operations:\n- create_constraint: {table: t, name: c, type: uniqe}",
         "type is one of unique|"},
        {"007_a.change.yaml", "operations:\n- create_table: {name: t, columns: []}",
         "columns is empty"},
        {"007_a.change.yaml", "operations:\n- create_table: {name: t, columns: [a]}",
         "columns is a list of maps"},
        {"007_a.change.yaml",
         "operations:\n- {drop_table: {name: a}, rename_table: {from: a, to: b}}",
         "an operation is one name with its fields"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct change_file file;
        struct error error = {0};
        struct buffer faults = {0};
        assert_int_equal(parse(cases[i].name, cases[i].text, &file, &faults, &error),
                         STATUS_FAILED);
        assert_int_equal(error.code, ERROR_CHANGE_INVALID);
        if (strstr(buffer_string(&faults), cases[i].fault) == NULL) {
            fail_msg("%s: %s", cases[i].text, buffer_string(&faults));
        }
        buffer_free(&faults);
    }
}

/* Every operation that the tables name is found, and has what a reference says of it. */
static void test_tables(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < change_shape_count; i++) {
        const struct change_shape *shape = &change_shapes[i];
        assert_ptr_equal(change_shape_of(shape->name), shape);
        assert_non_null(shape->help);
        assert_true(shape->count > 0);
        for (uint32_t j = 0; j < shape->count; j++) {
            bool maps = (shape->fields[j].forms & (CHANGE_FORM_MAP | CHANGE_FORM_MAPS)) != 0;
            assert_true(shape->fields[j].forms != 0);
            assert_int_equal(maps, shape->fields[j].shape != NULL);
        }
    }
    assert_null(change_shape_of("nothing"));
}

/* ---------------------------------------------------------------- steps */

static void test_stored(void **state)
{
    static const struct change_step steps[] = {
        {.phase = CHANGE_EXPAND,
         .operation = 0,
         .title = "a \"b\"\n",
         .text = "CREATE TABLE t (a int)",
         .undo = "DROP TABLE t",
         .lock = ALTER_LOCK_ALL},
        {.phase = CHANGE_FILL,
         .kind = CHANGE_BATCHES,
         .operation = UINT32_MAX,
         .title = "fill",
         .text = "{}",
         .settings = "SET a = 1"},
        {.phase = CHANGE_PROVE,
         .title = "p",
         .text = "x",
         .stands = "SELECT 1",
         .rewrites = true,
         .alone = true,
         .joined = true,
         .again = true,
         .repeats = true,
         .language = ALTER_CQL},
        {.phase = CHANGE_CONTRACT, .title = "c", .text = "", .lock = ALTER_LOCK_WRITES},
    };
    static const struct change_way ways[] = {{1, "at once", NULL}, {2, "w", "careful"}};
    const struct change_plan plan = {steps, 4, ways, 2, "public", NULL};
    struct buffer text = {0};
    struct buffer again = {0};
    struct change_plan read;
    struct error error = {0};
    (void)state;
    change_plan_write(&plan, &text);
    assert_int_equal(change_plan_read(buffer_string(&text), arena, &read, &error), STATUS_OK);
    change_plan_write(&read, &again);
    assert_string_equal(buffer_string(&again), buffer_string(&text));
    assert_int_equal(read.count, 4);
    assert_string_equal(read.steps[0].title, steps[0].title);
    assert_true(read.steps[2].alone && read.steps[2].joined && read.steps[2].again &&
                read.steps[2].repeats);
    assert_int_equal(read.steps[2].language, ALTER_CQL);
    assert_int_equal(read.steps[1].operation, UINT32_MAX);
    assert_string_equal(read.ways[1].warning, "careful");
    assert_null(read.new_place);
    buffer_free(&text);
    buffer_free(&again);
}

static void test_stored_damaged(void **state)
{
    static const struct {
        const char *text;
        enum error_code code;
    } cases[] = {
        {"", ERROR_LEDGER_INVALID},
        {"{}", ERROR_LEDGER_INVALID},
        {"{\"format\":2}", ERROR_FORMAT_NEWER},
        {"{\"format\":1,\"old\":1,\"new\":null,\"ways\":[],\"steps\":[]}", ERROR_LEDGER_INVALID},
        {"{\"format\":1,\"old\":null,\"new\":null,\"ways\":[],\"steps\":[{}]}",
         ERROR_LEDGER_INVALID},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct change_plan plan;
        struct error error = {0};
        assert_int_equal(change_plan_read(cases[i].text, arena, &plan, &error), STATUS_FAILED);
        assert_int_equal(error.code, cases[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),         cmocka_unit_test(test_faults),
        cmocka_unit_test(test_tables),         cmocka_unit_test(test_stored),
        cmocka_unit_test(test_stored_damaged),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
