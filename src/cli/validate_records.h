/* The differing records of a validation as a table for people. */
#ifndef TRANSHUME_CLI_VALIDATE_RECORDS_H
#define TRANSHUME_CLI_VALIDATE_RECORDS_H

#include "base/buffer.h"
#include <stdbool.h>
#include <stdint.h>

/*
 * `lines` are verify_result.records: one JSON object each. A row for each record, and one more for
 * each further field that differs. `columns`: of the terminal; 0: as wide as it takes.
 */
void validate_records_append(const char *lines, bool color, uint32_t columns, struct buffer *out);

#endif
