/*
 * Aliases by which readers find the newest index (?alias=): each is switched to the index that the
 * run made, in one request, once that is loaded and counted. The ledger notes first what it stood
 * for, run/RUN/note/alias/ALIAS:
 *
 *   {"alias":"shop-album","index":"shop-v2-album","before":{"shop-v1-album":{}}}
 *
 * An alias is {"filter":{…},"index_routing":"1",…} in each of its indexes, most often {}.
 * (OpenSearch: "Aliases", "Manage aliases".)
 */
#include "connectors/opensearch/opensearch.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "connectors/common/store_key.h"
#include "model/json_tree.h"
#include "model/json_writer.h"
#include <stdlib.h>

#define NOTE_KIND "alias"
#define PLACE "{table}" /* in the option: the table's name, in small letters */

/* ---------------------------------------------------------------- names */

const char *opensearch_alias_of(const struct opensearch_database *self, struct arena *arena,
                                const char *table)
{
    const char *place = self->alias != NULL ? strstr(self->alias, PLACE) : NULL;
    if (place == NULL) {
        return self->alias;
    }
    const char *small = opensearch_prefix_copy(arena, table);
    return arena_format(arena, "%.*s%s%s", (int)(place - self->alias), self->alias, small,
                        place + sizeof(PLACE) - 1);
}

enum status opensearch_alias_check_all(const struct opensearch_database *self,
                                       const struct target_table *tables, uint32_t table_count,
                                       struct error *error)
{
    if (self->alias == NULL || table_count < 2 || strstr(self->alias, PLACE) != NULL) {
        return STATUS_OK;
    }
    error_set(error, ERROR_BAD_VALUE, self->keyed.uri->shown,
              "alias=%s: it would stand for the indexes of %s, %s and others, if any", self->alias,
              tables[0].name, tables[1].name);
    return error_hint(error, "write " PLACE " in it, which is the name of each table");
}

/* ---------------------------------------------------------------- what an alias stands for */

struct holders {
    json_t *tree;         /* {index: what the alias is in it}; NULL: there is none */
    bool is_index;        /* an index itself is called so */
    bool is_data_stream;  /* likewise */
    const json_t *common; /* what it is in all of them; NULL: it differs */
};

static void holders_free(struct holders *holders)
{
    json_decref(holders->tree);
    *holders = (struct holders){0};
}

/* Whether one of several is the one that is written does not go along. */
static bool is_alike(const json_t *left, const json_t *right)
{
    json_t *one = json_copy((json_t *)(uintptr_t)left);
    json_t *two = json_copy((json_t *)(uintptr_t)right);
    json_object_del(one, "is_write_index");
    json_object_del(two, "is_write_index");
    bool alike = json_equal(one, two) != 0;
    json_decref(one);
    json_decref(two);
    return alike;
}

static void find_common(struct holders *holders, const char *but)
{
    const char *index = NULL;
    json_t *is = NULL;
    bool differs = false;
    holders->common = NULL;
    json_object_foreach(holders->tree, index, is)
    {
        if (strcmp(index, but) == 0) {
            continue;
        }
        holders->common = holders->common == NULL ? is : holders->common;
        differs = differs || !is_alike(holders->common, is);
    }
    holders->common = differs ? NULL : holders->common;
}

