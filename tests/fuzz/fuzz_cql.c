/*
 * What a node of a Cassandra cluster answers: found in the bytes of a connection, decoded, its rows
 * read; alone, in segments whose checksums are right, and through a connection.
 *
 * The first byte chooses: bits 0-1 the framing, bits 2-3 the version, bit 4 segments that are made
 * here, bit 5 a connection. The second one is the size of the pieces.
 */
#include "support.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "connectors/cassandra/protocol/cql_connection.h"
#include "connectors/cassandra/protocol/cql_failure.h"
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { COLUMNS_MAX = 64, TIMEOUT_MS = 2000 };

static struct arena *arena;

static bool is_within(struct cql_value value, const struct cql_envelope *envelope)
{
    return value.length < 0 || (value.data >= envelope->body &&
                                value.data + value.length <= envelope->body + envelope->length);
}

static void read_rows(struct cql_rows *rows, const struct cql_envelope *envelope)
{
    struct cql_value values[COLUMNS_MAX];
    size_t count = 0;
    if (rows->columns.count > COLUMNS_MAX) {
        return;
    }
    while (cql_rows_next(rows, values) == STATUS_OK) {
        count++;
        for (size_t at = 0; at < rows->columns.count; at++) {
            FUZZ_REQUIRE(is_within(values[at], envelope));
        }
    }
    FUZZ_REQUIRE(count <= rows->count);
}

static void decode(const struct cql_envelope *envelope)
{
    struct cql_response response;
    struct error error = {0};
    arena_reset(arena);
    if (cql_response_decode(envelope, arena, &response, &error) != STATUS_OK) {
        fuzz_check_error(&error);
        return;
    }
    if (response.opcode == CQL_ERROR) {
        enum cql_failure failure = cql_failure_of(&response.error, "node", &error);
        FUZZ_REQUIRE(failure != CQL_FAILURE_NONE);
        fuzz_check_error(&error);
    } else if (response.opcode == CQL_RESULT && response.kind == CQL_RESULT_ROWS) {
        read_rows(&response.rows, envelope);
    }
}

/* ---------------------------------------------------------------- bytes */

static void read_bytes(enum cql_framing framing, uint8_t version, size_t piece, const char *bytes,
                       size_t length)
{
    struct cql_unframer unframer = {.framing = framing};
    struct cql_envelope envelope;
    struct error error = {0};
    size_t fed = 0;
    while (true) {
        enum status status = cql_unframer_next(&unframer, &envelope, &error);
        if (status == STATUS_OK) {
            FUZZ_REQUIRE(envelope.length <= CQL_BODY_BYTES_MAX);
            envelope.version = version;
            decode(&envelope);
            continue;
        }
        if (status == STATUS_FAILED) {
            fuzz_check_error(&error);
        }
        if (status == STATUS_FAILED || fed == length) {
            break;
        }
        size_t capacity;
        void *room = cql_unframer_room(&unframer, &capacity);
        size_t part = piece < length - fed ? piece : length - fed;
        memcpy(room, bytes + fed, part);
        cql_unframer_add(&unframer, part);
        fed += part;
    }
    cql_unframer_free(&unframer);
}

/* Puts the bytes into segments, with right checksums: a byte tells how many go into each, and
 * whether it is whole. */
static void make_segments(bool lz4, const char *bytes, size_t length, struct buffer *wire)
{
    size_t header_bytes = lz4 ? 5 : 3;
    while (length > 1) {
        uint8_t head[8];
        uint8_t crc[4];
        uint8_t control = (uint8_t)*bytes++;
        size_t part = (size_t)(control >> 1) * 3;
        length--;
        part = part < length ? part : length;
        bytes_put_le(head, part | (uint64_t)(control & 1) << (lz4 ? 34 : 17), (int)header_bytes);
        bytes_put_le(head + header_bytes, cql_crc24(head, header_bytes), 3);
        bytes_put_le(crc, cql_crc32(bytes, part), sizeof crc);
        buffer_append(wire, head, header_bytes + 3);
        buffer_append(wire, bytes, part);
        buffer_append(wire, crc, sizeof crc);
        bytes += part;
        length -= part;
    }
}

