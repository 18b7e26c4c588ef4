#include "connectors/cassandra/calls.h"

#include "base/clock.h"
#include "connectors/cassandra/patience.h"

enum { IDLE_MS = 20 /* with no call under way a session does not wait */ };

enum status cassandra_calls_poll(struct cql_session *session, int64_t timeout_ms)
{
    struct cql_reply reply;
    struct error error;
    error_clear(&error);
    enum status status = cql_session_poll(session, timeout_ms, &reply, &error);
    if (status == STATUS_AGAIN) {
        if (timeout_ms > 0 && cql_session_under_way(session) == 0) {
            clock_sleep_ms(timeout_ms < IDLE_MS ? timeout_ms : IDLE_MS);
        }
        return STATUS_AGAIN;
    }
    struct cassandra_call *call = reply.tag;
    call->answered(call, status, &reply, &error);
    return STATUS_OK;
}

enum status cassandra_calls_prepare(struct cassandra *self, struct cql_session *session,
                                    const char *text, const struct cql_prepared **prepared,
                                    struct error *error)
{
    struct cassandra_patience patience;
    enum status status;
    enum cql_failure failure;
    cassandra_patience_begin(&patience, self);
    do {
        status = cql_session_prepare(session, text, prepared, &failure, error);
    } while (status != STATUS_OK && cassandra_patience_wait(&patience, false, error));
    return status;
}

bool cassandra_calls_keep_rows(const struct cql_rows *rows, struct buffer *bytes)
{
    size_t length = cql_reader_left(&rows->content);
    if (!buffer_try_reserve(bytes, length)) {
        return false;
    }
    buffer_append(bytes, rows->content.at, length);
    return true;
}
