/* Statements of a DDL file, one after the other, and the tokens of one. */
#include "base/text.h"
#include "sql/ddl_internal.h"
#include "sql/split.h"
#include <string.h>

/* ---------------------------------------------------------------- findings */

void ddl_expected(struct ddl_reader *reader, const char *what)
{
    char shown[64];
    if (sql_at_end(&reader->at)) {
        findings_add(&reader->ddl->report->findings, reader->at.token.place.line,
                     reader->at.token.place.column, "expected %s, but the statement ends", what);
        return;
    }
    text_printable(reader->at.token.text, reader->at.token.length, shown, sizeof shown);
    findings_add(&reader->ddl->report->findings, reader->at.token.place.line,
                 reader->at.token.place.column, "expected %s, not %s", what, shown);
}

/* ---------------------------------------------------------------- tokens */

const char *ddl_name(struct ddl_reader *reader, const char *what)
{
    if (!sql_token_is_name(&reader->at.token, reader->ddl->language) &&
        !(reader->at.token.kind == SQL_TOKEN_STRING && reader->ddl->language == SQL_SQLITE)) {
        ddl_expected(reader, what);
        return NULL;
    }
    const char *name = sql_token_name(&reader->at.token, reader->ddl->language, reader->ddl->arena);
    sql_advance(&reader->at);
    return name;
}

const char *ddl_qualified_name(struct ddl_reader *reader, const char *what, const char **space)
{
    *space = NULL;
    const char *name = ddl_name(reader, what);
    while (name != NULL && sql_take_mark(&reader->at, '.')) {
        *space = name;
        name = ddl_name(reader, what);
    }
    *space = *space == NULL ? reader->ddl->space : *space;
    return name;
}

const char *ddl_string(struct ddl_reader *reader)
{
    if (reader->at.token.kind != SQL_TOKEN_STRING) {
        return NULL;
    }
    struct buffer value = {0};
    sql_token_append_string(&reader->at.token, reader->ddl->language, &value);
    const char *copy = arena_copy_string(reader->ddl->arena, buffer_string(&value));
    buffer_free(&value);
    sql_advance(&reader->at);
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
    const struct sql_place place = reader->at.token.place;
    if (sql_take(&reader->at, "LIKE")) {
        copy_columns(reader, table, &place);
        sql_skip_clause(&reader->at);
        return;
    }
    if (ddl_read_constraint(reader, table)) {
        return;
    }
    const char *name = ddl_name(reader, "a column's name");
    if (name == NULL) {
        sql_skip_clause(&reader->at);
        return;
    }
    if (ddl_find_column(reader->ddl, table, name) != NULL) {
        findings_add(&reader->ddl->report->findings, place.line, place.column,
                     "the column %s is there twice", name);
        sql_skip_clause(&reader->at);
        return;
    }
    ddl_read_column(reader, table, name);
}

static void read_elements(struct ddl_reader *reader, struct ddl_table *table)
{
    do {
        if (sql_at_mark(&reader->at, ')')) {
            break; /* a comma too many, which SQLite takes */
        }
        read_element(reader, table);
        if (!sql_at_end(&reader->at) && !sql_at_mark(&reader->at, ',') &&
            !sql_at_mark(&reader->at, ')')) {
            ddl_expected(reader, "a comma");
            sql_skip_clause(&reader->at);
        }
    } while (sql_take_mark(&reader->at, ','));
    if (!sql_take_mark(&reader->at, ')')) {
        ddl_expected(reader, ")");
    }
}

static void read_parents(struct ddl_reader *reader, struct ddl_table *table)
{
    if (!sql_take_mark(&reader->at, '(')) {
        return;
    }
    struct buffer own = table->columns;
    table->columns = (struct buffer){0};
    do {
        const struct sql_place place = reader->at.token.place;
        copy_columns(reader, table, &place);
    } while (sql_take_mark(&reader->at, ','));
    sql_take_mark(&reader->at, ')');
    const struct schema_column *columns = (const struct schema_column *)(const void *)own.data;
    for (uint32_t i = 0; i < own.length / sizeof *columns; i++) {
        if (ddl_find_column(reader->ddl, table, columns[i].name) == NULL) {
            buffer_append(&table->columns, &columns[i], sizeof columns[i]);
        }
    }
    buffer_free(&own);
}

