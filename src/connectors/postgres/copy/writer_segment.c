/*
 * A segment's end: all of it is good, or the records that the server refuses are found.
 *
 * COPY says in which line it failed. So the rows before are sent again and kept, that one is
 * refused, and the rest goes on, in windows that halve with each failure and double with each
 * success: a segment of good rows costs one COPY, one of nothing but bad rows a COPY for each.
 *
 * Constraints that are INITIALLY DEFERRED are checked once for all of a chunk, so that its rows may
 * refer to each other in any order. If they refuse it, the chunk goes again with a check at each
 * segment's end; one that is a single segment has had that already.
 */
#include "base/memory.h"
#include "base/text.h"
#include "connectors/postgres/copy/writer_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HANDFUL_ROWS = 64 };

/* ---------------------------------------------------------------- which row, and why */
/* A failure NULL is none that the server told: it left some row out. */

/* "COPY things, line 17, column x": the row's place, from 1; 0: it does not say. */
static uint64_t failed_line(const struct writer_plan *plan, const PGresult *failure)
{
    const char *context = PQresultErrorField(failure, PG_DIAG_CONTEXT);
    const char *relation = plan->staged ? plan->stage_name : plan->relation;
    char start[128];
    uint64_t line = 0;

    snprintf(start, sizeof start, "COPY %s, line ", relation);
    for (const char *at = context; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, start, strlen(start)) == 0) {
            at += strlen(start);
            return text_to_uint64(at, strspn(at, "0123456789"), &line) == STATUS_OK ? line : 0;
        }
    }
    return 0;
}

static void writer_segment_describe(const PGresult *failure, char *reason, size_t capacity)
{
    if (failure == NULL) {
        snprintf(reason, capacity,
                 "the server took it and wrote nothing: a BEFORE trigger or a "
                 "rule of the table left it out");
        return;
    }
    const char *message = PQresultErrorField(failure, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(failure, PG_DIAG_MESSAGE_DETAIL);
    snprintf(reason, capacity, "%s%s%s", message != NULL ? message : "refused",
             detail != NULL ? ": " : "", detail != NULL ? detail : "");
    text_clean_line(reason);
}

/* ---------------------------------------------------------------- the rows */

static struct row_ref *list_rows(struct writer *writer, uint32_t *count)
{
    uint32_t most = 0;
    for (struct sql_held *held = writer->held.first; held != NULL; held = held->next) {
        most += held->batch->row_count;
    }
    struct row_ref *rows = memory_allocate_zeroed((size_t)most + 1, sizeof *rows);
    *count = 0;
    for (struct sql_held *held = writer->held.first; held != NULL; held = held->next) {
        for (uint32_t row = 0; row < held->batch->row_count; row++) {
            if (!sql_outcomes_has(&held->outcomes, row)) {
                rows[(*count)++] = (struct row_ref){held, row};
            }
        }
    }
    return rows;
}

enum status writer_check_deferred(struct writer *writer, PGresult **failure, struct error *error)
{
    PGresult *result = NULL;
    /* what may be deferred says nothing of lines, so that all of it can be */
    enum status status = writer_try(
        writer, postgres_sql("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED"),
        &result, failure, error);
    PQclear(result);
    return status;
}

/* Nothing undoes the pass any more. */
static enum status note_taken(struct writer *writer, const struct row_ref *rows,
                              struct error *error)
{
    const struct sql_taken *taken = (const void *)writer->sql.taken.data;
    size_t left = writer->sql.taken.length / sizeof *taken;
    enum status status = STATUS_OK;
    for (; status == STATUS_OK && left > 0; left--, taken++) {
        const struct row_ref *at = &rows[taken->place];
        status = sql_held_refuse(at->held, at->row, taken->kind, taken->code, taken->reason, error);
    }
    return status;
}

/* Ends the COPY and, if it went by way of a temporary table, the way from there. */
static enum status end_pass(struct writer *writer, const struct row_ref *rows, uint32_t count,
                            PGresult **failure, bool *deferred, struct error *error)
{
    buffer_clear(&writer->sql.taken);
    enum status status = writer_copy_end(writer, failure, error);
    status = status == STATUS_OK && writer->plan->staged
                 ? writer_stage_apply(writer, count, failure, error)
                 : status;
    *deferred = status == STATUS_OK && writer->checks;
    if (*deferred) {
        status = writer_check_deferred(writer, failure, error);
        *deferred = status == STATUS_AGAIN;
        status = writer_undo_refused(writer, status, error);
    }
    return status == STATUS_OK && rows != NULL ? note_taken(writer, rows, error) : status;
}

static enum status send_rows(struct writer *writer, const struct row_ref *rows, uint32_t count,
                             PGresult **failure, bool *deferred, struct error *error)
{
    enum status status = writer_copy_start(writer, writer->plan, error);
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        status = writer_copy_row(writer, writer->plan, rows[i].held, rows[i].row, error);
    }
    arena_reset(writer->sql.scratch);
    *deferred = false;
    return status == STATUS_OK ? end_pass(writer, rows, count, failure, deferred, error) : status;
}

