/* Builds the tree of a plan from libyaml's events. */
#include "plan/text/tree.h"

#include "base/memory.h"
#include "base/text.h"
#include "plan/text/json_escapes.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct tree_reader {
    yaml_parser_t parser;
    struct arena *arena;
    struct plan_faults *faults;
    const char *text;
    size_t length;
    const char *line_start; /* of line `line_number`, 0-based: goes forward with the events */
    size_t line_number;
    uint32_t depth;
};

/* Children of a node while it grows. */
struct node_list {
    const struct plan_node **nodes;
    uint32_t count;
    uint32_t capacity;
};

static void node_list_add(struct tree_reader *reader, struct node_list *list,
                          const struct plan_node *node)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        const struct plan_node **nodes =
            arena_allocate_zeroed(reader->arena, capacity, sizeof(void *));
        if (list->count > 0) {
            memcpy(nodes, list->nodes, list->count * sizeof(void *));
        }
        list->nodes = nodes;
        list->capacity = capacity;
    }
    list->nodes[list->count++] = node;
}

static void fault_at_mark(struct tree_reader *reader, yaml_mark_t mark, const char *hint,
                          const char *what)
{
    plan_fault_at(reader->faults, ERROR_PLAN_SYNTAX, (uint32_t)mark.line + 1,
                  (uint32_t)mark.column + 1, hint, "%s", what);
}

/* The text of a line, counted from 0, up to the end of all; NULL: there is none. */
static const char *line_at(const struct tree_reader *reader, size_t line)
{
    const char *position = reader->text;
    const char *end = reader->text + reader->length;
    while (line > 0 && position < end) {
        const char *next = memchr(position, '\n', (size_t)(end - position));
        if (next == NULL) {
            return NULL;
        }
        position = next + 1;
        line--;
    }
    return position < end ? position : NULL;
}

static size_t indent_of(const struct tree_reader *reader, const char *line)
{
    size_t indent = 0;
    size_t left = (size_t)(reader->text + reader->length - line);
    while (indent < left && line[indent] == ' ') {
        indent++;
    }
    return indent;
}

static bool line_starts_with_tab(const struct tree_reader *reader, size_t number)
{
    const char *line = line_at(reader, number);
    size_t indent = line != NULL ? indent_of(reader, line) : 0;
    return line != NULL && line + indent < reader->text + reader->length && line[indent] == '\t';
}

/* The last character of a line before blanks. */
static char last_of(const struct tree_reader *reader, const char *line)
{
    const char *end = memchr(line, '\n', (size_t)(reader->text + reader->length - line));
    end = end != NULL ? end : reader->text + reader->length;
    while (end > line && strchr(" \r", end[-1]) != NULL) {
        end--;
    }
    return end > line ? end[-1] : '\0';
}

/* Says what is wrong with the indentation of the line with a fault, beside the lines above it;
 * false: nothing that is seen. */
static bool indentation_hint(const struct tree_reader *reader, size_t number, char *hint,
                             size_t size)
{
    enum { SHOWN = 6 };
    const char *line = line_at(reader, number);
    if (line == NULL) {
        return false;
    }
    size_t indent = indent_of(reader, line);
    size_t open[SHOWN];
    size_t count = 0;
    for (size_t above = number; above > 0 && count < SHOWN;) {
        const char *text = line_at(reader, --above);
        size_t begins = indent_of(reader, text);
        if (strchr("\r\n#", text[begins]) != NULL) {
            continue;
        }
        if (count == 0 && begins < indent && last_of(reader, text) != ':') {
            snprintf(hint, size, "it is indented by %zu, more than line %zu (%zu), which is whole",
                     indent, above + 1, begins);
            return strncmp(text + begins, "- ", 2) != 0 || indent != begins + 2;
        }
        if (begins == indent) {
            return false;
        }
        if (count == 0 || begins < open[count - 1]) {
            open[count++] = begins;
        }
    }
    if (count == 0 || indent > open[0]) {
        return false;
    }
    int length = snprintf(hint, size, "it is indented by %zu, and the lines above by ", indent);
    for (size_t i = count; i > 0; i--) {
        length += snprintf(hint + length, size - (size_t)length, "%zu%s", open[i - 1],
                           i > 2    ? ", "
                           : i == 2 ? " or "
                                    : "");
    }
    return true;
}

