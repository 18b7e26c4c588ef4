/* Taking a run's records back key by key, by its undo records (undo.c). */
#include "base/failpoint.h"
#include "base/text.h"
#include "connectors/sql/rollback.h"
#include "connectors/sqlite/ledger_internal.h"
#include <stdio.h>
#include <string.h>

/* `found` in the undo table, while it is carried out: the run added it, and somebody refers to it;
 * afterwards: it was taken back, and a trigger did something else.
 */
enum { FOUND_KEPT = -1, FOUND_DIFFERING = 3 };

struct undoing {
    struct sqlite_database *self;
    struct arena *arena;
    const char *undo_name;
    struct sqlite_target_table undo;
    struct sqlite_target_table facts;
    struct buffer foreign; /* a condition on `t`: others added columns, and put something there */
    struct buffer referrer_foreign; /* the same of `r` */
    struct buffer match;            /* t.key = u."+key" AND … */
    struct sqlite_referrer *referrers;
    const char *retyped; /* a column of another affinity than it had; NULL: none */
    bool fires;          /* the database's triggers do, as they did when the run wrote */
};

/* Undo records of earlier versions do not say which affinity it had. */
static bool is_retyped(const struct sqlite_target_column *kept,
                       const struct sqlite_target_column *column)
{
    static const char prefix[] = "BLOB_";
    return strncmp(kept->declared_type, prefix, strlen(prefix)) == 0 &&
           kept->declared_type[strlen(prefix)] != sqlite_affinity_letter(column->affinity);
}

/* Only columns that were there when the run wrote are compared and restored. */
static enum status find_columns(struct undoing *undoing, struct arena *arena, struct error *error)
{
    struct sqlite_target_table *facts = &undoing->facts;
    struct sqlite_target_column *columns =
        arena_allocate_zeroed(arena, undoing->undo.column_count + 1u, sizeof *columns);
    uint32_t count = 0;

    for (uint32_t i = 0; i < undoing->undo.column_count; i++) {
        const char *name = undoing->undo.columns[i].name;
        const struct sqlite_target_column *column =
            name[0] == '=' || name[0] == '+' ? sqlite_target_find_column(facts, name + 1) : NULL;
        if (column == NULL && (name[0] == '=' || name[0] == '+')) {
            return sql_refuse_altered(undoing->facts.name, name + 1, error);
        }
        if (name[0] == '+') {
            sqlite_append(&undoing->match, "%s%n = u.",
                          undoing->match.length > 0 ? " AND t." : "t.", column->name);
            sqlite_undo_append_column(&undoing->match, '+', column->name);
        } else if (name[0] == '=') {
            columns[count++] = *column;
            if (is_retyped(&undoing->undo.columns[i], column)) {
                undoing->retyped = column->name;
            }
        }
    }
    facts->columns = columns;
    facts->column_count = count;
    return STATUS_OK;
}

static enum status find_added(struct undoing *undoing, struct error *error)
{
    const struct sql_table facts = sqlite_table_of(&undoing->facts, undoing->arena);
    const struct sql_table kept = sqlite_table_of(&undoing->undo, undoing->arena);
    struct sql_database *self = &undoing->self->sql;
    return sql_find_added(self, &facts, &kept, "t", &undoing->foreign, error) == STATUS_OK
               ? sql_find_added(self, &facts, &kept, "r", &undoing->referrer_foreign, error)
               : STATUS_FAILED;
}

/* Runs a statement made of parts; `number`: its one result if it counts, else how many rows it
 * changed. */
static enum status run_sql(struct undoing *undoing, struct buffer *sql, uint64_t *number,
                           bool counts, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    struct sqlite_database *self = undoing->self;
    enum status status = sqlite_target_prepare_buffer(self, self->control, sql, &statement, error);

    if (status == STATUS_OK) {
        int result = sqlite3_step(statement);
        if (result != SQLITE_DONE && result != SQLITE_ROW) {
            status = sqlite_target_error(self, self->control, result, ERROR_TARGET_WRITE,
                                         "the run's records can't be taken back", error);
        } else {
            *number = counts ? (uint64_t)sqlite3_column_int64(statement, 0)
                             : (uint64_t)sqlite3_changes64(self->control);
        }
    }
    sqlite3_finalize(statement);
    buffer_free(sql);
    return status;
}

