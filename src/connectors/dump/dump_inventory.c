/* Reading a dump's script through: its statements, and the places of its rows. */
#include "base/name_index.h"
#include "base/text.h"
#include "connectors/dump/dump.h"
#include "connectors/dump/dump_row.h"
#include "connectors/dump/dump_whole.h"
#include "sql/cursor.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { READ_BYTES = 1 << 20, LOOK_BYTES = 64 * 1024 };

struct scan {
    struct dump_database *self;
    struct dump_inventory *inventory;
    struct dump_text *text;
    struct buffer window;
    size_t at;       /* in the window: all before it is done with */
    uint64_t offset; /* of the window in the script */
    uint32_t line;   /* at `at` */
    bool last;       /* the script ends with the window */
    struct sql_splitter splitter;
    struct dump_session session;
    struct dump_whole whole;
    struct dump_ddl ddl;
    struct name_index tables; /* "space.name" */
};

struct dump_place dump_place(const struct dump_database *self, uint32_t line)
{
    struct dump_place place;
    snprintf(place.text, sizeof place.text, "%s:%u", self->shown, line);
    return place;
}

static enum status dump_inventory_refuse(const struct scan *scan, uint32_t line, const char *what,
                                         const char *hint, struct error *error)
{
    error_set(error, ERROR_SOURCE_INVALID, dump_place(scan->self, line).text, "%s", what);
    return error_hint(error, "%s", hint);
}

static enum status refuse_words(const struct scan *scan, const struct sql_token *token,
                                const char *expected, struct error *error)
{
    char shown[64];
    text_printable(token->text, token->length, shown, sizeof shown);
    error_set(error, ERROR_SOURCE_INVALID, dump_place(scan->self, token->place.line).text,
              "expected %s, not %s", expected, shown);
    return error_hint(error, "dumps are read as pg_dump, mysqldump and sqlite3 .dump write them: "
                             "rows by COPY or by INSERT … VALUES");
}

/* ---------------------------------------------------------------- the window */

static const char *window_at(const struct scan *scan)
{
    return scan->window.data + scan->at;
}

static size_t window_left(const struct scan *scan)
{
    return scan->window.length - scan->at;
}

/* One more piece of the script; at its end `last` is set. */
static enum status more(struct scan *scan, struct error *error)
{
    size_t length = 0;
    size_t left = window_left(scan);
    if (scan->at > 0) {
        memmove(scan->window.data, scan->window.data + scan->at, left);
        scan->offset += scan->at;
        scan->at = 0;
        scan->window.length = left;
    }
    size_t wanted = left > READ_BYTES ? left : READ_BYTES;
    if (!buffer_try_reserve(&scan->window, wanted)) {
        return error_set(error, ERROR_MEMORY, scan->self->shown, "no memory for a row of %zu bytes",
                         left);
    }
    enum status status =
        dump_text_read(scan->text, scan->window.data + left, wanted, &length, error);
    dump_whole_read(&scan->whole, scan->window.data + left, length);
    scan->window.length += length;
    scan->last = status == STATUS_END;
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static enum status ensure(struct scan *scan, size_t length, struct error *error)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && window_left(scan) < length && !scan->last) {
        status = more(scan, error);
    }
    return status;
}

static uint32_t count_lines(const char *text, size_t length)
{
    uint32_t lines = 0;
    for (size_t at = 0; at < length; at++) {
        lines += text[at] == '\n' ? 1 : 0;
    }
    return lines;
}

static void advance(struct scan *scan, size_t length)
{
    scan->line += count_lines(window_at(scan), length);
    scan->at += length;
}

/* ---------------------------------------------------------------- rows */

static struct dump_table *table_at(const struct scan *scan, uint32_t at)
{
    return (struct dump_table *)(void *)scan->inventory->tables.data + at;
}

static uint32_t find_table(struct scan *scan, const struct sql_name *name, uint32_t line)
{
    struct arena *arena = scan->inventory->arena;
    const char *space = name->space != NULL ? name->space : scan->session.space;
    uint32_t count = (uint32_t)(scan->inventory->tables.length / sizeof(struct dump_table));
    const char *full = arena_format(arena, "%s.%s", space != NULL ? space : "", name->name);
    uint32_t found = name_index_add(&scan->tables, full, strlen(full), count);
    if (found != NAME_INDEX_NONE) {
        return found;
    }
    const struct dump_table made = {.space = space != NULL ? arena_copy_string(arena, space) : NULL,
                                    .name = arena_copy_string(arena, name->name),
                                    .line = line};
    buffer_append(&scan->inventory->tables, &made, sizeof made);
    return count;
}

