/* The table of options, and the values that a command line, the environment and a plan give
 * them. */
#ifndef TRANSHUME_CLI_OPTIONS_H
#define TRANSHUME_CLI_OPTIONS_H

#include "base/arena.h"
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

/* Where an option may stand: a set of commands. */
enum cli_place {
    IN_INIT = 1 << 0,
    IN_CHECK = 1 << 1,
    IN_MIGRATE = 1 << 2,
    IN_RESUME = 1 << 3,
    IN_STATUS = 1 << 4,
    IN_RESET = 1 << 5,
    IN_CONNECTORS = 1 << 6,
    IN_FAILPOINTS = 1 << 7,
    IN_HELP = 1 << 8,
    IN_VERSION = 1 << 9,
    IN_REPORT = 1 << 10,
    IN_VALIDATE = 1 << 11,
    IN_ROLLBACK = 1 << 12,
    IN_FINISH = 1 << 13,
    IN_ANALYZE = 1 << 14,
    IN_GRAFANA = 1 << 15,
    IN_SERVE = 1 << 16,
    IN_ALERTS = 1 << 17,
    IN_CUTOVER = 1 << 18,
    IN_SCHEMA = 1 << 19, /* which of its subcommands, their own lists say */
    IN_CHANGE = 1 << 20, /* likewise */
    IN_DIFF = 1 << 21,
    IN_CONNECTIONS = 1 << 22,
    IN_COMPLETE = 1 << 23,
    IN_RUN = IN_MIGRATE | IN_RESUME | IN_CUTOVER,
    IN_LONG = IN_RUN | IN_VALIDATE | IN_ROLLBACK,
    IN_STATE = IN_STATUS | IN_RESET | IN_REPORT,
    IN_LISTS = IN_CONNECTORS | IN_CONNECTIONS | IN_FAILPOINTS | IN_VERSION,
    IN_ALL = (1 << 24) - 1
};

enum cli_option_id {
#define CLI_OPTION(id, ...) CLI_##id,
#include "cli/options.def"
#undef CLI_OPTION
    CLI_OPTION_COUNT
};

enum cli_type {
    CLI_TYPE_SWITCH,
    CLI_TYPE_COUNT,
    CLI_TYPE_BYTES,
    CLI_TYPE_TIME,   /* number: milliseconds */
    CLI_TYPE_CHOICE, /* number: place in the range */
    CLI_TYPE_TEXT,
    CLI_TYPE_LIST
};

/* The headings of `--help`, in their order. */
enum cli_group {
    CLI_GROUP_COMMON,
    CLI_GROUP_SAFETY,
    CLI_GROUP_SPEED,
    CLI_GROUP_WATCHING,
    CLI_GROUP_ADVANCED,
    CLI_GROUP_COUNT
};

/* One row of options.def. */
struct cli_option {
    enum cli_option_id id;
    const char *name;
    char letter;
    const char *argument;
    enum cli_type type;
    const char *range;
    const char *default_text;
    const char *environment;
    const char *plan;
    uint32_t places;
    enum cli_group group;
    const char *since;
    bool secret;
    const char *help;
    const char *details;
};
const struct cli_option *cli_option_at(enum cli_option_id id);
const struct cli_option *cli_option_by_name(const char *name, size_t length);
const struct cli_option *cli_option_by_letter(char letter);

/* An option's value as the command line or, failing that, the environment gave it. */
struct cli_value {
    bool is_set;
    const char *text;  /* as given */
    int64_t number;    /* COUNT, BYTES, TIME, CHOICE; SWITCH: 0 or 1 */
    const char **list; /* LIST */
    uint32_t list_count;
    const int
        *list_places; /* LIST: where on the command line each stood; NULL: it is not from there */
};

/* Is it one of the words for a switch that is on ("true", "yes", "on", "1")? NULL is not. */
bool cli_is_on(const char *text);

/* Sets one value from a text; `where` names the origin in messages ("--jobs", "TRANSHUME_JOBS"). A
 * list grows. Texts are borrowed, lists live in `arena`. */
enum status cli_value_set(struct cli_value *value, const struct cli_option *option,
                          const char *where, const char *text, struct arena *arena,
                          struct error *error) MUST_USE;

#endif
