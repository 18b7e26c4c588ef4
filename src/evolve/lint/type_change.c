/* Which changes of a column's type keep its stored bytes. */
#include "evolve/lint/lint_internal.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A type without blanks, in lower case, but for what is in quotes. */
static char *squeezed(struct arena *arena, const char *text, size_t length)
{
    char *out = arena_copy(arena, text, length);
    size_t kept = 0;
    char quote = '\0';
    for (size_t i = 0; i < length; i++) {
        char byte = out[i];
        if (quote == '\0' && isspace((unsigned char)byte)) {
            continue;
        }
        quote = quote != '\0'                 ? (byte == quote ? '\0' : quote)
                : byte == '\'' || byte == '"' ? byte
                                              : '\0';
        out[kept++] = quote == '\0' ? (char)tolower((unsigned char)byte) : byte;
    }
    out[kept] = '\0';
    return out;
}

/* One type under several names: the last one is what the others are made. */
static const struct {
    enum sql_language language;
    const char *name; /* whole, or up to its arguments */
    const char *made;
} other_names[] = {
    {SQL_POSTGRES, "charactervarying", "varchar"},
    {SQL_POSTGRES, "character", "char"},
    {SQL_POSTGRES, "bitvarying", "varbit"},
    {SQL_POSTGRES, "decimal", "numeric"},
    {SQL_POSTGRES, "int8", "bigint"},
    {SQL_POSTGRES, "int4", "integer"},
    {SQL_POSTGRES, "int", "integer"},
    {SQL_POSTGRES, "int2", "smallint"},
    {SQL_POSTGRES, "bool", "boolean"},
    {SQL_POSTGRES, "float8", "doubleprecision"},
    {SQL_POSTGRES, "float4", "real"},
    {SQL_MYSQL, "integer", "int"},
    {SQL_MYSQL, "decimal", "numeric"},
    {SQL_MYSQL, "dec", "numeric"},
};

/* "timestamp(3)withtimezone" -> "timestamptz(3)" */
static char *with_zone(struct arena *arena, char *type)
{
    char *suffix = strstr(type, "withtimezone");
    char *without = strstr(type, "withouttimezone");
    if (without != NULL) {
        *without = '\0';
    } else if (suffix != NULL) {
        size_t name = strcspn(type, "(w");
        *suffix = '\0';
        return arena_format(arena, "%.*stz%s", (int)name, type, type + name);
    }
    return type;
}

/* "integer" -> "int"; MySQL's widths of display, as in int(11), say nothing. */
static const char *normal(enum sql_language language, struct arena *arena, const char *text,
                          size_t length)
{
    char *type = squeezed(arena, text, length);
    type = language == SQL_POSTGRES ? with_zone(arena, type) : type;
    size_t name = strcspn(type, "(");
    for (size_t i = 0; i < sizeof other_names / sizeof other_names[0]; i++) {
        if (other_names[i].language == language && strlen(other_names[i].name) == name &&
            strncmp(type, other_names[i].name, name) == 0) {
            type = arena_format(arena, "%s%s", other_names[i].made, type + name);
            name = strlen(other_names[i].made);
            break;
        }
    }
    const char *close = strchr(type, ')');
    bool integer = name >= 3 && strncmp(type + name - 3, "int", 3) == 0;
    if (language == SQL_MYSQL && integer && type[name] == '(' && close != NULL) {
        return arena_format(arena, "%.*s%s", (int)name, type, close + 1);
    }
    return type;
}

/* Behind "name(": the first number, and what stands behind it; false: it is another type. */
static bool read_size(const char *type, const char *name, long *size, const char **rest)
{
    size_t length = strlen(name);
    if (strncmp(type, name, length) != 0 || type[length] != '(') {
        return false;
    }
    char *end;
    *size = strtol(type + length + 1, &end, 10);
    *rest = end;
    return true;
}

/* The same type with a larger size, and all else the same: numeric(10,2) to numeric(12,2). */
static bool widens(const char *name, const char *before, const char *after)
{
    long old;
    long new;
    const char *old_rest;
    const char *new_rest;
    return read_size(before, name, &old, &old_rest) && read_size(after, name, &new, &new_rest) &&
           new >= old &&strcmp(old_rest, new_rest) == 0;
}

static bool is_free_in_postgres(const char *before, const char *after)
{
    static const char *const sized[] = {"varchar", "varbit",   "numeric",     "timestamp",
                                        "time",    "interval", "timestamptz", "timetz"};
    for (size_t i = 0; i < sizeof sized / sizeof sized[0]; i++) {
        bool unlimited = strcmp(after, sized[i]) == 0 &&
                         strncmp(before, sized[i], strlen(sized[i])) == 0 &&
                         before[strlen(sized[i])] == '(';
        if (unlimited || widens(sized[i], before, after)) {
            return true;
        }
    }
    bool text = strcmp(after, "text") == 0 || strcmp(after, "varchar") == 0;
    bool string = strncmp(before, "varchar", 7) == 0 || strcmp(before, "text") == 0;
    return (text && string) || (strcmp(before, "cidr") == 0 && strcmp(after, "inet") == 0);
}

/* The number of members of an ENUM or a SET. */
static uint32_t count_members(const char *type)
{
    uint32_t count = 1;
    bool quoted = false;
    for (; *type != '\0'; type++) {
        quoted ^= *type == '\'';
        count += !quoted && *type == ',';
    }
    return count;
}

/* Do the members of the one begin the other, and does a value still have as many bytes? */
static bool appends(const char *before, const char *after)
{
    enum { ONE_BYTE = 255, BITS = 8 };
    size_t length = strlen(before);
    if (length == 0 || before[length - 1] != ')' || strncmp(before, after, length - 1) != 0 ||
        (after[length - 1] != ',' && after[length - 1] != ')')) {
        return false;
    }
    uint32_t old = count_members(before);
    uint32_t new = count_members(after);
    bool set = strncmp(before, "set(", 4) == 0;
    return set ? (old - 1) / BITS == (new - 1) / BITS : (old <= ONE_BYTE) == (new <= ONE_BYTE);
}

/* A length that fits into the same number of bytes. */
static bool is_free_in_mysql(const char *before, const char *after)
{
    enum { ONE_BYTE = 63 }; /* characters of utf8mb4 in 255 bytes; MariaDB does some more */
    long old;
    long new;
    const char *rest;
    if (lint_is_members(before)) {
        return appends(before, after);
    }
    return read_size(before, "varchar", &old, &rest) && read_size(after, "varchar", &new, &rest) &&
           new >= old && (old > ONE_BYTE || new <= ONE_BYTE);
}

bool lint_is_members(const char *type)
{
    return strncasecmp(type, "enum(", 5) == 0 || strncasecmp(type, "set(", 4) == 0 ||
           strncasecmp(type, "enum ", 5) == 0 || strncasecmp(type, "set ", 4) == 0;
}

bool lint_is_free_change(const struct lint_file *file, const struct schema_column *column,
                         const struct sql_span *type)
{
    enum sql_language language = file->input->language;
    if (column == NULL || column->type.native == NULL) {
        return false;
    }
    const char *before =
        normal(language, file->arena, column->type.native, strlen(column->type.native));
    const char *after = normal(language, file->arena, type->text, type->length);
    if (strcmp(before, after) == 0) {
        return true;
    }
    return language == SQL_MYSQL ? is_free_in_mysql(before, after)
                                 : is_free_in_postgres(before, after);
}
