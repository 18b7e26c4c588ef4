/* Taking a run back: its records key by key, its tables whole. What is asked of undo tables stands
 * in target.h. */
#include "connectors/postgres/rollback.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "connectors/postgres/locks.h"
#include "connectors/sql/unfilled.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- what can be undone */

static enum status can_undo(struct database *database, const struct target_table *table,
                            struct buffer *why, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct arena *arena = arena_create(0);
    struct postgres_table facts;
    PGconn *connection = NULL;
    enum status status =
        arena == NULL ? error_set(error, ERROR_MEMORY, table->name, "no memory to look at it")
                      : postgres_control(self, &connection, error);
    if (status == STATUS_OK) {
        status = postgres_target_describe(self, connection, table->name, arena, &facts, error);
        const char *reason =
            status == STATUS_OK
                ? sql_undo_why_not(facts.schema, table, POSTGRES_COLUMNS_MAX - 2, strcmp)
                : NULL;
        bool may_temp = true;
        if (status == STATUS_OK && reason == NULL) {
            status = postgres_may_temp(self, connection, &may_temp, error);
        }
        reason = may_temp ? reason : "the role may not make temporary tables";
        buffer_append_string(why, reason != NULL ? reason : "");
        /* one that is not there will be made with its key */
        status = status == STATUS_FAILED ? status : reason != NULL ? STATUS_END : STATUS_OK;
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- key by key */

struct undoing {
    struct postgres_database *self;
    PGconn *connection;
    const char *undo_name;
    struct postgres_table facts;
    struct postgres_column *columns; /* those that the undo table knows, as they are named now */
    uint32_t column_count;
    struct buffer match;   /* t."key" = u.c1 AND … */
    struct buffer foreign; /* `t` holds something of others in columns added since; empty: no */
    struct buffer unreferenced; /* a condition on `t` */
    const char *key;            /* one of its columns */
    const char *retyped;        /* a column that has another type than it had; NULL: none */
    struct error *error;
};

static enum status altered(const struct undoing *undoing)
{
    error_set(undoing->error, ERROR_ROLLBACK_REFUSED, undoing->facts.schema->name,
              "one of its columns is gone, so the run's records can't be told from others");
    error_hint(undoing->error, "give the column back, or take the run's records out by hand");
    return STATUS_FAILED;
}

static const struct postgres_column *find_number(const struct postgres_table *facts, int64_t number)
{
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        if (facts->columns[i].number == number) {
            return &facts->columns[i];
        }
    }
    return NULL;
}

/* Only columns that were there when the run wrote are compared and restored. */
static enum status find_columns(struct undoing *undoing, const struct postgres_table *undo,
                                struct arena *arena)
{
    uint32_t count = undo->schema->column_count;
    undoing->columns = arena_allocate_zeroed(arena, count + 1u, sizeof *undoing->columns);
    if (undoing->columns == NULL) {
        return error_set(undoing->error, ERROR_MEMORY, undoing->facts.schema->name,
                         "no memory to roll it back");
    }
    for (uint32_t i = 0; i < count; i++) {
        const char *name = undo->columns[i].name;
        int64_t number = 0;
        if (name[0] != 'c' || text_to_int64(name + 1, strlen(name + 1), &number) != STATUS_OK) {
            continue; /* found, hash */
        }
        const struct postgres_column *column = find_number(&undoing->facts, number);
        if (column == NULL) {
            return altered(undoing);
        }
        if (column->type_oid != undo->columns[i].type_oid ||
            column->modifier != undo->columns[i].modifier) {
            undoing->retyped = column->name;
        }
        undoing->columns[undoing->column_count++] = *column;
    }
    for (uint32_t i = 0; i < undo->schema->primary_key.count; i++) {
        const char *name = undo->schema->primary_key.names[i];
        int64_t number = 0;
        bool numbered = text_to_int64(name + 1, strlen(name + 1), &number) == STATUS_OK;
        const struct postgres_column *column = find_number(&undoing->facts, number);
        if (!numbered || column == NULL) {
            return altered(undoing);
        }
        buffer_append_string(&undoing->match, i > 0 ? " AND t." : "t.");
        postgres_append_name(&undoing->match, column->name);
        buffer_format(&undoing->match, "%s = u.%s%s", postgres_labels(column), name,
                      postgres_labels(column));
        undoing->key = column->name;
    }
    return undoing->key != NULL ? STATUS_OK : altered(undoing);
}

/* A record that the run added is not its alone any more once others put something into a column
 * that they added. What it restores keeps that. */
static enum status find_added(struct undoing *undoing, const struct postgres_table *undo)
{
    const struct postgres_table *facts = &undoing->facts;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < facts->schema->column_count; i++) {
        char name[16];
        bool holds = false;
        snprintf(name, sizeof name, "c%d", facts->columns[i].number);
        if (facts->columns[i].generated || postgres_find_column(undo, name) >= 0) {
            continue;
        }
        if (sql_column_gives(&facts->schema->columns[i]) != SQL_GIVES_ANY) {
            postgres_rollback_append_foreign(&undoing->foreign, facts, i);
            continue;
        }
        status = postgres_rollback_holds_any(undoing->self, undoing->connection, facts, i, &holds,
                                             undoing->error);
        if (holds) {
            status = sql_refuse_untold(facts->schema->name, facts->columns[i].name, undoing->error);
        }
    }
    return status;
}

