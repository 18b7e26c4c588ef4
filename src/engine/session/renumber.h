/*
 * New keys for the records of a table (--renumber): each is the old one and a number that is the
 * table's for the whole run, so that the smallest new key comes after the largest that is there.
 * The number is in the ledger's header; without it nobody knows which record became which.
 */
#ifndef TRANSHUME_ENGINE_SESSION_RENUMBER_H
#define TRANSHUME_ENGINE_SESSION_RENUMBER_H

#include "engine/session/session.h"

/* Finds the numbers that are not known, within the snapshot. Control thread. */
enum status renumber_measure(struct run_session *session, struct error *error) MUST_USE;
/* The fate of the keys, a line a table. */
void renumber_tell(const struct run_session *session, struct buffer *out);
/* As the ledger's header has them: {TABLE: NUMBER}, NULL: none is. */
struct json_t *renumber_make(const struct plan *plan);
/* Takes them from there. ERROR_LEDGER_INVALID: one is not in it. */
enum status renumber_take(struct plan *plan, const struct ledger_header *header,
                          struct error *error) MUST_USE;
/* Refuses where some are not known: their ledger is gone. */
enum status renumber_check(const struct plan *plan, struct error *error) MUST_USE;

#endif
