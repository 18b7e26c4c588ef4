/* Keys, foreign keys, indexes and checks. */
#include "sql/ddl_internal.h"
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- lists of columns */

/* Columns of a key or an index as they are read. */
struct key_columns {
    struct buffer names;  /* const char *; "" for an expression */
    struct buffer wholes; /* the same; "" also for name(10), which holds the beginnings alone */
    bool beginnings;
    bool expressions;
};

/* Behind a column's name: (10), COLLATE x, an operator class, ASC, DESC, NULLS FIRST. */
static void read_key_column(struct ddl_reader *reader, struct key_columns *columns)
{
    const char *name = "";
    bool whole = true;
    if (sql_token_is_name(&reader->at.token, reader->ddl->language)) {
        const struct ddl_reader before = *reader;
        name = ddl_name(reader, "a column's name");
        if (sql_at_mark(&reader->at, '(')) {
            bool length = reader->ddl->language == SQL_MYSQL;
            struct ddl_reader ahead = *reader;
            sql_take_mark(&ahead.at, '(');
            length = length && ahead.at.token.kind == SQL_TOKEN_NUMBER;
            name = length ? name : "";
            columns->beginnings |= length;
            whole = !length;
            *reader = length ? *reader : before;
            sql_skip_clause(&reader->at);
        } else if (reader->at.token.kind == SQL_TOKEN_OPERATOR || sql_at_mark(&reader->at, '.')) {
            name = "";
        }
    }
    columns->expressions |= name[0] == '\0';
    buffer_append(&columns->names, &name, sizeof name);
    name = whole ? name : "";
    buffer_append(&columns->wholes, &name, sizeof name);
    sql_skip_clause(&reader->at);
}

/* "(a, b DESC)" */
static bool read_columns(struct ddl_reader *reader, struct key_columns *columns)
{
    *columns = (struct key_columns){0};
    if (!sql_take_mark(&reader->at, '(')) {
        ddl_expected(reader, "( and columns");
        return false;
    }
    do {
        read_key_column(reader, columns);
    } while (sql_take_mark(&reader->at, ','));
    if (!sql_take_mark(&reader->at, ')')) {
        ddl_expected(reader, ")");
    }
    return true;
}

static struct column_list take_list(struct ddl *ddl, struct buffer *names)
{
    struct column_list list = {.count = (uint32_t)(names->length / sizeof(char *))};
    list.names =
        (const char *const *)(const void *)arena_copy(ddl->arena, names->data, names->length);
    buffer_free(names);
    return list;
}

static struct column_list list_of(struct ddl *ddl, struct key_columns *columns)
{
    buffer_free(&columns->wholes);
    return take_list(ddl, &columns->names);
}

struct column_list ddl_one_column(struct ddl *ddl, const char *name)
{
    return (struct column_list){
        .names = (const char *const *)(const void *)arena_copy(ddl->arena, &name, sizeof name),
        .count = 1};
}

/* ---------------------------------------------------------------- foreign keys */

static const char *read_action(struct ddl_reader *reader)
{
    if (sql_take_words(&reader->at, "NO ACTION")) {
        return NULL;
    }
    if (sql_take_words(&reader->at, "SET NULL") || sql_take_words(&reader->at, "SET DEFAULT")) {
        bool null = strncasecmp(reader->at.behind - strlen("NULL"), "NULL", strlen("NULL")) == 0;
        if (sql_at_mark(&reader->at, '(')) {
            sql_skip_group(&reader->at);
        }
        return null ? "SET NULL" : "SET DEFAULT";
    }
    return sql_take(&reader->at, "CASCADE")    ? "CASCADE"
           : sql_take(&reader->at, "RESTRICT") ? "RESTRICT"
                                               : NULL;
}

static void read_reference_options(struct ddl_reader *reader, struct schema_foreign_key *key)
{
    for (;;) {
        if (sql_take_words(&reader->at, "ON DELETE")) {
            key->on_delete = read_action(reader);
        } else if (sql_take_words(&reader->at, "ON UPDATE")) {
            key->on_update = read_action(reader);
        } else if (sql_take(&reader->at, "MATCH")) {
            sql_advance(&reader->at);
        } else if (sql_take(&reader->at, "DEFERRABLE")) {
            key->deferrable = true;
            key->details = "DEFERRABLE";
        } else if (sql_take(&reader->at, "INITIALLY")) {
            sql_advance(&reader->at);
        } else if (!sql_take_words(&reader->at, "NOT DEFERRABLE") &&
                   !sql_take_words(&reader->at, "NOT VALID")) {
            return;
        }
    }
}

