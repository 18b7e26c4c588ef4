/* DynamoDB-JSON folders as a source: files, spans, exports, and what can't be read. */
#include "support_dynamodb.h"

#include "connectors/dynamodb/item.h"
#include "connectors/folder/compression.h"
#include "connectors/folder/folder.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { LINE_BYTES_MAX = 8 * 1024 * 1024 };

#define SOURCE (connector_dynamodb_json.source)

static void write_packed(const char *path, const char *bytes, size_t length)
{
    struct folder_output *output = NULL;
    struct error error;
    assert_int_equal(folder_output_open(path, folder_compression_of(path), &output, &error),
                     STATUS_OK);
    for (size_t at = 0; at < length; at += 1000) {
        size_t part = length - at < 1000 ? length - at : 1000;
        assert_int_equal(folder_output_write(output, bytes + at, part, &error), STATUS_OK);
    }
    assert_int_equal(folder_output_finish(output, NULL, &error), STATUS_OK);
}

/* ---------------------------------------------------------------- lines */

/* The lines that begin in [begin, end), joined. */
static void gather(const char *path, uint64_t begin, uint64_t end, struct buffer *out)
{
    struct folder_lines *lines = NULL;
    char *line = NULL;
    size_t length = 0;
    bool too_long = false;
    struct error error;
    enum status status = STATUS_OK;
    assert_int_equal(
        folder_lines_open(path, begin, end, LINE_BYTES_MAX, ERROR_SOURCE_READ, &lines, &error),
        STATUS_OK);
    while ((status = folder_lines_next(lines, &line, &length, &too_long, &error)) == STATUS_OK) {
        uint64_t offset = folder_lines_offset(lines);
        assert_true(offset >= begin && (end == 0 || offset < end));
        buffer_append(out, line, length);
        buffer_append_byte(out, '\n');
    }
    assert_int_equal(status, STATUS_END);
    folder_lines_close(lines);
}

/* However a file is cut, each line is in one piece and in no other. */
static void pieces_of_a_file_tile_it(void **state)
{
    (void)state;
    struct random random = random_start();
    const char *path = path_of("%s/lines.json", folder_new());
    for (long round = 0; round < test_rounds(50); round++) {
        struct buffer text = {0};
        struct buffer joined = {0};
        uint64_t count = random_below(&random, 40);
        for (uint64_t at = 0; at < count; at++) {
            uint64_t length = random_below(&random, 4) == 0 ? random_below(&random, 300000)
                                                            : random_below(&random, 50);
            for (uint64_t byte = 0; byte < length; byte++) {
                buffer_append_byte(&text, (char)('a' + (char)(at % 26)));
            }
            buffer_append_byte(&text, '\n');
        }
        write_file(path, buffer_string(&text), text.length);
        uint64_t begin = 0;
        while (begin < text.length) {
            uint64_t end = begin + 1 + random_below(&random, text.length);
            end = end > text.length ? text.length : end;
            gather(path, begin, end, &joined);
            begin = end;
        }
        assert_int_equal(joined.length, text.length);
        assert_memory_equal(buffer_string(&joined), buffer_string(&text), text.length);
        buffer_free(&text);
        buffer_free(&joined);
    }
}

static void odd_ends_of_lines(void **state)
{
    (void)state;
    struct buffer out = {0};
    const char *path = path_of("%s/lines.json", folder_new());
    write_file(path, "a\r\n\nb", 5);
    gather(path, 0, 0, &out);
    assert_buffer(&out, "a\n\nb\n");
    write_file(path, "", 0);
    gather(path, 0, 0, &out);
    assert_buffer(&out, "");
    buffer_free(&out);
}

