/* Standard input as a file that can be read twice, standard output as a target. */
#include "connectors/folder/folder.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/signals.h"
#include "connectors/common/registry.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

enum { COPY_BYTES = 256 * 1024, WAIT_MS = 500, NOTE_MS = 30000 };

struct folder_pipe {
    const char *table;
    int input;       /* the nameless file that standard input was copied to; -1: not yet */
    char *folder;    /* of standard output */
    uint64_t copied; /* segments that are out */
};

static const char *temporary_folder(void)
{
    const char *named = getenv("TMPDIR");
    return named != NULL && named[0] == '/' ? named : "/tmp";
}

/* ---------------------------------------------------------------- open */

static enum status open_input(struct folder_pipe *pipe, struct error *error)
{
    pipe->input = -1;
    if (isatty(STDIN_FILENO)) {
        error_set(error, ERROR_SOURCE_MISSING, "standard input", "it is a terminal");
        return error_hint(error,
                          "give it the records: transhume … < FILE, or PROGRAM | transhume …");
    }
    return STATUS_OK;
}

/* Nothing of a run outlives this process: what is out is out. */
static enum status open_output(struct folder *folder, struct error *error)
{
    if (folder->compression != FOLDER_PLAIN) {
        error_set(error, ERROR_BAD_VALUE, "standard output", "it is written without compression");
        return error_hint(error, "pipe it through gzip or zstd");
    }
    char *path = arena_format(folder->arena, "%s/transhume-XXXXXX", temporary_folder());
    if (mkdtemp(path) == NULL) {
        error_set_errno(error, ERROR_TARGET_WRITE, errno, path, "can't make a private folder");
        return error_hint(error, "name another place for it in TMPDIR");
    }
    folder->pipe->folder = path;
    free(folder->path);
    folder->path = memory_copy_string(path);
    folder->root = folder->path;
    /* what was written before a crash is not known after it */
    folder->pipe_connector = *folder->format->connector;
    folder->pipe_connector.guarantee = GUARANTEE_AT_LEAST_ONCE;
    folder->pipe_connector.capabilities = folder->format->target_capabilities;
    folder->pipe_connector.target = &folder_pipe_target;
    folder->base.connector = &folder->pipe_connector;
    folder->base.capabilities &= ~(uint32_t)CAPABILITY_COUNTS_EXACT;
    return STATUS_OK;
}

enum status folder_pipe_open(struct folder *folder, const struct uri *uri, struct error *error)
{
    const char *table = uri_parameter(uri, folder->format->connector, "table");
    folder->pipe = arena_allocate_zeroed(folder->arena, 1, sizeof(*folder->pipe));
    folder->pipe->input = -1;
    folder->pipe->table =
        arena_copy_string(folder->arena, table != NULL && *table != '\0' ? table : "stdin");
    if (folder->mode == OPEN_SOURCE) {
        return open_input(folder->pipe, error);
    }
    folder->base.capabilities |= CAPABILITY_NO_RESUME;
    return open_output(folder, error);
}

void folder_pipe_close(struct folder_pipe *pipe)
{
    struct error ignored;
    if (pipe == NULL) {
        return;
    }
    if (pipe->input >= 0) {
        close(pipe->input);
    }
    if (pipe->folder != NULL && file_remove_tree(pipe->folder, &ignored) != STATUS_OK) {
        log_write(LOG_WARNING, "%s: the private folder could not be removed", pipe->folder);
    }
}

const char *folder_pipe_table(const struct folder *folder)
{
    return folder->pipe->table;
}

/* ---------------------------------------------------------------- input */

/* Waits for bytes, for as long as whoever writes them takes and nobody says stop. */
static enum status wait_for_input(struct error *error)
{
    int64_t note_ms = clock_monotonic_ms() + NOTE_MS;
    for (;;) {
        struct pollfd wanted = {.fd = STDIN_FILENO, .events = POLLIN};
        int ready = poll(&wanted, 1, WAIT_MS);
        if (ready > 0) {
            return STATUS_OK;
        }
        if (signals_stop_level() > 0) {
            return error_set(error, ERROR_INTERRUPTED, "standard input",
                             "stopped while it was read");
        }
        if (ready < 0 && errno != EINTR) {
            return error_set_errno(error, ERROR_SOURCE_READ, errno, "standard input",
                                   "can't wait for it");
        }
        if (clock_monotonic_ms() >= note_ms) {
            log_write(LOG_WARNING, "nothing has come from standard input for %d s; waiting",
                      NOTE_MS / 1000);
            note_ms += NOTE_MS;
        }
    }
}

static enum status copy_input(int to, const char *shown, struct error *error)
{
    char *bytes = memory_allocate(COPY_BYTES);
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        status = wait_for_input(error);
        ssize_t got = status == STATUS_OK ? read(STDIN_FILENO, bytes, COPY_BYTES) : 0;
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (got < 0) {
            status =
                error_set_errno(error, ERROR_SOURCE_READ, errno, "standard input", "can't read it");
        }
        if (status != STATUS_OK || got == 0) {
            break;
        }
        if (file_write_all(to, bytes, (size_t)got, shown, error) != STATUS_OK) {
            error_recode(error, ERROR_SOURCE_READ);
            error_hint(error, "standard input is kept there while it is read; name another place "
                              "in TMPDIR");
            status = STATUS_FAILED;
        }
    }
    free(bytes);
    return status;
}

