/* The environment's keys, and the chosen profile: its keys, its process, or the role it names. */
#include "net/aws_provider.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { ROLES_CHAINED_MAX = 8 };

/* The profiles on the way from the chosen one to the one that has keys. */
struct role_path {
    const char *profiles[ROLES_CHAINED_MAX + 1];
    int count;
};

static enum status resolve_profile(struct aws_asking *asking, const char *profile,
                                   struct role_path *path, struct aws_credentials *credentials,
                                   struct error *error);

static const char *setting(const struct aws_asking *asking, const char *profile, const char *name)
{
    const char *value = aws_config_value(asking->config, profile, name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

enum status aws_provider_environment(struct aws_asking *asking, struct aws_credentials *credentials,
                                     struct error *error)
{
    const struct aws_config *config = asking->config;
    const char *key_id = aws_config_environment(config, "AWS_ACCESS_KEY_ID");
    const char *secret = aws_config_environment(config, "AWS_SECRET_ACCESS_KEY");
    const char *token = aws_config_environment(config, "AWS_SESSION_TOKEN");
    const char *expiration = aws_config_environment(config, "AWS_CREDENTIAL_EXPIRATION");
    int64_t expires_ms = INT64_MAX;
    if (key_id == NULL) {
        aws_asking_note(asking, "AWS_ACCESS_KEY_ID is not set");
        return STATUS_END;
    }
    if (token == NULL) {
        token = aws_config_environment(config, "AWS_SECURITY_TOKEN"); /* its name of old */
    }
    if (secret == NULL) {
        error_set(error, ERROR_CREDENTIALS, "the environment",
                  "AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not");
        return error_hint(error, "set both, or neither to have a profile's");
    }
    if (expiration != NULL && !aws_parse_time(expiration, &expires_ms)) {
        return error_set(error, ERROR_CREDENTIALS, "the environment",
                         "AWS_CREDENTIAL_EXPIRATION is no time like 2026-01-31T23:59:59Z");
    }
    return aws_credentials_fill(credentials, "the environment", key_id, secret, token, expires_ms,
                                error);
}

/* ---------------------------------------------------------------- keys and processes */

/* The keys that one of the two files has; STATUS_END: it has none. */
static enum status keys_of_file(struct aws_asking *asking, bool credentials_file,
                                const char *profile, struct aws_credentials *credentials,
                                struct error *error)
{
    const struct aws_config *config = asking->config;
    const char *key_id =
        aws_config_value_of_file(config, credentials_file, profile, "aws_access_key_id");
    if (key_id == NULL || key_id[0] == '\0') {
        return STATUS_END;
    }
    /* as AWS's programs do: a key id of one file goes with the secret of the same, or the other's
     */
    const char *secret =
        aws_config_value_of_file(config, credentials_file, profile, "aws_secret_access_key");
    if (secret == NULL || secret[0] == '\0') {
        secret = aws_config_value(config, profile, "aws_secret_access_key");
    }
    const char *token =
        aws_config_value_of_file(config, credentials_file, profile, "aws_session_token");
    if (token == NULL) {
        token = aws_config_value_of_file(config, credentials_file, profile, "aws_security_token");
    }
    char name[64];
    snprintf(name, sizeof(name), "profile %.50s", profile);
    if (secret == NULL || secret[0] == '\0') {
        return error_set(error, ERROR_CREDENTIALS, name,
                         "it has an aws_access_key_id, but no aws_secret_access_key");
    }
    return aws_credentials_fill(credentials, name, key_id, secret, token, INT64_MAX, error);
}

/* The credentials that a profile has without any role: keys or a process; in the order of AWS's
 * command line. */
static enum status plain_credentials(struct aws_asking *asking, const char *profile,
                                     struct aws_credentials *credentials, struct error *error)
{
    enum status status = keys_of_file(asking, true, profile, credentials, error);
    if (status != STATUS_END) {
        return status;
    }
    const char *process = setting(asking, profile, "credential_process");
    if (process != NULL) {
        return aws_provider_process(asking, profile, process, credentials, error);
    }
    return keys_of_file(asking, false, profile, credentials, error);
}

static enum status refuse_login(struct aws_asking *asking, const char *profile, struct error *error)
{
    if (setting(asking, profile, "login_session") == NULL) {
        return STATUS_END;
    }
    char name[160];
    snprintf(name, sizeof(name), "profile %.128s", profile);
    error_set(error, ERROR_CREDENTIALS, name,
              "it signs in through `aws login`, which is not supported directly");
    return error_hint(
        error,
        "after `aws login --profile %s` add to it: credential_process = aws configure "
        "export-credentials --profile %s --format process",
        profile, profile);
}

/* ---------------------------------------------------------------- roles */

static enum status source_by_name(struct aws_asking *asking, const char *profile,
                                  const char *source, struct aws_credentials *credentials,
                                  struct error *error)
{
    enum status status = STATUS_END;
    if (strcasecmp(source, "Environment") == 0) {
        status = aws_provider_environment(asking, credentials, error);
    } else if (strcasecmp(source, "EcsContainer") == 0) {
        status = aws_provider_container(asking, credentials, error);
    } else if (strcasecmp(source, "Ec2InstanceMetadata") == 0) {
        status = aws_provider_instance(asking, credentials, error);
    } else {
        error_set(error, ERROR_CREDENTIALS, profile, "its credential_source \"%.64s\" is not known",
                  source);
        return error_hint(error, "it is Environment, EcsContainer or Ec2InstanceMetadata");
    }
    return status == STATUS_END ? error_set(error, ERROR_CREDENTIALS, profile,
                                            "its credential_source %s has no credentials: %s",
                                            source, buffer_string(&asking->looked_at))
                                : status;
}

static enum status source_by_profile(struct aws_asking *asking, const char *profile,
                                     const char *source, struct role_path *path,
                                     struct aws_credentials *credentials, struct error *error)
{
    if (!aws_config_has_profile(asking->config, source)) {
        return error_set(error, ERROR_CREDENTIALS, profile,
                         "its source_profile \"%.128s\" is in neither file", source);
    }
    /* Keys of its own end the chain, also where a profile is its own source. */
    if (setting(asking, source, "aws_access_key_id") != NULL) {
        return plain_credentials(asking, source, credentials, error);
    }
    for (int i = 0; i < path->count; i++) {
        if (strcmp(path->profiles[i], source) == 0) {
            return error_set(error, ERROR_CREDENTIALS, profile,
                             "its source_profile \"%.128s\" leads back to itself and nowhere to "
                             "keys",
                             source);
        }
    }
    if (path->count > ROLES_CHAINED_MAX - 1) {
        return error_set(error, ERROR_CREDENTIALS, profile, "more than %d roles are chained",
                         ROLES_CHAINED_MAX);
    }
    enum status status = resolve_profile(asking, source, path, credentials, error);
    return status == STATUS_END
               ? error_set(error, ERROR_CREDENTIALS, profile,
                           "its source_profile \"%.128s\" has no credentials", source)
               : status;
}

static enum status check_role(struct aws_asking *asking, const char *profile, struct error *error)
{
    const char *source_profile = setting(asking, profile, "source_profile");
    const char *credential_source = setting(asking, profile, "credential_source");
    if (setting(asking, profile, "mfa_serial") != NULL) {
        error_set(error, ERROR_CREDENTIALS, profile,
                  "its role wants a code of a device (mfa_serial), which can't be asked for here");
        return error_hint(error,
                          "use credential_process = aws configure export-credentials --profile %s "
                          "--format process in another profile",
                          profile);
    }
    if ((source_profile == NULL) == (credential_source == NULL)) {
        return error_set(error, ERROR_CREDENTIALS, profile,
                         source_profile == NULL
                             ? "it has a role_arn, but neither source_profile nor credential_source"
                             : "it has both source_profile and credential_source");
    }
    return STATUS_OK;
}

static enum status assume_role(struct aws_asking *asking, const char *profile,
                               struct role_path *path, struct aws_credentials *credentials,
                               struct error *error)
{
    char name[64];
    snprintf(name, sizeof(name), "role of profile %.40s", profile);
    struct aws_role role = {.arn = setting(asking, profile, "role_arn"),
                            .session_name = setting(asking, profile, "role_session_name"),
                            .external_id = setting(asking, profile, "external_id"),
                            .duration_seconds = setting(asking, profile, "duration_seconds"),
                            .token_file = setting(asking, profile, "web_identity_token_file"),
                            .provider = name};
    if (role.token_file != NULL) {
        role.external_id = NULL;
        role.duration_seconds = NULL;
        return aws_provider_assume_role(asking, &role, credentials, error);
    }
    if (check_role(asking, profile, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct aws_credentials source = {0};
    const char *source_profile = setting(asking, profile, "source_profile");
    enum status status =
        source_profile != NULL
            ? source_by_profile(asking, profile, source_profile, path, &source, error)
            : source_by_name(asking, profile, setting(asking, profile, "credential_source"),
                             &source, error);
    if (status == STATUS_OK) {
        role.source = &source;
        status = aws_provider_assume_role(asking, &role, credentials, error);
    }
    aws_credentials_clear(&source);
    return status;
}

static enum status resolve_profile(struct aws_asking *asking, const char *profile,
                                   struct role_path *path, struct aws_credentials *credentials,
                                   struct error *error)
{
    path->profiles[path->count++] = profile;
    if (setting(asking, profile, "role_arn") != NULL) {
        return assume_role(asking, profile, path, credentials, error);
    }
    enum status status = aws_provider_sso(asking, profile, credentials, error);
    if (status == STATUS_END) {
        status = plain_credentials(asking, profile, credentials, error);
    }
    return status == STATUS_END ? refuse_login(asking, profile, error) : status;
}

enum status aws_provider_profile(struct aws_asking *asking, struct aws_credentials *credentials,
                                 struct error *error)
{
    const char *profile = aws_config_profile(asking->config);
    struct role_path path = {.count = 0};
    enum status status = resolve_profile(asking, profile, &path, credentials, error);
    if (status == STATUS_END) {
        aws_asking_note(asking, "the profile \"%.80s\" of %.100s and %.100s %s", profile,
                        aws_config_config_file(asking->config),
                        aws_config_credentials_file(asking->config),
                        aws_config_has_profile(asking->config, profile) ? "has no keys, role or "
                                                                          "process"
                                                                        : "does not exist");
    }
    return status;
}
