/*
 * Sets of global transaction identifiers, as the servers write them.
 *
 *   MySQL    uuid:first[-last][:first[-last]]…, several with commas and blanks between them
 *   MariaDB  domain-server-number, one a domain, with commas: all up to that number
 *
 * In both a set is a list of spans for each origin: a server's UUID, or a domain, whose one span
 * begins with 1.
 */
#include "base/bytes.h"
#include "base/memory.h"
#include "connectors/mysql/follow/binlog.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void binlog_gtids_free(struct binlog_gtids *gtids)
{
    for (uint32_t i = 0; i < gtids->count; i++) {
        free(gtids->origins[i].spans);
    }
    free(gtids->origins);
    *gtids = (struct binlog_gtids){0};
}

static void *binlog_gtid_grow(void *list, uint32_t count, uint32_t *capacity, size_t size)
{
    enum { FIRST = 4 };
    if (count < *capacity) {
        return list;
    }
    *capacity = *capacity == 0 ? FIRST : 2 * *capacity;
    return memory_resize(list, *capacity, size);
}

static struct gtid_origin *binlog_gtid_find(const struct binlog_gtids *gtids, const uint8_t *name)
{
    for (uint32_t i = 0; i < gtids->count; i++) {
        if (memcmp(gtids->origins[i].name, name, GTID_NAME_BYTES) == 0) {
            return &gtids->origins[i];
        }
    }
    return NULL;
}

/* In the order of their names. */
static struct gtid_origin *find_or_add(struct binlog_gtids *gtids, const uint8_t *name)
{
    struct gtid_origin *found = binlog_gtid_find(gtids, name);
    if (found != NULL) {
        return found;
    }
    uint32_t at = gtids->count;
    gtids->origins =
        binlog_gtid_grow(gtids->origins, gtids->count, &gtids->capacity, sizeof *gtids->origins);
    while (at > 0 && memcmp(gtids->origins[at - 1].name, name, GTID_NAME_BYTES) > 0) {
        gtids->origins[at] = gtids->origins[at - 1];
        at--;
    }
    gtids->count++;
    gtids->origins[at] = (struct gtid_origin){0};
    memcpy(gtids->origins[at].name, name, GTID_NAME_BYTES);
    return &gtids->origins[at];
}

/* Spans stay in order, with gaps between them. */
static void add_span(struct gtid_origin *origin, struct gtid_span span)
{
    uint32_t at = origin->count;
    while (at > 0 && origin->spans[at - 1].behind >= span.first) {
        at--;
    }
    uint32_t end = at;
    while (end < origin->count && origin->spans[end].first <= span.behind) {
        const struct gtid_span *met = &origin->spans[end++];
        span.first = met->first < span.first ? met->first : span.first;
        span.behind = met->behind > span.behind ? met->behind : span.behind;
    }
    if (end == at) {
        origin->spans =
            binlog_gtid_grow(origin->spans, origin->count, &origin->capacity, sizeof span);
        memmove(origin->spans + at + 1, origin->spans + at, (origin->count - at) * sizeof span);
        origin->count++;
    } else {
        memmove(origin->spans + at + 1, origin->spans + end, (origin->count - end) * sizeof span);
        origin->count -= end - at - 1;
    }
    origin->spans[at] = span;
}

void binlog_gtids_add(struct binlog_gtids *gtids, const struct binlog_gtid *gtid)
{
    struct gtid_origin *origin = find_or_add(gtids, gtid->origin);
    origin->server = gtid->server;
    if (gtids->mariadb) {
        origin->count = 0; /* its last one, which need not have the highest number */
    }
    add_span(origin, (struct gtid_span){gtids->mariadb ? 1 : gtid->number, gtid->number + 1});
}

/* In MariaDB two servers that both wrote after they parted have given one number twice. */
static bool have_parted(const struct gtid_origin *left, const struct gtid_origin *right)
{
    return left->server != right->server && left->spans[0].behind == right->spans[0].behind;
}

