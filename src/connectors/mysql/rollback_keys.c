/*
 * Taking a table's records back, key by key.
 *
 * Each of the run's records gets a fate first, in the transaction that carries it out. Records are
 * deleted without foreign keys, so that no delete reaches further; what somebody refers to was
 * told by then to stay.
 */
#include "connectors/mysql/rollback.h"
#include "connectors/sql/rollback.h"
#include <string.h>

/* _transhume_fate */
enum fate {
    FATE_REMOVE = 1,
    FATE_RESTORE,
    FATE_CHANGED,
    FATE_MISSING,
    FATE_RETURN, /* the run took it out */
    FATE_KEPT,   /* the run added it, and a record that does not go refers to it */
    FATE_END
};

/* _transhume_found: it was taken back, and a trigger did something else. */
enum { FOUND_DIFFERING = 3 };

/* ---------------------------------------------------------------- statements */

/* " ON u.`k` = t.`k` …" */
static void append_on(struct buffer *sql, const struct mysql_undoing *undoing, const char *left,
                      const char *right)
{
    buffer_append_string(sql, " ON ");
    mysql_append_match(sql, undoing->key, left, right);
}

static void append_hash(struct buffer *sql, const struct mysql_undoing *undoing)
{
    mysql_undo_append_hash(sql, undoing->self, undoing->columns, undoing->column_count, "t");
}

static void append_image_hash(struct buffer *sql, const struct mysql_undoing *undoing)
{
    mysql_undo_append_hash(sql, undoing->self, undoing->columns, undoing->column_count, "u");
}

/* Its record is not yet what it was. */
static void append_differs(struct buffer *sql, const struct mysql_undoing *undoing)
{
    buffer_append_string(sql, " AND u._transhume_hash <> ");
    append_image_hash(sql, undoing);
}

/* " AND": others put nothing into the record `t` that the run added. */
static void append_own(struct buffer *sql, const struct mysql_undoing *undoing)
{
    if (undoing->foreign.length > 0) {
        buffer_append_string(sql, " AND NOT (");
        buffer_append_buffer(sql, &undoing->foreign);
        buffer_append_byte(sql, ')');
    }
}

static void append_fate(struct buffer *sql, const struct mysql_undoing *undoing)
{
    buffer_append_string(sql, "CASE WHEN u._transhume_hash IS NULL THEN NULL WHEN t.");
    mysql_append_name(sql, undoing->key.names[0]);
    buffer_format(sql, " IS NULL THEN %d WHEN u._transhume_hash <> ", FATE_MISSING);
    append_hash(sql, undoing);
    buffer_format(sql, " THEN %d WHEN u._transhume_found THEN %d WHEN true", FATE_CHANGED,
                  FATE_RESTORE);
    append_own(sql, undoing);
    buffer_format(sql, " THEN %d ELSE %d END", FATE_REMOVE, FATE_CHANGED);
}

static enum status rollback_keys_run(const struct mysql_undoing *undoing, struct buffer *sql,
                                     uint64_t *changed)
{
    enum status status = mysql_run_buffer(undoing->self, undoing->connection, sql, SQL_LONG,
                                          ERROR_TARGET_WRITE, NULL, undoing->error);
    if (changed != NULL && status == STATUS_OK) {
        *changed = mysql_affected_rows(undoing->connection);
    }
    return status;
}

/* ---------------------------------------------------------------- fates */

/* It was not written again. */
static const char taken_out[] = " WHERE u._transhume_found = 2 AND u._transhume_hash IS NULL";

static enum status set_fates(const struct mysql_undoing *undoing)
{
    struct buffer sql = {0};
    mysql_append(&sql, "UPDATE %t AS u LEFT JOIN %t AS t", &undoing->self->sql, undoing->undo_name,
                 &undoing->self->sql, undoing->facts.schema->name);
    append_on(&sql, undoing, "u", "t");
    buffer_append_string(&sql, " SET u._transhume_number = NULL, u._transhume_fate = ");
    append_fate(&sql, undoing);
    return rollback_keys_run(undoing, &sql, NULL);
}

