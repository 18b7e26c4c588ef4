/* Declarations that the files of the graph share. */
#ifndef TRANSHUME_DESIGN_GRAPH_GRAPH_PARTS_H
#define TRANSHUME_DESIGN_GRAPH_GRAPH_PARTS_H

#include "design/graph/graph.h"

/* A graph while it is made: its entities can be changed, its relations grow. */
struct graph_building {
    struct arena *arena;
    struct graph_assumptions assumptions;
    struct graph_entity *entities;
    uint32_t entity_count;
    struct graph_relation *relations;
    uint32_t relation_count;
    uint32_t relation_capacity;
};

struct graph_fields graph_one_field(uint32_t field, struct arena *arena);
/* Empty if not all of the names are there. */
struct graph_fields graph_fields_by_name(const struct graph_entity *entity,
                                         struct column_list columns, struct arena *arena);

/* Adds it, unless one of the same fields is there, to whatever entity. */
void graph_add_relation(struct graph_building *building, const struct graph_relation *relation);
/* Does a relation begin at this field? */
bool graph_refers(const struct graph_building *building, uint32_t from, uint32_t field);

/* graph_names.c: a key by its name for an entity that declares none. */
void graph_infer_key(struct graph_building *building, struct graph_entity *entity);
/* Relations by the names of columns, where no relation is declared. */
void graph_infer_relations(struct graph_building *building);
/* Keys of entities that nothing else identifies, of what they refer to. */
void graph_settle_keys(struct graph_building *building);
/* The confidence that a column's name gives that it refers to that field of another entity, beyond
 * the rules that graph_infer_relations follows: 0 if it gives none. */
double graph_name_hint(const struct graph_entity *from, uint32_t field,
                       const struct graph_entity *to, uint32_t referenced);

/* graph.c: fan-outs, and how many values the fields have that refer to something. */
void graph_measure_relation(struct graph_building *building, struct graph_relation *relation);

#endif