bool binlog_gtids_hold(const struct binlog_gtids *outer, const struct binlog_gtids *inner)
{
    for (uint32_t i = 0; i < inner->count; i++) {
        const struct gtid_origin *wanted = &inner->origins[i];
        const struct gtid_origin *found = binlog_gtid_find(outer, wanted->name);
        uint32_t at = 0;
        if (inner->mariadb && found != NULL && have_parted(found, wanted)) {
            return false;
        }
        for (uint32_t j = 0; j < wanted->count; j++) {
            const struct gtid_span *span = &wanted->spans[j];
            while (found != NULL && at < found->count && found->spans[at].behind < span->behind) {
                at++;
            }
            if (found == NULL || at == found->count || found->spans[at].first > span->first) {
                return false;
            }
        }
    }
    return true;
}

/* ---------------------------------------------------------------- texts */

static void skip_blanks(struct text *rest)
{
    while (rest->length > 0 && strchr(" \t\r\n", rest->data[0]) != NULL && rest->data[0] != '\0') {
        rest->data++;
        rest->length--;
    }
}

static bool take_byte(struct text *rest, char byte)
{
    skip_blanks(rest);
    if (rest->length == 0 || rest->data[0] != byte) {
        return false;
    }
    rest->data++;
    rest->length--;
    return true;
}

static bool take_number(struct text *rest, uint64_t max, uint64_t *number)
{
    size_t length = 0;
    skip_blanks(rest);
    while (length < rest->length && rest->data[length] >= '0' && rest->data[length] <= '9') {
        length++;
    }
    bool is =
        length > 0 && text_to_uint64(rest->data, length, number) == STATUS_OK && *number <= max;
    rest->data += length;
    rest->length -= length;
    return is;
}

static int digit_of(char letter)
{
    return letter >= '0' && letter <= '9'   ? letter - '0'
           : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10
           : letter >= 'A' && letter <= 'F' ? letter - 'A' + 10
                                            : -1;
}

static bool take_uuid(struct text *rest, uint8_t *name)
{
    skip_blanks(rest);
    for (uint32_t i = 0; i < GTID_NAME_BYTES; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && !take_byte(rest, '-')) {
            return false;
        }
        int high = rest->length > 1 ? digit_of(rest->data[0]) : -1;
        int low = rest->length > 1 ? digit_of(rest->data[1]) : -1;
        if (high < 0 || low < 0) {
            return false;
        }
        name[i] = (uint8_t)(high * 16 + low);
        rest->data += 2;
        rest->length -= 2;
    }
    return true;
}

static bool take_spans(struct text *rest, struct gtid_origin *origin)
{
    while (take_byte(rest, ':')) {
        uint64_t first = 0;
        if (!take_number(rest, GTID_NUMBER_MAX, &first) || first == 0) {
            return false; /* or a tag, which is no part of a set here */
        }
        uint64_t last = first;
        if (take_byte(rest, '-') && (!take_number(rest, GTID_NUMBER_MAX, &last) || last < first)) {
            return false;
        }
        add_span(origin, (struct gtid_span){first, last + 1});
    }
    return origin->count > 0;
}

static bool take_domain(struct text *rest, struct binlog_gtids *gtids)
{
    uint64_t domain = 0;
    uint64_t server = 0;
    struct binlog_gtid gtid = {0};
    if (!take_number(rest, UINT32_MAX, &domain) || !take_byte(rest, '-') ||
        !take_number(rest, UINT32_MAX, &server) || !take_byte(rest, '-') ||
        !take_number(rest, GTID_NUMBER_MAX, &gtid.number)) {
        return false;
    }
    bytes_put_be(gtid.origin, domain, 4);
    gtid.server = (uint32_t)server;
    binlog_gtids_add(gtids, &gtid);
    return true;
}

