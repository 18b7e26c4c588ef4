/* The list of names: what it becomes, and what is said of a malformed one. */
#include "design/graph/graph.h"
#include "design/input/names.h"
#include "support.h"
#include <string.h>

static const char *kind_name(enum value_kind kind)
{
    switch (kind) {
    case VALUE_BOOL:
        return "bool";
    case VALUE_INT64:
        return "int";
    case VALUE_FLOAT64:
        return "double";
    case VALUE_DECIMAL:
        return "decimal";
    case VALUE_TIMESTAMP:
        return "timestamp";
    case VALUE_UUID:
        return "uuid";
    case VALUE_JSON:
        return "json";
    case VALUE_BYTES:
        return "bytes";
    default:
        return "text";
    }
}

static void show(const char *text, size_t length, struct buffer *out)
{
    struct arena *arena = arena_create(0);
    struct schema schema = {0};
    struct input_names_report report;
    struct error error = {0};
    enum status status =
        input_names_read(text, length, "names.json", arena, &schema, &report, &error);
    if (status != STATUS_OK) {
        buffer_format(out, "%s: %s", error.object, error.message);
    }
    for (uint32_t i = 0; i < schema.table_count; i++) {
        const struct schema_table *table = &schema.tables[i];
        buffer_format(out, "%s%s(", i > 0 ? " " : "", table->name);
        for (uint32_t c = 0; c < table->column_count; c++) {
            buffer_format(out, "%s%s %s", c > 0 ? ", " : "", table->columns[c].name,
                          kind_name(table->columns[c].type.kind));
        }
        buffer_append_string(out, ")");
    }
    for (uint32_t i = 0; i < report.findings.kept; i++) {
        const struct finding *finding = &report.findings.first[i];
        buffer_format(out, "\n%u:%u %s", finding->line, finding->column, finding->what);
    }
    arena_destroy(arena);
}

static const struct {
    const char *text;
    const char *shown;
} cases[] = {
    {"[\"Track.TrackId\", \"Album.AlbumId\", \"Track.Name\", \"Track.AlbumId\"]",
     "Album(AlbumId int) Track(TrackId int, Name text, AlbumId int)"},
    {"\xef\xbb\xbf [ \"a.b\" ]\n", "a(b text)"},
    {"[\"public.orders.id\", \"b\\u00fccher.gr\\u00f6\\u00dfe\", \"日本.名前\"]",
     "bücher(größe text) public.orders(id int) 日本(名前 text)"},
    {"[\"a.b\", \"c\",\n \".d\", \"e.\", 5, {\"x\": [\"y.z\"]}, \"a.b\", \"a.B\"]",
     "a(b text, B text)\n1:9 c is no name of the form table.column\n2:2 .d is no name of the form "
     "table.column\n2:8 e. is no name of the form table.column\n2:14 an entry that is no text\n2:17 an "
     "entry that is no text\n2:33 a.b is there twice"},
    {"[\"a\\u0000.b\", \"a.b\"]", "a(b text)\n1:2 a name with a NUL in it"},
    {"[]", "names.json: the list is empty"},
    {"", "names.json:1:1: malformed JSON: the text ends where a value is expected"},
    {"[\"a\", 1]",
     "names.json: no entry of the list names a column; line 1: a is no name of the form "
     "table.column\n1:2 a is no name of the form table.column\n1:7 an entry that is no "
     "text"},
    {"{\"a\": 1}", "names.json:1:2: malformed JSON: expected a list of names"},
    {"\"a.b\"", "names.json:1:6: malformed JSON: expected a list of names"},
    {"[\"a.b\",\n  \"c.d\" \"e.f\"]", "names.json:2:9: malformed JSON: expected ',' or ']'"},
    {"[\"é.b\", \"c.d]", "names.json:1:14: malformed JSON: a string without its closing quote"},
    {"[\"a.b\"] x", "names.json:1:9: malformed JSON: more after the value"},
    {"[\"a.\xff\"]", "names.json:1:3: malformed JSON: a string that is not UTF-8"},
};

static void test_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer out = {0};
        show(cases[i].text, strlen(cases[i].text), &out);
        assert_buffer(&out, cases[i].shown);
        buffer_free(&out);
    }
}

static void test_types(void **state)
{
    static const struct {
        const char *name;
        enum value_kind kind;
    } names[] = {
        {"id", VALUE_INT64},
        {"customer_id", VALUE_INT64},
        {"CustomerId", VALUE_INT64},
        {"CustomerID", VALUE_INT64},
        {"uuid", VALUE_UUID},
        {"created_at", VALUE_TIMESTAMP},
        {"InvoiceDate", VALUE_TIMESTAMP},
        {"is_active", VALUE_BOOL},
        {"hasChildren", VALUE_BOOL},
        {"unit_price", VALUE_DECIMAL},
        {"UnitPrice", VALUE_DECIMAL},
        {"Total", VALUE_DECIMAL},
        {"qty", VALUE_INT64},
        {"num_items", VALUE_INT64},
        {"lat", VALUE_FLOAT64},
        {"email", VALUE_TEXT},
        {"postal_code", VALUE_TEXT},
        {"Milliseconds", VALUE_INT64},
        {"idle", VALUE_TEXT},
        {"islands", VALUE_TEXT},
        {"candidate", VALUE_TEXT},
        {"", VALUE_TEXT},
        {"___", VALUE_TEXT},
        {"größe", VALUE_TEXT},
        {"HTTPDate", VALUE_TIMESTAMP},
        {"IS_PAID", VALUE_BOOL},
        {"is", VALUE_TEXT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(input_type_by_name(names[i].name).kind, names[i].kind);
    }
}

/* 100,000 columns in one table and in as many tables. */
static void test_many(void **state)
{
    enum { COLUMNS = 100000 };
    struct buffer text = {0};
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct arena *arena = arena_create(0);
        struct schema schema;
        struct input_names_report report;
        buffer_clear(&text);
        for (int i = 0; i < COLUMNS; i++) {
            buffer_format(&text, "%s\"t%d.column_%d\"", i > 0 ? ",\n" : "[", way == 0 ? 0 : i, i);
        }
        buffer_append_string(&text, ",\"t0.column_0\"]");
        assert_int_equal(
            input_names_read(text.data, text.length, "f", arena, &schema, &report, NULL),
            STATUS_OK);
        assert_int_equal(schema.table_count, way == 0 ? 1 : COLUMNS);
        assert_int_equal(report.names, COLUMNS + 1);
        assert_int_equal(report.duplicates, 1);
        assert_int_equal(report.findings.first[0].line, COLUMNS);
        arena_destroy(arena);
    }
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lists), cmocka_unit_test(test_types),
                                       cmocka_unit_test(test_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
