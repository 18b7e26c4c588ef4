/* The designer's least input: a JSON list of "table.column" texts. */
#ifndef TRANSHUME_DESIGN_INPUT_NAMES_H
#define TRANSHUME_DESIGN_INPUT_NAMES_H

#include "base/error.h"
#include "base/findings.h"
#include "model/schema.h"

struct input_names_report {
    uint64_t names;           /* in the list */
    uint64_t duplicates;      /* that were there before */
    struct findings findings; /* entries that are no "table.column", and duplicates */
};

/*
 * Makes tables and columns of the list, in `arena`: tables by name, columns in their order. A name
 * is cut at its last dot. No keys are known; a column's type is a guess by the words of its name
 * (its `native` is NULL). Entries that name no column are reported and left out.
 * STATUS_FAILED: the text is no JSON list, or no entry of it names a column; `file` is its name for
 * messages, which say line and column.
 */
enum status input_names_read(const char *text, size_t length, const char *file, struct arena *arena,
                             struct schema *schema, struct input_names_report *report,
                             struct error *error) MUST_USE;

/* The guess: "created_at" is a timestamp, "isActive" a truth value, "unit_price" a decimal. */
struct value_type input_type_by_name(const char *column);

#endif
