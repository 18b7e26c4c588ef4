/* Statements of migrations: which are one transaction, and what can't be run. */
#include "evolve/folder/steps.h"
#include "support.h"
#include "support_arena.h"
#include <string.h>

static enum status no_begin(struct alter_session *session, struct error *error)
{
    (void)session;
    (void)error;
    return STATUS_OK;
}

/* As they are to cutting; nothing else of them is called. */
static const struct alter_functions engines[] = {
    [SQL_POSTGRES] = {.languages = 1u << ALTER_SQL,
                      .sql = SQL_POSTGRES,
                      .takes_back_ddl = true,
                      .begin = no_begin},
    [SQL_MYSQL] = {.languages = 1u << ALTER_SQL, .sql = SQL_MYSQL, .begin = no_begin},
    [SQL_SQLITE] = {.languages = 1u << ALTER_SQL,
                    .sql = SQL_SQLITE,
                    .takes_back_ddl = true,
                    .begin = no_begin},
};

static enum status read_text(enum sql_language language, const char *text, bool apart,
                             struct migration_steps *steps, struct buffer *lines)
{
    struct migration_text file = {.path = "1.sql",
                                  .text = text,
                                  .length = strlen(text),
                                  .line = 1,
                                  .options = {.apart = apart}};
    struct plan_faults faults;
    struct error error = {0};
    plan_faults_init(&faults, "1.sql", lines);
    return migration_read_steps(&file, ALTER_SQL, &engines[language], arena, steps, &faults,
                                &error);
}

/* "T2 A1 F1": a transaction of two statements, one alone, one free; "!" if it is one as a whole. */
static void show(const struct migration_steps *steps, struct buffer *out)
{
    static const char letters[] = {
        [SEGMENT_FREE] = 'F', [SEGMENT_TRANSACTION] = 'T', [SEGMENT_ALONE] = 'A'};
    for (uint32_t i = 0; i < steps->segment_count; i++) {
        const struct migration_segment *segment = &steps->segments[i];
        buffer_format(out, "%s%c%u%s", i > 0 ? " " : "", letters[segment->kind], segment->count,
                      segment->doubtful ? "?" : "");
    }
    buffer_append_string(out, steps->is_whole ? "!" : "");
}

