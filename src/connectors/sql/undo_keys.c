/* Taking a table's records back, key by key, within a transaction. */
#include "connectors/sql/undo_keys.h"
#include "connectors/sql/rollback.h"
#include <string.h>

/* ---------------------------------------------------------------- texts */

static void append_pairs(const struct sql_undoing *undoing, struct buffer *sql)
{
    const char *separator = "";
    for (uint32_t i = 0; i < undoing->column_count; i++) {
        const struct sql_undo_column *column = &undoing->columns[i];
        if (!column->fixed) {
            buffer_format(sql, "%s%s", separator, undoing->dialect->set_prefix);
            undoing->self->dialect->quoting->append_name(sql, column->name);
            buffer_append_string(sql, " = u.");
            undoing->self->dialect->quoting->append_name(sql, column->image);
            separator = ", ";
        }
    }
}

static void append_table(const struct sql_undoing *undoing, struct buffer *sql, const char *name,
                         char alias)
{
    undoing->self->dialect->quoting->append_table(sql, undoing->self, name);
    buffer_format(sql, " AS %c", alias);
}

static void append_own(struct buffer *sql, const struct buffer *foreign)
{
    if (foreign->length > 0) {
        buffer_append_string(sql, " AND NOT (");
        buffer_append_buffer(sql, foreign);
        buffer_append_byte(sql, ')');
    }
}

static void append_hole(const struct sql_undoing *undoing, struct buffer *sql, char hole)
{
    const struct sql_undo_dialect *dialect = undoing->dialect;
    switch (hole) {
    case 'T':
        append_table(undoing, sql, undoing->facts.schema->name, 't');
        break;
    case 'U':
        append_table(undoing, sql, undoing->undo_name, 'u');
        break;
    case 'M':
        buffer_append_buffer(sql, &undoing->match);
        break;
    case 'K':
        buffer_append_string(sql, "t.");
        undoing->self->dialect->quoting->append_name(sql, undoing->key[0].name);
        break;
    case 'H':
        dialect->append_hash(undoing, sql, "t", false);
        break;
    case 'I':
        dialect->append_hash(undoing, sql, "u", true);
        break;
    case 'A':
        sql_undo_append(undoing, sql, dialect->absent);
        break;
    case 'h':
        buffer_append_string(sql, dialect->kept_hash);
        break;
    case 'F':
        buffer_append_string(sql, dialect->found);
        break;
    case 'W':
        buffer_append_string(sql, dialect->written);
        break;
    case 'D':
        buffer_append_string(sql, dialect->deleted);
        break;
    case 'X':
        buffer_append_string(sql, dialect->differing);
        break;
    case 'O':
        append_own(sql, &undoing->foreign);
        break;
    default: /* $S */
        append_pairs(undoing, sql);
    }
}

void sql_undo_append(const struct sql_undoing *undoing, struct buffer *sql, const char *text)
{
    while (*text != '\0') {
        size_t plain = strcspn(text, "$");
        buffer_append(sql, text, plain);
        text += plain;
        if (*text == '$') {
            append_hole(undoing, sql, text[1]);
            text += 2;
        }
    }
}

void sql_undo_append_match(const struct sql_undoing *undoing, struct buffer *sql, const char *left,
                           const char *right)
{
    for (uint32_t i = 0; i < undoing->key_count; i++) {
        buffer_format(sql, "%s%s.", i > 0 ? " AND " : "", left);
        undoing->self->dialect->quoting->append_name(sql, undoing->key[i].name);
        buffer_format(sql, " = %s.", right);
        undoing->self->dialect->quoting->append_name(sql, undoing->key[i].image);
    }
}

void sql_undo_append_going(const struct sql_undoing *undoing, struct buffer *sql, const char *added,
                           const char *hash)
{
    buffer_format(sql, "%s AND %s = ", added, hash);
    undoing->dialect->append_hash(undoing, sql, "r", false);
    append_own(sql, &undoing->foreign_of_referrer);
    buffer_append_string(sql, " AND ");
    sql_undo_append_match(undoing, sql, "r", "v");
}

