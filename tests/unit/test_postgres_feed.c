/* Messages of pgoutput as PostgreSQL 15 sent them, and change sets made of them. */
#include "support.h"

#include "connectors/postgres/follow/feed.h"
#include "connectors/postgres/source.h"
#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 256, GOLD = 0x4000, GOLD_FIELDS = 4 };

/* CREATE TABLE gold (id int PRIMARY KEY, name text, big text, n numeric(6,2)), big EXTERNAL */
#define RELATION                                                                               \
    "52000040007075626c696300676f6c64006400040169640000000017ffffffff006e616d650000000019ffff" \
    "ffff006269670000000019ffffffff006e00000006a400060006"
#define BEGIN "420000000001506b0000030447b98991ee000002d7"
#define INSERT "49000040004e00047400000001326e7400000001796e"
#define COMMIT "43000000000001506b000000000001506b3000030447b98991ee"
#define UPDATE "55000040004e0004740000000131740000000162757400000004312e3530"
#define KEY_UPDATE "55000040004b00047400000001326e6e6e4e00047400000001336e7400000001796e"
#define DELETE "44000040004b00047400000001336e6e6e"
#define TRUNCATE "54000000010000004000"

struct message {
    uint8_t bytes[BYTES_MAX];
    size_t length;
};

static uint8_t digit(char byte)
{
    return (uint8_t)(byte >= 'a' ? byte - 'a' + 10 : byte - '0');
}

static struct message message_of(const char *hex)
{
    struct message message = {.length = strlen(hex) / 2};
    assert_true(message.length <= BYTES_MAX);
    for (size_t i = 0; i < message.length; i++) {
        message.bytes[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    }
    return message;
}

static struct pgoutput_message read_hex(const char *hex, bool streamed, struct message *kept)
{
    struct pgoutput_message message;
    *kept = message_of(hex);
    assert_true(pgoutput_read(kept->bytes, kept->length, streamed, &message));
    return message;
}

/* ---------------------------------------------------------------- messages */

static void messages_are_read(void **state)
{
    (void)state;
    struct message kept;
    struct pgoutput_message message = read_hex(BEGIN, false, &kept);
    assert_int_equal(message.kind, PGOUTPUT_BEGIN);
    assert_int_equal(message.xid, 727);
    assert_int_equal(message.lsn, 0x1506b00);
    message = read_hex(COMMIT, false, &kept);
    assert_int_equal(message.lsn, 0x1506b00);
    assert_int_equal(message.end_lsn, 0x1506b30);
    assert_int_equal(message.time_us / 1000000 / 86400 / 365, 56); /* 2026 */
    message = read_hex(RELATION, false, &kept);
    assert_string_equal(message.schema, "public");
    assert_string_equal(message.name, "gold");
    assert_int_equal(message.identity, 'd');
    assert_int_equal(message.column_count, 4);
    struct pgoutput_column column;
    size_t at = 0;
    pgoutput_next_column(&message, &at, &column);
    assert_string_equal(column.name, "id");
    assert_true(column.key);
    for (int i = 0; i < 3; i++) {
        pgoutput_next_column(&message, &at, &column);
    }
    assert_string_equal(column.name, "n");
    assert_false(column.key);
    assert_int_equal(column.type, 1700);
    assert_int_equal(column.modifier, 0x60006);
    message = read_hex(TRUNCATE, false, &kept);
    assert_int_equal(message.relation_count, 1);
    assert_int_equal(pgoutput_truncated(&message, 0), GOLD);
    message = read_hex("4f00000000000000006f726967696e00", true, &kept);
    assert_string_equal(message.gid, "origin");
}

static void tuples_are_read(void **state)
{
    (void)state;
    struct message kept;
    struct pgoutput_value value;
    size_t at = 0;
    struct pgoutput_message message = read_hex(UPDATE, false, &kept);
    assert_int_equal(message.relation, GOLD);
    assert_null(message.old.columns);
    assert_int_equal(message.new.count, 4);
    const char kinds[] = "ttut";
    for (int i = 0; i < 4; i++) {
        pgoutput_next_value(&message.new, &at, &value);
        assert_int_equal(value.kind, kinds[i]);
    }
    assert_memory_equal(value.bytes, "1.50", 4);
    message = read_hex(KEY_UPDATE, false, &kept);
    assert_int_equal(message.old_kind, 'K');
    at = 0;
    pgoutput_next_value(&message.old, &at, &value);
    assert_memory_equal(value.bytes, "2", 1);
    message = read_hex(DELETE, false, &kept);
    assert_int_equal(message.old_kind, 'K');
    assert_null(message.new.columns);
}

/* The xid stands before what is streamed, and the parallel form of an abort is longer. */
static void streams_are_read(void **state)
{
    (void)state;
    struct message kept;
    struct pgoutput_message message = read_hex("53000002d701", false, &kept);
    assert_int_equal(message.xid, 727);
    assert_true(message.first);
    message = read_hex("49000002d8000040004e0001740000000132", true, &kept);
    assert_int_equal(message.xid, 728);
    assert_int_equal(message.relation, GOLD);
    (void)read_hex("45", true, &kept);
    message =
        read_hex("63000002d700000000000000001000000000000000200000000000000000", false, &kept);
    assert_int_equal(message.end_lsn, 0x20);
    message = read_hex("41000002d7000002d8", false, &kept);
    assert_int_equal(message.subxid, 728);
    message = read_hex("41000002d7000002d800000000000000100000000000000000", false, &kept);
    assert_int_equal(message.lsn, 0x10);
    message =
        read_hex("4b00000000000000001000000000000000200000000000000000000002d76700", false, &kept);
    assert_int_equal(message.kind, PGOUTPUT_COMMIT_PREPARED);
    assert_string_equal(message.gid, "g");
}

/* Cut anywhere, or with a byte more, it is no message. */
static void others_are_refused(void **state)
{
    (void)state;
    static const char *const all[] = {BEGIN,      INSERT, COMMIT,   UPDATE,
                                      KEY_UPDATE, DELETE, TRUNCATE, RELATION};
    struct pgoutput_message read;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct message message = message_of(all[i]);
        for (size_t length = 0; length < message.length; length++) {
            uint8_t *exact = malloc(length + 1);
            memcpy(exact, message.bytes, length);
            assert_false(pgoutput_read(exact, length, false, &read));
            free(exact);
        }
        assert_false(pgoutput_read(message.bytes, message.length + 1, false, &read));
    }
    assert_false(pgoutput_read((const uint8_t *)"?", 1, false, &read));
    assert_false(pgoutput_read((const uint8_t *)"I\0\0\x40\0N\0\1x", 9, false, &read));
    assert_false(
        pgoutput_read((const uint8_t *)"I\0\0\x40\0N\0\1t\xff\xff\xff\xff", 13, false, &read));
}

