/* The ledger: whole or absent, claimed once, fenced, reopened; and kill -9 at each of the
 * connector's failpoints. */
#include "base/failpoint.h"
#include "base/file.h"
#include "contract.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

void contract_test_descriptor(const struct contract_entry *entry)
{
    const struct connector *connector = contract_connector(entry);
    assert_non_null(connector);
    assert_int_equal(connector->contract_version, CONNECTOR_CONTRACT_VERSION);
    assert_non_null(connector->title);
    assert_non_null(connector->uri_help);
    assert_true(connector->type_count > 0);
    for (uint32_t i = 0; i < connector->type_count; i++) {
        assert_non_null(connector->types[i].native);
        assert_non_null(connector->types[i].loss);
    }
    for (uint32_t i = 0; i < connector->option_count; i++) {
        assert_non_null(connector->options[i].help);
    }
    for (const char *const *name = connector->failpoints; name && *name; name++) {
        assert_non_null(strchr(*name, '.'));
    }
    if (connector->target) {
        assert_non_null(connector->store);
        bool enforced = connector->capabilities & CAPABILITY_KEY_ENFORCED;
        assert_true(enforced || connector->target->settle_duplicates);
    }
}

/* The engine's text, which the target may have added to. */
static void assert_is_done(const char *text)
{
    static const char added[] = "{\"done\":true,\"target\":{";
    if (strcmp(text, "{\"done\":true}") != 0 && strncmp(text, added, strlen(added)) != 0) {
        fail_msg("a done mark came back as %s", text);
    }
}

void contract_test_ledger(const struct contract_entry *entry)
{
    struct fixture fixture;
    struct error error = {0};
    struct ledger_run *run;
    struct done_mark mark;
    struct cell value = cell_text("v", 1);
    fixture_open(&fixture, entry);
    assert_int_equal(ledger_load(fixture.ledger, NULL, fixture.arena, &run, &error), STATUS_END);
    fixture_begin(&fixture);
    fixture_chunk(&fixture, 2, 0, 5, &value);
    check_ok(ledger_set_status(fixture.ledger, fixture.run_id, 1, "{\"phase\":\"a 'b' \\u00e9\"}",
                               &error),
             &error, "set_status");
    fixture_leave(&fixture);
    fixture_return(&fixture, false);
    check_ok(ledger_load(fixture.ledger, fixture.run_id, fixture.arena, &run, &error), &error,
             "load");
    assert_string_equal(run->id, fixture.run_id);
    assert_string_equal(run->header, "{\"format\":1}");
    assert_string_equal(run->status, "{\"phase\":\"a 'b' \\u00e9\"}");
    assert_int_equal(run->epoch, 1);
    assert_int_equal(run->chunk_count, CONTRACT_CHUNKS);
    for (uint64_t i = 0; i < run->chunk_count; i++) {
        const struct ledger_chunk *chunk = &run->chunks[i];
        assert_int_equal(chunk->number, i + 1);
        assert_int_equal(chunk->stream, i % 2);
        assert_string_equal(chunk->span.printable, "a\n\"b\" 1..2");
        assert_int_equal(chunk->span.bounds_length, i);
        assert_memory_equal(chunk->span.bounds, "\0\1\xff\0x", i);
        assert_int_equal(chunk->span.row_estimate, i == 0 ? -1 : (int64_t)i * 1000);
        if (i == 2) {
            assert_null(chunk->span.last_id);
        } else {
            assert_string_equal(chunk->span.last_id, "last 'id'");
        }
    }
    assert_int_equal(run->done_count, 1);
    assert_int_equal(run->done[0].chunk, 2);
    assert_is_done(run->done[0].text);
    check_ok(ledger_done(fixture.ledger, fixture.run_id, 2, fixture.arena, &mark, &error), &error,
             "done");
    assert_is_done(mark.text);
    assert_int_equal(ledger_done(fixture.ledger, fixture.run_id, 1, fixture.arena, &mark, &error),
                     STATUS_END);
    assert_int_equal(ledger_load(fixture.ledger, "no such run", fixture.arena, &run, &error),
                     STATUS_END);
    struct ledger_holder holder = {0};
    assert_int_not_equal(ledger_lead(fixture.ledger, "no such run", 0, NULL, &holder, &error),
                         STATUS_OK);
    fixture_close(&fixture);
}

