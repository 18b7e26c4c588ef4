/* The statements that give a role just the permissions that a run needs. */
#include "connectors/contract/rights.h"
#include "connectors/cassandra/cassandra.h"
#include "connectors/cassandra/protocol/cql_type.h"
#include <string.h>

static void append_name(const char *name, struct buffer *out)
{
    cql_name_append((struct text){name, strlen(name)}, out);
}

static void grant_add(const struct cassandra *self, const struct rights_request *request,
                      enum rights_use use, const char *permission, const char *table,
                      struct rights_list *list)
{
    struct buffer line = {0};
    buffer_format(&line, "GRANT %s ON ", permission);
    if (table != NULL) {
        cassandra_append_table(self, table, &line);
    } else {
        buffer_append_string(&line, "KEYSPACE ");
        append_name(self->keyspace, &line);
    }
    buffer_append_string(&line, " TO ");
    append_name(request->account, &line);
    buffer_append_byte(&line, ';');
    rights_add(list, use, &line);
    buffer_free(&line);
}

static enum status rights_of_source(struct database *database, const struct rights_request *request,
                                    struct rights_list *list, struct error *error)
{
    const struct cassandra *self = cassandra_of(database);
    (void)error;
    for (uint32_t i = 0; i < request->read_count && !request->queries; i++) {
        grant_add(self, request, RIGHTS_COPY, "SELECT", request->read[i], list);
    }
    if (request->queries) { /* of tables that nobody knows */
        grant_add(self, request, RIGHTS_COPY, "SELECT", NULL, list);
    }
    return STATUS_OK;
}

static enum status rights_of_target(struct database *database, const struct rights_request *request,
                                    struct rights_list *list, struct error *error)
{
    static const char *const permissions[] = {"SELECT", "MODIFY", "CREATE", "DROP"};
    const struct cassandra *self = cassandra_of(database);
    (void)error;
    if (self->settings.creates_keyspace && !self->keyspace_there) { /* who makes it may do all */
        struct buffer line = {0};
        buffer_append_string(&line, "GRANT CREATE ON ALL KEYSPACES TO ");
        append_name(request->account, &line);
        buffer_append_byte(&line, ';');
        rights_add(list, RIGHTS_COPY, &line);
        buffer_free(&line);
        return STATUS_OK;
    }
    for (size_t i = 0; i < sizeof permissions / sizeof permissions[0]; i++) {
        grant_add(self, request, RIGHTS_COPY, permissions[i], NULL, list);
    }
    return STATUS_OK;
}

const struct rights_functions cassandra_rights = {.of_source = rights_of_source,
                                                  .of_target = rights_of_target};
