/* Logs of statements: a case is a file, its format, and the weights of what is in it. */
#include "design/input/log.h"
#include "sql/ddl.h"
#include "support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char tables[] = "CREATE TABLE a (id int PRIMARY KEY, name text, at timestamp);"
                             "CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a);";

struct log_case {
    const char *text;
    size_t length; /* 0: strlen */
    const char *found;
};

static const char *format_name(enum input_log_format format)
{
    static const char *const names[] = {
        [INPUT_LOG_SQL] = "a file of SQL",
        [INPUT_LOG_TABLE] = "a table of statements and weights",
        [INPUT_LOG_POSTGRES_CSV] = "PostgreSQL's csvlog",
        [INPUT_LOG_MYSQL_GENERAL] = "MySQL's general log",
        [INPUT_LOG_MYSQL_SLOW] = "MySQL's slow log",
    };
    return names[format];
}

static void show(const struct log_case *one, struct buffer *out)
{
    struct arena *arena = arena_create(0);
    struct schema schema;
    struct graph graph;
    struct sql_ddl_report ddl;
    struct input_log log;
    struct workload workload;
    struct input_sql_report report;
    struct error error;
    const char *path = arena_format(arena, "%s/log", test_folder());
    FILE *file = fopen(path, "w");
    fwrite(one->text, 1, one->length > 0 ? one->length : strlen(one->text), file);
    fclose(file);
    sql_ddl_read(SQL_POSTGRES, tables, sizeof tables - 1, arena, &schema, &ddl);
    graph_from_schema(&schema, NULL, NULL, arena, &graph);
    struct input_sql *input = input_sql_create(&graph, SQL_SQLITE, arena);
    assert_int_equal(input_log_read(path, SQL_SQLITE, &log, input, &error), STATUS_OK);
    buffer_format(out, "%s, %s\n", format_name(log.format), sql_language_name(log.language));
    input_sql_finish(input, &workload, &report);
    for (uint32_t i = 0; i < workload.count; i++) {
        const struct workload_statement *statement = &workload.statements[i];
        buffer_format(out, "%g %s%s%s\n", statement->weight,
                      statement->name != NULL ? statement->name : "",
                      statement->name != NULL ? ": " : "", statement->text);
    }
    buffer_format(out, "%d given, %d passed over, %d unparsable, %d unresolved, %d dropped\n",
                  (int)report.statements, (int)report.passed_over, (int)report.unparsable,
                  (int)report.unresolved, (int)report.dropped);
    for (uint32_t i = 0; i < report.findings.kept; i++) {
        buffer_format(out, "%u:%u %s\n", report.findings.first[i].line,
                      report.findings.first[i].column, report.findings.first[i].what);
    }
    arena_destroy(arena);
}

