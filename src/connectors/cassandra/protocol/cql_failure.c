#include "connectors/cassandra/protocol/cql_failure.h"

#include <stdio.h>

/* The facts that callers need to know of each kind. */
static const struct {
    const char *name;
    enum error_code error;
    enum error_class class;
    bool may_have_happened;
} kinds[] = {
    [CQL_FAILURE_NONE] = {"none", ERROR_NONE, ERROR_CLASS_STOP, false},
    [CQL_FAILURE_NO_HOST] = {"no host available", ERROR_NETWORK, ERROR_CLASS_RETRY, false},
    [CQL_FAILURE_LOST] = {"connection lost", ERROR_NETWORK, ERROR_CLASS_RETRY, true},
    [CQL_FAILURE_LATE] = {"no answer in time", ERROR_NETWORK, ERROR_CLASS_RETRY, true},
    [CQL_FAILURE_UNAVAILABLE] = {"unavailable", ERROR_NETWORK, ERROR_CLASS_RETRY, false},
    [CQL_FAILURE_OVERLOADED] = {"overloaded", ERROR_TARGET_THROTTLED, ERROR_CLASS_RETRY, true},
    [CQL_FAILURE_BOOTSTRAPPING] = {"bootstrapping", ERROR_NETWORK, ERROR_CLASS_RETRY, false},
    [CQL_FAILURE_READ_TIMEOUT] = {"read timeout", ERROR_NETWORK, ERROR_CLASS_RETRY, false},
    [CQL_FAILURE_WRITE_TIMEOUT] = {"write timeout", ERROR_NETWORK, ERROR_CLASS_RETRY, true},
    [CQL_FAILURE_READ] = {"read failure", ERROR_SOURCE_READ, ERROR_CLASS_RETRY, false},
    [CQL_FAILURE_WRITE] = {"write failure", ERROR_TARGET_WRITE, ERROR_CLASS_RETRY, true},
    [CQL_FAILURE_TRUNCATE] = {"truncate error", ERROR_TARGET_WRITE, ERROR_CLASS_RETRY, true},
    [CQL_FAILURE_CAS_UNKNOWN] = {"conditional write unknown", ERROR_NETWORK, ERROR_CLASS_RETRY,
                                 true},
    [CQL_FAILURE_UNPREPARED] = {"unprepared", ERROR_NETWORK_ANSWER, ERROR_CLASS_RETRY, false},
    [CQL_FAILURE_CREDENTIALS] = {"bad credentials", ERROR_CREDENTIALS, ERROR_CLASS_STOP, false},
    [CQL_FAILURE_UNAUTHORIZED] = {"unauthorized", ERROR_PERMISSION, ERROR_CLASS_STOP, false},
    [CQL_FAILURE_SYNTAX] = {"syntax error", ERROR_TARGET_WRITE, ERROR_CLASS_STOP, false},
    [CQL_FAILURE_INVALID] = {"invalid", ERROR_TARGET_WRITE, ERROR_CLASS_STOP, false},
    [CQL_FAILURE_ALREADY_EXISTS] = {"already exists", ERROR_TARGET_SCHEMA, ERROR_CLASS_STOP, false},
    [CQL_FAILURE_CONFIG] = {"configuration error", ERROR_TARGET_SCHEMA, ERROR_CLASS_STOP, false},
    [CQL_FAILURE_FUNCTION] = {"function failure", ERROR_SOURCE_READ, ERROR_CLASS_STOP, false},
    [CQL_FAILURE_SERVER] = {"server error", ERROR_TARGET_WRITE, ERROR_CLASS_RETRY, true},
    [CQL_FAILURE_PROTOCOL] = {"protocol error", ERROR_NETWORK_ANSWER, ERROR_CLASS_STOP, true},
};

const char *cql_failure_name(enum cql_failure failure)
{
    return kinds[failure].name;
}

bool cql_failure_may_have_happened(enum cql_failure failure)
{
    return kinds[failure].may_have_happened;
}

const char *cql_write_type_name(enum cql_write_type type)
{
    static const char *const names[] = {"",        "SIMPLE",    "BATCH", "UNLOGGED_BATCH",
                                        "COUNTER", "BATCH_LOG", "CAS",   "VIEW",
                                        "CDC",     "other"};
    return names[type];
}

