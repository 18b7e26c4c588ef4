/* Every failpoint of DynamoDB-JSON folders: killed there, or failed there, a run ends with the same
 * files. */
#include "support_dynamodb.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "connectors/dynamodb/json/json.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TARGET (connector_dynamodb_json.target)

enum { CHUNKS = 3, RECORDS = 60 };

/* One attempt at a whole run: what is done already is left alone. */
struct attempt {
    const char *path;
    bool reopen; /* makes all chunks not done once all are */
    struct database *database;
    struct arena *arena;
    struct ledger_run *run;
    uint64_t epoch;
    struct error *error;
};

static enum status ignore_found(void *context, uint64_t chunk, uint32_t entity, uint64_t ordinal,
                                const struct cell *key, uint32_t key_count,
                                const struct cell *record, enum duplicate_kind kind,
                                struct error *error)
{
    (void)context;
    (void)chunk;
    (void)kind;
    (void)entity;
    (void)ordinal;
    (void)key;
    (void)key_count;
    (void)record;
    (void)error;
    return STATUS_OK;
}

static enum status create_and_claim(struct attempt *attempt)
{
    struct ledger_chunk chunks[CHUNKS];
    struct ledger_holder holder = {0};
    for (uint64_t at = 0; at < CHUNKS; at++) {
        chunks[at] = (struct ledger_chunk){
            .number = at + 1,
            .span = {.printable = "p", .bounds = (const uint8_t *)"b", .bounds_length = 1}};
    }
    struct ledger *ledger = folder_ledger(attempt->database);
    const struct ledger_new_run run = {.id = "r1",
                                       .header = "{}",
                                       .status = "{\"phase\":\"prepared\"}",
                                       .chunks = chunks,
                                       .chunk_count = CHUNKS,
                                       .tables = &things_table.name,
                                       .table_count = 1};
    const char *other;
    const char *table;
    enum status status = ledger_load(ledger, NULL, attempt->arena, &attempt->run, attempt->error);
    if (status == STATUS_END) {
        status = ledger_create(ledger, &run, attempt->arena, &other, &table, attempt->error);
        if (status == STATUS_OK) {
            status = ledger_load(ledger, NULL, attempt->arena, &attempt->run, attempt->error);
        }
    }
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    attempt->epoch = attempt->run->epoch + 1;
    return ledger_lead(ledger, "r1", attempt->run->epoch, NULL, &holder, attempt->error) ==
                   STATUS_OK
               ? STATUS_OK
               : STATUS_FAILED;
}

static bool is_done(const struct attempt *attempt, uint64_t chunk)
{
    for (uint64_t at = 0; at < attempt->run->done_count; at++) {
        if (attempt->run->done[at].chunk == chunk) {
            return true;
        }
    }
    return false;
}

static enum status write_one(struct attempt *attempt, uint64_t chunk)
{
    struct writer *writer = NULL;
    struct batch_result result;
    struct done_mark mark = {.chunk = chunk, .epoch = attempt->epoch, .text = "{}"};
    enum status status = TARGET->writer_open(attempt->database, &things_table, 1, attempt->epoch,
                                             &writer, attempt->error);
    if (status == STATUS_OK) {
        status = TARGET->chunk_begin(writer, chunk, 1, attempt->error);
    }
    if (status == STATUS_OK) {
        /* each chunk repeats one key of the one before */
        status = TARGET->submit(writer, chunk, 0,
                                things_numbered(0, (int64_t)(chunk * (RECORDS - 1)), RECORDS),
                                attempt->error);
    }
    if (status == STATUS_OK) {
        status = TARGET->poll(writer, 0, &result, attempt->error);
    }
    if (status == STATUS_OK) {
        batch_destroy(result.batch);
        status = commit_and_mark(attempt->database, writer, &mark, attempt->error);
    }
    TARGET->writer_close(writer);
    return status;
}

