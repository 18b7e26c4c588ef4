/* Responses, decoded. Requests: cql_message.c. */
#include "connectors/cassandra/protocol/cql_message.h"

#include "connectors/cassandra/protocol/cql_type.h"

/* ---------------------------------------------------------------- metadata */

enum {
    GLOBAL_TABLE = 0x0001,
    MORE_PAGES = 0x0002,
    NO_METADATA = 0x0004,
    METADATA_CHANGED = 0x0008,
    COLUMNS_MAX = 1 << 16,
    COLUMN_BYTES_MIN = 4 /* an empty name and the id of a type */
};

static void read_columns(struct cql_reader *reader, int32_t flags, int32_t count,
                         struct arena *arena, struct cql_columns *columns)
{
    if (count < 0 || count > COLUMNS_MAX ||
        (size_t)count > cql_reader_left(reader) / COLUMN_BYTES_MIN) {
        cql_reader_fail(reader);
        return;
    }
    columns->count = (size_t)count;
    columns->list = arena_allocate_zeroed(arena, columns->count + 1, sizeof *columns->list);
    struct text keyspace = {"", 0};
    struct text table = {"", 0};
    if (flags & GLOBAL_TABLE) {
        keyspace = cql_read_string(reader);
        table = cql_read_string(reader);
    }
    for (size_t at = 0; at < columns->count && !reader->failed; at++) {
        struct cql_column *column = &columns->list[at];
        column->keyspace = flags & GLOBAL_TABLE ? keyspace : cql_read_string(reader);
        column->table = flags & GLOBAL_TABLE ? table : cql_read_string(reader);
        column->name = cql_read_string(reader);
        column->type = cql_type_read(reader, arena);
    }
}

/* The metadata of a result: of rows, or of what a prepared statement will give. */
static void read_result_columns(struct cql_reader *reader, struct arena *arena,
                                struct cql_rows *rows)
{
    int32_t flags = cql_read_int(reader);
    int32_t count = cql_read_int(reader);
    if (flags & MORE_PAGES) {
        struct cql_value state = cql_read_value(reader);
        if (state.length <= 0) {
            cql_reader_fail(reader);
        }
        rows->paging_state = (struct text){(const char *)state.data, (size_t)state.length};
    }
    if (flags & METADATA_CHANGED) {
        rows->metadata_id = cql_read_short_bytes(reader);
    }
    if (!(flags & NO_METADATA)) {
        read_columns(reader, flags, count, arena, &rows->columns);
    } else if (count < 0 || count > COLUMNS_MAX) {
        cql_reader_fail(reader);
    } else {
        rows->columns.count = (size_t)count;
    }
}

/* ---------------------------------------------------------------- results */

static void read_rows(struct cql_reader *reader, struct arena *arena, struct cql_rows *rows)
{
    *rows = (struct cql_rows){0};
    read_result_columns(reader, arena, rows);
    size_t row_bytes_min = 4 * rows->columns.count;
    rows->count = cql_read_count(reader, row_bytes_min > 0 ? row_bytes_min : 1);
    rows->left = rows->count;
    rows->content = *reader;
}

enum status cql_rows_next(struct cql_rows *rows, struct cql_value *values)
{
    if (rows->left == 0) {
        return STATUS_END;
    }
    rows->left--;
    for (size_t at = 0; at < rows->columns.count; at++) {
        values[at] = cql_read_value(&rows->content);
    }
    if (rows->content.failed) {
        rows->left = 0;
        return STATUS_END;
    }
    return STATUS_OK;
}

static void read_prepared(struct cql_reader *reader, uint8_t version, struct arena *arena,
                          struct cql_prepared_result *prepared)
{
    *prepared = (struct cql_prepared_result){.id = cql_read_short_bytes(reader)};
    if (version >= 5) {
        prepared->metadata_id = cql_read_short_bytes(reader);
    }
    int32_t flags = cql_read_int(reader);
    int32_t count = cql_read_int(reader);
    if (version >= 4) {
        prepared->key_count = cql_read_count(reader, 2);
        prepared->key =
            arena_allocate_zeroed(arena, prepared->key_count + 1, sizeof *prepared->key);
        for (size_t at = 0; at < prepared->key_count; at++) {
            prepared->key[at] = cql_read_short(reader);
            if (prepared->key[at] >= count) {
                cql_reader_fail(reader);
            }
        }
    }
    read_columns(reader, flags, count, arena, &prepared->parameters);
    struct cql_rows rows = {0};
    read_result_columns(reader, arena, &rows);
    prepared->columns = rows.columns;
}

