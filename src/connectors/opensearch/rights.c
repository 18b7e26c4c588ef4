/* The role that allows just what a run does, as the API of the server's security takes it. */
#include "connectors/contract/rights.h"
#include "connectors/opensearch/opensearch.h"

#include "base/memory.h"
#include "model/json_writer.h"
#include <stdlib.h>

/* Actions by their own names: both servers know them, and their named groups differ. A star behind
 * one takes in what its shards do for it. NULL-terminated. */
static const char *const reading[] = {"indices:data/read/*", "indices:admin/get",
                                      "indices:admin/refresh*", NULL};
static const char *const writing[] = {"indices:data/read/*",
                                      "indices:data/write/*",
                                      "indices:admin/get",
                                      "indices:admin/refresh*",
                                      "indices:admin/create",
                                      "indices:admin/delete",
                                      "indices:admin/settings/update",
                                      NULL};
static const char *const following[] = {"indices:admin/mapping/put", NULL};
static const char *const switching[] = {"indices:admin/get", "indices:admin/aliases*", NULL};

/* What is asked of no index. OpenSearch asks some actions on indexes of the cluster's permissions,
 * too. */
static const char *const of_source_cluster[] = {"cluster:monitor/main", NULL};
static const char *const of_target_cluster[] = {
    "cluster:monitor/main", "indices:admin/index_template/simulate_index", NULL};
static const char *const more_of_source[] = {"indices:data/read/scroll*", "indices:data/read/mget*",
                                             NULL};
static const char *const more_of_target[] = {"indices:data/read/scroll*", "indices:data/read/mget*",
                                             "indices:data/write/bulk", NULL};

struct role {
    const struct opensearch_database *self;
    const char *account;
    const char *side; /* "source" */
    struct buffer text;
    uint32_t groups; /* of indexes */
};

static void append_actions(const char *const *actions, bool *any, struct buffer *out)
{
    for (size_t at = 0; actions != NULL && actions[at] != NULL; at++) {
        buffer_append_string(out, *any ? ", " : "");
        json_append_printable(out, actions[at]);
        *any = true;
    }
}

static void append_role_name(const struct role *role, struct buffer *out)
{
    opensearch_append_encoded(out, role->account, strlen(role->account));
    buffer_format(out, "_%s", role->side);
}

static void role_begin(struct role *role, const char *const *cluster, const char *const *more)
{
    bool elastic = role->self->facts.elasticsearch;
    bool any = false;
    buffer_append_string(&role->text,
                         elastic ? "PUT /_security/role/" : "PUT /_plugins/_security/api/roles/");
    append_role_name(role, &role->text);
    buffer_format(&role->text, "\n{\n  \"%s\": [", elastic ? "cluster" : "cluster_permissions");
    append_actions(cluster, &any, &role->text);
    append_actions(elastic ? NULL : more, &any, &role->text);
    buffer_format(&role->text, "],\n  \"%s\": [", elastic ? "indices" : "index_permissions");
}

/* The indexes whose names are in the list (JSON texts, a comma between them): what may be done with
 * them. Of none nothing is said, which the server would refuse. */
static void role_add(struct role *role, const struct buffer *names, const char *const *actions,
                     const char *const *more)
{
    bool elastic = role->self->facts.elasticsearch;
    bool any = false;
    if (names->length == 0) {
        return;
    }
    buffer_append_string(&role->text, role->groups++ > 0 ? ",\n    " : "\n    ");
    buffer_format(&role->text, "{\"%s\": [", elastic ? "names" : "index_patterns");
    buffer_append(&role->text, names->data, names->length);
    buffer_format(&role->text, "],\n     \"%s\": [", elastic ? "privileges" : "allowed_actions");
    append_actions(actions, &any, &role->text);
    append_actions(more, &any, &role->text);
    buffer_append_string(&role->text, "]}");
}

static void role_end(struct role *role, struct rights_list *list)
{
    buffer_append_string(&role->text, "\n  ]\n}");
    rights_add(list, RIGHTS_COPY, &role->text);
    if (!role->self->facts.elasticsearch) { /* which gives roles to users with all they have */
        buffer_append_string(&role->text, "PUT /_plugins/_security/api/rolesmapping/");
        append_role_name(role, &role->text);
        buffer_append_string(&role->text, "\n{\"users\": [");
        json_append_printable(&role->text, role->account);
        buffer_append_string(&role->text, "]}");
        rights_add(list, RIGHTS_COPY, &role->text);
    }
    buffer_free(&role->text);
}

static void append_name(const char *name, struct buffer *names)
{
    buffer_append_string(names, names->length > 0 ? ", " : "");
    json_append_printable(names, name);
}

/* A table's index, with the prefix. */
static void append_index(const struct opensearch_database *self, struct arena *arena,
                         const char *table, struct buffer *names)
{
    append_name(arena_format(arena, "%s%s", self->prefix, opensearch_prefix_copy(arena, table)),
                names);
}

static enum status rights_of_source(struct database *database, const struct rights_request *request,
                                    struct rights_list *list, struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    struct role role = {.self = self, .account = request->account, .side = "source"};
    struct buffer names = {0};
    (void)error;
    role_begin(&role, of_source_cluster, more_of_source);
    if (request->queries) { /* of indexes that nobody knows */
        append_index(self, list->arena, "*", &names);
    }
    for (uint32_t at = 0; at < request->read_count && !request->queries; at++) {
        append_index(self, list->arena, request->read[at], &names);
    }
    role_add(&role, &names, reading, NULL);
    role_end(&role, list);
    buffer_free(&names);
    return STATUS_OK;
}

/* The index, the alias, and those that it stands for now: all are named by the switch. */
static enum status add_aliased(struct opensearch_database *self, struct arena *arena,
                               const char *table, struct buffer *names, struct error *error)
{
    const char *alias = opensearch_alias_of(self, arena, table);
    struct column_list indexes = {0};
    if (alias == NULL) {
        return STATUS_OK;
    }
    append_index(self, arena, table, names);
    append_name(alias, names);
    enum status status = opensearch_alias_indexes(self, alias, arena, &indexes, error);
    for (uint32_t at = 0; at < indexes.count; at++) {
        append_name(indexes.names[at], names);
    }
    return status;
}

static enum status rights_of_target(struct database *database, const struct rights_request *request,
                                    struct rights_list *list, struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    struct role role = {.self = self, .account = request->account, .side = "target"};
    struct buffer names = {0};
    struct buffer aliased = {0};
    enum status status = STATUS_OK;
    role_begin(&role, of_target_cluster, more_of_target);
    for (uint32_t at = 0; at < request->table_count && status == STATUS_OK; at++) {
        const char *table = request->tables[at].name;
        append_index(self, list->arena, table, &names);
        status = add_aliased(self, list->arena, table, &aliased, error);
    }
    append_index(self, list->arena, OPENSEARCH_LEDGER, &names);
    role_add(&role, &names, writing, request->follows ? following : NULL);
    role_add(&role, &aliased, switching, NULL);
    role_end(&role, list);
    buffer_free(&names);
    buffer_free(&aliased);
    return status;
}

const struct rights_functions opensearch_rights = {.of_source = rights_of_source,
                                                   .of_target = rights_of_target};
