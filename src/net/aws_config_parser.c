/*
 * The form of ~/.aws/config and ~/.aws/credentials, as AWS's command line reads it:
 *
 *   [profile shop]            in the credentials file: [shop]; "[default]" in both
 *   # comment  ; comment      whole lines only: a value may hold " # "
 *   region = eu-west-1        "=" or ":"; names in any case; a later one of a name counts
 *   s3 =                      an empty value and deeper lines: settings nested below it
 *     max_concurrent = 20
 *   credential_process = a    a value and deeper lines: the value goes on
 *     b
 *
 * Sections that come twice are one.
 */
#include "net/aws_config_internal.h"

#include "base/buffer.h"
#include "base/file.h"
#include "base/secret.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct line {
    const char *text; /* without blanks around it */
    size_t length;
    size_t indent;
    uint32_t number;
};

struct parser {
    struct aws_file *file;
    struct arena *arena;
    struct error *error;
    const char *next;
    const char *end;
    uint32_t line_number;
    struct aws_section *section; /* NULL: before the first */
    struct aws_setting *setting; /* the one that deeper lines belong to */
    size_t setting_indent;
    bool nesting;        /* its value was empty */
    struct buffer value; /* of a setting that went on; empty: it did not */
};

/* Never quotes the line: it may be a secret. */
static enum status bad_line(struct parser *parser, const char *what)
{
    char place[280];
    snprintf(place, sizeof(place), "%.240s:%u", parser->file->path, parser->line_number);
    error_set(parser->error, ERROR_AWS_CONFIG, place, "%s", what);
    return error_hint(parser->error,
                      "sections are [profile NAME] (in the credentials file [NAME]), settings "
                      "name = value, comments begin a line with #");
}

/* The next line; false at the end. */
static bool next_line(struct parser *parser, struct line *line)
{
    if (parser->next >= parser->end) {
        return false;
    }
    const char *newline = memchr(parser->next, '\n', (size_t)(parser->end - parser->next));
    const char *stop = newline == NULL ? parser->end : newline;
    const char *start = parser->next;
    while (start < stop && isspace((unsigned char)*start)) {
        start++;
    }
    line->indent = (size_t)(start - parser->next);
    parser->next = newline == NULL ? parser->end : newline + 1;
    while (stop > start && isspace((unsigned char)stop[-1])) {
        stop--;
    }
    line->text = start;
    line->length = (size_t)(stop - start);
    line->number = ++parser->line_number;
    return true;
}

/* The words of a section's head: "profile "my shop"" to `kind` and `name`; false: it has others. */
static bool split_head(struct parser *parser, const char *text, size_t length, char **kind,
                       char **name)
{
    char *words[2] = {NULL, NULL};
    size_t count = 0;
    size_t i = 0;
    for (;;) {
        while (i < length && isspace((unsigned char)text[i])) {
            i++;
        }
        if (i == length) {
            break;
        }
        if (count == 2) {
            return false;
        }
        char *word = arena_allocate(parser->arena, length - i + 1);
        size_t used = 0;
        char quote = '\0';
        for (; i < length && (quote != '\0' || !isspace((unsigned char)text[i])); i++) {
            if (quote == '\0' && (text[i] == '"' || text[i] == '\'')) {
                quote = text[i];
            } else if (quote != '\0' && text[i] == quote) {
                quote = '\0';
            } else {
                word[used++] = text[i];
            }
        }
        if (quote != '\0') {
            return false;
        }
        word[used] = '\0';
        words[count++] = word;
    }
    *kind = words[0];
    *name = words[1];
    return count > 0;
}

/* One key for a section of either file. */
static const char *key_of_head(struct parser *parser, const char *text, size_t length)
{
    char *kind = NULL;
    char *name = NULL;
    if (parser->file->is_credentials) {
        char *whole = arena_copy(parser->arena, text, length);
        return strcmp(whole, "default") == 0 ? whole
                                             : arena_format(parser->arena, "profile %s", whole);
    }
    if (!split_head(parser, text, length, &kind, &name)) {
        return arena_format(parser->arena, "unreadable %u", parser->line_number);
    }
    return name == NULL ? kind : arena_format(parser->arena, "%s %s", kind, name);
}

