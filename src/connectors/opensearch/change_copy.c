/* Tables that are copied into a new index: what it is made of, and the steps. */
#include "connectors/opensearch/change_session.h"

#include "base/log.h"
#include "model/json_tree.h"
#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------- which they are */

bool opensearch_is_static(const char *option)
{
    static const char *const names[] = {"number_of_shards",
                                        "number_of_routing_shards",
                                        "codec",
                                        "sort",
                                        "analysis",
                                        "routing_partition_size",
                                        "similarity",
                                        "soft_deletes",
                                        "shard",
                                        "knn",
                                        "load_fixed_bitset_filters_eagerly"};
    option = strncmp(option, "index.", 6) == 0 ? option + 6 : option;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        size_t length = strlen(names[i]);
        if (strncmp(option, names[i], length) == 0 &&
            (option[length] == '\0' || option[length] == '.')) {
            return true;
        }
    }
    return false;
}

static bool sets_static(const struct change_value *options)
{
    bool found = false;
    for (uint32_t i = 0; options != NULL && options->kind == CHANGE_MAP && i < options->count;
         i++) {
        found = found || opensearch_is_static(options->keys[i]);
    }
    return found;
}

bool opensearch_needs_copy(const struct opensearch_compiler *compiler, const char *table)
{
    static const char *const kinds[] = {"alter_column", "drop_column", "rename_column"};
    const struct change *change = compiler->builder.change;
    bool found = false;
    for (uint32_t i = 0; i < change->count && !found; i++) {
        const struct change_operation *operation = &change->operations[i];
        const char *named = change_text(&operation->value, "table");
        if (named == NULL || strcmp(named, table) != 0) {
            continue;
        }
        for (size_t j = 0; j < sizeof(kinds) / sizeof(*kinds); j++) {
            found = found || strcmp(operation->kind, kinds[j]) == 0;
        }
        found = found || (strcmp(operation->kind, "set_table") == 0 &&
                          sets_static(change_get(&operation->value, "options")));
    }
    return found;
}

/* ---------------------------------------------------------------- a new one */

/* An index's settings without those that describe it, and that another one is not made with. */
static json_t *own_settings(const json_t *settings)
{
    static const char *const others[] = {"creation_date", "uuid",   "version",
                                         "provided_name", "blocks", "resize",
                                         "routing",       "shrink", "verified_before_close"};
    json_t *own = json_deep_copy(settings);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        json_object_del(own, others[i]);
    }
    return own;
}

static enum status check_place(struct opensearch_compiler *compiler, const struct change_value *at,
                               const struct opensearch_place *place, struct error *error)
{
    const json_t *source = json_object_get(place->mapping, "_source");
    const json_t *blocks = json_object_get(place->settings, "blocks");
    const char *write = json_string_value(json_object_get(blocks, "write"));
    if (json_is_false(json_object_get(source, "enabled")) ||
        json_array_size(json_object_get(source, "includes")) > 0 ||
        json_array_size(json_object_get(source, "excludes")) > 0 ||
        json_object_get(source, "mode") != NULL) {
        return opensearch_refuse(compiler, at, error,
                                 "its mapping does not keep documents as they were put in "
                                 "(_source), so that they can't be copied",
                                 "Fill a new index from where the documents come from.");
    }
    if (write != NULL && strcmp(write, "true") == 0) {
        return opensearch_refuse(compiler, at, error, "writes to it are blocked already",
                                 "Lift the block (PUT INDEX/_settings: index.blocks.write) first.");
    }
    return STATUS_OK;
}

