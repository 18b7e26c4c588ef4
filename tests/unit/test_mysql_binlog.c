/* Events as MariaDB 10.11 and MySQL 9.7 wrote them: a table of nine columns, two rows, an update.
 */
/* cmocka.h needs the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "connectors/mysql/follow/feed.h"
#include <stdio.h>
#include <string.h>

static const char mariadb_format[] =
    "d4110a6b0f01000000fc000000000100000100040031302e31312e31392d4d6172696144422d302b64656231"
    "3275312d6c6f670000000000000000000000000000000000000000d4110a6b13380d00080012000404040412"
    "0000e400041a08000000080808020000000a0a0a0000000000000a0a0a000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000041304000d0808080a0a0a01fa498d5c";
static const char mariadb_table[] =
    "13120a6b13010000006d000000360400000000120000000000010006746573745f31000174000903f60ffe12"
    "13fe05fc0c0c03b004f7010302fe040804fe0101018003032d3f2e0413026964016e01730165016401740162"
    "0166016a0a012d060502016101620801000ad7b27e";
static const char mariadb_insert[] =
    "13120a6ba60100000072000000a80400000000120000000000010009ff018149789c63f8c7a091fdaefead66"
    "c59f1666868cc34b98666eda25d02c78a1de2bee0a63e2ac9920b0d35e8c8181a15a2951c94a21da504741d7"
    "48cf5447a1a4a83435b6f6d77f26061000004e871a51431a31e3";
static const char mariadb_update[] =
    "13120a6ba7010000003b000000d90500000000120000000000010009ff01ff018174789cfbf59f8901047e81"
    "e914862a3a0000492f34031cc39b22";
static const char mariadb_gtid[] =
    "13120a6ba2010000002a0000000303000008000300000000000000000000000c00000000000028595b33";
static const char mysql_format[] =
    "12120a6b0f010000007b0000007f00000001000400392e372e342d3200000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000012120a6b13000d00080000000004000400"
    "00006300041a08000000000000020000000a0a0a2a2a001234000a280000015975c110";
static const char mysql_begin[] =
    "15120a6b0201000000550000004303000008000a000000000000000600002500000000000001000008000000"
    "00000603737464042d002d00ff0005062b30303a303012ff00746573745f3100424547494e73745649";
static const char mysql_table[] =
    "15120a6b130100000074000000b703000000006a0000000000010006746573745f31000174000903f60ffe12"
    "13fe05f50c0c03b004f7010302fe040804fe010101800304fcff003f0413026964016e017301650164017401"
    "620166016a0a03fcff00060502016101620801000c02ff80650547c1";
static const char mysql_insert[] =
    "15120a6b1e01000000790000003004000000006a00000000001100020009ffff000000286bee7fed2978fc84"
    "030068c3a40299b2ba108311d07f4a5ed401619a9999999999b93f2200000000010021000b000100020c0061"
    "030015000501000b0d0004010000000000000004c0fa010200000000009db7b1a6";
static const char mysql_payload[] =
    "15120a6b2801000000ef0000008d05000000000201000303fc73010101cc0028b52ffd607300150600920a25"
    "2b9029190ebb5398fffffff84ed573f7c566ab362bb419f29d3088f868c5eab568916b2b248d6cb8c9de5ba6"
    "ffff230030f14bcdc8cc644e07500c503239b741ead0b4b0b3a21a491f0a29ec6ba45123fa2012b40cceca52"
    "94b671b515932ac6aa508e63b144c8c5e74231c3b2bb640968d238c7824202c2c1050d308ac0d331e78f1feb"
    "c148b1db778267376e33fc4d93c639021300a004e23226080097660541cf36411f186be660e3523980c538c2"
    "7e068300b28a0f4283abc12003f002521e881c";

enum { COLUMNS = 9, EVENT_BYTES_MAX = 600, PRINTED_MAX = 400 };

static const char *const words[COLUMNS][2] = {
    {"int", "int(10) unsigned"}, {"decimal", "decimal(12,3)"}, {"varchar", "varchar(300)"},
    {"enum", "enum('a','b')"},   {"datetime", "datetime(3)"},  {"time", "time(2)"},
    {"binary", "binary(4)"},     {"double", "double"},         {"json", "json"},
};

struct log {
    struct arena *arena;
    struct binlog_format format;
    struct binlog_table table;
};

static struct binlog_event read_event(struct log *log, const char *hex)
{
    struct binlog_event event;
    size_t length = strlen(hex) / 2;
    uint8_t *bytes = arena_allocate(log->arena, EVENT_BYTES_MAX);
    assert_true(length <= EVENT_BYTES_MAX);
    for (size_t i = 0; i < length; i++) {
        unsigned value = 0;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &value), 1);
        bytes[i] = (uint8_t)value;
    }
    assert_true(binlog_read_event(&log->format, bytes, length, &event));
    if (log->format.checksums && event.type != BINLOG_FORMAT) {
        struct binlog_event broken;
        bytes[length / 2] ^= 1;
        assert_false(binlog_read_event(&log->format, bytes, length, &broken));
        bytes[length / 2] ^= 1;
    }
    return event;
}

static struct log open_log(const char *format, const char *table)
{
    struct log log = {.arena = arena_create(0)};
    struct binlog_event event = read_event(&log, format);
    assert_true(binlog_read_format(&event, &log.format));
    if (table != NULL) {
        event = read_event(&log, table);
        assert_true(binlog_read_table(event.body, false, log.arena, &log.table));
        assert_string_equal(log.table.name, "t");
        assert_int_equal(log.table.column_count, COLUMNS);
        assert_true(log.table.named);
        assert_int_equal(log.table.columns[8].name.length, 1);
        assert_memory_equal(log.table.columns[8].name.data, "j", 1);
    }
    return log;
}

/* The next row as texts with bars between. */
static void check_row(struct log *log, struct binlog_rows *rows, const char *expected)
{
    struct buffer out = {0};
    const uint8_t *nulls = binlog_take(&rows->rest, (COLUMNS + 7) / 8);
    assert_non_null(nulls);
    for (uint32_t i = 0; i < COLUMNS; i++) {
        struct mysql_type type = mysql_type_of(words[i][0], words[i][1]);
        struct text value;
        buffer_append_string(&out, i > 0 ? "|" : "");
        if (binlog_has_bit(nulls, i)) {
            buffer_append_string(&out, "NULL");
            continue;
        }
        assert_true(binlog_take_value(&log->table.columns[i], &rows->rest, &value));
        assert_true(binlog_print_value(&log->table.columns[i], &type, value, &out));
    }
    assert_string_equal(buffer_string(&out), expected);
    buffer_free(&out);
}