static void lines_are_bounded(void **state)
{
    (void)state;
    const char *path = path_of("%s/lines.json", folder_new());
    size_t long_length = LINE_BYTES_MAX * (size_t)3;
    char *text = (char *)malloc(long_length + 16);
    assert_non_null(text);
    memset(text, 'x', long_length);
    memcpy(text, "first\n", 6);
    memcpy(text + long_length, "\nlast\n", 6);
    write_file(path, text, long_length + 6);
    struct folder_lines *lines = NULL;
    char *line = NULL;
    size_t length = 0;
    bool too_long = false;
    struct error error;
    assert_int_equal(
        folder_lines_open(path, 0, 0, LINE_BYTES_MAX, ERROR_SOURCE_READ, &lines, &error),
        STATUS_OK);
    assert_int_equal(folder_lines_next(lines, &line, &length, &too_long, &error), STATUS_OK);
    assert_true(length == 5 && !too_long);
    assert_int_equal(folder_lines_next(lines, &line, &length, &too_long, &error), STATUS_OK);
    assert_true(too_long && length > 0 && line[0] == 'x');
    assert_int_equal(folder_lines_offset(lines), 6);
    assert_int_equal(folder_lines_next(lines, &line, &length, &too_long, &error), STATUS_OK);
    assert_true(!too_long && length == 4 && memcmp(line, "last", 4) == 0);
    assert_int_equal(folder_lines_offset(lines), long_length + 1);
    assert_int_equal(folder_lines_next(lines, &line, &length, &too_long, &error), STATUS_END);
    folder_lines_close(lines);
    free(text);
}

/* ---------------------------------------------------------------- compression */

/* What our streams write, the libraries' plain calls can read, and the other way round. */
static void streams_are_standard(void **state)
{
    (void)state;
    struct random random = random_start();
    struct buffer text = {0};
    struct buffer out = {0};
    for (int at = 0; at < 20000; at++) {
        buffer_format(&text, "line %d %llx\n", at, (unsigned long long)random_bits(&random));
    }
    const char *gzip = path_of("%s/a.json.gz", folder_new());
    const char *zstd = path_of("%s/a.json.zst", folder_new());
    write_packed(gzip, text.data, text.length);
    write_packed(zstd, text.data, text.length);
    char *unpacked = (char *)malloc(text.length + 1);
    assert_non_null(unpacked);
    gzFile file = gzopen(gzip, "rb");
    assert_int_equal(gzread(file, unpacked, (unsigned)text.length + 1), text.length);
    assert_int_equal(gzclose(file), Z_OK);
    assert_memory_equal(unpacked, text.data, text.length);
    read_file(zstd, &out);
    assert_int_equal(ZSTD_decompress(unpacked, text.length + 1, out.data, out.length), text.length);
    assert_memory_equal(unpacked, text.data, text.length);
    buffer_clear(&out);
    gather(gzip, 0, 0, &out);
    assert_int_equal(out.length, text.length);
    assert_memory_equal(out.data, text.data, text.length);
    buffer_clear(&out);
    gather(zstd, 0, 0, &out);
    assert_int_equal(out.length, text.length);
    assert_memory_equal(out.data, text.data, text.length);
    free(unpacked);
    buffer_free(&out);
    buffer_free(&text);
}

static enum status read_through(const char *path, struct error *error)
{
    struct folder_lines *lines = NULL;
    char *line = NULL;
    size_t length = 0;
    bool too_long = false;
    enum status status =
        folder_lines_open(path, 0, 0, LINE_BYTES_MAX, ERROR_SOURCE_READ, &lines, error);
    while (status == STATUS_OK) {
        status = folder_lines_next(lines, &line, &length, &too_long, error);
    }
    folder_lines_close(lines);
    return status;
}

static void members_and_frames_are_joined(void **state)
{
    (void)state;
    static const char *const ends[] = {"gz", "zst"};
    for (int at = 0; at < 2; at++) {
        struct buffer packed = {0};
        struct buffer out = {0};
        const char *path = path_of("%s/a.json.%s", folder_new(), ends[at]);
        write_packed(path, "one\n", 4);
        read_file(path, &packed);
        unlink(path);
        write_packed(path, "two\n", 4);
        read_file(path, &packed);
        write_file(path, packed.data, packed.length);
        gather(path, 0, 0, &out);
        assert_buffer(&out, "one\ntwo\n");
        write_file(path, "", 0);
        gather(path, 0, 0, &out);
        assert_buffer(&out, "");
        buffer_free(&packed);
        buffer_free(&out);
    }
}

static void damaged_streams_are_told(void **state)
{
    (void)state;
    static const char *const ends[] = {"gz", "zst"};
    struct error error;
    struct buffer text = {0};
    for (int at = 0; at < 5000; at++) {
        buffer_format(&text, "line %d\n", at);
    }
    for (int at = 0; at < 2; at++) {
        struct buffer packed = {0};
        const char *path = path_of("%s/a.json.%s", folder_new(), ends[at]);
        write_packed(path, text.data, text.length);
        read_file(path, &packed);
        for (size_t length = 1; length < packed.length; length += packed.length / 50 + 1) {
            write_file(path, packed.data, length);
            assert_int_equal(read_through(path, &error), STATUS_FAILED);
            assert_int_equal(error.code, ERROR_SOURCE_READ);
            assert_string_equal(error.object, path);
        }
        packed.data[packed.length / 2] ^= 0x55;
        write_file(path, packed.data, packed.length);
        assert_int_equal(read_through(path, &error), STATUS_FAILED);
        write_file(path, "no such thing\n", 14);
        assert_int_equal(read_through(path, &error), STATUS_FAILED);
        buffer_free(&packed);
    }
    buffer_free(&text);
}

