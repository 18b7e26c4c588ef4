/* Messages of the CQL protocol: the bytes of requests, and responses of all kinds and versions. */
#include "support.h"

#include "connectors/cassandra/protocol/cql_failure.h"
#include "connectors/cassandra/protocol/cql_message.h"
#include "connectors/cassandra/protocol/cql_type.h"
#include <stdlib.h>
#include <string.h>

static struct text text_of(const char *string)
{
    return (struct text){string, strlen(string)};
}

static void assert_bytes(struct buffer *out, const char *expected, size_t length)
{
    assert_int_equal(out->length, length);
    assert_memory_equal(out->data, expected, length);
    buffer_clear(out);
}
#define ASSERT_BYTES(out, literal) assert_bytes(out, literal, sizeof(literal) - 1)

/* ---------------------------------------------------------------- requests */

static void requests_have_their_bytes(void **state)
{
    (void)state;
    struct buffer out = {0};
    cql_envelope_write(&out, 4, 7, CQL_OPTIONS, NULL, 0);
    ASSERT_BYTES(&out, "\4\0\0\7\5\0\0\0\0");
    cql_write_startup(&out, (const char *const[]){"CQL_VERSION", "3.0.0"}, 1);
    ASSERT_BYTES(&out, "\0\1\0\x0b"
                       "CQL_VERSION\0\5"
                       "3.0.0");
    cql_write_auth_response(&out, "user1", "passwd1");
    ASSERT_BYTES(&out, "\0\0\0\x0e\0user1\0passwd1");
    cql_write_register(&out, (const char *const[]){"STATUS_CHANGE"}, 1);
    ASSERT_BYTES(&out, "\0\1\0\x0dSTATUS_CHANGE");
    cql_write_prepare(&out, 4, text_of("SELECT 1"));
    ASSERT_BYTES(&out, "\0\0\0\x08SELECT 1");
    cql_write_prepare(&out, 5, text_of("SELECT 1"));
    ASSERT_BYTES(&out, "\0\0\0\x08SELECT 1\0\0\0\0");
    buffer_free(&out);
}

static void statements_have_their_bytes(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct buffer values = {0};
    cql_write_value(&values, "\0\0\0\1", 4);
    cql_write_unset(&values);
    struct cql_parameters plain = {.consistency = CQL_QUORUM, .timestamp_us = CQL_NO_TIMESTAMP};
    struct cql_parameters full = {.consistency = CQL_ONE,
                                  .serial_consistency = CQL_LOCAL_SERIAL,
                                  .timestamp_us = 258,
                                  .page_size = 100,
                                  .paging_state = {(const uint8_t *)"ps", 2},
                                  .skip_metadata = true};
    struct cql_bound query = {.query = text_of("Q")};
    struct cql_bound execute = {.id = text_of("id"),
                                .metadata_id = text_of("md"),
                                .values = values.data,
                                .values_length = values.length,
                                .value_count = 2};
    cql_write_statement(&out, 4, &query, &plain);
    ASSERT_BYTES(&out, "\0\0\0\1Q\0\4\0");
    cql_write_statement(&out, 5, &query, &plain);
    ASSERT_BYTES(&out, "\0\0\0\1Q\0\4\0\0\0\0");
    cql_write_statement(&out, 4, &execute, &plain);
    ASSERT_BYTES(&out, "\0\2id\0\4\1\0\2\0\0\0\4\0\0\0\1\xff\xff\xff\xfe");
    cql_write_statement(&out, 5, &execute, &full);
    ASSERT_BYTES(&out, "\0\2id\0\2md\0\1\0\0\0\x3f\0\2\0\0\0\4\0\0\0\1\xff\xff\xff\xfe\0\0\0\x64"
                       "\0\0\0\2ps\0\x09\0\0\0\0\0\0\1\2");
    buffer_free(&values);
    buffer_free(&out);
}

