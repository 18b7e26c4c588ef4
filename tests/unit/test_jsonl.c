/* JSON lines: any value of any kind in a column of any type comes back as it was; any cut of a file
 * gives the same records. */
#include "support.h"

#include "base/file.h"
#include "connectors/common/registry.h"
#include "connectors/jsonl/jsonl.h"
#include "model/decimal.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct connector connector_jsonl;

static struct random source_of_chance; /* each test seeds it anew */

static uint64_t any_bits(void)
{
    return random_bits(&source_of_chance);
}

static uint32_t below(uint32_t limit)
{
    return (uint32_t)random_below(&source_of_chance, limit);
}

/* ---------------------------------------------------------------- random values */

static struct cell any_text(struct arena *arena)
{
    static const char *const pieces[] = {
        "a",        "\"",     "\\",  "\n", "\xc3\xa9", "\xf0\x9f\x90\x91",
        "$",        "NaN",    "{",   "[",  "12",       "1e5",
        "AAE=",     "\x01",   "/",   " ",  "\x7f",     "2024-02-29",
        "Infinity", "$bytes", "null"};
    struct buffer text = {0};
    for (uint32_t count = below(6); count > 0; count--) {
        buffer_append_string(&text, pieces[below(sizeof pieces / sizeof *pieces)]);
        if (below(20) == 0) {
            buffer_append_byte(&text, '\0');
        }
    }
    const char *copy = arena_copy(arena, buffer_string(&text), text.length);
    struct cell cell = cell_text(copy, text.length);
    buffer_free(&text);
    return cell;
}

static double any_double(void)
{
    static const double odd[] = {0.0, -0.0, 1.0, 5.0, 0.1, 1e21, 1e-7, 1e300, 5e-324, 123456789.0};
    if (below(2) == 0) {
        return odd[below(sizeof odd / sizeof *odd)];
    }
    uint64_t bits = any_bits();
    double value;
    memcpy(&value, &bits, sizeof value);
    return value; /* NaN and infinities among them */
}

static struct cell any_decimal(struct arena *arena)
{
    char text[64];
    struct cell cell;
    size_t length = 0;
    if (below(20) == 0) {
        assert_int_equal(decimal_parse("NaN", 3, arena, &cell), STATUS_OK);
        return cell;
    }
    length += (size_t)snprintf(text, sizeof text, "%s%" PRIu64, below(2) ? "-" : "",
                               any_bits() >> below(64));
    if (below(3) > 0) {
        length += (size_t)snprintf(text + length, sizeof text - length, ".%0*u", (int)below(20) + 1,
                                   below(1000));
    }
    assert_int_equal(decimal_parse(text, length, arena, &cell), STATUS_OK);
    return cell;
}

static struct cell any_value(struct arena *arena, enum value_kind kind, int depth);

static enum value_kind any_kind(int depth)
{
    enum value_kind kind;
    do {
        kind = (enum value_kind)(1 + below(VALUE_KIND_COUNT - 1));
    } while (kind == VALUE_LARGE || kind == VALUE_ESCAPE ||
             (depth > 3 && kind >= VALUE_LIST && kind <= VALUE_MAP));
    return kind;
}

static struct cell any_items(struct arena *arena, enum value_kind kind, int depth)
{
    uint32_t count = below(5);
    uint32_t cells = kind == VALUE_MAP ? 2 * count : count;
    struct cell *items = arena_allocate_zeroed(arena, cells + 1, sizeof *items);
    bool texts = below(4) > 0;
    for (uint32_t i = 0; i < cells; i++) {
        items[i] = any_value(arena, any_kind(depth), depth + 1);
        if (kind == VALUE_MAP && i % 2 == 0) {
            /* keys differ */
            char name[32];
            int length = snprintf(name, sizeof name, "%sk%u", below(4) ? "" : "$", i);
            items[i] = texts ? cell_text(arena_copy(arena, name, (size_t)length), (size_t)length)
                             : cell_int64(i);
        }
    }
    return cell_items(kind, items, count);
}

