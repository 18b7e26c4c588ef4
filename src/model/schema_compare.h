/*
 * The changes of a source's tables since a run began: the schema that the run keeps, against
 * the one that the source has now. A pure function; whoever follows a source decides what each
 * difference means.
 *
 *   column       kept      now        seen by
 *   SAME         n int     n int
 *   WIDER        n int     n bigint   each value of before is one of now
 *   REWRITTEN    n int     n int      its definition and the rows were made anew (… USING n + 1)
 *   RETYPED      n int     n text
 *   REPLACED     n int     n int      it has another number: dropped and added again
 *   GONE         n int     -          a column that was renamed is gone and new
 *   NEW          -         n int
 *
 * The order of columns is no difference, unless they have no numbers: then two that changed places
 * may have changed names, and the latter is REPLACED.
 */
#ifndef TRANSHUME_MODEL_SCHEMA_COMPARE_H
#define TRANSHUME_MODEL_SCHEMA_COMPARE_H

#include "base/buffer.h"
#include "model/schema.h"

enum column_difference {
    COLUMN_SAME,
    COLUMN_WIDER,     /* NULL may be among its values by now, too */
    COLUMN_REWRITTEN, /* of the same type, with other values in rows that nobody changed */
    COLUMN_RETYPED,
    COLUMN_REPLACED, /* or may be another one */
    COLUMN_GONE,
    COLUMN_NEW
};

enum table_difference {
    TABLE_SAME,     /* as a whole; its columns and constraints may differ */
    TABLE_REKEYED,  /* its primary key has other columns */
    TABLE_REPLACED, /* dropped, and another one of the name was made */
    TABLE_GONE,
    TABLE_NEW
};

struct column_change {
    enum column_difference difference;
    const char *name;
    const struct schema_column *kept; /* NULL: new */
    const struct schema_column *now;  /* NULL: gone */
};

struct table_change {
    enum table_difference difference;
    const char *name;
    const struct schema_table *kept; /* NULL: new */
    const struct schema_table *now;  /* NULL: gone */
    struct column_change *columns;   /* that are not the same; none of one that is gone or new */
    uint32_t column_count;
    bool constrained; /* NOT NULL, an index or a foreign key came or went; no value did */
};

struct schema_changes {
    struct table_change *tables; /* of which something is not the same, by name */
    uint32_t table_count;
};

/*
 * Tables alone are compared, no views. `same_server`: marks, numbers and stamps of the two can be
 * compared; those of another server, as after a failover, say nothing. Lives in the arena, and
 * borrows from both.
 */
void schema_compare(const struct schema *kept, const struct schema *now, bool same_server,
                    struct arena *arena, struct schema_changes *changes);

/* May a record of the table be another one by now? Not where constraints alone came or went. */
static inline bool table_change_is_of_records(const struct table_change *change)
{
    return change->difference != TABLE_SAME || change->column_count > 0;
}

/* Is each value of `narrow` a value of `wide`, too, and the same one? False where it is not known.
 */
bool value_type_holds(const struct value_type *wide, const struct value_type *narrow);

/* "has the new column note", "its column n is bigint now, and was integer": a sentence's end behind
 * the table's name. */
void column_change_append(const struct column_change *change, struct buffer *out);

/* The same of a table, with its name before it, and of all of its columns. */
void table_change_append(const struct table_change *change, struct buffer *out);

#endif
