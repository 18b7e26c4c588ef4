/* Orphaned rows (their foreign key points nowhere): deleted from the tables that a run made, and
 * told to the engine until the run has settled. */
#include "connectors/mysql/schema/orphans.h"
#include "base/failpoint.h"
#include "connectors/mysql/source.h"
#include "connectors/mysql/store.h"
#include "connectors/sql/finding.h"
#include "mysql_sql.h"
#include <string.h>
#include <strings.h>

static void append_kept(struct buffer *sql, const struct mysql_database *self, const char *table)
{
    char name[SQL_OWN_NAME_BYTES];
    sql_orphans_name(self->sql.run_id, table, name);
    mysql_append_table(sql, self, name);
}

/* ---------------------------------------------------------------- how they are asked for */

static void append_table(struct buffer *out, const void *self, const char *name)
{
    mysql_append_table(out, self, name);
}

static void append_literal(struct buffer *out, const void *self, const char *text)
{
    (void)self;
    mysql_append_string(out, text);
}

/* Bytes have no character set that they could be converted from. */
static void append_shown(struct buffer *out, const char *name)
{
    struct buffer text = {0};
    mysql_append(&text, "CONCAT(t.%n)", name);
    const char *shown = buffer_string(&text);
    buffer_format(out,
                  "COALESCE(LEFT(IF(CHARSET(%s) = 'binary', CONCAT('0x', HEX(%s)), CONVERT(%s "
                  "USING utf8mb4)), 80), 'NULL')",
                  shown, shown, shown);
    buffer_free(&text);
}

struct sql_orphans mysql_orphans(const struct mysql_database *self)
{
    return (struct sql_orphans){.self = self,
                                .append_table = append_table,
                                .append_name = mysql_append_name,
                                .append_literal = append_literal,
                                .append_shown = append_shown,
                                .joined_by = ", ",
                                .windowless = !mysql_has_windows(self)};
}

const char *mysql_orphans_cell(void *rows, uint32_t row, uint32_t column)
{
    mysql_data_seek(rows, row);
    MYSQL_ROW cells = mysql_fetch_row(rows);
    return cells != NULL && cells[column] != NULL ? cells[column] : "";
}

/* ---------------------------------------------------------------- room for them */

struct taking {
    struct mysql_database *self;
    MYSQL *connection;
    struct arena *arena;
    const struct sql_reference *references;
    uint32_t count;
    struct mysql_table *facts; /* of the touched tables, each in the place of its first reference */
};

static enum status orphans_execute(const struct taking *taking, struct buffer *sql,
                                   uint64_t *changed, struct error *error)
{
    enum status status = mysql_run_buffer(taking->self, taking->connection, sql, SQL_BUILD,
                                          ERROR_TARGET_WRITE, NULL, error);
    *changed = status == STATUS_OK ? mysql_affected_rows(taking->connection) : 0;
    return status;
}

static bool is_ours(const struct taking *taking, const char *schema, const char *table)
{
    bool found = false;
    for (uint32_t i = 0; !found && i < taking->count; i++) {
        found = strcasecmp(schema, taking->self->sql.schema) == 0 &&
                strcasecmp(table, taking->references[i].orphans.table) == 0;
    }
    return found;
}

/* With its checks off the server would leave records of others without a partner. */
static enum status refuse_others(const struct taking *taking, const char *table,
                                 struct error *error)
{
    struct buffer sql = {0};
    MYSQL_RES *referrers = NULL;
    MYSQL_ROW row = NULL;
    mysql_append_filled(&sql, sql_referrers, taking->self->sql.schema, table);
    enum status status = mysql_run_buffer(taking->self, taking->connection, &sql, SQL_LONG,
                                          ERROR_TARGET_INVALID, &referrers, error);
    while (status == STATUS_OK && (row = mysql_fetch_row(referrers)) != NULL) {
        if (!is_ours(taking, row[0], row[1])) {
            status = error_set(error, ERROR_TARGET_SCHEMA, table,
                               "orphaned rows can't be deleted from it: the foreign "
                               "key %s of %s.%s refers to it",
                               row[2], row[0], row[1]);
            error_hint(error, "drop that key, which the run did not make, then `transhume resume`");
        }
    }
    mysql_free_result(referrers);
    return status;
}

/* Before the transaction, which a new table would end. */
static enum status make_room(struct taking *taking, uint32_t number, struct error *error)
{
    const char *table = taking->references[number].orphans.table;
    struct mysql_table *facts = &taking->facts[number];
    struct buffer sql = {0};
    enum status status = refuse_others(taking, table, error);
    status = status == STATUS_OK ? mysql_target_describe(taking->self, taking->connection, table,
                                                         taking->arena, facts, error)
                                 : status;
    if (status != STATUS_OK) {
        return status == STATUS_END ? sql_refuse_dropped(table, error) : status;
    }
    char kept[SQL_OWN_NAME_BYTES];
    sql_orphans_name(taking->self->sql.run_id, table, kept);
    mysql_append(&sql, "CREATE TABLE IF NOT EXISTS %t", &taking->self->sql, kept);
    buffer_append_string(&sql, " (" SQL_ORPHANS_REASON " TEXT CHARACTER SET utf8mb4 NOT NULL, ");
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        if (!facts->columns[i].generated) {
            mysql_undo_append_column(&sql, facts, i, false);
        }
    }
    buffer_append_string(&sql, SQL_ORPHANS_NUMBER " BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY) "
                                                  "ENGINE=InnoDB ROW_FORMAT=DYNAMIC");
    status = mysql_run_buffer(taking->self, taking->connection, &sql, SQL_SHORT,
                              ERROR_TARGET_SCHEMA, NULL, error);
    return status == STATUS_OK ? mysql_check_own(taking->self, taking->connection, kept, error)
                               : status;
}

