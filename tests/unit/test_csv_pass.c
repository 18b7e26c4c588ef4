/* CSV files cut anywhere, read by any number of threads: always as one reading from the begin. */
#include "connectors/common/registry.h"
#include "connectors/common/uri.h"
#include "connectors/csv/csv.h"
#include "support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 3, FILE_BYTES_MAX = 3000 };

/* Rows that are mostly right, with breaks inside of quotes, odd quotes and rows of other widths. */
static void random_file(struct random *random, size_t rows, struct buffer *out)
{
    uint64_t trouble = random_below(random, 5);
    buffer_append_string(out, "a,b,c\n");
    for (size_t row = 0; row < rows; row++) {
        for (int at = 0; at < COLUMNS; at++) {
            buffer_append_string(out, at > 0 ? "," : "");
            switch (random_below(random, 5 + trouble)) {
            case 0:
                buffer_append_string(out, "\"x\n\n1,2,3\ny\"\"\"");
                break;
            case 1:
                buffer_append_string(out, "");
                break;
            case 2:
                buffer_append_string(out, "\"q, \"\"z\"\"\"");
                break;
            case 5:
                buffer_append_string(out, random_below(random, 4) == 0 ? "\"lost\n" : "v");
                break;
            case 6:
                buffer_append_string(out, random_below(random, 4) == 0 ? "st\"ray" : "w");
                break;
            case 7:
                buffer_append_string(out, random_below(random, 6) == 0 ? "\"a\"b" : "1.5");
                break;
            case 8:
                buffer_append_string(out, random_below(random, 6) == 0 ? "extra,field" : "7");
                break;
            default:
                buffer_append_int64(out, (int64_t)random_below(random, 2000) - 1000);
            }
        }
        buffer_append_string(out, random_below(random, 10) == 0 ? "\r\n" : "\n");
    }
    out->length -= random_below(random, 3) == 0;
}

static void write_file(const char *folder, const char *name, const struct buffer *bytes)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes->data, 1, bytes->length, file), bytes->length);
    assert_int_equal(fclose(file), 0);
}

/* ---------------------------------------------------------------- the pass */

struct passed {
    struct csv_file_data file;
    struct folder_table_data data;
    struct csv_column_facts facts[COLUMNS];
    uint64_t records;
};

static void pass(const char *folder, size_t bytes, uint64_t segment_bytes, uint32_t threads,
                 struct arena *arena, struct passed *passed)
{
    static uint32_t places[COLUMNS] = {0, 1, 2};
    static const bool wanted[COLUMNS] = {true, true, true};
    struct csv_database database = {.record_bytes_max = 200};
    struct folder_file file = {.name = "t.csv", .bytes = bytes};
    struct folder_table table = {
        .name = "t", .folder = folder, .files = &file, .file_count = 1, .bytes = bytes};
    struct error error;
    *passed = (struct passed){.file = {.can_seek = true, .field_of_column = places}};
    passed->data =
        (struct folder_table_data){.dialect = csv_dialect_default(), .files = &passed->file};
    struct csv_pass made = {.database = &database,
                            .table = &table,
                            .data = &passed->data,
                            .arena = arena,
                            .column_count = COLUMNS,
                            .wanted = wanted,
                            .file_end = 1,
                            .segment_bytes = segment_bytes,
                            .mark_bytes = 1,
                            .threads = threads,
                            .facts = passed->facts};
    assert_int_equal(csv_pass_run(&made, &error), STATUS_OK);
    passed->records = made.record_count;
}

static void no_files_are_no_records(void **state)
{
    (void)state;
    struct csv_database database = {.record_bytes_max = 200};
    struct folder_table table = {.name = "t", .folder = "/nowhere"};
    struct folder_table_data data = {.dialect = csv_dialect_default()};
    struct csv_pass made = {.database = &database, .table = &table, .data = &data};
    struct error error;
    assert_int_equal(csv_pass_run(&made, &error), STATUS_OK);
    assert_int_equal(made.record_count, 0);
}

