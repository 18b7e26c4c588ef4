/* Digests: sums of hashes, made by the server. */
#include "connectors/sql/digest.h"
#include "connectors/mysql/source.h"

static enum status digest_take(MYSQL_RES *result, const struct read_request *request,
                               struct digest_sum *sums, uint64_t *bytes, struct error *error)
{
    enum status status = STATUS_OK;
    MYSQL_ROW row;
    while (status == STATUS_OK && result != NULL && (row = mysql_fetch_row(result)) != NULL) {
        status = sql_digest_take(request, (const char *const *)row, sums, bytes, error);
    }
    return status;
}

enum status mysql_digest(struct reader *reader, const struct read_request *request,
                         const struct span *span, struct digest_sum *sums, uint64_t *bytes,
                         struct error *error)
{
    struct mysql_database *self = mysql_reader_database(reader);
    struct arena *arena = arena_create(4096);
    struct buffer sql = {0};
    MYSQL *connection = NULL;
    MYSQL_RES *result = NULL;
    enum status status = mysql_pool_take(self, &connection, error);
    if (status == STATUS_OK) {
        status = mysql_digest_compile(self, connection, request, span, arena, &sql, error);
    }
    *bytes += sql.length;
    if (status == STATUS_OK) {
        status =
            mysql_run_buffer(self, connection, &sql, SQL_BUILD, ERROR_SOURCE_READ, &result, error);
    }
    status = status == STATUS_OK ? digest_take(result, request, sums, bytes, error) : status;
    if (status != STATUS_OK) {
        error_context(error, "%s: ", request->name);
    }
    mysql_free_result(result);
    buffer_free(&sql);
    arena_destroy(arena);
    mysql_pool_give(self, connection);
    return status;
}