static enum cql_failure kind_of(int32_t code)
{
    static const struct {
        enum cql_error_code code;
        enum cql_failure kind;
    } codes[] = {
        {CQL_SERVER_ERROR, CQL_FAILURE_SERVER},
        {CQL_PROTOCOL_ERROR, CQL_FAILURE_PROTOCOL},
        {CQL_BAD_CREDENTIALS, CQL_FAILURE_CREDENTIALS},
        {CQL_UNAVAILABLE, CQL_FAILURE_UNAVAILABLE},
        {CQL_OVERLOADED, CQL_FAILURE_OVERLOADED},
        {CQL_BOOTSTRAPPING, CQL_FAILURE_BOOTSTRAPPING},
        {CQL_TRUNCATE_ERROR, CQL_FAILURE_TRUNCATE},
        {CQL_WRITE_TIMEOUT, CQL_FAILURE_WRITE_TIMEOUT},
        {CQL_READ_TIMEOUT, CQL_FAILURE_READ_TIMEOUT},
        {CQL_READ_FAILURE, CQL_FAILURE_READ},
        {CQL_FUNCTION_FAILURE, CQL_FAILURE_FUNCTION},
        {CQL_WRITE_FAILURE, CQL_FAILURE_WRITE},
        {CQL_CDC_WRITE_FAILURE, CQL_FAILURE_WRITE},
        {CQL_CAS_WRITE_UNKNOWN, CQL_FAILURE_CAS_UNKNOWN},
        {CQL_SYNTAX_ERROR, CQL_FAILURE_SYNTAX},
        {CQL_UNAUTHORIZED, CQL_FAILURE_UNAUTHORIZED},
        {CQL_INVALID, CQL_FAILURE_INVALID},
        {CQL_CONFIG_ERROR, CQL_FAILURE_CONFIG},
        {CQL_ALREADY_EXISTS, CQL_FAILURE_ALREADY_EXISTS},
        {CQL_UNPREPARED, CQL_FAILURE_UNPREPARED},
    };
    for (size_t at = 0; at < sizeof codes / sizeof *codes; at++) {
        if ((int32_t)codes[at].code == code) {
            return codes[at].kind;
        }
    }
    return CQL_FAILURE_SERVER;
}

/* " (LOCAL_QUORUM: 1 of 2 replicas, 1 failed; UNLOGGED_BATCH)" */
static void describe_replicas(const struct cql_error *from, char *out, size_t capacity)
{
    struct buffer text = {0};
    if (from->required > 0 || from->received > 0) {
        buffer_format(&text, " (%s: %d of %d replicas %s", cql_consistency_name(from->consistency),
                      from->received, from->required,
                      from->code == CQL_UNAVAILABLE ? "alive" : "answered");
        if (from->failures > 0) {
            buffer_format(&text, ", %d failed", from->failures);
        }
        if (from->write_type != CQL_WRITE_NONE) {
            buffer_format(&text, "; %s", cql_write_type_name(from->write_type));
        }
        buffer_append_byte(&text, ')');
    }
    snprintf(out, capacity, "%s", buffer_string(&text));
    buffer_free(&text);
}

enum cql_failure cql_failure_of(const struct cql_error *from, const char *node, struct error *error)
{
    enum cql_failure kind = kind_of(from->code);
    char replicas[128];
    describe_replicas(from, replicas, sizeof replicas);
    error_set(error, kinds[kind].error, node, "%s: %.*s%s", kinds[kind].name,
              (int)(from->message.length < 600 ? from->message.length : 600), from->message.data,
              replicas);
    if (error == NULL) {
        return kind;
    }
    error->class = kinds[kind].class;
    error->native_code = from->code;
    if (from->reason == CQL_REASON_TOO_MANY_TOMBSTONES) {
        error->class = ERROR_CLASS_STOP; /* The same read would meet them again. */
        error_hint(error, "A replica met too many tombstones: compact the table, or read smaller "
                          "ranges.");
    }
    return kind;
}
