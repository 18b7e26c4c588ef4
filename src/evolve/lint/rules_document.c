/* Files of JSON: commands of MongoDB, operations of DynamoDB, one or a list of them. */
#include "evolve/lint/lint_internal.h"
#include "plan/text/tree.h"
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- places */

/* The place of a node's line and column in the text. Column counts characters; JSON's own bytes are
 * one each, and names and values before it in a line may be more. */
static struct sql_span span_of(const struct lint_file *file, const struct plan_node *node)
{
    const char *at = file->input->text;
    const char *end = at + file->input->length;
    for (uint32_t line = 1; line < node->line && at < end; line++) {
        const char *found = memchr(at, '\n', (size_t)(end - at));
        at = found != NULL ? found + 1 : end;
    }
    for (uint32_t column = 1; column < node->column && at < end; column++) {
        at++;
        while (at < end && ((unsigned char)*at & 0xc0) == 0x80) {
            at++;
        }
    }
    size_t length = node->kind == PLAN_NODE_SCALAR ? node->length + (node->quoted ? 2u : 0u) : 1;
    length = length < (size_t)(end - at) ? length : (size_t)(end - at);
    return (struct sql_span){
        at, length, {(size_t)(at - file->input->text), node->line, node->column}};
}

static void add_at(struct lint_file *file, enum lint_rule_number rule, const struct plan_node *node,
                   const char *message)
{
    const struct sql_span span = span_of(file, node);
    lint_add(file, rule, &span, message);
}

/* NULL: it cannot be read, which is a finding. */
static const struct plan_node *read_tree(struct lint_file *file)
{
    struct buffer lines = {0};
    struct plan_faults faults;
    plan_faults_init(&faults, file->input->file, &lines);
    const struct plan_node *tree =
        plan_tree_read(file->input->text, file->input->length, file->arena, &faults);
    if (faults.count > 0) {
        const struct sql_place begin = {0, 1, 1};
        char *message = arena_format(file->arena, "%s.", faults.first.message);
        lint_add_syntax(file, message, &begin);
        tree = NULL;
    }
    buffer_free(&lines);
    return tree;
}

static bool is_true(const struct plan_node *node)
{
    const char *text = plan_node_text(node);
    return text != NULL && strcmp(text, "true") == 0;
}

static bool is_text(const struct plan_node *node, const char *text)
{
    const char *found = plan_node_text(node);
    return found != NULL && strcmp(found, text) == 0;
}

/* Each operation, a map, and its name, as key of a map or as the value of "operation". */
static void rules_document_walk(struct lint_file *file, const struct plan_node *node,
                                void (*check)(struct lint_file *file, const struct plan_node *name,
                                              const struct plan_node *map))
{
    if (node == NULL || node->kind == PLAN_NODE_SCALAR) {
        return;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->kind == PLAN_NODE_MAP) {
            const struct plan_node *key = node->keys[i];
            bool named =
                is_text(key, "operation") || is_text(key, "Operation") || is_text(key, "action");
            bool scalar = node->items[i]->kind == PLAN_NODE_SCALAR;
            check(file, named && scalar ? node->items[i] : key,
                  named || scalar ? node : node->items[i]);
        }
        rules_document_walk(file, node->items[i], check);
    }
}

/* ---------------------------------------------------------------- DynamoDB */

static const struct plan_node *member(const struct plan_node *map, const char *key)
{
    const struct plan_node *found = plan_node_get(map, key);
    for (uint32_t i = 0;
         found == NULL && map != NULL && map->kind == PLAN_NODE_MAP && i < map->count; i++) {
        bool parameters = is_text(map->keys[i], "parameters") || is_text(map->keys[i], "params") ||
                          is_text(map->keys[i], "input");
        found = parameters ? plan_node_get(map->items[i], key) : NULL;
    }
    return found;
}

