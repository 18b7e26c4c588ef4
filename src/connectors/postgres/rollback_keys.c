/* Taking a table's records back, key by key, within a transaction. */
#include "base/text.h"
#include "connectors/postgres/locks.h"
#include "connectors/postgres/rollback.h"
#include "connectors/sql/rollback.h"
#include <string.h>

/* What the run added, and nobody made his own. */
static void append_added(struct buffer *sql, const struct postgres_undoing *undoing)
{
    buffer_append_string(sql, "NOT u.found");
    if (undoing->foreign.length > 0) {
        buffer_append_string(sql, " AND NOT (");
        buffer_append_buffer(sql, &undoing->foreign);
        buffer_append_byte(sql, ')');
    }
}

static void append_match(struct buffer *sql, const struct postgres_undoing *undoing)
{
    buffer_append_buffer(sql, &undoing->match);
}

static void append_undo(struct buffer *sql, const struct postgres_undoing *undoing)
{
    postgres_append(sql, "%t AS u", &undoing->self->sql, undoing->undo_name);
}

static void append_target(struct buffer *sql, const struct postgres_undoing *undoing)
{
    postgres_append(sql, "%t AS t", &undoing->self->sql, undoing->facts.schema->name);
}

static void append_hash(struct buffer *sql, const struct postgres_undoing *undoing)
{
    postgres_undo_append_hash(sql, undoing->columns, undoing->column_count, "t", false);
}

static void append_image_hash(struct buffer *sql, const struct postgres_undoing *undoing)
{
    postgres_undo_append_hash(sql, undoing->columns, undoing->column_count, "u", true);
}

/* Its record is not yet what it was. */
static void append_differs(struct buffer *sql, const struct postgres_undoing *undoing)
{
    buffer_append_string(sql, "u.hash <> ");
    append_image_hash(sql, undoing);
}

/* " EXISTS" its record, and is what it was. */
static void append_is_image(struct buffer *sql, const struct postgres_undoing *undoing)
{
    postgres_append(sql, " EXISTS (SELECT 1 FROM %t AS t WHERE ", &undoing->self->sql,
                    undoing->facts.schema->name);
    append_match(sql, undoing);
    buffer_append_string(sql, " AND ");
    append_image_hash(sql, undoing);
    buffer_append_string(sql, " = ");
    append_hash(sql, undoing);
    buffer_append_byte(sql, ')');
}

static enum status rollback_keys_ask(struct postgres_undoing *undoing, struct buffer *sql,
                                     PGresult **result)
{
    return postgres_query_buffer(undoing->self, undoing->connection, sql, NULL, 0, SQL_LONG,
                                 ERROR_TARGET_WRITE, result, undoing->error);
}

static uint64_t number_at(const PGresult *result, int row, int column)
{
    uint64_t value = 0;
    const char *digits = PQgetvalue(result, row, column);
    return text_to_uint64(digits, strlen(digits), &value) == STATUS_OK ? value : 0;
}

static enum status count_keys(struct postgres_undoing *undoing, struct undo_counts *counts)
{
    struct buffer sql = {0};
    PGresult *result = NULL;

    buffer_append_string(&sql, "SELECT count(*) FILTER (WHERE mine AND NOT found), count(*) FILTER "
                               "(WHERE mine AND found), count(*) FILTER (WHERE NOT mine), count(*) "
                               "FILTER (WHERE mine IS NULL) FROM (SELECT u.found, CASE WHEN t.");
    postgres_append_name(&sql, undoing->key);
    buffer_append_string(&sql, " IS DISTINCT FROM NULL THEN (u.found OR (");
    append_added(&sql, undoing);
    buffer_append_string(&sql, ")) AND u.hash = ");
    append_hash(&sql, undoing);
    postgres_append(&sql, " END AS mine FROM %t AS u LEFT JOIN %t AS t ON ", &undoing->self->sql,
                    undoing->undo_name, &undoing->self->sql, undoing->facts.schema->name);
    append_match(&sql, undoing);
    buffer_append_string(&sql, " WHERE u.hash NOT IN ('', '-')) AS k");
    enum status status = rollback_keys_ask(undoing, &sql, &result);
    if (status == STATUS_OK) {
        *counts = (struct undo_counts){.removed = number_at(result, 0, 0),
                                       .restored = number_at(result, 0, 1),
                                       .changed = number_at(result, 0, 2),
                                       .missing = number_at(result, 0, 3)};
    }
    PQclear(result);
    return status;
}

