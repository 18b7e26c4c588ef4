/* Opening a SQL server's database, and how its connections are kept from others. */
#ifndef TRANSHUME_CONNECTORS_SQL_LINK_H
#define TRANSHUME_CONNECTORS_SQL_LINK_H

#include "base/error.h"
#include "connectors/contract/connector.h"

/* The security of a connected socket over which nothing encrypts. */
enum link_security sql_link_in_clear(int descriptor);
/* database.server of what a server says of itself: product "MariaDB" and version "10.11.6-MariaDB"
 * are "MariaDB 10.11.6". */
void sql_name_server(struct database *database, const char *product, const char *version);

/* ---------------------------------------------------------------- opening */

/* Is it this machine, by its name or address? So is no name at all. */
bool sql_is_local(const char *host);
/* The file of the authorities that the system trusts; NULL: there is none. */
const char *sql_system_roots(void);
/* The server can't be used as this: SOURCE_INVALID or TARGET_INVALID. */
enum status sql_refuse_server(enum open_mode mode, const char *shown, const char *why,
                              struct error *error);

/* ---------------------------------------------------------------- the express lane */

/* After a call to the source within a pull. What failed there is no failure of the target:
 * STATUS_AGAIN, and the general path's readers ask the source again, or say what is the matter. */
enum status sql_leave_to_readers(const char *table, enum status status,
                                 struct error *error) MUST_USE;

#endif
