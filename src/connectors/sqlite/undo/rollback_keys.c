/* Taking a run's records back key by key, by its undo records (undo.c): what is SQLite's own of
 * it. */
#include "connectors/sql/rollback.h"
#include "connectors/sqlite/ledger_internal.h"
#include <string.h>

struct sqlite_undoing {
    struct sql_undoing base;
    struct sqlite_target_table kept; /* the table, with those columns that the undo table knows */
    bool tried;                      /* all at once, already */
};

static struct sqlite_database *file_of(const struct sql_undoing *undoing)
{
    return sqlite_database_of(&undoing->self->base);
}

static enum status undo_failed(struct sql_undoing *undoing, int result)
{
    struct sqlite_database *self = file_of(undoing);
    return sqlite_target_error(self, self->control, result, ERROR_TARGET_WRITE,
                               "the run's records can't be taken back", undoing->error);
}

static enum status undo_execute(struct sql_undoing *undoing, struct buffer *sql, uint64_t *changed)
{
    sqlite3 *control = file_of(undoing)->control;
    int result = sqlite3_exec(control, buffer_string(sql), NULL, NULL, NULL);
    buffer_free(sql);
    if (changed != NULL) {
        *changed = (uint64_t)sqlite3_changes64(control);
    }
    return result == SQLITE_OK ? STATUS_OK : undo_failed(undoing, result);
}

static enum status undo_prepare_statement(struct sql_undoing *undoing, struct buffer *sql,
                                          sqlite3_stmt **statement)
{
    struct sqlite_database *self = file_of(undoing);
    enum status status =
        sqlite_target_prepare_buffer(self, self->control, sql, statement, undoing->error);
    buffer_free(sql);
    return status;
}

static enum status kinds_count(struct sql_undoing *undoing, struct buffer *sql, uint64_t *counts,
                               uint32_t kinds)
{
    sqlite3_stmt *rows = NULL;
    enum status status = undo_prepare_statement(undoing, sql, &rows);
    while (status == STATUS_OK &&
           (status = sqlite_step(file_of(undoing), rows, undoing->error)) == STATUS_OK) {
        int64_t kind = sqlite3_column_int64(rows, 0);
        if (kind >= 0 && kind < kinds) {
            counts[kind] = (uint64_t)sqlite3_column_int64(rows, 1);
        }
    }
    sqlite3_finalize(rows);
    return status == STATUS_END ? STATUS_OK : status;
}

static void append_hash(const struct sql_undoing *undoing, struct buffer *sql, const char *alias,
                        bool of_image)
{
    sqlite_undo_append_hash(&((const struct sqlite_undoing *)undoing)->kept, alias, of_image, sql);
}

/* ---------------------------------------------------------------- the undo table */

/* No trigger saw what a repair wrote or took out, none sees it go or come. */
static enum status undo_open(struct sql_undoing *undoing)
{
    struct sqlite_database *self = file_of(undoing);
    sqlite_triggers_set(self->control, !self->sql.base.triggers_off);
    return sqlite_undo_register(self, self->control, undoing->error);
}

static void undo_close(struct sql_undoing *undoing)
{
    sqlite_triggers_set(file_of(undoing)->control, true);
}

/* Undo records of earlier versions do not say which affinity it had. */
static bool is_retyped(const struct sqlite_target_column *kept,
                       const struct sqlite_target_column *column)
{
    static const char prefix[] = "BLOB_";
    return strncmp(kept->declared_type, prefix, strlen(prefix)) == 0 &&
           kept->declared_type[strlen(prefix)] != sqlite_affinity_letter(column->affinity);
}

