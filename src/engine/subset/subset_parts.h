/* The inside of a subset: which tables are chosen from, and how their keys are read; subset.h. */
#ifndef TRANSHUME_ENGINE_SUBSET_PARTS_H
#define TRANSHUME_ENGINE_SUBSET_PARTS_H

#include "base/arena.h"
#include "base/buffer.h"
#include "engine/spill/spill_file.h"
#include "engine/subset/subset.h"
#include <xxhash.h>

/*
 * In the SQLite file, of node number n:
 *
 *   t<n>(h BLOB,               hash of the key, or of all that is read of a row
 *        f0 BLOB, …            a reference each: the hash that its partner has, NULL: it has none
 *        u0 BLOB …)            an alternative key each, which references name
 *   i<n>                       an index of all of it by h: sorted once, and read instead of it
 *   c<n>(h)                    the chosen ones
 *   w<n>(h), x<n>(h)           of these, whose partners are looked for now and next
 */
struct subset_reference {
    uint32_t node;              /* of the partner */
    int32_t alternative;        /* of that node: the alternative key that it names; -1: its key */
    struct column_list columns; /* of this table, in the order of the partner's */
    const uint32_t *positions;  /* of these among the cells that are read */
};
struct subset_alternative {
    struct column_list columns;
    const uint32_t *positions;
};

/* A table with a key, or a stream without one. */
struct subset_node {
    const char *name;
    const struct schema_table *table; /* NULL: a query, or not described */
    const struct read_request *whole; /* of a stream without a key: what its rows are hashed by */
    struct column_list key;
    const uint32_t *key_positions; /* among the cells that are read */
    struct read_request request;   /* what is read to choose */
    struct subset_reference *references;
    uint32_t reference_count;
    struct subset_alternative *alternatives;
    uint32_t alternative_count;
    bool chosen_from; /* while they are chosen from in turn */
    struct subset_count count;
    struct spill_mapping hashes; /* the chosen ones, ascending */
};

struct subset_stream {
    uint32_t node;
    const uint32_t *key_positions; /* of the node's key among the request's cells; NULL: all */
};

struct subset {
    struct arena *arena;
    struct subset_options options;
    struct subset_node *nodes;
    uint32_t node_count;
    struct subset_stream *streams; /* a stream of the plan each */
    bool prepared;
};

/* subset_plan.c: nodes, references and what is read. */
void subset_plan(struct subset *subset);

/* The hash of such cells. `is_null` NULL: nulls are values, too (SQLite lets them into keys); else
 * it says that one of the cells equals nothing, and there is no hash. */
enum status subset_hash(const struct subset *subset, const struct cell *row,
                        const uint32_t *positions, uint32_t count, struct buffer *scratch,
                        uint8_t *hash, bool *is_null, struct error *error) MUST_USE;
/* The hash of all cells of a row. */
enum status subset_hash_whole(const struct subset *subset, const struct cell *row, uint32_t count,
                              struct buffer *scratch, uint8_t *hash, struct error *error) MUST_USE;

/* subset_read.c: the keys of a node's rows into its table. */
enum status subset_read(struct subset *subset, struct subset_node *node, uint32_t number,
                        struct reader *reader, const struct spill_file *file,
                        void (*progress)(const char *what), struct error *error) MUST_USE;
/* subset_choose.c: fills all c<n>, and the counts. */
enum status subset_choose(struct subset *subset, const struct spill_file *file,
                          struct error *error) MUST_USE;

#endif
