/* How a connection to a SQL server is kept from others. */
#ifndef TRANSHUME_CONNECTORS_SQL_LINK_H
#define TRANSHUME_CONNECTORS_SQL_LINK_H

#include "connectors/connector.h"

/* Of a connected socket over which nothing encrypts. */
enum link_security sql_link_in_clear(int descriptor);
/* database.server of what a server says of itself: product "MariaDB" and version "10.11.6-MariaDB"
 * are "MariaDB 10.11.6". */
void sql_name_server(struct database *database, const char *product, const char *version);

#endif
