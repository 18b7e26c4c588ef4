/* A table as DescribeTable tells it. */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_DESCRIBE_H
#define TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_DESCRIBE_H

#include "connectors/dynamodb/network/network.h"

struct dynamodb_attribute {
    const char *name;
    char letter; /* 'S', 'N', 'B' */
};

struct dynamodb_index {
    const char *name;
    bool local;
    const char *status; /* "ACTIVE", "CREATING" …; of local ones always "ACTIVE" */
    struct column_list key;
    const char *projection; /* as JSON: {"ProjectionType":"ALL"}; NULL: all attributes */
};

/* Texts live in the arena. */
struct dynamodb_description {
    const char *name;
    const char *status; /* "ACTIVE", "CREATING", "UPDATING", "DELETING" … */
    const char *arn;    /* "" where an emulator gives none */
    const char *id;
    struct column_list key; /* partition, sort */
    struct dynamodb_attribute *attributes;
    uint32_t attribute_count;
    struct dynamodb_index *indexes;
    uint32_t index_count;
    bool on_demand;
    uint64_t read_units;
    uint64_t write_units;
    uint64_t item_count; /* of some hours ago */
    uint64_t size_bytes;
    const char *whole; /* whole.h: what else a whole copy carries */
};

/* STATUS_END: there is no such table. Any thread. */
enum status dynamodb_describe(struct dynamodb_network *network, const char *table,
                              struct arena *arena, struct dynamodb_description *description,
                              struct error *error) MUST_USE;
/* The same of `count` tables, many at a time; `descriptions` has room for all, the first `*found`
 * are filled, in their order: one that is not there is left out. */
enum status dynamodb_describe_many(struct dynamodb_network *network, const char *const *tables,
                                   uint32_t count, struct arena *arena,
                                   struct dynamodb_description *descriptions, uint32_t *found,
                                   struct error *error) MUST_USE;
/* Are the table and all its indexes ACTIVE? */
bool dynamodb_description_is_active(const struct dynamodb_description *description);
/* Is it being deleted? It is listed until it is gone, and holds nothing that can be had. */
bool dynamodb_description_is_going(const struct dynamodb_description *description);
/* 0: no key attribute has that name. */
char dynamodb_description_letter(const struct dynamodb_description *description, const char *name);
const struct dynamodb_index *
dynamodb_description_index(const struct dynamodb_description *description, const char *name);

#endif
