/*
 * The types of a table's columns, so that a row of them fits the server and an index fits InnoDB.
 * The server counts 65,535 bytes for a row without its long texts; InnoDB 8,126 on the row's own
 * page, where what may be longer than 255 bytes leaves a pointer only; an index 3,072.
 */
#include "connectors/mysql/target.h"
#include "connectors/sql/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    ROW_MAX = 65535,
    PAGE_MAX = 8126,
    INDEX_MAX = 3072,
    OLD_COLUMN_MAX = 767, /* of a column in an index, before MySQL 5.7 and MariaDB 10.2 */
    POINTER = 20,         /* to what stands elsewhere, and its length byte */
    OLD_POINTER = 40,     /* MySQL keeps that much */
    LONG = 65536
};

/* In bytes, of the largest value. */
struct measure {
    uint32_t row;
    uint32_t page;
    uint32_t index; /* 0: it needs a length to be in one */
};

/* ---------------------------------------------------------------- one column */

/* Where the type's words name their character set, by itself or by a collation of it; NULL:
 * nowhere. */
static const char *character_set(const char *words)
{
    static const char *const before[] = {" CHARACTER SET ", " COLLATE "};
    const char *at = NULL;
    for (size_t i = 0; at == NULL && i < sizeof before / sizeof before[0]; i++) {
        at = strstr(words, before[i]);
        at = at != NULL ? at + strlen(before[i]) : NULL;
    }
    return at;
}

/* All of its characters take as many bytes. */
static bool has_fixed_characters(const char *words)
{
    const char *set = character_set(words);
    return set != NULL && (strncmp(set, "utf32", 5) == 0 || strncmp(set, "ucs2", 4) == 0);
}

/* The bytes of a character, in the character set that the type's words name. */
static uint32_t character_bytes(const char *words)
{
    static const struct {
        const char *name;
        uint32_t bytes;
    } sets[] = {{"utf8mb4", 4}, {"utf8", 3},  {"utf16", 4},  {"utf32", 4},  {"ucs2", 2},
                {"gb18030", 4}, {"gbk", 2},   {"gb2312", 2}, {"big5", 2},   {"sjis", 2},
                {"cp932", 2},   {"euckr", 2}, {"ujis", 3},   {"eucjpms", 3}};
    const char *at = character_set(words);
    for (size_t i = 0; at != NULL && i < sizeof sets / sizeof sets[0]; i++) {
        if (strncmp(at, sets[i].name, strlen(sets[i].name)) == 0) {
            return sets[i].bytes;
        }
    }
    return 1;
}

/* Nine digits take four bytes. */
static uint32_t decimal_bytes(uint32_t precision, uint32_t scale)
{
    static const uint32_t rest[] = {0, 1, 1, 2, 2, 3, 3, 4, 4};
    uint32_t whole = precision > scale ? precision - scale : 0;
    return whole / 9 * 4 + rest[whole % 9] + scale / 9 * 4 + rest[scale % 9];
}

static struct measure measure_fixed(uint32_t bytes)
{
    return (struct measure){bytes, bytes, bytes};
}

static struct measure measure_varying(const struct mysql_database *self, uint32_t bytes)
{
    uint32_t pointer = (self->mariadb ? POINTER : OLD_POINTER) + 1;
    if (bytes > 255) {
        return (struct measure){bytes + 2, pointer, bytes};
    }
    return (struct measure){bytes + 1, bytes + 1, bytes};
}

static struct measure layout_measure(const struct mysql_database *self, const char *words)
{
    static const struct {
        const char *name;
        uint32_t bytes; /* LONG: stands elsewhere */
    } sizes[] = {{"tinyint", 1},     {"smallint", 2}, {"mediumint", 3},     {"int", 4},
                 {"integer", 4},     {"bigint", 8},   {"float", 4},         {"double", 8},
                 {"real", 8},        {"bit", 8},      {"bool", 1},          {"boolean", 1},
                 {"date", 3},        {"datetime", 8}, {"timestamp", 7},     {"time", 6},
                 {"year", 1},        {"uuid", 16},    {"enum", 2},          {"set", 8},
                 {"tinytext", LONG}, {"text", LONG},  {"mediumtext", LONG}, {"longtext", LONG},
                 {"tinyblob", LONG}, {"blob", LONG},  {"mediumblob", LONG}, {"longblob", LONG},
                 {"json", LONG}};
    char name[16];
    int64_t number[2] = {0, 0};
    int count = mysql_type_numbers(words, number);
    uint32_t length = count > 0 ? (uint32_t)number[0] : 1;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(words, "( "), words);

    if (strcasecmp(name, "varchar") == 0 || strcasecmp(name, "varbinary") == 0) {
        return measure_varying(self, length * character_bytes(words));
    }
    if (strcasecmp(name, "char") == 0 || strcasecmp(name, "binary") == 0) {
        uint32_t bytes = length * character_bytes(words);
        /* InnoDB keeps one of several bytes a character as it keeps what varies */
        bool varies = bytes > length && !has_fixed_characters(words);
        uint32_t page = varies ? measure_varying(self, bytes).page : bytes + 1;
        return (struct measure){bytes, page, bytes};
    }
    if (strcasecmp(name, "decimal") == 0 || strcasecmp(name, "numeric") == 0) {
        return measure_fixed(decimal_bytes(count > 0 ? length : 10, (uint32_t)number[1]));
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (strcasecmp(name, sizes[i].name) == 0 && sizes[i].bytes != LONG) {
            return measure_fixed(sizes[i].bytes);
        }
    }
    uint32_t pointer = (self->mariadb ? POINTER : OLD_POINTER) + 1;
    return (struct measure){12, pointer, 0};
}

