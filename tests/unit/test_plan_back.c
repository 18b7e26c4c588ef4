/* The way back: templates read backwards, kinds of records, lists as rows, equal records as one. */
#include "plan/words/template.h"
#include "plan/words/template_read.h"
#include "support_plan.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---------------------------------------------------------------- templates */

static struct plan_template parse(struct arena *arena, const char *text)
{
    struct plan_node node = {.kind = PLAN_NODE_SCALAR,
                             .text = text,
                             .length = (uint32_t)strlen(text),
                             .line = 1,
                             .column = 1};
    struct plan_faults faults;
    struct plan_template template;
    plan_faults_init(&faults, "t", NULL);
    template_parse(&node, arena, &faults, &template);
    assert_int_equal(faults.count, 0);
    return template;
}

/* "fits a|b", "differs" or "ambiguous". */
static void expect_read(const char *template, const char *text, const char *expected)
{
    struct arena *arena = arena_create(0);
    struct plan_template parsed = parse(arena, template);
    struct template_slice slices[TEMPLATE_READ_VALUES_MAX];
    struct buffer out = {0};
    switch (template_read(&parsed, text, strlen(text), slices)) {
    case TEMPLATE_DIFFERS:
        buffer_append_string(&out, "differs");
        break;
    case TEMPLATE_AMBIGUOUS:
        buffer_append_string(&out, "ambiguous");
        break;
    case TEMPLATE_FITS:
        buffer_append_string(&out, "fits");
        for (uint32_t i = 0; i < template_value_count(&parsed); i++) {
            buffer_append_string(&out, i == 0 ? " " : "|");
            buffer_append_string(&out, slices[i].minus ? "-" : "");
            buffer_append(&out, slices[i].text, slices[i].length);
        }
        break;
    }
    if (strcmp(buffer_string(&out), expected) != 0) {
        fail_msg("%s read as %s: %s, expected %s", text, template, buffer_string(&out), expected);
    }
    buffer_free(&out);
    arena_destroy(arena);
}

static void texts_are_read(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"PROFILE", "PROFILE", "fits"},
        {"PROFILE", "PROFILES", "differs"},
        {"C#{Id}", "C#5", "fits 5"},
        {"C#{Id}", "c#5", "differs"},
        {"C#{Id}", "C#", "fits "},
        {"C#{Id}", "C", "differs"},
        {"{Id}", "anything # at all", "fits anything # at all"},
        {"{Id}#X", "5#X", "fits 5"},
        {"{Id}#X", "#X", "fits "},
        {"A{Id}A", "A", "differs"}, /* beginning and end do not share a letter */
        {"A{Id}A", "AA", "fits "},
        {"ORDER#{Date}#{Id}", "ORDER#2021-01-01 00:00:00#17", "fits 2021-01-01 00:00:00|17"},
        {"ORDER#{Date}#{Id}", "ORDER#17", "differs"},
        {"ORDER#{Date}#{Id}", "ORDER##", "fits |"},
        {"ORDER#{Date}#{Id}", "ORDER#a#b#c", "ambiguous"},
        {"ORDER#{Date}#{Id}", "ORDER#a##c", "ambiguous"},
        {"{A}-{A}-{B}", "x-x-y", "fits x|x|y"},
        {"{A}-{A}-{B}", "x-z-y", "differs"}, /* one name is one value */
        {"{A:03}-{A}", "007-7", "fits 7|7"},
        {"{A:03}-{A}", "007-8", "differs"},
        {"{A}, {B}; {C}", "x, y; z", "fits x|y|z"},
        {"{A}, {B}; {C}", "x; y, z; w", "fits x; y|z|w"},
        {"{A}, {B}; {C}", "x; y, z", "differs"},
        {"{A}aa{B}", "aaa", "ambiguous"},
        {"{A}ab{B}ab{C}", "abab", "fits ||"},
        {"{{{A}}}", "{5}", "fits 5"},
        {"\xc3\xa9{A}\xe2\x82\xac{B}", "\xc3\xa9x\xe2\x82\xacy", "fits x|y"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_read(cases[i][0], cases[i][1], cases[i][2]);
    }
}

static void padding_is_taken_off(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"I#{Id:06}", "I#000017", "fits 17"},
        {"I#{Id:06}", "I#-000017", "fits -17"},
        {"I#{Id:06}", "I#-123456", "fits -123456"},
        {"I#{Id:06}", "I#1234567", "fits 1234567"},
        {"I#{Id:06}", "I#0234567", "differs"}, /* the template would have made no zero */
        {"I#{Id:06}", "I#17", "differs"},
        {"I#{Id:06}", "I#000000", "fits 0"},
        {"I#{Id:06}", "I#0001.5", "fits 1.5"},
        {"I#{Id:06}", "I#0000.5", "fits 0.5"},
        {"I#{Id:06}", "I#00000.", "differs"},
        {"I#{Id:06}", "I#.00000", "differs"},
        {"I#{Id:06}", "I#--0017", "differs"},
        {"I#{Id:06}", "I#00001x", "differs"},
        {"I#{Id:06}", "I#", "differs"},
        {"{A:03}#{B}", "007#x", "fits 7|x"},
        {"{B}#{A:03}", "x#y#007", "ambiguous"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_read(cases[i][0], cases[i][1], cases[i][2]);
    }
}

