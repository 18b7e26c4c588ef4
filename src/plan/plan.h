/* The resolved plan: what the engine executes. Made from the plan file and both databases'
 * schemas. */
#ifndef TRANSHUME_PLAN_PLAN_H
#define TRANSHUME_PLAN_PLAN_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "connectors/contract/connector.h"
#include "model/batch.h"
#include "model/mask.h"
#include "plan/text/document.h"

struct plan_answers; /* plan/resolve/answers.h */
struct plan_hook;    /* plan/hooks.h */
struct mapping;      /* one entity's program: plan/map/mapper.c runs it */

/*
 * Child rows of a stream's roots. Where the source joins they come ordered with the roots, and the
 * first columns are the root key (`root_key_count` cells, equal to the parent's); then what the
 * mapping needs. Where it can't, the engine finds them for each root row (engine/join/joining.h),
 * without a key. Children for lists within items stand behind those for the outer lists.
 */
/* A column whose values are masked before anything is made of its rows. */
struct plan_mask {
    uint32_t column; /* of the rows, as the mapper is given them */
    const struct mask *mask;
    const char *text;                   /* as the plan says it */
    const struct plan_shuffle *shuffle; /* of MASK_SHUFFLE; these come first */
    const uint32_t *key;                /* with it: where the cells of its table's key are */
};

enum { PLAN_SHUFFLE_KEY_MAX = 32 };
/* A column whose values change places among the rows of its table. Who runs the plan sets `take`
 * before rows are mapped: the value of the row with that key. Any thread. */
struct plan_shuffle {
    const struct schema_table *table;
    const char *column;
    struct column_list key; /* of the table: that tells its rows apart */
    const struct mask *mask;
    void *context;
    enum status (*take)(void *context, const struct cell *key, struct arena *arena,
                        struct cell *value, struct error *error);
};

struct plan_child {
    struct read_request request;
    uint32_t root_key_count;
    const struct plan_mask *masks;
    uint32_t mask_count;
    bool aggregate_only; /* consumed before lists are built */
    const char *path;    /* "InvoiceLine", "Album.Track": for messages */
};

/* Only what changed since the last run is read: records whose column is at or behind the highest
 * value that it had then, less the overlap. */
struct plan_since {
    const char *column; /* of the root */
    bool nullable;
    int64_t overlap; /* in the column's own unit, or milliseconds; 0: none */
    bool overlap_is_time;
    bool deletes;       /* what the source has no more is looked for by a comparison */
    const char *entity; /* the first that the stream feeds, and its table: its watermark's name */
    const char *table;
};

struct plan_stream {
    uint32_t number;
    const char *name;            /* of the root: the table, or the entity for a query */
    struct read_request request; /* columns of the mappings, then others of the key */
    /*
     * NULL: rows go to the mapper as `request` brings them. Else the source can't join, and the
     * engine looks up what these joins name: each row of `request` becomes one of these columns. A
     * column of the root with the name "" is the document itself.
     */
    const struct read_request *joined;
    /* where the key's cells are within the columns: they name a record in rejects and join children
     * to it; NULL for documents */
    const uint32_t *key_columns;
    const char *const *key_names;
    uint32_t key_count; /* 0: the stream has no key */
    struct plan_child *children;
    uint32_t child_count;
    const uint32_t *entities; /* numbers of the entities it feeds, ascending */
    uint32_t entity_count;
    bool identity; /* one entity takes every column as it is: batches pass untouched */
    bool express;  /* identity, same engine, whole table: the target may pull */
    const struct plan_mask *masks;
    uint32_t mask_count;
    const struct plan_since *since; /* NULL: all of it is read */
    bool deletes;    /* after the load, what the source has no more is looked for by a comparison */
    bool masks_rows; /* these, or its children's: records are not as the source has them */
};

/* Is a part of what its records are named by masked? */
static inline bool plan_stream_masks_key(const struct plan_stream *stream)
{
    bool masks = false;
    for (uint32_t i = 0; i < stream->mask_count; i++) {
        for (uint32_t k = 0; k < stream->key_count; k++) {
            masks = masks || stream->masks[i].column == stream->key_columns[k];
        }
    }
    return masks;
}

struct plan_entity {
    uint32_t number; /* order in the plan: the lower one wins a duplicate key */
    const char *name;
    uint32_t table;
    uint32_t stream;
    const struct shape *shape; /* of the records made; without fields: documents */
    const struct mapping *mapping;
    bool is_pages;
    const char *from_text; /* "Track", "query": for check and the report */
};
/* The shape of its batches: NULL for documents. */
static inline const struct shape *plan_entity_batch_shape(const struct plan_entity *entity)
{
    return entity->shape->field_count > 0 ? entity->shape : NULL;
}

