/* The only list of connectors, built in and from modules, and how a URI or a path finds its own. */
#include "connectors/common/registry.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/common/uri.h"
#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONNECTORS_MAX = 32, URI_BYTES_MAX = 8192 };

extern const struct connector connector_cassandra;
extern const struct connector connector_csv;
extern const struct connector connector_dump;
extern const struct connector connector_dynamodb;
extern const struct connector connector_dynamodb_json;
extern const struct connector connector_jsonl;
extern const struct connector connector_opensearch;
extern const struct connector connector_redis;
extern const struct connector connector_sqlite;

static const struct connector *const built_in[] = {
    &connector_sqlite,    &connector_csv,   &connector_dynamodb_json,
    &connector_dynamodb,  &connector_dump,  &connector_jsonl,
    &connector_cassandra, &connector_redis, &connector_opensearch,
};
enum { BUILT_IN_COUNT = sizeof built_in / sizeof built_in[0] };

/* libmongoc keeps counters in shared memory that is named by the process's id, from the moment that
 * it is loaded; where a process of that id was killed it would find the name taken, and print so.
 */
static void remove_stale_counters(void)
{
    char name[32];
    snprintf(name, sizeof name, "/mongoc-%ld", (long)getpid());
    (void)shm_unlink(name);
}

/* Connectors with a client library of their own: each is loaded when a URI names it. */
struct loadable {
    const char *name; /* of the connector; its file is NAME.so */
    const char *const *schemes;
    const char *const
        *suffixes; /* of bare paths, by which it is loaded; NULL: by its scheme alone */
    /* to get the library without which its module is not built; NULL: it always is */
    const char *how;
    void (*before_load)(void); /* NULL: nothing */
};
static const char *const postgres_schemes[] = {"postgres", "postgresql", NULL};
static const char *const mysql_schemes[] = {"mysql", "mariadb", NULL};
static const char *const mongodb_schemes[] = {"mongodb", "mongodb+srv", NULL};
static const char *const duckdb_schemes[] = {"duckdb", NULL};
static const char *const duckdb_suffixes[] = {".duckdb", ".ddb", NULL};
static const char *const parquet_schemes[] = {"parquet", NULL};
static const char *const arrow_schemes[] = {"arrow", NULL};
static const struct loadable loadables[] = {
    {.name = "postgres", .schemes = postgres_schemes},
    {.name = "mysql", .schemes = mysql_schemes},
    {.name = "mongodb", .schemes = mongodb_schemes, .before_load = remove_stale_counters},
    {.name = "duckdb", .schemes = duckdb_schemes, .suffixes = duckdb_suffixes},
    {.name = "parquet",
     .schemes = parquet_schemes,
     .how = "it is built with the library carquet: `tools/carquet` gets that, then build again"},
    {.name = "arrow",
     .schemes = arrow_schemes,
     .how =
         "it is built with the library nanoarrow: `tools/nanoarrow` gets that, then build again"},
};
enum { LOADABLE_COUNT = sizeof loadables / sizeof loadables[0] };

/* Written by the control thread alone, before there are others. */
static const struct connector *modules[CONNECTORS_MAX];
static uint32_t module_count;

/* ---------------------------------------------------------------- modules */

static const struct connector *find_loaded(const char *scheme);

/* That nothing could be had of the machine says nothing of the module: another try may load it. */
static enum error_code code_of_failed_load(int system_errno)
{
    switch (system_errno) {
    case ENOMEM:
        return ERROR_MEMORY;
    case EIO:
    case EMFILE:
    case ENFILE:
        return ERROR_FILE_READ;
    default:
        return ERROR_MODULE;
    }
}

static enum status load_module(const char *path, struct error *error)
{
    errno = 0;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        enum error_code code = code_of_failed_load(errno);
        error_set(error, code, path, "the module can't be loaded: %s", dlerror());
        if (code == ERROR_MODULE) {
            error_hint(error,
                       "check that the file is there, and the libraries that it needs (`ldd`)");
        }
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
    } else if (find_loaded(connector->name) != NULL) {
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
            char *path = memory_copy_bytes(list, length);
            status = load_module(path, error);
            free(path);
        }
        list += length + (list[length] == ':');
    }
    return status;
}

