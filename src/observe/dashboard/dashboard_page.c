/* The page, put together once: one answer, and nothing else is fetched to show it. */
#include "observe/dashboard/dashboard_parts.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

extern const char report_css[];
extern const char dashboard_html[];
extern const char dashboard_css[];
extern const char dashboard_js[];

static void append_part(const char **rest, const char *mark, const char *text, struct buffer *out)
{
    const char *place = strstr(*rest, mark);
    buffer_append(out, *rest, (size_t)(place - *rest));
    buffer_append_string(out, text);
    *rest = place + strlen(mark);
}

/* 'sha256-…' as a policy names it. */
static void hash(const char *text, char name[64])
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned char base64[64];
    unsigned length = 0;
    if (EVP_Digest(text, strlen(text), bytes, &length, EVP_sha256(), NULL) != 1) {
        name[0] = '\0';
        return;
    }
    EVP_EncodeBlock(base64, bytes, (int)length);
    snprintf(name, 64, "%s", (const char *)base64);
}

void dashboard_make_page(struct dashboard *dashboard)
{
    char script[64];
    char style[64];
    const char *rest = dashboard_html;
    struct buffer css = {0};
    buffer_append_string(&css, report_css);
    buffer_append_string(&css, dashboard_css);
    append_part(&rest, "/*STYLE*/", buffer_string(&css), &dashboard->page);
    append_part(&rest, "/*SCRIPT*/", dashboard_js, &dashboard->page);
    buffer_append_string(&dashboard->page, rest);
    hash(dashboard_js, script);
    hash(buffer_string(&css), style);
    buffer_free(&css);
    snprintf(dashboard->policy, sizeof(dashboard->policy),
             "default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; connect-src "
             "'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
             script, style);
}