static const char first_row[] = "4000000000|-1234567.891|h\xc3\xa4|b|2024-02-29 01:02:03.456|"
                                "-11:22:33.44|a|0.1|";

static void check_insert(struct log *log, const char *hex, const char *json)
{
    struct binlog_rows rows;
    struct binlog_event event = read_event(log, hex);
    assert_true(binlog_read_rows(&event, log->arena, &rows));
    assert_true(rows.writes && !rows.updates);
    assert_int_equal(rows.number, log->table.number);
    assert_int_equal(binlog_count_bits(rows.after, rows.column_count), COLUMNS);
    check_row(log, &rows, arena_format(log->arena, "%s%s", first_row, json));
    check_row(log, &rows, "2|NULL||NULL|NULL|NULL|NULL|NULL|NULL");
    assert_int_equal(rows.rest.left, 0);
}

static void check_update(struct log *log, const struct binlog_event *event)
{
    char expected[PRINTED_MAX] = "2|NULL|";
    struct binlog_rows rows;
    assert_true(binlog_read_rows(event, log->arena, &rows));
    assert_true(rows.updates);
    check_row(log, &rows, "2|NULL||NULL|NULL|NULL|NULL|NULL|NULL");
    memset(expected + strlen(expected), 'z', 100);
    memcpy(expected + 107, "|NULL|NULL|NULL|NULL|NULL|NULL",
           sizeof "|NULL|NULL|NULL|NULL|NULL|NULL");
    check_row(log, &rows, expected);
    assert_int_equal(rows.rest.left, 0);
}

