/* The ledger's state machine over a store in memory whose writes can be made to fail at any point,
 * to lose their answers or to lie. */
#include "base/clock.h"
#include "base/memory.h"
#include "connectors/common/lease.h"
#include "engine/ledger/ledger.h"
#include "engine/ledger/ledger_memory.h"
#include "engine/ledger/ledger_positions.h"
#include "engine/ledger/ledger_workers.h"
#include "support.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a database that is nothing but a store */

static struct {
    struct store *store;
    _Atomic long writes; /* carried out or not */
    long crash_at;       /* from this write on everything fails; 0: never */
    bool crash_after;    /* and that write is carried out */
    bool lose_answers;   /* every write is carried out twice, as a client does that got no answer */
    bool lie;            /* versions come back one too high */
} fake;

static bool crashed(void)
{
    return fake.crash_at > 0 && fake.writes >= fake.crash_at;
}

static enum status failed(struct error *error)
{
    return error_set(error, ERROR_NETWORK, "fake", "the process is dead");
}

static enum status fake_open(struct database *self, struct store **store, struct error *error)
{
    (void)self;
    (void)error;
    *store = fake.store;
    return STATUS_OK;
}

static enum status fake_put_if(struct store *store, const char *key, const char *text,
                               size_t length, uint64_t expected, uint64_t *version,
                               struct error *error)
{
    fake.writes++;
    if (crashed() && !(fake.writes == fake.crash_at && fake.crash_after)) {
        return failed(error);
    }
    enum status status =
        memory_store_functions.put_if(store, key, text, length, expected, version, error);
    if (fake.lose_answers && status == STATUS_OK) {
        status = memory_store_functions.put_if(store, key, text, length, expected, version, error);
    }
    if (crashed()) {
        return failed(error);
    }
    *version += fake.lie;
    return status;
}

static enum status fake_delete_if(struct store *store, const char *key, uint64_t expected,
                                  struct error *error)
{
    fake.writes++;
    if (crashed() && !(fake.writes == fake.crash_at && fake.crash_after)) {
        return failed(error);
    }
    enum status status = memory_store_functions.delete_if(store, key, expected, error);
    return crashed() ? failed(error) : status;
}

static enum status fake_drop(struct store *store, struct error *error)
{
    fake.writes++;
    if (crashed() && !(fake.writes == fake.crash_at && fake.crash_after)) {
        return failed(error);
    }
    enum status status = memory_store_functions.drop(store, error);
    return crashed() ? failed(error) : status;
}

static enum status fake_identity(struct database *self, struct arena *arena, const char **identity,
                                 struct error *error)
{
    (void)self;
    (void)error;
    *identity = arena_copy_string(arena, "fake");
    return STATUS_OK;
}

static struct store_functions fake_store;
static const struct target_functions fake_target = {0};
static const struct connector fake_connector = {
    .name = "fake", .identity = fake_identity, .target = &fake_target, .store = &fake_store};
static struct database database;

static void begin(void)
{
    fake_store = memory_store_functions;
    fake_store.open = fake_open;
    fake_store.put_if = fake_put_if;
    fake_store.delete_if = fake_delete_if;
    fake_store.drop = fake_drop;
    database = (struct database){.connector = &fake_connector, .lease_ms = 60000};
    memset(&fake, 0, sizeof(fake));
    fake.store = memory_store_create();
}

static void end(void)
{
    memory_store_destroy(fake.store);
}

/* As another process would: nothing but the store is shared. */
static struct ledger *process(void)
{
    struct ledger *ledger = NULL;
    struct error error = {0};
    fake.crash_at = 0;
    assert_int_equal(ledger_open(&database, &database, &ledger, &error), STATUS_OK);
    return ledger;
}

enum { CHUNKS = 900 };

