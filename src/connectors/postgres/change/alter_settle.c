/*
 * The fate of a statement that ran outside a transaction when its session was lost. PostgreSQL
 * carries out most of them whole or not at all; what is done in several transactions of its own
 * (CONCURRENTLY) may be left half done, and is then undone or finished here.
 */
#include "connectors/common/alter_settle.h"
#include "base/text.h"
#include "connectors/postgres/change/alter.h"
#include "postgres_sql.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- what the words are */

/* Does the statement hold the words in this order, comments and all? Of statements that the
 * classifier gave objects for, this is enough to tell them apart. */
static bool has(const struct alter_request *request, const char *words)
{
    char word[32];
    size_t at = 0;
    while (*words != '\0') {
        size_t length = strcspn(words, " ");
        snprintf(word, sizeof word, "%.*s", (int)length, words);
        bool found = false;
        for (; !found && at + length <= request->length; at++) {
            bool begins = at == 0 || (isalnum((unsigned char)request->text[at - 1]) == 0 &&
                                      request->text[at - 1] != '_');
            bool ends = at + length == request->length ||
                        (isalnum((unsigned char)request->text[at + length]) == 0 &&
                         request->text[at + length] != '_');
            found = begins && ends && strncasecmp(request->text + at, word, length) == 0;
        }
        if (!found) {
            return false;
        }
        at += length - 1;
        words += length + (words[length] == ' ');
    }
    return true;
}

static bool begins(const struct alter_request *request, const char *word)
{
    size_t length = strlen(word);
    return request->length >= length && strncasecmp(request->text, word, length) == 0 &&
           (request->length == length || isalnum((unsigned char)request->text[length]) == 0);
}

static bool repeats(const struct alter_request *request)
{
    static const char *const words[] = {"VACUUM", "ANALYZE", "CLUSTER", "CHECKPOINT", "SET",
                                        "RESET",  "REINDEX", "SHOW",    "REFRESH",    "LOAD"};
    bool found = false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        found = found || begins(request, words[i]);
    }
    return found || has(request, "ALTER SYSTEM");
}

/* ---------------------------------------------------------------- witnesses */

static enum status alter_settle_ask(struct postgres_alter *session, const char *sql,
                                    const struct alter_object *object, PGresult **result,
                                    struct error *error)
{
    const struct postgres_parameter parameters[] = {
        {.text = object->schema}, {.text = object->name}, {.text = object->kind}};
    enum status status =
        postgres_catalog_query(session->database, session->connection, sql, parameters, 3, SQL_LONG,
                               ERROR_TARGET_WRITE, result, error);
    return postgres_alter_lost(session, status, error);
}

/* "DIGEST INVALID …" of each: how many invalid indexes it has shows what a lost CREATE INDEX left.
 */
enum status postgres_alter_witness(struct alter_session *base, const struct alter_object *objects,
                                   uint32_t count, struct arena *arena, const char **text,
                                   struct error *error)
{
    struct buffer out = {0};
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        PGresult *result = NULL;
        status = alter_settle_ask(postgres_alter_of(base), sql_alter_witness, &objects[i], &result,
                                  error);
        if (status == STATUS_OK) {
            buffer_format(&out, "%s%s %s", i > 0 ? " " : "", PQgetvalue(result, 0, 0),
                          PQgetvalue(result, 0, 1));
        }
        PQclear(result);
    }
    *text = sql_text(arena, &out);
    return status;
}

/* ---------------------------------------------------------------- indexes */

static enum status alter_settle_execute(struct postgres_alter *session, struct buffer *sql,
                                        struct error *error)
{
    enum status status = postgres_query_buffer(session->database, session->connection, sql, NULL, 0,
                                               SQL_LONG, ERROR_TARGET_WRITE, NULL, error);
    return postgres_alter_lost(session, status, error);
}

/* Drops what a lost statement left: indexes that no query uses, and that nobody builds any more. */
static enum status drop_invalid(struct postgres_alter *session, const struct alter_object *object,
                                const char *query, int *dropped, struct error *error)
{
    PGresult *result = NULL;
    enum status status = alter_settle_ask(session, query, object, &result, error);
    for (int row = 0; status == STATUS_OK && row < PQntuples(result); row++) {
        status = alter_settle_execute(session,
                                      postgres_sql("DROP INDEX CONCURRENTLY IF EXISTS %n.%n",
                                                   PQgetvalue(result, row, 0),
                                                   PQgetvalue(result, row, 1)),
                                      error);
        *dropped += status == STATUS_OK;
    }
    PQclear(result);
    return status;
}

