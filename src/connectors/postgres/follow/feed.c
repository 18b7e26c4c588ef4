/* Following a source: opening a feed at a position, its sets, confirmations and health. */
#include "connectors/postgres/follow/feed.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONFIRM_MS = 100,      /* the server is told no more often */
    STATUS_MS = 1000,      /* and no less, with a question for its clock and the end of its log */
    MOVE_MS = 10000,       /* an idle feed moves its position on, after so long */
    MOVE_BYTES = 16 << 20, /* or so much of others' log */
    CHECK_MS = 5000,       /* is the publication looked at while the feed is read */
    CLOCK_MS = 60000,      /* is the server's clock taken as it was seen */
    ENDING_MS = 5000,      /* a session whose process ended may take to notice */
    LOOK_MS = 50
};

/* ---------------------------------------------------------------- positions */

static void feed_print(struct position position, struct buffer *out)
{
    struct feed_place place;
    char lsn[FEED_LSN_TEXT_BYTES];
    if (postgres_feed_get_place(position, &place)) {
        postgres_feed_print_lsn(place.lsn, lsn);
        buffer_append_string(out, lsn);
    }
}

static bool feed_covers(struct position at, struct position goal)
{
    struct feed_place reached;
    struct feed_place wanted;
    (void)postgres_feed_get_place(at, &reached);
    (void)postgres_feed_get_place(goal, &wanted);
    return reached.lsn >= wanted.lsn;
}

/* ---------------------------------------------------------------- opening */

static void feed_close(struct feed *feed)
{
    struct feed_relation *relation;
    struct feed_relation *next;
    struct error ignored = {0};
    if (feed == NULL) {
        return;
    }
    if (feed->stream != NULL && feed->confirmed > feed->acknowledged) {
        (void)!postgres_feed_send_status(feed, false, &ignored);
    }
    postgres_disconnect(feed->stream);
    postgres_disconnect(feed->asking);
    HASH_ITER (hh, feed->relations, relation, next) {
        HASH_DEL(feed->relations, relation);
    }
    if (feed->making.set != NULL) {
        arena_destroy(feed->making.set->arena);
    }
    postgres_spool_free(&feed->spools);
    postgres_spool_free(&feed->replay);
    arena_destroy(feed->arena);
    free(feed);
}