static void batches_have_their_bytes(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct cql_parameters parameters = {.consistency = CQL_LOCAL_QUORUM, .timestamp_us = 1};
    struct cql_bound first = {.query = text_of("Q")};
    struct cql_bound second = {
        .id = text_of("id"), .values = "\xff\xff\xff\xff", .values_length = 4, .value_count = 1};
    for (uint8_t version = 3; version <= 5; version++) {
        size_t begin = cql_write_batch_begin(&out, CQL_BATCH_UNLOGGED);
        cql_write_batch_add(&out, &first);
        cql_write_batch_add(&out, &second);
        cql_write_batch_end(&out, version, begin, 2, &parameters);
        if (version < 5) {
            ASSERT_BYTES(&out, "\1\0\2\0\0\0\0\1Q\0\0\1\0\2id\0\1\xff\xff\xff\xff\0\6\x20"
                               "\0\0\0\0\0\0\0\1");
        } else {
            ASSERT_BYTES(&out, "\1\0\2\0\0\0\0\1Q\0\0\1\0\2id\0\1\xff\xff\xff\xff\0\6\0\0\0\x20"
                               "\0\0\0\0\0\0\0\1");
        }
    }
    buffer_free(&out);
}

static struct text text_of_id(const void *context, struct text id)
{
    return id.length == 2 && memcmp(id.data, "id", 2) == 0 ? text_of(context) : (struct text){0};
}

static void what_was_prepared_is_said_in_texts(void **state)
{
    (void)state;
    struct buffer body = {0};
    struct buffer out = {0};
    struct cql_parameters full = {.consistency = CQL_ONE,
                                  .serial_consistency = CQL_LOCAL_SERIAL,
                                  .timestamp_us = 258,
                                  .page_size = 100,
                                  .paging_state = {(const uint8_t *)"ps", 2},
                                  .skip_metadata = true};
    struct cql_bound bound = {.id = text_of("id"),
                              .metadata_id = text_of("md"),
                              .values = "\xff\xff\xff\xfe\0\0\0\1v",
                              .values_length = 9,
                              .value_count = 2};
    struct cql_bound text = bound;
    text.query = text_of("Q");
    for (uint8_t version = 3; version <= 5; version++) {
        struct buffer expected = {0};
        cql_write_statement(&body, version, &bound, &full);
        full.skip_metadata = false;
        cql_write_statement(&expected, version, &text, &full);
        full.skip_metadata = true;
        assert_true(cql_write_as_texts(&out, version, CQL_EXECUTE, &body, text_of_id, "Q"));
        assert_int_equal(out.length, expected.length);
        assert_memory_equal(out.data, expected.data, out.length);
        buffer_clear(&out);
        buffer_clear(&expected);
        assert_false(cql_write_as_texts(&out, version, CQL_EXECUTE, &body, text_of_id, ""));
        buffer_clear(&out);
        buffer_clear(&body);

        size_t begin = cql_write_batch_begin(&body, CQL_BATCH_LOGGED);
        cql_write_batch_add(&body, &bound);
        cql_write_batch_add(&body, &text);
        cql_write_batch_end(&body, version, begin, 2, &full);
        begin = cql_write_batch_begin(&expected, CQL_BATCH_LOGGED);
        cql_write_batch_add(&expected, &text);
        cql_write_batch_add(&expected, &text);
        cql_write_batch_end(&expected, version, begin, 2, &full);
        assert_true(cql_write_as_texts(&out, version, CQL_BATCH, &body, text_of_id, "Q"));
        assert_int_equal(out.length, expected.length);
        assert_memory_equal(out.data, expected.data, out.length);
        buffer_free(&expected);
        buffer_clear(&out);
        buffer_clear(&body);
    }
    buffer_append(&body, "\0\2i", 3);
    assert_false(cql_write_as_texts(&out, 4, CQL_EXECUTE, &body, text_of_id, "Q"));
    assert_false(cql_write_as_texts(&out, 4, CQL_QUERY, &body, text_of_id, "Q"));
    buffer_free(&body);
    buffer_free(&out);
}

static void consistencies_have_names(void **state)
{
    (void)state;
    enum cql_consistency found;
    for (uint16_t level = CQL_ANY; level <= CQL_LOCAL_ONE; level++) {
        assert_true(cql_consistency_find(cql_consistency_name(level), &found));
        assert_int_equal(found, level);
    }
    assert_true(cql_consistency_find("local_quorum", &found));
    assert_int_equal(found, CQL_LOCAL_QUORUM);
    assert_false(cql_consistency_find("MOST", &found));
}

