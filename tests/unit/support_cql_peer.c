#include "support_cql_peer.h"
#include "support_listener.h"

#include "base/clock.h"
#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADER_BYTES = 9,
    TICK_MS = 2,
    TEXT = 0x0D,
    UUID = 0x0C,
    INET = 0x10,
    INT = 0x09,
    SET = 0x22
};

/* One connection. */
struct client {
    struct stream *stream;
    bool segments;
    bool lz4;
    bool asked_lz4;
    uint32_t shard;
    struct buffer wire; /* received */
    struct buffer in;   /* envelopes of it */
    struct buffer out;  /* to be sent */
};

/* ---------------------------------------------------------------- answers */

void cql_peer_say(struct buffer *out, const struct cql_peer_request *request, uint8_t opcode,
                  const struct buffer *body)
{
    size_t length = body != NULL ? body->length : 0;
    cql_write_byte(out, request->version | 0x80);
    cql_write_byte(out, 0);
    cql_write_short(out, (uint16_t)request->stream);
    cql_write_byte(out, opcode);
    cql_write_int(out, (int32_t)length);
    if (length > 0) {
        buffer_append(out, body->data, length);
    }
}

static struct text text_of(const char *string)
{
    return (struct text){string, strlen(string)};
}

static void say_and_free(struct buffer *out, const struct cql_peer_request *request, uint8_t opcode,
                         struct buffer *body)
{
    cql_peer_say(out, request, opcode, body);
    buffer_free(body);
}

void cql_peer_say_void(struct buffer *out, const struct cql_peer_request *request)
{
    struct buffer body = {0};
    cql_write_int(&body, CQL_RESULT_VOID);
    say_and_free(out, request, CQL_RESULT, &body);
}

void cql_peer_say_error(struct buffer *out, const struct cql_peer_request *request, int32_t code,
                        const struct buffer *more)
{
    struct buffer body = {0};
    cql_write_int(&body, code);
    cql_write_string(&body, text_of("as the script says"));
    if (more != NULL) {
        buffer_append_buffer(&body, more);
    }
    say_and_free(out, request, CQL_ERROR, &body);
}

static void write_column(struct buffer *to, const char *name, uint16_t type)
{
    cql_write_string(to, text_of(name));
    cql_write_short(to, type);
    if (type == SET) {
        cql_write_short(to, TEXT);
    }
}

void cql_peer_say_prepared(struct buffer *out, const struct cql_peer_request *request)
{
    struct buffer body = {0};
    struct cql_reader reader = cql_reader_of(request->body, request->length);
    struct text query = cql_read_long_string(&reader);
    bool selects = strncmp(query.data, "SELECT", 6) == 0;
    cql_write_int(&body, CQL_RESULT_PREPARED);
    cql_write_short_bytes(&body, query);
    if (request->version >= 5) {
        cql_write_short_bytes(&body, text_of("columns"));
    }
    cql_write_int(&body, 1); /* one table */
    cql_write_int(&body, 1);
    if (request->version >= 4) {
        cql_write_int(&body, 1);
        cql_write_short(&body, 0);
    }
    cql_write_string(&body, text_of("ks"));
    cql_write_string(&body, text_of("t"));
    write_column(&body, "k", INT);
    cql_write_int(&body, selects ? 1 : 4);
    cql_write_int(&body, selects ? 2 : 0);
    if (selects) {
        cql_write_string(&body, text_of("ks"));
        cql_write_string(&body, text_of("t"));
        write_column(&body, "k", INT);
        write_column(&body, "v", INT);
    }
    say_and_free(out, request, CQL_RESULT, &body);
}

void cql_peer_say_unprepared(struct buffer *out, const struct cql_peer_request *request)
{
    struct buffer id = {0};
    struct cql_reader reader = cql_reader_of(request->body, request->length);
    cql_write_short_bytes(&id, cql_read_short_bytes(&reader));
    cql_peer_say_error(out, request, CQL_UNPREPARED, &id);
    buffer_free(&id);
}

/* ---------------------------------------------------------------- system tables */

static void begin_rows(struct buffer *body, int32_t columns)
{
    cql_write_int(body, CQL_RESULT_ROWS);
    cql_write_int(body, 1);
    cql_write_int(body, columns);
    cql_write_string(body, text_of("system"));
    cql_write_string(body, text_of("t"));
}

static void write_text(struct buffer *to, const char *text)
{
    cql_write_value(to, text, (int32_t)strlen(text));
}