/* What a record refers to that is not going itself stays. */
static enum status keep_referred(const struct mysql_undoing *undoing,
                                 const struct mysql_referrer *referrer, uint64_t *kept)
{
    struct buffer sql = {0};
    mysql_append(&sql, "UPDATE %t AS u JOIN %t AS t", &undoing->self->sql, undoing->undo_name,
                 &undoing->self->sql, undoing->facts.schema->name);
    append_on(&sql, undoing, "u", "t");
    mysql_referrer_append_join(&sql, referrer);
    if (referrer->own) {
        mysql_append(&sql, " LEFT JOIN %t AS v", &undoing->self->sql, undoing->undo_name);
        append_on(&sql, undoing, "v", "r");
        buffer_format(&sql, " AND v._transhume_fate = %d", FATE_REMOVE);
    }
    buffer_format(&sql, " SET u._transhume_fate = %d WHERE u._transhume_fate = %d", FATE_KEPT,
                  FATE_REMOVE);
    if (referrer->own) {
        mysql_append(&sql, " AND v.%n IS NULL", undoing->key.names[0]);
    }
    return rollback_keys_run(undoing, &sql, kept);
}

/* Of a table that refers to itself, what is kept may refer to more. */
static enum status keep_all_referred(const struct mysql_undoing *undoing)
{
    struct mysql_referrer *referrers = NULL;
    uint32_t count = 0;
    uint64_t total = 1;
    enum status status =
        mysql_referrers_read(undoing->self, undoing->connection, undoing->facts.schema->name,
                             undoing->arena, &referrers, &count, undoing->error);
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        status = referrers[i].own || referrers[i].going
                     ? STATUS_OK
                     : keep_referred(undoing, &referrers[i], &total);
    }
    for (total = 1; status == STATUS_OK && total > 0;) {
        total = 0;
        for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
            uint64_t kept = 0;
            status = referrers[i].own ? keep_referred(undoing, &referrers[i], &kept) : STATUS_OK;
            total += kept;
        }
    }
    return status;
}

/* `told`: by the fates that were set; else as they would be. */
enum status mysql_count_fates(const struct mysql_undoing *undoing, bool told,
                              struct undo_counts *counts)
{
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    MYSQL_ROW row = NULL;
    uint64_t numbers[FATE_END] = {0};

    buffer_append_string(&sql, "SELECT fate, count(*) FROM (SELECT ");
    if (told) {
        buffer_append_string(&sql, "u._transhume_fate");
    } else {
        append_fate(&sql, undoing);
    }
    mysql_append(&sql, " AS fate FROM %t AS u", &undoing->self->sql, undoing->undo_name);
    if (!told) {
        mysql_append(&sql, " LEFT JOIN %t AS t", &undoing->self->sql, undoing->facts.schema->name);
        append_on(&sql, undoing, "u", "t");
    }
    buffer_append_string(&sql, ") AS k WHERE fate IS NOT NULL GROUP BY fate");
    enum status status = mysql_run_buffer(undoing->self, undoing->connection, &sql, SQL_LONG,
                                          ERROR_TARGET_WRITE, &result, undoing->error);
    while (status == STATUS_OK && (row = mysql_fetch_row(result)) != NULL) {
        uint64_t fate = 0;
        if (text_to_uint64(row[0], strlen(row[0]), &fate) == STATUS_OK && fate < FATE_END) {
            status = text_to_uint64(row[1], strlen(row[1]), &numbers[fate]);
        }
    }
    mysql_free_result(result);
    *counts = (struct undo_counts){.removed = numbers[FATE_REMOVE],
                                   .restored = numbers[FATE_RESTORE],
                                   .changed = numbers[FATE_CHANGED],
                                   .missing = numbers[FATE_MISSING]};
    if (status == STATUS_OK && undoing->retyped != NULL && counts->changed + counts->missing > 0) {
        return sql_refuse_retyped(undoing->facts.schema->name, undoing->retyped, undoing->error);
    }
    return status;
}

