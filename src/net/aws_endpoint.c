/* Where a service answers: overrides, and the hosts of AWS's own partitions. */
#include "net/aws_config_internal.h"

#include "net/http.h"
#include <ctype.h>
#include <string.h>

/* Which suffixes the hosts of a partition have, by how its regions begin; the last fits all. */
static const struct partition {
    const char *prefix;
    const char *suffix;
    const char *dual_stack_suffix;
} partitions[] = {
    {"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
    {"us-iso-", "c2s.ic.gov", "api.aws.ic.gov"},
    {"us-isob-", "sc2s.sgov.gov", "api.aws.scloud"},
    {"us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"},
    {"eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
    {"eusc-", "amazonaws.eu", "api.amazonwebservices.eu"},
    {"", "amazonaws.com", "api.aws"},
};

static const struct partition *find_partition(const char *region)
{
    const struct partition *partition = partitions;
    while (strncmp(region, partition->prefix, strlen(partition->prefix)) != 0) {
        partition++;
    }
    return partition;
}

/* The override that counts, and where it was said; NULL: none. */
static const char *find_override(const struct aws_config *config, const char *service,
                                 const char *explicit_url, struct arena *arena, const char **origin)
{
    if (explicit_url != NULL && explicit_url[0] != '\0') {
        *origin = "the URI's endpoint";
        return explicit_url;
    }
    if (aws_config_is_true(config, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
                           "ignore_configured_endpoint_urls")) {
        return NULL;
    }
    char *variable = arena_format(arena, "AWS_ENDPOINT_URL_%s", service);
    char *nested = arena_format(arena, "%s.endpoint_url", service);
    for (char *c = variable; *c != '\0'; c++) {
        *c = (char)toupper((unsigned char)*c);
    }
    *origin = variable;
    const char *url = aws_config_environment(config, variable);
    if (url == NULL) {
        *origin = "AWS_ENDPOINT_URL";
        url = aws_config_environment(config, "AWS_ENDPOINT_URL");
    }
    const char *services = aws_config_value(config, NULL, "services");
    if (url == NULL && services != NULL) {
        *origin = arena_format(arena, "services %s", services);
        url = aws_config_section_value(config, "services", services, nested);
    }
    if (url == NULL) {
        *origin = arena_format(arena, "profile %s", aws_config_profile(config));
        url = aws_config_value(config, NULL, "endpoint_url");
    }
    return url == NULL || url[0] == '\0' ? NULL : url;
}

static enum status use_override(const char *text, const char *origin, struct arena *arena,
                                struct aws_endpoint *endpoint, struct error *error)
{
    struct http_url url;
    if (http_url_parse(text, origin, arena, &url, error) != STATUS_OK) {
        return error_recode(error, ERROR_AWS_CONFIG);
    }
    if (url.query != NULL) {
        return error_set(error, ERROR_AWS_CONFIG, origin, "an endpoint has no query: \"%s\"", text);
    }
    endpoint->host_header = url.host_header;
    endpoint->path = url.path;
    endpoint->tls = url.tls;
    endpoint->overridden = true;
    endpoint->origin = origin;
    endpoint->url = arena_format(arena, "%s://%s%s", url.tls ? "https" : "http", url.host_header,
                                 strcmp(url.path, "/") == 0 ? "" : url.path);
    return STATUS_OK;
}

enum status aws_config_endpoint(const struct aws_config *config, const char *service,
                                const char *explicit_url, const char *region, struct arena *arena,
                                struct aws_endpoint *endpoint, struct error *error)
{
    *endpoint = (struct aws_endpoint){0};
    const char *origin = NULL;
    const char *override = find_override(config, service, explicit_url, arena, &origin);
    if (override != NULL) {
        return use_override(override, origin, arena, endpoint, error);
    }
    const struct partition *partition = find_partition(region);
    bool fips = aws_config_is_true(config, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint") &&
                strncmp(region, "us-gov-", 7) != 0; /* all of them are, under the plain name */
    bool dual = aws_config_is_true(config, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint");
    endpoint->host_header = arena_format(arena, "%s%s.%s.%s", service, fips ? "-fips" : "", region,
                                         dual ? partition->dual_stack_suffix : partition->suffix);
    endpoint->path = "/";
    endpoint->tls = true;
    endpoint->origin = "the region";
    endpoint->url = arena_format(arena, "https://%s", endpoint->host_header);
    return STATUS_OK;
}
