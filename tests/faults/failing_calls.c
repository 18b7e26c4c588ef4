/*
 * Preloaded into the program by failing.py: the Nth call of one kind fails, and perhaps some that
 * follow; streams and folders that are listed are among what is opened, read, written and closed.
 * FAIL_CALL=free|read|write|short|sync|rename|open|close|cut, FAIL_AT=N from 0, FAIL_COUNT=how
 * many, FAIL_ERRNO=number; "short" writes half of the bytes and fails the next write. With
 * FAIL_PATH=TEXT only calls on files whose path holds it count. With FAIL_REPORT=FILE the number of
 * calls is written there at the end. FAIL_STRUCK=FILE is made by the first call that fails.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;
static char call_name[16];
static long fail_at = -1;
static long fail_count = 1;
static int fail_errno = EIO;
static const char *fail_path;
static const char *struck_path;
static const char *count_path; /* the test run's own file: writes to it are whole, and no calls */
static atomic_bool was_short;
static _Thread_local bool is_looking;

static long number_of(const char *name, long otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtol(text, NULL, 10) : otherwise;
}

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("FAIL_CALL");
    fail_at = number_of("FAIL_AT", -1);
    fail_count = number_of("FAIL_COUNT", 1);
    fail_errno = (int)number_of("FAIL_ERRNO", EIO);
    fail_path = getenv("FAIL_PATH");
    struck_path = getenv("FAIL_STRUCK");
    count_path = getenv("TRANSHUME_FAILPOINT_COUNT");
    if (name != NULL) {
        snprintf(call_name, sizeof call_name, "%s", name);
    }
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("FAIL_REPORT");
    long made = atomic_load(&calls);
    call_name[0] = '\0';
    FILE *file = path != NULL ? fopen(path, "w") : NULL;
    if (file != NULL) {
        fprintf(file, "%ld\n", made);
        fclose(file);
    }
}

/* By the kernel itself: open and close are among what fails. */
static void tell_struck(void)
{
    long file = struck_path != NULL
                    ? syscall(SYS_openat, AT_FDCWD, struck_path, O_WRONLY | O_CREAT, 0600)
                    : -1;
    if (file >= 0) {
        (void)syscall(SYS_close, file);
    }
}

static bool must_fail(const char *name)
{
    if (is_looking || strcmp(name, call_name) != 0) {
        return false;
    }
    long number = atomic_fetch_add(&calls, 1);
    if (fail_at < 0 || number < fail_at || number >= fail_at + fail_count) {
        return false;
    }
    if (number == fail_at) {
        tell_struck();
    }
    errno = fail_errno;
    return true;
}

static void find_path(int file, char *path, size_t capacity)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, capacity - 1);
    path[length > 0 ? length : 0] = '\0';
}

/* Of a call on an open file. */
static bool file_must_fail(const char *name, int file)
{
    char path[4096];
    if (fail_path == NULL || strcmp(name, call_name) != 0) {
        return must_fail(name);
    }
    find_path(file, path, sizeof path);
    return strstr(path, fail_path) != NULL && must_fail(name);
}

static bool is_count_file(int file)
{
    char path[4096];
    if (count_path == NULL ||
        (strcmp(call_name, "short") != 0 && strcmp(call_name, "write") != 0)) {
        return false;
    }
    find_path(file, path, sizeof path);
    return strcmp(path, count_path) == 0;
}

static bool path_must_fail(const char *name, const char *path)
{
    return (fail_path == NULL || strstr(path, fail_path) != NULL) && must_fail(name);
}

/* How much of a write is done: all of it, half, or (-1) nothing, with an error. */
static ssize_t size_written(int file, size_t size)
{
    if (is_count_file(file)) {
        return (ssize_t)size;
    }
    if (atomic_exchange(&was_short, false)) {
        errno = fail_errno;
        return -1;
    }
    if (size > 1 && file_must_fail("short", file)) {
        atomic_store(&was_short, true);
        return (ssize_t)(size / 2);
    }
    return file_must_fail("write", file) ? -1 : (ssize_t)size;
}

