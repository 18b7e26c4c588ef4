/* What opening a SQL server's database asks, whichever server it is. */
#include "connectors/sql/open.h"
#include <string.h>
#include <unistd.h>

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
