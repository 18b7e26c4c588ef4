/* Command lines into calls: words, flags in every spelling, the environment, and which plan is
 * meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "cli/help.h"

enum { WORDS_MAX = 32, LINE_BYTES_MAX = 400 };

struct parsed {
    struct cli_call call;
    struct error error;
    enum status status;
    char line[LINE_BYTES_MAX];
};

/* Parses "migrate a b --jobs 2", split at blanks; the empty word is written as ''. */
static void parse(struct parsed *parsed, const char *line)
{
    char *words[WORDS_MAX] = {(char *)(uintptr_t) "transhume"};
    int count = 1;
    memset(parsed, 0, sizeof(*parsed));
    assert_true(strlen(line) < sizeof(parsed->line));
    memcpy(parsed->line, line, strlen(line));
    char *rest = parsed->line;
    for (char *word; (word = strsep(&rest, " ")) != NULL && count < WORDS_MAX;) {
        words[count++] = strcmp(word, "''") == 0 ? word + 2 : word;
    }
    parsed->call.arena = arena_create(0);
    parsed->status = cli_parse(&parsed->call, line[0] == '\0' ? 1 : count, words, &parsed->error);
}

static void forget(struct parsed *parsed)
{
    arena_destroy(parsed->call.arena);
}

static void test_flags_in_every_spelling(void **state)
{
    (void)state;
    const char *lines[] = {
        "migrate a b --jobs 8 --quiet --verbose",
        "migrate a b --jobs=8 -q -v",
        "migrate -j 8 a b -qv",
        "migrate -j8 -qv -- a b",
        "-qvj8 migrate a b",
        "-qvj 8 -- migrate a b",
        "--jobs 3 -v migrate a -j8 --quiet b",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct parsed parsed;
        parse(&parsed, lines[i]);
        assert_int_equal(parsed.status, STATUS_OK);
        assert_string_equal(parsed.call.command->name, "migrate");
        assert_int_equal(parsed.call.argument_count, 2);
        assert_string_equal(parsed.call.arguments[0], "a");
        assert_string_equal(parsed.call.arguments[1], "b");
        assert_int_equal(parsed.call.values[CLI_JOBS].number, 8);
        assert_true(cli_switch(&parsed.call, CLI_QUIET));
        assert_true(cli_switch(&parsed.call, CLI_VERBOSE));
        assert_false(cli_switch(&parsed.call, CLI_FAIL_FAST));
        forget(&parsed);
    }
}

static void test_words_that_look_like_flags(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "migrate -- --jobs -");
    assert_int_equal(parsed.status, STATUS_OK);
    assert_string_equal(parsed.call.arguments[0], "--jobs");
    assert_string_equal(parsed.call.arguments[1], "-");
    forget(&parsed);
    parse(&parsed, "init a b -o -");
    assert_int_equal(parsed.status, STATUS_OK);
    assert_string_equal(cli_text(&parsed.call, CLI_OUTPUT), "-");
    forget(&parsed);
}

static void test_lists_are_kept_in_order(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "migrate a b --include A* --exclude X --include=B? --include C");
    assert_int_equal(parsed.status, STATUS_OK);
    assert_int_equal(parsed.call.values[CLI_INCLUDE].list_count, 3);
    assert_string_equal(parsed.call.values[CLI_INCLUDE].list[1], "B?");
    assert_int_equal(parsed.call.values[CLI_EXCLUDE].list_count, 1);
    forget(&parsed);
}

static void test_faults(void **state)
{
    (void)state;
    const struct {
        const char *line;
        enum error_code code;
    } faults[] = {
        {"migrat", ERROR_USAGE},
        {"migrate a b c", ERROR_USAGE},
        {"migrate a", ERROR_USAGE},
        {"init", ERROR_USAGE},
        {"migrate --jbos 1", ERROR_USAGE},
        {"migrate --jobs", ERROR_USAGE},
        {"migrate --jobs x", ERROR_BAD_VALUE},
        {"migrate --jobs=", ERROR_BAD_VALUE},
        {"migrate -Z", ERROR_USAGE},
        {"migrate --=", ERROR_USAGE},
        {"status --jobs 2", ERROR_USAGE},
        {"migrate --quiet=1", ERROR_USAGE},
        {"migrate --plan ''", ERROR_BAD_VALUE},
        {"''", ERROR_USAGE},
    };
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct parsed parsed;
        parse(&parsed, faults[i].line);
        assert_int_equal(parsed.status, STATUS_FAILED);
        assert_int_equal(parsed.error.code, faults[i].code);
        assert_int_equal(error_exit_status(&parsed.error), 2);
        forget(&parsed);
    }
}

static void test_flag_over_environment(void **state)
{
    (void)state;
    struct parsed parsed;
    setenv("TRANSHUME_JOBS", "3", 1);
    setenv("TRANSHUME_FAIL_FAST", "no", 1);
    setenv("TRANSHUME_MEMORY", "", 1);
    parse(&parsed, "migrate a b");
    assert_int_equal(parsed.status, STATUS_OK);
    assert_int_equal(parsed.call.values[CLI_JOBS].number, 3);
    assert_false(cli_switch(&parsed.call, CLI_FAIL_FAST));
    assert_false(parsed.call.values[CLI_MEMORY].is_set); /* empty is as if it were not there */
    forget(&parsed);
    parse(&parsed, "migrate a b -j5 --fail-fast");
    assert_int_equal(parsed.call.values[CLI_JOBS].number, 5);
    assert_true(cli_switch(&parsed.call, CLI_FAIL_FAST));
    forget(&parsed);
    setenv("TRANSHUME_JOBS", "none", 1);
    parse(&parsed, "migrate a b");
    assert_int_equal(parsed.error.code, ERROR_BAD_VALUE);
    assert_string_equal(parsed.error.object, "TRANSHUME_JOBS");
    forget(&parsed);
    parse(&parsed, "status");
    assert_int_equal(parsed.status, STATUS_OK); /* status has no jobs to read */
    forget(&parsed);
    unsetenv("TRANSHUME_JOBS");
    unsetenv("TRANSHUME_FAIL_FAST");
    unsetenv("TRANSHUME_MEMORY");
}

