#include "connectors/keyed/opening.h"

#include "base/memory.h"
#include "base/text.h"
#include "connectors/common/registry.h"
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- opening */

enum status keyed_open(const struct keyed_opening *opening, const struct open_options *options,
                       struct database **database, struct error *error)
{
    struct keyed_database *made = memory_allocate_zeroed(1, opening->bytes);
    *database = NULL;
    made->base.connector = opening->connector;
    made->base.capabilities = opening->connector->capabilities;
    made->base.limits = opening->limits;
    keyed_room_init(made, opening->service, options);
    made->mode = options->mode;
    made->uri = options->uri;
    made->catalog_tables = options->catalog_tables;
    made->arena = arena_create(0);
    pthread_mutex_init(&made->control_mutex, NULL);
    pthread_mutex_init(&made->mutex, NULL);
    if (options->mode == OPEN_TARGET) {
        int64_t lease_ms = (int64_t)keyed_option_number(made, "lease") * 1000;
        int64_t least_ms = 2 * options->timeout_ms;
        made->base.lease_ms = lease_ms > least_ms ? lease_ms : least_ms;
    }
    if (opening->connect(&made->base, options, error) != STATUS_OK) {
        opening->connector->close(&made->base);
        return STATUS_FAILED;
    }
    *database = &made->base;
    return STATUS_OK;
}

void keyed_close(struct keyed_database *self)
{
    pthread_mutex_destroy(&self->control_mutex);
    pthread_mutex_destroy(&self->mutex);
    arena_destroy(self->arena);
    free(self);
}

/* ---------------------------------------------------------------- options */

const char *keyed_option(const struct keyed_database *self, const char *name)
{
    return uri_parameter(self->uri, self->base.connector, name);
}

bool keyed_option_is_on(const struct keyed_database *self, const char *name)
{
    const char *value = keyed_option(self, name);
    return value != NULL && (strcmp(value, "true") == 0 || strcmp(value, "yes") == 0);
}

uint64_t keyed_option_number(const struct keyed_database *self, const char *name)
{
    const char *text = keyed_option(self, name);
    uint64_t number = 0;
    return text != NULL && text_to_bytes(text, &number) == STATUS_OK ? number : 0;
}

enum status keyed_refuse_option(const struct keyed_database *self, const char *what,
                                struct error *error)
{
    error_set(error, ERROR_BAD_VALUE, self->uri->shown, "%s", what);
    return error_hint(error, "`transhume connectors %s` lists the options",
                      self->base.connector->name);
}

/* ---------------------------------------------------------------- places */

static bool read_place(const char *text, size_t length, struct arena *arena,
                       struct keyed_place *place)
{
    const char *end = text + length;
    const char *close = length > 0 && *text == '[' ? memchr(text, ']', length) : NULL;
    const char *colon = close != NULL ? close + 1 : memchr(text, ':', length);
    uint64_t port = 0;
    colon = colon != NULL && colon < end && *colon == ':' ? colon : NULL;
    if (colon != NULL &&
        (text_to_uint64(colon + 1, (size_t)(end - colon) - 1, &port) != STATUS_OK || port < 1 ||
         port > UINT16_MAX)) {
        return false;
    }
    const char *last = close != NULL ? close : colon != NULL ? colon : end;
    text += close != NULL;
    if (last <= text) {
        return false;
    }
    *place = (struct keyed_place){arena_copy(arena, text, (size_t)(last - text)), (uint16_t)port};
    return true;
}

bool keyed_places_read(const char *list, struct arena *arena, struct keyed_place *places,
                       uint32_t places_max, uint32_t *count)
{
    while (list != NULL && *list != '\0') {
        size_t length = strcspn(list, ",");
        if (*count == places_max || !read_place(list, length, arena, &places[*count])) {
            return false;
        }
        ++*count;
        list += length + (list[length] == ',');
    }
    return true;
}

bool keyed_hosts_read(const struct keyed_database *self, struct keyed_place *places,
                      uint32_t places_max, uint32_t *count)
{
    const char *hosts = self->uri->host;
    /* an IPv6 address of the URI has lost its brackets */
    if (hosts != NULL && strchr(hosts, ':') != NULL && strchr(hosts, ',') == NULL) {
        places[(*count)++] = (struct keyed_place){hosts, 0};
        return true;
    }
    return keyed_places_read(hosts, self->arena, places, places_max, count);
}
