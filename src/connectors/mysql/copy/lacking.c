/* Parts of a source that the account may not read: told with the statements that would let it. A
 * server does not list tables on which the account has no right at all. */
#include "base/log.h"
#include "connectors/mysql/catalog.h"
#include "connectors/mysql/source.h"
#include "connectors/sql/check.h"

struct looking {
    struct mysql_database *self;
    MYSQL *connection;
    const char *account; /* as GRANT has it */
    struct buffer *out;
    struct error *error;
};

static enum status name_account(struct looking *looking, struct arena *arena)
{
    return mysql_name_account(looking->self, looking->connection, ERROR_SOURCE_READ, arena,
                              &looking->account, looking->error);
}

static void tell_table(const struct looking *looking, const char *table)
{
    char name[SQL_SHOWN_BYTES];
    struct buffer grant = {0};
    mysql_append(&grant, "GRANT SELECT ON %t", &looking->self->sql, table);
    buffer_format(looking->out, "%s: the account may not read it: %s TO %s\n",
                  sql_show_name(table, name), buffer_string(&grant), looking->account);
    buffer_free(&grant);
}

/* Tells the tables of a request, joined ones too, of which no column may be read. */
static enum status tell_joined(const struct looking *looking, const struct read_request *request,
                               uint32_t *told)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i <= request->join_count; i++) {
        const char *table = i > 0 ? request->joins[i - 1].table : request->table;
        bool denied = false;
        status = mysql_is_denied_select(looking->self, looking->connection, table,
                                        ERROR_SOURCE_READ, &denied, looking->error);
        if (denied) {
            tell_table(looking, table);
            ++*told;
        }
    }
    return status;
}

static enum status look_at(const struct looking *looking, const struct read_request *request)
{
    struct mysql_request compiled = {0};
    struct error problem = {0};
    struct arena *arena = arena_create(0);
    uint32_t told = 0;
    bool denied = false;
    enum status status = STATUS_OK;
    if (mysql_request_compile(looking->self, looking->connection, request, NULL, arena, &compiled,
                              &problem) == STATUS_OK) {
        status = mysql_is_denied(looking->self, looking->connection, &compiled.select.sql, true,
                                 ERROR_SOURCE_READ, &denied, &problem, looking->error);
    }
    if (status == STATUS_OK && !denied && request->table == NULL && sql_is_wrong_query(&problem)) {
        error_copy(looking->error, &problem);
        error_recode(looking->error, ERROR_PLAN_INVALID);
        sql_name_query(request->name, looking->error);
        status = STATUS_FAILED;
    }
    if (status == STATUS_OK && denied && request->table != NULL && request->join_count > 0) {
        status = tell_joined(looking, request, &told);
    }
    if (status == STATUS_OK && denied && told == 0 && request->table != NULL) {
        tell_table(looking, request->table);
    } else if (status == STATUS_OK && denied && told == 0) {
        buffer_format(looking->out, "%s: %s: GRANT SELECT on it TO %s\n", request->name,
                      problem.message, looking->account);
    }
    buffer_free(&compiled.select.sql);
    arena_destroy(arena);
    return status;
}

enum status mysql_warn_lacking(struct mysql_database *self, MYSQL *connection, const char *table,
                               struct error *error)
{
    struct buffer line = {0};
    struct looking looking = {.self = self, .connection = connection, .out = &line, .error = error};
    struct arena *arena = arena_create(0);
    enum status status = name_account(&looking, arena);
    if (status == STATUS_OK) {
        tell_table(&looking, table);
        line.length -= line.length > 0; /* the line's end */
        log_write(LOG_WARNING, "%s", buffer_string(&line));
    }
    buffer_free(&line);
    arena_destroy(arena);
    return status;
}

/* Does it read base tables of the database alone? Queries and views may reach elsewhere. */
static bool stays_within(const struct mysql_catalog *catalog, const struct read_request *request)
{
    const struct mysql_table *table =
        request->table != NULL ? mysql_catalog_find(catalog, request->table) : NULL;
    bool within = table != NULL && table->engine != NULL;
    for (uint32_t i = 0; within && i < request->join_count; i++) {
        table = mysql_catalog_find(catalog, request->joins[i].table);
        within = table != NULL && table->engine != NULL;
    }
    return within;
}

enum status mysql_tell_lacking(struct database *database,
                               const struct read_request *const *requests, uint32_t request_count,
                               struct buffer *out, struct error *error)
{
    struct looking looking = {.self = mysql_database_of(database), .out = out, .error = error};
    struct arena *arena = arena_create(0);
    const struct mysql_catalog *catalog = NULL;
    bool any = false;
    enum status status = mysql_control(looking.self, &looking.connection, error);
    status = status == STATUS_OK
                 ? mysql_is_denied_select(looking.self, looking.connection, "_transhume_none",
                                          ERROR_SOURCE_READ, &any, error)
                 : status;
    status = status == STATUS_OK ? mysql_catalog_get(looking.self, &catalog, error) : status;
    for (uint32_t i = 0; status == STATUS_OK && i < request_count; i++) {
        if (!any && stays_within(catalog, requests[i])) {
            continue;
        }
        status = looking.account == NULL ? name_account(&looking, arena) : STATUS_OK;
        status = status == STATUS_OK ? look_at(&looking, requests[i]) : status;
    }
    arena_destroy(arena);
    return status;
}
