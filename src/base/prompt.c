/* Reading a line from the terminal, which does not show it. */
#include "base/prompt.h"

#include "base/secret.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static void prompt_say(const char *text)
{
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
}

enum { CTRL_C = 3 };

/* Signals of the keyboard are off, so that none leaves the terminal without echo: Ctrl-C is a
 * character here, which ends the line. */
static bool read_byte(char *next)
{
    ssize_t got;
    do {
        got = read(STDIN_FILENO, next, 1);
    } while (got < 0 && errno == EINTR);
    return got == 1;
}

/* `*fits`: there was room for all of the line; else nothing of it is the answer. */
static size_t read_line(char *answer, size_t size, bool *fits)
{
    size_t length = 0;
    char next = 0;
    *fits = true;
    while (read_byte(&next) && next != '\n' && next != CTRL_C) {
        *fits = length + 1 < size;
        if (!*fits) {
            continue;
        }
        answer[length++] = next;
    }
    length = next == CTRL_C || !*fits ? 0 : length;
    answer[length] = '\0';
    return length;
}

enum status prompt_secret(const char *question, char *answer, size_t size)
{
    struct termios shown;
    answer[0] = '\0';
    if (!isatty(STDERR_FILENO) || tcgetattr(STDIN_FILENO, &shown) != 0) {
        return STATUS_END;
    }
    struct termios hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    hidden.c_cc[VEOL] = CTRL_C;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) != 0) {
        return STATUS_END;
    }
    prompt_say(question);
    bool fits;
    size_t length = read_line(answer, size, &fits);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    prompt_say(fits ? "\n" : "\nthe answer is too long\n");
    return length > 0 ? STATUS_OK : STATUS_END;
}
