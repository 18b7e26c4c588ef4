/* Changing a schema in place: the lock, transactions, statements and the history
 * (connectors/contract/alter.h). */
#include "base/clock.h"
#include "base/failpoint.h"
#include "connectors/common/lease.h"
#include "scene.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct altering {
    struct fixture fixture;
    const struct alter_functions *alter;
    const struct contract_alter *words;
    struct alter_session *session;
    struct arena *arena;
};

static const struct alter_open plain = {.program = "contract test"};

static struct alter_session *open_session(struct altering *altering, struct database *database)
{
    struct error error = {0};
    struct alter_session *session = NULL;
    check_ok(altering->alter->open(database, &plain, &session, &error), &error, "open a session");
    return session;
}

/* False: the connector has no such group. */
static bool begin_altering(struct altering *altering, const struct contract_entry *entry)
{
    *altering = (struct altering){0};
    altering->alter = contract_connector(entry)->alter;
    altering->words = entry->alter;
    if (altering->alter == NULL || altering->alter->open == NULL) {
        return false;
    }
    assert_non_null(altering->words);
    fixture_open(&altering->fixture, entry);
    altering->arena = arena_create(0);
    altering->session = open_session(altering, altering->fixture.target);
    return true;
}

static void end_altering(struct altering *altering)
{
    altering->alter->close(altering->session);
    altering->alter->close(NULL);
    arena_destroy(altering->arena);
    fixture_close(&altering->fixture);
}

/* A second process, as far as the database can see. */
static void open_other(struct altering *altering, struct altering *other)
{
    *other = *altering;
    other->fixture.writer = NULL;
    fixture_open_again(&other->fixture);
    other->session = open_session(other, other->fixture.target);
}

static void leave_other(struct altering *other)
{
    other->alter->close(other->session);
    fixture_leave(&other->fixture);
}

/* ---- steps */

static enum status lock(struct altering *altering, struct ledger_holder *found, struct error *error)
{
    struct ledger_holder self;
    *found = (struct ledger_holder){0};
    ledger_holder_self(altering->fixture.target->lease_ms, &self);
    return altering->alter->lock(altering->session, &self, found, error);
}

static void take_lock(struct altering *altering)
{
    struct error error = {0};
    struct ledger_holder found;
    check_ok(lock(altering, &found, &error), &error, "lock");
}

static void claim(struct altering *altering)
{
    struct error error = {0};
    struct history_claim last;
    struct ledger_holder self;
    ledger_holder_self(altering->fixture.target->lease_ms, &self);
    check_ok(altering->alter->history_claim_read(altering->session, altering->arena, &last, &error),
             &error, "read the claim");
    check_ok(altering->alter->history_claim(altering->session, last.epoch, &self, &error), &error,
             "claim");
}

static void make_and_claim(struct altering *altering)
{
    struct error error = {0};
    take_lock(altering);
    check_ok(altering->alter->history_make(altering->session, &error), &error, "make the history");
    claim(altering);
}

static enum status run(struct altering *altering, const char *text, struct alter_answer *answer,
                       struct error *error)
{
    struct alter_request request = {
        .language = altering->words->language, .text = text, .length = strlen(text)};
    *error = (struct error){0};
    return altering->alter->run(altering->session, &request, answer, error);
}

static struct alter_answer must_run(struct altering *altering, const char *text)
{
    struct error error;
    struct alter_answer answer;
    check_ok(run(altering, text, &answer, &error), &error, text);
    return answer;
}

static long count(struct altering *altering)
{
    struct error error = {0};
    const char *text = NULL;
    if (altering->alter->ask(altering->session, altering->words->count, altering->arena, &text,
                             &error) != STATUS_OK) {
        return -1;
    }
    return text != NULL ? strtol(text, NULL, 10) : -1;
}

static struct history_row act(uint64_t number, enum history_state state)
{
    return (struct history_row){.number = number,
                                .action = HISTORY_UP,
                                .state = state,
                                .version = "001",
                                .name = "first \xf0\x9f\x90\x8f 'it''s' \\ \"x\"",
                                .origin = "transhume",
                                .checksum = "s1:abc",
                                .steps = 2,
                                .run = "20260101T000000Z-abcdef",
                                .who = "me@here pid 1",
                                .program = "transhume 1"};
}

