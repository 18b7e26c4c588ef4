/* Whether a plan's table fits the server and what is in the target already: a line for each
 * fault. */
#include "connectors/mysql/target.h"
#include <string.h>
#include <strings.h>

static const char *shown(const char *name, char *printable, size_t capacity)
{
    text_printable(name, strlen(name), printable, capacity);
    return printable;
}

/* Identifiers are UTF-8 of up to three bytes a character. */
static void check_name(const char *what, const char *name, struct buffer *out)
{
    char printable[128];
    size_t length = strlen(name);
    size_t characters = 0;
    bool wide = false;
    for (size_t i = 0; i < length; i++) {
        characters += ((unsigned char)name[i] & 0xc0) != 0x80;
        wide = wide || (unsigned char)name[i] >= 0xf0;
    }
    shown(name, printable, sizeof printable);
    if (length == 0) {
        buffer_format(out, "%s has no name\n", what);
    } else if (!text_is_utf8(name, length)) {
        buffer_format(out, "%s %s: the name is not UTF-8\n", what, printable);
    } else if (characters > MARIA_NAME_CHARACTERS_MAX) {
        buffer_format(out, "%s %s: the name has %zu characters; the server takes %d: rename it\n",
                      what, printable, characters, MARIA_NAME_CHARACTERS_MAX);
    } else if (wide) {
        buffer_format(out,
                      "%s %s: the server takes no characters beyond U+FFFF in names: rename "
                      "it\n",
                      what, printable);
    } else if (strchr(" \t\n\r\v\f", name[length - 1]) != NULL) {
        buffer_format(out, "%s %s: the server takes no name that ends with a blank: rename it\n",
                      what, printable);
    }
}

static bool has_column(const struct target_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void check_columns(const struct target_table *table, struct buffer *out)
{
    char printable[128];
    if (table->column_count > MARIA_COLUMNS_MAX) {
        buffer_format(out, "it has %u columns; InnoDB takes %d\n", table->column_count,
                      MARIA_COLUMNS_MAX);
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        const char *name = table->columns[i].name;
        check_name("column", name, out);
        for (uint32_t j = 0; j < i && table->column_count <= MARIA_COLUMNS_MAX; j++) {
            if (strcasecmp(table->columns[j].name, name) == 0) {
                buffer_format(out, "the columns %s and %s are one to the server: rename one\n",
                              table->columns[j].name, shown(name, printable, sizeof printable));
            }
        }
    }
    for (uint32_t i = 0; i < table->key.count && table->column_count > 0; i++) {
        if (!has_column(table, table->key.names[i])) {
            buffer_format(out, "the key column %s is not among the columns\n",
                          shown(table->key.names[i], printable, sizeof printable));
        }
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        check_name("index", table->indexes[i].name, out);
    }
}

static bool shape_has(const struct shape *shape, const char *name)
{
    for (uint32_t i = 0; i < shape->field_count; i++) {
        if (strcasecmp(shape->fields[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void check_present(const struct maria_table *facts, const struct shape *shape,
                          struct buffer *out)
{
    char printable[128];
    for (uint32_t i = 0; i < shape->field_count; i++) {
        if (maria_find_column(facts, shape->fields[i].name) < 0) {
            buffer_format(out, "the table in the target has no column %s\n",
                          shown(shape->fields[i].name, printable, sizeof printable));
        }
    }
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        const struct maria_column *column = &facts->columns[i];
        if (column->not_null && !column->has_default && !column->generated &&
            !shape_has(shape, column->name)) {
            buffer_format(out,
                          "the column %s in the target is NOT NULL, has no default, and the plan "
                          "does not fill it\n",
                          shown(column->name, printable, sizeof printable));
        }
    }
}

static bool same_columns(struct column_list left, struct column_list right)
{
    for (uint32_t i = 0; i < left.count; i++) {
        bool found = false;
        for (uint32_t j = 0; j < right.count; j++) {
            found = found || strcasecmp(left.names[i], right.names[j]) == 0;
        }
        if (!found) {
            return false;
        }
    }
    return left.count == right.count;
}

static void check_key(const struct target_table *table, const struct maria_table *facts,
                      struct buffer *out)
{
    if (table->existing == EXISTING_REFUSE || table->existing == EXISTING_APPEND) {
        return;
    }
    if (table->key.count == 0) {
        buffer_append_string(out, "upsert, replace and skip need a key in the plan\n");
        return;
    }
    bool found = facts == NULL || same_columns(table->key, facts->schema->primary_key);
    for (uint32_t i = 0; !found && i < facts->schema->index_count; i++) {
        const struct schema_index *index = &facts->schema->indexes[i];
        found = index->unique && !index->partial && same_columns(table->key, index->columns);
    }
    if (!found) {
        buffer_append_string(out,
                             "the table in the target has no unique index over the plan's key, "
                             "which upsert, replace and skip need\n");
    }
}

enum status maria_check_table(struct database *database, const struct target_table *table,
                              const struct shape *const *shapes, uint32_t shape_count,
                              struct buffer *out, struct error *error)
{
    struct maria_database *self = maria_database_of(database);
    struct arena *arena = arena_create(0);
    struct maria_table facts;
    MYSQL *connection = NULL;

    check_name("table", table->name, out);
    if (strncmp(table->name, "_transhume_", 11) == 0) {
        buffer_append_string(out, "names that begin with _transhume_ are the ledger's\n");
    }
    check_columns(table, out);
    if (arena == NULL) {
        return error_set(error, ERROR_MEMORY, table->name, "no memory to look at it");
    }
    enum status status = maria_control(self, &connection, error);
    status = status == STATUS_OK
                 ? maria_target_describe(self, connection, table->name, arena, &facts, error)
                 : status;
    bool found = status == STATUS_OK;
    if (found && facts.schema->kind != SCHEMA_TABLE) {
        buffer_append_string(out, "the target has a view of this name, which is not written to\n");
    } else if (status != STATUS_FAILED) {
        for (uint32_t i = 0; found && i < shape_count; i++) {
            check_present(&facts, shapes[i], out);
        }
        if (found && facts.engine != NULL && strcasecmp(facts.engine, "InnoDB") != 0) {
            buffer_format(out,
                          "the table's engine is %s, which has no transactions: ALTER TABLE … "
                          "ENGINE=InnoDB\n",
                          facts.engine);
        }
        check_key(table, found ? &facts : NULL, out);
    }
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}
