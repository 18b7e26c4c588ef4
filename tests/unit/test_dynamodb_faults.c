/* What answers of DynamoDB are taken for: names, statuses, checksums, what is no DynamoDB at all.
 */
#include "connectors/common/lease.h"
#include "connectors/dynamodb/network/client_internal.h"
#include "support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static uint64_t generation; /* of the service's credentials */

static struct dynamodb_service *make_service(enum open_mode mode)
{
    struct error error = {0};
    struct dynamodb_service *service = NULL;
    setenv("AWS_ACCESS_KEY_ID", "AKIDTEST", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "secret of nobody", 1);
    setenv("AWS_CONFIG_FILE", "/nonexistent", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent", 1);
    const struct dynamodb_service_options options = {.mode = mode,
                                                     .region = "eu-west-1",
                                                     .endpoint = "http://127.0.0.1:1",
                                                     .timeout_ms = 1000,
                                                     .patience_ms = 1000};
    if (dynamodb_service_create(&options, &service, &error) != STATUS_OK) {
        fail_msg("%s: %s", error.object, error.message);
    }
    struct aws_credentials credentials = {0};
    assert_int_equal(aws_credentials_get(service->chain, 0, &credentials, &error), STATUS_OK);
    generation = credentials.generation;
    aws_credentials_clear(&credentials);
    return service;
}

/* An answer as the HTTP client hands it over. */
static struct service_reply judge(struct dynamodb_service *service, uint32_t status,
                                  const char *headers, const char *body)
{
    const struct service_request request = {.operation = "PutItem", .object = "things"};
    struct http_response from = {.status = status, .sent = true};
    struct service_reply response = {0};
    char line[64];
    snprintf(line, sizeof line, "HTTP/1.1 %u X\r\n", status);
    buffer_append_string(&from.header_block, line);
    buffer_append_string(&from.header_block, headers);
    buffer_append_string(&from.body, body);
    dynamodb_client_judge(service, &request, generation, &from, &response);
    buffer_free(&from.header_block);
    buffer_free(&from.body);
    buffer_free(&response.body);
    return response;
}

static void names_mean_what_they_mean(void **state)
{
    static const struct {
        const char *name;
        uint32_t status;
        enum dynamodb_fault fault;
        enum error_class class;
        enum error_code code;
        bool unknown;
    } cases[] = {
        {"ProvisionedThroughputExceededException", 400, DYNAMODB_FAULT_THROTTLED, ERROR_CLASS_RETRY,
         ERROR_TARGET_THROTTLED, false},
        {"ThrottlingException", 400, DYNAMODB_FAULT_THROTTLED, ERROR_CLASS_RETRY,
         ERROR_TARGET_THROTTLED, false},
        {"RequestLimitExceeded", 400, DYNAMODB_FAULT_THROTTLED, ERROR_CLASS_RETRY,
         ERROR_TARGET_THROTTLED, false},
        {"InternalServerError", 500, DYNAMODB_FAULT_SERVER, ERROR_CLASS_RETRY, ERROR_TARGET_WRITE,
         true},
        {"SomethingNew", 503, DYNAMODB_FAULT_SERVER, ERROR_CLASS_RETRY, ERROR_TARGET_WRITE, true},
        {"", 502, DYNAMODB_FAULT_SERVER, ERROR_CLASS_RETRY, ERROR_TARGET_WRITE, true},
        {"", 408, DYNAMODB_FAULT_SERVER, ERROR_CLASS_RETRY, ERROR_TARGET_WRITE, true},
        {"", 429, DYNAMODB_FAULT_THROTTLED, ERROR_CLASS_RETRY, ERROR_TARGET_THROTTLED, false},
        {"", 413, DYNAMODB_FAULT_TOO_LARGE, ERROR_CLASS_STOP, ERROR_TARGET_WRITE, false},
        {"AccessDeniedException", 400, DYNAMODB_FAULT_REFUSED, ERROR_CLASS_STOP, ERROR_PERMISSION,
         false},
        {"UnrecognizedClientException", 400, DYNAMODB_FAULT_REFUSED, ERROR_CLASS_STOP,
         ERROR_CREDENTIALS, false},
        {"InvalidSignatureException", 400, DYNAMODB_FAULT_REFUSED, ERROR_CLASS_STOP,
         ERROR_CREDENTIALS, false},
        /* keys of the environment can't be had anew */
        {"ExpiredTokenException", 400, DYNAMODB_FAULT_REFUSED, ERROR_CLASS_STOP, ERROR_CREDENTIALS,
         false},
        {"ConditionalCheckFailedException", 400, DYNAMODB_FAULT_CONDITION, ERROR_CLASS_STOP,
         ERROR_TARGET_WRITE, false},
        {"ResourceNotFoundException", 400, DYNAMODB_FAULT_MISSING, ERROR_CLASS_STOP,
         ERROR_TARGET_MISSING, false},
        {"ResourceInUseException", 400, DYNAMODB_FAULT_IN_USE, ERROR_CLASS_RETRY,
         ERROR_TARGET_LOCKED, false},
        {"LimitExceededException", 400, DYNAMODB_FAULT_LIMIT, ERROR_CLASS_RETRY,
         ERROR_TARGET_LOCKED, false},
        {"ValidationException", 400, DYNAMODB_FAULT_INVALID, ERROR_CLASS_STOP, ERROR_TARGET_WRITE,
         false},
        {"NeverHeardOfException", 400, DYNAMODB_FAULT_INVALID, ERROR_CLASS_STOP, ERROR_TARGET_WRITE,
         false},
        {"UnknownOperationException", 400, DYNAMODB_FAULT_UNKNOWN, ERROR_CLASS_STOP,
         ERROR_TARGET_WRITE, false},
    };
    struct dynamodb_service *service = make_service(OPEN_TARGET);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[256];
        snprintf(body, sizeof body,
                 "{\"__type\":\"com.amazonaws.dynamodb.v20120810#%s\",\"message\":\"why not\"}",
                 cases[i].name);
        struct service_reply response = judge(service, cases[i].status, "", body);
        if (response.fault != (int)cases[i].fault || response.error.class != cases[i].class ||
            response.error.code != cases[i].code || response.unknown_outcome != cases[i].unknown) {
            fail_msg("%s %u: fault %d, class %d, code %s, unknown %d", cases[i].name,
                     cases[i].status, response.fault, response.error.class,
                     error_describe(response.error.code)->name, response.unknown_outcome);
        }
        assert_non_null(strstr(response.error.message, "PutItem"));
        assert_string_equal(response.error.object, "things");
    }
    dynamodb_service_destroy(service);
}

