/* The fields of changes, and the statements that are made of them: what apply_statement.c keeps and
 * runs and apply_text.c writes. */
#ifndef TRANSHUME_CONNECTORS_SQL_APPLY_STATEMENT_H
#define TRANSHUME_CONNECTORS_SQL_APPLY_STATEMENT_H

#include "connectors/sql/apply_internal.h"

/* In place of a column's number: the target makes the value itself. */
enum { SQL_APPLY_MADE_BY_TARGET = -1 };

/* The fields of the records of a table, as sets bring them. */
struct sql_apply_shape {
    struct sql_apply_shape *next;
    uint32_t number; /* of the table */
    struct sql_apply_table table;
    const char **names;
    uint32_t field_count;
    int32_t *columns;    /* of the table, one a field; SQL_APPLY_MADE_BY_TARGET */
    int32_t *key_fields; /* one a part of the key */
    uint64_t *present;   /* of the change that was looked at last: a bit a field */
    uint64_t *none;
    uint32_t words;
    struct sql_apply_statement *statements;
    uint32_t statement_count;
    const struct shape *seen; /* in this set: it is known to have these fields */
};

/* A statement of that kind for changes that have the fields of `present`, a bit a field. The caller
 * frees its arena. */
struct sql_apply_statement *sql_apply_make_statement(struct apply *apply,
                                                     struct sql_apply_shape *shape,
                                                     enum sql_apply_kind kind,
                                                     const uint64_t *present);

#endif