/* Compressed rows. */
static void test_mariadb(void **state)
{
    (void)state;
    struct log log = open_log(mariadb_format, mariadb_table);
    check_insert(&log, mariadb_insert, "{\"a\": [1, -2.5, true]}");
    const struct binlog_event update = read_event(&log, mariadb_update);
    check_update(&log, &update);
    assert_false(binlog_stands_alone(read_event(&log, mariadb_gtid).body));
    arena_destroy(log.arena);
}

/* JSON in binary; a compressed transaction. */
static void test_mysql(void **state)
{
    (void)state;
    struct log log = open_log(mysql_format, mysql_table);
    check_insert(&log, mysql_insert, "{\"a\": [1, -2.5, true]}");
    struct binlog_query query;
    const struct binlog_event begin = read_event(&log, mysql_begin);
    assert_true(binlog_read_query(begin.body, false, log.arena, &query));
    assert_int_equal(query.statement.length, 5);
    assert_memory_equal(query.statement.data, "BEGIN", 5);

    struct binlog_payload payload = {0};
    struct binlog_event event;
    const struct binlog_event packed = read_event(&log, mysql_payload);
    for (int spooled = 0; spooled < 2; spooled++) {
        assert_true(binlog_payload_begin(&payload, packed.body));
        assert_true(!spooled || binlog_payload_spool(&payload, "/tmp"));
        int updates = 0;
        while (!binlog_payload_ended(&payload)) {
            assert_true(binlog_payload_next(&payload, &event));
            if (event.type == BINLOG_UPDATE_2) {
                check_update(&log, &event);
                updates++;
            }
        }
        assert_int_equal(updates, 1);
    }
    assert_true(binlog_payload_begin(&payload, packed.body));
    assert_false(binlog_payload_spool(&payload, "/nowhere"));
    /* what is cut off in the middle ends */
    struct binlog_bytes shorter = packed.body;
    shorter.left -= 40;
    assert_false(binlog_payload_begin(&payload, shorter));
    assert_true(binlog_payload_begin(&payload, packed.body));
    payload.packed.left -= 40;
    while (binlog_payload_next(&payload, &event)) {
        assert_false(binlog_payload_ended(&payload));
    }
    binlog_payload_free(&payload);
    arena_destroy(log.arena);
}

/* ---- sets of transactions */

static struct text text_of(const char *string)
{
    return (struct text){string, strlen(string)};
}

static void check_set(const char *set, bool mariadb, const char *printed)
{
    struct binlog_gtids gtids;
    struct buffer out = {0};
    bool is = binlog_gtids_read(text_of(set), mariadb, &gtids);
    assert_int_equal(is, printed != NULL);
    if (is) {
        binlog_gtids_print(&gtids, &out);
        assert_string_equal(buffer_string(&out), printed);
        binlog_gtids_free(&gtids);
    }
    buffer_free(&out);
}

#define ONE "00000000-0000-0000-0000-0000000000aa"
#define TWO "ffffffff-0000-0000-0000-000000000001"

static void test_sets(void **state)
{
    (void)state;
    check_set("", false, "");
    check_set(ONE ":1-5", false, ONE ":1-5");
    check_set(TWO ":7,\n" ONE ":3:1-2:9-10:4", false, ONE ":1-4:9-10," TWO ":7");
    check_set(ONE ":5-9:1-20:30", false, ONE ":1-20:30");
    check_set(ONE ":0", false, NULL);
    check_set(ONE ":5-4", false, NULL);
    check_set(ONE ":tag:5", false, NULL);
    check_set(ONE, false, NULL);
    check_set(ONE ":1-99999999999999999999", false, NULL);
    check_set("0000000-", false, NULL);
    check_set("", true, "");
    check_set("3-2-9, 0-1-100", true, "0-1-100,3-2-9");
    check_set("0-1", true, NULL);
    check_set("0-1-5x", true, NULL);
    check_set(ONE ":1-5", true, NULL);
}

static bool holds(const char *outer, const char *inner, bool mariadb)
{
    struct binlog_gtids first;
    struct binlog_gtids second;
    assert_true(binlog_gtids_read(text_of(outer), mariadb, &first));
    assert_true(binlog_gtids_read(text_of(inner), mariadb, &second));
    bool result = binlog_gtids_hold(&first, &second);
    binlog_gtids_free(&first);
    binlog_gtids_free(&second);
    return result;
}

