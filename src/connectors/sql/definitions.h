/* Code for definitions that the connectors of SQL databases share: lists of them made of rows, and
 * statements made of their kinds. */
#ifndef TRANSHUME_CONNECTORS_SQL_DEFINITIONS_H
#define TRANSHUME_CONNECTORS_SQL_DEFINITIONS_H

#include "base/buffer.h"
#include "connectors/contract/definitions.h"

/* The statements of a change, as they come. */
struct sql_emission {
    const struct definition_change *change;
    struct arena *arena;
    struct definition_statement *statements;
    uint32_t count;
    uint32_t capacity;
    int version; /* of the server, as its connector has it */
    bool other;  /* MySQL: it is MariaDB */
};

/* Adds a statement, whose text is the buffer's; empties the buffer. */
struct definition_statement *sql_emit(struct sql_emission *emission, struct buffer *text,
                                      enum alter_lock lock);

/* STATUS_AGAIN: it can't be altered. */
typedef enum status (*sql_emit_function)(struct sql_emission *emission,
                                         const struct definition *before,
                                         const struct definition *after);

struct sql_definition_kind {
    const char *name;
    int rank;
    enum definition_binding binding;
    bool holds_records;
    sql_emit_function create; /* `before` is NULL */
    sql_emit_function alter;  /* NULL: it can't be */
    sql_emit_function drop;   /* `after` is NULL */
    sql_emit_function rename;
};

const struct sql_definition_kind *sql_definition_kind(const struct sql_definition_kind *kinds,
                                                      const char *name);

/* A list that grows. Zeroed but for `arena` and `kinds`, which a kind without a name ends. */
struct sql_definitions {
    struct arena *arena;
    const struct sql_definition_kind *kinds;
    struct definition *items;
    const char **ids; /* by which others name it; NULL: none does */
    const char **owner_ids;
    uint32_t count;
    uint32_t capacity;
    uint32_t id_capacity;
    uint32_t owner_capacity;
};

/*
 * Adds a definition of a row: `names` of its columns and their `values`, which are copied. The
 * first six are id, kind, schema, table, name and the owner's id; all others are facts, but for
 * NULL. One of a kind that is not known is left out.
 */
void sql_definitions_add_row(struct sql_definitions *list, const char *const *names,
                             const char *const *values, uint32_t count);
struct definition *sql_definitions_add(struct sql_definitions *list, const char *kind,
                                       const char *schema, const char *table, const char *name);
/* In the order of adding. */
void sql_definitions_add_fact(struct sql_definitions *list, struct definition *definition,
                              const char *name, const char *value);

/* Pairs of ids: the first needs the second. */
struct sql_definition_needs {
    const char **users;
    const char **used;
    uint32_t count;
    uint32_t user_capacity;
    uint32_t used_capacity;
};
void sql_definition_needs_add(struct sql_definition_needs *needs, struct arena *arena,
                              const char *user, const char *used);
/* Owners and needs by ids. */
void sql_definitions_finish(struct sql_definitions *list, const struct sql_definition_needs *needs,
                            struct definitions *definitions);
/* The needs in a list without ids: who names whom. In the fact `fact` of each stand, as a name of
 * SQL, those of the kinds that `named` lists (NULL ends it). */
void sql_definitions_find_needs(struct sql_definitions *list, enum sql_language language,
                                const char *fact, const char *const *named,
                                struct sql_definition_needs *needs);

/* definition_functions.emit by a table of kinds. */
enum status sql_definitions_emit(const struct sql_definition_kind *kinds,
                                 struct sql_emission *emission,
                                 const struct definition_statement **statements, uint32_t *count,
                                 struct error *error) MUST_USE;

/* The next definition with this owner and kind (NULL: any) from number *at on; NULL: none. */
const struct definition *sql_definitions_of(const struct definitions *list, uint32_t owner,
                                            const char *kind, uint32_t *at);
/* Its number in the list. */
static inline uint32_t sql_definition_number(const struct definitions *list,
                                             const struct definition *item)
{
    return (uint32_t)(item - list->items);
}
/* The one of this kind, schema, table and name; NULL: there is none. */
const struct definition *sql_definitions_find(const struct definitions *list, const char *kind,
                                              const char *schema, const char *table,
                                              const char *name);
/* Do both have it alike, or both not? */
bool sql_definition_same_fact(const struct definition *left, const struct definition *right,
                              const char *name);
/* Are all facts alike but for `but` (NULL: none)? */
bool sql_definition_differs_only(const struct definition *left, const struct definition *right,
                                 const char *but);

/*
 * The text with one blank between tokens, without comments, words in lower case and names without
 * needless quotes: two of the same meaning are mostly alike.
 */
const char *sql_normal_text(enum sql_language language, const char *text, struct arena *arena);

/* MySQL's CREATE EVENT as one that does not run, which goes into `out`; `*enabled`: the event's
 * name if it would, else NULL. False: it is another statement. */
bool sql_append_disabled_event(struct buffer *out, const char *text, size_t length,
                               struct arena *arena, const char **enabled);
/* CREATE EVENT without ENABLE or DISABLE. */
const char *sql_without_event_state(const char *text, struct arena *arena);
/* And without STARTS, where a server puts the time of its making. */
const char *sql_without_event_start(const char *text, struct arena *arena);

#endif
