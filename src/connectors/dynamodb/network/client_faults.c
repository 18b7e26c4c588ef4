/* The meaning of an answer of DynamoDB: its checksum, its error type, what may be done about it. */
#include "connectors/dynamodb/network/client_internal.h"

#include "base/text.h"
#include "model/json_tree.h"
#include <string.h>
#include <zlib.h>

enum { NAME_MAX_BYTES = 96, MESSAGE_MAX_BYTES = 480 };

/* The error's name without what stands before '#', and its message. */
struct answer {
    char name[NAME_MAX_BYTES];
    char message[MESSAGE_MAX_BYTES];
};

/* ---------------------------------------------------------------- reading an error */

static void read_json_error(const struct buffer *body, struct answer *answer)
{
    json_error_t ignored;
    json_t *root = json_tree_load(body->data, body->length, JSON_ALLOW_NUL, &ignored);
    const char *type = json_string_value(json_object_get(root, "__type"));
    const char *message = json_string_value(json_object_get(root, "message"));
    if (message == NULL) {
        message = json_string_value(json_object_get(root, "Message"));
    }
    if (type != NULL) {
        const char *mark = strrchr(type, '#');
        text_printable(mark != NULL ? mark + 1 : type, strlen(mark != NULL ? mark + 1 : type),
                       answer->name, sizeof(answer->name));
    }
    if (message != NULL) {
        text_printable(message, strlen(message), answer->message, sizeof(answer->message));
    }
    json_decref(root);
}

/* <Error><Code>…</Code><Message>…</Message>: how some gateways refuse a signature. */
static void read_xml_part(const char *body, const char *open, char *out, size_t capacity)
{
    const char *start = strstr(body, open);
    if (start != NULL) {
        start += strlen(open);
        text_printable(start, strcspn(start, "<"), out, capacity);
    }
}

static void read_error(struct buffer *body, struct answer *answer)
{
    *answer = (struct answer){0};
    const char *text = buffer_string(body);
    size_t blank = strspn(text, " \t\r\n");
    if (text[blank] == '{') {
        read_json_error(body, answer);
    } else if (text[blank] == '<' && strstr(text, "<Code>") != NULL) {
        read_xml_part(text, "<Code>", answer->name, sizeof(answer->name));
        read_xml_part(text, "<Message>", answer->message, sizeof(answer->message));
    }
}

/* ---------------------------------------------------------------- names and what they mean */

static const struct {
    const char *name;
    enum dynamodb_fault fault;
} names[] = {
    {"ProvisionedThroughputExceededException", DYNAMODB_FAULT_THROTTLED},
    {"ThrottlingException", DYNAMODB_FAULT_THROTTLED},
    {"Throttling", DYNAMODB_FAULT_THROTTLED},
    {"RequestLimitExceeded", DYNAMODB_FAULT_THROTTLED},
    {"InternalServerError", DYNAMODB_FAULT_SERVER},
    {"InternalServerErrorException", DYNAMODB_FAULT_SERVER},
    {"InternalFailure", DYNAMODB_FAULT_SERVER},
    {"ServiceUnavailable", DYNAMODB_FAULT_SERVER},
    {"ServiceUnavailableException", DYNAMODB_FAULT_SERVER},
    {"ItemCollectionSizeLimitExceededException", DYNAMODB_FAULT_INVALID},
    {"ExpiredTokenException", DYNAMODB_FAULT_CREDENTIALS},
    {"ExpiredToken", DYNAMODB_FAULT_CREDENTIALS},
    {"RequestExpired", DYNAMODB_FAULT_REFUSED},
    {"RequestTimeTooSkewed", DYNAMODB_FAULT_REFUSED},
    {"AccessDeniedException", DYNAMODB_FAULT_REFUSED},
    {"AccessDenied", DYNAMODB_FAULT_REFUSED},
    {"OptInRequired", DYNAMODB_FAULT_REFUSED},
    {"KMSAccessDeniedException", DYNAMODB_FAULT_REFUSED},
    {"UnrecognizedClientException", DYNAMODB_FAULT_REFUSED},
    {"InvalidClientTokenId", DYNAMODB_FAULT_REFUSED},
    {"InvalidSignatureException", DYNAMODB_FAULT_REFUSED},
    {"SignatureDoesNotMatch", DYNAMODB_FAULT_REFUSED},
    {"IncompleteSignatureException", DYNAMODB_FAULT_REFUSED},
    {"IncompleteSignature", DYNAMODB_FAULT_REFUSED},
    {"MissingAuthenticationTokenException", DYNAMODB_FAULT_REFUSED},
    {"MissingAuthenticationToken", DYNAMODB_FAULT_REFUSED},
    {"ConditionalCheckFailedException", DYNAMODB_FAULT_CONDITION},
    {"TransactionConflictException", DYNAMODB_FAULT_SERVER},
    {"ResourceNotFoundException", DYNAMODB_FAULT_MISSING},
    {"TableNotFoundException", DYNAMODB_FAULT_MISSING},
    {"ResourceInUseException", DYNAMODB_FAULT_IN_USE},
    {"TableInUseException", DYNAMODB_FAULT_IN_USE},
    {"LimitExceededException", DYNAMODB_FAULT_LIMIT},
    {"UnknownOperationException", DYNAMODB_FAULT_UNKNOWN},
    {"ValidationException", DYNAMODB_FAULT_INVALID},
    {"SerializationException", DYNAMODB_FAULT_INVALID},
};

