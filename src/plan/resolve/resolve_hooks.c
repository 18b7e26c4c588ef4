/* The hooks of a plan: read, checked against both databases, and their SQL cut into statements. */
#include "base/text.h"
#include "connectors/contract/defaults.h"
#include "plan/hooks.h"
#include "plan/resolve/resolve.h"
#include "plan/text/grammar.h"
#include "sql/classify.h"
#include "sql/split.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { TIMEOUT_MS = 60 * 60 * 1000, TIMEOUT_MS_MAX = 7 * 24 * 60 * 60 * 1000, HOOKS_MAX = 1000 };

static const char *const moment_names[HOOK_MOMENT_COUNT] = {
    [HOOK_BEFORE] = "before",           [HOOK_AFTER] = "after",
    [HOOK_FAILURE] = "on_failure",      [HOOK_BEFORE_CHUNK] = "before_chunk",
    [HOOK_AFTER_CHUNK] = "after_chunk",
};

const char *hook_moment_name(enum hook_moment moment)
{
    return moment_names[moment];
}

/* One list of hooks that is being read. */
struct hook_list {
    struct resolver *resolver;
    enum hook_moment moment;
    uint32_t table;
    const char *table_name; /* NULL: of the run */
    uint32_t number;        /* of its hooks so far */
};

#define FAULT(list, node, hint, ...) \
    plan_fault(&(list)->resolver->faults, ERROR_PLAN_INVALID, node, hint, __VA_ARGS__)

static bool is_of_chunks(const struct hook_list *list)
{
    return list->moment >= HOOK_BEFORE_CHUNK;
}

/* Values of variables and files stay out of what is shown and stored. */
static const char *as_written(const struct plan_node *node, struct plan_hook *hook)
{
    hook->substituted = hook->substituted || node->written != NULL;
    return node->written != NULL ? node->written : node->text;
}

/* ---------------------------------------------------------------- SQL */

/* The reason why a statement has no place in a chunk's transaction: it would end it. */
static const char *ends_transaction(enum sql_language language, const struct sql_piece *piece)
{
    switch (sql_classify(language, piece, 0)) {
    case SQL_CLASS_TRANSACTION:
        return "it begins or ends a transaction";
    case SQL_CLASS_ALONE:
        return "it may not run in a transaction";
    case SQL_CLASS_DDL:
        return language == SQL_MYSQL ? "it commits what was written before it" : NULL;
    default:
        return NULL;
    }
}

/* False: a fault was said. */
static bool cut_sql(const struct hook_list *list, const struct database *database,
                    const struct plan_node *node, struct plan_hook *hook)
{
    struct sql_splitter splitter;
    struct sql_piece piece;
    struct plan_list found = {0};
    const struct alter_functions *alter = database->connector->alter;
    enum sql_language language = (alter->languages & 1u << ALTER_SQL) != 0 ? alter->sql : SQL_CQL;
    sql_splitter_init(&splitter, language);
    sql_splitter_window(&splitter, node->text, node->length, true);
    while (sql_splitter_next(&splitter, &piece) == STATUS_OK) {
        if (piece.fault != NULL || piece.kind != SQL_PIECE_STATEMENT) {
            FAULT(list, node, NULL, "its SQL has %s",
                  piece.fault != NULL ? piece.fault
                                      : "what is for a client, and no statement of the server's");
            return false;
        }
        const char *why = is_of_chunks(list) ? ends_transaction(language, &piece) : NULL;
        if (why != NULL) {
            FAULT(list, node, "run it once: before or after",
                  "'%.60s' can't be run in each chunk: %s",
                  arena_copy(list->resolver->arena, piece.text, piece.length), why);
            return false;
        }
        const char **statement = resolve_add(list->resolver, &found, sizeof *statement);
        *statement = arena_copy(list->resolver->arena, piece.run, piece.run_length);
    }
    if (found.count == 0) {
        FAULT(list, node, NULL, "its SQL has no statement");
    }
    hook->statements =
        resolve_array(list->resolver, &found, sizeof(const char *), &hook->statement_count);
    return hook->statement_count > 0;
}

static bool take_sql(const struct hook_list *list, const struct plan_node *node,
                     struct plan_hook *hook)
{
    const struct database *database =
        hook->in_source ? list->resolver->source : list->resolver->target;
    const struct alter_functions *alter = database->connector->alter;
    uint32_t languages = alter != NULL ? alter->languages : 0;
    if ((languages & (1u << ALTER_SQL | 1u << ALTER_CQL)) == 0) {
        FAULT(list, node, "use a command", "%s takes no SQL", database->connector->title);
        return false;
    }
    if (is_of_chunks(list) && (database->connector->target == NULL ||
                               connector_sql_target(database->connector)->chunk_run == NULL)) {
        FAULT(list, node, "run it once: before or after",
              "%s writes chunks without a transaction that it could be part of",
              database->connector->title);
        return false;
    }
    hook->text = as_written(node, hook);
    return cut_sql(list, database, node, hook);
}