static void fill_chunks(struct ledger_chunk *chunks, uint32_t count)
{
    static _Thread_local uint8_t bounds[CHUNKS];
    for (uint32_t i = 0; i < count; i++) {
        bounds[i] = (uint8_t)(i * 7);
        chunks[i] = (struct ledger_chunk){.number = i + 1,
                                          .stream = i % 3,
                                          .span = {.printable = "a \"b\" 1..2",
                                                   .bounds = i % 5 == 0 ? NULL : bounds,
                                                   .bounds_length = i % 5 == 0 ? 0u : i,
                                                   .row_estimate = i == 0 ? -1 : (int64_t)i * 1000,
                                                   .last_id = i % 2 == 0 ? NULL : "last 'id'"}};
    }
}

static enum status create(struct ledger *ledger, const char *id, const char *table,
                          uint32_t chunk_count, struct error *error)
{
    static _Thread_local struct ledger_chunk chunks[CHUNKS];
    const char *other;
    const char *busy;
    const char *const tables[] = {table, "Shared"};
    struct arena *arena = arena_create(0);
    fill_chunks(chunks, chunk_count);
    const struct ledger_new_run run = {.id = id,
                                       .header = "{\"format\":1}",
                                       .status = "{\"phase\":\"prepared\"}",
                                       .chunks = chunks,
                                       .chunk_count = chunk_count,
                                       .tables = tables,
                                       .table_count = 1};
    enum status status = ledger_create(ledger, &run, arena, &other, &busy, error);
    arena_destroy(arena);
    return status;
}

static void must_create(struct ledger *ledger, const char *id, const char *table, uint32_t chunks)
{
    struct error error = {0};
    enum status status = create(ledger, id, table, chunks, &error);
    if (status != STATUS_OK) {
        fail_msg("create ended with %d: %s", (int)status, error.message);
    }
}

static void must_lead(struct ledger *ledger, const char *id, uint64_t old_epoch)
{
    struct error error = {0};
    struct ledger_holder found;
    enum status status = ledger_lead(ledger, id, old_epoch, NULL, &found, &error);
    if (status != STATUS_OK) {
        fail_msg("lead ended with %d: %s %s", (int)status, error.message, found.name);
    }
}

static void must_complete(struct ledger *ledger, const char *id, uint64_t epoch)
{
    struct error error = {0};
    assert_int_equal(ledger_set_status(ledger, id, epoch, "{\"phase\":\"completed\"}", &error),
                     STATUS_OK);
    assert_int_equal(ledger_release(ledger, id, epoch, &error), STATUS_OK);
}

/* ---- runs */

static void a_run_is_read_back_as_it_was_written(void **state)
{
    struct error error = {0};
    struct ledger_run *run;
    struct arena *arena = arena_create(0);
    struct ledger_chunk chunks[CHUNKS];
    char *header = memory_allocate(200001);
    (void)state;
    begin();
    struct ledger *ledger = process();
    memset(header, 'h', 200000);
    for (size_t i = 0; i + 2 < 200000; i += 2) {
        memcpy(header + i, "\xc3\xa4", 2); /* so that pieces have to end between bytes */
    }
    header[200000] = '\0';
    fill_chunks(chunks, CHUNKS);
    const char *tables[] = {"Track",
                            "tr\xc3\xa4"
                            "ck / \"2\"",
                            ""};
    const struct ledger_new_run made = {.id = "first",
                                        .header = header,
                                        .status = "{\"phase\":\"prepared\"}",
                                        .chunks = chunks,
                                        .chunk_count = CHUNKS,
                                        .tables = tables,
                                        .table_count = 3};
    const char *other;
    const char *table;
    assert_int_equal(ledger_load(ledger, NULL, arena, &run, &error), STATUS_END);
    assert_int_equal(ledger_create(ledger, &made, arena, &other, &table, &error), STATUS_OK);
    assert_int_equal(ledger_load(ledger, NULL, arena, &run, &error), STATUS_OK);
    assert_string_equal(run->id, "first");
    assert_string_equal(run->header, header);
    assert_string_equal(run->status, made.status);
    assert_int_equal(run->epoch, 0);
    assert_int_equal(run->chunk_count, CHUNKS);
    for (uint32_t i = 0; i < CHUNKS; i++) {
        const struct span *wanted = &chunks[i].span;
        const struct span *got = &run->chunks[i].span;
        assert_int_equal(run->chunks[i].number, i + 1);
        assert_int_equal(run->chunks[i].stream, i % 3);
        assert_int_equal(got->row_estimate, wanted->row_estimate);
        assert_string_equal(got->printable, wanted->printable);
        assert_int_equal(got->bounds_length, wanted->bounds_length);
        if (wanted->bounds_length > 0) {
            assert_memory_equal(got->bounds, wanted->bounds, wanted->bounds_length);
        }
        assert_int_equal(got->last_id == NULL, wanted->last_id == NULL);
    }
    assert_int_equal(ledger_load(ledger, "no such run", arena, &run, &error), STATUS_END);
    ledger_close(ledger);
    arena_destroy(arena);
    free(header);
    end();
}

