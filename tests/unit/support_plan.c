/* What the tests of plans share. */
#include "support_plan.h"
#include "model/convert.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char plan_test_shop[] =
    "CREATE TABLE Artist(ArtistId INTEGER PRIMARY KEY NOT NULL, Name TEXT);"
    "CREATE TABLE Album(AlbumId INTEGER PRIMARY KEY NOT NULL, Title TEXT NOT NULL, ArtistId INTEGER NOT "
    "NULL REFERENCES Artist(ArtistId));"
    "CREATE TABLE Track(TrackId INTEGER PRIMARY KEY NOT NULL, Name TEXT NOT NULL, AlbumId INTEGER "
    "REFERENCES Album(AlbumId), Milliseconds INTEGER NOT NULL, UnitPrice NUMERIC(10,2) NOT NULL);"
    "CREATE TABLE Employee(EmployeeId INTEGER PRIMARY KEY NOT NULL, LastName TEXT NOT NULL, FirstName "
    "TEXT NOT NULL, ReportsTo INTEGER REFERENCES Employee(EmployeeId), HireDate DATETIME);"
    "CREATE TABLE Customer(CustomerId INTEGER PRIMARY KEY NOT NULL, FirstName TEXT NOT NULL, LastName TEXT "
    "NOT NULL, Company TEXT, Country TEXT, Phone TEXT, SupportRepId INTEGER REFERENCES Employee);"
    "CREATE TABLE Invoice(InvoiceId INTEGER PRIMARY KEY NOT NULL, CustomerId INTEGER NOT NULL REFERENCES "
    "Customer(CustomerId), InvoiceDate DATETIME NOT NULL, Total NUMERIC(10,2) NOT NULL);"
    "CREATE INDEX InvoiceCustomer ON Invoice(CustomerId);"
    "CREATE TABLE InvoiceLine(InvoiceLineId INTEGER PRIMARY KEY NOT NULL, InvoiceId INTEGER NOT NULL "
    "REFERENCES Invoice(InvoiceId), TrackId INTEGER NOT NULL REFERENCES Track(TrackId), UnitPrice "
    "NUMERIC(10,2) NOT NULL, Quantity INTEGER NOT NULL);"
    "CREATE INDEX LineInvoice ON InvoiceLine(InvoiceId);"
    "CREATE TABLE Playlist(PlaylistId INTEGER PRIMARY KEY NOT NULL, Name TEXT);"
    "CREATE TABLE PlaylistTrack(PlaylistId INTEGER NOT NULL REFERENCES Playlist(PlaylistId), TrackId "
    "INTEGER NOT NULL REFERENCES Track(TrackId), PRIMARY KEY(PlaylistId, TrackId));"
    "CREATE VIEW Cheap AS SELECT TrackId, Name FROM Track WHERE UnitPrice < 1;"
    "INSERT INTO Artist VALUES(1,'AC/DC'),(2,'Accept'),(3,NULL);"
    "INSERT INTO Album VALUES(1,'For Those',1),(2,'Balls',2),(3,'Restless',2);"
    "INSERT INTO Track VALUES(1,'About to Rock',1,343719,0.99),(2,'Balls',2,342562,0.99),(3,'Fast',3,230619,"
    "1.99),(4,'Loose',NULL,1,0.99);"
    "INSERT INTO Employee VALUES(1,'Adams','Andrew',NULL,'2002-08-14'),(2,'Edwards','Nancy',1,'2002-05-01'),"
    "(3,'Peacock','Jane',2,NULL);"
    "INSERT INTO Customer VALUES(1,'Luis','Silva','Embraer','Brazil','+55',3),(2,'Leonie','Kohler',NULL,"
    "'Germany',NULL,3),(3,'Zoe','Zander',NULL,NULL,NULL,NULL);"
    "INSERT INTO Invoice VALUES(1,2,'2009-01-01',1.98),(2,2,'2009-02-01',3.96),(3,1,'2009-03-01',0);"
    "INSERT INTO InvoiceLine VALUES(1,1,2,0.99,1),(2,1,4,0.99,1),(3,2,3,1.99,1),(4,2,1,0.99,2);"
    "INSERT INTO Playlist VALUES(1,'Music'),(2,'Empty'),(3,'Long');"
    "INSERT INTO PlaylistTrack VALUES(1,1),(1,3),(3,1),(3,2),(3,3),(3,4);";