/* ---------------------------------------------------------------- carrying them out */

/* Nothing is under its key in the table joined as `t`. */
static void append_absent(struct buffer *sql, const struct mysql_undoing *undoing)
{
    mysql_append(sql, "t.%n IS NULL", undoing->key.names[0]);
}

/* The records may have changed since their fates were set: so the hash once more. */
static void append_fated(struct buffer *sql, const struct mysql_undoing *undoing, enum fate fate,
                         uint64_t first, uint64_t end)
{
    buffer_format(sql, " WHERE u._transhume_fate = %d AND ", (int)fate);
    if (fate == FATE_RETURN) {
        append_absent(sql, undoing);
    } else {
        buffer_append_string(sql, "u._transhume_hash = ");
        append_hash(sql, undoing);
    }
    if (fate == FATE_REMOVE || fate == FATE_KEPT) {
        append_own(sql, undoing);
    }
    if (end > 0) {
        buffer_format(sql, " AND u._transhume_number >= %llu AND u._transhume_number < %llu",
                      (unsigned long long)first, (unsigned long long)end);
    }
}

static void append_remove(struct buffer *sql, const struct mysql_undoing *undoing)
{
    mysql_append(sql, "DELETE t FROM %t AS t JOIN %t AS u", &undoing->self->sql,
                 undoing->facts.schema->name, &undoing->self->sql, undoing->undo_name);
    append_on(sql, undoing, "u", "t");
}

static void append_restore(struct buffer *sql, const struct mysql_undoing *undoing)
{
    mysql_append(sql, "UPDATE %t AS t JOIN %t AS u", &undoing->self->sql,
                 undoing->facts.schema->name, &undoing->self->sql, undoing->undo_name);
    append_on(sql, undoing, "u", "t");
    for (uint32_t i = 0; i < undoing->column_count; i++) {
        mysql_append(sql, "%s%n = u.%n", i > 0 ? ", t." : " SET t.", undoing->columns[i].name,
                     undoing->columns[i].name);
    }
}

static void append_return(struct buffer *sql, const struct mysql_undoing *undoing)
{
    mysql_append(sql, "INSERT INTO %t", &undoing->self->sql, undoing->facts.schema->name);
    for (uint32_t i = 0; i < undoing->column_count; i++) {
        mysql_append(sql, "%s%n", i > 0 ? ", " : " (", undoing->columns[i].name);
    }
    for (uint32_t i = 0; i < undoing->column_count; i++) {
        mysql_append(sql, "%s%n", i > 0 ? ", u." : ") SELECT u.", undoing->columns[i].name);
    }
    mysql_append(sql, " FROM %t AS u LEFT JOIN %t AS t", &undoing->self->sql, undoing->undo_name,
                 &undoing->self->sql, undoing->facts.schema->name);
    append_on(sql, undoing, "u", "t");
}

/* Those numbered from `first` to before `end`; `end` 0: all. STATUS_AGAIN: a constraint refuses it,
 * and nothing of it was done. A trigger that refuses it stops the rollback: its images stay. */
