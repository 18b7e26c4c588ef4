/* Files: whole and durable, or not at all. */
#include "base/file.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "base/text.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum {
    TEMPORARY_TRIES = 100,
    REMOVE_DEPTH_MAX = 200,
    SAFE_NAME_BYTES_MAX = 200,
    LOCK_TRIES = 10,
    LOCK_PAUSE_MS = 5
};

int file_open(const char *path, int flags, mode_t mode)
{
    int descriptor = -1;
    do {
        descriptor = open(path, flags, mode);
    } while (descriptor < 0 && errno == EINTR);
    return descriptor;
}

ssize_t file_read(int descriptor, void *bytes, size_t size)
{
    ssize_t got = -1;
    do {
        got = read(descriptor, bytes, size);
    } while (got < 0 && errno == EINTR);
    return got;
}

ssize_t file_read_at(int descriptor, void *bytes, size_t size, off_t offset)
{
    ssize_t got = -1;
    do {
        got = pread(descriptor, bytes, size, offset);
    } while (got < 0 && errno == EINTR);
    return got;
}

ssize_t file_write_at(int descriptor, const void *bytes, size_t size, off_t offset)
{
    ssize_t written = -1;
    do {
        written = pwrite(descriptor, bytes, size, offset);
    } while (written < 0 && errno == EINTR);
    return written;
}

int file_cut(int descriptor, off_t size)
{
    int failed = 0;
    do {
        failed = ftruncate(descriptor, size);
    } while (failed != 0 && errno == EINTR);
    return failed;
}

int file_close(int descriptor)
{
    int failed = close(descriptor);
    return failed != 0 && errno == EINTR ? 0 : failed;
}

int file_sync(int descriptor)
{
    int failed = 0;
    do {
        failed = fsync(descriptor);
    } while (failed != 0 && errno == EINTR);
    return failed;
}

int file_sync_data(int descriptor)
{
    int failed = 0;
    do {
        failed = fdatasync(descriptor);
    } while (failed != 0 && errno == EINTR);
    return failed;
}

enum status file_write_all(int descriptor, const void *bytes, size_t length, const char *path,
                           struct error *error)
{
    const char *position = bytes;
    while (length > 0) {
        ssize_t written = write(descriptor, position, length);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return error_set_errno(error, ERROR_STATE_WRITE, errno, path, "writing failed");
        }
        position += written;
        length -= (size_t)written;
    }
    return STATUS_OK;
}

/* The folder that `path` is in, "." if it names none; malloc'd. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return memory_copy_string(".");
    }
    return memory_copy_bytes(path, slash == path ? 1 : (size_t)(slash - path));
}

enum status file_sync_folder(const char *path, struct error *error)
{
    int descriptor = file_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (descriptor < 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, path, "can't open the folder");
    }
    /* EINVAL: a file system that has nothing to sync for folders */
    int failed = file_sync(descriptor) != 0 && errno != EINVAL ? errno : 0;
    close(descriptor);
    if (failed != 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, failed, path, "can't sync the folder");
    }
    return STATUS_OK;
}

