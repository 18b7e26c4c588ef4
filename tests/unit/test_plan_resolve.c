/* What resolving proves and fixes: keys, the mapping's text, expressions, proposals. */
#include "plan/words/expression.h"
#include "support_plan.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct plan_test shop;

static int open_shop(void **state)
{
    (void)state;
    plan_test_open(&shop, plan_test_shop, "dynamodb-json");
    return 0;
}

static int close_shop(void **state)
{
    (void)state;
    plan_test_close(&shop);
    return 0;
}

/* ---------------------------------------------------------------- keys */

static void assert_proven(const char *from, const char *key, bool proven)
{
    plan_test_expect(
        &shop,
        plan_test_tables(&shop, arena_format(shop.arena,
                                             "  t: { key: { partition: PK, sort: SK }, from: %s, "
                                             "fields: { %s } }\n",
                                             from, key)));
    if (shop.plan->tables[0].keys_proven != proven) {
        fail_msg("%s: %s", key, shop.plan->tables[0].keys_reason);
    }
}

static void keys_are_proven_by_what_can_be_read_back(void **state)
{
    (void)state;
    assert_proven("Artist", "PK: \"A#{ArtistId}\", SK: META", true);
    assert_proven("Artist", "PK: \"{ArtistId:010}\", SK: META", true);
    assert_proven("Artist", "PK: { column: ArtistId }, SK: META", true);
    assert_proven("Artist", "PK: \"A#{Name}\", SK: META", false);
    assert_proven("Artist", "PK: META, SK: \"{Name}#{ArtistId}\"", true);
    assert_proven("Artist", "PK: META, SK: \"{Name}{ArtistId}\"", false);
    assert_proven("Artist", "PK: META, SK: \"{Name}1{ArtistId}\"", false);
    assert_proven("Artist", "PK: META, SK: \"{ArtistId}{Name}\"", false);
    assert_proven("Artist", "PK: META, SK: \"{ArtistId}-{Name}\"", false);
    assert_proven("Artist", "PK: META, SK: \"{ArtistId}#{Name}\"", true);
    assert_proven("Artist", "PK: META, SK: { column: ArtistId, cast: text }", true);
    assert_proven("Artist", "PK: META, SK: { column: ArtistId, cast: decimal }", true);
    assert_proven("Artist", "PK: META, SK: { column: Name, cast: int64 }", false);
    assert_proven("Artist", "PK: META, SK: { sql: \"ArtistId || ''\" }", false);
    assert_proven("Artist", "PK: META, SK: { column: ArtistId, default: 1 }", false);
    assert_proven("Invoice", "PK: \"C#{CustomerId}\", SK: \"O#{InvoiceDate}#{InvoiceId}\"", true);
    assert_proven("Invoice", "PK: \"C#{CustomerId}\", SK: \"O#{InvoiceDate}\"", false);
    /* a column of any kind as it is keeps its values apart; its text may not */
    assert_proven("PlaylistTrack", "PK: { column: PlaylistId }, SK: { column: TrackId }", true);
    assert_proven("PlaylistTrack", "PK: \"{PlaylistId}\", SK: { column: TrackId }", false);
    assert_proven("PlaylistTrack", "PK: { column: PlaylistId }, SK: X", false);
    assert_proven("Cheap", "PK: { column: TrackId }, SK: X", false);
}

static void assert_disjoint(const char *first, const char *second, bool proven)
{
    plan_test_expect(&shop,
                     plan_test_tables(&shop, arena_format(shop.arena,
                                                          "  t:\n"
                                                          "    key: { partition: PK, sort: SK }\n"
                                                          "    entities:\n"
                                                          "      a: { from: Artist, fields: { PK: "
                                                          "\"{ArtistId}\", SK: \"%s\" } }\n"
                                                          "      b: { from: Album, fields: { PK: "
                                                          "\"{AlbumId}\", SK: \"%s\" } }\n",
                                                          first, second)));
    if (shop.plan->tables[0].keys_proven != proven) {
        fail_msg("%s, %s: %s", first, second, shop.plan->tables[0].keys_reason);
    }
}

static void entities_of_one_table_are_kept_apart(void **state)
{
    (void)state;
    assert_disjoint("META", "ALBUM#{AlbumId}", true);
    assert_disjoint("X", "X", false);
    assert_disjoint("X", "XY", true);
    assert_disjoint("X", "X{AlbumId}", true);
    assert_disjoint("X", "X{Title}", false);
    assert_disjoint("X#{ArtistId}", "X#Y#{AlbumId}", true);
    assert_disjoint("X#{ArtistId}", "X#1{AlbumId}", false);
    assert_disjoint("X#{Name}", "X#Y#{AlbumId}", false);
    assert_disjoint("{Name}", "{Title}", false);
}