/* " AND": others put nothing into the record that the run added; what it restores keeps that. */
static void append_own(const struct buffer *foreign, struct buffer *sql)
{
    if (foreign->length > 0) {
        buffer_append_string(sql, " AND NOT (");
        buffer_append_buffer(sql, foreign);
        buffer_append_byte(sql, ')');
    }
}

/* How many keys of the undo table: `found` 0, 1 (or more) or -1 (any); ours, changed, or gone.
 * Of ours those that are not what they were before. */
enum kind { KIND_OURS, KIND_LEFT, KIND_CHANGED, KIND_MISSING };
static enum status count_keys(struct undoing *undoing, int found, enum kind kind, uint64_t *number,
                              struct error *error)
{
    struct buffer sql = {0};

    sqlite_append(&sql,
                  "SELECT count(*) FROM main.%n AS u LEFT JOIN main.%n AS t ON %b WHERE "
                  "u.hash IS NOT NULL",
                  undoing->undo_name, undoing->facts.name, &undoing->match);
    if (found >= 0) {
        buffer_append_string(&sql, found > 0 ? " AND u.found > 0" : " AND u.found <= 0");
    }
    const struct sqlite_target_column *key =
        sqlite_target_find_column(&undoing->facts, undoing->undo.columns[0].name + 1);
    sqlite_append(&sql, "%s%n IS NULL", kind == KIND_MISSING ? " AND t." : " AND NOT t.",
                  key->name);
    if (kind != KIND_MISSING) {
        buffer_append_string(&sql,
                             kind == KIND_CHANGED ? " AND NOT (u.hash = " : " AND (u.hash = ");
        sqlite_undo_append_hash(&undoing->facts, "t", false, &sql);
        buffer_append_string(&sql, " AND (u.found > 0 OR (true");
        append_own(&undoing->foreign, &sql);
        buffer_append_string(&sql, ")))");
    }
    if (kind == KIND_LEFT) {
        buffer_append_string(&sql, " AND u.hash != ");
        sqlite_undo_append_hash(&undoing->facts, "u", true, &sql);
    }
    return run_sql(undoing, &sql, number, true, error);
}

static void append_ours(struct undoing *undoing, int found, struct buffer *sql)
{
    buffer_append_buffer(sql, &undoing->match);
    buffer_append_string(sql, found > 0 ? " AND u.found > 0" : " AND u.found = 0");
    buffer_append_string(sql, " AND u.hash = ");
    sqlite_undo_append_hash(&undoing->facts, "t", false, sql);
    if (found == 0) {
        append_own(&undoing->foreign, sql);
    }
}

/* " u."+key"" of each column of the key, with what goes before the first and between them, and with
 * what goes after each. */
static uint32_t append_keys(const struct undoing *undoing, const char *before, const char *between,
                            const char *after, struct buffer *sql)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < undoing->undo.column_count; i++) {
        const char *name = undoing->undo.columns[i].name;
        if (name[0] == '+') {
            buffer_format(sql, "%s u.", count++ == 0 ? before : between);
            sqlite_undo_append_column(sql, '+', name + 1);
            buffer_append_string(sql, after);
        }
    }
    return count;
}

/* ---------------------------------------------------------------- who refers to a record */

/* What a record refers to that is not going itself stays. From those that refer: their columns may
 * have no index. */
static enum status keep_referred(struct undoing *undoing, const struct sqlite_referrer *referrer,
                                 uint64_t *kept, struct error *error)
{
    struct buffer sql = {0};
    sqlite_append(&sql, "UPDATE main.%n AS u SET found = %d WHERE u.found = 0 AND",
                  undoing->undo_name, FOUND_KEPT);
    append_keys(undoing, " (", ",", "", &sql);
    buffer_append_string(&sql, ") IN (");
    append_keys(undoing, "SELECT", ",", "", &sql);
    sqlite_append(&sql,
                  " FROM main.%n AS r CROSS JOIN main.%n AS t ON %b CROSS JOIN main.%n AS "
                  "u ON ",
                  referrer->table, undoing->facts.name, &referrer->on, undoing->undo_name);
    append_ours(undoing, 0, &sql);
    if (referrer->own) {
        buffer_append_string(&sql, " WHERE NOT EXISTS (SELECT 1 FROM main.");
        sqlite_append_name(&sql, undoing->undo_name);
        buffer_append_string(&sql, " AS v WHERE v.found = 0 AND v.hash = ");
        sqlite_undo_append_hash(&undoing->facts, "r", false, &sql);
        append_own(&undoing->referrer_foreign, &sql);
        for (uint32_t i = 0; i < undoing->undo.column_count; i++) {
            const char *name = undoing->undo.columns[i].name;
            if (name[0] == '+') {
                buffer_append_string(&sql, " AND v.");
                sqlite_undo_append_column(&sql, '+', name + 1);
                sqlite_append(&sql, " = r.%n", name + 1);
            }
        }
        buffer_append_byte(&sql, ')');
    }
    buffer_append_byte(&sql, ')');
    return run_sql(undoing, &sql, kept, false, error);
}

