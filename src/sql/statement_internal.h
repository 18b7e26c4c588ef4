/* The parts of the reader of statements. */
#ifndef TRANSHUME_SQL_STATEMENT_INTERNAL_H
#define TRANSHUME_SQL_STATEMENT_INTERNAL_H

#include "sql/statement.h"

struct statement_reader {
    struct sql_cursor cursor;
    enum sql_language language;
    struct arena *arena;
    struct sql_statement *statement;
};

/* A list in an arena. */
struct statement_list {
    void *items;
    uint32_t count;
    uint32_t capacity;
};

/* Room for one more, zeroed. */
void *statement_add(struct statement_reader *reader, struct statement_list *list, size_t size);
/* A name without parts; false: none is next. */
bool statement_name(struct statement_reader *reader, struct sql_named *named);

/* ---------------------------------------------------------------- statement_column.c */

/* "(a, b DESC, lower(c))", which is next. */
struct sql_named *statement_columns(struct statement_reader *reader, uint32_t *count);
void statement_type(struct statement_reader *reader, struct sql_type_named *type);
/* Behind a column's name: its type and constraints, up to the comma or parenthesis behind them. */
void statement_column(struct statement_reader *reader, struct sql_column_named *column);
/* A constraint of a table; false: none begins here, and nothing was read. */
bool statement_constraint(struct statement_reader *reader, struct sql_constraint *constraint);

/* ---------------------------------------------------------------- statement_alter.c */

/* Behind the table's name. */
void statement_actions(struct statement_reader *reader);

#endif
