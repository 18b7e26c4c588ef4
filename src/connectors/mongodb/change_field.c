/*
 * Fields of documents.
 *
 *   add      filled in batches where it is missing; what the old version wrote since by `complete`
 *   drop     removed in batches by `complete`
 *   rename   until `switch writes` the old name counts, and the new one is a copy of it; the switch
 *            renames in each document, and a document that gets the old name later is one that the
 *            old version still writes: `complete` takes it over, or stops where both names differ
 *
 * A pipeline that sets "a.b" writes it into each element where a is a list, and replaces an `a`
 * that is no object. Such documents are left as they are, and keep a change from starting or from
 * being proved.
 */
#include "connectors/mongodb/alter.h"

#include <string.h>

/* Passes over a collection at most, until one finds nothing to do. */
#define PASSES "5"

static const char *update_stage(struct mongodb_compiler *compiler, const char *collection,
                                const char *match, const char *set)
{
    return arena_format(compiler->arena,
                        "{\"do\": \"update\", \"in\": %s, \"match\": %s, \"set\": %s, "
                        "\"passes\": " PASSES "}",
                        mongodb_quoted(compiler, collection), match, set);
}

static const char *prove_stage(struct mongodb_compiler *compiler, const char *collection,
                               const char *match)
{
    return arena_format(compiler->arena, "{\"do\": \"prove\", \"in\": %s, \"match\": %s}",
                        mongodb_quoted(compiler, collection), match);
}

static const char *unset(struct mongodb_compiler *compiler, const char *field)
{
    return arena_format(compiler->arena, "{\"$unset\": {%s: \"\"}}",
                        mongodb_quoted(compiler, field));
}

