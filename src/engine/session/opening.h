/* Opening a database with a password that only a person knows. */
#ifndef TRANSHUME_ENGINE_SESSION_OPENING_H
#define TRANSHUME_ENGINE_SESSION_OPENING_H

#include "connectors/contract/connector.h"

/*
 * connector->open. Where the server wants a password that is neither in the URI, nor in the
 * environment, nor in a file of the engine's own, it is asked for once if there is a terminal, and
 * kept for whatever opens the same URI later. A URI that hides one was written by a run, which
 * keeps none: the error then says what to set. Control thread.
 */
enum status opening_open(const struct connector *connector, struct uri *uri,
                         const struct open_options *options, struct arena *arena,
                         struct database **database, struct error *error) MUST_USE;

/* catalog_functions.use_scope, where names are of other schemas besides its own, and it has any. */
enum status opening_use_schemas(struct database *database, struct column_list others,
                                bool leaves_own, struct error *error) MUST_USE;

#endif
