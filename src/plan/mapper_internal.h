/* The inside of the mapper. */
#ifndef TRANSHUME_PLAN_MAPPER_INTERNAL_H
#define TRANSHUME_PLAN_MAPPER_INTERNAL_H

#include "model/decimal.h"
#include "plan/expression.h"
#include "plan/mapper.h"
#include "plan/mapping.h"

/* What one record is made from. */
struct record_source {
    const struct cell *row;
    const struct cell *lists; /* by list: the items made, MISSING where not wanted */
    const struct cell *document; /* the MAP that the row was made of; NULL: rows are rows */
    struct cell page_list;
    int64_t page;
    bool transient;           /* the row's texts do not live as long as the record */
    struct arena *arena;      /* where the record lives */
};

/* Texts that were seen, by hash: for count(distinct X). */
struct distinct_set {
    struct canonical_hash *slots; /* low and high 0: free */
    uint64_t capacity;
    uint64_t count;
};

struct aggregate_state {
    uint64_t count;
    struct decimal_sum sum;
    struct distinct_set distinct;
    struct cell extreme;   /* MISSING: none yet */
    struct buffer text;    /* its text */
    const char *failure;   /* why there is no result */
};

/* Items of a list or page while they come. */
struct item_list {
    struct cell *items;
    uint32_t count;
    uint32_t capacity;
    uint64_t bytes;
    enum error_code failure; /* NONE, or why the record that holds it is rejected; items only count then */
    char reason[200];
};

/* One entity of the stream. */
struct mapper_entity {
    const struct plan_entity *entity;
    const struct mapping *mapping;
    struct batch *batch;
    uint32_t width;
    const uint32_t *decimals; /* fields with a declared scale */
    uint32_t decimal_count;
    bool wanted;              /* the parent at hand passes where and when */
    bool rejected;            /* or its conditions failed */
    int64_t page;             /* number of the page being filled, from 1 */
    struct item_list items;   /* of the page */
};

/* One list of the stream. */
struct mapper_list {
    bool embedded;            /* the embedding entity wants it */
    bool wanted;              /* that or a page does */
    uint32_t entity;          /* index of the embedding entity */
    const struct cell *names; /* of its items' fields */
    struct item_list items;
};

struct mapper {
    const struct plan *plan;
    const struct plan_stream *stream;
    const struct stream_mapping *mapping;
    uint64_t record_bytes_max;

    struct arena *memory; /* lives as long as the mapper */
    struct expression_sandbox *sandbox;
    struct expression_statement **statements;
    struct cell *arguments; /* of the expression being evaluated */
    struct buffer text;     /* scratch */
    struct mapper_entity *entities;
    struct mapper_counts *counts;
    struct batch **taken;
    struct error failure;   /* of the record being made */

    /* a document as a row */
    struct cell *slots;
    uint32_t slot_count;

    /* rejects not yet taken */
    struct arena *reject_arena;
    struct mapper_reject *rejects;
    uint32_t reject_count;
    uint32_t reject_capacity;

    /* the parent at hand, in streams with children */
    struct batch *carrier;  /* owns the arena that records are made in */
    struct cell *parent;
    uint32_t parent_count;
    struct aggregate_state *aggregates;
    struct cell *results;   /* of aggregates */
    struct mapper_list *lists;
    struct cell *list_cells;
    bool in_record;
    bool lists_open;
    uint64_t complete_bytes;
};

/* mapper_field.c */
enum status mapper_value(struct mapper *mapper, const struct record_source *source,
                         struct value_reference reference, struct cell *value) MUST_USE;
/* One field's value. STATUS_FAILED: mapper->failure says why; class reject: this record only. */
enum status mapper_field_make(struct mapper *mapper, const struct mapping_field *field,
                              const struct record_source *source, struct cell *value) MUST_USE;
enum status mapper_test(struct mapper *mapper, const struct record_source *source,
                        uint32_t expression, bool *result) MUST_USE;
/* A copy whose texts live in `arena`; large values are read whole, up to record_bytes_max. */
enum status mapper_copy_cell(struct mapper *mapper, const struct cell *from, struct arena *arena,
                             struct cell *to) MUST_USE;
/* Bytes that a cell holds beyond itself. */
uint64_t mapper_cell_bytes(const struct cell *cell);

/* mapper_record.c */
/*
 * Appends the record of an entity, or a reject. `key` are the source key's cells. STATUS_FAILED: the
 * run can't go on.
 */
enum status mapper_record_make(struct mapper *mapper, struct mapper_entity *entity,
                               const struct record_source *source, const struct cell *key,
                               bool check_bytes, struct error *error) MUST_USE;
/* A reject of mapper->failure; `cells` (may be NULL) are the fields made. */
enum status mapper_reject_add(struct mapper *mapper, struct mapper_entity *entity,
                              const struct cell *cells, const struct cell *key,
                              struct error *error) MUST_USE;
/* Tests where and when: `*passes`, or a reject. */
enum status mapper_record_test(struct mapper *mapper, struct mapper_entity *entity,
                               const struct record_source *source, const struct cell *key,
                               bool *passes, bool *rejected, struct error *error) MUST_USE;
void mapper_count_long_decimals(struct mapper *mapper, const struct mapper_entity *entity,
                                const struct cell *cells);

/* mapper_aggregate.c */
void aggregate_reset(struct aggregate_state *state);
void aggregate_free(struct aggregate_state *state);
/* Failures of values are kept in the state. STATUS_FAILED: memory is out. */
enum status aggregate_add(struct aggregate_state *state, const struct mapping_aggregate *aggregate,
                          const struct cell *row, uint64_t bytes_max) MUST_USE;
enum status aggregate_result(struct aggregate_state *state,
                             const struct mapping_aggregate *aggregate, struct arena *arena,
                             struct cell *result) MUST_USE;

/* mapper_list.c: the half-made record moves to a new arena when what is complete is taken. */
enum status mapper_relocate(struct mapper *mapper, struct error *error) MUST_USE;

static inline enum status mapper_out_of_memory(struct mapper *mapper)
{
    return error_set(&mapper->failure, ERROR_MEMORY, NULL, "out of memory");
}

#endif
