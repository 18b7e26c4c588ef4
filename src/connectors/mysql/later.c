/* Foreign keys whose partners come later: the table that keeps the values, and filling them in. */
#include "connectors/mysql/later.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "connectors/mysql/store.h"
#include "connectors/sql/later.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct filling {
    struct mysql_database *self;
    MYSQL *connection;
    const struct target_table *table;
    const struct mysql_table *facts;
    const struct target_later *later; /* the one in hand */
    struct arena *arena;
    struct error *error;
};

void mysql_append_later_table(struct buffer *sql, const struct mysql_database *self,
                              const char *table)
{
    char name[SQL_OWN_NAME_BYTES];
    mysql_own_name(self, MYSQL_OWN_LATER, table, name);
    mysql_append_table(sql, self, name);
}

static uint64_t reference_number(const struct target_later *later)
{
    struct buffer text = {0};
    for (uint32_t i = 0; i < later->columns.count; i++) {
        buffer_format(&text, "%s%s", i > 0 ? "," : "", later->columns.names[i]);
    }
    uint64_t hash = sql_name_hash(buffer_string(&text));
    buffer_free(&text);
    return hash;
}

void mysql_append_reference(struct buffer *sql, const struct target_later *later)
{
    buffer_format(sql, "%" PRIu64, reference_number(later));
}

/* ---------------------------------------------------------------- preparing */

static void append_emptied(struct buffer *sql, const struct target_table *table, const char *alias)
{
    for (uint32_t i = 0; i < table->later_count; i++) {
        const struct column_list emptied = table->later[i].emptied;
        for (uint32_t j = 0; j < emptied.count; j++) {
            if (!sql_later_is_listed(table, i, emptied.names[j])) {
                mysql_append(sql, ", %s%n", alias, emptied.names[j]);
            }
        }
    }
}

static enum status later_make(struct mysql_database *self, MYSQL *connection,
                              const struct target_table *table, struct error *error)
{
    struct buffer sql = {0};
    char name[SQL_OWN_NAME_BYTES];
    buffer_append_string(&sql, "CREATE TABLE IF NOT EXISTS ");
    mysql_own_name(self, MYSQL_OWN_LATER, table->name, name);
    mysql_append_table(&sql, self, name);
    buffer_append_string(&sql, " (" MYSQL_REFERENCE " BIGINT UNSIGNED NOT NULL, " MYSQL_NUMBER
                               " BIGINT UNSIGNED NOT NULL AUTO_INCREMENT UNIQUE, " MYSQL_REFUSED
                               " TEXT CHARACTER SET utf8mb4, PRIMARY KEY (");
    mysql_append_names(&sql, NULL, table->key);
    buffer_append_string(&sql, ", " MYSQL_REFERENCE ")) ENGINE=InnoDB AS SELECT ");
    mysql_append_names(&sql, NULL, table->key);
    append_emptied(&sql, table, "");
    mysql_append(&sql, ", CAST(0 AS UNSIGNED) AS " MYSQL_REFERENCE " FROM %t LIMIT 0", &self->sql,
                 table->name);
    enum status status =
        mysql_run_buffer(self, connection, &sql, SQL_LONG, ERROR_TARGET_SCHEMA, NULL, error);
    return status == STATUS_OK ? mysql_check_own(self, connection, name, error) : status;
}

enum status mysql_later_prepare(struct database *database, const struct target_table *tables,
                                uint32_t table_count, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    MYSQL *connection = NULL;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < table_count; i++) {
        if (target_table_later_count(&tables[i]) > 0) {
            status = mysql_control(self, &connection, error);
            status = status == STATUS_OK ? mysql_check_claim(self, connection, error) : status;
            status = status == STATUS_OK ? later_make(self, connection, &tables[i], error) : status;
        }
    }
    return status;
}

/* ---------------------------------------------------------------- filling */

static enum status later_ask(const struct filling *filling, struct buffer *sql, MYSQL_RES **result)
{
    enum status status = mysql_run_buffer(filling->self, filling->connection, sql, SQL_BUILD,
                                          ERROR_TARGET_WRITE, result, filling->error);
    if (status != STATUS_OK) {
        error_context(filling->error,
                      "%s: filling in what refers to later records: ", filling->table->name);
    }
    return status;
}

/* " values AS l JOIN table AS t ON … JOIN partner AS p ON …": joined, since the server does not let
 * a table that is updated be asked by a subquery. */
