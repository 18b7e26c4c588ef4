/* Change sets applied to a SQLite file, and with it what sql/apply.h does for every SQL target:
 * order, refusals, exchanged values, moves, parts of records, pieces, the fence. */
#include "connectors/sqlite/sqlite_internal.h"
#include "support_sqlite_target.h"
#include <stdio.h>
#include <string.h>

enum { FIELDS = 3 };

static const char *const field_names[FIELDS] = {"a", "b", "c"};
static const char *const tables_sql =
    "CREATE TABLE t(a INTEGER PRIMARY KEY, b UNIQUE ON CONFLICT REPLACE, c CHECK (c < 100),"
    " d GENERATED ALWAYS AS (c + 1))";

static struct {
    struct database *database;
    struct apply *apply;
    struct target_table table;
    char path[1024];
    struct arena *arena;
    struct apply_result result;
    struct change_table set_table;
    uint64_t position;
} bench;

static void open_apply(void)
{
    struct error error = {0};
    const struct apply_request request = {
        .feed = "f", .lane = 2, .tables = &bench.table, .table_count = 1};
    assert_done(sqlite_apply.open(bench.database, &request, &bench.apply, &error));
}

static void set_up(const char *sql)
{
    bench.table = (struct target_table){.name = "t", .key = bed_key_a};
    snprintf(bench.path, sizeof bench.path, "%s", target_path("apply.db"));
    file_execute(bench.path, sql);
    bench.database = target_open(bench.path);
    bench.arena = arena_create(0);
    bench.set_table = (struct change_table){"t", target_shape(field_names, FIELDS)};
    open_apply();
}

static void tear_down(void)
{
    sqlite_apply.close(bench.apply);
    target_close(bench.database);
    arena_destroy(bench.arena);
}

/* ---- changes in short */

#define N cell_null()
#define I(number) cell_int64(number)
#define MISSING cell_missing()

static struct record_change change_of(enum record_operation operation, const struct cell *key,
                                      const struct cell *after)
{
    struct record_change change = {.operation = operation, .key_count = 1};
    struct cell *copy = arena_allocate_zeroed(bench.arena, FIELDS + 1, sizeof *copy);
    if (key != NULL) {
        copy[FIELDS] = *key;
        change.key = &copy[FIELDS];
    }
    if (after != NULL) {
        memcpy(copy, after, FIELDS * sizeof *after);
        change.after = copy;
    }
    return change;
}

static struct record_change insert(struct cell a, struct cell b, struct cell c)
{
    const struct cell after[FIELDS] = {a, b, c};
    return change_of(RECORD_INSERT, NULL, after);
}

static struct record_change update(struct cell key, struct cell a, struct cell b, struct cell c)
{
    const struct cell after[FIELDS] = {a, b, c};
    return change_of(RECORD_UPDATE, &key, after);
}

static struct record_change delete_of(struct cell key)
{
    return change_of(RECORD_DELETE, &key, NULL);
}

static struct change_set set_of(const struct record_change *changes, uint32_t count, bool first,
                                bool last)
{
    char *place = arena_format(bench.arena, "%08llu", (unsigned long long)++bench.position);
    return (struct change_set){.end = {(const uint8_t *)place, 8},
                               .first_piece = first,
                               .last_piece = last,
                               .tables = &bench.set_table,
                               .table_count = 1,
                               .changes = changes,
                               .change_count = count};
}

static enum status apply_sets(const struct change_set *const *sets, uint32_t count,
                              struct error *error)
{
    return sqlite_apply.apply_sets(bench.apply, sets, count, bench.arena, &bench.result, error);
}

static void assert_applied(enum status status, const struct error *error)
{
    if (status != STATUS_OK) {
        fail_msg("%s: %s", error->object, error->message);
    }
}

#define APPLY(...)                                                                       \
    do {                                                                                 \
        struct error error_ = {0};                                                       \
        const struct record_change changes_[] = {__VA_ARGS__};                           \
        const struct change_set set_ = set_of(changes_, COUNT_OF(changes_), true, true); \
        const struct change_set *const sets_[] = {&set_};                                \
        assert_applied(apply_sets(sets_, 1, &error_), &error_);                          \
    } while (0)