/* Opening fails while another process, which is named, has the target open. */
static void assert_refused(struct fixture *fixture, const char *process)
{
    struct error error = {0};
    struct uri *uri;
    const struct connector *connector;
    struct arena *arena = arena_create(0);
    check_ok(registry_resolve(fixture->uri_text, arena, &uri, &connector, &error), &error,
             "resolve");
    const struct open_options options = {.mode = OPEN_TARGET, .uri = uri, .timeout_ms = 5000};
    struct database *target;
    assert_int_equal(connector->open(&options, &target, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_TARGET_LOCKED);
    assert_non_null(strstr(error.message, process));
    arena_destroy(arena);
}

void contract_test_held(const struct contract_entry *entry)
{
    struct fixture fixture;
    int ready[2];
    char byte;
    fixture_open(&fixture, entry);
    fixture_leave(&fixture);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        open("/dev/null", 0);
        struct fixture own = fixture;
        fixture_open_again(&own);
        fixture_begin(&own);
        if (write(ready[1], "r", 1) == 1) {
            pause();
        }
        _exit(0);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    struct error error = {0};
    struct ledger_holder holder = {0};
    char wanted[32];
    snprintf(wanted, sizeof wanted, "%d", (int)child);
    if (entry->opens_once) {
        assert_refused(&fixture, wanted);
    } else {
        fixture_return(&fixture, false);
        assert_int_equal(
            ledger_lead(fixture.ledger, fixture.run_id, fixture.epoch, NULL, &holder, &error),
            STATUS_AGAIN);
        assert_non_null(strstr(holder.name, wanted));
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    if (entry->opens_once) {
        fixture_return(&fixture, false);
    }
    fixture_claim(&fixture); /* after the holder's death */
    fixture_close(&fixture);
}

/* A chunk of five records, up to its mark. */
static enum status try_chunk(struct fixture *fixture, uint64_t chunk, struct error *error)
{
    const struct target_functions *target = fixture->target->connector->target;
    struct cell value = cell_text("v", 1);
    char key[STORE_KEY_BYTES];
    struct done_mark mark = {.chunk = chunk, .epoch = fixture->epoch, .text = "{}", .key = key};
    ledger_mark_key(key, fixture->run_id, chunk);
    enum status status = target->chunk_begin(fixture->writer, chunk, 1, error);
    if (status == STATUS_OK) {
        struct batch *batch = fixture_batch(fixture, 100, 5, &value);
        struct batch_result result;
        status = target->submit(fixture->writer, chunk, 0, batch, error);
        while (status == STATUS_OK || status == STATUS_AGAIN) {
            status = target->poll(fixture->writer, 1000, &result, error);
            if (status == STATUS_OK) {
                batch_destroy(result.batch);
                arena_destroy(result.arena);
            }
        }
    }
    return status == STATUS_END ? target->commit(fixture->writer, chunk, &mark, error) : status;
}

/* The claim is replaced behind this process's back, as by a take-over that it knows nothing of. */
static void replace_claim(struct fixture *fixture)
{
    struct error error = {0};
    struct store *store;
    struct store_value value;
    uint64_t version;
    char key[STORE_KEY_BYTES];
    snprintf(key, sizeof key, "run/%s/leader", fixture->run_id);
    const struct store_functions *functions = fixture->target->connector->store;
    check_ok(functions->open(fixture->target, &store, &error), &error, "open store");
    check_ok(functions->get(store, key, fixture->arena, &value, &error), &error, "get");
    check_ok(functions->put_if(store, key, "{\"format\":3,\"epoch\":7}", 22, value.version,
                               &version, &error),
             &error, "put");
    functions->close(store);
}

/* It may not commit any more, nor say anything of the run. */
void contract_test_fence(const struct contract_entry *entry)
{
    struct fixture fixture;
    struct error error = {0};
    struct cell value = cell_text("v", 1);
    fixture_open(&fixture, entry);
    if (fixture.target->connector->store == NULL) {
        fixture_close(&fixture);
        return;
    }
    fixture_begin(&fixture);
    fixture_chunk(&fixture, 1, 0, 10, &value);
    replace_claim(&fixture);
    if (ledger_has_lease(fixture.ledger)) {
        assert_int_equal(ledger_renew(fixture.ledger, &error), STATUS_FAILED);
        assert_int_equal(error.code, ERROR_RUN_FENCED);
    }
    if (ledger_has_lease(fixture.ledger) || !ledger_marks_apart(fixture.ledger)) {
        assert_int_equal(try_chunk(&fixture, 2, &error), STATUS_FAILED);
        assert_int_equal(error.code, ERROR_RUN_FENCED);
        fixture.target->connector->target->chunk_abandon(fixture.writer, 2);
    }
    struct ledger_run *run;
    check_ok(ledger_load(fixture.ledger, NULL, fixture.arena, &run, &error), &error, "load");
    assert_int_equal(run->epoch, 7);
    assert_int_equal(run->done_count, 1);
    fixture_close(&fixture);
}

void contract_test_reopen(const struct contract_entry *entry)
{
    struct fixture fixture;
    struct error error = {0};
    struct cell value = cell_text("v", 1);
    struct ledger_run *run;
    fixture_open(&fixture, entry);
    fixture_begin(&fixture);
    fixture_chunk(&fixture, 1, 0, 10, &value);
    fixture_chunk(&fixture, 2, 10, 10, &value);
    fixture_leave(&fixture);
    fixture_return(&fixture, true);
    assert_true(fixture.table.created);
    const struct connector *connector = fixture.target->connector;
    uint64_t chunks[] = {1, 2};
    const struct target_table *tables[] = {&fixture.table};
    connector->target->writer_close(fixture.writer);
    fixture.writer = NULL;
    check_ok(
        ledger_reopen(fixture.ledger, fixture.run_id, fixture.epoch, chunks, 2, tables, 1, &error),
        &error, "reopen");
    assert_int_equal(fixture_count(&fixture), 0);
    check_ok(ledger_load(fixture.ledger, NULL, fixture.arena, &run, &error), &error, "load");
    assert_int_equal(run->done_count, 0);
    check_ok(connector->target->writer_open(fixture.target, &fixture.table, 1, fixture.epoch,
                                            &fixture.writer, &error),
             &error, "writer_open");
    fixture_chunk(&fixture, 1, 0, 7, &value);
    assert_int_equal(fixture_count(&fixture), 7);
    fixture_close(&fixture);
}

/* ---- kills */

static void note_id(void *context, int64_t id, const struct cell *value)
{
    (void)value;
    ((uint8_t *)context)[id]++;
}

/* In a child: three chunks of ten records, with the failpoint armed. */
static void write_until_killed(struct fixture *fixture, const char *failpoint, int occurrence)
{
    struct error error = {0};
    struct cell value = cell_text("v", 1);
    char setting[128];
    snprintf(setting, sizeof setting, "%s:kill:%d", failpoint, occurrence);
    setenv("TRANSHUME_FAILPOINT", setting, 1);
    if (failpoint_setup(&error) != STATUS_OK) {
        _exit(9);
    }
    fixture_begin(fixture);
    for (uint64_t chunk = 1; chunk <= 3; chunk++) {
        fixture_chunk(fixture, chunk, (int64_t)(chunk - 1) * 10, 10, &value);
    }
    fixture->target->connector->target->after_load(
        fixture->target, &(struct after_load_request){.tables = &fixture->table, .table_count = 1},
        &error);
    _exit(0);
}

static bool kill_once(const struct contract_entry *entry, const char *failpoint, int occurrence)
{
    struct fixture fixture;
    struct error error = {0};
    struct cell value = cell_text("v", 1);
    fixture_open(&fixture, entry);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        write_until_killed(&fixture, failpoint, occurrence);
    }
    int status;
    waitpid(child, &status, 0);
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!killed && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        fail_msg("%s at %s:%d ended with status %x", entry->name, failpoint, occurrence,
                 (unsigned)status);
    }
    fixture_leave(&fixture);
    struct fixture again = fixture;
    fixture_open_again(&again);
    struct ledger_run *run;
    enum status loaded = ledger_load(again.ledger, NULL, again.arena, &run, &error);
    if (loaded == STATUS_END) {
        fixture_begin(&again);
        run = NULL;
    } else {
        check_ok(loaded, &error, "load after a kill");
        assert_int_equal(run->chunk_count, CONTRACT_CHUNKS);
        fixture_leave(&again);
        fixture_return(&again, true);
        check_ok(ledger_load(again.ledger, NULL, again.arena, &run, &error), &error, "load");
    }
    uint8_t ids[64] = {0};
    if (run && run->done_count > 0) {
        fixture_read(&again, 100, note_id, ids);
    }
    bool done[4] = {false};
    for (uint64_t i = 0; run && i < run->done_count; i++) {
        uint64_t chunk = run->done[i].chunk;
        if (chunk < 1 || chunk > 3) {
            fail_msg("%s:%d: a done mark of chunk %d", failpoint, occurrence, (int)chunk);
            break;
        }
        done[chunk] = true;
        for (int id = 0; id < 10; id++) {
            if (ids[(chunk - 1) * 10 + (uint64_t)id] != 1) {
                fail_msg("%s:%d: chunk %d is marked done and record %d is there %d times",
                         failpoint, occurrence, (int)chunk, id,
                         ids[(chunk - 1) * 10 + (uint64_t)id]);
            }
        }
    }
    for (uint64_t chunk = 1; chunk <= 3; chunk++) {
        if (!done[chunk]) {
            fixture_chunk(&again, chunk, (int64_t)(chunk - 1) * 10, 10, &value);
        }
    }
    check_ok(again.target->connector->target->after_load(
                 again.target,
                 &(struct after_load_request){.tables = &again.table, .table_count = 1}, &error),
             &error, "after_load");
    uint8_t final[64] = {0};
    fixture_read(&again, 100, note_id, final);
    for (int id = 0; id < 30; id++) {
        if (final[id] != 1) {
            fail_msg("%s:%d: record %d is there %d times after the resume", failpoint, occurrence,
                     id, final[id]);
        }
    }
    assert_int_equal(fixture_count(&again), 30);
    fixture_close(&again);
    return killed;
}

