/* DynamoDB-JSON folders as a target: segments, definitions, the ledger and its damages. */
#include "support_dynamodb.h"

#include "base/file.h"
#include "connectors/dynamodb/json/json.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TARGET (connector_dynamodb_json.target)

static uint64_t count_things(struct database *database)
{
    uint64_t count = 0;
    struct error error;
    assert_int_equal(TARGET->count(database, &things_table, &count, &error), STATUS_OK);
    return count;
}

static void assert_claim_fails(struct database *database, uint64_t old_epoch, enum error_code code,
                               const char *part)
{
    struct ledger_holder holder = {0};
    struct error error;
    assert_int_equal(ledger_lead(folder_ledger(database), "r1", old_epoch, NULL, &holder, &error),
                     STATUS_FAILED);
    assert_string_equal(error_describe(error.code)->name, error_describe(code)->name);
    if (strstr(error.object, part) == NULL && strstr(error.message, part) == NULL) {
        fail_msg("%s: %s, not about %s", error.object, error.message, part);
    }
}

static const char *segment_name(const char *run, uint64_t chunk, uint32_t entity, uint32_t part)
{
    static char name[FOLDER_SEGMENT_NAME_MAX];
    char tag[FOLDER_TAG_LENGTH + 1];
    folder_tag(run, tag);
    folder_segment_name(&dynamodb_folder_format, tag, chunk, entity, part, FOLDER_PLAIN, name);
    return name;
}

/* ---------------------------------------------------------------- data */

static void chunks_become_segments(void **state)
{
    (void)state;
    const char *path = folder_new();
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    struct buffer out = {0};
    bool table_exists = true;
    bool record_exists = true;
    struct error error;
    assert_int_equal(
        TARGET->inspect(database, &things_table, 1, &table_exists, &record_exists, &error),
        STATUS_OK);
    assert_true(!table_exists && !record_exists);
    run_begin(database, "r1", 2);
    assert_int_equal(
        TARGET->inspect(database, &things_table, 1, &table_exists, &record_exists, &error),
        STATUS_OK);
    assert_true(table_exists && !record_exists);
    struct batch *batch = things_batch(3);
    thing_add(batch, "p", 1, "a\"b");
    thing_add(batch, "p", 2, NULL);
    chunk_write(database, 1, 1, batch);
    chunk_write(database, 1, 2, things_numbered(3, 10, 1));
    folder_names(path_of("%s/things", path), &out);
    char expected[300];
    char first[FOLDER_SEGMENT_NAME_MAX];
    snprintf(first, sizeof(first), "%s", segment_name("r1", 1, 3, 0));
    snprintf(expected, sizeof(expected), "%s\n%s\n", first, segment_name("r1", 2, 3, 0));
    assert_buffer(&out, expected);
    folder_contents(path, "things", &out);
    assert_buffer(
        &out,
        "{\"Item\":{\"Pk\":{\"S\":\"p\"},\"Id\":{\"N\":\"1\"},\"Name\":{\"S\":\"a\\\"b\"}}}\n"
        "{\"Item\":{\"Pk\":{\"S\":\"p\"},\"Id\":{\"N\":\"2\"}}}\n"
        "{\"Item\":{\"Pk\":{\"S\":\"pk\"},\"Id\":{\"N\":\"10\"},\"Name\":{\"S\":\"name 10\"}}}\n");
    assert_int_equal(count_things(database), 3);
    assert_int_equal(
        TARGET->inspect(database, &things_table, 1, &table_exists, &record_exists, &error),
        STATUS_OK);
    assert_true(table_exists && record_exists);
    close_folder(database);
    buffer_free(&out);
}

