/* The inside of the mapper: states that live from parent to parent, and who makes what. */
#ifndef TRANSHUME_PLAN_MAP_MAPPER_INTERNAL_H
#define TRANSHUME_PLAN_MAP_MAPPER_INTERNAL_H

#include "base/buffer.h"
#include "base/hash_set.h"
#include "model/canonical.h"
#include "model/decimal.h"
#include "plan/map/mapper.h"
#include "plan/mapping.h"
#include "plan/words/expression.h"
#include "plan/words/scalar.h"

/* One aggregate over the child rows of the parent at hand. */
struct aggregate_state {
    uint64_t count;
    struct decimal_sum sum;
    struct cell extreme; /* of min and max, its text in `text` */
    struct buffer text;
    struct canonical_hash *seen; /* of count(distinct): sorted up to seen_sorted */
    uint32_t seen_count;
    uint32_t seen_capacity;
    bool failed; /* `fault` says why: the records that use it are rejected */
    struct error fault;
    struct cell result; /* while `known` */
    bool known;
};

enum list_phase { LIST_UNDECIDED, LIST_BUILDING, LIST_LEFT_OUT, LIST_TOO_LARGE };

/* A list's items by their keys. Items that nothing tells apart (equal rows of a table without a
 * key) are twins: the first of them is found, the others follow it in a circle. */
struct item_index {
    struct canonical_hash *keys; /* of each item */
    uint32_t *twins;             /* of each item: the next one with its key */
    bool has_twins;
    uint32_t *slots;     /* open addressing: an item's number + 1; 0: free */
    uint32_t slot_count; /* in use for these items: a power of two; 0: not made yet */
    uint32_t slot_capacity;
    struct cell *key; /* room for one */
};

/*
 * Items made of a child's rows for one consumer: a field that embeds them or an entity of pages.
 * The rows of a list within items come after those of the outer one. Its items, of all the outer
 * list's items together, are handed out to these when the record is made.
 */
struct list_state {
    const struct mapping_list *list;
    uint32_t number;                   /* of the list in the stream's mapping */
    struct entity_state *entity;       /* whose batch's arena holds the items */
    const struct mapping_field *field; /* that embeds it; NULL: pages */
    struct list_state *outer;          /* whose items hold it; NULL: the record does */
    struct list_state *inner;          /* those of its items, in order of its fields */
    uint32_t inner_count;
    struct item_index index; /* if inner_count > 0 */
    struct cell **places;    /* of each item of `outer`: its list's cell; NULL: it is left out */
    uint32_t *owners;        /* of each item: that of `outer` which holds it, or its first twin */
    enum list_phase phase;   /* of a list of the record */
    struct cell *items;
    uint32_t count;
    uint32_t capacity;
    uint64_t bytes;      /* of a list of the record: with all that its items hold */
    bool page_too_large; /* the page at hand will be rejected: its items only count */
    bool failed;         /* `fault`: an item could not be made, its record is rejected */
    struct error fault;
};

struct entity_state {
    const struct plan_entity *entity;
    const struct mapping *mapping;
    struct batch *out; /* NULL: nothing pending */
    struct mapper_counts *counts;
    /* one a field that embeds, in order of the fields, or the pages' one; then those within items,
     * outer ones first */
    struct list_state *lists;
    uint32_t list_count;
    int64_t page; /* number of the last page made for the parent */
    bool stopped; /* pages: the record was refused or filtered, no more of this parent */
    bool fits;    /* the document at hand is the entity's */
    struct hash_set distinct; /* records made in the chunk, as many as there is room for */
};

struct mapper {
    const struct plan *plan;
    const struct plan_stream *stream;
    const struct stream_mapping *shared;
    uint64_t record_bytes_max;
    struct expression_sandbox *sandbox;
    struct expression_statement **statements; /* of shared->expressions, prepared when first used */
    struct cell *expression_values;
    struct entity_state *entities;
    uint32_t entity_count;
    struct aggregate_state *aggregates;
    struct mapper_counts *counts;
    struct batch **taken;       /* handed over by the last take */
    struct cell *slots;         /* the row made of a document */
    struct cell *element_slots; /* the row made of a list's element */
    struct mapper_reject *rejects;
    uint32_t reject_count;
    uint32_t reject_capacity;
    struct arena *reject_arena;
    struct batch *reject_keeper; /* a batch without records, for the large values of rejects */
    struct arena *scratch;       /* reset a record */
    struct arena *mask_arena;    /* of the parent's and the child's masked cells; NULL: no masks */
    struct cell *masked_parent;
    struct cell *masked_child;
    struct buffer text;
    struct buffer bytes;
    const struct cell *parent;              /* between begin and end */
    const struct cell *document;            /* that `parent` was made of; NULL: columns */
    const struct record_envelope *envelope; /* of the parent; NULL: none */
    int64_t newest_write_us;                /* of the children's rows so far; 0: not known */
    bool inside;
};