/* ---------------------------------------------------------------- indexes */

static int32_t column_of(const struct target_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (strcasecmp(table->columns[i].name, name) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

enum kind { PRIMARY, UNIQUE, PLAIN };

static uint32_t column_bytes_max(const struct mysql_database *self)
{
    bool old = self->version < (self->mariadb ? 100202u : 50700u);
    return old ? OLD_COLUMN_MAX : INDEX_MAX;
}

/* So many characters or bytes of a column go into a plain index; 0: all of it. */
static uint32_t prefix_of(const struct mysql_database *self, const char *words)
{
    enum { CHARACTERS = 191, BYTES = 764 }; /* utf8mb4 takes four bytes of each */
    size_t length = strcspn(words, "( ");
    uint32_t bytes = layout_measure(self, words).index;
    if (bytes > 0 && bytes <= column_bytes_max(self)) {
        return 0;
    }
    bool text = length >= 4 && strncasecmp(words + length - 4, "text", 4) == 0;
    bool blob = length >= 4 && strncasecmp(words + length - 4, "blob", 4) == 0;
    return text || strncasecmp(words, "varchar", 7) == 0     ? CHARACTERS
           : blob || strncasecmp(words, "varbinary", 9) == 0 ? BYTES
                                                             : 0;
}

/* The bytes of a column in an index; 0: it can't be in one. */
static uint32_t index_bytes(const struct mysql_database *self, const char *words, enum kind kind)
{
    uint32_t prefix = kind == PLAIN ? prefix_of(self, words) : 0;
    return prefix > 0 ? prefix * character_bytes(words) : layout_measure(self, words).index;
}

/* Appends why the server would refuse an index over these columns, or nothing. */
static void find_fault(const struct mysql_database *self, const struct target_table *table,
                       const struct mysql_layout *layout, struct column_list columns,
                       enum kind kind, struct buffer *why)
{
    bool hashes = self->mariadb && self->version >= 100400;
    uint32_t parts_max = self->mariadb ? 32 : 16;
    uint32_t bytes = 0;
    if (kind == UNIQUE && hashes) {
        return;
    }
    if (columns.count > parts_max) {
        buffer_format(why, "it has %u columns, and the server takes %u", columns.count, parts_max);
        return;
    }
    for (uint32_t i = 0; i < columns.count; i++) {
        int32_t column = column_of(table, columns.names[i]);
        const char *words = column >= 0 ? layout->types[column] : "int";
        uint32_t one = index_bytes(self, words, kind);
        char shown[SQL_SHOWN_BYTES];
        if (one == 0) {
            buffer_format(why, "%s is a %.*s, of which the server makes no key",
                          sql_show_name(columns.names[i], shown), (int)strcspn(words, "( "), words);
            return;
        }
        if (one > column_bytes_max(self)) {
            buffer_format(why, "%s may take %u bytes, and the server takes %u of a column",
                          sql_show_name(columns.names[i], shown), one, column_bytes_max(self));
            return;
        }
        bytes += one;
    }
    if (bytes > INDEX_MAX) {
        buffer_format(why, "it may take %u bytes, and the server takes %d", bytes, INDEX_MAX);
    }
}

static const char *fault_of(const struct mysql_database *self, const struct target_table *table,
                            const struct mysql_layout *layout, struct column_list columns,
                            enum kind kind, struct arena *arena)
{
    struct buffer why = {0};
    find_fault(self, table, layout, columns, kind, &why);
    const char *fault = why.length > 0 ? sql_text(arena, &why) : NULL;
    return fault;
}

/* ---------------------------------------------------------------- the table */

/* InnoDB can't index a text without a length, nor refer to one. */
static bool is_indexed(const struct target_table *table, const char *name)
{
    bool found = mysql_is_in(table->key, name);
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct target_index *index = &table->indexes[i];
        /* of plain ones the beginnings of long texts are enough */
        found = found || (index->unique && mysql_is_in(index->columns, name));
    }
    for (uint32_t i = 0; i < table->reference_count; i++) {
        found = found || mysql_is_in(table->references[i].columns, name);
    }
    return found;
}

static void choose_types(const struct mysql_database *self, const struct target_table *table,
                         struct arena *arena, const struct mysql_layout *layout)
{
    struct buffer words = {0};
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct schema_column *column = &table->columns[i];
        buffer_clear(&words);
        mysql_append_type(&words, self, &column->type, column->collation,
                          is_indexed(table, column->name));
        layout->types[i] = arena_copy_string(arena, buffer_string(&words));
    }
    buffer_free(&words);
}

