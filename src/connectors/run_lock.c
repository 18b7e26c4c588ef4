#include "connectors/run_lock.h"

#include "base/buffer.h"
#include "base/file.h"
#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Of use for messages alone: a failure changes nothing. */
static void write_run(int descriptor, const char *run_id)
{
    struct buffer text = {0};
    buffer_format(&text, "%" PRId64 "\n%s\n", (int64_t)getpid(), run_id);
    if (file_write_at(descriptor, text.data, text.length, 0) == (ssize_t)text.length) {
        (void)!file_cut(descriptor, (off_t)text.length);
    }
    buffer_free(&text);
}

/* "": not known. */
static void read_run(const char *path, char *run, size_t capacity)
{
    char text[128];
    int descriptor = file_open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
    ssize_t got = descriptor < 0 ? 0 : file_read_at(descriptor, text, sizeof(text) - 1, 0);
    run[0] = '\0';
    if (descriptor >= 0) {
        close(descriptor);
    }
    text[got > 0 ? got : 0] = '\0';
    const char *line = strchr(text, '\n');
    size_t length = line == NULL ? 0 : strcspn(++line, "\n");
    if (length == 0 || length >= capacity || line[length] != '\n') {
        return;
    }
    for (size_t at = 0; at < length; at++) {
        if (!isgraph((unsigned char)line[at])) {
            return;
        }
    }
    snprintf(run, capacity, "%.*s", (int)length, line);
}

enum status run_lock_take(const char *path, const char *run_id, int *descriptor,
                          struct ledger_holder *found, struct error *error)
{
    int64_t pid = 0;
    enum status status = *descriptor >= 0 ? STATUS_OK : file_lock(path, descriptor, &pid, error);
    if (status == STATUS_OK) {
        write_run(*descriptor, run_id);
    } else if (status == STATUS_FAILED) {
        error_recode(error, ERROR_TARGET_WRITE);
    } else {
        *found = (struct ledger_holder){.pid = pid};
        snprintf(found->name, sizeof(found->name), "pid %" PRId64, pid);
        read_run(path, found->run, sizeof(found->run));
        if (strcmp(found->run, run_id) == 0) {
            found->run[0] = '\0';
        }
    }
    return status;
}

void run_lock_give_back(int *descriptor)
{
    if (*descriptor >= 0) {
        close(*descriptor);
        *descriptor = -1;
    }
}