/* ---------------------------------------------------------------- commands */

/* Names of variables, not their values. */
static void take_passed(const struct hook_list *list, const struct plan_node *node,
                        struct plan_hook *hook)
{
    uint32_t count = node->kind == PLAN_NODE_LIST ? node->count : 1;
    const char **names = arena_allocate_zeroed(list->resolver->arena, count + 1u, sizeof *names);
    for (uint32_t i = 0; i < count; i++) {
        const struct plan_node *item = node->kind == PLAN_NODE_LIST ? node->items[i] : node;
        names[i] = item->text;
        if (names[i][0] == '\0' || strchr(names[i], '=') != NULL) {
            FAULT(list, item, "write names alone: env: [PGPASSWORD]", "'%s' is no variable's name",
                  names[i]);
        }
    }
    hook->passed = names;
}

/* A text is for /bin/sh, a list is a program and its arguments. */
static void take_command(const struct hook_list *list, const struct plan_node *node,
                         struct plan_hook *hook)
{
    struct arena *arena = list->resolver->arena;
    uint32_t count = node->kind == PLAN_NODE_LIST ? node->count : 3;
    const char **arguments = arena_allocate_zeroed(arena, count + 1u, sizeof *arguments);
    struct buffer shown = {0};
    if (node->kind == PLAN_NODE_LIST) {
        for (uint32_t i = 0; i < count; i++) {
            arguments[i] = node->items[i]->text;
            buffer_format(&shown, "%s%s", i > 0 ? " " : "", as_written(node->items[i], hook));
        }
    } else {
        arguments[0] = "/bin/sh";
        arguments[1] = "-c";
        arguments[2] = node->text;
        buffer_append_string(&shown, as_written(node, hook));
    }
    hook->arguments = arguments;
    hook->text = arena_copy_string(arena, buffer_string(&shown));
    buffer_free(&shown);
}

/* ---------------------------------------------------------------- one hook */

/* Two hooks that say the same are two. */
static const char *make_id(const struct hook_list *list, const struct plan_hook *hook)
{
    struct resolver *resolver = list->resolver;
    struct buffer text = {0};
    char digits[33];
    uint32_t alike = 0;
    for (uint32_t i = 0; i < resolver->hooks.count; i++) {
        const struct plan_hook *other = resolver->hooks.items[i];
        alike += other != hook && other->moment == hook->moment && other->table == hook->table &&
                 other->in_source == hook->in_source && other->text != NULL &&
                 strcmp(other->text, hook->text) == 0;
    }
    buffer_format(&text, "%s%c%s%c%s%c%u%c%s", moment_names[hook->moment], 0,
                  list->table_name != NULL ? list->table_name : "", 0,
                  hook->statements == NULL ? "command"
                  : hook->in_source        ? "source"
                                           : "target",
                  0, alike, 0, hook->text);
    XXH128_hash_t hash = XXH3_128bits(buffer_string(&text), text.length);
    buffer_free(&text);
    text_from_hash(hash.high64, hash.low64, digits);
    return arena_copy_string(resolver->arena, digits);
}

static void read_timeout(const struct hook_list *list, const struct plan_node *node,
                         struct plan_hook *hook)
{
    const char *text = plan_node_text(node);
    uint64_t timeout_ms;
    if (text == NULL) {
        return;
    }
    if (text_to_milliseconds(text, &timeout_ms) != STATUS_OK || timeout_ms == 0 ||
        timeout_ms > TIMEOUT_MS_MAX) {
        FAULT(list, node, "30s, 10m or 2h, at most 168h", "'%s' is no time", text);
        return;
    }
    hook->timeout_ms = (int64_t)timeout_ms;
}

static bool take_map(const struct hook_list *list, const struct plan_node *node,
                     struct plan_hook *hook)
{
    const struct plan_node *sql = plan_node_get(node, "sql");
    const struct plan_node *command = plan_node_get(node, "command");
    const struct plan_node *in = plan_node_get(node, "in");
    const struct plan_node *once = plan_node_get(node, "once");
    const struct plan_node *env = plan_node_get(node, "env");
    if ((sql == NULL) == (command == NULL)) {
        FAULT(list, node, "a hook is { sql: … } or { command: … }",
              sql == NULL ? "the hook says nothing to do" : "the hook is both SQL and a command");
        return false;
    }
    hook->in_source = in != NULL && strcmp(in->text, "source") == 0;
    hook->once = once == NULL || grammar_choice_has("true|True|TRUE", once->text);
    read_timeout(list, plan_node_get(node, "timeout"), hook);
    if (is_of_chunks(list) && (command != NULL || hook->in_source || once != NULL ||
                               plan_node_get(node, "timeout") != NULL)) {
        FAULT(list, node, "write the SQL alone",
              "what runs in each chunk is SQL in the target's transaction, and has nothing else "
              "to say");
        return false;
    }
    if (in != NULL && command != NULL) {
        FAULT(list, in, NULL, "'in' is for SQL; a command runs on this machine");
        return false;
    }
    if (env != NULL && command == NULL) {
        FAULT(list, env, NULL, "'env' is for commands; SQL has no variables of this machine");
        return false;
    }
    if (command != NULL) {
        if (env != NULL) {
            take_passed(list, env, hook);
        }
        take_command(list, command, hook);
        return true;
    }
    return take_sql(list, sql, hook);
}

