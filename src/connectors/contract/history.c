/* The words of the history of a schema. */
#include "connectors/contract/history.h"

#include <string.h>
#include <strings.h>

bool history_owns(const char *table)
{
    return strncasecmp(table, HISTORY_TABLE, strlen(HISTORY_TABLE)) == 0;
}

static const char *const actions[HISTORY_ACTION_COUNT] = {
    [HISTORY_UP] = "up",         [HISTORY_DOWN] = "down",     [HISTORY_REPEAT] = "repeat",
    [HISTORY_MARK] = "mark",     [HISTORY_UNMARK] = "unmark", [HISTORY_BASELINE] = "baseline",
    [HISTORY_IMPORT] = "import", [HISTORY_CHANGE] = "change", [HISTORY_ABORT] = "abort"};
static const char *const states[HISTORY_STATE_COUNT] = {
    [HISTORY_RUNNING] = "running", [HISTORY_DONE] = "done", [HISTORY_FAILED] = "failed"};

static bool history_find(const char *const *names, size_t count, const char *name, size_t *found)
{
    for (*found = 0; *found < count; (*found)++) {
        if (strcmp(names[*found], name) == 0) {
            return true;
        }
    }
    return false;
}

const char *history_action_name(enum history_action action)
{
    return actions[action];
}

bool history_action_parse(const char *name, enum history_action *action)
{
    size_t found = 0;
    if (!history_find(actions, HISTORY_ACTION_COUNT, name, &found)) {
        return false;
    }
    *action = (enum history_action)found;
    return true;
}

const char *history_state_name(enum history_state state)
{
    return states[state];
}

bool history_state_parse(const char *name, enum history_state *state)
{
    size_t found = 0;
    if (!history_find(states, HISTORY_STATE_COUNT, name, &found)) {
        return false;
    }
    *state = (enum history_state)found;
    return true;
}