/* A new file beside `path`; its name, malloc'd, in `*name`. */
static int open_temporary(const char *path, char **name)
{
    static atomic_uint sequence;
    size_t capacity = strlen(path) + 48;
    *name = memory_allocate(capacity);
    for (int i = 0; i < TEMPORARY_TRIES; i++) {
        uint64_t mix = (uint64_t)clock_monotonic_ns() * 0x9E3779B97F4A7C15u;
        snprintf(*name, capacity, "%s.tmp-%ld-%x-%04x", path, (long)getpid(),
                 atomic_fetch_add(&sequence, 1), (unsigned)(mix >> 48));
        int descriptor =
            file_open(*name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
        if (descriptor >= 0 || errno != EEXIST) {
            return descriptor;
        }
    }
    return -1;
}

/* Writes, syncs if `durable`, and closes. */
static enum status fill_temporary(int descriptor, const void *bytes, size_t length, bool durable,
                                  const char *path, struct error *error)
{
    enum status status = file_write_all(descriptor, bytes, length, path, error);
    if (status == STATUS_OK && durable && file_sync(descriptor) != 0) {
        status = error_set_errno(error, ERROR_STATE_WRITE, errno, path, "can't sync the file");
    }
    if (file_close(descriptor) != 0 && status == STATUS_OK) {
        status = error_set_errno(error, ERROR_STATE_WRITE, errno, path, "closing failed");
    }
    return status;
}

static enum status write_aside(const char *path, const void *bytes, size_t length, bool durable,
                               const char *failpoint, struct error *error)
{
    char *temporary = NULL;
    char *folder = folder_of(path);
    int descriptor = open_temporary(path, &temporary);
    enum status status;
    if (descriptor < 0) {
        status = error_set_errno(error, ERROR_STATE_WRITE, errno, path, "can't create the file");
        goto out;
    }
    status = fill_temporary(descriptor, bytes, length, durable, path, error);
    if (status == STATUS_OK && failpoint != NULL) {
        status = failpoint_hit(failpoint, error);
    }
    if (status == STATUS_OK && rename(temporary, path) != 0) {
        status = error_set_errno(error, ERROR_STATE_WRITE, errno, path, "can't replace the file");
    }
    if (status != STATUS_OK) {
        unlink(temporary);
        goto out;
    }
    status = durable ? file_sync_folder(folder, error) : STATUS_OK;
out:
    free(temporary);
    free(folder);
    return status;
}

enum status file_write_atomic(const char *path, const void *bytes, size_t length,
                              const char *failpoint, struct error *error)
{
    return write_aside(path, bytes, length, true, failpoint, error);
}

enum status file_replace(const char *path, const void *bytes, size_t length, const char *failpoint,
                         struct error *error)
{
    return write_aside(path, bytes, length, false, failpoint, error);
}

/* Reads until the end, at most limit_bytes + 1, growing in the arena. */
static enum status read_descriptor(int descriptor, size_t expected, size_t limit_bytes,
                                   struct arena *arena, char **bytes, size_t *length,
                                   const char *path, struct error *error)
{
    size_t capacity = expected < 4096 ? 4096 : expected + 1;
    char *data = arena_try_allocate(arena, capacity);
    size_t filled = 0;
    while (data != NULL) {
        ssize_t got = file_read(descriptor, data + filled, capacity - 1 - filled);
        if (got < 0) {
            return error_set_errno(error, ERROR_STATE_INVALID, errno, path, "reading failed");
        }
        filled += (size_t)got;
        if (filled > limit_bytes) {
            return error_set(error, ERROR_STATE_INVALID, path, "the file is larger than %zu bytes",
                             limit_bytes);
        }
        if (got == 0) {
            data[filled] = '\0';
            *bytes = data;
            *length = filled;
            return STATUS_OK;
        }
        if (filled == capacity - 1) {
            char *larger = capacity > SIZE_MAX / 2 ? NULL : arena_try_allocate(arena, capacity * 2);
            if (larger != NULL) {
                memcpy(larger, data, filled);
            }
            data = larger;
            capacity *= 2;
        }
    }
    return error_set(error, ERROR_MEMORY, path, "no memory to read the file");
}

enum status file_read_open(int descriptor, const char *path, size_t limit_bytes,
                           struct arena *arena, char **bytes, size_t *length, struct error *error)
{
    struct stat facts;
    if (fstat(descriptor, &facts) != 0) {
        return error_set_errno(error, ERROR_STATE_INVALID, errno, path, "can't read the file");
    }
    if (S_ISDIR(facts.st_mode)) {
        return error_set(error, ERROR_STATE_INVALID, path, "this is a folder, not a file");
    }
    if (facts.st_size > 0 && (uint64_t)facts.st_size > limit_bytes) {
        return error_set(error, ERROR_STATE_INVALID, path, "the file is larger than %zu bytes",
                         limit_bytes);
    }
    /* one byte more than it has, to see its end without growing */
    size_t expected = facts.st_size > 0 ? (size_t)facts.st_size + 1 : 0;
    return read_descriptor(descriptor, expected, limit_bytes, arena, bytes, length, path, error);
}

enum status file_read_all(const char *path, size_t limit_bytes, struct arena *arena, char **bytes,
                          size_t *length, struct error *error)
{
    int descriptor = file_open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY, 0);
    if (descriptor < 0) {
        if (errno == ENOENT) {
            return STATUS_END;
        }
        return error_set_errno(error, ERROR_STATE_INVALID, errno, path, "can't open the file");
    }
    enum status status = file_read_open(descriptor, path, limit_bytes, arena, bytes, length, error);
    close(descriptor);
    return status;
}