static void assert_same_pass(const struct passed *one, const struct passed *other)
{
    assert_int_equal(one->records, other->records);
    assert_int_equal(one->data.faults, other->data.faults);
    assert_int_equal(one->data.first_fault.line, other->data.first_fault.line);
    assert_int_equal(one->file.mark_count, other->file.mark_count);
    for (uint32_t at = 0; at < one->file.mark_count; at++) {
        assert_int_equal(one->file.marks[at].byte, other->file.marks[at].byte);
        assert_int_equal(one->file.marks[at].line, other->file.marks[at].line);
    }
    for (int column = 0; column < COLUMNS; column++) {
        const struct csv_column_facts *left = &one->facts[column];
        const struct csv_column_facts *right = &other->facts[column];
        assert_int_equal(left->null_count, right->null_count);
        struct value_type types[2] = {csv_infer_type(left), csv_infer_type(right)};
        assert_int_equal(types[0].kind, types[1].kind);
        assert_int_equal(types[0].precision, types[1].precision);
        for (int class = 0; class < CSV_CLASS_COUNT; class ++) {
            /* behind the first text nothing more is looked at, in each segment */
            bool counts = (left->classes & 1u << CSV_CLASS_TEXT) == 0 || class == CSV_CLASS_TEXT;
            if (counts) {
                assert_int_equal(left->first[class].line, right->first[class].line);
            }
        }
    }
}

static void segments_are_joined_as_one_reading(void **state)
{
    (void)state;
    struct random random = random_start();
    for (long round = 0; round < test_rounds(150); round++) {
        struct buffer bytes = {0};
        struct passed whole;
        struct passed cut;
        struct arena *arena = arena_create(0);
        const char *folder = test_folder();
        random_file(&random, 1 + random_below(&random, 60), &bytes);
        write_file(folder, "t.csv", &bytes);
        pass(folder, bytes.length, UINT64_MAX / 2, 1, arena, &whole);
        for (int tries = 0; tries < 4; tries++) {
            uint64_t segment = 1 + random_below(&random, tries < 2 ? 40 : 900);
            pass(folder, bytes.length, segment, 1 + (uint32_t)random_below(&random, 3), arena,
                 &cut);
            assert_same_pass(&whole, &cut);
        }
        arena_destroy(arena);
        buffer_free(&bytes);
    }
}

/* ---------------------------------------------------------------- spans */

static struct database *open_source(const char *folder, const char *options, struct arena *arena)
{
    char text[1200];
    struct uri *uri = NULL;
    const struct connector *connector = NULL;
    struct database *database = NULL;
    struct error error;
    snprintf(text, sizeof text, "csv:%s%s", folder, options);
    assert_int_equal(registry_resolve(text, arena, &uri, &connector, &error), STATUS_OK);
    const struct open_options open = {
        .mode = OPEN_SOURCE, .uri = uri, .memory_bytes = 1 << 20, .timeout_ms = 1000};
    assert_int_equal(connector->open(&open, &database, &error), STATUS_OK);
    return database;
}

/* All rows and refused records of a span, as text. */
static void read_span(struct database *database, const struct read_request *request,
                      const struct span *span, struct random *random, struct buffer *out,
                      struct buffer *refused)
{
    const struct source_functions *source = database->connector->source;
    struct reader *reader = NULL;
    struct cursor *cursor = NULL;
    struct batch *batch = NULL;
    struct error error;
    assert_int_equal(source->reader_open(database, &reader, &error), STATUS_OK);
    assert_int_equal(source->cursor_open(reader, request, span, &cursor, &error), STATUS_OK);
    uint32_t rows = 1 + (uint32_t)random_below(random, 3000);
    size_t bytes = 1 + (size_t)random_below(random, 300000);
    enum status status;
    while ((status = source->cursor_next(cursor, rows, bytes, &batch, &error)) == STATUS_OK) {
        assert_true(batch->row_count <= rows);
        for (uint32_t row = 0; row < batch->row_count; row++) {
            for (uint32_t column = 0; column < batch->width; column++) {
                value_print(&batch_row(batch, row)[column], 1000, out);
                buffer_append_byte(out, ' ');
            }
            buffer_append_byte(out, '\n');
        }
        for (const struct batch_refused *at = batch->refused; at != NULL; at = at->next) {
            buffer_append_string(refused, at->reason);
            buffer_append_byte(refused, '\n');
        }
        batch_destroy(batch);
    }
    if (status != STATUS_END) {
        printf("%s: %s\n", error.object, error.message);
    }
    assert_int_equal(status, STATUS_END);
    source->cursor_close(cursor);
    source->reader_close(reader);
}

static void assert_same(const struct buffer *one, const struct buffer *other)
{
    assert_int_equal(one->length, other->length);
    if (one->length > 0) {
        assert_memory_equal(one->data, other->data, one->length);
    }
}

