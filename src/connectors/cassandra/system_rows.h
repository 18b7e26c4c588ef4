/* Rows of the server's own tables (system_schema, system), and the few types that they have. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_SYSTEM_ROWS_H
#define TRANSHUME_CONNECTORS_CASSANDRA_SYSTEM_ROWS_H

#include "connectors/cassandra/cassandra.h"

struct system_rows {
    struct cql_rows rows;
};

/* The keyspace's rows of `select`, which ends with "WHERE keyspace_name = ?"; with `column` and
 * `value` (NULL: all) only those where they are equal. Each has `field_count` values, in `arena`.
 */
enum status system_rows_read(struct cassandra *self, const char *select, const char *column,
                             const char *value, size_t field_count, struct arena *arena,
                             struct system_rows *rows, struct error *error) MUST_USE;
/* False: no more. */
bool system_rows_next(struct system_rows *rows, struct cql_value *fields) MUST_USE;
/* Whether all rows could be read. */
enum status system_rows_end(const struct system_rows *rows, struct error *error) MUST_USE;

/* Borrowed; `data` NULL: null. */
struct text system_text(struct cql_value value);
/* tinyint to bigint; 0: null. */
int64_t system_number(struct cql_value value);
/* The texts of a list<text> or set<text>, in the arena. */
struct text *system_list(struct cql_value value, struct arena *arena, size_t *count);
bool system_list_holds(struct cql_value list, const char *text);
/* The text under a key of a map<text, text>; `data` NULL: it has no such key. */
struct text system_map_find(struct cql_value map, const char *key);

#endif