/* What a template makes of values without its literals is read back as them. */
static void what_was_made_is_read_back(void **state)
{
    (void)state;
    unsigned seed = 20;
    struct arena *arena = arena_create(0);
    static const char *const templates[] = {"{a}#{b}", "X{a}", "{a}-{b}-{c}Z", "<{a}|{b}>",
                                            "{a:05}/{b}"};
    for (int round = 0; round < 4000; round++) {
        const char *text = templates[round % 5];
        struct plan_template template = parse(arena, text);
        struct template_slice slices[TEMPLATE_READ_VALUES_MAX];
        struct buffer made = {0};
        char values[3][24];
        for (uint32_t i = 0; i < template.count; i++) {
            const struct template_part *part = &template.parts[i];
            buffer_append(&made, part->literal, part->literal_length);
            if (part->has_value && part->pad > 0) {
                int number = (int)((unsigned)rand_r(&seed) % 200000) - 100000;
                snprintf(values[i], sizeof values[i], "%d", number);
                buffer_format(&made, number < 0 ? "-%05d" : "%05d", number < 0 ? -number : number);
            } else if (part->has_value) {
                size_t length = (size_t)rand_r(&seed) % 8;
                for (size_t at = 0; at < length; at++) {
                    values[i][at] = "ab01 _.,\xc3"[(unsigned)rand_r(&seed) % 8];
                }
                values[i][length] = '\0';
                buffer_append_string(&made, values[i]);
            }
        }
        assert_int_equal(template_read(&template, buffer_string(&made), made.length, slices),
                         TEMPLATE_FITS);
        for (uint32_t i = 0; i < template_value_count(&template); i++) {
            char read[40];
            snprintf(read, sizeof read, "%s%.*s", slices[i].minus ? "-" : "", (int)slices[i].length,
                     slices[i].text);
            assert_string_equal(read, values[i]);
        }
        buffer_free(&made);
        arena_reset(arena);
    }
    arena_destroy(arena);
}

static void expect_overlap(const char *left, const char *right, bool expected)
{
    struct arena *arena = arena_create(0);
    struct plan_template a = parse(arena, left);
    struct plan_template b = parse(arena, right);
    if (template_overlaps(&a, &b) != expected || template_overlaps(&b, &a) != expected) {
        fail_msg("%s and %s: %s was expected", left, right, expected ? "overlap" : "none");
    }
    arena_destroy(arena);
}

static void overlaps_are_found(void **state)
{
    (void)state;
    expect_overlap("PROFILE", "PROFILE", true);
    expect_overlap("PROFILE", "METADATA", false);
    expect_overlap("ORDER#{a}", "PROFILE", false);
    expect_overlap("ORDER#{a}", "ORDER#", true);
    expect_overlap("{a}", "PROFILE", true);
    expect_overlap("ORDER#{a}", "ORDERS#{a}", false);
    expect_overlap("ORDER#{a}", "ORDER#{a}#{b}", true);
    expect_overlap("{a}#X", "{a}#Y", false);
    expect_overlap("{a}#X", "Z#{b}", true);
    expect_overlap("A{a}B", "AB{b}", true);
    expect_overlap("{a:04}", "12", false);
    expect_overlap("{a:04}", "0012", true);
}