/* Of a table that refers to itself, what is kept may refer to more. */
static enum status keep_all_referred(struct undoing *undoing, struct error *error)
{
    struct buffer sql = {0};
    uint64_t total = 1;
    sqlite_append(&sql, "UPDATE main.%n SET found = 0 WHERE found = %d", undoing->undo_name,
                  FOUND_KEPT);
    enum status status = run_sql(undoing, &sql, &total, false, error);
    for (total = 1; status == STATUS_OK && total > 0;) {
        total = 0;
        for (const struct sqlite_referrer *at = undoing->referrers;
             status == STATUS_OK && at != NULL; at = at->next) {
            uint64_t kept = 0;
            status = keep_referred(undoing, at, &kept, error);
            total += kept;
        }
    }
    return status;
}

/* ---------------------------------------------------------------- carrying it out */

static enum status remove_ours(struct undoing *undoing, uint64_t *number, struct error *error)
{
    struct buffer sql = {0};

    sqlite_append(&sql, "DELETE FROM main.%n AS t WHERE EXISTS (SELECT 1 FROM main.%n AS u WHERE ",
                  undoing->facts.name, undoing->undo_name);
    append_ours(undoing, 0, &sql);
    buffer_append_string(&sql, ")");
    return run_sql(undoing, &sql, number, false, error);
}

/* Up to its " WHERE". A record that would break a constraint stays as it is. */
static void append_put(struct undoing *undoing, struct buffer *sql)
{
    sqlite_append(sql, "UPDATE OR IGNORE main.%n AS t SET ", undoing->facts.name);
    for (uint32_t i = 0; i < undoing->facts.column_count; i++) {
        sqlite_append(sql, "%s%n = u.", i == 0 ? "" : ", ", undoing->facts.columns[i].name);
        sqlite_undo_append_column(sql, '=', undoing->facts.columns[i].name);
    }
    sqlite_append(sql, " FROM main.%n AS u WHERE ", undoing->undo_name);
}

static void append_restore(struct undoing *undoing, struct buffer *sql)
{
    append_put(undoing, sql);
    append_ours(undoing, 1, sql);
}

/* The list is of the undo table alone, which does not change meanwhile. */
static enum status prepare_each(struct undoing *undoing, bool backwards, sqlite3_stmt **list,
                                sqlite3_stmt **one, uint32_t *key_count, struct error *error)
{
    struct buffer sql = {0};

    append_keys(undoing, "SELECT", ",", "", &sql);
    sqlite_append(&sql, " FROM main.%n AS u WHERE u.found > 0 AND u.hash IS NOT NULL",
                  undoing->undo_name);
    *key_count = append_keys(undoing, " ORDER BY", ",", backwards ? " DESC" : "", &sql);
    enum status status =
        sqlite_target_prepare_buffer(undoing->self, undoing->self->control, &sql, list, error);
    if (status == STATUS_OK) {
        buffer_clear(&sql);
        append_restore(undoing, &sql);
        append_keys(undoing, " AND", " AND", " = ?", &sql);
        status =
            sqlite_target_prepare_buffer(undoing->self, undoing->self->control, &sql, one, error);
    }
    buffer_free(&sql);
    return status;
}

static enum status restore_each(struct undoing *undoing, bool backwards, struct error *error)
{
    sqlite3_stmt *list = NULL;
    sqlite3_stmt *one = NULL;
    uint32_t key_count = 0;
    enum status status = prepare_each(undoing, backwards, &list, &one, &key_count, error);

    while (status == STATUS_OK && (status = sqlite_step(undoing->self, list, error)) == STATUS_OK) {
        for (uint32_t i = 0; i < key_count; i++) {
            sqlite3_bind_value(one, (int)i + 1, sqlite3_column_value(list, (int)i));
        }
        int result = sqlite3_step(one);
        sqlite3_reset(one);
        if (result != SQLITE_DONE) {
            status = sqlite_target_error(undoing->self, undoing->self->control, result,
                                         ERROR_TARGET_WRITE,
                                         "the run's records can't be taken back", error);
        }
    }
    sqlite3_finalize(list);
    sqlite3_finalize(one);
    return status == STATUS_END ? STATUS_OK : status;
}