/* ---------------------------------------------------------------- responses */

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_create(0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_destroy(arena);
    return 0;
}

/* Decodes; and each shorter body of it fails, or says less, but reads nothing beyond. */
static struct cql_response decode(uint8_t version, uint8_t flags, uint8_t opcode, const char *body,
                                  size_t length)
{
    struct cql_response response;
    struct error error = {0};
    struct cql_envelope envelope = {.version = version, .flags = flags, .opcode = opcode};
    for (size_t shorter = 0; shorter < length; shorter++) {
        char *copy = malloc(shorter + 1);
        memcpy(copy, body, shorter);
        envelope.body = (const uint8_t *)copy;
        envelope.length = shorter;
        if (cql_response_decode(&envelope, arena, &response, &error) == STATUS_FAILED) {
            assert_int_equal(error.code, ERROR_NETWORK_ANSWER);
        }
        free(copy);
    }
    envelope.body = (const uint8_t *)body;
    envelope.length = length;
    if (cql_response_decode(&envelope, arena, &response, &error) != STATUS_OK) {
        fail_msg("%s", error.message);
    }
    assert_int_equal(response.opcode, opcode);
    return response;
}
#define DECODE(version, opcode, literal) decode(version, 0, opcode, literal, sizeof(literal) - 1)

static void assert_text(struct text text, const char *expected)
{
    assert_int_equal(text.length, strlen(expected));
    assert_memory_equal(text.data, expected, text.length);
}

static void errors_are_decoded_with_all_that_they_say(void **state)
{
    (void)state;
    struct cql_error error = DECODE(4, CQL_ERROR, "\0\0\x10\0\0\2no\0\6\0\0\0\2\0\0\0\1").error;
    assert_int_equal(error.code, CQL_UNAVAILABLE);
    assert_text(error.message, "no");
    assert_int_equal(error.consistency, CQL_LOCAL_QUORUM);
    assert_int_equal(error.required, 2);
    assert_int_equal(error.received, 1);
    error = DECODE(4, CQL_ERROR, "\0\0\x11\0\0\0\0\1\0\0\0\0\0\0\0\1\0\x0eUNLOGGED_BATCH").error;
    assert_int_equal(error.code, CQL_WRITE_TIMEOUT);
    assert_int_equal(error.received, 0);
    assert_int_equal(error.required, 1);
    assert_int_equal(error.write_type, CQL_WRITE_UNLOGGED_BATCH);
    error = DECODE(5, CQL_ERROR, "\0\0\x11\0\0\0\0\1\0\0\0\0\0\0\0\1\0\3CAS\0\7").error;
    assert_int_equal(error.write_type, CQL_WRITE_CAS);
    assert_int_equal(error.contentions, 7);
    error = DECODE(4, CQL_ERROR, "\0\0\x11\0\0\0\0\1\0\0\0\0\0\0\0\1\0\3NEW").error;
    assert_int_equal(error.write_type, CQL_WRITE_OTHER);
    error = DECODE(3, CQL_ERROR, "\0\0\x12\0\0\0\0\1\0\0\0\1\0\0\0\1\0").error;
    assert_int_equal(error.code, CQL_READ_TIMEOUT);
    assert_false(error.data_present);
    error = DECODE(4, CQL_ERROR, "\0\0\x13\0\0\0\0\1\0\0\0\1\0\0\0\2\0\0\0\3\1").error;
    assert_int_equal(error.code, CQL_READ_FAILURE);
    assert_int_equal(error.failures, 3);
    assert_true(error.data_present);
    error = DECODE(5, CQL_ERROR,
                   "\0\0\x13\0\0\0\0\1\0\0\0\1\0\0\0\2\0\0\0\2\4\x7f\0\0\1\0\0\4"
                   "\x7f\0\0\2\0\1\0")
                .error;
    assert_int_equal(error.failures, 2);
    assert_int_equal(error.reason, CQL_REASON_TOO_MANY_TOMBSTONES);
    error = DECODE(5, CQL_ERROR,
                   "\0\0\x15\0\0\0\0\1\0\0\0\1\0\0\0\2\0\0\0\1\4\x7f\0\0\1\0\0\0\6"
                   "SIMPLE")
                .error;
    assert_int_equal(error.code, CQL_WRITE_FAILURE);
    assert_int_equal(error.write_type, CQL_WRITE_SIMPLE);
    error = DECODE(4, CQL_ERROR, "\0\0\x24\0\0\0\0\2ks\0\1t").error;
    assert_text(error.keyspace, "ks");
    assert_text(error.object, "t");
    error = DECODE(4, CQL_ERROR, "\0\0\x25\0\0\0\0\2\x01\x02").error;
    assert_text(error.unprepared_id, "\1\2");
    error = DECODE(5, CQL_ERROR, "\0\0\x17\0\0\0\0\1\0\0\0\1\0\0\0\2").error;
    assert_int_equal(error.code, CQL_CAS_WRITE_UNKNOWN);
    assert_int_equal(error.required, 2);
    error = DECODE(4, CQL_ERROR, "\0\0\x77\x77\0\5later and more").error; /* of the future */
    assert_text(error.message, "later");
}