static void append_joined(struct buffer *sql, const struct filling *filling)
{
    const struct target_later *later = filling->later;
    const struct mysql_database *self = filling->self;
    buffer_append_byte(sql, ' ');
    mysql_append_later_table(sql, self, filling->table->name);
    mysql_append(sql, " AS l JOIN %t AS t ON ", &self->sql, filling->facts->schema->name);
    mysql_append_match(sql, filling->table->key, "l", "t");
    mysql_append(sql, " JOIN %t AS p ON ", &self->sql, later->table);
    for (uint32_t i = 0; i < later->columns.count; i++) {
        const char *name = later->columns.names[i];
        mysql_append(sql, "%sp.%n = %s.%n", i > 0 ? " AND " : "",
                     later->referenced_columns.names[i],
                     column_list_holds(later->emptied, name) ? "l" : "t", name);
    }
}

static void append_where(struct buffer *sql, const struct filling *filling)
{
    buffer_append_string(sql, " WHERE l." MYSQL_REFUSED " IS NULL AND l." MYSQL_REFERENCE " = ");
    mysql_append_reference(sql, filling->later);
}

/* ", t.at = t.at" */
static void append_times(struct buffer *sql, const struct filling *filling)
{
    const struct mysql_table *facts = filling->facts;
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        const struct mysql_column *column = &facts->columns[i];
        if (mysql_is_time(column) && !mysql_is_in(filling->later->emptied, column->name)) {
            mysql_append(sql, ", t.%n = t.%n", column->name, column->name);
        }
    }
}

/* The values of these numbers. STATUS_AGAIN: the table does not take all of them, and nothing was
 * done. */
static enum status update_range(const struct filling *filling, uint64_t first, uint64_t last,
                                uint64_t *filled)
{
    const struct column_list emptied = filling->later->emptied;
    struct error problem = {0};
    struct filling asking = *filling;
    struct buffer sql = {0};
    enum error_code code;
    asking.error = &problem;
    buffer_append_string(&sql, "UPDATE");
    append_joined(&sql, filling);
    buffer_append_string(&sql, " SET ");
    for (uint32_t i = 0; i < emptied.count; i++) {
        mysql_append(&sql, "%st.%n = l.%n", i > 0 ? ", " : "", emptied.names[i], emptied.names[i]);
    }
    append_times(&sql, filling);
    append_where(&sql, filling);
    buffer_format(&sql, " AND l." MYSQL_NUMBER " BETWEEN %" PRIu64 " AND %" PRIu64, first, last);
    if (later_ask(&asking, &sql, NULL) == STATUS_OK) {
        *filled += mysql_affected_rows(filling->connection);
        return STATUS_OK;
    }
    return mysql_is_of_record(mysql_errno(filling->connection), mysql_error(filling->connection),
                              &code)
               ? STATUS_AGAIN
               : error_copy(filling->error, &problem);
}

/* What the server said last. */
static enum status note_refused(const struct filling *filling, uint64_t number)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "UPDATE ");
    mysql_append_later_table(&sql, filling->self, filling->table->name);
    mysql_append(&sql, " SET " MYSQL_REFUSED " = %q", mysql_error(filling->connection));
    buffer_format(&sql, " WHERE " MYSQL_NUMBER " = %" PRIu64, number);
    return later_ask(filling, &sql, NULL);
}

/* By halves, down to the one that is refused. */
static enum status update_halves(const struct filling *filling, uint64_t first, uint64_t last,
                                 uint64_t *filled)
{
    enum status status = update_range(filling, first, last, filled);
    if (status != STATUS_AGAIN) {
        return status;
    }
    if (first == last) {
        return note_refused(filling, first);
    }
    uint64_t middle = first + (last - first) / 2;
    status = update_halves(filling, first, middle, filled);
    return status == STATUS_OK ? update_halves(filling, middle + 1, last, filled) : status;
}

static enum status later_update(const struct filling *filling, uint64_t *filled)
{
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    buffer_append_string(&sql, "SELECT coalesce(max(" MYSQL_NUMBER "), 0) FROM ");
    mysql_append_later_table(&sql, filling->self, filling->table->name);
    enum status status = later_ask(filling, &sql, &result);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    uint64_t last = row != NULL && row[0] != NULL ? strtoull(row[0], NULL, 10) : 0;
    mysql_free_result(result);
    return status == STATUS_OK && last > 0 ? update_halves(filling, 1, last, filled) : status;
}

/* What an earlier call found refused may be taken by now. */
static enum status begin_anew(const struct filling *filling)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "UPDATE ");
    mysql_append_later_table(&sql, filling->self, filling->table->name);
    buffer_append_string(&sql, " SET " MYSQL_REFUSED " = NULL WHERE " MYSQL_REFUSED " IS NOT NULL");
    return later_ask(filling, &sql, NULL);
}