static void test_secrets_stay_out_of_the_command_line_for_the_log(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "migrate postgres://me:hunter22@h/db sqlite:b?password=hunter22");
    assert_int_equal(parsed.status, STATUS_OK);
    assert_null(strstr(parsed.call.command_line, "hunter22"));
    assert_string_equal(parsed.call.arguments[0], "postgres://me:hunter22@h/db");
    forget(&parsed);
}

/* argv is what other users see in /proc. */
static void test_passwords_are_wiped_from_argv(void **state)
{
    (void)state;
    char program[] = "transhume";
    char command[] = "help";
    char uri[] = "postgres://me:a-long-password@h/db";
    char *words[] = {program, command, uri, NULL};
    assert_int_equal(cli_main(3, words), 2);
    assert_string_equal(uri, "postgres://me:***@h/db");
    for (size_t i = strlen(uri); i < sizeof(uri); i++) {
        assert_int_equal(uri[i], 0);
    }
    char short_uri[] = "postgres://m:p@h/db";
    char *short_words[] = {program, command, short_uri, NULL};
    assert_int_equal(cli_main(3, short_words), 2);
    assert_null(strstr(short_uri, ":p@"));
}

static void test_options_reach_the_engine(void **state)
{
    (void)state;
    struct parsed parsed;
    struct run_options options;
    parse(&parsed,
          "migrate a b --jobs 2 --memory 2MiB --chunk-rows 3 --batch-rows 4 --batch-bytes 2k"
          " --max-rejects 0 --existing skip --timeout 7s");
    cli_run_options(&parsed.call, NULL, &options);
    assert_string_equal(options.sides.source_uri, "a");
    assert_string_equal(options.sides.target_uri, "b");
    assert_string_equal(options.sides.state_folder, ".transhume");
    assert_int_equal(options.limits.jobs, 2);
    assert_int_equal(options.limits.memory_bytes, 2 << 20);
    assert_int_equal(options.limits.chunk_rows, 3);
    assert_int_equal(options.limits.batch_rows, 4);
    assert_int_equal(options.limits.batch_bytes, 2048);
    assert_int_equal(options.rejects.max, 0);
    assert_int_equal(options.making.existing, EXISTING_SKIP);
    assert_int_equal(options.limits.timeout_ms, 7000);
    assert_int_equal(options.command, RUN_BEGIN);
    forget(&parsed);
    parse(&parsed, "resume --take-over --no-express --no-hashes --stall 3 --rows-per-second 5"
                   " --bytes-per-second 6k --time-zone UTC --fail-fast");
    cli_run_options(&parsed.call, "plans/x.yaml", &options);
    assert_string_equal(options.sides.plan_path, "plans/x.yaml");
    assert_string_equal(options.sides.state_folder, "plans/.transhume");
    assert_true(options.take_over && options.making.no_express && options.making.no_hashes &&
                options.command == RUN_RESUME && options.rejects.fail_fast);
    assert_int_equal(options.limits.stall_ms, 3000);
    assert_int_equal(options.limits.rows_per_second_max, 5);
    assert_int_equal(options.limits.bytes_per_second_max, 6144);
    assert_string_equal(options.sides.time_zone, "UTC");
    assert_int_equal(options.rejects.max, -1);
    assert_int_equal(options.making.existing, -1);
    assert_int_equal(options.limits.jobs, 0);
    forget(&parsed);
}

static void test_every_error_code_has_help(void **state)
{
    (void)state;
    for (int code = 1; code < ERROR_CODE_COUNT; code++) {
        const char *name = error_describe((enum error_code)code)->name;
        assert_int_equal(help_error_by_name(name), code);
        if (help_error_causes((enum error_code)code) == NULL ||
            help_error_advice((enum error_code)code) == NULL) {
            fail_msg("%s has no entry in src/cli/error_help.def", name);
        }
    }
    assert_int_equal(help_error_by_name("none"), ERROR_CODE_COUNT);
}

static void test_wrapping(void **state)
{
    (void)state;
    struct buffer out = {0};
    cli_append_wrapped(&out, "one two three\nfour 空港空港", 2, 10);
    assert_string_equal(buffer_string(&out), "  one two\n  three\n  four\n  空港空港\n");
    buffer_clear(&out);
    cli_append_wrapped(&out, "averyverylongword b", 2, 10);
    assert_string_equal(buffer_string(&out), "  averyverylongword\n  b\n");
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flags_in_every_spelling),
        cmocka_unit_test(test_words_that_look_like_flags),
        cmocka_unit_test(test_lists_are_kept_in_order),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_flag_over_environment),
        cmocka_unit_test(test_secrets_stay_out_of_the_command_line_for_the_log),
        cmocka_unit_test(test_passwords_are_wiped_from_argv),
        cmocka_unit_test(test_options_reach_the_engine),
        cmocka_unit_test(test_every_error_code_has_help),
        cmocka_unit_test(test_wrapping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
