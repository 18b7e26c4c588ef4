/*
 * A table's definition of another brand or version of the server, clause by clause: types, words
 * and collations that this one does not know. MySQL puts what is new in comments that say since
 * which version they count; MariaDB passes over those of MySQL 5.7 and later.
 */
#include "connectors/mysql/translate.h"
#include "connectors/mysql/statement.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct translator {
    const struct mysql_database *self;
    const struct schema_table *same; /* NULL: no table's */
    struct buffer *notes;
    struct buffer out;
    struct text name;      /* of the clause, in backquotes */
    const char *collation; /* of the column that the clause makes; NULL: none */
    bool column;           /* the clause makes one */
    bool collated;         /* the clause says how */
    bool computed;         /* GENERATED … came by */
    bool dropped;          /* the clause is left out */
    int depth;             /* parentheses that are open */
};

/* `kind`: of what is left out; empty: nothing is. */
static void translate_note(struct translator *translator, const char *kind, const char *what,
                           struct text thing, const char *outcome)
{
    buffer_format(translator->notes, "%s\tthe %s %.*s %s\n", kind, what, (int)thing.length,
                  thing.data, outcome);
}

static bool is_name_of(struct text piece)
{
    return piece.length > 1 && *piece.data == '`';
}

static struct text inner(struct text quoted)
{
    bool named = is_name_of(quoted);
    return named ? (struct text){quoted.data + 1, quoted.length - 2} : quoted;
}

static struct text behind(struct text piece, const char *end)
{
    const char *at = piece.data + piece.length;
    return at < end ? mysql_piece_at(at, end) : (struct text){end, 0};
}

/* Behind blanks; empty: there is none. */
static struct text word_behind(struct text piece, const char *end)
{
    do {
        piece = behind(piece, end);
    } while (piece.length > 0 && isspace((unsigned char)*piece.data));
    return piece;
}

static void translate_append(struct translator *translator, struct text piece)
{
    buffer_append(&translator->out, piece.data, piece.length);
}

/* From `piece` up to `next`, as it is. */
static void append_up_to(struct translator *translator, struct text piece, struct text next)
{
    buffer_append(&translator->out, piece.data, (size_t)(next.data - piece.data));
}

/* ---------------------------------------------------------------- collations */

enum { COLLATION_BYTES = 80 };

static void append_collation(struct translator *translator, const char *name)
{
    const char *nearest = mysql_nearest_collation(translator->self, name);
    const char *differs =
        strcmp(nearest, name) != 0 ? mysql_collation_differs(name, nearest) : NULL;
    buffer_append_string(&translator->out, nearest);
    if (strcmp(nearest, name) != 0) {
        buffer_format(translator->notes, "\tthe collation %s becomes %s%s%s\n", name, nearest,
                      differs != NULL ? ", " : "", differs != NULL ? differs : "");
    }
}

/* COLLATE [=] name, CHARSET [=] name, CHARACTER SET name. The last piece that was read. */
static struct text pass_collation(struct translator *translator, struct text word, const char *end)
{
    bool collation = mysql_is_word(word, "COLLATE");
    struct text name = word_behind(word, end);
    char text[COLLATION_BYTES];
    if (mysql_is_word(name, "=") || mysql_is_word(name, "SET")) {
        name = word_behind(name, end);
    }
    if (name.length == 0 || name.length >= sizeof text || !isalnum((unsigned char)*name.data)) {
        translate_append(translator, word);
        return word;
    }
    memcpy(text, name.data, name.length);
    text[name.length] = '\0';
    append_up_to(translator, word, name);
    if (collation) {
        append_collation(translator, text);
    } else {
        buffer_append_string(&translator->out, mysql_nearest_charset(translator->self, text));
    }
    /* else it would be the server's own of that character set */
    if (!collation && !translator->collated && translator->collation != NULL) {
        buffer_append_string(&translator->out, " COLLATE ");
        append_collation(translator, translator->collation);
    }
    return name;
}

