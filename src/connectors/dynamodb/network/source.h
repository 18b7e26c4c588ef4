/* DynamoDB as a source: what its files share. */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_SOURCE_H
#define TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_SOURCE_H

#include "connectors/dynamodb/network/describe.h"
#include "connectors/dynamodb/network/network.h"
#include "connectors/dynamodb/network/page.h"
#include "connectors/keyed/capacity.h"

/* ---------------------------------------------------------------- catalog.c */

/* The user's tables by name, as they were when they were first asked for. */
struct dynamodb_source {
    struct arena *arena;
    struct dynamodb_description *tables;
    uint32_t table_count;
    _Atomic bool *asked; /* of each table: is all of it to be read? */
};

/* Lists and describes the tables at the first call. Any thread. */
enum status dynamodb_source_get(struct dynamodb_network *network, struct dynamodb_source **source,
                                struct error *error) MUST_USE;
void dynamodb_source_destroy(struct dynamodb_source *source); /* NULL is fine */
/* Refuses a table that is not there, or is being made or deleted. */
enum status dynamodb_source_find(struct dynamodb_network *network, const char *name,
                                 const struct dynamodb_description **table,
                                 struct error *error) MUST_USE;

/* A table as the catalogue tells it; its texts stay where they are. */
void dynamodb_catalog_table(const struct dynamodb_description *from, struct arena *arena,
                            struct schema_table *to);

/* ---------------------------------------------------------------- scan.c */

/* A connection of its own, of one thread; its scans share it. */
struct dynamodb_scanner;
enum status dynamodb_scanner_create(struct dynamodb_network *network,
                                    struct dynamodb_scanner **scanner,
                                    struct error *error) MUST_USE;
void dynamodb_scanner_destroy(struct dynamodb_scanner *scanner); /* NULL is fine */

/* The pages of one Scan or Query, or of items by their keys, each asked for as soon as the one
 * before it is there. */
struct dynamodb_scan;

struct dynamodb_scan_page {
    struct buffer body;
    struct dynamodb_page page; /* points into `body` */
};

/*
 * `operation` is a literal; `members` is the request without its braces and without
 * ExclusiveStartKey, and is copied; `object` outlives the scan. `milliunits` is a guess of what a
 * page takes. Nothing is sent yet.
 */
struct dynamodb_scan *dynamodb_scan_create(struct dynamodb_scanner *scanner, const char *operation,
                                           const char *object, const struct buffer *members,
                                           int64_t milliunits);
/* The items under the wanted keys, strongly consistent. `table` and `wanted` outlive it. */
struct dynamodb_wanted;
struct dynamodb_scan *dynamodb_scan_create_by_key(struct dynamodb_scanner *scanner,
                                                  const char *table,
                                                  struct dynamodb_wanted *wanted);
/* Its retries are counted there, too; NULL: nowhere else. */
void dynamodb_scan_count_in(struct dynamodb_scan *scan, struct database_counts *counts);
void dynamodb_scan_destroy(struct dynamodb_scan *scan); /* NULL is fine */
/*
 * The next page, whose body the caller frees. STATUS_AGAIN: none within wait_ms; STATUS_END: there
 * was the last. What may be sent again is, with backoff, until patience ends; throttling is borne
 * longer, and reported.
 */
enum status dynamodb_scan_next(struct dynamodb_scan *scan, int64_t wait_ms,
                               struct dynamodb_scan_page *page, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- wanted.c */

/*
 * The keys of read_request.keys, each once: BatchGetItem refuses a key that is there twice. Those
 * that no item can have are left out: of another type, null, empty, too long. STATUS_FAILED:
 * ERROR_REJECT_TYPE of an ESCAPE; ERROR_NOT_IMPLEMENTED where they are not the table's own key.
 */
enum status dynamodb_wanted_create(const struct read_request *request,
                                   const struct dynamodb_description *table,
                                   struct dynamodb_wanted **wanted, struct error *error) MUST_USE;
void dynamodb_wanted_destroy(struct dynamodb_wanted *wanted); /* NULL is fine */
/* The list of up to `keys_max` keys that were not given before, as JSON; 0: there are none. */
uint32_t dynamodb_wanted_next(struct dynamodb_wanted *wanted, uint32_t keys_max,
                              struct buffer *list);
/* Is it among all of them? `key` as the table's parts are. */
bool dynamodb_wanted_has(const struct dynamodb_wanted *wanted, const struct cell *key);

/* ---------------------------------------------------------------- reader.c */

extern const struct catalog_functions dynamodb_network_catalog;
extern const struct source_functions dynamodb_network_source;

enum status dynamodb_network_cursor_open(struct reader *reader, const struct read_request *request,
                                         const struct span *span, struct cursor **cursor,
                                         struct error *error) MUST_USE;
enum status dynamodb_network_cursor_next(struct cursor *cursor, uint32_t rows_max, size_t bytes_max,
                                         struct batch **batch, struct error *error) MUST_USE;
void dynamodb_network_cursor_close(struct cursor *cursor);

struct reader {
    struct dynamodb_network *network;
    struct dynamodb_scanner *scanner;
};

/* A span's bounds: uint32 segment, uint32 segments in all, little endian. */
enum { DYNAMODB_SPAN_BYTES = 8, DYNAMODB_SEGMENTS_MAX = 1000000 };

/* A page of 1 MB in read units: 4 KB each, half of that unless consistent. */
static inline int64_t dynamodb_page_milliunits(bool consistent)
{
    return consistent ? 256000 : 128000;
}

/* ---------------------------------------------------------------- query.c */

/* Queries of a plan, in DynamoDB's own language: the JSON of its Query and Scan. */
struct dynamodb_query {
    const char *operation; /* "Query" or "Scan" */
    const struct dynamodb_description *table;
    struct buffer members; /* of the request, without braces */
};

/* STATUS_FAILED: ERROR_PLAN_INVALID, or there is no such table. Nothing is asked of the server but
 * which tables there are. */
enum status dynamodb_query_read(struct dynamodb_network *network, const char *text,
                                struct dynamodb_query *query, struct error *error) MUST_USE;
void dynamodb_query_free(struct dynamodb_query *query);

/* catalog_functions.describe_query: tries it with one item. */
enum status dynamodb_query_describe(struct database *self, const char *text, struct arena *arena,
                                    struct schema_table *table, struct error *error) MUST_USE;

#endif
