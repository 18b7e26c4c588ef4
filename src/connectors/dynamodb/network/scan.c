/*
 * Fetching pages ahead: while one page is read, the next is under way.
 *
 *   request n, answered ──> page n queued ──> cursor reads it
 *                  └─> request n+1 with n's LastEvaluatedKey, once page n was taken
 *
 * Of items by their keys request n+1 has those that answer n left unprocessed, or else the next.
 */
#include "connectors/dynamodb/network/source.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/contract/report.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECTIONS_MAX = 4,
    PATIENCE_TIMEOUTS = 4,
    THROTTLE_PATIENCE_MS = 30 * 60 * 1000,
    SAY_EVERY_MS = 30 * 1000,
    KEYS_MAX = 100,               /* of one BatchGetItem */
    ANSWER_BYTES_FULL = 15000000, /* about where it leaves keys that did not fit: 16 MB */
    CAPACITY_SLICE_MS = 100,
    READ_UNIT_BYTES = 4096
};

/* A request under way: what its answer is known by. */
struct fetch {
    struct dynamodb_scan *scan; /* NULL: nobody waits for it any more */
    struct fetch *next;         /* of those that nobody waits for */
    struct buffer body;
};

struct dynamodb_scanner {
    struct dynamodb_network *network;
    struct dynamodb_client *client;
    struct fetch *left; /* fetches whose scans are gone */
};

struct dynamodb_scan {
    struct dynamodb_scanner *scanner;
    const char *operation;
    const char *object;
    struct buffer members;
    struct dynamodb_wanted *wanted; /* borrowed; NULL: a Scan or Query */
    struct buffer rest;  /* what the next request goes on with; empty: the first one, or the last */
    struct fetch *fetch; /* under way; NULL: none */
    struct dynamodb_scan_page page;
    bool has_page;
    bool done;   /* the last page is there */
    bool failed; /* with `error` */
    struct error error;
    uint32_t failures; /* in a row */
    int64_t failing_since_ms;
    int64_t retry_at_ms;
    int64_t said_ms;
    int64_t milliunits;             /* of a page, as far as it is known */
    struct database_counts *counts; /* may be NULL */
};

/* ---------------------------------------------------------------- the scanner */

enum status dynamodb_scanner_create(struct dynamodb_network *network,
                                    struct dynamodb_scanner **scanner, struct error *error)
{
    struct dynamodb_scanner *made = memory_allocate_zeroed(1, sizeof(*made));
    *scanner = NULL;
    made->network = network;
    if (dynamodb_client_create(network->service, CONNECTIONS_MAX, &made->client, error) !=
        STATUS_OK) {
        free(made);
        return STATUS_FAILED;
    }
    *scanner = made;
    return STATUS_OK;
}

static void free_fetch(struct fetch *fetch)
{
    if (fetch != NULL) {
        buffer_free(&fetch->body);
        free(fetch);
    }
}

void dynamodb_scanner_destroy(struct dynamodb_scanner *scanner)
{
    if (scanner == NULL) {
        return;
    }
    dynamodb_client_destroy(scanner->client);
    while (scanner->left != NULL) {
        struct fetch *fetch = scanner->left;
        scanner->left = fetch->next;
        free_fetch(fetch);
    }
    free(scanner);
}

static void scan_forget(struct dynamodb_scanner *scanner, struct fetch *gone)
{
    for (struct fetch **link = &scanner->left; *link != NULL; link = &(*link)->next) {
        if (*link == gone) {
            *link = gone->next;
            break;
        }
    }
    free_fetch(gone);
}

/* ---------------------------------------------------------------- the scan */

struct dynamodb_scan *dynamodb_scan_create(struct dynamodb_scanner *scanner, const char *operation,
                                           const char *object, const struct buffer *members,
                                           int64_t milliunits)
{
    struct dynamodb_scan *made = memory_allocate_zeroed(1, sizeof(*made));
    made->scanner = scanner;
    made->operation = operation;
    made->object = object;
    made->milliunits = milliunits;
    buffer_append(&made->members, members->data, members->length);
    return made;
}

