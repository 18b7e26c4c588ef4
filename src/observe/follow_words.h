/* The state of a run that follows, as state.json has it, in words: for `status` and the report. */
#ifndef TRANSHUME_OBSERVE_FOLLOW_WORDS_H
#define TRANSHUME_OBSERVE_FOLLOW_WORDS_H

#include "base/buffer.h"
#include <jansson.h>

/* Printable, not escaped. */
typedef void follow_fact(void *context, const char *label, const char *text);
/* `follow`: the member of state.json; NULL: nothing is told. */
void follow_words_each(const json_t *follow, follow_fact *take, void *context);

/* The operations on one entity's rows: inserts, updates, deletes, truncates. */
enum { FOLLOW_OPERATIONS = 4 };
extern const char *const follow_operation_names[FOLLOW_OPERATIONS];
void follow_words_operations(const json_t *entity, uint64_t counts[FOLLOW_OPERATIONS]);

#endif
