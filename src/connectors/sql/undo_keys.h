/*
 * Taking a table's records back key by key, by its undo records: the steps, their order and what
 * they decide. A connector brings the texts and the few things that its database does in its own
 * way.
 *
 * Texts are SQL with holes:
 *   $T  the table as `t`          $U  its undo table as `u`
 *   $M  t and u are of one key    $K  a column of the key in `t`
 *   $A  t, of a LEFT JOIN, is not there
 *   $H  the hash of the record t  $I  the hash of the image in u
 *   $h  the hash that u keeps of the record as the run left it
 *   $F  u has an image            $W  the run wrote the record, and it is not taken back
 *   $D  the run deleted it        $X  a trigger made something else of it
 *   $O  " AND NOT (…)": others put nothing into the record t that the run added; or empty
 *   $S  "a = u.a, …": what restores the record t
 */
#ifndef TRANSHUME_CONNECTORS_SQL_UNDO_KEYS_H
#define TRANSHUME_CONNECTORS_SQL_UNDO_KEYS_H

#include "connectors/sql/database.h"

/* One of the table's columns that the undo table keeps, and what it is called there. */
struct sql_undo_column {
    const char *name;
    const char *image;
    bool fixed; /* no UPDATE may set it */
};

/* A foreign key that refers to the table. */
struct sql_referrer {
    const char *name;  /* of the table that refers */
    const char *place; /* the same as SQL */
    const char *on;    /* "t.key = r.column AND …", r being a record that refers */
    bool own;          /* the table refers to itself */
};

/* A table that is taken back, within a transaction of the control connection. */
struct sql_undoing {
    struct sql_database *self;
    const struct sql_undo_dialect *dialect;
    struct arena *arena;
    struct sql_table facts;
    struct sql_table undo;
    const char *undo_name;
    /* The columns that the connector finds in `undo`, those of the key among `columns` too. */
    struct sql_undo_column *columns;
    uint32_t column_count;
    struct sql_undo_column *key;
    uint32_t key_count;
    const char *retyped;   /* a column that has another type than it had; NULL: none */
    struct buffer match;   /* $M */
    struct buffer foreign; /* `t` holds something of others in columns added since; empty: no */
    struct buffer foreign_of_referrer; /* the same of r, where the table refers to itself */
    struct buffer going; /* " AND …": what else is asked of a record t that is to be deleted */
    const struct sql_referrer *referrers;
    uint32_t referrer_count;
    bool takes_out; /* of the target_table */
    bool is_void;   /* nothing is (any more) to be undone: the undo table is of no use */
    bool refused;   /* a constraint refused a part of what was tried last, or may have */
    struct error *error;
};

enum sql_undo_put {
    SQL_UNDO_REMOVE,  /* records that the run added */
    SQL_UNDO_RESTORE, /* those that it changed */
    SQL_UNDO_RETURN   /* those that it deleted */
};

struct sql_undo_dialect {
    size_t bytes; /* of the connector's own struct, which begins with a sql_undoing */
    const char *(*name)(struct arena *arena, const char *run_id, const char *table);

    /* ---- texts */

    const char *kept_hash;     /* $h */
    const char *found;         /* $F */
    const char *written;       /* $W */
    const char *deleted;       /* $D */
    const char *differing;     /* $X */
    const char *set_differing; /* "u.a = …": makes $X of the undo record */
    const char *is_kept;       /* append_keeping marked it */
    const char *set_released;  /* "u.a = …": no more */
    const char *absent;        /* $A */
    const char *delete_undo;   /* "DELETE FROM $U" */
    const char *remove;        /* "DELETE FROM $T … AND": those of both that … */
    const char *remove_end;
    const char *restore;       /* "UPDATE $T SET $S … AND" */
    const char *set_prefix;    /* of a column's name in $S */
    const char *insert;        /* "INSERT INTO" */
    const char *insert_values; /* between the list of columns and SELECT */

    /* ---- functions */

