/* The token: made, compared, and kept by the browser as a cookie. */
#include "observe/dashboard/dashboard_parts.h"

#include "base/random.h"
#include "base/secret.h"
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

/* A cookie may hold these as they are, and so may a URL. */
static const char token_characters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

enum status dashboard_take_token(struct dashboard *dashboard, struct error *error)
{
    const char *given = dashboard->options.token;
    if (given == NULL) {
        snprintf(dashboard->token, sizeof(dashboard->token), "%016" PRIx64 "%016" PRIx64,
                 random_uint64(), random_uint64());
    } else if (strlen(given) < DASHBOARD_TOKEN_MIN || strlen(given) > DASHBOARD_TOKEN_MAX ||
               strspn(given, token_characters) != strlen(given)) {
        error_set(error, ERROR_USAGE, "--token", "it is no token");
        return error_hint(error, "%d to %d letters, digits, - . _ ~; without --token one is made",
                          DASHBOARD_TOKEN_MIN, DASHBOARD_TOKEN_MAX);
    } else {
        snprintf(dashboard->token, sizeof(dashboard->token), "%s", given);
    }
    secret_register(dashboard->token, strlen(dashboard->token));
    return STATUS_OK;
}

void dashboard_place_token(struct dashboard *dashboard)
{
    const char *colon = strrchr(web_server_url(dashboard->server), ':');
    /* cookies are not kept apart by port */
    snprintf(dashboard->cookie_name, sizeof(dashboard->cookie_name), "transhume_%s", colon + 1);
    snprintf(dashboard->cookie, sizeof(dashboard->cookie),
             "%s=%s; Path=/; HttpOnly; SameSite=Strict", dashboard->cookie_name, dashboard->token);
    snprintf(dashboard->url, sizeof(dashboard->url), "%s/?token=%s",
             web_server_url(dashboard->server), dashboard->token);
}

/* Both are padded to one length, so that the time tells nothing. */
bool dashboard_is_token(const struct dashboard *dashboard, const char *text)
{
    char given[DASHBOARD_TOKEN_MAX + 1] = {0};
    size_t length = text != NULL ? strlen(text) : 0;
    bool fits = length > 0 && length <= DASHBOARD_TOKEN_MAX;
    memcpy(given, text != NULL ? text : "", fits ? length : 0);
    return CRYPTO_memcmp(given, dashboard->token, sizeof(given)) == 0 && fits;
}

bool dashboard_is_allowed(const struct dashboard *dashboard, const struct web_request *request)
{
    static const char scheme[] = "Bearer ";
    const char *authorization = web_header(request, "Authorization");
    const char *bearer = authorization != NULL && strncmp(authorization, scheme, 7) == 0
                             ? authorization + strlen(scheme)
                             : NULL;
    return dashboard_is_token(dashboard, bearer) ||
           dashboard_is_token(dashboard, web_cookie(request, dashboard->cookie_name));
}
