/* Taking a run back: tables that it made, tables that it filled, and what of others stands in the
 * way. */
#include "base/failpoint.h"
#include "base/text.h"
#include "connectors/postgres/locks.h"
#include "connectors/postgres/schema/objects.h"
#include "connectors/postgres/undo/rollback.h"
#include "connectors/sql/rollback.h"
#include "postgres_sql.h"
#include <string.h>

/* Others' objects that depend on the run's tables, and others' records that refer to its records,
 * are not taken with them. */
static enum status rollback_tables_explain(struct error *error, const char *object)
{
    bool depends = strcmp(error->native_state, "2BP01") == 0;
    if (depends || strncmp(error->native_state, "23", 2) == 0) {
        char words[sizeof error->message];
        memcpy(words, error->message, sizeof words);
        error_set(error, ERROR_ROLLBACK_REFUSED, object, "%s", words);
        error_hint(error, depends ? "others made this since: drop or move it, then roll back again"
                                  : "records of others refer to it: move them, then roll back "
                                    "again");
    }
    return STATUS_FAILED;
}

/* ---------------------------------------------------------------- who refers to a record */

static bool is_own(const PGresult *keys, int row)
{
    return strcmp(PQgetvalue(keys, row, 4), "t") == 0;
}

int postgres_referrer_end(const PGresult *keys, int first)
{
    int end = first + 1;
    while (end < PQntuples(keys) &&
           strcmp(PQgetvalue(keys, first, 0), PQgetvalue(keys, end, 0)) == 0) {
        end++;
    }
    return end;
}

static void append_pairs(struct buffer *sql, const PGresult *keys, int first, const char *referring,
                         const char *referred)
{
    int end = postgres_referrer_end(keys, first);
    for (int row = first; row < end; row++) {
        postgres_append(sql, "%s%s.%n %s %s.%n", row > first ? " AND " : "", referred,
                        PQgetvalue(keys, row, 3), PQgetvalue(keys, row, 5), referring,
                        PQgetvalue(keys, row, 2));
    }
}

/* By one of its own keys. */
static void append_own_pairs(struct buffer *sql, const PGresult *keys, const char *referring,
                             const char *referred)
{
    const char *separator = "(";
    for (int row = 0; row < PQntuples(keys); row = postgres_referrer_end(keys, row)) {
        if (is_own(keys, row)) {
            buffer_append_string(sql, separator);
            append_pairs(sql, keys, row, referring, referred);
            separator = " OR ";
        }
    }
    buffer_append_byte(sql, ')');
}

/* Where the record is, also among partitions: each numbers its own. */
static void append_place(struct buffer *sql, const char *record)
{
    buffer_format(sql, "%s.tableoid::pg_catalog.text || ' ' || %s.ctid::pg_catalog.text", record,
                  record);
}

/* A record to which one that stays refers stays as well, and so do those to which it refers itself.
 * DISTINCT: without it the server takes the recursion for far too large to hash, and reads all of
 * it once a record.
 */
static void append_kept(struct buffer *sql, const struct postgres_database *self,
                        const struct postgres_table *table, const PGresult *keys,
                        const struct buffer *going)
{
    buffer_append_string(sql, " AND ");
    append_place(sql, "t");
    buffer_append_string(sql, " NOT IN (WITH RECURSIVE going AS (SELECT ");
    append_place(sql, "t");
    postgres_append(sql,
                    " AS place, t AS record FROM %b), kept AS (SELECT g.place FROM going AS "
                    "g JOIN %t AS r ON ",
                    going, &self->sql, table->schema->name);
    append_own_pairs(sql, keys, "r", "(g.record)");
    buffer_append_string(sql, " WHERE ");
    append_place(sql, "r");
    buffer_append_string(sql, " NOT IN (SELECT place FROM going) UNION SELECT g.place FROM kept AS "
                              "k JOIN going AS c ON c.place = k.place JOIN going AS g ON ");
    append_own_pairs(sql, keys, "(c.record)", "(g.record)");
    buffer_append_string(sql, ") SELECT DISTINCT place FROM kept)");
}

