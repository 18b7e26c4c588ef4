/* The settings of AWS programs: which files, which profile, which value counts. */
#include "net/aws_config_internal.h"

#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include <ctype.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

extern char **environ;

enum { PROFILES_LISTED_MAX = 64 };

struct variable {
    struct variable *next;
    const char *name;
    char *value;
};

struct aws_config {
    struct arena *arena;
    struct aws_file config;
    struct aws_file credentials;
    struct variable *variables; /* those that begin with AWS_ */
    const char *home;
    const char *profile;
    bool profile_is_explicit;
};

/* ---------------------------------------------------------------- loading */

static void copy_environment(struct aws_config *config)
{
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        const char *equals = strchr(*entry, '=');
        if (strncmp(*entry, "AWS_", 4) != 0 || equals == NULL || equals[1] == '\0') {
            continue;
        }
        struct variable *variable = arena_allocate(config->arena, sizeof(*variable));
        char *name = arena_copy(config->arena, *entry, (size_t)(equals - *entry));
        char *value = arena_copy_string(config->arena, equals + 1);
        *variable = (struct variable){config->variables, name, value};
        config->variables = variable;
    }
}

static const char *find_home(struct arena *arena)
{
    const char *home = getenv("HOME");
    struct passwd entry;
    struct passwd *found = NULL;
    char text[4096];
    if ((home == NULL || home[0] == '\0') &&
        getpwuid_r(getuid(), &entry, text, sizeof(text), &found) == 0 && found != NULL) {
        home = found->pw_dir;
    }
    return arena_copy_string(arena, home == NULL ? "" : home);
}

/* The option, the variable, or the standard place; a leading "~/" is the home folder. */
static const char *choose_path(struct aws_config *config, const char *option, const char *variable,
                               const char *standard)
{
    const char *path = option != NULL ? option : aws_config_environment(config, variable);
    if (path == NULL) {
        path = standard;
    }
    return path[0] == '~' && path[1] == '/'
               ? arena_format(config->arena, "%s%s", config->home, path + 1)
               : arena_copy_string(config->arena, path);
}

/* The names of all profiles, for a suggestion. */
static size_t list_profiles(const struct aws_config *config, const char **names)
{
    const struct aws_file *files[] = {&config->config, &config->credentials};
    size_t count = 0;
    for (size_t i = 0; i < 2; i++) {
        for (const struct aws_section *section = files[i]->sections;
             section != NULL && count < PROFILES_LISTED_MAX; section = section->hh.next) {
            if (strncmp(section->key, "profile ", 8) == 0) {
                names[count++] = section->key + 8;
            }
        }
    }
    return count;
}

static enum status choose_profile(struct aws_config *config, const char *option,
                                  struct error *error)
{
    const char *origin = "the profile option";
    const char *name = option;
    if (name == NULL) {
        origin = "AWS_PROFILE";
        name = aws_config_environment(config, "AWS_PROFILE");
    }
    if (name == NULL) {
        origin = "AWS_DEFAULT_PROFILE";
        name = aws_config_environment(config, "AWS_DEFAULT_PROFILE");
    }
    config->profile = arena_copy_string(config->arena, name == NULL ? "default" : name);
    config->profile_is_explicit = option != NULL;
    if (name == NULL || strcmp(name, "default") == 0 || aws_config_has_profile(config, name)) {
        return STATUS_OK;
    }
    const char *names[PROFILES_LISTED_MAX];
    size_t count = list_profiles(config, names);
    const char *nearest = text_nearest(name, names, count);
    error_set(error, ERROR_AWS_CONFIG, origin, "the profile \"%s\" is in neither %s nor %s%s%s%s",
              name, config->config.path, config->credentials.path,
              nearest == NULL ? "" : "; the nearest is \"", nearest == NULL ? "" : nearest,
              nearest == NULL ? "" : "\"");
    return error_hint(error,
                      "aws configure list-profiles shows them; [profile %s] begins one in %s", name,
                      config->config.path);
}