/* For as long as that helps: what is restored may hold what another had before, or refer to one
 * that goes. It is enough, since the run wrote one record after the other, too: what is left then
 * others keep from it, whose record refers to it or has its unique value. By the key and backwards
 * in turn, as values that moved along it ask for. */
static enum status put_all(struct undoing *undoing, struct undo_counts *left, struct error *error)
{
    struct buffer sql = {0};
    uint64_t changes = 0;
    bool backwards = false;
    enum status status = sqlite_referrers_read(undoing->self, &undoing->facts, undoing->arena,
                                               &undoing->referrers, error);
    for (uint32_t idle = 0; status == STATUS_OK && left->removed + left->restored > 0 && idle < 2;
         backwards = !backwards) {
        uint64_t before = left->removed + left->restored;
        status = keep_all_referred(undoing, error);
        status = status == STATUS_OK ? remove_ours(undoing, &changes, error) : status;
        if (status == STATUS_OK && !backwards && idle == 0) {
            append_restore(undoing, &sql);
            status = run_sql(undoing, &sql, &changes, false, error);
        } else if (status == STATUS_OK) {
            status = restore_each(undoing, backwards, error);
        }
        status =
            status == STATUS_OK ? count_keys(undoing, 0, KIND_OURS, &left->removed, error) : status;
        status = status == STATUS_OK ? count_keys(undoing, 1, KIND_LEFT, &left->restored, error)
                                     : status;
        idle = left->removed + left->restored < before ? 0 : idle + 1;
    }
    sqlite_referrers_free(undoing->referrers);
    return status;
}

/* " WHERE" they are records that the run took out and did not write again. */
static const char taken_out[] = " AS u WHERE u.found = 2 AND u.hash IS NULL";

/* ---------------------------------------------------------------- what triggers made of it */

static enum status count_differing(struct undoing *undoing, uint64_t *count, struct error *error)
{
    struct buffer sql = {0};
    sqlite_append(&sql, "SELECT count(*) FROM main.%n WHERE found = %d", undoing->undo_name,
                  FOUND_DIFFERING);
    return run_sql(undoing, &sql, count, true, error);
}

/* "EXISTS (" its record", up to what else is asked of it. */
static void append_there(struct undoing *undoing, struct buffer *sql)
{
    sqlite_append(sql, "EXISTS (SELECT 1 FROM main.%n AS t WHERE %b", undoing->facts.name,
                  &undoing->match);
}

/* Those that are not the run's alone, so that all others are there to be judged afterwards. */
static enum status drop_others(struct undoing *undoing, struct error *error)
{
    struct buffer sql = {0};
    uint64_t ignored = 0;
    sqlite_append(&sql, "DELETE FROM main.%n AS u WHERE u.hash IS NOT NULL AND NOT ",
                  undoing->undo_name);
    append_there(undoing, &sql);
    buffer_append_string(&sql, " AND u.hash = ");
    sqlite_undo_append_hash(&undoing->facts, "t", false, &sql);
    buffer_append_string(&sql, " AND (u.found > 0 OR (true");
    append_own(&undoing->foreign, &sql);
    buffer_append_string(&sql, ")))");
    return run_sql(undoing, &sql, &ignored, false, error);
}

/* Its triggers fired, as they did when the run wrote: what they made of the record itself, or kept
 * from it, is put back behind them. */
static enum status restore_silently(struct undoing *undoing, struct error *error)
{
    struct buffer sql = {0};
    uint64_t ignored = 0;
    append_put(undoing, &sql);
    buffer_append_buffer(&sql, &undoing->match);
    buffer_append_string(&sql, " AND u.found > 0 AND u.hash IS NOT NULL AND ");
    sqlite_undo_append_hash(&undoing->facts, "t", false, &sql);
    buffer_append_string(&sql, " != ");
    sqlite_undo_append_hash(&undoing->facts, "u", true, &sql);
    sqlite_triggers_set(undoing->self->control, false);
    enum status status = run_sql(undoing, &sql, &ignored, false, error);
    sqlite_triggers_set(undoing->self->control, undoing->fires);
    return status;
}

