/* The condition that a root is one of those whose keys are asked for (read_request.keys). */
#ifndef TRANSHUME_CONNECTORS_SQL_BY_KEY_H
#define TRANSHUME_CONNECTORS_SQL_BY_KEY_H

#include "base/buffer.h"
#include "connectors/contract/connector.h"
#include "connectors/sql/database.h"
#include "connectors/sql/normal.h"

/* How a column is compared where operators are looked up by their names, and who may make some
 * decides what those of a bare name are. */
struct sql_compared {
    const char *space;  /* the operators' schema, as SQL; NULL: bare names do */
    const char *behind; /* the column, that its values can be compared; never NULL */
    const char *list;   /* the type of a list of values that it is among; NULL: of none */
};

/* How a database writes it. */
struct sql_by_key_words {
    const struct sql_rules *rules;
    void (*append_text)(struct buffer *out, const char *text, size_t length); /* a literal */
    /* NULL, or makes of a day or moment in ISO 8601 what the database calls it */
    void (*name_time)(struct buffer *text);
    const char *is_null;      /* behind a column */
    bool quotes_numbers;      /* a literal of texts takes the type of what it is compared with */
    const char *bytes_before; /* around hexadecimal digits */
    const char *bytes_behind;
    /* How a column is compared; NULL: by bare names, all of them. */
    void (*compared)(void *comparing, const char *name, struct sql_compared *compared);
    void *comparing;
};

/* A column of the root, by its name, to the condition's buffer. */
typedef enum status sql_append_root_column(void *context, const char *name);

/* "(…)"; of no keys a condition that nothing meets. */
enum status sql_append_by_key(const struct read_request *request,
                              const struct sql_by_key_words *words,
                              sql_append_root_column *append_column, void *context,
                              struct buffer *sql, struct error *error) MUST_USE;

/* "(column >= bound OR column IS NULL)" of read_request.since; the bound alone without
 * since_nulls. */
enum status sql_append_since(const struct read_request *request,
                             const struct sql_by_key_words *words,
                             sql_append_root_column *append_column, void *context,
                             struct buffer *sql, struct error *error) MUST_USE;
/* The same where the root alone is read, by its name. */
enum status sql_append_own_since(struct sql_database *self, const struct sql_by_key_words *words,
                                 const struct read_request *request, struct buffer *sql,
                                 struct error *error) MUST_USE;
/* The query that source_functions.since_query hands out. */
enum status sql_since_query(struct sql_database *self, const struct read_request *request,
                            const struct sql_by_key_words *words, struct buffer *query,
                            struct error *error) MUST_USE;

#endif