static void test_sets_in_sets(void **state)
{
    (void)state;
    assert_true(holds("", "", false));
    assert_true(holds(ONE ":1-9", "", false));
    assert_true(holds(ONE ":1-9:20-30", ONE ":2-3:5:20-30", false));
    assert_false(holds(ONE ":1-9:20-30", ONE ":9-20", false));
    assert_false(holds(ONE ":1-9", ONE ":1-10", false));
    assert_false(holds(ONE ":1-9", TWO ":1", false));
    assert_true(holds("0-1-9,1-1-3", "0-2-8", true));
    assert_true(holds("0-1-9,1-1-3", "0-1-9", true));
    assert_false(holds("0-1-9,1-1-3", "0-2-9", true)); /* one number of two servers */
    assert_false(holds("0-1-9", "0-1-10", true));
    assert_false(holds("0-1-9", "2-1-1", true));

    /* as they come, and in the form that the server takes */
    struct binlog_gtids gtids;
    struct buffer out = {0};
    assert_true(binlog_gtids_read(text_of(ONE ":1-3"), false, &gtids));
    struct binlog_gtid gtid = {.number = 5};
    gtid.origin[15] = 0xaa;
    binlog_gtids_add(&gtids, &gtid);
    gtid.number = 4;
    binlog_gtids_add(&gtids, &gtid);
    binlog_gtids_encode(&gtids, &out);
    assert_int_equal(out.length, 8 + 16 + 8 + 16);
    assert_int_equal(out.data[0], 1);
    assert_int_equal((uint8_t)out.data[23], 0xaa);
    assert_int_equal(out.data[24], 1);
    assert_int_equal(out.data[32], 1);
    assert_int_equal(out.data[40], 6);
    binlog_gtids_free(&gtids);
    buffer_free(&out);
    /* a domain's last one counts, whatever its number */
    gtid = (struct binlog_gtid){.server = 2, .number = 4};
    assert_true(binlog_gtids_read(text_of("0-1-9"), true, &gtids));
    binlog_gtids_add(&gtids, &gtid);
    binlog_gtids_print(&gtids, &out);
    assert_string_equal(buffer_string(&out), "0-2-4");
    binlog_gtids_free(&gtids);
    buffer_free(&out);
}

/* `tables`: "d.t,t2"; ".d" is a whole database. */
static void check_ddl(const char *statement, unsigned deeds, const char *tables)
{
    struct arena *arena = arena_create(0);
    struct buffer names = {0};
    struct binlog_ddl ddl;
    binlog_read_ddl((struct text){statement, strlen(statement)}, arena, &ddl);
    for (uint32_t i = 0; ddl.deeds != 0 && i < ddl.table_count; i++) {
        const struct binlog_table_name *name = &ddl.tables[i];
        buffer_format(&names, "%s%s%s%s", i > 0 ? "," : "",
                      name->database != NULL && name->table != NULL ? name->database : "",
                      name->database != NULL ? "." : "",
                      name->table != NULL ? name->table : name->database);
    }
    assert_int_equal(ddl.deeds, deeds);
    assert_string_equal(buffer_string(&names), tables);
    buffer_free(&names);
    arena_destroy(arena);
}

static void test_truncate(void **state)
{
    (void)state;
    check_ddl("TRUNCATE TABLE t", BINLOG_EMPTIES, "t");
    check_ddl("truncate t", BINLOG_EMPTIES, "t");
    check_ddl("/* a */ TRUNCATE  TABLE `d x`.`t y`", BINLOG_EMPTIES, "d x.t y");
    check_ddl("TRUNCATE TABLE`t``u`", BINLOG_EMPTIES, "t`u");
    check_ddl("TRUNCATE d.t /* generated by server */", BINLOG_EMPTIES, "d.t");
    check_ddl("TRUNCATE d . t WAIT 5", BINLOG_EMPTIES, "d.t");
    check_ddl("/* c */ TRUNCATE /*!40000 TABLE */ `d` . `t`", BINLOG_EMPTIES, "d.t");
    check_ddl("DELETE FROM t", 0, "");
    check_ddl("TRUNCATE", 0, "");
    check_ddl("TRUNCATE `t", 0, "");
    check_ddl("", 0, "");
}

