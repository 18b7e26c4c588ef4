#include "plan/text/connections.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/trust.h"
#include "plan/text/substitute.h"
#include "plan/text/tree.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONNECTIONS_BYTES_MAX = 1 << 20, NAME_BYTES_MAX = 64 };

/* The file, read and checked for form. */
struct connections {
    const char *path;
    const char *folder;
    const struct plan_node *root; /* NULL: there is no file, or it names nothing */
    struct stat facts;
};

/* ---------------------------------------------------------------- the file */

static bool is_name(const char *text)
{
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++) {
        bool inner = text[i] == '-' || text[i] == '_';
        if (isalnum((unsigned char)text[i]) == 0 && (i == 0 || !inner)) {
            return false;
        }
    }
    return length > 0 && length <= NAME_BYTES_MAX;
}

/* NULL: neither variable nor home says where it would be. */
static const char *file_path(struct arena *arena)
{
    const char *said = getenv(CONNECTIONS_VARIABLE);
    const char *settings = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    if (said != NULL && said[0] != '\0') {
        return arena_copy_string(arena, said);
    }
    if (settings != NULL && settings[0] == '/') {
        return file_join(arena, settings, "transhume/connections.yaml");
    }
    return home == NULL || home[0] != '/'
               ? NULL
               : file_join(arena, home, ".config/transhume/connections.yaml");
}

static const char *folder_of(const char *path, struct arena *arena)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? "." : arena_copy(arena, path, (size_t)(slash - path) + 1);
}

static void check_names(const struct connections *file, struct plan_faults *faults)
{
    for (uint32_t i = 0; i < file->root->count; i++) {
        const struct plan_node *key = file->root->keys[i];
        const struct plan_node *value = file->root->items[i];
        char shown[80];
        text_printable(key->text, key->length, shown, sizeof shown);
        if (!is_name(key->text)) {
            plan_fault(faults, ERROR_CONNECTIONS_INVALID, key,
                       "a name is of letters, digits, - and _, at most 64", "'%s' is no name",
                       shown);
        }
        if (plan_node_text(value) == NULL || value->length == 0) {
            plan_fault(faults, ERROR_CONNECTIONS_INVALID, value,
                       "write NAME: URI, such as copy: sqlite:copy.db",
                       "the connection %s has no URI", shown);
        }
    }
}

/* STATUS_END: there is no file. */
static enum status read_file(struct connections *file, struct arena *arena, struct error *error)
{
    struct plan_faults faults;
    char *text = NULL;
    size_t length = 0;
    *file = (struct connections){.path = file_path(arena)};
    if (file->path == NULL || stat(file->path, &file->facts) != 0) {
        return STATUS_END;
    }
    enum status status =
        trust_read_file(file->path, CONNECTIONS_BYTES_MAX, arena, &text, &length, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_END : trust_recode(error, ERROR_CONNECTIONS_INVALID);
    }
    file->folder = folder_of(file->path, arena);
    secret_register_uris(text); /* faults tell what they found */
    plan_faults_init(&faults, file->path, NULL);
    faults.what = "file of connections";
    file->root = plan_tree_read(text, length, arena, &faults);
    if (file->root != NULL && file->root->kind == PLAN_NODE_MAP) {
        check_names(file, &faults);
    } else if (file->root != NULL) {
        plan_fault(&faults, ERROR_CONNECTIONS_INVALID, file->root, "write NAME: URI, a line each",
                   "a map of names and URIs is expected");
    }
    status = plan_faults_result(&faults, error);
    return status == STATUS_OK ? STATUS_OK : error_recode(error, ERROR_CONNECTIONS_INVALID);
}

/* ---------------------------------------------------------------- one connection */

/* A password that the file has itself, not the environment. */
static bool has_password(const char *uri)
{
    size_t size = strlen(uri) + 64;
    char *shown = memory_allocate(size);
    secret_redact_uri(uri, shown, size);
    bool differs = strcmp(uri, shown) != 0;
    free(shown);
    const char *begin = strstr(uri, "${");
    return differs && begin == NULL;
}

