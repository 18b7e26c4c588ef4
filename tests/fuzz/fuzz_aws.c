/* What AWS's programs share: "=== config" and "=== credentials", files of settings; "=== json",
 * what a credential process or a metadata service says; "=== time", "=== token". */
#include "support.h"

#include "net/aws_config.h"
#include "net/aws_provider.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_named(const struct fuzz_part *part, const char *name)
{
    return part->name.length == strlen(name) &&
           memcmp(part->name.data, name, part->name.length) == 0;
}

static void read_json(struct text json)
{
    for (int version = 0; version < 2; version++) {
        struct aws_credentials credentials = {0};
        struct error error = {0};
        if (aws_credentials_from_json(&credentials, "a test", version ? "SessionToken" : "Token",
                                      version, json.data, json.length, &error) == STATUS_OK) {
            FUZZ_REQUIRE(credentials.access_key_id != NULL &&
                         credentials.secret_access_key != NULL);
        } else {
            fuzz_check_error(&error);
        }
        aws_credentials_clear(&credentials);
    }
}

static void look_at(const struct aws_config *config, struct arena *arena)
{
    static const char *const services[] = {"dynamodb", "sts"};
    const char *region = NULL;
    struct error error = {0};
    aws_config_value(config, NULL, "region");
    aws_config_value(config, "shop", "s3.max_queue_size");
    aws_config_has_profile(config, "shop");
    aws_config_ca_file(config);
    if (aws_config_region(config, NULL, &region, &error) != STATUS_OK) {
        fuzz_check_error(&error);
        region = "us-east-1";
    }
    for (int at = 0; at < 2; at++) {
        struct aws_endpoint endpoint = {0};
        if (aws_config_endpoint(config, services[at], NULL, region, arena, &endpoint, &error) ==
            STATUS_OK) {
            FUZZ_REQUIRE(strncmp(endpoint.url, "http", 4) == 0);
        } else {
            fuzz_check_error(&error);
        }
    }
}

static void read_files(struct arena *arena)
{
    static const char *const profiles[] = {NULL, "shop"};
    for (int at = 0; at < 2; at++) {
        struct aws_config *config = NULL;
        struct error error = {0};
        struct aws_config_options options = {
            .profile = profiles[at],
            .config_file = arena_format(arena, "%s/config", fuzz_folder()),
            .credentials_file = arena_format(arena, "%s/credentials", fuzz_folder())};
        if (aws_config_load(&options, &config, &error) == STATUS_OK) {
            look_at(config, arena);
        } else {
            fuzz_check_error(&error);
        }
        aws_config_destroy(config);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text archive = {(const char *)data, size};
    struct fuzz_part part = {0};
    struct arena *arena = arena_create(0);
    fuzz_empty_folder();
    while (fuzz_next_part(&archive, &part)) {
        int64_t utc_ms = 0;
        struct error error = {0};
        const char *token = NULL;
        if (is_named(&part, "json")) {
            read_json(part.bytes);
        } else if (is_named(&part, "time")) {
            char *text = arena_copy(arena, part.bytes.data, part.bytes.length);
            text[strcspn(text, "\n")] = '\0';
            aws_parse_time(text, &utc_ms);
        } else {
            fuzz_write(part.name.data, part.name.length, part.bytes.data, part.bytes.length);
        }
        char *path = arena_format(arena, "%s/token", fuzz_folder());
        if (is_named(&part, "token") &&
            aws_read_token(path, "a token", arena, &token, &error) != STATUS_OK) {
            fuzz_check_error(&error);
        }
    }
    read_files(arena);
    arena_destroy(arena);
    return 0;
}
