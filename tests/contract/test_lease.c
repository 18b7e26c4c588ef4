/* Leases and what a take-over needs of a target; targets that need no lease pass at once. */
#include "connectors/common/lease.h"
#include "model/canonical.h"
#include "scene.h"
#include <stdlib.h>
#include <unistd.h>

static bool has_lease(struct fixture *fixture)
{
    bool needed = (fixture->target->capabilities & CAPABILITY_TRANSACTIONS) == 0;
    if (fixture->target->lease_ms == 0) {
        return false;
    }
    assert_true(needed);
    return true;
}

static enum status claim(struct fixture *fixture, const struct ledger_holder *replaces,
                         struct ledger_holder *found, struct error *error)
{
    return ledger_lead(fixture->ledger, fixture->run_id, fixture->epoch, replaces, found, error);
}

static enum status renew(struct fixture *fixture, struct error *error)
{
    return ledger_renew(fixture->ledger, error);
}

/* One batch, sent or not; the chunk is given up, unless nothing is sent before its commit. */
static enum status try_to_write(struct fixture *fixture, uint64_t chunk, struct error *error)
{
    const struct target_functions *target = fixture->target->connector->target;
    const struct done_mark mark = {
        .chunk = chunk, .epoch = fixture->epoch, .text = "{\"done\":true}"};
    struct cell value = cell_text("late", 4);
    enum status status = target->chunk_begin(fixture->writer, chunk, 1, error);
    if (status == STATUS_OK) {
        status = target->submit(fixture->writer, chunk, 0, fixture_batch(fixture, 500, 5, &value),
                                error);
    }
    while (status == STATUS_OK || status == STATUS_AGAIN) {
        struct batch_result result;
        status = target->poll(fixture->writer, 1000, &result, error);
        if (status == STATUS_OK) {
            batch_destroy(result.batch);
            arena_destroy(result.arena);
        }
    }
    status = status == STATUS_END ? STATUS_OK : status;
    if (status == STATUS_OK && fixture->entry->sends_at_commit) {
        status = target->commit(fixture->writer, chunk, &mark, error);
    }
    target->chunk_abandon(fixture->writer, chunk);
    return status;
}

/* A second process, as far as the target can see. */
static void open_other(const struct fixture *fixture, struct fixture *other)
{
    *other = *fixture;
    other->writer = NULL;
    fixture_return(other, false);
}