/* The options behind the columns. */
static void read_options(struct ddl_reader *reader, struct ddl_table *table)
{
    while (!sql_at_end(&reader->at)) {
        const char *begin = reader->at.token.text;
        if (sql_take(&reader->at, "COMMENT")) {
            if (sql_token_is_operator(&reader->at.token, "=")) {
                sql_advance(&reader->at);
            }
            table->comment = ddl_string(reader);
        } else if (sql_take(&reader->at, "STRICT")) {
            table->strict = true;
        } else if (sql_take_words(&reader->at, "WITHOUT ROWID")) {
            table->without_rowid = true;
        } else if (sql_take(&reader->at, "INHERITS")) {
            read_parents(reader, table);
        } else if (sql_take_words(&reader->at, "PARTITION BY")) {
            while (!sql_at_end(&reader->at)) {
                sql_skip_group(&reader->at);
            }
            table->details =
                arena_copy(reader->ddl->arena, begin, (size_t)(reader->at.behind - begin));
        } else {
            sql_skip_group(&reader->at);
        }
    }
}

static void create_table(struct ddl_reader *reader)
{
    const char *space = NULL;
    bool if_absent = sql_take_words(&reader->at, "IF NOT");
    if (if_absent) {
        sql_take(&reader->at, "EXISTS");
    }
    const struct sql_place place = reader->at.token.place;
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
    if (internal || sql_take_words(&reader->at, "PARTITION OF")) {
        reader->ddl->report->passed_over++; /* a partition's rows are its parent's */
        return;
    }
    if (sql_at(&reader->at, "LIKE")) {
        sql_advance(&reader->at);
        copy_columns(reader, ddl_add_table(reader->ddl, space, name), &place);
        return;
    }
    if (!sql_at_mark(&reader->at, '(')) {
        ddl_expected(reader, "( and columns");
        return;
    }
    sql_advance(&reader->at);
    if (sql_at(&reader->at, "SELECT")) {
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
        sql_take(&reader->at, "AS");
        ddl_read_type(reader, NULL, &column);
        made.base = column.base != NULL ? column.base : column.type.native;
        while (!sql_at_end(&reader->at)) {
            made.not_null |= sql_take_words(&reader->at, "NOT NULL");
            if (!sql_at_end(&reader->at)) {
                sql_skip_group(&reader->at);
            }
        }
    }
    made.type = column.type;
    buffer_append(&reader->ddl->types, &made, sizeof made);
}

/* ---------------------------------------------------------------- ALTER TABLE */

static void alter_column(struct ddl_reader *reader, struct ddl_table *table)
{
    const struct sql_place place = reader->at.token.place;
    const char *name = ddl_name(reader, "a column's name");
    struct schema_column *column = name != NULL ? ddl_find_column(reader->ddl, table, name) : NULL;
    if (column == NULL) {
        if (name != NULL) {
            findings_add(&reader->ddl->report->findings, place.line, place.column,
                         "the table %s has no column %s", table->name, name);
        }
    } else if (sql_take_words(&reader->at, "SET DEFAULT")) {
        ddl_read_default(reader, column);
    } else if (sql_take_words(&reader->at, "DROP DEFAULT")) {
        column->default_text = NULL;
    } else if (sql_take_words(&reader->at, "SET NOT")) {
        column->not_null = true;
    } else if (sql_take_words(&reader->at, "DROP NOT")) {
        column->not_null = false;
    } else if (sql_take_words(&reader->at, "ADD GENERATED")) {
        column->identity = true;
        column->not_null = true;
    } else if (sql_take(&reader->at, "TYPE") || sql_take_words(&reader->at, "SET DATA")) {
        sql_take(&reader->at, "TYPE");
        ddl_read_type(reader, table, column);
    }
    sql_skip_clause(&reader->at);
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
    sql_skip_clause(&reader->at);
}

static void drop_column(struct ddl_reader *reader, struct ddl_table *table)
{
    if (sql_take(&reader->at, "IF")) {
        sql_take(&reader->at, "EXISTS");
    }
    const char *name = ddl_name(reader, "a column's name");
    struct schema_column *column = name != NULL ? ddl_find_column(reader->ddl, table, name) : NULL;
    if (column != NULL) {
        char *end = table->columns.data + table->columns.length;
        memmove(column, column + 1, (size_t)(end - (char *)(column + 1)));
        table->columns.length -= sizeof *column;
    }
    sql_skip_clause(&reader->at);
}