static void read_schema_change(struct cql_reader *reader, struct cql_schema_change *schema)
{
    *schema = (struct cql_schema_change){.change = cql_read_string(reader),
                                         .target = cql_read_string(reader),
                                         .keyspace = cql_read_string(reader),
                                         .object = {"", 0}};
    if (cql_reader_left(reader) > 0) {
        schema->object = cql_read_string(reader);
    }
}

static void read_result(struct cql_reader *reader, uint8_t version, struct arena *arena,
                        struct cql_response *response)
{
    response->kind = (enum cql_result_kind)cql_read_int(reader);
    switch (response->kind) {
    case CQL_RESULT_VOID:
        break;
    case CQL_RESULT_ROWS:
        read_rows(reader, arena, &response->rows);
        break;
    case CQL_RESULT_KEYSPACE:
        response->keyspace = cql_read_string(reader);
        break;
    case CQL_RESULT_PREPARED:
        read_prepared(reader, version, arena, &response->prepared);
        break;
    case CQL_RESULT_SCHEMA_CHANGE:
        read_schema_change(reader, &response->schema);
        break;
    default:
        cql_reader_fail(reader);
    }
}

/* ---------------------------------------------------------------- errors */

static enum cql_write_type read_write_type(struct cql_reader *reader)
{
    static const char *const names[] = {
        "", "SIMPLE", "BATCH", "UNLOGGED_BATCH", "COUNTER", "BATCH_LOG", "CAS", "VIEW", "CDC"};
    struct text name = cql_read_string(reader);
    for (int at = CQL_WRITE_SIMPLE; at < CQL_WRITE_OTHER; at++) {
        if (name.length == strlen(names[at]) && memcmp(name.data, names[at], name.length) == 0) {
            return (enum cql_write_type)at;
        }
    }
    return CQL_WRITE_OTHER;
}

static void read_failures(struct cql_reader *reader, uint8_t version, struct cql_error *error)
{
    error->failures = cql_read_int(reader);
    for (int32_t at = 0; version >= 5 && at < error->failures && !reader->failed; at++) {
        (void)cql_read_inetaddr(reader);
        uint16_t reason = cql_read_short(reader);
        error->reason = reason != CQL_REASON_UNKNOWN ? reason : error->reason;
    }
}

/* The members that codes which tell of replicas have in common. */
static void read_replicas(struct cql_reader *reader, uint8_t version, struct cql_error *error)
{
    error->consistency = cql_read_short(reader);
    int32_t first = cql_read_int(reader);
    int32_t second = cql_read_int(reader);
    bool required_first = error->code == CQL_UNAVAILABLE;
    error->received = required_first ? second : first;
    error->required = required_first ? first : second;
    if (error->code == CQL_READ_FAILURE || error->code == CQL_WRITE_FAILURE) {
        read_failures(reader, version, error);
    }
    if (error->code == CQL_WRITE_TIMEOUT || error->code == CQL_WRITE_FAILURE) {
        error->write_type = read_write_type(reader);
    }
    if (error->code == CQL_WRITE_TIMEOUT && error->write_type == CQL_WRITE_CAS && version >= 5) {
        error->contentions = cql_read_short(reader);
    }
    if (error->code == CQL_READ_TIMEOUT || error->code == CQL_READ_FAILURE) {
        error->data_present = cql_read_byte(reader) != 0;
    }
}

static void read_error(struct cql_reader *reader, uint8_t version, struct cql_error *error)
{
    *error = (struct cql_error){.code = cql_read_int(reader), .message = cql_read_string(reader)};
    switch (error->code) {
    case CQL_UNAVAILABLE:
    case CQL_WRITE_TIMEOUT:
    case CQL_READ_TIMEOUT:
    case CQL_READ_FAILURE:
    case CQL_WRITE_FAILURE:
    case CQL_CAS_WRITE_UNKNOWN:
        read_replicas(reader, version, error);
        break;
    case CQL_ALREADY_EXISTS:
    case CQL_FUNCTION_FAILURE:
        error->keyspace = cql_read_string(reader);
        error->object = cql_read_string(reader);
        break;
    case CQL_UNPREPARED:
        error->unprepared_id = cql_read_short_bytes(reader);
        break;
    default:
        break;
    }
}