/* What is neither what it was nor as the run left it, or was to go and is there as another. */
static enum status rollback_keys_mark(struct undoing *undoing, bool found, uint64_t *marked,
                                      struct error *error)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "UPDATE main.");
    sqlite_append_name(&sql, undoing->undo_name);
    buffer_format(&sql, " AS u SET found = %d, hash = NULL WHERE u.hash IS NOT NULL AND ",
                  FOUND_DIFFERING);
    if (!found) {
        buffer_append_string(&sql, "u.found <= 0 AND ");
        append_there(undoing, &sql);
        buffer_append_string(&sql, ") AND ");
    } else {
        buffer_append_string(&sql, "u.found > 0 AND ");
    }
    buffer_append_string(&sql, "NOT ");
    append_there(undoing, &sql);
    buffer_append_string(&sql, " AND ");
    sqlite_undo_append_hash(&undoing->facts, "t", false, &sql);
    buffer_append_string(&sql, found ? " IN (u.hash, " : " = u.hash");
    if (found) {
        sqlite_undo_append_hash(&undoing->facts, "u", true, &sql);
        buffer_append_byte(&sql, ')');
    } else {
        append_own(&undoing->foreign, &sql);
    }
    buffer_append_byte(&sql, ')');
    return run_sql(undoing, &sql, marked, false, error);
}