static struct cell any_json(struct arena *arena)
{
    static const char *const texts[] = {
        "{\"a\":[1,2.50]}", "[]",          "\"text\"", "1.50", "null",
        "{\"$date\":1}",    " {}",         "{\n}",     "{bad", "",
        "{ \"a\" : 1 }",    "[{\"$\":1}]", "true",     "1 ",   "\"\\n\""};
    const char *text = texts[below(sizeof texts / sizeof *texts)];
    struct cell cell = cell_text(arena_copy_string(arena, text), strlen(text));
    cell.kind = VALUE_JSON;
    return cell;
}

static struct cell any_time(struct arena *arena, enum value_kind kind)
{
    struct cell cell = {.kind = (uint8_t)kind};
    struct value_interval *interval;
    switch (kind) {
    case VALUE_DATE:
        cell.i64 = (int64_t)below(8000000) - 4000000;
        break;
    case VALUE_TIME:
        cell.i64 = (int64_t)(any_bits() % 86400000000000);
        if (below(2) == 0) {
            cell.flags = CELL_ZONED;
            cell.length = (uint32_t)((int32_t)below(64) * 900 - 28800);
        }
        break;
    case VALUE_TIMESTAMP:
        cell.i64 = (int64_t)(any_bits() % 400000000000000000) - 200000000000000000;
        cell.aux = (uint16_t)below(1000);
        cell.flags = below(2) ? CELL_ZONED : 0;
        break;
    default:
        interval = arena_allocate_zeroed(arena, 1, sizeof *interval);
        *interval = (struct value_interval){(int32_t)below(100) - 50, (int32_t)below(100) - 50,
                                            (int64_t)(any_bits() % 100000000000) - 50000000000};
        cell.interval = interval;
        break;
    }
    return cell;
}

static struct cell any_value(struct arena *arena, enum value_kind kind, int depth)
{
    uint8_t *bytes;
    struct cell cell;
    switch (kind) {
    case VALUE_BOOL:
        return cell_bool((int)below(2));
    case VALUE_INT64:
        return cell_int64((int64_t)(any_bits() >> below(64)) * (below(2) ? 1 : -1));
    case VALUE_UINT64:
        return cell_uint64(any_bits() >> below(64));
    case VALUE_FLOAT64:
        return cell_float64(any_double());
    case VALUE_FLOAT32:
        cell = cell_float64((double)(float)any_double());
        cell.kind = VALUE_FLOAT32;
        return cell;
    case VALUE_DECIMAL:
        return any_decimal(arena);
    case VALUE_TEXT:
        return any_text(arena);
    case VALUE_BYTES:
    case VALUE_UUID:
        bytes = arena_allocate(arena, 16);
        for (int i = 0; i < 16; i++) {
            bytes[i] = (uint8_t)any_bits();
        }
        cell = cell_bytes(bytes, kind == VALUE_UUID ? 16 : below(17));
        cell.kind = (uint8_t)kind;
        return cell;
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_INTERVAL:
        return any_time(arena, kind);
    case VALUE_JSON:
        return any_json(arena);
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return any_items(arena, kind, depth);
    default:
        return cell_null();
    }
}

/* ---------------------------------------------------------------- writing and reading */

static void print_case(const struct cell *value, const struct cell *back, const char *line)
{
    struct buffer one = {0};
    struct buffer two = {0};
    value_print(value, 400, &one);
    value_print(back, 400, &two);
    fail_msg("%s %s came back as %s %s from %s", value_kind_name((enum value_kind)value->kind),
             buffer_string(&one), value_kind_name((enum value_kind)back->kind), buffer_string(&two),
             line);
}

static struct jsonl_database writing_database(void)
{
    return (struct jsonl_database){.record_bytes_max = 1 << 20, .writes_tags = true};
}

