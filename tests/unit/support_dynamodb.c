/* Opening, filling and reading DynamoDB-JSON folders in tests. */
#include "support_dynamodb.h"

#include "base/file.h"
#include "connectors/folder/folder.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES_MAX = 8 * 1024 * 1024 };

static const struct shape_field fields[] = {
    {"Pk", 2, {.kind = VALUE_TEXT}},
    {"Id", 2, {.kind = VALUE_INT64}},
    {"Name", 4, {.kind = VALUE_TEXT}},
};
static const char *const key[] = {"Pk", "Id"};
static const char *const by_name[] = {"Name"};
static const struct target_index indexes[] = {{.name = "by-name", .columns = {by_name, 1}}};

const struct shape things_shape = {.name = "thing", .fields = fields, .field_count = 3};
const struct target_table things_table = {
    .name = "things", .key = {key, 2}, .indexes = indexes, .index_count = 1};

struct database *folder_database(const char *path, enum open_mode mode, const char *options)
{
    char text[256];
    struct uri_parameter parameters[4];
    struct uri uri = {.text = path,
                      .shown = path,
                      .scheme = "dynamodb-json",
                      .path = path,
                      .parameters = parameters};
    snprintf(text, sizeof(text), "%s", options != NULL ? options : "");
    char *rest = text;
    for (char *part = strsep(&rest, "&"); part != NULL && *part != '\0';
         part = strsep(&rest, "&")) {
        parameters[uri.parameter_count].name = strsep(&part, "=");
        parameters[uri.parameter_count++].value = part;
    }
    struct open_options open = {.mode = mode, .uri = &uri, .timeout_ms = 1000};
    struct database *database = NULL;
    struct error error;
    if (connector_dynamodb_json.open(&open, &database, &error) != STATUS_OK) {
        fail_msg("%s: %s", error.object, error.message);
    }
    return database;
}

const char *folder_new(void)
{
    static char paths[256][256];
    static unsigned turn;
    char *path = paths[turn++ % 256];
    snprintf(path, sizeof(paths[0]), "%s", test_folder());
    return path;
}

static struct {
    struct database *database;
    struct ledger *ledger;
} opened[16];

struct ledger *folder_ledger(struct database *database)
{
    struct error error;
    size_t at = 0;
    while (opened[at].database != database && opened[at].database != NULL) {
        at++;
        assert_true(at < sizeof(opened) / sizeof(*opened));
    }
    if (opened[at].database == NULL) {
        opened[at].database = database;
        if (ledger_open(database, database, &opened[at].ledger, &error) != STATUS_OK) {
            fail_msg("%s: %s", error.object, error.message);
        }
    }
    return opened[at].ledger;
}

void close_folder(struct database *database)
{
    for (size_t at = 0; at < sizeof(opened) / sizeof(*opened); at++) {
        if (opened[at].database == database) {
            ledger_close(opened[at].ledger);
            opened[at].ledger = NULL;
            opened[at].database = NULL;
        }
    }
    connector_dynamodb_json.close(database);
}

void claim_again(struct database *database, uint64_t old_epoch)
{
    struct ledger_holder holder = {0};
    struct error error;
    if (ledger_lead(folder_ledger(database), "r1", old_epoch, NULL, &holder, &error) != STATUS_OK) {
        fail_msg("%s: %s (%s)", error.object, error.message, holder.name);
    }
}

enum status commit_and_mark(struct database *database, struct writer *writer,
                            const struct done_mark *mark, struct error *error)
{
    const struct folder *folder = (struct folder *)database;
    struct ledger *ledger = folder_ledger(database);
    struct store *store = NULL;
    struct buffer extra = {0};
    struct done_mark own = *mark;
    own.extra = &extra;
    enum status status = connector_dynamodb_json.target->commit(writer, own.chunk, &own, error);
    if (status == STATUS_OK) {
        assert_int_equal(ledger_open_store(ledger, &store, error), STATUS_OK);
        status = ledger_mark(ledger, store, folder->run.id, &own, error);
        ledger_close_store(ledger, store);
    }
    buffer_free(&extra);
    return status;
}

void run_begin(struct database *database, const char *run_id, uint64_t chunks)
{
    struct error error;
    struct ledger_holder holder = {0};
    struct ledger_chunk *list = (struct ledger_chunk *)calloc(chunks + 1, sizeof(*list));
    assert_non_null(list);
    for (uint64_t at = 0; at < chunks; at++) {
        list[at] = (struct ledger_chunk){.number = at + 1,
                                         .stream = 0,
                                         .span = {.printable = "rows \"x\"",
                                                  .bounds = (const uint8_t *)"\0\xFF",
                                                  .bounds_length = 2,
                                                  .row_estimate = -1,
                                                  .last_id = at == 0 ? NULL : "last"}};
    }
    struct arena *arena = arena_create(0);
    const char *other;
    const char *conflict;
    const struct ledger_new_run run = {.id = run_id,
                                       .header = "{\"header\":1}",
                                       .status = "{\"phase\":\"prepared\"}",
                                       .chunks = list,
                                       .chunk_count = chunks,
                                       .tables = &things_table.name,
                                       .table_count = 1};
    if (ledger_create(folder_ledger(database), &run, arena, &other, &conflict, &error) !=
            STATUS_OK ||
        ledger_lead(folder_ledger(database), run_id, 0, NULL, &holder, &error) != STATUS_OK) {
        fail_msg("%s: %s", error.object, error.message);
    }
    arena_destroy(arena);
    struct target_table table = things_table;
    assert_int_equal(
        connector_dynamodb_json.target->prepare(
            database, &(struct prepare_request){.tables = &table, .table_count = 1}, &error),
        STATUS_OK);
    free(list);
}

