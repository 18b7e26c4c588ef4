/* Tokens as a real server makes them, ranges that tile the ring, and replicas. */
#include "support.h"

#include "connectors/cassandra/protocol/cql_ring.h"
#include "connectors/cassandra/protocol/cql_token.h"
#include <stdlib.h>
#include <string.h>

static int64_t token_of_int(int32_t number)
{
    uint8_t bytes[4];
    bytes_put_be(bytes, (uint32_t)number, 4);
    return cql_token_of(bytes, sizeof bytes);
}

/* Those that a server answered. */
static void tokens_are_the_servers(void **state)
{
    (void)state;
    assert_true(token_of_int(0) == INT64_C(-3485513579396041028));
    assert_true(token_of_int(1) == INT64_C(-4069959284402364209));
    assert_true(token_of_int(-1) == INT64_C(7297452126230313552));
    assert_true(token_of_int(INT32_MAX) == INT64_C(-765994672030311617));
    assert_true(cql_token_of("\x80", 1) == INT64_C(-5284281814142962636));
    assert_true(cql_token_of("\x80\x87", 2) == INT64_C(2018950863064893639));
    assert_true(cql_token_of("", 0) == 0);
}

static int64_t token_of_pair(const char *text, int32_t number)
{
    uint8_t bytes[4];
    struct buffer key = {0};
    bytes_put_be(bytes, (uint32_t)number, 4);
    assert_true(cql_token_key_append(&key, text, strlen(text)));
    assert_true(cql_token_key_append(&key, bytes, sizeof bytes));
    int64_t token = cql_token_of(key.data, key.length);
    buffer_free(&key);
    return token;
}

static void keys_of_several_columns_have_their_tokens(void **state)
{
    (void)state;
    assert_true(token_of_pair("hello", 1) == INT64_C(2759355789953963511));
    assert_true(token_of_pair("é", -1) == INT64_C(-9118834284088328475));
    struct buffer key = {0};
    char *large = calloc(1, 65536);
    assert_false(cql_token_key_append(&key, large, 65536));
    free(large);
    buffer_free(&key);
}

