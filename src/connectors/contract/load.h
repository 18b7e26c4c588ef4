/* The contract: how hard a server is at work, for runs that give way to its users. */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_LOAD_H
#define TRANSHUME_CONNECTORS_CONTRACT_LOAD_H

#include "connectors/contract/database.h"

/* The work of others on a server; that of this database's own connections is not counted. Below 0:
 * not known. */
struct database_load {
    double lag_s;       /* of the replica that is furthest behind, or the server's own if it is one;
                           INFINITY: replication stands still */
    int64_t running;    /* statements under way */
    double statement_s; /* since the longest of them began */
    const char *grant;  /* what would tell the rest: "GRANT …"; NULL: nothing would */
};

struct load_watch; /* a connection of its own; one thread */

struct load_functions {
    enum status (*open)(struct database *self, struct load_watch **watch, struct error *error);
    /* Asked once a second. A connection that broke is made anew by the next call. */
    enum status (*ask)(struct load_watch *watch, struct database_load *load, struct error *error);
    void (*close)(struct load_watch *watch); /* takes NULL */
};

#endif
