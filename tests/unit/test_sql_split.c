/* Statements of files: a case is a text and its pieces, with | between them; in {} what is sent of
 * one, if that is more. */
#include "sql/split.h"
#include "support.h"
#include <stdlib.h>
#include <string.h>

static void append_piece(const struct sql_piece *piece, struct buffer *out)
{
    static const char *const marks[] = {"", "\\", "="};
    buffer_append_string(out, out->length > 0 ? " | " : "");
    buffer_append_string(out, marks[piece->kind]);
    if (piece->kind == SQL_PIECE_DATA) {
        buffer_format(out, "%zu bytes", piece->length);
    } else {
        buffer_append(out, piece->text, piece->length);
    }
    if (piece->run != piece->text || piece->run_length != piece->length) {
        buffer_append_string(out, " {");
        buffer_append(out, piece->run, piece->run_length);
        buffer_format(out, " at %u:%u}", piece->run_place.line, piece->run_place.column);
    }
    if (piece->fault != NULL) {
        buffer_format(out, " (%s at %u:%u)", piece->fault, piece->fault_place.line,
                      piece->fault_place.column);
    }
}

static void split_whole(enum sql_language language, const char *text, struct buffer *out)
{
    struct sql_splitter splitter;
    struct sql_piece piece;
    const char *end = text;
    sql_splitter_init(&splitter, language);
    sql_splitter_window(&splitter, text, strlen(text), true);
    while (sql_splitter_next(&splitter, &piece) == STATUS_OK) {
        assert_ptr_equal(piece.comments, end);
        assert_true(piece.comments <= piece.text && piece.text + piece.length <= piece.end);
        end = piece.end;
        append_piece(&piece, out);
    }
}

/* In windows that begin with so many bytes and grow until a piece is whole. */
static void split_in_windows(enum sql_language language, const char *text, size_t step,
                             struct buffer *out)
{
    struct sql_splitter splitter;
    struct sql_piece piece;
    size_t length = strlen(text);
    size_t begin = 0;
    size_t end = step < length ? step : length;
    sql_splitter_init(&splitter, language);
    for (;;) {
        char *window = malloc(end - begin + 1);
        memcpy(window, text + begin, end - begin);
        sql_splitter_window(&splitter, window, end - begin, end == length);
        enum status status;
        while ((status = sql_splitter_next(&splitter, &piece)) == STATUS_OK) {
            append_piece(&piece, out);
        }
        begin += (size_t)(splitter.lexer.position - window);
        free(window);
        if (status == STATUS_END) {
            assert_int_equal(end, length);
            return;
        }
        assert_true(end < length);
        end = end + step < length ? end + step : length;
    }
}

