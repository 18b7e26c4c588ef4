/*
 *   {"format":2,"kind":"ledger"}
 *   <checksum of the body> <length of the body> <checksum of this line>
 *   <version> <length of the text> <key>
 *   <text>
 *   <version> <length of the text> <key>
 *   …
 *
 * The first line is the head; then comes a record for each write, of one change or more: a key got
 * that text and version, or was deleted (version 0, no text). All lengths are in bytes, decimal,
 * without the end of line that follows a text. Checksums are XXH3-64 as 16 hex digits, seeded with
 * the body's checksum of the record before (for the first one: with that of the head), so that no
 * record can be changed, dropped or moved unseen; the line's is over all of it that stands before.
 *
 * Writers append under an exclusive flock of the file, readers read under a shared one, and both
 * look whether the name still leads to the file that they have open. A record is durable before the
 * lock is released, and one that its writer left without that is made durable before the next one
 * is appended: only the last record may be torn, by a crash, and was acknowledged to nobody. Its
 * bytes end too early then or, where blocks were not written in their order, hold zeros, which no
 * text does. The next writer cuts it off.
 *
 * When more than half of the file is garbage it is written again beside itself (ledger.log.new) and
 * renamed.
 */
#include "connectors/folder/folder_log.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/contract/store.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum {
    FORMAT = 2,
    WINDOW_BYTES = 256 * 1024,
    SUM_DIGITS = 16,
    RECORD_HEAD_MAX = SUM_DIGITS + 1 + 20 + 1 + SUM_DIGITS + 1,
    RECORD_BYTES_MAX = 1 << 28,
    CHANGE_BYTES = 48, /* of a change besides key and text, about, and of its record */
    GARBAGE_BYTES_MIN = 16 * 1024,
    WRITE_WAIT_MS = 30000,
    READ_WAIT_MS = 2000,
    LOCK_PAUSE_MS = 2
};

static const char head[] = "{\"format\":2,\"kind\":\"ledger\"}\n";

/* ---------------------------------------------------------------- what is in it */