static void a_source_speaks_of_the_source(void **state)
{
    struct dynamodb_service *service = make_service(OPEN_SOURCE);
    (void)state;
    struct service_reply response =
        judge(service, 400, "", "{\"__type\":\"x#ThrottlingException\",\"Message\":\"slow\"}");
    assert_int_equal(response.error.code, ERROR_SOURCE_THROTTLED);
    assert_non_null(strstr(response.error.message, "slow"));
    response = judge(service, 400, "", "{\"__type\":\"x#ResourceNotFoundException\"}");
    assert_int_equal(response.error.code, ERROR_SOURCE_MISSING);
    dynamodb_service_destroy(service);
}

static void checksums_are_checked(void **state)
{
    static const char body[] = "{\"UnprocessedItems\":{}}";
    struct dynamodb_service *service = make_service(OPEN_TARGET);
    char header[64];
    (void)state;
    uLong right = crc32_z(0, (const uint8_t *)body, strlen(body));
    snprintf(header, sizeof header, "X-Amz-Crc32: %lu\r\n", right);
    assert_int_equal(judge(service, 200, header, body).fault, DYNAMODB_FAULT_NONE);
    assert_int_equal(judge(service, 200, "", body).fault, DYNAMODB_FAULT_NONE);
    snprintf(header, sizeof header, "x-amz-crc32: %lu\r\n", right ^ 1);
    struct service_reply response = judge(service, 200, header, body);
    assert_int_equal(response.fault, DYNAMODB_FAULT_NETWORK);
    assert_true(response.unknown_outcome);
    assert_int_equal(response.error.class, ERROR_CLASS_RETRY);
    dynamodb_service_destroy(service);
}

