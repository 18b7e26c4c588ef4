/* Declarations that the two halves of learning share: seeing records, and writing the plan. */
#ifndef TRANSHUME_PLAN_RESOLVE_LEARN_PARTS_H
#define TRANSHUME_PLAN_RESOLVE_LEARN_PARTS_H

#include "base/name_index.h"
#include "plan/resolve/learn.h"

struct learnt_field;

/* Fields by name, in the order in which they were first met. */
struct learnt_fields {
    struct name_index index;
    struct learnt_field **fields;
    uint32_t count;
    uint32_t capacity;
};

struct learnt_field {
    const char *name;
    uint64_t rank; /* of the first occurrence: its span, and how many were met in it before */
    struct learnt_type type;
    bool raw_bytes;                /* bytes that are no text */
    uint32_t element_kinds;        /* of its lists and sets: 1 << enum value_kind */
    struct learnt_fields elements; /* of the maps among these */
};

struct learnt_table {
    const struct schema_table *table;
    bool documents;
    bool child_tables;
    struct arena *arena;
    struct arena *scratch;
    struct learnt_fields fields;
    size_t names_bytes;
    uint64_t records;
    uint64_t rank;               /* of the next new field */
    struct read_column *columns; /* NULL: documents */
};

/* NULL: it was not met. */
const struct learnt_field *learnt_field_find(const struct learnt_fields *fields, const char *name);

#endif
