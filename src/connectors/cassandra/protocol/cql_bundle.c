#include "connectors/cassandra/protocol/cql_bundle.h"

#include <stdlib.h>

struct cql_bundle {
    struct stream_tls *tls;
    char *proxy_host;
    uint16_t proxy_port;
    char *local_dc;
    char **contacts;
    size_t contact_count;
};

enum status cql_bundle_open(const char *path, int64_t timeout_ms, struct cql_bundle **bundle,
                            struct error *error)
{
    (void)timeout_ms;
    (void)bundle;
    return error_set(error, ERROR_NOT_IMPLEMENTED, path,
                     "secure connect bundles cannot be read yet");
}

void cql_bundle_close(struct cql_bundle *bundle)
{
    if (bundle == NULL) {
        return;
    }
    for (size_t at = 0; at < bundle->contact_count; at++) {
        free(bundle->contacts[at]);
    }
    stream_tls_destroy(bundle->tls);
    free(bundle->contacts);
    free(bundle->proxy_host);
    free(bundle->local_dc);
    free(bundle);
}

const struct stream_tls *cql_bundle_tls(const struct cql_bundle *bundle)
{
    return bundle->tls;
}

const char *cql_bundle_proxy_host(const struct cql_bundle *bundle)
{
    return bundle->proxy_host;
}

uint16_t cql_bundle_proxy_port(const struct cql_bundle *bundle)
{
    return bundle->proxy_port;
}

const char *cql_bundle_local_dc(const struct cql_bundle *bundle)
{
    return bundle->local_dc;
}

size_t cql_bundle_contact_count(const struct cql_bundle *bundle)
{
    return bundle->contact_count;
}

const char *cql_bundle_contact(const struct cql_bundle *bundle, size_t index)
{
    return bundle->contacts[index];
}
