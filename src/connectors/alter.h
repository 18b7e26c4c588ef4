/* The contract: changing a schema in place. */
#ifndef TRANSHUME_CONNECTORS_ALTER_H
#define TRANSHUME_CONNECTORS_ALTER_H

#include "connectors/database.h"

enum schema_change_kind {
    SCHEMA_CREATE_TABLE,
    SCHEMA_DROP_TABLE,
    SCHEMA_RENAME_TABLE,
    SCHEMA_ADD_COLUMN,
    SCHEMA_DROP_COLUMN,
    SCHEMA_RENAME_COLUMN,
    SCHEMA_ALTER_COLUMN, /* type, null, default */
    SCHEMA_ADD_INDEX,
    SCHEMA_DROP_INDEX,
    SCHEMA_ADD_CONSTRAINT,
    SCHEMA_DROP_CONSTRAINT
};

/* From `before` to `after`; what a kind does not change may be NULL on both sides. */
struct schema_change {
    enum schema_change_kind kind;
    const struct schema_table *before;
    const struct schema_table *after;
    const char *name; /* of the column, index or constraint within the table */
};

/* What a statement shuts out while it runs. */
enum alter_lock {
    ALTER_LOCK_NONE,   /* reads and writes go on */
    ALTER_LOCK_WRITES, /* reads go on */
    ALTER_LOCK_ALL
};

struct alter_statement {
    const char *text;
    enum alter_lock lock;
    bool rewrites;       /* the whole table, so that it takes as long as it is large */
    bool in_transaction; /* it may run in one with others */
    const char *online;  /* a slower form of it that shuts nobody out; NULL: none is needed */
};

struct alter_functions {
    /* The statements that make the change, in the arena. ERROR_NOT_IMPLEMENTED with a reason: the
     * database can't, or can't in place. Nothing is run. */
    enum status (*emit)(struct database *self, const struct schema_change *change,
                        struct arena *arena, const struct alter_statement **statements,
                        uint32_t *count, struct error *error);
    /*
     * Runs one statement. It waits at most `lock_ms` for locks (ERROR_TARGET_LOCKED, class RETRY:
     * nothing was changed) and runs at most `time_ms` (0: no limit). `progress` (may be NULL) gets
     * the part that is done, 0 to 1, or below 0 where it is not known.
     */
    enum status (*run)(struct database *self, const char *statement, int64_t lock_ms,
                       int64_t time_ms, void (*progress)(double done), struct error *error);
};

#endif
