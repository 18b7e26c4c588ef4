/* HOST:PORT, as people write where something listens or is sent to. */
#ifndef TRANSHUME_NET_ADDRESS_H
#define TRANSHUME_NET_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

enum { ADDRESS_HOST_BYTES = 256 };

struct address {
    char host[ADDRESS_HOST_BYTES]; /* without brackets */
    char port[6];                  /* the same number as digits, for getaddrinfo */
    uint16_t number;
};

/*
 * "HOST:PORT" or "[::1]:PORT"; a PORT alone is of `host_default`, or nothing where that is NULL. An
 * IPv6 address has its brackets, and a port is 0 to 65535: what 0 means is the caller's. Whether
 * there is such a host is not asked. False: it is no address.
 */
bool address_split(const char *text, const char *host_default, struct address *address);

#endif
