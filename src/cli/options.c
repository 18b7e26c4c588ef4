/* The option table, and how a text becomes a value of an option's type. */
#include "cli/options.h"

#include "base/text.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct cli_option options[] = {
#define CLI_OPTION(id, name, letter, argument, type, range, default_text, environment, plan, \
                   places, group, since, secret, help, details)                              \
    {CLI_##id,     name,        letter, argument, CLI_TYPE_##type,   range,                  \
     default_text, environment, plan,   places,   CLI_GROUP_##group, since,                  \
     secret,       help,        details},
#include "cli/options.def"
#undef CLI_OPTION
};

const struct cli_option *cli_option_at(enum cli_option_id id)
{
    return &options[id];
}

const struct cli_option *cli_option_by_name(const char *name, size_t length)
{
    for (size_t i = 0; i < CLI_OPTION_COUNT; i++) {
        if (strlen(options[i].name) == length && memcmp(options[i].name, name, length) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

const struct cli_option *cli_option_by_letter(char letter)
{
    for (size_t i = 0; i < CLI_OPTION_COUNT; i++) {
        if (options[i].letter == letter && letter != 0) {
            return &options[i];
        }
    }
    return NULL;
}

static enum status bad_value(const struct cli_option *option, const char *where, const char *text,
                             const char *expected, struct error *error)
{
    char shown[80];
    text_printable(text, strlen(text), shown, sizeof(shown));
    if (option->secret) {
        return error_set(error, ERROR_BAD_VALUE, where, "this is not %s", expected);
    }
    return error_set(error, ERROR_BAD_VALUE, where, "'%s' is not %s", shown, expected);
}

static enum status parse_switch(const char *text, int64_t *number)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *number = (int64_t)(i % 2);
            return STATUS_OK;
        }
    }
    return STATUS_FAILED;
}

bool cli_is_on(const char *text)
{
    int64_t number = 0;
    return text != NULL && parse_switch(text, &number) == STATUS_OK && number != 0;
}

/* "90", "90s", "500ms", "5m", "2h" into milliseconds. */
static enum status parse_time(const char *text, int64_t *number)
{
    static const struct {
        const char *unit;
        int64_t milliseconds;
    } units[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60000}, {"min", 60000}, {"h", 3600000}};
    size_t digits = strspn(text, "0123456789");
    int64_t count;
    if (text_to_int64(text, digits, &count) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text + digits, units[i].unit) == 0) {
            return __builtin_mul_overflow(count, units[i].milliseconds, number) ? STATUS_FAILED
                                                                                : STATUS_OK;
        }
    }
    return STATUS_FAILED;
}

static enum status parse_bytes(const char *text, int64_t *number)
{
    uint64_t bytes;
    if (text_to_bytes(text, &bytes) != STATUS_OK || bytes > INT64_MAX) {
        return STATUS_FAILED;
    }
    *number = (int64_t)bytes;
    return STATUS_OK;
}

