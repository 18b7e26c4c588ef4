/*
 * Positions of a SQLite file's feed: a row of the log.
 *
 *   8 bytes, big-endian   its sequence
 *   8 bytes, big-endian   its moment, in milliseconds since 1970
 *
 * A file that was put back from a backup counts on from the backup's last sequence, and logs other
 * changes under sequences that it has given before. Their moments tell them apart. So the row of a
 * confirmed position stays in the log, and the feed goes on only if it is the very row. Positions
 * of earlier versions have the sequence alone.
 */
#include "base/bytes.h"
#include "connectors/sqlite/feed_internal.h"
#include <inttypes.h>

enum { SEQUENCE_BYTES = 8, POSITION_BYTES = 16 };

/* Whole milliseconds, which is what SQLite's clock has: a dump of the file may round the rest. */
#define MOMENT_MS "CAST(round((moment - 2440587.5) * 86400e3) AS INTEGER)"

struct position feed_position_of(struct feed_place place, struct arena *arena)
{
    uint8_t *bytes = arena_allocate(arena, POSITION_BYTES);
    bytes_put_be(bytes, (uint64_t)place.sequence, SEQUENCE_BYTES);
    bytes_put_be(bytes + SEQUENCE_BYTES, (uint64_t)place.moment_ms,
                 POSITION_BYTES - SEQUENCE_BYTES);
    return (struct position){bytes, place.moment_ms != 0 ? POSITION_BYTES : SEQUENCE_BYTES};
}

struct feed_place feed_place_of(struct position position)
{
    struct feed_place place = {0};
    if (position.length == SEQUENCE_BYTES || position.length == POSITION_BYTES) {
        place.sequence = (int64_t)bytes_get_be(position.bytes, SEQUENCE_BYTES);
    }
    if (position.length == POSITION_BYTES) {
        place.moment_ms =
            (int64_t)bytes_get_be(position.bytes + SEQUENCE_BYTES, POSITION_BYTES - SEQUENCE_BYTES);
    }
    return place;
}

void sqlite_feed_print(struct position position, struct buffer *out)
{
    buffer_format(out, "%" PRId64, feed_place_of(position).sequence);
}

bool sqlite_feed_covers(struct position at, struct position goal)
{
    return feed_place_of(at).sequence >= feed_place_of(goal).sequence;
}

/* ---------------------------------------------------------------- the log */

/* One row. STATUS_END: there is none. */
static enum status ask_place(struct sqlite_database *self, sqlite3 *connection, struct buffer *sql,
                             struct feed_place *place, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(connection, buffer_string(sql), -1, &statement, NULL);
    result = result == SQLITE_OK ? sqlite3_step(statement) : result;
    enum status status = result == SQLITE_ROW ? STATUS_OK : STATUS_END;
    if (result == SQLITE_ROW) {
        *place = (struct feed_place){sqlite3_column_int64(statement, 0),
                                     sqlite3_column_int64(statement, 1)};
    } else if (result != SQLITE_DONE) {
        status = feed_failed(self, connection, result, "the feed can't be read", error);
    }
    sqlite3_finalize(statement);
    buffer_free(sql);
    return status;
}

enum status feed_find_place(struct sqlite_database *self, sqlite3 *connection, const char *name,
                            struct feed_place *place, struct error *error)
{
    return ask_place(self, connection,
                     sqlite_sql("SELECT sequence, " MOMENT_MS " FROM main.%s%s WHERE sequence = %D",
                                FEED_LOG, name, place->sequence),
                     place, error);
}

enum status feed_ends_of_log(struct sqlite_database *self, sqlite3 *connection, const char *name,
                             int64_t *first, struct feed_place *last, struct error *error)
{
    struct buffer sql = {0};
    sqlite_append(&sql,
                  "SELECT sequence, " MOMENT_MS " FROM main.%s%s ORDER BY sequence DESC LIMIT 1",
                  FEED_LOG, name);
    enum status status = ask_place(self, connection, &sql, last, error);
    if (status == STATUS_OK && first != NULL) {
        sqlite_append(&sql, "SELECT min(sequence) FROM main.%s%s", FEED_LOG, name);
        status = feed_ask(self, connection, buffer_string(&sql), first, error);
        buffer_free(&sql);
    }
    if (status == STATUS_END) {
        error_set(error, ERROR_FEED_LOST, self->sql.shown, "the log of feed %s was emptied", name);
        return error_hint(error, FEED_RESYNC);
    }
    return status;
}

enum status feed_check_row(struct sqlite_database *self, sqlite3 *connection, const char *name,
                           struct feed_place place, struct error *error)
{
    struct feed_place found = place;
    if (place.moment_ms == 0) {
        return STATUS_OK;
    }
    enum status status = feed_find_place(self, connection, name, &found, error);
    if (status == STATUS_FAILED || (status == STATUS_OK && found.moment_ms == place.moment_ms)) {
        return status;
    }
    error_set(error, ERROR_FEED_LOST, self->sql.shown,
              status == STATUS_END
                  ? "the change at the position of feed %s is not in its log any more"
                  : "the log of feed %s has another change at its position: the source was put "
                    "back from a backup",
              name);
    return error_hint(error, FEED_RESYNC);
}
