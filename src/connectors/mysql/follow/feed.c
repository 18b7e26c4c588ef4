/* The feed as the engine calls it: the next set, where the source is, how it stands. */
#include "connectors/mysql/follow/feed.h"
#include "base/clock.h"
#include <string.h>
#include <unistd.h>

static enum status feed_next(struct feed *feed, int64_t timeout_ms, struct change_set **set,
                             struct error *error)
{
    int64_t end = clock_monotonic_ms() + timeout_ms;
    enum status status = STATUS_OK;
    *set = NULL;
    while (status == STATUS_OK && *set == NULL) {
        status = mysql_feed_take_next(feed, set, error);
        if (status == STATUS_OK && *set == NULL && clock_monotonic_ms() >= end &&
            binlog_payload_ended(&feed->payload) && !mysql_feed_has_more(feed)) {
            return STATUS_AGAIN;
        }
    }
    return status;
}

/* ---------------------------------------------------------------- where the source is */

static enum status feed_head(struct database *database, struct arena *arena,
                             struct position *position, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    struct feed_place place;
    MYSQL *connection = NULL;
    enum status status = mysql_connect(self, &connection, error);
    status = status == STATUS_OK ? mysql_feed_now(self, connection, arena, &place, error) : status;
    mysql_disconnect(connection);
    if (status == STATUS_OK) {
        mysql_feed_put_place(&place, arena, position);
        atomic_store(&self->feed_head_file, place.number);
        atomic_store(&self->feed_head_offset, place.offset);
    }
    return status;
}

static enum status feed_confirm(struct feed *feed, struct position position, struct error *error)
{
    struct feed_place place;
    return mysql_feed_get_place(position, &place)
               ? STATUS_OK
               : error_set(error, ERROR_LEDGER_INVALID, feed->name,
                           "the position is none of a MySQL feed");
}

/* The bytes behind the position; how long they are kept the server measures in time. */
static enum status count_behind(struct feed *feed, int64_t *bytes, struct error *error)
{
    MYSQL_RES *result = NULL;
    int64_t found = 0;
    enum status status = mysql_run(feed->self, feed->asking, "SHOW BINARY LOGS", SQL_SHORT,
                                   ERROR_SOURCE_READ, &result, error);
    for (MYSQL_ROW row; status == STATUS_OK && (row = mysql_fetch_row(result)) != NULL;) {
        struct feed_place file = {0};
        int64_t size = 0;
        if (row[0] != NULL && row[1] != NULL &&
            mysql_feed_read_file((struct text){row[0], strlen(row[0])}, &file) &&
            text_to_int64(row[1], strlen(row[1]), &size) == STATUS_OK &&
            file.number >= feed->place.number) {
            found += size;
            found -= file.number == feed->place.number ? (int64_t)feed->place.offset : 0;
        }
    }
    mysql_free_result(result);
    *bytes = found > 0 ? found : 0;
    return status;
}

/* For how long the server keeps its log; -1: for ever, or by its size. */
static enum status ask_expiry(struct feed *feed, int64_t *keeps_us, struct error *error)
{
    uint64_t seconds = 0;
    enum status status = mysql_feed_ask_expiry(feed->self, feed->asking, &seconds, error);
    *keeps_us = seconds > 0 && seconds < INT64_MAX / 1000000 ? (int64_t)seconds * 1000000 : -1;
    return status;
}

static enum status ask_clock(struct feed *feed, int64_t *ahead_us, struct error *error)
{
    MYSQL_RES *result = NULL;
    int64_t there_us = 0;
    enum status status = mysql_run(feed->self, feed->asking,
                                   "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)",
                                   SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    *ahead_us = row != NULL && row[0] != NULL &&
                        text_to_int64(row[0], strlen(row[0]), &there_us) == STATUS_OK
                    ? there_us - clock_utc_us()
                    : 0;
    mysql_free_result(result);
    return status;
}

/* The log is kept for others, too: nothing of it goes with the feed. */
static enum status feed_health(struct feed *feed, struct feed_health *health, struct error *error)
{
    *health = FEED_HEALTH_UNKNOWN;
    if (ask_clock(feed, &health->clock_us, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (feed->caught_up && !feed->in_transaction) {
        health->lag_us = 0;
    } else if (feed->brought_time_us > 0) {
        int64_t lag = clock_utc_us() + health->clock_us - feed->brought_time_us;
        health->lag_us = lag > 0 ? lag : 0;
    }
    enum status status = ask_expiry(feed, &health->keeps_us, error);
    return status == STATUS_OK && feed->place.number > 0
               ? count_behind(feed, &health->lag_bytes, error)
               : status;
}

const struct feed_functions mysql_feed_functions = {
    .elsewhere = true,
    .whole_rows = true,
    .create = mysql_feed_create,
    .drop = mysql_feed_drop,
    .open = mysql_feed_open,
    .close = mysql_feed_close,
    .next = feed_next,
    .confirm = feed_confirm,
    .health = feed_health,
    .foresee = mysql_feed_foresee,
    .fence = mysql_feed_fence,
    .may_fence = mysql_may_fence,
    .head = feed_head,
    .print = mysql_feed_print,
    .covers = mysql_feed_covers,
};
