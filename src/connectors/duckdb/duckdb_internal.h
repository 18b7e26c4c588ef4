/*
 * Declarations that the files of the DuckDB connector share: the instance, files that are open,
 * statements, the forms of types, catalogue and requests. Their prefix is duckdb_, as the library's
 * is; nothing is linked with that, so that names of both do not meet.
 */
#ifndef TRANSHUME_CONNECTORS_DUCKDB_INTERNAL_H
#define TRANSHUME_CONNECTORS_DUCKDB_INTERNAL_H

#include "base/buffer.h"
#include "base/text.h"
#include "connectors/contract/connector.h"
#include "connectors/duckdb/library.h"
#include "connectors/sql/database.h"
#include "connectors/sql/normal.h"
#include "connectors/sql/request.h"

/* The module's symbol (CONNECTOR_MODULE_SYMBOL). */
__attribute__((visibility("default"))) extern const struct connector transhume_connector;

struct duckdb_file;
struct duckdb_catalog;

struct duckdb_database {
    struct sql_database sql;
    struct arena *arena; /* lives as long as the instance; control thread only */
    enum open_mode mode;
    bool read_only;
    bool made_file; /* by this opening: it goes again if nothing comes into it */
    int64_t timeout_ms;
    const char *path; /* real */
    const char *name; /* of the database that the file is, in DuckDB; NULL: not known yet */
    const struct duckdb_library *library;
    struct duckdb_file *file;
    struct duckdb_handle *control;  /* the control thread's connection */
    struct duckdb_catalog *catalog; /* source; read at first use */
};

static inline struct duckdb_database *duckdb_database_of(struct database *self)
{
    return (struct duckdb_database *)self;
}

/* SQL by a template (connectors/sql/template.h), for `out`; and in a buffer of its own, for a
 * function that frees what it is given. */
#define duckdb_sql(...) duckdb_append(&(struct buffer){0}, __VA_ARGS__)
struct buffer *duckdb_append(struct buffer *out, const char *format, ...);
void duckdb_append_name(struct buffer *out, const char *name);
void duckdb_append_text(struct buffer *out, const char *text, size_t length);

/* ---------------------------------------------------------------- file.c */

/*
 * DuckDB lets a process open a file but once, so what opens one that is open already shares it: a
 * source that reads a run's target beside the run. `self->path` and `read_only` say which and how;
 * STATUS_FAILED also where another process has it.
 */
enum status duckdb_file_open(struct duckdb_database *self, const char *memory, const char *spill,
                             struct error *error) MUST_USE;
/* Lets go of it; the last one closes it. NULL is fine. */
void duckdb_file_close(struct duckdb_file *file);
struct duckdb_handle *duckdb_file_handle(const struct duckdb_file *file);
/* A text that is another one after each change of the file; "": it is written by this process. */
const char *duckdb_file_token(const struct duckdb_file *file);

/* ---------------------------------------------------------------- query.c */

/* The database that the file is, as an expression: the one that is not DuckDB's own. */
#define DUCKDB_HERE "(SELECT database_name FROM duckdb_databases() WHERE NOT internal)"

/*
 * A connection that looks for functions in DuckDB's own schema first, and for tables in the
 * file's: a macro of the file may have the name of a function, or of an operator, and would be
 * called in its place. So whatever is made or named is said with the database's name (%t).
 */
enum status duckdb_connect(struct duckdb_database *self, struct duckdb_handle **connection,
                           struct error *error) MUST_USE;
/* Reads `name`, by the control connection, which looks for tables in the schema from then on. */
enum status duckdb_find_name(struct duckdb_database *self, struct error *error) MUST_USE;
void duckdb_disconnect(struct duckdb_database *self, struct duckdb_handle **connection);
/* The library's message of a failure, as an error of ours. `why` may be NULL. */
enum status duckdb_failure(struct duckdb_database *self, const char *why, enum error_code otherwise,
                           struct error *error);