static bool has_word(struct text clause, const char *word)
{
    const char *end = clause.data + clause.length;
    for (struct text piece = {clause.data, 0}; piece.data < end; piece.data += piece.length) {
        piece = mysql_piece_at(piece.data, end);
        if (mysql_is_word(piece, word)) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- comments */

/* Does MariaDB pass over it? */
static bool is_passed_over(const struct mysql_database *self, struct text piece)
{
    enum { FIRST = 50700, END = 100000 };
    int64_t version = 0;
    size_t digits = 0;
    if (!self->mariadb || piece.length < 5 || memcmp(piece.data, "/*!", 3) != 0) {
        return false;
    }
    digits = strspn(piece.data + 3, "0123456789");
    return digits > 0 && digits <= 6 &&
           text_to_int64(piece.data + 3, digits, &version) == STATUS_OK && version >= FIRST &&
           version < END;
}

static struct text within_comment(struct text piece)
{
    const char *begin = piece.data + 3;
    const char *end = piece.data + piece.length - 2;
    begin += strspn(begin, "0123456789");
    begin += strspn(begin, " ");
    while (end > begin && end[-1] == ' ') {
        end--;
    }
    return (struct text){begin, (size_t)(end - begin)};
}

static void pass_comment(struct translator *translator, struct text piece, enum mysql_clause kind)
{
    const struct mysql_database *self = translator->self;
    const struct text words = within_comment(piece);
    bool invisible = mysql_is_word(words, "INVISIBLE");
    struct text name = inner(translator->name);
    if (invisible && kind == MYSQL_CLAUSE_COLUMN && self->version >= 100303) {
        translate_append(translator, words);
    } else if (invisible && kind == MYSQL_CLAUSE_KEY && self->version >= 100600) {
        buffer_append_string(&translator->out, "IGNORED");
    } else if (invisible) {
        translate_note(translator, "", kind == MYSQL_CLAUSE_KEY ? "index" : "column", name,
                       "becomes visible");
    } else if (words.length == 12 && strncasecmp(words.data, "NOT ENFORCED", 12) == 0) {
        translator->dropped = true;
        translate_note(translator, "check", "check", name,
                       "is left out: it is not enforced, and here it would be");
    } else if (words.length < 10 || strncasecmp(words.data, "ENCRYPTION", 10) != 0) {
        translate_note(translator, "clause", "clause", words,
                       "is left out: the server does not know it");
    }
}

/* ---------------------------------------------------------------- columns */

static bool knows_vectors(const struct mysql_database *self)
{
    return self->version >= (self->mariadb ? 110700u : 90000u);
}

/* The type that stands for one that the server lacks; NULL: it has it. */
static const char *other_type(const struct mysql_database *self, struct text type)
{
    static const char *const others[][2] = {
        {"uuid", "char(36) CHARACTER SET ascii COLLATE ascii_bin"},
        {"inet6", "varchar(45) CHARACTER SET ascii COLLATE ascii_bin"},
        {"inet4", "varchar(15) CHARACTER SET ascii COLLATE ascii_bin"}};
    unsigned long since[] = {100700, 100500, 101000};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (mysql_is_word(type, others[i][0]) && (!self->mariadb || self->version < since[i])) {
            return others[i][1];
        }
    }
    return mysql_is_word(type, "vector") && !knows_vectors(self) ? "blob" : NULL;
}

bool mysql_knows_type(const struct mysql_database *self, const char *words)
{
    return other_type(self, mysql_piece_at(words, words + strlen(words))) == NULL;
}

/* Behind the name; the last piece that was read. */
static struct text pass_type(struct translator *translator, struct text name, const char *end)
{
    struct text type = word_behind(name, end);
    const char *other = other_type(translator->self, type);
    append_up_to(translator, name, type);
    if (other == NULL) {
        translate_append(translator, type);
        return type;
    }
    buffer_append_string(&translator->out, other);
    buffer_format(translator->notes,
                  "\tthe column %.*s becomes %.*s: the server has no type %.*s\n",
                  (int)inner(name).length, inner(name).data, (int)strcspn(other, " "), other,
                  (int)type.length, type.data);
    if (mysql_is_word(behind(type, end), "(")) { /* (3) */
        type = behind(behind(behind(type, end), end), end);
    }
    return type;
}

static bool is_clock(struct text word)
{
    static const char *const names[] = {"current_timestamp", "now", "localtime", "localtimestamp"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (mysql_is_word(word, names[i])) {
            return true;
        }
    }
    return false;
}

/* Types whose default MySQL takes as an expression only. */
static bool is_long(struct text type)
{
    static const char *const endings[] = {"text", "blob", "json", "geometry"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t length = strlen(endings[i]);
        if (type.length >= length &&
            strncasecmp(type.data + type.length - length, endings[i], length) == 0) {
            return true;
        }
    }
    return false;
}

/* A call's closing parenthesis, or the word itself where it is no call. */
static struct text end_of_call(struct text word, const char *end)
{
    struct text last = word;
    struct text piece = behind(word, end);
    int depth = 0;
    while (piece.length > 0 && (depth > 0 || *piece.data == '(' || *piece.data == '.' ||
                                (*last.data == '.' && depth == 0))) {
        depth += *piece.data == '(' ? 1 : *piece.data == ')' ? -1 : 0;
        last = piece;
        piece = behind(piece, end);
        if (depth == 0 && *last.data == ')') {
            break;
        }
    }
    return last;
}

static bool is_bare(const struct mysql_database *self, struct text value)
{
    return self->mariadb || value.length == 0 || *value.data == '(' ||
           mysql_is_word(value, "NULL") || is_clock(value);
}

void mysql_append_default(struct buffer *out, const struct mysql_database *self, const char *text,
                          const char *type)
{
    const char *end = text + strlen(text);
    const struct text words = mysql_piece_at(type, type + strlen(type));
    const struct text value = *text != '\0' ? mysql_piece_at(text, end) : (struct text){end, 0};
    bool literal = value.length > 0 && end_of_call(value, end).data == value.data;
    if (!self->mariadb && mysql_is_word(value, "nextval")) {
        return;
    }
    bool bare = is_bare(self, value) || (literal && !is_long(words));
    buffer_format(out, " DEFAULT %s%s%s", bare ? "" : "(", text, bare ? "" : ")");
}

/* MariaDB's DEFAULT uuid() is MySQL's DEFAULT (uuid()), and so is any of a long text. */
static struct text pass_default(struct translator *translator, struct text word, struct text clause)
{
    const char *end = clause.data + clause.length;
    struct text value = word_behind(word, end);
    if (is_bare(translator->self, value)) {
        translate_append(translator, word);
        return word;
    }
    struct text last = end_of_call(value, end);
    bool literal = last.data == value.data;
    if (strncasecmp(value.data, "nextval(", 8) == 0) {
        buffer_format(
            translator->notes,
            "default\tthe default %.*s of column %.*s is left out: the server has no sequences\n",
            (int)(last.data + last.length - value.data), value.data,
            (int)inner(translator->name).length, inner(translator->name).data);
        return last;
    }
    if (literal && !is_long(word_behind(translator->name, end))) {
        translate_append(translator, word);
        return word;
    }
    append_up_to(translator, word, value);
    buffer_append_byte(&translator->out, '(');
    append_up_to(translator, value, (struct text){last.data + last.length, 0});
    buffer_append_byte(&translator->out, ')');
    return last;
}

/* MariaDB has no NOT NULL of a column that it computes. */
static struct text pass_not_null(struct translator *translator, struct text word, const char *end)
{
    const struct text null = word_behind(word, end);
    if (!translator->self->mariadb || !translator->computed || !mysql_is_word(null, "NULL")) {
        translate_append(translator, word);
        return word;
    }
    translate_note(translator, "NOT NULL", "NOT NULL of the computed column",
                   inner(translator->name), "is left out");
    return null;
}

/* ---------------------------------------------------------------- clauses */

static struct text translate_pass(struct translator *translator, struct text piece,
                                  struct text clause, enum mysql_clause kind)
{
    const char *end = clause.data + clause.length;
    bool column = translator->column && translator->depth == 0;
    if (is_passed_over(translator->self, piece)) {
        pass_comment(translator, piece, kind);
    } else if (mysql_is_word(piece, "COLLATE") || mysql_is_word(piece, "CHARSET") ||
               (mysql_is_word(piece, "CHARACTER") &&
                mysql_is_word(word_behind(piece, end), "SET"))) {
        return pass_collation(translator, piece, end);
    } else if (kind == MYSQL_CLAUSE_KEY && !translator->self->mariadb &&
               mysql_is_word(piece, "IGNORED")) {
        buffer_append_string(&translator->out, "INVISIBLE");
    } else if (column && mysql_is_word(piece, "DEFAULT")) {
        return pass_default(translator, piece, clause);
    } else if (column && mysql_is_word(piece, "NOT")) {
        return pass_not_null(translator, piece, end);
    } else {
        translator->computed |= mysql_is_word(piece, "GENERATED");
        translator->depth += *piece.data == '(' ? 1 : *piece.data == ')' ? -1 : 0;
        translate_append(translator, piece);
    }
    return piece;
}

static const struct schema_column *column_of(const struct schema_table *same, struct text name)
{
    for (uint32_t i = 0; same != NULL && i < same->column_count; i++) {
        if (mysql_definition_is_exactly(&name, same->columns[i].name)) {
            return &same->columns[i];
        }
    }
    return NULL;
}

static bool is_functional(struct text clause)
{
    const char *end = clause.data + clause.length;
    for (struct text piece = {clause.data, 0}; piece.data < end; piece.data += piece.length) {
        piece = mysql_piece_at(piece.data, end);
        char before = piece.data > clause.data ? piece.data[-1] : '\0';
        if (*piece.data == '(' && (before == '(' || before == ',')) {
            return true;
        }
    }
    return false;
}

/* An index that the server can't have at all. */
static bool is_unknown_index(struct translator *translator, struct text clause)
{
    const struct mysql_database *self = translator->self;
    bool functional = is_functional(clause) && (self->mariadb || self->version < 80013);
    bool vector = !self->mariadb && strncmp(clause.data, "VECTOR KEY ", 11) == 0;
    bool hashed =
        !self->mariadb && strncmp(clause.data, "UNIQUE KEY ", 11) == 0 && has_word(clause, "HASH");
    if (functional) {
        translate_note(translator, "index", "index", inner(translator->name),
                       "is left out: the server has no indexes of expressions");
    } else if (vector) {
        translate_note(translator, "index", "index", inner(translator->name),
                       "is left out: the server has no indexes of vectors");
    } else if (hashed) {
        translate_note(translator, "index", "unique index", inner(translator->name),
                       "is left out: the server has none of texts that are as long");
    }
    return functional || vector || hashed;
}

/* Is a key of columns alone that the table is known to have? What came in the source since a run
 * began is not in the target. */
static bool is_of_known_columns(const struct translator *translator, struct text clause)
{
    const char *end = clause.data + clause.length;
    const struct schema_table *same = translator->same;
    bool known = true;
    bool within = false;
    int depth = 0;
    for (const char *at = clause.data; known && at < end;) {
        const struct text piece = mysql_piece_at(at, end);
        depth += *piece.data == '(' ? 1 : *piece.data == ')' ? -1 : 0;
        if (within && depth == 0) {
            break; /* what is referred to stands behind */
        }
        within = within || depth > 0;
        uint32_t i = 0;
        while (*piece.data == '`' && depth == 1 && i < same->column_count &&
               !mysql_definition_is_name(&piece, same->columns[i].name)) {
            i++;
        }
        /* a period is no column: "(`id`, `stay` WITHOUT OVERLAPS)" */
        known = i < same->column_count || mysql_is_word(word_behind(piece, end), "WITHOUT");
        at = piece.data + piece.length;
    }
    return known;
}

/* False: the clause is left out. */
static bool translate_clause(struct translator *translator, struct text clause,
                             enum mysql_clause kind)
{
    const char *end = clause.data + clause.length;
    translator->name = mysql_definition_name(&clause);
    translator->column = kind == MYSQL_CLAUSE_COLUMN && *clause.data == '`';
    const struct schema_column *same =
        translator->column ? column_of(translator->same, translator->name) : NULL;
    translator->collation = same != NULL ? same->collation : NULL;
    translator->collated = has_word(clause, "COLLATE");
    translator->computed = translator->dropped = false;
    translator->depth = 0;
    buffer_clear(&translator->out);
    if ((kind == MYSQL_CLAUSE_KEY && is_unknown_index(translator, clause)) ||
        (kind != MYSQL_CLAUSE_COLUMN && !is_of_known_columns(translator, clause))) {
        return false;
    }
    struct text piece = {clause.data, 0};
    if (translator->column) {
        piece = pass_type(translator, translator->name, end);
        piece.data += piece.length;
    }
    for (; piece.data < end; piece.data += piece.length) {
        piece = translate_pass(translator, mysql_piece_at(piece.data, end), clause, kind);
    }
    return !translator->dropped;
}

/* ---------------------------------------------------------------- options */

/* An option that MariaDB alone gives a table: one in backquotes, or one of Aria. The last piece of
 * it; empty: it is something else. */
static struct text foreign_option(struct translator *translator, struct text piece, const char *end)
{
    static const char *const names[] = {"PAGE_CHECKSUM", "TRANSACTIONAL"};
    const struct text equals = behind(piece, end);
    bool foreign = *piece.data == '`' && mysql_is_word(equals, "=");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        foreign = foreign || mysql_is_word(piece, names[i]);
    }
    const struct text system = word_behind(piece, end);
    if (!translator->self->mariadb && mysql_is_word(piece, "WITH") &&
        mysql_is_word(system, "SYSTEM")) {
        buffer_append_string(translator->notes,
                             "history\tthe history of its records is left out: the "
                             "server has no system versioning\n");
        return word_behind(system, end);
    }
    return !translator->self->mariadb && foreign && mysql_is_word(equals, "=")
               ? behind(equals, end)
               : (struct text){end, 0};
}

