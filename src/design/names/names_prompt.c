/* Clusters adjusted by commands. */
#include "design/names/names.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/signals.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HELP_COLUMN = 30 };

struct prompt {
    struct names_clusters *clusters;
    const char *path;
    FILE *out;
    struct names_clusters *history; /* as they were before each change */
    uint32_t changes;
    uint32_t capacity;
    struct names_clusters written;
    uint32_t unwritten; /* changes since */
    bool asks;
    bool warned; /* of those that are not written */
    bool ends;
};

struct command {
    const char *name;
    const char *argument; /* "" for none */
    const char *help;
    enum status (*run)(struct prompt *prompt, const char *text, struct error *error);
    enum names_verb verb; /* where `run` is NULL */
};
static const struct command *command_of(const char *name, size_t length);
static const struct command *command_at(size_t number);

/* ---------------------------------------------------------------- commands */

static enum status names_prompt_show(struct prompt *prompt, const char *text, struct error *error)
{
    struct buffer list = {0};
    (void)text;
    (void)error;
    names_append_list(prompt->clusters, &list);
    fputs(buffer_string(&list), prompt->out);
    buffer_free(&list);
    return STATUS_OK;
}

static enum status names_prompt_undo(struct prompt *prompt, const char *text, struct error *error)
{
    (void)text;
    if (prompt->changes == 0) {
        return error_set(error, ERROR_BAD_VALUE, "undo", "nothing was changed");
    }
    *prompt->clusters = prompt->history[--prompt->changes];
    prompt->unwritten = prompt->unwritten > 0 ? prompt->unwritten - 1 : 1;
    fputs("undone\n", prompt->out);
    return STATUS_OK;
}

static enum status write_file(struct prompt *prompt, const char *text, struct error *error)
{
    struct buffer file = {0};
    (void)text;
    names_append_file(prompt->clusters, &file);
    enum status status = file_write_atomic(prompt->path, file.data, file.length, NULL, error);
    buffer_free(&file);
    if (status == STATUS_OK) {
        names_clusters_copy(prompt->clusters, &prompt->written);
        prompt->unwritten = 0;
        fprintf(prompt->out, "written to %s\n", prompt->path);
    }
    return status;
}

static enum status quit(struct prompt *prompt, const char *text, struct error *error)
{
    (void)text;
    (void)error;
    prompt->ends = !prompt->asks || prompt->unwritten == 0 || prompt->warned;
    if (!prompt->ends) {
        prompt->warned = true;
        fprintf(prompt->out,
                "%u %s not written: `write` keeps what was changed, `quit` again drops it\n",
                prompt->unwritten, prompt->unwritten == 1 ? "change is" : "changes are");
    }
    return STATUS_OK;
}

static enum status help(struct prompt *prompt, const char *text, struct error *error)
{
    (void)text;
    (void)error;
    for (size_t i = 0; command_at(i) != NULL; i++) {
        const struct command *command = command_at(i);
        int width = fprintf(prompt->out, "  %s %s", command->name, command->argument);
        fprintf(prompt->out, "%*s%s\n", width < HELP_COLUMN ? HELP_COLUMN - width : 1, "",
                command->help);
    }
    return STATUS_OK;
}

static const struct command commands[] = {
    {"show", "", "list the clusters with their columns", names_prompt_show, 0},
    {"move", "table.column=CLUSTER", "put a column into another cluster", NULL, NAMES_MOVE},
    {"merge", "A,B[,C]", "make one cluster of several, under the first one's name", NULL,
     NAMES_MERGE},
    {"split", "CLUSTER", "make two of it, by the same vectors", NULL, NAMES_SPLIT},
    {"rename", "CLUSTER=NAME", "give it another name", NULL, NAMES_RENAME},
    {"undo", "", "take the last change back", names_prompt_undo, 0},
    {"write", "", "keep the changes in clusters.yaml", write_file, 0},
    {"quit", "", "end, and go on with what was written", quit, 0},
    {"help", "", "this list", help, 0},
};

static const struct command *command_at(size_t number)
{
    return number < sizeof(commands) / sizeof(*commands) ? &commands[number] : NULL;
}