/* What the run added, and nobody made his own. */
static void append_added(struct buffer *sql, const struct undoing *undoing)
{
    buffer_append_string(sql, "NOT u.found");
    if (undoing->foreign.length > 0) {
        buffer_append_string(sql, " AND NOT (");
        buffer_append_buffer(sql, &undoing->foreign);
        buffer_append_byte(sql, ')');
    }
}

static void append_match(struct buffer *sql, const struct undoing *undoing)
{
    buffer_append_buffer(sql, &undoing->match);
}

static void append_undo(struct buffer *sql, const struct undoing *undoing)
{
    postgres_append_table(sql, undoing->self, undoing->undo_name);
    buffer_append_string(sql, " AS u");
}

static void append_target(struct buffer *sql, const struct undoing *undoing)
{
    postgres_append_table(sql, undoing->self, undoing->facts.schema->name);
    buffer_append_string(sql, " AS t");
}

static void append_hash(struct buffer *sql, const struct undoing *undoing)
{
    postgres_undo_append_hash(sql, undoing->columns, undoing->column_count, "t", false);
}

/* Its record is not yet what it was. */
static void append_differs(struct buffer *sql, const struct undoing *undoing)
{
    buffer_append_string(sql, "u.hash <> ");
    postgres_undo_append_hash(sql, undoing->columns, undoing->column_count, "u", true);
}

static enum status ask(struct undoing *undoing, struct buffer *sql, PGresult **result)
{
    return postgres_query_buffer(undoing->self, undoing->connection, sql, NULL, 0, POSTGRES_LONG,
                                 ERROR_TARGET_WRITE, result, undoing->error);
}

static uint64_t number_at(const PGresult *result, int row, int column)
{
    uint64_t value = 0;
    const char *digits = PQgetvalue(result, row, column);
    return text_to_uint64(digits, strlen(digits), &value) == STATUS_OK ? value : 0;
}

static enum status count_keys(struct undoing *undoing, struct undo_counts *counts)
{
    struct buffer sql = {0};
    PGresult *result = NULL;

    buffer_append_string(&sql, "SELECT count(*) FILTER (WHERE mine AND NOT found), count(*) FILTER "
                               "(WHERE mine AND found), count(*) FILTER (WHERE NOT mine), count(*) "
                               "FILTER (WHERE mine IS NULL) FROM (SELECT u.found, CASE WHEN t.");
    postgres_append_name(&sql, undoing->key);
    buffer_append_string(&sql, " IS NOT NULL THEN (u.found OR (");
    append_added(&sql, undoing);
    buffer_append_string(&sql, ")) AND u.hash = ");
    append_hash(&sql, undoing);
    buffer_append_string(&sql, " END AS mine FROM ");
    append_undo(&sql, undoing);
    buffer_append_string(&sql, " LEFT JOIN ");
    append_target(&sql, undoing);
    buffer_append_string(&sql, " ON ");
    append_match(&sql, undoing);
    buffer_append_string(&sql, " WHERE u.hash <> '') AS k");
    enum status status = ask(undoing, &sql, &result);
    if (status == STATUS_OK) {
        *counts = (struct undo_counts){.removed = number_at(result, 0, 0),
                                       .restored = number_at(result, 0, 1),
                                       .changed = number_at(result, 0, 2),
                                       .missing = number_at(result, 0, 3)};
    }
    PQclear(result);
    return status;
}

