/* Declarations that the files about strangers share. */
#ifndef TRANSHUME_ENGINE_STRANGERS_PARTS_H
#define TRANSHUME_ENGINE_STRANGERS_PARTS_H

#include "engine/copy/strangers.h"
#include "model/canonical.h"
#include <sqlite3.h>
#include <string.h>

/* Columns of a table by which others refer to it. */
struct stranger_set {
    uint32_t table;
    struct column_list columns;
    uint64_t count; /* hashes of its values in the file */
};

/* Columns of a table that refer to those of a set. */
struct stranger_reference {
    uint32_t table;
    struct column_list columns;
    uint32_t set;
};

struct strangers {
    struct run *run;
    struct arena *arena;
    const char *path;
    struct stranger_set *sets;
    uint32_t set_count;
    struct stranger_reference *references;
    uint32_t reference_count;
    uint64_t *differing; /* a table each: records whose key is there with other values */
    sqlite3 *file;
    sqlite3_stmt *insert;
};

/* The field of that name; -1: there is none. */
static inline int32_t stranger_field(const struct shape *shape, const char *name)
{
    int32_t found = -1;
    for (uint32_t i = 0; shape != NULL && found < 0 && i < shape->field_count; i++) {
        found = strcmp(shape->fields[i].name, name) == 0 ? (int32_t)i : -1;
    }
    return found;
}

/* Columns of a table that refer to those of the table `to`; without any of these, to its key. */
void strangers_add_reference(struct strangers *strangers, uint32_t table,
                             struct column_list columns, const char *to,
                             struct column_list referenced);

/* strangers_recall.c: those that the rejects to load name. */
enum status strangers_recall(struct strangers *strangers, struct error *error) MUST_USE;

/* strangers_file.c */
/* A search by the connection that adds, which sees what is not flushed yet. */
enum status stranger_search_within(struct strangers *strangers, struct stranger_search **search,
                                   struct error *error) MUST_USE;
enum status strangers_create(struct strangers *strangers, struct error *error) MUST_USE;
/* `direct`: the record is there with other values; else it refers to one that is left out. */
enum status strangers_add(struct strangers *strangers, uint32_t set,
                          const struct canonical_hash *hash, bool direct,
                          struct error *error) MUST_USE;
/* Searches that others open see all that was added. */
enum status strangers_flush(struct strangers *strangers, struct error *error) MUST_USE;

/* The form of a value once its column keeps it; fails of class REJECT where it can't be kept. */
enum status stranger_normal(const struct run *run, uint32_t entity, uint32_t field,
                            const struct cell *cell, struct arena *arena, struct cell *normal,
                            struct error *error) MUST_USE;
/* The hash of a record's values in these columns. STATUS_END: one of them is NULL, is not made, or
 * is none that the column could hold. */
enum status stranger_hash(const struct run *run, const struct batch *batch, uint32_t row,
                          struct column_list columns, struct arena *arena, struct buffer *scratch,
                          struct canonical_hash *hash, struct error *error) MUST_USE;

/* strangers_compare.c: counts and notes the records of a table that skips. */
struct stranger_compare;
struct stranger_compare *stranger_compare_create(struct strangers *strangers);
void stranger_compare_destroy(struct stranger_compare *compare);
enum status stranger_compare_batch(struct stranger_compare *compare, const struct batch *batch,
                                   struct error *error) MUST_USE;
enum status stranger_compare_flush(struct stranger_compare *compare, struct error *error) MUST_USE;

#endif
