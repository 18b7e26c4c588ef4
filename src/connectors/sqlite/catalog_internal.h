/* How the catalogue of a SQLite file is read: what its parts share. */
#ifndef TRANSHUME_CONNECTORS_SQLITE_CATALOG_INTERNAL_H
#define TRANSHUME_CONNECTORS_SQLITE_CATALOG_INTERNAL_H

#include "connectors/sqlite/source.h"

enum catalog_query {
    SQL_TABLES,
    SQL_COLUMNS,
    SQL_INDEXES,
    SQL_INDEX_COLUMNS,
    SQL_FOREIGN_KEYS,
    SQL_OBJECTS,
    SQL_COUNT
};

struct catalog_builder {
    struct sqlite_database *self;
    sqlite3 *connection;
    struct arena *arena;
    sqlite3_stmt *statements[SQL_COUNT];
    struct buffer tables;  /* struct schema_table */
    struct buffer facts;   /* struct catalog_table */
    struct buffer objects; /* struct schema_object */
    bool utf8;
    struct error *error;
};

/* catalog_rows.c */
/* STATUS_FAILED: what SQLite says of the connection; `name` may be NULL. */
enum status catalog_fail(struct catalog_builder *builder, const char *name);
/* The row's text; NULL where it is NULL. The copies live in the arena; the list's buffer is
 * freed. */
const char *catalog_copy_text(struct catalog_builder *builder, sqlite3_stmt *row, int column);
void *catalog_copy_list(struct catalog_builder *builder, struct buffer *list);
/* The query anew, about the table or index of that name. */
sqlite3_stmt *catalog_ask(struct catalog_builder *builder, enum catalog_query query,
                          const char *name);

/* catalog_columns.c */
enum status catalog_read_columns(struct catalog_builder *builder, struct schema_table *table,
                                 struct catalog_table *facts, bool strict) MUST_USE;

/* catalog_keys.c; `*key_index`: the primary key has an index of its own */
enum status catalog_read_indexes(struct catalog_builder *builder, struct schema_table *table,
                                 struct catalog_table *facts, bool without_rowid,
                                 bool *key_index) MUST_USE;
enum status catalog_read_foreign_keys(struct catalog_builder *builder, struct schema_table *table,
                                      const struct create_facts *text) MUST_USE;
/* Names the referenced table as it names itself, and its primary key where none is named. */
void catalog_resolve_foreign_keys(const struct catalog *catalog);
/* The columns that name a row, and which columns can't be NULL for that. */
void catalog_settle_keys(struct schema_table *table, struct catalog_table *facts,
                         bool without_rowid, bool strict, bool key_index);

/* catalog_objects.c */
void catalog_add_object(struct catalog_builder *builder, enum schema_object_kind kind,
                        const char *name, const char *table, const char *sql,
                        const char *not_carried);
enum status catalog_read_objects(struct catalog_builder *builder) MUST_USE;
/* One for each AUTOINCREMENT table, whether it has given a number yet or not. */
enum status catalog_read_sequences(struct catalog_builder *builder) MUST_USE;

#endif