enum status opensearch_copy_of(struct opensearch_compiler *compiler,
                               const struct change_value *value, struct opensearch_copy **found,
                               struct error *error)
{
    struct opensearch_place place;
    if (opensearch_find_place(compiler, value, "table", &place, error) != STATUS_OK ||
        check_place(compiler, change_get(value, "table"), &place, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < compiler->copy_count; i++) {
        if (strcmp(compiler->copies[i].place.index, place.index) == 0) {
            *found = &compiler->copies[i];
            return STATUS_OK;
        }
    }
    compiler->copies = arena_make_room(compiler->arena, compiler->copies, compiler->copy_count,
                                       &compiler->copy_capacity, sizeof(*compiler->copies));
    struct opensearch_copy *copy = &compiler->copies[compiler->copy_count++];
    *copy = (struct opensearch_copy){.place = place,
                                     .operation = compiler->builder.number,
                                     .mapping = json_deep_copy(place.mapping),
                                     .settings = own_settings(place.settings),
                                     .renamed = json_array(),
                                     .dropped = json_array(),
                                     .computed = json_array()};
    /* it is not the run's any more that made the old one */
    json_object_del(json_object_get(json_object_get(copy->mapping, "_meta"), "transhume"), "run");
    *found = copy;
    return STATUS_OK;
}

void opensearch_copies_free(struct opensearch_compiler *compiler)
{
    for (uint32_t i = 0; i < compiler->copy_count; i++) {
        struct opensearch_copy *copy = &compiler->copies[i];
        json_decref(copy->mapping);
        json_decref(copy->settings);
        json_decref(copy->renamed);
        json_decref(copy->dropped);
        json_decref(copy->computed);
        buffer_free(&copy->up);
        buffer_free(&copy->down);
    }
}

/* ---------------------------------------------------------------- its steps */

struct steps {
    struct opensearch_compiler *compiler;
    const struct opensearch_copy *copy;
    struct arena *arena;
    const char *old;    /* the index that is copied */
    const char *new;    /* and into which */
    const char *before; /* what the old one is called from the switch on */
};

static const char *titled(const struct steps *steps, const char *format, const char *name)
{
    return arena_format(steps->arena, "%s %s", format, name);
}

static const char *path(const struct steps *steps, const char *index, const char *rest)
{
    return opensearch_change_path(steps->arena, index, rest);
}

static const char *dumped(const struct steps *steps, json_t *tree)
{
    struct buffer text = {0};
    (void)json_tree_append(tree, JSON_COMPACT, &text);
    const char *copy = arena_copy_string(steps->arena, buffer_string(&text));
    buffer_free(&text);
    json_decref(tree);
    return copy;
}

static json_t *change_copy_move(const struct steps *steps, const char *what, bool final)
{
    json_t *tree =
        json_pack("{s:s, s:s, s:s, s:s, s:b, s:O, s:O, s:O}", "do", what, "from", steps->old, "to",
                  steps->new, "note", steps->new, "final", final, "renamed", steps->copy->renamed,
                  "dropped", steps->copy->dropped, "computed", steps->copy->computed);
    if (steps->copy->up.length > 0) {
        json_object_set_new(tree, "script",
                            json_stringn(steps->copy->up.data, steps->copy->up.length));
    }
    return tree;
}

static struct change_step *add_batches(const struct steps *steps, enum change_phase phase,
                                       const char *title, json_t *what)
{
    struct change_step *step =
        opensearch_add_step(steps->compiler, phase, title, dumped(steps, what), NULL, NULL);
    step->kind = CHANGE_BATCHES;
    return step;
}

/* A request of this program's own. */
static const char *own(const struct steps *steps, const char *word, json_t *body)
{
    return opensearch_request_text(steps->arena, "POST",
                                   arena_format(steps->arena, "/_transhume/%s", word), body, 0);
}

static void add_index(const struct steps *steps)
{
    const struct opensearch_copy *copy = steps->copy;
    json_t *slow = json_deep_copy(copy->settings);
    const json_t *refresh = json_object_get(copy->settings, "refresh_interval");
    json_object_set_new(slow, "refresh_interval", json_string("-1"));
    opensearch_add_step(
        steps->compiler, CHANGE_EXPAND, titled(steps, "create index", steps->new),
        opensearch_request_text(
            steps->arena, "PUT", path(steps, steps->new, ""),
            json_pack("{s:{s:o}, s:O}", "settings", "index", slow, "mappings", copy->mapping), 0),
        own(steps, "remove",
            json_pack("{s:s, s:s, s:s}", "index", steps->new, "note", steps->new, "never_alias",
                      copy->place.name)),
        opensearch_request_text(steps->arena, "HEAD", path(steps, steps->new, ""), NULL, 0));
    add_batches(steps, CHANGE_FILL,
                arena_format(steps->arena, "copy %s into %s", steps->old, steps->new),
                change_copy_move(steps, "copy", false));
    opensearch_add_step(
        steps->compiler, CHANGE_FILL, titled(steps, "let searches see", steps->new),
        opensearch_request_text(steps->arena, "PUT", path(steps, steps->new, "/_settings"),
                                json_pack("{s:{s:o}}", "index", "refresh_interval",
                                          refresh != NULL ? json_deep_copy(refresh) : json_null()),
                                0),
        NULL, NULL);
    add_batches(steps, CHANGE_PROVE,
                arena_format(steps->arena, "compare %s with %s", steps->new, steps->old),
                change_copy_move(steps, "compare", false));
}

static void add_last_pass(const struct steps *steps)
{
    add_batches(steps, CHANGE_SWITCH_WRITES,
                arena_format(steps->arena, "copy what changed in %s", steps->old),
                change_copy_move(steps, "copy", false));
    struct change_step *block = opensearch_add_step(
        steps->compiler, CHANGE_SWITCH_WRITES, titled(steps, "shut out writes to", steps->old),
        opensearch_request_text(steps->arena, "PUT", path(steps, steps->old, "/_block/write"), NULL,
                                0),
        opensearch_request_text(steps->arena, "PUT", path(steps, steps->old, "/_settings"),
                                json_pack("{s:n}", "index.blocks.write"), 404),
        NULL);
    block->lock = ALTER_LOCK_WRITES;
    block->held = true;
    add_batches(steps, CHANGE_SWITCH_WRITES,
                arena_format(steps->arena, "copy the rest of %s", steps->old),
                change_copy_move(steps, "copy", true))
        ->held = true;
    add_batches(steps, CHANGE_SWITCH_WRITES,
                arena_format(steps->arena, "compare what changed, and the counts"),
                change_copy_move(steps, "compare", true))
        ->held = true;
}

/* An index gives its name to an alias and is gone with it: what is kept for the way back is a clone
 * of it, of links to its files. */
static void add_clone(const struct steps *steps)
{
    const json_t *replicas = json_object_get(steps->copy->settings, "number_of_replicas");
    struct change_step *step = opensearch_add_step(
        steps->compiler, CHANGE_SWITCH_WRITES,
        arena_format(steps->arena, "clone %s as %s", steps->old, steps->before),
        opensearch_request_text(
            steps->arena, "POST",
            path(steps, steps->old,
                 arena_format(steps->arena, "/_clone%s", path(steps, steps->before, ""))),
            json_pack("{s:{s:o}}", "settings", "index.number_of_replicas",
                      replicas != NULL ? json_deep_copy(replicas) : json_string("0")),
            0),
        own(steps, "remove",
            json_pack("{s:s, s:s}", "index", steps->before, "unless_alias",
                      steps->copy->place.name)),
        opensearch_request_text(steps->arena, "HEAD", path(steps, steps->before, ""), NULL, 0));
    step->held = true;
    step = opensearch_add_step(
        steps->compiler, CHANGE_SWITCH_WRITES, titled(steps, "wait for", steps->before),
        opensearch_request_text(
            steps->arena, "GET",
            arena_format(steps->arena, "/_cluster/health%s?wait_for_status=yellow&timeout=20s",
                         path(steps, steps->before, "")),
            NULL, 0),
        NULL, NULL);
    step->held = true;
}

static json_t *alias_action(const char *action, const char *index, const char *alias,
                            const json_t *is)
{
    json_t *what = is != NULL ? json_deep_copy(is) : json_object();
    json_object_set_new(what, "index", json_string(index));
    json_object_set_new(what, "alias", json_string(alias));
    return json_pack("{s:o}", action, what);
}

/* All names that stand for the old index stand for the new one, in one request. */
static void add_switch(const struct steps *steps)
{
    const struct opensearch_place *place = &steps->copy->place;
    json_t *actions = json_array();
    json_t *aliases = json_deep_copy(place->aliases);
    const char *alias = NULL;
    json_t *is = NULL;
    if (!place->is_alias) {
        json_array_append_new(actions, json_pack("{s:{s:s}}", "remove_index", "index", steps->old));
        json_object_set_new(aliases, place->name, json_object());
    }
    json_object_foreach(aliases, alias, is)
    {
        if (place->is_alias) {
            json_array_append_new(actions, alias_action("remove", steps->old, alias, NULL));
        }
        json_array_append_new(actions, alias_action("add", steps->new, alias, is));
    }
    json_t *back =
        json_pack("{s:s, s:s, s:s, s:b, s:b, s:s, s:O, s:O, s:O, s:o}", "from", steps->new, "to",
                  steps->before, "note", steps->new, "final", 1, "back", 1, "alias", place->name,
                  "renamed", steps->copy->renamed, "dropped", steps->copy->dropped, "computed",
                  steps->copy->computed, "aliases", aliases);
    if (steps->copy->down.length > 0) {
        json_object_set_new(back, "script",
                            json_stringn(steps->copy->down.data, steps->copy->down.length));
    }
    if (steps->copy->one_way != NULL) {
        json_object_set_new(back, "one_way", json_string(steps->copy->one_way));
    }
    opensearch_add_step(steps->compiler, CHANGE_SWITCH_WRITES,
                        arena_format(steps->arena, "let %s stand for %s", place->name, steps->new),
                        opensearch_request_text(steps->arena, "POST", "/_aliases",
                                                json_pack("{s:o}", "actions", actions), 0),
                        own(steps, "back", back),
                        opensearch_request_text(steps->arena, "HEAD",
                                                path(steps, steps->new,
                                                     arena_format(steps->arena, "/_alias%s",
                                                                  path(steps, place->name, ""))),
                                                NULL, 0));
}

static enum status find_names(struct opensearch_compiler *compiler,
                              const struct opensearch_copy *copy, struct steps *steps,
                              struct error *error)
{
    const char *version = compiler->builder.change->version;
    const char *table = copy->place.name + strlen(compiler->session->database->prefix);
    *steps = (struct steps){compiler, copy, compiler->arena, copy->place.index, NULL, NULL};
    if (opensearch_free_name(compiler, NULL, arena_format(compiler->arena, "%s_%s", table, version),
                             &steps->new, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    steps->before = steps->old;
    return copy->place.is_alias
               ? STATUS_OK
               : opensearch_free_name(compiler, NULL,
                                      arena_format(compiler->arena, "%s_before_%s", table, version),
                                      &steps->before, error);
}

static enum status add_copy(struct opensearch_compiler *compiler,
                            const struct opensearch_copy *copy, struct error *error)
{
    struct steps steps;
    compiler->builder.number = copy->operation;
    if (find_names(compiler, copy, &steps, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    add_index(&steps);
    add_last_pass(&steps);
    if (!copy->place.is_alias) {
        add_clone(&steps);
    }
    add_switch(&steps);
    opensearch_add_step(compiler, CHANGE_CONTRACT, titled(&steps, "delete index", steps.before),
                        own(&steps, "remove",
                            json_pack("{s:s, s:s, s:s}", "index", steps.before, "note", steps.new,
                                      "never_alias", copy->place.name)),
                        NULL, NULL);
    change_builder_way(
        &compiler->builder,
        arena_format(compiler->arena, "copied into the index %s, which `switch writes` leads to",
                     steps.new),
        copy->one_way != NULL
            ? arena_format(compiler->arena,
                           "'%s' has no `down`: after `switch writes` there is a way back only as "
                           "long as nobody wrote",
                           copy->one_way)
        : copy->place.is_alias ? NULL
                               : arena_format(compiler->arena, "%s becomes an alias, and stays one",
                                              copy->place.name));
    return STATUS_OK;
}

enum status opensearch_add_copies(struct opensearch_compiler *compiler, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < compiler->copy_count && status == STATUS_OK; i++) {
        status = add_copy(compiler, &compiler->copies[i], error);
    }
    return status;
}
