/*
 * Which entities a changed table reaches, and how. Decided once, from the resolved plan.
 *
 *   by row    the records of the stream are made of its root's row alone: the images of the change
 *             are mapped, before and after
 *   by roots  the stream looks up, embeds or aggregates: the roots that a changed row touches are
 *             found by the plan's joins backwards, read again and mapped again
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_TRANSLATE_ROUTES_H
#define TRANSHUME_ENGINE_FOLLOW_TRANSLATE_ROUTES_H

#include "connectors/contract/lacks.h"
#include "engine/session/session.h"

/* Parts of a key, or of what a join compares: a plan with more is refused. */
enum { FOLLOW_VALUES_MAX = 32 };

/* One step from a row towards the roots: the rows of `table` whose `columns` equal the values at
 * hand; of these the values of `next`. */
struct follow_hop {
    const char *table;
    struct column_list columns;
    struct column_list next;
};

/* How a row of a table that a stream joins leads to its roots. */
struct follow_path {
    uint32_t stream;
    const char *table;
    struct column_list columns; /* of the changed row: the values to begin with */
    const struct follow_hop *hops;
    uint32_t hop_count;
};

/*
 * The key that the key plan makes of a root's row for an entity: the fields of the target's key, in
 * its order. That of pages is without the one that holds their number; where that is a text, what
 * stands before and behind the number comes last.
 */
struct follow_key {
    uint32_t count; /* cells */
    bool pages;
    uint32_t page; /* the field of the target's key that holds the number */
    bool page_in_text;
    uint32_t pad; /* the number has so many digits at least */
};

struct follow_stream {
    const struct plan_stream *stream;
    bool by_row;
    struct column_list root_key; /* schema_row_key of its table */
    /* Its rows have no key, and its one entity's records neither: a change is of one record that
     * equals the row before it in all fields. `root_key` is empty. */
    bool whole;
    const char *row_key; /* what is read as a column and is none, as "rowid"; NULL: nothing */
    /* Makes of a root's row the key of each of its records and nothing else, whatever `where` says
     * (struct follow_key). */
    const struct plan *key_plan;
    bool has_pages;
    /* cells of a root's row that the keys are made of */
    const bool *key_cells;
    /* are they all of the primary key? Else whole rows before their change are needed */
    bool keys_of_key;
};

/* The action of a foreign key on the rows that refer to a row which is deleted, or whose values
 * that they refer to change. */
enum follow_action {
    FOLLOW_ACTION_NONE,
    FOLLOW_ACTION_DELETE,
    FOLLOW_ACTION_NULL,
    FOLLOW_ACTION_PASS
};

enum { FOLLOW_NOWHERE = UINT32_MAX };

/* A table whose rows foreign keys of the source change without a word of the feed. */
struct follow_dependent {
    const struct schema_table *table;
    const struct shape *shape; /* its columns, keyed by its primary key */
    /* Whose records are its rows, one each. FOLLOW_NOWHERE: no record is a row of it; rows of its
     * parents lead to all records that its rows are part of. */
    uint32_t entity;
    struct column_list columns;     /* that a change of it has to tell */
    const uint32_t *at;             /* likewise: the field of the shape */
    struct column_list fields;      /* likewise: of the target */
    const struct value_type *types; /* likewise: of the target */
    const bool *hex;                /* likewise: apply_search.hex */
};

struct follow_cascade {
    const struct schema_table *parent;
    struct column_list referenced; /* columns of the parent */
    uint32_t dependent;
    struct column_list columns; /* of the dependent, one each */
    enum follow_action on_delete;
    enum follow_action on_update; /* of the referenced columns */
};

struct follow_routes {
    struct arena *arena;
    struct follow_stream *streams; /* the plan's, in its order */
    uint32_t stream_count;
    struct follow_key *keys; /* an entity each */
    uint32_t entity_count;
    const struct follow_path *paths;
    uint32_t path_count;
    const char **tables;             /* of the source, that have to be followed */
    struct followed_table *followed; /* the same, with what they have to tell */
    uint32_t table_count;
    struct follow_dependent
        *dependents; /* none where the feed tells, or the target does likewise */
    uint32_t dependent_count;
    struct follow_cascade *cascades;
    uint32_t cascade_count;
    /* A stream each: why it can't be followed any more, since its table has changed since the run
     * began (it is left, see unfollowed.h); NULL: it can. */
    const char **refused;
};

/*
 * ERROR_FOLLOW: an entity can't be followed; the message says which and why, the hint what helps.
 * Of a run that was followed already it is no failure: `refused` says it, and the others go on.
 * Changes nothing, and asks neither database.
 */
enum status follow_routes_make(const struct run_session *session, struct follow_routes **routes,
                               struct error *error) MUST_USE;
/* For questions before a run: notes all that stands against it in `lacks` (NULL: nobody wants to
 * know), and makes the routes nonetheless, of the tables that would be followed. */
enum status follow_routes_foresee(const struct run_session *session, struct lack_list *lacks,
                                  struct follow_routes **routes, struct error *error) MUST_USE;
/* Has the stream's table no key (follow_stream.whole)? Not where it is refused for that. */
bool follow_is_whole(const struct run_session *session, const struct plan_stream *stream);
/* Does the stream read the table, as its root or by a join? */
bool follow_routes_read(const struct follow_routes *routes, uint32_t stream, const char *table);
/* The tables that a feed is to tell of: those that the source has, but for those of refused
 * streams, in the arena. */
struct followed_table *follow_routes_there(const struct follow_routes *routes,
                                           const struct run_session *session, struct arena *arena,
                                           uint32_t *count) __attribute__((returns_nonnull));
/* The source is told which tables are followed (database.followed). `left`: of each stream, is it
 * left? NULL: none is. */
void follow_routes_tell(const struct follow_routes *routes, const bool *left,
                        struct run_session *session);
/* Takes what making the routes found of a stream: of a run that was followed already a refusal
 * (ERROR_FOLLOW) goes to `refused`, and is none. For those who make them. */
enum status follow_routes_refuse(struct follow_routes *routes, const struct run_session *session,
                                 uint32_t stream, enum status status, struct error *error) MUST_USE;
void follow_routes_free(struct follow_routes *routes); /* takes NULL */

#endif
