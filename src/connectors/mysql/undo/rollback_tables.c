/*
 * Taking a run back: tables that it made, tables that it filled, and what of others stands in the
 * way.
 *
 * DROP TABLE can't be part of a transaction. So a table that is to go gets a name of ours first,
 * in one step, then the ledger forgets it, then it is dropped: a crash leaves either a table that
 * the ledger knows, or one that nobody can take for the run's.
 */
#include "base/failpoint.h"
#include "connectors/mysql/rollback.h"
#include "connectors/mysql/schema/objects.h"
#include "connectors/sql/rollback.h"
#include "mysql_sql.h"
#include <string.h>
#include <strings.h>

/* mysql_own_name, of any run. */
static const char drop_prefix[] = "_transhume_" MYSQL_OWN_DROPPED "_";

/* ---------------------------------------------------------------- who refers to a table */

/* The rows of one foreign key. */
static void add_referrer(const struct mysql_database *self, MYSQL_ROW *rows, uint32_t count,
                         struct arena *arena, struct mysql_referrer *made)
{
    const char **columns = arena_allocate_zeroed(arena, count + 1u, sizeof *columns);
    const char **referenced = arena_allocate_zeroed(arena, count + 1u, sizeof *referenced);
    for (uint32_t i = 0; i < count; i++) {
        columns[i] = arena_copy_string(arena, rows[i][3]);
        referenced[i] = arena_copy_string(arena, rows[i][4]);
    }
    *made = (struct mysql_referrer){
        .schema = arena_copy_string(arena, rows[0][0]),
        .table = arena_copy_string(arena, rows[0][1]),
        .name = arena_copy_string(arena, rows[0][2]),
        .columns = {columns, count},
        .referenced = {referenced, count},
        .own = strcmp(rows[0][0], self->sql.schema) == 0 && strcmp(rows[0][1], rows[0][5]) == 0,
        .going = strncasecmp(rows[0][1], drop_prefix, strlen(drop_prefix)) == 0};
}

static bool same_key(MYSQL_ROW left, MYSQL_ROW right)
{
    return strcmp(left[0], right[0]) == 0 && strcmp(left[1], right[1]) == 0 &&
           strcmp(left[2], right[2]) == 0;
}

static void build_referrers(const struct mysql_database *self, MYSQL_RES *result, const char *table,
                            struct arena *arena, struct mysql_referrer **referrers, uint32_t *count)
{
    uint64_t row_count = mysql_num_rows(result);
    MYSQL_ROW *rows = arena_allocate_zeroed(arena, (size_t)row_count + 1, sizeof(MYSQL_ROW));
    uint32_t used = 0;
    MYSQL_ROW row = NULL;
    *referrers = arena_allocate_zeroed(arena, (size_t)row_count + 1, sizeof **referrers);
    while ((row = mysql_fetch_row(result)) != NULL) {
        /* information_schema compares names without case */
        if (self->folds_names || strcmp(row[5], table) == 0) {
            rows[used++] = row;
        }
    }
    for (uint32_t first = 0; first < used;) {
        uint32_t end = first + 1;
        while (end < used && same_key(rows[first], rows[end])) {
            end++;
        }
        add_referrer(self, &rows[first], end - first, arena, &(*referrers)[(*count)++]);
        first = end;
    }
}

enum status mysql_referrers_read(struct mysql_database *self, MYSQL *connection, const char *table,
                                 struct arena *arena, struct mysql_referrer **referrers,
                                 uint32_t *count, struct error *error)
{
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    *count = 0;
    mysql_append_filled(&sql, sql_referrers, self->sql.schema, table);
    enum status status =
        mysql_run_buffer(self, connection, &sql, SQL_LONG, ERROR_TARGET_INVALID, &result, error);
    if (status == STATUS_OK) {
        build_referrers(self, result, table, arena, referrers, count);
    }
    mysql_free_result(result);
    return status;
}

void mysql_append_place(struct buffer *sql, const char *schema, const char *table)
{
    mysql_append(sql, "%n.%n", schema, table);
}

void mysql_referrer_append_pairs(struct buffer *sql, const struct mysql_referrer *referrer)
{
    for (uint32_t i = 0; i < referrer->columns.count; i++) {
        mysql_append(sql, "%s%n = t.%n", i > 0 ? " AND r." : "r.", referrer->columns.names[i],
                     referrer->referenced.names[i]);
    }
}

void mysql_referrer_append_join(struct buffer *sql, const struct mysql_referrer *referrer)
{
    buffer_append_string(sql, " JOIN ");
    mysql_append_place(sql, referrer->schema, referrer->table);
    buffer_append_string(sql, " AS r ON ");
    mysql_referrer_append_pairs(sql, referrer);
}