/* ---------------------------------------------------------------- the mapping's text */

static const char *hash_of(const char *tables)
{
    plan_test_expect(&shop, plan_test_tables(&shop, tables));
    return arena_copy_string(shop.arena, shop.plan->mapping_hash);
}

static void equal_mappings_have_equal_hashes(void **state)
{
    (void)state;
    const char *base = hash_of(
        "  t: { key: { partition: Id }, from: Artist, fields: { Id: { column: ArtistId }, N: "
        "\"{Name}\" } }\n");
    static const char *const same[] = {
        "  t: # comment\n    from: Artist\n    existing: append\n    billing: on_demand\n    key: { partition: Id }\n"
        "    fields:\n      N: '{Name}'\n      Id: { column: \"ArtistId\" }\n",
    };
    static const char *const different[] = {
        "  u: { key: { partition: Id }, from: Artist, fields: { Id: { column: ArtistId }, N: \"{Name}\" } }\n",
        "  t: { key: { partition: Id }, from: Artist, fields: { Id: { column: ArtistId }, N: \"{Name} \" } }\n",
        "  t: { key: { partition: Id }, from: Artist, fields: { Id: { column: ArtistId }, N: { column: Name } } }\n",
        "  t: { key: { partition: Id }, from: Artist, where: \"1\", fields: { Id: { column: ArtistId }, N: "
        "\"{Name}\" } }\n",
        "  t: { key: { partition: Id }, from: Artist, nulls: keep, fields: { Id: { column: ArtistId }, N: \"{Name}\" "
        "} }\n",
        "  t: { key: { partition: Id, sort: N }, from: Artist, fields: { Id: { column: ArtistId }, N: \"{Name}\" } }\n",
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_string_equal(hash_of(same[i]), base);
    }
    for (size_t i = 0; i < sizeof different / sizeof different[0]; i++) {
        assert_string_not_equal(hash_of(different[i]), base);
    }
    const char *sum = hash_of(
        "  t: { key: { partition: Id }, from: Customer, fields: { Id: { column: CustomerId }, N: "
        "{ aggregate: Invoice, value: sum(Total) } } }\n");
    const char *count = hash_of(
        "  t: { key: { partition: Id }, from: Customer, fields: { Id: { column: CustomerId }, "
        "N: { aggregate: Invoice, value: count(Total) } } }\n");
    const char *deeper = hash_of(
        "  t: { key: { partition: Id }, from: Customer, fields: { Id: { column: CustomerId }, "
        "N: { aggregate: Invoice.InvoiceLine, value: count(*) } } }\n");
    const char *shallow =
        hash_of("  t: { key: { partition: Id }, from: Customer, fields: { Id: { column: CustomerId "
                "}, N: { aggregate: Invoice, value: count(*) } } }\n");
    assert_string_not_equal(sum, count);
    assert_string_not_equal(deeper, shallow);
}

/* ---------------------------------------------------------------- expressions */

static struct expression_sandbox *sandbox;

static bool test_of(const char *text, const struct cell *value, bool simplify)
{
    struct error error;
    const char *const *used = NULL;
    static const char *const names[] = {"A"};
    static const struct value_reference reference = {0};
    struct plan_expression expression = {.text = text};
    struct expression_statement *statement = NULL;
    bool result = false;
    assert_int_equal(expression_check(sandbox, text, names, 1, false, shop.arena, &used,
                                      &expression.count, &error),
                     STATUS_OK);
    expression.names = used;
    expression.values = &reference;
    if (simplify) {
        expression_simplify(&expression);
        assert_int_not_equal(expression.simple, EXPRESSION_GENERAL);
    }
    assert_int_equal(expression_prepare(sandbox, &expression, &statement, &error), STATUS_OK);
    assert_int_equal(expression_test(statement, value, &result, &error), STATUS_OK);
    expression_finalize(statement);
    return result;
}