/* The linter counts the nesting inside of uthash's macros, which isn't ours to split. */
/* NOLINTNEXTLINE(readability-function-size) */
static struct aws_section *find_section(const struct aws_file *file, const char *key, size_t length)
{
    struct aws_section *section = NULL;
    HASH_FIND(hh, file->sections, key, length, section);
    return section;
}

/* All that is large here is uthash's macro. */
/* NOLINTNEXTLINE(readability-function-size) */
static struct aws_section *add_section(struct parser *parser, const char *key)
{
    struct aws_section *section = arena_allocate_zeroed(parser->arena, 1, sizeof(*section));
    section->key = key;
    HASH_ADD_KEYPTR(hh, parser->file->sections, section->key, strlen(section->key), section);
    return section;
}

static enum status begin_section(struct parser *parser, const struct line *line)
{
    const char *close = memrchr(line->text, ']', line->length);
    if (close == NULL) {
        return bad_line(parser, "a section has no closing bracket");
    }
    const char *start = line->text + 1;
    while (start < close && isspace((unsigned char)*start)) {
        start++;
    }
    while (close > start && isspace((unsigned char)close[-1])) {
        close--;
    }
    if (close == start) {
        return bad_line(parser, "a section has no name");
    }
    const char *key = key_of_head(parser, start, (size_t)(close - start));
    parser->section = find_section(parser->file, key, strlen(key));
    if (parser->section == NULL) {
        parser->section = add_section(parser, key);
    }
    return STATUS_OK;
}