/* Runs statements; `*changed` (may be NULL): how many rows the last one changed. */
enum status duckdb_run(struct duckdb_database *self, struct duckdb_handle *connection,
                       const char *sql, enum error_code otherwise, uint64_t *changed,
                       struct error *error) MUST_USE;
/* The same of a statement that is freed. */
enum status duckdb_run_buffer(struct duckdb_database *self, struct duckdb_handle *connection,
                              struct buffer *sql, enum error_code otherwise, uint64_t *changed,
                              struct error *error) MUST_USE;

/* A result that is read chunk by chunk; one thread. */
struct duckdb_rows {
    struct duckdb_database *database;
    struct duckdb_handle *statement;
    struct duckdb_result result;
    struct duckdb_handle *chunk; /* NULL: none yet */
    uint64_t count;              /* of its rows */
    uint64_t at;                 /* those before it were taken */
    bool opened;
};
/* One statement, with up to one parameter (NULL: none). */
enum status duckdb_rows_open(struct duckdb_rows *rows, struct duckdb_database *self,
                             struct duckdb_handle *connection, const char *sql,
                             const struct store_value *parameter, enum error_code otherwise,
                             struct error *error) MUST_USE;
/* The next chunk that has rows. STATUS_END: there is none. */
enum status duckdb_rows_next(struct duckdb_rows *rows, enum error_code otherwise,
                             struct error *error) MUST_USE;
void duckdb_rows_close(struct duckdb_rows *rows);

/* A whole result, for catalogues and other small ones: `count` rows of `width` cells; frees the
 * query. */
struct duckdb_table_of_cells {
    struct cell *cells;
    uint32_t width;
    uint32_t count;
};
enum status duckdb_read_all(struct duckdb_database *self, struct duckdb_handle *connection,
                            struct buffer *sql, enum error_code otherwise, struct arena *arena,
                            struct duckdb_table_of_cells *table, struct error *error) MUST_USE;
/* The one number of a query, which is freed. */
enum status duckdb_ask_number(struct duckdb_database *self, struct duckdb_handle *connection,
                              struct buffer *sql, enum error_code otherwise, int64_t *number,
                              struct error *error) MUST_USE;
/* The text of a TEXT cell with a NUL behind it, in the arena; NULL of any other. */
const char *duckdb_text_of(const struct cell *cell, struct arena *arena);

/* ---------------------------------------------------------------- type.c */

/* How the values of a type lie in vectors. */
struct duckdb_form {
    enum duckdb_type_id id;
    enum duckdb_type_id kept; /* DECIMAL, ENUM: as which numbers */
    struct value_type type;
    bool as_text; /* a type that is not read from vectors: its column is asked for as text */
    uint32_t array_size;
    const struct duckdb_form *children; /* LIST, ARRAY: one; MAP: key and value; STRUCT, UNION */
    const struct cell *names;           /* STRUCT, UNION: of the children; ENUM: its labels */
    uint32_t child_count;
    uint32_t name_count;
};

/* The form of a type of the library's; in `arena`. */
void duckdb_form_make(const struct duckdb_library *library, struct duckdb_handle *type,
                      struct arena *arena, struct duckdb_form *form);
/* The forms of all columns of a result. */
struct duckdb_form *duckdb_forms_of(struct duckdb_rows *rows, struct arena *arena, uint32_t *count);
/* "DECIMAL(10,2)": what a column of a target is declared as for values of this type. */
void duckdb_append_type(struct buffer *out, const struct value_type *type);
enum { DUCKDB_MAPPINGS = 23 };
extern const struct type_mapping duckdb_types[DUCKDB_MAPPINGS];

/* ---------------------------------------------------------------- read.c */

/* Cells of `count` rows of a vector from `first` on; those of one row and the next are `stride`
 * apart. ERROR_MEMORY: there is none for a value. */
enum status duckdb_read(const struct duckdb_library *library, const struct duckdb_form *form,
                        struct duckdb_handle *vector, uint64_t first, uint32_t count,
                        struct arena *arena, struct cell *cells, uint32_t stride,
                        struct error *error) MUST_USE;

