/* What a server answers, byte for byte: through libcurl to our headers, dates and limits, and to
 * what DynamoDB's client makes of it. */
#include "support.h"

#include "connectors/dynamodb/network/client_internal.h"
#include "net/http.h"
#include "server.h"
#include <stdio.h>
#include <string.h>

enum { TIMEOUT_MS = 1000, BODY_BYTES_MAX = 4096 };

static struct text answer;
static struct http_client *client;
static struct dynamodb_service *service;
static char url[100];

static void reply(struct text header_block, struct buffer *out)
{
    (void)header_block;
    buffer_append(out, answer.data, answer.length);
}

static void begin(void)
{
    struct http_client_options options = {.connections_max = 1};
    struct error error = {0};
    snprintf(url, sizeof url, "http://127.0.0.1:%u/path", fuzz_serve(reply));
    FUZZ_REQUIRE(http_client_create(&options, &client, &error) == STATUS_OK);
    struct dynamodb_service_options wanted = {
        .mode = OPEN_SOURCE, .region = "us-east-1", .endpoint = url, .timeout_ms = TIMEOUT_MS};
    FUZZ_REQUIRE(dynamodb_service_create(&wanted, &service, &error) == STATUS_OK);
}

/* As DynamoDB's client does with it; takes the body over. */
static void judge(struct http_response *response)
{
    const struct service_request request = {.operation = "Scan", .object = "table things"};
    struct service_reply judged = {0};
    uint32_t status = response->status;
    dynamodb_client_judge(service, &request, 0, response, &judged);
    if (judged.fault == DYNAMODB_FAULT_NONE) {
        FUZZ_REQUIRE(status == 200);
    } else {
        fuzz_check_error(&judged.error);
    }
    buffer_free(&judged.body);
}

static void look_at(struct http_response *response)
{
    static const char *const names[] = {"Date", "x-amz-crc32", "Content-Type", "Retry-After", "a"};
    int64_t utc_ms = 0;
    struct error error = {0};
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
        const char *value = NULL;
        size_t length = 0;
        if (http_response_header(response, names[at], &value, &length)) {
            FUZZ_REQUIRE(value >= response->header_block.data);
            FUZZ_REQUIRE(value + length <=
                         response->header_block.data + response->header_block.length);
        }
    }
    if (http_response_date(response, &utc_ms)) {
        FUZZ_REQUIRE(utc_ms > -62200000000000 && utc_ms < 253500000000000);
    }
    http_response_unexpected(response, "a test", &error);
    fuzz_check_error(&error);
    FUZZ_REQUIRE(response->body.length <= BODY_BYTES_MAX);
    judge(response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {0};
    struct http_response *response = NULL;
    if (client == NULL) {
        begin();
    }
    fuzz_serve_from(&answer, data, size);
    struct http_request request = {.method = "POST",
                                   .url = url,
                                   .body = "{}",
                                   .body_length = 2,
                                   .timeout_ms = TIMEOUT_MS,
                                   .response_bytes_max = BODY_BYTES_MAX};
    if (http_perform(client, &request, &response, &error) != STATUS_OK) {
        fuzz_check_error(&error);
    }
    if (response != NULL) {
        look_at(response);
    }
    http_response_destroy(response);
    return 0;
}
