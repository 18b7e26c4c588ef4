/* Tables of the target as they are looked at, one or many at once, and what was seen last. */
#include "connectors/mysql/target.h"
#include <string.h>

enum { MANY = 16 };

/* Others can't be the name of anything, and asking for them is an error. */
static bool is_name(const char *name)
{
    size_t characters = 0;
    for (const char *at = name; *at != '\0'; at++) {
        characters += ((unsigned char)*at & 0xc0) != 0x80;
        if ((unsigned char)*at >= 0xf0) {
            return false;
        }
    }
    return characters <= MYSQL_NAME_CHARACTERS_MAX && text_is_utf8(name, strlen(name));
}

enum status mysql_target_describe(struct mysql_database *self, MYSQL *connection, const char *name,
                                  struct arena *arena, struct mysql_table *table,
                                  struct error *error)
{
    struct mysql_catalog catalog;
    if (!is_name(name)) {
        return STATUS_END;
    }
    if (mysql_catalog_read(self, connection, name, arena, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (catalog.table_count == 0) {
        return STATUS_END;
    }
    *table = catalog.tables[0];
    return STATUS_OK;
}

enum status mysql_look(struct mysql_database *self, MYSQL *connection, uint32_t table_count,
                       struct arena *arena, struct mysql_look *look, struct error *error)
{
    /* a server that folds names has tables under others than they were asked for by */
    *look = (struct mysql_look){.whole = table_count >= MANY && !self->folds_names};
    return look->whole ? mysql_catalog_read(self, connection, NULL, arena, &look->all, error)
                       : STATUS_OK;
}

enum status mysql_look_at(const struct mysql_look *look, struct mysql_database *self,
                          MYSQL *connection, const char *name, struct arena *arena,
                          struct mysql_table *table, struct error *error)
{
    if (look == NULL || !look->whole) {
        return mysql_target_describe(self, connection, name, arena, table, error);
    }
    const struct mysql_table *found = mysql_catalog_find(&look->all, name);
    if (found == NULL) {
        return STATUS_END;
    }
    *table = *found;
    return STATUS_OK;
}

void mysql_forget_seen(struct mysql_database *self)
{
    mysql_rights_free(self->rights);
    self->rights = NULL;
    arena_destroy(self->seen_arena);
    self->seen_arena = NULL;
    self->seen = NULL;
}
