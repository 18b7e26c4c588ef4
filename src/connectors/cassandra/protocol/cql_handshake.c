/* From the first byte to an open connection; see cql_connection.h for its steps. */
#include "connectors/cassandra/protocol/cql_connection_internal.h"

#include "base/clock.h"
#include "base/secret.h"
#include "connectors/cassandra/protocol/cql_failure.h"
#include "connectors/cassandra/protocol/cql_type.h"
#include <stdio.h>
#include <stdlib.h>

enum { HANDSHAKE_BODY_BYTES_MAX = 1 << 20 };

/* The authenticators that take user and password at once (SASL PLAIN), by class name. */
static const char *const authenticators[] = {
    "PasswordAuthenticator",     "MutualTlsWithPasswordFallbackAuthenticator",
    "DseAuthenticator",          "AuditPasswordAuthenticator",
    "TransitionalAuthenticator", "SaslauthdAuthenticator",
    "AivenAuthenticator",        "InstaclustrPasswordAuthenticator",
    "SharedSecretAuthenticator",
};

static bool text_is(struct text text, const char *word)
{
    return text.length == strlen(word) && memcmp(text.data, word, text.length) == 0;
}

enum status cql_handshake_begin(struct cql_connection *connection, struct error *error)
{
    const struct cql_connection_options *options = &connection->options;
    struct stream_options stream = {
        .host = options->host,
        .port = options->port,
        .local_port = options->local_port,
        .tls = options->tls,
        .server_name = options->server_name,
        .plaintext_allowed = options->plaintext_allowed,
        .deadline_ms = connection->open_until_ms,
    };
    connection->step = STEP_CONNECTING;
    connection->framing = CQL_FRAMING_PLAIN;
    connection->lz4 = false;
    return stream_open(&stream, &connection->stream, error);
}

static enum status cql_handshake_refuse(struct cql_connection *connection, enum error_code code,
                                        struct error *error, const char *format, ...)
    PRINTF_LIKE(4, 5);