/* Two templates overlap if and only if some text fits both: all texts of few letters are tried. */
static void overlaps_agree_with_all_short_texts(void **state)
{
    (void)state;
    static const char *const templates[] = {"a",     "ab",      "{x}",      "a{x}",
                                            "{x}a",  "a{x}b",   "b{x}b",    "ab{x}",
                                            "{x}ab", "{x}a{y}", "a{x}a{y}", "ba{x}b{y}a"};
    enum { COUNT = sizeof templates / sizeof templates[0], LETTERS_MAX = 9 };
    struct arena *arena = arena_create(0);
    struct plan_template parsed[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        parsed[i] = parse(arena, templates[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < COUNT; j++) {
            bool found = false;
            for (unsigned length = 0; length <= LETTERS_MAX && !found; length++) {
                for (unsigned bits = 0; bits < 1u << length && !found; bits++) {
                    char text[LETTERS_MAX + 1];
                    for (unsigned at = 0; at < length; at++) {
                        text[at] = (bits >> at & 1) != 0 ? 'b' : 'a';
                    }
                    found = template_read(&parsed[i], text, length, NULL) != TEMPLATE_DIFFERS &&
                            template_read(&parsed[j], text, length, NULL) != TEMPLATE_DIFFERS;
                }
            }
            if (template_overlaps(&parsed[i], &parsed[j]) != found) {
                fail_msg("%s and %s: texts that fit both: %d", templates[i], templates[j], found);
            }
        }
    }
    arena_destroy(arena);
}

/* ---------------------------------------------------------------- documents */

static struct plan_test folder;

/* A folder with one table "shop" of these lines, and a target. */
static void open_items(const char *items, const char *target)
{
    char path[400];
    char uri[420];
    const char *place = test_folder();
    snprintf(path, sizeof path, "%s/shop", place);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/shop/data-1.json", place);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fputs(items, file) >= 0);
    fclose(file);
    snprintf(uri, sizeof uri, "dynamodb-json:%s", place);
    plan_test_open_uri(&folder, uri, target);
}

static const char orders[] =
    "{\"Item\":{\"PK\":{\"S\":\"C#1\"},\"SK\":{\"S\":\"PROFILE\"},\"Name\":{\"S\":\"Ann\"}}}\n"
    "{\"Item\":{\"PK\":{\"S\":\"C#1\"},\"SK\":{\"S\":\"O#2021-01-01#0007\"},\"Lines\":{\"L\":[{"
    "\"M\":{\"Nr\":{\"N\":\"1\"},"
    "\"Qty\":{\"N\":\"2\"}}},{\"M\":{\"Nr\":{\"N\":\"2\"}}}]}}}\n"
    "{\"Item\":{\"PK\":{\"S\":\"C#1\"},\"SK\":{\"S\":\"O#2021-01-02#0008\"},\"Lines\":{\"L\":[]}}}"
    "\n"
    "{\"Item\":{\"PK\":{\"S\":\"C#2\"},\"SK\":{\"S\":\"O#2021#x#0009\"},\"Lines\":{\"S\":\"none\"}}"
    "}\n"
    "{\"Item\":{\"PK\":{\"S\":\"C#2\"},\"SK\":{\"S\":\"O#2021-01-04#0010\"},\"Lines\":{\"L\":[{"
    "\"S\":\"odd\"},{\"M\":{"
    "\"Nr\":{\"S\":\"x\"}}},{\"M\":{\"Nr\":{\"N\":\"3\"}}}]}}}\n"
    "{\"Item\":{\"PK\":{\"S\":\"C#3\"},\"SK\":{\"S\":\"O#2021-01-05#0011\"}}}\n"
    "{\"Item\":{\"PK\":{\"S\":\"X#3\"},\"SK\":{\"S\":\"WHAT\"}}}\n";

#define KINDS                                                                               \
    "  customer:\n"                                                                         \
    "    key: [Id]\n"                                                                       \
    "    from: shop\n"                                                                      \
    "    match: { PK: \"C#{Id}\", SK: PROFILE }\n"                                          \
    "    fields: { Id: { column: Id, cast: int64 }, Name: { column: Name, cast: text } }\n" \
    "  order:\n"                                                                            \
    "    key: [Id]\n"                                                                       \
    "    columns: { Id: { type: INTEGER } }\n"                                              \
    "    from: shop\n"                                                                      \
    "    match: { PK: \"C#{Customer}\", SK: \"O#{Date}#{Id:04}\" }\n"                       \
    "    fields: { Id: copy, Date: copy, Label: \"{Customer}/{Id}\" }\n"                    \
    "  line:\n"                                                                             \
    "    key: [OrderId, Nr]\n"                                                              \
    "    from: shop\n"                                                                      \
    "    match: { PK: \"C#{Customer}\", SK: \"O#{Date}#{Id:04}\" }\n"                       \
    "    unnest: Lines\n"                                                                   \
    "    where: \"Qty IS NULL OR Qty < 5\"\n"                                               \
    "    fields:\n"                                                                         \
    "      OrderId: { column: $parent.Id, cast: int64 }\n"                                  \
    "      Place: { column: $ordinal }\n"                                                   \
    "      Nr: { column: Nr, cast: int64 }\n"                                               \
    "      Label: \"{$parent.PK} {Nr}\"\n"

static void items_go_to_their_entities(void **state)
{
    (void)state;
    open_items(orders, "sqlite");
    folder.show_rejects = true;
    plan_test_records(
        &folder, KINDS,
        "customer {Id:1,Name:\"Ann\"}\n"
        "order {Id:7,Date:\"2021-01-01\",Label:\"1/7\"}\n"
        "order {Id:8,Date:\"2021-01-02\",Label:\"1/8\"}\n"
        "order {Id:10,Date:\"2021-01-04\",Label:\"2/10\"}\n"
        "order {Id:11,Date:\"2021-01-05\",Label:\"3/11\"}\n"
        "line {OrderId:7,Place:1,Nr:1,Label:\"C#1 1\"}\n"
        "line {OrderId:7,Place:2,Nr:2,Label:\"C#1 2\"}\n"
        "line {OrderId:10,Place:3,Nr:3,Label:\"C#2 3\"}\n"
        "order REJECT pattern \"data-1.json\"281: field Id: reading SK as O#{Date}#{Id:04}: the "
        "text "
        "can be read in two ways {\"Id\":?,\"Date\":?,\"Label\":?}\n"
        "line REJECT type \"data-1.json\"281: unnesting Lines: 'Lines' is no list but text "
        "{\"parent\":{\"PK\":\"C#2\",\"SK\":\"O#2021#x#0009\",\"Lines\":\"none\"}}\n"
        "line REJECT type \"data-1.json\"357: element 1 of Lines: it has no fields: it is text "
        "{\"$value\":\"odd\"}\n"
        "line REJECT type \"data-1.json\"357: element 2 of Lines: field Nr: text \"x\" can't "
        "become int64: it is not a number "
        "{\"OrderId\":10,\"Place\":2,\"Nr\":[?,\"x\"],\"Label\":\"C#2 x\"}\n"
        "customer REJECT unmatched \"data-1.json\"549: the record fits no entity of the plan "
        "{\"unmatched\":{\"PK\":\"X#3\",\"SK\":\"WHAT\"}}\n");
    /* of seven items: one of the other kind, five that are orders, one that is nobody's */
    assert_int_equal(folder.counts[0].made, 2);
    assert_int_equal(folder.counts[0].filtered, 5);
    assert_int_equal(folder.counts[1].made, 5);
    assert_int_equal(folder.counts[1].rejected, 1);
    assert_int_equal(folder.counts[2].made, 6);
    assert_int_equal(folder.counts[2].rejected, 3);
    plan_test_close(&folder);
}

static void what_fits_nothing_can_be_left_out(void **state)
{
    (void)state;
    open_items(orders, "sqlite");
    static const char *const ways[] = {"unmatched: skip\n", "unmatched: { shop: skip }\n"};
    for (size_t i = 0; i < 2; i++) {
        char *plan = arena_format(folder.arena, "transhume: 1\n%stables:\n%s", ways[i], KINDS);
        plan_test_expect(&folder, plan);
        assert_null(strstr(plan_test_run(&folder), "unmatched"));
        assert_int_equal(folder.counts[0].made, 1);
        assert_int_equal(folder.counts[0].unmatched, 1);
    }
    plan_test_expect_code(&folder, "transhume: 1\nunmatched: { shop: drop }\ntables:\n" KINDS,
                          ERROR_PLAN_INVALID, "say reject or skip");
    plan_test_expect_code(&folder, "transhume: 1\nunmatched: { shpo: skip }\ntables:\n" KINDS,
                          ERROR_PLAN_INVALID, "did you mean 'shop'?");
    plan_test_close(&folder);
}

/* A line that nobody can read is one reject, not one an entity; without kinds it might be
 * anybody's. */
static void what_is_unreadable_is_one_reject(void **state)
{
    (void)state;
    open_items("{\"Item\":{\"PK\":{\"S\":\"C#1\"},\"SK\":{\"S\":\"PROFILE\"}}}\nno item\n",
               "sqlite");
    plan_test_records(&folder, KINDS,
                      "customer {Id:1,Name:null}\n"
                      "customer REJECT unreadable {\"$file\":\"data-1.json\",\"$line\":2}: "
                      "data-1.json line 2: JSON, byte 0: neither true, false nor null\n");
    plan_test_records(&folder,
                      "  a: { key: [k], from: shop, fields: { k: { column: PK, cast: text } } }\n"
                      "  b: { key: [k], from: shop, fields: { k: { column: SK, cast: text } } }\n",
                      "a {k:\"C#1\"}\n"
                      "b {k:\"PROFILE\"}\n"
                      "a REJECT unreadable {\"$file\":\"data-1.json\",\"$line\":2}: data-1.json "
                      "line 2: JSON, byte 0: neither true, false nor null\n"
                      "b REJECT unreadable {\"$file\":\"data-1.json\",\"$line\":2}: data-1.json "
                      "line 2: JSON, byte 0: neither true, false nor null\n");
    plan_test_close(&folder);
}

static void constants_of_every_kind_match(void **state)
{
    (void)state;
    open_items("{\"Item\":{\"id\":{\"N\":\"1\"},\"v\":{\"N\":\"1.50\"}}}\n"
               "{\"Item\":{\"id\":{\"N\":\"2\"},\"v\":{\"BOOL\":true}}}\n"
               "{\"Item\":{\"id\":{\"N\":\"3\"},\"v\":{\"S\":\"1.5\"}}}\n"
               "{\"Item\":{\"id\":{\"N\":\"4\"},\"v\":{\"NULL\":true}}}\n"
               "{\"Item\":{\"id\":{\"N\":\"5\"}}}\n"
               "{\"Item\":{\"id\":{\"N\":\"6\"},\"v\":{\"S\":\"{x}\"}}}\n"
               "{\"Item\":{\"id\":{\"N\":\"7\"},\"v\":{\"N\":\"7\"}}}\n",
               "dynamodb-json");
#define KIND(name, value)                                                  \
    "  " name ": { key: { partition: id }, from: shop, match: { v: " value \
    " }, fields: { id: copy "                                              \
    "} }\n"
    plan_test_records(
        &folder,
        KIND("number", "1.5") KIND("truth", "true") KIND("text", "\"1.5\"") KIND("nothing", "null")
            KIND("braces", "\"{{x}}\"") KIND("whole", "7"),
        "number {id:1}\ntruth {id:2}\ntext {id:3}\nnothing {id:4}\nnothing {id:5}\nbraces "
        "{id:6}\nwhole {id:7}\n");
    plan_test_close(&folder);
}

static void kinds_must_be_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *left;
        const char *right;
        const char *fault; /* NULL: none */
    } cases[] = {
        {"match: { PK: \"A#{x}\" }", "match: { PK: \"B#{x}\" }", NULL},
        {"match: { PK: \"A#{x}\" }", "match: { PK: \"A#{y}\" }", NULL}, /* the same kind */
        {"match: { PK: \"A#{x}\" }", "match: { PK: \"A#{x}#{y}\" }",
         "a record of shop could fit both 'left' and 'right'"},
        {"match: { PK: \"A#{x}\" }", "match: { SK: PROFILE }", "could fit both"},
        {"match: { PK: \"A#{x}\", T: 1 }", "match: { PK: \"A#{x}#{y}\", T: 2 }", NULL},
        {"match: { PK: \"A#{x}\", T: 1 }", "match: { PK: \"A#{x}#{y}\", T: 1.0 }",
         "could fit both"},
        {"match: { T: 1 }", "match: { T: \"1\" }", NULL},
        {"match: { T: 1 }", "match: { T: 1.0 }", NULL}, /* the same kind */
        {"match: { T: null }", "match: { T: \"{x}\" }", NULL},
        {"match: { PK: \"{x:04}\" }", "match: { PK: \"{x}\" }", "could fit both"},
        {"match: { PK: \"A#{x}\" }", "where: \"true\"",
         "'right' takes every record of shop, those that fit the match of 'left' too"},
        {"where: \"true\"", "match: { PK: \"A#{x}\" }", "'left' takes every record of shop"},
        {"where: \"PK = 'a'\"", "where: \"PK = 'b'\"", NULL},
        {"match: { PK: \"A#{x}{y}\" }", "match: { PK: B }", "nobody can tell where '{x}' ends"},
        {"match: { PK: \"A#{x\" }", "match: { PK: B }", "'{' without '}'"},
    };
    open_items(orders, "dynamodb-json");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *plan =
            arena_format(folder.arena,
                         "transhume: 1\ntables:\n  t:\n    key: { partition: PK }\n    entities:\n"
                         "      left: { from: shop, %s, fields: { PK: copy } }\n"
                         "      right: { from: shop, %s, fields: { PK: copy } }\n",
                         cases[i].left, cases[i].right);
        if (cases[i].fault == NULL) {
            plan_test_expect(&folder, plan);
        } else {
            plan_test_expect_code(&folder, plan, ERROR_PLAN_INVALID, cases[i].fault);
        }
    }
    plan_test_close(&folder);
}

