/*
 * Statements as a server tells them (SHOW CREATE …), taken apart into names and texts in quotes
 * ('…' with backslashes, `…` and "…" doubled), comments, words, and single characters.
 */
#include "connectors/mysql/statement.h"
#include "connectors/mysql/target.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

const char *mysql_skip_quoted(const char *at, const char *end)
{
    char quote = *at++;
    while (at < end) {
        if (*at == '\\' && quote == '\'' && at + 1 < end) {
            at += 2;
        } else if (*at == quote) {
            if (at + 1 == end || at[1] != quote) {
                return at + 1;
            }
            at += 2;
        } else {
            at++;
        }
    }
    return end;
}

static bool is_quote(char letter)
{
    return letter == '\'' || letter == '`' || letter == '"';
}

static bool is_of_word(char letter)
{
    return isalnum((unsigned char)letter) || letter == '_' || letter == '$' || (letter & 0x80) != 0;
}

static const char *skip_comment(const char *at, const char *end)
{
    bool block = *at == '/';
    const char *close = block ? "*/" : "\n";
    size_t length = strlen(close);
    for (at += block ? 2 : 1; at + length <= end; at++) {
        if (memcmp(at, close, length) == 0) {
            return at + length;
        }
    }
    return end;
}

static bool begins_comment(const char *at, const char *end)
{
    size_t left = (size_t)(end - at);
    return *at == '#' || (left > 1 && memcmp(at, "/*", 2) == 0) ||
           (left > 2 && memcmp(at, "--", 2) == 0 && isspace((unsigned char)at[2]));
}

struct text mysql_piece_at(const char *at, const char *end)
{
    const char *behind = at + 1;
    if (is_quote(*at)) {
        behind = mysql_skip_quoted(at, end);
    } else if (begins_comment(at, end)) {
        behind = skip_comment(at, end);
    } else {
        while (is_of_word(*at) && behind < end && is_of_word(*behind)) {
            behind++;
        }
    }
    return (struct text){at, (size_t)(behind - at)};
}

bool mysql_is_word(struct text piece, const char *word)
{
    return piece.length == strlen(word) && strncasecmp(piece.data, word, piece.length) == 0;
}

void mysql_drop_counter(char *statement)
{
    const char *end = statement + strlen(statement);
    char *found = NULL;
    for (struct text piece = {statement, 0}; piece.data < end; piece.data += piece.length) {
        piece = mysql_piece_at(piece.data, end);
        if (mysql_is_word(piece, "AUTO_INCREMENT") && piece.data[piece.length] == '=' &&
            piece.data > statement && piece.data[-1] == ' ') {
            found = statement + (piece.data - statement) - 1;
        }
    }
    if (found != NULL) {
        const char *rest = found + strlen(" AUTO_INCREMENT=");
        rest += strspn(rest, "0123456789");
        memmove(found, rest, strlen(rest) + 1);
    }
}

/* The first piece that is this word, before the first that is one of the others; empty: none. */
static struct text find_word(const char *statement, const char *word, const char *const *before)
{
    const char *end = statement + strlen(statement);
    for (struct text piece = {statement, 0}; piece.data < end; piece.data += piece.length) {
        piece = mysql_piece_at(piece.data, end);
        if (mysql_is_word(piece, word)) {
            return piece;
        }
        for (size_t i = 0; before[i] != NULL; i++) {
            if (mysql_is_word(piece, before[i])) {
                return (struct text){piece.data, 0};
            }
        }
    }
    return (struct text){end, 0};
}

struct text mysql_definer(const char *statement)
{
    static const char *const before[] = {"SQL",      "VIEW",    "TRIGGER", "PROCEDURE",
                                         "FUNCTION", "PACKAGE", "EVENT",   NULL};
    const char *end = statement + strlen(statement);
    const struct text word = find_word(statement, "DEFINER", before);
    const char *at = word.data + word.length;
    if (word.length == 0 || *at != '=') {
        return (struct text){word.data, 0};
    }
    do { /* `user`, then `host` */
        at++;
        at = at < end ? at + mysql_piece_at(at, end).length : end;
    } while (*at == '@');
    at += strspn(at, " ");
    return (struct text){word.data, (size_t)(at - word.data)};
}

static struct text next_piece(struct text piece, const char *end)
{
    const char *at = piece.data + piece.length;
    return at < end ? mysql_piece_at(at, end) : (struct text){end, 0};
}

/* Behind blanks and comments; empty: there is none. */
static struct text next_word(struct text piece, const char *end)
{
    do {
        piece = next_piece(piece, end);
    } while (piece.length > 0 &&
             (isspace((unsigned char)*piece.data) || begins_comment(piece.data, end)));
    return piece;
}

