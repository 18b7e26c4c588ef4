/* Reading a settings file by the table of its keys. */
#include "cli/settings.h"

#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/trust.h"
#include "plan/text/tree.h"
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SOURCE_SIDE = 1, TARGET_SIDE = 2 };

enum setting_kind {
    SETTING_COUNT,      /* of an option of ours */
    SETTING_SECONDS,    /* the same, which may have a fraction */
    SETTING_TEXT,       /* the same */
    SETTING_LEVEL,      /* a level of Python's logging */
    SETTING_NUMBER_FOR, /* a number for a connector */
    SETTING_WORD_FOR,   /* a word for a connector, in capitals */
    SETTING_TABLES,
    SETTING_SOURCE,
    SETTING_TARGET
};

struct setting {
    const char *name;
    const char *alias; /* NULL: none */
    enum setting_kind kind;
    enum cli_option_id option; /* COUNT, SECONDS, TEXT, LEVEL */
    const char *parameter;     /* …_FOR: the name of the connector's option */
    uint32_t sides;
    const char *preset; /* what stands where neither file nor profile say it; NULL: nothing */
    const char *ours;   /* the same in our words */
    const char *help;
};

#define OURS(kind, id) SETTING_##kind, CLI_##id, NULL, 0
#define FOR(kind, name, sides) SETTING_##kind##_FOR, CLI_OPTION_COUNT, name, sides
#define BOTH_SIDES (SOURCE_SIDE | TARGET_SIDE)

static const struct setting table[] = {
    {"MAX_WORKERS", NULL, OURS(COUNT, JOBS), NULL, "`--jobs`", "Chunks copied at once."},
    {"BATCH_INSERT_SIZE", NULL, FOR(NUMBER, "batch_rows", TARGET_SIDE), NULL,
     "target `?batch_rows=`", "The most records of one batched request."},
    {"FETCH_BATCH_SIZE", NULL, FOR(NUMBER, "page_rows", SOURCE_SIDE), NULL, "source `?page_rows=`",
     "Rows of a page that is read."},
    {"CONSISTENCY", "CONSISTENCY_LEVEL", FOR(WORD, "consistency", BOTH_SIDES), "QUORUM",
     "`?consistency=`", "Of reads and writes."},
    {"FALLBACK_CONSISTENCY", NULL, FOR(WORD, "fallback", BOTH_SIDES), NULL, "`?fallback=`",
     "What a request falls back to when too few replicas are alive; `true` is ONE. Off unless "
     "given."},
    {"REQUEST_TIMEOUT", NULL, OURS(SECONDS, TIMEOUT), NULL, "`--timeout`",
     "Seconds of the longest single wait."},
    {"MAX_RETRIES", "RETRY_ATTEMPTS", FOR(NUMBER, "retries", BOTH_SIDES), NULL, "`?retries=`",
     "Cassandra: so many tries of `--timeout` each, and the waits between them, without success; "
     "then the run stops. Others, and by default: four times `--timeout`."},
    {"RETRY_DELAY", "BACKOFF", FOR(NUMBER, "retry_delay", BOTH_SIDES), NULL, "`?retry_delay=`",
     "Seconds of the first wait in that reckoning, doubled with each; the waits themselves grow from "
     "50 ms to 20 s, with jitter."},
    {"LOG_FILE", NULL, OURS(TEXT, LOG_FILE), "migrator.log", "`--log-file`",
     "Lines are appended to it."},
    {"LOG_LEVEL", NULL, OURS(LEVEL, LOG_LEVEL), "INFO", "`--log-level`",
     "DEBUG, INFO, WARNING, ERROR or CRITICAL."},
    {"SOURCE", "SOURCE_URI", SETTING_SOURCE, CLI_OPTION_COUNT, NULL, 0, NULL, "`SRC`",
     "With TARGET, where the command line names neither."},
    {"TARGET", "TARGET_URI", SETTING_TARGET, CLI_OPTION_COUNT, NULL, 0, NULL, "`DST`",
     "With SOURCE."},
    {"TABLES", NULL, SETTING_TABLES, CLI_OPTION_COUNT, NULL, 0, NULL, "`--include`",
     "A list of source tables, or patterns of their names."},
};
enum { SETTING_COUNT_ALL = sizeof(table) / sizeof(table[0]) };

