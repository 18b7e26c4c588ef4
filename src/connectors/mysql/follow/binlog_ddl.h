/* Statements of the binary log that change tables as a whole: which, and what is done to them. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_FOLLOW_BINLOG_DDL_H
#define TRANSHUME_CONNECTORS_MYSQL_FOLLOW_BINLOG_DDL_H

#include "base/arena.h"
#include "base/text.h"
#include <stdint.h>

enum binlog_deed {
    BINLOG_EMPTIES = 1,   /* TRUNCATE */
    BINLOG_REPLACES = 2,  /* dropped, made again, renamed; a partition's rows come or go */
    BINLOG_ACTS = 4,      /* a foreign key changes rows by itself from now on */
    BINLOG_REDEFINES = 8, /* columns have other types, names or character sets from now on */
    BINLOG_REWRITES = 16, /* rows may have other values: such a column, or one was dropped */
    BINLOG_DEFINES = 32,  /* a table was made or altered, in any way */
};
struct binlog_table_name {
    const char *database; /* NULL: the session's */
    const char *table;    /* NULL: all of the database */
};
struct binlog_ddl {
    unsigned deeds; /* enum binlog_deed; 0: none of these */
    struct binlog_table_name *tables;
    uint32_t table_count;
};
/* Temporary tables are not told. `ddl` lives in the arena. */
void binlog_read_ddl(struct text statement, struct arena *arena, struct binlog_ddl *ddl);

#endif