static bool is_same_session(const struct dump_session *left, const struct dump_session *right)
{
    return left->backslashes == right->backslashes && left->double_quotes == right->double_quotes &&
           left->encoding == right->encoding && left->zone == right->zone &&
           left->zone_known == right->zone_known;
}

/* The table's last one, if it says the same. */
static uint32_t find_header(struct scan *scan, const struct dump_header *wanted)
{
    const struct buffer *segments = &table_at(scan, wanted->table)->segments;
    struct buffer *headers = &scan->inventory->headers;
    if (segments->length > 0 && !wanted->copy) {
        const struct dump_segment *segment =
            (const struct dump_segment *)(const void *)(segments->data + segments->length) - 1;
        const struct dump_header *header = dump_header_at(scan->inventory, segment->header);
        if (!header->copy && header->length == wanted->length &&
            memcmp(header->text, wanted->text, wanted->length) == 0 &&
            is_same_session(&header->session, &wanted->session)) {
            return segment->header;
        }
    }
    buffer_append(headers, wanted, sizeof *wanted);
    struct dump_header *kept = (struct dump_header *)(void *)(headers->data + headers->length) - 1;
    kept->text =
        arena_copy(scan->inventory->arena, wanted->length > 0 ? wanted->text : "", wanted->length);
    return (uint32_t)(headers->length / sizeof *kept) - 1;
}

/* `first`: it does not follow the row added before. */
static void add_row(struct scan *scan, struct dump_table *table, uint32_t header, size_t length,
                    bool first)
{
    uint64_t begin = scan->offset + scan->at;
    struct dump_segment *last =
        table->segments.length > 0
            ? (struct dump_segment *)(void *)(table->segments.data + table->segments.length) - 1
            : NULL;
    if (first || last == NULL || begin + length - last->begin > DUMP_SEGMENT_BYTES) {
        const struct dump_segment made = {
            .begin = begin, .end = begin, .header = header, .line = scan->line};
        buffer_append(&table->segments, &made, sizeof made);
        last = (struct dump_segment *)(void *)(table->segments.data + table->segments.length) - 1;
    }
    last->end = begin + length;
    last->rows++;
}

/* SQLite's shell writes virtual tables as rows of the schema itself. */
static void leave_virtual_table(struct scan *scan, const struct dump_header *header, size_t length)
{
    enum { NAME_AT = 1, LITERALS = 5 };
    struct dump_literal literals[LITERALS];
    struct arena *arena = scan->inventory->arena;
    char *row = arena_copy(arena, window_at(scan), length);
    uint32_t count = dump_row_read(SQL_SQLITE, header, row, length, arena, literals, LITERALS);
    if (count > NAME_AT && literals[NAME_AT].kind == DUMP_STRING) {
        dump_ddl_leave(scan->self, &scan->ddl, SCHEMA_OBJECT_OTHER, "virtual table",
                       arena_copy(arena, literals[NAME_AT].text, literals[NAME_AT].length),
                       "a dump has only what it is made of");
    }
}

static bool is_sqlite_schema(const struct scan *scan, const struct dump_table *table)
{
    return scan->inventory->language == SQL_SQLITE &&
           (strcmp(table->name, "sqlite_schema") == 0 || strcmp(table->name, "sqlite_master") == 0);
}

/* A row that is not whole in the window. */
static enum status widen(struct scan *scan, struct error *error)
{
    if (scan->last) {
        return dump_inventory_refuse(scan, scan->line, "the dump ends within a row",
                                     "it is not whole; dump again, and look at the exit status",
                                     error);
    }
    if (window_left(scan) > scan->self->record_bytes_max) {
        return dump_inventory_refuse(scan, scan->line, "a row is larger than record_bytes",
                                     "allow larger ones: dump:FILE?record_bytes=256MiB", error);
    }
    return more(scan, error);
}