static void test_ddl(void **state)
{
    (void)state;
    check_ddl("DROP TABLE t", BINLOG_REPLACES, "t");
    check_ddl("DROP TABLE IF EXISTS `a`, d.`b` /* generated by server */", BINLOG_REPLACES,
              "a,d.b");
    check_ddl("drop tables a,b CASCADE", BINLOG_REPLACES, "a,b");
    check_ddl("DROP TEMPORARY TABLE t", 0, "");
    check_ddl("DROP /*!40005 TEMPORARY */ TABLE IF EXISTS `t`", 0, "");
    check_ddl("DROP DATABASE IF EXISTS d", BINLOG_REPLACES, ".d");
    check_ddl("DROP VIEW t", 0, "");
    check_ddl("DROP INDEX i ON t", 0, "");
    check_ddl("RENAME TABLE b TO b_old, d.b2 TO `b`", BINLOG_REPLACES, "b,b_old,d.b2,b");
    check_ddl("RENAME TABLE IF EXISTS a WAIT 3 TO b", BINLOG_REPLACES, "a,b");
    check_ddl("RENAME USER a TO b", 0, "");
    check_ddl("CREATE OR REPLACE TABLE t (id int)", BINLOG_DEFINES | BINLOG_REPLACES, "t");
    check_ddl("CREATE OR REPLACE TEMPORARY TABLE t (id int)", 0, "");
    check_ddl("CREATE OR REPLACE VIEW t AS SELECT 1", 0, "");
    check_ddl("CREATE TABLE IF NOT EXISTS t (id int)", BINLOG_DEFINES, "t");
    check_ddl("CREATE TABLE t (p int REFERENCES q (id) ON UPDATE SET NULL)",
              BINLOG_DEFINES | BINLOG_ACTS, "t");
    check_ddl("ALTER TABLE t ADD COLUMN c int", BINLOG_DEFINES, "t");
    check_ddl("ALTER TABLE t DROP COLUMN c, DROP d", BINLOG_DEFINES | BINLOG_REWRITES, "t");
    check_ddl("ALTER TABLE t TRUNCATE PARTITION p0", BINLOG_DEFINES | BINLOG_REPLACES, "t");
    check_ddl("ALTER TABLE t DROP PARTITION IF EXISTS p0, p1", BINLOG_DEFINES | BINLOG_REPLACES,
              "t");
    check_ddl("ALTER TABLE t EXCHANGE PARTITION p WITH TABLE d.`x`",
              BINLOG_DEFINES | BINLOG_REPLACES, "t,d.x");
    check_ddl("ALTER TABLE t CONVERT TABLE x TO PARTITION p", BINLOG_DEFINES | BINLOG_REPLACES,
              "t,x");
    check_ddl("ALTER TABLE t CONVERT PARTITION p TO TABLE x", BINLOG_DEFINES | BINLOG_REPLACES,
              "t,x");
    check_ddl("ALTER TABLE t DISCARD TABLESPACE", BINLOG_DEFINES | BINLOG_REPLACES, "t");
    check_ddl("ALTER TABLE t ADD PARTITION (PARTITION p9 VALUES LESS THAN (9))", BINLOG_DEFINES,
              "t");
    check_ddl("ALTER TABLE t REORGANIZE PARTITION p INTO (PARTITION q VALUES IN (1))",
              BINLOG_DEFINES, "t");
    check_ddl("ALTER TABLE d.t RENAME u", BINLOG_DEFINES | BINLOG_REPLACES, "d.t,u");
    check_ddl("ALTER TABLE t ADD c int, RENAME TO d.u", BINLOG_DEFINES | BINLOG_REPLACES, "t,d.u");
    check_ddl("ALTER TABLE t RENAME INDEX a TO b", BINLOG_DEFINES, "t");
    check_ddl("ALTER TABLE t RENAME COLUMN a TO b", BINLOG_DEFINES | BINLOG_REDEFINES, "t");
    check_ddl("ALTER TABLE t CONVERT TO CHARACTER SET latin1",
              BINLOG_DEFINES | BINLOG_REDEFINES | BINLOG_REWRITES, "t");
    check_ddl("ALTER ONLINE TABLE IF EXISTS t NOWAIT ADD x int, MODIFY v text",
              BINLOG_DEFINES | BINLOG_REDEFINES | BINLOG_REWRITES, "t");
    check_ddl("ALTER TABLE t ADD FOREIGN KEY (a, b) REFERENCES q (a, b) ON DELETE CASCADE",
              BINLOG_DEFINES | BINLOG_ACTS, "t");
    check_ddl("ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES q (a) ON DELETE RESTRICT",
              BINLOG_DEFINES, "t");
    check_ddl("ALTER TABLE t ADD c timestamp ON UPDATE current_timestamp() COMMENT "
              "'ON DELETE CASCADE, RENAME x'",
              BINLOG_DEFINES, "t");
    check_ddl("ALTER DATABASE d CHARACTER SET utf8mb4", 0, "");
    check_ddl("ALTER TABLE", 0, "");
}

