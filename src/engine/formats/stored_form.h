/*
 * How the columns of a target's table keep the values that are written to them. A table that a run
 * makes has columns for the values that come; one that was there may make a time of a text, or a
 * text of a number, and what is read back is not what was sent. Hash sums are of what is kept.
 */
#ifndef TRANSHUME_ENGINE_FORMATS_STORED_FORM_H
#define TRANSHUME_ENGINE_FORMATS_STORED_FORM_H

#include "connectors/contract/connector.h"

/* The stored form of the records of one shape. */
struct stored_form {
    /* a number a field, as column_functions.value_class gives it; STORED_AS_SENT: no such column.
     * NULL: all as target_functions.normal_form says */
    const uint32_t *classes;
};
enum { STORED_AS_SENT = UINT32_MAX };

/* The class that a table as the target describes it (NULL: not there, or no table) gives the field
 * of that name; STORED_AS_SENT: none. `guess`: where its column may be, of tens of thousands. */
uint32_t stored_form_class(struct database *target, const struct schema_table *table,
                           const char *name, uint32_t guess);
/* The stored form by a table as the target describes it (NULL: not there, or no table), in the
 * arena; borrows nothing of it. */
void stored_form_make(struct database *target, const struct schema_table *table,
                      const struct shape *shape, struct arena *arena, struct stored_form *form);
/* The normal form of the shape's field number `field` (target_functions.normal_form). Fails as the
 * target does at what it can't keep. */
enum status stored_form_normal(const struct stored_form *form, struct database *target,
                               uint32_t field, const struct cell *cell, struct arena *arena,
                               struct cell *normal, struct error *error) MUST_USE;
/* Does the field's column have a say in it? */
bool stored_form_converts(const struct stored_form *form, uint32_t field);

#endif
