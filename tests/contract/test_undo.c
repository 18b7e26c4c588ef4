/* What takes things out of a target again: rollback, deletion, restoring, forgetting a run; each
 * repeated, and killed at each failpoint on its way. */
#include "base/buffer.h"
#include "scene.h"
#include <stdio.h>

static const char first_run[] = "20260101T000000Z-first";
static const char second_run[] = "20260102T000000Z-second";
static const char third_run[] = "20260103T000000Z-third";

static const struct target_functions *target_of(struct fixture *fixture)
{
    return fixture->target->connector->target;
}

static const struct rollback_functions *rollback_of(struct fixture *fixture)
{
    return fixture->target->connector->rollback;
}

/* A run that makes the table, with ids from 0 on, "old". */
static void make_first(struct fixture *fixture, uint32_t count)
{
    scene_begin_run(fixture, first_run, EXISTING_REFUSE);
    assert_true(fixture->table.created);
    for (uint32_t chunk = 0; chunk < 2 && count > 0; chunk++) {
        scene_write(fixture, chunk + 1, chunk * (count / 2), count / 2, "old");
    }
    scene_end_run(fixture);
}

/* ---- delete_records */

static uint64_t delete_ids(struct fixture *fixture, const int64_t *ids, uint32_t count)
{
    struct error error = {0};
    struct cell keys[8];
    uint64_t deleted = UINT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        struct cell key = cell_int64(ids[i]);
        check_ok(target_of(fixture)->normal_form(fixture->target, &key, fixture->arena, &keys[i],
                                                 &error),
                 &error, "normal form");
    }
    check_ok(target_of(fixture)->delete_records(fixture->target, &fixture->table, keys, count,
                                                &deleted, &error),
             &error, "delete_records");
    return deleted;
}

static bool delete_prepare(struct fixture *fixture)
{
    if (!target_of(fixture)->delete_records) {
        return false;
    }
    make_first(fixture, 8);
    /* as a repair does it: in a run of its own */
    scene_begin_run(fixture, second_run, EXISTING_APPEND);
    scene_end_run(fixture);
    return true;
}

static void delete_act(struct fixture *fixture)
{
    static const int64_t ids[] = {3, 7, 63, 0};
    uint64_t before = fixture_count(fixture);
    uint64_t deleted = delete_ids(fixture, ids, 4);
    assert_int_equal(fixture_count(fixture), before - deleted);
    assert_int_equal(delete_ids(fixture, ids, 4), 0);
}

static void delete_check(struct fixture *fixture)
{
    scene_check_records(fixture, "1=old 2=old 4=old 5=old 6=old");
}

void contract_test_delete_kills(const struct contract_entry *entry)
{
    static const struct scene scene = {.name = "delete_records",
                                       .prepare = delete_prepare,
                                       .act = delete_act,
                                       .check = delete_check};
    scene_play(entry, &scene);
}

/* ---- restore */

static bool restore_prepare(struct fixture *fixture)
{
    if (!target_of(fixture)->restore) {
        return false;
    }
    make_first(fixture, 4);
    return true;
}

static void restore_act(struct fixture *fixture)
{
    struct error error = {0};
    struct cell value = cell_text("again", 5);
    struct batch *batch = fixture_batch(fixture, 2, 3, &value);
    for (uint32_t row = 0; row < 3; row += 2) {
        check_ok(target_of(fixture)->restore(fixture->target, &fixture->table, batch, row, &error),
                 &error, "restore");
    }
    batch_destroy(batch);
}

static void restore_check(struct fixture *fixture)
{
    scene_check_records(fixture, "0=old 1=old 2=again 3=old 4=again");
}

void contract_test_restore(const struct contract_entry *entry)
{
    static const struct scene scene = {
        .name = "restore", .prepare = restore_prepare, .act = restore_act, .check = restore_check};
    scene_play(entry, &scene);
}

/* ---- undo */

static bool can_undo(struct fixture *fixture)
{
    struct error error = {0};
    struct buffer why = {0};
    const struct rollback_functions *rollback = rollback_of(fixture);
    enum status status = rollback->can_undo
                             ? rollback->can_undo(fixture->target, &fixture->table, &why, &error)
                             : STATUS_OK;
    assert_true(status == STATUS_OK || (status == STATUS_END && why.length > 0));
    buffer_free(&why);
    return status == STATUS_OK;
}

/* Where records can be replaced and taken out, somebody changes two and deletes one of those that
 * the run wrote. */
