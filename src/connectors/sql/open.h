/* What opening a SQL server's database asks, whichever server it is. */
#ifndef TRANSHUME_CONNECTORS_SQL_OPEN_H
#define TRANSHUME_CONNECTORS_SQL_OPEN_H

#include "connectors/connector.h"

/* Is it this machine, by its name or address? So is no name at all. */
bool sql_is_local(const char *host);
/* The file of the authorities that the system trusts; NULL: there is none. */
const char *sql_system_roots(void);
/* The server can't be used as this: SOURCE_INVALID or TARGET_INVALID. */
enum status sql_refuse_server(enum open_mode mode, const char *shown, const char *why,
                              struct error *error);

#endif
