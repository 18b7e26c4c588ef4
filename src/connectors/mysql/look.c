/* A target's tables as they are: of many, all that the database has are read at once. */
#include "connectors/mysql/target.h"

enum { MANY = 16 };

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
