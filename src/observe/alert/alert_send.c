#include "observe/alert/alert_send.h"

#include "base/process.h"
#include "base/secret.h"
#include "base/trust.h"
#include "net/http.h"
#include <stdio.h>
#include <string.h>

enum { ANSWER_BYTES_MAX = 64 << 10, SHOWN_BYTES = 160 };

static enum status post(const struct alert_receiver *receiver, const char *url,
                        const struct buffer *body, struct error *error)
{
    struct http_client *client;
    struct http_response *response = NULL;
    const struct http_client_options options = {.connections_max = 1,
                                                .connect_timeout_ms = receiver->timeout_ms,
                                                .plaintext_allowed = trust_allows_plaintext()};
    const struct http_header headers[] = {{"Content-Type", "application/json"}};
    const struct http_request request = {.method = "POST",
                                         .url = url,
                                         .headers = headers,
                                         .header_count = 1,
                                         .body = body->data,
                                         .body_length = body->length,
                                         .timeout_ms = receiver->timeout_ms,
                                         .response_bytes_max = ANSWER_BYTES_MAX};
    if (http_client_create(&options, &client, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = http_perform(client, &request, &response, error);
    if (status == STATUS_OK && response->status >= 300) {
        char shown[SHOWN_BYTES];
        snprintf(shown, sizeof(shown), "%s", buffer_string(&response->body));
        status = error_set(error, ERROR_NETWORK_ANSWER, receiver->name, "it answers %u: %s",
                           response->status, shown);
    }
    http_response_destroy(response);
    http_client_destroy(client);
    return status;
}

static enum status post_to_alertmanager(const struct alert_receiver *receiver,
                                        const struct buffer *body, struct error *error)
{
    struct buffer url = {0};
    size_t length = strlen(receiver->address);
    while (length > 0 && receiver->address[length - 1] == '/') {
        length--;
    }
    buffer_append(&url, receiver->address, length);
    buffer_append_string(&url, "/api/v2/alerts");
    enum status status = post(receiver, buffer_string(&url), body, error);
    buffer_free(&url);
    return status;
}

enum status alert_send(const struct alert_receiver *receiver, const struct alert_batch *batch,
                       const struct alert_origin *origin, struct error *error)
{
    struct buffer body = {0};
    enum status status;
    if (receiver->way == ALERT_ALERTMANAGER) {
        alert_message_alertmanager(batch, origin, &body);
        status = post_to_alertmanager(receiver, &body, error);
    } else if (receiver->way == ALERT_WEBHOOK) {
        alert_message_json(batch, origin, &body);
        status = post(receiver, receiver->address, &body, error);
    } else {
        if (receiver->way == ALERT_EMAIL) {
            alert_message_mail(batch, origin, receiver->address, &body);
        } else {
            alert_message_json(batch, origin, &body);
        }
        const struct process_request request = {.arguments = receiver->arguments,
                                                .input = body.data,
                                                .input_length = body.length,
                                                .guarded = receiver->place != NULL,
                                                .passed = receiver->passed,
                                                .timeout_ms = receiver->timeout_ms};
        status = process_run_request(&request, error);
    }
    buffer_free(&body);
    return status;
}

void alert_send_describe(const struct alert_receiver *receiver, char *out, size_t capacity)
{
    static const char *const ways[] = {"alertmanager", "webhook", "command", "e-mail"};
    char line[SHOWN_BYTES];
    snprintf(line, sizeof(line), "%s %s", ways[receiver->way],
             receiver->way == ALERT_COMMAND ? receiver->arguments[0] : receiver->address);
    secret_redact(line);
    snprintf(out, capacity, "%s", line);
}