static enum status mark_differing(struct undoing *undoing, struct undo_counts *counts,
                                  struct undo_counts *left, struct error *error)
{
    uint64_t removed = 0;
    uint64_t restored = 0;
    if (restore_silently(undoing, error) != STATUS_OK ||
        rollback_keys_mark(undoing, true, &restored, error) != STATUS_OK ||
        rollback_keys_mark(undoing, false, &removed, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    counts->restored -= restored;
    counts->removed -= removed;
    counts->differing += removed + restored;
    return count_keys(undoing, 0, KIND_OURS, &left->removed, error) == STATUS_OK
               ? count_keys(undoing, 1, KIND_LEFT, &left->restored, error)
               : STATUS_FAILED;
}

/* What undo_deleted is to put back stays, and what differs. */
static enum status drop_undo(struct undoing *undoing, struct error *error)
{
    struct buffer sql = {0};
    uint64_t left = 0;

    sqlite_append(&sql, "SELECT count(*) FROM main.%n WHERE found >= 2 AND hash IS NULL",
                  undoing->undo_name);
    if (run_sql(undoing, &sql, &left, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    sqlite_append(&sql, "%s%n%s", left > 0 ? "DELETE FROM main." : "DROP TABLE main.",
                  undoing->undo_name, left > 0 ? " WHERE found < 2 OR hash IS NOT NULL" : "");
    enum status status = sqlite_target_execute(undoing->self, undoing->self->control,
                                               buffer_string(&sql), ERROR_TARGET_WRITE, error);
    buffer_free(&sql);
    return status;
}

static enum status undo_all(struct undoing *undoing, bool dry_run, struct undo_counts *counts,
                            struct error *error)
{
    if (count_keys(undoing, -1, KIND_CHANGED, &counts->changed, error) != STATUS_OK ||
        count_keys(undoing, -1, KIND_MISSING, &counts->missing, error) != STATUS_OK ||
        count_keys(undoing, 0, KIND_OURS, &counts->removed, error) != STATUS_OK ||
        count_keys(undoing, 1, KIND_OURS, &counts->restored, error) != STATUS_OK ||
        count_differing(undoing, &counts->differing, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (undoing->retyped != NULL && counts->changed + counts->missing > 0) {
        return sql_refuse_retyped(undoing->facts.name, undoing->retyped, error);
    }
    if (dry_run) {
        return STATUS_OK;
    }
    struct undo_counts left = *counts;
    if (drop_others(undoing, error) != STATUS_OK || put_all(undoing, &left, error) != STATUS_OK ||
        mark_differing(undoing, counts, &left, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    counts->changed += left.removed + left.restored;
    counts->restored -= left.restored;
    counts->removed -= left.removed;
    return drop_undo(undoing, error);
}

/* ---------------------------------------------------------------- what was taken out */

/* With `there`: those under whose keys something stands by now. */
static void append_deleted(struct undoing *undoing, bool there, struct buffer *sql)
{
    sqlite_append(sql, " FROM main.%n%s%s (SELECT 1 FROM main.%n AS t WHERE %b)",
                  undoing->undo_name, taken_out, there ? " AND EXISTS" : " AND NOT EXISTS",
                  undoing->facts.name, &undoing->match);
}

static enum status count_deleted(struct undoing *undoing, bool there, uint64_t *number,
                                 struct error *error)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "SELECT count(*)");
    append_deleted(undoing, there, &sql);
    return run_sql(undoing, &sql, number, true, error);
}

/* A record that would break a constraint by now stays away. */
static enum status put_back(struct undoing *undoing, uint64_t *number, struct error *error)
{
    const struct sqlite_target_table *facts = &undoing->facts;
    struct buffer sql = {0};

    sqlite_append(&sql, "INSERT OR IGNORE INTO main.%n", facts->name);
    for (uint32_t i = 0; i < facts->column_count; i++) {
        sqlite_append(&sql, "%s%n", i == 0 ? " (" : ", ", facts->columns[i].name);
    }
    buffer_append_string(&sql, ") SELECT ");
    for (uint32_t i = 0; i < facts->column_count; i++) {
        buffer_append_string(&sql, i == 0 ? "u." : ", u.");
        sqlite_undo_append_column(&sql, '=', facts->columns[i].name);
    }
    append_deleted(undoing, false, &sql);
    return run_sql(undoing, &sql, number, false, error);
}

static enum status undo_all_deleted(struct undoing *undoing, bool dry_run,
                                    struct undo_counts *counts, struct error *error)
{
    struct buffer sql = {0};
    uint64_t restored = 0;

    if (count_deleted(undoing, false, &counts->restored, error) != STATUS_OK ||
        count_deleted(undoing, true, &counts->changed, error) != STATUS_OK ||
        count_differing(undoing, &counts->differing, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (dry_run) {
        return STATUS_OK;
    }
    if (put_back(undoing, &restored, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    counts->changed += counts->restored - restored;
    counts->restored = restored;
    buffer_append_string(&sql, counts->differing > 0 ? "DELETE FROM main." : "DROP TABLE main.");
    sqlite_append_name(&sql, undoing->undo_name);
    if (counts->differing > 0) {
        buffer_format(&sql, " WHERE found <> %d", FOUND_DIFFERING);
    }
    enum status status = sqlite_target_execute(undoing->self, undoing->self->control,
                                               buffer_string(&sql), ERROR_TARGET_WRITE, error);
    buffer_free(&sql);
    return status;
}

/* ---------------------------------------------------------------- a table */

typedef enum status undo_act(struct undoing *undoing, bool dry_run, struct undo_counts *counts,
                             struct error *error);

static enum status undo_within(struct sqlite_database *self, const struct target_table *table,
                               undo_act *act, bool dry_run, struct arena *arena,
                               struct undo_counts *counts, struct error *error)
{
    struct undoing undoing = {.self = self, .arena = arena, .fires = !self->sql.base.triggers_off};
    enum status status = sqlite_claim_check(self, error);

    status = status == STATUS_OK ? sqlite_target_describe(self, self->control, table->name, arena,
                                                          &undoing.facts, error)
                                 : status;
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED; /* the table is gone */
    }
    undoing.undo_name = sqlite_undo_name(arena, self->sql.run_id, undoing.facts.name);
    if (sqlite_undo_register(self, self->control, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    status =
        sqlite_target_describe(self, self->control, undoing.undo_name, arena, &undoing.undo, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED; /* nothing written, or undone */
    }
    status = act == undo_all ? find_added(&undoing, error) : STATUS_OK;
    status = status == STATUS_OK ? find_columns(&undoing, arena, error) : status;
    status = status == STATUS_OK ? act(&undoing, dry_run, counts, error) : status;
    buffer_free(&undoing.match);
    buffer_free(&undoing.foreign);
    buffer_free(&undoing.referrer_foreign);
    return status == STATUS_OK && !dry_run ? failpoint_hit("sqlite.before_undo", error) : status;
}

/* No trigger saw what a repair wrote or took out, none sees it go or come. */
enum status sqlite_undo_table(struct sql_database *database, const struct target_table *table,
                              bool deleted, bool dry_run, struct undo_counts *counts,
                              struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(&database->base);
    if (sqlite_control_begin(self, !dry_run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct arena *arena = arena_create(0);
    sqlite_triggers_set(self->control, !database->base.triggers_off);
    enum status status = undo_within(self, table, deleted ? undo_all_deleted : undo_all, dry_run,
                                     arena, counts, error);
    sqlite_triggers_set(self->control, true);
    status = sqlite_control_end(self, status, error);
    arena_destroy(arena);
    return status == STATUS_OK && !dry_run ? failpoint_hit("sqlite.after_undo", error) : status;
}