void dynamodb_scan_count_in(struct dynamodb_scan *scan, struct database_counts *counts)
{
    scan->counts = counts;
}

void dynamodb_scan_destroy(struct dynamodb_scan *scan)
{
    if (scan == NULL) {
        return;
    }
    if (scan->fetch != NULL) { /* its body is still borrowed */
        scan->fetch->scan = NULL;
        scan->fetch->next = scan->scanner->left;
        scan->scanner->left = scan->fetch;
    }
    if (scan->has_page) {
        buffer_free(&scan->page.body);
    }
    buffer_free(&scan->members);
    buffer_free(&scan->rest);
    free(scan);
}

static struct keyed_capacity *capacity_of(const struct dynamodb_scan *scan)
{
    return &scan->scanner->network->read_capacity;
}

/* A key takes a unit at least: no request is for more than a second's worth of a cap. */
static uint32_t keys_a_request(const struct dynamodb_scan *scan)
{
    uint64_t cap = scan->scanner->network->read_units;
    return cap > 0 && cap < KEYS_MAX ? (uint32_t)cap : KEYS_MAX;
}

/* Takes the next keys; done where there are none. */
static void take_keys(struct dynamodb_scan *scan)
{
    uint32_t count = dynamodb_wanted_next(scan->wanted, keys_a_request(scan), &scan->rest);
    scan->done = count == 0;
    scan->milliunits = (int64_t)count * 1000;
}

struct dynamodb_scan *dynamodb_scan_create_by_key(struct dynamodb_scanner *scanner,
                                                  const char *table, struct dynamodb_wanted *wanted)
{
    struct buffer members = {0};
    buffer_append_string(&members, "\"ReturnConsumedCapacity\":\"TOTAL\",\"RequestItems\":{");
    json_append_string(&members, table, strlen(table));
    buffer_append_string(&members, ":{\"ConsistentRead\":true");
    struct dynamodb_scan *made = dynamodb_scan_create(scanner, "BatchGetItem", table, &members, 0);
    buffer_free(&members);
    made->wanted = wanted;
    take_keys(made);
    return made;
}

/* ---------------------------------------------------------------- sending */

static int64_t later(int64_t one, int64_t other)
{
    return one > other ? one : other;
}

/* How long until the next request may be sent. */
static int64_t due_in_ms(const struct dynamodb_scan *scan, int64_t now_ms)
{
    int64_t capped = keyed_capacity_wait_ms(capacity_of(scan), now_ms);
    return later(later(scan->retry_at_ms - now_ms, 0),
                 capped < CAPACITY_SLICE_MS ? capped : CAPACITY_SLICE_MS);
}

static bool wants_page(const struct dynamodb_scan *scan)
{
    return scan->fetch == NULL && !scan->has_page && !scan->done && !scan->failed;
}

static enum status send_request(struct dynamodb_scan *scan, struct error *error)
{
    struct fetch *fetch = memory_allocate_zeroed(1, sizeof(*fetch));
    fetch->scan = scan;
    buffer_append_byte(&fetch->body, '{');
    buffer_append(&fetch->body, scan->members.data, scan->members.length);
    if (scan->rest.length > 0) {
        buffer_append_string(&fetch->body,
                             scan->wanted != NULL ? ",\"Keys\":" : ",\"ExclusiveStartKey\":");
        buffer_append(&fetch->body, scan->rest.data, scan->rest.length);
    }
    buffer_append_string(&fetch->body, scan->wanted != NULL ? "}}}" : "}");
    const struct dynamodb_request request = {.operation = scan->operation,
                                             .object = scan->object,
                                             .body = fetch->body.data,
                                             .body_length = fetch->body.length,
                                             .context = fetch};
    enum status status = dynamodb_client_submit(scan->scanner->client, &request, error);
    if (status != STATUS_OK) {
        free_fetch(fetch);
        return status;
    }
    scan->fetch = fetch;
    return STATUS_OK;
}