static const struct {
    enum sql_language language;
    const char *text;
    const char *pieces;
} cases[] = {
    {SQL_POSTGRES, "SELECT 1; ; SELECT 2", "SELECT 1 | SELECT 2"},
    {SQL_POSTGRES, "", ""},
    {SQL_POSTGRES, "\xef\xbb\xbfSELECT 'a", "SELECT 'a (a string that does not end at 1:8)"},
    {SQL_POSTGRES, " -- nothing\n;", ""},
    {SQL_POSTGRES, "-- a\nSELECT ';', \";\" /* ; */ -- ;\n;", "SELECT ';', \";\""},
    {SQL_POSTGRES, "CREATE FUNCTION f() AS $$ a; b $$; SELECT 1",
     "CREATE FUNCTION f() AS $$ a; b $$ | SELECT 1"},
    {SQL_POSTGRES,
     "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END; "
     "SELECT 1",
     "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END | "
     "SELECT 1"},
    {SQL_POSTGRES, "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); COMMIT",
     "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2) | COMMIT"},
    {SQL_POSTGRES, "BEGIN; SELECT 1; END;", "BEGIN | SELECT 1 | END"},
    {SQL_POSTGRES, "\\connect a;b\nSELECT 1;\n\\restrict x\n",
     "\\\\connect a;b | SELECT 1 | \\\\restrict x"},
    {SQL_POSTGRES, "COPY t (a) FROM stdin;\n1;\n'x\n\\.\n\nSELECT 1;",
     "COPY t (a) FROM stdin | =9 bytes | SELECT 1"},
    {SQL_POSTGRES, "COPY t FROM stdin;\n1\n",
     "COPY t FROM stdin | =2 bytes (data of COPY that does not end with \\. at 2:1)"},
    {SQL_POSTGRES, "COPY t FROM '/x'; SELECT 1", "COPY t FROM '/x' | SELECT 1"},
    {SQL_POSTGRES, "SELECT 'a; SELECT 1",
     "SELECT 'a; SELECT 1 (a string that does not end at 1:8)"},
    {SQL_POSTGRES, "SELECT 1 /* ;", "SELECT 1 (a comment that does not end at 1:10)"},
    {SQL_MYSQL, "DELIMITER //\nCREATE PROCEDURE p() BEGIN a; b; END//\nDELIMITER ;\nSELECT 1;",
     "\\DELIMITER // | CREATE PROCEDURE p() BEGIN a; b; END | \\DELIMITER ; | SELECT 1"},
    {SQL_MYSQL, "delimiter $$\nSELECT 1$$ SELECT a$b, 2 $$\n",
     "\\delimiter $$ | SELECT 1 | SELECT a$b, 2"},
    {SQL_MYSQL,
     "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN IF a THEN SET b=IF(c,1,2); "
     "END IF; CASE d WHEN 1 THEN e; END CASE; END; SELECT 1",
     "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN IF a THEN SET b=IF(c,1,2); END IF; CASE "
     "d WHEN 1 THEN e; END CASE; END | SELECT 1"},
    {SQL_MYSQL, "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET a=1; SELECT 1",
     "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET a=1 | SELECT 1"},
    {SQL_MYSQL, "CREATE TABLE event (begin int); SELECT 1",
     "CREATE TABLE event (begin int) | SELECT 1"},
    {SQL_MYSQL,
     "/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`b`*/ /*!50003 TRIGGER t BEFORE INSERT ON x "
     "FOR EACH ROW BEGIN a; END */;;",
     "CREATE*/ /*!50017 DEFINER=`a`@`b`*/ /*!50003 TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN "
     "a; END {/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`b`*/ /*!50003 TRIGGER t BEFORE INSERT ON x "
     "FOR EACH ROW BEGIN a; END */ at 1:1}"},
    {SQL_MYSQL, "-- a\n/* b */ /*!40101 SET NAMES utf8 */; /*M!100100 SET a=1 */;",
     "SET NAMES utf8 {/*!40101 SET NAMES utf8 */ at 2:9} | SET a=1 {/*M!100100 SET a=1 */ at 2:37}"},
    {SQL_MYSQL, "CREATE TABLE t (a int) /*!50100 PARTITION BY KEY (a) */ /* c */ ;",
     "CREATE TABLE t (a int) /*!50100 PARTITION BY KEY (a) {CREATE TABLE t (a int) /*!50100 "
     "PARTITION BY KEY (a) */ at 1:1}"},
    {SQL_MYSQL, "/*!40101 */ SELECT /*+ NO_MERGE(a) */ 1;", "SELECT /*+ NO_MERGE(a) */ 1"},
    {SQL_MYSQL, "/*!40000 SET a=1; SET b=1 */;",
     "SET a=1 {/*!40000 SET a=1 at 1:1} (a conditional comment that ends in no or in another "
     "statement at 1:1) | SET b=1"},
    {SQL_MYSQL, "DELIMITER ';;' -- of bodies\nCREATE EVENT e DO BEGIN a; END;;\nDELIMITER ;\nDO 1;",
     "\\DELIMITER ';;' -- of bodies | CREATE EVENT e DO BEGIN a; END | \\DELIMITER ; | DO 1"},
    {SQL_MYSQL, "USE a # b\nSELECT 1; USE\n`c`; use d", "USE a | SELECT 1 | USE\n`c` | use d"},
    {SQL_MYSQL, "--no blank ; '\n--\nSELECT 1 --\xc2\xa0; '\n;", "SELECT 1"},
    {SQL_MYSQL, "delimiter delimiter\nSELECT 1delimiter\ndelimiter ;\nSELECT 2;",
     "\\delimiter delimiter | SELECT 1 | \\delimiter ; | SELECT 2"},
    {SQL_MYSQL, "-- DELIMITER //\n/* DELIMITER // */ SELECT 1; SELECT 2", "SELECT 1 | SELECT 2"},
    {SQL_MYSQL, "SELECT 1\n  DELIMITER //\nSELECT 2;3//", "SELECT 1 | \\DELIMITER // | SELECT 2;3"},
    {SQL_MYSQL, "CREATE TABLE t (\ndelimiter char(1)); SELECT delimiter FROM t",
     "CREATE TABLE t (\ndelimiter char(1)) | SELECT delimiter FROM t"},
    {SQL_MYSQL, "BEGIN NOT ATOMIC DECLARE a int; IF a THEN SELECT 1; END IF; END; BEGIN; COMMIT",
     "BEGIN NOT ATOMIC DECLARE a int; IF a THEN SELECT 1; END IF; END | BEGIN | COMMIT"},
    {SQL_MYSQL,
     "CREATE PROCEDURE p() a: BEGIN b: LOOP LEAVE b; END LOOP b; c: REPEAT d; UNTIL 1 END REPEAT; "
     "WHILE 1 DO e; END WHILE; END a; SELECT 1",
     "CREATE PROCEDURE p() a: BEGIN b: LOOP LEAVE b; END LOOP b; c: REPEAT d; UNTIL 1 END REPEAT; "
     "WHILE 1 DO e; END WHILE; END a | SELECT 1"},
    {SQL_MYSQL, "CREATE FUNCTION f() RETURNS int RETURN IF(a, 1, 2); SELECT 1",
     "CREATE FUNCTION f() RETURNS int RETURN IF(a, 1, 2) | SELECT 1"},
    {SQL_MYSQL, "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW IF a THEN SET b=1; END IF;",
     "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW IF a THEN SET b=1 | END IF (END of nothing: a "
     "body without BEGIN … END needs DELIMITER at 1:69)"},
    {SQL_MYSQL, "CREATE PROCEDURE p() BEGIN a; SELECT 1;",
     "CREATE PROCEDURE p() BEGIN a; SELECT 1; (BEGIN that does not end at 1:22)"},
    {SQL_MYSQL, "CREATE OR REPLACE PACKAGE k AS PROCEDURE p; END; SELECT 1",
     "CREATE OR REPLACE PACKAGE k AS PROCEDURE p (a package, in which \";\" ends no statement, needs "
     "DELIMITER at 1:1) | END (END of nothing: a body without BEGIN … END needs DELIMITER at 1:45) | "
     "SELECT 1"},
    {SQL_POSTGRES,
     "CREATE SCHEMA s CREATE PROCEDURE p() BEGIN ATOMIC SELECT 1; END CREATE VIEW begin AS SELECT 1 "
     "AS atomic; SELECT 2",
     "CREATE SCHEMA s CREATE PROCEDURE p() BEGIN ATOMIC SELECT 1; END CREATE VIEW begin AS SELECT 1 "
     "AS atomic | SELECT 2"},
    {SQL_POSTGRES, "CREATE TABLE t (a int; SELECT (1)",
     "CREATE TABLE t (a int; SELECT (1) (a parenthesis that does not close at 1:16)"},
    {SQL_POSTGRES, "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1;\nSELECT 2;",
     "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1;\nSELECT 2; (BEGIN that does not end at "
     "1:39)"},
    {SQL_POSTGRES, "SELECT 1 \\gset x_\nSELECT 2 \\; SELECT '\\gset' \\g\n",
     "SELECT 1 | \\\\gset x_ | SELECT 2 | \\\\; | SELECT '\\gset' | \\\\g"},
    {SQL_POSTGRES, "SELECT 1;\n\\if :x\nSELECT 2;\n\\endif",
     "SELECT 1 | \\\\if :x | SELECT 2 | \\\\endif"},
    {SQL_SQLITE, "CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT 1;",
     "CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT 1; (BEGIN that does not end at 1:36)"},
    {SQL_MYSQL, "SELECT 'a\\';b'; SELECT \";\"", "SELECT 'a\\';b' | SELECT \";\""},
    {SQL_SQLITE,
     "CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT CASE a WHEN 1 THEN 2 END; DELETE "
     "FROM y; END; SELECT 1;",
     "CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT CASE a WHEN 1 THEN 2 END; DELETE FROM y; END | "
     "SELECT 1"},
    {SQL_CQL,
     "// it's\nBEGIN UNLOGGED BATCH INSERT INTO t (a) VALUES (1); DELETE FROM t WHERE a = ';'; APPLY "
     "BATCH; CREATE FUNCTION f() AS $$ a; b // c $$; -- x\nSELECT \"b;\" FROM t",
     "BEGIN UNLOGGED BATCH INSERT INTO t (a) VALUES (1); DELETE FROM t WHERE a = ';'; APPLY BATCH | "
     "CREATE FUNCTION f() AS $$ a; b // c $$ | SELECT \"b;\" FROM t"},
    {SQL_SQLITE, ".bail on\nBEGIN TRANSACTION; COMMIT;", "\\.bail on | BEGIN TRANSACTION | COMMIT"},
};