static uint32_t kill_at_first_three(const struct contract_entry *entry, const char *failpoint)
{
    uint32_t kills = 0;
    /* what is not reached twice is not reached three times */
    while (kills < 3 && kill_once(entry, failpoint, (int)kills + 1)) {
        kills++;
    }
    return kills;
}

/*
 * At each failpoint of the connector and of the ledger: at its first three occurrences in a soak,
 * else at one of them in turn, where the seed begins.
 */
static uint32_t kill_at_each(const struct contract_entry *entry, const char *const *names)
{
    const char *seed = getenv("TRANSHUME_SEED");
    unsigned long turn = seed ? strtoul(seed, NULL, 10) : 0;
    bool all = getenv("TRANSHUME_SOAK") != NULL;
    uint32_t kills = 0;
    for (; names != NULL && *names != NULL; names++, turn++) {
        if (!contract_reaches(contract_connector(entry), *names)) {
            continue;
        }
        int occurrence = (int)(turn % 3) + 1;
        if (all) {
            kills += kill_at_first_three(entry, *names);
        } else {
            kills += kill_once(entry, *names, occurrence) ||
                     (occurrence > 1 && kill_once(entry, *names, 1));
        }
    }
    return kills;
}

void contract_test_kills(const struct contract_entry *entry)
{
    const struct connector *connector = contract_connector(entry);
    uint32_t kills = 0;
    const char *const *names[] = {connector->failpoints, run_failpoints()};
    for (int list = 0; list < 2; list++) {
        kills += kill_at_each(entry, names[list]);
    }
    print_message("%s: %u kills\n", entry->name, kills);
    assert_true(kills > 3);
}
