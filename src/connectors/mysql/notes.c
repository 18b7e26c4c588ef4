/* A run's notes, in the ledger's table, of the tables that it makes, and our own tables beside the
 * data, by their names. */
#include "connectors/common/store_key.h"
#include "connectors/mysql/store.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char made[] = "made";

/* ---------------------------------------------------------------- tables that the run makes */

static const char *const making_texts[] = {
    [MYSQL_NOT_MADE] = "",
    [MYSQL_INTENDED] = "{\"format\":2,\"state\":\"intended\"}",
    [MYSQL_MADE] = "{\"format\":2,\"state\":\"made\"}",
    [MYSQL_UNDONE] = "{\"format\":2,\"state\":\"undone\"}",
};

static bool is_ascii(const char *name)
{
    while (*name != '\0' && (unsigned char)*name < 0x80) {
        name++;
    }
    return *name == '\0';
}

/* Where the server folds names, who asks may have one as the plan has it, or as the server does. */
static enum status note_key(struct mysql_database *self, MYSQL *connection, const char *table,
                            char key[STORE_KEY_BYTES], struct error *error)
{
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    if (!self->folds_names) {
        store_note_key(key, self->sql.run_id, made, table);
        return STATUS_OK;
    }
    if (is_ascii(table)) {
        buffer_append_string(&sql, table);
        for (size_t i = 0; i < sql.length; i++) {
            sql.data[i] += sql.data[i] >= 'A' && sql.data[i] <= 'Z' ? 'a' - 'A' : 0;
        }
        store_note_key(key, self->sql.run_id, made, buffer_string(&sql));
        buffer_free(&sql);
        return STATUS_OK;
    }
    mysql_append(&sql, "SELECT LOWER(%q)", table);
    enum status status =
        mysql_run_buffer(self, connection, &sql, SQL_SHORT, ERROR_TARGET_INVALID, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    store_note_key(key, self->sql.run_id, made, row != NULL && row[0] != NULL ? row[0] : table);
    mysql_free_result(result);
    return status;
}

enum status mysql_note_making(struct mysql_database *self, MYSQL *connection, const char *table,
                              enum mysql_making making, struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct buffer sql = {0};
    if (self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    if (note_key(self, connection, table, key, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (making == MYSQL_NOT_MADE) {
        mysql_append(&sql, "DELETE FROM %t WHERE name = '%s'", &self->sql, SQL_STORE_TABLE, key);
    } else {
        mysql_append(&sql, "REPLACE INTO %t (name, version, value) VALUES ('%s', 1, '%s')",
                     &self->sql, SQL_STORE_TABLE, key, making_texts[making]);
    }
    return mysql_run_buffer(self, connection, &sql, SQL_SHORT, ERROR_TARGET_WRITE, NULL, error);
}

enum status mysql_find_making(struct mysql_database *self, MYSQL *connection, const char *table,
                              enum mysql_making *making, struct error *error)
{
    char key[STORE_KEY_BYTES];
    MYSQL_RES *result = NULL;
    *making = MYSQL_NOT_MADE;
    if (self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    if (note_key(self, connection, table, key, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = mysql_run_buffer(
        self, connection,
        mysql_sql("SELECT value FROM %t WHERE name = '%s'", &self->sql, SQL_STORE_TABLE, key),
        SQL_SHORT, ERROR_LEDGER_INVALID, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    for (int i = MYSQL_INTENDED; row != NULL && row[0] != NULL && i <= MYSQL_UNDONE; i++) {
        *making = strcmp(row[0], making_texts[i]) == 0 ? (enum mysql_making)i : *making;
    }
    mysql_free_result(result);
    return status;
}

enum status mysql_forget_notes(struct mysql_database *self, MYSQL *connection, const char *run_id,
                               struct error *error)
{
    char key[STORE_KEY_BYTES];
    char guest[STORE_KEY_BYTES];
    store_name_key(key, "run/", run_id);
    store_name_key(guest, STORE_GUEST_PREFIX, run_id);
    return mysql_run_buffer(
        self, connection,
        mysql_sql("DELETE FROM %t WHERE (name >= '%s/note/' AND name < '%s/note0') OR name = "
                  "'%s'",
                  &self->sql, SQL_STORE_TABLE, key, key, guest),
        SQL_LONG, ERROR_TARGET_WRITE, NULL, error);
}

/* ---------------------------------------------------------------- our own tables */

static void append_prefix(const char *kind, const char *run_id, char prefix[SQL_OWN_NAME_BYTES])
{
    snprintf(prefix, SQL_OWN_NAME_BYTES, "_transhume_%s_%.26s_", kind, run_id);
}

/* The hash in 13 digits of base 36: a table that is renamed takes along constraints that are named
 * after it ("…_ibfk_1"), and MySQL refuses it if one of these gets longer than 64 characters. */
void mysql_own_name(const struct mysql_database *self, const char *kind, const char *table,
                    char name[SQL_OWN_NAME_BYTES])
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    enum { DIGITS = 13 };
    uint64_t hash = sql_name_hash(table);
    append_prefix(kind, self->sql.run_id != NULL ? self->sql.run_id : "", name);
    size_t length = strlen(name);
    for (int i = 0; i < DIGITS; i++) {
        name[length++] = digits[hash % 36];
        hash /= 36;
    }
    name[length] = '\0';
}

void mysql_append_key_table(struct buffer *sql, const struct mysql_database *self,
                            const char *table)
{
    char name[SQL_OWN_NAME_BYTES];
    mysql_own_name(self, MYSQL_OWN_KEYS, table, name);
    mysql_append_table(sql, self, name);
}

enum status mysql_list_own(struct mysql_database *self, MYSQL *connection, const char *prefix,
                           MYSQL_RES **names, struct error *error)
{
    struct buffer sql = {0};
    mysql_append(&sql,
                 "SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE "
                 "TABLE' AND table_schema = %q AND LEFT(table_name, %U) = '%s' ORDER BY "
                 "table_name = '" SQL_STORE_TABLE "'",
                 self->sql.schema, (uint64_t)strlen(prefix), prefix);
    return mysql_run_buffer(self, connection, &sql, SQL_SHORT, ERROR_TARGET_WRITE, names, error);
}

static bool is_of_run(const char *table, const char *run_id)
{
    static const char *const kinds[] = {MYSQL_OWN_KEYS, MYSQL_OWN_DROPPED, MYSQL_OWN_UNDO,
                                        MYSQL_OWN_LATER};
    bool found = run_id == NULL;
    for (size_t i = 0; !found && i < sizeof kinds / sizeof kinds[0]; i++) {
        char prefix[SQL_OWN_NAME_BYTES];
        append_prefix(kinds[i], run_id, prefix);
        found = strncasecmp(table, prefix, strlen(prefix)) == 0;
    }
    return found;
}

/* In one statement, the ledger's own last: as long as that one is there, nobody makes others. */
enum status mysql_drop_own(struct mysql_database *self, MYSQL *connection, const char *run_id,
                           struct error *error)
{
    struct buffer drop = {0};
    MYSQL_RES *names = NULL;
    MYSQL_ROW row = NULL;
    enum status status = mysql_list_own(self, connection, "_transhume_", &names, error);
    while (status == STATUS_OK && (row = mysql_fetch_row(names)) != NULL) {
        if (is_of_run(row[0], run_id) && !history_owns(row[0])) {
            buffer_append_string(&drop, drop.length > 0 ? ", " : "DROP TABLE IF EXISTS ");
            mysql_append_table(&drop, self, row[0]);
        }
    }
    mysql_free_result(names);
    if (status != STATUS_OK || buffer_is_empty(&drop)) {
        buffer_free(&drop);
        return status;
    }
    return mysql_alter_unchecked(self, connection, &drop, SQL_STORE_TABLE, error);
}

enum status mysql_drop_key_tables(struct mysql_database *self, MYSQL *connection,
                                  const struct target_table *tables, uint32_t table_count,
                                  struct error *error)
{
    struct buffer drop = {0};
    for (uint32_t i = 0; self->sql.run_id != NULL && i < table_count; i++) {
        buffer_append_string(&drop, drop.length > 0 ? ", " : "DROP TABLE IF EXISTS ");
        mysql_append_key_table(&drop, self, tables[i].name);
    }
    if (buffer_is_empty(&drop)) {
        buffer_free(&drop);
        return STATUS_OK;
    }
    return mysql_run_buffer(self, connection, &drop, SQL_SHORT, ERROR_TARGET_WRITE, NULL, error);
}
