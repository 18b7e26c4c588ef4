/* Inside of the settings: what the parser fills and the look-ups read. */
#ifndef TRANSHUME_NET_AWS_CONFIG_INTERNAL_H
#define TRANSHUME_NET_AWS_CONFIG_INTERNAL_H

#include "net/aws_config.h"
#include <uthash.h>

enum { AWS_FILE_BYTES_MAX = 1024 * 1024 };

struct aws_setting {
    struct aws_setting *older; /* of the same section; the newest of a name counts */
    const char *name;          /* lower case; "s3.name" when nested */
    char *value;
};

/* "[profile x]", "[services x]" … of one file; all of one name are one. */
struct aws_section {
    const char *key; /* "default", "profile x" (also of the credentials file's [x]), "services x" */
    struct aws_setting *newest;
    UT_hash_handle hh;
};

struct aws_file {
    const char *path;
    bool is_credentials;
    bool present;
    char *bytes; /* as read, to be wiped */
    size_t length;
    struct aws_section *sections; /* uthash */
};

/* Reads and parses `file->path` into `arena`; a missing file is an empty one. */
enum status aws_config_parse(struct aws_file *file, struct arena *arena,
                             struct error *error) MUST_USE;
void aws_config_file_wipe(struct aws_file *file);
/* NULL: no such section, no such setting. */
const struct aws_section *aws_config_find_section(const struct aws_file *file, const char *kind,
                                                  const char *name);
const char *aws_config_find_setting(const struct aws_section *section, const char *name);

/* A setting that only the credentials file, or only the config file, has. */
const char *aws_config_value_of_file(const struct aws_config *config, bool credentials_file,
                                     const char *profile, const char *name);
/* A setting of the config file's section [KIND SECTION]: "services", "sso-session". */
const char *aws_config_section_value(const struct aws_config *config, const char *kind,
                                     const char *section, const char *name);
/* The home folder, "" if nobody knows. */
const char *aws_config_home(const struct aws_config *config);
/* The environment's variable, else the chosen profile's setting, else NULL. */
const char *aws_config_either(const struct aws_config *config, const char *variable,
                              const char *setting);
/* The same as a yes: "true", in any case. */
bool aws_config_is_true(const struct aws_config *config, const char *variable, const char *setting);

#endif
