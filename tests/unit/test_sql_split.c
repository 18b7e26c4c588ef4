/* Statements of files: a case is a text and its pieces, with | between them. */
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
     "a; END"},
    {SQL_MYSQL, "SELECT 'a\\';b'; SELECT \";\"", "SELECT 'a\\';b' | SELECT \";\""},
    {SQL_SQLITE,
     "CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT CASE a WHEN 1 THEN 2 END; DELETE "
     "FROM y; END; SELECT 1;",
     "CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT CASE a WHEN 1 THEN 2 END; DELETE FROM y; END | "
     "SELECT 1"},
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pieces), cmocka_unit_test(test_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