/* host_id, data_center, rack, address, port, tokens, partitioner, schema_version */
static void write_node(struct buffer *to, const struct cql_peer *peer)
{
    uint8_t id[16] = {1, (uint8_t)(peer->port >> 8), (uint8_t)peer->port};
    const uint8_t address[4] = {127, 0, 0, 1};
    uint8_t port[4];
    cql_write_value(to, id, sizeof id);
    write_text(to, peer->dc != NULL ? peer->dc : "dc1");
    write_text(to, peer->rack != NULL ? peer->rack : "r1");
    cql_write_value(to, address, sizeof address);
    bytes_put_be(port, peer->port, sizeof port);
    cql_write_value(to, port, sizeof port);
    size_t begin = cql_write_begin(to);
    cql_write_int(to, (int32_t)peer->token_count);
    for (size_t at = 0; at < peer->token_count; at++) {
        char token[24];
        snprintf(token, sizeof token, "%lld", (long long)peer->tokens[at]);
        write_text(to, token);
    }
    cql_write_end(to, begin);
    write_text(to, peer->partitioner != NULL ? peer->partitioner
                                             : "org.apache.cassandra.dht.Murmur3Partitioner");
    cql_write_value(to, "one schema here!", 16);
}

static void say_nodes(struct cql_peer *peer, const struct cql_peer_request *request, bool local,
                      struct buffer *out)
{
    struct buffer body = {0};
    begin_rows(&body, 8);
    write_column(&body, "host_id", UUID);
    write_column(&body, "data_center", TEXT);
    write_column(&body, "rack", TEXT);
    write_column(&body, "native_address", INET);
    write_column(&body, "native_port", INT);
    write_column(&body, "tokens", SET);
    write_column(&body, "partitioner", TEXT);
    write_column(&body, "schema_version", UUID);
    cql_write_int(&body, local ? 1 : (int32_t)peer->other_count - 1);
    for (size_t at = 0; at < peer->other_count; at++) {
        if ((&peer->others[at] == peer) == local) {
            write_node(&body, &peer->others[at]);
        }
    }
    say_and_free(out, request, CQL_RESULT, &body);
}

/* `ks` with two replicas in dc1. */
static void say_keyspaces(const struct cql_peer_request *request, struct buffer *out)
{
    struct buffer body = {0};
    begin_rows(&body, 2);
    write_column(&body, "keyspace_name", TEXT);
    cql_write_string(&body, text_of("replication"));
    cql_write_short(&body, 0x21);
    cql_write_short(&body, TEXT);
    cql_write_short(&body, TEXT);
    cql_write_int(&body, 1);
    write_text(&body, "ks");
    size_t begin = cql_write_begin(&body);
    cql_write_int(&body, 2);
    write_text(&body, "class");
    write_text(&body, "org.apache.cassandra.locator.NetworkTopologyStrategy");
    write_text(&body, "dc1");
    write_text(&body, "2");
    cql_write_end(&body, begin);
    say_and_free(out, request, CQL_RESULT, &body);
}

/* host_id and schema_version, for agreement. */
static void say_schema(struct cql_peer *peer, const struct cql_peer_request *request, bool local,
                       struct buffer *out)
{
    struct buffer body = {0};
    begin_rows(&body, 2);
    write_column(&body, "host_id", UUID);
    write_column(&body, "schema_version", UUID);
    cql_write_int(&body, local ? 1 : (int32_t)peer->other_count - 1);
    for (size_t at = 0; at < peer->other_count; at++) {
        if ((&peer->others[at] == peer) == local) {
            uint16_t port = peer->others[at].port;
            uint8_t id[16] = {1, (uint8_t)(port >> 8), (uint8_t)port};
            cql_write_value(&body, id, sizeof id);
            cql_write_value(&body, "one schema here!", 16);
        }
    }
    say_and_free(out, request, CQL_RESULT, &body);
}

static bool contains(struct text text, const char *word)
{
    return memmem(text.data, text.length, word, strlen(word)) != NULL;
}

/* False: it is no query of the system tables. */
static bool answer_system(struct cql_peer *peer, const struct cql_peer_request *request,
                          struct buffer *out)
{
    struct cql_reader reader = cql_reader_of(request->body, request->length);
    struct text query = cql_read_long_string(&reader);
    if (request->opcode != CQL_QUERY || !contains(query, "system")) {
        return false;
    }
    bool local = contains(query, "system.local");
    if (contains(query, "system_schema")) {
        say_keyspaces(request, out);
    } else if (peer->old_peers && contains(query, "peers_v2")) {
        cql_peer_say_error(out, request, CQL_INVALID, NULL);
    } else if (contains(query, "schema_version")) {
        say_schema(peer, request, local, out);
    } else {
        say_nodes(peer, request, local, out);
    }
    return true;
}

