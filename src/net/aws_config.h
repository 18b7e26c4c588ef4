/* The settings that AWS programs share: ~/.aws/config, ~/.aws/credentials and the environment. */
#ifndef TRANSHUME_NET_AWS_CONFIG_H
#define TRANSHUME_NET_AWS_CONFIG_H

#include "base/arena.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Files and environment are read once, by aws_config_load; after that the object does not change
 * and any thread may read it. Texts given back live as long as it does.
 */
struct aws_config;

struct aws_config_options {
    const char *profile;          /* NULL: AWS_PROFILE, AWS_DEFAULT_PROFILE, "default" */
    const char *config_file;      /* NULL: AWS_CONFIG_FILE, ~/.aws/config */
    const char *credentials_file; /* NULL: AWS_SHARED_CREDENTIALS_FILE, ~/.aws/credentials */
};

/* Missing files are fine. STATUS_FAILED, ERROR_AWS_CONFIG: a line that is no setting (said with
 * file and line), a file above 1 MiB, a named profile that exists in neither file (with the nearest
 * name). `options` NULL: all from the environment. */
enum status aws_config_load(const struct aws_config_options *options, struct aws_config **config,
                            struct error *error) MUST_USE;
void aws_config_destroy(struct aws_config *config); /* NULL is fine; wipes what it held */

/* The chosen profile's name, and whether it was named by options (not by the environment). */
const char *aws_config_profile(const struct aws_config *config);
bool aws_config_profile_is_explicit(const struct aws_config *config);
/* False: neither file has the profile. */
bool aws_config_has_profile(const struct aws_config *config, const char *profile);
/* A setting of a profile (NULL: the chosen one), the credentials file's before the config file's;
 * NULL: not set. Names are lower case. Settings nested below another one are "s3.name". */
const char *aws_config_value(const struct aws_config *config, const char *profile,
                             const char *name);
/* An environment variable as it was when the object was made; NULL: unset or empty. */
const char *aws_config_environment(const struct aws_config *config, const char *name);
/* Where settings come from, for messages: the paths of the two files. */
const char *aws_config_config_file(const struct aws_config *config);
const char *aws_config_credentials_file(const struct aws_config *config);

/*
 * `explicit_region` (the URI's; may be NULL), AWS_REGION, AWS_DEFAULT_REGION, the profile's region.
 * ERROR_AWS_CONFIG: none is set, or it is no region's name ([a-z0-9-]: it becomes part of a host
 * name).
 */
enum status aws_config_region(const struct aws_config *config, const char *explicit_region,
                              const char **region, struct error *error) MUST_USE;

/* Where a service answers. */
struct aws_endpoint {
    const char *url;         /* "https://dynamodb.us-east-1.amazonaws.com", no slash at its end */
    const char *host_header; /* what to sign and send as Host */
    const char *path;        /* "/", or the path of an override */
    bool tls;
    bool overridden;    /* not AWS's own address */
    const char *origin; /* what said so: "AWS_ENDPOINT_URL", "profile shop", "the URI" … */
};

/*
 * `service` is "dynamodb" or "sts". `explicit_url` (the URI's endpoint=; may be NULL),
 * AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, the profile's `services` section, its endpoint_url,
 * else https://SERVICE.REGION.<the partition's suffix>; AWS_IGNORE_CONFIGURED_ENDPOINT_URLS,
 * AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT (and the profile's settings of these names)
 * are honoured. The texts are put into `arena`. ERROR_AWS_CONFIG: an endpoint that is no
 * http(s) URL. Plaintext is refused by the HTTP client, not here.
 */
enum status aws_config_endpoint(const struct aws_config *config, const char *service,
                                const char *explicit_url, const char *region, struct arena *arena,
                                struct aws_endpoint *endpoint, struct error *error) MUST_USE;

/* AWS_CA_BUNDLE, else the profile's ca_bundle; NULL: the system's certificates. */
const char *aws_config_ca_file(const struct aws_config *config);

#endif
