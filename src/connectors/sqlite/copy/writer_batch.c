/* Writing one batch: as one statement, and in ever smaller pieces around the records that are
 * refused. */
#include "connectors/sqlite/writer_internal.h"
#include <stdio.h>
#include <string.h>

/* A batch on its way. `first` is the next record; all before it are settled. */
struct batch_job {
    struct writer *writer;
    struct writer_insert *insert;
    const struct writer_table *table;
    struct batch *batch;
    struct batch_result *result;
    struct record_outcome *outcomes; /* room for every record, made when the first is needed */
    uint32_t first;
    uint32_t step;    /* records to try at once */
    bool has_culprit; /* a later record is known to be refused once those before are in */
    struct record_outcome culprit;
};

enum range_outcome { RANGE_WRITTEN, RANGE_SKIPPED, RANGE_MIXED, RANGE_FAILED };

/* Does a table with `distinct` hold the very record that was refused for its key? All
 * records before it are in. */
static enum status find_repeated(struct batch_job *job, struct record_outcome *outcome,
                                 struct error *error)
{
    struct writer *writer = job->writer;
    struct writer_view *view = &job->insert->view;

    if (job->insert->repeat == NULL || outcome->kind != OUTCOME_REJECTED ||
        outcome->code != ERROR_REJECT_KEY_DUPLICATE) {
        return STATUS_OK;
    }
    view->first = outcome->row;
    view->end = outcome->row + 1;
    view->current = view->end;
    view->started = false;
    view->stream_large = false;
    view->refusal.set = false;
    int result = sqlite3_step(job->insert->repeat);
    if (result != SQLITE_ROW && result != SQLITE_DONE) {
        enum status status =
            sqlite_target_error(writer->database, writer->connection, result, ERROR_TARGET_WRITE,
                                "records can't be compared", error);
        sqlite3_reset(job->insert->repeat);
        return status;
    }
    sqlite3_reset(job->insert->repeat);
    if (result == SQLITE_ROW) {
        outcome->kind = OUTCOME_SKIPPED;
        outcome->reason = "the same record is there already";
    }
    return STATUS_OK;
}

static enum status add_outcome(struct batch_job *job, const struct record_outcome *given,
                               struct error *error)
{
    struct batch_result *result = job->result;
    struct record_outcome outcome = *given;

