/* Opening a database, and asking for the password that is missing. */
#include "engine/session/opening.h"

#include "base/memory.h"
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

/* A password that was answered, for a database that one command opens more than once. Control
 * thread. */
struct answer {
    struct answer *next;
    char *shown;
    char *password;
};
static struct answer *answers;

static const char *find_answer(const struct uri *uri)
{
    const struct answer *answer = answers;
    while (answer != NULL && strcmp(answer->shown, uri->shown) != 0) {
        answer = answer->next;
    }
    return answer != NULL ? answer->password : NULL;
}

static enum status opening_ask(const struct uri *uri, struct arena *arena)
{
    char password[PASSWORD_BYTES];
    const char *question = arena_format(arena, "Password for %s: ", uri->shown);
    enum status status = prompt_secret(question, password, sizeof(password));
    if (status == STATUS_OK) {
        struct answer *answer = memory_allocate(sizeof(*answer));
        secret_register(password, strlen(password));
        *answer = (struct answer){.next = answers,
                                  .shown = memory_copy_string(uri->shown),
                                  .password = memory_copy_string(password)};
        answers = answer;
    }
    secret_wipe(password, sizeof(password));
    return status;
}

enum status opening_open(const struct connector *connector, struct uri *uri,
                         const struct open_options *options, struct arena *arena,
                         struct database **database, struct error *error)
{
    uri->password = uri->password != NULL ? uri->password : find_answer(uri);
    enum status status = connector->open(options, database, error);
    if (status == STATUS_OK || !wants_password(connector, uri, error)) {
        return status;
    }
    if (opening_ask(uri, arena) == STATUS_OK) {
        error_clear(error);
        uri->password = find_answer(uri);
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

enum status opening_use_schemas(struct database *database, struct column_list others,
                                bool leaves_own, struct error *error)
{
    const struct catalog_functions *catalog = database->connector->catalog;
    const struct schema_scope scope = {.others = others, .leaves_own = leaves_own};
    return others.count == 0 || catalog == NULL || catalog->use_scope == NULL
               ? STATUS_OK
               : catalog->use_scope(database, &scope, error);
}