static void check_spans(struct random *random, const char *folder, const char *options)
{
    static const struct read_column columns[] = {
        {-1, "a", false}, {-1, "$line", false}, {-1, "c", false}, {-1, "b", false}};
    static const struct read_request request = {
        .name = "t", .table = "t", .columns = columns, .column_count = 4};
    struct arena *arena = arena_create(0);
    struct database *database = open_source(folder, options, arena);
    struct span *spans = NULL;
    uint32_t count = 0;
    struct error error;
    struct buffer whole[2] = {{0}, {0}};
    struct buffer pieces[2] = {{0}, {0}};
    assert_int_equal(
        database->connector->source->split(database, &request, 1, arena, &spans, &count, &error),
        STATUS_OK);
    assert_true(count > 2);
    read_span(database, &request, NULL, random, &whole[0], &whole[1]);
    for (uint32_t at = 0; at < count; at++) {
        read_span(database, &request, &spans[at], random, &pieces[0], &pieces[1]);
    }
    assert_same(&whole[0], &pieces[0]);
    assert_same(&whole[1], &pieces[1]);
    database->connector->close(database);
    for (int at = 0; at < 2; at++) {
        buffer_free(&whole[at]);
        buffer_free(&pieces[at]);
    }
    arena_destroy(arena);
}

static void spans_give_all_records_once(void **state)
{
    (void)state;
    struct random random = random_start();
    for (long round = 0; round < test_rounds(8); round++) {
        struct buffer bytes = {0};
        const char *folder = test_folder();
        random_file(&random, 30000, &bytes);
        write_file(folder, "t.csv", &bytes);
        check_spans(&random, folder, "");
        check_spans(&random, folder, "?types=a:text,b:text,c:text");
        check_spans(&random, folder, "?record_bytes=1KiB&infer=no");
        buffer_free(&bytes);
    }
}

/* Lines and numbers of records around long ones, in windows that don't hold them. */
static void long_records_are_passed(void **state)
{
    (void)state;
    struct random random = random_start();
    struct buffer bytes = {0};
    struct buffer rows = {0};
    struct buffer refused = {0};
    const char *folder = test_folder();
    static const struct read_column columns[] = {{-1, "a", false}, {-1, "$line", false}};
    static const struct read_request request = {
        .name = "t", .table = "t", .columns = columns, .column_count = 2};
    buffer_append_string(&bytes, "a,b\n1,x\n2,");
    for (int at = 0; at < 3000000; at++) {
        buffer_append_byte(&bytes, 'y');
    }
    buffer_append_string(&bytes, "\n3,z\n4,\"");
    for (int at = 0; at < 400000; at++) {
        buffer_append_string(&bytes, at % 100 == 0 ? "\n" : "w");
    }
    buffer_append_string(&bytes, "\"\n5,z\n");
    write_file(folder, "t.csv", &bytes);
    struct arena *arena = arena_create(0);
    struct database *database = open_source(folder, "?record_bytes=1MiB&infer=no", arena);
    read_span(database, &request, NULL, &random, &rows, &refused);
    assert_buffer(&rows, "\"1\" 2 \n\"3\" 4 \n\"4\" 5 \n\"5\" 4006 \n");
    assert_non_null(strstr(buffer_string(&refused), "t.csv:3: the line is longer"));
    database->connector->close(database);
    arena_destroy(arena);
    buffer_free(&refused);
    buffer_free(&rows);
    buffer_free(&bytes);
}

static void a_file_that_shrank_is_no_end(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    char path[1024];
    const char *folder = test_folder();
    struct csv_dialect dialect = csv_dialect_default();
    struct csv_reader *reader = NULL;
    struct error error;
    buffer_append_string(&bytes, "a,b\n1,2\n");
    write_file(folder, "t.csv", &bytes);
    snprintf(path, sizeof path, "%s/t.csv", folder);
    const struct csv_reading reading = {.dialect = &dialect,
                                        .path = path,
                                        .end = bytes.length + 1,
                                        .field_capacity = 2,
                                        .record_bytes_max = 1000,
                                        .window_bytes = 1000};
    assert_int_equal(csv_reader_open(&reading, &reader, &error), STATUS_OK);
    assert_int_equal(csv_reader_fill(reader, NULL, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_SOURCE_CHANGED);
    csv_reader_close(reader);
    buffer_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_files_are_no_records),
        cmocka_unit_test(segments_are_joined_as_one_reading),
        cmocka_unit_test(spans_give_all_records_once),
        cmocka_unit_test(long_records_are_passed),
        cmocka_unit_test(a_file_that_shrank_is_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