/* ---------------------------------------------------------------- a connection */

static int listener = -1;
static struct sockaddr_in listener_address = {.sin_family = AF_INET};

static void start_listener(void)
{
    socklen_t length = sizeof listener_address;
    listener_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FUZZ_REQUIRE(bind(listener, (struct sockaddr *)&listener_address, length) == 0 &&
                 listen(listener, 1) == 0 &&
                 getsockname(listener, (struct sockaddr *)&listener_address, &length) == 0);
}

/* Takes answers until the connection breaks, which it does at the latest with the bytes' end. */
static void take_answers(struct cql_connection *connection)
{
    struct error error = {0};
    uint32_t left = cql_connection_under_way(connection);
    while (true) {
        struct cql_answer answer;
        enum status status = cql_connection_next(connection, &answer, &error);
        if (status == STATUS_OK) {
            left -= answer.kind != CQL_ANSWER_EVENT;
            if (answer.kind != CQL_ANSWER_LATE) {
                decode(&answer.envelope);
            }
        } else if (status == STATUS_FAILED) {
            break;
        }
    }
    fuzz_check_error(&error);
    void *tag;
    bool sent;
    while (cql_connection_lost(connection, &tag, &sent)) {
        left--;
    }
    FUZZ_REQUIRE(left == 0);
}

static void send_requests(struct cql_connection *connection)
{
    static int tags[3];
    struct error error = {0};
    for (int at = 0; at < 3; at++) {
        (void)!cql_connection_send(connection, CQL_QUERY, "", 0, clock_boottime_ms() + TIMEOUT_MS,
                                   &tags[at], &error);
    }
    (void)!cql_connection_flush(connection, &error);
}

/* A node that says these bytes, after an answer to OPTIONS and STARTUP if `greets`. */
static void answer_connection(uint8_t version, bool greets, const struct buffer *said)
{
    struct error error = {0};
    struct cql_connection *connection;
    if (listener < 0) {
        start_listener();
    }
    const struct cql_connection_options options = {.name = "node",
                                                   .host = "127.0.0.1",
                                                   .port = ntohs(listener_address.sin_port),
                                                   .version = version,
                                                   .version_fixed = true,
                                                   .user = "user",
                                                   .password = "secret",
                                                   .connect_timeout_ms = TIMEOUT_MS};
    FUZZ_REQUIRE(cql_connection_open(&options, &connection, &error) == STATUS_OK);
    int peer = accept(listener, NULL, NULL);
    FUZZ_REQUIRE(peer >= 0);
    struct buffer bytes = {0};
    if (greets) {
        cql_envelope_write(&bytes, version | 0x80, 0, CQL_SUPPORTED, "\0\0", 2);
        cql_envelope_write(&bytes, version | 0x80, 0, CQL_READY, NULL, 0);
    }
    buffer_append_buffer(&bytes, said);
    (void)!send(peer, bytes.data, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)shutdown(peer, SHUT_WR);
    enum status status;
    while ((status = cql_connection_ready(connection, &error)) == STATUS_AGAIN) {
    }
    if (status == STATUS_OK) {
        send_requests(connection);
        take_answers(connection);
    } else {
        fuzz_check_error(&error);
    }
    cql_connection_close(connection);
    close(peer);
    buffer_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    arena = arena_create(0);
    enum cql_framing framing = (enum cql_framing)(data[0] & 3);
    uint8_t version = (uint8_t)(3 + (data[0] >> 2 & 3) % 3);
    size_t piece = data[1] > 0 ? data[1] : 4096;
    struct buffer bytes = {0};
    if (data[0] & 0x10) {
        framing = (enum cql_framing)(framing | CQL_FRAMING_SEGMENTS);
        make_segments(framing == CQL_FRAMING_SEGMENTS_LZ4, (const char *)data + 2, size - 2,
                      &bytes);
    } else {
        buffer_append(&bytes, data + 2, size - 2);
    }
    if (data[0] & 0x20) {
        answer_connection(version, data[0] & 0x40, &bytes);
    } else {
        read_bytes(framing, version, piece, bytes.data, bytes.length);
    }
    buffer_free(&bytes);
    arena_destroy(arena);
    return 0;
}