/* One folder; fine if it is there. */
static enum status make_one_folder(const char *path, int may_be_link, struct error *error)
{
    if (mkdir(path, 0700) == 0) {
        return STATUS_OK;
    }
    if (errno != EEXIST) {
        int reason = errno;
        struct stat there;
        if (stat(path, &there) == 0 && S_ISDIR(there.st_mode)) {
            return STATUS_OK; /* "/" or a folder in a read-only file system */
        }
        return error_set_errno(error, ERROR_STATE_WRITE, reason, path, "can't make the folder");
    }
    struct stat facts;
    if ((may_be_link ? stat(path, &facts) : lstat(path, &facts)) != 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, path, "can't look at the folder");
    }
    if (!S_ISDIR(facts.st_mode)) {
        return error_set(error, ERROR_STATE_WRITE, path,
                         S_ISLNK(facts.st_mode) ? "this is a symbolic link, not a folder"
                                                : "this is a file, not a folder");
    }
    return STATUS_OK;
}

enum status file_make_folder(const char *path, struct error *error)
{
    char *copy = memory_copy_string(path);
    enum status status = STATUS_OK;
    size_t length = strlen(copy);
    while (length > 1 && copy[length - 1] == '/') {
        copy[--length] = '\0';
    }
    for (char *slash = strchr(copy + (length > 0), '/'); slash != NULL && status == STATUS_OK;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        status = make_one_folder(copy, 1, error);
        *slash = '/';
    }
    status = status == STATUS_OK ? make_one_folder(copy, 0, error) : status;
    free(copy);
    return status;
}

static enum status remove_failed(const char *name, int reason, struct error *error)
{
    return error_set_errno(error, ERROR_STATE_WRITE, reason, name, "can't remove it");
}

static int open_folder_in(int folder, const char *name)
{
    int descriptor = -1;
    do {
        descriptor = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    } while (descriptor < 0 && errno == EINTR);
    return descriptor;
}

/* Empties the folder `descriptor`, which is closed. */
static enum status empty_folder(int descriptor, unsigned depth, struct error *error)
{
    DIR *folder = depth > REMOVE_DEPTH_MAX ? NULL : fdopendir(descriptor);
    if (folder == NULL) {
        int reason = depth > REMOVE_DEPTH_MAX ? ELOOP : errno;
        close(descriptor);
        return error_set_errno(error, ERROR_STATE_WRITE, reason, NULL, "can't open a folder");
    }
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        errno = 0;
        struct dirent *entry = readdir(folder);
        if (entry == NULL) {
            if (errno != 0) {
                status = remove_failed(NULL, errno, error);
            }
            break;
        }
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
            continue;
        }
        if (unlinkat(descriptor, name, 0) == 0 || errno == ENOENT) {
            continue;
        }
        int child = -1;
        if (errno != EISDIR && errno != EPERM) {
            status = remove_failed(name, errno, error);
        } else if ((child = open_folder_in(descriptor, name)) < 0) {
            status = remove_failed(name, errno, error);
        } else {
            status = empty_folder(child, depth + 1, error);
            if (status == STATUS_OK && unlinkat(descriptor, name, AT_REMOVEDIR) != 0) {
                status = remove_failed(name, errno, error);
            }
        }
    }
    closedir(folder);
    return status;
}

