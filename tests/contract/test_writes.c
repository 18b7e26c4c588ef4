/* Writing: rejects, existing records, abandoned and interleaved chunks, odd names, duplicates,
 * spans. */
#include "contract.h"
#include <stdio.h>
#include <stdlib.h>

struct seen {
    uint8_t counts[4096];
    uint32_t total;
};

static void note_row(void *context, int64_t id, const struct cell *value)
{
    struct seen *seen = context;
    (void)value;
    assert_true(id >= 0 && id < 4096);
    seen->counts[id]++;
    seen->total++;
}

static void assert_each_once(struct fixture *fixture, uint64_t rows_a_span, uint32_t first,
                             uint32_t end)
{
    struct seen seen = {0};
    fixture_read(fixture, rows_a_span, note_row, &seen);
    for (uint32_t i = first; i < end; i++) {
        if (seen.counts[i] != 1) {
            fail_msg("record %u was read %d times in spans of %d rows", i, seen.counts[i],
                     (int)rows_a_span);
        }
    }
    assert_int_equal(seen.total, end - first);
}

void contract_test_spans(const struct contract_entry *entry)
{
    static const uint64_t sizes[] = {1, 2, 7, 100, 999, 1000, 1001, 100000};
    struct fixture fixture;
    fixture_open(&fixture, entry);
    fixture_begin(&fixture);
    struct cell value = cell_text("v", 1);
    assert_each_once(&fixture, 10, 0, 0);
    assert_int_equal(fixture_chunk(&fixture, 1, 0, 500, &value).written, 500);
    assert_int_equal(fixture_chunk(&fixture, 2, 500, 500, &value).written, 500);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_each_once(&fixture, sizes[i], 0, 1000);
    }
    assert_int_equal(fixture_count(&fixture), 1000);
    fixture_close(&fixture);
}

void contract_test_names(const struct contract_entry *entry)
{
    static const char *const names[] = {"select",
                                        "a b",
                                        "a\"b",
                                        "a'b",
                                        "a`b]c",
                                        "a\nb",
                                        "caf\xc3\xa9",
                                        "\xf0\x9f\x90\x91",
                                        "a;drop table x--",
                                        "../up",
                                        "%s%n",
                                        "a.b",
                                        "-x"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct fixture fixture;
        struct buffer lines = {0};
        fixture_open(&fixture, entry);
        fixture.table.name = names[i];
        fixture.columns[1].name = names[i];
        fixture.fields[1].name = names[i];
        fixture.fields[1].name_length = (uint32_t)strlen(names[i]);
        fixture_check_table(&fixture, &lines);
        if (lines.length == 0) {
            fixture_begin(&fixture);
            struct cell value = cell_text("v", 1);
            assert_int_equal(fixture_chunk(&fixture, 1, 0, 10, &value).written, 10);
            assert_int_equal(fixture_count(&fixture), 10);
        }
        buffer_free(&lines);
        fixture_close(&fixture);
    }
}

void contract_test_rejects(const struct contract_entry *entry)
{
    struct fixture fixture;
    struct error error = {0};
    fixture_open(&fixture, entry);
    fixture_begin(&fixture);
    struct cell value = cell_text("v", 1);
    struct batch *batch = fixture_batch(&fixture, 0, 100, &value);
    batch_row(batch, 17)[0] = cell_null();
    batch_row(batch, 99)[0] = cell_null();
    check_ok(fixture.target->connector->target->chunk_begin(fixture.writer, 1, 1, &error), &error,
             "chunk_begin");
    struct tally tally = fixture_write(&fixture, 1, batch);
    fixture_commit(&fixture, 1, "{}");
    assert_int_equal(tally.written, 98);
    assert_int_equal(tally.rejected, 2);
    assert_true(tally.code == ERROR_REJECT_KEY_NULL || tally.code == ERROR_REJECT_CONSTRAINT);
    assert_int_equal(fixture_count(&fixture), 98);
    fixture_close(&fixture);
}

struct text_of {
    int64_t id;
    char text[32];
};

static void note_text(void *context, int64_t id, const struct cell *value)
{
    struct text_of *wanted = context;
    if (id == wanted->id) {
        assert_int_equal(value->kind, VALUE_TEXT);
        snprintf(wanted->text, sizeof wanted->text, "%.*s", (int)value->length, value->text);
    }
}

