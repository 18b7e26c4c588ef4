/* Keys of tables as bytes of the protocol, and their tokens. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_KEY_H
#define TRANSHUME_CONNECTORS_CASSANDRA_KEY_H

#include "connectors/cassandra/schema.h"

enum { CASSANDRA_KEY_BYTES_MAX = 65535 /* of each column */ };

/* The token of a partition by its key's values, none of them null. */
int64_t cassandra_key_token(const struct cql_value *parts, uint32_t part_count);

/*
 * Appends the [value]s of a whole key (table->key.count cells), as a WHERE with all of its columns
 * takes them; `*token` (may be NULL) is its partition's. Class REJECT: no row can have the key
 * (null, empty where it must not be, too long, of another type); `values` is as it was then.
 */
enum status cassandra_key_encode(const struct cassandra_table *table, const struct cell *key,
                                 struct buffer *values, int64_t *token,
                                 struct error *error) MUST_USE;

/* The same of one column of the key; `cell` NULL: null. What was appended stays if it fails. */
enum status cassandra_key_encode_part(const struct cassandra_table *table, uint32_t column,
                                      const struct cell *cell, struct buffer *values,
                                      struct error *error) MUST_USE;

/* Appends "a" = ? AND "b" = ? of all columns of the key. */
void cassandra_key_append_where(const struct cassandra_table *table, struct buffer *text);
/* Appends token("a", "b"). */
void cassandra_key_append_token(const struct cassandra_table *table, struct buffer *text);

#endif
