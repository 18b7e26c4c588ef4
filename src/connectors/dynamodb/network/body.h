/* Bodies of control requests and their answers; the data path has its own writer (item.h). */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_BODY_H
#define TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_BODY_H

#include "base/buffer.h"
#include "connectors/dynamodb/network/client.h"
#include "model/json_tree.h"
#include <jansson.h>

/* `"name":"text"` with a comma before it unless the object or list has just begun. */
void dynamodb_body_text(struct buffer *body, const char *name, const char *text);
/* The same without a name: an element of a list. */
void dynamodb_body_element(struct buffer *body, const char *text);
/* `"name":` with a comma before it unless the object has just begun. */
void dynamodb_body_name(struct buffer *body, const char *name);
/* `"name":{"N":"7"}` */
void dynamodb_body_n(struct buffer *body, const char *name, uint64_t number);
/* A literal piece: `{`, `}`, `]`. */
void dynamodb_body_raw(struct buffer *body, const char *text);

/* The body parsed; NULL, with an error, if it is no JSON object. */
json_t *dynamodb_reply_parse(const struct service_reply *response, const char *object,
                             struct error *error);
/* Attributes of an item; NULL or false: absent or of another type. */
const char *dynamodb_reply_s(const json_t *item, const char *name);
bool dynamodb_reply_n(const json_t *item, const char *name, uint64_t *number);
/* A whole number of a plain JSON member, 0 if there is none. */
uint64_t dynamodb_reply_number(const json_t *object, const char *name);
/* All CapacityUnits of an answer, or a part of one, that holds no record's data. */
double dynamodb_units_told(const char *text);

#endif
