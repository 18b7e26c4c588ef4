#include "connectors/cassandra/scan.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/signals.h"
#include "connectors/cassandra/select.h"
#include "connectors/contract/report.h"
#include <inttypes.h>
#include <stdlib.h>

enum {
    PAGE_ROWS_MIN = 10,
    PAGE_BYTES_WANTED = 1 << 20,
    RANGES_MAX = 160 /* two more each time that one is cut, 64 times at most */
};

enum call_state { CALL_NONE, CALL_UNDER_WAY, CALL_DONE, CALL_FAILED };

struct cassandra_scan {
    struct cassandra_call call; /* first */
    struct cassandra_scans *scans;
    struct cassandra_scan *next_abandoned;
    bool abandoned;
    const char *name;
    const struct cql_prepared *prepared;
    size_t column_count; /* as it was prepared */

    /* what is still to be read: the last one first */
    struct cql_range ranges[RANGES_MAX];
    uint32_t range_count;
    bool ranged;                /* else: one statement without parameters, in ranges[0] */
    struct buffer paging_state; /* of the next page of that range; empty: its first */
    int64_t passed;             /* token of the last row that was handed over of it */
    bool has_passed;
    bool handed_last; /* what was handed over last was the last page of its range */

    uint32_t page_rows;
    enum cql_consistency consistency; /* of the next call */
    struct cassandra_patience patience;

    enum call_state state;
    struct cassandra_page page; /* CALL_DONE */
    bool last_page;             /* … and no more of its range */
    enum cql_failure failure;   /* CALL_FAILED */
    struct error error;
};

void cassandra_page_free(struct cassandra_page *page)
{
    buffer_free(&page->bytes);
    *page = (struct cassandra_page){0};
}

/* ---------------------------------------------------------------- opening, closing */

static void scan_destroy(struct cassandra_scan *scan)
{
    cassandra_page_free(&scan->page);
    buffer_free(&scan->paging_state);
    free(scan);
}

void cassandra_scans_close(struct cassandra_scans *scans)
{
    cql_session_close(scans->session);
    scans->session = NULL;
    while (scans->abandoned != NULL) {
        struct cassandra_scan *scan = scans->abandoned;
        scans->abandoned = scan->next_abandoned;
        scan_destroy(scan);
    }
}

void cassandra_scan_close(struct cassandra_scan *scan)
{
    if (scan == NULL) {
        return;
    }
    if (scan->state != CALL_UNDER_WAY) {
        scan_destroy(scan);
        return;
    }
    scan->abandoned = true;
    scan->next_abandoned = scan->scans->abandoned;
    scan->scans->abandoned = scan;
}

static void remove_abandoned(struct cassandra_scan *scan)
{
    struct cassandra_scan **at = &scan->scans->abandoned;
    while (*at != NULL && *at != scan) {
        at = &(*at)->next_abandoned;
    }
    if (*at == scan) {
        *at = scan->next_abandoned;
    }
    scan_destroy(scan);
}

const struct cql_columns *cassandra_scan_columns(const struct cassandra_scan *scan)
{
    return &scan->prepared->columns;
}

/* ---------------------------------------------------------------- answers */

/* Pages of large rows have fewer of them, and after a failure they grow again slowly. */
static uint32_t next_page_rows(const struct cassandra_scan *scan, const struct cql_rows *rows)
{
    uint64_t most = scan->scans->cassandra->settings.page_rows;
    uint64_t wanted = (uint64_t)scan->page_rows * 2;
    uint64_t bytes = cql_reader_left(&rows->content);
    if (rows->count > 0 && bytes > 0) {
        uint64_t fits = PAGE_BYTES_WANTED / (bytes / rows->count + 1);
        wanted = fits < wanted ? fits : wanted;
    }
    wanted = wanted < most ? wanted : most;
    return wanted > PAGE_ROWS_MIN ? (uint32_t)wanted : PAGE_ROWS_MIN;
}

