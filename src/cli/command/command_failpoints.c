/* transhume failpoints: every place at which a test can make the program die or fail. */
#include "cli/cli.h"

#include "cli/parts.h"
#include "connectors/common/registry.h"
#include <string.h>

struct listing {
    struct buffer *out;
    bool json;
    bool first;
};

/* Connectors of files share places, which are the first one's. */
static bool is_listed(uint32_t before, const char *name)
{
    for (uint32_t i = 0; i < before; i++) {
        const char *const *known = registry_at(i)->failpoints;
        while (known != NULL && *known != NULL && strcmp(*known, name) != 0) {
            known++;
        }
        if (known != NULL && *known != NULL) {
            return true;
        }
    }
    return false;
}

/* `number` is the owner's in the registry. */
static void command_failpoints_list(struct listing *listing, const char *owner, uint32_t number,
                                    const char *const *names)
{
    for (; names != NULL && *names != NULL; names++) {
        if (is_listed(number, *names)) {
            continue;
        }
        if (listing->json) {
            buffer_format(listing->out, "%s{\"name\":\"%s\",\"of\":\"%s\"}",
                          listing->first ? "" : ",", *names, owner);
        } else {
            buffer_format(listing->out, "%s\n", *names);
        }
        listing->first = false;
    }
}

int command_failpoints(struct cli_call *call)
{
    registry_load_all();
    struct buffer out = {0};
    struct listing listing = {&out, cli_switch(call, CLI_JSON), true};
    buffer_append_string(&out, listing.json ? "{\"format\":1,\"failpoints\":[" : "");
    command_failpoints_list(&listing, "engine", 0, run_failpoints());
    for (size_t i = 0; i < 2 && cli_part_evolve.failpoints[i] != NULL; i++) {
        command_failpoints_list(&listing, "evolve", 0, cli_part_evolve.failpoints[i]());
    }
    for (uint32_t i = 0; i < registry_count(); i++) {
        const struct connector *connector = registry_at(i);
        command_failpoints_list(&listing, connector->name, i, connector->failpoints);
    }
    buffer_append_string(&out, listing.json ? "]}\n" : "");
    return cli_finish(&out, EXIT_DONE);
}
