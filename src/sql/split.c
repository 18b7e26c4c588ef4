#include "sql/split.h"
#include "sql/quoting.h"
#include <string.h>
#include <strings.h>

void sql_splitter_init(struct sql_splitter *splitter, enum sql_language language)
{
    *splitter = (struct sql_splitter){.delimiter = ";", .delimiter_length = 1};
    sql_lexer_init(&splitter->lexer, language, "", 0, NULL);
}

bool sql_splitter_delimiter(struct sql_splitter *splitter, const char *delimiter, size_t length)
{
    if (length == 0 || length >= sizeof splitter->delimiter) {
        return false;
    }
    memcpy(splitter->delimiter, delimiter, length);
    splitter->delimiter[length] = '\0';
    splitter->delimiter_length = length;
    return true;
}

void sql_splitter_window(struct sql_splitter *splitter, const char *text, size_t length, bool last)
{
    const struct sql_lexer before = splitter->lexer;
    sql_lexer_init(&splitter->lexer, before.language, text, length, &before.place);
    splitter->lexer.quoting = before.quoting;
    splitter->last = last;
}

/* ---------------------------------------------------------------- lines */

/* Behind the line break; NULL: the window ends in the line, and another follows. */
static const char *line_end(const struct sql_splitter *splitter, const char *at)
{
    const char *end = splitter->lexer.end;
    const char *found = memchr(at, '\n', (size_t)(end - at));
    return found != NULL ? found + 1 : splitter->last ? end : NULL;
}

static size_t without_blanks(const char *text, const char *end)
{
    while (end > text && strchr(" \t\r\n", end[-1]) != NULL) {
        end--;
    }
    return (size_t)(end - text);
}

/* Lines up to the one that is \. alone. Whole lines are taken off the window even if that one does
 * not come in it: data may be long. */
static enum status take_data(struct sql_splitter *splitter, struct sql_piece *piece)
{
    struct sql_lexer *lexer = &splitter->lexer;
    const char *begin = lexer->position;
    *piece = (struct sql_piece){.kind = SQL_PIECE_DATA,
                                .comments = begin,
                                .text = begin,
                                .run = begin,
                                .place = lexer->place,
                                .run_place = lexer->place};
    for (const char *at = begin; at < lexer->end;) {
        const char *next = line_end(splitter, at);
        if (next == NULL) {
            sql_lexer_skip_to(lexer, at);
            break;
        }
        bool ends = without_blanks(at, next) == 2 && memcmp(at, "\\.", 2) == 0;
        at = next;
        if (ends || (at == lexer->end && splitter->last)) {
            splitter->in_data = false;
            piece->length = (size_t)(at - begin);
            piece->run_length = piece->length;
            piece->fault = ends ? NULL : "data of COPY that does not end with \\.";
            piece->fault_place = piece->place;
            piece->end = at;
            sql_lexer_skip_to(lexer, at);
            return STATUS_OK;
        }
        if (at == lexer->end) {
            sql_lexer_skip_to(lexer, at);
        }
    }
    return splitter->last ? STATUS_END : STATUS_AGAIN;
}

static bool is_command(const struct sql_splitter *splitter, const struct sql_token *token)
{
    switch (splitter->lexer.language) {
    case SQL_POSTGRES:
        return sql_token_is_mark(token, '\\');
    case SQL_SQLITE:
        return sql_token_is_mark(token, '.') && token->place.column == 1;
    case SQL_MYSQL:
        return sql_token_is_word(token, "DELIMITER");
    case SQL_CQL:
        break;
    }
    return false;
}

static void set_delimiter(struct sql_splitter *splitter, const struct sql_piece *piece)
{
    const char *at = piece->text + strlen("DELIMITER");
    const char *end = piece->text + piece->length;
    while (at < end && strchr(" \t", *at) != NULL) {
        at++;
    }
    size_t length = 0;
    const char *quoted = at < end && strchr("'\"`", *at) != NULL
                             ? memchr(at + 1, *at, (size_t)(end - at - 1))
                             : NULL;
    if (quoted != NULL) {
        at++;
        length = (size_t)(quoted - at);
    }
    while (quoted == NULL && at + length < end && strchr(" \t\r\n", at[length]) == NULL) {
        length++;
    }
    char text[sizeof splitter->delimiter];
    size_t kept = 0;
    for (size_t i = 0; i < length && kept < sizeof text; i++) {
        bool line = at[i] == '\\' && i + 1 < length && at[i + 1] == 'n'; /* as Atlas has it */
        text[kept++] = line ? '\n' : at[i];
        i += line;
    }
    (void)sql_splitter_delimiter(splitter, text, kept); /* the client, too, keeps the former */
}