/* ---------------------------------------------------------------- items */

static struct database *open_source(const char *path)
{
    struct database *database = folder_database(path, OPEN_SOURCE, NULL);
    struct arena *arena = arena_create(0);
    const char *token = NULL;
    struct error error;
    assert_int_equal(SOURCE->snapshot(database, 1, arena, &token, &error), STATUS_OK);
    arena_destroy(arena);
    return database;
}

/* All records of the spans as text, in order; returns their number. */
static size_t print_records(struct database *database, const struct read_request *request,
                            const struct span *spans, uint32_t span_count, struct buffer *out)
{
    struct reader *reader = NULL;
    struct error error;
    size_t count = 0;
    assert_int_equal(SOURCE->reader_open(database, &reader, &error), STATUS_OK);
    for (uint32_t at = 0; at < span_count; at++) {
        struct cursor *cursor = NULL;
        struct batch *batch = NULL;
        enum status status = STATUS_OK;
        assert_int_equal(SOURCE->cursor_open(reader, request, &spans[at], &cursor, &error),
                         STATUS_OK);
        while ((status = SOURCE->cursor_next(cursor, 7, 1 << 20, &batch, &error)) == STATUS_OK) {
            assert_true(batch->row_count > 0 && batch->row_count <= 7);
            for (uint32_t row = 0; row < batch->row_count; row++) {
                for (uint32_t cell = 0; cell < batch->width; cell++) {
                    value_print(&batch_row(batch, row)[cell], 1000, out);
                    buffer_append_byte(out, cell + 1 < batch->width ? ' ' : '\n');
                }
                count++;
            }
            batch_destroy(batch);
        }
        if (status != STATUS_END) {
            fail_msg("%s: %s", error.object, error.message);
        }
        SOURCE->cursor_close(cursor);
    }
    SOURCE->reader_close(reader);
    return count;
}

static size_t print_table(const char *path, const struct read_request *request,
                          uint64_t rows_wanted, uint32_t *span_count, struct buffer *out)
{
    struct database *database = open_source(path);
    struct arena *arena = arena_create(0);
    struct span *spans = NULL;
    struct error error;
    assert_int_equal(
        SOURCE->split(database, request, rows_wanted, arena, &spans, span_count, &error),
        STATUS_OK);
    size_t count = print_records(database, request, spans, *span_count, out);
    arena_destroy(arena);
    close_folder(database);
    return count;
}

static const struct read_request things = {.name = "things", .table = "things"};

/* Spans of any size over plain and packed files bring the same records in the same order. */
static void spans_tile_the_files(void **state)
{
    (void)state;
    const char *path = folder_new();
    static const char *const names[] = {"a.json", "b.json.gz", "c.json", "d.json", "e.json.zst"};
    struct buffer whole = {0};
    assert_int_equal(mkdir(path_of("%s/things", path), 0700), 0);
    for (int file = 0; file < 5; file++) {
        struct buffer text = {0};
        for (int at = 0; at < (file == 2 ? 0 : 700); at++) {
            buffer_format(&text, "{\"Item\":{\"Id\":{\"N\":\"%d\"},\"Name\":{\"S\":\"%*s\"}}}\n",
                          file * 1000 + at, at % 90, "");
        }
        const char *file_path = path_of("%s/things/%s", path, names[file]);
        write_packed(file_path, buffer_string(&text), text.length);
        buffer_free(&text);
    }
    uint32_t span_count = 0;
    assert_int_equal(print_table(path, &things, 1000000, &span_count, &whole), 2800);
    uint32_t most = 0;
    for (uint64_t rows = 1; rows < 4000; rows = rows * 3 + 10) {
        struct buffer out = {0};
        assert_int_equal(print_table(path, &things, rows, &span_count, &out), 2800);
        assert_string_equal(buffer_string(&out), buffer_string(&whole));
        most = span_count > most ? span_count : most;
        buffer_free(&out);
    }
    assert_true(most > 500);
    buffer_free(&whole);
}

