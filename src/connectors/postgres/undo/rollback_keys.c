/* Taking a table's records back, key by key: what is PostgreSQL's own of it. */
#include "base/text.h"
#include "connectors/postgres/locks.h"
#include "connectors/postgres/undo/rollback.h"
#include "connectors/sql/rollback.h"
#include <stdio.h>
#include <string.h>

struct postgres_undoing {
    struct sql_undoing base;
    struct postgres_column *columns; /* those that the undo table knows, as they are named now */
    uint32_t column_count;
    const struct sql_undo_column *freed; /* it is BY DEFAULT for as long as this lasts; or NULL */
};

static struct postgres_database *server_of(const struct sql_undoing *undoing)
{
    return postgres_database_of(&undoing->self->base);
}

static PGconn *connection_of(const struct sql_undoing *undoing)
{
    return server_of(undoing)->control;
}

static enum status undo_query(struct sql_undoing *undoing, struct buffer *sql, PGresult **result,
                              struct error *error)
{
    return postgres_query_buffer(server_of(undoing), connection_of(undoing), sql, NULL, 0, SQL_LONG,
                                 ERROR_TARGET_WRITE, result, error);
}

static enum status undo_say(struct sql_undoing *undoing, const char *statement)
{
    return postgres_execute(server_of(undoing), connection_of(undoing), statement, SQL_SHORT,
                            ERROR_TARGET_WRITE, undoing->error);
}

static uint64_t number_at(const PGresult *result, int row, int column)
{
    uint64_t value = 0;
    const char *digits = PQgetvalue(result, row, column);
    return text_to_uint64(digits, strlen(digits), &value) == STATUS_OK ? value : 0;
}

static enum status kinds_count(struct sql_undoing *undoing, struct buffer *sql, uint64_t *counts,
                               uint32_t kinds)
{
    PGresult *result = NULL;
    enum status status = undo_query(undoing, sql, &result, undoing->error);
    for (int row = 0; status == STATUS_OK && row < PQntuples(result); row++) {
        uint64_t kind = number_at(result, row, 0);
        if (kind < kinds) {
            counts[kind] = number_at(result, row, 1);
        }
    }
    PQclear(result);
    return status;
}

static void append_hash(const struct sql_undoing *undoing, struct buffer *sql, const char *alias,
                        bool of_image)
{
    const struct postgres_undoing *own = (const struct postgres_undoing *)undoing;
    postgres_undo_append_hash(sql, own->columns, own->column_count, alias, of_image);
}

/* ---------------------------------------------------------------- columns */

static const struct postgres_column *find_number(const struct postgres_table *facts, int64_t number)
{
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        if (facts->columns[i].number == number) {
            return &facts->columns[i];
        }
    }
    return NULL;
}

/* The table's column that the undo table has as "cN"; STATUS_END: that is none of them. */
static enum status column_of_image(const struct sql_undoing *undoing, const char *image,
                                   const struct postgres_column **column)
{
    int64_t number = 0;
    if (image[0] != 'c' || text_to_int64(image + 1, strlen(image + 1), &number) != STATUS_OK) {
        return STATUS_END; /* found, hash */
    }
    *column = find_number(postgres_facts_of(&undoing->facts), number);
    return *column != NULL ? STATUS_OK
                           : sql_refuse_altered(undoing->facts.schema->name, NULL, undoing->error);
}

static enum status key_find(struct postgres_undoing *own)
{
    struct sql_undoing *undoing = &own->base;
    const struct column_list key = undoing->undo.schema->primary_key;
    undoing->key = arena_allocate_zeroed(undoing->arena, key.count + 1u, sizeof *undoing->key);
    for (uint32_t i = 0; i < key.count; i++) {
        const struct postgres_column *column = NULL;
        if (column_of_image(undoing, key.names[i], &column) != STATUS_OK) {
            break;
        }
        postgres_append(&undoing->match, "%s%n%s", i > 0 ? " AND t." : "t.", column->name,
                        postgres_labels(column));
        postgres_append_operator(&undoing->match, column, "=");
        postgres_append(&undoing->match, "u.%s%s", key.names[i], postgres_labels(column));
        undoing->key[undoing->key_count++] =
            (struct sql_undo_column){.name = column->name, .image = key.names[i]};
    }
    return key.count > 0 && undoing->key_count == key.count
               ? STATUS_OK
               : sql_refuse_altered(undoing->facts.schema->name, NULL, undoing->error);
}