    if (result->arena == NULL) {
        result->arena = arena_create(0);
    }
    if (job->outcomes == NULL) {
        job->outcomes =
            arena_allocate_zeroed(result->arena, job->batch->row_count, sizeof *job->outcomes);
        result->outcomes = job->outcomes;
    }
    if (find_repeated(job, &outcome, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    job->outcomes[result->outcome_count++] = outcome;
    return STATUS_OK;
}

static void note_failure(const struct batch_job *job, const sqlite3_stmt *statement,
                         struct writer_failure *failure)
{
    failure->result = sqlite3_extended_errcode(job->writer->connection);
    failure->tracking = statement == job->insert->track;
    failure->refusal = job->insert->view.refusal;
    snprintf(failure->message, sizeof failure->message, "%s",
             sqlite3_errmsg(job->writer->connection));
}

/* Steps one of the two statements over first..end. */
static int run_statement(struct batch_job *job, sqlite3_stmt *statement, uint32_t end,
                         struct writer_failure *failure)
{
    struct writer_view *view = &job->insert->view;

    view->first = job->first;
    view->end = end;
    view->current = end;
    view->started = false;
    view->bytes = 0;
    view->refusal.set = false;
    view->large_error.code = ERROR_NONE;
    int result = sqlite3_step(statement);
    if (result != SQLITE_DONE) {
        note_failure(job, statement, failure);
    }
    sqlite3_reset(statement);
    return result;
}

/* Would SQLite itself give the rows first..end the very keys that they have? False: it can't be
 * asked. */
static bool keys_follow(const struct batch_job *job, uint32_t end, bool *follow,
                        struct writer_failure *failure)
{
    const struct writer_insert *insert = job->insert;
    const struct cell *cell = batch_row(job->batch, job->first) + insert->row_key_field;

    *follow = false;
    if (insert->append == NULL || insert->view.stream_large) {
        return true;
    }
    int result = sqlite3_step(insert->last_key);
    if (result != SQLITE_ROW) {
        note_failure(job, insert->last_key, failure);
        sqlite3_reset(insert->last_key);
        return false;
    }
    /* NULL, of an empty table, reads as 0 */
    int64_t last = sqlite3_column_int64(insert->last_key, 0);
    sqlite3_reset(insert->last_key);
    for (uint32_t row = job->first; row < end; row++, cell += job->batch->width) {
        if (cell->kind != VALUE_INT64 || last == INT64_MAX || cell->i64 != last + 1) {
            return true;
        }
        last++;
    }
    *follow = true;
    return true;
}

static enum range_outcome writer_batch_judge(const struct batch_job *job, uint32_t count)
{
    int64_t changes = sqlite3_changes64(job->writer->connection);

    if (changes == count) {
        return RANGE_WRITTEN;
    }
    return changes == 0 && job->table->existing == EXISTING_SKIP ? RANGE_SKIPPED : RANGE_MIXED;
}

static bool run_if_there(struct batch_job *job, sqlite3_stmt *statement, uint32_t end,
                         struct writer_failure *failure)
{
    return statement == NULL || run_statement(job, statement, end, failure) == SQLITE_DONE;
}

static enum range_outcome write_range(struct batch_job *job, uint32_t end,
                                      struct writer_failure *failure)
{
    struct writer_insert *insert = job->insert;
    bool follow = false;

    if (!run_if_there(job, insert->track, end, failure) ||
        !run_if_there(job, insert->undo_before, end, failure) ||
        !keys_follow(job, end, &follow, failure)) {
        return RANGE_FAILED;
    }
    sqlite3_stmt *statement = follow ? insert->append : insert->statement;
    if (run_statement(job, statement, end, failure) != SQLITE_DONE) {
        return RANGE_FAILED;
    }
    enum range_outcome outcome = writer_batch_judge(job, end - job->first);
    uint64_t bytes = insert->view.bytes;
    if (outcome == RANGE_WRITTEN && !run_if_there(job, insert->undo_after, end, failure)) {
        return RANGE_FAILED;
    }
    insert->view.bytes = bytes;
    return outcome;
}

/* Tries first..end as one; unless it succeeds nothing of it stays. */
static enum status try_range(struct batch_job *job, uint32_t end, enum range_outcome *outcome,
                             struct writer_failure *failure, struct error *error)
{
    struct writer *writer = job->writer;
    int result = sqlite_target_step(writer->savepoint);

    if (result != SQLITE_DONE) {
        return sqlite_target_error(writer->database, writer->connection, result, ERROR_TARGET_WRITE,
                                   "a savepoint can't be set", error);
    }
    *outcome = write_range(job, end, failure);
    if (*outcome == RANGE_FAILED && !writer_failure_is_of_record(failure, &job->insert->view)) {
        if (job->insert->view.large_error.code != ERROR_NONE) {
            error_copy(error, &job->insert->view.large_error);
            return STATUS_FAILED;
        }
        return sqlite_target_error(writer->database, writer->connection, failure->result,
                                   ERROR_TARGET_WRITE, failure->message, error);
    }
    if (sqlite3_get_autocommit(writer->connection)) {
        error_set(error, ERROR_TARGET_WRITE, job->table->plan->name,
                  "a trigger or constraint of the table rolled the whole transaction back: %s",
                  failure->message);
        error_hint(error,
                   "change its RAISE(ROLLBACK) or ON CONFLICT ROLLBACK to ABORT for the load");
        return STATUS_FAILED;
    }
    bool keep = *outcome == RANGE_WRITTEN || *outcome == RANGE_SKIPPED;
    result = keep ? SQLITE_DONE : sqlite_target_step(writer->undo);
    result = result == SQLITE_DONE ? sqlite_target_step(writer->release) : result;
    if (result != SQLITE_DONE) {
        return sqlite_target_error(writer->database, writer->connection, result, ERROR_TARGET_WRITE,
                                   "a savepoint can't be left", error);
    }
    return STATUS_OK;
}

/* first..end is settled. */
static enum status writer_batch_settle(struct batch_job *job, uint32_t end, bool skipped,
                                       struct error *error)
{
    enum status status = STATUS_OK;

    job->result->written += skipped ? 0 : end - job->first;
    job->result->bytes += skipped ? 0 : job->insert->view.bytes;
    for (uint32_t row = job->first; skipped && status == STATUS_OK && row < end; row++) {
        struct record_outcome outcome = {.row = row,
                                         .kind = OUTCOME_SKIPPED,
                                         .reason = "a record with this key is there already"};
        status = add_outcome(job, &outcome, error);
    }
    job->first = end;
    job->step = job->step > job->batch->row_count / 2 ? job->batch->row_count : job->step * 2;
    if (status == STATUS_OK && job->has_culprit && job->culprit.row == end) {
        status = add_outcome(job, &job->culprit, error);
        job->first++;
        job->step = job->batch->row_count;
    }
    job->has_culprit = false;
    return status;
}

static enum status handle_failure(struct batch_job *job, uint32_t end,
                                  const struct writer_failure *failure, struct error *error)
{
    uint32_t row = job->insert->view.current;

    job->has_culprit = false;
    if (row < job->first || row >= end) {
        /* SQLite had read all rows before it wrote the first (as it does where triggers are) */
        if (end - job->first > 1) {
            job->step = (end - job->first) / 2;
            return STATUS_OK;
        }
        row = job->first;
    }
    if (job->result->arena == NULL) {
        job->result->arena = arena_create(0);
    }
    writer_failure_describe(failure, job->insert, job->table, row, job->result->arena,
                            &job->culprit);
    if (row > job->first) {
        job->has_culprit = true;
        job->step = row - job->first;
        return STATUS_OK;
    }
    job->first++;
    job->step = job->batch->row_count;
    return add_outcome(job, &job->culprit, error);
}

/* Some rows of first..end were left out without an error: kept ones (skip), or by a trigger. */
static enum status handle_mixed(struct batch_job *job, uint32_t end, struct error *error)
{
    job->has_culprit = false;
    if (end - job->first > 1) {
        job->step = (end - job->first) / 2;
        return STATUS_OK;
    }
    struct record_outcome outcome = {.row = job->first,
                                     .kind = OUTCOME_REJECTED,
                                     .code = ERROR_REJECT_CONSTRAINT,
                                     .reason = "a trigger of the table left the record out"};
    job->first++;
    job->step = job->batch->row_count;
    return add_outcome(job, &outcome, error);
}

/* Where the next piece ends: large values that go in by slices need a statement of their own. */
static uint32_t range_end(struct batch_job *job, bool *streams)
{
    uint32_t rows = job->batch->row_count;
    uint32_t end = job->step < rows - job->first ? job->first + job->step : rows;

    *streams = false;
    for (uint32_t row = job->first; job->batch->large_values != NULL && row < end; row++) {
        if (writer_large_can_stream(job->writer, job->insert, job->batch, row)) {
            *streams = row == job->first;
            return *streams ? row + 1 : row;
        }
    }
    return end;
}

enum status writer_batch_write(struct writer *writer, struct writer_insert *insert,
                               struct batch *batch, struct batch_result *result,
                               struct error *error)
{
    struct batch_job job = {.writer = writer,
                            .insert = insert,
                            .batch = batch,
                            .result = result,
                            .table = &writer->tables[insert->table],
                            .step = batch->row_count};
    struct writer_failure failure = {0};
    enum status status = STATUS_OK;

    insert->view.batch = batch;
    while (status == STATUS_OK && job.first < batch->row_count) {
        enum range_outcome outcome = RANGE_FAILED;
        bool streams;
        uint32_t end = range_end(&job, &streams);
        uint32_t row = job.first;
        insert->view.stream_large = streams;
        status = try_range(&job, end, &outcome, &failure, error);
        if (status != STATUS_OK) {
            break;
        }
        if (outcome == RANGE_FAILED) {
            status = handle_failure(&job, end, &failure, error);
        } else if (outcome == RANGE_MIXED) {
            status = handle_mixed(&job, end, error);
        } else {
            status = streams && outcome == RANGE_WRITTEN
                         ? writer_large_fill(writer, insert, batch, row, error)
                         : STATUS_OK;
            status = status == STATUS_OK
                         ? writer_batch_settle(&job, end, outcome == RANGE_SKIPPED, error)
                         : status;
        }
    }
    insert->view.batch = NULL;
    arena_reset(writer->scratch);
    return status;
}
