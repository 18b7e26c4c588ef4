/* The bytes of one file, unpacked: what lines are cut from. */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_INPUT_H
#define TRANSHUME_CONNECTORS_DYNAMODB_INPUT_H

#include "connectors/dynamodb/compression.h"

struct dynamodb_input;

enum status dynamodb_input_open(const char *path, uint64_t begin, enum error_code code,
                                struct dynamodb_input **input, struct error *error) MUST_USE;
void dynamodb_input_close(struct dynamodb_input *input); /* NULL is fine */
/* Between 1 and `capacity` bytes; STATUS_END at the end of a whole file. */
enum status dynamodb_input_read(struct dynamodb_input *input, void *bytes, size_t capacity,
                                size_t *length, struct error *error) MUST_USE;

#endif
