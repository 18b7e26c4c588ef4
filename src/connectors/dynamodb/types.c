/* The types of DynamoDB, over the network and in files. */
#include "connectors/dynamodb/types.h"

const struct type_mapping dynamodb_types[DYNAMODB_TYPE_COUNT] = {
    {"S", VALUE_TEXT, "text", "text", "exact"},
    {"S", VALUE_DATE, NULL, "ISO 8601 text", "widened"},
    {"S", VALUE_TIME, NULL, "ISO 8601 text", "widened"},
    {"S", VALUE_TIMESTAMP, NULL, "ISO 8601 text", "widened"},
    {"S", VALUE_INTERVAL, NULL, "ISO 8601 duration", "widened"},
    {"S", VALUE_UUID, NULL, "36 characters, lower case", "widened"},
    {"S", VALUE_JSON, NULL, "the JSON text as it stands", "widened"},
    {"N", VALUE_INT64, "whole numbers that fit", "exact digits", "exact"},
    {"N", VALUE_UINT64, NULL, "exact digits; above int64 it comes back as decimal", "widened"},
    {"N", VALUE_DECIMAL, "all other numbers", "exact digits without trailing zeros (0.10 is 0.1)",
     "widened; above 38 digits or outside 1E-130..9.9E+125 the record is rejected"},
    {"N", VALUE_FLOAT32, NULL, "shortest digits that are the same float",
     "widened; -0.0 becomes 0; NaN and infinities are rejected"},
    {"N", VALUE_FLOAT64, NULL, "shortest digits that are the same float",
     "widened; -0.0 becomes 0; NaN and infinities are rejected"},
    {"B", VALUE_BYTES, "base64", "base64", "exact"},
    {"BOOL", VALUE_BOOL, "true or false", "true or false", "exact"},
    {"NULL", VALUE_NULL, "null", "{\"NULL\":true}", "exact"},
    {"L", VALUE_LIST, "list", "list", "exact"},
    {"M", VALUE_MAP, "map with text keys", "map; keys that are no text are rejected", "exact"},
    {"SS, NS, BS", VALUE_SET, "set", "set of texts, numbers or bytes",
     "exact; empty, mixed and repeating sets are rejected"},
};