static enum status take_command(struct sql_splitter *splitter, struct sql_piece *piece)
{
    bool separates = splitter->lexer.language == SQL_POSTGRES &&
                     splitter->lexer.end - piece->text >= 2 && piece->text[1] == ';';
    const char *end = separates ? piece->text + 2 : line_end(splitter, piece->text);
    if (end == NULL) {
        return STATUS_AGAIN;
    }
    piece->kind = SQL_PIECE_COMMAND;
    piece->length = without_blanks(piece->text, end);
    piece->run = piece->text;
    piece->run_length = piece->length;
    piece->run_place = piece->place;
    piece->end = end;
    if (splitter->lexer.language == SQL_MYSQL) {
        set_delimiter(splitter, piece);
    }
    sql_lexer_skip_to(&splitter->lexer, end);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- statements */

/* The known part of a statement, up to a token. */
struct progress {
    bool begun;      /* a word was seen */
    bool create;     /* CREATE or ALTER, and it is not known yet of what */
    bool schema;     /* PostgreSQL: … SCHEMA, which CREATE of others follows */
    bool routine;    /* … TRIGGER, PROCEDURE, FUNCTION or EVENT */
    bool copy;       /* it begins with COPY */
    bool from;       /* the word before is FROM */
    bool from_stdin; /* COPY … FROM stdin */
    bool begin;      /* the word before is BEGIN */
    bool end;        /* … END */
    bool anonymous;  /* MySQL: its first word is BEGIN, the second is not known yet */
    bool package;    /* CREATE PACKAGE */
    bool stray_end;  /* MySQL: its first word is END */
    bool use;        /* MySQL: its first word is USE */
    uint32_t tokens;
    uint32_t blocks;              /* open BEGIN and CASE */
    uint32_t depth;               /* open parentheses */
    struct sql_place block_place; /* of the outermost one */
    struct sql_place depth_place;
};

static bool is_one_of(const struct sql_token *token, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (sql_token_is_word(token, *words)) {
            return true;
        }
    }
    return false;
}

static void open_block(struct progress *progress, const struct sql_token *token)
{
    if (progress->blocks++ == 0) {
        progress->block_place = token->place;
    }
}

/* BEGIN and CASE open a block, END closes it; END IF, END LOOP and so on close what is not counted,
 * since IF is a function's name, too. */
static void count_blocks(struct progress *progress, const struct sql_token *token,
                         enum sql_language language)
{
    static const char *const uncounted[] = {"IF", "LOOP", "WHILE", "REPEAT", "FOR", NULL};
    bool was_end = progress->end;
    progress->end = false;
    if (was_end && is_one_of(token, uncounted)) {
        progress->blocks++; /* END did not close it */
        return;
    }
    if (was_end && sql_token_is_word(token, "CASE")) {
        return;
    }
    bool opens = language == SQL_POSTGRES ? progress->begin && sql_token_is_word(token, "ATOMIC")
                                          : sql_token_is_word(token, "BEGIN");
    if (opens || (progress->blocks > 0 && sql_token_is_word(token, "CASE"))) {
        open_block(progress, token);
    } else if (progress->blocks > 0 && sql_token_is_word(token, "END")) {
        progress->blocks--;
        progress->end = true;
    }
    progress->begin = sql_token_is_word(token, "BEGIN");
}

/* CQL: BEGIN [UNLOGGED] BATCH … APPLY BATCH is one statement. */
static void count_batch(struct progress *progress, const struct sql_token *token)
{
    enum { WORDS = 3 };
    if (progress->begin && progress->tokens <= WORDS && sql_token_is_word(token, "BATCH")) {
        open_block(progress, token);
    } else if (progress->blocks > 0 && sql_token_is_word(token, "APPLY")) {
        progress->blocks = 0;
    }
    progress->begin |= progress->tokens == 1 && sql_token_is_word(token, "BEGIN");
}

static void see_first_word(struct progress *progress, const struct sql_token *token,
                           enum sql_language language)
{
    progress->begun = true;
    progress->create = sql_token_is_word(token, "CREATE") || sql_token_is_word(token, "ALTER");
    progress->copy = language == SQL_POSTGRES && sql_token_is_word(token, "COPY");
    if (language == SQL_MYSQL) {
        progress->anonymous = sql_token_is_word(token, "BEGIN");
        progress->stray_end = sql_token_is_word(token, "END");
        progress->use = sql_token_is_word(token, "USE") && progress->tokens == 1;
    }
}