struct batch *things_batch(uint32_t entity)
{
    struct batch *batch = batch_create(&things_shape, 3, 16);
    assert_non_null(batch);
    batch->entity = entity;
    return batch;
}

void thing_add(struct batch *batch, const char *pk, int64_t id, const char *name)
{
    struct cell *cells = batch_append(batch);
    assert_non_null(cells);
    cells[0] = cell_text(arena_copy_string(batch->arena, pk), strlen(pk));
    cells[1] = cell_int64(id);
    cells[2] = name != NULL ? cell_text(arena_copy_string(batch->arena, name), strlen(name))
                            : cell_missing();
}

struct batch *things_numbered(uint32_t entity, int64_t first, int64_t count)
{
    struct batch *batch = things_batch(entity);
    char name[32];
    for (int64_t at = first; at < first + count; at++) {
        snprintf(name, sizeof(name), "name %lld", (long long)at);
        thing_add(batch, "pk", at, name);
    }
    return batch;
}

void chunk_write(struct database *database, uint64_t epoch, uint64_t chunk, struct batch *batch)
{
    const struct target_functions *target = connector_dynamodb_json.target;
    struct writer *writer = NULL;
    struct batch_result result;
    struct error error;
    struct done_mark mark = {.chunk = chunk, .epoch = epoch, .text = "{\"mark\":\"\xC3\xA9\"}"};
    uint32_t rows = batch->row_count;
    assert_int_equal(target->writer_open(database, &things_table, 1, epoch, &writer, &error),
                     STATUS_OK);
    assert_int_equal(target->chunk_begin(writer, chunk, 1, &error), STATUS_OK);
    assert_int_equal(target->submit(writer, chunk, 0, batch, &error), STATUS_OK);
    assert_int_equal(target->poll(writer, 0, &result, &error), STATUS_OK);
    assert_int_equal(result.written, rows);
    assert_int_equal(result.outcome_count, 0);
    batch_destroy(result.batch);
    assert_int_equal(target->poll(writer, 0, &result, &error), STATUS_END);
    if (commit_and_mark(database, writer, &mark, &error) != STATUS_OK) {
        fail_msg("%s: %s", error.object, error.message);
    }
    target->writer_close(writer);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static size_t list_names(const char *path, char *names[], size_t capacity)
{
    size_t count = 0;
    DIR *stream = opendir(path);
    struct dirent *entry = NULL;
    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        if (entry->d_name[0] != '.') {
            assert_true(count < capacity);
            names[count++] = strdup(entry->d_name);
        }
    }
    if (stream != NULL) {
        closedir(stream);
    }
    qsort(names, count, sizeof(*names), compare_names);
    return count;
}

void folder_names(const char *path, struct buffer *out)
{
    static char *names[10000];
    size_t count = list_names(path, names, 10000);
    for (size_t at = 0; at < count; at++) {
        buffer_format(out, "%s\n", names[at]);
        free(names[at]);
    }
}

void folder_contents(const char *path, const char *table, struct buffer *out)
{
    static char *names[10000];
    size_t count = list_names(path_of("%s/%s", path, table), names, 10000);
    for (size_t at = 0; at < count; at++) {
        struct folder_lines *lines = NULL;
        char *line = NULL;
        size_t length = 0;
        bool too_long = false;
        struct error error;
        assert_int_equal(folder_lines_open(path_of("%s/%s/%s", path, table, names[at]), 0, 0,
                                           LINE_BYTES_MAX, ERROR_SOURCE_READ, &lines, &error),
                         STATUS_OK);
        while (folder_lines_next(lines, &line, &length, &too_long, &error) == STATUS_OK) {
            buffer_append(out, line, length);
            buffer_append_byte(out, '\n');
        }
        folder_lines_close(lines);
        free(names[at]);
    }
}

void write_file(const char *path, const void *bytes, size_t length)
{
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, length, stream), length);
    assert_int_equal(fclose(stream), 0);
}

void read_file(const char *path, struct buffer *out)
{
    char bytes[4096];
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    for (size_t got = 0; (got = fread(bytes, 1, sizeof(bytes), stream)) > 0;) {
        buffer_append(out, bytes, got);
    }
    fclose(stream);
}

const char *path_of(const char *format, ...)
{
    static char paths[8][1024];
    static unsigned turn;
    char *path = paths[turn++ % 8];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(path, sizeof(paths[0]), format, arguments);
    va_end(arguments);
    return path;
}
