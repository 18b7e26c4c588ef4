/*
 * The dialect that a file itself tells where the URI does not: which byte separates the fields,
 * whether the first line holds the names of the columns, whether the text is UTF-8.
 *
 * Each candidate reads the first records with the reader that copies them. It is clear if the first
 * record has more than one field and all others have as many. One clear candidate is taken; a file
 * that no candidate divides has one column; anything else is refused, and an option decides.
 */
#include "connectors/csv/csv.h"

#include "base/text.h"
#include "connectors/folder/compression.h"
#include <string.h>
#include <strings.h>

enum {
    SAMPLE_RECORDS = 100,     /* that each delimiter is tried on */
    ENCODING_RECORDS = 10000, /* that are looked at for text that is not UTF-8 */
    FOREIGN_RECORDS_MIN = 2,  /* so many of them are another encoding, one is a damaged record */
    SAMPLE_WINDOW_BYTES = 64 * 1024,
    SHOWN_BYTES = 60
};

/* How one delimiter divides the first records. */
struct candidate {
    char mark;
    uint32_t width; /* fields of the first record */
    uint32_t same;  /* records that have as many */
    uint32_t records;
};

struct looking {
    const struct csv_database *database;
    const char *path;
    struct csv_dialect *dialect;
    struct error *error;
};

const char *csv_delimiter_word(char mark, char shown[2])
{
    static const struct {
        char mark;
        const char *word;
    } words[] = {{',', "comma"}, {';', "semicolon"}, {'\t', "tab"}, {'|', "pipe"}, {' ', "space"}};
    for (size_t at = 0; at < sizeof words / sizeof words[0]; at++) {
        if (words[at].mark == mark) {
            return words[at].word;
        }
    }
    shown[0] = mark;
    shown[1] = '\0';
    return shown;
}

bool csv_is_sep_line(const char *line, size_t length, char *delimiter)
{
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r')) {
        length--;
    }
    if (length != 5 || strncasecmp(line, "sep=", 4) != 0) {
        return false;
    }
    *delimiter = line[4];
    return true;
}

/* ---------------------------------------------------------------- reading */

static enum status open_file(const struct looking *looking, const struct csv_dialect *dialect,
                             uint32_t fields, struct csv_reader **reader)
{
    const struct csv_reading reading = {.dialect = dialect,
                                        .path = looking->path,
                                        .end = UINT64_MAX,
                                        .field_capacity = fields,
                                        .record_bytes_max = looking->database->record_bytes_max,
                                        .window_bytes = SAMPLE_WINDOW_BYTES};
    return csv_reader_open(&reading, reader, looking->error);
}

/* The next record that is no empty line. STATUS_END: there is none. */
static enum status next_record(const struct looking *looking, struct csv_reader *reader,
                               struct csv_record *record)
{
    for (;;) {
        enum status status = csv_reader_next(reader, record);
        if (status == STATUS_OK && !record->empty) {
            return STATUS_OK;
        }
        if (status != STATUS_OK) {
            status = csv_reader_fill(reader, NULL, looking->error);
            if (status != STATUS_OK) {
                return status;
            }
        }
    }
}

/* ---------------------------------------------------------------- delimiter */

