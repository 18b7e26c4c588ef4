/* Options of a run: what the command says, then the plan, then the defaults. */
#include "engine/session/options.h"
#include "support.h"
#include <stdio.h>
#include <string.h>

static enum status resolve(const char *plan, struct run_options *options, struct error *error)
{
    struct plan_document *document = NULL;
    struct buffer faults = {0};
    char text[1024];
    snprintf(text, sizeof(text),
             "transhume: 1\nsource: sqlite:a.db\ntarget: sqlite:b.db\noptions:\n%s"
             "tables: { t: { from: t, fields: { \"*\": copy } } }\n",
             plan);
    enum status status =
        plan_document_parse(text, strlen(text), "plan.yaml", &document, &faults, error);
    if (status == STATUS_OK) {
        status = options_resolve(options, document, error);
        options->sides.time_zone = NULL; /* lived in the document */
    }
    plan_document_destroy(document);
    buffer_free(&faults);
    return status;
}

static void defaults_stand_when_nobody_speaks(void **state)
{
    (void)state;
    struct run_options options;
    struct error error;
    run_options_default(&options);
    assert_int_equal(options_resolve(&options, NULL, &error), STATUS_OK);
    assert_int_equal(options.limits.memory_bytes, 32 << 20);
    assert_int_equal(options.limits.batch_rows, 4096);
    assert_int_equal(options.limits.batch_bytes, 256 << 10);
    assert_int_equal(options.rejects.max, -1);
    assert_int_equal(options.making.indexes, INDEXES_KEEP);
    assert_int_equal(options.making.triggers, TRIGGERS_KEEP);
    assert_int_equal(options.limits.timeout_ms, 30000);
    assert_int_equal(options.limits.stall_ms, 60000);
    assert_true(options.limits.jobs >= 2 && options.limits.jobs <= 8);
    assert_true(options_ring_bytes(&options) + 2 * options_cache_bytes(&options) <=
                options.limits.memory_bytes);
}

static void the_command_stands_above_the_plan(void **state)
{
    (void)state;
    struct run_options options;
    struct error error;
    run_options_default(&options);
    options.limits.jobs = 3;
    options.rejects.max = 0;
    options.making.indexes = INDEXES_KEEP;
    assert_int_equal(resolve("  indexes: rebuild\n  triggers: disable\n"
                             "  jobs: 5\n  memory: 64MiB\n  max_rejects: 9\n  timeout: 500ms\n"
                             "  stall: 2m\n  express: false\n  hashes: true\n  fail_fast: true\n",
                             &options, &error),
                     STATUS_OK);
    assert_int_equal(options.limits.jobs, 3);
    assert_int_equal(options.making.indexes, INDEXES_KEEP);
    assert_int_equal(options.making.triggers, TRIGGERS_DISABLE);
    assert_int_equal(options.limits.memory_bytes, 64 << 20);
    assert_int_equal(options.rejects.max, 0);
    assert_int_equal(options.limits.timeout_ms, 500);
    assert_int_equal(options.limits.stall_ms, 120000);
    assert_true(options.making.no_express);
    assert_false(options.making.no_hashes);
    assert_false(options.rejects.fail_fast); /* the plan's other word for max_rejects */
    run_options_default(&options);
    assert_int_equal(resolve("  max_rejects: 9\n  fail_fast: true\n", &options, &error), STATUS_OK);
    assert_int_equal(options.rejects.max, 9);
    assert_true(options.rejects.fail_fast);
}

static void wrong_options_are_named(void **state)
{
    (void)state;
    static const char *const plans[] = {
        "  jobs: 0\n",     "  jobs: many\n",       "  jobs: 257\n",      "  memory: 5\n",
        "  timeout: 1y\n", "  fail_fast: maybe\n", "  batch_rows: -1\n", "  indexes: gone\n"};
    for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        struct run_options options;
        struct error error;
        run_options_default(&options);
        assert_int_equal(resolve(plans[i], &options, &error), STATUS_FAILED);
        assert_int_equal(error_exit_status(&error), 2);
    }
    struct run_options options;
    struct error error;
    run_options_default(&options);
    options.limits.jobs = 1000;
    assert_int_equal(options_resolve(&options, NULL, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_BAD_VALUE);
    assert_non_null(strstr(error.message, "jobs"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_stand_when_nobody_speaks),
        cmocka_unit_test(the_command_stands_above_the_plan),
        cmocka_unit_test(wrong_options_are_named),
    };
    return cmocka_run_group_tests_name("engine_options", tests, NULL, NULL);
}