static enum status cql_handshake_refuse(struct cql_connection *connection, enum error_code code,
                                        struct error *error, const char *format, ...)
{
    char words[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    struct error why;
    error_clear(&why);
    error_set(&why, code, connection->options.name, "%s", words);
    return cql_connection_break(connection, &why, error);
}

/* ---------------------------------------------------------------- requests */

static void cql_handshake_ask(struct cql_connection *connection, enum step step,
                              enum cql_opcode opcode, struct buffer *body)
{
    cql_connection_gather(connection, 0, opcode, body->data, body->length,
                          connection->open_until_ms);
    secret_wipe(body->data, body->length);
    buffer_free(body);
    connection->step = step;
}

static void ask_options(struct cql_connection *connection)
{
    struct buffer body = {0};
    cql_handshake_ask(connection, STEP_OPTIONS, CQL_OPTIONS, &body);
}

static void ask_startup(struct cql_connection *connection)
{
    const char *const pairs[] = {"CQL_VERSION",    "3.0.0",           "DRIVER_NAME", "transhume",
                                 "DRIVER_VERSION", TRANSHUME_VERSION, "COMPRESSION", "lz4"};
    struct buffer body = {0};
    cql_write_startup(&body, pairs, connection->lz4 ? 4 : 3);
    cql_handshake_ask(connection, STEP_STARTUP, CQL_STARTUP, &body);
    if (connection->lz4) {
        cql_unframer_set(&connection->unframer, CQL_FRAMING_PLAIN_LZ4);
    }
}

static enum status ask_password(struct cql_connection *connection, struct text authenticator,
                                struct error *error)
{
    const struct cql_connection_options *options = &connection->options;
    size_t begin = authenticator.length;
    while (begin > 0 && authenticator.data[begin - 1] != '.') {
        begin--;
    }
    struct text class = {authenticator.data + begin, authenticator.length - begin};
    bool known = false;
    for (size_t at = 0; at < sizeof authenticators / sizeof *authenticators; at++) {
        known = known || text_is(class, authenticators[at]);
    }
    if (!known) {
        return cql_handshake_refuse(
            connection, ERROR_CREDENTIALS, error,
            "the node wants to be logged in to by %.*s, which is not supported",
            (int)(authenticator.length < 200 ? authenticator.length : 200), authenticator.data);
    }
    if (options->user == NULL || options->password == NULL) {
        return cql_handshake_refuse(connection, ERROR_CREDENTIALS, error,
                                    "the node asks for user and password, and there are none");
    }
    struct buffer body = {0};
    cql_write_auth_response(&body, options->user, options->password);
    cql_handshake_ask(connection, STEP_PASSWORD, CQL_AUTH_RESPONSE, &body);
    return STATUS_OK;
}

static void ask_keyspace(struct cql_connection *connection)
{
    const struct cql_parameters parameters = {.consistency = CQL_ONE,
                                              .timestamp_us = CQL_NO_TIMESTAMP};
    const char *keyspace = connection->options.keyspace;
    struct buffer text = {0};
    struct buffer body = {0};
    buffer_append_string(&text, "USE ");
    cql_name_append((struct text){keyspace, strlen(keyspace)}, &text);
    const struct cql_bound bound = {.query = {text.data, text.length}};
    cql_write_statement(&body, connection->version, &bound, &parameters);
    buffer_free(&text);
    cql_handshake_ask(connection, STEP_KEYSPACE, CQL_QUERY, &body);
}

/* The node takes requests. */
static void cql_handshake_finish(struct cql_connection *connection)
{
    if (connection->options.keyspace != NULL && connection->step != STEP_KEYSPACE) {
        ask_keyspace(connection);
        return;
    }
    secret_wipe(connection->wire.data, connection->wire.capacity);
    secret_wipe(connection->gathered.data, connection->gathered.capacity);
    connection->step = STEP_OPEN;
}

/* ---------------------------------------------------------------- answers */

/* The answer to STARTUP is the last one in plain envelopes of version 5. */
static void change_framing(struct cql_connection *connection)
{
    bool segments = connection->version >= 5;
    connection->framing = segments ? CQL_FRAMING_SEGMENTS : CQL_FRAMING_PLAIN;
    if (connection->lz4) {
        connection->framing = segments ? CQL_FRAMING_SEGMENTS_LZ4 : CQL_FRAMING_PLAIN_LZ4;
    }
    cql_unframer_set(&connection->unframer, connection->framing);
}

static uint32_t number_of(const struct cql_supported *option)
{
    uint64_t number;
    if (option->value_count == 0 ||
        text_to_uint64(option->values[0].data, option->values[0].length, &number) != STATUS_OK ||
        number > UINT32_MAX) {
        return 0;
    }
    return (uint32_t)number;
}

static void take_supported(struct cql_connection *connection, const struct cql_response *response)
{
    struct cql_shards *shards = &connection->shards;
    for (size_t at = 0; at < response->supported.count; at++) {
        const struct cql_supported *option = &response->supported.list[at];
        if (text_is(option->name, "COMPRESSION") && connection->options.compression) {
            for (size_t value = 0; value < option->value_count; value++) {
                connection->lz4 = connection->lz4 || text_is(option->values[value], "lz4");
            }
        } else if (text_is(option->name, "SCYLLA_SHARD")) {
            shards->shard = number_of(option);
        } else if (text_is(option->name, "SCYLLA_NR_SHARDS")) {
            shards->count = number_of(option);
        } else if (text_is(option->name, "SCYLLA_SHARDING_IGNORE_MSB")) {
            shards->ignored_bits = number_of(option);
        } else if (text_is(option->name, "SCYLLA_SHARD_AWARE_PORT")) {
            shards->port = (uint16_t)number_of(option);
        } else if (text_is(option->name, "SCYLLA_SHARD_AWARE_PORT_SSL")) {
            shards->port_tls = (uint16_t)number_of(option);
        }
    }
}

/* Connects anew with a lower version: the node's, or one less. */
static enum status try_lower(struct cql_connection *connection, uint8_t offered,
                             struct error *error)
{
    uint8_t lower = offered < connection->version ? offered : (uint8_t)(connection->version - 1);
    if (lower < CQL_VERSION_MIN || connection->options.version_fixed) {
        return cql_handshake_refuse(
            connection, ERROR_TARGET_INVALID, error,
            "the node does not speak version %u of the CQL protocol; it offers %u",
            connection->version, offered);
    }
    stream_destroy(connection->stream);
    connection->stream = NULL;
    cql_unframer_free(&connection->unframer);
    connection->unframer = (struct cql_unframer){0};
    buffer_clear(&connection->gathered);
    buffer_clear(&connection->wire);
    connection->wire_sent = 0;
    connection->version = lower;
    struct error why;
    if (cql_handshake_begin(connection, &why) != STATUS_OK) {
        return cql_connection_break(connection, &why, error);
    }
    return STATUS_OK;
}

static enum status take_error(struct cql_connection *connection, const struct cql_error *from,
                              struct error *error)
{
    if (connection->step <= STEP_STARTUP && from->code == CQL_PROTOCOL_ERROR) {
        return try_lower(connection, connection->version, error);
    }
    struct error why;
    error_clear(&why);
    (void)cql_failure_of(from, connection->options.name, &why);
    return cql_connection_break(connection, &why, error);
}

static enum status cql_handshake_take(struct cql_connection *connection,
                                      const struct cql_response *response, struct error *error)
{
    enum cql_opcode opcode = response->opcode;
    switch (connection->step) {
    case STEP_OPTIONS:
        if (opcode == CQL_SUPPORTED) {
            take_supported(connection, response);
            ask_startup(connection);
            return STATUS_OK;
        }
        break;
    case STEP_STARTUP:
        change_framing(connection);
        if (opcode == CQL_READY) {
            cql_handshake_finish(connection);
            return STATUS_OK;
        }
        if (opcode == CQL_AUTHENTICATE) {
            return ask_password(connection, response->authenticator, error);
        }
        break;
    case STEP_KEYSPACE:
        if (opcode == CQL_RESULT && response->kind == CQL_RESULT_KEYSPACE) {
            cql_handshake_finish(connection);
            return STATUS_OK;
        }
        break;
    default:
        if (opcode == CQL_AUTH_SUCCESS) {
            cql_handshake_finish(connection);
            return STATUS_OK;
        }
    }
    return cql_handshake_refuse(
        connection, ERROR_NETWORK_ANSWER, error,
        "the node answered with the opcode 0x%02x while the connection was set up", opcode);
}

/* One answer of the node. */
static enum status cql_handshake_step(struct cql_connection *connection,
                                      const struct cql_envelope *envelope, struct error *error)
{
    if (envelope->length > HANDSHAKE_BODY_BYTES_MAX) {
        return cql_handshake_refuse(connection, ERROR_NETWORK_ANSWER, error,
                                    "an answer of %zu bytes came while the connection was set up",
                                    envelope->length);
    }
    if (envelope->version != connection->version) {
        return try_lower(connection, envelope->version, error);
    }
    struct cql_response response;
    struct error why;
    arena_reset(connection->arena);
    if (cql_response_decode(envelope, connection->arena, &response, &why) != STATUS_OK) {
        return cql_connection_break(connection, &why, error);
    }
    return response.opcode == CQL_ERROR ? take_error(connection, &response.error, error)
                                        : cql_handshake_take(connection, &response, error);
}

/* Sends the request of this step, then takes its answer: never one that came before all was sent.
 */
static enum status exchange(struct cql_connection *connection, struct error *error)
{
    enum status status = cql_connection_flush(connection, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (connection->wire_sent < connection->wire.length) {
        return STATUS_AGAIN;
    }
    struct cql_envelope envelope;
    status = cql_connection_envelope(connection, &envelope, error);
    if (status == STATUS_AGAIN) {
        return cql_connection_receive(connection, error);
    }
    return status == STATUS_OK ? cql_handshake_step(connection, &envelope, error) : status;
}

static enum status connect_stream(struct cql_connection *connection, struct error *error)
{
    struct error why;
    enum status status = stream_ready(connection->stream, &why);
    if (status == STATUS_OK) {
        ask_options(connection);
    }
    return status == STATUS_FAILED ? cql_connection_break(connection, &why, error) : status;
}

enum status cql_connection_ready(struct cql_connection *connection, struct error *error)
{
    while (connection->step < STEP_OPEN) {
        enum status status = connection->step == STEP_CONNECTING ? connect_stream(connection, error)
                                                                 : exchange(connection, error);
        if (status == STATUS_AGAIN && clock_boottime_ms() >= connection->open_until_ms) {
            return cql_handshake_refuse(
                connection, ERROR_NETWORK, error,
                "the node did not answer in time while the connection was set up");
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    return connection->step == STEP_OPEN ? STATUS_OK : error_copy(error, &connection->failure);
}
