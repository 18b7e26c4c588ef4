/* Indexes: made beside reads and writes at the start, a unique one behind a search for documents
 * that have the same; dropped by `complete`. */
#include "connectors/mongodb/alter.h"

#include <string.h>

/* ---------------------------------------------------------------- indexes that are there */

typedef bool visit_index(void *context, const bson_t *index);

/* Until the visit says that it has found what it looks for. */
static enum status each_index(struct mongodb_compiler *compiler, const char *collection,
                              visit_index *visit, void *context, struct error *error)
{
    bson_iter_t at;
    bson_iter_t list;
    bson_t reply;
    bson_t index;
    bool found = false;
    const char *text =
        arena_format(compiler->arena, "{\"command\": {\"listIndexes\": %s}, \"ignore\": [%d]}",
                     mongodb_quoted(compiler, collection), (int)MONGODB_NO_COLLECTION);
    enum status status = mongodb_step_run(compiler->session, text, &reply, error);
    bool listed = status == STATUS_OK && bson_iter_init(&list, &reply) &&
                  bson_iter_find_descendant(&list, "cursor.firstBatch", &at) &&
                  bson_iter_recurse(&at, &list);
    while (listed && !found && bson_iter_next(&list)) {
        uint32_t length = 0;
        const uint8_t *bytes = NULL;
        bson_iter_document(&list, &length, &bytes);
        found = bytes != NULL && bson_init_static(&index, bytes, length) && visit(context, &index);
    }
    bson_destroy(&reply);
    return status;
}

struct search {
    struct arena *arena;
    const char *wanted; /* a name, or a field */
    const char *found;  /* the index */
};

static bool has_name(void *context, const bson_t *index)
{
    struct search *search = context;
    const char *name = mongodb_text(index, "name");
    if (name != NULL && strcmp(name, search->wanted) == 0) {
        search->found = search->wanted;
    }
    return search->found != NULL;
}

static bool is_unique_over(void *context, const bson_t *index)
{
    struct search *search = context;
    const char *name = mongodb_text(index, "name");
    size_t length = strlen(search->wanted);
    bson_iter_t at;
    bson_iter_t key;
    bool unique = bson_iter_init_find(&at, index, "unique") && bson_iter_as_bool(&at);
    bool listed = unique && bson_iter_init_find(&at, index, "key") && bson_iter_recurse(&at, &key);
    while (listed && bson_iter_next(&key)) {
        const char *field = bson_iter_key(&key);
        if (strncmp(field, search->wanted, length) == 0 &&
            (field[length] == '\0' || field[length] == '.')) {
            search->found = arena_copy_string(search->arena, name != NULL ? name : field);
        }
    }
    return search->found != NULL;
}

enum status mongodb_unique_index_of(struct mongodb_compiler *compiler, const char *collection,
                                    const char *field, const char **name, struct error *error)
{
    struct search search = {.arena = compiler->arena, .wanted = field};
    enum status status = each_index(compiler, collection, is_unique_over, &search, error);
    *name = search.found;
    return status;
}

static enum status look_for(struct mongodb_compiler *compiler, const char *collection,
                            const char *name, bool *there, struct error *error)
{
    struct search search = {.arena = compiler->arena, .wanted = name};
    enum status status = each_index(compiler, collection, has_name, &search, error);
    *there = search.found != NULL;
    return status;
}

/* ---------------------------------------------------------------- what is declared */

/* How a column is in the index; NULL: there is no such method. */
static const char *method_of(const struct change_value *value, const struct change_value *column)
{
    static const char *const methods[][2] = {
        {"btree", NULL},      {"hash", "\"hashed\""}, {"hashed", "\"hashed\""},
        {"text", "\"text\""}, {"2d", "\"2d\""},       {"2dsphere", "\"2dsphere\""}};
    const struct change_value *own = change_get(column, "opclass");
    const char *name = own != NULL && own->kind == CHANGE_MAP ? change_text(own, "name")
                       : own != NULL                          ? own->text
                                                              : change_text(value, "method");
    const char *sort = change_text(column, "sort");
    const char *order = sort != NULL && strcmp(sort, "DESC") == 0 ? "-1" : "1";
    const char *found = name == NULL ? order : NULL;
    for (size_t i = 0; name != NULL && i < sizeof(methods) / sizeof(*methods); i++) {
        if (strcmp(methods[i][0], name) == 0) {
            found = methods[i][1] != NULL ? methods[i][1] : order;
        }
    }
    return found;
}