static void warn_of_readers(const struct connections *file, const struct plan_node *value)
{
    if ((file->facts.st_mode & (S_IRGRP | S_IROTH)) != 0 && has_password(value->text)) {
        log_write(
            LOG_WARNING,
            "%s:%u:%u: a password in a file that other users may read: chmod 600 %s, or write "
            "${NAME} and keep it in the environment",
            file->path, (unsigned)value->line, (unsigned)value->column, file->path);
    }
}

static enum status make_uri(const struct connections *file, const struct plan_node *value,
                            struct arena *arena, const char **uri, struct error *error)
{
    struct plan_faults faults;
    plan_faults_init(&faults, file->path, NULL);
    *uri = plan_substitute_uri(value, file->folder, arena, &faults);
    if (plan_faults_result(&faults, error) != STATUS_OK) {
        return error_recode(error, ERROR_CONNECTIONS_INVALID);
    }
    secret_register_uri(*uri);
    plan_substitute_note(value, *uri);
    if ((*uri)[0] == '@' || (*uri)[0] == '\0') {
        plan_fault(&faults, ERROR_CONNECTIONS_INVALID, value, NULL,
                   (*uri)[0] == '@' ? "a connection names another one" : "its URI is empty");
        return plan_faults_result(&faults, error);
    }
    return STATUS_OK;
}

static enum status unknown(const struct connections *file, const char *name, struct error *error)
{
    const char *names[256];
    size_t count = 0;
    if (file->root == NULL) {
        error_set(error, ERROR_CONNECTION_UNKNOWN, name, "there is no file of connections");
        return error_hint(error,
                          "write NAME: URI into %s, or name another file: --connections FILE",
                          file->path != NULL ? file->path : "one");
    }
    for (uint32_t i = 0; i < file->root->count && count < 256; i++) {
        names[count++] = file->root->keys[i]->text;
    }
    error_set(error, ERROR_CONNECTION_UNKNOWN, name, "%s has no connection of that name",
              file->path);
    const char *nearest = text_nearest(name + 1, names, count);
    return nearest != NULL
               ? error_hint(error, "did you mean @%s?", nearest)
               : error_hint(error, "`transhume connections` lists them; ./%s is a file", name);
}

enum status connection_find(const char *name, struct arena *arena, const char **uri,
                            struct error *error)
{
    struct connections file;
    enum status status = read_file(&file, arena, error);
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    const struct plan_node *value = plan_node_get(file.root, name + 1);
    if (value == NULL) {
        return unknown(&file, name, error);
    }
    warn_of_readers(&file, value);
    return make_uri(&file, value, arena, uri, error);
}

enum status connection_expand(const char **text, struct arena *arena, struct error *error)
{
    /* "@" and a name: no path that is known by its suffix is, since a name has no dot. */
    return *text != NULL && (*text)[0] == '@' && is_name(*text + 1)
               ? connection_find(*text, arena, text, error)
               : STATUS_OK;
}

const char *connection_recall(const char *name, const char *shown, struct arena *arena)
{
    struct error ignored;
    const char *uri = NULL;
    if (name == NULL || shown == NULL ||
        connection_find(name, arena, &uri, &ignored) != STATUS_OK) {
        return shown;
    }
    size_t size = strlen(uri) + 64;
    char *hidden = arena_allocate(arena, size);
    secret_redact_uri(uri, hidden, size);
    return secret_is_same_uri(hidden, shown) ? uri : shown;
}

enum status connections_list(struct arena *arena, struct connection **list, uint32_t *count,
                             const char **path, struct error *error)
{
    struct connections file;
    enum status status = read_file(&file, arena, error);
    *list = NULL;
    *count = 0;
    *path = file.path;
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    *list = arena_allocate_zeroed(arena, file.root->count + 1u, sizeof **list);
    for (uint32_t i = 0; i < file.root->count; i++) {
        const struct plan_node *value = file.root->items[i];
        struct connection *made = &(*list)[(*count)++];
        made->fault = arena_allocate_zeroed(arena, 1, sizeof *made->fault);
        made->name = file.root->keys[i]->text;
        made->place = arena_format(arena, "%s:%u:%u", file.path, (unsigned)value->line,
                                   (unsigned)value->column);
        warn_of_readers(&file, value);
        if (make_uri(&file, value, arena, &made->uri, made->fault) == STATUS_OK) {
            made->fault = NULL;
        } else {
            made->uri = NULL;
        }
    }
    return STATUS_OK;
}
