/* StatsD over UDP, packets of at most 1,432 bytes, which fit a frame. */
#include "observe/metric/metric_statsd.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "net/address.h"
#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PACKET_BYTES_MAX = 1432 };

/* A counter as it stood the last time, in the order of the registry, which only grows within its
 * families: found by name and labels. */
struct last_count {
    char *line; /* name and tags */
    double value;
};

struct metric_statsd {
    int socket;
    struct last_count *counts;
    uint32_t count;
    uint32_t capacity;
    struct buffer packet;
    struct buffer tags;
};

enum status metric_statsd_open(const char *address, struct metric_statsd **statsd,
                               struct error *error)
{
    struct address split;
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    if (!address_split(address, NULL, &split) || split.number == 0) {
        error_set(error, ERROR_USAGE, address, "is not HOST:PORT of a StatsD server");
        return error_hint(error, "127.0.0.1:8125 is, and [::1]:8125");
    }
    int failure = getaddrinfo(split.host, split.port, &hints, &found);
    if (failure != 0) {
        return error_set(error, ERROR_USAGE, address, "is no StatsD server: %s",
                         gai_strerror(failure));
    }
    int made = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0 || connect(made, found->ai_addr, found->ai_addrlen) != 0) {
        int code = errno;
        freeaddrinfo(found);
        if (made >= 0) {
            close(made);
        }
        return error_set_errno(error, ERROR_USAGE, code, address, "can't be sent to");
    }
    freeaddrinfo(found);
    *statsd = memory_allocate_zeroed(1, sizeof(**statsd));
    (*statsd)->socket = made;
    return STATUS_OK;
}

static void send_packet(struct metric_statsd *statsd)
{
    if (statsd->packet.length > 0) {
        ssize_t ignored = send(statsd->socket, statsd->packet.data, statsd->packet.length - 1, 0);
        (void)ignored; /* a datagram may get lost anyway */
        buffer_clear(&statsd->packet);
    }
}

/* "name{tags}" keeps a series apart; what would end a tag becomes '_'. */
static void append_tag(struct buffer *out, const struct metric_label *label)
{
    buffer_format(out, "%s%s:", out->length > 0 ? "," : "", label->name);
    for (const char *at = label->value; *at != '\0'; at++) {
        bool ends = strchr(",|#:@\x7f", *at) != NULL || (unsigned char)*at < ' ';
        buffer_append_byte(out, ends ? '_' : *at);
    }
}

static void add_line(struct metric_statsd *statsd, const char *name, const char *end, double value,
                     char type)
{
    char line[PACKET_BYTES_MAX];
    const char *tags = buffer_string(&statsd->tags);
    int length = snprintf(line, sizeof(line), "%s%s:%.15g|%c%s%s\n", name, end, value, type,
                          tags[0] != '\0' ? "|#" : "", tags);
    if (length <= 0 || (size_t)length >= sizeof(line)) {
        return;
    }
    if (statsd->packet.length + (size_t)length > PACKET_BYTES_MAX) {
        send_packet(statsd);
    }
    buffer_append(&statsd->packet, line, (size_t)length);
}

static double *last_of(struct metric_statsd *statsd, const char *name, const char *end)
{
    struct buffer line = {0};
    buffer_format(&line, "%s%s %s", name, end, buffer_string(&statsd->tags));
    for (uint32_t i = 0; i < statsd->count; i++) {
        if (strcmp(statsd->counts[i].line, buffer_string(&line)) == 0) {
            buffer_free(&line);
            return &statsd->counts[i].value;
        }
    }
    statsd->counts =
        memory_make_room(statsd->counts, statsd->count, &statsd->capacity, sizeof(*statsd->counts));
    statsd->counts[statsd->count] =
        (struct last_count){memory_copy_string(buffer_string(&line)), 0};
    buffer_free(&line);
    return &statsd->counts[statsd->count++].value;
}

static void add_count(struct metric_statsd *statsd, const char *name, const char *end, double value)
{
    double *last = last_of(statsd, name, end);
    double before = value >= *last ? *last : 0; /* less than it was: counted anew by another run */
    if (value > before) {
        add_line(statsd, name, end, value - before, 'c');
    }
    *last = value;
}

static void metric_statsd_add(void *context, const struct metric_sample *sample)
{
    struct metric_statsd *statsd = context;
    if (sample->none) {
        return;
    }
    buffer_clear(&statsd->tags);
    for (uint32_t i = 0; i < sample->label_count; i++) {
        append_tag(&statsd->tags, &sample->labels[i]);
    }
    if (sample->of != NULL) {
        double count = 0;
        for (uint32_t i = 0; i <= sample->of->bound_count; i++) {
            count += (double)sample->of->counts[i];
        }
        add_count(statsd, sample->name, "_count", count);
        add_count(statsd, sample->name, "_sum", sample->of->sum);
    } else if (sample->type == METRIC_COUNTER) {
        add_count(statsd, sample->name, "", sample->value);
    } else {
        add_line(statsd, sample->name, "", sample->value, 'g');
    }
}

void metric_statsd_send(struct metric_statsd *statsd, struct metric_registry *registry)
{
    metric_registry_visit(registry, metric_statsd_add, statsd);
    send_packet(statsd);
}

void metric_statsd_close(struct metric_statsd *statsd)
{
    if (statsd != NULL) {
        for (uint32_t i = 0; i < statsd->count; i++) {
            free(statsd->counts[i].line);
        }
        free(statsd->counts);
        buffer_free(&statsd->packet);
        buffer_free(&statsd->tags);
        close(statsd->socket);
        free(statsd);
    }
}
