/* The feed of a SQLite file: polling its log, and forgetting what was confirmed. */
#include "base/clock.h"
#include "connectors/sqlite/feed_internal.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAUSE_MS_MIN = 1,
    PAUSE_MS_MAX = 50,
    LOCK_MS = 50,        /* how long a poll waits for a lock */
    DELETE_LOCK_MS = 20, /* … and a deletion, which can be done later */
    DELETE_ROWS = 1000,  /* in one transaction */
    DELETE_BITES = 20,   /* at once */
    CLOSE_BITES = 500,
    DELETE_PAUSE_MS = 1000,
    SETTLE_TRIES = 10,
    SAMPLE_ROWS = 32
};

/* Shapes of feeds that are closed: sets that they brought may still be in use. */
struct sqlite_feeds {
    pthread_mutex_t lock;
    struct arena **kept;
    uint32_t count;
};

void sqlite_feeds_open(struct sqlite_database *self)
{
    self->feeds = memory_allocate_zeroed(1, sizeof *self->feeds);
    pthread_mutex_init(&self->feeds->lock, NULL);
}

void sqlite_feeds_close(struct sqlite_database *self)
{
    if (self->feeds != NULL) {
        for (uint32_t i = 0; i < self->feeds->count; i++) {
            arena_destroy(self->feeds->kept[i]);
        }
        free(self->feeds->kept);
        pthread_mutex_destroy(&self->feeds->lock);
        free(self->feeds);
        self->feeds = NULL;
    }
}

static void feed_keep(struct sqlite_database *self, struct arena *arena)
{
    struct sqlite_feeds *feeds = self->feeds;
    pthread_mutex_lock(&feeds->lock);
    feeds->kept = memory_resize(feeds->kept, feeds->count + 1u, sizeof *feeds->kept);
    feeds->kept[feeds->count++] = arena;
    pthread_mutex_unlock(&feeds->lock);
}

/* ---------------------------------------------------------------- where the source is */

static enum status feed_head(struct database *database, struct arena *arena,
                             struct position *position, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    sqlite3 *connection = NULL;
    struct feed_place last = {0};
    enum status status = feed_connect(self, true, &connection, error);
    if (status == STATUS_OK) {
        status = feed_ends_of_log(self, connection, self->feed_name, NULL, &last, error);
    }
    sqlite_connection_close(connection);
    *position = feed_position_of(last, arena);
    return status;
}

/* ---------------------------------------------------------------- opening */

static void forget_confirmed(struct feed *feed, int bites);

static void feed_close(struct feed *feed)
{
    if (feed != NULL) {
        if (feed->connection != NULL) {
            forget_confirmed(feed, CLOSE_BITES);
        }
        feed_forget_statements(feed);
        sqlite_connection_close(feed->connection);
        buffer_free(&feed->gone);
        feed_keep(feed->self, feed->arena);
        free(feed);
    }
}

