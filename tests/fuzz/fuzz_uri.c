/* URIs, as people and plans write them. */
#include "support.h"

#include "connectors/common/registry.h"
#include "net/http.h"
#include <string.h>

enum { TEXT_BYTES_MAX = 9000 };

static void check_text(const char *text)
{
    FUZZ_REQUIRE(text == NULL || strlen(text) <= TEXT_BYTES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct connector *connector = NULL;
    struct uri *uri = NULL;
    struct http_url url = {0};
    struct error error = {0};
    if (size > TEXT_BYTES_MAX) {
        return 0;
    }
    struct arena *arena = arena_create(0);
    char *text = arena_copy(arena, data, size);
    if (registry_resolve(text, arena, &uri, &connector, &error) == STATUS_OK) {
        FUZZ_REQUIRE(uri != NULL && connector != NULL && uri->shown != NULL);
        check_text(uri->path);
        check_text(uri->host);
        /* A password is never shown. */
        if (uri->password != NULL && strlen(uri->password) > 8) {
            FUZZ_REQUIRE(strstr(uri->shown, uri->password) == NULL);
        }
        for (uint32_t at = 0; at < connector->option_count; at++) {
            check_text(uri_parameter(uri, connector, connector->options[at].name));
        }
    } else {
        fuzz_check_error(&error);
    }
    if (http_url_parse(text, "a test", arena, &url, &error) == STATUS_OK) {
        FUZZ_REQUIRE(url.host != NULL && url.host[0] != '\0' && url.port != 0);
        FUZZ_REQUIRE(url.path[0] == '/');
        http_host_is_loopback(url.host);
    } else {
        fuzz_check_error(&error);
    }
    arena_destroy(arena);
    return 0;
}
