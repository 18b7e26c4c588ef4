/* Who holds a lock, in words that are logged and passed on: nothing of the values in a statement.
 */
#include "connectors/sql/locks.h"
#include "support.h"
#include <string.h>

static void assert_hidden(const char *statement, const char *expected)
{
    char out[256];
    sql_hide_values(statement, out, sizeof out);
    assert_string_equal(out, expected);
}

static void values(void **state)
{
    (void)state;
    assert_hidden("", "");
    assert_hidden("COMMIT", "COMMIT");
    assert_hidden("ALTER ROLE app PASSWORD 'hunter2'", "ALTER ROLE app PASSWORD ?");
    assert_hidden("UPDATE t1 SET a_2 = 'it''s' || x'00ff', b=-12.5e3 WHERE id IN (7,0x1F)",
                  "UPDATE t1 SET a_2 = ?? || x?, b=-? WHERE id IN (?,?)");
    assert_hidden("SET PASSWORD = \"secret\" /* of 1 */ -- and 2\n, 'x'",
                  "SET PASSWORD = ? /* of ? */ -- and ?\n, ?");
    assert_hidden("SELECT a #> b, e.x", "SELECT a #> b, e.x");
}

/* The rest is left out where a wrong guess would show a value. */
static void doubtful(void **state)
{
    (void)state;
    assert_hidden("UPDATE t SET v = 'a\\' secret'", "UPDATE t SET v = ?");
    assert_hidden("UPDATE t SET v = 'not the end", "UPDATE t SET v = ?");
    assert_hidden("UPDATE t /* don't */ SET v = 'secret'", "UPDATE t ");
    assert_hidden("SELECT 1 -- don't\n, 'secret'", "SELECT ? ");
    assert_hidden("SELECT 1 # don't\n, 'secret'", "SELECT ? ");
    assert_hidden("SELECT a #> b, e'x'", "SELECT a "); /* an operator in PostgreSQL */
    assert_hidden("DO $$ secret $$", "DO ");
    assert_hidden("SELECT `a'b`, 'secret'", "SELECT ");
}

static void bounds(void **state)
{
    (void)state;
    char out[4];
    sql_hide_values("SELECT", out, sizeof out);
    assert_string_equal(out, "SEL");
    sql_hide_values("'secret'", out, 1);
    assert_string_equal(out, "");
}

static void session(void **state)
{
    (void)state;
    const struct sql_session one = {.number = "7",
                                    .application = "",
                                    .user = "app",
                                    .state = "",
                                    .seconds = "3",
                                    .query = "UPDATE t SET v = 'secret'",
                                    .more = 2};
    char holder[SQL_HOLDER_BYTES];
    sql_session_describe(&one, holder);
    assert_string_equal(holder,
                        "session 7 (user app, at work for 3 s: UPDATE t SET v = ?) and 2 more");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(doubtful),
        cmocka_unit_test(bounds),
        cmocka_unit_test(session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