static enum status try_candidate(const struct looking *looking, struct candidate *candidate)
{
    struct csv_dialect dialect = *looking->dialect;
    struct csv_reader *reader = NULL;
    struct csv_record record;
    dialect.delimiter = candidate->mark;
    enum status status = open_file(looking, &dialect, 1, &reader);
    while (status == STATUS_OK && candidate->records < SAMPLE_RECORDS) {
        status = next_record(looking, reader, &record);
        if (status != STATUS_OK) {
            break;
        }
        bool fine = record.fault == CSV_FINE;
        if (candidate->records == 0) {
            candidate->width = fine ? record.field_count : 1;
        }
        candidate->same += fine && record.field_count == candidate->width;
        candidate->records++;
    }
    csv_reader_close(reader);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static enum status refuse_delimiter(const struct looking *looking,
                                    const struct candidate *candidates, uint32_t count)
{
    struct buffer text = {0};
    char shown[2];
    const char *word = "comma";
    for (uint32_t at = 0; at < count; at++) {
        if (candidates[at].width < 2) {
            continue;
        }
        word = csv_delimiter_word(candidates[at].mark, shown);
        buffer_format(&text, "%s%s (%u columns in %u of its first %u records)",
                      text.length > 0 ? " or " : "", word, candidates[at].width,
                      candidates[at].same, candidates[at].records);
    }
    error_set(looking->error, ERROR_SOURCE_INVALID, looking->path,
              "what separates its fields is in doubt: %s", buffer_string(&text));
    buffer_free(&text);
    return error_hint(looking->error, "say which one it is, for example ?delimiter=%s%s", word,
                      strcmp(word, "comma") == 0 ? "" : ", or ?delimiter=comma");
}

/* The one that divides nearly all records alike while the others divide few. NULL: none does. */
static const struct candidate *best_of(const struct candidate *candidates, uint32_t count,
                                       char usual)
{
    const struct candidate *best = NULL;
    const struct candidate *clear = NULL;
    uint32_t clear_count = 0;
    uint32_t dividing = 0;
    for (uint32_t at = 0; at < count; at++) {
        const struct candidate *one = &candidates[at];
        if (one->width < 2) {
            continue;
        }
        dividing++;
        if (one->same == one->records) {
            clear = one;
            clear_count++;
        }
        best = best == NULL || one->same > best->same ? one : best;
    }
    if (clear_count == 1) {
        return clear;
    }
    if (dividing == 1 && (best->mark == usual || best->same * 2 >= best->records)) {
        return best;
    }
    for (uint32_t at = 0; best != NULL && at < count; at++) {
        const struct candidate *one = &candidates[at];
        if (one != best && one->width > 1 && one->same * 2 >= one->records) {
            return NULL;
        }
    }
    return best != NULL && best->same * 10 >= best->records * 9 ? best : NULL;
}

static enum status find_delimiter(const struct looking *looking, char usual)
{
    static const char marks[] = {',', ';', '\t', '|'};
    enum { MARKS = sizeof marks };
    struct candidate candidates[MARKS] = {0};
    uint32_t count = 0;
    bool divided = false;
    for (uint32_t at = 0; at < MARKS; at++) {
        struct candidate *candidate = &candidates[count];
        candidate->mark = marks[at];
        if (marks[at] == looking->dialect->quote || marks[at] == looking->dialect->escape ||
            marks[at] == looking->dialect->comment) {
            continue;
        }
        if (try_candidate(looking, candidate) != STATUS_OK) {
            return STATUS_FAILED;
        }
        divided = divided || candidate->width > 1;
        count++;
    }
    const struct candidate *best = divided ? best_of(candidates, count, usual) : NULL;
    if (divided && best == NULL) {
        return refuse_delimiter(looking, candidates, count);
    }
    looking->dialect->delimiter = best != NULL ? best->mark : usual;
    return STATUS_OK;
}

/* A first line "sep=;", as Excel reads and writes it. STATUS_END: there is none. */
static enum status obey_sep_line(const struct looking *looking, struct arena *arena)
{
    struct csv_dialect dialect = *looking->dialect;
    struct csv_reader *reader = NULL;
    struct csv_record record;
    char text[2] = "";
    dialect.sep_line = false;
    enum status status = open_file(looking, &dialect, 1, &reader);
    status = status == STATUS_OK ? next_record(looking, reader, &record) : status;
    if (status == STATUS_OK) {
        size_t length = 0;
        const char *line = csv_reader_raw(reader, &length);
        status = csv_is_sep_line(line, length, text) ? STATUS_OK : STATUS_END;
    }
    csv_reader_close(reader);
    return status == STATUS_OK
               ? csv_dialect_set(looking->dialect, "delimiter", text[0] == '\t' ? "tab" : text,
                                 arena, looking->error)
               : status;
}

/* ---------------------------------------------------------------- encoding */

static bool is_ascii(const char *text, size_t length)
{
    for (size_t at = 0; at < length; at++) {
        if ((unsigned char)text[at] >= 0x80) {
            return false;
        }
    }
    return true;
}

static enum status refuse_encoding(const struct looking *looking, const char *text, size_t length,
                                   uint64_t line)
{
    char shown[4 * SHOWN_BYTES + 1];
    text_printable(text, length < SHOWN_BYTES ? length : SHOWN_BYTES, shown, sizeof shown);
    error_set(looking->error, ERROR_SOURCE_INVALID, looking->path,
              "its text is not UTF-8: \"%s\" in line %llu", shown, (unsigned long long)line);
    return error_hint(looking->error, "say which encoding the file has: ?encoding=windows-1252 "
                                      "(Western Windows), latin1, utf-16le or another");
}

/* All text beyond ASCII is invalid, in more than one record: the file has another encoding. */
static enum status check_encoding(const struct looking *looking)
{
    struct csv_reader *reader = NULL;
    struct csv_record record;
    uint32_t foreign = 0;
    enum status status = open_file(looking, looking->dialect, 1, &reader);
    for (uint32_t seen = 0; status == STATUS_OK && seen < ENCODING_RECORDS; seen++) {
        size_t length = 0;
        status = next_record(looking, reader, &record);
        const char *text = status == STATUS_OK ? csv_reader_raw(reader, &length) : NULL;
        if (text == NULL || is_ascii(text, length)) {
            continue;
        }
        if (text_is_utf8(text, length)) {
            break;
        }
        foreign++;
        if (foreign == FOREIGN_RECORDS_MIN) {
            length -= length > 0 && text[length - 1] == '\n';
            length -= length > 0 && text[length - 1] == '\r';
            status = refuse_encoding(looking, text, length, csv_reader_line(reader) + 1);
        }
    }
    csv_reader_close(reader);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* The encoding that the first bytes tell, by a mark; NULL: none. UTF-16 without one is refused. */
static enum status look_at_beginning(const struct looking *looking, const char **encoding)
{
    struct folder_input *input = NULL;
    char bytes[4] = {0};
    size_t length = 0;
    enum status status =
        folder_input_open(looking->path, 0, ERROR_SOURCE_READ, &input, looking->error);
    while (status == STATUS_OK && length < sizeof bytes) {
        size_t part = 0;
        status =
            folder_input_read(input, bytes + length, sizeof bytes - length, &part, looking->error);
        length += part;
    }
    folder_input_close(input);
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    size_t mark = length;
    *encoding = csv_encoding_of_bom(bytes, &mark);
    bool little = length == sizeof bytes && bytes[0] != 0 && bytes[1] == 0 && bytes[3] == 0;
    bool big = length == sizeof bytes && bytes[0] == 0 && bytes[1] != 0 && bytes[2] == 0;
    if (*encoding != NULL || (!little && !big)) {
        return STATUS_OK;
    }
    error_set(looking->error, ERROR_SOURCE_INVALID, looking->path,
              "it looks like UTF-16, and no byte order mark says so");
    return error_hint(looking->error, "say it: ?encoding=utf-16%s", little ? "le" : "be");
}

/* ---------------------------------------------------------------- header */

/* A number, a date, a time, an amount; nothing at all. */
static bool looks_like_value(const struct csv_field *field)
{
    static const char figures[] = "0123456789+-/.:, %";
    uint32_t whole_digits = 0;
    uint32_t scale = 0;
    bool inexact = false;
    bool digit = false;
    if (csv_infer_class(field->text, field->length, &whole_digits, &scale, &inexact) !=
        CSV_CLASS_TEXT) {
        return true;
    }
    for (uint32_t at = 0; at < field->length; at++) {
        if (field->text[at] == '\0' || strchr(figures, field->text[at]) == NULL) {
            return false;
        }
        digit = digit || (field->text[at] >= '0' && field->text[at] <= '9');
    }
    return digit || field->length == 0;
}

/* A first line of nothing but values is no header. */
static enum status check_header(const struct looking *looking)
{
    struct csv_reader *reader = NULL;
    struct csv_record record;
    char shown[4 * SHOWN_BYTES + 1] = "";
    enum status status = open_file(looking, looking->dialect, CSV_FIELDS_MAX, &reader);
    status = status == STATUS_OK ? next_record(looking, reader, &record) : status;
    bool values = status == STATUS_OK && record.fault == CSV_FINE;
    for (uint32_t at = 0; values && at < record.field_count && at < CSV_FIELDS_MAX; at++) {
        values = looks_like_value(&record.fields[at]);
    }
    if (values) {
        size_t length = record.text_end - record.begin;
        size_t whole = 0;
        const char *line = csv_reader_raw(reader, &whole);
        text_printable(line, length < SHOWN_BYTES ? length : SHOWN_BYTES, shown, sizeof shown);
    }
    csv_reader_close(reader);
    if (!values) {
        return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
    }
    error_set(looking->error, ERROR_SOURCE_INVALID, looking->path,
              "its first line looks like values, not like names of columns: %s", shown);
    return error_hint(looking->error, "say ?header=no if the file has no names (columns are then "
                                      "c1, c2 …), or ?header=yes if these are the names");
}

/* ---------------------------------------------------------------- all of it */

static bool is_tsv(const char *name)
{
    size_t length = strlen(name) - strlen(folder_compression_suffix(folder_compression_of(name)));
    return length > 4 && strncasecmp(name + length - 4, ".tsv", 4) == 0;
}

static enum status settle_delimiter(const struct looking *looking, bool tabs, struct arena *arena)
{
    enum status status = obey_sep_line(looking, arena);
    if (status != STATUS_END) {
        return status;
    }
    if (tabs) {
        struct candidate tab = {.mark = '\t'};
        if (try_candidate(looking, &tab) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (tab.width > 1) {
            looking->dialect->delimiter = '\t';
            return STATUS_OK;
        }
    }
    return find_delimiter(looking, tabs ? '\t' : ',');
}

enum status csv_recognise(const struct csv_database *database, const struct folder_table *table,
                          struct arena *arena, struct csv_dialect *dialect,
                          struct csv_recognised *recognised, struct error *error)
{
    uint32_t file = 0;
    while (file < table->file_count && table->files[file].bytes == 0) {
        file++;
    }
    dialect->sep_line = true;
    if (file == table->file_count) {
        return STATUS_OK;
    }
    const struct looking looking = {.database = database,
                                    .path = folder_file_path(arena, table, file),
                                    .dialect = dialect,
                                    .error = error};
    const char *told = NULL;
    enum status status = STATUS_OK;
    if ((database->given & CSV_GIVEN_ENCODING) == 0) {
        status = look_at_beginning(&looking, &told);
    }
    if (status == STATUS_OK && (database->given & CSV_GIVEN_DELIMITER) == 0) {
        status = settle_delimiter(&looking, is_tsv(table->files[file].name), arena);
    }
    if (status == STATUS_OK && told == NULL && (database->given & CSV_GIVEN_ENCODING) == 0) {
        status = check_encoding(&looking);
    }
    if (status == STATUS_OK && (database->given & CSV_GIVEN_HEADER) == 0) {
        status = check_header(&looking);
    }
    *recognised = (struct csv_recognised){.done = true, .file = file, .encoding = told};
    return status == STATUS_OK ? csv_dialect_check(dialect, error) : STATUS_FAILED;
}

void csv_tell_recognised(const struct csv_database *database, const struct csv_dialect *dialect,
                         const struct csv_recognised *recognised, struct buffer *out)
{
    char shown[2];
    const char *before = "";
    if ((database->given & CSV_GIVEN_DELIMITER) == 0) {
        buffer_format(out, "delimiter=%s", csv_delimiter_word(dialect->delimiter, shown));
        before = ", ";
    }
    if ((database->given & CSV_GIVEN_HEADER) == 0) {
        buffer_format(out, "%sheader=%s", before, dialect->header ? "yes" : "no");
        before = ", ";
    }
    if ((database->given & CSV_GIVEN_ENCODING) == 0) {
        buffer_format(out, "%sencoding=%s", before,
                      recognised->encoding != NULL ? recognised->encoding : "utf-8");
    }
}
