/* The plan file: read, parsed, checked for form. */
#include "plan/text/document.h"

#include "base/secret.h"
#include "base/trust.h"
#include "plan/text/connections.h"
#include "plan/text/document_parts.h"
#include "plan/text/faults.h"
#include "plan/text/grammar.h"
#include "plan/text/substitute.h"
#include "plan/text/tree.h"
#include <stdio.h>
#include <string.h>

/* Before names of connections become theirs, which are another file's. */
static void note_uri(const struct plan_node *map, const char *key)
{
    const struct plan_node *node = plan_node_get(map, key);
    if (plan_node_text(node) != NULL) {
        plan_substitute_note(node, node->text);
    }
}

/* A connection's name becomes its URI, in a tree that nobody else has seen. */
static void expand_name(const struct plan_node *map, const char *key, struct arena *arena,
                        struct plan_faults *faults)
{
    struct plan_node *node = (struct plan_node *)(uintptr_t)plan_node_get(map, key);
    struct error error = {0};
    if (plan_node_text(node) == NULL) {
        return;
    }
    if (connection_expand(&node->text, arena, &error) != STATUS_OK) {
        plan_fault(faults, error.code, node, error.hint[0] != '\0' ? error.hint : NULL, "%s: %s",
                   error.object, error.message);
    }
    node->length = (uint32_t)strlen(node->text);
}

/* The text that quotes and escapes stand for is only known now. */
static void register_endpoint(const struct plan_node *root, const char *name)
{
    const char *uri = plan_node_text(plan_node_get(root, name));
    if (uri != NULL) {
        secret_register_uri(uri);
    }
}

static enum status document_parse(struct plan_document *document, struct buffer *lines,
                                  struct error *error)
{
    struct plan_faults faults;
    plan_faults_init(&faults, document->name, lines);
    secret_register_uris(document->text); /* faults tell what they found */
    const struct plan_node *root =
        plan_tree_read(document->text, document->length, document->arena, &faults);
    if (root != NULL) {
        plan_substitute(root, document->arena, &faults);
        note_uri(root, "source");
        note_uri(root, "target");
        note_uri(plan_node_get(root, "options"), "ledger");
        expand_name(root, "source", document->arena, &faults);
        expand_name(root, "target", document->arena, &faults);
        expand_name(plan_node_get(root, "options"), "ledger", document->arena, &faults);
        register_endpoint(root, "source");
        register_endpoint(root, "target");
        grammar_check(root, &faults);
    }
    document->root = root;
    document->only_unknown_keys = root != NULL && faults.count == faults.unknown_keys;
    return plan_faults_result(&faults, error);
}

static struct plan_document *document_create(const char *name)
{
    struct arena *arena = arena_create(0);
    struct plan_document *document = arena_allocate_zeroed(arena, 1, sizeof *document);
    document->arena = arena;
    document->name = arena_copy_string(arena, name);
    return document;
}

enum status plan_document_parse(const char *text, size_t length, const char *name,
                                struct plan_document **document, struct buffer *faults,
                                struct error *error)
{
    *document = NULL;
    struct plan_document *made = document_create(name);
    made->text = arena_copy(made->arena, text, length);
    made->length = length;
    if (document_parse(made, faults, error) != STATUS_OK) {
        plan_document_destroy(made);
        return STATUS_FAILED;
    }
    *document = made;
    return STATUS_OK;
}

enum status plan_document_read(const char *path, struct plan_document **document,
                               struct buffer *faults, struct error *error)
{
    *document = NULL;
    struct plan_document *made = document_create(path);
    char *text = NULL;
    enum status status =
        trust_read_file(path, PLAN_TEXT_BYTES_MAX, made->arena, &text, &made->length, error);
    if (status == STATUS_END) {
        status = error_set(error, ERROR_USAGE, path, "there is no plan");
        error_hint(error, "`transhume init SRC DST` writes one; --plan FILE names another");
    } else if (status == STATUS_FAILED) {
        trust_recode(error, ERROR_PLAN_INVALID);
    } else {
        made->text = text;
        made->path = made->name;
        status = document_parse(made, faults, error);
    }
    if (status != STATUS_OK && !made->only_unknown_keys) {
        plan_document_destroy(made);
        return STATUS_FAILED;
    }
    *document = made;
    return status;
}

void plan_document_destroy(struct plan_document *document)
{
    if (document != NULL) {
        arena_destroy(document->arena);
    }
}

const char *plan_document_source(const struct plan_document *document)
{
    return plan_node_text(plan_node_get(document->root, "source"));
}

const char *plan_document_target(const struct plan_document *document)
{
    return plan_node_text(plan_node_get(document->root, "target"));
}

bool plan_document_has_tables(const struct plan_document *document)
{
    return document != NULL && plan_node_get(document->root, "tables") != NULL;
}

bool plan_document_names_table(const struct plan_document *document, const char *name)
{
    const struct plan_node *tables = plan_node_get(document->root, "tables");
    bool found = false;
    for (uint32_t i = 0; tables != NULL && !found && i < tables->count; i++) {
        found = strcasecmp(tables->keys[i]->text, name) == 0;
    }
    return found;
}

const char *plan_document_path(const struct plan_document *document)
{
    return document->path;
}

const char *plan_document_text(const struct plan_document *document, size_t *length)
{
    *length = document->length;
    return document->text;
}

const char *plan_document_option(const struct plan_document *document, const char *name)
{
    return document == NULL
               ? NULL
               : plan_node_text(plan_node_get(plan_node_get(document->root, "options"), name));
}

struct column_list plan_document_list(const struct plan_document *document, const char *name,
                                      struct arena *arena)
{
    const struct plan_node *node = plan_node_get(document->root, name);
    uint32_t count = node == NULL ? 0 : node->kind == PLAN_NODE_LIST ? node->count : 1;
    const char **names = arena_allocate_zeroed(arena, count + 1u, sizeof *names);
    for (uint32_t i = 0; i < count; i++) {
        names[i] = plan_node_text(node->kind == PLAN_NODE_LIST ? node->items[i] : node);
    }
    return (struct column_list){names, count};
}

const char *plan_document_option_place(const struct plan_document *document, const char *name,
                                       char *place, size_t capacity)
{
    const struct plan_node *node = plan_node_get(plan_node_get(document->root, "options"), name);
    (void)snprintf(place, capacity, "%.200s:%u:%u", document->name,
                   node != NULL ? (unsigned)node->line : 0,
                   node != NULL ? (unsigned)node->column : 0);
    return place;
}