/* That of a column which says none itself is the table's. */
static const char *inherited_collation(const struct translator *translator,
                                       const struct mysql_definition *definition)
{
    for (uint32_t i = 0; i < definition->count; i++) {
        const struct text *clause = &definition->clauses[i];
        const struct text name = mysql_definition_name(clause);
        const struct schema_column *same =
            *clause->data == '`' ? column_of(translator->same, name) : NULL;
        if (same != NULL && same->collation != NULL && !has_word(*clause, "COLLATE") &&
            !has_word(*clause, "CHARACTER")) {
            return same->collation;
        }
    }
    return NULL;
}

static void translate_options(struct translator *translator, struct mysql_definition *definition)
{
    const struct text options = definition->options;
    const char *end = options.data + options.length;
    translator->collation = inherited_collation(translator, definition);
    translator->collated = has_word(options, "COLLATE");
    translator->name = (struct text){options.data, 0};
    translator->column = false;
    buffer_clear(&translator->out);
    for (struct text piece = {options.data, 0}; piece.data < end; piece.data += piece.length) {
        piece = mysql_piece_at(piece.data, end);
        struct text foreign = foreign_option(translator, piece, end);
        piece = foreign.length > 0
                    ? foreign
                    : translate_pass(translator, piece, options, MYSQL_CLAUSE_REFERENCE);
    }
}