/* ---------------------------------------------------------------- what others made */

struct removing {
    struct mysql_database *self;
    MYSQL *connection;
    struct arena *arena;
    const struct target_table *table;
    struct mysql_referrer *referrers;
    uint32_t referrer_count;
    char aside[SQL_OWN_NAME_BYTES];
    struct error *error;
};

static enum status rollback_tables_refuse(const struct removing *removing,
                                          const struct mysql_referrer *referrer)
{
    error_set(removing->error, ERROR_ROLLBACK_REFUSED, removing->table->name,
              "a foreign key of %s.%s refers to it", referrer->schema, referrer->table);
    error_hint(removing->error, "others made this since: drop it, then roll back again");
    return STATUS_FAILED;
}

/* Is it a table of this run, which goes too or loses its foreign key, or one that is going? */
static enum status is_of_run(const struct removing *removing, const struct mysql_referrer *referrer,
                             bool *of_run)
{
    enum mysql_making making = MYSQL_NOT_MADE;
    *of_run = referrer->own || referrer->going;
    if (*of_run || strcmp(referrer->schema, removing->self->sql.schema) != 0) {
        return STATUS_OK;
    }
    enum status status = mysql_find_making(removing->self, removing->connection, referrer->table,
                                           &making, removing->error);
    *of_run = making != MYSQL_NOT_MADE;
    return status;
}

static enum status refuse_references(const struct removing *removing)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < removing->referrer_count; i++) {
        const struct mysql_referrer *referrer = &removing->referrers[i];
        bool of_run = false;
        status = is_of_run(removing, referrer, &of_run);
        status =
            status == STATUS_OK && !of_run ? rollback_tables_refuse(removing, referrer) : status;
    }
    return status;
}

static enum status refuse_others(const struct removing *removing)
{
    return refuse_references(removing) == STATUS_OK
               ? mysql_refuse_readers(removing->self, removing->connection, removing->table->name,
                                      removing->error)
               : STATUS_FAILED;
}

/* ---------------------------------------------------------------- a table that the run made */

/* `table`: that it takes for itself alone. */
static enum status rollback_tables_run(const struct removing *removing, struct buffer *sql,
                                       const char *table)
{
    return mysql_alter_unchecked(removing->self, removing->connection, sql, table, removing->error);
}

static enum status drop_references(const struct removing *removing)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < removing->referrer_count; i++) {
        const struct mysql_referrer *referrer = &removing->referrers[i];
        struct buffer sql = {0};
        if (referrer->own) {
            continue;
        }
        buffer_append_string(&sql, "ALTER TABLE ");
        mysql_append_place(&sql, referrer->schema, referrer->table);
        mysql_append(&sql, " DROP FOREIGN KEY %n", referrer->name);
        status = rollback_tables_run(removing, &sql, referrer->table);
    }
    return status;
}

