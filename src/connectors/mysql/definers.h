/* As whom that runs which a copy makes: its definer, who need not be who copies. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_DEFINERS_H
#define TRANSHUME_CONNECTORS_MYSQL_DEFINERS_H

#include "connectors/mysql/target.h"
#include "connectors/rights_left.h"

/* "root@localhost" of a statement that says whose it is; NULL: it says none, or runs as who calls.
 */
const char *mysql_definer_name(const char *statement, struct arena *arena);
/*
 * Lists the definers of what the run made, or, if nothing is `made` yet, of what it will make:
 * those that are not the account, and those that the server gave to the account in place of the
 * source's.
 */
enum status mysql_definers_list(struct mysql_database *self, const struct schema *objects,
                                bool made, struct rights_left *left, struct error *error) MUST_USE;
/* target_functions.tell_rights */
enum status mysql_tell_rights(struct database *self, const struct schema *objects,
                              struct rights_left *left, struct error *error);

#endif
