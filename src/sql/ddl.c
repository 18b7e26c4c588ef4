/* Statements of a DDL file, one after the other, and the tokens of one. */
#include "base/text.h"
#include "sql/ddl_internal.h"
#include "sql/split.h"
#include <string.h>

/* ---------------------------------------------------------------- findings */

void ddl_expected(struct ddl_reader *reader, const char *what)
{
    char shown[64];
    if (ddl_at_end(reader)) {
        findings_add(&reader->ddl->report->findings, reader->token.place.line,
                     reader->token.place.column, "expected %s, but the statement ends", what);
        return;
    }
    text_printable(reader->token.text, reader->token.length, shown, sizeof shown);
    findings_add(&reader->ddl->report->findings, reader->token.place.line,
                 reader->token.place.column, "expected %s, not %s", what, shown);
}

/* ---------------------------------------------------------------- tokens */

void ddl_advance(struct ddl_reader *reader)
{
    reader->behind = reader->token.text + reader->token.length;
    reader->token = sql_lexer_next_code(&reader->lexer);
}

bool ddl_is(const struct ddl_reader *reader, const char *word)
{
    return sql_token_is_word(&reader->token, word);
}

bool ddl_is_mark(const struct ddl_reader *reader, char mark)
{
    return sql_token_is_mark(&reader->token, mark);
}

bool ddl_at_end(const struct ddl_reader *reader)
{
    return reader->token.kind == SQL_TOKEN_END;
}

bool ddl_take(struct ddl_reader *reader, const char *word)
{
    bool there = ddl_is(reader, word);
    if (there) {
        ddl_advance(reader);
    }
    return there;
}

bool ddl_take_mark(struct ddl_reader *reader, char mark)
{
    bool there = ddl_is_mark(reader, mark);
    if (there) {
        ddl_advance(reader);
    }
    return there;
}

bool ddl_take_words(struct ddl_reader *reader, const char *first, const char *second)
{
    const struct ddl_reader before = *reader;
    if (ddl_take(reader, first) && ddl_take(reader, second)) {
        return true;
    }
    *reader = before;
    return false;
}

void ddl_skip_group(struct ddl_reader *reader)
{
    uint32_t depth = 0;
    do {
        if (ddl_is_mark(reader, '(')) {
            depth++;
        } else if (ddl_is_mark(reader, ')') && depth > 0) {
            depth--;
        }
        ddl_advance(reader);
    } while (depth > 0 && !ddl_at_end(reader));
}

void ddl_skip_clause(struct ddl_reader *reader)
{
    while (!ddl_at_end(reader) && !ddl_is_mark(reader, ',') && !ddl_is_mark(reader, ')')) {
        ddl_skip_group(reader);
    }
}

const char *ddl_name(struct ddl_reader *reader, const char *what)
{
    if (!sql_token_is_name(&reader->token, reader->ddl->language) &&
        !(reader->token.kind == SQL_TOKEN_STRING && reader->ddl->language == SQL_SQLITE)) {
        ddl_expected(reader, what);
        return NULL;
    }
    const char *name = sql_token_name(&reader->token, reader->ddl->language, reader->ddl->arena);
    ddl_advance(reader);
    return name;
}

const char *ddl_qualified_name(struct ddl_reader *reader, const char *what, const char **space)
{
    *space = NULL;
    const char *name = ddl_name(reader, what);
    while (name != NULL && ddl_take_mark(reader, '.')) {
        *space = name;
        name = ddl_name(reader, what);
    }
    return name;
}

const char *ddl_string(struct ddl_reader *reader)
{
    if (reader->token.kind != SQL_TOKEN_STRING) {
        return NULL;
    }
    struct buffer value = {0};
    sql_token_append_string(&reader->token, reader->ddl->language, &value);
    const char *copy = arena_copy_string(reader->ddl->arena, buffer_string(&value));
    buffer_free(&value);
    ddl_advance(reader);
    return copy;
}

