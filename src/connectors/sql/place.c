/* Where tables of a scope are on a server. */
#include "connectors/sql/place.h"
#include "connectors/common/scope.h"
#include <string.h>

struct sql_table_place sql_place_of(const struct sql_database *self, const char *table)
{
    struct sql_table_place place = {.name = table};
    const char *other = scope_schema_of(&self->base.scope, table, &place.name);
    bool ours = other == NULL && strncmp(table, "_transhume_", strlen("_transhume_")) == 0;
    place.schema = other != NULL ? other : ours ? sql_ledger_schema(self) : self->schema;
    return place;
}

const char *sql_ledger_schema(const struct sql_database *self)
{
    return self->ledger_schema != NULL ? self->ledger_schema : self->schema;
}

bool sql_is_in_scope(const struct sql_database *self, const char *schema)
{
    return strcmp(schema, self->schema) == 0 ? !self->base.scope.leaves_own
                                             : column_list_holds(self->base.scope.others, schema);
}

const char *sql_name_in(const struct sql_database *self, const char *schema, const char *name,
                        struct arena *arena)
{
    struct buffer whole = {0};
    if (!sql_is_in_scope(self, schema)) {
        return arena_format(arena, "%s.%s", schema, name);
    }
    if (!column_list_holds(self->base.scope.others, schema)) {
        return arena_copy_string(arena, name);
    }
    scope_append_lead(&whole, schema);
    buffer_append_string(&whole, name);
    return sql_text(arena, &whole);
}

bool sql_is_same_place(const struct sql_database *self, const char *one, const char *other)
{
    struct sql_table_place left = sql_place_of(self, one);
    struct sql_table_place right = sql_place_of(self, other);
    return strcmp(left.schema, right.schema) == 0 && strcmp(left.name, right.name) == 0;
}
