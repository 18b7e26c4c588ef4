/* Which databases of its server a source reads. A target is one database. */
#include "connectors/common/scope.h"
#include "connectors/common/registry.h"
#include "connectors/mysql/mysql_internal.h"
#include <string.h>
#include <strings.h>

/* As the server spells it; NULL: it has none of that name. */
static const char *mysql_scope_find(const struct mysql_database *self,
                                    const struct column_list *found, const char *name)
{
    for (uint32_t i = 0; i < found->count; i++) {
        int differs =
            self->folds_names ? strcasecmp(found->names[i], name) : strcmp(found->names[i], name);
        if (differs == 0) {
            return found->names[i];
        }
    }
    return NULL;
}

static enum status list_databases(struct mysql_database *self, struct column_list *found,
                                  struct error *error)
{
    MYSQL_RES *result = NULL;
    MYSQL_ROW row = NULL;
    enum status status = mysql_run(
        self, self->control,
        "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN "
        "('information_schema', 'performance_schema', 'mysql', 'sys') ORDER BY schema_name",
        SQL_SHORT, ERROR_NETWORK, &result, error);
    uint64_t count = status == STATUS_OK ? mysql_num_rows(result) : 0;
    const char **names = arena_allocate_zeroed(self->arena, (size_t)count + 1, sizeof *names);
    while (found->count < count && (row = mysql_fetch_row(result)) != NULL) {
        names[found->count++] = arena_copy_string(self->arena, row[0]);
    }
    found->names = names;
    mysql_free_result(result);
    return status;
}

static enum status refuse_missing(const struct mysql_database *self,
                                  const struct column_list *found, const char *name,
                                  struct error *error)
{
    struct buffer names = {0};
    for (uint32_t i = 0; i < found->count; i++) {
        buffer_format(&names, "%s%s", i > 0 ? ", " : "", found->names[i]);
    }
    error_set(error, ERROR_SOURCE_MISSING, self->sql.shown, "there is no database %s", name);
    error_hint(error, "the account sees %s: choose of these with --schema", buffer_string(&names));
    buffer_free(&names);
    return STATUS_FAILED;
}

enum status mysql_choose_databases(struct mysql_database *self, const struct open_options *open,
                                   struct error *error)
{
    struct column_list found = {0};
    struct schema_scope scope = {.own = self->sql.schema};
    self->sql.base.scope = scope;
    if (self->mode != OPEN_SOURCE || open->mirrors) {
        self->sql.base.capabilities &= ~(uint32_t)CAPABILITY_SCHEMAS;
        return STATUS_OK;
    }
    if (open->schemas.count < 2) {
        return STATUS_OK; /* it is the one that was opened */
    }
    enum status status = list_databases(self, &found, error);
    const char **names = arena_allocate_zeroed(self->arena, open->schemas.count, sizeof *names);
    for (uint32_t i = 0; status == STATUS_OK && i < open->schemas.count; i++) {
        names[i] = mysql_scope_find(self, &found, open->schemas.names[i]);
        status = names[i] != NULL ? STATUS_OK
                                  : refuse_missing(self, &found, open->schemas.names[i], error);
    }
    if (status == STATUS_OK) {
        scope.others = (struct column_list){names, open->schemas.count};
        scope.leaves_own = !column_list_holds(scope.others, self->sql.schema);
        self->sql.base.scope = scope_copy(&scope, self->sql.schema, self->arena);
    }
    return status;
}

enum status mysql_use_scope(struct database *database, const struct schema_scope *scope,
                            struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    (void)error;
    self->elsewhere = scope_copy(scope, self->sql.schema, self->arena);
    return STATUS_OK;
}

const char *mysql_database_elsewhere(const struct mysql_database *self, const char *table)
{
    const char *behind = NULL;
    return scope_schema_of(&self->elsewhere, table, &behind);
}