/* ---------------------------------------------------------------- sets */

struct following {
    struct postgres_database database;
    struct feed feed;
    struct feed_relation relation;
    struct shape shape;
};

static void begin(struct following *following)
{
    static const struct shape_field fields[GOLD_FIELDS] = {
        {"id", 2, {.kind = VALUE_INT64}},
        {"name", 4, {.kind = VALUE_TEXT}},
        {"big", 3, {.kind = VALUE_TEXT}},
        {"n", 1, {.kind = VALUE_DECIMAL}},
    };
    static const struct postgres_type types[GOLD_FIELDS] = {
        {POSTGRES_AS_INT4, {0}},
        {POSTGRES_AS_TEXT, {0}},
        {POSTGRES_AS_TEXT, {0}},
        {POSTGRES_AS_NUMERIC, {0}},
    };
    static const bool key[GOLD_FIELDS] = {true};
    static const uint32_t key_fields[] = {0};
    *following = (struct following){.database.utf8 = true};
    following->shape = (struct shape){"gold", fields, GOLD_FIELDS, key_fields, 1};
    following->relation = (struct feed_relation){
        .oid = GOLD, .name = "gold", .shape = &following->shape, .types = types, .key = key};
    following->feed =
        (struct feed){.self = &following->database, .name = "f", .arena = arena_create(0)};
    struct feed_relation *relation = &following->relation;
    HASH_ADD(hh, following->feed.relations, oid, sizeof relation->oid, relation);
}

static void end(struct following *following)
{
    HASH_CLEAR(hh, following->feed.relations);
    if (following->feed.making.set != NULL) {
        arena_destroy(following->feed.making.set->arena);
    }
    arena_destroy(following->feed.arena);
}

static struct change_set *take(struct following *following, const char *hex)
{
    struct message message = message_of(hex);
    struct change_set *set = NULL;
    struct error error = {0};
    assert_int_equal(
        postgres_feed_take(&following->feed, message.bytes, message.length, false, &set, &error),
        STATUS_OK);
    return set;
}

static void sets_are_made(void **state)
{
    (void)state;
    struct following following;
    begin(&following);
    static const char *const within[] = {BEGIN, INSERT, UPDATE, KEY_UPDATE, DELETE, TRUNCATE};
    for (size_t i = 0; i < sizeof within / sizeof within[0]; i++) {
        assert_null(take(&following, within[i]));
    }
    struct change_set *set = take(&following, COMMIT);
    assert_non_null(set);
    assert_true(set->first_piece && set->last_piece);
    assert_string_equal(set->transaction, "727");
    assert_int_equal(set->change_count, 5);
    assert_int_equal(set->table_count, 1);
    assert_string_equal(set->tables[0].name, "gold");
    assert_int_equal(feed_order_of(&postgres_feed_functions, set->begin, set->end),
                     POSITION_BEFORE);
    const struct record_change *changes = set->changes;
    assert_int_equal(changes[0].operation, RECORD_INSERT);
    assert_int_equal(changes[0].key[0].i64, 2);
    assert_int_equal(changes[0].after[1].kind, VALUE_NULL);
    assert_int_equal(changes[1].operation, RECORD_UPDATE);
    assert_int_equal(changes[1].key[0].i64, 1);
    assert_int_equal(changes[1].after[2].kind, VALUE_MISSING);
    assert_int_equal(changes[1].after[3].i64, 150);
    assert_int_equal(changes[2].key[0].i64, 2);
    assert_int_equal(changes[2].after[0].i64, 3);
    assert_int_equal(changes[3].operation, RECORD_DELETE);
    assert_null(changes[3].after);
    assert_int_equal(changes[3].key[0].i64, 3);
    assert_int_equal(changes[4].operation, RECORD_TRUNCATE);
    assert_null(changes[4].key);
    arena_destroy(set->arena);
    end(&following);
}

