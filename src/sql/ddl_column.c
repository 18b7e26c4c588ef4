/* A column: its type, its default and the properties behind them. */
#include "base/text.h"
#include "sql/ddl_internal.h"
#include "sql/default_text.h"
#include "sql/types.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_one_of(const struct ddl_reader *reader, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (sql_at(&reader->at, *words)) {
            return true;
        }
    }
    return false;
}

/* The word ends a type or a default. */
static bool begins_property(const struct ddl_reader *reader)
{
    static const char *const words[] = {"CONSTRAINT",
                                        "NOT",
                                        "NULL",
                                        "DEFAULT",
                                        "PRIMARY",
                                        "UNIQUE",
                                        "KEY",
                                        "REFERENCES",
                                        "CHECK",
                                        "COLLATE",
                                        "GENERATED",
                                        "AS",
                                        "AUTO_INCREMENT",
                                        "AUTOINCREMENT",
                                        "COMMENT",
                                        "ON",
                                        "CHARSET",
                                        "VIRTUAL",
                                        "STORED",
                                        "PERSISTENT",
                                        "INVISIBLE",
                                        "VISIBLE",
                                        "DEFERRABLE",
                                        "INITIALLY",
                                        "STORAGE",
                                        "COMPRESSION",
                                        "COLUMN_FORMAT",
                                        "SRID",
                                        "OPTIONS",
                                        "USING",
                                        "ENABLE",
                                        "FIRST",
                                        "AFTER",
                                        "COMPRESSED",
                                        "ASCII",
                                        "UNICODE",
                                        NULL};
    return is_one_of(reader, words);
}

/* ---------------------------------------------------------------- types */

/* The words of a type as they are read. */
struct reading {
    struct buffer name;
    struct buffer native;
    struct sql_type_words words;
};

static void append_native(struct reading *reading, const struct ddl_reader *reader, bool apart)
{
    const struct sql_token *token = &reader->at.token;
    if (apart && reading->native.length > 0) {
        buffer_append_byte(&reading->native, ' ');
    }
    if (token->kind == SQL_TOKEN_NAME && reader->ddl->language == SQL_SQLITE) {
        buffer_append_string(&reading->native,
                             sql_token_name(token, reader->ddl->language, reader->ddl->arena));
        return;
    }
    for (size_t i = 0; i < token->length; i++) {
        bool folds = reader->ddl->language != SQL_SQLITE && token->kind == SQL_TOKEN_WORD &&
                     (unsigned char)token->text[i] < 0x80;
        buffer_append_byte(&reading->native,
                           folds ? (char)tolower((unsigned char)token->text[i]) : token->text[i]);
    }
}

/* "(10,2)", "('a','b')", "(Point,4326)" */
static void read_arguments(struct ddl_reader *reader, struct reading *reading)
{
    enum { DIGITS_MAX = 9 };
    uint32_t depth = 0;
    do {
        append_native(reading, reader, false);
        depth += sql_at_mark(&reader->at, '(') ? 1 : 0;
        depth -= sql_at_mark(&reader->at, ')') ? 1 : 0;
        int64_t number = 0;
        if (reader->at.token.kind == SQL_TOKEN_NUMBER && reading->words.number_count < 2 &&
            reader->at.token.length <= DIGITS_MAX &&
            text_to_int64(reader->at.token.text, reader->at.token.length, &number) == STATUS_OK) {
            reading->words.numbers[reading->words.number_count++] = number;
        }
        sql_advance(&reader->at);
    } while (depth > 0 && !sql_at_end(&reader->at));
}

/* unsigned, signed, zerofill: no words of the type's name in MySQL. */
static bool is_sign(struct ddl_reader *reader, struct reading *reading)
{
    if (reader->ddl->language != SQL_MYSQL) {
        return false;
    }
    bool without = sql_at(&reader->at, "UNSIGNED");
    bool fills = sql_at(&reader->at, "ZEROFILL");
    reading->words.is_unsigned |= without || fills;
    return without || fills || sql_at(&reader->at, "SIGNED");
}