static enum status append_key(struct mongodb_compiler *compiler, const struct change_value *value,
                              struct buffer *out, struct error *error)
{
    const struct change_value *columns = change_get(value, "columns");
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct change_value *column = &columns->items[i];
        const char *name = change_text(column, "column");
        const char *method = method_of(value, column);
        if (name == NULL) {
            return mongodb_refuse(compiler, column, error,
                                  "an index of MongoDB is over fields, not expressions", NULL);
        }
        if (method == NULL) {
            return mongodb_invalid(compiler, column, error, "there is no such kind of index",
                                   "btree, hash, text, 2d or 2dsphere; a column \"$**\" makes one "
                                   "of all fields.");
        }
        buffer_format(out, "%s%s: %s", i > 0 ? ", " : "", mongodb_quoted(compiler, name), method);
    }
    return STATUS_OK;
}

/* The text between the braces of a document, behind a comma; "": there is none. */
static const char *members_of(struct mongodb_compiler *compiler, const char *document)
{
    const char *begin = strchr(document, '{') + 1;
    const char *end = strrchr(document, '}');
    begin += strspn(begin, " \t\r\n");
    return begin < end ? arena_format(compiler->arena, ", %.*s", (int)(end - begin), begin) : "";
}

struct index {
    const char *filter;  /* a partial one's; NULL */
    const char *members; /* other options, behind a comma; "" */
};

static enum status read_index(struct mongodb_compiler *compiler, const struct change_value *value,
                              struct index *index, struct error *error)
{
    const struct change_value *filter = change_get(value, "predicate");
    const struct change_value *options = change_get(value, "storage_parameters");
    *index = (struct index){.members = ""};
    if (change_get(value, "include") != NULL) {
        return mongodb_refuse(compiler, change_get(value, "include"), error,
                              "an index of MongoDB keeps no fields beside its key",
                              "Put them behind the key's.");
    }
    if (filter != NULL) {
        index->filter = mongodb_json_document(compiler, filter, error);
    }
    if (options != NULL && (filter == NULL || index->filter != NULL)) {
        const char *document = mongodb_json_document(compiler, options, error);
        index->members = document != NULL ? members_of(compiler, document) : NULL;
    }
    return (filter == NULL || index->filter != NULL) && index->members != NULL ? STATUS_OK
                                                                               : STATUS_FAILED;
}

/* ---------------------------------------------------------------- duplicates */

/* A member of the index's other options as JSON, in the arena; NULL: there is none. */
static const char *option_of(struct mongodb_compiler *compiler, const struct change_value *value,
                             const char *name)
{
    const char *options = change_text(value, "storage_parameters");
    const char *found = NULL;
    bson_iter_t at;
    bson_t *read = options != NULL ? mongodb_json_read(options, strlen(options), NULL) : NULL;
    if (read != NULL && bson_iter_init_find(&at, read, name)) {
        found = BSON_ITER_HOLDS_NULL(&at) ? NULL : mongodb_value_text(&at, compiler->arena);
    }
    if (read != NULL) {
        bson_destroy(read);
    }
    return found;
}

/* Documents that a sparse index has: those with any of its fields. */
static void append_sparse(struct mongodb_compiler *compiler, const struct change_value *columns,
                          struct buffer *out)
{
    buffer_append_string(out, ", {\"$match\": {\"$or\": [");
    for (uint32_t i = 0; i < columns->count; i++) {
        buffer_format(out, "%s%s", i > 0 ? ", " : "",
                      mongodb_exists(compiler, change_text(&columns->items[i], "column"), true));
    }
    buffer_append_string(out, "]}}");
}

/*
 * Groups of documents with the same key: {_id: the key, n: how many}. A list is in the index by
 * each of its elements, once a document; a field that is missing counts as null.
 */
static const char *duplicates(struct mongodb_compiler *compiler, const struct change_value *value,
                              const struct index *index)
{
    const struct change_value *columns = change_get(value, "columns");
    const char *sparse = option_of(compiler, value, "sparse");
    struct buffer out = {0};
    buffer_format(&out, "{\"$match\": %s}", index->filter != NULL ? index->filter : "{}");
    if (sparse != NULL && strcmp(sparse, "true") == 0) {
        append_sparse(compiler, columns, &out);
    }
    for (uint32_t i = 0; i < columns->count; i++) {
        buffer_format(&out, ", {\"$unwind\": {\"path\": %s, \"preserveNullAndEmptyArrays\": true}}",
                      mongodb_path(compiler, change_text(&columns->items[i], "column")));
    }
    buffer_append_string(&out, ", {\"$group\": {\"_id\": {\"key\": {");
    for (uint32_t i = 0; i < columns->count; i++) {
        const char *name = change_text(&columns->items[i], "column");
        buffer_format(&out, "%s\"k%u\": {\"$ifNull\": [%s, null]}", i > 0 ? ", " : "", (unsigned)i,
                      mongodb_path(compiler, name));
    }
    buffer_append_string(&out, "}, \"document\": \"$_id\"}}}, {\"$group\": {\"_id\": \"$_id.key\", "
                               "\"n\": {\"$sum\": 1}}}, {\"$match\": {\"n\": {\"$gt\": 1}}}");
    return mongodb_taken(compiler, &out);
}