/* "500000", "500_000", "500k" and "2M" (thousands and millions): rows are counted in tens. */
static enum status parse_count(const char *text, int64_t *number)
{
    char digits[32];
    size_t length = 0;
    size_t i = 0;
    for (; isdigit((unsigned char)text[i]) || (text[i] == '_' && i > 0); i++) {
        if (text[i] != '_') {
            if (length == sizeof(digits)) {
                return STATUS_FAILED;
            }
            digits[length++] = text[i];
        }
    }
    int64_t factor = text[i] == 'k' ? 1000 : text[i] == 'M' ? 1000000 : 1;
    i += factor > 1;
    int64_t count;
    if (text[i] != '\0' || text_to_int64(digits, length, &count) != STATUS_OK ||
        __builtin_mul_overflow(count, factor, number)) {
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

static enum status parse_number(enum cli_type type, const char *text, int64_t *number)
{
    switch (type) {
    case CLI_TYPE_SWITCH:
        return parse_switch(text, number);
    case CLI_TYPE_TIME:
        return parse_time(text, number);
    case CLI_TYPE_BYTES:
        return parse_bytes(text, number);
    default:
        return parse_count(text, number);
    }
}

/* "1..256" or "0.." */
static bool is_in_range(const struct cli_option *option, int64_t number)
{
    if (option->range == NULL) {
        return true;
    }
    char low[32];
    const char *dots = strstr(option->range, "..");
    size_t length = (size_t)(dots - option->range);
    memcpy(low, option->range, length);
    low[length] = '\0';
    int64_t bound;
    if (parse_number(option->type, low, &bound) != STATUS_OK || number < bound) {
        return false;
    }
    return dots[2] == '\0' ||
           (parse_number(option->type, dots + 2, &bound) == STATUS_OK && number <= bound);
}

static enum status set_choice(struct cli_value *value, const struct cli_option *option,
                              const char *where, const char *text, struct error *error)
{
    const char *choices[16];
    char copies[16][24];
    size_t count = 0;
    for (const char *at = option->range; count < 16; count++) {
        size_t length = strcspn(at, "|");
        memcpy(copies[count], at, length);
        copies[count][length] = '\0';
        choices[count] = copies[count];
        if (strcmp(text, choices[count]) == 0) {
            value->number = (int64_t)count;
            return STATUS_OK;
        }
        if (at[length] == '\0') {
            count++;
            break;
        }
        at += length + 1;
    }
    char expected[160];
    snprintf(expected, sizeof(expected), "one of %s", option->range);
    enum status status = bad_value(option, where, text, expected, error);
    const char *nearest = text_nearest(text, choices, count);
    for (size_t i = 0; nearest == NULL && i < count && strlen(text) > 1; i++) {
        size_t length = strlen(choices[i]); /* snake_case for snake, app for append */
        size_t shorter = length < strlen(text) ? length : strlen(text);
        nearest = strncasecmp(text, choices[i], shorter) == 0 ? choices[i] : NULL;
    }
    if (nearest == NULL) {
        error_hint(error, "Give one of %s.", option->range);
    }
    if (nearest != NULL) {
        error_hint(error, "Did you mean `%s`?", nearest);
    }
    return status;
}

static enum status set_number(struct cli_value *value, const struct cli_option *option,
                              const char *where, const char *text, struct error *error)
{
    static const char *const kinds[] = {
        [CLI_TYPE_SWITCH] = "true or false",
        [CLI_TYPE_COUNT] = "a count such as 500 or 20k",
        [CLI_TYPE_BYTES] = "a size such as 512KiB, 64MiB or 1G",
        [CLI_TYPE_TIME] = "a time such as 30s, 5m or 2h",
    };
    if (parse_number(option->type, text, &value->number) != STATUS_OK) {
        return bad_value(option, where, text, kinds[option->type], error);
    }
    if (!is_in_range(option, value->number)) {
        char expected[64];
        snprintf(expected, sizeof(expected), "within %s", option->range);
        return bad_value(option, where, text, expected, error);
    }
    return STATUS_OK;
}

static void append_to_list(struct cli_value *value, const char *text, struct arena *arena)
{
    uint32_t count = value->list_count;
    const char **list = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof(*list));
    for (uint32_t i = 0; i < count; i++) {
        list[i] = value->list[i];
    }
    list[count] = text;
    value->list = list;
    value->list_count = count + 1;
}

enum status cli_value_set(struct cli_value *value, const struct cli_option *option,
                          const char *where, const char *text, struct arena *arena,
                          struct error *error)
{
    enum status status = STATUS_OK;
    switch (option->type) {
    case CLI_TYPE_TEXT:
        if (text[0] == '\0') {
            status = bad_value(option, where, text, option->argument, error);
        }
        break;
    case CLI_TYPE_LIST:
        append_to_list(value, text, arena);
        break;
    case CLI_TYPE_CHOICE:
        status = set_choice(value, option, where, text, error);
        break;
    default:
        status = set_number(value, option, where, text, error);
        break;
    }
    if (status == STATUS_OK) {
        value->is_set = true;
        value->text = text;
    }
    return status;
}
