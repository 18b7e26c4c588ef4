/* What tests of CQL share: random types and values of them, and a place to write and read. */
#ifndef TRANSHUME_UNIT_SUPPORT_CQL_H
#define TRANSHUME_UNIT_SUPPORT_CQL_H

#include "connectors/cassandra/protocol/cql_type.h"
#include "support.h"

/* Nested up to `depth` levels, counters and customs left out. User-defined ones are of keyspace
 * "shop", their fields of their own names. */
const struct cql_type *random_cql_type(struct random *random, struct arena *arena, int depth);
/* A value that the type gives back as it is: sets and maps in the server's order, no element
 * twice. */
struct cell random_cql_value(struct random *random, const struct cql_type *type,
                             struct arena *arena);
/* The type of that CQL text; the user-defined type "Address" has street text, "No" int and tags
 * set<text>. */
const struct cql_type *cql_type_of(const char *text, struct arena *arena);

struct cql_fixture {
    struct arena *arena;
    struct buffer out;
    struct error error;
};
int cql_set_up(void **state);
int cql_tear_down(void **state);
struct cell cql_text_cell(const char *text);
struct cell cql_decimal(struct cql_fixture *fixture, const char *text);
void cql_assert_cell(const struct cell *cell, const struct cell *expected);

#endif
