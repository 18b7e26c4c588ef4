/* The token: made, compared, and kept by the browser as a cookie. */
#include "observe/dashboard/dashboard_parts.h"

#include "base/random.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum status dashboard_take_token(struct dashboard *dashboard, struct error *error)
{
    const char *given = dashboard->options.token;
    const char *of_metrics = dashboard->options.metrics_token;
    if (of_metrics != NULL && web_token_check("--metrics-token", of_metrics, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (given == NULL) {
        snprintf(dashboard->token, sizeof(dashboard->token), "%016" PRIx64 "%016" PRIx64,
                 random_uint64(), random_uint64());
    } else if (strlen(given) <= WEB_TOKEN_MAX) {
        snprintf(dashboard->token, sizeof(dashboard->token), "%s", given);
    }
    return web_token_check("--token", given != NULL ? given : dashboard->token, error);
}

void dashboard_place_token(struct dashboard *dashboard)
{
    const char *colon = strrchr(web_server_url(dashboard->server), ':');
    /* cookies are not kept apart by port */
    snprintf(dashboard->cookie_name, sizeof(dashboard->cookie_name), "transhume_%s", colon + 1);
    snprintf(dashboard->cookie, sizeof(dashboard->cookie),
             "%s=%s; Path=/; HttpOnly; SameSite=Strict%s", dashboard->cookie_name, dashboard->token,
             dashboard->options.tls.certificate != NULL ? "; Secure" : "");
    snprintf(dashboard->url, sizeof(dashboard->url), "%s/?token=%s",
             web_server_url(dashboard->server), dashboard->token);
}

bool dashboard_is_allowed(const struct dashboard *dashboard, const struct web_request *request)
{
    return web_token_equals(dashboard->token, web_token_of(request)) ||
           web_token_equals(dashboard->token, web_cookie(request, dashboard->cookie_name));
}