static void failures_say_what_happened(void **state)
{
    (void)state;
    struct error error = {0};
    struct cql_error from = {.code = CQL_WRITE_TIMEOUT,
                             .message = text_of("too slow"),
                             .consistency = CQL_LOCAL_QUORUM,
                             .received = 1,
                             .required = 2,
                             .write_type = CQL_WRITE_SIMPLE};
    assert_int_equal(cql_failure_of(&from, "10.0.0.1:9042", &error), CQL_FAILURE_WRITE_TIMEOUT);
    assert_string_equal(error.object, "10.0.0.1:9042");
    assert_string_equal(error.message, "write timeout: too slow (LOCAL_QUORUM: 1 of 2 replicas "
                                       "answered; SIMPLE)");
    assert_int_equal(error.class, ERROR_CLASS_RETRY);
    assert_int_equal(error.native_code, 0x1100);
    assert_true(cql_failure_may_have_happened(CQL_FAILURE_WRITE_TIMEOUT));
    assert_false(cql_failure_may_have_happened(CQL_FAILURE_UNAVAILABLE));
    from = (struct cql_error){.code = CQL_READ_FAILURE,
                              .message = text_of("failed"),
                              .required = 1,
                              .failures = 1,
                              .reason = CQL_REASON_TOO_MANY_TOMBSTONES};
    assert_int_equal(cql_failure_of(&from, "n", &error), CQL_FAILURE_READ);
    assert_non_null(strstr(error.hint, "tombstones"));
    assert_int_equal(error.class, ERROR_CLASS_STOP);
    from.reason = 3; /* INCOMPATIBLE_SCHEMA in 5.0, while a node starts */
    assert_int_equal(cql_failure_of(&from, "n", &error), CQL_FAILURE_READ);
    assert_string_equal(error.hint, "");
    assert_int_equal(error.class, ERROR_CLASS_RETRY);
    from = (struct cql_error){.code = 0x7777, .message = text_of("new")};
    assert_int_equal(cql_failure_of(&from, "n", NULL), CQL_FAILURE_SERVER);
}

static void what_sets_a_connection_up_is_decoded(void **state)
{
    (void)state;
    (void)DECODE(4, CQL_READY, "");
    assert_text(DECODE(4, CQL_AUTHENTICATE, "\0\5a.b.C").authenticator, "a.b.C");
    struct cql_response response = DECODE(4, CQL_SUPPORTED, "\0\2\0\1A\0\2\0\1x\0\1y\0\1B\0\0");
    assert_int_equal(response.supported.count, 2);
    assert_text(response.supported.list[0].name, "A");
    assert_text(response.supported.list[0].values[1], "y");
    assert_int_equal(response.supported.list[1].value_count, 0);
    assert_int_equal(DECODE(4, CQL_AUTH_SUCCESS, "\xff\xff\xff\xff").token.length, CQL_NULL);
}