static void columns_are_picked(void **state)
{
    (void)state;
    const char *path = folder_new();
    const char *text = "{\"Item\":{\"b\":{\"N\":\"1.50\"},\"a\":{\"S\":\"x\"}}}\n"
                       "{\"Item\":{\"b\":{\"SS\":[\"q\"]}}}\n";
    const struct read_column columns[] = {
        {-1, "a", false}, {-1, "$file", false}, {-1, "$byte", false}, {-1, "b", false}};
    const struct read_request request = {
        .name = "things", .table = "things", .columns = columns, .column_count = 4};
    struct buffer out = {0};
    uint32_t span_count = 0;
    assert_int_equal(mkdir(path_of("%s/things", path), 0700), 0);
    write_file(path_of("%s/things/a.json", path), text, strlen(text));
    assert_int_equal(print_table(path, &request, 100, &span_count, &out), 2);
    struct buffer expected = {0};
    const struct cell cells[2][4] = {
        {cell_text("x", 1),
         cell_text("a.json", 6),
         cell_int64(0),
         {.kind = VALUE_DECIMAL, .flags = CELL_SMALL, .aux = 1, .i64 = 15}},
        {cell_missing(), cell_text("a.json", 6), cell_int64(42),
         cell_items(VALUE_SET, &(struct cell){.kind = VALUE_TEXT, .length = 1, .text = "q"}, 1)}};
    for (int row = 0; row < 2; row++) {
        for (int cell = 0; cell < 4; cell++) {
            value_print(&cells[row][cell], 1000, &expected);
            buffer_append_byte(&expected, cell < 3 ? ' ' : '\n');
        }
    }
    assert_string_equal(buffer_string(&out), buffer_string(&expected));
    buffer_free(&expected);
    buffer_free(&out);
}

static void broken_lines_keep_their_place(void **state)
{
    (void)state;
    const char *path = folder_new();
    static const char *const bad[] = {"{\"Item\":{\"a\":{\"S\":\"x\"}}",
                                      "{\"Item\":{\"a\":{\"N\":\"x\"}}}",
                                      "not json",
                                      "{\"Keys\":{}}",
                                      "{\"Item\":{}} {}",
                                      "{\"Item\":{\"a\":{\"S\":\"\xFF\"}}}"};
    static const char *const why[] = {"expected",    "is not a number", "neither true",
                                      "no \"Item\"", "more after",      "UTF-8"};
    struct buffer text = {0};
    struct error error;
    assert_int_equal(mkdir(path_of("%s/things", path), 0700), 0);
    buffer_append_string(&text, "{\"Item\":{\"a\":{\"S\":\"good\"}}}\n");
    for (int at = 0; at < 6; at++) {
        buffer_format(&text, "%s\n", bad[at]);
    }
    buffer_append_string(&text, "{\"Item\":{\"a\":{\"S\":\"good\"}}}\n");
    write_file(path_of("%s/things/a.json", path), buffer_string(&text), text.length);
    struct database *database = open_source(path);
    struct reader *reader = NULL;
    struct cursor *cursor = NULL;
    struct batch *batch = NULL;
    assert_int_equal(SOURCE->reader_open(database, &reader, &error), STATUS_OK);
    assert_int_equal(SOURCE->cursor_open(reader, &things, NULL, &cursor, &error), STATUS_OK);
    assert_int_equal(SOURCE->cursor_next(cursor, 100, 1 << 20, &batch, &error), STATUS_OK);
    assert_int_equal(batch->row_count, 2);
    assert_int_equal(batch->refused_count, 6);
    const struct batch_refused *refused = batch->refused;
    for (int at = 0; at < 6; at++, refused = refused->next) {
        char begin[32];
        snprintf(begin, sizeof begin, "a.json line %d: ", at + 2);
        assert_memory_equal(refused->reason, begin, strlen(begin));
        assert_non_null(strstr(refused->reason, why[at]));
        assert_int_equal(refused->raw.length, strlen(bad[at]));
        assert_memory_equal(refused->raw.text, bad[at], strlen(bad[at]));
        assert_int_equal(refused->source_key_count, 1);
        assert_memory_equal(refused->source_key[0].items[1].text, "a.json", 6);
        assert_int_equal(refused->source_key[0].items[3].i64, at + 2);
    }
    assert_int_equal(batch_row(batch, 0)->kind, VALUE_MAP);
    assert_int_equal(batch_row(batch, 1)->kind, VALUE_MAP);
    batch_destroy(batch);
    SOURCE->cursor_close(cursor);
    SOURCE->reader_close(reader);
    close_folder(database);
    buffer_free(&text);
}