bool binlog_gtids_read(struct text text, bool mariadb, struct binlog_gtids *gtids)
{
    struct text rest = text;
    *gtids = (struct binlog_gtids){.mariadb = mariadb};
    skip_blanks(&rest);
    while (rest.length > 0) {
        uint8_t name[GTID_NAME_BYTES];
        bool taken = mariadb
                         ? take_domain(&rest, gtids)
                         : take_uuid(&rest, name) && take_spans(&rest, find_or_add(gtids, name));
        skip_blanks(&rest);
        if (!taken || (rest.length > 0 && !take_byte(&rest, ','))) {
            binlog_gtids_free(gtids);
            return false;
        }
        skip_blanks(&rest);
    }
    return true;
}

static void print_uuid(const struct gtid_origin *origin, struct buffer *out)
{
    static const char digits[] = "0123456789abcdef";
    for (uint32_t i = 0; i < GTID_NAME_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            buffer_append_byte(out, '-');
        }
        buffer_append_byte(out, digits[origin->name[i] / 16]);
        buffer_append_byte(out, digits[origin->name[i] % 16]);
    }
}

void binlog_gtids_print(const struct binlog_gtids *gtids, struct buffer *out)
{
    for (uint32_t i = 0; i < gtids->count; i++) {
        const struct gtid_origin *origin = &gtids->origins[i];
        if (i > 0) {
            buffer_append_byte(out, ',');
        }
        if (gtids->mariadb) {
            buffer_format(out, "%" PRIu64 "-%" PRIu32 "-%" PRIu64, bytes_get_be(origin->name, 4),
                          origin->server, origin->spans[0].behind - 1);
            continue;
        }
        print_uuid(origin, out);
        for (uint32_t j = 0; j < origin->count; j++) {
            const struct gtid_span *span = &origin->spans[j];
            buffer_format(out, ":%" PRIu64, span->first);
            if (span->behind - span->first > 1) {
                buffer_format(out, "-%" PRIu64, span->behind - 1);
            }
        }
    }
}

/* ---------------------------------------------------------------- the server's own form */

static void append_number(struct buffer *out, uint64_t number)
{
    uint8_t bytes[8];
    bytes_put_le(bytes, number, 8);
    buffer_append(out, bytes, sizeof bytes);
}

/* The number of origins (8); of each its name (16), the number of spans (8), spans: the first
 * number (8), the one behind the last (8). */
void binlog_gtids_encode(const struct binlog_gtids *gtids, struct buffer *out)
{
    append_number(out, gtids->count);
    for (uint32_t i = 0; i < gtids->count; i++) {
        const struct gtid_origin *origin = &gtids->origins[i];
        buffer_append(out, origin->name, GTID_NAME_BYTES);
        append_number(out, origin->count);
        for (uint32_t j = 0; j < origin->count; j++) {
            append_number(out, origin->spans[j].first);
            append_number(out, origin->spans[j].behind);
        }
    }
}

/* MySQL: flags (1), the origin (16), the number (8). MariaDB: the number (8), the domain (4); the
 * server is the event's. */
bool binlog_read_gtid(const struct binlog_event *event, struct binlog_gtid *gtid)
{
    struct binlog_bytes body = event->body;
    *gtid = (struct binlog_gtid){.server = event->server};
    if (event->type == BINLOG_MARIADB_GTID) {
        gtid->number = binlog_take_number(&body, 8);
        bytes_put_be(gtid->origin, binlog_take_number(&body, 4), 4);
    } else {
        (void)binlog_take(&body, 1);
        const uint8_t *name = binlog_take(&body, GTID_NAME_BYTES);
        if (name != NULL) {
            memcpy(gtid->origin, name, GTID_NAME_BYTES);
        }
        gtid->number = binlog_take_number(&body, 8);
    }
    return !body.bad && gtid->number > 0 && gtid->number <= GTID_NUMBER_MAX;
}
