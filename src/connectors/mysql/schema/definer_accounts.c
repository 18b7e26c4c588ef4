/* Accounts that run views, triggers, routines and events of a copy, and that the target lacks. */
#include "connectors/mysql/schema/definers.h"
#include "connectors/sql/check.h"
#include <string.h>
#include <strings.h>

/* The versions of the servers that know locked accounts. Older ones get a hash that no password
 * has. */
enum { LOCKS_MYSQL = 50706, LOCKS_MARIADB = 100402 };
#define NO_PASSWORD " IDENTIFIED BY PASSWORD '*0000000000000000000000000000000000000000'"

enum status mysql_accounts_read(struct mysql_database *self, MYSQL *connection,
                                MYSQL_RES **accounts, struct error *error)
{
    struct error refusal = {0};
    *accounts = NULL;
    enum status status = mysql_run(self, connection, "SELECT user, host FROM mysql.user", SQL_LONG,
                                   ERROR_TARGET_INVALID, accounts, &refusal);
    if (status == STATUS_OK || refusal.code == ERROR_PERMISSION) {
        return STATUS_OK;
    }
    return error_copy(error, &refusal);
}

/* A role's host is empty. */
static bool is_known(MYSQL_RES *accounts, const char *user, const char *host)
{
    MYSQL_ROW row = NULL;
    mysql_data_seek(accounts, 0);
    do {
        row = mysql_fetch_row(accounts);
    } while (row != NULL && (row[0] == NULL || row[1] == NULL || strcmp(row[0], user) != 0 ||
                             strcasecmp(row[1], host) != 0));
    return row != NULL;
}

static bool is_listed(const struct rights_left *left, const char *shown)
{
    bool listed = false;
    for (uint32_t i = 0; !listed && i < left->count; i++) {
        listed =
            strcmp(left->items[i].kind, "role") == 0 && strcmp(left->items[i].object, shown) == 0;
    }
    return listed;
}

static void append_quoted(struct buffer *sql, const char *name)
{
    buffer_append_byte(sql, '\'');
    for (; *name != '\0'; name++) {
        buffer_append_string(sql, *name == '\'' ? "'" : "");
        buffer_append_byte(sql, *name);
    }
    buffer_append_byte(sql, '\'');
}

/* Such a letter means something else in another mode of the administrator's session. */
static bool is_plain(const char *definer)
{
    for (; *definer != '\0'; definer++) {
        if (*definer == '\\' || (unsigned char)*definer < ' ') {
            return false;
        }
    }
    return true;
}

void mysql_account_list_lacking(const struct mysql_database *self, MYSQL_RES *accounts,
                                const char *definer, struct rights_left *left)
{
    char shown[SQL_SHOWN_BYTES];
    struct buffer sql = {0};
    const char *at = strrchr(definer, '@');
    const char *user =
        at != NULL ? arena_copy(left->arena, definer, (size_t)(at - definer)) : definer;
    bool locks = self->version >= (self->mariadb ? LOCKS_MARIADB : LOCKS_MYSQL);
    sql_show_name(definer, shown);
    if (is_known(accounts, user, at != NULL ? at + 1 : "") || is_listed(left, shown)) {
        return;
    }
    buffer_append_string(&sql, at != NULL ? "CREATE USER " : "CREATE ROLE ");
    append_quoted(&sql, user);
    if (at != NULL) {
        buffer_append_byte(&sql, '@');
        append_quoted(&sql, at + 1);
        buffer_append_string(&sql, locks ? " ACCOUNT LOCK" : NO_PASSWORD);
    }
    const struct right_left item = {
        .kind = "role",
        .object = shown,
        .text = "the target has no account of this name, and what runs as it fails until there is "
                "one that has the rights",
        .statement = is_plain(definer) ? buffer_string(&sql) : NULL};
    rights_left_add(left, &item);
    buffer_free(&sql);
}
