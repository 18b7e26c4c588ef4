/* MySQL and MariaDB as a target: transactions of the control thread, looking at tables, counting.
 */
#include "connectors/mysql/crew.h"
#include "connectors/mysql/locks.h"
#include "connectors/mysql/orphans.h"
#include "connectors/mysql/rebuild.h"
#include <string.h>

const struct sql_rules maria_rules = {
    .truth_is_number = true, .zone_dropped = true, .zero_unsigned = true};

enum status maria_begin(struct maria_database *self, MYSQL **connection, struct error *error)
{
    if (maria_is_alive(self->control) && maria_has_spoken(self->control)) {
        maria_disconnect(self->control);
        self->control = NULL;
    }
    if (maria_control(self, connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return maria_query(self, *connection, "START TRANSACTION", MARIA_SHORT, ERROR_TARGET_WRITE,
                       NULL, error);
}

enum status maria_end(struct maria_database *self, MYSQL *connection, enum status status,
                      struct error *error)
{
    struct error ignored = {0};
    if (status == STATUS_OK) {
        return maria_query(self, connection, "COMMIT", MARIA_SHORT, ERROR_TARGET_WRITE, NULL,
                           error);
    }
    /* what can't be rolled back goes with its connection */
    if (maria_query(self, connection, "ROLLBACK", MARIA_SHORT, ERROR_TARGET_WRITE, NULL,
                    &ignored) != STATUS_OK &&
        connection == self->control) {
        maria_disconnect(self->control);
        self->control = NULL;
    }
    return status;
}

enum status maria_silence_keys(struct maria_database *self, MYSQL *connection, bool off,
                               struct error *error)
{
    return maria_query(self, connection,
                       off ? "SET foreign_key_checks = 0" : "SET foreign_key_checks = 1",
                       MARIA_SHORT, ERROR_TARGET_WRITE, NULL, error);
}

/* A session that is lost takes its settings along. */
static enum status check_again(struct maria_database *self, MYSQL *connection, enum status status,
                               struct error *error)
{
    struct error ignored = {0};
    bool good = status == STATUS_OK;
    enum status back = maria_silence_keys(self, connection, false, good ? error : &ignored);
    return good ? back : status;
}

enum status maria_alter_unchecked(struct maria_database *self, MYSQL *connection,
                                  struct buffer *sql, const char *table, struct error *error)
{
    enum status status = maria_silence_keys(self, connection, true, error);
    if (status != STATUS_OK) {
        buffer_free(sql);
        return status;
    }
    status = maria_alter(self, connection, sql, table, MARIA_LONG, ERROR_TARGET_WRITE, error);
    return check_again(self, connection, status, error);
}

enum status maria_run_unchecked(struct maria_database *self, MYSQL *connection, struct buffer *sql,
                                uint64_t *changed, struct error *error)
{
    enum status status = maria_silence_keys(self, connection, true, error);
    if (status != STATUS_OK) {
        buffer_free(sql);
        return status;
    }
    status = maria_query_buffer(self, connection, sql, MARIA_LONG, ERROR_TARGET_WRITE, NULL, error);
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
    return characters <= MARIA_NAME_CHARACTERS_MAX && text_is_utf8(name, strlen(name));
}

enum status maria_target_describe(struct maria_database *self, MYSQL *connection, const char *name,
                                  struct arena *arena, struct maria_table *table,
                                  struct error *error)
{
    struct maria_catalog catalog;
    if (!is_name(name)) {
        return STATUS_END;
    }
    if (maria_catalog_read(self, connection, name, arena, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (catalog.table_count == 0) {
        return STATUS_END;
    }
    *table = catalog.tables[0];
    return STATUS_OK;
}

static enum status inspect_one(struct maria_database *self, MYSQL *connection, const char *name,
                               bool *table_exists, bool *record_exists, struct error *error)
{
    struct maria_table facts;
    int64_t found = 0;
    struct arena *arena = arena_create(0);
    enum status status = maria_look_at(self->seen, self, connection, name, arena, &facts, error);

    *table_exists = status == STATUS_OK;
    *record_exists = false;
    if (*table_exists) {
        struct buffer sql = {0};
        buffer_append_string(&sql, "SELECT EXISTS (SELECT 1 FROM ");
        maria_append_table(&sql, self, name);
        buffer_append_byte(&sql, ')');
        status = maria_ask_number(self, connection, &sql, MARIA_LONG, ERROR_TARGET_INVALID, 0,
                                  &found, error);
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
    struct maria_database *self = maria_database_of(database);
    MYSQL *connection = NULL;
    maria_forget_seen(self);
    self->seen_arena = arena_create(0);
    struct maria_look *seen = arena_allocate_zeroed(self->seen_arena, 1, sizeof *seen);
    enum status status = maria_control(self, &connection, error);
    status = status == STATUS_OK
                 ? maria_look(self, connection, table_count, self->seen_arena, seen, error)
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
    struct maria_database *self = maria_database_of(database);
    MYSQL *connection = NULL;
    return maria_control(self, &connection, error) == STATUS_OK
               ? maria_count(self, connection, table, count, error)
               : STATUS_FAILED;
}

static enum status target_normal_form(struct database *database, const struct cell *cell,
                                      struct arena *arena, struct cell *normal, struct error *error)
{
    (void)database;
    return sql_normal_form(&maria_rules, cell, arena, normal, error);
}

static enum status target_hash_normal(struct database *database, const uint64_t *seeds,
                                      const struct cell *cells, uint32_t count,
                                      struct field_hasher *hasher, uint32_t *hashed,
                                      struct error *error)
{
    (void)database;
    return sql_hash_normal(&maria_rules, seeds, cells, count, hasher, hashed, error);
}

static enum status target_caveats(struct database *database, struct buffer *out,
                                  struct error *error)
{
    (void)error;
    const struct maria_database *self = maria_database_of(database);
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

const struct target_functions maria_target_functions = {
    .claimed = maria_claimed,
    .released = maria_released,
    .forget_run = maria_forget_run,
    .tidy = maria_tidy,
    .empty = maria_empty,
    .inspect = target_inspect,
    .check_table = maria_check_table,
    .caveats = target_caveats,
    .foretell = maria_foretell,
    .prepare = maria_prepare,
    .writer_open = maria_writer_open,
    .writer_close = maria_writer_close,
    .chunk_begin = maria_writer_chunk_begin,
    .submit = maria_writer_submit,
    .poll = maria_writer_poll,
    .commit = maria_writer_commit,
    .chunk_abandon = maria_writer_chunk_abandon,
    .after_load = maria_after_load,
    .fetch = maria_fetch,
    .delete_records = maria_delete_records,
    .tell_partnerless = maria_tell_partnerless,
    .count = target_count,
    .tell_orphans = maria_orphans_tell,
    .normal_form = target_normal_form,
    .hash_normal = target_hash_normal,
    .express_accepts = maria_express_accepts,
    .express_chunk = maria_express_chunk,
    .column_class = maria_column_class,
    .normal_form_in_column = maria_normal_form_in_column,
};
