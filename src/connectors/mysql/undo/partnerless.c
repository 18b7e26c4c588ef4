/* Records that refer to what was taken out of a table. */
#include "connectors/mysql/rollback.h"
#include "connectors/mysql/schema/orphans.h"
#include <string.h>

struct asking {
    struct mysql_database *self;
    MYSQL *connection;
    struct arena *arena;
    const struct target_table *table; /* that is referred to */
    struct buffer *out;
    struct buffer *unasked;
    struct error *error;
};

/* One key of the table. */
struct asked {
    const struct mysql_database *self;
    const struct mysql_referrer *referrer;
    const char *shown; /* what sql_orphans calls the referring table */
};

static void append_place(struct buffer *out, const void *self, const char *name)
{
    const struct asked *asked = self;
    if (name == asked->shown) {
        mysql_append_place(out, asked->referrer->schema, asked->referrer->table);
    } else {
        mysql_append_table(out, asked->self, name);
    }
}

/* The columns of its primary key; none: it has none. */
static enum status read_key(const struct asking *asking, const struct mysql_referrer *referrer,
                            struct column_list *key)
{
    MYSQL_RES *rows = NULL;
    MYSQL_ROW row = NULL;
    enum status status = mysql_run_buffer(
        asking->self, asking->connection,
        mysql_filled("SELECT column_name FROM information_schema.key_column_usage WHERE "
                     "table_schema = $1 AND table_name = $2 AND constraint_schema = $1 AND "
                     "constraint_name = 'PRIMARY' ORDER BY ordinal_position",
                     referrer->schema, referrer->table),
        SQL_LONG, ERROR_TARGET_INVALID, &rows, asking->error);
    const char **names = NULL;
    if (status == STATUS_OK) {
        names =
            arena_allocate_zeroed(asking->arena, (size_t)mysql_num_rows(rows) + 1, sizeof *names);
    }
    *key = (struct column_list){.names = names};
    while (status == STATUS_OK && (row = mysql_fetch_row(rows)) != NULL) {
        names[key->count++] = arena_copy_string(asking->arena, row[0]);
    }
    mysql_free_result(rows);
    return status;
}

static enum status partnerless_ask(const struct asking *asking, const struct sql_orphans *orphans)
{
    struct buffer sql = {0};
    MYSQL_RES *rows = NULL;
    sql_orphans_append_query(&sql, orphans);
    if (mysql_run_buffer(asking->self, asking->connection, &sql, SQL_BUILD, ERROR_TARGET_INVALID,
                         &rows, asking->error) != STATUS_OK) {
        return sql_orphans_pass_over(asking->unasked, orphans,
                                     mysql_is_lost((unsigned)asking->error->native_code),
                                     asking->error);
    }
    sql_orphans_append_line(asking->out, orphans, (uint32_t)mysql_num_rows(rows),
                            mysql_orphans_cell, rows);
    mysql_free_result(rows);
    return STATUS_OK;
}

static enum status ask_key(const struct asking *asking, const struct mysql_referrer *referrer)
{
    bool own = strcmp(referrer->schema, asking->self->sql.schema) == 0;
    struct asked asked = {asking->self, referrer, NULL};
    struct sql_orphans orphans = mysql_orphans(asking->self);
    asked.shown = arena_format(asking->arena, "%s%s%s", own ? "" : referrer->schema, own ? "" : ".",
                               referrer->table);
    orphans.self = &asked;
    orphans.append_table = append_place;
    orphans.table = asked.shown;
    orphans.columns = referrer->columns;
    orphans.partner = asking->table->name;
    orphans.referenced = referrer->referenced;
    orphans.name = referrer->name;
    enum status status = read_key(asking, referrer, &orphans.key);
    return status == STATUS_OK ? partnerless_ask(asking, &orphans) : status;
}

enum status mysql_tell_partnerless(struct database *database, const struct target_table *table,
                                   struct buffer *out, struct buffer *unasked, struct error *error)
{
    struct asking asking = {
        mysql_database_of(database), NULL, arena_create(0), table, out, unasked, error};
    struct mysql_referrer *referrers = NULL;
    uint32_t count = 0;
    enum status status = mysql_control(asking.self, &asking.connection, error);
    if (status == STATUS_OK) {
        status = mysql_referrers_read(asking.self, asking.connection, table->name, asking.arena,
                                      &referrers, &count, error);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        status = referrers[i].going ? STATUS_OK : ask_key(&asking, &referrers[i]);
    }
    arena_destroy(asking.arena);
    return status;
}
