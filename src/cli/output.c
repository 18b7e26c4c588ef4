/* Printing that commands share. */
#include "cli/cli.h"

#include "base/text.h"
#include "model/json_writer.h"
#include "observe/table.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COLUMNS_MIN = 40, PROSE_COLUMNS_MAX = 100 };

enum status cli_print(struct buffer *out, struct error *error)
{
    size_t written = 0;
    while (written < out->length) {
        ssize_t size = write(STDOUT_FILENO, out->data + written, out->length - written);
        if (size < 0 && errno == EPIPE) {
            break; /* `| head` has seen enough */
        }
        if (size < 0 && errno != EINTR) {
            return error_set_errno(error, ERROR_STATE_WRITE, errno, "stdout", "can't write");
        }
        written += size > 0 ? (size_t)size : 0;
    }
    buffer_clear(out);
    return STATUS_OK;
}

int cli_finish(struct buffer *out, int exit_status)
{
    struct error error;
    int result = cli_print(out, &error) == STATUS_OK ? exit_status : cli_fail(NULL, &error);
    buffer_free(out);
    return result;
}

bool cli_color(const struct cli_call *call, int descriptor)
{
    const struct cli_value *value = &call->values[CLI_COLOR];
    enum { AUTO, ALWAYS, NEVER };
    if (value->is_set && value->number != AUTO) {
        return value->number == ALWAYS;
    }
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return (no_color == NULL || no_color[0] == '\0') && isatty(descriptor) && term != NULL &&
           strcmp(term, "dumb") != 0;
}

uint32_t cli_terminal_columns(int descriptor)
{
    struct winsize size;
    if (!isatty(descriptor) || ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        return 0;
    }
    return size.ws_col < COLUMNS_MIN ? COLUMNS_MIN : size.ws_col;
}

uint32_t cli_terminal_rows(int descriptor)
{
    struct winsize size;
    return isatty(descriptor) && ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}

uint32_t cli_prose_columns(int descriptor)
{
    uint32_t columns = cli_terminal_columns(descriptor);
    return columns == 0 || columns > PROSE_COLUMNS_MAX ? PROSE_COLUMNS_MAX : columns;
}

void cli_append_json_text(struct buffer *out, const char *text)
{
    if (text == NULL) {
        buffer_append_string(out, "null");
        return;
    }
    json_append_printable(out, text);
}

void cli_append_whole(const char *text, uint32_t indent, struct buffer *out)
{
    enum { PIECE_BYTES = 1024, ESCAPED_MAX = 4 };
    bool begins = true;
    for (const char *at = text; *at != '\0';) {
        char piece[ESCAPED_MAX * PIECE_BYTES];
        size_t length = strcspn(at, "\n");
        size_t taken = text_clip(at, length, PIECE_BYTES - 1);
        text_printable(at, taken, piece, sizeof piece);
        buffer_format(out, "%*s%s%s", begins ? (int)indent : 0, "", piece,
                      taken < length ? "" : "\n");
        begins = taken == length;
        at += taken < length ? taken : length + (at[length] == '\n');
    }
}

void cli_append_wrapped(struct buffer *out, const char *text, uint32_t indent, uint32_t columns)
{
    while (*text != '\0') {
        buffer_format(out, "%*s", (int)indent, "");
        uint32_t width = indent;
        bool first = true;
        while (*text != '\0' && *text != '\n') {
            size_t length = strcspn(text, " \n");
            char word[256];
            size_t kept = length < sizeof(word) ? length : sizeof(word) - 1;
            memcpy(word, text, kept);
            word[kept] = '\0';
            uint32_t word_width = table_text_width(word);
            if (!first && width + 1 + word_width > columns) {
                break;
            }
            buffer_append_string(out, first ? "" : " ");
            buffer_append(out, text, length);
            width += word_width + !first;
            first = false;
            text += length;
            text += strspn(text, " ");
        }
        buffer_append_byte(out, '\n');
        text += *text == '\n';
    }
}
