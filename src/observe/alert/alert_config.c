#include "observe/alert/alert_config.h"

#include "base/secret.h"
#include "base/text.h"
#include "base/trust.h"
#include "net/http.h"
#include "plan/text/faults.h"
#include "plan/text/grammar.h"
#include "plan/text/tree.h"
#include <stdlib.h>
#include <string.h>

enum {
    ARGUMENTS_MAX = 64,
    TROUBLE_GROUP_MS = 2000,
    DAY_MS = 86400000,
    TIMEOUT_MS_MIN = 100,  /* 0 would be no limit to those who send */
    TIMEOUT_MS_MAX = 60000 /* the end of a run waits for a message that is under way */
};
#define KIND(kind) (1u << (kind))
static const uint32_t trouble = KIND(EVENT_ANOMALY) | KIND(EVENT_STALL) | KIND(EVENT_ERROR) |
                                KIND(EVENT_RUN) | KIND(EVENT_RETENTION);

/* A service's URL is often its password: all behind the host is never shown. */
static void register_url(const char *url)
{
    const char *host = strstr(url, "://");
    const char *path = host != NULL ? strchr(host + 3, '/') : NULL;
    secret_register_uri(url);
    if (path != NULL && strlen(path) > 4) {
        secret_register(path, strlen(path));
    }
}

/* $NAME is what the environment has under that name; NULL: it has none. */
static const char *value_of(const char *text, struct arena *arena)
{
    if (text == NULL || text[0] != '$') {
        return text;
    }
    const char *value = getenv(text + 1);
    return value != NULL ? arena_copy_string(arena, value) : NULL;
}

static const char *const *default_sendmail(const char *const *given)
{
    static const char *const arguments[] = {"/usr/sbin/sendmail", "-t", "-i", NULL};
    return given != NULL ? given : arguments;
}

/* ---- one receiver of a file */

struct reading {
    struct alert_config *config;
    struct plan_faults *faults;
    struct arena *arena;
};

static const char *text_of(const struct reading *reading, const struct plan_node *map,
                           const char *name)
{
    const struct plan_node *node = plan_node_get(map, name);
    const char *text = plan_node_text(node);
    const char *value = value_of(text, reading->arena);
    if (text != NULL && value == NULL) {
        plan_fault(reading->faults, ERROR_PLAN_INVALID, node, NULL,
                   "the environment has no variable '%s'", text + 1);
    }
    return value;
}

static const char *const *list_of(const struct reading *reading, const struct plan_node *map,
                                  const char *name, uint32_t *count)
{
    const struct plan_node *node = plan_node_get(map, name);
    if (node == NULL) {
        return NULL;
    }
    *count = node->kind == PLAN_NODE_LIST ? node->count : 1;
    const char **texts = arena_allocate_zeroed(reading->arena, *count + 1u, sizeof(*texts));
    for (uint32_t i = 0; i < *count; i++) {
        texts[i] = plan_node_text(node->kind == PLAN_NODE_LIST ? node->items[i] : node);
    }
    return texts;
}

static int64_t time_of(const struct reading *reading, const struct plan_node *map, const char *name,
                       int64_t usual_ms, uint64_t most_ms)
{
    const struct plan_node *node = plan_node_get(map, name);
    uint64_t value;
    if (node == NULL) {
        return usual_ms;
    }
    if (text_to_milliseconds(plan_node_text(node), &value) != STATUS_OK || value > most_ms) {
        plan_fault(reading->faults, ERROR_PLAN_INVALID, node,
                   most_ms < DAY_MS ? "10s would be one" : "30s, 5m or 1h would be one",
                   "'%s' is no time up to a %s", plan_node_text(node),
                   most_ms < DAY_MS ? "minute" : "day");
        return usual_ms;
    }
    return (int64_t)value;
}