/* A replica's, that are enabled where it has them from, say DISABLE ON SLAVE. */
struct text mysql_enabled(const char *statement)
{
    static const char *const before[] = {"DO", NULL};
    const char *end = statement + strlen(statement);
    const struct text enabled = find_word(statement, "ENABLE", before);
    const struct text disabled = find_word(statement, "DISABLE", before);
    const struct text on = next_word(disabled, end);
    const struct text where = next_word(on, end);
    if (disabled.length == 0 || !mysql_is_word(on, "ON") ||
        (!mysql_is_word(where, "SLAVE") && !mysql_is_word(where, "REPLICA"))) {
        return enabled;
    }
    return (struct text){disabled.data, (size_t)(where.data + where.length - disabled.data)};
}

/* ---------------------------------------------------------------- into another database */

/* In whatever quotes, or none. */
static bool is_called(struct text piece, const char *name)
{
    const char *at = piece.data;
    const char *end = at + piece.length;
    const char quote = piece.length > 1 && is_quote(*at) ? *at : '\0';
    if (quote != '\0') {
        at++;
        end--;
    }
    for (; at < end; at++, name++) {
        at += quote != '\0' && *at == quote && at + 1 < end; /* doubled */
        if (*at != *name) {
            return false;
        }
    }
    return *name == '\0';
}

/* Behind TRIGGER, TRIGGER IF NOT EXISTS or ON: the database before a point; empty: none is named.
 */
static struct text database_behind(struct text word, const char *end)
{
    struct text name = next_word(word, end);
    if (mysql_is_word(name, "IF")) {
        name = next_word(next_word(next_word(name, end), end), end);
    }
    const struct text point = next_word(name, end);
    return point.length == 1 && *point.data == '.' ? name : (struct text){name.data, 0};
}

void mysql_append_trigger(struct buffer *out, const char *statement, const char *to)
{
    static const char *const words[] = {"TRIGGER", "ON"};
    static const char *const before[] = {"FOR", NULL};
    const char *end = statement + strlen(statement);
    const struct text definer = mysql_definer(statement);
    const char *at = definer.length > 0 ? definer.data + definer.length : statement;
    buffer_append(out, statement, (size_t)(at - statement));
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const struct text word = find_word(at, words[i], before);
        if (word.length == 0) {
            break;
        }
        const struct text database = database_behind(word, end);
        buffer_append(out, at, (size_t)(database.data - at));
        if (is_called(database, to)) {
            buffer_append(out, database.data, database.length);
        } else if (database.length > 0) {
            mysql_append_name(out, to);
        }
        at = database.data + database.length;
    }
    buffer_append_string(out, at);
}

/* The place behind the last pieces: the words before it tell where a table's name may stand. */
struct place {
    uint64_t selects; /* a bit for each open parenthesis: it began with SELECT */
    bool table;       /* here stands a table, or a parenthesis that holds some */
};

/* trim(both 'x' from `a`.`b`) and extract(year from `a`.`b`) have a FROM, but no SELECT. */
static void statement_step(struct place *place, struct text piece)
{
    const char letter = *piece.data;
    if (isspace((unsigned char)letter)) {
        return;
    }
    if (letter == '(') {
        place->selects <<= 1;
        return;
    }
    place->table = mysql_is_word(piece, "JOIN") || mysql_is_word(piece, "STRAIGHT_JOIN") ||
                   mysql_is_word(piece, "VIEW") ||
                   (mysql_is_word(piece, "FROM") && (place->selects & 1) != 0);
    if (letter == ')') {
        place->selects >>= 1;
    }
    place->selects |= mysql_is_word(piece, "SELECT");
}

struct moving {
    const char *end;
    const char *from;
};

static bool is_database(const struct moving *moving, struct text piece)
{
    return *piece.data == '`' && mysql_definition_is_exactly(&piece, moving->from);
}

/* Is something else called as the database is, so that its name before a point may be that? */
static bool is_ambiguous(const struct moving *moving, const char *statement)
{
    for (struct text piece = {statement, 0}; piece.data < moving->end; piece.data += piece.length) {
        piece = mysql_piece_at(piece.data, moving->end);
        const char *behind = piece.data + piece.length;
        if (is_database(moving, piece) && (behind == moving->end || *behind != '.')) {
            return true;
        }
    }
    return false;
}

static bool is_of_sequence(const char *statement, const char *argument)
{
    static const char *const calls[] = {"nextval(", "lastval(", "setval("};
    for (int i = 0; i < 3; i++) {
        size_t length = strlen(calls[i]);
        size_t before = (size_t)(argument - statement);
        if (before > length && memcmp(argument - length, calls[i], length) == 0) {
            return true;
        }
    }
    return false;
}

