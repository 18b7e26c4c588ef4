/*
 * Options of collections. A validator begins with the action "warn", so that nobody is shut out;
 * the documents that are there are proved, and again before `complete` makes it what is declared.
 * One that replaces another leaves that one in force until then.
 */
#include "connectors/mongodb/alter.h"

#include <string.h>

/* ---------------------------------------------------------------- of a new collection */

/* JSON as it is; a bare word is a text. */
static const char *option_value(struct mongodb_compiler *compiler, const struct change_value *value)
{
    struct error ignored = {0};
    if (value->kind != CHANGE_TEXT) {
        return "null";
    }
    const char *json = mongodb_json(compiler, value, &ignored);
    return json != NULL ? json : mongodb_quoted(compiler, value->text);
}

enum status mongodb_append_options(struct mongodb_compiler *compiler,
                                   const struct change_value *options, struct buffer *out,
                                   struct error *error)
{
    if (options != NULL && options->kind != CHANGE_MAP) {
        return mongodb_invalid(compiler, options, error, "options are a map, name: value", NULL);
    }
    for (uint32_t i = 0; options != NULL && i < options->count; i++) {
        buffer_format(out, ", %s: %s", mongodb_quoted(compiler, options->keys[i]),
                      option_value(compiler, &options->items[i]));
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- what stands now */

struct rules {
    const char *validator; /* JSON; NULL: none */
    const char *level;
    const char *action;
    const char *images; /* changeStreamPreAndPostImages; NULL: not told */
};

static const char *document_of(struct mongodb_compiler *compiler, bson_iter_t *options,
                               const char *name)
{
    bson_iter_t at = *options;
    bson_iter_t own;
    uint32_t length = 0;
    const uint8_t *bytes = NULL;
    bson_t view;
    if (!bson_iter_recurse(&at, &own) || !bson_iter_find(&own, name) ||
        !BSON_ITER_HOLDS_DOCUMENT(&own)) {
        return NULL;
    }
    bson_iter_document(&own, &length, &bytes);
    if (!bson_init_static(&view, bytes, length) || bson_empty(&view)) {
        return NULL;
    }
    char *json = bson_as_canonical_extended_json(&view, NULL);
    const char *copy = json != NULL ? arena_copy_string(compiler->arena, json) : NULL;
    bson_free(json);
    return copy;
}

static const char *word_of(struct mongodb_compiler *compiler, bson_iter_t *options,
                           const char *name, const char *preset)
{
    bson_iter_t own;
    return bson_iter_recurse(options, &own) && bson_iter_find(&own, name) &&
                   BSON_ITER_HOLDS_UTF8(&own)
               ? arena_copy_string(compiler->arena, bson_iter_utf8(&own, NULL))
               : preset;
}

static enum status read_rules(struct mongodb_compiler *compiler, const char *collection,
                              struct rules *rules, struct error *error)
{
    bson_iter_t document;
    bson_iter_t options;
    bson_t reply;
    const char *text =
        arena_format(compiler->arena, "{\"listCollections\": 1, \"filter\": {\"name\": %s}}",
                     mongodb_quoted(compiler, collection));
    *rules = (struct rules){.level = "strict", .action = "error"};
    enum status status = mongodb_step_run(compiler->session, text, &reply, error);
    if (status == STATUS_OK && mongodb_first_document(&reply, &document) &&
        bson_iter_recurse(&document, &options) && bson_iter_find(&options, "options") &&
        BSON_ITER_HOLDS_DOCUMENT(&options)) {
        rules->validator = document_of(compiler, &options, "validator");
        rules->images = document_of(compiler, &options, "changeStreamPreAndPostImages");
        rules->level = word_of(compiler, &options, "validationLevel", rules->level);
        rules->action = word_of(compiler, &options, "validationAction", rules->action);
    }
    bson_destroy(&reply);
    return status;
}

/* ---------------------------------------------------------------- validators */

static const char *modify(struct mongodb_compiler *compiler, const char *collection,
                          const struct rules *rules)
{
    return arena_format(
        compiler->arena,
        "{\"collMod\": %s, \"validator\": %s, \"validationLevel\": %s, "
        "\"validationAction\": %s}",
        mongodb_quoted(compiler, collection), rules->validator != NULL ? rules->validator : "{}",
        mongodb_quoted(compiler, rules->level), mongodb_quoted(compiler, rules->action));
}

static void add_validator(struct mongodb_compiler *compiler, const char *collection,
                          const struct rules *was, const struct rules *is)
{
    struct arena *arena = compiler->arena;
    bool keeps_out = strcmp(is->level, "strict") == 0 && strcmp(is->action, "error") == 0;
    if (was->validator == NULL) {
        struct rules warns = *is;
        warns.action = "warn";
        mongodb_add(compiler, CHANGE_EXPAND,
                    arena_format(arena, "make the validator of %s, which warns", collection),
                    modify(compiler, collection, &warns), modify(compiler, collection, was), NULL);
    }
    if (keeps_out) {
        struct change_step *step = mongodb_add_batches(
            compiler, CHANGE_PROVE, arena_format(arena, "prove the validator of %s", collection),
            arena_format(arena, "{\"do\": \"prove\", \"in\": %s, \"match\": {\"$nor\": [%s]}}",
                         mongodb_quoted(compiler, collection), is->validator),
            NULL);
        step->again = true;
    }
    mongodb_add(
        compiler, CHANGE_CONTRACT,
        arena_format(arena, "set the validator of %s, %s, %s", collection, is->level, is->action),
        modify(compiler, collection, is), NULL, NULL);
    change_builder_way(&compiler->builder,
                       was->validator == NULL
                           ? "warns from the start, and is as declared from `complete` on"
                           : "the one that stands is in force until `complete`",
                       NULL);
}

static bool is_one_of(const char *text, const char *a, const char *b, const char *c)
{
    return strcmp(text, a) == 0 || strcmp(text, b) == 0 || (c != NULL && strcmp(text, c) == 0);
}

static enum status set_validator(struct mongodb_compiler *compiler, const char *collection,
                                 const struct change_value *options, const struct rules *was,
                                 struct error *error)
{
    const struct change_value *validator = change_get(options, "validator");
    const struct change_value *level = change_get(options, "validationLevel");
    const struct change_value *action = change_get(options, "validationAction");
    struct rules is = *was;
    if (validator == NULL && level == NULL && action == NULL) {
        return STATUS_OK;
    }
    is.validator =
        validator != NULL ? mongodb_json_document(compiler, validator, error) : was->validator;
    is.level = level != NULL ? change_text(options, "validationLevel") : was->level;
    is.action = action != NULL ? change_text(options, "validationAction") : was->action;
    if (validator != NULL && is.validator == NULL) {
        return STATUS_FAILED;
    }
    if (is.validator == NULL) {
        return mongodb_invalid(compiler, options, error,
                               "there is no validator that this could be set of", NULL);
    }
    if (is.level == NULL || !is_one_of(is.level, "strict", "moderate", "off")) {
        return mongodb_invalid(compiler, level, error, "it is strict, moderate or off", NULL);
    }
    if (is.action == NULL || !is_one_of(is.action, "error", "warn", "errorAndLog")) {
        return mongodb_invalid(compiler, action, error, "it is error, warn or errorAndLog", NULL);
    }
    add_validator(compiler, collection, was, &is);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the operation */

static enum status set_images(struct mongodb_compiler *compiler, const char *collection,
                              const struct change_value *options, const struct rules *was,
                              struct error *error)
{
    static const char name[] = "changeStreamPreAndPostImages";
    const struct change_value *value = change_get(options, name);
    if (value == NULL) {
        return STATUS_OK;
    }
    const char *json = mongodb_json_document(compiler, value, error);
    if (json == NULL) {
        return STATUS_FAILED;
    }
    const char *quoted = mongodb_quoted(compiler, collection);
    mongodb_add(compiler, CHANGE_EXPAND,
                arena_format(compiler->arena, "set images of %s", collection),
                arena_format(compiler->arena, "{\"collMod\": %s, \"%s\": %s}", quoted, name, json),
                arena_format(compiler->arena, "{\"collMod\": %s, \"%s\": %s}", quoted, name,
                             was->images != NULL ? was->images : "{\"enabled\": false}"),
                NULL);
    return STATUS_OK;
}

static enum status check_options(struct mongodb_compiler *compiler,
                                 const struct change_value *value, struct error *error)
{
    static const char *const known[] = {"validator", "validationLevel", "validationAction",
                                        "changeStreamPreAndPostImages"};
    const struct change_value *options = change_get(value, "options");
    if (change_get(value, "comment") != NULL) {
        return mongodb_refuse(compiler, change_get(value, "comment"), error,
                              "collections have no comments", NULL);
    }
    if (options == NULL || options->kind != CHANGE_MAP) {
        return mongodb_invalid(compiler, options, error, "options are a map, name: value", NULL);
    }
    for (uint32_t i = 0; i < options->count; i++) {
        bool found = false;
        for (size_t j = 0; j < sizeof(known) / sizeof(*known); j++) {
            found = found || strcmp(known[j], options->keys[i]) == 0;
        }
        if (!found) {
            return mongodb_invalid(compiler, &options->items[i], error, "there is no such option",
                                   "Known are validator, validationLevel, validationAction, "
                                   "changeStreamPreAndPostImages.");
        }
    }
    return STATUS_OK;
}

enum status mongodb_set_collection(struct mongodb_compiler *compiler,
                                   const struct change_value *value, struct error *error)
{
    const struct change_value *table = change_get(value, "table");
    const struct change_value *options = change_get(value, "options");
    struct rules was;
    if (check_options(compiler, value, error) != STATUS_OK ||
        mongodb_find_collection(compiler, table, NULL, error) != STATUS_OK ||
        read_rules(compiler, table->text, &was, error) != STATUS_OK ||
        set_images(compiler, table->text, options, &was, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return set_validator(compiler, table->text, options, &was, error);
}