static void definitions_are_what_import_takes(void **state)
{
    (void)state;
    const char *path = folder_new();
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    struct buffer out = {0};
    struct error error;
    struct target_table table = things_table;
    const struct shape *shapes[] = {&things_shape};
    table.billing = "{ read: 5, write: 6 }";
    assert_int_equal(
        TARGET->check_table(
            database, &(struct check_request){.table = &table, .shapes = shapes, .shape_count = 1},
            &out, &error),
        STATUS_OK);
    assert_buffer(&out, "");
    assert_int_equal(TARGET->prepare(database,
                                     &(struct prepare_request){.tables = &table, .table_count = 1},
                                     &error),
                     STATUS_OK);
    assert_true(table.created);
    read_file(path_of("%s/_transhume/tables/things.json", path), &out);
    const char *throughput =
        "\"ProvisionedThroughput\": {\"ReadCapacityUnits\": 5, \"WriteCapacityUnits\": 6}";
    assert_buffer(
        &out,
        path_of("{\n  \"TableName\": \"things\",\n"
                "  \"KeySchema\": [{\"AttributeName\": \"Pk\", \"KeyType\": \"HASH\"}, "
                "{\"AttributeName\": \"Id\", \"KeyType\": \"RANGE\"}],\n"
                "  \"AttributeDefinitions\": [\n"
                "    {\"AttributeName\": \"Pk\", \"AttributeType\": \"S\"},\n"
                "    {\"AttributeName\": \"Id\", \"AttributeType\": \"N\"},\n"
                "    {\"AttributeName\": \"Name\", \"AttributeType\": \"S\"}\n  ],\n"
                "  \"GlobalSecondaryIndexes\": [\n    {\n"
                "      \"IndexName\": \"by-name\",\n"
                "      \"KeySchema\": [{\"AttributeName\": \"Name\", \"KeyType\": \"HASH\"}],\n"
                "      \"Projection\": {\"ProjectionType\": \"ALL\"},\n      %s\n    }\n  ],\n"
                "  \"BillingMode\": \"PROVISIONED\",\n  %s\n}\n",
                throughput, throughput));
    close_folder(database);
    buffer_free(&out);
}

static void tables_made_by_others_are_not_ours(void **state)
{
    (void)state;
    const char *path = folder_new();
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    struct error error;
    struct target_table table = things_table;
    assert_int_equal(mkdir(path_of("%s/things", path), 0700), 0);
    assert_int_equal(TARGET->prepare(database,
                                     &(struct prepare_request){.tables = &table, .table_count = 1},
                                     &error),
                     STATUS_OK);
    assert_false(table.created);
    close_folder(database);
}

static void only_refuse_is_offered(void **state)
{
    (void)state;
    struct database *database = folder_database(folder_new(), OPEN_TARGET, NULL);
    struct buffer out = {0};
    struct error error;
    struct target_table table = things_table;
    const struct shape *shapes[] = {&things_shape};
    table.existing = EXISTING_UPSERT;
    table.billing = "cheap";
    assert_int_equal(
        TARGET->check_table(
            database, &(struct check_request){.table = &table, .shapes = shapes, .shape_count = 1},
            &out, &error),
        STATUS_OK);
    assert_non_null(strstr(buffer_string(&out), "existing"));
    assert_non_null(strstr(buffer_string(&out), "billing"));
    close_folder(database);
    buffer_free(&out);
}

static void refused_records_come_back(void **state)
{
    (void)state;
    const char *path = folder_new();
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    struct writer *writer = NULL;
    struct batch_result result;
    struct buffer out = {0};
    struct error error;
    run_begin(database, "r1", 1);
    struct batch *batch = things_batch(0);
    thing_add(batch, "", 1, NULL);
    thing_add(batch, "p", 2, "kept");
    thing_add(batch, "p", 3, "\xFF");
    assert_int_equal(TARGET->writer_open(database, &things_table, 1, 1, &writer, &error),
                     STATUS_OK);
    assert_int_equal(TARGET->chunk_begin(writer, 1, 1, &error), STATUS_OK);
    assert_int_equal(TARGET->submit(writer, 1, 0, batch, &error), STATUS_OK);
    assert_int_equal(TARGET->poll(writer, 0, &result, &error), STATUS_OK);
    assert_ptr_equal(result.batch, batch);
    assert_int_equal(result.written, 1);
    assert_int_equal(result.outcome_count, 2);
    assert_int_equal(result.outcomes[0].row, 0);
    assert_int_equal(result.outcomes[0].code, ERROR_REJECT_KEY_NULL);
    assert_non_null(strstr(result.outcomes[0].reason, "Pk"));
    assert_int_equal(result.outcomes[1].row, 2);
    assert_int_equal(result.outcomes[1].code, ERROR_REJECT_TEXT);
    batch_destroy(result.batch);
    arena_destroy(result.arena);
    struct done_mark mark = {.chunk = 1, .epoch = 1, .text = "{}"};
    assert_int_equal(TARGET->commit(writer, 1, &mark, &error), STATUS_OK);
    TARGET->writer_close(writer);
    folder_contents(path, "things", &out);
    assert_buffer(
        &out, "{\"Item\":{\"Pk\":{\"S\":\"p\"},\"Id\":{\"N\":\"2\"},\"Name\":{\"S\":\"kept\"}}}\n");
    assert_int_equal(count_things(database), 1);
    close_folder(database);
    buffer_free(&out);
}

