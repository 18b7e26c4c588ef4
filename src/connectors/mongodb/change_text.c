/* Parts of steps as JSON: what the file says, checked, and commands put together. */
#include "connectors/mongodb/alter.h"

#include "model/json_writer.h"
#include <string.h>

const char *mongodb_taken(struct mongodb_compiler *compiler, struct buffer *text)
{
    const char *copy = arena_copy_string(compiler->arena, buffer_string(text));
    buffer_free(text);
    return copy;
}

const char *mongodb_quoted(struct mongodb_compiler *compiler, const char *text)
{
    struct buffer out = {0};
    json_append_string(&out, text, strlen(text));
    return mongodb_taken(compiler, &out);
}

const char *mongodb_path(struct mongodb_compiler *compiler, const char *field)
{
    return mongodb_quoted(compiler, arena_format(compiler->arena, "$%s", field));
}

/* ---------------------------------------------------------------- what the file says */

/* Whether it is a value at all; `*document`: one in braces. */
static bool is_json(struct mongodb_compiler *compiler, const char *text, bool *document,
                    char *problem, size_t problem_size)
{
    bson_error_t why = {0};
    bson_iter_t at;
    const char *whole = arena_format(compiler->arena, "{\"v\": %s}", text);
    bson_t *read = mongodb_json_read(whole, strlen(whole), &why);
    /* one value, and nothing that ends it early: 1, "w": 2 */
    bool valid = read != NULL && bson_count_keys(read) == 1 && bson_iter_init_find(&at, read, "v");
    *document = valid && BSON_ITER_HOLDS_DOCUMENT(&at);
    snprintf(problem, problem_size, "%s", read == NULL ? why.message : "it is more than one value");
    if (read != NULL) {
        bson_destroy(read);
    }
    return valid;
}

static const char *checked(struct mongodb_compiler *compiler, const struct change_value *at,
                           bool wants_document, struct error *error)
{
    bool document = false;
    char problem[sizeof(((bson_error_t *)NULL)->message)];
    if (at == NULL || at->kind != CHANGE_TEXT) {
        (void)!mongodb_invalid(compiler, at, error, "a value is expected, as JSON in a text", NULL);
        return NULL;
    }
    if (!is_json(compiler, at->text, &document, problem, sizeof(problem))) {
        change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID, at, error,
                            "it is no JSON: %s", problem);
        (void)!error_hint(error, "A text in JSON has double quotes: '\"open\"'.");
        return NULL;
    }
    if (wants_document && !document) {
        (void)!mongodb_invalid(compiler, at, error, "a document of JSON is expected",
                               "It stands in quotes: '{\"total\": {\"$gt\": 0}}'.");
        return NULL;
    }
    return at->text;
}

const char *mongodb_json(struct mongodb_compiler *compiler, const struct change_value *at,
                         struct error *error)
{
    return checked(compiler, at, false, error);
}

const char *mongodb_json_document(struct mongodb_compiler *compiler, const struct change_value *at,
                                  struct error *error)
{
    return checked(compiler, at, true, error);
}

const char *mongodb_expression(struct mongodb_compiler *compiler, const struct change_value *at,
                               struct error *error)
{
    bool path = at != NULL && at->kind == CHANGE_TEXT && at->text[0] == '$';
    const char *json = path ? NULL : checked(compiler, at, false, error);
    if (path) {
        return mongodb_quoted(compiler, at->text);
    }
    if (json == NULL) {
        return NULL;
    }
    const char *begin = json + strspn(json, " \t\r\n");
    bool computes = *begin == '{' || *begin == '[' || strncmp(begin, "\"$", 2) == 0;
    return computes ? json : arena_format(compiler->arena, "{\"$literal\": %s}", json);
}

static bool has_empty_part(const char *path)
{
    size_t length = strlen(path);
    return length == 0 || path[0] == '.' || path[length - 1] == '.' || strstr(path, "..") != NULL;
}

enum status mongodb_check_field(struct mongodb_compiler *compiler, const struct change_value *at,
                                struct error *error)
{
    const char *path = at != NULL && at->kind == CHANGE_TEXT ? at->text : "";
    bool id = strcmp(path, MONGODB_ID) == 0 || strncmp(path, "_id.", 4) == 0;
    if (id) {
        return mongodb_refuse(compiler, at, error, "_id is a document's own for good",
                              "`copy_table` makes documents of another shape.");
    }
    return has_empty_part(path) || path[0] == '$' || strstr(path, ".$") != NULL
               ? mongodb_invalid(compiler, at, error, "it is no field that documents can have",
                                 "Parts between dots are names, and none begins with $.")
               : STATUS_OK;
}

/* ---------------------------------------------------------------- parts of commands */

const char *mongodb_exists(struct mongodb_compiler *compiler, const char *field, bool exists)
{
    return arena_format(compiler->arena, "{%s: {\"$exists\": %s}}", mongodb_quoted(compiler, field),
                        exists ? "true" : "false");
}

const char *mongodb_update_all(struct mongodb_compiler *compiler, const char *collection,
                               const char *match, const char *set)
{
    return arena_format(compiler->arena,
                        "{\"update\": %s, \"updates\": [{\"q\": %s, \"u\": %s, \"multi\": true}]}",
                        mongodb_quoted(compiler, collection), match, set);
}

const char *mongodb_named(struct mongodb_compiler *compiler, const char *collection, bool exists)
{
    return arena_format(compiler->arena,
                        "{\"command\": {\"listCollections\": 1, \"filter\": {\"name\": %s}, "
                        "\"nameOnly\": true}, \"asks\": \"%s\"}",
                        mongodb_quoted(compiler, collection), exists ? "any" : "none");
}

const char *mongodb_drop(struct mongodb_compiler *compiler, const char *collection)
{
    return arena_format(compiler->arena, "{\"command\": {\"drop\": %s}, \"ignore\": [%d]}",
                        mongodb_quoted(compiler, collection), (int)MONGODB_NO_COLLECTION);
}

const char *mongodb_rename(struct mongodb_compiler *compiler, const char *from, const char *to,
                           bool replaces)
{
    const char *database = compiler->mongodb->name;
    return arena_format(
        compiler->arena,
        "{\"command\": {\"renameCollection\": %s, \"to\": %s, \"dropTarget\": %s}, "
        "\"ignore\": [%d]}",
        mongodb_quoted(compiler, arena_format(compiler->arena, "%s.%s", database, from)),
        mongodb_quoted(compiler, arena_format(compiler->arena, "%s.%s", database, to)),
        replaces ? "true" : "false", (int)MONGODB_NO_COLLECTION);
}