static void test_segments(void **state)
{
    (void)state;
    static const struct {
        enum sql_language language;
        bool apart;
        const char *text;
        const char *segments;
    } cases[] = {
        {SQL_POSTGRES, false, "", "!"},
        {SQL_POSTGRES, false, "CREATE TABLE t(a int); INSERT INTO t VALUES (1);", "T2!"},
        {SQL_POSTGRES, false, "BEGIN; CREATE TABLE t(a int); COMMIT;", "T1!"},
        {SQL_POSTGRES, false, "BEGIN; SELECT 1; COMMIT; BEGIN; CREATE TABLE t(); COMMIT;", "T1 T1"},
        {SQL_POSTGRES, false, "SET a = 1; CREATE TABLE t(a int); SELECT 1;", "T3!"},
        {SQL_POSTGRES, false, "CREATE INDEX CONCURRENTLY i ON t(a);", "A1"},
        {SQL_POSTGRES, false,
         "SET lock_timeout = 0; CREATE INDEX CONCURRENTLY i ON t(a); ALTER TABLE t ADD b int; "
         "UPDATE t SET b = 1;",
         "F1 A1 T2"},
        {SQL_POSTGRES, false, "ALTER TYPE e ADD VALUE 'x'; INSERT INTO t VALUES ('x');", "A1 T1"},
        {SQL_POSTGRES, true, "CREATE TABLE t(a int); INSERT INTO t VALUES (1); SELECT 1;",
         "A1 T1 F1"},
        {SQL_POSTGRES, false, "BEGIN; SAVEPOINT s; CREATE TABLE t(); ROLLBACK TO s; COMMIT", "T3!"},
        {SQL_SQLITE, false, "PRAGMA foreign_keys = OFF; DROP TABLE t; PRAGMA foreign_keys = ON;",
         "F1 T1 F1!"},
        {SQL_SQLITE, false, "BEGIN IMMEDIATE TRANSACTION; DROP TABLE t; END;", "T1!"},
        {SQL_SQLITE, false, "DROP TABLE t; VACUUM;", "T1 A1"},
        {SQL_MYSQL, false, "CREATE TABLE t(a int)", "A1"},
        {SQL_MYSQL, false, "INSERT INTO t VALUES (1); UPDATE t SET a = 2;", "T2!"},
        {SQL_MYSQL, false,
         "CREATE TABLE t(a int); INSERT INTO t VALUES (1); UPDATE t SET a = 2; DROP TABLE u;",
         "A1 T2 A1"},
        {SQL_MYSQL, false, "SET NAMES utf8mb4; CREATE TABLE t(a int); CALL p();", "F1 A1 T1?"},
        {SQL_MYSQL, false, "CREATE TEMPORARY TABLE x AS SELECT 1; INSERT INTO t SELECT * FROM x;",
         "T2!"},
        {SQL_MYSQL, false, "LOCK TABLES t WRITE; INSERT INTO t VALUES (1); UNLOCK TABLES;", "T1!"},
        {SQL_MYSQL, false, "INSERT INTO t VALUES (1); COMMIT;", "T1!"},
    };
    struct buffer out = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct migration_steps steps;
        struct buffer lines = {0};
        enum status status =
            read_text(cases[i].language, cases[i].text, cases[i].apart, &steps, &lines);
        if (status != STATUS_OK) {
            fail_msg("%s: %s", cases[i].text, buffer_string(&lines));
        }
        buffer_append_string(&out, cases[i].text);
        buffer_append_string(&out, " -> ");
        show(&steps, &out);
        assert_buffer(&out, arena_format(arena, "%s -> %s", cases[i].text, cases[i].segments));
        buffer_free(&lines);
    }
    buffer_free(&out);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    static const struct {
        enum sql_language language;
        const char *text;
        const char *fault;
    } cases[] = {
        {SQL_POSTGRES, "SELECT 1;\n  BEGIN; SELECT 2;", "1.sql:2:3: BEGIN without COMMIT"},
        {SQL_POSTGRES, "BEGIN; BEGIN; COMMIT;", "1.sql:1:8: BEGIN in a transaction"},
        {SQL_POSTGRES, "SELECT 1; COMMIT;", "1.sql:1:11: COMMIT without BEGIN"},
        {SQL_POSTGRES, "BEGIN; ROLLBACK;", "1.sql:1:8: ROLLBACK would take back"},
        {SQL_POSTGRES, "BEGIN; VACUUM; COMMIT;", "1.sql:1:8: the statement can't be in a"},
        {SQL_POSTGRES, "BEGIN ISOLATION LEVEL SERIALIZABLE; COMMIT;", "1.sql:1:1: what BEGIN says"},
        {SQL_POSTGRES, "\\connect other\n", "1.sql:1:1: \\connect is a command of the client"},
        {SQL_POSTGRES, "SELECT 'a", "1.sql:1:8: a string that does not end"},
        {SQL_SQLITE, ".import a b\n", "1.sql:1:1: .import is a command of the client"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct migration_steps steps;
        struct buffer lines = {0};
        assert_int_equal(read_text(cases[i].language, cases[i].text, false, &steps, &lines),
                         STATUS_FAILED);
        if (strstr(buffer_string(&lines), cases[i].fault) == NULL) {
            fail_msg("%s: %s", cases[i].text, buffer_string(&lines));
        }
        buffer_free(&lines);
    }
}

static void test_what_a_step_knows(void **state)
{
    (void)state;
    struct migration_steps steps;
    struct buffer lines = {0};
    static const char text[] = "\\restrict x\n-- about t\nCOPY t FROM stdin;\n1\n2\n\\.\n"
                               "-- transhume:done-when SELECT ready();\n  CALL p();\n"
                               "ALTER TABLE s.a RENAME TO b;";
    assert_int_equal(read_text(SQL_POSTGRES, text, false, &steps, &lines), STATUS_OK);
    assert_int_equal(steps.count, 3);
    assert_int_equal(steps.items[0].data_length, 4);
    assert_memory_equal(steps.items[0].data, "1\n2\n", 4);
    assert_int_equal(steps.items[0].place.line, 3);
    assert_string_equal(steps.items[1].done_when, "SELECT ready()");
    assert_int_equal(steps.items[1].place.line, 8);
    assert_int_equal(steps.items[1].place.column, 3);
    assert_true(steps.items[2].object_count >= 2);
    assert_string_equal(steps.items[2].objects[0].name, "a");
    assert_string_equal(steps.items[2].objects[1].name, "b");
    assert_string_equal(steps.items[2].objects[1].schema, "s");
    assert_true(steps.changes_session);
    assert_int_equal(read_text(SQL_POSTGRES, "CREATE TABLE t();", false, &steps, &lines),
                     STATUS_OK);
    assert_false(steps.changes_session);
    buffer_free(&lines);
}