static enum dynamodb_fault fault_of(uint32_t status, const struct answer *answer)
{
    for (size_t at = 0; at < sizeof(names) / sizeof(*names); at++) {
        if (strcmp(answer->name, names[at].name) == 0) {
            return names[at].fault;
        }
    }
    if (status == 413) {
        return DYNAMODB_FAULT_TOO_LARGE;
    }
    if (status == 429) {
        return DYNAMODB_FAULT_THROTTLED;
    }
    if (status == 408 || status >= 500) {
        return DYNAMODB_FAULT_SERVER;
    }
    return answer->name[0] != '\0' ? DYNAMODB_FAULT_INVALID : DYNAMODB_FAULT_NOT_DYNAMODB;
}

static enum error_code code_of(enum dynamodb_fault fault, bool source, const struct answer *answer)
{
    enum error_code data = source ? ERROR_SOURCE_READ : ERROR_TARGET_WRITE;
    switch (fault) {
    case DYNAMODB_FAULT_THROTTLED:
        return source ? ERROR_SOURCE_THROTTLED : ERROR_TARGET_THROTTLED;
    case DYNAMODB_FAULT_CREDENTIALS:
        return ERROR_CREDENTIALS;
    case DYNAMODB_FAULT_REFUSED:
        return strncmp(answer->name, "AccessDenied", 12) == 0 ||
                       strncmp(answer->name, "KMS", 3) == 0 ||
                       strcmp(answer->name, "OptInRequired") == 0
                   ? ERROR_PERMISSION
                   : ERROR_CREDENTIALS;
    case DYNAMODB_FAULT_MISSING:
        return source ? ERROR_SOURCE_MISSING : ERROR_TARGET_MISSING;
    case DYNAMODB_FAULT_IN_USE:
    case DYNAMODB_FAULT_LIMIT:
        return source ? ERROR_SOURCE_LOCKED : ERROR_TARGET_LOCKED;
    default:
        return data;
    }
}

static enum error_class class_of(enum dynamodb_fault fault)
{
    switch (fault) {
    case DYNAMODB_FAULT_THROTTLED:
    case DYNAMODB_FAULT_SERVER:
    case DYNAMODB_FAULT_NETWORK:
    case DYNAMODB_FAULT_CREDENTIALS:
    case DYNAMODB_FAULT_IN_USE:
    case DYNAMODB_FAULT_LIMIT:
        return ERROR_CLASS_RETRY;
    default:
        return ERROR_CLASS_STOP;
    }
}

static enum service_verdict verdict_of(enum dynamodb_fault fault)
{
    switch (fault) {
    case DYNAMODB_FAULT_NONE:
        return SERVICE_DONE;
    case DYNAMODB_FAULT_THROTTLED:
        return SERVICE_THROTTLE;
    case DYNAMODB_FAULT_SERVER:
    case DYNAMODB_FAULT_NETWORK:
    case DYNAMODB_FAULT_CREDENTIALS:
        return SERVICE_RETRY;
    case DYNAMODB_FAULT_REFUSED:
    case DYNAMODB_FAULT_NOT_DYNAMODB:
        return SERVICE_STOP;
    default:
        return SERVICE_REJECT;
    }
}

static bool is_of_clock(const struct answer *answer)
{
    return strcmp(answer->name, "RequestTimeTooSkewed") == 0 ||
           strstr(answer->message, "Signature expired") != NULL ||
           strstr(answer->message, "Signature not yet current") != NULL;
}

static void set_hint(struct service_reply *reply, const struct answer *answer, bool source)
{
    struct error *error = &reply->error;
    if (error->code == ERROR_PERMISSION) {
        error_hint(error, "docs/dynamodb.md lists the permissions that are needed");
    } else if (strstr(answer->name, "ExpiredToken") != NULL) {
        error_hint(error, "get new temporary credentials, then `transhume resume`");
    } else if (is_of_clock(answer)) {
        error_hint(error, "the service finds that the request's time is wrong: set this machine's "
                          "clock right (timedatectl set-ntp true)");
    } else if (error->code == ERROR_CREDENTIALS) {
        error_hint(error, "check the key pair, the profile and that the region is theirs");
    } else if (reply->fault == DYNAMODB_FAULT_MISSING) {
        error_hint(error, "the table is gone, or in another region or account: look there with "
                          "`aws dynamodb describe-table`");
    } else if (reply->fault == DYNAMODB_FAULT_THROTTLED) {
        error_hint(error, source
                              ? "raise the table's capacity, or read more slowly (read_units)"
                              : "raise the table's capacity, or write more slowly (write_units)");
    }
}