/* The hash as it is defined, byte by byte: the tail's bytes are signed. */
static int64_t slow_token(const uint8_t *bytes, size_t length)
{
    uint64_t h[2] = {0, 0};
    const uint64_t c[2] = {UINT64_C(0x87c37b91114253d5), UINT64_C(0x4cf5ad432745937f)};
    const int turn[2] = {31, 33};
    for (size_t at = 0; at < length; at += 16) {
        bool whole = length - at >= 16;
        for (int half = 0; half < 2; half++) {
            uint64_t k = 0;
            for (size_t byte = 0; byte < 8; byte++) {
                size_t index = at + (size_t)half * 8 + byte;
                uint64_t value = index >= length ? 0
                                 : whole         ? bytes[index]
                                                 : (uint64_t)(int64_t)(int8_t)bytes[index];
                k ^= value << (8 * byte);
            }
            k *= c[half];
            k = k << turn[half] | k >> (64 - turn[half]);
            h[half] ^= k * c[1 - half];
            if (whole) {
                int shift = half == 0 ? 27 : 31;
                h[half] = (h[half] << shift | h[half] >> (64 - shift)) + h[1 - half];
                h[half] = h[half] * 5 + (half == 0 ? 0x52dce729 : 0x38495ab5);
            }
        }
    }
    h[0] ^= length;
    h[1] ^= length;
    h[0] += h[1];
    h[1] += h[0];
    for (int half = 0; half < 2; half++) {
        h[half] = (h[half] ^ h[half] >> 33) * UINT64_C(0xff51afd7ed558ccd);
        h[half] = (h[half] ^ h[half] >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
        h[half] ^= h[half] >> 33;
    }
    int64_t token = (int64_t)(h[0] + h[1]);
    return token == INT64_MIN ? INT64_MAX : token;
}

static void tokens_of_all_lengths_agree_with_the_definition(void **state)
{
    (void)state;
    struct random random = random_start();
    uint8_t bytes[70];
    for (long round = test_rounds(2000); round > 0; round--) {
        size_t length = random_below(&random, sizeof bytes);
        for (size_t at = 0; at < length; at++) {
            bytes[at] = (uint8_t)random_bits(&random);
        }
        assert_true(cql_token_of(bytes, length) == slow_token(bytes, length));
    }
}

static void other_partitioners_are_refused_by_name(void **state)
{
    (void)state;
    struct error error = {0};
    const char *good = "org.apache.cassandra.dht.Murmur3Partitioner";
    assert_int_equal(cql_token_check_partitioner(good, strlen(good), &error), STATUS_OK);
    const char *bad[] = {"org.apache.cassandra.dht.RandomPartitioner", "ByteOrderedPartitioner",
                         ""};
    for (size_t at = 0; at < 3; at++) {
        assert_int_equal(cql_token_check_partitioner(bad[at], strlen(bad[at]), &error),
                         STATUS_FAILED);
        assert_int_equal(error.code, ERROR_TARGET_INVALID);
    }
    assert_int_equal(cql_token_check_partitioner(bad[0], strlen(bad[0]), &error), STATUS_FAILED);
    assert_non_null(strstr(error.message, "RandomPartitioner"));
}

/* ---------------------------------------------------------------- ranges */

static void assert_tile(const struct cql_range *ranges, size_t count)
{
    int64_t after = CQL_TOKEN_MIN;
    for (size_t at = 0; at < count; at++) {
        assert_true(ranges[at].after == after);
        assert_true(ranges[at].to > after);
        after = ranges[at].to;
    }
    assert_true(after == CQL_TOKEN_MAX);
}

static void ranges_tile_the_ring(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct random random = random_start();
    for (long round = test_rounds(500); round > 0; round--) {
        int64_t tokens[20];
        size_t count = random_below(&random, 20);
        for (size_t at = 0; at < count; at++) {
            uint64_t kind = random_below(&random, 8);
            tokens[at] = kind == 0   ? CQL_TOKEN_MIN
                         : kind == 1 ? CQL_TOKEN_MAX
                         : kind == 2 ? CQL_TOKEN_MIN + 1
                                     : (int64_t)random_bits(&random);
        }
        size_t range_count;
        struct cql_range *ranges = cql_ranges_of(tokens, count, arena, &range_count);
        assert_true(range_count >= 1 && range_count <= count + 1);
        assert_tile(ranges, range_count);
        arena_reset(arena);
    }
    arena_destroy(arena);
}

static void pieces_tile_a_range(void **state)
{
    (void)state;
    const struct cql_range ranges[] = {
        {CQL_TOKEN_MIN, CQL_TOKEN_MAX}, {-5, 5}, {CQL_TOKEN_MAX - 1, CQL_TOKEN_MAX}, {0, 7}};
    for (size_t at = 0; at < 4; at++) {
        uint64_t width = cql_range_width(&ranges[at]);
        for (uint64_t pieces = 1; pieces <= 7 && pieces <= width; pieces++) {
            int64_t after = ranges[at].after;
            for (uint64_t index = 0; index < pieces; index++) {
                struct cql_range piece = cql_range_piece(&ranges[at], index, pieces);
                assert_true(piece.after == after && piece.to > after);
                after = piece.to;
            }
            assert_true(after == ranges[at].to);
        }
    }
}

static void shards_are_parts_of_the_ring(void **state)
{
    (void)state;
    assert_int_equal(cql_token_shard(INT64_MIN, 8, 0), 0);
    assert_int_equal(cql_token_shard(-1, 8, 0), 3);
    assert_int_equal(cql_token_shard(0, 8, 0), 4);
    assert_int_equal(cql_token_shard(INT64_MAX, 8, 0), 7);
    assert_int_equal(cql_token_shard(INT64_MIN + (INT64_C(1) << 51), 8, 12), 4);
    assert_int_equal(cql_token_shard(INT64_MAX, 1, 12), 0);
}

/* ---------------------------------------------------------------- replicas */

static void assert_replicas(const struct cql_ring *ring, struct cql_replication replication,
                            int64_t token, const char *expected)
{
    size_t width;
    uint16_t *all = cql_ring_replicas(ring, replication, "dc1", &width);
    const uint16_t *replicas = all + cql_ring_find(ring, token) * width;
    struct buffer out = {0};
    for (size_t at = 0; at < width && replicas[at] != CQL_NO_NODE; at++) {
        buffer_format(&out, "%u ", replicas[at]);
    }
    assert_buffer(&out, expected);
    buffer_free(&out);
    free(all);
}

static void replicas_follow_the_strategy(void **state)
{
    (void)state;
    const struct cql_place places[] = {
        {"dc1", "r1"}, {"dc2", "r1"}, {"dc1", "r1"}, {"dc1", "r2"}, {"dc1", "r3"}};
    struct cql_ring_entry entries[] = {{40, 4}, {0, 0}, {10, 1}, {20, 2}, {30, 3}};
    cql_ring_sort(entries, 5);
    const struct cql_ring ring = {entries, 5, places, 5};
    const struct cql_replication network = {CQL_STRATEGY_NETWORK, 3};
    const struct cql_replication simple = {CQL_STRATEGY_SIMPLE, 3};
    assert_replicas(&ring, network, 0, "0 3 4 ");  /* 2 is on a rack that 0 is on */
    assert_replicas(&ring, network, 1, "2 3 4 ");  /* 1 is elsewhere */
    assert_replicas(&ring, network, 41, "0 3 4 "); /* past the end */
    assert_replicas(&ring, (struct cql_replication){CQL_STRATEGY_NETWORK, 4}, 0, "0 2 3 4 ");
    assert_replicas(&ring, (struct cql_replication){CQL_STRATEGY_NETWORK, 9}, 5, "2 3 4 0 ");
    assert_replicas(&ring, (struct cql_replication){CQL_STRATEGY_NETWORK, 2}, 35, "4 0 ");
    assert_replicas(&ring, (struct cql_replication){CQL_STRATEGY_NETWORK, 0}, 0, "");
    assert_replicas(&ring, simple, 0, "0 2 "); /* the third one is not local */
    assert_replicas(&ring, simple, 15, "2 3 4 ");
    assert_replicas(&ring, (struct cql_replication){CQL_STRATEGY_OTHER, 0}, 25, "3 ");
    assert_replicas(&ring, (struct cql_replication){CQL_STRATEGY_OTHER, 0}, 5, "");
}

static void add_pair(struct buffer *map, const char *name, const char *value)
{
    cql_write_value(map, name, (int32_t)strlen(name));
    cql_write_value(map, value, (int32_t)strlen(value));
}

static struct cql_replication replication_of(const char *class, const char *name, const char *value)
{
    struct buffer map = {0};
    cql_write_int(&map, 2);
    add_pair(&map, name, value);
    add_pair(&map, "class", class);
    struct cql_replication replication = cql_replication_read(
        (struct cql_value){(const uint8_t *)map.data, (int32_t)map.length}, "dc1");
    buffer_free(&map);
    return replication;
}

static void replication_is_read(void **state)
{
    (void)state;
    const char *network = "org.apache.cassandra.locator.NetworkTopologyStrategy";
    struct cql_replication replication = replication_of(network, "dc1", "3");
    assert_int_equal(replication.strategy, CQL_STRATEGY_NETWORK);
    assert_int_equal(replication.factor, 3);
    assert_int_equal(replication_of(network, "dc2", "3").factor, 0);
    assert_int_equal(replication_of(network, "dc1", "3/1").factor, 3);
    replication = replication_of("SimpleStrategy", "replication_factor", "2");
    assert_int_equal(replication.strategy, CQL_STRATEGY_SIMPLE);
    assert_int_equal(replication.factor, 2);
    assert_int_equal(replication_of("LocalStrategy", "x", "y").strategy, CQL_STRATEGY_OTHER);
    replication = cql_replication_read((struct cql_value){NULL, CQL_NULL}, "dc1");
    assert_int_equal(replication.strategy, CQL_STRATEGY_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_the_servers),
        cmocka_unit_test(keys_of_several_columns_have_their_tokens),
        cmocka_unit_test(tokens_of_all_lengths_agree_with_the_definition),
        cmocka_unit_test(other_partitioners_are_refused_by_name),
        cmocka_unit_test(ranges_tile_the_ring),
        cmocka_unit_test(pieces_tile_a_range),
        cmocka_unit_test(shards_are_parts_of_the_ring),
        cmocka_unit_test(replicas_follow_the_strategy),
        cmocka_unit_test(replication_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