static void events_are_decoded(void **state)
{
    (void)state;
    struct cql_event event =
        DECODE(4, CQL_EVENT, "\0\x0dSTATUS_CHANGE\0\2UP\4\x7f\0\0\1\0\0\x23\x52").event;
    assert_text(event.change, "UP");
    assert_int_equal(event.node.port, 9042);
    event = DECODE(4, CQL_EVENT, "\0\x0dSCHEMA_CHANGE\0\7UPDATED\0\5TABLE\0\2ks\0\1t").event;
    assert_text(event.schema.target, "TABLE");
    assert_text(event.schema.object, "t");
    event = DECODE(4, CQL_EVENT, "\0\x0dSCHEMA_CHANGE\0\7CREATED\0\x08KEYSPACE\0\2ks").event;
    assert_text(event.schema.keyspace, "ks");
    assert_int_equal(event.schema.object.length, 0);
}

#define TWO_COLUMNS "\0\2ks\0\1t\0\1k\0\x09\0\1v\0\x0d"
#define TWO_ROWS "\0\0\0\2\0\0\0\4\0\0\0\1\xff\xff\xff\xff\0\0\0\4\0\0\0\2\0\0\0\0"

static void assert_two_rows(struct cql_rows *rows)
{
    struct cql_value values[2];
    assert_int_equal(rows->count, 2);
    assert_int_equal(cql_rows_next(rows, values), STATUS_OK);
    assert_int_equal(values[0].data[3], 1);
    assert_int_equal(values[1].length, CQL_NULL);
    assert_int_equal(cql_rows_next(rows, values), STATUS_OK);
    assert_int_equal(values[1].length, 0);
    assert_non_null(values[1].data);
    assert_int_equal(cql_rows_next(rows, values), STATUS_END);
    assert_false(rows->content.failed);
}

static void rows_are_decoded(void **state)
{
    (void)state;
    struct cql_rows rows =
        DECODE(4, CQL_RESULT, "\0\0\0\2\0\0\0\1\0\0\0\2" TWO_COLUMNS TWO_ROWS).rows;
    assert_int_equal(rows.columns.count, 2);
    assert_text(rows.columns.list[1].keyspace, "ks");
    assert_text(rows.columns.list[1].name, "v");
    assert_int_equal(rows.columns.list[1].type->kind, CQL_TYPE_TEXT);
    assert_null(rows.paging_state.data);
    assert_two_rows(&rows);
    rows = DECODE(4, CQL_RESULT, "\0\0\0\2\0\0\0\6\0\0\0\2\0\0\0\2ps" TWO_ROWS).rows;
    assert_null(rows.columns.list);
    assert_text(rows.paging_state, "ps");
    assert_two_rows(&rows);
    rows = DECODE(5, CQL_RESULT, "\0\0\0\2\0\0\0\x09\0\0\0\2\0\3new" TWO_COLUMNS TWO_ROWS).rows;
    assert_text(rows.metadata_id, "new");
    assert_two_rows(&rows);
    struct cql_response response =
        decode(4, CQL_FLAG_TRACING | CQL_FLAG_WARNINGS | CQL_FLAG_PAYLOAD, CQL_RESULT,
               "0123456789abcdef\0\1\0\4slow\0\1\0\1p\0\0\0\1x\0\0\0\1", 38);
    assert_int_equal(response.kind, CQL_RESULT_VOID);
    assert_int_equal(response.warning_count, 1);
    assert_text(response.warnings[0], "slow");
}

