/* Redis as a source: what its files share. */
#ifndef TRANSHUME_CONNECTORS_REDIS_SOURCE_H
#define TRANSHUME_CONNECTORS_REDIS_SOURCE_H

#include "connectors/redis/redis.h"

#define REDIS_KEY_COLUMN "_key" /* of tables that the database notes nothing of */

/* ---------------------------------------------------------------- catalog.c */

/* The type of the values of a table's keys. */
enum redis_type {
    REDIS_TYPE_HASH,
    REDIS_TYPE_JSON, /* a string that is noted as a JSON object */
    REDIS_TYPE_STRING,
    REDIS_TYPE_LIST,
    REDIS_TYPE_SET,
    REDIS_TYPE_SORTED_SET,
    REDIS_TYPE_STREAM,
    REDIS_TYPE_OTHER /* a module's */
};

struct redis_table {
    const char *name;
    const char *prefix; /* of its keys; "": those that name no table */
    enum redis_type type;
    bool noted;  /* by REDIS_NOTES: its records have their keys in them */
    bool shared; /* keys of other types have the same prefix */
    struct column_list key;
    const struct redis_columns *columns; /* of noted ones */
    const char *const *indexes;  /* keys that begin so, up to NULL, are indexes of noted ones */
    struct redis_key_list *keys; /* with redis_database.mutex; NULL: not listed yet */
};

struct redis_source {
    struct arena *arena;
    const char **indexes;       /* "idx:TABLE:" of noted tables that have any, up to NULL */
    struct redis_table *tables; /* by name */
    uint32_t table_count;
};

/* Looks for the tables at the first call. Any thread. */
enum status redis_source_get(struct redis_database *self, struct redis_source **source,
                             struct error *error) MUST_USE;
enum status redis_source_find(struct redis_database *self, const char *name,
                              struct redis_table **table, struct error *error) MUST_USE;
/* "hash", as TYPE and SCAN say it. */
const char *redis_type_name(enum redis_type type);

/* How many bytes before the separator name a key's table. 0: there is no separator, nothing is
 * before it, or these bytes are no text that a name could be (serialized objects). */
size_t redis_name_length(const struct redis_database *self, const char *key, size_t length);
/* Does the key begin with one of them? */
bool redis_is_index(const char *const *indexes, const char *key, size_t length);

/* ---------------------------------------------------------------- key_list.c */

/* The keys of a table, sorted, in a file that has no name. Made once; then any thread. */
struct redis_key_list;
enum status redis_key_list_get(struct redis_database *self, struct redis_table *table,
                               struct redis_key_list **list, struct error *error) MUST_USE;
void redis_key_list_destroy(struct redis_key_list *list); /* NULL is fine */
uint64_t redis_key_list_count(const struct redis_key_list *list);
/* The next key from that position on that is kept in memory: which it is, `*position` says. False:
 * there is none. */
bool redis_key_list_near(const struct redis_key_list *list, uint64_t *position, struct text *key);

/* Keys from `low` on (NULL: from the first) and before `high` (NULL: to the last). */
struct redis_key_walk;
struct redis_key_walk *redis_key_walk_create(const struct redis_key_list *list,
                                             const struct text *low, const struct text *high);
void redis_key_walk_destroy(struct redis_key_walk *walk); /* NULL is fine */
/* Valid until the next call. STATUS_END: there was the last. */
enum status redis_key_walk_next(struct redis_key_walk *walk, struct text *key,
                                struct error *error) MUST_USE;

/* ---------------------------------------------------------------- cursor.c */

struct reader {
    struct redis_database *database;
};

/* As struct source_functions has them. */
enum status redis_cursor_open(struct reader *reader, const struct read_request *request,
                              const struct span *span, struct cursor **cursor, struct error *error);
enum status redis_cursor_next(struct cursor *cursor, uint32_t rows_max, size_t bytes_max,
                              struct batch **batch, struct error *error);
void redis_cursor_close(struct cursor *cursor);

/* A span's bounds: uint32 length of the low key + 1 (0: open), its bytes; the high one likewise. */
void redis_span_write(const struct text *low, const struct text *high, struct buffer *out);
bool redis_span_read(const struct span *span, struct text *low, bool *has_low, struct text *high,
                     bool *has_high);

/* ---------------------------------------------------------------- foreign.c */

/* The value of a key as its record's field "value". STATUS_END: it is not there. */
enum status redis_foreign_read(const struct resp_value *reply, enum redis_type type,
                               struct arena *arena, struct cell *value,
                               struct error *error) MUST_USE;
/* The command that reads it. */
void redis_foreign_command(enum redis_type type, struct text key, struct buffer *out);

#endif