static void append_ours(struct buffer *sql, const struct undoing *undoing, bool found)
{
    append_match(sql, undoing);
    buffer_append_string(sql, found ? " AND u.found" : " AND ");
    if (!found) {
        append_added(sql, undoing);
    }
    buffer_append_string(sql, " AND u.hash = ");
    append_hash(sql, undoing);
}

static void append_remove(struct buffer *sql, const struct undoing *undoing)
{
    buffer_append_string(sql, "DELETE FROM ");
    append_target(sql, undoing);
    buffer_append_string(sql, " USING ");
    append_undo(sql, undoing);
    buffer_append_string(sql, " WHERE ");
    append_ours(sql, undoing, false);
    buffer_append_buffer(sql, &undoing->unreferenced);
}

static void append_restore(struct buffer *sql, const struct undoing *undoing)
{
    bool begun = false;
    buffer_append_string(sql, "UPDATE ");
    append_target(sql, undoing);
    for (uint32_t i = 0; i < undoing->column_count; i++) {
        if (!undoing->columns[i].generated && !undoing->columns[i].always_identity) {
            buffer_append_string(sql, begun ? ", " : " SET ");
            postgres_append_name(sql, undoing->columns[i].name);
            buffer_format(sql, " = u.c%d", undoing->columns[i].number);
            begun = true;
        }
    }
    buffer_append_string(sql, " FROM ");
    append_undo(sql, undoing);
    buffer_append_string(sql, " WHERE ");
    append_ours(sql, undoing, true);
}

/* " FROM undo" those whose records the run took out, and under whose keys nothing stands. */
static void append_absent(struct buffer *sql, const struct undoing *undoing)
{
    buffer_append_string(sql, " FROM ");
    append_undo(sql, undoing);
    buffer_append_string(sql, " WHERE u.hash = '' AND NOT EXISTS (SELECT 1 FROM ");
    append_target(sql, undoing);
    buffer_append_string(sql, " WHERE ");
    append_match(sql, undoing);
    buffer_append_byte(sql, ')');
}

static void append_return(struct buffer *sql, const struct undoing *undoing)
{
    bool begun = false;
    buffer_append_string(sql, "INSERT INTO ");
    append_target(sql, undoing);
    for (uint32_t i = 0; i < undoing->column_count; i++) {
        if (!undoing->columns[i].generated) {
            buffer_append_string(sql, begun ? ", " : " (");
            postgres_append_name(sql, undoing->columns[i].name);
            begun = true;
        }
    }
    buffer_append_string(sql, ") OVERRIDING SYSTEM VALUE SELECT ");
    begun = false;
    for (uint32_t i = 0; i < undoing->column_count; i++) {
        if (!undoing->columns[i].generated) {
            buffer_format(sql, "%su.c%d", begun ? ", " : "", undoing->columns[i].number);
            begun = true;
        }
    }
    append_absent(sql, undoing);
}

/* What is done to the run's records. */
enum put { PUT_REMOVE, PUT_RESTORE, PUT_RETURN };

static void append_put(struct buffer *sql, const struct undoing *undoing, enum put put)
{
    if (put == PUT_REMOVE) {
        append_remove(sql, undoing);
    } else if (put == PUT_RESTORE) {
        append_restore(sql, undoing);
    } else {
        append_return(sql, undoing);
    }
}

/* A statement that a constraint may refuse; STATUS_AGAIN: it did, and nothing of it was done. */
static enum status attempt(struct undoing *undoing, struct buffer *sql, uint64_t *changed)
{
    static const char savepoint[] = "SAVEPOINT transhume_undo";
    static const char back[] = "ROLLBACK TO SAVEPOINT transhume_undo";
    struct postgres_database *self = undoing->self;
    struct error problem = {0};
    PGresult *result = NULL;

