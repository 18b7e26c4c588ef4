/* A plan's query in CQL: the table's name gets its keyspace where it has none. */
#include "connectors/cassandra/query.h"
#include "support_arena.h"

static void assert_text(const char *query, const char *expected)
{
    struct error error;
    const char *text = NULL;
    const struct cassandra self = {.keyspace = "My shop"};
    enum status status = cassandra_query_text(&self, query, arena, &text, &error);
    if (expected == NULL) {
        assert_int_equal(status, STATUS_FAILED);
        assert_int_equal(error.code, ERROR_PLAN_INVALID);
        return;
    }
    assert_int_equal(status, STATUS_OK);
    assert_string_equal(text, expected);
}

static void test_bare_tables(void **state)
{
    (void)state;
    assert_text("SELECT * FROM t", "SELECT * FROM \"My shop\".t");
    assert_text("select a from t;", "select a from \"My shop\".t;");
    assert_text("/* x */ -- from y\nSELECT count(*) FROM/**/\"T x\" WHERE a = 1",
                "/* x */ -- from y\nSELECT count(*) FROM/**/\"My shop\".\"T x\" WHERE a = 1");
    assert_text("SELECT \"from\", 'from x', $$ from y $$, from_a FROM t",
                "SELECT \"from\", 'from x', $$ from y $$, from_a FROM \"My shop\".t");
    assert_text("SELECT 'it''s from', \"a\"\"from b\" FROM t",
                "SELECT 'it''s from', \"a\"\"from b\" FROM \"My shop\".t");
}

static void test_named_keyspaces(void **state)
{
    (void)state;
    assert_text("SELECT * FROM k.t", "SELECT * FROM k.t");
    assert_text("SELECT * FROM \"K k\" . t", "SELECT * FROM \"K k\" . t");
    assert_text("SELECT * FROM k /* */ .t", "SELECT * FROM k /* */ .t");
}

static void test_none(void **state)
{
    (void)state;
    assert_text("", NULL);
    assert_text("DELETE FROM t", NULL);
    assert_text("selected FROM t", NULL);
    assert_text("/* SELECT", NULL);
    assert_text("BEGIN BATCH SELECT", NULL);
    assert_text("SELECT 1", "SELECT 1");
    assert_text("SELECT * FROM", "SELECT * FROM");
    assert_text("SELECT 'open FROM t", "SELECT 'open FROM t");
    assert_text("SELECT \"", "SELECT \"");
    assert_text("SELECT $$", "SELECT $$");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bare_tables),
                                       cmocka_unit_test(test_named_keyspaces),
                                       cmocka_unit_test(test_none)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
