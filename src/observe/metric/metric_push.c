/* PUT of the text format to a push gateway. */
#include "observe/metric/metric_push.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/http.h"
#include "observe/metric/metric_text.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PUSH_TIMEOUT_MS = 2000, PUSH_ANSWER_BYTES_MAX = 64 << 10 };

struct metric_push {
    struct http_client *client;
    char *url;
    bool failing;
};

enum status metric_push_open(const char *url, struct metric_push **push, struct error *error)
{
    const struct http_client_options options = {
        .connections_max = 1, .connect_timeout_ms = PUSH_TIMEOUT_MS, .plaintext_allowed = true};
    char host[256] = "localhost";
    struct buffer whole = {0};
    struct http_url parts;
    struct arena *arena = arena_create(0);
    enum status status = http_url_parse(url, "--push-gateway", arena, &parts, error);
    arena_destroy(arena);
    if (status != STATUS_OK) {
        error_hint(error, "http://gateway:9091 would be one");
        return error_recode(error, ERROR_USAGE);
    }
    struct metric_push *made = memory_allocate_zeroed(1, sizeof(*made));
    size_t length = strlen(url);
    while (length > 0 && url[length - 1] == '/') {
        length--;
    }
    buffer_append(&whole, url, length);
    if (strstr(url, "/metrics/job/") == NULL) {
        gethostname(host, sizeof(host) - 1);
        buffer_format(&whole, "/metrics/job/transhume/instance/%s", host);
    }
    made->url = memory_copy_string(buffer_string(&whole));
    buffer_free(&whole);
    if (http_client_create(&options, &made->client, error) != STATUS_OK) {
        free(made->url);
        free(made);
        return STATUS_FAILED;
    }
    *push = made;
    return STATUS_OK;
}

static void metric_push_warn(struct metric_push *push, const char *why)
{
    if (!push->failing) {
        push->failing = true;
        log_write(LOG_WARNING, "metrics are not pushed to %s: %s", push->url, why);
    }
}

/* The answer of the gateway to a request that it refuses, in one line. */
static void warn_of_answer(struct metric_push *push, struct http_response *response)
{
    struct buffer why = {0};
    buffer_format(&why, "it answers %u: %.200s", response->status, buffer_string(&response->body));
    metric_push_warn(push, buffer_string(&why));
    buffer_free(&why);
}

void metric_push_send(struct metric_push *push, const struct buffer *text)
{
    struct error error = {0};
    struct http_response *response = NULL;
    const struct http_header headers[] = {
        {"Content-Type", metric_content_type(METRIC_FORMAT_TEXT)}};
    const struct http_request request = {.method = "PUT",
                                         .url = push->url,
                                         .headers = headers,
                                         .header_count = 1,
                                         .body = text->data,
                                         .body_length = text->length,
                                         .timeout_ms = PUSH_TIMEOUT_MS,
                                         .response_bytes_max = PUSH_ANSWER_BYTES_MAX,
                                         .repeatable = true};
    if (http_perform(push->client, &request, &response, &error) != STATUS_OK) {
        metric_push_warn(push, error.message);
    } else if (response->status >= 300) {
        warn_of_answer(push, response);
    } else {
        push->failing = false;
    }
    http_response_destroy(response);
}

void metric_push_close(struct metric_push *push)
{
    if (push != NULL) {
        http_client_destroy(push->client);
        free(push->url);
        free(push);
    }
}
