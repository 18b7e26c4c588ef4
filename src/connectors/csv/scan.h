/* Cutting CSV bytes into records and fields: one state machine over bit masks of the bytes that
 * matter. */
#ifndef TRANSHUME_CONNECTORS_CSV_SCAN_H
#define TRANSHUME_CONNECTORS_CSV_SCAN_H

#include "connectors/csv/dialect.h"

/*
 * RFC 4180 (https://www.rfc-editor.org/rfc/rfc4180), section 2, read strictly, and this much where
 * it is silent:
 *   - a field is quoted only if its first byte is the quote; a quote elsewhere is a fault;
 *   - after a closing quote come a delimiter, a line end or the end of the file;
 *   - a record whose quotes don't close that way, or that has more than record_bytes_max bytes, is
 *     its first line only, and reading goes on behind that: a lost quote costs one line and not the
 *     rest of the file;
 *   - CR before LF belongs to the line end, any other one outside of quotes is a fault;
 *   - an empty line is no record (but in a table of one column, where it is a null).
 * So the records of a file are a function of its bytes from the first one on, and each place where
 * a record begins will do to go on from.
 */
enum csv_fault {
    CSV_FINE = 0,
    CSV_STRAY_QUOTE,  /* in a field that does not begin with one */
    CSV_AFTER_QUOTE,  /* something follows a closing quote in the record's first line */
    CSV_UNTERMINATED, /* the first line opens a quote that is not closed as it should be */
    CSV_STRAY_CR,
    CSV_NUL_BYTE, /* outside of quotes */
    CSV_TOO_LONG  /* one line of more than record_bytes_max */
};

enum { CSV_FIELD_QUOTED = 1, CSV_FIELD_ESCAPED = 2 };

/* A field as it stands: without its quotes, its escapes still in it. */
struct csv_field {
    const char *text;
    uint32_t length;
    uint32_t flags;
};

struct csv_record {
    struct csv_field *fields; /* the first `capacity` ones */
    uint32_t field_count;     /* of all of them */
    enum csv_fault fault;
    size_t begin;    /* in the window */
    size_t end;      /* behind its line end */
    size_t text_end; /* before it */
    uint64_t lines;  /* line ends within and after it, and those of lines skipped before it */
    uint64_t skipped_lines; /* of these, before it */
    bool empty;             /* an empty line */
};

/*
 * A window of bytes, cut into records. Behind `length` bytes there must be CSV_SCAN_PADDING more
 * that may be read (their contents don't matter).
 */
enum { CSV_SCAN_PADDING = 64, CSV_WINDOW_BYTES_MAX = 1 << 30 };

struct csv_scanner {
    const struct csv_dialect *dialect;
    const char *bytes;
    size_t length;
    bool at_end;     /* nothing comes after the window */
    size_t position; /* of the next record */
    uint64_t *masks; /* a bit a byte: delimiter, quote, escape, control */
    size_t mask_capacity;
    struct csv_field *fields;
    uint32_t field_capacity;
    uint64_t lines_skipped; /* since the last record */
    size_t record_bytes_max;
};

/* `field_capacity` (> 0) fields of a record are kept. */
void csv_scanner_init(struct csv_scanner *scanner, const struct csv_dialect *dialect,
                      uint32_t field_capacity, size_t record_bytes_max);
void csv_scanner_free(struct csv_scanner *scanner);
/* Puts a window of at most CSV_WINDOW_BYTES_MAX bytes before the scanner. STATUS_FAILED: memory is
 * out. */
enum status csv_scanner_window(struct csv_scanner *scanner, const char *bytes, size_t length,
                               bool at_end) MUST_USE;
/*
 * The next record. STATUS_AGAIN: the window ends within it: scanner->position is where it begins
 * (comments are passed and counted in lines_skipped); if more than record_bytes_max bytes follow
 * that, there is no line end among them, and the line may be skipped. STATUS_END: nothing is left.
 */
enum status csv_scanner_next(struct csv_scanner *scanner, struct csv_record *record) MUST_USE;
/* Removes the escapes of a field; `out` holds field->length bytes and may be the field's own. */
size_t csv_unescape(const struct csv_dialect *dialect, const struct csv_field *field, char *out);
/* "a quote stands within an unquoted field" … */
const char *csv_fault_text(enum csv_fault fault);

/* masks.c: fills (length + 63) / 64 words with a bit for each byte that is one of `marks` (which
 * may repeat) or a control character up to CR; bits behind `length` are 0. */
void csv_masks_fill(const char *bytes, size_t length, const char marks[3], uint64_t *masks);
/* For tests: 0 portable, 1 SSE2, 2 AVX2; false if this processor has it not. */
bool csv_masks_fill_with(int way, const char *bytes, size_t length, const char marks[3],
                         uint64_t *masks);

#endif
