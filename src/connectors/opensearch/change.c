/*
 * The steps that each operation of a declared change becomes. In place: a new field, settings that
 * an open index takes, a new or dropped index, another name beside an alias's. All else (a field's
 * type, name or end, an analysis) is a copy into a new index (change_session.h).
 */
#include "connectors/opensearch/change_session.h"

#include "base/text.h"
#include "model/json_tree.h"
#include <string.h>

typedef enum status compile_operation(struct opensearch_compiler *compiler,
                                      const struct change_value *value, struct error *error);

static const char *path(struct opensearch_compiler *compiler, const char *index, const char *rest)
{
    return opensearch_change_path(compiler->arena, index, rest);
}

static const char *request(struct opensearch_compiler *compiler, const char *method,
                           const char *where, json_t *body, uint32_t allowed)
{
    return opensearch_request_text(compiler->arena, method, where, body, allowed);
}

/* ---------------------------------------------------------------- what fields have not */

static enum status check_column(struct opensearch_compiler *compiler,
                                const struct change_value *column, bool filled, struct error *error)
{
    static const char *const fields[] = {"pk",        "unique",  "check",  "references",
                                         "generated", "comment", "default"};
    size_t count = sizeof(fields) / sizeof(*fields) - (filled ? 1 : 0);
    for (size_t i = 0; i < count; i++) {
        const struct change_value *at = change_get(column, fields[i]);
        if (at != NULL && at->kind != CHANGE_NULL) {
            change_builder_fail(&compiler->builder, ERROR_CHANGE_REFUSED, at, error,
                                "fields of an index have no %s", fields[i]);
            return strcmp(fields[i], "pk") == 0
                       ? error_hint(error, "Leave it out: a document's key is its _id.")
                       : STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- tables */

static enum status read_options(struct opensearch_compiler *compiler,
                                const struct change_value *value, json_t *settings,
                                struct error *error)
{
    const struct change_value *options = change_get(value, "options");
    if (options != NULL && options->kind != CHANGE_MAP) {
        return change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID, options, error,
                                   "options are a map, name: value");
    }
    for (uint32_t i = 0; options != NULL && i < options->count; i++) {
        const char *name = options->keys[i];
        name = strncmp(name, "index.", 6) == 0 ? name + 6 : name;
        json_object_set_new(settings, name, opensearch_read_setting(options->items[i].text));
    }
    return STATUS_OK;
}

static enum status read_columns(struct opensearch_compiler *compiler,
                                const struct change_value *columns, json_t *properties,
                                struct error *error)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct change_value *column = &columns->items[i];
        json_t *property = NULL;
        if (check_column(compiler, column, false, error) != STATUS_OK ||
            opensearch_read_type(compiler, change_get(column, "type"), &property, error) !=
                STATUS_OK) {
            return STATUS_FAILED;
        }
        json_object_set_new(properties, change_text(column, "name"), property);
    }
    return STATUS_OK;
}

static enum status create_table(struct opensearch_compiler *compiler,
                                const struct change_value *value, struct error *error)
{
    const char *name;
    json_t *properties = json_object();
    json_t *settings = json_object();
    enum status status = opensearch_free_name(compiler, change_get(value, "name"),
                                              change_text(value, "name"), &name, error);
    if (status == STATUS_OK && change_get(value, "constraints") != NULL) {
        status = opensearch_refuse(compiler, change_get(value, "constraints"), error,
                                   "an index has no constraints", NULL);
    }
    status = status == STATUS_OK
                 ? read_columns(compiler, change_get(value, "columns"), properties, error)
                 : status;
    status = status == STATUS_OK ? read_options(compiler, value, settings, error) : status;
    if (status == STATUS_OK) {
        opensearch_add_step(compiler, CHANGE_EXPAND,
                            arena_format(compiler->arena, "create index %s", name),
                            request(compiler, "PUT", path(compiler, name, ""),
                                    json_pack("{s:{s:O}, s:{s:O}}", "settings", "index", settings,
                                              "mappings", "properties", properties),
                                    0),
                            request(compiler, "DELETE", path(compiler, name, ""), NULL, 404),
                            request(compiler, "HEAD", path(compiler, name, ""), NULL, 0));
        change_builder_way(&compiler->builder, "made at the start", NULL);
    }
    json_decref(properties);
    json_decref(settings);
    return status;
}