static void a_name_twice_means_one_text(void **state)
{
    (void)state;
    open_items("{\"Item\":{\"a\":{\"S\":\"A#1\"},\"b\":{\"S\":\"B#0001\"}}}\n"
               "{\"Item\":{\"a\":{\"S\":\"A#1\"},\"b\":{\"S\":\"B#0002\"}}}\n",
               "dynamodb-json");
    plan_test_records(
        &folder,
        "  t: { key: { partition: x }, from: shop, match: { a: \"A#{x}\", b: \"B#{x:04}\" "
        "}, fields: { x: copy } }\n",
        "t {x:\"1\"}\n"
        "t REJECT unmatched \"data-1.json\"46: the record fits no entity of the plan\n");
    plan_test_close(&folder);
}

/* ---------------------------------------------------------------- parse */

static void texts_are_taken_apart(void **state)
{
    (void)state;
    open_items("{\"Item\":{\"id\":{\"N\":\"1\"},\"v\":{\"S\":\"A-0012-x\"}}}\n"
               "{\"Item\":{\"id\":{\"N\":\"2\"},\"v\":{\"S\":\"B-0012-x\"}}}\n"
               "{\"Item\":{\"id\":{\"N\":\"3\"},\"v\":{\"NULL\":true}}}\n"
               "{\"Item\":{\"id\":{\"N\":\"4\"}}}\n"
               "{\"Item\":{\"id\":{\"N\":\"5\"},\"v\":{\"N\":\"5\"}}}\n"
               "{\"Item\":{\"id\":{\"N\":\"6\"},\"v\":{\"S\":\"A--012-\"}}}\n",
               "dynamodb-json");
    plan_test_records(
        &folder,
        "  t:\n"
        "    key: { partition: id }\n"
        "    from: shop\n"
        "    fields:\n"
        "      id: copy\n"
        "      n: { column: v, parse: \"A-{n:04}-{rest}\", take: n, cast: int64, default: -1 }\n"
        "      rest: { column: v, parse: \"A-{n:04}-{rest}\", take: rest, when: \"id <> 6\" }\n",
        "t {id:1,n:12,rest:\"x\"}\n"
        "t {id:3,n:-1}\n"
        "t {id:4,n:-1}\n"
        "t REJECT pattern \"data-1.json\"47: field n: reading v as A-{n:04}-{rest}: the text does not "
        "fit\n"
        "t REJECT pattern \"data-1.json\"164: field n: reading v as A-{n:04}-{rest}: the text is none\n"
        "t REJECT pattern \"data-1.json\"204: field n: reading v as A-{n:04}-{rest}: the text can be "
        "read in two ways\n");
    plan_test_close(&folder);
}

