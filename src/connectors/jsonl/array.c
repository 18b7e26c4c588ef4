/* The elements of one JSON array (RFC 8259, section 5), cut out of a file's bytes. */
#include "connectors/jsonl/records.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum { BUFFER_BYTES_FIRST = 128 * 1024, ROOM = 64, KEPT_BYTES = 1024, LOOK_BYTES = 64 * 1024 };

struct jsonl_array {
    struct folder_input *input;
    char *path;
    enum error_code code;
    size_t element_bytes_max;
    char *bytes;
    size_t capacity;
    size_t start; /* of what was not taken */
    size_t end;
    uint64_t offset; /* of bytes[start] in the contents */
    uint64_t lines;  /* line ends before it */
    bool at_end;
    bool begun;
    bool ended;
    uint64_t number; /* of the element given last */
    uint64_t line;
    uint64_t byte;
    char kept[KEPT_BYTES]; /* of an element that is too long */
};

void jsonl_array_close(struct jsonl_array *array)
{
    if (array != NULL) {
        folder_input_close(array->input);
        free(array->bytes);
        free(array->path);
        free(array);
    }
}

enum status jsonl_array_open(const char *path, size_t element_bytes_max, enum error_code code,
                             struct jsonl_array **array, struct error *error)
{
    struct jsonl_array *made = memory_allocate_zeroed(1, sizeof(*made));
    *array = NULL;
    made->path = memory_copy_string(path);
    made->code = code;
    made->element_bytes_max = element_bytes_max;
    made->capacity = BUFFER_BYTES_FIRST;
    made->bytes = memory_allocate(made->capacity);
    enum status status = folder_input_open(path, 0, code, &made->input, error);
    if (status != STATUS_OK) {
        jsonl_array_close(made);
        return status;
    }
    *array = made;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- bytes */

/* At least one byte more, unless the file ends: `at_end`. What was taken makes room. */
static enum status jsonl_array_fill(struct jsonl_array *array, struct error *error)
{
    size_t got = 0;
    if (array->start > 0) {
        memmove(array->bytes, array->bytes + array->start, array->end - array->start);
        array->end -= array->start;
        array->start = 0;
    }
    if (array->end == array->capacity) {
        size_t most = array->element_bytes_max + ROOM;
        size_t capacity = array->capacity * 2 < most ? array->capacity * 2 : most;
        capacity = capacity > array->capacity ? capacity : array->capacity * 2;
        char *grown = realloc(array->bytes, capacity);
        if (grown == NULL) {
            return error_set(error, ERROR_MEMORY, array->path, "no memory for an element");
        }
        array->bytes = grown;
        array->capacity = capacity;
    }
    enum status status = folder_input_read(array->input, array->bytes + array->end,
                                           array->capacity - array->end, &got, error);
    array->end += got;
    array->at_end = status == STATUS_END;
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static void array_take(struct jsonl_array *array, size_t count)
{
    const char *begin = array->bytes + array->start;
    const char *end = begin + count;
    for (const char *at = begin; at < end; at++) { /* the compiler makes vectors of it */
        array->lines += *at == '\n';
    }
    array->start += count;
    array->offset += count;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* The next byte that is no blank stays there. STATUS_END: there is none. */
static enum status skip_blanks(struct jsonl_array *array, char *next, struct error *error)
{
    for (;;) {
        size_t at = array->start;
        while (at < array->end && is_blank(array->bytes[at])) {
            at++;
        }
        array_take(array, at - array->start);
        if (array->start < array->end) {
            *next = array->bytes[array->start];
            return STATUS_OK;
        }
        if (array->at_end) {
            return STATUS_END;
        }
        if (jsonl_array_fill(array, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
}

/* ---------------------------------------------------------------- faults */

static enum status fault(const struct jsonl_array *array, const char *what, const char *hint,
                         struct error *error)
{
    error_set(error, ERROR_SOURCE_INVALID, array->path,
              "as a JSON array it can't be read on: %s (byte %llu, line %llu, after %llu elements)",
              what, (unsigned long long)array->offset, (unsigned long long)array->lines + 1,
              (unsigned long long)array->number);
    return error_hint(error, "%s", hint);
}

static enum status fault_of_end(const struct jsonl_array *array, struct error *error)
{
    return fault(array, "the file ends within the array",
                 "it was not written or copied whole: get it again, or end it with ] yourself",
                 error);
}

static enum status fault_within(const struct jsonl_array *array, const char *what,
                                struct error *error)
{
    return fault(array, what, "correct the file there; `jq . FILE` shows whether it is valid JSON",
                 error);
}

/* ---------------------------------------------------------------- elements */

/* How far an element is read. */
struct scan {
    uint32_t depth;
    bool in_text;
    bool escaped;
    bool nested; /* it begins with a bracket */
    bool text;   /* it begins with a quote */
};

/* Whether the element ends before this byte (a number or a word) or with it. */
static bool ends_before(const struct scan *scan, char byte)
{
    return !scan->nested && !scan->text && (is_blank(byte) || byte == ',' || byte == ']');
}

static bool ends_with(struct scan *scan, char byte)
{
    if (scan->in_text) {
        bool closes = byte == '"' && !scan->escaped;
        scan->escaped = byte == '\\' && !scan->escaped;
        scan->in_text = !closes;
        return closes && scan->text;
    }
    if (byte == '"') {
        scan->in_text = true;
    } else if (byte == '{' || byte == '[') {
        scan->depth++;
    } else if ((byte == '}' || byte == ']') && scan->depth > 0) {
        scan->depth--;
        return scan->depth == 0;
    }
    return false;
}

/* Keeps the beginning of an element that is too long, and makes room for the rest. */
static void shorten(struct jsonl_array *array, size_t *at, bool *too_long)
{
    if (!*too_long) {
        memcpy(array->kept, array->bytes + array->start, KEPT_BYTES);
    }
    *too_long = true;
    array_take(array, *at - array->start);
}

/* Takes the element that begins here. */
static enum status take_element(struct jsonl_array *array, char **text, size_t *length,
                                bool *too_long, struct error *error)
{
    char first = array->bytes[array->start];
    struct scan scan = {.nested = first == '{' || first == '[', .text = first == '"'};
    size_t most = array->element_bytes_max > KEPT_BYTES ? array->element_bytes_max : KEPT_BYTES;
    size_t at = array->start;
    bool found = false;
    *too_long = false;
    while (!found) {
        if (at == array->end) {
            if (array->at_end) {
                break;
            }
            size_t done = at - array->start;
            if (jsonl_array_fill(array, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
            at = array->start + done;
            continue;
        }
        found = ends_before(&scan, array->bytes[at]);
        if (!found) {
            found = ends_with(&scan, array->bytes[at]);
            at++;
        }
        if (at - array->start > most) {
            shorten(array, &at, too_long);
        }
    }
    if (!found) {
        return fault_of_end(array, error);
    }
    *text = *too_long ? array->kept : array->bytes + array->start;
    *length = *too_long ? KEPT_BYTES : at - array->start;
    if (!*too_long && *length > array->element_bytes_max) {
        *too_long = true;
        *length = *length < KEPT_BYTES ? *length : KEPT_BYTES;
    }
    array_take(array, at - array->start);
    return STATUS_OK;
}

/* Behind the opening bracket, a mark of UTF-8 before it left out. */
static enum status array_begin(struct jsonl_array *array, struct error *error)
{
    char next = 0;
    while (array->end - array->start < 3 && !array->at_end) {
        if (jsonl_array_fill(array, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (array->end - array->start >= 3 &&
        memcmp(array->bytes + array->start, "\xEF\xBB\xBF", 3) == 0) {
        array_take(array, 3);
    }
    enum status status = skip_blanks(array, &next, error);
    if (status == STATUS_FAILED) {
        return status;
    }
    if (status == STATUS_END || next != '[') {
        return error_set(error, ERROR_SOURCE_CHANGED, array->path,
                         "it began with a JSON array when it was looked at, and does no more");
    }
    array_take(array, 1);
    array->begun = true;
    return STATUS_OK;
}

static enum status array_finish(struct jsonl_array *array, struct error *error)
{
    char next = 0;
    array_take(array, 1);
    array->ended = true;
    enum status status = skip_blanks(array, &next, error);
    return status == STATUS_OK
               ? fault(array, "something follows the end of the array",
                       "a file holds one array, or one JSON object on each line", error)
               : status;
}

/* Up to the first byte of the next element. STATUS_END: the array has ended. */
static enum status find_element(struct jsonl_array *array, struct error *error)
{
    char next = 0;
    enum status status = skip_blanks(array, &next, error);
    if (status == STATUS_OK && next == ']') {
        return array_finish(array, error);
    }
    if (status == STATUS_OK && array->number > 0) {
        if (next != ',') {
            return fault_within(array, "a comma is missing before the next element", error);
        }
        array_take(array, 1);
        status = skip_blanks(array, &next, error);
    }
    if (status == STATUS_END) {
        return fault_of_end(array, error);
    }
    if (status == STATUS_OK && (next == ',' || next == ']' || next == '}')) {
        return fault_within(array, "an element is missing", error);
    }
    return status;
}

enum status jsonl_array_next(struct jsonl_array *array, char **text, size_t *length, bool *too_long,
                             struct error *error)
{
    if (array->ended) {
        return STATUS_END;
    }
    if (!array->begun && array_begin(array, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = find_element(array, error);
    if (status != STATUS_OK) {
        return status;
    }
    array->number++;
    array->line = array->lines + 1;
    array->byte = array->offset;
    return take_element(array, text, length, too_long, error);
}

uint64_t jsonl_array_number(const struct jsonl_array *array)
{
    return array->number;
}

uint64_t jsonl_array_line(const struct jsonl_array *array)
{
    return array->line;
}

uint64_t jsonl_array_byte(const struct jsonl_array *array)
{
    return array->byte;
}

/* ---------------------------------------------------------------- looking */

/* Whether the first line, if these bytes hold all of it, is an object that goes on in the next. */
static bool goes_on(const char *bytes, size_t length)
{
    struct scan scan = {.nested = true};
    const char *mark = (const char *)memchr(bytes, '\n', length);
    size_t line = mark != NULL ? (size_t)(mark - bytes) : length;
    bool rest = false;
    for (size_t at = 0; at < line; at++) {
        if (ends_with(&scan, bytes[at])) {
            return false;
        }
    }
    for (size_t at = line; at < length && !rest; at++) {
        rest = !is_blank(bytes[at]);
    }
    return mark != NULL && rest && !scan.in_text;
}

static enum jsonl_contents contents_of(const char *bytes, size_t length)
{
    size_t at = length >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    while (at < length && is_blank(bytes[at])) {
        at++;
    }
    if (at == length) {
        return JSONL_NOTHING;
    }
    if (bytes[at] == '{') {
        return goes_on(bytes + at, length - at) ? JSONL_ONE_VALUE : JSONL_LINES;
    }
    if (bytes[at] != '[') {
        return JSONL_LINES;
    }
    do {
        at++;
    } while (at < length && is_blank(bytes[at]));
    if (at < length && bytes[at] == '\0') {
        return JSONL_LINES; /* UTF-16, which the reader of lines refuses */
    }
    return at < length && (bytes[at] == '{' || bytes[at] == ']') ? JSONL_RECORDS_ARRAY
                                                                 : JSONL_ARRAY;
}

enum status jsonl_look_at(const char *path, enum error_code code, enum jsonl_contents *contents,
                          struct error *error)
{
    struct folder_input *input = NULL;
    char *bytes = memory_allocate(LOOK_BYTES);
    size_t length = 0;
    enum status status = folder_input_open(path, 0, code, &input, error);
    while (status == STATUS_OK && length < LOOK_BYTES) {
        size_t part = 0;
        status = folder_input_read(input, bytes + length, LOOK_BYTES - length, &part, error);
        length += part;
    }
    *contents = contents_of(bytes, length);
    folder_input_close(input);
    free(bytes);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}