static void rename_part(struct ddl_reader *reader, struct ddl_table *table)
{
    const char *space = NULL;
    if (sql_take(&reader->at, "TO") || sql_take(&reader->at, "AS")) {
        const char *name = ddl_qualified_name(reader, "a table's name", &space);
        if (name != NULL) {
            ddl_rename_table(reader->ddl, table, name);
        }
        return;
    }
    sql_take(&reader->at, "COLUMN");
    const char *old = ddl_name(reader, "a column's name");
    const char *name = sql_take(&reader->at, "TO") ? ddl_name(reader, "a column's name") : NULL;
    struct schema_column *column =
        old != NULL && name != NULL ? ddl_find_column(reader->ddl, table, old) : NULL;
    if (column != NULL) {
        ddl_rename_column(reader->ddl, table, column, name);
    }
    sql_skip_clause(&reader->at);
}

static void add_part(struct ddl_reader *reader, struct ddl_table *table)
{
    bool column = sql_take(&reader->at, "COLUMN");
    if (sql_take(&reader->at, "IF")) {
        sql_take_words(&reader->at, "NOT EXISTS");
    }
    if (!column && ddl_read_constraint(reader, table)) {
        sql_skip_clause(&reader->at);
        return;
    }
    bool several = sql_take_mark(&reader->at, '(');
    do {
        const char *name = ddl_name(reader, "a column's name");
        if (name == NULL) {
            sql_skip_clause(&reader->at);
            return;
        }
        put_column(reader, table, name, name);
    } while (several && sql_take_mark(&reader->at, ','));
    if (several) {
        sql_take_mark(&reader->at, ')');
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
    if (sql_take(&reader->at, "ADD")) {
        add_part(reader, table);
    } else if (sql_take(&reader->at, "ALTER")) {
        sql_take(&reader->at, "COLUMN");
        alter_column(reader, table);
    } else if (sql_take(&reader->at, "MODIFY") || sql_at(&reader->at, "CHANGE")) {
        bool change = sql_take(&reader->at, "CHANGE");
        sql_take(&reader->at, "COLUMN");
        const char *old = ddl_name(reader, "a column's name");
        const char *name = change && old != NULL ? ddl_name(reader, "a column's name") : old;
        if (old != NULL && name != NULL) {
            put_column(reader, table, old, name);
        }
    } else if (sql_take_words(&reader->at, "DROP COLUMN")) {
        drop_column(reader, table);
    } else if (sql_take(&reader->at, "RENAME")) {
        rename_part(reader, table);
    } else if (sql_take_words(&reader->at, "ATTACH PARTITION")) {
        drop_table(reader); /* its rows are this table's */
    }
    sql_skip_clause(&reader->at);
}

static void alter_table(struct ddl_reader *reader)
{
    const char *space = NULL;
    if (sql_take(&reader->at, "IF")) {
        sql_take(&reader->at, "EXISTS");
    }
    sql_take(&reader->at, "ONLY");
    const struct sql_place place = reader->at.token.place;
    const char *name = ddl_qualified_name(reader, "a table's name", &space);
    struct ddl_table *table = name != NULL ? ddl_find_table(reader->ddl, space, name) : NULL;
    if (sql_token_is_operator(&reader->at.token, "*")) {
        sql_advance(&reader->at);
    }
    if (table == NULL) {
        if (name != NULL && (sql_at(&reader->at, "ADD") || sql_at(&reader->at, "MODIFY"))) {
            ddl_report_no_table(reader->ddl, space, name, &place, "altered");
        }
        return; /* the owner of a view or a sequence, a partition */
    }
    do {
        alter_part(reader, table);
        if (table->dropped) {
            return;
        }
    } while (sql_take_mark(&reader->at, ','));
    if (!sql_at_end(&reader->at)) {
        ddl_expected(reader, "a comma");
    }
}

/* ---------------------------------------------------------------- other statements */

static void comment_on(struct ddl_reader *reader)
{
    const char *parts[4] = {NULL};
    uint32_t count = 0;
    bool on_table = sql_take(&reader->at, "TABLE");
    if (!on_table && !sql_take(&reader->at, "COLUMN")) {
        reader->ddl->report->passed_over++;
        return;
    }
    do {
        parts[count] = ddl_name(reader, "a name");
        if (parts[count] == NULL || ++count == 4) {
            return;
        }
    } while (sql_take_mark(&reader->at, '.'));
    uint32_t of_table = on_table ? count : count - 1;
    if (of_table == 0 || !sql_take(&reader->at, "IS")) {
        ddl_expected(reader, "IS");
        return;
    }
    struct ddl_table *table = ddl_find_table(
        reader->ddl, of_table > 1 ? parts[of_table - 2] : reader->ddl->space, parts[of_table - 1]);
    const char *comment = ddl_string(reader);
    struct schema_column *column =
        table != NULL && !on_table ? ddl_find_column(reader->ddl, table, parts[of_table]) : NULL;
    if (column != NULL) {
        column->comment = comment;
    } else if (table != NULL && on_table) {
        table->comment = comment;
    }
}

/* SET search_path = app, pg_catalog: as pg_dump wrote it before 10.3, with names that say no
 * schema. */
static void take_search_path(struct ddl_reader *reader)
{
    struct ddl *ddl = reader->ddl;
    if (sql_token_is_operator(&reader->at.token, "=") || sql_at(&reader->at, "TO")) {
        sql_advance(&reader->at);
    }
    ddl->space = sql_token_is_name(&reader->at.token, ddl->language)
                     ? sql_token_name(&reader->at.token, ddl->language, ddl->arena)
                     : NULL;
    ddl->report->passed_over++;
}

static void ddl_create(struct ddl_reader *reader)
{
    static const char *const kinds[] = {"GLOBAL", "LOCAL", "UNLOGGED", "FOREIGN", NULL};
    if (sql_take(&reader->at, "OR")) {
        sql_take(&reader->at, "REPLACE");
    }
    bool temporary = sql_at(&reader->at, "TEMP") || sql_at(&reader->at, "TEMPORARY");
    for (const char *const *kind = kinds; *kind != NULL; kind++) {
        sql_take(&reader->at, *kind);
    }
    bool unique = sql_take(&reader->at, "UNIQUE");
    const char *method = sql_take(&reader->at, "FULLTEXT")  ? "FULLTEXT"
                         : sql_take(&reader->at, "SPATIAL") ? "SPATIAL"
                                                            : NULL;
    if (sql_take(&reader->at, "TABLE")) {
        create_table(reader);
    } else if (sql_take(&reader->at, "INDEX")) {
        ddl_read_index(reader, unique, method);
    } else if (!temporary && sql_take(&reader->at, "TYPE")) {
        create_type(reader, false);
    } else if (sql_take(&reader->at, "DOMAIN")) {
        create_type(reader, true);
    } else if (sql_take(&reader->at, "VIRTUAL")) {
        findings_add(&reader->ddl->report->findings, reader->at.token.place.line,
                     reader->at.token.place.column, "a virtual table is no table of this program");
    } else {
        reader->ddl->report->passed_over++;
    }
    while (!sql_at_end(&reader->at)) {
        sql_advance(&reader->at);
    }
}

/* The first word of a statement that says nothing of tables. */
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
    struct ddl_reader reader = {.ddl = ddl};
    sql_cursor_of_piece(&reader.at, ddl->language, piece);
    ddl->report->statements++;
    if (piece->fault != NULL) {
        findings_add(&ddl->report->findings, piece->fault_place.line, piece->fault_place.column,
                     "%s", piece->fault);
    }
    if (sql_take(&reader.at, "CREATE")) {
        ddl_create(&reader);
    } else if (sql_take_words(&reader.at, "ALTER TABLE") ||
               sql_take_words(&reader.at, "ALTER FOREIGN")) {
        sql_take(&reader.at, "TABLE");
        alter_table(&reader);
    } else if (sql_take_words(&reader.at, "DROP TABLE")) {
        if (sql_take(&reader.at, "IF")) {
            sql_take(&reader.at, "EXISTS");
        }
        do {
            drop_table(&reader);
        } while (sql_take_mark(&reader.at, ','));
    } else if (sql_take_words(&reader.at, "COMMENT ON")) {
        comment_on(&reader);
    } else if (ddl->language == SQL_POSTGRES && sql_take_words(&reader.at, "SET SEARCH_PATH")) {
        take_search_path(&reader);
    } else if (is_other_statement(&reader.at.token)) {
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