static void columns_of_tables_are_taken_apart(void **state)
{
    (void)state;
    struct plan_test test;
    plan_test_open(&test,
                   "CREATE TABLE t(code TEXT PRIMARY KEY); INSERT INTO t VALUES('DE-07'),('x');",
                   "sqlite");
    plan_test_records(&test,
                      "  t:\n"
                      "    key: [code]\n"
                      "    from: t\n"
                      "    fields:\n"
                      "      code: copy\n"
                      "      land: { column: code, parse: \"{l}-{n}\", take: l }\n"
                      "      number: { column: code, parse: \"{l}-{n}\", take: n, cast: int64 }\n",
                      "t {code:\"DE-07\",land:\"DE\",number:7}\n"
                      "t REJECT pattern 2: field land: reading code as {l}-{n}: the text does not "
                      "fit\n");
    plan_test_close(&test);
}

/* ---------------------------------------------------------------- unnest */

static const char nested[] = "{\"Item\":{\"id\":{\"N\":\"1\"},\"tags\":{\"L\":[{\"S\":\"a\"},{"
                             "\"N\":\"2\"},{\"NULL\":true}]},\"set\":{\"SS\":[\"x\","
                             "\"y\"]},\"deep\":{\"M\":{\"orders\":{\"L\":[{\"M\":{\"nr\":{\"N\":"
                             "\"10\"},\"lines\":{\"L\":[{\"M\":{\"q\":{\"N\":\"1\"}}},"
                             "{\"M\":{\"q\":{\"N\":\"2\"}}}]}}},{\"M\":{\"nr\":{\"N\":\"11\"}}},{"
                             "\"M\":{\"nr\":{\"N\":\"12\"},\"lines\":{\"L\":[{\"M\":"
                             "{\"q\":{\"N\":\"3\"}}}]}}}]}}}}}\n"
                             "{\"Item\":{\"id\":{\"N\":\"2\"},\"tags\":{\"NULL\":true},\"set\":{"
                             "\"M\":{}},\"deep\":{\"L\":[]}}}\n"
                             "{\"Item\":{\"id\":{\"N\":\"3\"},\"deep\":{\"M\":{\"orders\":{\"L\":[{"
                             "\"S\":\"none\"},{\"NULL\":true}]}}}}}\n"
                             "{\"Item\":{\"id\":{\"N\":\"4\"},\"deep\":{\"S\":\"flat\"}}}\n";

