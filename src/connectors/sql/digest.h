/* Digests of rows, made by the server: what SQL databases write alike, and what each in its own
 * way. */
#ifndef TRANSHUME_CONNECTORS_SQL_DIGEST_H
#define TRANSHUME_CONNECTORS_SQL_DIGEST_H

#include "connectors/sql/request.h"

struct sql_digest_words {
    const char *head; /* of a SELECT of a bucket, its rows, their hashes and the hashes' two sums,
                         in this order, from rows of a bucket b and a hash h that stand behind it */
    const char *tail;
    const char *open;    /* texts one behind the other: NULL if one of them is */
    const char *between; /* two parts, and a semicolon */
    const char *close;
    const char *md5;    /* of the text that follows, up to a parenthesis */
    const char *number; /* the MD5 that follows as the number of its last four digits, up to: */
    const char *number_end;
    /* A column's part of the text. NULL in a column of the key makes it NULL. */
    enum status (*append_part)(struct sql_request *request, const struct digest_column *column);
};

/* "SELECT …" of the sums, up to FROM; what stands behind the rows. */
enum status sql_digest_begin(struct sql_request *request) MUST_USE;
enum status sql_digest_end(struct sql_request *request) MUST_USE;
/* `begin` and the condition that a row is in one of the buckets that are asked for. */
enum status sql_digest_append_wanted(struct sql_request *request, const char *begin) MUST_USE;

/* Adds one row of the result, as texts; its bytes are counted. */
enum { SQL_DIGEST_CELLS = 5 };
enum status sql_digest_take(const struct read_request *request,
                            const char *const cells[SQL_DIGEST_CELLS], struct digest_sum *sums,
                            uint64_t *bytes, struct error *error) MUST_USE;

#endif
