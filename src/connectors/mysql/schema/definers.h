/* As whom that runs which a copy makes: its definer, who need not be who copies. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_SCHEMA_DEFINERS_H
#define TRANSHUME_CONNECTORS_MYSQL_SCHEMA_DEFINERS_H

#include "connectors/contract/rights_left.h"
#include "connectors/mysql/target.h"

/*
 * Lists the definers of what the run made, or, if nothing is `made` yet, of what it will make:
 * those that are not the account, and those that the server gave to the account in place of the
 * source's; before them the accounts among them that the server lacks, as far as the account may
 * know.
 */
enum status mysql_definers_list(struct mysql_database *self, const struct schema *objects,
                                bool made, struct rights_left *left, struct error *error) MUST_USE;
/* sql_target_functions.rights_left */
enum status mysql_tell_rights(struct database *self, const struct schema *objects,
                              struct rights_left *left, struct error *error);

/* ---------------------------------------------------------------- definer_accounts.c */

/* The server's accounts; NULL: the account may not see them. */
enum status mysql_accounts_read(struct mysql_database *self, MYSQL *connection,
                                MYSQL_RES **accounts, struct error *error) MUST_USE;
/* Lists the definer ("app@%"; without "@" a role), once, unless it is one of the accounts. */
void mysql_account_list_lacking(const struct mysql_database *self, MYSQL_RES *accounts,
                                const char *definer, struct rights_left *left);

/* ---------------------------------------------------------------- definer_again.c */

/* An object that is made again, as of another definer than the server gave it. */
struct mysql_again {
    const struct schema_object *object;
    const char *definer;
    bool has_body;            /* a package that has one, which goes with it */
    const char *body_definer; /* NULL: as it is */
};

/* The statements, for an administrator's client, that drop it and make it, and leave the session as
 * it was. `*sql` stays empty if the server does not tell its words, or a client would take them for
 * something else. */
enum status mysql_make_again(struct mysql_database *self, MYSQL *connection,
                             const struct mysql_again *again, struct arena *arena,
                             struct buffer *sql, struct error *error) MUST_USE;

#endif
