/* MySQL and MariaDB as a target: transactions of the control thread, looking at tables, counting.
 */
#include "connectors/mysql/definers.h"
#include "connectors/mysql/later.h"
#include "connectors/mysql/locks.h"
#include "connectors/mysql/orphans.h"
#include "connectors/mysql/rebuild.h"
#include "connectors/mysql/workers.h"
#include "connectors/sql/check.h"
#include "connectors/sql/finding.h"
#include <string.h>

const struct sql_rules mysql_rules = {
    .truth_is_number = true, .zone_dropped = true, .zero_unsigned = true};

enum status mysql_begin(struct mysql_database *self, MYSQL **connection, struct error *error)
{
    if (mysql_is_alive(self->control) && mysql_has_spoken(self->control)) {
        mysql_disconnect(self->control);
        self->control = NULL;
    }
    if (mysql_control(self, connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return mysql_run(self, *connection, "START TRANSACTION", SQL_SHORT, ERROR_TARGET_WRITE, NULL,
                     error);
}

enum status mysql_end(struct mysql_database *self, MYSQL *connection, enum status status,
                      struct error *error)
{
    struct error ignored = {0};
    if (status == STATUS_OK) {
        return mysql_run(self, connection, "COMMIT", SQL_SHORT, ERROR_TARGET_WRITE, NULL, error);
    }
    /* what can't be rolled back goes with its connection */
    if (mysql_run(self, connection, "ROLLBACK", SQL_SHORT, ERROR_TARGET_WRITE, NULL, &ignored) !=
            STATUS_OK &&
        connection == self->control) {
        mysql_disconnect(self->control);
        self->control = NULL;
    }
    return status;
}

enum status mysql_silence_keys(struct mysql_database *self, MYSQL *connection, bool off,
                               struct error *error)
{
    return mysql_run(self, connection,
                     off ? "SET foreign_key_checks = 0" : "SET foreign_key_checks = 1", SQL_SHORT,
                     ERROR_TARGET_WRITE, NULL, error);
}

/* A session that is lost takes its settings along. */
static enum status check_again(struct mysql_database *self, MYSQL *connection, enum status status,
                               struct error *error)
{
    struct error ignored = {0};
    bool good = status == STATUS_OK;
    enum status back = mysql_silence_keys(self, connection, false, good ? error : &ignored);
    return good ? back : status;
}

enum status mysql_alter_unchecked(struct mysql_database *self, MYSQL *connection,
                                  struct buffer *sql, const char *table, struct error *error)
{
    enum status status = mysql_silence_keys(self, connection, true, error);
    if (status != STATUS_OK) {
        buffer_free(sql);
        return status;
    }
    status = mysql_alter(self, connection, sql, table, SQL_LONG, ERROR_TARGET_WRITE, error);
    return check_again(self, connection, status, error);
}

enum status mysql_run_unchecked(struct mysql_database *self, MYSQL *connection, struct buffer *sql,
                                uint64_t *changed, struct error *error)
{
    enum status status = mysql_silence_keys(self, connection, true, error);
    if (status != STATUS_OK) {
        buffer_free(sql);
        return status;
    }
    status = mysql_run_buffer(self, connection, sql, SQL_LONG, ERROR_TARGET_WRITE, NULL, error);
    *changed = status == STATUS_OK ? mysql_affected_rows(connection) : 0;
    return check_again(self, connection, status, error);
}

/* Others can't be the name of anything, and asking for them is an error. */
static bool is_name(const char *name)
{
    size_t characters = 0;
    for (const char *at = name; *at != '\0'; at++) {
        characters += ((unsigned char)*at & 0xc0) != 0x80;
        if ((unsigned char)*at >= 0xf0) {
            return false;
        }
    }
    return characters <= MYSQL_NAME_CHARACTERS_MAX && text_is_utf8(name, strlen(name));
}

enum status mysql_target_describe(struct mysql_database *self, MYSQL *connection, const char *name,
                                  struct arena *arena, struct mysql_table *table,
                                  struct error *error)
{
    struct mysql_catalog catalog;
    if (!is_name(name)) {
        return STATUS_END;
    }
    if (mysql_catalog_read(self, connection, name, arena, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (catalog.table_count == 0) {
        return STATUS_END;
    }
    *table = catalog.tables[0];
    return STATUS_OK;
}

static enum status inspect_one(struct mysql_database *self, MYSQL *connection, const char *name,
                               bool *table_exists, bool *record_exists, struct error *error)
{
    struct mysql_table facts;
    int64_t found = 0;
    struct arena *arena = arena_create(0);
    enum status status = mysql_look_at(self->seen, self, connection, name, arena, &facts, error);

    *table_exists = status == STATUS_OK;
    *record_exists = false;
    if (*table_exists) {
        struct buffer sql = {0};
        mysql_append(&sql, "SELECT EXISTS (SELECT 1 FROM %t)", &self->sql, name);
        status = mysql_ask_number(self, connection, &sql, SQL_LONG, ERROR_TARGET_INVALID, 0, &found,
                                  error);
        *record_exists = found != 0;
    }
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

/* What is seen here answers check_table, too. */
static enum status target_inspect(struct database *database, const struct target_table *tables,
                                  uint32_t table_count, bool *table_exists, bool *record_exists,
                                  struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    MYSQL *connection = NULL;
    mysql_forget_seen(self);
    self->seen_arena = arena_create(0);
    struct mysql_look *seen = arena_allocate_zeroed(self->seen_arena, 1, sizeof *seen);
    enum status status = mysql_control(self, &connection, error);
    status = status == STATUS_OK
                 ? mysql_look(self, connection, table_count, self->seen_arena, seen, error)
                 : status;
    self->seen = status == STATUS_OK ? seen : NULL;
    for (uint32_t i = 0; status == STATUS_OK && i < table_count; i++) {
        status = inspect_one(self, connection, tables[i].name, &table_exists[i], &record_exists[i],
                             error);
    }
    return status;
}

static enum status target_count(struct database *database, const struct target_table *table,
                                uint64_t *count, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    MYSQL *connection = NULL;
    return mysql_control(self, &connection, error) == STATUS_OK
               ? mysql_count(self, connection, table, count, error)
               : STATUS_FAILED;
}

static enum status target_normal_form(struct database *database, const struct cell *cell,
                                      struct arena *arena, struct cell *normal, struct error *error)
{
    (void)database;
    return sql_normal_form(&mysql_rules, cell, arena, normal, error);
}

static enum status target_hash_normal(struct database *database, const uint64_t *seeds,
                                      const struct cell *cells, uint32_t count,
                                      struct field_hasher *hasher, uint32_t *hashed,
                                      struct error *error)
{
    (void)database;
    return sql_hash_normal(&mysql_rules, seeds, cells, count, hasher, hashed, error);
}

static enum status target_caveats(struct database *database, struct buffer *out,
                                  struct error *error)
{
    (void)error;
    const struct mysql_database *self = mysql_database_of(database);
    if (self->lacks_local) {
        buffer_format(out,
                      "the target's local_infile is off: %s by INSERTs of many rows, which takes "
                      "longer than LOAD DATA LOCAL: SET GLOBAL local_infile = ON\n",
                      self->takes_bulk ? "large values, and records that are compared with what is "
                                         "there, go"
                                       : "records go");
    }
    return STATUS_OK;
}

const struct target_functions mysql_target_functions = {
    .claimed = sql_claimed,
    .released = sql_released,
    .forget_run = mysql_forget_run,
    .tidy = mysql_tidy,
    .empty = sql_empty,
    .names = sql_names,
    .try_open = sql_try_open,
    .try_record = sql_try_record,
    .try_close = sql_try_close,
    .inspect = target_inspect,
    .check_table = mysql_check_table,
    .tell_changed = mysql_tell_changed,
    .caveats = target_caveats,
    .foretell = mysql_foretell,
    .script = mysql_script,
    .column_type = mysql_column_type,
    .prepare = mysql_prepare,
    .add_columns = mysql_add_columns,
    .alter_columns = mysql_alter_columns,
    .writer_open = mysql_writer_open,
    .writer_close = mysql_writer_close,
    .chunk_begin = mysql_writer_chunk_begin,
    .submit = mysql_writer_submit,
    .poll = mysql_writer_poll,
    .chunk_run = mysql_writer_run,
    .commit = mysql_writer_commit,
    .chunk_abandon = mysql_writer_chunk_abandon,
    .later_prepare = sql_later_prepare,
    .later_fill = sql_later_fill,
    .tell_rights = mysql_tell_rights,
    .after_load = mysql_after_load,
    .fetch = sql_fetch,
    .delete_records = sql_delete_records,
    .tell_partnerless = mysql_tell_partnerless,
    .highest_key = sql_highest_key,
    .count = target_count,
    .tell_orphans = sql_orphans_tell,
    .normal_form = target_normal_form,
    .hash_normal = target_hash_normal,
    .express_accepts = mysql_express_accepts,
    .express_chunk = mysql_express_chunk,
    .column_class = mysql_column_class,
    .normal_form_in_column = mysql_normal_form_in_column,
};

/* ---------------------------------------------------------------- many tables at once */

enum { MANY = 16 };

enum status mysql_look(struct mysql_database *self, MYSQL *connection, uint32_t table_count,
                       struct arena *arena, struct mysql_look *look, struct error *error)
{
    /* a server that folds names has tables under others than they were asked for by */
    *look = (struct mysql_look){.whole = table_count >= MANY && !self->folds_names};
    return look->whole ? mysql_catalog_read(self, connection, NULL, arena, &look->all, error)
                       : STATUS_OK;
}

enum status mysql_look_at(const struct mysql_look *look, struct mysql_database *self,
                          MYSQL *connection, const char *name, struct arena *arena,
                          struct mysql_table *table, struct error *error)
{
    if (look == NULL || !look->whole) {
        return mysql_target_describe(self, connection, name, arena, table, error);
    }
    const struct mysql_table *found = mysql_catalog_find(&look->all, name);
    if (found == NULL) {
        return STATUS_END;
    }
    *table = *found;
    return STATUS_OK;
}

void mysql_forget_seen(struct mysql_database *self)
{
    mysql_rights_free(self->rights);
    self->rights = NULL;
    arena_destroy(self->seen_arena);
    self->seen_arena = NULL;
    self->seen = NULL;
}