static void see_word(struct progress *progress, const struct sql_token *token,
                     enum sql_language language)
{
    static const char *const routines[] = {"TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", NULL};
    static const char *const others[] = {"TABLE",    "INDEX",   "VIEW",     "TYPE",
                                         "DATABASE", "USER",    "SEQUENCE", "DOMAIN",
                                         "RULE",     "PACKAGE", "SCHEMA",   NULL};
    if (!progress->begun) {
        see_first_word(progress, token, language);
    } else if (progress->anonymous) {
        progress->anonymous = false;
        if (sql_token_is_word(token, "NOT")) {
            progress->routine = true;
            open_block(progress, token);
            return;
        }
    }
    if (language == SQL_CQL) {
        count_batch(progress, token);
        return;
    }
    if (progress->schema && progress->blocks == 0 && sql_token_is_word(token, "CREATE")) {
        progress->create = true;
    } else if (progress->create && (is_one_of(token, routines) || is_one_of(token, others))) {
        progress->schema |= language == SQL_POSTGRES && sql_token_is_word(token, "SCHEMA");
        progress->routine = is_one_of(token, routines);
        progress->package = language == SQL_MYSQL && sql_token_is_word(token, "PACKAGE");
        progress->create = false;
    }
    if (progress->copy) {
        progress->from_stdin |= progress->from && sql_token_is_word(token, "STDIN");
        progress->from = sql_token_is_word(token, "FROM");
    }
    if (progress->routine) {
        count_blocks(progress, token, language);
    }
}

static void see_token(struct progress *progress, const struct sql_token *token,
                      enum sql_language language)
{
    progress->tokens++;
    if (token->kind == SQL_TOKEN_WORD) {
        see_word(progress, token, language);
        return;
    }
    progress->begin = false;
    progress->end = false;
    if (sql_token_is_mark(token, '(')) {
        progress->depth_place = progress->depth == 0 ? token->place : progress->depth_place;
        progress->depth++;
    } else if (progress->depth > 0 && sql_token_is_mark(token, ')')) {
        progress->depth--;
    }
}

static bool is_plain(const struct sql_splitter *splitter)
{
    return splitter->delimiter_length == 1 && splitter->delimiter[0] == ';';
}

/* Does a delimiter in parentheses count? Only PostgreSQL has statements with some (CREATE RULE). */
static bool in_parentheses(const struct sql_splitter *splitter)
{
    return splitter->lexer.language == SQL_POSTGRES;
}

/* Looked for before a token is read, in the blanks in front of it and behind them: another
 * delimiter than ";" may be no token, or part of one, or blank itself. */
static bool at_delimiter(struct sql_splitter *splitter, const struct progress *progress)
{
    struct sql_lexer *lexer = &splitter->lexer;
    size_t length = splitter->delimiter_length;
    if (is_plain(splitter) &&
        (progress->blocks > 0 || (progress->depth > 0 && in_parentheses(splitter)))) {
        return false;
    }
    for (const char *at = lexer->position; (size_t)(lexer->end - at) >= length; at++) {
        if (strncasecmp(at, splitter->delimiter, length) == 0) {
            sql_lexer_skip_to(lexer, at);
            return true;
        }
        if (*at == '\0' || strchr(" \t\r\n\v\f", *at) == NULL) {
            break;
        }
    }
    return false;
}

/* The next token, which ends where a delimiter begins in it, as in END$$. */
static struct sql_token next_token(struct sql_splitter *splitter)
{
    const struct sql_lexer before = splitter->lexer;
    struct sql_token token = sql_lexer_next(&splitter->lexer);
    if (splitter->lexer.language != SQL_MYSQL || token.kind == SQL_TOKEN_COMMENT ||
        token.kind == SQL_TOKEN_STRING || token.kind == SQL_TOKEN_NAME || token.length == 0) {
        return token;
    }
    const char *found =
        memmem(token.text + 1, token.length - 1, splitter->delimiter, splitter->delimiter_length);
    if (found != NULL) {
        token.length = (size_t)(found - token.text);
        splitter->lexer = before;
        sql_lexer_skip_to(&splitter->lexer, found);
    }
    return token;
}

/* A token that reaches the end of a window may go on in the next one. */
static bool may_go_on(const struct sql_splitter *splitter, const struct sql_token *token)
{
    size_t margin = splitter->delimiter_length + 2; /* "--" and the like are looked ahead for */
    const char *end = token->text + token->length;
    return !splitter->last && (token->unterminated || token->kind == SQL_TOKEN_END ||
                               (size_t)(splitter->lexer.end - end) < margin);
}

/* ---------------------------------------------------------------- MySQL's conditions */