static void files_are_bounded_and_compressed(void **state)
{
    (void)state;
    static const char *const options[] = {"file_bytes=4KiB", "compression=gzip&file_bytes=4KiB",
                                          "compression=zstd&file_bytes=4KiB"};
    struct buffer plain = {0};
    for (int at = 0; at < 3; at++) {
        const char *path = folder_new();
        struct database *database = folder_database(path, OPEN_TARGET, options[at]);
        struct buffer out = {0};
        run_begin(database, "r1", 1);
        chunk_write(database, 1, 1, things_numbered(0, 1, 1000));
        assert_int_equal(count_things(database), 1000);
        folder_contents(path, "things", &out);
        if (at == 0) {
            plain = out;
        } else {
            assert_string_equal(buffer_string(&out), buffer_string(&plain));
            buffer_free(&out);
        }
        struct buffer names = {0};
        folder_names(path_of("%s/things", path), &names);
        size_t files = 0;
        for (size_t byte = 0; byte < names.length; byte++) {
            files += names.data[byte] == '\n';
        }
        assert_true(files > plain.length / 4096 && files < plain.length / 2048);
        char *first = strsep(&(char *){names.data}, "\n");
        struct stat facts;
        assert_int_equal(stat(path_of("%s/things/%s", path, first), &facts), 0);
        assert_true(facts.st_size <= 4096);
        assert_int_equal(facts.st_mode & 0777, 0600);
        buffer_free(&names);
        close_folder(database);
    }
    buffer_free(&plain);
}

static void abandoned_chunks_leave_nothing(void **state)
{
    (void)state;
    const char *path = folder_new();
    struct database *database = folder_database(path, OPEN_TARGET, "file_bytes=4KiB");
    struct writer *writer = NULL;
    struct buffer out = {0};
    struct error error;
    run_begin(database, "r1", 2);
    assert_int_equal(TARGET->writer_open(database, &things_table, 1, 1, &writer, &error),
                     STATUS_OK);
    assert_int_equal(TARGET->chunk_begin(writer, 1, 1, &error), STATUS_OK);
    assert_int_equal(TARGET->chunk_begin(writer, 2, 1, &error), STATUS_OK);
    assert_int_equal(TARGET->submit(writer, 1, 0, things_numbered(0, 1, 500), &error), STATUS_OK);
    assert_int_equal(TARGET->submit(writer, 2, 0, things_numbered(0, 501, 1), &error), STATUS_OK);
    TARGET->chunk_abandon(writer, 1);
    TARGET->writer_close(writer);
    folder_names(path_of("%s/things", path), &out);
    const char *run = path_of("%s/_transhume/run-r1/tmp", path);
    folder_names(run, &out);
    assert_buffer(&out, "");
    chunk_write(database, 1, 1, things_numbered(0, 1, 5));
    assert_int_equal(count_things(database), 5);
    close_folder(database);
    buffer_free(&out);
}

struct many {
    struct database *database;
    int64_t number;
};

static void *write_chunks(void *context)
{
    struct many *many = (struct many *)context;
    for (int64_t at = 0; at < 10; at++) {
        int64_t chunk = many->number * 10 + at + 1;
        chunk_write(many->database, 1, (uint64_t)chunk, things_numbered(0, chunk * 100, 100));
    }
    return NULL;
}

static void writers_work_beside_each_other(void **state)
{
    (void)state;
    const char *path = folder_new();
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    struct many many[4];
    pthread_t threads[4];
    struct ledger_run *run = NULL;
    struct arena *arena = arena_create(0);
    struct error error;
    run_begin(database, "r1", 40);
    for (int at = 0; at < 4; at++) {
        many[at] = (struct many){database, at};
        assert_int_equal(pthread_create(&threads[at], NULL, write_chunks, &many[at]), 0);
    }
    for (int at = 0; at < 4; at++) {
        pthread_join(threads[at], NULL);
    }
    assert_int_equal(count_things(database), 4000);
    assert_int_equal(ledger_load(folder_ledger(database), NULL, arena, &run, &error), STATUS_OK);
    assert_int_equal(run->done_count, 40);
    arena_destroy(arena);
    close_folder(database);
}