static const char *content(void)
{
    return file_ask(bench.path, "SELECT a, b, c FROM t ORDER BY a");
}

static void assert_refused(uint32_t number, uint32_t change, enum error_code code,
                           const char *reason)
{
    assert_true(number < bench.result.refusal_count);
    const struct apply_refusal *refusal = &bench.result.refusals[number];
    assert_int_equal(refusal->change, change);
    assert_int_equal(refusal->code, code);
    if (strstr(refusal->reason, reason) == NULL) {
        fail_msg("%s", refusal->reason);
    }
}

/* ---- */

static void changes_go_in_their_order(void **state)
{
    (void)state;
    set_up(tables_sql);
    APPLY(insert(I(1), I(10), I(1)), insert(I(2), I(20), I(2)), update(I(1), I(1), I(11), I(5)),
          delete_of(I(2)), insert(I(2), I(10), I(3)), update(I(2), I(4), I(10), I(3)),
          delete_of(I(77)));
    assert_int_equal(bench.result.refusal_count, 0);
    assert_string_equal(content(), "1|11|5\n4|10|3");
    /* an insert of what is there, an update of what is not: it is put */
    APPLY(insert(I(1), I(12), N), update(I(9), I(9), I(90), I(9)), update(I(8), I(7), N, N));
    assert_string_equal(content(), "1|12|NULL\n4|10|3\n7|NULL|NULL\n9|90|9");
    tear_down();
}

static void parts_of_records_leave_the_rest(void **state)
{
    (void)state;
    set_up(tables_sql);
    APPLY(insert(I(1), I(10), I(1)), update(I(1), I(1), MISSING, I(2)),
          update(I(1), MISSING, I(11), MISSING));
    assert_string_equal(content(), "1|11|2");
    /* with the key: the record is found under the old one, or, in a target that is ahead of the
     * position, under the new one; nothing is made of a part */
    APPLY(update(I(1), I(3), MISSING, I(4)), update(I(5), I(6), MISSING, I(4)));
    assert_string_equal(content(), "3|11|4");
    APPLY(insert(I(4), I(12), I(1)), update(I(4), I(3), MISSING, I(6)));
    assert_string_equal(content(), "3|11|6");
    APPLY(change_of(RECORD_INSERT, NULL, (struct cell[]){I(8), MISSING, I(1)}));
    assert_string_equal(content(), "3|11|6\n8|NULL|1");
    tear_down();
}

/* The source checked uniqueness at the end of its transaction. */
static void unique_values_are_exchanged(void **state)
{
    (void)state;
    set_up(tables_sql);
    APPLY(insert(I(1), I(10), I(1)), insert(I(2), I(20), I(2)), insert(I(3), I(30), I(3)));
    APPLY(update(I(1), I(1), I(20), I(1)), update(I(2), I(2), I(30), I(2)),
          update(I(3), I(3), I(10), I(3)));
    assert_int_equal(bench.result.refusal_count, 0);
    assert_string_equal(content(), "1|20|1\n2|30|2\n3|10|3");
    /* but for one that is refused all the same */
    APPLY(update(I(1), I(1), I(30), I(1)), update(I(2), I(2), I(20), I(2)),
          insert(I(4), I(10), I(4)));
    assert_int_equal(bench.result.refusal_count, 1);
    assert_refused(0, 2, ERROR_REJECT_CONSTRAINT, "UNIQUE constraint failed: t.b (b = 10)");
    assert_string_equal(content(), "1|30|1\n2|20|2\n3|10|3");
    tear_down();
}

/* All rows of a long column move on by one place. */
static void a_long_chain_of_unique_values_moves(void **state)
{
    enum { ROWS = 500 };
    (void)state;
    struct record_change changes[ROWS];
    struct error error = {0};
    set_up(tables_sql);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < ROWS; i++) {
            changes[i] = pass == 0 ? insert(I(i), I(i), I(1)) : update(I(i), I(i), I(i + 1), I(1));
        }
        const struct change_set set = set_of(changes, ROWS, true, true);
        const struct change_set *const sets[] = {&set};
        assert_done(apply_sets(sets, 1, &error));
        assert_int_equal(bench.result.refusal_count, 0);
    }
    assert_string_equal(file_ask(bench.path, "SELECT count(*), sum(b = a + 1) FROM t"), "500|500");
    tear_down();
}

