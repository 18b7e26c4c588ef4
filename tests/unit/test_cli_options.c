/* The option table is sound, agrees with the engine's, and texts become values of each type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/options.h"
#include "engine/session/options.h"

static enum status set(enum cli_option_id id, const char *text, struct cli_value *value,
                       struct error *error)
{
    struct arena *arena = arena_create(0);
    assert_non_null(arena);
    memset(value, 0, sizeof(*value));
    enum status status = cli_value_set(value, cli_option_at(id), "--it", text, arena, error);
    arena_destroy(arena);
    return status;
}

static void assert_number(enum cli_option_id id, const char *text, int64_t expected)
{
    struct cli_value value;
    struct error error = {0};
    assert_int_equal(set(id, text, &value, &error), STATUS_OK);
    assert_int_equal(value.number, expected);
    assert_true(value.is_set);
}

static void assert_refused(enum cli_option_id id, const char *text)
{
    struct cli_value value;
    struct error error = {0};
    assert_int_equal(set(id, text, &value, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_BAD_VALUE);
    assert_string_equal(error.object, "--it");
    assert_false(value.is_set);
}

static void test_table_is_sound(void **state)
{
    (void)state;
    for (int i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option *option = cli_option_at((enum cli_option_id)i);
        assert_int_equal(option->id, i);
        assert_ptr_equal(cli_option_by_name(option->name, strlen(option->name)), option);
        assert_true(option->places != 0 && (option->places & ~(uint32_t)IN_ALL) == 0);
        assert_true(strlen(option->help) > 0 && option->help[strlen(option->help) - 1] == '.');
        assert_true((option->argument == NULL) == (option->type == CLI_TYPE_SWITCH));
        assert_true((option->range != NULL) || (option->type != CLI_TYPE_CHOICE));
        if (option->letter != 0) {
            assert_ptr_equal(cli_option_by_letter(option->letter), option);
        }
    }
}

static void test_defaults_lie_in_their_ranges(void **state)
{
    (void)state;
    for (int i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option *option = cli_option_at((enum cli_option_id)i);
        struct cli_value value;
        struct error error = {0};
        if (option->default_text != NULL) {
            assert_int_equal(set(option->id, option->default_text, &value, &error), STATUS_OK);
        }
    }
}

/* The environment's names follow from the options'. */
static void test_environment_names(void **state)
{
    (void)state;
    for (int i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option *option = cli_option_at((enum cli_option_id)i);
        if (option->environment == NULL) {
            continue;
        }
        char name[64] = "TRANSHUME_";
        size_t length = strlen(name);
        for (const char *at = option->name; *at != '\0'; at++) {
            name[length++] = (char)(*at == '-' ? '_' : *at - 'a' + 'A');
        }
        name[length] = '\0';
        assert_string_equal(option->environment, name);
    }
}

/* What the help says about defaults and ranges is what the engine does. */
static void test_engine_agrees(void **state)
{
    (void)state;
    struct run_options defaults;
    struct error error = {0};
    run_options_default(&defaults);
    assert_int_equal(options_resolve(&defaults, NULL, &error), STATUS_OK);
    assert_number(CLI_MEMORY, cli_option_at(CLI_MEMORY)->default_text,
                  (int64_t)defaults.limits.memory_bytes);
    assert_number(CLI_BATCH_ROWS, cli_option_at(CLI_BATCH_ROWS)->default_text,
                  (int64_t)defaults.limits.batch_rows);
    assert_number(CLI_BATCH_BYTES, cli_option_at(CLI_BATCH_BYTES)->default_text,
                  (int64_t)defaults.limits.batch_bytes);
    assert_number(CLI_TIMEOUT, cli_option_at(CLI_TIMEOUT)->default_text,
                  defaults.limits.timeout_ms);
    assert_number(CLI_STALL, cli_option_at(CLI_STALL)->default_text, defaults.limits.stall_ms);
    assert_int_equal(defaults.rejects.max, -1);
    assert_int_equal(defaults.limits.chunk_rows, 0);
    assert_int_equal(defaults.limits.rows_per_second_max, 0);
    assert_int_equal(defaults.limits.bytes_per_second_max, 0);
}

static void test_choices_follow_the_enums(void **state)
{
    (void)state;
    assert_number(CLI_EXISTING, "refuse", EXISTING_REFUSE);
    assert_number(CLI_EXISTING, "append", EXISTING_APPEND);
    assert_number(CLI_EXISTING, "upsert", EXISTING_UPSERT);
    assert_number(CLI_EXISTING, "replace", EXISTING_REPLACE);
    assert_number(CLI_EXISTING, "skip", EXISTING_SKIP);
    assert_number(CLI_INDEXES, "keep", INDEXES_KEEP - 1); /* 0 is unset */
    assert_number(CLI_INDEXES, "rebuild", INDEXES_REBUILD - 1);
    assert_number(CLI_TRIGGERS, "keep", TRIGGERS_KEEP - 1);
    assert_number(CLI_TRIGGERS, "disable", TRIGGERS_DISABLE - 1);
    assert_number(CLI_PROGRESS, "auto", PROGRESS_AUTO);
    assert_number(CLI_PROGRESS, "bar", PROGRESS_BAR);
    assert_number(CLI_PROGRESS, "log", PROGRESS_LOG);
    assert_number(CLI_PROGRESS, "json", PROGRESS_JSON);
    assert_number(CLI_PROGRESS, "none", PROGRESS_NONE);
}

