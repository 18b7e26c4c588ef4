/* The home of the ledger: the target itself or, with --ledger, another database. */
#ifndef TRANSHUME_ENGINE_SESSION_HOME_H
#define TRANSHUME_ENGINE_SESSION_HOME_H

#include "engine/session/session.h"

/* Can the connector's store be in the schema that options.ledger_schema names, if it names one?
 * `uri` is --ledger's, or NULL. Before the target is opened. */
enum status home_check_schema(const struct run_session *session, const struct connector *connector,
                              const char *uri, struct error *error) MUST_USE;
/*
 * Opens the ledger of the target, which is open. `uri` NULL: it lives in the target. A URI that
 * leads to the target means the same. The session owns what is opened; home_close_target frees it.
 */
enum status home_open(struct run_session *session, const char *uri, struct error *error) MUST_USE;
/* Closes the ledger, the target and the ledger's home. No claim is given back. */
void home_close_target(struct run_session *session);
/* ERROR_LEDGER_MISSING: an unfinished run that the state folder knows is not in the ledger. */
enum status home_refuse_missing(const struct run *run, const char *run_id, struct error *error);
/* Where the ledger lives: the target, or what --ledger names. */
struct database *home_database(const struct run_session *session);
/* The ledger lives outside the target. */
bool home_is_elsewhere(const struct run_session *session);
/* A chunk that was committed may be written again after a crash, since its mark is not part of the
 * transaction: so its records must replace themselves. */
bool home_repeats_chunks(const struct run_session *session);

#endif