/* ---------------------------------------------------------------- all of it */

static struct text translate_keep(struct arena *arena, struct buffer *words)
{
    return (struct text){arena_copy(arena, buffer_string(words), words->length + 1), words->length};
}

/* A default may be a sequence's next number, told with the name of the source's database. */
static const char *moved_statement(const struct mysql_database *self, const char *from,
                                   struct arena *arena, const char *statement)
{
    struct buffer moved = {0};
    if (from == NULL || strcmp(from, self->sql.schema) == 0) {
        return statement;
    }
    mysql_append_moved(&moved, statement, from, self->sql.schema);
    return sql_text(arena, &moved);
}

enum status mysql_definition_of(const struct mysql_database *self, const struct schema_table *same,
                                const char *from, struct arena *arena,
                                struct mysql_definition *definition, struct buffer *notes)
{
    struct translator translator = {.self = self, .same = same, .notes = notes};
    uint32_t kept = 0;
    if (same == NULL || same->native_sql == NULL) {
        return STATUS_END;
    }
    const char *statement = moved_statement(self, from, arena, same->native_sql);
    enum status status = mysql_definition_read(statement, arena, definition);
    if (status != STATUS_OK) {
        return status;
    }
    translate_options(&translator, definition);
    definition->options = translate_keep(arena, &translator.out);
    for (uint32_t i = 0; i < definition->count; i++) {
        enum mysql_clause kind = (enum mysql_clause)definition->kinds[i];
        if (translate_clause(&translator, definition->clauses[i], kind)) {
            definition->clauses[kept] = translate_keep(arena, &translator.out);
            definition->kinds[kept++] = (uint8_t)kind;
        }
    }
    definition->count = kept;
    buffer_free(&translator.out);
    return STATUS_OK;
}