/* ---------------------------------------------------------------- judging */

static const char *object_of(const struct dynamodb_service *service,
                             const struct service_request *request)
{
    return request->object != NULL ? request->object : service->endpoint.url;
}

static void set_class(const struct http_response *from, struct service_reply *reply)
{
    reply->error.class = class_of((enum dynamodb_fault)reply->fault);
    reply->error.native_code = from->status;
}

static bool crc_is_wrong(const struct http_response *from)
{
    const char *value = NULL;
    size_t length = 0;
    uint64_t told = 0;
    if (!http_response_header(from, "x-amz-crc32", &value, &length) ||
        text_to_uint64(value, length, &told) != STATUS_OK) {
        return false;
    }
    return told != crc32_z(0, (const uint8_t *)from->body.data, from->body.length);
}

static void client_faults_refuse(struct dynamodb_service *service,
                                 const struct service_request *request, uint64_t generation,
                                 const struct http_response *from, const struct answer *answer,
                                 struct service_reply *reply)
{
    const char *object = object_of(service, request);
    bool source = service->options.mode == OPEN_SOURCE;
    enum error_code code = code_of((enum dynamodb_fault)reply->fault, source, answer);
    if (reply->fault == DYNAMODB_FAULT_REFUSED && code == ERROR_CREDENTIALS) {
        if (aws_clock_learn(&service->clock, from)) {
            reply->fault = DYNAMODB_FAULT_CREDENTIALS; /* with a new signature it may pass */
        } else if (aws_clock_check(from, object, &reply->error) != STATUS_OK) {
            return;
        }
    }
    if (strstr(answer->name, "ExpiredToken") != NULL &&
        !aws_credentials_expired(service->chain, generation)) {
        reply->fault = DYNAMODB_FAULT_REFUSED;
    }
    error_set(&reply->error, code, object, "%s answers %s%s%s", request->operation,
              answer->name[0] != '\0' ? answer->name : "with an error",
              answer->message[0] != '\0' ? ": " : "", answer->message);
    set_class(from, reply);
    set_hint(reply, answer, source);
}

/* A proxy's page rather than an error of the service's, which has words: it may pass, or not. */
static bool is_page(const struct service_reply *reply, const struct answer *answer)
{
    return reply->fault == DYNAMODB_FAULT_NOT_DYNAMODB ||
           (reply->fault == DYNAMODB_FAULT_SERVER && answer->name[0] == '\0' &&
            answer->message[0] == '\0');
}

static void judge_error(struct dynamodb_service *service, const struct service_request *request,
                        uint64_t generation, struct http_response *from,
                        struct service_reply *reply)
{
    struct answer answer;
    read_error(&from->body, &answer);
    reply->fault =
        from->status < 400 ? DYNAMODB_FAULT_NOT_DYNAMODB : fault_of(from->status, &answer);
    reply->unknown_outcome = reply->fault == DYNAMODB_FAULT_SERVER || from->status < 400;
    if (is_page(reply, &answer)) {
        http_response_unexpected(from, object_of(service, request), &reply->error);
        set_class(from, reply);
    } else {
        client_faults_refuse(service, request, generation, from, &answer, reply);
    }
    reply->verdict = verdict_of((enum dynamodb_fault)reply->fault);
}

void dynamodb_client_judge(struct dynamodb_service *service, const struct service_request *request,
                           uint64_t generation, struct http_response *from,
                           struct service_reply *reply)
{
    if (service_judge_no_answer(from, reply)) {
        reply->fault =
            reply->verdict == SERVICE_RETRY ? DYNAMODB_FAULT_NETWORK : DYNAMODB_FAULT_REFUSED;
        return;
    }
    if (crc_is_wrong(from)) {
        reply->fault = DYNAMODB_FAULT_NETWORK;
        reply->verdict = SERVICE_RETRY;
        reply->unknown_outcome = true;
        error_set(&reply->error, ERROR_NETWORK_ANSWER, object_of(service, request),
                  "%s: the answer's checksum is wrong: it was changed on its way",
                  request->operation);
        return;
    }
    if (from->status != 200 || from->body.length < 2 || from->body.data[0] != '{') {
        judge_error(service, request, generation, from, reply);
    }
    service_take_body(reply, from);
}
