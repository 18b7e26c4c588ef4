/*
 * The publication: which tables the stream tells of. One that transhume made has a comment
 *   transhume feed, made, NUMBERS     or     transhume feed, opened, NUMBERS
 * by which a feed that nobody has read yet is known. The numbers are those of its entries: a table
 * that somebody took out and put in again has another one. Entries go with their tables.
 */
#include "connectors/postgres/follow/feed.h"
#include "postgres_sql.h"
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define MADE "transhume feed, made, "
#define OPENED "transhume feed, opened, "

/* ---------------------------------------------------------------- the tables */

/* "WITH asked(place, schema, name, before) AS (VALUES …) " */
static void append_asked(struct buffer *sql, struct postgres_database *self,
                         const struct followed_table *tables, uint32_t table_count)
{
    buffer_append_string(sql, "WITH asked(place, schema, name, before) AS (VALUES ");
    for (uint32_t i = 0; i < table_count; i++) {
        struct sql_table_place place = sql_place_of(&self->sql, tables[i].name);
        postgres_append(sql, "%s(%u, %q::pg_catalog.name, %q::pg_catalog.name, ARRAY[",
                        i > 0 ? ", " : "", i, place.schema, place.name);
        for (uint32_t c = 0; c < tables[i].before.count; c++) {
            postgres_append(sql, "%s%q", c > 0 ? ", " : "", tables[i].before.names[c]);
        }
        buffer_append_string(sql, "]::pg_catalog.name[])");
    }
    buffer_append_string(sql, ") ");
}

