/* Opening a database, and asking for the password that is missing. */
#include "engine/run/opening.h"

#include "base/prompt.h"
#include "base/secret.h"
#include <string.h>

enum { PASSWORD_BYTES = 1024 };

static bool wants_password(const struct connector *connector, const struct uri *uri,
                           const struct error *error)
{
    return error->code == ERROR_CREDENTIALS && uri->password == NULL &&
           connector->uri_help != NULL && strstr(connector->uri_help, ":PASSWORD") != NULL;
}

/* Keeps it as if the URI had it. */
static enum status ask(struct uri *uri, struct arena *arena)
{
    char answer[PASSWORD_BYTES];
    const char *question = arena_format(arena, "Password for %s: ", uri->shown);
    enum status status = prompt_secret(question, answer, sizeof(answer));
    if (status == STATUS_OK) {
        secret_register(answer, strlen(answer));
        uri->password = arena_copy_string(arena, answer);
    }
    secret_wipe(answer, sizeof(answer));
    return status;
}

enum status opening_open(const struct connector *connector, struct uri *uri,
                         const struct open_options *options, struct arena *arena,
                         struct database **database, struct error *error)
{
    enum status status = connector->open(options, database, error);
    if (status == STATUS_OK || !wants_password(connector, uri, error)) {
        return status;
    }
    if (ask(uri, arena) == STATUS_OK) {
        error_clear(error);
        return connector->open(options, database, error);
    }
    if (uri->hides_password) {
        char hint[sizeof(error->hint)];
        memcpy(hint, error->hint, sizeof(hint));
        error_hint(error, "the password that the run had is not kept: %s; or name %s again", hint,
                   options->mode == OPEN_SOURCE ? "SRC and DST" : "the target's URI");
    }
    return STATUS_FAILED;
}
