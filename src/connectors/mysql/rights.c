/*
 * The account's rights in the target's database, so that a right that is missing is told before
 * the first record. Rights that come by a role, or that all have, are not seen from here: then
 * nothing is refused. Neither are those on the database that the user has by another account's
 * host, or that the anonymous one has: so the server is asked where something seems to be missing.
 */
#include "connectors/mysql/catalog.h"
#include "connectors/mysql/target.h"
#include "connectors/sql/check.h"
#include "mysql_sql.h"
#include <string.h>
#include <strings.h>

enum right {
    RIGHT_SELECT = 1 << 0,
    RIGHT_INSERT = 1 << 1,
    RIGHT_UPDATE = 1 << 2,
    RIGHT_DELETE = 1 << 3,
    RIGHT_CREATE = 1 << 4,
    RIGHT_DROP = 1 << 5,
    RIGHT_ALTER = 1 << 6,
    RIGHT_REFERENCES = 1 << 7,
    RIGHT_TEMPORARY = 1 << 8
};

static const char *const names[] = {"SELECT", "INSERT",     "UPDATE",
                                    "DELETE", "CREATE",     "DROP",
                                    "ALTER",  "REFERENCES", "CREATE TEMPORARY TABLES"};
enum { NAME_COUNT = sizeof names / sizeof names[0] };

/* The ledger's tables are made, filled, changed and dropped. */
enum {
    OF_LEDGER =
        RIGHT_SELECT | RIGHT_INSERT | RIGHT_UPDATE | RIGHT_DELETE | RIGHT_CREATE | RIGHT_DROP
};

struct mysql_rights {
    MYSQL_RES *granted;
    bool known;
    bool asked;
    unsigned denied; /* of the database, by the server's own word */
    unsigned told;   /* of those that are missing on the database */
    const char *account;
};

static unsigned bit_of(const char *name)
{
    for (unsigned i = 0; i < NAME_COUNT; i++) {
        if (strcasecmp(names[i], name) == 0) {
            return 1U << i;
        }
    }
    return 0;
}

/* For the tables whose names begin so, or all: those of the database and the server count. */
static unsigned granted_for(const struct mysql_rights *rights, const char *name, size_t length)
{
    unsigned found = 0;
    MYSQL_ROW row = NULL;
    mysql_data_seek(rights->granted, 0);
    while ((row = mysql_fetch_row(rights->granted)) != NULL) {
        bool whole = row[1] == NULL || row[1][0] == '\0';
        found |= whole || strncmp(row[1], name, length) == 0 ? bit_of(row[0]) : 0;
    }
    return found;
}

/* ---------------------------------------------------------------- what is known */

/* A failure of such a statement means that the server knows no roles. */
bool mysql_has_other_rights(struct mysql_database *self, MYSQL *connection)
{
    static const char *const statements[] = {
        "SELECT 1 FROM DUAL WHERE CURRENT_ROLE() IS NOT NULL AND CURRENT_ROLE() <> 'NONE'",
        "SHOW GRANTS FOR PUBLIC"};
    bool found = false;
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        MYSQL_RES *result = NULL;
        struct error ignored;
        if (mysql_run(self, connection, statements[i], SQL_SHORT, ERROR_TARGET_INVALID, &result,
                      &ignored) == STATUS_OK) {
            found = found || (result != NULL && mysql_num_rows(result) > 0);
        }
        mysql_free_result(result);
    }
    return found;
}

void mysql_rights_free(struct mysql_rights *rights)
{
    if (rights != NULL) {
        mysql_free_result(rights->granted);
    }
}