static void lists_within_lists(void **state)
{
    (void)state;
    open_items(nested, "dynamodb-json");
    plan_test_records(
        &folder,
        "  t:\n"
        "    key: { partition: id, sort: n }\n"
        "    from: shop\n"
        "    unnest: deep.orders.lines\n"
        "    fields:\n"
        "      id: { column: $parent.id }\n"
        "      nr: { column: $parent.deep.orders.nr }\n"
        "      n: { column: $ordinal }\n"
        "      q: copy\n"
        "      half: { sql: \"q / 2.0\" }\n",
        "t {id:1,nr:10,n:1,q:1,half:0.5}\n"
        "t {id:1,nr:10,n:2,q:2,half:1}\n"
        "t {id:1,nr:12,n:3,q:3,half:1.5}\n"
        "t REJECT type \"data-1.json\"378: unnesting deep.orders.lines: 'orders' is no list "
        "but text\n"
        "t REJECT type \"data-1.json\"463: unnesting deep.orders.lines: 'deep' is no list "
        "but text\n");
    plan_test_close(&folder);
}

static void lists_of_values(void **state)
{
    (void)state;
    open_items(nested, "dynamodb-json");
    plan_test_records(
        &folder,
        "  tags:\n"
        "    key: { partition: id, sort: n }\n"
        "    from: shop\n"
        "    unnest: tags\n"
        "    nulls: keep\n"
        "    when: \"\\\"$ordinal\\\" <> 2\"\n"
        "    fields: { id: { column: $parent.id }, n: { column: $ordinal }, v: { column: $value } }\n"
        "  letters:\n"
        "    key: { partition: id, sort: v }\n"
        "    from: shop\n"
        "    unnest: [set]\n"
        "    fields: { id: { column: $parent.id }, v: { column: $value } }\n",
        "tags {id:1,n:1,v:\"a\"}\n"
        "tags {id:1,n:3,v:null}\n"
        "letters {id:1,v:\"x\"}\n"
        "letters {id:1,v:\"y\"}\n"
        "letters REJECT type \"data-1.json\"300: unnesting set: 'set' is no list but map\n");
    assert_int_equal(folder.counts[0].filtered, 1);
    plan_test_close(&folder);
}