enum status file_remove_tree(const char *path, struct error *error)
{
    int descriptor = file_open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    if (descriptor < 0) {
        return errno == ENOENT ? STATUS_OK : remove_failed(path, errno, error);
    }
    enum status status = empty_folder(descriptor, 0, error);
    if (status == STATUS_OK && rmdir(path) != 0) {
        status = remove_failed(path, errno, error);
    }
    return status;
}

int file_exists(const char *path)
{
    struct stat facts;
    return lstat(path, &facts) == 0;
}

bool file_program_folder(char *folder, size_t capacity)
{
    ssize_t length = readlink("/proc/self/exe", folder, capacity);
    if (length <= 0 || (size_t)length == capacity) {
        return false;
    }
    folder[length] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    return slash != NULL;
}

char *file_join(struct arena *arena, const char *folder, const char *name)
{
    size_t length = strlen(folder);
    int has_slash = length > 0 && folder[length - 1] == '/';
    return arena_format(arena, "%s%s%s", folder, has_slash || length == 0 ? "" : "/", name);
}

char *file_safe_name(struct arena *arena, const char *text, size_t length)
{
    static const char hex[] = "0123456789ABCDEF";
    enum { HASH_BYTES = 17, KEPT_BYTES = SAFE_NAME_BYTES_MAX - HASH_BYTES };
    char name[SAFE_NAME_BYTES_MAX + 1];
    size_t filled = 0;
    size_t kept = 0; /* how much stays when the hash must follow */
    int cut = 0;
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)text[i];
        int plain = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                    (byte >= 'A' && byte <= 'Z') || byte == '-' || byte == '_' ||
                    (byte == '.' && i > 0); /* no "." and "..", nothing hidden */
        if (filled + (plain ? 1 : 3) > SAFE_NAME_BYTES_MAX) {
            cut = 1;
            break;
        }
        if (plain) {
            name[filled++] = (char)byte;
        } else {
            name[filled++] = '%';
            name[filled++] = hex[byte >> 4];
            name[filled++] = hex[byte & 15];
        }
        kept = filled <= KEPT_BYTES ? filled : kept;
    }
    if (length == 0) {
        name[filled++] = '%'; /* what no other text becomes */
    }
    if (cut) {
        snprintf(name + kept, HASH_BYTES + 1, "%%%016llx",
                 (unsigned long long)XXH3_64bits(text, length));
        filled = kept + HASH_BYTES;
    }
    return arena_copy(arena, name, filled);
}

/* The pid that the holder wrote; 0 if it has not yet. */
static int64_t read_holder(int descriptor)
{
    for (int i = 0; i < 20; i++) {
        char text[24];
        ssize_t got = file_read_at(descriptor, text, sizeof(text), 0);
        const char *end = got > 0 ? memchr(text, '\n', (size_t)got) : NULL;
        int64_t pid;
        if (end != NULL && text_to_int64(text, (size_t)(end - text), &pid) == STATUS_OK) {
            return pid;
        }
        clock_sleep_ms(5);
    }
    return 0;
}

/* True if `path` still names the open file: it may have been removed before the lock was had. */
static int is_still_there(int descriptor, const char *path)
{
    struct stat opened;
    struct stat named;
    return fstat(descriptor, &opened) == 0 && lstat(path, &named) == 0 &&
           opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

static enum status write_holder(int descriptor, const char *path, struct error *error)
{
    char text[24];
    size_t length = text_from_int64(getpid(), text);
    text[length++] = '\n';
    ssize_t written = file_write_at(descriptor, text, length, 0);
    if (written != (ssize_t)length || file_cut(descriptor, (off_t)length) != 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, written < 0 ? errno : ENOSPC, path,
                               "can't write the lock file");
    }
    return STATUS_OK;
}

