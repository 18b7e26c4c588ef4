/* transhume failpoints: every place at which a test can make the program die or fail. */
#include "cli/cli.h"

#include "connectors/registry.h"

struct listing {
    struct buffer *out;
    bool json;
    bool first;
};

static void list(struct listing *listing, const char *owner, const char *const *names)
{
    for (; names != NULL && *names != NULL; names++) {
        if (listing->json) {
            buffer_format(listing->out, "%s{\"name\":\"%s\",\"of\":\"%s\"}",
                          listing->first ? "" : ",", *names, owner);
        } else {
            buffer_format(listing->out, "%s\n", *names);
        }
        listing->first = false;
    }
}

/* Connectors of files share one list, which is the first one's. */
static bool is_listed(uint32_t before, const char *const *names)
{
    for (uint32_t i = 0; i < before; i++) {
        if (registry_at(i)->failpoints == names) {
            return true;
        }
    }
    return false;
}

int command_failpoints(struct cli_call *call)
{
    struct buffer out = {0};
    struct listing listing = {&out, cli_switch(call, CLI_JSON), true};
    buffer_append_string(&out, listing.json ? "{\"format\":1,\"failpoints\":[" : "");
    list(&listing, "engine", run_failpoints());
    for (uint32_t i = 0; i < registry_count(); i++) {
        const struct connector *connector = registry_at(i);
        if (!is_listed(i, connector->failpoints)) {
            list(&listing, connector->name, connector->failpoints);
        }
    }
    buffer_append_string(&out, listing.json ? "]}\n" : "");
    return cli_finish(&out, 0);
}