/* Of a transaction that was begun nowhere, a table that nobody told of, a tuple of other columns.
 */
static void nonsense_is_refused(void **state)
{
    (void)state;
    static const char *const second[] = {COMMIT, INSERT, BEGIN, "49000040014e0001740000000132",
                                         "49000040004e0001740000000132"};
    for (size_t i = 0; i < sizeof second / sizeof second[0]; i++) {
        struct following following;
        struct change_set *set = NULL;
        struct error error = {0};
        begin(&following);
        if (i >= 2) {
            assert_null(take(&following, BEGIN));
        }
        struct message message = message_of(second[i]);
        assert_int_equal(
            postgres_feed_take(&following.feed, message.bytes, message.length, false, &set, &error),
            STATUS_FAILED);
        assert_int_equal(error.code, ERROR_SOURCE_READ);
        end(&following);
    }
}

/* ---------------------------------------------------------------- texts */

static void texts_become_cells(void **state)
{
    (void)state;
    static const struct {
        enum postgres_format format;
        const char *text;
        enum value_kind kind; /* VALUE_MISSING: it is refused */
        int64_t number;
    } cases[] = {
        {POSTGRES_AS_INT8, "-9223372036854775808", VALUE_INT64, INT64_MIN},
        {POSTGRES_AS_INT2, "x", VALUE_MISSING, 0},
        {POSTGRES_AS_BOOL, "t", VALUE_BOOL, 1},
        {POSTGRES_AS_NUMERIC, "-0.10", VALUE_DECIMAL, -10},
        {POSTGRES_AS_DATE, "1970-01-02", VALUE_DATE, 1},
        {POSTGRES_AS_DATE, "0001-01-01 BC", VALUE_DATE, -719528},
        {POSTGRES_AS_DATE, "infinity", VALUE_DATE, CELL_INFINITY},
        {POSTGRES_AS_DATE, "5874897-12-31", VALUE_DATE, 2145042905},
        {POSTGRES_AS_DATE, "1970-13-02", VALUE_MISSING, 0},
        {POSTGRES_AS_TIMESTAMP, "1970-01-01 00:00:00.000001", VALUE_TIMESTAMP, 1},
        {POSTGRES_AS_TIMESTAMPTZ, "1970-01-01 02:00:00+02", VALUE_TIMESTAMP, 0},
        {POSTGRES_AS_TIMESTAMPTZ, "-infinity", VALUE_TIMESTAMP, CELL_MINUS_INFINITY},
        {POSTGRES_AS_TIMESTAMPTZ, "1970-01-01 02:00:00", VALUE_MISSING, 0},
        {POSTGRES_AS_TIME, "24:00:00", VALUE_TIME, INT64_C(86400000000000)},
        {POSTGRES_AS_TIMETZ, "00:00:01-05:30", VALUE_TIME, 1000000000},
        {POSTGRES_AS_UUID, "not one", VALUE_MISSING, 0},
        {POSTGRES_AS_BYTEA, "\\x0g", VALUE_MISSING, 0},
        {POSTGRES_AS_INTERVAL, "P1", VALUE_MISSING, 0},
        {POSTGRES_AS_FLOAT8, "one", VALUE_MISSING, 0},
    };
    struct arena *arena = arena_create(0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct postgres_type type = {.format = cases[i].format};
        struct cell cell = {0};
        enum status status = postgres_decode_text(&type, true, cases[i].text,
                                                  (uint32_t)strlen(cases[i].text), arena, &cell);
        if (status != (cases[i].kind == VALUE_MISSING ? STATUS_END : STATUS_OK) ||
            (status == STATUS_OK && (cell.kind != cases[i].kind || cell.i64 != cases[i].number))) {
            fail_msg("%s: kind %d, %lld", cases[i].text, cell.kind, (long long)cell.i64);
        }
    }
    const struct postgres_type interval = {.format = POSTGRES_AS_INTERVAL};
    struct cell cell;
    static const char text[] = "P1Y-2M3DT-4H5M-6.5S";
    assert_int_equal(postgres_decode_text(&interval, true, text, sizeof text - 1, arena, &cell),
                     STATUS_OK);
    assert_int_equal(cell.interval->months, 10);
    assert_int_equal(cell.interval->days, 3);
    assert_int_equal(cell.interval->nanoseconds,
                     (-4 * 3600 + 5 * 60 - 6) * INT64_C(1000000000) - 500000000);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_read),  cmocka_unit_test(tuples_are_read),
        cmocka_unit_test(streams_are_read),   cmocka_unit_test(others_are_refused),
        cmocka_unit_test(sets_are_made),      cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(texts_become_cells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