/* int, year, varchar, enum, text, bigint unsigned; the text in latin1, all else in utf8mb4 */
static void test_metadata(void **state)
{
    static const char body[] = "\x01\0\0\0\0\0\0\0\001d\0\001t\0\x06\x03\x0d\x0f\xfe\xfc\x08"
                               "\x05\x50\0\xf7\x01\x02\0"
                               "\x01\x01\x40"
                               "\x02\x03\x2d\x01\x08"
                               "\x06\x06\x02\x01\x61\x02\xc3\xbc"
                               "\x0a\x01\x2d";
    static const uint32_t collations[] = {0, 0, 45, 45, 8, 0};
    struct arena *arena = arena_create(0);
    struct buffer out = {0};
    struct binlog_table table;
    (void)state;
    const struct binlog_bytes whole = {.at = (const uint8_t *)body, .left = sizeof body - 1};
    assert_true(binlog_read_table(whole, false, arena, &table));
    assert_int_equal(table.column_count, 6);
    for (uint32_t i = 0; i < table.column_count; i++) {
        assert_int_equal(table.columns[i].collation, collations[i]);
    }
    assert_true(table.columns[0].is_signed && !table.columns[0].is_unsigned);
    assert_true(!table.columns[1].is_signed && !table.columns[1].is_unsigned);
    assert_true(table.columns[5].is_unsigned && !table.columns[5].is_signed);
    assert_true(table.has_all_types);
    assert_true(binlog_print_labels(&table.columns[3], (struct text){"\x02", 1}, &out));
    assert_string_equal(buffer_string(&out), "ü");
    assert_false(binlog_print_labels(&table.columns[3], (struct text){"\x03", 1}, &out));
    const struct binlog_bytes without = {.at = (const uint8_t *)body, .left = sizeof body - 1 - 3};
    assert_true(binlog_read_table(without, false, arena, &table));
    assert_false(table.has_all_types); /* the labels have no character set */
    buffer_free(&out);
    arena_destroy(arena);
}

static void check_decimal(const char *hex, unsigned precision, unsigned scale, const char *expected)
{
    uint8_t bytes[32];
    struct buffer out = {0};
    size_t length = strlen(hex) / 2;
    for (size_t i = 0; i < length; i++) {
        unsigned value = 0;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &value), 1);
        bytes[i] = (uint8_t)value;
    }
    assert_true(binlog_print_decimal(bytes, length, precision, scale, &out));
    assert_string_equal(buffer_string(&out), expected);
    buffer_free(&out);
}

/* The first two are the manual's example (decimal.c, decimal2bin). */
static void test_decimals(void **state)
{
    (void)state;
    check_decimal("810dfb38d204d2", 14, 4, "1234567890.1234");
    check_decimal("7ef204c72dfb2d", 14, 4, "-1234567890.1234");
    check_decimal("800000", 5, 2, "0.00");
    check_decimal("80", 1, 0, "0");
}