    if (postgres_execute(self, undoing->connection, savepoint, POSTGRES_SHORT, ERROR_TARGET_WRITE,
                         undoing->error) != STATUS_OK) {
        buffer_free(sql);
        return STATUS_FAILED;
    }
    struct error *kept = undoing->error;
    undoing->error = &problem;
    enum status status = ask(undoing, sql, &result);
    undoing->error = kept;
    if (status == STATUS_OK) {
        status = postgres_rows_changed(result, changed);
    } else if (strncmp(problem.native_state, "23", 2) == 0) {
        status = postgres_execute(self, undoing->connection, back, POSTGRES_SHORT,
                                  ERROR_TARGET_WRITE, undoing->error) == STATUS_OK
                     ? STATUS_AGAIN
                     : STATUS_FAILED;
    } else {
        error_copy(undoing->error, &problem);
    }
    PQclear(result);
    return status;
}

/* One by one where all at once was refused: what a constraint forbids stays as it is. */
static enum status attempt_each(struct undoing *undoing, enum put put, uint64_t *changed)
{
    struct buffer list = {0};
    PGresult *places = NULL;
    *changed = 0;
    buffer_append_string(&list, "SELECT u.ctid");
    if (put == PUT_RETURN) {
        append_absent(&list, undoing);
    } else {
        buffer_append_string(&list, " FROM ");
        append_undo(&list, undoing);
        buffer_append_string(&list, ", ");
        append_target(&list, undoing);
        buffer_append_string(&list, " WHERE ");
        append_ours(&list, undoing, put == PUT_RESTORE);
    }
    if (put == PUT_RESTORE) {
        buffer_append_string(&list, " AND ");
        append_differs(&list, undoing);
    }
    buffer_append_string(&list, " ORDER BY u.ctid DESC"); /* what came last may hold the others */
    enum status status = ask(undoing, &list, &places);
    for (int i = 0; status == STATUS_OK && i < PQntuples(places); i++) {
        struct buffer sql = {0};
        uint64_t one = 0;
        append_put(&sql, undoing, put);
        buffer_format(&sql, " AND u.ctid = '%s'::pg_catalog.tid", PQgetvalue(places, i, 0));
        status = attempt(undoing, &sql, &one);
        *changed += status == STATUS_OK ? one : 0;
        status = status == STATUS_AGAIN ? STATUS_OK : status;
    }
    PQclear(places);
    return status;
}

static enum status apply(struct undoing *undoing, enum put put, uint64_t *changed)
{
    struct buffer sql = {0};
    append_put(&sql, undoing, put);
    enum status status = attempt(undoing, &sql, changed);
    return status == STATUS_AGAIN ? attempt_each(undoing, put, changed) : status;
}

/* " WHERE" they are done with: taken back, changed by others, or gone. */
static void append_settled(struct buffer *sql, const struct undoing *undoing)
{
    buffer_append_string(sql, " WHERE u.hash IS DISTINCT FROM '' AND NOT EXISTS (SELECT 1 FROM ");
    append_target(sql, undoing);
    buffer_append_string(sql, " WHERE ");
    append_match(sql, undoing);
    buffer_append_string(sql, " AND u.hash = ");
    append_hash(sql, undoing);
    buffer_append_string(sql, " AND (");
    append_added(sql, undoing);
    buffer_append_string(sql, " OR u.found AND ");
    append_differs(sql, undoing);
    buffer_append_string(sql, "))");
}

static enum status drop_undo(struct undoing *undoing)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "DROP TABLE ");
    postgres_append_table(&sql, undoing->self, undoing->undo_name);
    return ask(undoing, &sql, NULL);
}

/* What another call may do stays, and what undo_deleted is to put back. */
static enum status end_undo(struct undoing *undoing, bool takes_out)
{
    struct buffer sql = {0};
    if (!takes_out) {
        return drop_undo(undoing);
    }
    buffer_append_string(&sql, "DELETE FROM ");
    append_undo(&sql, undoing);
    append_settled(&sql, undoing);
    return ask(undoing, &sql, NULL);
}