static enum status send_if_due(struct dynamodb_scan *scan, struct error *error)
{
    int64_t now_ms = clock_monotonic_ms();
    if (!wants_page(scan) || now_ms < scan->retry_at_ms ||
        keyed_capacity_reserve(capacity_of(scan), now_ms, scan->milliunits) > 0) {
        return STATUS_OK;
    }
    enum status status = send_request(scan, error);
    if (status != STATUS_OK) {
        keyed_capacity_take(capacity_of(scan), -scan->milliunits);
    }
    return status;
}

/* ---------------------------------------------------------------- answers */

static void network_scan_fail(struct dynamodb_scan *scan, const struct error *error)
{
    scan->failed = true;
    error_copy(&scan->error, error);
}

/* The units that the page took, for the cap and for the report. */
static void account(struct dynamodb_scan *scan, const struct dynamodb_scan_page *page)
{
    bool consistent = scan->wanted != NULL || scan->scanner->network->consistent;
    int64_t used = (int64_t)page->page.milliunits;
    if (used == 0) { /* not told: the answer's length is more than what is counted */
        int64_t units = (int64_t)(page->body.length / READ_UNIT_BYTES) + 1;
        used = units * (consistent ? 1000 : 500);
    }
    keyed_capacity_take(capacity_of(scan), used - scan->milliunits);
    report_units(&scan->scanner->network->keyed.base, (double)used / 1000);
    scan->milliunits = used;
}

static int64_t patience_ms(const struct dynamodb_scan *scan, enum dynamodb_fault fault)
{
    int64_t usual = PATIENCE_TIMEOUTS * scan->scanner->network->keyed.room.timeout_ms;
    return fault == DYNAMODB_FAULT_THROTTLED ? later(usual, THROTTLE_PATIENCE_MS) : usual;
}

static void say_trouble(struct dynamodb_scan *scan, const struct service_reply *response,
                        int64_t now_ms)
{
    bool throttled = response->fault == DYNAMODB_FAULT_THROTTLED;
    if (throttled) {
        report_throttled(&scan->scanner->network->keyed.base);
    }
    if (scan->said_ms == 0 || now_ms - scan->said_ms >= SAY_EVERY_MS) {
        scan->said_ms = now_ms;
        log_write(LOG_WARNING, "%s: %s for %" PRId64 " s; it is asked again: %s",
                  response->error.object, throttled ? "throttled" : "no answer",
                  (now_ms - scan->failing_since_ms) / 1000, response->error.message);
    }
}

static void take_fault(struct dynamodb_scan *scan, struct service_reply *response)
{
    int64_t now_ms = clock_monotonic_ms();
    keyed_capacity_take(capacity_of(scan), -scan->milliunits);
    if (scan->failing_since_ms == 0) {
        scan->failing_since_ms = now_ms;
    }
    if (response->error.class != ERROR_CLASS_RETRY) {
        network_scan_fail(scan, &response->error);
        return;
    }
    report_retried(&scan->scanner->network->keyed.base, scan->counts);
    int64_t delay_ms = service_backoff_ms(scan->failures++, response->error.retry_after_ms);
    if (now_ms + delay_ms - scan->failing_since_ms > patience_ms(scan, response->fault)) {
        error_context(&response->error,
                      "given up after %" PRIu32 " tries in %" PRId64 " s: ", scan->failures,
                      (now_ms - scan->failing_since_ms) / 1000);
        response->error.class = ERROR_CLASS_STOP; /* the patience of who asks has been spent here */
        network_scan_fail(scan, &response->error);
        return;
    }
    say_trouble(scan, response, now_ms);
    scan->retry_at_ms = now_ms + delay_ms;
}

/* An answer that did none of what it was asked for: throttled, though it does not say so. */
static void take_nothing(struct dynamodb_scan *scan, struct service_reply *response)
{
    keyed_capacity_take(capacity_of(scan), scan->milliunits); /* take_fault gives it back */
    response->fault = DYNAMODB_FAULT_THROTTLED;
    error_set(&response->error, ERROR_SOURCE_THROTTLED, scan->object,
              "every key was left unprocessed");
    take_fault(scan, response);
}

