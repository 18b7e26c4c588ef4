/* The types that a SQL dialect's words name, as the connector of its database maps them. */
#ifndef TRANSHUME_SQL_TYPES_H
#define TRANSHUME_SQL_TYPES_H

#include "model/schema.h"
#include "sql/lexer.h"

/* A type as DDL writes it: character varying(20)[], decimal(10,2) unsigned. */
struct sql_type_words {
    const char *name;   /* its words, in lower case, with a blank between two; "": it has none */
    const char *native; /* the whole as the database would show it; borrowed by the type */
    int64_t numbers[2]; /* in parentheses */
    uint32_t number_count;
    bool is_unsigned;
    bool is_array;
    bool strict; /* of a STRICT table of SQLite */
};

/* False: the dialect has no such type built in; it is a text then, as the connectors read it. */
bool sql_type_read(enum sql_language language, const struct sql_type_words *words,
                   struct value_type *type);
/* serial, bigserial …: a counter of PostgreSQL. */
bool sql_type_counts(enum sql_language language, const char *name);

#endif