static const char of_index[] =
    "SELECT n.nspname, c.relname, i.indisvalid FROM pg_catalog.pg_class AS c JOIN "
    "pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_catalog.pg_index AS i ON "
    "i.indexrelid = c.oid WHERE c.relname = $2 AND CASE WHEN $1::text IS NULL THEN "
    "pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = $1 END AND $3::text IS NOT NULL";

static const char invalid_of_table[] =
    "SELECT n.nspname, c.relname FROM pg_catalog.pg_class AS t JOIN pg_catalog.pg_namespace AS s "
    "ON s.oid = t.relnamespace JOIN pg_catalog.pg_index AS i ON i.indrelid = t.oid JOIN "
    "pg_catalog.pg_class AS c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = "
    "c.relnamespace WHERE t.relname = $2 AND CASE WHEN $1::text IS NULL THEN "
    "pg_catalog.pg_table_is_visible(t.oid) ELSE s.nspname = $1 END AND $3::text IS NOT NULL AND "
    "NOT i.indisvalid ORDER BY c.oid DESC LIMIT 1";

/* Indexes that REINDEX … CONCURRENTLY builds beside the old ones and drops in the end. */
static const char left_by_reindex[] =
    "SELECT n.nspname, c.relname FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON "
    "c.oid = i.indexrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE NOT "
    "i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' AND n.nspname !~ '^pg_toast' AND $2::text "
    "IS NOT NULL AND $3::text IS NOT NULL AND ($1::text IS NULL OR n.nspname = $1)";

static enum status settle_named_index(struct postgres_alter *session,
                                      const struct alter_object *object, bool creates,
                                      enum alter_settled *settled, struct error *error)
{
    PGresult *result = NULL;
    enum status status = alter_settle_ask(session, of_index, object, &result, error);
    bool there = status == STATUS_OK && PQntuples(result) > 0;
    bool valid = there && PQgetvalue(result, 0, 2)[0] == 't';
    int dropped = 0;
    PQclear(result);
    if (status != STATUS_OK) {
        return status;
    }
    *settled = creates == (creates ? valid : there) ? ALTER_APPLIED : ALTER_ABSENT;
    return creates && there && !valid ? drop_invalid(session, object, of_index, &dropped, error)
                                      : STATUS_OK;
}

static const struct alter_object *find_kind(const struct alter_object *objects, uint32_t count,
                                            const char *kind)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(objects[i].kind, kind) == 0 && objects[i].name != NULL) {
            return &objects[i];
        }
    }
    return NULL;
}

/* The number of invalid indexes of all objects of a witness. */
static long invalid_in(const char *witness)
{
    long count = 0;
    for (const char *at = strchr(witness, ' '); at != NULL; at = strchr(at, ' ')) {
        count += strtol(at + 1, NULL, 10); /* then the next digest */
        at = strchr(at + 1, ' ');
        if (at == NULL) {
            break;
        }
        at++;
    }
    return count;
}

/* One without a name: the table's newest invalid one, if it has one more than before. */
static enum status settle_unnamed_index(struct postgres_alter *session,
                                        const struct alter_object *objects, uint32_t count,
                                        const char *before, enum alter_settled *settled,
                                        struct error *error)
{
    struct arena *arena = arena_create(0);
    const struct alter_object *table = find_kind(objects, count, "table");
    const char *now = NULL;
    int dropped = 0;
    enum status status = postgres_alter_witness(&session->base, objects, count, arena, &now, error);
    *settled = ALTER_UNKNOWN;
    if (status == STATUS_OK && before != NULL) {
        *settled = strcmp(before, now) == 0 ? ALTER_ABSENT : ALTER_APPLIED;
        if (table != NULL && invalid_in(now) > invalid_in(before)) {
            *settled = ALTER_ABSENT;
            status = drop_invalid(session, table, invalid_of_table, &dropped, error);
        }
    }
    arena_destroy(arena);
    return status;
}

static enum status settle_indexes(struct postgres_alter *session,
                                  const struct alter_request *request,
                                  const struct alter_object *objects, uint32_t count,
                                  const char *before, enum alter_settled *settled,
                                  struct error *error)
{
    const struct alter_object *named = find_kind(objects, count, "index");
    bool creates = begins(request, "CREATE");
    enum status status = STATUS_OK;
    if (named == NULL && creates) {
        return settle_unnamed_index(session, objects, count, before, settled, error);
    }
    *settled = creates ? ALTER_APPLIED : ALTER_ABSENT;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        enum alter_settled one = *settled;
        if (strcmp(objects[i].kind, "index") == 0 && objects[i].name != NULL) {
            status = settle_named_index(session, &objects[i], creates, &one, error);
        }
        *settled = creates && one == ALTER_ABSENT ? ALTER_ABSENT : *settled;
        *settled = !creates && i == 0 ? one : *settled;
    }
    return status;
}

