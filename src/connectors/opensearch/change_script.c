/*
 * The meaning of an operation for a table that is copied: the new mapping, and scripts of Painless
 * that a copy runs on each document, there and back. Of the fields that a script touches the proof
 * knows which were renamed, dropped or computed.
 */
#include "connectors/opensearch/change_session.h"

#include "model/json_tree.h"
#include <string.h>

void opensearch_append_field(const char *name, struct buffer *out)
{
    buffer_append_string(out, "ctx._source['");
    for (; *name != '\0'; name++) {
        buffer_append(out, "\\", *name == '\'' || *name == '\\' ? 1 : 0);
        buffer_append_byte(out, *name);
    }
    buffer_append_string(out, "']");
}

void opensearch_append_quoted(const char *name, struct buffer *out)
{
    struct buffer field = {0};
    opensearch_append_field(name, &field);
    size_t begin = strlen("ctx._source[");
    buffer_append(out, field.data + begin, field.length - begin - 1);
    buffer_free(&field);
}

/* FIELD = (EXPRESSION); where the field is not there yet, or in any document. */
static void append_value(const char *name, const char *expression, bool only_absent,
                         struct buffer *out)
{
    if (only_absent) {
        buffer_append_string(out, "if (!ctx._source.containsKey(");
        opensearch_append_quoted(name, out);
        buffer_append_string(out, ")) { ");
    }
    opensearch_append_field(name, out);
    buffer_format(out, " = (%s); ", expression);
    buffer_append_string(out, only_absent ? "} " : "");
}

static void append_removal(const char *name, struct buffer *out)
{
    buffer_append_string(out, "ctx._source.remove(");
    opensearch_append_quoted(name, out);
    buffer_append_string(out, "); ");
}

static void append_rename(const char *from, const char *to, struct buffer *out)
{
    buffer_append_string(out, "if (ctx._source.containsKey(");
    opensearch_append_quoted(from, out);
    buffer_append_string(out, ")) { ");
    opensearch_append_field(to, out);
    buffer_append_string(out, " = ctx._source.remove(");
    opensearch_append_quoted(from, out);
    buffer_append_string(out, "); } ");
}

/* The way back undoes the last operation first. */
static void put_down_first(struct opensearch_copy *copy, struct buffer *words)
{
    buffer_append(words, copy->down.data, copy->down.length);
    buffer_free(&copy->down);
    copy->down = *words;
    *words = (struct buffer){0};
}

/* ---------------------------------------------------------------- mappings */

/* The map that has the field, by its path "a.b"; NULL: there is none. */
static json_t *find_owner(json_t *mapping, const char *path, const char **name)
{
    json_t *properties = json_object_get(mapping, "properties");
    char head[256];
    *name = path;
    for (const char *dot = strchr(path, '.'); properties != NULL && dot != NULL;
         dot = strchr(path, '.')) {
        size_t length = (size_t)(dot - path);
        if (json_object_get(properties, path) != NULL || length >= sizeof(head)) {
            break;
        }
        memcpy(head, path, length);
        head[length] = '\0';
        json_t *outer = json_object_get(properties, head);
        json_t *inner = json_object_get(outer, "properties");
        properties = inner != NULL ? inner : json_object_get(outer, "fields");
        path = dot + 1;
    }
    *name = path;
    return json_object_get(properties, path) != NULL ? properties : NULL;
}

static enum status find_field(struct opensearch_compiler *compiler,
                              const struct opensearch_copy *copy, const struct change_value *at,
                              json_t **owner, const char **name, struct error *error)
{
    *owner = find_owner(copy->mapping, at->text, name);
    return *owner != NULL
               ? STATUS_OK
               : change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID, at, error,
                                     "'%s' has no field '%s'", copy->place.name, at->text);
}

/* Scripts reach fields at the top alone. */
static enum status check_top(struct opensearch_compiler *compiler,
                             const struct opensearch_copy *copy, const struct change_value *at,
                             struct error *error)
{
    const json_t *properties = json_object_get(copy->mapping, "properties");
    return json_object_get(properties, at->text) != NULL
               ? STATUS_OK
               : opensearch_refuse(compiler, at, error,
                                   "only a field at the top of documents can be changed so",
                                   "Change the object that it is in, by `up`.");
}

static bool has_text(const json_t *list, const char *text)
{
    bool found = false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *part = json_string_value(json_array_get(list, i));
        found = found || (part != NULL && strcmp(part, text) == 0);
    }
    return found;
}

static bool is_of_key(const struct opensearch_copy *copy, const char *name)
{
    const json_t *meta = json_object_get(copy->mapping, "_meta");
    return has_text(json_object_get(json_object_get(meta, "transhume"), "key"), name);
}

static enum status check_key(struct opensearch_compiler *compiler,
                             const struct opensearch_copy *copy, const struct change_value *at,
                             struct error *error)
{
    return is_of_key(copy, at->text)
               ? opensearch_refuse(compiler, at, error,
                                   "ids of documents are made of the field, by the note in the "
                                   "mapping",
                                   "Copy with a plan of `transhume migrate` into another table.")
               : STATUS_OK;
}

static const char *word_of(const json_t *property)
{
    const char *word = json_string_value(json_object_get(property, "type"));
    return word != NULL ? word : "object";
}

/* ---------------------------------------------------------------- operations */

