/*
 * A window on src/net for tests in Python: reads one JSON object, prints one.
 *
 *   net_probe http|sign|config|credentials  < request.json
 */
#include "net_probe.h"

#include "base/log.h"
#include "base/signals.h"
#include <stdio.h>
#include <string.h>

json_t *probe_error(const struct error *error)
{
    static const char *const classes[] = {"stop", "retry", "reject"};
    if (error->code == ERROR_NONE) {
        return json_null();
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "code", error_describe(error->code)->name,
                     "class", classes[error->class], "object", error->object, "message",
                     error->message, "hint", error->hint);
}

const char *probe_text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

int64_t probe_number(const json_t *object, const char *name, int64_t otherwise)
{
    const json_t *value = json_object_get(object, name);
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : otherwise;
}

bool probe_flag(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        json_t *(*run)(const json_t *request);
    } commands[] = {{"http", probe_http},
                    {"sign", probe_sign},
                    {"config", probe_config},
                    {"credentials", probe_credentials}};
    signals_setup();
    log_set_stderr_level(LOG_DEBUG);
    json_error_t fault;
    json_t *request = json_loadf(stdin, JSON_ALLOW_NUL, &fault);
    json_t *result = NULL;
    for (size_t i = 0; count == 2 && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(arguments[1], commands[i].name) == 0 && request != NULL) {
            result = commands[i].run(request);
        }
    }
    if (result == NULL) {
        fprintf(stderr, "net_probe: wrong usage, or no JSON: %s\n", fault.text);
    } else {
        json_dumpf(result, stdout, JSON_ENSURE_ASCII);
        putchar('\n');
    }
    json_decref(request);
    json_decref(result);
    return result == NULL ? 2 : 0;
}