void ddl_read_references(struct ddl_reader *reader, struct ddl_table *table, const char *name,
                         struct column_list columns)
{
    struct ddl_foreign_key made = {.key = {.name = name, .columns = columns}};
    struct key_columns referenced;
    made.key.references = ddl_qualified_name(reader, "a table's name", &made.space);
    if (made.key.references == NULL) {
        sql_skip_clause(&reader->at);
        return;
    }
    if (sql_at_mark(&reader->at, '(') && read_columns(reader, &referenced)) {
        made.key.referenced_columns = list_of(reader->ddl, &referenced);
    }
    read_reference_options(reader, &made.key);
    buffer_append(&table->foreign_keys, &made, sizeof made);
}

static void read_foreign_key(struct ddl_reader *reader, struct ddl_table *table, const char *name)
{
    struct key_columns columns;
    sql_take(&reader->at, "KEY");
    if (sql_take(&reader->at, "IF")) {
        sql_take_words(&reader->at, "NOT EXISTS");
    }
    if (!sql_at_mark(&reader->at, '(') && !sql_at_end(&reader->at)) {
        const char *index = ddl_name(reader, "a name");
        name = name != NULL ? name : index;
    }
    if (!read_columns(reader, &columns)) {
        return;
    }
    struct column_list list = list_of(reader->ddl, &columns);
    if (columns.expressions || !sql_take(&reader->at, "REFERENCES")) {
        ddl_expected(reader, "REFERENCES");
        return;
    }
    ddl_read_references(reader, table, name, list);
}

/* ---------------------------------------------------------------- keys and indexes */

void ddl_add_unique(struct ddl_table *table, const char *name, struct column_list columns)
{
    const struct schema_index index = {
        .name = name, .columns = columns, .unique = true, .implied = true};
    buffer_append(&table->indexes, &index, sizeof index);
}

/* USING btree in front of the columns or behind them. */
static void read_method(struct ddl_reader *reader, const char **method)
{
    if (!sql_take(&reader->at, "USING") || sql_at_end(&reader->at)) {
        return;
    }
    const char *word = sql_token_name(&reader->at.token, reader->ddl->language, reader->ddl->arena);
    bool plain = strcasecmp(word, "btree") == 0 || strcasecmp(word, "hash") == 0;
    *method = plain ? *method : word;
    sql_advance(&reader->at);
}

/* The columns and all behind them, up to the comma or the end. */
static bool read_index_columns(struct ddl_reader *reader, struct schema_index *index)
{
    struct key_columns columns;
    read_method(reader, &index->method);
    if (!read_columns(reader, &columns)) {
        return false;
    }
    index->columns = take_list(reader->ddl, &columns.wholes);
    struct column_list all = take_list(reader->ddl, &columns.names);
    index->partial = columns.beginnings;
    if (columns.beginnings && !columns.expressions) {
        index->beginnings = all;
    }
    read_method(reader, &index->method);
    while (!sql_at_end(&reader->at) && !sql_at_mark(&reader->at, ',') &&
           !sql_at_mark(&reader->at, ')')) {
        index->partial |= sql_at(&reader->at, "WHERE");
        index->deferrable |= sql_at(&reader->at, "DEFERRABLE");
        if (sql_at(&reader->at, "NOT")) {
            sql_advance(&reader->at);
        }
        sql_skip_group(&reader->at);
    }
    return true;
}

static void read_table_index(struct ddl_reader *reader, struct ddl_table *table,
                             struct schema_index index)
{
    if (sql_take(&reader->at, "IF")) {
        sql_take_words(&reader->at, "NOT EXISTS");
    }
    if (!sql_at_mark(&reader->at, '(') && !sql_at(&reader->at, "USING") &&
        !sql_at(&reader->at, "NULLS")) {
        const char *name = ddl_name(reader, "a name");
        index.name = index.name != NULL ? index.name : name;
    }
    if (sql_take_words(&reader->at, "NULLS NOT")) {
        sql_take(&reader->at, "DISTINCT");
    }
    if (read_index_columns(reader, &index)) {
        buffer_append(&table->indexes, &index, sizeof index);
    }
}

void ddl_read_index(struct ddl_reader *reader, bool unique, const char *method)
{
    struct schema_index index = {.unique = unique, .method = method};
    const char *space = NULL;
    sql_take(&reader->at, "CONCURRENTLY");
    if (sql_take(&reader->at, "IF")) {
        sql_take_words(&reader->at, "NOT EXISTS");
    }
    if (!sql_at(&reader->at, "ON")) {
        index.name = ddl_qualified_name(reader, "an index's name", &space);
        read_method(reader, &index.method);
    }
    if (!sql_take(&reader->at, "ON")) {
        ddl_expected(reader, "ON");
        return;
    }
    sql_take(&reader->at, "ONLY");
    const struct sql_place place = reader->at.token.place;
    const char *name = ddl_qualified_name(reader, "a table's name", &space);
    struct ddl_table *table = name != NULL ? ddl_find_table(reader->ddl, space, name) : NULL;
    if (table == NULL) {
        if (name != NULL) {
            ddl_report_no_table(reader->ddl, space, name, &place, "indexed");
        }
        return;
    }
    if (read_index_columns(reader, &index)) {
        buffer_append(&table->indexes, &index, sizeof index);
    }
}