/* What of the run's is as it left it, and not as it was before. */
static enum status count_left(struct undoing *undoing, struct undo_counts *left)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    buffer_append_string(&sql, "SELECT count(*) FILTER (WHERE ");
    append_added(&sql, undoing);
    buffer_append_string(&sql, "), count(*) FILTER (WHERE u.found AND ");
    append_differs(&sql, undoing);
    buffer_append_string(&sql, ") FROM ");
    append_undo(&sql, undoing);
    buffer_append_string(&sql, " JOIN ");
    append_target(&sql, undoing);
    buffer_append_string(&sql, " ON ");
    append_match(&sql, undoing);
    buffer_append_string(&sql, " WHERE u.hash = ");
    append_hash(&sql, undoing);
    enum status status = ask(undoing, &sql, &result);
    if (status == STATUS_OK) {
        *left = (struct undo_counts){.removed = number_at(result, 0, 0),
                                     .restored = number_at(result, 0, 1)};
    }
    PQclear(result);
    return status;
}

/* For as long as that helps: what is restored may hold what another had before, or refer to one
 * that goes. It is enough, since the run wrote one record after the other, too. What is left then
 * others keep from it: one of theirs refers to it, has its unique value. */
static enum status put_all(struct undoing *undoing, const struct undo_counts *wanted,
                           struct undo_counts *left)
{
    uint64_t removed = 0;
    uint64_t restored = 0;
    uint64_t before = 0;
    enum status status = STATUS_OK;
    *left = *wanted;
    do {
        before = left->removed + left->restored;
        status = apply(undoing, PUT_REMOVE, &removed);
        status = status == STATUS_OK ? apply(undoing, PUT_RESTORE, &restored) : status;
        if (status == STATUS_OK && removed == wanted->removed && restored == wanted->restored) {
            *left = (struct undo_counts){0};
            return STATUS_OK;
        }
        status = status == STATUS_OK ? count_left(undoing, left) : status;
    } while (status == STATUS_OK && left->removed + left->restored > 0 &&
             left->removed + left->restored < before);
    return status;
}

/* Which of the run's records others' ones hold up. */
static enum status find_unreferenced(struct undoing *undoing)
{
    struct buffer going = {0};
    append_target(&going, undoing);
    buffer_append_string(&going, ", ");
    append_undo(&going, undoing);
    buffer_append_string(&going, " WHERE ");
    append_ours(&going, undoing, false);
    enum status status =
        postgres_rollback_append_unreferenced(undoing->self, undoing->connection, &undoing->facts,
                                              &going, &undoing->unreferenced, undoing->error);
    if (status == STATUS_OK && (going.failed || undoing->unreferenced.failed)) {
        status = error_set(undoing->error, ERROR_MEMORY, undoing->facts.schema->name,
                           "no memory to roll it back");
    }
    buffer_free(&going);
    return status;
}

/* ---------------------------------------------------------------- numbers of the server's own */

/* Of the records that come back, has one another number in the column by now? */
static enum status has_other_numbers(struct undoing *undoing, const struct postgres_column *column,
                                     bool *has)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    buffer_append_string(&sql, "SELECT 1 FROM ");
    append_target(&sql, undoing);
    buffer_append_string(&sql, ", ");
    append_undo(&sql, undoing);
    buffer_append_string(&sql, " WHERE ");
    append_ours(&sql, undoing, true);
    buffer_append_string(&sql, " AND t.");
    postgres_append_name(&sql, column->name);
    buffer_format(&sql, " <> u.c%d LIMIT 1", column->number);
    enum status status = ask(undoing, &sql, &result);
    *has = status == STATUS_OK && PQntuples(result) > 0;
    PQclear(result);
    return status;
}

static enum status set_generated(struct undoing *undoing, const struct postgres_column *column,
                                 const char *how)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "ALTER TABLE ");
    postgres_append_table(&sql, undoing->self, undoing->facts.schema->name);
    buffer_append_string(&sql, " ALTER COLUMN ");
    postgres_append_name(&sql, column->name);
    buffer_format(&sql, " SET GENERATED %s", how);
    enum status status =
        sql.failed ? error_set(undoing->error, ERROR_MEMORY, undoing->facts.schema->name,
                               "no memory to roll it back")
                   : postgres_alter(undoing->self, undoing->connection, buffer_string(&sql),
                                    POSTGRES_SHORT, ERROR_TARGET_WRITE, undoing->error);
    buffer_free(&sql);
    return status;
}