/* The fault that libyaml found, with a hint for what people really do wrong. */
static void fault_of_parser(struct tree_reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    if (parser->error == YAML_MEMORY_ERROR) {
        memory_exhausted(0);
    }
    const char *problem = parser->problem != NULL ? parser->problem : "not well-formed";
    const char *hint = NULL;
    char indented[256];
    bool of_block = strstr(problem, "did not find expected key") != NULL ||
                    strstr(problem, "did not find expected '-'") != NULL ||
                    strstr(problem, "mapping values are not allowed") != NULL;
    if (line_starts_with_tab(reader, parser->problem_mark.line)) {
        hint = "indent with spaces, not with tabs";
    } else if (of_block &&
               indentation_hint(reader, parser->problem_mark.line, indented, sizeof indented)) {
        hint = indented;
    } else if (strstr(problem, "mapping values are not allowed") != NULL) {
        hint = "quote a text that contains ': '";
    } else if (strstr(problem, "cannot start any token") != NULL) {
        hint = "quote a text that begins with a special character";
    } else if (strstr(problem, "did not find expected") != NULL) {
        hint = "check indentation, quotes, and closing brackets on the lines before";
    }
    fault_at_mark(reader, parser->problem_mark, hint, problem);
}

static bool next_event(struct tree_reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event)) {
        return true;
    }
    fault_of_parser(reader);
    return false;
}

static struct plan_node *make_node(struct tree_reader *reader, enum plan_node_kind kind,
                                   yaml_mark_t mark)
{
    struct plan_node *node = arena_allocate_zeroed(reader->arena, 1, sizeof *node);
    node->kind = kind;
    node->line = (uint32_t)mark.line + 1;
    node->column = (uint32_t)mark.column + 1;
    node->text = "";
    return node;
}

/* `thing` is YAML's, and not of the language of our files. */
static void fault_foreign(struct tree_reader *reader, yaml_mark_t mark, const char *hint,
                          const char *thing)
{
    char message[80];
    snprintf(message, sizeof(message), "%s are not part of the %s language", thing,
             reader->faults->what);
    fault_at_mark(reader, mark, hint, message);
}

static void check_properties(struct tree_reader *reader, const yaml_char_t *anchor,
                             const yaml_char_t *tag, yaml_mark_t mark)
{
    if (anchor != NULL) {
        fault_foreign(reader, mark, "write the value out", "anchors");
    }
    if (tag != NULL) {
        fault_foreign(reader, mark, "quote a text, leave a number unquoted", "tags");
    }
}

/* The byte that a mark stands at. Marks must come in order of their lines. */
static const char *position_of_mark(struct tree_reader *reader, yaml_mark_t mark)
{
    const char *end = reader->text + reader->length;
    while (reader->line_number < mark.line) {
        const char *next = memchr(reader->line_start, '\n', (size_t)(end - reader->line_start));
        if (next == NULL) {
            return end;
        }
        reader->line_start = next + 1;
        reader->line_number++;
    }
    const char *position = reader->line_start;
    for (size_t column = 0; column < mark.column && position < end; column++) {
        position++;
        while (position < end && ((unsigned char)*position & 0xC0) == 0x80) {
            position++;
        }
    }
    return position;
}

/* `A #{X}` is A and a comment for YAML: nobody means that. */
static bool comment_follows_with_brace(struct tree_reader *reader, const yaml_event_t *event)
{
    const char *end = reader->text + reader->length;
    const char *start = position_of_mark(reader, event->end_mark);
    const char *position = start;
    while (position < end && (*position == ' ' || *position == '\t')) {
        position++;
    }
    return position > start && end - position > 1 && position[0] == '#' && position[1] == '{';
}

/* `${NAME}` as the whole value, which people write without quotes in other files, too. */
static bool is_variable(const char *value, size_t length)
{
    return length > 3 && strncmp(value, "${", 2) == 0 &&
           memchr(value, '}', length) == value + length - 1;
}

static const struct plan_node *make_scalar(struct tree_reader *reader, const yaml_event_t *event)
{
    struct plan_node *node = make_node(reader, PLAN_NODE_SCALAR, event->start_mark);
    check_properties(reader, event->data.scalar.anchor, event->data.scalar.tag, event->start_mark);
    size_t length = event->data.scalar.length;
    const char *value = (const char *)event->data.scalar.value;
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (memchr(value, '\0', length) != NULL) {
        fault_at_mark(reader, event->start_mark, NULL, "a NUL character in a text");
        length = strlen(value);
    }
    if (!node->quoted && memchr(value, '{', length) != NULL && !is_variable(value, length)) {
        fault_at_mark(reader, event->start_mark, "write it as \"…{Column}…\"",
                      "a text with braces must be quoted");
    } else if (!node->quoted && comment_follows_with_brace(reader, event)) {
        fault_at_mark(reader, event->start_mark, "quote the whole text",
                      "' #{' begins a comment here, the rest of the text is cut off");
    }
    node->text = arena_copy(reader->arena, value, length);
    node->length = (uint32_t)length;
    return node;
}

