/* Files of rejects: their lines, who vouches for them, and lines that come back mended. */
#include "base/file.h"
#include "engine/formats/mended_line.h"
#include "engine/rejects/reject_heads.h"
#include "engine/rejects/rejects.h"
#include "support.h"
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct shape_field fields[] = {{"id", 2, {.kind = VALUE_INT64}},
                                            {"v", 1, {.kind = VALUE_FLOAT64}}};
static const struct shape shape = {.name = "thing", .fields = fields, .field_count = 2};

static void add_reject(struct reject_file *file, int64_t id, const char *reason)
{
    struct error error;
    const struct cell cells[] = {cell_int64(id), cell_float64(INFINITY)};
    const char *const names[] = {"i\"d"};
    const struct reject reject = {.run_id = "run",
                                  .chunk = 3,
                                  .entity = "thing",
                                  .table = "things",
                                  .source = "t\xff",
                                  .key_names = names,
                                  .key = cells,
                                  .key_count = 1,
                                  .code = ERROR_REJECT_NUMBER,
                                  .reason = reason,
                                  .shape = &shape,
                                  .cells = cells};
    assert_int_equal(reject_file_add(file, &reject, &error), STATUS_OK);
}

static bool vouch_for_one(void *context, const char *name)
{
    return strcmp(context, name) == 0;
}

static void reject_files_are_vouched_for(void **state)
{
    (void)state;
    struct error error;
    struct ledger_rejects vouched;
    struct reject_file file;
    char path[4096];
    const char *folder = test_folder();
    reject_file_init(&file, folder, 3, 2);
    assert_int_equal(reject_file_sync(&file, &vouched, &error), STATUS_OK);
    assert_null(vouched.file); /* without rejects there is no file */
    for (int i = 0; i < 1000; i++) {
        add_reject(&file, i, "not a\nnumber");
    }
    assert_int_equal(reject_file_sync(&file, &vouched, &error), STATUS_OK);
    assert_string_equal(vouched.file, "3-2.jsonl");
    assert_int_equal(vouched.count, 1000);
    assert_int_equal(rejects_verify(folder, &vouched, &error), STATUS_OK);

    snprintf(path, sizeof(path), "%s/4-1.jsonl", folder);
    assert_int_equal(file_write_atomic(path, "x\n", 2, NULL, &error), STATUS_OK);
    char vouched_name[] = "3-2.jsonl";
    assert_int_equal(rejects_sweep(folder, vouch_for_one, vouched_name, &error), STATUS_OK);
    assert_false(file_exists(path));

    snprintf(path, sizeof(path), "%s/3-2.jsonl", folder);
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(descriptor, "!", 1, 500), 1);
    close(descriptor);
    assert_int_equal(rejects_verify(folder, &vouched, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_STATE_INVALID);
    reject_file_close(&file, false);
    assert_int_equal(rejects_verify(folder, &vouched, &error), STATUS_END);
}

static void a_reject_line(void **state)
{
    (void)state;
    struct error error;
    struct reject_file file;
    char path[4096];
    char *text;
    size_t length;
    struct arena *arena = arena_create(0);
    const char *folder = test_folder();
    struct ledger_rejects vouched;
    reject_file_init(&file, folder, 3, 1);
    add_reject(&file, 7, "too large");
    assert_int_equal(reject_file_sync(&file, &vouched, &error), STATUS_OK);
    snprintf(path, sizeof(path), "%s/3-1.jsonl", folder);
    assert_int_equal(file_read_all(path, 4096, arena, &text, &length, &error), STATUS_OK);
    assert_string_equal(
        text,
        "{\"format\":1,\"run\":\"run\",\"chunk\":3,\"entity\":\"thing\",\"table\":\"things\","
        "\"source\":\"t\\\\xff\",\"key\":{\"i\\\"d\":7},\"code\":\"number-range\","
        "\"reason\":\"too large\",\"record\":{\"id\":7,\"v\":{\"$float64\":\"Infinity\"}}}\n");
    reject_file_close(&file, true);
    arena_destroy(arena);
}

/* ---- mended lines */

static struct plan_entity entities[] = {
    {.number = 0, .name = "thing", .table = 0, .shape = &shape}};
static struct plan_table tables[] = {{.target = {.name = "things"}}};
static const struct plan plan = {
    .entities = entities, .entity_count = 1, .tables = tables, .table_count = 1};

static void mended_lines_are_read(void **state)
{
    (void)state;
    struct error error;
    struct mended_line mended;
    static const char line[] =
        "{\"record\":{\"v\":1.5,\"id\":9},\"key\":{\"k\":1},\"source\":\"src\","
        "\"table\":\"things\",\"entity\":\"thing\",\"more\":[1,{}]}";
    struct batch *batch = batch_create(&shape, 2 + MENDED_EXTRA_CELLS, 2);
    assert_int_equal(mended_line_check(&plan, line, sizeof(line) - 1, &mended, &error), STATUS_OK);
    assert_int_equal(mended_line_append(line, sizeof(line) - 1, batch, &error), STATUS_OK);
    const struct cell *cells = batch_row(batch, 0);
    assert_int_equal(cells[0].i64, 9);
    assert_true(cells[1].f64 == 1.5);
    assert_int_equal(cells[2].kind, VALUE_MAP);
    assert_string_equal(cells[3].text, "src");
    batch_destroy(batch);
}

