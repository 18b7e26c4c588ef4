/* Text tables: cells are kept until all are known, then padded. */
#include "observe/table.h"

#include "base/arena.h"
#include "base/memory.h"
#include "base/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { COLUMNS_MAX = 16, CELL_BYTES_MAX = 400, GAP = 2, FITTED_MIN = 12, NARROW_MIN = 6 };

/* Marks a row that is a line. */
static const char rule_mark[] = "";

struct table {
    struct arena *arena;
    const char **cells; /* grows */
    size_t cell_count;
    size_t cell_capacity;
    const char *titles[COLUMNS_MAX];
    uint32_t column_count;
    uint32_t fit; /* 0: no limit */
};

struct table *table_create(const char *const *titles)
{
    struct table *table = memory_allocate_zeroed(1, sizeof(*table));
    table->arena = arena_create(0);
    while (titles[table->column_count] != NULL && table->column_count < COLUMNS_MAX) {
        table->titles[table->column_count] = titles[table->column_count];
        table->column_count++;
    }
    return table;
}

void table_destroy(struct table *table)
{
    arena_destroy(table->arena);
    free(table->cells);
    free(table);
}

static void add_cell(struct table *table, const char *cell)
{
    if (table->cell_count == table->cell_capacity) {
        size_t capacity = table->cell_capacity == 0 ? 64 : table->cell_capacity * 2;
        table->cells = memory_resize(table->cells, capacity, sizeof(*table->cells));
        table->cell_capacity = capacity;
    }
    table->cells[table->cell_count++] = cell;
}

void table_add_text(struct table *table, const char *text)
{
    char printable[CELL_BYTES_MAX];
    text_printable(text, strlen(text), printable, sizeof(printable));
    add_cell(table, arena_copy_string(table->arena, printable));
}

void table_format(struct table *table, const char *format, ...)
{
    char text[CELL_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    table_add_text(table, text);
}

void table_add_count(struct table *table, int64_t count)
{
    char text[32] = "?";
    if (count >= 0) {
        text_human_count((uint64_t)count, text, sizeof(text));
    }
    table_add_text(table, text);
}

void table_add_bytes(struct table *table, int64_t bytes)
{
    char text[32] = "?";
    if (bytes >= 0) {
        text_human_bytes((uint64_t)bytes, text, sizeof(text));
    }
    table_add_text(table, text);
}

void table_rule(struct table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        add_cell(table, rule_mark);
    }
}

void table_fit(struct table *table, uint32_t columns)
{
    table->fit = columns;
}

uint32_t table_text_width(const char *text)
{
    uint32_t width = 0;
    const utf8proc_uint8_t *position = (const utf8proc_uint8_t *)text;
    while (*position != '\0') {
        utf8proc_int32_t character;
        utf8proc_ssize_t size = utf8proc_iterate(position, -1, &character);
        if (size <= 0) {
            position++;
            width++;
            continue;
        }
        int columns = utf8proc_charwidth(character);
        width += columns > 0 ? (uint32_t)columns : 0;
        position += size;
    }
    return width;
}

static bool is_right(const struct table *table, uint32_t column)
{
    return table->titles[column][0] == '>';
}

static const char *title_of(const struct table *table, uint32_t column)
{
    return table->titles[column] + is_right(table, column);
}

static void append_spaces(struct buffer *out, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_byte(out, ' ');
    }
}

/* Bytes of `text` that go on a line of `column_width`: up to a space, a hyphen, or as it comes. */
static size_t piece_length(const char *text, uint32_t column_width)
{
    const utf8proc_uint8_t *position = (const utf8proc_uint8_t *)text;
    uint32_t width = 0;
    size_t good = 0;
    while (*position != '\0') {
        utf8proc_int32_t character;
        utf8proc_ssize_t size = utf8proc_iterate(position, -1, &character);
        int columns = size > 0 ? utf8proc_charwidth(character) : 1;
        size_t at = (size_t)((const char *)position - text);
        width += columns > 0 ? (uint32_t)columns : 0;
        if (*position == ' ') {
            good = at;
        }
        if (width > column_width) {
            return good > 0 ? good : at > 0 ? at : 1;
        }
        position += size > 0 ? size : 1;
        if (character == '-') {
            good = (size_t)((const char *)position - text);
        }
    }
    return strlen(text);
}

