/* Where the script of a dump comes from. */
#include "connectors/dump/dump_input.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/folder/compression.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

extern char **environ;

enum container { CONTAINER_SCRIPT, CONTAINER_PACKED, CONTAINER_ARCHIVE };
enum { HEAD_BYTES = 512, SAMPLE_BYTES = 64 * 1024 };

struct dump_input {
    char *path;
    char *spill_folder; /* NULL: none */
    char *pg_restore;
    enum container container;
    enum folder_compression compression;
    int descriptor; /* of the file; of a folder its toc.dat */
    struct stat facts;
    int unpacked; /* the script in a file without a name; -1: none */
    bool whole;   /* all of it is there */
};

/* pg_restore at work. */
struct child {
    pid_t pid; /* 0: none */
    int output;
    int complaints; /* what it writes to stderr */
};

struct dump_text {
    struct dump_input *input;
    uint64_t offset;             /* of what is read next */
    int descriptor;              /* -1: it comes from one of these: */
    struct folder_input *packed; /* NULL: */
    struct child child;
    bool unpacks; /* what is read is kept in input->unpacked */
};

/* ---------------------------------------------------------------- what the file is */

static enum status dump_input_refuse(const struct dump_input *input, const char *what,
                                     const char *hint, struct error *error)
{
    error_set(error, ERROR_SOURCE_INVALID, input->path, "%s", what);
    return error_hint(error, "%s", hint);
}

static bool is_archive(const uint8_t *head, size_t length)
{
    return (length >= 5 && memcmp(head, "PGDMP", 5) == 0) ||
           (length >= 262 && memcmp(head + 257, "ustar", 5) == 0);
}

static enum status recognise(struct dump_input *input, struct error *error)
{
    uint8_t head[HEAD_BYTES] = {0};
    ssize_t length = file_read_at(input->descriptor, head, sizeof head, 0);
    if (length < 0) {
        return error_set_errno(error, ERROR_SOURCE_READ, errno, input->path, "can't read it");
    }
    size_t size = (size_t)length;
    input->compression = folder_compression_within(input->descriptor);
    if (input->container == CONTAINER_ARCHIVE || is_archive(head, size)) {
        input->container = CONTAINER_ARCHIVE;
    } else if (input->compression != FOLDER_PLAIN) {
        input->container = CONTAINER_PACKED;
    } else if (size >= 16 && memcmp(head, "SQLite format 3", 16) == 0) {
        return dump_input_refuse(input, "it is a SQLite database, not a dump of one",
                                 "write sqlite: before it in place of dump:", error);
    } else if (size >= 2 &&
               (memcmp(head, "\xff\xfe", 2) == 0 || memcmp(head, "\xfe\xff", 2) == 0)) {
        return dump_input_refuse(
            input, "it is UTF-16, as PowerShell writes what a program prints",
            "dump again with the program's own option for a file (mysqldump "
            "--result-file, pg_dump -f), or convert it: iconv -f UTF-16 -t UTF-8",
            error);
    } else if (memchr(head, '\0', size) != NULL) {
        return dump_input_refuse(
            input, "it is no SQL script, since it begins with bytes that are no text",
            "give a dump as pg_dump, mysqldump or sqlite3 .dump write it, plain or packed "
            "by gzip or zstd",
            error);
    }
    return STATUS_OK;
}