static bool undo_prepare(struct fixture *fixture)
{
    static const int64_t gone = 7;
    const struct rollback_functions *rollback = rollback_of(fixture);
    if (!rollback || !rollback->undo) {
        return false;
    }
    bool replaces = scene_policy_fits(fixture, EXISTING_REPLACE);
    make_first(fixture, 10);
    fixture->table.keeps_undo = !rollback->undoes_all;
    assert_true(can_undo(fixture));
    scene_begin_run(fixture, second_run, replaces ? EXISTING_REPLACE : EXISTING_APPEND);
    assert_false(fixture->table.created);
    scene_write(fixture, 1, replaces ? 5 : 10, 5, "new");
    scene_write(fixture, 2, replaces ? 10 : 15, 5, "new");
    scene_end_run(fixture);
    if (replaces && target_of(fixture)->delete_records) {
        fixture->table.keeps_undo = false;
        scene_begin_run(fixture, third_run, EXISTING_REPLACE);
        scene_write(fixture, 1, 8, 1, "other");
        scene_write(fixture, 2, 12, 1, "other");
        assert_int_equal(delete_ids(fixture, &gone, 1), 1);
        scene_end_run(fixture);
        fixture->table.keeps_undo = true;
    }
    fixture->run_id = second_run;
    return true;
}

/* What a dry run tells is what comes to pass; nothing is left to do after that. */
static void undo_act(struct fixture *fixture)
{
    struct error error = {0};
    struct undo_counts told;
    struct undo_counts done;
    const struct rollback_functions *rollback = rollback_of(fixture);
    uint64_t before = fixture_count(fixture);
    check_ok(rollback->undo(fixture->target, &fixture->table, 0, true, &told, &error), &error,
             "undo, dry run");
    assert_int_equal(fixture_count(fixture), before);
    check_ok(rollback->undo(fixture->target, &fixture->table, 0, false, &done, &error), &error,
             "undo");
    assert_int_equal(done.removed, told.removed);
    assert_int_equal(done.restored, told.restored);
    assert_int_equal(done.changed, told.changed);
    assert_int_equal(done.missing, told.missing);
    assert_int_equal(fixture_count(fixture), before - done.removed);
    if (done.restored + done.changed + done.missing > 0) {
        assert_int_equal(done.removed, 4);
        assert_int_equal(done.restored, 3);
        assert_int_equal(done.changed, 2);
        assert_int_equal(done.missing, 1);
    }
    check_ok(rollback->undo(fixture->target, &fixture->table, 0, false, &done, &error), &error,
             "undo, again");
    assert_int_equal(done.removed + done.restored, 0);
}

static void undo_check(struct fixture *fixture)
{
    bool replaces = scene_policy_fits(fixture, EXISTING_REPLACE);
    scene_check_records(fixture,
                        replaces ? "0=old 1=old 2=old 3=old 4=old 5=old 6=old 8=other 9=old "
                                   "12=other"
                                 : "0=old 1=old 2=old 3=old 4=old 5=old 6=old 7=old 8=old 9=old");
    scene_check_runs(fixture, replaces ? "20260101T000000Z-first 20260102T000000Z-second "
                                         "20260103T000000Z-third"
                                       : "20260101T000000Z-first 20260102T000000Z-second");
}

void contract_test_undo(const struct contract_entry *entry)
{
    static const struct scene scene = {
        .name = "undo", .prepare = undo_prepare, .act = undo_act, .check = undo_check};
    scene_play(entry, &scene);
}

/* ---- undo_deleted */

/* Somebody puts another record under the key of one that was taken out. */
static bool deleted_prepare(struct fixture *fixture)
{
    static const int64_t ids[] = {1, 3, 5, 77};
    const struct rollback_functions *rollback = rollback_of(fixture);
    if (!rollback || !rollback->undo_deleted) {
        return false;
    }
    make_first(fixture, 8);
    fixture->table.keeps_undo = true;
    assert_true(can_undo(fixture));
    scene_begin_run(fixture, second_run, EXISTING_UPSERT);
    assert_int_equal(delete_ids(fixture, ids, 4), 3);
    scene_write(fixture, 1, 7, 1, "new");             /* one that it overwrites */
    scene_write(fixture, 2, 1, 1, "new");             /* and one in the place of what it took out */
    assert_int_equal(delete_ids(fixture, ids, 4), 0); /* as after a crash: its own stays */
    scene_check_records(fixture, "0=old 1=new 2=old 4=old 6=old 7=new");
    scene_end_run(fixture);
    fixture->table.keeps_undo = false;
    scene_begin_run(fixture, third_run, EXISTING_APPEND);
    scene_write(fixture, 1, 5, 1, "other");
    scene_end_run(fixture);
    fixture->table.keeps_undo = true;
    fixture->table.takes_out = true;
    fixture->run_id = second_run;
    return true;
}

