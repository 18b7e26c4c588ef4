/* A request and its answer over a connection of ours. */
#include "net/http_internal.h"

#include "base/clock.h"
#include <stdio.h>
#include <string.h>

enum {
    JOINED_BYTES_MAX = 64 * 1024, /* a body up to this goes out together with its head */
    JOINED_BYTES = 16 * 1024      /* else this much of it, to fill the first packets */
};

/* ---------------------------------------------------------------- the request */

static void append_header(struct buffer *text, const char *name, const char *value)
{
    buffer_append_string(text, name);
    buffer_append(text, value[0] == '\0' ? ":" : ": ", value[0] == '\0' ? 1 : 2);
    buffer_append_string(text, value);
    buffer_append(text, "\r\n", 2);
}

enum status http_exchange_prepare(struct http_slot *slot, const struct http_request *request,
                                  struct error *error)
{
    struct buffer *text = &slot->text;
    bool may_lack_body =
        strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    buffer_clear(text);
    buffer_append_string(text, request->method);
    buffer_append_byte(text, ' ');
    buffer_append_string(text, slot->target);
    buffer_append(text, " HTTP/1.1\r\n", 11);
    if (!http_request_has_header(request, "Host")) {
        append_header(text, "Host", slot->host_header);
    }
    for (uint32_t i = 0; i < request->header_count; i++) {
        append_header(text, request->headers[i].name, request->headers[i].value);
    }
    if (!http_request_has_header(request, "User-Agent")) {
        append_header(text, "User-Agent", "transhume/" TRANSHUME_VERSION);
    }
    bool has_length = http_request_has_header(request, "Content-Length");
    if (!has_length && (request->body_length > 0 || !may_lack_body)) {
        buffer_append(text, "Content-Length: ", 16);
        buffer_append_uint64(text, request->body_length);
        buffer_append(text, "\r\n", 2);
    }
    buffer_append(text, "\r\n", 2);
    size_t joined = request->body_length <= JOINED_BYTES_MAX ? request->body_length : JOINED_BYTES;
    buffer_append(text, request->body, joined);
    slot->rest = joined < request->body_length ? (const char *)request->body + joined : NULL;
    slot->rest_length = request->body_length - joined;
    return text->failed ? error_set(error, ERROR_MEMORY, request->url, "no memory for the request")
                        : STATUS_OK;
}

/* ---------------------------------------------------------------- endings */

static void end(struct http_slot *slot, CURLcode code)
{
    bool keeps = code == CURLE_OK && slot->fault == HTTP_FAULT_NONE && slot->parser.keeps &&
                 !slot->sends_no_more && slot->sent_bytes == slot->text.length + slot->rest_length;
    if (slot->way == HTTP_WAY_EXCHANGE && keeps) {
        http_link_await(slot, false);
        http_slot_finish(slot, code);
        return;
    }
    http_slot_finish(slot, code); /* libcurl's handle may still know why */
    http_link_close(slot);
}

static void connect_anew(struct http_slot *slot)
{
    struct error error;
    http_link_close(slot);
    slot->way = HTTP_WAY_CONNECTING;
    slot->fresh = true;
    slot->curl_text[0] = '\0';
    if (http_link_begin(slot, &error) != STATUS_OK) {
        slot->fault = HTTP_FAULT_MEMORY;
        end(slot, CURLE_OUT_OF_MEMORY);
    }
}

/* No answer will come on this connection. */
static void end_broken(struct http_slot *slot, CURLcode code)
{
    bool again = !slot->fresh && !slot->parser.any && slot->sends < HTTP_SENDS_MAX &&
                 (slot->repeatable || !slot->response->response.sent);
    if (again) {
        connect_anew(slot);
    } else {
        end(slot, code);
    }
}

void http_exchange_expire(struct http_slot *slot)
{
    end(slot, CURLE_OPERATION_TIMEDOUT);
}

static void end_faulty(struct http_slot *slot)
{
    const struct http_parser *parser = &slot->parser;
    CURLcode code = CURLE_WEIRD_SERVER_REPLY;
    snprintf(slot->curl_text, sizeof(slot->curl_text), "%s",
             parser->reason == NULL ? "" : parser->reason);
    switch (parser->fault) {
    case HTTP_PARSER_HEADERS_TOO_LONG:
        slot->fault = HTTP_FAULT_HEADERS;
        break;
    case HTTP_PARSER_BODY_TOO_LONG:
        slot->fault = HTTP_FAULT_BODY;
        break;
    case HTTP_PARSER_NO_MEMORY:
        slot->fault = HTTP_FAULT_MEMORY;
        break;
    case HTTP_PARSER_BROKEN_CHUNKS:
        code = CURLE_RECV_ERROR;
        break;
    case HTTP_PARSER_NO_HTTP:
    case HTTP_PARSER_FINE:
        break;
    }
    end(slot, code);
}

/* ---------------------------------------------------------------- in */