/* Only columns that were there when the run wrote are compared and restored. */
static enum status find_columns(struct sql_undoing *undoing)
{
    struct postgres_undoing *own = (struct postgres_undoing *)undoing;
    const struct postgres_table *undo = postgres_facts_of(&undoing->undo);
    uint32_t count = undo->schema->column_count;
    own->columns = arena_allocate_zeroed(undoing->arena, count + 1u, sizeof *own->columns);
    undoing->columns = arena_allocate_zeroed(undoing->arena, count + 1u, sizeof *undoing->columns);
    for (uint32_t i = 0; i < count; i++) {
        const struct postgres_column *column = NULL;
        const char *image = undo->columns[i].name;
        enum status status = column_of_image(undoing, image, &column);
        if (status == STATUS_FAILED) {
            return STATUS_FAILED;
        }
        if (status == STATUS_END) {
            continue;
        }
        if (column->type_oid != undo->columns[i].type_oid ||
            column->modifier != undo->columns[i].modifier) {
            undoing->retyped = column->name;
        }
        own->columns[own->column_count++] = *column;
        if (!column->generated) {
            undoing->columns[undoing->column_count++] =
                (struct sql_undo_column){column->name, image, column->always_identity};
        }
    }
    return key_find(own);
}

/* ---------------------------------------------------------------- putting back */

/* A statement that a constraint may refuse; STATUS_AGAIN: it did, and nothing of it was done.
 * The server keeps a lock for each savepoint that is not released. */
static enum status put_attempt(struct sql_undoing *undoing, struct buffer *sql, uint64_t *changed)
{
    static const char back[] =
        "ROLLBACK TO SAVEPOINT transhume_undo; RELEASE SAVEPOINT transhume_undo";
    struct error problem = {0};
    PGresult *result = NULL;
    if (undo_say(undoing, "SAVEPOINT transhume_undo") != STATUS_OK) {
        buffer_free(sql);
        return STATUS_FAILED;
    }
    enum status status = undo_query(undoing, sql, &result, &problem);
    if (status == STATUS_OK) {
        status = postgres_rows_changed(result, changed);
        status = undo_say(undoing, "RELEASE SAVEPOINT transhume_undo") == STATUS_OK ? status
                                                                                    : STATUS_FAILED;
    } else if (strncmp(problem.native_state, "23", 2) == 0) {
        status = undo_say(undoing, back) == STATUS_OK ? STATUS_AGAIN : STATUS_FAILED;
    } else {
        error_copy(undoing->error, &problem);
    }
    PQclear(result);
    return status;
}

/* One by one where all at once was refused: what a constraint forbids stays as it is. Backwards,
 * since what came last may hold the others. */
static enum status put_each(struct sql_undoing *undoing, enum sql_undo_put put, bool backwards,
                            uint64_t *changed)
{
    static const char *const lists[] = {
        [SQL_UNDO_REMOVE] = "SELECT u.ctid FROM $U, $T WHERE $M AND NOT $F$O AND $h = $H",
        [SQL_UNDO_RESTORE] = "SELECT u.ctid FROM $U, $T WHERE $M AND $F AND $h = $H AND $h <> $I",
        [SQL_UNDO_RETURN] = "SELECT u.ctid FROM $U WHERE $D AND NOT EXISTS (SELECT 1 FROM $T WHERE "
                            "$M)",
    };
    struct buffer list = {0};
    PGresult *places = NULL;
    *changed = 0;
    sql_undo_append(undoing, &list, lists[put]);
    buffer_append_string(&list, backwards ? " ORDER BY u.ctid DESC" : " ORDER BY u.ctid");
    enum status status = undo_query(undoing, &list, &places, undoing->error);
    for (int i = 0; status == STATUS_OK && i < PQntuples(places); i++) {
        char place[96];
        struct buffer sql = {0};
        uint64_t one = 0;
        snprintf(place, sizeof place, " AND u.ctid = '%s'::pg_catalog.tid",
                 PQgetvalue(places, i, 0));
        sql_undo_append_put(undoing, &sql, put, place);
        status = put_attempt(undoing, &sql, &one);
        *changed += status == STATUS_OK ? one : 0;
        if (status == STATUS_OK && put != SQL_UNDO_REMOVE) {
            status = sql_undo_mark_tried(undoing, put, place);
        }
        status = status == STATUS_AGAIN ? STATUS_OK : status;
    }
    PQclear(places);
    return status;
}

static enum status put_all(struct sql_undoing *undoing, enum sql_undo_put put, bool backwards,
                           uint64_t *changed)
{
    struct buffer sql = {0};
    sql_undo_append_put(undoing, &sql, put, "");
    enum status status = put_attempt(undoing, &sql, changed);
    undoing->refused = status == STATUS_AGAIN;
    return status == STATUS_AGAIN ? put_each(undoing, put, backwards, changed) : status;
}

