/*
 * DuckDB's C library, opened while the program runs: no distribution that the program is built on
 * has it. Declared here are the few functions that are called, and the structs that they share with
 * the caller, as DuckDB documents them (duckdb.org/docs/stable/clients/c/api); they are a stable
 * interface since version 1.2.
 */
#ifndef TRANSHUME_CONNECTORS_DUCKDB_LIBRARY_H
#define TRANSHUME_CONNECTORS_DUCKDB_LIBRARY_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The library's numbers of its types (duckdb_type). */
enum duckdb_type_id {
    DUCKDB_INVALID = 0,
    DUCKDB_BOOLEAN,
    DUCKDB_TINYINT,
    DUCKDB_SMALLINT,
    DUCKDB_INTEGER,
    DUCKDB_BIGINT,
    DUCKDB_UTINYINT,
    DUCKDB_USMALLINT,
    DUCKDB_UINTEGER,
    DUCKDB_UBIGINT,
    DUCKDB_FLOAT,
    DUCKDB_DOUBLE,
    DUCKDB_TIMESTAMP,
    DUCKDB_DATE,
    DUCKDB_TIME,
    DUCKDB_INTERVAL,
    DUCKDB_HUGEINT,
    DUCKDB_VARCHAR,
    DUCKDB_BLOB,
    DUCKDB_DECIMAL,
    DUCKDB_TIMESTAMP_S,
    DUCKDB_TIMESTAMP_MS,
    DUCKDB_TIMESTAMP_NS,
    DUCKDB_ENUM,
    DUCKDB_LIST,
    DUCKDB_STRUCT,
    DUCKDB_MAP,
    DUCKDB_UUID,
    DUCKDB_UNION,
    DUCKDB_BIT,
    DUCKDB_TIME_TZ,
    DUCKDB_TIMESTAMP_TZ,
    DUCKDB_UHUGEINT,
    DUCKDB_ARRAY,
    DUCKDB_ANY,
    DUCKDB_BIGNUM,
    DUCKDB_SQLNULL,
    DUCKDB_STRING_LITERAL,
    DUCKDB_INTEGER_LITERAL,
    DUCKDB_TIME_NS,
    DUCKDB_TYPE_COUNT
};

enum { DUCKDB_SUCCESS = 0, DUCKDB_STRING_INLINED_MAX = 12 };

/* Handles are opaque. */
struct duckdb_handle;

struct duckdb_result {
    uint64_t deprecated_numbers[3];
    void *deprecated_pointers[2];
    void *data;
};

/* ---- values as they lie in vectors */

struct duckdb_hugeint {
    uint64_t lower;
    int64_t upper;
};
struct duckdb_interval {
    int32_t months;
    int32_t days;
    int64_t us;
};
struct duckdb_list_entry {
    uint64_t offset;
    uint64_t length;
};
/* Up to DUCKDB_STRING_INLINED_MAX bytes stand in it, of more only the first four. */
struct duckdb_string {
    uint32_t length;
    char start[4];
    union {
        char rest[8];
        const char *pointer;
    };
};
_Static_assert(sizeof(struct duckdb_string) == 16, "a string is 16 bytes");

static inline const char *duckdb_string_bytes(const struct duckdb_string *string)
{
    return string->length <= DUCKDB_STRING_INLINED_MAX ? string->start : string->pointer;
}

