/* How a connection to a SQL server is kept from others. */
#include "connectors/sql/link.h"
#include "net/http.h"
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static bool is_loopback(const struct sockaddr_storage *address, socklen_t length)
{
    char host[NI_MAXHOST];
    return getnameinfo((const struct sockaddr *)address, length, host, sizeof host, NULL, 0,
                       NI_NUMERICHOST) == 0 &&
           http_host_is_loopback(host);
}

enum link_security sql_link_in_clear(int descriptor)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    if (getpeername(descriptor, (struct sockaddr *)&address, &length) != 0) {
        return LINK_PLAINTEXT;
    }
    return address.ss_family == AF_UNIX    ? LINK_LOCAL_SOCKET
           : is_loopback(&address, length) ? LINK_PLAINTEXT_LOOPBACK
                                           : LINK_PLAINTEXT;
}

void sql_name_server(struct database *database, const char *product, const char *version)
{
    const char *known = version != NULL ? version : "";
    snprintf(database->server, sizeof database->server, "%s%s%.*s", product,
             known[0] != '\0' ? " " : "", (int)strcspn(known, "- "), known);
}
