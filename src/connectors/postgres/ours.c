/*
 * Is what is called as ours is ours? Who may CREATE in the schema can make a table of such a name
 * beforehand; its triggers would then run as the account that writes the ledger. So such a table is
 * used only if its owner is the account, a role that the account is a member of, or a superuser,
 * who needs no trick; and if nothing hangs on it that would run or turn the statements around.
 */
#include "connectors/postgres/postgres_internal.h"
#include "connectors/sql/store.h"
#include "postgres_sql.h"

enum { OURS_OWNER, OURS_IS_TRUSTED, OURS_CARRIES, OURS_NAME, OURS_ACCOUNT };

static enum status refuse_owner(const PGresult *found, struct error *error)
{
    const char *name = PQgetvalue(found, 0, OURS_NAME);
    const char *owner = PQgetvalue(found, 0, OURS_OWNER);
    error_set(error, ERROR_NOT_OURS, name,
              "it has the name of a table of ours, but the role %s made it", owner);
    return error_hint(
        error,
        "look at it, and drop it, or if that role ran transhume: ALTER TABLE %s OWNER "
        "TO %s; and let others make nothing there: REVOKE CREATE ON SCHEMA … FROM PUBLIC",
        name, PQgetvalue(found, 0, OURS_ACCOUNT));
}

static enum status refuse_carried(const PGresult *found, struct error *error)
{
    error_set(error, ERROR_NOT_OURS, PQgetvalue(found, 0, OURS_NAME),
              "it is a table of ours, but carries %s", PQgetvalue(found, 0, OURS_CARRIES));
    return error_hint(error, SQL_STORE_NOT_OURS_HINT);
}

enum status postgres_is_there(struct postgres_database *self, PGconn *connection,
                              const char *relation, enum error_code otherwise, bool *there,
                              struct error *error)
{
    const struct postgres_parameter parameter = {.text = relation};
    PGresult *found = NULL;
    enum status status = postgres_catalog_query(self, connection, sql_ours, &parameter, 1,
                                                SQL_SHORT, otherwise, &found, error);
    *there = status == STATUS_OK && PQntuples(found) > 0;
    if (*there && PQgetvalue(found, 0, OURS_IS_TRUSTED)[0] != 't') {
        status = refuse_owner(found, error);
    } else if (*there && PQgetisnull(found, 0, OURS_CARRIES) == 0) {
        status = refuse_carried(found, error);
    }
    PQclear(found);
    return status;
}

enum status postgres_has_own(struct postgres_database *self, PGconn *connection, const char *table,
                             bool *there, struct error *error)
{
    struct buffer name = {0};
    postgres_append_table(&name, self, table);
    enum status status = postgres_is_there(self, connection, buffer_string(&name),
                                           ERROR_TARGET_INVALID, there, error);
    buffer_free(&name);
    return status;
}