/* ---------------------------------------------------------------- CREATE TABLE */

static void copy_columns(struct ddl_reader *reader, struct ddl_table *table,
                         const struct sql_place *place)
{
    const char *space = NULL;
    const char *name = ddl_qualified_name(reader, "a table's name", &space);
    const struct ddl_table *from = name != NULL ? ddl_find_table(reader->ddl, space, name) : NULL;
    if (name != NULL && from == NULL) {
        findings_add(&reader->ddl->report->findings, place->line, place->column,
                     "no table %s is above, whose columns this one has", name);
    } else if (from != NULL && from != table) {
        buffer_append_buffer(&table->columns, &from->columns);
    }
}

static void read_element(struct ddl_reader *reader, struct ddl_table *table)
{
    const struct sql_place place = reader->token.place;
    if (ddl_take(reader, "LIKE")) {
        copy_columns(reader, table, &place);
        ddl_skip_clause(reader);
        return;
    }
    if (ddl_read_constraint(reader, table)) {
        return;
    }
    const char *name = ddl_name(reader, "a column's name");
    if (name == NULL) {
        ddl_skip_clause(reader);
        return;
    }
    if (ddl_find_column(reader->ddl, table, name) != NULL) {
        findings_add(&reader->ddl->report->findings, place.line, place.column,
                     "the column %s is there twice", name);
        ddl_skip_clause(reader);
        return;
    }
    ddl_read_column(reader, table, name);
}

static void read_elements(struct ddl_reader *reader, struct ddl_table *table)
{
    do {
        if (ddl_is_mark(reader, ')')) {
            break; /* a comma too many, which SQLite takes */
        }
        read_element(reader, table);
        if (!ddl_at_end(reader) && !ddl_is_mark(reader, ',') && !ddl_is_mark(reader, ')')) {
            ddl_expected(reader, "a comma");
            ddl_skip_clause(reader);
        }
    } while (ddl_take_mark(reader, ','));
    if (!ddl_take_mark(reader, ')')) {
        ddl_expected(reader, ")");
    }
}

static void read_parents(struct ddl_reader *reader, struct ddl_table *table)
{
    if (!ddl_take_mark(reader, '(')) {
        return;
    }
    struct buffer own = table->columns;
    table->columns = (struct buffer){0};
    do {
        const struct sql_place place = reader->token.place;
        copy_columns(reader, table, &place);
    } while (ddl_take_mark(reader, ','));
    ddl_take_mark(reader, ')');
    const struct schema_column *columns = (const struct schema_column *)(const void *)own.data;
    for (uint32_t i = 0; i < own.length / sizeof *columns; i++) {
        if (ddl_find_column(reader->ddl, table, columns[i].name) == NULL) {
            buffer_append(&table->columns, &columns[i], sizeof columns[i]);
        }
    }
    buffer_free(&own);
}

/* What stands behind the columns. */
static void read_options(struct ddl_reader *reader, struct ddl_table *table)
{
    while (!ddl_at_end(reader)) {
        const char *begin = reader->token.text;
        if (ddl_take(reader, "COMMENT")) {
            if (sql_token_is_operator(&reader->token, "=")) {
                ddl_advance(reader);
            }
            table->comment = ddl_string(reader);
        } else if (ddl_take(reader, "STRICT")) {
            table->strict = true;
        } else if (ddl_take_words(reader, "WITHOUT", "ROWID")) {
            table->without_rowid = true;
        } else if (ddl_take(reader, "INHERITS")) {
            read_parents(reader, table);
        } else if (ddl_take_words(reader, "PARTITION", "BY")) {
            while (!ddl_at_end(reader)) {
                ddl_skip_group(reader);
            }
            table->details =
                arena_copy(reader->ddl->arena, begin, (size_t)(reader->behind - begin));
        } else {
            ddl_skip_group(reader);
        }
    }
}

