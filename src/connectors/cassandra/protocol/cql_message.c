/* Requests. What answers them is decoded in cql_response.c. */
#include "connectors/cassandra/protocol/cql_message.h"

#include <assert.h>
#include <strings.h>

static const char *const consistencies[] = {"ANY",    "ONE",          "TWO",          "THREE",
                                            "QUORUM", "ALL",          "LOCAL_QUORUM", "EACH_QUORUM",
                                            "SERIAL", "LOCAL_SERIAL", "LOCAL_ONE"};

enum { CONSISTENCY_COUNT = sizeof consistencies / sizeof *consistencies };

const char *cql_consistency_name(uint16_t consistency)
{
    return consistency < CONSISTENCY_COUNT ? consistencies[consistency] : "an unknown level";
}

bool cql_consistency_find(const char *name, enum cql_consistency *consistency)
{
    for (int at = 0; at < CONSISTENCY_COUNT; at++) {
        if (strcasecmp(name, consistencies[at]) == 0) {
            *consistency = (enum cql_consistency)at;
            return true;
        }
    }
    return false;
}

void cql_envelope_write(struct buffer *to, uint8_t version, int16_t stream, enum cql_opcode opcode,
                        const void *body, size_t length)
{
    assert(length <= CQL_BODY_BYTES_MAX);
    uint8_t header[CQL_HEADER_BYTES] = {version};
    bytes_put_be(header + 2, (uint16_t)stream, 2);
    header[4] = (uint8_t)opcode;
    bytes_put_be(header + 5, length, 4);
    buffer_append(to, header, sizeof header);
    buffer_append(to, body, length);
}

void cql_write_startup(struct buffer *to, const char *const *pairs, size_t count)
{
    cql_write_string_map(to, pairs, count);
}

void cql_write_auth_response(struct buffer *to, const char *user, const char *password)
{
    size_t begin = cql_write_begin(to);
    cql_write_byte(to, 0);
    buffer_append_string(to, user);
    cql_write_byte(to, 0);
    buffer_append_string(to, password);
    cql_write_end(to, begin);
}

void cql_write_register(struct buffer *to, const char *const *events, size_t count)
{
    cql_write_string_list(to, events, count);
}

void cql_write_prepare(struct buffer *to, uint8_t version, struct text query)
{
    cql_write_long_string(to, query);
    if (version >= 5) {
        cql_write_int(to, 0); /* flags */
    }
}

/* ---------------------------------------------------------------- parameters */

enum {
    WITH_VALUES = 0x01,
    SKIP_METADATA = 0x02,
    WITH_PAGE_SIZE = 0x04,
    WITH_PAGING_STATE = 0x08,
    WITH_SERIAL_CONSISTENCY = 0x10,
    WITH_TIMESTAMP = 0x20
};

static int flags_of(const struct cql_parameters *parameters)
{
    return (parameters->serial_consistency != 0 ? WITH_SERIAL_CONSISTENCY : 0) |
           (parameters->timestamp_us != CQL_NO_TIMESTAMP ? WITH_TIMESTAMP : 0);
}

static void write_flags(struct buffer *to, uint8_t version, int flags)
{
    if (version >= 5) {
        cql_write_int(to, flags);
    } else {
        cql_write_byte(to, (uint8_t)flags);
    }
}

/* The end of the parameters of all requests. */
static void write_last(struct buffer *to, const struct cql_parameters *parameters)
{
    if (parameters->serial_consistency != 0) {
        cql_write_short(to, (uint16_t)parameters->serial_consistency);
    }
    if (parameters->timestamp_us != CQL_NO_TIMESTAMP) {
        cql_write_long(to, parameters->timestamp_us);
    }
}

static void write_values(struct buffer *to, const struct cql_bound *bound)
{
    cql_write_short(to, bound->value_count);
    buffer_append(to, bound->values, bound->values_length);
}

