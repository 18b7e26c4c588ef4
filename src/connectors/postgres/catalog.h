/* The connector's facts of a schema's tables, beyond struct schema. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_CATALOG_H
#define TRANSHUME_CONNECTORS_POSTGRES_CATALOG_H

#include "connectors/postgres/postgres_internal.h"

struct postgres_column {
    const char *name;
    int16_t number; /* pg_attribute.attnum: stays when the column is renamed */
    struct postgres_type type;
    uint32_t type_oid; /* of a domain: its innermost base */
    int32_t modifier;
    const char *collation;    /* as SQL; NULL: the type has none, or it is not known (a query's) */
    bool loose;               /* by its collation texts of other bytes may be equal */
    const char *order_schema; /* as SQL: where the operators of its order are, if the type is not
                                 built in; NULL: in pg_catalog */
    const char *labels;       /* "::mood", of a domain over that enum, and of a query's enums, which
                                 may be such a domain; else NULL */
    const char
        *unlimited; /* a built-in type without the limits that this one has; NULL: it has none */
    const char *text_before; /* what makes its value a text (postgres_as_text), where the type's
                                owner made a cast to text, which is code of his; NULL: he did not */
    const char *text_behind;
    bool not_null;
    bool generated;
    bool same_bytes;      /* its binary form means the same in every server */
    bool always_identity; /* GENERATED ALWAYS AS IDENTITY */
    bool has_default;
};

/* Runs in parallel with schema->tables. */
struct postgres_table {
    const struct schema_table *schema;
    const struct postgres_column *columns;
    uint32_t oid;
    char kind;              /* pg_class.relkind */
    bool inherited;         /* other tables inherit it: their records are its own, too */
    int64_t long_bytes;     /* of values kept aside (TOAST); none is longer, but for compression */
    bool has_children;      /* others inherit from it, or did: it holds their rows, too */
    int64_t row_estimate;   /* -1: the statistics do not say */
    struct column_list key; /* the primary key, or a unique one that can't be NULL; else empty */
};

static inline struct sql_table postgres_table_of(const struct postgres_table *facts)
{
    return (struct sql_table){.schema = facts->schema,
                              .key = facts->key,
                              .row_estimate = facts->row_estimate,
                              .facts = (const struct sql_facts *)facts};
}
static inline const struct postgres_table *postgres_facts_of(const struct sql_table *table)
{
    return (const struct postgres_table *)table->facts;
}

struct postgres_catalog {
    struct schema *schema;
    struct postgres_table *tables;
    uint32_t table_count;
};

/* Is it unique in the columns of the key, in any order? */
bool postgres_is_key_index(const struct schema_index *index, struct column_list key);
/* catalog_moment.c: readings of the catalogue, each as of one moment. */
struct postgres_catalog_moment {
    uint32_t count; /* of those begun */
    bool is_ours;
};
enum status postgres_catalog_moment_begin(struct postgres_database *self, PGconn *connection,
                                          struct postgres_catalog_moment *moment,
                                          struct error *error) MUST_USE;
/* Is all to be read again, since something was gone by then? Then the error is cleared. */
bool postgres_catalog_moment_again(const struct postgres_catalog_moment *moment, enum status status,
                                   struct error *error);
/* Ends it, and the same; with the failure of the end in `*status`. */
bool postgres_catalog_moment_end(struct postgres_database *self, PGconn *connection,
                                 const struct postgres_catalog_moment *moment, enum status *status,
                                 struct error *error);
/* Reads the tables of the instance's schema, or the one named, into `arena`: as they are at one
 * moment, unless in a transaction that is open already and has no snapshot. */
enum status postgres_catalog_read(struct postgres_database *self, PGconn *connection,
                                  const char *table, struct arena *arena,
                                  struct postgres_catalog *catalog, struct error *error) MUST_USE;
/* The source's own, read at first use and kept. Control thread. */
enum status postgres_catalog_get(struct postgres_database *self,
                                 const struct postgres_catalog **catalog,
                                 struct error *error) MUST_USE;
