/* The only list of connectors, built in and from modules, and how a URI or a path finds its own. */
#include "connectors/registry.h"
#include "base/text.h"
#include "connectors/uri.h"
#include <ctype.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONNECTORS_MAX = 32, URI_BYTES_MAX = 8192 };

extern const struct connector connector_csv;
extern const struct connector connector_dynamodb;
extern const struct connector connector_dynamodb_json;
extern const struct connector connector_jsonl;
extern const struct connector connector_sqlite;

static const struct connector *const built_in[] = {
    &connector_sqlite,   &connector_csv,   &connector_dynamodb_json,
    &connector_dynamodb, &connector_jsonl,
};
enum { BUILT_IN_COUNT = sizeof built_in / sizeof built_in[0] };

/* Written once by registry_load_modules, before there are threads. */
static const struct connector *modules[CONNECTORS_MAX];
static uint32_t module_count;

/* ---------------------------------------------------------------- modules */

static enum status load_module(const char *path, struct error *error)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        error_set(error, ERROR_MODULE, path, "the module can't be loaded: %s", dlerror());
        error_hint(error, "check TRANSHUME_MODULES and the libraries that the module needs");
        return STATUS_FAILED;
    }
    const struct connector *connector = dlsym(library, CONNECTOR_MODULE_SYMBOL);
    if (connector == NULL) {
        error_set(error, ERROR_MODULE, path, "the file has no symbol " CONNECTOR_MODULE_SYMBOL);
    } else if (connector->contract_version != CONNECTOR_CONTRACT_VERSION) {
        error_set(error, ERROR_MODULE, path,
                  "the module speaks version %u of the connector contract, this program version %d",
                  connector->contract_version, CONNECTOR_CONTRACT_VERSION);
        error_hint(error, "build the module against this version");
    } else if (registry_find(connector->name) != NULL) {
        error_set(error, ERROR_MODULE, path, "there is a connector %s already", connector->name);
    } else if (module_count == CONNECTORS_MAX) {
        error_set(error, ERROR_MODULE, path, "more than %d modules", CONNECTORS_MAX);
    } else {
        modules[module_count++] = connector; /* stays loaded until the program ends */
        return STATUS_OK;
    }
    dlclose(library);
    return STATUS_FAILED;
}

enum status registry_load_modules(struct error *error)
{
    const char *list = getenv("TRANSHUME_MODULES");
    enum status status = STATUS_OK;

    while (list != NULL && *list != '\0' && status == STATUS_OK) {
        size_t length = strcspn(list, ":");
        if (length > 0) {
            char *path = strndup(list, length);
            status = path != NULL
                         ? load_module(path, error)
                         : error_set(error, ERROR_MEMORY, "TRANSHUME_MODULES", "no memory");
            free(path);
        }
        list += length + (list[length] == ':');
    }
    return status;
}

uint32_t registry_count(void)
{
    return BUILT_IN_COUNT + module_count;
}

const struct connector *registry_at(uint32_t index)
{
    if (index < BUILT_IN_COUNT) {
        return built_in[index];
    }
    return index < registry_count() ? modules[index - BUILT_IN_COUNT] : NULL;
}

static bool has_scheme(const struct connector *connector, const char *scheme)
{
    if (strcasecmp(connector->name, scheme) == 0) {
        return true;
    }
    for (const char *const *other = connector->schemes; other != NULL && *other != NULL; other++) {
        if (strcasecmp(*other, scheme) == 0) {
            return true;
        }
    }
    return false;
}