static void expect_ok(struct plan_test *test, enum status status)
{
    if (status != STATUS_OK) {
        fail_msg("%s: %s%s (%s)", test->error.object, test->error.context, test->error.message,
                 test->error.hint);
    }
}

static struct database *open_database(struct plan_test *test, const char *text, enum open_mode mode)
{
    const struct connector *connector = NULL;
    struct uri *uri = NULL;
    struct database *database = NULL;
    expect_ok(test, registry_resolve(text, test->arena, &uri, &connector, &test->error));
    struct open_options options = {.mode = mode,
                                   .uri = uri,
                                   .memory_bytes = 8 << 20,
                                   .timeout_ms = 2000,
                                   .spill_folder = arena_copy_string(test->arena, test_folder())};
    expect_ok(test, connector->open(&options, &database, &test->error));
    return database;
}

void plan_test_open_uri(struct plan_test *test, const char *source, const char *target)
{
    memset(test, 0, sizeof *test);
    test->arena = arena_create(0);
    test->settings.existing = -1;
    test->source = open_database(test, source, OPEN_SOURCE);
    char *place = arena_format(test->arena, "%s:%s/target%s", target, test_folder(),
                               strcmp(target, "sqlite") == 0 ? ".db" : "");
    test->target = open_database(test, place, OPEN_TARGET);
    expect_ok(test, test->source->connector->catalog->describe(test->source, &test->schema,
                                                               &test->error));
}

