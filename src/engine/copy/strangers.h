/*
 * With `existing: skip`, a record whose key is there is left out. Where the record there holds
 * other values it is a stranger: what refers to the one that was left out must not be hung on it.
 * So before the copy each table that skips, and held records, is read through and compared with the
 * target. What refers to a stranger's key, directly or by way of others that are rejected, is a
 * reject. The keys are hashes in an SQLite file of the state folder's, so memory is bounded; a
 * resume makes the file again. A run that loads rejects compares nothing: each reject says which of
 * its parents differ.
 */
#ifndef TRANSHUME_ENGINE_STRANGERS_H
#define TRANSHUME_ENGINE_STRANGERS_H

#include "engine/session/session.h"

struct strangers;
struct stranger_search; /* a connection to the file; one thread */

/* Sets run->strangers (NULL: there are none to look out for) and says how many there are. Control
 * thread, once the source is prepared and run->forms are known. */
enum status strangers_find(struct run *run, struct error *error) MUST_USE;
void strangers_free(struct strangers *strangers);
/* May records of the entity refer to one? */
bool strangers_concern(const struct strangers *strangers, uint32_t entity);

enum status stranger_search_open(struct strangers *strangers, struct stranger_search **search,
                                 struct error *error) MUST_USE;
void stranger_search_close(struct stranger_search *search);
struct stranger_match {
    const char *reason;  /* the rest of a sentence that begins with the record */
    const char *parents; /* the members of a reject's "parents_differ" (rejects.h); NULL: none */
};
/* NULL: it refers to none. Lasts until the next call. */
enum status stranger_search_row(struct stranger_search *search, const struct batch *batch,
                                uint32_t row, const struct stranger_match **match,
                                struct error *error) MUST_USE;

#endif