static enum status put_aside(const struct removing *removing)
{
    struct buffer sql = {0};
    if (refuse_others(removing) != STATUS_OK || drop_references(removing) != STATUS_OK ||
        failpoint_hit("mysql.before_remove_table", removing->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    mysql_append(&sql, "RENAME TABLE %t TO %t", &removing->self->sql, removing->table->name,
                 &removing->self->sql, removing->aside);
    return rollback_tables_run(removing, &sql, removing->table->name) == STATUS_OK
               ? failpoint_hit("mysql.after_rename", removing->error)
               : STATUS_FAILED;
}

static enum status forget_within(const struct removing *removing)
{
    struct mysql_database *self = removing->self;
    if (mysql_check_claim(self, removing->connection, removing->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return mysql_note_making(self, removing->connection, removing->table->name, MYSQL_NOT_MADE,
                             removing->error);
}

static enum status forget_made(struct removing *removing)
{
    return mysql_begin(removing->self, &removing->connection, removing->error) == STATUS_OK
               ? mysql_end(removing->self, removing->connection, forget_within(removing),
                           removing->error)
               : STATUS_FAILED;
}

static enum status rollback_tables_describe(const struct removing *removing, const char *name,
                                            struct mysql_table *facts)
{
    return mysql_target_describe(removing->self, removing->connection, name, removing->arena, facts,
                                 removing->error);
}

/* While both are there, the one with the run's name is somebody else's. */
static enum status remove_made(struct removing *removing, enum mysql_making making)
{
    struct mysql_table facts;
    struct buffer sql = {0};
    enum status aside = rollback_tables_describe(removing, removing->aside, &facts);
    enum status status = aside == STATUS_END
                             ? rollback_tables_describe(removing, removing->table->name, &facts)
                             : STATUS_END;
    if (aside == STATUS_FAILED || status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    bool ours = making == MYSQL_MADE || (making == MYSQL_INTENDED && status == STATUS_OK &&
                                         mysql_is_marked(removing->self, &facts));
    if (status == STATUS_OK && ours && put_aside(removing) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if ((making != MYSQL_NOT_MADE && forget_made(removing) != STATUS_OK) ||
        failpoint_hit("mysql.before_drop", removing->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    mysql_append(&sql, "DROP TABLE IF EXISTS %t", &removing->self->sql, removing->aside);
    return rollback_tables_run(removing, &sql, removing->aside);
}

/* ---------------------------------------------------------------- a table that was there */

static enum status refuse_reaching(const struct removing *removing)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < removing->referrer_count; i++) {
        const struct mysql_referrer *referrer = &removing->referrers[i];
        struct buffer sql = {0};
        int64_t found = 0;
        if (referrer->own || referrer->going) {
            continue;
        }
        mysql_append(&sql, "SELECT EXISTS (SELECT 1 FROM %t AS t", &removing->self->sql,
                     removing->table->name);
        mysql_referrer_append_join(&sql, referrer);
        buffer_append_byte(&sql, ')');
        status = mysql_ask_number(removing->self, removing->connection, &sql, SQL_LONG,
                                  ERROR_TARGET_WRITE, 0, &found, removing->error);
        if (status == STATUS_OK && found != 0) {
            error_set(removing->error, ERROR_ROLLBACK_REFUSED, removing->table->name,
                      "records of %s.%s refer to those of the run", referrer->schema,
                      referrer->table);
            error_hint(removing->error, "move them away first, then roll back again");
            status = STATUS_FAILED;
        }
    }
    return status;
}

static enum status empty_within(const struct removing *removing)
{
    struct buffer sql = {0};
    if (mysql_check_claim(removing->self, removing->connection, removing->error) != STATUS_OK ||
        refuse_reaching(removing) != STATUS_OK) {
        return STATUS_FAILED;
    }
    mysql_append(&sql, "DELETE FROM %t", &removing->self->sql, removing->table->name);
    if (rollback_tables_run(removing, &sql, removing->table->name) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* A trigger can't do something else instead, but may write into the table from another one. */
    mysql_append(&sql, "SELECT 1 FROM %t LIMIT 1", &removing->self->sql, removing->table->name);
    if (sql_refuse_left(&removing->self->sql, removing->table->name, &sql, removing->error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    return failpoint_hit("mysql.before_remove_table", removing->error);
}

static enum status empty(struct removing *removing)
{
    struct mysql_table facts;
    enum status status = rollback_tables_describe(removing, removing->table->name, &facts);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    return mysql_begin(removing->self, &removing->connection, removing->error) == STATUS_OK
               ? mysql_end(removing->self, removing->connection, empty_within(removing),
                           removing->error)
               : STATUS_FAILED;
}

/* ---------------------------------------------------------------- what the engine calls */

static enum status rollback_tables_begin(struct removing *removing, struct database *database,
                                         const struct target_table *table,
                                         enum mysql_making *making, struct error *error)
{
    *removing = (struct removing){.self = mysql_database_of(database),
                                  .arena = arena_create(0),
                                  .table = table,
                                  .error = error};
    mysql_own_name(removing->self, MYSQL_OWN_DROPPED, table->name, removing->aside);
    if (mysql_control(removing->self, &removing->connection, error) != STATUS_OK ||
        mysql_check_claim(removing->self, removing->connection, error) != STATUS_OK ||
        mysql_find_making(removing->self, removing->connection, table->name, making, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    return mysql_referrers_read(removing->self, removing->connection, table->name, removing->arena,
                                &removing->referrers, &removing->referrer_count, error);
}

enum status mysql_can_remove(struct database *database, const struct target_table *table,
                             struct error *error)
{
    struct removing removing;
    enum mysql_making making = MYSQL_NOT_MADE;
    enum status status = rollback_tables_begin(&removing, database, table, &making, error);
    status = status == STATUS_OK && making != MYSQL_NOT_MADE ? refuse_others(&removing) : status;
    arena_destroy(removing.arena);
    return status;
}

enum status mysql_remove_table(struct database *database, const struct target_table *table,
                               struct error *error)
{
    struct removing removing;
    enum mysql_making making = MYSQL_NOT_MADE;
    enum status status = rollback_tables_begin(&removing, database, table, &making, error);
    if (status == STATUS_OK && table->created) {
        status = remove_made(&removing, making);
    } else if (status == STATUS_OK && making == MYSQL_NOT_MADE) {
        status = empty(&removing);
    }
    arena_destroy(removing.arena);
    return status == STATUS_OK ? failpoint_hit("mysql.after_remove_table", error) : status;
}