/* A row of feed_tables.sql. */
static enum status check_table(const struct postgres_database *self, const PGresult *result,
                               int row, const char *table, struct lack_list *lacks,
                               struct error *error)
{
    const char *kind = PQgetvalue(result, row, 1);
    const char *blind = PQgetvalue(result, row, 4);
    const char *identity = PQgetvalue(result, row, 5);
    if (PQgetisnull(result, row, 1) != 0) {
        return error_set(error, ERROR_SOURCE_CHANGED, table, "there is no table of this name");
    }
    if (kind[0] != 'r' && kind[0] != 'p') {
        error_set(error, ERROR_SOURCE_INVALID, table, "it is no table, and has no changes to tell");
        return error_hint(error, "follow the tables behind it, and leave it out with --exclude");
    }
    if (kind[0] == 'p' && self->server_version < 130000) {
        error_set(error, ERROR_SOURCE_INVALID, table,
                  "PostgreSQL before 13 does not tell the changes of a partitioned table");
        return error_hint(error, "leave it out with --exclude");
    }
    if (PQgetvalue(result, row, 2)[0] != 'p') {
        error_set(error, ERROR_SOURCE_INVALID, table,
                  "the server keeps no log of an unlogged or temporary table");
        error_hint(error, "ALTER TABLE %s SET LOGGED", table);
        if (lacks_take(lacks, STATUS_FAILED, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (PQgetvalue(result, row, 3)[0] == 't') {
        error_set(error, ERROR_SOURCE_INVALID, table,
                  "other tables inherit from it, whose changes are told as their own");
        return error_hint(error, "leave it out with --exclude, and follow those");
    }
    if (PQgetisnull(result, row, 4) == 0) {
        error_set(error, ERROR_SOURCE_INVALID, table,
                  "its changes would not say which row they are of: it has no usable replica "
                  "identity");
        return error_hint(error, "ALTER TABLE %s REPLICA IDENTITY %s", blind,
                          identity[0] != '\0' ? identity : "FULL");
    }
    if (PQgetisnull(result, row, 6) == 0) {
        error_set(error, ERROR_SOURCE_INVALID, table,
                  "its changes would not say what %s was before, by which records of the target "
                  "are found",
                  PQgetvalue(result, row, 7));
        return error_hint(error, "ALTER TABLE %s REPLICA IDENTITY FULL",
                          PQgetvalue(result, row, 6));
    }
    return STATUS_OK;
}

enum status postgres_feed_ask_tables(struct postgres_database *self, PGconn *connection,
                                     const struct followed_table *tables, uint32_t table_count,
                                     const char *sql, PGresult **result, struct error *error)
{
    struct buffer statement = {0};
    append_asked(&statement, self, tables, table_count);
    buffer_append_string(&statement, sql);
    return postgres_catalog_query_buffer(self, connection, &statement, NULL, 0, SQL_SHORT,
                                         ERROR_SOURCE_READ, result, error);
}

enum status postgres_feed_ask_names(struct postgres_database *self, PGconn *connection,
                                    const char *const *names, uint32_t count, const char *sql,
                                    const struct postgres_parameter *parameters,
                                    int parameter_count, PGresult **result, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct buffer statement = {0};
    struct followed_table *tables = arena_allocate_zeroed(arena, count + (size_t)1, sizeof *tables);
    for (uint32_t i = 0; i < count; i++) {
        tables[i].name = names[i];
    }
    append_asked(&statement, self, tables, count);
    buffer_append_string(&statement, sql);
    arena_destroy(arena);
    return postgres_catalog_query_buffer(self, connection, &statement, parameters, parameter_count,
                                         SQL_SHORT, ERROR_SOURCE_READ, result, error);
}

enum status postgres_feed_check_tables(struct postgres_database *self, PGconn *connection,
                                       const struct followed_table *tables, uint32_t table_count,
                                       struct lack_list *lacks, struct error *error)
{
    PGresult *result = NULL;
    if (table_count == 0) {
        return error_set(error, ERROR_SOURCE_INVALID, self->sql.shown,
                         "a feed of no tables has nothing to tell");
    }
    enum status status = postgres_feed_ask_tables(self, connection, tables, table_count,
                                                  sql_feed_tables, &result, error);
    for (int row = 0; status == STATUS_OK && row < PQntuples(result); row++) {
        status = lacks_take(lacks, check_table(self, result, row, tables[row].name, lacks, error),
                            error);
    }
    PQclear(result);
    return status;
}

/* ---------------------------------------------------------------- the publication */

/* Is each of the words, which blanks part, among the others? */
static bool are_among(const char *words, const char *others)
{
    bool all = true;
    while (all && *words != '\0') {
        size_t length = strcspn(words, " ");
        bool found = length == 0;
        for (const char *at = others; !found && *at != '\0'; at += strspn(at, " ")) {
            size_t there = strcspn(at, " ");
            found = there == length && memcmp(at, words, length) == 0;
            at += there;
        }
        all = found;
        words += length + (words[length] == ' ');
    }
    return all;
}

enum status postgres_feed_publication(struct postgres_database *self, PGconn *connection,
                                      const char *name, struct feed_publication *publication,
                                      struct error *error)
{
    const struct postgres_parameter parameters[] = {{.text = name}};
    PGresult *result = NULL;
    *publication = (struct feed_publication){0};
    if (postgres_catalog_query(self, connection, sql_feed_publication, parameters, 1, SQL_SHORT,
                               ERROR_SOURCE_READ, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    publication->there = PQntuples(result) == 1;
    if (publication->there) {
        const char *comment = PQgetvalue(result, 0, 0);
        bool made = strncmp(comment, MADE, strlen(MADE)) == 0;
        publication->opened = strncmp(comment, OPENED, strlen(OPENED)) == 0;
        publication->own = made || publication->opened;
        publication->altered =
            publication->own &&
            !are_among(PQgetvalue(result, 0, 2), comment + strlen(made ? MADE : OPENED));
        publication->partial = PQgetvalue(result, 0, 1)[0] != 't' ||
                               (publication->own && PQgetvalue(result, 0, 4)[0] != 't');
        snprintf(publication->filtered, sizeof publication->filtered, "%s",
                 PQgetvalue(result, 0, 3));
    }
    enum status status = STATUS_OK;
    if (publication->own && PQgetvalue(result, 0, 6)[0] != 't') {
        error_set(error, ERROR_NOT_OURS, name,
                  "the publication has the comment of ours, but the role %s owns it",
                  PQgetvalue(result, 0, 5));
        status = error_hint(error, "look at it, and drop it, or ALTER PUBLICATION … OWNER TO …");
    }
    PQclear(result);
    return status;
}

/* The tables that the engine follows, as a list for a query. */
static struct followed_table *list_followed(const struct postgres_database *self,
                                            struct arena *arena)
{
    const struct column_list names = self->sql.base.followed;
    struct followed_table *list = arena_allocate_zeroed(arena, names.count + 1u, sizeof *list);
    for (uint32_t i = 0; i < names.count; i++) {
        list[i].name = names.names[i];
    }
    return list;
}

enum status postgres_feed_left_out(struct postgres_database *self, PGconn *connection,
                                   const char *name, struct arena *arena, const char **table,
                                   struct error *error)
{
    const struct database *base = &self->sql.base;
    const struct postgres_parameter parameters[] = {{.text = name}};
    struct buffer sql = {0};
    PGresult *result = NULL;
    *table = NULL;
    if (base->followed.count == 0) {
        return STATUS_OK;
    }
    append_asked(&sql, self, list_followed(self, arena), base->followed.count);
    buffer_append_string(&sql, sql_feed_followed);
    enum status status = postgres_catalog_query_buffer(
        self, connection, &sql, parameters, 1, SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    for (int row = 0; status == STATUS_OK && *table == NULL && row < PQntuples(result); row++) {
        const char *mark = base->followed_marks != NULL ? base->followed_marks[row] : NULL;
        bool is_there = PQgetisnull(result, row, 1) == 0;
        bool told = PQgetvalue(result, row, 2)[0] == 't';
        /* of one that was dropped and made again nobody expects anything */
        bool same = mark == NULL || strcmp(mark, PQgetvalue(result, row, 1)) == 0;
        *table = is_there && !told && same ? base->followed.names[row] : NULL;
    }
    PQclear(result);
    return status;
}

enum status postgres_feed_definitions(struct postgres_database *self, PGconn *connection,
                                      uint64_t *number, struct error *error)
{
    struct arena *arena = arena_create(1024);
    struct buffer sql = {0};
    PGresult *result = NULL;
    enum status status = STATUS_OK;
    *number = 0;
    if (self->sql.base.followed.count > 0) {
        append_asked(&sql, self, list_followed(self, arena), self->sql.base.followed.count);
        buffer_append_string(&sql, sql_feed_definitions);
        status = postgres_catalog_query_buffer(self, connection, &sql, NULL, 0, SQL_SHORT,
                                               ERROR_SOURCE_READ, &result, error);
        if (status == STATUS_OK && PQntuples(result) == 1) {
            buffer_format(&sql, "%s %s", PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1));
            *number = XXH3_64bits(sql.data, sql.length) | 1;
        }
    }
    buffer_free(&sql);
    PQclear(result);
    arena_destroy(arena);
    return status;
}

static void append_tables(struct buffer *sql, struct postgres_database *self,
                          const struct followed_table *tables, uint32_t table_count)
{
    for (uint32_t i = 0; i < table_count; i++) {
        postgres_append(sql, "%s%t", i > 0 ? ", " : "", &self->sql, tables[i].name);
    }
}

static enum status comment(struct postgres_database *self, PGconn *connection, const char *name,
                           const char *state, struct error *error)
{
    const struct postgres_parameter parameters[] = {{.text = name}};
    PGresult *result = NULL;
    struct buffer sql = {0};
    if (postgres_catalog_query(self, connection, sql_feed_publication, parameters, 1, SQL_SHORT,
                               ERROR_SOURCE_READ, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    postgres_append(&sql, "COMMENT ON PUBLICATION %n IS '%s%s'", name, state,
                    PQntuples(result) == 1 ? PQgetvalue(result, 0, 2) : "");
    PQclear(result);
    return postgres_execute_buffer(self, connection, &sql, SQL_SHORT, ERROR_SOURCE_READ, error);
}

enum status postgres_feed_mark_opened(struct postgres_database *self, PGconn *connection,
                                      const char *name, struct error *error)
{
    return comment(self, connection, name, OPENED, error);
}

/* Made, or made to have these tables, in one transaction with its comment. */
static enum status feed_publication_make(struct postgres_database *self, PGconn *connection,
                                         const char *name, bool there,
                                         const struct followed_table *tables, uint32_t table_count,
                                         struct error *error)
{
    struct buffer sql = {0};
    postgres_append(
        &sql, there ? "ALTER PUBLICATION %n SET TABLE " : "CREATE PUBLICATION %n FOR TABLE ", name);
    append_tables(&sql, self, tables, table_count);
    if (there) {
        postgres_append(&sql, "; ALTER PUBLICATION %n SET", name);
    }
    buffer_format(&sql, "%spublish = 'insert, update, delete, truncate'%s",
                  there ? " (" : " WITH (",
                  self->server_version >= 130000 ? ", publish_via_partition_root = true)" : ")");
    struct buffer statement = {0};
    buffer_append_buffer(&statement, &sql);
    enum status status =
        postgres_execute(self, connection, "BEGIN", SQL_SHORT, ERROR_SOURCE_READ, error);
    status = status == STATUS_OK ? postgres_execute_buffer(self, connection, &sql, SQL_SHORT,
                                                           ERROR_SOURCE_READ, error)
                                 : status;
    status = status == STATUS_OK ? comment(self, connection, name, MADE, error) : status;
    buffer_free(&sql);
    if (status == STATUS_OK) {
        status = postgres_execute(self, connection, "COMMIT", SQL_SHORT, ERROR_SOURCE_READ, error);
    } else {
        struct error ignored;
        (void)!postgres_execute(self, connection, "ROLLBACK", SQL_SHORT, ERROR_SOURCE_READ,
                                &ignored);
    }
    if (status != STATUS_OK && error != NULL && strcmp(error->native_state, "42501") == 0) {
        error_set(error, ERROR_PERMISSION, name, "the role may not make the publication");
        error_hint(error, "who owns the tables may, with CREATE on the database: %s",
                   buffer_string(&statement));
    }
    buffer_free(&statement);
    return status;
}

/* "ALTER PUBLICATION … ADD TABLE …" of those that it lacks; empty: it has all. */
static enum status append_more(struct buffer *sql, struct postgres_database *self,
                               PGconn *connection, const char *name,
                               const struct followed_table *tables, uint32_t table_count,
                               struct error *error)
{
    const struct postgres_parameter parameters[] = {{.text = name}};
    struct buffer question = {0};
    PGresult *result = NULL;
    append_asked(&question, self, tables, table_count);
    buffer_append_string(&question, sql_feed_followed);
    enum status status = postgres_catalog_query_buffer(
        self, connection, &question, parameters, 1, SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    for (int row = 0; status == STATUS_OK && row < PQntuples(result); row++) {
        if (PQgetvalue(result, row, 2)[0] != 't') {
            postgres_append(sql, sql->length == 0 ? "ALTER PUBLICATION %n ADD TABLE " : ", ", name);
            postgres_append_table(sql, self, tables[row].name);
        }
    }
    PQclear(result);
    return status;
}

enum status postgres_feed_publish_more(struct postgres_database *self, PGconn *connection,
                                       const char *name, const struct followed_table *tables,
                                       uint32_t table_count, struct error *error)
{
    struct feed_publication found;
    struct buffer sql = {0};
    struct error ignored;
    enum status status = postgres_feed_publication(self, connection, name, &found, error);
    status = status == STATUS_OK
                 ? append_more(&sql, self, connection, name, tables, table_count, error)
                 : status;
    if (status != STATUS_OK || sql.length == 0) {
        buffer_free(&sql);
        return status;
    }
    if (!found.own) {
        error_set(error, ERROR_SOURCE_INVALID, name,
                  "it is somebody else's publication, and does not tell of all tables");
        error_hint(error, "%s", buffer_string(&sql));
        buffer_free(&sql);
        return STATUS_FAILED;
    }
    status = postgres_execute(self, connection, "BEGIN", SQL_SHORT, ERROR_SOURCE_READ, error);
    status = status == STATUS_OK ? postgres_execute_buffer(self, connection, &sql, SQL_SHORT,
                                                           ERROR_SOURCE_READ, error)
                                 : status;
    status = status == STATUS_OK
                 ? comment(self, connection, name, found.opened ? OPENED : MADE, error)
                 : status;
    if (status == STATUS_OK) {
        status = postgres_execute(self, connection, "COMMIT", SQL_SHORT, ERROR_SOURCE_READ, error);
    } else {
        (void)!postgres_execute(self, connection, "ROLLBACK", SQL_SHORT, ERROR_SOURCE_READ,
                                &ignored);
    }
    buffer_free(&sql);
    return status;
}

/* Somebody else's has to have all of them. */
static enum status feed_publication_check(struct postgres_database *self, PGconn *connection,
                                          const char *name, const struct followed_table *tables,
                                          uint32_t table_count, struct error *error)
{
    const struct postgres_parameter parameters[] = {{.text = name}};
    struct buffer sql = {0};
    PGresult *result = NULL;
    append_asked(&sql, self, tables, table_count);
    buffer_append_string(&sql, sql_feed_unpublished);
    enum status status = postgres_catalog_query_buffer(
        self, connection, &sql, parameters, 1, SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    if (status == STATUS_OK && PQntuples(result) > 0) {
        const char *table = PQgetvalue(result, 0, 0);
        bool partly = PQgetvalue(result, 0, 1)[0] == 't';
        status =
            error_set(error, ERROR_SOURCE_INVALID, table, "the publication %s %s", name,
                      partly ? "tells only some of its rows or columns" : "leaves this table out");
        error_hint(error,
                   partly ? "ALTER PUBLICATION \"%s\" DROP TABLE %s, and ADD it without a filter"
                          : "ALTER PUBLICATION \"%s\" ADD TABLE %s",
                   name, table);
    }
    PQclear(result);
    return status;
}

enum status postgres_feed_publish(struct postgres_database *self, PGconn *connection,
                                  const char *name, const struct followed_table *tables,
                                  uint32_t table_count, struct error *error)
{
    struct feed_publication found;
    if (postgres_feed_publication(self, connection, name, &found, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!found.there || found.own) {
        return feed_publication_make(self, connection, name, found.there, tables, table_count,
                                     error);
    }
    if (found.partial) {
        error_set(error, ERROR_SOURCE_INVALID, name,
                  "the publication does not tell all of insert, update, delete and truncate");
        return error_hint(error,
                          "ALTER PUBLICATION \"%s\" SET (publish = 'insert, update, delete, "
                          "truncate')",
                          name);
    }
    return feed_publication_check(self, connection, name, tables, table_count, error);
}
