/* Events of the log, each taken as what it is, until a set of changes is whole. */
#include "base/file.h"
#include "base/log.h"
#include "connectors/mysql/follow/feed.h"
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

static bool begins(struct text statement, const char *words)
{
    size_t length = strlen(words);
    return statement.length >= length && strncasecmp(statement.data, words, length) == 0;
}

static bool is(struct text statement, const char *words)
{
    return statement.length == strlen(words) && begins(statement, words);
}

static void forget_definitions(struct feed *feed)
{
    for (struct feed_table *table = feed->tables; table != NULL; table = table->hh.next) {
        table->stale = true;
    }
}

/* The log has a transaction's rows, but for what a session with another format did. */
static enum status take_inner(struct feed *feed, const struct binlog_query *query,
                              struct error *error)
{
    static const char *const harmless[] = {"SAVEPOINT", "ROLLBACK TO", "RELEASE", "XA ",
                                           "CREATE",    "SET",         "#"};
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
        if (begins(query->statement, harmless[i])) {
            return STATUS_OK;
        }
    }
    const char *schema = feed->self->sql.schema;
    if (query->database.length != strlen(schema) ||
        memcmp(query->database.data, schema, query->database.length) != 0) {
        return STATUS_OK;
    }
    error_set(error, ERROR_SOURCE_READ, feed->name,
              "a statement is in the binary log in place of its rows: %.*s",
              query->statement.length < 80 ? (int)query->statement.length : 80,
              query->statement.data);
    error_hint(error, "a session had SET binlog_format = STATEMENT or MIXED; once none does, "
                      "`transhume follow --resync` puts the target right");
    return STATUS_FAILED;
}

