/* A statement of the workload in a line, for people and for telling whether two are one. */
#ifndef TRANSHUME_DESIGN_INPUT_FORM_H
#define TRANSHUME_DESIGN_INPUT_FORM_H

#include "base/buffer.h"
#include "design/workload/statement.h"

/*
 * "SELECT o.id FROM orders o, customer c JOIN o.customer_id>c WHERE c.id = ORDER o.date desc
 * LIMIT 10": joins name the fields that refer to the other alias. `counts`: with the numbers that
 * merging equal statements averages, the values of IN and the limit.
 */
void input_form_append(struct buffer *out, const struct graph *graph,
                       const struct workload_statement *statement, bool counts);

#endif