static enum status read_page(const struct dynamodb_scan *scan, struct dynamodb_scan_page *page,
                             struct error *error)
{
    const struct buffer *body = &page->body;
    return scan->wanted != NULL ? dynamodb_page_read_batch(body->data, body->length, scan->object,
                                                           &page->page, error)
                                : dynamodb_page_read(body->data, body->length, &page->page, error);
}

static void take_page(struct dynamodb_scan *scan, struct service_reply *response)
{
    struct error error;
    struct dynamodb_scan_page page = {.body = response->body};
    response->body = (struct buffer){0};
    error_clear(&error);
    if (read_page(scan, &page, &error) != STATUS_OK) {
        error_recode(&error, ERROR_SOURCE_READ);
        snprintf(error.object, sizeof(error.object), "%s", scan->object);
        buffer_free(&page.body);
        network_scan_fail(scan, &error);
        return;
    }
    account(scan, &page);
    bool left = scan->wanted != NULL && page.page.rest.length > 0;
    bool nothing =
        left && page.page.items.length == 0 && page.page.rest.length >= scan->rest.length;
    buffer_clear(&scan->rest);
    buffer_append(&scan->rest, page.page.rest.data, page.page.rest.length);
    if (nothing) {
        buffer_free(&page.body);
        take_nothing(scan, response);
        return;
    }
    scan->done = page.page.rest.length == 0;
    if (scan->wanted != NULL && scan->done) {
        take_keys(scan);
    }
    bool throttled = left && page.body.length < ANSWER_BYTES_FULL;
    scan->page = page;
    scan->has_page = true;
    scan->failures = 0;
    scan->failing_since_ms = 0;
    scan->retry_at_ms = throttled ? clock_monotonic_ms() + service_backoff_ms(0, 0) : 0;
}

/* Hands an answer to the scan that waits for it, if there still is one. */
static void deliver(struct dynamodb_scanner *scanner, struct service_reply *response)
{
    struct fetch *fetch = (struct fetch *)response->context;
    struct dynamodb_scan *scan = fetch->scan;
    if (scan != NULL) {
        scan->fetch = NULL;
        if (response->fault == DYNAMODB_FAULT_NONE) {
            take_page(scan, response);
        } else {
            take_fault(scan, response);
        }
    }
    scan_forget(scanner, fetch);
    service_reply_destroy(response);
}

/* Waits for any answer, or for the time when the scan may send. */
static enum status wait_for(struct dynamodb_scan *scan, int64_t wait_ms, struct error *error)
{
    struct service_reply *response = NULL;
    if (wants_page(scan)) {
        int64_t due_ms = due_in_ms(scan, clock_monotonic_ms());
        wait_ms = due_ms < wait_ms ? due_ms : wait_ms;
    }
    enum status status = dynamodb_client_poll(scan->scanner->client, wait_ms, &response, error);
    if (status == STATUS_OK) {
        deliver(scan->scanner, response);
    } else if (status == STATUS_END) {
        clock_sleep_ms(wait_ms);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status dynamodb_scan_next(struct dynamodb_scan *scan, int64_t wait_ms,
                               struct dynamodb_scan_page *page, struct error *error)
{
    int64_t until_ms = clock_monotonic_ms() + wait_ms;
    for (;;) {
        if (scan->has_page) {
            *page = scan->page;
            scan->has_page = false;
            enum status status = send_if_due(scan, error);
            if (status != STATUS_OK) {
                buffer_free(&page->body);
            }
            return status;
        }
        if (scan->failed) {
            return error_copy(error, &scan->error);
        }
        if (scan->done) {
            return STATUS_END;
        }
        if (send_if_due(scan, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        int64_t left_ms = until_ms - clock_monotonic_ms();
        if (wait_for(scan, left_ms > 0 ? left_ms : 0, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (left_ms <= 0 && !scan->has_page && !scan->failed) {
            return STATUS_AGAIN;
        }
    }
}
