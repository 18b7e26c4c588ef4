/*
 * Values too large to hold: handles that read them piece by piece, by the row's place (its table's
 * number, since one that others inherit from holds their rows too, and ctid), which stays the same
 * within the snapshot. All handles of a source share one connection, made anew where it ends.
 */
#include "connectors/sql/large.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "connectors/postgres/source.h"
#include <stdio.h>
#include <string.h>

struct postgres_large {
    struct sql_large base;
    struct postgres_database *database;
    const char *select; /* behind the place */
    char place[];       /* the number of the row's table and, behind a NUL, its ctid */
};

static enum status ask_once(struct postgres_large *self, uint64_t offset, size_t size,
                            PGresult **result, struct error *error)
{
    struct postgres_database *database = self->database;
    char numbers[2][24];
    PGresult *rest = NULL;
    snprintf(numbers[0], sizeof numbers[0], "%llu", (unsigned long long)offset + 1);
    snprintf(numbers[1], sizeof numbers[1], "%zu", size);
    const char *const values[] = {numbers[0], numbers[1], self->place,
                                  self->place + strlen(self->place) + 1};
    if (failpoint_hit("postgres.before_slice", error) != STATUS_OK ||
        (database->slicer == NULL &&
         postgres_reader_connect(database, &database->slicer, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    PGconn *connection = database->slicer;
    enum status status =
        PQsendQueryParams(connection, self->select, 4, NULL, values, NULL, NULL, 1) == 0
            ? postgres_failure(database, connection, NULL, ERROR_NETWORK, error)
            : postgres_next_result(database, connection, SQL_LONG, result, error);
    if (status == STATUS_OK && PQresultStatus(*result) != PGRES_TUPLES_OK) {
        status = postgres_failure(database, connection, *result, ERROR_SOURCE_READ, error);
    }
    while (PQstatus(connection) == CONNECTION_OK &&
           postgres_next_result(database, connection, SQL_SHORT, &rest, NULL) == STATUS_OK &&
           rest != NULL) {
        PQclear(rest);
    }
    return status == STATUS_OK ? postgres_hold_lasts(database, error) : status;
}

/* The snapshot can be imported again as long as its holder lives. */
static enum status postgres_large_ask(struct postgres_large *self, uint64_t offset, size_t size,
                                      PGresult **result, struct error *error)
{
    struct postgres_database *database = self->database;
    enum status status = ask_once(self, offset, size, result, error);
    if (status != STATUS_OK && database->slicer != NULL &&
        PQstatus(database->slicer) != CONNECTION_OK) {
        postgres_disconnect(database->slicer);
        database->slicer = NULL;
        PQclear(*result);
        *result = NULL;
        status = ask_once(self, offset, size, result, error);
    }
    return status;
}

static enum status postgres_large_fetch(struct sql_large *base, uint64_t offset, void *bytes,
                                        size_t size, struct error *error)
{
    struct postgres_large *self = (struct postgres_large *)base;
    PGresult *result = NULL;
    enum status status = postgres_large_ask(self, offset, size, &result, error);
    if (status == STATUS_OK &&
        (PQntuples(result) != 1 || (size_t)PQgetlength(result, 0, 0) != size)) {
        status = error_set(error, ERROR_SOURCE_READ, base->shown,
                           "a large value is not there any more as it was");
    }
    if (status == STATUS_OK) {
        memcpy(bytes, PQgetvalue(result, 0, 0), size);
    }
    PQclear(result);
    return status;
}

/* "LENGTH TABLE (BLOCK,ROW)" */
enum { TOLD_BYTES_MAX = 64 };

enum status postgres_large_make(struct postgres_database *database,
                                const struct postgres_sliced *column, const char *told,
                                size_t length, struct batch *batch, struct cell *cell,
                                struct error *error)
{
    uint64_t bytes = 0;
    const char *space = memchr(told, ' ', length);
    size_t digits = space != NULL ? (size_t)(space - told) : 0;
    size_t place = space != NULL ? length - digits - 1 : 0;
    const char *second = space != NULL ? memchr(space + 1, ' ', place) : NULL;
    if (length > TOLD_BYTES_MAX || digits == 0 || second == NULL ||
        text_to_uint64(told, digits, &bytes) != STATUS_OK) {
        return error_set(error, ERROR_SOURCE_READ, database->sql.shown,
                         "the place of a large value is not told as it was asked for");
    }
    size_t select = strlen(column->select) + 1;
    struct postgres_large *large = memory_allocate_zeroed(1, sizeof *large + place + 1 + select);
    large->base = (struct sql_large){.shown = database->sql.shown,
                                     .lock = &database->slicer_lock,
                                     .fetch = postgres_large_fetch,
                                     .block_bytes = POSTGRES_SLICE_BYTES};
    large->database = database;
    memcpy(large->place, space + 1, place);
    large->place[second - (space + 1)] = '\0';
    memcpy(large->place + place + 1, column->select, select);
    large->select = large->place + place + 1;
    sql_large_keep(&large->base, column->kind, bytes, batch, cell);
    return STATUS_OK;
}