/* In the order of --profile. */
static const struct profile {
    const char *name;
    const char *values[3]; /* of the table's first three */
} profiles[] = {{"small", {"3", "25", "50"}},
                {"medium", {"5", "50", "100"}},
                {"large", {"8", "100", "500"}},
                {"unstable", {"2", "10", "50"}}};
enum { PROFILE_COUNT = sizeof(profiles) / sizeof(profiles[0]), PROFILE_MEDIUM = 1 };

/* A file that is being read. */
struct settings {
    struct cli_call *call;
    struct plan_faults *faults;
    bool given[SETTING_COUNT_ALL];
    const char *endpoints[2];
};

/* ---- values */

static void fault(struct settings *settings, const struct plan_node *node, const char *hint,
                  const char *what, const char *shown)
{
    char printable[80];
    text_printable(shown, strlen(shown), printable, sizeof(printable));
    plan_fault(settings->faults, ERROR_SETTINGS_INVALID, node, hint, "'%s' %s", printable, what);
}

/* A value that a flag or the environment gave stands. */
static void set_option(struct settings *settings, enum cli_option_id id, const char *text,
                       const struct plan_node *node)
{
    struct cli_value *value = &settings->call->values[id];
    struct error error = {0};
    if (!value->is_set && cli_value_set(value, cli_option_at(id), NULL, text, settings->call->arena,
                                        &error) != STATUS_OK) {
        plan_fault(settings->faults, ERROR_SETTINGS_INVALID, node,
                   error.hint[0] != '\0' ? error.hint : NULL, "%s", error.message);
    }
}

/* "10" and "2.5" as "2500ms"; NULL: it is no such number. */
static const char *read_seconds(const char *text, struct arena *arena)
{
    size_t whole = strspn(text, "0123456789");
    size_t fraction = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
    if (whole == 0 || whole > 9 || text[whole + (fraction > 0 ? fraction + 1 : 0)] != '\0') {
        return NULL;
    }
    int64_t milliseconds = 0;
    if (text_to_int64(text, whole, &milliseconds) != STATUS_OK) {
        return NULL;
    }
    for (size_t i = 0; i < 3; i++) {
        int digit = i < fraction ? text[whole + 1 + i] - '0' : 0;
        milliseconds = milliseconds * 10 + digit;
    }
    return arena_format(arena, "%" PRId64 "ms", milliseconds);
}

static void set_seconds(struct settings *settings, const struct setting *setting,
                        const struct plan_node *node)
{
    const char *text = read_seconds(node->text, settings->call->arena);
    if (text == NULL) {
        fault(settings, node, NULL, "is not a number of seconds", node->text);
        return;
    }
    set_option(settings, setting->option, text, node);
}

static void set_level(struct settings *settings, const struct setting *setting, const char *text,
                      const struct plan_node *node)
{
    static const char *const levels[][2] = {{"DEBUG", "debug"},  {"INFO", "info"},
                                            {"WARNING", "warn"}, {"WARN", "warn"},
                                            {"ERROR", "error"},  {"CRITICAL", "error"}};
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (strcasecmp(text, levels[i][0]) == 0) {
            set_option(settings, setting->option, levels[i][1], node);
            return;
        }
    }
    fault(settings, node, "it is DEBUG, INFO, WARNING, ERROR or CRITICAL", "is no level of a log",
          text);
}

/* ---- parameters of connectors */

/* `node` NULL: a value that nobody gave. */
static void add_parameter(struct settings *settings, const struct setting *setting,
                          const char *value, const char *said)
{
    struct cli_call *call = settings->call;
    call->parameters[call->parameter_count++] =
        (struct run_parameter){.name = setting->parameter,
                               .value = value,
                               .said = said,
                               .for_source = (setting->sides & SOURCE_SIDE) != 0,
                               .for_target = (setting->sides & TARGET_SIDE) != 0};
}

static const char *in_capitals(const char *text, struct arena *arena)
{
    char *copy = arena_copy_string(arena, text);
    for (char *at = copy; *at != '\0'; at++) {
        *at = (char)toupper((unsigned char)*at);
    }
    return copy;
}

