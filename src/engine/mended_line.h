/* One line of a reject file, read back: whose record it is, and the record. */
#ifndef TRANSHUME_ENGINE_MENDED_LINE_H
#define TRANSHUME_ENGINE_MENDED_LINE_H

#include "model/batch.h"
#include "plan/plan.h"

struct mended_line {
    uint32_t entity; /* the plan's number for "entity" in "table" */
};
/* Checks that the line is one JSON object and finds the entity. */
enum status mended_line_scan(const struct plan *plan, const char *line, size_t length,
                             struct mended_line *mended, struct error *error) MUST_USE;
/*
 * Appends the line's record to the batch, whose cells are the entity's fields and then the line
 * number. Everything lives in the batch's arena. ERROR_REJECT_…: this record can't be made; its row
 * is not there.
 */
enum status mended_line_append(const char *line, size_t length, uint64_t line_number,
                               struct batch *batch, struct error *error) MUST_USE;

#endif