/* The part of a text that is sent: from `begin`, where a condition opens before the first token. */
struct condition {
    const char *begin; /* NULL: none is open */
    struct sql_place place;
};

static bool ends_condition(const struct sql_token *token)
{
    return token->length == 2 && memcmp(token->text, "*/", 2) == 0;
}

/* A comment of which only the beginning is a token, since the rest is code. */
static bool opens_condition(const struct sql_splitter *splitter, const struct sql_token *token)
{
    return splitter->lexer.language == SQL_MYSQL && !token->unterminated && token->length > 2 &&
           token->text[0] == '/' && token->text[token->length - 1] != '/';
}

static void see_comment(const struct sql_splitter *splitter, const struct sql_token *token,
                        struct condition *condition)
{
    if (opens_condition(splitter, token)) {
        *condition = (struct condition){token->text, token->place};
    } else if (ends_condition(token)) {
        condition->begin = NULL;
    }
}

/* ---------------------------------------------------------------- the end of a statement */

static const char *fault_of(const struct sql_token *token)
{
    return token->kind == SQL_TOKEN_COMMENT ? "a comment that does not end"
           : token->kind == SQL_TOKEN_NAME  ? "a quoted name that does not end"
                                            : "a string that does not end";
}

static void set_fault(struct sql_piece *piece, const char *fault, const struct sql_place *place)
{
    if (piece->fault == NULL) {
        piece->fault = fault;
        piece->fault_place = *place;
    }
}

/* The faults of a statement whose tokens are all there. */
static void judge_statement(const struct sql_splitter *splitter, struct sql_piece *piece,
                            const struct progress *progress, const struct condition *condition)
{
    bool plain = is_plain(splitter);
    if (plain && progress->blocks > 0) {
        set_fault(piece, "BEGIN that does not end", &progress->block_place);
    }
    if (progress->depth > 0 && in_parentheses(splitter)) {
        set_fault(piece, "a parenthesis that does not close", &progress->depth_place);
    }
    if (plain && progress->package) {
        set_fault(piece, "a package, in which \";\" ends no statement, needs DELIMITER",
                  &piece->place);
    }
    if (plain && progress->stray_end) {
        set_fault(piece, "END of nothing: a body without BEGIN … END needs DELIMITER",
                  &piece->place);
    }
    if (condition->begin != NULL) {
        set_fault(piece, "a conditional comment that ends in no or in another statement",
                  &condition->place);
    }
}

/* Does a token begin what is for the client, or is a statement for the client, MySQL's USE, at an
 * end, since its line is? `behind` is the end of the statement so far. */
static bool interrupts(const struct sql_splitter *splitter, const struct progress *progress,
                       const struct sql_token *token, const char *behind)
{
    if (splitter->lexer.language == SQL_POSTGRES) {
        return is_command(splitter, token);
    }
    return progress->use && progress->tokens == 2 &&
           memchr(behind, '\n', (size_t)(token->text - behind)) != NULL;
}

/* Sets what is sent of a statement whose last token ends at `behind`. */
static void set_run(struct sql_piece *piece, const char *behind, const char *condition_end)
{
    const char *end = condition_end > behind ? condition_end : behind;
    piece->length = (size_t)(behind - piece->text);
    piece->run_length = (size_t)(end - piece->run);
}

static enum status take_statement(struct sql_splitter *splitter, struct sql_piece *piece,
                                  struct sql_token token, struct condition condition)
{
    struct sql_lexer *lexer = &splitter->lexer;
    struct progress progress = {0};
    const char *behind = piece->text; /* the last token of code */
    const char *condition_end = NULL; /* of the one that the last token is in */
    for (;;) {
        if (may_go_on(splitter, &token)) {
            return STATUS_AGAIN;
        }
        if (token.unterminated) {
            set_fault(piece, fault_of(&token), &token.place);
        }
        if (token.kind == SQL_TOKEN_END) {
            break;
        }
        if (token.kind == SQL_TOKEN_COMMENT) {
            bool open = condition.begin != NULL;
            see_comment(splitter, &token, &condition);
            condition_end = open && ends_condition(&token) ? lexer->position : condition_end;
        } else if (interrupts(splitter, &progress, &token, behind)) {
            lexer->position = token.text;
            lexer->place = token.place;
            break;
        } else {
            behind = token.text + token.length;
            see_token(&progress, &token, lexer->language);
        }
        if (at_delimiter(splitter, &progress)) {
            sql_lexer_skip_to(lexer, lexer->position + splitter->delimiter_length);
            break;
        }
        token = next_token(splitter);
    }
    set_run(piece, behind, condition_end);
    judge_statement(splitter, piece, &progress, &condition);
    if (progress.from_stdin) {
        const char *end = line_end(splitter, lexer->position);
        if (end == NULL) {
            return STATUS_AGAIN;
        }
        splitter->in_data = end < lexer->end || !splitter->last;
        sql_lexer_skip_to(lexer, end);
    }
    piece->end = lexer->position;
    return STATUS_OK;
}