static void scan_fail(struct cassandra_scan *scan, enum cql_failure failure,
                      const struct error *error)
{
    scan->state = CALL_FAILED;
    scan->failure = failure;
    error_copy(&scan->error, error);
}

static void take_rows(struct cassandra_scan *scan, const struct cql_rows *rows)
{
    struct error error;
    const struct cql_columns *columns = &scan->prepared->columns;
    if (rows->columns.count != columns->count || rows->columns.count != scan->column_count ||
        (!scan->ranged && rows->metadata_id.data != NULL)) {
        error_set(&error, ERROR_SOURCE_CHANGED, scan->name, "its columns have changed");
        scan_fail(scan, CQL_FAILURE_INVALID, &error);
        return;
    }
    scan->page.rows = *rows;
    scan->page.rows.columns = *columns;
    scan->page.rows.paging_state = (struct text){NULL, 0};
    if (!cassandra_calls_keep_rows(rows, &scan->page.bytes)) {
        error_set(&error, ERROR_MEMORY, scan->name, "no memory for a page of rows");
        scan_fail(scan, CQL_FAILURE_NONE, &error);
        return;
    }
    scan->page.rows.content = cql_reader_of(scan->page.bytes.data, scan->page.bytes.length);
    scan->last_page = rows->paging_state.data == NULL;
    buffer_clear(&scan->paging_state);
    buffer_append(&scan->paging_state, rows->paging_state.data, rows->paging_state.length);
    scan->page_rows = next_page_rows(scan, rows);
    scan->state = CALL_DONE;
}

static void answered(struct cassandra_call *call, enum status status, const struct cql_reply *reply,
                     const struct error *error)
{
    struct cassandra_scan *scan = (struct cassandra_scan *)call;
    struct error odd;
    if (scan->abandoned) {
        remove_abandoned(scan);
    } else if (status != STATUS_OK) {
        scan_fail(scan, reply->failure, error);
    } else if (reply->response.opcode != CQL_RESULT || reply->response.kind != CQL_RESULT_ROWS) {
        error_set(&odd, ERROR_NETWORK_ANSWER, scan->name, "a SELECT was answered without rows");
        scan_fail(scan, CQL_FAILURE_PROTOCOL, &odd);
    } else {
        take_rows(scan, &reply->response.rows);
    }
}

/* ---------------------------------------------------------------- asking */

static enum status cassandra_scan_ask(struct cassandra_scan *scan, struct error *error)
{
    const struct cassandra *self = scan->scans->cassandra;
    const struct cql_range *range = &scan->ranges[scan->range_count - 1];
    struct buffer values = {0};
    if (scan->ranged) {
        cassandra_select_write_range(range, &values);
    }
    const struct cql_statement statement = {.prepared = scan->prepared,
                                            .values = values.data,
                                            .values_length = values.length,
                                            .value_count = scan->ranged ? 2 : 0};
    const struct cql_call call = {.statements = &statement,
                                  .statement_count = 1,
                                  .consistency = scan->consistency,
                                  .timestamp_us = CQL_NO_TIMESTAMP,
                                  .page_size = (int32_t)scan->page_rows,
                                  .paging_state = {scan->paging_state.length > 0
                                                       ? (const uint8_t *)scan->paging_state.data
                                                       : NULL,
                                                   (int32_t)scan->paging_state.length},
                                  .token = scan->ranged ? &range->to : NULL,
                                  .keyspace = self->keyspace,
                                  .deadline_ms = clock_boottime_ms() + self->keyed.room.timeout_ms,
                                  .tag = &scan->call};
    enum status status = cql_session_send(scan->scans->session, &call, error);
    scan->state = status == STATUS_OK ? CALL_UNDER_WAY : CALL_NONE;
    buffer_free(&values);
    if (status == STATUS_OK) {
        cql_session_flush(scan->scans->session);
    }
    return status;
}

/* The page is there: on to the next range, if it was the last one of its own. */
static void scan_step(struct cassandra_scan *scan)
{
    if (scan->last_page) {
        scan->range_count--;
        scan->has_passed = false;
        buffer_clear(&scan->paging_state);
    }
    scan->handed_last = scan->last_page;
    scan->state = CALL_NONE;
    scan->consistency = scan->scans->cassandra->settings.read_consistency;
    cassandra_patience_renew(&scan->patience);
}