static void skip_rest(struct ddl_reader *reader)
{
    while (!ddl_at_end(reader)) {
        ddl_advance(reader);
    }
}

static void create_table(struct ddl_reader *reader)
{
    const char *space = NULL;
    bool if_absent = ddl_take_words(reader, "IF", "NOT");
    if (if_absent) {
        ddl_take(reader, "EXISTS");
    }
    const struct sql_place place = reader->token.place;
    const char *name = ddl_qualified_name(reader, "a table's name", &space);
    if (name == NULL) {
        return;
    }
    if (ddl_find_table(reader->ddl, space, name) != NULL) { /* a server would refuse the second */
        if (!if_absent) {
            findings_add(&reader->ddl->report->findings, place.line, place.column,
                         "the table %s is there twice", name);
        }
        return;
    }
    bool internal = reader->ddl->language == SQL_SQLITE && strncmp(name, "sqlite_", 7) == 0;
    if (internal || ddl_take_words(reader, "PARTITION", "OF")) {
        reader->ddl->report->passed_over++; /* a partition's rows are its parent's */
        return;
    }
    if (ddl_is(reader, "LIKE")) {
        ddl_advance(reader);
        copy_columns(reader, ddl_add_table(reader->ddl, space, name), &place);
        return;
    }
    if (!ddl_is_mark(reader, '(')) {
        ddl_expected(reader, "( and columns");
        return;
    }
    ddl_advance(reader);
    if (ddl_is(reader, "SELECT")) {
        ddl_expected(reader, "columns");
        return;
    }
    struct ddl_table *table = ddl_add_table(reader->ddl, space, name);
    read_elements(reader, table);
    read_options(reader, table);
    if (ddl_column_count(table) == 0) {
        findings_add(&reader->ddl->report->findings, place.line, place.column,
                     "the table %s has no column", name);
    }
}

/* ---------------------------------------------------------------- CREATE TYPE, DOMAIN */

static void create_type(struct ddl_reader *reader, bool domain)
{
    const char *space = NULL;
    struct schema_column column = {.type.kind = VALUE_TEXT};
    struct ddl_type made = {0};
    made.name = ddl_qualified_name(reader, "a type's name", &space);
    if (made.name == NULL) {
        return;
    }
    if (domain) {
        ddl_take(reader, "AS");
        ddl_read_type(reader, NULL, &column);
        made.base = column.base != NULL ? column.base : column.type.native;
        while (!ddl_at_end(reader)) {
            made.not_null |= ddl_take_words(reader, "NOT", "NULL");
            if (!ddl_at_end(reader)) {
                ddl_skip_group(reader);
            }
        }
    }
    made.type = column.type;
    buffer_append(&reader->ddl->types, &made, sizeof made);
}

/* ---------------------------------------------------------------- ALTER TABLE */

static void alter_column(struct ddl_reader *reader, struct ddl_table *table)
{
    const struct sql_place place = reader->token.place;
    const char *name = ddl_name(reader, "a column's name");
    struct schema_column *column = name != NULL ? ddl_find_column(reader->ddl, table, name) : NULL;
    if (column == NULL) {
        if (name != NULL) {
            findings_add(&reader->ddl->report->findings, place.line, place.column,
                         "the table %s has no column %s", table->name, name);
        }
    } else if (ddl_take_words(reader, "SET", "DEFAULT")) {
        ddl_read_default(reader, column);
    } else if (ddl_take_words(reader, "DROP", "DEFAULT")) {
        column->default_text = NULL;
    } else if (ddl_take_words(reader, "SET", "NOT")) {
        column->not_null = true;
    } else if (ddl_take_words(reader, "DROP", "NOT")) {
        column->not_null = false;
    } else if (ddl_take_words(reader, "ADD", "GENERATED")) {
        column->identity = true;
        column->not_null = true;
    } else if (ddl_take(reader, "TYPE") || ddl_take_words(reader, "SET", "DATA")) {
        ddl_take(reader, "TYPE");
        ddl_read_type(reader, table, column);
    }
    ddl_skip_clause(reader);
}