static void put(struct altering *altering, const struct history_row *row)
{
    struct error error = {0};
    check_ok(altering->alter->history_put(altering->session, row, &error), &error, "put");
}

/* ---- reading back */

struct seen {
    struct arena *arena;
    struct history_row rows[8];
    uint32_t count;
    struct history_step steps[8];
    uint32_t step_count;
};

static const char *copy(struct seen *seen, const char *text)
{
    return text != NULL ? arena_copy_string(seen->arena, text) : NULL;
}

static enum status note_row(void *context, const struct history_row *row, struct error *error)
{
    struct seen *seen = context;
    (void)error;
    assert_true(seen->count < 8);
    struct history_row *kept = &seen->rows[seen->count++];
    *kept = *row;
    kept->version = copy(seen, row->version);
    kept->name = copy(seen, row->name);
    kept->checksum = copy(seen, row->checksum);
    kept->error = copy(seen, row->error);
    return STATUS_OK;
}

static enum status note_step(void *context, const struct history_step *step, struct error *error)
{
    struct seen *seen = context;
    (void)error;
    assert_true(seen->step_count < 8);
    struct history_step *kept = &seen->steps[seen->step_count++];
    *kept = *step;
    kept->witness = copy(seen, step->witness);
    kept->session = copy(seen, step->session);
    kept->checksum = copy(seen, step->checksum);
    return STATUS_OK;
}

static struct seen read_acts(struct altering *altering)
{
    struct error error = {0};
    struct seen seen = {.arena = altering->arena};
    check_ok(altering->alter->history_read(altering->session, note_row, &seen, &error), &error,
             "read the history");
    return seen;
}

static struct seen read_steps(struct altering *altering, uint64_t number)
{
    struct error error = {0};
    struct seen seen = {.arena = altering->arena};
    check_ok(
        altering->alter->history_read_steps(altering->session, number, note_step, &seen, &error),
        &error, "read the steps");
    return seen;
}

/* ---- the lock */

static void expect_held(struct altering *other, const char *what)
{
    struct error error = {0};
    struct ledger_holder found;
    enum status status = lock(other, &found, &error);
    if (status != STATUS_AGAIN) {
        fail_msg("%s: status %d: %s", what, status, error.message);
    }
    assert_true(found.name[0] != '\0');
}

/* As a waiter does, until it has it. */
static void wait_for_lock(struct altering *altering)
{
    struct error error = {0};
    struct ledger_holder found;
    int64_t end = clock_monotonic_ms() + 20000;
    enum status status;
    while ((status = lock(altering, &found, &error)) == STATUS_AGAIN &&
           clock_monotonic_ms() < end) {
        clock_sleep_ms(20);
    }
    check_ok(status, &error, "lock in the end");
}

static void die_with_lock(struct altering *altering, int ready)
{
    struct altering child;
    altering->alter->close(altering->session);
    fixture_leave(&altering->fixture);
    open_other(altering, &child);
    make_and_claim(&child);
    if (write(ready, "x", 1) == 1) {
        pause();
    }
    _exit(1);
}

void contract_test_alter_lock(const struct contract_entry *entry)
{
    struct altering altering;
    struct altering other;
    struct error error = {0};
    struct ledger_holder found;
    int ready[2];
    char byte;
    if (!begin_altering(&altering, entry)) {
        return;
    }
    make_and_claim(&altering);
    check_ok(lock(&altering, &found, &error), &error, "it is still ours");
    open_other(&altering, &other);
    expect_held(&other, "while it is held");
    if (altering.fixture.target->lease_ms > 0) {
        check_ok(lock(&altering, &found, &error), &error, "renew");
    }
    altering.alter->close(altering.session);
    wait_for_lock(&other);
    altering.session = open_session(&altering, altering.fixture.target);
    expect_held(&altering, "the other way round");
    leave_other(&other);
    altering.alter->close(altering.session);
    fixture_leave(&altering.fixture);

    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        fixture_open_again(&altering.fixture);
        altering.session = open_session(&altering, altering.fixture.target);
        die_with_lock(&altering, ready[1]);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    fixture_open_again(&altering.fixture);
    altering.session = open_session(&altering, altering.fixture.target);
    expect_held(&altering, "by the child");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    wait_for_lock(&altering);
    end_altering(&altering);
}

