#include "plan/text/substitute.h"

#include "base/file.h"
#include "base/secret.h"
#include "base/trust.h"
#include "plan/hooks.h"
#include "plan/text/tree.h"
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = 64 << 10 };

struct substitution {
    struct arena *arena;
    struct plan_faults *faults;
    const struct plan_node *node; /* the text at hand */
    const char *folder;           /* that files are relative to; NULL: the current one */
    bool in_uri;
    bool secret;
    bool sends_files; /* what a file holds may go to a server */
};

#define FAULT(substitution, hint, ...) \
    plan_fault((substitution)->faults, ERROR_PLAN_INVALID, (substitution)->node, hint, __VA_ARGS__)

/* ---------------------------------------------------------------- values */

static const char *read_file(const struct substitution *substitution, const char *path)
{
    struct error error = {0};
    size_t length = 0;
    char *text = NULL;
    if (!substitution->sends_files) {
        plan_fault(substitution->faults, ERROR_COMMANDS_REFUSED, substitution->node,
                   "write ${NAME} and set the variable, name a connection, or read what the plan "
                   "sends where, then give --allow-commands",
                   "a plan may come from others, and this one would send what the file %s holds",
                   path);
        return NULL;
    }
    if (substitution->folder != NULL && path[0] != '/') {
        path = file_join(substitution->arena, substitution->folder, path);
    }
    enum status status =
        file_read_all(path, FILE_BYTES_MAX, substitution->arena, &text, &length, &error);
    if (status != STATUS_OK) {
        FAULT(substitution,
              substitution->folder == NULL ? "paths are relative to the current folder"
                                           : "paths are relative to this file's folder",
              "the file %s can't be read: %s", path,
              status == STATUS_END ? "there is none of that name" : error.message);
        return NULL;
    }
    length -= length > 0 && text[length - 1] == '\n';
    length -= length > 0 && text[length - 1] == '\r';
    text[length] = '\0';
    if (strlen(text) != length) {
        FAULT(substitution, NULL, "the file %s has a NUL character", path);
        return NULL;
    }
    secret_register(text, length);
    return text;
}

static const char *read_variable(const struct substitution *substitution, char *name)
{
    char *otherwise = strstr(name, ":-");
    if (otherwise != NULL) {
        *otherwise = '\0';
        otherwise += 2;
    }
    const char *value = getenv(name);
    if (otherwise != NULL && (value == NULL || *value == '\0')) {
        return otherwise;
    }
    if (value == NULL) {
        FAULT(substitution,
              substitution->secret
                  ? "set it"
                  : "set it, or give a text for where it is not set: ${NAME:-TEXT}",
              "the environment has no variable %s", name);
        return NULL;
    }
    if (substitution->secret) {
        secret_register(value, strlen(value));
    }
    return arena_copy_string(substitution->arena, value);
}

static const char *value_of(const struct substitution *substitution, const char *name,
                            size_t length)
{
    static const char file[] = "file:";
    char *copy = arena_copy(substitution->arena, name, length);
    if (length == 0) {
        FAULT(substitution, "write ${NAME} or ${file:PATH}; $${ is ${ itself", "${} names nothing");
        return NULL;
    }
    return strncmp(copy, file, strlen(file)) == 0 ? read_file(substitution, copy + strlen(file))
                                                  : read_variable(substitution, copy);
}

/* ---------------------------------------------------------------- texts */

static bool is_unreserved(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte != '\0' && strchr("-._~", byte) != NULL);
}

/* A slash stays one in a path, not in a password. */
static void append_encoded(const char *value, bool slashes, struct buffer *out)
{
    for (; *value != '\0'; value++) {
        if (is_unreserved(*value) || (*value == '/' && slashes)) {
            buffer_append_byte(out, *value);
        } else {
            buffer_format(out, "%%%02X", (unsigned)(unsigned char)*value);
        }
    }
}

/* Is it all of the text? Then it is a URI, not a part of one. */
static bool is_all(const char *text, const char *begin, const char *end)
{
    return begin == text && end[0] != '\0' && end[1] == '\0';
}

/* False: a fault was said. */
static bool expand(const struct substitution *substitution, const char *text, struct buffer *out)
{
    const char *at = text;
    for (const char *begin; (begin = strstr(at, "${")) != NULL;) {
        buffer_append(out, at, (size_t)(begin - at));
        const char *end = strchr(begin, '}');
        if (begin > at && begin[-1] == '$') {
            out->length--;
            buffer_append_string(out, "${");
            at = begin + 2;
            continue;
        }
        if (end == NULL) {
            FAULT(substitution, "$${ is ${ itself", "${ has no end");
            return false;
        }
        const char *value = value_of(substitution, begin + 2, (size_t)(end - begin) - 2);
        if (value == NULL) {
            return false;
        }
        if (substitution->in_uri && !is_all(text, begin, end)) {
            append_encoded(value, strchr(end, '@') == NULL, out);
        } else {
            buffer_append_string(out, value);
        }
        at = end + 1;
    }
    buffer_append_string(out, at);
    return true;
}