static const char *behind_blanks(const struct sql_lexer *lexer)
{
    const char *at = lexer->position;
    while (at < lexer->end && *at != '\0' && strchr(" \t\r\n\v\f", *at) != NULL) {
        at++;
    }
    return at;
}

/* The delimiter may be "delimiter". */
static bool at_delimiter_command(const struct sql_splitter *splitter)
{
    enum { LENGTH = 9 };
    const char *at = behind_blanks(&splitter->lexer);
    return splitter->lexer.language == SQL_MYSQL && splitter->lexer.end - at > LENGTH &&
           strncasecmp(at, "DELIMITER", LENGTH) == 0 && (at[LENGTH] == ' ' || at[LENGTH] == '\t');
}

/* In front of a statement MySQL's client takes "--" for a comment with nothing behind it, too.
 * False: the line does not end in this window. */
static bool skip_dashes(struct sql_splitter *splitter)
{
    struct sql_lexer *lexer = &splitter->lexer;
    const char *at = behind_blanks(lexer);
    if (lexer->language == SQL_MYSQL && lexer->end - at > 2 && at[0] == '-' && at[1] == '-' &&
        splitter->delimiter[0] != '-') {
        const char *end = line_end(splitter, at);
        if (end == NULL) {
            return false;
        }
        sql_lexer_skip_to(lexer, end);
    }
    return true;
}

/* Over the byte order mark that a file may begin with; false: it is not whole in this window. */
static bool skip_mark(struct sql_splitter *splitter)
{
    static const char mark[] = "\xef\xbb\xbf";
    struct sql_lexer *lexer = &splitter->lexer;
    size_t left = (size_t)(lexer->end - lexer->position);
    size_t length = left < sizeof mark - 1 ? left : sizeof mark - 1;
    if (lexer->place.offset > 0 || length == 0 || memcmp(lexer->position, mark, length) != 0) {
        return true;
    }
    if (length < sizeof mark - 1) {
        return splitter->last;
    }
    sql_lexer_skip_to(lexer, lexer->position + length);
    lexer->place.column = 1;
    return true;
}

/* Where there is nothing but blanks, comments and delimiters, there is no piece. */
static enum status take_piece(struct sql_splitter *splitter, struct sql_piece *piece)
{
    struct sql_lexer *lexer = &splitter->lexer;
    const struct progress none = {0};
    struct condition condition = {0};
    *piece = (struct sql_piece){.comments = lexer->position};
    if (!skip_mark(splitter)) {
        return STATUS_AGAIN;
    }
    for (;;) {
        if (!skip_dashes(splitter)) {
            return STATUS_AGAIN;
        }
        if (!at_delimiter_command(splitter) && at_delimiter(splitter, &none)) {
            sql_lexer_skip_to(lexer, lexer->position + splitter->delimiter_length);
            continue;
        }
        struct sql_token token = next_token(splitter);
        if (token.kind == SQL_TOKEN_END || (token.unterminated && !splitter->last)) {
            return splitter->last ? STATUS_END : STATUS_AGAIN;
        }
        if (token.kind == SQL_TOKEN_COMMENT && !token.unterminated) {
            see_comment(splitter, &token, &condition);
            continue;
        }
        piece->text = token.text;
        piece->place = token.place;
        piece->run = condition.begin != NULL ? condition.begin : piece->text;
        piece->run_place = condition.begin != NULL ? condition.place : piece->place;
        if (is_command(splitter, &token)) {
            return take_command(splitter, piece);
        }
        return take_statement(splitter, piece, token, condition);
    }
}

enum status sql_splitter_next(struct sql_splitter *splitter, struct sql_piece *piece)
{
    if (splitter->in_data) {
        return take_data(splitter, piece);
    }
    const struct sql_lexer before = splitter->lexer;
    enum status status = take_piece(splitter, piece);
    if (status == STATUS_AGAIN) {
        splitter->lexer = before;
    }
    piece->quoting = before.quoting;
    if (status == STATUS_OK && piece->kind == SQL_PIECE_STATEMENT) {
        sql_quoting_see(before.language, piece, &splitter->lexer.quoting);
    }
    return status;
}