    /* Optional: before the undo table is looked for. STATUS_END: there is nothing to be undone. */
    enum status (*open)(struct sql_undoing *undoing);
    /* Optional: whatever came of it, before the transaction ends. */
    void (*close)(struct sql_undoing *undoing);
    /* Optional: after a commit that changed something. */
    enum status (*committed)(struct sql_undoing *undoing);
    /* Fills columns, key and match; ERROR_ROLLBACK_REFUSED: a column is gone. */
    enum status (*find_columns)(struct sql_undoing *undoing);
    /* Runs a statement, which it frees; NULL: as struct sql_dialect does. */
    enum status (*run)(struct sql_undoing *undoing, struct buffer *sql, uint64_t *changed);
    /* Runs a query, which it frees, for rows of a number and a count: sets counts[number]. */
    enum status (*count)(struct sql_undoing *undoing, struct buffer *sql, uint64_t *counts,
                         uint32_t kinds);
    void (*append_hash)(const struct sql_undoing *undoing, struct buffer *sql, const char *alias,
                        bool of_image);
    /* Before records are put back: `referrers` or `going`, and what else is to be made ready. */
    enum status (*prepare)(struct sql_undoing *undoing);
    /* An UPDATE that marks each record that is to be deleted, to which one refers that stays. NULL:
     * `going` says it. */
    void (*append_keeping)(const struct sql_undoing *undoing, struct buffer *sql,
                           const struct sql_referrer *referrer);
    /* Puts all records of the kind; where a constraint refuses that, as many of them as it lets,
     * in the order of their keys or backwards. */
    enum status (*put)(struct sql_undoing *undoing, enum sql_undo_put put, bool backwards,
                       uint64_t *changed);
    /* Optional: has what waits for the transaction's end happen now. */
    enum status (*constrain)(struct sql_undoing *undoing);
    /* Optional: puts right what triggers made of restored records. */
    enum status (*settle)(struct sql_undoing *undoing);
    /* Optional: puts those of the deleted records that refer to each other. */
    enum status (*return_circles)(struct sql_undoing *undoing);
    /* Optional: the last of it, before the undo table goes. */
    enum status (*finish)(struct sql_undoing *undoing);
    /* The undo table is of no more use. */
    enum status (*drop)(struct sql_undoing *undoing);
};

/* Appends a text with its holes filled. */
void sql_undo_append(const struct sql_undoing *undoing, struct buffer *sql, const char *text);
/* "left.key = right.image AND …" */
void sql_undo_append_match(const struct sql_undoing *undoing, struct buffer *sql, const char *left,
                           const char *right);
/* A condition: `v`, an undo record that meets `added` and keeps the hash `hash`, is of the record r
 * of the same table, which goes itself. */
void sql_undo_append_going(const struct sql_undoing *undoing, struct buffer *sql, const char *added,
                           const char *hash);
/* The statement that puts records; `place` is one more condition, " AND …". */
void sql_undo_append_put(const struct sql_undoing *undoing, struct buffer *sql,
                         enum sql_undo_put put, const char *place);
/* A condition on `u`, with holes: its record is of those that are put so. */
const char *sql_undo_kind(enum sql_undo_put put);
/* Runs a statement, which it frees; `changed` may be NULL. */
enum status sql_undo_execute(struct sql_undoing *undoing, struct buffer *sql,
                             uint64_t *changed) MUST_USE;
/* The records at `place` were put one by one, and no constraint refused them: marks those that are
 * not as they were, since a trigger kept them from that. */
enum status sql_undo_mark_tried(struct sql_undoing *undoing, enum sql_undo_put put,
                                const char *place) MUST_USE;

/* struct sql_dialect.undo: a table of a run, or (`deleted`) what the run deleted of it. */
enum status sql_undo_table(struct sql_database *self, const struct target_table *table,
                           bool deleted, bool dry_run, struct undo_counts *counts,
                           struct error *error) MUST_USE;

#endif