/* The record as the run leaves it is another one now. */
static enum status note_undo(const struct filling *filling)
{
    const struct mysql_table *facts = filling->facts;
    const struct mysql_database *self = filling->self;
    struct buffer sql = {0};
    if (!filling->table->keeps_undo) {
        return STATUS_OK;
    }
    buffer_append_string(&sql, "UPDATE");
    append_joined(&sql, filling);
    mysql_append(&sql, " JOIN %t AS u ON ", &self->sql,
                 sql_undo_name(filling->arena, self->sql.run_id, filling->table->name));
    mysql_append_match(&sql, filling->table->key, "u", "t");
    buffer_append_string(&sql, " SET u._transhume_hash = ");
    mysql_undo_append_hash(&sql, self, facts->columns, facts->schema->column_count, "t");
    append_where(&sql, filling);
    return later_ask(filling, &sql, NULL);
}

static enum status forget_filled(const struct filling *filling)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "DELETE l FROM");
    append_joined(&sql, filling);
    append_where(&sql, filling);
    return later_ask(filling, &sql, NULL);
}

/* Records that others took out have nothing to fill in. */
static enum status forget_gone(const struct filling *filling)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "DELETE l FROM ");
    mysql_append_later_table(&sql, filling->self, filling->table->name);
    mysql_append(&sql, " AS l LEFT JOIN %t AS t ON ", &filling->self->sql,
                 filling->facts->schema->name);
    mysql_append_match(&sql, filling->table->key, "l", "t");
    mysql_append(&sql, " WHERE t.%n IS NULL", filling->table->key.names[0]);
    return later_ask(filling, &sql, NULL);
}

/* "id 7: owner 99": the number of the foreign key, then the key, then what is left out. */
static void append_words(struct buffer *sql, const struct filling *filling)
{
    const struct column_list key = filling->table->key;
    buffer_append_string(sql, "CONCAT_WS(', '");
    for (uint32_t i = 0; i < key.count; i++) {
        struct buffer name = {0};
        buffer_format(&name, "%s ", key.names[i]);
        mysql_append(sql, ", CONCAT(%q, l.%n)", buffer_string(&name), key.names[i]);
        buffer_free(&name);
    }
    buffer_append_string(sql, "), CONCAT_WS(', '");
    append_emptied(sql, filling->table, "l.");
    buffer_append_byte(sql, ')');
}

static void name_first(const struct filling *filling, const MYSQL_ROW row, char *first,
                       size_t capacity)
{
    struct buffer words = {0};
    uint64_t number = row[1] != NULL ? strtoull(row[1], NULL, 10) : 0;
    buffer_format(&words, "%s:", row[2] != NULL ? row[2] : "");
    for (uint32_t i = 0; i < filling->table->later_count; i++) {
        const struct target_later *later = &filling->table->later[i];
        for (uint32_t j = 0; reference_number(later) == number && j < later->columns.count; j++) {
            buffer_format(&words, "%s%s", j > 0 ? "," : " ", later->columns.names[j]);
        }
    }
    buffer_format(&words, " %s%s%s", row[3] != NULL ? row[3] : "", row[4] != NULL ? ": " : "",
                  row[4] != NULL ? row[4] : "");
    snprintf(first, capacity, "%s", buffer_string(&words));
    text_clean_line(first);
    buffer_free(&words);
}

/* Those that are left, or those that are refused; `first` is the first of them, with the reason. */
static enum status count_kept(const struct filling *filling, bool refused, uint64_t *count,
                              char *first, size_t capacity)
{
    const char *which = refused ? "NOT NULL" : "NULL";
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    struct buffer name = {0};
    mysql_append_later_table(&name, filling->self, filling->table->name);
    mysql_append(&sql,
                 "SELECT (SELECT count(*) FROM %s WHERE " MYSQL_REFUSED " IS %s), "
                 "l." MYSQL_REFERENCE ", ",
                 buffer_string(&name), which);
    append_words(&sql, filling);
    mysql_append(&sql,
                 ", l." MYSQL_REFUSED " FROM %s AS l WHERE l." MYSQL_REFUSED " IS %s ORDER BY ",
                 buffer_string(&name), which);
    mysql_append_names(&sql, "l", filling->table->key);
    buffer_append_string(&sql, " LIMIT 1");
    buffer_free(&name);
    enum status status = later_ask(filling, &sql, &result);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    if (row != NULL && row[0] != NULL) {
        *count = strtoull(row[0], NULL, 10);
        name_first(filling, row, first, capacity);
    }
    mysql_free_result(result);
    return status;
}