/* Triggers that wait for the transaction's end come first. */
static enum status undo_constrain(struct sql_undoing *undoing)
{
    return undo_say(undoing, "SET CONSTRAINTS ALL IMMEDIATE");
}

/* Which of the run's records others' ones hold up. */
static enum status find_unreferenced(struct sql_undoing *undoing)
{
    struct buffer going = {0};
    sql_undo_append(undoing, &going, "$T, $U WHERE $M AND NOT $F$O AND $h = $H");
    enum status status = postgres_rollback_append_unreferenced(
        server_of(undoing), connection_of(undoing), postgres_facts_of(&undoing->facts), &going,
        &undoing->going, undoing->error);
    buffer_free(&going);
    return status;
}

/* ---------------------------------------------------------------- numbers of the server's own */

/* Has one of the records that come back another number in the column by now? */
static enum status has_other_numbers(struct sql_undoing *undoing,
                                     const struct sql_undo_column *column, bool *has)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    sql_undo_append(undoing, &sql, "SELECT 1 FROM $T, $U WHERE $M AND $F AND $h = $H");
    postgres_append(&sql, " AND t.%n <> u.%s LIMIT 1", column->name, column->image);
    enum status status = undo_query(undoing, &sql, &result, undoing->error);
    *has = status == STATUS_OK && PQntuples(result) > 0;
    PQclear(result);
    return status;
}

static enum status set_generated(struct sql_undoing *undoing, const struct sql_undo_column *column,
                                 const char *how)
{
    struct buffer sql = {0};
    postgres_append(&sql, "ALTER TABLE %t ALTER COLUMN %n SET GENERATED %s", undoing->self,
                    undoing->facts.schema->name, column->name, how);
    enum status status =
        postgres_alter(server_of(undoing), connection_of(undoing), buffer_string(&sql), SQL_SHORT,
                       ERROR_TARGET_WRITE, undoing->error);
    buffer_free(&sql);
    return status;
}

/* UPDATE can't set a column that is GENERATED ALWAYS AS IDENTITY, and what refers to a record bears
 * no DELETE: it is BY DEFAULT meanwhile. */
static enum status numbers_free(struct sql_undoing *undoing)
{
    struct postgres_undoing *own = (struct postgres_undoing *)undoing;
    for (uint32_t i = 0; i < undoing->column_count; i++) {
        struct sql_undo_column *column = &undoing->columns[i];
        bool has = false;
        if (!column->fixed) {
            continue; /* a table has one that is */
        }
        if (has_other_numbers(undoing, column, &has) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (has) {
            own->freed = column;
            column->fixed = false;
            return set_generated(undoing, column, "BY DEFAULT");
        }
    }
    return STATUS_OK;
}

static enum status undo_prepare(struct sql_undoing *undoing)
{
    return numbers_free(undoing) == STATUS_OK ? find_unreferenced(undoing) : STATUS_FAILED;
}

/* Checks that wait for the transaction's end would keep the table from it. */
static enum status numbers_bind(struct sql_undoing *undoing)
{
    const struct sql_undo_column *column = ((struct postgres_undoing *)undoing)->freed;
    return column == NULL || (undo_constrain(undoing) == STATUS_OK &&
                              set_generated(undoing, column, "ALWAYS") == STATUS_OK)
               ? STATUS_OK
               : STATUS_FAILED;
}

static enum status undo_drop(struct sql_undoing *undoing)
{
    struct buffer sql = {0};
    postgres_append(&sql, "DROP TABLE %t", undoing->self, undoing->undo_name);
    return sql_undo_execute(undoing, &sql, NULL);
}

const struct sql_undo_dialect postgres_undo = {
    .bytes = sizeof(struct postgres_undoing),
    .name = sql_undo_name,
    .kept_hash = "u.hash",
    .found = "u.found",
    .written = "u.hash NOT IN ('', '-')",
    .deleted = "u.hash = ''",
    .differing = "u.hash = '-'",
    .set_differing = "hash = '-'",
    .absent = "$K IS NOT DISTINCT FROM NULL", /* a row of NULLs is no NULL */
    .delete_undo = "DELETE FROM $U",
    .remove = "DELETE FROM $T USING $U WHERE $M AND",
    .remove_end = "",
    .restore = "UPDATE $T SET $S FROM $U WHERE $M AND",
    .set_prefix = "",
    .insert = "INSERT INTO",
    .insert_values = " OVERRIDING SYSTEM VALUE",
    .find_columns = find_columns,
    .count = kinds_count,
    .append_hash = append_hash,
    .prepare = undo_prepare,
    .put = put_all,
    .constrain = undo_constrain,
    .finish = numbers_bind,
    .drop = undo_drop,
};