static const struct log_case cases[] = {
    {"-- weight: 10\n-- name: by key\nSELECT * FROM a WHERE id = $1;\n/* hostname: x, Weight: 2.5 */ "
     "SELECT name FROM a\nWHERE id = 1; UPDATE a SET name = 'x;y' WHERE id = 2",
     0,
     "a file of SQL, PostgreSQL\n10 by key: SELECT * FROM a WHERE id = $1\n2.5 SELECT name FROM a "
     "WHERE id = $1\n1 UPDATE a SET name = $1 WHERE id = $2\n"
     "3 given, 0 passed over, 0 unparsable, 0 unresolved, 0 dropped\n"},
    {"", 0,
     "a file of SQL, SQLite\n0 given, 0 passed over, 0 unparsable, 0 unresolved, 0 dropped\n"},
    {"SELECT x\nFROM a;\nSELECT FROM WHERE;", 0,
     "a file of SQL, SQLite\n2 given, 0 passed over, 1 unparsable, 1 unresolved, 0 dropped\n"
     "1:8 no table here has a column x\n3:13 syntax error at or near \"WHERE\"\n"},
    {"5\tSELECT id FROM a\n2.5\tDELETE FROM a WHERE id = 1\nx\tSELECT 1\n\n0\tSELECT id FROM b\n",
     0,
     "a table of statements and weights, SQLite\n5 SELECT id FROM a\n2.5 DELETE FROM a WHERE id = ?\n"
     "4 given, 0 passed over, 0 unparsable, 0 unresolved, 2 dropped\n"
     "3:1 a line without a statement or without a weight above 0\n"
     "5:1 a line without a statement or without a weight above 0\n"},
    {"weight,sql\r\n3,\"SELECT name, id\r\nFROM a WHERE name = \"\"x\"\"\"\r\n4,SELECT id FROM b\r\n",
     0,
     "a table of statements and weights, SQLite\n4 SELECT id FROM b\n"
     "2 given, 0 passed over, 0 unparsable, 1 unresolved, 0 dropped\n"
     "3:21 no table here has a column x\n"},
    {"userid,query,calls,rows\n10,\"SELECT id, name FROM a WHERE id = $1\",120,120\n10,BEGIN,5,0\n"
     "10,<insufficient privilege>,7,7\n",
     0,
     "a table of statements and weights, PostgreSQL\n120 SELECT id, name FROM a WHERE id = $1\n"
     "3 given, 1 passed over, 1 unparsable, 0 unresolved, 0 dropped\n"
     "4:1 syntax error at or near \"<\"\n"},
    {"DIGEST_TEXT\tCOUNT_STAR\nSELECT `name` FROM `a` WHERE `id` IN (...)\t40\n"
     "SELECT `id` FROM `a` WHERE `name` = ...\t2\nSELECT `name`\\nFROM `a` LIMIT ?\t1\nNULL\t3\n",
     0,
     "a table of statements and weights, MySQL\n40 SELECT `name` FROM `a` WHERE `id` IN (...)\n"
     "2 SELECT `id` FROM `a` WHERE `name` = ...\n1 SELECT `name` FROM `a` LIMIT ?\n"
     "4 given, 0 passed over, 1 unparsable, 0 unresolved, 0 dropped\n"
     "5:1 syntax error at or near \"NULL\"\n"},
    {"2024-01-01 10:00:00.123 UTC,\"u\",\"d\",1,\"[local]\",s.1,1,\"SELECT\",2024-01-01 10:00:00 "
     "UTC,3/1,0,LOG,00000,\"statement: SELECT name\nFROM a WHERE name = \"\"x\"\" OR 1=1;\",,,,,,,,,"
     "\"psql\",\"client backend\",,0\n"
     "2024-01-01 10:00:00.123 UTC,\"u\",\"d\",1,\"[local]\",s.1,2,\"SELECT\",2024-01-01 10:00:00 "
     "UTC,3/1,0,LOG,00000,\"duration: 0.1 ms  parse <unnamed>: SELECT id FROM b\",,,,,,,,,\"\"\n"
     "2024-01-01 10:00:00.123 UTC,\"u\",\"d\",1,\"[local]\",s.1,3,\"SELECT\",2024-01-01 10:00:00 "
     "UTC,3/1,0,LOG,00000,\"duration: 0.1 ms  execute <unnamed>: SELECT id FROM b WHERE id = "
     "$1\",\"parameters: $1 = '5'\",,,,,,,,\"\"\n"
     "2024-01-01 10:00:00.123 UTC,\"u\",\"d\",1,\"[local]\",s.1,4,\"SELECT\",2024-01-01 10:00:00 "
     "UTC,3/1,0,ERROR,42P01,\"relation \"\"x\"\" does not exist\",,,,,,\"SELECT 1 FROM x\",15,,\"\"\n",
     0,
     "PostgreSQL's csvlog, PostgreSQL\n1 SELECT id FROM b WHERE id = $1\n"
     "2 given, 0 passed over, 0 unparsable, 1 unresolved, 0 dropped\n2:21 no table here has a column "
     "x\n"},
    {"/usr/sbin/mysqld, Version: 8.0.35 (MySQL). started with:\nTcp port: 3306  Unix socket: /x\nTime"
     "                 Id Command    Argument\n2024-01-01T10:00:00.123456Z\t    8 Connect\tu@h on d "
     "using Socket\n2024-01-01T10:00:00.123456Z\t    8 Query\tSELECT name\nFROM a\n\nWHERE id = 5\n"
     "2024-01-01T10:00:00.123456Z\t    8 Prepare\tSELECT id FROM b WHERE a_id = ?\n"
     "2024-01-01T10:00:00.123456Z\t    8 Execute\tSELECT id FROM b WHERE a_id = 7\n"
     "2024-01-01T10:00:00.123456Z\t    8 Close stmt\t\n2024-01-01T10:00:00.123456Z\t    8 Quit\t\n",
     0,
     "MySQL's general log, MySQL\n1 SELECT id FROM b WHERE a_id = ?\n1 SELECT name FROM a WHERE id = "
     "?\n2 given, 0 passed over, 0 unparsable, 0 unresolved, 0 dropped\n"},
    {"240101 10:00:00\t     3 Query\tSELECT id FROM a\n\t\t     3 Query\tSELECT id FROM a\n\t\t     3 "
     "Init DB\tx\n\t\t     4 Query\tSET NAMES utf8\n",
     0,
     "MySQL's general log, MySQL\n2 SELECT id FROM a\n"
     "3 given, 1 passed over, 0 unparsable, 0 unresolved, 0 dropped\n"},
    {"/usr/sbin/mysqld, Version: 8.0.35 (MySQL). started with:\nTcp port: 3306  Unix socket: /x\nTime"
     "                 Id Command    Argument\n# Time: 2024-01-01T10:00:00Z\n# User@Host: u[u] @ h []\n"
     "# Query_time: 0.1  Lock_time: 0.0 Rows_sent: 1  Rows_examined: 1\nuse d;\nSET "
     "timestamp=1700000000;\nSELECT id\nFROM a WHERE name = 'x;\n# y';\n# User@Host: u[u] @ h []\n# "
     "Query_time: 0.1  Lock_time: 0.0 Rows_sent: 1  Rows_examined: 1\nSET timestamp=1700000000;\nDELETE "
     "FROM a WHERE id = 1;\n# administrator command: Quit;\n",
     0,
     "MySQL's slow log, MySQL\n1 DELETE FROM a WHERE id = ?\n"
     "2 given, 0 passed over, 0 unparsable, 0 unresolved, 1 dropped\n9:1 a statement with too many or "
     "too deeply nested parts, or one whose last string does not end\n"},
    {"a\0b SELECT; \0", 12,
     "a file of SQL, SQLite\n1 given, 0 passed over, 0 unparsable, 0 unresolved, 1 dropped\n"
     "1:1 a statement with a NUL in it\n"},
};