/* Adds a setting to the section; `prefix` (may be NULL) and a dot before its name. */
static struct aws_setting *add_setting(struct parser *parser, const char *prefix, const char *name,
                                       size_t name_length, const char *value, size_t value_length)
{
    struct aws_setting *setting = arena_allocate_zeroed(parser->arena, 1, sizeof(*setting));
    char *copy = arena_format(parser->arena, "%s%s%.*s", prefix == NULL ? "" : prefix,
                              prefix == NULL ? "" : ".", (int)name_length, name);
    for (char *c = copy; *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    setting->name = copy;
    setting->value = arena_copy(parser->arena, value, value_length);
    setting->older = parser->section->newest;
    parser->section->newest = setting;
    return setting;
}

/* Splits at the first of `delimiters`; false: there is none, or no name before it. */
static bool split_setting(const struct line *line, const char *delimiters, size_t *name_length,
                          const char **value, size_t *value_length)
{
    size_t i = 0;
    while (i < line->length && strchr(delimiters, line->text[i]) == NULL) {
        i++;
    }
    if (i == line->length) {
        return false;
    }
    *value = line->text + i + 1;
    *value_length = line->length - i - 1;
    while (*value_length > 0 && isspace((unsigned char)**value)) {
        (*value)++;
        (*value_length)--;
    }
    while (i > 0 && isspace((unsigned char)line->text[i - 1])) {
        i--;
    }
    *name_length = i;
    return i > 0;
}

/* Gives a setting that went on over several lines its whole value. */
static void end_setting(struct parser *parser)
{
    if (parser->value.length > 0) {
        parser->setting->value =
            arena_copy(parser->arena, parser->value.data, parser->value.length);
        secret_wipe(parser->value.data, parser->value.length);
        buffer_clear(&parser->value);
    }
    parser->setting = NULL;
}

static enum status go_on(struct parser *parser, const struct line *line)
{
    size_t name_length = 0;
    const char *value = NULL;
    size_t value_length = 0;
    if (!parser->nesting) {
        struct aws_setting *setting = parser->setting;
        if (parser->value.length == 0) {
            buffer_append_string(&parser->value, setting->value);
        }
        buffer_append_byte(&parser->value, '\n');
        buffer_append(&parser->value, line->text, line->length);
        return STATUS_OK;
    }
    if (!split_setting(line, "=", &name_length, &value, &value_length)) {
        return bad_line(parser, "a nested line is no name = value");
    }
    add_setting(parser, parser->setting->name, line->text, name_length, value, value_length);
    return STATUS_OK;
}

static enum status begin_setting(struct parser *parser, const struct line *line)
{
    size_t name_length = 0;
    const char *value = NULL;
    size_t value_length = 0;
    if (parser->section == NULL) {
        return bad_line(parser, "a line stands before the first [section]");
    }
    if (!split_setting(line, "=:", &name_length, &value, &value_length)) {
        return bad_line(parser, "a line is no [section], no name = value and no comment");
    }
    parser->setting = add_setting(parser, NULL, line->text, name_length, value, value_length);
    parser->setting_indent = line->indent;
    parser->nesting = value_length == 0;
    return STATUS_OK;
}

static enum status parse_line(struct parser *parser, const struct line *line)
{
    if (line->length == 0 || line->text[0] == '#' || line->text[0] == ';') {
        return STATUS_OK;
    }
    if (memchr(line->text, '\0', line->length) != NULL) {
        return bad_line(parser, "a line holds a NUL byte: the file is no text in UTF-8");
    }
    if (parser->setting != NULL && line->indent > parser->setting_indent) {
        return go_on(parser, line);
    }
    end_setting(parser);
    return line->text[0] == '[' ? begin_section(parser, line) : begin_setting(parser, line);
}

enum status aws_config_parse(struct aws_file *file, struct arena *arena, struct error *error)
{
    enum status status =
        file_read_all(file->path, AWS_FILE_BYTES_MAX, arena, &file->bytes, &file->length, error);
    if (status == STATUS_END) {
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        error_recode(error, ERROR_AWS_CONFIG);
        return status;
    }
    file->present = true;
    struct parser parser = {.file = file,
                            .arena = arena,
                            .error = error,
                            .next = file->bytes,
                            .end = file->bytes + file->length};
    if (file->length >= 3 && memcmp(file->bytes, "\xEF\xBB\xBF", 3) == 0) {
        parser.next += 3; /* a byte order mark */
    }
    struct line line;
    status = STATUS_OK;
    while (status == STATUS_OK && next_line(&parser, &line)) {
        status = parse_line(&parser, &line);
    }
    if (status == STATUS_OK) {
        end_setting(&parser);
    }
    secret_wipe(parser.value.data, parser.value.length);
    buffer_free(&parser.value);
    return status;
}

void aws_config_file_wipe(struct aws_file *file)
{
    struct aws_section *section = NULL;
    struct aws_section *following = NULL;
    HASH_ITER (hh, file->sections, section, following) {
        for (struct aws_setting *setting = section->newest; setting != NULL;
             setting = setting->older) {
            if (setting->value != NULL) {
                secret_wipe(setting->value, strlen(setting->value));
            }
        }
        HASH_DEL(file->sections, section);
    }
    secret_wipe(file->bytes, file->length);
}

const struct aws_section *aws_config_find_section(const struct aws_file *file, const char *kind,
                                                  const char *name)
{
    char key[512];
    int length = snprintf(key, sizeof(key), "%s%s%s", kind, kind[0] == '\0' ? "" : " ", name);
    return length > 0 && (size_t)length < sizeof(key) ? find_section(file, key, (size_t)length)
                                                      : NULL;
}

const char *aws_config_find_setting(const struct aws_section *section, const char *name)
{
    const struct aws_setting *setting = section == NULL ? NULL : section->newest;
    while (setting != NULL && strcmp(setting->name, name) != 0) {
        setting = setting->older;
    }
    return setting == NULL ? NULL : setting->value;
}