void plan_test_open(struct plan_test *test, const char *sql, const char *target)
{
    char path[400];
    char uri[420];
    sqlite3 *connection = NULL;
    char *message = NULL;
    snprintf(path, sizeof path, "%s/source.db", test_folder());
    assert_int_equal(sqlite3_open(path, &connection), SQLITE_OK);
    if (sqlite3_exec(connection, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s", message);
    }
    sqlite3_close(connection);
    snprintf(uri, sizeof uri, "sqlite:%s", path);
    plan_test_open_uri(test, uri, target);
}

static void forget_plan(struct plan_test *test)
{
    plan_destroy(test->plan);
    plan_document_destroy(test->document);
    test->plan = NULL;
    test->document = NULL;
    buffer_clear(&test->faults);
    error_clear(&test->error);
}

void plan_test_close(struct plan_test *test)
{
    forget_plan(test);
    test->source->connector->close(test->source);
    test->target->connector->close(test->target);
    arena_destroy(test->schema->arena);
    arena_destroy(test->arena);
    buffer_free(&test->faults);
    buffer_free(&test->out);
}

enum status plan_test_resolve(struct plan_test *test, const char *yaml)
{
    forget_plan(test);
    if (yaml != NULL) {
        enum status status = plan_document_parse(
            yaml, strlen(yaml), test->document_name != NULL ? test->document_name : "p.yaml",
            &test->document, &test->faults, &test->error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return plan_resolve(test->document, test->source, test->schema, test->target, &test->settings,
                        &test->plan, &test->faults, &test->error);
}

void plan_test_expect(struct plan_test *test, const char *yaml)
{
    if (plan_test_resolve(test, yaml) != STATUS_OK) {
        fail_msg("%s%s: %s\n%s", test->error.context, test->error.object, test->error.message,
                 buffer_string(&test->faults));
    }
}

const char *plan_test_tables(struct plan_test *test, const char *tables)
{
    return arena_format(test->arena, "transhume: 1\ntables:\n%s", tables);
}

void plan_test_expect_faults(struct plan_test *test, const char *yaml, const char *lines)
{
    if (plan_test_resolve(test, yaml) == STATUS_OK) {
        fail_msg("no fault, expected:\n%s", lines);
    }
    assert_string_equal(buffer_string(&test->faults), lines);
}

void plan_test_expect_code(struct plan_test *test, const char *yaml, enum error_code code,
                           const char *part)
{
    if (plan_test_resolve(test, yaml) == STATUS_OK) {
        fail_msg("no fault, expected: %s", part);
    }
    if (strstr(buffer_string(&test->faults), part) == NULL) {
        fail_msg("expected \"%s\" in:\n%s", part, buffer_string(&test->faults));
    }
    if (test->error.code != code) {
        fail_msg("code %s, expected %s: %s", error_describe(test->error.code)->name,
                 error_describe(code)->name, test->error.message);
    }
}

/* ---------------------------------------------------------------- running */

static void show_cell(struct plan_test *test, const struct cell *cell)
{
    if (convert_append_json(cell, &test->out, &test->error) != STATUS_OK) {
        buffer_format(&test->out, "<%s>", value_kind_name((enum value_kind)cell->kind));
    }
}

static void show_envelope(struct plan_test *test, const struct record_envelope *envelope)
{
    buffer_format(&test->out, " @%d,%lld,%lld,%.*s", (int)envelope->operation,
                  (long long)envelope->write_time_us, (long long)envelope->ttl_seconds,
                  (int)envelope->position.length, (const char *)envelope->position.bytes);
}

static void show_record(struct plan_test *test, const struct batch *batch, uint32_t row)
{
    const struct cell *cells = batch_row(batch, row);
    buffer_append_string(&test->out, test->plan->entities[batch->entity].name);
    buffer_append_byte(&test->out, ' ');
    if (batch->shape == NULL) {
        show_cell(test, &cells[0]);
    } else {
        bool first = true;
        buffer_append_byte(&test->out, '{');
        for (uint32_t i = 0; i < batch->shape->field_count; i++) {
            if (cells[i].kind == VALUE_MISSING) {
                continue;
            }
            buffer_append_string(&test->out, first ? "" : ",");
            buffer_append_string(&test->out, batch->shape->fields[i].name);
            buffer_append_byte(&test->out, ':');
            show_cell(test, &cells[i]);
            first = false;
        }
        buffer_append_byte(&test->out, '}');
    }
    if (batch->envelopes != NULL) {
        show_envelope(test, &batch->envelopes[row]);
    }
    buffer_append_byte(&test->out, '\n');
}

/* As JSON, with a ? for what could not be made. */
static void show_kept(struct plan_test *test, const struct cell *cell)
{
    bool map = cell->kind == VALUE_MAP;
    if (cell->kind == VALUE_ESCAPE && cell->aux == ESCAPE_OMITTED) {
        assert_true(cell->length > 0);
        buffer_append_byte(&test->out, '?');
    } else if (map || cell->kind == VALUE_LIST) {
        buffer_append_byte(&test->out, map ? '{' : '[');
        for (uint32_t i = 0; i < cell->length; i++) {
            buffer_append_string(&test->out, i > 0 ? "," : "");
            if (map) {
                show_cell(test, &cell->items[2 * (size_t)i]);
                buffer_append_byte(&test->out, ':');
            }
            show_kept(test, &cell->items[map ? 2 * (size_t)i + 1 : i]);
        }
        buffer_append_byte(&test->out, map ? '}' : ']');
    } else {
        show_cell(test, cell);
    }
}

static void show_reject(struct plan_test *test, const struct mapper_reject *reject)
{
    buffer_format(&test->out, "%s REJECT %s ", test->plan->entities[reject->entity].name,
                  error_describe(reject->code)->name);
    for (uint32_t i = 0; i < reject->source_key_count; i++) {
        show_cell(test, &reject->source_key[i]);
    }
    buffer_format(&test->out, ": %s", reject->reason);
    if (test->show_rejects) {
        buffer_append_byte(&test->out, ' ');
        show_kept(test, &reject->record);
    }
    if (reject->envelope != NULL) {
        show_envelope(test, reject->envelope);
    }
    buffer_append_byte(&test->out, '\n');
}

static void take(struct plan_test *test, struct mapper *mapper)
{
    struct mapper_output output;
    uint32_t rows = 0;
    expect_ok(test, mapper_take(mapper, &output, &test->error));
    for (uint32_t i = 0; i < output.batch_count; i++) {
        for (uint32_t row = 0; row < output.batches[i]->row_count; row++) {
            show_record(test, output.batches[i], row);
        }
        rows += output.batches[i]->row_count;
        batch_destroy(output.batches[i]);
    }
    for (uint32_t i = 0; i < output.reject_count; i++) {
        show_reject(test, &output.rejects[i]);
    }
    arena_destroy(output.arena);
    batch_destroy(output.keeper);
    test->taken_most = rows > test->taken_most ? rows : test->taken_most;
}

/* A cursor with one row in view. */
struct row_view {
    struct cursor *cursor;
    struct batch *batch;
    uint32_t row;
};

/* Envelopes as a source of changes or one that keeps times would bring them. */
static void stamp(struct plan_test *test, struct batch *batch)
{
    if (!test->stamps) {
        return;
    }
    batch_add_envelopes(batch);
    for (uint32_t i = 0; i < batch->row_count; i++) {
        const char *place = arena_format(batch->arena, "p%d", test->stamped);
        batch->envelopes[i] = (struct record_envelope){
            .operation = test->stamped % 2 == 0 ? RECORD_INSERT : RECORD_UPDATE,
            .position = {(const uint8_t *)place, (uint32_t)strlen(place)},
            .write_time_us = 100 + test->stamped,
            .ttl_seconds = 7};
        test->stamped++;
    }
}

static const struct cell *view(struct plan_test *test, struct row_view *rows)
{
    const struct source_functions *source = test->source->connector->source;
    while (rows->batch == NULL || rows->row == rows->batch->row_count) {
        batch_destroy(rows->batch);
        rows->batch = NULL;
        rows->row = 0;
        enum status status =
            source->cursor_next(rows->cursor, 7, 1 << 20, &rows->batch, &test->error);
        if (status == STATUS_END) {
            return NULL;
        }
        expect_ok(test, status);
        stamp(test, rows->batch);
    }
    return batch_row(rows->batch, rows->row);
}

static bool keys_equal(const struct cell *row, const struct cell *parent,
                       const struct plan_stream *stream)
{
    for (uint32_t i = 0; i < stream->key_count; i++) {
        if (!value_equal(&row[i], &parent[stream->key_columns[i]])) {
            return false;
        }
    }
    return true;
}

static void run_children(struct plan_test *test, const struct plan_stream *stream,
                         struct mapper *mapper, const struct cell *parent,
                         struct row_view *children)
{
    for (uint32_t i = 0; i < stream->child_count; i++) {
        uint32_t keys = stream->children[i].root_key_count;
        const struct cell *row;
        while ((row = view(test, &children[i])) != NULL && keys_equal(row, parent, stream)) {
            expect_ok(test, mapper_child(mapper, i, row + keys,
                                         children[i].batch->envelopes == NULL
                                             ? NULL
                                             : &children[i].batch->envelopes[children[i].row],
                                         &test->error));
            children[i].row++;
            if (test->take_rows > 0 && mapper_pending_rows(mapper) >= test->take_rows) {
                take(test, mapper);
            }
        }
    }
}

static void run_parents(struct plan_test *test, const struct plan_stream *stream,
                        struct reader *reader, struct mapper *mapper)
{
    const struct source_functions *source = test->source->connector->source;
    struct row_view children[16] = {0};
    struct row_view parents = {0};
    assert_true(stream->child_count <= 16);
    expect_ok(test,
              source->cursor_open(reader, &stream->request, NULL, &parents.cursor, &test->error));
    for (uint32_t i = 0; i < stream->child_count; i++) {
        expect_ok(test, source->cursor_open(reader, &stream->children[i].request, NULL,
                                            &children[i].cursor, &test->error));
    }
    const struct cell *parent;
    bool wanted;
    while ((parent = view(test, &parents)) != NULL) {
        expect_ok(test,
                  mapper_begin_row(mapper, parents.batch, parents.row, &wanted, &test->error));
        assert_true(wanted);
        run_children(test, stream, mapper, parent, children);
        expect_ok(test, mapper_end(mapper, &test->error));
        take(test, mapper);
        parents.row++;
    }
    for (uint32_t i = 0; i < stream->child_count; i++) {
        assert_null(view(test, &children[i])); /* every child row found its parent */
        source->cursor_close(children[i].cursor);
    }
    source->cursor_close(parents.cursor);
}

static void run_batches(struct plan_test *test, const struct plan_stream *stream,
                        struct reader *reader, struct mapper *mapper)
{
    const struct source_functions *source = test->source->connector->source;
    struct cursor *cursor = NULL;
    struct batch *batch = NULL;
    enum status status;
    expect_ok(test, source->cursor_open(reader, &stream->request, NULL, &cursor, &test->error));
    while ((status = source->cursor_next(cursor, 100, 1 << 20, &batch, &test->error)) ==
           STATUS_OK) {
        stamp(test, batch);
        expect_ok(test, mapper_map_batch(mapper, batch, &test->error));
        take(test, mapper);
    }
    assert_int_equal(status, STATUS_END);
    source->cursor_close(cursor);
}

static void prepare_source(struct plan_test *test)
{
    const struct source_functions *source = test->source->connector->source;
    const struct read_request *requests[256];
    uint32_t count = 0;
    const char *token = NULL;
    for (uint32_t i = 0; i < test->plan->stream_count; i++) {
        requests[count++] = &test->plan->streams[i].request;
        for (uint32_t j = 0; j < test->plan->streams[i].child_count; j++) {
            requests[count++] = &test->plan->streams[i].children[j].request;
        }
    }
    if (!test->snapshot_taken) {
        expect_ok(test, source->snapshot(test->source, 8, test->arena, &token, &test->error));
        test->snapshot_taken = true;
    }
    expect_ok(test, source->prepare(test->source, requests, count, NULL, &test->error));
}

const char *plan_test_run(struct plan_test *test)
{
    const struct source_functions *source = test->source->connector->source;
    struct reader *reader = NULL;
    buffer_clear(&test->out);
    memset(test->counts, 0, sizeof test->counts);
    prepare_source(test);
    expect_ok(test, source->reader_open(test->source, &reader, &test->error));
    for (uint32_t i = 0; i < test->plan->stream_count; i++) {
        const struct plan_stream *stream = &test->plan->streams[i];
        struct mapper *mapper = mapper_create(test->plan, stream, test->record_bytes_max);
        mapper_begin_chunk(mapper);
        if (stream->child_count > 0) {
            run_parents(test, stream, reader, mapper);
        } else {
            run_batches(test, stream, reader, mapper);
        }
        for (uint32_t j = 0; j < stream->entity_count; j++) {
            assert_true(stream->entities[j] < 16);
            test->counts[stream->entities[j]] = mapper_counts(mapper)[j];
        }
        mapper_destroy(mapper);
    }
    source->reader_close(reader);
    return buffer_string(&test->out);
}

void plan_test_records(struct plan_test *test, const char *tables, const char *lines)
{
    plan_test_expect(test, plan_test_tables(test, tables));
    assert_string_equal(plan_test_run(test), lines);
}