static struct position position_of(struct arena *arena, const char *file, uint64_t offset,
                                   uint64_t server, const char *gtids)
{
    struct feed_place place = {.offset = offset, .begun = 7, .server = server};
    struct position position;
    assert_true(mysql_feed_read_file(text_of(file), &place));
    if (gtids != NULL) {
        place.has_gtids = true;
        place.gtids = text_of(gtids);
    }
    mysql_feed_put_place(&place, arena, &position);
    return position;
}

static enum position_order order_of(struct position left, struct position right)
{
    return feed_order_of(&mysql_feed_functions, left, right);
}

static void check_order(const struct position *ordered, int count)
{
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < count; j++) {
            assert_int_equal(mysql_feed_functions.covers(ordered[i], ordered[j]), i >= j);
        }
    }
}

/* Of one server by the file's number, then by the offset, also beyond 32 bits; of two by the sets.
 */
static void test_positions(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    const struct position ordered[] = {
        position_of(arena, "a.b.000009", UINT64_C(5) << 32, 9, NULL),
        position_of(arena, "a.b.000010", 4, 9, ONE ":1-7"),
        position_of(arena, "a.b.000010", UINT64_C(1) << 32, 9, ONE ":1-7"),
        position_of(arena, "a.b.1000000", 4, 9, ""),
    };
    const struct position elsewhere[] = {
        position_of(arena, "x.000009", 100, 1, ""),
        position_of(arena, "y.000001", 4, 2, ONE ":1-7"),
        position_of(arena, "x.000002", 3, 1, ONE ":1-8"),
        position_of(arena, "y.000000", 0, 2, ONE ":1-8," TWO ":1"),
    };
    check_order(ordered, 4);
    check_order(elsewhere + 1, 3);
    assert_true(order_of(elsewhere[0], elsewhere[1]) == POSITION_BEFORE);
    assert_int_equal(order_of(elsewhere[1], position_of(arena, "x.000009", 4, 1, ONE ":1-7")),
                     POSITION_SAME);
    /* each has a transaction that the other lacks: neither is reached at the other */
    const struct position apart[] = {
        position_of(arena, "x.000009", 100, 1, ONE ":1-7:9"),
        position_of(arena, "y.000001", 4, 2, ONE ":1-8"),
        position_of(arena, "z.000001", 4, 3, ONE ":1-8," TWO ":1"),
        position_of(arena, "x.000009", 100, 1, "0-1-9"),
        position_of(arena, "y.000009", 100, 2, "0-1-8,1-2-1"),
        position_of(arena, "y.000009", 100, 3, "0-2-9"),
    };
    assert_int_equal(order_of(apart[3], apart[5]), POSITION_APART);
    assert_int_equal(order_of(apart[0], apart[1]), POSITION_APART);
    assert_int_equal(order_of(apart[1], apart[0]), POSITION_APART);
    assert_int_equal(order_of(apart[2], apart[0]), POSITION_APART);
    assert_int_equal(order_of(apart[3], apart[4]), POSITION_APART);
    for (int i = 0; i < 2; i++) {
        assert_false(mysql_feed_functions.covers(apart[i], apart[1 - i]));
    }
    assert_true(mysql_feed_functions.covers(apart[2], apart[1]));
    struct feed_place read;
    assert_true(mysql_feed_get_place(ordered[0], &read));
    assert_string_equal(read.base, "a.b");
    assert_int_equal(read.number, 9);
    assert_true(read.offset == UINT64_C(5) << 32 && read.begun == 7 && read.server == 9);
    assert_false(read.has_gtids);
    assert_true(mysql_feed_get_place(ordered[1], &read));
    assert_string_equal(read.base, "a.b");
    assert_true(read.has_gtids && read.gtids.length == strlen(ONE ":1-7"));
    assert_false(mysql_feed_get_place((struct position){ordered[0].bytes, 24}, &read));
    assert_false(mysql_feed_read_file(text_of("binlog"), &read));
    assert_false(mysql_feed_read_file(text_of("binlog.x"), &read));
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mariadb),   cmocka_unit_test(test_mysql),
        cmocka_unit_test(test_truncate),  cmocka_unit_test(test_ddl),
        cmocka_unit_test(test_metadata),  cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_sets),      cmocka_unit_test(test_sets_in_sets),
        cmocka_unit_test(test_positions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
