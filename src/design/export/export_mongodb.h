/*
 * A design for MongoDB: which rows are documents of their own, and which stand in the document that
 * they belong to. A child is embedded where
 *
 *   - each of its rows belongs to one parent, by a foreign key that is never null and that the
 *     source enforces or all rows keep, and nothing but what is embedded in it refers to it;
 *   - the longest list stays below 200 rows and 1 MB (of MongoDB's 16 MB), and is not read as a
 * time line, which grows for as long as its parent lives;
 *   - it is read with its parent at least as often as without, and by at least half of the
 *     look-ups of its parent.
 *
 * Of a table that only joins two others (many-to-many) the side with the shorter lists holds the
 * keys of the other, if no list is longer than 2,000. All else is a reference; where queries would
 * have to join over it, fields of the parent that no statement changes are copied (an extended
 * reference).
 */
#ifndef TRANSHUME_DESIGN_EXPORT_EXPORT_MONGODB_H
#define TRANSHUME_DESIGN_EXPORT_EXPORT_MONGODB_H

#include "design/workload/search.h"

#define EXPORT_EMBED_BYTES_MAX 1048576.0
enum {
    EXPORT_EMBED_ROWS_MAX = 200,
    EXPORT_KEYS_ROWS_MAX = 2000,
    EXPORT_MONGO_INDEXES_MAX = 63 /* MongoDB's 64 without that of _id */
};

enum export_joining {
    EXPORT_EMBED,         /* rows stand in their parent's document */
    EXPORT_KEY_LIST,      /* the parent's document holds the keys of the other side */
    EXPORT_REFERENCE,     /* the child holds the parent's key */
    EXPORT_REFERENCE_COPY /* and fields of the parent */
};

/* The way in which a relation is exported, and why. */
struct export_decision {
    uint32_t relation;
    enum export_joining joining;
    const char *reason;
    bool distrusted;  /* it would be embedded, or a list of keys, were each row's parent there */
    double together;  /* weight of reads of the child by way of this parent */
    double alone;     /* of all others of the child */
    double of_parent; /* share of the parent's look-ups that want the child */
    double rows_max;  /* of the longest list */
    double bytes_max;
};

struct export_mongo_index {
    const char *name;
    const char *const *fields; /* "Lines.TrackId" */
    const bool *descending;
    uint32_t count;
    bool unique;
};

/* An entity as a document, or as a list in one. */
struct export_document {
    uint32_t entity;
    uint32_t relation;         /* by which it is embedded; GRAPH_NONE: a collection of its own */
    const char *name;          /* of the collection, or of the list */
    const char *const *fields; /* names by the entity's fields: "_id", or their own if that is free;
                                  NULL: the parent's document has it */
    struct place_set copied;   /* fields of others, as places of the entity */
    const char *const *copies; /* their names */
    bool keys_alone;           /* EXPORT_KEY_LIST */
    const char *id;            /* collections: the field that becomes _id; NULL: a key of several */
    const struct export_mongo_index *indexes; /* collections */
    uint32_t index_count;
    uint32_t unindexed; /* queries that came after the last index that a collection can have */
    double bytes;       /* mean, with what is embedded */
};

struct export_mongodb {
    struct arena *arena;
    struct places *places;
    const struct export_document *documents; /* by entity */
    const struct export_decision *decisions; /* by relation */
};

/* "embed", "reference with copied fields" … */
const char *export_joining_name(enum export_joining joining);

/* `search` has the queries of the workload; which model it is of does not matter. */
void export_mongodb_make(const struct search *search, struct arena *arena,
                         struct export_mongodb *design);

/* {"collections": […], "decisions": […]}: each collection with its $jsonSchema and its indexes. */
void export_mongodb_append_collections(const struct export_mongodb *design, struct buffer *out);
/* The plan that fills them. `target` NULL: to be filled in. */
void export_mongodb_append_plan(const struct export_mongodb *design, const char *source,
                                const char *target, struct buffer *out);
/* A query as find(), and the collections that it needs besides. Returns the requests. */
uint32_t export_mongodb_append_find(const struct export_mongodb *design, const struct query *query,
                                    struct buffer *out);
void export_mongodb_append_summary(const struct export_mongodb *design, struct buffer *out);

#endif