static void try_existing(const struct contract_entry *entry, enum existing_policy policy)
{
    struct fixture fixture;
    struct error error = {0};
    struct buffer lines = {0};
    struct ledger_holder holder = {0};
    struct cell old_value = cell_text("old", 3);
    struct cell new_value = cell_text("new", 3);
    fixture_open(&fixture, entry);
    fixture_begin(&fixture);
    const struct connector *connector = fixture.target->connector;
    fixture_chunk(&fixture, 1, 0, 10, &old_value);
    check_ok(ledger_set_status(fixture.ledger, fixture.run_id, fixture.epoch,
                               "{\"phase\":\"completed\"}", &error),
             &error, "set_status");
    check_ok(ledger_release(fixture.ledger, fixture.run_id, fixture.epoch, &error), &error,
             "release");
    connector->target->writer_close(fixture.writer);
    fixture.writer = NULL;
    fixture.table.existing = policy;
    fixture_check_table(&fixture, &lines);
    if (lines.length == 0) {
        struct ledger_chunk chunk = {
            .number = 1,
            .span = {.printable = "all", .bounds = (const uint8_t *)"", .row_estimate = -1}};
        fixture.run_id = "20260102T000000Z-second";
        fixture_create_run(&fixture, &chunk, 1);
        check_ok(ledger_lead(fixture.ledger, fixture.run_id, 0, NULL, &holder, &error), &error,
                 "claim");
        fixture.epoch = 1;
        fixture.table.created = false;
        fixture_prepare(&fixture);
        assert_false(fixture.table.created);
        check_ok(connector->target->writer_open(fixture.target, &fixture.table, 1, 1,
                                                &fixture.writer, &error),
                 &error, "writer_open");
        struct tally tally = fixture_chunk(&fixture, 1, 5, 10, &new_value);
        struct text_of five = {.id = 5};
        fixture_read(&fixture, 100, note_text, &five);
        bool replaced = policy == EXISTING_UPSERT || policy == EXISTING_REPLACE;
        assert_string_equal(five.text, replaced ? "new" : "old");
        assert_int_equal(tally.written, replaced ? 10 : 5);
        assert_int_equal(tally.skipped, policy == EXISTING_SKIP ? 5 : 0);
        assert_int_equal(tally.rejected, policy == EXISTING_APPEND ? 5 : 0);
        assert_int_equal(fixture_count(&fixture), 15);
    }
    buffer_free(&lines);
    fixture_close(&fixture);
}

void contract_test_existing(const struct contract_entry *entry)
{
    try_existing(entry, EXISTING_APPEND);
    try_existing(entry, EXISTING_UPSERT);
    try_existing(entry, EXISTING_REPLACE);
    try_existing(entry, EXISTING_SKIP);
}

void contract_test_abandon(const struct contract_entry *entry)
{
    struct fixture fixture;
    struct error error = {0};
    struct cell value = cell_text("v", 1);
    fixture_open(&fixture, entry);
    fixture_begin(&fixture);
    const struct target_functions *functions = fixture.target->connector->target;
    check_ok(functions->chunk_begin(fixture.writer, 1, 1, &error), &error, "chunk_begin");
    fixture_write(&fixture, 1, fixture_batch(&fixture, 0, 50, &value));
    check_ok(
        functions->submit(fixture.writer, 1, 0, fixture_batch(&fixture, 50, 5, &value), &error),
        &error, "submit");
    functions->chunk_abandon(fixture.writer, 1);
    if (fixture.target->connector->capabilities & CAPABILITY_TRANSACTIONS) {
        assert_int_equal(fixture_count(&fixture), 0);
    }
    assert_int_equal(fixture_chunk(&fixture, 1, 0, 60, &value).written, 60);
    assert_int_equal(fixture_count(&fixture), 60);
    fixture_close(&fixture);
}

/* The next chunk begins before the last one is committed, as far as the connector allows it. */
void contract_test_several_chunks(const struct contract_entry *entry)
{
    struct fixture fixture;
    struct error error = {0};
    struct cell value = cell_text("v", 1);
    fixture_open(&fixture, entry);
    fixture_begin(&fixture);
    const struct target_functions *functions = fixture.target->connector->target;
    uint32_t open_max = fixture.target->limits.chunks_open_max;
    assert_true(open_max >= 1);
    uint32_t open = open_max < CONTRACT_CHUNKS ? open_max : CONTRACT_CHUNKS;
    for (uint32_t i = 1; i <= open; i++) {
        check_ok(functions->chunk_begin(fixture.writer, i, 1, &error), &error, "chunk_begin");
        check_ok(functions->submit(fixture.writer, i, 0,
                                   fixture_batch(&fixture, (i - 1) * 10, 10, &value), &error),
                 &error, "submit");
    }
    uint32_t results = 0;
    struct batch_result result;
    while (results < open) {
        enum status status = functions->poll(fixture.writer, 100, &result, &error);
        if (status == STATUS_AGAIN) {
            continue;
        }
        check_ok(status, &error, "poll");
        assert_int_equal(result.written, 10);
        batch_destroy(result.batch);
        arena_destroy(result.arena);
        results++;
    }
    for (uint32_t i = 1; i <= open; i++) {
        fixture_commit(&fixture, i, "{}");
    }
    assert_int_equal(fixture_count(&fixture), open * 10);
    fixture_close(&fixture);
}

/* ---- duplicates, for targets that do not see them when they are written */

struct found {
    struct fixture *fixture;
    const struct cell *lowest; /* the value of records that stay */
    bool distinct;             /* the table is: `repeats` means something */
    uint32_t count;
    bool repeats[16];
    uint64_t chunk[16];
    uint64_t ordinal[16];
};

