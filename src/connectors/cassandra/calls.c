#include "connectors/cassandra/calls.h"

#include "base/clock.h"
#include "base/log.h"
#include "connectors/contract/report.h"

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

/* ---------------------------------------------------------------- patience */

void cassandra_patience_begin(struct cassandra_patience *patience, struct cassandra *self)
{
    *patience = (struct cassandra_patience){.self = self};
    retry_init(&patience->retry, self->patience_ms);
    patience->retry.cancelled = &self->keyed.base.hurried;
}

void cassandra_patience_renew(struct cassandra_patience *patience)
{
    retry_reset(&patience->retry);
}

/* Serial reads and those of other levels than the user's keep theirs. */
bool cassandra_patience_falls_back(struct cassandra_patience *patience, enum cql_failure failure,
                                   const struct error *error, enum cql_consistency *consistency)
{
    struct cassandra *self = patience->self;
    const struct cassandra_settings *settings = &self->settings;
    bool few = failure == CQL_FAILURE_UNAVAILABLE || failure == CQL_FAILURE_READ_TIMEOUT;
    if (!few || settings->fallback == CQL_ANY || settings->fallback == *consistency ||
        *consistency != settings->read_consistency) {
        return false;
    }
    if (!atomic_exchange(&self->read_fell_back, true)) {
        log_write(LOG_WARNING, "%s: %s; such reads are made at %s instead of %s", error->object,
                  error->message, cql_consistency_name(settings->fallback),
                  cql_consistency_name(*consistency));
    }
    *consistency = settings->fallback;
    report_fell_back(&self->keyed.base, patience->counts);
    return true;
}

bool cassandra_patience_plan(struct cassandra_patience *patience, struct error *error)
{
    if (!retry_plan(&patience->retry, error, &patience->wait_until_ms)) {
        return false;
    }
    report_retried(&patience->self->keyed.base, patience->counts);
    return true;
}

bool cassandra_patience_wait(struct cassandra_patience *patience, bool may_have_happened,
                             struct error *error)
{
    if ((patience->once && may_have_happened) || !retry_wait(&patience->retry, error)) {
        return false;
    }
    report_retried(&patience->self->keyed.base, patience->counts);
    return true;
}