static enum status attempt(const struct mysql_undoing *undoing, enum fate fate, uint64_t first,
                           uint64_t end, uint64_t *changed)
{
    enum { IS_REFERRED = 1451, IS_REFERRED_OLD = 1217, IS_RAISED = 1644 };
    struct mysql_database *self = undoing->self;
    struct mysql_undoing trying = *undoing;
    struct error problem = {0};
    struct buffer sql = {0};
    enum error_code code = ERROR_NONE;
    trying.error = &problem;
    if (fate == FATE_REMOVE) {
        append_remove(&sql, undoing);
    } else if (fate == FATE_RESTORE) {
        append_restore(&sql, undoing);
    } else {
        append_return(&sql, undoing);
    }
    append_fated(&sql, undoing, fate, first, end);
    enum status status =
        fate == FATE_REMOVE || undoing->unchecked
            ? mysql_run_unchecked(self, undoing->connection, &sql, changed, &problem)
            : rollback_keys_run(&trying, &sql, changed);
    if (status == STATUS_OK) {
        return STATUS_OK;
    }
    unsigned number = (unsigned)problem.native_code;
    if (number == IS_REFERRED || number == IS_REFERRED_OLD ||
        (number != IS_RAISED && mysql_is_of_record(number, problem.message, &code))) {
        return STATUS_AGAIN;
    }
    error_copy(undoing->error, &problem);
    return STATUS_FAILED;
}

/* " WHERE" the record of the undo table `u`, joined to what is under its key, is not what it was.
 */
static void append_is_other(struct buffer *sql, const struct mysql_undoing *undoing, enum fate fate)
{
    buffer_format(sql, " WHERE u._transhume_fate = %d AND (", (int)fate);
    append_absent(sql, undoing);
    buffer_append_string(sql, " OR ");
    append_hash(sql, undoing);
    buffer_append_string(sql, " <> ");
    append_image_hash(sql, undoing);
    buffer_append_byte(sql, ')');
}

static void append_mark(struct buffer *sql, const struct mysql_undoing *undoing, const char *join)
{
    mysql_append(sql, "UPDATE %t AS u%s%t AS t", &undoing->self->sql, undoing->undo_name, join,
                 &undoing->self->sql, undoing->facts.schema->name);
    append_on(sql, undoing, "u", "t");
    buffer_format(
        sql, " SET u._transhume_found = %d, u._transhume_hash = NULL, u._transhume_fate = NULL",
        FOUND_DIFFERING);
}

/* No constraint refused it: what it is not by now a trigger kept it from. */
static enum status mark_tried(const struct mysql_undoing *undoing, enum fate fate, uint64_t first,
                              uint64_t end)
{
    struct buffer sql = {0};
    if (fate == FATE_REMOVE || undoing->unchecked) {
        return STATUS_OK;
    }
    append_mark(&sql, undoing, " LEFT JOIN ");
    append_is_other(&sql, undoing, fate);
    buffer_format(&sql, " AND u._transhume_number >= %llu AND u._transhume_number < %llu",
                  (unsigned long long)first, (unsigned long long)end);
    return rollback_keys_run(undoing, &sql, NULL);
}

static enum status number_them(const struct mysql_undoing *undoing, enum fate fate, bool backwards,
                               uint64_t *count)
{
    struct buffer sql = {0};
    enum status status = mysql_run(undoing->self, undoing->connection, "SET @_transhume_number = 0",
                                   SQL_SHORT, ERROR_TARGET_WRITE, NULL, undoing->error);
    mysql_append(&sql,
                 "UPDATE %t AS u SET u._transhume_number = (@_transhume_number := "
                 "@_transhume_number + 1) WHERE u._transhume_fate = %d",
                 &undoing->self->sql, undoing->undo_name, (int)fate);
    for (uint32_t i = 0; i < undoing->key.count; i++) {
        mysql_append(&sql, "%s%n%s", i > 0 ? ", u." : " ORDER BY u.", undoing->key.names[i],
                     backwards ? " DESC" : "");
    }
    if (status != STATUS_OK) {
        buffer_free(&sql);
        return status;
    }
    return rollback_keys_run(undoing, &sql, count);
}

/* In windows, by the key or backwards, where all at once was refused: what a constraint forbids
 * stays as it is. */
