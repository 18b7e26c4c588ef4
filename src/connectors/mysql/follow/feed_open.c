/* Opening the feed at a position: of this server, or of one whose place this one has taken. */
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/mysql/follow/feed.h"
#include "connectors/mysql/source.h"
#include <stdlib.h>
#include <string.h>

void mysql_feed_close(struct feed *feed)
{
    if (feed == NULL) {
        return;
    }
    if (feed->stream != NULL) { /* COM_QUIT is no word for a session that sends its log */
        mysql_break_off(feed->stream);
    }
    mysql_disconnect(feed->stream);
    mysql_disconnect(feed->asking);
    mysql_feed_discard(feed);
    mysql_feed_free_tables(feed);
    binlog_payload_free(&feed->payload);
    binlog_gtids_free(&feed->gtids);
    buffer_free(&feed->place_gtids);
    buffer_free(&feed->text);
    buffer_free(&feed->converted);
    arena_destroy(feed->scratch);
    arena_destroy(feed->arena);
    free(feed);
}

/* Up to the description of the format, before which the server says whether it has the place. */
static enum status take_head(struct feed *feed, struct error *error)
{
    struct change_set *set = NULL;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && feed->reading.begun == 0) {
        status = mysql_feed_take_next(feed, &set, error);
    }
    return status;
}

static enum status connect_stream(struct feed *feed, struct error *error)
{
    if (feed->stream != NULL) {
        mysql_break_off(feed->stream);
        mysql_disconnect(feed->stream);
        feed->stream = NULL;
    }
    return mysql_connect(feed->self, &feed->stream, error) == STATUS_OK
               ? mysql_feed_ask_checksums(feed->self, feed->stream, &feed->format, error)
               : STATUS_FAILED;
}

static enum status open_at(struct feed *feed, struct error *error)
{
    feed->opened_begun = feed->place.offset > UINT32_MAX ? 0 : feed->place.begun;
    feed->reached = feed->reading = feed->place;
    feed->reading.begun = 0;
    return connect_stream(feed, error) == STATUS_OK &&
                   mysql_feed_start(feed->self, feed->stream, feed->name, &feed->place, true,
                                    error) == STATUS_OK
               ? take_head(feed, error)
               : STATUS_FAILED;
}