/* The library's functions, each by the NAME in its "duckdb_NAME". */
struct duckdb_library {
    const char *(*library_version)(void);
    void (*free)(void *memory);
    int (*create_config)(struct duckdb_handle **config);
    int (*set_config)(struct duckdb_handle *config, const char *name, const char *option);
    void (*destroy_config)(struct duckdb_handle **config);
    int (*open_ext)(const char *path, struct duckdb_handle **database, struct duckdb_handle *config,
                    char **why);
    void (*close)(struct duckdb_handle **database);
    int (*connect)(struct duckdb_handle *database, struct duckdb_handle **connection);
    void (*disconnect)(struct duckdb_handle **connection);
    void (*interrupt)(struct duckdb_handle *connection);
    int (*query)(struct duckdb_handle *connection, const char *sql, struct duckdb_result *result);
    int (*prepare)(struct duckdb_handle *connection, const char *sql,
                   struct duckdb_handle **statement);
    const char *(*prepare_error)(struct duckdb_handle *statement);
    void (*destroy_prepare)(struct duckdb_handle **statement);
    int (*bind_varchar_length)(struct duckdb_handle *statement, uint64_t number, const char *text,
                               uint64_t length);
    int (*pending_prepared)(struct duckdb_handle *statement, struct duckdb_handle **pending);
    /* Another name of pending_prepared where the library does not have it: results are then made
     * whole before the first row is read. */
    int (*pending_prepared_streaming)(struct duckdb_handle *statement,
                                      struct duckdb_handle **pending);
    const char *(*pending_error)(struct duckdb_handle *pending);
    int (*execute_pending)(struct duckdb_handle *pending, struct duckdb_result *result);
    void (*destroy_pending)(struct duckdb_handle **pending);
    void (*destroy_result)(struct duckdb_result *result);
    const char *(*result_error)(struct duckdb_result *result);
    uint64_t (*rows_changed)(struct duckdb_result *result);
    uint64_t (*column_count)(struct duckdb_result *result);
    const char *(*column_name)(struct duckdb_result *result, uint64_t column);
    struct duckdb_handle *(*column_logical_type)(struct duckdb_result *result, uint64_t column);
    struct duckdb_handle *(*fetch_chunk)(struct duckdb_result result);
    struct duckdb_handle *(*create_data_chunk)(struct duckdb_handle **types, uint64_t count);
    void (*destroy_data_chunk)(struct duckdb_handle **chunk);
    void (*data_chunk_reset)(struct duckdb_handle *chunk);
    uint64_t (*data_chunk_get_size)(struct duckdb_handle *chunk);
    void (*data_chunk_set_size)(struct duckdb_handle *chunk, uint64_t size);
    struct duckdb_handle *(*data_chunk_get_vector)(struct duckdb_handle *chunk, uint64_t column);
    uint64_t (*vector_size)(void);
    void *(*vector_get_data)(struct duckdb_handle *vector);
    uint64_t *(*vector_get_validity)(struct duckdb_handle *vector);
    void (*vector_ensure_validity_writable)(struct duckdb_handle *vector);
    void (*vector_assign_string_element_len)(struct duckdb_handle *vector, uint64_t at,
                                             const char *bytes, uint64_t length);
    struct duckdb_handle *(*list_vector_get_child)(struct duckdb_handle *vector);
    uint64_t (*list_vector_get_size)(struct duckdb_handle *vector);
    int (*list_vector_set_size)(struct duckdb_handle *vector, uint64_t size);
    int (*list_vector_reserve)(struct duckdb_handle *vector, uint64_t capacity);
    struct duckdb_handle *(*struct_vector_get_child)(struct duckdb_handle *vector, uint64_t child);
    struct duckdb_handle *(*array_vector_get_child)(struct duckdb_handle *vector);
    void (*destroy_logical_type)(struct duckdb_handle **type);
    int (*get_type_id)(struct duckdb_handle *type);
    char *(*logical_type_get_alias)(struct duckdb_handle *type);
    uint8_t (*decimal_width)(struct duckdb_handle *type);
    uint8_t (*decimal_scale)(struct duckdb_handle *type);
    int (*decimal_internal_type)(struct duckdb_handle *type);
    int (*enum_internal_type)(struct duckdb_handle *type);
    uint32_t (*enum_dictionary_size)(struct duckdb_handle *type);
    char *(*enum_dictionary_value)(struct duckdb_handle *type, uint64_t number);
    struct duckdb_handle *(*list_type_child_type)(struct duckdb_handle *type);
    struct duckdb_handle *(*array_type_child_type)(struct duckdb_handle *type);
    uint64_t (*array_type_array_size)(struct duckdb_handle *type);
    struct duckdb_handle *(*map_type_key_type)(struct duckdb_handle *type);
    struct duckdb_handle *(*map_type_value_type)(struct duckdb_handle *type);
    uint64_t (*struct_type_child_count)(struct duckdb_handle *type);
    char *(*struct_type_child_name)(struct duckdb_handle *type, uint64_t child);
    struct duckdb_handle *(*struct_type_child_type)(struct duckdb_handle *type, uint64_t child);
    uint64_t (*union_type_member_count)(struct duckdb_handle *type);
    char *(*union_type_member_name)(struct duckdb_handle *type, uint64_t member);
    struct duckdb_handle *(*union_type_member_type)(struct duckdb_handle *type, uint64_t member);
    int (*appender_create)(struct duckdb_handle *connection, const char *schema, const char *table,
                           struct duckdb_handle **appender);
    uint64_t (*appender_column_count)(struct duckdb_handle *appender);
    struct duckdb_handle *(*appender_column_type)(struct duckdb_handle *appender, uint64_t column);
    int (*appender_add_column)(struct duckdb_handle *appender, const char *name);
    const char *(*appender_error)(struct duckdb_handle *appender);
    int (*append_data_chunk)(struct duckdb_handle *appender, struct duckdb_handle *chunk);
    int (*appender_flush)(struct duckdb_handle *appender);
    int (*appender_destroy)(struct duckdb_handle **appender);
};

/*
 * The library, loaded once for the process and then never again: from `path`, else from what the
 * environment variable TRANSHUME_DUCKDB names, else from where the system's loader finds
 * libduckdb.so. STATUS_FAILED, ERROR_MODULE: it is not there, is too old, or another path was asked
 * for than the one that it was loaded from. Any thread.
 */
enum status duckdb_library_load(const char *path, const struct duckdb_library **library,
                                struct error *error) MUST_USE;

#endif