enum status file_lock(const char *path, int *descriptor, int64_t *holder, struct error *error)
{
    for (int tries = 0;;) {
        int opened = file_open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
        if (opened < 0) {
            return error_set_errno(error, ERROR_STATE_WRITE, errno, path,
                                   "can't open the lock file");
        }
        if (flock(opened, LOCK_EX | LOCK_NB) != 0) {
            int reason = errno;
            if (reason == EWOULDBLOCK && tries++ < LOCK_TRIES) {
                close(opened);
                clock_sleep_ms(LOCK_PAUSE_MS); /* file_is_locked holds it for a moment */
                continue;
            }
            if (reason == EWOULDBLOCK) {
                *holder = read_holder(opened);
                close(opened);
                return STATUS_AGAIN;
            }
            close(opened);
            if (reason == EINTR) {
                continue;
            }
            return error_set_errno(error, ERROR_STATE_WRITE, reason, path, "can't lock the file");
        }
        if (!is_still_there(opened, path)) {
            close(opened);
            continue;
        }
        if (write_holder(opened, path, error) != STATUS_OK) {
            close(opened);
            return STATUS_FAILED;
        }
        *descriptor = opened;
        return STATUS_OK;
    }
}

int file_is_locked(const char *path)
{
    int opened = file_open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
    if (opened < 0) {
        return 0;
    }
    int locked = flock(opened, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(opened);
    return locked;
}

/* ---------------------------------------------------------------- a folder's entries */

static enum status cant_list(const struct entries *entries, int reason, struct error *error)
{
    return error_set_errno(error, entries->code, reason, entries->path, "can't list the folder");
}

enum status entries_open(struct entries *entries, const char *path, enum error_code code,
                         struct error *error)
{
    *entries = (struct entries){.stream = opendir(path), .path = path, .code = code};
    if (entries->stream != NULL) {
        return STATUS_OK;
    }
    return errno == ENOENT ? STATUS_END : cant_list(entries, errno, error);
}

enum status entries_next(struct entries *entries, const char **name, struct error *error)
{
    struct dirent *entry;
    do {
        errno = 0;
        entry = readdir(entries->stream);
        if (entry == NULL) {
            return errno == 0 ? STATUS_END : cant_list(entries, errno, error);
        }
    } while (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
    *name = entry->d_name;
    return STATUS_OK;
}

void entries_close(struct entries *entries)
{
    closedir(entries->stream);
}

/* ---------------------------------------------------------------- a file's lines */

enum status file_lines_fail(const struct file_lines *lines, struct error *error)
{
    return error_set_errno(error, lines->code, errno, lines->path, "can't be read");
}

enum status file_lines_open(struct file_lines *lines, const char *path, enum error_code code,
                            struct error *error)
{
    *lines = (struct file_lines){.stream = fopen(path, "re"), .path = path, .code = code};
    if (lines->stream != NULL) {
        return STATUS_OK;
    }
    return errno == ENOENT ? STATUS_END : file_lines_fail(lines, error);
}

enum status file_lines_next(struct file_lines *lines, struct error *error)
{
    ssize_t length = getline(&lines->line, &lines->capacity, lines->stream);
    if (length < 0) { /* without memory for the line it is neither end nor error to the stream */
        return feof(lines->stream) ? STATUS_END : file_lines_fail(lines, error);
    }
    lines->length = (size_t)length;
    return STATUS_OK;
}

enum status file_lines_rewind(struct file_lines *lines, struct error *error)
{
    return fseek(lines->stream, 0, SEEK_SET) == 0 ? STATUS_OK : file_lines_fail(lines, error);
}

void file_lines_close(struct file_lines *lines)
{
    free(lines->line);
    fclose(lines->stream);
}
