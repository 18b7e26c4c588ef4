/* Faults of a plan's table, against what is in the target already: a line for each. */
#ifndef TRANSHUME_CONNECTORS_SQL_CHECK_H
#define TRANSHUME_CONNECTORS_SQL_CHECK_H

#include "base/buffer.h"
#include "connectors/sql/database.h"

enum { SQL_SHOWN_BYTES = 128 };
/* A name for a message. */
const char *sql_show_name(const char *name, char shown[SQL_SHOWN_BYTES]);

/* Did a plan's own query fail for what it says: its syntax, names, types (SQLSTATE class 42)? */
bool sql_is_wrong_query(const struct error *problem);
/* The failure is of that query, if it doesn't say so itself. */
void sql_name_query(const char *name, struct error *error);

/* `compare_names` tells names of columns apart as the database does: 0 for one and the same. */

bool sql_has_column(const struct target_table *table, const char *name,
                    int (*compare_names)(const char *, const char *));
bool sql_shape_has(const struct shape *shape, const char *name,
                   int (*compare_names)(const char *, const char *));
/* Is there a unique index over exactly the key's columns? Never without a key. */
bool sql_has_key(const struct schema_table *present, struct column_list key,
                 int (*compare_names)(const char *, const char *));

/* The key's columns are among the columns. */
void sql_check_key_columns(const struct target_table *table,
                           int (*compare_names)(const char *, const char *), struct buffer *out);
/* The table in the target has all fields, takes their values, and has no column that records must
 * have and do not. */
void sql_check_shape(const struct check_request *request, uint32_t shape,
                     const struct schema_table *present,
                     int (*compare_names)(const char *, const char *), struct buffer *out);
/* The table in the target has no column for the field of a shape. */
void sql_tell_no_column(const struct check_request *request, uint32_t shape, uint32_t field,
                        struct buffer *out);
/* A field goes into a column that the target generates: a fault, unless the source does, too. */
void sql_check_generated(const struct target_table *table, const char *field,
                         int (*compare_names)(const char *, const char *), struct buffer *out);
/* The needs of upsert, replace and skip: a key, and in the target (NULL: it is not there yet) a
 * unique index over exactly its columns. `kinds`: what such an index may be, for the message. */
void sql_check_key(const struct target_table *table, const struct schema_table *present,
                   int (*compare_names)(const char *, const char *), const char *kinds,
                   struct buffer *out);

/* The column of that name; NULL: there is none. */
const struct schema_column *sql_find_column(const struct schema_table *present, const char *name,
                                            int (*compare_names)(const char *, const char *));

/* trial.c: target_functions. */
extern const struct trial_functions sql_trial;

#endif