static bool is_check(const struct text *clause)
{
    const struct text first = mysql_piece_at(clause->data, clause->data + clause->length);
    return mysql_is_word(first, "CHECK") || mysql_is_word(first, "CONSTRAINT");
}

bool mysql_definition_drop_checks(struct mysql_definition *definition, struct buffer *notes)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < definition->count; i++) {
        if (definition->kinds[i] == MYSQL_CLAUSE_COLUMN && is_check(&definition->clauses[i])) {
            buffer_format(notes, "check\tleft out, since the server does not take it: %.*s\n",
                          (int)definition->clauses[i].length, definition->clauses[i].data);
            continue;
        }
        definition->clauses[kept] = definition->clauses[i];
        definition->kinds[kept++] = definition->kinds[i];
    }
    bool dropped = kept < definition->count;
    definition->count = kept;
    return dropped;
}

/* ---------------------------------------------------------------- statements of other objects */

/* Names of modes that the other brand does not know. */
static bool knows_mode(const struct mysql_database *self, struct text mode)
{
    static const char *const of_mariadb[] = {"NO_AUTO_CREATE_USER",
                                             "POSTGRESQL",
                                             "ORACLE",
                                             "MSSQL",
                                             "DB2",
                                             "MAXDB",
                                             "NO_KEY_OPTIONS",
                                             "NO_TABLE_OPTIONS",
                                             "NO_FIELD_OPTIONS",
                                             "MYSQL323",
                                             "MYSQL40",
                                             "EMPTY_STRING_IS_NULL",
                                             "TIME_ROUND_FRACTIONAL",
                                             "SIMULTANEOUS_ASSIGNMENT",
                                             "IGNORE_BAD_TABLE_OPTIONS"};
    if (self->mariadb) {
        return !mysql_is_word(mode, "TIME_TRUNCATE_FRACTIONAL");
    }
    for (size_t i = 0; i < sizeof of_mariadb / sizeof of_mariadb[0]; i++) {
        if (self->version >= 80000 && mysql_is_word(mode, of_mariadb[i])) {
            return false;
        }
    }
    return true;
}