/* The holder's session is ended, and what it does next says so. */
void contract_test_alter_steal(const struct contract_entry *entry)
{
    struct altering altering;
    struct altering other;
    struct error error = {0};
    struct ledger_holder found;
    struct alter_answer answer;
    if (!begin_altering(&altering, entry)) {
        return;
    }
    make_and_claim(&altering);
    open_other(&altering, &other);
    expect_held(&other, "before it is stolen");
    if (altering.alter->end_holder != NULL) {
        check_ok(altering.alter->end_holder(other.session, &error), &error, "end_holder");
        check_ok(lock(&other, &found, &error), &error, "lock what was stolen");
        assert_int_equal(run(&altering, altering.words->create, &answer, &error), STATUS_FAILED);
    }
    leave_other(&other);
    end_altering(&altering);
}

/* ---- the history */

void contract_test_alter_history(const struct contract_entry *entry)
{
    static const char down[] = "DROP TABLE \"x\";\r\n-- \xe2\x82\xac 'a' \\ \x01\n";
    struct altering altering;
    struct error error = {0};
    struct history_claim last;
    struct ledger_holder self;
    const char *text = "";
    if (!begin_altering(&altering, entry)) {
        return;
    }
    assert_int_equal(read_acts(&altering).count, 0); /* there are no tables yet */
    check_ok(altering.alter->history_claim_read(altering.session, altering.arena, &last, &error),
             &error, "read no claim");
    assert_int_equal(last.epoch, 0);
    make_and_claim(&altering);
    check_ok(altering.alter->history_make(altering.session, &error), &error, "make it again");
    check_ok(altering.alter->history_claim_read(altering.session, altering.arena, &last, &error),
             &error, "read the claim");
    assert_int_equal(last.epoch, 1);
    assert_int_equal(last.holder.pid, getpid());
    ledger_holder_self(altering.fixture.target->lease_ms, &self);
    assert_int_equal(altering.alter->history_claim(altering.session, 0, &self, &error),
                     STATUS_AGAIN);

    struct history_row row = act(1, HISTORY_RUNNING);
    row.down_text = down;
    put(&altering, &row);
    struct seen seen = read_acts(&altering);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.rows[0].name, row.name);
    assert_string_equal(seen.rows[0].version, "001");
    assert_int_equal(seen.rows[0].epoch, 1);
    assert_int_equal(seen.rows[0].ended_us, 0);
    int64_t begun_us = seen.rows[0].begun_us;
    int64_t apart_us = begun_us - clock_utc_us();
    assert_true(apart_us < 60000000 && apart_us > -60000000);

    row = act(1, HISTORY_DONE);
    put(&altering, &row);
    row = act(2, HISTORY_FAILED);
    row.action = HISTORY_IMPORT;
    row.version = NULL;
    row.error = "no \xc3\xa9";
    row.begun_us = INT64_C(1600000000123000);
    put(&altering, &row);
    seen = read_acts(&altering);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.rows[0].state, HISTORY_DONE);
    assert_int_equal(seen.rows[0].begun_us, begun_us);
    assert_true(seen.rows[0].ended_us >= begun_us);
    assert_int_equal(seen.rows[1].action, HISTORY_IMPORT);
    assert_null(seen.rows[1].version);
    assert_string_equal(seen.rows[1].error, row.error);
    assert_true(seen.rows[1].begun_us / 1000000 == 1600000000);
    check_ok(altering.alter->history_down_text(altering.session, 1, altering.arena, &text, &error),
             &error, "down_text");
    assert_string_equal(text, down);
    check_ok(altering.alter->history_down_text(altering.session, 2, altering.arena, &text, &error),
             &error, "no down_text");
    assert_null(text);

    struct history_step step = {
        .number = 1, .step = 1, .checksum = "s1:x", .witness = "w", .line = 3};
    check_ok(altering.alter->history_put_step(altering.session, &step, &error), &error, "intent");
    step = (struct history_step){.number = 1,
                                 .step = 1,
                                 .state = HISTORY_STEP_DONE,
                                 .checksum = "s1:x",
                                 .line = 3,
                                 .rows = 7};
    check_ok(altering.alter->history_put_step(altering.session, &step, &error), &error, "done");
    step.step = 2;
    step.state = HISTORY_STEP_INTENT;
    check_ok(altering.alter->history_put_step(altering.session, &step, &error), &error, "intent");
    seen = read_steps(&altering, 1);
    assert_int_equal(seen.step_count, 2);
    assert_int_equal(seen.steps[0].state, HISTORY_STEP_DONE);
    assert_int_equal(seen.steps[0].rows, 7);
    assert_string_equal(seen.steps[0].witness, "w");
    assert_non_null(seen.steps[0].session);
    assert_int_equal(seen.steps[1].state, HISTORY_STEP_INTENT);
    assert_int_equal(read_steps(&altering, 2).step_count, 0);
    end_altering(&altering);
}