static void read_word(struct ddl_reader *reader, struct reading *reading)
{
    if (!is_sign(reader, reading)) {
        char *word = sql_token_name(&reader->at.token, reader->ddl->language, reader->ddl->arena);
        for (char *at = word; *at != '\0'; at++) {
            *at = (char)((unsigned char)*at < 0x80 ? tolower((unsigned char)*at) : *at);
        }
        if (reading->name.length > 0 && buffer_last(&reading->name) != '.') {
            buffer_append_byte(&reading->name, ' ');
        }
        buffer_append_string(&reading->name, word);
    }
    append_native(reading, reader, buffer_last(&reading->native) != '.');
    sql_advance(&reader->at);
}

/* "CHARACTER SET utf8mb4" behind a type. */
static bool is_character_set(const struct ddl_reader *reader)
{
    struct ddl_reader ahead = *reader;
    return reader->ddl->language == SQL_MYSQL && sql_take(&ahead.at, "CHARACTER") &&
           sql_at(&ahead.at, "SET");
}

static void read_words(struct ddl_reader *reader, struct reading *reading)
{
    for (;;) {
        bool first = reading->native.length == 0;
        if (sql_at_mark(&reader->at, '(') && !first) {
            read_arguments(reader, reading);
        } else if (sql_at_mark(&reader->at, '[')) {
            reading->words.is_array = true;
            while (!sql_at_end(&reader->at) && !sql_at_mark(&reader->at, ']')) {
                sql_advance(&reader->at);
            }
            sql_take_mark(&reader->at, ']');
            if (!first && buffer_last(&reading->native) != ']') {
                buffer_append_string(&reading->native, "[]");
            }
        } else if (sql_at_mark(&reader->at, '.') && !first) {
            append_native(reading, reader, false);
            buffer_append_byte(&reading->name, '.');
            sql_advance(&reader->at);
        } else if (!first && sql_at(&reader->at, "ARRAY")) {
            reading->words.is_array = true;
            buffer_append_string(&reading->native, "[]");
            sql_advance(&reader->at);
        } else if (sql_token_is_name(&reader->at.token, reader->ddl->language) &&
                   !begins_property(reader) && (first || !is_character_set(reader))) {
            read_word(reader, reading);
        } else {
            return;
        }
    }
}

/* As the server shows types of the schemas that are looked in by themselves. */
static const char *without_space(const char *native)
{
    static const char *const spaces[] = {"public.", "pg_catalog."};
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++) {
        if (strncmp(native, spaces[i], strlen(spaces[i])) == 0) {
            return native + strlen(spaces[i]);
        }
    }
    return native;
}

static const struct ddl_type *find_type(const struct ddl *ddl, const char *name)
{
    const struct ddl_type *types = (const struct ddl_type *)(const void *)ddl->types.data;
    for (size_t i = ddl->types.length / sizeof *types; i > 0; i--) {
        if (strcasecmp(types[i - 1].name, name) == 0) {
            return &types[i - 1];
        }
    }
    return NULL;
}

static void use_made_type(const struct ddl_type *made, const struct sql_type_words *words,
                          struct schema_column *column)
{
    if (!words->is_array) {
        const char *native = column->type.native;
        column->type = made->type;
        column->type.no_nul = made->type.kind == VALUE_TEXT;
        column->type.native = native;
        column->base = made->base;
        column->not_null |= made->not_null;
    }
    column->type_made = true;
}

void ddl_read_type(struct ddl_reader *reader, const struct ddl_table *table,
                   struct schema_column *column)
{
    struct reading reading = {.words.strict = table != NULL && table->strict};
    const struct ddl *ddl = reader->ddl;
    read_words(reader, &reading);
    /* "pg_catalog.int4", "public.mood": by its last part. */
    const char *name = buffer_string(&reading.name);
    const char *dot = strrchr(name, '.');
    reading.words.name = dot != NULL ? dot + 1 : name;
    bool truth = ddl->language == SQL_MYSQL && (strcmp(reading.words.name, "bool") == 0 ||
                                                strcmp(reading.words.name, "boolean") == 0);
    const char *native = truth ? "tinyint(1)" : without_space(buffer_string(&reading.native));
    reading.words.native = arena_copy_string(ddl->arena, native);
    bool known = sql_type_read(ddl->language, &reading.words, &column->type);
    if (sql_type_counts(ddl->language, reading.words.name)) {
        column->not_null = true;
        column->identity = ddl->language == SQL_MYSQL;
        column->default_text =
            ddl->language == SQL_POSTGRES ? "nextval(a sequence of its own)" : NULL;
    }
    const struct ddl_type *made = known ? NULL : find_type(ddl, reading.words.name);
    column->type_made = !known;
    if (made != NULL) {
        use_made_type(made, &reading.words, column);
    }
    buffer_free(&reading.name);
    buffer_free(&reading.native);
}

