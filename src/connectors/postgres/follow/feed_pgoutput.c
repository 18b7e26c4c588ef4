/* Messages of pgoutput: feed_pgoutput.h draws them. */
#include "connectors/postgres/follow/feed_pgoutput.h"
#include "base/bytes.h"
#include <string.h>

#define EPOCH_US (INT64_C(10957) * 86400 * 1000000)

/* The rest of the bytes; `bad` once something was not there. */
struct reading {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
};

static const uint8_t *feed_pgoutput_take(struct reading *in, size_t length)
{
    static const uint8_t nothing[8] = {0};
    if (in->bad || length > (size_t)(in->end - in->at)) {
        in->bad = true;
        return nothing;
    }
    const uint8_t *found = in->at;
    in->at += length;
    return found;
}

static uint8_t take8(struct reading *in)
{
    return *feed_pgoutput_take(in, 1);
}

static uint16_t take16(struct reading *in)
{
    return (uint16_t)bytes_get_be(feed_pgoutput_take(in, 2), 2);
}

static uint32_t take32(struct reading *in)
{
    return (uint32_t)bytes_get_be(feed_pgoutput_take(in, 4), 4);
}

static uint64_t take64(struct reading *in)
{
    return bytes_get_be(feed_pgoutput_take(in, 8), 8);
}

/* A time of the server's epoch; one beyond ours is none. */
static int64_t take_time(struct reading *in)
{
    int64_t time = (int64_t)take64(in);
    return __builtin_add_overflow(time, EPOCH_US, &time) ? 0 : time;
}

static const char *take_text(struct reading *in)
{
    const uint8_t *end = in->bad ? NULL : memchr(in->at, 0, (size_t)(in->end - in->at));
    if (end == NULL) {
        in->bad = true;
        return "";
    }
    const char *text = (const char *)in->at;
    in->at = end + 1;
    return text;
}

/* ---------------------------------------------------------------- tuples */

static void skip_value(struct reading *in)
{
    switch (take8(in)) {
    case 'n':
    case 'u':
        return;
    case 't':
    case 'b':
        (void)feed_pgoutput_take(in, take32(in));
        return;
    default:
        in->bad = true;
    }
}

static struct pgoutput_tuple take_tuple(struct reading *in)
{
    struct pgoutput_tuple tuple = {.count = take16(in)};
    tuple.columns = in->at;
    for (uint16_t i = 0; i < tuple.count && !in->bad; i++) {
        skip_value(in);
    }
    tuple.length = (size_t)(in->at - tuple.columns);
    return tuple;
}

void pgoutput_next_value(const struct pgoutput_tuple *tuple, size_t *at,
                         struct pgoutput_value *value)
{
    const uint8_t *from = tuple->columns + *at;
    *value = (struct pgoutput_value){.kind = (char)from[0]};
    *at += 1;
    if (value->kind == 't' || value->kind == 'b') {
        value->length = (uint32_t)bytes_get_be(from + 1, 4);
        value->bytes = from + 5;
        *at += 4 + (size_t)value->length;
    }
}

/* ---------------------------------------------------------------- messages */

static void read_relation(struct reading *in, struct pgoutput_message *message)
{
    message->relation = take32(in);
    message->schema = take_text(in);
    message->schema = message->schema[0] == '\0' ? "pg_catalog" : message->schema;
    message->name = take_text(in);
    message->identity = (char)take8(in);
    message->column_count = take16(in);
    message->rest = in->at;
    for (uint16_t i = 0; i < message->column_count && !in->bad; i++) {
        (void)take8(in);
        (void)take_text(in);
        (void)feed_pgoutput_take(in, 8);
    }
    message->rest_length = (size_t)(in->at - message->rest);
}

void pgoutput_next_column(const struct pgoutput_message *message, size_t *at,
                          struct pgoutput_column *column)
{
    const uint8_t *from = message->rest + *at;
    *column = (struct pgoutput_column){.key = from[0] & 1, .name = (const char *)from + 1};
    from += 2 + strlen(column->name);
    column->type = (uint32_t)bytes_get_be(from, 4);
    column->modifier = (int32_t)(uint32_t)bytes_get_be(from + 4, 4);
    *at = (size_t)(from + 8 - message->rest);
}

static void read_change(struct reading *in, struct pgoutput_message *message)
{
    message->relation = take32(in);
    char kind = (char)take8(in);
    if (message->kind != PGOUTPUT_INSERT && (kind == 'K' || kind == 'O')) {
        message->old_kind = kind;
        message->old = take_tuple(in);
        kind = message->kind == PGOUTPUT_UPDATE ? (char)take8(in) : '\0';
    } else if (message->kind == PGOUTPUT_DELETE) {
        in->bad = true;
    }
    if (message->kind != PGOUTPUT_DELETE) {
        in->bad = in->bad || kind != 'N';
        message->new = take_tuple(in);
    }
}

static void read_truncate(struct reading *in, struct pgoutput_message *message)
{
    message->relation_count = take32(in);
    (void)take8(in);
    message->rest = in->at;
    message->rest_length = 4 * (size_t)message->relation_count;
    (void)feed_pgoutput_take(in, message->rest_length);
}

uint32_t pgoutput_truncated(const struct pgoutput_message *message, uint32_t index)
{
    return (uint32_t)bytes_get_be(message->rest + 4 * (size_t)index, 4);
}

