/* Taking a run's records back, table by table. What is asked of undo tables stands in target.h. */
#include "connectors/mysql/rollback.h"
#include "base/failpoint.h"
#include "connectors/mysql/later.h"
#include "connectors/mysql/objects.h"
#include "connectors/sql/rollback.h"
#include <string.h>
#include <strings.h>

static enum status can_undo(struct database *database, const struct target_table *table,
                            struct buffer *why, struct error *error)
{
    enum { OWN_COLUMNS = 4 };
    struct mysql_database *self = mysql_database_of(database);
    struct arena *arena = arena_create(0);
    struct mysql_table facts;
    MYSQL *connection = NULL;
    enum status status = mysql_control(self, &connection, error);
    if (status == STATUS_OK) {
        status = mysql_target_describe(self, connection, table->name, arena, &facts, error);
        const char *reason =
            status == STATUS_OK
                ? sql_undo_why_not(facts.schema, table, MYSQL_COLUMNS_MAX - OWN_COLUMNS, strcasecmp)
                : NULL;
        buffer_append_string(why, reason != NULL ? reason : "");
        /* one that is not there will be made with its key */
        status = status == STATUS_FAILED ? status : reason != NULL ? STATUS_END : STATUS_OK;
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- what is known */

/* Only columns that were there when the run wrote are compared and restored. */
static enum status find_columns(struct mysql_undoing *undoing, const struct mysql_table *undo)
{
    uint32_t count = undo->schema->column_count;
    undoing->columns = arena_allocate_zeroed(undoing->arena, count + 1u, sizeof *undoing->columns);
    for (uint32_t i = 0; i < count; i++) {
        if (mysql_undo_is_own(undo->columns[i].name)) {
            continue;
        }
        int32_t at = mysql_find_column(&undoing->facts, undo->columns[i].name);
        if (at < 0 || undoing->facts.columns[at].generated) {
            return sql_refuse_altered(undoing->facts.schema->name, NULL, undoing->error);
        }
        if (strcmp(undo->schema->columns[i].type.native,
                   undoing->facts.schema->columns[at].type.native) != 0) {
            undoing->retyped = undoing->facts.columns[at].name;
        }
        undoing->columns[undoing->column_count++] = undoing->facts.columns[at];
    }
    undoing->key = undo->schema->primary_key;
    return undoing->key.count > 0
               ? STATUS_OK
               : sql_refuse_altered(undoing->facts.schema->name, NULL, undoing->error);
}

/* STATUS_END: there is nothing (any more) to be undone. */
static enum status find_undo(struct mysql_undoing *undoing, const struct target_table *table,
                             bool deleted)
{
    struct mysql_database *self = undoing->self;
    struct mysql_table undo;
    enum mysql_making making = MYSQL_NOT_MADE;
    undoing->undo_name = sql_undo_name(undoing->arena, self->sql.run_id, table->name);
    if (mysql_find_making(self, undoing->connection, undoing->undo_name, &making, undoing->error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = making == MYSQL_UNDONE
                             ? STATUS_END
                             : mysql_target_describe(self, undoing->connection, undoing->undo_name,
                                                     undoing->arena, &undo, undoing->error);
    status = status == STATUS_OK
                 ? mysql_target_describe(self, undoing->connection, table->name, undoing->arena,
                                         &undoing->facts, undoing->error)
                 : status;
    status = status == STATUS_OK ? find_columns(undoing, &undo) : status;
    if (status != STATUS_OK || deleted) {
        return status;
    }
    const struct sql_table facts = mysql_table_of(&undoing->facts);
    const struct sql_table kept = mysql_table_of(&undo);
    return sql_find_added(&self->sql, &facts, &kept, "t", &undoing->foreign, undoing->error);
}

/* ---------------------------------------------------------------- a table */

static enum status undo_within(struct mysql_undoing *undoing, const struct target_table *table,
                               bool deleted, bool dry_run, struct undo_counts *counts)
{
    enum status status = mysql_check_claim(undoing->self, undoing->connection, undoing->error);
    status = status == STATUS_OK ? find_undo(undoing, table, deleted) : status;
    if (status != STATUS_OK) {
        undoing->drops = status == STATUS_END;
        return status == STATUS_END ? STATUS_OK : status;
    }
    if (deleted) {
        status =
            dry_run ? mysql_count_deleted(undoing, counts) : mysql_undo_deleted(undoing, counts);
    } else {
        status =
            dry_run ? mysql_count_fates(undoing, false, counts) : mysql_undo_keys(undoing, counts);
    }
    if (status == STATUS_OK && dry_run) {
        status = mysql_count_differing(undoing, &counts->differing);
    }
    return status == STATUS_OK && !dry_run ? failpoint_hit("mysql.before_undo", undoing->error)
                                           : status;
}

/* The ledger says by now that it is of no more use. */
static enum status drop_undo(const struct mysql_undoing *undoing)
{
    struct buffer sql = {0};
    if (undoing->undo_name == NULL || !undoing->drops) {
        return STATUS_OK;
    }
    mysql_append(&sql, "DROP TABLE IF EXISTS %t", &undoing->self->sql, undoing->undo_name);
    return mysql_run_buffer(undoing->self, undoing->connection, &sql, SQL_LONG, ERROR_TARGET_WRITE,
                            NULL, undoing->error);
}

enum status mysql_undo_table(struct sql_database *database, const struct target_table *table,
                             bool deleted, bool dry_run, struct undo_counts *counts,
                             struct error *error)
{
    struct mysql_undoing undoing = {.self = mysql_database_of(&database->base),
                                    .arena = arena_create(0),
                                    .takes_out = table->takes_out,
                                    .error = error};

    enum status status = mysql_begin(undoing.self, &undoing.connection, error);
    if (status == STATUS_OK) {
        status = mysql_end(undoing.self, undoing.connection,
                           undo_within(&undoing, table, deleted, dry_run, counts), error);
    }
    if (status == STATUS_OK && !dry_run) {
        status = failpoint_hit("mysql.after_undo", error);
        status = status == STATUS_OK ? drop_undo(&undoing) : status;
    }
    buffer_free(&undoing.foreign);
    arena_destroy(undoing.arena);
    return status;
}

const struct rollback_functions mysql_rollback_functions = {
    .can_undo = can_undo,
    .undo = sql_undo,
    .loosen = mysql_later_loosen,
    .undo_deleted = sql_undo_deleted,
    .sum_columns = sql_sum_columns,
    .find_foreign = sql_find_foreign,
    .was_made = sql_was_made,
    .can_remove = mysql_can_remove,
    .remove_table = mysql_remove_table,
    .remove_objects = mysql_remove_objects,
};
