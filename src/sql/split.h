/* The statements of a SQL file. */
#ifndef TRANSHUME_SQL_SPLIT_H
#define TRANSHUME_SQL_SPLIT_H

#include "sql/lexer.h"

enum sql_piece_kind {
    SQL_PIECE_STATEMENT,
    SQL_PIECE_COMMAND, /* for the client: \connect, .bail, DELIMITER up to the end of the line; one
                          of psql's that ends a statement as ";" does: \gset, \; */
    SQL_PIECE_DATA     /* the lines behind COPY … FROM stdin, with the line \. that ends them; in
                          windows only those of the last one */
};

struct sql_piece {
    enum sql_piece_kind kind;
    const char *comments; /* begins here: blanks and comments in front of the first token */
    const char *text;     /* from the first token to the last, without the delimiter */
    size_t length;
    const char *run; /* what a server is sent: `text` with the MySQL condition around it, from an
                        opening one in front of the first token to the end of one behind the last;
                        in "/" "*!50003 CREATE TRIGGER …", it says for which servers it is */
    size_t run_length;
    struct sql_place run_place;
    const char *end;        /* behind the delimiter: where the next piece's comments begin */
    struct sql_place place; /* of `text` */
    const char *fault;      /* "a string that does not end": the file ends inside it, or it is no
                               statement that a server could be sent; NULL: none */
    struct sql_place fault_place;
    uint8_t quoting; /* SQL_QUOTING_…, which it is to be read with */
};

/*
 * Finds where statements end:
 *
 *   all          at the delimiter, which is ";", outside strings, comments and, in PostgreSQL,
 *                parentheses
 *   PostgreSQL   not inside BEGIN ATOMIC … END; lines behind COPY … FROM stdin are no SQL; psql's
 *                \commands go to the end of their line; one inside a statement ends it there
 *   MySQL        DELIMITER in front of a statement changes the delimiter; with ";", not inside
 *                BEGIN … END of a routine, a trigger or an event, nor of BEGIN NOT ATOMIC
 *   SQLite       not inside BEGIN … END of a trigger; the shell's .commands are lines
 *   CQL          not inside BEGIN BATCH … APPLY BATCH
 *
 * A SET that changes how strings are quoted (quoting.h) counts for what follows it.
 *
 * The pieces tile the text: each begins where the one before it ended. A text may come in windows:
 * a piece that is not whole in one window comes with the next, which begins at its first byte.
 */
struct sql_splitter {
    struct sql_lexer lexer;
    bool last; /* no window follows */
    bool in_data;
    char delimiter[16];
    size_t delimiter_length;
};

void sql_splitter_init(struct sql_splitter *splitter, enum sql_language language);
/* Another delimiter from here on, which MySQL's DELIMITER may change again: one in which a line
 * break is matters, as "\n\n", is found in blanks, too. False: it is empty or too long. */
bool sql_splitter_delimiter(struct sql_splitter *splitter, const char *delimiter, size_t length);
/* Goes on in this text, which begins where the last piece ended. */
void sql_splitter_window(struct sql_splitter *splitter, const char *text, size_t length, bool last);
/* STATUS_END: none is left in the last window. STATUS_AGAIN: the rest of the window, from
 * splitter->lexer.position on, is no whole piece; it stands at the beginning of the next one. */
enum status sql_splitter_next(struct sql_splitter *splitter, struct sql_piece *piece) MUST_USE;

#endif