static void test_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer out = {0};
        split_whole(cases[i].language, cases[i].text, &out);
        assert_buffer(&out, cases[i].pieces);
        for (size_t step = 1; step < 40; step++) {
            split_in_windows(cases[i].language, cases[i].text, step, &out);
            if (strstr(cases[i].pieces, "bytes") == NULL) {
                assert_buffer(&out, cases[i].pieces);
            }
            buffer_clear(&out);
        }
        buffer_free(&out);
    }
}

static void test_delimiters(void **state)
{
    static const struct {
        const char *delimiter;
        const char *text;
        const char *pieces;
    } given[] = {
        {"\n\n", "SELECT 1;\nSELECT 2;\n\n\nSELECT 3\n\n", "SELECT 1;\nSELECT 2; | SELECT 3"},
        {"-- end", "SELECT 1; -- end\nSELECT 2", "SELECT 1; | SELECT 2"},
        {"GO", "SELECT 1\ngo\nSELECT 2", "SELECT 1 | SELECT 2"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        struct buffer out = {0};
        struct sql_splitter splitter;
        struct sql_piece piece;
        sql_splitter_init(&splitter, SQL_POSTGRES);
        assert_true(
            sql_splitter_delimiter(&splitter, given[i].delimiter, strlen(given[i].delimiter)));
        sql_splitter_window(&splitter, given[i].text, strlen(given[i].text), true);
        while (sql_splitter_next(&splitter, &piece) == STATUS_OK) {
            append_piece(&piece, &out);
        }
        assert_buffer(&out, given[i].pieces);
        buffer_free(&out);
    }
}

static void test_place(void **state)
{
    static const char text[] = "SELECT 1;\n\n  -- é\n  SELECT 2;";
    struct sql_splitter splitter;
    struct sql_piece piece;
    (void)state;
    sql_splitter_init(&splitter, SQL_SQLITE);
    sql_splitter_window(&splitter, text, sizeof text - 1, true);
    assert_int_equal(sql_splitter_next(&splitter, &piece), STATUS_OK);
    assert_int_equal(sql_splitter_next(&splitter, &piece), STATUS_OK);
    assert_int_equal(piece.place.line, 4);
    assert_int_equal(piece.place.column, 3);
    assert_int_equal(sql_splitter_next(&splitter, &piece), STATUS_END);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pieces),
                                       cmocka_unit_test(test_delimiters),
                                       cmocka_unit_test(test_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