static void append_piece(const struct table *table, uint32_t column, const char *text,
                         uint32_t column_width, struct buffer *out)
{
    uint32_t width = table_text_width(text);
    uint32_t padding = width < column_width ? column_width - width : 0;
    append_spaces(out, column == 0 ? 0 : GAP);
    append_spaces(out, is_right(table, column) ? padding : 0);
    buffer_append_string(out, text);
    append_spaces(out, is_right(table, column) ? 0 : padding);
}

/* One row, on as many lines as its cells need. */
static void append_row(const struct table *table, const char *const *cells, const uint32_t *widths,
                       struct buffer *out)
{
    const char *rest[COLUMNS_MAX];
    memcpy(rest, cells, table->column_count * sizeof(*rest));
    bool more = true;
    for (bool first = true; more; first = false) {
        size_t start = out->length;
        more = false;
        buffer_append_string(out, first ? "" : "\n");
        start = first ? start : out->length;
        for (uint32_t column = 0; column < table->column_count; column++) {
            char piece[CELL_BYTES_MAX];
            size_t length = piece_length(rest[column], widths[column]);
            snprintf(piece, sizeof(piece), "%.*s", (int)length, rest[column]);
            append_piece(table, column, piece, widths[column], out);
            rest[column] += length;
            rest[column] += strspn(rest[column], " ");
            more = more || *rest[column] != '\0';
        }
        while (out->length > start && out->data[out->length - 1] == ' ') {
            out->length--;
        }
    }
}

static void append_rule(const struct table *table, const uint32_t *widths, struct buffer *out)
{
    for (uint32_t column = 0; column < table->column_count; column++) {
        append_spaces(out, column == 0 ? 0 : GAP);
        for (uint32_t i = 0; i < widths[column]; i++) {
            buffer_append_byte(out, '-');
        }
    }
    buffer_append_byte(out, '\n');
}

static void table_measure(const struct table *table, uint32_t *widths)
{
    for (uint32_t column = 0; column < table->column_count; column++) {
        widths[column] = table_text_width(title_of(table, column));
        for (size_t i = column; i < table->cell_count; i += table->column_count) {
            uint32_t width = table_text_width(table->cells[i]);
            widths[column] = width > widths[column] ? width : widths[column];
        }
    }
}

/* Takes from the widest columns of text what is too much. */
static void fit(const struct table *table, uint32_t *widths)
{
    uint32_t total = GAP * (table->column_count - 1);
    for (uint32_t column = 0; column < table->column_count; column++) {
        total += widths[column];
    }
    uint32_t least = FITTED_MIN;
    while (table->fit > 0 && total > table->fit) {
        uint32_t widest = COLUMNS_MAX;
        for (uint32_t column = 0; column < table->column_count; column++) {
            if (!is_right(table, column) && widths[column] > least &&
                (widest == COLUMNS_MAX || widths[column] >= widths[widest])) {
                widest = column;
            }
        }
        if (widest == COLUMNS_MAX && least == NARROW_MIN) {
            return;
        }
        if (widest == COLUMNS_MAX) {
            least = NARROW_MIN; /* words are broken on a narrow terminal alone */
            continue;
        }
        widths[widest]--;
        total--;
    }
}

void table_append(struct table *table, bool color, struct buffer *out)
{
    uint32_t widths[COLUMNS_MAX];
    const char *titles[COLUMNS_MAX] = {NULL};
    table_measure(table, widths);
    fit(table, widths);
    for (uint32_t column = 0; column < table->column_count; column++) {
        titles[column] = title_of(table, column);
    }
    buffer_append_string(out, color ? "\x1b[1m" : "");
    append_row(table, titles, widths, out);
    buffer_append_string(out, color ? "\x1b[0m\n" : "\n");
    for (size_t row = 0; row + table->column_count <= table->cell_count;
         row += table->column_count) {
        if (table->cells[row] == rule_mark) {
            append_rule(table, widths, out);
            continue;
        }
        append_row(table, &table->cells[row], widths, out);
        buffer_append_byte(out, '\n');
    }
}
