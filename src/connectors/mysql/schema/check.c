/* Whether a plan's table fits the server and what is in the target already: a line for each
 * fault. */
#include "connectors/sql/check.h"
#include "connectors/mysql/schema/rebuild.h"
#include "connectors/mysql/translate.h"
#include <string.h>
#include <strings.h>

/* Identifiers are UTF-8 of up to three bytes a character. */
static void check_name(const char *what, const char *name, struct buffer *out)
{
    char printable[SQL_SHOWN_BYTES];
    size_t length = strlen(name);
    size_t characters = 0;
    bool wide = false;
    for (size_t i = 0; i < length; i++) {
        characters += ((unsigned char)name[i] & 0xc0) != 0x80;
        wide = wide || (unsigned char)name[i] >= 0xf0;
    }
    sql_show_name(name, printable);
    if (length == 0) {
        buffer_format(out, "%s has no name\n", what);
    } else if (!text_is_utf8(name, length)) {
        buffer_format(out, "%s %s: the name is not UTF-8\n", what, printable);
    } else if (characters > MYSQL_NAME_CHARACTERS_MAX) {
        buffer_format(out, "%s %s: the name has %zu characters; the server takes %d: rename it\n",
                      what, printable, characters, MYSQL_NAME_CHARACTERS_MAX);
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

static void check_columns(const struct target_table *table, struct buffer *out)
{
    char printable[SQL_SHOWN_BYTES];
    char other[SQL_SHOWN_BYTES];
    if (table->column_count == 0) {
        buffer_append_string(out, "a table needs at least one column that records fill\n");
    }
    if (table->column_count > MYSQL_COLUMNS_MAX) {
        buffer_format(out, "it has %u columns; InnoDB takes %d\n", table->column_count,
                      MYSQL_COLUMNS_MAX);
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        const char *name = table->columns[i].name;
        check_name("column", name, out);
        for (uint32_t j = 0; j < i && table->column_count <= MYSQL_COLUMNS_MAX; j++) {
            if (strcasecmp(table->columns[j].name, name) == 0) {
                buffer_format(out, "the columns %s and %s are one to the server: rename one\n",
                              sql_show_name(table->columns[j].name, other),
                              sql_show_name(name, printable));
            }
        }
    }
    /* these are both the plan's */
    sql_check_key_columns(table, strcmp, out);
    for (uint32_t i = 0; i < table->index_count; i++) {
        check_name("index", table->indexes[i].name, out);
    }
}

static void add_key_fault(const char *what, const char *name, struct column_list columns,
                          const char *fault, struct buffer *out)
{
    char shown[SQL_SHOWN_BYTES];
    char first[SQL_SHOWN_BYTES];
    buffer_format(out,
                  "the %s %s can't be made: %s; give its columns shorter types, as columns: { %s: "
                  "{ type: 'varchar(100)' } } in the plan\n",
                  what, sql_show_name(name, shown), fault,
                  columns.count > 0 ? sql_show_name(columns.names[0], first) : "NAME");
}

/* MySQL 5.5 and the first of 5.6 keep whole seconds. */
static void check_fractions(const struct mysql_database *self, const struct target_table *table,
                            const struct mysql_layout *layout, struct buffer *out)
{
    char shown[SQL_SHOWN_BYTES];
    for (uint32_t i = 0; !self->mariadb && self->version < 50604 && i < table->column_count; i++) {
        const char *words = layout->types[i];
        if (strncmp(words, "datetime(", 9) == 0 || strncmp(words, "time(", 5) == 0 ||
            strncmp(words, "timestamp(", 10) == 0) {
            sql_show_name(table->columns[i].name, shown);
            buffer_format(out,
                          "column %s: the server is too old for fractions of a second: give it a "
                          "type, as columns: { %s: { type: %.*s } } in the plan\n",
                          shown, shown, (int)strcspn(words, "("), words);
        }
    }
}

/* The layout of a table that is to be made by its columns. */
static void check_layout(const struct mysql_database *self, const struct target_table *table,
                         struct arena *arena, struct buffer *out)
{
    const struct mysql_layout layout = mysql_layout_make(self, table, arena);
    if (layout.key_fault != NULL) {
        add_key_fault("key of", table->name, table->key, layout.key_fault, out);
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct target_index *index = &table->indexes[i];
        if (layout.faults[i] != NULL && index->unique) {
            add_key_fault("unique index", index->name, index->columns, layout.faults[i], out);
        }
    }
    check_fractions(self, table, &layout, out);
    if (!mysql_layout_fits(&layout)) {
        buffer_append_string(out, "its columns are too many or too long for one row of the server: "
                                  "split the table, or give columns the type text\n");
    }
}

enum status mysql_check_table(struct database *database, const struct check_request *request,
                              struct buffer *out, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    const struct target_table *table = request->table;
    struct arena *arena = arena_create(0);
    struct mysql_table facts;
    MYSQL *connection = NULL;

    check_name("table", table->name, out);
    const char *elsewhere = mysql_database_elsewhere(self, table->name);
    if (elsewhere != NULL) {
        char shown[SQL_SHOWN_BYTES];
        buffer_format(out,
                      "it is of the database %s, and a run writes into one database: give it "
                      "another name in a plan, or copy that database by a run of its own\n",
                      sql_show_name(elsewhere, shown));
    }
    if (strncmp(table->name, "_transhume_", 11) == 0) {
        buffer_append_string(out, "names that begin with _transhume_ are the ledger's\n");
    }
    check_columns(table, out);
    enum status status = mysql_control(self, &connection, error);
    status = status == STATUS_OK
                 ? mysql_look_at(self->seen, self, connection, table->name, arena, &facts, error)
                 : status;
    bool found = status == STATUS_OK;
    if (found && facts.schema->kind != SCHEMA_TABLE) {
        buffer_append_string(out, "the target has a view of this name, which is not written to\n");
    } else if (status != STATUS_FAILED) {
        for (uint32_t i = 0; found && i < request->shape_count; i++) {
            sql_check_shape(request, i, facts.schema, strcasecmp, out);
        }
        if (found && facts.engine != NULL && strcasecmp(facts.engine, "InnoDB") != 0) {
            buffer_format(out,
                          "the table's engine is %s, which has no transactions: ALTER TABLE … "
                          "ENGINE=InnoDB\n",
                          facts.engine);
        }
        status = mysql_check_rights(self, connection, request, found, out, error);
        status = status == STATUS_OK ? mysql_check_triggers(self, connection, request, out, error)
                                     : status;
        if (status == STATUS_OK && !found && table->same_engine == NULL &&
            table->column_count <= MYSQL_COLUMNS_MAX) {
            check_layout(self, table, arena, out);
        }
        sql_check_key(table, found ? facts.schema : NULL, strcasecmp, "unique index", out);
    }
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status mysql_tell_changed(struct database *database, const struct target_table *tables,
                               uint32_t table_count, const struct schema *objects,
                               struct buffer *out, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    struct arena *arena = arena_create(0);
    const struct target_table **missing =
        arena_allocate_zeroed(arena, (size_t)table_count + 1, sizeof *missing);
    uint32_t count = 0;
    MYSQL *connection = NULL;
    enum status status = mysql_control(self, &connection, error);
    for (uint32_t i = 0; status != STATUS_FAILED && i < table_count; i++) {
        struct mysql_table facts;
        status = mysql_look_at(self->seen, self, connection, tables[i].name, arena, &facts, error);
        if (status == STATUS_END) {
            missing[count++] = &tables[i];
        }
    }
    if (status != STATUS_FAILED) {
        status = mysql_list_changes(self, connection, missing, count,
                                    objects != NULL ? objects->settings : NULL, out, error);
    }
    arena_destroy(arena);
    return status;
}