static enum status count_left(const struct filling *filling, struct target_filled *filled)
{
    enum status status =
        count_kept(filling, false, &filled->left, filled->first, sizeof filled->first);
    return status == STATUS_OK ? count_kept(filling, true, &filled->refused, filled->first_refused,
                                            sizeof filled->first_refused)
                               : status;
}

static enum status fill_within(struct filling *filling, struct target_filled *filled)
{
    enum status status = begin_anew(filling);
    for (uint32_t i = 0; status == STATUS_OK && i < filling->table->later_count; i++) {
        filling->later = &filling->table->later[i];
        status = later_update(filling, &filled->filled);
        status = status == STATUS_OK ? note_undo(filling) : status;
        status = status == STATUS_OK ? forget_filled(filling) : status;
    }
    status = status == STATUS_OK ? forget_gone(filling) : status;
    status = status == STATUS_OK ? count_left(filling, filled) : status;
    status = status == STATUS_OK
                 ? mysql_check_claim(filling->self, filling->connection, filling->error)
                 : status;
    return status == STATUS_OK ? failpoint_hit("mysql.before_fill", filling->error) : status;
}

/* Is anything kept for the table? */
static enum status is_kept(const struct filling *filling, bool *found)
{
    char name[SQL_OWN_NAME_BYTES];
    MYSQL_RES *names = NULL;
    mysql_own_name(filling->self, MYSQL_OWN_LATER, filling->table->name, name);
    enum status status =
        mysql_list_own(filling->self, filling->connection, name, &names, filling->error);
    *found = status == STATUS_OK && mysql_num_rows(names) > 0;
    mysql_free_result(names);
    return status;
}

static enum status later_describe(struct filling *filling)
{
    struct mysql_catalog catalog;
    enum status status =
        mysql_catalog_read(filling->self, filling->connection, filling->table->name, filling->arena,
                           &catalog, filling->error);
    if (status == STATUS_OK && catalog.table_count == 0) {
        return error_set(filling->error, ERROR_TARGET_WRITE, filling->table->name,
                         "the table is gone from the target");
    }
    filling->facts = status == STATUS_OK ? &catalog.tables[0] : NULL;
    return status;
}

static enum status later_drop(const struct filling *filling)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "DROP TABLE IF EXISTS ");
    mysql_append_later_table(&sql, filling->self, filling->table->name);
    return mysql_run_buffer(filling->self, filling->connection, &sql, SQL_SHORT, ERROR_TARGET_WRITE,
                            NULL, filling->error);
}

/* A table a transaction; dropping what kept the values is one of its own. */
static enum status references_fill(struct filling *filling, struct target_filled *filled)
{
    struct mysql_database *self = filling->self;
    bool found = false;
    enum status status = mysql_control(self, &filling->connection, filling->error);
    status = status == STATUS_OK ? is_kept(filling, &found) : status;
    if (status != STATUS_OK || !found) {
        return status;
    }
    status = later_describe(filling);
    status = status == STATUS_OK ? mysql_begin(self, &filling->connection, filling->error) : status;
    if (status != STATUS_OK) {
        return status;
    }
    status = mysql_end(self, filling->connection, fill_within(filling, filled), filling->error);
    if (status == STATUS_OK) {
        status = failpoint_hit("mysql.after_fill", filling->error);
    }
    return status == STATUS_OK && filled->left == 0 && filled->refused == 0 ? later_drop(filling)
                                                                            : status;
}

enum status mysql_later_fill(struct database *database, const struct target_table *tables,
                             uint32_t table_count, struct target_filled *filled,
                             struct error *error)
{
    struct filling filling = {
        .self = mysql_database_of(database), .arena = arena_create(0), .error = error};
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < table_count; i++) {
        filling.table = &tables[i];
        status = target_table_later_count(&tables[i]) > 0 ? references_fill(&filling, &filled[i])
                                                          : STATUS_OK;
    }
    arena_destroy(filling.arena);
    return status;
}

/* ---------------------------------------------------------------- taking back */

/* _transhume_fate, within the transaction: rollback_keys.c has others. */
enum { FATE_LOOSENED = 100 };

/* "UPDATE undo AS u JOIN table AS t ON … SET " */
static void append_undo_update(struct buffer *sql, const struct filling *filling, const char *undo)
{
    mysql_append(sql, "UPDATE %t AS u JOIN %t AS t ON ", &filling->self->sql, undo,
                 &filling->self->sql, filling->facts->schema->name);
    mysql_append_match(sql, filling->table->key, "u", "t");
    buffer_append_string(sql, " SET ");
}

