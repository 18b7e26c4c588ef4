/* A file of SQL: statements with ; between them, and what comments in front of them say. */
#include "design/input/log_internal.h"
#include "sql/split.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 80 };

/* The text behind "key:" in a comment; NULL: no such key. */
static const char *comment_value(const char *comments, const char *key)
{
    const char *at = comments;
    while ((at = strcasestr(at, key)) != NULL) {
        bool whole = at == comments || !isalnum((unsigned char)at[-1]);
        at += strlen(key);
        if (whole) {
            return at + strspn(at, " \t");
        }
    }
    return NULL;
}

/* "-- weight: 120", "-- name: orders of a customer" */
static void read_comments(const struct sql_piece *piece, struct input_text *text, char *name)
{
    enum { LOOKED_AT = 4096 };
    char comments[LOOKED_AT + 1];
    size_t length = (size_t)(piece->text - piece->comments);
    size_t taken = length < LOOKED_AT ? length : LOOKED_AT;
    memcpy(comments, piece->text - taken, taken);
    comments[taken] = '\0';
    const char *weight = comment_value(comments, "weight:");
    const char *named = comment_value(comments, "name:");
    double number = weight != NULL ? strtod(weight, NULL) : 0;
    text->weight = number > 0 && number < 1e18 ? number : 1;
    if (named != NULL) {
        size_t size = strcspn(named, "\r\n");
        const char *closed = strstr(named, "*/");
        size = closed != NULL && (size_t)(closed - named) < size ? (size_t)(closed - named) : size;
        while (size > 0 && named[size - 1] == ' ') {
            size--;
        }
        size = text_clip(named, size, NAME_BYTES_MAX);
        memcpy(name, named, size);
        name[size] = '\0';
        text_clean_line(name);
        text->name = size > 0 ? name : NULL;
    }
}

static void add_piece(struct log_reading *reading, const struct sql_piece *piece)
{
    char name[NAME_BYTES_MAX + 1];
    struct input_text text = {.sql = piece->text,
                              .length = piece->length,
                              .line = piece->place.line,
                              .column = piece->place.column};
    if (piece->kind != SQL_PIECE_STATEMENT) {
        return;
    }
    read_comments(piece, &text, name);
    input_sql_add(reading->input, &text);
}

/* A statement that fills the window goes, up to a line that ends with the delimiter. */
static enum status skip_statement(struct log_reading *reading, struct error *error)
{
    struct window_line line;
    enum status status;
    log_drop(reading, reading->window.line);
    while ((status = window_line(&reading->window, &line, error)) == STATUS_OK) {
        bool ends = line.length > 0 && line.text[line.length - 1] == ';' && !line.cut;
        window_take(&reading->window, line.taken);
        if (ends) {
            return STATUS_OK;
        }
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status log_read_sql(struct log_reading *reading, struct error *error)
{
    struct window *window = &reading->window;
    struct sql_splitter splitter;
    struct sql_piece piece;
    enum status grown = window_grow(window, error);
    sql_splitter_init(&splitter, reading->log->language);
    while (grown != STATUS_FAILED) {
        enum status status = STATUS_AGAIN;
        const char *text = window_text(window);
        splitter.lexer.place.line = (uint32_t)window->line;
        sql_splitter_window(&splitter, text, window_length(window), window->last);
        while ((status = sql_splitter_next(&splitter, &piece)) == STATUS_OK) {
            add_piece(reading, &piece);
        }
        window_take(window, (size_t)(splitter.lexer.position - text));
        if (status == STATUS_END) {
            return STATUS_OK;
        }
        grown = window_grow(window, error);
        if (grown == STATUS_AGAIN) {
            grown = skip_statement(reading, error);
        }
    }
    return STATUS_FAILED;
}
