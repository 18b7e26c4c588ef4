#include "net/address.h"

#include <stdlib.h>
#include <string.h>

static bool take_port(const char *text, struct address *address)
{
    size_t length = strlen(text);
    if (length == 0 || length >= sizeof(address->port) || strspn(text, "0123456789") != length) {
        return false;
    }
    unsigned long number = strtoul(text, NULL, 10);
    memcpy(address->port, text, length + 1);
    address->number = (uint16_t)number;
    return number <= UINT16_MAX;
}

bool address_split(const char *text, const char *host_default, struct address *address)
{
    const char *colon = strrchr(text, ':');
    const char *host = colon != NULL ? text : host_default;
    size_t length = colon != NULL ? (size_t)(colon - text) : 0;
    if (host == NULL || !take_port(colon != NULL ? colon + 1 : text, address)) {
        return false;
    }
    if (colon == NULL) {
        length = strlen(host);
    } else if (host[0] == '[' && length > 2 && host[length - 1] == ']') {
        host++;
        length -= 2;
    } else if (memchr(host, ':', length) != NULL || memchr(host, '[', length) != NULL) {
        return false; /* IPv6 without its brackets */
    }
    if (length == 0 || length >= sizeof(address->host)) {
        return false;
    }
    memcpy(address->host, host, length);
    address->host[length] = '\0';
    return true;
}