/* 'ONE,TWO' */
static void append_modes(struct buffer *out, const struct mysql_database *self, struct text quoted)
{
    const char *end = quoted.data + quoted.length - 1;
    bool begun = false;
    buffer_append_byte(out, '\'');
    for (const char *at = quoted.data + 1; at < end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma != NULL ? comma : end;
        const struct text mode = {at, (size_t)(stop - at)};
        if (knows_mode(self, mode)) {
            mysql_append(out, "%s%S", begun ? "," : "", mode.data, mode.length);
            begun = true;
        }
        at = comma != NULL ? comma + 1 : end;
    }
    buffer_append_byte(out, '\'');
}

void mysql_append_settings(struct buffer *out, const struct mysql_database *self,
                           const char *settings, size_t length)
{
    const char *end = settings + length;
    struct text name = {settings, 0};
    char collation[COLLATION_BYTES];
    for (struct text piece = {settings, 0}; piece.data < end; piece.data += piece.length) {
        piece = mysql_piece_at(piece.data, end);
        bool quoted = *piece.data == '\'' && piece.length > 1;
        if (quoted && mysql_is_word(name, "sql_mode")) {
            append_modes(out, self, piece);
        } else if (quoted && mysql_is_word(name, "collation_connection") &&
                   piece.length - 2 < sizeof collation) {
            memcpy(collation, piece.data + 1, piece.length - 2);
            collation[piece.length - 2] = '\0';
            mysql_append_string(out, mysql_nearest_collation(self, collation));
        } else {
            buffer_append(out, piece.data, piece.length);
        }
        name = isalpha((unsigned char)*piece.data) ? piece : name;
    }
}

