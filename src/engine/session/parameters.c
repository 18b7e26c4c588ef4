/* Adding the options of a settings file to URIs. */
#include "engine/session/parameters.h"

#include "base/log.h"
#include "connectors/common/registry.h"
#include <string.h>

struct side {
    const char **text;
    const struct connector *connector;
    const struct uri *uri;
};

static bool knows(const struct connector *connector, const char *name)
{
    uint32_t i = 0;
    while (i < connector->option_count && strcmp(connector->options[i].name, name) != 0) {
        i++;
    }
    return i < connector->option_count;
}

static bool says(const struct uri *uri, const char *name)
{
    uint32_t i = 0;
    while (i < uri->parameter_count && strcmp(uri->parameters[i].name, name) != 0) {
        i++;
    }
    return i < uri->parameter_count;
}

/* `*used` stays as it is where its connector does not know the parameter. Fails where it does not
 * take the value. */
static enum status session_parameters_add(struct side *side, const struct run_parameter *parameter,
                                          struct arena *arena, bool *used, struct error *error)
{
    const struct connector *ignored = NULL;
    struct uri *uri = NULL;
    if (!knows(side->connector, parameter->name)) {
        return STATUS_OK;
    }
    *used = true;
    if (says(side->uri, parameter->name)) {
        return STATUS_OK;
    }
    char joint = strchr(*side->text, '?') == NULL ? '?' : '&';
    *side->text =
        arena_format(arena, "%s%c%s=%s", *side->text, joint, parameter->name, parameter->value);
    if (registry_resolve(*side->text, arena, &uri, &ignored, error) == STATUS_OK) {
        return STATUS_OK;
    }
    return parameter->said != NULL ? error_context(error, "%s: ", parameter->said) : STATUS_FAILED;
}

static void tell_unused(const struct run_parameter *parameter, const struct connector *source,
                        const struct connector *target)
{
    if (parameter->said == NULL) {
        return;
    }
    bool both = parameter->for_source && parameter->for_target && source != target;
    const char *first = parameter->for_source ? source->title : target->title;
    log_write(LOG_WARNING, "%s is not used by %s%s%s", parameter->said, first, both ? " and " : "",
              both ? target->title : "");
}

enum status parameters_add(const struct run_options *options, const char **source,
                           const char **target, struct arena *arena, struct error *error)
{
    struct side sides[2] = {{.text = source}, {.text = target}};
    for (int i = 0; options->sides.parameter_count > 0 && i < 2; i++) {
        struct uri *uri;
        if (registry_resolve(*sides[i].text, arena, &uri, &sides[i].connector, error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
        sides[i].uri = uri;
    }
    for (uint32_t i = 0; i < options->sides.parameter_count; i++) {
        const struct run_parameter *parameter = &options->sides.parameters[i];
        bool used = false;
        if ((parameter->for_source &&
             session_parameters_add(&sides[0], parameter, arena, &used, error) != STATUS_OK) ||
            (parameter->for_target &&
             session_parameters_add(&sides[1], parameter, arena, &used, error) != STATUS_OK)) {
            return STATUS_FAILED;
        }
        if (!used) {
            tell_unused(parameter, sides[0].connector, sides[1].connector);
        }
    }
    return STATUS_OK;
}
