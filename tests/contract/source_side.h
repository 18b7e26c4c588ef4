/* The source of a fixture's own database. */
#ifndef TESTS_CONTRACT_SOURCE_SIDE_H
#define TESTS_CONTRACT_SOURCE_SIDE_H

#include "contract.h"

struct source_side {
    struct arena *arena;
    const struct connector *connector;
    struct database *database;
    struct reader *reader;
    struct read_request request; /* "things": id, value; or documents */
};

extern const struct read_column source_both_columns[2]; /* id, value */

/* With a snapshot and one reader. */
void source_open(const struct fixture *fixture, struct source_side *side);
void source_close(struct source_side *side);
/* The entry's query; "SCHEMA." in it stands for the schema that the URI names. */
const char *source_query(const struct fixture *fixture, struct arena *arena);

#endif