/* A column that the plan gives no type, outside of keys. */
static bool may_be_long(const struct target_table *table, const struct mysql_layout *layout,
                        uint32_t column)
{
    const char *words = layout->types[column];
    return table->columns[column].type.native == NULL &&
           (strncmp(words, "varchar(", 8) == 0 || strncmp(words, "varbinary(", 10) == 0) &&
           !is_indexed(table, table->columns[column].name);
}

static void make_long(struct arena *arena, const struct mysql_layout *layout, uint32_t column)
{
    const char *words = layout->types[column];
    bool bytes = strncmp(words, "varbinary", 9) == 0;
    layout->types[column] =
        arena_format(arena, "%s%s", bytes ? "blob" : "text", strchr(words, ')') + 1);
}

static void add_up(const struct mysql_database *self, const struct target_table *table,
                   struct mysql_layout *layout)
{
    uint32_t nulls = (table->column_count + 7) / 8 + 1;
    layout->row_bytes = nulls;
    layout->page_bytes = nulls + 5 + 6 + 7 + (table->key.count == 0 ? 6 : 0);
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct measure one = layout_measure(self, layout->types[i]);
        layout->row_bytes += one.row;
        layout->page_bytes += one.page;
    }
}

/* The largest ones become texts of their own until the row fits. */
static void fit(const struct mysql_database *self, const struct target_table *table,
                struct arena *arena, struct mysql_layout *layout)
{
    uint32_t longest = 1;
    add_up(self, table, layout);
    while (longest > 0 && !mysql_layout_fits(layout)) {
        uint32_t chosen = 0;
        struct measure pointer = layout_measure(self, "text");
        longest = 0;
        for (uint32_t i = 0; i < table->column_count; i++) {
            struct measure one = layout_measure(self, layout->types[i]);
            uint32_t now = layout->row_bytes > ROW_MAX ? one.row : one.page;
            uint32_t then = layout->row_bytes > ROW_MAX ? pointer.row : pointer.page;
            if (now > then && now > longest && may_be_long(table, layout, i)) {
                longest = now;
                chosen = i;
            }
        }
        if (longest > 0) {
            make_long(arena, layout, chosen);
        }
        add_up(self, table, layout);
    }
}

bool mysql_layout_fits(const struct mysql_layout *layout)
{
    return layout->row_bytes <= ROW_MAX && layout->page_bytes <= PAGE_MAX;
}

struct mysql_layout mysql_layout_make(const struct mysql_database *self,
                                      const struct target_table *table, struct arena *arena)
{
    struct mysql_layout layout = {
        .types = arena_allocate_zeroed(arena, (size_t)table->column_count + 1, sizeof(char *)),
        .faults = arena_allocate_zeroed(arena, (size_t)table->index_count + 1, sizeof(char *)),
    };
    choose_types(self, table, arena, &layout);
    fit(self, table, arena, &layout);
    layout.key_fault = fault_of(self, table, &layout, table->key, PRIMARY, arena);
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct target_index *index = &table->indexes[i];
        layout.faults[i] =
            fault_of(self, table, &layout, index->columns, index->unique ? UNIQUE : PLAIN, arena);
    }
    return layout;
}

void mysql_layout_append_index(const struct mysql_database *self, const struct target_table *table,
                               const struct mysql_layout *layout, const struct target_index *index,
                               struct buffer *sql)
{
    mysql_append(sql, "%s%n (", index->unique ? "UNIQUE KEY " : "KEY ", index->name);
    for (uint32_t i = 0; i < index->columns.count; i++) {
        int32_t column = column_of(table, index->columns.names[i]);
        uint32_t prefix = column < 0 || index->unique ? 0 : prefix_of(self, layout->types[column]);
        mysql_append(sql, "%s%n", i > 0 ? ", " : "", index->columns.names[i]);
        if (prefix > 0) {
            buffer_format(sql, "(%u)", prefix);
        }
    }
    buffer_append_byte(sql, ')');
}