/* ADD, MODIFY and CHANGE: the new definition takes the place of one of that name. */
static void put_column(struct ddl_reader *reader, struct ddl_table *table, const char *old,
                       const char *name)
{
    struct schema_column *there = ddl_find_column(reader->ddl, table, old);
    if (there != NULL) {
        ddl_rename_column(reader->ddl, table, there, name);
    }
    ddl_read_column(reader, table, name);
    struct schema_column *columns = (struct schema_column *)(void *)table->columns.data;
    uint32_t last = ddl_column_count(table) - 1;
    there = ddl_find_column(reader->ddl, table, name);
    if (there != &columns[last]) {
        *there = columns[last];
        table->columns.length -= sizeof *columns;
    }
    ddl_skip_clause(reader);
}

static void drop_column(struct ddl_reader *reader, struct ddl_table *table)
{
    if (ddl_take(reader, "IF")) {
        ddl_take(reader, "EXISTS");
    }
    const char *name = ddl_name(reader, "a column's name");
    struct schema_column *column = name != NULL ? ddl_find_column(reader->ddl, table, name) : NULL;
    if (column != NULL) {
        char *end = table->columns.data + table->columns.length;
        memmove(column, column + 1, (size_t)(end - (char *)(column + 1)));
        table->columns.length -= sizeof *column;
    }
    ddl_skip_clause(reader);
}

static void rename_part(struct ddl_reader *reader, struct ddl_table *table)
{
    const char *space = NULL;
    if (ddl_take(reader, "TO") || ddl_take(reader, "AS")) {
        const char *name = ddl_qualified_name(reader, "a table's name", &space);
        if (name != NULL) {
            ddl_rename_table(reader->ddl, table, name);
        }
        return;
    }
    ddl_take(reader, "COLUMN");
    const char *old = ddl_name(reader, "a column's name");
    const char *name = ddl_take(reader, "TO") ? ddl_name(reader, "a column's name") : NULL;
    struct schema_column *column =
        old != NULL && name != NULL ? ddl_find_column(reader->ddl, table, old) : NULL;
    if (column != NULL) {
        ddl_rename_column(reader->ddl, table, column, name);
    }
    ddl_skip_clause(reader);
}

static void add_part(struct ddl_reader *reader, struct ddl_table *table)
{
    bool column = ddl_take(reader, "COLUMN");
    if (ddl_take(reader, "IF")) {
        ddl_take_words(reader, "NOT", "EXISTS");
    }
    if (!column && ddl_read_constraint(reader, table)) {
        ddl_skip_clause(reader);
        return;
    }
    bool several = ddl_take_mark(reader, '(');
    do {
        const char *name = ddl_name(reader, "a column's name");
        if (name == NULL) {
            ddl_skip_clause(reader);
            return;
        }
        put_column(reader, table, name, name);
    } while (several && ddl_take_mark(reader, ','));
    if (several) {
        ddl_take_mark(reader, ')');
    }
}

static void drop_table(struct ddl_reader *reader)
{
    const char *space = NULL;
    const char *name = ddl_qualified_name(reader, "a table's name", &space);
    struct ddl_table *table = name != NULL ? ddl_find_table(reader->ddl, space, name) : NULL;
    if (table != NULL) {
        table->dropped = true;
    }
}

