#include "connectors/common/run_lock.h"

#include "base/buffer.h"
#include "base/file.h"
#include "base/text.h"
#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The holder is written for messages alone: a failure changes nothing. */
static void write_run(int descriptor, const char *run_id)
{
    struct buffer text = {0};
    buffer_format(&text, "%" PRId64 "\n%s\n", (int64_t)getpid(), run_id);
    if (file_write_at(descriptor, text.data, text.length, 0) == (ssize_t)text.length) {
        (void)!file_cut(descriptor, (off_t)text.length);
    }
    buffer_free(&text);
}

/* The holder as the file tells it; "" and 0: not known. */
static void read_holder(const char *path, struct ledger_holder *holder)
{
    char text[128];
    int descriptor = file_open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
    ssize_t got = descriptor < 0 ? 0 : file_read_at(descriptor, text, sizeof(text) - 1, 0);
    if (descriptor >= 0) {
        close(descriptor);
    }
    text[got > 0 ? got : 0] = '\0';
    size_t length = strcspn(text, "\n");
    if (text[length] != '\n' || text_to_int64(text, length, &holder->pid) != STATUS_OK) {
        return;
    }
    const char *run = text + length + 1;
    length = strcspn(run, "\n");
    if (length >= sizeof(holder->run) || run[length] != '\n') {
        return;
    }
    for (size_t at = 0; at < length; at++) {
        if (!isgraph((unsigned char)run[at])) {
            return;
        }
    }
    snprintf(holder->run, sizeof(holder->run), "%.*s", (int)length, run);
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
        *found = (struct ledger_holder){0};
        read_holder(path, found);
        found->pid = pid;
        snprintf(found->name, sizeof(found->name), "pid %" PRId64, pid);
        if (strcmp(found->run, run_id) == 0) {
            found->run[0] = '\0';
        }
    }
    return status;
}

enum status run_lock_refuse_other(const char *path, int descriptor, const char *place,
                                  struct error *error)
{
    struct ledger_holder holder = {0};
    if (descriptor >= 0 || !file_is_locked(path)) {
        return STATUS_OK;
    }
    read_holder(path, &holder);
    error_set(error, ERROR_RUN_HELD, place, "pid %" PRId64 " works on %s%s", holder.pid,
              holder.run[0] != '\0' ? "run " : "it", holder.run);
    error_hint(error, "one process at a time writes there: wait for it or stop it");
    return STATUS_FAILED;
}

void run_lock_give_back(int *descriptor)
{
    if (*descriptor >= 0) {
        close(*descriptor);
        *descriptor = -1;
    }
}