/* Where values come from and go to while one record or item is made. */
struct making {
    struct mapper *mapper;
    const struct cell *row;                 /* the parent's or child's cells */
    const struct cell *parent;              /* for records: the same as row */
    const struct record_envelope *envelope; /* the source's own; NULL: none */
    struct entity_state *entity;
    struct arena *arena; /* of what is made */
    bool borrow;         /* texts of `row` live as long as the arena */
    int64_t page;
    const struct cell *list;          /* of the page */
    const struct cell *document;      /* whose fields "*" means */
    const struct cell *element;       /* of an unnested list; NULL: none */
    const struct cell *const *levels; /* the maps passed on the way to it, by step */
    int64_t ordinal;                  /* its number, 0: none */
    uint64_t bytes;                   /* made so far */
    /* why the record is rejected, found before it is made: made all the same, for the reject */
    const struct error *fault;
    const struct mapping_field *refusing; /* the field that can't be made; NULL: none */
    struct cell refused;                  /* the value that its type does not take */
};

/* The source's envelope goes to the record that was appended last; one that was put together from
 * several rows gets the newest write time. */
void mapper_carry_envelope(struct mapper *mapper, struct entity_state *entity,
                           const struct record_envelope *from);

/* The mark in a reject for a value that can't be made or kept, so that it is not loaded again
 * without it. */
void mapper_omit(struct making *making, const char *field, const char *why, struct cell *cell);
/* The same with the value that the field does not take: a LIST of both, marked alike. */
void mapper_omit_value(struct making *making, const char *field, const char *why,
                       const struct cell *value, struct cell *cell);

/* mapper_value.c */
/* The value that a reference means; borrowed or in the mapper's scratch. */
enum status mapper_reference(struct making *making, struct value_reference reference,
                             struct cell *cell, struct error *error) MUST_USE;
enum status mapper_template(struct making *making, const struct plan_template *template,
                            struct cell *cell, struct error *error) MUST_USE;
/* The expression as a condition; MAPPING_NONE is true. */
enum status mapper_test(struct making *making, uint32_t expression, bool *result,
                        struct error *error) MUST_USE;
/* One field's value, ready to stay. A list that is embedded comes from `list`, which gets the lists
 * within its items. After a reject-class
 * failure the cell is what there is of it: MISSING, or a list with what could be made. */
enum status mapper_field(struct making *making, const struct mapping_field *field,
                         struct list_state *list, struct cell *cell, struct error *error) MUST_USE;
/* A copy that lives in the arena; large values are read in, up to the record's limit. */
enum status mapper_keep(struct making *making, const struct cell *from, struct cell *to,
                        struct error *error) MUST_USE;

/* mapper_document.c */
/* Makes a record of each element of a list of the entity's `unnest`. `first` is what its path
 * begins with: a field or a column, NULL if it is not there; `record` is kept where it is no list.
 */
enum status mapper_unnest(struct making *making, const struct cell *first,
                          const struct cell *record, struct error *error) MUST_USE;
/* The work of `mapper_unnest`, for the parent at hand. */
enum status mapper_unnest_parent(struct making *making, struct error *error) MUST_USE;
/* Makes the row of a document and finds the entities that it fits. `*fits` false: none, and it has
 * been told; or it can't be read, and is rejected. */
enum status mapper_place_document(struct mapper *mapper, const struct cell *row,
                                  const struct record_envelope *envelope, bool *fits,
                                  struct error *error) MUST_USE;
/* Is the parent at hand a record of the entity, or of the one whose list its pages are? */
static inline bool mapper_is_wanted(const struct mapper *mapper, const struct entity_state *entity)
{
    return mapper->document == NULL || entity->fits;
}
/* Maps one record of a source of documents for each entity that it fits. */
enum status mapper_map_document(struct mapper *mapper, const struct batch *batch, uint32_t number,
                                struct error *error) MUST_USE;
/* A record that the source could not make sense of, once for each entity that it might have fed: of
 * entities that say which records are theirs, once for all of them. */
enum status mapper_refuse_unreadable(struct mapper *mapper, const struct record_envelope *envelope,
                                     const struct error *reason, const struct cell *raw,
                                     struct error *error) MUST_USE;
/* A value of a template read backwards; borrowed from its text or in the mapper's scratch. */
enum status mapper_part(struct making *making, const struct mapping_part *part, struct cell *cell,
                        struct error *error) MUST_USE;
/* A field of a map passed on the way to the list, NULL if it is not there. */
const struct cell *mapper_level(const struct making *making, uint32_t index);

