/* Control requests as JSON, put together by hand; answers by jansson. */
#include "connectors/dynamodb/network/body.h"

#include "base/text.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void dynamodb_body_raw(struct buffer *body, const char *text)
{
    buffer_append(body, text, strlen(text));
}

static void separate(struct buffer *body)
{
    char last = body->length > 0 ? body->data[body->length - 1] : '{';
    if (last != '{' && last != '[') {
        buffer_append_byte(body, ',');
    }
}

void dynamodb_body_name(struct buffer *body, const char *name)
{
    separate(body);
    json_append_string(body, name, strlen(name));
    buffer_append_byte(body, ':');
}

void dynamodb_body_text(struct buffer *body, const char *name, const char *text)
{
    dynamodb_body_name(body, name);
    json_append_string(body, text, strlen(text));
}

void dynamodb_body_element(struct buffer *body, const char *text)
{
    separate(body);
    json_append_string(body, text, strlen(text));
}

void dynamodb_body_n(struct buffer *body, const char *name, uint64_t number)
{
    dynamodb_body_name(body, name);
    buffer_format(body, "{\"N\":\"%" PRIu64 "\"}", number);
}

json_t *dynamodb_reply_parse(const struct service_reply *response, const char *object,
                             struct error *error)
{
    json_t *root = NULL;
    struct error reason = {.message = "another value"};
    if (json_tree_parse(response->body.data, response->body.length, JSON_ALLOW_NUL, object,
                        ERROR_NETWORK_ANSWER, &root, &reason) != STATUS_OK ||
        !json_is_object(root)) {
        json_decref(root);
        error_set(error, ERROR_NETWORK_ANSWER, object, "DynamoDB's answer is no JSON object: %s",
                  reason.message);
        return NULL;
    }
    return root;
}

const char *dynamodb_reply_s(const json_t *item, const char *name)
{
    return json_string_value(json_object_get(json_object_get(item, name), "S"));
}

bool dynamodb_reply_n(const json_t *item, const char *name, uint64_t *number)
{
    const char *text = json_string_value(json_object_get(json_object_get(item, name), "N"));
    return text != NULL && text_to_uint64(text, strlen(text), number) == STATUS_OK;
}

uint64_t dynamodb_reply_number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (json_is_integer(value)) {
        return json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
    }
    double real = json_number_value(value);
    return real > 0 && real < 9e18 ? (uint64_t)real : 0;
}

double dynamodb_units_told(const char *text)
{
    static const char mark[] = "\"CapacityUnits\":";
    static const double units_max = 1000000; /* that one request can take, and far above it */
    double units = 0;
    const char *place = text;
    while ((place = strstr(place, mark)) != NULL) {
        place += sizeof(mark) - 1;
        double told = strtod(place, NULL);
        units += told >= 0 && told <= units_max ? told : 0;
    }
    return units;
}