/* ---------------------------------------------------------------- ledger */

static void a_run_id_is_no_path(void **state)
{
    (void)state;
    const char *path = folder_new();
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    struct buffer out = {0};
    run_begin(database, "../r2", 1);
    chunk_write(database, 1, 1, things_numbered(0, 1, 5));
    folder_names(path_of("%s/_transhume", path), &out);
    assert_buffer(&out, "ledger.log\nlock\nrun-%2E.%2Fr2\ntables\n");
    assert_int_equal(count_things(database), 5);
    close_folder(database);
    buffer_free(&out);
}

static void what_is_not_marked_is_removed(void **state)
{
    (void)state;
    const char *path = folder_new();
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    struct buffer out = {0};
    run_begin(database, "r1", 3);
    chunk_write(database, 1, 1, things_numbered(0, 1, 5));
    char kept[FOLDER_SEGMENT_NAME_MAX];
    snprintf(kept, sizeof(kept), "%s", segment_name("r1", 1, 0, 0));
    write_file(path_of("%s/things/%s", path, segment_name("r1", 2, 0, 0)), "x\n", 2);
    write_file(path_of("%s/things/%s", path, segment_name("r1", 1, 0, 1)), "x\n", 2);
    write_file(path_of("%s/things/%s", path, segment_name("other", 2, 0, 0)), "x\n", 2);
    write_file(path_of("%s/things/mine.json", path), "x\n", 2);
    write_file(path_of("%s/_transhume/run-r1/tmp/left", path), "x\n", 2);
    close_folder(database);
    database = folder_database(path, OPEN_TARGET, NULL);
    claim_again(database, 1);
    folder_names(path_of("%s/things", path), &out);
    const char *text = buffer_string(&out);
    assert_non_null(strstr(text, kept));
    assert_non_null(strstr(text, segment_name("other", 2, 0, 0)));
    assert_non_null(strstr(text, "mine.json"));
    assert_null(strstr(text, segment_name("r1", 2, 0, 0)));
    assert_null(strstr(text, segment_name("r1", 1, 0, 1)));
    buffer_clear(&out);
    folder_names(path_of("%s/_transhume/run-r1/tmp", path), &out);
    assert_buffer(&out, "");
    close_folder(database);
    buffer_free(&out);
}

static void a_torn_mark_is_not_done(void **state)
{
    (void)state;
    const char *path = folder_new();
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    struct buffer done = {0};
    struct arena *arena = arena_create(0);
    struct ledger_run *run = NULL;
    struct error error;
    run_begin(database, "r1", 2);
    chunk_write(database, 1, 1, things_numbered(0, 1, 5));
    struct stat facts;
    const char *file = path_of("%s/_transhume/ledger.log", path);
    assert_int_equal(stat(file, &facts), 0);
    chunk_write(database, 1, 2, things_numbered(0, 6, 5));
    close_folder(database);
    read_file(file, &done);
    const uint64_t epoch = 2;
    for (size_t length = (size_t)facts.st_size + 1; length < done.length; length += 7) {
        file = path_of("%s/_transhume/ledger.log", path);
        write_file(file, done.data, length);
        database = folder_database(path, OPEN_TARGET, NULL);
        assert_int_equal(ledger_load(folder_ledger(database), NULL, arena, &run, &error),
                         STATUS_OK);
        assert_int_equal(run->done_count, 1);
        claim_again(database, 1);
        assert_int_equal(count_things(database), 5);
        chunk_write(database, epoch, 2, things_numbered(0, 6, 5));
        assert_int_equal(count_things(database), 10);
        close_folder(database);
    }
    arena_destroy(arena);
    buffer_free(&done);
}

