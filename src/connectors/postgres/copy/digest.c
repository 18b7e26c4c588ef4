/* Digests: sums of hashes, made by the server. */
#include "connectors/sql/digest.h"
#include "connectors/postgres/source.h"

/* ---------------------------------------------------------------- asking */

static enum status postgres_digest_take(const PGresult *result, const struct read_request *request,
                                        struct digest_sum *sums, uint64_t *bytes,
                                        struct error *error)
{
    enum status status = STATUS_OK;
    for (int row = 0; status == STATUS_OK && row < PQntuples(result); row++) {
        const char *cells[SQL_DIGEST_CELLS];
        for (int i = 0; i < SQL_DIGEST_CELLS; i++) {
            cells[i] = PQgetvalue(result, row, i);
        }
        status = sql_digest_take(request, cells, sums, bytes, error);
    }
    return status;
}

enum status postgres_digest(struct reader *reader, const struct read_request *request,
                            const struct span *span, struct digest_sum *sums, uint64_t *bytes,
                            struct error *error)
{
    struct postgres_database *self = postgres_reader_database(reader);
    struct arena *arena = arena_create(4096);
    struct buffer sql = {0};
    PGconn *connection = NULL;
    PGresult *result = NULL;
    enum status status = postgres_reader_take(reader, &connection, error);
    if (status == STATUS_OK) {
        status = postgres_digest_compile(self, connection, request, span, arena, &sql, error);
    }
    if (status == STATUS_OK) {
        status = postgres_query(self, connection, buffer_string(&sql), NULL, 0, SQL_BUILD,
                                ERROR_SOURCE_READ, &result, error);
    }
    status = status == STATUS_OK ? postgres_hold_lasts(self, error) : status;
    status =
        status == STATUS_OK ? postgres_digest_take(result, request, sums, bytes, error) : status;
    *bytes += sql.length;
    if (status != STATUS_OK) {
        error_context(error, "%s: ", request->name);
        status = postgres_reading_failed(self, error);
    }
    PQclear(result);
    buffer_free(&sql);
    arena_destroy(arena);
    postgres_reader_give(reader, connection);
    return status;
}
