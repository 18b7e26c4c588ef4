/* For cql_type*.c and cql_model.c only. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_TYPE_PARTS_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_TYPE_PARTS_H

#include "connectors/cassandra/protocol/cql_type.h"
#include <string.h>

struct cql_type *cql_type_make(struct arena *arena, enum cql_kind kind);
/* Room for the parts of a type, all NULL. */
const struct cql_type **cql_type_make_parts(struct arena *arena, uint32_t count);
/* Is it a type without parts, and not custom? */
bool cql_type_is_plain(enum cql_kind kind);
/* Is it the name of a kind, in small letters; or that of its class in Java, without package? */
bool cql_type_has_name(enum cql_kind *kind, struct text name);
bool cql_type_has_class(enum cql_kind *kind, struct text name);
static inline bool cql_is_word(struct text text, const char *word)
{
    return text.length == strlen(word) && memcmp(text.data, word, text.length) == 0;
}
/* cql_type_of_class, `depth` levels down. */
const struct cql_type *cql_type_of_class_at(struct text name, uint32_t depth, struct arena *arena);

#endif
