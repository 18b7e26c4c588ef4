/* The shape and cost of a feed, before it is made; and what the server's own replication takes. */
#include "base/text.h"
#include "connectors/postgres/follow/feed.h"
#include "postgres_sql.h"
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 12 };
enum { ROLE = 7, DATABASE, GRANTS }; /* of feed_foresee.sql; names are quoted */

struct lines {
    const char **texts;
    uint32_t count;
};

static void postgres_feed_foresee_add(struct lines *lines, struct arena *arena, struct buffer *text)
{
    lines->texts = lines->count == 0 ? arena_allocate_zeroed(arena, LINES_MAX, sizeof *lines->texts)
                                     : lines->texts;
    if (lines->count < LINES_MAX) {
        lines->texts[lines->count++] = arena_copy_string(arena, buffer_string(text));
    }
    buffer_clear(text);
}

struct foreseeing {
    struct postgres_database *self;
    PGconn *connection;
    const char *name;
    const struct followed_table *tables;
    uint32_t table_count;
    struct arena *arena;
    struct lines statements;
    struct lines costs;
    struct lines native;
    struct lines native_lacks;
    struct lack_list *lacks;
    struct error *error;
};

/* ---------------------------------------------------------------- may it be made? */

static enum status check_owner(const struct foreseeing *foreseeing, const PGresult *found)
{
    if (PQgetisnull(found, 0, 0) != 0) {
        return STATUS_OK;
    }
    error_set(foreseeing->error, ERROR_PERMISSION, foreseeing->name,
              "the role %s may not make the publication: it does not own %s",
              PQgetvalue(found, 0, ROLE), PQgetvalue(found, 0, 0));
    return error_hint(foreseeing->error, "%s; or let the owner make it: %s",
                      PQgetvalue(found, 0, GRANTS), foreseeing->statements.texts[0]);
}

static enum status check_create(const struct foreseeing *foreseeing, const PGresult *found)
{
    const char *role = PQgetvalue(found, 0, ROLE);
    if (PQgetvalue(found, 0, 1)[0] == 't') {
        return STATUS_OK;
    }
    error_set(foreseeing->error, ERROR_PERMISSION, foreseeing->name,
              "the role %s may not make the publication: it has no CREATE on the database", role);
    return error_hint(foreseeing->error, "GRANT CREATE ON DATABASE %s TO %s",
                      PQgetvalue(found, 0, DATABASE), role);
}

static enum status check_room(const struct foreseeing *foreseeing, const PGresult *found)
{
    for (int i = 0; i < 2; i++) {
        static const char *const settings[] = {"max_replication_slots", "max_wal_senders"};
        if (strtoll(PQgetvalue(found, 0, 2 + i), NULL, 10) > 0) {
            continue;
        }
        error_set(foreseeing->error, ERROR_SOURCE_INVALID, foreseeing->name,
                  "the server has no %s left (%s)", i == 0 ? "replication slot" : "walsender",
                  settings[i]);
        return error_hint(foreseeing->error, "ALTER SYSTEM SET %s = …; then restart the server",
                          settings[i]);
    }
    return STATUS_OK;
}

/* A walsender of this role, for a moment: rights, pg_hba.conf and poolers are seen by nothing else.
 */
static enum status check_walsender(const struct foreseeing *foreseeing)
{
    PGconn *walsender = NULL;
    struct feed_place place;
    enum status status = postgres_feed_connect(foreseeing->self, &walsender, foreseeing->error);
    status = status == STATUS_OK
                 ? postgres_feed_identify(foreseeing->self, walsender, &place, foreseeing->error)
                 : status;
    postgres_disconnect(walsender);
    return status;
}

/* ---------------------------------------------------------------- statements */

static void append_tables(const struct foreseeing *foreseeing, struct buffer *sql)
{
    for (uint32_t i = 0; i < foreseeing->table_count; i++) {
        postgres_append(sql, "%s%t", i > 0 ? ", " : "", &foreseeing->self->sql,
                        foreseeing->tables[i].name);
    }
}

static void tell_statements(struct foreseeing *foreseeing)
{
    const struct postgres_database *self = foreseeing->self;
    struct buffer sql = {0};
    postgres_append(&sql, "CREATE PUBLICATION %n FOR TABLE ", foreseeing->name);
    append_tables(foreseeing, &sql);
    buffer_format(&sql, " WITH (publish = 'insert, update, delete, truncate'%s",
                  self->server_version >= 130000 ? ", publish_via_partition_root = true)" : ")");
    postgres_feed_foresee_add(&foreseeing->statements, foreseeing->arena, &sql);
    postgres_append(&sql, "COMMENT ON PUBLICATION %n IS 'transhume feed, …'", foreseeing->name);
    postgres_feed_foresee_add(&foreseeing->statements, foreseeing->arena, &sql);
    buffer_format(&sql,
                  "CREATE_REPLICATION_SLOT \"%s\" LOGICAL pgoutput%s (by the replication "
                  "protocol)",
                  foreseeing->name, postgres_feed_fails_over(self) ? " (FAILOVER true)" : "");
    postgres_feed_foresee_add(&foreseeing->statements, foreseeing->arena, &sql);
    buffer_free(&sql);
}

