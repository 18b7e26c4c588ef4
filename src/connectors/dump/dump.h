/*
 * dump:FILE, a dump of a SQL database as a source: what pg_dump, mysqldump, mariadb-dump and the
 * .dump of SQLite's shell write. No server is needed.
 *
 *   FILE        a SQL script, plain or packed by gzip or zstd; or an archive of pg_dump (-Fc, -Fd,
 *               -Ft), whose script `pg_restore -f -` prints while it is read
 *
 * Opening reads the script through once and makes an inventory of it: statements of DDL become the
 * schema (sql/ddl.h), and of rows only their places are kept:
 *
 *   COPY t (a, b) FROM stdin;       header
 *   1<TAB>x<LF>                     row, row, …      ─┐ a segment: about SEGMENT_BYTES of rows
 *   2<TAB>y<LF>                                      ─┘ of one header
 *   \.
 *   INSERT INTO t VALUES            header: as long as the next statement begins with the same
 *   (1,'x'),(2,'y');                bytes, its rows belong to the same segments
 *
 * A span is some of a table's segments. Offsets count in the script, so a packed one or an archive
 * is unpacked once into the run's spill folder; where there is none (check, init), its rows are
 * reached by reading from the beginning.
 */
#ifndef TRANSHUME_CONNECTORS_DUMP_DUMP_H
#define TRANSHUME_CONNECTORS_DUMP_DUMP_H

#include "base/buffer.h"
#include "connectors/contract/connector.h"
#include "connectors/dump/dump_input.h"
#include "connectors/folder/folder_stage.h"
#include "sql/lexer.h"

struct time_zone;

enum { DUMP_SEGMENT_BYTES = 256 * 1024, DUMP_STATEMENT_BYTES_MAX = 64 << 20 };

/* The settings that the statements before them make for the rows that follow. */
struct dump_session {
    bool backslashes;             /* escape in strings */
    bool double_quotes;           /* MySQL: "x" is a string */
    const char *encoding;         /* of strings, in iconv's words; NULL: UTF-8 */
    bool zone_known;              /* of MySQL's timestamps */
    const struct time_zone *zone; /* NULL: UTC */
    const char *space;            /* of tables that say none: SET search_path; NULL: not known */
};

/* The head of rows: one COPY, or INSERTs that begin alike. */
struct dump_header {
    uint32_t table; /* in the inventory's list */
    uint32_t line;
    bool copy;
    struct dump_session session;
    struct column_list columns; /* none: all that the table has */
    const char *text;           /* of an INSERT: from its first word to VALUES */
    size_t length;
};

/* Rows that follow one another in the script. */
struct dump_segment {
    uint64_t begin; /* of the first row */
    uint64_t end;
    uint32_t header;
    uint32_t line; /* of the first row */
    uint32_t rows;
};

/* A table that rows are of, as the statements call it. */
struct dump_table {
    const char *space; /* NULL: not said */
    const char *name;
    uint32_t line;          /* of its first rows */
    struct buffer segments; /* struct dump_segment */
};

/* A table of the schema with all of its rows; a partition's are its parent's. */
struct dump_stream {
    const struct dump_segment *segments;
    uint32_t segment_count;
    uint64_t rows;
    uint64_t bytes;
    struct column_list columns; /* of the table as the script makes it, generated ones too */
    struct column_list stored;  /* without the generated ones, whose values are in no dump */
};

struct dump_inventory {
    struct arena *arena;
    enum sql_language language;
    struct buffer tables;  /* struct dump_table */
    struct buffer headers; /* struct dump_header */
    struct schema schema;
    struct dump_stream *streams; /* one a table of the schema */
};

struct dump_database {
    struct database base;
    struct arena *arena;
    const char *shown;
    struct folder_stage *stage; /* what was fetched of S3; NULL: the file is local */
    struct dump_input *input;
    bool language_given;
    enum sql_language language;
    uint64_t record_bytes_max;
    struct dump_session session; /* as the options say */
    struct dump_inventory inventory;
    struct dump_tested *tested; /* dump_holds.c: what is known of columns' values */
};

