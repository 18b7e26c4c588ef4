/* What the connector knows of a database's tables, beyond struct schema. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_CATALOG_H
#define TRANSHUME_CONNECTORS_MYSQL_CATALOG_H

#include "connectors/mysql/mysql_internal.h"

struct maria_column {
    const char *name;
    struct maria_type type;
    const char *charset; /* NULL: it has none, or is one of a query */
    const char *collation;
    bool not_null;
    bool generated;
    bool has_default; /* or numbers itself */
    bool counted;     /* auto_increment */
};

/* Runs in parallel with schema->tables. */
/* By which it is seen that a table's columns were altered. */
struct maria_shape {
    const char *name;
    uint64_t columns;
    uint64_t created; /* when the server says that it was made; 0: it does not (any more) */
};
bool maria_shape_is_other(const struct maria_shape *shape, const struct maria_shape *now);

struct maria_table {
    const struct schema_table *schema;
    const struct maria_column *columns;
    const char *engine; /* NULL: a view */
    const char *comment;
    int64_t row_estimate;   /* -1: the statistics do not say */
    struct column_list key; /* the primary key, or a unique one that can't be NULL; else empty */
    struct maria_shape shape;
};

struct maria_catalog {
    struct schema *schema;
    struct maria_table *tables;
    uint32_t table_count;
    bool folds_names;
};

/* Reads the tables of the instance's database, or the one named, into `arena`. */
enum status maria_catalog_read(struct maria_database *self, MYSQL *connection, const char *table,
                               struct arena *arena, struct maria_catalog *catalog,
                               struct error *error) MUST_USE;
/* The source's own, read at first use and kept. Control thread. */
enum status maria_catalog_get(struct maria_database *self, const struct maria_catalog **catalog,
                              struct error *error) MUST_USE;
/* What the tables are now, by the bytes of their names. */
enum status maria_catalog_shapes(struct maria_database *self, MYSQL *connection,
                                 struct arena *arena, struct maria_shape **shapes, uint32_t *count,
                                 struct error *error) MUST_USE;
/* NULL: there is none of that name. */
const struct maria_table *maria_catalog_find(const struct maria_catalog *catalog, const char *name);
/* look.c: some tables of a target, of which many are read at once. */
struct maria_look {
    bool whole; /* `all` is what there was then; else each is asked for when it is looked at */
    struct maria_catalog all;
};
enum status maria_look(struct maria_database *self, MYSQL *connection, uint32_t table_count,
                       struct arena *arena, struct maria_look *look, struct error *error) MUST_USE;
/* STATUS_END: there is none of that name. `look` may be NULL: nothing was read. Any thread with a
 * connection of its own. */
enum status maria_look_at(const struct maria_look *look, struct maria_database *self,
                          MYSQL *connection, const char *name, struct arena *arena,
                          struct maria_table *table, struct error *error) MUST_USE;
/* What inspect saw is not what is there any more. */
void maria_forget_seen(struct maria_database *self);
/* -1: there is none of that name; names of columns differ by more than case. */
int32_t maria_find_column(const struct maria_table *table, const char *name);
bool maria_is_in(struct column_list columns, const char *name);

/* describe.c: what is neither table nor index, as schema objects. */
enum status maria_objects_read(struct maria_database *self, MYSQL *connection,
                               struct schema *schema, struct error *error) MUST_USE;
/* objects_show.c: catalog_functions.ask_values */
enum status maria_ask_values(struct database *self, struct schema_object *objects, uint32_t count,
                             struct arena *arena, struct error *error);
/*
 * attempt.c: May the account do it? The server reads the statement and, `prepared`, does not run
 * it; what it refuses for another reason than a right is allowed. `problem` has what it said.
 */
enum status maria_is_denied(struct maria_database *self, MYSQL *connection,
                            struct buffer *statement, bool prepared, enum error_code code,
                            bool *denied, struct error *problem, struct error *error) MUST_USE;
/* The same of reading the table, or all of the database if there is none of that name: a right that
 * is missing is found before the table is. */
enum status maria_is_denied_select(struct maria_database *self, MYSQL *connection,
                                   const char *table, enum error_code code, bool *denied,
                                   struct error *error) MUST_USE;
/* lacking.c: the session's account as GRANT has it, into the arena. */
enum status maria_name_account(struct maria_database *self, MYSQL *connection, enum error_code code,
                               struct arena *arena, const char **account,
                               struct error *error) MUST_USE;
/* The statement that would let the account read the table, as a warning. */
enum status maria_warn_lacking(struct maria_database *self, MYSQL *connection, const char *table,
                               struct error *error) MUST_USE;
/* describe.c: SHOW CREATE TABLE of each table, without the number that it counts on from. */
enum status maria_statements_read(struct maria_database *self, MYSQL *connection,
                                  struct maria_catalog *catalog, struct arena *arena,
                                  struct error *error) MUST_USE;
/* describe.c: the columns of a query's result. */
enum status maria_describe_query(struct maria_database *self, MYSQL *connection, const char *query,
                                 struct arena *arena, struct schema_table *table,
                                 struct maria_column **columns, struct error *error) MUST_USE;

#endif