static enum status take_query(struct feed *feed, const struct binlog_event *event,
                              struct change_set **set, struct error *error)
{
    struct binlog_query query;
    if (!binlog_read_query(event->body, event->type == BINLOG_QUERY_COMPRESSED, feed->scratch,
                           &query)) {
        return mysql_feed_malformed(feed, error);
    }
    if (is(query.statement, "BEGIN") || begins(query.statement, "XA START")) {
        feed->in_transaction = true;
    } else if (is(query.statement, "COMMIT")) {
        *set = mysql_feed_finish(feed);
    } else if (is(query.statement, "ROLLBACK")) {
        mysql_feed_discard(feed);
        *set = mysql_feed_finish(feed);
    } else if (feed->in_transaction) {
        /* CREATE OR REPLACE TABLE … SELECT has its rows behind it */
        return mysql_feed_take_ddl(feed, &query, error) == STATUS_OK
                   ? take_inner(feed, &query, error)
                   : STATUS_FAILED;
    } else {
        forget_definitions(feed);
        if (mysql_feed_take_ddl(feed, &query, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        *set = mysql_feed_finish(feed);
    }
    return STATUS_OK;
}

/* One in two phases is committed or not by a later statement. */
static enum status take_prepared(struct feed *feed, const struct binlog_event *event,
                                 struct change_set **set, struct error *error)
{
    struct binlog_bytes body = event->body;
    bool one_phase = binlog_take_number(&body, 1) != 0;
    if (!one_phase && (feed->set != NULL || feed->pieces > 0)) {
        error_set(error, ERROR_SOURCE_READ, feed->name,
                  "a transaction was prepared in two phases (XA PREPARE), which can't be followed");
        error_hint(error, "`transhume follow --resync` passes over it, and puts the target right");
        return STATUS_FAILED;
    }
    *set = mysql_feed_finish(feed);
    return STATUS_OK;
}

static enum status take_rotate(struct feed *feed, const struct binlog_event *event,
                               struct error *error)
{
    struct text file;
    uint64_t offset = 0;
    struct feed_place to = feed->reading;
    if (!binlog_read_rotate(event->body, &offset, &file) || !mysql_feed_read_file(file, &to)) {
        return mysql_feed_malformed(feed, error);
    }
    if (to.number != feed->reading.number) {
        to.begun = 0;
    }
    to.offset = offset;
    feed->reading = to;
    /* the first one only says where the reading begins */
    if (!feed->in_transaction && feed->set == NULL &&
        mysql_feed_compare_places(&to, &feed->reached) > 0) {
        feed->reached = to;
    }
    return STATUS_OK;
}

/* A log of the same name that was begun at another time is another one, as after RESET MASTER. */
static enum status take_format(struct feed *feed, const struct binlog_event *event,
                               struct error *error)
{
    if (!binlog_read_format(event, &feed->format)) {
        return mysql_feed_malformed(feed, error);
    }
    feed->reading.begun = event->time;
    if (feed->opened_begun != 0 && event->time != feed->opened_begun) {
        return mysql_feed_lost(feed->name, "the binary log of that name was begun anew", error);
    }
    feed->opened_begun = 0;
    if (feed->reached.number == feed->reading.number) {
        feed->reached.begun = event->time;
    }
    if (feed->place.number == feed->reading.number) {
        feed->place.begun = event->time;
    }
    return STATUS_OK;
}

static enum status take_heartbeat(struct feed *feed, const struct binlog_event *event,
                                  struct change_set **set)
{
    struct feed_place end = feed->reading;
    struct text file;
    uint64_t offset = 0;
    feed->caught_up = true;
    if (!feed->in_transaction && feed->set == NULL &&
        binlog_read_heartbeat(event, &offset, &file) && mysql_feed_read_file(file, &end) &&
        end.number == feed->reading.number) {
        end.offset = offset > feed->reading.offset ? offset : feed->reading.offset;
        feed->reading = end;
        *set = mysql_feed_finish(feed);
    }
    return STATUS_OK;
}

static enum status take_gtid(struct feed *feed, const struct binlog_event *event,
                             struct error *error)
{
    struct binlog_gtid gtid;
    if (!binlog_read_gtid(event, &gtid)) {
        return mysql_feed_malformed(feed, error);
    }
    feed->current = gtid;
    if (event->type == BINLOG_MARIADB_GTID) {
        feed->in_transaction = !binlog_stands_alone(event->body);
    }
    return STATUS_OK;
}

/* From here on there is no set that says where the feed is. */
static void forget_gtids(struct feed *feed)
{
    if (feed->has_gtids) {
        log_write(LOG_WARNING,
                  "%s: a transaction without a GTID, or with a tag in it: from here on the feed is "
                  "at a file and an offset of this server alone",
                  feed->self->sql.shown);
    }
    feed->has_gtids = false;
    feed->current.number = 0;
}

/* A large one waits in a file: the client library holds it as it was sent, in memory whose whole
 * pages are given back until the next packet needs them. */
static enum status take_payload(struct feed *feed, const struct binlog_event *event,
                                struct error *error)
{
    enum { SPOOLED_BYTES_MIN = 4 << 20 };
    const char *folder = feed->self->spill_folder;
    struct error ignored = {0};
    if (!binlog_payload_begin(&feed->payload, event->body)) {
        return mysql_feed_malformed(feed, error);
    }
    const struct binlog_bytes sent = feed->payload.packed;
    if (sent.left >= SPOOLED_BYTES_MIN && folder != NULL &&
        file_make_folder(folder, &ignored) == STATUS_OK &&
        binlog_payload_spool(&feed->payload, folder)) {
        uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
        uintptr_t begin = ((uintptr_t)sent.at + page - 1) / page * page;
        uintptr_t end = (uintptr_t)(sent.at + sent.left) / page * page;
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
    }
    return STATUS_OK;
}

static enum status take_event(struct feed *feed, const struct binlog_event *event,
                              struct change_set **set, struct error *error)
{
    switch (event->type) {
    case BINLOG_ROTATE:
        return take_rotate(feed, event, error);
    case BINLOG_FORMAT:
        return take_format(feed, event, error);
    case BINLOG_HEARTBEAT:
    case BINLOG_HEARTBEAT_2:
        return take_heartbeat(feed, event, set);
    case BINLOG_GTID:
    case BINLOG_MARIADB_GTID:
        return take_gtid(feed, event, error);
    case BINLOG_ANONYMOUS_GTID:
    case BINLOG_GTID_TAGGED:
        forget_gtids(feed);
        return STATUS_OK;
    case BINLOG_QUERY:
    case BINLOG_QUERY_COMPRESSED:
        return take_query(feed, event, set, error);
    case BINLOG_XID:
        *set = mysql_feed_finish(feed);
        return STATUS_OK;
    case BINLOG_XA_PREPARE:
        return take_prepared(feed, event, set, error);
    case BINLOG_TABLE_MAP:
        return mysql_feed_take_table(feed, event, error);
    case BINLOG_WRITE_1:
    case BINLOG_UPDATE_1:
    case BINLOG_DELETE_1:
    case BINLOG_WRITE_2:
    case BINLOG_UPDATE_2:
    case BINLOG_DELETE_2:
    case BINLOG_WRITE_1_COMPRESSED:
    case BINLOG_UPDATE_1_COMPRESSED:
    case BINLOG_DELETE_1_COMPRESSED:
    case BINLOG_WRITE_2_COMPRESSED:
    case BINLOG_UPDATE_2_COMPRESSED:
    case BINLOG_DELETE_2_COMPRESSED:
        return mysql_feed_take_rows(feed, event, set, error);
    case BINLOG_PAYLOAD:
        return take_payload(feed, event, error);
    case BINLOG_PARTIAL_UPDATE:
        error_set(error, ERROR_SOURCE_READ, feed->name, "an update has parts of JSON values alone");
        error_hint(error,
                   "SET GLOBAL binlog_row_value_options = '', then `transhume follow --resync`");
        return STATUS_FAILED;
    case BINLOG_INCIDENT:
        return mysql_feed_lost(feed->name, "the server says that its log lacks events", error);
    default:
        return STATUS_OK;
    }
}

/* The log may be longer than the 32 bits of an event's own offset. */
static void move_reading(struct feed *feed, const struct binlog_event *event)
{
    bool of_log = event->next != 0 && (event->flags & BINLOG_ARTIFICIAL) == 0;
    if (of_log && event->type != BINLOG_HEARTBEAT && event->type != BINLOG_HEARTBEAT_2 &&
        event->type != BINLOG_ROTATE) {
        uint64_t high = feed->reading.offset & ~(uint64_t)UINT32_MAX;
        uint64_t next = high | event->next;
        feed->reading.offset = next < feed->reading.offset ? next + (UINT64_C(1) << 32) : next;
        feed->caught_up = false;
    }
}

enum status mysql_feed_take_next(struct feed *feed, struct change_set **set, struct error *error)
{
    struct binlog_event event;
    const uint8_t *bytes = NULL;
    size_t length = 0;
    if (mysql_feed_has_more(feed)) {
        return mysql_feed_take_more(feed, set, error);
    }
    arena_reset(feed->scratch);
    /* events of a compressed transaction have no offsets of their own */
    if (!binlog_payload_ended(&feed->payload)) {
        return binlog_payload_next(&feed->payload, &event) ? take_event(feed, &event, set, error)
                                                           : mysql_feed_malformed(feed, error);
    }
    binlog_payload_free(&feed->payload);
    enum status status =
        mysql_feed_receive(feed->self, feed->stream, feed->name, &bytes, &length, error);
    if (status == STATUS_END) {
        return error_set(error, ERROR_NETWORK, feed->self->sql.shown,
                         "the server ended the session that reads its binary log");
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (!binlog_read_event(&feed->format, bytes, length, &event)) {
        return mysql_feed_malformed(feed, error);
    }
    move_reading(feed, &event);
    if (event.time != 0) {
        feed->commit_time_us = (int64_t)event.time * 1000000;
    }
    return take_event(feed, &event, set, error);
}
