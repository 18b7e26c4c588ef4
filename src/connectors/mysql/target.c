/* MySQL and MariaDB as a target: what the engine calls, looking at tables, counting. */
#include "connectors/mysql/copy/later.h"
#include "connectors/mysql/schema/definers.h"
#include "connectors/mysql/schema/orphans.h"
#include "connectors/mysql/schema/rebuild.h"
#include "connectors/mysql/schema/workers.h"
#include "connectors/sql/check.h"
#include "connectors/sql/finding.h"

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

/* The look that is taken here answers check_table, too. */
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
    .inspect = target_inspect,
    .check_table = mysql_check_table,
    .prepare = mysql_prepare,
    .writer_open = mysql_writer_open,
    .writer_close = mysql_writer_close,
    .chunk_begin = mysql_writer_chunk_begin,
    .submit = mysql_writer_submit,
    .poll = mysql_writer_poll,
    .commit = mysql_writer_commit,
    .chunk_abandon = mysql_writer_chunk_abandon,
    .after_load = mysql_after_load,
    .fetch = sql_fetch,
    .delete_records = sql_delete_records,
    .count = target_count,
    .normal_form = target_normal_form,
    .hash_normal = target_hash_normal,
};

const struct sql_target_functions mysql_sql_target_functions = {
    .rules = {.defaults = true,
              .counting = COUNTING_INDEXED,
              .no_set_default = true,
              .references_alike = true,
              .references_indexed = true},
    .rebuilds = mysql_foretell,
    .chunk_run = mysql_writer_run,
    .later_prepare = sql_later_prepare,
    .later_fill = sql_later_fill,
    .rights_left = mysql_tell_rights,
    .partnerless = mysql_tell_partnerless,
    .highest_key = sql_highest_key,
    .orphans = sql_orphans_tell,
};

const struct column_functions mysql_column_functions = {
    .type = mysql_column_type,
    .add = mysql_add_columns,
    .alter = mysql_alter_columns,
    .value_class = mysql_column_class,
    .normal_form = mysql_normal_form_in_column,
};

const struct forecast_functions mysql_forecast_functions = {
    .differences = mysql_tell_changed,
    .caveats = target_caveats,
    .script = mysql_script,
};

const struct express_functions mysql_express_functions = {
    .accepts = mysql_express_accepts,
    .chunk = mysql_express_chunk,
};
