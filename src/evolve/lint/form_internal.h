/* Declarations that the forms of findings share. */
#ifndef TRANSHUME_EVOLVE_LINT_FORM_INTERNAL_H
#define TRANSHUME_EVOLVE_LINT_FORM_INTERNAL_H

#include "evolve/lint/lint.h"

/* "warning" */
const char *lint_level_name(enum lint_level level);
/* "key": "text", or null */
void lint_append_member(struct buffer *out, const char *key, const char *text);
void lint_write_sarif(const struct lint_report *report, struct buffer *out);

#endif