static bool is_one_of(const char *text, const char *const *words)
{
    while (*words != NULL && strcasecmp(text, *words) != 0) {
        words++;
    }
    return *words != NULL;
}

static void take_number(struct settings *settings, const struct setting *setting,
                        const struct plan_node *node, const char *said)
{
    bool rows = strstr(setting->parameter, "_rows") != NULL;
    uint64_t number = 0;
    if (rows && (text_to_uint64(node->text, node->length, &number) != STATUS_OK || number == 0)) {
        fault(settings, node, NULL, "is not a count of rows", node->text);
        return;
    }
    const char *point = strchr(node->text, '.');
    if (node->length == 0 || strspn(node->text, "0123456789.") != node->length ||
        (point != NULL && (node->length == 1 || strchr(point + 1, '.') != NULL))) {
        fault(settings, node, NULL, "is not a number", node->text);
        return;
    }
    add_parameter(settings, setting, node->text, said);
}

static void take_word(struct settings *settings, const struct setting *setting,
                      const struct plan_node *node, const char *said)
{
    static const char *const off[] = {"false", "none", "no", "off", NULL};
    static const char *const on[] = {"true", "yes", "on", NULL};
    bool may_be_off = strcmp(setting->parameter, "fallback") == 0;
    if (node->length == 0 ||
        strspn(node->text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz") !=
            node->length) {
        fault(settings, node, NULL, "is no consistency", node->text);
    } else if (!may_be_off || !is_one_of(node->text, off)) {
        bool is_on = may_be_off && is_one_of(node->text, on);
        add_parameter(settings, setting,
                      is_on ? "ONE" : in_capitals(node->text, settings->call->arena), said);
    }
}

/* ---- tables and endpoints */

static void add_table(struct settings *settings, const struct plan_node *node)
{
    const char *text = plan_node_text(node);
    if (text == NULL || text[0] == '\0') {
        plan_fault(settings->faults, ERROR_SETTINGS_INVALID, node, NULL,
                   "a table's name is expected here");
        return;
    }
    struct error error = {0};
    if (cli_value_set(&settings->call->values[CLI_INCLUDE], cli_option_at(CLI_INCLUDE), NULL, text,
                      settings->call->arena, &error) != STATUS_OK) {
        plan_fault(settings->faults, ERROR_SETTINGS_INVALID, node, NULL, "%s", error.message);
    }
}

static void set_tables(struct settings *settings, const struct plan_node *node)
{
    if (settings->call->values[CLI_INCLUDE].is_set) {
        return;
    }
    if (node->kind == PLAN_NODE_LIST && node->count == 0) {
        plan_fault(settings->faults, ERROR_SETTINGS_INVALID, node,
                   "name tables, or leave it out to copy all of them", "no table is named");
    }
    for (uint32_t i = 0; node->kind == PLAN_NODE_LIST && i < node->count; i++) {
        add_table(settings, node->items[i]);
    }
    if (node->kind != PLAN_NODE_LIST) {
        add_table(settings, node);
    }
}

static void set_endpoint(struct settings *settings, const struct setting *setting,
                         const struct plan_node *node)
{
    if (node->length == 0) {
        plan_fault(settings->faults, ERROR_SETTINGS_INVALID, node, NULL, "a URI is expected here");
        return;
    }
    secret_register_uri(node->text);
    settings->endpoints[setting->kind == SETTING_TARGET] = node->text;
}

/* ---- the file */

static void take_value(struct settings *settings, const struct setting *setting,
                       const struct plan_node *key, const struct plan_node *node)
{
    const char *said = arena_format(settings->call->arena, "%s (%s:%" PRIu32 ":%" PRIu32 ")",
                                    setting->name, settings->faults->file, key->line, key->column);
    if (node->kind == PLAN_NODE_MAP ||
        (node->kind == PLAN_NODE_LIST && setting->kind != SETTING_TABLES)) {
        plan_fault(settings->faults, ERROR_SETTINGS_INVALID, node, NULL,
                   "%s is a single value, not a %s", setting->name,
                   node->kind == PLAN_NODE_MAP ? "map" : "list");
        return;
    }
    switch (setting->kind) {
    case SETTING_COUNT:
    case SETTING_TEXT:
        set_option(settings, setting->option, node->text, node);
        break;
    case SETTING_SECONDS:
        set_seconds(settings, setting, node);
        break;
    case SETTING_LEVEL:
        set_level(settings, setting, node->text, node);
        break;
    case SETTING_NUMBER_FOR:
        take_number(settings, setting, node, said);
        break;
    case SETTING_WORD_FOR:
        take_word(settings, setting, node, said);
        break;
    case SETTING_TABLES:
        set_tables(settings, node);
        break;
    default:
        set_endpoint(settings, setting, node);
        break;
    }
}

static void unknown_key(struct settings *settings, const struct plan_node *key)
{
    const char *names[2 * SETTING_COUNT_ALL];
    size_t count = 0;
    char hint[512];
    for (size_t i = 0; i < SETTING_COUNT_ALL; i++) {
        names[count++] = table[i].name;
    }
    for (size_t i = 0; i < SETTING_COUNT_ALL; i++) {
        if (table[i].alias != NULL) {
            names[count++] = table[i].alias;
        }
    }
    const char *capitals = in_capitals(key->text, settings->call->arena);
    fault(settings, key, plan_nearest_hint(capitals, names, count, hint, sizeof(hint)),
          "is not a known setting", key->text);
}

static void take_key(struct settings *settings, const struct plan_node *key,
                     const struct plan_node *value)
{
    for (size_t i = 0; i < SETTING_COUNT_ALL; i++) {
        const struct setting *setting = &table[i];
        if (strcasecmp(key->text, setting->name) != 0 &&
            (setting->alias == NULL || strcasecmp(key->text, setting->alias) != 0)) {
            continue;
        }
        if (plan_node_is_null(value)) {
            return;
        }
        if (settings->given[i]) {
            fault(settings, key, NULL, "is given twice, in another spelling", key->text);
            return;
        }
        settings->given[i] = true;
        take_value(settings, setting, key, value);
        return;
    }
    unknown_key(settings, key);
}

static enum status read_text(struct settings *settings, const char *path, const char **text,
                             size_t *length, struct error *error)
{
    char *read;
    enum status status =
        trust_read_file(path, PLAN_TEXT_BYTES_MAX, settings->call->arena, &read, length, error);
    if (status == STATUS_END) {
        error_set(error, ERROR_USAGE, path, "there is no such settings file");
        return error_hint(error, "--settings FILE names a YAML file; docs/migrator-settings.md "
                                 "lists its keys");
    }
    *text = read;
    return status == STATUS_OK ? STATUS_OK : trust_recode(error, ERROR_SETTINGS_INVALID);
}

/* Blank lines and comments alone: no map, but no fault either. */
static bool says_nothing(const char *text)
{
    while (*text != '\0') {
        text += strspn(text, " \r\n");
        if (*text != '#') {
            break;
        }
        text += strcspn(text, "\n");
    }
    return *text == '\0';
}

static enum status read_file(struct settings *settings, const char *path, struct error *error)
{
    const char *text = NULL;
    size_t length = 0;
    if (read_text(settings, path, &text, &length, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (says_nothing(text)) {
        return STATUS_OK;
    }
    secret_register_uris(text); /* faults tell what they found */
    const struct plan_node *root =
        plan_tree_read(text, length, settings->call->arena, settings->faults);
    if (root != NULL && root->kind == PLAN_NODE_MAP) {
        for (uint32_t i = 0; i < root->count; i++) {
            take_key(settings, root->keys[i], root->items[i]);
        }
    } else if (root != NULL && !plan_node_is_null(root)) {
        plan_fault(settings->faults, ERROR_SETTINGS_INVALID, root, NULL,
                   "a settings file is a map of keys and values");
    }
    if (plan_faults_result(settings->faults, error) != STATUS_OK) {
        *error = settings->faults->first;
        return error_recode(error, ERROR_SETTINGS_INVALID);
    }
    return STATUS_OK;
}

/* ---- what is not given */

static enum status take_endpoints(struct settings *settings, struct error *error)
{
    struct cli_call *call = settings->call;
    if (call->argument_count > 0) {
        return STATUS_OK;
    }
    const char *const *uris = settings->endpoints;
    for (int i = 0; i < 2; i++) {
        if (uris[i] != NULL) {
            trust_note_uri(uris[i]);
        }
    }
    if ((uris[0] == NULL) != (uris[1] == NULL)) {
        return error_set(error, ERROR_SETTINGS_INVALID, cli_text(call, CLI_SETTINGS),
                         "it names a %s, but no %s", uris[0] != NULL ? "SOURCE" : "TARGET",
                         uris[0] != NULL ? "TARGET" : "SOURCE");
    }
    if (uris[0] != NULL) {
        call->arguments[call->argument_count++] = uris[0];
        call->arguments[call->argument_count++] = uris[1];
    }
    return STATUS_OK;
}

static void preset(struct settings *settings, const struct setting *setting, const char *value,
                   const char *said)
{
    switch (setting->kind) {
    case SETTING_COUNT:
    case SETTING_TEXT:
        set_option(settings, setting->option, value, NULL);
        break;
    case SETTING_LEVEL:
        set_level(settings, setting, value, NULL);
        break;
    default:
        add_parameter(settings, setting, value, said);
        break;
    }
}

static void take_presets(struct settings *settings)
{
    struct cli_call *call = settings->call;
    const struct cli_value *named = &call->values[CLI_PROFILE];
    const struct profile *profile = &profiles[named->is_set ? named->number : PROFILE_MEDIUM];
    bool has_file = call->values[CLI_SETTINGS].is_set;
    for (size_t i = 0; i < SETTING_COUNT_ALL; i++) {
        const struct setting *setting = &table[i];
        if (settings->given[i]) {
            continue;
        }
        if (i < sizeof(profile->values) / sizeof(profile->values[0])) {
            const char *said = arena_format(call->arena, "%s %s (profile %s)", setting->name,
                                            profile->values[i], profile->name);
            preset(settings, setting, profile->values[i], named->is_set ? said : NULL);
        } else if (setting->preset != NULL && has_file) {
            preset(settings, setting, setting->preset, NULL);
        }
    }
}

enum status settings_apply(struct cli_call *call, struct buffer *faults, struct error *error)
{
    const char *path = cli_text(call, CLI_SETTINGS);
    struct plan_faults found;
    struct settings settings = {.call = call, .faults = &found};
    if (path == NULL && !call->values[CLI_PROFILE].is_set) {
        return STATUS_OK;
    }
    call->parameters =
        arena_allocate_zeroed(call->arena, SETTING_COUNT_ALL, sizeof(*call->parameters));
    plan_faults_init(&found, path, faults);
    if (path != NULL && (read_file(&settings, path, error) != STATUS_OK ||
                         take_endpoints(&settings, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    take_presets(&settings);
    return STATUS_OK;
}

/* ---- its page */

static void append_keys(struct buffer *out)
{
    buffer_append_string(out, "| key | default | here | what it does |\n|---|---|---|---|\n");
    for (size_t i = 0; i < SETTING_COUNT_ALL; i++) {
        const struct setting *setting = &table[i];
        const char *value = setting->preset;
        if (i < sizeof(profiles[0].values) / sizeof(profiles[0].values[0])) {
            value = profiles[PROFILE_MEDIUM].values[i];
        }
        buffer_format(out, "| `%s`", setting->name);
        if (setting->alias != NULL) {
            buffer_format(out, ", `%s`", setting->alias);
        }
        buffer_format(out, " | %s | %s | %s |\n", value == NULL ? "" : value, setting->ours,
                      setting->help);
    }
}

void settings_append_markdown(struct buffer *out)
{
    append_keys(out);
    buffer_append_string(out, "\n| profile |");
    for (size_t i = 0; i < 3; i++) {
        buffer_format(out, " `%s` |", table[i].name);
    }
    buffer_append_string(out, "\n|---|--:|--:|--:|\n");
    for (size_t i = 0; i < PROFILE_COUNT; i++) {
        const char *const *values = profiles[i].values;
        buffer_format(out, "| `%s` | %s | %s | %s |\n", profiles[i].name, values[0], values[1],
                      values[2]);
    }
}