/* The row is the one at fault. */
static enum status settle_row(struct writer *writer, const struct row_ref *at, PGresult *failure,
                              struct error *error)
{
    char reason[768];
    enum error_code code = ERROR_REJECT_CONSTRAINT;
    const char *state = PQresultErrorField(failure, PG_DIAG_SQLSTATE);

    if (failure != NULL) {
        (void)postgres_is_of_record(failure, &code);
    }
    writer_segment_describe(failure, reason, sizeof reason);
    if (state != NULL && strcmp(state, "23502") == 0) {
        const char *column = PQresultErrorField(failure, PG_DIAG_COLUMN_NAME);
        const struct column_list key = writer->tables[writer->plan->table].plan->key;
        for (uint32_t i = 0; column != NULL && i < key.count; i++) {
            code = strcmp(key.names[i], column) == 0 ? ERROR_REJECT_KEY_NULL : code;
        }
    }
    return sql_held_refuse(at->held, at->row, OUTCOME_REJECTED, code, reason, error);
}

/* A partner may come behind the row; nothing that comes makes two equal ones differ. */
static bool may_come_right(const PGresult *failure)
{
    const char *state = PQresultErrorField(failure, PG_DIAG_SQLSTATE);
    return state != NULL && strcmp(state, "23505") != 0 && strcmp(state, "23P01") != 0;
}

/* The fate of the rows of a window, from the first one on. */
struct window {
    uint32_t settled;
    bool failed;
    bool postponed; /* all of them are for later */
};

static enum status send_window(struct writer *writer, const struct row_ref *rows, uint32_t count,
                               struct window *window, struct error *error)
{
    PGresult *failure = NULL;
    PGresult *again = NULL;
    bool deferred;
    bool ignored;
    enum status status = send_rows(writer, rows, count, &failure, &deferred, error);

    *window = (struct window){.settled = status == STATUS_OK ? count : 0,
                              .failed = status == STATUS_AGAIN};
    if (status != STATUS_AGAIN) {
        return status;
    }
    uint64_t line = deferred ? 0 : failed_line(writer->plan, failure);
    uint32_t bad = line >= 1 && line <= count ? (uint32_t)line - 1 : count == 1 ? 0 : UINT32_MAX;
    status = STATUS_OK;
    if (deferred && count <= writer->grain && may_come_right(failure)) {
        window->postponed = true;
        window->settled = count;
        bad = UINT32_MAX;
    }
    if (bad != UINT32_MAX && bad > 0) {
        status = send_rows(writer, rows, bad, &again, &ignored, error);
        if (status == STATUS_AGAIN) {
            bad = UINT32_MAX; /* the line was not to be trusted: the window is halved */
            status = STATUS_OK;
        }
        PQclear(again);
    }
    if (status == STATUS_OK && bad != UINT32_MAX) {
        status = settle_row(writer, &rows[bad], failure, error);
        window->settled = bad + 1;
    }
    PQclear(failure);
    return status;
}

