/* Tokens of three dialects: a case is a text and its tokens, "kind:text" each. */
#include "sql/lexer.h"
#include "support.h"
#include <string.h>

static const char *const kind_letters = "Ecwnsdpom"; /* by enum sql_token_kind */

static void show(enum sql_language language, const char *text, struct buffer *out)
{
    struct sql_lexer lexer;
    sql_lexer_init(&lexer, language, text, strlen(text), NULL);
    for (;;) {
        struct sql_token token = sql_lexer_next(&lexer);
        if (token.kind == SQL_TOKEN_END) {
            return;
        }
        buffer_format(out, "%s%c:", out->length > 0 ? " | " : "", kind_letters[token.kind]);
        buffer_append(out, token.text, token.length);
        buffer_append_string(out, token.unterminated ? "…" : "");
    }
}

static const struct {
    enum sql_language language;
    const char *text;
    const char *tokens;
} cases[] = {
    {SQL_POSTGRES, "SELECT a.b,*", "w:SELECT | w:a | m:. | w:b | m:, | o:*"},
    {SQL_POSTGRES, "'it''s' E'a\\'b' \"x\"\"y\"", "s:'it''s' | s:E'a\\'b' | n:\"x\"\"y\""},
    {SQL_POSTGRES, "'a\\' U&'\\0041' B'01' x'ff'", "s:'a\\' | s:U&'\\0041' | s:B'01' | s:x'ff'"},
    {SQL_POSTGRES, "$$a;'b$$ $q$ $$ $q$ $1", "s:$$a;'b$$ | s:$q$ $$ $q$ | p:$1"},
    {SQL_POSTGRES, "/* a /* b */ c */ d", "c:/* a /* b */ c */ | w:d"},
    {SQL_POSTGRES, "a--b\nc", "w:a | c:--b | w:c"},
    {SQL_POSTGRES, "a#>>'{b}' # c", "w:a | o:#>> | s:'{b}' | o:# | w:c"},
    {SQL_POSTGRES, "a::int = -1 AND b->>'x' <> ?",
     "w:a | o::: | w:int | o:= | o:- | d:1 | w:AND | w:b | o:->> | s:'x' | o:<> | p:?"},
    {SQL_POSTGRES, "a ? 'k' AND b ?| c AND d=? and e=:f",
     "w:a | o:? | s:'k' | w:AND | w:b | o:?| | w:c | w:AND | w:d | o:= | p:? | w:and | w:e | o:= | "
     "p::f"},
    {SQL_POSTGRES, "1 1.5 .5 1e3 1.5E-3 0x1F 1..2",
     "d:1 | d:1.5 | d:.5 | d:1e3 | d:1.5E-3 | d:0x1F | d:1 | m:. | d:.2"},
    {SQL_POSTGRES, "a %s, %(n)s, b%s", "w:a | p:%s | m:, | p:%(n)s | m:, | w:b | o:% | w:s"},
    {SQL_POSTGRES, "a[1:2] x:=1", "w:a | m:[ | d:1 | o:: | d:2 | m:] | w:x | o::= | d:1"},
    {SQL_MYSQL, "`a``b` \"c\\\"d\" 'e\\'f' _utf8'g' N'h'",
     "n:`a``b` | s:\"c\\\"d\" | s:'e\\'f' | s:_utf8'g' | s:N'h'"},
    {SQL_MYSQL, "a # b\n-- c\nd--e /* f /* g */ h",
     "w:a | c:# b | c:-- c | w:d | o:- | o:- | w:e | c:/* f /* g */ | w:h"},
    {SQL_MYSQL, "/*!40101 SET x */; /*M! y */ /*+ z */",
     "c:/*!40101 | w:SET | w:x | c:*/ | m:; | c:/*M! | w:y | c:*/ | c:/*+ z */"},
    {SQL_MYSQL, "/*M!999999\\- enable the sandbox mode */ a",
     "c:/*M!999999\\- enable the sandbox mode */ | w:a"},
    {SQL_MYSQL, "IN (...) , ? @v @@w a<=>b a*/*c*/2",
     "w:IN | m:( | p:... | m:) | m:, | p:? | p:@v | p:@@w | w:a | o:<=> | w:b | w:a | o:* | c:/*c*/ | "
     "d:2"},
    {SQL_SQLITE, "[a b] `c` \"d\" 'e\\' x'00' ?1 :f @g $h",
     "n:[a b] | n:`c` | n:\"d\" | s:'e\\' | s:x'00' | p:?1 | p::f | p:@g | p:$h"},
    {SQL_SQLITE, "a==b||c", "w:a | o:== | w:b | o:|| | w:c"},
    {SQL_POSTGRES, "größe日本", "w:größe日本"},
    {SQL_POSTGRES, "'abc", "s:'abc…"},
    {SQL_POSTGRES, "\"abc", "n:\"abc…"},
    {SQL_POSTGRES, "$q$ $$", "s:$q$ $$…"},
    {SQL_POSTGRES, "/* /* */", "c:/* /* */…"},
    {SQL_MYSQL, "'a\\", "s:'a\\…"},
    {SQL_SQLITE, "[a", "n:[a…"},
};