static void read_primary_key(struct ddl_reader *reader, struct ddl_table *table)
{
    struct schema_index index = {0};
    sql_take(&reader->at, "KEY");
    if (sql_token_is_name(&reader->at.token, reader->ddl->language) &&
        !sql_at(&reader->at, "USING")) {
        sql_advance(&reader->at); /* a name, which MySQL ignores */
    }
    if (read_index_columns(reader, &index)) {
        table->primary_key = index.beginnings.count > 0 ? index.beginnings : index.columns;
    }
}

/* ALTER TABLE … ADD CONSTRAINT name UNIQUE USING INDEX name */
static bool is_made_of_index(const struct ddl_reader *reader)
{
    struct ddl_reader ahead = *reader;
    return sql_take_words(&ahead.at, "USING INDEX");
}

/* ---------------------------------------------------------------- all of them */

void ddl_read_check(struct ddl_reader *reader, struct ddl_table *table)
{
    if (!sql_at_mark(&reader->at, '(')) {
        ddl_expected(reader, "( and a condition");
        sql_skip_clause(&reader->at);
        return;
    }
    const char *begin = reader->at.token.text + 1;
    sql_skip_group(&reader->at);
    const char *end = reader->at.behind > begin ? reader->at.behind - 1 : begin;
    const char *text = arena_copy(reader->ddl->arena, begin, (size_t)(end - begin));
    buffer_append(&table->checks, &text, sizeof text);
    sql_take_words(&reader->at, "NO INHERIT");
    sql_take_words(&reader->at, "NOT VALID");
    if (sql_take_words(&reader->at, "NOT ENFORCED")) {
        return;
    }
    sql_take(&reader->at, "ENFORCED");
}

/* In MySQL, INDEX and KEY; a column may have such a name elsewhere. */
static bool begins_index(const struct ddl_reader *reader)
{
    return reader->ddl->language == SQL_MYSQL &&
           (sql_at(&reader->at, "INDEX") || sql_at(&reader->at, "KEY") ||
            sql_at(&reader->at, "FULLTEXT") || sql_at(&reader->at, "SPATIAL"));
}

static void read_index_clause(struct ddl_reader *reader, struct ddl_table *table)
{
    struct schema_index index = {.method = sql_at(&reader->at, "FULLTEXT")  ? "FULLTEXT"
                                           : sql_at(&reader->at, "SPATIAL") ? "SPATIAL"
                                                                            : NULL};
    if (index.method != NULL) {
        sql_advance(&reader->at);
    }
    if (!sql_take(&reader->at, "INDEX")) {
        sql_take(&reader->at, "KEY");
    }
    read_table_index(reader, table, index);
}

static void read_unique(struct ddl_reader *reader, struct ddl_table *table, const char *name)
{
    if (!sql_take(&reader->at, "KEY")) {
        sql_take(&reader->at, "INDEX");
    }
    const struct schema_index index = {.name = name, .unique = true, .implied = true};
    read_table_index(reader, table, index);
}

bool ddl_read_constraint(struct ddl_reader *reader, struct ddl_table *table)
{
    const struct ddl_reader before = *reader;
    const char *name = NULL;
    if (sql_take(&reader->at, "CONSTRAINT") && !sql_at(&reader->at, "PRIMARY") &&
        !sql_at(&reader->at, "UNIQUE") && !sql_at(&reader->at, "FOREIGN") &&
        !sql_at(&reader->at, "CHECK")) {
        name = ddl_name(reader, "a constraint's name");
    }
    struct ddl_reader ahead = *reader;
    if (sql_take(&ahead.at, "PRIMARY") && sql_at(&ahead.at, "KEY")) {
        *reader = ahead;
        if (is_made_of_index(reader)) {
            sql_skip_clause(&reader->at);
        } else {
            read_primary_key(reader, table);
        }
    } else if (sql_at(&reader->at, "UNIQUE")) {
        sql_advance(&reader->at);
        if (is_made_of_index(reader)) {
            sql_skip_clause(&reader->at);
        } else {
            read_unique(reader, table, name);
        }
    } else if (sql_take_words(&reader->at, "FOREIGN KEY")) {
        read_foreign_key(reader, table, name);
    } else if (sql_take(&reader->at, "CHECK")) {
        ddl_read_check(reader, table);
    } else if (begins_index(reader)) {
        read_index_clause(reader, table);
    } else if (sql_take_words(&reader->at, "EXCLUDE USING")) {
        sql_skip_clause(&reader->at);
    } else {
        *reader = before;
        if (name == NULL) {
            return false;
        }
        ddl_expected(reader, "a constraint");
        sql_skip_clause(&reader->at);
    }
    return true;
}
