/* Words of a newer server that an older one does not know. */
#include "connectors/postgres/target.h"
#include "connectors/sql/check.h"
#include <string.h>

enum { VERSION_14 = 140000, VERSION_15 = 150000, VERSION_18 = 180000 };

static const char unenforced[] = " NOT ENFORCED";

bool postgres_is_unenforced(const char *native_sql)
{
    size_t length = native_sql != NULL ? strlen(native_sql) : 0;
    size_t end = sizeof unenforced - 1;
    return length > end && strcmp(native_sql + length - end, unenforced) == 0;
}

const char *postgres_unknown_reference(const struct postgres_database *self, const char *native_sql)
{
    if (self->server_version >= VERSION_18 || native_sql == NULL) {
        return NULL;
    }
    return postgres_is_unenforced(native_sql)      ? "NOT ENFORCED"
           : strstr(native_sql, "PERIOD ") != NULL ? "PERIOD"
                                                   : NULL;
}

static void version_tell(const struct postgres_database *self, const char *owner, const char *what,
                         const char *name, const char *words, struct buffer *out)
{
    char shown[2][SQL_SHOWN_BYTES];
    buffer_format(out,
                  "%s: the %s %s is %s, which this server (%d) does not know: copy into a newer "
                  "one%s\n",
                  sql_show_name(owner, shown[0]), what, sql_show_name(name, shown[1]), words,
                  self->server_version / 10000,
                  strcmp(what, "column") == 0 ? ", or name the columns in a plan, which copies its "
                                                "values"
                                              : "");
}

static void check_table(const struct postgres_database *self, const struct schema_table *table,
                        struct buffer *out)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].generated == GENERATED_VIRTUAL && self->server_version < VERSION_18) {
            version_tell(self, table->name, "column", table->columns[i].name, "VIRTUAL", out);
        }
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct schema_index *index = &table->indexes[i];
        const char *native = index->native_sql != NULL ? index->native_sql : "";
        if (strstr(native, " NULLS NOT DISTINCT") != NULL && self->server_version < VERSION_15) {
            version_tell(self, table->name, "index", index->name, "NULLS NOT DISTINCT", out);
        } else if (strstr(native, " WITHOUT OVERLAPS") != NULL &&
                   self->server_version < VERSION_18) {
            version_tell(self, table->name, "key", index->name, "WITHOUT OVERLAPS", out);
        }
    }
}

void postgres_check_newer(const struct postgres_database *self, const struct schema *objects,
                          struct buffer *out)
{
    for (uint32_t i = 0; i < objects->table_count; i++) {
        if (postgres_catalog_find(self->tables, objects->tables[i].name) == NULL) {
            check_table(self, &objects->tables[i], out);
        }
    }
    for (uint32_t i = 0; i < objects->object_count && self->server_version < VERSION_14; i++) {
        const struct schema_object *object = &objects->objects[i];
        if (object->native_sql != NULL && object->stage == SCHEMA_BEFORE_TABLES &&
            strstr(object->native_sql, ", MULTIRANGE_TYPE_NAME = ") != NULL) {
            version_tell(self, object->name, object->what, object->name, "one with a multirange",
                         out);
        }
    }
}
