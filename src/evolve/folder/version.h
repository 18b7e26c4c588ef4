/* Versions of migrations, and how they are ordered. */
#ifndef TRANSHUME_EVOLVE_FOLDER_VERSION_H
#define TRANSHUME_EVOLVE_FOLDER_VERSION_H

#include "base/arena.h"
#include <stdbool.h>

/* The length of the version that a name begins with: digits, or several of them with dots between;
 * 0: it begins with none. */
size_t migration_version_length(const char *name);

/*
 * A text by whose bytes versions are ordered as people order them: "2" before "10", "1.2" before
 * "1.10", "1" and "001" the same. A version that is no number has a key as well, by which it is
 * found but not ordered.
 */
const char *migration_version_key(const char *version, struct arena *arena);
/* Is the key one that orders? */
bool migration_version_is_number(const char *key);

#endif