void cql_write_statement(struct buffer *to, uint8_t version, const struct cql_bound *bound,
                         const struct cql_parameters *parameters)
{
    if (bound->query.length > 0) {
        cql_write_long_string(to, bound->query);
    } else {
        cql_write_short_bytes(to, bound->id);
        if (version >= 5) {
            cql_write_short_bytes(to, bound->metadata_id);
        }
    }
    cql_write_short(to, (uint16_t)parameters->consistency);
    int flags = flags_of(parameters) | (bound->value_count > 0 ? WITH_VALUES : 0) |
                (parameters->skip_metadata ? SKIP_METADATA : 0) |
                (parameters->page_size > 0 ? WITH_PAGE_SIZE : 0) |
                (parameters->paging_state.length > 0 ? WITH_PAGING_STATE : 0);
    write_flags(to, version, flags);
    if (flags & WITH_VALUES) {
        write_values(to, bound);
    }
    if (flags & WITH_PAGE_SIZE) {
        cql_write_int(to, parameters->page_size);
    }
    if (flags & WITH_PAGING_STATE) {
        cql_write_value(to, parameters->paging_state.data, parameters->paging_state.length);
    }
    write_last(to, parameters);
}

size_t cql_write_batch_begin(struct buffer *to, enum cql_batch_type type)
{
    cql_write_byte(to, (uint8_t)type);
    cql_write_short(to, 0);
    return to->length;
}

void cql_write_batch_add(struct buffer *to, const struct cql_bound *bound)
{
    bool prepared = bound->query.length == 0;
    cql_write_byte(to, prepared);
    if (prepared) {
        cql_write_short_bytes(to, bound->id);
    } else {
        cql_write_long_string(to, bound->query);
    }
    write_values(to, bound);
}

void cql_write_batch_end(struct buffer *to, uint8_t version, size_t begin, size_t count,
                         const struct cql_parameters *parameters)
{
    assert(count <= UINT16_MAX);
    bytes_put_be((uint8_t *)to->data + begin - 2, count, 2);
    cql_write_short(to, (uint16_t)parameters->consistency);
    write_flags(to, version, flags_of(parameters));
    write_last(to, parameters);
}

/* ---------------------------------------------------------------- without prepared statements */

static bool write_text_of(struct buffer *to, struct cql_reader *from, cql_text_of *text_of,
                          const void *context)
{
    struct text text = text_of(context, cql_read_short_bytes(from));
    cql_write_long_string(to, text);
    return text.length > 0;
}

static bool write_query(struct buffer *to, uint8_t version, struct cql_reader *from,
                        cql_text_of *text_of, const void *context)
{
    bool known = write_text_of(to, from, text_of, context);
    if (version >= 5) {
        (void)cql_read_short_bytes(from); /* of the metadata */
    }
    cql_write_short(to, cql_read_short(from));
    int flags = version >= 5 ? (int)cql_read_int(from) : cql_read_byte(from);
    write_flags(to, version, flags & ~SKIP_METADATA);
    return known;
}

static bool write_batch(struct buffer *to, struct cql_reader *from, cql_text_of *text_of,
                        const void *context)
{
    cql_write_byte(to, cql_read_byte(from));
    uint16_t count = cql_read_short(from);
    bool known = true;
    cql_write_short(to, count);
    for (uint16_t at = 0; at < count && known && !from->failed; at++) {
        bool prepared = cql_read_byte(from) != 0;
        cql_write_byte(to, 0);
        if (prepared) {
            known = write_text_of(to, from, text_of, context);
        } else {
            cql_write_long_string(to, cql_read_long_string(from));
        }
        uint16_t values = cql_read_short(from);
        cql_write_short(to, values);
        for (uint16_t value = 0; value < values && !from->failed; value++) {
            const uint8_t *begin = from->at;
            (void)cql_read_value(from);
            buffer_append(to, begin, (size_t)(from->at - begin));
        }
    }
    return known;
}

bool cql_write_as_texts(struct buffer *to, uint8_t version, enum cql_opcode opcode,
                        const struct buffer *body, cql_text_of *text_of, const void *context)
{
    struct cql_reader from = cql_reader_of(body->data, body->length);
    bool known = opcode == CQL_EXECUTE ? write_query(to, version, &from, text_of, context)
                 : opcode == CQL_BATCH ? write_batch(to, &from, text_of, context)
                                       : false;
    if (!known || from.failed) {
        return false;
    }
    buffer_append(to, from.at, cql_reader_left(&from));
    return true;
}
