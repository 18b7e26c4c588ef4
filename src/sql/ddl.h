/* Tables as a file of DDL has them: as pg_dump, mysqldump and SQLite's .schema print them, and as
 * people write them. */
#ifndef TRANSHUME_SQL_DDL_H
#define TRANSHUME_SQL_DDL_H

#include "base/findings.h"
#include "model/schema.h"
#include "sql/lexer.h"

struct sql_ddl_report {
    uint64_t statements;      /* read, those below included */
    uint64_t passed_over;     /* that say nothing of tables: SET, INSERT, GRANT, views, functions */
    struct findings findings; /* what was not understood: "expected a column's name, not ," */
};

/*
 * Reads CREATE TABLE, CREATE INDEX, CREATE TYPE and DOMAIN, ALTER TABLE, DROP TABLE and COMMENT
 * into a schema of the given arena. What is not understood is skipped up to the next comma or the
 * statement's end, and reported; a table whose columns could be read is in the schema all
 * the same. Tables of the main schema ("public", else the one with most tables) and of none have
 * their names alone, others are "schema.table". Row counts and sizes are not known (-1).
 */
void sql_ddl_read(enum sql_language language, const char *text, size_t length, struct arena *arena,
                  struct schema *schema, struct sql_ddl_report *report);

#endif