/* The function behind one of these: the C library's own, or the leak checker's. */
#define NEXT(type, name) ((type)(void *)dlsym(RTLD_NEXT, name))

/* One that "fails" is forgotten: a leak for the leak checker to find. */
void free(void *memory)
{
    static void (*next)(void *);
    static bool is_finding;
    if (next == NULL && !is_finding) {
        is_finding = true; /* dlsym may come here */
        next = NEXT(void (*)(void *), "free");
    }
    if (next != NULL && !must_fail("free")) {
        next(memory);
    }
}

/* The leak checker asks how large each thread's stack is, and does not bear not being told. */
int pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes)
{
    typedef int function(pthread_t, pthread_attr_t *);
    bool was_looking = is_looking;
    is_looking = true;
    int failed = NEXT(function *, "pthread_getattr_np")(thread, attributes);
    is_looking = was_looking;
    return failed;
}

/*
 * What a build for coverage writes at the very end is not made for calls that fail, and is not
 * counted. Told to atexit when main begins, the end of failing comes after all that the program
 * does at its own end, and before that.
 */
typedef int main_function(int, char **, char **);
static main_function *program_main;

static void stop_failing(void)
{
    call_name[0] = '\0';
}

static int begin_main(int count, char **arguments, char **environment)
{
    (void)atexit(stop_failing);
    return program_main(count, arguments, environment);
}

int __libc_start_main(main_function *main, int count, char **arguments, void (*init)(void),
                      void (*fini)(void), void (*loader_fini)(void), void *stack_end)
{
    typedef int function(main_function *, int, char **, void (*)(void), void (*)(void),
                         void (*)(void), void *);
    program_main = main;
    return NEXT(function *, "__libc_start_main")(begin_main, count, arguments, init, fini,
                                                 loader_fini, stack_end);
}

ssize_t read(int file, void *bytes, size_t size)
{
    typedef ssize_t function(int, void *, size_t);
    return file_must_fail("read", file) ? -1 : NEXT(function *, "read")(file, bytes, size);
}

ssize_t pread64(int file, void *bytes, size_t size, off64_t offset)
{
    typedef ssize_t function(int, void *, size_t, off64_t);
    return file_must_fail("read", file) ? -1
                                        : NEXT(function *, "pread64")(file, bytes, size, offset);
}

ssize_t write(int file, const void *bytes, size_t size)
{
    typedef ssize_t function(int, const void *, size_t);
    ssize_t part = size_written(file, size);
    return part < 0 ? -1 : NEXT(function *, "write")(file, bytes, (size_t)part);
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t offset)
{
    typedef ssize_t function(int, const void *, size_t, off64_t);
    ssize_t part = size_written(file, size);
    return part < 0 ? -1 : NEXT(function *, "pwrite64")(file, bytes, (size_t)part, offset);
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset)
{
    typedef ssize_t function(int, const struct iovec *, int, off_t);
    return file_must_fail("write", file) ? -1
                                         : NEXT(function *, "pwritev")(file, parts, count, offset);
}

ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t offset)
{
    typedef ssize_t function(int, const struct iovec *, int, off64_t);
    return file_must_fail("write", file)
               ? -1
               : NEXT(function *, "pwritev64")(file, parts, count, offset);
}

int ftruncate64(int file, off64_t size)
{
    typedef int function(int, off64_t);
    return file_must_fail("cut", file) ? -1 : NEXT(function *, "ftruncate64")(file, size);
}

int unlink(const char *path)
{
    typedef int function(const char *);
    return path_must_fail("cut", path) ? -1 : NEXT(function *, "unlink")(path);
}

int fsync(int file)
{
    typedef int function(int);
    return file_must_fail("sync", file) ? -1 : NEXT(function *, "fsync")(file);
}

int fdatasync(int file)
{
    typedef int function(int);
    return file_must_fail("sync", file) ? -1 : NEXT(function *, "fdatasync")(file);
}

