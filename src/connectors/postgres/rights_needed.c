/* The statements that give a role just the rights that a run needs. */
#include "base/name_index.h"
#include "connectors/contract/rights.h"
#include "connectors/postgres/target.h"
#include "postgres_sql.h"
#include <stdlib.h>
#include <string.h>

enum { OF_SOURCE = 4, OF_TARGET = 6 };

/* The tables that one of those to be made refers to. */
static void list_referred(const struct rights_request *request, struct name_index *referred)
{
    for (uint32_t i = 0; i < request->table_count; i++) {
        const struct target_table *table = &request->tables[i];
        const struct schema_table *same = table->same_engine;
        for (uint32_t k = 0; request->missing[i] && same != NULL && k < same->foreign_key_count;
             k++) {
            const char *name = same->foreign_keys[k].references;
            (void)name_index_add(referred, name, strlen(name), i);
        }
        for (uint32_t k = 0; request->missing[i] && same == NULL && k < table->reference_count;
             k++) {
            const char *name = table->references[k].table;
            (void)name_index_add(referred, name, strlen(name), i);
        }
    }
}

static void append_asked(struct buffer *sql, const struct postgres_database *self, const char *name,
                         bool overwritten, bool referred)
{
    struct sql_table_place place = sql_place_of(&self->sql, name);
    postgres_append(sql, "(%q::pg_catalog.name, %q::pg_catalog.name, %s, %s)", place.schema,
                    place.name, overwritten ? "true" : "false", referred ? "true" : "false");
}

/* Without any table the list is of one that nobody has. */
static void append_list(struct buffer *sql, const struct postgres_database *self,
                        const struct rights_request *request, bool writes)
{
    uint32_t count = writes ? request->table_count : request->read_count;
    struct arena *arena = arena_create(0);
    struct name_index referred = {.arena = arena};
    if (writes) {
        list_referred(request, &referred);
    }
    buffer_append_string(sql, "WITH given(schema, name, overwritten, referred) AS (VALUES ");
    for (uint32_t i = 0; i < count; i++) {
        const struct target_table *table = writes ? &request->tables[i] : NULL;
        const char *name = writes ? table->name : request->read[i];
        buffer_append_string(sql, i > 0 ? ", " : "");
        append_asked(
            sql, self, name,
            writes && (table->existing == EXISTING_UPSERT || table->existing == EXISTING_REPLACE),
            name_index_find(&referred, name, strlen(name)) != NAME_INDEX_NONE);
    }
    arena_destroy(arena);
    if (count == 0) {
        buffer_append_string(sql, "(NULL::pg_catalog.name, NULL::pg_catalog.name, false, false)");
    }
    buffer_append_string(
        sql, "), asked AS (SELECT pg_catalog.row_number() OVER () AS place, g.* FROM given g WHERE "
             "g.name IS NOT NULL) ");
}

static enum status list_rights(struct postgres_database *self, const struct rights_request *request,
                               bool writes, const struct postgres_parameter *parameters,
                               struct rights_list *list, struct error *error)
{
    PGconn *connection = NULL;
    PGresult *result = NULL;
    struct buffer sql = {0};
    if (strcmp(request->account, "public") == 0 || strcmp(request->account, "none") == 0) {
        return error_set(error, ERROR_USAGE, request->account,
                         "no role is called like this: it would be a right of everybody");
    }
    append_list(&sql, self, request, writes);
    buffer_append_string(&sql, writes ? sql_rights_of_target : sql_rights_of_source);
    enum status status = postgres_connect(self, &connection, error);
    status = status == STATUS_OK
                 ? postgres_catalog_query_buffer(
                       self, connection, &sql, parameters, writes ? OF_TARGET : OF_SOURCE,
                       SQL_SHORT, writes ? ERROR_TARGET_INVALID : ERROR_SOURCE_READ, &result, error)
                 : status;
    buffer_free(&sql);
    for (int row = 0; status == STATUS_OK && row < PQntuples(result); row++) {
        buffer_append_string(&sql, PQgetvalue(result, row, 1));
        rights_add(list, (enum rights_use)strtoul(PQgetvalue(result, row, 0), NULL, 10), &sql);
    }
    buffer_free(&sql);
    PQclear(result);
    postgres_disconnect(connection);
    return status;
}

static const char *truth(bool holds)
{
    return holds ? "t" : "f";
}

static enum status rights_of_source(struct database *database, const struct rights_request *request,
                                    struct rights_list *list, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    const struct postgres_parameter parameters[OF_SOURCE] = {
        {.text = request->account},
        {.text = truth(request->carries_objects)},
        {.text = truth(request->follows)},
        {.text = self->sql.schema}};
    return list_rights(self, request, false, parameters, list, error);
}

static enum status rights_of_target(struct database *database, const struct rights_request *request,
                                    struct rights_list *list, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    const struct postgres_parameter parameters[OF_TARGET] = {
        {.text = request->account},        {.text = self->sql.schema},
        {.text = truth(request->follows)}, {.text = truth(request->alters)},
        {.text = self->sql.ledger_schema}, {.text = truth(request->carries_objects)}};
    return list_rights(self, request, true, parameters, list, error);
}

const struct rights_functions postgres_rights_functions = {.of_source = rights_of_source,
                                                           .of_target = rights_of_target};