/* Only columns that were there when the run wrote are compared and restored. */
static enum status find_columns(struct sql_undoing *undoing)
{
    struct sqlite_undoing *own = (struct sqlite_undoing *)undoing;
    const struct sqlite_target_table *undo = sqlite_facts_of(&undoing->undo);
    const struct sqlite_target_table *facts = sqlite_facts_of(&undoing->facts);
    uint32_t count = undo->column_count;
    own->kept = *facts;
    own->kept.columns = arena_allocate_zeroed(undoing->arena, count + 1u, sizeof *undo->columns);
    own->kept.column_count = 0;
    undoing->columns = arena_allocate_zeroed(undoing->arena, count + 1u, sizeof *undoing->columns);
    undoing->key = arena_allocate_zeroed(undoing->arena, count + 1u, sizeof *undoing->key);
    for (uint32_t i = 0; i < count; i++) {
        const char *image = undo->columns[i].name;
        if (image[0] != '=' && image[0] != '+') {
            continue; /* found, hash */
        }
        const struct sqlite_target_column *column = sqlite_target_find_column(facts, image + 1);
        if (column == NULL) {
            return sql_refuse_altered(facts->name, image + 1, undoing->error);
        }
        const struct sql_undo_column found = {.name = column->name, .image = image};
        if (image[0] == '+') {
            undoing->key[undoing->key_count++] = found;
            continue;
        }
        own->kept.columns[own->kept.column_count++] = *column;
        undoing->columns[undoing->column_count++] = found;
        if (is_retyped(&undo->columns[i], column)) {
            undoing->retyped = column->name;
        }
    }
    sql_undo_append_match(undoing, &undoing->match, "t", "u"); /* the table's collation holds */
    return STATUS_OK;
}

static enum status undo_drop(struct sql_undoing *undoing)
{
    struct buffer sql = {0};
    sqlite_append(&sql, "DROP TABLE main.%n", undoing->undo_name);
    return undo_execute(undoing, &sql, NULL);
}

/* ---------------------------------------------------------------- who refers to a record */

static enum status undo_prepare(struct sql_undoing *undoing)
{
    enum status status =
        sqlite_referrers_read(file_of(undoing), sqlite_facts_of(&undoing->facts), undoing->arena,
                              &undoing->referrers, &undoing->referrer_count, undoing->error);
    /* without referrers nobody takes back the marks of those that there were once */
    buffer_append_string(&undoing->going, undoing->referrer_count > 0 ? " AND u.found = 0" : "");
    return status;
}

static void append_key(const struct sql_undoing *undoing, struct buffer *sql)
{
    for (uint32_t i = 0; i < undoing->key_count; i++) {
        sqlite_append(sql, "%s%n", i > 0 ? ", u." : "u.", undoing->key[i].image);
    }
}

/* From those that refer: their columns may have no index. */
static void append_keeping(const struct sql_undoing *undoing, struct buffer *sql,
                           const struct sql_referrer *referrer)
{
    sql_undo_append(undoing, sql, "UPDATE $U SET found = -1 WHERE u.found = 0 AND (");
    append_key(undoing, sql);
    buffer_append_string(sql, ") IN (SELECT ");
    append_key(undoing, sql);
    buffer_format(sql, " FROM %s AS r", referrer->place);
    sql_undo_append(undoing, sql, " CROSS JOIN $T ON ");
    buffer_append_string(sql, referrer->on);
    sql_undo_append(undoing, sql, " CROSS JOIN $U ON $M AND u.found = 0 AND $h = $H$O");
    if (referrer->own) {
        sqlite_append(sql, " WHERE NOT EXISTS (SELECT 1 FROM main.%n AS v WHERE ",
                      undoing->undo_name);
        sql_undo_append_going(undoing, sql, "v.found = 0", "v.hash");
        buffer_append_byte(sql, ')');
    }
    buffer_append_byte(sql, ')');
}

/* ---------------------------------------------------------------- putting back */

/* The list is of the undo table alone, which does not change meanwhile. */
static enum status each_prepare(struct sql_undoing *undoing, bool backwards, sqlite3_stmt **list,
                                sqlite3_stmt **one)
{
    struct buffer sql = {0};
    struct buffer place = {0};
    buffer_append_string(&sql, "SELECT ");
    append_key(undoing, &sql);
    sql_undo_append(undoing, &sql, " FROM $U WHERE $F AND $W");
    for (uint32_t i = 0; i < undoing->key_count; i++) {
        sqlite_append(&sql, "%s%n%s", i > 0 ? ", u." : " ORDER BY u.", undoing->key[i].image,
                      backwards ? " DESC" : "");
        sqlite_append(&place, " AND u.%n = ?", undoing->key[i].image);
    }
    enum status status = undo_prepare_statement(undoing, &sql, list);
    if (status == STATUS_OK) {
        sql_undo_append_put(undoing, &sql, SQL_UNDO_RESTORE, buffer_string(&place));
        status = undo_prepare_statement(undoing, &sql, one);
    }
    buffer_free(&place);
    return status;
}