/* mapper_distinct.c */
/* Was the same record made in this chunk before? Notes it. */
enum status mapper_distinct_seen(struct mapper *mapper, struct entity_state *entity,
                                 const struct cell *cells, bool *seen,
                                 struct error *error) MUST_USE;

/* mapper_record.c */
/* Makes one record of the entity and puts it into its batch, or into the rejects; counts it. */
enum status mapper_record(struct making *making, struct error *error) MUST_USE;
/* True if where and when let the row through; a failing expression rejects the record (without
 * lists, which are not there yet) and gives false. */
enum status mapper_admits(struct making *making, bool *admitted, struct error *error) MUST_USE;
/* Notes a record that could not be made; `cells` are those of its row (NULL: nothing is known). */
void mapper_refuse(struct making *making, const struct error *reason, const struct cell *cells);
void mapper_open_batch(struct mapper *mapper, struct entity_state *entity);

/* mapper_aggregate.c */
void mapper_aggregates_begin(struct mapper *mapper);
enum status mapper_aggregates_add(struct mapper *mapper, uint32_t child, const struct cell *row,
                                  struct error *error) MUST_USE;
/* The result as it stands; STATUS_FAILED, class reject, if it can't be had. */
enum status mapper_aggregate_result(struct mapper *mapper, uint32_t aggregate, struct cell *cell,
                                    struct error *error) MUST_USE;
void mapper_aggregates_free(struct mapper *mapper);

/* mapper_list.c */
struct making mapper_making_of_parent(struct mapper *mapper, struct entity_state *entity);
void mapper_lists_begin(struct mapper *mapper);
enum status mapper_lists_add(struct mapper *mapper, uint32_t child, const struct cell *row,
                             struct error *error) MUST_USE;
/* Between records: frees the batch if there is none in it. Else the lists of records that are
 * rejected or filtered out would pile up in its arena. */
void mapper_drop_empty(struct entity_state *entity);
/* The last, shorter page of each entity of pages. */
enum status mapper_pages_end(struct mapper *mapper, struct error *error) MUST_USE;
/* Items of a page under way are moved to a new batch's arena. */
enum status mapper_list_move(struct mapper *mapper, struct list_state *list, struct arena *arena,
                             struct error *error) MUST_USE;

/* The list of the record that the list is in, itself or in some item. */
static inline struct list_state *mapper_list_top(struct list_state *list)
{
    while (list->outer != NULL) {
        list = list->outer;
    }
    return list;
}

/* mapper_nested.c: lists within the items of lists */
/* Adds the states of lists within items behind those of the entity's records. */
void mapper_nested_make(struct mapper *mapper, struct entity_state *entity);
/* How many these are. */
uint32_t mapper_nested_count(const struct stream_mapping *shared,
                             const struct mapping_field *fields, uint32_t field_count);
void mapper_nested_free(struct list_state *list);
/* Room for what belongs to `capacity` items beside them. */
enum status mapper_nested_grow(struct list_state *list, uint32_t capacity,
                               struct error *error) MUST_USE;
/* Bytes that an item takes beside what is made of its row. */
uint64_t mapper_nested_item_bytes(const struct list_state *list);
/* The key of the item that is about to be added, made of `row`. */
enum status mapper_nested_note_key(struct mapper *mapper, struct list_state *list,
                                   const struct cell *row, struct error *error) MUST_USE;
/* Which item of the outer list does the row belong to? `*found` false: to none that is there and
 * holds the list. */
enum status mapper_nested_find(struct mapper *mapper, const struct list_state *list,
                               const struct cell *row, uint32_t *owner, bool *found,
                               struct error *error) MUST_USE;
/* The field of an item, under way, that embeds: an empty list, to be filled; or what stands for
 * one that is left out. */
enum status mapper_nested_place(struct making *making, struct list_state *list, uint32_t item,
                                struct cell *cell, struct error *error) MUST_USE;
/* Hands out what belongs to the items of a record's list. */
enum status mapper_nested_fill(struct making *making, struct list_state *top,
                               struct error *error) MUST_USE;
/* "item 2: lines, item 1: " before what is wrong with an item. */
void mapper_nested_name(const struct list_state *list, uint32_t item, struct error *error);

/* mapper_mask.c */
void mapper_masks_make(struct mapper *mapper);
void mapper_masks_free(struct mapper *mapper);
/* In place. */
void mapper_mask_batch(const struct mapper *mapper, struct batch *batch);
/* The row, or a copy that is masked: a parent's lives until the next one, a child's until the next.
 */
const struct cell *mapper_mask_parent(struct mapper *mapper, const struct cell *row);
const struct cell *mapper_mask_child(struct mapper *mapper, uint32_t child, const struct cell *row);

/* A reject-class error, or one that stops the run? */
static inline bool mapper_is_reject(const struct error *error)
{
    return error->class == ERROR_CLASS_REJECT;
}

#endif