static void runs_over_other_tables_live_side_by_side(void **state)
{
    struct error error = {0};
    struct ledger_run *run;
    const char *other = NULL;
    const char *table = NULL;
    struct arena *arena = arena_create(0);
    const char *const same[] = {"tRACK"};
    (void)state;
    begin();
    struct ledger *one = process();
    struct ledger *two = process();
    must_create(one, "one", "Track", 3);
    must_create(two, "two", "Album", 3);
    assert_int_equal(create(two, "three", "track", 3, &error), STATUS_AGAIN);
    assert_int_equal(ledger_find_conflict(two, same, 1, arena, &other, &table, &error), STATUS_OK);
    assert_string_equal(other, "one");
    must_lead(one, "one", 0);
    must_lead(two, "two", 0);
    must_complete(one, "one", 1);
    /* what a finished run held is taken over, and the newest that is open is loaded */
    must_create(one, "three", "track", 3);
    assert_int_equal(ledger_load(one, NULL, arena, &run, &error), STATUS_OK);
    assert_string_equal(run->id, "three");
    must_lead(one, "three", 0);
    must_complete(one, "three", 1);
    assert_int_equal(ledger_load(one, NULL, arena, &run, &error), STATUS_OK);
    assert_string_equal(run->id, "two");
    /* the first one is led again, to be rolled back, unless an open run holds its table */
    must_lead(one, "one", 1);
    assert_int_equal(ledger_release(one, "one", 2, &error), STATUS_OK);
    must_create(one, "four", "TRACK", 3);
    struct ledger_holder found;
    assert_int_equal(ledger_lead(one, "one", 2, NULL, &found, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_HELD);
    const char **ids;
    uint32_t count;
    assert_int_equal(ledger_list(one, arena, &ids, &count, &error), STATUS_OK);
    assert_int_equal(count, 4);
    assert_string_equal(ids[0], "one");
    assert_string_equal(ids[3], "four");
    ledger_close(one);
    ledger_close(two);
    arena_destroy(arena);
    end();
}

/* ---- claims */

static void a_claim_is_taken_over_as_it_was_seen(void **state)
{
    struct error error = {0};
    struct ledger_holder found;
    (void)state;
    begin();
    struct ledger *one = process();
    struct ledger *two = process();
    must_create(one, "run", "Track", 3);
    must_lead(one, "run", 0);
    assert_int_equal(ledger_lead(two, "run", 0, NULL, &found, &error), STATUS_AGAIN);
    assert_true(found.pid > 0);
    struct ledger_holder seen = found;
    assert_int_equal(ledger_renew(one, &error), STATUS_OK);
    /* it moved since */
    assert_int_equal(ledger_lead(two, "run", 1, &seen, &found, &error), STATUS_AGAIN);
    seen = found;
    assert_int_equal(ledger_lead(two, "run", 0, &seen, &found, &error), STATUS_AGAIN);
    assert_int_equal(ledger_lead(two, "run", 1, &seen, &found, &error), STATUS_OK);
    assert_int_equal(ledger_renew(one, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    assert_int_equal(ledger_set_status(one, "run", 1, "{\"phase\":\"late\"}", &error),
                     STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    const uint64_t chunk = 1;
    assert_int_equal(ledger_reopen(one, "run", 1, &chunk, 1, NULL, 0, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    assert_int_equal(ledger_set_status(two, "run", 2, "{\"phase\":\"copying\"}", &error),
                     STATUS_OK);
    assert_int_equal(ledger_release(one, "run", 1, &error), STATUS_OK);
    assert_int_equal(ledger_lead(one, "run", 2, NULL, &found, &error), STATUS_AGAIN);
    assert_int_equal(ledger_release(two, "run", 2, &error), STATUS_OK);
    must_lead(one, "run", 2);
    ledger_close(one);
    ledger_close(two);
    end();
}

static void marks_are_put_once_and_reopened(void **state)
{
    struct error error = {0};
    struct done_mark found;
    struct ledger_run *run;
    struct store *store;
    struct arena *arena = arena_create(0);
    (void)state;
    begin();
    struct ledger *ledger = process();
    must_create(ledger, "run", "Track", 5);
    must_lead(ledger, "run", 0);
    assert_int_equal(ledger_open_store(ledger, &store, &error), STATUS_OK);
    struct done_mark mark = {.chunk = 4, .epoch = 1, .text = "{\"chunk\":4}"};
    assert_int_equal(ledger_done(ledger, "run", 4, arena, &found, &error), STATUS_END);
    assert_int_equal(ledger_mark(ledger, store, "run", &mark, &error), STATUS_OK);
    assert_int_equal(ledger_mark(ledger, store, "run", &mark, &error), STATUS_OK);
    mark.text = "{\"chunk\":4,\"other\":1}";
    assert_int_equal(ledger_mark(ledger, store, "run", &mark, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    assert_int_equal(ledger_done(ledger, "run", 4, arena, &found, &error), STATUS_OK);
    assert_string_equal(found.text, "{\"chunk\":4}");
    assert_int_equal(ledger_load(ledger, "run", arena, &run, &error), STATUS_OK);
    assert_int_equal(run->done_count, 1);
    assert_int_equal(run->done[0].chunk, 4);
    const uint64_t chunk = 4;
    assert_int_equal(ledger_reopen(ledger, "run", 1, &chunk, 1, NULL, 0, &error), STATUS_OK);
    assert_int_equal(ledger_reopen(ledger, "run", 1, &chunk, 1, NULL, 0, &error), STATUS_OK);
    assert_int_equal(ledger_load(ledger, "run", arena, &run, &error), STATUS_OK);
    assert_int_equal(run->done_count, 0);
    ledger_close_store(ledger, store);
    ledger_close(ledger);
    arena_destroy(arena);
    end();
}

static void lost_answers_change_nothing(void **state)
{
    struct error error = {0};
    struct arena *arena = arena_create(0);
    struct ledger_run *run;
    (void)state;
    begin();
    struct ledger *ledger = process();
    fake.lose_answers = true;
    must_create(ledger, "run", "Track", CHUNKS);
    must_lead(ledger, "run", 0);
    assert_int_equal(ledger_renew(ledger, &error), STATUS_OK);
    struct done_mark mark = {.chunk = 1, .epoch = 1, .text = "{}"};
    assert_int_equal(ledger_mark(ledger, fake.store, "run", &mark, &error), STATUS_OK);
    assert_int_equal(ledger_load(ledger, "run", arena, &run, &error), STATUS_OK);
    assert_int_equal(run->epoch, 1);
    must_complete(ledger, "run", 1);
    must_lead(ledger, "run", 1);
    assert_int_equal(ledger_forget(ledger, "run", 2, false, &error), STATUS_OK);
    assert_int_equal(ledger_load(ledger, NULL, arena, &run, &error), STATUS_END);
    ledger_close(ledger);
    arena_destroy(arena);
    end();
}

/* ---- what is not as it should be */

static void a_store_that_lies_is_found_out(void **state)
{
    struct error error = {0};
    (void)state;
    begin();
    struct ledger *ledger = process();
    fake.lie = true;
    assert_int_equal(create(ledger, "run", "Track", 3, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_LEDGER_INVALID);
    ledger_close(ledger);
    end();
}

static void damage_is_refused(void **state)
{
    static const struct {
        const char *key;
        const char *text; /* NULL: the key is deleted */
        enum error_code code;
    } cases[] = {
        {"run/run/head", NULL, ERROR_LEDGER_INVALID},
        {"run/run/head", "{\"format\":4}", ERROR_FORMAT_NEWER},
        {"run/run/head", "{\"format\":2}", ERROR_FORMAT_OLDER},
        {"run/run/head", "{", ERROR_LEDGER_INVALID},
        {"run/run/status", NULL, ERROR_LEDGER_INVALID},
        {"run/run/leader", NULL, ERROR_LEDGER_INVALID},
        {"run/run/leader", "{\"format\":3}", ERROR_LEDGER_INVALID},
        {"run/run/header/000000", NULL, ERROR_LEDGER_INVALID},
        {"run/run/header/000000", "{\"format\":3}", ERROR_LEDGER_INVALID},
        {"run/run/chunks/00000001", NULL, ERROR_LEDGER_INVALID},
        {"run/run/chunks/00000001", "{\"format\":3,\"chunks\":[]}", ERROR_LEDGER_INVALID},
        {"run/run/done/0000009999", "{}", ERROR_LEDGER_INVALID},
        {"run/run/done/x", "{}", ERROR_LEDGER_INVALID},
        {"runs/0000000000000001", "{\"format\":4,\"run\":\"run\"}", ERROR_FORMAT_NEWER},
        {"runs/x", "{\"format\":3,\"run\":\"x\"}", ERROR_LEDGER_INVALID},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct error error = {0};
        struct ledger_run *run;
        struct store_value value = {0};
        uint64_t version;
        struct arena *arena = arena_create(0);
        begin();
        struct ledger *ledger = process();
        must_create(ledger, "run", "Track", CHUNKS);
        (void)!fake_store.get(fake.store, cases[i].key, arena, &value, &error);
        assert_int_equal(cases[i].text == NULL
                             ? fake_store.delete_if(fake.store, cases[i].key, value.version, &error)
                             : fake_store.put_if(fake.store, cases[i].key, cases[i].text,
                                                 strlen(cases[i].text), value.version, &version,
                                                 &error),
                         STATUS_OK);
        if (ledger_load(ledger, NULL, arena, &run, &error) != STATUS_FAILED ||
            error.code != cases[i].code) {
            fail_msg("%s = %s: %s", cases[i].key, cases[i].text, error.message);
        }
        ledger_close(ledger);
        arena_destroy(arena);
        end();
    }
}

/* ---- kills */

static uint32_t count_runs(struct ledger *ledger)
{
    struct error error = {0};
    const char **ids;
    uint32_t count = 0;
    struct arena *arena = arena_create(0);
    assert_int_equal(ledger_list(ledger, arena, &ids, &count, &error), STATUS_OK);
    arena_destroy(arena);
    return count;
}

/* After a crash at any write of `create` there is all of the run or nothing, and the table is not
 * blocked by a run that does not exist. */
static void a_killed_creation_leaves_all_or_nothing(void **state)
{
    (void)state;
    for (int after = 0; after < 2; after++) {
        bool through = false;
        for (long at = 1; !through; at++) {
            struct error error = {0};
            struct ledger_run *run;
            struct arena *arena = arena_create(0);
            begin();
            struct ledger *ledger = process();
            fake.crash_at = at;
            fake.crash_after = after;
            through = create(ledger, "first", "Track", 20, &error) == STATUS_OK;
            ledger_close(ledger);
            ledger = process();
            enum status status = ledger_load(ledger, NULL, arena, &run, &error);
            if (status == STATUS_OK) {
                assert_int_equal(run->chunk_count, 20);
                must_lead(ledger, "first", 0);
                must_complete(ledger, "first", 1);
            } else {
                assert_int_equal(status, STATUS_END);
                assert_false(through);
            }
            must_create(ledger, "second", "Track", 5);
            must_lead(ledger, "second", 0);
            ledger_close(ledger);
            arena_destroy(arena);
            end();
        }
    }
}

/* With another run beside it, or as the last one. */
static void a_killed_removal_is_repeated(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        bool through = false;
        for (long at = 1; !through; at++) {
            struct error error = {0};
            struct ledger_run *run;
            struct arena *arena = arena_create(0);
            begin();
            struct ledger *ledger = process();
            must_create(ledger, "run", "Track", 20);
            if (variant & 2) {
                must_create(ledger, "other", "Album", 5);
            }
            must_lead(ledger, "run", 0);
            fake.crash_at = fake.writes + at;
            fake.crash_after = variant & 1;
            through = ledger_forget(ledger, "run", 1, false, &error) == STATUS_OK;
            ledger_close(ledger);
            ledger = process();
            enum status status = ledger_load(ledger, "run", arena, &run, &error);
            if (status == STATUS_OK) {
                struct ledger_holder found;
                assert_int_equal(ledger_lead(ledger, "run", 1, NULL, &found, &error), STATUS_AGAIN);
                assert_int_equal(ledger_lead(ledger, "run", 1, &found, &found, &error), STATUS_OK);
                assert_int_equal(ledger_forget(ledger, "run", 2, false, &error), STATUS_OK);
            } else {
                assert_int_equal(status, STATUS_END);
                assert_int_equal(ledger_tidy(ledger, false, &error), STATUS_OK);
            }
            assert_int_equal(count_runs(ledger), variant & 2 ? 1 : 0);
            must_create(ledger, "next", "Track", 3);
            must_lead(ledger, "next", 0);
            assert_int_equal(ledger_forget(ledger, "next", 1, false, &error), STATUS_OK);
            if (variant & 2) {
                must_lead(ledger, "other", 0);
                assert_int_equal(ledger_forget(ledger, "other", 1, false, &error), STATUS_OK);
            }
            struct store_value value;
            assert_int_equal(fake_store.get(fake.store, "closing", arena, &value, &error),
                             STATUS_END);
            ledger_close(ledger);
            arena_destroy(arena);
            end();
        }
    }
}

/* Runs are made and removed by several processes at once: each that was made is there until it is
 * removed, and no two are over one table. */
enum { RACERS = 4 };

static void *race(void *argument)
{
    unsigned number = (unsigned)(uintptr_t)argument;
    struct error error = {0};
    struct ledger *ledger = NULL;
    struct database own = database;
    assert_int_equal(ledger_open(&own, &own, &ledger, &error), STATUS_OK);
    for (unsigned i = 0; i < 60; i++) {
        char id[32];
        char table[32];
        struct ledger_holder found;
        snprintf(id, sizeof(id), "run-%u-%u", number, i);
        snprintf(table, sizeof(table), "t%u", (number + i) % 2);
        enum status status = create(ledger, id, table, 3, &error);
        if (status == STATUS_AGAIN || (status == STATUS_FAILED && error.code == ERROR_RUN_HELD)) {
            continue;
        }
        if (status != STATUS_OK || ledger_lead(ledger, id, 0, NULL, &found, &error) != STATUS_OK ||
            ledger_set_status(ledger, id, 1, "{\"phase\":\"copying\"}", &error) != STATUS_OK ||
            ledger_forget(ledger, id, 1, false, &error) != STATUS_OK) {
            fail_msg("%s: %s", id, error.message);
        }
    }
    ledger_close(ledger);
    return NULL;
}

static void processes_that_make_and_remove_runs_at_once(void **state)
{
    pthread_t threads[RACERS];
    (void)state;
    begin();
    for (uintptr_t i = 0; i < RACERS; i++) {
        pthread_create(&threads[i], NULL, race, (void *)i);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
    }
    struct ledger *ledger = process();
    assert_int_equal(count_runs(ledger), 0);
    ledger_close(ledger);
    end();
}

/* ---- workers */

static void mark_lot(struct ledger_worker *worker, const struct ledger_lot *lot, uint32_t count,
                     uint32_t *marked)
{
    struct error error = {0};
    for (uint32_t i = 0; i < count; i++) {
        char text[32];
        uint64_t chunk = lot->first + i;
        if (lot->done[i]) {
            continue;
        }
        snprintf(text, sizeof(text), "{\"worker\":%u}", ledger_worker_number(worker));
        const struct done_mark mark = {.chunk = chunk, .epoch = 1, .text = text};
        assert_int_equal(ledger_mark_chunk(worker, &mark, &error), STATUS_OK);
        marked[chunk]++;
    }
}

static void workers_share_a_run_and_outlive_each_other(void **state)
{
    enum { COUNT = 100, LOT = 8 };
    struct error error = {0};
    struct ledger_worker *one;
    struct ledger_worker *two;
    struct ledger_lot lot;
    uint32_t marked[COUNT + 1] = {0};
    struct arena *arena = arena_create(0);
    (void)state;
    begin();
    database.lease_ms = 50;
    struct ledger *first = process();
    struct ledger *second = process();
    must_create(first, "run", "Track", COUNT);
    assert_int_equal(ledger_join(first, "no such run", &one, &error), STATUS_END);
    assert_int_equal(ledger_join(first, "run", &one, &error), STATUS_OK);
    assert_int_equal(ledger_join(second, "run", &two, &error), STATUS_OK);
    assert_int_equal(ledger_worker_number(two), 2);
    /* the first one stops in the middle of its second lot */
    assert_int_equal(ledger_claim_chunks(one, COUNT, LOT, arena, &lot, &error), STATUS_OK);
    mark_lot(one, &lot, lot.count, marked);
    assert_int_equal(ledger_claim_chunks(two, COUNT, LOT, arena, &lot, &error), STATUS_OK);
    assert_int_equal(lot.first, LOT + 1);
    mark_lot(two, &lot, lot.count, marked);
    assert_int_equal(ledger_claim_chunks(one, COUNT, LOT, arena, &lot, &error), STATUS_OK);
    mark_lot(one, &lot, 3, marked);
    enum status status;
    uint32_t waits = 0;
    while ((status = ledger_claim_chunks(two, COUNT, LOT, arena, &lot, &error)) != STATUS_END) {
        assert_int_not_equal(status, STATUS_FAILED);
        assert_int_equal(ledger_renew_worker(two, &error), STATUS_OK);
        if (status == STATUS_AGAIN) {
            waits++;
            clock_sleep_ms(10);
        } else {
            mark_lot(two, &lot, lot.count, marked);
        }
    }
    assert_true(waits > 0);
    for (uint32_t i = 1; i <= COUNT; i++) {
        assert_int_equal(marked[i], 1);
    }
    /* it wakes up */
    const struct done_mark late = {.chunk = 2 * LOT + 5, .epoch = 1, .text = "{\"late\":1}"};
    assert_int_equal(ledger_mark_chunk(one, &late, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    ledger_leave(one);
    ledger_leave(two);
    ledger_close(first);
    ledger_close(second);
    arena_destroy(arena);
    end();
}

/* Whoever wrote the ledger: no number in it is taken for a size. */
static void numbers_of_claims_are_bounded(void **state)
{
    static const char *const claims[] = {
        "{\"format\":3,\"worker\":4294967295,\"epoch\":1,\"count\":8}",
        "{\"format\":3,\"worker\":0,\"epoch\":1,\"count\":8}",
        "{\"format\":3,\"worker\":1,\"epoch\":1,\"count\":4294967295}",
        "{\"format\":3,\"worker\":1,\"epoch\":1,\"count\":11}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        struct error error = {0};
        struct ledger_worker *worker;
        struct ledger_lot lot;
        uint64_t version;
        struct arena *arena = arena_create(0);
        begin();
        struct ledger *ledger = process();
        must_create(ledger, "run", "Track", 10);
        assert_int_equal(ledger_join(ledger, "run", &worker, &error), STATUS_OK);
        assert_int_equal(memory_store_functions.put_if(fake.store, "run/run/claim/0000000001",
                                                       claims[i], strlen(claims[i]), STORE_ABSENT,
                                                       &version, &error),
                         STATUS_OK);
        assert_int_equal(ledger_claim_chunks(worker, 10, 4, arena, &lot, &error), STATUS_FAILED);
        assert_int_equal(error.code, ERROR_LEDGER_INVALID);
        ledger_leave(worker);
        ledger_close(ledger);
        arena_destroy(arena);
        end();
    }
}

/* ---- positions and intents */

static void positions_and_intents_are_kept(void **state)
{
    struct error error = {0};
    struct ledger_position one;
    struct ledger_position two;
    const char *text;
    struct arena *arena = arena_create(0);
    (void)state;
    begin();
    struct ledger *ledger = process();
    struct store *store;
    assert_int_equal(ledger_open_store(ledger, &store, &error), STATUS_OK);
    assert_int_equal(ledger_get_position(ledger, store, "feed \xc3\xa4", 7, arena, &one, &error),
                     STATUS_END);
    two = one;
    one.bytes = (const uint8_t *)"\0\1\xff";
    one.length = 3;
    one.epoch = 4;
    assert_int_equal(ledger_put_position(ledger, store, "feed \xc3\xa4", 7, &one, &error),
                     STATUS_OK);
    assert_int_equal(ledger_put_position(ledger, store, "feed \xc3\xa4", 7, &one, &error),
                     STATUS_OK);
    two.bytes = (const uint8_t *)"x";
    two.length = 1;
    assert_int_equal(ledger_put_position(ledger, store, "feed \xc3\xa4", 7, &two, &error),
                     STATUS_AGAIN);
    assert_int_equal(ledger_get_position(ledger, store, "feed \xc3\xa4", 7, arena, &two, &error),
                     STATUS_OK);
    assert_int_equal(two.length, 3);
    assert_memory_equal(two.bytes, "\0\1\xff", 3);
    assert_int_equal(two.epoch, 4);
    assert_int_equal(ledger_get_intent(ledger, "run", "drop x", arena, &text, &error), STATUS_END);
    assert_int_equal(ledger_put_intent(ledger, "run", "drop x", "{\"a\":1}", &error), STATUS_OK);
    assert_int_equal(ledger_put_intent(ledger, "run", "drop x", "{\"a\":2}", &error), STATUS_OK);
    assert_int_equal(ledger_get_intent(ledger, "run", "drop x", arena, &text, &error), STATUS_OK);
    assert_string_equal(text, "{\"a\":2}");
    assert_int_equal(ledger_delete_intent(ledger, "run", "drop x", &error), STATUS_OK);
    assert_int_equal(ledger_get_intent(ledger, "run", "drop x", arena, &text, &error), STATUS_END);
    ledger_close(ledger);
    arena_destroy(arena);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_read_back_as_it_was_written),
        cmocka_unit_test(runs_over_other_tables_live_side_by_side),
        cmocka_unit_test(a_claim_is_taken_over_as_it_was_seen),
        cmocka_unit_test(marks_are_put_once_and_reopened),
        cmocka_unit_test(lost_answers_change_nothing),
        cmocka_unit_test(a_store_that_lies_is_found_out),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(a_killed_creation_leaves_all_or_nothing),
        cmocka_unit_test(a_killed_removal_is_repeated),
        cmocka_unit_test(processes_that_make_and_remove_runs_at_once),
        cmocka_unit_test(workers_share_a_run_and_outlive_each_other),
        cmocka_unit_test(numbers_of_claims_are_bounded),
        cmocka_unit_test(positions_and_intents_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