static void the_fast_path_answers_as_sqlite_does(void **state)
{
    (void)state;
    struct error error;
    struct random random = random_start();
    static const char *const operators[] = {"<", "<=", ">", ">=", "=", "==", "!=", "<>"};
    static const char *const forms[] = {"A %s %lld", " \"A\"%s%lld ", "[A] %s  %lld\n",
                                        "a %s %lld"};
    static const int64_t edges[] = {INT64_MIN + 1, -1, 0, 1, 100, INT64_MAX};
    assert_int_equal(expression_sandbox_create(&sandbox, &error), STATUS_OK);
    for (long round = 0; round < test_rounds(300); round++) {
        char text[80];
        int64_t literal = random_below(&random, 2) ? edges[random_below(&random, 6)]
                                                   : random_between(&random, -9, 9);
        int64_t left = random_below(&random, 2)
                           ? literal + (literal < INT64_MAX && random_below(&random, 2))
                           : random_between(&random, -9, 9);
        const char *form = forms[random_below(&random, 4)];
        const char *operator= operators[random_below(&random, 8)];
        const char *space = strchr(form, '%');
        assert_non_null(space);
        snprintf(text, sizeof text, "%.*s %s %lld", (int)(space - form),
                 form, operator,(long long) literal);
        struct cell values[] = {cell_int64(left), cell_null(), cell_float64((double)left + 0.5),
                                cell_text("5", 1)};
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            assert_int_equal(test_of(text, &values[i], true), test_of(text, &values[i], false));
        }
    }
    expression_sandbox_destroy(sandbox);
}

static void assert_result(const char *text, const char *expected)
{
    plan_test_expect(
        &shop,
        plan_test_tables(&shop, arena_format(shop.arena,
                                             "  t: { key: { partition: Id }, from: Artist, where: "
                                             "ArtistId = 1, fields: { Id: { column: ArtistId }, X: "
                                             "{ sql: \"%s\" } } }\n",
                                             text)));
    char line[300];
    snprintf(line, sizeof line, "t {Id:1%s%s}\n", expected[0] != '\0' ? ",X:" : "", expected);
    assert_string_equal(plan_test_run(&shop), line);
}

static void expressions_give_values(void **state)
{
    (void)state;
    assert_result("ArtistId + 1", "2");
    assert_result("ArtistId / 2.0", "0.5");
    assert_result("upper(Name) || char(33)", "\"AC/DC!\"");
    assert_result("NULL", "");
    assert_result("CASE WHEN Name LIKE 'AC%' THEN 'yes' ELSE 'no' END", "\"yes\"");
    assert_result("strftime('%Y', '2009-05-01')", "\"2009\"");
    assert_result("json_extract('[1,2]', '$[1]')", "2");
    assert_result("record.ArtistId IN (1, 2)", "1");
}

static void expressions_can_not_do_harm(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "date('now')",
        "datetime()",
        "strftime('%Y')",
        "date('2009-01-01', 'localtime')",
        "randomblob(5)",
        "sqlite_version()",
        "last_insert_rowid()",
        "changes()",
        "(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c)",
        "(SELECT 1 FROM json_each('[]'))",
        "readfile('/etc/passwd')",
        "A; DROP TABLE record",
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char *tables = arena_format(
            shop.arena,
            "  t: { key: { partition: Id }, from: Artist, fields: { Id: { column: ArtistId }, "
            "X: { sql: \"%s\" } } }\n",
            refused[i]);
        if (plan_test_resolve(&shop, plan_test_tables(&shop, tables)) != STATUS_OK) {
            assert_int_equal(shop.error.code, ERROR_PLAN_INVALID);
            continue;
        }
        const char *out =
            plan_test_run(&shop); /* what depends on arguments is refused row by row */
        if (strstr(out, "REJECT expression 1") == NULL) {
            fail_msg("%s: %s", refused[i], out);
        }
    }
}

static void texts_without_end_are_rejected(void **state)
{
    (void)state;
    char *text = arena_copy_string(shop.arena, "replace(ArtistId, '1', 'aaaaaaaaaa')");
    for (int i = 0; i < 9; i++) {
        text = arena_format(shop.arena, "replace(%s, 'a', 'aaaaaaaaaa')", text);
    }
    plan_test_expect(
        &shop,
        plan_test_tables(&shop, arena_format(shop.arena,
                                             "  t: { key: { partition: Id }, from: Artist, where: "
                                             "ArtistId = 1, fields: { Id: { column: ArtistId }, X: "
                                             "{ sql: \"length(%s)\" } } }\n",
                                             text)));
    assert_non_null(strstr(plan_test_run(&shop), "REJECT expression 1"));
}

#define ARTIST_SQL(text)                                                                          \
    "  t: { key: { partition: Id }, from: Artist, fields: { Id: { column: ArtistId }, X: { sql: " \
    "\"" text "\" } } }\n"