static enum status carry_out(struct mysql_undoing *undoing, enum fate fate, bool backwards,
                             uint64_t *changed)
{
    uint64_t count = 0;
    enum status status = attempt(undoing, fate, 0, 0, changed);
    undoing->refused = status == STATUS_AGAIN;
    if (status != STATUS_AGAIN) {
        return status;
    }
    *changed = 0;
    status = number_them(undoing, fate, backwards, &count);
    for (uint64_t at = 1, window = count; status == STATUS_OK && at <= count;) {
        uint64_t one = 0;
        uint64_t size = count + 1 - at < window ? count + 1 - at : window;
        status = attempt(undoing, fate, at, at + size, &one);
        if (status == STATUS_OK) {
            status = mark_tried(undoing, fate, at, at + size);
            *changed += one;
            at += size;
            window *= 2;
        } else if (status == STATUS_AGAIN) {
            at += size == 1;
            window = size > 1 ? size / 2 : 1;
            status = STATUS_OK;
        }
    }
    return status;
}

static enum status ask_number(const struct mysql_undoing *undoing, struct buffer *sql,
                              uint64_t *number)
{
    MYSQL_RES *result = NULL;
    enum status status = mysql_run_buffer(undoing->self, undoing->connection, sql, SQL_LONG,
                                          ERROR_TARGET_WRITE, &result, undoing->error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    *number = 0;
    if (row != NULL && row[0] != NULL) {
        status = text_to_uint64(row[0], strlen(row[0]), number);
    }
    mysql_free_result(result);
    return status;
}

static enum status note_undone(struct mysql_undoing *undoing)
{
    undoing->drops = true;
    return mysql_note_making(undoing->self, undoing->connection, undoing->undo_name, MYSQL_UNDONE,
                             undoing->error);
}

/* What another call may do stays, what undo_deleted is to put back, and what differs. */
static enum status end_undo(struct mysql_undoing *undoing, uint64_t differing)
{
    struct buffer sql = {0};
    if (!undoing->takes_out && differing == 0) {
        return note_undone(undoing);
    }
    if (!undoing->takes_out) {
        mysql_append(&sql, "DELETE FROM %t WHERE _transhume_found <> %d", &undoing->self->sql,
                     undoing->undo_name, FOUND_DIFFERING);
        return rollback_keys_run(undoing, &sql, NULL);
    }
    mysql_append(&sql, "DELETE u FROM %t AS u LEFT JOIN %t AS t", &undoing->self->sql,
                 undoing->undo_name, &undoing->self->sql, undoing->facts.schema->name);
    append_on(&sql, undoing, "u", "t");
    buffer_append_string(&sql, " WHERE u._transhume_hash IS NOT NULL AND (");
    append_absent(&sql, undoing);
    buffer_append_string(&sql, " OR u._transhume_hash <> ");
    append_hash(&sql, undoing);
    buffer_append_string(&sql, " OR (u._transhume_found AND NOT (true");
    append_differs(&sql, undoing);
    buffer_append_string(&sql, ")) OR (NOT u._transhume_found AND NOT (true");
    append_own(&sql, undoing);
    buffer_append_string(&sql, ")))");
    return rollback_keys_run(undoing, &sql, NULL);
}

/* What of the run's is as it left it, and not as it was before. */
static enum status count_left(const struct mysql_undoing *undoing, struct undo_counts *left)
{
    static const enum fate fates[] = {FATE_REMOVE, FATE_KEPT, FATE_RESTORE};
    uint64_t numbers[3] = {0};
    enum status status = STATUS_OK;
    for (int i = 0; i < 3 && status == STATUS_OK; i++) {
        struct buffer sql = {0};
        mysql_append(&sql, "SELECT count(*) FROM %t AS u JOIN %t AS t", &undoing->self->sql,
                     undoing->undo_name, &undoing->self->sql, undoing->facts.schema->name);
        append_on(&sql, undoing, "u", "t");
        append_fated(&sql, undoing, fates[i], 0, 0);
        if (fates[i] == FATE_RESTORE) {
            append_differs(&sql, undoing);
        }
        status = ask_number(undoing, &sql, &numbers[i]);
    }
    *left = (struct undo_counts){.removed = numbers[0] + numbers[1], .restored = numbers[2]};
    return status;
}

static enum status forget_kept(const struct mysql_undoing *undoing)
{
    struct buffer sql = {0};
    mysql_append(&sql, "UPDATE %t AS u SET u._transhume_fate = %d WHERE u._transhume_fate = %d",
                 &undoing->self->sql, undoing->undo_name, FATE_REMOVE, FATE_KEPT);
    return rollback_keys_run(undoing, &sql, NULL);
}

/* For as long as that helps: what is restored may hold what another had before, or refer to one
 * that goes. It is enough, since the run wrote one record after the other, too: what is left then
 * others keep from it, whose record refers to it or has its unique value. By the key and backwards
 * in turn, as values that moved along it ask for. */
static enum status put_all(struct mysql_undoing *undoing, const struct undo_counts *wanted,
                           struct undo_counts *left)
{
    uint64_t removed = 0;
    uint64_t restored = 0;
    bool backwards = true;
    enum status status = STATUS_OK;
    *left = *wanted;
    for (uint32_t idle = 0; status == STATUS_OK && left->removed + left->restored > 0 && idle < 2;
         backwards = !backwards) {
        uint64_t before = left->removed + left->restored;
        status = forget_kept(undoing);
        status = status == STATUS_OK ? keep_all_referred(undoing) : status;
        status =
            status == STATUS_OK ? carry_out(undoing, FATE_REMOVE, backwards, &removed) : status;
        status =
            status == STATUS_OK ? carry_out(undoing, FATE_RESTORE, backwards, &restored) : status;
        if (status == STATUS_OK && removed == wanted->removed && restored == wanted->restored) {
            *left = (struct undo_counts){0};
            return STATUS_OK;
        }
        status = status == STATUS_OK ? count_left(undoing, left) : status;
        idle = left->removed + left->restored < before ? 0 : idle + 1;
    }
    return status;
}

/* ---------------------------------------------------------------- what triggers made of it */

enum status mysql_count_differing(const struct mysql_undoing *undoing, uint64_t *count)
{
    struct buffer sql = {0};
    mysql_append(&sql, "SELECT count(*) FROM %t AS u WHERE u._transhume_found = %d",
                 &undoing->self->sql, undoing->undo_name, FOUND_DIFFERING);
    return ask_number(undoing, &sql, count);
}

/* Neither what it was nor, where a constraint may have refused it, as the run left it. */
static enum status mark_restored(const struct mysql_undoing *undoing)
{
    struct buffer sql = {0};
    append_mark(&sql, undoing, " LEFT JOIN ");
    append_is_other(&sql, undoing, FATE_RESTORE);
    if (undoing->refused) {
        buffer_append_string(&sql, " AND (");
        append_absent(&sql, undoing);
        buffer_append_string(&sql, " OR u._transhume_hash <> ");
        append_hash(&sql, undoing);
        buffer_append_byte(&sql, ')');
    }
    return rollback_keys_run(undoing, &sql, NULL);
}

/* It was to go, and is there as another record than the run left. */
static enum status mark_removed(const struct mysql_undoing *undoing, uint64_t *marked)
{
    struct buffer sql = {0};
    append_mark(&sql, undoing, " JOIN ");
    buffer_format(&sql,
                  " WHERE u._transhume_fate IN (%d, %d) AND NOT (u._transhume_hash = ", FATE_REMOVE,
                  FATE_KEPT);
    append_hash(&sql, undoing);
    append_own(&sql, undoing);
    buffer_append_byte(&sql, ')');
    return rollback_keys_run(undoing, &sql, marked);
}

/* `before`: marked when it began. */
static enum status mark_differing(const struct mysql_undoing *undoing, uint64_t before,
                                  struct undo_counts *counts, struct undo_counts *left)
{
    uint64_t removed = 0;
    if (mark_restored(undoing) != STATUS_OK || mark_removed(undoing, &removed) != STATUS_OK ||
        mysql_count_differing(undoing, &counts->differing) != STATUS_OK) {
        return STATUS_FAILED;
    }
    counts->restored -= counts->differing - before - removed;
    counts->removed -= removed;
    return left->removed + left->restored > 0 ? count_left(undoing, left) : STATUS_OK;
}

enum status mysql_undo_keys(struct mysql_undoing *undoing, struct undo_counts *counts)
{
    struct undo_counts left = {0};
    uint64_t before = 0;
    if (set_fates(undoing) != STATUS_OK || mysql_count_fates(undoing, true, counts) != STATUS_OK ||
        mysql_count_differing(undoing, &before) != STATUS_OK ||
        put_all(undoing, counts, &left) != STATUS_OK ||
        mark_differing(undoing, before, counts, &left) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *(undoing->takes_out ? &counts->left : &counts->changed) += left.removed + left.restored;
    counts->restored -= left.restored;
    counts->removed -= left.removed;
    return end_undo(undoing, counts->differing);
}

/* ---------------------------------------------------------------- what was taken out */

enum status mysql_count_deleted(const struct mysql_undoing *undoing, struct undo_counts *counts)
{
    struct buffer sql = {0};
    uint64_t all = 0;
    mysql_append(&sql, "SELECT count(*) FROM %t AS u%s", &undoing->self->sql, undoing->undo_name,
                 taken_out);
    if (ask_number(undoing, &sql, &all) != STATUS_OK) {
        return STATUS_FAILED;
    }
    mysql_append(&sql, "SELECT count(*) FROM %t AS u JOIN %t AS t", &undoing->self->sql,
                 undoing->undo_name, &undoing->self->sql, undoing->facts.schema->name);
    append_on(&sql, undoing, "u", "t");
    buffer_append_string(&sql, taken_out);
    enum status status = ask_number(undoing, &sql, &counts->changed);
    counts->restored = all - counts->changed;
    return status;
}

/* " FROM undo JOIN target" those that were put back. */
static void append_returned(struct buffer *sql, const struct mysql_undoing *undoing)
{
    mysql_append(sql, " FROM %t AS t JOIN %t AS u", &undoing->self->sql,
                 undoing->facts.schema->name, &undoing->self->sql, undoing->undo_name);
    append_on(sql, undoing, "u", "t");
    buffer_format(sql, " AND u._transhume_fate = %d", FATE_RETURN);
}

static void append_partner(struct buffer *sql, const struct mysql_undoing *undoing,
                           const struct schema_foreign_key *key)
{
    const char *schema = key->references_schema;
    if (schema == NULL) {
        mysql_append_table(sql, undoing->self, key->references);
        return;
    }
    mysql_append(sql, "%n.%n", schema, key->references + strlen(schema) + 1);
}

/* Those that a foreign key of the table finds no partner for go again. */
static enum status take_orphans(const struct mysql_undoing *undoing,
                                const struct schema_foreign_key *key, uint64_t *taken)
{
    struct buffer sql = {0};
    struct error *error = undoing->error;
    buffer_append_string(&sql, "DELETE t");
    append_returned(&sql, undoing);
    buffer_append_string(&sql, " LEFT JOIN ");
    append_partner(&sql, undoing, key);
    for (uint32_t i = 0; i < key->columns.count; i++) {
        mysql_append(&sql, "%s%n = t.%n", i > 0 ? " AND p." : " AS p ON p.",
                     key->referenced_columns.names[i], key->columns.names[i]);
    }
    mysql_append(&sql, " WHERE p.%n IS NULL", key->referenced_columns.names[0]);
    for (uint32_t i = 0; i < key->columns.count; i++) {
        mysql_append(&sql, " AND t.%n IS NOT NULL", key->columns.names[i]);
    }
    return mysql_run_unchecked(undoing->self, undoing->connection, &sql, taken, error);
}

/* Those that are left may refer to each other: all go in, then out again what has no partner. */
static enum status return_circles(struct mysql_undoing *undoing, uint64_t *done)
{
    const struct schema_table *schema = undoing->facts.schema;
    struct buffer sql = {0};
    uint64_t added = 0;
    undoing->unchecked = true;
    enum status status = carry_out(undoing, FATE_RETURN, true, &added);
    undoing->unchecked = false;
    undoing->refused = true; /* what finds no partner goes again */
    for (uint64_t total = added; status == STATUS_OK && total > 0;) {
        total = 0;
        for (uint32_t i = 0; status == STATUS_OK && i < schema->foreign_key_count; i++) {
            uint64_t taken = 0;
            status = take_orphans(undoing, &schema->foreign_keys[i], &taken);
            total += taken;
        }
    }
    if (status != STATUS_OK) {
        return status;
    }
    buffer_append_string(&sql, "SELECT count(*)");
    append_returned(&sql, undoing);
    return ask_number(undoing, &sql, done);
}

/* What is under a key of theirs by now is others', or they are back. */
static enum status forget_returned(const struct mysql_undoing *undoing)
{
    struct buffer sql = {0};
    mysql_append(&sql, "DELETE u FROM %t AS u JOIN %t AS t", &undoing->self->sql,
                 undoing->undo_name, &undoing->self->sql, undoing->facts.schema->name);
    append_on(&sql, undoing, "u", "t");
    buffer_append_string(&sql, taken_out);
    return rollback_keys_run(undoing, &sql, NULL);
}

/* Marks what came back as another record, or did not come though nothing refused it. */
static enum status mark_returned(const struct mysql_undoing *undoing)
{
    struct buffer sql = {0};
    append_mark(&sql, undoing, " LEFT JOIN ");
    append_is_other(&sql, undoing, FATE_RETURN);
    if (undoing->refused) {
        buffer_append_string(&sql, " AND NOT (");
        append_absent(&sql, undoing);
        buffer_append_byte(&sql, ')');
    }
    return rollback_keys_run(undoing, &sql, NULL);
}

/* Over and over: one may refer to another that comes later. What a constraint forbids stays
 * away. */
enum status mysql_undo_deleted(struct mysql_undoing *undoing, struct undo_counts *counts)
{
    struct buffer sql = {0};
    struct undo_counts after = {0};
    uint64_t done = 0;
    uint64_t one = 1;
    if (mysql_count_deleted(undoing, counts) != STATUS_OK ||
        forget_returned(undoing) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint64_t wanted = counts->restored;
    mysql_append(&sql, "UPDATE %t AS u LEFT JOIN %t AS t", &undoing->self->sql, undoing->undo_name,
                 &undoing->self->sql, undoing->facts.schema->name);
    append_on(&sql, undoing, "u", "t");
    buffer_format(&sql, " SET u._transhume_number = NULL, u._transhume_fate = %d", FATE_RETURN);
    buffer_append_string(&sql, taken_out);
    buffer_append_string(&sql, " AND ");
    append_absent(&sql, undoing);
    enum status status = rollback_keys_run(undoing, &sql, NULL);
    while (status == STATUS_OK && one > 0 && done < wanted) {
        status = carry_out(undoing, FATE_RETURN, true, &one);
        done += status == STATUS_OK ? one : 0;
    }
    status = status == STATUS_OK && done < wanted ? return_circles(undoing, &done) : status;
    status = status == STATUS_OK ? mark_returned(undoing) : status;
    status = status == STATUS_OK ? mysql_count_deleted(undoing, &after) : status;
    counts->restored = after.changed;
    counts->left = after.restored;
    status = status == STATUS_OK ? mysql_count_differing(undoing, &counts->differing) : status;
    return status == STATUS_OK ? forget_returned(undoing) : status;
}