const struct connector *registry_find(const char *scheme)
{
    for (uint32_t i = 0; i < registry_count(); i++) {
        if (has_scheme(registry_at(i), scheme)) {
            return registry_at(i);
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- finding the connector */

static enum status unknown_scheme(const struct uri *uri, const char *scheme, struct error *error)
{
    const char *names[2 * CONNECTORS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < registry_count() && count < 2 * CONNECTORS_MAX - 8; i++) {
        names[count++] = registry_at(i)->name;
        const char *const *other = registry_at(i)->schemes;
        for (; other != NULL && *other != NULL && count < 2 * CONNECTORS_MAX; other++) {
            names[count++] = *other;
        }
    }
    const char *near = text_nearest(scheme, names, count);
    error_set(error, ERROR_UNKNOWN_SCHEME, uri->shown, "no connector answers to the scheme %s",
              scheme);
    if (near != NULL) {
        error_hint(error, "did you mean %s: ?", near);
    } else {
        error_hint(error, "`transhume connectors` lists them");
    }
    return STATUS_FAILED;
}

static bool ends_with(const char *text, size_t length, const char *suffix)
{
    size_t suffix_length = strlen(suffix);
    return length > suffix_length &&
           strncasecmp(text + length - suffix_length, suffix, suffix_length) == 0;
}

static const struct connector *find_by_suffix(const char *path, size_t length)
{
    for (uint32_t i = 0; i < registry_count(); i++) {
        const char *const *suffix = registry_at(i)->suffixes;
        for (; suffix != NULL && *suffix != NULL; suffix++) {
            if (ends_with(path, length, *suffix)) {
                return registry_at(i);
            }
        }
    }
    return NULL;
}

/* A file that begins as SQLite files do. Asked before anything has opened it. */
static const struct connector *find_by_contents(const char *path)
{
    char start[16] = {0};
    struct stat facts;

    if (stat(path, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        return NULL;
    }
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        return NULL;
    }
    ssize_t count = read(descriptor, start, sizeof start);
    close(descriptor);
    return count == (ssize_t)sizeof start && memcmp(start, "SQLite format 3", sizeof start) == 0
               ? registry_find("sqlite")
               : NULL;
}

static bool path_exists(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0;
}

/* A path as people type it, nothing decoded; "?option=…" behind it unless a file has that very
 * name. */
static enum status resolve_path(struct uri *uri, const struct connector **connector,
                                struct arena *arena, struct error *error)
{
    const char *text = uri->text;
    size_t length = path_exists(text) ? strlen(text) : strcspn(text, "?");
    char *path = arena_copy(arena, text, length);

    if (path == NULL) {
        return error_set(error, ERROR_MEMORY, uri->shown, "no memory for a path");
    }
    *connector = find_by_suffix(path, length);
    if (*connector == NULL) {
        *connector = find_by_contents(path);
    }
    if (*connector == NULL) {
        error_set(error, ERROR_UNKNOWN_SCHEME, uri->shown,
                  path_exists(path)
                      ? "it is not plain from its name or contents what database this is"
                      : "this is neither a URI nor a file that is known by its name");
        error_hint(error,
                   "write the scheme before it, as sqlite:FILE; `transhume connectors` lists "
                   "them");
        return STATUS_FAILED;
    }
    return uri_read_path(uri, *connector, path, text[length] == '?' ? text + length + 1 : "", arena,
                         error);
}

/* The length of a scheme at the start of the text, 0 if there is none. */
static size_t scheme_length(const char *text)
{
    size_t length = 0;
    if (isalpha((unsigned char)text[0]) == 0) {
        return 0;
    }
    while (isalnum((unsigned char)text[length]) != 0 || strchr("+-._", text[length]) != NULL) {
        if (text[length] == '\0') {
            return 0;
        }
        length++;
    }
    return text[length] == ':' ? length : 0;
}

enum status registry_resolve(const char *text, struct arena *arena, struct uri **uri,
                             const struct connector **connector, struct error *error)
{
    size_t length = scheme_length(text);
    struct uri *begun = NULL;
    enum status status = STATUS_FAILED;

    *uri = NULL;
    *connector = NULL;
    if (text[0] == '\0' || strlen(text) > URI_BYTES_MAX) {
        error_set(error, ERROR_USAGE, NULL,
                  text[0] == '\0' ? "a URI is empty" : "a URI is longer than 8,192 bytes");
        error_hint(error,
                   "write sqlite:FILE, for example; `transhume connectors` lists the schemes");
        return STATUS_FAILED;
    }
    char *scheme = arena_copy(arena, text, length);
    if (scheme == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a URI");
    }
    if (uri_begin(text, arena, &begun, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *connector = length > 0 ? registry_find(scheme) : NULL;
    if (*connector != NULL) {
        status = uri_read(begun, *connector, text + length + 1, arena, error);
    } else if (length > 0 && !path_exists(text)) {
        status = unknown_scheme(begun, scheme, error);
    } else {
        status = resolve_path(begun, connector, arena, error);
    }
    if (status == STATUS_OK) {
        *uri = begun;
    }
    return status;
}