/* ---------------------------------------------------------------- failures */

static void scan_push(struct cassandra_scan *scan, int64_t after, int64_t to)
{
    if (after < to) {
        scan->ranges[scan->range_count++] = (struct cql_range){after, to};
    }
}

/*
 * Cuts what is left of the range in two. After some rows that begins within the partition of the
 * last one: what is left of this partition, which the paging state knows, is a range of its own.
 * False: it is one token, or no range.
 */
static bool scan_cut(struct cassandra_scan *scan)
{
    const struct cql_range range = scan->ranges[scan->range_count - 1];
    const struct cql_range rest = {scan->has_passed ? scan->passed : range.after, range.to};
    uint64_t width = (uint64_t)rest.to - (uint64_t)rest.after;
    if (!scan->ranged || width < (scan->has_passed ? 1 : 2) || scan->range_count + 2 > RANGES_MAX) {
        return false;
    }
    int64_t middle = width < 2 ? rest.after : cql_range_piece(&rest, 0, 2).to;
    scan->range_count--;
    scan_push(scan, middle, rest.to);
    scan_push(scan, rest.after, middle);
    if (scan->has_passed) {
        scan_push(scan, range.after, scan->passed);
    } else {
        buffer_clear(&scan->paging_state); /* of pages without rows */
    }
    return true;
}

static enum status give_up(struct cassandra_scan *scan, struct error *error)
{
    const struct cql_range *range = &scan->ranges[scan->range_count - 1];
    error_copy(error, &scan->error);
    error_recode(error, ERROR_SOURCE_READ);
    error_context(error, "%s: ", scan->name);
    if (!cassandra_call_is_slow(scan->failure)) {
        return STATUS_FAILED;
    }
    if (scan->ranged) {
        error_context(error,
                      "tokens above %" PRId64 " to %" PRId64 ", %u rows a page: ", range->after,
                      range->to, scan->page_rows);
    }
    return error_hint(error, "a partition with very many rows or tombstones? Compact the table, or "
                             "raise the server's read_request_timeout or "
                             "tombstone_failure_threshold");
}

static bool fall_back(struct cassandra_scan *scan)
{
    bool lower = cassandra_patience_falls_back(&scan->patience, scan->failure, &scan->error,
                                               &scan->consistency);
    scan->state = lower ? CALL_NONE : scan->state;
    return lower;
}

/* Less at once, then of fewer replicas, then halves: STATUS_OK if that can be. */
static enum status go_smaller(struct cassandra_scan *scan, struct error *error)
{
    if (signals_stop_level() >= 2 || atomic_load(&scan->scans->cassandra->keyed.base.hurried)) {
        return give_up(scan, error);
    }
    if (scan->page_rows > PAGE_ROWS_MIN) {
        scan->page_rows = scan->page_rows / 2 > PAGE_ROWS_MIN ? scan->page_rows / 2 : PAGE_ROWS_MIN;
    } else if (!fall_back(scan) && !scan_cut(scan)) {
        return give_up(scan, error);
    }
    scan->state = CALL_NONE;
    return STATUS_OK;
}

static enum status after_failure(struct cassandra_scan *scan, struct error *error)
{
    if (cassandra_call_is_slow(scan->failure)) {
        report_retried(&scan->scans->cassandra->keyed.base, scan->patience.counts);
        return go_smaller(scan, error);
    }
    if (fall_back(scan)) {
        return STATUS_OK;
    }
    if (!cassandra_patience_plan(&scan->patience, &scan->error)) {
        return give_up(scan, error);
    }
    scan->state = CALL_NONE;
    return STATUS_OK;
}

void cassandra_scan_count(struct cassandra_scan *scan, struct database_counts *counts)
{
    scan->patience.counts = counts;
}

/* ---------------------------------------------------------------- pages */