static void append_hash(struct buffer *sql, const struct filling *filling)
{
    mysql_undo_append_hash(sql, filling->self, filling->facts->columns,
                           filling->facts->schema->column_count, "t");
}

/* Those that the run added, and that are as it left them, and refer to something. */
static enum status later_choose(const struct filling *filling, const char *undo)
{
    const struct column_list emptied = filling->later->emptied;
    struct buffer sql = {0};
    append_undo_update(&sql, filling, undo);
    buffer_format(&sql, "u._transhume_fate = %d WHERE u._transhume_found = 0", FATE_LOOSENED);
    for (uint32_t i = 0; i < emptied.count; i++) {
        mysql_append(&sql, "%st.%n IS NOT NULL", i > 0 ? " OR " : " AND (", emptied.names[i]);
    }
    buffer_append_string(&sql, ") AND u._transhume_hash = ");
    append_hash(&sql, filling);
    return mysql_run_buffer(filling->self, filling->connection, &sql, SQL_BUILD, ERROR_TARGET_WRITE,
                            NULL, filling->error);
}

static enum status empty(const struct filling *filling, const char *undo)
{
    const struct column_list emptied = filling->later->emptied;
    struct buffer sql = {0};
    append_undo_update(&sql, filling, undo);
    for (uint32_t i = 0; i < emptied.count; i++) {
        mysql_append(&sql, "%st.%n = NULL", i > 0 ? ", " : "", emptied.names[i]);
    }
    append_times(&sql, filling);
    buffer_format(&sql, " WHERE u._transhume_fate = %d", FATE_LOOSENED);
    return mysql_run_buffer(filling->self, filling->connection, &sql, SQL_BUILD, ERROR_TARGET_WRITE,
                            NULL, filling->error);
}

/* What the records are now is what the run leaves. */
static enum status note_loosened(const struct filling *filling, const char *undo)
{
    struct buffer sql = {0};
    append_undo_update(&sql, filling, undo);
    buffer_append_string(&sql, "u._transhume_fate = NULL, u._transhume_hash = ");
    append_hash(&sql, filling);
    buffer_format(&sql, " WHERE u._transhume_fate = %d", FATE_LOOSENED);
    return mysql_run_buffer(filling->self, filling->connection, &sql, SQL_BUILD, ERROR_TARGET_WRITE,
                            NULL, filling->error);
}

static enum status loosen_within(struct filling *filling, const char *undo)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < filling->table->later_count; i++) {
        filling->later = &filling->table->later[i];
        status = later_choose(filling, undo);
        status = status == STATUS_OK ? empty(filling, undo) : status;
        status = status == STATUS_OK ? note_loosened(filling, undo) : status;
    }
    return status == STATUS_OK
               ? mysql_check_claim(filling->self, filling->connection, filling->error)
               : status;
}

/* `*found`: the table is there, and its undo records. */
static enum status find_undo(struct filling *filling, struct mysql_catalog *catalog,
                             const char *undo, bool *found)
{
    MYSQL_RES *names = NULL;
    enum status status =
        mysql_list_own(filling->self, filling->connection, undo, &names, filling->error);
    *found = status == STATUS_OK && mysql_num_rows(names) > 0;
    mysql_free_result(names);
    if (status != STATUS_OK || !*found) {
        return status;
    }
    status = mysql_catalog_read(filling->self, filling->connection, filling->table->name,
                                filling->arena, catalog, filling->error);
    *found = status == STATUS_OK && catalog->table_count > 0;
    filling->facts = *found ? &catalog->tables[0] : NULL;
    return status;
}

enum status mysql_later_loosen(struct database *database, const struct target_table *table,
                               struct error *error)
{
    struct filling filling = {.self = mysql_database_of(database),
                              .table = table,
                              .arena = arena_create(0),
                              .error = error};
    struct mysql_catalog catalog;
    bool found = false;
    const char *undo = sql_undo_name(filling.arena, filling.self->sql.run_id, table->name);
    enum status status = mysql_control(filling.self, &filling.connection, error);
    status = status == STATUS_OK ? find_undo(&filling, &catalog, undo, &found) : status;
    status = status == STATUS_OK && found ? mysql_begin(filling.self, &filling.connection, error)
                                          : status;
    if (status == STATUS_OK && found) {
        status = mysql_end(filling.self, filling.connection, loosen_within(&filling, undo), error);
    }
    arena_destroy(filling.arena);
    return status;
}