/* ---------------------------------------------------------------- set-up */

static void say_supported(const struct cql_peer *peer, const struct client *client,
                          const struct cql_peer_request *request, struct buffer *out)
{
    struct buffer body = {0};
    char number[16];
    bool shards = peer->shard_count > 0;
    cql_write_short(&body, (uint16_t)(1 + (shards ? 4 : 0)));
    cql_write_string(&body, text_of("COMPRESSION"));
    cql_write_string_list(&body, (const char *const[]){"snappy", "lz4"}, peer->lz4 ? 2 : 1);
    const struct {
        const char *name;
        uint32_t value;
    } options[] = {{"SCYLLA_SHARD", client->shard},
                   {"SCYLLA_NR_SHARDS", peer->shard_count},
                   {"SCYLLA_SHARDING_IGNORE_MSB", 12},
                   {"SCYLLA_SHARD_AWARE_PORT", peer->port}};
    for (size_t at = 0; shards && at < 4; at++) {
        snprintf(number, sizeof number, "%u", options[at].value);
        cql_write_string(&body, text_of(options[at].name));
        cql_write_string_list(&body, (const char *const[]){number}, 1);
    }
    say_and_free(out, request, CQL_SUPPORTED, &body);
}

static void say_startup(const struct cql_peer *peer, struct client *client,
                        const struct cql_peer_request *request, struct buffer *out)
{
    struct buffer body = {0};
    client->asked_lz4 = memmem(request->body, request->length, "COMPRESSION\0\3lz4", 16) != NULL;
    if (peer->authenticator != NULL) {
        cql_write_string(&body, text_of(peer->authenticator));
        say_and_free(out, request, CQL_AUTHENTICATE, &body);
    } else {
        cql_peer_say(out, request, CQL_READY, NULL);
    }
}

static void say_login(const struct cql_peer_request *request, struct buffer *out)
{
    static const char token[] = "\0\0\0\x0c\0user\0secret";
    if (request->length == sizeof token - 1 &&
        memcmp(request->body, token, sizeof token - 1) == 0) {
        struct buffer body = {0};
        cql_write_null(&body);
        say_and_free(out, request, CQL_AUTH_SUCCESS, &body);
    } else {
        cql_peer_say_error(out, request, CQL_BAD_CREDENTIALS, NULL);
    }
}

static void answer(struct cql_peer *peer, struct client *client,
                   const struct cql_peer_request *request, struct buffer *out)
{
    uint8_t version_max = peer->version_max > 0 ? peer->version_max : 5;
    atomic_fetch_add(&peer->requests[request->opcode & 31], 1);
    if (request->version > version_max) {
        struct cql_peer_request own = *request;
        own.version = version_max;
        cql_peer_say_error(out, &own, version_max > 3 ? CQL_PROTOCOL_ERROR : CQL_SERVER_ERROR,
                           NULL);
    } else if (request->opcode == CQL_OPTIONS) {
        say_supported(peer, client, request, out);
    } else if (request->opcode == CQL_STARTUP) {
        say_startup(peer, client, request, out);
    } else if (request->opcode == CQL_AUTH_RESPONSE) {
        say_login(request, out);
    } else if (request->opcode == CQL_REGISTER) {
        cql_peer_say(out, request, CQL_READY, NULL);
    } else if (!answer_system(peer, request, out)) {
        if (peer->answer != NULL) {
            peer->answer(peer, request, out);
        } else if (request->opcode == CQL_PREPARE) {
            cql_peer_say_prepared(out, request);
        } else {
            cql_peer_say_void(out, request);
        }
    }
}

/* ---------------------------------------------------------------- framing */

static void frame(const struct cql_peer *peer, const struct client *client, const char *bytes,
                  size_t length, bool whole, struct buffer *out)
{
    size_t header_bytes = client->lz4 ? 5 : 3;
    char packed[CQL_PAYLOAD_BYTES_MAX + 1024];
    size_t sent = length;
    uint64_t header = length | (uint64_t)whole << (client->lz4 ? 34 : 17);
    if (client->lz4 && length > 20) {
        sent = (size_t)LZ4_compress_default(bytes, packed, (int)length, sizeof packed);
        header = sent | (uint64_t)length << 17 | (uint64_t)whole << 34;
        bytes = packed;
    }
    uint8_t head[8];
    uint8_t crc[4];
    bytes_put_le(head, header, (int)header_bytes);
    uint32_t crc24 = cql_crc24(head, header_bytes);
    bytes_put_le(head + header_bytes, crc24 ^ (peer->fault == CQL_PEER_BAD_HEADER_CRC), 3);
    bytes_put_le(crc, cql_crc32(bytes, sent) ^ (peer->fault == CQL_PEER_BAD_PAYLOAD_CRC), 4);
    buffer_append(out, head, header_bytes + 3);
    buffer_append(out, bytes, sent);
    buffer_append(out, crc, 4);
}

