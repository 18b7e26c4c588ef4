/* URIs of a connector that is known: taken apart, percent-decoded, their options checked. */
#include "connectors/common/uri.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/trust.h"
#include "connectors/common/registry.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PARAMETERS_MAX = 32, OPTIONS_NAMED_MAX = 64 };

struct uri_reader {
    struct arena *arena;
    struct uri *uri;
    const struct connector *connector;
    struct uri_parameter parameters[PARAMETERS_MAX];
    struct error *error;
};

static enum status uri_fail(struct uri_reader *reader, enum error_code code, const char *message)
{
    return error_set(reader->error, code, reader->uri->shown, "%s", message);
}

/* Every %XX becomes its byte; NULL with an error for %00 or a broken one. */
static const char *decode(struct uri_reader *reader, const char *text, size_t length)
{
    char *out = arena_copy(reader->arena, text, length);
    size_t written = 0;

    for (size_t i = 0; i < length; i++, written++) {
        out[written] = text[i];
        if (text[i] != '%') {
            continue;
        }
        int high = length - i > 2 ? text_hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? text_hex_digit(text[i + 2]) : -1;
        if (low < 0 || (high == 0 && low == 0)) {
            uri_fail(reader, ERROR_USAGE,
                     low < 0 ? "a % is not followed by two hexadecimal digits"
                             : "%00 stands for no character of a name");
            error_hint(reader->error, "write %%25 for a percent sign");
            return NULL;
        }
        out[written] = (char)(high << 4 | low);
        i += 2;
    }
    out[written] = '\0';
    return out;
}

static enum status read_port(struct uri_reader *reader, const char *text, size_t length)
{
    int64_t port = 0;
    if (text_to_int64(text, length, &port) != STATUS_OK || port < 1 || port > 65535) {
        return uri_fail(reader, ERROR_USAGE, "the port is not a number from 1 to 65535");
    }
    reader->uri->port = (uint16_t)port;
    return STATUS_OK;
}

/* A URI as it is shown has no secrets to connect with. */
static bool is_hidden(const char *text, size_t length)
{
    return length == 3 && strncmp(text, "***", length) == 0;
}

/* [user[:password]@]host[:port]; a host in brackets may hold colons. */
static enum status read_authority(struct uri_reader *reader, const char *text, size_t length)
{
    struct uri *uri = reader->uri;
    const char *at = memrchr(text, '@', length);

    if (at != NULL) {
        size_t user_length = (size_t)(at - text);
        const char *colon = memchr(text, ':', user_length);
        size_t name_length = colon != NULL ? (size_t)(colon - text) : user_length;
        uri->user = decode(reader, text, name_length);
        if (uri->user == NULL) {
            return STATUS_FAILED;
        }
        uri->hides_password = colon != NULL && is_hidden(colon + 1, (size_t)(at - colon) - 1);
        if (colon != NULL && !uri->hides_password) {
            uri->password = decode(reader, colon + 1, (size_t)(at - colon) - 1);
            if (uri->password == NULL) {
                return STATUS_FAILED;
            }
            secret_register(uri->password, strlen(uri->password));
            secret_register(colon + 1, (size_t)(at - colon) - 1);
        }
        length -= user_length + 1;
        text = at + 1;
    }
    const char *close = length > 0 && text[0] == '[' ? memchr(text, ']', length) : NULL;
    size_t host_length = close != NULL ? (size_t)(close - text) + 1 : length;
    const char *colon = close != NULL ? close + 1 : memrchr(text, ':', length);
    if (colon != NULL && colon < text + length && *colon == ':') {
        host_length = (size_t)(colon - text);
        if (read_port(reader, colon + 1, (size_t)(text + length - colon) - 1) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    bool bracketed = close != NULL;
    uri->host = decode(reader, text + bracketed, host_length - 2 * (size_t)bracketed);
    return uri->host != NULL ? STATUS_OK : STATUS_FAILED;
}

/* ---------------------------------------------------------------- options */

static bool is_choice(const char *choices, const char *value)
{
    size_t length = strlen(value);
    for (const char *at = choices; at != NULL && *at != '\0'; at += strcspn(at, "|")) {
        at += *at == '|';
        if (strcspn(at, "|") == length && strncmp(at, value, length) == 0) {
            return true;
        }
    }
    return false;
}

/* "1..100", "64KiB..512MiB"; an end may be left open. */
static bool is_in_range(const char *range, bool bytes, uint64_t value)
{
    const char *dots = range != NULL ? strstr(range, "..") : NULL;
    uint64_t least = 0;
    uint64_t most = UINT64_MAX;

    if (dots == NULL) {
        return true;
    }
    char low[32];
    snprintf(low, sizeof low, "%.*s", (int)(dots - range < 31 ? dots - range : 31), range);
    if (low[0] != '\0' && (bytes ? text_to_bytes(low, &least)
                                 : text_to_uint64(low, strlen(low), &least)) != STATUS_OK) {
        return true;
    }
    if (dots[2] != '\0' &&
        (bytes ? text_to_bytes(dots + 2, &most)
               : text_to_uint64(dots + 2, strlen(dots + 2), &most)) != STATUS_OK) {
        return true;
    }
    return value >= least && value <= most;
}

/* Booleans become "true" or "false". */
static const char *normal_value(const struct connector_option *option, const char *value)
{
    static const char *const words[][2] = {
        {"true", "true"},   {"yes", "true"},    {"1", "true"},  {"on", "true"},
        {"false", "false"}, {"no", "false"},    {"0", "false"}, {"off", "false"},
        {"allow", "true"},  {"refuse", "false"}};
    uint64_t number = 0;

    switch (option->type) {
    case OPTION_INTEGER:
        return text_to_uint64(value, strlen(value), &number) == STATUS_OK &&
                       is_in_range(option->range, false, number)
                   ? value
                   : NULL;
    case OPTION_BYTES:
        return text_to_bytes(value, &number) == STATUS_OK &&
                       is_in_range(option->range, true, number)
                   ? value
                   : NULL;
    case OPTION_BOOLEAN:
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
            if (strcasecmp(value, words[i][0]) == 0) {
                return words[i][1];
            }
        }
        return NULL;
    case OPTION_CHOICE:
        return is_choice(option->range, value) ? value : NULL;
    default:
        return value;
    }
}

static const struct connector_option *find_option(const struct connector *connector,
                                                  const char *name)
{
    for (uint32_t i = 0; i < connector->option_count; i++) {
        if (strcmp(connector->options[i].name, name) == 0) {
            return &connector->options[i];
        }
    }
    return NULL;
}

static enum status unknown_option(struct uri_reader *reader, const char *name)
{
    const struct connector *connector = reader->connector;
    const char *names[OPTIONS_NAMED_MAX];
    uint32_t count =
        connector->option_count < OPTIONS_NAMED_MAX ? connector->option_count : OPTIONS_NAMED_MAX;

