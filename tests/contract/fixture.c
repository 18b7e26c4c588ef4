/* What every contract test begins with: a folder, a target, a run, records, and reading them
 * back. */
#include "base/file.h"
#include "contract.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

void check_ok(enum status status, const struct error *error, const char *what)
{
    if (status != STATUS_OK) {
        fail_msg("%s: status %d: %s: %s", what, status, error->object, error->message);
    }
}

const struct connector *contract_connector(const struct contract_entry *entry)
{
    return registry_find(entry->connector != NULL ? entry->connector : entry->name);
}

bool contract_reaches(const struct connector *connector, const char *failpoint)
{
    const char *const *names = connector->failpoints;
    if (strncmp(failpoint, "ledger.", strlen("ledger.")) == 0) {
        names = run_failpoints();
    }
    while (names != NULL && *names != NULL && strcmp(*names, failpoint) != 0) {
        names++;
    }
    return names != NULL && *names != NULL;
}

void fixture_open_again(struct fixture *fixture)
{
    struct error error = {0};
    struct uri *uri;
    const struct connector *connector;
    fixture->arena = arena_create(0);
    check_ok(registry_resolve(fixture->uri_text, fixture->arena, &uri, &connector, &error), &error,
             "resolve");
    struct open_options options = {
        .mode = OPEN_TARGET, .uri = uri, .memory_bytes = 8 << 20, .timeout_ms = 5000};
    check_ok(connector->open(&options, &fixture->target, &error), &error, "open");
    /* of a place where some groups differ it is another one of that name */
    assert_string_equal(fixture->target->connector->name, connector->name);
    check_ok(ledger_open(fixture->target, fixture->target, &fixture->ledger, &error), &error,
             "ledger open");
}

/* Folders whose tests failed before fixture_close. */
static struct {
    char path[200]; /* they are all in it */
    pid_t owner;    /* not its children, which fork */
} all_folders;

static void remove_all_folders(void)
{
    struct error error = {0};
    if (getpid() == all_folders.owner && file_remove_tree(all_folders.path, &error) != STATUS_OK) {
        fprintf(stderr, "%s: %s\n", error.object, error.message);
    }
}

static void make_folder(struct fixture *fixture)
{
    const char *temporary = getenv("TMPDIR");
    if (all_folders.owner == 0) {
        snprintf(all_folders.path, sizeof all_folders.path, "%s/transhume-contract-XXXXXX",
                 temporary != NULL ? temporary : "/tmp");
        assert_non_null(mkdtemp(all_folders.path));
        all_folders.owner = getpid();
        atexit(remove_all_folders);
        /* What children that are killed leave there goes with it. */
        assert_int_equal(setenv("TMPDIR", all_folders.path, 1), 0);
    }
    snprintf(fixture->folder, sizeof fixture->folder, "%s/XXXXXX", all_folders.path);
    assert_non_null(mkdtemp(fixture->folder));
}

bool fixture_settles(const struct fixture *fixture)
{
    return (fixture->target->capabilities & CAPABILITY_KEY_ENFORCED) == 0 &&
           fixture->target->connector->target->settle_duplicates != NULL;
}

