/* The spans of a Cassandra table: they tile the ring, and hold about as many rows as wanted. */
#include "connectors/cassandra/split.h"
#include "support_arena.h"

static struct random random_numbers;

static void assert_tiles(const struct cql_range *pieces, size_t count)
{
    assert_true(count >= 1 && count <= CASSANDRA_SPANS_MAX);
    assert_int_equal(pieces[0].after, CQL_TOKEN_MIN);
    assert_int_equal(pieces[count - 1].to, CQL_TOKEN_MAX);
    for (size_t at = 0; at < count; at++) {
        assert_true(pieces[at].after < pieces[at].to);
        assert_true(at == 0 || pieces[at].after == pieces[at - 1].to);
    }
}

/* A ring of random tokens; its pieces, which tile it. */
static size_t split_ring(size_t tokens, double rows, double wanted, struct cql_range **pieces)
{
    size_t range_count = 0;
    size_t count = 0;
    int64_t *ring = arena_allocate_zeroed(arena, tokens + 1, sizeof(*ring));
    for (size_t at = 0; at < tokens; at++) {
        ring[at] = (int64_t)random_bits(&random_numbers);
    }
    struct cql_range *ranges = cql_ranges_of(ring, tokens, arena, &range_count);
    *pieces = cassandra_split(ranges, range_count, rows, wanted, arena, &count);
    assert_tiles(*pieces, count);
    return count;
}

static double rows_in(const struct cql_range *piece, double rows)
{
    return rows * ((double)cql_range_width(piece) / 18446744073709551616.0);
}

static void test_whole(void **state)
{
    (void)state;
    struct cql_range *pieces;
    assert_int_equal(split_ring(0, 0, 1000, &pieces), 1);
    assert_int_equal(split_ring(0, 999, 1000, &pieces), 1);
    assert_int_equal(split_ring(1, 999, 1000, &pieces), 1);
    assert_int_equal(split_ring(768, 999, 1000, &pieces), 1);
    assert_int_equal(split_ring(0, 5, 0, &pieces), 5);
}

static void test_cut(void **state)
{
    (void)state;
    struct cql_range *pieces;
    assert_int_equal(split_ring(0, 1e6, 1e5, &pieces), 10);
    for (size_t tokens = 0; tokens < 600; tokens = tokens * 3 + 1) {
        size_t count = split_ring(tokens, 1e6, 1e4, &pieces);
        assert_true(count >= 100);
        for (size_t at = 0; at < count; at++) {
            assert_true(rows_in(&pieces[at], 1e6) <= 1e4 * 1.001);
        }
    }
}

/* Small ranges join: of two neighbours, together they are above what is wanted. */
static void test_joined(void **state)
{
    (void)state;
    struct cql_range *pieces;
    size_t count = split_ring(3000, 1e6, 1e5, &pieces);
    assert_true(count >= 10 && count <= 21);
    for (size_t at = 1; at < count; at++) {
        assert_true(rows_in(&pieces[at - 1], 1e6) + rows_in(&pieces[at], 1e6) > 1e5 * 0.999);
    }
}

static void test_bounded(void **state)
{
    (void)state;
    struct cql_range *pieces;
    split_ring(16, 1e15, 1, &pieces);
    split_ring(100000, 1e12, 1, &pieces);
    split_ring(300, 1e30, 1e3, &pieces);
}

/* Neighbouring tokens, and ones at the ends of the ring. */
static void test_narrow(void **state)
{
    (void)state;
    static const int64_t tokens[] = {INT64_MIN, INT64_MIN + 1, -1,       0, 1,
                                     2,         INT64_MAX - 1, INT64_MAX};
    size_t range_count = 0;
    size_t count = 0;
    struct cql_range *ranges =
        cql_ranges_of(tokens, sizeof(tokens) / sizeof(*tokens), arena, &range_count);
    for (double wanted = 1; wanted < 1e6; wanted *= 10) {
        struct cql_range *pieces = cassandra_split(ranges, range_count, 1e6, wanted, arena, &count);
        assert_tiles(pieces, count);
    }
}

static void test_span(void **state)
{
    (void)state;
    struct error error;
    struct cql_range read;
    const struct cql_range piece = {-5, INT64_MAX};
    struct span span = cassandra_span_of(&piece, 1000, arena);
    assert_string_equal(span.printable, "tokens above -5 to 9223372036854775807");
    assert_int_equal(span.row_estimate, 500);
    assert_int_equal(cassandra_span_read(&span, &read, &error), STATUS_OK);
    assert_memory_equal(&read, &piece, sizeof(piece));
    assert_int_equal(cassandra_span_of(&piece, -1, arena).row_estimate, -1);
    assert_int_equal(cassandra_span_read(NULL, &read, &error), STATUS_OK);
    assert_true(read.after == CQL_TOKEN_MIN && read.to == CQL_TOKEN_MAX);
    assert_string_equal(cassandra_span_of(&read, 1, arena).printable, "all tokens");

    uint8_t wrong[CASSANDRA_SPAN_BYTES] = {1}; /* above 1 to 0 */
    span.bounds = wrong;
    assert_int_equal(cassandra_span_read(&span, &read, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_LEDGER_INVALID);
    span.bounds_length = 8;
    assert_int_equal(cassandra_span_read(&span, &read, &error), STATUS_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),  cmocka_unit_test(test_cut),
        cmocka_unit_test(test_joined), cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_narrow), cmocka_unit_test(test_span),
    };
    random_numbers = random_start();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