static uint32_t kinds_of(const struct reading *reading, const struct plan_node *map)
{
    uint32_t count = 0;
    uint32_t kinds = 0;
    const char *const *names = list_of(reading, map, "events", &count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t known = 0;
        for (int kind = EVENT_RUN; kind < EVENT_KINDS; kind++) {
            known |= strcmp(names[i], event_kind_name((enum event_kind)kind)) == 0 ? KIND(kind) : 0;
        }
        if (known == 0) {
            plan_fault(reading->faults, ERROR_PLAN_INVALID, plan_node_get(map, "events"),
                       "anomaly, stall, error and run are usual", "'%s' is no kind of event",
                       names[i]);
        }
        kinds |= known;
    }
    return names != NULL ? kinds : trouble;
}

/* It becomes a line of the mail's head. */
static bool is_mail_address(const char *text)
{
    bool clean = text[0] != '\0';
    for (const char *at = text; *at != '\0' && clean; at++) {
        clean = (unsigned char)*at >= ' ' && *at != '\x7f';
    }
    return clean;
}

static enum status check_plaintext(const struct http_url *url, const char *object,
                                   struct error *error)
{
    if (url->tls || http_host_is_loopback(url->host) || trust_allows_plaintext()) {
        return STATUS_OK;
    }
    error_set(error, ERROR_BAD_VALUE, object,
              "http:// would send alerts unencrypted, and the address is another machine's");
    return error_hint(error, "use https://, or --allow-plaintext where the network is trusted");
}

static void check_url(const struct reading *reading, const struct plan_node *node, const char *url)
{
    struct http_url parts;
    struct error error;
    register_url(url);
    if (http_url_parse(url, "alerts", reading->arena, &parts, &error) != STATUS_OK) {
        plan_fault(reading->faults, ERROR_PLAN_INVALID, node, "https://host/path would be one",
                   "it is no URL: %s", error.message);
    } else if (check_plaintext(&parts, "alerts", &error) != STATUS_OK) {
        plan_fault(reading->faults, ERROR_PLAN_INVALID, node, error.hint, "%s", error.message);
    }
}

/* The one key that says how. */
static bool take_way(const struct reading *reading, const struct plan_node *map,
                     struct alert_receiver *receiver)
{
    static const char *const ways[] = {"alertmanager", "webhook", "command", "email"};
    const struct plan_node *node = NULL;
    uint32_t given = 0;
    uint32_t count = 0;
    for (int i = 0; i < 4; i++) {
        const struct plan_node *found = plan_node_get(map, ways[i]);
        if (found != NULL) {
            node = found;
            receiver->way = (enum alert_way)i;
            given++;
        }
    }
    if (given != 1) {
        plan_fault(reading->faults, ERROR_PLAN_INVALID, map, NULL,
                   "a receiver of alerts has one of alertmanager, webhook, command and email");
        return false;
    }
    if (receiver->way == ALERT_COMMAND) {
        receiver->arguments = list_of(reading, map, "command", &count);
        return count > 0;
    }
    receiver->address = text_of(reading, map, ways[receiver->way]);
    if (receiver->way == ALERT_EMAIL) {
        receiver->arguments = default_sendmail(list_of(reading, map, "sendmail", &count));
        if (receiver->address != NULL && !is_mail_address(receiver->address)) {
            plan_fault(reading->faults, ERROR_PLAN_INVALID, node, "dba@example.com would be one",
                       "it is no address of e-mail");
        }
    } else if (receiver->address != NULL) {
        check_url(reading, node, receiver->address);
    }
    return receiver->address != NULL;
}