#define IS_IMAGE "EXISTS (SELECT 1 FROM $T WHERE $M AND $I = $H)"

const char *sql_undo_kind(enum sql_undo_put put)
{
    static const char *const kinds[] = {
        [SQL_UNDO_REMOVE] = "NOT $F AND $W",
        [SQL_UNDO_RESTORE] = "$F AND $W",
        [SQL_UNDO_RETURN] = "$D",
    };
    return kinds[put];
}

static void append_return(const struct sql_undoing *undoing, struct buffer *sql)
{
    const struct sql_quoting *quoting = undoing->self->dialect->quoting;
    buffer_format(sql, "%s ", undoing->dialect->insert);
    quoting->append_table(sql, undoing->self, undoing->facts.schema->name);
    for (uint32_t i = 0; i < undoing->column_count; i++) {
        buffer_append_string(sql, i > 0 ? ", " : " (");
        quoting->append_name(sql, undoing->columns[i].name);
    }
    buffer_format(sql, ")%s SELECT ", undoing->dialect->insert_values);
    for (uint32_t i = 0; i < undoing->column_count; i++) {
        buffer_append_string(sql, i > 0 ? ", u." : "u.");
        quoting->append_name(sql, undoing->columns[i].image);
    }
    sql_undo_append(undoing, sql, " FROM $U WHERE $D AND NOT EXISTS (SELECT 1 FROM $T WHERE $M)");
}

void sql_undo_append_put(const struct sql_undoing *undoing, struct buffer *sql,
                         enum sql_undo_put put, const char *place)
{
    const struct sql_undo_dialect *dialect = undoing->dialect;
    if (put == SQL_UNDO_REMOVE) {
        sql_undo_append(undoing, sql, dialect->remove);
        sql_undo_append(undoing, sql, " NOT $F AND $h = $H$O");
        buffer_append_buffer(sql, &undoing->going);
        buffer_format(sql, "%s%s", place, dialect->remove_end);
    } else if (put == SQL_UNDO_RESTORE) {
        sql_undo_append(undoing, sql, dialect->restore);
        sql_undo_append(undoing, sql, " $F AND $h = $H");
        buffer_append_string(sql, place);
    } else {
        append_return(undoing, sql);
        buffer_append_string(sql, place);
    }
}

/* ---------------------------------------------------------------- statements */

enum status sql_undo_execute(struct sql_undoing *undoing, struct buffer *sql, uint64_t *changed)
{
    return undoing->dialect->run != NULL
               ? undoing->dialect->run(undoing, sql, changed)
               : undoing->self->dialect->run(undoing->self, sql, changed, undoing->error);
}

/* Counts by kinds: `text` is a query whose column `kind` is one of so many numbers. */
static enum status kinds_count(struct sql_undoing *undoing, const char *text, uint64_t *counts,
                               uint32_t kinds)
{
    struct buffer sql = {0};
    memset(counts, 0, kinds * sizeof *counts);
    buffer_append_string(&sql, "SELECT kind, count(*) FROM (");
    sql_undo_append(undoing, &sql, text);
    buffer_append_string(&sql, ") AS k GROUP BY kind");
    return undoing->dialect->count(undoing, &sql, counts, kinds);
}

/* ---------------------------------------------------------------- counting */

enum kind { KIND_REMOVED, KIND_RESTORED, KIND_CHANGED, KIND_MISSING, KIND_END };