static int compare_keys(const void *left, const void *right)
{
    const struct plan_node *a = *(const struct plan_node *const *)left;
    const struct plan_node *b = *(const struct plan_node *const *)right;
    int order = strcmp(a->text, b->text);
    if (order != 0) {
        return order;
    }
    if (a->line != b->line) {
        return a->line < b->line ? -1 : 1;
    }
    return a->column < b->column ? -1 : a->column > b->column;
}

static void check_duplicate_keys(struct tree_reader *reader, const struct node_list *keys)
{
    const struct plan_node **sorted =
        arena_allocate_zeroed(reader->arena, keys->count, sizeof(void *));
    if (keys->count > 0) {
        memcpy(sorted, keys->nodes, keys->count * sizeof(void *));
        qsort(sorted, keys->count, sizeof(void *), compare_keys);
    }
    for (uint32_t i = 1; i < keys->count; i++) {
        if (strcmp(sorted[i - 1]->text, sorted[i]->text) == 0) {
            plan_fault(reader->faults, ERROR_PLAN_SYNTAX, sorted[i], "remove one of the two",
                       "the key '%s' is there already, on line %u", sorted[i]->text,
                       (unsigned)sorted[i - 1]->line);
        }
    }
}

static const struct plan_node *read_node(struct tree_reader *reader, yaml_event_t *event);

/* `PK: {CustomerId}`: a map of one key without a value, where a template was meant. */
static void check_meant_template(struct tree_reader *reader, const struct plan_node *node)
{
    if (node->count == 1 && node->items[0]->kind == PLAN_NODE_SCALAR && !node->items[0]->quoted &&
        node->items[0]->length == 0) {
        char hint[200];
        (void)snprintf(hint, sizeof hint, "write \"{%.120s}\" with quotes", node->keys[0]->text);
        plan_fault(reader->faults, ERROR_PLAN_SYNTAX, node, hint,
                   "an unquoted {…} is a map for YAML, not a text");
    }
}

static const struct plan_node *read_map(struct tree_reader *reader, const yaml_event_t *start)
{
    struct plan_node *node = make_node(reader, PLAN_NODE_MAP, start->start_mark);
    struct node_list keys = {0};
    struct node_list values = {0};
    check_properties(reader, start->data.mapping_start.anchor, start->data.mapping_start.tag,
                     start->start_mark);
    bool flow = start->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
    for (;;) {
        yaml_event_t event;
        if (!next_event(reader, &event)) {
            return NULL;
        }
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            break;
        }
        const struct plan_node *key = read_node(reader, &event);
        if (key == NULL) {
            return NULL;
        }
        if (key->kind != PLAN_NODE_SCALAR) {
            plan_fault(reader->faults, ERROR_PLAN_SYNTAX, key,
                       "quote a text with braces or brackets", "a key must be a text");
            key = make_node(reader, PLAN_NODE_SCALAR, start->start_mark);
        }
        if (!next_event(reader, &event)) {
            return NULL;
        }
        const struct plan_node *value = read_node(reader, &event);
        if (value == NULL) {
            return NULL;
        }
        node_list_add(reader, &keys, key);
        node_list_add(reader, &values, value);
    }
    node->keys = keys.nodes;
    node->items = values.nodes;
    node->count = keys.count;
    check_duplicate_keys(reader, &keys);
    if (flow) {
        check_meant_template(reader, node);
    }
    return node;
}

static const struct plan_node *read_list(struct tree_reader *reader, const yaml_event_t *start)
{
    struct plan_node *node = make_node(reader, PLAN_NODE_LIST, start->start_mark);
    struct node_list items = {0};
    check_properties(reader, start->data.sequence_start.anchor, start->data.sequence_start.tag,
                     start->start_mark);
    for (;;) {
        yaml_event_t event;
        if (!next_event(reader, &event)) {
            return NULL;
        }
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            break;
        }
        const struct plan_node *item = read_node(reader, &event);
        if (item == NULL) {
            return NULL;
        }
        node_list_add(reader, &items, item);
    }
    node->items = items.nodes;
    node->count = items.count;
    return node;
}

/* Takes the event over. NULL: a fault after which reading can't go on. */
static const struct plan_node *read_node(struct tree_reader *reader, yaml_event_t *event)
{
    const struct plan_node *node = NULL;
    if (reader->depth >= PLAN_DEPTH_MAX) {
        fault_at_mark(reader, event->start_mark, NULL, "more than 64 levels of nesting");
        yaml_event_delete(event);
        return NULL;
    }
    reader->depth++;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        node = make_scalar(reader, event);
        break;
    case YAML_MAPPING_START_EVENT:
        node = read_map(reader, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
        node = read_list(reader, event);
        break;
    case YAML_ALIAS_EVENT:
        fault_foreign(reader, event->start_mark, "write the value out", "aliases");
        node = make_node(reader, PLAN_NODE_SCALAR, event->start_mark);
        break;
    default:
        fault_at_mark(reader, event->start_mark, NULL, "a value was expected here");
        break;
    }
    reader->depth--;
    yaml_event_delete(event);
    return node;
}

