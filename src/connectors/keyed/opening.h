/* Opening a database of the room, and what the options of its URI say. */
#ifndef TRANSHUME_CONNECTORS_KEYED_OPENING_H
#define TRANSHUME_CONNECTORS_KEYED_OPENING_H

#include "connectors/keyed/keyed.h"

struct keyed_opening {
    const struct connector *connector;
    const struct keyed_service *service;
    struct connector_limits limits;
    size_t bytes; /* of the connector's own struct, whose head is struct keyed_database */
    /* Reads the options and goes to the server. What fails is closed by connector->close. */
    enum status (*connect)(struct database *self, const struct open_options *options,
                           struct error *error);
};

/* connector.open. A target has the lease that its option `lease` says, and twice the timeout at
 * least. */
enum status keyed_open(const struct keyed_opening *opening, const struct open_options *options,
                       struct database **database, struct error *error) MUST_USE;
/* The end of connector.close, once all that is the connector's own is gone. */
void keyed_close(struct keyed_database *self);

/* The option's value or its default; NULL if neither. */
const char *keyed_option(const struct keyed_database *self, const char *name);
bool keyed_option_is_on(const struct keyed_database *self, const char *name);
uint64_t keyed_option_number(const struct keyed_database *self, const char *name); /* 0: none */
/* ERROR_BAD_VALUE */
enum status keyed_refuse_option(const struct keyed_database *self, const char *what,
                                struct error *error);

struct keyed_place {
    const char *host;
    uint16_t port; /* 0: it is not said */
};
/* The hosts of the URI, as keyed_places_read reads them. */
bool keyed_hosts_read(const struct keyed_database *self, struct keyed_place *places,
                      uint32_t places_max, uint32_t *count);
/* HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT, with commas between them, behind what is there
 * already; NULL: none. False: it is written otherwise, or there are more than `places_max`. */
bool keyed_places_read(const char *list, struct arena *arena, struct keyed_place *places,
                       uint32_t places_max, uint32_t *count);

#endif
