/* Files that are open in this process, each once: DuckDB's own rule. */
#include "base/file.h"
#include "base/memory.h"
#include "connectors/duckdb/duckdb_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct duckdb_file {
    struct duckdb_file *next;
    const struct duckdb_library *library;
    struct duckdb_handle *handle;
    dev_t device;
    ino_t inode;
    bool read_only;
    uint32_t users;
    char token[160];
};

static struct {
    pthread_mutex_t lock;
    struct duckdb_file *first;
} open_files = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct duckdb_handle *duckdb_file_handle(const struct duckdb_file *file)
{
    return file->handle;
}

const char *duckdb_file_token(const struct duckdb_file *file)
{
    return file->read_only ? file->token : "";
}

/* ---------------------------------------------------------------- what tells changes */

/*
 * The file's two headers, at 4,096 and 8,192, hold a checksum and a number that each checkpoint
 * raises (8 bytes each, little endian); what was committed since stands in the log beside the file.
 * To be asked before the library opens the file: to close another descriptor of it would give up
 * the library's lock.
 */
static void read_token(const char *path, char *token, size_t capacity)
{
    enum { HEADER = 4096 };
    uint64_t first[2] = {0};
    uint64_t second[2] = {0};
    struct stat log = {0};
    char log_path[4096];
    int descriptor = file_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    bool read = descriptor >= 0 &&
                pread(descriptor, first, sizeof first, HEADER) == (ssize_t)sizeof first &&
                pread(descriptor, second, sizeof second, 2 * HEADER) == (ssize_t)sizeof second;
    if (descriptor >= 0) {
        close(descriptor);
    }
    snprintf(log_path, sizeof log_path, "%s.wal", path);
    bool has_log = stat(log_path, &log) == 0;
    token[0] = '\0';
    if (read) {
        snprintf(token, capacity, "duckdb %llx %llx %llx %llx log %lld %lld.%09ld",
                 (unsigned long long)first[0], (unsigned long long)first[1],
                 (unsigned long long)second[0], (unsigned long long)second[1],
                 has_log ? (long long)log.st_size : -1LL, (long long)log.st_mtim.tv_sec,
                 log.st_mtim.tv_nsec);
    }
}

/* ---------------------------------------------------------------- what the library is told */

/*
 * One thread: each connection then works on the thread that calls it, so that readers run beside
 * each other and each of them brings rows in the same order every time. What could reach out of the
 * file is off, and no statement can turn it on: extensions, other files (a view may read any), the
 * network. The library still reaches the file itself, its log and `spill`.
 */
static enum status configure(struct duckdb_database *self, struct duckdb_handle *config,
                             const char *memory, const char *spill, struct error *error)
{
    const struct {
        const char *name;
        const char *value;
    } settings[] = {
        {"access_mode", self->read_only ? "READ_ONLY" : "READ_WRITE"},
        {"threads", "1"},
        {"autoinstall_known_extensions", "false"},
        {"autoload_known_extensions", "false"},
        {"allow_community_extensions", "false"},
        {"allow_unsigned_extensions", "false"},
        {"memory_limit", memory},
        {"temp_directory", spill},
        {"enable_external_access", "false"},
        {"lock_configuration", "true"},
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (settings[i].value != NULL &&
            self->library->set_config(config, settings[i].name, settings[i].value) !=
                DUCKDB_SUCCESS) {
            return error_set(error, ERROR_MODULE, "libduckdb", "it does not know the setting %s=%s",
                             settings[i].name, settings[i].value);
        }
    }
    return STATUS_OK;
}

/* "…Conflicting lock is held in /usr/bin/python3 (PID 123)…" */
static enum status refuse_locked(const struct duckdb_database *self, const char *why,
                                 struct error *error)
{
    const char *holder = strstr(why, "held in ");
    const char *end = holder != NULL ? strchr(holder, ')') : NULL;
    bool source = self->mode == OPEN_SOURCE;
    int length = end != NULL ? (int)(end + 1 - (holder + strlen("held in "))) : 0;
    error_set(error, source ? ERROR_SOURCE_LOCKED : ERROR_TARGET_LOCKED, self->sql.shown,
              "the file is open in another process%s%.*s, and DuckDB lets one process alone write",
              length > 0 ? ": " : "", length, length > 0 ? holder + strlen("held in ") : "");
    return error_hint(error, "close the file there, then start the command again");
}