/* One read and what it brings. True: there may be more now. */
static bool receive_some(struct http_slot *slot)
{
    struct http_response *response = &slot->response->response;
    size_t room = http_parser_room(&slot->parser, response);
    char *to = room > 0 ? response->body.data + response->body.length : slot->client->receive;
    size_t capacity = room > 0 ? room : HTTP_RECEIVE_BYTES;
    size_t got = 0;
    size_t used = 0;
    enum status status = STATUS_AGAIN;
    switch (http_link_receive(slot, to, capacity, &got)) {
    case HTTP_LINK_WAIT:
        return false;
    case HTTP_LINK_CLOSED:
        if (http_parser_end(&slot->parser)) {
            end(slot, CURLE_OK);
        } else if (slot->sends_no_more && !slot->parser.any) {
            end_broken(slot, CURLE_SEND_ERROR);
        } else {
            end_broken(slot, slot->parser.any ? CURLE_PARTIAL_FILE : CURLE_GOT_NOTHING);
        }
        return false;
    case HTTP_LINK_BROKEN:
        end_broken(slot, CURLE_RECV_ERROR);
        return false;
    case HTTP_LINK_DONE:
        break;
    }
    if (room > 0) {
        status = http_parser_took(&slot->parser, response, got);
    } else {
        status = http_parser_take(&slot->parser, response, to, got, &used);
        slot->parser.keeps = slot->parser.keeps && used == got; /* else: more than was asked for */
    }
    if (status == STATUS_AGAIN) {
        return slot->tls || got == capacity;
    }
    if (status == STATUS_OK) {
        end(slot, CURLE_OK);
    } else {
        end_faulty(slot);
    }
    return false;
}

/* A server that sends without a pause does not outlast the request's time. */
static void receive(struct http_slot *slot)
{
    while (receive_some(slot)) {
        if (clock_boottime_ms() >= slot->deadline_ms) {
            http_exchange_expire(slot);
            return;
        }
    }
}

/* ---------------------------------------------------------------- out */

/* Sends until all is sent or no more can be now. */
static void send_some(struct http_slot *slot)
{
    size_t total = slot->text.length + slot->rest_length;
    while (slot->sent_bytes < total && !slot->sends_no_more) {
        if (clock_boottime_ms() >= slot->deadline_ms) {
            http_exchange_expire(slot);
            return;
        }
        bool head = slot->sent_bytes < slot->text.length;
        const char *from = head ? slot->text.data + slot->sent_bytes
                                : slot->rest + (slot->sent_bytes - slot->text.length);
        size_t length = head ? slot->text.length - slot->sent_bytes : total - slot->sent_bytes;
        size_t sent = 0;
        /* of what TLS could not send all, some may have gone */
        slot->response->response.sent = slot->response->response.sent || slot->tls;
        enum http_link_result result = http_link_send(slot, from, length, &sent);
        if (result == HTTP_LINK_WAIT) {
            http_link_await(slot, true);
            return;
        }
        slot->sends_no_more = result != HTTP_LINK_DONE;
        slot->response->response.sent = slot->response->response.sent || sent > 0;
        slot->sent_bytes += sent;
    }
    http_link_await(slot, false);
    if (slot->sends_no_more && !slot->response->response.sent) {
        end_broken(slot, CURLE_SEND_ERROR);
    } else if (slot->sends_no_more) {
        receive(slot); /* why it takes no more, perhaps */
    }
}

static void start(struct http_slot *slot)
{
    struct http_response *response = &slot->response->response;
    slot->way = HTTP_WAY_EXCHANGE;
    slot->sent_bytes = 0;
    slot->sends_no_more = false;
    slot->sends++;
    buffer_clear(&response->body);
    buffer_clear(&response->header_block);
    http_parser_begin(&slot->parser, strcmp(slot->method, "HEAD") == 0, slot->response_bytes_max);
    send_some(slot);
}

enum status http_exchange_begin(struct http_slot *slot, struct error *error)
{
    if (http_link_is_usable(slot)) {
        slot->fresh = false;
        start(slot);
        return STATUS_OK;
    }
    http_link_close(slot);
    slot->curl_text[0] = '\0';
    slot->way = HTTP_WAY_CONNECTING;
    slot->fresh = true;
    return http_link_begin(slot, error);
}

void http_exchange_connected(struct http_slot *slot, CURLcode code)
{
    if (code == CURLE_OK && http_link_take(slot)) {
        start(slot);
    } else {
        end(slot, code == CURLE_OK ? CURLE_GOT_NOTHING : code);
    }
}

void http_exchange_act(struct http_slot *slot)
{
    if (slot->way == HTTP_WAY_NONE) {
        if (!http_link_is_usable(slot)) {
            http_link_close(slot);
        }
        return;
    }
    if (slot->way == HTTP_WAY_EXCHANGE && !slot->sends_no_more &&
        slot->sent_bytes < slot->text.length + slot->rest_length) {
        send_some(slot);
    }
    if (slot->way == HTTP_WAY_EXCHANGE) {
        receive(slot);
    }
}
