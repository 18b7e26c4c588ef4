/* The dialects of SQL. */
#ifndef TRANSHUME_SQL_LANGUAGE_H
#define TRANSHUME_SQL_LANGUAGE_H

/* SQL_CQL is for splitting and classifying only; the reader of schemas does not know it. */
enum sql_language { SQL_POSTGRES, SQL_MYSQL, SQL_SQLITE, SQL_CQL };

#endif