/* What fails for every record, or depends on the moment, is a fault of the plan. */
static void the_time_of_day_is_a_fault(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        ARTIST_SQL("datetime('now')"),
        ARTIST_SQL("Name || DateTime ( 'NOW' )"),
        ARTIST_SQL("date(Name, 'localtime')"),
        ARTIST_SQL("Name || time('12:00', 'utc')"),
        ARTIST_SQL("CASE WHEN Name IS NULL THEN date('now') END"),
        ARTIST_SQL("ArtistId + julianday( )"),
        ARTIST_SQL("datetime(lower('NOW'))"),
        ARTIST_SQL("abs(-9223372036854775807 - 1)"),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        plan_test_expect_code(&shop, plan_test_tables(&shop, wrong[i]), ERROR_PLAN_INVALID,
                              "p.yaml:3:92: in the expression '");
    }
    static const char *const right[] = {
        ARTIST_SQL("CASE Name WHEN 'now' THEN 'utc' ELSE date('2009-01-01', '+1 day') END"),
        ARTIST_SQL("Name || ' date(''now'')' /* date('now') */ -- date('now')\\n"),
        ARTIST_SQL("replace('now', 'n', date(Name))"),
    };
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        plan_test_expect(&shop, plan_test_tables(&shop, right[i]));
    }
}

/* What an expression gives is not known before: a target that learns it from the records may. */
static void a_key_says_how_records_are_placed_and_ordered(void **state)
{
    (void)state;
    struct plan_test test;
    plan_test_open(&test, plan_test_shop, "dynamodb-json");
    test.target->capabilities |= CAPABILITY_CLUSTERS;
    plan_test_expect(
        &test, plan_test_tables(&test, "  t:\n"
                                       "    key: { partition: [AlbumId, Milliseconds], clustering: "
                                       "[{ UnitPrice: desc }, TrackId], static: Name }\n"
                                       "    from: Track\n"
                                       "    fields: { \"*\": copy }\n"));
    const struct target_table *table = &test.plan->tables[0].target;
    const char *const wanted[] = {"AlbumId", "Milliseconds", "UnitPrice", "TrackId"};
    assert_int_equal(table->key.count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_string_equal(table->key.names[i], wanted[i]);
        assert_int_equal(table->key_shape.descending[i], i == 2);
    }
    assert_int_equal(table->key_shape.partition_count, 2);
    assert_int_equal(table->key_shape.static_columns.count, 1);
    assert_string_equal(table->key_shape.static_columns.names[0], "Name");
    assert_non_null(strstr(test.plan->mapping_text, " partition 2 order aada static "));
    plan_test_close(&test);
}

static void what_a_target_does_not_know_of_keys_is_a_fault(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const char *says;
    } cases[] = {
        {"{ partition: TrackId, clustering: [{ Name: desc }] }", "has a descending order"},
        {"{ partition: TrackId, static: Name }", "has static columns"},
        {"{ partition: [TrackId, Name] }", "is placed by 2 columns, this target takes one"},
        {"{ partition: TrackId, clustering: [{ Name: down }] }", "a name, or { NAME: desc }"},
    };
    struct plan_test test;
    plan_test_open(&test, plan_test_shop, "dynamodb-json");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *yaml = arena_format(
            test.arena, "  t: { key: %s, from: Track, fields: { \"*\": copy } }\n", cases[i].key);
        plan_test_expect_code(&test, plan_test_tables(&test, yaml), ERROR_PLAN_INVALID,
                              cases[i].says);
    }
    plan_test_close(&test);
}

static void keys_of_unknown_kind_are_left_to_the_target(void **state)
{
    (void)state;
    plan_test_expect(&shop,
                     plan_test_tables(&shop, "  t: { key: { partition: X }, from: Artist, "
                                             "fields: { X: { sql: \"ArtistId + 1\" } } }\n"));
    assert_int_equal(shop.plan->tables[0].target.column_count, 1);
    assert_int_equal(shop.plan->tables[0].target.columns[0].type.kind, VALUE_MISSING);
    assert_true(shop.plan->tables[0].target.columns[0].type.dynamic);
}

static void widened_fields_are_told(void **state)
{
    (void)state;
    plan_test_expect(
        &shop, plan_test_tables(
                   &shop, "  t: { key: { partition: InvoiceId }, from: Invoice, fields: { \"*\": "
                          "copy, Lines: { embed: InvoiceLine, fields: { UnitPrice: copy } } } }\n"
                          "  u: { key: { partition: ArtistId }, from: Artist }\n"));
    assert_int_equal(shop.plan->note_count, 1);
    assert_string_equal(shop.plan->notes[0].object, "t");
    assert_non_null(strstr(shop.plan->notes[0].text, "Total, UnitPrice (NUMERIC(10,2)): widened"));
    assert_int_equal(shop.plan->notes[0].level, PLAN_NOTE_INFO);
}

