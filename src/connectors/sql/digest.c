/*
 * The statement of a digest:
 *
 *   SELECT b, count(*), count(h), sum(first half of h), sum(second half of h)
 *   FROM (SELECT bucket AS b, md5(text of the row) AS h FROM root WHERE span) GROUP BY b
 */
#include "connectors/sql/digest.h"
#include <string.h>

static enum status append_text(struct sql_request *request, bool key_only)
{
    const struct sql_digest_words *words = request->dialect->digest_words;
    const struct digest *digest = request->asked->digest;
    struct buffer *sql = &request->out->sql;
    bool first = true;
    buffer_append_string(sql, words->open);
    for (uint32_t i = 0; i < digest->column_count; i++) {
        if (key_only && !digest->columns[i].key) {
            continue;
        }
        buffer_append_string(sql, first ? "" : words->between);
        if (words->append_part(request, &digest->columns[i]) != STATUS_OK) {
            return STATUS_FAILED;
        }
        first = false;
    }
    buffer_append_string(sql, words->close);
    return STATUS_OK;
}

static enum status append_hash(struct sql_request *request, bool key_only)
{
    buffer_append_string(&request->out->sql, request->dialect->digest_words->md5);
    enum status status = append_text(request, key_only);
    buffer_append_byte(&request->out->sql, ')');
    return status;
}

static const struct digest_column *first_of_key(const struct digest *digest)
{
    for (uint32_t i = 0; i < digest->column_count; i++) {
        if (digest->columns[i].key) {
            return &digest->columns[i];
        }
    }
    return NULL;
}

static enum status append_bucket(struct sql_request *request)
{
    const struct sql_digest_words *words = request->dialect->digest_words;
    const struct digest *digest = request->asked->digest;
    const struct digest_column *key = first_of_key(digest);
    struct buffer *sql = &request->out->sql;
    enum status status = STATUS_OK;
    buffer_append_string(sql, "COALESCE(");
    if (digest->by_integer && key != NULL) {
        status = sql_request_column(request, -1, key->name);
    } else {
        buffer_append_string(sql, words->number);
        status = append_hash(request, key != NULL);
        buffer_append_string(sql, words->number_end);
    }
    buffer_format(sql, " & %u, 0)", digest->bucket_count - 1);
    return status;
}

enum status sql_digest_begin(struct sql_request *request)
{
    struct buffer *sql = &request->out->sql;
    buffer_format(sql, "%sSELECT ", request->dialect->digest_words->head);
    if (append_bucket(request) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(sql, " AS b, ");
    if (append_hash(request, false) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(sql, " AS h");
    return STATUS_OK;
}

enum status sql_digest_end(struct sql_request *request)
{
    buffer_append_string(&request->out->sql, request->dialect->digest_words->tail);
    return STATUS_OK;
}

enum status sql_digest_append_wanted(struct sql_request *request, const char *begin)
{
    struct buffer *sql = &request->out->sql;
    buffer_append_string(sql, begin);
    if (append_bucket(request) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < request->asked->bucket_count; i++) {
        buffer_format(sql, "%s%u", i == 0 ? " IN (" : ", ", request->asked->buckets[i]);
    }
    buffer_append_string(sql, request->asked->bucket_count > 0 ? ")" : " IS NULL");
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the result */

/* Modulo 2^64, however many digits there are. */
static bool read_number(const char *text, uint64_t *number)
{
    bool negative = text != NULL && *text == '-';
    const char *at = text + negative;
    *number = 0;
    if (text == NULL || *at == '\0' || strspn(at, "0123456789") != strlen(at)) {
        return false;
    }
    for (; *at != '\0'; at++) {
        *number = *number * 10 + (uint64_t)(*at - '0');
    }
    *number = negative ? 0 - *number : *number;
    return true;
}

enum status sql_digest_take(const struct read_request *request,
                            const char *const cells[SQL_DIGEST_CELLS], struct digest_sum *sums,
                            uint64_t *bytes, struct error *error)
{
    uint64_t numbers[SQL_DIGEST_CELLS];
    bool good = true;
    for (uint32_t i = 0; i < SQL_DIGEST_CELLS; i++) {
        good &= read_number(cells[i], &numbers[i]);
        *bytes += cells[i] != NULL ? strlen(cells[i]) + 1 : 1;
    }
    if (!good || numbers[0] >= request->digest->bucket_count || numbers[2] > numbers[1]) {
        return error_set(error, ERROR_SOURCE_READ, request->name,
                         "what the server says is no sum of hashes");
    }
    struct digest_sum *sum = &sums[numbers[0]];
    sum->rows += numbers[1];
    sum->doubtful += numbers[1] - numbers[2];
    sum->high += numbers[3];
    sum->low += numbers[4];
    return STATUS_OK;
}