static void deleted_act(struct fixture *fixture)
{
    struct error error = {0};
    struct undo_counts told;
    struct undo_counts done;
    const struct rollback_functions *rollback = rollback_of(fixture);
    check_ok(rollback->undo(fixture->target, &fixture->table, 0, false, &done, &error), &error,
             "undo");
    uint64_t before = fixture_count(fixture);
    check_ok(rollback->undo_deleted(fixture->target, &fixture->table, true, &told, &error), &error,
             "undo_deleted, dry run");
    assert_int_equal(fixture_count(fixture), before);
    check_ok(rollback->undo_deleted(fixture->target, &fixture->table, false, &done, &error), &error,
             "undo_deleted");
    assert_int_equal(done.restored, told.restored);
    assert_int_equal(done.changed, told.changed);
    assert_int_equal(done.removed + done.missing, 0);
    if (done.restored > 0) {
        assert_int_equal(done.restored, 1);
        assert_int_equal(done.changed, 1);
    }
    assert_int_equal(fixture_count(fixture), before + done.restored);
}

static void deleted_check(struct fixture *fixture)
{
    scene_check_records(fixture, "0=old 1=old 2=old 3=old 4=old 5=other 6=old 7=old");
}

void contract_test_undo_deleted(const struct contract_entry *entry)
{
    static const struct scene scene = {.name = "undo_deleted",
                                       .prepare = deleted_prepare,
                                       .act = deleted_act,
                                       .check = deleted_check};
    scene_play(entry, &scene);
}

/* ---- remove_table */

static bool remove_prepare(struct fixture *fixture)
{
    if (!rollback_of(fixture)) {
        return false;
    }
    make_first(fixture, 20);
    return true;
}

/* The run made the table: as `prepare` said. */
static void remove_act(struct fixture *fixture)
{
    struct error error = {0};
    struct undo_counts counts = {0};
    const struct rollback_functions *rollback = rollback_of(fixture);
    fixture->table.created = true;
    if (rollback->undoes_all) {
        check_ok(rollback->undo(fixture->target, &fixture->table, 0, false, &counts, &error),
                 &error, "undo");
    }
    if (rollback->can_remove) {
        check_ok(rollback->can_remove(fixture->target, &fixture->table, &error), &error,
                 "can_remove");
    }
    check_ok(rollback->remove_table(fixture->target, &fixture->table, &error), &error,
             "remove_table");
    assert_false(scene_table_exists(fixture));
}

/* A table that somebody makes under the name meanwhile is not the run's. */
static void remove_check(struct fixture *fixture)
{
    struct error error = {0};
    assert_false(scene_table_exists(fixture));
    check_ok(ledger_release(fixture->ledger, fixture->run_id, fixture->epoch, &error), &error,
             "release");
    scene_begin_run(fixture, second_run, EXISTING_REFUSE);
    assert_true(fixture->table.created);
    scene_write(fixture, 1, 0, 3, "new");
    scene_end_run(fixture);
    assert_true(scene_claim(fixture, first_run));
    fixture->table.created = true;
    check_ok(rollback_of(fixture)->remove_table(fixture->target, &fixture->table, &error), &error,
             "remove_table");
    scene_check_records(fixture, "0=new 1=new 2=new");
}

void contract_test_remove_table(const struct contract_entry *entry)
{
    static const struct scene scene = {.name = "remove_table",
                                       .prepare = remove_prepare,
                                       .act = remove_act,
                                       .check = remove_check};
    scene_play(entry, &scene);
}

static bool empty_prepare(struct fixture *fixture)
{
    if (!rollback_of(fixture)) {
        return false;
    }
    make_first(fixture, 0);
    scene_begin_run(fixture, second_run, EXISTING_REFUSE);
    scene_write(fixture, 1, 0, 10, "new");
    scene_end_run(fixture);
    return true;
}

/* It was there and empty: it stays. */
static void empty_act(struct fixture *fixture)
{
    struct error error = {0};
    struct undo_counts counts = {0};
    const struct rollback_functions *rollback = rollback_of(fixture);
    fixture->table.created = false;
    if (rollback->undoes_all) {
        check_ok(rollback->undo(fixture->target, &fixture->table, 0, false, &counts, &error),
                 &error, "undo");
    }
    check_ok(rollback->remove_table(fixture->target, &fixture->table, &error), &error,
             "remove_table");
    assert_int_equal(fixture_count(fixture), 0);
}

static void empty_check(struct fixture *fixture)
{
    assert_true(scene_table_exists(fixture));
    assert_int_equal(fixture_count(fixture), 0);
}

void contract_test_empty_table(const struct contract_entry *entry)
{
    static const struct scene scene = {.name = "remove_table of one that was there",
                                       .prepare = empty_prepare,
                                       .act = empty_act,
                                       .check = empty_check};
    scene_play(entry, &scene);
}

/* ---- forget */

