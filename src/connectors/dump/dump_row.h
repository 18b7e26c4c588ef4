/* Rows of a dump: where one ends, and the values that it holds. */
#ifndef TRANSHUME_CONNECTORS_DUMP_DUMP_ROW_H
#define TRANSHUME_CONNECTORS_DUMP_DUMP_ROW_H

#include "connectors/dump/dump.h"

/* The text between two rows. */
enum dump_gap_kind {
    DUMP_GAP_ROW,  /* `length` bytes further begins a row */
    DUMP_GAP_END,  /* behind them the header's rows are over */
    DUMP_GAP_MORE, /* that can't be told without more bytes */
    DUMP_GAP_FAULT /* what is there is no row and no end */
};
struct dump_gap {
    enum dump_gap_kind kind;
    size_t length;
};

/* `last`: the script ends with these bytes. */
struct dump_gap dump_gap_read(const struct dump_header *header, const char *text, size_t length,
                              bool last);
/* How long the row is that begins here, with the line break of COPY's; 0: it does not end in these
 * bytes. */
size_t dump_row_length(const struct dump_header *header, const char *text, size_t length,
                       bool last);

enum dump_literal_kind {
    DUMP_NULL,
    DUMP_STRING,  /* what it stands for, in the script's encoding */
    DUMP_BYTES,   /* X'…', 0x…, _binary '…' */
    DUMP_BITS,    /* b'…': its digits */
    DUMP_NUMBER,  /* its digits */
    DUMP_TRUTH,   /* TRUE and FALSE: "t" and "f" */
    DUMP_DEFAULT, /* DEFAULT */
    DUMP_OTHER    /* an expression: its text */
};
struct dump_literal {
    enum dump_literal_kind kind;
    const char *text;
    size_t length;
};

/* A line of COPY without its line break, or a tuple in parentheses. The literals lie in `text`,
 * which is changed, or in the arena. Returns how many there are; more than `literal_max` are
 * counted and not kept. */
uint32_t dump_row_read(enum sql_language language, const struct dump_header *header, char *text,
                       size_t length, struct arena *arena, struct dump_literal *literals,
                       uint32_t literal_max);

/* ---------------------------------------------------------------- dump_value.c */

/* Turns strings of other encodings into UTF-8. NULL: none is needed. One thread. */
struct dump_encoding;
enum status dump_encoding_open(const char *name, struct dump_encoding **encoding,
                               struct error *error) MUST_USE;
void dump_encoding_close(struct dump_encoding *encoding);

/*
 * The cell that the live database would give of the value. STATUS_END: there is none; `*why` says
 * what is wrong with it, as "is no date". What its database keeps though no other would (MySQL's
 * 2024-02-31, SQLite's texts that are not UTF-8) becomes an ESCAPE.
 */
enum status dump_value_read(enum sql_language language, const struct dump_header *header,
                            const struct value_type *type, const struct dump_literal *literal,
                            struct dump_encoding *encoding, struct arena *arena, struct cell *cell,
                            const char **why) MUST_USE;

#endif