static enum status open_file(struct dump_input *input, struct error *error)
{
    struct stat facts;
    char *toc = NULL;
    if (stat(input->path, &facts) == 0 && S_ISDIR(facts.st_mode)) {
        toc = memory_format("%s/toc.dat", input->path);
        input->container = CONTAINER_ARCHIVE;
    }
    input->descriptor =
        file_open(toc != NULL ? toc : input->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
    int reason = errno;
    free(toc);
    if (input->descriptor < 0 && input->container == CONTAINER_ARCHIVE) {
        return dump_input_refuse(input, "the folder has no toc.dat, as pg_dump -Fd makes it",
                                 "name the dump's file, or the folder that pg_dump -Fd wrote",
                                 error);
    }
    if (input->descriptor < 0) {
        error_set_errno(error, ERROR_SOURCE_MISSING, reason, input->path, "the file can't be read");
        return error_hint(error, "check the path after dump:, and who may read it");
    }
    if (fstat(input->descriptor, &input->facts) != 0 || !S_ISREG(input->facts.st_mode)) {
        return dump_input_refuse(input, "it is no regular file",
                                 "write the dump to a file first; it is read more than once",
                                 error);
    }
    return recognise(input, error);
}

enum status dump_input_open(const char *path, const char *spill_folder, const char *pg_restore,
                            struct dump_input **input, struct error *error)
{
    struct dump_input *made = memory_allocate_zeroed(1, sizeof *made);
    *input = NULL;
    made->path = memory_copy_string(path);
    made->spill_folder = spill_folder != NULL ? memory_copy_string(spill_folder) : NULL;
    made->pg_restore = memory_copy_string(pg_restore);
    made->descriptor = -1;
    made->unpacked = -1;
    if (open_file(made, error) != STATUS_OK) {
        dump_input_close(made);
        return STATUS_FAILED;
    }
    *input = made;
    return STATUS_OK;
}

void dump_input_close(struct dump_input *input)
{
    if (input == NULL) {
        return;
    }
    if (input->descriptor >= 0) {
        close(input->descriptor);
    }
    if (input->unpacked >= 0) {
        close(input->unpacked);
    }
    free(input->path);
    free(input->spill_folder);
    free(input->pg_restore);
    free(input);
}

/* ---------------------------------------------------------------- whether it is the same */

const char *dump_input_identity(const struct dump_input *input, struct arena *arena)
{
    struct statfs system = {0};
    (void)fstatfs(input->descriptor, &system);
    return arena_format(arena, "dump inode %ju of file system %08x%08x",
                        (uintmax_t)input->facts.st_ino, (unsigned)system.f_fsid.__val[0],
                        (unsigned)system.f_fsid.__val[1]);
}

static int64_t nanoseconds(const struct timespec *moment)
{
    return (int64_t)moment->tv_sec * INT64_C(1000000000) + moment->tv_nsec;
}

const char *dump_input_token(const struct dump_input *input, struct arena *arena)
{
    uint8_t *sample = memory_allocate(2 * SAMPLE_BYTES);
    int64_t size = (int64_t)input->facts.st_size;
    ssize_t first = file_read_at(input->descriptor, sample, SAMPLE_BYTES, 0);
    size_t length = first > 0 ? (size_t)first : 0;
    if (size > SAMPLE_BYTES) {
        ssize_t last =
            file_read_at(input->descriptor, sample + length, SAMPLE_BYTES, size - SAMPLE_BYTES);
        length += last > 0 ? (size_t)last : 0;
    }
    uint64_t hash = XXH3_64bits(sample, length);
    free(sample);
    return arena_format(arena, "dump-1:%" PRId64 ":%" PRId64 ":%016" PRIx64, size,
                        nanoseconds(&input->facts.st_mtim), hash);
}

enum status dump_input_check(const struct dump_input *input, struct error *error)
{
    struct stat facts;
    if (fstat(input->descriptor, &facts) == 0 && facts.st_size == input->facts.st_size &&
        nanoseconds(&facts.st_mtim) == nanoseconds(&input->facts.st_mtim)) {
        return STATUS_OK;
    }
    error_set(error, ERROR_SOURCE_CHANGED, input->path,
              "the dump was written to while it was read");
    return error_hint(error, "wait until it is whole, then roll the run back and begin again");
}

/* ---------------------------------------------------------------- pg_restore */

static int spawn(const struct dump_input *input, int output, int complaints, pid_t *pid)
{
    const char *arguments[] = {input->pg_restore, "--file=-",  "--no-owner",
                               "--no-privileges", input->path, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    int fault = posix_spawn_file_actions_init(&actions);
    if (fault != 0) {
        return fault;
    }
    fault = posix_spawnattr_init(&attributes);
    if (fault == 0) {
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&actions, complaints, STDERR_FILENO);
        posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &defaults);
        posix_spawnattr_setpgroup(&attributes, 0);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                  POSIX_SPAWN_SETPGROUP);
        fault = posix_spawnp(pid, arguments[0], &actions, &attributes,
                             (char *const *)(uintptr_t)arguments, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return fault;
}

static enum status child_start(const struct dump_input *input, struct child *child,
                               struct error *error)
{
    int ends[2];
    child->complaints = memfd_create("pg_restore", MFD_CLOEXEC);
    if (child->complaints < 0 || pipe2(ends, O_CLOEXEC) != 0) {
        return error_set_errno(error, ERROR_SOURCE_READ, errno, input->path,
                               "can't start pg_restore");
    }
    int fault = spawn(input, ends[1], child->complaints, &child->pid);
    close(ends[1]);
    child->output = ends[0];
    if (fault == 0) {
        return STATUS_OK;
    }
    child->pid = 0;
    close(ends[0]);
    error_set_errno(error, ERROR_SOURCE_READ, fault, input->path,
                    "it is an archive of pg_dump, which %s reads: it can't be started",
                    input->pg_restore);
    return error_hint(error, "install PostgreSQL's client programs, or name that one: "
                             "dump:FILE?pg_restore=/usr/lib/postgresql/17/bin/pg_restore");
}

static void child_stop(struct child *child)
{
    if (child->pid > 0) {
        (void)kill(-child->pid, SIGKILL);
        while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) {
        }
        close(child->output);
        child->pid = 0;
    }
    if (child->complaints > 0) {
        close(child->complaints);
        child->complaints = 0;
    }
}

/* It has closed its output: did it print all? */
static enum status child_end(const struct dump_input *input, struct child *child,
                             struct error *error)
{
    char said[512];
    int result = 0;
    while (waitpid(child->pid, &result, 0) < 0 && errno == EINTR) {
    }
    close(child->output);
    child->pid = 0;
    if (WIFEXITED(result) && WEXITSTATUS(result) == 0) {
        return STATUS_END;
    }
    ssize_t length = pread(child->complaints, said, sizeof said - 1, 0);
    said[length > 0 ? length : 0] = '\0';
    said[strcspn(said, "\n")] = '\0';
    error_set(error, ERROR_SOURCE_INVALID, input->path, "%s can't read the archive: %s",
              input->pg_restore, said[0] != '\0' ? said : "it ended without a word");
    return error_hint(error, "use a pg_restore that is no older than the pg_dump that wrote the "
                             "archive: dump:FILE?pg_restore=PROGRAM");
}