static void alter_part(struct ddl_reader *reader, struct ddl_table *table)
{
    if (ddl_take(reader, "ADD")) {
        add_part(reader, table);
    } else if (ddl_take(reader, "ALTER")) {
        ddl_take(reader, "COLUMN");
        alter_column(reader, table);
    } else if (ddl_take(reader, "MODIFY") || ddl_is(reader, "CHANGE")) {
        bool change = ddl_take(reader, "CHANGE");
        ddl_take(reader, "COLUMN");
        const char *old = ddl_name(reader, "a column's name");
        const char *name = change && old != NULL ? ddl_name(reader, "a column's name") : old;
        if (old != NULL && name != NULL) {
            put_column(reader, table, old, name);
        }
    } else if (ddl_take_words(reader, "DROP", "COLUMN")) {
        drop_column(reader, table);
    } else if (ddl_take(reader, "RENAME")) {
        rename_part(reader, table);
    } else if (ddl_take_words(reader, "ATTACH", "PARTITION")) {
        drop_table(reader); /* its rows are this table's */
    }
    ddl_skip_clause(reader);
}

static void alter_table(struct ddl_reader *reader)
{
    const char *space = NULL;
    if (ddl_take(reader, "IF")) {
        ddl_take(reader, "EXISTS");
    }
    ddl_take(reader, "ONLY");
    const struct sql_place place = reader->token.place;
    const char *name = ddl_qualified_name(reader, "a table's name", &space);
    struct ddl_table *table = name != NULL ? ddl_find_table(reader->ddl, space, name) : NULL;
    if (sql_token_is_operator(&reader->token, "*")) {
        ddl_advance(reader);
    }
    if (table == NULL) {
        if (name != NULL && (ddl_is(reader, "ADD") || ddl_is(reader, "MODIFY"))) {
            ddl_report_no_table(reader->ddl, space, name, &place, "altered");
        }
        return; /* the owner of a view or a sequence, a partition */
    }
    do {
        alter_part(reader, table);
        if (table->dropped) {
            return;
        }
    } while (ddl_take_mark(reader, ','));
    if (!ddl_at_end(reader)) {
        ddl_expected(reader, "a comma");
    }
}

/* ---------------------------------------------------------------- other statements */

static void drop_tables(struct ddl_reader *reader)
{
    if (ddl_take(reader, "IF")) {
        ddl_take(reader, "EXISTS");
    }
    do {
        drop_table(reader);
    } while (ddl_take_mark(reader, ','));
}

static void comment_on(struct ddl_reader *reader)
{
    const char *parts[4] = {NULL};
    uint32_t count = 0;
    bool on_table = ddl_take(reader, "TABLE");
    if (!on_table && !ddl_take(reader, "COLUMN")) {
        reader->ddl->report->passed_over++;
        return;
    }
    do {
        parts[count] = ddl_name(reader, "a name");
        if (parts[count] == NULL || ++count == 4) {
            return;
        }
    } while (ddl_take_mark(reader, '.'));
    uint32_t of_table = on_table ? count : count - 1;
    if (of_table == 0 || !ddl_take(reader, "IS")) {
        ddl_expected(reader, "IS");
        return;
    }
    struct ddl_table *table =
        ddl_find_table(reader->ddl, of_table > 1 ? parts[of_table - 2] : NULL, parts[of_table - 1]);
    const char *comment = ddl_string(reader);
    struct schema_column *column =
        table != NULL && !on_table ? ddl_find_column(reader->ddl, table, parts[of_table]) : NULL;
    if (column != NULL) {
        column->comment = comment;
    } else if (table != NULL && on_table) {
        table->comment = comment;
    }
}

static void create(struct ddl_reader *reader)
{
    static const char *const kinds[] = {"GLOBAL", "LOCAL", "UNLOGGED", "FOREIGN", NULL};
    if (ddl_take(reader, "OR")) {
        ddl_take(reader, "REPLACE");
    }
    bool temporary = ddl_is(reader, "TEMP") || ddl_is(reader, "TEMPORARY");
    for (const char *const *kind = kinds; *kind != NULL; kind++) {
        ddl_take(reader, *kind);
    }
    bool unique = ddl_take(reader, "UNIQUE");
    const char *method = ddl_take(reader, "FULLTEXT")  ? "FULLTEXT"
                         : ddl_take(reader, "SPATIAL") ? "SPATIAL"
                                                       : NULL;
    if (ddl_take(reader, "TABLE")) {
        create_table(reader);
    } else if (ddl_take(reader, "INDEX")) {
        ddl_read_index(reader, unique, method);
    } else if (!temporary && ddl_take(reader, "TYPE")) {
        create_type(reader, false);
    } else if (ddl_take(reader, "DOMAIN")) {
        create_type(reader, true);
    } else if (ddl_take(reader, "VIRTUAL")) {
        findings_add(&reader->ddl->report->findings, reader->token.place.line,
                     reader->token.place.column, "a virtual table is no table of this program");
    } else {
        reader->ddl->report->passed_over++;
    }
    skip_rest(reader);
}