/* Sends envelopes as the connection wants them, or with the peer's fault. */
static void send_answers(const struct cql_peer *peer, struct client *client, struct buffer *answers)
{
    enum { PIECE_BYTES = 10 };
    size_t piece = peer->fault == CQL_PEER_SPLIT ? PIECE_BYTES : CQL_PAYLOAD_BYTES_MAX;
    if (answers->length > HEADER_BYTES && client->segments) {
        if (peer->fault == CQL_PEER_LONG_BODY) {
            bytes_put_be((uint8_t *)answers->data + 5, 1 << 30, 4);
        } else if (peer->fault == CQL_PEER_SHORT_SEGMENT) {
            answers->length--;
        } else if (peer->fault == CQL_PEER_WRONG_STREAM) {
            bytes_put_be((uint8_t *)answers->data + 2, 77, 2);
        }
    }
    if (!client->segments) {
        buffer_append_buffer(&client->out, answers);
    } else if (answers->length > 0 && answers->length <= piece) {
        frame(peer, client, answers->data, answers->length, true, &client->out);
    } else {
        for (size_t at = 0; at < answers->length; at += piece) {
            size_t length = answers->length - at < piece ? answers->length - at : piece;
            frame(peer, client, answers->data + at, length, false, &client->out);
        }
    }
    buffer_clear(answers);
}

static void drop_front(struct buffer *buffer, size_t length)
{
    memmove(buffer->data, buffer->data + length, buffer->length - length);
    buffer->length -= length;
}

/* Takes a segment off `wire`. False: there is no whole one. */
static bool take_segment(struct client *client)
{
    size_t header_bytes = client->lz4 ? 5 : 3;
    const uint8_t *at = (const uint8_t *)client->wire.data;
    if (client->wire.length < header_bytes + 3) {
        return false;
    }
    uint64_t header = bytes_get_le(at, (int)header_bytes);
    size_t sent = header & CQL_PAYLOAD_BYTES_MAX;
    size_t length = client->lz4 ? header >> 17 & CQL_PAYLOAD_BYTES_MAX : 0;
    size_t begin = header_bytes + 3;
    if (client->wire.length < begin + sent + 4) {
        return false;
    }
    assert_int_equal(bytes_get_le(at + header_bytes, 3), cql_crc24(at, header_bytes));
    assert_int_equal(bytes_get_le(at + begin + sent, 4), cql_crc32(at + begin, sent));
    if (length > 0) {
        buffer_reserve(&client->in, length);
        assert_int_equal(LZ4_decompress_safe((const char *)at + begin,
                                             client->in.data + client->in.length, (int)sent,
                                             (int)length),
                         (int)length);
        client->in.length += length;
    } else {
        buffer_append(&client->in, at + begin, sent);
    }
    drop_front(&client->wire, begin + sent + 4);
    return true;
}

/* Answers one request. False: there is no whole one, or the connection is to be closed. */
static bool serve_request(struct cql_peer *peer, struct client *client)
{
    if (client->segments) {
        while (take_segment(client)) {
        }
    } else {
        buffer_append_buffer(&client->in, &client->wire);
        buffer_clear(&client->wire);
    }
    const uint8_t *at = (const uint8_t *)client->in.data;
    if (client->in.length < HEADER_BYTES ||
        client->in.length < HEADER_BYTES + bytes_get_be(at + 5, 4)) {
        return false;
    }
    struct cql_peer_request request = {at[0], (int16_t)bytes_get_be(at + 2, 2), at[4],
                                       at + HEADER_BYTES, (size_t)bytes_get_be(at + 5, 4)};
    char *body = NULL;
    if (at[1] & CQL_FLAG_COMPRESSED) {
        int length = (int)bytes_get_be(request.body, 4);
        body = malloc((size_t)length);
        assert_int_equal(LZ4_decompress_safe((const char *)request.body + 4, body,
                                             (int)request.length - 4, length),
                         length);
        request.body = (const uint8_t *)body;
        request.length = (size_t)length;
    }
    struct buffer answers = {0};
    size_t whole = HEADER_BYTES + (size_t)bytes_get_be(at + 5, 4);
    answer(peer, client, &request, &answers);
    bool startup = request.opcode == CQL_STARTUP &&
                   request.version <= (peer->version_max > 0 ? peer->version_max : 5);
    if (peer->fault == CQL_PEER_SPEAKS_TLS) {
        buffer_clear(&answers);
        buffer_append(&answers, "\x15\x03\x01\x00\x02\x02\x46", 7);
    }
    if ((startup && peer->fault == CQL_PEER_SILENT_AT_STARTUP) ||
        (request.opcode == CQL_REGISTER && peer->fault == CQL_PEER_SILENT_LATER)) {
        buffer_clear(&answers);
    }
    send_answers(peer, client, &answers);
    if (startup) {
        client->segments = request.version >= 5;
        client->lz4 = client->asked_lz4 && client->segments;
    }
    buffer_free(&answers);
    free(body);
    drop_front(&client->in, whole);
    return true;
}