static enum status child_read(const struct dump_input *input, struct child *child, void *bytes,
                              size_t capacity, size_t *length, struct error *error)
{
    ssize_t count = file_read(child->output, bytes, capacity);
    if (count < 0) {
        return error_set_errno(error, ERROR_SOURCE_READ, errno, input->path,
                               "can't read what pg_restore prints");
    }
    *length = (size_t)count;
    return count > 0 ? STATUS_OK : child_end(input, child, error);
}

/* ---------------------------------------------------------------- the script */

static enum status start_unpacking(struct dump_text *text, struct error *error)
{
    struct dump_input *input = text->input;
    if (input->spill_folder == NULL || input->unpacked >= 0) {
        return STATUS_OK;
    }
    char *path = memory_format("%s/dump-XXXXXX", input->spill_folder);
    input->unpacked = mkostemp(path, O_CLOEXEC);
    if (input->unpacked < 0) {
        error_set_errno(error, ERROR_STATE_WRITE, errno, path, "can't unpack the dump");
    } else {
        (void)unlink(path);
        text->unpacks = true;
    }
    free(path);
    return input->unpacked < 0 ? STATUS_FAILED : STATUS_OK;
}

static enum status open_container(struct dump_text *text, struct error *error)
{
    const struct dump_input *input = text->input;
    if (input->container == CONTAINER_ARCHIVE) {
        return child_start(input, &text->child, error);
    }
    return folder_input_open_packed(input->path, input->compression, ERROR_SOURCE_READ,
                                    &text->packed, error);
}

static void close_container(struct dump_text *text)
{
    child_stop(&text->child);
    folder_input_close(text->packed);
    text->packed = NULL;
}

static enum status skip_to(struct dump_text *text, uint64_t offset, struct error *error)
{
    char bytes[16 * 1024];
    while (text->offset < offset) {
        size_t length = 0;
        uint64_t left = offset - text->offset;
        size_t wanted = left < sizeof bytes ? (size_t)left : sizeof bytes;
        enum status status = dump_text_read(text, bytes, wanted, &length, error);
        if (status != STATUS_OK) {
            return status == STATUS_END ? error_set(error, ERROR_SOURCE_CHANGED, text->input->path,
                                                    "the dump is shorter than it was")
                                        : STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

enum status dump_text_open(struct dump_input *input, uint64_t offset, struct dump_text **text,
                           struct error *error)
{
    struct dump_text *made = memory_allocate_zeroed(1, sizeof *made);
    enum status status = STATUS_OK;
    *text = NULL;
    made->input = input;
    made->descriptor = input->container == CONTAINER_SCRIPT ? input->descriptor
                       : input->whole                       ? input->unpacked
                                                            : -1;
    if (made->descriptor < 0) {
        status = start_unpacking(made, error);
        status = status == STATUS_OK ? open_container(made, error) : status;
    }
    status = status == STATUS_OK ? dump_text_seek(made, offset, error) : status;
    if (status != STATUS_OK) {
        dump_text_close(made);
        return STATUS_FAILED;
    }
    *text = made;
    return STATUS_OK;
}

void dump_text_close(struct dump_text *text)
{
    if (text != NULL) {
        close_container(text);
        free(text);
    }
}

enum status dump_text_seek(struct dump_text *text, uint64_t offset, struct error *error)
{
    if (text->descriptor >= 0) {
        text->offset = offset;
        return STATUS_OK;
    }
    if (offset < text->offset) {
        close_container(text);
        text->offset = 0;
        if (open_container(text, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return skip_to(text, offset, error);
}

static enum status read_place(struct dump_text *text, void *bytes, size_t capacity, size_t *length,
                              struct error *error)
{
    ssize_t count = file_read_at(text->descriptor, bytes, capacity, (off_t)text->offset);
    if (count < 0) {
        return error_set_errno(error, ERROR_SOURCE_READ, errno, text->input->path,
                               "can't read the dump");
    }
    *length = (size_t)count;
    text->offset += (uint64_t)count;
    return count > 0 ? STATUS_OK : STATUS_END;
}

enum status dump_text_read(struct dump_text *text, void *bytes, size_t capacity, size_t *length,
                           struct error *error)
{
    *length = 0;
    if (text->descriptor >= 0) {
        return read_place(text, bytes, capacity, length, error);
    }
    enum status status =
        text->packed != NULL
            ? folder_input_read(text->packed, bytes, capacity, length, error)
            : child_read(text->input, &text->child, bytes, capacity, length, error);
    text->offset += *length;
    if (status == STATUS_OK && text->unpacks &&
        file_write_all(text->input->unpacked, bytes, *length, text->input->spill_folder, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    if (status == STATUS_END && text->unpacks) {
        text->input->whole = true;
    }
    return status;
}
