/* Tables of a keyspace as system_schema describes them. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_SCHEMA_H
#define TRANSHUME_CONNECTORS_CASSANDRA_SCHEMA_H

#include "connectors/cassandra/cassandra.h"
#include "connectors/cassandra/protocol/cql_type.h"

enum cassandra_part {
    CASSANDRA_PARTITION,
    CASSANDRA_CLUSTERING,
    CASSANDRA_STATIC,
    CASSANDRA_REGULAR
};

struct cassandra_column {
    const char *name;
    const struct cql_type *type;
    const char *type_text; /* as CQL has it */
    enum cassandra_part part;
    bool descending; /* CLUSTERING */
};

struct cassandra_index {
    const char *name;
    const char *target; /* "values(tags)", a column */
    const char *class;  /* of a custom one ("StorageAttachedIndex"); NULL: the server's own */
};

struct cassandra_table {
    const char *name;
    const char *id; /* 36 characters: a table that is made again has another one */
    /* the partition key in its order, the clustering columns in theirs, then the others by name */
    const struct cassandra_column *columns;
    uint32_t column_count;
    uint32_t partition_count;
    uint32_t clustering_count;
    struct column_list key; /* the first partition_count + clustering_count names */
    bool counter;           /* a table of counters */
    bool compact;           /* COMPACT STORAGE, of old */
    const char *view_of;    /* a materialised view of that table; NULL: a table */
    const char *comment;    /* NULL: none */
    int32_t ttl_seconds;    /* default_time_to_live; 0: none */
    const struct cassandra_index *indexes;
    uint32_t index_count;
};

#define CASSANDRA_ROWS_NOT_ASKED INT64_MIN

struct cassandra_schema {
    struct arena *arena;
    const struct cassandra_table
        *tables; /* tables and views, by name, the program's own left out */
    uint32_t table_count;
    _Atomic int64_t *row_estimates; /* one a table: CASSANDRA_ROWS_NOT_ASKED, -1: not known */
};

/* All of the keyspace, anew. In `arena`. */
enum status cassandra_schema_read(struct cassandra *self, struct arena *arena,
                                  struct cassandra_schema *schema, struct error *error) MUST_USE;
/* A statement failed since the node does not know a table. If the catalogue has it, the node is
 * just making or dropping it, perhaps for a process that died: the error is of class RETRY then. */
bool cassandra_is_in_flux(enum cql_failure failure, struct error *error);
/* One table, anew. STATUS_END: it is not there (or the keyspace is not). */
enum status cassandra_table_read(struct cassandra *self, const char *name, struct arena *arena,
                                 const struct cassandra_table **table,
                                 struct error *error) MUST_USE;
/* The source's, read at first use, as it was then; any thread. */
enum status cassandra_schema_get(struct cassandra *self, const struct cassandra_schema **schema,
                                 struct error *error) MUST_USE;
/* A table of it. ERROR_SOURCE_MISSING: it is not there. */
enum status cassandra_schema_find(struct cassandra *self, const char *name,
                                  const struct cassandra_table **table,
                                  struct error *error) MUST_USE;
/* -1: it has no such column. */
int32_t cassandra_column_find(const struct cassandra_table *table, const char *name, size_t length);

/* ---------------------------------------------------------------- fetch.c */

/* Rows by keys: key_count × table->key.count cells. Calls `found` for each row that is there, with
 * its columns' cells in the order of table->columns, which live in `arena`; it must not fetch
 * itself. A value that can't be read is the server's bytes, an ESCAPE. Class REJECT: a key is none
 * that the table can hold. Any thread. Serial: what is under way as a conditional write is settled
 * first. With `times` each row comes with when it was written and how long it lives; else the
 * envelope is NULL.
 */
typedef enum status cassandra_row_found(void *context, const struct cell *cells,
                                        const struct record_envelope *envelope,
                                        struct error *error);
enum status cassandra_fetch(struct cassandra *self, const struct cassandra_table *table,
                            const struct cell *keys, uint32_t key_count, bool serial, bool times,
                            struct arena *arena, cassandra_row_found *found, void *context,
                            struct error *error) MUST_USE;
/* Records in the table now, range by range; with `partitions` also those that a partition of static
 * values without rows is (read_request.partitions). */
enum status cassandra_count(struct cassandra *self, const char *table, bool partitions,
                            uint64_t *count, struct error *error) MUST_USE;

#endif
