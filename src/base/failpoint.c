/* Failpoints: the parsed variable, counters and the count file, all set up before threads start. */
#include "base/failpoint.h"
#include "base/file.h"

#include "base/clock.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RULES_MAX = 64, NAME_BYTES_MAX = 96 };

enum action { ACTION_KILL, ACTION_STOP, ACTION_ERROR, ACTION_RETRY, ACTION_ENOSPC, ACTION_SLEEP };

static const char *const action_names[] = {"kill", "stop", "error", "retry", "enospc", "sleep"};
enum { ACTION_COUNT = sizeof(action_names) / sizeof(action_names[0]) };

struct rule {
    char name[NAME_BYTES_MAX];
    enum action action;
    uint64_t occurrence; /* 0: each */
    atomic_ullong hits;
};

int failpoint_active;
static struct rule rules[RULES_MAX];
static size_t rule_count;
static int count_descriptor = -1;

static enum status malformed(struct error *error, const char *text, size_t length)
{
    error_set(error, ERROR_BAD_VALUE, "TRANSHUME_FAILPOINT",
              "'%.*s' is not name:action[:occurrence]", (int)(length < 200 ? length : 200), text);
    return error_hint(error, "actions are kill, stop, error, retry, enospc and sleep");
}

static enum status parse_rule(const char *text, size_t length, struct error *error)
{
    const char *end = text + length;
    const char *colon = memchr(text, ':', length);
    if (colon == NULL || colon == text || colon - text >= NAME_BYTES_MAX ||
        rule_count == RULES_MAX) {
        return malformed(error, text, length);
    }
    const char *action = colon + 1;
    const char *second = memchr(action, ':', (size_t)(end - action));
    size_t action_length = (size_t)((second == NULL ? end : second) - action);
    size_t index = 0;
    while (index < ACTION_COUNT && (strlen(action_names[index]) != action_length ||
                                    memcmp(action_names[index], action, action_length) != 0)) {
        index++;
    }
    struct rule *rule = &rules[rule_count];
    rule->occurrence = 1;
    if (index == ACTION_COUNT ||
        (second != NULL &&
         text_to_uint64(second + 1, (size_t)(end - second - 1), &rule->occurrence) != STATUS_OK)) {
        return malformed(error, text, length);
    }
    rule->action = (enum action)index;
    memcpy(rule->name, text, (size_t)(colon - text));
    rule->name[colon - text] = '\0';
    atomic_store(&rule->hits, 0);
    rule_count++;
    return STATUS_OK;
}

enum status failpoint_setup(struct error *error)
{
    const char *text = getenv("TRANSHUME_FAILPOINT");
    const char *count_path = getenv("TRANSHUME_FAILPOINT_COUNT");
    failpoint_active = 0;
    rule_count = 0;
    if (count_descriptor >= 0) {
        close(count_descriptor);
        count_descriptor = -1;
    }
    while (text != NULL && *text != '\0') {
        size_t length = strcspn(text, ",");
        if (parse_rule(text, length, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        text += length + (text[length] == ',');
    }
    if (count_path != NULL && *count_path != '\0') {
        count_descriptor =
            file_open(count_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (count_descriptor < 0) {
            return error_set_errno(error, ERROR_BAD_VALUE, errno, count_path,
                                   "can't open the file that TRANSHUME_FAILPOINT_COUNT names");
        }
    }
    failpoint_active = rule_count > 0 || count_descriptor >= 0;
    return STATUS_OK;
}

/* The counts of a killed process would be lost. A child of its own writes them: until that is done
 * other threads would go on, and be killed further along than they were asked to. It is waited for
 * only until it holds no file of ours open, and so no lock either: the pipe ends with them. */
#ifdef TRANSHUME_COVERAGE
void __gcov_dump(void);
static void dump_coverage(void)
{
    int ends[2];
    char none;
    if (pipe(ends) != 0) {
        return;
    }
    if (fork() == 0) {
        close_range(0, UINT32_MAX, 0);
        __gcov_dump();
        _exit(0);
    }
    close(ends[1]);
    while (read(ends[0], &none, 1) < 0 && errno == EINTR) {
    }
}
#else
static void dump_coverage(void)
{
}
#endif

static void count_hit(const char *name)
{
    char line[NAME_BYTES_MAX + 1];
    int length = snprintf(line, sizeof(line), "%.*s\n", NAME_BYTES_MAX - 1, name);
    ssize_t written;
    do {
        written = write(count_descriptor, line, (size_t)length);
    } while (written < 0 && errno == EINTR);
}

static enum status failpoint_act(const struct rule *rule, struct error *error)
{
    switch (rule->action) {
    case ACTION_KILL:
        dump_coverage();
        raise(SIGKILL);
        return STATUS_OK;
    case ACTION_STOP:
        raise(SIGSTOP);
        return STATUS_OK;
    case ACTION_ERROR:
        return error_set(error, ERROR_INTERNAL, rule->name, "this failpoint was asked to fail");
    case ACTION_RETRY:
        return error_set(error, ERROR_TARGET_THROTTLED, rule->name,
                         "this failpoint asks to try again");
    case ACTION_ENOSPC:
        return error_set_errno(error, ERROR_DISK_FULL, ENOSPC, rule->name,
                               "this failpoint plays a full disk");
    case ACTION_SLEEP:
        clock_sleep_ms(1000);
        return STATUS_OK;
    }
    return STATUS_OK;
}

enum status failpoint_hit_slow(const char *name, struct error *error)
{
    if (count_descriptor >= 0) {
        count_hit(name);
    }
    for (size_t i = 0; i < rule_count; i++) {
        struct rule *rule = &rules[i];
        if (strcmp(rule->name, name) == 0) {
            uint64_t hit = atomic_fetch_add(&rule->hits, 1) + 1;
            if (rule->occurrence == 0 || rule->occurrence == hit) {
                enum status status = failpoint_act(rule, error);
                if (status != STATUS_OK) {
                    return status;
                }
            }
        }
    }
    return STATUS_OK;
}