/* The kernel lets go of the file even if it says that something failed. */
int close(int file)
{
    typedef int function(int);
    bool fails = file_must_fail("close", file);
    int failed = NEXT(function *, "close")(file);
    if (fails) {
        errno = fail_errno;
    }
    return fails ? -1 : failed;
}

int rename(const char *from, const char *to)
{
    typedef int function(const char *, const char *);
    return path_must_fail("rename", to) ? -1 : NEXT(function *, "rename")(from, to);
}

static mode_t mode_of(int flags, va_list arguments)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? (mode_t)va_arg(arguments, int) : 0;
}

int open64(const char *path, int flags, ...)
{
    typedef int function(const char *, int, ...);
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return path_must_fail("open", path) ? -1 : NEXT(function *, "open64")(path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...)
{
    typedef int function(int, const char *, int, ...);
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return path_must_fail("open", path) ? -1
                                        : NEXT(function *, "openat64")(folder, path, flags, mode);
}

/*
 * Streams. What a signal cuts short in them is the C library's to do again. glibc's mark of a
 * stream that failed is set as a real failure sets it.
 */
enum { STREAM_FAILED = 0x20 };

static bool stream_must_fail(const char *name, FILE *stream)
{
    bool fails = fail_errno != EINTR && file_must_fail(name, fileno(stream));
    if (fails) {
        stream->_flags |= STREAM_FAILED;
    }
    return fails;
}

static FILE *open_stream(const char *name, const char *path, const char *mode)
{
    typedef FILE *function(const char *, const char *);
    return fail_errno != EINTR && path_must_fail("open", path) ? NULL
                                                               : NEXT(function *, name)(path, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    return open_stream("fopen", path, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
    return open_stream("fopen64", path, mode);
}

ssize_t __getdelim(char **line, size_t *capacity, int delimiter, FILE *stream)
{
    typedef ssize_t function(char **, size_t *, int, FILE *);
    return stream_must_fail("read", stream)
               ? -1
               : NEXT(function *, "__getdelim")(line, capacity, delimiter, stream);
}

ssize_t getline(char **line, size_t *capacity, FILE *stream)
{
    return __getdelim(line, capacity, '\n', stream);
}

size_t fread(void *bytes, size_t size, size_t count, FILE *stream)
{
    typedef size_t function(void *, size_t, size_t, FILE *);
    return stream_must_fail("read", stream) ? 0
                                            : NEXT(function *, "fread")(bytes, size, count, stream);
}

size_t __fread_chk(void *bytes, size_t room, size_t size, size_t count, FILE *stream)
{
    (void)room;
    return fread(bytes, size, count, stream);
}

size_t fwrite(const void *bytes, size_t size, size_t count, FILE *stream)
{
    typedef size_t function(const void *, size_t, size_t, FILE *);
    if (stream_must_fail("write", stream)) {
        return 0;
    }
    count = stream_must_fail("short", stream) ? count / 2 : count;
    return NEXT(function *, "fwrite")(bytes, size, count, stream);
}

int fflush(FILE *stream)
{
    typedef int function(FILE *);
    int failed = NEXT(function *, "fflush")(stream);
    return stream != NULL && stream_must_fail("write", stream) ? EOF : failed;
}

int fclose(FILE *stream)
{
    typedef int function(FILE *);
    bool fails = stream_must_fail("close", stream);
    int failed = NEXT(function *, "fclose")(stream);
    if (fails) {
        errno = fail_errno;
    }
    return fails ? EOF : failed;
}

DIR *opendir(const char *path)
{
    typedef DIR *function(const char *);
    return fail_errno != EINTR && path_must_fail("open", path) ? NULL
                                                               : NEXT(function *, "opendir")(path);
}

struct dirent64 *readdir64(DIR *folder)
{
    typedef struct dirent64 *function(DIR *);
    return fail_errno != EINTR && file_must_fail("read", dirfd(folder))
               ? NULL
               : NEXT(function *, "readdir64")(folder);
}