struct plan_table {
    struct target_table target;
    const uint32_t *entities;
    uint32_t entity_count;
    bool incremental;        /* fed by streams with `since`, and upserted for that reason */
    bool keys_proven;        /* no two records made can share a key */
    const char *keys_reason; /* how it was proved, or why not */
    bool keys_spelled;   /* none can but for texts that the target takes for equal: target.apart */
    bool rows_apart;     /* no two that are made of different rows can */
    bool statics_proven; /* no two records made can contradict each other in a static column */
    const char *statics_reason;   /* why not; NULL: it is proven */
    struct column_list partition; /* the key's columns that tell its partition */
    struct column_list statics;   /* its static columns */
};

/* A table whose records get new keys: the old ones and `by`. */
struct plan_renumber {
    const char *table;
    const char *column;
    uint32_t stream;
    uint32_t value; /* the key, among the columns of the stream's request */
    int64_t by;     /* set by who runs the plan */
    bool known;     /* `by` is set */
};

/* Something worth saying before a run: a widened mapping, a column not carried, a trigger left
 * behind. */
struct plan_note {
    enum { PLAN_NOTE_INFO, PLAN_NOTE_WARNING } level;
    const char *object;
    const char *text;
    const char *left; /* what is not carried: "view", "check"; NULL: nothing is */
    uint32_t count;   /* how many of it */
};

struct plan {
    struct arena *arena;
    const struct plan_document *document; /* NULL for a plain copy without a plan */
    struct plan_table *tables;
    uint32_t table_count;
    const struct plan_entity *entities;
    uint32_t entity_count;
    struct plan_stream *streams;
    uint32_t stream_count;
    const struct plan_note *notes;
    uint32_t note_count;
    struct plan_renumber *renumbers;
    uint32_t renumber_count;
    const struct schema *source_schema; /* borrowed */
    const struct time_zone *time_zone; /* of times that name none; NULL: they have none; borrowed */
    bool masks_values;                 /* some of the source's are not to be seen anywhere */
    bool plain;                        /* a copy of tables: it reads no view and no query */
    struct plan_shuffle *const *shuffles;
    uint32_t shuffle_count;
    const struct plan_hook *hooks; /* in the order in which those of one moment run */
    uint32_t hook_count;
    /* with views, triggers …; NULL unless it is a plain same-engine copy */
    const struct schema *same_engine_objects;
    /* The resolved mapping as canonical text: two plans that make the same records from the same
     * schema have the same one; tuning, comments and passwords are not in it. */
    const char *mapping_text;
    char mapping_hash[33];
};

struct plan_settings {
    const char *const *include; /* patterns over source tables; count 0: all */
    uint32_t include_count;
    const char *const *exclude;
    uint32_t exclude_count;
    const char *const *renumber; /* names of target tables whose records get new keys */
    uint32_t renumber_count;
    struct column_list schemas;        /* of the source, as they were chosen, or none */
    const struct schema *there;        /* tables that are in the target, or NULL; borrowed */
    int existing;                      /* enum existing_policy that overrides the plan, or -1 */
    const struct time_zone *time_zone; /* of times that name none, where one is needed, or NULL */
    const char *names;             /* "keep", "lower", "snake" in place of the plan's, or NULL */
    bool no_code;                  /* no object that is code is carried */
    const char *since;             /* the column of the plan's `since`, in its place, or NULL */
    const struct plan_note *notes; /* come first among the plan's */
    uint32_t note_count;
    struct column_list gone; /* tables of the schema that the source has no more: it is not asked */
    bool
        carries_rights; /* a plain copy between two databases of a kind carries owners and grants */
    bool follows; /* changes will be applied: a table without a primary key takes another of its
                     keys */
    /* Answers that the databases gave before; further ones are added. NULL: nothing is kept. Its
     * arena outlives the plan. */
    struct plan_answers *answers;
};

/*
 * Resolves a document (NULL: a plain copy of every table) against the open databases. All faults
 * are found, not only the first: `faults` gets one line each "FILE:LINE:COLUMN: what, expected,
 * nearest name"; `error` the first of them and their number.
 */
enum status plan_resolve(const struct plan_document *document, struct database *source,
                         const struct schema *source_schema, struct database *target,
                         const struct plan_settings *settings, struct plan **plan,
                         struct buffer *faults, struct error *error) MUST_USE;
void plan_destroy(struct plan *plan);

/* A commented plan proposed from the source's schema and the target's nature (`transhume init`). */
enum status plan_propose(const char *source_uri, struct database *source,
                         const struct schema *schema, const char *target_uri,
                         struct database *target, const struct plan_settings *settings,
                         struct buffer *yaml, struct error *error) MUST_USE;

#endif