static void lists_in_columns_of_text(void **state)
{
    (void)state;
    struct plan_test test;
    plan_test_open(
        &test,
        "CREATE TABLE sale(id INTEGER PRIMARY KEY, day TEXT, lines TEXT);"
        "CREATE TABLE note(sale INTEGER REFERENCES sale(id), t TEXT);"
        "INSERT INTO note VALUES(1,'n');"
        "INSERT INTO sale VALUES(1,'mon','[{\"q\":1,\"p\":0.50},{\"q\":2}]'),(2,'tue','[]'),"
        "(3,'wed',NULL),(4,'thu','no list'),(5,'fri','{\"q\":1}'),(6,'sat','[7]');",
        "sqlite");
    test.show_rejects = true;
    static const char line[] = "  line:\n"
                               "    key: [sale, nr]\n"
                               "    from: sale\n"
                               "    unnest: lines\n"
                               "    where: \"\\\"$parent.day\\\" <> 'mon' OR q > 1\"\n"
                               "    fields:\n"
                               "      sale: { column: $parent.id }\n"
                               "      nr: { column: $ordinal }\n"
                               "      q: { column: q, cast: int64 }\n"
                               "      label: \"{$parent.day} {q}\"\n";
    static const char expected[] =
        "line {sale:1,nr:2,q:2,label:\"mon 2\"}\n"
        "line REJECT type 4: unnesting lines: 'lines' is no list but text {\"parent\":\"no list\"}\n"
        "line REJECT type 5: unnesting lines: 'lines' is no list but map {\"parent\":\"{\\\"q\\\":1}\"}\n"
        "line REJECT type 6: element 1 of lines: it has no fields: it is int64 {\"$value\":7}\n";
    plan_test_records(&test, line, expected);
    assert_int_equal(test.plan->tables[0].target.columns[0].type.kind, VALUE_INT64);
    /* beside an entity of the same table that has lists of its own */
    char *both = arena_format(
        test.arena,
        "  sale:\n    key: [id]\n    from: sale\n    where: id = 1\n    fields: { id: copy, notes: "
        "{ aggregate: note, value: count(*) } }\n%s",
        line);
    plan_test_expect(&test, plan_test_tables(&test, both));
    const char *made = plan_test_run(&test);
    assert_non_null(strstr(made, "sale {id:1,notes:1}\n"));
    assert_non_null(strstr(made, "line {sale:1,nr:2,q:2,label:\"mon 2\"}\n"));
    assert_non_null(strstr(made, "line REJECT type 6: element 1 of lines"));
    plan_test_close(&test);
}

static void whole_elements(void **state)
{
    (void)state;
    open_items(nested, "dynamodb-json");
    plan_test_records(
        &folder,
        "  t:\n"
        "    key: { partition: id, sort: nr }\n"
        "    from: shop\n"
        "    where: \"nr <> 11\"\n"
        "    unnest: deep.orders\n"
        "    fields: { \"*\": copy, id: { column: $parent.id }, lines: { drop: true } }\n",
        "t {\"nr\":10,\"id\":1}\n"
        "t {\"nr\":12,\"id\":1}\n"
        "t REJECT type \"data-1.json\"378: element 1 of deep.orders: it has no fields: it is "
        "text\n"
        "t REJECT type \"data-1.json\"378: element 2 of deep.orders: it has no fields: it is "
        "null\n"
        "t REJECT type \"data-1.json\"463: unnesting deep.orders: 'deep' is no list but "
        "text\n");
    plan_test_close(&folder);
}

/* ---------------------------------------------------------------- distinct */

static void equal_records_are_made_once_a_chunk(void **state)
{
    (void)state;
    struct plan_test test;
    plan_test_open(
        &test,
        "CREATE TABLE t(id INTEGER PRIMARY KEY, g INTEGER, name TEXT);"
        "INSERT INTO t VALUES(1,1,'a'),(2,1,'a'),(3,2,'b'),(4,1,'A'),(5,2,'b'),(6,NULL,'c');",
        "sqlite");
    plan_test_records(
        &test, "  g: { key: [g], from: t, distinct: true, fields: { g: copy, name: copy } }\n",
        "g {g:1,name:\"a\"}\n"
        "g {g:2,name:\"b\"}\n"
        "g {g:1,name:\"A\"}\n" /* the target rejects it */
        "g REJECT key-null 6: the key field g is null\n");
    assert_int_equal(test.counts[0].made, 6);
    assert_int_equal(test.counts[0].skipped, 2);
    assert_int_equal(test.counts[0].rejected, 1);
    assert_true(test.plan->tables[0].target.distinct);
    plan_test_expect_code(
        &test,
        plan_test_tables(&test,
                         "  g: { key: [g], entities: { a: { from: t, distinct: true, fields: { "
                         "g: copy } }, b: { from: t, fields: { g: copy } } } }\n"),
        ERROR_PLAN_INVALID, "some entities of 'g' say distinct: true, others do not");
    plan_test_expect_code(
        &test, plan_test_tables(&test, "  g: { from: t, distinct: true, fields: { g: copy } }\n"),
        ERROR_PLAN_INVALID, "without a key no two records of 'g' are told apart");
    plan_test_close(&test);
}