/* ---------------------------------------------------------------- costs */

/* Since the statistics began; nothing where that is not known. */
static enum status tell_rate(struct foreseeing *foreseeing, struct buffer *line)
{
    static const char sql[] =
        "SELECT (wal_bytes * 3600 / GREATEST(EXTRACT(EPOCH FROM pg_catalog.now() - stats_reset), "
        "1))::pg_catalog.int8 FROM pg_catalog.pg_stat_wal WHERE stats_reset < pg_catalog.now() - "
        "interval '10 seconds'";
    PGresult *result = NULL;
    char size[32];
    uint64_t bytes = 0;
    if (foreseeing->self->server_version < 140000) {
        return STATUS_OK;
    }
    enum status status =
        postgres_catalog_query(foreseeing->self, foreseeing->connection, sql, NULL, 0, SQL_SHORT,
                               ERROR_SOURCE_READ, &result, foreseeing->error);
    if (status == STATUS_OK && PQntuples(result) == 1 &&
        text_to_uint64(PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0), &bytes) ==
            STATUS_OK) {
        text_human_bytes(bytes, size, sizeof size);
        buffer_format(line, "; it has written %s an hour so far", size);
    }
    PQclear(result);
    return status;
}

static enum status tell_costs(struct foreseeing *foreseeing, const PGresult *found)
{
    struct arena *arena = foreseeing->arena;
    struct buffer line = {0};
    buffer_append_string(&line, "disk: the server keeps its log from the beginning of the copy on, "
                                "and then since the last change that was applied");
    enum status status = tell_rate(foreseeing, &line);
    postgres_feed_foresee_add(&foreseeing->costs, arena, &line);
    const char *bound = PQgetvalue(found, 0, 4);
    if (bound[0] == '\0' || strcmp(bound, "-1") == 0) {
        buffer_append_string(&line, "disk: the server keeps it without a bound "
                                    "(max_slot_wal_keep_size = -1); --max-retained sets one");
    } else {
        buffer_format(&line,
                      "disk: beyond max_slot_wal_keep_size = %s it drops changes that are not "
                      "applied, and a resync is needed",
                      bound);
    }
    postgres_feed_foresee_add(&foreseeing->costs, arena, &line);
    buffer_append_string(&line,
                         "writers: nothing, but that the log has more in it with wal_level = "
                         "logical");
    if (PQgetisnull(found, 0, 6) == 0) {
        buffer_format(&line,
                      "; REPLICA IDENTITY FULL writes the old row with each UPDATE and "
                      "DELETE of %s",
                      PQgetvalue(found, 0, 6));
    }
    postgres_feed_foresee_add(&foreseeing->costs, arena, &line);
    if (PQgetisnull(found, 0, 5) == 0) {
        buffer_format(&line,
                      "beginning: the slot waits for transactions that are open, the oldest "
                      "since %s UTC",
                      PQgetvalue(found, 0, 5));
        postgres_feed_foresee_add(&foreseeing->costs, arena, &line);
    }
    buffer_free(&line);
    return status;
}

/* ---------------------------------------------------------------- the server's own */

static void tell_native(struct foreseeing *foreseeing, const struct database *target)
{
    static const char *const lacks[] = {
        "make the tables: they have to be there, as by pg_dump --schema-only",
        "carry sequences: set them by hand before the cut-over", "follow changes of the schema",
        "compare both sides, or go on behind a record that the target refuses",
        "cut over in steps that can be taken back"};
    struct postgres_database *self = foreseeing->self;
    struct arena *arena = foreseeing->arena;
    struct buffer sql = {0};
    if (target == NULL || strcmp(target->connector->name, self->sql.base.connector->name) != 0) {
        return;
    }
    buffer_append_string(&sql, "source: CREATE PUBLICATION replica FOR TABLE ");
    append_tables(foreseeing, &sql);
    postgres_feed_foresee_add(&foreseeing->native, arena, &sql);
    buffer_format(&sql,
                  "target: CREATE SUBSCRIPTION replica CONNECTION 'host=%s port=%s dbname=%s "
                  "user=%s' PUBLICATION replica%s",
                  PQhost(self->control), PQport(self->control), PQdb(self->control),
                  PQuser(self->control),
                  postgres_feed_fails_over(self) ? " WITH (failover = true)" : "");
    postgres_feed_foresee_add(&foreseeing->native, arena, &sql);
    buffer_append_string(&sql, "at the end, target: DROP SUBSCRIPTION replica");
    postgres_feed_foresee_add(&foreseeing->native, arena, &sql);
    for (size_t i = 0; i < sizeof lacks / sizeof lacks[0]; i++) {
        buffer_append_string(&sql, lacks[i]);
        postgres_feed_foresee_add(&foreseeing->native_lacks, arena, &sql);
    }
    buffer_free(&sql);
}

