/* Statements as a PostgreSQL source tells them. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_STATEMENT_H
#define TRANSHUME_CONNECTORS_POSTGRES_STATEMENT_H

#include "base/text.h"
#include "connectors/contract/database.h"

/* Does the statement make something of this kind and name, and the other one drop it? What a source
 * tells may be anything. The schemas of the scope are those that it may name. */
bool postgres_makes(const struct schema_scope *scope, const struct schema_object *object);
/* Does a client that splits at semicolons send the text, and another one behind it, as it stands:
 * no comment, no command of psql's, and no quote that is left open? */
bool postgres_is_one(const char *statement);
/* Is what it says a right and nothing else: does `called` name the object that it is about, do its
 * words say what may be granted, does a statement of its own say what its kind says? */
bool postgres_right_is_told(const struct schema_scope *scope, const struct schema_right *right);
/* Where the roles of a policy stand in the statement that makes it; empty: it is none, or none that
 * is RESTRICTIVE. */
struct text postgres_policy_roles(const struct schema_scope *scope, const char *statement,
                                  bool restrictive);
/* The next of these names, as it is, in the arena, and is it the word for everybody, which stands
 * there without quotes? NULL: there is no further one. */
const char *postgres_next_role(struct text *roles, struct arena *arena, bool *everybody);
/* Behind the name of the view that the statement makes; NULL: it makes none. */
const char *postgres_view_options(const struct schema_scope *scope, const char *statement);
/* Do its statements make the table and its indexes? */
enum status postgres_check_told(const struct schema_scope *scope, const struct schema_table *table,
                                struct error *error) MUST_USE;

#endif