size_t folder_log_search(const struct folder_log *log, const char *key)
{
    size_t low = 0;
    size_t high = log->count;
    /* most keys that are put come last, or nearly so */
    if (high > 0 && strcmp(log->entries[high - 1].key, key) < 0) {
        return high;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(log->entries[middle].key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at(const struct folder_log *log, size_t at, const char *key)
{
    return at < log->count && strcmp(log->entries[at].key, key) == 0;
}

const struct folder_log_entry *folder_log_find(const struct folder_log *log, const char *key)
{
    size_t at = folder_log_search(log, key);
    return is_at(log, at, key) ? &log->entries[at] : NULL;
}

static uint64_t filling(const struct folder_log_entry *entry)
{
    return strlen(entry->key) + entry->length + CHANGE_BYTES;
}

static void take_out(struct folder_log *log, size_t at)
{
    log->filled -= filling(&log->entries[at]);
    free(log->entries[at].key);
    log->count--;
    memmove(log->entries + at, log->entries + at + 1, (log->count - at) * sizeof(*log->entries));
}

static struct folder_log_entry *put_in(struct folder_log *log, size_t at, const char *key)
{
    if (log->count == log->capacity) {
        log->capacity = log->capacity == 0 ? 64 : log->capacity * 2;
        log->entries = memory_resize(log->entries, log->capacity, sizeof(*log->entries));
    }
    memmove(log->entries + at + 1, log->entries + at, (log->count - at) * sizeof(*log->entries));
    log->count++;
    log->entries[at] = (struct folder_log_entry){.key = memory_copy_string(key)};
    return &log->entries[at];
}

static void folder_log_apply(struct folder_log *log, const char *key, uint64_t version,
                             uint64_t offset, size_t length)
{
    size_t at = folder_log_search(log, key);
    bool there = is_at(log, at, key);
    if (version == STORE_ABSENT) {
        if (there) {
            take_out(log, at);
        }
        return;
    }
    struct folder_log_entry *entry = there ? &log->entries[at] : put_in(log, at, key);
    log->filled -= there ? filling(entry) : 0;
    entry->version = version;
    entry->offset = offset;
    entry->length = length;
    log->filled += filling(entry);
}

/* As if nothing had been read. */
static void empty(struct folder_log *log)
{
    for (size_t at = 0; at < log->count; at++) {
        free(log->entries[at].key);
    }
    log->count = 0;
    log->bytes = 0;
    log->chain = 0;
    log->filled = 0;
    log->unsynced = false;
}

static void close_file(struct folder_log *log)
{
    if (log->descriptor >= 0) {
        close(log->descriptor); /* and the lock is gone */
        log->descriptor = -1;
    }
    empty(log);
}

void folder_log_init(struct folder_log *log, const char *folder)
{
    *log = (struct folder_log){.folder = memory_copy_string(folder),
                               .path = memory_format("%s/ledger.log", folder),
                               .descriptor = -1};
    pthread_mutex_init(&log->mutex, NULL);
}

void folder_log_free(struct folder_log *log)
{
    if (log->path != NULL) {
        close_file(log);
        pthread_mutex_destroy(&log->mutex);
        free(log->entries);
        free(log->folder);
        free(log->path);
    }
}

/* ---------------------------------------------------------------- reading */

static enum status damaged(const struct folder_log *log, uint64_t offset, struct error *error)
{
    enum status status =
        error_set(error, ERROR_LEDGER_INVALID, log->path,
                  "the record at byte %" PRIu64 " was edited, dropped or moved", offset);
    error_hint(error, "restore the file from a backup; without it the run can't be resumed: empty "
                      "the target's folder and migrate again");
    return status;
}

/* The bytes that were read of the file and not yet used: `length` bytes from `start`. */
struct window {
    const struct folder_log *log;
    char *bytes;
    size_t capacity;
    size_t start;
    size_t length;
    uint64_t offset; /* of the first of them in the file */
    uint64_t size;   /* of the file */
};

static const char *text_of(const struct window *window)
{
    return window->length == 0 ? "" : window->bytes + window->start;
}

static enum status make_room(struct window *window, size_t wanted, struct error *error)
{
    size_t capacity = wanted + WINDOW_BYTES;
    if (window->start > 0) {
        memmove(window->bytes, window->bytes + window->start, window->length);
        window->start = 0;
    }
    if (window->capacity < capacity) {
        char *grown = realloc(window->bytes, capacity);
        if (grown == NULL) {
            return error_set(error, ERROR_MEMORY, window->log->path, "no memory for a record");
        }
        window->bytes = grown;
        window->capacity = capacity;
    }
    return STATUS_OK;
}

/* Reads on until `wanted` bytes are there, or the file ends. */
static enum status folder_log_fill(struct window *window, size_t wanted, struct error *error)
{
    if (window->length < wanted && make_room(window, wanted, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    while (window->length < wanted && window->offset + window->length < window->size) {
        uint64_t at = window->offset + window->length;
        size_t room = window->capacity - window->length;
        size_t left = window->size - at < room ? (size_t)(window->size - at) : room;
        ssize_t got =
            file_read_at(window->log->descriptor, window->bytes + window->length, left, (off_t)at);
        if (got <= 0) {
            return error_set_errno(error, ERROR_LEDGER_INVALID, got < 0 ? errno : EIO,
                                   window->log->path, "can't read the ledger");
        }
        window->length += (size_t)got;
    }
    return STATUS_OK;
}

static void folder_log_step(struct window *window, size_t used)
{
    window->start += used;
    window->length -= used;
    window->offset += used;
}

/* The digits up to `end`, which is stepped over. */
static bool take_number(const char **at, const char *limit, char end, uint64_t *value)
{
    const char *stop = memchr(*at, end, (size_t)(limit - *at));
    if (stop == NULL || text_to_uint64(*at, (size_t)(stop - *at), value) != STATUS_OK) {
        return false;
    }
    *at = stop + 1;
    return true;
}

static bool take_key(const char **at, const char *limit, char key[STORE_KEY_BYTES])
{
    const char *stop = memchr(*at, '\n', (size_t)(limit - *at));
    size_t length = stop == NULL ? 0 : (size_t)(stop - *at);
    if (length == 0 || length >= STORE_KEY_BYTES) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if ((*at)[i] <= ' ' || (*at)[i] > '~') {
            return false;
        }
    }
    memcpy(key, *at, length);
    key[length] = '\0';
    *at = stop + 1;
    return true;
}

/* A body whose first byte is at `offset` of the file. */
static bool apply_body(struct folder_log *log, const char *body, size_t length, uint64_t offset)
{
    const char *at = body;
    const char *limit = body + length;
    while (at < limit) {
        char key[STORE_KEY_BYTES];
        uint64_t version;
        uint64_t text_length;
        if (!take_number(&at, limit, ' ', &version) ||
            !take_number(&at, limit, ' ', &text_length) || !take_key(&at, limit, key) ||
            text_length >= (uint64_t)(limit - at) || at[text_length] != '\n' ||
            (version == STORE_ABSENT && text_length > 0) || version == STORE_ANY_VERSION) {
            return false;
        }
        folder_log_apply(log, key, version, offset + (uint64_t)(at - body), (size_t)text_length);
        at += text_length + 1;
    }
    return length > 0;
}

static void sum_digits(const char *bytes, size_t length, uint64_t seed, uint64_t *sum,
                       char digits[SUM_DIGITS + 1])
{
    *sum = XXH3_64bits_withSeed(bytes, length, seed);
    snprintf(digits, SUM_DIGITS + 1, "%016" PRIx64, *sum);
}

struct record {
    size_t head_length;
    size_t length;                 /* of the body */
    char checksum[SUM_DIGITS + 1]; /* as it says */
};

static bool parse_record_head(const struct window *window, uint64_t chain, struct record *record)
{
    const char *line = text_of(window);
    const char *limit =
        line + (window->length < RECORD_HEAD_MAX ? window->length : RECORD_HEAD_MAX);
    const char *at = line + SUM_DIGITS + 1;
    char digits[SUM_DIGITS + 1];
    uint64_t length;
    uint64_t ignored;
    if (limit < at || at[-1] != ' ' || !take_number(&at, limit, ' ', &length) ||
        limit - at < SUM_DIGITS + 1 || at[SUM_DIGITS] != '\n' || length > RECORD_BYTES_MAX) {
        return false;
    }
    sum_digits(line, (size_t)(at - line) - 1, chain, &ignored, digits);
    memcpy(record->checksum, line, SUM_DIGITS);
    record->length = (size_t)length;
    record->head_length = (size_t)(at - line) + SUM_DIGITS + 1;
    return memcmp(at, digits, SUM_DIGITS) == 0;
}

/* A crash may leave the line before a body without its end, or as zeros. */
static bool is_torn_head(const struct window *window)
{
    size_t length = window->length < RECORD_HEAD_MAX ? window->length : RECORD_HEAD_MAX;
    bool cut = window->length < RECORD_HEAD_MAX && memchr(text_of(window), '\n', length) == NULL;
    return cut || memchr(text_of(window), '\0', length) != NULL;
}

/* STATUS_END: what follows is nothing, or a torn tail. */
static enum status read_record(struct folder_log *log, struct window *window, struct error *error)
{
    struct record record;
    char wanted[SUM_DIGITS + 1];
    uint64_t sum;
    if (folder_log_fill(window, RECORD_HEAD_MAX, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (window->length == 0) {
        return STATUS_END;
    }
    if (!parse_record_head(window, log->chain, &record)) {
        return is_torn_head(window) ? STATUS_END : damaged(log, log->bytes, error);
    }
    size_t length = record.head_length + record.length;
    if (window->offset + length > window->size) {
        return STATUS_END;
    }
    if (folder_log_fill(window, length, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *body = text_of(window) + record.head_length;
    sum_digits(body, record.length, log->chain, &sum, wanted);
    if (memcmp(wanted, record.checksum, SUM_DIGITS) != 0) {
        bool torn =
            window->offset + length == window->size && memchr(body, '\0', record.length) != NULL;
        return torn ? STATUS_END : damaged(log, log->bytes, error);
    }
    if (!apply_body(log, body, record.length, log->bytes + record.head_length)) {
        return damaged(log, log->bytes, error);
    }
    log->bytes += length;
    log->chain = sum;
    folder_log_step(window, length);
    return STATUS_OK;
}

/* STATUS_END: it is not there, or not whole, since making the log was interrupted. */
static enum status read_head(struct folder_log *log, struct window *window, struct error *error)
{
    size_t length = sizeof(head) - 1;
    char known[24];
    int known_length = snprintf(known, sizeof(known), "{\"format\":%d,", FORMAT);
    if (folder_log_fill(window, length, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *line = text_of(window);
    size_t there = window->length < length ? window->length : length;
    if (there == length && memcmp(line, head, length) == 0) {
        log->chain = XXH3_64bits(head, length);
        log->bytes = log->filled = length;
        folder_log_step(window, length);
        return STATUS_OK;
    }
    if (window->size <= length &&
        (memcmp(line, head, there) == 0 || memchr(line, '\0', there) != NULL)) {
        return STATUS_END;
    }
    if (there > (size_t)known_length && memcmp(line, known, 10) == 0 &&
        memcmp(line, known, (size_t)known_length) != 0) {
        error_set(error, ERROR_FORMAT_NEWER, log->path,
                  "the ledger was written by another version of transhume; this one knows format "
                  "%d",
                  FORMAT);
        return error_hint(error, "use the version that began the run");
    }
    return damaged(log, 0, error);
}

/* Reads what is in the file behind what is known already. STATUS_END: no whole head. */
static enum status catch_up(struct folder_log *log, struct error *error)
{
    struct stat facts;
    if (fstat(log->descriptor, &facts) != 0) {
        return error_set_errno(error, ERROR_LEDGER_INVALID, errno, log->path,
                               "can't look at the ledger");
    }
    if ((uint64_t)facts.st_size < log->bytes) { /* cut or restored behind our back */
        empty(log);
    }
    if ((uint64_t)facts.st_size == log->bytes && log->bytes > 0) {
        return STATUS_OK;
    }
    struct window window = {.log = log, .offset = log->bytes, .size = (uint64_t)facts.st_size};
    uint64_t before = log->bytes;
    enum status status = log->bytes == 0 ? read_head(log, &window, error) : STATUS_OK;
    if (status == STATUS_OK) {
        while ((status = read_record(log, &window, error)) == STATUS_OK) {
        }
        log->unsynced = log->unsynced || log->bytes > before;
        status = status == STATUS_END ? STATUS_OK : status;
    }
    free(window.bytes);
    return status;
}

enum status folder_log_read(struct folder_log *log, const struct folder_log_entry *entry,
                            struct arena *arena, const char **text, struct error *error)
{
    char *bytes = arena_allocate(arena, entry->length + 1);
    size_t read = 0;
    while (read < entry->length) {
        ssize_t got = file_read_at(log->descriptor, bytes + read, entry->length - read,
                                   (off_t)(entry->offset + read));
        if (got <= 0) {
            return got < 0 ? error_set_errno(error, ERROR_LEDGER_INVALID, errno, log->path,
                                             "can't read the ledger")
                           : damaged(log, entry->offset, error);
        }
        read += (size_t)got;
    }
    bytes[entry->length] = '\0';
    *text = bytes;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- opening and locking */

/* A reader needs no lock to be safe, since every record has its checksum: it waits so that it sees
 * what is being written, but not for a process that was stopped in the middle. */
static enum status lock_file(struct folder_log *log, bool writes, struct error *error)
{
    int64_t wait_ms = writes ? WRITE_WAIT_MS : log->was_held ? 0 : READ_WAIT_MS;
    int64_t until_ms = clock_monotonic_ms() + wait_ms;
    while (flock(log->descriptor, (writes ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return error_set_errno(error, ERROR_TARGET_WRITE, errno, log->path,
                                   "can't lock the ledger");
        }
        if (clock_monotonic_ms() >= until_ms && !writes) {
            log->was_held = true;
            return STATUS_OK;
        }
        if (clock_monotonic_ms() >= until_ms) {
            error_set(error, ERROR_TARGET_LOCKED, log->path,
                      "another process has held the ledger for %d s", WRITE_WAIT_MS / 1000);
            return error_hint(error, "is one of them stopped? Continue it, or end it");
        }
        clock_sleep_ms(LOCK_PAUSE_MS);
    }
    log->was_held = false;
    return STATUS_OK;
}

static bool is_still_there(const struct folder_log *log)
{
    struct stat opened;
    struct stat named;
    return fstat(log->descriptor, &opened) == 0 && lstat(log->path, &named) == 0 &&
           opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

/* Without the right to write it can still be read. STATUS_END: it is not there. */
static enum status open_file(struct folder_log *log, int flags, bool writes, struct error *error)
{
    const int always = O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    if (log->descriptor >= 0 && writes && log->read_only) {
        close_file(log);
    }
    if (log->descriptor >= 0) {
        return STATUS_OK;
    }
    log->descriptor = file_open(log->path, O_RDWR | flags | always, 0600);
    log->read_only = log->descriptor < 0 && !writes && (errno == EACCES || errno == EROFS);
    if (log->read_only) {
        log->descriptor = file_open(log->path, O_RDONLY | always, 0);
    }
    if (log->descriptor < 0) {
        return errno == ENOENT || errno == ENOTDIR
                   ? STATUS_END
                   : error_set_errno(error, ERROR_LEDGER_INVALID, errno, log->path,
                                     "can't open the ledger");
    }
    return STATUS_OK;
}

/* With the mutex held: the file that the name leads to, locked. */
static enum status open_and_lock(struct folder_log *log, int flags, bool writes,
                                 struct error *error)
{
    for (;;) {
        enum status status = open_file(log, flags, writes, error);
        status = status == STATUS_OK ? lock_file(log, writes, error) : status;
        if (status != STATUS_OK || is_still_there(log)) {
            return status;
        }
        close_file(log);
    }
}

static enum status cut_tail(struct folder_log *log, struct error *error)
{
    struct stat facts;
    if (fstat(log->descriptor, &facts) == 0 && (uint64_t)facts.st_size == log->bytes) {
        return STATUS_OK;
    }
    return file_cut(log->descriptor, (off_t)log->bytes) == 0 && file_sync_data(log->descriptor) == 0
               ? STATUS_OK
               : error_set_errno(error, ERROR_TARGET_WRITE, errno, log->path,
                                 "can't cut off a torn record");
}

static enum status log_file_begin(struct folder_log *log, int flags, bool writes,
                                  struct error *error)
{
    pthread_mutex_lock(&log->mutex);
    enum status status = open_and_lock(log, flags, writes, error);
    if (status == STATUS_OK) {
        status = catch_up(log, error);
    } else if (status == STATUS_END) {
        empty(log);
    }
    return status;
}

enum status folder_log_begin(struct folder_log *log, bool writes, struct error *error)
{
    enum status status = log_file_begin(log, 0, writes, error);
    if (status == STATUS_OK && writes) {
        status = cut_tail(log, error);
    }
    if (status != STATUS_OK) {
        close_file(log);
        folder_log_end(log);
    }
    return status;
}

static enum status write_head(struct folder_log *log, struct error *error)
{
    size_t length = sizeof(head) - 1;
    if (file_cut(log->descriptor, 0) != 0 ||
        file_write_at(log->descriptor, head, length, 0) != (ssize_t)length ||
        file_sync_data(log->descriptor) != 0) {
        return error_set_errno(error, ERROR_TARGET_WRITE, errno, log->path,
                               "can't write the ledger");
    }
    if (file_sync_folder(log->folder, error) != STATUS_OK) {
        return error_recode(error, ERROR_TARGET_WRITE);
    }
    return catch_up(log, error);
}

enum status folder_log_make(struct folder_log *log, struct error *error)
{
    enum status status = log_file_begin(log, O_CREAT, true, error);
    if (status == STATUS_OK) {
        status = cut_tail(log, error);
    } else if (status == STATUS_END && log->descriptor >= 0) {
        status = write_head(log, error);
    }
    if (status != STATUS_OK) {
        close_file(log);
        folder_log_end(log);
    }
    return status;
}

void folder_log_end(struct folder_log *log)
{
    if (log->descriptor >= 0) {
        flock(log->descriptor, LOCK_UN);
    }
    pthread_mutex_unlock(&log->mutex);
}

enum status folder_log_remove(struct folder_log *log, struct error *error)
{
    if (unlink(log->path) != 0 && errno != ENOENT) {
        return error_set_errno(error, ERROR_TARGET_WRITE, errno, log->path,
                               "can't remove the ledger");
    }
    close_file(log);
    if (file_sync_folder(log->folder, error) == STATUS_OK) {
        return STATUS_OK;
    }
    if (error->native_code == ENOENT) { /* another process has removed the folder, too */
        error_clear(error);
        return STATUS_OK;
    }
    return error_recode(error, ERROR_TARGET_WRITE);
}

/* ---------------------------------------------------------------- writing */

static void append_change(const struct folder_log_change *change, struct buffer *body)
{
    buffer_format(body, "%" PRIu64 " %zu %s\n", change->version, change->length, change->key);
    buffer_append(body, change->text, change->length);
    buffer_append_byte(body, '\n');
}

static enum status write_at(int descriptor, const char *path, const char *bytes, size_t length,
                            uint64_t offset, struct error *error)
{
    size_t done = 0;
    while (done < length) {
        ssize_t written =
            file_write_at(descriptor, bytes + done, length - done, (off_t)(offset + done));
        if (written <= 0) {
            return error_set_errno(error, ERROR_TARGET_WRITE, written < 0 ? errno : ENOSPC, path,
                                   "can't write the ledger");
        }
        done += (size_t)written;
    }
    return STATUS_OK;
}

static enum status sync_file(int descriptor, const char *path, struct error *error)
{
    return file_sync_data(descriptor) == 0 ? STATUS_OK
                                           : error_set_errno(error, ERROR_TARGET_WRITE, errno, path,
                                                             "can't make the ledger durable");
}

/* The record of a body at *offset, which moves on, as *chain does to its checksum. */
static enum status write_record(int descriptor, const char *path, const struct buffer *body,
                                uint64_t *offset, uint64_t *chain, struct error *error)
{
    char line[RECORD_HEAD_MAX + 1];
    char digits[SUM_DIGITS + 1];
    uint64_t sum;
    uint64_t ignored;
    sum_digits(body->data, body->length, *chain, &sum, digits);
    size_t length = (size_t)snprintf(line, sizeof(line), "%s %zu", digits, body->length);
    sum_digits(line, length, *chain, &ignored, digits);
    length += (size_t)snprintf(line + length, sizeof(line) - length, " %s\n", digits);
    if (write_at(descriptor, path, line, length, *offset, error) != STATUS_OK ||
        failpoint_hit("files.within_record", error) != STATUS_OK ||
        write_at(descriptor, path, body->data, body->length, *offset + length, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    *offset += length + body->length;
    *chain = sum;
    return STATUS_OK;
}

/* All values again, into a file of its own. */
static enum status write_values(struct folder_log *log, int descriptor, const char *path,
                                struct error *error)
{
    struct buffer body = {0};
    struct arena *arena = arena_create(0);
    uint64_t offset = sizeof(head) - 1;
    uint64_t chain = XXH3_64bits(head, sizeof(head) - 1);
    enum status status = write_at(descriptor, path, head, sizeof(head) - 1, 0, error);
    for (size_t at = 0; at < log->count && status == STATUS_OK; at++) {
        const struct folder_log_entry *entry = &log->entries[at];
        struct folder_log_change change = {
            .key = entry->key, .version = entry->version, .length = entry->length};
        status = folder_log_read(log, entry, arena, &change.text, error);
        if (status == STATUS_OK) {
            append_change(&change, &body);
        }
        if (status == STATUS_OK && (body.length >= WINDOW_BYTES || at + 1 == log->count)) {
            status = write_record(descriptor, path, &body, &offset, &chain, error);
            buffer_clear(&body);
            arena_reset(arena);
        }
    }
    arena_destroy(arena);
    buffer_free(&body);
    return status == STATUS_OK ? sync_file(descriptor, path, error) : status;
}

/* The new file is locked before it has the name, so that it stays this writer's turn. */
static enum status folder_log_replace(struct folder_log *log, const char *path, int descriptor,
                                      struct error *error)
{
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        return error_set_errno(error, ERROR_TARGET_WRITE, errno, path, "can't lock the ledger");
    }
    if (write_values(log, descriptor, path, error) != STATUS_OK ||
        failpoint_hit("files.before_compact", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (rename(path, log->path) != 0) {
        return error_set_errno(error, ERROR_TARGET_WRITE, errno, log->path,
                               "can't write the ledger again");
    }
    return STATUS_OK;
}

static enum status compact(struct folder_log *log, struct error *error)
{
    char *path = memory_format("%s.new", log->path);
    unlink(path); /* of a writer that was killed */
    int descriptor = file_open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    enum status status = descriptor >= 0 ? folder_log_replace(log, path, descriptor, error)
                                         : error_set_errno(error, ERROR_TARGET_WRITE, errno, path,
                                                           "can't write the ledger again");
    if (status != STATUS_OK) {
        unlink(path);
        if (descriptor >= 0) {
            close(descriptor);
        }
    } else {
        close_file(log);
        log->descriptor = descriptor;
        status = catch_up(log, error);
        if (status == STATUS_OK && file_sync_folder(log->folder, error) != STATUS_OK) {
            error_recode(error, ERROR_TARGET_WRITE);
            status = STATUS_FAILED;
        }
        log->unsynced = false;
        status = status == STATUS_OK ? failpoint_hit("files.after_compact", error) : status;
    }
    free(path);
    return status;
}

static bool is_mostly_garbage(const struct folder_log *log)
{
    return log->bytes > log->filled && log->bytes - log->filled > GARBAGE_BYTES_MIN &&
           log->bytes - log->filled > log->bytes / 2;
}

/* Undoes an append that was written in part, or may not be durable. */
static void undo_append(struct folder_log *log)
{
    if (file_cut(log->descriptor, (off_t)log->bytes) != 0 || file_sync_data(log->descriptor) != 0) {
        close_file(log); /* what it holds is read again by the next use */
    }
}

enum status folder_log_append(struct folder_log *log, const struct folder_log_change *changes,
                              size_t count, struct error *error)
{
    struct buffer body = {0};
    if (is_mostly_garbage(log) && compact(log, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (size_t at = 0; at < count; at++) {
        append_change(&changes[at], &body);
    }
    enum status status = log->unsynced ? sync_file(log->descriptor, log->path, error) : STATUS_OK;
    if (status == STATUS_OK) {
        uint64_t offset = log->bytes;
        uint64_t chain = log->chain;
        log->unsynced = false;
        status = write_record(log->descriptor, log->path, &body, &offset, &chain, error);
        status = status == STATUS_OK ? sync_file(log->descriptor, log->path, error) : status;
        if (status == STATUS_OK) {
            (void)apply_body(log, body.data, body.length, offset - body.length);
            log->bytes = offset;
            log->chain = chain;
        } else {
            undo_append(log);
        }
    }
    buffer_free(&body);
    return status;
}