    for (uint32_t i = 0; i < count; i++) {
        names[i] = connector->options[i].name;
    }
    const char *near = text_nearest(name, names, count);
    error_set(reader->error, ERROR_UNKNOWN_OPTION, reader->uri->shown,
              "there is no option %s for %s", name, connector->title);
    if (near != NULL) {
        error_hint(reader->error, "did you mean %s?", near);
    } else {
        error_hint(reader->error,
                   "`transhume connectors %s` lists its options; a ? in a name is "
                   "written %%3F",
                   connector->name);
    }
    return STATUS_FAILED;
}

static bool runs_code(const struct connector_option *option, const char *value)
{
    return option->type == OPTION_CODE ||
           (option->type == OPTION_KEY && strchr(value, ':') != NULL);
}

static enum status add_parameter(struct uri_reader *reader, const char *name, const char *value)
{
    struct uri *uri = reader->uri;
    const struct connector_option *option = find_option(reader->connector, name);

    if (option == NULL) {
        return unknown_option(reader, name);
    }
    if (option->secret) {
        secret_register(value, strlen(value));
    }
    const char *normal = normal_value(option, value);
    if (normal == NULL) {
        static const char *const kinds[] = {
            "a text", "a whole number", "a size in bytes", "true or false", "one of its choices",
            "a path", "a path"};
        error_set(reader->error, ERROR_BAD_VALUE, uri->shown, "option %s is %s, which is not %s",
                  name, option->secret ? "***" : value, kinds[option->type]);
        if (option->range != NULL) {
            error_hint(reader->error, "give one of %s", option->range);
        } else {
            error_hint(reader->error, "`transhume connectors %s` describes its options",
                       reader->connector->name);
        }
        return STATUS_FAILED;
    }
    if (runs_code(option, value) && trust_is_noted_uri(uri->text)) {
        error_set(reader->error, ERROR_COMMANDS_REFUSED, uri->shown,
                  "a plan or a file of connections may come from others, and option %s runs code",
                  name);
        return error_hint(reader->error, "give the URI with it on the command line%s",
                          strcmp(name, "library") == 0 ? ", or the path in TRANSHUME_DUCKDB" : "");
    }
    for (uint32_t i = 0; i < uri->parameter_count; i++) {
        if (strcmp(reader->parameters[i].name, name) == 0) {
            error_set(reader->error, ERROR_USAGE, uri->shown, "option %s is given twice", name);
            error_hint(reader->error, "leave one of the two out");
            return STATUS_FAILED;
        }
    }
    if (uri->parameter_count == PARAMETERS_MAX) {
        return uri_fail(reader, ERROR_USAGE, "too many options");
    }
    reader->parameters[uri->parameter_count++] =
        (struct uri_parameter){.name = name, .value = normal};
    return STATUS_OK;
}

/* "name=value&name=value" */
static enum status read_parameters(struct uri_reader *reader, const char *text)
{
    reader->uri->parameter_count = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, "&");
        const char *equals = memchr(text, '=', length);
        size_t name_length = equals != NULL ? (size_t)(equals - text) : length;
        if (length > 0) {
            const char *name = decode(reader, text, name_length);
            const char *value =
                equals == NULL ? "true" : decode(reader, equals + 1, length - name_length - 1);
            const struct connector_option *option =
                name != NULL ? find_option(reader->connector, name) : NULL;
            bool secret = option != NULL && option->secret && equals != NULL;
            if (secret && is_hidden(equals + 1, length - name_length - 1)) {
                text += length + (text[length] == '&');
                continue;
            }
            if (secret) {
                secret_register(equals + 1, length - name_length - 1); /* as it was written */
            }
            if (name == NULL || value == NULL || add_parameter(reader, name, value) != STATUS_OK) {
                return STATUS_FAILED;
            }
        }
        text += length + (text[length] == '&');
    }
    reader->uri->parameters = (const struct uri_parameter *)(void *)arena_copy(
        reader->arena, reader->parameters,
        reader->uri->parameter_count * sizeof *reader->parameters);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all of it */

