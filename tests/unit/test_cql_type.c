/* Types of CQL: read from metadata, CQL texts and Java classes, printed, and those of the model. */
#include "support_cql.h"

#include "connectors/cassandra/protocol/cql_model.h"
#include "connectors/cassandra/protocol/cql_wire.h"
#include "model/batch.h"
#include <stdio.h>
#include <string.h>

static void assert_type(const struct cql_type *type, const char *expected)
{
    struct buffer out = {0};
    assert_non_null(type);
    cql_type_append(type, &out);
    assert_buffer(&out, expected);
    buffer_free(&out);
}

/* ---------------------------------------------------------------- texts */

static void texts_are_read_and_printed(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    static const char *const pairs[][2] = {
        {"int", "int"},
        {" VarChar ", "text"},
        {"list<int>", "list<int>"},
        {"frozen<list<int>>", "frozen<list<int>>"},
        {"frozen<map<text, frozen<list<int>>>>", "frozen<map<text, frozen<list<int>>>>"},
        {"map<text,set<blob>>", "map<text, set<blob>>"},
        {"frozen<set<list<int>>>", "frozen<set<frozen<list<int>>>>"},
        {"vector<float, 3>", "vector<float, 3>"},
        {"VECTOR<Float,1536>", "vector<float, 1536>"},
        {"frozen<tuple<int, text, duration>>", "frozen<tuple<int, text, duration>>"},
        {"tuple<int, text>", "tuple<int, text>"},
        {"\"Address\"", "\"Address\""},
        {"frozen<\"Address\">", "frozen<\"Address\">"},
        {"shop.\"Address\"", "\"Address\""},
        {"'org.acme.Point'", "'org.acme.Point'"},
        {"'org.apache.cassandra.db.marshal.ListType(org.apache.cassandra.db.marshal.Int32Type)'",
         "list<int>"},
        {"empty", "'org.apache.cassandra.db.marshal.EmptyType'"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        assert_type(cql_type_of(pairs[i][0], arena), pairs[i][1]);
    }
    arena_destroy(arena);
}

static void other_texts_are_refused(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    static const char *const texts[][2] = {
        {"", "a name is missing"},
        {"nothing", "no type of that name"},
        {"address", "no type of that name"},
        {"list", "'<' is missing"},
        {"list<int", "'>' is missing"},
        {"list<int,int>", "not as many types"},
        {"map<int>", "not as many types"},
        {"set<>", "a name is missing"},
        {"vector<float>", "element and a dimension"},
        {"vector<float, 0>", "element and a dimension"},
        {"vector<float, 99999999999>", "element and a dimension"},
        {"int int", "stands behind"},
        {"\"Address", "a name is missing"},
        {"'org", "quote is not closed"},
        {"'org.\xff'", "not UTF-8"},
        {"list<'\xc0\xaf'>", "not UTF-8"},
        {"\"a\xe4\"", "not UTF-8"},
        {"shop.\"\xed\xa0\x80\"", "not UTF-8"},
        {"shop.", "missing after '.'"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct error error = {0};
        const struct cql_type *type = NULL;
        struct text text = {texts[i][0], strlen(texts[i][0])};
        assert_int_equal(cql_type_parse(text, NULL, arena, &type, &error), STATUS_FAILED);
        if (strstr(error.message, texts[i][1]) == NULL) {
            fail_msg("%s: %s", texts[i][0], error.message);
        }
    }
    arena_destroy(arena);
}

static void types_are_nested_up_to_a_bound(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    for (int levels = 1; levels < 200; levels += levels < 40 ? 1 : 50) {
        struct buffer text = {0};
        struct error error = {0};
        const struct cql_type *type = NULL;
        for (int i = 1; i < levels; i++) {
            buffer_append_string(&text, "list<");
        }
        buffer_append_string(&text, "int");
        for (int i = 1; i < levels; i++) {
            buffer_append_string(&text, ">");
        }
        struct text words = {text.data, text.length};
        enum status expected = levels <= CQL_TYPE_DEPTH_MAX ? STATUS_OK : STATUS_FAILED;
        assert_int_equal(cql_type_parse(words, NULL, arena, &type, &error), expected);
        buffer_free(&text);
    }
    arena_destroy(arena);
}

static void names_are_quoted_where_they_must(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"street", "street"},     {"a_1", "a_1"}, {"_a", "\"_a\""},       {"1a", "\"1a\""},
        {"Street", "\"Street\""}, {"", "\"\""},   {"a\"b", "\"a\"\"b\""}, {"select", "\"select\""},
        {"int", "\"int\""},       {"é", "\"é\""}, {"with", "\"with\""},   {"selects", "selects"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct buffer out = {0};
        cql_name_append((struct text){pairs[i][0], strlen(pairs[i][0])}, &out);
        assert_buffer(&out, pairs[i][1]);
        buffer_free(&out);
    }
}

/* ---------------------------------------------------------------- classes */

#define P "org.apache.cassandra.db.marshal."

static void classes_are_read(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    static const char *const pairs[][2] = {
        {P "VectorType(" P "FloatType , 3)", "vector<float, 3>"},
        {P "VectorType(" P "ListType(" P "UTF8Type), 2)", "vector<list<text>, 2>"},
        {P "DurationType", "duration"},
        {P "ReversedType(" P "TimestampType)", "timestamp"},
        {P "FrozenType(" P "MapType(" P "UTF8Type," P "SetType(" P "Int32Type)))",
         "frozen<map<text, frozen<set<int>>>>"},
        {P "TupleType(" P "IntegerType," P "DecimalType)", "tuple<varint, decimal>"},
        {P "UserType(shop,41646472657373,737472656574:" P "UTF8Type,4e6f:" P "ShortType)",
         "\"Address\""},
        {"DateType", "timestamp"},
        {"org.acme.Point", "'org.acme.Point'"},
        {"org.acme.Grid(Int32Type, org.acme.Of(a,b))",
         "'org.acme.Grid(Int32Type, org.acme.Of(a,b))'"},
        {P "ListType(org.acme.Point(1,2))", "list<'org.acme.Point(1,2)'>"},
        {P "ListType(" P "Int32Type", "'" P "ListType(" P "Int32Type'"},
        {P "ListType", "'" P "ListType'"},
        {P "MapType(" P "Int32Type)", "'" P "MapType(" P "Int32Type)'"},
        {P "VectorType(" P "FloatType , x)", "'" P "VectorType(" P "FloatType , x)'"},
        {P "UserType(shop,4)", "'" P "UserType(shop,4)'"},
        {P "DynamicCompositeType(s=>" P "UTF8Type)",
         "'" P "DynamicCompositeType(s=>" P "UTF8Type)'"},
        {"", "''"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct text name = {pairs[i][0], strlen(pairs[i][0])};
        assert_type(cql_type_of_class(name, arena), pairs[i][1]);
    }
    struct text address = {pairs[6][0], strlen(pairs[6][0])};
    const struct cql_type *type = cql_type_of_class(address, arena);
    assert_int_equal(type->part_count, 2);
    assert_memory_equal(type->keyspace.data, "shop", 4);
    assert_memory_equal(type->field_names[1].data, "No", 2);
    assert_int_equal(type->parts[1]->kind, CQL_TYPE_SMALLINT);
    arena_destroy(arena);
}

/* ---------------------------------------------------------------- metadata */

static void write_option(const struct cql_type *type, struct buffer *out)
{
    if (type->kind == CQL_TYPE_VECTOR) {
        char name[600];
        int length =
            snprintf(name, sizeof name, P "VectorType(" P "FloatType , %u)", type->dimension);
        cql_write_short(out, CQL_TYPE_CUSTOM);
        cql_write_string(out, (struct text){name, (size_t)length});
        return;
    }
    cql_write_short(out, (uint16_t)type->kind);
    if (type->kind == CQL_TYPE_UDT) {
        cql_write_string(out, type->keyspace);
        cql_write_string(out, type->name);
    }
    if (type->kind == CQL_TYPE_UDT || type->kind == CQL_TYPE_TUPLE) {
        cql_write_short(out, (uint16_t)type->part_count);
    }
    for (uint32_t i = 0; i < type->part_count; i++) {
        if (type->kind == CQL_TYPE_UDT) {
            cql_write_string(out, type->field_names[i]);
        }
        write_option(type->parts[i], out);
    }
}

static bool has_other_vector(const struct cql_type *type)
{
    for (uint32_t i = 0; i < type->part_count; i++) {
        if (has_other_vector(type->parts[i])) {
            return true;
        }
    }
    return type->kind == CQL_TYPE_VECTOR && type->parts[0]->kind != CQL_TYPE_FLOAT;
}

static void options_are_read(void **state)
{
    (void)state;
    struct random random = random_start();
    struct arena *arena = arena_create(0);
    for (long round = 0; round < test_rounds(2000); round++) {
        arena_reset(arena);
        const struct cql_type *type = random_cql_type(&random, arena, 4);
        struct buffer out = {0};
        if (has_other_vector(type)) {
            continue;
        }
        write_option(type, &out);
        struct cql_reader reader = cql_reader_of(out.data, out.length);
        const struct cql_type *read = cql_type_read(&reader, arena);
        assert_non_null(read);
        assert_int_equal(cql_reader_left(&reader), 0);
        assert_true(cql_type_is_equal(read, type));
        for (size_t length = 0; length < out.length; length++) {
            reader = cql_reader_of(out.data, length);
            assert_null(cql_type_read(&reader, arena));
            assert_true(reader.failed);
        }
        buffer_free(&out);
    }
    arena_destroy(arena);
}

static void wrong_options_fail(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    static const uint8_t unknown[] = {0x00, 0x16};
    static const uint8_t vector[] = {0x00, 0x32, 0x00, 0x08};
    static const uint8_t lying[] = {0x00, 0x31, 0xff, 0xff, 0x00, 0x09};
    uint8_t deep[2 * CQL_TYPE_DEPTH_MAX + 4];
    struct cql_reader reader = cql_reader_of(unknown, sizeof unknown);
    assert_null(cql_type_read(&reader, arena));
    reader = cql_reader_of(vector, sizeof vector);
    assert_null(cql_type_read(&reader, arena));
    reader = cql_reader_of(lying, sizeof lying);
    assert_null(cql_type_read(&reader, arena));
    for (size_t i = 0; i < sizeof deep; i += 2) {
        bytes_put_be(deep + i, CQL_TYPE_LIST, 2);
    }
    reader = cql_reader_of(deep, sizeof deep);
    assert_null(cql_type_read(&reader, arena));
    assert_true(reader.failed);
    static const uint8_t old[] = {0x00, 0x0A};
    reader = cql_reader_of(old, sizeof old);
    assert_type(cql_type_read(&reader, arena), "text");
    arena_destroy(arena);
}

/* ---------------------------------------------------------------- random ones */

/* What a text says of a user-defined type is only its name. */
struct one_udt {
    struct cql_udts udts;
    const struct cql_type *types[64];
    size_t count;
};

static const struct cql_type *find_one(struct cql_udts *self, struct text keyspace,
                                       struct text name)
{
    struct one_udt *known = (struct one_udt *)self;
    (void)keyspace;
    for (size_t i = 0; i < known->count; i++) {
        const struct cql_type *type = known->types[i];
        if (type->name.length == name.length &&
            memcmp(type->name.data, name.data, name.length) == 0) {
            return type;
        }
    }
    return NULL;
}

static void collect(const struct cql_type *type, struct one_udt *known)
{
    if (type->kind == CQL_TYPE_UDT && find_one(&known->udts, type->keyspace, type->name) == NULL) {
        assert_true(known->count < 64);
        known->types[known->count++] = type;
    }
    for (uint32_t i = 0; i < type->part_count; i++) {
        collect(type->parts[i], known);
    }
}

static bool has_names_twice(const struct cql_type *type, struct one_udt *known)
{
    bool twice =
        type->kind == CQL_TYPE_UDT && find_one(&known->udts, type->keyspace, type->name) != type;
    for (uint32_t i = 0; i < type->part_count && !twice; i++) {
        twice = has_names_twice(type->parts[i], known);
    }
    return twice;
}

static void any_type_comes_back_from_its_text(void **state)
{
    (void)state;
    struct random random = random_start();
    struct arena *arena = arena_create(0);
    for (long round = 0; round < test_rounds(2000); round++) {
        arena_reset(arena);
        struct one_udt known = {.udts = {find_one}};
        const struct cql_type *type = random_cql_type(&random, arena, 3);
        collect(type, &known);
        if (has_names_twice(type, &known)) {
            continue;
        }
        const struct cql_type *frozen = cql_type_frozen(type, arena);
        const struct cql_type *read = NULL;
        struct error error = {0};
        const char *text = cql_type_text(frozen, arena);
        assert_int_equal(
            cql_type_parse((struct text){text, strlen(text)}, &known.udts, arena, &read, &error),
            STATUS_OK);
        assert_true(cql_type_is_equal(read, type));
        assert_string_equal(cql_type_text(read, arena), text);
        struct value_type model = cql_type_to_model(type, arena);
        assert_true(cql_type_is_equal(cql_type_of_model(&model, &known.udts, arena), type));
    }
    arena_destroy(arena);
}

/* ---------------------------------------------------------------- the model */

static void kinds_get_columns(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    static const struct value_type text = {.kind = VALUE_TEXT};
    static const struct value_type small = {.kind = VALUE_INT64, .bits = 32};
    static const struct value_type unknown = {.kind = VALUE_TEXT, .dynamic = true};
    static const struct value_type length = {.kind = VALUE_INTERVAL};
    static const struct value_type list = {.kind = VALUE_LIST, .element = &small};
    static const struct {
        struct value_type type;
        const char *expected;
    } pairs[] = {
        {{.kind = VALUE_BOOL}, "boolean"},
        {{.kind = VALUE_INT64}, "bigint"},
        {{.kind = VALUE_INT64, .bits = 33}, "bigint"},
        {{.kind = VALUE_INT64, .bits = 32}, "int"},
        {{.kind = VALUE_INT64, .bits = 32, .dynamic = true}, "bigint"},
        {{.kind = VALUE_INT64, .bits = 16}, "smallint"},
        {{.kind = VALUE_INT64, .bits = 9}, "smallint"},
        {{.kind = VALUE_INT64, .bits = 8}, "tinyint"},
        {{.kind = VALUE_UINT64}, "varint"},
        {{.kind = VALUE_FLOAT32}, "float"},
        {{.kind = VALUE_FLOAT64}, "double"},
        {{.kind = VALUE_DECIMAL, .precision = 10, .scale = 2}, "decimal"},
        {{.kind = VALUE_TEXT, .precision = 20}, "text"},
        {{.kind = VALUE_BYTES}, "blob"},
        {{.kind = VALUE_DATE}, "date"},
        {{.kind = VALUE_TIME}, "time"},
        {{.kind = VALUE_TIME, .zoned = true}, "text"},
        {{.kind = VALUE_TIME, .length = true}, "duration"},
        {{.kind = VALUE_TIMESTAMP}, "timestamp"},
        {{.kind = VALUE_TIMESTAMP, .zoned = true}, "timestamp"},
        {{.kind = VALUE_INTERVAL}, "duration"},
        {{.kind = VALUE_UUID}, "uuid"},
        {{.kind = VALUE_JSON}, "text"},
        {{.kind = VALUE_MISSING}, "text"},
        {{.kind = VALUE_ESCAPE}, "text"},
        {{.kind = VALUE_LIST}, "text"},
        {{.kind = VALUE_LIST, .element = &text}, "list<text>"},
        {{.kind = VALUE_LIST, .element = &unknown}, "text"},
        {{.kind = VALUE_LIST, .element = &list}, "list<frozen<list<int>>>"},
        {{.kind = VALUE_LIST, .element = &length}, "list<duration>"},
        {{.kind = VALUE_SET, .element = &small}, "set<int>"},
        {{.kind = VALUE_SET, .element = &length}, "text"},
        {{.kind = VALUE_MAP, .element = &small}, "text"},
        {{.kind = VALUE_MAP, .element = &length, .key = &text}, "map<text, duration>"},
        {{.kind = VALUE_MAP, .element = &text, .key = &length}, "text"},
        {{.kind = VALUE_TEXT, .native = "ascii"}, "ascii"},
        {{.kind = VALUE_TEXT, .native = "varchar(20)"}, "text"},
        {{.kind = VALUE_ESCAPE, .native = "'org.acme.Point'"}, "'org.acme.Point'"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        assert_type(cql_type_of_model(&pairs[i].type, NULL, arena), pairs[i].expected);
    }
    arena_destroy(arena);
}

static void columns_have_kinds(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct value_type type = cql_type_to_model(cql_type_of("timestamp", arena), arena);
    assert_int_equal(type.kind, VALUE_TIMESTAMP);
    assert_true(type.zoned);
    assert_int_equal(type.fraction, 4);
    type = cql_type_to_model(cql_type_of("map<int, frozen<set<text>>>", arena), arena);
    assert_int_equal(type.kind, VALUE_MAP);
    assert_int_equal(type.key->bits, 32);
    assert_int_equal(type.element->kind, VALUE_SET);
    assert_int_equal(type.element->element->kind, VALUE_TEXT);
    assert_string_equal(type.native, "map<int, frozen<set<text>>>");
    type = cql_type_to_model(cql_type_of("\"Address\"", arena), arena);
    assert_int_equal(type.kind, VALUE_MAP);
    assert_int_equal(type.fields->field_count, 3);
    assert_string_equal(type.fields->fields[1].name, "No");
    assert_true(cql_native_type("list<frozen<map<text, int>>>", &type));
    assert_int_equal(type.kind, VALUE_LIST);
    assert_true(cql_native_type("varchar", &type));
    assert_false(cql_native_type("varchar(20)", &type));
    assert_false(cql_native_type("number", &type));
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_read_and_printed),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(types_are_nested_up_to_a_bound),
        cmocka_unit_test(names_are_quoted_where_they_must),
        cmocka_unit_test(classes_are_read),
        cmocka_unit_test(options_are_read),
        cmocka_unit_test(wrong_options_fail),
        cmocka_unit_test(any_type_comes_back_from_its_text),
        cmocka_unit_test(kinds_get_columns),
        cmocka_unit_test(columns_have_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