enum status cassandra_scan_open(struct cassandra_scans *scans, const char *name, const char *text,
                                const struct cql_range *range, uint32_t field_count,
                                struct cassandra_scan **scan, struct error *error)
{
    struct cassandra *self = scans->cassandra;
    const struct cql_prepared *prepared = NULL;
    *scan = NULL;
    if (cassandra_calls_prepare(self, scans->session, text, &prepared, error) != STATUS_OK) {
        error_recode(error, ERROR_SOURCE_READ);
        return error_context(error, "%s: ", name);
    }
    if (field_count > 0 && prepared->columns.count != field_count) {
        return error_set(error, ERROR_NETWORK_ANSWER, name,
                         "a SELECT has other columns than asked");
    }
    struct cassandra_scan *made = memory_allocate_zeroed(1, sizeof(*made));
    made->call.answered = answered;
    made->scans = scans;
    made->name = name;
    made->prepared = prepared;
    made->column_count = prepared->columns.count;
    made->ranged = range != NULL;
    made->ranges[0] = range != NULL ? *range : (struct cql_range){CQL_TOKEN_MIN, CQL_TOKEN_MAX};
    made->range_count = 1;
    made->page_rows = self->settings.page_rows;
    made->consistency = self->settings.read_consistency;
    cassandra_patience_begin(&made->patience, self);
    *scan = made;
    return STATUS_OK;
}

void cassandra_scan_passed(struct cassandra_scan *scan, int64_t token)
{
    if (!scan->handed_last) {
        scan->passed = token;
        scan->has_passed = true;
    }
}

/* The page goes out, and the next one is asked for. */
static enum status hand_over(struct cassandra_scan *scan, struct cassandra_page *page,
                             struct error *error)
{
    *page = scan->page;
    scan->page = (struct cassandra_page){0};
    scan_step(scan);
    if (scan->range_count == 0) {
        return STATUS_OK;
    }
    enum status status = cassandra_scan_ask(scan, error);
    if (status == STATUS_FAILED) {
        cassandra_page_free(page);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* Until something is there, or `until_ms`. */
static enum status wait_for_answer(struct cassandra_scan *scan, int64_t until_ms)
{
    while (scan->state == CALL_UNDER_WAY) {
        int64_t left_ms = until_ms - clock_monotonic_ms();
        if (cassandra_calls_poll(scan->scans->session, left_ms > 0 ? left_ms : 0) != STATUS_OK &&
            left_ms <= 0) {
            return STATUS_AGAIN;
        }
    }
    return STATUS_OK;
}

/* Asks, unless it is too early for that, or others on the session have to be answered first. */
static enum status ask_in_time(struct cassandra_scan *scan, int64_t until_ms, struct error *error)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t wait_ms = scan->patience.wait_until_ms;
    if (wait_ms > now_ms) {
        int64_t until = wait_ms < until_ms ? wait_ms : until_ms;
        if (cassandra_calls_poll(scan->scans->session, until > now_ms ? until - now_ms : 0) !=
                STATUS_OK &&
            clock_monotonic_ms() >= until_ms) {
            return STATUS_AGAIN;
        }
        return STATUS_OK;
    }
    enum status status = cassandra_scan_ask(scan, error);
    if (status == STATUS_AGAIN && cassandra_calls_poll(scan->scans->session, 100) == STATUS_OK) {
        return STATUS_OK;
    }
    return status;
}

enum status cassandra_scan_next(struct cassandra_scan *scan, int64_t timeout_ms,
                                struct cassandra_page *page, struct error *error)
{
    int64_t until_ms = clock_monotonic_ms() + timeout_ms;
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        switch (scan->state) {
        case CALL_NONE:
            if (scan->range_count == 0) {
                return STATUS_END;
            }
            status = ask_in_time(scan, until_ms, error);
            break;
        case CALL_UNDER_WAY:
            status = wait_for_answer(scan, until_ms);
            break;
        case CALL_DONE:
            return hand_over(scan, page, error);
        case CALL_FAILED:
            status = after_failure(scan, error);
            break;
        }
    }
    return status;
}
