/* Folders of migrations: names, versions, checksums, sections, directives, checks. */
#include "evolve/folder/folder.h"
#include "evolve/folder/version.h"
#include "support.h"
#include "support_arena.h"
#include <stdio.h>
#include <string.h>

static char folder[256];

static void begin(void)
{
    snprintf(folder, sizeof(folder), "%s", test_folder());
}

static void put_bytes(const char *name, const char *text, size_t length)
{
    char path[400];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void put(const char *name, const char *text)
{
    put_bytes(name, text, strlen(text));
}

/* The faults, without the folder's name; "" where all is well. */
static const char *read_folder(struct migration_set *set)
{
    struct buffer lines = {0};
    struct plan_faults faults;
    struct error error = {0};
    plan_faults_init(&faults, folder, &lines);
    enum status status = migration_folder_read(folder, NULL, arena, set, &faults, &error);
    const char *told = arena_copy_string(arena, buffer_string(&lines));
    buffer_free(&lines);
    assert_int_equal(status, told[0] == '\0' ? STATUS_OK : STATUS_FAILED);
    const char *behind = strstr(told, folder);
    return behind == NULL ? told : behind + strlen(folder) + 1;
}

static void test_versions_are_ordered_as_numbers(void **state)
{
    (void)state;
    static const char *const order[] = {"0",   "1",    "2",  "2.1",
                                        "2.9", "2.10", "10", "20240101120000"};
    for (size_t i = 1; i < sizeof(order) / sizeof(order[0]); i++) {
        assert_true(strcmp(migration_version_key(order[i - 1], arena),
                           migration_version_key(order[i], arena)) < 0);
    }
    assert_string_equal(migration_version_key("001", arena), migration_version_key("1", arena));
    assert_string_equal(migration_version_key("1.02", arena), migration_version_key("1.2", arena));
    assert_false(migration_version_is_number(migration_version_key("1a", arena)));
    assert_int_equal(migration_version_length("12.3_x"), 4);
    assert_int_equal(migration_version_length("12._x"), 2);
    assert_int_equal(migration_version_length("x1"), 0);
}

static void test_checksums(void **state)
{
    (void)state;
    static const char *const same[] = {"a\nb", "a\nb\n", "a\r\nb\r\n", "a\rb",
                                       "\xEF\xBB\xBF"
                                       "a\nb"};
    static const char *const others[] = {"a\n\nb", "a\nb\n\n", "a \nb", "a\nb -- c", ""};
    char first[MIGRATION_CHECKSUM_SIZE];
    char other[MIGRATION_CHECKSUM_SIZE];
    migration_checksum(same[0], strlen(same[0]), first);
    for (size_t i = 1; i < sizeof(same) / sizeof(same[0]); i++) {
        migration_checksum(same[i], strlen(same[i]), other);
        assert_string_equal(first, other);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        migration_checksum(others[i], strlen(others[i]), other);
        assert_string_not_equal(first, other);
    }
    migration_checksum("abc", 3, other);
    assert_string_equal(other,
                        "s1:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_files_of_a_folder(void **state)
{
    (void)state;
    struct migration_set set;
    begin();
    put("010_third.sql", "-- migrate:up\nSELECT 3;\n-- migrate:down\nSELECT -3;\n");
    put("2_second.up.sql", "SELECT 2;");
    put("2_second.down.sql", "SELECT -2;");
    put("001_first.sql", "SELECT 1;");
    put("R_views.sql", "SELECT 0;");
    put("2_both.baseline.sql", "SELECT 12;");
    put("README.md", "no migration");
    put(".hidden.sql", "no migration");
    assert_string_equal(read_folder(&set), "");
    assert_int_equal(set.count, 5);
    static const char *const names[] = {"first", "both", "second", "third", "views"};
    static const enum migration_kind kinds[] = {MIGRATION_VERSIONED, MIGRATION_BASELINE,
                                                MIGRATION_VERSIONED, MIGRATION_VERSIONED,
                                                MIGRATION_REPEATABLE};
    for (uint32_t i = 0; i < 5; i++) {
        assert_string_equal(set.items[i].name, names[i]);
        assert_int_equal(set.items[i].kind, kinds[i]);
    }
    assert_null(set.items[0].down.text);
    assert_memory_equal(set.items[2].down.text, "SELECT -2;", set.items[2].down.length);
    assert_memory_equal(set.items[3].up.text, "SELECT 3;\n", set.items[3].up.length);
    assert_memory_equal(set.items[3].down.text, "SELECT -3;\n", set.items[3].down.length);
    assert_int_equal(set.items[3].up.line, 2);
    assert_int_equal(set.items[3].down.line, 4);
    assert_ptr_equal(migration_by_key(&set, migration_version_key("10", arena)), &set.items[3]);
    assert_null(migration_by_key(&set, migration_version_key("11", arena)));
    assert_ptr_equal(migration_repeatable(&set, "views"), &set.items[4]);
}

static void test_faults_of_files(void **state)
{
    (void)state;
    static const struct {
        const char *names[2];
        const char *text;
        const char *fault;
    } cases[] = {
        {{"first.sql"}, "", "first.sql:1:1: its name has no version"},
        {{"1first.sql"}, "", "1first.sql:1:1: its name has no version"},
        {{"1_a.sql", "001_b.sql"}, "", "001_b.sql"},
        {{"1_a.up.sql", "1_a.sql"}, "", "1_a.up.sql:1:1: another file of this version"},
        {{"1_a.down.sql"}, "", "1_a.down.sql:1:1: the way back is there"},
        {{"1_a.checks.yaml"}, "", "1_a.checks.yaml:1:1: the migration that it has checks for"},
        {{"1_a.sql"},
         "\xFF\xFE"
         "a",
         "1_a.sql:1:1: it is UTF-16"},
        {{"1_a.sql"}, "a\nb\xE9", "1_a.sql:2:1: it is not UTF-8"},
        {{"1_a.sql"}, "SELECT 1;\n-- migrate:up\n", "1_a.sql:1:1: SQL in front of"},
        {{"1_a.sql"},
         "-- migrate:down\n-- migrate:up\n",
         "1_a.sql:1:1: `-- migrate:up` stands first"},
        {{"1_a.sql"}, "-- migrate:up\n-- migrate:up\n", "1_a.sql:1:1: more than one"},
        {{"1_a.sql"},
         "\n-- transhume:transactoin none\n",
         "1_a.sql:2:4: there is no directive 'transactoin'"},
        {{"1_a.sql"},
         "-- transhume:transaction some\n",
         "1_a.sql:1:4: transaction is auto or none"},
        {{"1_a.sql"}, "-- transhume:lock-timeout soon\n", "1_a.sql:1:4: a time such as 5s"},
        {{"1_a.sql"},
         "-- transhume:before nul t.c\n",
         "1_a.sql:1:4: there is no check 'nul'; did you mean"},
        {{"1_a.sql"}, "-- transhume:before rows t unchanged\n", "1_a.sql:1:4: only a check behind"},
        {{"1_a.sql"}, "-- transhume:after rows t\n", "1_a.sql:1:4: '= N', '> N'"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct migration_set set;
        begin();
        for (size_t j = 0; j < 2 && cases[i].names[j] != NULL; j++) {
            put(cases[i].names[j], cases[i].text);
        }
        const char *told = read_folder(&set);
        if (strstr(told, cases[i].fault) == NULL) {
            fail_msg("case %zu: '%s'", i, told);
        }
    }
}

static void test_directives(void **state)
{
    (void)state;
    struct migration_set set;
    begin();
    put("1_a.sql",
        "\xEF\xBB\xBF-- what it is\n\n--transhume:transaction none\n"
        "#  transhume:lock-timeout 250ms\n-- transhume:statement-timeout 1m\n"
        "-- transhume:requires 3, 004\n-- transhume:before null t.c\n"
        "-- transhume:after rows t unchanged\nSELECT 1;\n-- transhume:lock-timeout 9s\n");
    put("1_a.checks.yaml", "before:\n  - rows t > 0\nafter:\n  - query SELECT 1 => 1\n");
    assert_string_equal(read_folder(&set), "");
    const struct migration_options *options = &set.items[0].up.options;
    assert_true(options->apart);
    assert_int_equal(options->lock_ms, 250);
    assert_int_equal(options->statement_ms, 60000);
    assert_int_equal(options->requires.count, 2);
    assert_string_equal(options->requires.names[1], "004");
    assert_int_equal(options->before_count, 2);
    assert_int_equal(options->after_count, 2);
}

static void test_checks_as_queries(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *sql;
        enum check_relation relation;
        const char *expected;
    } cases[] = {
        {"null s.t.c", "SELECT count(*) FROM s.t WHERE c IS NULL", CHECK_EQUAL, "0"},
        {"duplicate t.a,b",
         "SELECT count(*) FROM (SELECT a,b FROM t WHERE a IS NOT NULL AND b IS NOT NULL GROUP BY a,b "
         "HAVING count(*) > 1) AS found",
         CHECK_EQUAL, "0"},
        {"orphan o.\"u.id\" u.id",
         "SELECT count(*) FROM o AS child WHERE child.\"u.id\" IS NOT NULL AND NOT EXISTS (SELECT 1 "
         "FROM u AS parent WHERE parent.id = child.\"u.id\")",
         CHECK_EQUAL, "0"},
        {"rows t >= 10", "SELECT count(*) FROM t", CHECK_AT_LEAST, "10"},
        {"sum t.c unchanged", "SELECT sum(c) FROM t", CHECK_UNCHANGED, "0"},
        {"query SELECT max(a) FROM t WHERE b => 1 => 7.50", "SELECT max(a) FROM t WHERE b => 1",
         CHECK_EQUAL, "7.50"},
        {"query SELECT 1 WHERE false => NULL", "SELECT 1 WHERE false", CHECK_EQUAL, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct schema_check check = {0};
        struct error error = {0};
        assert_int_equal(check_parse(cases[i].text, strlen(cases[i].text), arena, &check, &error),
                         STATUS_OK);
        assert_string_equal(check.sql, cases[i].sql);
        assert_int_equal(check.relation, cases[i].relation);
        if (cases[i].expected == NULL) {
            assert_null(check.expected);
        } else {
            assert_string_equal(check.expected, cases[i].expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_versions_are_ordered_as_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_checksums, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_of_a_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_faults_of_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_directives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_checks_as_queries, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