static void what_is_refused_stays_alone(void **state)
{
    (void)state;
    set_up(tables_sql);
    APPLY(insert(I(1), I(10), I(100)), insert(I(2), I(20), I(2)), insert(N, I(1), I(1)),
          update(I(2), I(2), I(21), I(200)), insert(I(3), I(20), I(3)),
          insert(I(4), I(40), cell_float64(0.0 / 0.0)), insert(CELL_TEXT("x"), I(2), I(1)));
    assert_string_equal(content(), "2|20|2");
    assert_int_equal(bench.result.refusal_count, 6);
    /* those that no other change could help are told first */
    assert_refused(0, 2, ERROR_REJECT_KEY_NULL, "a part of the key is null: a");
    assert_refused(1, 5, ERROR_REJECT_NUMBER, "c can't hold a NaN");
    assert_refused(2, 6, ERROR_REJECT_TYPE, "a is the row's number");
    /* what moved is not under its old key any more, though the new one is refused */
    APPLY(update(I(2), I(5), I(20), I(100)), insert(I(6), I(20), I(6)));
    assert_refused(0, 0, ERROR_REJECT_CONSTRAINT, "CHECK constraint failed");
    assert_int_equal(bench.result.refusal_count, 1);
    assert_string_equal(content(), "6|20|6");
    APPLY(update(I(6), N, I(20), I(6)), update(N, I(7), I(20), I(7)));
    assert_int_equal(bench.result.refusal_count, 1);
    assert_refused(0, 0, ERROR_REJECT_KEY_NULL, "null");
    assert_string_equal(content(), "7|20|7");
    /* what comes after it under its key goes in */
    APPLY(insert(I(8), I(80), I(100)), update(I(8), I(8), I(81), I(8)),
          update(I(8), I(8), I(82), I(100)));
    assert_int_equal(bench.result.refusal_count, 2);
    assert_string_equal(content(), "7|20|7\n8|81|8");
    /* an emptied table needs none of what waited for it */
    APPLY(insert(I(9), I(80), I(1)), change_of(RECORD_TRUNCATE, NULL, NULL),
          insert(I(10), I(80), I(1)));
    assert_int_equal(bench.result.refusal_count, 0);
    assert_string_equal(content(), "10|80|1");
    tear_down();
}

static void pieces_are_one_transaction(void **state)
{
    (void)state;
    struct error error = {0};
    set_up(tables_sql);
    const struct record_change changes[] = {insert(I(1), N, N), insert(I(2), N, N),
                                            insert(I(3), N, N), insert(I(4), N, N)};
    const struct change_set whole = set_of(&changes[0], 1, true, true);
    const struct change_set begun = set_of(&changes[1], 1, true, false);
    const struct change_set goes_on = set_of(&changes[2], 1, false, false);
    const struct change_set ends = set_of(&changes[3], 1, false, true);
    const struct change_set *const first[] = {&whole, &begun};
    assert_done(apply_sets(first, 2, &error));
    assert_string_equal(file_ask(bench.path, "SELECT a FROM t"), "1");
    const struct change_set *const second[] = {&goes_on};
    const struct change_set *const third[] = {&ends};
    assert_done(apply_sets(second, 1, &error));
    assert_string_equal(file_ask(bench.path, "SELECT a FROM t"), "1");
    assert_done(apply_sets(third, 1, &error));
    assert_string_equal(file_ask(bench.path, "SELECT a FROM t"), "1\n2\n3\n4");

    /* one that is taken back, and one that is left */
    const struct record_change more[] = {insert(I(5), N, N), insert(I(6), N, N)};
    const struct change_set lost = set_of(&more[0], 1, true, false);
    const struct change_set other = set_of(&more[1], 1, true, true);
    const struct change_set *const fourth[] = {&lost};
    const struct change_set *const fifth[] = {&other};
    assert_done(apply_sets(fourth, 1, &error));
    assert_done(apply_sets(fifth, 1, &error));
    assert_done(apply_sets(fourth, 1, &error));
    tear_down();
    assert_string_equal(file_ask(bench.path, "SELECT group_concat(a) FROM t"), "1,2,3,4,6");
}

