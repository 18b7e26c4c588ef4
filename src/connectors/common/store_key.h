/* Keys of a store (connectors/contract/store.h): names in them, which may be any text, and
 * partitions. */
#ifndef TRANSHUME_CONNECTORS_COMMON_STORE_KEY_H
#define TRANSHUME_CONNECTORS_COMMON_STORE_KEY_H

#include "connectors/contract/store.h"

/* PREFIX and the name, with %XX for what a key may not hold; of a long name its beginning and its
 * hash. */
void store_name_key(char key[STORE_KEY_BYTES], const char *prefix, const char *name);

/* "run/RUN/note/KIND/NAME": what a target notes for itself of a run, which goes with the run. With
 * the name "" it is the prefix of all notes of the kind. */
void store_note_key(char key[STORE_KEY_BYTES], const char *run_id, const char *kind,
                    const char *name);

/* How much of a key names the partition that a store keeps it in: "run/ID" of what belongs to a
 * run, else what is before the first '/'. */
size_t store_key_place_length(const char *key);

#endif