static void prove_unique(struct mongodb_compiler *compiler, const struct change_value *value,
                         const struct index *index)
{
    const char *table = change_text(value, "table");
    const char *collation = option_of(compiler, value, "collation");
    mongodb_add_batches(
        compiler, CHANGE_PROVE,
        arena_format(compiler->arena, "prove that no two documents of %s have the same %s", table,
                     change_text(value, "name")),
        arena_format(compiler->arena,
                     "{\"do\": \"prove\", \"in\": %s, \"whole\": true, \"pipeline\": [%s]%s%s}",
                     mongodb_quoted(compiler, table), duplicates(compiler, value, index),
                     collation != NULL ? ", \"collation\": " : "",
                     collation != NULL ? collation : ""),
        NULL);
}

/* ---------------------------------------------------------------- operations */

static const char *drop_text(struct mongodb_compiler *compiler, const char *table, const char *name)
{
    return arena_format(compiler->arena,
                        "{\"command\": {\"dropIndexes\": %s, \"index\": %s}, \"ignore\": [%d, %d]}",
                        mongodb_quoted(compiler, table), mongodb_quoted(compiler, name),
                        (int)MONGODB_NO_COLLECTION, (int)MONGODB_INDEX_NOT_FOUND);
}

static enum status keep_name_free(struct mongodb_compiler *compiler,
                                  const struct change_value *value, struct error *error)
{
    bool there = false;
    const char *table = change_text(value, "table");
    const struct change_value *name = change_get(value, "name");
    if (look_for(compiler, table, name->text, &there, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return there
               ? change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID, name, error,
                                     "collection '%s' has an index '%s' already", table, name->text)
               : STATUS_OK;
}

enum status mongodb_create_index(struct mongodb_compiler *compiler,
                                 const struct change_value *value, struct error *error)
{
    const char *table = change_text(value, "table");
    const char *name = change_text(value, "name");
    bool unique = change_is_true(value, "unique");
    struct index index;
    struct buffer key = {0};
    if (mongodb_find_collection(compiler, change_get(value, "table"), NULL, error) != STATUS_OK ||
        read_index(compiler, value, &index, error) != STATUS_OK ||
        keep_name_free(compiler, value, error) != STATUS_OK ||
        append_key(compiler, value, &key, error) != STATUS_OK) {
        buffer_free(&key);
        return STATUS_FAILED;
    }
    if (unique) {
        prove_unique(compiler, value, &index);
    }
    const char *text = arena_format(
        compiler->arena,
        "{\"createIndexes\": %s, \"indexes\": [{\"key\": {%s}, \"name\": %s%s%s%s%s}]}",
        mongodb_quoted(compiler, table), buffer_string(&key), mongodb_quoted(compiler, name),
        unique ? ", \"unique\": true" : "",
        index.filter != NULL ? ", \"partialFilterExpression\": " : "",
        index.filter != NULL ? index.filter : "", index.members);
    buffer_free(&key);
    struct change_step *step =
        mongodb_add(compiler, unique ? CHANGE_PROVE : CHANGE_EXPAND,
                    arena_format(compiler->arena, "create index %s on %s", name, table), text,
                    drop_text(compiler, table, name), NULL);
    step->rewrites = true;
    change_builder_way(&compiler->builder, "built beside reads and writes",
                       unique ? "from then on a write of either version that has the same fails"
                              : NULL);
    return STATUS_OK;
}

enum status mongodb_drop_index(struct mongodb_compiler *compiler, const struct change_value *value,
                               struct error *error)
{
    const char *name = change_text(value, "name");
    const struct change_value *table = change_get(value, "table");
    bool there = false;
    if (table == NULL) {
        return mongodb_invalid(compiler, NULL, error,
                               "names of indexes are their collection's own: `table` is missing",
                               NULL);
    }
    if (mongodb_find_collection(compiler, table, NULL, error) != STATUS_OK ||
        look_for(compiler, table->text, name, &there, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!there) {
        return change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID,
                                   change_get(value, "name"), error,
                                   "collection '%s' has no index '%s'", table->text, name);
    }
    mongodb_add(compiler, CHANGE_CONTRACT,
                arena_format(compiler->arena, "drop index %s of %s", name, table->text),
                drop_text(compiler, table->text, name), NULL, NULL);
    change_builder_way(&compiler->builder, "dropped by `complete`", NULL);
    return STATUS_OK;
}