static enum status drop_table(struct opensearch_compiler *compiler,
                              const struct change_value *value, struct error *error)
{
    struct opensearch_place place;
    if (opensearch_find_place(compiler, value, "name", &place, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    opensearch_add_step(
        compiler, CHANGE_CONTRACT, arena_format(compiler->arena, "delete index %s", place.index),
        request(compiler, "DELETE", path(compiler, place.index, ""), NULL, 404), NULL, NULL);
    change_builder_way(&compiler->builder, "deleted by `complete`",
                       json_object_size(place.aliases) > 0 ? "its aliases go with it" : NULL);
    return STATUS_OK;
}

static const char *alias_request(struct opensearch_compiler *compiler, const char *action,
                                 const struct opensearch_place *place, const char *alias)
{
    const json_t *is = json_object_get(place->aliases, place->name);
    json_t *what = strcmp(action, "add") == 0 && is != NULL ? json_deep_copy(is) : json_object();
    json_object_set_new(what, "index", json_string(place->index));
    json_object_set_new(what, "alias", json_string(alias));
    return request(compiler, "POST", "/_aliases", json_pack("{s:[{s:o}]}", "actions", action, what),
                   404);
}

static enum status rename_table(struct opensearch_compiler *compiler,
                                const struct change_value *value, struct error *error)
{
    struct opensearch_place place;
    const char *to;
    if (opensearch_find_place(compiler, value, "from", &place, error) != STATUS_OK ||
        opensearch_free_name(compiler, change_get(value, "to"), change_text(value, "to"), &to,
                             error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!place.is_alias) {
        return opensearch_refuse(compiler, change_get(value, "from"), error,
                                 "it is an index, whose name is its own for good",
                                 "A change that copies it makes an alias of it; aliases can be "
                                 "renamed.");
    }
    opensearch_add_step(compiler, CHANGE_EXPAND, arena_format(compiler->arena, "add alias %s", to),
                        alias_request(compiler, "add", &place, to),
                        alias_request(compiler, "remove", &place, to), NULL);
    opensearch_add_step(compiler, CHANGE_CONTRACT,
                        arena_format(compiler->arena, "remove alias %s", place.name),
                        alias_request(compiler, "remove", &place, place.name), NULL, NULL);
    change_builder_way(&compiler->builder,
                       "both names stand for the index until `complete` removes the old one", NULL);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- settings */

/* The present value of the setting `name` ("mapping.total_fields.limit"); NULL: it is not set. */
static const json_t *find_setting(const json_t *settings, const char *name)
{
    char head[256];
    const char *dot = strchr(name, '.');
    const json_t *whole = json_object_get(settings, name);
    if (whole != NULL || dot == NULL || (size_t)(dot - name) >= sizeof(head)) {
        return whole;
    }
    memcpy(head, name, (size_t)(dot - name));
    head[dot - name] = '\0';
    const json_t *inner = json_object_get(settings, head);
    return inner != NULL ? find_setting(inner, dot + 1) : NULL;
}

static void set_in_place(struct opensearch_compiler *compiler, const struct opensearch_place *place,
                         json_t *settings)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_t *before = json_object();
    json_object_foreach(settings, name, value)
    {
        const json_t *is = find_setting(place->settings, name);
        json_object_set_new(before, name, is != NULL ? json_deep_copy(is) : json_null());
    }
    opensearch_add_step(compiler, CHANGE_EXPAND,
                        arena_format(compiler->arena, "set settings of %s", place->index),
                        request(compiler, "PUT", path(compiler, place->index, "/_settings"),
                                json_pack("{s:O}", "index", settings), 0),
                        request(compiler, "PUT", path(compiler, place->index, "/_settings"),
                                json_pack("{s:o}", "index", before), 404),
                        NULL);
    change_builder_way(&compiler->builder, "in place; what stands now is put back by `abort`",
                       NULL);
}

/* "analysis.analyzer.x" as the maps that an index is described with. */
static void put_setting(json_t *settings, const char *name, json_t *value)
{
    char head[256];
    const char *dot = strchr(name, '.');
    size_t length = dot != NULL ? (size_t)(dot - name) : 0;
    if (dot == NULL || length >= sizeof(head)) {
        json_object_set(settings, name, value);
        return;
    }
    memcpy(head, name, length);
    head[length] = '\0';
    json_t *inner = json_object_get(settings, head);
    if (!json_is_object(inner)) {
        inner = json_object();
        json_object_set_new(settings, head, inner);
    }
    put_setting(inner, dot + 1, value);
}

static enum status set_copied(struct opensearch_compiler *compiler,
                              const struct change_value *value, const json_t *settings,
                              struct error *error)
{
    struct opensearch_copy *copy = NULL;
    const char *name = NULL;
    json_t *setting = NULL;
    if (opensearch_copy_of(compiler, value, &copy, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    json_object_foreach((json_t *)(uintptr_t)settings, name, setting)
    {
        put_setting(copy->settings, name, setting);
    }
    return STATUS_OK;
}

static enum status set_table(struct opensearch_compiler *compiler, const struct change_value *value,
                             struct error *error)
{
    struct opensearch_place place;
    json_t *settings = json_object();
    const struct change_value *comment = change_get(value, "comment");
    enum status status = read_options(compiler, value, settings, error);
    if (status == STATUS_OK && comment != NULL) {
        status = opensearch_refuse(compiler, comment, error, "an index has no comment", NULL);
    } else if (status == STATUS_OK &&
               opensearch_needs_copy(compiler, change_text(value, "table"))) {
        status = set_copied(compiler, value, settings, error);
    } else if (status == STATUS_OK) {
        status = opensearch_find_place(compiler, value, "table", &place, error);
        if (status == STATUS_OK) {
            set_in_place(compiler, &place, settings);
        }
    }
    json_decref(settings);
    return status;
}

/* ---------------------------------------------------------------- fields */

/* A value that is there stays: a search does not find all fields that documents have ("exists" is
 * false of null, and of a field that is not indexed). */
static const char *fill_text(struct opensearch_compiler *compiler,
                             const struct opensearch_place *place, const char *field,
                             const char *up)
{
    struct buffer script = {0};
    struct buffer text = {0};
    buffer_append_string(&script, "if (ctx._source.containsKey(");
    opensearch_append_quoted(field, &script);
    buffer_append_string(&script, ")) { ctx.op = 'noop'; } else { ");
    opensearch_append_field(field, &script);
    buffer_format(&script, " = (%s); }", up);
    json_t *tree = json_pack("{s:s, s:s, s:s, s:s}", "do", "fill", "from", place->index, "field",
                             field, "script", buffer_string(&script));
    (void)json_tree_append(tree, JSON_COMPACT, &text);
    json_decref(tree);
    const char *copy = arena_copy_string(compiler->arena, buffer_string(&text));
    buffer_free(&script);
    buffer_free(&text);
    return copy;
}

/* Takes the values out of documents; the mapping keeps the field. */
static const char *removal(struct opensearch_compiler *compiler,
                           const struct opensearch_place *place, const char *field)
{
    struct buffer script = {0};
    buffer_append_string(&script, "if (ctx._source.containsKey(");
    opensearch_append_quoted(field, &script);
    buffer_append_string(&script, ")) { ctx._source.remove(");
    opensearch_append_quoted(field, &script);
    buffer_append_string(&script, "); } else { ctx.op = 'noop'; }");
    const char *text =
        request(compiler, "POST",
                path(compiler, place->index, "/_update_by_query?conflicts=proceed&refresh=true"),
                json_pack("{s:{s:s}}", "script", "source", buffer_string(&script)), 404);
    buffer_free(&script);
    return text;
}

static void add_fill(struct opensearch_compiler *compiler, const struct opensearch_place *place,
                     enum change_phase phase, const char *field, const char *up)
{
    struct change_step *step = opensearch_add_step(
        compiler, phase, arena_format(compiler->arena, "fill %s.%s", place->name, field),
        fill_text(compiler, place, field, up), NULL, NULL);
    step->kind = CHANGE_BATCHES;
}

/* The mapping's note is replaced as a whole, and goes along. */
static json_t *field_mapping(const struct opensearch_place *place, const char *field,
                             json_t *property)
{
    const char *word = json_string_value(json_object_get(property, "type"));
    json_t *mapping = json_pack("{s:{s:o}}", "properties", field, property);
    const json_t *meta = json_object_get(place->mapping, "_meta");
    if (json_object_get(meta, "transhume") != NULL) {
        json_object_set_new(mapping, "_meta", json_deep_copy(meta));
        opensearch_note_field(mapping, field, word != NULL ? word : "object");
    }
    return mapping;
}

static void add_in_place(struct opensearch_compiler *compiler, const struct change_value *value,
                         const struct opensearch_place *place, json_t *property)
{
    const struct change_value *column = change_get(value, "column");
    const char *field = change_text(column, "name");
    const char *up = change_text(value, "up");
    up = up != NULL ? up : change_text(column, "default");
    opensearch_add_step(compiler, CHANGE_EXPAND,
                        arena_format(compiler->arena, "add field %s.%s", place->name, field),
                        request(compiler, "PUT", path(compiler, place->index, "/_mapping"),
                                field_mapping(place, field, property), 0),
                        removal(compiler, place, field), NULL);
    if (up != NULL) {
        add_fill(compiler, place, CHANGE_FILL, field, up);
        add_fill(compiler, place, CHANGE_SWITCH_WRITES, field, up);
    }
    change_builder_way(&compiler->builder,
                       up != NULL ? "in place; documents that the old version writes meanwhile are "
                                    "filled by `switch writes`"
                                  : "in place",
                       "`abort` removes the values, and the mapping keeps the field: OpenSearch "
                       "can't remove one");
}

/* A field that an aborted change left in the mapping is as good as none: it is the same, and no
 * document has it. */
static enum status check_absent(struct opensearch_compiler *compiler,
                                const struct opensearch_place *place,
                                const struct change_value *name, const json_t *property,
                                struct error *error)
{
    const json_t *is = json_object_get(json_object_get(place->mapping, "properties"), name->text);
    json_t *root = NULL;
    struct buffer body = {0};
    if (is == NULL) {
        return STATUS_OK;
    }
    json_t *query = json_pack("{s:{s:{s:s}}}", "query", "exists", "field", name->text);
    (void)json_tree_append(query, JSON_COMPACT, &body);
    json_decref(query);
    enum status status =
        opensearch_alter_ask(compiler->session, "POST", path(compiler, place->index, "/_count"),
                             buffer_string(&body), &root, error);
    bool unused = json_integer_value(json_object_get(root, "count")) == 0;
    json_decref(root);
    buffer_free(&body);
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    return unused && json_equal(is, property) == 1
               ? STATUS_OK
               : change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID, name, error,
                                     "'%s' has a field '%s' already", place->name, name->text);
}

static enum status add_column(struct opensearch_compiler *compiler,
                              const struct change_value *value, struct error *error)
{
    const struct change_value *column = change_get(value, "column");
    const struct change_value *name = change_get(column, "name");
    struct opensearch_copy *copy = NULL;
    struct opensearch_place place;
    json_t *property = NULL;
    if (check_column(compiler, column, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (opensearch_needs_copy(compiler, change_text(value, "table"))) {
        return opensearch_copy_of(compiler, value, &copy, error) == STATUS_OK
                   ? opensearch_copy_add(compiler, value, copy, error)
                   : STATUS_FAILED;
    }
    if (opensearch_find_place(compiler, value, "table", &place, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (opensearch_read_type(compiler, change_get(column, "type"), &property, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (check_absent(compiler, &place, name, property, error) != STATUS_OK) {
        json_decref(property);
        return STATUS_FAILED;
    }
    add_in_place(compiler, value, &place, property);
    return STATUS_OK;
}

static enum status drop_column(struct opensearch_compiler *compiler,
                               const struct change_value *value, struct error *error)
{
    struct opensearch_copy *copy = NULL;
    return opensearch_copy_of(compiler, value, &copy, error) == STATUS_OK
               ? opensearch_copy_drop(compiler, value, copy, error)
               : STATUS_FAILED;
}

static enum status rename_column(struct opensearch_compiler *compiler,
                                 const struct change_value *value, struct error *error)
{
    struct opensearch_copy *copy = NULL;
    return opensearch_copy_of(compiler, value, &copy, error) == STATUS_OK
               ? opensearch_copy_rename(compiler, value, "from", "to", copy, error)
               : STATUS_FAILED;
}

static enum status alter_column(struct opensearch_compiler *compiler,
                                const struct change_value *value, struct error *error)
{
    struct opensearch_copy *copy = NULL;
    return opensearch_copy_of(compiler, value, &copy, error) == STATUS_OK
               ? opensearch_copy_alter(compiler, value, copy, error)
               : STATUS_FAILED;
}

/* ---------------------------------------------------------------- all operations */

static enum status run_text(struct opensearch_compiler *compiler, const struct change_value *value,
                            struct error *error)
{
    struct opensearch_call ignored;
    bool late = change_is_true(value, "on_complete");
    const char *up = change_text(value, "up");
    const char *down = change_text(value, "down");
    down = down != NULL && down[0] != '\0' ? down : NULL;
    if (opensearch_call_read(compiler->session, up, strlen(up), compiler->arena, &ignored, error) !=
            STATUS_OK ||
        (down != NULL && opensearch_call_read(compiler->session, down, strlen(down),
                                              compiler->arena, &ignored, error) != STATUS_OK)) {
        return change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID,
                                   change_get(value, "up"), error,
                                   "a request is expected, as in \"PUT /index\"");
    }
    struct change_step *step = opensearch_add_step(compiler, late ? CHANGE_CONTRACT : CHANGE_EXPAND,
                                                   "make a request", up, down, NULL);
    step->said = true;
    change_builder_way(&compiler->builder, late ? "as it is, by `complete`" : "as it is", NULL);
    return STATUS_OK;
}

static const struct {
    const char *kind;
    compile_operation *compile;
} operations[] = {{"create_table", create_table},
                  {"drop_table", drop_table},
                  {"rename_table", rename_table},
                  {"set_table", set_table},
                  {"add_column", add_column},
                  {"drop_column", drop_column},
                  {"rename_column", rename_column},
                  {"alter_column", alter_column},
                  {"sql", run_text}};

static enum status compile_one(struct opensearch_compiler *compiler, struct error *error)
{
    const struct change_operation *operation =
        &compiler->builder.change->operations[compiler->builder.number];
    for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
        if (strcmp(operations[i].kind, operation->kind) == 0) {
            return operations[i].compile(compiler, &operation->value, error);
        }
    }
    return opensearch_refuse(compiler, NULL, error, "an index has nothing like it",
                             "Documents move into other indexes by a plan of `transhume migrate`.");
}

static enum status change_compile(struct alter_session *session, const struct change *change,
                                  struct arena *arena, struct change_plan *plan,
                                  struct error *error)
{
    struct opensearch_compiler compiler = {.builder = {.arena = arena, .change = change},
                                           .session = opensearch_alter_of(session),
                                           .arena = arena,
                                           .trees = json_array()};
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < change->count && status == STATUS_OK; i++) {
        compiler.builder.number = i;
        status = compile_one(&compiler, error);
    }
    status = status == STATUS_OK ? opensearch_add_copies(&compiler, error) : status;
    if (status == STATUS_OK) {
        change_builder_end(&compiler.builder, plan);
    }
    opensearch_copies_free(&compiler);
    json_decref(compiler.trees);
    return status;
}

const struct change_functions opensearch_change = {.compile = change_compile,
                                                   .batch = opensearch_change_batch,
                                                   .estimate = opensearch_change_estimate};