static void append_ours(struct buffer *sql, const struct postgres_undoing *undoing, bool found)
{
    append_match(sql, undoing);
    buffer_append_string(sql, found ? " AND u.found" : " AND ");
    if (!found) {
        append_added(sql, undoing);
    }
    buffer_append_string(sql, " AND u.hash = ");
    append_hash(sql, undoing);
}

static void append_remove(struct buffer *sql, const struct postgres_undoing *undoing)
{
    postgres_append(sql, "DELETE FROM %t AS t USING %t AS u WHERE ", &undoing->self->sql,
                    undoing->facts.schema->name, &undoing->self->sql, undoing->undo_name);
    append_ours(sql, undoing, false);
    buffer_append_buffer(sql, &undoing->unreferenced);
}

static void append_restore(struct buffer *sql, const struct postgres_undoing *undoing)
{
    bool begun = false;
    postgres_append(sql, "UPDATE %t AS t", &undoing->self->sql, undoing->facts.schema->name);
    for (uint32_t i = 0; i < undoing->column_count; i++) {
        if (!undoing->columns[i].generated && !undoing->columns[i].always_identity) {
            postgres_append(sql, "%s%n = u.c%d", begun ? ", " : " SET ", undoing->columns[i].name,
                            undoing->columns[i].number);
            begun = true;
        }
    }
    postgres_append(sql, " FROM %t AS u WHERE ", &undoing->self->sql, undoing->undo_name);
    append_ours(sql, undoing, true);
}

/* " FROM undo" those whose records the run took out, and under whose keys nothing stands. */
static void append_absent(struct buffer *sql, const struct postgres_undoing *undoing)
{
    buffer_append_string(sql, " FROM ");
    append_undo(sql, undoing);
    buffer_append_string(sql, " WHERE u.hash = '' AND NOT EXISTS (SELECT 1 FROM ");
    append_target(sql, undoing);
    buffer_append_string(sql, " WHERE ");
    append_match(sql, undoing);
    buffer_append_byte(sql, ')');
}