/* ---------------------------------------------------------------- the thread */

static void close_client(struct client *client)
{
    stream_destroy(client->stream);
    buffer_free(&client->wire);
    buffer_free(&client->in);
    buffer_free(&client->out);
    *client = (struct client){0};
}

static void send_out(const struct cql_peer *peer, struct client *client)
{
    struct error error;
    size_t length = client->out.length;
    if (length > 0 && peer->fault == CQL_PEER_BYTE_BY_BYTE) {
        length = 1;
    }
    size_t written = 0;
    if (length > 0 &&
        stream_write(client->stream, client->out.data, length, &written, &error) == STATUS_FAILED) {
        close_client(client);
    } else if (written > 0) {
        drop_front(&client->out, written);
    }
}

/* False: nothing was done. */
static bool serve(struct cql_peer *peer, struct client *client)
{
    char bytes[4096];
    struct error error;
    size_t got;
    enum status status = stream_read(client->stream, bytes, sizeof bytes, &got, &error);
    if (status == STATUS_FAILED || status == STATUS_END || atomic_load(&peer->cut)) {
        close_client(client);
        return true;
    }
    buffer_append(&client->wire, bytes, got);
    uint32_t startups = atomic_load(&peer->requests[CQL_STARTUP]);
    while (serve_request(peer, client)) {
    }
    if (peer->fault == CQL_PEER_HANG_UP_AT_STARTUP &&
        atomic_load(&peer->requests[CQL_STARTUP]) > startups) {
        close_client(client);
        return true;
    }
    bool waits = client->out.length > 0;
    send_out(peer, client);
    return status == STATUS_OK || waits;
}

static void *run(void *user)
{
    struct cql_peer *peer = user;
    struct client clients[CQL_PEER_CONNECTIONS_MAX] = {0};
    while (!atomic_load(&peer->stopped)) {
        struct error error;
        bool busy = false;
        bool cut = atomic_load(&peer->cut);
        for (size_t at = 0; at < CQL_PEER_CONNECTIONS_MAX; at++) {
            struct client *client = &clients[at];
            if (client->stream != NULL) {
                busy = serve(peer, client) || busy;
            } else if (!cut &&
                       stream_accept(peer->listener, peer->tls, 0, clock_boottime_ms() + 5000,
                                     &client->stream, &error) == STATUS_OK) {
                client->shard = atomic_fetch_add(&peer->accepted, 1) %
                                (peer->shard_count > 0 ? peer->shard_count : 1);
                busy = true;
            }
        }
        if (!busy) {
            clock_sleep_ms(TICK_MS);
        }
    }
    for (size_t at = 0; at < CQL_PEER_CONNECTIONS_MAX; at++) {
        close_client(&clients[at]);
    }
    return NULL;
}

static void listen_there(struct cql_peer *peer)
{
    struct error error = {0};
    if (stream_listen(peer->port, &peer->listener, &error) != STATUS_OK) {
        fail_msg("%s", error.message);
    }
    peer->port = stream_listener_port(peer->listener);
}

static void start_thread(struct cql_peer *peer)
{
    atomic_store(&peer->stopped, false);
    assert_int_equal(pthread_create(&peer->thread, NULL, run, peer), 0);
}

void cql_peer_start_all(struct cql_peer *peers, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        peers[at].others = peers;
        peers[at].other_count = count;
        listen_there(&peers[at]);
    }
    for (size_t at = 0; at < count; at++) {
        start_thread(&peers[at]);
    }
}

void cql_peer_start(struct cql_peer *peer)
{
    if (peer->others == NULL) {
        cql_peer_start_all(peer, 1);
    } else {
        listen_there(peer);
        start_thread(peer);
    }
}

void cql_peer_stop(struct cql_peer *peer)
{
    atomic_store(&peer->stopped, true);
    pthread_join(peer->thread, NULL);
    stream_listener_destroy(peer->listener);
}

void cql_peer_stop_all(struct cql_peer *peers, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        cql_peer_stop(&peers[at]);
    }
}
