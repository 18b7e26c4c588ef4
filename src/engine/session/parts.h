/* The parts that a run moves: tables, records, or both. */
#ifndef TRANSHUME_ENGINE_SESSION_PARTS_H
#define TRANSHUME_ENGINE_SESSION_PARTS_H

#include "engine/session/session.h"

/* As the header has it: "schema", "data"; NULL: both. */
const char *run_parts_name(enum parts_choice parts);
enum parts_choice run_parts_read(const char *name);
/* Does it move these parts alone, as its header says? */
bool run_moves(const struct run *run, enum parts_choice parts);
/* Views, triggers and so on that it makes; NULL: none. */
const struct schema *run_objects(const struct run *run);
/* With --data-only prepare must find nothing to make, also of a run that is continued. */
enum status run_require_tables(struct run *run, struct error *error) MUST_USE;

#endif
