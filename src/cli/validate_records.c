/* The differing records of a validation as a table for people, made of their lines of JSON. */
#include "cli/validate_records.h"

#include "model/json_reader.h"
#include "observe/table.h"
#include <string.h>

/* One line, as far as it was read. */
struct line {
    struct json_reader reader;
    struct buffer kind;
    struct buffer entity;
    struct buffer key;
    struct table *table;
    bool has_row;
};

static bool validate_records_next(struct line *line, enum json_token *token)
{
    struct error ignored; /* the line is our own */
    return json_reader_next(&line->reader, token, &ignored) == STATUS_OK;
}

static bool is_named(const struct line *line, const char *name)
{
    const struct json_reader *reader = &line->reader;
    return reader->length == strlen(name) && memcmp(reader->text, name, reader->length) == 0;
}

/* The value after the key just read, as it stands. */
static bool take_raw(struct line *line, struct buffer *out)
{
    struct error ignored;
    const char *begin = line->reader.position;
    bool fine = json_reader_skip(&line->reader, JSON_TOKEN_KEY, &ignored) == STATUS_OK;
    begin += strspn(begin, ": ");
    if (fine) {
        buffer_append(out, begin, (size_t)(line->reader.position - begin));
    }
    return fine;
}

/* A text after the key just read; null stands for what a side has not: no such field, or a NULL
 * where the target can't tell the two apart. */
static bool take_text(struct line *line, struct buffer *out)
{
    enum json_token token;
    if (!validate_records_next(line, &token)) {
        return false;
    }
    if (token == JSON_TOKEN_STRING) {
        buffer_append(out, line->reader.text, line->reader.length);
        return true;
    }
    buffer_append_string(out, "(none)");
    return token == JSON_TOKEN_NULL;
}

/* {"a":"k5","b":5} as: a "k5", b 5 */
static bool take_key(struct line *line)
{
    enum json_token token;
    bool fine = validate_records_next(line, &token) && token == JSON_TOKEN_OBJECT_BEGIN;
    while (fine && (fine = validate_records_next(line, &token)) && token == JSON_TOKEN_KEY) {
        buffer_append_string(&line->key, line->key.length == 0 ? "" : ", ");
        buffer_append(&line->key, line->reader.text, line->reader.length);
        buffer_append_byte(&line->key, ' ');
        fine = take_raw(line, &line->key);
    }
    if (line->key.length == 0) { /* without a key it is named by its values, of which it has none */
        buffer_append_string(&line->key, "(no values)");
    }
    return fine;
}

/* The first row names the record, those of its other fields stand below. */
static void add_row(struct line *line, const char *field, const char *source, const char *target)
{
    table_add_text(line->table, line->has_row ? "" : buffer_string(&line->kind));
    table_add_text(line->table, line->has_row ? "" : buffer_string(&line->entity));
    table_add_text(line->table, line->has_row ? "" : buffer_string(&line->key));
    table_add_text(line->table, field);
    table_add_text(line->table, source);
    table_add_text(line->table, target);
    line->has_row = true;
}

static bool take_field(struct line *line)
{
    struct buffer name = {0};
    struct buffer source = {0};
    struct buffer target = {0};
    enum json_token token;
    bool fine = true;
    while (fine && (fine = validate_records_next(line, &token)) && token == JSON_TOKEN_KEY) {
        fine = take_text(line, is_named(line, "name")     ? &name
                               : is_named(line, "source") ? &source
                                                          : &target);
    }
    add_row(line, buffer_string(&name), buffer_string(&source), buffer_string(&target));
    buffer_free(&name);
    buffer_free(&source);
    buffer_free(&target);
    return fine;
}

static bool take_fields(struct line *line)
{
    enum json_token token;
    bool fine = validate_records_next(line, &token) && token == JSON_TOKEN_ARRAY_BEGIN;
    while (fine && (fine = validate_records_next(line, &token)) &&
           token == JSON_TOKEN_OBJECT_BEGIN) {
        fine = take_field(line);
    }
    return fine;
}

/* How many an `unreadable` line is about stands where others have their key, and why it can't be
 * read where they have what the target holds. */
static bool take_member(struct line *line)
{
    if (is_named(line, "key")) {
        return take_key(line);
    }
    if (is_named(line, "fields")) {
        return take_fields(line);
    }
    if (is_named(line, "count")) {
        return take_raw(line, &line->key);
    }
    if (is_named(line, "reason")) {
        struct buffer reason = {0};
        bool fine = take_text(line, &reason);
        add_row(line, "", "", buffer_string(&reason));
        buffer_free(&reason);
        return fine;
    }
    struct buffer unused = {0};
    bool fine = take_text(line, is_named(line, "kind")     ? &line->kind
                                : is_named(line, "entity") ? &line->entity
                                                           : &unused);
    buffer_free(&unused);
    return fine;
}

static void add_line(struct table *table, const char *text, size_t length, struct arena *arena)
{
    struct line line = {.table = table};
    enum json_token token;
    json_reader_init(&line.reader, text, length, JSON_DEPTH_MAX, arena);
    bool fine = validate_records_next(&line, &token) && token == JSON_TOKEN_OBJECT_BEGIN;
    while (fine && validate_records_next(&line, &token) && token == JSON_TOKEN_KEY) {
        fine = take_member(&line);
    }
    if (!line.has_row) {
        add_row(&line, "", "", "");
    }
    buffer_free(&line.kind);
    buffer_free(&line.entity);
    buffer_free(&line.key);
}

void validate_records_append(const char *lines, bool color, uint32_t columns, struct buffer *out)
{
    static const char *const titles[] = {"kind",   "entity", "key", "field",
                                         "source", "target", NULL};
    struct table *table = table_create(titles);
    struct arena *arena = arena_create(0);
    for (const char *line = lines; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        add_line(table, line, length, arena);
        arena_reset(arena);
        line += length + (line[length] == '\n');
    }
    table_fit(table, columns);
    table_append(table, color, out);
    table_destroy(table);
    arena_destroy(arena);
}
