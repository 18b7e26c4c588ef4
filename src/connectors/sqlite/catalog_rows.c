/* Rows of the catalogue's queries, and what they hold. */
#include "connectors/sqlite/catalog_internal.h"

enum status catalog_fail(struct catalog_builder *builder, const char *name)
{
    struct sqlite_database *self = builder->self;
    sqlite_error(builder->connection, sqlite3_errcode(builder->connection), self->mode,
                 self->mode == OPEN_SOURCE ? ERROR_SOURCE_READ : ERROR_TARGET_INVALID,
                 self->sql.shown, "its catalogue can't be read", builder->error);
    if (name != NULL) {
        error_context(builder->error, "%s", name);
    }
    return STATUS_FAILED;
}

const char *catalog_copy_text(struct catalog_builder *builder, sqlite3_stmt *row, int column)
{
    const char *text = sqlite_text_of(row, column);
    return text == NULL ? NULL : arena_copy_string(builder->arena, text);
}

void *catalog_copy_list(struct catalog_builder *builder, struct buffer *list)
{
    void *copy = arena_copy(builder->arena, list->data, list->length);
    buffer_free(list);
    return copy;
}

sqlite3_stmt *catalog_ask(struct catalog_builder *builder, enum catalog_query query,
                          const char *name)
{
    sqlite3_stmt *statement = builder->statements[query];
    sqlite3_reset(statement);
    sqlite_check_memory(sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC));
    return statement;
}
