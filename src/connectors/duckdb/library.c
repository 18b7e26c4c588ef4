/* Opening DuckDB's library and finding its functions. */
#include "connectors/duckdb/library.h"
#include "base/text.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A process can hold the library but once: it keeps the files that are open. */
static struct {
    pthread_mutex_t lock;
    void *handle;
    char path[1024];
    struct duckdb_library functions;
} loaded = {.lock = PTHREAD_MUTEX_INITIALIZER};

#define FUNCTION(name)                                         \
    {                                                          \
        "duckdb_" #name, offsetof(struct duckdb_library, name) \
    }
static const struct {
    const char *symbol;
    size_t place;
} functions[] = {
    FUNCTION(library_version),
    FUNCTION(free),
    FUNCTION(create_config),
    FUNCTION(set_config),
    FUNCTION(destroy_config),
    FUNCTION(open_ext),
    FUNCTION(close),
    FUNCTION(connect),
    FUNCTION(disconnect),
    FUNCTION(interrupt),
    FUNCTION(query),
    FUNCTION(prepare),
    FUNCTION(prepare_error),
    FUNCTION(destroy_prepare),
    FUNCTION(bind_varchar_length),
    FUNCTION(pending_prepared),
    FUNCTION(pending_error),
    FUNCTION(execute_pending),
    FUNCTION(destroy_pending),
    FUNCTION(destroy_result),
    FUNCTION(result_error),
    FUNCTION(rows_changed),
    FUNCTION(column_count),
    FUNCTION(column_name),
    FUNCTION(column_logical_type),
    FUNCTION(fetch_chunk),
    FUNCTION(create_data_chunk),
    FUNCTION(destroy_data_chunk),
    FUNCTION(data_chunk_reset),
    FUNCTION(data_chunk_get_size),
    FUNCTION(data_chunk_set_size),
    FUNCTION(data_chunk_get_vector),
    FUNCTION(vector_size),
    FUNCTION(vector_get_data),
    FUNCTION(vector_get_validity),
    FUNCTION(vector_ensure_validity_writable),
    FUNCTION(vector_assign_string_element_len),
    FUNCTION(list_vector_get_child),
    FUNCTION(list_vector_get_size),
    FUNCTION(list_vector_set_size),
    FUNCTION(list_vector_reserve),
    FUNCTION(struct_vector_get_child),
    FUNCTION(array_vector_get_child),
    FUNCTION(destroy_logical_type),
    FUNCTION(get_type_id),
    FUNCTION(logical_type_get_alias),
    FUNCTION(decimal_width),
    FUNCTION(decimal_scale),
    FUNCTION(decimal_internal_type),
    FUNCTION(enum_internal_type),
    FUNCTION(enum_dictionary_size),
    FUNCTION(enum_dictionary_value),
    FUNCTION(list_type_child_type),
    FUNCTION(array_type_child_type),
    FUNCTION(array_type_array_size),
    FUNCTION(map_type_key_type),
    FUNCTION(map_type_value_type),
    FUNCTION(struct_type_child_count),
    FUNCTION(struct_type_child_name),
    FUNCTION(struct_type_child_type),
    FUNCTION(union_type_member_count),
    FUNCTION(union_type_member_name),
    FUNCTION(union_type_member_type),
    FUNCTION(appender_create),
    FUNCTION(appender_column_count),
    FUNCTION(appender_column_type),
    FUNCTION(appender_add_column),
    FUNCTION(appender_error),
    FUNCTION(append_data_chunk),
    FUNCTION(appender_flush),
    FUNCTION(appender_destroy),
};
_Static_assert(sizeof(struct duckdb_library) / sizeof(void *) ==
                   sizeof functions / sizeof functions[0] + 1,
               "each function of the library has its line, but for the one that may be missing");

static enum status hint(struct error *error)
{
    return error_hint(error, "get libduckdb from https://duckdb.org/install (C/C++), and name its "
                             "file: TRANSHUME_DUCKDB=/path/libduckdb.so, or "
                             "duckdb:FILE?library=/path/libduckdb.so");
}

/* STATUS_FAILED: a function is missing. */
static enum status find_functions(void *handle, const char *path, struct duckdb_library *library,
                                  struct error *error)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *found = dlsym(handle, functions[i].symbol);
        if (found == NULL) {
            error_set(error, ERROR_MODULE, path,
                      "it has no function %s: DuckDB 1.2 or newer is needed", functions[i].symbol);
            return hint(error);
        }
        memcpy((char *)library + functions[i].place, &found, sizeof found);
    }
    void *streaming = dlsym(handle, "duckdb_pending_prepared_streaming");
    if (streaming != NULL) {
        memcpy(&library->pending_prepared_streaming, &streaming, sizeof streaming);
    } else {
        library->pending_prepared_streaming = library->pending_prepared;
    }
    return STATUS_OK;
}

static enum status library_load(const char *path, struct error *error)
{
    /* its own copies of what the program has too, as zstd, are its own */
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        error_set(error, ERROR_MODULE, path, "DuckDB's library can't be loaded: %s", dlerror());
        return hint(error);
    }
    if (find_functions(handle, path, &loaded.functions, error) != STATUS_OK) {
        dlclose(handle);
        return STATUS_FAILED;
    }
    loaded.handle = handle; /* stays until the program ends */
    strncpy(loaded.path, path, sizeof loaded.path - 1);
    return STATUS_OK;
}

enum status duckdb_library_load(const char *path, const struct duckdb_library **library,
                                struct error *error)
{
    const char *named = getenv("TRANSHUME_DUCKDB");
    bool given = path != NULL && path[0] != '\0';
    const char *wanted = given ? path : named != NULL && named[0] != '\0' ? named : "libduckdb.so";
    enum status status = STATUS_OK;

    pthread_mutex_lock(&loaded.lock);
    if (loaded.handle == NULL) {
        status = library_load(wanted, error);
    } else if (given && strcmp(loaded.path, path) != 0) {
        error_set(error, ERROR_MODULE, path, "DuckDB's library is loaded from %s already",
                  loaded.path);
        status = error_hint(error, "name one and the same library for source and target");
    }
    *library = status == STATUS_OK ? &loaded.functions : NULL;
    pthread_mutex_unlock(&loaded.lock);
    return status;
}