enum status postgres_rollback_append_unreferenced(struct postgres_database *self,
                                                  PGconn *connection,
                                                  const struct postgres_table *table,
                                                  struct buffer *going, struct buffer *sql,
                                                  struct error *error)
{
    bool own = false;
    char oid[24] = {0};
    text_from_uint64(table->oid, oid);
    const struct postgres_parameter parameter = {.text = oid};
    PGresult *keys = NULL;
    enum status status = postgres_catalog_query(self, connection, sql_referrers, &parameter, 1,
                                                SQL_SHORT, ERROR_TARGET_INVALID, &keys, error);
    int count = status == STATUS_OK ? PQntuples(keys) : 0;
    for (int row = 0; row < count; row = postgres_referrer_end(keys, row)) {
        own |= is_own(keys, row);
        if (!is_own(keys, row)) {
            buffer_format(sql, " AND NOT EXISTS (SELECT 1 FROM %s AS r WHERE ",
                          PQgetvalue(keys, row, 1));
            append_pairs(sql, keys, row, "r", "t");
            buffer_append_byte(sql, ')');
        }
    }
    if (own && going != NULL) {
        buffer_append_buffer(going, sql);
        append_kept(sql, self, table, keys, going);
    }
    PQclear(keys);
    return status;
}

/* ---------------------------------------------------------------- whole tables */

/* Foreign keys by which other tables of the run refer to it. */
static enum status drop_references(struct postgres_database *self, PGconn *connection,
                                   const struct postgres_table *facts, struct error *error)
{
    char oid[24] = {0};
    text_from_uint64(facts->oid, oid);
    const struct postgres_parameter parameters[] = {{.text = self->spaces}, {.text = oid}};
    struct buffer sql = {0};
    struct buffer drops = {0};
    PGresult *keys = NULL;
    buffer_append_string(
        &sql, POSTGRES_WITH_SPACE
        "SELECT pg_catalog.format('ALTER TABLE %I.%I DROP CONSTRAINT %I;', n.nspname, "
        "c.relname, k.conname) FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c "
        "ON c.oid = k.conrelid JOIN space n ON n.oid = c.relnamespace WHERE k.contype = 'f' "
        "AND k.confrelid = $2::pg_catalog.oid AND k.conrelid <> k.confrelid AND "
        "k.conparentid = 0 AND " POSTGRES_IS_CALLED " AND n.lead || c.relname IN ");
    postgres_append_made(&sql, self);
    enum status status = postgres_catalog_query_buffer(self, connection, &sql, parameters, 2,
                                                       SQL_LONG, ERROR_TARGET_WRITE, &keys, error);
    for (int i = 0; status == STATUS_OK && i < PQntuples(keys); i++) {
        buffer_append_string(&drops, PQgetvalue(keys, i, 0));
    }
    PQclear(keys);
    if (status != STATUS_OK || buffer_is_empty(&drops)) {
        buffer_free(&drops);
        return status;
    }
    return postgres_execute_buffer(self, connection, &drops, SQL_SHORT, ERROR_TARGET_WRITE, error);
}

/* A delete must not reach further than the table. */
static enum status refuse_reaching(struct postgres_database *self, PGconn *connection,
                                   const struct postgres_table *facts, struct error *error)
{
    struct buffer condition = {0};
    struct buffer sql = {0};
    PGresult *result = NULL;
    enum status status =
        postgres_rollback_append_unreferenced(self, connection, facts, NULL, &condition, error);
    if (status == STATUS_OK && !buffer_is_empty(&condition)) {
        postgres_append(&sql, "SELECT 1 FROM %t AS t WHERE NOT (true%b) LIMIT 1", &self->sql,
                        facts->schema->name, &condition);
        status = postgres_query_buffer(self, connection, &sql, NULL, 0, SQL_LONG,
                                       ERROR_TARGET_WRITE, &result, error);
        if (status == STATUS_OK && PQntuples(result) > 0) {
            error_set(error, ERROR_ROLLBACK_REFUSED, facts->schema->name,
                      "records of another table refer to those of the run, and would go or change "
                      "with them");
            error_hint(error, "move them away first, then roll back again");
            status = STATUS_FAILED;
        }
        PQclear(result);
    }
    buffer_free(&condition);
    return status;
}