static void take_hook(struct hook_list *list, const struct plan_node *node)
{
    struct resolver *resolver = list->resolver;
    struct plan_hook *hook = resolve_add(resolver, &resolver->hooks, sizeof *hook);
    const char *name = moment_names[list->moment];
    list->number++;
    *hook = (struct plan_hook){.moment = list->moment,
                               .table = list->table,
                               .once = true,
                               .timeout_ms = TIMEOUT_MS,
                               .place = arena_format(resolver->arena, "%s:%u:%u",
                                                     resolver->document->name, (unsigned)node->line,
                                                     (unsigned)node->column)};
    hook->title = arena_format(resolver->arena, list->number > 1 ? "%s%s%s %u" : "%s%s%s", name,
                               list->table_name != NULL ? " of " : "",
                               list->table_name != NULL ? list->table_name : "", list->number);
    bool taken =
        node->kind == PLAN_NODE_MAP ? take_map(list, node, hook) : take_sql(list, node, hook);
    if (taken) {
        hook->id = make_id(list, hook);
    }
}

static void take_list(struct resolver *resolver, const struct plan_node *map,
                      enum hook_moment moment, uint32_t table, const char *table_name)
{
    const struct plan_node *node = plan_node_get(map, moment_names[moment]);
    struct hook_list list = {resolver, moment, table, table_name, 0};
    bool is_list = node != NULL && node->kind == PLAN_NODE_LIST;
    uint32_t count = node == NULL ? 0 : is_list ? node->count : 1;
    for (uint32_t i = 0; i < count; i++) {
        if (resolver->hooks.count == HOOKS_MAX) {
            FAULT(&list, node, "write several statements into one hook",
                  "a plan has %d hooks at most", HOOKS_MAX);
            return;
        }
        take_hook(&list, is_list ? node->items[i] : node);
    }
}

/* ---------------------------------------------------------------- all of them */

static uint32_t table_number(const struct resolver *resolver, const char *name)
{
    for (uint32_t i = 0; i < resolver->plan->table_count; i++) {
        if (strcmp(resolver->plan->tables[i].target.name, name) == 0) {
            return i;
        }
    }
    return HOOK_OF_RUN;
}

/* A table that --include leaves out has none. */
static void take_tables(struct resolver *resolver, const struct plan_node *tables)
{
    static const enum hook_moment moments[] = {HOOK_BEFORE, HOOK_AFTER, HOOK_BEFORE_CHUNK,
                                               HOOK_AFTER_CHUNK};
    for (uint32_t i = 0; tables != NULL && i < tables->count; i++) {
        const char *name = tables->keys[i]->text;
        uint32_t table = table_number(resolver, name);
        for (size_t m = 0; table != HOOK_OF_RUN && m < sizeof moments / sizeof moments[0]; m++) {
            take_list(resolver, tables->items[i], moments[m], table, name);
        }
    }
}

/* A hook that runs within a chunk has no place where the target pulls that itself. */
static void leave_express_lane(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->hook_count; i++) {
        if (plan->hooks[i].moment < HOOK_BEFORE_CHUNK) {
            continue;
        }
        for (uint32_t k = 0; k < plan->entity_count; k++) {
            if (plan->entities[k].table == plan->hooks[i].table) {
                plan->streams[plan->entities[k].stream].express = false;
            }
        }
    }
}

void hooks_resolve(struct resolver *resolver)
{
    if (resolver->document == NULL) {
        return;
    }
    const struct plan_node *root = resolver->document->root;
    take_list(resolver, root, HOOK_BEFORE, HOOK_OF_RUN, NULL);
    take_tables(resolver, plan_node_get(root, "tables"));
    take_list(resolver, root, HOOK_AFTER, HOOK_OF_RUN, NULL);
    take_list(resolver, root, HOOK_FAILURE, HOOK_OF_RUN, NULL);
    resolver->plan->hooks = resolve_array(resolver, &resolver->hooks, sizeof(struct plan_hook),
                                          &resolver->plan->hook_count);
    leave_express_lane(resolver->plan);
}
