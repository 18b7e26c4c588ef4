/* Templates read backwards: from the text that one made to the values in it. */
#ifndef TRANSHUME_PLAN_WORDS_TEMPLATE_READ_H
#define TRANSHUME_PLAN_WORDS_TEMPLATE_READ_H

#include "plan/mapping.h"

enum { TEMPLATE_READ_VALUES_MAX = 32 };

enum template_fit {
    TEMPLATE_FITS,
    TEMPLATE_DIFFERS,  /* the template makes no such text */
    TEMPLATE_AMBIGUOUS /* it makes it of several sets of values: a literal stands in a value */
};

/* The text of one value, in the text that was read; padding zeros taken off. `minus`: a sign stands
 * before it, which the zeros parted from its digits. */
struct template_slice {
    const char *text;
    uint32_t length;
    bool minus;
};

/*
 * Values hold any text, empty ones included; those with a pad whole or decimal numbers, padded just
 * as the template pads them; one name is one value wherever it stands. `slices` (NULL: only the
 * answer is wanted) has room for TEMPLATE_READ_VALUES_MAX and is filled if the answer is
 * TEMPLATE_FITS.
 */
enum template_fit template_read(const struct plan_template *template, const char *text,
                                size_t length, struct template_slice *slices);

/* How many values it has; and whether two of them stand side by side, so that nobody could tell
 * where one ends: `*second` is the latter. */
uint32_t template_value_count(const struct plan_template *template);
bool template_is_readable(const struct plan_template *template, uint32_t *second);

/* Can one text fit both? Exact where no value has a pad; else true if in doubt. */
bool template_overlaps(const struct plan_template *left, const struct plan_template *right);
/* The same literals and pads, and names repeated at the same places: they fit the same texts. */
bool template_is_alike(const struct plan_template *left, const struct plan_template *right);

/* "ORDER#{InvoiceDate}#{InvoiceId}", as a plan has it: for messages and the plan's canonical text.
 */
struct buffer;
void template_print(const struct plan_template *template, struct buffer *out);

#endif