static void read_logical_message(struct reading *in, struct pgoutput_message *message)
{
    (void)take8(in);
    message->lsn = take64(in);
    message->gid = take_text(in);
    message->rest_length = take32(in);
    message->rest = feed_pgoutput_take(in, message->rest_length);
}

static void read_end(struct reading *in, struct pgoutput_message *message)
{
    (void)take8(in);
    message->lsn = take64(in);
    message->end_lsn = take64(in);
    message->time_us = take_time(in);
}

static void read_abort(struct reading *in, struct pgoutput_message *message)
{
    message->xid = take32(in);
    message->subxid = take32(in);
    if (in->at < in->end) {
        message->lsn = take64(in);
        message->time_us = take_time(in);
    }
}

static void read_prepared(struct reading *in, struct pgoutput_message *message)
{
    if (message->kind == PGOUTPUT_BEGIN_PREPARE) {
        message->lsn = take64(in);
        message->end_lsn = take64(in);
        message->time_us = take_time(in);
    } else {
        read_end(in, message);
    }
    if (message->kind == PGOUTPUT_ROLLBACK_PREPARED) {
        message->time_us = take_time(in);
    }
    message->xid = take32(in);
    message->gid = take_text(in);
}

/* A message of a kind that a transaction's piece has, with the xid before it. */
static bool read_within(struct reading *in, bool streamed, struct pgoutput_message *message)
{
    switch (message->kind) {
    case PGOUTPUT_MESSAGE:
    case PGOUTPUT_RELATION:
    case PGOUTPUT_TYPE:
    case PGOUTPUT_INSERT:
    case PGOUTPUT_UPDATE:
    case PGOUTPUT_DELETE:
    case PGOUTPUT_TRUNCATE:
        break;
    default:
        return false;
    }
    message->xid = streamed ? take32(in) : 0;
    switch (message->kind) {
    case PGOUTPUT_MESSAGE:
        read_logical_message(in, message);
        break;
    case PGOUTPUT_RELATION:
        read_relation(in, message);
        break;
    case PGOUTPUT_TYPE:
        message->relation = take32(in);
        message->schema = take_text(in);
        message->name = take_text(in);
        break;
    case PGOUTPUT_TRUNCATE:
        read_truncate(in, message);
        break;
    default:
        read_change(in, message);
    }
    return true;
}

static void read_around(struct reading *in, struct pgoutput_message *message)
{
    switch (message->kind) {
    case PGOUTPUT_BEGIN:
        message->lsn = take64(in);
        message->time_us = take_time(in);
        message->xid = take32(in);
        break;
    case PGOUTPUT_COMMIT:
        read_end(in, message);
        break;
    case PGOUTPUT_ORIGIN:
        message->lsn = take64(in);
        message->gid = take_text(in);
        break;
    case PGOUTPUT_STREAM_START:
        message->xid = take32(in);
        message->first = take8(in) != 0;
        break;
    case PGOUTPUT_STREAM_STOP:
        break;
    case PGOUTPUT_STREAM_COMMIT:
        message->xid = take32(in);
        read_end(in, message);
        break;
    case PGOUTPUT_STREAM_ABORT:
        read_abort(in, message);
        break;
    case PGOUTPUT_BEGIN_PREPARE:
    case PGOUTPUT_PREPARE:
    case PGOUTPUT_STREAM_PREPARE:
    case PGOUTPUT_COMMIT_PREPARED:
    case PGOUTPUT_ROLLBACK_PREPARED:
        read_prepared(in, message);
        break;
    default:
        in->bad = true;
    }
}

bool pgoutput_read(const uint8_t *bytes, size_t length, bool streamed,
                   struct pgoutput_message *message)
{
    struct reading in = {.at = bytes, .end = bytes + length};
    *message = (struct pgoutput_message){.kind = (enum pgoutput_kind)take8(&in)};
    if (!in.bad && !read_within(&in, streamed, message)) {
        read_around(&in, message);
    }
    return !in.bad && in.at == in.end;
}

/* ---------------------------------------------------------------- the stream around them */

bool pgoutput_read_frame(const uint8_t *bytes, size_t length, struct pgoutput_frame *frame)
{
    struct reading in = {.at = bytes, .end = bytes + length};
    uint8_t kind = take8(&in);
    *frame = (struct pgoutput_frame){.keepalive = kind == 'k'};
    if (kind == 'k') {
        frame->end = take64(&in);
        frame->time_us = take_time(&in);
        frame->wants_reply = take8(&in) != 0;
        return !in.bad && in.at == in.end;
    }
    frame->start = take64(&in);
    frame->end = take64(&in);
    frame->time_us = take_time(&in);
    frame->payload = in.at;
    frame->length = (size_t)(in.end - in.at);
    return !in.bad && kind == 'w';
}

void pgoutput_write_status(uint64_t received, uint64_t durable, int64_t now_us, bool wants_reply,
                           uint8_t status[PGOUTPUT_STATUS_BYTES])
{
    status[0] = 'r';
    bytes_put_be(status + 1, received, 8);
    bytes_put_be(status + 9, durable, 8);
    bytes_put_be(status + 17, durable, 8);
    bytes_put_be(status + 25, (uint64_t)(now_us - EPOCH_US), 8);
    status[33] = wants_reply;
}
