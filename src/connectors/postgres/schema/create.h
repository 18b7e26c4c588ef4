/* The statements that make a table, in their order: for prepare, which sends them, and for script,
 * which shows them. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_SCHEMA_CREATE_H
#define TRANSHUME_CONNECTORS_POSTGRES_SCHEMA_CREATE_H

#include "connectors/postgres/target.h"

/* Among what tables are made. */
struct postgres_creation {
    const struct postgres_database *self;
    const struct target_table *tables;
    uint32_t table_count;
    const struct postgres_catalog *catalog; /* of what is there already */
    bool whole;                             /* as prepare_request.objects: of a same-engine copy */
};

/* One statement; frees it. `what` it makes: "table", "key", "index", "comment". */
typedef enum status postgres_take_statement(void *context, const char *what, const char *name,
                                            struct buffer *sql, struct error *error);

/* The table with those keys and unique indexes that records could break, and comments. */
enum status postgres_create_statements(const struct postgres_creation *creation,
                                       const struct target_table *table,
                                       postgres_take_statement *take, void *context,
                                       struct error *error) MUST_USE;
/* "name type DEFAULT … NOT NULL" */
void postgres_append_new_column(struct buffer *sql, const struct schema_column *column);
/* "numeric(10,2)", or "serial" */
void postgres_append_column_type(struct buffer *sql, const struct schema_column *column);

#endif