/* One value in a column of one type; `exact`: the very same, else the same normal form. */
static void there_and_back(struct jsonl_database *database, const struct value_type *type,
                           const struct cell *value, bool exact, struct arena *arena)
{
    struct error error = {0};
    const struct schema_column column = {.name = "v",
                                         .type = type != NULL ? *type : (struct value_type){0}};
    const struct shape_field field = {"v", 1, column.type};
    const struct shape shape = {.name = "r", .fields = &field, .field_count = 1};
    const struct target_table table = {
        .name = "t", .columns = &column, .column_count = type != NULL ? 1 : 0};
    struct folder_encoder *encoder = NULL;
    struct buffer line = {0};
    struct cell map;
    struct cell wanted = *value;
    struct cell got;
    assert_int_equal(
        jsonl_encoder_create(&database->folder, &table, &shape, NULL, &encoder, &error), STATUS_OK);
    if (jsonl_encoder_append(encoder, value, &line, &error) != STATUS_OK) {
        fail_msg("a %s was refused: %s", value_kind_name((enum value_kind)value->kind),
                 error.message);
    }
    assert_true(line.length > 1 &&
                memchr(line.data, '\n', line.length) == line.data + line.length - 1);
    if (jsonl_read_document(line.data, line.length, true, table.columns, table.column_count, arena,
                            &map, &error) != STATUS_OK) {
        fail_msg("%s can't be read: %s", buffer_string(&line), error.message);
    }
    assert_int_equal(map.length, 1);
    got = map.items[1];
    if (!exact) {
        assert_int_equal(jsonl_normal_form(&database->folder, value, arena, &wanted, &error),
                         STATUS_OK);
        assert_int_equal(jsonl_normal_form(&database->folder, &map.items[1], arena, &got, &error),
                         STATUS_OK);
    }
    if (!value_equal(&wanted, &got)) {
        print_case(value, &map.items[1], buffer_string(&line));
    }
    jsonl_encoder_destroy(encoder);
    buffer_free(&line);
}

/* A typed column and a value of its type: the same kind, the same digits. */
static void values_of_the_columns_type_are_exact(void **state)
{
    (void)state;
    struct jsonl_database database = writing_database();
    struct arena *arena = arena_create(0);
    source_of_chance = random_start();
    for (int round = 0; round < test_rounds(60000); round++) {
        struct value_type type = {.kind = any_kind(1)};
        struct cell value = any_value(arena, type.kind, 1);
        /* what lists and maps hold has no type of its own */
        bool exact = type.kind < VALUE_LIST;
        if (type.kind == VALUE_NULL) {
            continue;
        }
        there_and_back(&database, &type, &value, exact, arena);
        arena_reset(arena);
    }
    arena_destroy(arena);
}

/* Any kind in a dynamic column of any type, and where no type is known. */
static void values_of_other_kinds_keep_theirs(void **state)
{
    (void)state;
    struct jsonl_database database = writing_database();
    struct arena *arena = arena_create(0);
    source_of_chance = random_start();
    for (int round = 0; round < test_rounds(120000); round++) {
        struct value_type type = {.kind = any_kind(1), .dynamic = true};
        struct cell value = any_value(arena, any_kind(1), 1);
        bool known = type.kind != VALUE_NULL && below(5) > 0;
        there_and_back(&database, known ? &type : NULL, &value, false, arena);
        arena_reset(arena);
    }
    arena_destroy(arena);
}

/* ---------------------------------------------------------------- cuts */

enum { LINES_MAX = 400 };

struct expected {
    int64_t line;
    int64_t id;
};

static uint32_t write_random_lines(const char *path, struct expected *expected)
{
    struct buffer text = {0};
    uint32_t count = 0;
    uint32_t lines = below(LINES_MAX);
    for (uint32_t line = 1; line <= lines; line++) {
        switch (below(6)) {
        case 0:
            break;
        case 1:
            buffer_append_string(&text, "  ");
            break;
        default:
            buffer_format(&text, "{\"id\":%u,\"pad\":\"%*s\"}", line * 7,
                          (int)below(below(4) ? 9 : 400), "");
            expected[count++] = (struct expected){line, (int64_t)line * 7};
            break;
        }
        bool last = line == lines;
        buffer_append_string(&text, last && below(2) ? "" : below(3) ? "\n" : "\r\n");
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(buffer_string(&text), 1, text.length, file), text.length);
    fclose(file);
    buffer_free(&text);
    return count;
}

