/* The usual meaning of answers of services. */
#include "net/service.h"

#include "base/clock.h"
#include "base/text.h"
#include <string.h>

enum { RETRY_AFTER_S_MAX = 300, EXCERPT_BYTES = 320 };

int64_t service_retry_after_ms(const struct http_response *from)
{
    const char *value = NULL;
    size_t length = 0;
    uint64_t seconds = 0;
    int64_t until_ms = 0;
    int64_t now_ms = 0;
    if (!http_response_header(from, "Retry-After", &value, &length)) {
        return 0;
    }
    if (text_to_uint64(value, length, &seconds) == STATUS_OK) {
        return (int64_t)(seconds < RETRY_AFTER_S_MAX ? seconds : RETRY_AFTER_S_MAX) * 1000;
    }
    if (!http_response_time(from, "Retry-After", &until_ms)) {
        return 0;
    }
    if (!http_response_date(from, &now_ms)) {
        now_ms = clock_utc_us() / 1000;
    }
    int64_t left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    return left_ms < RETRY_AFTER_S_MAX * 1000 ? left_ms : RETRY_AFTER_S_MAX * 1000;
}

bool service_judge_no_answer(const struct http_response *from, struct service_reply *reply)
{
    if (from->error.code == ERROR_NONE) {
        return false;
    }
    reply->error = from->error;
    reply->verdict = from->error.class == ERROR_CLASS_RETRY ? SERVICE_RETRY : SERVICE_STOP;
    reply->unknown_outcome = from->sent;
    return true;
}

void service_take_body(struct service_reply *reply, struct http_response *from)
{
    struct buffer body = reply->body;
    reply->body = from->body;
    from->body = body;
}

static bool is_json(const struct buffer *body)
{
    size_t at = 0;
    while (at < body->length && strchr(" \t\r\n", body->data[at]) != NULL) {
        at++;
    }
    return at == body->length || strchr("{[\"-0123456789tfn", body->data[at]) != NULL;
}

static enum service_verdict verdict_of(uint32_t status)
{
    if (status == 429) {
        return SERVICE_THROTTLE;
    }
    if (status == 408 || status == 425 || status >= 500) {
        return SERVICE_RETRY;
    }
    return status < 400 || status == 401 || status == 403 || status == 407 ? SERVICE_STOP
                                                                           : SERVICE_REJECT;
}

void service_judge(const struct service *service, const struct service_request *request,
                   struct http_response *from, struct service_reply *reply)
{
    struct error *error = &reply->error;
    const char *object = request->object != NULL ? request->object : service_url(service);
    if (service_judge_no_answer(from, reply)) {
        return;
    }
    if (from->status >= 200 && from->status < 300 && is_json(&from->body)) {
        service_take_body(reply, from);
        return;
    }
    reply->verdict = verdict_of(from->status);
    reply->unknown_outcome = reply->verdict == SERVICE_RETRY || from->status < 400;
    if (from->status < 400 || !is_json(&from->body)) {
        http_response_unexpected(from, object, error);
    } else {
        char excerpt[EXCERPT_BYTES];
        text_printable(from->body.data, from->body.length, excerpt, sizeof(excerpt));
        error_set(error, reply->verdict == SERVICE_STOP ? ERROR_CREDENTIALS : ERROR_NETWORK_ANSWER,
                  object, "%s answers with status %u%s%s", request->operation, from->status,
                  excerpt[0] != '\0' ? ": " : "", excerpt);
    }
    error->native_code = from->status;
    error->class = reply->verdict == SERVICE_REJECT ? ERROR_CLASS_REJECT
                   : reply->verdict == SERVICE_STOP ? ERROR_CLASS_STOP
                                                    : ERROR_CLASS_RETRY;
    service_take_body(reply, from);
}
