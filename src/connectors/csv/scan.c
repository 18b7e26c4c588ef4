/* The state machine of CSV: records and fields out of a window of bytes. */
#include "connectors/csv/scan.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { WORD = 64 };

void csv_scanner_init(struct csv_scanner *scanner, const struct csv_dialect *dialect,
                      uint32_t field_capacity, size_t record_bytes_max)
{
    *scanner = (struct csv_scanner){
        .dialect = dialect, .field_capacity = field_capacity, .record_bytes_max = record_bytes_max};
    scanner->fields = memory_allocate_zeroed((size_t)field_capacity + 1, sizeof(*scanner->fields));
}

void csv_scanner_free(struct csv_scanner *scanner)
{
    free(scanner->fields);
    free(scanner->masks);
    *scanner = (struct csv_scanner){0};
}

enum status csv_scanner_window(struct csv_scanner *scanner, const char *bytes, size_t length,
                               bool at_end)
{
    const struct csv_dialect *dialect = scanner->dialect;
    size_t words = length / WORD + 1;
    char quote = dialect->quote != 0 ? dialect->quote : dialect->delimiter;
    const char marks[3] = {dialect->delimiter, quote,
                           dialect->escape != 0 ? dialect->escape : quote};
    if (words > scanner->mask_capacity) {
        free(scanner->masks);
        scanner->mask_capacity = 0;
        scanner->masks = (uint64_t *)reallocarray(NULL, words, sizeof(*scanner->masks));
        if (scanner->masks == NULL) {
            return STATUS_FAILED;
        }
        scanner->mask_capacity = words;
    }
    scanner->bytes = bytes;
    scanner->length = length;
    scanner->at_end = at_end;
    scanner->position = 0;
    scanner->masks[length / WORD] = 0;
    csv_masks_fill(bytes, length, marks, scanner->masks);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- walking the masks */

struct walk {
    const uint64_t *masks;
    size_t length;
    size_t word;
    size_t words;
    uint64_t mask; /* what is left of the word */
};

static inline void walk_to(struct walk *walk, size_t position)
{
    walk->word = position / WORD;
    walk->mask = walk->word < walk->words
                     ? walk->masks[walk->word] & (~UINT64_C(0) << (position % WORD))
                     : 0;
}

/* The next byte that matters; the window's length where there is none. */
static inline size_t walk_next(struct walk *walk)
{
    while (walk->mask == 0) {
        if (walk->word + 1 >= walk->words) {
            return walk->length;
        }
        walk->mask = walk->masks[++walk->word];
    }
    size_t position = walk->word * WORD + (size_t)__builtin_ctzll(walk->mask);
    walk->mask &= walk->mask - 1;
    return position;
}

/* ---------------------------------------------------------------- one record */

/* How the part just scanned ended. */
enum part_end { PART_FIELD, PART_RECORD, PART_MORE, PART_BROKEN };

struct scan {
    struct csv_scanner *scanner;
    const char *bytes;
    size_t length;
    struct walk walk;
    struct csv_record *record;
    char delimiter;
    char quote;
    char escape;
    char line_mark;
    char line_prefix;
};

static inline void add_field(struct scan *scan, size_t begin, size_t end, uint32_t flags)
{
    struct csv_record *record = scan->record;
    if (record->field_count < scan->scanner->field_capacity) {
        record->fields[record->field_count] =
            (struct csv_field){scan->bytes + begin, (uint32_t)(end - begin), flags};
    }
    record->field_count++;
}

static inline enum part_end end_record(struct scan *scan, size_t text_end, size_t end)
{
    scan->record->text_end = text_end;
    scan->record->end = end;
    scan->record->lines++;
    return PART_RECORD;
}

/* At a CR: is it the prefix of a line end (1), not (0), or does the window end behind it (-1)? */
static inline int is_line_end(const struct scan *scan, size_t position)
{
    if (position + 1 < scan->length) {
        return scan->bytes[position + 1] == scan->line_mark;
    }
    return scan->scanner->at_end ? 0 : -1;
}

/* From the begin of an unquoted field; *position is where it begins, and then the next one. */
static inline enum part_end scan_plain(struct scan *scan, size_t *position)
{
    size_t begin = *position;
    for (;;) {
        size_t at = walk_next(&scan->walk);
        if (at >= scan->length) {
            if (!scan->scanner->at_end) {
                return PART_MORE;
            }
            add_field(scan, begin, scan->length, 0);
            return end_record(scan, scan->length, scan->length);
        }
        char byte = scan->bytes[at];
        if (byte == scan->delimiter) {
            add_field(scan, begin, at, 0);
            *position = at + 1;
            return PART_FIELD;
        }
        if (byte == scan->line_mark) {
            add_field(scan, begin, at, 0);
            return end_record(scan, at, at + 1);
        }
        if (byte == '\r' && scan->line_prefix != 0) {
            int ends = is_line_end(scan, at);
            if (ends < 0) {
                return PART_MORE;
            }
            if (ends > 0) {
                walk_next(&scan->walk);
                add_field(scan, begin, at, 0);
                return end_record(scan, at, at + 2);
            }
            scan->record->fault = CSV_STRAY_CR;
        } else if (byte == scan->quote && scan->quote != 0) {
            scan->record->fault = CSV_STRAY_QUOTE;
        } else if (byte == '\0') {
            scan->record->fault = CSV_NUL_BYTE;
        }
    }
}

/* Behind a closing quote at `close`. */
static enum part_end scan_closed(struct scan *scan, size_t close, size_t *position)
{
    size_t at = close + 1;
    if (at >= scan->length) {
        return scan->scanner->at_end ? end_record(scan, at, at) : PART_MORE;
    }
    char byte = scan->bytes[at];
    if (byte == scan->delimiter) {
        walk_next(&scan->walk);
        *position = at + 1;
        return PART_FIELD;
    }
    if (byte == scan->line_mark) {
        walk_next(&scan->walk);
        return end_record(scan, at, at + 1);
    }
    if (byte == '\r' && scan->line_prefix != 0) {
        int ends = is_line_end(scan, at);
        if (ends < 0) {
            return PART_MORE;
        }
        if (ends > 0) {
            return end_record(scan, at, at + 2);
        }
    }
    scan->record->fault = CSV_AFTER_QUOTE;
    return PART_BROKEN;
}

/* From an opening quote at *position. */
static enum part_end scan_quoted(struct scan *scan, size_t *position)
{
    size_t begin = *position + 1;
    uint32_t flags = CSV_FIELD_QUOTED;
    walk_to(&scan->walk, begin);
    for (;;) {
        size_t at = walk_next(&scan->walk);
        if (at >= scan->length) {
            if (!scan->scanner->at_end) {
                return PART_MORE;
            }
            scan->record->fault = CSV_UNTERMINATED;
            return PART_BROKEN;
        }
        char byte = scan->bytes[at];
        if (byte == scan->line_mark) {
            scan->record->lines++;
        } else if (byte == scan->escape && scan->escape != scan->quote) {
            flags |= CSV_FIELD_ESCAPED;
            if (at + 1 < scan->length && scan->bytes[at + 1] == scan->line_mark) {
                scan->record->lines++;
            }
            walk_to(&scan->walk, at + 2);
        } else if (byte == scan->quote) {
            bool doubles = scan->escape == scan->quote;
            if (doubles && at + 1 >= scan->length && !scan->scanner->at_end) {
                return PART_MORE;
            }
            if (doubles && at + 1 < scan->length && scan->bytes[at + 1] == scan->quote) {
                flags |= CSV_FIELD_ESCAPED;
                walk_next(&scan->walk);
                continue;
            }
            add_field(scan, begin, at, flags);
            return scan_closed(scan, at, position);
        }
    }
}

/* The first line alone, as one field as it stands. STATUS_AGAIN: no line ends in the window. */
static enum status first_line(struct csv_scanner *scanner, struct csv_record *record)
{
    const char *from = scanner->bytes + scanner->position;
    size_t left = scanner->length - scanner->position;
    const char *mark = (const char *)memchr(from, csv_line_mark(scanner->dialect), left);
    if (mark == NULL && !scanner->at_end) {
        return STATUS_AGAIN;
    }
    size_t length = mark != NULL ? (size_t)(mark - from) : left;
    record->begin = scanner->position;
    record->end = scanner->position + length + (mark != NULL);
    char prefix = csv_line_prefix(scanner->dialect);
    length -= length > 0 && mark != NULL && prefix != 0 && from[length - 1] == prefix;
    record->text_end = scanner->position + length;
    record->fields = scanner->fields;
    record->fields[0] = (struct csv_field){from, (uint32_t)length, 0};
    record->field_count = 1;
    record->lines = 1;
    record->empty = false;
    if (length > scanner->record_bytes_max) {
        record->fault = CSV_TOO_LONG;
    }
    return STATUS_OK;
}

/* Passes comments. STATUS_AGAIN: the window ends in one. */
static enum status skip_comments(struct csv_scanner *scanner)
{
    const struct csv_dialect *dialect = scanner->dialect;
    while (scanner->position < scanner->length && dialect->comment != 0 &&
           scanner->bytes[scanner->position] == dialect->comment) {
        const char *from = scanner->bytes + scanner->position;
        size_t left = scanner->length - scanner->position;
        const char *mark = (const char *)memchr(from, csv_line_mark(dialect), left);
        if (mark == NULL && !scanner->at_end) {
            return STATUS_AGAIN;
        }
        scanner->position += mark != NULL ? (size_t)(mark - from) + 1 : left;
        scanner->lines_skipped++;
    }
    return STATUS_OK;
}

enum status csv_scanner_next(struct csv_scanner *scanner, struct csv_record *record)
{
    const struct csv_dialect *dialect = scanner->dialect;
    if (skip_comments(scanner) != STATUS_OK) {
        return STATUS_AGAIN;
    }
    if (scanner->position >= scanner->length) {
        return scanner->at_end ? STATUS_END : STATUS_AGAIN;
    }
    struct scan scan = {.scanner = scanner,
                        .bytes = scanner->bytes,
                        .length = scanner->length,
                        .walk = {.masks = scanner->masks,
                                 .length = scanner->length,
                                 .words = (scanner->length + WORD - 1) / WORD},
                        .record = record,
                        .delimiter = dialect->delimiter,
                        .quote = dialect->quote,
                        .escape = dialect->escape,
                        .line_mark = csv_line_mark(dialect),
                        .line_prefix = csv_line_prefix(dialect)};
    size_t position = scanner->position;
    enum part_end end = PART_FIELD;
    *record = (struct csv_record){.fields = scanner->fields, .begin = position};
    walk_to(&scan.walk, position);
    while (end == PART_FIELD) {
        bool quoted =
            scan.quote != 0 && position < scan.length && scan.bytes[position] == scan.quote;
        end = quoted ? scan_quoted(&scan, &position) : scan_plain(&scan, &position);
    }
    size_t bytes = (end == PART_MORE ? scanner->length : record->end) - record->begin;
    if (end == PART_BROKEN || bytes > scanner->record_bytes_max) {
        /* the same whether the next quote or the end of what is read showed it */
        if (end != PART_BROKEN || record->lines > 0) {
            record->fault = CSV_UNTERMINATED;
        }
        if (first_line(scanner, record) != STATUS_OK) {
            return STATUS_AGAIN;
        }
    } else if (end == PART_MORE) {
        return STATUS_AGAIN;
    }
    record->empty = record->text_end == record->begin;
    record->skipped_lines = scanner->lines_skipped;
    record->lines += record->skipped_lines;
    scanner->lines_skipped = 0;
    scanner->position = record->end;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- fields */

size_t csv_unescape(const struct csv_dialect *dialect, const struct csv_field *field, char *out)
{
    const char *from = field->text;
    const char *end = from + field->length;
    char *to = out;
    while (from < end) {
        const char *mark = (const char *)memchr(from, dialect->escape, (size_t)(end - from));
        size_t part = mark != NULL ? (size_t)(mark - from) : (size_t)(end - from);
        memmove(to, from, part);
        to += part;
        from += part;
        if (mark != NULL && from + 1 < end) {
            *to++ = from[1];
            from += 2;
        } else if (mark != NULL) {
            *to++ = *from++;
        }
    }
    return (size_t)(to - out);
}

const char *csv_fault_text(enum csv_fault fault)
{
    switch (fault) {
    case CSV_FINE:
        break;
    case CSV_STRAY_QUOTE:
        return "a quote stands in a field that does not begin with one";
    case CSV_AFTER_QUOTE:
        return "a quoted field is followed by neither a delimiter nor the end of the line";
    case CSV_UNTERMINATED:
        return "a quote is opened here and not closed as it should be";
    case CSV_STRAY_CR:
        return "a carriage return stands alone outside of quotes";
    case CSV_NUL_BYTE:
        return "a NUL byte stands outside of quotes";
    case CSV_TOO_LONG:
        return "the line is longer than the largest record";
    }
    return "";
}