/* `database`.`function`(, `database`.`table`.`column` or nextval(`database`.`sequence`) */
static bool is_certain(const struct moving *moving, const char *statement, struct text piece)
{
    const char *name = piece.data + piece.length + 1;
    if (name >= moving->end) {
        return false;
    }
    const char *behind = name + mysql_piece_at(name, moving->end).length;
    return (behind < moving->end && (*behind == '(' || *behind == '.')) ||
           is_of_sequence(statement, piece.data);
}

void mysql_append_moved(struct buffer *out, const char *statement, const char *from, const char *to)
{
    const struct moving moving = {statement + strlen(statement), from};
    const struct text definer = mysql_definer(statement);
    const char *begin = definer.length > 0 ? definer.data + definer.length : statement;
    bool ambiguous = is_ambiguous(&moving, begin);
    struct place place = {0};
    char before = '\0';
    buffer_append(out, statement, (size_t)(begin - statement));
    for (struct text piece = {begin, 0}; piece.data < moving.end; piece.data += piece.length) {
        piece = mysql_piece_at(piece.data, moving.end);
        const char *behind = piece.data + piece.length;
        if (before != '.' && behind < moving.end && *behind == '.' && is_database(&moving, piece) &&
            (!ambiguous || place.table || is_certain(&moving, statement, piece))) {
            mysql_append_name(out, to);
        } else {
            buffer_append(out, piece.data, piece.length);
        }
        before = behind[-1];
        statement_step(&place, piece);
    }
}

/* ---------------------------------------------------------------- what it makes */

/* Behind CREATE and the clauses that may follow it: the kind's first word. */
static struct text kind_behind(struct text create, const char *end)
{
    const struct text definer = mysql_definer(create.data);
    struct text word = next_word(create, end);
    if (mysql_is_word(word, "ALGORITHM")) { /* = UNDEFINED */
        word = next_word(next_word(next_word(word, end), end), end);
    }
    if (definer.length > 0 && word.data == definer.data) {
        word = next_word(definer, end);
    }
    if (mysql_is_word(word, "SQL")) { /* SECURITY DEFINER */
        word = next_word(next_word(next_word(word, end), end), end);
    }
    return mysql_is_word(word, "AGGREGATE") ? next_word(word, end) : word;
}

/* "package body": the piece behind it. */
static bool pass_kind(struct text *word, const char *what, const char *end)
{
    while (*what != '\0') {
        const struct text expected = {what, strcspn(what, " ")};
        if (word->length != expected.length ||
            strncasecmp(word->data, expected.data, expected.length) != 0) {
            return false;
        }
        *word = next_word(*word, end);
        what += expected.length + strspn(what + expected.length, " ");
    }
    return true;
}

/* A server executes what stands in such a comment. The words of a trigger are its maker's, who may
 * have put others among them; in what a server words itself there are none. */
static bool has_comment(const char *from, const char *to, bool harmless_too)
{
    static const char *const begins[] = {"/*!", "/*M!", "/*"};
    for (int i = 0; i < (harmless_too ? 3 : 2); i++) {
        if (memmem(from, (size_t)(to - from), begins[i], strlen(begins[i])) != NULL) {
            return true;
        }
    }
    return false;
}

/* TRIGGER [IF NOT EXISTS] [database.]name */
static bool names_trigger(struct text word, const char *end, const char *name)
{
    for (int i = 0; i < 3 && mysql_is_word(word, i == 0 ? "IF" : i == 1 ? "NOT" : "EXISTS"); i++) {
        word = next_word(word, end);
    }
    const struct text behind = next_word(word, end);
    return is_called(mysql_is_word(behind, ".") ? next_word(behind, end) : word, name);
}

bool mysql_makes(const char *statement, const char *what, const char *name)
{
    const char *end = statement + strlen(statement);
    const struct text create =
        *statement != '\0' ? mysql_piece_at(statement, end) : (struct text){end, 0};
    struct text word = kind_behind(create, end);
    bool trigger = strcmp(what, "trigger") == 0;
    if (!mysql_is_word(create, "CREATE") || !pass_kind(&word, what, end) ||
        has_comment(statement, word.data, !trigger)) {
        return false;
    }
    if (trigger) { /* the database is seen to */
        return names_trigger(word, end, name);
    }
    const struct text behind = next_word(word, end);
    if (!is_called(word, name) || mysql_is_word(behind, ".")) {
        return false;
    }
    if (strcmp(what, "procedure") == 0 || strcmp(what, "function") == 0) {
        return mysql_is_word(behind, "("); /* else it may be a library's */
    }
    static const char *const before[] = {"DO", NULL};
    return strcmp(what, "event") != 0 || mysql_enabled(statement).length > 0 ||
           find_word(statement, "DISABLE", before).length > 0;
}

/* ---------------------------------------------------------------- as whom it runs */

