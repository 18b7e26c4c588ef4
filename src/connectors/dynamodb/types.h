/* The types of DynamoDB: one table for both connectors. */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_TYPES_H
#define TRANSHUME_CONNECTORS_DYNAMODB_TYPES_H

#include "connectors/connector.h"

enum { DYNAMODB_TYPE_COUNT = 18 };
extern const struct type_mapping dynamodb_types[DYNAMODB_TYPE_COUNT];

#endif