static enum status put_each(struct sql_undoing *undoing, bool backwards, uint64_t *changed)
{
    struct sqlite_database *self = file_of(undoing);
    sqlite3_stmt *list = NULL;
    sqlite3_stmt *one = NULL;
    enum status status = each_prepare(undoing, backwards, &list, &one);
    *changed = 0;
    while (status == STATUS_OK && (status = sqlite_step(self, list, undoing->error)) == STATUS_OK) {
        for (uint32_t i = 0; i < undoing->key_count; i++) {
            sqlite3_bind_value(one, (int)i + 1, sqlite3_column_value(list, (int)i));
        }
        int result = sqlite3_step(one);
        sqlite3_reset(one);
        *changed += (uint64_t)sqlite3_changes64(self->control);
        status = result == SQLITE_DONE ? STATUS_OK : undo_failed(undoing, result);
    }
    sqlite3_finalize(list);
    sqlite3_finalize(one);
    return status == STATUS_END ? STATUS_OK : status;
}

/* A record that would break a constraint is left out (OR IGNORE), and nothing says so. */
static enum status put_all(struct sql_undoing *undoing, enum sql_undo_put put, bool backwards,
                           uint64_t *changed)
{
    struct sqlite_undoing *own = (struct sqlite_undoing *)undoing;
    struct buffer sql = {0};
    undoing->refused = true;
    if (put == SQL_UNDO_RESTORE && own->tried) {
        return put_each(undoing, backwards, changed);
    }
    own->tried = own->tried || put == SQL_UNDO_RESTORE;
    sql_undo_append_put(undoing, &sql, put, "");
    return undo_execute(undoing, &sql, changed);
}

/* Its triggers fired, as they did when the run wrote: what they made of the record itself, or kept
 * from it, is put back behind them. */
static enum status undo_settle(struct sql_undoing *undoing)
{
    sqlite3 *control = file_of(undoing)->control;
    struct buffer sql = {0};
    sql_undo_append(undoing, &sql, undoing->dialect->restore);
    sql_undo_append(undoing, &sql, " $F AND $W AND $H <> $I");
    sqlite_triggers_set(control, false);
    enum status status = undo_execute(undoing, &sql, NULL);
    sqlite_triggers_set(control, !undoing->self->base.triggers_off);
    return status;
}

const struct sql_undo_dialect sqlite_undo = {
    .bytes = sizeof(struct sqlite_undoing),
    .name = sqlite_undo_name,
    .kept_hash = "u.hash",
    .found = "u.found > 0",
    .written = "u.hash IS NOT NULL",
    .deleted = "u.found = 2 AND u.hash IS NULL",
    .differing = "u.found = 3",
    .set_differing = "found = 3, hash = NULL",
    .is_kept = "u.found = -1",
    .set_released = "found = 0",
    .absent = "$K IS NULL",
    .delete_undo = "DELETE FROM $U",
    .remove = "DELETE FROM $T WHERE EXISTS (SELECT 1 FROM $U WHERE $M AND",
    .remove_end = ")",
    .restore = "UPDATE OR IGNORE $T SET $S FROM $U WHERE $M AND",
    .set_prefix = "",
    .insert = "INSERT OR IGNORE INTO",
    .insert_values = "",
    .open = undo_open,
    .close = undo_close,
    .find_columns = find_columns,
    .run = undo_execute,
    .count = kinds_count,
    .append_hash = append_hash,
    .prepare = undo_prepare,
    .append_keeping = append_keeping,
    .put = put_all,
    .settle = undo_settle,
    .drop = undo_drop,
};