/* The columns of the schema's tables as they are now, and are they the table's still? Asked within
 * the snapshot's transaction, where the rest of the catalogue's queries would lock partitions to
 * its end. */
enum status postgres_catalog_columns(struct postgres_database *self, PGconn *connection,
                                     PGresult **columns, struct error *error) MUST_USE;
bool postgres_catalog_agrees(PGresult *columns, const struct postgres_table *table);
/* NULL: there is none of that name. */
const struct postgres_table *postgres_catalog_find(const struct postgres_catalog *catalog,
                                                   const char *name);
/* -1: there is none of that name. */
int32_t postgres_find_column(const struct postgres_table *table, const char *name);

/* The words before and behind a column's name that make its value the text that the server shows.
 * A cast of inet would add the mask of a single address. NULL: no column of the catalogue's. */
struct postgres_words {
    const char *before;
    const char *behind;
};
struct postgres_words postgres_as_text(const struct postgres_column *column);
/* The same, but that an address has its mask. */
struct postgres_words postgres_cast_to_text(const struct postgres_column *column);
/* types.c: makes these words those of the type's own output function. */
void postgres_keep_output(struct postgres_column *column, const char *function, const char *type,
                          struct arena *arena);
/* The words behind a value with which it can be compared with another one of its type: a domain
 * over an enum has no = of its own. */
const char *postgres_labels(const struct postgres_column *column);
/* " OPERATOR(schema.=) ": the type's own, whatever others made of the same name. It binds like any
 * other operator: more than NOT, AND and OR, and no more than its neighbours. */
static inline void postgres_append_operator(struct buffer *sql,
                                            const struct postgres_column *column,
                                            const char *operation)
{
    bool own = column != NULL && column->order_schema != NULL;
    buffer_format(sql, " OPERATOR(%s.%s) ", own ? column->order_schema : "pg_catalog", operation);
}
/* Is it compared by that text? json has no equality, and what has no encoder none that we could
 * send a value for. */
bool postgres_is_by_text(const struct postgres_column *column);

/* describe.c: what is neither table nor index, as schema objects; the statements that make the
 * tables; how many objects the catalogue has. */
/* catalog_functions.ask_values */
enum status postgres_ask_values(struct database *self, struct schema_object *objects,
                                uint32_t count, struct arena *arena, struct error *error);
enum status postgres_objects_read(struct postgres_database *self, PGconn *connection,
                                  struct schema *schema, struct error *error) MUST_USE;
/* describe.c: schema->rights, in the schema's arena; also of a target. */
enum status postgres_rights_read(struct postgres_database *self, PGconn *connection,
                                 struct schema *schema, struct error *error) MUST_USE;
/* code.c: what of the source calls functions. */
struct postgres_code {
    struct schema_code *items;
    const char **makes; /* of a domain and of a policy that only takes away: the statement that
                           makes it without; else NULL */
    uint32_t count;
    const char *left_out; /* the numbers of defaults and checks, as an array */
};
enum status postgres_code_read(struct postgres_database *self, PGconn *connection,
                               struct arena *arena, struct postgres_code *code,
                               struct error *error) MUST_USE;
/* From a schema that was just described, and its objects; from then on it tells what was left out.
 */
void postgres_code_leave_out(const struct postgres_code *code, struct schema *schema,
                             struct schema_object *objects);
/* catalog_functions.tell_code, sql_target_functions.account */
enum status postgres_tell_code(struct database *self, struct arena *arena,
                               struct schema_code **code, uint32_t *count, struct error *error);
enum status postgres_tell_account(struct database *self, struct arena *arena, const char **name,
                                  bool *superuser, struct buffer *out, struct error *error);
/* describe.c: the columns of a query's result. */
enum status postgres_describe_query(struct postgres_database *self, PGconn *connection,
                                    const char *query, struct arena *arena,
                                    struct schema_table *table, struct postgres_column **columns,
                                    struct error *error) MUST_USE;

#endif