void contract_test_lease(const struct contract_entry *entry)
{
    struct fixture fixture;
    struct fixture other;
    struct error error = {0};
    struct cell value = cell_text("v", 1);
    fixture_open(&fixture, entry);
    if (!has_lease(&fixture)) {
        fixture_close(&fixture);
        return;
    }
    int64_t before = lease_clock_ms();
    fixture_begin(&fixture);
    int64_t end = atomic_load(&fixture.target->report.lease_end_ms);
    assert_true(end >= before + fixture.target->lease_ms);
    assert_true(end <= lease_clock_ms() + fixture.target->lease_ms);
    fixture_chunk(&fixture, 1, 0, 10, &value);

    open_other(&fixture, &other);
    struct ledger_holder first = {0};
    assert_int_equal(claim(&other, NULL, &first, &error), STATUS_AGAIN);
    assert_int_equal(first.pid, getpid());
    assert_int_equal(first.lease_ms, fixture.target->lease_ms);
    assert_true(first.since_us > 0);
    assert_false(ledger_holder_is_gone(&first));
    check_ok(renew(&fixture, &error), &error, "renew");
    assert_true(atomic_load(&fixture.target->report.lease_end_ms) >= end);
    struct ledger_holder second = {0};
    assert_int_equal(claim(&other, &first, &second, &error), STATUS_AGAIN); /* it is alive */
    assert_int_not_equal(second.renewals, first.renewals);
    check_ok(claim(&other, &second, &second, &error), &error, "take over");
    other.epoch++;

    assert_int_equal(renew(&fixture, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    assert_int_equal(try_to_write(&fixture, 2, &error), STATUS_FAILED);
    assert_true(error.code == ERROR_LEASE_SHORT || error.code == ERROR_RUN_FENCED);
    assert_int_equal(fixture_count(&other), 10);
    fixture_leave(&fixture);
    check_ok(ledger_release(other.ledger, other.run_id, other.epoch, &error), &error, "release");
    check_ok(claim(&other, NULL, &second, &error), &error, "claim what nobody holds");
    fixture_close(&other);
}

/* A process that was stopped wakes when its lease is over: it asks before it writes. */
void contract_test_lease_over(const struct contract_entry *entry)
{
    struct fixture fixture;
    struct error error = {0};
    fixture_open(&fixture, entry);
    if (!has_lease(&fixture)) {
        fixture_close(&fixture);
        return;
    }
    fixture_begin(&fixture);
    atomic_store(&fixture.target->report.lease_end_ms, lease_clock_ms() - 1);
    assert_int_equal(try_to_write(&fixture, 1, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_LEASE_SHORT);
    assert_int_equal(error.class, ERROR_CLASS_RETRY);
    assert_int_equal(fixture_count(&fixture), 0);
    check_ok(renew(&fixture, &error), &error, "renew: nobody took the run over");
    check_ok(try_to_write(&fixture, 1, &error), &error, "write");
    assert_int_equal(fixture_count(&fixture), 5);

    const struct target_functions *target = fixture.target->connector->target;
    struct done_mark mark = {.chunk = 2, .epoch = fixture.epoch, .text = "{\"done\":true}"};
    check_ok(target->chunk_begin(fixture.writer, 2, 1, &error), &error, "chunk_begin");
    atomic_store(&fixture.target->report.lease_end_ms, lease_clock_ms() - 1);
    assert_int_equal(target->commit(fixture.writer, 2, &mark, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_LEASE_SHORT);
    target->chunk_abandon(fixture.writer, 2);
    fixture_close(&fixture);
}

static const struct cell *field(const struct cell *map, const char *name)
{
    assert_int_equal(map->kind, VALUE_MAP);
    for (uint32_t i = 0; i < map->length; i++) {
        const struct cell *pair = &map->items[2 * (size_t)i];
        if (pair->length == strlen(name) && memcmp(pair->text, name, pair->length) == 0) {
            return pair + 1;
        }
    }
    fail_msg("a fetched record has no %s", name);
    return NULL;
}

static void assert_same(struct fixture *fixture, const struct cell *made, const struct cell *stored)
{
    struct buffer scratch = {0};
    struct canonical_hash hashes[2];
    const struct cell *cells[2] = {made, stored};
    for (int i = 0; i < 2; i++) {
        struct error error = {0};
        struct cell normal;
        check_ok(fixture->target->connector->target->normal_form(fixture->target, cells[i],
                                                                 fixture->arena, &normal, &error),
                 &error, "normal form");
        check_ok(canonical_hash_cells(&normal, 1, &scratch, &hashes[i], &error), &error, "hash");
    }
    buffer_free(&scratch);
    assert_memory_equal(&hashes[0], &hashes[1], sizeof hashes[0]);
}

static void fetch_and_check(struct fixture *fixture, const int64_t *ids, uint32_t count,
                            const struct cell *value, uint32_t expected)
{
    struct error error = {0};
    struct cell keys[8];
    struct batch *batch = NULL;
    for (uint32_t i = 0; i < count; i++) {
        struct cell key = cell_int64(ids[i]);
        check_ok(fixture->target->connector->target->normal_form(fixture->target, &key,
                                                                 fixture->arena, &keys[i], &error),
                 &error, "normal form");
    }
    check_ok(fixture->target->connector->target->fetch(fixture->target, &fixture->table, keys,
                                                       count, &batch, &error),
             &error, "fetch");
    assert_null(batch->shape);
    assert_int_equal(batch->row_count, expected);
    for (uint32_t row = 0; row < batch->row_count; row++) {
        assert_same(fixture, value, field(batch_row(batch, row), "value"));
        field(batch_row(batch, row), "id");
    }
    batch_destroy(batch);
}

void contract_test_fetch(const struct contract_entry *entry)
{
    struct fixture fixture;
    struct cell old = cell_text("old", 3);
    struct cell new = cell_text("new", 3);
    const int64_t ids[] = {3, 7, 99, 0};
    fixture_open(&fixture, entry);
    fixture_begin(&fixture);
    if (fixture.target->connector->target->fetch == NULL) {
        fixture_close(&fixture);
        return;
    }
    fetch_and_check(&fixture, ids, 4, &old, 0);
    fixture_chunk(&fixture, 1, 0, 10, &old);
    fetch_and_check(&fixture, ids, 4, &old, 3);
    fetch_and_check(&fixture, ids + 2, 1, &old, 0);
    if ((fixture.target->capabilities & CAPABILITY_TRANSACTIONS) == 0) {
        fixture_chunk_again(&fixture, 1, 0, 10, &new);
        fetch_and_check(&fixture, ids, 4, &new, 3);
    }
    fixture_close(&fixture);
}

static void mark_seen(void *context, int64_t id, const struct cell *value)
{
    bool *seen = context;
    (void)value;
    assert_true(id >= 0 && id < 10);
    assert_false(seen[id]);
    seen[id] = true;
}

static uint64_t delete_ids(struct fixture *fixture, const int64_t *ids, uint32_t count)
{
    struct error error = {0};
    struct cell keys[8];
    uint64_t deleted = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct cell key = cell_int64(ids[i]);
        check_ok(fixture->target->connector->target->normal_form(fixture->target, &key,
                                                                 fixture->arena, &keys[i], &error),
                 &error, "normal form");
    }
    check_ok(fixture->target->connector->target->delete_records(fixture->target, &fixture->table,
                                                                keys, count, &deleted, &error),
             &error, "delete_records");
    return deleted;
}

void contract_test_delete(const struct contract_entry *entry)
{
    struct fixture fixture;
    struct cell old = cell_text("old", 3);
    const int64_t ids[] = {3, 7, 99, 0};
    bool seen[10] = {false};
    fixture_open(&fixture, entry);
    fixture_begin(&fixture);
    if (fixture.target->connector->target->delete_records == NULL) {
        fixture_close(&fixture);
        return;
    }
    assert_int_equal(delete_ids(&fixture, ids, 4), 0);
    fixture_chunk(&fixture, 1, 0, 10, &old);
    scene_end_run(&fixture);
    /* as a repair does it: what the claimed run itself wrote may be left alone */
    scene_begin_run(&fixture, "20260102T000000Z-repair", EXISTING_APPEND);
    assert_int_equal(delete_ids(&fixture, ids, 4), 3);
    assert_int_equal(delete_ids(&fixture, ids, 4), 0);
    assert_int_equal(delete_ids(&fixture, ids, 0), 0);
    fixture_read(&fixture, 10, mark_seen, seen);
    for (int id = 0; id < 10; id++) {
        assert_int_equal(seen[id], id != 3 && id != 7 && id != 0);
    }
    fixture_close(&fixture);
}
