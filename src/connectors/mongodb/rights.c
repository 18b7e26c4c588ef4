/* The role that allows just what a run does, as mongosh takes it. */
#include "connectors/contract/rights.h"
#include "connectors/mongodb/mongodb.h"

#include "model/json_writer.h"

static const char *const listing[] = {"listCollections", NULL};
static const char *const reading[] = {"find", "listIndexes", NULL};
static const char *const writing[] = {"find",           "insert",      "update",
                                      "remove",         "createIndex", "createCollection",
                                      "dropCollection", "listIndexes", NULL};

struct role {
    const struct mongodb_database *self;
    const char *account;
    const char *side; /* "source" */
    struct buffer text;
    uint32_t privileges;
};

static void append_role_name(const struct role *role, struct arena *arena, struct buffer *out)
{
    json_append_printable(out, arena_format(arena, "%s_%s", role->account, role->side));
}

static void role_begin(struct role *role, struct arena *arena)
{
    buffer_append_string(&role->text, "db.getSiblingDB(");
    json_append_printable(&role->text, role->self->name);
    buffer_append_string(&role->text, ").createRole({\n  \"role\": ");
    append_role_name(role, arena, &role->text);
    buffer_append_string(&role->text, ",\n  \"privileges\": [");
}

/* The role's actions on a collection; "" is all of the database. */
static void role_add(struct role *role, const char *collection, const char *const *actions)
{
    buffer_append_string(&role->text, role->privileges++ > 0 ? ",\n    " : "\n    ");
    buffer_append_string(&role->text, "{\"resource\": {\"db\": ");
    json_append_printable(&role->text, role->self->name);
    buffer_append_string(&role->text, ", \"collection\": ");
    json_append_printable(&role->text, collection);
    buffer_append_string(&role->text, "}, \"actions\": [");
    for (size_t at = 0; actions[at] != NULL; at++) {
        buffer_format(&role->text, "%s\"%s\"", at > 0 ? ", " : "", actions[at]);
    }
    buffer_append_string(&role->text, "]}");
}

/* The user is taken for one of the database that the administrator is of. */
static void role_end(struct role *role, struct rights_list *list)
{
    const char *known_by = mongodb_option(role->self, "authSource");
    buffer_append_string(&role->text, "\n  ],\n  \"roles\": []\n})");
    rights_add(list, RIGHTS_COPY, &role->text);
    buffer_append_string(&role->text, "db.getSiblingDB(");
    json_append_printable(&role->text, known_by[0] != '\0' ? known_by : role->self->name);
    buffer_append_string(&role->text, ").grantRolesToUser(");
    json_append_printable(&role->text, role->account);
    buffer_append_string(&role->text, ", [{\"role\": ");
    append_role_name(role, list->arena, &role->text);
    buffer_append_string(&role->text, ", \"db\": ");
    json_append_printable(&role->text, role->self->name);
    buffer_append_string(&role->text, "}])");
    rights_add(list, RIGHTS_COPY, &role->text);
    buffer_free(&role->text);
}

static enum status rights_of_source(struct database *database, const struct rights_request *request,
                                    struct rights_list *list, struct error *error)
{
    struct role role = {
        .self = mongodb_of(database), .account = request->account, .side = "source"};
    (void)error;
    role_begin(&role, list->arena);
    role_add(&role, "", listing);
    if (request->queries) { /* of collections that nobody knows */
        role_add(&role, "", reading);
    }
    for (uint32_t at = 0; at < request->read_count && !request->queries; at++) {
        role_add(&role, request->read[at], reading);
    }
    role_add(&role, MONGODB_NOTES, reading);
    role_end(&role, list);
    return STATUS_OK;
}

static enum status rights_of_target(struct database *database, const struct rights_request *request,
                                    struct rights_list *list, struct error *error)
{
    struct role role = {
        .self = mongodb_of(database), .account = request->account, .side = "target"};
    (void)error;
    role_begin(&role, list->arena);
    role_add(&role, "", listing);
    for (uint32_t at = 0; at < request->table_count; at++) {
        role_add(&role, request->tables[at].name, writing);
    }
    role_add(&role, MONGODB_NOTES, writing);
    role_add(&role, MONGODB_LEDGER, writing);
    role_end(&role, list);
    return STATUS_OK;
}

const struct rights_functions mongodb_rights = {.of_source = rights_of_source,
                                                .of_target = rights_of_target};
