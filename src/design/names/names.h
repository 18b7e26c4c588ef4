/*
 * The path by names: each column of a graph as the vector of its name, "table.column", the vectors
 * in clusters, the clusters adjusted by hand, and what can be read from them: suggested tables,
 * foreign keys that may be missing, a picture.
 *
 * It decides nothing: tables and keys of the design are found by the workload.
 */
#ifndef TRANSHUME_DESIGN_NAMES_NAMES_H
#define TRANSHUME_DESIGN_NAMES_NAMES_H

#include "base/name_index.h"
#include "design/cluster/cluster.h"
#include "design/graph/graph.h"
#include "design/layout/layout.h"
#include <stdio.h>

enum {
    NAMES_COLUMNS_MAX = 10000, /* more take too long: minutes for vectors, hours for clusters */
    NAMES_NONE = UINT32_MAX,   /* no such column or cluster */
    NAMES_SEED = 42
};

/* ---------------------------------------------------------------- columns */

struct names_column {
    const char *name; /* "orders.customer_id" */
    uint32_t entity;
    uint32_t field;
};

/* Borrows from the graph; its own memory is the arena's. */
struct names {
    struct arena *arena;
    const struct graph *graph;
    const struct names_column *columns; /* entity by entity */
    uint32_t count;
    const float *vectors; /* EMBED_WIDTH a column */
    struct name_index index;
};

/* Columns and their vectors, by the weights in `weights` (NULL: where embed_find finds them);
 * `*note` is of embed_model_note. Too many columns are ERROR_BAD_VALUE. */
enum status names_read(const struct graph *graph, const char *weights, struct arena *arena,
                       struct names *names, const char **note, struct error *error) MUST_USE;

/* The two directions in which the vectors vary most; one column is at zero. */
enum status names_plane(const struct names *names, struct cluster_plane *plane,
                        struct error *error) MUST_USE;

/* {"table.column": [384 numbers], …} */
void names_append_vectors(const struct names *names, struct buffer *out);

/* ---------------------------------------------------------------- clusters */

enum names_algorithm { NAMES_KMEANS, NAMES_DBSCAN, NAMES_AGGLOMERATIVE };

struct names_options {
    enum names_algorithm algorithm;
    bool choose;       /* how many by their silhouette */
    uint32_t clusters; /* else so many; 0: as many as there are tables */
};

struct names_clusters {
    struct arena *arena;
    const struct names *names;
    uint32_t *of;      /* by column: its cluster; NAMES_NONE: it is in none */
    const char **list; /* their names; none is empty of columns */
    uint32_t count;
};

/* A cluster has the name of the table that most of its columns are of. */
enum status names_group(const struct names *names, const struct names_options *options,
                        struct names_clusters *clusters, struct error *error) MUST_USE;

void names_clusters_copy(const struct names_clusters *clusters, struct names_clusters *out);
uint32_t names_cluster_size(const struct names_clusters *clusters, uint32_t cluster);
/* The table that most of its columns are of. */
uint32_t names_main_entity(const struct names_clusters *clusters, uint32_t cluster);
/* `name`, with a number behind it if a cluster has that name. */
const char *names_unique(const struct names_clusters *clusters, const char *name);
/* The mean of its columns' vectors, EMBED_WIDTH values. */
void names_center(const struct names_clusters *clusters, uint32_t cluster, float *center);

/* ---------------------------------------------------------------- by hand */

enum names_verb { NAMES_MOVE, NAMES_MERGE, NAMES_SPLIT, NAMES_RENAME };

/*
 * One change; `text` is "table.column=CLUSTER", "A,B,C" (into A), "CLUSTER", "CLUSTER=NAME". A
 * cluster is named, whatever its case, or numbered from 1 on. Failed, nothing is changed:
 * ERROR_BAD_VALUE says why.
 */
enum status names_adjust(struct names_clusters *clusters, enum names_verb verb, const char *text,
                         struct error *error) MUST_USE;

/* clusters.yaml, which names_read_file reads. */
void names_append_file(const struct names_clusters *clusters, struct buffer *out);

/*
 * Clusters as a file has them. Columns that are gone, twice there, or new are told in `notes`, a
 * line each; new ones join the cluster that is nearest. STATUS_END: the file is of another schema,
 * none of its columns is here. `path` is for messages.
 */
enum status names_read_file(const struct names *names, const char *text, size_t length,
                            const char *path, struct names_clusters *clusters, struct buffer *notes,
                            struct error *error) MUST_USE;

/* For a terminal: clusters with their columns. */
void names_append_list(const struct names_clusters *clusters, struct buffer *out);

/*
 * Changes by commands, a line each, from `in`; `help` lists them. `write` keeps the changes in the
 * file `path`; what is not written when it ends is dropped, and told. With `asks` it writes a
 * prompt. STATUS_FAILED: interrupted, or the file could not be written.
 */
enum status names_prompt(struct names_clusters *clusters, const char *path, FILE *in, FILE *out,
                         bool asks, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- what follows */

/* Foreign keys that no rule of names finds, by the similarity of names: GRAPH_SIMILAR, with a
 * confidence of 0.5 at most. */
struct names_relations {
    const struct graph_relation *list;
    uint32_t count;
};
void names_propose_relations(const struct names *names, struct names_relations *relations);

/* embedding_suggested_tables.json: a table a cluster, with keys as the graph has them. */
void names_append_tables(const struct names_clusters *clusters,
                         const struct names_relations *relations, enum layout_naming naming,
                         struct buffer *out);

/* A scatter of all columns as a PNG of 150 DPI; `*unlabelled` columns had no room for their
 * names. */
enum status names_draw(const struct names_clusters *clusters, const struct cluster_plane *plane,
                       struct buffer *png, uint32_t *unlabelled, struct error *error) MUST_USE;

#endif