static void test_counts(void **state)
{
    (void)state;
    assert_number(CLI_CHUNK_ROWS, "1", 1);
    assert_number(CLI_CHUNK_ROWS, "20k", 20000);
    assert_number(CLI_CHUNK_ROWS, "2M", 2000000);
    assert_number(CLI_CHUNK_ROWS, "1_000_000", 1000000);
    assert_number(CLI_MAX_REJECTS, "0", 0);
    assert_number(CLI_MAX_REJECTS, "9223372036854775807", INT64_MAX);
    const char *bad[] = {"",
                         "0",
                         "-1",
                         "+1",
                         "1.5",
                         "1e3",
                         "k",
                         "1kk",
                         "1 k",
                         "abc",
                         "_1",
                         "4294967296",
                         "0x1",
                         "1\n2",
                         "１",
                         "NaN",
                         "99999999999999999999999999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(CLI_CHUNK_ROWS, bad[i]);
    }
    assert_refused(CLI_MAX_REJECTS, "9223372036854775808");
    assert_refused(CLI_MAX_REJECTS, "9223372036854775807k");
}

static void test_sizes_and_times(void **state)
{
    (void)state;
    assert_number(CLI_MEMORY, "64MiB", 64 << 20);
    assert_number(CLI_MEMORY, "1G", 1 << 30);
    assert_number(CLI_MEMORY, "1048576", 1 << 20);
    assert_refused(CLI_MEMORY, "1MiBs");
    assert_refused(CLI_MEMORY, "1");
    assert_refused(CLI_MEMORY, "2TiB");
    assert_refused(CLI_MEMORY, "99999999999999999999");
    assert_number(CLI_TIMEOUT, "30", 30000);
    assert_number(CLI_TIMEOUT, "30s", 30000);
    assert_number(CLI_TIMEOUT, "500ms", 500);
    assert_number(CLI_TIMEOUT, "5m", 300000);
    assert_number(CLI_TIMEOUT, "24h", 86400000);
    assert_refused(CLI_TIMEOUT, "25h");
    assert_refused(CLI_TIMEOUT, "0");
    assert_refused(CLI_TIMEOUT, "5 m");
    assert_refused(CLI_TIMEOUT, "9223372036854775807h");
}

static void test_switches(void **state)
{
    (void)state;
    assert_number(CLI_FAIL_FAST, "1", 1);
    assert_number(CLI_FAIL_FAST, "yes", 1);
    assert_number(CLI_FAIL_FAST, "TRUE", 1);
    assert_number(CLI_FAIL_FAST, "0", 0);
    assert_number(CLI_FAIL_FAST, "off", 0);
    assert_refused(CLI_FAIL_FAST, "2");
}

static void test_nearest_choice_is_suggested(void **state)
{
    (void)state;
    struct cli_value value;
    struct error error = {0};
    assert_int_equal(set(CLI_EXISTING, "replaec", &value, &error), STATUS_FAILED);
    assert_non_null(strstr(error.hint, "`replace`"));
    assert_int_equal(set(CLI_EXISTING, "refuse|append", &value, &error), STATUS_FAILED);
    assert_refused(CLI_EXISTING, "");
}

static void test_control_characters_are_shown_escaped(void **state)
{
    (void)state;
    struct cli_value value;
    struct error error = {0};
    assert_int_equal(set(CLI_JOBS, "1\x1b[31m\n", &value, &error), STATUS_FAILED);
    assert_null(strchr(error.message, '\x1b'));
    assert_null(strchr(error.message, '\n'));
}

static void test_lists_grow(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct cli_value value = {0};
    struct error error = {0};
    const char *texts[] = {"A*", "B", "C?"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(
            cli_value_set(&value, cli_option_at(CLI_INCLUDE), "--include", texts[i], arena, &error),
            STATUS_OK);
    }
    assert_int_equal(value.list_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(value.list[i], texts[i]);
    }
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_is_sound),
        cmocka_unit_test(test_defaults_lie_in_their_ranges),
        cmocka_unit_test(test_environment_names),
        cmocka_unit_test(test_engine_agrees),
        cmocka_unit_test(test_choices_follow_the_enums),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_sizes_and_times),
        cmocka_unit_test(test_switches),
        cmocka_unit_test(test_nearest_choice_is_suggested),
        cmocka_unit_test(test_control_characters_are_shown_escaped),
        cmocka_unit_test(test_lists_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
