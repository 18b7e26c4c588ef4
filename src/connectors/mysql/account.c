/* The account that is logged in: its name, what it is denied, and the GRANT that would help. */
#include "connectors/mysql/catalog.h"
#include <string.h>

enum status mysql_name_account(struct mysql_database *self, MYSQL *connection, enum error_code code,
                               struct arena *arena, const char **account, struct error *error)
{
    MYSQL_RES *result = NULL;
    enum status status =
        mysql_run(self, connection,
                  "SELECT CONCAT(QUOTE(LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - "
                  "CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)) - 1)), '@', "
                  "QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)))",
                  SQL_SHORT, code, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    *account = row != NULL && row[0] != NULL ? arena_copy_string(arena, row[0]) : "";
    mysql_free_result(result);
    return status;
}

const char *mysql_account(struct mysql_database *self, MYSQL *connection, struct arena *arena)
{
    struct error ignored = {0};
    const char *account = "";
    enum status status = connection != NULL ? mysql_name_account(self, connection, ERROR_PERMISSION,
                                                                 arena, &account, &ignored)
                                            : STATUS_FAILED;
    return status == STATUS_OK && account[0] != '\0' ? account : "the account";
}

static void append_escaped(struct buffer *out, const char *schema)
{
    for (; *schema != '\0'; schema++) {
        bool special = *schema == '_' || *schema == '%' || *schema == '\\';
        buffer_append_string(out, special ? "\\" : "");
        buffer_append_byte(out, *schema);
    }
}

/* Is something granted on the bare name, and nothing on the escaped one? */
static bool is_granted_bare(struct mysql_database *self, MYSQL *connection, const char *grantee,
                            const char *schema, const char *escaped)
{
    struct buffer sql = {0};
    struct error ignored = {0};
    int64_t bare = 0;
    mysql_append(&sql,
                 "SELECT COUNT(*) > 0 AND COALESCE(MIN(table_schema = %q), 0) FROM "
                 "information_schema.schema_privileges WHERE table_schema IN (%q, %q) AND grantee "
                 "= ",
                 schema, schema, escaped);
    if (grantee != NULL) {
        mysql_append_string(&sql, grantee);
    } else {
        buffer_append_string(&sql, MYSQL_GRANTEE);
    }
    (void)!mysql_ask_number(self, connection, &sql, SQL_SHORT, ERROR_PERMISSION, 0, &bare,
                            &ignored);
    return bare == 1;
}

void mysql_append_all_of(struct buffer *out, struct mysql_database *self, MYSQL *connection,
                         const char *grantee, const char *schema)
{
    struct buffer escaped = {0};
    append_escaped(&escaped, schema);
    bool bare = self->grants_literally || strcmp(buffer_string(&escaped), schema) == 0 ||
                is_granted_bare(self, connection, grantee, schema, buffer_string(&escaped));
    mysql_append(out, "%n.*", bare ? schema : buffer_string(&escaped));
    buffer_free(&escaped);
}

void mysql_hint_grant(struct mysql_database *self, MYSQL *connection, const char *rights,
                      struct error *error)
{
    struct arena *arena = arena_create(0);
    error_hint(error, "%s TO %s", rights, mysql_account(self, connection, arena));
    arena_destroy(arena);
}

enum status mysql_is_denied(struct mysql_database *self, MYSQL *connection,
                            struct buffer *statement, bool prepared, enum error_code code,
                            bool *denied, struct error *problem, struct error *error)
{
    enum { DENIED_DATABASE = 1044, DENIED_TABLE = 1142, DENIED_COLUMN = 1143 };
    struct buffer sql = {0};
    if (prepared) {
        mysql_append(&sql, "PREPARE transhume_attempt FROM %q", buffer_string(statement));
    } else {
        buffer_append_buffer(&sql, statement);
    }
    bool failed =
        mysql_run_buffer(self, connection, &sql, SQL_SHORT, code, NULL, problem) != STATUS_OK;
    unsigned answer = failed ? mysql_errno(connection) : 0;
    *denied = answer == DENIED_DATABASE || answer == DENIED_TABLE || answer == DENIED_COLUMN;
    return failed || !prepared ? STATUS_OK
                               : mysql_run(self, connection, "DEALLOCATE PREPARE transhume_attempt",
                                           SQL_SHORT, code, NULL, error);
}

enum status mysql_is_denied_select(struct mysql_database *self, MYSQL *connection,
                                   const char *table, enum error_code code, bool *denied,
                                   struct error *error)
{
    struct error ignored = {0};
    struct buffer sql = {0};
    mysql_append(&sql, "SELECT 1 FROM %t", &self->sql, table);
    enum status status =
        mysql_is_denied(self, connection, &sql, true, code, denied, &ignored, error);
    buffer_free(&sql);
    return status;
}