enum status opensearch_copy_add(struct opensearch_compiler *compiler,
                                const struct change_value *value, struct opensearch_copy *copy,
                                struct error *error)
{
    const struct change_value *column = change_get(value, "column");
    const struct change_value *at = change_get(column, "name");
    const char *up = change_text(value, "up");
    const char *ignored;
    json_t *property = NULL;
    struct buffer back = {0};
    if (find_owner(copy->mapping, at->text, &ignored) != NULL) {
        return change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID, at, error,
                                   "'%s' has a field '%s' already", copy->place.name, at->text);
    }
    if (opensearch_read_type(compiler, change_get(column, "type"), &property, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (json_object_get(copy->mapping, "properties") == NULL) {
        json_object_set_new(copy->mapping, "properties", json_object());
    }
    opensearch_note_field(copy->mapping, at->text, word_of(property));
    json_object_set_new(json_object_get(copy->mapping, "properties"), at->text, property);
    up = up != NULL ? up : change_text(column, "default");
    if (up != NULL) {
        append_value(at->text, up, true, &copy->up);
        json_array_append_new(copy->computed, json_string(at->text));
    }
    append_removal(at->text, &back);
    put_down_first(copy, &back);
    return STATUS_OK;
}

enum status opensearch_copy_drop(struct opensearch_compiler *compiler,
                                 const struct change_value *value, struct opensearch_copy *copy,
                                 struct error *error)
{
    const struct change_value *at = change_get(value, "column");
    const char *down = change_text(value, "down");
    const char *name;
    json_t *owner;
    struct buffer back = {0};
    if (find_field(compiler, copy, at, &owner, &name, error) != STATUS_OK ||
        check_top(compiler, copy, at, error) != STATUS_OK ||
        check_key(compiler, copy, at, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    json_object_del(owner, name);
    opensearch_note_field(copy->mapping, at->text, NULL);
    append_removal(at->text, &copy->up);
    json_array_append_new(copy->dropped, json_string(at->text));
    if (down != NULL) {
        append_value(at->text, down, true, &back);
        put_down_first(copy, &back);
    } else {
        copy->one_way = at->text; /* a document that is copied back comes without its value */
    }
    return STATUS_OK;
}

enum status opensearch_copy_rename(struct opensearch_compiler *compiler,
                                   const struct change_value *value, const char *from_key,
                                   const char *to_key, struct opensearch_copy *copy,
                                   struct error *error)
{
    const struct change_value *at = change_get(value, from_key);
    const struct change_value *to = change_get(value, to_key);
    const char *name;
    json_t *owner;
    struct buffer back = {0};
    if (find_field(compiler, copy, at, &owner, &name, error) != STATUS_OK ||
        check_top(compiler, copy, at, error) != STATUS_OK ||
        check_key(compiler, copy, at, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (json_object_get(owner, to->text) != NULL) {
        return change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID, to, error,
                                   "'%s' has a field '%s' already", copy->place.name, to->text);
    }
    json_t *property = json_incref(json_object_get(owner, name));
    json_object_del(owner, name);
    opensearch_note_field(copy->mapping, at->text, NULL);
    opensearch_note_field(copy->mapping, to->text, word_of(property));
    json_object_set_new(owner, to->text, property);
    append_rename(at->text, to->text, &copy->up);
    json_array_append_new(copy->renamed, json_pack("[s, s]", at->text, to->text));
    if (has_text(copy->computed, at->text)) {
        json_array_append_new(copy->computed, json_string(to->text));
    }
    append_rename(to->text, at->text, &back);
    put_down_first(copy, &back);
    return STATUS_OK;
}

static enum status alter_values(struct opensearch_compiler *compiler,
                                const struct change_value *value, struct opensearch_copy *copy,
                                struct error *error)
{
    const struct change_value *at = change_get(value, "column");
    const char *up = change_text(value, "up");
    const char *down = change_text(value, "down");
    struct buffer back = {0};
    if (up == NULL) {
        return STATUS_OK;
    }
    if (check_top(compiler, copy, at, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    append_value(at->text, up, false, &copy->up);
    json_array_append_new(copy->computed, json_string(at->text));
    if (down != NULL) {
        append_value(at->text, down, false, &back);
        put_down_first(copy, &back);
    } else {
        copy->one_way = at->text;
    }
    return STATUS_OK;
}

enum status opensearch_copy_alter(struct opensearch_compiler *compiler,
                                  const struct change_value *value, struct opensearch_copy *copy,
                                  struct error *error)
{
    static const char *const nothing[] = {"nullable", "default",    "comment",
                                          "check",    "references", "unique"};
    const struct change_value *at = change_get(value, "column");
    const struct change_value *type = change_get(value, "type");
    const char *name;
    json_t *owner;
    json_t *property = NULL;
    for (size_t i = 0; i < sizeof(nothing) / sizeof(*nothing); i++) {
        if (change_get(value, nothing[i]) != NULL) {
            return change_builder_fail(&compiler->builder, ERROR_CHANGE_REFUSED,
                                       change_get(value, nothing[i]), error,
                                       "fields of an index have no %s", nothing[i]);
        }
    }
    if (find_field(compiler, copy, at, &owner, &name, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (type != NULL) {
        if (opensearch_read_type(compiler, type, &property, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (strchr(at->text, '.') == NULL) {
            opensearch_note_field(copy->mapping, at->text, word_of(property));
        }
        json_object_set_new(owner, name, property);
    }
    enum status status = alter_values(compiler, value, copy, error);
    return status == STATUS_OK && change_get(value, "name") != NULL
               ? opensearch_copy_rename(compiler, value, "column", "name", copy, error)
               : status;
}