static enum status write_chunks(struct attempt *attempt)
{
    for (uint64_t chunk = 1; chunk <= CHUNKS; chunk++) {
        if (!is_done(attempt, chunk) && write_one(attempt, chunk) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status reopen_all(struct attempt *attempt)
{
    uint64_t chunks[CHUNKS];
    const struct target_table *const tables[] = {&things_table};
    for (uint64_t at = 0; at < CHUNKS; at++) {
        chunks[at] = at + 1;
    }
    struct ledger *ledger = folder_ledger(attempt->database);
    if (ledger_reopen(ledger, "r1", attempt->epoch, chunks, CHUNKS, tables, 1, attempt->error) !=
            STATUS_OK ||
        ledger_load(ledger, NULL, attempt->arena, &attempt->run, attempt->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return write_chunks(attempt);
}

static enum status go_through(struct attempt *attempt)
{
    struct target_table table = things_table;
    const struct target_table *tables = &things_table;
    struct error *error = attempt->error;
    struct ledger *ledger = folder_ledger(attempt->database);
    /* emptied and killed before all marks were gone: the engine starts over, too */
    char emptied[256];
    snprintf(emptied, sizeof(emptied), "%s/_transhume/run-r1/emptied", attempt->path);
    bool again = file_exists(emptied);
    if (create_and_claim(attempt) != STATUS_OK ||
        TARGET->prepare(attempt->database,
                        &(struct prepare_request){.tables = &table, .table_count = 1},
                        error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!table.created) {
        return error_set(error, ERROR_INTERNAL, NULL, "the table is not the run's own");
    }
    if (ledger_set_status(ledger, "r1", attempt->epoch, "{\"phase\":\"copying\"}", error) !=
            STATUS_OK ||
        (again ? reopen_all(attempt) : write_chunks(attempt)) != STATUS_OK ||
        (attempt->reopen && reopen_all(attempt) != STATUS_OK) ||
        TARGET->after_load(attempt->database,
                           &(struct after_load_request){.tables = tables, .table_count = 1},
                           error) != STATUS_OK ||
        TARGET->settle_duplicates(attempt->database, tables, ignore_found, NULL, error) !=
            STATUS_OK ||
        ledger_set_status(ledger, "r1", attempt->epoch, "{\"phase\":\"completed\"}", error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    return ledger_release(ledger, "r1", attempt->epoch, error);
}

static enum status attempt_run(const char *path, bool reopen, struct error *error)
{
    struct attempt attempt = {.path = path, .reopen = reopen, .error = error};
    attempt.database = folder_database(path, OPEN_TARGET, "file_bytes=2KiB");
    attempt.arena = arena_create(0);
    error_clear(error);
    enum status status = go_through(&attempt);
    arena_destroy(attempt.arena);
    close_folder(attempt.database);
    return status;
}

/* Each record once, the first of its key, and no file of an attempt that failed. */
static void assert_complete(const char *path, const char *when)
{
    static struct buffer expected;
    struct buffer out = {0};
    struct buffer names = {0};
    folder_contents(path, "things", &out);
    folder_names(path_of("%s/_transhume/run-r1/tmp", path), &names);
    if (expected.length == 0) {
        assert_int_equal(attempt_run(folder_new(), false, &(struct error){0}), STATUS_OK);
        int64_t first = RECORDS - 1;
        for (int64_t id = first; id < first + CHUNKS * (RECORDS - 1) + 1; id++) {
            buffer_format(&expected,
                          "{\"Item\":{\"Pk\":{\"S\":\"pk\"},\"Id\":{\"N\":\"%lld\"},"
                          "\"Name\":{\"S\":\"name %lld\"}}}\n",
                          (long long)id, (long long)id);
        }
    }
    if (strcmp(buffer_string(&out), buffer_string(&expected)) != 0 || names.length > 0) {
        fail_msg("%s: other contents:\n%s%s", when, buffer_string(&out), buffer_string(&names));
    }
    buffer_free(&out);
    buffer_free(&names);
}

/* A segment that no mark names, for the sweep to find. */
static void leave_behind(const char *path)
{
    char tag[FOLDER_TAG_LENGTH + 1];
    char name[FOLDER_SEGMENT_NAME_MAX];
    struct error error;
    folder_tag("r1", tag);
    folder_segment_name(&dynamodb_folder_format, tag, 3, 9, 0, FOLDER_PLAIN, name);
    assert_int_equal(file_make_folder(path_of("%s/other", path), &error), STATUS_OK);
    write_file(path_of("%s/other/%s", path, name), "left\n", 5);
}

static void set_failpoint(const char *text)
{
    struct error error;
    if (text != NULL) {
        setenv("TRANSHUME_FAILPOINT", text, 1);
    } else {
        unsetenv("TRANSHUME_FAILPOINT");
    }
    assert_int_equal(failpoint_setup(&error), STATUS_OK);
}

/* True: the failpoint was reached that often, and the child is dead of it. */
static bool attempt_in_child(const char *path, const char *failpoint, const char *action,
                             int occurrence)
{
    struct error error;
    int ended = 0;
    pid_t child = fork();
    if (child == 0) {
        set_failpoint(path_of("%s:%s:%d", failpoint, action, occurrence));
        _exit(attempt_run(path, true, &error) == STATUS_OK ? 0 : 7);
    }
    assert_int_equal(waitpid(child, &ended, 0), child);
    if (WIFEXITED(ended) && WEXITSTATUS(ended) == 0) {
        return false;
    }
    bool killed = WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL;
    bool failed = WIFEXITED(ended) && WEXITSTATUS(ended) == 7;
    assert_true(strcmp(action, "kill") == 0 ? killed : failed);
    return true;
}

static bool is_of_others(const char *name)
{
    return strstr(name, "compact") != NULL || strcmp(name, "files.after_aside") == 0 ||
           strcmp(name, "files.after_keep") == 0 || strcmp(name, "files.after_notes") == 0 ||
           strstr(name, "undo") != NULL || strstr(name, "forget") != NULL ||
           strstr(name, "remove_table") != NULL || strstr(name, "_apply") != NULL ||
           strstr(name, "_complete") != NULL || strcmp(name, "files.change_written") == 0 ||
           strncmp(name, "s3.", 3) == 0;
}

static void every_failpoint(const char *action)
{
    struct error error;
    for (const char *const *name = connector_dynamodb_json.failpoints; *name != NULL; name++) {
        int occurrence = 1;
        if (is_of_others(*name)) {
            continue; /* test_folder_store, system/test_rollback_folders, test_repair_folders,
                         test_follow_files and test_s3_target */
        }
        for (;; occurrence++) {
            const char *path = folder_new();
            leave_behind(path);
            if (!attempt_in_child(path, *name, action, occurrence)) {
                break;
            }
            const char *when = path_of("%s:%s:%d", *name, action, occurrence);
            if (attempt_run(path, false, &error) != STATUS_OK && error.code != ERROR_RUN_FINISHED) {
                fail_msg("%s: %s: %s", when, error.object, error.message);
            }
            assert_complete(path, when);
        }
        if (occurrence == 1) {
            fail_msg("%s was never reached", *name);
        }
    }
}

static void killed_anywhere_a_run_ends_alike(void **state)
{
    (void)state;
    every_failpoint("kill");
}

static void failed_anywhere_a_run_ends_alike(void **state)
{
    (void)state;
    every_failpoint("error");
}

/* A commit that fails in between, then the chunk again in the same process. */
static void a_chunk_is_repeated_in_the_same_process(void **state)
{
    (void)state;
    static const char *const points[] = {"files.before_sync:error:2", "files.before_rename:retry:2",
                                         "files.after_rename:error:2", "files.after_part:error:3"};
    for (int at = 0; at < 4; at++) {
        struct error error;
        const char *path = folder_new();
        struct attempt attempt = {.path = path, .error = &error};
        struct target_table table = things_table;
        attempt.database = folder_database(path, OPEN_TARGET, "file_bytes=2KiB");
        attempt.arena = arena_create(0);
        assert_int_equal(create_and_claim(&attempt), STATUS_OK);
        assert_int_equal(
            TARGET->prepare(attempt.database,
                            &(struct prepare_request){.tables = &table, .table_count = 1}, &error),
            STATUS_OK);
        set_failpoint(points[at]);
        int failures = 0;
        for (uint64_t chunk = 1; chunk <= CHUNKS; chunk++) {
            while (write_one(&attempt, chunk) != STATUS_OK) {
                assert_int_equal(++failures, 1);
                set_failpoint(NULL);
            }
        }
        assert_int_equal(failures, 1);
        set_failpoint(NULL);
        assert_int_equal(
            TARGET->settle_duplicates(attempt.database, &things_table, ignore_found, NULL, &error),
            STATUS_OK);
        assert_complete(path, points[at]);
        arena_destroy(attempt.arena);
        close_folder(attempt.database);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_anywhere_a_run_ends_alike),
        cmocka_unit_test(failed_anywhere_a_run_ends_alike),
        cmocka_unit_test(a_chunk_is_repeated_in_the_same_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