/* Who lost the claim writes nothing any more, nor what stands before it in the transaction. */
void contract_test_alter_fence(const struct contract_entry *entry)
{
    struct altering altering;
    struct altering other;
    struct error error = {0};
    if (!begin_altering(&altering, entry)) {
        return;
    }
    make_and_claim(&altering);
    struct history_row row = act(1, HISTORY_DONE);
    put(&altering, &row);
    open_other(&altering, &other);
    claim(&other);
    bool whole = altering.alter->begin != NULL;
    bool takes_back = whole && altering.alter->takes_back_ddl;
    if (whole) {
        check_ok(altering.alter->begin(altering.session, &error), &error, "begin");
    }
    if (takes_back) {
        must_run(&altering, altering.words->create);
    }
    row = act(2, HISTORY_DONE);
    enum status status = altering.alter->history_put(altering.session, &row, &error);
    if (whole) {
        status = altering.alter->end(altering.session, status, &error);
    }
    assert_int_equal(status, STATUS_FAILED);
    if (error.code != ERROR_RUN_FENCED) {
        fail_msg("not fenced: %s: %s", error.object, error.message);
    }
    struct history_step step = {.number = 1, .step = 1, .checksum = "s1:x"};
    error = (struct error){0};
    assert_int_equal(altering.alter->history_put_step(altering.session, &step, &error),
                     STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    assert_int_equal(read_acts(&other).count, 1);
    assert_int_equal(count(&other), altering.words->counts_missing ? 0 : -1);
    leave_other(&other);
    end_altering(&altering);
}

/* ---- statements */

void contract_test_alter_transactions(const struct contract_entry *entry)
{
    struct altering altering;
    struct error error = {0};
    if (!begin_altering(&altering, entry)) {
        return;
    }
    make_and_claim(&altering);
    struct history_row row = act(1, HISTORY_DONE);
    const enum status ends[] = {STATUS_FAILED, STATUS_OK};
    bool takes_back = altering.alter->takes_back_ddl;
    if (altering.alter->begin != NULL && !takes_back) {
        must_run(&altering, altering.words->create);
    }
    for (int i = 0; altering.alter->begin != NULL && i < 2; i++) {
        check_ok(altering.alter->begin(altering.session, &error), &error, "begin");
        if (takes_back) {
            must_run(&altering, altering.words->create);
        }
        struct alter_answer answer = must_run(&altering, altering.words->insert);
        assert_true(answer.counts && answer.rows == 1);
        put(&altering, &row);
        assert_int_equal(altering.alter->end(altering.session, ends[i], &error), ends[i]);
        assert_int_equal(read_acts(&altering).count, i);
        assert_int_equal(count(&altering), i == 1 ? 1 : takes_back ? -1 : 0);
    }
    end_altering(&altering);
}

void contract_test_alter_run(const struct contract_entry *entry)
{
    struct altering altering;
    struct altering other;
    struct error error;
    struct alter_answer answer;
    if (!begin_altering(&altering, entry)) {
        return;
    }
    const struct contract_alter *words = altering.words;
    make_and_claim(&altering);
    must_run(&altering, words->create);
    must_run(&altering, words->insert);
    assert_int_equal(count(&altering), 1);
    assert_int_equal(run(&altering, words->wrong, &answer, &error), STATUS_FAILED);
    assert_true(error.code != ERROR_NONE && error.code != ERROR_INTERNAL);
    assert_true(answer.state[0] != '\0' || words->language != ALTER_SQL);
    assert_true(answer.fault == SIZE_MAX || answer.fault <= strlen(words->wrong));
    if (words->endless != NULL) {
        struct alter_request request = {.language = words->language,
                                        .text = words->endless,
                                        .length = strlen(words->endless),
                                        .time_ms = 200};
        int64_t start = clock_monotonic_ms();
        assert_int_equal(altering.alter->run(altering.session, &request, &answer, &error),
                         STATUS_FAILED);
        assert_true(clock_monotonic_ms() - start < 5000);
        assert_int_equal(count(&altering), 1);
    }
    if (words->alter != NULL && altering.alter->begin != NULL) {
        struct alter_request request = {.language = words->language,
                                        .text = words->alter,
                                        .length = strlen(words->alter),
                                        .lock_ms = 300};
        open_other(&altering, &other);
        check_ok(other.alter->begin(other.session, &error), &error, "begin beside");
        must_run(&other, words->insert);
        int64_t start = clock_monotonic_ms();
        error = (struct error){0};
        assert_int_equal(altering.alter->run(altering.session, &request, &answer, &error),
                         STATUS_FAILED);
        assert_int_equal(error.code, ERROR_TARGET_LOCKED);
        assert_int_equal(error.class, ERROR_CLASS_RETRY);
        assert_true(clock_monotonic_ms() - start < 5000);
        check_ok(other.alter->end(other.session, STATUS_OK, &error), &error, "end beside");
        check_ok(altering.alter->run(altering.session, &request, &answer, &error), &error,
                 "run what waited");
        leave_other(&other);
    }
    end_altering(&altering);
}

/* What a file set is as it was before the next one, and the lock stays. */
void contract_test_alter_settings(const struct contract_entry *entry)
{
    struct altering altering;
    struct error error = {0};
    struct ledger_holder found;
    const char *before = NULL;
    const char *after = NULL;
    if (!begin_altering(&altering, entry)) {
        return;
    }
    make_and_claim(&altering);
    for (const char *const *pair = altering.words->settings; pair != NULL && *pair; pair += 2) {
        check_ok(altering.alter->ask(altering.session, pair[1], altering.arena, &before, &error),
                 &error, pair[1]);
        must_run(&altering, pair[0]);
        check_ok(altering.alter->settle_session(altering.session, &error), &error, "settle");
        check_ok(altering.alter->ask(altering.session, pair[1], altering.arena, &after, &error),
                 &error, pair[1]);
        assert_string_equal(before != NULL ? before : "", after != NULL ? after : "");
        check_ok(lock(&altering, &found, &error), &error, pair[0]);
    }
    end_altering(&altering);
}

/* ---- what became of a statement */

static enum alter_settled settle(struct altering *altering, const char *text, const char *before)
{
    struct error error = {0};
    struct alter_request request = {
        .language = altering->words->language, .text = text, .length = strlen(text)};
    struct alter_object object = {.kind = "table", .name = "altered"};
    enum alter_settled settled = ALTER_HALF;
    check_ok(
        altering->alter->settle(altering->session, &request, &object, 1, before, &settled, &error),
        &error, text);
    return settled;
}

static const char *witness(struct altering *altering)
{
    struct error error = {0};
    struct alter_object object = {.kind = "table", .name = "altered"};
    const char *text = NULL;
    if (altering->alter->witness == NULL) {
        return NULL;
    }
    check_ok(
        altering->alter->witness(altering->session, &object, 1, altering->arena, &text, &error),
        &error, "witness");
    return text;
}

void contract_test_alter_settle(const struct contract_entry *entry)
{
    struct altering altering;
    if (!begin_altering(&altering, entry)) {
        return;
    }
    make_and_claim(&altering);
    if (altering.alter->settle != NULL) {
        const char *none = witness(&altering);
        assert_int_equal(settle(&altering, altering.words->create, none), ALTER_ABSENT);
        must_run(&altering, altering.words->create);
        assert_int_equal(settle(&altering, altering.words->create, none), ALTER_APPLIED);
        const char *made = witness(&altering);
        must_run(&altering, altering.words->insert);
        const char *filled = witness(&altering);
        assert_true(made == NULL || strcmp(made, filled) == 0);
        assert_true(made == NULL || strcmp(made, none) != 0);
        if (altering.words->alter != NULL) {
            assert_int_equal(settle(&altering, altering.words->alter, filled), ALTER_ABSENT);
            must_run(&altering, altering.words->alter);
            assert_int_equal(settle(&altering, altering.words->alter, filled), ALTER_APPLIED);
        }
    }
    end_altering(&altering);
}

/* ---- beside runs */

/* Neither the end of the last run nor its undoing takes the history along. */
void contract_test_alter_stays(const struct contract_entry *entry)
{
    for (int rolled_back = 0; rolled_back < 2; rolled_back++) {
        struct altering altering;
        struct error error = {0};
        if (!begin_altering(&altering, entry)) {
            return;
        }
        make_and_claim(&altering);
        struct history_row row = act(1, HISTORY_DONE);
        put(&altering, &row);
        altering.alter->close(altering.session);
        fixture_make_run(&altering.fixture);
        scene_write(&altering.fixture, 1, 0, 5, "v");
        struct fixture *fixture = &altering.fixture;
        fixture->target->connector->target->writer_close(fixture->writer);
        fixture->writer = NULL;
        check_ok(ledger_forget(fixture->ledger, fixture->run_id, fixture->epoch, rolled_back == 1,
                               &error),
                 &error, "forget");
        fixture_leave(fixture);
        fixture_open_again(fixture);
        altering.session = open_session(&altering, fixture->target);
        struct seen seen = read_acts(&altering);
        assert_int_equal(seen.count, 1);
        end_altering(&altering);
    }
}

/* ---- kills */

static void migrate(struct altering *altering)
{
    struct error error = {0};
    struct history_row row = act(1, HISTORY_RUNNING);
    make_and_claim(altering);
    put(altering, &row);
    struct history_step step = {.number = 1, .step = 1, .checksum = "s1:x"};
    check_ok(altering->alter->history_put_step(altering->session, &step, &error), &error, "step");
    if (!altering->alter->takes_back_ddl && count(altering) < 0) {
        must_run(altering, altering->words->create);
    }
    if (altering->alter->begin != NULL) {
        check_ok(altering->alter->begin(altering->session, &error), &error, "begin");
    }
    if (altering->alter->takes_back_ddl) {
        must_run(altering, altering->words->create);
    }
    must_run(altering, altering->words->insert);
    row = act(1, HISTORY_DONE);
    put(altering, &row);
    if (altering->alter->begin != NULL) {
        check_ok(altering->alter->end(altering->session, STATUS_OK, &error), &error, "end");
    }
}

/* False: it was not killed. */
static bool kill_at(struct altering *altering, const char *failpoint, int occurrence)
{
    char value[96];
    int ended = 0;
    struct error error = {0};
    snprintf(value, sizeof value, "%s:kill:%d", failpoint, occurrence);
    altering->alter->close(altering->session);
    fixture_leave(&altering->fixture);
    pid_t child = fork();
    if (child == 0) {
        setenv("TRANSHUME_FAILPOINT", value, 1);
        check_ok(failpoint_setup(&error), &error, "failpoints");
        fixture_open_again(&altering->fixture);
        altering->session = open_session(altering, altering->fixture.target);
        migrate(altering);
        _exit(0);
    }
    waitpid(child, &ended, 0);
    fixture_open_again(&altering->fixture);
    altering->session = open_session(altering, altering->fixture.target);
    return WIFSIGNALED(ended);
}

/* The row is there if and only if the transaction is; without one, who comes next can go on. */
static void check_after_kill(struct altering *altering, const char *failpoint, int occurrence)
{
    struct seen seen = read_acts(altering);
    wait_for_lock(altering);
    bool done = seen.count == 1 && seen.rows[0].state == HISTORY_DONE;
    long rows = count(altering);
    if (altering->alter->begin != NULL && (rows == 1) != done) {
        fail_msg("%s:%d: %ld rows, and the history says %s", failpoint, occurrence, rows,
                 done ? "done" : "not done");
    }
    if (!done && rows <= 0) {
        migrate(altering);
        assert_int_equal(count(altering), 1);
    }
}

void contract_test_alter_kills(const struct contract_entry *entry)
{
    static const char *const places[] = {"before_history", "after_history", "before_alter",
                                         "after_alter"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        bool killed = true;
        for (int occurrence = 1; killed && occurrence < 8; occurrence++) {
            struct altering altering;
            char failpoint[64];
            if (!begin_altering(&altering, entry)) {
                return;
            }
            snprintf(failpoint, sizeof failpoint, "%s.%s", contract_connector(entry)->name,
                     places[i]);
            assert_true(contract_reaches(contract_connector(entry), failpoint));
            killed = kill_at(&altering, failpoint, occurrence);
            assert_true(killed || occurrence > 1);
            check_after_kill(&altering, failpoint, occurrence);
            end_altering(&altering);
        }
    }
}