void fixture_open(struct fixture *fixture, const struct contract_entry *entry)
{
    *fixture = (struct fixture){.entry = entry, .run_id = "20260101T000000Z-abcdef"};
    make_folder(fixture);
    char path[sizeof fixture->folder + 4];
    snprintf(path, sizeof path, "%s/db", fixture->folder);
    if (entry->library) {
        const char *reason = "";
        if (!entry->library(&reason)) {
            print_message("%s\n", reason);
            skip();
        }
    }
    if (entry->server) {
        const char *reason = "";
        char address[64];
        fixture->server = entry->server(fixture->folder, address, &reason);
        if (fixture->server == 0) {
            print_message("%s\n", reason);
            skip();
        }
        snprintf(path, sizeof path, "%s", address);
    }
    if (entry->database) {
        const char *reason = "";
        char address[64];
        if (!entry->database(address, &reason)) {
            print_message("%s\n", reason);
            skip();
        }
        snprintf(path, sizeof path, "%s", address);
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(fixture->uri_text, sizeof fixture->uri_text, entry->uri_format, path);
#pragma GCC diagnostic pop
    fixture_open_again(fixture);
    fixture->columns[0] = (struct schema_column){
        .name = "id", .type = {.kind = VALUE_INT64, .native = "INTEGER"}, .not_null = true};
    fixture->columns[1] =
        (struct schema_column){.name = "value", .type = {.kind = VALUE_TEXT, .dynamic = true}};
    fixture->key_names[0] = "id";
    fixture->table = (struct target_table){
        .name = "things",
        .columns = fixture->columns,
        .column_count = 2,
        .key = {fixture->key_names, 1},
        .existing = EXISTING_REFUSE,
        .settles = fixture_settles(fixture),
    };
    fixture->fields[0] = (struct shape_field){"id", 2, fixture->columns[0].type};
    fixture->fields[1] = (struct shape_field){"value", 5, fixture->columns[1].type};
    fixture->shape = (struct shape){
        .name = "thing",
        .fields = fixture->fields,
        .field_count = 2,
        .key_fields = &fixture->key_field,
        .key_field_count = 1,
    };
}

void fixture_check_table(struct fixture *fixture, struct buffer *lines)
{
    struct error error = {0};
    const struct shape *shapes[] = {&fixture->shape};
    const struct check_request request = {
        .table = &fixture->table, .shapes = shapes, .shape_count = 1};
    check_ok(
        fixture->target->connector->target->check_table(fixture->target, &request, lines, &error),
        &error, "check_table");
}

void fixture_prepare(struct fixture *fixture)
{
    struct error error = {0};
    const struct prepare_request request = {.tables = &fixture->table, .table_count = 1};
    check_ok(fixture->target->connector->target->prepare(fixture->target, &request, &error), &error,
             "prepare");
}

static void prepare_and_open_writer(struct fixture *fixture)
{
    struct error error = {0};
    const struct target_functions *functions = fixture->target->connector->target;
    fixture_prepare(fixture);
    check_ok(functions->writer_open(fixture->target, &fixture->table, 1, fixture->epoch,
                                    &fixture->writer, &error),
             &error, "writer_open");
}

void fixture_create_run(struct fixture *fixture, const struct ledger_chunk *chunks,
                        uint64_t chunk_count)
{
    struct error error = {0};
    const char *other;
    const char *table;
    const char *const tables[] = {fixture->table.name};
    const struct ledger_new_run run = {.id = fixture->run_id,
                                       .header = "{\"format\":1}",
                                       .status = "{\"phase\":\"new\"}",
                                       .chunks = chunks,
                                       .chunk_count = chunk_count,
                                       .tables = tables,
                                       .table_count = 1};
    check_ok(ledger_create(fixture->ledger, &run, fixture->arena, &other, &table, &error), &error,
             "ledger create");
}

void fixture_make_run(struct fixture *fixture)
{
    struct error error = {0};
    struct ledger_holder holder = {0};
    struct ledger_chunk chunks[CONTRACT_CHUNKS];
    for (int i = 0; i < CONTRACT_CHUNKS; i++) {
        chunks[i] = (struct ledger_chunk){
            .number = (uint64_t)i + 1,
            .stream = (uint32_t)i % 2,
            .span = {.printable = "a\n\"b\" 1..2",
                     .bounds = (const uint8_t *)"\0\1\xff\0x",
                     .bounds_length = (uint32_t)i,
                     .row_estimate = i == 0 ? -1 : i * 1000,
                     .last_id = i == 2 ? NULL : "last 'id'"},
        };
    }
    fixture_create_run(fixture, chunks, CONTRACT_CHUNKS);
    check_ok(ledger_lead(fixture->ledger, fixture->run_id, 0, NULL, &holder, &error), &error,
             "claim");
    fixture->epoch = 1;
    prepare_and_open_writer(fixture);
}

void fixture_begin(struct fixture *fixture)
{
    fixture_make_run(fixture);
    assert_true(fixture->table.created);
}

void fixture_leave(struct fixture *fixture)
{
    if (fixture->writer) {
        fixture->target->connector->target->writer_close(fixture->writer);
        fixture->writer = NULL;
    }
    ledger_close(fixture->ledger);
    fixture->ledger = NULL;
    if (fixture->target) {
        fixture->target->connector->close(fixture->target);
        fixture->target = NULL;
    }
    arena_destroy(fixture->arena);
    fixture->arena = NULL;
}

/* A lease stays when a process goes without giving it back: ours, which may have it. */
void fixture_claim(struct fixture *fixture)
{
    struct error error = {0};
    struct ledger_holder holder = {0};
    enum status status =
        ledger_lead(fixture->ledger, fixture->run_id, fixture->epoch, NULL, &holder, &error);
    if (status == STATUS_AGAIN && fixture->target->lease_ms > 0) {
        status =
            ledger_lead(fixture->ledger, fixture->run_id, fixture->epoch, &holder, &holder, &error);
    }
    check_ok(status, &error, "claim");
    fixture->epoch++;
}

void fixture_return(struct fixture *fixture, bool claim)
{
    struct error error = {0};
    struct ledger_run *run;
    fixture_open_again(fixture);
    check_ok(ledger_load(fixture->ledger, NULL, fixture->arena, &run, &error), &error,
             "ledger load");
    fixture->epoch = run->epoch;
    if (claim) {
        fixture_claim(fixture);
        prepare_and_open_writer(fixture);
    }
}

void fixture_close(struct fixture *fixture)
{
    struct error error = {0};
    fixture_leave(fixture);
    check_ok(file_remove_tree(fixture->folder, &error), &error, "remove");
    if (fixture->server > 0) {
        kill(fixture->server, SIGKILL);
        waitpid(fixture->server, NULL, 0);
        fixture->server = 0;
    }
}

struct batch *fixture_batch(struct fixture *fixture, int64_t first, uint32_t count,
                            const struct cell *value)
{
    struct batch *batch = batch_create(&fixture->shape, 3, count + 1);
    assert_non_null(batch);
    for (uint32_t i = 0; i < count; i++) {
        struct cell *row = batch_append(batch);
        assert_non_null(row);
        row[0] = cell_int64(first + i);
        row[2] = row[0];
        if (value->kind == VALUE_LARGE) {
            row[1] = *value;
        } else {
            assert_int_equal(value_copy(value, batch->arena, &row[1]), STATUS_OK);
        }
    }
    return batch;
}

struct tally fixture_write(struct fixture *fixture, uint64_t chunk, struct batch *batch)
{
    struct error error = {0};
    struct tally tally = {0};
    struct batch_result result;
    const struct target_functions *functions = fixture->target->connector->target;
    uint32_t rows = batch->row_count;
    check_ok(functions->submit(fixture->writer, chunk, 0, batch, &error), &error, "submit");
    enum status status;
    while ((status = functions->poll(fixture->writer, 1000, &result, &error)) != STATUS_END) {
        if (status == STATUS_AGAIN) {
            continue;
        }
        check_ok(status, &error, "poll");
        assert_int_equal(result.chunk, chunk);
        assert_int_equal(result.written + result.outcome_count, result.batch->row_count);
        tally.written += result.written;
        for (uint32_t i = 0; i < result.outcome_count; i++) {
            const struct record_outcome *outcome = &result.outcomes[i];
            assert_true(outcome->row < result.batch->row_count);
            if (outcome->kind == OUTCOME_SKIPPED) {
                tally.skipped++;
                continue;
            }
            tally.rejected++;
            tally.code = outcome->code;
            assert_int_equal(error_describe(outcome->code)->class, ERROR_CLASS_REJECT);
            assert_non_null(outcome->reason);
            assert_true(*outcome->reason != 0);
            snprintf(tally.reason, sizeof tally.reason, "%s", outcome->reason);
        }
        batch_destroy(result.batch);
        arena_destroy(result.arena);
    }
    assert_int_equal(tally.written + tally.rejected + tally.skipped, rows);
    return tally;
}

void fixture_commit(struct fixture *fixture, uint64_t chunk, const char *mark_text)
{
    struct error error = {0};
    char key[STORE_KEY_BYTES];
    struct buffer extra = {0};
    struct done_mark mark = {.chunk = chunk, .epoch = fixture->epoch, .text = mark_text};
    bool apart = ledger_marks_apart(fixture->ledger);
    ledger_mark_key(key, fixture->run_id, chunk);
    mark.key = apart ? NULL : key;
    mark.extra = apart ? &extra : NULL;
    check_ok(fixture->target->connector->target->commit(fixture->writer, chunk, &mark, &error),
             &error, "commit");
    if (apart) {
        struct store *store;
        check_ok(ledger_open_store(fixture->ledger, &store, &error), &error, "open store");
        check_ok(ledger_mark(fixture->ledger, store, fixture->run_id, &mark, &error), &error,
                 "mark");
        ledger_close_store(fixture->ledger, store);
    }
    buffer_free(&extra);
}

static struct tally write_chunk(struct fixture *fixture, uint64_t chunk, uint32_t attempt,
                                int64_t first, uint32_t count, const struct cell *value)
{
    struct error error = {0};
    check_ok(
        fixture->target->connector->target->chunk_begin(fixture->writer, chunk, attempt, &error),
        &error, "chunk_begin");
    struct tally tally = fixture_write(fixture, chunk, fixture_batch(fixture, first, count, value));
    fixture_commit(fixture, chunk, "{\"done\":true}");
    return tally;
}

struct tally fixture_chunk(struct fixture *fixture, uint64_t chunk, int64_t first, uint32_t count,
                           const struct cell *value)
{
    return write_chunk(fixture, chunk, 1, first, count, value);
}

struct tally fixture_chunk_again(struct fixture *fixture, uint64_t chunk, int64_t first,
                                 uint32_t count, const struct cell *value)
{
    return write_chunk(fixture, chunk, 2, first, count, value);
}

uint64_t fixture_count(struct fixture *fixture)
{
    struct error error = {0};
    uint64_t count = 0;
    check_ok(
        fixture->target->connector->target->count(fixture->target, &fixture->table, &count, &error),
        &error, "count");
    return count;
}

/* ---- reading back */

static void read_batch(const struct batch *batch, bool documents,
                       void (*row)(void *context, int64_t id, const struct cell *value),
                       void *context)
{
    static const struct cell missing;
    for (uint32_t i = 0; i < batch->row_count; i++) {
        const struct cell *cells = batch_row(batch, i);
        const struct cell *id = documents ? value_field(cells, "id") : &cells[0];
        const struct cell *value = documents ? value_field(cells, "value") : &cells[1];
        assert_non_null(id);
        assert_int_equal(id->kind, VALUE_INT64);
        row(context, id->i64, value ? value : &missing);
    }
}

void fixture_read(struct fixture *fixture, uint64_t rows_a_span,
                  void (*row)(void *context, int64_t id, const struct cell *value), void *context)
{
    struct error error = {0};
    struct arena *arena = arena_create(0);
    struct uri *uri;
    const struct connector *connector;
    struct database *source;
    struct reader *reader;
    const char *token;
    check_ok(registry_resolve(fixture->uri_text, arena, &uri, &connector, &error), &error,
             "resolve");
    struct open_options options = {
        .mode = OPEN_SOURCE, .uri = uri, .memory_bytes = 8 << 20, .timeout_ms = 5000};
    check_ok(connector->open(&options, &source, &error), &error, "open as source");
    bool documents = !(connector->capabilities & CAPABILITY_SQL_SCHEMA);
    struct read_column columns[] = {{-1, "id", false}, {-1, "value", false}};
    struct read_request request = {.name = "things", .table = "things"};
    if (!documents) {
        request.columns = columns;
        request.column_count = 2;
    }
    check_ok(connector->source->snapshot(source, 1, arena, &token, &error), &error, "snapshot");
    struct span *spans;
    uint32_t span_count;
    check_ok(
        connector->source->split(source, &request, rows_a_span, arena, &spans, &span_count, &error),
        &error, "split");
    assert_true(span_count >= 1);
    check_ok(connector->source->reader_open(source, &reader, &error), &error, "reader_open");
    for (uint32_t i = 0; i < span_count; i++) {
        struct cursor *cursor;
        struct batch *batch;
        enum status status;
        check_ok(connector->source->cursor_open(reader, &request, &spans[i], &cursor, &error),
                 &error, "cursor_open");
        while ((status = connector->source->cursor_next(cursor, 100, 1 << 20, &batch, &error)) ==
               STATUS_OK) {
            assert_true(batch->row_count > 0 && batch->row_count <= 100);
            read_batch(batch, documents, row, context);
            batch_destroy(batch);
        }
        assert_int_equal(status, STATUS_END);
        connector->source->cursor_close(cursor);
    }
    connector->source->reader_close(reader);
    connector->close(source);
    arena_destroy(arena);
}