/* Beside the program, as it is built, or in ../lib/transhume, as it is installed. */
static bool find_module(const char *name, char *path, size_t capacity)
{
    char program[PATH_MAX];
    if (!file_program_folder(program, sizeof program)) {
        return false;
    }
    static const char *const places[] = {"", "/../lib/transhume"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        int needed = snprintf(path, capacity, "%s%s/%s.so", program, places[i], name);
        if (needed > 0 && (size_t)needed < capacity && access(path, R_OK) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_there(const struct loadable *loadable)
{
    char path[PATH_MAX + 64];
    return find_loaded(loadable->name) != NULL || find_module(loadable->name, path, sizeof path);
}

static enum status load_loadable(const struct loadable *loadable, struct error *error)
{
    char path[PATH_MAX + 64];
    if (find_loaded(loadable->name) != NULL) {
        return STATUS_OK;
    }
    if (!find_module(loadable->name, path, sizeof path)) {
        error_set(error, ERROR_MODULE, loadable->name, "its module %s.so is not there",
                  loadable->name);
        if (loadable->how != NULL) {
            return error_hint(error, "%s", loadable->how);
        }
        error_hint(error, "it belongs beside the program or in ../lib/transhume: install transhume "
                          "whole, with `make install`");
        return STATUS_FAILED;
    }
    if (loadable->before_load != NULL) {
        loadable->before_load();
    }
    return load_module(path, error);
}

static bool has_name(const char *const *names, const char *name)
{
    for (; names != NULL && *names != NULL; names++) {
        if (strcasecmp(*names, name) == 0) {
            return true;
        }
    }
    return false;
}

/* STATUS_END: no connector of that scheme waits to be loaded. */
static enum status load_for_scheme(const char *scheme, struct error *error)
{
    for (uint32_t i = 0; i < LOADABLE_COUNT; i++) {
        if (has_name(loadables[i].schemes, scheme)) {
            return load_loadable(&loadables[i], error);
        }
    }
    return STATUS_END;
}

void registry_load_all(void)
{
    for (uint32_t i = 0; i < LOADABLE_COUNT; i++) {
        struct error error = {0};
        bool lacks = loadables[i].how != NULL && !is_there(&loadables[i]);
        if (!lacks && load_loadable(&loadables[i], &error) != STATUS_OK) {
            log_write(LOG_WARNING, "%s: %s", error.object, error.message);
        }
    }
}

const char *const *registry_schemes(struct arena *arena)
{
    const char **names = arena_allocate_zeroed(arena, 8 * CONNECTORS_MAX, sizeof *names);
    uint32_t count = 0;
    for (uint32_t i = 0; i < registry_count(); i++) {
        names[count++] = registry_at(i)->name;
        for (const char *const *scheme = registry_at(i)->schemes;
             scheme != NULL && *scheme != NULL && count < 4 * CONNECTORS_MAX; scheme++) {
            names[count++] = *scheme;
        }
    }
    for (uint32_t i = 0; i < LOADABLE_COUNT; i++) {
        bool loaded = find_loaded(loadables[i].name) != NULL;
        for (const char *const *scheme = loadables[i].schemes; !loaded && *scheme != NULL;
             scheme++) {
            names[count++] = *scheme;
        }
    }
    return names;
}

const char *registry_lacking(uint32_t index, const char **how)
{
    for (uint32_t i = 0; i < LOADABLE_COUNT; i++) {
        if (loadables[i].how != NULL && !is_there(&loadables[i]) && index-- == 0) {
            *how = loadables[i].how;
            return loadables[i].name;
        }
    }
    return NULL;
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

bool registry_is_module(uint32_t index)
{
    return index >= BUILT_IN_COUNT;
}

static bool has_scheme(const struct connector *connector, const char *scheme)
{
    return strcasecmp(connector->name, scheme) == 0 || has_name(connector->schemes, scheme);
}

static const struct connector *find_loaded(const char *scheme)
{
    for (uint32_t i = 0; i < registry_count(); i++) {
        if (has_scheme(registry_at(i), scheme)) {
            return registry_at(i);
        }
    }
    return NULL;
}

const struct connector *registry_find(const char *scheme)
{
    struct error ignored = {0};
    const struct connector *found = find_loaded(scheme);
    if (found == NULL && load_for_scheme(scheme, &ignored) == STATUS_OK) {
        found = find_loaded(scheme);
    }
    return found;
}

/* ---------------------------------------------------------------- finding the connector */

/* The hint for a scheme that other tools know, and this program does not; NULL: none. */
static const char *foreign_scheme(const char *scheme)
{
    static const struct {
        const char *scheme;
        const char *hint;
    } known[] = {
        {"s3", "files in S3 need their form before it: csv:s3://BUCKET/PREFIX, or jsonl:, "
               "parquet:, arrow:"},
        {"gs", "Google's storage is not supported; S3 is: csv:s3://BUCKET/PREFIX"},
        {"jdbc", "write the URI without jdbc:, as postgresql://USER@HOST/DATABASE or "
                 "mysql://USER@HOST/DATABASE"},
        {"mssql", "SQL Server is not supported; `transhume connectors` lists what is"},
        {"sqlserver", "SQL Server is not supported; `transhume connectors` lists what is"},
        {"oracle", "Oracle is not supported; `transhume connectors` lists what is"},
        {"snowflake", "Snowflake is not supported; `transhume connectors` lists what is"},
        {"bigquery", "BigQuery is not supported; `transhume connectors` lists what is"},
        {"mongo", "did you mean mongodb: ?"},
        {"pg", "did you mean postgresql: ?"},
        {"pgsql", "did you mean postgresql: ?"},
        {"sqlite3", "did you mean sqlite: ?"},
        {"elastic", "did you mean elasticsearch: ?"},
        {"file", "write the path alone, or the scheme of its form: sqlite:FILE, csv:FOLDER"},
        {"http", "opensearch://HOST:PORT, where that is meant; files are not read from the web"},
        {"https", "opensearch://HOST:PORT?tls=yes, where that is meant; files are not read from "
                  "the web"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcasecmp(known[i].scheme, scheme) == 0) {
            return known[i].hint;
        }
    }
    return NULL;
}

static enum status unknown_scheme(const struct uri *uri, const char *scheme, struct error *error)
{
    const char *names[2 * CONNECTORS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < LOADABLE_COUNT; i++) {
        for (const char *const *name = loadables[i].schemes; *name != NULL; name++) {
            names[count++] = *name;
        }
    }
    for (uint32_t i = 0; i < registry_count() && count < 2 * CONNECTORS_MAX - 8; i++) {
        names[count++] = registry_at(i)->name;
        const char *const *other = registry_at(i)->schemes;
        for (; other != NULL && *other != NULL && count < 2 * CONNECTORS_MAX; other++) {
            names[count++] = *other;
        }
    }
    char base[32];
    (void)snprintf(base, sizeof base, "%.*s", (int)strcspn(scheme, "+"), scheme);
    const char *foreign = foreign_scheme(base); /* mssql+pyodbc names its driver behind the plus */
    const char *near = text_nearest(base, names, count);
    error_set(error, ERROR_UNKNOWN_SCHEME, uri->shown, "no connector answers to the scheme %s",
              scheme);
    if (foreign != NULL) {
        error_hint(error, "%s", foreign);
    } else if (near != NULL) {
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

static bool is_file(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISREG(facts.st_mode);
}

static void load_by_suffix(const char *path, size_t length)
{
    struct error error = {0};
    for (uint32_t i = 0; i < LOADABLE_COUNT; i++) {
        for (const char *const *suffix = loadables[i].suffixes; suffix != NULL && *suffix != NULL;
             suffix++) {
            if (ends_with(path, length, *suffix) &&
                load_loadable(&loadables[i], &error) != STATUS_OK) {
                log_write(LOG_WARNING, "%s: %s", error.object, error.message);
            }
        }
    }
}

static const struct connector *find_by_suffix(const char *path, size_t length)
{
    load_by_suffix(path, length);
    for (uint32_t i = 0; i < registry_count(); i++) {
        const struct connector *connector = registry_at(i);
        bool of_folders = strstr(connector->uri_help, ":DIR") != NULL;
        const char *const *suffix = of_folders && !is_file(path) ? NULL : connector->suffixes;
        for (; suffix != NULL && *suffix != NULL; suffix++) {
            if (ends_with(path, length, *suffix)) {
                return connector;
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
    int descriptor = file_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    if (descriptor < 0) {
        return NULL;
    }
    ssize_t count = file_read(descriptor, start, sizeof start);
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

/* A file that ends as a connector is called is most likely meant for it. */
static void hint_scheme(const char *shown, const char *path, struct error *error)
{
    const char *dot = strrchr(path, '.');
    const struct connector *named = dot != NULL ? registry_find(dot + 1) : NULL;
    bool of_files = named != NULL && strstr(named->uri_help, "://") == NULL;
    if (of_files) {
        error_hint(error, "write %s:%s; `transhume connectors %s` says what it takes", named->name,
                   shown, named->name);
    } else {
        error_hint(error, "write the scheme before it, as sqlite:FILE; `transhume connectors` "
                          "lists them");
    }
}

/* A path as people type it, nothing decoded; "?option=…" behind it unless a file has that very
 * name. */
static enum status resolve_path(struct uri *uri, const struct connector **connector,
                                struct arena *arena, struct error *error)
{
    const char *text = uri->text;
    size_t length = path_exists(text) ? strlen(text) : strcspn(text, "?");
    char *path = arena_copy(arena, text, length);

    *connector = find_by_suffix(path, length);
    if (*connector == NULL) {
        *connector = find_by_contents(path);
    }
    if (*connector == NULL) {
        error_set(error, ERROR_UNKNOWN_SCHEME, uri->shown,
                  path_exists(path)
                      ? "it is not plain from its name or contents what database this is"
                      : "this is neither a URI nor a file that is known by its name");
        hint_scheme(uri->shown, path, error);
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
    struct uri *begun = uri_begin(text, arena);
    if (length > 0 && find_loaded(scheme) == NULL &&
        load_for_scheme(scheme, error) == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    *connector = length > 0 ? find_loaded(scheme) : NULL;
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