/* The copy holds the changes before its moment. */
static enum status skip_to_snapshot(struct feed *feed, struct error *error)
{
    struct feed_place to = {feed->list.snapshot, 0};
    if (feed_find_place(feed->self, feed->connection, feed->name, &to, error) == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    feed->position = to.sequence;
    feed->begin = feed->end;
    feed->end = to;
    feed->skipped = true;
    return STATUS_OK;
}

/* Rows before the one that was confirmed may be gone; all after the position have to be there, and
 * the one at it has to be the same still. */
static enum status check_position(struct feed *feed, struct error *error)
{
    int64_t first = 0;
    struct feed_place last = {0};
    enum status status =
        feed_ends_of_log(feed->self, feed->connection, feed->name, &first, &last, error);
    if (status != STATUS_OK) {
        return status;
    }
    feed->deleted = first - 1;
    bool known = first > 0 && feed->position >= feed->list.first && feed->position >= first - 1;
    if (known && feed->position <= last.sequence) {
        status = feed_check_row(feed->self, feed->connection, feed->name, feed->end, error);
        return status == STATUS_OK && feed->position < feed->list.snapshot &&
                       feed->list.snapshot <= last.sequence
                   ? skip_to_snapshot(feed, error)
                   : status;
    }
    error_set(error, ERROR_FEED_LOST, feed->self->sql.shown,
              known ? "the source is older than the position of feed %s: it was put back from a "
                      "backup"
                    : "the log of feed %s begins after its position: the changes between them are "
                      "gone",
              feed->name);
    return error_hint(error, FEED_RESYNC);
}

static enum status set_up(struct feed *feed, struct error *error)
{
    int64_t wal = 0;
    enum status status = feed_connect(feed->self, true, &feed->connection, error);
    if (status == STATUS_OK) {
        status = feed_ask(feed->self, feed->connection,
                          "SELECT journal_mode = 'wal' FROM pragma_journal_mode", &wal, error);
    }
    if (status == STATUS_OK && wal != 0) {
        /* what is forgotten need not be on the disk at once, and can't be damaged by that there */
        sqlite3_exec(feed->connection, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL);
    }
    sqlite3_exec(feed->connection, "PRAGMA cache_size=-2048; PRAGMA foreign_keys=OFF", NULL, NULL,
                 NULL);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status feed_open(struct database *database, const char *name, struct position position,
                             struct feed **opened, struct error *error)
{
    struct feed *feed = memory_allocate_zeroed(1, sizeof *feed);
    feed->self = sqlite_database_of(database);
    feed->arena = arena_create(0);
    feed->data_version = -1;
    feed->pause_ms = PAUSE_MS_MIN;
    feed->begin = feed->end = feed_place_of(position);
    feed->position = feed->end.sequence;
    snprintf(feed->name, sizeof feed->name, "%s", name);
    enum status status = set_up(feed, error);
    status = status == STATUS_OK ? feed_settle(feed, error) : status;
    status = status == STATUS_OK ? check_position(feed, error) : status;
    if (status != STATUS_OK) {
        feed_close(feed);
        feed = NULL;
    } else {
        snprintf(feed->self->feed_name, sizeof feed->self->feed_name, "%s", name);
    }
    *opened = feed;
    return status;
}

/* ---------------------------------------------------------------- polling */

/* STATUS_AGAIN: nothing was written since the last poll. */
static enum status look_for_writes(struct feed *feed, struct error *error)
{
    int moved = 0;
    int64_t version = 0;
    enum status status =
        feed_ask(feed->self, feed->connection, "PRAGMA main.data_version", &version, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (feed->pause_ms >= PAUSE_MS_MAX &&
        sqlite3_file_control(feed->connection, "main", SQLITE_FCNTL_HAS_MOVED, &moved) ==
            SQLITE_OK &&
        moved != 0) {
        error_set(error, ERROR_SOURCE_CHANGED, feed->self->sql.shown,
                  "the file was replaced or removed while it is followed");
        error_hint(error, "if the new file goes on where the old one ended, start again: its log "
                          "tells");
        return STATUS_FAILED;
    }
    bool changed = version != feed->data_version;
    feed->data_version = version;
    return changed ? STATUS_OK : STATUS_AGAIN;
}

/* Begins a transaction in which the list is that of the file. */
static enum status feed_begin(struct feed *feed, struct error *error)
{
    for (int i = 0; i < SETTLE_TRIES; i++) {
        int64_t version = 0;
        int result = sqlite3_exec(feed->connection, "BEGIN", NULL, NULL, NULL);
        enum status status = result == SQLITE_OK
                                 ? feed_ask(feed->self, feed->connection,
                                            "PRAGMA main.schema_version", &version, error)
                                 : feed_failed(feed->self, feed->connection, result,
                                               "the feed can't be read", error);
        if (status != STATUS_OK || version == feed->schema_version) {
            return status == STATUS_END ? STATUS_FAILED : status;
        }
        sqlite_end_looks(feed->connection, true);
        status = feed_settle(feed, error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return error_set(error, ERROR_SOURCE_LOCKED, feed->self->sql.shown,
                     "its schema changes all the time");
}

/* Where the next set ends, unless a backup was put back over the file meanwhile. */
static enum status find_end(struct feed *feed, struct error *error)
{
    struct feed_place last = {0};
    enum status status =
        feed_ends_of_log(feed->self, feed->connection, feed->name, NULL, &last, error);
    if (status == STATUS_OK) {
        status = last.sequence < feed->position
                     ? check_position(feed, error)
                     : feed_check_row(feed->self, feed->connection, feed->name, feed->end, error);
    }
    if (status == STATUS_OK) {
        feed->begin = feed->end;
        feed->end = last;
    }
    return status;
}

/* The first piece of what came since, or the next of what is being read. STATUS_AGAIN: nothing. */
static enum status read_more(struct feed *feed, struct change_set **set, struct error *error)
{
    enum status status = feed_begin(feed, error);
    if (status == STATUS_OK && feed->end.sequence == feed->position) {
        status = find_end(feed, error);
    }
    if (status == STATUS_OK) {
        status =
            feed->end.sequence == feed->position ? STATUS_AGAIN : feed_read_piece(feed, set, error);
    }
    sqlite_end_looks(feed->connection, true);
    return status;
}

static enum status poll(struct feed *feed, struct change_set **set, struct error *error)
{
    if (feed->end.sequence != feed->position) {
        return read_more(feed, set, error);
    }
    enum status status = look_for_writes(feed, error);
    if (status == STATUS_OK) {
        status = read_more(feed, set, error);
        if (status == STATUS_FAILED) {
            feed->data_version = -1;
        }
    }
    return status;
}

/* Nothing came behind what the copy holds: a set without changes tells that it was passed. */
static void tell_skipped(struct feed *feed, struct change_set **set)
{
    struct arena *arena = arena_create(0);
    *set = arena_allocate_zeroed(arena, 1, sizeof **set);
    **set = (struct change_set){.arena = arena,
                                .begin = feed_position_of(feed->begin, arena),
                                .end = feed_position_of(feed->end, arena),
                                .first_piece = true,
                                .last_piece = true};
}

/* A writer holds the file for a moment: that is nothing to tell of, unless it stays so. */
static enum status forgive_lock(struct feed *feed, enum status status, const struct error *error)
{
    if (status != STATUS_FAILED || error->code != ERROR_SOURCE_LOCKED) {
        feed->locked_since_ms = 0;
        return status;
    }
    int64_t now = clock_monotonic_ms();
    feed->locked_since_ms = feed->locked_since_ms == 0 ? now : feed->locked_since_ms;
    return now - feed->locked_since_ms < feed->self->timeout_ms ? STATUS_AGAIN : STATUS_FAILED;
}

static enum status feed_next(struct feed *feed, int64_t timeout_ms, struct change_set **set,
                             struct error *error)
{
    int64_t deadline = clock_monotonic_ms() + timeout_ms;
    struct error failure = {0};
    sqlite3_busy_timeout(feed->connection, LOCK_MS);
    for (;;) {
        /* a piece that fails is read again as a whole: its end is where it was */
        int64_t position = feed->position;
        size_t gone_next = feed->gone_next;
        enum status status = poll(feed, set, &failure);
        if (status == STATUS_AGAIN && feed->skipped) {
            tell_skipped(feed, set);
            status = STATUS_OK;
        }
        feed->skipped = feed->skipped && status != STATUS_OK;
        if (status == STATUS_FAILED) {
            feed->position = position;
            feed->gone_next = gone_next;
        }
        status = forgive_lock(feed, status, &failure);
        if (status == STATUS_OK) {
            feed->pause_ms = PAUSE_MS_MIN;
        }
        int64_t left = deadline - clock_monotonic_ms();
        if (status != STATUS_AGAIN || left <= 0) {
            return status == STATUS_FAILED ? error_copy(error, &failure) : status;
        }
        clock_sleep_ms(feed->pause_ms < left ? feed->pause_ms : left);
        feed->pause_ms = 2 * feed->pause_ms < PAUSE_MS_MAX ? 2 * feed->pause_ms : PAUSE_MS_MAX;
    }
}

/* ---------------------------------------------------------------- forgetting */

/* Up to `end`, but for the log's last row. False: a writer has the file, or nothing is left. */
static bool delete_bite(struct feed *feed, int64_t end)
{
    struct buffer sql = {0};
    sqlite_append(&sql,
                  "DELETE FROM main.%s%s WHERE sequence <= %D AND sequence < (SELECT "
                  "max(sequence) FROM main.%s%s)",
                  FEED_LOG, feed->name, end, FEED_LOG, feed->name);
    int result = sqlite3_exec(feed->connection, buffer_string(&sql), NULL, NULL, NULL);
    buffer_free(&sql);
    return result == SQLITE_OK;
}

/* Deletes the rows before the confirmed one. Those that can't be deleted now are deleted later:
 * nothing depends on them. */
static void forget_confirmed(struct feed *feed, int bites)
{
    int64_t last = feed->confirmed - 1;
    sqlite3_busy_timeout(feed->connection, DELETE_LOCK_MS);
    for (int i = 0; i < bites && feed->deleted < last; i++) {
        int64_t end = feed->deleted + DELETE_ROWS;
        end = end < last ? end : last;
        if (!delete_bite(feed, end)) {
            return;
        }
        feed->deleted = end;
    }
}

static enum status feed_confirm(struct feed *feed, struct position position, struct error *error)
{
    int64_t sequence = feed_place_of(position).sequence;
    int64_t now = clock_monotonic_ms();
    (void)error;
    if (sequence > feed->confirmed && sequence <= feed->position) {
        feed->confirmed = sequence;
    }
    int64_t rows = feed->confirmed - 1 - feed->deleted;
    if (rows >= (int64_t)DELETE_ROWS * DELETE_BITES / 2 ||
        (rows > 0 && now - feed->deleted_at_ms >= DELETE_PAUSE_MS)) {
        feed->deleted_at_ms = now;
        forget_confirmed(feed, DELETE_BITES);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- health */

static enum status ask_of_log(struct feed *feed, const char *what, const char *rest,
                              int64_t *number, struct error *error)
{
    struct buffer sql = {0};
    sqlite_append(&sql, "SELECT %s FROM main.%s%s %s", what, FEED_LOG, feed->name, rest);
    enum status status = feed_ask(feed->self, feed->connection, buffer_string(&sql), number, error);
    buffer_free(&sql);
    return status == STATUS_END ? STATUS_OK : status;
}

/* About: the last rows tell how many bytes one has. */
static enum status bytes_of_row(struct feed *feed, int64_t *bytes, struct error *error)
{
    struct buffer what = {0};
    struct buffer rest = {0};
    buffer_append_string(&what, "avg(24");
    for (uint32_t i = 0; i < feed->width; i++) {
        buffer_format(&what, " + coalesce(length(CAST(v%u AS BLOB)), 0)", i);
    }
    buffer_append_string(&what, ")");
    buffer_format(&rest, "WHERE sequence > (SELECT max(sequence) - %d FROM main." FEED_LOG "%s)",
                  SAMPLE_ROWS, feed->name);
    enum status status = ask_of_log(feed, buffer_string(&what), buffer_string(&rest), bytes, error);
    buffer_free(&what);
    buffer_free(&rest);
    return status;
}

/* The feed need not be read for it: `width` and the connection are all that it takes. */
static enum status sqlite_feed_look(struct feed *feed, int64_t *last, struct feed_health *health,
                                    struct error *error)
{
    int64_t first = 0;
    int64_t bytes = 0;
    struct feed_place end = {0};
    enum status status =
        feed_ends_of_log(feed->self, feed->connection, feed->name, &first, &end, error);
    *last = end.sequence;
    if (status == STATUS_OK) {
        status = bytes_of_row(feed, &bytes, error);
    }
    *health = FEED_HEALTH_UNKNOWN;
    health->bytes_kept = (*last - first + 1) * bytes;
    health->lag_bytes = *last > feed->position ? (*last - feed->position) * bytes : 0;
    return status;
}

static enum status feed_look(struct database *database, const char *name,
                             struct feed_health *health, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct feed feed = {.self = self, .arena = arena_create(0)};
    int64_t last = 0;
    *health = FEED_HEALTH_UNKNOWN;
    snprintf(feed.name, sizeof feed.name, "%s", name);
    enum status status = feed_connect(self, true, &feed.connection, error);
    if (status == STATUS_OK) {
        status = feed_list_read(self, feed.connection, name, feed.arena, &feed.list, error);
    }
    if (status == STATUS_END) {
        error_set(error, ERROR_FEED_LOST, name, "there is no feed of this name any more");
        status = error_hint(error, FEED_RESYNC);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < feed.list.table_count; i++) {
        uint32_t width = 2 * feed.list.tables[i].column_count;
        feed.width = width > feed.width ? width : feed.width;
    }
    status = status == STATUS_OK ? sqlite_feed_look(&feed, &last, health, error) : status;
    feed.position = INT64_MAX; /* nobody asks what was logged when */
    status = status == STATUS_OK ? feed_check(&feed, error) : status;
    health->lag_bytes = -1;
    sqlite_connection_close(feed.connection);
    arena_destroy(feed.arena);
    return status;
}

static enum status feed_health(struct feed *feed, struct feed_health *health, struct error *error)
{
    int64_t last = 0;
    int64_t moment = 0;
    sqlite_connection_wait(feed->connection, feed->self->timeout_ms);
    enum status status = sqlite_feed_look(feed, &last, health, error);
    if (status == STATUS_OK) {
        status = ask_of_log(feed, "CAST((moment - 2440587.5) * 86400e6 AS INTEGER)",
                            "ORDER BY sequence DESC LIMIT 1", &moment, error);
    }
    bool behind = last > feed->position;
    health->definitions = (uint64_t)feed->schema_version + 1;
    health->lag_us = !behind ? 0 : feed->moment_us == 0 ? -1 : moment - feed->moment_us;
    return status;
}

const struct feed_functions sqlite_feed = {
    .create = sqlite_feed_create,
    .extend = sqlite_feed_extend,
    .drop = sqlite_feed_drop,
    .open = feed_open,
    .close = feed_close,
    .next = feed_next,
    .confirm = feed_confirm,
    .health = feed_health,
    .look = feed_look,
    .foresee = sqlite_feed_foresee,
    .head = feed_head,
    .fence = sqlite_feed_fence,
    .may_fence = sqlite_may_fence,
    .covers = sqlite_feed_covers,
    .print = sqlite_feed_print,
};
