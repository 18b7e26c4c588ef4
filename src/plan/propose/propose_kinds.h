/* Kinds of records, as `transhume init` learns them from a sample of documents: which there are,
 * how they are told apart, and what their fields hold. */
#ifndef TRANSHUME_PLAN_PROPOSE_PROPOSE_KINDS_H
#define TRANSHUME_PLAN_PROPOSE_PROPOSE_KINDS_H

#include "plan/plan.h"

enum {
    KINDS_MAX = 64,
    KIND_FIELDS_MAX = 500,
    KIND_KEYS_MAX = 2,
    KIND_PARTS_MAX = 8 /* values of a key's template */
};

/* Records of one table, from places all over it. */
struct kind_sample {
    const struct cell **records; /* MAPs */
    uint32_t count;
    struct batch **batches; /* that hold them */
    uint32_t batch_count;
};

/* A connection for sampling: opened once for all tables. */
struct kind_sampler {
    struct database *source;
    struct reader *reader;
    struct arena *arena;
};
enum status kind_sampler_open(struct kind_sampler *sampler, struct database *source,
                              struct arena *arena, struct error *error) MUST_USE;
void kind_sampler_close(struct kind_sampler *sampler);
enum status kind_sample_take(struct kind_sampler *sampler, const struct schema_table *table,
                             struct kind_sample *sample, struct error *error) MUST_USE;
void kind_sample_free(struct kind_sample *sample);

struct kind_field {
    const char *name;
    uint32_t kinds;              /* 1 << enum value_kind of each value seen */
    uint32_t element_kinds;      /* the same of the elements of lists and sets */
    struct kind_field *elements; /* fields of the maps among them */
    uint32_t element_count;
};

/* A text of the key, as the template that its sampled values fit; NULL pattern: any. */
struct kind_key {
    const char *field;
    const char *pattern;
    const char *parts[KIND_PARTS_MAX]; /* names of its values that no field has */
    bool part_is_whole[KIND_PARTS_MAX];
    uint32_t part_count;
};

struct kind {
    const char *name;
    const char *type; /* the value of kinds.type_field; NULL: none */
    const struct cell **records;
    uint32_t record_count;
    struct kind_key keys[KIND_KEYS_MAX];
    uint32_t key_count;
    struct kind_field *fields;
    uint32_t field_count;
};

struct kinds {
    const char *type_field; /* that says the kind in every record; NULL: there is none */
    const char *key[KIND_KEYS_MAX];
    uint32_t key_count; /* 0: no key is known */
    struct kind *kinds;
    uint32_t count;
};
/* `fallback` names the kind if there is but one. All in `arena`, but texts of the sample. */
void kinds_find(const struct kind_sample *sample, const struct schema_table *table,
                struct arena *arena, struct kinds *kinds);

#endif
