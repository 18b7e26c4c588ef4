/* Tables as they are found, and texts of requests. */
#include "connectors/opensearch/change_session.h"

#include "base/text.h"
#include "model/json_tree.h"
#include <inttypes.h>
#include <string.h>

enum status opensearch_refuse(struct opensearch_compiler *compiler, const struct change_value *at,
                              struct error *error, const char *why, const char *instead)
{
    change_builder_fail(&compiler->builder, ERROR_CHANGE_REFUSED, at, error, "%s", why);
    return instead != NULL ? error_hint(error, "%s", instead) : STATUS_FAILED;
}

/* ---------------------------------------------------------------- names */

static const char *name_of(const struct opensearch_compiler *compiler, const char *table)
{
    char *name = arena_format(compiler->arena, "%s%s", compiler->session->database->prefix, table);
    for (char *at = name; *at != '\0'; at++) {
        *at = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
    }
    return name;
}

const char *opensearch_change_path(struct arena *arena, const char *index, const char *rest)
{
    struct buffer path = {0};
    buffer_append_byte(&path, '/');
    opensearch_append_encoded(&path, index, strlen(index));
    buffer_append_string(&path, rest);
    const char *copy = arena_copy_string(arena, buffer_string(&path));
    buffer_free(&path);
    return copy;
}

enum status opensearch_free_name(struct opensearch_compiler *compiler,
                                 const struct change_value *at, const char *table,
                                 const char **name, struct error *error)
{
    bool is_there = false;
    const char *fault = opensearch_name_fault(compiler->session->database, table);
    *name = name_of(compiler, table);
    if (fault != NULL) {
        return change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID, at, error, "'%s': %s",
                                   table, fault);
    }
    if (opensearch_alter_is_there(compiler->session,
                                  opensearch_change_path(compiler->arena, *name, ""), &is_there,
                                  error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return is_there ? change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID, at, error,
                                          "there is an index or alias '%s' already", *name)
                    : STATUS_OK;
}

/* ---------------------------------------------------------------- a table */

static enum status read_place(struct opensearch_compiler *compiler, const struct change_value *at,
                              json_t *root, struct opensearch_place *place, struct error *error)
{
    void *first = json_object_iter(root);
    const json_t *tree = first != NULL ? json_object_iter_value(first) : NULL;
    if (json_object_size(root) != 1) {
        return opensearch_refuse(compiler, at, error,
                                 json_object_size(root) == 0
                                     ? "the name stands for no index"
                                     : "the alias stands for several indexes",
                                 "A change is of one index.");
    }
    if (json_is_string(json_object_get(tree, "data_stream"))) {
        return opensearch_refuse(compiler, at, error, "it is of a data stream",
                                 "Change its index template; the next rollover uses it.");
    }
    place->index = arena_copy_string(compiler->arena, json_object_iter_key(first));
    place->is_alias = strcmp(place->index, place->name) != 0;
    place->mapping = json_object_get(tree, "mappings");
    place->settings = json_object_get(json_object_get(tree, "settings"), "index");
    place->aliases = json_object_get(tree, "aliases");
    return STATUS_OK;
}

enum status opensearch_find_place(struct opensearch_compiler *compiler,
                                  const struct change_value *value, const char *key,
                                  struct opensearch_place *place, struct error *error)
{
    const struct change_value *at = change_get(value, key);
    json_t *root = NULL;
    *place = (struct opensearch_place){.name = name_of(compiler, at->text)};
    const char *fault = opensearch_name_fault(compiler->session->database, at->text);
    enum status status =
        fault != NULL
            ? STATUS_END
            : opensearch_alter_ask(compiler->session, "GET",
                                   opensearch_change_path(compiler->arena, place->name, ""), NULL,
                                   &root, error);
    if (status == STATUS_OK) {
        json_array_append_new(compiler->trees, root);
        return read_place(compiler, at, root, place, error);
    }
    return status == STATUS_END
               ? change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID, at, error,
                                     "there is no index or alias '%s'", place->name)
               : STATUS_FAILED;
}

/* ---------------------------------------------------------------- steps */

const char *opensearch_request_text(struct arena *arena, const char *method, const char *path,
                                    json_t *body, uint32_t allowed)
{
    struct buffer text = {0};
    buffer_format(&text, "%s %s", method, path);
    if (allowed > 0) {
        buffer_format(&text, "\nAllow-Status: %" PRIu32, allowed);
    }
    if (body != NULL) {
        buffer_append_string(&text, "\n\n");
        (void)json_tree_append(body, JSON_COMPACT, &text);
    }
    json_decref(body);
    const char *copy = arena_copy_string(arena, buffer_string(&text));
    buffer_free(&text);
    return copy;
}

struct change_step *opensearch_add_step(struct opensearch_compiler *compiler,
                                        enum change_phase phase, const char *title,
                                        const char *text, const char *undo, const char *stands)
{
    struct change_step *step = change_builder_step(&compiler->builder, phase, title);
    step->language = ALTER_HTTP;
    step->lock = ALTER_LOCK_NONE;
    step->text = text;
    step->undo = undo;
    step->stands = stands;
    return step;
}

/* ---------------------------------------------------------------- values of the file */

enum status opensearch_read_type(struct opensearch_compiler *compiler,
                                 const struct change_value *at, json_t **property,
                                 struct error *error)
{
    json_error_t fault = {0};
    *property = NULL;
    if (at->text[0] != '{') {
        *property = json_pack("{s:s}", "type", at->text);
        return STATUS_OK;
    }
    *property = json_tree_load(at->text, strlen(at->text), JSON_REJECT_DUPLICATES, &fault);
    return *property != NULL ? STATUS_OK
                             : change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID, at,
                                                   error, "the mapping is no JSON: %s", fault.text);
}

json_t *opensearch_read_setting(const char *text)
{
    json_t *value = text[0] == '{' || text[0] == '['
                        ? json_tree_load(text, strlen(text), JSON_REJECT_DUPLICATES, NULL)
                        : NULL;
    return value != NULL ? value : json_string(text);
}

void opensearch_note_field(json_t *mapping, const char *name, const char *word)
{
    json_t *note = json_object_get(json_object_get(mapping, "_meta"), "transhume");
    json_t *columns = json_object_get(note, "columns");
    struct buffer kind = {0};
    if (!json_is_array(columns)) {
        return;
    }
    for (size_t i = json_array_size(columns); i > 0; i--) {
        const char *there = json_string_value(json_array_get(json_array_get(columns, i - 1), 0));
        if (there != NULL && strcmp(there, name) == 0) {
            json_array_remove(columns, i - 1);
        }
    }
    if (word != NULL) {
        const struct value_type type = opensearch_type_of(word);
        opensearch_note_append(&type, &kind);
        json_array_append_new(columns, json_pack("[s, s]", name, buffer_string(&kind)));
    }
    buffer_free(&kind);
}