static enum status read_rights(struct mysql_database *self, MYSQL *connection, struct error *error)
{
    struct mysql_rights *rights = arena_allocate_zeroed(self->seen_arena, 1, sizeof *rights);
    if (mysql_run_buffer(self, connection, mysql_filled(sql_rights, self->sql.schema, NULL),
                         SQL_SHORT, ERROR_TARGET_INVALID, &rights->granted, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* an account that the server knows has USAGE at least */
    rights->known = rights->granted != NULL && mysql_num_rows(rights->granted) > 0 &&
                    !mysql_has_other_rights(self, connection);
    self->rights = rights;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- what the server says */

/* Statements on a table that is not there: those that the account may not run are refused before
 * that is found. */
static const struct {
    unsigned right;
    const char *before;
    const char *after;
    bool prepared; /* that is enough to be refused */
} attempts[] = {
    {RIGHT_SELECT, "SELECT 1 FROM ", "", true},
    {RIGHT_INSERT, "INSERT INTO ", " VALUES (1)", true},
    {RIGHT_UPDATE, "UPDATE ", " SET a = 1", true},
    {RIGHT_DELETE, "DELETE FROM ", "", true},
    {RIGHT_CREATE, "CREATE TABLE ", " (a int)", true},
    {RIGHT_DROP, "DROP TABLE ", "", false},
    {RIGHT_ALTER, "ALTER TABLE ", " COMMENT ''", false},
    {RIGHT_TEMPORARY, "CREATE TEMPORARY TABLE ", " (a int)", true},
};

static enum status is_denied(struct mysql_database *self, MYSQL *connection, size_t number,
                             bool *denied, struct error *error)
{
    struct buffer attempt = {0};
    struct error ignored = {0};
    mysql_append(&attempt, "%s%t%s", attempts[number].before, &self->sql, "_transhume_none",
                 attempts[number].after);
    enum status status = mysql_is_denied(self, connection, &attempt, attempts[number].prepared,
                                         ERROR_TARGET_INVALID, denied, &ignored, error);
    buffer_free(&attempt);
    return status;
}

static enum status ask_server(struct mysql_database *self, MYSQL *connection, struct error *error)
{
    struct mysql_rights *rights = self->rights;
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < sizeof attempts / sizeof attempts[0]; i++) {
        bool denied = false;
        status = is_denied(self, connection, i, &denied, error);
        rights->denied |= denied ? attempts[i].right : 0U;
    }
    rights->denied |= RIGHT_REFERENCES; /* no statement asks for that alone */
    rights->asked = true;
    return status == STATUS_OK ? mysql_name_account(self, connection, ERROR_TARGET_INVALID,
                                                    self->seen_arena, &rights->account, error)
                               : status;
}

/* ---------------------------------------------------------------- what is missing */

static void append_rights(unsigned rights, struct buffer *out)
{
    const char *comma = "";
    for (unsigned i = 0; i < NAME_COUNT; i++) {
        if ((rights & 1U << i) != 0) {
            buffer_format(out, "%s%s", comma, names[i]);
            comma = ", ";
        }
    }
}

/* `table` NULL: on all of the database. */
static void tell_missing(struct mysql_database *self, MYSQL *connection, unsigned missing,
                         const char *table, struct buffer *out)
{
    char shown[SQL_SHOWN_BYTES];
    buffer_append_string(out, "the account lacks ");
    append_rights(missing, out);
    buffer_format(out, " on the %s %s: GRANT ", table == NULL ? "database" : "table",
                  sql_show_name(table == NULL ? self->sql.schema : table, shown));
    append_rights(missing, out);
    buffer_append_string(out, " ON ");
    if (table == NULL) {
        mysql_append_all_of(out, self, connection, NULL, self->sql.schema);
    } else {
        mysql_append_table(out, self, table);
    }
    buffer_format(out, " TO %s\n", self->rights->account);
}

static unsigned needed_for(const struct mysql_database *self, const struct check_request *request,
                           bool is_there)
{
    const struct target_table *table = request->table;
    bool overwrites = table->existing == EXISTING_UPSERT || table->existing == EXISTING_REPLACE;
    bool refers = table->same_engine != NULL ? table->same_engine->foreign_key_count > 0
                                             : table->reference_count > 0;
    if (!is_there) {
        return RIGHT_SELECT | RIGHT_INSERT | RIGHT_CREATE | RIGHT_ALTER |
               (refers && !self->mariadb ? RIGHT_REFERENCES : 0U); /* MariaDB has no use for it */
    }
    return RIGHT_SELECT | RIGHT_INSERT | (overwrites ? RIGHT_UPDATE : 0U) |
           (request->rebuilds_indexes ? RIGHT_ALTER : 0U);
}

enum status mysql_check_rights(struct mysql_database *self, MYSQL *connection,
                               const struct check_request *request, bool is_there,
                               struct buffer *out, struct error *error)
{
    const struct target_table *table = request->table;
    static const char ledger[] = "_transhume_";
    bool stages = table->distinct || (is_there && table->existing != EXISTING_REFUSE &&
                                      (table->existing != EXISTING_APPEND || table->keeps_undo));
    if (self->seen == NULL) {
        return STATUS_OK; /* of one table only, for a run that was checked */
    }
    if (self->rights == NULL && read_rights(self, connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!self->rights->known) {
        return STATUS_OK;
    }
    unsigned whole = OF_LEDGER | (stages ? RIGHT_TEMPORARY : 0U);
    whole &= ~granted_for(self->rights, ledger, sizeof ledger - 1);
    unsigned own = needed_for(self, request, is_there);
    own &= ~granted_for(self->rights, table->name, strlen(table->name) + 1);
    if ((whole | own) != 0 && !self->rights->asked &&
        ask_server(self, connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    whole &= self->rights->denied;
    own &= self->rights->denied;
    if (!is_there) { /* that anyone would grant for all tables alike */
        whole |= own;
        own = 0;
    }
    if ((whole & ~self->rights->told) != 0) {
        tell_missing(self, connection, whole & ~self->rights->told, NULL, out);
        self->rights->told |= whole;
    }
    if ((own & ~whole) != 0) {
        tell_missing(self, connection, own & ~whole, table->name, out);
    }
    return STATUS_OK;
}