/* UPDATE can't set a column that is GENERATED ALWAYS AS IDENTITY, and what refers to a record bears
 * no DELETE: it is BY DEFAULT meanwhile. `*column` NULL: it need not be. */
static enum status free_numbers(struct undoing *undoing, struct postgres_column **column)
{
    enum status status = STATUS_OK;
    *column = NULL;
    for (uint32_t i = 0; status == STATUS_OK && i < undoing->column_count; i++) {
        bool has = false;
        if (undoing->columns[i].always_identity) {
            status = has_other_numbers(undoing, &undoing->columns[i], &has);
            *column = has ? &undoing->columns[i] : NULL;
            break; /* a table has one */
        }
    }
    if (status != STATUS_OK || *column == NULL) {
        return status;
    }
    (*column)->always_identity = false;
    return set_generated(undoing, *column, "BY DEFAULT");
}

/* What waits for the transaction's end would keep the table from it. */
static enum status bind_numbers(struct undoing *undoing, const struct postgres_column *column)
{
    return column == NULL || (postgres_execute(undoing->self, undoing->connection,
                                               "SET CONSTRAINTS ALL IMMEDIATE", POSTGRES_SHORT,
                                               ERROR_TARGET_WRITE, undoing->error) == STATUS_OK &&
                              set_generated(undoing, column, "ALWAYS") == STATUS_OK)
               ? STATUS_OK
               : STATUS_FAILED;
}

/* ---------------------------------------------------------------- all of it */

static enum status undo_keys(struct undoing *undoing, bool takes_out, bool dry_run,
                             struct undo_counts *counts)
{
    struct undo_counts left = {0};

    enum status status = count_keys(undoing, counts);
    if (status == STATUS_OK && undoing->retyped != NULL && counts->changed + counts->missing > 0) {
        return sql_refuse_retyped(undoing->facts.schema->name, undoing->retyped, undoing->error);
    }
    if (status != STATUS_OK || dry_run) {
        return status;
    }
    struct postgres_column *numbers = NULL;
    if (free_numbers(undoing, &numbers) != STATUS_OK || find_unreferenced(undoing) != STATUS_OK ||
        put_all(undoing, counts, &left) != STATUS_OK ||
        bind_numbers(undoing, numbers) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *(takes_out ? &counts->left : &counts->changed) += left.removed + left.restored;
    counts->restored -= left.restored;
    counts->removed -= left.removed;
    return end_undo(undoing, takes_out);
}

/* ---------------------------------------------------------------- what was taken out */

static enum status count_deleted(struct undoing *undoing, struct undo_counts *counts)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    buffer_append_string(&sql, "SELECT count(*) FILTER (WHERE NOT there), count(*) FILTER (WHERE "
                               "there) FROM (SELECT EXISTS (SELECT 1 FROM ");
    append_target(&sql, undoing);
    buffer_append_string(&sql, " WHERE ");
    append_match(&sql, undoing);
    buffer_append_string(&sql, ") AS there FROM ");
    append_undo(&sql, undoing);
    buffer_append_string(&sql, " WHERE u.hash = '') AS k");
    enum status status = ask(undoing, &sql, &result);
    if (status == STATUS_OK) {
        counts->restored = number_at(result, 0, 0);
        counts->changed = number_at(result, 0, 1);
    }
    PQclear(result);
    return status;
}

/* Over and over: one may refer to another that comes later. What a constraint forbids stays
 * away. */