/* "(IN a int)", and what follows it. */
static struct text pass_arguments(struct text word, const char *end)
{
    unsigned depth = 0;
    do {
        depth += mysql_is_word(word, "(");
        depth -= mysql_is_word(word, ")");
        word = next_word(word, end);
    } while (depth > 0 && word.length > 0);
    return word;
}

/* "RETURNS int(11)": a server ends the line behind it. */
static struct text pass_result(struct text word, const char *end)
{
    while (word.length > 0 && *word.data != '\n') {
        word = next_piece(word, end);
    }
    return next_word(word, end);
}

/* "READS SQL DATA", "COMMENT '…'" …; false: it is none, but the body. */
static bool pass_trait(struct text *word, const char *end, bool *caller)
{
    static const char *const words[] = {"NOT",   "DETERMINISTIC", "CONTAINS", "NO",
                                        "READS", "MODIFIES",      "LANGUAGE"};
    const struct text behind = next_word(*word, end);
    if (mysql_is_word(*word, "SQL") && mysql_is_word(behind, "SECURITY")) {
        const struct text who = next_word(behind, end);
        *caller = mysql_is_word(who, "INVOKER");
        *word = next_word(who, end);
        return true;
    }
    if (mysql_is_word(*word, "COMMENT") ||
        (mysql_is_word(*word, "SQL") && mysql_is_word(behind, "DATA"))) {
        *word = next_word(behind, end);
        return true;
    }
    bool trait = mysql_is_word(*word, "SQL");
    for (size_t i = 0; !trait && i < sizeof words / sizeof words[0]; i++) {
        trait = mysql_is_word(*word, words[i]);
    }
    *word = trait ? behind : *word;
    return trait;
}

bool mysql_has_escapes(struct text settings)
{
    static const char none[] = "NO_BACKSLASH_ESCAPES";
    for (size_t i = 0; i + sizeof none - 1 <= settings.length; i++) {
        if (strncasecmp(settings.data + i, none, sizeof none - 1) == 0) {
            return false;
        }
    }
    return true;
}

/* Behind a backslash a text in quotes may end elsewhere than it is read here to. */
static bool has_hidden_words(const char *from, const char *to, bool escapes)
{
    bool hidden = has_comment(from, to, false);
    for (struct text piece = {from, 0}; !hidden && piece.data < to; piece.data += piece.length) {
        piece = mysql_piece_at(piece.data, to);
        hidden =
            memchr(piece.data, '\\', piece.length) != NULL && (*piece.data != '\'' || !escapes);
    }
    return hidden;
}

bool mysql_runs_as_caller(const char *statement, const char *what, bool escapes)
{
    static const char view[] = "SQL SECURITY INVOKER VIEW";
    const char *end = statement + strlen(statement);
    const struct text definer = mysql_definer(statement);
    bool caller = false;
    if (strcmp(what, "view") == 0) {
        return strncmp(definer.data + definer.length, view, sizeof view - 1) == 0;
    }
    if (*statement == '\0' || strcmp(what, "trigger") == 0 || strcmp(what, "event") == 0) {
        return false;
    }
    struct text word = kind_behind(mysql_piece_at(statement, end), end);
    if (!pass_kind(&word, what, end)) {
        return false;
    }
    word = next_word(word, end); /* behind its name */
    if (strncmp(what, "package", strlen("package")) != 0) {
        word = mysql_is_word(word, "(") ? pass_arguments(word, end) : word;
    }
    if (strcmp(what, "function") == 0) {
        word = pass_result(word, end);
    }
    while (word.length > 0 && pass_trait(&word, end, &caller)) {
    }
    bool begins_body = word.length > 0 && (is_of_word(*word.data) || *word.data == '`');
    return caller && begins_body && !has_hidden_words(statement, word.data, escapes);
}

/* ---------------------------------------------------------------- where a sequence is set to */

static bool statement_pass(const char **at, const char *words)
{
    size_t length = strlen(words);
    bool passed = strncmp(*at, words, length) == 0;
    *at += passed ? length : 0;
    return passed;
}

static bool pass_number(const char **at)
{
    *at += **at == '-';
    size_t digits = strspn(*at, "0123456789");
    *at += digits;
    return digits > 0;
}

bool mysql_sets(const char *statement, const char *name)
{
    const char *at = statement;
    const char *end = statement + strlen(statement);
    if (!statement_pass(&at, "DO SETVAL(") || *at != '`') {
        return false;
    }
    const struct text sequence = mysql_piece_at(at, end);
    at += sequence.length;
    return is_called(sequence, name) && statement_pass(&at, ", ") && pass_number(&at) &&
           statement_pass(&at, ", 0, ") && pass_number(&at) && strcmp(at, ")") == 0;
}
