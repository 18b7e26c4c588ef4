/* Opening a SQL server's database, and how its connections are kept from others. */
#include "connectors/sql/link.h"
#include "base/log.h"
#include "net/http.h"
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* ---------------------------------------------------------------- opening */

bool sql_is_local(const char *host)
{
    return host == NULL || host[0] == '\0' || strcmp(host, "localhost") == 0 ||
           strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

const char *sql_system_roots(void)
{
    static const char roots[] = "/etc/ssl/certs/ca-certificates.crt";
    return access(roots, R_OK) == 0 ? roots : NULL;
}

enum status sql_refuse_server(enum open_mode mode, const char *shown, const char *why,
                              struct error *error)
{
    return error_set(error, mode == OPEN_SOURCE ? ERROR_SOURCE_INVALID : ERROR_TARGET_INVALID,
                     shown, "%s", why);
}

/* ---------------------------------------------------------------- the express lane */

enum status sql_leave_to_readers(const char *table, enum status status, struct error *error)
{
    if (status != STATUS_FAILED || error->code == ERROR_INTERRUPTED ||
        error->code == ERROR_MEMORY) {
        return status;
    }
    log_write(LOG_INFO, "%s: the source broke off while the target pulled: %s: %s", table,
              error->object, error->message);
    error_clear(error);
    return STATUS_AGAIN;
}