static void append_return(struct buffer *sql, const struct postgres_undoing *undoing)
{
    bool begun = false;
    postgres_append(sql, "INSERT INTO %t AS t", &undoing->self->sql, undoing->facts.schema->name);
    for (uint32_t i = 0; i < undoing->column_count; i++) {
        if (!undoing->columns[i].generated) {
            postgres_append(sql, "%s%n", begun ? ", " : " (", undoing->columns[i].name);
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

static void append_put(struct buffer *sql, const struct postgres_undoing *undoing, enum put put)
{
    if (put == PUT_REMOVE) {
        append_remove(sql, undoing);
    } else if (put == PUT_RESTORE) {
        append_restore(sql, undoing);
    } else {
        append_return(sql, undoing);
    }
}

/* A statement that a constraint may refuse; STATUS_AGAIN: it did, and nothing of it was done.
 * The server keeps a lock for each savepoint that is not released. */
static enum status attempt(struct postgres_undoing *undoing, struct buffer *sql, uint64_t *changed)
{
    static const char savepoint[] = "SAVEPOINT transhume_undo";
    static const char release[] = "RELEASE SAVEPOINT transhume_undo";
    static const char back[] =
        "ROLLBACK TO SAVEPOINT transhume_undo; RELEASE SAVEPOINT transhume_undo";
    struct postgres_database *self = undoing->self;
    struct error problem = {0};
    PGresult *result = NULL;

    if (postgres_execute(self, undoing->connection, savepoint, SQL_SHORT, ERROR_TARGET_WRITE,
                         undoing->error) != STATUS_OK) {
        buffer_free(sql);
        return STATUS_FAILED;
    }
    struct error *kept = undoing->error;
    undoing->error = &problem;
    enum status status = rollback_keys_ask(undoing, sql, &result);
    undoing->error = kept;
    if (status == STATUS_OK) {
        status = postgres_rows_changed(result, changed);
        status = postgres_execute(self, undoing->connection, release, SQL_SHORT, ERROR_TARGET_WRITE,
                                  undoing->error) == STATUS_OK
                     ? status
                     : STATUS_FAILED;
    } else if (strncmp(problem.native_state, "23", 2) == 0) {
        status = postgres_execute(self, undoing->connection, back, SQL_SHORT, ERROR_TARGET_WRITE,
                                  undoing->error) == STATUS_OK
                     ? STATUS_AGAIN
                     : STATUS_FAILED;
    } else {
        error_copy(undoing->error, &problem);
    }
    PQclear(result);
    return status;
}

/* No constraint refused it: what it is not by now a trigger kept it from. */
static enum status mark_tried(struct postgres_undoing *undoing, const char *place)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "UPDATE ");
    append_undo(&sql, undoing);
    buffer_format(&sql, " SET hash = '-' WHERE u.ctid = '%s'::pg_catalog.tid AND NOT", place);
    append_is_image(&sql, undoing);
    return rollback_keys_ask(undoing, &sql, NULL);
}

/* One by one where all at once was refused: what a constraint forbids stays as it is. */
static enum status attempt_each(struct postgres_undoing *undoing, enum put put, uint64_t *changed)
{
    struct buffer list = {0};
    PGresult *places = NULL;
    *changed = 0;
    buffer_append_string(&list, "SELECT u.ctid");
    if (put == PUT_RETURN) {
        append_absent(&list, undoing);
    } else {
        postgres_append(&list, " FROM %t AS u, %t AS t WHERE ", &undoing->self->sql,
                        undoing->undo_name, &undoing->self->sql, undoing->facts.schema->name);
        append_ours(&list, undoing, put == PUT_RESTORE);
    }
    if (put == PUT_RESTORE) {
        buffer_append_string(&list, " AND ");
        append_differs(&list, undoing);
    }
    buffer_append_string(&list, " ORDER BY u.ctid DESC"); /* what came last may hold the others */
    enum status status = rollback_keys_ask(undoing, &list, &places);
    for (int i = 0; status == STATUS_OK && i < PQntuples(places); i++) {
        struct buffer sql = {0};
        uint64_t one = 0;
        append_put(&sql, undoing, put);
        buffer_format(&sql, " AND u.ctid = '%s'::pg_catalog.tid", PQgetvalue(places, i, 0));
        status = attempt(undoing, &sql, &one);
        *changed += status == STATUS_OK ? one : 0;
        if (status == STATUS_OK && put != PUT_REMOVE) {
            status = mark_tried(undoing, PQgetvalue(places, i, 0));
        }
        status = status == STATUS_AGAIN ? STATUS_OK : status;
    }
    PQclear(places);
    return status;
}

static enum status rollback_keys_apply(struct postgres_undoing *undoing, enum put put,
                                       uint64_t *changed)
{
    struct buffer sql = {0};
    append_put(&sql, undoing, put);
    enum status status = attempt(undoing, &sql, changed);
    undoing->refused = status == STATUS_AGAIN;
    return status == STATUS_AGAIN ? attempt_each(undoing, put, changed) : status;
}

/* " WHERE" they are done with: taken back, changed by others, or gone. */
static void append_settled(struct buffer *sql, const struct postgres_undoing *undoing)
{
    buffer_append_string(sql, " WHERE u.hash IS DISTINCT FROM '' AND u.hash IS DISTINCT FROM '-' "
                              "AND NOT EXISTS (SELECT 1 FROM ");
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

/* What another call may do stays, what undo_deleted is to put back, and what differs. */
static enum status end_undo(struct postgres_undoing *undoing, bool takes_out, uint64_t differing)
{
    struct buffer sql = {0};
    if (!takes_out && differing == 0) {
        postgres_append(&sql, "DROP TABLE %t", &undoing->self->sql, undoing->undo_name);
        return rollback_keys_ask(undoing, &sql, NULL);
    }
    postgres_append(&sql, "DELETE FROM %t AS u", &undoing->self->sql, undoing->undo_name);
    if (takes_out) {
        append_settled(&sql, undoing);
    } else {
        buffer_append_string(&sql, " WHERE u.hash IS DISTINCT FROM '-'");
    }
    return rollback_keys_ask(undoing, &sql, NULL);
}

/* What of the run's is as it left it, and not as it was before. */
static enum status count_left(struct postgres_undoing *undoing, struct undo_counts *left)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    buffer_append_string(&sql, "SELECT count(*) FILTER (WHERE ");
    append_added(&sql, undoing);
    buffer_append_string(&sql, "), count(*) FILTER (WHERE u.found AND ");
    append_differs(&sql, undoing);
    postgres_append(&sql, ") FROM %t AS u JOIN %t AS t ON ", &undoing->self->sql,
                    undoing->undo_name, &undoing->self->sql, undoing->facts.schema->name);
    append_match(&sql, undoing);
    buffer_append_string(&sql, " WHERE u.hash = ");
    append_hash(&sql, undoing);
    enum status status = rollback_keys_ask(undoing, &sql, &result);
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
static enum status put_all(struct postgres_undoing *undoing, const struct undo_counts *wanted,
                           struct undo_counts *left)
{
    uint64_t removed = 0;
    uint64_t restored = 0;
    uint64_t before = 0;
    enum status status = STATUS_OK;
    *left = *wanted;
    do {
        before = left->removed + left->restored;
        status = rollback_keys_apply(undoing, PUT_REMOVE, &removed);
        status =
            status == STATUS_OK ? rollback_keys_apply(undoing, PUT_RESTORE, &restored) : status;
        if (status == STATUS_OK && removed == wanted->removed && restored == wanted->restored) {
            *left = (struct undo_counts){0};
            return STATUS_OK;
        }
        status = status == STATUS_OK ? count_left(undoing, left) : status;
    } while (status == STATUS_OK && left->removed + left->restored > 0 &&
             left->removed + left->restored < before);
    return status;
}

/* ---------------------------------------------------------------- what triggers made of it */

static enum status count_differing(struct postgres_undoing *undoing, uint64_t *count)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    postgres_append(&sql, "SELECT count(*) FROM %t AS u WHERE u.hash = '-'", &undoing->self->sql,
                    undoing->undo_name);
    enum status status = rollback_keys_ask(undoing, &sql, &result);
    *count = status == STATUS_OK ? number_at(result, 0, 0) : 0;
    PQclear(result);
    return status;
}

/* Those that are not the run's alone, so that all others are there to be judged afterwards. */
static enum status drop_others(struct postgres_undoing *undoing)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "DELETE FROM ");
    append_undo(&sql, undoing);
    buffer_append_string(&sql, " WHERE u.hash NOT IN ('', '-') AND NOT EXISTS (SELECT 1 FROM ");
    append_target(&sql, undoing);
    buffer_append_string(&sql, " WHERE ");
    append_match(&sql, undoing);
    buffer_append_string(&sql, " AND u.hash = ");
    append_hash(&sql, undoing);
    buffer_append_string(&sql, " AND (u.found OR ");
    append_added(&sql, undoing);
    buffer_append_string(&sql, "))");
    return rollback_keys_ask(undoing, &sql, NULL);
}