static void exports_are_found(void **state)
{
    (void)state;
    const char *path = folder_new();
    const char *manifest =
        "{\"version\":\"2020-06-30\",\"tableArn\":\"arn:aws:dynamodb:eu-west-1:1:table/"
        "orders\",\"itemCount\":1}";
    const char *item = "{\"Item\":{\"a\":{\"S\":\"x\"}}}\n";
    const char *export = path_of("%s/AWSDynamoDB/0123-abc", path);
    assert_int_equal(mkdir(path_of("%s/AWSDynamoDB", path), 0700), 0);
    assert_int_equal(mkdir(export, 0700), 0);
    assert_int_equal(mkdir(path_of("%s/data", export), 0700), 0);
    write_file(path_of("%s/manifest-summary.json", export), manifest, strlen(manifest));
    write_packed(path_of("%s/data/x.json.gz", export), item, strlen(item));
    const char *roots[] = {path, export};
    for (int at = 0; at < 2; at++) {
        struct database *database = folder_database(roots[at], OPEN_SOURCE, NULL);
        struct schema *schema = NULL;
        struct error error;
        assert_int_equal(connector_dynamodb_json.catalog->describe(database, &schema, &error),
                         STATUS_OK);
        assert_int_equal(schema->table_count, 1);
        assert_string_equal(schema->tables[0].name, "orders");
        arena_destroy(schema->arena);
        close_folder(database);
        const struct read_request request = {.name = "orders", .table = "orders"};
        struct buffer out = {0};
        uint32_t span_count = 0;
        assert_int_equal(print_table(roots[at], &request, 100, &span_count, &out), 1);
        buffer_free(&out);
    }
}

static void snapshots_prove_no_change(void **state)
{
    (void)state;
    const char *path = folder_new();
    struct arena *arena = arena_create(0);
    const char *tokens[4] = {0};
    assert_int_equal(mkdir(path_of("%s/things", path), 0700), 0);
    for (int at = 0; at < 4; at++) {
        struct error error;
        if (at == 0 || at == 2) {
            write_file(path_of("%s/things/a.json", path), "{}\n", at == 0 ? 2 : 3);
        }
        if (at == 3) {
            write_file(path_of("%s/things/b.json", path), "", 0);
        }
        struct database *database = folder_database(path, OPEN_SOURCE, NULL);
        assert_int_equal(SOURCE->snapshot(database, 1, arena, &tokens[at], &error), STATUS_OK);
        close_folder(database);
    }
    assert_string_equal(tokens[0], tokens[1]);
    assert_string_not_equal(tokens[1], tokens[2]);
    assert_string_not_equal(tokens[2], tokens[3]);
    arena_destroy(arena);
}

/* ---------------------------------------------------------------- there and back */

static struct cell random_item(struct random *random, struct arena *arena, int64_t id)
{
    size_t extra = random_below(random, 6);
    struct cell *pairs =
        (struct cell *)arena_allocate_zeroed(arena, 2 * (extra + 2), sizeof(*pairs));
    pairs[0] = cell_text("Pk", 2);
    pairs[1] = cell_text("p", 1);
    pairs[2] = cell_text("Id", 2);
    pairs[3] = cell_int64(id);
    for (size_t at = 2; at < extra + 2; at++) {
        const char *name = arena_format(arena, "field %zu", at);
        pairs[2 * at] = cell_text(name, strlen(name));
        do {
            pairs[2 * at + 1] = random_value(random, arena, 3);
        } while (pairs[2 * at + 1].kind == VALUE_MISSING);
    }
    return cell_items(VALUE_MAP, pairs, extra + 2);
}

