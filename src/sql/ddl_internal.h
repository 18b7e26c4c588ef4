/* The parts of the DDL reader. */
#ifndef TRANSHUME_SQL_DDL_INTERNAL_H
#define TRANSHUME_SQL_DDL_INTERNAL_H

#include "base/buffer.h"
#include "base/name_index.h"
#include "sql/cursor.h"
#include "sql/ddl.h"

struct ddl_foreign_key {
    struct schema_foreign_key key;
    const char *space; /* the schema that REFERENCES names; NULL: none */
};

/* A table while it is put together. */
struct ddl_table {
    uint32_t number;            /* in the list of tables */
    const char *name;           /* without its schema, until ddl_finish */
    const char *space;          /* the schema that it is in; NULL: not said */
    struct buffer columns;      /* struct schema_column */
    struct buffer indexes;      /* struct schema_index */
    struct buffer foreign_keys; /* struct ddl_foreign_key */
    struct buffer checks;       /* const char * */
    struct column_list primary_key;
    const char *comment;
    const char *details;
    bool strict;
    bool without_rowid;
    bool descends; /* SQLite: INTEGER PRIMARY KEY DESC, which is not the rowid */
    bool dropped;
};

/* A type that the file itself makes. */
struct ddl_type {
    const char *name;
    struct value_type type;
    const char *base; /* a domain's; NULL: an enum, a composite type */
    bool not_null;
};

struct ddl {
    enum sql_language language;
    struct arena *arena;
    struct buffer tables;         /* struct ddl_table * */
    struct name_index names;      /* the first of a name, in whatever schema */
    struct name_index full_names; /* "schema.table", where one is said */
    struct buffer types;          /* struct ddl_type */
    const char *space;            /* of names that say none: SET search_path; NULL: not known */
    struct sql_ddl_report *report;
};

/* One statement being read. */
struct ddl_reader {
    struct ddl *ddl;
    struct sql_cursor at;
};

/* ---------------------------------------------------------------- ddl.c: tokens */

/* A name; NULL: there is none, which is reported. */
const char *ddl_name(struct ddl_reader *reader, const char *what);
/* "schema.table"; NULL: there is none, which is reported. MySQL's database, SQLite's "main"
 * likewise. A name alone stands in the schema that SET search_path said. */
const char *ddl_qualified_name(struct ddl_reader *reader, const char *what, const char **space);
/* A string's value; NULL: there is none. */
const char *ddl_string(struct ddl_reader *reader);
/* "expected WHAT, not TOKEN", at the next token. */
void ddl_expected(struct ddl_reader *reader, const char *what);
/* ---------------------------------------------------------------- ddl_column.c */

/* A column's type and what stands behind it, of a column with that name: to the comma or the
 * parenthesis that ends it. */
void ddl_read_column(struct ddl_reader *reader, struct ddl_table *table, const char *name);
/* A type alone; its words may be none. Sets type, type_made, base and, of a domain, not_null. */
void ddl_read_type(struct ddl_reader *reader, const struct ddl_table *table,
                   struct schema_column *column);
/* DEFAULT's text, up to what begins another property of the column. */
void ddl_read_default(struct ddl_reader *reader, struct schema_column *column);
/* The meaning of a default, once the type and all else of the column are known. */
void ddl_settle_default(const struct ddl *ddl, struct schema_column *column);

/* ---------------------------------------------------------------- ddl_constraint.c */

/* [CONSTRAINT name] PRIMARY KEY, UNIQUE, KEY, INDEX, FOREIGN KEY, CHECK, EXCLUDE; false: none
 * begins here, and nothing was read. */
bool ddl_read_constraint(struct ddl_reader *reader, struct ddl_table *table);
/* Behind REFERENCES: the table, its columns and what follows. */
void ddl_read_references(struct ddl_reader *reader, struct ddl_table *table, const char *name,
                         struct column_list columns);
/* Behind CREATE, UNIQUE and INDEX. */
void ddl_read_index(struct ddl_reader *reader, bool unique, const char *method);
/* Behind CHECK. */
void ddl_read_check(struct ddl_reader *reader, struct ddl_table *table);
struct column_list ddl_one_column(struct ddl *ddl, const char *name);
void ddl_add_unique(struct ddl_table *table, const char *name, struct column_list columns);

/* ---------------------------------------------------------------- ddl_schema.c */

/* NULL: there is none, or it was dropped. */
struct ddl_table *ddl_find_table(struct ddl *ddl, const char *space, const char *name);
/* Reports that there is no such table, unless one was dropped or attached to another. */
void ddl_report_no_table(struct ddl *ddl, const char *space, const char *name,
                         const struct sql_place *place, const char *to_be);
/* An empty one, which takes the place of one of that name. */
struct ddl_table *ddl_add_table(struct ddl *ddl, const char *space, const char *name);
/* One that has the name already goes. */
void ddl_rename_table(struct ddl *ddl, struct ddl_table *table, const char *name);
struct schema_column *ddl_find_column(const struct ddl *ddl, const struct ddl_table *table,
                                      const char *name);
/* In its keys and indexes, too, and in foreign keys that refer to it. */
void ddl_rename_column(struct ddl *ddl, struct ddl_table *table, struct schema_column *column,
                       const char *name);
uint32_t ddl_column_count(const struct ddl_table *table);
/* Tables in their order, names as the columns have them, foreign keys with what they refer to. */
void ddl_finish(struct ddl *ddl, struct schema *schema);

#endif
