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
    if (sql_token_is_name(&reader->token, reader->ddl->language)) {
        const struct ddl_reader before = *reader;
        name = ddl_name(reader, "a column's name");
        if (ddl_is_mark(reader, '(')) {
            bool length = reader->ddl->language == SQL_MYSQL;
            struct ddl_reader ahead = *reader;
            ddl_take_mark(&ahead, '(');
            length = length && ahead.token.kind == SQL_TOKEN_NUMBER;
            name = length ? name : "";
            columns->beginnings |= length;
            whole = !length;
            *reader = length ? *reader : before;
            ddl_skip_clause(reader);
        } else if (reader->token.kind == SQL_TOKEN_OPERATOR || ddl_is_mark(reader, '.')) {
            name = "";
        }
    }
    columns->expressions |= name[0] == '\0';
    buffer_append(&columns->names, &name, sizeof name);
    name = whole ? name : "";
    buffer_append(&columns->wholes, &name, sizeof name);
    ddl_skip_clause(reader);
}

/* "(a, b DESC)" */
static bool read_columns(struct ddl_reader *reader, struct key_columns *columns)
{
    *columns = (struct key_columns){0};
    if (!ddl_take_mark(reader, '(')) {
        ddl_expected(reader, "( and columns");
        return false;
    }
    do {
        read_key_column(reader, columns);
    } while (ddl_take_mark(reader, ','));
    if (!ddl_take_mark(reader, ')')) {
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
    if (ddl_take_words(reader, "NO", "ACTION")) {
        return NULL;
    }
    if (ddl_take_words(reader, "SET", "NULL") || ddl_take_words(reader, "SET", "DEFAULT")) {
        bool null = strncasecmp(reader->behind - strlen("NULL"), "NULL", strlen("NULL")) == 0;
        if (ddl_is_mark(reader, '(')) {
            ddl_skip_group(reader);
        }
        return null ? "SET NULL" : "SET DEFAULT";
    }
    return ddl_take(reader, "CASCADE")    ? "CASCADE"
           : ddl_take(reader, "RESTRICT") ? "RESTRICT"
                                          : NULL;
}

static void read_reference_options(struct ddl_reader *reader, struct schema_foreign_key *key)
{
    for (;;) {
        if (ddl_take_words(reader, "ON", "DELETE")) {
            key->on_delete = read_action(reader);
        } else if (ddl_take_words(reader, "ON", "UPDATE")) {
            key->on_update = read_action(reader);
        } else if (ddl_take(reader, "MATCH")) {
            ddl_advance(reader);
        } else if (ddl_take(reader, "DEFERRABLE")) {
            key->deferrable = true;
            key->details = "DEFERRABLE";
        } else if (ddl_take(reader, "INITIALLY")) {
            ddl_advance(reader);
        } else if (!ddl_take_words(reader, "NOT", "DEFERRABLE") &&
                   !ddl_take_words(reader, "NOT", "VALID")) {
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
        ddl_skip_clause(reader);
        return;
    }
    if (ddl_is_mark(reader, '(') && read_columns(reader, &referenced)) {
        made.key.referenced_columns = list_of(reader->ddl, &referenced);
    }
    read_reference_options(reader, &made.key);
    buffer_append(&table->foreign_keys, &made, sizeof made);
}

static void read_foreign_key(struct ddl_reader *reader, struct ddl_table *table, const char *name)
{
    struct key_columns columns;
    ddl_take(reader, "KEY");
    if (ddl_take(reader, "IF")) {
        ddl_take_words(reader, "NOT", "EXISTS");
    }
    if (!ddl_is_mark(reader, '(') && !ddl_at_end(reader)) {
        const char *index = ddl_name(reader, "a name");
        name = name != NULL ? name : index;
    }
    if (!read_columns(reader, &columns)) {
        return;
    }
    struct column_list list = list_of(reader->ddl, &columns);
    if (columns.expressions || !ddl_take(reader, "REFERENCES")) {
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
    if (!ddl_take(reader, "USING") || ddl_at_end(reader)) {
        return;
    }
    const char *word = sql_token_name(&reader->token, reader->ddl->language, reader->ddl->arena);
    bool plain = strcasecmp(word, "btree") == 0 || strcasecmp(word, "hash") == 0;
    *method = plain ? *method : word;
    ddl_advance(reader);
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
    while (!ddl_at_end(reader) && !ddl_is_mark(reader, ',') && !ddl_is_mark(reader, ')')) {
        index->partial |= ddl_is(reader, "WHERE");
        index->deferrable |= ddl_is(reader, "DEFERRABLE");
        if (ddl_is(reader, "NOT")) {
            ddl_advance(reader);
        }
        ddl_skip_group(reader);
    }
    return true;
}

static void read_table_index(struct ddl_reader *reader, struct ddl_table *table,
                             struct schema_index index)
{
    if (ddl_take(reader, "IF")) {
        ddl_take_words(reader, "NOT", "EXISTS");
    }
    if (!ddl_is_mark(reader, '(') && !ddl_is(reader, "USING") && !ddl_is(reader, "NULLS")) {
        const char *name = ddl_name(reader, "a name");
        index.name = index.name != NULL ? index.name : name;
    }
    if (ddl_take_words(reader, "NULLS", "NOT")) {
        ddl_take(reader, "DISTINCT");
    }
    if (read_index_columns(reader, &index)) {
        buffer_append(&table->indexes, &index, sizeof index);
    }
}

void ddl_read_index(struct ddl_reader *reader, bool unique, const char *method)
{
    struct schema_index index = {.unique = unique, .method = method};
    const char *space = NULL;
    ddl_take(reader, "CONCURRENTLY");
    if (ddl_take(reader, "IF")) {
        ddl_take_words(reader, "NOT", "EXISTS");
    }
    if (!ddl_is(reader, "ON")) {
        index.name = ddl_qualified_name(reader, "an index's name", &space);
        read_method(reader, &index.method);
    }
    if (!ddl_take(reader, "ON")) {
        ddl_expected(reader, "ON");
        return;
    }
    ddl_take(reader, "ONLY");
    const struct sql_place place = reader->token.place;
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
    ddl_take(reader, "KEY");
    if (sql_token_is_name(&reader->token, reader->ddl->language) && !ddl_is(reader, "USING")) {
        ddl_advance(reader); /* a name, which MySQL ignores */
    }
    if (read_index_columns(reader, &index)) {
        table->primary_key = index.beginnings.count > 0 ? index.beginnings : index.columns;
    }
}

/* ALTER TABLE … ADD CONSTRAINT name UNIQUE USING INDEX name */
static bool is_made_of_index(const struct ddl_reader *reader)
{
    struct ddl_reader ahead = *reader;
    return ddl_take_words(&ahead, "USING", "INDEX");
}

/* ---------------------------------------------------------------- all of them */

void ddl_read_check(struct ddl_reader *reader, struct ddl_table *table)
{
    if (!ddl_is_mark(reader, '(')) {
        ddl_expected(reader, "( and a condition");
        ddl_skip_clause(reader);
        return;
    }
    const char *begin = reader->token.text + 1;
    ddl_skip_group(reader);
    const char *end = reader->behind > begin ? reader->behind - 1 : begin;
    const char *text = arena_copy(reader->ddl->arena, begin, (size_t)(end - begin));
    buffer_append(&table->checks, &text, sizeof text);
    ddl_take_words(reader, "NO", "INHERIT");
    ddl_take_words(reader, "NOT", "VALID");
    if (ddl_take_words(reader, "NOT", "ENFORCED")) {
        return;
    }
    ddl_take(reader, "ENFORCED");
}

/* In MySQL, INDEX and KEY; a column may have such a name elsewhere. */
static bool begins_index(const struct ddl_reader *reader)
{
    return reader->ddl->language == SQL_MYSQL &&
           (ddl_is(reader, "INDEX") || ddl_is(reader, "KEY") || ddl_is(reader, "FULLTEXT") ||
            ddl_is(reader, "SPATIAL"));
}

static void read_index_clause(struct ddl_reader *reader, struct ddl_table *table)
{
    struct schema_index index = {.method = ddl_is(reader, "FULLTEXT")  ? "FULLTEXT"
                                           : ddl_is(reader, "SPATIAL") ? "SPATIAL"
                                                                       : NULL};
    if (index.method != NULL) {
        ddl_advance(reader);
    }
    if (!ddl_take(reader, "INDEX")) {
        ddl_take(reader, "KEY");
    }
    read_table_index(reader, table, index);
}

static void read_unique(struct ddl_reader *reader, struct ddl_table *table, const char *name)
{
    if (!ddl_take(reader, "KEY")) {
        ddl_take(reader, "INDEX");
    }
    const struct schema_index index = {.name = name, .unique = true, .implied = true};
    read_table_index(reader, table, index);
}

bool ddl_read_constraint(struct ddl_reader *reader, struct ddl_table *table)
{
    const struct ddl_reader before = *reader;
    const char *name = NULL;
    if (ddl_take(reader, "CONSTRAINT") && !ddl_is(reader, "PRIMARY") && !ddl_is(reader, "UNIQUE") &&
        !ddl_is(reader, "FOREIGN") && !ddl_is(reader, "CHECK")) {
        name = ddl_name(reader, "a constraint's name");
    }
    struct ddl_reader ahead = *reader;
    if (ddl_take(&ahead, "PRIMARY") && ddl_is(&ahead, "KEY")) {
        *reader = ahead;
        if (is_made_of_index(reader)) {
            ddl_skip_clause(reader);
        } else {
            read_primary_key(reader, table);
        }
    } else if (ddl_is(reader, "UNIQUE")) {
        ddl_advance(reader);
        if (is_made_of_index(reader)) {
            ddl_skip_clause(reader);
        } else {
            read_unique(reader, table, name);
        }
    } else if (ddl_take_words(reader, "FOREIGN", "KEY")) {
        read_foreign_key(reader, table, name);
    } else if (ddl_take(reader, "CHECK")) {
        ddl_read_check(reader, table);
    } else if (begins_index(reader)) {
        read_index_clause(reader, table);
    } else if (ddl_take_words(reader, "EXCLUDE", "USING")) {
        ddl_skip_clause(reader);
    } else {
        *reader = before;
        if (name == NULL) {
            return false;
        }
        ddl_expected(reader, "a constraint");
        ddl_skip_clause(reader);
    }
    return true;
}