/* Marks what is neither what it was nor, where a constraint may have refused it, as the run left
 * it. */
static enum status mark_restored(struct postgres_undoing *undoing, uint64_t *marked)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    buffer_append_string(&sql, "UPDATE ");
    append_undo(&sql, undoing);
    buffer_append_string(&sql, " SET hash = '-' WHERE u.found AND u.hash NOT IN ('', '-') AND NOT");
    append_is_image(&sql, undoing);
    if (undoing->refused) {
        postgres_append(&sql, " AND NOT EXISTS (SELECT 1 FROM %t AS t WHERE ", &undoing->self->sql,
                        undoing->facts.schema->name);
        append_ours(&sql, undoing, true);
        buffer_append_byte(&sql, ')');
    }
    enum status status = rollback_keys_ask(undoing, &sql, &result);
    status = status == STATUS_OK ? postgres_rows_changed(result, marked) : status;
    PQclear(result);
    return status;
}

/* Marks what was to go, and is there as another record than the run left. */
static enum status mark_removed(struct postgres_undoing *undoing, uint64_t *marked)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    postgres_append(&sql, "UPDATE %t AS u SET hash = '-' FROM %t AS t WHERE ", &undoing->self->sql,
                    undoing->undo_name, &undoing->self->sql, undoing->facts.schema->name);
    append_match(&sql, undoing);
    buffer_append_string(&sql, " AND NOT u.found AND u.hash NOT IN ('', '-') AND NOT (u.hash = ");
    append_hash(&sql, undoing);
    buffer_append_string(&sql, " AND ");
    append_added(&sql, undoing);
    buffer_append_byte(&sql, ')');
    enum status status = rollback_keys_ask(undoing, &sql, &result);
    status = status == STATUS_OK ? postgres_rows_changed(result, marked) : status;
    PQclear(result);
    return status;
}

