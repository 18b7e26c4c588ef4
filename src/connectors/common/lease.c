/* Holders as texts, who is still alive, and the end of this process's lease. */
#include "connectors/common/lease.h"
#include "base/file.h"

#include "base/clock.h"
#include "base/signals.h"
#include "base/text.h"
#include "model/json_tree.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum { HOLDER_FORMAT = 1, PROCESS_BYTES = 1024 };

/* The first bytes of a file, as a string; false if there are none. */
static bool read_head(const char *path, char *text, size_t capacity)
{
    int descriptor = file_open(path, O_RDONLY | O_CLOEXEC, 0);
    ssize_t got = descriptor < 0 ? -1 : file_read(descriptor, text, capacity - 1);
    if (descriptor >= 0) {
        close(descriptor);
    }
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* A pid means the same process only within one boot and one pid namespace. */
static void machine_here(char machine[40])
{
    char where[256];
    char boot[64];
    ssize_t length = readlink("/proc/self/ns/pid", where, sizeof(where) - 1);
    machine[0] = '\0';
    if (length <= 0 || !read_head("/proc/sys/kernel/random/boot_id", boot, sizeof(boot))) {
        return;
    }
    size_t used = (size_t)length;
    used += (size_t)snprintf(where + used, sizeof(where) - used, " %s", boot);
    XXH128_hash_t hash = XXH3_128bits(where, used < sizeof(where) ? used : sizeof(where) - 1);
    snprintf(machine, 40, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64, (uint64_t)hash.low64);
}

enum { STARTED_UNKNOWN = -1, STARTED_ENDED = -2 };

/* Field 22 of /proc/PID/stat (proc(5)), counted behind the name's closing bracket. */
static int64_t process_started(int64_t pid)
{
    char path[64];
    char text[PROCESS_BYTES];
    snprintf(path, sizeof(path), "/proc/%" PRId64 "/stat", pid);
    if (!read_head(path, text, sizeof(text))) {
        return STARTED_UNKNOWN;
    }
    const char *at = strrchr(text, ')');
    if (at == NULL || at[1] != ' ') {
        return STARTED_UNKNOWN;
    }
    if (at[2] == 'Z' || at[2] == 'X') {
        return STARTED_ENDED; /* nobody has asked yet how it ended */
    }
    at += 2;
    for (int field = 3; field < 22 && at != NULL; field++) {
        at = strchr(at, ' ');
        at = at == NULL ? NULL : at + 1;
    }
    return at == NULL ? STARTED_UNKNOWN : strtoll(at, NULL, 10);
}

static void make_name(struct ledger_holder *holder)
{
    if (holder->host[0] == '\0') {
        snprintf(holder->name, sizeof(holder->name), "pid %" PRId64, holder->pid);
    } else {
        snprintf(holder->name, sizeof(holder->name), "pid %" PRId64 " on %s", holder->pid,
                 holder->host);
    }
}

/* A name may be any bytes, and JSON holds UTF-8 only. */
static void host_here(char *host, size_t capacity)
{
    char name[HOST_NAME_MAX + 1] = "";
    if (gethostname(name, sizeof(name)) != 0) {
        name[0] = '\0';
    }
    text_printable(name, strlen(name), host, capacity);
}

void ledger_holder_self(int64_t lease_ms, struct ledger_holder *holder)
{
    *holder =
        (struct ledger_holder){.pid = getpid(), .since_us = clock_utc_us(), .lease_ms = lease_ms};
    host_here(holder->host, sizeof(holder->host));
    machine_here(holder->machine);
    holder->started = process_started(holder->pid);
    make_name(holder);
}

enum status ledger_holder_write(const struct ledger_holder *holder, struct arena *arena,
                                const char **text, struct error *error)
{
    char since[32];
    clock_format_utc(holder->since_us, since, sizeof(since));
    json_t *object =
        json_pack("{s:i,s:I,s:s,s:s,s:I,s:s,s:I,s:I}", "format", HOLDER_FORMAT, "pid",
                  (json_int_t)holder->pid, "host", holder->host, "machine", holder->machine,
                  "started", (json_int_t)holder->started, "since", since, "since_us",
                  (json_int_t)holder->since_us, "lease_ms", (json_int_t)holder->lease_ms);
    struct buffer dump = {0};
    *text = json_tree_append(object, JSON_COMPACT, &dump)
                ? arena_copy(arena, dump.data, dump.length)
                : NULL;
    buffer_free(&dump);
    json_decref(object);
    return *text != NULL ? STATUS_OK
                         : error_set(error, ERROR_MEMORY, NULL, "no memory for a holder's name");
}

/* False: there is no room for it, as there was for whoever wrote it. */
static bool take_text(const json_t *object, const char *name, char *text, size_t capacity)
{
    const char *value = json_string_value(json_object_get(object, name));
    return (size_t)snprintf(text, capacity, "%s", value == NULL ? "" : value) < capacity;
}

static int64_t take_integer(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

enum status ledger_holder_read(const char *text, struct ledger_holder *holder, struct error *error)
{
    json_t *object = NULL;
    if (json_tree_parse(text, strlen(text), JSON_REJECT_DUPLICATES, "ledger claim",
                        ERROR_LEDGER_INVALID, &object, error) != STATUS_OK) {
        if (error->code != ERROR_MEMORY) {
            error_set(error, ERROR_LEDGER_INVALID, "ledger claim", "is damaged: '%.100s'", text);
        }
        *holder = (struct ledger_holder){0};
        return STATUS_FAILED;
    }
    int64_t format = take_integer(object, "format");
    *holder = (struct ledger_holder){.pid = take_integer(object, "pid"),
                                     .started = take_integer(object, "started"),
                                     .since_us = take_integer(object, "since_us"),
                                     .lease_ms = take_integer(object, "lease_ms")};
    bool whole = take_text(object, "host", holder->host, sizeof(holder->host));
    whole &= take_text(object, "machine", holder->machine, sizeof(holder->machine));
    json_decref(object);
    make_name(holder);
    if (format > HOLDER_FORMAT) {
        return error_set(error, ERROR_FORMAT_NEWER, "ledger claim",
                         "is of format %" PRId64 ", this version knows %d", format, HOLDER_FORMAT);
    }
    if (format != HOLDER_FORMAT || !whole || holder->pid <= 0 || holder->lease_ms < 0) {
        return error_set(error, ERROR_LEDGER_INVALID, "ledger claim", "is damaged: '%.100s'", text);
    }
    return STATUS_OK;
}

bool ledger_holder_is_gone(const struct ledger_holder *holder)
{
    char machine[40];
    machine_here(machine);
    if (holder->pid <= 0 || machine[0] == '\0' || strcmp(machine, holder->machine) != 0) {
        return false;
    }
    if (holder->pid > INT32_MAX || (kill((pid_t)holder->pid, 0) != 0 && errno == ESRCH)) {
        return true;
    }
    int64_t started = process_started(holder->pid);
    return started == STARTED_ENDED || (started >= 0 && started != holder->started);
}

/* ---- this process's own */

int64_t lease_clock_ms(void)
{
    return clock_boottime_ms();
}

void lease_extend(struct database *database, int64_t sent_ms)
{
    atomic_store(&database->report.lease_end_ms, sent_ms + database->lease_ms);
}

void lease_end(struct database *database)
{
    atomic_store(&database->report.lease_end_ms, LEASE_ENDED);
}

enum status lease_check(const struct database *database, int64_t request_ms, struct error *error)
{
    if (database->lease_ms == 0) {
        return STATUS_OK;
    }
    int64_t end_ms = atomic_load(&database->report.lease_end_ms);
    if (end_ms == LEASE_ENDED) {
        return error_set(error, ERROR_RUN_FENCED, "run", "this process does not hold it any more");
    }
    int64_t left = end_ms - lease_clock_ms();
    if (left >= request_ms) {
        return STATUS_OK;
    }
    return error_set(error, ERROR_LEASE_SHORT, "run",
                     "its lease holds for %" PRId64 " ms more, and a request may take %" PRId64
                     " ms",
                     left > 0 ? left : 0, request_ms);
}

enum status lease_wait(const struct database *database, int64_t request_ms, struct error *error)
{
    enum { LOOK_MS = 5, STOP_NOW = 2 };
    int64_t until_ms = clock_monotonic_ms() + request_ms;
    enum status status;
    while ((status = lease_check(database, request_ms, error)) == STATUS_FAILED &&
           error->code == ERROR_LEASE_SHORT && clock_monotonic_ms() < until_ms &&
           signals_stop_level() < STOP_NOW) {
        clock_sleep_ms(LOOK_MS);
    }
    return status;
}