void mysql_append_translated(struct buffer *out, const struct mysql_database *self,
                             const char *statement, struct buffer *notes)
{
    struct translator translator = {.self = self, .notes = notes};
    const char *end = statement + strlen(statement);
    for (struct text piece = {statement, 0}; piece.data < end; piece.data += piece.length) {
        piece = mysql_piece_at(piece.data, end);
        if (mysql_is_word(piece, "COLLATE")) {
            piece = pass_collation(&translator, piece, end);
        } else {
            translate_append(&translator, piece);
        }
    }
    buffer_append_buffer(out, &translator.out);
    buffer_free(&translator.out);
}

/* ---------------------------------------------------------------- told before the run */

/* One thing that some tables have in common. */
struct told {
    const char *words;
    const char *first; /* the first of these tables */
    const char *last;
    uint32_t tables;
};

struct telling {
    struct arena *arena;
    struct told *told;
    uint32_t count;
    uint32_t room;
};

static void add_told(struct telling *telling, const char *table, const char *words, size_t length)
{
    for (uint32_t i = 0; i < telling->count; i++) {
        struct told *told = &telling->told[i];
        if (strncmp(told->words, words, length) == 0 && told->words[length] == '\0') {
            told->tables += told->last != table;
            told->last = table;
            return;
        }
    }
    if (telling->count == telling->room) {
        uint32_t room = 2 * telling->room + 16;
        struct told *told = arena_allocate_zeroed(telling->arena, room, sizeof *told);
        if (telling->count > 0) {
            memcpy(told, telling->told, telling->count * sizeof *told);
        }
        telling->told = told;
        telling->room = room;
    }
    telling->told[telling->count++] = (struct told){
        .words = arena_copy(telling->arena,
                            arena_format(telling->arena, "%.*s", (int)length, words), length + 1),
        .first = table,
        .last = table,
        .tables = 1};
}

static void add_lines(struct telling *telling, const char *table, struct buffer *notes)
{
    for (const char *line = buffer_string(notes), *end; (end = strchr(line, '\n')) != NULL;
         line = end + 1) {
        add_told(telling, table, line, (size_t)(end - line));
    }
    buffer_clear(notes);
}

/* The notes on a table that is made by its columns. */
static void note_columns(const struct mysql_database *self, const struct target_table *table,
                         struct buffer *notes)
{
    struct translator translator = {.self = self, .notes = notes};
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct schema_column *column = &table->columns[i];
        if (column->type.kind == VALUE_TEXT && mysql_is_collation(column->collation)) {
            append_collation(&translator, column->collation);
        }
    }
    buffer_free(&translator.out);
}

static void append_told(const struct telling *telling, struct buffer *out)
{
    for (uint32_t i = 0; i < telling->count; i++) {
        const struct told *told = &telling->told[i];
        size_t kind = strcspn(told->words, "\t");
        buffer_format(out, "%.*s\t%s", (int)kind, told->words, told->first);
        if (told->tables > 1) {
            buffer_format(out, " and %u other table%s", told->tables - 1,
                          told->tables > 2 ? "s" : "");
        }
        buffer_format(out, ": %s\n", told->words + kind + 1);
    }
}

enum status mysql_list_changes(struct mysql_database *self, MYSQL *connection,
                               const struct target_table *const *tables, uint32_t table_count,
                               const char *from, struct buffer *out, struct error *error)
{
    struct telling telling = {.arena = arena_create(0)};
    struct buffer notes = {0};
    enum status status = mysql_read_collations(self, connection, error);
    for (uint32_t i = 0; status == STATUS_OK && i < table_count; i++) {
        struct mysql_definition definition;
        if (mysql_definition_of(self, tables[i]->same_engine, from, telling.arena, &definition,
                                &notes) != STATUS_OK) {
            note_columns(self, tables[i], &notes);
        }
        add_lines(&telling, tables[i]->name, &notes);
    }
    if (status == STATUS_OK) {
        append_told(&telling, out);
    }
    buffer_free(&notes);
    arena_destroy(telling.arena);
    return status;
}