static enum status net_aws_config_load(struct aws_config *config,
                                       const struct aws_config_options *options,
                                       struct error *error)
{
    config->home = find_home(config->arena);
    copy_environment(config);
    config->credentials.is_credentials = true;
    config->config.path =
        choose_path(config, options->config_file, "AWS_CONFIG_FILE", "~/.aws/config");
    config->credentials.path = choose_path(config, options->credentials_file,
                                           "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials");
    if (aws_config_parse(&config->config, config->arena, error) != STATUS_OK ||
        aws_config_parse(&config->credentials, config->arena, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return choose_profile(config, options->profile, error);
}

enum status aws_config_load(const struct aws_config_options *options, struct aws_config **out,
                            struct error *error)
{
    static const struct aws_config_options none;
    *out = NULL;
    struct aws_config *config = memory_allocate_zeroed(1, sizeof(*config));
    config->arena = arena_create(0);
    if (net_aws_config_load(config, options == NULL ? &none : options, error) != STATUS_OK) {
        aws_config_destroy(config);
        return STATUS_FAILED;
    }
    *out = config;
    return STATUS_OK;
}

void aws_config_destroy(struct aws_config *config)
{
    if (config == NULL) {
        return;
    }
    aws_config_file_wipe(&config->config);
    aws_config_file_wipe(&config->credentials);
    for (struct variable *variable = config->variables; variable != NULL;
         variable = variable->next) {
        secret_wipe(variable->value, strlen(variable->value));
    }
    arena_destroy(config->arena);
    free(config);
}

/* ---------------------------------------------------------------- looking things up */

const char *aws_config_profile(const struct aws_config *config)
{
    return config->profile;
}

bool aws_config_profile_is_explicit(const struct aws_config *config)
{
    return config->profile_is_explicit;
}

const char *aws_config_config_file(const struct aws_config *config)
{
    return config->config.path;
}

const char *aws_config_credentials_file(const struct aws_config *config)
{
    return config->credentials.path;
}

/* "[profile default]" wins over "[default]", wherever they stand. */
static const struct aws_section *find_profile(const struct aws_file *file, const char *profile)
{
    const struct aws_section *section = aws_config_find_section(file, "profile", profile);
    return section == NULL && strcmp(profile, "default") == 0
               ? aws_config_find_section(file, "", "default")
               : section;
}

bool aws_config_has_profile(const struct aws_config *config, const char *profile)
{
    return find_profile(&config->config, profile) != NULL ||
           find_profile(&config->credentials, profile) != NULL;
}

const char *aws_config_value_of_file(const struct aws_config *config, bool credentials_file,
                                     const char *profile, const char *name)
{
    const struct aws_file *file = credentials_file ? &config->credentials : &config->config;
    return aws_config_find_setting(find_profile(file, profile == NULL ? config->profile : profile),
                                   name);
}

const char *aws_config_value(const struct aws_config *config, const char *profile, const char *name)
{
    const char *value = aws_config_value_of_file(config, true, profile, name);
    return value != NULL ? value : aws_config_value_of_file(config, false, profile, name);
}

const char *aws_config_section_value(const struct aws_config *config, const char *kind,
                                     const char *section, const char *name)
{
    return aws_config_find_setting(aws_config_find_section(&config->config, kind, section), name);
}

const char *aws_config_home(const struct aws_config *config)
{
    return config->home;
}

const char *aws_config_environment(const struct aws_config *config, const char *name)
{
    const struct variable *variable = config->variables;
    while (variable != NULL && strcmp(variable->name, name) != 0) {
        variable = variable->next;
    }
    return variable == NULL ? NULL : variable->value;
}

const char *aws_config_either(const struct aws_config *config, const char *variable,
                              const char *setting)
{
    const char *value = aws_config_environment(config, variable);
    if (value == NULL) {
        value = aws_config_value(config, NULL, setting);
    }
    return value == NULL || value[0] == '\0' ? NULL : value;
}

bool aws_config_is_true(const struct aws_config *config, const char *variable, const char *setting)
{
    const char *value = aws_config_either(config, variable, setting);
    return value != NULL && strcasecmp(value, "true") == 0;
}

const char *aws_config_ca_file(const struct aws_config *config)
{
    return aws_config_either(config, "AWS_CA_BUNDLE", "ca_bundle");
}

static bool is_region(const char *text)
{
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++) {
        if (!islower((unsigned char)text[i]) && !isdigit((unsigned char)text[i]) &&
            text[i] != '-') {
            return false;
        }
    }
    return length > 0 && length < 64 && text[0] != '-' && text[length - 1] != '-';
}

enum status aws_config_region(const struct aws_config *config, const char *explicit_region,
                              const char **region, struct error *error)
{
    const char *origin = "the URI";
    const char *value = explicit_region;
    if (value == NULL || value[0] == '\0') {
        origin = "AWS_REGION";
        value = aws_config_environment(config, "AWS_REGION");
    }
    if (value == NULL) {
        origin = "AWS_DEFAULT_REGION";
        value = aws_config_environment(config, "AWS_DEFAULT_REGION");
    }
    char profile[160];
    if (value == NULL) {
        snprintf(profile, sizeof(profile), "profile %.128s", config->profile);
        origin = profile;
        value = aws_config_value(config, NULL, "region");
    }
    if (value == NULL || value[0] == '\0') {
        error_set(error, ERROR_AWS_CONFIG, NULL,
                  "no region is set: not in the URI, AWS_REGION, AWS_DEFAULT_REGION or the profile "
                  "\"%s\" of %s",
                  config->profile, config->config.path);
        return error_hint(error, "write it into the URI (dynamodb://eu-west-1) or set AWS_REGION");
    }
    if (!is_region(value)) {
        error_set(error, ERROR_AWS_CONFIG, origin, "\"%.80s\" is no region's name", value);
        return error_hint(error, "a region is written like us-east-1 or eu-west-1");
    }
    *region = value;
    return STATUS_OK;
}