static const struct plan_node *read_document(struct tree_reader *reader)
{
    yaml_event_t event;
    const struct plan_node *root = NULL;
    for (;;) {
        if (!next_event(reader, &event)) {
            return NULL;
        }
        yaml_event_type_t type = event.type;
        if (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_START_EVENT ||
            type == YAML_DOCUMENT_END_EVENT) {
            if (type == YAML_DOCUMENT_START_EVENT && root != NULL) {
                fault_at_mark(reader, event.start_mark, "one plan, one file",
                              "a second document begins here");
                yaml_event_delete(&event);
                return root;
            }
            yaml_event_delete(&event);
        } else if (type == YAML_STREAM_END_EVENT) {
            yaml_event_delete(&event);
            return root;
        } else {
            root = read_node(reader, &event);
            if (root == NULL) {
                return NULL;
            }
        }
    }
}

/* Bytes that libyaml would let pass or say badly. */
static bool check_bytes(const char *text, size_t length, struct plan_faults *faults)
{
    uint32_t line = 1;
    uint32_t column = 1;
    size_t position = 0;
    while (position < length) {
        unsigned char byte = (unsigned char)text[position];
        if ((byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t') || byte == 0x7f) {
            plan_fault_at(faults, ERROR_PLAN_SYNTAX, line, column,
                          "write it as \\u00XX in double quotes", "control character 0x%02x",
                          (unsigned)byte);
            return false;
        }
        size_t size = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
        if (size > length - position || (size > 1 && !text_is_utf8(text + position, size))) {
            plan_fault_at(faults, ERROR_PLAN_SYNTAX, line, column, "save the file as UTF-8",
                          "byte 0x%02x is not valid UTF-8", (unsigned)byte);
            return false;
        }
        position += size;
        column++;
        if (byte == '\n') {
            line++;
            column = 1;
        }
    }
    return true;
}

const struct plan_node *plan_tree_read(const char *text, size_t length, struct arena *arena,
                                       struct plan_faults *faults)
{
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        length -= 3;
    }
    if (length > PLAN_TEXT_BYTES_MAX) {
        plan_fault(faults, ERROR_PLAN_SYNTAX, NULL, NULL, "a plan above 4 MiB is refused");
        return NULL;
    }
    if (!check_bytes(text, length, faults)) {
        return NULL;
    }
    text = json_escapes_join(text, &length, arena);
    struct tree_reader reader = {
        .arena = arena, .faults = faults, .text = text, .length = length, .line_start = text};
    if (!yaml_parser_initialize(&reader.parser)) {
        memory_exhausted(0);
    }
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, length);
    const struct plan_node *root = read_document(&reader);
    yaml_parser_delete(&reader.parser);
    if (root == NULL && faults->count == 0) {
        plan_fault_at(faults, ERROR_PLAN_SYNTAX, 1, 1,
                      strcmp(faults->what, "plan") == 0 ? "`transhume init SRC DST` writes one"
                                                        : NULL,
                      "the %s is empty", faults->what);
    }
    return root;
}

const struct plan_node *plan_node_find(const struct plan_node *map, const char *key,
                                       const struct plan_node **key_node)
{
    if (map == NULL || map->kind != PLAN_NODE_MAP) {
        return NULL;
    }
    for (uint32_t i = 0; i < map->count; i++) {
        if (strcmp(map->keys[i]->text, key) == 0) {
            *key_node = map->keys[i];
            return map->items[i];
        }
    }
    return NULL;
}

const struct plan_node *plan_node_get(const struct plan_node *map, const char *key)
{
    const struct plan_node *key_node;
    return plan_node_find(map, key, &key_node);
}

const char *plan_node_text(const struct plan_node *node)
{
    return node != NULL && node->kind == PLAN_NODE_SCALAR ? node->text : NULL;
}

bool plan_node_is_null(const struct plan_node *node)
{
    if (node->kind != PLAN_NODE_SCALAR || node->quoted) {
        return false;
    }
    return node->length == 0 || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0 ||
           strcmp(node->text, "Null") == 0 || strcmp(node->text, "NULL") == 0;
}

bool plan_node_is_copy(const struct plan_node *node)
{
    return node != NULL && node->kind == PLAN_NODE_SCALAR && strcmp(node->text, "copy") == 0;
}

bool plan_node_is_word(const struct plan_node *node, const char *word)
{
    return node != NULL && node->kind == PLAN_NODE_SCALAR && !node->quoted &&
           strcmp(node->text, word) == 0;
}