/* No document may have the field. */
static enum status keep_absent(struct mongodb_compiler *compiler, const char *collection,
                               const struct change_value *at, struct error *error)
{
    const char *answer;
    const char *text = arena_format(
        compiler->arena,
        "{\"command\": {\"find\": %s, \"filter\": %s, \"projection\": {\"_id\": 1}, \"limit\": 1, "
        "\"singleBatch\": true}, \"asks\": \"any\"}",
        mongodb_quoted(compiler, collection), mongodb_exists(compiler, at->text, true));
    if (mongodb_ask(compiler, text, &answer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return strcmp(answer, "true") == 0
               ? change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID, at, error,
                                     "documents of '%s' have a field '%s' already", collection,
                                     at->text)
               : STATUS_OK;
}

/* The outer parts of a path are objects, or not there. (In a filter "$type": "object" is also true
 * of a list that has one.) NULL: a name without parts, which each document can have. */
static const char *fits(struct mongodb_compiler *compiler, const char *field)
{
    struct buffer out = {0};
    for (const char *dot = strchr(field, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
        const char *outer = arena_format(compiler->arena, "%.*s", (int)(dot - field), field);
        const char *name = mongodb_quoted(compiler, outer);
        buffer_format(
            &out,
            "%s{\"$or\": [%s, {\"$and\": [{%s: {\"$type\": \"object\"}}, {\"$nor\": [{%s: "
            "{\"$type\": \"array\"}}]}]}]}",
            out.length > 0 ? ", " : "{\"$and\": [", mongodb_exists(compiler, outer, false), name,
            name);
    }
    buffer_append_string(&out, out.length > 0 ? "]}" : "");
    if (out.length == 0) {
        buffer_free(&out);
        return NULL;
    }
    return mongodb_taken(compiler, &out);
}

/* The filter, of documents that can have the field. */
static const char *among_fitting(struct mongodb_compiler *compiler, const char *field,
                                 const char *match)
{
    const char *fitting = fits(compiler, field);
    return fitting == NULL ? match
                           : arena_format(compiler->arena, "{\"$and\": [%s, %s]}", match, fitting);
}

/* All documents that the filter finds can have the field. */
static enum status keep_fitting(struct mongodb_compiler *compiler, const char *collection,
                                const struct change_value *at, const char *match,
                                struct error *error)
{
    const char *id = NULL;
    const char *fitting = fits(compiler, at->text);
    if (fitting == NULL) {
        return STATUS_OK;
    }
    const char *text = arena_format(
        compiler->arena,
        "{\"aggregate\": %s, \"pipeline\": [{\"$match\": {\"$and\": [%s, {\"$nor\": [%s]}]}}, "
        "{\"$limit\": 1}, {\"$project\": {\"_id\": 1}}], \"cursor\": {}}",
        mongodb_quoted(compiler, collection), match, fitting);
    if (mongodb_ask(compiler, text, &id, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (id == NULL) {
        return STATUS_OK;
    }
    return mongodb_refuse(compiler, at, error,
                          arena_format(compiler->arena,
                                       "the document with _id %.200s has a list or a plain value "
                                       "where the field's outer part is",
                                       id),
                          "Only what is within objects can be changed so; `copy_table` makes "
                          "documents of another shape.");
}

/* A unique index over a field that leaves would find the same nothing in all documents. */
static enum status keep_out_of_unique(struct mongodb_compiler *compiler, const char *collection,
                                      const struct change_value *at, struct error *error)
{
    const char *index = NULL;
    if (mongodb_unique_index_of(compiler, collection, at->text, &index, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return index == NULL ? STATUS_OK
                         : mongodb_refuse(compiler, at, error,
                                          arena_format(compiler->arena,
                                                       "the unique index %s is over it", index),
                                          "Drop the index in a change of its own first.");
}

/* ---------------------------------------------------------------- adding */

/* Names of types as $type takes them; those that $convert makes are `made`. */
static const struct {
    const char *name;
    bool made;
} types[] = {{"any", false},       {"double", true},   {"string", true},   {"object", false},
             {"array", false},     {"binData", false}, {"objectId", true}, {"bool", true},
             {"date", true},       {"null", false},    {"regex", false},   {"int", true},
             {"timestamp", false}, {"long", true},     {"decimal", true},  {"number", false}};

static enum status find_type(struct mongodb_compiler *compiler, const struct change_value *at,
                             bool *made, struct error *error)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        if (strcmp(types[i].name, at->text) == 0) {
            *made = types[i].made;
            return STATUS_OK;
        }
    }
    return mongodb_invalid(compiler, at, error, "BSON has no such type",
                           "any, double, string, object, array, binData, objectId, bool, date, "
                           "null, regex, int, timestamp, long, decimal or number.");
}

static enum status check_column(struct mongodb_compiler *compiler,
                                const struct change_value *column, struct error *error)
{
    static const char *const fields[] = {"unique",    "check",   "references",
                                         "generated", "comment", "pk"};
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        const struct change_value *at = change_get(column, fields[i]);
        if (at != NULL && at->kind != CHANGE_NULL) {
            return change_builder_fail(&compiler->builder, ERROR_CHANGE_REFUSED, at, error,
                                       "fields of documents have no %s", fields[i]);
        }
    }
    return STATUS_OK;
}

/* Documents whose field is there and of another type; with `missing` also those without it. */
static const char *wrong_type(struct mongodb_compiler *compiler, const struct change_value *column,
                              bool missing)
{
    const char *name = mongodb_quoted(compiler, change_text(column, "name"));
    const char *type = change_text(column, "type");
    bool nullable = change_is_true(column, "nullable");
    const char *own = strcmp(type, "any") == 0
                          ? arena_format(compiler->arena, "{%s: {\"$exists\": true%s}}", name,
                                         nullable ? "" : ", \"$ne\": null")
                          : arena_format(compiler->arena, "{%s: {\"$type\": \"%s\"}}", name, type);
    const char *right =
        nullable ? arena_format(compiler->arena, "%s, {%s: {\"$type\": \"null\"}}", own, name)
                 : own;
    return missing
               ? arena_format(compiler->arena, "{\"$nor\": [%s]}", right)
               : arena_format(compiler->arena, "{\"$and\": [%s, {\"$nor\": [%s]}]}",
                              mongodb_exists(compiler, change_text(column, "name"), true), right);
}

/* The value that a document without the field gets; NULL, and nothing is wrong: none. */
static enum status value_of(struct mongodb_compiler *compiler, const struct change_value *value,
                            const char **expression, struct error *error)
{
    const struct change_value *column = change_get(value, "column");
    const struct change_value *preset = change_get(column, "default");
    const struct change_value *up = change_get(value, "up");
    bool made = false;
    *expression = NULL;
    if (find_type(compiler, change_get(column, "type"), &made, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (up == NULL && (preset == NULL || preset->kind == CHANGE_NULL)) {
        return change_is_true(column, "nullable") && preset == NULL
                   ? STATUS_OK
                   : mongodb_invalid(compiler, column, error,
                                     "documents that are there need a value of it",
                                     "Give `default` or `up`, or say `nullable: true`.");
    }
    const char *json = up != NULL ? mongodb_expression(compiler, up, error)
                                  : mongodb_json(compiler, preset, error);
    if (json == NULL) {
        return STATUS_FAILED;
    }
    json = up != NULL ? json : arena_format(compiler->arena, "{\"$literal\": %s}", json);
    *expression =
        made ? arena_format(compiler->arena, "{\"$convert\": {\"input\": %s, \"to\": \"%s\"}}",
                            json, change_text(column, "type"))
             : json;
    return STATUS_OK;
}

static void fill_field(struct mongodb_compiler *compiler, const char *collection,
                       const struct change_value *column, const char *expression)
{
    const char *name = change_text(column, "name");
    const char *title = arena_format(compiler->arena, "%s.%s", collection, name);
    const char *fill = update_stage(
        compiler, collection, among_fitting(compiler, name, mongodb_exists(compiler, name, false)),
        arena_format(compiler->arena, "[{\"$set\": {%s: %s}}]", mongodb_quoted(compiler, name),
                     expression));
    mongodb_add_batches(
        compiler, CHANGE_FILL, arena_format(compiler->arena, "fill %s", title), fill,
        mongodb_update_all(compiler, collection, mongodb_exists(compiler, name, true),
                           unset(compiler, name)));
    mongodb_add_batches(compiler, CHANGE_PROVE, arena_format(compiler->arena, "prove %s", title),
                        prove_stage(compiler, collection, wrong_type(compiler, column, false)),
                        NULL);
    mongodb_add_batches(
        compiler, CHANGE_CONTRACT,
        arena_format(compiler->arena, "fill %s of what was written since, and prove it", title),
        arena_format(compiler->arena, "%s, %s", fill,
                     prove_stage(compiler, collection, wrong_type(compiler, column, true))),
        NULL);
}

enum status mongodb_add_field(struct mongodb_compiler *compiler, const struct change_value *value,
                              struct error *error)
{
    const struct change_value *column = change_get(value, "column");
    const struct change_value *table = change_get(value, "table");
    const struct change_value *name = change_get(column, "name");
    const char *expression;
    bool made = false;
    if (mongodb_find_collection(compiler, table, &made, error) != STATUS_OK ||
        mongodb_check_field(compiler, name, error) != STATUS_OK ||
        check_column(compiler, column, error) != STATUS_OK ||
        value_of(compiler, value, &expression, error) != STATUS_OK ||
        (!made && (keep_absent(compiler, table->text, name, error) != STATUS_OK ||
                   keep_fitting(compiler, table->text, name, "{}", error) != STATUS_OK))) {
        return STATUS_FAILED;
    }
    if (expression == NULL) {
        change_builder_way(&compiler->builder,
                           "nothing is to be done: documents get it as they "
                           "are written",
                           NULL);
        return STATUS_OK;
    }
    fill_field(compiler, table->text, column, expression);
    change_builder_way(&compiler->builder, "filled in batches along _id",
                       "documents that the old version writes meanwhile are filled by `complete`, "
                       "and a value that is there is not computed again");
    return STATUS_OK;
}

/* ---------------------------------------------------------------- dropping */

enum status mongodb_drop_field(struct mongodb_compiler *compiler, const struct change_value *value,
                               struct error *error)
{
    const struct change_value *table = change_get(value, "table");
    const struct change_value *at = change_get(value, "column");
    if (mongodb_find_collection(compiler, table, NULL, error) != STATUS_OK ||
        mongodb_check_field(compiler, at, error) != STATUS_OK ||
        keep_out_of_unique(compiler, table->text, at, error) != STATUS_OK ||
        keep_fitting(compiler, table->text, at, mongodb_exists(compiler, at->text, true), error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    if (change_get(value, "down") != NULL) {
        return mongodb_refuse(
            compiler, change_get(value, "down"), error,
            "MongoDB has no triggers that would fill the field for the old version",
            "Leave `down` out: the application writes it as long as the old "
            "version runs.");
    }
    const char *there = mongodb_exists(compiler, at->text, true);
    mongodb_add_batches(
        compiler, CHANGE_CONTRACT,
        arena_format(compiler->arena, "drop %s.%s", table->text, at->text),
        arena_format(compiler->arena, "%s, %s",
                     update_stage(compiler, table->text, there, unset(compiler, at->text)),
                     prove_stage(compiler, table->text, there)),
        NULL);
    change_builder_way(&compiler->builder, "removed in batches by `complete`", NULL);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- renaming */

static bool is_within(const char *path, const char *outer)
{
    size_t length = strlen(outer);
    return strncmp(path, outer, length) == 0 && (path[length] == '.' || path[length] == '\0');
}

struct renaming {
    const char *collection;
    const char *from, *to;           /* names */
    const char *has_from, *lacks_to; /* filters */
    const char *moves;               /* likewise: has the old name, and can have the new one */
    const char *move;                /* a pipeline: the value under the new name alone */
};

/* Documents that have the new name alone, and can have the old one. */
static const char *lacks_from(struct mongodb_compiler *compiler, const struct renaming *it)
{
    return among_fitting(
        compiler, it->to,
        among_fitting(compiler, it->from, mongodb_exists(compiler, it->from, false)));
}

/* A value that the new version alone wrote gets the old name, and then the new name goes
 * everywhere. */
static const char *copy_back(struct mongodb_compiler *compiler, const struct renaming *it)
{
    const char *has_to = mongodb_exists(compiler, it->to, true);
    return arena_format(
        compiler->arena,
        "{\"update\": %s, \"updates\": [{\"q\": {\"$and\": [%s, %s]}, "
        "\"u\": [{\"$set\": {%s: %s}}], \"multi\": true}, {\"q\": %s, \"u\": %s, \"multi\": true}]}",
        mongodb_quoted(compiler, it->collection), has_to, lacks_from(compiler, it),
        mongodb_quoted(compiler, it->from), mongodb_path(compiler, it->to), has_to,
        unset(compiler, it->to));
}

static void add_copy(struct mongodb_compiler *compiler, const struct renaming *it)
{
    struct arena *arena = compiler->arena;
    const char *from = mongodb_path(compiler, it->from);
    const char *to = mongodb_path(compiler, it->to);
    mongodb_add_batches(
        compiler, CHANGE_FILL,
        arena_format(arena, "copy %s.%s to %s", it->collection, it->from, it->to),
        update_stage(
            compiler, it->collection,
            arena_format(arena, "{\"$and\": [%s, {\"$expr\": {\"$ne\": [%s, %s]}}]}", it->moves,
                         from, to),
            arena_format(arena, "[{\"$set\": {%s: %s}}]", mongodb_quoted(compiler, it->to), from)),
        copy_back(compiler, it));
}

static void add_switch(struct mongodb_compiler *compiler, const struct renaming *it)
{
    struct arena *arena = compiler->arena;
    const char *back = mongodb_update_all(
        compiler, it->collection,
        arena_format(arena, "{\"$and\": [%s, %s]}", mongodb_exists(compiler, it->to, true),
                     lacks_from(compiler, it)),
        arena_format(arena, "[{\"$set\": {%s: %s}}]", mongodb_quoted(compiler, it->from),
                     mongodb_path(compiler, it->to)));
    mongodb_add_batches(compiler, CHANGE_SWITCH_WRITES,
                        arena_format(arena, "rename %s.%s to %s", it->collection, it->from, it->to),
                        arena_format(arena, "%s, %s",
                                     update_stage(compiler, it->collection, it->moves, it->move),
                                     prove_stage(compiler, it->collection, it->has_from)),
                        back);
}

static void add_late(struct mongodb_compiler *compiler, const struct renaming *it)
{
    struct arena *arena = compiler->arena;
    const char *late = arena_format(arena, "{\"$and\": [%s, %s]}", it->moves, it->lacks_to);
    const char *same =
        arena_format(arena, "{\"$and\": [%s, {\"$expr\": {\"$eq\": [%s, %s]}}]}", it->has_from,
                     mongodb_path(compiler, it->from), mongodb_path(compiler, it->to));
    mongodb_add_batches(
        compiler, CHANGE_CONTRACT,
        arena_format(arena, "take over %s.%s that was written since, and prove it", it->collection,
                     it->from),
        arena_format(arena, "%s, %s, %s", update_stage(compiler, it->collection, late, it->move),
                     update_stage(compiler, it->collection, same, unset(compiler, it->from)),
                     prove_stage(compiler, it->collection, it->has_from)),
        NULL);
}

static enum status rename_to(struct mongodb_compiler *compiler, const struct change_value *table,
                             const struct change_value *from, const struct change_value *to,
                             struct error *error)
{
    if (mongodb_find_collection(compiler, table, NULL, error) != STATUS_OK ||
        mongodb_check_field(compiler, from, error) != STATUS_OK ||
        mongodb_check_field(compiler, to, error) != STATUS_OK ||
        keep_out_of_unique(compiler, table->text, from, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (is_within(from->text, to->text) || is_within(to->text, from->text)) {
        return mongodb_invalid(compiler, to, error, "one of both names is within the other", NULL);
    }
    const char *has_from = mongodb_exists(compiler, from->text, true);
    if (keep_absent(compiler, table->text, to, error) != STATUS_OK ||
        keep_fitting(compiler, table->text, from, has_from, error) != STATUS_OK ||
        keep_fitting(compiler, table->text, to, has_from, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct renaming renaming = {
        .collection = table->text,
        .from = from->text,
        .to = to->text,
        .has_from = has_from,
        .moves = among_fitting(compiler, to->text, among_fitting(compiler, from->text, has_from)),
        .lacks_to = mongodb_exists(compiler, to->text, false),
        .move = arena_format(compiler->arena, "[{\"$set\": {%s: %s}}, {\"$unset\": %s}]",
                             mongodb_quoted(compiler, to->text), mongodb_path(compiler, from->text),
                             mongodb_quoted(compiler, from->text))};
    add_copy(compiler, &renaming);
    add_switch(compiler, &renaming);
    add_late(compiler, &renaming);
    change_builder_way(&compiler->builder,
                       "copied in batches along _id, renamed in each document by `switch writes`",
                       "until `switch writes` only what is written under the old name counts, and "
                       "from then on only the new one; indexes over it do not follow");
    return STATUS_OK;
}

enum status mongodb_rename_field(struct mongodb_compiler *compiler,
                                 const struct change_value *value, struct error *error)
{
    return rename_to(compiler, change_get(value, "table"), change_get(value, "from"),
                     change_get(value, "to"), error);
}

enum status mongodb_alter_field(struct mongodb_compiler *compiler, const struct change_value *value,
                                struct error *error)
{
    const struct change_value *name = change_get(value, "name");
    static const char *const others[] = {"type",   "nullable",   "default", "comment", "check",
                                         "unique", "references", "up",      "down",    "lossless"};
    bool alone = name != NULL;
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        alone = alone && change_get(value, others[i]) == NULL;
    }
    if (alone) {
        return rename_to(compiler, change_get(value, "table"), change_get(value, "column"), name,
                         error);
    }
    return mongodb_refuse(compiler, NULL, error,
                          "both versions would find one field, with values of two kinds",
                          "`add_column` under another name with `up`, and `drop_column` of the old "
                          "one; what a field may hold says the validator of `set_table`.");
}