static void check_index_updates(struct lint_file *file, const struct plan_node *map)
{
    const struct plan_node *updates = member(map, "GlobalSecondaryIndexUpdates");
    uint32_t made = 0;
    for (uint32_t i = 0; updates != NULL && updates->kind == PLAN_NODE_LIST && i < updates->count;
         i++) {
        const struct plan_node *update = updates->items[i];
        const struct plan_node *key = NULL;
        bool deletes = plan_node_find(update, "Delete", &key) != NULL;
        if (deletes) {
            add_at(file, LINT_RULE_DYNAMODB_INDEX_DELETED, key, NULL);
        }
        made += deletes || plan_node_get(update, "Create") != NULL;
        if (made == 2 && (deletes || plan_node_get(update, "Create") != NULL)) {
            add_at(file, LINT_RULE_DYNAMODB_INDEXES_AT_ONCE, update, NULL);
        }
    }
}

static void check_dynamodb(struct lint_file *file, const struct plan_node *name,
                           const struct plan_node *map)
{
    if (is_text(name, "DeleteTable")) {
        add_at(file, LINT_RULE_BAN_DROP_TABLE, name, NULL);
    } else if (is_text(name, "CreateTable")) {
        if (!is_true(member(map, "DeletionProtectionEnabled"))) {
            add_at(file, LINT_RULE_DYNAMODB_NO_PROTECTION, name, NULL);
        }
    } else if (is_text(name, "UpdateTable")) {
        check_index_updates(file, map);
    } else if (is_text(name, "UpdateTimeToLive")) {
        if (is_true(plan_node_get(member(map, "TimeToLiveSpecification"), "Enabled"))) {
            add_at(file, LINT_RULE_DYNAMODB_TTL, name, NULL);
        }
    }
}

void lint_dynamodb(struct lint_file *file)
{
    rules_document_walk(file, read_tree(file), check_dynamodb);
}

/* ---------------------------------------------------------------- MongoDB */

static bool is_empty(const struct plan_node *node)
{
    return node != NULL && node->kind == PLAN_NODE_MAP && node->count == 0;
}

/* {update: c, updates: [{q: {}, u: …, multi: true}]}, {delete: c, deletes: [{q: {}, limit: 0}]} */
static void check_writes(struct lint_file *file, const struct plan_node *writes)
{
    for (uint32_t i = 0; writes != NULL && writes->kind == PLAN_NODE_LIST && i < writes->count;
         i++) {
        const struct plan_node *write = writes->items[i];
        bool all =
            is_true(plan_node_get(write, "multi")) || is_text(plan_node_get(write, "limit"), "0");
        if (all && is_empty(plan_node_get(write, "q"))) {
            add_at(file, LINT_RULE_MONGO_NO_FILTER, write, NULL);
        }
    }
}

static void check_indexes(struct lint_file *file, const struct plan_node *indexes)
{
    for (uint32_t i = 0; indexes != NULL && indexes->kind == PLAN_NODE_LIST && i < indexes->count;
         i++) {
        if (is_true(plan_node_get(indexes->items[i], "unique"))) {
            add_at(file, LINT_RULE_MONGO_UNIQUE_INDEX, indexes->items[i], NULL);
        }
    }
}

static void check_mongo(struct lint_file *file, const struct plan_node *name,
                        const struct plan_node *map)
{
    if (is_text(name, "drop")) {
        add_at(file, LINT_RULE_BAN_DROP_TABLE, name, NULL);
    } else if (is_text(name, "dropDatabase")) {
        add_at(file, LINT_RULE_BAN_DROP_DATABASE, name, NULL);
    } else if (is_text(name, "renameCollection")) {
        add_at(file, LINT_RULE_MONGO_RENAMES, name, NULL);
    } else if (is_text(name, "createIndexes")) {
        check_indexes(file, plan_node_get(map, "indexes"));
    } else if (is_text(name, "update")) {
        check_writes(file, plan_node_get(map, "updates"));
    } else if (is_text(name, "delete")) {
        check_writes(file, plan_node_get(map, "deletes"));
    } else if (is_text(name, "collMod") && plan_node_get(map, "validator") != NULL) {
        bool lenient = is_text(plan_node_get(map, "validationAction"), "warn") ||
                       is_text(plan_node_get(map, "validationLevel"), "moderate") ||
                       is_text(plan_node_get(map, "validationLevel"), "off");
        if (!lenient) {
            add_at(file, LINT_RULE_MONGO_STRICT_VALIDATOR, name, NULL);
        }
    }
}

void lint_mongo(struct lint_file *file)
{
    rules_document_walk(file, read_tree(file), check_mongo);
}