static void mappings_differ_in_what_they_say(void **state)
{
    (void)state;
    static const char *const plans[] = {
        "match: { PK: \"A#{x}\" }, fields: { PK: copy }",
        "match: { PK: \"B#{x}\" }, fields: { PK: copy }",
        "match: { PK: A }, fields: { PK: copy }",
        "match: { PK: A, SK: null }, fields: { PK: copy }",
        "fields: { PK: copy }",
        "distinct: true, fields: { PK: copy }",
        "unnest: a, fields: { PK: { column: $parent.PK } }",
        "unnest: b, fields: { PK: { column: $parent.PK } }",
        "unnest: b.a, fields: { PK: { column: $parent.PK } }",
        "unnest: b.a, fields: { PK: { column: $parent.b.PK } }",
        "unnest: b, fields: { PK: copy }",
        "unnest: b, fields: { PK: { column: $ordinal } }",
        "unnest: b, fields: { PK: { column: $value } }",
        "fields: { PK: { column: PK, parse: \"A#{x}#{y}\", take: x } }",
        "fields: { PK: { column: PK, parse: \"A#{x}#{y}\", take: y } }",
        "fields: { PK: { column: PK, parse: \"A#{x:04}#{y}\", take: y } }",
        "match: { PK: \"A#{x}\" }, unnest: b, fields: { PK: { column: $parent.x } }",
    };
    enum { COUNT = sizeof plans / sizeof plans[0] };
    char hashes[COUNT][33];
    open_items(orders, "dynamodb-json");
    for (size_t i = 0; i < COUNT; i++) {
        plan_test_expect(
            &folder, plan_test_tables(
                         &folder, arena_format(folder.arena,
                                               "  t: { key: { partition: PK }, from: shop, %s }\n",
                                               plans[i])));
        memcpy(hashes[i], folder.plan->mapping_hash, 33);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(hashes[i], hashes[j]) == 0) {
                fail_msg("one mapping for both:\n%s\n%s", plans[i], plans[j]);
            }
        }
    }
    plan_test_close(&folder);
}

/* Whatever is cut off or changed in a plan: it is resolved or refused, with a word. */
static void plans_that_are_broken_are_refused(void **state)
{
    (void)state;
    char text[8192];
    unsigned seed = 20;
    int refused = 0;
    open_items(orders, "sqlite");
    int length = snprintf(
        text, sizeof text, "transhume: 1\nunmatched: { shop: skip }\ntables:\n%s%s", KINDS,
        "  tag:\n    key: [v]\n    from: shop\n    match: { PK: null, U: 1.5 }\n    unnest: "
        "[a, b]\n    distinct: true\n    fields: { v: { column: $value, cast: text }, w: { column: "
        "$parent.a.x, parse: \"{p}-{q:03}\", take: q, cast: int64 } }\n");
    assert_true(length > 0 && (size_t)length < sizeof text);
    plan_test_expect(&folder, text);
    for (int cut = 0; cut < length; cut += 3) {
        char kept = text[cut];
        text[cut] = '\0';
        refused += plan_test_resolve(&folder, text) != STATUS_OK;
        text[cut] = "{}#:'\"x\n "[(unsigned)rand_r(&seed) % 9];
        refused += plan_test_resolve(&folder, text) != STATUS_OK;
        text[cut] = kept;
    }
    assert_true(refused > 100);
    plan_test_close(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_read),
        cmocka_unit_test(padding_is_taken_off),
        cmocka_unit_test(what_was_made_is_read_back),
        cmocka_unit_test(overlaps_are_found),
        cmocka_unit_test(overlaps_agree_with_all_short_texts),
        cmocka_unit_test(items_go_to_their_entities),
        cmocka_unit_test(what_fits_nothing_can_be_left_out),
        cmocka_unit_test(what_is_unreadable_is_one_reject),
        cmocka_unit_test(constants_of_every_kind_match),
        cmocka_unit_test(kinds_must_be_told_apart),
        cmocka_unit_test(a_name_twice_means_one_text),
        cmocka_unit_test(texts_are_taken_apart),
        cmocka_unit_test(columns_of_tables_are_taken_apart),
        cmocka_unit_test(lists_within_lists),
        cmocka_unit_test(lists_of_values),
        cmocka_unit_test(lists_in_columns_of_text),
        cmocka_unit_test(whole_elements),
        cmocka_unit_test(equal_records_are_made_once_a_chunk),
        cmocka_unit_test(mappings_differ_in_what_they_say),
        cmocka_unit_test(plans_that_are_broken_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
