/*
 * Rows of a SELECT, page by page: of a range of tokens, or of a user's query.
 *
 *   range -> page, page, … -> END
 *              '-- too slow, or too many tombstones: smaller pages, down to a few rows,
 *                  then halves of the range, down to one token
 *
 * The next page is asked for as soon as one is handed over, so that there are two in memory at
 * most. Pages are as large as their bytes allow. A page that was lost is asked for again.
 */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_SCAN_H
#define TRANSHUME_CONNECTORS_CASSANDRA_SCAN_H

#include "connectors/cassandra/calls.h"

/* A reader's session and the scans on it; one thread. */
struct cassandra_scans {
    struct cassandra *cassandra;
    struct cql_session *session;
    struct cassandra_scan *abandoned; /* closed, with a call under way */
};

void cassandra_scans_close(struct cassandra_scans *scans);

struct cassandra_page {
    struct cql_rows rows; /* their columns hold until the reader is closed */
    struct buffer bytes;  /* what the rows point into */
};

void cassandra_page_free(struct cassandra_page *page);

struct cassandra_scan;

/* `range` NULL: the statement has no parameters. Its rows have `field_count` values (0: any
 * number). `name` is for messages; texts are borrowed. */
enum status cassandra_scan_open(struct cassandra_scans *scans, const char *name, const char *text,
                                const struct cql_range *range, uint32_t field_count,
                                struct cassandra_scan **scan, struct error *error) MUST_USE;
/* Where its retries and fallbacks are counted besides the database's report. */
void cassandra_scan_count(struct cassandra_scan *scan, struct database_counts *counts);
/* NULL is fine. */
void cassandra_scan_close(struct cassandra_scan *scan);

/* The columns of its rows. */
const struct cql_columns *cassandra_scan_columns(const struct cassandra_scan *scan);
/* The next page, which is the caller's. STATUS_AGAIN: none within `timeout_ms`. STATUS_END: that
 * was all. The page before must have been read to its end. */
enum status cassandra_scan_next(struct cassandra_scan *scan, int64_t timeout_ms,
                                struct cassandra_page *page, struct error *error) MUST_USE;
/* The last row of the page of a range that was handed over has this token. To be called once the
 * page was read, before the next one: what is left of the range begins there. */
void cassandra_scan_passed(struct cassandra_scan *scan, int64_t token);

#endif