static void test_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer out = {0};
        show(&cases[i], &out);
        assert_buffer(&out, cases[i].found);
        buffer_free(&out);
    }
}

/* ---------------------------------------------------------------- long statements */

static void repeat(struct buffer *out, const char *text, size_t bytes)
{
    while (bytes > 0) {
        size_t length = strlen(text) < bytes ? strlen(text) : bytes;
        buffer_append(out, text, length);
        bytes -= length;
    }
}

/* Before and behind a statement of some megabytes, which is dropped, one that is read. */
static void test_long_statements(void **state)
{
    static const struct {
        const char *before;
        const char *filling;
        const char *behind;
    } files[] = {
        {"SELECT id FROM a;\nSELECT '", "xyz\n", "';\nSELECT id FROM b;\n"},
        {"weight,sql\n1,SELECT id FROM a\n1,\"", "xyz ", "\"\n1,SELECT id FROM b\n"},
        {"240101 10:00:00\t 3 Query\tSELECT id FROM a\n\t\t 3 Query\tSELECT ", "xyz ",
         "\n\t\t 3 Query\tSELECT id FROM b\n"},
        {"240101 10:00:00\t 3 Query\tSELECT id FROM a\n\t\t 3 Query\tSELECT ", "xyz\n",
         "\n\t\t 3 Query\tSELECT id FROM b\n"},
        {"# Time: 1\n# Query_time: 1\nSELECT id FROM a;\n# Query_time: 1\nSELECT ", "xyz\n",
         "\n# Query_time: 1\nSELECT id FROM b;\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        for (size_t bytes = 0; bytes < 6 << 20; bytes += (3 << 20) - 1) {
            struct buffer text = {0};
            struct buffer out = {0};
            buffer_append_string(&text, files[i].before);
            repeat(&text, files[i].filling, bytes > 0 ? bytes : (1 << 20) + 4);
            buffer_append_string(&text, files[i].behind);
            const struct log_case one = {buffer_string(&text), text.length, NULL};
            show(&one, &out);
            assert_non_null(
                strstr(buffer_string(&out), "1 SELECT id FROM a\n1 SELECT id FROM b\n"));
            assert_non_null(strstr(buffer_string(&out), "1 dropped\n"));
            buffer_free(&text);
            buffer_free(&out);
        }
    }
}

static void test_no_file(void **state)
{
    struct input_log log;
    struct error error;
    (void)state;
    assert_int_equal(input_log_read("/nowhere/log", SQL_MYSQL, &log, NULL, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_SOURCE_MISSING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_files),
                                       cmocka_unit_test(test_long_statements),
                                       cmocka_unit_test(test_no_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