static enum status undo_deleted_keys(struct undoing *undoing, bool dry_run,
                                     struct undo_counts *counts)
{
    uint64_t done = 0;
    uint64_t one = 1;
    enum status status = count_deleted(undoing, counts);
    if (status != STATUS_OK || dry_run) {
        return status;
    }
    uint64_t wanted = counts->restored;
    status = postgres_execute(undoing->self, undoing->connection, "SET CONSTRAINTS ALL IMMEDIATE",
                              POSTGRES_SHORT, ERROR_TARGET_WRITE, undoing->error);
    while (status == STATUS_OK && one > 0 && done < wanted) {
        status = apply(undoing, PUT_RETURN, &one);
        done += status == STATUS_OK ? one : 0;
    }
    counts->restored = done;
    counts->left = wanted - done;
    if (status != STATUS_OK) {
        return status;
    }
    struct buffer sql = {0};
    buffer_append_string(&sql, "DELETE FROM ");
    append_undo(&sql, undoing);
    buffer_append_string(&sql, " WHERE u.hash = '' AND EXISTS (SELECT 1 FROM ");
    append_target(&sql, undoing);
    buffer_append_string(&sql, " WHERE ");
    append_match(&sql, undoing);
    buffer_append_byte(&sql, ')');
    return ask(undoing, &sql, NULL);
}

/* ---------------------------------------------------------------- a table */

static enum status undo_within(struct undoing *undoing, const struct target_table *table,
                               bool deleted, bool dry_run, struct arena *arena,
                               struct undo_counts *counts)
{
    struct postgres_database *self = undoing->self;
    struct postgres_table undo;
    enum status status =
        postgres_ledger_check_claim(self, undoing->connection, undoing->error) == STATUS_OK
            ? postgres_target_describe(self, undoing->connection, table->name, arena,
                                       &undoing->facts, undoing->error)
            : STATUS_FAILED;
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED; /* the table is gone */
    }
    undoing->undo_name = sql_undo_name(arena, self->run_id, table->name);
    if (undoing->undo_name == NULL) {
        return error_set(undoing->error, ERROR_MEMORY, table->name, "no memory to roll it back");
    }
    status = postgres_target_describe(self, undoing->connection, undoing->undo_name, arena, &undo,
                                      undoing->error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED; /* nothing written, or undone */
    }
    status = find_columns(undoing, &undo, arena);
    status = status == STATUS_OK && !deleted ? find_added(undoing, &undo) : status;
    if (status == STATUS_OK) {
        status = deleted ? undo_deleted_keys(undoing, dry_run, counts)
                         : undo_keys(undoing, table->takes_out, dry_run, counts);
    }
    return status == STATUS_OK && !dry_run ? failpoint_hit("postgres.before_undo", undoing->error)
                                           : status;
}

static enum status undo_table(struct database *database, const struct target_table *table,
                              bool deleted, bool dry_run, struct undo_counts *counts,
                              struct error *error)
{
    struct undoing undoing = {.self = postgres_database_of(database), .error = error};
    struct arena *arena = arena_create(0);

    *counts = (struct undo_counts){0};
    enum status status =
        arena == NULL ? error_set(error, ERROR_MEMORY, table->name, "no memory to look at it")
                      : postgres_begin(undoing.self, &undoing.connection, error);
    if (status == STATUS_OK) {
        status = postgres_end(undoing.self, undoing.connection,
                              undo_within(&undoing, table, deleted, dry_run, arena, counts), error);
    }
    buffer_free(&undoing.match);
    buffer_free(&undoing.foreign);
    buffer_free(&undoing.unreferenced);
    arena_destroy(arena);
    return status == STATUS_OK && !dry_run ? failpoint_hit("postgres.after_undo", error) : status;
}

static enum status undo(struct database *database, const struct target_table *table,
                        int64_t ended_us, bool dry_run, struct undo_counts *counts,
                        struct error *error)
{
    (void)ended_us;
    return undo_table(database, table, false, dry_run, counts, error);
}

static enum status undo_deleted(struct database *database, const struct target_table *table,
                                bool dry_run, struct undo_counts *counts, struct error *error)
{
    return undo_table(database, table, true, dry_run, counts, error);
}

const struct rollback_functions postgres_rollback_functions = {
    .can_undo = can_undo,
    .undo = undo,
    .undo_deleted = undo_deleted,
    .sum_columns = postgres_sum_columns,
    .find_foreign = postgres_find_foreign,
    .was_made = postgres_was_made,
    .remove_table = postgres_remove_table,
    .remove_objects = postgres_remove_objects,
};