/* A server of MariaDB says so itself when it is asked to begin behind the set. */
static enum status check_has(struct feed *feed, struct error *error)
{
    MYSQL_RES *result = NULL;
    if (feed->self->mariadb) {
        return STATUS_OK;
    }
    enum status status =
        mysql_run_buffer(feed->self, feed->asking,
                         mysql_sql("SELECT gtid_subtract('%S', @@global.gtid_executed)",
                                   feed->place.gtids.data, feed->place.gtids.length),
                         SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    if (row != NULL && row[0] != NULL && row[0][0] != '\0') {
        const char *why = arena_format(
            feed->arena, "the target has transactions that this server does not: %s", row[0]);
        status = mysql_feed_lost(feed->name, why, error);
    }
    mysql_free_result(result);
    return status;
}

static enum status open_behind(struct feed *feed, const struct feed_place *now, struct error *error)
{
    feed->place.number = 0;
    feed->place.offset = 0;
    feed->place.begun = 0;
    feed->place.server = now->server;
    memcpy(feed->place.base, now->base, sizeof feed->place.base);
    feed->reached = feed->reading = feed->place;
    feed->opened_begun = 0;
    if (check_has(feed, error) != STATUS_OK || connect_stream(feed, error) != STATUS_OK ||
        mysql_feed_start_behind(feed->self, feed->stream, feed->name, &feed->place, error) !=
            STATUS_OK ||
        take_head(feed, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* asked now, when the server is known to have the whole set */
    return mysql_feed_now(feed->self, feed->asking, feed->arena, &feed->set_ends, error);
}

/* A file that is there, but in which the offset is none, is of another log. */
static enum status is_purged(struct feed *feed, bool *purged, struct error *error)
{
    MYSQL_RES *result = NULL;
    struct feed_place oldest = {0};
    enum status status = mysql_run(feed->self, feed->asking, "SHOW BINARY LOGS", SQL_SHORT,
                                   ERROR_SOURCE_READ, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    *purged = row != NULL && row[0] != NULL &&
              mysql_feed_read_file((struct text){row[0], strlen(row[0])}, &oldest) &&
              feed->place.number < oldest.number;
    mysql_free_result(result);
    return status;
}

/* The same server, by its own word. */
static enum status open_same(struct feed *feed, const struct feed_place *now, struct error *error)
{
    bool purged = false;
    if (mysql_feed_compare_places(&feed->place, now) > 0) {
        return mysql_feed_lost(feed->name,
                               "the server's binary log ends before the position, as after RESET "
                               "MASTER or in one that was restored",
                               error);
    }
    if (feed->place.number == 0) {
        return feed->has_gtids
                   ? open_behind(feed, now, error)
                   : mysql_feed_lost(feed->name, "the server has no GTIDs any more", error);
    }
    if (feed->has_gtids && is_purged(feed, &purged, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!purged) {
        return open_at(feed, error);
    }
    log_write(LOG_INFO, "%s: %s.%06u is gone; the feed goes on behind its GTIDs",
              feed->self->sql.shown, feed->place.base, (unsigned)feed->place.number);
    return open_behind(feed, now, error);
}

static enum status open_other(struct feed *feed, const struct feed_place *now, struct error *error)
{
    if (!feed->has_gtids) {
        return mysql_feed_lost(
            feed->name, "the position is a file and an offset of another server's log", error);
    }
    log_write(LOG_WARNING,
              "%s: it is another server than the feed was last read from, and the feed goes on "
              "there behind its GTIDs",
              feed->self->sql.shown);
    return open_behind(feed, now, error);
}

static enum status open_all(struct feed *feed, struct error *error)
{
    struct mysql_database *self = feed->self;
    struct feed_place now = {0};
    if (mysql_connect(self, &feed->asking, error) != STATUS_OK ||
        mysql_feed_check_actions(feed, error) != STATUS_OK ||
        mysql_feed_now(self, feed->asking, feed->arena, &now, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    feed->place.has_gtids = feed->place.has_gtids && now.has_gtids;
    feed->has_gtids = feed->place.has_gtids;
    if (feed->has_gtids && !binlog_gtids_read(feed->place.gtids, self->mariadb, &feed->gtids)) {
        return mysql_feed_lost(feed->name, "the position is of another kind of server", error);
    }
    return now.server == feed->place.server ? open_same(feed, &now, error)
                                            : open_other(feed, &now, error);
}

enum status mysql_feed_open(struct database *database, const char *name, struct position position,
                            struct feed **made, struct error *error)
{
    struct feed *feed = memory_allocate_zeroed(1, sizeof *feed);
    *made = NULL;
    feed->self = mysql_database_of(database);
    feed->arena = arena_create(0);
    feed->scratch = arena_create(0);
    feed->name = arena_copy_string(feed->arena, name);
    feed->set_ms = clock_monotonic_ms();
    enum status status =
        mysql_feed_get_place(position, &feed->place)
            ? STATUS_OK
            : error_set(error, ERROR_LEDGER_INVALID, name, "the position is none of a MySQL feed");
    if (feed->place.has_gtids) { /* the position need not live as long */
        buffer_append(&feed->place_gtids, feed->place.gtids.data, feed->place.gtids.length);
        feed->place.gtids =
            (struct text){buffer_string(&feed->place_gtids), feed->place_gtids.length};
    }
    status = status == STATUS_OK ? open_all(feed, error) : status;
    if (status != STATUS_OK) {
        mysql_feed_close(feed);
        return STATUS_FAILED;
    }
    *made = feed;
    return STATUS_OK;
}
