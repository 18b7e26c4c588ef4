/* A target's tables as they are: of many, all that the database has are read at once. */
#include "connectors/mysql/target.h"

enum { MANY = 16 };

enum status maria_look(struct maria_database *self, MYSQL *connection, uint32_t table_count,
                       struct arena *arena, struct maria_look *look, struct error *error)
{
    /* a server that folds names has tables under others than they were asked for by */
    *look = (struct maria_look){.whole = table_count >= MANY && !self->folds_names};
    return look->whole ? maria_catalog_read(self, connection, NULL, arena, &look->all, error)
                       : STATUS_OK;
}

enum status maria_look_at(const struct maria_look *look, struct maria_database *self,
                          MYSQL *connection, const char *name, struct arena *arena,
                          struct maria_table *table, struct error *error)
{
    if (look == NULL || !look->whole) {
        return maria_target_describe(self, connection, name, arena, table, error);
    }
    const struct maria_table *found = maria_catalog_find(&look->all, name);
    if (found == NULL) {
        return STATUS_END;
    }
    *table = *found;
    return STATUS_OK;
}

void maria_forget_seen(struct maria_database *self)
{
    maria_rights_free(self->rights);
    self->rights = NULL;
    arena_destroy(self->seen_arena);
    self->seen_arena = NULL;
    self->seen = NULL;
}
