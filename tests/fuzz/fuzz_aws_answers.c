/* What gives credentials: the first letter says who is asked ('s' SSO, 'r' STS for a role, 'c' a
 * container, 'i' an instance); "=== cache" is the file that a sign-in left, and "=== 200", "===
 * 403" … are answers with their statuses, in turn. */
#include "support.h"

#include "base/clock.h"
#include "net/aws_provider.h"
#include "server.h"
#include <stdio.h>
#include <string.h>

enum { TIMEOUT_MS = 1000 };

static struct text archive;
static unsigned asked;
static unsigned port;
static struct aws_config *config;
static struct http_client *client;

/* Statuses that are asked for again are left out: waiting is no part of reading. */
static bool take_status(const struct fuzz_part *part, unsigned *status)
{
    static const unsigned statuses[] = {200, 400, 401, 403, 404};
    for (size_t at = 0; at < sizeof statuses / sizeof *statuses; at++) {
        char text[8];
        snprintf(text, sizeof text, "%u", statuses[at]);
        if (part->name.length == 3 && memcmp(part->name.data, text, 3) == 0) {
            *status = statuses[at];
            return true;
        }
    }
    return false;
}

/* Nothing that an answer said ends a line of the next question. */
static void check_question(struct text header_block)
{
    for (size_t at = 0; at < header_block.length; at++) {
        unsigned char byte = (unsigned char)header_block.data[at];
        bool ends =
            byte == '\r' && at + 1 < header_block.length && header_block.data[at + 1] == '\n';
        FUZZ_REQUIRE((byte >= ' ' && byte != 0x7f) || ends || byte == '\n');
    }
}

static void reply(struct text header_block, struct buffer *out)
{
    struct text rest = archive;
    struct text body = {"", 0};
    struct fuzz_part part = {0};
    unsigned status = 404;
    unsigned left = asked++;
    unsigned found = 0;
    check_question(header_block);
    while (fuzz_next_part(&rest, &part)) {
        if (take_status(&part, &found) && left-- == 0) {
            body = part.bytes;
            status = found;
            break;
        }
    }
    /* The line break before the next part is no part of it. */
    body.length -= body.length > 0 && body.data[body.length - 1] == '\n';
    buffer_format(out, "HTTP/1.1 %u Said\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                  status, body.length);
    buffer_append(out, body.data, body.length);
}

static void begin(void)
{
    static const char settings[] =
        "[default]\nregion = us-east-1\nsso_start_url = https://x\nsso_region = us-east-1\n"
        "sso_account_id = 1\nsso_role_name = r/é\n";
    char url[100];
    struct error error = {0};
    port = fuzz_serve(reply);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
    setenv("HOME", fuzz_folder(), 1);
    setenv("AWS_ENDPOINT_URL", url, 1);
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url, 1);
    unsetenv("AWS_EC2_METADATA_DISABLED");
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
    fuzz_write(".aws/config", strlen(".aws/config"), settings, sizeof settings - 1);
    struct aws_config_options options = {0};
    FUZZ_REQUIRE(aws_config_load(&options, &config, &error) == STATUS_OK);
}

/* sha1 of https://x */
static void write_cache(void)
{
    static const char path[] = ".aws/sso/cache/98383e6608d65e46b24bbd92582bc8d916605a21.json";
    struct text rest = archive;
    struct fuzz_part part = {0};
    fuzz_empty_folder();
    while (fuzz_next_part(&rest, &part)) {
        if (part.name.length == 5 && memcmp(part.name.data, "cache", 5) == 0) {
            fuzz_write(path, sizeof path - 1, part.bytes.data, part.bytes.length);
        }
    }
}

static enum status ask(struct aws_asking *asking, char who, struct aws_credentials *credentials,
                       struct error *error)
{
    static char key_id[] = "AKIDTEST";
    static char secret[] = "of/no/account";
    struct aws_credentials source = {.access_key_id = key_id, .secret_access_key = secret};
    const struct aws_role role = {
        .arn = "arn:aws:iam::1:role/r", .source = &source, .provider = "a role"};
    switch (who) {
    case 's':
        return aws_provider_sso(asking, "default", credentials, error);
    case 'r':
        return aws_provider_assume_role(asking, &role, credentials, error);
    case 'c':
        return aws_provider_container(asking, credentials, error);
    default:
        return aws_provider_instance(asking, credentials, error);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct aws_credential_options options = {.timeout_ms = TIMEOUT_MS};
    struct aws_clock clock = {0};
    struct aws_credentials credentials = {0};
    struct error error = {0};
    if (size == 0) {
        return 0;
    }
    if (config == NULL) {
        begin();
    }
    fuzz_serve_from(&archive, data, size);
    asked = 0;
    write_cache();
    struct aws_asking asking = {.config = config,
                                .options = &options,
                                .timeout_ms = TIMEOUT_MS,
                                .arena = arena_create(0),
                                .client = client,
                                .clock = &clock};
    enum status status = ask(&asking, (char)data[0], &credentials, &error);
    if (status == STATUS_OK) {
        FUZZ_REQUIRE(credentials.access_key_id != NULL && credentials.access_key_id[0] != '\0');
        FUZZ_REQUIRE(credentials.secret_access_key != NULL);
        FUZZ_REQUIRE(credentials.secret_access_key[0] != '\0');
    } else if (status == STATUS_FAILED) {
        fuzz_check_error(&error);
    }
    aws_credentials_clear(&credentials);
    client = asking.client;
    buffer_free(&asking.looked_at);
    arena_destroy(asking.arena);
    return 0;
}