static void prepared_statements_are_decoded(void **state)
{
    (void)state;
#define NO_RESULT "\0\0\0\4\0\0\0\0"
    struct cql_prepared_result prepared =
        DECODE(4, CQL_RESULT, "\0\0\0\4\0\2id\0\0\0\1\0\0\0\2\0\0\0\1\0\1" TWO_COLUMNS NO_RESULT)
            .prepared;
    assert_text(prepared.id, "id");
    assert_int_equal(prepared.parameters.count, 2);
    assert_int_equal(prepared.key_count, 1);
    assert_int_equal(prepared.key[0], 1);
    assert_null(prepared.columns.list);
    prepared = DECODE(5, CQL_RESULT,
                      "\0\0\0\4\0\2id\0\2md\0\0\0\1\0\0\0\2\0\0\0\0" TWO_COLUMNS
                      "\0\0\0\1\0\0\0\2" TWO_COLUMNS)
                   .prepared;
    assert_text(prepared.metadata_id, "md");
    assert_int_equal(prepared.columns.count, 2);
    prepared =
        DECODE(3, CQL_RESULT, "\0\0\0\4\0\2id\0\0\0\1\0\0\0\2" TWO_COLUMNS NO_RESULT).prepared;
    assert_int_equal(prepared.key_count, 0);
    assert_int_equal(prepared.parameters.count, 2);
    assert_text(DECODE(4, CQL_RESULT, "\0\0\0\3\0\2ks").keyspace, "ks");
    assert_text(DECODE(4, CQL_RESULT, "\0\0\0\5\0\7DROPPED\0\5TABLE\0\2ks\0\1t").schema.change,
                "DROPPED");
}

static void assert_lie(uint8_t version, uint8_t opcode, const char *body, size_t length)
{
    struct cql_response response;
    struct error error = {0};
    struct cql_envelope envelope = {
        .version = version, .opcode = opcode, .body = (const uint8_t *)body, .length = length};
    assert_int_equal(cql_response_decode(&envelope, arena, &response, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_NETWORK_ANSWER);
}
#define ASSERT_LIE(version, opcode, literal) \
    assert_lie(version, opcode, literal, sizeof(literal) - 1)

static void counts_that_cannot_be_are_refused(void **state)
{
    (void)state;
    /* 2^31 - 1 columns; as many rows; rows of no columns; a key column that is no parameter */
    ASSERT_LIE(4, CQL_RESULT, "\0\0\0\2\0\0\0\1\x7f\xff\xff\xff" TWO_COLUMNS TWO_ROWS);
    ASSERT_LIE(4, CQL_RESULT, "\0\0\0\2\0\0\0\1\xff\xff\xff\xff" TWO_COLUMNS TWO_ROWS);
    ASSERT_LIE(4, CQL_RESULT, "\0\0\0\2\0\0\0\4\x7f\xff\xff\xff" TWO_ROWS);
    ASSERT_LIE(4, CQL_RESULT, "\0\0\0\2\0\0\0\4\0\0\0\2\x7f\xff\xff\xff\0\0\0\0");
    ASSERT_LIE(4, CQL_RESULT, "\0\0\0\2\0\0\0\4\0\0\0\0\x7f\xff\xff\xff");
    ASSERT_LIE(4, CQL_RESULT, "\0\0\0\4\0\2id\0\0\0\1\0\0\0\2\0\0\0\1\0\2" TWO_COLUMNS NO_RESULT);
    ASSERT_LIE(4, CQL_RESULT, "\0\0\0\4\0\2id\0\0\0\1\0\0\0\2\x7f\0\0\0" TWO_COLUMNS NO_RESULT);
    ASSERT_LIE(4, CQL_SUPPORTED, "\xff\xff\0\1A\0\0");
    ASSERT_LIE(4, CQL_SUPPORTED, "\0\1\0\1A\xff\xff");
    ASSERT_LIE(4, CQL_RESULT, "\0\0\0\x09");
    ASSERT_LIE(4, CQL_QUERY, "");
    ASSERT_LIE(4, 0x7f, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_have_their_bytes),
        cmocka_unit_test(statements_have_their_bytes),
        cmocka_unit_test(batches_have_their_bytes),
        cmocka_unit_test(what_was_prepared_is_said_in_texts),
        cmocka_unit_test(consistencies_have_names),
        cmocka_unit_test(errors_are_decoded_with_all_that_they_say),
        cmocka_unit_test(failures_say_what_happened),
        cmocka_unit_test(what_sets_a_connection_up_is_decoded),
        cmocka_unit_test(events_are_decoded),
        cmocka_unit_test(rows_are_decoded),
        cmocka_unit_test(prepared_statements_are_decoded),
        cmocka_unit_test(counts_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