static enum status note_found(void *context, uint64_t chunk, uint32_t entity, uint64_t ordinal,
                              const struct cell *key, uint32_t key_count, const struct cell *record,
                              enum duplicate_kind kind, struct error *error)
{
    struct found *found = context;
    (void)record;
    assert_int_equal(entity, 0);
    assert_int_equal(key_count, 1);
    assert_int_equal(key->kind, VALUE_INT64);
    if (kind == DUPLICATE_STAYS) {
        struct batch *batch = fixture_batch(found->fixture, key->i64, 1, found->lowest);
        struct database *target = found->fixture->target;
        check_ok(
            target->connector->target->restore(target, &found->fixture->table, batch, 0, error),
            error, "restore");
        batch_destroy(batch);
        return STATUS_OK;
    }
    assert_true(found->count < 16);
    found->repeats[found->count] = found->distinct && kind == DUPLICATE_REPEATS;
    found->chunk[found->count] = chunk;
    found->ordinal[found->count++] = ordinal;
    return STATUS_OK;
}

static int compare_found(const void *left, const void *right)
{
    const uint64_t *a = left;
    const uint64_t *b = right;
    return *a < *b ? -1 : *a > *b;
}

/* Tables with `distinct`: equal records under one key are told from unequal ones, whether they are
 * seen when they are written or looked for afterwards. */
void contract_test_distinct(const struct contract_entry *entry)
{
    struct fixture fixture;
    struct error error = {0};
    struct cell same = cell_text("same", 4);
    struct cell other = cell_text("other", 5);
    fixture_open(&fixture, entry);
    fixture.table.distinct = true;
    fixture_begin(&fixture);
    const struct target_functions *functions = fixture.target->connector->target;
    bool equal = true;
    for (uint64_t chunk = 1; chunk <= 3; chunk++) {
        /* 0..9, then 5..14 as they were, then 10..19, of which 10..14 are not as they were */
        int64_t first = 5 * ((int64_t)chunk - 1);
        struct tally tally = fixture_chunk(&fixture, chunk, first, 10, chunk < 3 ? &same : &other);
        if (!fixture_settles(&fixture)) {
            assert_int_equal(tally.skipped, chunk == 2 ? 5 : 0);
            assert_int_equal(tally.rejected, chunk == 3 ? 5 : 0);
            assert_true(chunk < 3 || tally.code == ERROR_REJECT_KEY_DUPLICATE);
        }
    }
    for (int repeat = 0; repeat < 2 && fixture_settles(&fixture); repeat++) {
        struct found found = {.fixture = &fixture, .lowest = &same, .distinct = true};
        check_ok(functions->settle_duplicates(fixture.target, &fixture.table, note_found, &found,
                                              &error),
                 &error, "settle");
        assert_true(found.count == 10 || (repeat == 1 && found.count == 0));
        for (uint32_t i = 0; i < found.count; i++) {
            equal = equal && found.repeats[i] == (found.chunk[i] == 2);
            assert_true(found.chunk[i] > 1 && found.ordinal[i] < 5);
        }
    }
    assert_true(equal);
    struct text_of twelve = {.id = 12};
    fixture_read(&fixture, 100, note_text, &twelve);
    assert_string_equal(twelve.text, "same");
    assert_int_equal(fixture_count(&fixture), 20);
    fixture_close(&fixture);
}

void contract_test_duplicates(const struct contract_entry *entry)
{
    struct fixture fixture;
    struct error error = {0};
    struct cell lower = cell_text("lower", 5);
    struct cell upper = cell_text("upper", 5);
    fixture_open(&fixture, entry);
    fixture_begin(&fixture);
    const struct target_functions *functions = fixture.target->connector->target;
    if (!fixture_settles(&fixture)) {
        assert_true(fixture.target->connector->capabilities & CAPABILITY_KEY_ENFORCED);
        fixture_chunk(&fixture, 1, 0, 10, &lower);
        struct tally tally = fixture_chunk(&fixture, 2, 5, 10, &upper);
        assert_int_equal(tally.rejected, 5);
        assert_int_equal(tally.code, ERROR_REJECT_KEY_DUPLICATE);
        fixture_close(&fixture);
        return;
    }
    if (functions->restore) { /* what is overwritten is made again */
        fixture_chunk(&fixture, 1, 0, 10, &lower);
        fixture_chunk(&fixture, 2, 5, 10, &upper);
    } else {
        fixture_chunk(&fixture, 2, 5, 10, &upper);
        fixture_chunk(&fixture, 1, 0, 10, &lower);
    }
    for (int repeat = 0; repeat < 2; repeat++) {
        struct found found = {.fixture = &fixture, .lowest = &lower};
        check_ok(functions->settle_duplicates(fixture.target, &fixture.table, note_found, &found,
                                              &error),
                 &error, "settle");
        assert_true(found.count == 5 || (repeat == 1 && found.count == 0));
        qsort(found.ordinal, found.count, sizeof *found.ordinal, compare_found);
        for (uint32_t i = 0; i < found.count; i++) {
            assert_int_equal(found.chunk[i], 2);
            assert_int_equal(found.ordinal[i], i);
        }
        struct text_of five = {.id = 5};
        fixture_read(&fixture, 100, note_text, &five);
        assert_string_equal(five.text, "lower");
        assert_int_equal(fixture_count(&fixture), 15);
    }
    fixture_close(&fixture);
}