static void lost_segments_are_told(void **state)
{
    (void)state;
    const char *path = folder_new();
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    struct buffer text = {0};
    run_begin(database, "r1", 1);
    chunk_write(database, 1, 1, things_numbered(0, 1, 5));
    close_folder(database);
    const char *file = path_of("%s/things/%s", path, segment_name("r1", 1, 0, 0));
    read_file(file, &text);
    database = folder_database(path, OPEN_TARGET, NULL);
    assert_int_equal(unlink(file), 0);
    assert_claim_fails(database, 1, ERROR_LEDGER_INVALID, segment_name("r1", 1, 0, 0));
    close_folder(database);
    database = folder_database(path, OPEN_TARGET, NULL);
    write_file(file, text.data, text.length - 1);
    assert_claim_fails(database, 2, ERROR_LEDGER_INVALID, segment_name("r1", 1, 0, 0));
    close_folder(database);
    database = folder_database(path, OPEN_TARGET, NULL);
    write_file(file, text.data, text.length);
    claim_again(database, 3);
    close_folder(database);
    buffer_free(&text);
}

static void another_attempt_fences(void **state)
{
    (void)state;
    const char *path = folder_new();
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    struct writer *writer = NULL;
    struct batch_result result;
    struct buffer out = {0};
    struct error error;
    struct ledger_holder holder = {0};
    run_begin(database, "r1", 1);
    assert_int_equal(TARGET->writer_open(database, &things_table, 1, 1, &writer, &error),
                     STATUS_OK);
    assert_int_equal(TARGET->chunk_begin(writer, 1, 1, &error), STATUS_OK);
    assert_int_equal(TARGET->submit(writer, 1, 0, things_numbered(0, 1, 5), &error), STATUS_OK);
    assert_int_equal(TARGET->poll(writer, 0, &result, &error), STATUS_OK);
    batch_destroy(result.batch);
    /* somebody removed the lock by hand and claimed */
    assert_int_equal(unlink(path_of("%s/_transhume/lock", path)), 0);
    struct database *other = folder_database(path, OPEN_TARGET, NULL);
    claim_again(other, 1);
    struct done_mark mark = {.chunk = 1, .epoch = 1, .text = "{}"};
    assert_int_equal(TARGET->commit(writer, 1, &mark, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    TARGET->writer_close(writer);
    folder_names(path_of("%s/things", path), &out);
    assert_buffer(&out, "");
    assert_int_equal(ledger_set_status(folder_ledger(database), "r1", 1, "{}", &error),
                     STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    assert_int_equal(ledger_lead(folder_ledger(other), "r1", 1, NULL, &holder, &error),
                     STATUS_AGAIN);
    assert_string_equal(holder.name, "attempt 2");
    chunk_write(other, 2, 1, things_numbered(0, 1, 5));
    assert_int_equal(count_things(other), 5);
    close_folder(database);
    close_folder(other);
    buffer_free(&out);
}

/* The lock is the process's: it is refused while that lives and gone when it is killed. */
static void a_second_process_is_told_the_pid(void **state)
{
    (void)state;
    const char *path = folder_new();
    int ready[2];
    char byte = 0;
    struct ledger_holder holder = {0};
    struct error error;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        run_begin(folder_database(path, OPEN_TARGET, NULL), "r1", 1);
        (void)!write(ready[1], "x", 1);
        for (;;) {
            pause();
        }
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    static const char *const runs[] = {"r1", "r2"};
    for (int at = 0; at < 4; at++) {
        struct ledger_holder before = holder;
        const char *run_id = runs[at / 2];
        assert_int_equal(
            connector_dynamodb_json.lock->take(database, run_id, 1, at % 2 != 0, &holder, &error),
            STATUS_AGAIN);
        assert_string_equal(holder.name, path_of("pid %d", (int)child));
        assert_string_equal(holder.run, at < 2 ? "" : "r1");
        assert_int_equal(ledger_lead(folder_ledger(database), "r1", 1, at % 2 != 0 ? &before : NULL,
                                     &holder, &error),
                         STATUS_AGAIN);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    claim_again(database, 1);
    close_folder(database);
    close(ready[0]);
    close(ready[1]);
}

static void chunks_are_made_not_done_again(void **state)
{
    (void)state;
    const char *path = folder_new();
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    struct arena *arena = arena_create(0);
    struct ledger_run *run = NULL;
    struct error error;
    const uint64_t chunks[] = {3, 1, 2};
    const struct target_table *tables[] = {&things_table};
    run_begin(database, "r1", 3);
    struct ledger *ledger = folder_ledger(database);
    for (uint64_t chunk = 1; chunk <= 3; chunk++) {
        chunk_write(database, 1, chunk, things_numbered(0, (int64_t)chunk * 10, 5));
    }
    assert_int_equal(ledger_reopen(ledger, "r1", 1, chunks, 3, tables, 1, &error), STATUS_OK);
    assert_int_equal(count_things(database), 0);
    assert_true(file_exists(path_of("%s/_transhume/run-r1/emptied/things", path)));
    chunk_write(database, 1, 1, things_numbered(0, 10, 5));
    assert_int_equal(count_things(database), 5);
    assert_false(file_exists(path_of("%s/_transhume/run-r1/emptied", path)));
    assert_int_equal(ledger_load(ledger, NULL, arena, &run, &error), STATUS_OK);
    assert_int_equal(run->done_count, 1);
    /* emptied, and killed before the mark was gone */
    assert_int_equal(TARGET->empty(database, tables, 1, &error), STATUS_OK);
    close_folder(database);
    database = folder_database(path, OPEN_TARGET, NULL);
    ledger = folder_ledger(database);
    claim_again(database, 1);
    assert_int_equal(ledger_reopen(ledger, "r1", 2, chunks, 1, tables, 1, &error), STATUS_OK);
    assert_int_equal(ledger_reopen(ledger, "r1", 7, chunks, 1, tables, 1, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    assert_int_equal(ledger_reopen(ledger, "r1", 2, chunks, 3, tables, 1, &error), STATUS_OK);
    close_folder(database);
    database = folder_database(path, OPEN_TARGET, NULL);
    claim_again(database, 2);
    close_folder(database);
    arena_destroy(arena);
}

/* Every other record of a long chunk refused: as many pieces of ordinals as records. */
static void a_mark_of_many_pieces_comes_back(void **state)
{
    (void)state;
    enum { PIECES = 1200000 };
    const char *path = folder_new();
    struct database *database = folder_database(path, OPEN_TARGET, NULL);
    struct folder *folder = (struct folder *)database;
    struct arena *arena = arena_create(0);
    struct folder_marked marked;
    struct buffer text = {0};
    struct error error;
    struct folder_ordinals *ordinals = calloc(PIECES, sizeof(*ordinals));
    assert_non_null(ordinals);
    for (uint64_t at = 0; at < PIECES; at++) {
        ordinals[at] = (struct folder_ordinals){2 * at, 1};
    }
    run_begin(database, "r1", 3);
    struct folder_segment segment = {.table = "things",
                                     .file = segment_name("r1", 1, 0, 0),
                                     .records = PIECES,
                                     .ordinals = ordinals,
                                     .ordinals_count = PIECES,
                                     .etag = ""};
    folder_done_append(&segment, 1, &text);
    assert_int_equal(folder_done_take(folder, 1, text.data, text.length, &error), STATUS_OK);
    folder_marked_load(folder, "things", arena, &marked);
    assert_int_equal(marked.count, 1);
    assert_int_equal(marked.segments[0].ordinals_count, PIECES);
    assert_int_equal(marked.segments[0].ordinals[PIECES - 1].first, 2 * (PIECES - 1));
    buffer_free(&text);
    close_folder(database);
    arena_destroy(arena);
    free(ordinals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_become_segments),
        cmocka_unit_test(definitions_are_what_import_takes),
        cmocka_unit_test(tables_made_by_others_are_not_ours),
        cmocka_unit_test(only_refuse_is_offered),
        cmocka_unit_test(refused_records_come_back),
        cmocka_unit_test(files_are_bounded_and_compressed),
        cmocka_unit_test(abandoned_chunks_leave_nothing),
        cmocka_unit_test(writers_work_beside_each_other),
        cmocka_unit_test(a_run_id_is_no_path),
        cmocka_unit_test(what_is_not_marked_is_removed),
        cmocka_unit_test(a_torn_mark_is_not_done),
        cmocka_unit_test(lost_segments_are_told),
        cmocka_unit_test(another_attempt_fences),
        cmocka_unit_test(a_second_process_is_told_the_pid),
        cmocka_unit_test(chunks_are_made_not_done_again),
        cmocka_unit_test(a_mark_of_many_pieces_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