static enum status keys_count(struct sql_undoing *undoing, struct undo_counts *counts)
{
    static const char text[] =
        "SELECT CASE WHEN $A THEN 3 WHEN $h <> $H THEN 2 WHEN $F THEN 1 WHEN true$O THEN 0 "
        "ELSE 2 END AS kind FROM $U LEFT JOIN $T ON $M WHERE $W";
    uint64_t numbers[KIND_END];
    enum status status = kinds_count(undoing, text, numbers, KIND_END);
    *counts = (struct undo_counts){.removed = numbers[KIND_REMOVED],
                                   .restored = numbers[KIND_RESTORED],
                                   .changed = numbers[KIND_CHANGED],
                                   .missing = numbers[KIND_MISSING]};
    return status;
}

/* Counts the run's records that are as it left them, and not as they were before. */
static enum status left_count(struct sql_undoing *undoing, struct undo_counts *left)
{
    static const char text[] =
        "SELECT CASE WHEN $F THEN 1 ELSE 0 END AS kind FROM $U JOIN $T ON $M "
        "WHERE $W AND $h = $H AND (NOT $F$O OR $F AND $h <> $I)";
    uint64_t numbers[KIND_CHANGED];
    enum status status = kinds_count(undoing, text, numbers, KIND_CHANGED);
    *left =
        (struct undo_counts){.removed = numbers[KIND_REMOVED], .restored = numbers[KIND_RESTORED]};
    return status;
}

static enum status differing_count(struct sql_undoing *undoing, uint64_t *count)
{
    return kinds_count(undoing, "SELECT 0 AS kind FROM $U WHERE $X", count, 1);
}

/* ---------------------------------------------------------------- putting back */

/* Forgets those that are not the run's alone, so that all others are there to be judged afterwards;
 * somebody may have changed one since they were counted. */
static enum status others_forget(struct sql_undoing *undoing, struct undo_counts *counts)
{
    struct buffer sql = {0};
    uint64_t numbers[KIND_CHANGED];
    sql_undo_append(undoing, &sql, undoing->dialect->delete_undo);
    sql_undo_append(undoing, &sql,
                    " WHERE $W AND NOT EXISTS (SELECT 1 FROM $T WHERE $M AND $h = $H AND "
                    "($F OR NOT $F$O))");
    enum status status = sql_undo_execute(undoing, &sql, NULL);
    if (status == STATUS_OK) {
        status =
            kinds_count(undoing, "SELECT CASE WHEN $F THEN 1 ELSE 0 END AS kind FROM $U WHERE $W",
                        numbers, KIND_CHANGED);
    }
    if (status == STATUS_OK) {
        uint64_t before = counts->removed + counts->restored;
        uint64_t now = numbers[KIND_REMOVED] + numbers[KIND_RESTORED];
        counts->changed += now < before ? before - now : 0; /* others may change some meanwhile */
        counts->removed = numbers[KIND_REMOVED];
        counts->restored = numbers[KIND_RESTORED];
    }
    return status;
}

/* A record stays to which one refers that does not go itself. In a table that refers to itself, one
 * that is kept may refer to more. */
static enum status referred_keep(struct sql_undoing *undoing)
{
    struct buffer sql = {0};
    uint64_t total = 0;
    sql_undo_append(undoing, &sql, "UPDATE $U SET ");
    buffer_format(&sql, "%s WHERE %s", undoing->dialect->set_released, undoing->dialect->is_kept);
    enum status status = sql_undo_execute(undoing, &sql, NULL);
    for (bool first = true; status == STATUS_OK && (first || total > 0); first = false) {
        total = 0;
        for (uint32_t i = 0; status == STATUS_OK && i < undoing->referrer_count; i++) {
            uint64_t kept = 0;
            if (first || undoing->referrers[i].own) {
                undoing->dialect->append_keeping(undoing, &sql, &undoing->referrers[i]);
                status = sql_undo_execute(undoing, &sql, &kept);
            }
            total += kept;
        }
    }
    return status;
}

/*
 * Puts records back for as long as that helps: one that is restored may hold what another had
 * before, or refer to one that goes. It is enough, since the run wrote one record after the other,
 * too: others keep the rest from it, whose record refers to it or has its unique value. It goes by
 * the key and backwards in turn, as values that moved along it ask for.
 */
