/*
 * The entity graph: what the designer knows of a relational schema. Entities are tables, fields
 * their columns, relations their foreign keys; each with the figures that costs are computed from,
 * and with where it comes from and how sure that is.
 */
#ifndef TRANSHUME_DESIGN_GRAPH_GRAPH_H
#define TRANSHUME_DESIGN_GRAPH_GRAPH_H

#include "base/arena.h"
#include "base/buffer.h"
#include "design/graph/figures.h"
#include "model/schema.h"

enum {
    GRAPH_NONE = UINT32_MAX /* no such entity, field or relation */
};

/* Where a key, a foreign key or a type comes from. */
enum graph_origin {
    GRAPH_DECLARED,   /* by the schema: confidence 1 */
    GRAPH_FROM_DATA,  /* the data says so: unique values, values that are all there */
    GRAPH_FROM_NAMES, /* by the names of tables and columns */
    GRAPH_SIMILAR,    /* by the similarity of their names as vectors */
    GRAPH_BY_HAND     /* the user said so: confidence 1 */
};

/* Does each row of a relation that refers have its partner? */
enum graph_trust {
    GRAPH_UNPROVEN, /* guessed, or declared where nothing enforces it */
    GRAPH_ENFORCED, /* by the source */
    GRAPH_PROVEN,   /* all rows were looked at */
    GRAPH_BROKEN    /* some have none */
};

struct graph_field {
    const char *name;
    const struct schema_column *column;
    struct value_type type; /* the column's, or what figures say that its values are */
    double bytes;           /* mean size of a value; never 0 */
    double distinct;        /* different values; from 1 to the entity's rows */
};

struct graph_fields {
    const uint32_t *at; /* fields of one entity */
    uint32_t count;
};

struct graph_entity {
    const char *name;
    const struct schema_table *table;
    const struct graph_field *fields; /* as many as the table has columns, in their order */
    uint32_t field_count;
    struct graph_fields key; /* what identifies a row; all fields where nothing else does */
    enum graph_origin key_origin;
    double key_confidence; /* from 0 to 1 */
    bool is_key_settled;   /* what it refers to, or all fields, for want of a better key */
    double rows;           /* never below 1 */
    double row_bytes;
    bool counted;                        /* `rows` is of the source; else an assumption */
    const struct figures_table *figures; /* NULL: none */
};

/* Each row of `from` refers to at most one row of `to`. */
struct graph_relation {
    uint32_t from;
    uint32_t to;
    struct graph_fields fields;     /* of `from` */
    struct graph_fields referenced; /* of `to`, one each */
    const char *name;
    enum graph_origin origin;
    double confidence;
    const char *why; /* what its values say, if they were looked up; NULL */
    enum graph_trust trust;
    double orphans;     /* GRAPH_BROKEN: rows whose partner is not there */
    bool optional;      /* `fields` may be null */
    double fan_out;     /* mean rows of `from` for one of `to` */
    double fan_out_max; /* for the one that has the most */
};

/* Assumptions where a source has no figures. */
struct graph_assumptions {
    double rows;         /* of an entity; 0: 10,000 */
    double skew;         /* the largest fan-out over the mean; 0: 10 */
    double text_bytes;   /* of a text; 0: 24 */
    double distinct_cut; /* values of a column that is no key, as a share of the rows; 0: 0.1 */
};

struct graph {
    struct arena *arena;
    struct graph_assumptions assumptions; /* filled in */
    const struct graph_entity *entities;  /* by name, bytewise */
    uint32_t entity_count;
    const struct graph_relation *relations;
    uint32_t relation_count;
    const char *const *doubts; /* sentences on foreign keys that the data speaks against */
    uint32_t doubt_count;
};

/* Entities, fields and relations as `schema` declares them; keys and relations that it does not
 * declare by their names (graph_names.c), and keys by the data where there are figures. Views are
 * left out. Without figures (NULL) row counts are the schema's, and all else is assumed. The graph
 * lives in `arena` and borrows from `schema`. */
void graph_from_schema(const struct schema *schema, const struct figures *figures,
                       const struct graph_assumptions *assumptions, struct arena *arena,
                       struct graph *graph);

/* No foreign key is trusted of a source that declares but does not enforce them, as SQLite. */
void graph_distrust(struct graph *graph);

enum {
    GRAPH_PROVEN_ROWS_MAX = 1000000,
    GRAPH_LOOKUPS_MAX = 2000,     /* requests of at most READ_KEYS_MAX keys */
    GRAPH_LOOKUPS_MS_MAX = 20000, /* after so long no further candidate is looked up */
};
/*
 * Looks at a live source, in one snapshot. With `looks_up` (graph_data.c) at foreign keys that are
 * not declared: some values of a column are looked up in a key; those that names suggest become
 * surer or are dropped, and others are added, by graph_evidence.h. Then at the rows of each
 * relation that is unproven, in tables of up to GRAPH_PROVEN_ROWS_MAX rows: are there orphans? */
enum status graph_prove(struct graph *graph, struct database *source, bool looks_up,
                        struct error *error) MUST_USE;

/* GRAPH_NONE: there is none. Bytewise first, then without ASCII case if that is unambiguous. */
uint32_t graph_find_entity(const struct graph *graph, const char *name, size_t length);
uint32_t graph_find_field(const struct graph_entity *entity, const char *name, size_t length);

/* A date, a timestamp, or a text that is declared as one. */
bool graph_field_is_time(const struct graph_field *field);

bool graph_fields_hold(struct graph_fields fields, uint32_t field);

/* "declared", "data", "names", "similar names", "by hand" */
const char *graph_origin_name(enum graph_origin origin);

#endif