/* Triggers that wait for the transaction's end come first. `before`: marked when it began. */
static enum status mark_differing(struct postgres_undoing *undoing, uint64_t before,
                                  struct undo_counts *counts, struct undo_counts *left)
{
    uint64_t removed = 0;
    uint64_t restored = 0;
    if (postgres_execute(undoing->self, undoing->connection, "SET CONSTRAINTS ALL IMMEDIATE",
                         SQL_SHORT, ERROR_TARGET_WRITE, undoing->error) != STATUS_OK ||
        mark_restored(undoing, &restored) != STATUS_OK ||
        mark_removed(undoing, &removed) != STATUS_OK ||
        count_differing(undoing, &counts->differing) != STATUS_OK) {
        return STATUS_FAILED;
    }
    counts->restored -= counts->differing - before - removed;
    counts->removed -= removed;
    return left->removed + left->restored > 0 ? count_left(undoing, left) : STATUS_OK;
}

/* Which of the run's records others' ones hold up. */
static enum status find_unreferenced(struct postgres_undoing *undoing)
{
    struct buffer going = {0};
    postgres_append(&going, "%t AS t, %t AS u WHERE ", &undoing->self->sql,
                    undoing->facts.schema->name, &undoing->self->sql, undoing->undo_name);
    append_ours(&going, undoing, false);
    enum status status =
        postgres_rollback_append_unreferenced(undoing->self, undoing->connection, &undoing->facts,
                                              &going, &undoing->unreferenced, undoing->error);
    buffer_free(&going);
    return status;
}

/* ---------------------------------------------------------------- numbers of the server's own */

/* Of the records that come back, has one another number in the column by now? */
static enum status has_other_numbers(struct postgres_undoing *undoing,
                                     const struct postgres_column *column, bool *has)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    postgres_append(&sql, "SELECT 1 FROM %t AS t, %t AS u WHERE ", &undoing->self->sql,
                    undoing->facts.schema->name, &undoing->self->sql, undoing->undo_name);
    append_ours(&sql, undoing, true);
    postgres_append(&sql, " AND t.%n <> u.c%d LIMIT 1", column->name, column->number);
    enum status status = rollback_keys_ask(undoing, &sql, &result);
    *has = status == STATUS_OK && PQntuples(result) > 0;
    PQclear(result);
    return status;
}

static enum status set_generated(struct postgres_undoing *undoing,
                                 const struct postgres_column *column, const char *how)
{
    struct buffer sql = {0};
    postgres_append(&sql, "ALTER TABLE %t ALTER COLUMN %n SET GENERATED %s", &undoing->self->sql,
                    undoing->facts.schema->name, column->name, how);
    enum status status = postgres_alter(undoing->self, undoing->connection, buffer_string(&sql),
                                        SQL_SHORT, ERROR_TARGET_WRITE, undoing->error);
    buffer_free(&sql);
    return status;
}

/* UPDATE can't set a column that is GENERATED ALWAYS AS IDENTITY, and what refers to a record bears
 * no DELETE: it is BY DEFAULT meanwhile. `*column` NULL: it need not be. */
static enum status free_numbers(struct postgres_undoing *undoing, struct postgres_column **column)
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
static enum status bind_numbers(struct postgres_undoing *undoing,
                                const struct postgres_column *column)
{
    return column == NULL || (postgres_execute(undoing->self, undoing->connection,
                                               "SET CONSTRAINTS ALL IMMEDIATE", SQL_SHORT,
                                               ERROR_TARGET_WRITE, undoing->error) == STATUS_OK &&
                              set_generated(undoing, column, "ALWAYS") == STATUS_OK)
               ? STATUS_OK
               : STATUS_FAILED;
}

/* ---------------------------------------------------------------- all of it */

enum status postgres_undo_keys(struct postgres_undoing *undoing, bool takes_out, bool dry_run,
                               struct undo_counts *counts)
{
    struct undo_counts left = {0};
    uint64_t before = 0;