static const struct mysql_table *facts_of(const struct taking *taking, const char *table)
{
    const struct mysql_table *facts = NULL;
    for (uint32_t i = 0; facts == NULL && i < taking->count; i++) {
        facts = taking->facts[i].schema != NULL &&
                        strcmp(taking->references[i].orphans.table, table) == 0
                    ? &taking->facts[i]
                    : NULL;
    }
    return facts;
}

/* ---------------------------------------------------------------- taking them out */

static enum status orphans_keep(const struct taking *taking, const struct sql_orphans *orphans,
                                uint64_t *kept, struct error *error)
{
    const struct mysql_table *facts = facts_of(taking, orphans->table);
    struct buffer sql = {0};
    buffer_append_string(&sql, "INSERT INTO ");
    append_kept(&sql, taking->self, orphans->table);
    buffer_append_string(&sql, " (" SQL_ORPHANS_REASON);
    mysql_undo_append_columns(&sql, facts, "");
    buffer_append_string(&sql, ") SELECT CONCAT(");
    sql_orphans_append_reason(&sql, orphans);
    buffer_append_byte(&sql, ')');
    mysql_undo_append_columns(&sql, facts, "t.");
    sql_orphans_append_from(&sql, orphans);
    return orphans_execute(taking, &sql, kept, error);
}

/* By the values that found no partner, since a table may have no key, and MySQL deletes from none
 * that the condition asks. */
static enum status orphans_drop(const struct taking *taking, const struct sql_orphans *orphans,
                                int64_t last, uint64_t *gone, struct error *error)
{
    struct buffer sql = {0};
    mysql_append(&sql, "DELETE t FROM %t AS t JOIN (SELECT DISTINCT ", &taking->self->sql,
                 orphans->table);
    mysql_append_names(&sql, NULL, orphans->columns);
    buffer_append_string(&sql, " FROM ");
    append_kept(&sql, taking->self, orphans->table);
    buffer_format(&sql, " WHERE " SQL_ORPHANS_NUMBER " > %lld) AS l ON ", (long long)last);
    mysql_append_match(&sql, orphans->columns, "t", "l");
    return orphans_execute(taking, &sql, gone, error);
}

static enum status orphans_take(void *context, const struct sql_orphans *orphans, uint64_t *taken,
                                struct error *error)
{
    const struct taking *taking = context;
    struct buffer sql = {0};
    int64_t last = 0;
    uint64_t gone = 0;
    buffer_append_string(&sql, "SELECT max(" SQL_ORPHANS_NUMBER ") FROM ");
    append_kept(&sql, taking->self, orphans->table);
    enum status status = mysql_ask_number(taking->self, taking->connection, &sql, SQL_LONG,
                                          ERROR_TARGET_WRITE, 0, &last, error);
    status = status == STATUS_OK ? orphans_keep(taking, orphans, taken, error) : status;
    if (status == STATUS_OK && *taken > 0) {
        status = orphans_drop(taking, orphans, last, &gone, error);
        if (status == STATUS_OK && gone != *taken) {
            status = error_set(error, ERROR_TARGET_WRITE, orphans->table,
                               "%llu rows are orphaned, but %llu would be deleted",
                               (unsigned long long)*taken, (unsigned long long)gone);
            error_hint(error, "does somebody write to it? Then let that end, and `transhume "
                              "resume`");
        }
    }
    return status;
}

static enum status ask_number(void *context, struct buffer *sql, uint64_t *number,
                              struct error *error)
{
    const struct taking *taking = context;
    int64_t found = 0;
    enum status status = mysql_ask_number(taking->self, taking->connection, sql, SQL_BUILD,
                                          ERROR_TARGET_WRITE, 0, &found, error);
    *number = (uint64_t)found;
    return status;
}

static enum status take_all(struct taking *taking, struct sql_reference *references,
                            struct error *error)
{
    /* the connection may be a new one */
    enum status status = mysql_silence_keys(taking->self, taking->connection, true, error);
    status = status == STATUS_OK
                 ? sql_references_mend(references, taking->count, taking->self->sql.run_id,
                                       orphans_take, ask_number, taking, error)
                 : status;
    status =
        status == STATUS_OK ? mysql_check_claim(taking->self, taking->connection, error) : status;
    return status == STATUS_OK ? failpoint_hit("mysql.before_orphans", error) : status;
}

static enum status take_out(struct taking *taking, struct sql_reference *references,
                            struct error *error)
{
    struct mysql_database *self = taking->self;
    enum status status = mysql_control(self, &taking->connection, error);
    for (uint32_t i = 0; status == STATUS_OK && i < taking->count; i++) {
        if (references[i].touched &&
            sql_reference_is_first(references, taking->count, &references[i])) {
            status = make_room(taking, i, error);
        }
    }
    if (status == STATUS_OK) {
        status = failpoint_hit("mysql.before_taking", error);
    }
    if (status == STATUS_OK) {
        status = mysql_begin(self, &taking->connection, error);
    }
    if (status == STATUS_OK) {
        status = mysql_end(self, taking->connection, take_all(taking, references, error), error);
    }
    return status == STATUS_OK ? failpoint_hit("mysql.after_orphans", error) : status;
}

enum status mysql_orphans_take(struct mysql_database *self, struct sql_reference *references,
                               uint32_t count, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct taking taking = {.self = self, .arena = arena, .references = references, .count = count};
    taking.facts = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof *taking.facts);
    sql_references_reach(references, count);
    enum status status = take_out(&taking, references, error);
    arena_destroy(arena);
    return status;
}