/* ---------------------------------------------------------------- defaults */

void ddl_read_default(struct ddl_reader *reader, struct schema_column *column)
{
    const char *begin = reader->at.token.text;
    bool first = true;
    while (!sql_at_end(&reader->at) && !sql_at_mark(&reader->at, ',') &&
           !sql_at_mark(&reader->at, ')') && (first || !begins_property(reader))) {
        sql_skip_group(&reader->at);
        first = false;
    }
    if (first) {
        ddl_expected(reader, "a default");
        return;
    }
    column->default_text =
        arena_copy(reader->ddl->arena, begin, (size_t)(reader->at.behind - begin));
}

void ddl_settle_default(const struct ddl *ddl, struct schema_column *column)
{
    static const unsigned words[] = {[SQL_POSTGRES] = SQL_CASTS,
                                     [SQL_MYSQL] = SQL_BACKSLASHES,
                                     [SQL_SQLITE] = SQL_BARE_TEXTS | SQL_CLOCK_TEXTS};
    if (column->default_text != NULL && strcasecmp(column->default_text, "NULL") == 0) {
        column->default_text = NULL;
    }
    sql_default_read(column, words[ddl->language], ddl->arena);
    if (ddl->language == SQL_POSTGRES && column->default_kind == SCHEMA_DEFAULT_OWN &&
        strncasecmp(column->default_text, "nextval(", strlen("nextval(")) == 0) {
        column->default_kind = SCHEMA_DEFAULT_COUNTER;
    }
}

/* ---------------------------------------------------------------- properties */

/* GENERATED ALWAYS AS (…) STORED, GENERATED BY DEFAULT AS IDENTITY, AS (…) */
static void read_generated(struct ddl_reader *reader, struct schema_column *column)
{
    if (!sql_take(&reader->at, "ALWAYS") && sql_take(&reader->at, "BY")) {
        sql_take(&reader->at, "DEFAULT");
    }
    sql_take(&reader->at, "AS");
    if (sql_take(&reader->at, "IDENTITY")) {
        column->identity = true;
        column->not_null = true;
        if (sql_at_mark(&reader->at, '(')) {
            sql_skip_group(&reader->at);
        }
        return;
    }
    if (sql_at_mark(&reader->at, '(')) {
        const char *begin = reader->at.token.text;
        sql_skip_group(&reader->at);
        column->default_text =
            arena_copy(reader->ddl->arena, begin, (size_t)(reader->at.behind - begin));
    }
    bool stored = sql_take(&reader->at, "STORED") || sql_take(&reader->at, "PERSISTENT");
    column->generated = stored ? GENERATED_STORED : GENERATED_VIRTUAL;
}

/* json_valid(`column`) is how MariaDB writes json. */
static void read_column_check(struct ddl_reader *reader, struct ddl_table *table,
                              struct schema_column *column)
{
    struct ddl_reader ahead = *reader;
    bool json = reader->ddl->language == SQL_MYSQL && sql_take_mark(&ahead.at, '(') &&
                sql_at(&ahead.at, "json_valid");
    ddl_read_check(reader, table);
    if (json && column->type.kind == VALUE_TEXT) {
        column->type = (struct value_type){.kind = VALUE_JSON, .native = column->type.native};
    }
}

static void read_on(struct ddl_reader *reader, struct schema_column *column)
{
    const char *begin = reader->at.token.text;
    if (sql_take(&reader->at, "CONFLICT")) { /* SQLite */
        sql_advance(&reader->at);
        return;
    }
    if (sql_take(&reader->at, "UPDATE")) { /* CURRENT_TIMESTAMP(6) */
        sql_advance(&reader->at);
        if (sql_at_mark(&reader->at, '(')) {
            sql_skip_group(&reader->at);
        }
        column->extra =
            arena_format(reader->ddl->arena, "ON %.*s", (int)(reader->at.behind - begin), begin);
    }
}