static void what_is_widened_alike_is_told_once(void **state)
{
    (void)state;
    plan_test_expect(
        &shop, plan_test_tables(&shop, "  t: { key: { partition: InvoiceId }, from: Invoice }\n"
                                       "  u: { key: { partition: InvoiceLineId }, from: "
                                       "InvoiceLine }\n"));
    assert_int_equal(shop.plan->note_count, 1);
    assert_string_equal(shop.plan->notes[0].object, "2 entities");
    assert_non_null(
        strstr(shop.plan->notes[0].text, "t.Total, u.UnitPrice (NUMERIC(10,2)): widened"));
}

/* ---------------------------------------------------------------- proposals */

static void propose_and_resolve(const char *sql, const char *target)
{
    struct plan_test odd;
    struct buffer yaml = {0};
    plan_test_open(&odd, sql, target);
    if (plan_propose("sqlite:source.db", odd.source, odd.schema, "target:x", odd.target,
                     &odd.settings, &yaml, &odd.error) != STATUS_OK) {
        fail_msg("%s", odd.error.message);
    }
    if (plan_test_resolve(&odd, buffer_string(&yaml)) != STATUS_OK) {
        fail_msg("%s\n%s", buffer_string(&odd.faults), buffer_string(&yaml));
    }
    plan_test_run(&odd);
    buffer_free(&yaml);
    plan_test_close(&odd);
}

static const char odd_names[] =
    "CREATE TABLE \"a b\"(\"x{y}\" INTEGER PRIMARY KEY NOT NULL, \"quo\"\"te\" TEXT, \"new\nline\" TEXT, \"on\" TEXT, "
    "\"PK\" TEXT, \"null\" TEXT, \"#\" TEXT, \"a:010\" TEXT, \"*x\" TEXT);"
    "CREATE TABLE \"c.d\"(\"select\" INTEGER PRIMARY KEY NOT NULL, \"{\" INTEGER REFERENCES \"a b\"(\"x{y}\"));"
    "CREATE TABLE \"yes\"(\"\xc3\xa9\" TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE keyless(a, b);"
    "CREATE TABLE three(a INT NOT NULL, b INT NOT NULL, c INT NOT NULL, PRIMARY KEY(a, b, c));"
    "CREATE TABLE self(id INTEGER PRIMARY KEY NOT NULL, parent INTEGER REFERENCES self(id));"
    "INSERT INTO \"a b\"(\"x{y}\", \"quo\"\"te\") VALUES(1, 'v'); INSERT INTO \"c.d\" VALUES(1, 1);"
    "INSERT INTO three VALUES(1, 2, 3); INSERT INTO self VALUES(1, NULL), (2, 1); INSERT INTO \"yes\" VALUES('k');";

static void proposals_are_plans(void **state)
{
    (void)state;
    propose_and_resolve(plan_test_shop, "dynamodb-json");
    propose_and_resolve(plan_test_shop, "sqlite");
    propose_and_resolve(odd_names, "sqlite");
    propose_and_resolve(odd_names, "dynamodb-json");
}

int main(void)
{
#define WITH_SHOP(test) cmocka_unit_test_setup_teardown(test, open_shop, close_shop)
    const struct CMUnitTest tests[] = {
        WITH_SHOP(keys_are_proven_by_what_can_be_read_back),
        WITH_SHOP(entities_of_one_table_are_kept_apart),
        WITH_SHOP(equal_mappings_have_equal_hashes),
        WITH_SHOP(the_fast_path_answers_as_sqlite_does),
        WITH_SHOP(expressions_give_values),
        WITH_SHOP(expressions_can_not_do_harm),
        WITH_SHOP(texts_without_end_are_rejected),
        WITH_SHOP(the_time_of_day_is_a_fault),
        WITH_SHOP(keys_of_unknown_kind_are_left_to_the_target),
        WITH_SHOP(widened_fields_are_told),
        WITH_SHOP(what_is_widened_alike_is_told_once),
        cmocka_unit_test(a_key_says_how_records_are_placed_and_ordered),
        cmocka_unit_test(what_a_target_does_not_know_of_keys_is_a_fault),
        cmocka_unit_test(proposals_are_plans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