static void take_receiver(const struct reading *reading, const char *name,
                          const struct plan_node *map)
{
    struct alert_config *config = reading->config;
    struct alert_receiver *receiver = &config->receivers[config->count];
    const char *severity = plan_node_text(plan_node_get(map, "severity"));
    const struct plan_node *resolved = plan_node_get(map, "resolved");
    uint32_t passed_count = 0;
    *receiver = (struct alert_receiver){
        .name = arena_copy_string(reading->arena, name),
        .place = arena_format(reading->arena, "%s:%u:%u", reading->faults->file,
                              (unsigned)map->line, (unsigned)map->column),
        .passed = list_of(reading, map, "env", &passed_count)};
    if (!take_way(reading, map, receiver)) {
        return;
    }
    /* Alertmanager takes for over what it does not hear of for five minutes. */
    bool manages = receiver->way == ALERT_ALERTMANAGER;
    receiver->kinds = kinds_of(reading, map);
    receiver->codes = list_of(reading, map, "codes", &receiver->code_count);
    receiver->level = severity == NULL || strcmp(severity, "warning") == 0 ? LOG_WARNING
                      : strcmp(severity, "error") == 0                     ? LOG_ERROR
                                                                           : LOG_INFO;
    receiver->resolved = resolved == NULL || strcmp(plan_node_text(resolved), "true") == 0;
    receiver->group_ms = time_of(reading, map, "group", 5000, DAY_MS);
    receiver->repeat_ms = time_of(reading, map, "repeat", manages ? 60000 : 3600000, DAY_MS);
    receiver->timeout_ms = time_of(reading, map, "timeout", 10000, TIMEOUT_MS_MAX);
    if (receiver->timeout_ms < TIMEOUT_MS_MIN) {
        plan_fault(reading->faults, ERROR_PLAN_INVALID, plan_node_get(map, "timeout"),
                   "10s would be one", "no message can be told in that time");
    }
    config->count++;
}

/* ---- files */

static void take_alerts(const struct reading *reading, const struct plan_node *root)
{
    const struct plan_node *alerts = plan_node_get(root, "alerts");
    uint32_t count = alerts != NULL && alerts->kind == PLAN_NODE_MAP ? alerts->count : 0;
    for (uint32_t i = 0; i < count && reading->faults->count == 0; i++) {
        if (reading->config->count == ALERT_RECEIVERS_MAX) {
            plan_fault(reading->faults, ERROR_PLAN_INVALID, alerts->keys[i], NULL,
                       "there are more than %d receivers of alerts", ALERT_RECEIVERS_MAX);
            return;
        }
        take_receiver(reading, alerts->keys[i]->text, alerts->items[i]);
    }
}

enum status alert_config_read(struct alert_config *config, const char *path, bool is_plan,
                              struct arena *arena, struct buffer *faults, struct error *error)
{
    char *text;
    size_t length;
    struct plan_faults found;
    enum status status = trust_read_file(path, PLAN_TEXT_BYTES_MAX, arena, &text, &length, error);
    if (status != STATUS_OK) {
        if (is_plan && (status == STATUS_END || error->code != ERROR_FILE_UNTRUSTED)) {
            return STATUS_OK;
        }
        return status == STATUS_END ? error_set(error, ERROR_USAGE, path, "there is no such file")
                                    : trust_recode(error, ERROR_USAGE);
    }
    plan_faults_init(&found, path, is_plan ? NULL : faults);
    const struct plan_node *root = plan_tree_read(text, length, arena, &found);
    if (is_plan && (root == NULL || found.count > 0)) {
        return STATUS_OK;
    }
    if (root != NULL && !is_plan) {
        grammar_check_alerts_file(root, &found);
    }
    const struct plan_node *alerts = is_plan ? plan_node_get(root, "alerts") : NULL;
    if (alerts != NULL) {
        plan_faults_init(&found, path, faults);
        grammar_check_alerts(alerts, &found);
    }
    const struct reading reading = {config, &found, arena};
    if (root != NULL && found.count == 0) {
        take_alerts(&reading, root);
    }
    return plan_faults_result(&found, error);
}

/* ---- programs */

static bool is_program_of_file(const struct alert_receiver *receiver)
{
    return receiver->place != NULL &&
           (receiver->way == ALERT_COMMAND || receiver->way == ALERT_EMAIL);
}