static void test_tokens(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer out = {0};
        show(cases[i].language, cases[i].text, &out);
        assert_buffer(&out, cases[i].tokens);
        buffer_free(&out);
    }
}

static void test_places(void **state)
{
    static const char text[] = "SELECT 'é\n', b -- é\n  FROM é\tx";
    struct sql_lexer lexer;
    struct sql_token token;
    struct buffer out = {0};
    (void)state;
    sql_lexer_init(&lexer, SQL_POSTGRES, text, sizeof text - 1, NULL);
    while ((token = sql_lexer_next(&lexer)).kind != SQL_TOKEN_END) {
        buffer_format(&out, "%zu=%u:%u ", token.place.offset, token.place.line, token.place.column);
    }
    assert_buffer(&out, "0=1:1 7=1:8 12=2:2 14=2:4 16=2:6 24=3:3 29=3:8 32=3:10 ");
    buffer_free(&out);
}

static const struct {
    enum sql_language language;
    const char *text;
    const char *value;
} strings[] = {
    {SQL_POSTGRES, "'a''b\\n'", "a'b\\n"},
    {SQL_POSTGRES, "E'a\\n\\'b'", "a\n'b"},
    {SQL_POSTGRES, "$t$it's$t$", "it's"},
    {SQL_POSTGRES, "$$$$", ""},
    {SQL_MYSQL, "\"a\\\"\\\\b\"\"\"", "a\"\\b\""},
    {SQL_MYSQL, "'10\\%'", "10\\%"},
    {SQL_MYSQL, "_utf8mb4'x'", "x"},
    {SQL_SQLITE, "'a\\'", "a\\"},
    {SQL_SQLITE, "x'00ff'", "00ff"},
    {SQL_POSTGRES, "'", ""},
    {SQL_POSTGRES, "$t$ab", "ab"},
};

static void test_strings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        struct sql_lexer lexer;
        struct buffer out = {0};
        sql_lexer_init(&lexer, strings[i].language, strings[i].text, strlen(strings[i].text), NULL);
        struct sql_token token = sql_lexer_next(&lexer);
        assert_int_equal(token.kind, SQL_TOKEN_STRING);
        sql_token_append_string(&token, strings[i].language, &out);
        assert_buffer(&out, strings[i].value);
        buffer_free(&out);
    }
}

static void test_names(void **state)
{
    static const struct {
        enum sql_language language;
        const char *text;
        const char *name;
    } names[] = {{SQL_POSTGRES, "Track", "track"},
                 {SQL_MYSQL, "Track", "Track"},
                 {SQL_POSTGRES, "\"a\"\"B\"", "a\"B"},
                 {SQL_MYSQL, "`a``b`", "a`b"},
                 {SQL_SQLITE, "[Order Details]", "Order Details"},
                 {SQL_SQLITE, "\"", ""}};
    struct arena *arena = arena_create(0);
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct sql_lexer lexer;
        sql_lexer_init(&lexer, names[i].language, names[i].text, strlen(names[i].text), NULL);
        struct sql_token token = sql_lexer_next(&lexer);
        assert_string_equal(sql_token_name(&token, names[i].language, arena), names[i].name);
    }
    arena_destroy(arena);
}

static void test_language(void **state)
{
    static const struct {
        const char *text;
        enum sql_language language;
    } texts[] = {
        {"--\n-- PostgreSQL database dump\n--\n", SQL_POSTGRES},
        {"CREATE TABLE t (a character varying(20));", SQL_POSTGRES},
        {"-- MySQL dump 10.13\n", SQL_MYSQL},
        {"CREATE TABLE `t` (`a` int) ENGINE=InnoDB;", SQL_MYSQL},
        {"CREATE TABLE [t] ([a] INTEGER PRIMARY KEY AUTOINCREMENT);", SQL_SQLITE},
        {"PRAGMA foreign_keys=OFF;", SQL_SQLITE},
        {"select 1", SQL_MYSQL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(sql_language_recognise(texts[i].text, strlen(texts[i].text), SQL_MYSQL),
                         texts[i].language);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),   cmocka_unit_test(test_places),
        cmocka_unit_test(test_strings),  cmocka_unit_test(test_names),
        cmocka_unit_test(test_language),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