/* A table that inherits from one is another one; a partition is a part of it. */
static const char *only(const struct postgres_table *facts, const char *whole, const char *alone)
{
    return facts->kind == 'p' ? whole : alone;
}

enum status postgres_remove(struct sql_database *database, const struct sql_table *table, bool made,
                            struct error *error)
{
    struct postgres_database *self = postgres_database_of(&database->base);
    PGconn *connection = self->control;
    const struct postgres_table *facts = postgres_facts_of(table);
    struct buffer sql = {0};
    enum status status = made ? drop_references(self, connection, facts, error)
                              : refuse_reaching(self, connection, facts, error);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&sql,
                         made ? "DROP TABLE " : only(facts, "DELETE FROM ", "DELETE FROM ONLY "));
    postgres_append_table(&sql, self, facts->schema->name);
    if (postgres_query_buffer(self, connection, &sql, NULL, 0, SQL_LONG, ERROR_TARGET_WRITE, NULL,
                              error) != STATUS_OK) {
        return rollback_tables_explain(error, facts->schema->name);
    }
    if (made) {
        return STATUS_OK;
    }
    postgres_append(&sql, "%s%t LIMIT 1", only(facts, "SELECT 1 FROM ", "SELECT 1 FROM ONLY "),
                    &self->sql, facts->schema->name);
    return sql_refuse_left(&self->sql, facts->schema->name, &sql, error);
}

/* ---------------------------------------------------------------- what depends on them */

/* All that the run made and that is still there, at once. */
static enum status drop_made(struct postgres_database *self, PGconn *connection,
                             struct error *error)
{
    const struct postgres_parameter spaces = {.text = self->spaces};
    struct buffer sql = {0};
    PGresult *names = NULL;
    buffer_append_string(&sql, POSTGRES_WITH_SPACE "SELECT m.name FROM ");
    postgres_append_made(&sql, self);
    buffer_append_string(&sql, " AS m WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN space "
                               "n ON n.oid = c.relnamespace WHERE n.lead || c.relname = m.name AND "
                               "c.relkind IN ('r', 'p'))");
    enum status status = postgres_catalog_query_buffer(self, connection, &sql, &spaces, 1, SQL_LONG,
                                                       ERROR_TARGET_WRITE, &names, error);
    return postgres_drop_listed(self, connection, names, status, error);
}

static enum status drop_all(struct postgres_database *self, PGconn *connection, struct buffer *what,
                            struct error *error)
{
    enum status status = postgres_objects_drop(self, connection, true, what, error);
    status = status == STATUS_OK ? drop_made(self, connection, error) : status;
    return status == STATUS_OK ? postgres_objects_drop(self, connection, false, what, error)
                               : status;
}

/* Tried and taken back at once: the server knows best what depends on what. */
static enum status try_to_drop(struct postgres_database *self, PGconn *connection,
                               struct buffer *what, struct error *error)
{
    struct error problem = {0};
    enum status status = postgres_execute(self, connection, "SAVEPOINT transhume_try", SQL_SHORT,
                                          ERROR_TARGET_WRITE, error);
    if (status != STATUS_OK) {
        return status;
    }
    enum status tried = drop_all(self, connection, what, &problem);
    status = postgres_execute(self, connection, "ROLLBACK TO SAVEPOINT transhume_try", SQL_SHORT,
                              ERROR_TARGET_WRITE, error);
    if (status == STATUS_OK && tried != STATUS_OK) {
        error_copy(error, &problem);
        return rollback_tables_explain(error, self->sql.shown);
    }
    return status;
}

enum status postgres_remove_objects(struct database *database, bool dry_run, struct buffer *what,
                                    struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    PGconn *connection = NULL;

    if (postgres_begin_brief(self, &connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = postgres_check_claim(self, connection, error);
    if (status == STATUS_OK && dry_run) {
        status = try_to_drop(self, connection, what, error);
    } else if (status == STATUS_OK) {
        status = postgres_objects_drop(self, connection, true, what, error) == STATUS_OK
                     ? failpoint_hit("postgres.before_remove_objects", error)
                     : rollback_tables_explain(error, self->sql.shown);
    }
    status = postgres_end(self, connection, status, error);
    return status == STATUS_OK && !dry_run ? failpoint_hit("postgres.after_remove_objects", error)
                                           : status;
}
