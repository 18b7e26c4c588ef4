/* Signatures, settings and credentials, as src/net makes them. */
#include "net_probe.h"

json_t *probe_sign(const json_t *request)
{
    (void)request;
    return NULL;
}

json_t *probe_config(const json_t *request)
{
    (void)request;
    return NULL;
}

json_t *probe_credentials(const json_t *request)
{
    (void)request;
    return NULL;
}