/* What begins a statement that says nothing of tables. */
static bool is_other_statement(const struct sql_token *token)
{
    static const char *const words[] = {
        "SET",     "SELECT",   "INSERT",  "COPY",       "BEGIN",      "COMMIT", "ROLLBACK",
        "START",   "GRANT",    "REVOKE",  "PRAGMA",     "LOCK",       "UNLOCK", "USE",
        "UPDATE",  "DELETE",   "WITH",    "REPLACE",    "ANALYZE",    "VACUUM", "REINDEX",
        "REFRESH", "DO",       "CALL",    "FLUSH",      "TRUNCATE",   "END",    "SAVEPOINT",
        "RELEASE", "SECURITY", "CLUSTER", "RESET",      "EXPLAIN",    "VALUES", "ATTACH",
        "DETACH",  "CHANGE",   "SHOW",    "MERGE",      "LOAD",       "DROP",   "ALTER",
        "RENAME",  "PREPARE",  "EXECUTE", "DEALLOCATE", "CHECKPOINT", NULL};
    for (const char *const *word = words; *word != NULL; word++) {
        if (sql_token_is_word(token, *word)) {
            return true;
        }
    }
    return false;
}

static void read_statement(struct ddl *ddl, const struct sql_piece *piece)
{
    struct ddl_reader reader = {.ddl = ddl, .token.text = piece->text};
    sql_lexer_init(&reader.lexer, ddl->language, piece->text, piece->length, &piece->place);
    ddl_advance(&reader);
    ddl->report->statements++;
    if (piece->fault != NULL) {
        findings_add(&ddl->report->findings, piece->fault_place.line, piece->fault_place.column,
                     "%s", piece->fault);
    }
    if (ddl_take(&reader, "CREATE")) {
        create(&reader);
    } else if (ddl_take_words(&reader, "ALTER", "TABLE") ||
               ddl_take_words(&reader, "ALTER", "FOREIGN")) {
        ddl_take(&reader, "TABLE");
        alter_table(&reader);
    } else if (ddl_take_words(&reader, "DROP", "TABLE")) {
        drop_tables(&reader);
    } else if (ddl_take_words(&reader, "COMMENT", "ON")) {
        comment_on(&reader);
    } else if (is_other_statement(&reader.token)) {
        ddl->report->passed_over++;
    } else {
        ddl_expected(&reader, "a statement");
    }
}

void sql_ddl_read(enum sql_language language, const char *text, size_t length, struct arena *arena,
                  struct schema *schema, struct sql_ddl_report *report)
{
    struct ddl ddl = {.language = language,
                      .arena = arena,
                      .names = {.arena = arena, .folded = language != SQL_POSTGRES},
                      .full_names = {.arena = arena, .folded = language != SQL_POSTGRES},
                      .report = report};
    struct sql_splitter splitter;
    struct sql_piece piece;
    *report = (struct sql_ddl_report){.findings.arena = arena};
    sql_splitter_init(&splitter, language);
    sql_splitter_window(&splitter, text, length, true);
    while (sql_splitter_next(&splitter, &piece) == STATUS_OK) {
        if (piece.kind == SQL_PIECE_STATEMENT) {
            read_statement(&ddl, &piece);
        }
    }
    ddl_finish(&ddl, schema);
}