static bool forget_prepare(struct fixture *fixture)
{
    if (!fixture->target->connector->rollback) {
        return false;
    }
    make_first(fixture, 4);
    scene_begin_run(fixture, second_run, EXISTING_APPEND);
    scene_write(fixture, 1, 10, 2, "new");
    scene_end_run(fixture);
    fixture->run_id = first_run;
    return true;
}

static void forget_act(struct fixture *fixture)
{
    struct error error = {0};
    assert_int_equal(
        ledger_forget(fixture->ledger, fixture->run_id, fixture->epoch + 1, false, &error),
        STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    check_ok(ledger_forget(fixture->ledger, fixture->run_id, fixture->epoch, false, &error), &error,
             "forget");
}

/* The other run is as it was; with it goes the ledger, and no record. */
static void forget_check(struct fixture *fixture)
{
    struct error error = {0};
    struct ledger_run *run;
    scene_check_runs(fixture, second_run);
    assert_int_equal(ledger_load(fixture->ledger, first_run, fixture->arena, &run, &error),
                     STATUS_END);
    check_ok(ledger_load(fixture->ledger, NULL, fixture->arena, &run, &error), &error, "load");
    assert_string_equal(run->id, second_run);
    assert_int_equal(run->chunk_count, CONTRACT_CHUNKS);
    assert_int_equal(run->done_count, 1);
    assert_true(scene_claim(fixture, second_run));
    check_ok(ledger_forget(fixture->ledger, second_run, fixture->epoch, false, &error), &error,
             "forget the last");
    scene_check_runs(fixture, "");
    assert_int_equal(ledger_load(fixture->ledger, NULL, fixture->arena, &run, &error), STATUS_END);
    scene_check_records(fixture, "0=old 1=old 2=old 3=old 10=new 11=new");
    fixture_leave(fixture);
    fixture_open_again(fixture);
    scene_begin_run(fixture, third_run, EXISTING_APPEND);
    scene_write(fixture, 1, 20, 1, "third");
    scene_end_run(fixture);
    scene_check_runs(fixture, third_run);
}

void contract_test_forget(const struct contract_entry *entry)
{
    static const struct scene scene = {.name = "forget",
                                       .prepare = forget_prepare,
                                       .act = forget_act,
                                       .check = forget_check,
                                       .ends_run = true};
    scene_play(entry, &scene);
}

/* ---- reopen, set_status, release */

static bool reopen_prepare(struct fixture *fixture)
{
    make_first(fixture, 10);
    return true;
}

static void reopen_act(struct fixture *fixture)
{
    struct error error = {0};
    struct ledger_run *run;
    const uint64_t chunks[] = {1, 2};
    fixture->table.created = true;
    const struct target_table *tables[] = {&fixture->table};
    check_ok(ledger_reopen(fixture->ledger, fixture->run_id, fixture->epoch, chunks, 2, tables, 1,
                           &error),
             &error, "reopen");
    check_ok(ledger_load(fixture->ledger, NULL, fixture->arena, &run, &error), &error, "load");
    assert_int_equal(run->done_count, 0);
}

/* A chunk that has to be done again has left nothing. */
static void reopen_look(struct fixture *fixture)
{
    struct error error = {0};
    struct ledger_run *run;
    check_ok(ledger_load(fixture->ledger, NULL, fixture->arena, &run, &error), &error, "load");
    if (run->done_count < 2) {
        assert_int_equal(fixture_count(fixture), 0);
    }
}

static void reopen_check(struct fixture *fixture)
{
    assert_int_equal(fixture_count(fixture), 0);
}

void contract_test_reopen_kills(const struct contract_entry *entry)
{
    static const struct scene scene = {.name = "reopen",
                                       .prepare = reopen_prepare,
                                       .act = reopen_act,
                                       .check = reopen_check,
                                       .look = reopen_look};
    scene_play(entry, &scene);
}

static void status_act(struct fixture *fixture)
{
    struct error error = {0};
    check_ok(ledger_set_status(fixture->ledger, fixture->run_id, fixture->epoch,
                               "{\"phase\":\"another\"}", &error),
             &error, "set_status");
    assert_int_equal(ledger_set_status(fixture->ledger, fixture->run_id, fixture->epoch + 1,
                                       "{\"phase\":\"wrong\"}", &error),
                     STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
}

static void status_check(struct fixture *fixture)
{
    struct error error = {0};
    struct ledger_run *run;
    check_ok(ledger_load(fixture->ledger, NULL, fixture->arena, &run, &error), &error, "load");
    assert_string_equal(run->status, "{\"phase\":\"another\"}");
    assert_int_equal(run->done_count, 2);
}

void contract_test_status_kills(const struct contract_entry *entry)
{
    static const struct scene scene = {
        .name = "set_status", .prepare = reopen_prepare, .act = status_act, .check = status_check};
    scene_play(entry, &scene);
}