static void what_is_no_dynamodb_is_named(void **state)
{
    static const char page[] = "<html><head><title>Log in, please</title></head></html>";
    struct dynamodb_service *service = make_service(OPEN_TARGET);
    (void)state;
    const uint32_t statuses[] = {200, 302, 403, 404, 407};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        struct service_reply response =
            judge(service, statuses[i], "Content-Type: text/html\r\n", page);
        assert_int_equal(response.fault, DYNAMODB_FAULT_NOT_DYNAMODB);
        assert_int_equal(response.error.class, ERROR_CLASS_STOP);
        assert_non_null(strstr(response.error.message, "Log in, please"));
    }
    /* a gateway's page for a server that is not there passes */
    assert_int_equal(judge(service, 503, "Content-Type: text/html\r\n", page).fault,
                     DYNAMODB_FAULT_SERVER);
    struct service_reply response =
        judge(service, 403, "",
              "<?xml version=\"1.0\"?><ErrorResponse><Error><Code>SignatureDoesNotMatch</Code>"
              "<Message>no</Message></Error></ErrorResponse>");
    assert_int_equal(response.fault, DYNAMODB_FAULT_REFUSED);
    assert_int_equal(response.error.code, ERROR_CREDENTIALS);
    dynamodb_service_destroy(service);
}

/* Credentials that take their time: what is left of the lease then is what counts. */
static void the_lease_must_outlast_what_is_sent(void **state)
{
    struct error error = {0};
    char path[] = "/tmp/transhume-lease-XXXXXX";
    static const char config[] = "[profile slow]\n"
                                 "credential_process = /bin/sh -c 'sleep 0.5; echo "
                                 "{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"AKIDSLOW\\\","
                                 "\\\"SecretAccessKey\\\":\\\"secret of nobody\\\"}'\n";
    (void)state;
    int descriptor = mkstemp(path);
    assert_int_equal(write(descriptor, config, sizeof config - 1), sizeof config - 1);
    close(descriptor);
    setenv("AWS_CONFIG_FILE", path, 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent", 1);
    const struct dynamodb_service_options options = {.mode = OPEN_TARGET,
                                                     .region = "eu-west-1",
                                                     .endpoint = "http://127.0.0.1:1",
                                                     .profile = "slow",
                                                     .timeout_ms = 2000,
                                                     .patience_ms = 1000};
    struct dynamodb_service *service = NULL;
    struct dynamodb_client *client = NULL;
    assert_int_equal(dynamodb_service_create(&options, &service, &error), STATUS_OK);
    assert_int_equal(dynamodb_client_create(service, 1, &client, &error), STATUS_OK);
    struct database target = {.lease_ms = 2400};
    const struct dynamodb_request request = {
        .operation = "PutItem", .body = "{}", .body_length = 2, .lease = &target};
    lease_extend(&target, lease_clock_ms());
    assert_int_equal(dynamodb_client_submit(client, &request, &error), STATUS_FAILED);
    if (error.code != ERROR_LEASE_SHORT) {
        fail_msg("%s: %s", error.object, error.message);
    }
    target.lease_ms = 60000; /* the credentials are there by now */
    lease_extend(&target, lease_clock_ms());
    assert_int_equal(dynamodb_client_submit(client, &request, &error), STATUS_OK);
    dynamodb_client_destroy(client);
    dynamodb_service_destroy(service);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_mean_what_they_mean),
        cmocka_unit_test(a_source_speaks_of_the_source),
        cmocka_unit_test(checksums_are_checked),
        cmocka_unit_test(what_is_no_dynamodb_is_named),
        cmocka_unit_test(the_lease_must_outlast_what_is_sent),
    };
    return cmocka_run_group_tests_name("dynamodb_faults", tests, NULL, NULL);
}