static void test_other_languages(void **state)
{
    (void)state;
    static const struct {
        bool json;
        const char *text;
        const char *parts;
    } cases[] = {
        {false, "CREATE TABLE a (x int); -- c;\n;; DROP TABLE b",
         "CREATE TABLE a (x int)|DROP TABLE b|"},
        {false, "INSERT INTO a VALUES ('it''s;', $$;$$, \"x;\") // ;\n ;/*;*/",
         "INSERT INTO a VALUES ('it''s;', $$;$$, \"x;\")|"},
        {false, "BEGIN UNLOGGED BATCH INSERT a; INSERT b; APPLY BATCH; SELECT 1",
         "BEGIN UNLOGGED BATCH INSERT a; INSERT b; APPLY BATCH|SELECT 1|"},
        {false, "BEGIN BATCH a;", "BEGIN BATCH a;! BEGIN BATCH without APPLY BATCH|"},
        {false, "SELECT 'a;", "SELECT 'a;! a string that does not end|"},
        {false, " -- nothing", ""},
        {true, "{\"a\": [1, \"}\\\"\"]}", "{\"a\": [1, \"}\\\"\"]}|"},
        {true, "[{\"a\": 1},\n {\"b\": {}}]\n", "{\"a\": 1}|{\"b\": {}}|"},
        {true, "[{\"a\": 1", "{\"a\": 1! an object that does not end|"},
        {true, "7", "7! an object is expected here|"},
        {true, "[]", ""},
    };
    struct buffer out = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *rest = cases[i].text;
        const char *end = rest + strlen(rest);
        struct migration_part part;
        while (cases[i].json ? migration_next_json(&rest, end, &part)
                             : migration_next_cql(&rest, end, &part)) {
            buffer_append(&out, part.text, part.length);
            buffer_format(&out, "%s%s|", part.fault != NULL ? "! " : "",
                          part.fault != NULL ? part.fault : "");
        }
        assert_buffer(&out, cases[i].parts);
    }
    buffer_free(&out);
}

static void test_requests(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *parts;
    } cases[] = {
        {"PUT /a\n\n{\"x\":\n 1}\n\nDELETE /b\n", "PUT /a\n\n{\"x\":\n 1}|DELETE /b|"},
        {"# one\r\nPUT /a\r\nAllow-Status: 404\r\n\r\n{}\r\n// two\r\n\r\nHEAD /b",
         "PUT /a\r\nAllow-Status: 404\r\n\r\n{}|HEAD /b|"},
        {"POST /_bulk\n{\"index\":{}}\n{\"a\":\"PUT /x\"}\n\n",
         "POST /_bulk\n{\"index\":{}}\n{\"a\":\"PUT /x\"}|"},
        {"### a\n-- b\n\n", ""},
        {"\n{}\nPUT /a", "{}! a request is expected here, as in \"PUT /index\"|PUT /a|"},
        {"PUT /a\n# c\n{}", "PUT /a|{}! a request is expected here, as in \"PUT /index\"|"},
    };
    struct buffer out = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *rest = cases[i].text;
        const char *end = rest + strlen(rest);
        struct migration_part part;
        while (migration_next_http(&rest, end, &part)) {
            buffer_append(&out, part.text, part.length);
            buffer_format(&out, "%s%s|", part.fault != NULL ? "! " : "",
                          part.fault != NULL ? part.fault : "");
        }
        assert_buffer(&out, cases[i].parts);
    }
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_segments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_a_step_knows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_languages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_requests, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
