/* Tokens that clients of a web server show: what may be one, and how two are compared. */
#ifndef TRANSHUME_OBSERVE_WEB_TOKEN_H
#define TRANSHUME_OBSERVE_WEB_TOKEN_H

#include "base/error.h"
#include "observe/web/web_server.h"
#include <stdbool.h>

enum { WEB_TOKEN_MIN = 16, WEB_TOKEN_MAX = 128 };

/* USAGE: what `option` says is no token. From now on it is kept out of messages and logs. */
enum status web_token_check(const char *option, const char *token, struct error *error) MUST_USE;
/* In constant time. NULL is no token. */
bool web_token_equals(const char *token, const char *text);
/* That of "Authorization: Bearer"; NULL: there is none. */
const char *web_token_of(const struct web_request *request);

/* Answers 401 unless the request brings this token; NULL: none is asked for. */
bool web_token_admit(const char *token, const struct web_request *request,
                     struct web_answer *answer);

#endif