/* The tree is the reader's, and not yet seen by anybody else. */
static void substitute(struct substitution *substitution, const struct plan_node *node)
{
    for (uint32_t i = 0; i < node->count; i++) {
        bool in_uri = substitution->in_uri;
        bool ledger = node->kind == PLAN_NODE_MAP && strcmp(node->keys[i]->text, "ledger") == 0;
        substitution->in_uri = in_uri || ledger;
        substitute(substitution, node->items[i]);
        substitution->in_uri = in_uri;
    }
    if (node->kind != PLAN_NODE_SCALAR || node->text == NULL || strstr(node->text, "${") == NULL) {
        return;
    }
    struct plan_node *changed = (struct plan_node *)(uintptr_t)node;
    struct buffer text = {0};
    substitution->node = node;
    if (expand(substitution, node->text, &text)) {
        /* a number is one, although braces are quoted */
        const char *begin = strstr(node->text, "${");
        const char *end = strchr(node->text, '}');
        changed->quoted = node->quoted && (end == NULL || !is_all(node->text, begin, end));
        changed->written = node->text;
        changed->text = arena_copy_string(substitution->arena, buffer_string(&text));
        changed->length = (uint32_t)text.length;
    }
    buffer_free(&text);
}

/* Who has the plan's text, which the ledger keeps in the target, must not have the key of masks. */
static void check_mask_key(struct substitution *substitution, const struct plan_node *mask)
{
    const struct plan_node *key = plan_node_get(mask, "key");
    const char *text = plan_node_text(key);
    if (text != NULL && (strstr(text, "${") == NULL || strstr(text, ":-") != NULL)) {
        substitution->node = key;
        FAULT(substitution, "write ${NAME} or ${file:PATH}, without a text for where it is not set",
              "the key of masks stands in the plan, which the target keeps");
    }
}

const char *plan_substitute_uri(const struct plan_node *node, const char *folder,
                                struct arena *arena, struct plan_faults *faults)
{
    struct substitution substitution = {
        .arena = arena, .faults = faults, .folder = folder, .in_uri = true, .sends_files = true};
    struct plan_node *copy = arena_allocate_zeroed(arena, 1, sizeof *copy);
    *copy = *node;
    substitute(&substitution, copy);
    return copy->text;
}

void plan_substitute_note(const struct plan_node *node, const char *uri)
{
    const char *written = node->written != NULL ? node->written : node->text;
    bool is_variable = strncmp(written, "${", 2) == 0 && strncmp(written, "${file:", 7) != 0 &&
                       strstr(written, ":-") == NULL &&
                       is_all(written, written, written + strcspn(written, "}"));
    if (!is_variable) {
        trust_note_uri(uri);
    }
}

/* Hooks are all that is substituted in tables: their templates have braces of their own. */
static void substitute_hooks(struct substitution *substitution, const struct plan_node *tables)
{
    for (uint32_t i = 0; tables->kind == PLAN_NODE_MAP && i < tables->count; i++) {
        for (int moment = 0; moment < HOOK_MOMENT_COUNT; moment++) {
            const struct plan_node *hooks =
                plan_node_get(tables->items[i], hook_moment_name((enum hook_moment)moment));
            if (hooks != NULL) {
                substitute(substitution, hooks);
            }
        }
    }
}

void plan_substitute(const struct plan_node *root, struct arena *arena, struct plan_faults *faults)
{
    struct substitution substitution = {.arena = arena, .faults = faults};
    for (uint32_t i = 0; root->kind == PLAN_NODE_MAP && i < root->count; i++) {
        const char *key = root->keys[i]->text;
        substitution.in_uri = strcmp(key, "source") == 0 || strcmp(key, "target") == 0;
        substitution.secret = strcmp(key, "alerts") == 0 || strcmp(key, "mask") == 0;
        substitution.sends_files = strcmp(key, "mask") == 0 || trust_allows_commands();
        if (strcmp(key, "mask") == 0) {
            check_mask_key(&substitution, root->items[i]);
        }
        if (strcmp(key, "tables") == 0) {
            substitute_hooks(&substitution, root->items[i]);
        } else {
            substitute(&substitution, root->items[i]);
        }
    }
}