/* ---------------------------------------------------------------- all of it */

/* A publication of somebody else's has to have all of the tables. */
static enum status check_publication(const struct foreseeing *foreseeing,
                                     const struct feed_publication *publication)
{
    return publication->there && !publication->own
               ? postgres_feed_publish(foreseeing->self, foreseeing->connection, foreseeing->name,
                                       foreseeing->tables, foreseeing->table_count,
                                       foreseeing->error)
               : STATUS_OK;
}

static enum status foresee_on(struct foreseeing *foreseeing, const struct database *target)
{
    struct postgres_database *self = foreseeing->self;
    struct feed_publication publication;
    struct feed_slot slot;
    PGresult *found = NULL;
    struct error *error = foreseeing->error;
    tell_statements(foreseeing);
    enum status status =
        postgres_feed_ask_tables(self, foreseeing->connection, foreseeing->tables,
                                 foreseeing->table_count, sql_feed_foresee, &found, error);
    if (status == STATUS_OK) {
        status = postgres_feed_publication(self, foreseeing->connection, foreseeing->name,
                                           &publication, error);
    }
    if (status == STATUS_OK) {
        status = postgres_feed_slot(self, foreseeing->connection, foreseeing->name, &slot, error);
    }
    struct lack_list *lacks = foreseeing->lacks;
    if (status == STATUS_OK && !publication.there) {
        status = lacks_take(lacks, check_owner(foreseeing, found), error);
    }
    if (status == STATUS_OK && !publication.there) {
        status = lacks_take(lacks, check_create(foreseeing, found), error);
    }
    if (status == STATUS_OK) {
        status = lacks_take(lacks, check_publication(foreseeing, &publication), error);
    }
    if (status == STATUS_OK && !slot.there) {
        status = lacks_take(lacks, check_room(foreseeing, found), error);
    }
    status = status == STATUS_OK ? lacks_take(lacks, check_walsender(foreseeing), error) : status;
    status = status == STATUS_OK ? tell_costs(foreseeing, found) : status;
    if (status == STATUS_OK) {
        tell_native(foreseeing, target);
    }
    PQclear(found);
    return status;
}

enum status postgres_feed_foresee(struct database *database, const char *name,
                                  const struct followed_table *tables, uint32_t table_count,
                                  const struct database *target, struct arena *arena,
                                  struct feed_forecast *forecast, struct error *error)
{
    struct foreseeing foreseeing = {.self = postgres_database_of(database),
                                    .name = name,
                                    .tables = tables,
                                    .table_count = table_count,
                                    .arena = arena,
                                    .lacks = &forecast->lacks,
                                    .error = error};
    *forecast = (struct feed_forecast){.lacks = {.arena = arena}};
    enum status status =
        lacks_take(foreseeing.lacks, postgres_feed_refuse_server(foreseeing.self, error), error);
    status = status == STATUS_OK ? postgres_connect(foreseeing.self, &foreseeing.connection, error)
                                 : status;
    if (status == STATUS_OK) {
        status =
            lacks_take(foreseeing.lacks,
                       postgres_feed_check_tables(foreseeing.self, foreseeing.connection, tables,
                                                  table_count, foreseeing.lacks, error),
                       error);
    }
    status = status == STATUS_OK ? foresee_on(&foreseeing, target) : status;
    postgres_disconnect(foreseeing.connection);
    *forecast = (struct feed_forecast){.statements = foreseeing.statements.texts,
                                       .statement_count = foreseeing.statements.count,
                                       .costs = foreseeing.costs.texts,
                                       .cost_count = foreseeing.costs.count,
                                       .native = foreseeing.native.texts,
                                       .native_count = foreseeing.native.count,
                                       .native_lacks = foreseeing.native_lacks.texts,
                                       .native_lack_count = foreseeing.native_lacks.count,
                                       .lacks = forecast->lacks};
    return status;
}