/* A property of one word with at most one value behind it. False: no such word. */
static bool read_small_property(struct ddl_reader *reader, struct schema_column *column)
{
    static const char *const alone[] = {
        "NULL", "VIRTUAL", "STORED",  "VISIBLE", "INVISIBLE", "ENABLE",     "DEFERRABLE", "ASC",
        "DESC", "ASCII",   "UNICODE", "FIRST",   "BINARY",    "COMPRESSED", "ROW",        NULL};
    static const char *const valued[] = {"CHARSET",       "STORAGE", "COMPRESSION", "AFTER",
                                         "COLUMN_FORMAT", "SRID",    "INITIALLY",   "OPTIONS",
                                         "USING",         NULL};
    if (sql_take(&reader->at, "COLLATE")) {
        const char *space = NULL;
        column->collation = ddl_qualified_name(reader, "a collation", &space);
    } else if (sql_take(&reader->at, "COMMENT")) {
        column->comment = ddl_string(reader);
    } else if (sql_take(&reader->at, "AUTO_INCREMENT") || sql_take(&reader->at, "AUTOINCREMENT")) {
        column->identity = true;
        column->not_null = true;
    } else if (sql_take_words(&reader->at, "CHARACTER SET") || is_one_of(reader, valued)) {
        if (is_one_of(reader, valued)) {
            sql_advance(&reader->at);
        }
        sql_skip_group(&reader->at);
    } else if (is_one_of(reader, alone)) {
        sql_advance(&reader->at);
    } else {
        return false;
    }
    return true;
}

static bool read_property(struct ddl_reader *reader, struct ddl_table *table,
                          struct schema_column *column, const char **constraint)
{
    struct ddl *ddl = reader->ddl;
    if (sql_take(&reader->at, "CONSTRAINT")) {
        *constraint = ddl_name(reader, "a constraint's name");
        return *constraint != NULL;
    }
    if (sql_take(&reader->at, "NOT")) {
        column->not_null |= sql_at(&reader->at, "NULL");
        sql_advance(&reader->at); /* NULL or DEFERRABLE */
    } else if (sql_take(&reader->at, "DEFAULT")) {
        ddl_read_default(reader, column);
    } else if (sql_take(&reader->at, "PRIMARY") || sql_at(&reader->at, "KEY")) {
        sql_take(&reader->at, "KEY");
        table->primary_key = ddl_one_column(ddl, column->name);
        table->descends = sql_at(&reader->at, "DESC");
    } else if (sql_take(&reader->at, "UNIQUE")) {
        sql_take(&reader->at, "KEY");
        ddl_add_unique(table, *constraint, ddl_one_column(ddl, column->name));
    } else if (sql_take(&reader->at, "REFERENCES")) {
        ddl_read_references(reader, table, *constraint, ddl_one_column(ddl, column->name));
    } else if (sql_take(&reader->at, "CHECK")) {
        read_column_check(reader, table, column);
    } else if (sql_take(&reader->at, "GENERATED") || sql_at(&reader->at, "AS")) {
        read_generated(reader, column);
    } else if (sql_take(&reader->at, "ON")) {
        read_on(reader, column);
    } else {
        return read_small_property(reader, column);
    }
    *constraint = NULL;
    return true;
}

void ddl_read_column(struct ddl_reader *reader, struct ddl_table *table, const char *name)
{
    struct schema_column column = {.name = name};
    const char *constraint = NULL;
    ddl_read_type(reader, table, &column);
    while (!sql_at_end(&reader->at) && !sql_at_mark(&reader->at, ',') &&
           !sql_at_mark(&reader->at, ')')) {
        if (!read_property(reader, table, &column, &constraint)) {
            ddl_expected(reader, "a property of the column");
            sql_skip_clause(&reader->at);
        }
    }
    buffer_append(&table->columns, &column, sizeof column);
}
