#include "observe/web/web_token.h"

#include "base/secret.h"
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

/* A cookie may hold these as they are, and so may a URL. */
static const char token_characters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

enum status web_token_check(const char *option, const char *token, struct error *error)
{
    size_t length = strlen(token);
    if (length < WEB_TOKEN_MIN || length > WEB_TOKEN_MAX ||
        strspn(token, token_characters) != length) {
        error_set(error, ERROR_USAGE, option, "it is no token");
        return error_hint(error, "%d to %d letters, digits, - . _ ~", WEB_TOKEN_MIN, WEB_TOKEN_MAX);
    }
    secret_register(token, length);
    return STATUS_OK;
}

/* Both are padded to one length, so that the time tells nothing. */
bool web_token_equals(const char *token, const char *text)
{
    char wanted[WEB_TOKEN_MAX + 1] = {0};
    char given[WEB_TOKEN_MAX + 1] = {0};
    size_t length = text != NULL ? strlen(text) : 0;
    bool fits = length > 0 && length <= WEB_TOKEN_MAX;
    memcpy(wanted, token, strlen(token));
    memcpy(given, text != NULL ? text : "", fits ? length : 0);
    return CRYPTO_memcmp(given, wanted, sizeof(given)) == 0 && fits;
}

const char *web_token_of(const struct web_request *request)
{
    static const char scheme[] = "Bearer ";
    const char *authorization = web_header(request, "Authorization");
    return authorization != NULL && strncasecmp(authorization, scheme, strlen(scheme)) == 0
               ? authorization + strlen(scheme)
               : NULL;
}

bool web_token_admit(const char *token, const struct web_request *request,
                     struct web_answer *answer)
{
    if (token == NULL || web_token_equals(token, web_token_of(request))) {
        return true;
    }
    answer->status = 401;
    answer->content_type = "text/plain; charset=utf-8";
    buffer_append_string(&answer->body,
                         "the token is missing or wrong: send it as Authorization: Bearer\n");
    return false;
}
