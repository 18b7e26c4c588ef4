/* How a CSV file is written: which bytes separate, quote and end, what null is, which encoding. */
#ifndef TRANSHUME_CONNECTORS_CSV_DIALECT_H
#define TRANSHUME_CONNECTORS_CSV_DIALECT_H

#include "base/arena.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum csv_line_end { CSV_LINE_LF, CSV_LINE_CRLF, CSV_LINE_CR };
enum csv_bytes_form { CSV_BYTES_HEX, CSV_BYTES_BASE64 };

/*
 * RFC 4180 with its openings declared. Reading, LF and CRLF both end a line whatever `line_end`
 * says of the two; CR alone does only with CSV_LINE_CR (and then LF is an ordinary byte). A null is
 * an unquoted field that is byte for byte `null_text`; a quoted one never is null.
 */
struct csv_dialect {
    char delimiter; /* ASCII, none of the others here */
    char quote;     /* 0: fields are never quoted */
    char escape;    /* within quotes: the quote itself (doubled), or a byte that makes the next one
                       literal (backslash) */
    char comment;   /* a line that begins with it is skipped; 0: none */
    bool header;    /* each file begins with the names of its columns */
    bool bom;       /* written before everything; read in any case */
    bool sep_line;  /* a first line "sep=;" (Excel) is no record */
    enum csv_line_end line_end;
    enum csv_bytes_form bytes_form;
    const char *null_text;
    size_t null_length;
    const char *encoding; /* as iconv calls it; NULL: UTF-8, or what a BOM says */
};

/* UTF-8, comma, double quotes doubled within quotes, a header line, LF, null is nothing. */
struct csv_dialect csv_dialect_default(void);

/*
 * Sets one option by its name and text: delimiter, quote, escape, comment, line_end, null, header,
 * bom, encoding, bytes. Characters may be named: tab, comma, semicolon, pipe, space, none, doubled,
 * backslash, double, single. Texts are copied into `arena`. STATUS_END: no option of a dialect has
 * that name; STATUS_FAILED: ERROR_BAD_VALUE.
 */
enum status csv_dialect_set(struct csv_dialect *dialect, const char *name, const char *text,
                            struct arena *arena, struct error *error) MUST_USE;
/* Whether the options fit each other (all bytes differ, the null can be written). */
enum status csv_dialect_check(const struct csv_dialect *dialect, struct error *error) MUST_USE;

/* The byte that ends a line, and the one that may stand before it (0: none). */
static inline char csv_line_mark(const struct csv_dialect *dialect)
{
    return dialect->line_end == CSV_LINE_CR ? '\r' : '\n';
}
static inline char csv_line_prefix(const struct csv_dialect *dialect)
{
    return dialect->line_end == CSV_LINE_CR ? 0 : '\r';
}

#endif
