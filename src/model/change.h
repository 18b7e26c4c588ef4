/* Changes of a source: what one of its transactions did, in the order in which it did it. */
#ifndef TRANSHUME_MODEL_CHANGE_H
#define TRANSHUME_MODEL_CHANGE_H

#include "model/batch.h"

/* A table as it was at this point of the feed. */
struct change_table {
    const char *name;
    /* NULL: its records are documents, one MAP cell each. Lives at least as long as both the set
     * and its feed. */
    const struct shape *shape;
};

struct record_change {
    uint32_t table; /* in the set's tables */
    /* From RECORD_TRUNCATE on, which are of the whole table: key, before and after are NULL */
    enum record_operation operation;
    /* The key under which the record was: of an insert that of `after`. NULL: the table has none.
     */
    const struct cell *key;
    uint32_t key_count;
    /* The whole record: as many cells as the shape has fields, or one MAP. NULL: there is none, or
     * the feed does not tell. In `after` a MISSING cell of a shape is a value that was not changed
     * and not sent. */
    const struct cell *before;
    const struct cell *after;
    /* Foreign keys of the source may have changed other rows by it (ON DELETE CASCADE and the
     * like), which the feed does not tell (schema.silent_actions). */
    bool acts;
};

/*
 * One transaction, or a piece of a large one. `begin` and `end` are the positions before and after
 * the whole transaction: a feed that is opened at `end` brings what came later. The end of a piece
 * that is not the last one may lie before that of its transaction, which a feed that is opened
 * there brings as a whole. Such a piece is of a transaction that may still be taken back. A set
 * without changes only moves the position on. All of it lives in `arena`, which the receiver
 * destroys.
 */
struct change_set {
    struct arena *arena;
    struct position begin;
    struct position end;
    int64_t commit_time_us;  /* UTC by the source's clock; 0: not known */
    const char *transaction; /* for people; NULL: it has no name */
    bool first_piece;
    bool last_piece;
    /* Set in one that is applied: the target may hold what the source was later than it. */
    bool ahead;
    const struct change_table *tables;
    uint32_t table_count;
    const struct record_change *changes;
    uint32_t change_count;
};

#endif