/* Which indexes the alias stands for, `but` for one that it may stand for besides. */
static enum status read_holders(struct opensearch_database *self, const char *alias,
                                const char *but, struct holders *holders, struct error *error)
{
    json_t *root = NULL;
    const char *index = NULL;
    json_t *described = NULL;
    struct buffer path = {0};
    *holders = (struct holders){.tree = json_object()};
    buffer_append_byte(&path, '/');
    opensearch_append_encoded(&path, alias, strlen(alias));
    const struct opensearch_request request = {.operation = "GET ALIAS",
                                               .object = alias,
                                               .method = "GET",
                                               .path = buffer_string(&path),
                                               .repeatable = true};
    enum status status = opensearch_control_ask(self, &request, NULL, &root, error);
    json_object_foreach(root, index, described)
    {
        json_t *is = json_object_get(json_object_get(described, "aliases"), alias);
        bool streams = json_is_string(json_object_get(described, "data_stream"));
        holders->is_index = holders->is_index || strcmp(index, alias) == 0;
        holders->is_data_stream = holders->is_data_stream || streams;
        json_object_set(holders->tree, index, json_is_object(is) ? is : json_object());
    }
    find_common(holders, but);
    json_decref(root);
    buffer_free(&path);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status opensearch_alias_indexes(struct opensearch_database *self, const char *alias,
                                     struct arena *arena, struct column_list *indexes,
                                     struct error *error)
{
    struct holders holders = {0};
    const char *index = NULL;
    json_t *is = NULL;
    enum status status = read_holders(self, alias, "", &holders, error);
    const char **names =
        arena_allocate_zeroed(arena, json_object_size(holders.tree) + 1, sizeof *names);
    *indexes = (struct column_list){.names = names};
    json_object_foreach(holders.tree, index, is)
    {
        names[indexes->count++] = arena_copy_string(arena, index);
    }
    holders_free(&holders);
    return status;
}

static uint32_t count_others(const struct holders *holders, const char *index)
{
    bool has = json_object_get(holders->tree, index) != NULL;
    return (uint32_t)json_object_size(holders->tree) - (has ? 1 : 0);
}

static bool has(const struct holders *holders, const char *index)
{
    return json_object_get(holders->tree, index) != NULL;
}

/* "a, b"; the index itself is left out. */
static void append_others(const json_t *indexes, const char *index, struct buffer *out)
{
    const char *name = NULL;
    json_t *is = NULL;
    bool any = false;
    json_object_foreach((json_t *)(uintptr_t)indexes, name, is)
    {
        if (strcmp(name, index) != 0) {
            buffer_append_string(out, any ? ", " : "");
            buffer_append_string(out, name);
            any = true;
        }
    }
}

/* Why the alias can't be switched; NULL: it can. */
static const char *find_fault(const struct holders *holders, const char *index)
{
    if (holders->is_index) {
        return "an index itself is called so; delete or rename it (_reindex), or choose another "
               "alias";
    }
    if (holders->is_data_stream) {
        return "it stands for a data stream";
    }
    if (count_others(holders, index) > 0 && holders->common == NULL) {
        return "it has another filter or routing in each of its indexes, so that it is not known "
               "which of them to keep";
    }
    return NULL;
}

enum status opensearch_alias_check(struct opensearch_database *self,
                                   const struct target_table *table, struct buffer *out,
                                   struct error *error)
{
    struct holders holders = {0};
    struct buffer index = {0};
    struct arena *arena = arena_create(0);
    const char *alias = opensearch_alias_of(self, arena, table->name);
    enum status status = STATUS_OK;
    if (alias != NULL) {
        opensearch_index_append(self, table->name, &index);
        status = read_holders(self, alias, buffer_string(&index), &holders, error);
    }
    if (status == STATUS_OK && alias != NULL && find_fault(&holders, buffer_string(&index))) {
        buffer_format(out, "the alias %s: %s\n", alias,
                      find_fault(&holders, buffer_string(&index)));
    }
    holders_free(&holders);
    buffer_free(&index);
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- switching */

static void append_action(const char *action, const char *index, const char *alias,
                          const json_t *is, struct buffer *body)
{
    buffer_append_string(body, buffer_last(body) == '[' ? "{\"" : ",{\"");
    buffer_append_string(body, action);
    buffer_append_string(body, "\":");
    json_t *what = is != NULL ? json_deep_copy(is) : json_object();
    json_object_set_new(what, "index", json_string(index));
    json_object_set_new(what, "alias", json_string(alias));
    (void)json_tree_append(what, JSON_COMPACT, body);
    buffer_append_byte(body, '}');
    json_decref(what);
}

/* One request: readers see what was before or what is after. Frees the body. */
static enum status send_actions(struct opensearch_database *self, const char *alias,
                                struct buffer *body, struct error *error)
{
    const struct opensearch_request request = {
        .operation = "POST _aliases", .object = alias, .method = "POST", .path = "/_aliases"};
    buffer_append_string(body, "]}");
    return opensearch_control_write(self, &request, body, OPENSEARCH_FAULT_NONE, NULL, error);
}

static enum status put_note(struct opensearch_database *self, const char *alias, const char *index,
                            const struct holders *holders, struct error *error)
{
    enum { TRIES_MAX = 3 };
    struct keyed_room *room = &self->keyed.room;
    const struct store_functions *store = room->home->connector->store;
    char key[STORE_KEY_BYTES];
    struct buffer text = {0};
    uint64_t version = 0;
    struct arena *arena = arena_create(0);
    json_t *before = json_deep_copy(holders->tree);
    json_object_del(before, index);
    json_t *note = json_pack("{s:s, s:s, s:o}", "alias", alias, "index", index, "before", before);
    (void)json_tree_append(note, JSON_COMPACT, &text);
    store_note_key(key, room->run_id, NOTE_KIND, alias);
    enum status status = STATUS_AGAIN;
    for (int tries = 0; status == STATUS_AGAIN && tries < TRIES_MAX; tries++) {
        struct store_value there = {.version = STORE_ABSENT};
        status = store->get(room->store, key, arena, &there, error);
        if (status != STATUS_FAILED) {
            status =
                store->put_if(room->store, key, text.data, text.length,
                              status == STATUS_OK ? there.version : STORE_ABSENT, &version, error);
        }
    }
    json_decref(note);
    buffer_free(&text);
    arena_destroy(arena);
    return status == STATUS_AGAIN ? error_set(error, ERROR_RUN_FENCED, room->run_id,
                                              "another attempt has taken this run over")
                                  : status;
}

static void tell_switched(const char *alias, const char *index, const struct holders *holders)
{
    struct buffer others = {0};
    append_others(holders->tree, index, &others);
    if (others.length > 0) {
        log_write(LOG_INFO, "alias %s: it stands for %s now, and not for %s, which stays", alias,
                  index, buffer_string(&others));
    } else {
        log_write(LOG_INFO, "alias %s: it stands for %s now", alias, index);
    }
    buffer_free(&others);
}

static enum status do_switch(struct opensearch_database *self, const char *alias, const char *index,
                             const struct holders *holders, struct error *error)
{
    const char *name = NULL;
    json_t *is = NULL;
    struct buffer body = {0};
    if (put_note(self, alias, index, holders, error) != STATUS_OK ||
        failpoint_hit("opensearch.before_switch", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    json_t *own = holders->common != NULL ? json_deep_copy(holders->common) : json_object();
    if (count_others(holders, index) > 1) {
        json_object_del(own, "is_write_index");
    }
    buffer_append_string(&body, "{\"actions\":[");
    json_object_foreach(holders->tree, name, is)
    {
        if (strcmp(name, index) != 0) {
            append_action("remove", name, alias, NULL, &body);
        }
    }
    append_action("add", index, alias, own, &body);
    json_decref(own);
    if (send_actions(self, alias, &body, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    tell_switched(alias, index, holders);
    return failpoint_hit("opensearch.after_switch", error);
}

static enum status publish_table(struct opensearch_database *self, const struct target_table *table,
                                 struct arena *arena, struct error *error)
{
    struct opensearch_index *index = NULL;
    struct holders holders = {0};
    const char *alias = opensearch_alias_of(self, arena, table->name);
    enum status status = opensearch_find_one(self, table->name, arena, &index, error);
    if (status != STATUS_OK) {
        return status == STATUS_END
                   ? error_set(error, ERROR_TARGET_MISSING, table->name, "its index is not there")
                   : status;
    }
    status = read_holders(self, alias, index->name, &holders, error);
    bool stands = has(&holders, index->name);
    const char *fault = status == STATUS_OK ? find_fault(&holders, index->name) : NULL;
    if (status != STATUS_OK || (stands && count_others(&holders, index->name) == 0)) {
        /* switched already */
    } else if (fault != NULL) {
        status =
            error_set(error, ERROR_TARGET_SCHEMA, table->name, "the alias %s: %s", alias, fault);
    } else if (table->created) {
        status = do_switch(self, alias, index->name, &holders, error);
    } else if (!stands) {
        log_write(LOG_WARNING,
                  "alias %s: the index %s was there before the run, so that the alias "
                  "stays as it is",
                  alias, index->name);
    }
    holders_free(&holders);
    return status;
}

enum status opensearch_publish(struct database *database, const struct target_table *tables,
                               uint32_t table_count, struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    for (uint32_t at = 0; self->alias != NULL && at < table_count && status == STATUS_OK; at++) {
        arena_reset(arena);
        status = publish_table(self, &tables[at], arena, error);
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- back again */

struct going_back {
    struct opensearch_database *database;
    bool dry_run;
    struct buffer *what;
};

/* STATUS_END: somebody has deleted it since. */
static enum status find_index(struct opensearch_database *self, const char *name,
                              struct error *error)
{
    json_t *root = NULL;
    struct buffer path = {0};
    buffer_append_byte(&path, '/');
    opensearch_append_encoded(&path, name, strlen(name));
    const struct opensearch_request request = {.operation = "GET INDEX",
                                               .object = name,
                                               .method = "GET",
                                               .path = buffer_string(&path),
                                               .repeatable = true};
    enum status status = opensearch_control_ask(self, &request, NULL, &root, error);
    json_decref(root);
    buffer_free(&path);
    return status;
}

static enum status switch_back(const struct going_back *back, const char *alias, const char *index,
                               json_t *before, struct error *error)
{
    const char *name = NULL;
    json_t *is = NULL;
    struct buffer body = {0};
    enum status status = STATUS_OK;
    buffer_append_string(&body, "{\"actions\":[");
    append_action("remove", index, alias, NULL, &body);
    json_object_foreach(before, name, is)
    {
        status = status != STATUS_FAILED ? find_index(back->database, name, error) : status;
        if (status == STATUS_OK) {
            append_action("add", name, alias, is, &body);
            buffer_format(back->what, "alias %s: it stands for %s again\n", alias, name);
        } else if (status == STATUS_END) {
            buffer_format(back->what, "alias %s: it stood for %s, which is not there any more\n",
                          alias, name);
        }
    }
    if (json_object_size(before) == 0) {
        buffer_format(back->what, "alias %s: deleted, since it was not there before\n", alias);
    }
    if (status == STATUS_FAILED || back->dry_run) {
        buffer_free(&body);
        return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
    }
    if (failpoint_hit("opensearch.before_switch_back", error) != STATUS_OK) {
        buffer_free(&body);
        return STATUS_FAILED;
    }
    status = send_actions(back->database, alias, &body, error);
    return status == STATUS_OK ? failpoint_hit("opensearch.after_switch_back", error) : status;
}

static bool is_as_before(const struct holders *holders, const json_t *before)
{
    const char *name = NULL;
    json_t *is = NULL;
    bool same = json_object_size(holders->tree) == json_object_size(before);
    json_object_foreach((json_t *)(uintptr_t)before, name, is)
    {
        same = same && has(holders, name);
    }
    return same;
}

static enum status visit_note(void *context, const char *key, const struct store_value *value,
                              struct error *error)
{
    const struct going_back *back = context;
    struct holders holders = {0};
    json_t *note = NULL;
    if (json_tree_parse(value->text, value->length, 0, key, ERROR_LEDGER_INVALID, &note, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *alias = json_string_value(json_object_get(note, "alias"));
    const char *index = json_string_value(json_object_get(note, "index"));
    json_t *before = json_object_get(note, "before");
    enum status status = alias == NULL || index == NULL || !json_is_object(before)
                             ? error_set(error, ERROR_LEDGER_INVALID, key, "the note is damaged")
                             : read_holders(back->database, alias, index, &holders, error);
    if (status == STATUS_OK && has(&holders, index)) {
        status = switch_back(back, alias, index, before, error);
    } else if (status == STATUS_OK && !is_as_before(&holders, before)) {
        buffer_format(back->what, "alias %s: somebody else has switched it since: it stays\n",
                      alias);
    }
    holders_free(&holders);
    json_decref(note);
    return status;
}

enum status opensearch_remove_objects(struct database *database, bool dry_run, struct buffer *what,
                                      struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    struct keyed_room *room = &self->keyed.room;
    struct going_back back = {self, dry_run, what};
    char prefix[STORE_KEY_BYTES];
    if (room->store == NULL || room->run_id == NULL) {
        return STATUS_OK;
    }
    store_note_key(prefix, room->run_id, NOTE_KIND, "");
    return room->home->connector->store->scan(room->store, prefix, visit_note, &back, error);
}