/* A file without a name, in the folder for temporary ones. */
static int make_nameless(void)
{
    char path[4096];
    int descriptor = open(temporary_folder(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (descriptor >= 0) {
        return descriptor;
    }
    snprintf(path, sizeof(path), "%s/transhume-XXXXXX", temporary_folder());
    descriptor = mkostemp(path, O_CLOEXEC);
    if (descriptor >= 0) {
        unlink(path);
    }
    return descriptor;
}

/* Puts what is in `*descriptor`, if it is packed, into another nameless file as it was before. */
static enum status unpack(int *descriptor, struct error *error)
{
    enum folder_compression compression = folder_compression_within(*descriptor);
    struct folder_input *input = NULL;
    char path[64];
    if (compression == FOLDER_PLAIN) {
        return STATUS_OK;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", *descriptor);
    int plain = make_nameless();
    char *bytes = memory_allocate(COPY_BYTES);
    enum status status =
        plain < 0 ? error_set_errno(error, ERROR_SOURCE_READ, errno, temporary_folder(),
                                    "can't make a file for standard input")
                  : folder_input_open_packed(path, compression, ERROR_SOURCE_READ, &input, error);
    while (status == STATUS_OK) {
        size_t length = 0;
        status = folder_input_read(input, bytes, COPY_BYTES, &length, error);
        if (status == STATUS_OK) {
            status = file_write_all(plain, bytes, length, temporary_folder(), error);
        }
    }
    folder_input_close(input);
    free(bytes);
    if (status != STATUS_END) {
        if (plain >= 0) {
            close(plain);
        }
        return STATUS_FAILED;
    }
    close(*descriptor);
    *descriptor = plain;
    return STATUS_OK;
}

/* So that a resume with the same bytes knows them. */
static enum status hash_contents(int descriptor, struct folder_file *file, struct error *error)
{
    XXH3_state_t *state = folder_hash_create();
    char *bytes = memory_allocate(COPY_BYTES);
    enum status status = STATUS_OK;
    XXH3_64bits_reset(state);
    while (status == STATUS_OK) {
        ssize_t got = pread(descriptor, bytes, COPY_BYTES, (off_t)file->bytes);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            status = error_set_errno(error, ERROR_SOURCE_READ, errno, "standard input",
                                     "can't read it again");
        }
        if (got <= 0) {
            break;
        }
        XXH3_64bits_update(state, bytes, (size_t)got);
        file->bytes += (uint64_t)got;
    }
    if (status == STATUS_OK) {
        file->modified_ns = (int64_t)(XXH3_64bits_digest(state) >> 1);
    }
    free(bytes);
    XXH3_freeState(state);
    return status;
}

enum status folder_pipe_take(struct folder *folder, struct folder_file *file, struct error *error)
{
    struct folder_pipe *pipe = folder->pipe;
    int descriptor = make_nameless();
    if (descriptor < 0) {
        return error_set_errno(error, ERROR_SOURCE_READ, errno, temporary_folder(),
                               "can't make a file for standard input");
    }
    *file = (struct folder_file){.name = "standard input"};
    enum status status = copy_input(descriptor, temporary_folder(), error);
    status = status == STATUS_OK ? unpack(&descriptor, error) : status;
    status = status == STATUS_OK ? hash_contents(descriptor, file, error) : status;
    if (status == STATUS_OK) {
        file->path = arena_format(folder->arena, "/proc/self/fd/%d", descriptor);
    }
    if (status != STATUS_OK) {
        close(descriptor);
        return STATUS_FAILED;
    }
    pipe->input = descriptor;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- output */

static enum status give_locked(struct folder_pipe *pipe, int from, uint64_t offset,
                               struct error *error)
{
    char *bytes = memory_allocate(COPY_BYTES);
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        ssize_t got = pread(from, bytes, COPY_BYTES, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            status = error_set_errno(error, ERROR_TARGET_WRITE, errno, pipe->folder,
                                     "can't read what is to be written");
        }
        if (got <= 0) {
            break;
        }
        offset += (uint64_t)got;
        status = file_write_all(STDOUT_FILENO, bytes, (size_t)got, "standard output", error);
        if (status != STATUS_OK) {
            error_recode(error, ERROR_TARGET_WRITE);
        }
    }
    free(bytes);
    return status;
}

enum status folder_pipe_give(struct folder *folder, const char *path, uint64_t head_bytes,
                             struct error *error)
{
    struct folder_pipe *pipe = folder->pipe;
    int from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (from < 0) {
        return error_set_errno(error, ERROR_TARGET_WRITE, errno, path, "can't open a segment");
    }
    pthread_mutex_lock(&folder->mutex);
    enum status status = give_locked(pipe, from, pipe->copied > 0 ? head_bytes : 0, error);
    pipe->copied++;
    pthread_mutex_unlock(&folder->mutex);
    close(from);
    return status;
}