/* A position of another server, or of a history that this one did not have. */
static enum status check_place(struct feed *feed, const struct feed_place *now, struct error *error)
{
    uint64_t end = 0;
    char lsn[FEED_LSN_TEXT_BYTES];
    char reason[160];
    postgres_feed_print_lsn(feed->place.lsn, lsn);
    if (feed->place.system != now->system) {
        snprintf(reason, sizeof reason,
                 "the position is of the server with system identifier %" PRIu64
                 ", this one has %" PRIu64,
                 feed->place.system, now->system);
        return postgres_feed_lost(feed->name, reason, error);
    }
    if (feed->place.timeline != now->timeline) {
        end = UINT64_MAX;
        if (now->timeline > feed->place.timeline &&
            postgres_feed_timeline_end(feed->self, feed->stream, now->timeline,
                                       feed->place.timeline, &end, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (end == UINT64_MAX || feed->place.lsn > end) {
            snprintf(reason, sizeof reason,
                     "the server was promoted before it had all that was followed (position %s of "
                     "timeline %u)",
                     lsn, feed->place.timeline);
            return postgres_feed_lost(feed->name, reason, error);
        }
        feed->place.timeline = now->timeline;
    }
    if (feed->place.lsn > now->lsn) {
        snprintf(reason, sizeof reason,
                 "the server's log ends before the position %s, as in one that was restored", lsn);
        return postgres_feed_lost(feed->name, reason, error);
    }
    return STATUS_OK;
}

/* Is it the feed's, and does the server still have what it stands for? */
static enum status check_use(const char *name, const struct feed_slot *slot, struct error *error)
{
    char reason[160];
    if (!slot->there) {
        return postgres_feed_lost(name, "the slot was dropped, or is not on this server", error);
    }
    if (slot->elsewhere || slot->foreign) {
        return postgres_feed_lost(name, "the slot of this name is another one", error);
    }
    if (slot->lost[0] != '\0') {
        snprintf(reason, sizeof reason, "the slot was invalidated (%s)", slot->lost);
        return postgres_feed_lost(name, reason, error);
    }
    return STATUS_OK;
}

static enum status check_slot(struct feed *feed, const struct feed_slot *slot, struct error *error)
{
    char lsn[FEED_LSN_TEXT_BYTES];
    char reason[160];
    if (check_use(feed->name, slot, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (slot->confirmed > feed->place.lsn) {
        postgres_feed_print_lsn(slot->confirmed, lsn);
        snprintf(reason, sizeof reason,
                 "the slot was confirmed up to %s by another reader, beyond the position", lsn);
        return postgres_feed_lost(feed->name, reason, error);
    }
    return STATUS_OK;
}

/* One whose process was killed may be in the server a moment longer. */
static enum status await_slot(struct feed *feed, struct error *error)
{
    int64_t end = clock_monotonic_ms() + ENDING_MS;
    for (;;) {
        struct feed_slot slot;
        if (postgres_feed_slot(feed->self, feed->asking, feed->name, &slot, error) != STATUS_OK ||
            check_slot(feed, &slot, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (!slot.active) {
            return STATUS_OK;
        }
        if (clock_monotonic_ms() >= end) {
            return postgres_feed_held(feed->name, slot.pid, error);
        }
        clock_sleep_ms(LOOK_MS);
    }
}

/* Changes are missing of a table that somebody took out of the publication; a table that was
 * dropped went out of it by itself, and whoever compares the schemas sees it. */
static enum status check_followed(struct feed *feed, struct error *error)
{
    struct arena *arena = arena_create(1024);
    const char *table = NULL;
    enum status status =
        postgres_feed_left_out(feed->self, feed->asking, feed->name, arena, &table, error);
    if (status == STATUS_OK && table != NULL) {
        char reason[280];
        snprintf(reason, sizeof reason, "its publication was altered and leaves %s out", table);
        status = postgres_feed_lost(feed->name, reason, error);
    }
    arena_destroy(arena);
    return status;
}

/* Does it still tell of all that it was made for? */
static enum status check_told(const char *name, const struct feed_publication *publication,
                              struct error *error)
{
    if (!publication->there || publication->altered || publication->partial) {
        return postgres_feed_lost(name,
                                  !publication->there ? "its publication was dropped"
                                  : publication->altered
                                      ? "the tables of its publication were changed since"
                                      : "its publication was altered and leaves operations out",
                                  error);
    }
    if (publication->filtered[0] != '\0') {
        char reason[280];
        snprintf(reason, sizeof reason,
                 "its publication was altered and leaves rows or columns of %s out",
                 publication->filtered);
        return postgres_feed_lost(name, reason, error);
    }
    return STATUS_OK;
}

static enum status check_publication(struct feed *feed, struct error *error)
{
    struct feed_publication publication;
    if (postgres_feed_publication(feed->self, feed->asking, feed->name, &publication, error) !=
            STATUS_OK ||
        check_told(feed->name, &publication, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct error problem = {0};
    if (publication.own && !publication.opened &&
        postgres_feed_mark_opened(feed->self, feed->asking, feed->name, &problem) != STATUS_OK) {
        log_write(LOG_DEBUG, "%s: the publication keeps the mark of a feed that nobody read: %s",
                  feed->name, problem.message);
    }
    feed->checked_ms = clock_monotonic_ms();
    return publication.own ? check_followed(feed, error) : STATUS_OK;
}

static enum status open_all(struct feed *feed, struct error *error)
{
    struct postgres_database *self = feed->self;
    struct feed_place now = {0};
    if (postgres_connect(self, &feed->asking, error) != STATUS_OK ||
        await_slot(feed, error) != STATUS_OK || check_publication(feed, error) != STATUS_OK ||
        postgres_feed_connect(self, &feed->stream, error) != STATUS_OK ||
        postgres_feed_identify(self, feed->stream, &now, error) != STATUS_OK ||
        check_place(feed, &now, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    feed->received = feed->place.lsn;
    if (postgres_feed_start(feed, error) == STATUS_OK) {
        return STATUS_OK;
    }
    struct feed_slot slot; /* what became of it says more than the server's words */
    return strcmp(error->native_state, "55006") == 0
               ? await_slot(feed, error) == STATUS_OK &&
                         postgres_feed_start(feed, error) == STATUS_OK
                     ? STATUS_OK
                     : STATUS_FAILED
           : postgres_feed_slot(self, feed->asking, feed->name, &slot, NULL) == STATUS_OK
               ? (check_slot(feed, &slot, error), STATUS_FAILED)
               : STATUS_FAILED;
}

static enum status feed_open(struct database *database, const char *name, struct position position,
                             struct feed **made, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct feed *feed = memory_allocate_zeroed(1, sizeof *feed);
    *made = NULL;
    feed->self = self;
    feed->arena = arena_create(0);
    feed->name = arena_copy_string(feed->arena, name);
    feed->only_local = self->feed_local;
    feed->set_ms = clock_monotonic_ms();
    postgres_disconnect(self->feed_maker);
    self->feed_maker = NULL;
    enum status status = postgres_feed_get_place(position, &feed->place)
                             ? open_all(feed, error)
                             : error_set(error, ERROR_LEDGER_INVALID, name,
                                         "the position is none of a PostgreSQL feed");
    if (status != STATUS_OK) {
        feed_close(feed);
        return STATUS_FAILED;
    }
    *made = feed;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the next set */

/* Is there nothing that was sent and not handed out? */
static bool is_between(const struct feed *feed)
{
    return !feed->making.in_transaction && feed->replay == NULL;
}

/* So that the position moves on while nothing happens in the feed's tables. What is in progress
 * commits behind it. */
static struct change_set *move_on(struct feed *feed, uint64_t lsn)
{
    bool waited_for = feed->place.lsn < atomic_load(&feed->self->feed_head);
    bool due = waited_for || lsn - feed->place.lsn >= MOVE_BYTES ||
               clock_monotonic_ms() - feed->set_ms >= MOVE_MS;
    return is_between(feed) && lsn > feed->place.lsn && due ? postgres_feed_move(feed, lsn) : NULL;
}

static enum status take_message(struct feed *feed, const struct pgoutput_frame *frame,
                                struct change_set **set, struct error *error)
{
    struct pgoutput_message message;
    char kind = frame->length > 0 ? (char)frame->payload[0] : '\0';
    bool around = kind != '\0' && strchr("SEcA", kind) != NULL;
    if (!around && !feed->streaming) {
        return postgres_feed_take(feed, frame->payload, frame->length, false, set, error);
    }
    if (!pgoutput_read(frame->payload, frame->length, feed->streaming && !around, &message)) {
        return postgres_feed_malformed(feed, error);
    }
    switch (message.kind) {
    case PGOUTPUT_STREAM_START:
        feed->streaming = true;
        feed->stream_xid = message.xid;
        return STATUS_OK;
    case PGOUTPUT_STREAM_STOP:
        feed->streaming = false;
        return STATUS_OK;
    case PGOUTPUT_STREAM_ABORT:
        return postgres_spool_abort(feed, &message, error);
    case PGOUTPUT_STREAM_COMMIT:
        return postgres_spool_commit(feed, &message, error);
    default:
        return postgres_spool_add(feed, &message, frame->payload, frame->length, error);
    }
}

/* A message that waited here is older than it was when it came: the youngest of a while counts. */
static void note_clock(struct feed *feed, int64_t server_us)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t ahead_us = server_us - clock_utc_us();
    if (feed->clock_ms == 0 || ahead_us > feed->clock_us || now_ms - feed->clock_ms > CLOCK_MS) {
        feed->clock_us = ahead_us;
        feed->clock_ms = now_ms;
    }
}

static enum status take_frame(struct feed *feed, const char *data, size_t length,
                              struct change_set **set, struct error *error)
{
    struct pgoutput_frame frame;
    if (!pgoutput_read_frame((const uint8_t *)data, length, &frame)) {
        return postgres_feed_malformed(feed, error);
    }
    feed->server_time_us = frame.time_us;
    note_clock(feed, frame.time_us);
    feed->received = frame.end > feed->received ? frame.end : feed->received;
    feed->caught_up = frame.keepalive;
    if (!frame.keepalive) {
        return take_message(feed, &frame, set, error);
    }
    *set = move_on(feed, frame.end);
    return frame.wants_reply ? postgres_feed_send_status(feed, false, error) : STATUS_OK;
}

static enum status tell_when_due(struct feed *feed, struct error *error)
{
    int64_t silent = clock_monotonic_ms() - feed->status_ms;
    bool waited_for = feed->place.lsn < atomic_load(&feed->self->feed_head);
    bool idle = silent >= (waited_for ? CONFIRM_MS : STATUS_MS);
    return idle || (silent >= CONFIRM_MS && feed->confirmed > feed->acknowledged)
               ? postgres_feed_send_status(feed, idle, error)
               : STATUS_OK;
}

/* Frees the message, unless it is large: the values that the set has of it stay where they are. */
static enum status take_received(struct feed *feed, char *data, size_t length,
                                 struct change_set **set, struct error *error)
{
    struct arena *message = length >= ARENA_SHARED_BYTES ? arena_create(64) : NULL;
    if (message != NULL) {
        arena_take_over(message, data, length, PQfreemem);
    }
    enum status status = take_frame(feed, data, length, set, error);
    if (message == NULL) {
        PQfreemem(data);
    }
    arena_destroy(message);
    return status;
}

static enum status feed_next(struct feed *feed, int64_t timeout_ms, struct change_set **set,
                             struct error *error)
{
    int64_t end = clock_monotonic_ms() + timeout_ms;
    enum status status = tell_when_due(feed, error);
    *set = NULL;
    while (status == STATUS_OK && *set == NULL) {
        char *data = NULL;
        size_t length = 0;
        if (feed->replay != NULL) {
            status = postgres_spool_replay(feed, set, error);
            continue;
        }
        int64_t left = end - clock_monotonic_ms();
        int64_t slice = left < CONFIRM_MS ? left : CONFIRM_MS;
        status = postgres_feed_receive(feed, slice > 0 ? slice : 0, &data, &length, error);
        if (status == STATUS_OK && data == NULL) {
            status = tell_when_due(feed, error);
            if (status == STATUS_OK && clock_monotonic_ms() >= end) {
                return STATUS_AGAIN;
            }
            continue;
        }
        status = status == STATUS_OK ? take_received(feed, data, length, set, error) : status;
    }
    return status;
}

/* ---------------------------------------------------------------- where the source is */

/* A message of our own, behind all that was committed, is what every feed gets to: its transaction
 * is told as one without changes. A standby can't write one, and servers before 14 don't tell it.
 */
static enum status feed_head(struct database *database, struct arena *arena,
                             struct position *position, struct error *error)
{
    static const char *const sql[] = {
        "SELECT pg_catalog.pg_logical_emit_message(true, 'transhume', '')",
        "SELECT pg_catalog.pg_last_wal_replay_lsn()",
    };
    struct postgres_database *self = postgres_database_of(database);
    struct feed_place place = {0};
    PGconn *connection = NULL;
    PGresult *result = NULL;
    enum status status = postgres_connect(self, &connection, error);
    status = status == STATUS_OK
                 ? postgres_catalog_query(self, connection, sql[self->standby], NULL, 0, SQL_SHORT,
                                          ERROR_SOURCE_READ, &result, error)
                 : status;
    if (status == STATUS_OK && !postgres_feed_read_lsn(PQgetvalue(result, 0, 0), &place.lsn)) {
        status = error_set(error, ERROR_SOURCE_READ, self->sql.shown,
                           "the server does not say where its log ends");
    }
    PQclear(result);
    postgres_disconnect(connection);
    uint64_t lsn = place.lsn;
    status = status == STATUS_OK ? postgres_feed_connect(self, &connection, error) : status;
    if (status == STATUS_OK) {
        status = postgres_feed_identify(self, connection, &place, error);
        postgres_disconnect(connection);
    }
    place.lsn = lsn;
    if (status == STATUS_OK) {
        postgres_feed_put_place(&place, arena, position);
        atomic_store(&self->feed_head, lsn);
    }
    return status;
}

/* ---------------------------------------------------------------- confirming, health */

static enum status feed_confirm(struct feed *feed, struct position position, struct error *error)
{
    struct feed_place place;
    if (!postgres_feed_get_place(position, &place)) {
        return error_set(error, ERROR_LEDGER_INVALID, feed->name,
                         "the position is none of a PostgreSQL feed");
    }
    feed->confirmed = place.lsn > feed->confirmed ? place.lsn : feed->confirmed;
    return tell_when_due(feed, error);
}

static struct feed_health health_of(const struct feed_slot *slot)
{
    struct feed_health health = FEED_HEALTH_UNKNOWN;
    health.bytes_kept = slot->bytes_kept;
    health.bytes_left = slot->bytes_left;
    return health;
}

static enum status feed_look(struct database *database, const char *name,
                             struct feed_health *health, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct feed_slot slot = {0};
    struct feed_publication publication = {0};
    PGconn *connection = NULL;
    *health = FEED_HEALTH_UNKNOWN;
    enum status status = postgres_connect(self, &connection, error);
    status =
        status == STATUS_OK ? postgres_feed_slot(self, connection, name, &slot, error) : status;
    status = status == STATUS_OK
                 ? postgres_feed_publication(self, connection, name, &publication, error)
                 : status;
    postgres_disconnect(connection);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    *health = health_of(&slot);
    status = check_use(name, &slot, error);
    return status == STATUS_OK ? check_told(name, &publication, error) : status;
}

static enum status feed_health(struct feed *feed, struct feed_health *health, struct error *error)
{
    struct feed_slot slot;
    if (postgres_feed_slot(feed->self, feed->asking, feed->name, &slot, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *health = health_of(&slot);
    health->clock_us = feed->clock_us;
    if (slot.written > 0) {
        health->lag_bytes =
            slot.written > feed->place.lsn ? (int64_t)(slot.written - feed->place.lsn) : 0;
    }
    if (!slot.there || slot.lost[0] != '\0') {
        return check_slot(feed, &slot, error);
    }
    if (postgres_feed_definitions(feed->self, feed->asking, &health->definitions, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    /* of a table that was taken out of the publication nothing comes, and nobody says so */
    if (clock_monotonic_ms() - feed->checked_ms >= CHECK_MS &&
        check_publication(feed, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (is_between(feed) && feed->caught_up) {
        health->lag_us = 0;
    } else if (feed->server_time_us > 0 && feed->brought_time_us > 0) {
        int64_t lag = feed->server_time_us - feed->brought_time_us;
        health->lag_us = lag > 0 ? lag : 0;
    }
    return STATUS_OK;
}

const struct feed_functions postgres_feed_functions = {
    .whole_rows = true,
    .create = postgres_feed_create,
    .extend = postgres_feed_extend,
    .drop = postgres_feed_drop,
    .open = feed_open,
    .close = feed_close,
    .next = feed_next,
    .confirm = feed_confirm,
    .health = feed_health,
    .look = feed_look,
    .foresee = postgres_feed_foresee,
    .head = feed_head,
    .fence = postgres_feed_fence,
    .may_fence = postgres_may_fence,
    .covers = feed_covers,
    .print = feed_print,
};
