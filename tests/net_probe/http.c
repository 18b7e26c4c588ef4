/* Sends requests, all at once or one after the other, and prints what became of them. */
#include "net_probe.h"

#include "base/clock.h"
#include "net/http.h"
#include <stdlib.h>
#include <string.h>

enum { HEADERS_MAX = 64 };

struct one_request {
    struct http_request request;
    struct http_header headers[HEADERS_MAX];
};

static void read_request(const json_t *json, struct one_request *one)
{
    *one = (struct one_request){0};
    struct http_request *request = &one->request;
    const char *method = probe_text(json, "method");
    request->method = method == NULL ? "POST" : method;
    request->url = probe_text(json, "url");
    request->headers = one->headers;
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(json_object_get(json, "headers"), name, value)
    {
        if (request->header_count < HEADERS_MAX) {
            one->headers[request->header_count++] =
                (struct http_header){name, json_string_value(value)};
        }
    }
    const json_t *body = json_object_get(json, "body");
    request->body = json_string_value(body);
    request->body_length = json_string_length(body);
    request->timeout_ms = probe_number(json, "timeout_ms", 10000);
    request->response_bytes_max = (uint64_t)probe_number(json, "response_bytes_max", 0);
    request->direct = probe_flag(json, "direct");
    request->repeatable = probe_flag(json, "repeatable");
}

static json_t *latin1(const struct buffer *bytes)
{
    struct buffer text = {0};
    for (size_t i = 0; i < bytes->length; i++) {
        unsigned char byte = (unsigned char)bytes->data[i];
        if (byte < 0x80) {
            buffer_append_byte(&text, (char)byte);
        } else {
            buffer_append_byte(&text, (char)(0xC0 | byte >> 6));
            buffer_append_byte(&text, (char)(0x80 | (byte & 0x3F)));
        }
    }
    json_t *string = json_stringn(text.length == 0 ? "" : text.data, text.length);
    buffer_free(&text);
    return string;
}

static json_t *describe(const struct http_response *response)
{
    int64_t date_ms = 0;
    bool dated = http_response_date(response, &date_ms);
    struct error unexpected = {0};
    http_response_unexpected(response, "the service", &unexpected);
    return json_pack("{s:I, s:b, s:b, s:o, s:o, s:I, s:o, s:o, s:s, s:s}", "status",
                     (json_int_t)response->status, "sent", response->sent, "cut", response->cut,
                     "body", latin1(&response->body), "headers", latin1(&response->header_block),
                     "elapsed_ms", (json_int_t)response->elapsed_ms, "error",
                     probe_error(&response->error), "date_ms",
                     dated ? json_integer(date_ms) : json_null(), "unexpected", unexpected.message,
                     "unexpected_hint", unexpected.hint);
}

static json_t *failure(const struct error *error)
{
    return json_pack("{s:n, s:o}", "status", "error", probe_error(error));
}

/* All at once: results by the requests' index. */
static void run_together(struct http_client *client, struct one_request *all, size_t count,
                         json_t *results)
{
    struct error error = {0};
    size_t next = 0;
    for (;;) {
        enum status status = STATUS_OK;
        while (next < count && status == STATUS_OK) {
            all[next].request.context = (void *)(uintptr_t)next;
            status = http_submit(client, &all[next].request, &error);
            if (status == STATUS_FAILED) {
                json_array_set_new(results, next, failure(&error));
                status = STATUS_OK;
            }
            next += status == STATUS_OK;
        }
        struct http_response *response = NULL;
        status = http_poll(client, 20000, &response, &error);
        if (status != STATUS_OK) {
            return;
        }
        json_array_set_new(results, (uintptr_t)response->context, describe(response));
        http_response_destroy(response);
    }
}

static void run_in_turn(struct http_client *client, struct one_request *all, size_t count,
                        int64_t pause_ms, json_t *results)
{
    for (size_t i = 0; i < count; i++) {
        struct error error = {0};
        struct http_response *response = NULL;
        enum status status = http_perform(client, &all[i].request, &response, &error);
        json_array_set_new(results, i,
                           response == NULL || (status == STATUS_FAILED && error.code == 0)
                               ? failure(&error)
                               : describe(response));
        http_response_destroy(response);
        if (i + 1 < count && pause_ms > 0) {
            clock_sleep_ms(pause_ms);
        }
    }
}

json_t *probe_http(const json_t *request)
{
    struct http_client_options options = {
        .connections_max = (uint32_t)probe_number(request, "connections_max", 0),
        .connect_timeout_ms = probe_number(request, "connect_timeout_ms", 0),
        .ca_file = probe_text(request, "ca_file"),
        .plaintext_allowed = probe_flag(request, "plaintext_allowed")};
    struct error error = {0};
    struct http_client *client = NULL;
    if (http_client_create(&options, &client, &error) != STATUS_OK) {
        return json_pack("{s:o}", "error", probe_error(&error));
    }
    const json_t *requests = json_object_get(request, "requests");
    int64_t repeat = probe_number(request, "repeat", 1);
    size_t kinds = json_array_size(requests);
    size_t count = kinds * (size_t)repeat;
    struct one_request *all = calloc(count + 1, sizeof(*all));
    json_t *results = json_array();
    for (size_t i = 0; all != NULL && i < count; i++) {
        read_request(json_array_get(requests, i % kinds), &all[i]);
        json_array_append_new(results, json_null());
    }
    if (all != NULL && probe_flag(request, "together")) {
        run_together(client, all, count, results);
    } else if (all != NULL) {
        run_in_turn(client, all, count, probe_number(request, "pause_ms", 0), results);
    }
    http_client_destroy(client);
    free(all);
    return json_pack("{s:o}", "responses", results);
}
