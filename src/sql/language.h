/* The dialects of SQL. */
#ifndef TRANSHUME_SQL_LANGUAGE_H
#define TRANSHUME_SQL_LANGUAGE_H

enum sql_language { SQL_POSTGRES, SQL_MYSQL, SQL_SQLITE };

#endif
