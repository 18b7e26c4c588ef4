/*
 * The log that the store of a folder keeps its values in, and what is in it, by key. The format is
 * drawn in folder_log.c.
 *
 * Each use is between folder_log_begin and folder_log_end, which hold the lock of the file for that
 * long; what other processes appended is read first. Any thread.
 */
#ifndef TRANSHUME_CONNECTORS_FOLDER_FOLDER_LOG_H
#define TRANSHUME_CONNECTORS_FOLDER_FOLDER_LOG_H

#include "base/arena.h"
#include "base/error.h"
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FOLDER_LOG_TEXT_BYTES_MAX = 16 << 20 };

/* A key that is there, and where its text stands in the file. */
struct folder_log_entry {
    char *key;
    uint64_t version;
    uint64_t offset;
    size_t length;
};

/* A key that is put, or with version 0 deleted. All borrowed. */
struct folder_log_change {
    const char *key;
    uint64_t version;
    const char *text;
    size_t length;
};

struct folder_log {
    pthread_mutex_t mutex; /* held between begin and end, of all that follows */
    char *folder;
    char *path;
    int descriptor; /* -1: not open */
    bool read_only;
    bool was_held; /* longer than a reader waits, when it was last wanted */
    struct folder_log_entry *entries; /* by key */
    size_t count;
    size_t capacity;
    uint64_t bytes;  /* of head and whole records; what follows them is a torn tail */
    uint64_t chain;  /* checksum of the last record */
    uint64_t filled; /* bytes that a log without garbage would have, about */
    bool unsynced;   /* records of others were read that may not be durable yet */
};

/* The log `folder`/ledger.log, which need not be there. */
void folder_log_init(struct folder_log *log, const char *folder);
void folder_log_free(struct folder_log *log);

/*
 * STATUS_END: there is no log. Anything but STATUS_OK holds nothing. `writes`: no other process
 * writes it meanwhile, and a torn tail is cut off. ERROR_LEDGER_INVALID: it is damaged;
 * ERROR_FORMAT_NEWER.
 */
enum status folder_log_begin(struct folder_log *log, bool writes, struct error *error) MUST_USE;
/* The same with `writes`; makes the log where there is none, in a folder that is there.
 * STATUS_END: the folder is not. */
enum status folder_log_make(struct folder_log *log, struct error *error) MUST_USE;
void folder_log_end(struct folder_log *log);

/* The place of the key or of the first one behind it. */
size_t folder_log_search(const struct folder_log *log, const char *key);
/* NULL: it is not there. */
const struct folder_log_entry *folder_log_find(const struct folder_log *log, const char *key);
enum status folder_log_read(struct folder_log *log, const struct folder_log_entry *entry,
                            struct arena *arena, const char **text, struct error *error) MUST_USE;
/* Appends one record, so that all of the changes are made or none; durable on return. */
enum status folder_log_append(struct folder_log *log, const struct folder_log_change *changes,
                              size_t count, struct error *error) MUST_USE;
/* Removes the file; the log is begun, and folder_log_end follows. */
enum status folder_log_remove(struct folder_log *log, struct error *error) MUST_USE;

#endif
