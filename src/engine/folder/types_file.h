/* types.json: what the run's mapping makes of each column, for people and scripts. */
#ifndef TRANSHUME_ENGINE_FOLDER_TYPES_FILE_H
#define TRANSHUME_ENGINE_FOLDER_TYPES_FILE_H

#include "engine/session/session.h"

/*
 * {"format":1,"version":1,"hash":HEX,
 *  "entities":[{"entity":NAME,"table":NAME,
 *               "columns":[{"name":NAME,"from":TEXT|null,"type":"decimal(14,2)","why":TEXT}…]}…]}
 * "from" is the source column's type in its database's words; "why" is there where the type was
 * learnt from values, or is the custom. Documents have no columns.
 */

/* Writes it, whole or not at all; a failure is a warning, since it is only an export. Control
 * thread. */
void types_file_write(const struct run *run);
/* Adds it to the JSON text of a state, as the member "mapping"; without the file, or where it is
 * damaged, the text stays. */
void types_file_add(const char *state_folder, struct buffer *state);

#endif