/* What the writer accepted comes back in order as its normal form. */
static void documents_go_there_and_back(void **state)
{
    (void)state;
    static const char *const options[] = {NULL, "compression=gzip",
                                          "compression=zstd&file_bytes=2KiB"};
    struct random random = random_start();
    for (int turn = 0; turn < 3; turn++) {
        const char *path = folder_new();
        struct database *database = folder_database(path, OPEN_TARGET, options[turn]);
        const struct target_functions *target = connector_dynamodb_json.target;
        struct writer *writer = NULL;
        struct batch_result result;
        struct error error;
        struct buffer expected = {0};
        struct batch *batch = batch_create(NULL, 1, 16);
        struct arena *arena = arena_create(0);
        run_begin(database, "r1", 1);
        for (int64_t id = 0; id < 500; id++) {
            struct cell *cell = batch_append(batch);
            *cell = random_item(&random, batch->arena, id);
        }
        assert_int_equal(target->writer_open(database, &things_table, 1, 1, &writer, &error),
                         STATUS_OK);
        assert_int_equal(target->chunk_begin(writer, 1, 1, &error), STATUS_OK);
        assert_int_equal(target->submit(writer, 1, 0, batch, &error), STATUS_OK);
        assert_int_equal(target->poll(writer, 0, &result, &error), STATUS_OK);
        assert_int_equal(result.written + result.outcome_count, 500);
        assert_true(result.written > 50);
        uint32_t refused = 0;
        for (uint32_t row = 0; row < 500; row++) {
            struct cell normal;
            if (refused < result.outcome_count && result.outcomes[refused].row == row) {
                refused++;
                continue;
            }
            assert_int_equal(
                dynamodb_item_normal_form(batch_row(batch, row), arena, &normal, &error),
                STATUS_OK);
            value_print(&normal, 1000, &expected);
            buffer_append_byte(&expected, '\n');
        }
        batch_destroy(result.batch);
        arena_destroy(result.arena);
        struct done_mark mark = {.chunk = 1, .epoch = 1, .text = "m"};
        assert_int_equal(target->commit(writer, 1, &mark, &error), STATUS_OK);
        target->writer_close(writer);
        close_folder(database);
        struct buffer out = {0};
        uint32_t span_count = 0;
        print_table(path, &things, 100, &span_count, &out);
        assert_string_equal(buffer_string(&out), buffer_string(&expected));
        buffer_free(&out);
        buffer_free(&expected);
        arena_destroy(arena);
    }
}

static void wrong_places_are_told(void **state)
{
    (void)state;
    const char *path = folder_new();
    struct error error;
    struct database *database = NULL;
    static const struct {
        const char *below;
        enum open_mode mode;
        enum error_code code;
    } cases[] = {{"nowhere", OPEN_SOURCE, ERROR_SOURCE_MISSING},
                 {"file", OPEN_SOURCE, ERROR_SOURCE_INVALID},
                 {"file", OPEN_TARGET, ERROR_TARGET_INVALID},
                 {"a/b/c", OPEN_TARGET, ERROR_TARGET_MISSING}};
    write_file(path_of("%s/file", path), "", 0);
    for (int at = 0; at < 4; at++) {
        struct uri uri = {.shown = "x", .path = path_of("%s/%s", path, cases[at].below)};
        struct open_options open = {.mode = cases[at].mode, .uri = &uri};
        assert_int_equal(connector_dynamodb_json.open(&open, &database, &error), STATUS_FAILED);
        assert_int_equal(error.code, cases[at].code);
        assert_true(error.hint[0] != '\0');
    }
    struct uri_parameter wrong = {"file_bytes", "12"};
    struct uri uri = {.shown = "x", .path = path, .parameters = &wrong, .parameter_count = 1};
    struct open_options open = {.mode = OPEN_SOURCE, .uri = &uri};
    assert_int_equal(connector_dynamodb_json.open(&open, &database, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_BAD_VALUE);
    database = open_source(path);
    struct stream_facts facts;
    assert_int_equal(SOURCE->describe_stream(database, &things, NULL, &facts, &error),
                     STATUS_FAILED);
    assert_int_equal(error.code, ERROR_SOURCE_MISSING);
    close_folder(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_a_file_tile_it),
        cmocka_unit_test(odd_ends_of_lines),
        cmocka_unit_test(lines_are_bounded),
        cmocka_unit_test(streams_are_standard),
        cmocka_unit_test(members_and_frames_are_joined),
        cmocka_unit_test(damaged_streams_are_told),
        cmocka_unit_test(spans_tile_the_files),
        cmocka_unit_test(columns_are_picked),
        cmocka_unit_test(broken_lines_keep_their_place),
        cmocka_unit_test(exports_are_found),
        cmocka_unit_test(snapshots_prove_no_change),
        cmocka_unit_test(documents_go_there_and_back),
        cmocka_unit_test(wrong_places_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