static const struct command *command_of(const char *name, size_t length)
{
    for (size_t i = 0; command_at(i) != NULL; i++) {
        if (strlen(commands[i].name) == length &&
            strncasecmp(commands[i].name, name, length) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- lines */

static void remember(struct prompt *prompt)
{
    prompt->history = memory_make_room(prompt->history, prompt->changes, &prompt->capacity,
                                       sizeof(*prompt->history));
    names_clusters_copy(prompt->clusters, &prompt->history[prompt->changes]);
}

/* A blank may stand for the "=". */
static enum status change(struct prompt *prompt, enum names_verb verb, char *text,
                          struct error *error)
{
    char *blank = strrchr(text, ' ');
    if ((verb == NAMES_MOVE || verb == NAMES_RENAME) && strchr(text, '=') == NULL &&
        blank != NULL) {
        *blank = '=';
    }
    remember(prompt);
    if (names_adjust(prompt->clusters, verb, text, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    prompt->changes++;
    prompt->unwritten++;
    prompt->warned = false;
    fprintf(prompt->out, "%u clusters\n", prompt->clusters->count);
    return STATUS_OK;
}

static enum status names_prompt_run(struct prompt *prompt, char *line, struct error *error)
{
    size_t length = strcspn(line, " ");
    const struct command *command = command_of(line, length);
    char *text = line + length + strspn(line + length, " ");
    if (command == NULL) {
        error_set(error, ERROR_BAD_VALUE, line, "is no command");
        return error_hint(error, "`help` lists them");
    }
    if (command->run != NULL) {
        return command->run(prompt, text, error);
    }
    return change(prompt, command->verb, text, error);
}

static char *names_prompt_trim(char *line)
{
    size_t length = strlen(line);
    while (length > 0 && strchr(" \t\r\n", line[length - 1]) != NULL) {
        line[--length] = '\0';
    }
    return line + strspn(line, " \t");
}

static void run_line(struct prompt *prompt, char *line)
{
    struct error error = {0};
    char *trimmed = names_prompt_trim(line);
    if (trimmed[0] == '\0' || names_prompt_run(prompt, trimmed, &error) == STATUS_OK) {
        return;
    }
    fprintf(prompt->out, "%s %s%s%s\n", error.object, error.message,
            error.hint[0] != '\0' ? "; " : "", error.hint);
}

static enum status names_prompt_finish(struct prompt *prompt, struct error *error)
{
    if (signals_stop_level() > 0) {
        error_set(error, ERROR_INTERRUPTED, NULL, "interrupted");
        return error_hint(error, "clusters.yaml has what was written; nothing else was made");
    }
    if (prompt->unwritten > 0) {
        fprintf(prompt->out, "%u %s dropped, not written\n", prompt->unwritten,
                prompt->unwritten == 1 ? "change" : "changes");
    }
    *prompt->clusters = prompt->written;
    return STATUS_OK;
}

/* A signal ends the wait for a line of a terminal. */
static bool has_line(const struct prompt *prompt, FILE *in)
{
    struct pollfd waiting = {.fd = fileno(in), .events = POLLIN};
    return !prompt->asks || poll(&waiting, 1, -1) > 0;
}

enum status names_prompt(struct names_clusters *clusters, const char *path, FILE *in, FILE *out,
                         bool asks, struct error *error)
{
    struct prompt prompt = {.clusters = clusters, .path = path, .out = out, .asks = asks};
    char *line = NULL;
    size_t capacity = 0;
    const char *last_words = signals_end_with(NULL);
    names_clusters_copy(clusters, &prompt.written);
    if (asks) {
        fprintf(out, "%u clusters; `help` lists the commands\n", clusters->count);
    }
    while (!prompt.ends && signals_stop_level() == 0) {
        fputs(asks ? "clusters> " : "", out);
        fflush(out);
        if (!has_line(&prompt, in) || getline(&line, &capacity, in) < 0) {
            break;
        }
        run_line(&prompt, line);
    }
    fflush(out);
    free(line);
    free(prompt.history);
    (void)signals_end_with(last_words);
    return names_prompt_finish(&prompt, error);
}