static void one_applies_at_a_time(void **state)
{
    (void)state;
    struct error error = {0};
    struct position position;
    set_up(tables_sql);
    struct apply *first = bench.apply;
    assert_int_equal(sqlite_apply.position(first, bench.arena, &position, &error), STATUS_END);
    open_apply();
    struct apply *second = bench.apply;
    APPLY(insert(I(1), N, N));
    bench.apply = first;
    const struct record_change change = insert(I(2), N, N);
    const struct change_set set = set_of(&change, 1, true, true);
    const struct change_set *const sets[] = {&set};
    assert_int_equal(apply_sets(sets, 1, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    assert_string_equal(content(), "1|NULL|NULL");
    /* it reads where the other one is, and goes on from there */
    assert_done(sqlite_apply.position(first, bench.arena, &position, &error));
    assert_int_equal(position.length, 8);
    assert_memory_equal(position.bytes, "000000", 6);
    assert_done(apply_sets(sets, 1, &error));
    sqlite_apply.close(second);
    tear_down();
    assert_string_equal(
        file_ask(bench.path, "SELECT name, version, substr(value, 1, 34) FROM _transhume_ledger"),
        "position/f/000002|2|{\"format\":3,\"epoch\":0,\"position\":\"");
}

static void a_run_that_was_taken_over_applies_nothing(void **state)
{
    (void)state;
    struct error error = {0};
    set_up(tables_sql);
    target_begin_run(bench.database, 1);
    APPLY(insert(I(1), N, N));
    file_execute(bench.path, "UPDATE _transhume_ledger SET version = version + 1"
                             " WHERE name NOT GLOB 'position/*'");
    const struct record_change change = insert(I(2), N, N);
    const struct change_set set = set_of(&change, 1, true, true);
    const struct change_set *const sets[] = {&set};
    assert_int_equal(apply_sets(sets, 1, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    assert_string_equal(content(), "1|NULL|NULL");
    tear_down();
}

static void triggers_fire_unless_told(void **state)
{
    (void)state;
    set_up("CREATE TABLE t(a PRIMARY KEY, b, c); CREATE TABLE log(x);"
           "CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.a); END;"
           "CREATE TRIGGER s BEFORE UPDATE ON t BEGIN SELECT raise(ABORT, 'no'); END");
    APPLY(insert(CELL_TEXT("k"), N, N), insert(CELL_TEXT("k"), I(1), N));
    assert_int_equal(bench.result.refusal_count, 1);
    assert_refused(0, 1, ERROR_REJECT_CONSTRAINT, "no");
    sqlite_apply.close(bench.apply);
    bench.database->triggers_off = true;
    open_apply();
    APPLY(insert(CELL_TEXT("k"), I(1), N), insert(CELL_TEXT("l"), N, N));
    assert_int_equal(bench.result.refusal_count, 0);
    assert_string_equal(file_ask(bench.path, "SELECT group_concat(x) FROM log"), "k");
    tear_down();
}

static void tables_that_do_not_fit_are_refused(void **state)
{
    static const char *const statements[] = {
        "CREATE TABLE u(a)",
        "CREATE TABLE t(a, c)",
        "CREATE TABLE t(a, b, c)",
        "CREATE TABLE t(b, c, a AS (b) UNIQUE)",
        "CREATE VIEW t AS SELECT 1 AS a, 2 AS b, 3 AS c",
    };
    (void)state;
    for (uint32_t i = 0; i < COUNT_OF(statements); i++) {
        struct error error = {0};
        set_up(statements[i]);
        const struct record_change change = insert(I(1), N, N);
        const struct change_set set = set_of(&change, 1, true, true);
        const struct change_set *const sets[] = {&set};
        assert_int_equal(apply_sets(sets, 1, &error), STATUS_FAILED);
        assert_int_equal(error.code, ERROR_TARGET_SCHEMA);
        tear_down();
    }
}

/* Of a table without a key each change is of one of the records that equal the former one. */
static struct record_change whole(const struct cell *before, const struct cell *after)
{
    struct record_change change = change_of(before == NULL  ? RECORD_INSERT
                                            : after == NULL ? RECORD_DELETE
                                                            : RECORD_UPDATE,
                                            NULL, after);
    if (before != NULL) {
        change.key = memcpy(arena_allocate(bench.arena, FIELDS * sizeof *before), before,
                            FIELDS * sizeof *before);
        change.key_count = FIELDS;
    }
    return change;
}

#define ROW(a, b, c) ((const struct cell[FIELDS]){a, b, c})

static void records_without_a_key_are_found_whole(void **state)
{
    (void)state;
    set_up("CREATE TABLE t(a INTEGER, b TEXT COLLATE NOCASE, c CHECK (c < 100),"
           " d GENERATED ALWAYS AS (c + 1)); CREATE UNIQUE INDEX u ON t(a) WHERE a > 50");
    sqlite_apply.close(bench.apply);
    bench.table.key = (struct column_list){0};
    open_apply();
    const struct cell x = CELL_TEXT("x");
    const struct cell big = CELL_TEXT("X");
    APPLY(whole(NULL, ROW(I(1), x, N)), whole(NULL, ROW(I(1), x, N)), whole(NULL, ROW(I(1), x, N)),
          whole(NULL, ROW(I(1), big, N)), whole(NULL, ROW(N, N, N)), whole(NULL, ROW(N, N, N)));
    APPLY(whole(ROW(I(1), x, N), NULL), whole(ROW(I(1), x, N), ROW(I(2), x, I(5))),
          whole(ROW(N, N, N), NULL), whole(ROW(I(1), big, N), ROW(I(1), big, N)));
    assert_int_equal(bench.result.refusal_count, 0);
    assert_string_equal(file_ask(bench.path, "SELECT a, b, c FROM t ORDER BY a, b COLLATE BINARY"),
                        "NULL|NULL|NULL\n1|X|NULL\n1|x|NULL\n2|x|5");
    /* what is not there is told of a delete, and put of an update */
    APPLY(whole(ROW(I(9), x, N), NULL), whole(ROW(I(9), x, N), ROW(I(3), x, N)),
          whole(ROW(I(1), x, N), ROW(I(1), x, I(200))));
    assert_int_equal(bench.result.refusal_count, 2);
    assert_refused(0, 2, ERROR_REJECT_CONSTRAINT, "CHECK");
    assert_refused(1, 0, ERROR_REJECT_ABSENT, "equals it in all fields");
    assert_string_equal(file_ask(bench.path, "SELECT a, b, c FROM t ORDER BY a, b"),
                        "NULL|NULL|NULL\n1|X|NULL\n2|x|5\n3|x|NULL");
    /* unique values are exchanged, too */
    APPLY(whole(NULL, ROW(I(60), x, N)), whole(NULL, ROW(I(61), big, N)));
    APPLY(whole(ROW(I(60), x, N), ROW(I(61), x, N)), whole(ROW(I(61), big, N), ROW(I(60), big, N)));
    assert_int_equal(bench.result.refusal_count, 0);
    assert_string_equal(file_ask(bench.path, "SELECT a, b FROM t WHERE a > 50 ORDER BY a"),
                        "60|X\n61|x");
    tear_down();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_go_in_their_order),
        cmocka_unit_test(parts_of_records_leave_the_rest),
        cmocka_unit_test(unique_values_are_exchanged),
        cmocka_unit_test(a_long_chain_of_unique_values_moves),
        cmocka_unit_test(what_is_refused_stays_alone),
        cmocka_unit_test(pieces_are_one_transaction),
        cmocka_unit_test(records_without_a_key_are_found_whole),
        cmocka_unit_test(one_applies_at_a_time),
        cmocka_unit_test(a_run_that_was_taken_over_applies_nothing),
        cmocka_unit_test(triggers_fire_unless_told),
        cmocka_unit_test(tables_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