static enum status records_put(struct sql_undoing *undoing, const struct undo_counts *wanted,
                               struct undo_counts *left)
{
    uint64_t removed = 0;
    uint64_t restored = 0;
    bool backwards = true;
    enum status status = STATUS_OK;
    *left = (struct undo_counts){.removed = wanted->removed, .restored = wanted->restored};
    for (uint32_t idle = 0; status == STATUS_OK && left->removed + left->restored > 0 && idle < 2;
         backwards = !backwards) {
        uint64_t before = left->removed + left->restored;
        status = undoing->referrer_count > 0 ? referred_keep(undoing) : STATUS_OK;
        if (status != STATUS_OK ||
            undoing->dialect->put(undoing, SQL_UNDO_REMOVE, backwards, &removed) != STATUS_OK ||
            undoing->dialect->put(undoing, SQL_UNDO_RESTORE, backwards, &restored) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (removed == wanted->removed && restored == wanted->restored) {
            *left = (struct undo_counts){0};
            return STATUS_OK;
        }
        status = left_count(undoing, left);
        idle = left->removed + left->restored < before ? 0 : idle + 1;
    }
    return status;
}

/* ---------------------------------------------------------------- what triggers made of it */

/* Marks undo records for which the condition holds. */
static enum status differing_mark(struct sql_undoing *undoing, const char *condition,
                                  const char *place, uint64_t *marked)
{
    struct buffer sql = {0};
    sql_undo_append(undoing, &sql, "UPDATE $U SET ");
    buffer_format(&sql, "%s WHERE ", undoing->dialect->set_differing);
    sql_undo_append(undoing, &sql, condition);
    buffer_append_string(&sql, place);
    return sql_undo_execute(undoing, &sql, marked);
}

enum status sql_undo_mark_tried(struct sql_undoing *undoing, enum sql_undo_put put,
                                const char *place)
{
    return differing_mark(
        undoing, put == SQL_UNDO_RESTORE ? "$F AND $W AND NOT " IS_IMAGE : "$D AND NOT " IS_IMAGE,
        place, NULL);
}

/* Marks what is neither as it was nor, where a constraint may have refused that, as the run left
 * it; and what was to go, and is there as another record than the run left. `before`: marked when
 * it began. */
static enum status others_mark(struct sql_undoing *undoing, uint64_t before,
                               struct undo_counts *counts, struct undo_counts *left)
{
    static const char restored[] = "$F AND $W AND NOT " IS_IMAGE;
    static const char refused[] =
        "$F AND $W AND NOT " IS_IMAGE " AND NOT EXISTS (SELECT 1 FROM $T WHERE $M AND $h = $H)";
    static const char removed[] =
        "NOT $F AND $W AND EXISTS (SELECT 1 FROM $T WHERE $M AND NOT ($h = $H$O))";
    const struct sql_undo_dialect *dialect = undoing->dialect;
    uint64_t gone_wrong = 0;
    if ((dialect->constrain != NULL && dialect->constrain(undoing) != STATUS_OK) ||
        (dialect->settle != NULL && dialect->settle(undoing) != STATUS_OK) ||
        differing_mark(undoing, undoing->refused ? refused : restored, "", NULL) != STATUS_OK ||
        differing_mark(undoing, removed, "", &gone_wrong) != STATUS_OK ||
        differing_count(undoing, &counts->differing) != STATUS_OK) {
        return STATUS_FAILED;
    }
    counts->restored -= counts->differing - before - gone_wrong;
    counts->removed -= gone_wrong;
    return left_count(undoing, left); /* a trigger may have made again what went */
}

/* ---------------------------------------------------------------- what the run wrote */

/* Undo records stay that another call may undo, that undo_deleted is to put back, or that differ.
 * An undo record of a row that was noted and never written goes. */
static enum status undo_end(struct sql_undoing *undoing, uint64_t differing)
{
    struct buffer sql = {0};
    if (!undoing->takes_out && differing == 0) {
        return undoing->dialect->drop(undoing);
    }
    sql_undo_append(undoing, &sql, undoing->dialect->delete_undo);
    sql_undo_append(
        undoing, &sql,
        undoing->takes_out
            ? " WHERE ($W) IS NULL OR $W AND NOT EXISTS (SELECT 1 FROM $T WHERE $M AND $h = $H AND "
              "(NOT $F$O OR $F AND $h <> $I))"
            : " WHERE ($X) IS NOT TRUE");
    return sql_undo_execute(undoing, &sql, NULL);
}

static enum status written_undo(struct sql_undoing *undoing, bool dry_run,
                                struct undo_counts *counts)
{
    const struct sql_undo_dialect *dialect = undoing->dialect;
    struct undo_counts left = {0};
    uint64_t before = 0;
    if (keys_count(undoing, counts) != STATUS_OK ||
        differing_count(undoing, &before) != STATUS_OK) {
        return STATUS_FAILED;
    }
    counts->differing = before;
    if (undoing->retyped != NULL && counts->changed + counts->missing > 0) {
        return sql_refuse_retyped(undoing->facts.schema->name, undoing->retyped, undoing->error);
    }
    if (dry_run) {
        return STATUS_OK;
    }
    if (others_forget(undoing, counts) != STATUS_OK || dialect->prepare(undoing) != STATUS_OK ||
        records_put(undoing, counts, &left) != STATUS_OK ||
        others_mark(undoing, before, counts, &left) != STATUS_OK ||
        (dialect->finish != NULL && dialect->finish(undoing) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    *(undoing->takes_out ? &counts->left : &counts->changed) += left.removed + left.restored;
    counts->restored -= left.restored;
    counts->removed -= left.removed;
    return undo_end(undoing, counts->differing);
}

/* ---------------------------------------------------------------- what the run deleted */

static enum status deleted_count(struct sql_undoing *undoing, uint64_t *away, uint64_t *there)
{
    uint64_t numbers[2];
    enum status status =
        kinds_count(undoing,
                    "SELECT CASE WHEN EXISTS (SELECT 1 FROM $T WHERE $M) THEN 1 ELSE 0 END AS kind "
                    "FROM $U WHERE $D",
                    numbers, 2);
    *away = numbers[0];
    *there = numbers[1];
    return status;
}

/* A record under a deleted one's key by now is others', or the deleted one is back. */
static enum status returned_forget(struct sql_undoing *undoing)
{
    struct buffer sql = {0};
    sql_undo_append(undoing, &sql, undoing->dialect->delete_undo);
    sql_undo_append(undoing, &sql, " WHERE $D AND EXISTS (SELECT 1 FROM $T WHERE $M)");
    return sql_undo_execute(undoing, &sql, NULL);
}

/* Over and over: one may refer to another that comes later. What a constraint forbids stays
 * away. */
static enum status deleted_put(struct sql_undoing *undoing, uint64_t wanted)
{
    const struct sql_undo_dialect *dialect = undoing->dialect;
    uint64_t done = 0;
    uint64_t one = 1;
    enum status status = dialect->constrain != NULL ? dialect->constrain(undoing) : STATUS_OK;
    while (status == STATUS_OK && one > 0 && done < wanted) {
        status = dialect->put(undoing, SQL_UNDO_RETURN, true, &one);
        done += status == STATUS_OK ? one : 0;
    }
    if (status == STATUS_OK && done < wanted && dialect->return_circles != NULL) {
        status = dialect->return_circles(undoing);
    }
    return status;
}

static enum status deleted_undo(struct sql_undoing *undoing, bool dry_run,
                                struct undo_counts *counts)
{
    /* Records that came back as other ones, or did not come though nothing refused them. */
    static const char differs[] = "$D AND NOT " IS_IMAGE;
    static const char refused[] = "$D AND NOT " IS_IMAGE " AND EXISTS (SELECT 1 FROM $T WHERE $M)";
    if (deleted_count(undoing, &counts->restored, &counts->changed) != STATUS_OK ||
        differing_count(undoing, &counts->differing) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (dry_run) {
        return STATUS_OK;
    }
    if (returned_forget(undoing) != STATUS_OK ||
        deleted_put(undoing, counts->restored) != STATUS_OK ||
        differing_mark(undoing, undoing->refused ? refused : differs, "", NULL) != STATUS_OK ||
        differing_count(undoing, &counts->differing) != STATUS_OK ||
        deleted_count(undoing, &counts->left, &counts->restored) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return returned_forget(undoing);
}

/* ---------------------------------------------------------------- a table */

/* STATUS_END: there is nothing (any more) to be undone. */
static enum status undo_find(struct sql_undoing *undoing, const char *table, bool deleted)
{
    struct sql_database *self = undoing->self;
    const struct sql_undo_dialect *dialect = undoing->dialect;
    struct error *error = undoing->error;
    undoing->undo_name = dialect->name(undoing->arena, self->run_id, table);
    enum status status = self->dialect->check_claim(self, error);
    status = status == STATUS_OK && dialect->open != NULL ? dialect->open(undoing) : status;
    if (status == STATUS_OK) {
        status = self->dialect->describe(self, table, undoing->arena, &undoing->facts, error);
    }
    if (status == STATUS_OK) {
        status = self->dialect->describe(self, undoing->undo_name, undoing->arena, &undoing->undo,
                                         error);
    }
    status = status == STATUS_OK ? dialect->find_columns(undoing) : status;
    if (status != STATUS_OK || deleted) {
        return status;
    }
    sql_append_added(self, &undoing->facts, &undoing->undo, "r", &undoing->foreign_of_referrer);
    sql_append_added(self, &undoing->facts, &undoing->undo, "t", &undoing->foreign);
    return sql_check_added(self, &undoing->facts, &undoing->undo, error);
}

static enum status undo_within(struct sql_undoing *undoing, const char *table, bool deleted,
                               bool dry_run, struct undo_counts *counts)
{
    enum status status = undo_find(undoing, table, deleted);
    if (status != STATUS_OK) {
        undoing->is_void = status == STATUS_END;
        return status == STATUS_END ? STATUS_OK : status;
    }
    status =
        deleted ? deleted_undo(undoing, dry_run, counts) : written_undo(undoing, dry_run, counts);
    return status == STATUS_OK && !dry_run
               ? sql_failpoint(undoing->self, "before_undo", undoing->error)
               : status;
}

enum status sql_undo_table(struct sql_database *self, const struct target_table *table,
                           bool deleted, bool dry_run, struct undo_counts *counts,
                           struct error *error)
{
    const struct sql_undo_dialect *dialect = self->dialect->undo;
    if (self->dialect->begin(self, dry_run ? SQL_LOOKS : SQL_WRITES, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct arena *arena = arena_create(0);
    struct sql_undoing *undoing = arena_allocate_zeroed(arena, 1, dialect->bytes);
    *undoing = (struct sql_undoing){.self = self,
                                    .dialect = dialect,
                                    .arena = arena,
                                    .takes_out = table->takes_out,
                                    .error = error};
    enum status status = undo_within(undoing, table->name, deleted, dry_run, counts);
    if (dialect->close != NULL) {
        dialect->close(undoing);
    }
    status = self->dialect->end(self, status, error);
    if (status == STATUS_OK && !dry_run) {
        status = sql_failpoint(self, "after_undo", error);
        status = status == STATUS_OK && dialect->committed != NULL ? dialect->committed(undoing)
                                                                   : status;
    }
    buffer_free(&undoing->match);
    buffer_free(&undoing->foreign);
    buffer_free(&undoing->foreign_of_referrer);
    buffer_free(&undoing->going);
    arena_destroy(arena);
    return status;
}