    enum status status = count_keys(undoing, counts);
    status = status == STATUS_OK ? count_differing(undoing, &before) : status;
    counts->differing = before;
    if (status == STATUS_OK && undoing->retyped != NULL && counts->changed + counts->missing > 0) {
        return sql_refuse_retyped(undoing->facts.schema->name, undoing->retyped, undoing->error);
    }
    if (status != STATUS_OK || dry_run) {
        return status;
    }
    struct postgres_column *numbers = NULL;
    if (drop_others(undoing) != STATUS_OK || free_numbers(undoing, &numbers) != STATUS_OK ||
        find_unreferenced(undoing) != STATUS_OK || put_all(undoing, counts, &left) != STATUS_OK ||
        mark_differing(undoing, before, counts, &left) != STATUS_OK ||
        bind_numbers(undoing, numbers) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *(takes_out ? &counts->left : &counts->changed) += left.removed + left.restored;
    counts->restored -= left.restored;
    counts->removed -= left.removed;
    return end_undo(undoing, takes_out, counts->differing);
}

/* ---------------------------------------------------------------- what was taken out */

static enum status count_deleted(struct postgres_undoing *undoing, struct undo_counts *counts)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    buffer_append_string(&sql, "SELECT count(*) FILTER (WHERE NOT there), count(*) FILTER (WHERE "
                               "there) FROM (SELECT EXISTS (SELECT 1 FROM ");
    append_target(&sql, undoing);
    buffer_append_string(&sql, " WHERE ");
    append_match(&sql, undoing);
    postgres_append(&sql, ") AS there FROM %t AS u WHERE u.hash = '') AS k", &undoing->self->sql,
                    undoing->undo_name);
    enum status status = rollback_keys_ask(undoing, &sql, &result);
    if (status == STATUS_OK) {
        counts->restored = number_at(result, 0, 0);
        counts->changed = number_at(result, 0, 1);
    }
    PQclear(result);
    return status;
}

/* What is under a key of theirs by now is others', or they are back. */
static enum status forget_returned(struct postgres_undoing *undoing)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "DELETE FROM ");
    append_undo(&sql, undoing);
    buffer_append_string(&sql, " WHERE u.hash = '' AND EXISTS (SELECT 1 FROM ");
    append_target(&sql, undoing);
    buffer_append_string(&sql, " WHERE ");
    append_match(&sql, undoing);
    buffer_append_byte(&sql, ')');
    return rollback_keys_ask(undoing, &sql, NULL);
}

/* Marks what came back as another record, or did not come though nothing refused it. */
static enum status mark_returned(struct postgres_undoing *undoing)
{
    struct buffer sql = {0};
    postgres_append(&sql, "UPDATE %t AS u SET hash = '-' WHERE u.hash = '' AND NOT",
                    &undoing->self->sql, undoing->undo_name);
    append_is_image(&sql, undoing);
    if (undoing->refused) {
        postgres_append(&sql, " AND EXISTS (SELECT 1 FROM %t AS t WHERE ", &undoing->self->sql,
                        undoing->facts.schema->name);
        append_match(&sql, undoing);
        buffer_append_byte(&sql, ')');
    }
    return rollback_keys_ask(undoing, &sql, NULL);
}

/* Over and over: one may refer to another that comes later. What a constraint forbids stays
 * away. */
enum status postgres_undo_deleted(struct postgres_undoing *undoing, bool dry_run,
                                  struct undo_counts *counts)
{
    struct undo_counts after = {0};
    uint64_t done = 0;
    uint64_t one = 1;
    enum status status = count_deleted(undoing, counts);
    status = status == STATUS_OK ? count_differing(undoing, &counts->differing) : status;
    if (status != STATUS_OK || dry_run) {
        return status;
    }
    uint64_t wanted = counts->restored;
    if (forget_returned(undoing) != STATUS_OK) {
        return STATUS_FAILED;
    }
    status = postgres_execute(undoing->self, undoing->connection, "SET CONSTRAINTS ALL IMMEDIATE",
                              SQL_SHORT, ERROR_TARGET_WRITE, undoing->error);
    while (status == STATUS_OK && one > 0 && done < wanted) {
        status = rollback_keys_apply(undoing, PUT_RETURN, &one);
        done += status == STATUS_OK ? one : 0;
    }
    status = status == STATUS_OK ? mark_returned(undoing) : status;
    status = status == STATUS_OK ? count_differing(undoing, &counts->differing) : status;
    status = status == STATUS_OK ? count_deleted(undoing, &after) : status;
    counts->restored = after.changed;
    counts->left = after.restored;
    return status == STATUS_OK ? forget_returned(undoing) : status;
}