/*
 * A password with a '/' or '?' of its own ends the host's part too early, and what is behind it
 * would be printed as a host or a database: an '@' behind that part says so.
 */
static bool cuts_password(const char *text, size_t length)
{
    const char *query = text + strcspn(text, "?");
    const char *at = strrchr(text + length, '@');
    bool has_colon = memchr(text, ':', length) != NULL;
    if (!has_colon || at == NULL) {
        return false;
    }
    if (memchr(text + length, '@', (size_t)(query - text) - length) != NULL) {
        return true; /* text + length is a '/', or the query's '?' */
    }
    const char *part = at;
    while (part > query && part[-1] != '&' && part[-1] != '?') {
        part--;
    }
    return memchr(part, '=', (size_t)(at - part)) == NULL;
}

static enum status fail_cut_password(struct uri_reader *reader)
{
    uri_fail(reader, ERROR_USAGE,
             "the password has a character that ends it here, so that the host is unclear");
    return error_hint(reader->error,
                      "write %%40 for an @ in it, %%2F for a /, %%3F for a ?, %%23 for a #");
}

static enum status read_all(struct uri_reader *reader, const char *rest)
{
    struct uri *uri = reader->uri;
    const char *help = reader->connector->uri_help;
    bool is_file = help == NULL || strstr(help, "://") == NULL;

    uri->scheme = reader->connector->name;
    if (strncmp(rest, "//", 2) == 0) {
        rest += 2;
        if (!is_file) {
            size_t length = strcspn(rest, "/?");
            if (cuts_password(rest, length)) {
                return fail_cut_password(reader);
            }
            if (length > 0 && read_authority(reader, rest, length) != STATUS_OK) {
                return STATUS_FAILED;
            }
            rest += length + (rest[length] == '/');
        }
    }
    size_t length = strcspn(rest, "?");
    uri->path = decode(reader, rest, length);
    if (uri->path == NULL) {
        return STATUS_FAILED;
    }
    return read_parameters(reader, rest[length] == '?' ? rest + length + 1 : "");
}

/* Without the password and all secrets known by now. */
static void uri_show(struct uri *uri, struct arena *arena)
{
    size_t capacity = 2 * strlen(uri->text) + 8;
    char *shown = arena_allocate(arena, capacity);
    secret_redact_uri(uri->text, shown, capacity);
    secret_redact(shown);
    uri->shown = shown;
}

struct uri *uri_begin(const char *text, struct arena *arena)
{
    struct uri *uri = arena_allocate_zeroed(arena, 1, sizeof *uri);
    uri->text = arena_copy_string(arena, text);
    uri_show(uri, arena);
    return uri;
}

enum status uri_read(struct uri *uri, const struct connector *connector, const char *rest,
                     struct arena *arena, struct error *error)
{
    struct uri_reader reader = {.arena = arena, .uri = uri, .connector = connector, .error = error};
    if (read_all(&reader, rest) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uri_show(uri, arena);
    return STATUS_OK;
}

enum status uri_read_path(struct uri *uri, const struct connector *connector, const char *path,
                          const char *options, struct arena *arena, struct error *error)
{
    struct uri_reader reader = {.arena = arena, .uri = uri, .connector = connector, .error = error};
    uri->scheme = connector->name;
    uri->path = path;
    if (read_parameters(&reader, options) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uri_show(uri, arena);
    return STATUS_OK;
}

const char *uri_parameter(const struct uri *uri, const struct connector *connector,
                          const char *name)
{
    for (uint32_t i = 0; i < uri->parameter_count; i++) {
        if (strcmp(uri->parameters[i].name, name) == 0) {
            return uri->parameters[i].value;
        }
    }
    const struct connector_option *option = find_option(connector, name);
    return option != NULL ? option->default_text : NULL;
}

bool uri_is_stream(const struct uri *uri, const struct connector *connector)
{
    return (connector->capabilities & CAPABILITY_STREAMS) != 0 && uri->path != NULL &&
           strcmp(uri->path, "-") == 0;
}
