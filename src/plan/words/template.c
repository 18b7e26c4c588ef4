/* Takes templates apart. */
#include "plan/words/template.h"

#include <string.h>

struct template_reader {
    const struct plan_node *node;
    struct arena *arena;
    struct plan_faults *faults;
    const char *position;
    const char *end;
    struct buffer literal;
    struct template_part *parts;
    uint32_t count;
    uint32_t capacity;
    bool failed;
};

bool template_is_plain(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte < 0x20 || byte > 0x7e || byte == '"' || byte == '\\') {
            return false;
        }
    }
    return true;
}

/* Line and column of a byte of the template: exact while the scalar is on one line without
 * escapes. */
static void template_place(const struct template_reader *reader, const char *position,
                           uint32_t *line, uint32_t *column)
{
    *line = reader->node->line;
    *column = reader->node->column + (reader->node->quoted ? 1 : 0);
    for (const char *at = reader->node->text; at < position; at++) {
        *column += ((unsigned char)*at & 0xC0) != 0x80;
    }
}

static void fault(struct template_reader *reader, const char *position, const char *hint,
                  const char *what)
{
    uint32_t line;
    uint32_t column;
    template_place(reader, position, &line, &column);
    plan_fault_at(reader->faults, ERROR_PLAN_INVALID, line, column, hint, "%s", what);
    reader->failed = true;
}

static struct template_part *add_part(struct template_reader *reader)
{
    if (reader->count == reader->capacity) {
        uint32_t capacity = reader->capacity == 0 ? 4 : reader->capacity * 2;
        struct template_part *parts = arena_allocate_zeroed(reader->arena, capacity, sizeof *parts);
        if (reader->count > 0) {
            memcpy(parts, reader->parts, reader->count * sizeof *parts);
        }
        reader->parts = parts;
        reader->capacity = capacity;
    }
    struct template_part *part = &reader->parts[reader->count];
    part->literal =
        arena_copy(reader->arena, reader->literal.length > 0 ? reader->literal.data : "",
                   reader->literal.length);
    part->literal_length = (uint32_t)reader->literal.length;
    part->literal_plain = template_is_plain(part->literal, part->literal_length);
    buffer_clear(&reader->literal);
    reader->count++;
    return part;
}

/* ":010" at the end of what stands between braces. */
static size_t read_pad(const char *name, size_t length, uint32_t *pad)
{
    size_t digits = 0;
    *pad = 0;
    while (digits < length && name[length - 1 - digits] >= '0' &&
           name[length - 1 - digits] <= '9') {
        digits++;
    }
    if (digits < 2 || digits > 3 || digits >= length || name[length - 1 - digits] != ':' ||
        name[length - digits] != '0') {
        return length;
    }
    uint32_t value = 0;
    for (size_t i = length - digits; i < length; i++) {
        value = value * 10 + (uint32_t)(name[i] - '0');
    }
    *pad = value;
    return length - digits - 1;
}

/* The name in quotes that begins at `position`; the end comes back, NULL if the quote stays
 * open. */
static const char *read_quoted(struct template_reader *reader, const char *position,
                               struct buffer *name)
{
    for (position++; position < reader->end; position++) {
        if (*position != '"') {
            buffer_append_byte(name, *position);
        } else if (position + 1 < reader->end && position[1] == '"') {
            buffer_append_byte(name, '"');
            position++;
        } else {
            return position + 1;
        }
    }
    return NULL;
}

static void read_value(struct template_reader *reader)
{
    const char *open = reader->position;
    const char *start = open + 1;
    struct buffer name = {0};
    const char *rest = start;
    if (start < reader->end && *start == '"') {
        rest = read_quoted(reader, start, &name);
        rest = rest != NULL ? rest : reader->end;
    }
    const char *close = memchr(rest, '}', (size_t)(reader->end - rest));
    uint32_t pad = 0;
    if (close == NULL) {
        fault(reader, open, "{{ is a literal brace", "'{' without '}'");
        goto out;
    }
    size_t length = read_pad(rest, (size_t)(close - rest), &pad);
    if (start < reader->end && *start == '"' && length > 0) {
        fault(reader, rest, NULL, "after the quoted name only '}' or ':010' may follow");
        goto out;
    }
    buffer_append(&name, rest, length);
    if (name.length == 0) {
        fault(reader, open, "{{ is a literal brace", "no name between the braces");
        goto out;
    }
    if (memchr(name.data, '{', name.length) != NULL && *start != '"') {
        fault(reader, open, "{{ is a literal brace", "'{' inside braces");
        goto out;
    }
    if (pad > TEMPLATE_PAD_MAX) {
        fault(reader, open, NULL, "padding above 40 digits");
        goto out;
    }
    struct template_part *part = add_part(reader);
    part->has_value = true;
    part->pad = pad;
    part->name = arena_copy(reader->arena, name.data, name.length);
    template_place(reader, start, &part->line, &part->column);
    reader->position = close + 1;
out:
    buffer_free(&name);
}

void template_parse(const struct plan_node *node, struct arena *arena, struct plan_faults *faults,
                    struct plan_template *template)
{
    struct template_reader reader = {.node = node,
                                     .arena = arena,
                                     .faults = faults,
                                     .position = node->text,
                                     .end = node->text + node->length};
    template->parts = NULL;
    template->count = 0;
    while (reader.position < reader.end && !reader.failed) {
        char byte = *reader.position;
        if ((byte == '{' || byte == '}') && reader.position + 1 < reader.end &&
            reader.position[1] == byte) {
            buffer_append_byte(&reader.literal, byte);
            reader.position += 2;
        } else if (byte == '}') {
            fault(&reader, reader.position, "}} is a literal brace", "'}' without '{'");
        } else if (byte != '{') {
            buffer_append_byte(&reader.literal, byte);
            reader.position++;
        } else {
            read_value(&reader);
        }
    }
    if (!reader.failed) {
        if (reader.literal.length > 0 || reader.count == 0) {
            (void)add_part(&reader);
        }
        template->parts = reader.parts;
        template->count = reader.count;
    }
    buffer_free(&reader.literal);
}

static bool is_plain_name(const char *name)
{
    uint32_t pad;
    size_t length = strlen(name);
    return length > 0 && strpbrk(name, "{}\"") == NULL && read_pad(name, length, &pad) == length;
}

void template_append_name(struct buffer *out, const char *name)
{
    bool quoted = !is_plain_name(name);
    buffer_append(out, "\"", quoted);
    for (const char *at = name; *at != '\0'; at++) {
        if (*at == '"') {
            buffer_append_byte(out, '"');
        }
        buffer_append_byte(out, *at);
    }
    buffer_append(out, "\"", quoted);
}

const char *template_quote_name(struct arena *arena, const char *name)
{
    struct buffer quoted = {0};
    if (is_plain_name(name)) {
        return name;
    }
    template_append_name(&quoted, name);
    const char *copy = arena_copy(arena, quoted.data, quoted.length);
    buffer_free(&quoted);
    return copy;
}