static enum status refuse_open(struct duckdb_database *self, const char *why, struct error *error)
{
    bool source = self->mode == OPEN_SOURCE;
    why = why != NULL ? why : "";
    if (strstr(why, "not set lock") != NULL) {
        return refuse_locked(self, why, error);
    }
    duckdb_failure(self, why, source ? ERROR_SOURCE_INVALID : ERROR_TARGET_INVALID, error);
    if (strstr(why, "not a valid DuckDB database") != NULL) {
        error_hint(error, "give the path of a DuckDB database file");
    } else if (strstr(why, "storage version") != NULL || strstr(why, "newer version") != NULL ||
               strstr(why, "version number") != NULL) {
        error_hint(error, "the library is DuckDB %s: use one that is as new as the file's",
                   self->library->library_version());
    }
    return STATUS_FAILED;
}

static enum status open_handle(struct duckdb_database *self, struct duckdb_file *file,
                               const char *memory, const char *spill, struct error *error)
{
    const struct duckdb_library *library = self->library;
    struct duckdb_handle *config = NULL;
    char *why = NULL;
    if (library->create_config(&config) != DUCKDB_SUCCESS) {
        return error_set(error, ERROR_MODULE, "libduckdb", "it gives no configuration");
    }
    enum status status = configure(self, config, memory, spill, error);
    if (status == STATUS_OK &&
        library->open_ext(self->path, &file->handle, config, &why) != DUCKDB_SUCCESS) {
        status = refuse_open(self, why, error);
    }
    library->free(why);
    library->destroy_config(&config);
    return status;
}

/* ---------------------------------------------------------------- sharing */

static struct duckdb_file *find_open(const struct stat *facts)
{
    struct duckdb_file *file = open_files.first;
    while (file != NULL && (file->device != facts->st_dev || file->inode != facts->st_ino)) {
        file = file->next;
    }
    return file;
}

static enum status open_new(struct duckdb_database *self, const char *memory, const char *spill,
                            struct error *error)
{
    struct stat facts;
    struct duckdb_file *file = memory_allocate_zeroed(1, sizeof *file);
    file->library = self->library;
    file->read_only = self->read_only;
    file->users = 1;
    if (self->read_only) {
        read_token(self->path, file->token, sizeof file->token);
    }
    if (open_handle(self, file, memory, spill, error) != STATUS_OK) {
        free(file);
        return STATUS_FAILED;
    }
    if (stat(self->path, &facts) != 0) {
        error_set_errno(error, ERROR_TARGET_INVALID, errno, self->sql.shown,
                        "the file can't be reached");
        self->library->close(&file->handle);
        free(file);
        return STATUS_FAILED;
    }
    file->device = facts.st_dev;
    file->inode = facts.st_ino;
    file->next = open_files.first;
    open_files.first = file;
    self->file = file;
    return STATUS_OK;
}

enum status duckdb_file_open(struct duckdb_database *self, const char *memory, const char *spill,
                             struct error *error)
{
    struct stat facts;
    enum status status = STATUS_OK;

    pthread_mutex_lock(&open_files.lock);
    struct duckdb_file *shared = stat(self->path, &facts) == 0 ? find_open(&facts) : NULL;
    if (shared == NULL) {
        status = open_new(self, memory, spill, error);
    } else if (shared->read_only && !self->read_only) {
        status = error_set(error, ERROR_TARGET_LOCKED, self->sql.shown,
                           "this process reads the file already, and so can't write it");
    } else {
        shared->users++;
        self->file = shared;
    }
    pthread_mutex_unlock(&open_files.lock);
    return status;
}

void duckdb_file_close(struct duckdb_file *file)
{
    if (file == NULL) {
        return;
    }
    pthread_mutex_lock(&open_files.lock);
    if (--file->users == 0) {
        struct duckdb_file **link = &open_files.first;
        while (*link != file) {
            link = &(*link)->next;
        }
        *link = file->next;
        file->library->close(&file->handle);
        free(file);
    }
    pthread_mutex_unlock(&open_files.lock);
}