/* ---------------------------------------------------------------- the rest */

static void read_supported(struct cql_reader *reader, struct arena *arena,
                           struct cql_response *response)
{
    size_t count = cql_read_short(reader);
    if (count > cql_reader_left(reader) / 4) {
        cql_reader_fail(reader);
        return;
    }
    struct cql_supported *list = arena_allocate_zeroed(arena, count + 1, sizeof *list);
    for (size_t at = 0; at < count && !reader->failed; at++) {
        list[at].name = cql_read_string(reader);
        size_t values = cql_read_short(reader);
        if (values > cql_reader_left(reader) / 2) {
            cql_reader_fail(reader);
            return;
        }
        list[at].value_count = values;
        list[at].values = arena_allocate_zeroed(arena, values + 1, sizeof *list[at].values);
        for (size_t value = 0; value < values; value++) {
            list[at].values[value] = cql_read_string(reader);
        }
    }
    response->supported.list = list;
    response->supported.count = count;
}

static bool text_is(struct text text, const char *word)
{
    return text.length == strlen(word) && memcmp(text.data, word, text.length) == 0;
}

static void read_event(struct cql_reader *reader, struct cql_event *event)
{
    *event = (struct cql_event){.type = cql_read_string(reader)};
    if (text_is(event->type, "SCHEMA_CHANGE")) {
        read_schema_change(reader, &event->schema);
    } else if (text_is(event->type, "TOPOLOGY_CHANGE") || text_is(event->type, "STATUS_CHANGE")) {
        event->change = cql_read_string(reader);
        event->node = cql_read_inet(reader);
    }
}

/* The parts that may precede any response: an id of a trace, warnings, a payload. */
static void read_prefix(struct cql_reader *reader, uint8_t flags, struct arena *arena,
                        struct cql_response *response)
{
    if (flags & CQL_FLAG_TRACING) {
        (void)cql_read_uuid(reader);
    }
    if (flags & CQL_FLAG_WARNINGS) {
        size_t count = cql_read_short(reader);
        if (count > cql_reader_left(reader) / 2) {
            cql_reader_fail(reader);
            return;
        }
        response->warnings = arena_allocate_zeroed(arena, count + 1, sizeof *response->warnings);
        response->warning_count = count;
        for (size_t at = 0; at < count; at++) {
            response->warnings[at] = cql_read_string(reader);
        }
    }
    if (flags & CQL_FLAG_PAYLOAD) {
        cql_skip_bytes_map(reader);
    }
}

static bool read_body(struct cql_reader *reader, uint8_t version, struct arena *arena,
                      struct cql_response *response)
{
    switch (response->opcode) {
    case CQL_ERROR:
        read_error(reader, version, &response->error);
        return true;
    case CQL_READY:
        return true;
    case CQL_AUTHENTICATE:
        response->authenticator = cql_read_string(reader);
        return true;
    case CQL_SUPPORTED:
        read_supported(reader, arena, response);
        return true;
    case CQL_RESULT:
        read_result(reader, version, arena, response);
        return true;
    case CQL_EVENT:
        read_event(reader, &response->event);
        return true;
    case CQL_AUTH_CHALLENGE:
    case CQL_AUTH_SUCCESS:
        response->token = cql_read_value(reader);
        return true;
    default:
        return false;
    }
}

enum status cql_response_decode(const struct cql_envelope *envelope, struct arena *arena,
                                struct cql_response *response, struct error *error)
{
    *response = (struct cql_response){.opcode = (enum cql_opcode)envelope->opcode};
    struct cql_reader reader = cql_reader_of(envelope->body, envelope->length);
    read_prefix(&reader, envelope->flags, arena, response);
    if (!read_body(&reader, envelope->version, arena, response)) {
        return error_set(error, ERROR_NETWORK_ANSWER, NULL,
                         "an answer has the opcode 0x%02x, which is no answer's", envelope->opcode);
    }
    if (reader.failed) {
        return error_set(error, ERROR_NETWORK_ANSWER, NULL,
                         "an answer (opcode 0x%02x, %zu bytes) is cut short: its lengths do not "
                         "add up",
                         envelope->opcode, envelope->length);
    }
    return STATUS_OK;
}
