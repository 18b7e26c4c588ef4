/*
 * DataStax Astra's secure connect bundle: a ZIP file with config.json, ca.crt, cert and key. Its
 * nodes are reached through one proxy, over TLS with the client's certificate; a node's host id is
 * the server name (SNI) of its connections. Which ids there are, the metadata service says (HTTPS,
 * the same certificates).
 */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_BUNDLE_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_BUNDLE_H

#include "base/error.h"
#include "net/stream.h"
#include <stddef.h>
#include <stdint.h>

struct cql_bundle;

/* Reads the file and asks the metadata service. ERROR_BAD_VALUE: the file is no such bundle, or
 * larger than one can be; ERROR_NETWORK, ERROR_TLS, ERROR_NETWORK_ANSWER: the service. */
enum status cql_bundle_open(const char *path, int64_t timeout_ms, struct cql_bundle **bundle,
                            struct error *error) MUST_USE;
/* NULL is fine; no session may use it any more. */
void cql_bundle_close(struct cql_bundle *bundle);

const struct stream_tls *cql_bundle_tls(const struct cql_bundle *bundle);
const char *cql_bundle_proxy_host(const struct cql_bundle *bundle);
uint16_t cql_bundle_proxy_port(const struct cql_bundle *bundle);
const char *cql_bundle_local_dc(const struct cql_bundle *bundle);
/* The contact points' host ids. */
size_t cql_bundle_contact_count(const struct cql_bundle *bundle);
const char *cql_bundle_contact(const struct cql_bundle *bundle, size_t index);

#endif