/* Alike but for what stands behind thousands of bytes. */
static void names_may_be_of_any_length(void **state)
{
    (void)state;
    enum { LONG = 5000 };
    static char names[4][LONG + 1];
    static char line[4 * LONG];
    struct plan_entity alike[2] = {{.name = names[0], .table = 0, .shape = &shape},
                                   {.name = names[1], .table = 1, .shape = &shape}};
    struct plan_table places[2] = {{.target = {.name = names[2]}}, {.target = {.name = names[3]}}};
    const struct plan two = {
        .entities = alike, .entity_count = 2, .tables = places, .table_count = 2};
    struct error error;
    struct mended_line mended;
    for (int i = 0; i < 4; i++) {
        memset(names[i], 'n', LONG);
        names[i][LONG - 1] = (char)('0' + i);
    }
    for (uint32_t i = 0; i < 2; i++) {
        int length =
            snprintf(line, sizeof(line), "{\"entity\":\"%s\",\"table\":\"%s\",\"record\":{}}",
                     names[i], names[2 + i]);
        assert_int_equal(mended_line_check(&two, line, (size_t)length, &mended, &error), STATUS_OK);
        assert_int_equal(mended.entity, i);
    }
    int length = snprintf(line, sizeof(line),
                          "{\"entity\":\"%s\",\"table\":\"t\\nt\",\"record\":{}}", names[0]);
    assert_int_equal(mended_line_check(&two, line, (size_t)length, &mended, &error), STATUS_FAILED);
    assert_non_null(strstr(error.message, "nnn...' in a table 't\\nt'"));
}

static void the_run_of_a_line(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *run;
    } cases[] = {
        {"{\"run\":\"2025\\u002dx\"}", "2025-x"},
        {"{\"run\":\"0123456789012345678901234567890123456789012345678901234567890123\"}", ""},
        {"{\"run\":7}", ""},
        {"{\"run\"", ""}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error error;
        char run[MENDED_RUN_BYTES];
        assert_int_equal(mended_line_run(cases[i].line, strlen(cases[i].line), run, &error),
                         STATUS_OK);
        assert_string_equal(run, cases[i].run);
    }
}

static void wrong_lines_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum error_code code;
    } cases[] = {
        {"", ERROR_REJECT_UNREADABLE},
        {"[]", ERROR_REJECT_UNREADABLE},
        {"{\"entity\":\"thing\",\"table\":\"things\"}", ERROR_REJECT_UNREADABLE},
        {"{\"entity\":\"thing\",\"table\":\"things\",\"record\":null}", ERROR_REJECT_UNREADABLE},
        {"{\"entity\":\"thing\",\"table\":\"other\",\"record\":{}}", ERROR_REJECT_UNREADABLE},
        {"{\"entity\":\"thing\",\"table\":\"things\",\"record\":{\"x\":1}}", ERROR_REJECT_TYPE},
        {"{\"entity\":\"thing\",\"table\":\"things\",\"record\":{}} more", ERROR_REJECT_UNREADABLE},
        {"{\"format\":2,\"entity\":\"thing\",\"table\":\"things\",\"record\":{}}",
         ERROR_FORMAT_NEWER}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error error;
        struct mended_line mended;
        assert_int_equal(
            mended_line_check(&plan, cases[i].line, strlen(cases[i].line), &mended, &error),
            STATUS_FAILED);
        assert_int_equal(error.code, cases[i].code);
    }
}

/* Their records are left out, whatever is in them or looks like one. */
static void heads_are_lines_without_records(void **state)
{
    static const char path[] = "heads.jsonl";
    static const struct {
        const char *line;
        const char *head;
    } cases[] = {
        {"{\"a\":1,\"record\":{\"x\":\"}\\\"\",\"y\":[{}]},\"b\":2}\n",
         "{\"a\":1,\"record\":{},\"b\":2}\n"},
        {"{\"record\":\"text, } \\\\\"}\n", "{\"record\":{}}\n"},
        {"{\"key\":{\"id\":1,\"record\":7},\"record\":{\"v\":1}}\n",
         "{\"key\":{\"id\":1,\"record\":7},\"record\":{}}\n"},
        {"{\"reason\":\"\\\"record\\\":{1\",\"record\":null}\n",
         "{\"reason\":\"\\\"record\\\":{1\",\"record\":{}}\n"},
        {"no JSON, [ at all\n", "no JSON, [ at all\n"},
        {"\n", "\n"},
        {"{\"a\":1,\"record\":{\"torn", "{\"a\":1,\"record\":{}"},
    };
    struct error error;
    struct file_lines lines;
    FILE *file = fopen(path, "we");
    (void)state;
    assert_non_null(file);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(fputs(cases[i].line, file) >= 0);
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(file_lines_open(&lines, path, ERROR_STATE_INVALID, &error), STATUS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(reject_heads_next(&lines, &error), STATUS_OK);
        assert_string_equal(lines.line, cases[i].head);
    }
    assert_int_equal(reject_heads_next(&lines, &error), STATUS_END);
    file_lines_close(&lines);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reject_files_are_vouched_for),
        cmocka_unit_test(a_reject_line),
        cmocka_unit_test(mended_lines_are_read),
        cmocka_unit_test(names_may_be_of_any_length),
        cmocka_unit_test(the_run_of_a_line),
        cmocka_unit_test(heads_are_lines_without_records),
        cmocka_unit_test(wrong_lines_are_refused),
    };
    return cmocka_run_group_tests_name("reject_files", tests, NULL, NULL);
}