/* ---------------------------------------------------------------- others */

static enum status settle_reindex(struct postgres_alter *session,
                                  const struct alter_object *objects, uint32_t count,
                                  enum alter_settled *settled, struct error *error)
{
    const struct alter_object any = {.kind = "index", .name = "", .schema = NULL};
    int dropped = 0;
    *settled = ALTER_ABSENT;
    return drop_invalid(session, count > 0 ? &objects[0] : &any, left_by_reindex, &dropped, error);
}

/* A partition that is being detached is finished, since nothing else may be done with it. */
static enum status settle_detach(struct postgres_alter *session, const struct alter_object *object,
                                 enum alter_settled *settled, struct error *error)
{
    static const char pending[] =
        "SELECT n.nspname, t.relname, m.nspname, p.relname FROM pg_catalog.pg_inherits AS h JOIN "
        "pg_catalog.pg_class AS t ON t.oid = h.inhparent JOIN pg_catalog.pg_namespace AS n ON "
        "n.oid = t.relnamespace JOIN pg_catalog.pg_class AS p ON p.oid = h.inhrelid JOIN "
        "pg_catalog.pg_namespace AS m ON m.oid = p.relnamespace WHERE h.inhdetachpending AND "
        "(t.relname = $2 OR p.relname = $2) AND ($1::text IS NULL OR n.nspname = $1) AND $3::text "
        "IS NOT NULL";
    PGresult *result = NULL;
    enum status status = alter_settle_ask(session, pending, object, &result, error);
    if (status == STATUS_OK && PQntuples(result) > 0) {
        status =
            alter_settle_execute(session,
                                 postgres_sql("ALTER TABLE %n.%n DETACH PARTITION %n.%n FINALIZE",
                                              PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1),
                                              PQgetvalue(result, 0, 2), PQgetvalue(result, 0, 3)),
                                 error);
        *settled = ALTER_APPLIED;
    }
    PQclear(result);
    return status;
}

/* One that a server's death left half made can't be connected to, and is dropped. */
static enum status settle_database(struct postgres_alter *session,
                                   const struct alter_object *object, bool creates,
                                   enum alter_settled *settled, struct error *error)
{
    static const char database[] = "SELECT d.datconnlimit = -2 FROM pg_catalog.pg_database AS d "
                                   "WHERE d.datname = $2 AND coalesce($1, $3) IS NOT NULL";
    PGresult *result = NULL;
    enum status status = alter_settle_ask(session, database, object, &result, error);
    bool there = status == STATUS_OK && PQntuples(result) > 0;
    bool half = there && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    *settled = (creates && there) || (!creates && !there) ? ALTER_APPLIED : ALTER_ABSENT;
    if (status == STATUS_OK && creates && half) {
        struct buffer sql = {0};
        postgres_append(&sql, "DROP DATABASE %n", object->name);
        *settled = ALTER_ABSENT;
        status = alter_settle_execute(session, &sql, error);
    }
    return status;
}

enum status postgres_alter_settle(struct alter_session *base, const struct alter_request *request,
                                  const struct alter_object *objects, uint32_t count,
                                  const char *before, enum alter_settled *settled,
                                  struct error *error)
{
    struct postgres_alter *session = postgres_alter_of(base);
    bool concurrent = has(request, "CONCURRENTLY");
    bool database = has(request, "CREATE DATABASE") || has(request, "DROP DATABASE");
    *settled = ALTER_UNKNOWN;
    if (begins(request, "REINDEX") && concurrent) {
        return settle_reindex(session, objects, count, settled, error);
    }
    if (repeats(request)) {
        *settled = ALTER_ABSENT;
        return STATUS_OK;
    }
    if (count > 0 && database) {
        return settle_database(session, &objects[0], begins(request, "CREATE"), settled, error);
    }
    if (count > 0 && has(request, "INDEX CONCURRENTLY")) {
        return settle_indexes(session, request, objects, count, before, settled, error);
    }
    if (count > 0 && has(request, "DETACH PARTITION") &&
        session->database->server_version >= 140000) {
        enum status status = settle_detach(session, &objects[0], settled, error);
        if (status != STATUS_OK || *settled == ALTER_APPLIED) {
            return status;
        }
    }
    return alter_settle_by_witness(base, postgres_alter_witness, objects, count, before, settled,
                                   error);
}