static struct database *open_source(const char *folder, struct arena *arena)
{
    struct error error = {0};
    struct uri *uri = NULL;
    const struct connector *connector = NULL;
    struct database *database = NULL;
    const char *text = arena_format(arena, "jsonl:%s", folder);
    assert_int_equal(registry_resolve(text, arena, &uri, &connector, &error), STATUS_OK);
    const struct open_options options = {
        .mode = OPEN_SOURCE, .uri = uri, .memory_bytes = 1 << 20, .timeout_ms = 1000};
    assert_int_equal(connector->open(&options, &database, &error), STATUS_OK);
    return database;
}

/* Reads every span, in a random order of spans; each record must come once, with its line. */
static void read_spans(struct database *source, const struct expected *expected, uint32_t count,
                       struct arena *arena)
{
    static const struct read_column columns[] = {
        {-1, "id", false}, {-1, "$line", false}, {-1, "$file", false}};
    const struct read_request request = {
        .name = "t", .table = "t", .columns = columns, .column_count = 3};
    const struct source_functions *functions = source->connector->source;
    struct error error = {0};
    struct span *spans = NULL;
    uint32_t span_count = 0;
    uint32_t seen = 0;
    struct reader *reader = NULL;
    assert_int_equal(
        functions->split(source, &request, 1 + below(60), arena, &spans, &span_count, &error),
        STATUS_OK);
    assert_int_equal(functions->reader_open(source, &reader, &error), STATUS_OK);
    uint8_t *found = arena_allocate_zeroed(arena, count + 1, 1);
    uint32_t begin = below(span_count);
    for (uint32_t i = 0; i < span_count; i++) {
        struct cursor *cursor = NULL;
        struct batch *batch = NULL;
        assert_int_equal(functions->cursor_open(reader, &request, &spans[(begin + i) % span_count],
                                                &cursor, &error),
                         STATUS_OK);
        while (functions->cursor_next(cursor, 1 + below(50), 4096, &batch, &error) == STATUS_OK) {
            for (uint32_t row = 0; row < batch->row_count; row++) {
                const struct cell *cells = batch_row(batch, row);
                uint32_t at = 0;
                while (at < count && expected[at].id != cells[0].i64) {
                    at++;
                }
                assert_true(at < count && !found[at]);
                assert_int_equal(cells[1].i64, expected[at].line);
                assert_int_equal(cells[2].length, 7);
                found[at] = 1;
                seen++;
            }
            assert_int_equal(batch->refused_count, 0);
            batch_destroy(batch);
        }
        functions->cursor_close(cursor);
    }
    functions->reader_close(reader);
    assert_int_equal(seen, count);
}

static void any_cut_gives_the_same_records(void **state)
{
    (void)state;
    char folder[] = "/tmp/transhume-unit-jsonl-XXXXXX";
    char path[64];
    struct error error = {0};
    struct expected expected[LINES_MAX] = {{0}};
    source_of_chance = random_start();
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/t.jsonl", folder);
    for (int round = 0; round < test_rounds(300); round++) {
        struct arena *arena = arena_create(0);
        uint32_t count = write_random_lines(path, expected);
        struct database *source = open_source(folder, arena);
        read_spans(source, expected, count, arena);
        source->connector->close(source);
        arena_destroy(arena);
    }
    assert_int_equal(file_remove_tree(folder, &error), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_the_columns_type_are_exact),
        cmocka_unit_test(values_of_other_kinds_keep_theirs),
        cmocka_unit_test(any_cut_gives_the_same_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