/* ---------------------------------------------------------------- catalog.c */

/* A table, with what its schema does not say of its columns. */
struct duckdb_table {
    const struct schema_table *schema;
    const struct duckdb_form *forms;         /* of the columns */
    const struct column_list *check_columns; /* of each of the schema's checks */
    struct column_list key;                  /* primary, or unique and never NULL; empty: none */
};
struct duckdb_catalog {
    struct schema *schema;
    const struct duckdb_table *tables; /* in the schema's order */
};

static inline const struct duckdb_table *duckdb_facts_of(const struct sql_table *table)
{
    return (const struct duckdb_table *)(const void *)table->facts;
}
static inline struct sql_table duckdb_table_of(const struct duckdb_table *table)
{
    return (struct sql_table){.schema = table->schema,
                              .key = table->key,
                              .row_estimate = table->schema->row_count,
                              .facts = (const struct sql_facts *)(const void *)table};
}
/* Reads the catalogue, or of it one table. In `arena`. */
enum status duckdb_catalog_read(struct duckdb_database *self, struct duckdb_handle *connection,
                                const char *only, struct arena *arena,
                                struct duckdb_catalog *catalog, struct error *error) MUST_USE;
enum status duckdb_catalog_get(struct duckdb_database *self, const struct duckdb_catalog **catalog,
                               struct error *error) MUST_USE;
const struct duckdb_table *duckdb_catalog_find(const struct duckdb_catalog *catalog,
                                               const char *name);
/* -1: there is none. */
int32_t duckdb_find_column(const struct duckdb_table *table, const char *name);
enum status duckdb_describe_query(struct duckdb_database *self, struct duckdb_handle *connection,
                                  const char *query, struct arena *arena,
                                  struct schema_table *schema, struct duckdb_form **forms,
                                  struct error *error) MUST_USE;
extern const struct catalog_functions duckdb_catalog_functions;

/* ---------------------------------------------------------------- request.c, split.c, reader.c */

extern const struct sql_dialect duckdb_dialect;
extern const struct sql_quoting duckdb_quoting;
extern const struct sql_rules duckdb_rules;

enum status duckdb_look_at_stream(struct sql_database *self, const struct read_request *request,
                                  const struct sql_table *table, struct stream_facts *facts,
                                  bool *numbers, struct error *error);
enum status duckdb_count_source(struct sql_database *self, const struct sql_table *table,
                                bool stops, int64_t *rows, struct error *error);
enum status duckdb_split(struct database *self, const struct read_request *request,
                         uint64_t rows_wanted, struct arena *arena, struct span **spans,
                         uint32_t *span_count, struct error *error);
/* " WHERE …" of a span; nothing if it is everything. */
enum status duckdb_span_append(struct buffer *sql, const struct span *span,
                               const struct duckdb_table *table, struct error *error) MUST_USE;
/* A request as a SELECT, and the forms of its columns. */
struct duckdb_select {
    struct sql_select base;
    struct duckdb_form *forms;
};
enum status duckdb_request_compile(struct duckdb_database *self, struct duckdb_handle *connection,
                                   const struct read_request *request, const struct span *span,
                                   struct arena *arena, struct duckdb_select *select,
                                   struct error *error) MUST_USE;
enum status duckdb_since_query(struct database *self, const struct read_request *request,
                               struct buffer *query, struct error *error);
/* How literals of keys are written. */
struct sql_by_key_words duckdb_by_key_words(const struct sql_database *self);
/* The expression that a result's column is asked for by: its own name, or as text. */
void duckdb_append_selected(struct buffer *sql, const struct duckdb_form *form, const char *alias,
                            const char *name);
extern const struct source_functions duckdb_source_functions;

/* ---------------------------------------------------------------- duckdb.c */

/* The row's place as a column: what tells rows of a table without a key apart. */
#define DUCKDB_ROWID "rowid"

#endif