/* Sends the rows; those that are for later are the first `*left` of them afterwards. */
static enum status send_windows(struct writer *writer, struct row_ref *rows, uint32_t count,
                                uint32_t *left, struct error *error)
{
    enum status status = STATUS_OK;
    uint32_t at = 0;
    uint32_t most = count;

    *left = 0;
    while (status == STATUS_OK && at < count) {
        struct window window;
        uint32_t size = count - at < most ? count - at : most;
        status = send_window(writer, rows + at, size, &window, error);
        if (status == STATUS_OK && window.postponed) {
            memmove(rows + *left, rows + at, size * sizeof *rows);
            *left += size;
        }
        at += window.settled;
        most = window.failed ? (size > 1 ? size / 2 : 1) : (most < count ? most * 2 : most);
    }
    return status;
}

/* Rows without a partner are tried again for as long as others come in, since theirs may be behind
 * them in the segment: in handfuls at first, then one by one. */
static enum status send_again(struct writer *writer, struct error *error)
{
    uint32_t count = 0;
    struct row_ref *rows = list_rows(writer, &count);
    enum status status = STATUS_OK;
    writer->grain = HANDFUL_ROWS;
    while (status == STATUS_OK && count > 0) {
        uint32_t left;
        status = send_windows(writer, rows, count, &left, error);
        writer->grain = left < count ? writer->grain : writer->grain / 8;
        count = left;
    }
    free(rows);
    return status;
}

/* ---------------------------------------------------------------- the end */

void writer_segment_hand_back(struct writer *writer)
{
    sql_held_move(&writer->held, &writer->sql.done);
    writer->early = true;
}

static _Atomic uint64_t *strict_place(const struct writer *writer)
{
    return &writer->database->strict[writer->sql.chunk % POSTGRES_STRICT_CHUNKS];
}

/* Records that were said to be written are not: all of the chunk goes again, in careful segments.
 */
static enum status start_again(struct writer *writer, const PGresult *failure, struct error *error)
{
    char reason[768];
    const char *relation =
        writer->plan != NULL ? writer->plan->relation : writer->database->sql.shown;
    writer_segment_describe(failure, reason, sizeof reason);
    atomic_store(&writer->database->careful, true);
    return error_set(error, ERROR_TARGET_REFUSED, relation,
                     "a record of many was refused, so they are sent again in smaller pieces: %s",
                     reason);
}

static enum status end_segment(struct writer *writer, struct error *error)
{
    PGresult *failure = NULL;
    uint32_t count = 0;
    bool deferred;
    struct row_ref *rows = writer->plan->staged ? list_rows(writer, &count) : NULL;
    enum status status = end_pass(writer, rows, count, &failure, &deferred, error);
    free(rows);
    if (status == STATUS_AGAIN && writer->early) {
        status = start_again(writer, failure, error);
    } else if (status == STATUS_AGAIN) {
        status = send_again(writer, error);
    }
    PQclear(failure);
    writer->early = false;
    return status;
}

enum status writer_segment_finish(struct writer *writer, bool last, struct error *error)
{
    enum status status = STATUS_OK;

    if (writer->copying) {
        bool whole = last && !writer->unchecked && !writer->early;
        bool strict = atomic_load(strict_place(writer)) == writer->sql.chunk;
        writer->checks = writer->defers && (whole || strict);
        writer->unchecked |= writer->defers && !writer->checks;
        status = end_segment(writer, error);
    }
    if (status == STATUS_OK) {
        sql_held_move(&writer->held, &writer->sql.done);
        writer->plan = NULL;
    }
    return status;
}

enum status writer_check_chunk(struct writer *writer, struct error *error)
{
    PGresult *failure = NULL;
    enum status status =
        writer->unchecked ? writer_check_deferred(writer, &failure, error) : STATUS_OK;
    if (status == STATUS_AGAIN) {
        atomic_store(strict_place(writer), writer->sql.chunk);
        status = start_again(writer, failure, error);
    }
    PQclear(failure);
    return status;
}