static enum status take_rows(struct scan *scan, const struct dump_header *wanted,
                             struct error *error)
{
    uint32_t number = find_header(scan, wanted);
    struct dump_table *table = table_at(scan, wanted->table);
    bool schema_rows = is_sqlite_schema(scan, table);
    bool first = true;
    for (;;) {
        const struct dump_header *header = dump_header_at(scan->inventory, number);
        struct dump_gap gap = dump_gap_read(header, window_at(scan), window_left(scan), scan->last);
        enum status status = STATUS_OK;
        size_t length = 0;
        if (gap.kind == DUMP_GAP_FAULT) {
            advance(scan, gap.length);
            return dump_inventory_refuse(
                scan, scan->line,
                header->copy ? "the rows of COPY do not end with \\."
                             : "expected ( and a row, a comma or a semicolon",
                "rows are read as the dump programs write them: INSERT … VALUES (…), "
                "(…);",
                error);
        }
        if (gap.kind == DUMP_GAP_END) {
            advance(scan, gap.length);
            return STATUS_OK;
        }
        if (gap.kind == DUMP_GAP_ROW) {
            advance(scan, gap.length);
            length = dump_row_length(header, window_at(scan), window_left(scan), scan->last);
        }
        if (length == 0) {
            status = widen(scan, error);
        } else {
            if (schema_rows) {
                leave_virtual_table(scan, header, length);
            }
            add_row(scan, table, number, length, first);
            first = false;
            advance(scan, length);
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
}

/* ---------------------------------------------------------------- tables that are dropped */

bool dump_inventory_has_rows(const struct dump_inventory *inventory)
{
    const struct dump_table *tables =
        (const struct dump_table *)(const void *)inventory->tables.data;
    size_t count = inventory->tables.length / sizeof *tables;
    size_t at = 0;
    while (at < count && tables[at].segments.length == 0) {
        at++;
    }
    return at < count;
}

void dump_inventory_drop_rows(struct dump_inventory *inventory, const char *space, const char *name)
{
    struct dump_table *tables = (struct dump_table *)(void *)inventory->tables.data;
    for (size_t i = 0; i < inventory->tables.length / sizeof *tables; i++) {
        bool same = inventory->language == SQL_POSTGRES ? strcmp(tables[i].name, name) == 0
                                                        : strcasecmp(tables[i].name, name) == 0;
        if (same &&
            (space == NULL || tables[i].space == NULL || strcmp(tables[i].space, space) == 0)) {
            buffer_clear(&tables[i].segments);
        }
    }
}

/* ---------------------------------------------------------------- headers */

/* "(a, b)", if it stands here. False: something else is in the parentheses. */
static bool take_columns(struct scan *scan, struct sql_cursor *at, struct column_list *columns)
{
    struct buffer names = {0};
    bool fits = true;
    if (!sql_take_mark(at, '(')) {
        return true;
    }
    do {
        fits = sql_token_is_name(&at->token, at->lexer.language);
        if (fits) {
            const char *name =
                sql_token_name(&at->token, at->lexer.language, scan->inventory->arena);
            buffer_append(&names, &name, sizeof name);
            sql_advance(at);
        }
    } while (fits && sql_take_mark(at, ','));
    *columns = (struct column_list){.names = (const char *const *)(const void *)arena_copy(
                                        scan->inventory->arena, names.data, names.length),
                                    .count = (uint32_t)(names.length / sizeof(char *))};
    buffer_free(&names);
    return fits && sql_take_mark(at, ')');
}

/* From INSERT on, which is the window's `token`. */
static enum status take_insert(struct scan *scan, const struct sql_token *token,
                               struct error *error)
{
    struct sql_cursor at;
    struct sql_name name = {0};
    struct dump_header header = {.session = scan->session, .line = token->place.line};
    const char *window_end = scan->window.data + scan->window.length;
    sql_cursor_init(&at, scan->inventory->language, token->text, (size_t)(window_end - token->text),
                    &token->place);
    sql_advance(&at); /* INSERT, REPLACE */
    while (sql_take_one_of(&at, "INTO|IGNORE|DELAYED|LOW_PRIORITY|HIGH_PRIORITY|OR|REPLACE")) {
    }
    if (!sql_take_name(&at, scan->inventory->arena, &name)) {
        return refuse_words(scan, &at.token, "a table's name", error);
    }
    if (!take_columns(scan, &at, &header.columns)) {
        return refuse_words(scan, &at.token, "the name of a column", error);
    }
    if (sql_take(&at, "OVERRIDING")) {
        sql_take_one_of(&at, "SYSTEM|USER");
        sql_take(&at, "VALUE");
    }
    if (!sql_at_one_of(&at, "VALUES|VALUE")) {
        return refuse_words(scan, &at.token, "VALUES", error);
    }
    const char *end = at.token.text + at.token.length;
    header.table = find_table(scan, &name, token->place.line);
    header.text = token->text;
    header.length = (size_t)(end - token->text);
    /* take_rows keeps the text before it reads on */
    scan->line = token->place.line;
    scan->at = (size_t)(token->text - scan->window.data);
    advance(scan, header.length);
    return take_rows(scan, &header, error);
}

/* "COPY t (a, b) FROM stdin": its rows begin behind the piece. False: it is no such statement. */
static enum status take_copy(struct scan *scan, const struct sql_piece *piece, bool *taken,
                             struct error *error)
{
    struct sql_cursor at;
    struct sql_name name = {0};
    struct dump_header header = {.copy = true, .session = scan->session, .line = piece->place.line};
    sql_cursor_of_piece(&at, scan->inventory->language, piece);
    *taken = sql_take(&at, "COPY");
    if (!*taken) {
        return STATUS_OK;
    }
    if (!sql_take_name(&at, scan->inventory->arena, &name) ||
        !take_columns(scan, &at, &header.columns) || !sql_take(&at, "FROM") ||
        !sql_take(&at, "STDIN") || !sql_at_end(&at)) {
        return refuse_words(scan, &at.token, "COPY table (columns) FROM stdin alone", error);
    }
    header.table = find_table(scan, &name, piece->place.line);
    scan->splitter.in_data = false;
    return take_rows(scan, &header, error);
}

/* ---------------------------------------------------------------- statements */

static enum status take_piece(struct scan *scan, const struct sql_piece *piece, struct error *error)
{
    bool copies = false;
    if (piece->fault != NULL) {
        return dump_inventory_refuse(
            scan, piece->fault_place.line, piece->fault,
            "it is not whole, or no dump; dump again, and look at the exit status", error);
    }
    if (piece->kind == SQL_PIECE_STATEMENT) {
        if (!dump_whole_statement(&scan->whole, scan->inventory->language, piece)) {
            return dump_inventory_refuse(
                scan, piece->place.line, "ROLLBACK takes the dump's rows back",
                "its program could not read the database to the end; mend the database "
                "(SQLite: .recover), and dump again",
                error);
        }
        enum status status = take_copy(scan, piece, &copies, error);
        if (status != STATUS_OK || copies) {
            return status;
        }
        if (dump_session_set(scan->self, &scan->session, piece, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return dump_ddl_add(scan->self, &scan->ddl, piece, error);
}

static bool has_plain_delimiter(const struct scan *scan)
{
    return strcmp(scan->splitter.delimiter, ";") == 0;
}

/* Is an INSERT next? Comments before it may be long. */
static enum status peek_insert(struct scan *scan, struct sql_token *token, bool *found,
                               struct error *error)
{
    *found = false;
    for (;;) {
        struct sql_lexer ahead = scan->splitter.lexer;
        const struct sql_place place = {scan->offset + scan->at, scan->line, 1};
        sql_lexer_init(&ahead, scan->inventory->language, window_at(scan), window_left(scan),
                       &place);
        *token = sql_lexer_next_code(&ahead);
        bool whole = token->kind != SQL_TOKEN_END && !token->unterminated;
        if (whole && sql_token_is_mark(token, ';') && has_plain_delimiter(scan)) {
            advance(scan, (size_t)(token->text + 1 - window_at(scan)));
            continue;
        }
        if (whole || scan->last) {
            *found = whole && has_plain_delimiter(scan) &&
                     (sql_token_is_word(token, "INSERT") || sql_token_is_word(token, "REPLACE"));
            break;
        }
        if (more(scan, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (!*found) {
        return STATUS_OK;
    }
    size_t ahead = (size_t)(token->text - window_at(scan));
    if (ensure(scan, ahead + LOOK_BYTES, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    token->text = window_at(scan) + ahead; /* the window may have moved */
    return STATUS_OK;
}

static enum status widen_statement(struct scan *scan, struct error *error)
{
    if (window_left(scan) > DUMP_STATEMENT_BYTES_MAX) {
        return dump_inventory_refuse(scan, scan->line, "a statement is larger than 64 MiB",
                                     "is it a SQL script? rows are read from INSERT and COPY alone",
                                     error);
    }
    return more(scan, error);
}

/* One statement, or the INSERTs that follow one another. */
static enum status take_next(struct scan *scan, struct error *error)
{
    struct sql_token token;
    struct sql_piece piece;
    bool insert = false;
    if (peek_insert(scan, &token, &insert, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (insert) {
        return take_insert(scan, &token, error);
    }
    scan->splitter.lexer.place = (struct sql_place){scan->offset + scan->at, scan->line, 1};
    sql_splitter_window(&scan->splitter, window_at(scan), window_left(scan), scan->last);
    enum status status = sql_splitter_next(&scan->splitter, &piece);
    if (status == STATUS_AGAIN) {
        return widen_statement(scan, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    const char *begin = window_at(scan);
    advance(scan, (size_t)(piece.end - begin));
    return take_piece(scan, &piece, error);
}

/* ---------------------------------------------------------------- all of it */

static enum status recognise(struct scan *scan, struct error *error)
{
    static const char *const words[] = {
        [SQL_POSTGRES] = "postgres", [SQL_MYSQL] = "mysql", [SQL_SQLITE] = "sqlite"};
    struct dump_database *self = scan->self;
    enum sql_language language = self->language;
    if (ensure(scan, LOOK_BYTES, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!self->language_given) {
        language = sql_language_recognise(window_at(scan), window_left(scan), SQL_POSTGRES);
    }
    /* where nothing shows, or as much of one as of another, the second answer is another */
    if (!self->language_given &&
        language != sql_language_recognise(window_at(scan), window_left(scan),
                                           language == SQL_SQLITE ? SQL_MYSQL : SQL_SQLITE)) {
        return dump_inventory_refuse(scan, 1, "its beginning does not show which database it is of",
                                     "say it: dump:FILE?dialect=postgres, mysql or sqlite", error);
    }
    dump_whole_begin(&scan->whole, window_at(scan), window_left(scan));
    self->language = language;
    scan->inventory->language = language;
    scan->session = dump_session_default(language);
    if (self->session.zone_known) {
        scan->session.zone_known = true;
        scan->session.zone = self->session.zone;
    }
    self->base.words_of = words[language];
    sql_splitter_init(&scan->splitter, language);
    return STATUS_OK;
}

/* A program that was stopped may have stopped between two statements. */
static enum status check_whole(const struct scan *scan, struct error *error)
{
    const char *missing = dump_whole_missing(&scan->whole);
    if (missing == NULL) {
        return STATUS_OK;
    }
    error_set(error, ERROR_SOURCE_INVALID, dump_place(scan->self, scan->line).text,
              "the dump is not whole: at its end stands no \"%s\"", missing);
    return error_hint(error, "dump again, and look at the exit status; or add that line, if all "
                             "that you want is there");
}

enum status dump_inventory_read(struct dump_database *self, struct error *error)
{
    struct scan scan = {.self = self, .inventory = &self->inventory, .line = 1};
    self->inventory.arena = arena_create(0);
    scan.tables.arena = self->inventory.arena;
    error_clear(error);
    enum status status = dump_text_open(self->input, 0, &scan.text, error);
    status = status == STATUS_OK ? recognise(&scan, error) : status;
    while (status == STATUS_OK) {
        status = take_next(&scan, error);
    }
    if (status == STATUS_END) {
        status = dump_tables_make(self, &scan.ddl, error);
        status = status == STATUS_OK ? check_whole(&scan, error) : status;
    }
    dump_ddl_free(&scan.ddl);
    buffer_free(&scan.window);
    dump_text_close(scan.text);
    return status;
}

void dump_inventory_free(struct dump_inventory *inventory)
{
    struct dump_table *tables = (struct dump_table *)(void *)inventory->tables.data;
    for (size_t i = 0; i < inventory->tables.length / sizeof *tables; i++) {
        buffer_free(&tables[i].segments);
    }
    buffer_free(&inventory->tables);
    buffer_free(&inventory->headers);
    arena_destroy(inventory->arena);
    inventory->arena = NULL;
}