static void append_words(const struct alert_receiver *receiver, struct buffer *out)
{
    for (uint32_t i = 0; receiver->arguments[i] != NULL; i++) {
        char shown[1024];
        const char *word = receiver->arguments[i];
        text_printable(word, strlen(word), shown, sizeof shown);
        buffer_format(out, "%s%s", i == 0 ? "" : " ", shown);
    }
}

enum status alert_config_check(const struct alert_config *config, struct error *error)
{
    for (uint32_t i = 0; i < config->count; i++) {
        const struct alert_receiver *receiver = &config->receivers[i];
        if (!is_program_of_file(receiver) || trust_allows_commands()) {
            continue;
        }
        struct buffer words = {0};
        append_words(receiver, &words);
        error_set(error, ERROR_COMMANDS_REFUSED, receiver->place,
                  "the alerts of `%s` run a program, and a file may come from others: %.160s",
                  receiver->name, buffer_string(&words));
        buffer_free(&words);
        return error_hint(error, "read it, then give --allow-commands; or other receivers with "
                                 "--alerts FILE");
    }
    return STATUS_OK;
}

void alert_config_describe(const struct alert_config *config, struct buffer *out)
{
    for (uint32_t i = 0; i < config->count; i++) {
        const struct alert_receiver *receiver = &config->receivers[i];
        if (is_program_of_file(receiver)) {
            buffer_format(out, "alerts of %s: %s: ", receiver->name,
                          receiver->way == ALERT_COMMAND ? "command" : "e-mail by the command");
            append_words(receiver, out);
            buffer_append_byte(out, '\n');
        }
    }
}

/* ---- --notify */

static const char *const *words_of(const char *text, struct arena *arena)
{
    const char **words = arena_allocate_zeroed(arena, ARGUMENTS_MAX + 1, sizeof(*words));
    char *copy = arena_copy_string(arena, text);
    char *rest = NULL;
    uint32_t count = 0;
    for (char *word = strtok_r(copy, " \t", &rest); word != NULL && count < ARGUMENTS_MAX;
         word = strtok_r(NULL, " \t", &rest)) {
        words[count++] = word;
    }
    return words;
}

enum status alert_config_add_notify(struct alert_config *config, const char *where,
                                    struct arena *arena, struct error *error)
{
    struct http_url parts;
    struct alert_receiver receiver = {.name = "--notify",
                                      .way = ALERT_COMMAND,
                                      .kinds = trouble,
                                      .level = LOG_INFO,
                                      .group_ms = TROUBLE_GROUP_MS,
                                      .timeout_ms = 10000};
    const char *address = value_of(where, arena);
    if (address == NULL || address[strspn(address, " \t")] == '\0') {
        return error_set(error, ERROR_USAGE, "--notify", "says nobody: %s", where);
    }
    if (config->count == ALERT_RECEIVERS_MAX) {
        return error_set(error, ERROR_USAGE, "--notify", "there are too many receivers of alerts");
    }
    if (strncmp(address, "mailto:", 7) == 0) {
        receiver.way = ALERT_EMAIL;
        receiver.address = arena_copy_string(arena, address + 7);
        receiver.arguments = default_sendmail(NULL);
        if (!is_mail_address(receiver.address)) {
            return error_set(error, ERROR_USAGE, "--notify", "it is no address of e-mail");
        }
    } else if (strncmp(address, "http://", 7) == 0 || strncmp(address, "https://", 8) == 0) {
        receiver.way = ALERT_WEBHOOK;
        receiver.address = arena_copy_string(arena, address);
        register_url(address);
        if (http_url_parse(address, "--notify", arena, &parts, error) != STATUS_OK) {
            return error_recode(error, ERROR_USAGE);
        }
        if (check_plaintext(&parts, "--notify", error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    } else {
        receiver.arguments = words_of(address, arena);
    }
    config->receivers[config->count++] = receiver;
    return STATUS_OK;
}