extern const struct connector connector_dump;
extern const struct catalog_functions dump_catalog;
extern const struct source_functions dump_source;

static inline const struct dump_header *dump_header_at(const struct dump_inventory *inventory,
                                                       uint32_t at)
{
    return (const struct dump_header *)(const void *)inventory->headers.data + at;
}

/* ---------------------------------------------------------------- dump_inventory.c */

/* Reads the script through. What it does not understand is ERROR_SOURCE_INVALID with the file and
 * the line. Control thread. */
enum status dump_inventory_read(struct dump_database *self, struct error *error) MUST_USE;
void dump_inventory_free(struct dump_inventory *inventory);
/* Were there rows of any table, so far? */
bool dump_inventory_has_rows(const struct dump_inventory *inventory);
/* DROP TABLE: those that the script had of it so far. `space` may be NULL. */
void dump_inventory_drop_rows(struct dump_inventory *inventory, const char *space,
                              const char *name);
/* "FILE:LINE"; any thread. */
struct dump_place {
    char text[256];
};
struct dump_place dump_place(const struct dump_database *self, uint32_t line);

/* ---------------------------------------------------------------- dump_schema.c */

/* Where a line of dump_ddl.text stands in the script. */
struct dump_ddl_line {
    uint32_t line;
    uint32_t script_line;
};

/* The rows of one are the other's; "space.name", or the name alone where no schema is said. */
struct dump_partition {
    const char *child;
    const char *parent;
};

/* The statements of DDL and what they made, gathered while the script is read. */
struct dump_ddl {
    struct buffer text;       /* the statements about tables, one behind another */
    uint32_t text_lines;      /* in it */
    bool begun;               /* it says more than where names stand */
    struct buffer lines;      /* struct dump_ddl_line, by `line` */
    struct buffer left;       /* struct schema_object: what is not carried */
    struct buffer partitions; /* struct dump_partition */
    const char *database;     /* that the script went to: USE, \connect */
};

struct sql_piece;
/* Takes a statement that is neither of rows nor of the session. */
enum status dump_ddl_add(struct dump_database *self, struct dump_ddl *ddl,
                         const struct sql_piece *piece, struct error *error) MUST_USE;
/* Large objects, rows of a virtual table: a thing that the script has and nothing takes; told once.
 */
void dump_ddl_leave(struct dump_database *self, struct dump_ddl *ddl, enum schema_object_kind kind,
                    const char *what, const char *name, const char *why);
void dump_ddl_free(struct dump_ddl *ddl);

/* ---------------------------------------------------------------- dump_tables.c */

/* Makes inventory->schema and the streams. */
enum status dump_tables_make(struct dump_database *self, struct dump_ddl *ddl,
                             struct error *error) MUST_USE;
/* The place of a column: bytewise, else without ASCII case; -1: it is not there. */
int32_t dump_find_name(struct column_list columns, const char *name);
/* NULL: there is no such table, and `error` says so. */
const struct schema_table *dump_tables_find(const struct dump_database *self, const char *name,
                                            const struct dump_stream **stream, struct error *error);

/* ---------------------------------------------------------------- dump_holds.c */

/* source_functions.holds: reads a table through at the first question about it. */
enum status dump_holds(struct database *database, const char *table, const char *column,
                       enum value_test test, bool *holds, struct error *error);

/* ---------------------------------------------------------------- dump_session.c */

/* How a script of that dialect begins. */
struct dump_session dump_session_default(enum sql_language language);
/* SET of what changes the meaning of rows; other statements change nothing. */
enum status dump_session_set(struct dump_database *self, struct dump_session *session,
                             const struct sql_piece *piece, struct error *error) MUST_USE;

#endif
