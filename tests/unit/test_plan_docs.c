/* Every example of docs/plan.md does what stands below it. */
#include "support_plan.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* One fenced block: its info string and its text. */
struct block {
    char info[40];
    char *text;
    size_t line;
};

static char *read_page(void)
{
    /* from the root, from a build folder, or beside this file */
    static const char *const places[] = {"docs/plan.md", "../docs/plan.md", "../../docs/plan.md"};
    FILE *file = NULL;
    const char *root = getenv("TRANSHUME_ROOT");
    char path[600];
    if (root != NULL) {
        snprintf(path, sizeof path, "%s/docs/plan.md", root);
        file = fopen(path, "rb");
    }
    for (size_t i = 0; i < 3 && file == NULL; i++) {
        file = fopen(places[i], "rb");
    }
    if (file == NULL) {
        snprintf(path, sizeof path, "%.500s", __FILE__);
        char *slash = strstr(path, "tests/unit/");
        if (slash != NULL) {
            snprintf(slash, sizeof path - (size_t)(slash - path), "docs/plan.md");
            file = fopen(path, "rb");
        }
    }
    assert_non_null(file);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

/* The next block after `*position`, which moves behind it; false at the end. */
static bool next_block(const char **position, struct block *block)
{
    const char *open = strstr(*position, "\n```");
    if (open == NULL) {
        return false;
    }
    const char *info = open + 4;
    const char *start = strchr(info, '\n');
    const char *end = start != NULL ? strstr(start, "\n```") : NULL;
    assert_non_null(end);
    snprintf(block->info, sizeof block->info, "%.*s", (int)(start - info), info);
    block->text = strndup(start + 1, (size_t)(end - start));
    *position = end + 4;
    return block->text != NULL;
}

/* A folder of items, each line of the block in the table that it names. */
static void open_items(struct plan_test *test, const char *items)
{
    char path[400];
    char uri[420];
    const char *place = test_folder();
    for (const char *line = items; *line != '\0';) {
        const char *end = strchr(line, '\n');
        const char *space = strchr(line, ' ');
        assert_true(end != NULL && space != NULL && space < end);
        snprintf(path, sizeof path, "%s/%.*s", place, (int)(space - line), line);
        assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
        snprintf(path, sizeof path, "%s/%.*s/data-1.json", place, (int)(space - line), line);
        FILE *file = fopen(path, "ab");
        assert_non_null(file);
        fprintf(file, "{\"Item\":%.*s}\n", (int)(end - space - 1), space + 1);
        fclose(file);
        line = end + 1;
    }
    snprintf(uri, sizeof uri, "dynamodb-json:%s", place);
    plan_test_open_uri(test, uri, "sqlite");
}

static void run_example(const char *sql, const char *items, const struct block *plan,
                        const struct block *expected)
{
    struct plan_test test;
    bool sqlite = strcmp(plan->info, "yaml sqlite") == 0;
    if (strcmp(plan->info, "yaml items") == 0) {
        assert_non_null(items);
        open_items(&test, items);
    } else {
        plan_test_open(&test, sql, sqlite ? "sqlite" : "dynamodb-json");
    }
    test.document_name = "plan.md";
    if (strcmp(expected->info, "faults") == 0) {
        plan_test_expect_faults(&test, plan->text, expected->text);
    } else {
        assert_string_equal(expected->info, "records");
        plan_test_expect(&test, plan->text);
        assert_string_equal(plan_test_run(&test), expected->text);
    }
    plan_test_close(&test);
}

static void every_example_does_what_it_says(void **state)
{
    (void)state;
    char *page = read_page();
    const char *position = page;
    struct block block;
    char *sql = NULL;
    char *items = NULL;
    uint32_t examples = 0;
    while (next_block(&position, &block)) {
        if (strcmp(block.info, "sql") == 0) {
            assert_null(sql);
            sql = block.text;
            continue;
        }
        if (strcmp(block.info, "items") == 0) {
            assert_null(items);
            items = block.text;
            continue;
        }
        if (strncmp(block.info, "yaml", 4) != 0) {
            fail_msg("a block '%s' without a plan before it", block.info);
        }
        struct block expected;
        assert_true(next_block(&position, &expected));
        assert_non_null(sql);
        run_example(sql, items, &block, &expected);
        free(block.text);
        free(expected.text);
        examples++;
    }
    assert_true(examples >= 20);
    free(sql);
    free(items);
    free(page);
}

int main(void)
{
    setenv("MASK_KEY", "for examples", 1);
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_example_does_what_it_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
