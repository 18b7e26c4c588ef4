/*
 * Rights of what a plain copy between two PostgreSQL makes.
 *
 * What a copy makes belongs to the account that makes it. So what reads or runs with its owner's
 * rights would do more than in the source wherever that account may more than the source's owner:
 *
 *   a SECURITY DEFINER function   is taken from everybody, and from those to whom the target's
 *                                 default privileges give it, in the transaction that makes it
 *   a view                        is made with security_invoker, where the server knows that
 *   a materialized view           is made without records
 *   a RESTRICTIVE policy          holds the roles that are there, and those that are members of one
 *                                 that is not
 *
 * With database.carries_rights they get their owners and grants after the load, and are opened
 * again once they have the right owner.
 */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_RIGHTS_H
#define TRANSHUME_CONNECTORS_POSTGRES_RIGHTS_H

#include "connectors/contract/rights_left.h"
#include "connectors/postgres/target.h"

/* From here on a view may read with the rights of who asks (security_invoker). */
enum { POSTGRES_INVOKER_VERSION = 150000 };

/* ---------------------------------------------------------------- rights.c */

/* The roles of the target, and what the account may. */
struct postgres_roles {
    PGresult *list;
    const char *account;
    bool is_superuser;
    bool bypasses; /* row security */
};

/* Asks once; what is read is freed by postgres_roles_free. */
enum status postgres_roles_read(struct postgres_database *self, PGconn *connection,
                                struct postgres_roles *roles, struct error *error) MUST_USE;
void postgres_roles_free(struct postgres_roles *roles);
bool postgres_has_role(const struct postgres_roles *roles, const char *name);
/* May the account make the role the owner of something, and still do with it what a run has to? */
bool postgres_may_give(const struct postgres_roles *roles, const char *name);
/* Would what runs or reads as its owner do more as the account than as the right's role? */
bool postgres_does_more(const struct postgres_roles *roles, const struct schema_right *right);
/* Rights may be anything as a source tells them: ERROR_TARGET_SCHEMA, if one is none. */
enum status postgres_rights_check(const struct schema_scope *scope, const struct schema *objects,
                                  struct error *error) MUST_USE;
/* The first right of that kind of the object; NULL: there is none. */
const struct schema_right *postgres_find_right(const struct schema *objects, const char *kind,
                                               const char *what, const char *name);

/* Among what an object is made. */
struct postgres_making {
    struct postgres_database *self;
    const struct schema *objects;
    struct postgres_roles roles;
};

/* Is the object what holds back a table's owner, too, where that would hold back the account, which
 * has yet to count and to follow? It is left to do. */
bool postgres_is_held_back(const struct postgres_roles *roles, const struct schema_object *object);
/* The statement by which the object is made here, in the target's words. STATUS_END: it is
 * left, since a policy's roles are not there, or it would hold the account back. */
enum status postgres_object_words(const struct postgres_making *making,
                                  const struct schema_object *object, struct buffer *sql) MUST_USE;
/* The statement that takes it from everybody, to be run along with that one; empty: it needs none.
 */
void postgres_closing_words(const struct postgres_making *making,
                            const struct schema_object *object, struct buffer *sql);

/* "ALTER TABLE t OWNER TO app" */
void postgres_append_owner_change(struct buffer *sql, const struct schema_right *right);
/* "GRANT SELECT ON TABLE t TO app", perhaps two of them with a semicolon between; `words` in place
 * of the right's own. */
void postgres_append_grant(struct buffer *sql, const struct schema_right *right, const char *words);
/* "REVOKE SELECT ON TABLE t FROM app" */
void postgres_append_revoke(struct buffer *sql, const struct schema_right *right,
                            const char *words);
/* "REVOKE GRANT OPTION FOR SELECT ON TABLE t FROM app" */
void postgres_append_option_revoke(struct buffer *sql, const struct schema_right *right,
                                   const char *words);

/* ---------------------------------------------------------------- rights_carry.c */

/* A thing that the run makes: what it is, and its name. */
struct postgres_made {
    const char *what;
    const char *name;
};

/* The fate of the rights of a copy. */
struct postgres_carried {
    struct postgres_making making;
    PGconn *connection;
    struct arena *arena;
    bool ahead;                 /* nothing is made yet: what will be */
    struct postgres_made *made; /* in their order */
    uint32_t made_count;
    uint32_t made_capacity;
    PGresult *listed; /* in which names of these are */
    bool *done;       /* by the rights: the target has it now, or will have it */
    const char **why; /* likewise: why it was refused; NULL: it was not */
    struct error *error;
};

/* rights_made.c: the order of struct postgres_made, for qsort and bsearch. */
int postgres_made_compare(const void *left, const void *right);
/* The right's place among the source's. */
uint32_t postgres_right_number(const struct postgres_carried *carried,
                               const struct schema_right *right);
/* Who owns the object that the right is about; NULL: the source does not say. */
const struct schema_right *postgres_right_owner(const struct postgres_carried *carried,
                                                const struct schema_right *right);
/* Is the object that the right is about one of those that the run makes? */
bool postgres_is_made(const struct postgres_carried *carried, const struct schema_right *right);
/* Is the object's owner the source's, or can't do more than that one? */
bool postgres_owner_is_right(const struct postgres_carried *carried,
                             const struct schema_right *right);
/* Is it not to be granted, since the object does more than in the source as long as it has the
 * wrong owner? */
bool postgres_is_withheld(const struct postgres_carried *carried, const struct schema_right *right);
/*
 * After all objects are made, in the caller's transaction: gives owners and rights, if they are
 * carried, and lists what is left to do in request->left. Repeatable.
 */
enum status postgres_rights_finish(struct postgres_database *self, PGconn *connection,
                                   const struct after_load_request *request,
                                   struct error *error) MUST_USE;
/* sql_target_functions.rights_left */
enum status postgres_tell_rights(struct database *self, const struct schema *objects,
                                 struct rights_left *left, struct error *error);

/* ---------------------------------------------------------------- rights_left.c */

enum status postgres_rights_list(struct postgres_carried *carried,
                                 struct rights_left *left) MUST_USE;

#endif
